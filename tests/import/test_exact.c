/*
 * test_exact.c - the random proof: rows of a table through belayi_many_insert have the same fate as each by itself
 * between savepoints, on the engine of BELAY_TEST_URL.
 *
 * Of each case (exact.h) both ways are written down, all that a program can see: which row was rejected and why, what
 * each call returned, how the transaction ended, and what all tables hold then. Options: --tables N, --seed S,
 * --largest ROWS, --only SEED, which runs one case, as a failing one prints it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "database.h"
#include "exact.h"
#include "many.h"
#include "session.h"

static struct {
    uint64_t seed, only;
    size_t largest;
    int tables;
} settings = {.seed = 1, .largest = 6000, .tables = 60};

/* One way of the two. */
typedef struct side {
    exact_case *c;
    belay_session *s;
    bool row_by_row;
    bool over; /* the transaction was ended */
    exact_text seen;
    size_t rejected, last_row; /* of all rows, the first of the call that is made */
    int64_t changes;
} side;

/* ---- What is seen ----------------------------------------------------------------------------------------------- */

/* Generated numbers, which rejected rows may burn, become a #. */
static void hide_numbers(char *text)
{
    char *to = text;
    for (const char *from = text; *from;) {
        size_t digits = strspn(from, "0123456789");
        if (digits == 7 && *from == '1') {
            *to++ = '#';
            from += digits;
        } else {
            size_t size = digits > 0 ? digits : 1;
            memmove(to, from, size);
            to += size;
            from += size;
        }
    }
    *to = '\0';
}

static void hide(const exact_case *c, belay_error *e)
{
    char *row = c->hide_rows ? strstr(e->detail, "Failing row contains") : NULL;
    if (row)
        *row = '\0';
    if (!c->hide_numbers)
        return;
    hide_numbers(e->message);
    hide_numbers(e->detail);
}

static void see_error(side *d, const belay_error *error)
{
    belay_error e = *error;
    hide(d->c, &e);
    exact_add(&d->seen, "%s outcome %d, %d %s, %s | %s | %s | %s: %s (%s; %s) in %s: %.30s", belay_code_name(e.code),
              (int)e.outcome, e.native_code, e.sqlstate, e.constraint, e.table, e.column, "", e.message, e.detail,
              e.hint, e.scope, e.statement);
}

static void see_rejected(side *d, size_t row, const belay_error *error)
{
    exact_add(&d->seen, "row %zu: ", row);
    see_error(d, error);
    exact_add(&d->seen, "\n");
    d->rejected++;
}

static unsigned hash(const char *text)
{
    unsigned h = 5381;
    for (; *text; text++)
        h = h * 33 + (unsigned char)*text;
    return h;
}

/* A long value is told by what it begins with, its size and its hash. */
static void see_cell(side *d, const belay_rows *rows, int column)
{
    const char *text = belay_is_null(rows, column) ? "NULL" : belay_str(rows, column);
    size_t size = belay_size(rows, column);
    if (belay_type_of(rows, column) == BELAY_TYPE_BLOB) {
        const unsigned char *bytes = belay_bytes(rows, column);
        exact_add(&d->seen, "|blob %zu:", size);
        for (size_t i = 0; i < size && i < 8; i++)
            exact_add(&d->seen, "%02x", bytes[i]);
    } else {
        exact_add(&d->seen, "|%d %zu:%.20s", (int)belay_type_of(rows, column), size, text ? text : "?");
        if (text && size > 20)
            exact_add(&d->seen, " %x", hash(text));
    }
}

static void see_rows(side *d, const char *what, const char *sql)
{
    belay_rows *rows = belay_query(d->s, sql);
    exact_add(&d->seen, "%s%s\n", what, rows ? ":" : " can't be read");
    while (rows && belay_next(rows)) {
        for (int i = 0; i < belay_columns(rows); i++)
            see_cell(d, rows, i);
        exact_add(&d->seen, "\n");
    }
    belay_rows_close(rows);
}

static void see_tables(side *d)
{
    char *sql = NULL;
    exact_text query = {0};
    exact_add(&query, "SELECT %s FROM t ORDER BY n", d->c->shown);
    sql = query.bytes;
    see_rows(d, "t", sql);
    see_rows(d, "audit", "SELECT n, v FROM audit ORDER BY n, v");
    see_rows(d, "parent", "SELECT id, hits FROM parent ORDER BY id");
    free(sql);
}

/* ---- Rows, both ways -------------------------------------------------------------------------------------------- */

static void reject(belay_session *s, size_t row, const belay_error *error, void *arg)
{
    side *d = arg;
    (void)s;
    see_rejected(d, d->last_row + row, error);
}

static const belay_value *row_of(const exact_case *c, size_t row)
{
    return c->values + row * c->column_count;
}

/* One row, as a careful program would have it. False when the transaction is over. */
static bool put_row(side *d, size_t row)
{
    belay_begin(d->s, NULL);
    belay_code code = belay_exec_values(d->s, d->c->insert.bytes, d->c->column_count, row_of(d->c, row));
    int64_t changes = belay_changes(d->s);
    if (code == BELAY_OK)
        code = belay_commit(d->s);
    else
        belay_rollback(d->s);
    if (code == BELAY_OK) {
        d->changes += changes;
        return true;
    }
    if (!belay_catch(d->s, BELAY_ANY))
        return false;
    see_rejected(d, row, belay_caught(d->s));
    return true;
}

/* The rows of a call, with no scope around them or in the one there is. */
static belay_code put_each(side *d, size_t first, size_t count)
{
    bool own = belay_depth(d->s) == 0;
    if (own)
        belay_begin(d->s, NULL);
    for (size_t i = 0; i < count && put_row(d, first + i); i++)
        continue;
    if (own)
        return belay_commit(d->s);
    const belay_error *pending = belay_pending(d->s);
    return pending ? pending->code : BELAY_OK;
}

static belay_code put_all(side *d, size_t first, size_t count)
{
    const exact_case *c = d->c;
    int64_t changes = 0;
    const belayi_insert insert = {.sql = c->insert.bytes,
                                  .target = c->has_target ? &c->target : NULL,
                                  .rows = count,
                                  .columns = c->column_count,
                                  .values = row_of(c, first),
                                  .on_reject = reject,
                                  .arg = d,
                                  .place = BELAY_HERE};
    belay_code code = belayi_many_insert(d->s, &insert, &changes);
    d->changes += changes;
    return code;
}

/* What belay_last_id says: by which row's key it is, where it has one of its own. */
static void see_last_id(side *d)
{
    char sql[100];
    belay_effect effect = d->s->effect;
    exact_add(&d->seen, "the last row matched %" PRId64 "%s", effect.changes, effect.has_last_id ? ", has an id" : "");
    if (effect.has_last_id && d->c->engine == ON_SQLITE)
        exact_add(&d->seen, " %" PRId64, effect.last_id);
    if (effect.has_last_id && d->c->key && !d->over) {
        snprintf(sql, sizeof sql, "SELECT n FROM t WHERE %s = %" PRId64, d->c->key, effect.last_id);
        see_rows(d, ", of the row", sql);
    }
    exact_add(&d->seen, "\n");
}

static void make_call(side *d, const exact_call *call, size_t first)
{
    if (call->before) {
        belay_code code = belay_try(d->s, call->before);
        exact_add(&d->seen, "%s: %s\n", call->before, belay_code_name(code));
    }
    if (call->undone)
        belay_begin(d->s, NULL);
    d->last_row = first;
    d->changes = 0;
    belay_code code = (d->row_by_row ? put_each : put_all)(d, first, call->rows);
    exact_add(&d->seen, "call of %zu rows: %s\n", call->rows, belay_code_name(code));
    d->over = code != BELAY_OK;
    if (!d->over) {
        exact_add(&d->seen, "%" PRId64 " changes\n", d->changes);
        see_last_id(d);
    }
    if (call->undone)
        belay_rollback(d->s);
}

static void make_calls(side *d)
{
    const exact_case *c = d->c;
    size_t first = c->ahead;
    if (!c->bare)
        belay_begin(d->s, BELAY_SCOPE_OPTIONS(.name = "import"));
    if (c->inside && !c->bare)
        belay_exec(d->s, c->inside);
    for (size_t i = 0; i < c->call_count && (!d->over || c->bare); i++) {
        make_call(d, &c->calls[i], first);
        first += c->calls[i].rows;
    }
    if (!c->bare)
        belay_commit(d->s);
    belay_code code = belay_status(d->s);
    exact_add(&d->seen, "the transaction: ");
    if (code != BELAY_OK)
        see_error(d, belay_pending(d->s) ? belay_pending(d->s) : &d->s->status);
    exact_add(&d->seen, "\n");
}

/* ---- A case ----------------------------------------------------------------------------------------------------- */

static void make_tables(side *d)
{
    const exact_case *c = d->c;
    for (size_t i = 0; i < c->made_count; i++)
        if (belay_exec(d->s, c->made[i].bytes) != BELAY_OK)
            fail_msg("seed %" PRIu64 ": %s: %s", c->seed, c->made[i].bytes, belay_message(d->s));
    belay_begin(d->s, NULL);
    for (size_t i = 0; i < c->ahead; i++)
        belay_try_values(d->s, c->insert.bytes, c->column_count, row_of(c, i));
    belay_commit(d->s);
    belay_status(d->s);
}

static void run_side(side *d)
{
    database base;
    database_open(&base, BELAY_DB_OPTIONS(.pool_size = 1));
    d->s = base.s;
    make_tables(d);
    make_calls(d);
    see_tables(d);
    database_close(&base);
}

static void print_case(const exact_case *c)
{
    print_error("seed %" PRIu64 ", %zu rows, %zu of them before, %d of 1000 bad%s%s\n", c->seed, c->row_count, c->ahead,
                c->bad_in_a_thousand, c->bare ? ", no scope" : "", c->has_target ? ", with a target" : "");
    for (size_t i = 0; i < c->made_count; i++)
        print_error("  %s;\n", c->made[i].bytes);
    print_error("  %s;\n  %s;\n", c->inside ? c->inside : "", c->insert.bytes);
}

/* The first lines that are not the same, and the one before. */
static void print_difference(const char *one, const char *two)
{
    const char *before = one, *line = one;
    size_t same = 0;
    while (one[same] && one[same] == two[same]) {
        same++;
        if (one[same - 1] == '\n') {
            before = line;
            line = one + same;
        }
    }
    size_t at = (size_t)(line - one);
    print_error("after:      %.*s\nrow by row: %.*s\ntogether:   %.*s\n", (int)strcspn(before, "\n"), before,
                (int)strcspn(two + at, "\n"), two + at, (int)strcspn(line, "\n"), line);
}

static bool is_same(uint64_t seed)
{
    static exact_case c;
    exact_engine engine = ON_SQLITE;
    const char *url = getenv("BELAY_TEST_URL");
    if (url && *url)
        engine = strncmp(url, "postgres", 8) == 0 ? ON_POSTGRESQL
                 : strncmp(url, "sqlite", 6) == 0 ? ON_SQLITE
                                                  : ON_MARIADB;
    exact_make(&c, engine, seed, settings.largest);
    side together = {.c = &c}, alone = {.c = &c, .row_by_row = true};
    run_side(&together);
    run_side(&alone);
    bool same = strcmp(together.seen.bytes, alone.seen.bytes) == 0;
    if (!same) {
        print_case(&c);
        print_difference(together.seen.bytes, alone.seen.bytes);
        print_error("again: test_exact --only %" PRIu64 " --largest %zu\n\n", seed, settings.largest);
    }
    if (settings.only)
        printf("%s", together.seen.bytes);
    free(together.seen.bytes);
    free(alone.seen.bytes);
    exact_free(&c);
    return same;
}

static void rows_together_have_the_fate_of_each_by_itself(void **state)
{
    enum { ENOUGH = 5 };
    int different = 0;
    (void)state;
    if (settings.only) {
        assert_true(is_same(settings.only));
        return;
    }
    for (int i = 0; i < settings.tables && different < ENOUGH; i++)
        different += !is_same(settings.seed * UINT64_C(100000) + (uint64_t)i);
    assert_int_equal(different, 0);
}

static void read_option(const char *name, const char *value)
{
    uint64_t number = strtoull(value, NULL, 10);
    if (strcmp(name, "--tables") == 0)
        settings.tables = (int)number;
    else if (strcmp(name, "--seed") == 0)
        settings.seed = number;
    else if (strcmp(name, "--only") == 0)
        settings.only = number;
    else if (strcmp(name, "--largest") == 0)
        settings.largest = number;
    else
        abort();
}

int main(int count, char **words)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_together_have_the_fate_of_each_by_itself),
    };
    for (int i = 1; i + 1 < count; i += 2)
        read_option(words[i], words[i + 1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
