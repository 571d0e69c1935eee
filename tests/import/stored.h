/*
 * stored.h - what a text means as a value of a kind, said once more and in another way than by the check: to
 * compare what was written with what an engine gives back.
 */
#ifndef BELAY_TESTS_STORED_H
#define BELAY_TESTS_STORED_H

#include <stdbool.h>
#include <stddef.h>

#include "type.h"

enum { STORED_ROOM = 3000 };

/* Writes what the text means, such that equal values of a kind have equal texts; false when it means nothing to it. */
bool stored_meaning(const belayi_type *, const char *text, size_t size, char out[STORED_ROOM]);

/* Texts of a kind to begin with, NULL behind the last: good ones, and ones that go wrong somewhere. */
const char *const *stored_seeds(const belayi_type *);

/* What docs/import.md leaves out, although an engine would store it as it is written. */
bool stored_is_left_out(const belayi_type *, const char *text);

#endif
