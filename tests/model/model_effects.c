/*
 * model_effects.c - statements and hooks of the reference model. The rest, and the CHOICEs: model.c.
 */
#include <string.h>

#include "model.h"
#include "model_inner.h"

/* ---- Statements --------------------------------------------------------------------------------- */

static belay_code add(unsigned *table, int row)
{
    unsigned bit = 1u << (unsigned)row;
    if (*table & bit)
        return BELAY_UNIQUE;
    *table |= bit;
    return BELAY_OK;
}

/* What the engine makes of a statement. An error may leave a part of the work: its scope is undone. */
static belay_code run(model *m, const model_statement *statement)
{
    int row = statement->row;
    belay_code code;
    /* refused "before it reaches the server" */
    if (statement->kind == MODEL_CONTROL || statement->kind == MODEL_PARAMETERS)
        return BELAY_MISUSE;
    if (statement->kind == MODEL_SCHEMA)
        return BELAY_SCHEMA;
    if (model_top(m)->read_only) /* "writes are BELAY_READ_ONLY" */
        return BELAY_READ_ONLY;
    switch (statement->kind) {
    case MODEL_INSERT:
        return add(&m->now.parents, row);
    case MODEL_CHILD:
        return add(&m->now.children, row);
    case MODEL_DELETE:
        m->now.parents &= ~(1u << (unsigned)row);
        return BELAY_OK;
    case MODEL_CHECK:
        return BELAY_CHECK;
    case MODEL_NOT_NULL:
        return BELAY_NOT_NULL;
    case MODEL_OR_ROLLBACK: /* "an engine that rolled back on its own" */
        code = add(&m->now.parents, row);
        if (code != BELAY_OK)
            model_end_transaction(m);
        return code;
    case MODEL_OR_FAIL:
        code = add(&m->now.parents, row);
        return code != BELAY_OK ? code : add(&m->now.parents, (row + 1) % MODEL_ROWS);
    case MODEL_SCHEMA:
    case MODEL_CONTROL:
    case MODEL_PARAMETERS:
    case MODEL_STATEMENTS:
        break;
    }
    return BELAY_MISUSE;
}

static const model_options no_options;

/* "a statement outside any scope is an outermost scope of one statement" */
static belay_code run_alone(model *m, const model_statement *statement)
{
    model_begin(m, &no_options);
    belay_code code = run(m, statement);
    if (code != BELAY_OK)
        model_raise(m, code);
    return model_finish(m);
}

belay_code model_exec(model *m, const model_statement *statement)
{
    if (m->depth == 0)
        return run_alone(m, statement);
    belay_code code = model_refusal(m);
    if (code != BELAY_OK)
        return code;
    code = run(m, statement);
    return code == BELAY_OK ? code : model_raise(m, code);
}

/* "a scope for one statement that may fail. Returns its code. An ordinary failure is already undone and caught:
   belay_caught holds it, nothing is pending. One that ends the transaction stays pending. While an error is pending it
   is refused like any other call." */
belay_code model_try(model *m, const model_statement *statement)
{
    if (m->depth == 0) {
        belay_code code = run_alone(m, statement);
        model_catch(m, BELAY_ANY); /* CHOICE try outside */
        return code;
    }
    belay_code code = model_refusal(m);
    if (code != BELAY_OK)
        return code;
    model_rows before = m->now;
    code = run(m, statement);
    if (m->ended)
        return model_raise(m, code);
    if (code != BELAY_OK) {
        m->now = before;
        m->caught = code;
    }
    return code;
}

belay_code model_count(model *m, int *count)
{
    belay_code code = BELAY_OK;
    *count = 0; /* "0 is returned on every error" */
    if (m->depth > 0)
        code = model_refusal(m);
    else
        code = (model_begin(m, &no_options), model_finish(m));
    if (code == BELAY_OK)
        for (int row = 0; row < MODEL_ROWS; row++)
            *count += (m->now.parents >> (unsigned)row) & 1u ? 1 : 0;
    return code;
}

/* ---- Hooks -------------------------------------------------------------------------------------- */

static int run_own_call(model *m, const model_hook *hook)
{
    const model_statement insert = {MODEL_INSERT, hook->row};
    belay_code code = BELAY_OK;
    bool failed = hook->action == MODEL_FAILS;
    if (hook->action == MODEL_REGISTERS)
        code = model_hook_add(m, MODEL_ON_COMMIT, MODEL_NOTHING, 0);
    else if (hook->action == MODEL_OPENS)
        code = (model_begin(m, &no_options), model_exec(m, &insert));
    else if (hook->action == MODEL_INSERTS && hook->kind == MODEL_ON_ROLLBACK && m->depth > 0)
        code = BELAY_MISUSE; /* "inside a transaction they can't use the session" */
    else if (hook->action == MODEL_INSERTS)
        code = model_exec(m, &insert);
    m->events[m->event_count++] = (model_event){hook->id, code};
    return failed || code != BELAY_OK;
}

/* A hook that runs when the fate of its scope is known. */
static void run_after(model *m, model_hook hook)
{
    /* "The status, changes, last id and caught error are saved and restored around hooks." */
    belay_code status = m->status, caught = m->caught, unread = m->unread;
    bool status_unread = m->status_unread, status_first = m->status_first;
    int errors = m->hook_errors, attempt = m->attempt, depth = m->depth;
    m->status_unread = false;
    bool failed = run_own_call(m, &hook) != 0;
    /* "A scope that a hook leaves open is rolled back and counts as the hook's failure." */
    while (m->depth > depth) {
        failed = m->frames[m->depth - 1].undone = true;
        model_finish(m);
    }
    m->unread = model_unread(m); /* CHOICE unread in hooks */
    m->status = status;
    m->caught = caught;
    m->status_unread = status_unread;
    m->status_first = status_first || (status_unread && m->unread != unread);
    m->attempt = attempt;
    m->hook_errors = errors + (failed ? 1 : 0); /* "it is counted in belay_hook_errors" */
}

/* "On-rollback hooks run in that order too" (of registration); the others are dropped. */
void model_hooks_undone(model *m, int first)
{
    int count = m->hook_count;
    for (int i = first; i < count; i++)
        if (m->hooks[i].kind == MODEL_ON_ROLLBACK)
            run_after(m, m->hooks[i]);
    m->hook_count = first;
}

/* "runs inside the outermost scope before its commit and may fail it" */
void model_hooks_before_commit(model *m)
{
    for (int i = m->frames[0].first_hook; i < m->hook_count && model_status(m) == BELAY_OK; i++)
        if (m->hooks[i].kind == MODEL_BEFORE_COMMIT && run_own_call(m, &m->hooks[i]) != 0)
            if (model_top(m)->error == BELAY_OK)
                model_raise(m, BELAY_APPLICATION);
}

/* "runs once, after the outermost scope has durably committed, in the order of registration, outside any transaction;
   hooks may use the session, and hooks registered by a hook run after it" */
void model_hooks_committed(model *m, int first)
{
    bool outer = m->running;
    m->running = true;
    for (int i = first; i < m->hook_count; i++)
        if (m->hooks[i].kind == MODEL_ON_COMMIT)
            run_after(m, m->hooks[i]);
    m->hook_count = first;
    m->running = outer;
}

static belay_code register_outside(model *m, const model_hook *hook)
{
    if (hook->kind != MODEL_ON_COMMIT)
        return model_raise(m, BELAY_MISUSE); /* "Misuse with no scope open." */
    /* "With no scope open, belay_on_commit runs at once, or, inside a hook, after it." */
    m->hooks[m->hook_count++] = *hook;
    if (m->running)
        return BELAY_OK;
    m->hook_errors = 0; /* CHOICE at once */
    model_hooks_committed(m, m->hook_count - 1);
    return BELAY_OK;
}

belay_code model_hook_add(model *m, model_hook_kind kind, model_action action, int row)
{
    const model_hook hook = {kind, action, row, m->next_hook++};
    if (m->depth == 0)
        return register_outside(m, &hook);
    /* on-rollback hooks "may be registered while an error is pending"; of the others: "Returns BELAY_OK or the pending
       code (then the hook is dropped)." */
    belay_code code = kind == MODEL_ON_ROLLBACK ? BELAY_OK : model_refusal(m);
    if (code == BELAY_OK)
        m->hooks[m->hook_count++] = hook;
    return code;
}
