/*
 * call.c - statements that may end the transaction unseen.
 *
 * A procedure may commit and begin again: the flag of its answer says that a
 * transaction is open, and it is another one. So a savepoint is set ahead of such
 * a statement, and released behind it; where it is gone, so is the transaction
 * that it was in.
 * Tests: tests/unit/drivers/test_mariadb_ahead.c.
 */
#include <mysqld_error.h>
#include <string.h>
#include <strings.h>

#include "conn.h"
#include "report.h"

bool belayi_mariadb_may_end_unseen(const belayi_sql *sql, const char *text)
{
    static const char *const harmless[] = {"SET", "SHOW", "DO", "DESC", "EXPLAIN", "USE"};
    if (sql->kind != BELAYI_SQL_OTHER)
        return false;
    text += strspn(text, " \t\r\n(");
    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++)
        if (strncasecmp(text, harmless[i], strlen(harmless[i])) == 0)
            return false;
    return true;
}

void belayi_mariadb_guard(belayi_mariadb_statement *s)
{
    belayi_mariadb_conn *conn = (belayi_mariadb_conn *)s->base.conn;
    s->guarded = s->may_end_unseen && conn->began && !conn->adopted;
    conn->owed.guard = s->guarded;
}

/* Whether the savepoint is still there; it is not afterwards. An error that is another one is the connection's. */
static bool is_still_there(belayi_mariadb_conn *conn, belay_error *error)
{
    if (belayi_mariadb_run(conn, "RELEASE SAVEPOINT belay_call", error) == BELAY_OK)
        return true;
    conn->ended = error->native_code == ER_SP_DOES_NOT_EXIST;
    return false;
}

belay_code belayi_mariadb_check_guard(belayi_mariadb_statement *s, belay_error *error)
{
    belayi_mariadb_conn *conn = (belayi_mariadb_conn *)s->base.conn;
    if (!s->guarded)
        return BELAY_OK;
    s->guarded = false;
    if (is_still_there(conn, error))
        return BELAY_OK;
    return conn->ended ? belayi_mariadb_check_open(conn, error) : error->code;
}

/* Whether the engine itself ends the transaction with it. */
static bool ends_transaction(belay_code code)
{
    return code == BELAY_DEADLOCK || code == BELAY_SERIALIZATION || code == BELAY_LOCK_TIMEOUT ||
           code == BELAY_CONNECTION;
}

void belayi_mariadb_judge_guard(belayi_mariadb_statement *s, belay_error *error)
{
    belayi_mariadb_conn *conn = (belayi_mariadb_conn *)s->base.conn;
    belay_error other;
    if (!s->guarded)
        return;
    s->guarded = false;
    if (conn->lost || ends_transaction(error->code) || is_still_there(conn, &other) || !conn->ended)
        return;
    error->outcome = BELAY_WORK_PARTLY;
    BELAYI_REPORT_FIELD(error->hint, "it had ended the transaction before: if it committed, what was done is there");
}
