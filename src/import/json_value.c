#include "json_value.h"

#include <stdint.h>
#include <string.h>

static bool fail(belayi_json *j, const char *wrong)
{
    j->wrong = wrong;
    return false;
}

static bool at_end(const belayi_json *j)
{
    return j->at == j->size;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void pass_space(belayi_json *j)
{
    while (j->at < j->size && is_space(j->text[j->at]))
        j->at++;
}

bool belayi_json_take(belayi_json *j, char byte)
{
    pass_space(j);
    if (at_end(j) || j->text[j->at] != byte)
        return false;
    j->at++;
    return true;
}

bool belayi_json_ends(belayi_json *j)
{
    pass_space(j);
    return at_end(j);
}

/* ---- strings --------------------------------------------------------------------------------------------------- */

/* The value of four hexadecimal digits; -1: they are none. */
static int32_t read_hex(const char *text, size_t size)
{
    int32_t number = 0;
    if (size < 4)
        return -1;
    for (size_t i = 0; i < 4; i++) {
        char c = text[i];
        int32_t digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
        if (digit < 0)
            return -1;
        number = number << 4 | digit;
    }
    return number;
}

static bool pass_escape_of_json(belayi_json *j)
{
    j->at++;
    if (at_end(j))
        return fail(j, "a string is not closed");
    if (j->text[j->at] == 'u') {
        if (read_hex(j->text + j->at + 1, j->size - j->at - 1) < 0)
            return fail(j, "\\u must have four hexadecimal digits");
        j->at += 5;
        return true;
    }
    if (!strchr("\"\\/bfnrt", j->text[j->at]))
        return fail(j, "this is no escape of JSON");
    j->at++;
    return true;
}

/* Behind the opening quote. */
static bool pass_string(belayi_json *j, belayi_field *out)
{
    const char *text = j->text;
    const size_t size = j->size;
    out->text = text + j->at;
    for (;;) {
        size_t at = j->at;
        while (at < size && text[at] != '"' && text[at] != '\\' && (unsigned char)text[at] >= ' ')
            at++;
        j->at = at;
        if (at_end(j))
            return fail(j, "a string is not closed");
        if (text[at] == '"')
            break;
        if (text[at] != '\\')
            return fail(j, "a control character in a string must be written as an escape");
        if (!pass_escape_of_json(j))
            return false;
    }
    out->size = (size_t)(text + j->at - out->text);
    out->kind = BELAYI_FIELD_QUOTED;
    j->at++;
    return true;
}

bool belayi_json_string(belayi_json *j, belayi_field *out_field)
{
    if (!belayi_json_take(j, '"'))
        return fail(j, "a member's name in quotes is expected");
    return pass_string(j, out_field);
}

static char *put_utf8(char *to, uint32_t c)
{
    if (c < 0x80) {
        *to++ = (char)c;
    } else if (c < 0x800) {
        *to++ = (char)(0xC0 | c >> 6);
        *to++ = (char)(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
        *to++ = (char)(0xE0 | c >> 12);
        *to++ = (char)(0x80 | (c >> 6 & 0x3F));
        *to++ = (char)(0x80 | (c & 0x3F));
    } else {
        *to++ = (char)(0xF0 | c >> 18);
        *to++ = (char)(0x80 | (c >> 12 & 0x3F));
        *to++ = (char)(0x80 | (c >> 6 & 0x3F));
        *to++ = (char)(0x80 | (c & 0x3F));
    }
    return to;
}

static bool is_surrogate(uint32_t c, uint32_t first)
{
    return c >= first && c < first + 0x400;
}

/* \uXXXX, or two of them, the first at `text`: how much of it that is; 0: *wrong says why not. */
static size_t read_unicode(const char *text, size_t size, uint32_t *out, const char **wrong)
{
    uint32_t high = (uint32_t)read_hex(text + 2, size - 2), low = 0;
    *out = high;
    if (high == 0)
        *wrong = "\\u0000 is a NUL character, which is no text";
    else if (is_surrogate(high, 0xDC00))
        *wrong = "the second half of a surrogate pair without the first";
    if (high == 0 || is_surrogate(high, 0xDC00))
        return 0;
    if (!is_surrogate(high, 0xD800))
        return 6;
    if (size >= 12 && text[6] == '\\' && text[7] == 'u')
        low = (uint32_t)read_hex(text + 8, size - 8);
    *out = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
    *wrong = "the first half of a surrogate pair without the second";
    return is_surrogate(low, 0xDC00) ? 12 : 0;
}

const char *belayi_json_unescape(const char *text, size_t size, char *out, size_t *out_size)
{
    static const char written[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    const char *end = text + size, *wrong = NULL;
    char *to = out;
    while (text < end) {
        const char *found = memchr(text, '\\', (size_t)(end - text));
        size_t piece = (size_t)((found ? found : end) - text);
        memcpy(to, text, piece);
        to += piece;
        text += piece;
        if (text < end && text[1] == 'u') {
            uint32_t c;
            size_t passed = read_unicode(text, (size_t)(end - text), &c, &wrong);
            if (passed == 0)
                return wrong;
            to = put_utf8(to, c);
            text += passed;
        } else if (text < end) {
            *to++ = meant[strchr(written, text[1]) - written];
            text += 2;
        }
    }
    *out_size = (size_t)(to - out);
    return NULL;
}

/* ---- values ---------------------------------------------------------------------------------------------------- */

static size_t pass_digits(belayi_json *j)
{
    size_t begin = j->at;
    while (j->at < j->size && j->text[j->at] >= '0' && j->text[j->at] <= '9')
        j->at++;
    return j->at - begin;
}

static bool take_one_of(belayi_json *j, const char *bytes)
{
    bool taken = !at_end(j) && strchr(bytes, j->text[j->at]);
    j->at += taken;
    return taken;
}

static bool pass_number(belayi_json *j)
{
    take_one_of(j, "-");
    bool zero = !at_end(j) && j->text[j->at] == '0';
    size_t digits = pass_digits(j);
    if (digits == 0)
        return fail(j, "this is no value of JSON");
    if (zero && digits > 1)
        return fail(j, "a number must not begin with 0");
    if (take_one_of(j, ".") && pass_digits(j) == 0)
        return fail(j, "a digit is expected behind the point");
    if (take_one_of(j, "eE")) {
        take_one_of(j, "+-");
        if (pass_digits(j) == 0)
            return fail(j, "a digit is expected in the exponent");
    }
    return true;
}

static bool take_word(belayi_json *j, const char *word)
{
    size_t size = strlen(word);
    if (j->size - j->at < size || memcmp(j->text + j->at, word, size) != 0)
        return false;
    j->at += size;
    return true;
}

static bool pass_value(belayi_json *, unsigned depth, belayi_field *out);

/* Behind the opening bracket or brace. */
static bool pass_nested(belayi_json *j, char close, unsigned depth)
{
    belayi_field ignored;
    if (depth == BELAYI_JSON_DEPTH) {
        j->at--;
        return fail(j, "values are nested too deeply");
    }
    if (belayi_json_take(j, close))
        return true;
    do {
        if (close == '}' && !belayi_json_string(j, &ignored))
            return false;
        if (close == '}' && !belayi_json_take(j, ':'))
            return fail(j, "a colon is expected");
        if (!pass_value(j, depth + 1, &ignored))
            return false;
    } while (belayi_json_take(j, ','));
    return belayi_json_take(j, close) || fail(j, "a comma or the end of the object or array is expected");
}

static bool pass_value(belayi_json *j, unsigned depth, belayi_field *out)
{
    pass_space(j);
    size_t begin = j->at;
    bool good;
    if (belayi_json_take(j, '"'))
        return pass_string(j, out);
    out->kind = BELAYI_FIELD_NESTED;
    if (belayi_json_take(j, '{'))
        good = pass_nested(j, '}', depth);
    else if (belayi_json_take(j, '['))
        good = pass_nested(j, ']', depth);
    else if (take_word(j, "null"))
        good = true, out->kind = BELAYI_FIELD_NULL;
    else if (take_word(j, "true") || take_word(j, "false"))
        good = true, out->kind = BELAYI_FIELD_BOOLEAN;
    else
        good = pass_number(j), out->kind = BELAYI_FIELD_NUMBER;
    out->text = j->text + begin;
    out->size = j->at - begin;
    return good;
}

bool belayi_json_value(belayi_json *j, belayi_field *out_field)
{
    return pass_value(j, 0, out_field);
}
