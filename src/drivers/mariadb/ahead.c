/*
 * ahead.c - commands that are owed, and go ahead of the next one without a wait of their own.
 *
 * START TRANSACTION, SAVEPOINT, RELEASE and settings of the session are only
 * noted. The next statement takes them along: they are sent first, without
 * waiting for their answers, and all answers are read when the statement's is
 * waited for. For that the library's two functions that read an answer are
 * replaced, on this connection, by ones that read the answers before it first;
 * mysql.h gives them away as methods that a plug-in may replace.
 *
 * The server does not stop at a command that fails, as PostgreSQL does: what is
 * behind it is run all the same. So autocommit is off while the connection is
 * used for transactions: a statement behind a START TRANSACTION that failed is in
 * a transaction too, which is rolled back.
 *
 * On a connection of the program's, or one that is lent to it, nothing is owed
 * and nothing replaced.
 * Tests: tests/unit/drivers/test_mariadb_ahead.c.
 */
#include <stdio.h>
#include <string.h>

#include "conn.h"
#include "report.h"

/* ---- Reading answers -------------------------------------------------------------------------------------------- */

static belayi_mariadb_conn *conn_of(const MYSQL *db)
{
    return (belayi_mariadb_conn *)((char *)(uintptr_t)db->methods - offsetof(belayi_mariadb_conn, ahead.methods));
}

static void note_failure(belayi_mariadb_ahead *ahead, MYSQL *db)
{
    if (ahead->number == 0) { /* the first one is the cause */
        ahead->number = mysql_errno(db);
        BELAYI_REPORT_FIELD(ahead->sqlstate, mysql_sqlstate(db));
        BELAYI_REPORT_FIELD(ahead->text, mysql_error(db));
    }
    db->net.last_errno = 0; /* it is not of the command that the library is reading for */
    db->net.last_error[0] = '\0';
}

/* Reads what was answered to the commands ahead. False when the connection is lost. */
static bool read_answers(belayi_mariadb_ahead *ahead, MYSQL *db)
{
    while (ahead->waiting > 0) {
        ahead->waiting--;
        if (ahead->own->db_read_query_result(db) == 0)
            continue;
        if (belayi_mariadb_is_loss(mysql_errno(db)))
            return false;
        note_failure(ahead, db);
    }
    return true;
}

static int read_query_result(MYSQL *db)
{
    belayi_mariadb_ahead *ahead = &conn_of(db)->ahead;
    return read_answers(ahead, db) ? ahead->own->db_read_query_result(db) : 1;
}

static int read_statement_result(MYSQL *db)
{
    belayi_mariadb_ahead *ahead = &conn_of(db)->ahead;
    if (ahead->only_sends) { /* belayi_mariadb_read_answer reads it */
        db->field_count = 0;
        return 0;
    }
    return read_answers(ahead, db) ? ahead->own->db_read_stmt_result(db) : 1;
}

void belayi_mariadb_prepare_ahead(belayi_mariadb_conn *conn)
{
    belayi_mariadb_ahead *ahead = &conn->ahead;
    *ahead = (belayi_mariadb_ahead){.own = conn->db->methods, .methods = *conn->db->methods};
    ahead->methods.db_read_query_result = read_query_result;
    ahead->methods.db_read_stmt_result = read_statement_result;
    conn->db->methods = &ahead->methods;
}

/* ---- Sending ----------------------------------------------------------------------------------------------------- */

/* False when it could not be sent. */
static bool push(belayi_mariadb_conn *conn, const char *text)
{
    if (belayi_mariadb_send(conn, text, strlen(text)) != 0)
        return false;
    conn->ahead.waiting++;
    return true;
}

static bool push_marks(belayi_mariadb_conn *conn)
{
    belayi_mariadb_owed *owed = &conn->owed;
    char text[48];
    bool sent = true;
    /* A savepoint takes the place of an older one of its name. */
    if (owed->release > 0 && !(owed->count > 0 && owed->first == owed->release)) {
        snprintf(text, sizeof text, "RELEASE SAVEPOINT belay_%u", owed->release);
        sent = push(conn, text);
    }
    for (unsigned i = 0; i < owed->count && sent; i++) {
        snprintf(text, sizeof text, "SAVEPOINT belay_%u", owed->first + i);
        sent = push(conn, text);
    }
    sent = sent && (!owed->each || push(conn, "SAVEPOINT belay_each"));
    return sent && (!owed->guard || push(conn, "SAVEPOINT belay_call"));
}

static bool push_begin(belayi_mariadb_conn *conn)
{
    char text[BELAYI_MARIADB_SETTING_ROOM];
    bool sent = true;
    if (belayi_mariadb_write_level(conn, conn->owed.level, text))
        sent = push(conn, text);
    if (sent && belayi_mariadb_is_autocommit(conn))
        sent = push(conn, "SET SESSION autocommit = 0");
    return sent && push(conn, conn->owed.read_only ? "START TRANSACTION READ ONLY" : "START TRANSACTION");
}

void belayi_mariadb_owe_nothing(belayi_mariadb_conn *conn)
{
    conn->owed = (belayi_mariadb_owed){0};
}

/* What stands alone is a transaction by itself under autocommit only. The other settings are waited for: were one of
   them refused, the statement behind it would have been done all the same. */
static belay_code push_for_alone(belayi_mariadb_conn *conn, belay_error *error)
{
    char text[BELAYI_MARIADB_SETTING_ROOM];
    belay_code code = BELAY_OK;
    if (belayi_mariadb_write_lock_limit(conn, text))
        code = belayi_mariadb_run(conn, text, error);
    if (code == BELAY_OK && belayi_mariadb_write_level(conn, BELAY_ISOLATION_DEFAULT, text))
        code = belayi_mariadb_run(conn, text, error);
    if (code != BELAY_OK)
        belayi_mariadb_forget_settings(conn);
    else if (!belayi_mariadb_is_autocommit(conn) && !push(conn, "SET SESSION autocommit = 1"))
        code = belayi_mariadb_fail(conn, BELAYI_MARIADB_RUNNING, error);
    return code;
}

belay_code belayi_mariadb_send_ahead(belayi_mariadb_conn *conn, bool waits_for_locks, belay_error *error)
{
    char text[BELAYI_MARIADB_SETTING_ROOM];
    bool sent = true;
    conn->ahead.number = 0;
    if (conn->adopted)
        return BELAY_OK;
    if (!conn->began)
        return push_for_alone(conn, error);
    if (waits_for_locks && belayi_mariadb_write_lock_limit(conn, text))
        sent = push(conn, text);
    if (sent && belayi_mariadb_write_idle_limit(conn, text))
        sent = push(conn, text);
    if (sent && conn->owed.begin)
        sent = push_begin(conn);
    if (sent)
        sent = push_marks(conn);
    belayi_mariadb_owe_nothing(conn);
    return sent ? BELAY_OK : belayi_mariadb_fail(conn, BELAYI_MARIADB_RUNNING, error);
}

belay_code belayi_mariadb_check_ahead(belayi_mariadb_conn *conn, bool answered, belay_error *error)
{
    belayi_mariadb_ahead *ahead = &conn->ahead;
    if (ahead->waiting > 0) { /* lost; or not sent; or a library that reads answers otherwise */
        ahead->waiting = 0;
        conn->lost = true;
        if (!answered)
            return BELAY_OK; /* which has an error of its own */
        return belayi_report(error, BELAY_UNSUPPORTED,
                             "this version of libmariadb does not read answers in their order");
    }
    if (ahead->number == 0)
        return BELAY_OK;
    belayi_mariadb_forget_settings(conn);
    conn->doubt = true;
    conn->ended_by = ahead->number;
    return belayi_mariadb_describe(ahead->number, ahead->sqlstate, ahead->text, error);
}

belay_code belayi_mariadb_pay(belayi_mariadb_conn *conn, belay_error *error)
{
    const belayi_mariadb_owed *owed = &conn->owed;
    if (!owed->begin && owed->release == 0 && owed->count == 0)
        return BELAY_OK;
    belay_code code = belayi_mariadb_send_ahead(conn, false, error);
    if (code == BELAY_OK)
        code = belayi_mariadb_run(conn, "DO 0", error); /* whose answer is behind theirs */
    return code == BELAY_OK ? belayi_mariadb_check_ahead(conn, true, error) : code;
}
