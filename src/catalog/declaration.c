/*
 * A declaration is words, at most one list in parentheses, and more words.
 */
#include "declaration.h"

#include <string.h>

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static char to_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Behind the character that stands for one of a word at `at`, which *out_character becomes. */
static const char *read_character(const char *at, bool escapes, char *out_character)
{
    *out_character = *at;
    if (*at == '\'') /* doubled */
        return at + 2;
    if (*at != '\\' || !escapes || !at[1])
        return at + 1;
    *out_character = at[1] == 'n' ? '\n' : at[1] == 'r' ? '\r' : at[1] == '0' ? '\0' : at[1];
    return at + 2;
}

static bool ends_word(const char *at)
{
    return *at == '\0' || (*at == '\'' && at[1] != '\'');
}

/* Behind the list of words that begins at `at`, and its parenthesis. */
static const char *skip_words(belayi_declaration *d, const char *at)
{
    char character;
    d->words = at;
    while (*at == '\'') {
        at++;
        while (!ends_word(at))
            at = read_character(at, d->has_charset, &character);
        at += *at == '\'';
        at += *at == ',';
    }
    d->strange |= *at != ')';
    return *at ? at + 1 : at;
}

static const char *read_number(belayi_declaration *d, const char *at)
{
    bool negative = *at == '-';
    int64_t number = 0;
    at += *at == '-' || *at == '+';
    d->strange |= *at < '0' || *at > '9' || d->count == 2;
    for (; *at >= '0' && *at <= '9' && number < INT32_MAX; at++)
        number = 10 * number + (*at - '0');
    if (!d->strange)
        d->numbers[d->count++] = negative ? -number : number;
    return at;
}

/* Behind the parentheses, from behind the first of them. */
static const char *read_list(belayi_declaration *d, const char *at)
{
    d->strange |= d->count > 0 || d->words;
    if (*at == '\'')
        return skip_words(d, at);
    while (!d->strange && *at != ')') {
        while (is_space(*at) || (*at == ',' && d->count > 0))
            at++;
        at = read_number(d, at);
        while (is_space(*at))
            at++;
        d->strange |= *at != ',' && *at != ')';
    }
    return *at ? at + 1 : at;
}

static size_t measure_word(const char *at)
{
    size_t size = 0;
    while (at[size] && !is_space(at[size]) && at[size] != '(')
        size++;
    return size;
}

bool belayi_declaration_is(const char *at, size_t size, const char *word)
{
    for (size_t i = 0; i < size; i++)
        if (to_lower(at[i]) != word[i])
            return false;
    return word[size] == '\0';
}

static void add_word(belayi_declaration *d, const char *at, size_t size)
{
    if (d->size + size + 2 > BELAYI_DECLARATION_NAME_ROOM) {
        d->strange = true;
        return;
    }
    if (d->size > 0)
        d->name[d->size++] = ' ';
    for (size_t i = 0; i < size; i++)
        d->name[d->size++] = to_lower(at[i]);
}

static const char *skip_space(const char *at)
{
    while (is_space(*at))
        at++;
    return at;
}

/* What follows `character set`. */
static const char *read_charset(belayi_declaration *d, const char *at)
{
    at = skip_space(at + measure_word(at));
    size_t size = measure_word(at);
    if (size < sizeof d->charset)
        memcpy(d->charset, at, size);
    return at + size;
}

static const char *read_word(belayi_declaration *d, const char *at)
{
    size_t size = measure_word(at);
    if (d->has_charset && belayi_declaration_is(at, size, "character"))
        return read_charset(d, skip_space(at + size));
    bool sign = belayi_declaration_is(at, size, "unsigned") || belayi_declaration_is(at, size, "zerofill");
    d->is_unsigned |= sign;
    if (!sign || !d->has_unsigned)
        add_word(d, at, size);
    return at + size;
}

void belayi_declaration_read(const char *declared, belayi_declaration *d)
{
    for (const char *at = skip_space(declared); *at && !d->strange; at = skip_space(at))
        at = *at == '(' ? read_list(d, at + 1) : read_word(d, at);
}

/* ---- Words of an enum ------------------------------------------------------------------------------------------- */

const char *belayi_declaration_word(const char *at, bool escapes, const char *text, size_t size, bool *out_same)
{
    size_t i = 0;
    bool same = true;
    at++;
    while (!ends_word(at)) {
        char character;
        at = read_character(at, escapes, &character);
        same = same && i < size && text[i] == character;
        i++;
    }
    at += *at == '\'';
    *out_same = same && i == size;
    return at + (*at == ',');
}
