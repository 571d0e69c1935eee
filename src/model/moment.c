#include "moment.h"

#include <string.h>

enum { US = 1000000, DIGITS_OF_SECOND = 6 };

/* What is left to be read. */
typedef struct rest {
    const char *text;
    size_t size;
} rest;

static bool skip(rest *r, char wanted)
{
    if (r->size == 0 || *r->text != wanted)
        return false;
    r->text++;
    r->size--;
    return true;
}

static bool read_digits(rest *r, size_t least, size_t most, int64_t *out)
{
    size_t count = 0;
    *out = 0;
    while (count < most && r->size > 0 && *r->text >= '0' && *r->text <= '9') {
        *out = 10 * *out + (*r->text - '0');
        r->text++;
        r->size--;
        count++;
    }
    return count >= least;
}

/* Days since 1970-01-01 in the Gregorian calendar; years count on through 0. Hinnant's days_from_civil. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    enum { YEARS_OF_ERA = 400, DAYS_OF_ERA = 146097, DAYS_TO_1970 = 719468 };
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - (YEARS_OF_ERA - 1)) / YEARS_OF_ERA;
    int64_t in_era = year - era * YEARS_OF_ERA;
    int64_t in_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * DAYS_OF_ERA + in_era * 365 + in_era / 4 - in_era / 100 + in_year - DAYS_TO_1970;
}

static bool read_day(rest *r, int64_t *out_year, int64_t *out_month, int64_t *out_day)
{
    return read_digits(r, 4, 6, out_year) && skip(r, '-') && read_digits(r, 2, 2, out_month) && skip(r, '-') &&
           read_digits(r, 2, 2, out_day) && *out_month >= 1 && *out_month <= 12 && *out_day >= 1 && *out_day <= 31;
}

/* The part of a second behind its point. */
static bool read_fraction(rest *r, int64_t *us)
{
    int64_t scale = US / 10;
    size_t count = 0;
    for (; r->size > 0 && *r->text >= '0' && *r->text <= '9'; count++) {
        if (count >= DIGITS_OF_SECOND && *r->text != '0')
            return false;
        *us += scale * (*r->text - '0');
        scale /= 10;
        r->text++;
        r->size--;
    }
    return count > 0;
}

static bool read_time(rest *r, int64_t *us)
{
    int64_t hour, minute, second = 0;
    if (!read_digits(r, 2, 2, &hour) || !skip(r, ':') || !read_digits(r, 2, 2, &minute))
        return false;
    if (skip(r, ':') && !read_digits(r, 2, 2, &second))
        return false;
    *us = ((hour * 60 + minute) * 60 + second) * US;
    return hour < 24 && minute < 60 && second < 60 && (!skip(r, '.') || read_fraction(r, us));
}

static bool read_offset(rest *r, int64_t *us)
{
    if (skip(r, 'Z') || r->size == 0 || (*r->text != '+' && *r->text != '-'))
        return true;
    int64_t sign = *r->text == '-' ? -1 : 1, hours, minutes = 0, seconds = 0;
    r->text++;
    r->size--;
    if (!read_digits(r, 2, 2, &hours))
        return false;
    bool more = skip(r, ':') || (r->size > 0 && *r->text >= '0' && *r->text <= '9');
    if (more && !read_digits(r, 2, 2, &minutes))
        return false;
    if (skip(r, ':') && !read_digits(r, 2, 2, &seconds))
        return false;
    *us -= sign * ((hours * 60 + minutes) * 60 + seconds) * US;
    return true;
}

static bool read_era(rest *r, int64_t *year)
{
    if (r->size != 3 || memcmp(r->text, " BC", 3) != 0)
        return true;
    *year = 1 - *year;
    r->size = 0;
    return true;
}

bool belayi_moment_read(const char *text, size_t size, int64_t *out_microseconds)
{
    enum { SECONDS_OF_DAY = 86400 };
    rest r = {text, size};
    int64_t year, month, day, us = 0;
    if (!read_day(&r, &year, &month, &day))
        return false;
    bool timed = r.size >= 2 && (*r.text == ' ' || *r.text == 'T') && r.text[1] >= '0' && r.text[1] <= '9';
    if (timed) {
        r.text++;
        r.size--;
    }
    if ((timed && (!read_time(&r, &us) || !read_offset(&r, &us))) || !read_era(&r, &year) || r.size > 0)
        return false;
    *out_microseconds = days_of(year, month, day) * SECONDS_OF_DAY * US + us;
    return true;
}
