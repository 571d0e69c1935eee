/*
 * The life of results, BELAY_EACH, and belay_int_of.
 */
#include "support.h"

/* ---- Results outlive what they came from ------------------------------------------------------------------- */

static void a_result_outlives_its_scope_its_session_and_its_handle(void **state)
{
    world *w = *state;
    belay_rows *rows = NULL;
    BELAY_ATOMIC(w->s) {
        belay_exec(w->s, "INSERT INTO item VALUES (1, 'one'), (2, 'two'), (3, 'three')");
        rows = belay_query(w->s, "SELECT id, note FROM item ORDER BY id");
        assert_true(belay_next(rows));
        belay_undo(w->s);
    }
    assert_string_equal(belay_str(rows, 1), "one");
    assert_true(belay_next(rows));
    belay_session_close(w->s);
    assert_string_equal(belay_str(rows, 1), "two");
    belay_close(w->d.db);
    w->s = w->d.s = NULL;
    w->d.db = NULL;
    assert_true(belay_next(rows));
    assert_int_equal(belay_int(rows, 0), 3);
    assert_int_equal(belay_int(rows, 1), 0); /* 'three' is no integer: there is no session to say so */
    assert_int_equal(belay_int(rows, 7), 0);
    assert_false(belay_next(rows));
    belay_rows_close(rows);
}

static void other_statements_may_run_while_a_result_is_read(void **state)
{
    world *w = *state;
    belay_exec(w->s, "INSERT INTO item(id) VALUES (1), (2), (3)");
    BELAY_ATOMIC(w->s)
        BELAY_EACH(row, w->s, "SELECT id FROM item ORDER BY id") {
            belay_exec(w->s, "DELETE FROM item WHERE id = ?", belay_int(row, 0));
            put(w->s, (int)belay_int(row, 0) * 10);
        }
    assert_status(w->s, BELAY_OK);
    assert_stored(w, "10;20;30"); /* all three rows were seen */
}

static void a_failed_query_gives_null_and_every_row_call_takes_it(void **state)
{
    world *w = *state;
    belay_rows *rows = belay_query(w->s, "SELECT x FROM nowhere");
    assert_null(rows);
    assert_status(w->s, BELAY_SCHEMA);
    assert_false(belay_next(rows));
    assert_int_equal(belay_columns(rows), 0);
    assert_null(belay_column_name(rows, 0));
    assert_int_equal(belay_column(rows, "a"), -1);
    assert_int_equal(belay_int(rows, 0), 0);
    assert_null(belay_str(rows, 0));
    belay_rows_close(rows);
    assert_status(w->s, BELAY_SCHEMA);
}

static void a_query_that_fails_half_way_gives_no_rows(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        assert_null(belay_query(w->s, "SELECT abs(column1) FROM (VALUES (1), (2), (-9223372036854775807 - 1))"));
    }
    assert_status(w->s, BELAY_DATA);
    assert_stored(w, "");
}

/* ---- BELAY_EACH ------------------------------------------------------------------------------------------------- */

static int find_first(belay_session *s, int above)
{
    BELAY_EACH(row, s, "SELECT id FROM item WHERE id > ? ORDER BY id", above)
        return (int)belay_int(row, 0);
    return -1;
}

static void each_runs_once_for_each_row_and_is_left_in_every_way(void **state)
{
    world *w = *state;
    int sum = 0, rounds = 0;
    belay_exec(w->s, "INSERT INTO item(id) VALUES (1), (2), (3), (4)");
    BELAY_EACH(row, w->s, "SELECT id FROM item ORDER BY id") {
        rounds++;
        if (belay_int(row, 0) == 2)
            continue;
        if (belay_int(row, 0) == 4)
            break;
        sum += (int)belay_int(row, 0);
    }
    assert_int_equal(rounds, 4);
    assert_int_equal(sum, 1 + 3);
    assert_int_equal(find_first(w->s, 2), 3);
    assert_int_equal(find_first(w->s, 4), -1);
    BELAY_EACH(row, w->s, "SELECT 1")
        goto out;
    fail();
out:
    assert_status(w->s, BELAY_OK);
}

static void each_runs_nothing_when_the_query_failed(void **state)
{
    world *w = *state;
    int rounds = 0;
    BELAY_EACH(row, w->s, "SELECT x FROM nowhere")
        rounds++;
    BELAY_EACH(row, w->s, "SELECT id FROM item WHERE id = ?")
        rounds++;
    BELAY_EACH(row, NULL, "SELECT 1")
        rounds++;
    assert_int_equal(rounds, 0);
    assert_status(w->s, BELAY_MISUSE);
}

static void break_in_an_each_inside_a_block_leaves_the_each_only(void **state)
{
    world *w = *state;
    put(w->s, 1);
    BELAY_ATOMIC(w->s) {
        BELAY_EACH(row, w->s, "SELECT id FROM item") {
            put(w->s, 2);
            break;
        }
        put(w->s, 3);
    }
    assert_status(w->s, BELAY_OK);
    assert_stored(w, "1;2;3");
}

static void a_hundred_thousand_rows(void **state)
{
    world *w = *state;
    static const char recursive[] =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) SELECT i, 'row ' || i FROM n";
    const char *sql = on_engine(&w->d, recursive, recursive, "SELECT seq, concat('row ', seq) FROM seq_1_to_100000");
    int64_t sum = 0, streamed = 0;
    BELAY_EACH(row, w->s, sql)
        sum += belay_int(row, 0) + (int64_t)belay_size(row, 1);
    belay_rows *stream = belay_stream(w->s, sql);
    while (belay_next(stream))
        streamed += belay_int(stream, 0) + (int64_t)belay_size(stream, 1);
    belay_rows_close(stream);
    assert_true(sum == INT64_C(5000050000) + 400000 + 488895);
    assert_true(streamed == sum);
    assert_status(w->s, BELAY_OK);
}

/* ---- belay_int_of ------------------------------------------------------------------------------------------------ */

static void int_of_is_the_first_column_of_the_first_row(void **state)
{
    world *w = *state;
    assert_int_equal(belay_int_of(w->s, "SELECT 5, 6 UNION ALL SELECT 7, 8"), 5);
    assert_int_equal(belay_int_of(w->s, "SELECT count(*) FROM item WHERE id > ?", 0), 0);
    assert_status(w->s, BELAY_OK);
}

static void int_of_no_row_is_not_found_and_pending(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        assert_int_equal(belay_int_of(w->s, "SELECT id FROM item WHERE id = 77"), 0);
        assert_code(put(w->s, 2), BELAY_NOT_FOUND);
    }
    assert_status(w->s, BELAY_NOT_FOUND);
    assert_stored(w, "");
}

static void int_of_a_statement_without_rows_is_an_error(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s)
        assert_int_equal(belay_int_of(w->s, "INSERT INTO item(id) VALUES (1)"), 0);
    assert_true(belay_status(w->s) != BELAY_OK);
    assert_stored(w, "");
}

static void int_of_that_fails_after_the_first_row_is_an_error(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    assert_int_equal(belay_int_of(w->s, "INSERT INTO item(id) VALUES (1), (2), (2) RETURNING id"), 0);
    assert_status(w->s, BELAY_UNIQUE);
    assert_stored(w, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(a_result_outlives_its_scope_its_session_and_its_handle),
        in_world(other_statements_may_run_while_a_result_is_read),
        in_world(a_failed_query_gives_null_and_every_row_call_takes_it),
        in_world(a_query_that_fails_half_way_gives_no_rows),
        in_world(each_runs_once_for_each_row_and_is_left_in_every_way),
        in_world(each_runs_nothing_when_the_query_failed),
        in_world(break_in_an_each_inside_a_block_leaves_the_each_only),
        in_world(a_hundred_thousand_rows),
        in_world(int_of_is_the_first_column_of_the_first_row),
        in_world(int_of_no_row_is_not_found_and_pending),
        in_world(int_of_a_statement_without_rows_is_an_error),
        in_world(int_of_that_fails_after_the_first_row_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
