/*
 * values.c - C values as parameters, columns as C values.
 *
 * Parameters are bound where they lie, for the length of the call. Whole numbers
 * and floating ones come as numbers, decimals and dates as their exact texts,
 * what has the character set `binary` as bytes. A text that is longer than the
 * room for it is fetched again from the row, into more room, which is kept.
 * Tests: tests/unit/drivers/test_mariadb_statements.c.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conn.h"
#include "report.h"
#include "values.h"

/* ---- Parameters ------------------------------------------------------------------------------------------------- */

belay_code belayi_mariadb_check_value(const belay_value *value, size_t number, belay_error *error)
{
    if (value->type != BELAY_TYPE_DOUBLE)
        return belayi_values_check(value, number, error);
    if (isfinite(value->as.real))
        return BELAY_OK;
    return belayi_report(error, BELAY_DATA, "parameter %zu is %s, which MariaDB has no value for", number,
                         isnan(value->as.real) ? "not a number (NaN)" : "infinite");
}

static void bind_data(MYSQL_BIND *bound, enum enum_field_types type, const void *data, size_t size)
{
    bound->buffer_type = type;
    bound->buffer = (void *)(data ? data : "");
    bound->buffer_length = (unsigned long)size;
}

enum enum_field_types belayi_mariadb_type_of(belay_type type)
{
    switch (type) {
    case BELAY_TYPE_BOOL:
    case BELAY_TYPE_INT:
    case BELAY_TYPE_UINT: /* checked to be no more than an integer can be */
        return MYSQL_TYPE_LONGLONG;
    case BELAY_TYPE_DOUBLE:
        return MYSQL_TYPE_DOUBLE;
    case BELAY_TYPE_TEXT:
    case BELAY_TYPE_TIMESTAMP:
        return MYSQL_TYPE_STRING;
    case BELAY_TYPE_BLOB:
        return MYSQL_TYPE_BLOB;
    case BELAY_TYPE_DECIMAL:
        return MYSQL_TYPE_NEWDECIMAL;
    case BELAY_TYPE_NULL:
        break;
    }
    return MYSQL_TYPE_NULL;
}

static void bind_value(MYSQL_BIND *bound, char moment[32], const belay_value *value)
{
    enum enum_field_types type = belayi_mariadb_type_of(value->type);
    memset(bound, 0, sizeof *bound);
    if (value->type == BELAY_TYPE_NULL) {
        bound->buffer_type = type;
    } else if (type == MYSQL_TYPE_LONGLONG || type == MYSQL_TYPE_DOUBLE) {
        bind_data(bound, type, &value->as, sizeof value->as);
    } else if (value->type == BELAY_TYPE_TIMESTAMP) {
        belayi_values_timestamp(value->as.integer, moment);
        bind_data(bound, type, moment, strlen(moment));
    } else {
        bind_data(bound, type, value->as.data, value->size);
    }
}

belay_code belayi_mariadb_check_packet(const belayi_mariadb_conn *conn, size_t size, belay_error *error)
{
    enum { HEAD = 16 }; /* the command around it */
    if (conn->max_packet == 0 || size + HEAD < conn->max_packet)
        return BELAY_OK;
    belayi_report(error, BELAY_DATA, "the statement with its values has %zu bytes, and the server takes %llu", size,
                  (unsigned long long)conn->max_packet);
    BELAYI_REPORT_FIELD(error->hint, "the server's limit is max_allowed_packet");
    return BELAY_DATA;
}

/* Of the values, as they are sent: a type and a length each. */
static size_t packet_size(const belayi_mariadb_statement *s)
{
    enum { TYPE_AND_LENGTH = 12 };
    size_t size = 0;
    for (unsigned i = 0; i < s->places; i++)
        size += s->bound[i].buffer_length + TYPE_AND_LENGTH;
    return size;
}

belay_code belayi_mariadb_bind(belayi_mariadb_statement *s, size_t n, const belay_value *values, belay_error *error)
{
    if (n != s->parameters)
        return belayi_report(error, BELAY_MISUSE, "the statement has %u parameters, and %zu values were given",
                             s->parameters, n);
    for (size_t i = 0; i < n; i++) {
        belay_code code = belayi_mariadb_check_value(&values[i], i + 1, error);
        if (code != BELAY_OK)
            return code;
    }
    for (unsigned i = 0; i < s->places; i++)
        bind_value(&s->bound[i], s->moments[i], &values[s->order[i]]);
    belay_code code = belayi_mariadb_check_packet((const belayi_mariadb_conn *)s->base.conn, packet_size(s), error);
    if (code != BELAY_OK)
        return code;
    if (s->places > 0 && mysql_stmt_bind_param(s->native, s->bound))
        return belayi_mariadb_fail_statement(s, error);
    return BELAY_OK;
}

/* ---- Columns ---------------------------------------------------------------------------------------------------- */

enum { BINARY_CHARSET = 63, FIRST_ROOM = 64 };

static bool is_integer(const MYSQL_FIELD *field)
{
    return field->type == MYSQL_TYPE_TINY || field->type == MYSQL_TYPE_SHORT || field->type == MYSQL_TYPE_INT24 ||
           field->type == MYSQL_TYPE_LONG || field->type == MYSQL_TYPE_LONGLONG || field->type == MYSQL_TYPE_YEAR;
}

static bool is_real(const MYSQL_FIELD *field)
{
    return field->type == MYSQL_TYPE_FLOAT || field->type == MYSQL_TYPE_DOUBLE;
}

static belay_type type_of(const MYSQL_FIELD *field)
{
    switch ((int)field->type) {
    case MYSQL_TYPE_DECIMAL:
    case MYSQL_TYPE_NEWDECIMAL:
        return BELAY_TYPE_DECIMAL;
    case MYSQL_TYPE_GEOMETRY:
        return BELAY_TYPE_BLOB;
    case MYSQL_TYPE_VARCHAR:
    case MYSQL_TYPE_VAR_STRING:
    case MYSQL_TYPE_STRING:
    case MYSQL_TYPE_TINY_BLOB:
    case MYSQL_TYPE_BLOB:
    case MYSQL_TYPE_MEDIUM_BLOB:
    case MYSQL_TYPE_LONG_BLOB:
        return field->charsetnr == BINARY_CHARSET ? BELAY_TYPE_BLOB : BELAY_TYPE_TEXT;
    default:
        return BELAY_TYPE_TEXT;
    }
}

static bool make_room(belayi_mariadb_column *column, unsigned long size)
{
    unsigned long room = column->room ? column->room : FIRST_ROOM;
    while (room < size)
        room *= 2;
    if (room == column->room)
        return true;
    char *data = realloc(column->data, room);
    if (!data)
        return false;
    column->data = data;
    column->room = room;
    return true;
}

static void bind_column(MYSQL_BIND *cell, belayi_mariadb_column *column, const MYSQL_FIELD *field)
{
    memset(cell, 0, sizeof *cell);
    cell->is_null = &column->is_null;
    cell->length = &column->size;
    cell->error = &column->is_cut;
    if (is_integer(field)) {
        cell->buffer_type = MYSQL_TYPE_LONGLONG;
        cell->buffer = &column->number.integer;
        cell->is_unsigned = (field->flags & UNSIGNED_FLAG) != 0;
    } else if (is_real(field)) {
        cell->buffer_type = MYSQL_TYPE_DOUBLE;
        cell->buffer = &column->number.real;
    } else {
        bool bytes = field->type == MYSQL_TYPE_BIT || type_of(field) == BELAY_TYPE_BLOB;
        cell->buffer_type = bytes ? MYSQL_TYPE_BLOB : MYSQL_TYPE_STRING;
        cell->buffer = column->data;
        cell->buffer_length = column->room;
    }
}

static bool grow_columns(belayi_mariadb_statement *s, int columns)
{
    if (columns <= s->room)
        return true;
    belayi_mariadb_column *grown = realloc(s->columns, (size_t)columns * sizeof *grown);
    if (!grown)
        return false;
    s->columns = grown;
    MYSQL_BIND *cells = realloc(s->cells, (size_t)columns * sizeof *cells);
    if (!cells)
        return false;
    s->cells = cells;
    memset(s->columns + s->room, 0, (size_t)(columns - s->room) * sizeof *s->columns);
    s->room = columns;
    return true;
}

bool belayi_mariadb_make_columns(belayi_mariadb_statement *s)
{
    int columns = s->base.columns;
    if (!grow_columns(s, columns))
        return false;
    for (int i = 0; i < columns; i++) {
        if (!make_room(&s->columns[i], 1))
            return false;
        bind_column(&s->cells[i], &s->columns[i], &s->native->fields[i]);
    }
    return !mysql_stmt_bind_result(s->native, s->cells);
}

void belayi_mariadb_free_columns(belayi_mariadb_statement *s)
{
    for (int i = 0; i < s->room; i++)
        free(s->columns[i].data);
    free(s->columns);
    free(s->cells);
}

/* ---- A row ------------------------------------------------------------------------------------------------------ */

static void read_integer(belayi_mariadb_column *column, bool is_unsigned, belay_value *cell)
{
    cell->type = BELAY_TYPE_INT;
    cell->as.integer = column->number.integer;
    if (!is_unsigned || column->number.integer >= 0)
        return;
    int size = snprintf(column->digits, sizeof column->digits, "%llu", (unsigned long long)column->number.integer);
    cell->type = BELAY_TYPE_DECIMAL;
    cell->size = (size_t)size;
    cell->as.data = column->digits;
}

/* Its bytes, the highest first. */
static void read_bits(const belayi_mariadb_column *column, belay_value *cell)
{
    uint64_t bits = 0;
    for (unsigned long i = 0; i < column->size && i < sizeof bits; i++)
        bits = bits << 8 | (unsigned char)column->data[i];
    cell->type = BELAY_TYPE_INT;
    cell->as.integer = (int64_t)bits;
}

/* Fetches the whole of what was cut. */
static bool fetch_again(belayi_mariadb_statement *s, int i)
{
    belayi_mariadb_column *column = &s->columns[i];
    if (!make_room(column, column->size))
        return false;
    s->cells[i].buffer = column->data;
    s->cells[i].buffer_length = column->room;
    return mysql_stmt_fetch_column(s->native, &s->cells[i], (unsigned)i, 0) == 0 &&
           mysql_stmt_bind_result(s->native, s->cells) == 0;
}

static bool read_cell(belayi_mariadb_statement *s, int i, belay_value *cell)
{
    belayi_mariadb_column *column = &s->columns[i];
    const MYSQL_FIELD *field = &s->native->fields[i];
    *cell = (belay_value){.type = BELAY_TYPE_NULL};
    if (column->is_null || field->type == MYSQL_TYPE_NULL)
        return true;
    if (is_integer(field)) {
        read_integer(column, s->cells[i].is_unsigned, cell);
        return true;
    }
    if (is_real(field)) {
        cell->type = BELAY_TYPE_DOUBLE;
        cell->as.real = column->number.real;
        return true;
    }
    if (column->size > column->room && !fetch_again(s, i))
        return false;
    if (field->type == MYSQL_TYPE_BIT) {
        read_bits(column, cell);
        return true;
    }
    cell->type = type_of(field);
    cell->size = column->size;
    cell->as.data = column->data;
    return true;
}

bool belayi_mariadb_read_row(belayi_mariadb_statement *s, belay_value *cells)
{
    for (int i = 0; i < s->base.columns; i++)
        if (!read_cell(s, i, &cells[i]))
            return false;
    return true;
}
