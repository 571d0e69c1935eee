/*
 * check.c - what holds between two calls.
 *
 * The numbers are those of the room's README.
 * Tests: every test of a debug build runs it.
 */
#include <assert.h>

#include "transaction.h"

#ifndef NDEBUG

/* 1: an error is pending exactly when the innermost scope holds one. */
static void check_pending(const belayi_transaction *t)
{
    assert((t->pending.code != BELAY_OK) == belayi_state_has_error(belayi_transaction_state(t)));
}

/* 3: when one scope is doomed, all are. */
static void check_doom(const belayi_transaction *t)
{
    bool doomed = t->frames[0].state == BELAYI_SCOPE_DOOMED;
    for (unsigned i = 1; i < t->depth; i++)
        assert((t->frames[i].state == BELAYI_SCOPE_DOOMED) == doomed);
    assert(t->phase != BELAYI_PHASE_ENDED || doomed);
}

/* 4: nothing is owed beneath something that is set. 5: each savepoint's holders are counted right. */
static void check_savepoints(const belayi_transaction *t)
{
    unsigned held = 0, counted = 0;
    for (unsigned i = 0; i < t->depth; i++) {
        assert(t->frames[i].savepoint <= t->savepoints);
        assert(i < t->owed_frames || t->frames[i].savepoint == 0);
        held += t->frames[i].savepoint > 0;
    }
    for (unsigned i = 0; i < t->mark_count; i++)
        held += t->marks[i].savepoint > 0;
    for (unsigned i = 0; i < t->savepoints; i++)
        counted += t->set[i].holders;
    assert(held == counted);
    assert(t->savepoints == 0 || t->phase == BELAYI_PHASE_OPEN);
}

/* 8: what is queued is part of an open transaction in which nothing has failed. */
static void check_queue(const belayi_transaction *t)
{
    if (t->queue.count == 0)
        return;
    assert(t->phase == BELAYI_PHASE_OPEN && t->eager == 0 && t->phantoms == 0);
    assert(belayi_transaction_state(t) == BELAYI_SCOPE_WORKING);
    for (unsigned i = 0; i < t->queue.count; i++)
        assert(t->queue.entries[i].depth <= t->depth && t->queue.entries[i].savepoints <= t->savepoints);
}

void belayi_transaction_check(const belayi_transaction *t)
{
    if (t->depth == 0) {
        assert(t->phase == BELAYI_PHASE_IDLE && t->phantoms == 0 && t->mark_count == 0 && t->savepoints == 0);
        assert(t->conn == 0 && t->queue.count == 0);
        return;
    }
    check_pending(t);
    check_doom(t);
    check_savepoints(t);
    check_queue(t);
}

#else

typedef int belayi_nothing_to_check; /* C has no empty file */

#endif
