/*
 * plan.h - which column gets what: fields of the file by name or by number, values
 * that are the same in each row, and the key that tells rows apart.
 *
 * Must not know: records, engines.
 * Tests: tests/import/test_import.c.
 */
#ifndef BELAYI_IMPORT_PLAN_H
#define BELAYI_IMPORT_PLAN_H

#include <stdbool.h>

#include <belay/import.h>
#include <belay/value.h>

#include "arena.h"
#include "catalog.h"

enum { BELAYI_NO_FIELD = -1 };

typedef struct belayi_plan_column {
    const belayi_column *column;
    long field;        /* of a record, from 0; BELAYI_NO_FIELD: each row gets `value` */
    belay_value value; /* memory of the plan's */
    bool is_key;
} belayi_plan_column;

typedef struct belayi_plan {
    const belayi_table *table;
    size_t count;
    belayi_plan_column *columns; /* that are written, in the order of the statement */
    size_t fields;               /* a record has so many, */
    bool more_fields;            /* or more */
    size_t key_count;
    const char **names;      /* of JSON's members, where the file has no names of its own: `fields` of them */
    bool names_are_complete; /* another member is a mistake */
    belayi_arena memory;
} belayi_plan;

/* Makes a plan for a file with these names (count 0: it has none). The table is borrowed. */
belay_code belayi_plan_make(belayi_plan *out_plan, const belay_import_spec *spec, const belayi_table *table,
                            size_t count, const char *const *names, belay_error *error);
void belayi_plan_done(belayi_plan *); /* accepts a zeroed one */

#endif
