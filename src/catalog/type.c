/*
 * type.c - a declared type, such as NUMERIC(12,2) or int(10) unsigned, as kind and measures.
 *
 * Its words are looked for in one table, in which each flavour has its own; what is
 * not there is OTHER.
 * Tests: tests/unit/catalog/test_type.c.
 */
#include "type.h"

#include <string.h>

#include <belay/sys/driver.h>

#include "declaration.h"

enum {
    STANDARD = 1 << BELAY_TYPES_STANDARD,
    LOOSE = 1 << BELAY_TYPES_LOOSE,
    DISPLAY = 1 << BELAY_TYPES_DISPLAY,
    ALL = STANDARD | LOOSE | DISPLAY,
    LAST_CHARACTER = 0x10FFFF,
    LAST_OF_TWO_BYTES = 0xFFFF
};

/* ---- The words ---------------------------------------------------------------------------------------------- */

typedef struct known_type {
    const char *name;
    unsigned flavours;
    belayi_type_kind kind;
    int64_t measure; /* INTEGER, REAL: bits, negative when unsigned. TEXT, BYTES: the most bytes; 0: no bound */
} known_type;

static const known_type known_types[] = {
    {"tinyint", LOOSE | DISPLAY, BELAYI_TYPE_INTEGER, 8},
    {"smallint", ALL, BELAYI_TYPE_INTEGER, 16},
    {"int2", LOOSE, BELAYI_TYPE_INTEGER, 16},
    {"mediumint", LOOSE | DISPLAY, BELAYI_TYPE_INTEGER, 24},
    {"int", LOOSE | DISPLAY, BELAYI_TYPE_INTEGER, 32},
    {"integer", STANDARD | LOOSE, BELAYI_TYPE_INTEGER, 32},
    {"int4", LOOSE, BELAYI_TYPE_INTEGER, 32},
    {"bigint", ALL, BELAYI_TYPE_INTEGER, 64},
    {"big int", LOOSE, BELAYI_TYPE_INTEGER, 64},
    {"int8", LOOSE, BELAYI_TYPE_INTEGER, 64},
    {"oid", STANDARD, BELAYI_TYPE_INTEGER, -32},
    {"numeric", STANDARD | LOOSE, BELAYI_TYPE_DECIMAL, 0},
    {"decimal", LOOSE | DISPLAY, BELAYI_TYPE_DECIMAL, 0},
    {"dec", LOOSE, BELAYI_TYPE_DECIMAL, 0},
    {"number", LOOSE, BELAYI_TYPE_DECIMAL, 0},
    {"money", LOOSE, BELAYI_TYPE_DECIMAL, 0},
    {"real", STANDARD | LOOSE, BELAYI_TYPE_REAL, 24},
    {"double precision", STANDARD | LOOSE, BELAYI_TYPE_REAL, 53},
    {"double", LOOSE | DISPLAY, BELAYI_TYPE_REAL, 53},
    {"float", LOOSE | DISPLAY, BELAYI_TYPE_REAL, 24},
    {"float4", LOOSE, BELAYI_TYPE_REAL, 24},
    {"float8", LOOSE, BELAYI_TYPE_REAL, 53},
    {"boolean", STANDARD | LOOSE, BELAYI_TYPE_BOOLEAN, 0},
    {"bool", LOOSE, BELAYI_TYPE_BOOLEAN, 0},
    {"text", STANDARD | LOOSE, BELAYI_TYPE_TEXT, 0},
    {"character varying", STANDARD | LOOSE, BELAYI_TYPE_TEXT, 0},
    {"character", STANDARD | LOOSE, BELAYI_TYPE_TEXT, 0},
    {"citext", STANDARD | LOOSE, BELAYI_TYPE_TEXT, 0},
    {"name", STANDARD, BELAYI_TYPE_TEXT, 63},
    {"\"char\"", STANDARD, BELAYI_TYPE_TEXT, 1},
    {"varchar", LOOSE | DISPLAY, BELAYI_TYPE_TEXT, 0},
    {"char", LOOSE | DISPLAY, BELAYI_TYPE_TEXT, 0},
    {"varying character", LOOSE, BELAYI_TYPE_TEXT, 0},
    {"nchar", LOOSE, BELAYI_TYPE_TEXT, 0},
    {"nvarchar", LOOSE, BELAYI_TYPE_TEXT, 0},
    {"native character", LOOSE, BELAYI_TYPE_TEXT, 0},
    {"clob", LOOSE, BELAYI_TYPE_TEXT, 0},
    {"tinytext", DISPLAY, BELAYI_TYPE_TEXT, 0xFF},
    {"text", DISPLAY, BELAYI_TYPE_TEXT, 0xFFFF},
    {"mediumtext", DISPLAY, BELAYI_TYPE_TEXT, 0xFFFFFF},
    {"longtext", DISPLAY, BELAYI_TYPE_TEXT, 0xFFFFFFFF},
    {"bytea", STANDARD | LOOSE, BELAYI_TYPE_BYTES, 0},
    {"binary", LOOSE | DISPLAY, BELAYI_TYPE_BYTES, 0},
    {"varbinary", LOOSE | DISPLAY, BELAYI_TYPE_BYTES, 0},
    {"blob", LOOSE, BELAYI_TYPE_BYTES, 0},
    {"tinyblob", DISPLAY, BELAYI_TYPE_BYTES, 0xFF},
    {"blob", DISPLAY, BELAYI_TYPE_BYTES, 0xFFFF},
    {"mediumblob", DISPLAY, BELAYI_TYPE_BYTES, 0xFFFFFF},
    {"longblob", DISPLAY, BELAYI_TYPE_BYTES, 0xFFFFFFFF},
    {"date", ALL, BELAYI_TYPE_DATE, 0},
    {"time", LOOSE | DISPLAY, BELAYI_TYPE_TIME, 0},
    {"time without time zone", STANDARD | LOOSE, BELAYI_TYPE_TIME, 0},
    {"datetime", LOOSE | DISPLAY, BELAYI_TYPE_TIMESTAMP, 0},
    {"timestamp", LOOSE, BELAYI_TYPE_TIMESTAMP, 0},
    {"timestamp without time zone", STANDARD | LOOSE, BELAYI_TYPE_TIMESTAMP, 0},
    {"timestamp with time zone", STANDARD | LOOSE, BELAYI_TYPE_MOMENT, 0},
    {"timestamptz", LOOSE, BELAYI_TYPE_MOMENT, 0},
    {"timestamp", DISPLAY, BELAYI_TYPE_MOMENT, 0},
    {"uuid", ALL, BELAYI_TYPE_UUID, 0},
    {"json", ALL, BELAYI_TYPE_JSON, 0},
    {"jsonb", STANDARD | LOOSE, BELAYI_TYPE_JSON, 0},
    {"enum", STANDARD | DISPLAY, BELAYI_TYPE_ENUM, 0},
    {"set", DISPLAY, BELAYI_TYPE_ENUM, 0},
    {"year", DISPLAY, BELAYI_TYPE_YEAR, 0},
    {"bit", STANDARD | DISPLAY, BELAYI_TYPE_BITS, 0},
    {"bit varying", STANDARD, BELAYI_TYPE_BITS, 0},
};

static const known_type unknown_type = {"", ALL, BELAYI_TYPE_OTHER, 0};

/* ---- Measures ----------------------------------------------------------------------------------------------- */

static const known_type *find_known(const belayi_declaration *d)
{
    for (size_t i = 0; i < sizeof known_types / sizeof *known_types && !d->strange; i++)
        if ((known_types[i].flavours & d->flavour) && strcmp(known_types[i].name, d->name) == 0)
            return &known_types[i];
    return &unknown_type;
}

static void measure_integer(const belayi_declaration *d, const known_type *known, belayi_type *t)
{
    int64_t bits = d->flavour == LOOSE ? 64 : known->measure < 0 ? -known->measure : known->measure;
    bool is_unsigned = known->measure < 0 || (d->is_unsigned && d->flavour == DISPLAY);
    uint64_t half = UINT64_C(1) << (bits - 1);
    t->maximum = is_unsigned ? half - 1 + half : half - 1;
    t->minimum = is_unsigned ? 0 : -(int64_t)(half - 1) - 1;
    if (d->flavour == DISPLAY && known->measure == 8 && d->count == 1 && d->numbers[0] == 1)
        t->kind = BELAYI_TYPE_BOOLEAN;
}

static void measure_digits(const belayi_declaration *d, belayi_type *t)
{
    t->is_unsigned = d->is_unsigned && d->flavour == DISPLAY;
    if (d->count == 0 || d->numbers[0] <= 0)
        return;
    t->precision = (int)d->numbers[0];
    t->scale = d->count > 1 ? (int)d->numbers[1] : 0;
}

static void measure_real(const belayi_declaration *d, const known_type *known, belayi_type *t)
{
    t->bits = d->flavour == LOOSE ? 53 : (int)known->measure;
    t->has_infinity = d->flavour == STANDARD;
    t->is_unsigned = d->is_unsigned && d->flavour == DISPLAY;
    if (d->flavour == DISPLAY && d->count == 2)
        measure_digits(d, t);
}

/* What a character set has no place for. What else it lacks, the engine refuses. */
static uint32_t find_widest(const char *charset)
{
    if (!charset[0] || strncmp(charset, "utf8mb4", 7) == 0 || strncmp(charset, "utf16", 5) == 0 ||
        strcmp(charset, "utf32") == 0)
        return LAST_CHARACTER;
    return strcmp(charset, "ascii") == 0 ? 0x7F : LAST_OF_TWO_BYTES;
}

static void measure_text(const belayi_declaration *d, const known_type *known, belayi_type *t)
{
    bool plain = strcmp(known->name, "character") == 0;
    t->widest = find_widest(d->charset);
    t->trims = d->flavour == DISPLAY && strcmp(known->name, "char") == 0;
    t->fixed = d->flavour == STANDARD && plain;
    if (d->count > 0)
        t->length = d->numbers[0];
    else if (t->fixed)
        t->length = 1;
    if (known->measure > 0 && (!d->charset[0] || strncmp(d->charset, "utf8", 4) == 0))
        t->bytes = known->measure;
    else if (known->measure > 0) /* a character has a byte at least */
        t->length = known->measure;
}

static void measure_bytes(const belayi_declaration *d, const known_type *known, belayi_type *t)
{
    t->fixed = d->flavour == DISPLAY && strcmp(known->name, "binary") == 0;
    if (d->count > 0)
        t->length = d->numbers[0];
    else if (known->measure > 0)
        t->length = known->measure;
}

static void measure_bits(const belayi_declaration *d, const known_type *known, belayi_type *t)
{
    bool varying = strcmp(known->name, "bit") != 0;
    t->length = d->count > 0 ? d->numbers[0] : varying ? -1 : 1;
    t->fixed = d->flavour == STANDARD && !varying;
    if (d->flavour == DISPLAY && t->length >= 1 && t->length <= 64)
        t->maximum = UINT64_MAX >> (64 - t->length);
}

static void measure_time(const belayi_declaration *d, belayi_type *t)
{
    enum { DAY = 86400, LONGEST = 838 * 3600 + 59 * 60 + 59 };
    int usual = d->flavour == STANDARD ? 6 : d->flavour == DISPLAY ? 0 : BELAYI_FRACTION_ANY;
    t->fraction = d->count > 0 ? (int)d->numbers[0] : usual;
    t->minimum = d->flavour == DISPLAY ? -LONGEST : 0;
    t->maximum = d->flavour == DISPLAY ? LONGEST : DAY - 1;
}

static void measure_enum(const belayi_declaration *d, const known_type *known, belayi_type *t)
{
    t->words = d->words;
    t->many = strcmp(known->name, "set") == 0;
    t->escapes = d->flavour == DISPLAY;
    if (!d->words)
        t->kind = BELAYI_TYPE_OTHER;
}

static void measure(const belayi_declaration *d, const known_type *known, belayi_type *t)
{
    switch (known->kind) {
    case BELAYI_TYPE_INTEGER:
        measure_integer(d, known, t);
        return;
    case BELAYI_TYPE_BOOLEAN:
        t->maximum = 1;
        return;
    case BELAYI_TYPE_DECIMAL:
        measure_digits(d, t);
        return;
    case BELAYI_TYPE_REAL:
        measure_real(d, known, t);
        return;
    case BELAYI_TYPE_TEXT:
        measure_text(d, known, t);
        return;
    case BELAYI_TYPE_BYTES:
        measure_bytes(d, known, t);
        return;
    case BELAYI_TYPE_BITS:
        measure_bits(d, known, t);
        return;
    case BELAYI_TYPE_TIME:
    case BELAYI_TYPE_TIMESTAMP:
    case BELAYI_TYPE_MOMENT:
        measure_time(d, t);
        return;
    case BELAYI_TYPE_ENUM:
        measure_enum(d, known, t);
        return;
    case BELAYI_TYPE_OTHER:
    case BELAYI_TYPE_DATE:
    case BELAYI_TYPE_UUID:
    case BELAYI_TYPE_JSON:
    case BELAYI_TYPE_YEAR:
        return;
    }
}

/* ---- Affinity --------------------------------------------------------------------------------------------------- */

static bool contains(const char *declared, const char *part)
{
    for (; *declared; declared++)
        if (belayi_declaration_is(declared, strnlen(declared, strlen(part)), part))
            return true;
    return false;
}

/* The rules by which a loose engine finds out what to convert, in their order: those with one of the last four make
 * none. */
static bool makes_numbers(const char *declared)
{
    if (!*declared)
        return false;
    return contains(declared, "int") || !(contains(declared, "char") || contains(declared, "clob") ||
                                          contains(declared, "text") || contains(declared, "blob"));
}

void belayi_type_read(const char *declared, unsigned flavour, belayi_type *out_type)
{
    belayi_declaration d = {.flavour = 1u << flavour,
                            .has_charset = flavour == BELAY_TYPES_DISPLAY,
                            .has_unsigned = flavour != BELAY_TYPES_STANDARD};
    belayi_declaration_read(declared, &d);
    const known_type *known = find_known(&d);
    *out_type = (belayi_type){.kind = known->kind,
                              .makes_numbers = d.flavour == LOOSE && makes_numbers(declared),
                              .length = -1,
                              .bytes = -1,
                              .widest = LAST_CHARACTER};
    measure(&d, known, out_type);
}

bool belayi_type_has_word(const belayi_type *t, const char *text, size_t size)
{
    bool same = false;
    for (const char *at = t->words; !same && at && *at == '\'';)
        at = belayi_declaration_word(at, t->escapes, text, size, &same);
    return same;
}
