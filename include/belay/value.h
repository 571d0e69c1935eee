/*
 * belay/value.h - C values as parameters of a statement.
 *
 * Values are always bound, never pasted into the SQL text.
 */
#ifndef BELAY_VALUE_H
#define BELAY_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <belay/macros.h>

BELAYI_BEGIN_C

typedef enum belay_type {
    BELAY_TYPE_NULL,
    BELAY_TYPE_BOOL, /* 0 or 1 on engines without a boolean */
    BELAY_TYPE_INT,
    BELAY_TYPE_UINT,   /* over INT64_MAX it is refused with BELAY_DATA: no engine has room for it */
    BELAY_TYPE_DOUBLE, /* a NaN is refused with BELAY_DATA where the engine would store NULL for it */
    BELAY_TYPE_TEXT,   /* UTF-8 without NUL; else it is refused with BELAY_DATA */
    BELAY_TYPE_BLOB,
    BELAY_TYPE_DECIMAL,  /* the exact text of a decimal number, such as "-12.30" */
    BELAY_TYPE_TIMESTAMP /* microseconds since 1970-01-01 00:00 UTC */
} belay_type;

/*
 * One value. `text` and `blob` are borrowed until the call that they are given
 * to returns; the library keeps no pointer to them afterwards.
 */
typedef struct belay_value {
    belay_type type;
    size_t size; /* bytes of `data` */
    union {
        int64_t integer; /* BOOL, INT, TIMESTAMP */
        uint64_t unsigned_integer;
        double real;
        const void *data; /* TEXT, BLOB, DECIMAL */
    } as;
} belay_value;

/* SQL's NULL. */
static inline belay_value belay_null(void)
{
    belay_value value;
    value.type = BELAY_TYPE_NULL;
    value.size = 0;
    value.as.integer = 0;
    return value;
}

/* A truth value. In C11 `true` is an int, so that BELAY_V(true) is the number 1. */
static inline belay_value belay_bool(bool truth)
{
    belay_value value;
    value.type = BELAY_TYPE_BOOL;
    value.size = 0;
    value.as.integer = truth ? 1 : 0;
    return value;
}

static inline belay_value belay_integer(int64_t number)
{
    belay_value value;
    value.type = BELAY_TYPE_INT;
    value.size = 0;
    value.as.integer = number;
    return value;
}
static inline belay_value belay_unsigned(uint64_t number)
{
    belay_value value;
    value.type = BELAY_TYPE_UINT;
    value.size = 0;
    value.as.unsigned_integer = number;
    return value;
}
static inline belay_value belay_real(double number)
{
    belay_value value;
    value.type = BELAY_TYPE_DOUBLE;
    value.size = 0;
    value.as.real = number;
    return value;
}

/* `size` bytes of text. A NULL pointer is SQL's NULL when size is 0, and else misuse. */
static inline belay_value belay_text(const char *text, size_t size)
{
    belay_value value;
    value.type = (text || size) ? BELAY_TYPE_TEXT : BELAY_TYPE_NULL;
    value.size = size;
    value.as.data = text;
    return value;
}

/* `size` bytes. A NULL pointer is SQL's NULL when size is 0, and else misuse. */
static inline belay_value belay_blob(const void *bytes, size_t size)
{
    belay_value value;
    value.type = (bytes || size) ? BELAY_TYPE_BLOB : BELAY_TYPE_NULL;
    value.size = size;
    value.as.data = bytes;
    return value;
}

/* A NUL-terminated text. A NULL pointer is SQL's NULL. */
static inline belay_value belay_string(const char *string)
{
    return belay_text(string, string ? strlen(string) : 0);
}

/*
 * An exact decimal number in its text form: an optional sign, digits, and an
 * optional point with digits; anything else is refused with BELAY_DATA when it
 * is bound. NULL is SQL's NULL. SQLite has no decimals: a column with numeric
 * affinity stores the nearest double, a TEXT column the exact text. On PostgreSQL
 * it is a numeric, with all its digits.
 */
static inline belay_value belay_decimal(const char *digits)
{
    belay_value value;
    value.type = digits ? BELAY_TYPE_DECIMAL : BELAY_TYPE_NULL;
    value.size = digits ? strlen(digits) : 0;
    value.as.data = digits;
    return value;
}

/*
 * A moment, in microseconds since 1970-01-01 00:00 UTC. SQLite stores the text
 * "YYYY-MM-DD HH:MM:SS.ffffff", which its date functions read as UTC. On
 * PostgreSQL it is exact in a timestamptz, and in UTC in a timestamp. Outside
 * the years 0000 to 9999 it is refused with BELAY_DATA when it is bound.
 */
static inline belay_value belay_timestamp(int64_t microseconds)
{
    belay_value value;
    value.type = BELAY_TYPE_TIMESTAMP;
    value.size = 0;
    value.as.integer = microseconds;
    return value;
}

BELAYI_END_C

#ifndef __cplusplus

static inline belay_value belayi_same(belay_value value)
{
    return value;
}

/*
 * One belay_value from a C value, by its type. Other pointers, and a bare NULL,
 * do not compile: say belay_null(), belay_text or belay_blob. (In C++ the macro
 * NULL is a number to the compiler, and is bound as 0; nullptr does not compile.)
 */
#define BELAY_V(x)                                                                                                     \
    _Generic((x),                                                                                      \
        bool: belay_bool,                                                                              \
        char: belay_integer,                                                                           \
        signed char: belay_integer,                                                                    \
        short: belay_integer,                                                                          \
        int: belay_integer,                                                                            \
        long: belay_integer,                                                                           \
        long long: belay_integer,                                                                      \
        unsigned char: belay_unsigned,                                                                 \
        unsigned short: belay_unsigned,                                                                \
        unsigned int: belay_unsigned,                                                                  \
        unsigned long: belay_unsigned,                                                                 \
        unsigned long long: belay_unsigned,                                                            \
        float: belay_real,                                                                             \
        double: belay_real,                                                                            \
        char *: belay_string,                                                                          \
        const char *: belay_string,                                                                    \
        belay_value: belayi_same)(x)

#else

static inline belay_value belayi_value(belay_value value)
{
    return value;
}
static inline belay_value belayi_value(bool value)
{
    return belay_bool(value);
}
static inline belay_value belayi_value(char value)
{
    return belay_integer(value);
}
static inline belay_value belayi_value(signed char value)
{
    return belay_integer(value);
}
static inline belay_value belayi_value(short value)
{
    return belay_integer(value);
}
static inline belay_value belayi_value(int value)
{
    return belay_integer(value);
}
static inline belay_value belayi_value(long value)
{
    return belay_integer(value);
}
static inline belay_value belayi_value(long long value)
{
    return belay_integer(value);
}
static inline belay_value belayi_value(unsigned char value)
{
    return belay_unsigned(value);
}
static inline belay_value belayi_value(unsigned short value)
{
    return belay_unsigned(value);
}
static inline belay_value belayi_value(unsigned int value)
{
    return belay_unsigned(value);
}
static inline belay_value belayi_value(unsigned long value)
{
    return belay_unsigned(value);
}
static inline belay_value belayi_value(unsigned long long value)
{
    return belay_unsigned(value);
}
static inline belay_value belayi_value(float value)
{
    return belay_real(static_cast<double>(value));
}
static inline belay_value belayi_value(double value)
{
    return belay_real(value);
}
static inline belay_value belayi_value(char *value)
{
    return belay_string(value);
}
static inline belay_value belayi_value(const char *value)
{
    return belay_string(value);
}
template <typename T> belay_value belayi_value(T *value) = delete;

#define BELAY_V(x) belayi_value(x)

#endif

#endif
