/*
 * test_mariadb_ahead.c - what rides with the next statement, how often is waited for the server, and what a command
 * that failed ahead of a statement does to it.
 */
#include "mariadb_rig.h"

static int set_up_empty(void **state)
{
    set_up(state);
    rig_must(&r, other, "CREATE OR REPLACE TABLE t (id INT PRIMARY KEY) ENGINE = InnoDB");
    return 0;
}

static int64_t stored(void)
{
    return rig_ask(&r, other, "SELECT count(*) FROM t");
}

/* How often a call waited for the server. */
#define trips_of(call) (conn->round_trips = 0, assert_code((call), BELAY_OK), conn->round_trips)

static belay_code begin(belay_level level)
{
    belay_begin_options options = {.isolation = level};
    return D->begin(conn, &options, &r.error);
}

static belay_code insert(belay_statement *statement, int id)
{
    belay_value value = {.type = BELAY_TYPE_INT, .as.integer = id};
    return D->execute(statement, 1, &value, &r.effect, &r.error);
}

static void begin_savepoints_and_releases_ride_with_the_next_statement(void **state)
{
    (void)state;
    belay_statement *statement = rig_prepare(&r, conn, "INSERT INTO t VALUES (?)", 1);
    assert_int_equal(trips_of(insert(statement, 1)), 1); /* alone: and it is committed */
    assert_int_equal(trips_of(begin(BELAY_ISOLATION_DEFAULT)), 0);
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_OPEN);
    assert_int_equal(trips_of(insert(statement, 2)), 1);
    assert_int_equal(trips_of(D->savepoint(conn, 1, &r.error)), 0);
    assert_int_equal(trips_of(insert(statement, 3)), 1);
    assert_int_equal(trips_of(D->release(conn, 1, &r.error)), 0);
    assert_int_equal(trips_of(D->savepoint(conn, 1, &r.error)), 0);
    assert_int_equal(trips_of(D->savepoint(conn, 2, &r.error)), 0);
    assert_int_equal(trips_of(insert(statement, 4)), 1);
    assert_int_equal(trips_of(D->rollback_to(conn, 2, &r.error)), 1);
    assert_int_equal(trips_of(D->release(conn, 2, &r.error)), 0);
    assert_int_equal(trips_of(insert(statement, 5)), 1);
    assert_int_equal(trips_of(D->release(conn, 1, &r.error)), 0);
    assert_int_equal(stored(), 1);
    assert_int_equal(trips_of(D->commit(conn, &r.error)), 1); /* the release is not sent any more */
    assert_int_equal(stored(), 4);
    assert_int_equal(trips_of(begin(BELAY_SERIALIZABLE)), 0); /* the level rides too */
    assert_int_equal(trips_of(insert(statement, 6)), 1);
    assert_int_equal(trips_of(D->commit(conn, &r.error)), 1);
    D->finalize(statement);
}

static void what_is_undone_before_a_statement_was_never_sent(void **state)
{
    (void)state;
    assert_int_equal(trips_of(begin(BELAY_SNAPSHOT)), 0);
    assert_int_equal(trips_of(D->savepoint(conn, 1, &r.error)), 0);
    assert_int_equal(trips_of(D->rollback_to(conn, 1, &r.error)), 0);
    assert_int_equal(trips_of(D->release(conn, 1, &r.error)), 0);
    assert_int_equal(trips_of(D->commit(conn, &r.error)), 0);
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_NONE);
    assert_int_equal(trips_of(begin(BELAY_ISOLATION_DEFAULT)), 0);
    assert_int_equal(trips_of(D->rollback(conn, &r.error)), 0);
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_NONE);
    assert_int_equal(rig_ask(&r, conn, "SELECT @@in_transaction"), 0);
}

static void a_statement_alone_is_committed_by_itself_whatever_was_before_it(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        rig_must_begin(&r, conn);
        rig_must(&r, conn, "INSERT INTO t VALUES (100)");
        rig_must_rollback(&r, conn);
        rig_must(&r, conn, i == 0 ? "INSERT INTO t VALUES (0)" : i == 1 ? "INSERT INTO t VALUES (1)" : "DO 0");
        assert_int_equal(stored(), i == 2 ? 2 : i + 1);
        assert_int_equal(D->status(conn), BELAY_TRANSACTION_NONE);
    }
}

/* As if START TRANSACTION had failed, and the statement behind it had not. */
static void a_statement_behind_a_begin_that_failed_is_not_committed(void **state)
{
    (void)state;
    rig_must(&r, conn, "DO 0"); /* under autocommit */
    rig_must_begin(&r, conn);
    rig_must(&r, conn, "SELECT 1");
    rig_must_rollback(&r, conn);
    rig_must_begin(&r, conn);
    inner()->owed.begin = false;
    inner()->db->server_status |= SERVER_STATUS_IN_TRANS;
    rig_must(&r, conn, "INSERT INTO t VALUES (1)");
    assert_int_equal(stored(), 0);
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_OPEN);
    rig_must_rollback(&r, conn);
    assert_int_equal(stored(), 0);
}

static void a_command_that_fails_ahead_of_a_statement_is_the_error_and_nothing_is_kept(void **state)
{
    (void)state;
    belay_statement *statement = rig_prepare(&r, conn, "INSERT INTO t VALUES (?)", 1);
    belay_statement *query = rig_prepare(&r, conn, "SELECT id FROM t", 0);
    belay_value cells[1];
    snprintf(inner()->level_variable, sizeof inner()->level_variable, "no_such_level");
    for (int rows = 0; rows < 2; rows++) {
        assert_code(begin(BELAY_SERIALIZABLE), BELAY_OK);
        belay_code code = rows ? D->start(query, 0, NULL, &r.error) : insert(statement, 1);
        assert_true(code != BELAY_OK);
        assert_non_null(strstr(r.error.message, "no_such_level"));
        assert_int_equal(D->status(conn), BELAY_TRANSACTION_OPEN);
        rig_must_rollback(&r, conn);
        assert_int_equal(stored(), 0);
    }
    snprintf(inner()->level_variable, sizeof inner()->level_variable, "tx_isolation");
    assert_code(begin(BELAY_SERIALIZABLE), BELAY_OK); /* the connection reads answers in their order as before */
    assert_code(insert(statement, 2), BELAY_OK);
    assert_code(D->start(query, 0, NULL, &r.error), BELAY_OK);
    assert_int_equal(D->step(query, cells, &r.effect, &r.error), BELAY_STEP_ROW);
    assert_int_equal(cells[0].as.integer, 2);
    D->finish(query);
    rig_must_commit(&r, conn);
    assert_int_equal(stored(), 1);
    D->finalize(statement);
    D->finalize(query);
}

static void a_failed_statement_leaves_what_rode_with_it_in_force(void **state)
{
    (void)state;
    belay_statement *statement = rig_prepare(&r, conn, "INSERT INTO t VALUES (?)", 1);
    rig_must_begin(&r, conn);
    assert_code(insert(statement, 1), BELAY_OK);
    assert_code(D->savepoint(conn, 1, &r.error), BELAY_OK);
    assert_code(insert(statement, 1), BELAY_UNIQUE);
    assert_code(D->rollback_to(conn, 1, &r.error), BELAY_OK);
    assert_code(D->release(conn, 1, &r.error), BELAY_OK);
    assert_code(insert(statement, 2), BELAY_OK);
    rig_must_commit(&r, conn);
    assert_int_equal(stored(), 2);
    D->finalize(statement);
}

/* ---- What ends a transaction unseen ----------------------------------------------------------------------------- */

static void make_procedure(const char *body)
{
    char sql[256];
    snprintf(sql, sizeof sql, "CREATE OR REPLACE PROCEDURE p() BEGIN %s; END", body);
    rig_must(&r, other, sql);
}

static void a_procedure_that_commits_and_begins_again_is_found_out(void **state)
{
    static const char *const bodies[] = {
        "COMMIT; START TRANSACTION; INSERT INTO t VALUES (2)", "COMMIT; INSERT INTO t VALUES (2)",
        "COMMIT; INSERT INTO t VALUES (2); SIGNAL SQLSTATE '45000'", "COMMIT; SELECT id FROM t"};
    (void)state;
    for (int i = 0; i < 4; i++) {
        make_procedure(bodies[i]);
        rig_must(&r, other, "DELETE FROM t");
        rig_must_begin(&r, conn);
        rig_must(&r, conn, "INSERT INTO t VALUES (1)");
        assert_code(rig_run(&r, conn, "CALL p()"), i == 2 ? BELAY_RAISED : BELAY_MISUSE);
        assert_int_equal(r.error.outcome, BELAY_WORK_PARTLY);
        assert_code(rig_run(&r, conn, "INSERT INTO t VALUES (3)"), BELAY_MISUSE);
        assert_code(D->commit(conn, &r.error), BELAY_MISUSE);
        rig_must_rollback(&r, conn);
        assert_int_equal(rig_ask(&r, other, "SELECT count(*) FROM t WHERE id IN (1, 3)"), 1);
    }
}

static void a_procedure_that_does_not_end_the_transaction_is_called_as_often_as_one_likes(void **state)
{
    (void)state;
    make_procedure("INSERT INTO t SELECT coalesce(max(id), 0) + 1 FROM t; SELECT count(*) FROM t; SELECT 7");
    rig_must_begin(&r, conn);
    rig_must(&r, conn, "CALL p()");
    rig_must(&r, conn, "CALL p()");
    assert_int_equal(rig_ask(&r, conn, "CALL p()"), 3); /* half-read */
    rig_must_commit(&r, conn);
    rig_must(&r, conn, "CALL p()"); /* alone */
    assert_int_equal(stored(), 4);
}

static void a_program_that_commits_on_the_handle_and_writes_on_is_found_out_at_the_commit(void **state)
{
    (void)state;
    for (int ends = 0; ends < 2; ends++) {
        rig_must_begin(&r, conn);
        rig_must(&r, conn, "INSERT INTO t VALUES (1)");
        assert_code(D->savepoint(conn, 1, &r.error), BELAY_OK);
        MYSQL *native = D->native(conn);
        assert_non_null(native);
        assert_int_equal(mysql_query(native, "INSERT INTO t VALUES (2)"), 0);
        assert_code(D->release(conn, 1, &r.error), BELAY_OK);
        if (ends)
            assert_int_equal(mysql_query(native, "COMMIT"), 0);
        assert_int_equal(mysql_query(native, "INSERT INTO t VALUES (3)"), 0);
        assert_code(D->commit(conn, &r.error), ends ? BELAY_MISUSE : BELAY_OK);
        if (ends)
            rig_must_rollback(&r, conn);
        assert_int_equal(stored(), ends ? 2 : 3);
        rig_must(&r, other, "DELETE FROM t");
    }
}

#define ON_EMPTY_TABLE(test) cmocka_unit_test_setup_teardown(test, set_up_empty, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EMPTY_TABLE(begin_savepoints_and_releases_ride_with_the_next_statement),
        ON_EMPTY_TABLE(what_is_undone_before_a_statement_was_never_sent),
        ON_EMPTY_TABLE(a_statement_alone_is_committed_by_itself_whatever_was_before_it),
        ON_EMPTY_TABLE(a_statement_behind_a_begin_that_failed_is_not_committed),
        ON_EMPTY_TABLE(a_command_that_fails_ahead_of_a_statement_is_the_error_and_nothing_is_kept),
        ON_EMPTY_TABLE(a_failed_statement_leaves_what_rode_with_it_in_force),
        ON_EMPTY_TABLE(a_procedure_that_commits_and_begins_again_is_found_out),
        ON_EMPTY_TABLE(a_procedure_that_does_not_end_the_transaction_is_called_as_often_as_one_likes),
        ON_EMPTY_TABLE(a_program_that_commits_on_the_handle_and_writes_on_is_found_out_at_the_commit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
