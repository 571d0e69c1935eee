/*
 * queue.c - statements that wait for each other: many in one flight.
 *
 * The first one that is queued takes off; each writes its parameters at once, so
 * that nothing of it is kept but how many commands went ahead of it. libpq sends
 * what it has when that is much, and reads while it does. The Sync goes with the
 * one who waits: drain, or COMMIT, which has its place behind the last statement.
 *
 * When a command fails the server skips all behind it, up to the Sync. What was
 * prepared in such a flight may not have been: then all is prepared anew.
 * Tests: tests/api/test_pipeline.c, tests/fault/test_cuts.c.
 */
#include "conn.h"

/* ---- Queueing --------------------------------------------------------------------------------------------- */

static size_t count_bytes(size_t n, const belay_value *values)
{
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++)
        bytes += values[i].size + sizeof values[i];
    return bytes;
}

static belay_code join_flight(belayi_pg_conn *conn, belay_error *error)
{
    if (conn->base.queued > 0)
        return belayi_pg_add_owed(conn, error);
    conn->queue_bytes = 0;
    conn->queue_names = conn->names;
    return belayi_pg_take_off(conn, error);
}

belay_code belayi_pg_queue(belay_statement *statement, size_t n, const belay_value *values, belay_error *error)
{
    belayi_pg_statement *s = (belayi_pg_statement *)statement;
    belayi_pg_conn *conn = (belayi_pg_conn *)statement->conn;
    belayi_pg_parameters parameters;
    belay_code code = belayi_pg_check_run(s, n, values, &parameters, error);
    if (code == BELAY_OK)
        code = join_flight(conn, error);
    if (code == BELAY_OK)
        code = belayi_pg_add_run(s, n, values, &parameters, error);
    if (code != BELAY_OK)
        return code;
    belayi_pg_owe_nothing(conn);
    conn->queue_ahead[conn->base.queued++] = (unsigned short)conn->ahead;
    conn->ahead = 0;
    conn->queue_bytes += count_bytes(n, values);
    conn->base.queue_is_full = conn->base.queued == BELAYI_PG_QUEUE_MOST || conn->queue_bytes > BELAYI_PG_QUEUE_BYTES;
    return BELAY_OK;
}

/* ---- Waiting ---------------------------------------------------------------------------------------------- */

static belay_code read_run(belayi_pg_conn *conn, belay_error *error)
{
    belay_code code = belayi_pg_read_ahead(conn, error);
    conn->base.effect.changes = 0;
    for (PGresult *result = NULL; code == BELAY_OK;) {
        code = belayi_pg_receive(conn, &result, error);
        if (code != BELAY_OK || !result)
            break;
        belayi_pg_note_effect(conn, result, &conn->base.effect);
        PQclear(result);
    }
    return code;
}

belay_code belayi_pg_read_queue(belayi_pg_conn *conn, unsigned count, belay_error *error)
{
    belay_code code = BELAY_OK;
    for (unsigned i = 0; i < count && code == BELAY_OK; i++) {
        conn->ahead = conn->queue_ahead[i];
        code = read_run(conn, error);
        conn->base.failed = code == BELAY_OK ? 0 : i + 1;
    }
    if (code == BELAY_OK)
        return code;
    belayi_pg_owe_nothing(conn); /* that was for behind what failed */
    if (belayi_pg_is_stale(error) || conn->names != conn->queue_names)
        conn->generation++;
    return code;
}

belay_code belayi_pg_drain(belay_conn *base, belay_error *error)
{
    belayi_pg_conn *conn = (belayi_pg_conn *)base;
    belayi_pg_owed behind = conn->owed;
    unsigned last = base->queued;
    belay_code code = conn->flying ? belayi_pg_launch(conn, belayi_pg_identity_ask(conn, true), error)
                                   : belayi_pg_fail_link(conn, error);
    conn->owed = behind;
    base->failed = base->queued = 0;
    base->queue_is_full = false;
    if (code == BELAY_OK)
        code = belayi_pg_read_queue(conn, last, error);
    if (code == BELAY_OK)
        code = belayi_pg_land(conn, error);
    if (code != BELAY_OK && base->failed == 0)
        base->failed = last; /* the connection is lost */
    return code;
}
