/*
 * retry.h - whether and when a unit runs again.
 *
 * Only a whole unit is run again, after an error of which the engine promises
 * that nothing was kept. The wait is drawn evenly from nothing up to an
 * exponentially growing bound ("full jitter": Brooker, Exponential Backoff And
 * Jitter, 2015).
 * Tests: tests/conformance.
 */
#ifndef BELAYI_SESSION_RETRY_H
#define BELAYI_SESSION_RETRY_H

#include "session.h"

/* Remembers how the outermost scope began. */
void belayi_retry_remember(belay_session *, const belayi_scope_spec *, const belay_scope_options *, belayi_form,
                           belay_place);

/*
 * Called when a unit has ended. True when it is to run again: then the wait is
 * over and its outermost scope is open again; perhaps with an error pending, when
 * it could not begin. The guard is held.
 */
bool belayi_retry_again(belay_session *);

/* Waits as a unit does after so many attempts; false, and at once, when its time limit would pass meanwhile. */
bool belayi_retry_sleep(belay_session *, int attempts);

#endif
