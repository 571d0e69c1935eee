/*
 * test_server_kills.c - a statement that another session cancels, and a connection that it kills: before, in and
 * between statements, in nested scopes, under a stream, and during the commit.
 *
 * On the server of BELAY_TEST_URL; where the engines differ, both results are stated. Losses at every single message:
 * test_cuts.c.
 */
#include "server.h"

#include <stdio.h>

/* ---- Hooks that count ------------------------------------------------------------------------------------------- */

typedef struct counts {
    int committed, rolled_back;
} counts;

static int count(belay_session *s, void *n)
{
    (void)s;
    ++*(int *)n;
    return 0;
}

static void count_ends(belay_session *s, counts *c)
{
    belay_on_commit(s, count, &c->committed, NULL);
    belay_on_rollback(s, count, &c->rolled_back, NULL);
}

#define assert_counts(c, commits, rollbacks)                                                                           \
    do {                                                                                                               \
        assert_int_equal((c).committed, commits);                                                                      \
        assert_int_equal((c).rolled_back, rollbacks);                                                                  \
    } while (0)

/* ---- Under a stream ---------------------------------------------------------------------------------------------- */

/* How a unit ended that was struck while it read rows without end: nothing of it is there. */
static belay_error strike_under_stream(world *w, blow how)
{
    striker k;
    int64_t rows = 0;
    counts c = {0, 0};
    belay_begin(w->s, NULL);
    put(w->s, 1);
    count_ends(w->s, &c);
    int64_t number = number_of(w, w->s);
    belay_rows *stream = belay_stream(
        w->s, by_server(w, "SELECT generate_series(1, 100000000000) AS n",
                        "SELECT n.seq AS n FROM seq_1_to_100000000 n JOIN seq_1_to_100000000 m ON m.seq > 0"));
    rows += belay_next(stream);
    striker_start(&k, w, how, number, NULL); /* now that it runs */
    while (belay_next(stream))
        rows++;
    belay_rows_close(stream);
    belay_commit(w->s);
    belay_error error = *belay_pending(w->s);
    striker_join(&k);
    assert_true(rows > 0);
    assert_counts(c, 0, 1);
    assert_stored(w, "");
    return error;
}

/* ---- Cancelled --------------------------------------------------------------------------------------------------- */

static void a_statement_cancelled_in_an_inner_scope_undoes_that_scope_only(void **state)
{
    world *w = *state;
    striker k;
    bool caught = false;
    counts inner = {0, 0};
    belay_begin(w->s, NULL);
    put(w->s, 1);
    striker_start(&k, w, CANCEL_QUERY, number_of(w, w->s), "SELECT count(*)%");
    BELAY_ATOMIC(w->s) {
        count_ends(w->s, &inner);
        put(w->s, 2);
        belay_int_of(w->s, endless(w));
    }
    caught = belay_catch(w->s, BELAY_CANCELLED);
    put(w->s, 3);
    belay_code code = belay_commit(w->s);
    striker_join(&k);
    assert_code(code, BELAY_OK);
    assert_true(caught);
    assert_counts(inner, 0, 1);
    assert_stored(w, "1;3");
}

static void a_cancelled_unit_is_rolled_back_and_not_run_again(void **state)
{
    world *w = *state;
    striker k;
    counts c = {0, 0};
    int runs = 0;
    assert_code(put(w->s, 1), BELAY_OK);
    striker_start(&k, w, CANCEL_QUERY, number_of(w, w->s), "SELECT count(*)%");
    BELAY_ATOMIC_WITH(w->s, .retries = 3, .backoff_ms = 1) {
        runs++;
        count_ends(w->s, &c);
        put(w->s, 2);
        belay_int_of(w->s, endless(w));
        put(w->s, 3);
    }
    belay_error error = *belay_pending(w->s);
    striker_join(&k);
    assert_code(error.code, BELAY_CANCELLED);
    assert_int_equal(error.outcome, BELAY_WORK_ROLLED_BACK);
    assert_int_equal(runs, 1);
    assert_counts(c, 0, 1);
    assert_stored(w, "1");
}

/* PostgreSQL forgets it. MariaDB remembers it for the next statement, which has then not been run. */
static void a_cancel_between_statements_meets_the_next_one_or_nothing(void **state)
{
    world *w = *state;
    belay_code code = BELAY_OK;
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        strike(w, CANCEL_QUERY, number_of(w, w->s));
        code = put(w->s, 2);
    }
    assert_code(code, BELAY_OK);
    assert_status(w->s, BELAY_OK);
    assert_stored(w, "1;2");
}

static void a_cancel_of_an_idle_connection_leaves_the_next_unit_alone(void **state)
{
    world *w = *state;
    int64_t number = number_of(w, w->s);
    strike(w, CANCEL_QUERY, number);
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
    }
    assert_status(w->s, BELAY_OK);
    assert_int_equal(number_of(w, w->s), number);
    assert_stored(w, "1");
}

static void a_cancel_under_a_stream_ends_it_with_its_error(void **state)
{
    assert_code(strike_under_stream(*state, CANCEL_QUERY).code, BELAY_CANCELLED);
}

/* ---- Killed ----------------------------------------------------------------------------------------------------- */

static void a_connection_killed_between_statements_loses_the_unit_and_no_inner_scope_catches_it(void **state)
{
    world *w = *state;
    counts c = {0, 0};
    bool caught = false;
    belay_code later = BELAY_OK;
    BELAY_ATOMIC(w->s) {
        count_ends(w->s, &c);
        put(w->s, 1);
        BELAY_ATOMIC(w->s) {
            put(w->s, 2);
            strike(w, KILL_CONNECTION, number_of(w, w->s));
            BELAY_ATOMIC(w->s)
                put(w->s, 3);
        }
        caught = belay_catch(w->s, BELAY_ANY);
        later = put(w->s, 4);
    }
    belay_error error = *belay_pending(w->s);
    assert_false(caught);
    assert_code(later, BELAY_CONNECTION);
    assert_code(error.code, BELAY_CONNECTION);
    assert_int_equal(error.outcome, BELAY_WORK_ROLLED_BACK);
    assert_true(belay_retryable(&error));
    assert_counts(c, 0, 1);
    assert_stored(w, "");
}

/* The savepoint is the first to meet it on MariaDB, where it is a command of its own. */
static void a_connection_lost_long_before_the_time_limit_is_no_timeout_and_the_unit_runs_again(void **state)
{
    world *w = *state;
    int runs = 0;
    BELAY_ATOMIC_WITH(w->s, .timeout_ms = 60000, .retries = 1, .backoff_ms = 1) {
        put(w->s, 1);
        if (++runs == 1)
            strike(w, KILL_CONNECTION, number_of(w, w->s));
        BELAY_ATOMIC(w->s)
            put(w->s, 2);
    }
    assert_status(w->s, BELAY_OK);
    assert_int_equal(runs, 2);
    assert_stored(w, "1;2");
}

static void a_unit_whose_connection_is_killed_in_a_statement_runs_again_and_is_there_once(void **state)
{
    world *w = *state;
    striker k;
    counts c = {0, 0};
    int runs = 0;
    striker_start(&k, w, KILL_CONNECTION, number_of(w, w->s), "SELECT count(*)%");
    BELAY_ATOMIC_WITH(w->s, .retries = 3, .backoff_ms = 1) {
        count_ends(w->s, &c);
        put(w->s, belay_attempt(w->s));
        if (++runs == 1)
            belay_int_of(w->s, endless(w));
    }
    belay_code code = belay_status(w->s);
    striker_join(&k);
    assert_code(code, BELAY_OK);
    assert_int_equal(runs, 2);
    assert_counts(c, 1, 1);
    assert_stored(w, "2");
}

static void a_connection_killed_while_it_was_idle_costs_one_attempt_at_most(void **state)
{
    world *w = *state;
    int runs = 0;
    strike(w, KILL_CONNECTION, number_of(w, w->s));
    BELAY_ATOMIC_WITH(w->s, .retries = 1, .backoff_ms = 1) {
        runs++;
        put(w->s, 1);
    }
    assert_status(w->s, BELAY_OK);
    assert_true(runs <= 2);
    assert_stored(w, "1");
}

static void a_connection_killed_before_the_commit_leaves_nothing_and_no_doubt(void **state)
{
    world *w = *state;
    counts c = {0, 0};
    BELAY_ATOMIC(w->s) {
        count_ends(w->s, &c);
        put(w->s, 1);
        strike(w, KILL_CONNECTION, number_of(w, w->s));
    }
    belay_error error = *belay_pending(w->s);
    assert_code(error.code, BELAY_CONNECTION);
    assert_int_equal(error.outcome, BELAY_WORK_ROLLED_BACK);
    assert_counts(c, 0, 1);
    assert_stored(w, "");
}

static void a_connection_killed_under_a_stream_ends_it_with_its_error(void **state)
{
    belay_error error = strike_under_stream(*state, KILL_CONNECTION);
    assert_code(error.code, BELAY_CONNECTION);
    assert_int_equal(error.outcome, BELAY_WORK_ROLLED_BACK);
}

static void a_connection_killed_under_one_statement_outside_scopes_is_told(void **state)
{
    world *w = *state;
    striker k;
    striker_start(&k, w, KILL_CONNECTION, number_of(w, w->s), "SELECT count(*)%");
    belay_int_of(w->s, endless(w));
    belay_error error = *belay_pending(w->s);
    striker_join(&k);
    assert_true(error.code == BELAY_CONNECTION || error.code == BELAY_IN_DOUBT);
}

/* ---- During the commit ------------------------------------------------------------------------------------------ */

/* Makes the commit of whatever is put into item take long: by a trigger that is deferred, or by a lock on all commits.
 */
static void make_commits_slow(world *w)
{
    static const char *const slow[] = {
        "CREATE FUNCTION nap() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(60); RETURN NULL; END'",
        "CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON item DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION nap()",
        NULL};
    static const char *const locked[] = {"FLUSH TABLES WITH READ LOCK", NULL};
    database_run(w->other, is_mariadb(w) ? locked : slow);
}

static void make_commits_quick(world *w)
{
    static const char *const quick[] = {"DROP FUNCTION nap CASCADE", NULL};
    static const char *const unlocked[] = {"UNLOCK TABLES", NULL};
    database_run(w->other, is_mariadb(w) ? unlocked : quick);
}

typedef struct slow_unit {
    world *w;
    counts c;
    blow how;
    striker k;
    int runs, retries;
} slow_unit;

static int begin_slow(belay_session *s, void *arg)
{
    slow_unit *u = arg;
    u->runs++;
    count_ends(s, &u->c);
    put(s, 1);
    if (is_mariadb(u->w))
        make_commits_slow(u->w); /* now that it has written */
    striker_start(&u->k, u->w, u->how, number_of(u->w, s), "COMMIT%");
    return 0;
}

static belay_error strike_commit(slow_unit *u)
{
    if (!is_mariadb(u->w))
        make_commits_slow(u->w);
    belay_atomic(u->w->s, BELAY_SCOPE_OPTIONS(.retries = u->retries, .backoff_ms = 1), begin_slow, u);
    belay_error error = *belay_pending(u->w->s);
    striker_join(&u->k);
    make_commits_quick(u->w);
    return error;
}

static void a_cancelled_commit_has_rolled_back_and_says_so(void **state)
{
    slow_unit u = {.w = *state, .how = CANCEL_QUERY, .retries = 3};
    belay_error error = strike_commit(&u);
    assert_code(error.code, BELAY_CANCELLED);
    assert_int_equal(error.outcome, BELAY_WORK_ROLLED_BACK);
    assert_int_equal(u.runs, 1);
    assert_counts(u.c, 0, 1);
    assert_stored(u.w, "");
}

/* PostgreSQL says afterwards that it was rolled back. */
static void a_connection_killed_during_the_commit_is_in_doubt_where_nobody_can_say_and_then_never_run_again(
    void **state)
{
    slow_unit u = {.w = *state, .how = KILL_CONNECTION};
    bool told = !is_mariadb(u.w);
    u.retries = told ? 0 : 3;
    belay_error error = strike_commit(&u);
    assert_code(error.code, told ? BELAY_CONNECTION : BELAY_IN_DOUBT);
    assert_int_equal(error.outcome, told ? BELAY_WORK_ROLLED_BACK : BELAY_WORK_UNKNOWN);
    assert_int_equal(u.runs, 1);
    assert_counts(u.c, 0, told);
    assert_no_locks(u.w);
    assert_stored(u.w, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        on_server(a_statement_cancelled_in_an_inner_scope_undoes_that_scope_only),
        on_server(a_cancelled_unit_is_rolled_back_and_not_run_again),
        on_server(a_cancel_between_statements_meets_the_next_one_or_nothing),
        on_server(a_cancel_of_an_idle_connection_leaves_the_next_unit_alone),
        on_server(a_cancel_under_a_stream_ends_it_with_its_error),
        on_server(a_connection_killed_between_statements_loses_the_unit_and_no_inner_scope_catches_it),
        on_server(a_connection_lost_long_before_the_time_limit_is_no_timeout_and_the_unit_runs_again),
        on_server(a_unit_whose_connection_is_killed_in_a_statement_runs_again_and_is_there_once),
        on_server(a_connection_killed_while_it_was_idle_costs_one_attempt_at_most),
        on_server(a_connection_killed_before_the_commit_leaves_nothing_and_no_doubt),
        on_server(a_connection_killed_under_a_stream_ends_it_with_its_error),
        on_server(a_connection_killed_under_one_statement_outside_scopes_is_told),
        on_server(a_cancelled_commit_has_rolled_back_and_says_so),
        on_server(a_connection_killed_during_the_commit_is_in_doubt_where_nobody_can_say_and_then_never_run_again),
    };
    return cmocka_run_group_tests_name("server kills", tests, NULL, NULL);
}
