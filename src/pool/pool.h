/*
 * pool.h - the connections of one database handle.
 * Tests: tests/unit/pool.
 */
#ifndef BELAYI_POOL_POOL_H
#define BELAYI_POOL_POOL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <belay/sys/driver.h>

#include "link.h"
#include "turnstile.h"

typedef struct belayi_pool {
    const belay_driver *driver;
    void *shared;
    belayi_turnstile places;
    pthread_mutex_t mutex; /* of what follows */
    belayi_link *idle;
    belayi_link *newest; /* of all, idle and lent */
    bool closed;
    /* set once */
    unsigned size, statements;
    int64_t wait_ms, age_ns; /* negative, 0: no limit */
} belayi_pool;

void belayi_pool_init(belayi_pool *, const belay_driver *, void *shared, unsigned size, int64_t wait_ms, int64_t age_ms,
                      unsigned statements);
void belayi_pool_done(belayi_pool *);

/* Closes the idle connections, and each one that is lent when it comes back. Nothing is lent any more. */
void belayi_pool_close(belayi_pool *);

/* Lends a connection, waiting in line within the pool's limit and *limits. */
belay_code belayi_pool_lend(belayi_pool *, const belay_limits *limits, belay_conn **out_conn, belay_error *error);

/* Takes it back; closes it when it isn't sound. */
void belayi_pool_take_back(belayi_pool *, belay_conn *, bool sound);

/* Closes the idle connections: who borrows next gets a fresh one. */
void belayi_pool_close_idle(belayi_pool *);

/*
 * From now on every connection, also those that are there, is used by this
 * driver: one that stands in for the pool's own, with the same state of a
 * database and of a connection. It outlives the pool. No other thread may be
 * using a connection meanwhile.
 */
void belayi_pool_use_driver(belayi_pool *, const belay_driver *);

/* In a child after fork: gives up every connection without a word to the database. */
void belayi_pool_disown(belayi_pool *);

#endif
