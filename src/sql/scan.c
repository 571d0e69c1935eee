/*
 * scan.c - cuts SQL text into tokens.
 *
 * Job: white space, comments, words, numbers, brackets and the doubtful text of
 * executable comments. Quotes are in quote.c, placeholders in place.c.
 *
 * Invariants: a token has at least one byte, so every loop over them ends; no
 * byte is looked at more than a fixed number of times; nothing is allocated
 * before the first [ that is not an identifier.
 *
 * Tests: tests/unit/sql/test_scan.c, tests/fuzz/fuzz_lexer.c.
 */
#include "scan.h"
#include "scan_parts.h"

#include <stdlib.h>
#include <string.h>

bool belayi_sql_is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool belayi_sql_starts_identifier(char c)
{
    return is_letter(c) || c == '_' || (unsigned char)c >= 0x80;
}

bool belayi_sql_is_identifier(char c)
{
    return belayi_sql_starts_identifier(c) || is_digit(c) || c == '$';
}

char belayi_sql_peek(const belayi_scanner *s, size_t ahead)
{
    return s->size - s->at > ahead ? s->text[s->at + ahead] : '\0';
}

void belayi_sql_fail(belayi_token *t, const char *error)
{
    t->type = BELAYI_TOKEN_ERROR;
    t->error = error;
}

/* The offset of the end of the line; PostgreSQL, the engine with nested comments, ends one at CR too. */
size_t belayi_sql_line_end(const belayi_scanner *s, size_t at)
{
    while (at < s->size && s->text[at] != '\n' && !(s->rules->nested_comments && s->text[at] == '\r'))
        at++;
    return at;
}

static bool scan_space(const belayi_scanner *s, belayi_token *t)
{
    size_t end = s->at;

    while (end < s->size && belayi_sql_is_space(s->text[end]))
        end++;
    if (end == s->at)
        return false;
    t->type = BELAYI_TOKEN_BLANK;
    t->size = end - s->at;
    return true;
}

/* To SQLite it is white space anywhere, to the others a part of an identifier; at the start of a text it is skipped. */
static bool scan_byte_order_mark(const belayi_scanner *s, belayi_token *t)
{
    bool at_start = s->before == BELAYI_TOKEN_END || s->before == BELAYI_TOKEN_MARK;

    if (!at_start && !s->rules->bracket_identifiers)
        return false;
    if (s->size - s->at < 3 || memcmp(s->text + s->at, "\xEF\xBB\xBF", 3) != 0)
        return false;
    t->type = BELAYI_TOKEN_MARK;
    t->size = 3;
    return true;
}

/* Whether a -- here starts a comment. MariaDB reads 5--1 as a sum. */
static bool starts_dash_comment(const belayi_scanner *s)
{
    if (belayi_sql_peek(s, 0) != '-' || belayi_sql_peek(s, 1) != '-')
        return false;
    unsigned char next = (unsigned char)belayi_sql_peek(s, 2);
    return !s->rules->dash_needs_space || next <= ' ' || next == 0x7F;
}

static bool scan_line_comment(const belayi_scanner *s, belayi_token *t)
{
    if (!starts_dash_comment(s) && !(s->rules->hash_comments && belayi_sql_peek(s, 0) == '#'))
        return false;
    t->type = BELAYI_TOKEN_BLANK;
    t->size = belayi_sql_line_end(s, s->at) - s->at;
    return true;
}

/* The offset behind the block comment that starts here; 0 when it has no end. */
static size_t find_block_end(const belayi_scanner *s)
{
    size_t depth = 1;

    for (size_t at = s->at + 2; at + 1 < s->size; at++) {
        if (s->text[at] == '*' && s->text[at + 1] == '/') {
            at++;
            if (--depth == 0)
                return at + 1;
        } else if (s->rules->nested_comments && s->text[at] == '/' && s->text[at + 1] == '*') {
            at++;
            depth++;
        }
    }
    return 0;
}

static bool scan_block_comment(const belayi_scanner *s, belayi_token *t)
{
    if (belayi_sql_peek(s, 0) != '/' || belayi_sql_peek(s, 1) != '*')
        return false;
    size_t end = find_block_end(s);
    t->type = BELAYI_TOKEN_BLANK;
    t->size = end - s->at;
    if (end == 0)
        belayi_sql_fail(t, "a comment that starts here has no end");
    return true;
}

/*
 * Whether every MariaDB that Belay can meet runs a comment of this version.
 * Those of MySQL 5.7 to 9 are skipped by all of them, and those of a later
 * MariaDB by some.
 */
static bool surely_runs(unsigned version, bool mariadb)
{
    return version < 50700 || ((mariadb || version > 99999) && version <= 100300);
}

static bool scan_opener(belayi_scanner *s, belayi_token *t)
{
    bool mariadb = belayi_sql_peek(s, 2) == 'M';
    size_t size = mariadb ? 4 : 3;

    if (!s->rules->executable_comments || belayi_sql_peek(s, 0) != '/' || belayi_sql_peek(s, 1) != '*' ||
        belayi_sql_peek(s, size - 1) != '!')
        return false;
    size_t digits = 0;
    unsigned version = 0;
    for (; digits < 6 && is_digit(belayi_sql_peek(s, size + digits)); digits++)
        version = version * 10 + (unsigned)(belayi_sql_peek(s, size + digits) - '0');
    if (digits < 5)
        version = 0, digits = 0;

    t->type = BELAYI_TOKEN_OPENER;
    t->size = size + digits;
    if (s->executable++ == 0)
        s->opened_at = s->at;
    if (s->doubtful > 0 || !surely_runs(version, mariadb))
        s->doubtful++;
    return true;
}

static bool scan_closer(belayi_scanner *s, belayi_token *t)
{
    if (s->executable == 0 || belayi_sql_peek(s, 0) != '*' || belayi_sql_peek(s, 1) != '/')
        return false;
    t->type = BELAYI_TOKEN_CLOSER;
    t->size = 2;
    s->executable--;
    if (s->doubtful > 0)
        s->doubtful--;
    return true;
}

static bool scan_word(const belayi_scanner *s, belayi_token *t)
{
    size_t end = s->at;

    if (!belayi_sql_starts_identifier(s->text[s->at]))
        return false;
    while (end < s->size && belayi_sql_is_identifier(s->text[end]))
        end++;
    t->type = BELAYI_TOKEN_WORD;
    t->size = end - s->at;
    t->word = belayi_sql_word(s->text + s->at, t->size);
    return true;
}

static size_t count_digits(const belayi_scanner *s, size_t ahead)
{
    size_t end = ahead;

    while (is_digit(belayi_sql_peek(s, end)))
        end++;
    return end - ahead;
}

static bool is_hex_digit(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* 1, 1.5, 1e5, 1.5e-5, 0x1F; a word that follows without a space is a token of its own. */
static bool scan_number(const belayi_scanner *s, belayi_token *t)
{
    size_t size = count_digits(s, 0);

    if (size == 0)
        return false;
    t->type = BELAYI_TOKEN_NUMBER;
    if (size == 1 && s->text[s->at] == '0' && (belayi_sql_peek(s, 1) | 0x20) == 'x' &&
        is_hex_digit(belayi_sql_peek(s, 2))) {
        for (size = 2; is_hex_digit(belayi_sql_peek(s, size));)
            size++;
    } else {
        if (belayi_sql_peek(s, size) == '.')
            size += 1 + count_digits(s, size + 1);
        if ((belayi_sql_peek(s, size) | 0x20) == 'e') {
            char sign = belayi_sql_peek(s, size + 1);
            size_t exponent = sign == '+' || sign == '-' ? 2 : 1;
            size_t digits = count_digits(s, size + exponent);
            size += digits > 0 ? exponent + digits : 0;
        }
    }
    t->size = size;
    return true;
}

static void scan_symbol(const belayi_scanner *s, belayi_token *t)
{
    char next = belayi_sql_peek(s, 1);

    t->size = s->text[s->at] == ':' && (next == ':' || next == '=') ? 2 : 1;
    t->symbol = s->text[s->at + t->size - 1];
}

static void scan_token(belayi_scanner *s, belayi_token *t)
{
    if (scan_space(s, t) || scan_byte_order_mark(s, t) || scan_opener(s, t) || scan_closer(s, t))
        return;
    if (scan_line_comment(s, t) || scan_block_comment(s, t) || belayi_sql_scan_quote(s, t))
        return;
    if (scan_word(s, t) || scan_number(s, t) || belayi_sql_scan_placeholder(s, t))
        return;
    scan_symbol(s, t);
}

/*
 * In a comment that the server may skip as a whole, a literal or a line comment
 * with the end of a comment inside would mean two things, and a COMMIT could
 * hide in one of them. Says so in place of the token.
 */
static void refuse_double_meaning(const belayi_scanner *s, belayi_token *t)
{
    bool opaque = t->type == BELAYI_TOKEN_STRING || t->type == BELAYI_TOKEN_QUOTED || t->type == BELAYI_TOKEN_BLANK;
    const char *text = s->text + t->at;

    if (s->doubtful == 0 || !opaque || text[0] == '/')
        return;
    for (size_t i = 0; i + 1 < t->size; i++)
        if ((text[i] == '*' && text[i + 1] == '/') || (text[i] == '/' && text[i + 1] == '*'))
            belayi_sql_fail(t, "a comment starts or ends in this literal if the server skips the executable comment");
}

static bool push_bracket(belayi_scanner *s, char bracket)
{
    if (s->depth == s->room) {
        size_t room = s->room == 0 ? 64 : s->room * 2;
        unsigned char *brackets = realloc(s->brackets, room);
        if (brackets == NULL)
            return false;
        s->brackets = brackets;
        s->room = room;
    }
    s->brackets[s->depth++] = (unsigned char)bracket;
    return true;
}

/* Keeps the stack of ( and [ that place.c asks whether a : can divide a slice. A ( that is in no [ can't matter. */
static bool follow_brackets(belayi_scanner *s, char symbol)
{
    if (symbol == '[' || (symbol == '(' && s->depth > 0))
        return push_bracket(s, symbol);
    char opener = symbol == ']' ? '[' : '(';
    if ((symbol == ']' || symbol == ')') && s->depth > 0 && s->brackets[s->depth - 1] == (unsigned char)opener)
        s->depth--;
    return true;
}

static void remember_token(belayi_scanner *s, const belayi_token *t)
{
    static const bool values[] = {
        [BELAYI_TOKEN_WORD] = true,   [BELAYI_TOKEN_QUOTED] = true,   [BELAYI_TOKEN_STRING] = true,
        [BELAYI_TOKEN_NUMBER] = true, [BELAYI_TOKEN_VARIABLE] = true, [BELAYI_TOKEN_PLACEHOLDER] = true,
        [BELAYI_TOKEN_ERROR] = false,
    };
    bool blank = t->type == BELAYI_TOKEN_BLANK || t->type == BELAYI_TOKEN_MARK || t->type == BELAYI_TOKEN_OPENER ||
                 t->type == BELAYI_TOKEN_CLOSER;

    if (!blank)
        s->after_value = values[t->type] || t->symbol == ')' || t->symbol == ']';
    s->before = t->type;
    s->at += t->size;
}

void belayi_sql_scan(belayi_scanner *s, const char *text, size_t size, const belayi_sql_rules *rules)
{
    *s = (belayi_scanner){.text = text, .size = size, .rules = rules};
}

bool belayi_sql_next(belayi_scanner *s, belayi_token *out)
{
    *out = (belayi_token){.type = BELAYI_TOKEN_SYMBOL, .at = s->at};
    if (s->at == s->size) {
        out->type = BELAYI_TOKEN_END;
        if (s->executable > 0) {
            out->at = s->opened_at;
            belayi_sql_fail(out, "an executable comment that starts here has no end");
        }
        return true;
    }
    scan_token(s, out);
    if (out->type != BELAYI_TOKEN_ERROR)
        refuse_double_meaning(s, out);
    if (out->type == BELAYI_TOKEN_ERROR)
        return true;
    if (out->type == BELAYI_TOKEN_SYMBOL && !follow_brackets(s, out->symbol))
        return false;
    remember_token(s, out);
    return true;
}

void belayi_sql_scan_done(belayi_scanner *s)
{
    free(s->brackets);
    s->brackets = NULL;
    s->depth = s->room = 0;
}
