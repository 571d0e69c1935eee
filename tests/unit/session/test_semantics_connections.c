/*
 * test_semantics_connections.c - connections that are lost, lent, kept and closed: what the program is told.
 *
 * tests/semantics/map.txt tells which of other layers' cases are proved here.
 */
#include "faulty.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

/* ---- A connection that is lost --------------------------------------------------------------------------------- */

static void after_a_loss_every_call_is_refused_alike_until_the_unit_ends_and_the_next_one_has_another_connection(
    void **state)
{
    (void)state;
    for (int commit = 0; commit < 2; commit++) {
        belay_begin(the.s, NULL);
        put(2);
        fail_next(FAKE_LOST_BEFORE);
        assert_code(put(3), BELAY_CONNECTION);
        watch();
        for (int i = 0; i < 3; i++) {
            assert_code(put(4), BELAY_CONNECTION);
            assert_string_equal(belay_pending(the.s)->message,
                                "the connection was lost at call 1 (statement), as a test asked for");
        }
        assert_sent(""); /* nothing is sent, and nothing opened in its place */
        assert_code(commit ? belay_commit(the.s) : belay_rollback(the.s), BELAY_CONNECTION);
        assert_int_equal(belay_pending(the.s)->outcome, BELAY_WORK_ROLLED_BACK);
        assert_int_equal(the.fake.open_connections, 0);
        assert_stored("1");
    }
    assert_next_unit_works();
    assert_int_equal(times("open"), 1);
}

static void a_commit_after_a_loss_is_no_commit_in_doubt(void **state)
{
    (void)state;
    belay_begin(the.s, NULL);
    put(2);
    fail_next(FAKE_LOST_AFTER);
    put(3);
    assert_code(belay_commit(the.s), BELAY_CONNECTION);
    assert_int_equal(times("commit"), 0); /* it never left */
    assert_int_equal(belay_pending(the.s)->outcome, BELAY_WORK_ROLLED_BACK);
    assert_true(belay_retryable(belay_pending(the.s)));
    assert_stored("1");
}

static void a_loss_at_the_commit_is_in_doubt_named_and_never_run_again(void **state)
{
    static const fake_fault faults[] = {FAKE_LOST_BEFORE, FAKE_LOST_AFTER};
    (void)state;
    for (int i = 0; i < 2; i++) {
        int runs = 0;
        BELAY_ATOMIC_WITH(the.s, .name = "pay", .retries = 5, .backoff_ms = 1) {
            runs++;
            put(2 + i);
            fail_next(faults[i]);
        }
        assert_int_equal(runs, 1);
        const belay_error *error = belay_pending(the.s);
        assert_code(error->code, BELAY_IN_DOUBT);
        assert_int_equal(error->outcome, BELAY_WORK_UNKNOWN);
        assert_string_equal(error->scope, "pay");
        assert_false(belay_retryable(error));
        assert_stored(i == 0 ? "1" : "1;3"); /* which of the two, the program can't know */
        assert_int_equal(belay_depth(the.s), 0);
        assert_code(belay_exec(the.s, "SELECT 1"), BELAY_OK);
    }
}

static void a_unit_whose_connection_was_lost_before_the_commit_is_run_again_as_a_whole(void **state)
{
    (void)state;
    for (int retries = 0; retries < 2; retries++) {
        int runs = 0;
        BELAY_ATOMIC_WITH(the.s, .retries = retries, .backoff_ms = 1) {
            runs++;
            put(2);
            if (runs == 1)
                fail_next(FAKE_LOST_AFTER);
            put(3); /* done by the engine, and lost with its answer */
            put(4);
        }
        assert_int_equal(runs, 1 + retries);
        assert_code(belay_status(the.s), retries ? BELAY_OK : BELAY_CONNECTION);
        assert_stored(retries ? "1;2;3;4" : "1");
    }
}

static void closing_a_session_after_a_loss_is_clean(void **state)
{
    (void)state;
    belay_session *s = belay_session_open(the.db);
    belay_begin(s, NULL);
    fail_next(FAKE_LOST_BEFORE);
    assert_code(belay_exec(s, "INSERT INTO item VALUES (?)", 2), BELAY_CONNECTION);
    assert_code(belay_session_close(s), BELAY_CONNECTION);
    assert_int_equal(the.fake.open_connections, 0);
    assert_next_unit_works();
}

static void a_loss_in_the_midst_of_a_stream_is_told_where_it_is_read(void **state)
{
    (void)state;
    int rows = 0;
    belay_begin(the.s, NULL);
    belay_exec(the.s, "INSERT INTO item VALUES (2), (3), (4)");
    belay_rows *stream = belay_stream(the.s, "SELECT id FROM item ORDER BY id");
    fake_arm(&the.fake, 3, FAKE_LOST_BEFORE, false);
    while (belay_next(stream)) {
        rows++;
        assert_int_equal(belay_int(stream, 0), rows);
    }
    assert_int_equal(rows, 2);
    assert_code(belay_status(the.s), BELAY_CONNECTION);
    assert_false(belay_next(stream));
    belay_rows_close(stream);
    assert_code(belay_commit(the.s), BELAY_CONNECTION);
    assert_stored("1");
    assert_next_unit_works();
}

static int count_call(belay_session *s, void *arg)
{
    (void)s;
    ++*(int *)arg;
    return 0;
}

static void hooks_of_a_unit_whose_connection_was_lost_do_not_run_with_the_next(void **state)
{
    int lost = 0, next = 0;
    (void)state;
    BELAY_ATOMIC(the.s) {
        belay_on_commit(the.s, count_call, &lost, NULL);
        fail_next(FAKE_LOST_BEFORE);
        put(2);
    }
    BELAY_ATOMIC(the.s) {
        belay_on_commit(the.s, count_call, &next, NULL);
        put(3);
    }
    assert_int_equal(lost, 0);
    assert_int_equal(next, 1);
}

static void two_sessions_that_lose_their_connections_both_recover(void **state)
{
    (void)state;
    belay_session *other = belay_session_open(the.db);
    belay_begin(the.s, NULL);
    put(2);
    belay_begin(other, BELAY_SCOPE_OPTIONS(.read_only = true));
    assert_int_equal(belay_int_of(other, "SELECT count(*) FROM item"), 1);
    assert_int_equal(the.fake.open_connections, 2);
    fake_arm(&the.fake, 1, FAKE_LOST_BEFORE, true);
    assert_code(put(3), BELAY_CONNECTION);
    assert_int_equal(belay_int_of(other, "SELECT count(*) FROM item"), 0);
    assert_code(belay_rollback(the.s), BELAY_CONNECTION);
    assert_code(belay_rollback(other), BELAY_CONNECTION);
    watch();
    assert_int_equal(the.fake.open_connections, 0);
    assert_next_unit_works();
    assert_int_equal(belay_int_of(other, "SELECT count(*) FROM item"), 2);
    assert_int_equal(times("open"), 1); /* one served both, one after the other */
    assert_code(belay_session_close(other), BELAY_OK);
}

/* ---- The pool -------------------------------------------------------------------------------------------------- */

static belay_db *open_pool(int size)
{
    return belayi_db_open_with(&the.fake.driver, the.d.url, BELAY_DB_OPTIONS(.pool_size = size));
}

/* Holds a connection, by reading. */
static bool hold(belay_session *s)
{
    belay_begin(s, BELAY_SCOPE_OPTIONS(.read_only = true));
    return belay_int_of(s, "SELECT count(*) FROM item") == 1;
}

static void connections_are_opened_up_to_the_size_of_the_pool_and_kept(void **state)
{
    enum { SIZE = 3, ROUNDS = 5 };
    (void)state;
    watch();
    belay_db *db = open_pool(SIZE);
    belay_session *s[SIZE];
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < SIZE; i++) {
            s[i] = belay_session_open(db);
            assert_true(hold(s[i]));
            assert_int_equal(times("open"), round == 0 ? i + 1 : SIZE);
        }
        for (int i = 0; i < SIZE; i++)
            assert_code(belay_session_close(s[i]), BELAY_OK);
        assert_int_equal(the.fake.open_connections, 1 + SIZE); /* with that of the rig's own handle */
    }
    belay_close(db);
    assert_int_equal(the.fake.open_connections, 1);
}

static void closing_a_handle_closes_idle_connections_at_once_and_lent_ones_when_they_come_back(void **state)
{
    (void)state;
    belay_db *db = open_pool(2);
    belay_session *idle = belay_session_open(db), *lent = belay_session_open(db);
    assert_true(hold(idle) && hold(lent));
    assert_code(belay_commit(idle), BELAY_OK);
    assert_int_equal(the.fake.open_connections, 1 + 2);
    belay_close(db);
    assert_int_equal(the.fake.open_connections, 1 + 1);
    belay_session_close(lent);
    assert_int_equal(the.fake.open_connections, 1);
    belay_session_close(idle);
}

static void an_ordinary_error_costs_no_connection_and_no_look_at_it(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        watch();
        assert_code(put(1), BELAY_UNIQUE);
        assert_int_equal(the.fake.open_connections, 1);
    }
    assert_sent("begin execute rollback "); /* the third time as the first */
    assert_next_unit_works();
    assert_int_equal(times("open"), 0);
}

static void an_interrupted_statement_costs_no_connection(void **state)
{
    static const char endless[] =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT sum(i) FROM n";
    (void)state;
    BELAY_ATOMIC_WITH(the.s, .timeout_ms = 20) {
        put(2);
        belay_exec(the.s, endless);
    }
    assert_code(belay_status(the.s), BELAY_TIMEOUT);
    assert_int_equal(the.fake.open_connections, 1);
    assert_next_unit_works();
    assert_int_equal(times("open"), 0);
}

/* ---- The pool, across threads ---------------------------------------------------------------------------------- */

static atomic_bool is_opening, may_open;
static belay_code (*real_open)(belay_conn *, belay_error *);

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

/* The first connection after this takes until it is told to go on, ten seconds at most. */
static belay_code open_slowly(belay_conn *conn, belay_error *error)
{
    if (!atomic_exchange(&is_opening, true))
        for (int i = 0; i < 10000 && !atomic_load(&may_open); i++)
            nap();
    return real_open(conn, error);
}

static void *count_items(void *arg)
{
    belay_session *s = arg;
    return belay_int_of(s, "SELECT count(*) FROM item") == 1 && belay_status(s) == BELAY_OK ? s : NULL;
}

static void a_connection_that_takes_long_to_open_keeps_nobody_else_waiting(void **state)
{
    pthread_t thread;
    void *worked;
    (void)state;
    belay_db *db = open_pool(3);
    belay_session *holder = belay_session_open(db), *slow = belay_session_open(db), *quick = belay_session_open(db);
    assert_true(hold(holder)); /* the one that was idle */
    real_open = the.fake.driver.open;
    the.fake.driver.open = open_slowly;
    is_opening = may_open = false;
    pthread_create(&thread, NULL, count_items, slow);
    while (!atomic_load(&is_opening))
        nap();
    void *meanwhile = count_items(quick);
    bool was_waiting = !atomic_exchange(&may_open, true);
    pthread_join(thread, &worked);
    the.fake.driver.open = real_open;
    assert_ptr_equal(meanwhile, quick);
    assert_true(was_waiting);
    assert_ptr_equal(worked, slow);
    belay_session_close(quick);
    belay_session_close(slow);
    belay_session_close(holder);
    belay_close(db);
}

static void who_waits_gets_a_fresh_connection_when_the_one_that_comes_back_is_dead(void **state)
{
    pthread_t thread;
    void *worked;
    (void)state;
    belay_db *db = open_pool(1);
    belay_session *holder = belay_session_open(db), *waiter = belay_session_open(db);
    assert_true(hold(holder));
    fail_next(FAKE_LOST_BEFORE);
    belay_exec(holder, "SELECT 1");
    pthread_create(&thread, NULL, count_items, waiter);
    for (int i = 0; i < 20; i++) /* it is likely to wait by then; that it gets there is true however late it comes */
        nap();
    belay_code code = belay_commit(holder);
    pthread_join(thread, &worked);
    assert_code(code, BELAY_CONNECTION);
    assert_ptr_equal(worked, waiter);
    assert_int_equal(times("open"), 1);
    belay_session_close(waiter);
    belay_session_close(holder);
    belay_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        on_faulty(after_a_loss_every_call_is_refused_alike_until_the_unit_ends_and_the_next_one_has_another_connection),
        on_faulty(a_commit_after_a_loss_is_no_commit_in_doubt),
        on_faulty(a_loss_at_the_commit_is_in_doubt_named_and_never_run_again),
        on_faulty(a_unit_whose_connection_was_lost_before_the_commit_is_run_again_as_a_whole),
        on_faulty(closing_a_session_after_a_loss_is_clean),
        on_faulty(a_loss_in_the_midst_of_a_stream_is_told_where_it_is_read),
        on_faulty(hooks_of_a_unit_whose_connection_was_lost_do_not_run_with_the_next),
        on_faulty(two_sessions_that_lose_their_connections_both_recover),
        on_faulty(connections_are_opened_up_to_the_size_of_the_pool_and_kept),
        on_faulty(closing_a_handle_closes_idle_connections_at_once_and_lent_ones_when_they_come_back),
        on_faulty(an_ordinary_error_costs_no_connection_and_no_look_at_it),
        on_faulty(an_interrupted_statement_costs_no_connection),
        on_faulty(a_connection_that_takes_long_to_open_keeps_nobody_else_waiting),
        on_faulty(who_waits_gets_a_fresh_connection_when_the_one_that_comes_back_is_dead),
    };
    unsetenv("BELAY_TEST_URL"); /* the fake wraps SQLite */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
