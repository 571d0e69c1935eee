/*
 * belay_stream: rows read one by one, and what else may be done meanwhile.
 */
#include "support.h"

static void fill(world *w)
{
    belay_exec(w->s, "INSERT INTO item(id) VALUES (1), (2), (3), (4)");
}

static const char all[] = "SELECT id FROM item ORDER BY id";

/* ---- Reading -------------------------------------------------------------------------------------------- */

static void a_stream_gives_the_rows_one_by_one(void **state)
{
    world *w = *state;
    fill(w);
    BELAY_READ(w->s) {
        belay_rows *rows = belay_stream(w->s, "SELECT id AS n FROM item WHERE id < ? ORDER BY id", 4);
        assert_int_equal(belay_columns(rows), 1);
        assert_string_equal(belay_column_name(rows, 0), "n");
        for (int i = 1; i < 4; i++) {
            assert_true(belay_next(rows));
            assert_int_equal(belay_int(rows, 0), i);
        }
        assert_false(belay_next(rows));
        assert_false(belay_next(rows));
        belay_rows_close(rows);
        assert_seen(w->s, "1;2;3;4");
    }
    assert_status(w->s, BELAY_OK);
}

static void a_stream_needs_no_memory_for_what_it_has_read(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    belay_rows *rows = belay_stream(
        w->s,
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i, zeroblob(1000) FROM n"); /* without
                                                                                                               end */
    for (int i = 1; i <= 200000; i++)
        assert_true(belay_next(rows));
    assert_int_equal(belay_int(rows, 0), 200000);
    assert_int_equal(belay_size(rows, 1), 1000);
    belay_rows_close(rows);
    assert_status(w->s, BELAY_OK);
}

static void a_stream_outside_any_scope_is_a_unit_that_ends_when_it_is_closed(void **state)
{
    world *w = *state;
    belay_rows *rows = belay_stream(w->s, "INSERT INTO item(id) VALUES (1), (2) RETURNING id");
    assert_true(belay_next(rows));
    assert_stored(w, "");
    belay_rows_close(rows);
    assert_status(w->s, BELAY_OK);
    assert_stored(w, "1;2");
    assert_code(put(w->s, 3), BELAY_OK);
    assert_stored(w, "1;2;3");
}

static void a_stream_that_fails_half_way_ends_and_its_error_is_pending(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    static const char sql[] = "SELECT abs(column1) FROM (VALUES (1), (-2), (-9223372036854775807 - 1), (4))";
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        belay_rows *rows = belay_stream(w->s, sql);
        assert_true(belay_next(rows));
        assert_true(belay_next(rows));
        assert_int_equal(belay_int(rows, 0), 2);
        assert_false(belay_next(rows));
        assert_code(belay_status(w->s), BELAY_DATA);
        assert_false(belay_next(rows));
        belay_rows_close(rows);
    }
    assert_status(w->s, BELAY_DATA);
    assert_stored(w, "");
    belay_rows *rows = belay_stream(w->s, sql);
    while (belay_next(rows))
        continue;
    belay_rows_close(rows);
    assert_status(w->s, BELAY_DATA);
}

static void a_stream_that_can_not_start_is_null(void **state)
{
    world *w = *state;
    assert_null(belay_stream(w->s, "SELECT id FROM nowhere"));
    assert_status(w->s, BELAY_SCHEMA);
    assert_null(belay_stream(w->s, "SELECT ?", belay_text("\xFF", 1)));
    assert_status(w->s, BELAY_DATA);
    BELAY_ATOMIC(w->s) {
        clash(w->s);
        assert_null(belay_stream(w->s, "SELECT 1"));
    }
    assert_status(w->s, BELAY_UNIQUE);
}

static void reading_a_stream_before_its_first_row_or_after_its_last_is_misuse(void **state)
{
    world *w = *state;
    belay_rows *rows = belay_stream(w->s, "SELECT 7");
    assert_int_equal(belay_int(rows, 0), 0);
    assert_true(belay_next(rows)); /* its scope holds the misuse now */
    belay_rows_close(rows);
    assert_status(w->s, BELAY_MISUSE);
    rows = belay_stream(w->s, "SELECT 7");
    assert_true(belay_next(rows));
    assert_false(belay_next(rows));
    assert_int_equal(belay_int(rows, 0), 0);
    belay_rows_close(rows);
    assert_status(w->s, BELAY_MISUSE);
}

/* ---- Meanwhile ---------------------------------------------------------------------------------------------- */

static int nothing_to_do(belay_session *s, void *arg)
{
    (void)s;
    (void)arg;
    return 0;
}

/* A call that needs the connection. True when it was refused as misuse. */
static bool is_refused(belay_session *s, int which)
{
    switch (which) {
    case 0:
        put(s, 50);
        break;
    case 1:
        belay_rows_close(belay_query(s, "SELECT 1"));
        break;
    case 2:
        belay_rows_close(belay_stream(s, "SELECT 1"));
        break;
    case 3:
        belay_int_of(s, "SELECT 1");
        break;
    case 4:
        BELAY_ATOMIC(s)
            put(s, 51);
        break;
    case 5:
        belay_atomic(s, NULL, nothing_to_do, NULL);
        break;
    case 6:
        belay_savepoint(s, "mark");
        break;
    case 7:
        belay_begin(s, NULL);
        belay_rollback(s);
        break;
    default:
        belay_rollback_to(s, "before");
        break;
    }
    return belay_status(s) == BELAY_MISUSE;
}

static void while_a_stream_is_open_other_calls_that_need_the_connection_are_misuse(void **state)
{
    world *w = *state;
    fill(w);
    for (int which = 0; which < 9; which++) {
        BELAY_ATOMIC(w->s) {
            belay_savepoint(w->s, "before");
            put(w->s, 40);
            belay_rows *rows = belay_stream(w->s, all);
            assert_true(belay_next(rows));
            if (!is_refused(w->s, which))
                fail_msg("call %d: %s", which, belay_message(w->s));
            belay_rows_close(rows);
        }
        assert_status(w->s, BELAY_MISUSE);
        assert_int_equal(belay_depth(w->s), 0);
        assert_stored(w, "1;2;3;4");
    }
}

static void while_a_stream_is_open_calls_that_need_no_connection_work(void **state)
{
    world *w = *state;
    fill(w);
    BELAY_ATOMIC(w->s) {
        put(w->s, 5);
        belay_rows *rows = belay_stream(w->s, all);
        while (belay_next(rows)) {
            assert_code(belay_status(w->s), BELAY_OK);
            assert_int_equal(belay_depth(w->s), 1);
            assert_code(belay_on_commit(w->s, nothing_to_do, NULL, NULL), BELAY_OK);
            assert_false(belay_catch(w->s, BELAY_ANY));
        }
        belay_rows_close(rows);
    }
    assert_status(w->s, BELAY_OK);
    assert_stored(w, "1;2;3;4;5");
}

static void after_a_stream_was_closed_the_session_works_again(void **state)
{
    world *w = *state;
    fill(w);
    BELAY_ATOMIC(w->s) {
        belay_rows *rows = belay_stream(w->s, all);
        belay_next(rows);
        belay_rows_close(rows); /* half-way */
        put(w->s, 5);
        rows = belay_stream(w->s, all);
        belay_rows_close(rows); /* not begun */
        put(w->s, 6);
    }
    assert_status(w->s, BELAY_OK);
    assert_stored(w, "1;2;3;4;5;6");
}

static void fail_may_be_called_while_a_stream_is_open(void **state)
{
    world *w = *state;
    fill(w);
    BELAY_ATOMIC(w->s) {
        put(w->s, 5);
        belay_rows *rows = belay_stream(w->s, all);
        belay_next(rows);
        assert_code(belay_fail(w->s, BELAY_APPLICATION, "seen enough"), BELAY_APPLICATION);
        belay_rows_close(rows);
    }
    assert_status(w->s, BELAY_APPLICATION);
    assert_stored(w, "1;2;3;4");
}

/* ---- Ends ------------------------------------------------------------------------------------------------------- */

static void a_stream_left_open_in_its_scope_is_misuse_and_the_scope_is_rolled_back(void **state)
{
    world *w = *state;
    belay_rows *rows = NULL;
    fill(w);
    BELAY_ATOMIC(w->s) {
        put(w->s, 5);
        rows = belay_stream(w->s, all);
        belay_next(rows);
    }
    assert_status(w->s, BELAY_MISUSE);
    assert_stored(w, "1;2;3;4");
    assert_false(belay_next(rows));
    belay_rows_close(rows);
    belay_begin(w->s, NULL);
    put(w->s, 5);
    rows = belay_stream(w->s, all);
    assert_code(belay_commit(w->s), BELAY_MISUSE);
    belay_rows_close(rows);
    assert_stored(w, "1;2;3;4");
}

static void a_stream_left_open_in_an_inner_scope_rolls_back_that_scope_only(void **state)
{
    world *w = *state;
    belay_rows *rows = NULL;
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        BELAY_ATOMIC(w->s) {
            put(w->s, 2);
            rows = belay_stream(w->s, all);
        }
        assert_true(belay_catch(w->s, BELAY_MISUSE));
        assert_seen(w->s, "1");
        belay_rows_close(rows);
        put(w->s, 3);
    }
    assert_status(w->s, BELAY_OK);
    assert_stored(w, "1;3");
}

static void a_stream_whose_session_was_closed_first_is_inert_and_still_closed(void **state)
{
    world *w = *state;
    fill(w);
    belay_rows *rows = belay_stream(w->s, all);
    assert_true(belay_next(rows));
    belay_session_close(w->s);
    w->s = w->d.s = NULL;
    assert_false(belay_next(rows));
    assert_int_equal(belay_int(rows, 0), 0);
    belay_rows_close(rows);
    assert_code(put(w->other, 9), BELAY_OK);
}

static void a_stream_whose_handle_was_closed_first_is_still_closed(void **state)
{
    world *w = *state;
    belay_db *db = open_again(w, NULL);
    belay_session *s = belay_session_open(db);
    fill(w);
    belay_rows *rows = belay_stream(s, all);
    assert_true(belay_next(rows));
    belay_close(db);
    assert_false(belay_next(rows));
    belay_rows_close(rows);
    belay_session_close(s);
    assert_code(put(w->s, 9), BELAY_OK);
}

static void a_block_left_by_break_ends_its_stream_too(void **state)
{
    world *w = *state;
    belay_rows *rows = NULL;
    fill(w);
    BELAY_ATOMIC(w->s) {
        put(w->s, 5);
        rows = belay_stream(w->s, all);
        belay_next(rows);
        break;
    }
    assert_true(belay_status(w->s) != BELAY_OK);
    belay_rows_close(rows);
    assert_stored(w, "1;2;3;4");
    assert_code(put(w->s, 9), BELAY_OK);
}

static void closing_a_session_with_an_open_stream_says_that_work_was_abandoned(void **state)
{
    world *w = *state;
    belay_session *s = belay_session_open(w->d.db);
    belay_begin(s, NULL);
    put(s, 1);
    belay_rows *rows = belay_stream(s, all);
    assert_true(belay_next(rows));
    assert_code(belay_session_close(s), BELAY_ABANDONED);
    assert_false(belay_next(rows));
    belay_rows_close(rows);
    assert_stored(w, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(a_stream_gives_the_rows_one_by_one),
        in_world(a_stream_needs_no_memory_for_what_it_has_read),
        in_world(a_stream_outside_any_scope_is_a_unit_that_ends_when_it_is_closed),
        in_world(a_stream_that_fails_half_way_ends_and_its_error_is_pending),
        in_world(a_stream_that_can_not_start_is_null),
        in_world(reading_a_stream_before_its_first_row_or_after_its_last_is_misuse),
        in_world(while_a_stream_is_open_other_calls_that_need_the_connection_are_misuse),
        in_world(while_a_stream_is_open_calls_that_need_no_connection_work),
        in_world(after_a_stream_was_closed_the_session_works_again),
        in_world(fail_may_be_called_while_a_stream_is_open),
        in_world(a_stream_left_open_in_its_scope_is_misuse_and_the_scope_is_rolled_back),
        in_world(a_stream_left_open_in_an_inner_scope_rolls_back_that_scope_only),
        in_world(a_stream_whose_session_was_closed_first_is_inert_and_still_closed),
        in_world(a_stream_whose_handle_was_closed_first_is_still_closed),
        in_world(a_block_left_by_break_ends_its_stream_too),
        in_world(closing_a_session_with_an_open_stream_says_that_work_was_abandoned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
