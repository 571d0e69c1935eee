/*
 * file.h - a database file of the check's own, beside the one that a URL names.
 *
 * PATH-isolation-PID-DIGITS: the process in its name tells whether the check still runs.
 * Tests: tests/isolation/test_isolation_site.c.
 */
#ifndef BELAYI_ISOLATION_FILE_H
#define BELAYI_ISOLATION_FILE_H

#include <stdbool.h>

#include <belay/isolation.h>

/* Whether the URL is one of a database in a file. */
bool belayi_file_is_meant(const char *url);

/* Makes an empty file that was not there, and its URL, with the parameters of the one that is given. Both texts have
   room for BELAYI_PATH bytes. False: *error is filled, and no file was made. */
bool belayi_file_make(const char *url, char *out_path, char *out_url, belay_error *error);

/* Removes it, and what SQLite makes beside it. False: *error is filled. Nobody may have it open. */
bool belayi_file_remove(const char *path, belay_error *error);

/* Those that killed checks on the URL's file left. False: *error is filled. */
bool belayi_file_leftovers(const char *url, bool remove, belay_isolation_leftover each, void *arg, belay_error *error);

#endif
