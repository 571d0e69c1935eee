/*
 * prepared.c - transactions that are prepared under a name: XA.
 *
 * A transaction that is to be prepared is an XA one from its beginning. Measured
 * on 10.11: while the connection that has prepared it lives, no other can end it
 * (1397, as if there were none of that name), though XA RECOVER lists it; when
 * that connection is gone, any other can. One that wrote nothing leaves a name
 * all the same, and XA COMMIT of it from another connection is 1402. After a
 * deadlock no transaction is open, and the connection takes nothing but XA
 * ROLLBACK, which `status` sends.
 * With autocommit off a connection can't end what another has prepared (1400).
 * Tests: tests/unit/drivers/test_mariadb_prepared.c.
 */
#include <mysqld_error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conn.h"
#include "report.h"

enum { TEXT_ROOM = 128, GTRID_SIZE = 1, NAME = 3 }; /* columns of XA RECOVER */

static belay_code run_xa(belayi_mariadb_conn *conn, const char *verb, const char *gid, const char *how,
                         belay_error *error)
{
    char text[TEXT_ROOM];
    snprintf(text, sizeof text, "XA %s '%s'%s", verb, gid, how);
    return belayi_mariadb_run(conn, text, error);
}

belay_code belayi_mariadb_can_prepare(belay_conn *conn, belay_error *error)
{
    (void)conn;
    (void)error;
    return BELAY_OK;
}

belay_code belayi_mariadb_begin_xa(belayi_mariadb_conn *conn, const char *gid, belay_error *error)
{
    return run_xa(conn, "START", gid, "", error);
}

/* Nothing was prepared: it ends as any other transaction would. */
belay_code belayi_mariadb_commit_xa(belayi_mariadb_conn *conn, const char *gid, belay_error *error)
{
    char text[TEXT_ROOM];
    belay_code code = run_xa(conn, "END", gid, "", error);
    if (code != BELAY_OK)
        return code;
    snprintf(text, sizeof text, "XA COMMIT '%s' ONE PHASE", gid);
    if (belayi_mariadb_query(conn, text, strlen(text)) != 0)
        return belayi_mariadb_fail(conn, BELAYI_MARIADB_COMMITTING, error);
    return BELAY_OK;
}

belay_code belayi_mariadb_rollback_xa(belayi_mariadb_conn *conn, const char *gid, belay_error *error)
{
    belay_error ignored; /* it was ended before, or a deadlock has marked it: it is rolled back all the same */
    run_xa(conn, "END", gid, "", &ignored);
    return run_xa(conn, "ROLLBACK", gid, "", error);
}

belay_code belayi_mariadb_prepare_transaction(belay_conn *base, const char *gid, belay_error *error)
{
    belayi_mariadb_conn *conn = (belayi_mariadb_conn *)base;
    char text[TEXT_ROOM];
    belayi_mariadb_owe_nothing(conn); /* the savepoints end with it */
    belay_code code = belayi_mariadb_check_there(conn, error);
    if (code == BELAY_OK)
        code = belayi_mariadb_check_open(conn, error);
    if (code == BELAY_OK)
        code = run_xa(conn, "END", gid, "", error);
    if (code != BELAY_OK)
        return code;
    snprintf(text, sizeof text, "XA PREPARE '%s'", gid);
    if (belayi_mariadb_query(conn, text, strlen(text)) != 0)
        return belayi_mariadb_fail(conn, BELAYI_MARIADB_COMMITTING, error);
    conn->prepared = true;
    return BELAY_OK;
}

static bool is_unknown_name(const belay_error *error)
{
    return error->native_code == ER_XAER_NOTA;
}

belay_code belayi_mariadb_finish_prepared(belay_conn *base, const char *gid, bool commit, belay_error *error)
{
    belayi_mariadb_conn *conn = (belayi_mariadb_conn *)base;
    belay_code code = belayi_mariadb_ready(conn, BELAYI_MARIADB_CONTROL, error);
    if (code == BELAY_OK && !conn->prepared && !belayi_mariadb_is_autocommit(conn))
        code = belayi_mariadb_run(conn, "SET SESSION autocommit = 1", error);
    if (code == BELAY_OK)
        code = run_xa(conn, commit ? "COMMIT" : "ROLLBACK", gid, "", error);
    if (code != BELAY_OK && error->native_code == ER_XA_RBROLLBACK)
        code = BELAY_OK; /* nothing had been written in it */
    if (code == BELAY_OK)
        belayi_mariadb_note_end(conn);
    if (code != BELAY_OK && is_unknown_name(error))
        error->code = code = BELAY_NOT_FOUND;
    return code;
}

/* A name is bytes with a length, and has a second part, which those that begin_xa makes leave empty. */
static void tell_row(MYSQL_ROW row, void (*tell)(void *arg, const char *gid), void *arg)
{
    char gid[65];
    int size = row[GTRID_SIZE] ? atoi(row[GTRID_SIZE]) : 0;
    snprintf(gid, sizeof gid, "%.*s", size, row[NAME] ? row[NAME] : "");
    tell(arg, gid);
}

belay_code belayi_mariadb_list_prepared(belay_conn *base, void (*tell)(void *arg, const char *gid), void *arg,
                                        belay_error *error)
{
    belayi_mariadb_conn *conn = (belayi_mariadb_conn *)base;
    MYSQL_RES *rows;
    belay_code code = belayi_mariadb_ready(conn, BELAYI_MARIADB_CONTROL, error);
    if (code == BELAY_OK)
        code = belayi_mariadb_ask(conn, "XA RECOVER", &rows, error);
    if (code != BELAY_OK)
        return code;
    for (MYSQL_ROW row; (row = mysql_fetch_row(rows)) != NULL;)
        tell_row(row, tell, arg);
    mysql_free_result(rows);
    return BELAY_OK;
}
