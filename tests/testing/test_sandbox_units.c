/*
 * The sandbox: a session like any other for the code under test.
 */
#include "box.h"

#include <sqlite3.h>

#include "hooks.h"

/* ---- A session like any other ----------------------------------------------------------------------------------- */

static void a_unit_that_ends_well_has_status_ok_and_outcome_committed(void **state)
{
    box *b = *state;
    BELAY_ATOMIC(b->s)
        put(b->s, 1);
    assert_code(belay_status(b->s), BELAY_OK);
    assert_int_equal(belay_pending(b->s)->outcome, BELAY_WORK_COMMITTED);
    put(b->s, 2);
    assert_int_equal(belay_pending(b->s)->outcome, BELAY_WORK_COMMITTED);
    assert_code(belay_try(b->s, "INSERT INTO item(id) VALUES (3)"), BELAY_OK);
    assert_int_equal(belay_pending(b->s)->outcome, BELAY_WORK_COMMITTED);
    BELAY_READ(b->s)
        rows_of(b->s, "SELECT 1");
    assert_int_equal(belay_pending(b->s)->outcome, BELAY_WORK_COMMITTED);
}

static void the_sandbox_itself_is_no_scope(void **state)
{
    box *b = *state;
    put(b->s, 1);
    assert_int_equal(belay_depth(b->s), 0);
    assert_false(belay_in_transaction(b->s));
    assert_int_equal(belay_attempt(b->s), 0);
    assert_code(belay_require_no_transaction(b->s), BELAY_OK);
    assert_null(belay_native(b->s));
    assert_code(belay_status(b->s), BELAY_MISUSE);
    assert_code(belay_commit(b->s), BELAY_MISUSE);
    belay_code inside = BELAY_OK, mandatory = BELAY_OK;
    BELAY_ATOMIC(b->s) {
        inside = belay_require_no_transaction(b->s);
    }
    assert_code(inside, BELAY_MISUSE);
    BELAY_ATOMIC_WITH(b->s, .propagation = BELAY_MANDATORY) {
    }
    mandatory = belay_status(b->s);
    assert_code(mandatory, BELAY_MISUSE);
    BELAY_ATOMIC_WITH(b->s, .propagation = BELAY_OUTERMOST)
        put(b->s, 2);
    assert_code(belay_status(b->s), BELAY_OK);
}

static void nested_scopes_marks_and_tries_work_as_outside(void **state)
{
    box *b = *state;
    for (int i = 0; i < 4; i++) {
        BELAY_ATOMIC(b->s) {
            put(b->s, 10 * i + 1);
            BELAY_ATOMIC(b->s) {
                put(b->s, 10 * i + 2);
                clash(b->s);
            }
            belay_ignore(b->s, BELAY_UNIQUE);
            belay_savepoint(b->s, "mark");
            put(b->s, 10 * i + 3);
            belay_rollback_to(b->s, "mark");
            belay_try(b->s, "INSERT INTO item(id) VALUES (?), (?)", 10 * i + 4, 10 * i + 1);
            BELAY_ATOMIC_WITH(b->s, .propagation = BELAY_REQUIRED)
                put(b->s, 10 * i + 5);
        }
        assert_code(belay_status(b->s), BELAY_OK);
    }
    assert_seen(b->s, "1;5;11;15;21;25;31;35");
}

static void a_stream_outside_any_scope_is_a_unit_too(void **state)
{
    box *b = *state;
    belay_rows *stream = belay_stream(b->s, "INSERT INTO item(id) VALUES (1), (2) RETURNING id");
    assert_true(belay_next(stream));
    belay_rows_close(stream);
    assert_code(belay_status(b->s), BELAY_OK);
    assert_seen(b->s, "1;2");
}

static void options_and_limits_of_scopes_work_as_outside(void **state)
{
    box *b = *state;
    put(b->s, 1);
    BELAY_READ(b->s)
        put(b->s, 2);
    assert_code(belay_status(b->s), BELAY_READ_ONLY);
    BELAY_ATOMIC_WITH(b->s, .timeout_ms = 5) {
        put(b->s, 3);
        pause_ms(20);
    }
    assert_code(belay_status(b->s), BELAY_TIMEOUT);
    BELAY_ATOMIC_WITH(b->s, .idle_timeout_ms = 5) {
        put(b->s, 4);
        pause_ms(20);
        put(b->s, 5);
    }
    assert_code(belay_status(b->s), BELAY_TIMEOUT);
    assert_seen(b->s, "1"); /* of the units before, nothing is gone with them */
    assert_code(put(b->s, 6), BELAY_OK);
}

static void a_limit_that_passes_undoes_a_statement_outside_any_scope_too(void **state)
{
    box *b = *state;
    belay_db *db = open_again(b->w, BELAY_DB_OPTIONS(.timeout_ms = 30));
    belay_session *s = belay_sandbox(db);
    rows_of(s, "SELECT 1");
    /* The statement is done in time, and its unit ends too late. */
    belay_rows *stream = belay_stream(s, "INSERT INTO item(id) VALUES (1) RETURNING id");
    pause_ms(60);
    belay_rows_close(stream);
    assert_code(belay_status(s), BELAY_TIMEOUT);
    assert_seen(s, "");
    belay_session_close(s);
    belay_close(db);
}

static void a_unit_runs_again_inside_it(void **state)
{
    box *b = *state;
    int runs = 0, attempt = 0;
    put(b->s, 1);
    BELAY_ATOMIC_WITH(b->s, .retries = 3, .backoff_ms = 1) {
        attempt = belay_attempt(b->s);
        put(b->s, 10 + ++runs);
        if (runs < 3)
            belay_fail(b->s, BELAY_DEADLOCK, "again");
    }
    assert_code(belay_status(b->s), BELAY_OK);
    assert_int_equal(attempt, 3);
    assert_seen(b->s, "1;13");
}

static void a_transaction_of_its_own_inside_a_scope_is_unsupported(void **state)
{
    box *b = *state;
    bool ran = false;
    for (int read_only = 0; read_only < 2; read_only++) {
        BELAY_ATOMIC_WITH(b->s, .read_only = read_only) {
            BELAY_ATOMIC_WITH(b->s, .propagation = BELAY_REQUIRES_NEW)
                ran = true;
        }
        assert_code(belay_status(b->s), BELAY_UNSUPPORTED);
    }
    assert_false(ran);
    BELAY_ATOMIC_WITH(b->s, .propagation = BELAY_REQUIRES_NEW) /* outermost it is a unit like any other */
        put(b->s, 1);
    assert_code(belay_status(b->s), BELAY_OK);
    assert_nothing_stored(b);
}

static void the_engines_own_handle_is_lent_inside_a_scope(void **state)
{
    box *b = *state;
    only_on_sqlite(b->w);
    BELAY_ATOMIC(b->s) {
        sqlite3_exec(belay_native(b->s), "INSERT INTO item(id) VALUES (1)", NULL, NULL, NULL);
    }
    BELAY_ATOMIC(b->s) {
        put(b->s, 2);
        BELAY_ATOMIC(b->s) {
            sqlite3_exec(belay_native(b->s), "INSERT INTO item(id) VALUES (3); CREATE TABLE fresh(id)", NULL, NULL,
                         NULL);
            belay_undo(b->s);
        }
    }
    assert_seen(b->s, "1;2");
    BELAY_ATOMIC(b->s) {
        sqlite3_exec(belay_native(b->s), "CREATE TABLE fresh(id)", NULL, NULL, NULL);
        belay_undo(b->s);
    }
    assert_code(belay_exec(b->s, "DROP TABLE fresh"), BELAY_SCHEMA);
}

static void the_engines_own_handle_that_ends_it_is_misuse_and_commits_nothing_later(void **state)
{
    box *b = *state;
    only_on_sqlite(b->w);
    put(b->s, 1);
    BELAY_ATOMIC(b->s) {
        put(b->s, 2);
        sqlite3_exec(belay_native(b->s), "ROLLBACK", NULL, NULL, NULL);
        put(b->s, 3);
    }
    assert_code(belay_status(b->s), BELAY_MISUSE);
    assert_code(put(b->s, 4), BELAY_MISUSE);
    assert_true(belay_catch(b->s, BELAY_MISUSE));
    assert_code(put(b->s, 5), BELAY_OK);
    assert_seen(b->s, "5");
}

static void a_unit_that_cannot_be_undone_ends_the_sandbox_and_leaves_nothing(void **state)
{
    box *b = *state;
    only_on_sqlite(b->w);
    put(b->s, 1);
    BELAY_ATOMIC(b->s) {
        put(b->s, 2);
        sqlite3_exec(belay_native(b->s), "RELEASE belay_1", NULL, NULL, NULL); /* the scope's own */
        belay_undo(b->s);
    }
    assert_code(belay_status(b->s), BELAY_MISUSE);
    assert_int_equal(belay_pending(b->s)->outcome, BELAY_WORK_ROLLED_BACK);
    assert_code(put(b->s, 3), BELAY_MISUSE);
    belay_ignore(b->s, BELAY_ANY);
    assert_seen(b->s, "");
}

/* ---- An error ends its transaction ------------------------------------------------------------------------------ */

static void an_error_that_ends_it_is_the_answer_to_everything_until_it_is_caught(void **state)
{
    box *b = *state;
    only_on_sqlite(b->w);
    bool ran = false;
    put(b->s, 1);
    BELAY_ATOMIC(b->s) {
        put(b->s, 2);
        belay_exec(b->s, "INSERT OR ROLLBACK INTO taken VALUES (1)");
    }
    assert_code(belay_status(b->s), BELAY_UNIQUE);
    BELAY_ATOMIC(b->s)
        ran = true;
    assert_false(ran);
    assert_code(belay_status(b->s), BELAY_UNIQUE);
    assert_code(put(b->s, 3), BELAY_UNIQUE);
    assert_code(belay_try(b->s, "INSERT INTO item(id) VALUES (4)"), BELAY_UNIQUE);
    diary seen = {.other = NULL};
    NOTES(notes, seen);
    assert_code(belay_on_commit(b->s, write_note, &notes[0], free_note), BELAY_UNIQUE);
    assert_int_equal(belay_captured(b->s), 0);
    assert_nothing_stored(b);
    assert_code(belay_exec(b->w->other, "DELETE FROM item"), BELAY_OK); /* its lock is gone with it */
    assert_true(belay_catch(b->s, BELAY_UNIQUE));
    assert_code(put(b->s, 5), BELAY_OK);
    assert_seen(b->s, "5"); /* what its earlier units did is gone */
    assert_nothing_stored(b);
}

static void a_try_that_ends_it_is_not_caught(void **state)
{
    box *b = *state;
    only_on_sqlite(b->w);
    put(b->s, 1);
    assert_code(belay_try(b->s, "INSERT OR ROLLBACK INTO taken VALUES (1)"), BELAY_UNIQUE);
    assert_code(belay_status(b->s), BELAY_UNIQUE);
    assert_code(put(b->s, 2), BELAY_UNIQUE);
}

static void hooks_captured_before_an_error_ended_it_are_still_there(void **state)
{
    box *b = *state;
    only_on_sqlite(b->w);
    diary seen = {.other = NULL};
    NOTES(notes, seen);
    belay_on_commit(b->s, write_note, &notes[0], free_note);
    belay_exec(b->s, "INSERT OR ROLLBACK INTO taken VALUES (1)");
    assert_int_equal(belay_captured(b->s), 1);
    assert_int_equal(belay_run_captured(b->s), 0);
    assert_string_equal(seen.ran, "a");
    assert_string_equal(seen.freed, "a");
}

/* ---- Deferred constraints --------------------------------------------------------------------------------------- */

/* MariaDB looks at every constraint at once. */
static void only_with_deferred(const box *b)
{
    if (database_is_mariadb(&b->w->d))
        skip();
}

static void make_child(box *b)
{
    static const char *const statements[] = {
        "CREATE TABLE child(item INTEGER REFERENCES item(id) DEFERRABLE INITIALLY DEFERRED)", NULL};
    database_run(b->s, statements);
}

static void deferred_constraints_are_checked_when_an_outermost_scope_ends(void **state)
{
    box *b = *state;
    only_with_deferred(b);
    belay_code inner = BELAY_OK;
    make_child(b);
    put(b->s, 1);
    BELAY_ATOMIC(b->s) {
        put(b->s, 2);
        BELAY_ATOMIC(b->s)
            belay_exec(b->s, "INSERT INTO child VALUES (7)");
        inner = belay_status(b->s); /* not yet */
    }
    assert_code(inner, BELAY_OK);
    assert_code(belay_status(b->s), BELAY_FOREIGN_KEY);
    assert_int_equal(belay_pending(b->s)->outcome, BELAY_WORK_ROLLED_BACK);
    assert_seen(b->s, "1"); /* that unit is undone, and no other */
    assert_rows(b->s, "SELECT * FROM child", "");
    BELAY_ATOMIC(b->s) {
        belay_exec(b->s, "INSERT INTO child VALUES (7)");
        put(b->s, 7);
    }
    assert_code(belay_status(b->s), BELAY_OK);
    assert_rows(b->s, "SELECT * FROM child", "7");
}

static void a_statement_outside_any_scope_is_checked_too_and_undone_alone(void **state)
{
    box *b = *state;
    only_with_deferred(b);
    make_child(b);
    put(b->s, 1);
    assert_code(belay_exec(b->s, "INSERT INTO child VALUES (7)"), BELAY_FOREIGN_KEY);
    assert_rows(b->s, "SELECT * FROM child", "");
    assert_code(belay_try(b->s, "INSERT INTO child VALUES (8)"), BELAY_FOREIGN_KEY);
    assert_rows(b->s, "SELECT * FROM child", "");
    assert_int_equal(belay_int_of(b->s, "INSERT INTO child VALUES (9) RETURNING item"), 0);
    assert_code(belay_status(b->s), BELAY_FOREIGN_KEY);
    belay_rows_close(belay_stream(b->s, "INSERT INTO child VALUES (9) RETURNING item"));
    assert_code(belay_status(b->s), BELAY_FOREIGN_KEY);
    assert_code(put(b->s, 2), BELAY_OK); /* what others did wrong is not its fault */
    assert_seen(b->s, "1;2");
}

static void hooks_of_a_unit_that_a_deferred_constraint_refuses_are_those_of_a_rollback(void **state)
{
    box *b = *state;
    only_with_deferred(b);
    diary seen = {.other = NULL};
    NOTES(notes, seen);
    make_child(b);
    BELAY_ATOMIC(b->s) {
        belay_on_commit(b->s, write_note, &notes[0], free_note);
        belay_on_rollback(b->s, write_note, &notes[1], free_note);
        belay_exec(b->s, "INSERT INTO child VALUES (7)");
    }
    assert_code(belay_status(b->s), BELAY_FOREIGN_KEY);
    assert_string_equal(seen.ran, "b");
    assert_string_equal(seen.freed, "ab");
    assert_int_equal(belay_captured(b->s), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_sandbox(a_unit_that_ends_well_has_status_ok_and_outcome_committed),
        in_sandbox(the_sandbox_itself_is_no_scope),
        in_sandbox(nested_scopes_marks_and_tries_work_as_outside),
        in_sandbox(a_stream_outside_any_scope_is_a_unit_too),
        in_sandbox(options_and_limits_of_scopes_work_as_outside),
        in_sandbox(a_limit_that_passes_undoes_a_statement_outside_any_scope_too),
        in_sandbox(a_unit_runs_again_inside_it),
        in_sandbox(a_transaction_of_its_own_inside_a_scope_is_unsupported),
        in_sandbox(the_engines_own_handle_is_lent_inside_a_scope),
        in_sandbox(the_engines_own_handle_that_ends_it_is_misuse_and_commits_nothing_later),
        in_sandbox(a_unit_that_cannot_be_undone_ends_the_sandbox_and_leaves_nothing),
        in_sandbox(an_error_that_ends_it_is_the_answer_to_everything_until_it_is_caught),
        in_sandbox(a_try_that_ends_it_is_not_caught),
        in_sandbox(hooks_captured_before_an_error_ended_it_are_still_there),
        in_sandbox(deferred_constraints_are_checked_when_an_outermost_scope_ends),
        in_sandbox(a_statement_outside_any_scope_is_checked_too_and_undone_alone),
        in_sandbox(hooks_of_a_unit_that_a_deferred_constraint_refuses_are_those_of_a_rollback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
