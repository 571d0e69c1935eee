/*
 * scope.c - scopes as the caller writes them: blocks, callbacks, calls.
 *
 * The three forms open and end the same scopes; they differ in who may end
 * them, and in what is done with a beginning that is refused.
 * Tests: tests/conformance, tests/model.
 */
#include <belay/scope.h>

#include "cold.h"
#include "once.h"
#include "options.h"
#include "report.h"
#include "retry.h"
#include "session.h"

/* ---- Opening ---------------------------------------------------------------------------------------------------- */

static bool is_plain_nested(const belay_session *s, const belay_scope_options *options)
{
    return !options && s->transaction.depth > 0;
}

/* A beginning that is refused: the error of an inner scope that has ended, or the status. */
BELAYI_COLD static belay_code refuse_beginning(belay_session *s, const belay_place *place, belay_error *error)
{
    if (s->transaction.depth == 0)
        return belayi_session_raise(s, *place, error);
    belayi_report_place(error, *place);
    return belayi_scope_refuse_inner(&s->transaction, error);
}

/* There is no memory for a transaction of its own. belay_begin opens a scope all the same, which holds the error. */
BELAYI_COLD static belay_code open_without_memory(belay_session *s, belayi_form form, const belay_place *place)
{
    belay_error error;
    belayi_report(&error, BELAY_NO_MEMORY, "no memory for a transaction of its own");
    if (form != BELAYI_FORM_CALL)
        return refuse_beginning(s, place, &error);
    belayi_scope_open(&s->transaction, NULL, form, place);
    return belayi_session_raise(s, *place, &error);
}

/* Opens a scope whose options were found good. */
static belay_code open_resolved(belay_session *s, const belayi_scope_spec *spec, const belay_scope_options *options,
                                belayi_form form, const belay_place *place)
{
    if (spec && spec->requires_new && !belayi_session_suspend(s))
        return open_without_memory(s, form, place);
    if (s->transaction.depth == 0) {
        belayi_session_begin_unit(s);
        belayi_retry_remember(s, spec, options, form, *place);
        spec = &s->unit.spec;
    }
    return belayi_scope_open(&s->transaction, spec, form, place);
}

static bool is_working(const belay_session *s)
{
    const belayi_transaction *t = &s->transaction;
    return t->depth == 0 || (belayi_transaction_state(t) == BELAYI_SCOPE_WORKING && !s->stream);
}

/* Whether a scope may begin at all where it stands: nothing is pending, and the scope around was not called off. */
BELAYI_COLD static belay_code check_standing(belay_session *s, const belay_place *place)
{
    belay_code code = s->transaction.depth > 0 ? belayi_scope_refuse(&s->transaction) : BELAY_OK;
    if (code != BELAY_OK || !s->stream)
        return code;
    belay_error error;
    belayi_report(&error, BELAY_MISUSE, "a scope can't begin while a stream is open on its session");
    return refuse_beginning(s, place, &error);
}

BELAYI_COLD static belay_code open_with_options(belay_session *s, const belay_scope_options *options, belayi_form form,
                                                const belay_place *place)
{
    belay_error error;
    belayi_scope_spec spec;
    if (belayi_options_resolve(s, options, form, &spec, &error) != BELAY_OK)
        return refuse_beginning(s, place, &error);
    return open_resolved(s, &spec, options, form, place);
}

/* A scope that was opened turns out not to begin: there was no memory for it, or what it must send before its body
   failed, or its unit was done before. It ends without its body. */
BELAYI_COLD static void end_without_body(belay_session *s, bool done_before)
{
    belayi_session_end_scope(s, done_before ? BELAYI_END_DROP : BELAYI_END_COMMIT);
    if (done_before)
        s->status.outcome = BELAY_WORK_COMMITTED;
}

/* What is to be done in a scope, opened above `depth` others, before its body. BELAY_OK: the body is to run. */
static belay_code begin_body(belay_session *s, unsigned depth, belay_code code)
{
    for (;;) {
        if (code == BELAY_OK && depth == 0 && s->unit.once)
            code = belayi_once_claim(s);
        if (code == BELAY_OK || belayi_session_depth(s) == depth)
            return code;
        end_without_body(s, code == BELAY_ROLLED_BACK);
        if (depth > 0 || code == BELAY_ROLLED_BACK || !belayi_retry_again(s))
            return code;
        code = s->transaction.pending.code;
    }
}

/* The outermost scope has ended. True when it is open again, as its body is to run again. */
BELAYI_COLD static bool run_again(belay_session *s)
{
    return belayi_retry_again(s) && begin_body(s, 0, s->transaction.pending.code) == BELAY_OK;
}

/* For blocks and callbacks. BELAY_OK: it is open, and its body is to run. */
static belay_code open_scope(belay_session *s, const belay_scope_options *options, belayi_form form,
                             const belay_place *place)
{
    if (options)
        belayi_scope_drain(&s->transaction);
    belay_code code = is_working(s) ? BELAY_OK : check_standing(s, place);
    if (code != BELAY_OK)
        return code;
    unsigned depth = belayi_session_depth(s);
    code = is_plain_nested(s, options) ? belayi_scope_open(&s->transaction, NULL, form, place)
                                       : open_with_options(s, options, form, place);
    return begin_body(s, depth, code);
}

/* ---- Ending ----------------------------------------------------------------------------------------------------- */

static bool is_innermost(const belay_session *s, uint64_t serial)
{
    const belayi_transaction *t = &s->transaction;
    return t->depth > 0 && t->phantoms == 0 && t->frames[t->depth - 1].serial == serial;
}

static bool is_open(const belay_session *s, uint64_t serial)
{
    const belayi_transaction *t = &s->transaction;
    const belayi_suspended *outer = s->suspended;
    for (; t; t = outer ? &outer->transaction : NULL, outer = outer ? outer->outer : NULL)
        for (unsigned i = t->depth; i > 0; i--)
            if (t->frames[i - 1].serial == serial)
                return true;
    return false;
}

/* Scopes that the program opened inside and did not end: they go first, and are misuse unless it is all abandoned. */
BELAYI_COLD void belayi_session_end_inside(belay_session *s, uint64_t serial, belayi_end reason)
{
    while (!is_innermost(s, serial)) {
        if (reason == BELAYI_END_COMMIT)
            belayi_session_misuse(s, belayi_transaction_top(&s->transaction)->place,
                                  "a scope was opened here and not ended before the block around it");
        belayi_session_end_scope(s, reason);
    }
}

belay_code belayi_session_end_to(belay_session *s, uint64_t serial, belayi_end reason)
{
    if (!is_innermost(s, serial)) {
        if (!is_open(s, serial))
            return BELAY_OK;
        belayi_session_end_inside(s, serial, reason);
    }
    return belayi_session_end_scope(s, reason);
}

/* ---- Blocks ----------------------------------------------------------------------------------------------------- */

const belay_scope_options *belayi_read_options(void)
{
    static const belay_scope_options options = {.size = sizeof options, .read_only = true};
    return &options;
}

belayi_block belayi_block_open(belay_session *s, const belay_scope_options *options, const char *file, int line,
                               const char *function)
{
    belay_place place = {.file = file, .function = function, .line = line};
    belayi_block block = {.session = s, .serial = 0, .stage = BELAYI_STAGE_OVER};
    if (!belayi_session_enter_to_queue(s))
        return block;
    belayi_transaction *t = &s->transaction;
    bool open = !options && !s->stream && belayi_scope_takes_another(t);
    if (open)
        belayi_scope_push(t, BELAYI_FORM_BLOCK, &place);
    else
        open = open_scope(s, options, BELAYI_FORM_BLOCK, &place) == BELAY_OK;
    if (open) {
        block.serial = belayi_transaction_top(t)->serial;
        block.stage = BELAYI_STAGE_OPEN;
    }
    belayi_session_leave(s);
    return block;
}

/* The outermost scope has ended with its block. True when it is open again, as the block is to run again. */
BELAYI_COLD static bool run_block_again(belayi_block *block)
{
    if (!run_again(block->session))
        return false;
    block->serial = belayi_transaction_top(&block->session->transaction)->serial;
    block->stage = BELAYI_STAGE_RUNNING;
    return true;
}

/* Ends the block's scope, and what is open inside. True when it is open again, as the block is to run again. */
static bool end_block(belayi_block *block)
{
    belay_session *s = block->session;
    bool was_outside = s->transaction.depth == 0; /* the program has ended it already */
    belayi_session_end_to(s, block->serial, BELAYI_END_COMMIT);
    return s->transaction.depth == 0 && !was_outside && run_block_again(block);
}

/* The block was left by falling off its end. True when it is to run again. */
bool belayi_block_finish(belayi_block *block)
{
    belay_session *s = block->session;
    bool again = false;
    block->stage = BELAYI_STAGE_OVER;
    if (!belayi_session_enter_to_end(s))
        return false;
    if (is_innermost(s, block->serial) && belayi_scope_is_untouched(&s->transaction) && !s->stream)
        belayi_scope_pop(&s->transaction, BELAY_OK);
    else
        again = end_block(block);
    belayi_session_leave(s);
    return again;
}

/* The block was left in another way. */
void belayi_block_abandon(belayi_block *block)
{
    block->stage = BELAYI_STAGE_OVER;
    if (!belayi_session_enter_to_end(block->session))
        return;
    belayi_session_end_to(block->session, block->serial, BELAYI_END_ABANDON);
    belayi_session_leave(block->session);
}

/* ---- Callbacks -------------------------------------------------------------------------------------------------- */

bool belayi_session_take_result(belay_session *s, uint64_t serial, int result, belay_place place)
{
    belay_error error;
    if (!is_open(s, serial))
        return false;
    belayi_session_end_inside(s, serial, BELAYI_END_COMMIT);
    if (result != 0) {
        belayi_report(&error, BELAY_APPLICATION, "the unit returned %d", result);
        belayi_session_raise(s, place, &error);
    }
    return true;
}

/* The callback has returned, and the guard is held again: its scope is ended. */
static belay_code finish_unit(belay_session *s, uint64_t serial, int result, belay_place place)
{
    if (!belayi_session_take_result(s, serial, result, place))
        return belayi_session_code(s);
    belay_code code = belayi_session_end_scope(s, BELAYI_END_COMMIT);
    return s->transaction.depth == 0 ? s->status.code : code;
}

/* A callback that is under way, and may leave by a C++ exception or pthread_exit. */
typedef struct running_unit {
    belay_session *session;
    uint64_t serial;
    bool returned;
} running_unit;

static void leave_unit(running_unit *running)
{
    running->session->inside--;
    if (running->returned || !belayi_session_enter_to_end(running->session))
        return;
    belayi_session_end_to(running->session, running->serial, BELAYI_END_ABANDON);
    belayi_session_leave(running->session);
}

static int call_unit(belay_session *s, belay_unit unit, void *arg)
{
    running_unit running BELAYI_CLEANUP(leave_unit) = {s, belayi_transaction_top(&s->transaction)->serial, false};
    s->inside++;
    belayi_session_leave(s);
    int result = unit(s, arg);
    running.returned = true;
    return result;
}

/* Runs the callback, again where that is asked for. The guard is held before and after, but not while it runs; false
   when it could not be taken again, as this is a child after fork now. */
static bool run_units(belay_session *s, belay_unit unit, void *arg, belay_place place, belay_code *out_code)
{
    do {
        uint64_t serial = belayi_transaction_top(&s->transaction)->serial;
        int result = call_unit(s, unit, arg);
        if (!belayi_session_enter_to_end(s))
            return false;
        *out_code = finish_unit(s, serial, result, place);
    } while (s->transaction.depth == 0 && run_again(s));
    if (s->transaction.depth == 0)
        *out_code = s->status.code; /* also of an attempt that could not begin */
    return true;
}

belay_code belay_atomic_at(belay_session *s, belay_place place, const belay_scope_options *options, belay_unit unit,
                           void *arg)
{
    if (!belayi_session_enter_to_queue(s))
        return BELAY_MISUSE;
    if (!unit) {
        belay_code refused = belayi_session_misuse(s, place, "belay_atomic was called without a unit");
        belayi_session_leave(s);
        return refused;
    }
    belay_code code = open_scope(s, options, BELAYI_FORM_CALLBACK, &place);
    if (code == BELAY_OK && !run_units(s, unit, arg, place, &code))
        return BELAY_MISUSE;
    if (code == BELAY_ROLLED_BACK && s->already_done && s->transaction.depth == 0)
        code = BELAY_OK;
    if (s->transaction.depth == 0)
        s->status_unread = false;
    belayi_session_leave(s);
    return code;
}

/* ---- Calls
 * ---------------------------------------------------------------------------------------------------------------------
 */

belay_code belay_begin_at(belay_session *s, belay_place place, const belay_scope_options *options)
{
    if (!belayi_session_enter_to_queue(s))
        return BELAY_MISUSE;
    if (options)
        belayi_scope_drain(&s->transaction);
    belay_error error;
    belayi_scope_spec spec = {0};
    belay_code refused = BELAY_OK;
    if (!is_plain_nested(s, options))
        refused = belayi_options_resolve(s, options, BELAYI_FORM_CALL, &spec, &error);
    spec.requires_new &= is_working(s); /* the scope holds the error that is pending: no transaction begins */
    bool plain = s->transaction.depth > 0 && (!options || refused != BELAY_OK);
    belay_code code = open_resolved(s, plain ? NULL : &spec, NULL, BELAYI_FORM_CALL, &place);
    if (refused != BELAY_OK)
        code = belayi_session_raise(s, place, &error);
    else if (s->stream)
        code = belayi_session_misuse(s, place, "a scope can't begin while a stream is open on its session");
    belayi_session_leave(s);
    return code;
}

/* Whether the innermost scope is one that a call may end. */
static belay_code check_call(belay_session *s, belay_place place, const char *call)
{
    belayi_transaction *t = &s->transaction;
    if (t->depth == 0)
        return belayi_session_misuse(s, place, "%s: there is no scope to end", call);
    if (belayi_session_depth(s) <= s->hook_floor)
        return belayi_session_misuse(s, place, "%s: a hook can't end the scope that it belongs to", call);
    if (t->phantoms > 0 || belayi_transaction_top(t)->form == BELAYI_FORM_CALL)
        return BELAY_OK;
    return belayi_session_misuse(s, place, "%s: this scope is a block's or a callback's, which ends it", call);
}

static belay_code end_call(belay_session *s, belay_place place, belayi_end reason, const char *call)
{
    if (!belayi_session_enter_to_queue(s))
        return BELAY_MISUSE;
    belay_code code = check_call(s, place, call);
    if (code == BELAY_OK) {
        code = belayi_session_end_scope(s, reason);
        if (s->transaction.depth == 0)
            s->status_unread = false;
    }
    belayi_session_leave(s);
    return code;
}

belay_code belay_commit_at(belay_session *s, belay_place place)
{
    return end_call(s, place, BELAYI_END_COMMIT, "belay_commit");
}

belay_code belay_rollback_at(belay_session *s, belay_place place)
{
    belay_code code = end_call(s, place, BELAYI_END_ROLLBACK, "belay_rollback");
    return code == BELAY_ROLLED_BACK ? BELAY_OK : code;
}

belay_code belay_undo_at(belay_session *s, belay_place place)
{
    if (!belayi_session_enter(s))
        return BELAY_MISUSE;
    belay_code code = s->transaction.depth == 0
                          ? belayi_session_misuse(s, place, "belay_undo: there is no scope to call off")
                          : belayi_scope_undo(&s->transaction);
    belayi_session_leave(s);
    return code;
}

/* ---- Where one stands ------------------------------------------------------------------------------------------- */

belay_level belay_isolation(belay_session *s)
{
    if (!belayi_session_enter(s))
        return BELAY_ISOLATION_DEFAULT;
    belay_level level = belayi_options_level(s);
    belayi_session_leave(s);
    return level;
}

int belay_depth(const belay_session *s)
{
    return s ? (int)belayi_session_depth(s) : 0;
}

bool belay_in_transaction(const belay_session *s)
{
    return belay_depth(s) > 0;
}

bool belay_already_done(const belay_session *s)
{
    return s && s->already_done;
}

int belay_attempt(const belay_session *s)
{
    return belay_in_transaction(s) ? s->unit.attempt : 0;
}
