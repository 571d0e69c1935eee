/*
 * common.h - what all C sides of a benchmark share: arguments, data, clients, clock, and the line they print.
 *
 * Job: make sure that the sides differ in nothing but the way they talk to the
 * database. The rows, the transfers and their order come from here, and so do
 * the threads and the clock. Knows no engine and no library. The Python peers
 * have the same in common.py; harness.py compares what each side left behind.
 */
#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
#define BENCH_NORETURN [[noreturn]]
extern "C" {
#else
#define BENCH_NORETURN _Noreturn
#endif

/* The statements, the same text on each side, but for PostgreSQL's placeholders. */
#define BENCH_INSERT "INSERT INTO item(name, amount) VALUES (?, ?)"
#define BENCH_TAKE   "UPDATE account SET balance = balance - ? WHERE id = ?"
#define BENCH_GIVE   "UPDATE account SET balance = balance + ? WHERE id = ?"
#define BENCH_ITEMS  "SELECT id, name, amount FROM item ORDER BY id"

#define BENCH_INSERT_DOLLAR "INSERT INTO item(name, amount) VALUES ($1, $2)"
#define BENCH_TAKE_DOLLAR   "UPDATE account SET balance = balance - $1 WHERE id = $2"
#define BENCH_GIVE_DOLLAR   "UPDATE account SET balance = balance + $1 WHERE id = $2"

enum { BENCH_ACCOUNTS = 1000, BENCH_ASKS = 16 };

typedef struct bench_item {
    char name[32];
    int64_t amount;
} bench_item;

typedef struct bench_transfer {
    int64_t from, to, amount;
} bench_transfer;

/* What harness.py asks for. Texts are borrowed from argv. */
typedef struct bench {
    const char *mode;
    const char *database; /* a file that is there, ":memory:", or the URL of a server */
    const char *schema;   /* run first when not NULL: a database in memory starts empty */
    const char *dump;     /* the rows of `item` are written to this file at the end, when not NULL */
    const char *file;     /* a CSV file that is loaded into `table`; then there are no items */
    const char *table;
    const char *watched;    /* "running" or "held": peer_readers.py reads meanwhile; see bench_hold */
    char *asks[BENCH_ASKS]; /* NAME=SQL: settings that the side asks its own connection for */
    size_t ask_count;
    size_t count, clients;
    size_t bad_every; /* one row in so many has the name of an earlier row; 0: none */
    int cache_kib;
    bool trips; /* Belay counts round trips, which costs time */
    bench_item *items;
    bench_transfer *transfers;
    pthread_barrier_t barrier;
    double wall, cpu; /* seconds of the work */
    size_t rejected;  /* rows that were refused and undone alone */
    long trips_seen;  /* while the clock ran */
    bool running;
} bench;

/* One client: a thread with a connection of its own, and its part of the work. */
typedef struct bench_client {
    bench *run;
    const bench_item *items;
    const bench_transfer *transfers;
    size_t count;
    size_t number; /* from 0 */
    size_t rejected;
} bench_client;

/* Reads the arguments and makes the data. Exits with a usage text when they are no good. */
void bench_init(bench *, int argc, char **argv);
void bench_done(bench *);

/*
 * Calls `client` once for each client, in a thread of its own when there are several. It connects, prepares, does a
 * first unit of its work and undoes it, calls bench_start, does the work, calls bench_stop, and disconnects.
 */
void bench_run(bench *, void (*client)(bench_client *));

/* All of main, for a side that has nothing of its own that the clients share: the exit status. */
int bench_main(int argc, char **argv, void (*client)(bench_client *));

/* Waits for all clients. */
void bench_meet(bench_client *);

/* Around the work, and around nothing else. The clock runs from when all clients are ready until the last is done. */
void bench_start(bench_client *);
void bench_stop(bench_client *);

/*
 * Right before the COMMIT: a transaction that is to be held stays open until the program at the other end has read
 * enough, and writes a line. When it is watched, bench_start and bench_stop tell it too.
 */
void bench_hold(bench_client *);

/* Answers a query with its first value, as text; nothing when there is no row. */
typedef void (*bench_answer)(void *connection, const char *sql, char *out, size_t room);

/* Prints the line of JSON, after bench_stop; does so once, for the first client. */
void bench_report(bench_client *, const char *side, bench_answer, void *connection);

/* One row of `item` in a dump. */
void bench_dump_item(FILE *, int64_t id, const char *name, int64_t amount);

/* Opens the file of the dump; NULL when none was asked for. */
FILE *bench_dump_open(const bench *);

/* Whether the mode is this one. */
bool bench_is(const bench *, const char *mode);

BENCH_NORETURN void bench_die(const char *what, const char *why);

#ifdef __cplusplus
}
#endif

#endif
