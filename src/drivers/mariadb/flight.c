/*
 * flight.c - rows that are sent one behind the other, and waited for once.
 *
 * Each is an execution of the statement of its own. That needs no savepoint a row: a single statement of DML on a table
 * of InnoDB without triggers that fails is undone by the server itself; table.c makes sure that it is one. The server
 * runs what is behind a row that failed all the same. Where a failure may have been more than its row's, all of the
 * flight is undone by the savepoint in front of it. Where the transaction is gone with it, as by a deadlock, the rows
 * behind it are in another one, as autocommit is off: so the connection is given up, and the server drops what it has
 * not come to.
 *
 * The library's call that executes reads the answer; ahead.c lets it only send.
 * Tests: tests/unit/drivers/test_mariadb_each.c.
 */
#include <string.h>

#include "each.h"
#include "report.h"

/* ---- Sending ------------------------------------------------------------------------------------------------ */

static belay_code send_row(belayi_mariadb_each_run *r, belay_error *error)
{
    if (belayi_mariadb_stmt_send(r->conn, r->s->native) == 0)
        return BELAY_OK;
    r->conn->lost = true; /* what the server has got of it, nobody knows */
    return belayi_mariadb_fail_statement(r->s, error);
}

/* Binds and sends; a row whose values can't be sent has failed, and is not. */
static belay_code send_rows(belayi_mariadb_each_run *r, belay_error *error)
{
    belayi_mariadb_flight *f = r->flight;
    belay_code code = BELAY_OK;
    bool first = true;
    for (size_t i = 0; i < f->count && code == BELAY_OK; i++) {
        const belay_value *values = belayi_mariadb_each_row(r, f->rows[i]);
        f->sent[i] = belayi_mariadb_bind(r->s, r->each->columns, values, &f->why[i]) == BELAY_OK;
        f->failed[i] = !f->sent[i];
        if (!f->sent[i] && f->why[i].code == BELAY_NO_MEMORY) {
            *error = f->why[i];
            return error->code;
        }
        if (f->sent[i] && first) {
            code = belayi_mariadb_send_ahead(r->conn, !r->s->nowait, error);
            r->marked |= code == BELAY_OK;
        }
        first &= !f->sent[i];
        if (f->sent[i] && code == BELAY_OK)
            code = send_row(r, error);
    }
    return code;
}

/* ---- Answers ------------------------------------------------------------------------------------------------ */

static void note_kept(belayi_mariadb_flight *f, MYSQL *db)
{
    uint64_t id = mysql_insert_id(db);
    f->last.changes = (int64_t)mysql_affected_rows(db);
    f->changes += f->last.changes;
    f->last.has_last_id = id != 0;
    if (id != 0)
        f->last.last_id = (int64_t)id;
    f->any_kept = true;
}

/* Whether the transaction is gone with it. */
static bool ends_transaction(const belayi_mariadb_conn *conn, const belay_error *error)
{
    bool in_vain = error->code == BELAY_LOCK_TIMEOUT || error->code == BELAY_BUSY;
    return error->code == BELAY_DEADLOCK || error->code == BELAY_SERIALIZATION ||
           (in_vain && conn->vetted.timeout_ends);
}

/* Fails when it was more than the row's own error. What is behind the end of a transaction is in another one, and each
   row of it may wait for what the first one has waited for: so it is broken off. */
static belay_code judge(belayi_mariadb_each_run *r, size_t i, belay_error *error)
{
    belayi_mariadb_flight *f = r->flight;
    belayi_mariadb_fail_statement(r->s, &f->why[i]);
    if (!r->conn->doubt)
        return BELAY_OK;
    *error = f->why[i];
    if (!r->conn->lost && i + 1 < f->count && ends_transaction(r->conn, error))
        belayi_mariadb_break_off(r->conn);
    return error->code;
}

/* *error is that of the first row that was more than its own; all answers are read. */
static belay_code read_rows(belayi_mariadb_each_run *r, belay_error *error)
{
    belayi_mariadb_flight *f = r->flight;
    belay_error other;
    belay_code code = BELAY_OK;
    for (size_t i = 0; i < f->count && !r->conn->lost; i++) {
        if (!f->sent[i])
            continue;
        f->failed[i] = belayi_mariadb_read_answer(r->conn) != 0;
        if (!f->failed[i])
            note_kept(f, r->conn->db);
        else if (code == BELAY_OK)
            code = judge(r, i, error);
        else
            judge(r, i, &other);
    }
    return code;
}

belay_code belayi_mariadb_land(belayi_mariadb_each_run *r, belay_error *error)
{
    belay_error other;
    belay_code code = read_rows(r, error);
    if (!r->conn->lost && belayi_mariadb_check_ahead(r->conn, code == BELAY_OK, &other) != BELAY_OK) {
        *error = other; /* it is the cause */
        code = error->code;
    }
    if (code == BELAY_OK)
        code = belayi_mariadb_check_cancel(r->conn, error);
    belayi_mariadb_settle(r->conn);
    return code;
}

belay_code belayi_mariadb_take_off(belayi_mariadb_each_run *r, bool marked, belay_error *error)
{
    belayi_mariadb_flight *f = r->flight;
    f->changes = 0;
    f->any_kept = false;
    f->last = *r->effect;
    f->last.changes = 0;
    memset(f->sent, 0, sizeof f->sent);
    r->conn->owed.each = marked;
    belay_code code = send_rows(r, error);
    r->conn->owed.each = false;
    return code;
}

belay_code belayi_mariadb_fly(belayi_mariadb_each_run *r, bool marked, belay_error *error)
{
    belay_error other;
    r->marked &= !marked;
    belay_code code = belayi_mariadb_ready(r->conn, BELAYI_MARIADB_STATEMENT, error);
    if (code != BELAY_OK)
        return code;
    code = belayi_mariadb_take_off(r, marked, error);
    if (r->conn->lost)
        return code;
    r->conn->base.round_trips++;
    belay_code landed = belayi_mariadb_land(r, &other); /* also what was sent before one that could not be */
    if (code == BELAY_OK && landed != BELAY_OK) {
        *error = other;
        code = landed;
    }
    return code;
}

/* ---- Rows in order ------------------------------------------------------------------------------------------ */

static void fill_flight(belayi_mariadb_each_run *r, size_t from, size_t count)
{
    belayi_mariadb_flight *f = r->flight;
    size_t bytes = 0;
    f->count = 0;
    while (f->count < count && f->count < BELAYI_MARIADB_FLIGHT_ROWS) {
        bytes += belayi_mariadb_each_bytes(r, from + f->count);
        if (bytes > BELAYI_MARIADB_FLIGHT_BYTES && f->count > 0)
            return;
        f->rows[f->count] = from + f->count;
        f->count++;
    }
}

static belay_code tell_flight(belayi_mariadb_each_run *r, belay_error *error)
{
    belayi_mariadb_flight *f = r->flight;
    r->changes += f->changes;
    if (f->any_kept)
        *r->effect = f->last;
    r->effect->changes = f->failed[f->count - 1] ? 0 : f->last.changes;
    for (size_t i = 0; i < f->count; i++)
        if (f->failed[i] && belayi_mariadb_each_reject(r, f->rows[i], &f->why[i]) != BELAY_OK) {
            *error = f->why[i];
            return error->code;
        }
    return BELAY_OK;
}

belay_code belayi_mariadb_fly_rows(belayi_mariadb_each_run *r, size_t from, size_t count, belay_error *error)
{
    size_t done = 0;
    belay_code code = BELAY_OK;
    while (done < count && code == BELAY_OK) {
        fill_flight(r, from + done, count - done);
        size_t flown = r->flight->count;
        code = belayi_mariadb_fly(r, true, error);
        if (code == BELAY_OK) {
            code = tell_flight(r, error);
        } else {
            code = belayi_mariadb_each_recover(r, error);
            for (size_t i = 0; i < flown && code == BELAY_OK; i++)
                code = belayi_mariadb_try_row(r, from + done + i, error);
        }
        done += flown;
    }
    return code;
}
