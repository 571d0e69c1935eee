/*
 * check_text.c - texts, bytes, UUIDs, words of an enum, JSON, and what no rule is known for.
 *
 * Must not know: engines. A text that a column would take for a number
 * (type->makes_numbers) must be what that number is written as.
 * Tests: tests/unit/import/test_check.c, tests/import/test_stored.c.
 */
#include <string.h>

#include "arena.h"
#include "check_kinds.h"
#include "json_value.h"
#include "utf8.h"

/* ---- Texts that would become numbers ------------------------------------------------------------------------ */

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static const char *skip_digits(const char *at, const char *end)
{
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    return at;
}

/* Whether spaces, a number in any form ("5." and ".5e3" too), and spaces is all there is. */
static bool looks_like_a_number(const belayi_checked *c)
{
    const char *at = c->text, *end = c->text + c->size;
    while (at < end && is_space(*at))
        at++;
    while (end > at && is_space(end[-1]))
        end--;
    at += at < end && (*at == '-' || *at == '+');
    const char *point = skip_digits(at, end), *last = point;
    if (point < end && *point == '.')
        last = skip_digits(point + 1, end);
    if (last - at == (last > point)) /* no digit */
        return false;
    if (last == end || (*last | 0x20) != 'e')
        return last == end;
    last++;
    last += last < end && (*last == '-' || *last == '+');
    return last < end && skip_digits(last, end) == end;
}

/* As the engine writes the number that it would keep. */
static bool is_as_kept(const belayi_checked *c, const belayi_digits *d)
{
    enum { KEPT = 15, ZEROS = 3 };
    int64_t number;
    size_t expected = d->negative + (d->whole_size > 0 ? d->whole_size : 1);
    if (d->bare_point || (d->zero && d->negative))
        return false;
    if (d->fraction_size == 0)
        return c->size == expected && belayi_digits_integer(d, &number);
    if (d->whole_size == 0 && d->fraction_zeros > ZEROS)
        return false;
    return c->size == expected + 1 + d->fraction_size && belayi_digits_count(d) <= KEPT;
}

static bool check_no_number(const belayi_checked *c)
{
    belayi_digits d;
    if (!c->type->makes_numbers || !looks_like_a_number(c))
        return true;
    if (belayi_digits_read(c->text, c->size, false, &d) && is_as_kept(c, &d))
        return true;
    return belayi_check_refuse(c, "would become a number that is written otherwise");
}

/* ---- Characters --------------------------------------------------------------------------------------------- */

static bool refuse_bytes(const belayi_checked *c, size_t bad_at)
{
    return belayi_check_refuse(c, c->text[bad_at] == '\0' ? "has a NUL" : "is no UTF-8 text");
}

/* How many characters; false when it is no text, or has one that the column has no place for. */
static bool count_characters(const belayi_checked *c, size_t *out_count)
{
    size_t bad_at, count = belayi_utf8_ascii(c->text, c->size);
    *out_count = count;
    if (count == c->size)
        return true;
    if (!belayi_utf8_valid(c->text, c->size, &bad_at))
        return refuse_bytes(c, bad_at);
    unsigned char most = 0;
    for (size_t i = count; i < c->size; i++) {
        unsigned char byte = (unsigned char)c->text[i];
        count += (byte & 0xC0) != 0x80;
        most = byte > most ? byte : most;
    }
    *out_count = count;
    if ((most >= 0xF0 && c->type->widest <= 0xFFFF) || c->type->widest <= 0x7F)
        return belayi_check_refuse(c, "has a character that the column's character set lacks");
    return true;
}

/* Spaces at the end of what is filled up with spaces: only where they are all of the filling, and kept. */
static bool check_filling(const belayi_checked *c, size_t count)
{
    const belayi_type *t = c->type;
    bool spaces = (t->fixed || t->trims) && c->size > 0 && c->text[c->size - 1] == ' ';
    if (!spaces || (t->fixed && (int64_t)count == t->length))
        return true;
    return belayi_check_refuse(c, "ends in spaces, which the column does not keep");
}

bool belayi_check_text(const belayi_checked *c, belay_value *out_value)
{
    size_t count;
    const belayi_type *t = c->type;
    if (!count_characters(c, &count))
        return false;
    if (t->length >= 0 && (int64_t)count > t->length)
        return belayi_check_refuse(c, "has %zu characters, and the column %lld", count, (long long)t->length);
    if (t->bytes >= 0 && (int64_t)c->size > t->bytes)
        return belayi_check_refuse(c, "has %zu bytes, and the column %lld", c->size, (long long)t->bytes);
    if (!check_filling(c, count) || !check_no_number(c))
        return false;
    *out_value = belay_text(c->text, c->size);
    return true;
}

bool belayi_check_other(const belayi_checked *c, belay_value *out_value)
{
    size_t count;
    if (!count_characters(c, &count) || !check_no_number(c))
        return false;
    *out_value = belay_text(c->text, c->size);
    return true;
}

/* ---- Bytes -------------------------------------------------------------------------------------------------- */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* What \x is followed by. */
static bool read_hex(const belayi_checked *c, const unsigned char **out_bytes, size_t *out_size)
{
    const char *at = c->text + 2;
    size_t size = (c->size - 2) / 2;
    unsigned char *bytes = belayi_arena_get(c->arena, size);
    if (!bytes)
        return belayi_check_refuse(c, "can't be stored: no memory");
    bool whole = c->size % 2 == 0;
    for (size_t i = 0; i < size; i++) {
        int high = hex_value(at[2 * i]), low = hex_value(at[2 * i + 1]);
        whole = whole && high >= 0 && low >= 0;
        bytes[i] = (unsigned char)(((unsigned)high << 4 | (unsigned)low) & 0xFF);
    }
    *out_bytes = bytes;
    *out_size = size;
    return whole || belayi_check_refuse(c, "is not \\x and pairs of hexadecimal digits");
}

bool belayi_check_bytes(const belayi_checked *c, belay_value *out_value)
{
    const belayi_type *t = c->type;
    const unsigned char *bytes = (const unsigned char *)c->text;
    size_t size = c->size;
    bool hex = size >= 2 && c->text[0] == '\\' && c->text[1] == 'x';
    if (hex && !read_hex(c, &bytes, &size))
        return false;
    if (!hex && size > 0 && c->text[0] == '\\')
        return belayi_check_refuse(c, "begins with a backslash, and is not \\x and pairs of hexadecimal digits");
    if (t->length >= 0 && (t->fixed ? (int64_t)size != t->length : (int64_t)size > t->length))
        return belayi_check_refuse(c, "has %zu bytes and not %s%lld", size, t->fixed ? "" : "at most ",
                                   (long long)t->length);
    *out_value = belay_blob(bytes ? bytes : (const unsigned char *)"", size);
    return true;
}

/* ---- UUIDs -------------------------------------------------------------------------------------------------- */

bool belayi_check_uuid(const belayi_checked *c, belay_value *out_value)
{
    enum { SIZE = 36 };
    static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    bool good = c->size == SIZE;
    for (size_t i = 0; good && i < SIZE; i++)
        good = form[i] == '-' ? c->text[i] == '-' : hex_value(c->text[i]) >= 0;
    *out_value = belay_text(c->text, c->size);
    return good || belayi_check_refuse(c, "is no UUID of the form xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx");
}

/* ---- Words of an enum --------------------------------------------------------------------------------------- */

static size_t measure_word(const char *at, const char *end)
{
    const char *comma = memchr(at, ',', (size_t)(end - at));
    return (size_t)((comma ? comma : end) - at);
}

/* Whether a word comes again behind it. */
static bool comes_again(const char *word, size_t size, const char *at, const char *end)
{
    while (at < end) {
        size_t next = measure_word(++at, end);
        if (next == size && memcmp(at, word, size) == 0)
            return true;
        at += next;
    }
    return false;
}

static bool check_words(const belayi_checked *c)
{
    const char *end = c->text + c->size;
    for (const char *at = c->text; c->size > 0;) {
        size_t size = measure_word(at, end);
        if (!belayi_type_has_word(c->type, at, size))
            return belayi_check_refuse(c, "has a word that is none of the column's");
        if (comes_again(at, size, at + size, end))
            return belayi_check_refuse(c, "has a word twice");
        at += size;
        if (at++ == end)
            break;
    }
    return true;
}

bool belayi_check_enum(const belayi_checked *c, belay_value *out_value)
{
    if (c->type->many ? !check_words(c) : !belayi_type_has_word(c->type, c->text, c->size))
        return !c->type->many && belayi_check_refuse(c, "is none of the column's words");
    *out_value = belay_text(c->text, c->size);
    return true;
}

/* ---- JSON --------------------------------------------------------------------------------------------------- */

bool belayi_check_json(const belayi_checked *c, belay_value *out_value)
{
    size_t bad_at;
    belayi_field ignored;
    belayi_json json = {.text = c->text, .size = c->size};
    if (!belayi_utf8_valid(c->text, c->size, &bad_at))
        return refuse_bytes(c, bad_at);
    if (!belayi_json_value(&json, &ignored) || !belayi_json_ends(&json))
        return belayi_check_refuse(c, "is no JSON, from byte %zu on: %s", json.at + 1,
                                   json.wrong ? json.wrong : "one value and no more is expected");
    if (!check_no_number(c))
        return false;
    *out_value = belay_text(c->text, c->size);
    return true;
}
