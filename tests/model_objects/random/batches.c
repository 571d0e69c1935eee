/*
 * batches.c - items of a batch: each as if it had a scope of its own, though several share one and may run again.
 *
 * What an item did is judged when the next one begins, or it is rejected: its flush
 * is made behind its end. An item that begins again, or one before it, says that all
 * from there on was undone.
 */
#include <stdlib.h>

#include "batches.h"
#include "calls.h"

enum { ITEMS = 6 };

typedef struct batch {
    run *t;
    int count, from[ITEMS], to[ITEMS], ending[ITEMS];
    beginning *begin; /* of each item's newest run */
    int last;         /* the item that ran last, or -1 */
    bool judged;      /* what it came to is known: */
    codes wrong;      /* what it may have failed with */
    bool undone;
    bool rejected[ITEMS], told[ITEMS];
    bool began, own;
} batch;

static void find_items(batch *b, const sequence *p, int at, int end)
{
    int deep = 0;
    b->from[0] = at + 1;
    b->ending[0] = scopes_ending(p->ops[at].a);
    b->count = 1;
    for (int i = at + 1; i < end; i++) {
        const op *o = &p->ops[i];
        deep += o->kind == OP_SCOPE || o->kind == OP_BATCH;
        deep -= o->kind == OP_END;
        if (o->kind != OP_ITEM || deep > 0 || b->count == ITEMS)
            continue;
        b->to[b->count - 1] = i;
        b->from[b->count] = i + 1;
        b->ending[b->count++] = scopes_ending(o->a);
    }
    b->to[b->count - 1] = end;
}

/* What the item that ran last came to. */
static void judge(batch *b)
{
    run *t = b->t;
    if (b->judged || b->last < 0)
        return;
    b->judged = true;
    b->undone = t->pending == BELAY_OK && b->ending[b->last] == 1;
    b->wrong = t->pending != BELAY_OK    ? CODE(t->pending)
               : b->undone               ? 0
               : b->ending[b->last] == 2 ? CODE(BELAY_APPLICATION)
                                         : call_flush(t);
    b->rejected[b->last] = b->wrong != 0;
}

/* What the last item did is kept or undone: item `next` begins, or none does any more. */
static void settle(batch *b, int next)
{
    run *t = b->t;
    judge(b);
    if (b->last >= 0 && next <= b->last)
        beginning_put_back(t, &b->begin[next]);
    else if (b->last >= 0 && (b->wrong || b->undone))
        beginning_put_back(t, &b->begin[b->last]);
    while (t->mark_count > 0 && t->marks[t->mark_count - 1].depth >= t->depth)
        t->mark_count--;
    t->pending = BELAY_OK;
    t->from_inside = false;
}

/* The scopes around the first item: the batch's own, if none is open, and that of the items. */
static void begin_batch(batch *b)
{
    run *t = b->t;
    b->began = true;
    if (b->own)
        scopes_push(t);
    if (call_flush(t) != 0)
        differ(t, "a batch", "refused, as the flush before it fails", "began");
    scopes_push(t);
}

static int item(belay_session *s, size_t i, void *arg)
{
    batch *b = arg;
    run *t = b->t;
    int next = (int)i;
    if (!b->began)
        begin_batch(b);
    else
        settle(b, next);
    compare_objects(t);
    tell(t, "item %d", next);
    if (next > b->last + 1)
        differ(t, "the next item", "one behind the last", "another");
    b->last = next;
    b->judged = false;
    for (int j = next; j < ITEMS; j++)
        b->rejected[j] = false;
    beginning_take(t, &b->begin[next]);
    beginning_take(t, &t->begin[t->depth - 1]);
    scopes_run(t, b->from[next], b->to[next]);
    if (b->ending[next] == 1)
        belay_undo(s);
    return b->ending[next] == 2;
}

static void rejected(belay_session *s, size_t i, const belay_error *error, void *arg)
{
    batch *b = arg;
    (void)s;
    judge(b);
    tell(b->t, "rejected %d", (int)i);
    if ((int)i != b->last || !(b->wrong & CODE(error->code)))
        differ(b->t, "a rejected item", b->wrong ? "another error" : "none", error->message);
    b->told[i] = true;
}

static void check_told(batch *b)
{
    for (int i = 0; i < b->count; i++)
        if (b->told[i] != b->rejected[i])
            differ(b->t, "whether an item was rejected", b->rejected[i] ? "yes" : "no", b->told[i] ? "yes" : "no");
}

/* A batch that came to its end in well-being, or by an error that ends the transaction. */
static void end_batch(batch *b, belay_code real)
{
    run *t = b->t;
    if (t->fatal) {
        if (real != t->pending)
            differ(t, "what a batch came to", "an error that ends all", belay_code_name(real));
        scopes_pop(t, false, real, false);
        t->uncertain = true; /* which items before it are undone with it, is the batch's business */
    } else {
        settle(b, b->count);
        if (real != BELAY_OK || b->last != b->count - 1)
            differ(t, "what a batch came to", "no error, and each item had its turn", belay_code_name(real));
        check_told(b);
        scopes_pop(t, true, BELAY_OK, false);
    }
    if (b->own)
        scopes_pop(t, real == BELAY_OK, real, false);
}

void batches_do(run *t, int at, int end)
{
    batch b = {.t = t, .last = -1, .own = t->depth == 0};
    if (t->depth + 2 > DEEP) {
        scopes_run(t, at + 1, end);
        return;
    }
    find_items(&b, t->p, at, end);
    b.begin = calloc(ITEMS, sizeof *b.begin);
    tell(t, "{ batch of %d", b.count);
    belay_code real = belay_batch(t->s, (size_t)b.count, item, &b, rejected);
    if (b.own)
        belay_status(t->s);
    if (b.began) {
        end_batch(&b, real);
    } else if (!call_is_refused(t, real)) {
        if (b.own)
            scopes_push(t);
        codes wrong = call_flush(t);
        call_came_to(t, real, wrong ? wrong : CODE(BELAY_OK));
        if (b.own)
            scopes_pop(t, false, real, false);
    }
    tell(t, "} batch: %s pending", belay_code_name(t->pending));
    free(b.begin);
    compare_objects(t);
    if (t->depth == 0)
        compare_rows(t);
}
