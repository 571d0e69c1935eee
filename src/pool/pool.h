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

/* In a child after fork: gives up every connection without a word to the database. */
void belayi_pool_disown(belayi_pool *);

#endif
