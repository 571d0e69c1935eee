/*
 * plain.c - whether a statement's text is so plain that all it does is to write to one table that it names.
 *
 * INSERT INTO t ... VALUES, UPDATE t SET ..., DELETE FROM t ..., of values, columns and operators: no subquery, which
 * may read a view, and no function but some of the server's own, as one that is stored may do anything; no variable of
 * the session, which a row that is run twice would change twice; no comment, whose content may be SQL. What is not
 * understood is not plain.
 * Tests: tests/unit/drivers/test_mariadb_plain.c.
 */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "conn.h"

static const char *skip_spaces(const char *at)
{
    return at + strspn(at, " \t\r\n");
}

static bool is_word_byte(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

static size_t word_size(const char *at)
{
    size_t size = 0;
    while (is_word_byte(at[size]))
        size++;
    return size;
}

static bool is_word(const char *at, size_t size, const char *word)
{
    return strlen(word) == size && strncasecmp(at, word, size) == 0;
}

static bool is_one_of(const char *at, size_t size, const char *const *words)
{
    for (; *words; words++)
        if (is_word(at, size, *words))
            return true;
    return false;
}

/* Behind the word and the spaces behind it; NULL: another stands there. */
static const char *skip_word(const char *at, const char *word)
{
    size_t size = word_size(at);
    return is_word(at, size, word) ? skip_spaces(at + size) : NULL;
}

/* Behind what a quote ends, which is doubled, or has a backslash before it, where it is part of the text; NULL: it does
   not end. Where a backslash is no such thing, a text that ends in one is taken for longer, and not plain. */
static const char *skip_quoted(const char *at)
{
    char quote = *at;
    for (at++; *at; at++) {
        bool escaped = *at == '\\' && quote != '`' && at[1];
        if (escaped || (*at == quote && at[1] == quote))
            at++;
        else if (*at == quote)
            return at + 1;
    }
    return NULL;
}

/* Behind a name, or a qualified one; NULL: there is none. */
static const char *skip_name(const char *at)
{
    for (;;) {
        const char *end = *at == '`' ? skip_quoted(at) : at + word_size(at);
        if (!end || end == at || *end != '.')
            return end == at ? NULL : end;
        at = end + 1;
    }
}

/* Whether a word in the rest of a statement is one that may stand there. */
static bool is_plain_word(const char *at, size_t size, bool behind_point)
{
    static const char *const refused[] = {"SELECT", "DUPLICATE", "RETURNING", "JOIN",   "USING",
                                          "WITH",   "NEXT",      "PREVIOUS",  "SOUNDS", NULL};
    static const char *const before_parenthesis[] = {
        "VALUES", "VALUE", "IN",  "AND",   "OR",    "NOT",  "WHERE", "SET",      "COALESCE", "IFNULL", "NULLIF",
        "CONCAT", "ABS",   "MOD", "LOWER", "UPPER", "TRIM", "ROUND", "GREATEST", "LEAST",    NULL};
    if (is_one_of(at, size, refused))
        return false;
    if (*skip_spaces(at + size) != '(')
        return true;
    return !behind_point && is_one_of(at, size, before_parenthesis);
}

static bool is_plain_rest(const char *at)
{
    while (at && *at) {
        if (is_word_byte(*at)) {
            size_t size = word_size(at);
            if (!is_plain_word(at, size, at[-1] == '.'))
                return false;
            at += size;
        } else if (*at == '`') {
            at = skip_quoted(at);
            if (at && *skip_spaces(at) == '(')
                return false;
        } else if (*at == '\'' || *at == '"') {
            at = skip_quoted(at);
        } else if (*at == '@' || *at == '#' || strncmp(at, "/*", 2) == 0 || strncmp(at, "--", 2) == 0) {
            return false;
        } else {
            at++;
        }
    }
    return at != NULL;
}

/* What must stand behind the name of the table. */
static bool is_plain_behind_table(belayi_sql_kind kind, const char *at)
{
    if (kind == BELAYI_SQL_UPDATE)
        return skip_word(at, "SET") && is_plain_rest(at);
    if (kind == BELAYI_SQL_DELETE)
        return !*at || (skip_word(at, "WHERE") && is_plain_rest(at));
    if (*at == '(') /* the columns: they are no call of a function */
        return is_plain_rest(at);
    return (skip_word(at, "VALUES") || skip_word(at, "VALUE")) && is_plain_rest(at);
}

bool belayi_mariadb_is_plain(belayi_sql_kind kind, const char *text, const char **out_table, size_t *out_size)
{
    const char *at = skip_spaces(text);
    if (kind == BELAYI_SQL_INSERT) {
        at = skip_word(at, "INSERT");
        const char *into = at ? skip_word(at, "INTO") : NULL;
        at = into ? into : at;
    } else if (kind == BELAYI_SQL_UPDATE) {
        at = skip_word(at, "UPDATE");
    } else {
        at = kind == BELAYI_SQL_DELETE ? skip_word(at, "DELETE") : NULL;
        at = at ? skip_word(at, "FROM") : NULL;
    }
    const char *end = at ? skip_name(at) : NULL;
    if (!end)
        return false;
    *out_table = at;
    *out_size = (size_t)(end - at);
    return is_plain_behind_table(kind, skip_spaces(end));
}
