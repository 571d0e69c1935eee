/*
 * members.h - the names of JSON objects: which are wanted as fields, and which the record has.
 * Tests: tests/unit/import/test_reader_jsonl.c.
 */
#ifndef BELAYI_IMPORT_MEMBERS_H
#define BELAYI_IMPORT_MEMBERS_H

#include <stdbool.h>
#include <stddef.h>

#include "arena.h"

typedef struct belayi_member {
    const char *name; /* UTF-8, not NUL-terminated */
    size_t size;
    size_t field; /* which it is, from 0 */
} belayi_member;

typedef struct belayi_members {
    bool selected; /* only those that are wanted are fields; else all, in their order */
    bool strict;   /* one that is not wanted is a flaw */
    size_t wanted_count;
    belayi_member *wanted; /* sorted */
    size_t count, capacity;
    belayi_member *found; /* of the record */
    const char **names;   /* the same, when all are fields: NUL-terminated */
    belayi_arena memory;
} belayi_members;

/* Which are wanted; copied. False: no memory. */
bool belayi_members_select(belayi_members *, size_t count, const char *const *names, bool strict);

/* NULL: it is not wanted. */
const belayi_member *belayi_members_want(belayi_members *, const char *name, size_t size);

/* The record has it. False: no memory. */
bool belayi_members_add(belayi_members *, const char *name, size_t size);

/* One that the record has twice, or NULL; their order is lost. */
const belayi_member *belayi_members_twin(belayi_members *);

void belayi_members_done(belayi_members *);

#endif
