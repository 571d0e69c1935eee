/*
 * compare.c - every state, field, pointer and row of both sides.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pick.h"

void differ(run *t, const char *what, const char *expected, const char *actual)
{
    if (t->wrong)
        return;
    t->wrong = what;
    snprintf(t->expected, sizeof t->expected, "%s", expected);
    snprintf(t->actual, sizeof t->actual, "%s", actual);
    tell(t, "DIFFERS: %s: expected %s, actual %s", what, t->expected, t->actual);
}

void tell(run *t, const char *format, ...)
{
    va_list args;
    if (!t->tells)
        return;
    printf("%*s", 4 + 4 * t->depth, "");
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
}

static void differ_number(run *t, int slot, const char *what, int64_t expected, int64_t actual)
{
    char where[64], wanted[40], found[40];
    snprintf(where, sizeof where, "object %d", slot);
    snprintf(wanted, sizeof wanted, "%s %lld", what, (long long)expected);
    snprintf(found, sizeof found, "%lld", (long long)actual);
    differ(t, "a field", wanted, found);
    tell(t, "%s", where);
}

static void compare_parent(run *t, int slot, const object *o)
{
    void *real = kinds_parent(o->kind, t->real[slot]);
    int expected = o->now.parent;
    if (real && expected != NOBODY && !t->real[expected] && slot_of(t, real) == NOBODY)
        t->real[expected] = real; /* one that was never seen */
    if (real != (expected == NOBODY ? NULL : t->real[expected]))
        differ_number(t, slot, "pointer to", expected, real ? slot_of(t, real) : NOBODY);
}

static void compare_object(run *t, int slot)
{
    const object *o = &t->m.objects[slot];
    belay_state state = belay_state_of(t->s, t->real[slot]);
    if (state != o->state)
        differ_number(t, slot, "state", o->state, state);
    for (int i = 0; i < kinds[o->kind].columns && !t->wrong; i++) {
        int64_t value = kinds_read(o->kind, i, t->real[slot]);
        if (value != o->now.of[i])
            differ_number(t, slot, kinds[o->kind].model->columns[i].member, o->now.of[i], value);
    }
    if (!t->wrong && kinds[o->kind].parent >= 0)
        compare_parent(t, slot, o);
}

/* ---- Texts that must stay --------------------------------------------------------------------------------------- */

static const char *text_at(const object *o, int column, const void *real)
{
    const char *text;
    memcpy(&text, (const char *)real + kinds[o->kind].model->columns[column].offset, sizeof text);
    return text;
}

/* Or the program's, and good until the next flush only. */
static bool is_watched(const run *t, const char *text)
{
    for (int i = 0; i < t->lent_count; i++)
        if (t->lent[i] == text)
            return true;
    for (int i = t->watched_count - 1; i >= 0; i--)
        if (t->watched[i].text == text)
            return true;
    return false;
}

/* The session's own texts, in its own objects, from now on. */
static void watch(run *t, int slot)
{
    const object *o = &t->m.objects[slot];
    if (t->depth == 0 || o->own || o->state != BELAY_PERSISTENT || o->expired || plain_is_changed(o))
        return;
    for (int i = 0; i < kinds[o->kind].columns && t->watched_count < WATCHED; i++) {
        const char *text = kinds_is_borrowed(o->kind, i) ? text_at(o, i, t->real[slot]) : NULL;
        if (!text || is_watched(t, text))
            continue;
        watched *w = &t->watched[t->watched_count++];
        w->slot = slot;
        w->text = text;
        snprintf(w->copy, sizeof w->copy, "%s", text);
    }
}

void compare_objects(run *t)
{
    for (int i = 0; i < t->watched_count && !t->wrong; i++)
        if (strcmp(t->watched[i].text, t->watched[i].copy) != 0)
            differ(t, "a text of the session's", t->watched[i].copy, t->watched[i].text);
    for (int i = 0; i < t->m.count && !t->wrong && !t->uncertain; i++)
        if (!t->m.objects[i].dead && t->real[i]) {
            compare_object(t, i);
            watch(t, i);
        }
}

/* ---- Rows ------------------------------------------------------------------------------------------------------- */

static void compare_row(run *t, int k, const belay_rows *cells)
{
    int64_t of[COLUMNS] = {0};
    for (int i = 0; i < kinds[k].columns; i++)
        of[i] = kinds_cell(k, i, cells);
    const row *r = plain_row(&t->m, k, of);
    if (!r)
        differ(t, "a row", "none of its key", kinds[k].name);
    for (int i = 0; r && i < kinds[k].columns && !t->wrong; i++)
        if (r->of[i] != of[i])
            differ_number(t, NOBODY, kinds[k].model->columns[i].member, r->of[i], of[i]);
}

void compare_rows(run *t)
{
    for (int k = 0; k < KINDS && !t->wrong; k++) {
        int count = 0;
        BELAY_EACH(cells, t->other, kinds[k].select) {
            count++;
            compare_row(t, k, cells);
        }
        if (belay_status(t->other) != BELAY_OK)
            differ(t, "reading the rows", "no error", belay_message(t->other));
        if (count != plain_count_rows(&t->m, k))
            differ(t, "how many rows there are", "as many as in the model", kinds[k].name);
    }
}
