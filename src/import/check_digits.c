/*
 * check_digits.c - a number as it is written, without computing it.
 *
 * Must not know: types of columns.
 * Tests: tests/unit/import/test_check.c.
 */
#include "check_kinds.h"

static inline bool is_digit(char c)
{
    return (unsigned char)(c - '0') <= 9;
}

static const char *skip_digits(const char *at, const char *end)
{
    while (at < end && is_digit(*at))
        at++;
    return at;
}

/* What is behind an e; NULL when there is no number. */
static const char *read_exponent(const char *at, const char *end, belayi_digits *out)
{
    enum { MOST = 1000000 };
    bool negative = at < end && *at == '-';
    at += at < end && (*at == '-' || *at == '+');
    const char *first = at;
    for (; at < end && is_digit(*at); at++)
        if (out->exponent < MOST)
            out->exponent = 10 * out->exponent + (*at - '0');
    if (negative)
        out->exponent = -out->exponent;
    out->has_exponent = true;
    return at > first ? at : NULL;
}

/* Leaves out the zeros before and behind that mean nothing. */
static void trim_zeros(belayi_digits *d)
{
    while (d->whole_size > 0 && *d->whole == '0') {
        d->whole++;
        d->whole_size--;
    }
    while (d->fraction_size > 0 && d->fraction[d->fraction_size - 1] == '0')
        d->fraction_size--;
    while (d->fraction_zeros < d->fraction_size && d->fraction[d->fraction_zeros] == '0')
        d->fraction_zeros++;
    d->zero = d->whole_size == 0 && d->fraction_size == 0;
}

bool belayi_digits_read(const char *text, size_t size, bool exponents, belayi_digits *out)
{
    const char *at = text, *end = text + size;
    *out = (belayi_digits){.negative = size > 0 && *text == '-'};
    at += size > 0 && (*at == '-' || *at == '+');
    out->whole = out->fraction = at;
    at = skip_digits(at, end);
    out->whole_size = (size_t)(at - out->whole);
    out->bare_point = out->whole_size == 0;
    if (at < end && *at == '.') {
        out->has_point = true;
        out->fraction = at + 1;
        at = skip_digits(at + 1, end);
        out->fraction_size = (size_t)(at - out->fraction);
        if (out->fraction_size == 0)
            return false;
    } else if (out->bare_point) {
        return false;
    }
    trim_zeros(out);
    if (exponents && at < end && (*at == 'e' || *at == 'E'))
        at = read_exponent(at + 1, end, out);
    return at == end;
}

/* Whether the last `count` digits before the point are zeros; the first is none. */
static bool ends_in_zeros(const belayi_digits *d, int64_t count)
{
    for (int64_t i = 1; i <= count; i++)
        if (d->whole[(int64_t)d->whole_size - i] != '0')
            return false;
    return true;
}

bool belayi_digits_fit(const belayi_digits *d, int precision, int scale)
{
    /* Where the first digit stands: 1 is just before the point, 0 just behind it. */
    int64_t first = d->whole_size > 0 ? (int64_t)d->whole_size : -(int64_t)d->fraction_zeros;
    if (d->zero)
        return true;
    if (first > (int64_t)precision - scale)
        return false;
    if (scale >= 0)
        return (int64_t)d->fraction_size <= scale;
    return d->fraction_size == 0 && ends_in_zeros(d, -(int64_t)scale);
}

size_t belayi_digits_count(const belayi_digits *d)
{
    if (d->whole_size == 0)
        return d->fraction_size - d->fraction_zeros;
    if (d->fraction_size > 0)
        return d->whole_size + d->fraction_size;
    size_t count = d->whole_size;
    while (count > 0 && d->whole[count - 1] == '0')
        count--;
    return count;
}

bool belayi_digits_integer(const belayi_digits *d, int64_t *out_number)
{
    enum { MOST_DIGITS = 19 };
    uint64_t number = 0, most = (uint64_t)INT64_MAX + d->negative;
    if (d->whole_size > MOST_DIGITS)
        return false;
    for (size_t i = 0; i < d->whole_size; i++)
        number = 10 * number + (uint64_t)(d->whole[i] - '0');
    if (number > most)
        return false;
    *out_number = d->negative ? (int64_t)(0 - number) : (int64_t)number;
    return true;
}
