/*
 * parse.h - what the formats share: one record, looked for at the beginning of a text.
 *
 * Each format has one function. It says how long the record is, also when it is
 * malformed, or that the text ends before that can be known. Fields lie in the text
 * itself, or, where escapes were taken out, in the parse's own memory.
 *
 * Must not know: streams, encodings, records before and after.
 * Tests: tests/unit/import/test_reader_*.c.
 */
#ifndef BELAYI_IMPORT_PARSE_H
#define BELAYI_IMPORT_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <belay/macros.h>

#include "record.h"

enum { BELAYI_FIELDS_MAX = 65536, BELAYI_FLAW_ROOM = 256 };

typedef struct belayi_parse {
    /* How the file is written. */
    const char *null;
    size_t null_size;
    size_t limit;                   /* for the text of a flaw */
    struct belayi_members *members; /* JSON lines: which are wanted, and which were found */
    char delimiter, quote;
    bool full; /* the text ends because it is too long already */

    /* What was found. */
    bool open; /* the record ends with the text, without a line end */
    bool flawed;
    bool unfinished;
    bool no_memory; /* the parse failed */
    size_t size;    /* of the record, with its line end */
    size_t lines;   /* physical lines that it ends */
    size_t count;
    belayi_field *fields;
    size_t flaw_field;
    char flaw[BELAYI_FLAW_ROOM];

    /* Memory, and what was looked at. */
    size_t capacity;
    char *spare; /* for fields without their escapes: never more than the record has */
    size_t spare_size, spare_capacity;
    uint64_t looked;
} belayi_parse;

/* False: the text ends before the record's end is known; never when `last`. `size` is not 0. */
typedef bool belayi_parse_record(belayi_parse *, const char *text, size_t size, bool last);
belayi_parse_record belayi_csv_find, belayi_tsv_find, belayi_jsonl_find;

/* Then, of a record without a flaw that asks for it (p->unfinished), whose bytes are UTF-8: takes escapes out; the
   fields of JSON are found only now. May find a flaw. False: no memory. */
typedef bool belayi_parse_finish(belayi_parse *, const char *text);
belayi_parse_finish belayi_csv_finish, belayi_tsv_finish, belayi_jsonl_finish;

void belayi_parse_begin(belayi_parse *);
void belayi_parse_done(belayi_parse *);
void belayi_parse_flaw(belayi_parse *, size_t field, const char *format, ...) BELAYI_PRINTF(3, 4);
bool belayi_parse_grow(belayi_parse *);               /* room for one more field; else a flaw, or no memory */
bool belayi_parse_spare(belayi_parse *, size_t size); /* that much of spare memory in all */

static inline void belayi_parse_add(belayi_parse *p, const char *text, size_t size, belayi_field_kind kind)
{
    if (p->count < p->capacity || belayi_parse_grow(p))
        p->fields[p->count++] = (belayi_field){text, size, kind};
}

#endif
