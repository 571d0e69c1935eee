/*
 * follower.h - somebody above who keeps state that follows the scopes.
 *
 * Objects of a session (src/model) are to be as they were when a scope began, once
 * it was rolled back. For that they keep a log, and a transaction keeps for each
 * scope and mark how long that log was when it began. It does not know more.
 *
 * A transaction without a follower pays a comparison with NULL.
 * Tests: tests/model_objects.
 */
#ifndef BELAYI_CORE_FOLLOWER_H
#define BELAYI_CORE_FOLLOWER_H

#include <stdbool.h>
#include <stddef.h>

typedef struct belayi_follower {
    /* What belongs to the innermost scope, which works, is sent now: a scope or mark begins inside it, a statement of
       the program's is to see it, or it ends and is kept. It may run statements; its failure is pending afterwards. */
    void (*flush)(void *arg);
    /* A scope was rolled back, or a mark gone back to, at the engine as well: what came behind that position is undone.
     */
    void (*go_back)(void *arg, size_t position);
    /* The outermost scope has ended, and what came of it is known as far as it can be. `kept`: committed, or perhaps.
       The transaction's position is 0 afterwards. */
    void (*ended)(void *arg, bool kept);
    /* The transaction is gone, or its session closed: frees what is kept. No scope is open. */
    void (*done)(void *arg);
} belayi_follower;

#endif
