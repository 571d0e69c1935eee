#include "pick.h"

#include <string.h>

int slot_of(const run *t, const void *real)
{
    for (int i = 0; real && i < t->m.count; i++)
        if (!t->m.objects[i].dead && t->real[i] == real)
            return i;
    return NOBODY;
}

bool likes_any(const object *o)
{
    return !o->dead;
}

bool likes_transient(const object *o)
{
    return o->state == BELAY_TRANSIENT;
}

bool likes_persistent(const object *o)
{
    return o->held && o->state == BELAY_PERSISTENT;
}

bool likes_fresh(const object *o)
{
    return !o->expired;
}

bool likes_parent(const object *o)
{
    return !o->to_delete && (o->state == BELAY_PENDING || o->state == BELAY_PERSISTENT);
}

int pick_slot(const run *t, int k, int number, liked likes)
{
    int slots[SLOTS], count = 0;
    bool strict = number % 23 != 22;
    for (int i = 0; i < t->m.count; i++) {
        const object *o = &t->m.objects[i];
        if (!o->dead && t->real[i] && (k == KINDS || o->kind == k) && (!strict || likes(o)))
            slots[count++] = i;
    }
    return count > 0 ? slots[number % count] : NOBODY;
}

/* The number-th row of a table, if there are so many. */
static const row *pick_row(const run *t, int k, int number)
{
    int count = plain_count_rows(&t->m, k), at = count > 0 ? number % count : 0;
    for (int i = 0; i < ROWS && count > 0; i++)
        if (t->m.rows[k][i].there && at-- == 0)
            return &t->m.rows[k][i];
    return NULL;
}

void pick_key(const run *t, int k, int number, int64_t *of)
{
    const row *r = pick_row(t, k, number / 4);
    int slot = pick_slot(t, k, number / 4, likes_any);
    memset(of, 0, COLUMNS * sizeof of[0]);
    if (number % 4 < 2 && r)
        memcpy(of, r->of, COLUMNS * sizeof of[0]);
    else if (number % 4 == 2 && slot != NOBODY)
        memcpy(of, t->m.objects[slot].now.of, COLUMNS * sizeof of[0]);
    else if (k == NOTE) {
        pick_key(t, AUTHOR, number, of);
        of[0] = of[0] == 0 ? NOTHING : of[0];
        of[1] = number / 16 % 4;
    } else {
        of[0] = kinds[k].generated ? GIVEN_KEY + number / 4 % 4 * 100 : number / 4 % NUMBERS;
    }
}

int64_t pick_value(const run *t, int k, int column, int number)
{
    int64_t key[COLUMNS];
    bool is_array = k == AUTHOR && column == 3;
    if (column == kinds[k].parent) {
        pick_key(t, kinds[k].parent_kind, number, key);
        return number % 5 == 4 || key[0] == 0 ? NOTHING : key[0];
    }
    if (k == AUTHOR && column == 4 && number % 23 == 0)
        return 60;
    if (k == BOOK && column == 3)
        return number % 23 == 0 ? -1 : number % NUMBERS;
    if ((k == AUTHOR || k == TREE) && column == 0)
        return number % 4 < 3 ? 0 : GIVEN_KEY + number / 4 % 4 * 100;
    if ((k == NOTE && column == 1) || column == kinds[k].version)
        return number % 4;
    if (is_array || number % 9 != 8 || (k == BOOK && column == 2 && number % 4 != 0))
        return number % NUMBERS;
    return NOTHING;
}

void pick_values(run *t, int k, int number, fields *f, bool keeps_key)
{
    const kind *what = &kinds[k];
    for (int i = 0; i < what->columns; i++) {
        bool is_key = i == what->key[0] || (what->keys > 1 && i == what->key[1]);
        if (i == what->version || (is_key && keeps_key))
            continue;
        if (i != what->parent)
            f->of[i] = pick_value(t, k, i, number + 7 * i);
    }
    if (what->parent < 0 || (k == NOTE && keeps_key))
        return;
    if (number % 4 == 3)
        f->of[what->parent] = pick_value(t, k, what->parent, number / 4);
    else if (k == NOTE || number % 4 > 0)
        f->parent = pick_slot(t, what->parent_kind, number / 4, likes_parent);
}

void write_fields(run *t, int k, void *real, const fields *f)
{
    for (int i = 0; i < kinds[k].columns; i++)
        if (kinds_read(k, i, real) != f->of[i])
            kinds_write(k, i, real, f->of[i], f->of[i] % 2 == 0);
    if (kinds[k].parent >= 0)
        kinds_set_parent(k, real, f->parent == NOBODY ? NULL : t->real[f->parent]);
}

void read_fields(run *t, int k, const void *real, fields *f)
{
    *f = (fields){.parent = NOBODY};
    for (int i = 0; i < kinds[k].columns; i++)
        f->of[i] = kinds_read(k, i, real);
    void *parent = kinds_parent(k, real);
    f->parent = parent ? slot_of(t, parent) : NOBODY;
}
