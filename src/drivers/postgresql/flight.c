/*
 * flight.c - some commands, one Sync, one wait.
 *
 * libpq's pipeline mode sends commands without waiting for answers. When one
 * fails the server skips the rest, up to the Sync; so the first error is the one
 * that counts. What must not fail with the rest (a statement that is forgotten, a
 * limit of the session) goes ahead with a Sync of its own.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "conn.h"
#include "report.h"

/* ---- Taking off ---------------------------------------------------------------------------------------- */

/* Nothing can be taken back that was queued in libpq: with the flight, the connection is given up. */
static belay_code crash(belayi_pg_conn *conn, belay_error *error)
{
    belay_code code = belayi_pg_fail_link(conn, error);
    conn->flying = false;
    conn->lost = true;
    return code;
}

/* Without pipeline mode, which knows no COPY. */
static belay_code enter_plain(belayi_pg_conn *conn, bool unbounded, belay_error *error)
{
    if (conn->lost || !conn->pg || PQstatus(conn->pg) == CONNECTION_BAD)
        return belayi_pg_fail_link(conn, error);
    if (!unbounded && belayi_clock_passed(conn->base.limits.deadline_ns))
        return belayi_report(error, BELAY_TIMEOUT, "the time limit had passed before the statement could run");
    if (!unbounded && conn->late.code != BELAY_OK) {
        *error = conn->late;
        return error->code;
    }
    conn->late.code = BELAY_OK;
    if (PQtransactionStatus(conn->pg) == PQTRANS_ACTIVE || PQpipelineStatus(conn->pg) != PQ_PIPELINE_OFF)
        return belayi_report(error, BELAY_MISUSE,
                             "the connection is busy: it has a result that was not read, or is in "
                             "pipeline mode");
    conn->unbounded = unbounded;
    conn->cancelled = false;
    conn->gives_up_ns = 0;
    conn->ahead = conn->harmless = conn->syncs = 0;
    conn->was_blocking = !PQisnonblocking(conn->pg);
    conn->in_transaction = !belayi_pg_is_idle(conn);
    if (PQsetnonblocking(conn->pg, 1) != 0)
        return crash(conn, error);
    conn->flying = true;
    return BELAY_OK;
}

static belay_code enter(belayi_pg_conn *conn, bool unbounded, belay_error *error)
{
    belay_code code = enter_plain(conn, unbounded, error);
    if (code == BELAY_OK && !PQenterPipelineMode(conn->pg))
        return crash(conn, error);
    return code;
}

belay_code belayi_pg_send_plain(belayi_pg_conn *conn, const char *text, belay_error *error)
{
    belay_code code = enter_plain(conn, false, error);
    if (code != BELAY_OK)
        return code;
    conn->left_ns = belayi_clock_now();
    conn->base.round_trips++;
    return PQsendQuery(conn->pg, text) ? BELAY_OK : crash(conn, error);
}

belay_code belayi_pg_note_queued(belayi_pg_conn *conn, int queued, belay_error *error)
{
    return queued ? BELAY_OK : crash(conn, error);
}

belay_code belayi_pg_note_ahead(belayi_pg_conn *conn, int queued, belay_error *error)
{
    conn->ahead += queued != 0;
    return belayi_pg_note_queued(conn, queued, error);
}

int belayi_pg_queue_text(belayi_pg_conn *conn, const char *text)
{
    return PQsendQueryParams(conn->pg, text, 0, NULL, NULL, NULL, NULL, 0);
}

static belay_code add_text(belayi_pg_conn *conn, const char *text, belay_error *error)
{
    return belayi_pg_note_ahead(conn, belayi_pg_queue_text(conn, text), error);
}

static belay_code add_numbered(belayi_pg_conn *conn, const char *verb, unsigned number, belay_error *error)
{
    char text[64];
    snprintf(text, sizeof text, "%s belay_%u", verb, number);
    return add_text(conn, text, error);
}

belay_code belayi_pg_add_sync(belayi_pg_conn *conn, belay_error *error)
{
    if (!PQpipelineSync(conn->pg))
        return crash(conn, error);
    conn->left_ns = belayi_clock_now();
    conn->syncs++;
    return BELAY_OK;
}

static int whole_milliseconds(int64_t ns)
{
    int64_t ms = (ns - 1) / BELAYI_NS_PER_MS + 1;
    return ms > INT_MAX ? INT_MAX : (int)ms;
}

/* lock_timeout as the caller's limit wants it. A lock that is not waited for says so in its own statement. */
static int wanted_lock_timeout(const belayi_pg_conn *conn)
{
    int64_t ns = conn->base.limits.lock_wait_ns;
    if (conn->adopted || ns == 0)
        return conn->lock_now;
    if (ns < 0)
        return 0;
    return whole_milliseconds(ns);
}

static belay_code add_lock_timeout(belayi_pg_conn *conn, const char *how, belay_error *error)
{
    char text[64];
    conn->lock_now = wanted_lock_timeout(conn);
    snprintf(text, sizeof text, "SET %s lock_timeout = %d", how, conn->lock_now);
    return add_text(conn, text, error);
}

/* How long the server lets the transaction idle. */
static int wanted_idle_limit(const belayi_pg_conn *conn)
{
    int64_t ns = conn->base.limits.idle_ns;
    if (conn->adopted)
        return conn->idle_now;
    return ns > 0 ? whole_milliseconds(ns) : 0;
}

static belay_code add_idle_limit(belayi_pg_conn *conn, belay_error *error)
{
    char text[80], value[16] = "DEFAULT";
    conn->idle_now = wanted_idle_limit(conn);
    conn->idle_set = true;
    if (conn->idle_now > 0)
        snprintf(value, sizeof value, "%d", conn->idle_now);
    snprintf(text, sizeof text, "SET LOCAL idle_in_transaction_session_timeout = %s", value);
    return add_text(conn, text, error);
}

/* Between transactions: what is for the session. */
static belay_code add_for_session(belayi_pg_conn *conn, belay_error *error)
{
    enum { AT_MOST = 32 };
    belay_code code = BELAY_OK;
    for (int i = 0; i < AT_MOST && code == BELAY_OK && conn->garbage_count > 0; i++) {
        code = add_numbered(conn, "DEALLOCATE", conn->garbage[--conn->garbage_count], error);
        if (code == BELAY_OK)
            code = belayi_pg_add_sync(conn, error); /* it may be there no more: that must not fail the next */
    }
    int forgotten = conn->ahead;
    if (code == BELAY_OK && wanted_lock_timeout(conn) != conn->lock_session) {
        code = add_lock_timeout(conn, "SESSION", error);
        conn->lock_session = conn->lock_now;
    }
    if (code == BELAY_OK)
        code = belayi_pg_identity_prepare(conn, error);
    conn->harmless = conn->ahead;
    return code == BELAY_OK && conn->ahead > forgotten ? belayi_pg_add_sync(conn, error) : code;
}

belay_code belayi_pg_add_owed(belayi_pg_conn *conn, belay_error *error)
{
    const belayi_pg_owed *owed = &conn->owed;
    belay_code code = owed->begin ? add_text(conn, owed->begin, error) : BELAY_OK;
    conn->in_transaction |= owed->begin != NULL;
    if (code == BELAY_OK && owed->release > 0)
        code = add_numbered(conn, "RELEASE", owed->release, error);
    /* Before the savepoints, so that it is not undone with them. */
    if (code == BELAY_OK && conn->in_transaction && wanted_lock_timeout(conn) != conn->lock_now)
        code = add_lock_timeout(conn, "LOCAL", error);
    if (code == BELAY_OK && conn->in_transaction && wanted_idle_limit(conn) != conn->idle_now)
        code = add_idle_limit(conn, error);
    for (unsigned i = 0; code == BELAY_OK && i < owed->count; i++)
        code = add_numbered(conn, "SAVEPOINT", owed->first + i, error);
    return code;
}

belay_code belayi_pg_take_off(belayi_pg_conn *conn, belay_error *error)
{
    belay_code code = enter(conn, false, error);
    conn->identity.wrote_nothing = false;
    if (code == BELAY_OK && !conn->in_transaction && !conn->adopted)
        code = add_for_session(conn, error);
    return code == BELAY_OK ? belayi_pg_add_owed(conn, error) : code;
}

belay_code belayi_pg_launch(belayi_pg_conn *conn, int queued, belay_error *error)
{
    if (!queued)
        return crash(conn, error);
    belayi_pg_owe_nothing(conn);
    conn->base.round_trips++;
    return belayi_pg_add_sync(conn, error);
}

/* ---- Whole flights -------------------------------------------------------------------------------------- */

/* Reads the one command of a flight to its end. */
static belay_code finish_command(belayi_pg_conn *conn, char tag[32], belay_error *error)
{
    PGresult *result;
    belay_code code;
    do {
        code = belayi_pg_receive(conn, &result, error);
        if (code != BELAY_OK)
            return code;
        if (result)
            belayi_report_string(tag, 32, PQcmdStatus(result));
        PQclear(result);
    } while (result);
    return belayi_pg_land(conn, error);
}

static belay_code fly_command(belayi_pg_conn *conn, const char *text, bool unbounded, char tag[32], belay_error *error)
{
    tag[0] = '\0';
    belay_code code = enter(conn, unbounded, error);
    if (code == BELAY_OK)
        code = belayi_pg_launch(conn, belayi_pg_queue_text(conn, text), error);
    return code == BELAY_OK ? finish_command(conn, tag, error) : code;
}

belay_code belayi_pg_command_behind(belayi_pg_conn *conn, const char *text, char tag[32], belay_error *error)
{
    unsigned count = conn->base.queued;
    tag[0] = '\0';
    conn->base.queued = 0;
    conn->base.queue_is_full = false;
    belay_code code = belayi_pg_launch(conn, belayi_pg_queue_text(conn, text), error);
    if (code == BELAY_OK)
        code = belayi_pg_read_queue(conn, count, error);
    return code == BELAY_OK ? finish_command(conn, tag, error) : code;
}

belay_code belayi_pg_command(belayi_pg_conn *conn, const char *text, char tag[32], belay_error *error)
{
    return fly_command(conn, text, false, tag, error);
}

belay_code belayi_pg_command_back(belayi_pg_conn *conn, const char *text, belay_error *error)
{
    char ignored[32];
    return fly_command(conn, text, true, ignored, error);
}

belay_code belayi_pg_query(belayi_pg_conn *conn, const char *text, PGresult **out_result, belay_error *error)
{
    return belayi_pg_query_with(conn, text, 0, NULL, out_result, error);
}

belay_code belayi_pg_query_with(belayi_pg_conn *conn, const char *text, int n, const char *const *parameters,
                                PGresult **out_result, belay_error *error)
{
    PGresult *more = NULL;
    *out_result = NULL;
    belay_code code = belayi_pg_take_off(conn, error);
    if (code == BELAY_OK)
        code = belayi_pg_launch(conn, PQsendQueryParams(conn->pg, text, n, NULL, parameters, NULL, NULL, 0), error);
    if (code == BELAY_OK)
        code = belayi_pg_read_ahead(conn, error);
    if (code == BELAY_OK)
        code = belayi_pg_receive(conn, out_result, error);
    while (code == BELAY_OK && *out_result && (code = belayi_pg_receive(conn, &more, error)) == BELAY_OK && more)
        PQclear(more);
    if (code == BELAY_OK)
        code = belayi_pg_land(conn, error);
    if (code == BELAY_OK)
        return code;
    PQclear(*out_result);
    *out_result = NULL;
    return code;
}

belay_code belayi_pg_settle(belayi_pg_conn *conn, belay_error *error)
{
    if (!conn->owed.begin && conn->owed.release == 0 && conn->owed.count == 0)
        return BELAY_OK;
    belay_code code = belayi_pg_take_off(conn, error);
    if (code == BELAY_OK)
        code = belayi_pg_launch(conn, 1, error);
    if (code == BELAY_OK)
        code = belayi_pg_read_ahead(conn, error);
    return code == BELAY_OK ? belayi_pg_land(conn, error) : code;
}
