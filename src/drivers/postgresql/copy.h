/*
 * copy.h - one COPY, from its savepoint to its release.
 * Tests: tests/unit/drivers/test_postgresql_copy.c.
 */
#ifndef BELAYI_POSTGRESQL_COPY_H
#define BELAYI_POSTGRESQL_COPY_H

#include "table.h"

typedef struct belayi_pg_copy {
    belayi_pg_conn *conn;
    const belayi_pg_table *table;
    char *bytes; /* rows that are not sent yet */
    size_t size, room;
    bool heard; /* the server has something to say: most likely that a row failed */
    bool no_memory;
    int64_t stored; /* rows */
    size_t line;    /* that failed, from 1; 0: not known */
} belayi_pg_copy;

/* Begins. `text` is the whole of SAVEPOINT, COPY and RELEASE. On failure nothing is under way, but the transaction may
   have failed. */
belay_code belayi_pg_copy_open(belayi_pg_copy *copy, const char *text, belay_error *error);

/* One more row. False: no more, end it. */
bool belayi_pg_copy_row(belayi_pg_copy *copy, const belay_value *row);

/* Ends, and tells what became of it: all of it is stored or nothing. On failure the savepoint is still there, and the
   transaction takes nothing but the way back to it. */
belay_code belayi_pg_copy_close(belayi_pg_copy *copy, belay_error *error);

#endif
