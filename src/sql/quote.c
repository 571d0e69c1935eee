/*
 * quote.c - what is between quotes, and quoting of identifiers.
 *
 * Job: find the end of strings, quoted identifiers and dollar quotes. What they
 * hold is never looked at, but for the name in a quoted identifier, as
 * SET "autocommit" is SET autocommit.
 *
 * Tests: tests/unit/sql/test_scan.c, tests/unit/sql/test_lexer.c.
 */
#include "scan_parts.h"

#include <string.h>

/* The offset behind the first such byte at or behind `at`; 0 when there is none. */
static size_t find_byte(const belayi_scanner *s, size_t at, char byte)
{
    const char *found = memchr(s->text + at, byte, s->size - at);

    return found == NULL ? 0 : (size_t)(found - s->text) + 1;
}

/* The offset behind the closing quote, for text that starts at `at` behind the opening one; 0 when there is none. */
static size_t find_quote_end(const belayi_scanner *s, size_t at, char quote, bool escapes)
{
    for (; at < s->size; at++) {
        if (escapes && s->text[at] == '\\') {
            at++;
        } else if (s->text[at] == quote) {
            if (at + 1 == s->size || s->text[at + 1] != quote)
                return at + 1;
            at++;
        }
    }
    return 0;
}

/*
 * PostgreSQL joins 'a' and 'b' when only white space with a newline in it is
 * between, -- comments included, and the second is then read as the first was.
 * The offset behind the second opening quote, or 0.
 */
static size_t find_continuation(const belayi_scanner *s, size_t at)
{
    bool newline = false;

    while (at < s->size) {
        char c = s->text[at];
        if (c == '\'')
            return newline ? at + 1 : 0;
        if (c == '-' && at + 1 < s->size && s->text[at + 1] == '-') {
            at = belayi_sql_line_end(s, at);
            continue;
        }
        if (!belayi_sql_is_space(c))
            return 0;
        newline = newline || c == '\n' || c == '\r';
        at++;
    }
    return 0;
}

static void finish_quote(const belayi_scanner *s, belayi_token *t, belayi_token_type type, size_t end)
{
    t->type = type;
    t->size = end - s->at;
    if (end == 0)
        belayi_sql_fail(t, type == BELAYI_TOKEN_STRING ? "a string that starts here has no end"
                                                       : "a quoted identifier that starts here has no end");
}

static void scan_identifier_quote(const belayi_scanner *s, belayi_token *t, size_t end)
{
    finish_quote(s, t, BELAYI_TOKEN_QUOTED, end);
    if (t->type == BELAYI_TOKEN_QUOTED)
        t->word = belayi_sql_word(s->text + s->at + 1, t->size - 2);
}

/* SQLite's [x], in which nothing is escaped. */
static void scan_bracket_quote(const belayi_scanner *s, belayi_token *t)
{
    scan_identifier_quote(s, t, find_byte(s, s->at, ']'));
}

/* In MariaDB the x of @@x'00' and of a.x'00' is a name; to PostgreSQL a letter before a quote is always a prefix. */
static bool ends_a_name(const belayi_scanner *s)
{
    char last = s->at > 0 ? s->text[s->at - 1] : '\0';

    return !s->rules->escape_strings && s->before == BELAYI_TOKEN_SYMBOL && (last == '.' || last == '@');
}

/* E'x', with escapes whatever the settings; x'00' and b'01', which have none and end at the first quote. */
static bool scan_prefixed_string(const belayi_scanner *s, belayi_token *t)
{
    char prefix = (char)(belayi_sql_peek(s, 0) | 0x20);
    bool escapes = s->rules->escape_strings && prefix == 'e';
    size_t next = s->at + 2;
    size_t end = 0;

    if (belayi_sql_peek(s, 1) != '\'' || (!escapes && prefix != 'x' && prefix != 'b') || ends_a_name(s))
        return false;
    while (next != 0) {
        end = escapes ? find_quote_end(s, next, '\'', true) : find_byte(s, next, '\'');
        next = s->rules->escape_strings && end != 0 ? find_continuation(s, end) : 0;
    }
    finish_quote(s, t, BELAYI_TOKEN_STRING, end);
    return true;
}

/* The size of a $tag$ that starts here, with both dollar signs; 0 when it is none. */
static size_t measure_tag(const belayi_scanner *s)
{
    size_t size = 1;

    if (belayi_sql_peek(s, 0) != '$')
        return 0;
    if (belayi_sql_starts_identifier(belayi_sql_peek(s, 1)))
        while (belayi_sql_peek(s, size) != '$' && belayi_sql_is_identifier(belayi_sql_peek(s, size)))
            size++;
    return belayi_sql_peek(s, size) == '$' ? size + 1 : 0;
}

static bool scan_dollar_quote(const belayi_scanner *s, belayi_token *t)
{
    size_t tag = s->rules->dollar_quotes ? measure_tag(s) : 0;

    if (tag == 0)
        return false;
    const char *start = s->text + s->at;
    const char *end = s->text + s->size;
    const char *p = start + tag;
    while ((p = memchr(p, '$', (size_t)(end - p))) != NULL && (size_t)(end - p) >= tag) {
        if (memcmp(p, start, tag) == 0) {
            t->type = BELAYI_TOKEN_STRING;
            t->size = (size_t)(p - start) + tag;
            return true;
        }
        p++;
    }
    belayi_sql_fail(t, "a dollar quote that starts here has no end");
    return true;
}

bool belayi_sql_scan_quote(const belayi_scanner *s, belayi_token *t)
{
    const belayi_sql_rules *rules = s->rules;
    char c = s->text[s->at];

    if (c == '\'' || (c == '"' && rules->double_quoted_strings)) {
        finish_quote(s, t, BELAYI_TOKEN_STRING, find_quote_end(s, s->at + 1, c, rules->backslash_escapes));
    } else if (c == '"' || (c == '`' && rules->backtick_identifiers)) {
        scan_identifier_quote(s, t, find_quote_end(s, s->at + 1, c, false));
    } else if (c == '[' && rules->bracket_identifiers) {
        scan_bracket_quote(s, t);
    } else {
        return scan_prefixed_string(s, t) || scan_dollar_quote(s, t);
    }
    return true;
}

size_t belayi_sql_quote(char *out, size_t room, const char *name, size_t size, char quote)
{
    size_t needed = 0;
    size_t last = room > 0 ? room - 1 : 0;

    if (room > 0)
        out[0] = '\0';
    if (size == 0 || memchr(name, '\0', size) != NULL)
        return 0;
    for (size_t i = 0; i < size + 2; i++) {
        char c = i == 0 || i == size + 1 ? quote : name[i - 1];
        bool doubled = c == quote && i > 0 && i < size + 1;
        for (int times = doubled ? 2 : 1; times > 0; times--, needed++)
            if (needed < last)
                out[needed] = c;
    }
    if (room > 0)
        out[needed < last ? needed : last] = '\0';
    return needed;
}
