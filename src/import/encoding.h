/*
 * encoding.h - a line of text in another encoding than UTF-8, by iconv.
 *
 * Lines are cut before they are decoded, and everything else is found behind that.
 * So an encoding can be read in which a byte of a character looks like a comma or a
 * backslash (Shift-JIS, GBK, Big5, ISO-2022-JP), but none in which one looks like a
 * line end: iconv knows none where LF and CR are what they are in ASCII. In those
 * of two and four bytes a character, line ends are whole characters.
 *
 * Must not know: streams, records.
 * Tests: tests/unit/import/test_reader_encodings.c, tests/import/reader_oracle.py.
 */
#ifndef BELAYI_IMPORT_ENCODING_H
#define BELAYI_IMPORT_ENCODING_H

#include <iconv.h>
#include <stdbool.h>
#include <stddef.h>

#include <belay/error.h>

enum { BELAYI_UNIT_MAX = 4 };

typedef struct belayi_encoding {
    iconv_t to_utf8;
    size_t unit; /* bytes of which a character has one or more: 1, 2 (UTF-16) or 4 (UTF-32) */
    size_t low;  /* which of them is that of ASCII */
} belayi_encoding;

/* Whether a name is one of UTF-8; NULL is. */
bool belayi_encoding_is_utf8(const char *name);

/*
 * `head` is what the file begins with, BELAYI_UNIT_MAX bytes if it has as many: *out_mark of them are a byte order
 * mark. BELAY_MISUSE: iconv doesn't know the name, or the encoding has other line ends than ASCII. BELAY_DATA: the byte
 * order is not the one that the name says, or can't be known.
 */
belay_code belayi_encoding_open(belayi_encoding *, const char *name, const char *head, size_t size, size_t *out_mark,
                                belay_error *error);
void belayi_encoding_close(belayi_encoding *);

/* The character at `raw` if it is in ASCII; -1: another, or a part of one. */
int belayi_encoding_ascii(const belayi_encoding *, const char *raw, size_t size);

/* The size of the line that `raw` begins with; 0: its end is not in it, or, unless `last`, may go on behind it. */
size_t belayi_encoding_line(const belayi_encoding *, const char *raw, size_t size, bool last, size_t *out_end_size);

/*
 * Decodes a line without its end. What is no text becomes a byte 0xFF each. Returns how much was written, or SIZE_MAX
 * when there is too little room.
 */
size_t belayi_encoding_decode(belayi_encoding *, const char *raw, size_t size, char *out, size_t room);

/* Where the first byte of a line is that is no text; `size` when there is none. */
size_t belayi_encoding_find_bad(belayi_encoding *, const char *raw, size_t size);

#endif
