/*
 * connection.c - opens and closes a connection, and tells how it stands.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "conn.h"
#include "report.h"
#include "standard.h"

/* ---- Connecting ---------------------------------------------------------------------------------------- */

/* Goes on until the connection stands, failed, or the moment has come. (Looking up a name can't be limited.) */
static belay_code finish_connecting(belayi_pg_conn *conn, int64_t deadline_ns, belay_error *error)
{
    PostgresPollingStatusType next = PGRES_POLLING_WRITING;
    while (PQstatus(conn->pg) != CONNECTION_BAD) {
        if (!belayi_pg_wait_socket(conn->pg, next == PGRES_POLLING_READING, next == PGRES_POLLING_WRITING, deadline_ns))
            return belayi_clock_passed(conn->base.limits.deadline_ns)
                       ? belayi_report(error, BELAY_TIMEOUT, "the time limit passed while connecting to the server")
                       : belayi_report(error, BELAY_CONNECTION, "the server did not answer in %d s",
                                       belayi_pg_shared_of(conn)->connect_s);
        next = PQconnectPoll(conn->pg);
        if (next == PGRES_POLLING_OK)
            return BELAY_OK;
        if (next == PGRES_POLLING_FAILED)
            break;
    }
    return belayi_pg_fail_connect(conn->pg, error);
}

/* The default one writes to stderr. What the server says when it ends an idle connection comes here too; and libpq's
   own notices, which have no SQLSTATE: one of those tells of an answer where nothing was asked. */
static void take_notice(void *arg, const PGresult *result)
{
    belayi_pg_conn *conn = arg;
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    bool farewell = severity && strcmp(severity, "FATAL") == 0;
    conn->lost |= farewell || (conn->listening && !PQresultErrorField(result, PG_DIAG_SQLSTATE));
}

static belay_code connect_native(belayi_pg_conn *conn, belay_error *error)
{
    const belayi_pg_shared *shared = belayi_pg_shared_of(conn);
    int64_t end =
        belayi_clock_earlier(belayi_clock_after((int64_t)shared->connect_s * 1000), conn->base.limits.deadline_ns);
    if (belayi_clock_passed(conn->base.limits.deadline_ns))
        return belayi_report(error, BELAY_TIMEOUT, "the time limit had passed before a connection could be made");
    belayi_standard_fill();
    conn->pg = PQconnectStartParams((const char *const *)shared->names, (const char *const *)shared->values, 0);
    if (!conn->pg)
        return belayi_report(error, BELAY_NO_MEMORY, "no memory for a connection");
    PQsetErrorVerbosity(conn->pg, PQERRORS_VERBOSE); /* the only way to the SQLSTATE of a refused connection */
    PQsetNoticeReceiver(conn->pg, take_notice, conn);
    return finish_connecting(conn, end, error);
}

/* ---- Settings ------------------------------------------------------------------------------------------ */

static bool reports(const belayi_pg_conn *conn, const char *name, const char *start)
{
    const char *value = PQparameterStatus(conn->pg, name);
    return value && strncmp(value, start, strlen(start)) == 0;
}

/* What the environment has set behind libpq's options, and what reading depends on. */
static belay_code configure(belayi_pg_conn *conn, belay_error *error)
{
    char tag[32];
    belay_code code = BELAY_OK;
    if (!reports(conn, "DateStyle", "ISO"))
        code = belayi_pg_command(conn, "SET datestyle = ISO", tag, error);
    if (code == BELAY_OK && getenv("PGTZ"))
        code = belayi_pg_command(conn, "SET timezone = 'UTC'", tag, error);
    if (code == BELAY_OK && getenv("PGGEQO"))
        code = belayi_pg_command(conn, "SET geqo = on", tag, error);
    return code;
}

static belay_code check_adopted(belayi_pg_conn *conn, belay_error *error)
{
    if (PQstatus(conn->pg) != CONNECTION_OK)
        return belayi_pg_fail_link(conn, error);
    if (reports(conn, "client_encoding", "UTF8"))
        return BELAY_OK;
    belayi_report(error, BELAY_UNSUPPORTED, "the connection's client_encoding is not UTF8");
    BELAYI_REPORT_FIELD(error->hint, "PQsetClientEncoding(connection, \"UTF8\") before it is adopted");
    return error->code;
}

/* ---- Open and close ---------------------------------------------------------------------------------- */

belay_code belayi_pg_open(belay_conn *base, belay_error *error)
{
    belayi_pg_conn *conn = (belayi_pg_conn *)base;
    belay_conn given = *base;
    *conn = (belayi_pg_conn){.base = {.driver = given.driver, .shared = given.shared, .limits = given.limits}};
    conn->base.rules = &conn->rules;
    conn->rules = (belayi_sql_rules){.placeholders = BELAYI_PLACEHOLDERS_DOLLAR,
                                     .escape_strings = true,
                                     .dollar_quotes = true,
                                     .nested_comments = true};
    conn->lock_session = conn->lock_now = BELAYI_PG_UNKNOWN;
    conn->pg = belayi_pg_shared_of(conn)->adopted;
    conn->adopted = conn->pg != NULL;
    belay_code code = conn->adopted ? check_adopted(conn, error) : connect_native(conn, error);
    if (code == BELAY_OK && !conn->adopted)
        code = configure(conn, error);
    if (code == BELAY_OK)
        conn->rules.backslash_escapes = reports(conn, "standard_conforming_strings", "off");
    return code;
}

void belayi_pg_close(belay_conn *base)
{
    belayi_pg_conn *conn = (belayi_pg_conn *)base;
    if (!conn->adopted)
        PQfinish(conn->pg); /* accepts NULL */
    conn->pg = NULL;
    free(conn->garbage);
    free(conn->scratch);
    conn->garbage = NULL;
    conn->scratch = NULL;
    conn->garbage_count = conn->garbage_room = conn->scratch_room = 0;
}

/* PQfinish would say goodbye, in the parent's name. The rest leaks. */
void belayi_pg_disown(belay_conn *base)
{
    belayi_pg_conn *conn = (belayi_pg_conn *)base;
    if (conn->pg && !conn->adopted && PQsocket(conn->pg) >= 0)
        close(PQsocket(conn->pg));
    conn->pg = NULL;
}

/* NULL when what is owed could not be sent: what the program did then would not be in its scope. */
void *belayi_pg_native(belay_conn *base)
{
    belayi_pg_conn *conn = (belayi_pg_conn *)base;
    belay_error ignored;
    if (belayi_pg_settle(conn, &ignored) != BELAY_OK)
        return NULL;
    conn->lent = true;
    return conn->pg;
}

/* ---- How it stands ------------------------------------------------------------------------------------- */

belay_transaction_status belayi_pg_status(belay_conn *base)
{
    const belayi_pg_conn *conn = (const belayi_pg_conn *)base;
    if (!conn->pg || conn->lost || PQstatus(conn->pg) == CONNECTION_BAD)
        return BELAY_TRANSACTION_LOST;
    if (conn->owed.begin)
        return BELAY_TRANSACTION_OPEN;
    switch (PQtransactionStatus(conn->pg)) {
    case PQTRANS_IDLE:
        return BELAY_TRANSACTION_NONE;
    case PQTRANS_INTRANS:
        return BELAY_TRANSACTION_OPEN;
    case PQTRANS_INERROR:
        return BELAY_TRANSACTION_FAILED;
    case PQTRANS_ACTIVE:
        return conn->in_transaction ? BELAY_TRANSACTION_OPEN : BELAY_TRANSACTION_NONE;
    case PQTRANS_UNKNOWN:
        break;
    }
    return BELAY_TRANSACTION_LOST;
}

/* What lies there need not be a farewell: notices and changed settings come at any time. */
bool belayi_pg_hung_up(belay_conn *base)
{
    belayi_pg_conn *conn = (belayi_pg_conn *)base;
    while (!conn->lost && belayi_pg_heard(conn->pg)) {
        conn->lost = !PQconsumeInput(conn->pg);
        belayi_pg_listen(conn);
    }
    return belayi_pg_status(base) == BELAY_TRANSACTION_LOST;
}

static belay_level find_level(const char *name)
{
    return strcmp(name, "serializable") == 0      ? BELAY_SERIALIZABLE
           : strcmp(name, "repeatable read") == 0 ? BELAY_SNAPSHOT /* it is one here */
           : strcmp(name, "read committed") == 0  ? BELAY_READ_COMMITTED
                                                  : BELAY_READ_UNCOMMITTED;
}

belay_code belayi_pg_isolation(belay_conn *base, belay_level *out_level, belay_error *error)
{
    PGresult *result;
    belay_code code = belayi_pg_query((belayi_pg_conn *)base, "SHOW transaction_isolation", &result, error);
    if (code == BELAY_OK && PQntuples(result) == 1)
        *out_level = find_level(PQgetvalue(result, 0, 0));
    PQclear(result);
    return code;
}
