/*
 * statement.c - prepares, binds, runs.
 *
 * execute is the hottest path of the library: between binding and reset nothing
 * allocates, and no clock is read while no limit is set. Texts and blobs are
 * bound where they lie, for the length of the call; the pointers that are left
 * in the statement afterwards are never read, as every run binds all of them.
 */
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "conn.h"
#include "lexer.h"
#include "report.h"
#include "utf8.h"
#include "values.h"

/* ---- Prepare ------------------------------------------------------------------------------------------- */

static void note_kind(belayi_sqlite_statement *s, belayi_sql_kind kind)
{
    bool dml = kind == BELAYI_SQL_INSERT || kind == BELAYI_SQL_UPDATE || kind == BELAYI_SQL_DELETE;
    s->is_dml = s->base.writes && dml;
    s->may_insert = s->base.writes && kind == BELAYI_SQL_INSERT;
    s->is_other = !dml && kind != BELAYI_SQL_SELECT;
}

/* SQLite knows parameters that Belay's rules don't: $name and @name. */
static belay_code check_parameters(const belayi_sqlite_statement *s, belay_error *error)
{
    int count = sqlite3_bind_parameter_count(s->native);
    if ((unsigned)count == s->parameters)
        return BELAY_OK;
    for (int i = 1; i <= count; i++) {
        const char *name = sqlite3_bind_parameter_name(s->native, i);
        if (name && name[0] != '?')
            return belayi_report(error, BELAY_MISUSE, "'%s' is no parameter that can be given a value: use ? or :name",
                                 name);
    }
    return belayi_report(error, BELAY_MISUSE, "the statement has %d parameters and not %u", count, s->parameters);
}

/* Whether SQLite has left something unread that the lexer took for a part of the statement. Comments count: what ends a
   statement may be followed by white space and semicolons. */
static bool has_more(const char *rest, const char *end)
{
    while (rest < end && strchr(" \t\r\n\f;", *rest))
        rest++;
    return rest < end;
}

static belay_code prepare_native(belayi_sqlite_conn *conn, const char *text, size_t size, sqlite3_stmt **out,
                                 belay_error *error)
{
    *out = NULL;
    const char *nul = memchr(text, '\0', size);
    if (nul) /* SQLite would stop there in silence */
        return belayi_report(error, BELAY_SYNTAX, "there is a NUL at byte %zu of the statement", (size_t)(nul - text));
    if (size > INT_MAX)
        return belayi_report(error, BELAY_DATA, "the statement is too long");
    belayi_sqlite_limits_renew(conn);
    const char *rest;
    int rc = sqlite3_prepare_v3(conn->db, text, (int)size, SQLITE_PREPARE_PERSISTENT, out, &rest);
    if (rc != SQLITE_OK)
        return belayi_sqlite_fail(conn, rc, BELAYI_SQLITE_PREPARING, error);
    if (*out && has_more(rest, text + size)) {
        sqlite3_finalize(*out);
        *out = NULL;
        return belayi_report(error, BELAY_MISUSE, "a second statement begins at byte %zu", (size_t)(rest - text));
    }
    return *out ? BELAY_OK : belayi_report(error, BELAY_MISUSE, "there is no statement in the text");
}

belay_code belayi_sqlite_prepare(belay_conn *base, const belayi_sql *sql, belay_statement **out_statement,
                                 belay_error *error)
{
    belayi_sqlite_conn *conn = (belayi_sqlite_conn *)base;
    sqlite3_stmt *native;
    *out_statement = NULL;
    belay_code code = prepare_native(conn, sql->text, sql->size, &native, error);
    if (code != BELAY_OK)
        return code;
    belayi_sqlite_statement *s = calloc(1, sizeof *s);
    if (!s) {
        sqlite3_finalize(native);
        return belayi_report(error, BELAY_NO_MEMORY, "no memory for a statement");
    }
    bool writes = !sqlite3_stmt_readonly(native) && !sqlite3_stmt_isexplain(native);
    s->base = (belay_statement){base, writes, sqlite3_column_count(native)};
    s->native = native;
    s->parameters = sql->parameters;
    note_kind(s, sql->kind);
    code = check_parameters(s, error);
    if (code == BELAY_OK)
        *out_statement = &s->base;
    else
        belayi_sqlite_finalize(&s->base);
    return code;
}

void belayi_sqlite_finalize(belay_statement *statement)
{
    if (!statement)
        return;
    sqlite3_finalize(((belayi_sqlite_statement *)statement)->native);
    sqlite3_finalize(((belayi_sqlite_statement *)statement)->together);
    free(statement);
}

/* ---- Bind ----------------------------------------------------------------------------------------------- */

static int bind_timestamp(sqlite3_stmt *native, int at, int64_t microseconds)
{
    char text[BELAYI_TIMESTAMP_SIZE];
    belayi_values_timestamp(microseconds, text);
    return sqlite3_bind_text(native, at, text, BELAYI_TIMESTAMP_SIZE - 1, SQLITE_TRANSIENT);
}

static inline int bind_value(sqlite3_stmt *native, int at, const belay_value *value, sqlite3_destructor_type keep)
{
    switch (value->type) {
    case BELAY_TYPE_BOOL:
    case BELAY_TYPE_INT:
    case BELAY_TYPE_UINT:
        return sqlite3_bind_int64(native, at, value->as.integer);
    case BELAY_TYPE_TEXT:
    case BELAY_TYPE_DECIMAL:
        return sqlite3_bind_text64(native, at, belayi_sqlite_data_of(value), value->size, keep, SQLITE_UTF8);
    case BELAY_TYPE_DOUBLE:
        return sqlite3_bind_double(native, at, value->as.real);
    case BELAY_TYPE_BLOB:
        return sqlite3_bind_blob64(native, at, belayi_sqlite_data_of(value), value->size, keep);
    case BELAY_TYPE_TIMESTAMP:
        return bind_timestamp(native, at, value->as.integer);
    case BELAY_TYPE_NULL:
        break;
    }
    return sqlite3_bind_null(native, at);
}

/* Whether it may be bound. The most frequent values come first. */
belay_code belayi_sqlite_check_value(const belay_value *value, size_t number, belay_error *error)
{
    if (value->type == BELAY_TYPE_INT || (value->type == BELAY_TYPE_TEXT && value->as.data && value->size <= INT_MAX &&
                                          belayi_utf8_ascii(value->as.data, value->size) == value->size))
        return BELAY_OK;
    if (value->type != BELAY_TYPE_DOUBLE)
        return belayi_values_check(value, number, error);
    if (!isnan(value->as.real))
        return BELAY_OK;
    return belayi_report(error, BELAY_DATA, "parameter %zu is not a number (NaN): SQLite would store NULL for it",
                         number);
}

static belay_code bind_all(belayi_sqlite_statement *s, size_t n, const belay_value *values,
                           sqlite3_destructor_type keep, belay_error *error)
{
    if (n != s->parameters)
        return belayi_report(error, BELAY_MISUSE, "the statement has %u parameters, and %zu values were given",
                             s->parameters, n);
    for (size_t i = 0; i < n; i++) {
        belay_code code = belayi_sqlite_check_value(&values[i], i + 1, error);
        if (code != BELAY_OK)
            return code;
        int rc = bind_value(s->native, (int)i + 1, &values[i], keep);
        if (rc == SQLITE_OK)
            continue;
        code = belayi_sqlite_fail((belayi_sqlite_conn *)s->base.conn, rc, BELAYI_SQLITE_RUNNING, error);
        BELAYI_REPORT_FORMAT(error->detail, "parameter %zu has %zu bytes", i + 1, values[i].size);
        return code;
    }
    return BELAY_OK;
}

/* ---- The key that an INSERT generates -------------------------------------------------------------------- */

void belayi_sqlite_forget_last_id(belayi_sqlite_conn *conn)
{
    conn->last_id = sqlite3_last_insert_rowid(conn->db);
    sqlite3_set_last_insert_rowid(conn->db, 0);
}

/* The program, where it has the connection too, finds the one from before. */
void belayi_sqlite_restore_last_id(belayi_sqlite_conn *conn)
{
    if (sqlite3_last_insert_rowid(conn->db) == 0)
        sqlite3_set_last_insert_rowid(conn->db, conn->last_id);
}

/* ---- Run ------------------------------------------------------------------------------------------------ */

belay_code belayi_sqlite_check_may_run(belayi_sqlite_statement *s, belay_error *error)
{
    belayi_sqlite_conn *conn = (belayi_sqlite_conn *)s->base.conn;
    belayi_sqlite_limits_renew(conn);
    if (conn->read_only && s->base.writes) {
        belayi_report(error, BELAY_READ_ONLY, "a statement that writes, in a read-only transaction");
        error->native_code = SQLITE_READONLY;
        return BELAY_READ_ONLY;
    }
    belay_code code = belayi_sqlite_check_ended(conn, error);
    if (code != BELAY_OK || (conn->base.limits.deadline_ns == 0 && !conn->watched))
        return code;
    return belayi_sqlite_limits_watch(conn, error);
}

static belay_code prepare_run(belayi_sqlite_statement *s, size_t n, const belay_value *values,
                              sqlite3_destructor_type keep, belay_error *error)
{
    belayi_sqlite_conn *conn = (belayi_sqlite_conn *)s->base.conn;
    belay_code code = belayi_sqlite_check_may_run(s, error);
    if (code == BELAY_OK)
        code = bind_all(s, n, values, keep, error);
    if (code != BELAY_OK)
        conn->interrupt_at = 0;
    else if (s->may_insert)
        belayi_sqlite_forget_last_id(conn);
    return code;
}

/* What the statement did; to be read as soon as it is done. */
static void read_effect(const belayi_sqlite_statement *s, belay_effect *effect)
{
    belayi_sqlite_conn *conn = (belayi_sqlite_conn *)s->base.conn;
    effect->changes = s->is_dml ? sqlite3_changes64(conn->db) : 0;
    if (!s->may_insert)
        return; /* the key that the last INSERT generated stays */
    int64_t id = sqlite3_last_insert_rowid(conn->db);
    belayi_sqlite_restore_last_id(conn);
    effect->has_last_id = id != 0;
    if (id != 0)
        effect->last_id = id;
}

static belay_code fail_run(belayi_sqlite_statement *s, int rc, belay_error *error)
{
    belayi_sqlite_conn *conn = (belayi_sqlite_conn *)s->base.conn;
    belay_code code = belayi_sqlite_fail(conn, rc, BELAYI_SQLITE_RUNNING, error);
    sqlite3_reset(s->native);
    if (s->may_insert)
        belayi_sqlite_restore_last_id(conn);
    belayi_sqlite_notice_end(conn);
    return code;
}

belay_code belayi_sqlite_execute(belay_statement *statement, size_t n, const belay_value *values, belay_effect *effect,
                                 belay_error *error)
{
    belayi_sqlite_statement *s = (belayi_sqlite_statement *)statement;
    belayi_sqlite_conn *conn = (belayi_sqlite_conn *)statement->conn;
    belay_code code = prepare_run(s, n, values, SQLITE_STATIC, error);
    if (code != BELAY_OK)
        return code;
    int rc = sqlite3_step(s->native);
    while (rc == SQLITE_ROW)
        rc = sqlite3_step(s->native);
    conn->interrupt_at = 0;
    if (rc == SQLITE_DONE) {
        read_effect(s, effect);
        sqlite3_reset(s->native);
    } else {
        code = fail_run(s, rc, error);
    }
    if (s->is_other)
        belayi_sqlite_notice_schema(conn);
    return code;
}

/* ---- Rows ----------------------------------------------------------------------------------------------- */

/* One step under the limits. SQLITE_ROW, or SQLITE_DONE with the effect kept; else *error is filled. */
static int advance(belayi_sqlite_statement *s, belay_error *error)
{
    int rc = sqlite3_step(s->native);
    ((belayi_sqlite_conn *)s->base.conn)->interrupt_at = 0;
    if (rc == SQLITE_DONE)
        read_effect(s, &s->effect);
    else if (rc != SQLITE_ROW)
        fail_run(s, rc, error);
    return rc;
}

/* Takes the first step too: it is then that SQLite prepares anew what a change of the schema made stale. */
belay_code belayi_sqlite_start(belay_statement *statement, size_t n, const belay_value *values, belay_error *error)
{
    belayi_sqlite_statement *s = (belayi_sqlite_statement *)statement;
    belay_code code = prepare_run(s, n, values, SQLITE_TRANSIENT, error);
    if (code != BELAY_OK)
        return code;
    int rc = advance(s, error);
    if (s->is_other)
        belayi_sqlite_notice_schema((belayi_sqlite_conn *)statement->conn);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return error->code;
    s->ahead = rc;
    statement->columns = sqlite3_column_count(s->native);
    return BELAY_OK;
}

static bool read_cell(sqlite3_stmt *native, int column, belay_value *cell)
{
    static const char nothing[1] = "";
    *cell = (belay_value){.type = BELAY_TYPE_NULL};
    switch (sqlite3_column_type(native, column)) {
    case SQLITE_INTEGER:
        cell->type = BELAY_TYPE_INT;
        cell->as.integer = sqlite3_column_int64(native, column);
        return true;
    case SQLITE_FLOAT:
        cell->type = BELAY_TYPE_DOUBLE;
        cell->as.real = sqlite3_column_double(native, column);
        return true;
    case SQLITE_TEXT:
        cell->type = BELAY_TYPE_TEXT;
        cell->as.data = sqlite3_column_text(native, column);
        break;
    case SQLITE_BLOB:
        cell->type = BELAY_TYPE_BLOB;
        cell->as.data = sqlite3_column_blob(native, column);
        break;
    default:
        return true;
    }
    cell->size = (size_t)sqlite3_column_bytes(native, column);
    if (cell->as.data)
        return true;
    cell->as.data = nothing; /* an empty blob has no address; a text has, unless memory ran out */
    return cell->type == BELAY_TYPE_BLOB && cell->size == 0;
}

static belay_step read_row(belayi_sqlite_statement *s, belay_value *cells, belay_error *error)
{
    for (int i = 0; i < s->base.columns; i++) {
        if (read_cell(s->native, i, &cells[i]))
            continue;
        belayi_report(error, BELAY_NO_MEMORY, "no memory for a value of column %d", i);
        error->native_code = SQLITE_NOMEM;
        sqlite3_reset(s->native);
        return BELAY_STEP_ERROR;
    }
    return BELAY_STEP_ROW;
}

/* The next row, or DONE. One step more would run the statement again. */
static int take_step(belayi_sqlite_statement *s, belay_error *error)
{
    int rc = s->ahead;
    if (rc == SQLITE_DONE)
        return rc;
    s->ahead = 0;
    if (rc == 0)
        rc = belayi_sqlite_check_may_run(s, error) == BELAY_OK ? advance(s, error) : SQLITE_ERROR;
    if (rc != SQLITE_ROW)
        s->ahead = SQLITE_DONE;
    return rc;
}

belay_step belayi_sqlite_step(belay_statement *statement, belay_value *cells, belay_effect *effect, belay_error *error)
{
    belayi_sqlite_statement *s = (belayi_sqlite_statement *)statement;
    int rc = take_step(s, error);
    if (rc == SQLITE_ROW)
        return read_row(s, cells, error);
    if (rc != SQLITE_DONE)
        return BELAY_STEP_ERROR;
    effect->changes = s->effect.changes;
    if (s->may_insert)
        effect->has_last_id = s->effect.has_last_id;
    if (s->may_insert && effect->has_last_id)
        effect->last_id = s->effect.last_id;
    return BELAY_STEP_DONE;
}

void belayi_sqlite_finish(belay_statement *statement)
{
    belayi_sqlite_statement *s = (belayi_sqlite_statement *)statement;
    if (s->may_insert && sqlite3_stmt_busy(s->native)) /* half-way: its effect was not read */
        belayi_sqlite_restore_last_id((belayi_sqlite_conn *)statement->conn);
    s->ahead = 0;
    sqlite3_reset(s->native);
}

const char *belayi_sqlite_column_name(belay_statement *statement, int column)
{
    return sqlite3_column_name(((belayi_sqlite_statement *)statement)->native, column);
}
