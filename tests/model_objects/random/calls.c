/*
 * calls.c - each call once on the session and once on the reference model, and whether it came to the same.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "calls.h"
#include "pick.h"

/* ---- What a call came to ---------------------------------------------------------------------------------------- */

static void name_codes(codes set, char *out, size_t room)
{
    size_t used = 0;
    out[0] = '\0';
    for (int code = 0; code < BELAY_ANY && used < room; code++)
        if (set & CODE(code))
            used += (size_t)snprintf(out + used, room - used, "%s%s", used ? " or " : "",
                                     belay_code_name((belay_code)code));
}

bool call_came_to(run *t, belay_code real, codes wanted)
{
    char expected[160];
    name_codes(wanted ? wanted : CODE(BELAY_OK), expected, sizeof expected);
    if (!((wanted ? wanted : CODE(BELAY_OK)) & CODE(real)))
        differ(t, "what a call came to", expected, belay_message(t->s));
    if (t->depth > 0 && real != BELAY_OK) {
        t->pending = real;
        t->from_inside = false;
    }
    if (t->depth == 0)
        belay_status(t->s); /* has been read */
    return real == BELAY_OK && !t->wrong;
}

/* While an error is pending, calls return its code and do nothing. */
bool call_is_refused(run *t, belay_code real)
{
    if (t->pending == BELAY_OK)
        return false;
    if (real != t->pending)
        differ(t, "what a call came to while an error was pending", belay_code_name(t->pending), belay_code_name(real));
    t->from_inside = false; /* it is the scope's own now */
    return true;
}

/* What a call came to that returns no code. */
belay_code call_code(run *t)
{
    return t->depth > 0 ? belay_pending(t->s)->code : belay_status(t->s);
}

static void wipe_lent(run *t)
{
    for (int i = 0; i < t->lent_count; i++) {
        memset(t->lent[i], '?', strlen(t->lent[i]));
        free(t->lent[i]);
    }
    t->lent_count = 0;
}

codes call_flush(run *t)
{
    int64_t keys[SLOTS];
    for (int i = 0; i < t->m.count; i++) {
        keys[i] = -1 - i;
        if (!t->m.objects[i].dead && t->m.objects[i].state == BELAY_PENDING && kinds[t->m.objects[i].kind].generated) {
            int64_t made = kinds_read(t->m.objects[i].kind, 0, t->real[i]);
            belay_state state = belay_state_of(t->s, t->real[i]); /* else all of it was put back already */
            keys[i] = made > 0 && (state == BELAY_PERSISTENT || state == BELAY_DETACHED) ? made : keys[i];
        }
    }
    codes wrong = plain_flush(&t->m, keys);
    if (wrong)
        t->uncertain = true;
    else
        wipe_lent(t);
    return wrong;
}

void call_end_unit(run *t)
{
    plain_end_unit(&t->m);
    t->watched_count = 0;
    t->pending = BELAY_OK;
    t->uncertain = t->fatal = t->from_inside = false;
    wipe_lent(t);
}

void call_end_lone(run *t, bool kept)
{
    for (int i = 0; i < t->m.count && !kept; i++)
        if (plain_is_inside(&t->m.objects[i]))
            t->m.objects[i].now = t->m.objects[i].image;
    call_end_unit(t);
}

/* ---- Making, adding, letting go --------------------------------------------------------------------------------- */

static void call_new(run *t, const op *o)
{
    int k = o->a % KINDS, slot = t->m.count;
    bool own = o->b % 3 == 0;
    fields f;
    void *real = own ? calloc(1, kinds[k].model->object_size) : belay_new_at(t->s, BELAY_HERE, kinds[k].model);
    if (!real) {
        differ(t, "belay_new", "an object", belay_message(t->s));
        return;
    }
    read_fields(t, k, real, &f);
    pick_values(t, k, o->c, &f, false);
    write_fields(t, k, real, &f);
    tell(t, "%s %d: %s, %s", "new", slot, kinds[k].name, own ? "own" : "the session's");
    t->real[slot] = real;
    t->m.objects[slot] = (object){.kind = k, .own = own, .held = !own, .state = BELAY_TRANSIENT, .now = f, .image = f};
    t->m.objects[slot].entered = f;
    t->m.count++;
}

static void plain_add(run *t, object *o)
{
    if (o->state == BELAY_PERSISTENT)
        o->to_delete = false;
    if (o->state != BELAY_TRANSIENT && !(o->state == BELAY_DETACHED && !o->held))
        return;
    o->before = BELAY_TRANSIENT;
    o->state = BELAY_PENDING;
    o->entered = o->image = o->now;
    o->loaded = o->expired = o->to_delete = false;
    o->held = true;
    o->since = o->order = ++t->clock;
}

static void call_add(run *t, const op *o)
{
    int slot = pick_slot(t, KINDS, o->a, o->b % 4 ? likes_transient : likes_any);
    if (slot == NOBODY)
        return;
    object *what = &t->m.objects[slot];
    tell(t, "belay_add %d", slot);
    belay_code real = belay_add_at(t->s, BELAY_HERE, kinds[what->kind].model, t->real[slot]);
    if (call_is_refused(t, real))
        return;
    bool was = what->state == BELAY_DELETED || (what->state == BELAY_DETACHED && what->held);
    if (call_came_to(t, real, t->depth == 0 || was ? CODE(BELAY_MISUSE) : 0))
        plain_add(t, what);
}

/* The program does not keep pointers to what is gone. */
static void clear_pointers(run *t)
{
    for (int i = 0; i < t->m.count; i++) {
        const object *o = &t->m.objects[i];
        if (!o->dead && t->real[i] && kinds[o->kind].parent >= 0 && !plain_is_inside(o) && o->now.parent == NOBODY)
            kinds_set_parent(o->kind, t->real[i], NULL);
    }
}

static void stop_watching(run *t, int slot)
{
    int count = 0;
    for (int i = 0; i < t->watched_count; i++)
        if (t->watched[i].slot != slot)
            t->watched[count++] = t->watched[i];
    t->watched_count = count;
}

static void call_expunge(run *t, const op *o)
{
    int slot = pick_slot(t, KINDS, o->a, likes_any);
    if (slot == NOBODY || t->uncertain || !t->m.objects[slot].held)
        return;
    tell(t, "belay_expunge %d", slot);
    stop_watching(t, slot);
    if (belay_expunge(t->s, t->real[slot]) != BELAY_OK)
        differ(t, "belay_expunge", "no error", belay_message(t->s));
    plain_take_out(&t->m, slot, ++t->clock);
    clear_pointers(t);
}

static void call_expunge_all(run *t, const op *o)
{
    (void)o;
    if (t->uncertain)
        return;
    tell(t, "belay_expunge_all");
    t->watched_count = 0;
    if (belay_expunge_all(t->s) != BELAY_OK)
        differ(t, "belay_expunge_all", "no error", belay_message(t->s));
    ++t->clock;
    for (int i = 0; i < t->m.count; i++)
        if (!t->m.objects[i].dead && t->m.objects[i].held)
            plain_take_out(&t->m, i, t->clock);
    clear_pointers(t);
}

static bool likes_free(const object *o)
{
    return o->own && !o->held && o->state == BELAY_TRANSIENT;
}

static void call_let_go(run *t, const op *o)
{
    int slot = pick_slot(t, KINDS, o->a, likes_free);
    if (slot == NOBODY || t->depth > 0 || !likes_free(&t->m.objects[slot]))
        return;
    tell(t, "free %d", slot);
    for (int i = 0; i < t->m.count; i++)
        if (t->m.objects[i].now.parent == slot)
            t->m.objects[i].now.parent = t->m.objects[i].image.parent = t->m.objects[i].entered.parent = NOBODY;
    clear_pointers(t);
    kinds_free_owned(t->m.objects[slot].kind, t->real[slot]);
    free(t->real[slot]);
    t->m.objects[slot].dead = true;
}

/* ---- Deleting, flushing, expiring ------------------------------------------------------------------------------- */

static void call_delete(run *t, const op *o)
{
    int slot = pick_slot(t, KINDS, o->a, likes_persistent);
    if (slot == NOBODY)
        return;
    object *what = &t->m.objects[slot];
    tell(t, "belay_delete %d", slot);
    belay_code real = belay_delete(t->s, t->real[slot]);
    if (call_is_refused(t, real))
        return;
    bool good = t->depth > 0 && plain_is_inside(what) && what->state != BELAY_PENDING;
    if (call_came_to(t, real, good ? 0 : CODE(BELAY_MISUSE)) && what->state == BELAY_PERSISTENT)
        what->to_delete = true;
}

static void call_flush_now(run *t, const op *o)
{
    (void)o;
    tell(t, "belay_flush");
    belay_code real = belay_flush(t->s);
    if (!call_is_refused(t, real))
        call_came_to(t, real, t->depth > 0 ? call_flush(t) : CODE(BELAY_MISUSE));
}

static void expire(object *o)
{
    o->now = o->image;
    o->expired = true;
}

static void call_expire(run *t, const op *o)
{
    int slot = pick_slot(t, KINDS, o->a, likes_persistent);
    if (slot == NOBODY)
        return;
    object *what = &t->m.objects[slot];
    tell(t, "belay_expire %d", slot);
    belay_code real = belay_expire(t->s, t->real[slot]);
    if (call_is_refused(t, real))
        return;
    if (call_came_to(t, real, likes_persistent(what) ? 0 : CODE(BELAY_MISUSE)))
        expire(what);
}

static void call_expire_all(run *t, const op *o)
{
    (void)o;
    tell(t, "belay_expire_all");
    belay_code real = belay_expire_all(t->s);
    if (call_is_refused(t, real) || !call_came_to(t, real, 0))
        return;
    for (int i = 0; i < t->m.count; i++)
        if (!t->m.objects[i].dead && likes_persistent(&t->m.objects[i]))
            expire(&t->m.objects[i]);
}

/* ---- The program's own changes ---------------------------------------------------------------------------------- */

/* A text that is good until the next flush only, or one in the session's memory. */
static void lend_text(run *t, const op *o, object *what, void *real, int column)
{
    if (!kinds_is_borrowed(what->kind, column) || what->own || !plain_is_inside(what) || t->depth == 0 ||
        t->pending != BELAY_OK)
        return;
    const char *text = kinds_text(what->kind, column, what->now.of[column], false);
    if (text && o->c / 9 % 3 == 0 && t->lent_count < LENT)
        kinds_lend(what->kind, column, real, t->lent[t->lent_count++] = strdup(text));
    else if (text && o->c / 9 % 3 == 1)
        kinds_lend(what->kind, column, real, belay_keep(t->s, text));
}

/* A batch was ended by an error that ends all: which objects it has put back, nobody knows. */
static bool has_left_batch(const run *t)
{
    return t->uncertain && t->fatal;
}

static void call_change(run *t, const op *o)
{
    int slot = pick_slot(t, KINDS, o->a, likes_fresh);
    if (slot == NOBODY || has_left_batch(t))
        return;
    object *what = &t->m.objects[slot];
    const kind *k = &kinds[what->kind];
    int column = o->b % k->columns;
    bool fixed = plain_is_inside(what) && what->state != BELAY_PENDING &&
                 (column == k->version || column == k->key[0] || (k->keys > 1 && column == k->key[1]));
    if (fixed && o->b % 11 != 10)
        return;
    int64_t value = pick_value(t, what->kind, column, o->c);
    tell(t, "change %d: %s = %lld", slot, k->model->columns[column].member, (long long)value);
    what->now.of[column] = value;
    kinds_write(what->kind, column, t->real[slot], value, o->c % 2 == 0);
    lend_text(t, o, what, t->real[slot], column);
}

static bool likes_child(const object *o)
{
    return kinds[o->kind].parent >= 0 && !o->expired && (o->kind != NOTE || o->state == BELAY_TRANSIENT);
}

static void call_parent(run *t, const op *o)
{
    int slot = pick_slot(t, KINDS, o->a, likes_child);
    if (slot == NOBODY || kinds[t->m.objects[slot].kind].parent < 0 || has_left_batch(t))
        return;
    object *what = &t->m.objects[slot];
    int parent = o->b % 4 == 0 ? NOBODY : pick_slot(t, kinds[what->kind].parent_kind, o->b / 4, likes_parent);
    if (what->expired && parent != NOBODY && t->m.objects[parent].own)
        return; /* that it is NULL afterwards is not promised */
    tell(t, "point %d to %d", slot, parent);
    what->now.parent = parent;
    kinds_set_parent(what->kind, t->real[slot], parent == NOBODY ? NULL : t->real[parent]);
}

/* ---- All of them ------------------------------------------------------------------------------------------------- */

typedef void (*call)(run *, const op *);

static const call calls[OP_COUNT] = {
    [OP_NEW] = call_new,         [OP_ADD] = call_add,         [OP_EXPUNGE] = call_expunge,
    [OP_LET_GO] = call_let_go,   [OP_DELETE] = call_delete,   [OP_EXPUNGE_ALL] = call_expunge_all,
    [OP_FLUSH] = call_flush_now, [OP_EXPIRE] = call_expire,   [OP_EXPIRE_ALL] = call_expire_all,
    [OP_CHANGE] = call_change,   [OP_PARENT] = call_parent,   [OP_EXEC] = call_statement,
    [OP_TRY] = call_statement,   [OP_GET] = call_get,         [OP_FIND] = call_find,
    [OP_LOCK] = call_lock,       [OP_REFRESH] = call_refresh, [OP_MERGE] = call_merge,
};

void call_do(run *t, const op *o)
{
    calls[o->kind](t, o);
}
