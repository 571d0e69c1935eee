/*
 * import.h - what the files of `belay import` share.
 */
#ifndef BELAY_CLI_IMPORT_H
#define BELAY_CLI_IMPORT_H

#include <stdbool.h>
#include <stdint.h>

#include <belay/belay.h>
#include <belay/import.h>

#include "cli.h"

/* Exit statuses. */
enum {
    IMPORT_ALL_KEPT = 0, /* or skipped or updated, as was asked for */
    IMPORT_SOME_REJECTED = 1,
    IMPORT_NOTHING_KEPT = 2,
    IMPORT_HALF_WAY = 3, /* failed or stopped: what was committed before stays */
    IMPORT_USAGE = 64,
    IMPORT_UNTOLD = 74 /* the report could not be written; what was kept is kept */
};

enum { IMPORT_LISTED = 20 };

/* A command line, read. The spec borrows from it. */
typedef struct import_arguments {
    int given_count; /* as they were given, */
    char **given;
    int count; /* and a copy, which is cut apart */
    char **words;
    const char *url;
    belay_import_spec spec;
    bool json;
    bool help;
} import_arguments;

/* A reject of those that are listed. */
typedef struct import_listed {
    uint64_t record, line;
    belay_code code;
    char column[128], message[sizeof((belay_error *)0)->message];
} import_listed;

/* What is told at the end. */
typedef struct import_tally {
    import_listed listed[IMPORT_LISTED]; /* the first ones */
    uint64_t count;                      /* of all */
    uint64_t by_code[BELAY_ANY];
} import_tally;

/* IMPORT_ALL_KEPT, or IMPORT_USAGE, and it was said why. */
int import_read_arguments(import_arguments *, int count, char **words);
void import_free_arguments(import_arguments *);

/* Tells what came of it; an exit status. IMPORT_UNTOLD is said by main. */
int import_report(const import_arguments *, const belay_import_report *, const import_tally *);

/* The command line to go on with, for a shell, and what it lacks. */
void import_print_resume(FILE *, const import_arguments *);

/* What is from the file, or from a server, must not steer the terminal. */
void import_print_safely(FILE *, const char *text);

/* A message of the library, which names members of a belay_import_spec: options, here. */
void import_print_message(FILE *, const char *text);

/* The bar: on a terminal, and nowhere else. */
typedef struct import_bar {
    bool wanted, color, resumes;
    int64_t began_ns, drawn_ns;
    uint64_t records, bytes; /* that do not count for how fast it is */
} import_bar;

void import_bar_begin(import_bar *, bool resumes);
void import_bar_draw(import_bar *, const belay_import_counts *);
void import_bar_end(import_bar *);

#endif
