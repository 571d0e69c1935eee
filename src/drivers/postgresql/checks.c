/*
 * checks.c - CHECKs such as (amount > 0::numeric) or ((low <= high) AND (rate < 100)),
 * as the server writes them, evaluated on this side.
 *
 * Only comparisons of columns of numbers with each other and with plain numbers, all
 * joined by AND. As what is found is only a hint, numbers are compared as doubles.
 * Tests: tests/unit/drivers/test_postgresql_copy.c.
 */
#include "checks.h"

#include <string.h>

enum { PARTS = 8 };

typedef struct operand {
    int column; /* of the rows; negative: `number` */
    double number;
} operand;

typedef struct comparison {
    operand left, right;
    bool less, equal, greater; /* when it holds */
} comparison;

struct belayi_pg_check {
    size_t count;
    comparison parts[PARTS];
};

/* ---- Numbers --------------------------------------------------------------------------------------------------- */

/* False where there is anything but digits and a point. *text is moved behind them. */
static bool read_plain(const char **text, const char *end, double *out)
{
    const char *at = *text;
    double number = 0, unit = 1;
    bool negative = at < end && *at == '-', point = false, any = false;
    at += at < end && (*at == '-' || *at == '+');
    for (; at < end && ((*at >= '0' && *at <= '9') || (*at == '.' && !point)); at++) {
        if (*at == '.') {
            point = true;
            continue;
        }
        any = true;
        number = number * 10 + (*at - '0');
        unit *= point ? 10 : 1;
    }
    *out = (negative ? -number : number) / unit;
    *text = at;
    return any;
}

static bool read_value(const belay_value *value, double *out)
{
    const char *text = value->as.data;
    switch (value->type) {
    case BELAY_TYPE_INT:
    case BELAY_TYPE_UINT:
        *out = (double)value->as.integer;
        return true;
    case BELAY_TYPE_DOUBLE:
        *out = value->as.real;
        return true;
    case BELAY_TYPE_TEXT:
    case BELAY_TYPE_DECIMAL:
        return read_plain(&text, text + value->size, out);
    case BELAY_TYPE_NULL:
    case BELAY_TYPE_BOOL:
    case BELAY_TYPE_BLOB:
    case BELAY_TYPE_TIMESTAMP:
        break;
    }
    return false;
}

/* ---- The expression -------------------------------------------------------------------------------------------- */

typedef struct reader {
    const char *at, *end;
    const belayi_pg_table *table;
    struct belayi_pg_check *check;
} reader;

static void skip_spaces(reader *r)
{
    while (r->at < r->end && *r->at == ' ')
        r->at++;
}

static bool take(reader *r, const char *word)
{
    size_t size = strlen(word);
    skip_spaces(r);
    if ((size_t)(r->end - r->at) < size || memcmp(r->at, word, size) != 0)
        return false;
    r->at += size;
    return true;
}

static bool is_number(belayi_pg_kind kind)
{
    return kind == BELAYI_PG_KIND_INTEGER || kind == BELAYI_PG_KIND_NUMERIC || kind == BELAYI_PG_KIND_FLOAT8;
}

/* A name of a column, with its quotes or without: the server leaves them out where it can. */
static bool take_column(reader *r, operand *out)
{
    const char *start = r->at;
    bool quoted = start < r->end && *start == '"';
    size_t size = quoted ? strcspn(start + 1, "\"") : strspn(start, "abcdefghijklmnopqrstuvwxyz0123456789_");
    for (size_t i = 0; i < r->table->count; i++) {
        const belayi_pg_column *column = &r->table->columns[i];
        if (strlen(column->name) != size + 2 || memcmp(column->name + 1, start + quoted, size) != 0)
            continue;
        r->at += size + 2 * (size_t)quoted;
        *out = (operand){.column = (int)i};
        return is_number(column->kind);
    }
    return false;
}

/* ::numeric and the like, which change nothing for a number. */
static void skip_cast(reader *r)
{
    static const char *const casts[] = {"::numeric", "::integer", "::bigint", "::smallint", "::double precision"};
    for (size_t i = 0; i < sizeof casts / sizeof casts[0]; i++)
        if (take(r, casts[i]))
            return;
}

static bool take_operand(reader *r, operand *out)
{
    bool inside = take(r, "("), quoted = take(r, "'");
    bool found;
    skip_spaces(r);
    if (r->at < r->end && (*r->at == '-' || *r->at == '.' || (*r->at >= '0' && *r->at <= '9'))) {
        out->column = -1;
        found = read_plain(&r->at, r->end, &out->number);
    } else {
        found = !quoted && take_column(r, out);
    }
    if (!found || (quoted && !take(r, "'")))
        return false;
    skip_cast(r);
    if (inside && !take(r, ")"))
        return false;
    skip_cast(r);
    return true;
}

static bool take_operator(reader *r, comparison *out)
{
    out->less = out->equal = out->greater = false;
    if (take(r, "<>")) {
        out->less = out->greater = true;
        return true;
    }
    out->less = take(r, "<");
    out->greater = !out->less && take(r, ">");
    out->equal = take(r, "=");
    return out->less || out->greater || out->equal;
}

static bool take_expression(reader *r, int depth);

static bool take_comparison(reader *r)
{
    if (r->check->count == PARTS)
        return false;
    comparison *part = &r->check->parts[r->check->count++];
    return take_operand(r, &part->left) && take_operator(r, part) && take_operand(r, &part->right);
}

/* In parentheses, as the server writes all of them; or a comparison whose left side begins with one. */
static bool take_term(reader *r, int depth)
{
    const char *start = r->at;
    size_t count = r->check->count;
    if (take(r, "(") && take_expression(r, depth + 1) && take(r, ")"))
        return true;
    r->at = start;
    r->check->count = count;
    return take_comparison(r);
}

static bool take_expression(reader *r, int depth)
{
    enum { DEEPEST = 10 };
    if (depth > DEEPEST)
        return false;
    do {
        if (!take_term(r, depth))
            return false;
    } while (take(r, "AND"));
    return true;
}

struct belayi_pg_check *belayi_pg_check_read(belayi_pg_table *table, const char *text)
{
    struct belayi_pg_check *check = belayi_arena_get(&table->memory, sizeof *check);
    if (!check)
        return NULL;
    memset(check, 0, sizeof *check);
    reader r = {text, text + strlen(text), table, check};
    bool read = take_expression(&r, 0);
    skip_spaces(&r);
    return read && r.at == r.end ? check : NULL;
}

/* ---- Looking at a row ------------------------------------------------------------------------------------------ */

/* False for NULL, and what is no number here. */
static bool find_number(const operand *which, const belay_value *row, double *out)
{
    *out = which->number;
    return which->column < 0 || read_value(&row[which->column], out);
}

bool belayi_pg_check_fails(const struct belayi_pg_check *check, const belay_value *row)
{
    for (size_t i = 0; i < check->count; i++) {
        const comparison *part = &check->parts[i];
        double left, right;
        if (!find_number(&part->left, row, &left) || !find_number(&part->right, row, &right))
            continue;
        if (!(left < right ? part->less : left > right ? part->greater : part->equal))
            return true;
    }
    return false;
}
