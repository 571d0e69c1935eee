/*
 * load.h - SELECT: rows become objects.
 *
 * One row is one object: what is in the map already, and not expired, stays as it
 * is, unless it is to be read again.
 * Tests: tests/model_objects/test_get.c, test_find.c, test_lock.c.
 */
#ifndef BELAYI_MODEL_LOAD_H
#define BELAYI_MODEL_LOAD_H

#include "texts.h"
#include "world.h"

/* Reads the row with that key, all parts of it; `again`: into its object, also when that is not expired, or was
 *changed. out_record is NULL when there is no row. */
belay_code belayi_load_key(belayi_world *, belay_place, belayi_kind *, const belay_value *key, belayi_verb, bool again,
                           belayi_object **out_record);
/* The same for the row of a record. */
belay_code belayi_load_again(belayi_world *, belay_place, belayi_object *, belayi_verb, belayi_object **out_record);

/* Reads some columns of a row into the object, which is in the session. Not its image. */
belay_code belayi_load_columns(belayi_world *, belayi_object *, belayi_columns, belay_value *cells, belay_error *error);

/* A list of objects, with NULL behind the last, in the world's memory. NULL with the error pending. */
void *belayi_load_find(belayi_world *, belay_place, belayi_kind *, const char *rest, size_t n,
                       const belay_value *values);

#endif
