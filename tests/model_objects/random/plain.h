/*
 * plain.h - objects and rows as plain arrays: what the random test takes for right.
 *
 * A table is an array of rows as the session sees them, an object a copy of its
 * columns with a state. A scope's beginning is a copy of all of it. There is no
 * database here, and nothing of src/model. What it must do is written in
 * belay/model.h; each rule stands under the sentence that it comes from.
 */
#ifndef BELAY_TESTS_RANDOM_PLAIN_H
#define BELAY_TESTS_RANDOM_PLAIN_H

#include "kinds.h"

enum { SLOTS = 120, ROWS = 64, NOBODY = -1 };

typedef struct fields {
    int64_t of[COLUMNS];
    int parent; /* a slot, or NOBODY */
} fields;

typedef struct row {
    bool there;
    int64_t of[COLUMNS];
} row;

typedef struct object {
    int kind;
    bool own;  /* the program's memory */
    bool dead; /* its memory is gone */
    bool held; /* the session knows it: it is in the map */
    belay_state state;
    bool to_delete, expired;
    fields now, image;  /* as it is; as it was last read or written */
    fields entered;     /* when it was added or first read */
    bool loaded;        /* it was read, not added */
    belay_state before; /* it was added */
    int since, gone;    /* when it came into the session, and was taken out by the program; 0: never */
    int order;
} object;

typedef struct plain {
    row rows[KINDS][ROWS];
    int count;
    object objects[SLOTS];
} plain;

/* A set of codes: what a call may fail with. 0: it succeeds. */
typedef uint64_t codes;
#define CODE(code) (UINT64_C(1) << (code))

void plain_begin(plain *);

bool plain_same_key(int kind, const int64_t *, const int64_t *);
/* The row of a key, or NULL. */
row *plain_row(plain *, int kind, const int64_t *of);
int plain_count_rows(const plain *, int kind);
/* What speaks against this row, which replaces `instead` (NULL: a new one). */
codes plain_check_row(const plain *, int kind, const int64_t *of, const row *instead);
codes plain_insert_row(plain *, int kind, const int64_t *of);
/* Who refers to the row. */
codes plain_check_delete(const plain *, int kind, const row *);

bool plain_is_inside(const object *); /* pending, persistent or deleted */
/* The persistent object of a key, or NOBODY. */
int plain_persistent(const plain *, int kind, const int64_t *of);
bool plain_is_changed(const object *);
bool plain_waits(const plain *); /* something was added or deleted since the last flush */

/* A flush. `keys`: for each slot the key that the database has made, where it has. All codes that any of its statements
   could fail with; the objects make no sense then, and are to be put back. */
codes plain_flush(plain *, const int64_t *keys);

/* The object is what its row is. Its parent is whoever is in the session. */
void plain_read(plain *, object *, const row *);
void plain_take_out(plain *, int slot, int now);

/* `then` was copied at the time `since`; a scope that began there is rolled back. */
void plain_put_back(plain *, const plain *then, int since);
/* The outermost scope has ended. */
void plain_end_unit(plain *);

#endif
