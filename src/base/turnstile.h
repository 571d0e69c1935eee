/*
 * turnstile.h - a number of places that threads wait for in a line.
 *
 * First come, first served: a place that becomes free is handed to the thread
 * that has waited longest, and nobody who comes later can slip in before it.
 * It knows nothing of what the places are: connections of a pool, the one write
 * lock of a SQLite database.
 * Tests: tests/unit/base.
 */
#ifndef BELAYI_BASE_TURNSTILE_H
#define BELAYI_BASE_TURNSTILE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct belayi_waiter;

typedef struct belayi_turnstile {
    pthread_mutex_t mutex;
    unsigned free_places;
    struct belayi_waiter *first, *last;
} belayi_turnstile;

void belayi_turnstile_init(belayi_turnstile *, unsigned places);
void belayi_turnstile_done(belayi_turnstile *);

/*
 * Takes a place, waiting in the line for it until the deadline (0: for ever).
 * False when the deadline passed first. A deadline in the past takes a place
 * that is free and waits for none. The wait takes real time, also by a test's
 * clock: as much as there was left on it.
 */
bool belayi_turnstile_enter(belayi_turnstile *, int64_t deadline_ns);

/* Gives a place back. May be called by another thread than the one that entered. */
void belayi_turnstile_leave(belayi_turnstile *);

#endif
