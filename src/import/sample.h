/*
 * sample.h - the first records of a file, kept to be read once more: the types of a
 * table that is made are found by them.
 *
 * Must not know: types, the database.
 * Tests: tests/import/test_create.c.
 */
#ifndef BELAYI_IMPORT_SAMPLE_H
#define BELAYI_IMPORT_SAMPLE_H

#include <stdbool.h>

#include "arena.h"
#include "reader.h"

/* Which members a record of JSON lines has. */
typedef struct belayi_sampled {
    size_t count;
    const char **names;
    const belayi_field *fields;
} belayi_sampled;

typedef struct belayi_sample {
    size_t count, left; /* records, and those that were not taken yet: the last ones */
    belayi_record *records;
    belayi_sampled *members; /* NULL: their fields have no names of their own */
    size_t name_count;
    const char **names; /* of all members, each once, in the order in which they first appear */
    belayi_arena memory;
} belayi_sample;

/* Reads the first records, as many as fit; none behind one that is too long. `members`: fields have names of their own,
   and nothing was selected. */
belay_code belayi_sample_read(belayi_sample *, belayi_reader *, bool members, belay_error *error);

/* As belayi_reader_select does for what follows: the fields are those members, in that order. Can be done again. False:
   no memory. */
bool belayi_sample_select(belayi_sample *, size_t count, const char *const *names);

/* The next of them; false when all are taken. */
bool belayi_sample_take(belayi_sample *, const belayi_record **out_record);

void belayi_sample_done(belayi_sample *); /* accepts a zeroed one */

#endif
