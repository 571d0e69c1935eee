/*
 * Scopes with .pipeline: fewer round trips, and no other difference but when an
 * error is told.
 */
#include "support.h"

#include <stdio.h>
#include <string.h>

/* ---- Counting trips ---------------------------------------------------------------------------------------- */

typedef struct counted {
    int trips, statements;
    char last_failed[80];
} counted;

static counted heard;

static void listen(void *arg, const belay_trace_event *event)
{
    counted *c = arg;
    c->trips += event->round_trips;
    c->statements += event->kind == BELAY_TRACE_STATEMENT;
    if (event->kind == BELAY_TRACE_STATEMENT && event->code != BELAY_OK)
        snprintf(c->last_failed, sizeof c->last_failed, "%s", event->statement);
}

/* A world whose session is traced. */
static int counted_open(void **state)
{
    int result = world_open(state);
    world *w = *state;
    belay_session_close(w->s);
    belay_close(w->d.db);
    w->d.db = open_again(w, BELAY_DB_OPTIONS(.trace = listen, .trace_arg = &heard, .statement_cache = 8));
    w->s = w->d.s = belay_session_open(w->d.db);
    belay_int_of(w->s, "SELECT 7"); /* connects */
    heard = (counted){0};
    return result;
}

#define in_counted_world(test) cmocka_unit_test_setup_teardown(test, counted_open, world_close)

typedef enum engine { ON_SQLITE, ON_POSTGRESQL, ON_MARIADB } engine;

static engine engine_of(const world *w)
{
    return database_is_sqlite(&w->d) ? ON_SQLITE : database_is_mariadb(&w->d) ? ON_MARIADB : ON_POSTGRESQL;
}

/* The trips since the last time: none on SQLite, and so many on the servers. */
static void assert_trips_each(const world *w, int on_postgresql, int on_mariadb)
{
    const int expected[] = {[ON_SQLITE] = 0, [ON_POSTGRESQL] = on_postgresql, [ON_MARIADB] = on_mariadb};
    assert_int_equal(heard.trips, expected[engine_of(w)]);
    heard = (counted){0};
}

/* Only PostgreSQL's are stated. */
static void assert_trips(const world *w, int on_postgresql)
{
    assert_trips_each(w, on_postgresql, heard.trips);
}

/* Whether statements wait here: else an error is told at once. */
static bool queues(const world *w)
{
    return engine_of(w) == ON_POSTGRESQL;
}

static const char *const transfer[] = {"UPDATE taken SET id = id + 100 WHERE id = ?",
                                       "UPDATE taken SET id = id - 100 WHERE id = ?"};

/* ---- Trips ------------------------------------------------------------------------------------------------- */

static void a_pipelined_transfer_is_one_round_trip(void **state)
{
    world *w = *state;
    for (int i = 0; i < 2; i++) { /* prepared by the way, and prepared before */
        BELAY_ATOMIC_WITH(w->s, .pipeline = true) {
            belay_exec(w->s, transfer[0], 1);
            belay_exec(w->s, transfer[1], 101);
        }
        assert_status(w->s, BELAY_OK);
        assert_int_equal(heard.statements, 2);
        assert_trips(w, 1);
    }
}

static void the_same_transfer_without_is_three(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        belay_exec(w->s, transfer[0], 1);
        belay_exec(w->s, transfer[1], 101);
    }
    assert_trips(w, 3);
}

static void a_statement_outside_any_scope_is_one_round_trip(void **state)
{
    world *w = *state;
    for (int i = 1; i <= 2; i++) { /* where preparing is a trip of its own, it is not counted */
        heard = (counted){0};
        put(w->s, i);
        assert_int_equal(belay_int_of(w->s, "SELECT count(*) FROM item"), i);
        assert_code(belay_try(w->s, "INSERT INTO taken VALUES (1)"), BELAY_UNIQUE);
        belay_rows_close(belay_query(w->s, "SELECT id FROM item"));
    }
    assert_int_equal(heard.statements, 4);
    assert_trips_each(w, 4, 4);
    assert_stored(w, "1;2");
}

static void an_empty_pipelined_scope_costs_nothing(void **state)
{
    world *w = *state;
    BELAY_ATOMIC_WITH(w->s, .pipeline = true) {
        BELAY_ATOMIC(w->s) {
        }
    }
    assert_status(w->s, BELAY_OK);
    assert_trips_each(w, 0, 0);
}

static void any_number_of_statements_without_rows_leaves_in_one_flight(void **state)
{
    world *w = *state;
    BELAY_ATOMIC_WITH(w->s, .pipeline = true) {
        for (int i = 1; i <= 100; i++)
            put(w->s, i);
    }
    assert_status(w->s, BELAY_OK);
    assert_trips(w, 1);
    assert_rows(w->other, "SELECT count(*) FROM item", "100");
}

static void a_long_queue_is_sent_by_itself_now_and_then(void **state)
{
    world *w = *state;
    BELAY_ATOMIC_WITH(w->s, .pipeline = true) {
        for (int i = 1; i <= 3000; i++)
            put(w->s, i);
    }
    assert_status(w->s, BELAY_OK);
    assert_trips(w, 3); /* two of 1,024, and the rest with COMMIT */
    assert_rows(w->other, "SELECT count(*) FROM item", "3000");
}

/* More than socket buffers hold, both ways: who only sent would wait for a server that waits for him. */
static void large_values_and_large_results_do_not_block_each_other(void **state)
{
    enum { SIZE = 600 * 1000, ROWS = 40 };
    static char large[SIZE + 1];
    world *w = *state;
    size_t size = engine_of(w) == ON_MARIADB ? 60 * 1000 : SIZE; /* more is no TEXT there */
    memset(large, 'x', size);
    BELAY_ATOMIC_WITH(w->s, .pipeline = true) {
        for (int i = 1; i <= ROWS; i++) {
            belay_exec(w->s, "INSERT INTO item(id, note) VALUES (?, ?)", i, large);
            belay_exec(w->s, "SELECT id, note FROM item WHERE id = ?", i);
        }
    }
    assert_status(w->s, BELAY_OK);
    assert_int_equal(belay_int_of(w->s, "SELECT sum(length(note)) FROM item"), (int64_t)size * ROWS);
}

static void a_scope_inside_a_pipelined_one_joins_its_flight_and_ends_with_a_wait(void **state)
{
    world *w = *state;
    BELAY_ATOMIC_WITH(w->s, .pipeline = true) {
        put(w->s, 1);
        BELAY_ATOMIC(w->s) {
            put(w->s, 2);
            put(w->s, 3);
        }
        put(w->s, 4);
    }
    assert_status(w->s, BELAY_OK);
    assert_trips(w, 2); /* at the end of the inner one, and with COMMIT */
    assert_stored(w, "1;2;3;4");
}

static void a_pipelined_scope_inside_a_plain_one_queues_until_its_end(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        BELAY_ATOMIC_WITH(w->s, .pipeline = true) {
            put(w->s, 1);
            put(w->s, 2);
            put(w->s, 3);
        }
        put(w->s, 4);
        BELAY_ATOMIC_WITH(w->s, .pipeline = true, .propagation = BELAY_REQUIRED) {
            put(w->s, 5);
            put(w->s, 6);
        }
    }
    assert_status(w->s, BELAY_OK);
    assert_trips(w, 4); /* the inner scope, row 4, the joined scope, COMMIT */
    assert_stored(w, "1;2;3;4;5;6");
}

/* ---- What waits -------------------------------------------------------------------------------------------- */

static void a_query_sees_what_is_queued_before_it(void **state)
{
    world *w = *state;
    int64_t seen = 0, second = 0;
    BELAY_ATOMIC_WITH(w->s, .pipeline = true) {
        put(w->s, 1);
        put(w->s, 2);
        seen = belay_int_of(w->s, "SELECT count(*) FROM item");
        put(w->s, 3);
        second = belay_int_of(w->s, "SELECT count(*) FROM item");
    }
    assert_int_equal(seen, 2);
    assert_int_equal(second, 3);
    assert_trips(w, 5);
}

static void changes_are_those_of_the_last_queued_statement(void **state)
{
    world *w = *state;
    int64_t many = -1, none = -1;
    BELAY_ATOMIC_WITH(w->s, .pipeline = true) {
        put(w->s, 1);
        put(w->s, 2);
        put(w->s, 3);
        belay_exec(w->s, "UPDATE item SET note = 'x' WHERE id < 3");
        many = belay_changes(w->s);
        put(w->s, 4);
        belay_exec(w->s, "SELECT id FROM item");
        none = belay_changes(w->s);
        put(w->s, 5);
    }
    assert_int_equal(many, 2);
    assert_int_equal(none, 0);
    assert_int_equal(belay_changes(w->s), 1); /* of what left with COMMIT */
}

typedef belay_code (*asking)(belay_session *);

static belay_code by_status(belay_session *s)
{
    return belay_status(s);
}

static belay_code by_pending(belay_session *s)
{
    return belay_pending(s)->code;
}

static belay_code by_message(belay_session *s)
{
    return strncmp(belay_message(s), "UNIQUE", 6) == 0 ? BELAY_UNIQUE : BELAY_OK;
}

static belay_code by_try(belay_session *s)
{
    return belay_try(s, "INSERT INTO item(id) VALUES (77)");
}

static belay_code by_mark(belay_session *s)
{
    return belay_savepoint(s, "mark");
}

static belay_code by_query(belay_session *s)
{
    belay_rows *rows = belay_query(s, "SELECT 7");
    belay_code code = rows ? BELAY_OK : BELAY_UNIQUE;
    belay_rows_close(rows);
    return code;
}

static belay_code by_catch(belay_session *s)
{
    return belay_catch(s, BELAY_ANY) ? BELAY_OK : BELAY_UNIQUE;
}

static belay_code by_isolation(belay_session *s)
{
    belay_isolation(s);
    return belay_status(s);
}

static belay_code by_undo(belay_session *s)
{
    return belay_undo(s);
}

static belay_code by_fail(belay_session *s)
{
    return belay_fail(s, BELAY_APPLICATION, "a later error");
}

static belay_code by_locking_read(belay_session *s)
{
    return belay_exec(s, "SELECT id FROM item WHERE id = 1 FOR UPDATE NOWAIT");
}

static void whatever_could_tell_the_difference_waits_for_the_queue(void **state)
{
    static const asking calls[] = {by_status, by_pending,   by_message, by_try,  by_mark,        by_query,
                                   by_catch,  by_isolation, by_undo,    by_fail, by_locking_read};
    world *w = *state;
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        belay_code told = BELAY_OK;
        BELAY_ATOMIC_WITH(w->s, .pipeline = true) {
            put(w->s, 1);
            clash(w->s);
            told = calls[i](w->s);
        }
        if (told != BELAY_UNIQUE)
            print_error("call %zu:\n", i);
        assert_code(told, BELAY_UNIQUE);
        assert_status(w->s, BELAY_UNIQUE);
        assert_stored(w, "");
    }
}

static void a_mark_stands_behind_what_was_queued(void **state)
{
    world *w = *state;
    BELAY_ATOMIC_WITH(w->s, .pipeline = true) {
        put(w->s, 1);
        belay_savepoint(w->s, "here");
        put(w->s, 2);
        clash(w->s);
        belay_rollback_to(w->s, "here");
        put(w->s, 3);
    }
    assert_status(w->s, BELAY_OK);
    assert_stored(w, "1;3");
}

static int look_before(belay_session *s, void *arg)
{
    *(int64_t *)arg = belay_int_of(s, "SELECT count(*) FROM item");
    put(s, 10);
    return 0;
}

static int count_runs(belay_session *s, void *arg)
{
    (void)s;
    ++*(int *)arg;
    return 0;
}

static void hooks_before_the_commit_see_what_was_queued(void **state)
{
    world *w = *state;
    int64_t seen = -1;
    int committed = 0;
    BELAY_ATOMIC_WITH(w->s, .pipeline = true) {
        put(w->s, 1);
        belay_before_commit(w->s, look_before, &seen, NULL);
        belay_on_commit(w->s, count_runs, &committed, NULL);
        put(w->s, 2);
    }
    assert_status(w->s, BELAY_OK);
    assert_int_equal(seen, 2);
    assert_int_equal(committed, 1);
    assert_trips(w, 3); /* for the hook, its query, COMMIT with what it queued */
    assert_stored(w, "1;2;10");
}

static void hooks_of_a_failed_queue_run_for_a_rollback_only(void **state)
{
    world *w = *state;
    int committed = 0, rolled_back = 0;
    int64_t seen = -1;
    BELAY_ATOMIC_WITH(w->s, .pipeline = true) {
        clash(w->s);
        belay_on_rollback(w->s, count_runs, &rolled_back, NULL);
        belay_on_commit(w->s, count_runs, &committed, NULL);
        belay_before_commit(w->s, look_before, &seen, NULL);
    }
    assert_status(w->s, BELAY_UNIQUE);
    assert_int_equal(committed, 0);
    assert_int_equal(rolled_back, 1);
    assert_int_equal(seen, -1);
}

/* ---- Errors ------------------------------------------------------------------------------------------------ */

static void an_error_belongs_to_the_statement_that_caused_it(void **state)
{
    world *w = *state;
    char text[64];
    int line = 0;
    BELAY_ATOMIC_WITH(w->s, .pipeline = true, .name = "piped") {
        put(w->s, 1);
        snprintf(text, sizeof text, "INSERT INTO taken VALUES (%d)", 1);
        line = __LINE__ + 1;
        belay_exec(w->s, text);
        snprintf(text, sizeof text, "INSERT INTO taken VALUES (%d)", 2); /* the buffer is the program's again */
        belay_exec(w->s, text);
        put(w->s, 1);
    }
    const belay_error *e = belay_pending(w->s);
    assert_code(e->code, BELAY_UNIQUE);
    assert_string_equal(e->statement, "INSERT INTO taken VALUES (1)");
    assert_int_equal(e->line, line);
    assert_contains(e->file, "test_pipeline.c");
    assert_string_equal(e->scope, "piped");
    assert_int_equal(e->outcome, BELAY_WORK_ROLLED_BACK);
    assert_string_equal(heard.last_failed, "INSERT INTO taken VALUES (1)");
    assert_trips(w, 2); /* the flight, and the ROLLBACK */
    assert_stored(w, "");
}

static void the_first_error_wins_over_those_the_library_finds(void **state)
{
    world *w = *state;
    belay_code code = BELAY_OK;
    BELAY_ATOMIC_WITH(w->s, .pipeline = true) {
        clash(w->s);
        code = belay_exec(w->s, "COMMIT");
    }
    assert_code(code, BELAY_UNIQUE);
    assert_status(w->s, BELAY_UNIQUE);
    BELAY_ATOMIC_WITH(w->s, .pipeline = true) {
        clash(w->s);
        code = belay_exec(w->s, "INSERT INTO item(id, note) VALUES (?, ?)", 1, "\xff");
    }
    assert_code(code, BELAY_UNIQUE);
    BELAY_ATOMIC_WITH(w->s, .pipeline = true) {
        put(w->s, 1);
        code = belay_exec(w->s, "INSERT INTO item(id) VALUES (?)", 1, 2);
    }
    assert_code(code, BELAY_MISUSE);
    assert_stored(w, "");
}

static void a_syntax_error_in_the_queue_is_its_statements(void **state)
{
    world *w = *state;
    BELAY_ATOMIC_WITH(w->s, .pipeline = true) {
        put(w->s, 1);
        belay_exec(w->s, "INSERT INTO item(id) VALUES (?) SELEKT", 2);
        put(w->s, 3);
    }
    assert_code(belay_pending(w->s)->code, BELAY_SYNTAX);
    assert_contains(belay_pending(w->s)->statement, "SELEKT");
    for (int i = 0; i < 2; i++) /* what was skipped with it is prepared anew */
        BELAY_ATOMIC_WITH(w->s, .pipeline = true) {
            put(w->s, 3 + i);
        }
    assert_status(w->s, BELAY_OK);
    assert_stored(w, "3;4");
}

static void a_queued_failure_undoes_its_scope_and_can_be_caught_outside(void **state)
{
    world *w = *state;
    bool caught = false;
    BELAY_ATOMIC_WITH(w->s, .pipeline = true) {
        put(w->s, 1);
        BELAY_ATOMIC(w->s) {
            put(w->s, 2);
            clash(w->s);
            put(w->s, 3);
        }
        caught = belay_catch(w->s, BELAY_UNIQUE);
        put(w->s, 4);
    }
    assert_true(caught);
    assert_status(w->s, BELAY_OK);
    assert_stored(w, "1;4");
}

/* The inner scope's savepoint was queued behind what failed: it never was. */
static void a_failure_of_the_outer_scope_found_in_an_inner_one_is_the_outers(void **state)
{
    world *w = *state;
    bool inside = false, outside = false, after = false;
    BELAY_ATOMIC_WITH(w->s, .pipeline = true) {
        put(w->s, 1);
        BELAY_ATOMIC(w->s) {
            clash(w->s);
            BELAY_ATOMIC(w->s) {
                put(w->s, 2);
                BELAY_ATOMIC(w->s)
                    put(w->s, 3);
                inside = belay_catch(w->s, BELAY_ANY);
            }
            outside = belay_catch(w->s, BELAY_ANY);
        }
        after = belay_catch(w->s, BELAY_UNIQUE);
        put(w->s, 4);
    }
    assert_false(inside);
    assert_false(outside);
    assert_true(after);
    assert_status(w->s, BELAY_OK);
    assert_stored(w, "1;4");
}

static void what_ends_the_transaction_ends_all_its_scopes(void **state)
{
    world *w = *state;
    if (!queues(w))
        skip();
    bool caught = true;
    BELAY_ATOMIC_WITH(w->s, .pipeline = true) {
        put(w->s, 1);
        BELAY_ATOMIC(w->s)
            belay_exec(w->s, "SELECT pg_terminate_backend(pg_backend_pid())");
        caught = belay_catch(w->s, BELAY_ANY);
        put(w->s, 2);
    }
    assert_false(caught);
    assert_status(w->s, BELAY_CONNECTION);
    assert_stored(w, "");
}

/* The server says why it hangs up, before COMMIT can be reached. */
static void a_connection_that_ends_before_the_commit_is_rolled_back_for_certain(void **state)
{
    world *w = *state;
    if (!queues(w))
        skip();
    BELAY_ATOMIC_WITH(w->s, .pipeline = true) {
        put(w->s, 1);
        belay_exec(w->s, "SELECT pg_terminate_backend(pg_backend_pid())");
    }
    assert_code(belay_pending(w->s)->code, BELAY_CONNECTION);
    assert_int_equal(belay_pending(w->s)->outcome, BELAY_WORK_ROLLED_BACK);
    assert_stored(w, "");
}

static void a_constraint_that_waits_for_the_commit_fails_it(void **state)
{
    world *w = *state;
    if (engine_of(w) == ON_MARIADB)
        skip(); /* has no deferred constraints */
    belay_exec(w->s, "CREATE TABLE child(id INTEGER REFERENCES taken(id) DEFERRABLE INITIALLY DEFERRED)");
    BELAY_ATOMIC_WITH(w->s, .pipeline = true) {
        put(w->s, 1);
        belay_exec(w->s, "INSERT INTO child VALUES (?)", 99);
        put(w->s, 2);
    }
    assert_status(w->s, BELAY_FOREIGN_KEY);
    assert_int_equal(belay_pending(w->s)->outcome, BELAY_WORK_ROLLED_BACK);
    assert_code(belay_exec(w->s, "INSERT INTO child VALUES (?)", 99), BELAY_FOREIGN_KEY);
    assert_stored(w, "");
    assert_code(belay_exec(w->s, "DROP TABLE child"), BELAY_OK);
}

/* ---- With other options ------------------------------------------------------------------------------------ */

static void a_queue_obeys_the_time_limit_of_its_scope(void **state)
{
    world *w = *state;
    if (!queues(w))
        skip();
    BELAY_ATOMIC_WITH(w->s, .pipeline = true, .timeout_ms = 200) {
        put(w->s, 1);
        belay_exec(w->s, "SELECT pg_sleep(10)");
        put(w->s, 2);
    }
    assert_code(belay_pending(w->s)->code, BELAY_TIMEOUT);
    assert_contains(belay_pending(w->s)->statement, "pg_sleep");
    assert_stored(w, "");
    put(w->s, 3); /* the connection is as good as before */
    assert_stored(w, "3");
}

static void a_pipelined_unit_is_run_again_as_any_other(void **state)
{
    world *w = *state;
    int runs = 0;
    BELAY_ATOMIC_WITH(w->s, .pipeline = true, .retries = 2) {
        runs = belay_attempt(w->s);
        put(w->s, 1);
        if (runs < 3)
            belay_fail(w->s, BELAY_SERIALIZATION, "once more");
    }
    assert_int_equal(runs, 3);
    assert_status(w->s, BELAY_OK);
    assert_stored(w, "1");
}

static void a_plan_that_became_stale_in_the_queue_is_cured_by_a_retry(void **state)
{
    world *w = *state;
    int runs = 0;
    belay_exec(w->s, "CREATE TABLE fresh(id INTEGER)");
    for (int round = 0; round < 2; round++) {
        runs = 0;
        BELAY_ATOMIC_WITH(w->s, .pipeline = true, .retries = 2) {
            runs = belay_attempt(w->s);
            put(w->s, 1 + round);
            belay_exec(w->s, "SELECT * FROM fresh");
        }
        assert_status(w->s, BELAY_OK);
        belay_exec(w->other, "ALTER TABLE fresh ADD COLUMN more INTEGER");
    }
    if (queues(w))
        assert_int_equal(runs, 2);
    assert_stored(w, "1;2");
}

static void a_unit_with_a_key_may_be_pipelined(void **state)
{
    world *w = *state;
    for (int i = 0; i < 2; i++)
        BELAY_ATOMIC_WITH(w->s, .pipeline = true, .once = "key") {
            put(w->s, 1 + i);
        }
    assert_true(belay_already_done(w->s));
    assert_stored(w, "1");
}

static void more_texts_than_the_cache_holds_are_all_done_and_told_right(void **state)
{
    world *w = *state; /* its cache holds 8 */
    char text[64];
    BELAY_ATOMIC_WITH(w->s, .pipeline = true) {
        for (int i = 1; i <= 40; i++) {
            snprintf(text, sizeof text, "INSERT INTO item(id) VALUES (%d)", i % 31);
            belay_exec(w->s, text);
        }
    }
    assert_code(belay_pending(w->s)->code, BELAY_UNIQUE);
    assert_string_equal(belay_pending(w->s)->statement, "INSERT INTO item(id) VALUES (1)");
    assert_stored(w, "");
    BELAY_ATOMIC_WITH(w->s, .pipeline = true) {
        for (int i = 1; i <= 40; i++) {
            snprintf(text, sizeof text, "INSERT INTO item(id) VALUES (%d)", i);
            belay_exec(w->s, text);
        }
    }
    assert_status(w->s, BELAY_OK);
    assert_rows(w->other, "SELECT count(*) FROM item", "40");
}

static void a_scope_that_is_left_or_rolled_back_undoes_what_is_queued(void **state)
{
    world *w = *state;
    BELAY_ATOMIC_WITH(w->s, .pipeline = true) {
        put(w->s, 1);
        break;
    }
    assert_status(w->s, BELAY_ABANDONED);
    belay_begin(w->s, BELAY_SCOPE_OPTIONS(.pipeline = true));
    put(w->s, 2);
    assert_code(belay_rollback(w->s), BELAY_OK);
    belay_begin(w->s, BELAY_SCOPE_OPTIONS(.pipeline = true));
    clash(w->s);
    assert_code(belay_rollback(w->s), BELAY_UNIQUE);
    belay_begin(w->s, BELAY_SCOPE_OPTIONS(.pipeline = true));
    put(w->s, 3);
    assert_code(belay_commit(w->s), BELAY_OK);
    assert_stored(w, "3");
}

static void the_engines_own_handle_sees_what_was_queued_and_nothing_is_queued_after(void **state)
{
    world *w = *state;
    bool lent = false;
    BELAY_ATOMIC_WITH(w->s, .pipeline = true) {
        put(w->s, 1);
        lent = belay_native(w->s) != NULL;
        heard = (counted){0};
        put(w->s, 2);
        put(w->s, 3);
    }
    assert_true(lent);
    assert_status(w->s, BELAY_OK);
    assert_trips(w, 3); /* rows 2 and 3, COMMIT */
    assert_stored(w, "1;2;3");
}

static void a_transaction_of_its_own_waits_for_the_queue_around_it(void **state)
{
    world *w = *state;
    bool ran = false;
    if (engine_of(w) == ON_SQLITE)
        skip(); /* it would wait for its own lock */
    BELAY_ATOMIC_WITH(w->s, .pipeline = true) {
        put(w->s, 1);
        clash(w->s);
        BELAY_ATOMIC_WITH(w->s, .propagation = BELAY_REQUIRES_NEW) {
            ran = true;
            put(w->s, 2);
        }
    }
    assert_false(ran);
    assert_status(w->s, BELAY_UNIQUE);
    assert_stored(w, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_counted_world(a_pipelined_transfer_is_one_round_trip),
        in_counted_world(the_same_transfer_without_is_three),
        in_counted_world(a_statement_outside_any_scope_is_one_round_trip),
        in_counted_world(an_empty_pipelined_scope_costs_nothing),
        in_counted_world(any_number_of_statements_without_rows_leaves_in_one_flight),
        in_counted_world(a_long_queue_is_sent_by_itself_now_and_then),
        in_counted_world(large_values_and_large_results_do_not_block_each_other),
        in_counted_world(a_scope_inside_a_pipelined_one_joins_its_flight_and_ends_with_a_wait),
        in_counted_world(a_pipelined_scope_inside_a_plain_one_queues_until_its_end),
        in_counted_world(a_query_sees_what_is_queued_before_it),
        in_counted_world(changes_are_those_of_the_last_queued_statement),
        in_counted_world(whatever_could_tell_the_difference_waits_for_the_queue),
        in_counted_world(a_mark_stands_behind_what_was_queued),
        in_counted_world(hooks_before_the_commit_see_what_was_queued),
        in_counted_world(hooks_of_a_failed_queue_run_for_a_rollback_only),
        in_counted_world(an_error_belongs_to_the_statement_that_caused_it),
        in_counted_world(the_first_error_wins_over_those_the_library_finds),
        in_counted_world(a_syntax_error_in_the_queue_is_its_statements),
        in_counted_world(a_queued_failure_undoes_its_scope_and_can_be_caught_outside),
        in_counted_world(a_failure_of_the_outer_scope_found_in_an_inner_one_is_the_outers),
        in_counted_world(what_ends_the_transaction_ends_all_its_scopes),
        in_counted_world(a_connection_that_ends_before_the_commit_is_rolled_back_for_certain),
        in_counted_world(a_constraint_that_waits_for_the_commit_fails_it),
        in_counted_world(a_queue_obeys_the_time_limit_of_its_scope),
        in_counted_world(a_pipelined_unit_is_run_again_as_any_other),
        in_counted_world(a_plan_that_became_stale_in_the_queue_is_cured_by_a_retry),
        in_counted_world(a_unit_with_a_key_may_be_pipelined),
        in_counted_world(more_texts_than_the_cache_holds_are_all_done_and_told_right),
        in_counted_world(a_scope_that_is_left_or_rolled_back_undoes_what_is_queued),
        in_counted_world(the_engines_own_handle_sees_what_was_queued_and_nothing_is_queued_after),
        in_counted_world(a_transaction_of_its_own_waits_for_the_queue_around_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
