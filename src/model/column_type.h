/*
 * column_type.h - what a member of a struct is in a table: the type that it gets,
 * and whether the type that is there can hold it.
 *
 * Must not know: any engine by name; sessions.
 * Tests: tests/model_objects/test_tables.c, test_differences.c.
 */
#ifndef BELAYI_MODEL_COLUMN_TYPE_H
#define BELAYI_MODEL_COLUMN_TYPE_H

#include <stdbool.h>
#include <stddef.h>

#include <belay/model.h>
#include <belay/sys/driver.h>

#include "catalog.h"
#include "texts.h"

/* The key that a parent's column stands for in the end, whose type it has; another column itself. */
const belay_column_def *belayi_column_type_source(const belay_column_def *);

/* Writes the type, for a column that the engine makes the key in if `generated`. */
void belayi_column_type_add(belayi_draft *, const belay_driver *, const belay_column_def *, bool generated);

/* Whether each value of the member comes back as it was from a column of that type. If not, `out` says why: "..., which
   can't hold ...". A text without .size may be refused by a column for being too long. */
bool belayi_column_type_holds(const belay_driver *, const belay_column_def *, const belayi_column *, char *out,
                              size_t room);

#endif
