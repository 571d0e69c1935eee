/* Time limits: of a statement, of a lock, of connecting; and that a cancel hits its own statement only. */
#include "postgresql_rig.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"

static void hold_row(belay_conn *which)
{
    rig_must_begin(&r, which);
    rig_must(&r, which, "UPDATE t SET note = 'held' WHERE id = 1");
}

static void a_lock_is_waited_for_until_the_limit(void **state)
{
    (void)state;
    hold_row(other);
    rig_must_begin(&r, conn);
    rig_limit(conn, 50, -1);
    assert_int_equal(rig_run(&r, conn, "UPDATE t SET note = 'x' WHERE id = 1"), BELAY_LOCK_TIMEOUT);
    assert_string_equal(r.error.sqlstate, "55P03");
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_FAILED);
    rig_must_rollback(&r, conn);
    rig_must_rollback(&r, other);
}

static void a_lock_that_is_not_waited_for_is_busy(void **state)
{
    (void)state;
    hold_row(other);
    assert_int_equal(rig_run(&r, conn, "SELECT id FROM t WHERE id = 1 FOR UPDATE NOWAIT"), BELAY_BUSY);
    assert_int_equal(rig_run(&r, conn, "LOCK TABLE t NOWAIT"), BELAY_MISUSE); /* outside a transaction */
    rig_must_rollback(&r, other);
}

/* What was set within a savepoint is undone with it, and must be set anew. */
static void the_lock_limit_holds_after_going_back_and_for_the_next_transaction(void **state)
{
    (void)state;
    hold_row(other);
    rig_must_begin(&r, conn);
    assert_int_equal(D->savepoint(conn, 1, &r.error), BELAY_OK);
    rig_must(&r, conn, "INSERT INTO t VALUES (3, 'x')");
    for (int i = 0; i < 3; i++) {
        rig_limit(conn, 40 + i % 2, -1); /* another one each time */
        assert_int_equal(rig_run(&r, conn, "UPDATE t SET note = 'x' WHERE id = 1"), BELAY_LOCK_TIMEOUT);
        assert_int_equal(D->rollback_to(conn, 1, &r.error), BELAY_OK);
    }
    assert_int_equal(rig_ask(&r, conn, "SELECT setting::int FROM pg_settings WHERE name = 'lock_timeout'"), 40);
    rig_must_rollback(&r, conn);
    rig_limit(conn, 60, -1);
    assert_int_equal(rig_run(&r, conn, "UPDATE t SET note = 'x' WHERE id = 1"), BELAY_LOCK_TIMEOUT);
    assert_int_equal(rig_ask(&r, conn, "SELECT setting::int FROM pg_settings WHERE name = 'lock_timeout'"), 60);
    rig_limit(conn, -1, -1);
    assert_int_equal(rig_ask(&r, conn, "SELECT setting::int FROM pg_settings WHERE name = 'lock_timeout'"), 0);
    rig_must_rollback(&r, other);
}

/* A text that was never prepared is forgotten at the server too, which that refuses: nothing else may fail with it. */
static void the_lock_limit_holds_after_a_statement_that_was_never_prepared(void **state)
{
    (void)state;
    hold_row(other);
    assert_int_equal(rig_run(&r, conn, "SELEC"), BELAY_SYNTAX);
    rig_limit(conn, 50, 2000);
    assert_int_equal(rig_run(&r, conn, "UPDATE t SET note = 'x' WHERE id = 1"), BELAY_LOCK_TIMEOUT);
    rig_must_rollback(&r, other);
}

/* The new limit goes ahead with a Sync of its own, behind which the rows come. */
static void a_prepared_query_gives_its_rows_behind_a_new_lock_limit(void **state)
{
    (void)state;
    belay_value cell;
    belay_statement *s = rig_prepare(&r, conn, "SELECT 7", 0);
    for (int i = 0; i < 3; i++) {
        rig_limit(conn, 50 + i, -1);
        assert_int_equal(D->start(s, 0, NULL, &r.error), BELAY_OK);
        assert_int_equal(D->step(s, &cell, &r.effect, &r.error), BELAY_STEP_ROW);
        assert_int_equal(cell.as.integer, 7);
        assert_int_equal(D->step(s, &cell, &r.effect, &r.error), BELAY_STEP_DONE);
        D->finish(s);
    }
    D->finalize(s);
}

/* The program's own statements may set and reset it. */
static void the_lock_limit_holds_after_the_session_was_reset(void **state)
{
    static const char *const resets[] = {"DISCARD ALL", "RESET ALL", "RESET lock_timeout", "SET lock_timeout = 0"};
    (void)state;
    hold_row(other);
    for (size_t i = 0; i < sizeof resets / sizeof resets[0]; i++) {
        rig_limit(conn, 50, 2000);
        rig_must(&r, conn, "SELECT 1");
        rig_must(&r, conn, resets[i]);
        rig_limit(conn, 50, 2000);
        assert_int_equal(rig_run(&r, conn, "UPDATE t SET note = 'x' WHERE id = 1"), BELAY_LOCK_TIMEOUT);
        if (i == 0)
            continue; /* refused in a transaction */
        rig_must_begin(&r, conn);
        rig_must(&r, conn, "SELECT 1");
        rig_must(&r, conn, resets[i]);
        rig_limit(conn, 50, 2000);
        assert_int_equal(rig_run(&r, conn, "UPDATE t SET note = 'x' WHERE id = 1"), BELAY_LOCK_TIMEOUT);
        rig_must_rollback(&r, conn);
    }
    rig_must_rollback(&r, other);
}

static void a_limit_that_stays_the_same_costs_no_command(void **state)
{
    (void)state;
    belayi_pg_conn *own = (belayi_pg_conn *)conn;
    rig_limit(conn, 70, -1);
    rig_must(&r, conn, "SELECT 1");
    rig_must_begin(&r, conn);
    rig_must(&r, conn, "INSERT INTO t VALUES (3, 'x')");
    assert_int_equal(own->lock_now, 70);
    assert_int_equal(own->lock_session, 70);
    rig_must_commit(&r, conn);
}

static void a_statement_ends_at_the_deadline_and_the_connection_lives(void **state)
{
    (void)state;
    rig_limit(conn, -1, 50);
    assert_int_equal(rig_run(&r, conn, "SELECT pg_sleep(60)"), BELAY_TIMEOUT);
    assert_string_equal(r.error.sqlstate, "57014");
    rig_limit(conn, -1, -1);
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_NONE);
    assert_int_equal(rig_ask(&r, conn, "SELECT 7"), 7);
    rig_limit(conn, -1, 0);
    assert_int_equal(rig_run(&r, conn, "SELECT 1"), BELAY_TIMEOUT); /* it had passed before */
    assert_string_equal(r.error.sqlstate, "");
}

static void a_cancel_never_hits_a_later_statement(void **state)
{
    (void)state;
    for (int i = 0; i < 200; i++) {
        char sql[64];
        snprintf(sql, sizeof sql, "SELECT pg_sleep(%d.%03d)", 0, 1 + i % 4); /* about as long as the limit */
        rig_limit(conn, -1, 2);
        belay_code code = rig_run(&r, conn, sql);
        assert_true(code == BELAY_OK || code == BELAY_TIMEOUT);
        rig_limit(conn, -1, -1);
        if (rig_run(&r, conn, "SELECT pg_sleep(0.002)") != BELAY_OK)
            fail_msg("in round %d: %s", i, r.error.message);
    }
}

static void going_back_is_not_ended_by_a_deadline_that_has_passed(void **state)
{
    (void)state;
    rig_must_begin(&r, conn);
    assert_int_equal(D->savepoint(conn, 1, &r.error), BELAY_OK);
    rig_must(&r, conn, "INSERT INTO t VALUES (3, 'x')");
    rig_limit(conn, -1, 0);
    assert_int_equal(D->rollback_to(conn, 1, &r.error), BELAY_OK);
    assert_int_equal(D->commit(conn, &r.error), BELAY_TIMEOUT); /* but nothing new begins */
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_OPEN);
    assert_int_equal(D->rollback(conn, &r.error), BELAY_OK);
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_NONE);
}

static void a_statement_that_was_cancelled_from_outside_is_cancelled(void **state)
{
    (void)state;
    int64_t pid = backend_of(conn);
    belayi_pg_conn *killer = (belayi_pg_conn *)other;
    char sql[160];
    snprintf(
        sql, sizeof sql,
        "SELECT pg_sleep(0.02), pg_cancel_backend(%d) FROM generate_series(1, 200) WHERE pg_sleep(0.02) IS NOT NULL",
        (int)pid);
    assert_int_equal(PQsendQuery(killer->pg, sql), 1); /* again and again, so that one comes at the right time */
    assert_int_equal(rig_run(&r, conn, "SELECT pg_sleep(60)"), BELAY_CANCELLED);
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_NONE);
}

/* A statement that is cancelled by somebody else than this driver, when it has run so long. */
static belay_code run_cancelled_after(int ms)
{
    char sql[128];
    snprintf(sql, sizeof sql, "SELECT pg_sleep(%d.%03d), pg_cancel_backend(pg_backend_pid()), pg_sleep(60)", ms / 1000,
             ms % 1000);
    return rig_run(&r, conn, sql);
}

/* The server says so too when it forgets that it was its own limit: that had passed in the moment in which a lock was
   granted, and the statement waited for the next lock. Here the same answer is made with a cancel. */
static void a_cancel_by_nobody_soon_after_the_lock_limit_is_that_limit(void **state)
{
    (void)state;
    rig_limit(conn, 50, -1);
    assert_int_equal(run_cancelled_after(50), BELAY_LOCK_TIMEOUT);
    assert_string_equal(r.error.sqlstate, "57014");
    assert_non_null(strstr(r.error.message, "50 ms"));
    assert_non_null(strstr(r.error.detail, "cancel"));
    rig_must_begin(&r, conn);
    assert_int_equal(run_cancelled_after(50), BELAY_LOCK_TIMEOUT);
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_FAILED);
    rig_must_rollback(&r, conn);
}

static void a_cancel_before_the_lock_limit_or_long_after_it_or_without_one_comes_from_outside(void **state)
{
    (void)state;
    rig_limit(conn, 60000, -1);
    assert_int_equal(run_cancelled_after(1), BELAY_CANCELLED);
    rig_limit(conn, 1, -1);
    assert_int_equal(run_cancelled_after(1100), BELAY_CANCELLED);
    rig_limit(conn, -1, -1);
    assert_int_equal(run_cancelled_after(1), BELAY_CANCELLED);
}

/* Its SQLSTATE says what it likes; nothing was interrupted. */
static void an_error_of_the_programs_own_that_looks_like_a_cancel_is_no_lock_limit(void **state)
{
    (void)state;
    rig_limit(conn, 1, -1);
    assert_int_equal(rig_run(&r, conn, "DO $$BEGIN PERFORM pg_sleep(0.01); RAISE SQLSTATE '57014'; END$$"),
                     BELAY_CANCELLED);
}

static void the_deadline_is_a_timeout_also_after_the_lock_limit(void **state)
{
    (void)state;
    rig_limit(conn, 20, 60);
    assert_int_equal(rig_run(&r, conn, "SELECT pg_sleep(60)"), BELAY_TIMEOUT);
}

static void the_servers_own_limit_is_a_timeout_too(void **state)
{
    (void)state;
    rig_must(&r, conn, "SET statement_timeout = 50");
    rig_assert_error(&r, conn, "SELECT pg_sleep(60)", BELAY_TIMEOUT, "57014");
    rig_must(&r, conn, "SET statement_timeout = 0");
    rig_must(&r, conn, "SET idle_in_transaction_session_timeout = 20");
    rig_must_begin(&r, conn);
    rig_must(&r, conn, "INSERT INTO t VALUES (3, 'x')");
    while (rig_ask(&r, other, "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in%'") > 0)
        continue;
    belay_code code = rig_run(&r, conn, "SELECT 1");
    assert_true(code == BELAY_TIMEOUT || code == BELAY_CONNECTION); /* as libpq could still read it, or not */
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_LOST);
}

/* A server that takes connections and never says a word. */
static void connecting_ends_at_the_deadline(void **state)
{
    (void)state;
    char url[128];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int silent = socket(AF_INET, SOCK_STREAM, 0), most;
    assert_int_equal(bind(silent, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(silent, 4), 0);
    assert_int_equal(getsockname(silent, (struct sockaddr *)&address, &size), 0);
    snprintf(url, sizeof url, "postgresql://belay@127.0.0.1:%d/belay", ntohs(address.sin_port));
    void *shared = calloc(1, D->shared_size);
    belay_conn *mute = calloc(1, D->conn_size);
    assert_int_equal(D->shared_init(shared, url, &most, &r.error), BELAY_OK);
    *mute = (belay_conn){.driver = D, .shared = shared};
    rig_limit(mute, -1, 50);
    assert_int_equal(D->open(mute, &r.error), BELAY_TIMEOUT);
    D->close(mute);
    D->shared_done(shared);
    free(mute);
    free(shared);
    close(silent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_lock_is_waited_for_until_the_limit),
        T(a_lock_that_is_not_waited_for_is_busy),
        T(the_lock_limit_holds_after_going_back_and_for_the_next_transaction),
        T(the_lock_limit_holds_after_a_statement_that_was_never_prepared),
        T(a_prepared_query_gives_its_rows_behind_a_new_lock_limit),
        T(the_lock_limit_holds_after_the_session_was_reset),
        T(a_limit_that_stays_the_same_costs_no_command),
        T(a_statement_ends_at_the_deadline_and_the_connection_lives),
        T(a_cancel_never_hits_a_later_statement),
        T(going_back_is_not_ended_by_a_deadline_that_has_passed),
        T(a_statement_that_was_cancelled_from_outside_is_cancelled),
        T(a_cancel_by_nobody_soon_after_the_lock_limit_is_that_limit),
        T(a_cancel_before_the_lock_limit_or_long_after_it_or_without_one_comes_from_outside),
        T(an_error_of_the_programs_own_that_looks_like_a_cancel_is_no_lock_limit),
        T(the_deadline_is_a_timeout_also_after_the_lock_limit),
        T(the_servers_own_limit_is_a_timeout_too),
        T(connecting_ends_at_the_deadline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
