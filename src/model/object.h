/*
 * object.h - what the public calls on objects share.
 *
 * A call takes the session's guard, looks with these whether it may go on, and
 * finds its record. All raise what is wrong, and return NULL then.
 * Tests: tests/model_objects.
 */
#ifndef BELAYI_MODEL_OBJECT_H
#define BELAYI_MODEL_OBJECT_H

#include "world.h"

/* Nothing is pending: the world, made when there is none. */
belayi_world *belayi_object_enter(belay_session *, belay_place);
/* The same for a call that needs a scope. */
belayi_world *belayi_object_enter_in_scope(belay_session *, belay_place, const char *call);

/* The record of an object in the session; of one that is persistent. */
belayi_object *belayi_object_find(belayi_world *, belay_place, const void *object, const char *call);
belayi_object *belayi_object_find_persistent(belayi_world *, belay_place, const void *object, const char *call);

/* belay_get and belay_add, behind their guard. */
belayi_object *belayi_object_get(belayi_world *, belay_place, belayi_kind *, size_t n, const belay_value *values);
belay_code belayi_object_add(belayi_world *, belay_place, belayi_kind *, void *object);

#endif
