/*
 * bulk.c - many rows of a target in one statement: INSERT IGNORE, its parameters bound as arrays.
 *
 * The server stores the rows in order, skips each that fails, and notes why and which it was (conditions.c). That is as
 * if each had been inserted alone, as long as all conditions are of the kind for which IGNORE leaves out the row. For
 * other kinds IGNORE changes the value: then the chunk is undone to its savepoint, and run again without these rows,
 * the suspects. A suspect is run as a statement of its own behind the chunk, and must fail with an error that comes
 * from its values alone, whatever is in the table: then it does not matter that it came later. When anything is not as
 * it was expected, the chunk is undone, and its rows fly (flight.c). So what is guessed here changes the speed only:
 * that a NULL will be refused in a column that has refused one before, say.
 *
 * The statement has two rows: a check that fails is a reason to leave the row out only where there are several
 * (measured on 10.11). Its parameters are those of the rows 0, 2, 4, ..., and those of the rows 1, 3, 5, ... A column's
 * values must all be of one type, which is sent once: a chunk ends before one of another. Tests:
 * tests/unit/drivers/test_mariadb_each.c, tests/import/test_exact.c.
 */
#include <mysqld_error.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "chunk.h"
#include "report.h"

/* ---- The statement and its memory ------------------------------------------------------------------------------- */

enum {
    SLOTS = BELAYI_MARIADB_BULK_SLOTS,
    MOST_ROWS = 8192,
    MOST_CELLS = 65536,
    CHUNK_BYTES = 1 << 20,
    LARGE_ROW = 65536,
    SHORTEST = 64,     /* chunk */
    WITH_ROWS = 100700 /* the first version that tells the rows of conditions */
};

void belayi_mariadb_free_bulk(belayi_mariadb_bulk *b)
{
    if (!b)
        return;
    belayi_mariadb_finalize(b->insert);
    free(b->data);
    free(b->sizes);
    free(b->nulls);
    free(b->moments);
    free(b->binds);
    free(b->types);
    free(b->refuses_null);
    free(b->rows);
    free(b->fates);
    free(b->reasons);
    free(b->errors);
    free(b);
}

static bool make_memory(belayi_mariadb_bulk *b, size_t columns)
{
    size_t most = MOST_CELLS / columns < 2 ? 2 : MOST_CELLS / columns;
    b->columns = columns;
    b->room = (most > MOST_ROWS ? MOST_ROWS : most) / SLOTS * SLOTS;
    b->length = b->room;
    b->data = calloc(b->room * columns, sizeof *b->data);
    b->sizes = calloc(b->room * columns, sizeof *b->sizes);
    b->nulls = calloc(b->room * columns, 1);
    b->binds = calloc(SLOTS * columns, sizeof *b->binds);
    b->types = calloc(columns, sizeof *b->types);
    b->refuses_null = calloc(columns, sizeof *b->refuses_null);
    b->rows = calloc(b->room, sizeof *b->rows);
    b->fates = calloc(b->room, 1);
    b->reasons = calloc(b->room, sizeof *b->reasons);
    return b->data && b->sizes && b->nulls && b->binds && b->types && b->refuses_null && b->rows && b->fates &&
           b->reasons;
}

/* "INSERT IGNORE INTO table (names) VALUES (?,?),(?,?)"; NULL: no memory. */
static char *write_text(const belay_target *target, size_t columns)
{
    static const char verb[] = "INSERT IGNORE INTO ";
    size_t size = sizeof verb + strlen(target->table) + 32 + SLOTS * (2 * columns + 4);
    for (size_t i = 0; i < columns; i++)
        size += strlen(target->names[i]) + 1;
    char *text = malloc(size), *at = text;
    if (!text)
        return NULL;
    at = stpcpy(stpcpy(stpcpy(at, verb), target->table), " (");
    for (size_t i = 0; i < columns; i++)
        at = stpcpy(stpcpy(at, i > 0 ? "," : ""), target->names[i]);
    at = stpcpy(at, ") VALUES ");
    for (size_t slot = 0; slot < SLOTS; slot++) {
        at = stpcpy(at, slot > 0 ? ",(" : "(");
        for (size_t i = 0; i < columns; i++)
            at = stpcpy(at, i > 0 ? ",?" : "?");
        at = stpcpy(at, ")");
    }
    return text;
}

static belay_code prepare_text(belayi_mariadb_each_run *r, belayi_mariadb_bulk *b, char *text, belay_error *error)
{
    unsigned places = (unsigned)(SLOTS * b->columns);
    unsigned *order = calloc(places, sizeof *order);
    belayi_sql sql = {.kind = BELAYI_SQL_INSERT, .text = text, .size = strlen(text), .places = places, .order = order};
    sql.parameters = places;
    if (!order)
        return belayi_report(error, BELAY_NO_MEMORY, "no memory for a statement");
    belay_code code = belayi_mariadb_prepare(&r->conn->base, &sql, &b->insert, error);
    free(order);
    return code;
}

static belay_code make_bulk(belayi_mariadb_each_run *r, belay_error *error)
{
    belayi_mariadb_bulk *b = r->s->bulk = calloc(1, sizeof *b);
    char *text = b && make_memory(b, r->each->columns) ? write_text(r->each->target, b->columns) : NULL;
    belay_code code =
        text ? prepare_text(r, b, text, error) : belayi_report(error, BELAY_NO_MEMORY, "no memory for many rows");
    free(text);
    if (code != BELAY_OK) {
        belayi_mariadb_free_bulk(b);
        r->s->bulk = NULL;
    }
    return code;
}

/* ---- Whether it can be tried ------------------------------------------------------------------------------------ */

bool belayi_mariadb_is_column(const char *name, const char *bare)
{
    size_t size = strlen(bare);
    if (name[0] == '`')
        return strncasecmp(name + 1, bare, size) == 0 && strcmp(name + 1 + size, "`") == 0;
    return strcasecmp(name, bare) == 0;
}

/* Keys that the server generates depend on the rows before, and only the effect of a row by itself tells them: all rows
   must bring theirs. */
static bool brings_keys(const belayi_mariadb_each_run *r, size_t column)
{
    for (size_t row = 0; row < r->each->rows; row++) {
        const belay_value *value = &belayi_mariadb_each_row(r, row)[column];
        if (value->type != BELAY_TYPE_INT || value->as.integer <= 0)
            return false;
    }
    return true;
}

static bool fits_generated_key(belayi_mariadb_each_run *r)
{
    const belayi_mariadb_vetted *vetted = &r->conn->vetted;
    if (!vetted->has_generated_key)
        return true;
    for (size_t i = 0; i < r->each->columns; i++)
        if (belayi_mariadb_is_column(r->each->target->names[i], vetted->generated_key)) {
            r->key = &r->each->values[i];
            return brings_keys(r, i);
        }
    return false;
}

static bool takes_arrays(const belayi_mariadb_conn *conn)
{
    unsigned capabilities = 0;
    return mysql_get_server_version(conn->db) >= WITH_ROWS &&
           mariadb_get_infov(conn->db, MARIADB_CONNECTION_EXTENDED_SERVER_CAPABILITIES, &capabilities) == 0 &&
           capabilities & (unsigned)(MARIADB_CLIENT_STMT_BULK_OPERATIONS >> 32);
}

belay_code belayi_mariadb_prepare_bulk(belayi_mariadb_each_run *r, bool *out_can, belay_error *error)
{
    *out_can = r->each->target && r->each->columns > 0 && r->each->columns <= BELAYI_PARAMETERS_MAX / SLOTS &&
               takes_arrays(r->conn) && fits_generated_key(r);
    if (!*out_can || r->s->bulk)
        return BELAY_OK;
    belay_code code = make_bulk(r, error);
    *out_can = code == BELAY_OK;
    if (code == BELAY_OK || code == BELAY_NO_MEMORY || code == BELAY_TIMEOUT || r->conn->lost)
        return code;
    return belayi_mariadb_check_open(r->conn, error); /* the rows fly */
}

/* ---- Values ----------------------------------------------------------------------------------------------------- */

static belay_code set_cell(belayi_mariadb_bulk *b, size_t cell, const belay_value *value)
{
    b->nulls[cell] = value->type == BELAY_TYPE_NULL ? STMT_INDICATOR_NULL : STMT_INDICATOR_NONE;
    b->sizes[cell] = (unsigned long)value->size;
    if (value->type == BELAY_TYPE_TIMESTAMP) {
        if (!b->moments && !(b->moments = calloc(b->room * b->columns, sizeof *b->moments)))
            return BELAY_NO_MEMORY;
        belayi_values_timestamp(value->as.integer, b->moments[cell]);
        b->data[cell].text = b->moments[cell];
        b->sizes[cell] = (unsigned long)strlen(b->moments[cell]);
    } else if (value->type == BELAY_TYPE_DOUBLE) {
        b->data[cell].real = value->as.real;
    } else if (belayi_mariadb_type_of(value->type) == MYSQL_TYPE_LONGLONG) {
        b->data[cell].integer = value->as.integer;
    } else {
        b->data[cell].text = value->type != BELAY_TYPE_NULL && value->as.data ? value->as.data : "";
    }
    return BELAY_OK;
}

/* The cells of a column lie together: first those of slot 0, then those of slot 1. */
static belay_code set_row(belayi_mariadb_bulk *b, const belay_value *values)
{
    size_t half = b->room / SLOTS;
    for (size_t i = 0; i < b->columns; i++)
        if (set_cell(b, (b->sent % SLOTS * b->columns + i) * half + b->sent / SLOTS, &values[i]) != BELAY_OK)
            return BELAY_NO_MEMORY;
    b->rows[b->sent++] = b->count;
    return BELAY_OK;
}

/* Whether the row can be part of the chunk as it is so far; then the chunk's types are also those of it. */
static bool takes_row(belayi_mariadb_bulk *b, const belay_value *values)
{
    belay_error ignored;
    for (size_t i = 0; i < b->columns; i++) {
        enum enum_field_types type = belayi_mariadb_type_of(values[i].type);
        if ((type != MYSQL_TYPE_NULL && b->types[i] != MYSQL_TYPE_NULL && b->types[i] != type) ||
            belayi_mariadb_check_value(&values[i], i + 1, &ignored) != BELAY_OK)
            return false;
    }
    for (size_t i = 0; i < b->columns; i++)
        if (values[i].type != BELAY_TYPE_NULL)
            b->types[i] = belayi_mariadb_type_of(values[i].type);
    return true;
}

static bool is_suspect(const belayi_mariadb_bulk *b, const belay_value *values)
{
    for (size_t i = 0; i < b->columns; i++)
        if (b->refuses_null[i] && values[i].type == BELAY_TYPE_NULL)
            return true;
    return false;
}

static size_t most_bytes(const belayi_mariadb_conn *conn)
{
    uint64_t most = conn->max_packet / 2;
    return most == 0 || most > CHUNK_BYTES ? CHUNK_BYTES : (size_t)most;
}

/* Fills the chunk with rows from b->from on. The number of those that are sent is even. */
static belay_code fill(belayi_mariadb_each_run *r, belayi_mariadb_bulk *b)
{
    size_t left = r->each->rows - b->from, most = left < b->length ? left : b->length;
    size_t bytes = 0, room = most_bytes(r->conn);
    b->count = b->sent = b->suspects = 0;
    for (size_t i = 0; i < b->columns; i++)
        b->types[i] = MYSQL_TYPE_NULL;
    for (most = most < b->room ? most : b->room; b->count < most; b->count++) {
        const belay_value *values = belayi_mariadb_each_row(r, b->from + b->count);
        size_t size = belayi_mariadb_each_bytes(r, b->from + b->count);
        bytes += size;
        if (size > LARGE_ROW || bytes > room || !takes_row(b, values))
            break;
        if (b->fates[b->count] == BELAYI_MARIADB_ROW_SENT && is_suspect(b, values))
            b->fates[b->count] = BELAYI_MARIADB_ROW_SUSPECT;
        if (b->fates[b->count] == BELAYI_MARIADB_ROW_SUSPECT)
            b->suspects++;
        else if (set_row(b, values) != BELAY_OK)
            return BELAY_NO_MEMORY;
    }
    if (b->sent % SLOTS != 0) { /* the chunk ends before the last one that is to be sent */
        b->count = b->rows[--b->sent];
        b->suspects = 0;
        for (size_t i = 0; i < b->count; i++)
            b->suspects += b->fates[i] == BELAYI_MARIADB_ROW_SUSPECT;
    }
    return BELAY_OK;
}

/* ---- Running ---------------------------------------------------------------------------------------------------- */

static bool bind(belayi_mariadb_bulk *b, MYSQL_STMT *native)
{
    size_t half = b->room / SLOTS;
    unsigned count = (unsigned)(b->sent / SLOTS);
    for (size_t i = 0; i < SLOTS * b->columns; i++) {
        enum enum_field_types type = b->types[i % b->columns];
        b->binds[i] = (MYSQL_BIND){.buffer_type = type == MYSQL_TYPE_NULL ? MYSQL_TYPE_STRING : type,
                                   .buffer = &b->data[i * half],
                                   .length = &b->sizes[i * half],
                                   .u.indicator = &b->nulls[i * half]};
    }
    return !mysql_stmt_attr_set(native, STMT_ATTR_ARRAY_SIZE, &count) && !mysql_stmt_bind_param(native, b->binds);
}

belay_code belayi_mariadb_send_chunk(belayi_mariadb_each_run *r, belay_error *error)
{
    belayi_mariadb_conn *conn = r->conn;
    belayi_mariadb_statement *insert = (belayi_mariadb_statement *)r->s->bulk->insert;
    r->marked = false;
    belay_code code = belayi_mariadb_ready(conn, BELAYI_MARIADB_STATEMENT, error);
    if (code == BELAY_OK && !bind(r->s->bulk, insert->native))
        code = belayi_mariadb_fail_statement(insert, error);
    if (code != BELAY_OK)
        return code;
    conn->owed.each = true;
    code = belayi_mariadb_send_ahead(conn, true, error);
    if (code != BELAY_OK)
        return code;
    r->marked = true;
    if (belayi_mariadb_stmt_send(conn, insert->native) == 0 && belayi_mariadb_send_conditions(conn))
        return BELAY_OK;
    conn->lost = true; /* what the server has got of it, nobody knows */
    return belayi_mariadb_fail_statement(insert, error);
}

belay_code belayi_mariadb_read_chunk(belayi_mariadb_each_run *r, belayi_mariadb_conditions *out, belay_error *error)
{
    belayi_mariadb_conn *conn = r->conn;
    belay_error other;
    size_t count = 0;
    conn->base.round_trips++;
    belay_code code = belayi_mariadb_read_answer(conn) == 0
                          ? BELAY_OK
                          : belayi_mariadb_fail_statement((belayi_mariadb_statement *)r->s->bulk->insert, error);
    if (code == BELAY_OK) {
        count = mysql_warning_count(conn->db);
        r->s->bulk->stored = (int64_t)mysql_affected_rows(conn->db);
    }
    belay_code read = belayi_mariadb_read_conditions(conn, count, out, code == BELAY_OK ? error : &other);
    return code == BELAY_OK ? read : code;
}

belay_code belayi_mariadb_fill_chunk(belayi_mariadb_each_run *r, belay_error *error)
{
    if (fill(r, r->s->bulk) == BELAY_OK)
        return BELAY_OK;
    return belayi_report(error, BELAY_NO_MEMORY, "no memory for many rows");
}
