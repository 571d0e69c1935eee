/* Begin, commit, rollback, savepoints, and what SQLite does behind one's back. */
#include "sqlite_rig.h"

#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conn.h"

static rig r;
static belay_conn *conn;

static int set_up_file(void **state)
{
    (void)state;
    rig_init(&r, "?journal=delete");
    conn = rig_connect(&r);
    rig_must(&r, conn, "CREATE TABLE t (a INTEGER PRIMARY KEY, b)");
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    rig_init(&r, NULL);
    conn = rig_connect(&r);
    rig_must(&r, conn, "CREATE TABLE t (a INTEGER PRIMARY KEY, b)");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    rig_done(&r);
    return 0;
}

static int64_t count(void)
{
    return rig_ask(&r, conn, "SELECT count(*) FROM t");
}

static bool holds_queue(void)
{
    return ((belayi_sqlite_conn *)conn)->queued;
}

static void must_mark(belay_code (*verb)(belay_conn *, unsigned, belay_error *), unsigned number)
{
    if (verb(conn, number, &r.error) != BELAY_OK)
        fail_msg("%u: %s", number, r.error.message);
}

static void a_commit_keeps_and_a_rollback_undoes(void **state)
{
    (void)state;
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_NONE);
    rig_must_begin(&r, conn);
    rig_must(&r, conn, "INSERT INTO t VALUES (1, 1)");
    rig_must_commit(&r, conn);
    rig_must_begin(&r, conn);
    rig_must(&r, conn, "INSERT INTO t VALUES (2, 2)");
    rig_must_rollback(&r, conn);
    assert_int_equal(count(), 1);
    assert_false(holds_queue());
}

static void a_rollback_of_nothing_is_fine(void **state)
{
    (void)state;
    assert_int_equal(D->rollback(conn, &r.error), BELAY_OK);
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_NONE);
}

static void ddl_rolls_back_with_its_transaction(void **state)
{
    (void)state;
    assert_true(D->capabilities & BELAY_CAN_TRANSACT_DDL);
    rig_must_begin(&r, conn);
    rig_must(&r, conn, "CREATE TABLE more (a)");
    rig_must_rollback(&r, conn);
    assert_int_equal(rig_run(&r, conn, "SELECT * FROM more"), BELAY_SCHEMA);
}

static void the_isolation_is_serializable_and_every_level_is_given(void **state)
{
    belay_level level = BELAY_ISOLATION_DEFAULT;
    (void)state;
    assert_int_equal(D->isolation(conn, &level, &r.error), BELAY_OK);
    assert_int_equal(level, BELAY_SERIALIZABLE);
    for (int wanted = BELAY_READ_UNCOMMITTED; wanted <= BELAY_SERIALIZABLE; wanted++)
        assert_true(D->levels & 1u << wanted);
}

static void a_read_only_transaction_refuses_writes_and_takes_no_lock(void **state)
{
    (void)state;
    belay_conn *other = rig_connect(&r);
    assert_int_equal(rig_begin(&r, conn, true), BELAY_OK);
    assert_false(holds_queue());
    assert_int_equal(count(), 0);
    assert_int_equal(rig_run(&r, conn, "INSERT INTO t VALUES (1, 1)"), BELAY_READ_ONLY);
    rig_limit(other, 0, -1);
    rig_must_begin(&r, other);
    rig_must_rollback(&r, other);
    rig_must_commit(&r, conn);
    rig_must(&r, conn, "INSERT INTO t VALUES (1, 1)");
}

/* ---- Savepoints --------------------------------------------------------------------------------------------- */

static void a_rollback_to_a_savepoint_undoes_what_came_after_and_keeps_it(void **state)
{
    (void)state;
    rig_must_begin(&r, conn);
    rig_must(&r, conn, "INSERT INTO t VALUES (1, 1)");
    must_mark(D->savepoint, 1);
    for (int i = 0; i < 3; i++) {
        rig_must(&r, conn, "INSERT INTO t VALUES (2, 2)");
        must_mark(D->rollback_to, 1);
    }
    rig_must(&r, conn, "INSERT INTO t VALUES (3, 3)");
    must_mark(D->release, 1);
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_OPEN);
    rig_must_commit(&r, conn);
    assert_int_equal(rig_ask(&r, conn, "SELECT sum(a) FROM t"), 4);
}

static void savepoints_nest_as_deep_as_one_likes(void **state)
{
    enum { DEPTH = 1000 };
    (void)state;
    rig_must_begin(&r, conn);
    for (unsigned i = 1; i <= DEPTH; i++) {
        must_mark(D->savepoint, i);
        if (i % 100 == 0 || i == 64 || i == 65)
            rig_must(&r, conn, "INSERT INTO t (b) VALUES (1)");
    }
    must_mark(D->rollback_to, 70);
    assert_int_equal(count(), 2);
    for (unsigned i = 70; i > 0; i--)
        must_mark(D->release, i);
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_OPEN);
    rig_must_commit(&r, conn);
    assert_int_equal(count(), 2);
}

static void a_savepoint_outside_a_transaction_is_refused(void **state)
{
    (void)state;
    assert_int_equal(D->savepoint(conn, 1, &r.error), BELAY_MISUSE);
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_NONE);
}

static void an_unknown_savepoint_is_misuse(void **state)
{
    (void)state;
    rig_must_begin(&r, conn);
    assert_int_equal(D->release(conn, 3, &r.error), BELAY_MISUSE);
    assert_int_equal(D->rollback_to(conn, 3, &r.error), BELAY_MISUSE);
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_OPEN);
}

/* ---- What ends a transaction, and what doesn't ----------------------------------------------------------------- */

static void an_ordinary_failure_leaves_the_transaction_open(void **state)
{
    (void)state;
    rig_must_begin(&r, conn);
    rig_must(&r, conn, "INSERT INTO t VALUES (1, 1)");
    assert_int_equal(rig_run(&r, conn, "INSERT INTO t VALUES (1, 2)"), BELAY_UNIQUE);
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_OPEN);
    rig_must_commit(&r, conn);
    assert_int_equal(count(), 1);
}

static void or_rollback_ends_the_whole_transaction_and_frees_the_queue(void **state)
{
    (void)state;
    rig_must_begin(&r, conn);
    rig_must(&r, conn, "INSERT INTO t VALUES (1, 1)");
    must_mark(D->savepoint, 1);
    assert_int_equal(rig_run(&r, conn, "INSERT OR ROLLBACK INTO t VALUES (1, 2)"), BELAY_UNIQUE);
    assert_false(holds_queue());
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_NONE);
    assert_int_equal(D->rollback(conn, &r.error), BELAY_OK);
    assert_int_equal(count(), 0);
}

static void raise_rollback_ends_the_whole_transaction(void **state)
{
    (void)state;
    rig_must(&r, conn, "CREATE TRIGGER g BEFORE INSERT ON t BEGIN SELECT RAISE(ROLLBACK, 'not today'); END");
    rig_must_begin(&r, conn);
    assert_int_equal(rig_run(&r, conn, "INSERT INTO t VALUES (1, 1)"), BELAY_RAISED);
    assert_string_equal(r.error.message, "not today");
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_NONE);
}

static void a_database_at_its_greatest_size_leaves_the_transaction_open(void **state)
{
    (void)state;
    rig_must(&r, conn, "PRAGMA max_page_count = 5");
    rig_must_begin(&r, conn);
    rig_must(&r, conn, "INSERT INTO t VALUES (1, 1)");
    must_mark(D->savepoint, 1);
    assert_int_equal(rig_run(&r, conn,
                             "INSERT INTO t SELECT value + 5, zeroblob(3000) FROM "
                             "(WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n LIMIT 50) "
                             "SELECT value FROM n)"),
                     BELAY_DISK_FULL);
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_OPEN);
    must_mark(D->rollback_to, 1);
    rig_must_commit(&r, conn);
    assert_int_equal(count(), 1);
}

static void a_deferred_foreign_key_refuses_the_commit_and_leaves_it_open(void **state)
{
    (void)state;
    rig_must(&r, conn, "CREATE TABLE c (a REFERENCES t (a) DEFERRABLE INITIALLY DEFERRED)");
    rig_must_begin(&r, conn);
    rig_must(&r, conn, "INSERT INTO c VALUES (7)");
    assert_int_equal(D->commit(conn, &r.error), BELAY_FOREIGN_KEY);
    assert_int_equal(r.error.native_code, SQLITE_CONSTRAINT_FOREIGNKEY);
    assert_int_equal(r.error.outcome, BELAY_WORK_OPEN);
    assert_true(r.error.hint[0] != '\0');
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_OPEN);
    assert_true(holds_queue());
    rig_must(&r, conn, "INSERT INTO t VALUES (7, 7)");
    rig_must_commit(&r, conn);
}

static void a_half_read_returning_statement_does_not_keep_commit_from_happening(void **state)
{
    belay_value cells[1];
    (void)state;
    rig_must_begin(&r, conn);
    belay_statement *statement = rig_prepare(&r, conn, "INSERT INTO t (b) VALUES (1), (2), (3) RETURNING a", 0);
    assert_int_equal(D->start(statement, 0, NULL, &r.error), BELAY_OK);
    assert_int_equal(D->step(statement, cells, &r.effect, &r.error), BELAY_STEP_ROW);
    rig_must_commit(&r, conn);
    D->finish(statement);
    D->finalize(statement);
    assert_int_equal(count(), 3);
}

static void a_reader_in_the_way_makes_commit_busy_and_trying_again_works(void **state)
{
    belay_value cells[2];
    (void)state;
    belay_conn *reader = rig_connect(&r);
    rig_must(&r, conn, "INSERT INTO t VALUES (1, 1), (2, 2)");
    belay_statement *statement = rig_prepare(&r, reader, "SELECT * FROM t", 0);
    assert_int_equal(D->start(statement, 0, NULL, &r.error), BELAY_OK);
    assert_int_equal(D->step(statement, cells, &r.effect, &r.error), BELAY_STEP_ROW);
    rig_must_begin(&r, conn);
    rig_must(&r, conn, "INSERT INTO t VALUES (3, 3)");
    rig_limit(conn, 20, -1);
    assert_int_equal(D->commit(conn, &r.error), BELAY_LOCK_TIMEOUT);
    assert_int_equal(r.error.outcome, BELAY_WORK_OPEN);
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_OPEN);
    rig_limit(conn, 0, -1);
    assert_int_equal(D->commit(conn, &r.error), BELAY_BUSY);
    D->finish(statement);
    D->finalize(statement);
    rig_must_commit(&r, conn);
    assert_int_equal(rig_ask(&r, reader, "SELECT count(*) FROM t"), 3);
}

static void closing_rolls_back_and_frees_the_queue(void **state)
{
    (void)state;
    belay_conn *other = rig_connect(&r);
    rig_must_begin(&r, other);
    rig_must(&r, other, "INSERT INTO t VALUES (1, 1)");
    rig_disconnect(&r, other);
    rig_limit(conn, 0, -1);
    rig_must_begin(&r, conn);
    assert_int_equal(count(), 0);
}

static void a_database_attached_later_is_locked_by_begin_too(void **state)
{
    char path[128], sql[200];
    (void)state;
    rig_path(&r, "second", path);
    belay_conn *other = rig_connect(&r);
    snprintf(sql, sizeof sql, "ATTACH '%s' AS second", path);
    rig_must_begin(&r, conn); /* BEGIN IMMEDIATE is prepared for one database here */
    rig_must_rollback(&r, conn);
    rig_must(&r, conn, sql);
    rig_must(&r, conn, "CREATE TABLE second.s (a)");
    rig_must(&r, other, sql);
    rig_must_begin(&r, conn);
    rig_limit(other, 0, -1);
    assert_int_equal(rig_run(&r, other, "INSERT INTO second.s VALUES (1)"), BELAY_BUSY);
}

static void a_child_gives_up_its_connection_without_touching_the_database(void **state)
{
    int status;
    (void)state;
    rig_must_begin(&r, conn);
    rig_must(&r, conn, "INSERT INTO t VALUES (1, 1)");
    pid_t child = fork();
    if (child == 0) {
        D->disown(conn);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    rig_must_commit(&r, conn);
    assert_int_equal(count(), 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define F(name) cmocka_unit_test_setup_teardown(name, set_up_file, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_commit_keeps_and_a_rollback_undoes),
        T(a_rollback_of_nothing_is_fine),
        T(ddl_rolls_back_with_its_transaction),
        T(the_isolation_is_serializable_and_every_level_is_given),
        F(a_read_only_transaction_refuses_writes_and_takes_no_lock),
        T(a_rollback_to_a_savepoint_undoes_what_came_after_and_keeps_it),
        T(savepoints_nest_as_deep_as_one_likes),
        T(a_savepoint_outside_a_transaction_is_refused),
        T(an_unknown_savepoint_is_misuse),
        T(an_ordinary_failure_leaves_the_transaction_open),
        T(or_rollback_ends_the_whole_transaction_and_frees_the_queue),
        T(raise_rollback_ends_the_whole_transaction),
        T(a_database_at_its_greatest_size_leaves_the_transaction_open),
        T(a_deferred_foreign_key_refuses_the_commit_and_leaves_it_open),
        T(a_half_read_returning_statement_does_not_keep_commit_from_happening),
        F(a_half_read_returning_statement_does_not_keep_commit_from_happening),
        F(a_reader_in_the_way_makes_commit_busy_and_trying_again_works),
        F(closing_rolls_back_and_frees_the_queue),
        F(a_database_attached_later_is_locked_by_begin_too),
        F(a_child_gives_up_its_connection_without_touching_the_database),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
