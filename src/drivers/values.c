#include "values.h"

#include "report.h"
#include "utf8.h"

enum { US_PER_SECOND = 1000000, SECONDS_PER_DAY = 86400 };

static const int64_t first_moment = INT64_C(-62167219200) * US_PER_SECOND;  /* 0000-01-01 00:00:00 */
static const int64_t after_moments = INT64_C(253402300800) * US_PER_SECOND; /* 10000-01-01 00:00:00 */

static size_t count_digits(const char *text, size_t size)
{
    size_t n = 0;
    while (n < size && text[n] >= '0' && text[n] <= '9')
        n++;
    return n;
}

bool belayi_values_decimal(const char *text, size_t size)
{
    size_t at = size > 0 && (text[0] == '-' || text[0] == '+');
    size_t whole = count_digits(text + at, size - at);
    at += whole;
    if (whole == 0 || at == size)
        return whole > 0;
    if (text[at] != '.')
        return false;
    at++;
    return at < size && count_digits(text + at, size - at) == size - at;
}

/* The calendar's date of a day, counted from 1970-01-01. Years begin in March here, so that a leap day comes last. */
static void find_date(int64_t day, int64_t *out_year, int *out_month, int *out_day)
{
    enum { DAYS_PER_ERA = 146097 }; /* 400 years */
    int64_t shifted = day + 719468; /* from 0000-03-01 */
    int64_t era = (shifted >= 0 ? shifted : shifted - (DAYS_PER_ERA - 1)) / DAYS_PER_ERA;
    int64_t in_era = shifted - era * DAYS_PER_ERA;
    int64_t year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    int64_t in_year = in_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * in_year + 2) / 153; /* from March */
    *out_day = (int)(in_year - (153 * month + 2) / 5 + 1);
    *out_month = (int)(month < 10 ? month + 3 : month - 9);
    *out_year = year + era * 400 + (*out_month <= 2);
}

/* Writes `digits` decimal digits; returns where they end. */
static char *write_number(char *out, int64_t number, int digits)
{
    for (int i = digits - 1; i >= 0; i--, number /= 10)
        out[i] = (char)('0' + number % 10);
    return out + digits;
}

bool belayi_values_timestamp(int64_t microseconds, char out[BELAYI_TIMESTAMP_SIZE])
{
    if (microseconds < first_moment || microseconds >= after_moments)
        return false;
    int64_t since = microseconds - first_moment; /* never negative: no division rounds the wrong way */
    int64_t fraction = since % US_PER_SECOND, seconds = since / US_PER_SECOND;
    int64_t day = seconds / SECONDS_PER_DAY, second = seconds % SECONDS_PER_DAY, year;
    int month, day_of_month;
    find_date(day - 719528, &year, &month, &day_of_month);
    out = write_number(out, year, 4);
    *out++ = '-';
    out = write_number(out, month, 2);
    *out++ = '-';
    out = write_number(out, day_of_month, 2);
    *out++ = ' ';
    out = write_number(out, second / 3600, 2);
    *out++ = ':';
    out = write_number(out, second / 60 % 60, 2);
    *out++ = ':';
    out = write_number(out, second % 60, 2);
    *out++ = '.';
    *write_number(out, fraction, 6) = '\0';
    return true;
}

static belay_code check_data(const belay_value *value, size_t number, belay_error *error)
{
    if (!value->as.data && value->size > 0)
        return belayi_report(error, BELAY_MISUSE, "parameter %zu has %zu bytes at a NULL pointer", number, value->size);
    if (value->size <= INT32_MAX)
        return BELAY_OK;
    return belayi_report(error, BELAY_DATA, "parameter %zu has %zu bytes, more than any engine takes", number,
                         value->size);
}

static belay_code check_text(const belay_value *value, size_t number, belay_error *error)
{
    size_t bad_at;
    belay_code code = check_data(value, number, error);
    if (code != BELAY_OK || belayi_utf8_valid(value->as.data, value->size, &bad_at))
        return code;
    bool is_nul = ((const char *)value->as.data)[bad_at] == '\0';
    belayi_report(error, BELAY_DATA, "parameter %zu is no text: %s at byte %zu", number,
                  is_nul ? "there is a NUL" : "the UTF-8 is broken", bad_at);
    BELAYI_REPORT_FIELD(error->hint, "bytes that are no UTF-8 text can be stored as a blob: belay_blob");
    return BELAY_DATA;
}

belay_code belayi_values_check(const belay_value *value, size_t number, belay_error *error)
{
    belay_code code;
    switch (value->type) {
    case BELAY_TYPE_NULL:
    case BELAY_TYPE_BOOL:
    case BELAY_TYPE_INT:
    case BELAY_TYPE_DOUBLE:
        return BELAY_OK;
    case BELAY_TYPE_UINT:
        if (value->as.unsigned_integer <= INT64_MAX)
            return BELAY_OK;
        return belayi_report(error, BELAY_DATA, "parameter %zu is over %lld, the largest integer of a database", number,
                             (long long)INT64_MAX);
    case BELAY_TYPE_TEXT:
        return check_text(value, number, error);
    case BELAY_TYPE_BLOB:
        return check_data(value, number, error);
    case BELAY_TYPE_DECIMAL:
        code = check_data(value, number, error);
        if (code != BELAY_OK || belayi_values_decimal(value->as.data, value->size))
            return code;
        return belayi_report(error, BELAY_DATA, "parameter %zu is no decimal number such as -12.30", number);
    case BELAY_TYPE_TIMESTAMP:
        if (value->as.integer >= first_moment && value->as.integer < after_moments)
            return BELAY_OK;
        return belayi_report(error, BELAY_DATA, "parameter %zu is a moment outside the years 0000 to 9999", number);
    }
    return belayi_report(error, BELAY_MISUSE, "parameter %zu has the type %d, which there isn't", number,
                         (int)value->type);
}
