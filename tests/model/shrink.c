/*
 * shrink.c - delta debugging over the list of operations (Zeller's ddmin), then simpler operations.
 */
#include <string.h>

#include "program.h"

static program without(const program *p, int from, int count)
{
    program q = *p;
    memmove(&q.ops[from], &q.ops[from + count], (size_t)(q.count - from - count) * sizeof q.ops[0]);
    q.count -= count;
    return q;
}

/* Takes `q` for `p` when it still shows the difference. */
static bool accept(program *p, const program *q, program_predicate holds, void *arg)
{
    if (!holds(q, arg))
        return false;
    *p = *q;
    return true;
}

static bool remove_chunks(program *p, program_predicate holds, void *arg)
{
    bool progress = false;
    for (int size = p->count; size >= 1; size = size / 2)
        for (int at = p->count - size; at >= 0;) {
            program q = without(p, at, size);
            bool taken = accept(p, &q, holds, arg);
            progress = progress || taken;
            at -= size;
            if (taken && at + size > p->count)
                at = p->count - size;
        }
    return progress;
}

/* An opening operation and what closes it; a begin and the next commit or rollback. */
static bool remove_pairs(program *p, program_predicate holds, void *arg)
{
    bool progress = false;
    for (int at = 0; at < p->count; at++)
        for (int other = at + 1; other < p->count; other++) {
            program q = without(p, other, 1);
            q = without(&q, at, 1);
            if (accept(p, &q, holds, arg)) {
                progress = true;
                at--;
                break;
            }
        }
    return progress;
}

static bool simplify(program *p, program_predicate holds, void *arg)
{
    bool progress = false;
    program q = *p;
    q.looks = q.quiet = false;
    if (p->looks || p->quiet)
        progress = accept(p, &q, holds, arg);
    for (int at = 0; at < p->count; at++) {
        op *o = &q.ops[at];
        q = *p;
        o->b = 0;
        if (p->ops[at].b != 0)
            progress = accept(p, &q, holds, arg) || progress;
        q = *p;
        o->a = 0;               /* a plain scope, the first name, an ordinary insert */
        if (o->kind == OP_HOOK) /* of the same kind, and does nothing */
            o->a = p->ops[at].a / MODEL_ACTIONS * MODEL_ACTIONS;
        if (p->ops[at].a != o->a && o->kind != OP_FAIL && o->kind != OP_FAIL_IN && o->kind != OP_CATCH)
            progress = accept(p, &q, holds, arg) || progress;
        q = *p;
        if (o->kind == OP_CONTINUE || o->kind == OP_RETURN) {
            o->kind = o->kind == OP_CONTINUE ? OP_END : OP_BREAK;
            progress = accept(p, &q, holds, arg) || progress;
        }
        q = *p;
        if (o->kind == OP_CALLBACK || o->kind == OP_IGNORE) {
            o->kind = o->kind == OP_CALLBACK ? OP_BLOCK : OP_CATCH;
            progress = accept(p, &q, holds, arg) || progress;
        }
    }
    return progress;
}

void program_shrink(program *p, program_predicate holds, void *arg)
{
    bool progress = true;
    while (progress) {
        progress = remove_chunks(p, holds, arg);
        if (p->count <= 60)
            progress = remove_pairs(p, holds, arg) || progress;
        progress = simplify(p, holds, arg) || progress;
    }
}
