/*
 * values.c - C values as PostgreSQL's, and back.
 *
 * Everything goes as text, but for bytes. A parameter has the type that a literal
 * of the value would have in SQL: a number that of numbers, a text none, so that
 * the server takes it for what stands beside it. A moment goes as text with its
 * offset: it is exact in a timestamptz, and in UTC in a timestamp.
 * Tests: tests/unit/drivers/test_postgresql_values.c.
 */
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conn.h"
#include "report.h"
#include "values.h"

enum {
    OID_BOOL = 16,
    OID_BYTEA = 17,
    OID_INT8 = 20,
    OID_INT2 = 21,
    OID_INT4 = 23,
    OID_OID = 26,
    OID_FLOAT4 = 700,
    OID_FLOAT8 = 701,
    OID_NUMERIC = 1700
};

/* ---- Types ----------------------------------------------------------------------------------------------- */

Oid belayi_pg_value_type(const belay_value *value)
{
    switch (value->type) {
    case BELAY_TYPE_BOOL:
        return OID_BOOL;
    case BELAY_TYPE_INT:
    case BELAY_TYPE_UINT:
        return value->as.integer >= INT32_MIN && value->as.integer <= INT32_MAX ? OID_INT4 : OID_INT8;
    case BELAY_TYPE_DOUBLE:
        return OID_FLOAT8;
    case BELAY_TYPE_DECIMAL:
        return OID_NUMERIC;
    case BELAY_TYPE_BLOB:
        return OID_BYTEA;
    case BELAY_TYPE_NULL:
    case BELAY_TYPE_TEXT:
    case BELAY_TYPE_TIMESTAMP:
        break;
    }
    return 0;
}

bool belayi_pg_type_takes(Oid type, const belay_value *value)
{
    Oid own = belayi_pg_value_type(value);
    if (value->type == BELAY_TYPE_NULL || type == own)
        return true;
    return type == 0 ? value->type != BELAY_TYPE_BLOB : type == OID_INT8 && own == OID_INT4;
}

/* ---- Parameters ------------------------------------------------------------------------------------------ */

/* By hand: printf took a tenth of the client's time of a short statement. */
static void write_integer(int64_t number, char out[BELAYI_PG_NUMBER_ROOM])
{
    char digits[BELAYI_PG_NUMBER_ROOM];
    size_t at = sizeof digits;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    digits[--at] = '\0';
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (number < 0)
        digits[--at] = '-';
    memcpy(out, digits + at, sizeof digits - at);
}

/* Numbers are written with a point, whatever the program's locale has. */
static void write_real(double real, char out[BELAYI_PG_NUMBER_ROOM])
{
    if (isnan(real) || isinf(real)) {
        snprintf(out, BELAYI_PG_NUMBER_ROOM, "%s", isnan(real) ? "NaN" : real < 0 ? "-Infinity" : "Infinity");
        return;
    }
    snprintf(out, BELAYI_PG_NUMBER_ROOM, "%.17g", real);
    char *point = out + strspn(out, "+-0123456789");
    if (*point && *point != 'e')
        *point = '.';
}

static void write_timestamp(int64_t microseconds, char out[BELAYI_PG_NUMBER_ROOM])
{
    char text[BELAYI_TIMESTAMP_SIZE];
    belayi_values_timestamp(microseconds, text);
    /* The server knows no year 0: it is 1 before Christ. */
    bool before = strncmp(text, "0000", 4) == 0;
    snprintf(out, BELAYI_PG_NUMBER_ROOM, "%s%s+00%s", before ? "0001" : "", text + (before ? 4 : 0),
             before ? " BC" : "");
}

bool belayi_pg_is_bytes(const belay_value *value)
{
    return value->type == BELAY_TYPE_TEXT || value->type == BELAY_TYPE_DECIMAL || value->type == BELAY_TYPE_BLOB;
}

void belayi_pg_write_number(const belay_value *value, char out[BELAYI_PG_NUMBER_ROOM])
{
    if (value->type == BELAY_TYPE_DOUBLE)
        write_real(value->as.real, out);
    else if (value->type == BELAY_TYPE_TIMESTAMP)
        write_timestamp(value->as.integer, out);
    else
        write_integer(value->as.integer, out);
}

/* Writes the value's text, with a NUL behind it; returns where it ends. */
static char *write_value(const belay_value *value, char *out)
{
    if (belayi_pg_is_bytes(value)) {
        if (value->size > 0)
            memcpy(out, value->as.data, value->size);
        out[value->size] = '\0';
        return out + value->size + 1;
    }
    belayi_pg_write_number(value, out);
    return out + BELAYI_PG_NUMBER_ROOM;
}

char *belayi_pg_scratch(belayi_pg_conn *conn, size_t size)
{
    if (conn->scratch_room >= size)
        return conn->scratch;
    char *grown = malloc(size);
    if (!grown)
        return NULL;
    free(conn->scratch);
    conn->scratch = grown;
    conn->scratch_room = size;
    return grown;
}

/* The server takes no longer message, and hangs up. Looked at before the values themselves. */
static belay_code check_sizes(size_t n, const belay_value *values, belay_error *error)
{
    enum { BYTES_MOST = (1 << 30) - (1 << 20) };
    size_t left = BYTES_MOST;
    for (size_t i = 0; i < n; i++) {
        bool there = belayi_pg_is_bytes(&values[i]) && values[i].as.data; /* else it is misuse, of any size */
        size_t size = there ? values[i].size : 0;
        if (size > left)
            return belayi_report(error, BELAY_DATA,
                                 "the parameters are too large: the server takes less than 1 GB a statement");
        left -= size;
    }
    return BELAY_OK;
}

static belay_code measure(size_t n, const belay_value *values, size_t *out_size, belay_error *error)
{
    size_t size = n * (sizeof(char *) + 2 * sizeof(int));
    belay_code code = check_sizes(n, values, error);
    for (size_t i = 0; i < n && code == BELAY_OK; i++) {
        code = belayi_values_check(&values[i], i + 1, error);
        size += belayi_pg_is_bytes(&values[i]) ? values[i].size + 1 : BELAYI_PG_NUMBER_ROOM;
    }
    *out_size = size;
    return code;
}

belay_code belayi_pg_write_parameters(belayi_pg_conn *conn, size_t n, const belay_value *values,
                                      belayi_pg_parameters *out, belay_error *error)
{
    size_t size;
    *out = (belayi_pg_parameters){0};
    if (n == 0)
        return BELAY_OK;
    belay_code code = measure(n, values, &size, error);
    if (code != BELAY_OK)
        return code;
    char *memory = belayi_pg_scratch(conn, size);
    if (!memory)
        return belayi_report(error, BELAY_NO_MEMORY, "no memory for the parameters, %zu bytes", size);
    out->texts = (const char **)(void *)memory;
    out->lengths = (int *)(void *)(out->texts + n);
    out->formats = out->lengths + n;
    char *next = (char *)(out->formats + n);
    for (size_t i = 0; i < n; i++) {
        out->texts[i] = values[i].type == BELAY_TYPE_NULL ? NULL : next;
        out->lengths[i] = belayi_pg_is_bytes(&values[i]) ? (int)values[i].size : 0;
        out->formats[i] = values[i].type == BELAY_TYPE_BLOB;
        if (out->texts[i])
            next = write_value(&values[i], next);
    }
    return BELAY_OK;
}

/* ---- Results --------------------------------------------------------------------------------------------- */

static locale_t c_locale;
static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;

static void make_c_locale(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

/* The server's numbers have a point, whatever the program's locale has. */
static double read_real(const char *text)
{
    pthread_once(&c_locale_once, make_c_locale);
    return c_locale ? strtod_l(text, NULL, c_locale) : strtod(text, NULL);
}

static int hex_value(char c)
{
    return c >= 'a' ? c - 'a' + 10 : c - '0';
}

/* "\x0aff" to its bytes, where it stands. False for the form of old servers. */
static bool read_bytes(char *text, belay_value *cell)
{
    size_t size = cell->size / 2 - 1;
    if (text[0] != '\\' || text[1] != 'x')
        return false;
    for (size_t i = 0; i < size; i++)
        text[i] = (char)(hex_value(text[2 + 2 * i]) * 16 + hex_value(text[3 + 2 * i]));
    text[size] = '\0';
    cell->type = BELAY_TYPE_BLOB;
    cell->size = size;
    return true;
}

static bool read_cell(PGresult *result, int column, belay_value *cell)
{
    *cell = (belay_value){.type = BELAY_TYPE_NULL};
    if (PQgetisnull(result, 0, column))
        return true;
    char *text = PQgetvalue(result, 0, column);
    cell->type = BELAY_TYPE_TEXT;
    cell->size = (size_t)PQgetlength(result, 0, column);
    cell->as.data = text;
    switch (PQftype(result, column)) {
    case OID_BOOL:
        *cell = belay_bool(text[0] == 't');
        return true;
    case OID_INT2:
    case OID_INT4:
    case OID_INT8:
    case OID_OID:
        *cell = belay_integer(strtoll(text, NULL, 10));
        return true;
    case OID_FLOAT4:
    case OID_FLOAT8:
        *cell = belay_real(read_real(text));
        return true;
    case OID_NUMERIC:
        cell->type = BELAY_TYPE_DECIMAL;
        return true;
    case OID_BYTEA:
        return read_bytes(text, cell);
    default:
        return true;
    }
}

belay_code belayi_pg_read_row(PGresult *result, belay_value *cells, belay_error *error)
{
    for (int i = 0; i < PQnfields(result); i++)
        if (!read_cell(result, i, &cells[i]))
            return belayi_report(error, BELAY_UNSUPPORTED, "column %d: bytes are only read with bytea_output = hex", i);
    return BELAY_OK;
}
