/*
 * write.h - INSERT, UPDATE and DELETE of a flush.
 *
 * Each brings one object, or a run of objects of one kind, and its record up to
 * date with the row. The world is busy meanwhile.
 * Tests: tests/model_objects/test_flush.c, test_sent.c.
 */
#ifndef BELAYI_MODEL_WRITE_H
#define BELAYI_MODEL_WRITE_H

#include "order.h"
#include "world.h"

belay_code belayi_write_inserts(belayi_world *, belay_place, const belayi_list *);
/* `columns` are those that changed. */
belay_code belayi_write_update(belayi_world *, belay_place, belayi_object *, belayi_columns columns);
belay_code belayi_write_delete(belayi_world *, belay_place, belayi_object *);

#endif
