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

#endif
