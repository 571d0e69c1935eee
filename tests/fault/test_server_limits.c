/*
 * test_server_limits.c - time limits on a server: for one lock, for a statement, for the whole scope, and for idling;
 * the limits that the server itself has, and that run while the program hangs.
 *
 * On the server of BELAY_TEST_URL. What holds on every engine is in tests/api/test_limits.c.
 */
#include "server.h"

#include <stdio.h>

/* Lets the other session hold a row, or a whole table that conflicts with any use of it. */
static void hold_row(world *w)
{
    make_purses(w, 2);
    belay_begin(w->other, NULL);
    assert_code(belay_exec(w->other, "UPDATE purse SET cents = 5 WHERE id = 1"), BELAY_OK);
}

/* ---- One lock --------------------------------------------------------------------------------------------------- */

static void a_lock_is_waited_for_up_to_its_limit_and_an_inner_scope_can_catch_that(void **state)
{
    world *w = *state;
    bool caught = false;
    hold_row(w);
    BELAY_ATOMIC_WITH(w->s, .lock_timeout_ms = 50) {
        put(w->s, 1);
        BELAY_ATOMIC(w->s)
            belay_exec(w->s, "UPDATE purse SET cents = 6 WHERE id = 1");
        caught = belay_catch(w->s, BELAY_LOCK_TIMEOUT);
        belay_exec(w->s, "UPDATE purse SET cents = 7 WHERE id = 2");
    }
    assert_status(w->s, BELAY_OK);
    assert_true(caught);
    assert_code(belay_commit(w->other), BELAY_OK);
    assert_stored(w, "1");
    assert_rows(w->s, "SELECT cents FROM purse ORDER BY id", "5;7");
}

typedef struct release {
    world *w;
    int failures;
} release;

static int release_after_two(belay_session *s, void *arg)
{
    release *r = arg;
    (void)s;
    if (++r->failures == 2)
        belay_commit(r->w->other);
    return 0;
}

static void a_unit_that_met_a_held_lock_runs_again_and_gets_through(void **state)
{
    world *w = *state;
    release r = {w, 0};
    hold_row(w);
    BELAY_ATOMIC_WITH(w->s, .lock_timeout_ms = 30, .retries = 9, .backoff_ms = 1, .backoff_max_ms = 2) {
        belay_on_rollback(w->s, release_after_two, &r, NULL);
        belay_exec(w->s, "UPDATE purse SET cents = cents + 1 WHERE id = 1");
    }
    assert_status(w->s, BELAY_OK);
    assert_int_equal(r.failures, 2);
    assert_rows(w->s, "SELECT cents FROM purse ORDER BY id", "6;0");
}

static void a_lock_that_is_not_waited_for_is_busy(void **state)
{
    world *w = *state;
    hold_row(w);
    BELAY_ATOMIC(w->s)
        belay_int_of(w->s, "SELECT cents FROM purse WHERE id = 1 FOR UPDATE NOWAIT");
    belay_code code = belay_status(w->s);
    belay_rollback(w->other);
    assert_code(code, BELAY_BUSY);
}

/* ---- A statement, and the whole scope --------------------------------------------------------------------------- */

static void a_statement_that_outlasts_the_scopes_limit_is_cancelled_and_its_locks_are_gone(void **state)
{
    world *w = *state;
    make_purses(w, 1);
    BELAY_ATOMIC_WITH(w->s, .timeout_ms = 150, .retries = 5) {
        belay_exec(w->s, "UPDATE purse SET cents = 1");
        belay_int_of(w->s, endless(w));
    }
    belay_error error = *belay_pending(w->s);
    assert_code(error.code, BELAY_TIMEOUT);
    assert_int_equal(error.outcome, BELAY_WORK_ROLLED_BACK);
    assert_int_equal(error.attempt, 1);
    assert_no_locks(w);
    assert_code(belay_exec(w->other, "UPDATE purse SET cents = 2"), BELAY_OK);
}

static void a_wait_for_a_lock_ends_with_the_scopes_limit_where_that_is_shorter(void **state)
{
    world *w = *state;
    hold_row(w);
    BELAY_ATOMIC_WITH(w->s, .timeout_ms = 150, .lock_timeout_ms = 60000)
        belay_exec(w->s, "UPDATE purse SET cents = 6 WHERE id = 1");
    belay_code code = belay_status(w->s);
    belay_rollback(w->other);
    assert_code(code, BELAY_TIMEOUT);
}

static void the_limit_is_for_all_attempts_together_and_the_last_error_stays(void **state)
{
    world *w = *state;
    hold_row(w);
    BELAY_ATOMIC_WITH(w->s, .timeout_ms = 600, .lock_timeout_ms = 20, .retries = 1000000, .backoff_ms = 1,
                      .backoff_max_ms = 5)
        belay_exec(w->s, "UPDATE purse SET cents = 6 WHERE id = 1");
    belay_error error = *belay_pending(w->s);
    belay_rollback(w->other);
    assert_true(error.code == BELAY_LOCK_TIMEOUT || error.code == BELAY_TIMEOUT);
    assert_int_equal(error.outcome, BELAY_WORK_ROLLED_BACK);
}

/* A cancel that comes while the server still reads and plans the statement is forgotten by PostgreSQL: the library asks
   again. So the connection is kept, as the server has answered in the end. */
static void a_cancel_that_the_server_forgot_is_sent_again(void **state)
{
    world *w = *state;
    if (is_mariadb(w))
        skip();
    assert_code(belay_exec(w->other, "CREATE FUNCTION think() RETURNS integer LANGUAGE plpgsql IMMUTABLE AS '"
                                     "BEGIN BEGIN PERFORM pg_sleep(0.3); EXCEPTION WHEN query_canceled THEN NULL; END;"
                                     " RETURN 1; END'"),
                BELAY_OK);
    int64_t before = number_of(w, w->s);
    BELAY_ATOMIC_WITH(w->s, .timeout_ms = 100)
        belay_int_of(w->s, "SELECT count(*) FROM pg_sleep(600) WHERE think() = 1"); /* thinks while it plans */
    assert_status(w->s, BELAY_TIMEOUT);
    assert_int_equal(number_of(w, w->s), before);
}

/* ---- The server's own limits ------------------------------------------------------------------------------------ */

static void the_servers_own_statement_limit_is_a_timeout_too(void **state)
{
    world *w = *state;
    bool caught = false;
    belay_begin(w->s, NULL);
    put(w->s, 1);
    belay_exec(w->s, by_server(w, "SET LOCAL statement_timeout = 50", "SET SESSION max_statement_time = 0.05"));
    BELAY_ATOMIC(w->s)
        belay_int_of(w->s, endless(w));
    caught = belay_catch(w->s, BELAY_TIMEOUT);
    belay_exec(w->s, by_server(w, "SET LOCAL statement_timeout = 0", "SET SESSION max_statement_time = 0"));
    put(w->s, 2);
    assert_code(belay_commit(w->s), BELAY_OK);
    assert_true(caught);
    assert_stored(w, "1;2");
}

/* The transaction's lock is gone while the program still hangs. */
static void assert_row_is_free(world *w)
{
    assert_code(belay_exec(w->other, "UPDATE purse SET cents = 9 WHERE id = 1"), BELAY_OK);
}

static void a_transaction_that_idles_past_the_servers_own_limit_is_gone(void **state)
{
    world *w = *state;
    make_purses(w, 1);
    belay_begin(w->s, NULL);
    belay_exec(w->s, by_server(w, "SET LOCAL idle_in_transaction_session_timeout = 50",
                               "SET SESSION idle_transaction_timeout = 1"));
    belay_exec(w->s, "UPDATE purse SET cents = 1");
    assert_row_is_free(w); /* waits until it is */
    belay_code next = put(w->s, 1);
    belay_code end = belay_commit(w->s);
    belay_outcome outcome = belay_pending(w->s)->outcome;
    assert_code(next, is_mariadb(w) ? BELAY_CONNECTION : BELAY_TIMEOUT); /* MariaDB hangs up without a word */
    assert_code(end, next);
    assert_int_equal(outcome, BELAY_WORK_ROLLED_BACK);
    assert_rows(w->other, "SELECT cents FROM purse", "9");
}

static void a_pooled_connection_that_the_server_closed_for_idling_costs_one_attempt_at_most(void **state)
{
    world *w = *state;
    char sql[160];
    int runs = 0;
    int64_t number = number_of(w, w->s);
    assert_code(belay_exec(w->s, by_server(w, "SET idle_session_timeout = 50", "SET SESSION wait_timeout = 1")),
                BELAY_OK);
    snprintf(sql, sizeof sql,
             by_server(w, "SELECT count(*) FROM pg_stat_activity WHERE pid = %lld",
                       "SELECT count(*) FROM information_schema.processlist WHERE id = %lld"),
             (long long)number);
    await_answer(w->other, sql, 0);
    BELAY_ATOMIC_WITH(w->s, .retries = 1, .backoff_ms = 1) {
        runs++;
        put(w->s, 1);
    }
    assert_status(w->s, BELAY_OK);
    assert_true(runs <= 2);
    assert_stored(w, "1");
}

/* ---- Idling: the library's limit -------------------------------------------------------------------------------- */

static void the_server_ends_what_idles_past_the_limit_of_the_scope_while_the_program_hangs(void **state)
{
    world *w = *state;
    make_purses(w, 1);
    belay_begin(w->s, BELAY_SCOPE_OPTIONS(.idle_timeout_ms = 50));
    belay_exec(w->s, "UPDATE purse SET cents = 1");
    assert_row_is_free(w); /* waits until it is; the program does not call meanwhile */
    belay_code next = put(w->s, 1);
    belay_error error = *belay_pending(w->s);
    belay_code end = belay_commit(w->s);
    assert_code(next, BELAY_TIMEOUT);
    assert_contains(error.message, "idle");
    assert_code(end, BELAY_TIMEOUT);
    assert_int_equal(belay_pending(w->s)->outcome, BELAY_WORK_ROLLED_BACK);
    assert_rows(w->other, "SELECT cents FROM purse", "9");
}

/* The server has the longest limit of the scopes that were open at the last statement. */
static void an_inner_scope_that_may_idle_longer_is_not_ended_by_the_limit_around_it(void **state)
{
    world *w = *state;
    BELAY_ATOMIC_WITH(w->s, .idle_timeout_ms = is_mariadb(w) ? 1000 : 100) {
        put(w->s, 1);
        BELAY_ATOMIC_WITH(w->s, .idle_timeout_ms = -1) {
            put(w->s, 2);
            pause_ms(is_mariadb(w) ? 2200 : 300);
            put(w->s, 3);
        }
    }
    assert_status(w->s, BELAY_OK);
    assert_stored(w, "1;2;3");
}

static void an_inner_scopes_shorter_limit_ends_with_it(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        BELAY_ATOMIC_WITH(w->s, .idle_timeout_ms = 100)
            put(w->s, 2);
        pause_ms(is_mariadb(w) ? 1300 : 300);
        put(w->s, 3);
    }
    assert_status(w->s, BELAY_OK);
    assert_stored(w, "1;2;3");
}

static void a_limit_that_was_set_in_a_scope_that_went_back_holds_again_as_before(void **state)
{
    world *w = *state;
    make_purses(w, 1);
    belay_begin(w->s, BELAY_SCOPE_OPTIONS(.idle_timeout_ms = 100));
    put(w->s, 1);
    belay_begin(w->s, NULL);
    put(w->s, 2);
    belay_begin(w->s, BELAY_SCOPE_OPTIONS(.idle_timeout_ms = -1));
    put(w->s, 3);
    belay_rollback(w->s);
    belay_rollback(w->s);
    belay_exec(w->s, "UPDATE purse SET cents = 1");
    assert_row_is_free(w);
    assert_code(belay_commit(w->s), BELAY_TIMEOUT);
}

static void a_unit_without_an_idle_limit_may_idle_after_one_with_it(void **state)
{
    world *w = *state;
    BELAY_ATOMIC_WITH(w->s, .idle_timeout_ms = 100)
        put(w->s, 1);
    BELAY_ATOMIC(w->s) {
        put(w->s, 2);
        pause_ms(is_mariadb(w) ? 1300 : 300);
        put(w->s, 3);
    }
    assert_status(w->s, BELAY_OK);
    assert_stored(w, "1;2;3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        on_server(a_lock_is_waited_for_up_to_its_limit_and_an_inner_scope_can_catch_that),
        on_server(a_unit_that_met_a_held_lock_runs_again_and_gets_through),
        on_server(a_lock_that_is_not_waited_for_is_busy),
        on_server(a_statement_that_outlasts_the_scopes_limit_is_cancelled_and_its_locks_are_gone),
        on_server(a_wait_for_a_lock_ends_with_the_scopes_limit_where_that_is_shorter),
        on_server(the_limit_is_for_all_attempts_together_and_the_last_error_stays),
        on_server(a_cancel_that_the_server_forgot_is_sent_again),
        on_server(the_servers_own_statement_limit_is_a_timeout_too),
        on_server(a_transaction_that_idles_past_the_servers_own_limit_is_gone),
        on_server(a_pooled_connection_that_the_server_closed_for_idling_costs_one_attempt_at_most),
        on_server(the_server_ends_what_idles_past_the_limit_of_the_scope_while_the_program_hangs),
        on_server(an_inner_scope_that_may_idle_longer_is_not_ended_by_the_limit_around_it),
        on_server(an_inner_scopes_shorter_limit_ends_with_it),
        on_server(a_limit_that_was_set_in_a_scope_that_went_back_holds_again_as_before),
        on_server(a_unit_without_an_idle_limit_may_idle_after_one_with_it),
    };
    return cmocka_run_group_tests_name("server limits", tests, NULL, NULL);
}
