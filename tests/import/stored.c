#include "stored.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- Numbers ------------------------------------------------------------------------------------------------ */

/* Sign, digits without zeros around them, and the power of ten behind them. */
static bool mean_number(const char *text, char out[STORED_ROOM])
{
    char digits[STORED_ROOM], *end;
    size_t count = 0, first = 0;
    long exponent = 0;
    bool negative = *text == '-', point = false;
    text += *text == '-' || *text == '+';
    for (; isdigit((unsigned char)*text) || (*text == '.' && !point); text++) {
        point = point || *text == '.';
        if (*text != '.')
            digits[count++] = *text;
        exponent -= *text != '.' && point;
    }
    if (count == 0)
        return false;
    if (*text == 'e' || *text == 'E') {
        exponent += strtol(text + 1, &end, 10);
        text = end;
    }
    if (*text)
        return false;
    while (first < count && digits[first] == '0')
        first++;
    for (; count > first && digits[count - 1] == '0'; count--)
        exponent++;
    if (first == count)
        snprintf(out, STORED_ROOM, "0");
    else
        snprintf(out, STORED_ROOM, "%s%.*se%ld", negative ? "-" : "", (int)(count - first), digits + first, exponent);
    return true;
}

/* The nearest there is; the library's own conversion, in the C locale of a test. */
static bool mean_real(const belayi_type *t, const char *text, char out[STORED_ROOM])
{
    char *end;
    double real = t->bits > 24 ? strtod(text, &end) : (double)strtof(text, &end);
    snprintf(out, STORED_ROOM, "%.17g", real == 0 ? 0 : real); /* the sign of a zero is no value */
    return end > text && *end == '\0';
}

static bool mean_boolean(const char *text, char out[STORED_ROOM])
{
    static const char *const words[] = {"false", "f", "no", "n", "off", "true", "t", "yes", "y", "on"};
    for (size_t i = 0; i < 10; i++)
        if (strcasecmp(text, words[i]) == 0) {
            snprintf(out, STORED_ROOM, "%s", i < 5 ? "0" : "1e0");
            return true;
        }
    return mean_number(text, out);
}

static bool mean_bits(const belayi_type *t, const char *text, char out[STORED_ROOM])
{
    if (t->maximum > 0)
        text += strspn(text, "0");
    snprintf(out, STORED_ROOM, "%s", text);
    return strspn(text, "01") == strlen(text);
}

/* ---- Times -------------------------------------------------------------------------------------------------- */

/* Behind a time of day: "seconds.microseconds" of it, and what follows. */
static bool read_time(const char *text, long *out_us, long *out_seconds, const char **out_rest)
{
    int hours, minutes, size = 0, seconds = 0;
    char fraction[20] = "";
    bool negative = *text == '-';
    if (sscanf(text + negative, "%3d:%2d%n", &hours, &minutes, &size) < 2)
        return false;
    text += negative + size;
    if (*text == ':' && sscanf(text, ":%2d%n", &seconds, &size) == 1)
        text += size;
    if (*text == '.' && sscanf(text, ".%19[0-9]%n", fraction, &size) == 1)
        text += size;
    for (size_t n = strlen(fraction); n > 9 && fraction[n - 1] == '0'; n--)
        fraction[n - 1] = '\0';
    while (strlen(fraction) < 9)
        strcat(fraction, "0");
    *out_us = atol(fraction);
    *out_seconds = (negative ? -1 : 1) * (hours * 3600L + minutes * 60L + seconds);
    *out_rest = text;
    return true;
}

static bool mean_time(const char *text, char out[STORED_ROOM])
{
    long us, seconds;
    const char *rest;
    bool good = read_time(text, &us, &seconds, &rest);
    if (good)
        snprintf(out, STORED_ROOM, "%s%ld.%09ld", seconds == 0 && us > 0 && *text == '-' ? "-" : "", seconds, us);
    return good && !*rest;
}

/* By the C library's calendar. A zone is taken off. */
static bool mean_timestamp(const char *text, bool zone, char out[STORED_ROOM])
{
    long us, seconds, offset = 0;
    const char *rest;
    int size = 0, hours = 0, minutes = 0;
    struct tm tm = {0};
    if (sscanf(text, "%4d-%2d-%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &size) < 3 || !text[size])
        return false;
    if (!read_time(text + size + 1, &us, &seconds, &rest))
        return false;
    if (zone && (*rest == '+' || *rest == '-')) {
        if (sscanf(rest + 1, "%2d%*1[:]%2d", &hours, &minutes) < 2)
            sscanf(rest + 1, "%2d%2d", &hours, &minutes);
        offset = (*rest == '-' ? -1 : 1) * (hours * 3600L + minutes * 60L);
        rest += strlen(rest);
    }
    rest += zone && *rest == 'Z';
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    snprintf(out, STORED_ROOM, "%lld.%09ld", (long long)timegm(&tm) + seconds - offset, us);
    return !*rest;
}

/* ---- Texts -------------------------------------------------------------------------------------------------- */

static bool mean_bytes(const char *text, size_t size, char out[STORED_ROOM])
{
    if (size >= 2 && text[0] == '\\' && text[1] == 'x') {
        for (size_t i = 0; i + 2 <= size; i++)
            out[i] = (char)tolower((unsigned char)text[i + 2]);
        return true;
    }
    for (size_t i = 0; i < size; i++)
        snprintf(out + 2 * i, 3, "%02x", (unsigned char)text[i]);
    if (size == 0)
        out[0] = '\0';
    return true;
}

static int compare_words(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The words, sorted. */
static bool mean_set(const char *text, char out[STORED_ROOM])
{
    char copy[STORED_ROOM], *words[64], *rest = NULL;
    size_t count = 0;
    snprintf(copy, sizeof copy, "%s", text);
    for (char *word = strtok_r(copy, ",", &rest); word && count < 64; word = strtok_r(NULL, ",", &rest))
        words[count++] = word;
    qsort(words, count, sizeof *words, compare_words);
    out[0] = '\0';
    for (size_t i = 0; i < count; i++)
        snprintf(out + strlen(out), STORED_ROOM - strlen(out), "%s,", words[i]);
    return true;
}

static bool mean_text(const belayi_type *t, const char *text, size_t size, char out[STORED_ROOM])
{
    int64_t characters = 0;
    for (size_t i = 0; i < size; i++)
        characters += (text[i] & 0xC0) != 0x80;
    int filling = t->fixed && characters < t->length ? (int)(t->length - characters) : 0;
    snprintf(out, STORED_ROOM, "%.*s%*s", (int)size, text, filling, "");
    return true;
}

static bool mean_uuid(const char *text, char out[STORED_ROOM])
{
    for (; *text; text++)
        *out++ = (char)tolower((unsigned char)*text);
    *out = '\0';
    return true;
}

bool stored_meaning(const belayi_type *t, const char *text, size_t size, char out[STORED_ROOM])
{
    out[0] = '\0';
    switch (t->kind) {
    case BELAYI_TYPE_INTEGER:
    case BELAYI_TYPE_DECIMAL:
    case BELAYI_TYPE_YEAR:
        return mean_number(text, out);
    case BELAYI_TYPE_REAL:
        return mean_real(t, text, out);
    case BELAYI_TYPE_BOOLEAN:
        return mean_boolean(text, out);
    case BELAYI_TYPE_BITS:
        return mean_bits(t, text, out);
    case BELAYI_TYPE_TIME:
        return mean_time(text, out);
    case BELAYI_TYPE_TIMESTAMP:
    case BELAYI_TYPE_MOMENT:
        return mean_timestamp(text, t->kind == BELAYI_TYPE_MOMENT, out);
    case BELAYI_TYPE_BYTES:
        return mean_bytes(text, size, out);
    case BELAYI_TYPE_UUID:
        return mean_uuid(text, out);
    case BELAYI_TYPE_ENUM:
        return t->many ? mean_set(text, out) : mean_text(t, text, size, out);
    case BELAYI_TYPE_TEXT:
    case BELAYI_TYPE_DATE:
    case BELAYI_TYPE_JSON:
    case BELAYI_TYPE_OTHER:
        break;
    }
    return mean_text(t, text, size, out);
}

/* ---- Texts to begin with ------------------------------------------------------------------------------------ */

static const char *const integers[] = {"0",
                                       "1",
                                       "-1",
                                       "+7",
                                       "007",
                                       "-0",
                                       "127",
                                       "128",
                                       "-128",
                                       "-129",
                                       "255",
                                       "256",
                                       "32767",
                                       "32768",
                                       "65535",
                                       "8388607",
                                       "8388608",
                                       "16777215",
                                       "2147483647",
                                       "2147483648",
                                       "-2147483648",
                                       "-2147483649",
                                       "4294967295",
                                       "4294967296",
                                       "9223372036854775807",
                                       "9223372036854775808",
                                       "-9223372036854775808",
                                       "-9223372036854775809",
                                       "18446744073709551615",
                                       "18446744073709551616",
                                       "99999999999999999999999",
                                       "twenty",
                                       "",
                                       " 1",
                                       "1 ",
                                       "1.0",
                                       "1.5",
                                       "1e3",
                                       "0x1F",
                                       "1,000",
                                       "true",
                                       "-",
                                       "+",
                                       "--1",
                                       "1-",
                                       NULL};

static const char *const decimals[] = {
    "0",
    "1",
    "-1",
    "10.50",
    "1.005",
    "1.500",
    "1.5",
    "-5.00",
    "+5",
    "005.10",
    ".5",
    "-.5",
    "5.",
    ".",
    "-",
    "",
    "0.00",
    "-0.00",
    "9999999999.99",
    "10000000000",
    "99999999.999",
    "0.001",
    "0.0004",
    "1e3",
    "1E-3",
    "twenty",
    "NaN",
    "Infinity",
    " 1",
    "1 ",
    "1.2.3",
    "1,5",
    "$5",
    "123456789012345.67",
    "9007199254740993",
    "9223372036854775807.5",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "12345678901234567890",
    "0.1",
    "0.30",
    "41.00",
    "0.12345678901234567",
    "123456789.123456",
    "1000000000000000000000000000000",
    "0.000000000000000000000000000001",
    "00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000001.5",
    "1.50000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
    NULL};

static const char *const reals[] = {"0",
                                    "-0",
                                    "1",
                                    "0.1",
                                    "-2.5",
                                    "1e3",
                                    "1E-3",
                                    "1e22",
                                    "1e23",
                                    "16777217",
                                    "9007199254740993",
                                    "3.4028235e38",
                                    "3.5e38",
                                    "1.7976931348623157e308",
                                    "1.8e308",
                                    "5e-324",
                                    "1e-45",
                                    "1e-50",
                                    "1e-400",
                                    "NaN",
                                    "Infinity",
                                    "-inf",
                                    "123.4567",
                                    "123.45678",
                                    "1.00000017881393432617187499",
                                    "1.00000017881393432617187501",
                                    "2.2250738585072011e-308",
                                    "0.1234567890123456789012345678901234567890",
                                    "12345678901234567890123456789",
                                    "twenty",
                                    "",
                                    ".5",
                                    "5.",
                                    "1e",
                                    "e1",
                                    "0x1p3",
                                    "1,5",
                                    " 1",
                                    "1 ",
                                    "1e+5",
                                    "-1.5e-7",
                                    NULL};

static const char *const booleans[] = {"true", "false", "TRUE", "t",   "f",  "yes", "no",  "y",   "n",
                                       "on",   "off",   "1",    "0",   "2",  "-1",  "127", "128", "tru",
                                       "",     " true", "wahr", "1.0", "00", "+1",  NULL};

static const char *const texts[] = {"",
                                    "a",
                                    "abc",
                                    "abcdefgh",
                                    "abcdefghi",
                                    "ab ",
                                    "  ",
                                    "     ",
                                    "ab   ",
                                    "ab    ",
                                    "a  b",
                                    " ab",
                                    "12",
                                    "007",
                                    "1.50",
                                    "1e3",
                                    "'",
                                    "\"",
                                    "\\",
                                    "a\nb",
                                    "\t",
                                    "\xC3\xA9t\xC3\xA9",
                                    "\xE2\x82\xAC",
                                    "\xF0\x9F\x98\x80",
                                    "a\xF0\x9F\x98\x80",
                                    "\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9",
                                    "e\xCC\x81",
                                    "abcde       ",
                                    "NULL",
                                    "\\N",
                                    "0x41",
                                    "\xC5\x82",
                                    "%s",
                                    "A",
                                    "abcdefg\xE2\x82\xAC",
                                    "-5",
                                    "0",
                                    "1.5",
                                    " 12 ",
                                    "1e400",
                                    NULL};

static const char *const bytes[] = {"\\x",  "\\x00", "\\x00ff10", "\\x0",  "\\xzz", "\\x010203040506",
                                    "abc",  "",      "a\\b",      "\\000", "\\\\",  "\xC3\xA9",
                                    "abcd", "0x41",  "\\xABCDEF", "ab ",   "a",     NULL};

static const char *const dates[] = {
    "2026-01-01", "2026-13-45", "2026-02-28", "2026-02-29", "2024-02-29",    "1900-02-29",  "2000-02-29",
    "0000-00-00", "2026-00-10", "2026-10-00", "0001-01-01", "0999-05-05",    "9999-12-31",  "10000-01-01",
    "2026-1-1",   "26-01-01",   "20260101",   "2026/01/01", "01/02/2026",    "2026-01-01 ", "2026-01-01 00:00:00",
    "2026-04-31", "today",      "infinity",   "",           "0044-03-15 BC", "2026-12-32",  "1970-01-01",
    "2038-01-19", NULL};

static const char *const times[] = {"10:20:30",
                                    "10:20",
                                    "00:00:00",
                                    "23:59:59",
                                    "23:59:60",
                                    "24:00:00",
                                    "25:00:00",
                                    "10:60:00",
                                    "10:20:30.5",
                                    "10:20:30.123456",
                                    "10:20:30.1234567",
                                    "10:20:30.100000000",
                                    "10:20:30.0",
                                    "23:59:59.9999999",
                                    "-10:20:30",
                                    "838:59:59",
                                    "839:00:00",
                                    "-838:59:59",
                                    "100:20:30",
                                    "1:20:30",
                                    "102030",
                                    "10:20 PM",
                                    "10:20:30Z",
                                    "10:20:30+01",
                                    "",
                                    "now",
                                    "-00:00:01",
                                    "10",
                                    "1020:30",
                                    "838:59:59.5",
                                    NULL};

static const char *const timestamps[] = {"2026-01-02 10:20:30",
                                         "2026-01-02T10:20:30",
                                         "2026-01-02 10:20",
                                         "2026-01-02",
                                         "2026-01-02 10:20:30.5",
                                         "2026-01-02 10:20:30.123456",
                                         "2026-01-02 10:20:30.1234567",
                                         "2026-01-02 10:20:30.1000000",
                                         "2026-02-30 10:20:30",
                                         "2026-01-02 24:00:00",
                                         "2026-01-02 23:59:60",
                                         "2026-12-31 23:59:59.9999999",
                                         "2026-01-02 10:20:30Z",
                                         "2026-01-02 10:20:30+01:00",
                                         "2026-01-02 10:20:30-0530",
                                         "2026-01-02 00:20:30+02",
                                         "1970-01-01 00:00:00",
                                         "1970-01-01 00:00:01",
                                         "1969-12-31 23:59:59.25",
                                         "2038-01-19 03:14:07",
                                         "2038-01-19 03:14:08",
                                         "2040-06-01 12:00:00",
                                         "0001-01-01 00:00:00",
                                         "9999-12-31 23:59:59",
                                         "0001-01-01 00:00:00+01:00",
                                         "0000-00-00 00:00:00",
                                         "now",
                                         "infinity",
                                         "2026-03-29 02:30:00",
                                         "2026-01-02 10:20:30 PM",
                                         "",
                                         "20260102102030",
                                         "2024-02-29 12:00:00",
                                         NULL};

static const char *const uuids[] = {"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
                                    "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
                                    "00000000-0000-0000-0000-000000000000",
                                    "a0eebc999c0b4ef8bb6d6bb9bd380a11",
                                    "12345678123456781234567812345678",
                                    "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}",
                                    "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1",
                                    "00000000-0000-0000-8000-00805F9B34FB",
                                    "",
                                    NULL};

static const char *const jsons[] = {"{}",
                                    "[]",
                                    "{\"a\": [1, 2.50, null]}",
                                    "\"text\"",
                                    "12",
                                    "1.50",
                                    "1e3",
                                    "007",
                                    "null",
                                    "true",
                                    "{\"a\": 1,}",
                                    "{a: 1}",
                                    "[1 2]",
                                    "",
                                    "text",
                                    "{\"a\": \"\\u00e9\"}",
                                    "[1]x",
                                    " {\"b\" : 1} ",
                                    "\"\\x\"",
                                    "[[[[[[[[]]]]]]]]",
                                    "{\"a\"}",
                                    "-",
                                    "12345678901234567890",
                                    " 5 ",
                                    "'a'",
                                    "[\"\xC3\xA9\"]",
                                    NULL};

static const char *const words[] = {"sad", "Sad", "it's",  "",         "b\\x", "sad ", "1",   "2",
                                    "0",   "4",   "happy", "sad,it's", "a",    "b",    "a,b", "b,a",
                                    "a,a", "c",   "a,c",   "10",       "A",    ",",    "a,",  NULL};

static const char *const years[] = {"2026", "1901", "1900",  "2155", "2156",   "0000",   "26",
                                    "0",    "70",   "02026", "",     "2026.0", "twenty", NULL};

static const char *const bits[] = {"1",
                                   "0",
                                   "101",
                                   "0101",
                                   "11111111",
                                   "111111111",
                                   "2",
                                   "5",
                                   "",
                                   "abc",
                                   "001",
                                   "1111111111111111111111111111111111111111111111111111111111111111",
                                   "1000000000000000000000000000000000000000000000000000000000000001",
                                   NULL};

const char *const *stored_seeds(const belayi_type *t)
{
    static const char *const *const all[] = {texts, integers,   decimals,   reals, booleans, texts, bytes, dates,
                                             times, timestamps, timestamps, uuids, jsons,    words, years, bits};
    return all[t->kind];
}

/* What MariaDB takes and RFC 8259 does not: other escapes, a point without digits behind it. */
static bool is_lax_json(const char *text)
{
    for (; *text; text++) {
        if ((*text == '\\' && !strchr("\"\\/bfnrtu", text[1])) || (*text == '.' && !isdigit((unsigned char)text[1])))
            return true;
        text += *text == '\\' && text[1];
    }
    return false;
}

bool stored_is_left_out(const belayi_type *t, const char *text)
{
    bool dated = t->kind == BELAYI_TYPE_DATE || t->kind == BELAYI_TYPE_TIMESTAMP || t->kind == BELAYI_TYPE_MOMENT;
    if (dated) /* infinity, BC, five digits; a year, month or day 0 */
        return strpbrk(text, "abcdefghijklmnopqrstuvwxyzBC") || strcspn(text, "-") > 4 ||
               strncmp(text, "0000", 4) == 0 || strstr(text, "-00") == text + 4 || strstr(text + 4, "-00");
    if (t->kind == BELAYI_TYPE_JSON)
        return is_lax_json(text);
    if (t->kind == BELAYI_TYPE_DECIMAL)
        return strcmp(text, "NaN") == 0 || strstr(text, "Infinity");
    if (t->kind == BELAYI_TYPE_TIME)
        return strcmp(text, "24:00:00") == 0;
    return t->kind == BELAYI_TYPE_YEAR && strcmp(text, "0000") == 0;
}
