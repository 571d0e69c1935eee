/*
 * kinds.h - the models and tables of the random test of objects, and values as plain numbers.
 *
 * To the reference model every value is a number: 5 is the text "t5" in a text
 * column, 5.50 in a decimal one. NOTHING is NULL. Here is the only place that
 * knows how a number looks in a struct, in SQL and in a row.
 */
#ifndef BELAY_TESTS_RANDOM_KINDS_H
#define BELAY_TESTS_RANDOM_KINDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <belay/belay.h>

enum {
    AUTHOR, /* a generated key, every kind of text, a decimal, a version; UNIQUE and CHECK */
    BOOK,   /* a text as key, a parent that may be NULL, a text that may not; no version */
    NOTE,   /* the key is the parent's and a number; bytes, a default, a version */
    TREE,   /* a parent of its own kind */
    KINDS,
    COLUMNS = 7, /* at most */
    NUMBERS = 8, /* values are 0 to 7 */
    FRESH = 99,  /* the default of NOTE's `made` */
    WRONG = -999 /* a member holds what nobody has put there */
};

#define NOTHING INT64_MIN
#define GIVEN_KEY                                                                                                      \
    INT64_C(1000000000) /* what the program gives to AUTHOR and TREE begins here, generated keys below                 \
                         */

typedef enum look { LOOK_NUMBER, LOOK_TEXT, LOOK_DECIMAL, LOOK_BYTES } look;

typedef struct kind {
    const belay_model *model;
    const char *name;
    int columns;
    look looks[COLUMNS];
    int keys, key[2];        /* columns */
    int version;             /* column, or -1 */
    int parent, parent_kind; /* column and kind, or -1 */
    bool generated;
    int level;                                                    /* how many models of parents are above */
    int counter;                                                  /* a column with a number that statements count up */
    const char *select, *update, *bump, *remove, *insert, *spoil; /* statements of the program's own; NULL: none */
} kind;

extern const kind kinds[KINDS];

/* InnoDB does not delete a row that refers to itself. Set by kinds_engine. */
extern bool kinds_own_row_counts;
void kinds_engine(const char *url);

/* The text of a number; `again` is the same number's other spelling, where a column compares by value. Static. */
const char *kinds_text(int kind, int column, int64_t number, bool again);

/* A member of a struct, by the column's definition. A char * is replaced by a text of malloc. */
int64_t kinds_read(int kind, int column, const void *object);
void kinds_write(int kind, int column, void *object, int64_t number, bool again);
/* A const char * or span that points to the given text. */
void kinds_lend(int kind, int column, void *object, const char *text);
bool kinds_is_borrowed(int kind, int column);
void *kinds_parent(int kind, const void *object);
void kinds_set_parent(int kind, void *object, void *parent);
/* Frees what is of malloc in a struct of the program's own. */
void kinds_free_owned(int kind, void *object);

/* A value for SQL, and out of it. */
belay_value kinds_value(int kind, int column, int64_t number);
int64_t kinds_cell(int kind, int column, const belay_rows *);

/* Makes the tables. False when that failed. */
bool kinds_make_tables(belay_session *, const char *url);
belay_code kinds_empty_tables(belay_session *);

#endif
