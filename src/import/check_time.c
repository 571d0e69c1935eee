/*
 * check_time.c - dates, times of day, timestamps and moments, in the forms of ISO 8601.
 *
 *   date       yyyy-mm-dd, a day of the calendar in the years 0001 to 9999
 *   time       hh:mm, hh:mm:ss or hh:mm:ss.f
 *   timestamp  a date, a T or a space, and a time
 *   moment     the same, and perhaps a zone: Z, +hh, +hhmm or +hh:mm
 *
 * Nothing is guessed: no other order, no missing digit, no second 60, no hour 24.
 * Must not know: engines, the zone of the program.
 * Tests: tests/unit/import/test_check.c, tests/import/test_stored.c.
 */
#include "check_kinds.h"

enum { DATE_SIZE = 10, SECONDS_A_DAY = 86400, US_DIGITS = 6 };

/* ---- Parts -------------------------------------------------------------------------------------------------- */

/* A number of so many digits; negative when there are others. */
static inline int number_at(const char *at, int digits)
{
    int number = 0;
    for (int i = 0; i < digits; i++) {
        unsigned digit = (unsigned char)(at[i] - '0');
        if (digit > 9)
            return -1;
        number = 10 * number + (int)digit;
    }
    return number;
}

static int days_of_month(int year, int month)
{
    static const signed char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month == 2 && leap ? 29 : days[month - 1];
}

typedef struct calendar_date {
    int year, month, day;
} calendar_date;

/* Of the ten characters there. */
static bool read_date(const char *at, calendar_date *out)
{
    out->year = number_at(at, 4);
    out->month = number_at(at + 5, 2);
    out->day = number_at(at + 8, 2);
    return at[4] == '-' && at[7] == '-' && out->year >= 1 && out->month >= 1 && out->month <= 12 && out->day >= 1 &&
           out->day <= days_of_month(out->year, out->month);
}

/* Days since 1970-01-01. Years begin in March here, so that a leap day comes last. */
static int64_t count_days(const calendar_date *d)
{
    int64_t year = d->month > 2 ? d->year : d->year - 1;
    int64_t month = d->month > 2 ? d->month - 3 : d->month + 9;
    return 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + d->day - 1 - 719468;
}

typedef struct clock_time {
    int64_t seconds;
    const char *fraction; /* its digits, or NULL */
    size_t written;       /* how many there are, and */
    size_t counting;      /* without the zeros at their end */
    const char *end;
} clock_time;

static bool read_fraction(const char *at, const char *end, clock_time *out)
{
    out->fraction = ++at;
    while (at < end && number_at(at, 1) >= 0)
        at++;
    out->written = out->counting = (size_t)(at - out->fraction);
    while (out->counting > 0 && out->fraction[out->counting - 1] == '0')
        out->counting--;
    out->end = at;
    return out->written > 0;
}

/* Hours of so many digits, and what follows; false when it is no time. */
static bool read_clock(const char *at, const char *end, int hour_digits, clock_time *out)
{
    *out = (clock_time){0};
    if (end - at < hour_digits + 3)
        return false;
    int hour = number_at(at, hour_digits), minute = number_at(at + hour_digits + 1, 2), second = 0;
    at += hour_digits;
    if (hour < 0 || *at != ':' || minute < 0 || minute > 59)
        return false;
    at += 3;
    bool has_seconds = at < end && *at == ':';
    if (has_seconds) {
        second = end - at >= 3 ? number_at(at + 1, 2) : -1;
        at += 3;
    }
    out->seconds = (int64_t)hour * 3600 + (int64_t)minute * 60 + second;
    out->end = at;
    if (second < 0 || second > 59)
        return false;
    return !has_seconds || at == end || *at != '.' || read_fraction(at, end, out);
}

/* The value's text without zeros at the end of its fraction that the column has no place for; the fraction is last. */
static belay_value text_of(const belayi_checked *c, const clock_time *clock)
{
    size_t size = c->size;
    int kept = c->type->fraction;
    if (clock->fraction && kept >= 0 && clock->written > (size_t)kept)
        size -= clock->written - (size_t)kept + (kept == 0);
    return belay_text(c->text, size);
}

static bool check_fraction(const belayi_checked *c, const clock_time *clock, int most)
{
    if (most < 0 || clock->counting <= (size_t)most)
        return true;
    return belayi_check_refuse(c, "has %zu digits behind the second, and the column %d", clock->counting, most);
}

/* ---- Dates and times ---------------------------------------------------------------------------------------- */

bool belayi_check_date(const belayi_checked *c, belay_value *out_value)
{
    calendar_date date;
    if (c->size != DATE_SIZE || !read_date(c->text, &date))
        return belayi_check_refuse(c, "is no date of the form yyyy-mm-dd");
    *out_value = belay_text(c->text, c->size);
    return true;
}

bool belayi_check_time(const belayi_checked *c, belay_value *out_value)
{
    clock_time clock;
    bool negative = c->size > 0 && c->text[0] == '-' && c->type->minimum < 0;
    const char *begin = c->text + negative, *end = c->text + c->size;
    int hour_digits = end - begin > 3 && begin[2] != ':' ? 3 : 2;
    if (!read_clock(begin, end, hour_digits, &clock) || clock.end != end)
        return belayi_check_refuse(c, "is no time of the form hh:mm:ss");
    if (clock.seconds > (int64_t)c->type->maximum)
        return belayi_check_refuse(c, "is later than the column can hold");
    if (!check_fraction(c, &clock, c->type->fraction))
        return false;
    *out_value = text_of(c, &clock);
    return true;
}

/* ---- Timestamps --------------------------------------------------------------------------------------------- */

static bool read_timestamp(const belayi_checked *c, calendar_date *date, clock_time *clock)
{
    const char *end = c->text + c->size;
    if (c->size <= DATE_SIZE || !read_date(c->text, date) || (c->text[DATE_SIZE] != ' ' && c->text[DATE_SIZE] != 'T'))
        return false;
    return read_clock(c->text + DATE_SIZE + 1, end, 2, clock) && clock->seconds < SECONDS_A_DAY;
}

/* Z, +hh, +hhmm, +hh:mm: how far before UTC, in seconds. */
static bool read_zone(const char *at, const char *end, int64_t *out_seconds)
{
    ptrdiff_t size = end - at;
    *out_seconds = 0;
    if (size == 1)
        return *at == 'Z';
    if ((size != 3 && size != 5 && size != 6) || (*at != '+' && *at != '-') || (size == 6 && at[3] != ':'))
        return false;
    int hours = number_at(at + 1, 2), minutes = size > 3 ? number_at(end - 2, 2) : 0;
    *out_seconds = (*at == '-' ? -1 : 1) * ((int64_t)hours * 3600 + (int64_t)minutes * 60);
    return hours >= 0 && hours <= 15 && minutes >= 0 && minutes <= 59;
}

bool belayi_check_timestamp(const belayi_checked *c, belay_value *out_value)
{
    calendar_date date;
    clock_time clock;
    int64_t zone;
    const char *end = c->text + c->size;
    if (!read_timestamp(c, &date, &clock))
        return belayi_check_refuse(c, "is no timestamp of the form yyyy-mm-dd hh:mm:ss");
    if (clock.end != end)
        return belayi_check_refuse(c, read_zone(clock.end, end, &zone)
                                          ? "has a zone, and the column has none"
                                          : "is no timestamp of the form yyyy-mm-dd hh:mm:ss");
    if (!check_fraction(c, &clock, c->type->fraction))
        return false;
    *out_value = text_of(c, &clock);
    return true;
}

static int64_t microseconds_of(const clock_time *clock)
{
    int64_t us = 0;
    for (size_t i = 0; i < US_DIGITS; i++)
        us = 10 * us + (i < clock->counting ? clock->fraction[i] - '0' : 0);
    return us;
}

bool belayi_check_moment(const belayi_checked *c, belay_value *out_value)
{
    static const int64_t first = INT64_C(-62135596800), last = INT64_C(253402300799); /* the years 0001 to 9999 */
    calendar_date date;
    clock_time clock;
    int64_t zone = 0;
    const char *end = c->text + c->size;
    int most = c->type->fraction >= 0 && c->type->fraction < US_DIGITS ? c->type->fraction : US_DIGITS;
    if (!read_timestamp(c, &date, &clock) || (clock.end != end && !read_zone(clock.end, end, &zone)))
        return belayi_check_refuse(c, "is no timestamp of the form yyyy-mm-dd hh:mm:ss+hh:mm");
    if (!check_fraction(c, &clock, most))
        return false;
    int64_t seconds = count_days(&date) * SECONDS_A_DAY + clock.seconds - zone;
    if (seconds < first || seconds > last)
        return belayi_check_refuse(c, "is in UTC not in the years 0001 to 9999");
    *out_value = belay_timestamp(seconds * 1000000 + microseconds_of(&clock));
    return true;
}

bool belayi_check_year(const belayi_checked *c, belay_value *out_value)
{
    int year = c->size == 4 ? number_at(c->text, 4) : -1;
    if (year < 1901 || year > 2155)
        return belayi_check_refuse(c, "is no year from 1901 to 2155");
    *out_value = belay_integer(year);
    return true;
}
