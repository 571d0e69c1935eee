/*
 * cell.c - the values of a row, as the caller asks for them.
 */
#include "cell.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"
#include "rows.h"

/* ---- Conversions ------------------------------------------------------------------------------------------------ */

static bool refuse_cell(const belay_value *cell, const char *wanted, belay_error *error)
{
    static const char *const names[] = {"NULL", "bool", "integer", "integer",  "double",
                                        "text", "blob", "decimal", "timestamp"};
    belayi_report(error, BELAY_DATA, "the value is a %s that is no %s", names[cell->type], wanted);
    return false;
}

/* A NUL-terminated text that strtoll and strtod may see: no blanks before it, nothing behind it. */
static bool is_plain_number(const char *text, size_t size)
{
    return size > 0 && strlen(text) == size && text[0] != ' ' && (text[0] < '\t' || text[0] > '\r');
}

static bool text_to_integer(const belay_value *cell, int64_t *out)
{
    const char *text = cell->as.data;
    char *end;
    if (!is_plain_number(text, cell->size))
        return false;
    errno = 0;
    *out = strtoll(text, &end, 10);
    return errno == 0 && *end == '\0';
}

static bool real_to_integer(double real, int64_t *out)
{
    if (!(real >= -9223372036854775808.0 && real < 9223372036854775808.0) || trunc(real) < real || trunc(real) > real)
        return false;
    *out = (int64_t)real;
    return true;
}

bool belayi_cell_to_integer(const belay_value *cell, int64_t *out_number, belay_error *error)
{
    bool good = false;
    *out_number = 0;
    switch (cell->type) {
    case BELAY_TYPE_NULL:
        return true;
    case BELAY_TYPE_BOOL:
    case BELAY_TYPE_INT:
    case BELAY_TYPE_TIMESTAMP:
        *out_number = cell->as.integer;
        return true;
    case BELAY_TYPE_DOUBLE:
        good = real_to_integer(cell->as.real, out_number);
        break;
    case BELAY_TYPE_TEXT:
    case BELAY_TYPE_DECIMAL:
        good = text_to_integer(cell, out_number);
        break;
    case BELAY_TYPE_UINT:
    case BELAY_TYPE_BLOB:
        break;
    }
    if (!good)
        *out_number = 0;
    return good || refuse_cell(cell, "64-bit integer", error);
}

static bool text_to_real(const belay_value *cell, double *out)
{
    const char *text = cell->as.data;
    char *end;
    /* strtod also reads hexadecimal, "inf" and "nan", which are no numbers of SQL's. */
    if (!is_plain_number(text, cell->size) || strspn(text, "+-.0123456789eE") != cell->size)
        return false;
    *out = strtod(text, &end);
    return *end == '\0';
}

bool belayi_cell_to_real(const belay_value *cell, double *out_number, belay_error *error)
{
    int64_t integer;
    *out_number = 0.0;
    if (cell->type == BELAY_TYPE_DOUBLE) {
        *out_number = cell->as.real;
        return true;
    }
    if (cell->type == BELAY_TYPE_TEXT || cell->type == BELAY_TYPE_DECIMAL) {
        if (text_to_real(cell, out_number))
            return true;
        *out_number = 0.0;
        return refuse_cell(cell, "number", error);
    }
    if (cell->type == BELAY_TYPE_BLOB || !belayi_cell_to_integer(cell, &integer, error))
        return refuse_cell(cell, "number", error);
    *out_number = (double)integer;
    return true;
}

/* As SQLite writes it: 15 digits, and always recognisable as no integer. */
static size_t write_real(double real, char *out, size_t room)
{
    if (real == 0.0)
        return (size_t)snprintf(out, room, "0.0"); /* also the negative one */
    if (isinf(real))
        return (size_t)snprintf(out, room, real < 0 ? "-Inf" : "Inf");
    int size = snprintf(out, room, "%.15g", real);
    if (strpbrk(out, ".n"))
        return (size_t)size;
    char *exponent = strchr(out, 'e');
    size_t at = exponent ? (size_t)(exponent - out) : (size_t)size;
    memmove(out + at + 2, out + at, (size_t)size - at + 1);
    out[at] = '.';
    out[at + 1] = '0';
    return (size_t)size + 2;
}

size_t belayi_cell_write(const belay_value *cell, char *out, size_t room)
{
    if (cell->type == BELAY_TYPE_DOUBLE)
        return write_real(cell->as.real, out, room);
    return (size_t)snprintf(out, room, "%" PRId64, cell->as.integer);
}

/* ---- The columns of a row --------------------------------------------------------------------------------------- */

static void raise_in_session(const belay_rows *rows, belay_error *error)
{
    belay_session *s = rows->session;
    if (!s || !belayi_session_enter(s))
        return;
    belayi_session_raise(s, (belay_place){0}, error);
    belayi_session_leave(s);
}

/* NULL when there is no such value, which is misuse. */
static const belay_value *find_cell(const belay_rows *rows, int column)
{
    if (!rows)
        return NULL;
    if (rows->current && column >= 0 && column < rows->columns)
        return &rows->current[column];
    belay_error error;
    if (rows->current)
        belayi_report(&error, BELAY_MISUSE, "there is no column %d: the result has %d, counted from 0", column,
                      rows->columns);
    else
        belayi_report(&error, BELAY_MISUSE, "no row is being read: call belay_next first, and stop when it is false");
    raise_in_session(rows, &error);
    return NULL;
}

int belay_columns(const belay_rows *rows)
{
    return rows ? rows->columns : 0;
}

const char *belay_column_name(const belay_rows *rows, int column)
{
    return rows && column >= 0 && column < rows->columns ? rows->names[column] : NULL;
}

int belay_column(const belay_rows *rows, const char *name)
{
    for (int i = 0; rows && name && i < rows->columns; i++)
        if (strcmp(rows->names[i], name) == 0)
            return i;
    return -1;
}

belay_type belay_type_of(const belay_rows *rows, int column)
{
    const belay_value *cell = find_cell(rows, column);
    return cell ? cell->type : BELAY_TYPE_NULL;
}

bool belay_is_null(const belay_rows *rows, int column)
{
    return belay_type_of(rows, column) == BELAY_TYPE_NULL;
}

static void name_column(const belay_rows *rows, int column, belay_error *error)
{
    BELAYI_REPORT_FIELD(error->column, rows->names[column]);
    BELAYI_REPORT_FORMAT(error->detail, "column %d, \"%s\"", column, rows->names[column]);
    raise_in_session(rows, error);
}

int64_t belay_int(const belay_rows *rows, int column)
{
    int64_t number = 0;
    belay_error error;
    const belay_value *cell = find_cell(rows, column);
    if (cell && !belayi_cell_to_integer(cell, &number, &error))
        name_column(rows, column, &error);
    return number;
}

double belay_double(const belay_rows *rows, int column)
{
    double number = 0.0;
    belay_error error;
    const belay_value *cell = find_cell(rows, column);
    if (cell && !belayi_cell_to_real(cell, &number, &error))
        name_column(rows, column, &error);
    return number;
}

static bool is_bytes(const belay_value *cell)
{
    return cell->type == BELAY_TYPE_TEXT || cell->type == BELAY_TYPE_BLOB || cell->type == BELAY_TYPE_DECIMAL;
}

const char *belay_str(const belay_rows *rows, int column)
{
    const belay_value *cell = find_cell(rows, column);
    if (!cell || cell->type == BELAY_TYPE_NULL)
        return NULL;
    if (is_bytes(cell))
        return cell->as.data;
    belayi_cell_write(cell, rows->numbers[column], BELAYI_NUMBER_ROOM);
    return rows->numbers[column];
}

const void *belay_bytes(const belay_rows *rows, int column)
{
    return belay_str(rows, column);
}

size_t belay_size(const belay_rows *rows, int column)
{
    const belay_value *cell = find_cell(rows, column);
    if (!cell || cell->type == BELAY_TYPE_NULL)
        return 0;
    return is_bytes(cell) ? cell->size : belayi_cell_write(cell, rows->numbers[column], BELAYI_NUMBER_ROOM);
}
