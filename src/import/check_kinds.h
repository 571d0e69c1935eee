/*
 * check_kinds.h - the checks of the first gate, a function a kind.
 *
 * Each is true with *out_value, or gives what belayi_check_refuse returns. None
 * allocates but where the engine must be given another form of the same value.
 */
#ifndef BELAYI_IMPORT_CHECK_KINDS_H
#define BELAYI_IMPORT_CHECK_KINDS_H

#include "check.h"

/* A value that is looked at. */
typedef struct belayi_checked {
    const belayi_type *type;
    const char *text;
    size_t size;
    struct belayi_arena *arena;
    char *why; /* BELAYI_WHY_ROOM bytes */
} belayi_checked;

/* Says why: `"twenty" is no integer` for "is no integer". Always false. */
bool belayi_check_refuse(const belayi_checked *, const char *format, ...) BELAYI_PRINTF(2, 3);

/* check_number.c */
bool belayi_check_integer(const belayi_checked *, belay_value *out_value);
bool belayi_check_decimal(const belayi_checked *, belay_value *out_value);
bool belayi_check_boolean(const belayi_checked *, belay_value *out_value);
bool belayi_check_bits(const belayi_checked *, belay_value *out_value);

/* check_real.c */
bool belayi_check_real(const belayi_checked *, belay_value *out_value);
double belayi_check_nearest(const char *text, size_t size, struct belayi_arena *, int bits); /* of a number's text */

/* check_time.c */
bool belayi_check_date(const belayi_checked *, belay_value *out_value);
bool belayi_check_time(const belayi_checked *, belay_value *out_value);
bool belayi_check_timestamp(const belayi_checked *, belay_value *out_value);
bool belayi_check_moment(const belayi_checked *, belay_value *out_value);
bool belayi_check_year(const belayi_checked *, belay_value *out_value);

/* check_text.c */
bool belayi_check_text(const belayi_checked *, belay_value *out_value);
bool belayi_check_bytes(const belayi_checked *, belay_value *out_value);
bool belayi_check_uuid(const belayi_checked *, belay_value *out_value);
bool belayi_check_enum(const belayi_checked *, belay_value *out_value);
bool belayi_check_json(const belayi_checked *, belay_value *out_value);
bool belayi_check_other(const belayi_checked *, belay_value *out_value);

/* check_digits.c: a number as it is written. */
typedef struct belayi_digits {
    bool negative;
    bool zero;             /* nothing but zeros */
    const char *whole;     /* without leading zeros */
    size_t whole_size;     /* 0: less than 1 */
    const char *fraction;  /* behind the point */
    size_t fraction_size;  /* without zeros at its end */
    size_t fraction_zeros; /* that it begins with; all of it, when it is 0 */
    int64_t exponent;      /* what stands behind an e, bounded */
    bool has_exponent;
    bool has_point;
    bool bare_point; /* no digit stands before it */
} belayi_digits;

/* [sign] digits [. digits], or [sign] . digits, and where `exponents` [e [sign] digits]; nothing else around it. */
bool belayi_digits_read(const char *text, size_t size, bool exponents, belayi_digits *out_digits);
/* Whether it is one of the numbers with `precision` digits, `scale` of them behind the point, to the last digit.
   Without an exponent. */
bool belayi_digits_fit(const belayi_digits *, int precision, int scale);
/* How many digits from the first that is not 0 to the last that is not. Without an exponent. */
size_t belayi_digits_count(const belayi_digits *);
/* Without an exponent and a fraction: true when it is one of 64 bits. */
bool belayi_digits_integer(const belayi_digits *, int64_t *out_number);

#endif
