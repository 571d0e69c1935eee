/*
 * check_number.c - integers, decimals, booleans and bits.
 *
 * Must not know: engines. Where a column makes numbers of 64 bits or 15 digits of
 * what it is given (type->makes_numbers), it is given exactly those.
 * Tests: tests/unit/import/test_check.c, tests/import/test_stored.c.
 */
#include <string.h>

#include "arena.h"
#include "check_kinds.h"

static inline bool is_digit(char c)
{
    return (unsigned char)(c - '0') <= 9;
}

static belay_value decimal_of(const char *digits, size_t size)
{
    return (belay_value){.type = BELAY_TYPE_DECIMAL, .size = size, .as.data = digits};
}

/* ---- Integers ----------------------------------------------------------------------------------------------- */

/* Its size without a sign; false when it is over any integer. */
static bool read_unsigned(const char *digits, size_t count, uint64_t *out_number)
{
    enum { SURELY = 19 };
    uint64_t number = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t digit = (uint64_t)(digits[i] - '0');
        if (i >= SURELY && number > (UINT64_MAX - digit) / 10)
            return false;
        number = 10 * number + digit;
    }
    *out_number = number;
    return true;
}

static bool refuse_range(const belayi_checked *c)
{
    return belayi_check_refuse(c, "is not from %lld to %llu", (long long)c->type->minimum,
                               (unsigned long long)c->type->maximum);
}

bool belayi_check_integer(const belayi_checked *c, belay_value *out_value)
{
    const char *at = c->text, *end = c->text + c->size;
    bool negative = c->size > 0 && *at == '-';
    at += negative || (c->size > 0 && *at == '+');
    if (at == end)
        return belayi_check_refuse(c, "is no integer");
    for (const char *p = at; p < end; p++)
        if (!is_digit(*p))
            return belayi_check_refuse(c, "is no integer");
    while (at + 1 < end && *at == '0')
        at++;
    uint64_t number, below = c->type->minimum < 0 ? 0 - (uint64_t)c->type->minimum : 0;
    if (!read_unsigned(at, (size_t)(end - at), &number) || number > (negative ? below : c->type->maximum))
        return refuse_range(c);
    if (number <= INT64_MAX || negative)
        *out_value = belay_integer((int64_t)(negative ? 0 - number : number));
    else
        *out_value = decimal_of(at, (size_t)(end - at)); /* no driver takes a larger integer */
    return true;
}

/* ---- Decimals ----------------------------------------------------------------------------------------------- */

/* Both stored as they are; a fraction of 15 digits is what comes back of the nearest double. */
static bool make_number(const belayi_checked *c, const belayi_digits *d, belay_value *out_value)
{
    enum { KEPT = 15 };
    int64_t number;
    if (d->fraction_size == 0 && belayi_digits_integer(d, &number)) {
        *out_value = belay_integer(number);
        return true;
    }
    if (belayi_digits_count(d) > KEPT)
        return belayi_check_refuse(c, "has more than the 15 digits that a column of this type keeps");
    double real = belayi_check_nearest(c->text, c->size, c->arena, 53);
    if (real - real != 0 || real == 0)
        return belayi_check_refuse(c, "is too %s for the column", real == 0 ? "small" : "large");
    *out_value = belay_real(real);
    return true;
}

/* "-.5" and "-007.5" as "-0.5" and "-7.5". */
static bool write_digits(const belayi_checked *c, const belayi_digits *d, size_t fraction, belay_value *out_value)
{
    char *out = belayi_arena_get(c->arena, d->whole_size + fraction + 3), *at = out;
    if (!out)
        return belayi_check_refuse(c, "can't be stored: no memory");
    if (d->negative)
        *at++ = '-';
    if (d->whole_size == 0)
        *at++ = '0';
    memcpy(at, d->whole, d->whole_size);
    at += d->whole_size;
    if (fraction > 0) {
        *at++ = '.';
        memcpy(at, d->fraction, fraction);
        at += fraction;
    }
    *out_value = decimal_of(out, (size_t)(at - out));
    return true;
}

/* How many digits behind the point are passed on: those that are written, but for zeros that the column has no place
   for. */
static size_t passed_on(const belayi_checked *c, const belayi_digits *d)
{
    size_t written = d->has_point ? (size_t)(c->text + c->size - d->fraction) : 0;
    int64_t kept = c->type->scale > 0 ? c->type->scale : 0;
    return c->type->precision > 0 && (int64_t)written > kept ? (size_t)kept : written;
}

bool belayi_check_decimal(const belayi_checked *c, belay_value *out_value)
{
    belayi_digits d;
    const belayi_type *t = c->type;
    if (!belayi_digits_read(c->text, c->size, false, &d))
        return belayi_check_refuse(c, "is no decimal number");
    if (t->precision > 0 && !belayi_digits_fit(&d, t->precision, t->scale))
        return belayi_check_refuse(c, "has no place in %d digits, %d of them behind the point", t->precision, t->scale);
    if (t->is_unsigned && d.negative && !d.zero)
        return belayi_check_refuse(c, "is below 0");
    if (t->makes_numbers)
        return make_number(c, &d, out_value);
    size_t fraction = passed_on(c, &d);
    d.negative &= !d.zero;
    const char *begin = d.whole_size > 0 ? d.whole : d.whole - 1; /* the zero that was left out */
    if (d.bare_point || (d.negative && begin[-1] != '-'))
        return write_digits(c, &d, fraction, out_value);
    begin -= d.negative;
    size_t size = (size_t)(d.whole + d.whole_size - begin) + (fraction > 0 ? fraction + 1 : 0);
    *out_value = decimal_of(begin, size);
    return true;
}

/* ---- Booleans ----------------------------------------------------------------------------------------------- */

static bool is_word(const belayi_checked *c, const char *word)
{
    size_t i = 0;
    for (; i < c->size && word[i]; i++)
        if ((c->text[i] | 0x20) != word[i])
            return false;
    return i == c->size && word[i] == '\0';
}

static int read_truth(const belayi_checked *c)
{
    static const char *const words[] = {"false", "true", "f", "t", "no", "yes", "n", "y", "off", "on"};
    for (int i = 0; i < (int)(sizeof words / sizeof *words); i++)
        if (is_word(c, words[i]))
            return i % 2;
    return -1;
}

bool belayi_check_boolean(const belayi_checked *c, belay_value *out_value)
{
    bool is_number = c->size > 0 && (is_digit(c->text[0]) || c->text[0] == '-' || c->text[0] == '+');
    int truth = is_number ? -1 : read_truth(c);
    if (truth >= 0) {
        *out_value = belay_bool(truth);
        return true;
    }
    if (!is_number)
        return belayi_check_refuse(c, "is neither true nor false");
    if (!belayi_check_integer(c, out_value))
        return false;
    if (c->type->maximum == 1)
        *out_value = belay_bool(out_value->as.integer != 0);
    return true;
}

/* ---- Bits --------------------------------------------------------------------------------------------------- */

/* Its bytes, the highest first: what no driver takes as an integer. */
static bool write_bits(const belayi_checked *c, uint64_t bits, belay_value *out_value)
{
    enum { BYTES = 8 };
    unsigned char *bytes = belayi_arena_get(c->arena, BYTES);
    if (!bytes)
        return belayi_check_refuse(c, "can't be stored: no memory");
    for (int i = 0; i < BYTES; i++)
        bytes[i] = (unsigned char)(bits >> 8 * (BYTES - 1 - i));
    *out_value = belay_blob(bytes, BYTES);
    return true;
}

bool belayi_check_bits(const belayi_checked *c, belay_value *out_value)
{
    const belayi_type *t = c->type;
    uint64_t bits = 0;
    for (size_t i = 0; i < c->size; i++) {
        if (c->text[i] != '0' && c->text[i] != '1')
            return belayi_check_refuse(c, "is not written in zeros and ones");
        bits = bits << 1 | (c->text[i] == '1');
    }
    if (t->length >= 0 && (t->fixed ? (int64_t)c->size != t->length : (int64_t)c->size > t->length))
        return belayi_check_refuse(c, "has %zu bits and not %s%lld", c->size, t->fixed ? "" : "at most ",
                                   (long long)t->length);
    if (t->maximum == 0) {
        *out_value = belay_text(c->text, c->size);
        return true;
    }
    if (c->size == 0)
        return belayi_check_refuse(c, "is not written in zeros and ones");
    if (bits > INT64_MAX)
        return write_bits(c, bits, out_value);
    *out_value = belay_integer((int64_t)bits);
    return true;
}
