/* Locks, the write queue, deadlines: how long a call waits, and what it says afterwards. */
#include "sqlite_rig.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

#include "clock.h"
#include "conn.h"

static rig r, foreign; /* two handles of one file: their queues know nothing of each other */
static belay_conn *conn, *other;

static const char endless[] = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n";
static const char long_write[] = "INSERT INTO t SELECT x + 100, x FROM "
                                 "(WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n)";

static int set_up(void **state)
{
    char url[256];
    int most;
    const char *parameters = *state ? *state : "";
    rig_init(&r, parameters);
    conn = rig_connect(&r);
    rig_must(&r, conn, "CREATE TABLE t (a INTEGER PRIMARY KEY, b)");
    rig_init(&foreign, NULL);
    D->shared_done(foreign.shared);
    memset(foreign.shared, 0, D->shared_size);
    snprintf(url, sizeof url, "sqlite:%s/db%s", r.directory, parameters);
    assert_int_equal(D->shared_init(foreign.shared, url, &most, &foreign.error), BELAY_OK);
    other = rig_connect(&foreign);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    rig_done(&foreign);
    rig_done(&r);
    return 0;
}

static int64_t milliseconds_since(int64_t moment)
{
    return (belayi_clock_now() - moment) / BELAYI_NS_PER_MS;
}

static bool holds_queue(belay_conn *c)
{
    return ((belayi_sqlite_conn *)c)->queued;
}

static void begin_waits_for_the_lock_as_long_as_it_may(void **state)
{
    (void)state;
    rig_must_begin(&foreign, other);
    rig_limit(conn, 60, -1);
    int64_t start = belayi_clock_now();
    assert_int_equal(rig_begin(&r, conn, false), BELAY_LOCK_TIMEOUT);
    assert_in_range(milliseconds_since(start), 59, 1000);
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_NONE);
    assert_false(holds_queue(conn));
}

static void begin_without_a_lock_wait_is_refused_at_once(void **state)
{
    (void)state;
    rig_must_begin(&foreign, other);
    rig_limit(conn, 0, -1);
    assert_int_equal(rig_begin(&r, conn, false), BELAY_BUSY);
    rig_must_rollback(&foreign, other);
    rig_must_begin(&r, conn);
}

static void the_deadline_ends_a_wait_that_the_lock_wait_would_allow(void **state)
{
    (void)state;
    rig_must_begin(&foreign, other);
    rig_limit(conn, 5000, 40);
    int64_t start = belayi_clock_now();
    assert_int_equal(rig_begin(&r, conn, false), BELAY_TIMEOUT);
    assert_in_range(milliseconds_since(start), 38, 1000);
    rig_limit(conn, -1, 40);
    assert_int_equal(rig_begin(&r, conn, false), BELAY_TIMEOUT);
    rig_limit(conn, 20, 4000);
    assert_int_equal(rig_begin(&r, conn, false), BELAY_LOCK_TIMEOUT);
}

static void the_queue_of_one_handle_obeys_the_same_limits(void **state)
{
    (void)state;
    belay_conn *second = rig_connect(&r);
    rig_must_begin(&r, second);
    rig_limit(conn, 0, -1);
    assert_int_equal(rig_begin(&r, conn, false), BELAY_BUSY);
    rig_limit(conn, 30, -1);
    assert_int_equal(rig_begin(&r, conn, false), BELAY_LOCK_TIMEOUT);
    rig_limit(conn, 5000, 30);
    assert_int_equal(rig_begin(&r, conn, false), BELAY_TIMEOUT);
    assert_int_equal(rig_begin(&r, conn, true), BELAY_TIMEOUT); /* passed, also for a reader */
    rig_limit(conn, 0, -1);
    assert_int_equal(rig_begin(&r, conn, true), BELAY_OK); /* a reader queues for nothing */
    rig_must_rollback(&r, conn);
    rig_must_commit(&r, second);
    rig_must_begin(&r, conn);
}

static void a_deadline_that_has_passed_refuses_everything_but_the_way_back(void **state)
{
    (void)state;
    rig_must_begin(&r, conn);
    assert_int_equal(D->savepoint(conn, 1, &r.error), BELAY_OK);
    rig_must(&r, conn, "INSERT INTO t VALUES (1, 1)");
    conn->limits.deadline_ns = 1;
    assert_int_equal(rig_run(&r, conn, "INSERT INTO t VALUES (2, 2)"), BELAY_TIMEOUT);
    assert_int_equal(D->commit(conn, &r.error), BELAY_TIMEOUT);
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_OPEN);
    assert_int_equal(D->rollback_to(conn, 1, &r.error), BELAY_OK);
    rig_must_rollback(&r, conn);
    assert_int_equal(rig_begin(&r, conn, false), BELAY_TIMEOUT);
}

static void an_upgrade_beside_another_writer_is_busy_at_once(void **state)
{
    (void)state;
    rig_must(&r, conn, "BEGIN");
    assert_int_equal(rig_ask(&r, conn, "SELECT count(*) FROM t"), 0);
    rig_must_begin(&foreign, other);
    rig_limit(conn, 2000, -1);
    int64_t start = belayi_clock_now();
    assert_int_equal(rig_run(&r, conn, "INSERT INTO t VALUES (1, 1)"), BELAY_BUSY);
    assert_in_range(milliseconds_since(start), 0, 1000);
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_OPEN);
}

static void an_upgrade_of_an_old_snapshot_is_a_serialization_failure_for_good(void **state)
{
    (void)state;
    rig_must(&r, conn, "BEGIN");
    assert_int_equal(rig_ask(&r, conn, "SELECT count(*) FROM t"), 0);
    rig_must(&foreign, other, "INSERT INTO t VALUES (1, 1)");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(rig_run(&r, conn, "INSERT INTO t VALUES (2, 2)"), BELAY_SERIALIZATION);
        assert_int_equal(r.error.native_code, SQLITE_BUSY_SNAPSHOT);
    }
    rig_must_rollback(&r, conn);
    rig_must(&r, conn, "INSERT INTO t VALUES (2, 2)");
}

/* ---- Deadlines of running statements --------------------------------------------------------------------------- */

static void an_interrupted_read_leaves_the_transaction_open(void **state)
{
    (void)state;
    rig_must_begin(&r, conn);
    rig_must(&r, conn, "INSERT INTO t VALUES (1, 1)");
    rig_limit(conn, 5000, 30);
    int64_t start = belayi_clock_now();
    assert_int_equal(rig_run(&r, conn, endless), BELAY_TIMEOUT);
    assert_in_range(milliseconds_since(start), 29, 2000);
    assert_int_equal(r.error.native_code, SQLITE_INTERRUPT);
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_OPEN);
    rig_limit(conn, 5000, -1);
    rig_must_commit(&r, conn);
    assert_int_equal(rig_ask(&r, conn, "SELECT count(*) FROM t"), 1);
}

static void an_interrupted_write_ends_the_whole_transaction(void **state)
{
    (void)state;
    rig_must_begin(&r, conn);
    rig_must(&r, conn, "INSERT INTO t VALUES (1, 1)");
    assert_int_equal(D->savepoint(conn, 1, &r.error), BELAY_OK);
    rig_limit(conn, 5000, 30);
    assert_int_equal(rig_run(&r, conn, long_write), BELAY_TIMEOUT);
    assert_false(holds_queue(conn));
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_NONE);
    rig_limit(conn, 5000, -1);
    assert_int_equal(rig_ask(&r, conn, "SELECT count(*) FROM t"), 0);
}

static void a_cancel_from_outside_is_no_timeout(void **state)
{
    (void)state;
    sqlite3 *db = ((belayi_sqlite_conn *)conn)->db;
    belay_value cells[2];
    rig_must(&r, conn, "INSERT INTO t VALUES (1, 1), (2, 2)");
    belay_statement *statement = rig_prepare(&r, conn, "SELECT * FROM t", 0);
    assert_int_equal(D->start(statement, 0, NULL, &r.error), BELAY_OK);
    assert_int_equal(D->step(statement, cells, &r.effect, &r.error), BELAY_STEP_ROW);
    sqlite3_interrupt(db);
    assert_int_equal(D->step(statement, cells, &r.effect, &r.error), BELAY_STEP_ERROR);
    assert_int_equal(r.error.code, BELAY_CANCELLED);
    assert_int_equal(D->step(statement, cells, &r.effect, &r.error), BELAY_STEP_DONE);
    D->finish(statement);
    D->finalize(statement);
    rig_must(&r, conn, "INSERT INTO t VALUES (3, 3)");
}

static void a_stream_obeys_the_deadline_between_its_rows(void **state)
{
    belay_value cells[2];
    (void)state;
    rig_must(&r, conn, "INSERT INTO t VALUES (1, 1), (2, 2)");
    belay_statement *statement = rig_prepare(&r, conn, "SELECT * FROM t", 0);
    assert_int_equal(D->start(statement, 0, NULL, &r.error), BELAY_OK);
    assert_int_equal(D->step(statement, cells, &r.effect, &r.error), BELAY_STEP_ROW);
    conn->limits.deadline_ns = 1;
    assert_int_equal(D->step(statement, cells, &r.effect, &r.error), BELAY_STEP_ERROR);
    assert_int_equal(r.error.code, BELAY_TIMEOUT);
    D->finish(statement);
    D->finalize(statement);
}

/*
 * SQLite asks the progress handler also when a program is over, and takes a yes
 * for a reason to answer SQLITE_INTERRUPT, even when that program has committed.
 */
static void nothing_that_was_committed_is_reported_as_interrupted(void **state)
{
    (void)state;
    belayi_sqlite_conn *native = (belayi_sqlite_conn *)conn;
    int refused = 0;
    belay_statement *insert = rig_prepare(&r, conn, "INSERT INTO t (b) VALUES (1)", 0);
    for (int i = 0; i < 3000; i++) {
        int64_t before = rig_ask(&r, conn, "SELECT count(*) FROM t");
        rig_limit(conn, 5000, 5000);
        assert_int_equal(belayi_sqlite_limits_watch(native, &r.error), BELAY_OK);
        native->interrupt_at = 1; /* as if the deadline had passed right after the start */
        int rc = sqlite3_step(((belayi_sqlite_statement *)insert)->native);
        sqlite3_reset(((belayi_sqlite_statement *)insert)->native);
        native->interrupt_at = 0;
        rig_limit(conn, 5000, -1);
        int64_t after = rig_ask(&r, conn, "SELECT count(*) FROM t");
        assert_int_equal(after, rc == SQLITE_DONE ? before + 1 : before);
        refused += rc == SQLITE_INTERRUPT;
    }
    assert_true(refused < 3000);
    D->finalize(insert);
}

static void the_progress_handler_costs_nothing_without_a_deadline(void **state)
{
    (void)state;
    belayi_sqlite_conn *native = (belayi_sqlite_conn *)conn;
    rig_must(&r, conn, "INSERT INTO t VALUES (1, 1)");
    assert_false(native->watched);
    rig_limit(conn, 5000, 5000);
    rig_must(&r, conn, "INSERT INTO t VALUES (2, 2)");
    assert_true(native->watched);
    rig_limit(conn, 5000, -1);
    rig_must(&r, conn, "INSERT INTO t VALUES (3, 3)");
    assert_false(native->watched);
}

static void a_busy_timeout_set_by_sql_does_not_replace_the_limits(void **state)
{
    (void)state;
    assert_int_equal(rig_ask(&r, conn, "PRAGMA busy_timeout = 10000"), 10000);
    rig_must_begin(&foreign, other);
    rig_limit(conn, 20, -1);
    int64_t start = belayi_clock_now();
    assert_int_equal(rig_run(&r, conn, "INSERT INTO t VALUES (1, 1)"), BELAY_LOCK_TIMEOUT);
    assert_in_range(milliseconds_since(start), 19, 2000);
}

/* ---- The queue, across threads ------------------------------------------------------------------------------- */

typedef struct writer {
    pthread_t thread;
    belay_conn *conn;
    int number;
    belay_code code;
} writer;

static atomic_int order[RIG_CONNECTIONS];
static atomic_int served;

static void *write_in_turn(void *arg)
{
    writer *w = arg;
    belay_error error;
    belay_begin_options options = {.read_only = false};
    w->code = D->begin(w->conn, &options, &error);
    if (w->code != BELAY_OK)
        return NULL;
    order[served++] = w->number;
    w->code = D->commit(w->conn, &error);
    return NULL;
}

static int count_waiters(void)
{
    belayi_turnstile *queue = &((belayi_sqlite_shared *)r.shared)->writers;
    int waiting = 0;
    pthread_mutex_lock(&queue->mutex);
    for (struct belayi_waiter *w = queue->first; w; w = *(struct belayi_waiter **)(void *)w)
        waiting++;
    pthread_mutex_unlock(&queue->mutex);
    return waiting;
}

static void writers_of_a_handle_are_served_in_the_order_they_came(void **state)
{
    writer writers[RIG_CONNECTIONS - 1];
    (void)state;
    served = 0;
    rig_must_begin(&r, conn);
    for (int i = 0; i < RIG_CONNECTIONS - 1; i++) {
        writers[i] = (writer){.conn = rig_connect(&r), .number = i};
        assert_int_equal(pthread_create(&writers[i].thread, NULL, write_in_turn, &writers[i]), 0);
        while (count_waiters() != i + 1)
            belayi_clock_sleep_until(belayi_clock_after(1));
    }
    rig_must_commit(&r, conn);
    for (int i = 0; i < RIG_CONNECTIONS - 1; i++) {
        pthread_join(writers[i].thread, NULL);
        assert_int_equal(writers[i].code, BELAY_OK);
        assert_int_equal(order[i], i);
    }
}

static void *write_many(void *arg)
{
    writer *w = arg;
    belay_error error;
    belay_effect effect;
    belay_statement *insert;
    belay_begin_options options = {.read_only = false};
    static const char sql[] = "INSERT INTO t (b) VALUES (1)";
    w->code = rig_try_prepare(w->conn, sql, 0, &insert, &error);
    for (int i = 0; i < 100 && w->code == BELAY_OK; i++) {
        w->code = D->begin(w->conn, &options, &error);
        if (w->code == BELAY_OK)
            w->code = D->execute(insert, 0, NULL, &effect, &error);
        if (w->code == BELAY_OK)
            w->code = i % 3 ? D->commit(w->conn, &error) : D->rollback(w->conn, &error);
    }
    D->finalize(insert);
    return NULL;
}

static void many_writers_lose_nothing(void **state)
{
    writer writers[RIG_CONNECTIONS - 1];
    (void)state;
    for (int i = 0; i < RIG_CONNECTIONS - 1; i++) {
        writers[i] = (writer){.conn = rig_connect(&r), .number = i};
        assert_int_equal(pthread_create(&writers[i].thread, NULL, write_many, &writers[i]), 0);
    }
    for (int i = 0; i < RIG_CONNECTIONS - 1; i++) {
        pthread_join(writers[i].thread, NULL);
        assert_int_equal(writers[i].code, BELAY_OK);
    }
    assert_int_equal(rig_ask(&r, conn, "SELECT count(*) FROM t"), 66 * (RIG_CONNECTIONS - 1));
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    static char journal[] = "?journal=delete";
    const struct CMUnitTest tests[] = {
        T(begin_waits_for_the_lock_as_long_as_it_may),
        T(begin_without_a_lock_wait_is_refused_at_once),
        T(the_deadline_ends_a_wait_that_the_lock_wait_would_allow),
        T(the_queue_of_one_handle_obeys_the_same_limits),
        T(a_deadline_that_has_passed_refuses_everything_but_the_way_back),
        cmocka_unit_test_prestate_setup_teardown(an_upgrade_beside_another_writer_is_busy_at_once, set_up, tear_down,
                                                 journal),
        T(an_upgrade_beside_another_writer_is_busy_at_once),
        T(an_upgrade_of_an_old_snapshot_is_a_serialization_failure_for_good),
        T(an_interrupted_read_leaves_the_transaction_open),
        T(an_interrupted_write_ends_the_whole_transaction),
        T(a_cancel_from_outside_is_no_timeout),
        T(a_stream_obeys_the_deadline_between_its_rows),
        T(nothing_that_was_committed_is_reported_as_interrupted),
        T(the_progress_handler_costs_nothing_without_a_deadline),
        T(a_busy_timeout_set_by_sql_does_not_replace_the_limits),
        T(writers_of_a_handle_are_served_in_the_order_they_came),
        T(many_writers_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
