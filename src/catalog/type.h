/*
 * type.h - a declared type of a column, read.
 *
 * The kinds are about values and not about storage: what is written as a value of
 * it. Engines with more than one name for a kind are told apart by measures only.
 *
 * SQLite's types are what the table was declared with, by name where the name is a
 * standard one (DATE, NUMERIC(12,2), VARCHAR(20), BOOLEAN ...), also where SQLite
 * itself would store anything in it; a name that says nothing is OTHER.
 * Tests: tests/unit/catalog.
 */
#ifndef BELAYI_CATALOG_TYPE_H
#define BELAYI_CATALOG_TYPE_H

#include <stdbool.h>
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

typedef struct belayi_type {
    belayi_type_kind kind;
    int64_t minimum;   /* INTEGER */
    uint64_t maximum;  /* INTEGER: above it no value fits; unsigned types have a minimum of 0 */
    int64_t length;    /* TEXT in characters, BYTES and BITS in theirs; -1: no bound */
    int64_t bytes;     /* TEXT: in bytes besides; -1: no bound */
    bool fixed;        /* TEXT, BYTES, BITS: padded to length, or exactly that long */
    int precision;     /* DECIMAL: digits in all; -1: any. REAL: 24 or 53 bits */
    int scale;         /* DECIMAL: digits behind the point; -1: any */
    int fraction;      /* TIME, TIMESTAMP, MOMENT: digits of a second that are stored */
    const char *words; /* ENUM: as the engine lists them; borrowed from the declaration */
} belayi_type;

/* Reads a declaration as the driver's `describe_columns` gives it. `flavour` is the driver's type_flavour. */
void belayi_type_read(const char *declared, unsigned flavour, belayi_type *out_type);

#endif
