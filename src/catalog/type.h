/*
 * type.h - a declared type of a column, read.
 *
 * The kinds are about values and not about storage: what is written as a value of
 * it. Engines with more than one name for a kind are told apart by measures only.
 *
 * Where a name binds the engine to little (BELAY_TYPES_LOOSE), the types are what
 * the table was declared with, by name where the name is a standard one (DATE,
 * NUMERIC(12,2), VARCHAR(20), BOOLEAN ...), also where the engine itself would store
 * anything in it; a name that says nothing is OTHER. A number in parentheses counts,
 * as somebody wrote it; a size in a name, as in SMALLINT, does not: all integers
 * have 64 bits there.
 * Tests: tests/unit/catalog/test_type.c.
 */
#ifndef BELAYI_CATALOG_TYPE_H
#define BELAYI_CATALOG_TYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum belayi_type_kind {
    BELAYI_TYPE_OTHER, /* passed on as text; the engine is asked (arrays, inet, geometry, no type at all) */
    BELAYI_TYPE_INTEGER,
    BELAYI_TYPE_DECIMAL,
    BELAYI_TYPE_REAL,
    BELAYI_TYPE_BOOLEAN,
    BELAYI_TYPE_TEXT,
    BELAYI_TYPE_BYTES,
    BELAYI_TYPE_DATE,
    BELAYI_TYPE_TIME,
    BELAYI_TYPE_TIMESTAMP, /* without zone */
    BELAYI_TYPE_MOMENT,    /* with zone, or stored as UTC */
    BELAYI_TYPE_UUID,
    BELAYI_TYPE_JSON,
    BELAYI_TYPE_ENUM,
    BELAYI_TYPE_YEAR,
    BELAYI_TYPE_BITS
} belayi_type_kind;

enum { BELAYI_FRACTION_ANY = -1 };

typedef struct belayi_type {
    belayi_type_kind kind;
    bool makes_numbers; /* a text that looks like a number is stored as one: an integer of 64 bits, or 15 digits */
    int64_t minimum;    /* INTEGER, BOOLEAN (which then takes numbers too). TIME: in seconds */
    uint64_t maximum;   /* the same: above it no value fits. BITS: it is stored as a number up to that; 0: as digits */
    int64_t length;     /* TEXT in characters, BYTES and BITS in theirs; -1: no bound */
    int64_t bytes;      /* TEXT: in bytes of UTF-8 besides; -1: no bound */
    uint32_t widest;    /* TEXT: no character over this one can be stored */
    bool fixed;         /* BYTES, BITS: exactly that long. TEXT: filled up with spaces to its length */
    bool trims;         /* TEXT: spaces at the end are lost */
    bool has_infinity;  /* REAL: and NaN */
    bool is_unsigned;   /* DECIMAL, REAL: nothing below 0 */
    int bits;           /* REAL: 24 or 53 */
    int precision;      /* DECIMAL, and REAL where it is rounded to them: digits in all; 0: any, and any scale */
    int scale;          /* the same: digits behind the point; negative: as many zeros before it */
    int fraction;       /* TIME, TIMESTAMP, MOMENT: digits of a second that are stored; BELAYI_FRACTION_ANY */
    bool many;          /* ENUM: any of the words, with commas between them */
    bool escapes;       /* ENUM: in the words a backslash stands before what would be hard to read */
    const char *words;  /* ENUM: what the engine lists, from the first quote on; borrowed from the declaration */
} belayi_type;

/* Reads a declaration as the driver's `describe_columns` gives it. `flavour` is the driver's type_flavour. */
void belayi_type_read(const char *declared, unsigned flavour, belayi_type *out_type);

/* Whether an ENUM's list has exactly that word. */
bool belayi_type_has_word(const belayi_type *, const char *text, size_t size);

#endif
