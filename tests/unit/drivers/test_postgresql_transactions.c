/* Begin, commit, savepoints: what is sent, when, and what the server makes of it. */
#include "postgresql_rig.h"

#include "clock.h"

static int trips(void)
{
    int number = conn->round_trips;
    conn->round_trips = 0;
    return number;
}

static int64_t count(belay_conn *which)
{
    return rig_ask(&r, which, "SELECT count(*) FROM t");
}

/* ---- Riding along ------------------------------------------------------------------------------------------- */

static void begin_and_savepoints_ride_with_the_next_statement(void **state)
{
    (void)state;
    belay_statement *insert = rig_prepare(&r, conn, "INSERT INTO t VALUES ($1, 'x')", 1);
    trips();
    rig_must_begin(&r, conn);
    assert_int_equal(D->savepoint(conn, 1, &r.error), BELAY_OK);
    assert_int_equal(trips(), 0);
    belay_value id = belay_integer(3);
    assert_int_equal(D->execute(insert, 1, &id, &r.effect, &r.error), BELAY_OK);
    assert_int_equal(trips(), 1);
    assert_int_equal(D->release(conn, 1, &r.error), BELAY_OK);
    assert_int_equal(D->savepoint(conn, 1, &r.error), BELAY_OK);
    id = belay_integer(4);
    assert_int_equal(D->execute(insert, 1, &id, &r.effect, &r.error), BELAY_OK);
    assert_int_equal(trips(), 1);
    assert_int_equal(D->rollback_to(conn, 1, &r.error), BELAY_OK);
    assert_int_equal(trips(), 1);
    rig_must_commit(&r, conn);
    assert_int_equal(trips(), 1);
    assert_int_equal(count(other), 3);
    D->finalize(insert);
}

static void what_has_no_statement_costs_nothing(void **state)
{
    (void)state;
    trips();
    rig_must_begin(&r, conn);
    assert_int_equal(D->savepoint(conn, 1, &r.error), BELAY_OK);
    assert_int_equal(D->savepoint(conn, 2, &r.error), BELAY_OK);
    assert_int_equal(D->rollback_to(conn, 2, &r.error), BELAY_OK);
    assert_int_equal(D->release(conn, 1, &r.error), BELAY_OK);
    rig_must_commit(&r, conn);
    rig_must_begin(&r, conn);
    rig_must_rollback(&r, conn);
    assert_int_equal(trips(), 0);
    assert_int_equal(rig_ask(&r, other, "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in%'"), 0);
}

static void a_failed_statement_leaves_what_was_before_its_savepoint(void **state)
{
    (void)state;
    rig_must_begin(&r, conn);
    rig_must(&r, conn, "INSERT INTO t VALUES (3, 'kept')");
    assert_int_equal(D->savepoint(conn, 1, &r.error), BELAY_OK);
    rig_assert_error(&r, conn, "INSERT INTO t VALUES (3, 'again')", BELAY_UNIQUE, "23505");
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_FAILED);
    assert_int_equal(D->rollback_to(conn, 1, &r.error), BELAY_OK);
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_OPEN);
    assert_int_equal(D->release(conn, 1, &r.error), BELAY_OK);
    rig_must_commit(&r, conn);
    assert_int_equal(count(other), 3);
}

static void a_text_that_the_server_refuses_is_undone_by_the_savepoint_too(void **state)
{
    (void)state;
    rig_must_begin(&r, conn);
    rig_must(&r, conn, "INSERT INTO t VALUES (3, 'kept')");
    assert_int_equal(D->savepoint(conn, 1, &r.error), BELAY_OK);
    rig_assert_error(&r, conn, "SELEC", BELAY_SYNTAX, "42601");
    assert_int_equal(D->rollback_to(conn, 1, &r.error), BELAY_OK);
    rig_must_commit(&r, conn);
    assert_int_equal(count(other), 3);
}

static void savepoints_within_savepoints_come_and_go(void **state)
{
    (void)state;
    rig_must_begin(&r, conn);
    for (unsigned i = 1; i <= 100; i++) {
        char sql[64];
        assert_int_equal(D->savepoint(conn, i, &r.error), BELAY_OK);
        snprintf(sql, sizeof sql, "INSERT INTO t VALUES (%u, 'x')", i + 10);
        rig_must(&r, conn, sql);
    }
    assert_int_equal(D->rollback_to(conn, 51, &r.error), BELAY_OK); /* 50 of them stay */
    assert_int_equal(D->release(conn, 21, &r.error), BELAY_OK);
    assert_int_equal(count(conn), 52);
    assert_int_equal(D->rollback_to(conn, 11, &r.error), BELAY_OK);
    assert_int_equal(count(conn), 12);
    rig_must_commit(&r, conn);
    assert_int_equal(count(other), 12);
}

/* ---- The truth ---------------------------------------------------------------------------------------------- */

static void a_commit_that_the_server_answers_with_rollback_is_a_failure(void **state)
{
    (void)state;
    rig_must_begin(&r, conn);
    rig_must(&r, conn, "INSERT INTO t VALUES (3, 'x')");
    rig_assert_error(&r, conn, "SELECT 1 / 0", BELAY_DATA, "22012");
    assert_int_equal(D->commit(conn, &r.error), BELAY_MISUSE);
    assert_int_equal(r.error.outcome, BELAY_WORK_OPEN);
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_NONE);
    assert_int_equal(count(other), 2);
}

static void a_deferred_constraint_fails_at_the_commit_with_its_name(void **state)
{
    (void)state;
    rig_must(&r, conn, "CREATE TABLE c (t integer CONSTRAINT of_t REFERENCES t DEFERRABLE INITIALLY DEFERRED)");
    rig_must_begin(&r, conn);
    rig_must(&r, conn, "INSERT INTO c VALUES (9)");
    assert_int_equal(D->commit(conn, &r.error), BELAY_FOREIGN_KEY);
    assert_string_equal(r.error.constraint, "of_t");
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_NONE);
    /* Also where one statement is a transaction, and it is told after the statement. */
    rig_assert_error(&r, conn, "INSERT INTO c VALUES (9)", BELAY_FOREIGN_KEY, "23503");
    assert_int_equal(rig_ask(&r, other, "SELECT count(*) FROM c"), 0);
}

static void deferred_constraints_can_be_checked_before_and_wait_again(void **state)
{
    (void)state;
    rig_must(&r, conn, "CREATE TABLE c (t integer REFERENCES t DEFERRABLE INITIALLY DEFERRED)");
    rig_must_begin(&r, conn);
    rig_must(&r, conn, "INSERT INTO c VALUES (1)");
    assert_int_equal(D->check_deferred(conn, &r.error), BELAY_OK);
    rig_must(&r, conn, "INSERT INTO c VALUES (9)"); /* not yet */
    assert_int_equal(D->check_deferred(conn, &r.error), BELAY_FOREIGN_KEY);
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_FAILED);
    rig_must_rollback(&r, conn);
}

static void levels_are_what_was_asked_for(void **state)
{
    static const struct {
        belay_level asked, given;
    } levels[] = {{BELAY_ISOLATION_DEFAULT, BELAY_READ_COMMITTED},
                  {BELAY_READ_UNCOMMITTED, BELAY_READ_UNCOMMITTED},
                  {BELAY_READ_COMMITTED, BELAY_READ_COMMITTED},
                  {BELAY_REPEATABLE_READ, BELAY_SNAPSHOT},
                  {BELAY_SNAPSHOT, BELAY_SNAPSHOT},
                  {BELAY_SERIALIZABLE, BELAY_SERIALIZABLE}};
    (void)state;
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        belay_begin_options options = {.isolation = levels[i].asked, .read_only = true, .deferrable = true};
        belay_level level;
        assert_int_equal(D->begin(conn, &options, &r.error), BELAY_OK);
        assert_int_equal(D->isolation(conn, &level, &r.error), BELAY_OK);
        assert_int_equal(level, levels[i].given);
        rig_must_rollback(&r, conn);
    }
}

/* ---- Lost connections ----------------------------------------------------------------------------------------- */

static void a_connection_that_is_lost_in_a_statement_is_lost(void **state)
{
    (void)state;
    rig_must_begin(&r, conn);
    kill_backend(backend_of(conn));
    assert_int_equal(rig_run(&r, conn, "INSERT INTO t VALUES (3, 'x')"), BELAY_CONNECTION);
    assert_int_equal(r.error.outcome, BELAY_WORK_OPEN);
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_LOST);
    assert_int_equal(rig_run(&r, conn, "SELECT 1"), BELAY_CONNECTION);
    assert_int_equal(D->savepoint(conn, 1, &r.error), BELAY_OK); /* it is only owed */
    assert_int_equal(rig_begin(&r, conn, false), BELAY_CONNECTION);
    assert_int_equal(D->rollback(conn, &r.error), BELAY_OK); /* the server has */
    assert_int_equal(count(other), 2);
}

static void a_connection_that_was_lost_before_the_commit_left_has_committed_nothing(void **state)
{
    (void)state;
    rig_must_begin(&r, conn);
    rig_must(&r, conn, "INSERT INTO t VALUES (3, 'x')");
    kill_backend(backend_of(conn));
    assert_int_equal(D->commit(conn, &r.error), BELAY_CONNECTION);
    assert_int_equal(r.error.outcome, BELAY_WORK_OPEN);
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_LOST);
    assert_int_equal(count(other), 2);
}

/* A deferred trigger that ends its own backend: COMMIT is on its way, and no answer comes. */
static void a_connection_that_is_lost_at_the_commit_leaves_the_outcome_unknown(void **state)
{
    (void)state;
    rig_must(&r, conn,
             "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
             " PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(10); RETURN NULL; END $$");
    rig_must(&r, conn,
             "CREATE CONSTRAINT TRIGGER last AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED"
             " FOR EACH ROW EXECUTE FUNCTION die()");
    rig_must_begin(&r, conn);
    rig_must(&r, conn, "INSERT INTO t VALUES (3, 'x')");
    assert_int_equal(D->commit(conn, &r.error), BELAY_CONNECTION);
    assert_int_equal(r.error.outcome, BELAY_WORK_UNKNOWN);
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_LOST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(begin_and_savepoints_ride_with_the_next_statement),
        T(what_has_no_statement_costs_nothing),
        T(a_failed_statement_leaves_what_was_before_its_savepoint),
        T(a_text_that_the_server_refuses_is_undone_by_the_savepoint_too),
        T(savepoints_within_savepoints_come_and_go),
        T(a_commit_that_the_server_answers_with_rollback_is_a_failure),
        T(a_deferred_constraint_fails_at_the_commit_with_its_name),
        T(deferred_constraints_can_be_checked_before_and_wait_again),
        T(levels_are_what_was_asked_for),
        T(a_connection_that_is_lost_in_a_statement_is_lost),
        T(a_connection_that_was_lost_before_the_commit_left_has_committed_nothing),
        T(a_connection_that_is_lost_at_the_commit_leaves_the_outcome_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
