/*
 * belay_try_many: many rows, each kept or rejected alone, exactly as belay_try does it for each.
 */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 1200, COLUMNS = 4 };

/* ---- The tables, and rows of every kind ---------------------------------------------------------------------- */

static void make_table(belay_session *s, const char *name)
{
    char sql[400];
    snprintf(sql, sizeof sql, "DROP TABLE IF EXISTS %s", name);
    assert_code(belay_exec(s, sql), BELAY_OK);
    snprintf(sql, sizeof sql,
             "CREATE TABLE %s (id INTEGER PRIMARY KEY, number INTEGER UNIQUE, amount INTEGER NOT NULL CHECK (amount >= "
             "0), taken_id INTEGER REFERENCES taken(id))",
             name);
    assert_code(belay_exec(s, sql), BELAY_OK);
}

/* A row that is good, or bad in one of five ways. */
static void make_row(belay_value *row, int id, int bad_in_a_hundred)
{
    int what = rand() % 100 < bad_in_a_hundred ? rand() % 5 + 1 : 0;
    row[0] = BELAY_V(what == 1 && id > 1 ? rand() % (id - 1) + 1 : id); /* there already, unless that row was bad too */
    row[1] = what == 2 ? BELAY_V(7) : id % 10 == 0 ? belay_null() : BELAY_V(100000 + id);
    row[2] = what == 3 ? belay_null() : BELAY_V(what == 4 ? -1 : id);
    row[3] = what == 5 ? BELAY_V(99) : id % 3 == 0 ? belay_null() : BELAY_V(1);
}

static belay_value *make_rows(int rows, int bad_in_a_hundred)
{
    belay_value *values = calloc((size_t)rows, COLUMNS * sizeof *values);
    assert_non_null(values);
    for (int i = 0; i < rows; i++)
        make_row(&values[i * COLUMNS], i + 1, bad_in_a_hundred);
    return values;
}

/* ---- What was rejected --------------------------------------------------------------------------------------- */

typedef struct rejections {
    size_t count, rows[ROWS];
    belay_code codes[ROWS];
    char first[256];
} rejections;

static void note(belay_session *s, size_t row, const belay_error *error, void *arg)
{
    rejections *r = arg;
    (void)s;
    if (r->count == 0)
        snprintf(r->first, sizeof r->first, "%s", error->statement);
    r->rows[r->count] = row;
    r->codes[r->count++] = error->code;
}

static void try_each(belay_session *s, const char *sql, size_t rows, size_t columns, const belay_value *values,
                     rejections *r)
{
    for (size_t i = 0; i < rows; i++)
        if (belay_try_values(s, sql, columns, values + i * columns) != BELAY_OK && belay_status(s) == BELAY_OK)
            note(s, i, belay_caught(s), r);
}

static void assert_same(const rejections *a, const rejections *b)
{
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        assert_int_equal(a->rows[i], b->rows[i]);
        assert_code(a->codes[i], b->codes[i]);
    }
}

/* ---- The same as belay_try ------------------------------------------------------------------------------------- */

static const char into_one[] = "INSERT INTO one (id, number, amount, taken_id) VALUES (?, ?, ?, ?)",
                  into_two[] = "INSERT INTO two (id, number, amount, taken_id) VALUES (?, ?, ?, ?)";

static void compare(world *w, int bad_in_a_hundred)
{
    static rejections one, two;
    size_t kept = 0;
    belay_code code = BELAY_IO;
    belay_value *values = make_rows(ROWS, bad_in_a_hundred);
    one = two = (rejections){0};
    make_table(w->s, "one");
    make_table(w->s, "two");
    BELAY_ATOMIC(w->s) {
        code = belay_try_many(w->s, into_one, ROWS, COLUMNS, values, note, &one, &kept);
    }
    assert_code(code, BELAY_OK);
    assert_status(w->s, BELAY_OK);
    BELAY_ATOMIC(w->s)
        try_each(w->s, into_two, ROWS, COLUMNS, values, &two);
    assert_status(w->s, BELAY_OK);
    assert_same(&one, &two);
    assert_int_equal(kept, ROWS - one.count);
    if (one.count > 0)
        assert_string_equal(one.first, into_one);
    assert_rows(w->other, "SELECT count(*) FROM (SELECT * FROM one EXCEPT SELECT * FROM two) AS more", "0");
    assert_rows(w->other, "SELECT count(*) FROM (SELECT * FROM two EXCEPT SELECT * FROM one) AS more", "0");
    assert_int_equal(belay_int_of(w->other, "SELECT count(*) FROM one"), kept);
    free(values);
    assert_code(belay_exec(w->s, "DROP TABLE one"), BELAY_OK);
    assert_code(belay_exec(w->s, "DROP TABLE two"), BELAY_OK);
}

static void rows_are_kept_or_rejected_as_by_a_try_for_each(void **state)
{
    static const int shares[] = {0, 1, 10, 70};
    srand(7);
    for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++)
        compare(*state, shares[i]);
}

static void rows_outside_any_scope_are_one_transaction(void **state)
{
    world *w = *state;
    size_t kept = 0;
    const belay_value values[] = {BELAY_V(1), BELAY_V(2), BELAY_V(2), BELAY_V(3)};
    assert_code(belay_try_many(w->s, "INSERT INTO item(id) VALUES (?)", 4, 1, values, NULL, NULL, &kept), BELAY_OK);
    assert_int_equal(kept, 3);
    assert_status(w->s, BELAY_OK);
    assert_code(belay_caught(w->s)->code, BELAY_UNIQUE);
    assert_int_equal(belay_changes(w->s), 1);
    assert_stored(w, "1;2;3");
}

static void rows_share_the_fate_of_the_scope_around_them(void **state)
{
    world *w = *state;
    const belay_value values[] = {BELAY_V(2), BELAY_V(1), BELAY_V(3), BELAY_V(4)};
    size_t kept = 0;
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        BELAY_ATOMIC(w->s) {
            belay_try_many(w->s, "INSERT INTO item(id) VALUES (?)", 4, 1, values, NULL, NULL, &kept);
            belay_undo(w->s);
        }
        belay_savepoint(w->s, "here");
        belay_try_many(w->s, "INSERT INTO item(id) VALUES (?)", 4, 1, values, NULL, NULL, &kept);
        belay_rollback_to(w->s, "here");
        belay_try_many(w->s, "INSERT INTO item(id) VALUES (?)", 3, 1, values, NULL, NULL, &kept);
        put(w->s, 9);
    }
    assert_status(w->s, BELAY_OK);
    assert_int_equal(kept, 2);
    assert_stored(w, "1;2;3;9");
}

/* ---- Rows of other kinds --------------------------------------------------------------------------------------- */

static void values_that_are_refused_or_of_other_types_are_tried_in_their_turn(void **state)
{
    static rejections r;
    world *w = *state;
    belay_value values[60];
    size_t kept = 0;
    r = (rejections){0};
    for (int i = 0; i < 30; i++) {
        values[2 * i] = BELAY_V(i % 7 == 6 ? i : i + 1); /* every seventh is there already */
        values[2 * i + 1] = i % 5 == 0   ? belay_null()
                            : i % 5 == 1 ? BELAY_V("text")
                            : i % 5 == 2 ? BELAY_V("\xff")
                                         : belay_text("more", 4);
    }
    BELAY_ATOMIC(w->s) {
        belay_try_many(w->s, "INSERT INTO item(id, note) VALUES (?, ?)", 30, 2, values, note, &r, &kept);
    }
    assert_status(w->s, BELAY_OK);
    assert_int_equal(kept, 30 - r.count);
    for (size_t i = 0; i < r.count; i++)
        assert_code(r.codes[i], r.rows[i] % 5 == 2 ? BELAY_DATA : BELAY_UNIQUE);
    assert_int_equal(r.count, 6 + 2); /* rows 6 and 20; 13 follows one that was refused, and 27 is refused itself */
    assert_int_equal(belay_int_of(w->other, "SELECT count(*) FROM item"), kept);
}

static void what_is_wrong_with_the_call_rejects_every_row(void **state)
{
    static rejections r;
    world *w = *state;
    const belay_value values[] = {BELAY_V(1), BELAY_V(2)};
    size_t kept = 5;
    r = (rejections){0};
    BELAY_ATOMIC(w->s) {
        belay_try_many(w->s, "INSERT INTO nowhere(id) VALUES (?)", 2, 1, values, note, &r, &kept);
        belay_try_many(w->s, "INSERT INTO item(id) VALUES (?)", 1, 2, values, note, &r, NULL);
        belay_try_many(w->s, "COMMIT", 1, 0, NULL, note, &r, NULL);
        put(w->s, 1);
    }
    assert_status(w->s, BELAY_OK);
    assert_int_equal(kept, 0);
    assert_int_equal(r.count, 4);
    assert_code(r.codes[0], BELAY_SCHEMA);
    assert_code(r.codes[1], BELAY_SCHEMA);
    assert_code(r.codes[2], BELAY_MISUSE);
    assert_code(r.codes[3], BELAY_MISUSE);
    assert_stored(w, "1");
}

static void no_rows_are_nothing_and_missing_values_misuse(void **state)
{
    world *w = *state;
    size_t kept = 5;
    assert_code(belay_try_many(w->s, "INSERT INTO item(id) VALUES (?)", 0, 1, NULL, NULL, NULL, &kept), BELAY_OK);
    assert_int_equal(kept, 0);
    assert_code(belay_try_many(w->s, "INSERT INTO item(id) VALUES (?)", 2, 1, NULL, NULL, NULL, NULL), BELAY_MISUSE);
    assert_code(belay_try_many(NULL, "INSERT INTO item(id) VALUES (?)", 2, 1, NULL, NULL, NULL, NULL), BELAY_MISUSE);
    BELAY_ATOMIC(w->s) {
        clash(w->s);
        belay_code refused = belay_try_many(w->s, "SELECT 7", 1, 0, NULL, NULL, NULL, NULL);
        if (refused != BELAY_UNIQUE)
            belay_fail(w->s, BELAY_APPLICATION, "it was not refused");
    }
    assert_status(w->s, BELAY_UNIQUE);
}

static void use_session(belay_session *s, size_t row, const belay_error *error, void *arg)
{
    (void)row;
    (void)error;
    *(belay_code *)arg = belay_exec(s, "INSERT INTO item(id) VALUES (77)");
}

static void a_rejection_cannot_use_the_session(void **state)
{
    world *w = *state;
    const belay_value values[] = {BELAY_V(1), BELAY_V(2), BELAY_V(2), BELAY_V(3)};
    belay_code refused = BELAY_OK;
    BELAY_ATOMIC(w->s) {
        belay_try_many(w->s, "INSERT INTO item(id) VALUES (?)", 4, 1, values, use_session, &refused, NULL);
    }
    assert_code(refused, BELAY_MISUSE);
    assert_status(w->s, BELAY_OK);
    assert_stored(w, "1;2;3");
}

/* ---- What ends it ---------------------------------------------------------------------------------------------- */

static bool is_postgresql(const world *w)
{
    return !database_is_sqlite(&w->d) && !database_is_mariadb(&w->d);
}

/* Runs the statement with 1 to 900, every hundredth twice, on PostgreSQL. */
static belay_code run_until_it_ends(world *w, const char *sql, int timeout_ms, size_t *out_rejected)
{
    static rejections r;
    belay_value values[900];
    belay_code code = BELAY_OK;
    size_t kept = 5;
    r = (rejections){0};
    for (int i = 0; i < 900; i++)
        values[i] = BELAY_V(i > 0 && i % 100 == 0 ? i : i + 1);
    BELAY_ATOMIC_WITH(w->s, .timeout_ms = timeout_ms) {
        put(w->s, 1000);
        code = belay_try_many(w->s, sql, 900, 1, values, note, &r, &kept);
        put(w->s, 1001);
    }
    *out_rejected = r.count;
    assert_int_equal(kept, 0);
    return code;
}

static void an_error_that_ends_the_transaction_stays_pending_and_nothing_is_kept(void **state)
{
    world *w = *state;
    size_t rejected;
    if (!is_postgresql(w))
        skip();
    belay_exec(w->s, "DROP FUNCTION IF EXISTS fail_at(integer)");
    belay_exec(w->s, "CREATE FUNCTION fail_at(i integer) RETURNS integer LANGUAGE plpgsql AS $$ BEGIN IF i = 650 THEN "
                     "RAISE EXCEPTION 'in the way' USING ERRCODE = '40001'; END IF; RETURN i; END $$");
    assert_code(run_until_it_ends(w, "INSERT INTO item(id) VALUES (fail_at(?))", 0, &rejected), BELAY_SERIALIZATION);
    assert_int_equal(rejected, 6);
    assert_code(belay_pending(w->s)->code, BELAY_SERIALIZATION);
    assert_contains(belay_pending(w->s)->statement, "fail_at");
    assert_stored(w, "");
    belay_exec(w->s, "DROP FUNCTION fail_at(integer)");
}

static void a_connection_that_is_lost_between_the_rows_leaves_nothing(void **state)
{
    world *w = *state;
    size_t rejected;
    if (!is_postgresql(w))
        skip();
    belay_code code = run_until_it_ends(w,
                                        "INSERT INTO item(id) SELECT i FROM (SELECT ?::int AS i) AS x WHERE i <> 650 "
                                        "OR pg_terminate_backend(pg_backend_pid())",
                                        0, &rejected);
    assert_code(code, BELAY_CONNECTION);
    assert_status(w->s, BELAY_CONNECTION);
    assert_stored(w, "");
    put(w->s, 1);
    assert_stored(w, "1");
}

static void a_time_limit_that_passes_between_the_rows_ends_the_scope(void **state)
{
    world *w = *state;
    size_t rejected;
    if (!is_postgresql(w))
        skip();
    belay_code code = run_until_it_ends(
        w, "INSERT INTO item(id) SELECT i FROM (SELECT ?::int AS i) AS x, pg_sleep(0.01)", 300, &rejected);
    assert_code(code, BELAY_TIMEOUT);
    assert_status(w->s, BELAY_TIMEOUT);
    assert_stored(w, "");
    put(w->s, 1);
    assert_stored(w, "1");
}

/* More than socket buffers hold, both ways. */
static void large_rows_are_sent_while_answers_are_read(void **state)
{
    enum { SIZE = 50 * 1000, MANY = 300 };
    static char large[SIZE + 1];
    static belay_value values[2 * MANY];
    world *w = *state;
    size_t kept = 0;
    memset(large, 'x', SIZE);
    for (int share = 0; share < 2; share++) {
        for (int i = 0; i < MANY; i++) {
            values[2 * i] = BELAY_V(share * MANY + (i % 2 == share ? i : 0)); /* none, or every second, is there */
            values[2 * i + 1] = BELAY_V(large);
        }
        assert_code(
            belay_try_many(w->s, "INSERT INTO item(id, note) VALUES (?, ?)", MANY, 2, values, NULL, NULL, &kept),
            BELAY_OK);
    }
    assert_true(kept > 0);
    assert_int_equal(belay_int_of(w->s, "SELECT count(*) FROM item WHERE length(note) <> 50000"), 0);
}

/* ---- Trips ------------------------------------------------------------------------------------------------------- */

static void count_trips(void *arg, const belay_trace_event *event)
{
    *(int *)arg += event->round_trips;
}

static void a_thousand_good_rows_are_a_few_round_trips(void **state)
{
    static belay_value values[1000];
    world *w = *state;
    int trips = 0;
    size_t kept = 0;
    if (database_is_sqlite(&w->d))
        skip();
    belay_db *db = open_again(w, BELAY_DB_OPTIONS(.trace = count_trips, .trace_arg = &trips));
    belay_session *s = belay_session_open(db);
    for (int i = 0; i < 1000; i++)
        values[i] = BELAY_V(i);
    belay_code code = belay_try_many(s, "INSERT INTO item(id) VALUES (?)", 1000, 1, values, NULL, NULL, &kept);
    belay_session_close(s);
    belay_close(db);
    assert_code(code, BELAY_OK);
    assert_int_equal(kept, 1000);
    assert_in_range(trips, 3, 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(rows_are_kept_or_rejected_as_by_a_try_for_each),
        in_world(rows_outside_any_scope_are_one_transaction),
        in_world(rows_share_the_fate_of_the_scope_around_them),
        in_world(values_that_are_refused_or_of_other_types_are_tried_in_their_turn),
        in_world(what_is_wrong_with_the_call_rejects_every_row),
        in_world(no_rows_are_nothing_and_missing_values_misuse),
        in_world(a_rejection_cannot_use_the_session),
        in_world(an_error_that_ends_the_transaction_stays_pending_and_nothing_is_kept),
        in_world(a_connection_that_is_lost_between_the_rows_leaves_nothing),
        in_world(a_time_limit_that_passes_between_the_rows_ends_the_scope),
        in_world(large_rows_are_sent_while_answers_are_read),
        in_world(a_thousand_good_rows_are_a_few_round_trips),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
