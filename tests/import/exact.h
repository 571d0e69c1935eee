/*
 * exact.h - what the random proof of belayi_many_insert is made of: a case is a
 * table, the statement that fills it, its rows, and the calls that they come in.
 *
 * A case is made of its seed alone, and is run twice, each time in a database
 * that is made for it: by belayi_many_insert, and row by row between savepoints.
 * What can be seen of either is written down as text; the texts must be the same.
 */
#ifndef BELAY_TESTS_EXACT_H
#define BELAY_TESTS_EXACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <belay/belay.h>
#include <belay/sys/driver.h>

/* ---- Texts ------------------------------------------------------------------------------------------------------ */

/* Grows as it is added to. */
typedef struct exact_text {
    char *bytes; /* ends in a NUL; NULL while it is empty */
    size_t size, room;
} exact_text;

void exact_add(exact_text *, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- A case ----------------------------------------------------------------------------------------------------- */

typedef enum exact_engine { ON_SQLITE, ON_POSTGRESQL, ON_MARIADB } exact_engine;

typedef enum exact_kind {
    KIND_INT,
    KIND_SMALL,
    KIND_BIG,
    KIND_DECIMAL,
    KIND_DOUBLE,
    KIND_TEXT,
    KIND_VARCHAR, /* of 8 */
    KIND_CHAR,    /* of 5 */
    KIND_BOOL,
    KIND_DATE,
    KIND_STAMP,
    KIND_BLOB,
    KIND_OWN, /* no type (SQLite), uuid (PostgreSQL), ENUM (MariaDB) */
    KINDS
} exact_kind;

typedef enum exact_role {
    ROLE_PLAIN,
    ROLE_ROW,    /* the row's number */
    ROLE_KEY,    /* different in each good row */
    ROLE_PARENT, /* the key of a row of `parent`, 1 to 20 */
    ROLE_SELF    /* a key of the table itself */
} exact_role;

typedef struct exact_column {
    char name[8];
    exact_kind kind;
    exact_role role;
    bool may_be_null;
} exact_column;

enum { EXACT_COLUMNS = 12, EXACT_STATEMENTS = 24, EXACT_CALLS = 40 };

/* What comes before the rows of a call. */
typedef struct exact_call {
    size_t rows;
    const char *before; /* a statement, or NULL */
    bool undone;        /* it is in a scope that is rolled back */
} exact_call;

typedef struct exact_case {
    exact_engine engine;
    uint64_t seed, random;

    bool strict, without_rowid, own_clauses; /* SQLite: STRICT, WITHOUT ROWID, ON CONFLICT in the table itself */
    bool partitioned;                        /* by v, from 0 to 99 */
    bool transactional;                      /* MariaDB: InnoDB */
    bool single_key;                         /* k is the primary key */

    exact_text made[EXACT_STATEMENTS]; /* statements that make the tables */
    size_t made_count;
    const char *inside;  /* a statement at the beginning of the transaction, or NULL */
    const char *late[8]; /* statements that may come between calls, up to a NULL */
    const char *shown;   /* the columns that are compared: those that a row may not be the same in are not */
    const char *key;     /* the generated key, or NULL */
    bool hide_numbers;   /* of 7 digits, in messages: they are generated */
    bool hide_rows;      /* in details: some of their values are of the moment */
    exact_text shown_text;

    exact_column columns[EXACT_COLUMNS]; /* those that are given, in the order of the statement */
    size_t column_count;
    const char *table; /* what the statement writes: the table, or a view of it */
    exact_text insert;
    bool has_target;
    belay_target target;
    const char *names[EXACT_COLUMNS];

    int bad_in_a_thousand;
    size_t row_count, ahead; /* rows that are there before */
    belay_value *values;
    void **kept; /* memory of the values */
    size_t kept_count, kept_room;
    exact_call calls[EXACT_CALLS];
    size_t call_count;
    bool bare; /* no scope around the calls */
} exact_case;

/* Makes one; `largest` bounds its rows. */
void exact_make(exact_case *, exact_engine, uint64_t seed, size_t largest);
void exact_free(exact_case *);

/* ---- Chance, of the case's own ---------------------------------------------------------------------------------- */

/* 0 to below - 1. */
unsigned exact_below(exact_case *, unsigned below);
bool exact_chance(exact_case *, unsigned in_a_hundred);

/* ---- The parts of it -------------------------------------------------------------------------------------------- */

/* A statement that makes something; formatted. */
exact_text *exact_statement(exact_case *);

/* Indexes, triggers, views and what else only this engine has: exact_sqlite.c, ... */
void exact_on_sqlite(exact_case *);
void exact_on_postgresql(exact_case *);
void exact_on_mariadb(exact_case *);

/* The values of all rows: exact_rows.c. */
void exact_fill(exact_case *);

#endif
