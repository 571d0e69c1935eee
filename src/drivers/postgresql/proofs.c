/*
 * proofs.c - rows that look bad: which of them are refused for certain, and with
 * which error, without running each.
 *
 * A row is proven bad when its values fit their types for certain, and then a column
 * that must not be NULL is, or the server says by which rule it is refused, the first
 * in its order. All rules of the table are looked at, by the server's own expressions,
 * with what was copied in place; of a table where anything else could refuse a row
 * nothing is proven (table.c: provable). A verdict counts when in this call an INSERT
 * of a row with the same verdict has failed just so: its error is this row's error
 * too, as errors hold no values. All other rows are run by their own INSERT; where
 * one of them is kept, what was said of later rows that share a key with it is put
 * right. Where an INSERT does not come to what was said of its row, nothing is
 * believed, and all are run.
 *
 * Only under READ COMMITTED: there what the server says is what an INSERT at that
 * moment would have met.
 * Tests: tests/unit/drivers/test_postgresql_copy.c.
 */
#include <stdlib.h>
#include <string.h>

#include "keys.h"
#include "report.h"
#include "store.h"

enum { WORTH_IT = 24, BUFFERED = 2000, BYTES_MOST = 2000 };

/* ---- Values that fit their types for certain -------------------------------------------------------------------- */

static int number_at(const char *text, size_t digits)
{
    int number = 0;
    for (size_t i = 0; i < digits; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        number = 10 * number + text[i] - '0';
    }
    return number;
}

/* "2026-01-02", a day that there was. */
static bool is_date(const char *text, size_t size)
{
    static const int days[] = {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (size != 10 || text[4] != '-' || text[7] != '-')
        return false;
    int year = number_at(text, 4), month = number_at(text + 5, 2), day = number_at(text + 8, 2);
    if (year < 1 || month < 1 || month > 12 || day < 1)
        return false;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return day <= days[month] + (month == 2 && leap);
}

static bool fits_integer(const belayi_pg_column *column, const belay_value *value)
{
    bool integer = value->type == BELAY_TYPE_INT || value->type == BELAY_TYPE_UINT;
    int64_t most = column->bytes == 2 ? INT16_MAX : column->bytes == 4 ? INT32_MAX : INT64_MAX;
    return integer && value->as.integer <= most && value->as.integer >= -most;
}

/* Digits before and behind the point within the column's, so that nothing is rounded. */
static bool fits_number(const belayi_pg_column *column, const belay_value *value)
{
    char text[BELAYI_PG_NUMBER_ROOM];
    const char *at = value->as.data;
    size_t size = value->size, before = 0, behind = 0;
    if (value->type == BELAY_TYPE_INT || value->type == BELAY_TYPE_UINT) {
        belayi_pg_write_number(value, text);
        at = text;
        size = strlen(text);
    } else if (value->type != BELAY_TYPE_DECIMAL) {
        return false;
    }
    const char *point = memchr(at, '.', size);
    before = point ? (size_t)(point - at) : size;
    behind = point ? size - before - 1 : 0;
    if (column->precision < 0)
        return size < BYTES_MOST;
    return column->scale >= 0 && column->scale <= column->precision && behind <= (size_t)column->scale &&
           before <= (size_t)(column->precision - column->scale);
}

static bool fits_text(const belayi_pg_column *column, const belay_value *value)
{
    return value->type == BELAY_TYPE_TEXT && (column->length < 0 || value->size <= (size_t)column->length);
}

/* False when in doubt. */
static bool fits(const belayi_pg_column *column, const belay_value *value)
{
    if (value->type == BELAY_TYPE_NULL)
        return true;
    switch (column->kind) {
    case BELAYI_PG_KIND_INTEGER:
        return fits_integer(column, value);
    case BELAYI_PG_KIND_NUMERIC:
        return fits_number(column, value);
    case BELAYI_PG_KIND_TEXT:
    case BELAYI_PG_KIND_CHAR:
        return fits_text(column, value);
    case BELAYI_PG_KIND_DATE:
        return value->type == BELAY_TYPE_TEXT && is_date(value->as.data, value->size);
    case BELAYI_PG_KIND_BOOL:
        return value->type == BELAY_TYPE_BOOL;
    case BELAYI_PG_KIND_BYTES:
        return value->type == BELAY_TYPE_BLOB;
    case BELAYI_PG_KIND_FLOAT8:
        return value->type == BELAY_TYPE_DOUBLE;
    case BELAYI_PG_KIND_NONE:
    case BELAYI_PG_KIND_FLOAT4:
    case BELAYI_PG_KIND_TIMESTAMP:
    case BELAYI_PG_KIND_MOMENT:
    case BELAYI_PG_KIND_UUID:
    case BELAYI_PG_KIND_ENUM:
    case BELAYI_PG_KIND_OTHER:
        break;
    }
    return false;
}

/* ---- Verdicts --------------------------------------------------------------------------------------------------- */

/* Errors of rows that were run, in the rows' order. */
typedef struct errors {
    belay_error *errors;
    size_t *rows; /* whose they are */
    size_t count, room;
    size_t told; /* of them, to the caller */
} errors;

typedef struct proving {
    belayi_pg_storing *w;
    const size_t *rows;
    size_t count;
    unsigned char *verdicts;
    size_t *some; /* rows, for a question or a run */
    size_t kept;  /* the place of the first that was run and kept */
    bool wrong;   /* an INSERT did not come to what was said of it */
    errors first; /* of those that were run */
} proving;

/* The verdict on values alone. *out_fits: the server can be asked. */
static unsigned char look_at_values(const belayi_pg_storing *w, size_t row, bool *out_fits)
{
    const belay_value *values = belayi_pg_store_row(w, row);
    size_t bytes = 0, null = w->table.count;
    *out_fits = true;
    for (size_t i = 0; i < w->table.count; i++) {
        const belayi_pg_column *columns = w->table.columns;
        *out_fits &= fits(&columns[i], &values[i]);
        bytes += values[i].size;
        bool missing = columns[i].not_null && values[i].type == BELAY_TYPE_NULL;
        if (missing && (null == w->table.count || columns[i].number < columns[null].number))
            null = i;
    }
    *out_fits &= bytes < BYTES_MOST;
    bool known = *out_fits && null < w->table.count && null < BELAYI_PG_VERDICTS - BELAYI_PG_VERDICT_NULL;
    *out_fits &= null == w->table.count;
    return known ? (unsigned char)(BELAYI_PG_VERDICT_NULL + null) : 0;
}

static belay_code find_verdicts(proving *p, belay_error *error)
{
    belayi_pg_storing *w = p->w;
    size_t asked = 0;
    for (size_t i = 0; i < p->count; i++) {
        bool can_ask;
        p->verdicts[i] = look_at_values(w, p->rows[i], &can_ask);
        if (can_ask)
            p->some[asked++] = p->rows[i];
    }
    unsigned char *rules = malloc(asked + 1);
    if (!rules)
        return BELAY_OK; /* nothing is proven */
    belay_code code =
        asked > 0 && w->table.rule_count > 0 ? belayi_pg_asks_verdicts(w, p->some, asked, rules, error) : BELAY_OK;
    for (size_t i = 0, at = 0; code == BELAY_OK && w->table.rule_count > 0 && at < asked && i < p->count; i++)
        if (p->rows[i] == p->some[at])
            p->verdicts[i] = w->no_asking ? 0 : rules[at++];
    free(rules);
    return code;
}

/* Whether it is the error of that verdict. */
static bool is_so(const belayi_pg_storing *w, unsigned char verdict, const belay_error *why)
{
    static const belay_code codes[] = {[BELAYI_PG_RULE_UNIQUE] = BELAY_UNIQUE,
                                       [BELAYI_PG_RULE_CHECK] = BELAY_CHECK,
                                       [BELAYI_PG_RULE_PARENT] = BELAY_FOREIGN_KEY};
    if (verdict < BELAYI_PG_VERDICT_NULL) {
        const belayi_pg_rule *rule = &w->table.rules[verdict - 1];
        return why->code == codes[rule->kind] && strcmp(why->constraint, rule->name) == 0;
    }
    const char *name = w->table.columns[verdict - BELAYI_PG_VERDICT_NULL].name;
    size_t size = strlen(why->column);
    return why->code == BELAY_NOT_NULL && size + 2 == strlen(name) && memcmp(name + 1, why->column, size) == 0;
}

static bool is_of_other_rows(const belayi_pg_storing *w, unsigned char verdict)
{
    return verdict > 0 && verdict < BELAYI_PG_VERDICT_NULL && w->table.rules[verdict - 1].kind != BELAYI_PG_RULE_CHECK;
}

/* ---- Running what is not proven --------------------------------------------------------------------------------- */

static bool make_room(errors *e, size_t room)
{
    free(e->errors);
    free(e->rows);
    *e = (errors){.errors = malloc(room * sizeof *e->errors), .rows = malloc(room * sizeof *e->rows), .room = room};
    return e->errors && e->rows;
}

static bool keep_error(void *arg, size_t row, belay_error *error)
{
    errors *e = arg;
    if (e->count == e->room)
        return false;
    e->errors[e->count] = *error;
    e->rows[e->count++] = row;
    return true;
}

static size_t place_of(const proving *p, size_t row)
{
    size_t low = 0, high = p->count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (p->rows[middle] <= row)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static belay_code run_some(proving *p, size_t count, belay_error *error)
{
    if (!make_room(&p->first, count))
        return belayi_report(error, BELAY_NO_MEMORY, "no memory for the errors of %zu rows", count);
    return belayi_pg_store_run(p->w, p->some, count, keep_error, &p->first, error);
}

/* Of each verdict one row is run, where none was in this call; and all without one. */
static size_t pick_unproven(proving *p)
{
    bool picked[BELAYI_PG_VERDICTS] = {false};
    size_t count = 0;
    for (size_t i = 0; i < p->count; i++) {
        unsigned char verdict = p->verdicts[i];
        if (verdict > 0 && (p->w->kinds[verdict] || picked[verdict]))
            continue;
        picked[verdict] = true;
        p->some[count++] = p->rows[i];
    }
    return count;
}

/* Those that were run have come to what was said of them, or nothing is believed. Their errors are their own. */
static void compare_with_verdicts(proving *p, size_t count)
{
    for (size_t i = 0, at = 0; i < count; i++) {
        size_t place = place_of(p, p->some[i]);
        unsigned char verdict = p->verdicts[place];
        bool failed = at < p->first.count && p->first.rows[at] == p->some[i];
        if (!failed && p->kept == p->count)
            p->kept = place;
        p->wrong |= verdict > 0 && !(failed && is_so(p->w, verdict, &p->first.errors[at]));
        if (verdict > 0 && !p->wrong && !(p->w->kinds[verdict] = malloc(sizeof(belay_error))))
            p->wrong = true;
        else if (verdict > 0 && !p->wrong)
            *p->w->kinds[verdict] = p->first.errors[at];
        p->verdicts[place] = 0;
        at += failed;
    }
}

/* A row that was kept may have a key in common with later ones: then these are refused for that key, when the server
   looks at it before what they were refused for. False: nobody has seen an error of that kind. */
static bool correct_verdict(proving *p, size_t place, const belayi_pg_keys *kept)
{
    const belayi_pg_table *table = &p->w->table;
    unsigned char verdict = p->verdicts[place];
    for (size_t i = 0; i < table->rule_count && is_of_other_rows(p->w, verdict); i++) {
        uint64_t number;
        bool before = table->rules[verdict - 1].kind == BELAYI_PG_RULE_PARENT || i + 1 < verdict;
        if (table->rules[i].kind != BELAYI_PG_RULE_UNIQUE || !before)
            continue;
        const belay_value *row = belayi_pg_store_row(p->w, p->rows[place]);
        if (belayi_pg_key_of(table, &table->rules[i], row, &number) != BELAYI_PG_KEY_KNOWN ||
            !belayi_pg_keys_has(kept, number))
            continue;
        p->verdicts[place] = (unsigned char)(i + 1);
        return p->w->kinds[i + 1] != NULL;
    }
    return true;
}

static bool add_keys(const proving *p, size_t row, belayi_pg_keys *kept)
{
    const belayi_pg_table *table = &p->w->table;
    bool forgot;
    if (!belayi_pg_keys_prepare(kept, table->rule_count, &forgot) || forgot)
        return false;
    for (size_t i = 0; i < table->rule_count; i++) {
        uint64_t number;
        if (table->rules[i].kind == BELAYI_PG_RULE_UNIQUE &&
            belayi_pg_key_of(table, &table->rules[i], belayi_pg_store_row(p->w, row), &number) == BELAYI_PG_KEY_KNOWN)
            belayi_pg_keys_add(kept, number);
    }
    return true;
}

/* What was said of rows behind those that were kept. */
static void correct_verdicts(proving *p)
{
    belayi_pg_keys kept = {0};
    for (size_t i = p->kept, at = 0; i < p->count && !p->wrong; i++) {
        while (at < p->first.count && p->first.rows[at] < p->rows[i])
            at++;
        bool failed = at < p->first.count && p->first.rows[at] == p->rows[i];
        if (p->verdicts[i] > 0)
            p->wrong = !correct_verdict(p, i, &kept);
        else if (!failed)
            p->wrong = !add_keys(p, p->rows[i], &kept);
    }
    belayi_pg_keys_done(&kept);
}

/* ---- Telling ---------------------------------------------------------------------------------------------------- */

static bool has_error(const errors *e, size_t row)
{
    return e->told < e->count && e->rows[e->told] == row;
}

static belay_code tell_row(proving *p, size_t place, belay_error *error)
{
    const belay_each *each = p->w->each;
    size_t row = p->rows[place];
    belay_error why;
    p->w->effect->changes = 1;
    if (has_error(&p->first, row))
        why = p->first.errors[p->first.told++];
    else if (p->verdicts[place] > 0)
        why = *p->w->kinds[p->verdicts[place]];
    else
        return BELAY_OK; /* it was kept */
    p->w->effect->changes = 0;
    if (each->rejected(each->arg, row, &why))
        return BELAY_OK;
    *error = why;
    return error->code;
}

static belay_code tell_all(proving *p, belay_error *error)
{
    belay_code code = BELAY_OK;
    for (size_t i = 0; i < p->count && code == BELAY_OK; i++)
        code = tell_row(p, i, error);
    return code;
}

/* ---- All -------------------------------------------------------------------------------------------------------- */

/* In a savepoint, so that all can be run in their order when it turns out that the verdicts are wrong. */
static belay_code run_unproven(proving *p, size_t count, belay_error *error)
{
    char ignored[32];
    belayi_pg_storing *w = p->w;
    int64_t changes = *w->each->changes;
    if (count == 0)
        return BELAY_OK;
    belay_code code = belayi_pg_command(w->conn, "SAVEPOINT belay_proof", ignored, error);
    if (code == BELAY_OK)
        code = run_some(p, count, error);
    if (code != BELAY_OK)
        return code;
    compare_with_verdicts(p, count);
    correct_verdicts(p);
    if (p->wrong) {
        *w->each->changes = changes;
        code = belayi_pg_command_back(w->conn, "ROLLBACK TO belay_proof", error);
    }
    return code == BELAY_OK ? belayi_pg_command(w->conn, "RELEASE belay_proof", ignored, error) : code;
}

static belay_code prove(proving *p, belay_error *error)
{
    belay_code code = find_verdicts(p, error);
    size_t count = code == BELAY_OK ? pick_unproven(p) : 0;
    bool proves = count <= BUFFERED;
    if (code == BELAY_OK && proves)
        code = run_unproven(p, count, error);
    if (code != BELAY_OK)
        return code;
    return proves && !p->wrong ? tell_all(p, error) : belayi_pg_store_run(p->w, p->rows, p->count, NULL, NULL, error);
}

belay_code belayi_pg_proofs_run(belayi_pg_storing *w, const size_t *rows, size_t count, belay_error *error)
{
    proving p = {.w = w, .rows = rows, .count = count, .kept = count};
    if (count < WORTH_IT || !w->table.provable || w->no_asking)
        return belayi_pg_store_run(w, rows, count, NULL, NULL, error);
    p.verdicts = calloc(count, 1);
    p.some = malloc(count * sizeof *p.some);
    belay_code code = p.verdicts && p.some ? prove(&p, error)
                                           : belayi_report(error, BELAY_NO_MEMORY, "no memory for %zu rows", count);
    free(p.verdicts);
    free(p.some);
    free(p.first.errors);
    free(p.first.rows);
    return code;
}
