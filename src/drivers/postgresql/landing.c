/*
 * landing.c - the answers to a flight: read in its order, and to its end.
 *
 * When a command fails the server skips the rest, up to the Sync; so the first
 * error is the one that counts. An answer that nobody asked for is not passed
 * over: behind it, every answer could be another command's.
 * Tests: tests/unit/drivers/test_postgresql_*.c, tests/fault/test_links_noise.c.
 */
#include <string.h>

#include "conn.h"
#include "report.h"

/* ---- Reading ------------------------------------------------------------------------------------------- */

/* The next result, waited for. False when there can't be any more. */
bool belayi_pg_next_result(belayi_pg_conn *conn, PGresult **out_result)
{
    *out_result = NULL;
    if (!belayi_pg_wait(conn))
        return false;
    *out_result = PQgetResult(conn->pg);
    return *out_result || PQstatus(conn->pg) == CONNECTION_OK;
}

static bool is_failure(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    return status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE || status == PGRES_NONFATAL_ERROR;
}

static bool is_copy(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    return status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH;
}

/* Whether the result ends a Sync's part of the flight. */
static bool is_end(const PGresult *result)
{
    return PQresultStatus(result) == PGRES_PIPELINE_SYNC;
}

/* Data would flow now, which nobody here gives or takes. */
static belay_code refuse_copy(belayi_pg_conn *conn, belay_error *error)
{
    conn->lost = true;
    belayi_report(error, BELAY_UNSUPPORTED, "COPY from or to the client is not sent as a statement");
    BELAYI_REPORT_FIELD(error->hint, "use belay_native and libpq's own functions for it");
    return error->code;
}

/* Answers and questions do not match: who knows which answer was whose. */
static belay_code report_mix_up(belayi_pg_conn *conn, belay_error *error)
{
    conn->lost = true;
    return belayi_report(error, BELAY_CONNECTION, "the server's answers are not those to what was asked");
}

/* A result that is no success: its error, the flight landed. */
static belay_code fail_flight(belayi_pg_conn *conn, PGresult *result, belay_error *error)
{
    belay_error ignored; /* the first error wins */
    if (!result)
        belayi_pg_fail_link(conn, error);
    else if (is_copy(result))
        refuse_copy(conn, error);
    else if (is_end(result))
        report_mix_up(conn, error);
    else
        belayi_pg_fail(conn, result, error);
    PQclear(result);
    belayi_pg_land_early(conn, &ignored);
    return error->code;
}

belay_code belayi_pg_read_ahead(belayi_pg_conn *conn, belay_error *error)
{
    while (conn->ahead > 0 || conn->syncs > 1) { /* the Sync of what went ahead too: behind it are the rows */
        PGresult *result;
        if (!belayi_pg_next_result(conn, &result) || (!result && conn->ahead == 0))
            return fail_flight(conn, NULL, error);
        if (!result) {
            conn->ahead--;
            conn->harmless -= conn->harmless > 0;
            continue;
        }
        if (is_failure(result) && conn->harmless == 0)
            return fail_flight(conn, result, error);
        conn->syncs -= is_end(result);
        belayi_pg_identity_note(conn, result);
        PQclear(result);
    }
    return BELAY_OK;
}

belay_code belayi_pg_receive(belayi_pg_conn *conn, PGresult **out_result, belay_error *error)
{
    if (!belayi_pg_next_result(conn, out_result))
        return fail_flight(conn, NULL, error);
    if (!*out_result || (!is_failure(*out_result) && !is_copy(*out_result) && !is_end(*out_result)))
        return BELAY_OK;
    PGresult *failed = *out_result;
    *out_result = NULL;
    return fail_flight(conn, failed, error);
}

/* ---- Landing ------------------------------------------------------------------------------------------- */

/* What may have changed on the way. */
static void note_landing(belayi_pg_conn *conn)
{
    const char *conforming = PQparameterStatus(conn->pg, "standard_conforming_strings");
    conn->rules.backslash_escapes = conforming && strcmp(conforming, "off") == 0;
    conn->in_transaction = !belayi_pg_is_idle(conn);
    if (conn->in_transaction)
        return;
    conn->lock_now = conn->lock_session;
    conn->idle_now = 0;
    conn->idle_set = false;
}

void belayi_pg_leave(belayi_pg_conn *conn)
{
    conn->flying = false;
    if (!conn->lost && !PQexitPipelineMode(conn->pg))
        conn->lost = true;
    if (conn->was_blocking && !conn->lost)
        PQsetnonblocking(conn->pg, 0);
    if (PQstatus(conn->pg) == CONNECTION_BAD)
        conn->lost = true;
    else
        note_landing(conn);
    if (!conn->lost)
        belayi_pg_listen(conn);
}

/* What nobody reads on a landing: skipped commands, and what the driver has asked along. */
static bool may_be_left(belayi_pg_conn *conn, const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    bool answer = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_SINGLE_TUPLE;
    return belayi_pg_identity_note(conn, result) || !answer;
}

/* Reads one result, NULL being what separates them. False when there is nothing more to come. */
static bool land_further(belayi_pg_conn *conn, bool early, int *nothings, belay_code *code, belay_error *error)
{
    PGresult *result;
    if (!belayi_pg_next_result(conn, &result)) {
        if (*code == BELAY_OK)
            *code = belayi_pg_fail_link(conn, error);
        return false;
    }
    conn->syncs -= result && is_end(result);
    if (result && is_failure(result) && *code == BELAY_OK)
        *code = belayi_pg_fail(conn, result, error);
    if (result && !may_be_left(conn, result) && !early && *code == BELAY_OK)
        *code = report_mix_up(conn, error);
    *nothings = result ? 0 : *nothings + 1;
    PQclear(result);
    return !conn->lost;
}

static belay_code land(belayi_pg_conn *conn, bool early, belay_error *error)
{
    enum { TOO_MANY_NOTHINGS = 3 };
    int nothings = 0;
    belay_code code = BELAY_OK;
    while (conn->syncs > 0 && !conn->lost && land_further(conn, early, &nothings, &code, error))
        conn->lost = nothings > TOO_MANY_NOTHINGS; /* libpq waits for nothing more, and a Sync is missing */
    belayi_pg_leave(conn);
    return code;
}

belay_code belayi_pg_land(belayi_pg_conn *conn, belay_error *error)
{
    return land(conn, false, error);
}

belay_code belayi_pg_land_early(belayi_pg_conn *conn, belay_error *error)
{
    return land(conn, true, error);
}
