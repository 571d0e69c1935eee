/*
 * statement.c - prepares, runs, reads rows.
 *
 * Nothing is said to the server when a statement is prepared: inside a
 * transaction, a text that it refuses would end the scope around before the
 * savepoint that is owed was set. So the first run takes the preparing along.
 *
 * A change of the schema can make a prepared statement useless, and the server
 * tells only when it is run. Then all statements of the connection are prepared
 * anew; and where the transaction, or the savepoint, began with that very flight,
 * nothing else is lost with it, and it is flown a second time.
 * Tests: tests/unit/drivers/test_postgresql_statements.c.
 */
#include <stdlib.h>
#include <string.h>

#include "conn.h"
#include "keys.h"
#include "report.h"
#include "utf8.h"

/* ---- Prepare ------------------------------------------------------------------------------------------- */

/* At a NUL libpq would stop in silence; other bytes that are no text the server takes for a wrong value. */
static belay_code check_text(const belayi_sql *sql, belay_error *error)
{
    enum { PARAMETERS_MOST = 65535 };
    size_t bad_at;
    if (sql->parameters > PARAMETERS_MOST)
        return belayi_report(error, BELAY_UNSUPPORTED, "the statement has %u parameters: the server takes up to 65,535",
                             sql->parameters);
    if (belayi_utf8_valid(sql->text, sql->size, &bad_at))
        return BELAY_OK;
    return belayi_report(error, BELAY_SYNTAX, "there is %s at byte %zu of the statement",
                         sql->text[bad_at] == '\0' ? "a NUL" : "broken UTF-8", bad_at);
}

belay_code belayi_pg_prepare(belay_conn *base, const belayi_sql *sql, belay_statement **out_statement,
                             belay_error *error)
{
    *out_statement = NULL;
    belay_code code = check_text(sql, error);
    if (code != BELAY_OK)
        return code;
    belayi_pg_statement *s = calloc(1, sizeof *s);
    if (s) {
        s->text = strdup(sql->text);
        s->types = calloc(sql->parameters + 1, sizeof *s->types);
    }
    if (!s || !s->text || !s->types) {
        belayi_pg_finalize(s ? &s->base : NULL);
        return belayi_report(error, BELAY_NO_MEMORY, "no memory for a statement");
    }
    /* What a SELECT does besides, the server itself refuses where only reading is allowed. */
    s->base = (belay_statement){base, sql->kind != BELAYI_SQL_SELECT, 0};
    s->parameters = sql->parameters;
    s->is_other = sql->kind == BELAYI_SQL_OTHER;
    *out_statement = &s->base;
    return BELAY_OK;
}

void belayi_pg_finalize(belay_statement *statement)
{
    belayi_pg_statement *s = (belayi_pg_statement *)statement;
    if (!s)
        return;
    if (s->base.conn)
        belayi_pg_forget_name((belayi_pg_conn *)s->base.conn, &s->name);
    belayi_pg_keys_done(&s->keys);
    belayi_pg_keys_done(&s->parents);
    free(s->text);
    free(s->types);
    free(s);
}

/* ---- Fly ------------------------------------------------------------------------------------------------ */

/* Whether what the server has can be used for these values. */
bool belayi_pg_is_prepared(const belayi_pg_statement *s, size_t n, const belay_value *values)
{
    if (!belayi_pg_has_prepared((const belayi_pg_conn *)s->base.conn, &s->name))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!belayi_pg_type_takes(s->types[i], &values[i]))
            return false;
    return true;
}

/* Sends the preparing along. */
static belay_code send_prepare(belayi_pg_statement *s, size_t n, const belay_value *values, belay_error *error)
{
    for (size_t i = 0; i < n; i++)
        s->types[i] = belayi_pg_value_type(&values[i]);
    return belayi_pg_add_prepare((belayi_pg_conn *)s->base.conn, &s->name, s->text, n, s->types, error);
}

belay_code belayi_pg_add_run(belayi_pg_statement *s, size_t n, const belay_value *values,
                             const belayi_pg_parameters *parameters, belay_error *error)
{
    belayi_pg_conn *conn = (belayi_pg_conn *)s->base.conn;
    belay_code code = belayi_pg_is_prepared(s, n, values) ? BELAY_OK : send_prepare(s, n, values, error);
    if (code != BELAY_OK)
        return code;
    int queued = PQsendQueryPrepared(conn->pg, s->name.text, (int)n, parameters->texts, parameters->lengths,
                                     parameters->formats, 0);
    return belayi_pg_note_queued(conn, queued, error);
}

static belay_code send(belayi_pg_statement *s, size_t n, const belay_value *values,
                       const belayi_pg_parameters *parameters, belay_error *error)
{
    belayi_pg_conn *conn = (belayi_pg_conn *)s->base.conn;
    belay_code code = belayi_pg_take_off(conn, error);
    if (code == BELAY_OK)
        code = belayi_pg_add_run(s, n, values, parameters, error);
    if (code != BELAY_OK)
        return code;
    int queued = s->base.writes ? belayi_pg_identity_ask(conn, s->is_other) : 1;
    return belayi_pg_launch(conn, queued, error);
}

/* The first result: a row, or all there is. */
static belay_code get_first(belayi_pg_statement *s, bool rows, belay_error *error)
{
    belayi_pg_conn *conn = (belayi_pg_conn *)s->base.conn;
    belay_code code = belayi_pg_read_ahead(conn, error);
    if (code != BELAY_OK) { /* perhaps it was not prepared; forgetting what isn't there does no harm */
        belayi_pg_forget_name(conn, &s->name);
        return code;
    }
    if (rows)
        PQsetSingleRowMode(conn->pg);
    return belayi_pg_receive(conn, &s->first, error);
}

/* Undoes what a flight had begun, so that it can be flown again. False where it was not the first of anything. */
static bool undo_flight(belayi_pg_conn *conn, const belayi_pg_owed *took, bool was_inside)
{
    belay_error ignored;
    if (conn->lost)
        return false;
    if (!was_inside && !took->begin)
        return true; /* it stood alone */
    if (!took->begin && took->count == 0)
        return false;
    belay_code code = took->begin ? belayi_pg_rollback(&conn->base, &ignored)
                                  : belayi_pg_rollback_to(&conn->base, took->first, &ignored);
    if (code != BELAY_OK)
        return false;
    conn->owed = *took;
    conn->owed.release = took->begin ? 0 : took->first;
    return true;
}

belay_code belayi_pg_check_run(belayi_pg_statement *s, size_t n, const belay_value *values, belayi_pg_parameters *out,
                               belay_error *error)
{
    if (n != s->parameters)
        return belayi_report(error, BELAY_MISUSE, "the statement has %u parameters, and %zu values were given",
                             s->parameters, n);
    return belayi_pg_write_parameters((belayi_pg_conn *)s->base.conn, n, values, out, error);
}

static belay_code fly(belayi_pg_statement *s, size_t n, const belay_value *values, bool rows, belay_error *error)
{
    belayi_pg_conn *conn = (belayi_pg_conn *)s->base.conn;
    belayi_pg_parameters parameters = {0};
    belay_code code = belayi_pg_check_run(s, n, values, &parameters, error);
    for (int attempt = 1; code == BELAY_OK; attempt++) {
        belayi_pg_owed took = conn->owed;
        bool was_inside = belayi_pg_status(&conn->base) != BELAY_TRANSACTION_NONE;
        s->first = NULL;
        code = send(s, n, values, &parameters, error);
        if (code == BELAY_OK)
            code = get_first(s, rows, error);
        if (code == BELAY_OK)
            break;
        if (!belayi_pg_is_stale(error))
            continue;
        conn->generation++;
        if (attempt == 1 && undo_flight(conn, &took, was_inside))
            code = BELAY_OK;
    }
    return code;
}

/* ---- What it did ----------------------------------------------------------------------------------------- */

static bool begins_with(const char *text, const char *start)
{
    return *text == *start && strncmp(text, start, strlen(start)) == 0;
}

/* Whether the tag begins with one of the words, up to a NULL. */
static bool is_one_of(const char *tag, const char *const *words)
{
    while (*words && !begins_with(tag, *words))
        words++;
    return *words != NULL;
}

void belayi_pg_note_effect(belayi_pg_conn *conn, PGresult *result, belay_effect *effect)
{
    static const char *const counted[] = {"INSERT ", "UPDATE ", "DELETE ", "MERGE ", NULL};
    static const char *const unsettling[] = {"ALTER", "CREATE", "DROP", "DISCARD", "DEALLOCATE", NULL};
    static const char *const resetting[] = {"SET", "RESET", "DISCARD", NULL};
    const char *tag = PQcmdStatus(result);
    if (is_one_of(tag, counted)) {
        effect->changes = strtoll(PQcmdTuples(result), NULL, 10);
        effect->has_last_id &= *tag != 'I'; /* of an INSERT there is no such thing here: RETURNING tells */
        return;
    }
    if (is_one_of(tag, unsettling))
        conn->generation++;
    if (is_one_of(tag, resetting))
        conn->lock_session = conn->lock_now = BELAYI_PG_UNKNOWN; /* it may have been lock_timeout */
}

static void note_effect(belayi_pg_statement *s, PGresult *result)
{
    belayi_pg_note_effect((belayi_pg_conn *)s->base.conn, result, &s->effect);
}

static void tell_effect(const belayi_pg_statement *s, belay_effect *effect)
{
    effect->changes = s->effect.changes;
    effect->has_last_id &= s->effect.has_last_id;
}

/* Reads what is behind the last row, and ends the flight. */
static belay_code end_run(belayi_pg_statement *s, belay_error *error)
{
    belayi_pg_conn *conn = (belayi_pg_conn *)s->base.conn;
    PGresult *more;
    belay_code code = BELAY_OK;
    do {
        code = belayi_pg_receive(conn, &more, error);
        PQclear(more);
    } while (code == BELAY_OK && more);
    if (code == BELAY_OK)
        code = belayi_pg_land(conn, error);
    if (code != BELAY_OK && belayi_pg_is_stale(error))
        conn->generation++; /* what rode behind the statement was */
    return code;
}

static void forget_run(belayi_pg_statement *s)
{
    s->effect = (belay_effect){.has_last_id = true};
    s->ended = s->waiting = false;
    s->first = s->row = NULL;
}

belay_code belayi_pg_execute(belay_statement *statement, size_t n, const belay_value *values, belay_effect *effect,
                             belay_error *error)
{
    belayi_pg_statement *s = (belayi_pg_statement *)statement;
    forget_run(s);
    belay_code code = fly(s, n, values, false, error);
    if (code != BELAY_OK)
        return code;
    note_effect(s, s->first);
    PQclear(s->first);
    s->first = NULL;
    code = end_run(s, error);
    if (code == BELAY_OK)
        tell_effect(s, effect);
    return code;
}

/* ---- Rows ----------------------------------------------------------------------------------------------- */

static bool is_row(const PGresult *result)
{
    return PQresultStatus(result) == PGRES_SINGLE_TUPLE;
}

/* A result that is no row is the last one. */
static belay_code take_end(belayi_pg_statement *s, PGresult *result, belay_error *error)
{
    note_effect(s, result);
    s->ended = true;
    return end_run(s, error);
}

belay_code belayi_pg_start(belay_statement *statement, size_t n, const belay_value *values, belay_error *error)
{
    belayi_pg_statement *s = (belayi_pg_statement *)statement;
    forget_run(s);
    belay_code code = fly(s, n, values, true, error);
    if (code != BELAY_OK)
        return code;
    statement->columns = PQnfields(s->first);
    s->waiting = is_row(s->first);
    if (!s->waiting)
        code = take_end(s, s->first, error);
    if (code == BELAY_OK)
        return code;
    PQclear(s->first);
    s->first = NULL;
    return code;
}

/* Gets the next row; false at the end, and on an error. */
static bool get_row(belayi_pg_statement *s, belay_code *out_code, belay_error *error)
{
    PQclear(s->row);
    s->row = NULL;
    if (s->waiting || s->ended)
        return s->waiting;
    *out_code = belayi_pg_receive((belayi_pg_conn *)s->base.conn, &s->row, error);
    if (*out_code != BELAY_OK) {
        s->ended = true;
        return false;
    }
    if (s->row && is_row(s->row))
        return true;
    if (s->row)
        *out_code = take_end(s, s->row, error);
    return false;
}

belay_step belayi_pg_step(belay_statement *statement, belay_value *cells, belay_effect *effect, belay_error *error)
{
    belayi_pg_statement *s = (belayi_pg_statement *)statement;
    belay_code code = BELAY_OK;
    if (get_row(s, &code, error)) {
        PGresult *row = s->waiting ? s->first : s->row;
        s->waiting = false;
        return belayi_pg_read_row(row, cells, error) == BELAY_OK ? BELAY_STEP_ROW : BELAY_STEP_ERROR;
    }
    if (code != BELAY_OK)
        return BELAY_STEP_ERROR;
    tell_effect(s, effect);
    return BELAY_STEP_DONE;
}

/* Half-way, the rest is read and dropped: to cancel the statement would end the transaction. */
void belayi_pg_finish(belay_statement *statement)
{
    belayi_pg_statement *s = (belayi_pg_statement *)statement;
    belayi_pg_conn *conn = (belayi_pg_conn *)statement->conn;
    if (conn->flying && !s->ended)
        belayi_pg_land_early(conn, &conn->late);
    PQclear(s->first);
    PQclear(s->row);
    forget_run(s);
}

/* An ended statement without rows may be asked too. */
const char *belayi_pg_column_name(belay_statement *statement, int column)
{
    const belayi_pg_statement *s = (const belayi_pg_statement *)statement;
    return s->first ? PQfname(s->first, column) : NULL;
}
