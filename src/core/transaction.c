/*
 * transaction.c - the way of an error, and what comes before and after a statement.
 *
 * The states are told in state.h, what is kept in the room's README. All that
 * changes a scope's state does so through belayi_frame_step(), and all that ends
 * one through belayi_scope_end(), in ending.c.
 * Tests: tests/unit/core.
 */
#include "transaction.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "cold.h"
#include "inside.h"
#include "report.h"

void belayi_transaction_init(belayi_transaction *t, const belayi_host *host, void *host_arg)
{
    memset(t, 0, sizeof *t);
    t->host = host;
    t->host_arg = host_arg;
    t->frames = t->first_frames;
    t->room = BELAYI_FRAMES_AT_FIRST;
}

void belayi_transaction_done(belayi_transaction *t)
{
    assert(t->depth == 0);
    if (t->follower)
        t->follower->done(t->follower_arg);
    belayi_hooks_done(&t->hooks);
    if (t->frames != t->first_frames)
        free(t->frames);
    free(t->marks);
    free(t->set);
    free(t->queue.entries);
}

void belayi_transaction_clear(belayi_transaction *t)
{
    t->pending.code = BELAY_OK;
    t->pending.outcome = BELAY_WORK_OPEN;
}

/* ---- States ----------------------------------------------------------------------------------------------------- */

void belayi_frame_step(belayi_frame *frame, belayi_scope_event event)
{
    belayi_scope_state next = belayi_state_next(frame->state, event);
    assert(next != BELAYI_SCOPE_NEVER);
    frame->state = next;
}

bool belayi_code_ends_transaction(belay_code code)
{
    return code == BELAY_DEADLOCK || code == BELAY_SERIALIZATION || code == BELAY_CONNECTION ||
           code == BELAY_TOO_MANY || code == BELAY_IN_DOUBT || code == BELAY_CORRUPT;
}

static void doom(belayi_transaction *t)
{
    for (unsigned i = 0; i < t->depth; i++)
        belayi_frame_step(&t->frames[i], BELAYI_EVENT_FATAL);
}

void belayi_scope_engine_ended(belayi_transaction *t)
{
    if (t->foreign && t->phase == BELAYI_PHASE_OPEN)
        t->foreign_failed = true;
    t->phase = BELAYI_PHASE_ENDED;
    belayi_savepoint_lose_all(t);
    doom(t);
}

/* ---- Errors ----------------------------------------------------------------------------------------------------- */

void belayi_scope_record(belayi_transaction *t, const belay_error *error)
{
    const belayi_frame *top = belayi_transaction_top(t);
    if (error != &t->pending)
        t->pending = *error;
    t->pending.attempt = t->attempt;
    if (t->pending.outcome != BELAY_WORK_UNKNOWN && t->pending.outcome != BELAY_WORK_PARTLY)
        t->pending.outcome = BELAY_WORK_OPEN;
    if (!t->pending.file[0])
        belayi_report_place(&t->pending, top->place);
    for (unsigned i = t->depth; i > 0 && !t->pending.scope[0]; i--)
        BELAYI_REPORT_FIELD(t->pending.scope, t->frames[i - 1].name);
}

belay_code belayi_scope_refuse(belayi_transaction *t)
{
    belayi_scope_state state = belayi_transaction_state(t);
    if (state == BELAYI_SCOPE_WORKING)
        return BELAY_OK;
    if (t->phantoms == 0)
        belayi_frame_step(belayi_transaction_top(t), BELAYI_EVENT_REFUSE);
    return state == BELAYI_SCOPE_UNDONE ? BELAY_ROLLED_BACK : t->pending.code;
}

belay_code belayi_scope_raise(belayi_transaction *t, const belay_error *error)
{
    belayi_scope_drain(t); /* the first error wins */
    if (belayi_transaction_has_error(t))
        return belayi_scope_refuse(t);
    belayi_scope_record(t, error);
    if (belayi_code_ends_transaction(t->pending.code))
        doom(t);
    else
        belayi_frame_step(belayi_transaction_top(t), BELAYI_EVENT_ERROR);
    return t->pending.code;
}

belay_code belayi_scope_fail(belayi_transaction *t, const belay_error *error)
{
    belayi_scope_drain(t); /* the first error wins */
    belay_transaction_status status = t->conn ? t->conn->driver->status(t->conn) : BELAY_TRANSACTION_NONE;
    bool over = status == BELAY_TRANSACTION_NONE || status == BELAY_TRANSACTION_LOST;
    bool partly = error->outcome == BELAY_WORK_PARTLY;
    t->incomplete |= partly;
    if (!belayi_transaction_has_error(t))
        belayi_scope_raise(t, error);
    if (partly && t->pending.outcome == BELAY_WORK_PARTLY) /* it is not at its end yet */
        t->pending.outcome = BELAY_WORK_OPEN;
    /* Under autocommit, and before BEGIN, there is no transaction that could have ended. */
    if (status == BELAY_TRANSACTION_LOST || (over && t->phase == BELAYI_PHASE_OPEN))
        belayi_scope_engine_ended(t);
    return t->pending.code;
}

void belayi_scope_tell_doubt(belay_error *error)
{
    BELAYI_REPORT_FORMAT(error->detail, "%s: %s", belay_code_name(error->code), error->message);
    BELAYI_REPORT_FIELD(error->message, "the answer to the commit never came: the unit may be there, or not");
    BELAYI_REPORT_FIELD(error->hint, "look for what the unit should have left before doing it again");
    error->code = BELAY_IN_DOUBT;
}

void belayi_scope_doubt(belayi_transaction *t, belay_error *error)
{
    if (!t->autocommit || !t->conn || t->conn->driver->status(t->conn) != BELAY_TRANSACTION_LOST)
        return;
    error->outcome = BELAY_WORK_UNKNOWN;
    belayi_scope_tell_doubt(error);
}

void belayi_scope_note_undoing(belayi_transaction *t, const belay_error *error)
{
    char first[sizeof t->pending.detail];
    t->incomplete |= error->outcome == BELAY_WORK_PARTLY;
    memcpy(first, t->pending.detail, sizeof first);
    BELAYI_REPORT_FORMAT(t->pending.detail, "%s%sundoing it failed: %s", first, first[0] ? "; " : "", error->message);
}

belay_code belayi_scope_lose(belayi_transaction *t, const belay_error *error)
{
    if (belayi_transaction_has_error(t)) {
        belayi_scope_note_undoing(t, error);
    } else {
        t->incomplete |= error->outcome == BELAY_WORK_PARTLY;
        belayi_scope_record(t, error);
        t->pending.outcome = BELAY_WORK_OPEN;
    }
    belay_transaction_status status = t->conn->driver->status(t->conn);
    if (status == BELAY_TRANSACTION_NONE || status == BELAY_TRANSACTION_LOST)
        belayi_scope_engine_ended(t);
    else
        doom(t);
    return t->pending.code;
}

belay_code belayi_scope_refuse_inner(belayi_transaction *t, const belay_error *error)
{
    belayi_scope_drain(t);
    if (belayi_transaction_has_error(t) || t->phantoms > 0)
        return belayi_scope_refuse(t);
    belayi_scope_record(t, error);
    belayi_frame_step(belayi_transaction_top(t), BELAYI_EVENT_INNER_ERROR);
    return t->pending.code;
}

void belayi_scope_take_error(belayi_transaction *t, belay_error *caught)
{
    *caught = t->pending;
    bool of_its_own = caught->outcome == BELAY_WORK_UNKNOWN || caught->outcome == BELAY_WORK_PARTLY;
    if (!of_its_own)                              /* not of a transaction of its own, inside this one */
        caught->outcome = BELAY_WORK_ROLLED_BACK; /* of the scope that it came out of */
    belayi_transaction_clear(t);
}

bool belayi_scope_catch(belayi_transaction *t, belay_code which, belay_error *caught)
{
    if (belayi_transaction_state(t) != BELAYI_SCOPE_HURT || !belay_code_covers(which, t->pending.code))
        return false;
    belayi_scope_take_error(t, caught);
    belayi_frame_step(belayi_transaction_top(t), BELAYI_EVENT_CATCH);
    return true;
}

belay_code belayi_scope_undo(belayi_transaction *t)
{
    belayi_scope_drain(t);
    if (t->phantoms > 0)
        return t->pending.code;
    belayi_frame *top = belayi_transaction_top(t);
    top->undone = true;
    /* Going back to a mark from before must not bring the scope back to life. */
    belayi_mark_kill(t);
    belayi_frame_step(top, BELAYI_EVENT_UNDO);
    return t->pending.code;
}

/* ---- Before and after statements ------------------------------------------------------------------- */

BELAYI_COLD static belay_code raise_late(belayi_transaction *t, const char *which)
{
    belay_error error;
    belayi_report(&error, BELAY_TIMEOUT, "the %s time limit of the scope has passed", which);
    return belayi_scope_raise(t, &error);
}

/* Who idles past the limit holds locks: the transaction is ended at once, unless it is somebody else's to end. */
BELAYI_COLD static belay_code end_idle(belayi_transaction *t)
{
    belay_error error;
    raise_late(t, "idle");
    if (t->foreign) {
        doom(t);
        return t->pending.code;
    }
    if (belayi_wire_rollback(t, &error) != BELAY_OK)
        belayi_scope_note_undoing(t, &error);
    belayi_scope_engine_ended(t);
    return t->pending.code;
}

static bool idled_too_long(const belayi_transaction *t, const belayi_frame *top)
{
    return top->idle_ns > 0 && t->phase == BELAYI_PHASE_OPEN && t->last_call_ns > 0 &&
           belayi_clock_now() - t->last_call_ns > top->idle_ns;
}

/* The program has the engine's own handle, and could end the transaction with it: then nothing may run as if it were
   open. */
BELAYI_COLD bool belayi_scope_ended_behind(belayi_transaction *t)
{
    belay_error error;
    if (t->phase != BELAYI_PHASE_OPEN)
        return false;
    belay_transaction_status status = t->conn->driver->status(t->conn);
    if (status == BELAY_TRANSACTION_OPEN || status == BELAY_TRANSACTION_FAILED)
        return false;
    belayi_report(&error, BELAY_MISUSE, "the transaction was ended on the engine's own handle, behind this scope");
    BELAYI_REPORT_FIELD(error.hint, "what that handle committed is there, whatever becomes of the scope");
    belayi_scope_record(t, &error);
    belayi_scope_engine_ended(t);
    return true;
}

belay_code belayi_scope_check(belayi_transaction *t)
{
    const belayi_frame *top = belayi_transaction_top(t);
    if (t->eager > 0 && belayi_scope_ended_behind(t))
        return t->pending.code;
    if (idled_too_long(t, top))
        return end_idle(t);
    return belayi_clock_passed(top->limits.deadline_ns) ? raise_late(t, "total") : BELAY_OK;
}

BELAYI_COLD static belay_code lend_connection(belayi_transaction *t, const belayi_frame *top)
{
    belay_error error;
    if (belayi_wire_lend(t, &top->limits, &error) == BELAY_OK) {
        if (t->foreign) /* it is lent inside of one */
            t->phase = BELAYI_PHASE_OPEN;
        return BELAY_OK;
    }
    t->conn = NULL;
    belayi_scope_record(t, &error);
    belayi_scope_engine_ended(t);
    return t->pending.code;
}

belay_code belayi_scope_enter_slowly(belayi_transaction *t)
{
    belayi_frame *top = belayi_transaction_top(t);
    if (t->phantoms > 0 || top->state != BELAYI_SCOPE_WORKING)
        return belayi_scope_refuse(t);
    belay_code late = belayi_scope_check(t);
    if (late != BELAY_OK)
        return late;
    if (!t->conn && lend_connection(t, top) != BELAY_OK)
        return t->pending.code;
    t->conn->limits = top->limits;
    return BELAY_OK;
}

belay_code belayi_scope_send_begin(belayi_transaction *t)
{
    belay_error *error = &t->scratch;
    if (belayi_wire_begin(t, error) == BELAY_OK) {
        t->phase = BELAYI_PHASE_OPEN;
        t->took_lock = !t->begin.read_only && (t->conn->driver->capabilities & BELAY_HAS_ONE_WRITER);
        return BELAY_OK;
    }
    belayi_scope_record(t, error);
    belayi_scope_engine_ended(t);
    return t->pending.code;
}

belay_code belayi_scope_settle(belayi_transaction *t)
{
    belay_code code = belayi_scope_enter_slowly(t);
    if (code == BELAY_OK)
        code = belayi_scope_begin(t);
    return code == BELAY_OK ? belayi_scope_mark(t, false) : code;
}

belay_code belayi_scope_be_eager(belayi_transaction *t)
{
    belay_code code = belayi_scope_drain(t);
    if (code == BELAY_OK)
        code = belayi_scope_settle(t);
    t->lent = true;
    if (code == BELAY_OK && t->eager == 0)
        t->eager = t->depth;
    return code;
}

void belayi_scope_note_call(belayi_transaction *t)
{
    t->last_call_ns = belayi_clock_now();
}

belay_code belayi_scope_send_savepoint(belayi_transaction *t, unsigned depth)
{
    belay_error *error = &t->scratch;
    if (belayi_savepoint_pay(t, depth, error) != BELAY_OK)
        return belayi_scope_fail(t, error);
    t->untouched = false;
    return BELAY_OK;
}
