/*
 * ending.c - how scopes end: kept or undone, nested or outermost, in a
 * transaction of their own or in somebody else's.
 *
 * Every end goes through belayi_scope_end(), with a reason.
 * Tests: tests/unit/core, tests/model.
 */
#include "cold.h"
#include "inside.h"
#include "report.h"

/* ---- Ending ----------------------------------------------------------------------------------------------------- */

/* The reason, and what the scope has been through, decide whether it is kept. */
static bool keeps(const belayi_transaction *t, belayi_end reason)
{
    return reason == BELAYI_END_COMMIT && belayi_transaction_state(t) == BELAYI_SCOPE_WORKING;
}

static void report_abandoned(belay_error *error, const belayi_frame *left, bool on_purpose)
{
    belayi_report(error, BELAY_ABANDONED,
                  on_purpose ? "a scope that had joined this one was rolled back on purpose"
                             : "the scope was left before its end");
    BELAYI_REPORT_FIELD(error->hint,
                        on_purpose ? "a scope that is to be undone alone must be BELAY_NESTED"
                                   : "leave a block by falling off its end, or call belay_undo before leaving it");
    BELAYI_REPORT_FIELD(error->scope, left->name);
    belayi_report_place(error, left->place);
}

/* What a scope that is rolled back without an error has to say outside: nothing when that was on purpose. */
static bool loses_work_in_silence(const belayi_frame *frame, belayi_end reason)
{
    return reason == BELAYI_END_ABANDON && !frame->undone && !frame->read_only;
}

/* -- nested -- */

/* Keeps a nested scope's work. When the RELEASE fails, its error is pending and the scope still holds its savepoint. */
static bool release_nested(belayi_transaction *t, const belayi_frame *frame)
{
    belay_error *error = &t->scratch;
    if (t->mark_count > frame->marks)
        belayi_mark_forget(t, frame->marks);
    if (t->savepoints == 0)
        return true;
    belayi_savepoint_let_go(t, frame->savepoint);
    if (belayi_savepoint_trim(t, error) == BELAY_OK)
        return true;
    if (frame->savepoint > 0)
        t->set[frame->savepoint - 1].holders++;
    belayi_scope_fail(t, error);
    return false;
}

/* Undoes a nested scope's work. False when that failed while the transaction goes on: then the work is still there. */
static bool undo_nested(belayi_transaction *t, const belayi_frame *frame)
{
    belay_error *error = &t->scratch;
    belay_code back = BELAY_OK, code;
    belayi_mark_forget(t, frame->marks);
    if (t->closing && !t->foreign) { /* one ROLLBACK will undo it with all the rest */
        belayi_savepoint_let_go(t, frame->savepoint);
        return true;
    }
    if (t->phase == BELAYI_PHASE_OPEN)
        back = belayi_savepoint_go_back(t, frame->savepoint, error);
    belayi_savepoint_let_go(t, frame->savepoint);
    code = back;
    if (code == BELAY_OK && t->phase == BELAYI_PHASE_OPEN)
        code = belayi_savepoint_trim(t, error);
    if (code != BELAY_OK)
        belayi_scope_lose(t, error);
    return back == BELAY_OK || t->phase != BELAYI_PHASE_OPEN;
}

/* A joined scope can't be undone alone: calling it off is an error of the scope that it joined. */
static bool calls_off_joined(const belayi_frame *ended, belayi_end reason)
{
    return ended->joined && (reason == BELAYI_END_ROLLBACK || ended->undone);
}

/* Tells the scope outside, which is the innermost now, how the one inside it has ended. */
static belay_code tell_outside(belayi_transaction *t, const belayi_frame *ended, belayi_end reason)
{
    belayi_frame *outer = belayi_transaction_top(t);
    bool working = outer->state == BELAYI_SCOPE_WORKING;
    if (t->pending.code == BELAY_OK) {
        if (!working || !(calls_off_joined(ended, reason) || loses_work_in_silence(ended, reason)))
            return BELAY_ROLLED_BACK;
        belay_error error;
        report_abandoned(&error, ended, calls_off_joined(ended, reason));
        belayi_scope_record(t, &error);
    }
    belayi_frame_step(outer, ended->joined ? BELAYI_EVENT_ERROR : BELAYI_EVENT_INNER_ERROR);
    return t->pending.code;
}

static belay_code end_nested(belayi_transaction *t, belayi_end reason)
{
    belayi_frame *frame = belayi_transaction_top(t);
    if (keeps(t, reason))
        belayi_scope_follow(t);
    if (t->eager > 0 && keeps(t, reason))
        belayi_scope_ended_behind(t);
    if (keeps(t, reason) && release_nested(t, frame)) {
        belayi_scope_pop(t, BELAY_OK);
        return BELAY_OK;
    }
    belayi_frame ended = *frame;
    if (ended.joined) {
        belayi_mark_forget(t, ended.marks);
    } else {
        undo_nested(t, frame);
        if (t->follower)
            t->follower->go_back(t->follower_arg, ended.followed);
        belayi_hooks_roll_back(t, ended.hooks, true);
    }
    belayi_scope_pop(t, t->pending.code == BELAY_OK ? BELAY_ROLLED_BACK : t->pending.code);
    return tell_outside(t, &ended, reason);
}

/* -- outermost -- */

static void run_before_commit(belayi_transaction *t)
{
    t->hooks.next = 0;
    while (t->hooks.next < t->hooks.count && belayi_transaction_state(t) == BELAYI_SCOPE_WORKING) {
        belayi_hook_entry entry = t->hooks.entries[t->hooks.next++];
        if (entry.kind != BELAYI_HOOK_BEFORE_COMMIT)
            continue;
        if (belayi_scope_drain(t) != BELAY_OK)
            return;
        if (belayi_hooks_run(t, &entry, false))
            continue;
        belay_error error;
        belayi_report(&error, BELAY_APPLICATION, "a hook before the commit refused it");
        belayi_scope_raise(t, &error);
    }
}

/* Commits at the engine, with what is queued. False when that failed; then the error is pending and the phase is what
   the engine says. */
static bool send_commit(belayi_transaction *t)
{
    belay_error error;
    t->conn->limits = belayi_transaction_top(t)->limits;
    t->conn->failed = 0;
    if (belayi_wire_commit(t, &error) == BELAY_OK) {
        belayi_queue_succeed(t);
        return true;
    }
    t->doubted = error.code;
    if (error.outcome == BELAY_WORK_UNKNOWN) {
        t->named = t->conn->driver->identify && t->conn->driver->identify(t->conn, &t->token);
        belayi_scope_tell_doubt(&error);
    }
    belayi_queue_fail(t, &error);
    return false;
}

/* Rolls back at the engine. A connection that can't even do that is not sound any more; when it was lost, the engine
   rolls back without being told. */
static bool send_rollback(belayi_transaction *t, belay_error *error)
{
    if (belayi_wire_rollback(t, error) == BELAY_OK) {
        error->code = BELAY_OK;
        return true;
    }
    if (t->conn->driver->status(t->conn) == BELAY_TRANSACTION_LOST)
        error->code = BELAY_OK;
    return false;
}

static void give_back(belayi_transaction *t, bool sound)
{
    if (!t->conn)
        return;
    belay_conn *conn = t->conn;
    belay_transaction_status clean = t->foreign ? BELAY_TRANSACTION_OPEN : BELAY_TRANSACTION_NONE;
    t->conn = NULL;
    t->host->take_back(t->host_arg, conn, sound && conn->driver->status(conn) == clean);
}

/* Deferred constraints wait for a commit that does not come: in a sandbox they are looked at where it would be. */
static bool passes_deferred(belayi_transaction *t)
{
    belay_error error;
    if (!t->sandboxed || t->phase != BELAYI_PHASE_OPEN || t->conn->driver->check_deferred(t->conn, &error) == BELAY_OK)
        return true;
    belayi_scope_fail(t, &error);
    return false;
}

/* In a transaction of somebody else's, the outermost scope is a savepoint like the others. */
static bool finish_in_foreign(belayi_transaction *t, belayi_end reason, bool *out_sound)
{
    belayi_frame *frame = belayi_transaction_top(t);
    if (keeps(t, reason) && passes_deferred(t) && release_nested(t, frame))
        return true;
    if (undo_nested(t, frame))
        return false;
    t->foreign_failed = true;
    if (t->sandboxed) /* it is closed then, and all that was done in it is undone */
        belayi_scope_engine_ended(t);
    *out_sound = !t->sandboxed;
    return false;
}

/*
 * Where the program could have ended the transaction and begun another, the scope's savepoint is there no more. Then
 * that is an error, and nothing of the other one is committed. True when the work is to be kept.
 */
static bool is_still_its_own(belayi_transaction *t, const belayi_frame *frame, bool kept)
{
    if (kept)
        return release_nested(t, frame);
    if (t->pending.code == BELAY_OK)
        undo_nested(t, frame);
    return false;
}

/* Commits or rolls back; true when the work is kept. *undoing is why it could not be rolled back, or of code BELAY_OK.
 */
static bool finish_at_engine(belayi_transaction *t, belayi_end reason, bool *out_sound, belay_error *undoing)
{
    if (t->prepared)
        return keeps(t, reason);
    if (t->foreign)
        return finish_in_foreign(t, reason, out_sound);
    const belayi_frame *frame = belayi_transaction_top(t);
    bool kept = keeps(t, reason);
    if (frame->savepoint > 0)
        kept = is_still_its_own(t, frame, kept);
    if (kept && t->phase == BELAYI_PHASE_OPEN)
        kept = send_commit(t);
    if (!kept && t->phase == BELAYI_PHASE_OPEN)
        *out_sound = send_rollback(t, undoing);
    return kept;
}

/* What became of work that was not kept. In a transaction of somebody else's it may be impossible to undo. */
static belay_outcome not_kept(const belayi_transaction *t)
{
    if (t->pending.outcome == BELAY_WORK_UNKNOWN)
        return BELAY_WORK_UNKNOWN;
    if (t->incomplete)
        return BELAY_WORK_PARTLY;
    return t->foreign_failed && t->phase == BELAYI_PHASE_OPEN ? BELAY_WORK_OPEN : BELAY_WORK_ROLLED_BACK;
}

/* The work could not be rolled back as it should: behind the error that was first, or the only one. */
static void tell_undoing(belayi_transaction *t, belayi_end reason, const belay_error *undoing)
{
    bool first = t->pending.code == BELAY_OK || t->pending.code == BELAY_ROLLED_BACK;
    if (!first) {
        belayi_scope_note_undoing(t, undoing);
    } else if (reason != BELAYI_END_DROP) {
        t->incomplete |= undoing->outcome == BELAY_WORK_PARTLY;
        belayi_scope_record(t, undoing);
    }
}

static void conclude(belayi_transaction *t, const belayi_frame *frame, belayi_end reason, bool kept,
                     const belay_error *undoing)
{
    if (kept) {
        t->pending.outcome = t->foreign && !t->sandboxed ? BELAY_WORK_OPEN : BELAY_WORK_COMMITTED;
        return;
    }
    if (t->pending.code == BELAY_OK && loses_work_in_silence(frame, reason)) {
        belay_error error;
        report_abandoned(&error, frame, false);
        belayi_scope_record(t, &error);
    } else if (t->pending.code == BELAY_OK) {
        bool silent = reason == BELAYI_END_DROP || (reason == BELAYI_END_ABANDON && !frame->undone);
        if (!silent) {
            belayi_report(&t->pending, BELAY_ROLLED_BACK, "the scope was rolled back on purpose");
            belayi_scope_record(t, &t->pending);
        }
    }
    if (undoing->code != BELAY_OK)
        tell_undoing(t, reason, undoing);
    t->pending.outcome = not_kept(t);
}

/* What may still speak against a commit. */
static void check_before_commit(belayi_transaction *t)
{
    belayi_scope_follow(t);
    if (t->hooks.count > 0) {
        run_before_commit(t);
        belayi_scope_follow(t); /* what the hooks left */
    }
    if (belayi_transaction_state(t) == BELAYI_SCOPE_WORKING && t->phase == BELAYI_PHASE_OPEN)
        belayi_scope_check(t);
    if (belayi_transaction_state(t) != BELAYI_SCOPE_WORKING || !t->twice)
        return;
    belay_error error;
    belayi_report(&error, BELAY_SERIALIZATION, "rolled back to be run a second time: belay_run_twice");
    belayi_scope_raise(t, &error);
    t->refused = true;
}

belay_code belayi_scope_review(belayi_transaction *t)
{
    if (belayi_transaction_state(t) == BELAYI_SCOPE_WORKING)
        check_before_commit(t);
    belayi_scope_drain(t);
    t->reviewed = true;
    return belayi_scope_refuse(t);
}

belay_code belayi_scope_prepare(belayi_transaction *t)
{
    belay_error *error = &t->scratch;
    if (t->phase != BELAYI_PHASE_OPEN)
        return BELAY_OK;
    t->conn->limits = belayi_transaction_top(t)->limits;
    if (belayi_wire_prepare(t, error) == BELAY_OK) {
        t->prepared = true;
        return BELAY_OK;
    }
    error->outcome = BELAY_WORK_OPEN; /* without a decision it is never committed */
    return belayi_scope_fail(t, error);
}

BELAYI_COLD static belay_code end_outermost(belayi_transaction *t, belayi_end reason)
{
    bool sound = true;
    belay_error undoing;
    undoing.code = BELAY_OK;
    if (keeps(t, reason) && !t->reviewed)
        check_before_commit(t);
    bool kept = finish_at_engine(t, reason, &sound, &undoing);
    belayi_frame *frame = belayi_transaction_top(t);
    belayi_savepoint_lose_all(t);
    belayi_mark_forget(t, 0);
    give_back(t, sound);
    conclude(t, frame, reason, kept, &undoing);
    belayi_scope_pop(t, t->pending.code);
    t->phase = BELAYI_PHASE_IDLE;
    t->last_call_ns = 0;
    return t->pending.code;
}

void belayi_scope_follow_end(belayi_transaction *t)
{
    if (!t->follower)
        return;
    belay_outcome outcome = t->pending.outcome;
    bool lies_outside = outcome == BELAY_WORK_OPEN && t->pending.code == BELAY_OK; /* in somebody else's transaction */
    t->follower->ended(t->follower_arg,
                       outcome == BELAY_WORK_COMMITTED || outcome == BELAY_WORK_UNKNOWN || lies_outside);
    t->followed = 0;
}

/* A phantom ends: the error is the real scope's, which has held it since. */
BELAYI_COLD static belay_code end_phantom(belayi_transaction *t)
{
    t->phantoms--;
    return t->pending.code;
}

/* Whether what is queued may leave with COMMIT: there is one, and no RELEASE before it. */
static bool takes_queue_along(const belayi_transaction *t, belayi_end reason)
{
    return reason == BELAYI_END_COMMIT && !t->foreign && t->frames[0].savepoint == 0;
}

belay_code belayi_scope_end(belayi_transaction *t, belayi_end reason)
{
    if (t->phantoms > 0)
        return end_phantom(t);
    if (t->depth == 1 && takes_queue_along(t, reason))
        return end_outermost(t, reason);
    belayi_scope_drain(t);
    return t->depth > 1 ? end_nested(t, reason) : end_outermost(t, reason);
}
