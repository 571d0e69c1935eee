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

typedef struct belayi_sample {
    size_t count, left; /* records, and those that were not taken yet: the last ones */
    belayi_record *records;
    belayi_arena memory;
} belayi_sample;

/* Reads the first records, as many as fit; none behind one that is too long. */
belay_code belayi_sample_read(belayi_sample *, belayi_reader *, belay_error *error);

/* The next of them; false when all are taken. */
bool belayi_sample_take(belayi_sample *, const belayi_record **out_record);

void belayi_sample_done(belayi_sample *); /* accepts a zeroed one */

#endif
