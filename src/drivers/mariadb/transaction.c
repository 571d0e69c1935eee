/*
 * transaction.c - begin, commit, roll back, savepoints.
 *
 * BEGIN, SAVEPOINT and RELEASE are only noted: the next statement takes them
 * along, and what is undone before that was never sent (ahead.c). Not so on a
 * connection that the program uses too.
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
    conn->began = conn->lent = conn->doubt = conn->ended = conn->prepared = false;
    conn->xa = NULL;
    conn->vetted.statement = NULL;
    conn->ended_by = 0;
    conn->own_level = BELAY_ISOLATION_DEFAULT;
    belayi_mariadb_owe_nothing(conn);
}

/* Why the transaction is gone, as far as it is known. */
static belay_code report_ended(const belayi_mariadb_conn *conn, belay_error *error)
{
    if (conn->ended_by != 0)
        return belayi_mariadb_describe(conn->ended_by, "HY000", "an earlier error has ended the transaction", error);
    belayi_report(error, BELAY_MISUSE, "a statement has ended the transaction");
    BELAYI_REPORT_FIELD(error->hint, "if it committed, what was done before it is there");
    error->outcome = BELAY_WORK_PARTLY;
    return BELAY_MISUSE;
}

belay_code belayi_mariadb_check_open(belayi_mariadb_conn *conn, belay_error *error)
{
    bool open = conn->owed.begin || belayi_mariadb_flag(conn);
    if (conn->ended) {
        conn->ended_by = 0;
        return report_ended(conn, error);
    }
    if (!conn->began || (!conn->doubt && !conn->lent && open))
        return BELAY_OK;
    belay_transaction_status status = belayi_mariadb_status(&conn->base);
    if (status == BELAY_TRANSACTION_OPEN)
        return BELAY_OK;
    if (status == BELAY_TRANSACTION_LOST)
        return belayi_report(error, BELAY_CONNECTION, "the connection was lost");
    return report_ended(conn, error);
}

/* ---- Begin ------------------------------------------------------------------------------------------------------ */

belay_code belayi_mariadb_check_there(belayi_mariadb_conn *conn, belay_error *error)
{
    belay_code code = belayi_mariadb_ready(conn, BELAYI_MARIADB_CONTROL, error);
    if (code != BELAY_OK || conn->adopted || !belayi_mariadb_hung_up(conn))
        return code;
    conn->lost = true;
    return belayi_report(error, BELAY_CONNECTION, "the server has closed the connection");
}

/* The settings of the session that go ahead of it. */
static belay_code set_level_now(belayi_mariadb_conn *conn, belay_level level, belay_error *error)
{
    char text[BELAYI_MARIADB_SETTING_ROOM];
    if (conn->adopted)
        return belayi_mariadb_set_next_level(conn, level, error);
    if (!belayi_mariadb_write_level(conn, level, text))
        return BELAY_OK;
    belay_code code = belayi_mariadb_run(conn, text, error);
    if (code != BELAY_OK)
        belayi_mariadb_forget_settings(conn);
    return code;
}

static belay_code begin_now(belayi_mariadb_conn *conn, const belay_begin_options *options, belay_error *error)
{
    belay_code code = set_level_now(conn, options->isolation, error);
    if (code != BELAY_OK)
        return code;
    if (options->gid)
        return belayi_mariadb_begin_xa(conn, options->gid, error);
    return belayi_mariadb_run(conn, options->read_only ? "START TRANSACTION READ ONLY" : "START TRANSACTION", error);
}

belay_code belayi_mariadb_begin(belay_conn *base, const belay_begin_options *options, belay_error *error)
{
    belayi_mariadb_conn *conn = (belayi_mariadb_conn *)base;
    if (belayi_clock_passed(base->limits.deadline_ns))
        return belayi_report(error, BELAY_TIMEOUT, "the time limit had passed before the transaction could begin");
    belayi_mariadb_note_end(conn);
    belay_code code = belayi_mariadb_check_there(conn, error);
    if (code == BELAY_OK)
        code = belayi_mariadb_check_level(conn, options->isolation, error);
    if (code == BELAY_OK && (conn->adopted || options->gid))
        code = begin_now(conn, options, error);
    else if (code == BELAY_OK)
        conn->owed = (belayi_mariadb_owed){.begin = true, .read_only = options->read_only, .level = options->isolation};
    conn->began = code == BELAY_OK;
    conn->xa = conn->began ? options->gid : NULL;
    return code;
}

/* ---- Where the program may have ended it ------------------------------------------------------------------------ */

/* The savepoint stays to the end: every one that is released or gone back to takes it away, and it is set again. */
static belay_code set_lent(belayi_mariadb_conn *conn, belay_error *error)
{
    return belayi_mariadb_run(conn, "SAVEPOINT belay_lent", error);
}

belay_code belayi_mariadb_lend(belayi_mariadb_conn *conn, belay_error *error)
{
    belay_code code = belayi_mariadb_check_open(conn, error);
    if (code == BELAY_OK)
        code = belayi_mariadb_ready(conn, BELAYI_MARIADB_CONTROL, error);
    if (code == BELAY_OK)
        code = belayi_mariadb_pay(conn, error);
    return code == BELAY_OK ? set_lent(conn, error) : code;
}

/* With autocommit off, what the program did behind a COMMIT of its own is in a transaction too. */
static belay_code check_lent(belayi_mariadb_conn *conn, belay_error *error)
{
    belay_code code = belayi_mariadb_ready(conn, BELAYI_MARIADB_CONTROL, error);
    if (code == BELAY_OK)
        code = belayi_mariadb_run(conn, "RELEASE SAVEPOINT belay_lent", error);
    if (code == BELAY_OK || error->native_code != ER_SP_DOES_NOT_EXIST)
        return code;
    conn->ended = true;
    return belayi_mariadb_check_open(conn, error);
}

/* ---- Commit and rollback ---------------------------------------------------------------------------------------- */

belay_code belayi_mariadb_commit(belay_conn *base, belay_error *error)
{
    belayi_mariadb_conn *conn = (belayi_mariadb_conn *)base;
    if (belayi_clock_passed(base->limits.deadline_ns))
        return belayi_report(error, BELAY_TIMEOUT,
                             "the time limit had passed before the transaction could be committed");
    if (conn->owed.begin) { /* nothing was done in it */
        belayi_mariadb_note_end(conn);
        return BELAY_OK;
    }
    belayi_mariadb_owe_nothing(conn);
    belay_code code = belayi_mariadb_check_open(conn, error);
    if (code == BELAY_OK)
        code = belayi_mariadb_check_there(conn, error);
    if (code == BELAY_OK && conn->lent && !conn->adopted)
        code = check_lent(conn, error);
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

belay_code belayi_mariadb_go_back(belayi_mariadb_conn *conn, const char *text, belay_error *error)
{
    belay_code code = belayi_mariadb_run(conn, text, error);
    return code == BELAY_OK ? check_complete(conn, error) : code;
}

belay_code belayi_mariadb_rollback(belay_conn *base, belay_error *error)
{
    belayi_mariadb_conn *conn = (belayi_mariadb_conn *)base;
    bool nothing_done = conn->owed.begin;
    belayi_mariadb_owe_nothing(conn);
    belay_transaction_status status = nothing_done ? BELAY_TRANSACTION_NONE : belayi_mariadb_status(base);
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

/* ---- Savepoints ------------------------------------------------------------------------------------------------- */

static belay_code check_mark(belayi_mariadb_conn *conn, belay_error *error)
{
    belay_code code = belayi_mariadb_check_open(conn, error);
    if (code == BELAY_OK)
        code = belayi_mariadb_ready(conn, BELAYI_MARIADB_CONTROL, error);
    if (code != BELAY_OK || conn->owed.begin || belayi_mariadb_flag(conn))
        return code;
    if (conn->adopted && !belayi_mariadb_is_autocommit(conn))
        return BELAY_OK;
    /* SAVEPOINT would succeed, and mean nothing */
    return belayi_report(error, BELAY_MISUSE, "a savepoint where no transaction is open");
}

static belay_code run_mark(belayi_mariadb_conn *conn, const char *verb, unsigned number, belay_error *error)
{
    char text[64];
    snprintf(text, sizeof text, "%s belay_%u", verb, number);
    return belayi_mariadb_run(conn, text, error);
}

/* Whether the program could come between: then it is not put off. */
static bool is_shared(const belayi_mariadb_conn *conn)
{
    return conn->adopted || conn->lent;
}

belay_code belayi_mariadb_savepoint(belay_conn *base, unsigned number, belay_error *error)
{
    belayi_mariadb_conn *conn = (belayi_mariadb_conn *)base;
    belay_code code = check_mark(conn, error);
    if (code != BELAY_OK)
        return code;
    if (is_shared(conn))
        return run_mark(conn, "SAVEPOINT", number, error);
    if (conn->owed.count++ == 0)
        conn->owed.first = number;
    return BELAY_OK;
}

/* A savepoint that was released or gone back to has taken the one of a lent handle with it. */
static belay_code renew_lent(belayi_mariadb_conn *conn, belay_error *error)
{
    return conn->lent && !conn->adopted ? set_lent(conn, error) : BELAY_OK;
}

belay_code belayi_mariadb_release(belay_conn *base, unsigned number, belay_error *error)
{
    belayi_mariadb_conn *conn = (belayi_mariadb_conn *)base;
    belayi_mariadb_owed *owed = &conn->owed;
    belay_code code = check_mark(conn, error);
    if (code != BELAY_OK)
        return code;
    if (is_shared(conn)) {
        code = run_mark(conn, "RELEASE SAVEPOINT", number, error);
        return code == BELAY_OK ? renew_lent(conn, error) : code;
    }
    if (owed->count > 0 && number >= owed->first) { /* it was never set */
        owed->count = number - owed->first;
        return BELAY_OK;
    }
    owed->count = 0;
    owed->release = number;
    return BELAY_OK;
}

belay_code belayi_mariadb_rollback_to(belay_conn *base, unsigned number, belay_error *error)
{
    belayi_mariadb_conn *conn = (belayi_mariadb_conn *)base;
    belayi_mariadb_owed *owed = &conn->owed;
    belay_code code = check_mark(conn, error);
    if (code != BELAY_OK)
        return code;
    if (owed->count > 0 && number >= owed->first) {
        owed->count = number - owed->first + 1; /* nothing was done since it was to be set */
        return BELAY_OK;
    }
    belayi_mariadb_owe_nothing(conn); /* savepoints above it, and the release of some, go with it */
    conn->vetted.statement = NULL;    /* and metadata locks */
    char text[64];
    snprintf(text, sizeof text, "ROLLBACK TO SAVEPOINT belay_%u", number);
    code = belayi_mariadb_go_back(conn, text, error);
    return code == BELAY_OK ? renew_lent(conn, error) : code;
}
