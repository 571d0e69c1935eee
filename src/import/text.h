/*
 * text.h - the file as UTF-8, from the next record on: the window that a record is looked for in.
 *
 * For UTF-8 itself the window is what the stream holds, and nothing is copied. Text
 * in another encoding is decoded line by line; what is no text in it becomes the
 * byte 0xFF, which is none in UTF-8 either, so that one check finds both.
 *
 * The window grows until the record has its end: to no more than `limit` bytes of
 * the file, and one, which tells that there are more.
 *
 * Must not know: formats, records' flaws.
 * Tests: tests/unit/import/test_reader_encodings.c, tests/fuzz/fuzz_reader.c.
 */
#ifndef BELAYI_IMPORT_TEXT_H
#define BELAYI_IMPORT_TEXT_H

#include <stdbool.h>

#include <belay/error.h>

#include "stream.h"

struct belayi_decoder;

typedef struct belayi_text {
    belayi_stream *stream;
    struct belayi_decoder *decoder; /* NULL: UTF-8 */
    size_t limit;
    const char *bytes; /* the window; may be no UTF-8 */
    size_t size;
    bool full;  /* the window is as large as it gets, and the file has more */
    bool ended; /* the window reaches to the end of the file */
    bool drained;
    const char *raw; /* what is held of the file */
    size_t held;
} belayi_text;

/*
 * Opens the text on a stream, which is borrowed; a byte order mark is taken off, and told as the first bytes of the
 * file. BELAY_MISUSE: the encoding is not known, or can't be read line by line. Done in any case.
 */
belay_code belayi_text_open(belayi_text *, belayi_stream *, const char *encoding, size_t limit, const char **out_mark,
                            size_t *out_mark_size, belay_error *error);
void belayi_text_done(belayi_text *);

/* Makes the window larger, which is neither full nor ended. On failure what is there already may be larger too. */
belay_code belayi_text_more(belayi_text *, belay_error *error);

/* Of a record that is the window's first `size` bytes, and ends so many lines, or is `open` and ends with the window:
   how many bytes of the file it is, from text->raw on. */
size_t belayi_text_measure(const belayi_text *, size_t size, size_t lines, bool open);

/* Where in text->raw the byte is to blame for the one at `at` of the window, the first that is no text. */
size_t belayi_text_locate(const belayi_text *, size_t at);

/* The record is done with: that many bytes of the window and of the file. They stay readable until more or rest. */
void belayi_text_consume(belayi_text *, size_t size, size_t raw_size);

/* A record is longer than the window may be: its first bytes, from text->raw on, are done with, and the lines that end
   in them counted. Then belayi_text_rest gives the others, to the end of that line of the file. */
size_t belayi_text_cut(belayi_text *, size_t *out_lines);
/* *out_last: the line has ended with them; *out_lines is 1 then, but at the end of the file. */
belay_code belayi_text_rest(belayi_text *, const char **out_bytes, size_t *out_size, bool *out_last, size_t *out_lines,
                            belay_error *error);

/* The stream was moved. */
void belayi_text_forget(belayi_text *);

#endif
