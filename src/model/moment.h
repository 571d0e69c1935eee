/*
 * moment.h - a moment out of an engine's text.
 * Tests: tests/model_objects/test_columns.c.
 */
#ifndef BELAYI_MODEL_MOMENT_H
#define BELAYI_MODEL_MOMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Reads "YYYY-MM-DD", with " HH:MM", ":SS" and ".ffffff" behind it, a T for the
 * space, and an offset: Z, +HH, +HHMM, +HH:MM, +HH:MM:SS; without one it is UTC.
 * " BC" at the end is PostgreSQL's. Microseconds since 1970-01-01 00:00 UTC. False
 * for anything else, and for more than six digits of a second unless they are 0.
 */
bool belayi_moment_read(const char *text, size_t size, int64_t *out_microseconds);

#endif
