/*
 * batch_items.h - random items for belay_batch: what each does, and what became of it.
 *
 * What an item does is drawn from the number of its script and its own, so that it
 * does the same whenever it runs: by belay_batch, or each in a unit of its own.
 */
#ifndef BELAY_TESTS_API_BATCH_ITEMS_H
#define BELAY_TESTS_API_BATCH_ITEMS_H

#include "support.h"

enum { MOST_ITEMS = 220, MOST_REJECTED = 4 * MOST_ITEMS, MOST_LEFT = 20 * MOST_ITEMS, MEMORY_ROOM = 8192 };

typedef struct script {
    unsigned seed;
    size_t items;
    unsigned bad_in_a_thousand; /* of the items' steps */
    bool sqlite, fatal;         /* some steps are for SQLite only; some end the whole transaction */
} script;

/* What is left of a batch, but for rows. */
typedef struct outcome {
    belay_code code;
    size_t rejected;
    size_t items[MOST_REJECTED]; /* which, in the order in which they were told */
    belay_error errors[MOST_REJECTED];
    char memory[MEMORY_ROOM];    /* what the program keeps in memory, which on-rollback hooks put right */
    char committed[MEMORY_ROOM]; /* what on-commit hooks wrote, in order */
    char before[MEMORY_ROOM];    /* and those before the commit */
    int registered, freed, runs;
    belay_rows *left[MOST_LEFT]; /* open when their item returned */
    size_t left_open;
} outcome;

typedef struct items {
    const script *script;
    outcome *outcome;
    size_t nested_in; /* one more than the item that these are in; 0: none */
    bool batched;     /* by belay_batch, or each in a unit of its own */
} items;

/* Tables without a row of earlier items, with some rows. */
void items_make_tables(belay_session *);
void items_reset_tables(belay_session *);

/* All that is in the tables. */
const char *items_rows(belay_session *);

/* As belay_batch wants it; arg is an `items`. */
int items_do(belay_session *, size_t i, void *arg);
void items_note(belay_session *, size_t i, const belay_error *, void *arg);

/* Does them all, by belay_batch or by what it stands for. */
belay_code items_do_all(belay_session *, size_t n, items *);

#endif
