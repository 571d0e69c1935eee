/*
 * savepoint.h - savepoints, for the room's own files.
 */
#ifndef BELAYI_CORE_SAVEPOINT_H
#define BELAYI_CORE_SAVEPOINT_H

#include "transaction.h"

/* Sets the savepoint that marks and the first `depth` scopes owe, if any do. */
belay_code belayi_savepoint_pay(belayi_transaction *, unsigned depth, belay_error *error);

/* Releases what nobody holds any more: one RELEASE for all of it. */
belay_code belayi_savepoint_trim(belayi_transaction *, belay_error *error);

/* Gives up one hold; 0 is none. Nothing is sent. */
void belayi_savepoint_let_go(belayi_transaction *, unsigned number);

/* Undoes what was done since; 0: nothing was. */
belay_code belayi_savepoint_go_back(belayi_transaction *, unsigned number, belay_error *error);

/* Going back failed with *error: what is there is not what the program thinks, and nothing can go on. */
belay_code belayi_scope_lose(belayi_transaction *, const belay_error *error);

/* Forgets marks down to `count`. Nothing is sent. */
void belayi_mark_forget(belayi_transaction *, unsigned count);

/* No mark of the innermost scope can be gone back to any more. */
void belayi_mark_kill(belayi_transaction *);

/* All savepoints are gone at the engine. */
void belayi_savepoint_lose_all(belayi_transaction *);

/* Hands back hooks from `from` on: those for a rollback run in order, the others are dropped. */
void belayi_hooks_roll_back(belayi_transaction *, size_t from, bool inside);

#endif
