/*
 * reading.h - what the tests of the reader share: a file, and what is to be read of it.
 *
 * Records are written so, a line each:
 *
 *     1 2 8: a|"b"|~        record 1 on physical line 2 at byte 8: a bare field, one in quotes, NULL
 *     2 3 15! 2: why        a flaw, of field 2
 *
 * Numbers of JSON are #1, booleans ?true, nested values &[1], members that are missing -. Bytes that are no printable
 * ASCII are \x0A.
 */
#ifndef BELAYI_TEST_READING_H
#define BELAYI_TEST_READING_H

#include "../../support/records.h"

/* A text with what is known of its size, NULs included. */
#define FILE_OF(text) (text), sizeof(text) - 1

/*
 * Reads the file at once and in pieces of several sizes; all must say the same, the raw bytes must be the file, and the
 * places must be those that counting finds. What was read must be `expected`.
 */
void expect_records(const char *file, size_t size, const belayi_reader_options *, const char *expected);
void expect_selected(const char *file, size_t size, const belayi_reader_options *, const selection *,
                     const char *expected);

/* The reader can't be opened: the code, and how the message begins. */
void expect_refused(const char *file, size_t size, const belayi_reader_options *, belay_code, const char *message);

/* CSV without a header; TSV; JSON lines. */
belayi_reader_options bare_csv(void);
belayi_reader_options bare_tsv(void);
belayi_reader_options json_lines(void);

#endif
