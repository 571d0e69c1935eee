/* batches.h - belay_batch on both sides, and what it needs of scopes.c. */
#ifndef BELAY_TESTS_RANDOM_BATCHES_H
#define BELAY_TESTS_RANDOM_BATCHES_H

#include "run.h"

/* The batch whose operation is at `at`; its items end at `end`. */
void batches_do(run *, int at, int end);

/* How a scope or item ends: 0 well, 1 undone, 2 badly. */
int scopes_ending(int number);
void scopes_push(run *);
void scopes_pop(run *, bool kept, belay_code, bool inside);

#endif
