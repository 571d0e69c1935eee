/*
 * body.c - counts the blocks of a trigger's or routine's body.
 *
 * IF, LOOP, WHILE, REPEAT and FOR are not counted when they open, as IF and
 * REPEAT are functions too; so END IF and the like must not be counted either.
 * A body must therefore have a BEGIN or a CASE around its semicolons.
 *
 * Tests: tests/unit/sql/test_kind.c.
 */
#include "body.h"

static bool is_uncounted_block(belayi_word word)
{
    return word == BELAYI_WORD_IF || word == BELAYI_WORD_LOOP || word == BELAYI_WORD_WHILE ||
           word == BELAYI_WORD_REPEAT || word == BELAYI_WORD_FOR;
}

static void close_block(belayi_body *body)
{
    body->ending = false;
    if (body->blocks > 0)
        body->blocks--;
}

void belayi_sql_body_feed(belayi_body *body, belayi_word word)
{
    if (body->type != BELAYI_BODY_BLOCK)
        return;
    if (body->ending) {
        if (is_uncounted_block(word)) {
            body->ending = false;
            return;
        }
        close_block(body);
        if (word == BELAYI_WORD_CASE)
            return;
    }
    if (word == BELAYI_WORD_BEGIN || word == BELAYI_WORD_CASE)
        body->blocks++;
    else if (word == BELAYI_WORD_END)
        body->ending = true;
}

bool belayi_sql_body_continues(belayi_body *body, size_t parentheses)
{
    if (body->ending)
        close_block(body);
    return body->blocks > 0 || body->type == BELAYI_BODY_REST || (body->type == BELAYI_BODY_RULE && parentheses > 0);
}
