/*
 * check_real.c - binary floating point: what is written is the nearest double, or float.
 *
 * Short numbers are computed from two exact ones, which rounds once and so gives
 * the nearest; all others by the C library, in the C locale.
 * Tests: tests/unit/import/test_check.c, tests/import/test_stored.c.
 */
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "check_kinds.h"

static locale_t c_locale;
static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;

static void make_c_locale(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

/* NaN without memory. */
static double convert(const char *text, size_t size, struct belayi_arena *arena, int bits)
{
    enum { USUAL = 128 };
    char few[USUAL];
    const char *copy = few;
    pthread_once(&c_locale_once, make_c_locale);
    if (size < sizeof few) {
        memcpy(few, text, size);
        few[size] = '\0';
    } else {
        copy = belayi_arena_copy(arena, text, size);
    }
    if (!copy || !c_locale)
        return (double)NAN;
    return bits > 24 ? strtod_l(copy, NULL, c_locale) : (double)strtof_l(copy, NULL, c_locale);
}

/* All its digits as one integer; false when it has too many for an exact one. */
static bool gather(const belayi_digits *d, uint64_t most, uint64_t *out_number)
{
    enum { MOST_DIGITS = 17 };
    uint64_t number = 0;
    if (d->whole_size + d->fraction_size > MOST_DIGITS)
        return false;
    for (size_t i = 0; i < d->whole_size; i++)
        number = 10 * number + (uint64_t)(d->whole[i] - '0');
    for (size_t i = 0; i < d->fraction_size; i++)
        number = 10 * number + (uint64_t)(d->fraction[i] - '0');
    *out_number = number;
    return number <= most;
}

/* A double has 53 bits, and 10 to the 22nd is the last power of 10 that is exact in it; a float 24, and the 10th. */
static bool compute_double(const belayi_digits *d, double *out_real)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    uint64_t number;
    int64_t exponent = d->exponent - (int64_t)d->fraction_size;
    if (exponent < -22 || exponent > 22 || !gather(d, UINT64_C(1) << 53, &number))
        return false;
    *out_real = exponent < 0 ? (double)number / powers[-exponent] : (double)number * powers[exponent];
    return true;
}

static bool compute_float(const belayi_digits *d, double *out_real)
{
    static const float powers[] = {1e0F, 1e1F, 1e2F, 1e3F, 1e4F, 1e5F, 1e6F, 1e7F, 1e8F, 1e9F, 1e10F};
    uint64_t number;
    int64_t exponent = d->exponent - (int64_t)d->fraction_size;
    if (exponent < -10 || exponent > 10 || !gather(d, UINT64_C(1) << 24, &number))
        return false;
    float real = exponent < 0 ? (float)number / powers[-exponent] : (float)number * powers[exponent];
    *out_real = (double)real;
    return true;
}

static double nearest(const belayi_digits *d, const char *text, size_t size, struct belayi_arena *arena, int bits)
{
    double real;
    if (bits > 24 ? !compute_double(d, &real) : !compute_float(d, &real))
        return convert(text, size, arena, bits);
    return d->negative ? -real : real;
}

double belayi_check_nearest(const char *text, size_t size, struct belayi_arena *arena, int bits)
{
    belayi_digits d;
    return belayi_digits_read(text, size, true, &d) ? nearest(&d, text, size, arena, bits) : (double)NAN;
}

static bool is_word(const char *text, size_t size, const char *word)
{
    size_t i = 0;
    for (; i < size && word[i]; i++)
        if ((text[i] | 0x20) != word[i])
            return false;
    return i == size && word[i] == '\0';
}

static bool read_word(const belayi_checked *c, belay_value *out_value)
{
    bool negative = c->size > 0 && c->text[0] == '-', sign = negative || (c->size > 0 && c->text[0] == '+');
    const char *word = c->text + sign;
    size_t size = c->size - sign;
    if (is_word(word, size, "infinity") || is_word(word, size, "inf")) {
        *out_value = belay_real(negative ? -(double)INFINITY : (double)INFINITY);
        return true;
    }
    if (sign || !is_word(word, size, "nan"))
        return false;
    *out_value = belay_real((double)NAN);
    return true;
}

static bool refuse_real(const belayi_checked *c, double real)
{
    if (isnan(real))
        return belayi_check_refuse(c, "can't be read: no memory");
    return belayi_check_refuse(c, "is too %s for the column", isinf(real) ? "large" : "small");
}

bool belayi_check_real(const belayi_checked *c, belay_value *out_value)
{
    belayi_digits d;
    const belayi_type *t = c->type;
    if (!belayi_digits_read(c->text, c->size, true, &d))
        return (t->has_infinity && read_word(c, out_value)) || belayi_check_refuse(c, "is no number");
    if (t->is_unsigned && d.negative && !d.zero)
        return belayi_check_refuse(c, "is below 0");
    if (t->precision > 0 && (d.has_exponent || !belayi_digits_fit(&d, t->precision, t->scale)))
        return belayi_check_refuse(c, "has no place in %d digits, %d of them behind the point", t->precision, t->scale);
    double real = nearest(&d, c->text, c->size, c->arena, t->bits);
    if (!isfinite(real) || (real == 0 && !d.zero))
        return refuse_real(c, real);
    *out_value = belay_real(real);
    return true;
}
