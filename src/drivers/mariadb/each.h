/*
 * each.h - many rows of one statement: what each.c, which chooses how they are run, table.c, which looks whether they
 * can be, flight.c, bulk.c and conditions.c share.
 */
#ifndef BELAYI_MARIADB_EACH_H
#define BELAYI_MARIADB_EACH_H

#include "conn.h"

/* Rows that are sent before an answer is read, and the bytes of their values. All of it must find room in the buffers
   of both sockets, as the server does not read on when it can't write. */
enum { BELAYI_MARIADB_FLIGHT_ROWS = 128, BELAYI_MARIADB_FLIGHT_BYTES = 32768 };

typedef struct belayi_mariadb_flight {
    size_t count;
    size_t rows[BELAYI_MARIADB_FLIGHT_ROWS]; /* which of the call's */
    bool sent[BELAYI_MARIADB_FLIGHT_ROWS];
    bool failed[BELAYI_MARIADB_FLIGHT_ROWS];
    belay_error why[BELAYI_MARIADB_FLIGHT_ROWS]; /* of those that failed */
    int64_t changes;                             /* by all that were kept */
    belay_effect last;                           /* of the last of them */
    bool any_kept;
} belayi_mariadb_flight;

typedef struct belayi_mariadb_each_run {
    belayi_mariadb_statement *s;
    belayi_mariadb_conn *conn;
    const belay_each *each;
    belay_effect *effect;
    int64_t changes;
    belayi_mariadb_flight *flight; /* its memory */
    bool marked;                   /* the savepoint in front of what is run was set, or at least sent */
    size_t resting;                /* so many rows fly before bulk.c has its turn again */
    const belay_value *key;        /* bulk.c: the first row's of the AUTO_INCREMENT column; NULL: there is none */
} belayi_mariadb_each_run;

static inline const belay_value *belayi_mariadb_each_row(const belayi_mariadb_each_run *r, size_t row)
{
    return r->each->values + row * r->each->columns;
}

static inline size_t belayi_mariadb_each_bytes(const belayi_mariadb_each_run *r, size_t row)
{
    enum { TYPE_AND_LENGTH = 12 };
    size_t bytes = 0;
    for (size_t i = 0; i < r->each->columns; i++)
        bytes += belayi_mariadb_each_row(r, row)[i].size + TYPE_AND_LENGTH;
    return bytes;
}

/* ---- each.c ------------------------------------------------------------------------------------------------- */

/* A row has failed. BELAY_OK: the others go on. */
belay_code belayi_mariadb_each_reject(belayi_mariadb_each_run *r, size_t row, belay_error *error);

/* Something failed, with *error: goes back to the savepoint belay_each in front of it. BELAY_OK: the rows behind that
   may be run again, in another way. Else it was the end of all, for which no row is to blame. */
belay_code belayi_mariadb_each_recover(belayi_mariadb_each_run *r, belay_error *error);

/* Runs one row, between a savepoint of its own and its release, and tells when it failed. */
belay_code belayi_mariadb_try_row(belayi_mariadb_each_run *r, size_t row, belay_error *error);

/* ---- table.c ------------------------------------------------------------------------------------------------ */

/* Looks what kind of table the statement writes to, unless that is known: conn->vetted. `table`: as it stands in SQL.
 */
belay_code belayi_mariadb_vet(belayi_mariadb_each_run *r, const char *table, size_t size, belay_error *error);

/* After a row was kept: whether it ran triggers. */
belay_code belayi_mariadb_vet_triggers(belayi_mariadb_conn *conn, belay_error *error);

/* ---- flight.c ----------------------------------------------------------------------------------------------- */

/* Runs the rows of r->flight, and waits once. `marked`: behind a new savepoint belay_each. On failure the fate of no
   row is known. */
belay_code belayi_mariadb_fly(belayi_mariadb_each_run *r, bool marked, belay_error *error);

/* The same in two steps: sends the rows, behind what was only sent before, and reads the answers, which are behind
   those of that. What was sent is read in any case. */
belay_code belayi_mariadb_take_off(belayi_mariadb_each_run *r, bool marked, belay_error *error);
belay_code belayi_mariadb_land(belayi_mariadb_each_run *r, belay_error *error);

/* Runs rows, each as a statement of its own, and tells of those that failed. */
belay_code belayi_mariadb_fly_rows(belayi_mariadb_each_run *r, size_t from, size_t count, belay_error *error);

/* ---- bulk.c ------------------------------------------------------------------------------------------------- */

/* Whether it can be tried with this statement: its target is known, and the server takes many rows at once. */
belay_code belayi_mariadb_prepare_bulk(belayi_mariadb_each_run *r, bool *out_can, belay_error *error);

/* Runs some of the rows from `from` on, and tells of those that failed. */
belay_code belayi_mariadb_run_chunk(belayi_mariadb_each_run *r, size_t from, size_t *out_done, belay_error *error);

/* ---- conditions.c ------------------------------------------------------------------------------------------- */

/* What the server has noted of a row: a warning, or an error that IGNORE made one. */
typedef struct belayi_mariadb_condition {
    size_t row; /* of the statement, from 0 */
    unsigned number;
    bool is_note;     /* it would have been one without IGNORE too */
    const char *text; /* borrowed from the list's texts */
} belayi_mariadb_condition;

typedef struct belayi_mariadb_conditions {
    belayi_mariadb_condition *list;
    size_t count;
    bool complete; /* these are all */
    MYSQL_RES *texts;
} belayi_mariadb_conditions;

/* Asks for those of the statement that was sent before; false when it could not be sent. */
bool belayi_mariadb_send_conditions(belayi_mariadb_conn *conn);

/* The answers: `count` at most, by the statement's own answer. *out is empty on failure. */
belay_code belayi_mariadb_read_conditions(belayi_mariadb_conn *conn, size_t count, belayi_mariadb_conditions *out,
                                          belay_error *error);
void belayi_mariadb_free_conditions(belayi_mariadb_conditions *);

#endif
