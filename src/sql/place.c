/*
 * place.c - which ?, $ and : are placeholders.
 *
 * A : followed by a name is a placeholder unless
 * - it is the second : of ::, or the : of := ;
 * - a word, number, variable or placeholder ends right before it, as in a:b;
 * - the innermost bracket that is open is a [ (which is so only where [x] is no
 *   identifier) and an expression may have ended before it, as in a[x :y] and
 *   a[f(x):y]: it divides a slice. So in a[:x] and a[1, :x] and a[1 + :x] it is
 *   a placeholder, and in a[x AND :y] it is none; a[x AND (:y)] is.
 *
 * A $ followed by digits is a placeholder. $name and @name are variables to the
 * engine, and pass through; what a driver can't bind it notices by the count.
 *
 * Tests: tests/unit/sql/test_place.c.
 */
#include "scan_parts.h"

static unsigned read_number(const belayi_scanner *s, belayi_token *t)
{
    unsigned number = 0;

    for (t->size = 1; belayi_sql_peek(s, t->size) >= '0' && belayi_sql_peek(s, t->size) <= '9'; t->size++)
        if (number <= BELAYI_PARAMETERS_MAX)
            number = number * 10 + (unsigned)(belayi_sql_peek(s, t->size) - '0');
    return number;
}

static void scan_numbered(const belayi_scanner *s, belayi_token *t, belayi_style style)
{
    t->type = BELAYI_TOKEN_PLACEHOLDER;
    t->number = read_number(s, t);
    t->style = style;
}

static void scan_name(const belayi_scanner *s, belayi_token *t, belayi_token_type type)
{
    t->type = type;
    for (t->size = 1; s->at + t->size < s->size && belayi_sql_is_identifier(s->text[s->at + t->size]);)
        t->size++;
}

static bool divides_slice(const belayi_scanner *s)
{
    return s->after_value && s->depth > 0 && s->brackets[s->depth - 1] == '[';
}

static bool touches_identifier(const belayi_scanner *s)
{
    return s->before == BELAYI_TOKEN_WORD || s->before == BELAYI_TOKEN_NUMBER || s->before == BELAYI_TOKEN_VARIABLE ||
           s->before == BELAYI_TOKEN_PLACEHOLDER;
}

static bool scan_question(const belayi_scanner *s, belayi_token *t)
{
    if (belayi_sql_peek(s, 1) == '?') {
        t->type = BELAYI_TOKEN_QUESTION;
        t->size = 2;
        return true;
    }
    scan_numbered(s, t, BELAYI_STYLE_NUMBER);
    if (t->size == 1)
        t->style = BELAYI_STYLE_QUESTION;
    return true;
}

static bool scan_dollar(const belayi_scanner *s, belayi_token *t)
{
    char next = belayi_sql_peek(s, 1);

    if (next >= '0' && next <= '9')
        scan_numbered(s, t, BELAYI_STYLE_DOLLAR);
    else if (belayi_sql_starts_identifier(next))
        scan_name(s, t, BELAYI_TOKEN_VARIABLE);
    else
        return false;
    return true;
}

static bool scan_colon(const belayi_scanner *s, belayi_token *t)
{
    if (!belayi_sql_starts_identifier(belayi_sql_peek(s, 1)) || touches_identifier(s) || divides_slice(s))
        return false;
    scan_name(s, t, BELAYI_TOKEN_PLACEHOLDER);
    t->style = BELAYI_STYLE_NAME;
    return true;
}

/*
 * @name; in @@name both @ are symbols and the name is a word, as a SET must look
 * at it. Where E'x' is a string, so in PostgreSQL, @ is an operator.
 */
static bool scan_at(const belayi_scanner *s, belayi_token *t)
{
    if (s->rules->escape_strings || !belayi_sql_is_identifier(belayi_sql_peek(s, 1)) || belayi_sql_peek(s, 1) == '$' ||
        (s->at > 0 && s->text[s->at - 1] == '@'))
        return false;
    scan_name(s, t, BELAYI_TOKEN_VARIABLE);
    return true;
}

bool belayi_sql_scan_placeholder(const belayi_scanner *s, belayi_token *t)
{
    char c = s->text[s->at];

    return (c == '?' && scan_question(s, t)) || (c == '$' && scan_dollar(s, t)) || (c == ':' && scan_colon(s, t)) ||
           (c == '@' && scan_at(s, t));
}
