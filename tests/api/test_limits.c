/*
 * Time limits. That something takes long is never asserted to end in time, only
 * that it ends, and how.
 */
#include "support.h"

/* A read and a write without end. */
static const char *endless_read(const world *w)
{
    static const char recursive[] =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
    /* MariaDB stops recursion after a thousand rounds. */
    return on_engine(&w->d, recursive, recursive, "SELECT count(*) FROM seq_1_to_1000000000 a, seq_1_to_1000000000 b");
}

static const char endless_write[] =
    "INSERT INTO item(id) WITH RECURSIVE n(i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n";

/* ---- The whole scope --------------------------------------------------------------------------------------- */

static void a_statement_is_interrupted_when_the_limit_of_its_scope_has_passed(void **state)
{
    world *w = *state;
    BELAY_ATOMIC_WITH(w->s, .timeout_ms = 30) {
        put(w->s, 1);
        assert_code(belay_exec(w->s, endless_read(w)), BELAY_TIMEOUT);
        assert_code(put(w->s, 2), BELAY_TIMEOUT);
    }
    assert_status(w->s, BELAY_TIMEOUT);
    assert_false(belay_retryable(belay_pending(w->s)));
    assert_stored(w, "");
    assert_code(put(w->s, 3), BELAY_OK); /* the limit was that scope's */
}

static void a_read_that_was_interrupted_in_an_inner_scope_leaves_the_outer_one_intact(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        BELAY_ATOMIC_WITH(w->s, .timeout_ms = 30) {
            put(w->s, 2);
            belay_exec(w->s, endless_read(w));
        }
        assert_true(belay_catch(w->s, BELAY_TIMEOUT));
        put(w->s, 3);
    }
    assert_status(w->s, BELAY_OK);
    assert_stored(w, "1;3");
}

static void a_write_that_was_interrupted_leaves_nothing_behind_the_scopes_back(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        BELAY_ATOMIC_WITH(w->s, .timeout_ms = 30)
            belay_exec(w->s, endless_write);
        /* SQLite has rolled back the whole transaction: what follows would be outside any */
        assert_false(belay_catch(w->s, BELAY_ANY));
        assert_code(put(w->s, 3), BELAY_TIMEOUT);
    }
    assert_status(w->s, BELAY_TIMEOUT);
    assert_int_equal(belay_pending(w->s)->outcome, BELAY_WORK_ROLLED_BACK);
    assert_stored(w, "");
    assert_code(put(w->s, 4), BELAY_OK);
}

static void queries_streams_and_tries_are_interrupted_too(void **state)
{
    world *w = *state;
    static const char recursive[] = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n";
    const char *slow_rows = on_engine(&w->d, recursive, recursive, "SELECT seq FROM seq_1_to_1000000000000");
    BELAY_ATOMIC_WITH(w->s, .timeout_ms = 30)
        assert_null(belay_query(w->s, endless_read(w)));
    assert_status(w->s, BELAY_TIMEOUT);
    BELAY_ATOMIC_WITH(w->s, .timeout_ms = 30)
        assert_int_equal(belay_int_of(w->s, endless_read(w)), 0);
    assert_status(w->s, BELAY_TIMEOUT);
    BELAY_ATOMIC_WITH(w->s, .timeout_ms = 30)
        assert_code(belay_try(w->s, endless_read(w)), BELAY_TIMEOUT);
    BELAY_ATOMIC_WITH(w->s, .timeout_ms = 30) {
        belay_rows *rows = belay_stream(w->s, slow_rows);
        while (belay_next(rows))
            continue;
        belay_rows_close(rows);
    }
    assert_status(w->s, BELAY_TIMEOUT);
}

static void a_limit_that_passes_between_statements_is_noticed_at_the_next_call(void **state)
{
    world *w = *state;
    BELAY_ATOMIC_WITH(w->s, .timeout_ms = 10) {
        put(w->s, 1);
        pause_ms(30);
        assert_code(put(w->s, 2), BELAY_TIMEOUT);
    }
    assert_status(w->s, BELAY_TIMEOUT);
    assert_stored(w, "");
}

static void a_limit_that_passes_after_the_last_statement_keeps_the_commit_from_happening(void **state)
{
    world *w = *state;
    BELAY_ATOMIC_WITH(w->s, .timeout_ms = 10) {
        put(w->s, 1);
        pause_ms(30);
    }
    assert_status(w->s, BELAY_TIMEOUT);
    assert_stored(w, "");
}

static void a_limit_of_a_nested_scope_never_outlasts_that_of_one_around_it(void **state)
{
    static const int inner[] = {60000, -1, 0};
    world *w = *state;
    for (size_t i = 0; i < sizeof inner / sizeof inner[0]; i++) {
        BELAY_ATOMIC_WITH(w->s, .timeout_ms = 20) {
            put(w->s, 1);
            BELAY_ATOMIC_WITH(w->s, .timeout_ms = inner[i])
                belay_exec(w->s, endless_read(w));
        }
        assert_status(w->s, BELAY_TIMEOUT);
    }
    assert_stored(w, "");
}

static void the_handles_limit_is_the_default_and_minus_one_is_none(void **state)
{
    world *w = *state;
    belay_db *db = open_again(w, BELAY_DB_OPTIONS(.timeout_ms = 20));
    belay_session *s = belay_session_open(db);
    assert_code(belay_exec(s, endless_read(w)), BELAY_TIMEOUT); /* also outside any scope */
    BELAY_ATOMIC(s)
        belay_exec(s, endless_read(w));
    assert_code(belay_status(s), BELAY_TIMEOUT);
    BELAY_ATOMIC_WITH(s, .timeout_ms = -1) {
        put(s, 1);
        pause_ms(40);
        put(s, 2);
    }
    assert_code(belay_status(s), BELAY_OK);
    belay_session_close(s);
    belay_close(db);
    assert_stored(w, "1;2");
}

static void a_limit_that_did_not_pass_changes_nothing(void **state)
{
    world *w = *state;
    BELAY_ATOMIC_WITH(w->s, .timeout_ms = 60000, .lock_timeout_ms = 60000, .idle_timeout_ms = 60000) {
        put(w->s, 1);
        assert_seen(w->s, "1");
        BELAY_ATOMIC(w->s)
            put(w->s, 2);
    }
    assert_status(w->s, BELAY_OK);
    assert_stored(w, "1;2");
}

/* ---- One lock ------------------------------------------------------------------------------------------------- */

static void a_lock_that_another_program_holds_is_waited_for_up_to_the_limit(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    void *lock = hold_write_lock(w);
    BELAY_ATOMIC_WITH(w->s, .lock_timeout_ms = 20)
        put(w->s, 1);
    assert_status(w->s, BELAY_LOCK_TIMEOUT);
    assert_true(belay_retryable(belay_pending(w->s)));
    BELAY_READ(w->s) /* who only reads doesn't wait */
        assert_seen(w->s, "");
    let_go(lock);
    assert_status(w->s, BELAY_OK);
    assert_code(put(w->s, 2), BELAY_OK);
}

static void a_lock_that_a_session_of_this_program_holds_is_waited_for_up_to_the_limit(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    belay_session *second = belay_session_open(w->d.db);
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        BELAY_ATOMIC_WITH(second, .lock_timeout_ms = 20)
            put(second, 2);
        assert_code(belay_status(second), BELAY_LOCK_TIMEOUT);
    }
    assert_status(w->s, BELAY_OK);
    belay_session_close(second);
    assert_stored(w, "1");
}

static void the_handles_lock_limit_is_the_default(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    belay_db *db = open_again(w, BELAY_DB_OPTIONS(.lock_timeout_ms = 20));
    belay_session *s = belay_session_open(db);
    void *lock = hold_write_lock(w);
    assert_code(put(s, 1), BELAY_LOCK_TIMEOUT);
    BELAY_ATOMIC(s)
        put(s, 2);
    assert_code(belay_status(s), BELAY_LOCK_TIMEOUT);
    let_go(lock);
    belay_session_close(s);
    belay_close(db);
}

static void the_shorter_of_the_two_limits_gives_its_own_code(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    void *lock = hold_write_lock(w);
    BELAY_ATOMIC_WITH(w->s, .timeout_ms = 20, .lock_timeout_ms = 60000)
        put(w->s, 1);
    assert_status(w->s, BELAY_TIMEOUT);
    BELAY_ATOMIC_WITH(w->s, .timeout_ms = 60000, .lock_timeout_ms = 20)
        put(w->s, 1);
    let_go(lock);
    assert_status(w->s, BELAY_LOCK_TIMEOUT);
}

static void waiting_for_a_connection_counts_towards_the_limit_of_the_scope(void **state)
{
    world *w = *state;
    belay_db *db = open_again(w, BELAY_DB_OPTIONS(.pool_size = 1, .pool_timeout_ms = -1));
    belay_session *holder = belay_session_open(db), *waiter = belay_session_open(db);
    BELAY_ATOMIC(holder) {
        put(holder, 1);
        BELAY_ATOMIC_WITH(waiter, .timeout_ms = 20)
            put(waiter, 2);
        assert_code(belay_status(waiter), BELAY_TIMEOUT);
    }
    belay_session_close(holder);
    belay_session_close(waiter);
    belay_close(db);
    assert_stored(w, "1");
}

/* ---- Idling ------------------------------------------------------------------------------------------------------ */

static void a_transaction_that_idles_past_the_limit_is_ended_at_the_next_call(void **state)
{
    world *w = *state;
    BELAY_ATOMIC_WITH(w->s, .idle_timeout_ms = 10) {
        put(w->s, 1);
        pause_ms(40);
        assert_code(put(w->s, 2), BELAY_TIMEOUT);
        assert_code(put(w->other, 9), BELAY_OK); /* its locks are gone */
    }
    assert_status(w->s, BELAY_TIMEOUT);
    assert_stored(w, "9");
}

static void an_inner_scope_can_not_catch_what_idling_ended(void **state)
{
    world *w = *state;
    BELAY_ATOMIC_WITH(w->s, .idle_timeout_ms = 10) {
        put(w->s, 1);
        BELAY_ATOMIC(w->s) {
            pause_ms(40);
            put(w->s, 2);
        }
        assert_false(belay_catch(w->s, BELAY_ANY));
        assert_code(put(w->s, 3), BELAY_TIMEOUT);
    }
    assert_true(belay_catch(w->s, BELAY_TIMEOUT));
    assert_stored(w, "");
}

static void idling_before_the_first_statement_holds_no_lock_and_passes_no_limit(void **state)
{
    world *w = *state;
    BELAY_ATOMIC_WITH(w->s, .idle_timeout_ms = 10) {
        pause_ms(40);
        put(w->s, 1);
    }
    assert_status(w->s, BELAY_OK);
    assert_stored(w, "1");
}

static void an_inner_scope_that_may_idle_does_not_make_the_one_around_it_late(void **state)
{
    world *w = *state;
    BELAY_ATOMIC_WITH(w->s, .idle_timeout_ms = 500) {
        put(w->s, 1);
        BELAY_ATOMIC_WITH(w->s, .idle_timeout_ms = -1) {
            put(w->s, 2);
            pause_ms(700);
            put(w->s, 3);
        }
        put(w->s, 4);
    }
    assert_status(w->s, BELAY_OK);
    assert_stored(w, "1;2;3;4");
}

static void the_limit_of_an_inner_scope_counts_from_its_beginning(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        BELAY_ATOMIC_WITH(w->s, .idle_timeout_ms = 200)
            put(w->s, 1);
        pause_ms(300);
        BELAY_ATOMIC_WITH(w->s, .idle_timeout_ms = 200)
            put(w->s, 2);
    }
    assert_status(w->s, BELAY_OK);
    assert_stored(w, "1;2");
}

static void idling_before_the_end_of_the_scope_passes_the_limit_too(void **state)
{
    world *w = *state;
    BELAY_ATOMIC_WITH(w->s, .idle_timeout_ms = 10) {
        put(w->s, 1);
        pause_ms(40);
    }
    assert_status(w->s, BELAY_TIMEOUT);
    assert_stored(w, "");
}

/* ---- Bad limits ------------------------------------------------------------------------------------------------- */

static void limits_of_every_size_are_no_crash(void **state)
{
    static const int limits[] = {INT32_MAX, 1, 0, -1, -2, INT32_MIN};
    world *w = *state;
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        belay_begin(w->s, BELAY_SCOPE_OPTIONS(.timeout_ms = limits[i]));
        belay_rollback(w->s);
        belay_begin(w->s, BELAY_SCOPE_OPTIONS(.lock_timeout_ms = limits[i]));
        belay_exec(w->s, "SELECT 1");
        belay_rollback(w->s);
        belay_begin(w->s, BELAY_SCOPE_OPTIONS(.idle_timeout_ms = limits[i]));
        belay_exec(w->s, "SELECT 1");
        belay_rollback(w->s);
        assert_int_equal(belay_depth(w->s), 0);
    }
    BELAY_ATOMIC_WITH(w->s, .timeout_ms = INT32_MAX, .lock_timeout_ms = INT32_MAX, .idle_timeout_ms = INT32_MAX)
        put(w->s, 1);
    assert_status(w->s, BELAY_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(a_statement_is_interrupted_when_the_limit_of_its_scope_has_passed),
        in_world(a_read_that_was_interrupted_in_an_inner_scope_leaves_the_outer_one_intact),
        in_world(a_write_that_was_interrupted_leaves_nothing_behind_the_scopes_back),
        in_world(queries_streams_and_tries_are_interrupted_too),
        in_world(a_limit_that_passes_between_statements_is_noticed_at_the_next_call),
        in_world(a_limit_that_passes_after_the_last_statement_keeps_the_commit_from_happening),
        in_world(a_limit_of_a_nested_scope_never_outlasts_that_of_one_around_it),
        in_world(the_handles_limit_is_the_default_and_minus_one_is_none),
        in_world(a_limit_that_did_not_pass_changes_nothing),
        in_world(a_lock_that_another_program_holds_is_waited_for_up_to_the_limit),
        in_world(a_lock_that_a_session_of_this_program_holds_is_waited_for_up_to_the_limit),
        in_world(the_handles_lock_limit_is_the_default),
        in_world(the_shorter_of_the_two_limits_gives_its_own_code),
        in_world(waiting_for_a_connection_counts_towards_the_limit_of_the_scope),
        in_world(a_transaction_that_idles_past_the_limit_is_ended_at_the_next_call),
        in_world(an_inner_scope_can_not_catch_what_idling_ended),
        in_world(idling_before_the_first_statement_holds_no_lock_and_passes_no_limit),
        in_world(an_inner_scope_that_may_idle_does_not_make_the_one_around_it_late),
        in_world(the_limit_of_an_inner_scope_counts_from_its_beginning),
        in_world(idling_before_the_end_of_the_scope_passes_the_limit_too),
        in_world(limits_of_every_size_are_no_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
