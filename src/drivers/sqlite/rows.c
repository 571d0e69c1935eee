/*
 * rows.c - rows in memory as a table that SQLite can read, and the statement that
 * writes them from there into another one:
 *
 *     INSERT OR FAIL INTO t (a, b) SELECT c0, c1 FROM belayi_rows
 *
 * SQLite stops at a row that fails, keeps those before it, and the next run begins
 * behind it: a row costs half of what a statement of its own does. It is the same
 * as single statements only where
 *   - writing is the last thing that is done for a row, which nothing can stop half-way;
 *   - nothing waits for the end of the statement: no trigger, no immediate foreign
 *     key, no number for AUTOINCREMENT;
 *   - the table says nothing itself of what to do about conflicts, as OR FAIL would
 *     take the place of that: then SQLite makes the same program of INSERT and of
 *     INSERT OR ABORT.
 * All that is read from the programs (contained.c). Values that are to be refused
 * before SQLite sees them, and errors of other kinds than a constraint's, are left
 * to the statement for one row.
 *
 * The table is known to connections that Belay opened, under a name of its own, and
 * empty but for the time of a run.
 * Tests: tests/import, tests/unit/drivers/test_sqlite_each.c.
 */
#include <stdlib.h>

#include "conn.h"
#include "values.h"

enum { MOST_COLUMNS = 100 };

#define NAME "belayi_rows"

/* ---- The table ---------------------------------------------------------------------------------------------- */

typedef struct rows_table {
    sqlite3_vtab base;
    belayi_sqlite_conn *conn;
} rows_table;

typedef struct rows_cursor {
    sqlite3_vtab_cursor base;
    belayi_sqlite_rows *rows;
} rows_cursor;

static int connect_table(sqlite3 *db, void *conn, int count, const char *const *words, sqlite3_vtab **out,
                         char **out_error)
{
    (void)count;
    (void)words;
    (void)out_error;
    sqlite3_str *text = sqlite3_str_new(db);
    for (int i = 0; i < MOST_COLUMNS; i++)
        sqlite3_str_appendf(text, "%s c%d", i == 0 ? "CREATE TABLE x (" : ",", i);
    sqlite3_str_appendall(text, ")");
    char *declaration = sqlite3_str_finish(text);
    int rc = declaration ? sqlite3_declare_vtab(db, declaration) : SQLITE_NOMEM;
    sqlite3_free(declaration);
    if (rc == SQLITE_OK)
        rc = sqlite3_vtab_config(db, SQLITE_VTAB_DIRECTONLY); /* nothing that is stored in the schema reads it */
    rows_table *table = rc == SQLITE_OK ? calloc(1, sizeof *table) : NULL;
    if (!table)
        return rc == SQLITE_OK ? SQLITE_NOMEM : rc;
    table->conn = conn;
    *out = &table->base;
    return SQLITE_OK;
}

static int disconnect_table(sqlite3_vtab *table)
{
    free(table);
    return SQLITE_OK;
}

static int plan_scan(sqlite3_vtab *table, sqlite3_index_info *plan)
{
    (void)table;
    plan->estimatedCost = 1000;
    return SQLITE_OK;
}

static int open_cursor(sqlite3_vtab *table, sqlite3_vtab_cursor **out)
{
    rows_cursor *cursor = calloc(1, sizeof *cursor);
    if (!cursor)
        return SQLITE_NOMEM;
    cursor->rows = &((rows_table *)table)->conn->rows;
    *out = &cursor->base;
    return SQLITE_OK;
}

static int close_cursor(sqlite3_vtab_cursor *cursor)
{
    free(cursor);
    return SQLITE_OK;
}

/* Ends the rows before one that SQLite is not to see. */
static void check_row(belayi_sqlite_rows *rows)
{
    belay_error ignored;
    if (rows->at >= rows->end)
        return;
    const belay_value *values = rows->each->values + rows->at * rows->each->columns;
    for (size_t i = 0; i < rows->each->columns; i++)
        if (belayi_sqlite_check_value(&values[i], i + 1, &ignored) != BELAY_OK)
            rows->end = rows->at;
}

static int begin_scan(sqlite3_vtab_cursor *cursor, int number, const char *name, int count, sqlite3_value **values)
{
    (void)number;
    (void)name;
    (void)count;
    (void)values;
    check_row(((rows_cursor *)cursor)->rows);
    return SQLITE_OK;
}

static int move_on(sqlite3_vtab_cursor *cursor)
{
    belayi_sqlite_rows *rows = ((rows_cursor *)cursor)->rows;
    rows->at++;
    check_row(rows);
    return SQLITE_OK;
}

static int is_at_end(sqlite3_vtab_cursor *cursor)
{
    const belayi_sqlite_rows *rows = ((rows_cursor *)cursor)->rows;
    return rows->at >= rows->end;
}

static void give_timestamp(sqlite3_context *to, int64_t microseconds)
{
    char text[BELAYI_TIMESTAMP_SIZE];
    belayi_values_timestamp(microseconds, text);
    sqlite3_result_text(to, text, BELAYI_TIMESTAMP_SIZE - 1, SQLITE_TRANSIENT);
}

/* As it is bound to a parameter. */
static void give_value(sqlite3_context *to, const belay_value *value)
{
    switch (value->type) {
    case BELAY_TYPE_BOOL:
    case BELAY_TYPE_INT:
    case BELAY_TYPE_UINT:
        sqlite3_result_int64(to, value->as.integer);
        break;
    case BELAY_TYPE_TEXT:
    case BELAY_TYPE_DECIMAL:
        sqlite3_result_text64(to, belayi_sqlite_data_of(value), value->size, SQLITE_STATIC, SQLITE_UTF8);
        break;
    case BELAY_TYPE_DOUBLE:
        sqlite3_result_double(to, value->as.real);
        break;
    case BELAY_TYPE_BLOB:
        sqlite3_result_blob64(to, belayi_sqlite_data_of(value), value->size, SQLITE_STATIC);
        break;
    case BELAY_TYPE_TIMESTAMP:
        give_timestamp(to, value->as.integer);
        break;
    case BELAY_TYPE_NULL:
        break;
    }
}

static int give_column(sqlite3_vtab_cursor *cursor, sqlite3_context *to, int column)
{
    const belayi_sqlite_rows *rows = ((rows_cursor *)cursor)->rows;
    if ((size_t)column < rows->each->columns)
        give_value(to, &rows->each->values[rows->at * rows->each->columns + (size_t)column]);
    return SQLITE_OK;
}

static int give_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *out)
{
    *out = (sqlite3_int64)((rows_cursor *)cursor)->rows->at;
    return SQLITE_OK;
}

static const sqlite3_module module = {
    .xConnect = connect_table, /* and no xCreate: it is there without a statement that makes it */
    .xDisconnect = disconnect_table,
    .xBestIndex = plan_scan,
    .xOpen = open_cursor,
    .xClose = close_cursor,
    .xFilter = begin_scan,
    .xNext = move_on,
    .xEof = is_at_end,
    .xColumn = give_column,
    .xRowid = give_rowid,
};

/* ---- The statement ------------------------------------------------------------------------------------------- */

/* `beginning` INTO the target, for one row of parameters or for the rows of the table. To be freed; NULL: no memory. */
static char *write_insert(belayi_sqlite_conn *conn, const char *beginning, const belay_target *target, size_t columns,
                          bool from_rows)
{
    sqlite3_str *text = sqlite3_str_new(conn->db);
    sqlite3_str_appendf(text, "%s INTO %s (", beginning, target->table);
    for (size_t i = 0; i < columns; i++)
        sqlite3_str_appendf(text, "%s%s", i > 0 ? ", " : "", target->names[i]);
    sqlite3_str_appendall(text, from_rows ? ") SELECT " : ") VALUES (");
    for (size_t i = 0; i < columns; i++)
        if (from_rows)
            sqlite3_str_appendf(text, "%sc%d", i > 0 ? ", " : "", (int)i);
        else
            sqlite3_str_appendall(text, i > 0 ? ", ?" : "?");
    sqlite3_str_appendall(text, from_rows ? " FROM " NAME : ")");
    return sqlite3_str_finish(text);
}

/* Whether the table leaves it to the statement what is done about conflicts. */
static bool has_no_clauses(belayi_sqlite_conn *conn, const belay_target *target, size_t columns)
{
    char *plain = write_insert(conn, "INSERT", target, columns, false);
    char *aborting = write_insert(conn, "INSERT OR ABORT", target, columns, false);
    bool same = plain && aborting && belayi_sqlite_is_same_program(conn, plain, aborting);
    sqlite3_free(plain);
    sqlite3_free(aborting);
    return same;
}

static bool know_rows(belayi_sqlite_conn *conn)
{
    if (!conn->has_rows)
        conn->has_rows = sqlite3_create_module_v2(conn->db, NAME, &module, conn, NULL) == SQLITE_OK;
    return conn->has_rows;
}

/* NULL where rows can't be written together. */
static sqlite3_stmt *prepare_together(belayi_sqlite_conn *conn, const belay_target *target, size_t columns)
{
    sqlite3_stmt *native = NULL;
    if (columns > MOST_COLUMNS || !know_rows(conn) || !has_no_clauses(conn, target, columns))
        return NULL;
    char *text = write_insert(conn, "INSERT OR FAIL", target, columns, true);
    if (text && belayi_sqlite_stops_clean(conn, text))
        sqlite3_prepare_v3(conn->db, text, -1, SQLITE_PREPARE_PERSISTENT, &native, NULL);
    sqlite3_free(text);
    return native;
}

bool belayi_sqlite_can_write_together(belayi_sqlite_statement *s, const belay_target *target, size_t columns)
{
    belayi_sqlite_conn *conn = (belayi_sqlite_conn *)s->base.conn;
    if (s->together_generation != conn->schema_generation) {
        sqlite3_finalize(s->together);
        s->together = prepare_together(conn, target, columns);
        s->together_generation = conn->schema_generation;
        belayi_sqlite_notice_silent_end(conn);
    }
    return s->together != NULL;
}

/* ---- A run ----------------------------------------------------------------------------------------------------- */

/* Errors that come before anything of a row was written, in the words that the statement for one row has for them. */
static bool is_rows_own(int rc)
{
    switch (rc) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
    case SQLITE_CONSTRAINT_NOTNULL:
    case SQLITE_CONSTRAINT_CHECK:
    case SQLITE_CONSTRAINT_DATATYPE:
        return true;
    default:
        return false;
    }
}

static void read_effect(belayi_sqlite_conn *conn, size_t kept, const belay_each *each, belay_effect *effect)
{
    int64_t id = sqlite3_last_insert_rowid(conn->db);
    belayi_sqlite_restore_last_id(conn);
    *each->changes += (int64_t)kept;
    if (kept == 0)
        return;
    effect->changes = 1;
    effect->has_last_id = id != 0;
    if (id != 0)
        effect->last_id = id;
}

static belay_code end_run(belayi_sqlite_statement *s, int rc, belay_error *error)
{
    belayi_sqlite_conn *conn = (belayi_sqlite_conn *)s->base.conn;
    belay_code code = BELAY_OK;
    conn->rows.each = NULL;
    conn->rows.at = conn->rows.end = 0;
    if (rc != SQLITE_DONE && (is_rows_own(rc) || sqlite3_get_autocommit(conn->db)))
        code = belayi_sqlite_fail(conn, rc, BELAYI_SQLITE_RUNNING, error);
    sqlite3_reset(s->together);
    belayi_sqlite_notice_end(conn);
    return code;
}

belay_code belayi_sqlite_write_together(belayi_sqlite_statement *s, const belay_each *each, size_t *at,
                                        belay_effect *effect, belay_error *error)
{
    belayi_sqlite_conn *conn = (belayi_sqlite_conn *)s->base.conn;
    belay_code code = belayi_sqlite_check_may_run(s, error);
    if (code != BELAY_OK)
        return code;
    conn->rows = (belayi_sqlite_rows){.each = each, .at = *at, .end = each->rows};
    belayi_sqlite_forget_last_id(conn);
    int rc = sqlite3_step(s->together);
    conn->interrupt_at = 0;
    read_effect(conn, conn->rows.at - *at, each, effect);
    *at = conn->rows.at;
    return end_run(s, rc, error);
}
