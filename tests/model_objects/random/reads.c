/*
 * reads.c - the calls that read rows, on both sides.
 */
#include <string.h>

#include "calls.h"
#include "pick.h"

/* "One row is one object": the pointer must be that of the slot. One that was never seen is remembered. */
static void expect_pointer(run *t, int slot, const void *real)
{
    if (slot == NOBODY ? real != NULL : real == NULL) {
        differ(t, "the object that was given", slot == NOBODY ? "none" : "one", real ? "one" : "none");
        return;
    }
    if (slot != NOBODY && !t->real[slot] && slot_of(t, real) == NOBODY)
        t->real[slot] = (void *)(uintptr_t)real;
    if (slot != NOBODY && t->real[slot] != real)
        differ(t, "the object that was given", "that of the row", "another");
}

static int load_new(run *t, int k, const row *r)
{
    int slot = t->m.count++;
    object *o = &t->m.objects[slot];
    *o = (object){.kind = k, .held = true, .state = BELAY_PERSISTENT, .loaded = true};
    plain_read(&t->m, o, r);
    o->entered = o->now;
    o->since = o->order = ++t->clock;
    t->real[slot] = NULL;
    return slot;
}

/* A row that was read: its object, made or read again. */
static int meet_row(run *t, int k, const row *r, bool again, codes *wrong)
{
    int slot = plain_persistent(&t->m, k, r->of);
    if (slot == NOBODY)
        return load_new(t, k, r);
    object *o = &t->m.objects[slot];
    bool changed = memcmp(o->now.of, o->image.of, sizeof o->now.of) != 0;
    if (o->expired && !again && changed)
        *wrong |= CODE(BELAY_MISUSE);
    else if (o->expired || again)
        plain_read(&t->m, o, r);
    return slot;
}

/* belay_get on the reference model; the slot, or NOBODY. */
static int plain_get(run *t, int k, const int64_t *of, codes *wrong, bool *reads)
{
    int slot = plain_persistent(&t->m, k, of);
    *reads = slot == NOBODY || t->m.objects[slot].expired;
    if (!*reads)
        return t->m.objects[slot].to_delete ? NOBODY : slot;
    if (t->depth > 0 && plain_waits(&t->m) && (*wrong = call_flush(t)) != 0)
        return NOBODY;
    const row *r = plain_row(&t->m, k, of);
    if (r) {
        slot = meet_row(t, k, r, false, wrong);
        return *wrong || t->m.objects[slot].to_delete ? NOBODY : slot;
    }
    if (slot != NOBODY && t->m.objects[slot].state == BELAY_PERSISTENT) {
        t->m.objects[slot].state = BELAY_DETACHED;
        t->m.objects[slot].to_delete = false;
    }
    return NOBODY;
}

void call_get(run *t, const op *o)
{
    int k = o->a % KINDS, slot = NOBODY;
    int64_t of[COLUMNS];
    belay_value key[2];
    codes wrong = 0;
    bool reads = false;
    pick_key(t, k, o->b, of);
    for (int i = 0; i < kinds[k].keys; i++)
        key[i] = kinds_value(k, kinds[k].key[i], of[kinds[k].key[i]]);
    tell(t, "belay_get %s [%lld, %lld]", kinds[k].name, (long long)of[0], (long long)of[1]);
    void *real = belay_get_at(t->s, BELAY_HERE, kinds[k].model, (size_t)kinds[k].keys, key);
    belay_code code = call_code(t);
    bool nobody = of[0] == NOTHING || (k == NOTE && of[1] == NOTHING); /* NULL is the key of no row: nothing is done */
    if (call_is_refused(t, code))
        return;
    if (nobody && t->depth == 0)
        code = BELAY_OK;
    if (!nobody)
        slot = plain_get(t, k, of, &wrong, &reads);
    bool good = call_came_to(t, code, wrong);
    if (!wrong)
        expect_pointer(t, slot, real);
    else if (t->depth > 0)
        t->uncertain = true;
    if (t->depth == 0 && reads)
        call_end_lone(t, good);
}

/* ---- belay_find ------------------------------------------------------------------------------------------------- */

typedef struct condition {
    const char *rest;
    int column; /* that is asked for, or -1 */
    int limit;
    bool backwards;
} condition;

static const condition conditions[KINDS][3] = {
    [AUTHOR] = {{"ORDER BY id", -1, ROWS, false},
                {"WHERE code = ? ORDER BY id DESC LIMIT 2", 3, 2, true},
                {"WHERE version = ? ORDER BY id", 6, ROWS, false}},
    [BOOK] = {{"ORDER BY isbn LIMIT 3", -1, 3, false},
              {"WHERE pages = ? ORDER BY isbn DESC", 3, ROWS, true},
              {"WHERE title = ? ORDER BY isbn", 2, ROWS, false}},
    [NOTE] = {{"ORDER BY author_id, number", -1, ROWS, false},
              {"WHERE number = ? ORDER BY author_id LIMIT 1", 1, 1, false},
              {"WHERE made = ? ORDER BY author_id DESC, number DESC", 3, ROWS, true}},
    [TREE] = {{"ORDER BY id DESC", -1, ROWS, true},
              {"WHERE name = ? ORDER BY id", 2, ROWS, false},
              {"ORDER BY id LIMIT 2 FOR UPDATE", -1, 2, false}},
};

static bool is_before(int k, const row *a, const row *b)
{
    for (int i = 0; i < kinds[k].keys; i++)
        if (a->of[kinds[k].key[i]] != b->of[kinds[k].key[i]])
            return a->of[kinds[k].key[i]] < b->of[kinds[k].key[i]];
    return false;
}

/* The rows of a condition, in its order. */
static int select_rows(run *t, int k, const condition *c, int64_t value, const row **out)
{
    int count = 0;
    for (int i = 0; i < ROWS; i++) {
        const row *r = &t->m.rows[k][i];
        if (!r->there || (c->column >= 0 && r->of[c->column] != value))
            continue;
        int at = count++;
        for (; at > 0 && (c->backwards ? is_before(k, out[at - 1], r) : is_before(k, r, out[at - 1])); at--)
            out[at] = out[at - 1];
        out[at] = r;
    }
    return count < c->limit ? count : c->limit;
}

static void expect_list(run *t, void **real, const int *slots, int count)
{
    if (!real || belay_found(real) != (size_t)count || real[count]) {
        differ(t, "how many objects were found", "as many as there are rows", real ? "another number" : "no list");
        return;
    }
    for (int i = 0; i < count && !t->wrong; i++)
        expect_pointer(t, slots[i], real[i]);
}

void call_find(run *t, const op *o)
{
    int k = o->a % KINDS, slots[ROWS], count;
    const condition *c = &conditions[k][o->b % 3];
    const row *rows[ROWS];
    int64_t value = k == NOTE && c->column == 3 && o->c % 3 == 0 ? FRESH : o->c % 5;
    belay_value values[1] = {c->column >= 0 ? kinds_value(k, c->column, value) : belay_null()};
    tell(t, "belay_find %s %s [%lld]", kinds[k].name, c->rest, (long long)value);
    void **real = belay_find_at(t->s, BELAY_HERE, kinds[k].model, c->rest, c->column >= 0, values);
    belay_code code = call_code(t);
    if (call_is_refused(t, code))
        return;
    bool locks = strstr(c->rest, "FOR UPDATE") != NULL, alone = t->depth == 0;
    codes wrong = !alone ? call_flush(t) : locks ? CODE(BELAY_MISUSE) : 0;
    count = wrong ? 0 : select_rows(t, k, c, value, rows);
    for (int i = 0; i < count && !wrong; i++)
        slots[i] = meet_row(t, k, rows[i], locks, &wrong);
    bool good = call_came_to(t, code, wrong);
    if (good)
        expect_list(t, real, slots, count);
    else if (!alone)
        t->uncertain = true;
    if (alone)
        call_end_lone(t, good);
}

/* ---- Again ------------------------------------------------------------------------------------------------------ */

void call_refresh(run *t, const op *o)
{
    int slot = pick_slot(t, KINDS, o->a, likes_persistent);
    if (slot == NOBODY)
        return;
    object *what = &t->m.objects[slot];
    tell(t, "belay_refresh %d", slot);
    belay_code real = belay_refresh(t->s, t->real[slot]);
    if (call_is_refused(t, real))
        return;
    if (!likes_persistent(what)) {
        call_came_to(t, real, CODE(BELAY_MISUSE));
        return;
    }
    const row *r = plain_row(&t->m, what->kind, what->image.of);
    if (call_came_to(t, real, r ? 0 : CODE(BELAY_NOT_FOUND)))
        plain_read(&t->m, what, r);
    if (t->depth == 0)
        call_end_lone(t, true);
}

void call_lock(run *t, const op *o)
{
    int slot = pick_slot(t, KINDS, o->a, likes_persistent);
    if (slot == NOBODY)
        return;
    object *what = &t->m.objects[slot];
    belay_lock_wait how = (belay_lock_wait)(o->b % 3);
    tell(t, "belay_lock %d", slot);
    bool locked = belay_lock(t->s, t->real[slot], how);
    belay_code real = call_code(t);
    if (call_is_refused(t, real))
        return;
    codes wrong = t->depth == 0 || !likes_persistent(what) ? CODE(BELAY_MISUSE) : call_flush(t);
    const row *r = plain_row(&t->m, what->kind, what->image.of);
    bool gone = !wrong && (what->state != BELAY_PERSISTENT || !r);
    if (gone && (how != BELAY_LOCK_SKIP || what->state != BELAY_PERSISTENT))
        wrong = CODE(BELAY_NOT_FOUND);
    bool good = call_came_to(t, real, wrong);
    if (!t->wrong && locked != (good && !gone))
        differ(t, "belay_lock", good && !gone ? "true" : "false", locked ? "true" : "false");
    if (locked)
        plain_read(&t->m, what, r);
}

/* ---- belay_merge ------------------------------------------------------------------------------------------------ */

static int merge_new(run *t, int k, const fields *f)
{
    int slot = t->m.count++;
    object *o = &t->m.objects[slot];
    *o = (object){.kind = k, .held = true, .state = BELAY_PENDING, .before = BELAY_TRANSIENT, .now = *f};
    for (int i = 0; i < kinds[k].columns; i++)
        if (i == kinds[k].version)
            o->now.of[i] = 0;
    const object *p = f->parent == NOBODY ? NULL : &t->m.objects[f->parent];
    if (p && (!p->held || (p->state != BELAY_PENDING && p->state != BELAY_PERSISTENT)))
        o->now.parent = NOBODY;
    o->entered = o->image = o->now;
    o->since = o->order = ++t->clock;
    t->real[slot] = NULL;
    return slot;
}

/* "A pointer to a parent is taken over when that is in the session." */
static void merge_parent(run *t, object *o, const fields *f)
{
    int column = kinds[o->kind].parent;
    const object *p = f->parent == NOBODY ? NULL : &t->m.objects[f->parent];
    bool inside = p && p->held && (p->state == BELAY_PENDING || p->state == BELAY_PERSISTENT);
    if (inside)
        o->now.parent = f->parent;
    else if (o->now.of[column] != f->of[column])
        o->now.parent = NOBODY;
    if (!inside || f->of[column] != NOTHING)
        o->now.of[column] = f->of[column];
}

static codes merge_into(run *t, object *o, const fields *f)
{
    const kind *k = &kinds[o->kind];
    if (k->version >= 0 && f->of[k->version] != 0 && f->of[k->version] != o->now.of[k->version])
        return CODE(BELAY_STALE);
    for (int i = 0; i < k->columns; i++)
        if (i != k->version && i != k->parent && i != k->key[0] && (k->keys == 1 || i != k->key[1]))
            o->now.of[i] = f->of[i];
    if (k->parent >= 0 && k->parent != k->key[0])
        merge_parent(t, o, f);
    return 0;
}

void call_merge(run *t, const op *o)
{
    _Alignas(max_align_t) char source[160] = {0};
    int k = o->a % KINDS, slot = NOBODY;
    fields f;
    codes wrong = 0;
    bool reads;
    read_fields(t, k, source, &f);
    pick_values(t, k, o->c, &f, true);
    int64_t of[COLUMNS];
    pick_key(t, k, o->b, of);
    for (int i = 0; i < kinds[k].keys; i++)
        f.of[kinds[k].key[i]] = of[kinds[k].key[i]];
    if (kinds[k].generated && o->b % 3 == 0)
        f.of[0] = 0;
    if (kinds[k].version >= 0 && o->c % 7 == 6)
        f.of[kinds[k].version] = 1;
    write_fields(t, k, source, &f);
    tell(t, "belay_merge %s [%lld, %lld] with parent %d", kinds[k].name, (long long)f.of[0], (long long)f.of[1],
         f.parent);
    void *real = belay_merge_at(t->s, BELAY_HERE, kinds[k].model, source);
    kinds_free_owned(k, source);
    belay_code code = call_code(t);
    if (call_is_refused(t, code))
        return;
    bool unknown = f.of[0] == NOTHING || (k == NOTE && f.of[1] == NOTHING) || (kinds[k].generated && f.of[0] == 0);
    if (t->depth == 0)
        wrong = CODE(BELAY_MISUSE);
    else if (!unknown)
        slot = plain_get(t, k, f.of, &wrong, &reads);
    if (!wrong && slot != NOBODY)
        wrong = merge_into(t, &t->m.objects[slot], &f);
    else if (!wrong)
        slot = merge_new(t, k, &f);
    if (call_came_to(t, code, wrong))
        expect_pointer(t, slot, real);
    else if (t->depth > 0)
        t->uncertain = true;
}
