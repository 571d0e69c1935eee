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
    belayi_record **records;
    size_t count;
} belayi_list;

/* All pending ones, ordered. The arrays are of malloc. BELAY_MISUSE, pending: a circle; a parent that isn't there. */
belay_code belayi_order_inserts(belayi_world *, belay_place, belayi_list *out_list);
/* All that are to be deleted, ordered. */
belay_code belayi_order_deletes(belayi_world *, belay_place, belayi_list *out_list);

#endif
