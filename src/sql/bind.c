/*
 * bind.c - tells which value each placeholder stands for.
 *
 * Names are keys of a hash that points into the input, so that a statement of
 * thousands of names takes linear time and copies none of them.
 *
 * Tests: tests/unit/sql/test_place.c, tests/unit/sql/test_memory.c.
 */
#include "bind.h"

#include <limits.h>
#include <stdlib.h>

#define HASH_NONFATAL_OOM         1
#define uthash_nonfatal_oom(name) ((name)->lost = true)
#include <uthash.h>

typedef struct belayi_name {
    UT_hash_handle hh;
    unsigned value;
    bool lost; /* the hash had no memory for it */
} belayi_name;

static belayi_lex_status take_next(belayi_binder *b, unsigned *out_value)
{
    if (b->parameters == BELAYI_PARAMETERS_MAX)
        return BELAYI_LEX_BAD_NUMBER;
    *out_value = b->parameters++;
    return BELAYI_LEX_OK;
}

static belayi_lex_status take_number(belayi_binder *b, unsigned number, unsigned *out_value)
{
    if (number == 0 || number > BELAYI_PARAMETERS_MAX)
        return BELAYI_LEX_BAD_NUMBER;
    *out_value = number - 1;
    if (number > b->parameters)
        b->parameters = number;
    return BELAYI_LEX_OK;
}

static belayi_lex_status take_name(belayi_binder *b, const char *name, size_t size, unsigned *out_value)
{
    belayi_name *known;

    HASH_FIND(hh, b->names, name, size, known);
    if (known == NULL) {
        if (b->parameters == BELAYI_PARAMETERS_MAX)
            return BELAYI_LEX_BAD_NUMBER;
        known = calloc(1, sizeof *known);
        if (known == NULL)
            return BELAYI_LEX_NO_MEMORY;
        HASH_ADD_KEYPTR(hh, b->names, name, size, known);
        if (known->lost) {
            free(known);
            return BELAYI_LEX_NO_MEMORY;
        }
        known->value = b->parameters++;
    }
    *out_value = known->value;
    return BELAYI_LEX_OK;
}

static belayi_lex_status append_place(belayi_binder *b, unsigned value)
{
    if (b->places == UINT_MAX)
        return BELAYI_LEX_BAD_NUMBER;
    if (b->places == b->room) {
        size_t room = b->room == 0 ? 8 : b->room * 2;
        unsigned *order = realloc(b->order, room * sizeof *order);
        if (order == NULL)
            return BELAYI_LEX_NO_MEMORY;
        b->order = order;
        b->room = room;
    }
    b->order[b->places++] = value;
    return BELAYI_LEX_OK;
}

static belayi_lex_status take_place(belayi_binder *b, const char *text, const belayi_token *t, unsigned *out_value)
{
    if (t->style == BELAYI_STYLE_NAME)
        return take_name(b, text + t->at + 1, t->size - 1, out_value);
    if (t->style == BELAYI_STYLE_QUESTION)
        return take_next(b, out_value);
    return take_number(b, t->number, out_value);
}

belayi_lex_status belayi_sql_bind(belayi_binder *b, const char *text, const belayi_token *t, unsigned *out_value)
{
    if (b->style != BELAYI_STYLE_NONE && b->style != t->style)
        return BELAYI_LEX_MIXED_STYLES;
    b->style = t->style;
    belayi_lex_status status = take_place(b, text, t, out_value);
    return status == BELAYI_LEX_OK ? append_place(b, *out_value) : status;
}

void belayi_sql_bind_done(belayi_binder *b)
{
    belayi_name *name = b->names;

    HASH_CLEAR(hh, b->names); /* frees the table; the names still hang together by hh.next */
    while (name != NULL) {
        belayi_name *next = name->hh.next;
        free(name);
        name = next;
    }
    free(b->order);
    b->order = NULL;
}
