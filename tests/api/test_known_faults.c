/*
 * The opposite of faults known in the layers that people use today. Each test
 * says which fault it would find.
 */
#include "support.h"

#include "hooks.h"

/* A hook that raises keeps the later ones from running (Sequel). */
static void one_failing_hook_does_not_drop_the_later_ones(void **state)
{
    world *w = *state;
    diary d = {0};
    NOTES(n, d);
    n[0].result = 1;
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        for (int i = 0; i < 3; i++)
            belay_on_commit(w->s, write_note, &n[i], free_note);
    }
    assert_string_equal(d.ran, "abc");
    assert_status(w->s, BELAY_OK);
}

/* A unit whose COMMIT lost its connection is run again when told to retry lost connections (Sequel). */
static void a_unit_that_may_have_committed_is_not_run_again(void **state)
{
    world *w = *state;
    int runs = 0;
    BELAY_ATOMIC_WITH(w->s, .retries = 5, .backoff_ms = 1) {
        runs++;
        put(w->s, 1);
        belay_fail(w->s, BELAY_IN_DOUBT, "as if the answer to COMMIT had not come");
    }
    assert_int_equal(runs, 1);
    assert_false(belay_retryable(belay_pending(w->s)));
}

/* The event after a commit fires at a savepoint's release, also when the outer transaction rolls back later
 * (SQLAlchemy). */
static void no_hook_runs_at_the_release_of_a_savepoint(void **state)
{
    world *w = *state;
    diary d = {0};
    NOTES(n, d);
    BELAY_ATOMIC(w->s) {
        BELAY_ATOMIC(w->s) {
            put(w->s, 1);
            belay_on_commit(w->s, write_note, &n[0], free_note);
        }
        assert_string_equal(d.ran, "");
        belay_undo(w->s);
    }
    assert_string_equal(d.ran, "");
    assert_string_equal(d.freed, "a");
}

/* Hooks of a savepoint that was rolled back are kept (Spring's NESTED). */
static void hooks_of_a_rolled_back_savepoint_are_dropped(void **state)
{
    world *w = *state;
    diary d = {0};
    NOTES(n, d);
    BELAY_ATOMIC(w->s) {
        BELAY_ATOMIC(w->s) {
            put(w->s, 1);
            belay_on_commit(w->s, write_note, &n[0], free_note);
            clash(w->s);
        }
        belay_ignore(w->s, BELAY_UNIQUE);
        put(w->s, 2);
    }
    assert_status(w->s, BELAY_OK);
    assert_string_equal(d.ran, "");
}

/* After an error that the program swallowed, the nested commit leaves the outer transaction aborted (pgx). */
static void a_nested_commit_after_a_swallowed_error_rolls_back_and_leaves_the_outer_scope_usable(void **state)
{
    world *w = *state;
    belay_begin(w->s, NULL);
    put(w->s, 1);
    belay_begin(w->s, NULL);
    put(w->s, 2);
    clash(w->s); /* swallowed */
    assert_code(belay_commit(w->s), BELAY_UNIQUE);
    assert_true(belay_catch(w->s, BELAY_UNIQUE));
    assert_code(put(w->s, 3), BELAY_OK);
    assert_code(belay_commit(w->s), BELAY_OK);
    assert_stored(w, "1;3");
}

/* Rescuing a deadlock inside a savepoint, the program goes on in a transaction that is gone (Rails on MariaDB). */
static void a_transaction_that_is_gone_takes_no_statement(void **state)
{
    world *w = *state;
    for (int own = 0; own < (database_is_sqlite(&w->d) ? 2 : 1); own++) {
        BELAY_ATOMIC(w->s) {
            put(w->s, 1);
            BELAY_ATOMIC(w->s) {
                put(w->s, 2);
                if (own)
                    belay_exec(w->s, "INSERT OR ROLLBACK INTO taken VALUES (1)");
                else
                    belay_fail(w->s, BELAY_DEADLOCK, "as if it were the victim");
            }
            belay_ignore(w->s, BELAY_ANY);
            assert_true(put(w->s, 3) != BELAY_OK);
            BELAY_ATOMIC(w->s)
                put(w->s, 4);
            belay_ignore(w->s, BELAY_ANY);
        }
        assert_true(belay_status(w->s) != BELAY_OK);
        assert_stored(w, "");
    }
}

/* A proven abort is reported as in doubt (libpqxx). */
static void a_commit_that_was_proven_to_fail_is_not_in_doubt(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    belay_exec(w->s, "CREATE TABLE child(id REFERENCES taken(id) DEFERRABLE INITIALLY DEFERRED)");
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        belay_exec(w->s, "INSERT INTO child VALUES (77)");
    }
    assert_status(w->s, BELAY_FOREIGN_KEY);
    assert_int_equal(belay_pending(w->s)->outcome, BELAY_WORK_ROLLED_BACK);
    assert_stored(w, "");
}

/* Success is reported for a COMMIT that the engine answered with a rollback (libzdb). */
static void a_commit_that_rolled_back_is_no_success(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    belay_begin(w->s, NULL);
    put(w->s, 1);
    belay_exec(w->s, "INSERT OR ROLLBACK INTO taken VALUES (1)");
    assert_code(belay_commit(w->s), BELAY_UNIQUE);
    assert_stored(w, "");
}

/* A pool gives out a connection with an open transaction (sqlx, SQLAlchemy). */
static void a_connection_from_the_pool_has_no_open_transaction(void **state)
{
    world *w = *state;
    belay_db *db = open_again(w, BELAY_DB_OPTIONS(.pool_size = 1));
    for (int i = 0; i < 3; i++) {
        belay_session *careless = belay_session_open(db), *next = belay_session_open(db);
        belay_begin(careless, NULL);
        put(careless, 1);
        belay_rows *rows = i == 1 ? belay_stream(careless, "SELECT 1") : NULL;
        belay_session_close(careless);
        assert_code(put(next, 100 + i), BELAY_OK);
        assert_code(put(w->s, 200 + i), BELAY_OK);
        belay_session_close(next);
        belay_rows_close(rows);
    }
    belay_close(db);
    assert_stored(w, "100;101;102;200;201;202");
}

/* The answer goes out before the commit (FastAPI's usual dependency). */
static void when_commit_has_returned_the_work_is_there_for_others(void **state)
{
    world *w = *state;
    belay_begin(w->s, NULL);
    put(w->s, 1);
    assert_stored(w, "");
    assert_code(belay_commit(w->s), BELAY_OK);
    assert_stored(w, "1");
    BELAY_ATOMIC(w->s)
        put(w->s, 2);
    assert_stored(w, "1;2");
}

/* Clean-up after an error hides the error: "no such savepoint", "no transaction is active". */
static void the_first_cause_is_reported_and_not_what_cleaning_up_ran_into(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        belay_savepoint(w->s, "a");
        BELAY_ATOMIC(w->s) {
            put(w->s, 2);
            BELAY_ATOMIC(w->s)
                belay_exec(w->s, "INSERT OR ROLLBACK INTO taken VALUES (1)");
        }
        belay_rollback_to(w->s, "a");
        belay_release(w->s, "a");
    }
    assert_status(w->s, BELAY_UNIQUE);
    assert_contains(belay_message(w->s), "taken");
    assert_int_equal(w->d.log_lines, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(one_failing_hook_does_not_drop_the_later_ones),
        in_world(a_unit_that_may_have_committed_is_not_run_again),
        in_world(no_hook_runs_at_the_release_of_a_savepoint),
        in_world(hooks_of_a_rolled_back_savepoint_are_dropped),
        in_world(a_nested_commit_after_a_swallowed_error_rolls_back_and_leaves_the_outer_scope_usable),
        in_world(a_transaction_that_is_gone_takes_no_statement),
        in_world(a_commit_that_was_proven_to_fail_is_not_in_doubt),
        in_world(a_commit_that_rolled_back_is_no_success),
        in_world(a_connection_from_the_pool_has_no_open_transaction),
        in_world(when_commit_has_returned_the_work_is_there_for_others),
        in_world(the_first_cause_is_reported_and_not_what_cleaning_up_ran_into),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
