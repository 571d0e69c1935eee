/*
 * store.h - the rows of a chunk on their way into the table.
 *
 * Rows go in their order, as many together as have the same columns. What becomes
 * of a row whose key is there already is said by the plan:
 *
 *   reject   INSERT; the driver may store the rows in any way of the same meaning
 *   skip     INSERT that does nothing where the key is there
 *   update   UPDATE by the key; where no row had it, INSERT
 *
 * Must not know: files, records.
 * Tests: tests/import.
 */
#ifndef BELAYI_IMPORT_STORE_H
#define BELAYI_IMPORT_STORE_H

#include <belay/import.h>
#include <belay/session.h>

#include "chunk.h"

/* A row was refused; *error is borrowed. In the order of the rows. */
typedef void (*belayi_refused)(void *arg, size_t row, const belay_error *error);

/* What was done with the rows that were not refused. */
typedef struct belayi_stored {
    uint64_t inserted, updated, skipped;
} belayi_stored;

typedef struct belayi_store {
    belay_session *session;
    const belayi_plan *plan;
    belay_import_conflict conflict;
    belay_place place;
    belayi_refused refused;
    void *arg;
    bool *is_written; /* by the rows that are being stored: of each of the plan's columns */
    char *sql, *update_sql;
    size_t sql_room;
    const char **names; /* of the columns that are written, quoted */
    belay_value *values;
    size_t values_room;
    belayi_stored stored; /* since belayi_store_chunk was called */
} belayi_store;

/* The first five members are set. False without memory. */
bool belayi_store_init(belayi_store *);
void belayi_store_done(belayi_store *); /* accepts a zeroed one */

/* Runs the statement for no row, so that a key that tells no rows apart is found before the first. */
belay_code belayi_store_try_out(belayi_store *);

/* Stores all rows of the chunk, inside the innermost scope. Else the pending code. */
belay_code belayi_store_chunk(belayi_store *, const belayi_chunk *);

#endif
