/*
 * shape.h - a model as it is worked with: checked, and with what follows from it.
 *
 * Made once for each model that a session uses. It knows nothing of sessions,
 * records and SQL.
 * Tests: tests/model_objects/test_models.c.
 */
#ifndef BELAYI_MODEL_SHAPE_H
#define BELAYI_MODEL_SHAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <belay/error.h>
#include <belay/model.h>

enum { BELAYI_COLUMNS_MAX = 64, BELAYI_KEYS_MAX = 8 };

/* A set of columns, by their place in the model. */
typedef uint64_t belayi_columns;

#define BELAYI_COLUMN_BIT(i) (UINT64_C(1) << (i))

typedef struct belayi_shape {
    const belay_model *model;
    unsigned count;
    unsigned keys, key[BELAYI_KEYS_MAX]; /* which columns are the key, in order */
    int version;                         /* which is the version; -1: none */
    belayi_columns all, key_set, parents;
    belayi_columns pointed;  /* const char * and belay_span: the image's own copies */
    belayi_columns owned;    /* char * */
    belayi_columns defaults; /* have a default of the database's */
    bool generated;          /* the key is one that the database makes for a 0 */
    size_t first, end;       /* the bytes of the struct that hold all columns and pointers to parents */
} belayi_shape;

/* The column's name in the database. */
static inline const char *belayi_shape_name(const belay_column_def *column)
{
    return column->name ? column->name : column->member;
}

/* Whether it is the key, or a part of it. */
static inline bool belayi_shape_is_key(const belay_column_def *column)
{
    return column->role == BELAY_ROLE_KEY || column->key;
}

/* Whether a column of the model may hold NULL: by its pointer, its bool, or as a parent that there may not be. */
bool belayi_shape_may_be_null(const belay_column_def *);

/* Reads and checks the model. BELAY_MISUSE names it and the column. */
belay_code belayi_shape_make(const belay_model *, belayi_shape *out_plan, belay_error *error);

#endif
