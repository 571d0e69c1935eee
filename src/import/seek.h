/*
 * seek.h - finds the few bytes that a format cares for, fast.
 *
 * A cursor looks at 64 bytes at once and keeps where in them its bytes are; nearly
 * all bytes of a file are never looked at one by one.
 *
 * Tests: tests/unit/import/test_seek.c.
 */
#ifndef BELAYI_IMPORT_SEEK_H
#define BELAYI_IMPORT_SEEK_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { BELAYI_SEEK_BLOCK = 64 };

typedef struct belayi_seek {
    const char *text;
    size_t size;
    size_t next;   /* the block that comes next */
    uint64_t hits; /* of the block before it */
    char wanted[4];
} belayi_seek;

/* Bit i: block[i] is one of the four bytes. */
static inline uint64_t belayi_seek_block(const char *block, const char wanted[4])
{
    uint64_t hits = 0;
#ifdef __SSE2__
    const __m128i a = _mm_set1_epi8(wanted[0]), b = _mm_set1_epi8(wanted[1]), c = _mm_set1_epi8(wanted[2]),
                  d = _mm_set1_epi8(wanted[3]);
    for (unsigned i = 0; i < BELAYI_SEEK_BLOCK; i += 16) {
        __m128i part = _mm_loadu_si128((const __m128i *)(const void *)(block + i));
        __m128i ab = _mm_or_si128(_mm_cmpeq_epi8(part, a), _mm_cmpeq_epi8(part, b));
        __m128i cd = _mm_or_si128(_mm_cmpeq_epi8(part, c), _mm_cmpeq_epi8(part, d));
        hits |= (uint64_t)(unsigned)_mm_movemask_epi8(_mm_or_si128(ab, cd)) << i;
    }
#else
    for (unsigned i = 0; i < BELAYI_SEEK_BLOCK; i++) {
        char byte = block[i];
        unsigned hit = (byte == wanted[0]) | (byte == wanted[1]) | (byte == wanted[2]) | (byte == wanted[3]);
        hits |= (uint64_t)hit << i;
    }
#endif
    return hits;
}

static inline uint64_t belayi_seek_rest(const char *text, size_t size, const char wanted[4])
{
    char block[BELAYI_SEEK_BLOCK] = {0};
    memcpy(block, text, size);
    return belayi_seek_block(block, wanted) & ((UINT64_C(1) << size) - 1);
}

/* Where the next one is; the text's size when there is none. */
static inline size_t belayi_seek_next(belayi_seek *s)
{
    while (s->hits == 0) {
        size_t left = s->size - s->next;
        if (left == 0)
            return s->size;
        if (left >= BELAYI_SEEK_BLOCK)
            s->hits = belayi_seek_block(s->text + s->next, s->wanted);
        else
            s->hits = belayi_seek_rest(s->text + s->next, left, s->wanted);
        s->next += left >= BELAYI_SEEK_BLOCK ? BELAYI_SEEK_BLOCK : left;
    }
    size_t base = s->next - 1 - (s->next - 1) % BELAYI_SEEK_BLOCK; /* blocks lie one behind the other from 0 */
    size_t at = base + (size_t)__builtin_ctzll(s->hits);
    s->hits &= s->hits - 1;
    return at;
}

#endif
