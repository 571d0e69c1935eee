#include "sequence.h"

#include <stdio.h>
#include <string.h>

static const char *const names[OP_COUNT] = {
#define OP_NAME(name) #name,
    OP_KINDS(OP_NAME)
#undef OP_NAME
};

/* ---- Made ------------------------------------------------------------------------------------------------------- */

static unsigned draw(uint64_t *random, unsigned below)
{
    *random += 0x9E3779B97F4A7C15u; /* splitmix64 */
    uint64_t z = *random;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (unsigned)((z ^ (z >> 31)) % below);
}

static const int weights[OP_COUNT] = {
    [OP_NEW] = 12,    [OP_ADD] = 12,    [OP_GET] = 12,   [OP_FIND] = 6,       [OP_DELETE] = 6,  [OP_FLUSH] = 5,
    [OP_REFRESH] = 4, [OP_EXPIRE] = 3,  [OP_MERGE] = 5,  [OP_EXPIRE_ALL] = 1, [OP_EXPUNGE] = 3, [OP_EXPUNGE_ALL] = 1,
    [OP_LOCK] = 2,    [OP_CHANGE] = 22, [OP_PARENT] = 9, [OP_EXEC] = 7,       [OP_TRY] = 2,     [OP_MARK] = 3,
    [OP_BACK] = 3,    [OP_RELEASE] = 1, [OP_FAIL] = 2,   [OP_LET_GO] = 2,     [OP_SCOPE] = 13,  [OP_BATCH] = 4,
    [OP_ITEM] = 7,    [OP_END] = 11,
};

static op_kind draw_kind(uint64_t *random)
{
    int total = 0, kind = 0;
    for (int i = 0; i < OP_COUNT; i++)
        total += weights[i];
    int left = (int)draw(random, (unsigned)total);
    while (left >= weights[kind])
        left -= weights[kind++];
    return (op_kind)kind;
}

void sequence_generate(sequence *p, uint64_t seed)
{
    uint64_t random = seed;
    p->count = 6 + (int)draw(&random, draw(&random, 3) == 0 ? OPS - 6 : 30);
    for (int i = 0; i < p->count; i++) {
        op *o = &p->ops[i];
        *o = (op){draw_kind(&random), (int)draw(&random, 1000), (int)draw(&random, 1000), (int)draw(&random, 1000)};
        if (i == 0 && draw(&random, 8) > 0)
            o->kind = OP_SCOPE;
    }
}

int sequence_end(const sequence *p, int at)
{
    int deep = 0, i = at;
    for (; i < p->count; i++) {
        if (p->ops[i].kind == OP_SCOPE || p->ops[i].kind == OP_BATCH)
            deep++;
        if (p->ops[i].kind == OP_END && deep-- == 0)
            return i;
    }
    return i;
}

/* ---- Shrunk: delta debugging, then smaller numbers -------------------------------------------------------------- */

static bool accept(sequence *p, const sequence *q, sequence_shows shows, void *arg)
{
    if (!shows(q, arg))
        return false;
    *p = *q;
    return true;
}

static sequence without(const sequence *p, int from, int count)
{
    sequence q = *p;
    memmove(&q.ops[from], &q.ops[from + count], (size_t)(q.count - from - count) * sizeof q.ops[0]);
    q.count -= count;
    return q;
}

static bool remove_chunks(sequence *p, sequence_shows shows, void *arg)
{
    bool progress = false;
    for (int size = p->count; size >= 1; size /= 2)
        for (int at = p->count - size; at >= 0; at -= size) {
            if (at + size > p->count)
                continue;
            sequence q = without(p, at, size);
            progress |= accept(p, &q, shows, arg);
        }
    return progress;
}

/* A scope and its END together. */
static bool remove_pairs(sequence *p, sequence_shows shows, void *arg)
{
    bool progress = false;
    for (int at = p->count - 1; at >= 0; at--) {
        if (p->ops[at].kind != OP_SCOPE && p->ops[at].kind != OP_BATCH)
            continue;
        int end = sequence_end(p, at + 1);
        sequence q = end < p->count ? without(p, end, 1) : *p;
        q = without(&q, at, 1);
        progress |= accept(p, &q, shows, arg);
    }
    return progress;
}

static bool make_smaller(sequence *p, sequence_shows shows, void *arg)
{
    static const int small[] = {0, 1, 2, 3, 4, 5, 6, 7};
    bool progress = false;
    for (int at = 0; at < p->count; at++)
        for (int which = 0; which < 3; which++)
            for (size_t i = 0; i < sizeof small / sizeof small[0]; i++) {
                sequence q = *p;
                int *number = which == 0 ? &q.ops[at].a : which == 1 ? &q.ops[at].b : &q.ops[at].c;
                if (*number <= small[i])
                    break;
                *number = small[i];
                if (accept(p, &q, shows, arg)) {
                    progress = true;
                    break;
                }
            }
    return progress;
}

void sequence_shrink(sequence *p, sequence_shows shows, void *arg)
{
    bool progress = true;
    while (progress) {
        progress = remove_chunks(p, shows, arg);
        progress |= remove_pairs(p, shows, arg);
        progress |= p->count <= 30 && make_smaller(p, shows, arg);
    }
}

/* ---- Printed ---------------------------------------------------------------------------------------------------- */

const char *sequence_op_name(op_kind kind)
{
    return names[kind];
}

void sequence_print(const sequence *p)
{
    for (int i = 0; i < p->count; i++)
        printf("%s %d %d %d; ", names[p->ops[i].kind], p->ops[i].a, p->ops[i].b, p->ops[i].c);
    printf("\n");
}

bool sequence_parse(sequence *p, const char *text)
{
    char name[16];
    op o;
    int used;
    p->count = 0;
    while (p->count < OPS && sscanf(text, " %15[A-Z_] %d %d %d ;%n", name, &o.a, &o.b, &o.c, &used) == 4) {
        for (o.kind = 0; o.kind < OP_COUNT && strcmp(names[o.kind], name) != 0;)
            o.kind++;
        if (o.kind == OP_COUNT)
            return false;
        p->ops[p->count++] = o;
        text += used;
    }
    return text[strspn(text, " \n")] == '\0';
}
