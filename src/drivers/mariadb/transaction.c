/*
 * transaction.c - begin, commit, roll back, savepoints.
 *
 * The server answers COMMIT, ROLLBACK and SAVEPOINT where no transaction is open
 * with success. So whether one is open is made sure of before they are sent.
 * Tests: tests/unit/drivers/test_mariadb_transactions.c.
 */
#include <mysqld_error.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "conn.h"
#include "report.h"

void belayi_mariadb_note_end(belayi_mariadb_conn *conn)
{
    conn->began = conn->lent = conn->doubt = conn->prepared = false;
    conn->xa = NULL;
    conn->ended_by = 0;
    conn->own_level = BELAY_ISOLATION_DEFAULT;
}

/* Why the transaction is gone, as far as it is known. */
static belay_code report_ended(const belayi_mariadb_conn *conn, belay_error *error)
{
    if (conn->ended_by != 0)
        return belayi_mariadb_describe(conn->ended_by, "HY000", "an earlier error has ended the transaction", error);
    belayi_report(error, BELAY_MISUSE, "a statement has ended the transaction");
    BELAYI_REPORT_FIELD(error->hint, "if it committed, what was done before it is there");
    return BELAY_MISUSE;
}

belay_code belayi_mariadb_check_open(belayi_mariadb_conn *conn, belay_error *error)
{
    if (!conn->began || (!conn->doubt && !conn->lent && belayi_mariadb_flag(conn)))
        return BELAY_OK;
    belay_transaction_status status = belayi_mariadb_status(&conn->base);
    if (status == BELAY_TRANSACTION_OPEN)
        return BELAY_OK;
    if (status == BELAY_TRANSACTION_LOST)
        return belayi_report(error, BELAY_CONNECTION, "the connection was lost");
    return report_ended(conn, error);
}

/* ---- Begin ---------------------------------------------------------------------------------------------------------
 */

belay_code belayi_mariadb_check_there(belayi_mariadb_conn *conn, belay_error *error)
{
    belay_code code = belayi_mariadb_ready(conn, BELAYI_MARIADB_CONTROL, error);
    if (code != BELAY_OK || conn->adopted || !belayi_mariadb_hung_up(conn))
        return code;
    conn->lost = true;
    return belayi_report(error, BELAY_CONNECTION, "the server has closed the connection");
}

belay_code belayi_mariadb_begin(belay_conn *base, const belay_begin_options *options, belay_error *error)
{
    belayi_mariadb_conn *conn = (belayi_mariadb_conn *)base;
    if (belayi_clock_passed(base->limits.deadline_ns))
        return belayi_report(error, BELAY_TIMEOUT, "the time limit had passed before the transaction could begin");
    belayi_mariadb_note_end(conn);
    belay_code code = belayi_mariadb_check_there(conn, error);
    if (code == BELAY_OK)
        code = belayi_mariadb_limit_locks(conn, error);
    if (code == BELAY_OK)
        code = belayi_mariadb_limit_idling(conn, error);
    if (code == BELAY_OK)
        code = belayi_mariadb_set_level(conn, options->isolation, error);
    if (code == BELAY_OK && options->gid)
        code = belayi_mariadb_begin_xa(conn, options->gid, error);
    else if (code == BELAY_OK)
        code =
            belayi_mariadb_run(conn, options->read_only ? "START TRANSACTION READ ONLY" : "START TRANSACTION", error);
    conn->began = code == BELAY_OK;
    conn->xa = conn->began ? options->gid : NULL;
    return code;
}

/* ---- Commit and rollback --------------------------------------------------------------------------------------------
 */

belay_code belayi_mariadb_commit(belay_conn *base, belay_error *error)
{
    belayi_mariadb_conn *conn = (belayi_mariadb_conn *)base;
    if (belayi_clock_passed(base->limits.deadline_ns))
        return belayi_report(error, BELAY_TIMEOUT,
                             "the time limit had passed before the transaction could be committed");
    belay_code code = belayi_mariadb_check_open(conn, error);
    if (code == BELAY_OK)
        code = belayi_mariadb_check_there(conn, error);
    if (code != BELAY_OK)
        return code;
    if (conn->xa)
        code = belayi_mariadb_commit_xa(conn, conn->xa, error);
    else if (belayi_mariadb_query(conn, "COMMIT", 6) != 0)
        code = belayi_mariadb_fail(conn, BELAYI_MARIADB_COMMITTING, error);
    if (code == BELAY_OK)
        belayi_mariadb_note_end(conn);
    return code;
}

/* There are no deferred constraints. */
belay_code belayi_mariadb_check_deferred(belay_conn *base, belay_error *error)
{
    (void)base;
    (void)error;
    return BELAY_OK;
}

/* Tables that know no transactions keep what was written to them, and only a warning says so. */
static belay_code check_complete(belayi_mariadb_conn *conn, belay_error *error)
{
    MYSQL_RES *rows;
    bool complete = true;
    if (mysql_warning_count(conn->db) == 0)
        return BELAY_OK;
    belay_code code = belayi_mariadb_ask(conn, "SHOW WARNINGS", &rows, error);
    if (code != BELAY_OK)
        return code;
    for (MYSQL_ROW row; (row = mysql_fetch_row(rows)) != NULL;)
        complete &= !row[1] || atoi(row[1]) != ER_WARNING_NOT_COMPLETE_ROLLBACK;
    mysql_free_result(rows);
    if (complete)
        return BELAY_OK;
    belayi_report(error, BELAY_UNSUPPORTED,
                  "not all was rolled back: a table that knows no transactions was written to");
    error->native_code = ER_WARNING_NOT_COMPLETE_ROLLBACK;
    error->outcome = BELAY_WORK_PARTLY;
    BELAYI_REPORT_FIELD(error->hint, "use tables of InnoDB: ALTER TABLE ... ENGINE = InnoDB");
    return BELAY_UNSUPPORTED;
}

belay_code belayi_mariadb_rollback(belay_conn *base, belay_error *error)
{
    belayi_mariadb_conn *conn = (belayi_mariadb_conn *)base;
    belay_transaction_status status = belayi_mariadb_status(base);
    if (status == BELAY_TRANSACTION_LOST)
        return BELAY_OK; /* the server rolls back what it loses sight of */
    if (status == BELAY_TRANSACTION_NONE) {
        belayi_mariadb_note_end(conn);
        return BELAY_OK;
    }
    belay_code code = belayi_mariadb_ready(conn, BELAYI_MARIADB_BACK, error);
    if (code == BELAY_OK)
        code =
            conn->xa ? belayi_mariadb_rollback_xa(conn, conn->xa, error) : belayi_mariadb_run(conn, "ROLLBACK", error);
    if (code != BELAY_OK)
        return code;
    belayi_mariadb_note_end(conn);
    return check_complete(conn, error);
}

/* ---- Savepoints
 * ------------------------------------------------------------------------------------------------------ */

static belay_code run_mark(belayi_mariadb_conn *conn, const char *verb, unsigned number, belay_error *error)
{
    char text[64];
    belay_code code = belayi_mariadb_check_open(conn, error);
    if (code == BELAY_OK)
        code = belayi_mariadb_ready(conn, BELAYI_MARIADB_CONTROL, error);
    if (code != BELAY_OK)
        return code;
    bool open = belayi_mariadb_flag(conn) || !(conn->db->server_status & SERVER_STATUS_AUTOCOMMIT);
    if (!open) /* SAVEPOINT would succeed, and mean nothing */
        return belayi_report(error, BELAY_MISUSE, "a savepoint where no transaction is open");
    snprintf(text, sizeof text, "%s belay_%u", verb, number);
    return belayi_mariadb_run(conn, text, error);
}

belay_code belayi_mariadb_savepoint(belay_conn *conn, unsigned number, belay_error *error)
{
    return run_mark((belayi_mariadb_conn *)conn, "SAVEPOINT", number, error);
}

belay_code belayi_mariadb_release(belay_conn *conn, unsigned number, belay_error *error)
{
    return run_mark((belayi_mariadb_conn *)conn, "RELEASE SAVEPOINT", number, error);
}

belay_code belayi_mariadb_rollback_to(belay_conn *base, unsigned number, belay_error *error)
{
    belayi_mariadb_conn *conn = (belayi_mariadb_conn *)base;
    belay_code code = run_mark(conn, "ROLLBACK TO SAVEPOINT", number, error);
    return code == BELAY_OK ? check_complete(conn, error) : code;
}
