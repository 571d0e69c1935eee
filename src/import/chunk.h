/*
 * chunk.h - the records that are under way: read, checked, not yet told.
 *
 * A record is copied in with its bytes and the values that it has for the plan's
 * columns, or with the reason why it has none. Records keep their order.
 *
 * Must not know: the engine; what becomes of the records.
 * Tests: tests/import/test_import.c.
 */
#ifndef BELAYI_IMPORT_CHUNK_H
#define BELAYI_IMPORT_CHUNK_H

#include <stdbool.h>

#include <belay/error.h>
#include <belay/value.h>

#include "arena.h"
#include "plan.h"
#include "record.h"

/* A record of the chunk. */
typedef struct belayi_entry {
    uint64_t number, line, offset;
    const char *raw;
    size_t raw_size;
    const char *why;             /* the first gate refuses it; NULL: it is a row */
    const belayi_column *column; /* that is to blame for `why`, or NULL */
    const char *value;           /* what was written there, or NULL */
    size_t value_size;
    uint64_t left_out; /* JSON: bit i: the plan's column i has no member, and is left to its default */
} belayi_entry;

typedef struct belayi_chunk {
    const belayi_plan *plan;
    size_t room; /* for records */
    size_t count;
    belayi_entry *entries;
    size_t rows; /* of the records that are rows: */
    size_t *row_entries;
    belay_value *values; /* plan->count for each */
    size_t bytes;        /* of all records */
    belayi_arena memory;
} belayi_chunk;

/* What a record needs, besides its bytes. */
size_t belayi_chunk_record_size(const belayi_plan *);

/* An empty one for so many records. False without memory. */
bool belayi_chunk_init(belayi_chunk *, const belayi_plan *, size_t room);
void belayi_chunk_done(belayi_chunk *); /* accepts a zeroed one */

/* Checks a record against the plan and puts it behind the others. There is room. False without memory. */
bool belayi_chunk_add(belayi_chunk *, const belayi_record *);

void belayi_chunk_clear(belayi_chunk *);

#endif
