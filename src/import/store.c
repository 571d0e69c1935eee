#include "store.h"

#include <stdlib.h>
#include <string.h>

#include <belay/scope.h>
#include <belay/statement.h>

#include "many.h"
#include "report.h"
#include "session.h"

bool belayi_store_init(belayi_store *s)
{
    size_t names = strlen(s->plan->table->quoted);
    for (size_t i = 0; i < s->plan->count; i++)
        names += 2 * strlen(s->plan->columns[i].column->quoted) + 32;
    s->sql_room = 2 * names + 256; /* each name stands at most four times in a statement, with a number */
    s->sql = malloc(s->sql_room);
    s->update_sql = malloc(s->sql_room);
    s->is_written = malloc((s->plan->count + 1) * sizeof *s->is_written);
    s->names = malloc((s->plan->count + 1) * sizeof *s->names);
    return s->sql && s->update_sql && s->is_written && s->names;
}

void belayi_store_done(belayi_store *s)
{
    free(s->sql);
    free(s->update_sql);
    free(s->is_written);
    free(s->names);
    free(s->values);
    *s = (belayi_store){0};
}

/* ---- Statements ------------------------------------------------------------------------------------------------- */

/* A text that grows; there is room for all that is put. */
typedef struct text {
    char *at, *end;
} text;

static void put(text *t, const char *word)
{
    belayi_report_string(t->at, (size_t)(t->end - t->at), word);
    t->at += strlen(t->at);
}

static void put_number(text *t, size_t number)
{
    belayi_report_format(t->at, (size_t)(t->end - t->at), "?%zu", number);
    t->at += strlen(t->at);
}

typedef enum listing { ALL, KEY, NOT_KEY } listing;

static bool is_listed(const belayi_store *s, size_t i, listing which)
{
    return s->is_written[i] && (which == ALL || s->plan->columns[i].is_key == (which == KEY));
}

/* The columns, with their parameters or one of both; `between` them. Returns how many. */
static size_t put_list(text *t, const belayi_store *s, listing which, bool names, const char *sign, bool numbers,
                       const char *between)
{
    size_t number = 0, listed = 0;
    for (size_t i = 0; i < s->plan->count; i++) {
        number += s->is_written[i];
        if (!is_listed(s, i, which))
            continue;
        put(t, listed++ > 0 ? between : "");
        put(t, names ? s->plan->columns[i].column->quoted : "");
        put(t, sign);
        if (numbers)
            put_number(t, number);
    }
    return listed;
}

static void put_names(text *t, const belayi_store *s, listing which)
{
    put_list(t, s, which, true, "", false, ", ");
}

static void put_parameters(text *t, const belayi_store *s)
{
    put_list(t, s, ALL, false, "", true, ", ");
}

static bool has_on_conflict(const belayi_store *s)
{
    return (s->session->db->driver->capabilities & BELAY_HAS_ON_CONFLICT) != 0;
}

/* INSERT INTO table (names) */
static text begin_insert(belayi_store *s)
{
    text t = {s->sql, s->sql + s->sql_room};
    put(&t, "INSERT INTO ");
    put(&t, s->plan->table->quoted);
    put(&t, " (");
    put_names(&t, s, ALL);
    put(&t, ")");
    return t;
}

static void put_on_conflict(text *t, const belayi_store *s)
{
    put(t, " ON CONFLICT (");
    put_names(t, s, KEY);
    put(t, ") DO NOTHING");
}

static void put_where_key(text *t, const belayi_store *s)
{
    put(t, " WHERE ");
    put_list(t, s, KEY, true, " = ", true, " AND ");
}

static void write_insert(belayi_store *s)
{
    bool skips = s->conflict == BELAY_IMPORT_SKIP;
    text t = begin_insert(s);
    put(&t, skips && !has_on_conflict(s) ? " SELECT " : " VALUES (");
    put_parameters(&t, s);
    if (!skips || has_on_conflict(s))
        put(&t, ")");
    if (skips && has_on_conflict(s)) {
        put_on_conflict(&t, s);
    } else if (skips) {
        put(&t, " FROM DUAL WHERE NOT EXISTS (SELECT 1 FROM ");
        put(&t, s->plan->table->quoted);
        put_where_key(&t, s);
        put(&t, ")");
    }
}

/* A record of nothing but its key changes nothing; its row is counted all the same. */
static void write_update(belayi_store *s)
{
    text t = {s->update_sql, s->update_sql + s->sql_room};
    put(&t, "UPDATE ");
    put(&t, s->plan->table->quoted);
    put(&t, " SET ");
    if (put_list(&t, s, NOT_KEY, true, " = ", true, ", ") == 0)
        put_list(&t, s, KEY, true, " = ", true, ", ");
    put_where_key(&t, s);
}

/* ---- Rows that are inserted or skipped -------------------------------------------------------------------------- */

/* Rows of a chunk that have the same columns. */
typedef struct run {
    belayi_store *store;
    size_t first, count;
    size_t columns;            /* of each */
    const belay_value *values; /* of the first */
    size_t refused;
} run;

static void tell(belay_session *session, size_t row, const belay_error *error, void *arg)
{
    run *r = arg;
    (void)session;
    r->refused++;
    r->store->refused(r->store->arg, r->first + row, error);
}

static belay_code insert_rows(belayi_store *s, run *r)
{
    size_t written = 0;
    int64_t changes;
    for (size_t i = 0; i < s->plan->count; i++)
        if (s->is_written[i])
            s->names[written++] = s->plan->columns[i].column->quoted;
    belay_target target = {s->plan->table->quoted, s->names};
    belayi_insert insert = {.sql = s->sql,
                            .target = s->conflict == BELAY_IMPORT_SKIP ? NULL : &target,
                            .rows = r->count,
                            .columns = r->columns,
                            .values = r->values,
                            .on_reject = tell,
                            .arg = r,
                            .place = s->place};
    belay_code code = belayi_many_insert(s->session, &insert, &changes);
    if (code != BELAY_OK)
        return code;
    uint64_t kept = r->count - r->refused;
    uint64_t inserted = s->conflict == BELAY_IMPORT_SKIP ? (uint64_t)changes : kept;
    s->stored.inserted += inserted;
    s->stored.skipped += kept - inserted;
    return BELAY_OK;
}

/* ---- Rows that are updated or inserted -------------------------------------------------------------------------- */

/* One row by that statement: how many it has matched, and whether it was refused, are in *out_changes and r->refused.
 */
static belay_code put_one(belayi_store *s, run *r, const char *sql, int64_t *out_changes)
{
    belayi_insert one = {.sql = sql,
                         .rows = 1,
                         .columns = r->columns,
                         .values = r->values,
                         .on_reject = tell,
                         .arg = r,
                         .place = s->place};
    return belayi_many_insert(s->session, &one, out_changes);
}

/* BELAY_OK when the row was dealt with. */
static belay_code put_row(belayi_store *s, run row)
{
    int64_t changes;
    belay_code code = put_one(s, &row, s->update_sql, &changes);
    if (code != BELAY_OK || row.refused > 0)
        return code;
    if (changes > 0) {
        s->stored.updated++;
        return BELAY_OK;
    }
    code = put_one(s, &row, s->sql, &changes);
    s->stored.inserted += code == BELAY_OK && row.refused == 0;
    return code;
}

static belay_code put_rows(belayi_store *s, run *r)
{
    belay_code code = BELAY_OK;
    for (size_t row = 0; row < r->count && code == BELAY_OK; row++)
        code = put_row(
            s,
            (run){.store = s, .first = r->first + row, .columns = r->columns, .values = r->values + row * r->columns});
    return code;
}

/* ---- A chunk ---------------------------------------------------------------------------------------------------- */

static uint64_t left_out(const belayi_chunk *chunk, size_t row)
{
    return chunk->entries[chunk->row_entries[row]].left_out;
}

/* The values of rows that leave out some of the plan's columns, one after the other. */
static bool pack(belayi_store *s, const belayi_chunk *chunk, run *r)
{
    size_t count = s->plan->count, needed = r->count * r->columns;
    if (needed > s->values_room) {
        belay_value *more = realloc(s->values, needed * sizeof *more);
        if (!more)
            return false;
        s->values = more;
        s->values_room = needed;
    }
    belay_value *out = s->values;
    for (size_t row = r->first; row < r->first + r->count; row++)
        for (size_t i = 0; i < count; i++)
            if (s->is_written[i])
                *out++ = chunk->values[row * count + i];
    r->values = s->values;
    return true;
}

static void write_columns(belayi_store *s, uint64_t without)
{
    for (size_t i = 0; i < s->plan->count; i++)
        s->is_written[i] = i >= 64 || (without >> i & 1) == 0;
    write_insert(s);
    if (s->conflict == BELAY_IMPORT_UPDATE)
        write_update(s);
}

static belay_code store_run(belayi_store *s, const belayi_chunk *chunk, size_t first, size_t count)
{
    run r = {.store = s, .first = first, .count = count, .values = chunk->values + first * s->plan->count};
    write_columns(s, left_out(chunk, first));
    for (size_t i = 0; i < s->plan->count; i++)
        r.columns += s->is_written[i];
    if (r.columns < s->plan->count && !pack(s, chunk, &r))
        return belay_fail_at(s->session, s->place, BELAY_NO_MEMORY, "no memory for the rows of an import");
    return s->conflict == BELAY_IMPORT_UPDATE ? put_rows(s, &r) : insert_rows(s, &r);
}

belay_code belayi_store_chunk(belayi_store *s, const belayi_chunk *chunk)
{
    belay_code code = BELAY_OK;
    s->stored = (belayi_stored){0};
    for (size_t first = 0, next; first < chunk->rows && code == BELAY_OK; first = next) {
        for (next = first + 1; next < chunk->rows && left_out(chunk, next) == left_out(chunk, first);)
            next++;
        code = store_run(s, chunk, first, next - first);
    }
    return code;
}

belay_code belayi_store_try_out(belayi_store *s)
{
    write_columns(s, 0);
    if (s->conflict != BELAY_IMPORT_SKIP || !has_on_conflict(s))
        return BELAY_OK;
    text t = begin_insert(s);
    put(&t, " SELECT ");
    put_names(&t, s, ALL);
    put(&t, " FROM ");
    put(&t, s->plan->table->quoted);
    put(&t, " WHERE 1 = 0");
    put_on_conflict(&t, s);
    return belay_exec_at(s->session, s->place, s->sql, 0, NULL);
}
