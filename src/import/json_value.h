/*
 * json_value.h - the values of one text of JSON (RFC 8259, strictly), one behind the other.
 *
 * Must not know: records, fields' names, that a record is one line.
 * Tests: tests/unit/import/test_reader_jsonl.c, tests/import/reader_oracle.py.
 */
#ifndef BELAYI_IMPORT_JSON_VALUE_H
#define BELAYI_IMPORT_JSON_VALUE_H

#include <stdbool.h>
#include <stddef.h>

#include "record.h"

enum { BELAYI_JSON_DEPTH = 256 };

typedef struct belayi_json {
    const char *text; /* UTF-8, with no NUL in it */
    size_t size, at;
    const char *wrong; /* what is wrong at `at`; NULL: nothing yet */
} belayi_json;

/* Goes past white space, then past that byte if it is there. */
bool belayi_json_take(belayi_json *, char byte);

/* Whether nothing is left but white space. */
bool belayi_json_ends(belayi_json *);

/* A value, as it is written; the text of a string is what is between its quotes. False: ->wrong says why. */
bool belayi_json_value(belayi_json *, belayi_field *out_field);
/* The same, when only a string will do. */
bool belayi_json_string(belayi_json *, belayi_field *out_field);

/* Writes a string's text without its escapes, which is never longer. Returns NULL, or what is wrong with them. */
const char *belayi_json_unescape(const char *text, size_t size, char *out, size_t *out_size);

#endif
