/*
 * merge.h - the values of a struct of the program's, in an object of the session.
 * Tests: tests/model_objects/test_merge.c.
 */
#ifndef BELAYI_MODEL_MERGE_H
#define BELAYI_MODEL_MERGE_H

#include "world.h"

/* belay_merge. NULL with the error pending. */
void *belayi_merge(belayi_world *, belay_place, belayi_kind *, const void *source);

#endif
