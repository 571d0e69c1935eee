#include "json.h"

#include <stdlib.h>
#include <string.h>

#include "utf8.h"

enum { ROOM_AT_FIRST = 1024, ROOM_TO_KEEP = 65536 };

void belayi_json_free(belayi_json *json)
{
    free(json->text);
    *json = (belayi_json){0};
}

void belayi_json_clear(belayi_json *json)
{
    if (json->room > ROOM_TO_KEEP)
        belayi_json_free(json);
    json->size = 0;
    json->failed = false;
}

/* Room for `size` bytes more; false, and nothing can be put any more, when there is no memory. */
static bool grow_text(belayi_json *json, size_t size)
{
    if (json->failed)
        return false;
    if (json->room - json->size >= size)
        return true;
    size_t room = json->room ? json->room : ROOM_AT_FIRST;
    while (room - json->size < size)
        room *= 2;
    char *grown = realloc(json->text, room);
    json->failed = !grown;
    if (grown) {
        json->text = grown;
        json->room = room;
    }
    return grown != NULL;
}

static void put_bytes(belayi_json *json, const char *bytes, size_t size)
{
    if (size > 0 && grow_text(json, size)) {
        memcpy(json->text + json->size, bytes, size);
        json->size += size;
    }
}

void belayi_json_put(belayi_json *json, const char *text)
{
    put_bytes(json, text, strlen(text));
}

/* ---- Numbers ----------------------------------------------------------------------------------------------------- */

/* With zeros in front, up to so many digits. */
static void put_digits(belayi_json *json, uint64_t number, size_t least)
{
    char digits[24];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0 || sizeof digits - at < least);
    put_bytes(json, digits + at, sizeof digits - at);
}

/* Puts the sign; returns what is behind it. */
static uint64_t put_sign(belayi_json *json, int64_t number)
{
    if (number >= 0)
        return (uint64_t)number;
    belayi_json_put(json, "-");
    return 0 - (uint64_t)number;
}

void belayi_json_put_integer(belayi_json *json, int64_t number)
{
    put_digits(json, put_sign(json, number), 1);
}

void belayi_json_put_microseconds(belayi_json *json, int64_t ns)
{
    uint64_t left = put_sign(json, ns);
    put_digits(json, left / 1000, 1);
    belayi_json_put(json, ".");
    put_digits(json, left % 1000, 3);
}

/* ---- Strings ----------------------------------------------------------------------------------------------------- */

/* How many bytes of UTF-8 text need no escape. */
static size_t measure_plain(const char *text, size_t size)
{
    size_t at = 0;
    while (at < size && (unsigned char)text[at] >= 0x20 && text[at] != '"' && text[at] != '\\')
        at++;
    return at;
}

static void put_escape(belayi_json *json, unsigned char byte)
{
    static const char letters[] = "btn\vfr", digits[] = "0123456789abcdef";
    char escape[] = {'\\', (char)byte, '0', '0', digits[byte >> 4], digits[byte & 0xF]};
    if (byte >= 0x20) { /* a quote or backslash */
        put_bytes(json, escape, 2);
    } else if (byte >= '\b' && byte <= '\r' && byte != '\v') {
        escape[1] = letters[byte - '\b'];
        put_bytes(json, escape, 2);
    } else {
        escape[1] = 'u';
        put_bytes(json, escape, sizeof escape);
    }
}

static void put_text(belayi_json *json, const char *text, size_t size)
{
    for (size_t at = 0; at < size; at++) {
        size_t plain = measure_plain(text + at, size - at);
        put_bytes(json, text + at, plain);
        at += plain;
        if (at < size)
            put_escape(json, (unsigned char)text[at]);
    }
}

void belayi_json_put_string(belayi_json *json, const char *text)
{
    size_t left = strlen(text), valid = 0;
    belayi_json_put(json, "\"");
    while (!belayi_utf8_valid(text, left, &valid)) {
        put_text(json, text, valid);
        belayi_json_put(json, "\xEF\xBF\xBD");
        text += valid + 1;
        left -= valid + 1;
    }
    put_text(json, text, left);
    belayi_json_put(json, "\"");
}

/* ---- Members ----------------------------------------------------------------------------------------------------- */

void belayi_json_put_name(belayi_json *json, const char *name)
{
    bool first = json->size > 0 && json->text[json->size - 1] == '{';
    belayi_json_put(json, first ? "\"" : ",\"");
    belayi_json_put(json, name);
    belayi_json_put(json, "\":");
}

void belayi_json_put_number(belayi_json *json, const char *name, int64_t value)
{
    belayi_json_put_name(json, name);
    belayi_json_put_integer(json, value);
}

void belayi_json_put_natural(belayi_json *json, const char *name, uint64_t value)
{
    belayi_json_put_name(json, name);
    put_digits(json, value, 1);
}

void belayi_json_put_text(belayi_json *json, const char *name, const char *value)
{
    if (!value)
        return;
    belayi_json_put_name(json, name);
    belayi_json_put_string(json, value);
}
