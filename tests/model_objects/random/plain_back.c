/*
 * plain_back.c - objects that leave the session, and those that are put back by a rollback.
 */
#include "plain.h"

#include <string.h>

/* ---- Out of the session, and back ------------------------------------------------------------------------------- */

/* Nobody points to it. What is out of the session the program itself sets to NULL. */
static void forget_parent(plain *m, int slot)
{
    for (int i = 0; i < m->count; i++) {
        object *o = &m->objects[i];
        if (o->now.parent == slot)
            o->now.parent = NOBODY;
        if (o->image.parent == slot)
            o->image.parent = NOBODY;
        if (o->entered.parent == slot)
            o->entered.parent = NOBODY;
    }
}

void plain_take_out(plain *m, int slot, int now)
{
    object *o = &m->objects[slot];
    o->gone = now;
    if (o->own)
        o->state = o->state == BELAY_PENDING || o->state == BELAY_TRANSIENT ? BELAY_TRANSIENT : BELAY_DETACHED;
    else
        o->dead = true;
    o->held = o->to_delete = false;
    forget_parent(m, slot);
}

/* Out of its scope: "One that was added in it has the columns that it had at belay_add, and is transient again. One
   that was loaded in it stays, and is expired." */
static void put_out(object *o)
{
    o->now = o->image = o->entered;
    o->to_delete = false;
    o->expired = o->loaded;
    o->state = o->loaded ? BELAY_PERSISTENT : o->before;
    o->held = o->loaded || !o->own;
    if (!o->loaded)
        o->since = 0;
}

static void put_back_object(plain *m, int slot, const plain *then, int since)
{
    object *o = &m->objects[slot];
    const object *was = slot < then->count ? &then->objects[slot] : NULL;
    bool out = !o->held || o->state == BELAY_TRANSIENT;
    if (o->dead || (o->gone > since && out))
        return;
    if (o->since > since && !out) {
        put_out(o);
    } else if (was && was->held && was->state != BELAY_TRANSIENT &&
               !(was->state == BELAY_DETACHED && o->state == BELAY_DETACHED)) {
        fields entered = o->entered;
        *o = *was;
        o->entered = entered;
        if (o->image.parent != NOBODY && m->objects[o->image.parent].gone > since)
            o->image.parent = NOBODY; /* it was taken out since */
        o->now = o->image;
    }
}

/* "Or it is detached, where another one that was deleted in the scope stands for the row again." */
static void give_way(plain *m)
{
    for (int i = 0; i < m->count; i++)
        for (int j = 0; j < m->count; j++) {
            const object *o = &m->objects[i];
            object *late = &m->objects[j];
            if (o->held && o->state == BELAY_PERSISTENT && late->held && late->state == BELAY_PERSISTENT &&
                o->kind == late->kind && o->order < late->order &&
                plain_same_key(o->kind, o->image.of, late->image.of)) {
                late->state = BELAY_DETACHED;
                late->to_delete = false;
                late->since = 0; /* that it came is no scope's business any more */
            }
        }
}

void plain_put_back(plain *m, const plain *then, int since)
{
    memcpy(m->rows, then->rows, sizeof m->rows);
    for (int i = 0; i < m->count; i++)
        put_back_object(m, i, then, since);
    give_way(m);
}

static void end_object(object *o)
{
    bool was_inside = plain_is_inside(o);
    if (o->own && was_inside) { /* "it is detached when that committed" */
        o->state = BELAY_DETACHED;
        o->held = false;
    } else if (o->own) {
        o->state = BELAY_TRANSIENT; /* "until the next outermost scope has ended" */
        o->held = false;
    } else if (o->state == BELAY_DELETED) {
        o->state = BELAY_DETACHED;
    } else if (o->state == BELAY_PERSISTENT) {
        o->expired = true;
    }
    o->since = 0;
}

void plain_end_unit(plain *m)
{
    for (int i = 0; i < m->count; i++)
        if (!m->objects[i].dead)
            end_object(&m->objects[i]);
    for (int i = 0; i < m->count; i++) {
        object *o = &m->objects[i];
        bool lives = !o->dead && plain_is_inside(o);
        if (lives && o->now.parent != NOBODY && m->objects[o->now.parent].own)
            o->now.parent = NOBODY;
        if (lives && o->image.parent != NOBODY && m->objects[o->image.parent].own)
            o->image.parent = NOBODY;
    }
}
