/*
 * test_semantics_faults.c - BEGIN, a savepoint, COMMIT or ROLLBACK fails: what the program is told, and what is sent.
 *
 * tests/semantics/map.txt tells which of other layers' cases are proved here. That the promises hold whatever call
 * fails is proved in tests/fault; here it is said call by call.
 */
#include "faulty.h"

#include <stdlib.h>

/* ---- BEGIN ----------------------------------------------------------------------------------------------------- */

static void a_begin_that_failed_is_told_and_its_connection_is_given_back(void **state)
{
    (void)state;
    belay_begin(the.s, NULL);
    fail_next(FAKE_ERROR);
    assert_code(put(2), BELAY_IO);
    assert_code(put(3), BELAY_IO);
    assert_sent("begin "); /* nothing was begun: there is nothing to roll back */
    assert_code(belay_commit(the.s), BELAY_IO);
    assert_sent("begin ");
    assert_int_equal(the.fake.open_connections, 1);
    assert_next_unit_works();
    assert_int_equal(times("open"), 0);
}

/* ---- Savepoints ------------------------------------------------------------------------------------------------ */

static void a_savepoint_that_can_not_be_gone_back_to_ends_the_unit_and_the_next_one_is_normal(void **state)
{
    (void)state;
    belay_begin(the.s, NULL);
    put(2);
    belay_begin(the.s, NULL);
    put(3);
    fail_next(FAKE_ERROR);
    assert_code(belay_rollback(the.s), BELAY_IO);
    assert_sent("rollback_to:1 ");
    assert_int_equal(belay_depth(the.s), 1);
    assert_false(belay_catch(the.s, BELAY_ANY)); /* what was to be undone is still there */
    assert_code(put(4), BELAY_IO);
    assert_code(belay_rollback(the.s), BELAY_IO);
    assert_sent("rollback_to:1 rollback ");
    assert_int_equal(belay_depth(the.s), 0);
    assert_stored("1");
    assert_next_unit_works();
}

static void a_release_that_failed_is_the_error_and_the_scope_outside_goes_on(void **state)
{
    (void)state;
    belay_begin(the.s, NULL);
    put(2);
    belay_begin(the.s, NULL);
    put(3);
    fail_next(FAKE_ERROR);
    assert_code(belay_commit(the.s), BELAY_IO);
    assert_sent("release:1 rollback_to:1 release:1 ");
    assert_string_equal(belay_pending(the.s)->message,
                        "call 1 (release) failed, as a test asked for"); /* of the RELEASE */
    assert_int_equal(belay_depth(the.s), 1);
    assert_true(belay_catch(the.s, BELAY_IO));
    assert_code(put(4), BELAY_OK);
    assert_code(belay_commit(the.s), BELAY_OK);
    assert_stored("1;2;4");
}

static void a_release_that_failed_is_told_and_not_what_followed_it(void **state)
{
    (void)state;
    belay_begin(the.s, NULL);
    put(2);
    belay_begin(the.s, NULL);
    put(3);
    fake_arm(&the.fake, 1, FAKE_ERROR, true); /* ROLLBACK TO fails too, and ROLLBACK */
    assert_code(belay_commit(the.s), BELAY_IO);
    assert_string_equal(belay_pending(the.s)->message, "call 1 (release) failed, as a test asked for");
    assert_code(belay_rollback(the.s), BELAY_IO);
    assert_string_equal(belay_pending(the.s)->message, "call 1 (release) failed, as a test asked for");
    watch();
    assert_stored("1");
    assert_next_unit_works();
}

static void a_scope_that_was_undone_and_then_fails_is_gone_back_from_once(void **state)
{
    (void)state;
    belay_begin(the.s, NULL);
    put(2);
    belay_begin(the.s, NULL);
    put(3);
    belay_undo(the.s);
    belay_fail(the.s, BELAY_APPLICATION, "and then it fails");
    assert_code(belay_rollback(the.s), BELAY_APPLICATION);
    assert_int_equal(times("rollback_to:1"), 1);
    assert_true(belay_catch(the.s, BELAY_APPLICATION));
    assert_code(belay_commit(the.s), BELAY_OK);
    assert_int_equal(times("rollback_to:1"), 1);
    assert_stored("1;2");
}

/* ---- COMMIT ---------------------------------------------------------------------------------------------------- */

static void a_commit_that_failed_is_rolled_back_and_its_error_is_told(void **state)
{
    static const fake_fault faults[] = {FAKE_ERROR, FAKE_NO_MEMORY};
    static const belay_code codes[] = {BELAY_IO, BELAY_NO_MEMORY};
    (void)state;
    for (int i = 0; i < 2; i++) {
        belay_begin(the.s, NULL);
        put(2);
        fail_next(faults[i]);
        assert_code(belay_commit(the.s), codes[i]);
        assert_sent("commit rollback ");
        assert_int_equal(belay_pending(the.s)->outcome, BELAY_WORK_ROLLED_BACK);
        assert_false(belay_in_transaction(the.s));
        assert_int_equal(the.fake.open_connections, 1); /* the connection is sound, and kept */
        assert_stored("1");
    }
    assert_next_unit_works();
    assert_int_equal(times("open"), 0);
}

static void after_a_commit_that_failed_nothing_is_open_and_ending_it_again_is_misuse(void **state)
{
    (void)state;
    for (int deferred = 0; deferred < 2; deferred++) {
        belay_begin(the.s, NULL);
        put(2);
        if (deferred)
            belay_exec(the.s, "INSERT INTO child VALUES (77)");
        fake_arm(&the.fake, deferred ? 0 : 1, FAKE_ERROR, false);
        assert_code(belay_commit(the.s), deferred ? BELAY_FOREIGN_KEY : BELAY_IO);
        assert_sent("commit rollback ");
        assert_code(belay_commit(the.s), BELAY_MISUSE);
        assert_code(belay_rollback(the.s), BELAY_MISUSE);
        assert_code(belay_rollback(the.s), BELAY_MISUSE);
        assert_sent("commit rollback "); /* none of them sent anything */
        assert_stored("1");
    }
    assert_next_unit_works();
}

/* The connection answers no more when it is to be given back, right after its COMMIT. */
static bool mute;
static belay_code (*real_commit)(belay_conn *, belay_error *);
static belay_transaction_status (*real_status)(belay_conn *);

static belay_code commit_and_go_mute(belay_conn *conn, belay_error *error)
{
    belay_code code = real_commit(conn, error);
    mute = code == BELAY_OK;
    return code;
}

static belay_transaction_status status_when_mute(belay_conn *conn)
{
    return mute ? BELAY_TRANSACTION_LOST : real_status(conn);
}

static void a_connection_that_is_lost_after_its_commit_is_closed_and_the_unit_is_committed(void **state)
{
    (void)state;
    real_commit = the.fake.driver.commit;
    real_status = the.fake.driver.status;
    the.fake.driver.commit = commit_and_go_mute;
    the.fake.driver.status = status_when_mute;
    belay_begin(the.s, NULL);
    put(2);
    watch();
    assert_code(belay_commit(the.s), BELAY_OK);
    the.fake.driver.commit = real_commit;
    the.fake.driver.status = real_status;
    assert_int_equal(belay_pending(the.s)->outcome, BELAY_WORK_COMMITTED);
    assert_sent("commit ");
    assert_int_equal(the.fake.open_connections, 0);
    assert_stored("1;2");
    assert_code(put(3), BELAY_OK);
    assert_int_equal(times("open"), 1);
}

/* ---- ROLLBACK -------------------------------------------------------------------------------------------------- */

static void the_error_of_the_unit_wins_over_a_rollback_that_failed(void **state)
{
    (void)state;
    belay_begin(the.s, NULL);
    put(2);
    assert_code(put(1), BELAY_UNIQUE);
    fail_next(FAKE_ERROR);
    assert_code(belay_rollback(the.s), BELAY_UNIQUE);
    assert_sent("rollback ");
    assert_int_equal(the.fake.open_connections, 0); /* nobody knows what it has open */
    assert_stored("1");
    assert_next_unit_works();
    assert_int_equal(times("open"), 1);
}

/* Rolls back all but what tables that know no transactions have. */
static belay_code (*real_rollback)(belay_conn *, belay_error *);
static belay_code (*real_rollback_to)(belay_conn *, unsigned, belay_error *);

static belay_code tell_rest(belay_code code, belay_error *error)
{
    if (code != BELAY_OK)
        return code;
    *error = (belay_error){.code = BELAY_UNSUPPORTED, .outcome = BELAY_WORK_PARTLY, .message = "some of it is left"};
    return error->code;
}

static belay_code roll_back_partly(belay_conn *conn, belay_error *error)
{
    return tell_rest(real_rollback(conn, error), error);
}

static belay_code go_back_partly(belay_conn *conn, unsigned number, belay_error *error)
{
    return tell_rest(real_rollback_to(conn, number, error), error);
}

static void undo_partly(bool on)
{
    real_rollback = on ? the.fake.driver.rollback : real_rollback;
    real_rollback_to = on ? the.fake.driver.rollback_to : real_rollback_to;
    the.fake.driver.rollback = on ? roll_back_partly : real_rollback;
    the.fake.driver.rollback_to = on ? go_back_partly : real_rollback_to;
}

static void a_rollback_that_is_not_complete_is_the_error_of_a_unit_without_one(void **state)
{
    (void)state;
    undo_partly(true);
    belay_begin(the.s, NULL);
    put(2);
    belay_code code = belay_rollback(the.s);
    belay_error ended = *belay_pending(the.s);
    BELAY_ATOMIC_WITH(the.s, .retries = 3) {
        put(3);
        belay_undo(the.s);
    }
    belay_error undone = *belay_pending(the.s);
    undo_partly(false);
    assert_code(code, BELAY_UNSUPPORTED);
    assert_int_equal(ended.outcome, BELAY_WORK_PARTLY);
    assert_string_equal(ended.message, "some of it is left");
    assert_false(belay_retryable(&ended));
    assert_code(undone.code, BELAY_UNSUPPORTED);
    assert_int_equal(undone.outcome, BELAY_WORK_PARTLY);
    assert_int_equal(undone.attempt, 1);
    assert_next_unit_works();
}

static void a_rollback_that_is_not_complete_is_told_behind_the_error_of_the_unit(void **state)
{
    (void)state;
    undo_partly(true);
    belay_begin(the.s, NULL);
    put(2);
    put(1);
    belay_code code = belay_rollback(the.s);
    belay_error ended = *belay_pending(the.s);
    undo_partly(false);
    assert_code(code, BELAY_UNIQUE);
    assert_int_equal(ended.outcome, BELAY_WORK_PARTLY);
    assert_non_null(strstr(ended.detail, "some of it is left"));
    assert_false(belay_retryable(&ended));
    assert_next_unit_works();
}

static void a_savepoint_that_was_not_gone_back_to_completely_ends_the_unit(void **state)
{
    (void)state;
    for (int on_purpose = 0; on_purpose < 2; on_purpose++) {
        undo_partly(true);
        belay_begin(the.s, NULL);
        put(2);
        belay_begin(the.s, NULL);
        put(on_purpose ? 3 : 1);
        belay_code inner = belay_rollback(the.s);
        bool caught = belay_catch(the.s, BELAY_ANY);
        belay_code after = put(4);
        belay_code outer = belay_commit(the.s);
        belay_error ended = *belay_pending(the.s);
        undo_partly(false);
        assert_code(inner, on_purpose ? BELAY_UNSUPPORTED : BELAY_UNIQUE);
        assert_false(caught); /* what was to be undone is still there */
        assert_code(after, inner);
        assert_code(outer, inner);
        assert_int_equal(ended.outcome, BELAY_WORK_PARTLY);
        assert_non_null(strstr(on_purpose ? ended.message : ended.detail, "some of it is left"));
        assert_stored("1");
    }
    assert_next_unit_works();
}

static int compensations;

static int compensate(belay_session *s, void *arg)
{
    (void)s;
    (void)arg;
    compensations++;
    return 0;
}

static void hooks_for_a_rollback_run_also_after_one_that_was_not_complete(void **state)
{
    (void)state;
    compensations = 0;
    undo_partly(true);
    belay_begin(the.s, NULL);
    put(2);
    belay_on_rollback(the.s, compensate, NULL, NULL);
    belay_rollback(the.s);
    undo_partly(false);
    assert_int_equal(compensations, 1);
}

static void closing_a_session_in_the_middle_of_scopes_sends_one_rollback(void **state)
{
    (void)state;
    for (int depth = 1; depth <= 4; depth++) {
        belay_session *s = belay_session_open(the.db);
        for (int i = 1; i <= depth; i++) {
            belay_begin(s, NULL);
            belay_exec(s, "INSERT INTO item VALUES (?)", 10 + i);
        }
        watch();
        assert_code(belay_session_close(s), BELAY_ABANDONED);
        assert_sent("rollback ");
        assert_int_equal(the.fake.open_connections, 1);
        assert_stored("1");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        on_faulty(a_begin_that_failed_is_told_and_its_connection_is_given_back),
        on_faulty(a_savepoint_that_can_not_be_gone_back_to_ends_the_unit_and_the_next_one_is_normal),
        on_faulty(a_release_that_failed_is_the_error_and_the_scope_outside_goes_on),
        on_faulty(a_release_that_failed_is_told_and_not_what_followed_it),
        on_faulty(a_scope_that_was_undone_and_then_fails_is_gone_back_from_once),
        on_faulty(a_commit_that_failed_is_rolled_back_and_its_error_is_told),
        on_faulty(after_a_commit_that_failed_nothing_is_open_and_ending_it_again_is_misuse),
        on_faulty(a_connection_that_is_lost_after_its_commit_is_closed_and_the_unit_is_committed),
        on_faulty(the_error_of_the_unit_wins_over_a_rollback_that_failed),
        on_faulty(a_rollback_that_is_not_complete_is_the_error_of_a_unit_without_one),
        on_faulty(a_rollback_that_is_not_complete_is_told_behind_the_error_of_the_unit),
        on_faulty(a_savepoint_that_was_not_gone_back_to_completely_ends_the_unit),
        on_faulty(hooks_for_a_rollback_run_also_after_one_that_was_not_complete),
        on_faulty(closing_a_session_in_the_middle_of_scopes_sends_one_rollback),
    };
    unsetenv("BELAY_TEST_URL"); /* the fake wraps SQLite */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
