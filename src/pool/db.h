/*
 * db.h - what a belay_db is.
 *
 * Counted: the handle lives until belay_close and until its last session is
 * closed. Which drivers there are is said in src/registry.c alone.
 * Tests: tests/unit/pool, tests/conformance.
 */
#ifndef BELAYI_POOL_DB_H
#define BELAYI_POOL_DB_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <belay/db.h>
#include <belay/sys/driver.h>

#include "pool.h"
#include "trace.h"

/* The drivers of this build, ended by one without a scheme; an engine that was left out has no driver. Registry. */
typedef struct belayi_engine {
    const char *scheme; /* of the URL, such as "sqlite" */
    const belay_driver *driver;
    const char *how_to_get; /* when there is no driver */
} belayi_engine;

extern const belayi_engine belayi_engines[];

enum { BELAYI_ONCE_TABLE_ROOM = 64 };

struct belay_db {
    belay_db_options options;   /* with the defaults filled in */
    const belay_driver *driver; /* NULL: the URL is no good, and `refusal` says why */
    void *shared;
    belayi_pool pool;
    bool dies_with_connection; /* it has one connection, and is gone with it: a database in memory */
    void *stand_in;            /* a driver that src/testing has put in the place of the pool's; freed with the handle */
    belayi_trace trace;        /* the program's, or that of BELAY_TRACE */
    char once_table[BELAYI_ONCE_TABLE_ROOM];
    char *decision_log;       /* its URL; NULL: none */
    belay_db *decisions;      /* that database, once it was needed; under the mutex, as the next */
    char log_number[17];      /* of the table of decisions in this database; "": not known */
    atomic_llong once_due_ns; /* when that table is to be made, or looked after, next */
    atomic_bool run_twice;    /* belay_run_twice */
    belay_error refusal;      /* for good */
    pthread_mutex_t mutex;    /* of the two below */
    belay_error trouble;      /* the last attempt to connect, if it failed */
    belay_error shown;        /* the copy that belay_db_error lends */
    atomic_bool troubled;
    atomic_bool closed;
    atomic_int users;              /* the handle, and its sessions */
    unsigned long long generation; /* of the process that opened it: see belayi_fork_generation */
};

/* Opens with a driver that is given; belay_open finds it by the URL. NULL only without memory. */
belay_db *belayi_db_open_with(const belay_driver *, const char *url, const belay_db_options *);

/* A handle whose one connection is the program's own; without a driver, a handle that refuses. NULL only without
   memory. */
belay_db *belayi_db_adopt(const belay_driver *, void *native);

/* One more, one less user of the handle. */
void belayi_db_hold(belay_db *);
void belayi_db_let_go(belay_db *);

/* Whether the handle was made by this process and not by a parent of it. */
bool belayi_db_is_ours(const belay_db *);

/* Lends a connection; a failure to connect is remembered for belay_db_error until an attempt succeeds. */
belay_code belayi_db_lend(belay_db *, const belay_limits *, belay_conn **out_conn, belay_error *error);

void belayi_db_log(const belay_db *, belay_log_level, const char *line);

#endif
