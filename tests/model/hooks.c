/*
 * hooks.c - hooks of a program: what they do when the library runs them.
 */
#include "runner_inner.h"

static void free_argument(void *arg)
{
    ((hook_argument *)arg)->freed++;
}

static int run_hook(belay_session *s, void *arg);

/* Arguments are numbered in the order of registration, as the model does. */
static belay_code add_hook(runner *r, const model_hook *hook)
{
    int id = 0;
    while (r->hooks[id].r)
        id++;
    r->hooks[id] = (hook_argument){r, *hook, 0};
    r->hooks[id].hook.id = id;
    if (hook->kind == MODEL_ON_COMMIT)
        return belay_on_commit(r->s, run_hook, &r->hooks[id], free_argument);
    if (hook->kind == MODEL_ON_ROLLBACK)
        return belay_on_rollback(r->s, run_hook, &r->hooks[id], free_argument);
    return belay_before_commit(r->s, run_hook, &r->hooks[id], free_argument);
}

static belay_code add_plain_hook(runner *r, model_hook_kind kind)
{
    const model_hook hook = {kind, MODEL_NOTHING, 0, 0};
    return add_hook(r, &hook);
}

static belay_code insert(belay_session *s, int row)
{
    const model_statement statement = {MODEL_INSERT, row};
    return run_statement(s, &statement, false);
}

static int insert_in_scope(belay_session *s, void *row)
{
    insert(s, *(int *)row);
    return 0;
}

/* The code of the first of its calls that failed. */
static belay_code act(runner *r, const model_hook *hook)
{
    belay_code first, second;
    int row = hook->row;
    switch (hook->action) {
    case MODEL_INSERTS:
        return insert(r->s, row);
    case MODEL_REGISTERS:
        return add_plain_hook(r, MODEL_ON_COMMIT);
    case MODEL_REGISTERS_SAME:
        return add_plain_hook(r, hook->kind);
    case MODEL_OPENS:
        return (belay_begin(r->s, NULL), insert(r->s, row));
    case MODEL_NESTS:
        return belay_atomic(r->s, NULL, insert_in_scope, &row);
    case MODEL_RAISES:
        return belay_fail(r->s, BELAY_DEADLOCK, "in a hook");
    case MODEL_UNDOES:
        return belay_undo(r->s);
    case MODEL_GOES_BACK:
        first = belay_rollback_to(r->s, "a");
        second = add_plain_hook(r, hook->kind);
        return first != BELAY_OK ? first : second;
    case MODEL_ENDS:
        return belay_commit(r->s);
    case MODEL_NOTHING:
    case MODEL_FAILS:
    case MODEL_ACTIONS:
        break;
    }
    return BELAY_OK;
}

static int run_hook(belay_session *s, void *arg)
{
    hook_argument *own = arg;
    runner *r = own->r;
    belay_code code = s == r->s ? act(r, &own->hook) : BELAY_ANY;
    if (r->event_count < MODEL_EVENTS)
        r->events[r->event_count++] = (model_event){own->hook.id, code};
    return own->hook.action == MODEL_FAILS || code != BELAY_OK;
}

/* A hook that runs may register another: there must be room for that. */
void do_hook(runner *r, const op *o)
{
    const model_hook hook = {(model_hook_kind)(o->a / MODEL_ACTIONS), (model_action)(o->a % MODEL_ACTIONS), o->b, 0};
    if (r->m.next_hook >= MODEL_HOOKS / 2)
        return;
    belay_code expected = model_hook_add(&r->m, hook.kind, hook.action, hook.row);
    same_code(r, ASPECT_RETURN, expected, add_hook(r, &hook));
}
