/*
 * model_hooks.c - hooks of the reference model. The rest, and the CHOICEs: model.c.
 */
#include "model.h"
#include "model_inner.h"

static const model_options no_options;

/* ---- What a hook does --------------------------------------------------------------------------- */

static belay_code insert_in_scope(model *m, const model_statement *insert)
{
    belay_code code;
    if (model_enter(m, MODEL_CALLBACK, &no_options, &code)) {
        model_exec(m, insert);
        model_exit(m, m->depth, MODEL_FALL_OFF, 0, &code);
    }
    model_read(m);
    return code;
}

/* The code of the first of its calls that failed. */
static belay_code act(model *m, const model_hook *hook)
{
    const model_statement insert = {MODEL_INSERT, hook->row};
    belay_code first, second;
    switch (hook->action) {
    case MODEL_INSERTS:
        return model_exec(m, &insert);
    case MODEL_REGISTERS:
        return model_hook_add(m, MODEL_ON_COMMIT, MODEL_NOTHING, 0);
    case MODEL_REGISTERS_SAME:
        return model_hook_add(m, hook->kind, MODEL_NOTHING, 0);
    case MODEL_OPENS:
        return (model_begin(m, &no_options), model_exec(m, &insert));
    case MODEL_NESTS:
        return insert_in_scope(m, &insert);
    case MODEL_RAISES:
        return model_fail(m, BELAY_DEADLOCK);
    case MODEL_UNDOES:
        return model_undo(m);
    case MODEL_GOES_BACK:
        first = model_rollback_to(m, 0);
        second = model_hook_add(m, hook->kind, MODEL_NOTHING, 0);
        return first != BELAY_OK ? first : second;
    case MODEL_ENDS:
        return model_raise(m, BELAY_MISUSE); /* CHOICE ends */
    case MODEL_NOTHING:
    case MODEL_FAILS:
    case MODEL_ACTIONS:
        break;
    }
    return BELAY_OK;
}

/* "any call there but one that asks how things stand is misuse, and counts as the hook's failure" */
static belay_code act_barred(model *m, const model_hook *hook)
{
    bool registers =
        hook->action == MODEL_REGISTERS || hook->action == MODEL_REGISTERS_SAME || hook->action == MODEL_GOES_BACK;
    m->next_hook += registers; /* it is refused, and has had its number */
    return hook->action == MODEL_NOTHING || hook->action == MODEL_FAILS ? BELAY_OK : BELAY_MISUSE;
}

/* True when the hook did not fail. "While a transaction is still open around it, the hook can't use the session" */
static bool run_hook(model *m, const model_hook *hook, bool barred)
{
    int depth = m->depth;
    belay_code code = barred ? act_barred(m, hook) : act(m, hook);
    m->events[m->event_count++] = (model_event){hook->id, code};
    bool worked = hook->action != MODEL_FAILS && code == BELAY_OK;
    /* "A scope that a hook leaves open is rolled back and counts as the hook's failure." */
    while (m->depth > depth) {
        worked = false;
        m->frames[m->depth - 1].undone = true;
        model_finish(m);
    }
    return worked;
}

/* ---- When it does it ---------------------------------------------------------------------------- */

/* A hook that runs when the fate of its scope is known. */
static void run_after(model *m, model_hook hook)
{
    /* "The status, changes, last id and caught error are saved and restored around hooks." */
    belay_code status = m->status, caught = m->caught, unread = m->unread;
    bool status_unread = m->status_unread, status_first = m->status_first;
    int errors = m->hook_errors, attempt = m->attempt;
    m->status_unread = false;
    bool worked = run_hook(m, &hook, m->depth > 0);
    m->unread = model_unread(m); /* CHOICE unread in hooks */
    m->status = status;
    m->caught = caught;
    m->status_unread = status_unread;
    m->status_first = status_first || (status_unread && m->unread != unread);
    m->attempt = attempt;
    m->hook_errors = errors + (worked ? 0 : 1); /* "it is counted in belay_hook_errors" */
}

/* Runs those of one kind in the order of registration; "a hook registered by a hook runs after it". */
static void run_late(model *m, int first, model_hook_kind kind)
{
    bool outer = m->running;
    int count = m->hook_count;
    m->running = m->depth == 0;
    for (int i = first; i < m->hook_count; i++)
        if (m->hooks[i].kind == (i < count ? kind : MODEL_ON_COMMIT))
            run_after(m, m->hooks[i]);
    m->running = outer;
    m->hook_count = first;
    if (m->next_before > first)
        m->next_before = first;
}

void model_hooks_undone(model *m, int first)
{
    run_late(m, first, MODEL_ON_ROLLBACK);
}

void model_hooks_committed(model *m, int first)
{
    run_late(m, first, MODEL_ON_COMMIT);
}

/* "Runs `hook` inside the outermost scope, before its commit. It may use the session, and fail the commit by returning
   non-zero (BELAY_APPLICATION unless an error is pending)." */
void model_hooks_before_commit(model *m)
{
    m->next_before = m->frames[m->first].first_hook;
    while (m->next_before < m->hook_count && model_status(m) == BELAY_OK) {
        const model_hook hook = m->hooks[m->next_before++];
        if (hook.kind == MODEL_BEFORE_COMMIT && !run_hook(m, &hook, false))
            model_raise(m, BELAY_APPLICATION);
    }
}

/* ---- Registering -------------------------------------------------------------------------------- */

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
