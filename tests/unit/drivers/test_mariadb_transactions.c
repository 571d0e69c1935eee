/* Begin, commit, rollback, savepoints on MariaDB, and what it does behind one's back. */
#include "mariadb_rig.h"

#include <mysqld_error.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <belay/belay.h>

#define COUNT "SELECT count(*) FROM t"

static void must_mark(belay_code (*verb)(belay_conn *, unsigned, belay_error *), unsigned number)
{
    if (verb(conn, number, &r.error) != BELAY_OK)
        fail_msg("%u: %s", number, r.error.message);
}

static void a_commit_keeps_and_a_rollback_undoes(void **state)
{
    (void)state;
    rig_must_begin(&r, conn);
    rig_must(&r, conn, "INSERT INTO t VALUES (3, 0)");
    rig_must_commit(&r, conn);
    rig_must_begin(&r, conn);
    rig_must(&r, conn, "INSERT INTO t VALUES (4, 0)");
    rig_must_rollback(&r, conn);
    assert_int_equal(rig_ask(&r, other, COUNT), 3);
}

static void savepoints_go_back_and_are_released(void **state)
{
    (void)state;
    rig_must_begin(&r, conn);
    must_mark(D->savepoint, 1);
    rig_must(&r, conn, "INSERT INTO t VALUES (3, 0)");
    must_mark(D->savepoint, 2);
    rig_must(&r, conn, "INSERT INTO t VALUES (4, 0)");
    must_mark(D->rollback_to, 2);
    must_mark(D->release, 2);
    must_mark(D->release, 1);
    rig_must_commit(&r, conn);
    assert_int_equal(rig_ask(&r, other, COUNT), 3);
}

static void a_savepoint_where_no_transaction_is_open_is_refused(void **state)
{
    (void)state;
    assert_code(D->savepoint(conn, 1, &r.error), BELAY_MISUSE);
}

/* ---- What ends a transaction ------------------------------------------------------------------------------------ */

static void *lock_crosswise(void *arg)
{
    rig *own = arg;
    rig_must(own, other, "UPDATE t SET b = b + 1 WHERE a = 1");
    return NULL;
}

/* Makes `conn` the one that is given up: it has changed less. */
static void meet_deadlock(void)
{
    rig own = r;
    pthread_t thread;
    rig_must(&r, conn, "UPDATE t SET b = 10 WHERE a = 1");
    rig_must_begin(&r, other);
    rig_must(&r, other, "INSERT INTO t VALUES (10, 0), (11, 0), (12, 0), (13, 0), (14, 0), (15, 0)");
    rig_must(&r, other, "UPDATE t SET b = b + 1 WHERE a = 2");
    pthread_create(&thread, NULL, lock_crosswise, &own);
    belay_code code = rig_run(&r, conn, "UPDATE t SET b = 10 WHERE a = 2");
    belay_error error = r.error;
    pthread_join(thread, NULL);
    rig_must_rollback(&r, other);
    assert_code(code, BELAY_DEADLOCK);
    assert_int_equal(error.native_code, ER_LOCK_DEADLOCK);
}

static void a_deadlock_ends_the_transaction_and_status_says_so(void **state)
{
    (void)state;
    rig_must_begin(&r, conn);
    rig_must(&r, conn, "INSERT INTO t VALUES (3, 0)");
    meet_deadlock();
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_NONE);
    assert_int_equal(rig_ask(&r, other, COUNT), 2);
}

/* The server would commit it at once. */
static void nothing_runs_after_a_deadlock_as_if_the_transaction_were_open(void **state)
{
    (void)state;
    rig_must_begin(&r, conn);
    meet_deadlock();
    assert_code(rig_run(&r, conn, "INSERT INTO t VALUES (4, 0)"), BELAY_DEADLOCK);
    assert_int_equal(rig_ask(&r, other, COUNT), 2);
}

static void neither_a_commit_nor_a_savepoint_succeeds_after_a_deadlock(void **state)
{
    (void)state;
    rig_must_begin(&r, conn);
    meet_deadlock();
    assert_code(D->commit(conn, &r.error), BELAY_DEADLOCK);
    rig_must_begin(&r, conn);
    meet_deadlock();
    assert_code(D->savepoint(conn, 1, &r.error), BELAY_DEADLOCK);
    rig_must_rollback(&r, conn);
}

static void a_lock_timeout_undoes_the_statement_only(void **state)
{
    (void)state;
    rig_must_begin(&r, other);
    rig_must(&r, other, "UPDATE t SET b = 1 WHERE a = 2");
    rig_limit(conn, 1000, -1);
    rig_must_begin(&r, conn);
    rig_must(&r, conn, "INSERT INTO t VALUES (3, 0)");
    assert_code(rig_run(&r, conn, "UPDATE t SET b = 2 WHERE a = 2"), BELAY_LOCK_TIMEOUT);
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_OPEN);
    rig_must_commit(&r, conn);
    rig_must_rollback(&r, other);
    assert_int_equal(rig_ask(&r, other, COUNT), 3);
}

static void a_procedure_that_commits_behind_the_scope_is_found_out(void **state)
{
    (void)state;
    rig_must(&r, conn, "CREATE OR REPLACE PROCEDURE p() BEGIN COMMIT; END");
    rig_must_begin(&r, conn);
    rig_must(&r, conn, "INSERT INTO t VALUES (3, 0)");
    assert_code(rig_run(&r, conn, "CALL p()"), BELAY_MISUSE);
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_NONE);
}

static void a_rollback_that_leaves_something_is_an_error(void **state)
{
    (void)state;
    rig_must(&r, conn, "CREATE OR REPLACE TABLE plain (a INT) ENGINE = MyISAM");
    rig_must_begin(&r, conn);
    rig_must(&r, conn, "INSERT INTO plain VALUES (1)");
    assert_code(D->rollback(conn, &r.error), BELAY_UNSUPPORTED);
    assert_int_equal(r.error.native_code, ER_WARNING_NOT_COMPLETE_ROLLBACK);
    rig_must_begin(&r, conn);
    must_mark(D->savepoint, 1);
    rig_must(&r, conn, "INSERT INTO plain VALUES (1)");
    assert_code(D->rollback_to(conn, 1, &r.error), BELAY_UNSUPPORTED);
}

/* ---- The connection is lost ------------------------------------------------------------------------------------- */

static void kill_connection(belay_conn *victim)
{
    char sql[64];
    snprintf(sql, sizeof sql, "KILL %lu", mysql_thread_id(((belayi_mariadb_conn *)victim)->db));
    rig own = r;
    rig_must(&own, other, sql);
}

static void a_connection_lost_before_the_commit_left_nothing_and_is_sure(void **state)
{
    (void)state;
    rig_must_begin(&r, conn);
    rig_must(&r, conn, "INSERT INTO t VALUES (3, 0)");
    kill_connection(conn);
    while (!belayi_mariadb_hung_up((belayi_mariadb_conn *)conn))
        usleep(1000);
    assert_code(D->commit(conn, &r.error), BELAY_CONNECTION);
    assert_int_equal(r.error.outcome, BELAY_WORK_OPEN);
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_LOST);
    assert_int_equal(rig_ask(&r, other, COUNT), 2);
}

static void *kill_committer(void *arg)
{
    rig *own = arg;
    while (rig_ask(own, other, "SELECT count(*) FROM information_schema.processlist WHERE info = 'COMMIT'") == 0)
        usleep(1000);
    kill_connection(conn);
    return NULL;
}

static void a_connection_lost_at_the_commit_has_an_unknown_outcome(void **state)
{
    (void)state;
    pthread_t thread;
    rig own = r;
    belay_conn *blocker = rig_connect(&r);
    rig_must_begin(&r, conn);
    rig_must(&r, conn, "INSERT INTO t VALUES (3, 0)");
    rig_must(&r, blocker, "FLUSH TABLES WITH READ LOCK"); /* commits wait for it */
    pthread_create(&thread, NULL, kill_committer, &own);
    belay_code code = D->commit(conn, &r.error);
    belay_error error = r.error;
    pthread_join(thread, NULL);
    rig_must(&r, blocker, "UNLOCK TABLES");
    assert_code(code, BELAY_CONNECTION);
    assert_int_equal(error.outcome, BELAY_WORK_UNKNOWN);
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_LOST);
}

static void a_child_that_gives_a_connection_up_leaves_the_parents_alone(void **state)
{
    (void)state;
    int status;
    rig_must_begin(&r, conn);
    rig_must(&r, conn, "INSERT INTO t VALUES (3, 0)");
    pid_t child = fork();
    if (child == 0) {
        D->disown(conn);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    rig_must(&r, conn, "INSERT INTO t VALUES (4, 0)");
    rig_must_commit(&r, conn);
    assert_int_equal(rig_ask(&r, other, COUNT), 4);
}

/* ---- Isolation -------------------------------------------------------------------------------------------------- */

static belay_level level_now(void)
{
    belay_level level = BELAY_ISOLATION_DEFAULT;
    assert_code(D->isolation(conn, &level, &r.error), BELAY_OK);
    return level;
}

static void each_level_can_be_asked_back_and_the_default_returns(void **state)
{
    (void)state;
    for (int level = BELAY_READ_UNCOMMITTED; level <= BELAY_SERIALIZABLE; level++) {
        belay_begin_options options = {.isolation = (belay_level)level};
        assert_code(D->begin(conn, &options, &r.error), BELAY_OK);
        assert_int_equal(level_now(), level);
        rig_must_rollback(&r, conn);
        if (level % 2)
            rig_must(&r, conn, "INSERT INTO t VALUES (20, 0) ON DUPLICATE KEY UPDATE b = b + 1"); /* outside */
        else
            rig_must_begin(&r, conn);
        assert_int_equal(level_now(), BELAY_REPEATABLE_READ);
        if (level % 2 == 0)
            rig_must_rollback(&r, conn);
    }
}

static void a_lost_update_is_a_serialization_failure_in_a_snapshot_and_ends_the_transaction(void **state)
{
    (void)state;
    belay_begin_options options = {.isolation = BELAY_SNAPSHOT};
    assert_code(D->begin(conn, &options, &r.error), BELAY_OK);
    assert_int_equal(rig_ask(&r, conn, "SELECT b FROM t WHERE a = 1"), 0);
    rig_must(&r, other, "UPDATE t SET b = 5 WHERE a = 1");
    assert_code(rig_run(&r, conn, "UPDATE t SET b = 1 WHERE a = 1"), BELAY_SERIALIZATION);
    assert_int_equal(r.error.native_code, ER_CHECKREAD);
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_NONE);
    assert_int_equal(rig_ask(&r, other, "SELECT b FROM t WHERE a = 1"), 5);
}

static void a_read_only_transaction_refuses_writes_itself(void **state)
{
    (void)state;
    belay_begin_options options = {.read_only = true};
    assert_code(D->begin(conn, &options, &r.error), BELAY_OK);
    assert_code(rig_run(&r, conn, "INSERT INTO t VALUES (3, 0)"), BELAY_READ_ONLY);
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_OPEN);
    rig_must_rollback(&r, conn);
}

/* ---- Scopes, by the public calls -------------------------------------------------------------------------------- */

static void a_deadlock_caught_in_an_inner_scope_never_lets_a_later_statement_commit(void **state)
{
    (void)state;
    rig own = r;
    pthread_t thread;
    belay_db *db = belay_open(rig_url(), NULL);
    belay_session *s = belay_session_open(db);
    BELAY_ATOMIC(s) {
        belay_exec(s, "UPDATE t SET b = 10 WHERE a = 1");
        rig_must_begin(&r, other);
        rig_must(&r, other, "INSERT INTO t VALUES (10, 0), (11, 0), (12, 0), (13, 0), (14, 0), (15, 0)");
        rig_must(&r, other, "UPDATE t SET b = b + 1 WHERE a = 2");
        BELAY_ATOMIC(s) {
            pthread_create(&thread, NULL, lock_crosswise, &own);
            belay_exec(s, "UPDATE t SET b = 10 WHERE a = 2");
            pthread_join(thread, NULL);
        }
        belay_ignore(s, BELAY_ANY);
        belay_exec(s, "INSERT INTO t VALUES (99, 0)");
    }
    belay_code code = belay_status(s);
    rig_must_rollback(&r, other);
    assert_code(code, BELAY_DEADLOCK);
    assert_int_equal(belay_pending(s)->outcome, BELAY_WORK_ROLLED_BACK);
    assert_int_equal(rig_ask(&r, other, COUNT), 2);
    belay_session_close(s);
    belay_close(db);
}

static void adopted_connections_keep_their_settings_and_transactions(void **state)
{
    (void)state;
    MYSQL *mine = rig_connect(&r)->driver->native(r.connections[2]);
    assert_int_equal(mysql_query(mine, "SET SESSION innodb_lock_wait_timeout = 7"), 0);
    belay_session *s = belay_adopt_mariadb(mine);
    BELAY_ATOMIC(s)
        belay_exec(s, "INSERT INTO t VALUES (3, 0)");
    assert_code(belay_status(s), BELAY_OK);
    assert_int_equal(mysql_query(mine, "START TRANSACTION"), 0);
    BELAY_ATOMIC(s)
        belay_exec(s, "INSERT INTO t VALUES (4, 0)");
    BELAY_ATOMIC(s) {
        belay_exec(s, "INSERT INTO t VALUES (5, 0)");
        belay_undo(s);
    }
    assert_int_equal(rig_ask(&r, other, COUNT), 3);
    assert_int_equal(belay_int_of(s, "SELECT @@innodb_lock_wait_timeout"), 7);
    assert_int_equal(mysql_query(mine, "COMMIT"), 0);
    assert_int_equal(rig_ask(&r, other, COUNT), 4);
    assert_code(belay_session_close(s), BELAY_OK);
    assert_int_equal(mysql_ping(mine), 0);
}

static void a_program_that_commits_on_the_handle_it_was_lent_is_found_out(void **state)
{
    (void)state;
    belay_db *db = belay_open(rig_url(), NULL);
    belay_session *s = belay_session_open(db);
    BELAY_ATOMIC(s) {
        belay_exec(s, "INSERT INTO t VALUES (3, 0)");
        mysql_query(belay_native(s), "COMMIT");
        belay_exec(s, "INSERT INTO t VALUES (4, 0)");
    }
    assert_code(belay_status(s), BELAY_MISUSE);
    assert_int_equal(rig_ask(&r, other, COUNT), 3);
    belay_session_close(s);
    belay_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_commit_keeps_and_a_rollback_undoes),
        T(savepoints_go_back_and_are_released),
        T(a_savepoint_where_no_transaction_is_open_is_refused),
        T(a_deadlock_ends_the_transaction_and_status_says_so),
        T(nothing_runs_after_a_deadlock_as_if_the_transaction_were_open),
        T(neither_a_commit_nor_a_savepoint_succeeds_after_a_deadlock),
        T(a_lock_timeout_undoes_the_statement_only),
        T(a_procedure_that_commits_behind_the_scope_is_found_out),
        T(a_rollback_that_leaves_something_is_an_error),
        T(a_connection_lost_before_the_commit_left_nothing_and_is_sure),
        T(a_connection_lost_at_the_commit_has_an_unknown_outcome),
        T(a_child_that_gives_a_connection_up_leaves_the_parents_alone),
        T(each_level_can_be_asked_back_and_the_default_returns),
        T(a_lost_update_is_a_serialization_failure_in_a_snapshot_and_ends_the_transaction),
        T(a_read_only_transaction_refuses_writes_itself),
        T(a_deadlock_caught_in_an_inner_scope_never_lets_a_later_statement_commit),
        T(adopted_connections_keep_their_settings_and_transactions),
        T(a_program_that_commits_on_the_handle_it_was_lent_is_found_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
