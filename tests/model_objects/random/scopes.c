/*
 * scopes.c - scopes, marks and batches on both sides, by recursion.
 */
#include <stdlib.h>
#include <string.h>

#include "batches.h"
#include "calls.h"

enum { ENDS_WELL, ENDS_UNDONE, ENDS_BADLY };

void beginning_take(run *t, beginning *b)
{
    b->m = t->m;
    b->since = ++t->clock;
    b->uncertain = t->uncertain;
}

void beginning_put_back(run *t, const beginning *b)
{
    plain_put_back(&t->m, &b->m, b->since);
    t->uncertain = b->uncertain;
}

int scopes_ending(int number)
{
    return number % 8 == 0 ? ENDS_UNDONE : number % 8 == 1 ? ENDS_BADLY : ENDS_WELL;
}

void scopes_push(run *t)
{
    beginning_take(t, &t->begin[t->depth++]);
    t->from_inside = false;
}

static void forget_marks(run *t)
{
    while (t->mark_count > 0 && t->marks[t->mark_count - 1].depth >= t->depth)
        t->mark_count--;
}

/* The innermost scope has ended with `code`, which is to be pending outside; `inside`: it arose in there. */
void scopes_pop(run *t, bool kept, belay_code code, bool inside)
{
    forget_marks(t);
    t->depth--;
    if (!kept)
        beginning_put_back(t, &t->begin[t->depth]);
    t->pending = code;
    t->from_inside = inside && code != BELAY_OK;
    if (t->depth == 0)
        call_end_unit(t);
}

/* ---- Scopes ----------------------------------------------------------------------------------------------------- */

typedef struct scope {
    run *t;
    const op *o;
    int from, to; /* its body */
    int ending;
    bool ran, undone;
} scope;

/* The program catches the error that has just come out of a scope. */
static void maybe_catch(run *t, const op *o)
{
    if (t->pending == BELAY_OK || o->c % 4 == 0)
        return;
    bool can = t->from_inside && !t->fatal;
    if (belay_catch(t->s, BELAY_ANY) != can)
        differ(t, "belay_catch", can ? "true" : "false", can ? "false" : "true");
    if (can)
        t->pending = BELAY_OK;
    t->from_inside = false;
}

/* The end of a scope whose body came to its end: what it ends with; kept when that is nothing. */
static codes end_of(scope *c)
{
    run *t = c->t;
    if (t->pending != BELAY_OK)
        return CODE(t->pending);
    if (c->undone)
        return CODE(BELAY_ROLLED_BACK);
    if (c->ending == ENDS_BADLY)
        return CODE(BELAY_APPLICATION);
    return call_flush(t);
}

static void end_scope(scope *c, belay_code real, bool refused)
{
    run *t = c->t;
    codes wanted = end_of(c);
    belay_code code = real;
    if (wanted == CODE(BELAY_ROLLED_BACK) && t->depth > 1 && c->o->a % 3 != 1)
        wanted = 0; /* only belay_atomic says how a nested one ended that was called off */
    if (!((wanted ? wanted : CODE(BELAY_OK)) & CODE(real)))
        differ(t, "how a scope ended", wanted ? "a failure" : "well", belay_message(t->s));
    if (code == BELAY_ROLLED_BACK)
        code = BELAY_OK;
    scopes_pop(t, !wanted && !c->undone, code, !refused);
}

static void explicit_scope(scope *c)
{
    run *t = c->t;
    bool refused = t->pending != BELAY_OK;
    belay_code real = belay_begin(t->s, NULL);
    if (!call_is_refused(t, real)) {
        codes wrong = t->depth > 0 ? call_flush(t) : 0;
        call_came_to(t, real, wrong);
        refused = wrong != 0;
    }
    scopes_push(t);
    scopes_run(t, c->from, c->to);
    c->undone = c->ending != ENDS_WELL;
    c->ending = ENDS_WELL;
    bool outermost = t->depth == 1;
    real = c->undone ? belay_rollback(t->s) : belay_commit(t->s);
    if (outermost && c->undone && real == BELAY_OK)
        real = belay_status(t->s);
    end_scope(c, real, refused);
}

static int unit(belay_session *s, void *arg)
{
    scope *c = arg;
    run *t = c->t;
    if (c->ran) { /* the next attempt: a rollback, and a new beginning */
        t->depth = 1;
        forget_marks(t);
        beginning_put_back(t, &t->begin[0]);
        call_end_unit(t);
        t->depth = 0;
    }
    if (t->depth > 0 && call_flush(t) != 0)
        differ(t, "a scope", "refused, as the flush before it fails", "began");
    c->ran = true;
    c->undone = false;
    scopes_push(t);
    scopes_run(t, c->from, c->to);
    if (c->ending == ENDS_UNDONE) {
        belay_undo(s);
        c->undone = true;
    }
    return c->ending == ENDS_BADLY;
}

static belay_code block(scope *c)
{
    belay_session *s = c->t->s;
    bool nested = c->t->depth > 0;
    BELAY_ATOMIC(s) {
        if (unit(s, c))
            belay_fail(s, BELAY_APPLICATION, "a block that ends badly");
    }
    return nested ? belay_pending(s)->code : belay_status(s);
}

static void unit_scope(scope *c)
{
    run *t = c->t;
    bool refused = t->pending != BELAY_OK;
    belay_code real =
        c->o->a % 3 == 1
            ? belay_atomic(t->s,
                           BELAY_SCOPE_OPTIONS(.retries = t->depth == 0 ? 2 : 0, .backoff_ms = 1, .backoff_max_ms = 1),
                           unit, c)
            : block(c);
    if (c->ran) {
        end_scope(c, real, refused);
    } else if (!call_is_refused(t, real)) { /* the flush before it failed */
        codes wrong = t->depth > 0 ? call_flush(t) : 0;
        call_came_to(t, real, wrong ? wrong : CODE(BELAY_OK));
    }
}

static void do_scope(run *t, const op *o, int from, int to)
{
    scope c = {.t = t, .o = o, .from = from, .to = to, .ending = scopes_ending(o->b)};
    if (t->depth >= DEEP) {
        scopes_run(t, from, to);
        return;
    }
    tell(t, "{ scope %d, ending %d", o->a % 3, c.ending);
    if (o->a % 3 == 0)
        explicit_scope(&c);
    else
        unit_scope(&c);
    tell(t, "} scope: %s pending", belay_code_name(t->pending));
    compare_objects(t);
    if (t->depth == 0)
        compare_rows(t);
    if (t->depth > 0)
        maybe_catch(t, o);
}

/* ---- Marks ------------------------------------------------------------------------------------------------------ */

static const char *const mark_names[] = {"one", "two"};

static mark *find_mark(run *t, int name)
{
    for (int i = t->mark_count - 1; i >= 0 && t->marks[i].depth == t->depth; i--)
        if (t->marks[i].name == name)
            return &t->marks[i];
    return NULL;
}

static void set_mark(run *t, const op *o)
{
    int name = o->a % 2;
    if (t->depth == 0 || t->pending != BELAY_OK || t->mark_count == MARKS)
        return;
    tell(t, "belay_savepoint %s", mark_names[name]);
    belay_code real = belay_savepoint(t->s, mark_names[name]);
    bool set = call_came_to(t, real, call_flush(t));
    mark *m = &t->marks[t->mark_count++];
    m->name = name;
    m->depth = t->depth;
    m->dead = !set;
    beginning_take(t, &m->at);
}

static void go_back(run *t, const op *o)
{
    mark *m = find_mark(t, o->a % 2);
    if (!m || m->dead || t->fatal)
        return;
    tell(t, "belay_rollback_to %s", mark_names[m->name]);
    belay_code real = belay_rollback_to(t->s, mark_names[m->name]);
    if (real != BELAY_OK)
        differ(t, "belay_rollback_to", "no error", belay_message(t->s));
    beginning_put_back(t, &m->at);
    t->mark_count = (int)(m - t->marks) + 1;
    t->pending = BELAY_OK;
    t->from_inside = false;
}

static void release(run *t, const op *o)
{
    const mark *m = find_mark(t, o->a % 2);
    if (!m || t->pending != BELAY_OK)
        return;
    tell(t, "belay_release %s", mark_names[m->name]);
    if (belay_release(t->s, mark_names[m->name]) != BELAY_OK)
        differ(t, "belay_release", "no error", belay_message(t->s));
    t->mark_count = (int)(m - t->marks);
}

/* An error of the program's own; now and then one for which a unit is run again, in its first attempt. */
static void fail(run *t, const op *o)
{
    bool again = o->a % 3 == 0 && belay_attempt(t->s) == 1;
    if (t->depth == 0)
        return;
    tell(t, "belay_fail%s", again ? ", to be run again" : "");
    belay_code wanted = t->pending != BELAY_OK ? t->pending : again ? BELAY_SERIALIZATION : BELAY_APPLICATION;
    if (belay_fail(t->s, again ? BELAY_SERIALIZATION : BELAY_APPLICATION, "as the sequence says") != wanted)
        differ(t, "belay_fail", belay_code_name(wanted), belay_message(t->s));
    t->fatal |= again && t->pending == BELAY_OK;
    t->pending = wanted;
    t->from_inside = false;
}

/* ---- The list --------------------------------------------------------------------------------------------------- */

void scopes_run(run *t, int from, int to)
{
    for (int at = from; at < to && !t->wrong && t->m.count < SLOTS - ROWS - 2; at++) {
        const op *o = &t->p->ops[at];
        if (o->kind == OP_SCOPE || o->kind == OP_BATCH) {
            int end = sequence_end(t->p, at + 1);
            end = end < to ? end : to;
            if (o->kind == OP_SCOPE)
                do_scope(t, o, at + 1, end);
            else
                batches_do(t, at, end);
            at = end;
        } else if (o->kind == OP_MARK) {
            set_mark(t, o);
        } else if (o->kind == OP_BACK) {
            go_back(t, o);
        } else if (o->kind == OP_RELEASE) {
            release(t, o);
        } else if (o->kind == OP_FAIL) {
            fail(t, o);
        } else if (o->kind < OP_SCOPE) {
            call_do(t, o);
        }
        compare_objects(t);
    }
}
