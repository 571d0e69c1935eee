/*
 * errors.c - PostgreSQL's SQLSTATEs as Belay's codes, and the fields of its
 * errors as Belay's record.
 *
 * SQLSTATEs decide, never texts, which are translated; but for connecting, where
 * libpq gives nothing else, and there the SQLSTATE is asked into the text.
 * Tests: tests/unit/drivers/test_postgresql_errors.c.
 */
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "conn.h"
#include "report.h"

/* ---- From SQLSTATEs ------------------------------------------------------------------------------------ */

typedef struct state_meaning {
    const char *state; /* five letters, or the two of a class */
    belay_code code;
} state_meaning;

/* The first that the SQLSTATE begins with decides. */
static const state_meaning state_meanings[] = {
    {"08P01", BELAY_MISUSE}, /* where the connection is still there: a message that the server can't use */
    {"08", BELAY_CONNECTION},
    {"0A", BELAY_UNSUPPORTED},
    {"0L", BELAY_PERMISSION},
    {"0P", BELAY_PERMISSION},
    {"09", BELAY_RAISED},
    {"21", BELAY_DATA},
    {"22", BELAY_DATA},
    {"23001", BELAY_FOREIGN_KEY},
    {"23502", BELAY_NOT_NULL},
    {"23503", BELAY_FOREIGN_KEY},
    {"23505", BELAY_UNIQUE},
    {"23514", BELAY_CHECK},
    {"23P01", BELAY_EXCLUSION},
    {"23", BELAY_INTEGRITY},
    {"25006", BELAY_READ_ONLY},
    {"25P03", BELAY_TIMEOUT}, /* idle in a transaction for too long, by the server's own limit */
    {"25", BELAY_MISUSE},
    {"26", BELAY_SERIALIZATION}, /* a prepared statement is gone */
    {"27", BELAY_RAISED},
    {"28", BELAY_PERMISSION},
    {"2B", BELAY_SCHEMA},
    {"2D", BELAY_MISUSE},
    {"2F", BELAY_RAISED},
    {"34", BELAY_SCHEMA},
    {"38", BELAY_RAISED},
    {"39", BELAY_RAISED},
    {"3B", BELAY_MISUSE},
    {"3D", BELAY_SCHEMA},
    {"3F", BELAY_SCHEMA},
    {"40002", BELAY_INTEGRITY},
    {"40003", BELAY_CONNECTION},
    {"40P01", BELAY_DEADLOCK},
    {"40", BELAY_SERIALIZATION},
    {"42501", BELAY_PERMISSION},
    {"42601", BELAY_SYNTAX},
    {"42602", BELAY_SYNTAX},
    {"42622", BELAY_SYNTAX},
    {"42702", BELAY_SYNTAX}, /* an ambiguous column */
    {"42725", BELAY_SYNTAX},
    {"42803", BELAY_SYNTAX},
    {"42804", BELAY_DATA}, /* a type that does not fit the column's */
    {"42846", BELAY_DATA},
    {"42P08", BELAY_SYNTAX},
    {"42P09", BELAY_SYNTAX},
    {"42P10", BELAY_SYNTAX},
    {"42P18", BELAY_SYNTAX}, /* nothing tells the type of a parameter */
    {"42P19", BELAY_SYNTAX},
    {"42P20", BELAY_SYNTAX},
    {"42", BELAY_SCHEMA},
    {"44", BELAY_CHECK}, /* WITH CHECK OPTION of a view */
    {"53100", BELAY_DISK_FULL},
    {"53200", BELAY_NO_MEMORY},
    {"53400", BELAY_DISK_FULL}, /* a limit of the server's, such as temp_file_limit */
    {"53", BELAY_TOO_MANY},
    {"54000", BELAY_DATA}, /* a row that is too large for its index */
    {"54", BELAY_UNSUPPORTED},
    {"55006", BELAY_BUSY},
    {"55P03", BELAY_LOCK_TIMEOUT},
    {"55", BELAY_SCHEMA},
    {"57014", BELAY_CANCELLED},
    {"57", BELAY_CONNECTION},
    {"58", BELAY_IO},
    {"72", BELAY_SERIALIZATION},
    {"F0", BELAY_IO},
    {"HV", BELAY_IO},
    {"P0", BELAY_RAISED},
    {"XX001", BELAY_CORRUPT},
    {"XX002", BELAY_CORRUPT},
};

static belay_code classify_state(const char *state)
{
    for (size_t i = 0; i < sizeof state_meanings / sizeof state_meanings[0]; i++)
        if (strncmp(state, state_meanings[i].state, strlen(state_meanings[i].state)) == 0)
            return state_meanings[i].code;
    return BELAY_IO;
}

/* A field of the error; empty when it has none. */
static const char *field(const PGresult *result, int which)
{
    const char *text = PQresultErrorField(result, which);
    return text ? text : "";
}

/* Whether it came where a running statement looks for reasons to stop. The name of the function is never translated. */
static bool was_interrupted(const PGresult *result)
{
    return strcmp(field(result, PG_DIAG_SOURCE_FUNCTION), "ProcessInterrupts") == 0;
}

/* A plan, or a prepared statement, that a change of the schema or DISCARD has made useless. */
static bool is_stale(const PGresult *result, const char *state)
{
    return strcmp(state, "26000") == 0 || (strcmp(state, "0A000") == 0 && strcmp(field(result, PG_DIAG_SOURCE_FUNCTION),
                                                                                 "RevalidateCachedQuery") == 0);
}

bool belayi_pg_is_stale(const belay_error *error)
{
    return error->code == BELAY_SERIALIZATION &&
           (strcmp(error->sqlstate, "0A000") == 0 || strcmp(error->sqlstate, "26000") == 0);
}

/* The server's own limit for locks, which it has forgotten: when that passes as one lock is granted, and the statement
   waits for another at once, PostgreSQL (seen with 15) tells of a cancel. It looks like that of pg_cancel_backend, so
   only the time can tell: nobody here has cancelled, and the limit has passed just now. */
static bool is_forgotten_limit(const belayi_pg_conn *conn, const PGresult *result)
{
    enum { JUST_NOW_MS = 1000 };
    int64_t out_ms = (belayi_clock_now() - conn->left_ns) / BELAYI_NS_PER_MS;
    return conn->lock_now > 0 && was_interrupted(result) && out_ms >= conn->lock_now &&
           out_ms - conn->lock_now < JUST_NOW_MS;
}

static belay_code classify(const belayi_pg_conn *conn, const PGresult *result, const char *state)
{
    belay_code code = classify_state(state);
    if (is_stale(result, state))
        return BELAY_SERIALIZATION;
    if (code == BELAY_LOCK_TIMEOUT && !was_interrupted(result))
        return BELAY_BUSY; /* NOWAIT */
    if (code == BELAY_CANCELLED && (conn->cancelled || strstr(field(result, PG_DIAG_MESSAGE_PRIMARY), " timeout")))
        return BELAY_TIMEOUT;
    if (code == BELAY_CANCELLED && is_forgotten_limit(conn, result))
        return BELAY_LOCK_TIMEOUT;
    return code;
}

bool belayi_pg_is_of_row(const belay_error *error)
{
    static const belay_code codes[] = {BELAY_DATA,      BELAY_UNIQUE,      BELAY_NOT_NULL,   BELAY_CHECK,
                                       BELAY_EXCLUSION, BELAY_FOREIGN_KEY, BELAY_INTEGRITY,  BELAY_RAISED,
                                       BELAY_MISUSE,    BELAY_SCHEMA,      BELAY_PERMISSION, BELAY_SYNTAX,
                                       BELAY_READ_ONLY, BELAY_UNSUPPORTED};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (error->code == codes[i])
            return true;
    return false;
}

/* ---- Names --------------------------------------------------------------------------------------------- */

/* "Key (a, b)=(1, 2) already exists.": the columns are between the first parentheses, in every language. */
static void find_key(const char *detail, belay_error *error)
{
    const char *open = strchr(detail, '('), *close = open ? strstr(open, ")=(") : NULL;
    if (close)
        belayi_report_text(error->column, sizeof error->column, open + 1, (size_t)(close - open) - 1);
}

/* What is quoted first in the text: of names that don't exist the server tells only there. */
static void find_quoted(const char *text, char *out, size_t room)
{
    const char *open = strchr(text, '"'), *close = open ? strchr(open + 1, '"') : NULL;
    if (close)
        belayi_report_text(out, room, open + 1, (size_t)(close - open) - 1);
}

static void find_names(const PGresult *result, belay_error *error)
{
    const char *message = field(result, PG_DIAG_MESSAGE_PRIMARY);
    BELAYI_REPORT_FIELD(error->table, field(result, PG_DIAG_TABLE_NAME));
    BELAYI_REPORT_FIELD(error->column, field(result, PG_DIAG_COLUMN_NAME));
    BELAYI_REPORT_FIELD(error->constraint, field(result, PG_DIAG_CONSTRAINT_NAME));
    if (error->code == BELAY_UNIQUE || error->code == BELAY_FOREIGN_KEY || error->code == BELAY_EXCLUSION)
        find_key(field(result, PG_DIAG_MESSAGE_DETAIL), error);
    else if (strcmp(error->sqlstate, "42P01") == 0)
        find_quoted(message, error->table, sizeof error->table);
    else if (strcmp(error->sqlstate, "42703") == 0)
        find_quoted(message, error->column, sizeof error->column);
}

static const char *find_hint(const PGresult *result, const belay_error *error)
{
    const char *own = field(result, PG_DIAG_MESSAGE_HINT);
    if (belayi_pg_is_stale(error))
        return "the schema was changed; the statement will be prepared again, so that the whole unit can be run again";
    return own;
}

/* ---- Values -------------------------------------------------------------------------------------------- */

/* What the server tells of data quotes it: 'value "70000" is out of range'. Values don't belong into an error. */
static void drop_quoted(char *text)
{
    char *out = text;
    for (const char *in = text; *in; in++) {
        *out++ = *in;
        const char *close = *in == '"' ? strrchr(in + 1, '"') : NULL;
        if (*in == '"' && !close)
            break; /* it was cut within */
        if (close) {
            *out++ = '"';
            in = close;
        }
    }
    *out = '\0';
}

/* Details of a constraint's error are the row, or the key. */
static void drop_values(const char *state, belay_error *error)
{
    bool constraint = strncmp(state, "23", 2) == 0, data = strncmp(state, "22", 2) == 0;
    if (constraint || data)
        error->detail[0] = '\0';
    if (data)
        drop_quoted(error->message);
}

/* ---- Filling the record ---------------------------------------------------------------------------------- */

static void tell_limit(const PGresult *result, belay_error *error)
{
    BELAYI_REPORT_FIELD(error->detail, field(result, PG_DIAG_MESSAGE_PRIMARY));
    BELAYI_REPORT_FIELD(error->message, "the time limit passed while the statement ran or waited for a lock");
}

static void tell_lock_limit(const belayi_pg_conn *conn, const PGresult *result, belay_error *error)
{
    BELAYI_REPORT_FIELD(error->detail, field(result, PG_DIAG_MESSAGE_PRIMARY));
    BELAYI_REPORT_FORMAT(error->message, "the limit for waiting for a lock had passed: %d ms", conn->lock_now);
}

belay_code belayi_pg_fail(belayi_pg_conn *conn, const PGresult *result, belay_error *error)
{
    const char *state = field(result, PG_DIAG_SQLSTATE);
    if (!state[0])
        return belayi_pg_fail_link(conn, error);
    belay_code code = classify(conn, result, state);
    /* A link that broke has no more to say: 08P01 then is what somebody in between made of it. */
    bool fatal = strcmp(field(result, PG_DIAG_SEVERITY_NONLOCALIZED), "FATAL") == 0;
    if (fatal || PQstatus(conn->pg) == CONNECTION_BAD) {
        conn->lost = true;
        code = code == BELAY_TIMEOUT ? code : BELAY_CONNECTION;
    }
    belayi_report(error, code, "%s", field(result, PG_DIAG_MESSAGE_PRIMARY));
    BELAYI_REPORT_FIELD(error->sqlstate, state);
    BELAYI_REPORT_FIELD(error->detail, field(result, PG_DIAG_MESSAGE_DETAIL));
    drop_values(state, error);
    find_names(result, error);
    BELAYI_REPORT_FIELD(error->hint, find_hint(result, error));
    const char *at = field(result, PG_DIAG_STATEMENT_POSITION);
    if (at[0] && !error->detail[0])
        BELAYI_REPORT_FORMAT(error->detail, "at character %s of the statement", at);
    if (code == BELAY_TIMEOUT && conn->cancelled)
        tell_limit(result, error);
    if (code == BELAY_LOCK_TIMEOUT && strcmp(state, "57014") == 0)
        tell_lock_limit(conn, result, error);
    return code;
}

belay_code belayi_pg_fail_link(belayi_pg_conn *conn, belay_error *error)
{
    const char *text = conn->pg ? PQerrorMessage(conn->pg) : "";
    size_t size = strcspn(text, "\n");
    if (conn->cancelled || (conn->gives_up_ns != 0 && belayi_clock_passed(conn->gives_up_ns)))
        return belayi_report(error, BELAY_TIMEOUT, "the time limit passed, and the server did not answer a cancel");
    if (!conn->lost && conn->pg && PQstatus(conn->pg) == CONNECTION_OK) {
        conn->lost = true; /* an answer may be out that could not be kept */
        return belayi_report(error, BELAY_NO_MEMORY, "no memory for what is sent to the server, or its answer");
    }
    conn->lost = true;
    belayi_report(error, BELAY_CONNECTION, "the connection to the server was lost%s%.*s", size > 0 ? ": " : "",
                  (int)size, text);
    return BELAY_CONNECTION;
}

/* ---- Connecting ------------------------------------------------------------------------------------------- */

/* Finds ":  28P01: text" in "connection to server at ... failed: FATAL:  28P01: text". */
static const char *find_state(const char *text, char out_state[6])
{
    for (const char *at = strstr(text, ":  "); at; at = strstr(at + 1, ":  ")) {
        const char *state = at + 3;
        if (strspn(state, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 5 || strncmp(state + 5, ": ", 2) != 0)
            continue;
        memcpy(out_state, state, 5);
        out_state[5] = '\0';
        return state + 7;
    }
    return NULL;
}

belay_code belayi_pg_fail_connect(PGconn *pg, belay_error *error)
{
    char state[6] = "";
    const char *text = PQerrorMessage(pg), *rest = find_state(text, state);
    belay_code code = rest ? classify_state(state) : BELAY_CONNECTION;
    if (code != BELAY_PERMISSION && code != BELAY_TOO_MANY)
        code = BELAY_CONNECTION;
    const char *shown = rest ? rest : text;
    belayi_report(error, code, "%.*s", (int)strcspn(shown, "\n"), shown);
    BELAYI_REPORT_FIELD(error->sqlstate, state);
    return code;
}
