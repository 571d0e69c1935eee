/*
 * random.h - random numbers for backoff; not for secrets.
 * Tests: tests/unit/base.
 */
#ifndef BELAYI_BASE_RANDOM_H
#define BELAYI_BASE_RANDOM_H

#include <stdint.h>

/* A seed from the system; never 0. */
uint64_t belayi_random_seed(void);

/* The next number from 0 to `limit`, both included. *state is a seed at first. */
uint64_t belayi_random_up_to(uint64_t *state, uint64_t limit);

/*
 * From now on, and for the whole process, numbers are made of the bits that
 * `next` gives: 0 makes 0, UINT64_MAX makes `limit`, and what lies between keeps
 * its order. NULL: of the generator's own again. No other thread may be in this
 * file meanwhile.
 */
void belayi_random_replace(uint64_t (*next)(void *arg), void *arg);

#endif
