/*
 * errors.c - SQLite's result codes and texts as Belay's codes.
 *
 * Extended result codes decide as far as they go. Plain SQLITE_ERROR covers
 * everything from a spelling mistake to an overflow; there the text decides,
 * and where it says nothing, the phase. Table, column and constraint are in the
 * text only.
 * Tests: tests/unit/drivers/test_sqlite_errors.c.
 */
#include <stdlib.h>
#include <string.h>

#include "conn.h"
#include "report.h"

/* ---- From SQLITE_ERROR and its text -------------------------------------------------------------------- */

typedef struct text_meaning {
    const char *part;
    belay_code code;
} text_meaning;

/* The first part that occurs decides. */
static const text_meaning text_meanings[] = {
    {"no such savepoint", BELAY_MISUSE},
    {"syntax error", BELAY_SYNTAX},
    {"incomplete input", BELAY_SYNTAX},
    {"unrecognized token", BELAY_SYNTAX},
    {"ambiguous column name", BELAY_SYNTAX},
    {"no such ", BELAY_SCHEMA},
    {"has no column named", BELAY_SCHEMA},
    {"already exists", BELAY_SCHEMA},
    {"there is already ", BELAY_SCHEMA},
    {"wrong number of arguments", BELAY_SCHEMA},
    {"unknown database", BELAY_SCHEMA},
    {"duplicate column name", BELAY_SCHEMA},
    {"foreign key mismatch", BELAY_SCHEMA},
    {"may not be ", BELAY_SCHEMA},    /* "table sqlite_master may not be modified" */
    {"cannot modify ", BELAY_SCHEMA}, /* "cannot modify v because it is a view" */
    {"not authorized", BELAY_PERMISSION},
    {"prohibited", BELAY_PERMISSION},
    {"transaction", BELAY_MISUSE}, /* "cannot VACUUM from within a transaction", "no transaction is active" */
};

static belay_code classify_text(const char *text, belayi_sqlite_phase phase)
{
    for (size_t i = 0; i < sizeof text_meanings / sizeof text_meanings[0]; i++)
        if (strstr(text, text_meanings[i].part))
            return text_meanings[i].code;
    /* What a statement says only when it runs comes from its values: "integer overflow", "malformed JSON". */
    return phase == BELAYI_SQLITE_PREPARING ? BELAY_SYNTAX : BELAY_DATA;
}

/* ---- From result codes --------------------------------------------------------------------------------- */

static belay_code classify_constraint(int native_code)
{
    switch (native_code) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
        return BELAY_UNIQUE;
    case SQLITE_CONSTRAINT_FOREIGNKEY:
        return BELAY_FOREIGN_KEY;
    case SQLITE_CONSTRAINT_CHECK:
        return BELAY_CHECK;
    case SQLITE_CONSTRAINT_NOTNULL:
        return BELAY_NOT_NULL;
    case SQLITE_CONSTRAINT_TRIGGER:
        return BELAY_RAISED;
    case SQLITE_CONSTRAINT_DATATYPE:
        return BELAY_DATA;
    default: /* COMMITHOOK, FUNCTION, VTAB, PINNED, and those to come */
        return BELAY_INTEGRITY;
    }
}

static belay_code classify_busy(const belayi_sqlite_conn *conn, int native_code)
{
    if (native_code == SQLITE_BUSY_SNAPSHOT)
        return BELAY_SERIALIZATION;
    if (!conn->gave_up)
        return BELAY_BUSY;
    return belayi_sqlite_limits_deadline_first(conn) ? BELAY_TIMEOUT : BELAY_LOCK_TIMEOUT;
}

static belay_code classify(const belayi_sqlite_conn *conn, int native_code, const char *text, belayi_sqlite_phase phase)
{
    switch (native_code & 0xFF) {
    case SQLITE_CONSTRAINT:
        return classify_constraint(native_code);
    case SQLITE_BUSY:
        return classify_busy(conn, native_code);
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL: /* others took part in the locking of the WAL too often, just then */
        return BELAY_BUSY;
    case SQLITE_INTERRUPT:
        return conn->interrupted ? BELAY_TIMEOUT : BELAY_CANCELLED;
    case SQLITE_ABORT: /* the transaction was rolled back under a statement half-way */
        return BELAY_CANCELLED;
    case SQLITE_ERROR:
        return classify_text(text, phase);
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG:
        return BELAY_DATA;
    case SQLITE_SCHEMA:
        return BELAY_SCHEMA;
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return BELAY_PERMISSION;
    case SQLITE_READONLY:
        return BELAY_READ_ONLY;
    case SQLITE_FULL:
        return BELAY_DISK_FULL;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return BELAY_CORRUPT;
    case SQLITE_NOMEM:
        return BELAY_NO_MEMORY;
    case SQLITE_IOERR:
        return native_code == SQLITE_IOERR_NOMEM ? BELAY_NO_MEMORY : BELAY_IO;
    case SQLITE_CANTOPEN:
        return phase == BELAYI_SQLITE_OPENING ? BELAY_CONNECTION : BELAY_IO;
    case SQLITE_MISUSE:
    case SQLITE_RANGE:
        return BELAY_MISUSE;
    default:
        return BELAY_IO;
    }
}

/* ---- Names in the text --------------------------------------------------------------------------------- */

/* What follows `prefix`, when the text begins with it; else NULL. */
static const char *text_after(const char *text, const char *prefix)
{
    size_t size = strlen(prefix);
    return strncmp(text, prefix, size) == 0 ? text + size : NULL;
}

/* Splits "t.a, t.b" into the table and "a, b". Names with a point in them can't be told apart. */
static void split_columns(const char *list, belay_error *error)
{
    char columns[512]; /* more than the record has room for, so that it is cut there */
    const char *point = strchr(list, '.');
    size_t table = point ? (size_t)(point - list) : 0, used = 0;
    belayi_report_text(error->table, sizeof error->table, list, table);
    for (const char *at = point ? point + 1 : list; *at && used < sizeof columns - 1;) {
        columns[used++] = *at++;
        bool name_follows = point && used > 1 && at[-1] == ' ' && at[-2] == ',';
        if (name_follows && strncmp(at, list, table + 1) == 0)
            at += table + 1;
    }
    belayi_report_text(error->column, sizeof error->column, columns, used);
}

static void find_unique(const char *text, belay_error *error)
{
    const char *index = text_after(text, "index '");
    if (!index)
        split_columns(text, error);
    else
        belayi_report_text(error->constraint, sizeof error->constraint, index, strcspn(index, "'"));
}

/* "table t has no column named c" */
static void find_missing_column(const char *text, belay_error *error)
{
    static const char between[] = " has no column named ";
    const char *gap = strstr(text, between);
    if (!gap)
        return;
    belayi_report_text(error->table, sizeof error->table, text, (size_t)(gap - text));
    BELAYI_REPORT_FIELD(error->column, gap + sizeof between - 1);
}

static void find_names(const char *text, belay_error *error)
{
    const char *rest;
    if ((rest = text_after(text, "UNIQUE constraint failed: ")))
        find_unique(rest, error);
    else if ((rest = text_after(text, "NOT NULL constraint failed: ")))
        split_columns(rest, error);
    else if ((rest = text_after(text, "CHECK constraint failed: ")))
        BELAYI_REPORT_FIELD(error->constraint, rest);
    else if ((rest = text_after(text, "no such table: ")))
        BELAYI_REPORT_FIELD(error->table, rest);
    else if ((rest = text_after(text, "no such column: ")))
        BELAYI_REPORT_FIELD(error->column, rest);
    else if ((rest = text_after(text, "table ")))
        find_missing_column(rest, error);
    else if (text_after(text, "cannot store ") && (rest = strstr(text, " column ")))
        split_columns(rest + strlen(" column "), error);
}

/* ---- What to do about it -------------------------------------------------------------------------------- */

const char belayi_sqlite_hint_at_commit[] =
    "SQLite doesn't say which row: PRAGMA foreign_key_check, before the scope ends, lists them";

static const char *find_hint(int native_code, belayi_sqlite_phase phase)
{
    if (native_code == SQLITE_CONSTRAINT_FOREIGNKEY)
        return phase == BELAYI_SQLITE_COMMITTING
                   ? belayi_sqlite_hint_at_commit
                   : "SQLite doesn't say which key: PRAGMA foreign_key_list(table) shows those of a table";
    if (native_code == SQLITE_BUSY_SNAPSHOT)
        return "the whole transaction must be run again, as a write scope from its start";
    if ((native_code & 0xFF) == SQLITE_LOCKED)
        return "another statement of this connection is still reading, or a shared cache is in use";
    return "";
}

/* Where in the statement, and what the operating system said. */
static void find_detail(belayi_sqlite_conn *conn, int native_code, belayi_sqlite_phase phase, belay_error *error)
{
    int at = phase == BELAYI_SQLITE_PREPARING ? sqlite3_error_offset(conn->db) : -1;
    int number = sqlite3_system_errno(conn->db), kind = native_code & 0xFF;
    if (at >= 0)
        BELAYI_REPORT_FORMAT(error->detail, "at byte %d of the statement", at);
    else if ((kind == SQLITE_IOERR || kind == SQLITE_CANTOPEN || kind == SQLITE_FULL) && number != 0)
        BELAYI_REPORT_FIELD(error->detail, strerror(number));
}

belay_code belayi_sqlite_fail(belayi_sqlite_conn *conn, int native_code, belayi_sqlite_phase phase, belay_error *error)
{
    /* Some calls answer with the plain code although extended ones are on. */
    int extended = sqlite3_extended_errcode(conn->db);
    if ((extended & 0xFF) == native_code)
        native_code = extended;
    /* The text belongs to the last call, which is not this one when that was refused as misuse. */
    const char *text = native_code == extended ? sqlite3_errmsg(conn->db) : sqlite3_errstr(native_code);
    belay_code code = classify(conn, native_code, text, phase);
    belayi_report(error, code, "%s", text);
    error->native_code = native_code;
    find_names(text, error);
    find_detail(conn, native_code, phase, error);
    BELAYI_REPORT_FIELD(error->hint, find_hint(native_code, phase));
    if (code == BELAY_TIMEOUT)
        BELAYI_REPORT_FIELD(error->message, "the time limit passed while the statement ran or waited for a lock");
    return code;
}

belay_code belayi_sqlite_fail_busy(belayi_sqlite_conn *conn, const char *message, belay_error *error)
{
    belayi_report(error, classify_busy(conn, SQLITE_BUSY), "%s", message);
    error->native_code = SQLITE_BUSY;
    return error->code;
}
