/*
 * field.h - one column of one struct.
 *
 * Reads a member as a value for the driver, and a cell of a result into a member.
 * A cell that does not fit is an error; no value is ever changed to make it fit.
 * It knows nothing of images and records.
 * Tests: tests/model_objects/test_columns.c.
 */
#ifndef BELAYI_MODEL_FIELD_H
#define BELAYI_MODEL_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <belay/error.h>
#include <belay/model.h>
#include <belay/value.h>

/* Whether there is a value: a pointer that is not NULL, a bool beside it that is true, a parent's key that is not 0. */
bool belayi_field_has(const belay_column_def *, const void *object);

/* The member as a value, borrowed from the object. NULL where there is none. */
belay_value belayi_field_value(const belay_column_def *, const void *object);

/* A text or bytes of a member, whatever its kind; NULL data and 0 for none, and for numbers. */
belay_span belayi_field_text(const belay_column_def *, const void *object);

/* The same column of two structs: whether they mean the same value. */
bool belayi_field_equal(const belay_column_def *, const void *a, const void *b);

/* A number of an integer column; 0 for NULL. */
int64_t belayi_field_number(const belay_column_def *, const void *object);
void belayi_field_set_number(const belay_column_def *, void *object, int64_t number);

/*
 * Sets the member from a cell. A text of a pointer is borrowed from the cell: the
 * caller copies it. char[N] is copied. BELAY_DATA names table and column.
 */
belay_code belayi_field_read(const belay_model *, const belay_column_def *, const belay_value *cell, void *object,
                             belay_error *error);

/* Writes "account(7)" or "stock(3, 'A-1')": an object by the key that is in the struct. */
void belayi_field_name_object(const belay_model *, const void *object, char *out, size_t room);

#endif
