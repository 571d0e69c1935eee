/*
 * cli.h - what the files of the command `belay` share.
 *
 * A file a subcommand; public headers of the library only. Results go to stdout,
 * everything else to stderr. A password in a URL is never printed.
 * Tests: tests/cli.
 */
#ifndef BELAY_CLI_H
#define BELAY_CLI_H

#include <stdio.h>

#include <belay/belay.h>
#include <belay/isolation.h>

enum { CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

/* A subcommand writes its results to stdout; main sees whether all was written. It gets its own arguments only, and
 * returns the exit status. */
int cli_isolation(int count, char **arguments);
int cli_recover(int count, char **arguments);
int cli_import(int count, char **arguments);

/* Whether the words ask for help, which was printed then. */
bool cli_help(int count, char **words, const char *help);

/* Says what is wrong with the arguments, and where to look; an argument that may be a URL is not shown. Returns
 * CLI_USAGE. */
int cli_refuse(const char *command, const char *what, const char *argument);

/* Whether a URL has no place where a password could be. */
bool cli_url_is_open(const char *url);

/* A URL without what may hold a password: what is before the @, but for the user's name, and the parameters. */
const char *cli_show_url(const char *url, char *out, size_t room);

/* Says what failed: one line, and a hint if there is one. Returns CLI_FAILED. */
int cli_fail(const char *command, const belay_error *);

/* Prints a value of jansson and frees it. CLI_DONE; CLI_FAILED, which is said, for NULL: it could not be made. */
struct json_t;
int cli_print_json(const char *command, struct json_t *);

/* Makes a belay_isolation_report readable. Of the levels, only those in `levels` (1u << level). CLI_DONE or CLI_FAILED.
 */
int cli_isolation_table(const belay_isolation_report *, unsigned levels);
int cli_isolation_json(const belay_isolation_report *, unsigned levels);

#endif
