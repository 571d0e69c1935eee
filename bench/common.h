/*
 * common.h - what both C sides of a benchmark share: arguments, data, clock, and the line they print.
 *
 * Job: make sure that the two sides differ in nothing but the way they talk to
 * the database. The rows, the transfers and their order come from here, and so
 * does the clock. Knows neither SQLite nor Belay. The Python peers have the same
 * in common.py; run.py compares what each side left behind.
 */
#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* The statements, the same text on each side. */
#define BENCH_INSERT "INSERT INTO item(name, amount) VALUES (?, ?)"
#define BENCH_TAKE   "UPDATE account SET balance = balance - ? WHERE id = ?"
#define BENCH_GIVE   "UPDATE account SET balance = balance + ? WHERE id = ?"
#define BENCH_ITEMS  "SELECT id, name, amount FROM item ORDER BY id"

enum { BENCH_ACCOUNTS = 1000 };

typedef struct bench_item {
    char name[32];
    int64_t amount;
} bench_item;

typedef struct bench_transfer {
    int64_t from, to, amount;
} bench_transfer;

/* What run.py asks for. Texts are borrowed from argv. */
typedef struct bench {
    const char *mode;
    const char *database; /* a file that run.py has made, or ":memory:" */
    const char *schema;   /* run first when not NULL: a database in memory starts empty */
    const char *dump;     /* the rows of `item` are written to this file at the end, when not NULL */
    size_t count;
    int cache_kib;
    bench_item *items;
    bench_transfer *transfers;
    double wall, cpu; /* seconds of the work */
    const char *comma;
} bench;

/* The pragmas that each side prints; NULL at the end. */
extern const char *const bench_pragmas[];

/* Reads the arguments and makes the data. Exits with a usage text when they are no good. */
void bench_init(bench *, int argc, char **argv);
void bench_done(bench *);

/* Around the work, and around nothing else. */
void bench_start(bench *);
void bench_stop(bench *);

/* The line of JSON: begin, any number of settings, end. A NULL value is null. */
void bench_report_begin(bench *, const char *side);
void bench_report_setting(bench *, const char *name, const char *value);
void bench_report_end(bench *);

/* One row of `item` in a dump. */
void bench_dump_item(FILE *, int64_t id, const char *name, int64_t amount);

/* Opens the file of the dump; NULL when none was asked for. */
FILE *bench_dump_open(const bench *);

_Noreturn void bench_die(const char *what, const char *why);

#endif
