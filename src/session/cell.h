/*
 * cell.h - reading a value of a result as another type.
 * Tests: tests/unit/session.
 */
#ifndef BELAYI_SESSION_CELL_H
#define BELAYI_SESSION_CELL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <belay/error.h>
#include <belay/value.h>

/* NULL is 0. False, with *error filled, for a value that is none of the type. */
bool belayi_cell_to_integer(const belay_value *, int64_t *out_number, belay_error *error);
bool belayi_cell_to_real(const belay_value *, double *out_number, belay_error *error);

/* Writes a number as text. Returns its size. */
size_t belayi_cell_write(const belay_value *, char *out, size_t room);

#endif
