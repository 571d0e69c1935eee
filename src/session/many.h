/*
 * many.h - many rows for one table, each by itself: belay_try_many for who knows
 * what the statement does.
 * Tests: tests/api/test_many.c, tests/import.
 */
#ifndef BELAYI_SESSION_MANY_H
#define BELAYI_SESSION_MANY_H

#include <belay/statement.h>
#include <belay/sys/driver.h>

typedef struct belayi_insert {
    const char *sql;            /* one row of it; kept alive for the call */
    const belay_target *target; /* what it is, when it is nothing but an INSERT of these columns; else NULL */
    size_t rows, columns;
    const belay_value *values; /* row by row */
    belay_rejected on_reject;  /* in the order of the rows; *error is borrowed */
    void *arg;
    belay_place place;
} belayi_insert;

/* As belay_try_many, but that an error that is no row's own fault (a lock that was waited for in vain, a full disk) is
   pending, and no rejection. *out_changes: what the rows that were kept have matched, all together. */
belay_code belayi_many_insert(belay_session *, const belayi_insert *, int64_t *out_changes);

#endif
