/*
 * statement.c - prepares and runs, by the binary protocol.
 *
 * Rows are read one at a time, off the socket: until the last one is read, or
 * finish has thrown the rest away, the connection can't be used for anything
 * else (`reading`). A procedure may give several results; the first is the one
 * that is read.
 *
 * A plan that a change of the schema has made stale is prepared anew, and the
 * statement, which did nothing, is run again.
 * Tests: tests/unit/drivers/test_mariadb_statements.c.
 */
#include <errmsg.h>
#include <mysqld_error.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "conn.h"
#include "report.h"

/* ---- Prepare ---------------------------------------------------------------------------------------------------- */

static bool begins_with(const char *text, const char *word)
{
    text += strspn(text, " \t\r\n(");
    return strncasecmp(text, word, strlen(word)) == 0;
}

static bool copy_text(belayi_mariadb_statement *s, const belayi_sql *sql)
{
    size_t places = sql->places ? sql->places : 1;
    s->text = malloc(sql->size + 1);
    s->order = calloc(places, sizeof *s->order);
    s->bound = calloc(places, sizeof *s->bound);
    s->moments = calloc(places, sizeof *s->moments);
    if (!s->text || !s->order || !s->bound || !s->moments)
        return false;
    memcpy(s->text, sql->text, sql->size);
    s->text[sql->size] = '\0';
    if (sql->places > 0)
        memcpy(s->order, sql->order, sql->places * sizeof *s->order);
    s->size = sql->size;
    s->places = sql->places;
    s->parameters = sql->parameters;
    s->kind = sql->kind;
    s->nowait = sql->lock == BELAYI_LOCK_NOWAIT;
    bool sets = begins_with(s->text, "SET") || begins_with(s->text, "EXECUTE");
    s->may_end_unseen = belayi_mariadb_may_end_unseen(sql, s->text);
    s->may_steer = sql->kind == BELAYI_SQL_OTHER && (sets || strcasestr(s->text, "sql_mode"));
    return true;
}

static belayi_mariadb_statement *new_statement(belayi_mariadb_conn *conn, const belayi_sql *sql)
{
    belayi_mariadb_statement *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->base = (belay_statement){.conn = &conn->base, .writes = sql->kind != BELAYI_SQL_SELECT};
    s->native = mysql_stmt_init(conn->db);
    if (s->native && copy_text(s, sql))
        return s;
    belayi_mariadb_finalize(&s->base);
    return NULL;
}

static belay_code prepare_native(belayi_mariadb_statement *s, belay_error *error)
{
    belayi_mariadb_conn *conn = (belayi_mariadb_conn *)s->base.conn;
    if (belayi_mariadb_stmt_prepare(conn, s->native, s->text, s->size) != 0) {
        belay_code code = belayi_mariadb_fail_statement(s, error);
        belayi_mariadb_settle(conn);
        return code;
    }
    belayi_mariadb_settle(conn);
    unsigned long places = mysql_stmt_param_count(s->native);
    if (places != s->places)
        return belayi_report(error, BELAY_MISUSE, "the server counts %lu parameters, and not %u", places, s->places);
    s->base.columns = (int)mysql_stmt_field_count(s->native);
    return BELAY_OK;
}

belay_code belayi_mariadb_prepare(belay_conn *base, const belayi_sql *sql, belay_statement **out_statement,
                                  belay_error *error)
{
    belayi_mariadb_conn *conn = (belayi_mariadb_conn *)base;
    *out_statement = NULL;
    const char *nul = memchr(sql->text, '\0', sql->size);
    if (nul)
        return belayi_report(error, BELAY_SYNTAX, "there is a NUL at byte %zu of the statement",
                             (size_t)(nul - sql->text));
    belay_code code = belayi_mariadb_check_open(conn, error);
    if (code == BELAY_OK)
        code = belayi_mariadb_ready(conn, BELAYI_MARIADB_STATEMENT, error);
    if (code == BELAY_OK)
        code = belayi_mariadb_check_packet(conn, sql->size, error);
    if (code != BELAY_OK)
        return code;
    belayi_mariadb_statement *s = new_statement(conn, sql);
    if (!s)
        return belayi_report(error, BELAY_NO_MEMORY, "no memory for a statement");
    code = prepare_native(s, error);
    if (code == BELAY_OK)
        *out_statement = &s->base;
    else
        belayi_mariadb_finalize(&s->base);
    return code;
}

/* The server is told, where there is one; it does not answer. */
void belayi_mariadb_finalize(belay_statement *statement)
{
    belayi_mariadb_statement *s = (belayi_mariadb_statement *)statement;
    if (!s)
        return;
    belayi_mariadb_conn *conn = (belayi_mariadb_conn *)statement->conn;
    if (conn->vetted.statement == statement)
        conn->vetted.statement = NULL;
    belayi_mariadb_free_bulk(s->bulk);
    if (s->native)
        mysql_stmt_close(s->native);
    belayi_mariadb_free_columns(s);
    free(s->text);
    free(s->order);
    free(s->bound);
    free(s->moments);
    free(s);
}

bool belayi_mariadb_self_contained(belay_statement *statement)
{
    (void)statement;
    return false;
}

/* ---- Run -------------------------------------------------------------------------------------------------------- */

/* Makes sure that the statement runs in what it is meant to run in, and under its limits. */
static belay_code enter(belayi_mariadb_statement *s, belay_error *error)
{
    belayi_mariadb_conn *conn = (belayi_mariadb_conn *)s->base.conn;
    if (conn->vetted.statement != &s->base)
        conn->vetted.statement = NULL;
    belay_code code = belayi_mariadb_check_open(conn, error);
    return code == BELAY_OK ? belayi_mariadb_ready(conn, BELAYI_MARIADB_STATEMENT, error) : code;
}

/* The server renewed the plan itself and ran it, but its columns are no longer those that the client library knows. */
static bool has_other_columns(unsigned number)
{
    return number == CR_NEW_STMT_METADATA;
}

/* Whether the statement did nothing because its plan was too old. */
static bool is_stale(const belayi_mariadb_statement *s, unsigned number)
{
    return number == ER_NEED_REPREPARE || number == ER_UNKNOWN_STMT_HANDLER ||
           (has_other_columns(number) && s->kind == BELAYI_SQL_SELECT);
}

/* What changes rows must not run twice: the unit can be run again, and then the statement is a new one. */
static belay_code fail_run(belayi_mariadb_statement *s, belay_error *error)
{
    unsigned number = mysql_stmt_errno(s->native);
    belay_code code = belayi_mariadb_fail_statement(s, error);
    if (!has_other_columns(number))
        return code;
    s->outdated = true;
    error->code = BELAY_SERIALIZATION;
    BELAYI_REPORT_FIELD(error->message, "the columns that this statement gives were changed meanwhile");
    return error->code;
}

static void note_result(belayi_mariadb_statement *s, bool ran)
{
    belayi_mariadb_conn *conn = (belayi_mariadb_conn *)s->base.conn;
    if (ran)
        s->base.columns = (int)mysql_stmt_field_count(s->native);
    s->has_result = ran && s->base.columns > 0;
    conn->reading = s->has_result ? s : NULL;
}

static belay_code run_native(belayi_mariadb_statement *s, size_t n, const belay_value *values, belay_error *error)
{
    enum { TRIES = 3 };
    belayi_mariadb_conn *conn = (belayi_mariadb_conn *)s->base.conn;
    for (int tries = 1;; tries++) {
        belay_code code = s->outdated ? prepare_native(s, error) : BELAY_OK;
        s->outdated = code != BELAY_OK;
        if (code == BELAY_OK)
            code = belayi_mariadb_bind(s, n, values, error);
        if (code == BELAY_OK && tries == 1)
            belayi_mariadb_guard(s);
        if (code == BELAY_OK)
            code = belayi_mariadb_send_ahead(conn, !s->nowait, error);
        if (code != BELAY_OK)
            return code;
        bool ran = belayi_mariadb_stmt_execute(conn, s->native) == 0;
        note_result(s, ran);
        code = belayi_mariadb_check_ahead(conn, ran, error);
        if (code != BELAY_OK || ran)
            return code;
        if (!is_stale(s, mysql_stmt_errno(s->native)) || tries == TRIES)
            return fail_run(s, error);
        s->outdated = true;
    }
}

/* The rows are read, or not wanted. */
static void leave_result(belayi_mariadb_statement *s)
{
    belayi_mariadb_conn *conn = (belayi_mariadb_conn *)s->base.conn;
    if (s->has_result)
        belayi_mariadb_stmt_free_result(conn, s->native);
    s->has_result = false;
    conn->reading = NULL;
}

/* Counts the rows that are left. */
static belay_code skip_rows(belayi_mariadb_statement *s, int64_t *rows, belay_error *error)
{
    belayi_mariadb_conn *conn = (belayi_mariadb_conn *)s->base.conn;
    int rc = 0;
    while (s->has_result && (rc = belayi_mariadb_stmt_fetch(conn, s->native)) != MYSQL_NO_DATA) {
        if (rc == 1)
            return belayi_mariadb_fail_statement(s, error);
        *rows += 1;
    }
    return BELAY_OK;
}

/* The results behind the first one, which only procedures give. */
static belay_code skip_results(belayi_mariadb_statement *s, belay_error *error)
{
    belayi_mariadb_conn *conn = (belayi_mariadb_conn *)s->base.conn;
    int64_t ignored = 0;
    while (mysql_stmt_more_results(s->native)) {
        leave_result(s);
        int rc = belayi_mariadb_stmt_next_result(conn, s->native);
        if (rc > 0)
            return belayi_mariadb_fail_statement(s, error);
        s->has_result = rc == 0 && mysql_stmt_field_count(s->native) > 0;
        belay_code code = skip_rows(s, &ignored, error);
        if (code != BELAY_OK)
            return code;
    }
    return BELAY_OK;
}

static void read_effect(const belayi_mariadb_statement *s, int64_t rows, belay_effect *effect)
{
    bool dml = s->kind == BELAYI_SQL_INSERT || s->kind == BELAYI_SQL_UPDATE || s->kind == BELAYI_SQL_DELETE;
    bool returned = s->base.columns > 0; /* RETURNING: a row for each that was changed */
    effect->changes = !dml ? 0 : returned ? rows : (int64_t)mysql_stmt_affected_rows(s->native);
    if (s->kind != BELAYI_SQL_INSERT)
        return;
    uint64_t id = returned ? 0 : mysql_stmt_insert_id(s->native);
    effect->has_last_id = id != 0;
    if (id != 0)
        effect->last_id = (int64_t)id;
}

/* What may have changed with it. */
static belay_code look_after(belayi_mariadb_statement *s, belay_error *error)
{
    belayi_mariadb_conn *conn = (belayi_mariadb_conn *)s->base.conn;
    if (s->may_steer) {
        belayi_mariadb_forget_settings(conn);
        belay_code code = belayi_mariadb_renew_rules(conn, error);
        if (code != BELAY_OK)
            return code;
    }
    conn->ended_by = 0;
    return belayi_mariadb_check_open(conn, error);
}

/* SLEEP and BENCHMARK come to an end when they are cancelled, and with them a statement that did not fail: what it gave
   can't be trusted. Outside a transaction it is done, and there is nothing to be rolled back. */
belay_code belayi_mariadb_check_cancel(const belayi_mariadb_conn *conn, belay_error *error)
{
    if (!conn->late_cancel || !conn->began)
        return BELAY_OK;
    return belayi_report(error, BELAY_TIMEOUT, "the time limit has passed while the statement ran");
}

/* The statement is done. */
static belay_code conclude(belayi_mariadb_statement *s, int64_t rows, belay_effect *effect, belay_error *error)
{
    belayi_mariadb_conn *conn = (belayi_mariadb_conn *)s->base.conn;
    belay_code code = skip_results(s, error);
    if (code == BELAY_OK)
        read_effect(s, rows, effect);
    leave_result(s);
    if (code == BELAY_OK)
        code = belayi_mariadb_check_cancel(conn, error);
    belayi_mariadb_settle(conn);
    if (code == BELAY_OK)
        code = belayi_mariadb_check_guard(s, error);
    else
        belayi_mariadb_judge_guard(s, error);
    return code == BELAY_OK ? look_after(s, error) : code;
}

/* It failed with *error. */
static void abandon(belayi_mariadb_statement *s, belay_error *error)
{
    leave_result(s);
    belayi_mariadb_settle((belayi_mariadb_conn *)s->base.conn);
    belayi_mariadb_judge_guard(s, error);
}

belay_code belayi_mariadb_execute(belay_statement *statement, size_t n, const belay_value *values, belay_effect *effect,
                                  belay_error *error)
{
    belayi_mariadb_statement *s = (belayi_mariadb_statement *)statement;
    int64_t rows = 0;
    belay_code code = enter(s, error);
    if (code != BELAY_OK)
        return code;
    code = run_native(s, n, values, error);
    if (code == BELAY_OK)
        code = skip_rows(s, &rows, error);
    if (code == BELAY_OK)
        return conclude(s, rows, effect, error);
    abandon(s, error);
    return code;
}

/* ---- Rows ------------------------------------------------------------------------------------------------------- */

belay_code belayi_mariadb_start(belay_statement *statement, size_t n, const belay_value *values, belay_error *error)
{
    belayi_mariadb_statement *s = (belayi_mariadb_statement *)statement;
    s->rows = 0;
    s->done = false;
    belay_code code = enter(s, error);
    if (code != BELAY_OK)
        return code;
    code = run_native(s, n, values, error);
    if (code == BELAY_OK && s->has_result && !belayi_mariadb_make_columns(s))
        code = belayi_report(error, BELAY_NO_MEMORY, "no memory for a row");
    if (code != BELAY_OK)
        abandon(s, error);
    return code;
}

static belay_step fail_step(belayi_mariadb_statement *s, belay_error *error)
{
    s->done = true;
    abandon(s, error);
    return BELAY_STEP_ERROR;
}

static belay_step end_rows(belayi_mariadb_statement *s, belay_effect *effect, belay_error *error)
{
    s->done = true;
    return conclude(s, s->rows, effect, error) == BELAY_OK ? BELAY_STEP_DONE : BELAY_STEP_ERROR;
}

belay_step belayi_mariadb_step(belay_statement *statement, belay_value *cells, belay_effect *effect, belay_error *error)
{
    belayi_mariadb_statement *s = (belayi_mariadb_statement *)statement;
    if (s->done)
        return BELAY_STEP_DONE;
    int rc =
        s->has_result ? belayi_mariadb_stmt_fetch((belayi_mariadb_conn *)statement->conn, s->native) : MYSQL_NO_DATA;
    if (rc == MYSQL_NO_DATA)
        return end_rows(s, effect, error);
    if (rc == 1) {
        belayi_mariadb_fail_statement(s, error);
        return fail_step(s, error);
    }
    s->rows++;
    if (belayi_mariadb_read_row(s, cells))
        return BELAY_STEP_ROW;
    belayi_report(error, BELAY_NO_MEMORY, "no memory for a value of a row");
    return fail_step(s, error);
}

/* Throws away what was not read. An error that comes late is found by the next call, as it asks the server. */
void belayi_mariadb_finish(belay_statement *statement)
{
    belayi_mariadb_statement *s = (belayi_mariadb_statement *)statement;
    belay_error ignored;
    belay_effect none = {0};
    if (!s->done) {
        leave_result(s);
        conclude(s, 0, &none, &ignored);
    }
    s->done = true;
}

const char *belayi_mariadb_column_name(belay_statement *statement, int column)
{
    return ((belayi_mariadb_statement *)statement)->native->fields[column].name;
}
