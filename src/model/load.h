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

/* Reads the row with the key that is in the struct `key`. *out_record is NULL when there is none. */
belay_code belayi_load_key(belayi_world *, belay_place, belayi_kind *, const void *key, belayi_verb,
                           belayi_record **out_record);

/* A list of objects, with NULL behind the last, in the world's memory. NULL with the error pending. */
void *belayi_load_find(belayi_world *, belay_place, belayi_kind *, const char *rest, size_t n,
                       const belay_value *values);

#endif
