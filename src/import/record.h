/*
 * record.h - a record of a file, as the reader gives it and the check takes it.
 */
#ifndef BELAYI_IMPORT_RECORD_H
#define BELAYI_IMPORT_RECORD_H

#include <stddef.h>
#include <stdint.h>

typedef enum belayi_field_kind {
    BELAYI_FIELD_BARE,    /* as it stands between two delimiters; may be NULL's text */
    BELAYI_FIELD_QUOTED,  /* stood in quotes: never NULL. A string of JSON */
    BELAYI_FIELD_NUMBER,  /* JSON: the digits as they are written */
    BELAYI_FIELD_BOOLEAN, /* JSON: true or false */
    BELAYI_FIELD_NESTED,  /* JSON: an object or an array, as it is written */
    BELAYI_FIELD_NULL,    /* JSON's null, TSV's \N, or the null text */
    BELAYI_FIELD_MISSING  /* JSON: the object has no such member */
} belayi_field_kind;

/* UTF-8, not NUL-terminated. Borrowed until the next record. */
typedef struct belayi_field {
    const char *text;
    size_t size;
    belayi_field_kind kind;
} belayi_field;

/* Borrowed until the next record, all of it. */
typedef struct belayi_record {
    uint64_t number; /* from 1; a header does not count */
    uint64_t line;   /* the physical line that it begins on, from 1 */
    uint64_t offset; /* of its first byte in the file */
    const char *raw; /* its bytes in the file, in the file's own encoding, with the line end; */
    size_t raw_size; /* all, or when it is longer than max_record, the first: belayi_reader_rest gives the others */
    size_t raw_rest; /* not 0: there are others */
    size_t count;    /* of fields */
    const belayi_field *fields;
    const char *flaw;  /* why it can't be read, for a person; NULL: it is well-formed, and only then fields are good */
    size_t flaw_field; /* which field is to blame, from 1; 0: none */
} belayi_record;

#endif
