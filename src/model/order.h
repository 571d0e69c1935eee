/*
 * order.h - what is to be written, in the order of the foreign keys.
 *
 * Inserts: parents first. Deletes: children first. Of one level, those of a kind
 * stand together, in the order of belay_add.
 * Tests: tests/model_objects/test_order.c.
 */
#ifndef BELAYI_MODEL_ORDER_H
#define BELAYI_MODEL_ORDER_H

#include <stddef.h>

#include "world.h"

typedef struct belayi_list {
    belayi_object **records;
    size_t count;
} belayi_list;

/* All pending ones, ordered. The arrays are of malloc. BELAY_MISUSE, pending: a circle; a parent that isn't there. */
belay_code belayi_order_inserts(belayi_world *, belay_place, belayi_list *out_list);
/* All that are to be deleted, ordered. */
belay_code belayi_order_deletes(belayi_world *, belay_place, belayi_list *out_list);

/* An object that has changed, and in which columns. */
typedef struct belayi_update {
    belayi_object *record;
    belayi_columns columns;
} belayi_update;

typedef struct belayi_updates {
    belayi_update *list;
    size_t count;
} belayi_updates;

/*
 * All that have changed, by table and key: so that two programs that change the same
 * rows lock them in the same order. Keys of parents are set from the pointers to them.
 * BELAY_MISUSE, pending: a key or version that was changed, a parent that isn't there.
 */
belay_code belayi_order_updates(belayi_world *, belay_place, belayi_updates *out_updates);

/* Sets the keys of the parents from the pointers to them, or the pointers from the keys. */
belay_code belayi_order_settle_parents(belayi_world *, belay_place, belayi_object *);

/* The record of the parent that the column of this struct refers to, by its pointer or its key; NULL: none is there. */
belayi_object *belayi_order_parent(belayi_world *, const belayi_kind *, const belay_column_def *, const void *object);

#endif
