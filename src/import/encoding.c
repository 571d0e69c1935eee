#include "encoding.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "report.h"
#include "seek.h"

#define NO_ICONV ((iconv_t)-1) /* as iconv_open says it */

bool belayi_encoding_is_utf8(const char *name)
{
    return !name || strcasecmp(name, "UTF-8") == 0 || strcasecmp(name, "UTF8") == 0;
}

/* ---- opening --------------------------------------------------------------------------------------------------- */

/* A line end as the encoding writes it, with a byte order mark if it writes one. 0: the name is not known. */
static size_t write_line_end(const char *name, char out[16])
{
    char end[] = "\n", *from = end, *to = out;
    size_t left = 1, room = 16;
    iconv_t way = name[0] == '\0' || strchr(name, '/') ? NO_ICONV : iconv_open(name, "UTF-8");
    if (way == NO_ICONV)
        return 0;
    iconv(way, &from, &left, &to, &room);
    iconv_close(way);
    return (size_t)(to - out);
}

/* Finds the only byte that is not 0 in a unit. */
static bool find_low(belayi_encoding *e, const char *bytes)
{
    size_t found = 0;
    for (size_t i = 0; i < e->unit; i++)
        if (bytes[i] == '\n')
            e->low = i, found++;
        else if (bytes[i] != '\0')
            return false;
    return found == 1 && (e->low == 0 || e->low == e->unit - 1);
}

/* Whether the file begins with a byte order mark of that order. */
static bool has_mark(const belayi_encoding *e, size_t low, const char *head, size_t size)
{
    char mark[BELAYI_UNIT_MAX] = {0};
    mark[low] = (char)0xFF;
    mark[low == 0 ? 1 : e->unit - 2] = (char)0xFE;
    return size >= e->unit && memcmp(head, mark, e->unit) == 0;
}

/* The name says no order: the file's mark must. */
static belay_code find_order(belayi_encoding *e, const char *head, size_t size, char out_name[16], belay_error *error)
{
    const char *family = e->unit == 2 ? "UTF-16" : "UTF-32";
    if (has_mark(e, e->unit - 1, head, size))
        e->low = e->unit - 1;
    else if (has_mark(e, 0, head, size) || size == 0)
        e->low = 0;
    else
        return belayi_report(error, BELAY_DATA, "the file has no byte order mark: its encoding is %sLE or %sBE", family,
                             family);
    snprintf(out_name, 16, "%s%s", family, e->low == 0 ? "LE" : "BE");
    return BELAY_OK;
}

static belay_code find_unit(belayi_encoding *e, const char **name, char own_name[16], const char *head, size_t size,
                            belay_error *error)
{
    char end[16];
    size_t written = write_line_end(*name, end);
    if (written == 0)
        return belayi_report(error, BELAY_MISUSE, "the encoding %s is not known: iconv -l lists those that are", *name);
    e->unit = written;
    if ((written == 1 || written == 2 || written == 4) && find_low(e, end))
        return BELAY_OK;
    e->unit = written / 2;
    if ((e->unit == 2 || e->unit == 4) && (has_mark(e, 0, end, e->unit) || has_mark(e, e->unit - 1, end, e->unit))) {
        *name = own_name;
        return find_order(e, head, size, own_name, error);
    }
    return belayi_report(error, BELAY_MISUSE, "the encoding %s has other line ends than ASCII: convert the file first",
                         *name);
}

belay_code belayi_encoding_open(belayi_encoding *e, const char *name, const char *head, size_t size, size_t *out_mark,
                                belay_error *error)
{
    char own_name[16];
    *out_mark = 0;
    e->to_utf8 = NO_ICONV;
    belay_code code = find_unit(e, &name, own_name, head, size, error);
    if (code != BELAY_OK)
        return code;
    if (e->unit > 1 && has_mark(e, e->unit - 1 - e->low, head, size))
        return belayi_report(error, BELAY_DATA, "the file's byte order mark is not that of %s", name);
    if (e->unit > 1 && has_mark(e, e->low, head, size))
        *out_mark = e->unit;
    e->to_utf8 = iconv_open("UTF-8", name);
    if (e->to_utf8 == NO_ICONV)
        return belayi_report(error, BELAY_MISUSE, "iconv can't read the encoding %s: %s", name, strerror(errno));
    return BELAY_OK;
}

void belayi_encoding_close(belayi_encoding *e)
{
    if (e->to_utf8 != NO_ICONV)
        iconv_close(e->to_utf8);
    e->to_utf8 = NO_ICONV;
}

/* ---- lines ----------------------------------------------------------------------------------------------------- */

int belayi_encoding_ascii(const belayi_encoding *e, const char *raw, size_t size)
{
    if (size < e->unit)
        return -1;
    for (size_t i = 0; i < e->unit; i++)
        if (i != e->low && raw[i] != '\0')
            return -1;
    return raw[e->low] & 0x80 ? -1 : raw[e->low];
}

/* Where the first LF or CR is; `size` when there is none. */
static size_t find_line_end(const belayi_encoding *e, const char *raw, size_t size)
{
    if (e->unit == 1) {
        belayi_seek seek = {.text = raw, .size = size, .wanted = {'\n', '\r', '\n', '\r'}};
        return belayi_seek_next(&seek);
    }
    for (size_t at = 0; at + e->unit <= size; at += e->unit) {
        char byte = raw[at + e->low];
        if ((byte == '\n' || byte == '\r') && belayi_encoding_ascii(e, raw + at, e->unit) >= 0)
            return at;
    }
    return size;
}

size_t belayi_encoding_line(const belayi_encoding *e, const char *raw, size_t size, bool last, size_t *out_end_size)
{
    size_t at = find_line_end(e, raw, size), behind = at + e->unit;
    *out_end_size = 0;
    if (at == size)
        return 0;
    if (raw[at + e->low] == '\r') {
        if (size - behind < e->unit && !last)
            return 0;
        if (belayi_encoding_ascii(e, raw + behind, size - behind) == '\n')
            behind += e->unit;
    }
    *out_end_size = behind - at;
    return behind;
}

/* ---- decoding -------------------------------------------------------------------------------------------------- */

/* Text that has line ends of its own (UTF-7 can write them so) would make lines that the file has not. */
static void mask_line_ends(char *out, size_t size)
{
    belayi_seek seek = {.text = out, .size = size, .wanted = {'\n', '\r', '\n', '\r'}};
    for (size_t at; (at = belayi_seek_next(&seek)) < size;)
        out[at] = (char)0xFF;
}

static void begin_line(const belayi_encoding *e)
{
    iconv(e->to_utf8, NULL, NULL, NULL, NULL);
}

size_t belayi_encoding_decode(belayi_encoding *e, const char *raw, size_t size, char *out, size_t room)
{
    char *from = (char *)(uintptr_t)raw, *to = out;
    size_t left = size;
    begin_line(e);
    while (left > 0 && iconv(e->to_utf8, &from, &left, &to, &room) == (size_t)-1) {
        if (errno == E2BIG || room == 0)
            return SIZE_MAX;
        size_t passed = left < e->unit ? left : e->unit;
        from += passed;
        left -= passed;
        *to++ = (char)0xFF;
        room--;
    }
    if (iconv(e->to_utf8, NULL, NULL, &to, &room) == (size_t)-1)
        return SIZE_MAX;
    mask_line_ends(out, (size_t)(to - out));
    return (size_t)(to - out);
}

size_t belayi_encoding_find_bad(belayi_encoding *e, const char *raw, size_t size)
{
    char out[256], *from = (char *)(uintptr_t)raw;
    size_t left = size;
    begin_line(e);
    while (left > 0) {
        char *to = out;
        size_t room = sizeof out;
        if (iconv(e->to_utf8, &from, &left, &to, &room) == (size_t)-1 && errno != E2BIG)
            return size - left;
    }
    return size;
}
