/*
 * batch_orders.h - items for belay_batch that do what a letter tells them.
 */
#ifndef BELAY_TESTS_API_BATCH_ORDERS_H
#define BELAY_TESTS_API_BATCH_ORDERS_H

#include "support.h"

#include <stdio.h>
#include <string.h>

/* ---- Items that follow orders ----------------------------------------------------------------------------------- */

enum { MOST = 2000 };

/* What an item does; those without an order put a row. */
typedef struct orders {
    const char *letters; /* by item: see do_item */
    int runs[MOST];
    int all_runs;
    char told[200]; /* rejections: item and code */
    int balance;    /* of what the program keeps in memory: one more for each item that is kept */
    int undone;     /* how many runs told that they were undone */
    int freed;
    belay_session *seen;
} orders;

static inline int take_back(belay_session *s, void *arg)
{
    orders *o = arg;
    (void)s;
    o->balance--;
    o->undone++;
    return 0;
}

static inline void count_freed(void *arg)
{
    ((orders *)arg)->freed++;
}

static inline int do_order(belay_session *s, char letter, int id, orders *o)
{
    switch (letter) {
    case 'x': /* fails when it has done something */
        put(s, id);
        clash(s);
        return 0;
    case 'f': /* fails before */
        clash(s);
        return 0;
    case 'r':
        put(s, id);
        return 7;
    case 'u':
        put(s, id);
        belay_undo(s);
        return 0;
    case 'o': /* a scope that is left open */
        belay_begin(s, NULL);
        put(s, id);
        return 0;
    case 'd': /* ends the transaction */
        belay_fail(s, BELAY_DEADLOCK, "a deadlock");
        return 0;
    default:
        put(s, id);
        o->balance++;
        belay_on_rollback(s, take_back, o, count_freed);
        return 0;
    }
}

/* Item i puts row i + 1. */
static inline int do_item(belay_session *s, size_t i, void *arg)
{
    orders *o = arg;
    char letter = o->letters && i < strlen(o->letters) ? o->letters[i] : '.';
    o->runs[i]++;
    o->all_runs++;
    return do_order(s, letter, (int)i + 1, o);
}

static inline void tell(belay_session *s, size_t i, const belay_error *error, void *arg)
{
    orders *o = arg;
    size_t size = strlen(o->told);
    (void)s;
    snprintf(o->told + size, sizeof o->told - size, "%zu %s;", i, belay_code_name(error->code));
}

static orders o; /* large; each test begins it anew */

static inline belay_code do_orders(belay_session *s, const char *letters)
{
    o = (orders){.letters = letters};
    return belay_batch(s, strlen(letters), do_item, &o, tell);
}

#endif
