/*
 * values.h - what every driver must make sure of before it binds a value.
 *
 * The rules are those of belay/value.h and the same on every engine; a driver
 * adds what its own engine can't take. Nothing here knows an engine.
 * Tests: tests/unit/drivers/test_values.c.
 */
#ifndef BELAYI_DRIVERS_VALUES_H
#define BELAYI_DRIVERS_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <belay/error.h>
#include <belay/value.h>

/* "YYYY-MM-DD HH:MM:SS.ffffff" and its NUL. */
enum { BELAYI_TIMESTAMP_SIZE = 27 };

/*
 * Whether a value may be bound to the parameter `number` (from 1). BELAY_DATA
 * for an unsigned number over INT64_MAX, a text that is no UTF-8 or has a NUL, a
 * decimal that is none, and a moment outside the years 0000 to 9999;
 * BELAY_MISUSE for data of some size at NULL, and for a type that there isn't.
 * The value itself is never in the message.
 */
belay_code belayi_values_check(const belay_value *value, size_t number, belay_error *error);

/* Whether the text is an optional sign, digits, and optionally a point and digits. */
bool belayi_values_decimal(const char *text, size_t size);

/* Writes the moment, in UTC. False, with *out untouched, outside the years 0000 to 9999. */
bool belayi_values_timestamp(int64_t microseconds, char out[BELAYI_TIMESTAMP_SIZE]);

#endif
