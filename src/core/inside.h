/*
 * inside.h - what the room's own files share.
 */
#ifndef BELAYI_CORE_INSIDE_H
#define BELAYI_CORE_INSIDE_H

#include "transaction.h"

/* ---- The engine: wire.c ---------------------------------------------------------------------------------- */

belay_code belayi_wire_lend(belayi_transaction *, const belay_limits *, belay_error *error);
belay_code belayi_wire_begin(belayi_transaction *, belay_error *error);
belay_code belayi_wire_commit(belayi_transaction *, belay_error *error);
belay_code belayi_wire_prepare(belayi_transaction *, belay_error *error);
belay_code belayi_wire_rollback(belayi_transaction *, belay_error *error);
belay_code belayi_wire_savepoint(belayi_transaction *, unsigned number, belay_error *error);
belay_code belayi_wire_release(belayi_transaction *, unsigned number, belay_error *error);
belay_code belayi_wire_rollback_to(belayi_transaction *, unsigned number, belay_error *error);

/* Tells something that is no call, but worth knowing. Only called while there is a trace. */
void belayi_wire_warn(belayi_transaction *, belay_place, const char *detail);

/* ---- States and errors: transaction.c ---------------------------------------------------------------------- */

/* The only function that changes a scope's state. */
void belayi_frame_step(belayi_frame *, belayi_scope_event);

/* Makes the error the pending one, and fills in where it arose. */
void belayi_scope_record(belayi_transaction *, const belay_error *error);

/* Moves the pending error to where a caught one is kept. The state is the caller's business. */
void belayi_scope_take_error(belayi_transaction *, belay_error *caught);

/* The engine's transaction is over, or was never to be had. */
void belayi_scope_engine_ended(belayi_transaction *);

/* A commit has left, and nobody can say what became of it. */
void belayi_scope_tell_doubt(belay_error *error);

/* Whether the transaction was ended behind the library's back, where the program has the engine's own handle. No error
   is pending; when it was, that is one of all its scopes. */
bool belayi_scope_ended_behind(belayi_transaction *);

/* Raises what has passed of the innermost scope's own limits, and what was done behind the library's back. */
belay_code belayi_scope_check(belayi_transaction *);

/* ---- Savepoints, marks and hooks: savepoint.c, hooks.c ------------------------------------------------------- */

/* Sets the savepoint that marks and the first `depth` scopes owe, if any do. */
belay_code belayi_savepoint_pay(belayi_transaction *, unsigned depth, belay_error *error);

/* Releases what nobody holds any more: one RELEASE for all of it. */
belay_code belayi_savepoint_trim(belayi_transaction *, belay_error *error);

/* Gives up one hold; 0 is none. Nothing is sent. */
void belayi_savepoint_let_go(belayi_transaction *, unsigned number);

/* Forgets the savepoints above the first `kept`, which were to be set and never were. */
void belayi_savepoint_lose_above(belayi_transaction *, unsigned kept);

/* Undoes what was done since; 0: nothing was. */
belay_code belayi_savepoint_go_back(belayi_transaction *, unsigned number, belay_error *error);

/* Going back failed with *error: what is there is not what the program thinks, and nothing can go on. */
belay_code belayi_scope_lose(belayi_transaction *, const belay_error *error);

/* Undoing failed with *error, after the error that is pending, which keeps its code and text: it goes behind them. */
void belayi_scope_note_undoing(belayi_transaction *, const belay_error *error);

/* Forgets marks down to `count`. Nothing is sent. */
void belayi_mark_forget(belayi_transaction *, unsigned count);

/* No mark of the innermost scope can be gone back to any more. */
void belayi_mark_kill(belayi_transaction *);

/* All savepoints are gone at the engine. */
void belayi_savepoint_lose_all(belayi_transaction *);

/* Runs one while its transaction is being ended. True when it did not fail. */
bool belayi_hooks_run(belayi_transaction *, const belayi_hook_entry *, bool inside);

/* Hands back hooks from `from` on: those for a rollback run in order, the others are dropped. */
void belayi_hooks_roll_back(belayi_transaction *, size_t from, bool inside);

/* ---- The queue: queue.c ------------------------------------------------------------------------------------- */

/* The driver has waited for the queue, and all of it was done, or it failed with *error: then that is pending. */
void belayi_queue_succeed(belayi_transaction *);
belay_code belayi_queue_fail(belayi_transaction *, belay_error *error);

/* Tells the trace that all of it was done, in a flight whose trips another event has. */
void belayi_queue_tell(belayi_transaction *);

#endif
