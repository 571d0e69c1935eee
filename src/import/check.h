/*
 * check.h - the first gate: whether what is written is a value of a column's type.
 *
 * Exact: what passes is stored by the engine as that value or refused by it, never
 * rounded, cut, padded away or taken for another. The rules are the table in
 * docs/import.md; the same text gives the same verdict on every engine for the same
 * kind and measures, and where engines store different ranges, the column's own
 * range counts.
 *
 * Must not know: files, formats, sessions, engines.
 * Tests: tests/unit/import/test_check.c; against the engines tests/import/test_stored.c.
 */
#ifndef BELAYI_IMPORT_CHECK_H
#define BELAYI_IMPORT_CHECK_H

#include <stdbool.h>

#include <belay/value.h>

#include "arena.h"
#include "catalog.h"
#include "record.h"

enum { BELAYI_WHY_ROOM = 160 };

/*
 * True, with *out_value, which borrows field->text, or memory of the arena where
 * the engine must be given another form of the same value. False: *why says what is
 * wrong with it, in the column's terms: `"twenty" is not a number`.
 */
bool belayi_check_field(const belayi_column *column, const belayi_field *field, struct belayi_arena *arena,
                        belay_value *out_value, char why[BELAYI_WHY_ROOM]);

#endif
