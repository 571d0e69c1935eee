/*
 * each.h - many rows of one statement: what each.c, which chooses how they fly, and
 * each_flights.c, which flies them, share.
 */
#ifndef BELAYI_POSTGRESQL_EACH_H
#define BELAYI_POSTGRESQL_EACH_H

#include "conn.h"

enum { BELAYI_PG_EACH_BYTES = 1 << 20 }; /* of values that are under way, at most */

/* Of the savepoint. */
typedef enum belayi_pg_each_command {
    BELAYI_PG_EACH_SET,
    BELAYI_PG_EACH_BACK,
    BELAYI_PG_EACH_KEEP
} belayi_pg_each_command;

extern const char *const belayi_pg_each_texts[];

typedef struct belayi_pg_each_run {
    belayi_pg_statement *s;
    belayi_pg_conn *conn;
    const belay_each *each;
    belay_effect *effect;
    bool set, aborted; /* the savepoint is set; the transaction takes nothing but the way back to it */
    size_t length;     /* of the last segment */
    size_t seen, bad;  /* rows, lately */
    bool any_bad;
} belayi_pg_each_run;

static inline const belay_value *belayi_pg_each_row(const belayi_pg_each_run *r, size_t row)
{
    return r->each->values + row * r->each->columns;
}

static inline size_t belayi_pg_each_bytes(const belayi_pg_each_run *r, size_t row)
{
    size_t bytes = 0;
    for (size_t i = 0; i < r->each->columns; i++)
        bytes += belayi_pg_each_row(r, row)[i].size;
    return bytes;
}

/* Runs the statement for all rows. `suspects`: most of them will fail. */
belay_code belayi_pg_each_rows(belay_statement *statement, const belay_each *each, bool suspects, belay_effect *effect,
                               belay_error *error);

/* Prepares the savepoint's commands, where the server does not have them. */
belay_code belayi_pg_each_prepare(belayi_pg_conn *conn, belay_error *error);

/* False for a row that can't be sent with the others. */
bool belayi_pg_each_can_fly(const belayi_pg_each_run *r, size_t row);

/* Runs the rows with one savepoint around them. Where one fails none of them is there any more: *out_failed is which,
   with *why; else it is `count`. */
belay_code belayi_pg_fly_segment(belayi_pg_each_run *r, size_t from, size_t count, size_t *out_failed, belay_error *why,
                                 belay_error *error);

/* Runs the rows each with a savepoint of its own, which the next one repairs. */
belay_code belayi_pg_heal_rows(belayi_pg_each_run *r, size_t from, size_t count, belay_error *error);

/* A row has failed. BELAY_OK: the others go on. */
belay_code belayi_pg_each_reject(belayi_pg_each_run *r, size_t row, belay_error *error);

/* What the savepoint stands for is not there any more, or the statement; or no time is left: no row is to blame. */
bool belayi_pg_each_blames_no_row(const belayi_pg_each_run *r, const belay_error *error);

#endif
