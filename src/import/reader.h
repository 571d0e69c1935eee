/*
 * reader.h - the records of a file, one by one.
 *
 * Every byte of the file belongs to the header or to exactly one record, also when
 * it is malformed: a flaw is told with the record, and reading goes on behind it.
 * Bounded: no more than max_record bytes and one buffer are held, and the time for
 * any file grows with its length, not with its square.
 *
 * What ends a malformed record: where a quote is at fault (text behind a closing
 * quote, a quote inside a bare field, one that is never closed, or not within
 * max_record), the record is its first physical line, and reading goes on at the
 * next; so a stray quote costs one line. One that is longer than max_record for
 * another reason ends with the physical line in which it becomes that. A wrong
 * number of fields is no flaw here.
 *
 * Must not know: columns, types, the database.
 * Tests: tests/unit/import, tests/fuzz/fuzz_reader.c.
 */
#ifndef BELAYI_IMPORT_READER_H
#define BELAYI_IMPORT_READER_H

#include <stdbool.h>

#include <belay/error.h>
#include <belay/import.h>

#include "record.h"
#include "stream.h"

/* How the file is written; texts are borrowed as long as the reader lives. */
typedef struct belayi_reader_options {
    belay_import_format format;
    char delimiter, quote; /* set, where the format has them */
    const char *null;      /* or NULL: the format's own */
    const char *encoding;  /* or NULL: UTF-8 */
    bool header;           /* CSV, TSV: the first record has the names */
    size_t max_record;     /* bytes of the file, with the line end; set, and at least 16 */
} belayi_reader_options;

typedef struct belayi_reader belayi_reader;

/* Opens a reader on a stream, which it borrows; a byte order mark is taken off, and the header read. NULL on failure,
   with *error: the encoding is not known, the header malformed or with a name twice, no memory, the source failed. */
belayi_reader *belayi_reader_open(belayi_stream *, const belayi_reader_options *, belay_error *error);
void belayi_reader_close(belayi_reader *); /* accepts NULL */

/* The names of the header, in UTF-8 and NUL-terminated; 0 names without one, also of an empty file. JSON lines: those
   of the record that was read last, as long as nothing was selected. */
size_t belayi_reader_names(const belayi_reader *, const char *const **out_names);
/* The header's bytes as they are in the file, behind those of a byte order mark, which are given without a header too.
 */
const char *belayi_reader_header(const belayi_reader *, size_t *out_size);

/* JSON lines: which members the fields are, in order; each once; copied. A member that is not among them is a flaw when
   `strict`. Before the first record; without it all members are fields, in the order of their record. */
belay_code belayi_reader_select(belayi_reader *, size_t count, const char *const *names, bool strict,
                                belay_error *error);

/* BELAY_OK and a record, or BELAY_OK and NULL at the end; else the source failed or memory ran out. */
belay_code belayi_reader_next(belayi_reader *, const belayi_record **out_record, belay_error *error);

/* Of a record with raw_rest: the next of its bytes, *out_size 0 at their end; good until the next call, and ->raw is
   good until the first. May be left out: next goes past them. */
belay_code belayi_reader_rest(belayi_reader *, const char **out_bytes, size_t *out_size, belay_error *error);

/* Goes on behind what was read before: at that offset and line, that many records in. Before the first record;
   the stream must have been brought there (belayi_stream_skip). The header, if any, was read. */
void belayi_reader_resume(belayi_reader *, uint64_t offset, uint64_t line, uint64_t records);

/* Where the next record begins. The stream is consumed up to there, so that its hash is of just that. */
uint64_t belayi_reader_offset(const belayi_reader *);
uint64_t belayi_reader_line(const belayi_reader *);

/* For tests: how many bytes were looked at to find records, some more than once. */
uint64_t belayi_reader_looked(const belayi_reader *);

#endif
