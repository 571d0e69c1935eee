/*
 * belay/batch.h - many independent items, each of which succeeds or fails alone.
 *
 * For a program's own logic, done many times: each item may run any statements,
 * open scopes, register hooks. For one statement with many rows of values,
 * belay_try_many (belay/statement.h) is faster and simpler.
 */
#ifndef BELAY_BATCH_H
#define BELAY_BATCH_H

#include <stddef.h>

#include <belay/macros.h>
#include <belay/session.h>
#include <belay/statement.h>

BELAYI_BEGIN_C

/* Does item i, from 0. Non-zero: it has failed (BELAY_APPLICATION unless an error is pending). */
typedef int (*belay_item)(belay_session *, size_t i, void *arg);

/*
 * Does `n` items in order, exactly as if each were a unit of belay_atomic in the
 * innermost scope, its ordinary error caught and told to on_reject; with no scope
 * open, in one transaction of its own around all items. What is different is the
 * cost: items run together in one savepoint, and only when one fails is its part
 * undone and run again, so that it stands alone. So `item` may run more than once
 * for an item, as the body of a scope with .retries may:
 *
 *   - What it did in the database, and its hooks, count from its last run only.
 *     On-rollback hooks run for every run that is undone, also when the item is
 *     kept in the end: they put right what the program keeps in its own memory.
 *   - What the engine does not undo (a sequence, what a scope with
 *     BELAY_REQUIRES_NEW has committed) and the program's variables stay as the
 *     earlier run left them: `total += x` in an item that runs twice doubles.
 *
 * An item sees what the items before it did, and nothing of a rejected one. It has
 * a scope, with one more in belay_depth: marks are its own, what it leaves open is
 * misuse, and belay_undo undoes it without an error, which is no rejection.
 *
 * on_reject, which may be NULL, is told each item that was rejected, once a batch,
 * in the order of the items, and never one that was kept. The session can't be used
 * in it. *error is borrowed; belay_caught holds it too.
 *
 * Returns BELAY_OK when every item had its turn. Else the pending code: of an error
 * that ends the transaction, or of a time limit of the scope around that has passed.
 * The items after it had none, and nothing of the batch will be kept: when the unit
 * runs again (.retries), so does the whole batch, and on_reject is told anew.
 * BELAY_MISUSE for NULL, and while a stream is open. While an error is pending no
 * item runs, and its code is returned.
 *
 * In a scope with .pipeline, where belay_exec only queues, many items leave in one
 * flight. An item may then run though one before it turns out to have failed, as
 * the body of a block may: that run is undone, and the item runs again. With the
 * engine's own handle lent (belay_native), each item has a savepoint of its own.
 *
 * A C++ exception or pthread_exit that leaves an item rolls back the items that
 * share its savepoint: BELAY_ABANDONED is pending in the scope around, and can't be
 * caught there.
 */
#define belay_batch(s, n, item, arg, on_reject) belay_batch_at(s, BELAY_HERE, n, item, arg, on_reject)
BELAY_API belay_code belay_batch_at(belay_session *, belay_place, size_t n, belay_item item, void *arg,
                                    belay_rejected on_reject);

BELAYI_END_C

#endif
