/*
 * outcome.c - what became of a transaction whose COMMIT got no answer.
 *
 * The server keeps that record under the transaction's number (pg_xact_status).
 * The number must be known before COMMIT leaves. It is given with the first write:
 * so a question for it rides behind a statement that writes, behind many rows, and
 * behind a queue that is drained, in the same flight, until it is known. (Not behind
 * a queue that COMMIT ends: who loses COMMIT's answer loses that one too.) No trip
 * is made for any of this before there is a doubt.
 *
 * A number means something on one server only, and there only on one timeline:
 * after a failover it can belong to another transaction. And even there it can be
 * given twice: after a crash the server goes on counting where its log ends, and
 * the writes of a lost transaction may never have come that far. (Seen on 15: a
 * backend was killed behind its first INSERT, the next transaction got the same
 * number and committed, and the status of the lost one was "committed".) So the
 * server is known by its system identifier, its timeline, and the moment at which
 * its statistics began: a crash resets them, a proper stop does not. Where one of
 * them differs, nobody can say.
 *
 * The timeline is read from where the log is being written, not from the control
 * file, which still has the old one for a while after a promotion.
 *
 * All of it may be asked by any role, as servers come; where that was taken away
 * the question, which has a Sync of its own, fails without harm, and the outcome
 * stays unknown. Before 15 the statistics are in a file that takes long to read:
 * there it is not asked.
 * Tests: tests/unit/drivers/test_postgresql_outcome.c, tests/fault/test_outcome.c.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conn.h"
#include "report.h"

enum { SERVER_VERSION_LEAST = 150000 };

/* Its columns are known by their names, as nobody else reads the answers. A standby has no timeline of its own. */
static const char server_text[] =
    "SELECT system_identifier AS belay_system,"
    " CASE WHEN pg_is_in_recovery() THEN '0' ELSE left(pg_walfile_name(pg_current_wal_lsn()), 8) END,"
    " (SELECT (extract(epoch FROM stats_reset) * 1000000)::bigint FROM pg_stat_wal) FROM pg_control_system()";
static const char number_text[] = "SELECT pg_current_xact_id_if_assigned() AS belay_number";

/* ---- Asking along ------------------------------------------------------------------------------------------ */

static bool can_be_asked(const belayi_pg_conn *conn)
{
    return !conn->adopted && PQserverVersion(conn->pg) >= SERVER_VERSION_LEAST;
}

belay_code belayi_pg_identity_prepare(belayi_pg_conn *conn, belay_error *error)
{
    belayi_pg_identity *own = &conn->identity;
    belay_code code = BELAY_OK;
    own->number = 0;
    if (!conn->owed.begin || own->read_only || !can_be_asked(conn))
        return BELAY_OK;
    if (!belayi_pg_has_prepared(conn, &own->question))
        code = belayi_pg_add_prepare(conn, &own->question, number_text, 0, NULL, error);
    if (code != BELAY_OK || own->server_asked)
        return code;
    own->server_asked = true;
    int queued = PQsendQueryParams(conn->pg, server_text, 0, NULL, NULL, NULL, NULL, 0);
    return belayi_pg_note_ahead(conn, queued, error);
}

int belayi_pg_identity_ask(belayi_pg_conn *conn, bool may_deallocate)
{
    const belayi_pg_identity *own = &conn->identity;
    if (!conn->in_transaction || own->number != 0 || own->read_only || !can_be_asked(conn))
        return 1;
    if (may_deallocate || conn->lent || !belayi_pg_has_prepared(conn, &own->question))
        return PQsendQueryParams(conn->pg, number_text, 0, NULL, NULL, NULL, NULL, 0);
    return PQsendQueryPrepared(conn->pg, own->question.text, 0, NULL, NULL, NULL, 0);
}

/* ---- Answers ------------------------------------------------------------------------------------------------ */

static uint64_t read_number(const PGresult *result, int column, int base)
{
    return strtoull(PQgetvalue(result, 0, column), NULL, base); /* 0 when it is NULL */
}

static void read_server(const PGresult *result, belayi_pg_server *out)
{
    *out = (belayi_pg_server){read_number(result, 0, 10), read_number(result, 1, 16), read_number(result, 2, 10)};
}

bool belayi_pg_identity_note(belayi_pg_conn *conn, const PGresult *result)
{
    belayi_pg_identity *own = &conn->identity;
    const char *name = result && PQntuples(result) == 1 ? PQfname(result, 0) : NULL;
    if (!name || PQresultStatus(result) != PGRES_TUPLES_OK)
        return false;
    if (strcmp(name, "belay_system") == 0) {
        read_server(result, &own->server);
    } else if (strcmp(name, "belay_number") == 0) {
        own->number = read_number(result, 0, 10);
        own->wrote_nothing = own->number == 0;
    } else {
        return false;
    }
    return true;
}

bool belayi_pg_keeps_nothing(const belayi_pg_conn *conn)
{
    return !conn->lent && (conn->identity.read_only || conn->identity.wrote_nothing);
}

/* ---- The token ---------------------------------------------------------------------------------------------- */

static bool is_known(const belayi_pg_server *server)
{
    return server->system != 0 && server->timeline != 0 && server->since_us != 0;
}

bool belayi_pg_identify(belay_conn *base, belay_token *out_token)
{
    const belayi_pg_identity *own = &((const belayi_pg_conn *)base)->identity;
    *out_token = (belay_token){{own->server.system, own->server.timeline, own->server.since_us, own->number}};
    return own->number != 0 && is_known(&own->server);
}

/* ---- Asking for the outcome ---------------------------------------------------------------------------------- */

/* Whether the server that answers now is the one that began the transaction, and still knows it. */
static belay_code compare_servers(const belayi_pg_server *now, const belay_token *token, belay_error *error)
{
    const char *why = NULL;
    if (now->system != token->words[0])
        why = "another server answers now";
    else if (now->timeline == 0)
        why = "a standby answers now";
    else if (now->timeline != token->words[1])
        why = "the server that answers has another history, as after a failover";
    else if (now->since_us != token->words[2])
        why = "the server has crashed since, and may have given the transaction's number a second time";
    return why ? belayi_report(error, BELAY_UNSUPPORTED, "%s", why) : BELAY_OK;
}

static belay_code ask_server(belayi_pg_conn *conn, const belay_token *token, belay_error *error)
{
    PGresult *result;
    belayi_pg_server now = {0};
    belay_code code = belayi_pg_query(conn, server_text, &result, error);
    if (code == BELAY_OK && PQntuples(result) == 1)
        read_server(result, &now);
    PQclear(result);
    return code == BELAY_OK ? compare_servers(&now, token, error) : code;
}

static belay_code read_status(const char *status, belay_outcome *out_outcome, belay_error *error)
{
    if (strcmp(status, "in progress") == 0)
        *out_outcome = BELAY_WORK_OPEN;
    else if (strcmp(status, "committed") == 0)
        *out_outcome = BELAY_WORK_COMMITTED;
    else if (strcmp(status, "aborted") == 0)
        *out_outcome = BELAY_WORK_ROLLED_BACK;
    else
        return belayi_report(error, BELAY_UNSUPPORTED, "the server has forgotten it: it was too long ago");
    return BELAY_OK;
}

belay_code belayi_pg_outcome(belay_conn *base, const belay_token *token, belay_outcome *out_outcome, belay_error *error)
{
    char text[80];
    PGresult *result;
    belayi_pg_conn *conn = (belayi_pg_conn *)base;
    belay_code code = ask_server(conn, token, error);
    if (code != BELAY_OK)
        return code;
    snprintf(text, sizeof text, "SELECT pg_xact_status('%" PRIu64 "')", token->words[3]);
    code = belayi_pg_query(conn, text, &result, error);
    if (code == BELAY_OK)
        code = read_status(PQntuples(result) == 1 ? PQgetvalue(result, 0, 0) : "", out_outcome, error);
    else if (code == BELAY_DATA) /* it is in the future */
        code = belayi_report(error, BELAY_UNSUPPORTED, "the server has not given the transaction's number yet");
    PQclear(result);
    return code;
}
