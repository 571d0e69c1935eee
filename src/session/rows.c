/*
 * rows.c - queries: results in memory, and streams.
 */
#include "rows.h"

#include <stdlib.h>
#include <string.h>

#include "report.h"

/* ---- The list of a session's results ---------------------------------------------------------------------------- */

static void join_session(belay_rows *rows, belay_session *s)
{
    rows->session = s;
    rows->next = s->rows;
    if (s->rows)
        s->rows->previous = rows;
    s->rows = rows;
}

static void leave_session(belay_rows *rows)
{
    if (!rows->session)
        return;
    *(rows->previous ? &rows->previous->next : &rows->session->rows) = rows->next;
    if (rows->next)
        rows->next->previous = rows->previous;
    rows->session = NULL;
}

void belayi_rows_orphan(belay_session *s)
{
    while (s->rows)
        leave_session(s->rows);
}

static void free_rows(belay_rows *rows)
{
    leave_session(rows);
    belayi_arena_free(&rows->arena);
    free(rows->rows);
    free(rows->sql);
    free(rows);
}

/* ---- A result in memory ----------------------------------------------------------------------------------------- */

static bool copy_names(belay_rows *rows, belay_statement *statement)
{
    size_t columns = (size_t)statement->columns;
    rows->columns = statement->columns;
    rows->names = belayi_arena_get(&rows->arena, columns * sizeof *rows->names);
    rows->numbers = belayi_arena_get(&rows->arena, columns * sizeof *rows->numbers);
    if (!rows->names || !rows->numbers)
        return false;
    for (size_t i = 0; i < columns; i++) {
        const char *name = statement->conn->driver->column_name(statement, (int)i);
        rows->names[i] = name ? belayi_arena_copy(&rows->arena, name, strlen(name)) : NULL;
        if (!rows->names[i])
            return false;
    }
    return true;
}

static bool points(const belay_value *value)
{
    return value->type == BELAY_TYPE_TEXT || value->type == BELAY_TYPE_BLOB || value->type == BELAY_TYPE_DECIMAL;
}

static bool grow_rows(belay_rows *rows)
{
    if (rows->count < rows->room)
        return true;
    size_t room = rows->room ? 2 * rows->room : 16;
    belay_value **grown = realloc(rows->rows, room * sizeof(belay_value *));
    if (!grown)
        return false;
    rows->rows = grown;
    rows->room = room;
    return true;
}

/* Keeps the row that `cells` holds now. */
static bool keep_row(belay_rows *rows, const belay_value *cells)
{
    size_t columns = (size_t)rows->columns;
    belay_value *row = grow_rows(rows) ? belayi_arena_get(&rows->arena, columns * sizeof *row) : NULL;
    if (!row)
        return false;
    for (size_t i = 0; i < columns; i++) {
        row[i] = cells[i];
        if (points(&cells[i]) && !(row[i].as.data = belayi_arena_copy(&rows->arena, cells[i].as.data, cells[i].size)))
            return false;
    }
    rows->rows[rows->count++] = row;
    return true;
}

/* Reads all rows of a statement that was started. */
static belay_code read_all(belay_session *s, belay_rows *rows, belay_statement *statement, belay_error *error)
{
    const belay_driver *driver = statement->conn->driver;
    if (!copy_names(rows, statement))
        return belayi_report(error, BELAY_NO_MEMORY, "no memory for the result");
    belay_value *cells = belayi_arena_get(&rows->arena, (size_t)(rows->columns + 1) * sizeof *cells);
    for (belay_step step = BELAY_STEP_ROW; cells && step == BELAY_STEP_ROW;) {
        step = driver->step(statement, cells, &s->effect, error);
        if (step == BELAY_STEP_ERROR)
            return error->code;
        if (step == BELAY_STEP_DONE)
            return BELAY_OK;
        if (!keep_row(rows, cells))
            break;
    }
    return belayi_report(error, BELAY_NO_MEMORY, "no memory for the result, at row %zu", rows->count + 1);
}

static belay_code run_query(belay_session *s, belay_rows *rows, const belayi_call *call)
{
    belay_error error;
    belayi_running running;
    belay_code code = belayi_statement_open(s, call, &running);
    if (code != BELAY_OK)
        return code;
    belay_statement *statement = belayi_running_statement(&running);
    const belay_driver *driver = statement->conn->driver;
    code = driver->start(statement, call->n, call->values, &error);
    if (code == BELAY_OK) {
        code = read_all(s, rows, statement, &error);
        running.rows = (int64_t)rows->count;
        driver->finish(statement);
    }
    return belayi_statement_close(s, &running, call, code == BELAY_OK ? NULL : &error);
}

static void raise_no_memory(belay_session *s, belay_place place)
{
    belay_error error;
    belayi_report(&error, BELAY_NO_MEMORY, "no memory for a result");
    belayi_session_raise(s, place, &error);
}

static belay_rows *new_rows(belay_session *s, belay_place place)
{
    belay_rows *rows = calloc(1, sizeof *rows);
    if (!rows)
        raise_no_memory(s, place);
    return rows;
}

belay_rows *belay_query_at(belay_session *s, belay_place place, const char *sql, size_t n, const belay_value *values)
{
    if (!belayi_session_enter(s))
        return NULL;
    belayi_call call = {sql, n, values, place, BELAYI_USE_ROWS};
    belay_rows *rows = new_rows(s, place);
    if (rows && run_query(s, rows, &call) != BELAY_OK) {
        free_rows(rows);
        rows = NULL;
    }
    if (rows)
        join_session(rows, s);
    belayi_session_leave(s);
    return rows;
}

belay_rows *belay_query_values(belay_session *s, const char *sql, size_t n, const belay_value *values)
{
    return belay_query_at(s, (belay_place){0}, sql, n, values);
}

/* ---- One number ------------------------------------------------------------------------------------------------- */

/* The first column of the first row; the rest is not read. */
static belay_code read_one(belay_session *s, belay_statement *statement, int64_t *out_number, belay_error *error)
{
    const belay_driver *driver = statement->conn->driver;
    belay_value few[8], *cells = few;
    if (statement->columns < 1)
        return belayi_report(error, BELAY_MISUSE, "the statement gives no rows: use belay_exec");
    if (statement->columns > 8 && !(cells = malloc((size_t)statement->columns * sizeof *cells)))
        return belayi_report(error, BELAY_NO_MEMORY, "no memory for the result");
    belay_step step = driver->step(statement, cells, &s->effect, error);
    if (step == BELAY_STEP_DONE)
        belayi_report(error, BELAY_NOT_FOUND, "the query gave no row");
    else if (step == BELAY_STEP_ROW && belayi_cell_to_integer(&cells[0], out_number, error))
        error->code = BELAY_OK;
    /* An INSERT ... RETURNING must run to its end to be done; and what is a transaction by itself, to have no error. */
    bool to_the_end = statement->writes || s->transaction.autocommit;
    while (step == BELAY_STEP_ROW && error->code == BELAY_OK && to_the_end) {
        step = driver->step(statement, cells, &s->effect, error);
    }
    if (cells != few)
        free(cells);
    return error->code;
}

static int64_t run_int_of(belay_session *s, const belayi_call *call)
{
    int64_t number = 0;
    belay_error error;
    belayi_running running;
    if (belayi_statement_open(s, call, &running) != BELAY_OK)
        return 0;
    belay_statement *statement = belayi_running_statement(&running);
    const belay_driver *driver = statement->conn->driver;
    belay_code code = driver->start(statement, call->n, call->values, &error);
    if (code == BELAY_OK) {
        code = read_one(s, statement, &number, &error);
        running.rows = code == BELAY_OK;
        driver->finish(statement);
    }
    code = belayi_statement_close(s, &running, call, code == BELAY_OK ? NULL : &error);
    return code == BELAY_OK ? number : 0;
}

int64_t belay_int_of_at(belay_session *s, belay_place place, const char *sql, size_t n, const belay_value *values)
{
    if (!belayi_session_enter(s))
        return 0;
    int64_t number = run_int_of(s, &(belayi_call){sql, n, values, place, BELAYI_USE_ROWS});
    belayi_session_leave(s);
    return number;
}

int64_t belay_int_of_values(belay_session *s, const char *sql, size_t n, const belay_value *values)
{
    return belay_int_of_at(s, (belay_place){0}, sql, n, values);
}

/* ---- Streams
 * ---------------------------------------------------------------------------------------------------------------------
 */

static belay_code close_stream(belay_rows *rows, belay_error *error)
{
    belay_session *s = rows->session;
    s->stream = NULL;
    rows->current = NULL;
    /* Scopes opened since are misuse already; a unit of the stream's own can't end beneath them. */
    while (rows->running.own_scope && belayi_transaction_top(&s->transaction)->serial != rows->serial)
        belayi_session_end_scope(s, BELAYI_END_COMMIT);
    return belayi_statement_close(s, &rows->running, &rows->call, error);
}

static belay_code start_stream(belay_session *s, belay_rows *rows)
{
    belay_error error;
    belayi_call *call = &rows->call;
    belay_code code = belayi_statement_open(s, call, &rows->running);
    if (code != BELAY_OK)
        return code;
    belay_statement *statement = belayi_running_statement(&rows->running);
    const belay_driver *driver = statement->conn->driver;
    rows->serial = belayi_transaction_top(&s->transaction)->serial;
    code = driver->start(statement, call->n, call->values, &error);
    call->values = NULL; /* the caller's, until now */
    if (code != BELAY_OK)
        return belayi_statement_close(s, &rows->running, call, &error);
    rows->rows = calloc(1, sizeof(belay_value *));
    if (rows->rows && copy_names(rows, statement))
        rows->rows[0] = belayi_arena_get(&rows->arena, (size_t)(rows->columns + 1) * sizeof **rows->rows);
    if (rows->rows && rows->rows[0])
        return BELAY_OK;
    driver->finish(statement);
    belayi_report(&error, BELAY_NO_MEMORY, "no memory for the result");
    return belayi_statement_close(s, &rows->running, call, &error);
}

belay_rows *belay_stream_at(belay_session *s, belay_place place, const char *sql, size_t n, const belay_value *values)
{
    if (!belayi_session_enter(s))
        return NULL;
    belay_rows *rows = new_rows(s, place);
    if (rows) {
        rows->sql = sql ? strdup(sql) : NULL;
        rows->call = (belayi_call){rows->sql, n, values, place, BELAYI_USE_STREAM};
        bool copied = rows->sql || !sql;
        if (!copied)
            raise_no_memory(s, place);
        if (copied && start_stream(s, rows) == BELAY_OK) {
            join_session(rows, s);
            s->stream = rows;
        } else {
            free_rows(rows);
            rows = NULL;
        }
    }
    belayi_session_leave(s);
    return rows;
}

belay_rows *belay_stream_values(belay_session *s, const char *sql, size_t n, const belay_value *values)
{
    return belay_stream_at(s, (belay_place){0}, sql, n, values);
}

static bool is_stream(const belay_rows *rows)
{
    return rows->session && rows->session->stream == rows;
}

static bool next_of_stream(belay_rows *rows)
{
    belay_error error;
    belay_statement *statement = belayi_running_statement(&rows->running);
    const belay_driver *driver = statement->conn->driver;
    belay_session *s = rows->session;
    belay_step step = driver->step(statement, rows->rows[0], &s->effect, &error);
    rows->current = step == BELAY_STEP_ROW ? rows->rows[0] : NULL;
    rows->running.rows += rows->current != NULL;
    if (rows->current)
        return true;
    driver->finish(statement);
    close_stream(rows, step == BELAY_STEP_ERROR ? &error : NULL);
    return false;
}

/* Ends the stream at the engine. The rows become empty. */
static void stop_stream(belay_rows *rows)
{
    belay_statement *statement = belayi_running_statement(&rows->running);
    statement->conn->driver->finish(statement);
    close_stream(rows, NULL);
}

bool belayi_session_stop_stream(belay_session *s, uint64_t serial)
{
    belay_rows *rows = s->stream;
    if (!rows || rows->serial != serial)
        return false;
    belay_statement *statement = belayi_running_statement(&rows->running);
    statement->conn->driver->finish(statement);
    belayi_link_put(rows->running.link, rows->running.cached);
    rows->running.cached = NULL;
    belayi_statement_tell(s, &rows->call, &rows->running, BELAY_OK);
    s->stream = NULL;
    rows->current = NULL;
    return true;
}

/* ---- Reading
 * ------------------------------------------------------------------------------------------------------------------------
 */

bool belay_next(belay_rows *rows)
{
    if (!rows)
        return false;
    if (is_stream(rows)) {
        belay_session *s = rows->session;
        if (!belayi_session_enter(s))
            return false;
        bool more = is_stream(rows) && next_of_stream(rows);
        belayi_session_leave(s);
        return more;
    }
    if (rows->sql)
        return false; /* a stream that has ended */
    rows->current = rows->position < rows->count ? rows->rows[rows->position++] : NULL;
    return rows->current != NULL;
}

void belay_rows_close(belay_rows *rows)
{
    if (!rows)
        return;
    belay_session *s = rows->session;
    if (s && belayi_session_enter_to_end(s)) {
        if (is_stream(rows))
            stop_stream(rows);
        leave_session(rows);
        belayi_session_leave(s);
    }
    free_rows(rows);
}

void belayi_rows_cleanup(belay_rows **rows)
{
    belay_rows_close(*rows);
}
