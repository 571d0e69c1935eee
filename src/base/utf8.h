/*
 * utf8.h - whether bytes are text.
 *
 * Text is UTF-8 as Unicode defines it, and without NUL: overlong forms,
 * surrogates and numbers over U+10FFFF are no text.
 * Tests: tests/unit/base.
 */
#ifndef BELAYI_BASE_UTF8_H
#define BELAYI_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Whether eight bytes are ASCII without NUL: one over 0x7F has its own high bit, and a 0 borrows one. */
static inline bool belayi_utf8_ascii_word(const char *text)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones << 7;
    uint64_t word;
    memcpy(&word, text, sizeof word);
    return (((word - ones) | word) & highs) == 0;
}

/* How many bytes of ASCII without NUL `text` begins with. In line, as nearly all texts are nothing else. */
static inline size_t belayi_utf8_ascii(const char *text, size_t size)
{
    enum { WORD = 8 };
    size_t at = 0;
    while (at + WORD <= size && belayi_utf8_ascii_word(text + at))
        at += WORD;
    if (at + WORD > size && size >= WORD && belayi_utf8_ascii_word(text + size - WORD))
        return size;
    while (at < size && (unsigned char)text[at] - 1u < 0x7F)
        at++;
    return at;
}

/* Whether all `size` bytes are text; else *out_bad_at is where the first character that is none begins. */
bool belayi_utf8_valid(const char *text, size_t size, size_t *out_bad_at);

#endif
