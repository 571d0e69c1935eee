/*
 * texts.h - the SQL texts of a model.
 *
 * Made when they are first needed, and kept as long as the shape: the connection's
 * cache finds a statement fastest by the address of its text. Placeholders are ?,
 * as the lexer takes them for every engine.
 * Tests: tests/model_objects/test_sent.c.
 */
#ifndef BELAYI_MODEL_TEXTS_H
#define BELAYI_MODEL_TEXTS_H

#include <stddef.h>

#include <belay/model.h>

#include "shape.h"

typedef enum belayi_verb {
    BELAYI_VERB_SELECT, /* SELECT all columns FROM table WHERE key */
    BELAYI_VERB_LOCK,   /* the same FOR UPDATE */
    BELAYI_VERB_LOCK_NOWAIT,
    BELAYI_VERB_LOCK_SKIP,
    BELAYI_VERB_INSERT, /* of `columns`, `rows` of them; RETURNING `returning` where that is not empty */
    BELAYI_VERB_UPDATE, /* of `columns`, WHERE key, and version where there is one */
    BELAYI_VERB_DELETE  /* WHERE the same */
} belayi_verb;

typedef struct belayi_sql_text {
    struct belayi_sql_text *next;
    belayi_verb verb;
    unsigned rows;
    belayi_columns columns, returning;
    char text[];
} belayi_sql_text;

typedef struct belayi_statements {
    belayi_sql_text *first; /* the one used last comes first */
} belayi_statements;

/* The text. `quote` is the engine's for names. NULL without memory. */
const char *belayi_texts_get(belayi_statements *, const belayi_shape *, char quote, const belayi_sql_text *wanted);

/* SELECT all columns FROM table, and a rest. The caller frees it. NULL without memory. */
char *belayi_texts_find(const belayi_shape *, char quote, const char *rest);

void belayi_texts_done(belayi_statements *);

/* ---- Writing SQL: for tables.c, too --------------------------------------------------------------- */

/* A text that grows. `failed` when memory was out; then nothing more is written. */
typedef struct belayi_draft {
    char *text;
    size_t size, room;
    bool failed;
} belayi_draft;

void belayi_draft_add(belayi_draft *, const char *text);
/* In quotes; of "schema.table" each part, when `dotted`. */
void belayi_draft_name(belayi_draft *, const char *name, bool dotted, char quote);

#endif
