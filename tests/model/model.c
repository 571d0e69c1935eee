/*
 * model.c - scopes and errors of the reference model. Marks: model_marks.c; statements: model_effects.c; hooks:
 * model_hooks.c; transactions of their own: model_own.c.
 *
 * Every rule stands under the sentence of the page that it encodes. What the page does not say is decided here, and
 * nowhere else:
 *
 * CHOICE skipped block: a block or callback that does not run because an error is pending is a refused call.
 *
 * CHOICE fail: belay_fail while an error is pending is a refused call, as what it wanted must not be lost by
 *   catching the earlier error. So is misuse.
 *
 * CHOICE undone: in an undone scope blocks and callbacks are skipped; an explicit scope opens undone (misuse of its
 *   options is raised in it); marks and on-commit hooks are refused like statements. A pending error "still
 *   travels": neither belay_catch nor belay_rollback_to clears it any more.
 *
 * CHOICE joined: belay_rollback of a joined scope, and the end of an undone one, return BELAY_ABANDONED, which is
 *   pending then.
 *
 * CHOICE read: the code that belay_rollback returns counts as read, as that of belay_commit does.
 *
 * CHOICE abandoned: BELAY_ABANDONED of a nested block has come out of an inner scope, so that it can be caught.
 *
 * CHOICE read-only jump: a read-only scope that is jumped out of is rolled back, and its status is BELAY_OK.
 *
 * CHOICE left open: the misuse of explicit scopes left open arises in the innermost of them. When the block is
 *   jumped out of, they are too, and there is no misuse.
 *
 * CHOICE try outside: belay_try outside all scopes catches what INSERT OR ROLLBACK ended, as its transaction is
 *   over.
 *
 * CHOICE outside: misuse outside all scopes is a status like any other; it can be caught and overlooked.
 *
 * CHOICE back: belay_rollback_to undoes what its on-rollback hooks were registered for, so that they run. The other
 *   hooks registered since the mark are dropped.
 *
 * CHOICE at once: an on-commit hook that runs at once, with no scope open, is counted as a unit of its own.
 *
 * CHOICE unread in hooks: a failed scope of a hook's own that nobody read stays unread after it.
 *
 * CHOICE ends: a hook can't end the scope that it belongs to: belay_commit there is misuse.
 *
 * CHOICE attempt: a transaction of its own inside another is not run again; belay_attempt is 1 in it.
 */
#include "model.h"

#include <string.h>

#include "model_inner.h"

void model_init(model *m, model_rows committed, int connections)
{
    memset(m, 0, sizeof *m);
    m->now = m->committed = committed;
    m->connections = connections;
}

void model_look(model *m)
{
    m->looked = m->depth > 0;
}

model_frame *model_top(model *m)
{
    return &m->frames[m->depth > 0 ? m->depth - 1 : 0];
}

/* ---- Errors ------------------------------------------------------------------------------------- */

static bool is_failure(belay_code code)
{
    return code != BELAY_OK && code != BELAY_ROLLED_BACK;
}

/* "outside all scopes, how the last outermost scope ended" */
static void settle(model *m, belay_code code)
{
    if (m->status_unread && (m->unread == BELAY_OK || m->status_first))
        m->unread = m->status; /* can't be read any more */
    m->status = code;
    m->status_unread = is_failure(code);
    m->status_first = false;
}

void model_read(model *m)
{
    if (m->depth == 0)
        m->status_unread = m->status_first = false;
}

/* "The first failed outcome of an outermost scope that nobody has read" */
belay_code model_unread(const model *m)
{
    return m->status_unread && (m->unread == BELAY_OK || m->status_first) ? m->status : m->unread;
}

belay_code model_raise(model *m, belay_code code)
{
    /* "Misuse inside a scope is pending like any error; outside it becomes the status." */
    if (m->depth == 0) {
        settle(m, code);
        return code;
    }
    /* "The first error wins: a later one never takes its place." CHOICE fail. */
    model_frame *f = model_top(m);
    if (f->error == BELAY_OK)
        f->error = code;
    f->from_inner = false;
    return f->error;
}

belay_code model_refusal(model *m)
{
    model_frame *f = model_top(m);
    /* "While an error is pending, calls on the session return it and send nothing." "Once any call in a scope has
       been refused because of an error, that error is the scope's own and can't be caught there" */
    if (f->error != BELAY_OK) {
        f->from_inner = false;
        return f->error;
    }
    /* "Later statements in it are refused with BELAY_ROLLED_BACK and not sent." */
    return f->undone ? BELAY_ROLLED_BACK : BELAY_OK;
}

belay_code model_status(const model *m)
{
    if (m->depth == 0)
        return m->status;
    const model_frame *f = &m->frames[m->depth - 1];
    /* "In a scope: the code of the pending error, BELAY_ROLLED_BACK after belay_undo, or BELAY_OK." */
    return f->error != BELAY_OK ? f->error : f->undone ? BELAY_ROLLED_BACK : BELAY_OK;
}

bool model_usable(const model *m)
{
    return m->depth > 0 && model_status(m) == BELAY_OK;
}

/* "BELAY_INTEGRITY covers BELAY_UNIQUE, BELAY_FOREIGN_KEY, BELAY_CHECK, BELAY_NOT_NULL, BELAY_EXCLUSION"; "BELAY_OK
   and BELAY_ROLLED_BACK are no errors and are never covered" */
static bool covers(belay_code which, belay_code code)
{
    if (code == BELAY_OK || code == BELAY_ROLLED_BACK)
        return false;
    bool integrity = code == BELAY_UNIQUE || code == BELAY_FOREIGN_KEY || code == BELAY_CHECK ||
                     code == BELAY_NOT_NULL || code == BELAY_EXCLUSION;
    return which == code || which == BELAY_ANY || (which == BELAY_INTEGRITY && integrity);
}

bool model_catch(model *m, belay_code which)
{
    model_read(m);
    if (m->depth == 0) {
        /* "Outside all scopes it catches the error that the last outermost scope ended with." */
        if (!covers(which, m->status))
            return false;
        m->caught = m->status;
        m->status = BELAY_OK;
        return true;
    }
    /* "true when the pending error came out of an inner scope that has ended and `which` covers it"; "Never catches
       what has ended the whole transaction" CHOICE undone. */
    model_frame *f = model_top(m);
    if (!f->from_inner || f->undone || m->ended || !covers(which, f->error))
        return false;
    m->caught = f->error;
    f->error = BELAY_OK;
    f->from_inner = false;
    return true;
}

belay_code model_fail(model *m, belay_code code)
{
    /* "any code but BELAY_OK, BELAY_ROLLED_BACK and BELAY_ANY, which are misuse" */
    if (code == BELAY_OK || code == BELAY_ROLLED_BACK || code == BELAY_ANY)
        code = BELAY_MISUSE;
    /* "what has ended the whole transaction (deadlock, serialization failure, lost connection, the program's own
       belay_fail with such a code ...)" */
    if (m->depth > 0 && model_top(m)->error == BELAY_OK)
        if (code == BELAY_DEADLOCK || code == BELAY_SERIALIZATION || code == BELAY_CONNECTION)
            model_end_transaction(m);
    return model_raise(m, code);
}

belay_code model_require_no_transaction(model *m)
{
    /* "BELAY_OK when no scope is open; else raises BELAY_MISUSE" */
    return m->depth == 0 ? BELAY_OK : model_raise(m, BELAY_MISUSE);
}

void model_end_transaction(model *m)
{
    m->ended = true;
    m->now = m->committed;
}

/* ---- Beginning ---------------------------------------------------------------------------------- */

static bool is_misuse(const model *m, model_kind kind, const model_options *options)
{
    /* "BELAY_MANDATORY (misuse when there is no scope to be in), BELAY_OUTERMOST (misuse when nested)" */
    if (options->propagation == (m->depth > 0 ? BELAY_OUTERMOST : BELAY_MANDATORY))
        return true;
    if (options->propagation == BELAY_REQUIRES_NEW && m->depth > 0 && model_own_is_misuse(m))
        return true;
    /* "negative, or on belay_begin, it is misuse" */
    return options->retries < 0 || (kind == MODEL_EXPLICIT && options->retries != 0);
}

static void push(model *m, model_kind kind, const model_options *options)
{
    if (m->depth == 0) {
        m->attempt = 1;
        m->hook_errors = 0;
    }
    bool inside = m->depth > m->first;
    bool inside_read_only = inside && model_top(m)->read_only;
    m->frames[m->depth] = (model_frame){
        .kind = kind,
        .options = *options,
        .joined = inside && options->propagation == BELAY_REQUIRED, /* "joins the scope it is in: no savepoint" */
        .read_only = options->read_only || inside_read_only,
        .base = m->now,
        .first_mark = m->mark_count,
        .first_hook = m->hook_count,
    };
    m->looked = m->looked && inside;
    m->depth++;
}

/* "a transaction of its own, on a connection of its own, whatever is around it" */
static void begin_own(model *m, const model_options *options)
{
    if (options->propagation == BELAY_REQUIRES_NEW && m->depth > 0)
        model_own_begin(m);
}

bool model_enter(model *m, model_kind kind, const model_options *options, belay_code *code)
{
    /* "A block begun while an error is pending, or whose beginning is refused, does not run its body" CHOICE skipped
       block, CHOICE undone. */
    *code = m->depth > 0 ? model_refusal(m) : BELAY_OK;
    if (*code != BELAY_OK)
        return false;
    if (!is_misuse(m, kind, options)) {
        begin_own(m, options);
        push(m, kind, options);
        return true;
    }
    /* "its own refusal counts as the error of an inner scope that has ended, so it can be caught" */
    *code = model_raise(m, BELAY_MISUSE);
    if (m->depth > 0)
        model_top(m)->from_inner = true;
    return false;
}

belay_code model_begin(model *m, const model_options *options)
{
    bool misuse = is_misuse(m, MODEL_EXPLICIT, options);
    belay_code code = m->depth > 0 ? model_refusal(m) : BELAY_OK;
    /* "belay_begin always opens a scope, even when refused: the error is then pending in it" */
    if (code == BELAY_OK && !misuse)
        begin_own(m, options);
    push(m, MODEL_EXPLICIT, options);
    model_top(m)->undone = code == BELAY_ROLLED_BACK;
    if (code != BELAY_OK && code != BELAY_ROLLED_BACK)
        model_top(m)->error = code;
    else if (misuse)
        code = model_raise(m, BELAY_MISUSE); /* CHOICE undone */
    return code;
}

/* ---- Ending ------------------------------------------------------------------------------------- */

void model_arrive(model *m, belay_code code, bool from_inner)
{
    model_frame *f = model_top(m);
    if (f->error != BELAY_OK)
        return; /* it was there already: the inner scope's beginning was refused because of it */
    f->error = code;
    f->from_inner = from_inner;
}

/* "the error becomes pending in the scope outside it, as an exception would travel" */
static belay_code finish_nested(model *m)
{
    model_frame f = *model_top(m);
    belay_code code = model_status(m);
    if (code == BELAY_ROLLED_BACK && f.joined && !m->frames[m->depth - 2].undone)
        code = BELAY_ABANDONED;   /* "In a joined scope it raises BELAY_ABANDONED in the scope that was joined" */
    m->mark_count = f.first_mark; /* "Named marks inside the scope they are set in" */
    m->depth--;
    if (code == BELAY_OK && !f.dropped)
        return code;
    if (!f.joined) {
        /* "When the scope ends it is rolled back" */
        if (!m->ended)
            m->now = f.base;
        model_hooks_undone(m, f.first_hook);
    }
    if (code != BELAY_OK && code != BELAY_ROLLED_BACK)
        model_arrive(m, code,
                     !f.joined); /* joined: "its failure dooms the scope it joined and can't be caught there" */
    return code;
}

/* "Only the outermost scope retries, only on errors where the engine promises that nothing was kept" */
static bool may_repeat(const model *m, belay_code code)
{
    bool retryable = code == BELAY_SERIALIZATION || code == BELAY_DEADLOCK || code == BELAY_BUSY ||
                     code == BELAY_LOCK_TIMEOUT || code == BELAY_CONNECTION || code == BELAY_TOO_MANY;
    return retryable && m->attempt <= m->frames[0].options.retries; /* "at most `retries + 1` times" */
}

/* The transaction ends at the engine. True when it was committed. */
static bool end_transaction(model *m, belay_code *code)
{
    model_frame *f = &m->frames[m->first];
    if (model_status(m) == BELAY_OK && !f->dropped)
        model_hooks_before_commit(m);
    /* a foreign key that is checked at the commit; "its error is the scope's error" */
    if (model_status(m) == BELAY_OK && !f->dropped && (m->now.children & ~m->now.parents))
        f->error = BELAY_FOREIGN_KEY;
    *code = model_status(m);
    bool kept = *code == BELAY_OK && !f->dropped;
    if (kept && !f->read_only) /* one that only reads may have seen less than there is by now */
        m->committed = m->now;
    m->now = m->committed;
    m->ended = false;
    m->mark_count = f->first_mark;
    m->depth = m->first;
    return kept;
}

/* "On a retry, on-commit hooks of the failed attempt are dropped"; on-rollback hooks run "also between attempts" */
static void repeat(model *m, const model_frame *f)
{
    model_hooks_undone(m, f->first_hook);
    int attempt = m->attempt + 1, hook_errors = m->hook_errors;
    push(m, f->kind, &f->options);
    m->attempt = attempt;
    m->hook_errors = hook_errors; /* "of the last outermost scope": with all its attempts */
}

/* `again`: NULL when the scope can't run again. */
static belay_code finish_outermost(model *m, bool *again)
{
    belay_code code;
    bool kept = end_transaction(m, &code);
    const model_frame f = m->frames[m->depth];
    if (m->around_count > 0)
        return model_own_end(m, &f, code, kept);
    if (again && may_repeat(m, code)) {
        repeat(m, &f);
        *again = true;
        return code;
    }
    m->attempt = 0;
    settle(m, code);
    if (kept)
        model_hooks_committed(m, f.first_hook);
    else
        model_hooks_undone(m, f.first_hook);
    return code;
}

belay_code model_finish(model *m)
{
    return m->depth == m->first + 1 ? finish_outermost(m, NULL) : finish_nested(m);
}

/* The innermost scope is left by break, return or goto. */
static void jump_out(model *m)
{
    model_frame *f = model_top(m);
    /* "Leaving it by break, return or goto rolls it back, and, when no error was pending, belay_undo was not called and
       the scope is not read-only, raises BELAY_ABANDONED in the scope outside it" CHOICE abandoned. */
    if (model_status(m) == BELAY_OK && !f->read_only)
        model_raise(m, BELAY_ABANDONED);
    f->dropped = true; /* CHOICE read-only jump */
}

bool model_exit(model *m, int level, model_leave leave, int result, belay_code *code)
{
    bool again = false;
    /* "Explicit scopes that a block leaves open are misuse: the block is rolled back." CHOICE left open. */
    while (m->depth > level) {
        if (leave == MODEL_JUMP_OUT)
            jump_out(m);
        else
            model_raise(m, BELAY_MISUSE);
        model_finish(m);
    }
    /* "non-zero rolls back (with BELAY_APPLICATION unless an error is pending)" */
    if (result != 0 && model_top(m)->error == BELAY_OK)
        model_raise(m, BELAY_APPLICATION);
    if (leave == MODEL_JUMP_OUT)
        jump_out(m);
    if (m->depth > m->first + 1)
        *code = finish_nested(m);
    else
        *code = finish_outermost(m, leave == MODEL_FALL_OFF ? &again : NULL);
    return again;
}

/* "Misuse with no scope open, and on the scope of a block" */
static belay_code may_end(model *m)
{
    return m->depth > 0 && model_top(m)->kind == MODEL_EXPLICIT ? BELAY_OK : model_raise(m, BELAY_MISUSE);
}

belay_code model_commit(model *m)
{
    belay_code code = may_end(m);
    if (code != BELAY_OK)
        return code;
    code = model_finish(m);
    model_read(m); /* "outermost, that counts as reading it" */
    return code;
}

belay_code model_rollback(model *m)
{
    belay_code code = may_end(m);
    if (code != BELAY_OK)
        return code;
    /* "With an error pending, the error goes outward as from a block, and its code is returned. Without one it returns
       BELAY_OK" CHOICE joined. */
    if (model_top(m)->error == BELAY_OK)
        model_top(m)->undone = true;
    code = model_finish(m);
    model_read(m); /* CHOICE read */
    return code == BELAY_ROLLED_BACK ? BELAY_OK : code;
}

belay_code model_undo(model *m)
{
    if (m->depth == 0)
        return model_raise(m, BELAY_MISUSE);
    /* "Never refused itself; an error that is pending still travels. Returns BELAY_OK, or the pending code." */
    model_top(m)->undone = true;
    model_top(m)->from_inner = false; /* CHOICE undone */
    return model_top(m)->error;
}

belay_code model_close(model *m)
{
    /* "Closes a session. Open scopes are rolled back" "Returns the first failure that nobody read; BELAY_ABANDONED when
       work was open and nothing had failed" */
    while (m->depth > 0) {
        jump_out(m);
        model_finish(m);
    }
    return model_unread(m);
}
