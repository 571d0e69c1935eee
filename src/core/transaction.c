/*
 * transaction.c - opening and ending scopes, and the way of an error.
 *
 * The states are told in state.h, what is kept in the room's README. All that
 * changes a scope's state does so through step(), and all that ends one through
 * belayi_scope_end().
 * Tests: tests/unit/core.
 */
#include "transaction.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "cold.h"
#include "report.h"
#include "savepoint.h"

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
    belayi_hooks_done(&t->hooks);
    if (t->frames != t->first_frames)
        free(t->frames);
    free(t->marks);
    free(t->holders);
}

void belayi_transaction_clear(belayi_transaction *t)
{
    t->pending.code = BELAY_OK;
    t->pending.outcome = BELAY_WORK_OPEN;
}

/* ---- States --------------------------------------------------------------------------------------------------------
 */

static void step(belayi_frame *frame, belayi_scope_event event)
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
        step(&t->frames[i], BELAYI_EVENT_FATAL);
}

/* The engine's transaction is over, or was never to be had. */
static void engine_ended(belayi_transaction *t)
{
    t->phase = BELAYI_PHASE_ENDED;
    belayi_savepoint_lose_all(t);
    doom(t);
}

/* ---- Errors ---------------------------------------------------------------------------------------------------------
 */

/* Makes the error the pending one, and fills in where it arose. */
static void record(belayi_transaction *t, const belay_error *error)
{
    const belayi_frame *top = belayi_transaction_top(t);
    if (error != &t->pending)
        t->pending = *error;
    t->pending.attempt = t->attempt;
    if (t->pending.outcome != BELAY_WORK_UNKNOWN)
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
        step(belayi_transaction_top(t), BELAYI_EVENT_REFUSE);
    return state == BELAYI_SCOPE_UNDONE ? BELAY_ROLLED_BACK : t->pending.code;
}

belay_code belayi_scope_raise(belayi_transaction *t, const belay_error *error)
{
    if (belayi_transaction_has_error(t))
        return belayi_scope_refuse(t);
    record(t, error);
    if (belayi_code_ends_transaction(t->pending.code))
        doom(t);
    else
        step(belayi_transaction_top(t), BELAYI_EVENT_ERROR);
    return t->pending.code;
}

belay_code belayi_scope_fail(belayi_transaction *t, const belay_error *error)
{
    belay_transaction_status status = t->conn ? t->conn->driver->status(t->conn) : BELAY_TRANSACTION_NONE;
    bool over = status == BELAY_TRANSACTION_NONE || status == BELAY_TRANSACTION_LOST;
    if (!belayi_transaction_has_error(t))
        belayi_scope_raise(t, error);
    /* Under autocommit, and before BEGIN, there is no transaction that could have ended. */
    if (status == BELAY_TRANSACTION_LOST || (over && t->phase == BELAYI_PHASE_OPEN))
        engine_ended(t);
    return t->pending.code;
}

/* A commit has left, and nobody can say what became of it. */
static void tell_doubt(belay_error *error)
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
    tell_doubt(error);
}

belay_code belayi_scope_lose(belayi_transaction *t, const belay_error *error)
{
    if (!belayi_transaction_has_error(t))
        record(t, error);
    belay_transaction_status status = t->conn->driver->status(t->conn);
    if (status == BELAY_TRANSACTION_NONE || status == BELAY_TRANSACTION_LOST)
        engine_ended(t);
    else
        doom(t);
    return t->pending.code;
}

belay_code belayi_scope_refuse_inner(belayi_transaction *t, const belay_error *error)
{
    if (belayi_transaction_has_error(t) || t->phantoms > 0)
        return belayi_scope_refuse(t);
    record(t, error);
    step(belayi_transaction_top(t), BELAYI_EVENT_INNER_ERROR);
    return t->pending.code;
}

bool belayi_scope_catch(belayi_transaction *t, belay_code which, belay_error *caught)
{
    if (belayi_transaction_state(t) != BELAYI_SCOPE_HURT || !belay_code_covers(which, t->pending.code))
        return false;
    *caught = t->pending;
    if (caught->outcome != BELAY_WORK_UNKNOWN)    /* of a transaction of its own, inside this one */
        caught->outcome = BELAY_WORK_ROLLED_BACK; /* of the scope that it came out of */
    belayi_transaction_clear(t);
    step(belayi_transaction_top(t), BELAYI_EVENT_CATCH);
    return true;
}

belay_code belayi_scope_undo(belayi_transaction *t)
{
    if (t->phantoms > 0)
        return t->pending.code;
    belayi_frame *top = belayi_transaction_top(t);
    top->undone = true;
    /* Going back to a mark from before must not bring the scope back to life. */
    belayi_mark_kill(t);
    step(top, BELAYI_EVENT_UNDO);
    return t->pending.code;
}

/* ---- Opening
 * --------------------------------------------------------------------------------------------------------- */

BELAYI_COLD static bool grow_frames(belayi_transaction *t)
{
    bool first = t->frames == t->first_frames;
    belayi_frame *grown = realloc(first ? NULL : t->frames, 2 * (size_t)t->room * sizeof *grown);
    if (!grown)
        return false;
    if (first)
        memcpy(grown, t->first_frames, sizeof t->first_frames);
    t->frames = grown;
    t->room *= 2;
    return true;
}

/* A scope for which there is no memory: it holds the error and nothing else. */
BELAYI_COLD static belay_code open_phantom(belayi_transaction *t)
{
    if (!belayi_transaction_has_error(t)) {
        belay_error error;
        belayi_report(&error, BELAY_NO_MEMORY, "no memory for a nested scope");
        record(t, &error);
        step(belayi_transaction_top(t), BELAYI_EVENT_INNER_ERROR);
    } else if (t->phantoms == 0) {
        belayi_scope_refuse(t);
    }
    t->phantoms++;
    return t->pending.code;
}

BELAYI_COLD static void open_outermost(belayi_transaction *t, const belayi_scope_spec *spec, belayi_form form,
                                       const belay_place *place)
{
    assert(spec); /* only a nested scope can do without */
    t->frames[0] = (belayi_frame){
        .state = BELAYI_SCOPE_WORKING,
        .form = form,
        .read_only = spec->read_only,
        .serial = ++t->serials,
        .limits = {.deadline_ns = spec->deadline_ns, .lock_wait_ns = spec->lock_wait_ns},
        .idle_ns = spec->idle_ns,
        .place = *place,
        .name = spec->name,
    };
    t->depth = 1;
    t->phase = BELAYI_PHASE_OWED;
    t->autocommit = spec->autocommit;
    t->begin = (belay_begin_options){
        .isolation = spec->isolation, .read_only = spec->read_only, .deferrable = spec->deferrable};
    t->owed_frames = t->owed_marks = 0;
    t->hooks.failed = 0;
}

/* What a nested scope has of its own. Its limits never outlast those of the scope around it. */
static void apply_spec(belayi_frame *frame, const belayi_scope_spec *spec)
{
    frame->name = spec->name;
    frame->read_only |= spec->read_only;
    frame->joined = spec->joined;
    frame->limits.deadline_ns = belayi_clock_earlier(frame->limits.deadline_ns, spec->deadline_ns);
    frame->limits.lock_wait_ns = spec->lock_wait_ns;
    frame->idle_ns = spec->idle_ns;
}

belay_code belayi_scope_open(belayi_transaction *t, const belayi_scope_spec *spec, belayi_form form,
                             const belay_place *place)
{
    if (t->phantoms > 0 || (t->depth == t->room && !grow_frames(t)))
        return open_phantom(t);
    if (t->depth == 0) {
        open_outermost(t, spec, form, place);
        return BELAY_OK;
    }
    /* The scope around decides how it begins: with the pending error, called off, or working. */
    belayi_scope_refuse(t);
    belayi_scope_push(t, form, place);
    belayi_frame *frame = belayi_transaction_top(t);
    if (spec)
        apply_spec(frame, spec);
    return frame->state == BELAYI_SCOPE_UNDONE ? BELAY_ROLLED_BACK : t->pending.code;
}

/* ---- Before and after statements ------------------------------------------------------------------- */

BELAYI_COLD static belay_code raise_late(belayi_transaction *t, const char *which)
{
    belay_error error;
    belayi_report(&error, BELAY_TIMEOUT, "the %s time limit of the scope has passed", which);
    return belayi_scope_raise(t, &error);
}

/* Who idles past the limit holds locks: the transaction is ended at once. */
BELAYI_COLD static belay_code end_idle(belayi_transaction *t)
{
    belay_error error;
    t->conn->driver->rollback(t->conn, &error);
    raise_late(t, "idle");
    engine_ended(t);
    return t->pending.code;
}

static bool idled_too_long(const belayi_transaction *t, const belayi_frame *top)
{
    return top->idle_ns > 0 && t->phase == BELAYI_PHASE_OPEN && t->last_call_ns > 0 &&
           belayi_clock_now() - t->last_call_ns > top->idle_ns;
}

/* Raises what has passed of the innermost scope's own limits. */
static belay_code check_limits(belayi_transaction *t)
{
    const belayi_frame *top = belayi_transaction_top(t);
    if (idled_too_long(t, top))
        return end_idle(t);
    return belayi_clock_passed(top->limits.deadline_ns) ? raise_late(t, "total") : BELAY_OK;
}

BELAYI_COLD static belay_code lend_connection(belayi_transaction *t, const belayi_frame *top)
{
    belay_error error;
    if (t->host->lend(t->host_arg, &top->limits, &t->conn, &error) == BELAY_OK)
        return BELAY_OK;
    t->conn = NULL;
    record(t, &error);
    engine_ended(t);
    return t->pending.code;
}

belay_code belayi_scope_enter_slowly(belayi_transaction *t)
{
    belayi_frame *top = belayi_transaction_top(t);
    if (t->phantoms > 0 || top->state != BELAYI_SCOPE_WORKING)
        return belayi_scope_refuse(t);
    belay_code late = check_limits(t);
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
    if (t->conn->driver->begin(t->conn, &t->begin, error) == BELAY_OK) {
        t->phase = BELAYI_PHASE_OPEN;
        return BELAY_OK;
    }
    record(t, error);
    engine_ended(t);
    return t->pending.code;
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

/* ---- Ending
 * -------------------------------------------------------------------------------------------------------------- */

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
        t->holders[frame->savepoint - 1]++;
    belayi_scope_fail(t, error);
    return false;
}

/* Undoes a nested scope's work. */
static void undo_nested(belayi_transaction *t, const belayi_frame *frame)
{
    belay_error *error = &t->scratch;
    belay_code code = BELAY_OK;
    belayi_mark_forget(t, frame->marks);
    if (t->closing) { /* one ROLLBACK will undo it with all the rest */
        belayi_savepoint_let_go(t, frame->savepoint);
        return;
    }
    if (t->phase == BELAYI_PHASE_OPEN)
        code = belayi_savepoint_go_back(t, frame->savepoint, error);
    belayi_savepoint_let_go(t, frame->savepoint);
    if (code == BELAY_OK && t->phase == BELAYI_PHASE_OPEN)
        code = belayi_savepoint_trim(t, error);
    if (code != BELAY_OK)
        belayi_scope_lose(t, error);
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
        record(t, &error);
    }
    step(outer, ended->joined ? BELAYI_EVENT_ERROR : BELAYI_EVENT_INNER_ERROR);
    return t->pending.code;
}

static belay_code end_nested(belayi_transaction *t, belayi_end reason)
{
    belayi_frame *frame = belayi_transaction_top(t);
    if (keeps(t, reason) && release_nested(t, frame)) {
        belayi_scope_pop(t);
        return BELAY_OK;
    }
    belayi_frame ended = *frame;
    if (ended.joined) {
        belayi_mark_forget(t, ended.marks);
    } else {
        undo_nested(t, frame);
        belayi_hooks_roll_back(t, ended.hooks, true);
    }
    belayi_scope_pop(t);
    return tell_outside(t, &ended, reason);
}

/* -- outermost -- */

static void run_before_commit(belayi_transaction *t)
{
    t->hooks.next = 0;
    while (t->hooks.next < t->hooks.count && belayi_transaction_state(t) == BELAYI_SCOPE_WORKING) {
        belayi_hook_entry entry = t->hooks.entries[t->hooks.next++];
        if (entry.kind != BELAYI_HOOK_BEFORE_COMMIT || t->host->run_hook(t->host_arg, entry.hook, entry.arg, false))
            continue;
        belay_error error;
        belayi_report(&error, BELAY_APPLICATION, "a hook before the commit refused it");
        belayi_scope_raise(t, &error);
    }
}

/* Commits at the engine. False when that failed; then the error is pending and the phase is what the engine says. */
static bool send_commit(belayi_transaction *t)
{
    belay_error error;
    t->conn->limits = belayi_transaction_top(t)->limits;
    if (t->conn->driver->commit(t->conn, &error) == BELAY_OK)
        return true;
    if (error.outcome == BELAY_WORK_UNKNOWN)
        tell_doubt(&error);
    belayi_scope_fail(t, &error);
    return false;
}

/* Rolls back at the engine. A connection that can't even do that is not sound any more. */
static bool send_rollback(belayi_transaction *t)
{
    belay_error error;
    return t->conn->driver->rollback(t->conn, &error) == BELAY_OK;
}

static void give_back(belayi_transaction *t, bool sound)
{
    if (!t->conn)
        return;
    belay_conn *conn = t->conn;
    t->conn = NULL;
    t->host->take_back(t->host_arg, conn, sound && conn->driver->status(conn) == BELAY_TRANSACTION_NONE);
}

/* Commits or rolls back; true when the work is kept. */
static bool finish_at_engine(belayi_transaction *t, belayi_end reason, bool *out_sound)
{
    bool kept = keeps(t, reason);
    if (kept && t->phase == BELAYI_PHASE_OPEN)
        kept = send_commit(t);
    if (!kept && t->phase == BELAYI_PHASE_OPEN)
        *out_sound = send_rollback(t);
    return kept;
}

static void conclude(belayi_transaction *t, const belayi_frame *frame, belayi_end reason, bool kept)
{
    if (kept) {
        t->pending.outcome = BELAY_WORK_COMMITTED;
        return;
    }
    if (t->pending.code == BELAY_OK && loses_work_in_silence(frame, reason)) {
        belay_error error;
        report_abandoned(&error, frame, false);
        record(t, &error);
    } else if (t->pending.code == BELAY_OK) {
        bool silent = reason == BELAYI_END_DROP || (reason == BELAYI_END_ABANDON && !frame->undone);
        if (!silent) {
            belayi_report(&t->pending, BELAY_ROLLED_BACK, "the scope was rolled back on purpose");
            record(t, &t->pending);
        }
    }
    if (t->pending.outcome != BELAY_WORK_UNKNOWN)
        t->pending.outcome = BELAY_WORK_ROLLED_BACK;
}

BELAYI_COLD static belay_code end_outermost(belayi_transaction *t, belayi_end reason)
{
    bool sound = true;
    if (t->hooks.count > 0 && keeps(t, reason))
        run_before_commit(t);
    if (keeps(t, reason) && t->phase == BELAYI_PHASE_OPEN)
        check_limits(t);
    bool kept = finish_at_engine(t, reason, &sound);
    belayi_frame *frame = belayi_transaction_top(t);
    belayi_savepoint_lose_all(t);
    belayi_mark_forget(t, 0);
    give_back(t, sound);
    conclude(t, frame, reason, kept);
    belayi_scope_pop(t);
    t->phase = BELAYI_PHASE_IDLE;
    t->last_call_ns = 0;
    return t->pending.code;
}

/* A phantom ends: the error is the real scope's, which has held it since. */
BELAYI_COLD static belay_code end_phantom(belayi_transaction *t)
{
    t->phantoms--;
    return t->pending.code;
}

belay_code belayi_scope_end(belayi_transaction *t, belayi_end reason)
{
    if (t->phantoms > 0)
        return end_phantom(t);
    return t->depth > 1 ? end_nested(t, reason) : end_outermost(t, reason);
}
