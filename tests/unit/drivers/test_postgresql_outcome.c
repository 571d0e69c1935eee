/* What became of a transaction: its number is learned on the way, and the server is asked by it on another connection.
 */
#include "postgresql_rig.h"

#include <sys/socket.h>

#include <belay/belay.h>

static const char insert[] = "INSERT INTO t VALUES (3, 'x')";

static belay_token token;

/* The number of the connection's open transaction, as the server has it. */
static int64_t true_number(belay_conn *which)
{
    return rig_ask(&r, which, "SELECT pg_current_xact_id_if_assigned()::text::bigint");
}

static void assert_named(belay_conn *which)
{
    assert_true(D->identify(which, &token));
    assert_int_equal(token.words[3], true_number(which));
}

static void assert_outcome(belay_outcome expected)
{
    belay_outcome outcome = BELAY_WORK_UNKNOWN;
    if (D->outcome(other, &token, &outcome, &r.error) != BELAY_OK)
        fail_msg("%s", r.error.message);
    assert_int_equal(outcome, expected);
}

/* Nobody can say; the text tells why. */
static void assert_no_outcome(const belay_token *of, const char *why)
{
    belay_outcome outcome;
    assert_int_equal(D->outcome(other, of, &outcome, &r.error), BELAY_UNSUPPORTED);
    assert_int_equal(r.error.outcome, BELAY_WORK_OPEN);
    assert_non_null(strstr(r.error.message, why));
    assert_int_equal(D->status(other), BELAY_TRANSACTION_NONE);
}

/* What is sent is lost, and that is noticed only then. */
static void cut_way_out(belay_conn *which)
{
    shutdown(PQsocket(((belayi_pg_conn *)which)->pg), SHUT_WR);
}

/* ---- The number -------------------------------------------------------------------------------------------- */

static void the_number_is_known_behind_the_first_write_without_a_trip_of_its_own(void **state)
{
    (void)state;
    belay_conn *fresh = rig_connect(&r); /* on which nothing has been asked yet */
    rig_must_begin(&r, fresh);
    fresh->round_trips = 0;
    rig_must(&r, fresh, insert);
    assert_int_equal(fresh->round_trips, 1);
    assert_named(fresh);
    assert_true(token.words[3] > UINT32_MAX); /* it has 64 bits, and the server was made to need them */
    rig_must(&r, fresh, "INSERT INTO t VALUES (4, 'x')");
    assert_int_equal(fresh->round_trips, 3);
    rig_must_commit(&r, fresh);
    assert_int_equal(fresh->round_trips, 4);
}

static void each_transaction_has_a_number_of_its_own(void **state)
{
    (void)state;
    rig_must_begin(&r, conn);
    rig_must(&r, conn, insert);
    assert_named(conn);
    belay_token first = token;
    rig_must_rollback(&r, conn);
    rig_must_begin(&r, conn);
    rig_ask(&r, conn, "SELECT count(*) FROM t");
    assert_false(D->identify(conn, &token)); /* never the last one's */
    rig_must(&r, conn, insert);
    assert_named(conn);
    assert_int_not_equal(token.words[3], first.words[3]);
    rig_must_commit(&r, conn);
    rig_must(&r, conn, "DELETE FROM t");
    assert_false(D->identify(conn, &token)); /* a statement alone has none that could be known in time */
}

static void within_a_savepoint_it_is_the_whole_transactions_number(void **state)
{
    (void)state;
    rig_must_begin(&r, conn);
    assert_int_equal(D->savepoint(conn, 1, &r.error), BELAY_OK);
    rig_must(&r, conn, insert);
    assert_named(conn);
    assert_int_equal(D->rollback_to(conn, 1, &r.error), BELAY_OK);
    assert_named(conn);
    rig_must_commit(&r, conn);
    assert_outcome(BELAY_WORK_COMMITTED);
}

static void it_is_asked_until_it_is_known(void **state)
{
    (void)state;
    rig_must_begin(&r, conn);
    rig_must(&r, conn, "UPDATE t SET note = 'x' WHERE id = 99"); /* changes nothing: none was given */
    assert_false(D->identify(conn, &token));
    assert_int_equal(D->savepoint(conn, 1, &r.error), BELAY_OK);
    assert_int_equal(rig_run(&r, conn, "INSERT INTO t VALUES (1, 'twice')"), BELAY_UNIQUE);
    assert_int_equal(D->rollback_to(conn, 1, &r.error), BELAY_OK);
    assert_false(D->identify(conn, &token)); /* the question was skipped with the statement */
    rig_must(&r, conn, insert);
    assert_named(conn);
    rig_must_commit(&r, conn);
    assert_outcome(BELAY_WORK_COMMITTED);
}

static void rows_of_a_writing_query_are_not_taken_for_the_number(void **state)
{
    (void)state;
    belay_value cell;
    rig_must_begin(&r, conn);
    belay_statement *query = rig_prepare(&r, conn, "INSERT INTO t VALUES (3, '') RETURNING id AS belay_number", 0);
    assert_int_equal(D->start(query, 0, NULL, &r.error), BELAY_OK);
    assert_int_equal(D->step(query, &cell, &r.effect, &r.error), BELAY_STEP_ROW);
    D->finish(query);
    D->finalize(query);
    assert_named(conn);
    query = rig_prepare(&r, conn, "DELETE FROM t RETURNING id AS belay_number", 0);
    assert_int_equal(D->start(query, 0, NULL, &r.error), BELAY_OK);
    D->finish(query); /* at once, half-way */
    D->finalize(query);
    assert_named(conn);
    rig_must_rollback(&r, conn);
}

static void update_and_commit(void)
{
    rig_must(&r, conn, "UPDATE t SET note = 'x'");
    assert_named(conn);
    rig_must_commit(&r, conn);
}

static void what_the_server_forgot_is_prepared_again(void **state)
{
    (void)state;
    rig_must_begin(&r, conn);
    rig_must(&r, conn, "DEALLOCATE ALL");
    update_and_commit();
    rig_must_begin(&r, conn);
    update_and_commit();
    rig_must(&r, conn, "DISCARD ALL");
    rig_must_begin(&r, conn);
    update_and_commit();
    rig_must_begin(&r, conn);
    PQclear(PQexec(D->native(conn), "DEALLOCATE ALL")); /* unseen */
    update_and_commit();
    rig_must_begin(&r, conn);
    update_and_commit();
}

/* The question behind a statement is no reason for that to fail. */
static void a_statement_that_deallocates_does_not_fail(void **state)
{
    (void)state;
    rig_must_begin(&r, conn);
    rig_must(&r, conn, "DO $$ BEGIN EXECUTE 'DEALLOCATE ALL'; INSERT INTO t VALUES (3, 'x'); END $$");
    assert_named(conn);
    rig_must_commit(&r, conn);
}

static void behind_a_queue_that_is_drained_it_is_known_without_a_trip_of_its_own(void **state)
{
    (void)state;
    rig_must_begin(&r, conn);
    belay_statement *first = rig_prepare(&r, conn, insert, 0);
    belay_statement *last = rig_prepare(&r, conn, "DEALLOCATE ALL", 0);
    assert_int_equal(D->savepoint(conn, 1, &r.error), BELAY_OK);
    assert_int_equal(D->queue(first, 0, NULL, &r.error), BELAY_OK);
    assert_int_equal(D->queue(last, 0, NULL, &r.error), BELAY_OK);
    conn->round_trips = 0;
    assert_int_equal(D->drain(conn, &r.error), BELAY_OK);
    assert_int_equal(conn->round_trips, 1);
    D->finalize(first);
    D->finalize(last);
    assert_named(conn);
    rig_must_commit(&r, conn);
    assert_outcome(BELAY_WORK_COMMITTED);
}

static void behind_a_queue_that_fails_it_is_asked_again(void **state)
{
    (void)state;
    rig_must_begin(&r, conn);
    belay_statement *twice = rig_prepare(&r, conn, "INSERT INTO t VALUES (1, 'twice')", 0);
    assert_int_equal(D->savepoint(conn, 1, &r.error), BELAY_OK);
    assert_int_equal(D->queue(twice, 0, NULL, &r.error), BELAY_OK);
    assert_int_equal(D->drain(conn, &r.error), BELAY_UNIQUE);
    assert_int_equal(conn->failed, 1);
    assert_int_equal(D->rollback_to(conn, 1, &r.error), BELAY_OK);
    assert_false(D->identify(conn, &token));
    D->finalize(twice);
    update_and_commit();
}

static bool go_on(void *arg, size_t row, belay_error *error)
{
    ++*(int *)arg;
    return row % 2 == 1 && error->code == BELAY_UNIQUE;
}

/* Rows that are good, or of which each second one is bad, so that they heal themselves. */
static void run_many(belay_statement *statement, bool good)
{
    enum { ROWS = 200 };
    belay_value ids[ROWS];
    int bad = 0;
    int64_t changes = 0;
    for (int i = 0; i < ROWS; i++)
        ids[i] = belay_integer(good || i % 2 == 0 ? 1000 + i : 1);
    belay_each each = {.rows = ROWS, .columns = 1, .values = ids, .changes = &changes, .rejected = go_on, .arg = &bad};
    assert_int_equal(D->execute_each(statement, &each, &r.effect, &r.error), BELAY_OK);
    assert_int_equal(bad, good ? 0 : ROWS / 2);
}

static void behind_many_rows_it_is_known(void **state)
{
    (void)state;
    belay_statement *statement = rig_prepare(&r, conn, "INSERT INTO t VALUES ($1, 'many')", 1);
    ((belayi_pg_conn *)conn)->trip_ns = 1000000;
    for (int i = 0; i < 4; i++) { /* the first row that is ever run goes alone */
        rig_must_begin(&r, conn);
        run_many(statement, i % 2 == 0);
        assert_named(conn);
        rig_must_rollback(&r, conn);
        assert_outcome(BELAY_WORK_ROLLED_BACK);
    }
    D->finalize(statement);
}

/* ---- The outcome --------------------------------------------------------------------------------------------- */

static void an_outcome_is_open_until_it_is_committed_or_rolled_back(void **state)
{
    (void)state;
    rig_must_begin(&r, conn);
    rig_must(&r, conn, insert);
    assert_named(conn);
    assert_outcome(BELAY_WORK_OPEN);
    rig_must_commit(&r, conn);
    assert_outcome(BELAY_WORK_COMMITTED);
    rig_must_begin(&r, conn);
    rig_must(&r, conn, "DELETE FROM t");
    assert_named(conn);
    rig_must_rollback(&r, conn);
    assert_outcome(BELAY_WORK_ROLLED_BACK);
}

static void only_the_server_that_began_it_can_tell(void **state)
{
    static const char *const whys[] = {"another server", "another history", "crashed", "has not given"};
    (void)state;
    rig_must_begin(&r, conn);
    rig_must(&r, conn, insert);
    assert_named(conn);
    rig_must_commit(&r, conn);
    assert_outcome(BELAY_WORK_COMMITTED);
    for (int i = 0; i < 4; i++) {
        belay_token changed = token;
        changed.words[i] += 1000;
        assert_no_outcome(&changed, whys[i]);
    }
    token.words[3] = 3; /* of epoch 0, which the server never kept */
    assert_no_outcome(&token, "forgotten");
}

static void any_role_may_ask_and_one_that_may_not_harms_nothing(void **state)
{
    (void)state;
    rig_must(&r, conn, "DROP ROLE IF EXISTS plain");
    rig_must(&r, conn, "CREATE ROLE plain");
    rig_must(&r, conn, "GRANT ALL ON SCHEMA public TO plain");
    rig_must(&r, conn, "GRANT ALL ON t TO plain");
    belay_conn *fresh = rig_connect(&r);
    rig_must(&r, fresh, "SET ROLE plain");
    rig_must_begin(&r, fresh);
    rig_must(&r, fresh, insert);
    assert_named(fresh);
    rig_must_commit(&r, fresh);
    rig_must(&r, other, "SET ROLE plain");
    assert_outcome(BELAY_WORK_COMMITTED);
    rig_must(&r, conn, "REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC");
    belay_conn *refused = rig_connect(&r);
    rig_must(&r, refused, "SET ROLE plain");
    rig_must_begin(&r, refused);
    rig_must(&r, refused, "DELETE FROM t");
    bool named = D->identify(refused, &token);
    rig_must_commit(&r, refused);
    rig_must(&r, conn, "GRANT EXECUTE ON FUNCTION pg_control_system() TO PUBLIC");
    rig_must(&r, conn, "REVOKE ALL ON t FROM plain");
    rig_must(&r, conn, "REVOKE ALL ON SCHEMA public FROM plain");
    rig_must(&r, conn, "DROP ROLE plain");
    assert_false(named);
}

/* ---- A lost COMMIT --------------------------------------------------------------------------------------------- */

static void a_commit_that_is_lost_leaves_the_name_of_its_transaction(void **state)
{
    (void)state;
    rig_must_begin(&r, conn);
    rig_must(&r, conn, insert);
    int64_t number = true_number(conn);
    cut_way_out(conn);
    assert_int_equal(D->commit(conn, &r.error), BELAY_CONNECTION);
    assert_int_equal(r.error.outcome, BELAY_WORK_UNKNOWN);
    assert_true(D->identify(conn, &token));
    assert_int_equal(token.words[3], number);
    rig_disconnect(&r, conn);
    for (belay_outcome outcome = BELAY_WORK_OPEN; outcome == BELAY_WORK_OPEN;) /* until the server has noticed */
        assert_int_equal(D->outcome(other, &token, &outcome, &r.error), BELAY_OK);
    assert_outcome(BELAY_WORK_ROLLED_BACK);
}

/* Where there was nothing to commit, its loss leaves no doubt. */
static void a_commit_of_nothing_that_is_lost_has_kept_nothing(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        belay_conn *fresh = rig_connect(&r);
        assert_int_equal(rig_begin(&r, fresh, i == 0), BELAY_OK);
        rig_must(&r, fresh, i == 0 ? "SELECT 1" : "UPDATE t SET note = 'x' WHERE id = 99");
        if (i == 2)
            rig_must(&r, fresh, "SELECT 1"); /* which may call a function that writes: nobody looked behind it */
        cut_way_out(fresh);
        assert_int_equal(D->commit(fresh, &r.error), BELAY_CONNECTION);
        assert_int_equal(r.error.outcome, i == 2 ? BELAY_WORK_UNKNOWN : BELAY_WORK_OPEN);
        assert_false(D->identify(fresh, &token));
        rig_disconnect(&r, fresh);
    }
}

static void on_a_connection_of_the_programs_nothing_is_asked(void **state)
{
    (void)state;
    PGconn *own = PQconnectdb(getenv("BELAY_TEST_POSTGRESQL"));
    belay_session *s = belay_adopt_postgresql(own);
    BELAY_ATOMIC(s) {
        belay_exec(s, insert);
    }
    assert_int_equal(belay_status(s), BELAY_OK);
    PGresult *prepared = PQexec(own, "SELECT 1 FROM pg_prepared_statements WHERE statement LIKE '%belay_number%'");
    assert_int_equal(PQntuples(prepared), 0);
    PQclear(prepared);
    belay_session_close(s);
    PQfinish(own);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_number_is_known_behind_the_first_write_without_a_trip_of_its_own),
        T(each_transaction_has_a_number_of_its_own),
        T(within_a_savepoint_it_is_the_whole_transactions_number),
        T(it_is_asked_until_it_is_known),
        T(rows_of_a_writing_query_are_not_taken_for_the_number),
        T(what_the_server_forgot_is_prepared_again),
        T(a_statement_that_deallocates_does_not_fail),
        T(behind_a_queue_that_is_drained_it_is_known_without_a_trip_of_its_own),
        T(behind_a_queue_that_fails_it_is_asked_again),
        T(behind_many_rows_it_is_known),
        T(an_outcome_is_open_until_it_is_committed_or_rolled_back),
        T(only_the_server_that_began_it_can_tell),
        T(any_role_may_ask_and_one_that_may_not_harms_nothing),
        T(a_commit_that_is_lost_leaves_the_name_of_its_transaction),
        T(a_commit_of_nothing_that_is_lost_has_kept_nothing),
        T(on_a_connection_of_the_programs_nothing_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
