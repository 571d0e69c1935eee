/* Deadlines and lock waits on MariaDB. That something takes long is never asserted to end in time, only how. */
#include "mariadb_rig.h"

#include <mysqld_error.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"

static const char endless[] = RIG_ENDLESS;

static void a_statement_is_cancelled_at_the_deadline_and_the_transaction_stays(void **state)
{
    (void)state;
    rig_must_begin(&r, conn);
    rig_must(&r, conn, "INSERT INTO t VALUES (3, 0)");
    rig_limit(conn, 5000, 50);
    assert_code(rig_run(&r, conn, endless), BELAY_TIMEOUT);
    assert_int_equal(r.error.native_code, ER_QUERY_INTERRUPTED);
    rig_limit(conn, 5000, -1);
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_OPEN);
    rig_must_commit(&r, conn);
    assert_int_equal(rig_ask(&r, other, "SELECT count(*) FROM t"), 3);
}

static void a_wait_for_a_lock_ends_at_the_deadline(void **state)
{
    (void)state;
    rig_must_begin(&r, other);
    rig_must(&r, other, "UPDATE t SET b = 1 WHERE a = 1");
    rig_must_begin(&r, conn);
    rig_limit(conn, -1, 50);
    assert_code(rig_run(&r, conn, "UPDATE t SET b = 2 WHERE a = 1"), BELAY_TIMEOUT);
    rig_limit(conn, -1, -1);
    rig_must_rollback(&r, conn);
    rig_must_rollback(&r, other);
}

static void rows_that_come_too_late_end_in_a_timeout(void **state)
{
    (void)state;
    belay_value cells[2];
    belay_statement *s = rig_prepare(&r, conn,
                                     "SELECT a.table_name, b.table_name FROM information_schema.tables a, "
                                     "information_schema.tables b, information_schema.tables c, t d",
                                     0);
    rig_limit(conn, 5000, 300);
    belay_step step = BELAY_STEP_ROW;
    if (D->start(s, 0, NULL, &r.error) != BELAY_OK)
        step = BELAY_STEP_ERROR;
    while (step == BELAY_STEP_ROW)
        step = D->step(s, cells, &r.effect, &r.error);
    assert_int_equal(step, BELAY_STEP_ERROR);
    assert_code(r.error.code, BELAY_TIMEOUT);
    D->finalize(s);
    rig_limit(conn, 5000, -1);
    assert_int_equal(rig_ask(&r, conn, "SELECT 7"), 7);
}

/* Deadlines that move past the very moment at which the statement is done, however fast the machine is. */
static void a_cancel_that_comes_late_never_hits_a_later_statement(void **state)
{
    (void)state;
    int timeouts = 0, done = 0, runs = 0;
    for (; runs < 5000 && done < 100; runs++) {
        rig_limit(conn, 5000, -1);
        conn->limits.deadline_ns = belayi_clock_now() + runs * INT64_C(20000);
        belay_code code = rig_run(&r, conn, "SELECT count(*) FROM seq_1_to_3000");
        done += code == BELAY_OK;
        timeouts += code == BELAY_TIMEOUT;
        rig_limit(conn, 5000, -1);
        assert_int_equal(rig_ask(&r, conn, "SELECT 7"), 7);
    }
    assert_int_equal(done + timeouts, runs);
    assert_true(done == 100 && timeouts > 0);
}

static void a_lock_is_not_waited_for_where_the_limit_is_none_or_the_text_says_so(void **state)
{
    (void)state;
    rig_must_begin(&r, other);
    rig_must(&r, other, "UPDATE t SET b = 1 WHERE a = 1");
    rig_limit(conn, 0, -1);
    rig_must_begin(&r, conn);
    assert_code(rig_run(&r, conn, "UPDATE t SET b = 2 WHERE a = 1"), BELAY_BUSY);
    rig_limit(conn, 5000, -1);
    assert_code(rig_run(&r, conn, "SELECT b FROM t WHERE a = 1 FOR UPDATE NOWAIT"), BELAY_BUSY);
    assert_int_equal(rig_ask(&r, conn, "SELECT count(*) FROM (SELECT a FROM t FOR UPDATE SKIP LOCKED) x"), 1);
    rig_must_rollback(&r, conn);
    rig_must_rollback(&r, other);
}

static void settings_are_sent_only_when_they_change(void **state)
{
    (void)state;
    belay_statement *s = rig_prepare(&r, conn, "UPDATE t SET b = b + 1", 0);
    conn->round_trips = 0;
    for (int i = 0; i < 3; i++)
        assert_code(D->execute(s, 0, NULL, &r.effect, &r.error), BELAY_OK);
    assert_int_equal(conn->round_trips, 3);
    rig_limit(conn, 9000, -1);
    for (int i = 0; i < 3; i++)
        assert_code(D->execute(s, 0, NULL, &r.effect, &r.error), BELAY_OK);
    assert_int_equal(conn->round_trips, 7);
    D->finalize(s);
}

static void a_server_that_never_answers_is_not_waited_for_for_ever(void **state)
{
    (void)state;
    char url[80];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    snprintf(url, sizeof url, "mariadb://u@127.0.0.1:%d/d?connect_seconds=1", ntohs(address.sin_port));
    assert_code(rig_try_url(url), BELAY_CONNECTION);
    close(fd);
    assert_code(rig_try_url(url), BELAY_CONNECTION); /* refused now */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_statement_is_cancelled_at_the_deadline_and_the_transaction_stays),
        T(a_wait_for_a_lock_ends_at_the_deadline),
        T(rows_that_come_too_late_end_in_a_timeout),
        T(a_cancel_that_comes_late_never_hits_a_later_statement),
        T(a_lock_is_not_waited_for_where_the_limit_is_none_or_the_text_says_so),
        T(settings_are_sent_only_when_they_change),
        T(a_server_that_never_answers_is_not_waited_for_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
