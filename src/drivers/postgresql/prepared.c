/*
 * prepared.c - transactions that are prepared under a name: PREPARE TRANSACTION
 * and what follows it.
 *
 * Like COMMIT, PREPARE TRANSACTION of a failed transaction succeeds with the tag
 * ROLLBACK. A prepared transaction belongs to its database, and any connection
 * there can end it.
 * Tests: tests/unit/drivers/test_postgresql_prepared.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conn.h"
#include "report.h"

enum { TEXT_ROOM = 128 };

/* Asked once a connection: only a restart of the server changes it. */
static belay_code ask_room(belayi_pg_conn *conn, belay_error *error)
{
    PGresult *rows;
    if (conn->prepares_known)
        return BELAY_OK;
    belay_code code = belayi_pg_query(conn, "SHOW max_prepared_transactions", &rows, error);
    if (code != BELAY_OK)
        return code;
    conn->prepares = PQntuples(rows) == 1 && atoi(PQgetvalue(rows, 0, 0)) > 0;
    conn->prepares_known = true;
    PQclear(rows);
    return BELAY_OK;
}

belay_code belayi_pg_can_prepare(belay_conn *base, belay_error *error)
{
    belayi_pg_conn *conn = (belayi_pg_conn *)base;
    belay_code code = ask_room(conn, error);
    if (code != BELAY_OK || conn->prepares)
        return code;
    belayi_report(error, BELAY_UNSUPPORTED, "the server prepares no transactions: max_prepared_transactions is 0");
    BELAYI_REPORT_FIELD(error->hint,
                        "set max_prepared_transactions to at least max_connections and restart the server");
    return BELAY_UNSUPPORTED;
}

belay_code belayi_pg_prepare_transaction(belay_conn *base, const char *gid, belay_error *error)
{
    belayi_pg_conn *conn = (belayi_pg_conn *)base;
    char text[TEXT_ROOM], tag[32];
    belay_code code = belayi_pg_settle(conn, error);
    if (code != BELAY_OK)
        return code;
    if (belayi_pg_hung_up(base))
        return belayi_pg_fail_link(conn, error);
    snprintf(text, sizeof text, "PREPARE TRANSACTION '%s'", gid);
    code = belayi_pg_command(conn, text, tag, error);
    if (strcmp(tag, "PREPARE TRANSACTION") == 0)
        return BELAY_OK;
    if (code == BELAY_OK)
        return belayi_pg_report_not_kept(tag, error);
    if (conn->lost)
        error->outcome = BELAY_WORK_UNKNOWN;
    return code;
}

belay_code belayi_pg_finish_prepared(belay_conn *base, const char *gid, bool commit, belay_error *error)
{
    static const char no_such_name[] = "42704";
    char text[TEXT_ROOM];
    snprintf(text, sizeof text, "%s PREPARED '%s'", commit ? "COMMIT" : "ROLLBACK", gid);
    belay_code code = belayi_pg_command_back((belayi_pg_conn *)base, text, error);
    if (code != BELAY_OK && strcmp(error->sqlstate, no_such_name) == 0)
        error->code = code = BELAY_NOT_FOUND;
    return code;
}

belay_code belayi_pg_list_prepared(belay_conn *base, void (*tell)(void *arg, const char *gid), void *arg,
                                   belay_error *error)
{
    PGresult *rows;
    belay_code code =
        belayi_pg_query((belayi_pg_conn *)base,
                        "SELECT gid FROM pg_catalog.pg_prepared_xacts WHERE database = current_database() "
                        "ORDER BY prepared",
                        &rows, error);
    for (int i = 0; code == BELAY_OK && i < PQntuples(rows); i++)
        tell(arg, PQgetvalue(rows, i, 0));
    PQclear(rows);
    return code;
}
