/*
 * store.h - rows of one table on their way into it: what store.c, which lets them
 * go by windows, hints.c and asks.c, which say which rows look bad, share.
 * Tests: tests/unit/drivers/test_postgresql_copy.c.
 */
#ifndef BELAYI_POSTGRESQL_STORE_H
#define BELAYI_POSTGRESQL_STORE_H

#include "table.h"

enum { BELAYI_PG_STORE_LEAST = 500 }; /* rows, for which it is worth reading the catalog */

/* Why a row is refused: 0: not known; then a rule of the table, from 1; then a column that must not be NULL. */
enum { BELAYI_PG_VERDICT_NULL = BELAYI_PG_RULES + 1, BELAYI_PG_VERDICTS = 256 };

/* What is to be done with a row. */
typedef enum belayi_pg_fate {
    BELAYI_PG_FATE_COPY,
    BELAYI_PG_FATE_ALONE, /* it looks bad: by its own INSERT, behind the window's COPY */
    BELAYI_PG_FATE_STOP   /* the same, but in its place: it may have a key in common with a later row */
} belayi_pg_fate;

typedef struct belayi_pg_storing {
    belayi_pg_statement *s;
    belayi_pg_conn *conn;
    const belay_each *each;
    belay_effect *effect;
    belayi_pg_table table;
    unsigned char *fates; /* of the rows before `known` */
    size_t known;
    size_t parents;                         /* rules of that kind */
    size_t uniques;                         /* rules of that kind */
    size_t until;                           /* where the next window ends at the latest; 0: where it likes */
    size_t asked;                           /* of the rows before this one the server was asked */
    size_t seen, bad;                       /* rows that were copied, and that failed there, lately */
    bool no_copy;                           /* it was refused */
    bool asked_again;                       /* for all parents */
    bool no_asking;                         /* the server could not answer */
    belay_error *kinds[BELAYI_PG_VERDICTS]; /* the error that rows have by a verdict, once an INSERT has had it */
    char *text;                             /* of the COPY */
} belayi_pg_storing;

/* execute_each with a target. */
belay_code belayi_pg_store(belay_statement *statement, const belay_each *each, belay_effect *effect,
                           belay_error *error);

static inline const belay_value *belayi_pg_store_row(const belayi_pg_storing *w, size_t row)
{
    return w->each->values + row * w->each->columns;
}

/* ---- hints.c ---------------------------------------------------------------------------------------------------- */

/* Gets ready for a window of `count` rows from `from` on. False: there is no room for their keys. */
bool belayi_pg_hints_prepare(belayi_pg_storing *w, size_t from, size_t count);

/* The fate of a row, the next that is not known or one that is. */
belayi_pg_fate belayi_pg_hints_look(belayi_pg_storing *w, size_t row);

/* A row has turned out to be bad. */
void belayi_pg_hints_mark(belayi_pg_storing *w, size_t row);

/* ---- asks.c ----------------------------------------------------------------------------------------------------- */

/* A row has failed so in a COPY: whether the server will be asked from now on which rows would, and was not before. */
bool belayi_pg_asks_learn(belayi_pg_storing *w, const belay_error *why);

/* Whether there is something to ask. */
bool belayi_pg_asks_any(const belayi_pg_storing *w);

/* Asks about the rows, and marks those that would fail. That it can't be answered is no failure. */
belay_code belayi_pg_asks_run(belayi_pg_storing *w, size_t from, size_t to, belay_error *error);

/* Which of the rows the rule would refuse. */
belay_code belayi_pg_asks_rule(belayi_pg_storing *w, size_t rule, const size_t *rows, size_t count,
                               unsigned char *out_refused, belay_error *error);

/* By which rule the rows would be refused now, from 1; 0: by none, or nobody knows. Their values fit their types. */
belay_code belayi_pg_asks_verdicts(belayi_pg_storing *w, const size_t *rows, size_t count, unsigned char *out_rules,
                                   belay_error *error);

/* ---- parents.c -------------------------------------------------------------------------------------------------- */

/* Marks rows whose parent is missing; each parent is asked for once. */
belay_code belayi_pg_parents_look(belayi_pg_storing *w, size_t from, size_t to, belay_error *error);

/* ---- proofs.c --------------------------------------------------------------------------------------------------- */

/* Deals with the rows that were not copied, in their order, behind the COPY of their window. */
belay_code belayi_pg_proofs_run(belayi_pg_storing *w, const size_t *rows, size_t count, belay_error *error);

/* Runs rows by their own INSERT, in this order. `told` instead of the caller's `rejected`, where it is not NULL. */
belay_code belayi_pg_store_run(belayi_pg_storing *w, const size_t *rows, size_t count,
                               bool (*told)(void *arg, size_t row, belay_error *error), void *arg, belay_error *error);

#endif
