/*
 * The status after every way to end, what became of the work, the first error,
 * and failures that nobody read.
 */
#include "support.h"

#include <string.h>

/* ---- The status ---------------------------------------------------------------------------------------- */

static void the_status_is_how_the_last_outermost_scope_ended(void **state)
{
    world *w = *state;
    assert_status(w->s, BELAY_OK); /* nothing has run */
    clash(w->s);
    assert_status(w->s, BELAY_UNIQUE);
    assert_status(w->s, BELAY_UNIQUE); /* reading it doesn't change it */
    put(w->s, 1);
    assert_status(w->s, BELAY_OK);
    BELAY_ATOMIC(w->s)
        belay_undo(w->s);
    assert_status(w->s, BELAY_ROLLED_BACK);
    BELAY_READ(w->s)
        belay_int_of(w->s, "SELECT 1");
    assert_status(w->s, BELAY_OK);
    belay_commit(w->s);
    assert_status(w->s, BELAY_MISUSE);
    BELAY_ATOMIC(w->s) {
    }
    assert_status(w->s, BELAY_OK);
}

static void in_a_scope_the_status_is_the_pending_error(void **state)
{
    world *w = *state;
    clash(w->s);
    BELAY_ATOMIC(w->s) {
        assert_code(belay_status(w->s), BELAY_OK); /* what was before is not pending here */
        clash(w->s);
        assert_code(belay_status(w->s), BELAY_UNIQUE);
        assert_code(belay_pending(w->s)->code, BELAY_UNIQUE);
    }
}

static void reading_the_status_in_a_scope_says_what_will_happen_not_what_happened(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        clash(w->s);
        assert_int_equal(belay_pending(w->s)->outcome, BELAY_WORK_OPEN);
    }
    assert_int_equal(belay_pending(w->s)->outcome, BELAY_WORK_ROLLED_BACK);
    BELAY_ATOMIC(w->s)
        put(w->s, 1);
    assert_int_equal(belay_pending(w->s)->outcome, BELAY_WORK_COMMITTED);
    BELAY_ATOMIC(w->s)
        belay_undo(w->s);
    assert_int_equal(belay_pending(w->s)->outcome, BELAY_WORK_ROLLED_BACK);
}

static void an_error_out_of_an_inner_scope_is_open_until_the_outermost_ends(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        BELAY_ATOMIC(w->s)
            clash(w->s);
        assert_int_equal(belay_pending(w->s)->outcome, BELAY_WORK_OPEN);
        belay_ignore(w->s, BELAY_ANY);
        assert_int_equal(belay_caught(w->s)->outcome, BELAY_WORK_ROLLED_BACK);
    }
    assert_int_equal(belay_pending(w->s)->outcome, BELAY_WORK_COMMITTED);
}

static void a_commit_that_the_engine_refuses_is_the_scopes_error(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    belay_exec(w->s, "CREATE TABLE child(id REFERENCES taken(id) DEFERRABLE INITIALLY DEFERRED)");
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        belay_exec(w->s, "INSERT INTO child VALUES (77)");
        assert_code(belay_status(w->s), BELAY_OK);
    }
    assert_status(w->s, BELAY_FOREIGN_KEY);
    assert_int_equal(belay_pending(w->s)->outcome, BELAY_WORK_ROLLED_BACK);
    assert_stored(w, "");
    belay_begin(w->s, NULL);
    belay_exec(w->s, "INSERT INTO child VALUES (77)");
    assert_code(belay_commit(w->s), BELAY_FOREIGN_KEY);
    assert_int_equal(belay_depth(w->s), 0);
    assert_code(put(w->s, 2), BELAY_OK);
}

/* ---- The first error ------------------------------------------------------------------------------------- */

static void the_first_error_wins_and_a_later_one_never_takes_its_place(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        clash(w->s);
        assert_code(belay_fail(w->s, BELAY_DEADLOCK, "second"), BELAY_UNIQUE);
        assert_code(belay_exec(w->s, NULL), BELAY_UNIQUE);
        assert_code(belay_commit(w->s), BELAY_MISUSE);
        assert_code(belay_status(w->s), BELAY_UNIQUE);
        belay_begin(w->s, NULL); /* left open: misuse */
    }
    assert_status(w->s, BELAY_UNIQUE);
    BELAY_ATOMIC(w->s) {
        belay_fail(w->s, BELAY_STALE, "first");
        belay_fail(w->s, BELAY_STALE, "second");
        break;
    }
    assert_status(w->s, BELAY_STALE);
    assert_string_equal(belay_pending(w->s)->message, "first");
}

static void the_first_error_wins_over_what_the_engine_says_later(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        BELAY_ATOMIC(w->s) {
            belay_exec(w->s, "INSERT OR ROLLBACK INTO taken VALUES (1)");
            /* ROLLBACK TO would be "no such savepoint" and ROLLBACK "no transaction is active" */
        }
    }
    assert_status(w->s, BELAY_UNIQUE);
    assert_contains(belay_message(w->s), "taken.id");
}

/* ---- belay_fail ------------------------------------------------------------------------------------------- */

static void fail_raises_an_error_of_the_programs_own(void **state)
{
    world *w = *state;
    int line = 0;
    BELAY_ATOMIC_WITH(w->s, .name = "transfer") {
        put(w->s, 1);
        line = __LINE__ + 1;
        assert_code(belay_fail(w->s, BELAY_APPLICATION, "only %d of %s", 3, "ten"), BELAY_APPLICATION);
        assert_code(put(w->s, 2), BELAY_APPLICATION);
    }
    const belay_error *error = belay_pending(w->s);
    assert_string_equal(error->message, "only 3 of ten");
    assert_string_equal(error->scope, "transfer");
    assert_string_equal(error->function, __func__);
    assert_int_equal(error->line, line);
    assert_int_equal(error->attempt, 1);
    assert_stored(w, "");
}

static void fail_takes_every_code_of_an_error(void **state)
{
    world *w = *state;
    for (int code = BELAY_OK; code <= BELAY_ANY + 1; code++) {
        bool is_error = code != BELAY_OK && code != BELAY_ROLLED_BACK && code < BELAY_ANY;
        belay_code wanted = is_error ? (belay_code)code : BELAY_MISUSE;
        BELAY_ATOMIC(w->s) {
            put(w->s, 1);
            assert_code(belay_fail(w->s, (belay_code)code, "x"), wanted);
        }
        assert_status(w->s, wanted);
    }
    assert_stored(w, "");
}

static void fail_outside_all_scopes_becomes_the_status(void **state)
{
    world *w = *state;
    assert_code(belay_fail(w->s, BELAY_NOT_FOUND, "nobody there"), BELAY_NOT_FOUND);
    assert_status(w->s, BELAY_NOT_FOUND);
    assert_code(put(w->s, 1), BELAY_OK);
}

/* ---- Unread -------------------------------------------------------------------------------------------------- */

static void read_it(belay_session *s, int way)
{
    switch (way) {
    case 0: belay_status(s); break;
    case 1: belay_message(s); break;
    case 2: belay_pending(s); break;
    case 3: belay_catch(s, BELAY_CHECK); break;
    default: belay_ignore(s, BELAY_ANY); break;
    }
}

static void a_failed_outcome_is_unread_until_it_was_read(void **state)
{
    world *w = *state;
    assert_code(belay_unread(w->s)->code, BELAY_OK);
    for (int way = 0; way < 5; way++) {
        clash(w->s);
        assert_code(belay_unread(w->s)->code, BELAY_UNIQUE);
        assert_code(belay_unread(w->s)->code, BELAY_UNIQUE); /* asking for it is not reading it */
        read_it(w->s, way);
        assert_code(belay_unread(w->s)->code, BELAY_OK);
    }
    put(w->s, 1);
    assert_int_equal(w->d.log_lines, 0);
}

static int fail_unit(belay_session *s, void *arg)
{
    (void)arg;
    clash(s);
    return 0;
}

static void a_code_returned_by_commit_or_atomic_counts_as_read(void **state)
{
    world *w = *state;
    belay_begin(w->s, NULL);
    clash(w->s);
    belay_commit(w->s);
    assert_code(belay_unread(w->s)->code, BELAY_OK);
    belay_atomic(w->s, NULL, fail_unit, NULL);
    assert_code(belay_unread(w->s)->code, BELAY_OK);
    assert_code(belay_session_close(w->s), BELAY_OK);
    w->s = w->d.s = NULL;
    assert_int_equal(w->d.log_lines, 0);
}

static void reading_inside_a_scope_is_not_reading_how_it_ended(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        clash(w->s);
        belay_status(w->s);
        belay_message(w->s);
    }
    assert_code(belay_unread(w->s)->code, BELAY_UNIQUE);
}

static void an_unread_failure_is_logged_when_the_next_outermost_scope_begins(void **state)
{
    world *w = *state;
    clash(w->s);
    assert_int_equal(w->d.log_lines, 0);
    BELAY_ATOMIC(w->s)
        put(w->s, 1);
    assert_int_equal(w->d.log_lines, 1);
    assert_contains(database_log(&w->d), "UNIQUE");
    put(w->s, 2);
    assert_int_equal(w->d.log_lines, 1);
}

static void the_first_unread_failure_is_kept_until_the_session_is_closed(void **state)
{
    world *w = *state;
    clash(w->s);
    belay_fail(w->s, BELAY_STALE, "later");
    put(w->s, 1);
    belay_status(w->s); /* reads how the last one ended, not the first */
    assert_code(belay_unread(w->s)->code, BELAY_UNIQUE);
    assert_code(belay_session_close(w->s), BELAY_UNIQUE);
    w->s = w->d.s = NULL;
    assert_int_equal(w->d.log_lines, 2);
}

static void closing_a_session_returns_and_logs_the_failure_that_nobody_read(void **state)
{
    world *w = *state;
    clash(w->s);
    assert_code(belay_session_close(w->s), BELAY_UNIQUE);
    w->s = w->d.s = NULL;
    assert_int_equal(w->d.log_lines, 1);
}

static void closing_a_session_with_work_open_is_abandoned(void **state)
{
    world *w = *state;
    belay_begin(w->s, NULL);
    put(w->s, 1);
    belay_begin(w->s, NULL);
    put(w->s, 2);
    assert_code(belay_session_close(w->s), BELAY_ABANDONED);
    w->s = w->d.s = NULL;
    assert_stored(w, "");
    assert_code(put(w->other, 3), BELAY_OK);
}

static void closing_a_session_whose_open_work_had_failed_returns_that_failure(void **state)
{
    world *w = *state;
    belay_begin(w->s, NULL);
    clash(w->s);
    assert_code(belay_session_close(w->s), BELAY_UNIQUE);
    w->s = w->d.s = NULL;
}

static void work_that_was_undone_is_no_failure(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s)
        belay_undo(w->s);
    belay_begin(w->s, NULL);
    put(w->s, 1);
    belay_rollback(w->s);
    assert_code(belay_unread(w->s)->code, BELAY_OK);
    assert_code(belay_session_close(w->s), BELAY_OK);
    w->s = w->d.s = NULL;
    assert_int_equal(w->d.log_lines, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(the_status_is_how_the_last_outermost_scope_ended),
        in_world(in_a_scope_the_status_is_the_pending_error),
        in_world(reading_the_status_in_a_scope_says_what_will_happen_not_what_happened),
        in_world(an_error_out_of_an_inner_scope_is_open_until_the_outermost_ends),
        in_world(a_commit_that_the_engine_refuses_is_the_scopes_error),
        in_world(the_first_error_wins_and_a_later_one_never_takes_its_place),
        in_world(the_first_error_wins_over_what_the_engine_says_later),
        in_world(fail_raises_an_error_of_the_programs_own),
        in_world(fail_takes_every_code_of_an_error),
        in_world(fail_outside_all_scopes_becomes_the_status),
        in_world(a_failed_outcome_is_unread_until_it_was_read),
        in_world(a_code_returned_by_commit_or_atomic_counts_as_read),
        in_world(reading_inside_a_scope_is_not_reading_how_it_ended),
        in_world(an_unread_failure_is_logged_when_the_next_outermost_scope_begins),
        in_world(the_first_unread_failure_is_kept_until_the_session_is_closed),
        in_world(closing_a_session_returns_and_logs_the_failure_that_nobody_read),
        in_world(closing_a_session_with_work_open_is_abandoned),
        in_world(closing_a_session_whose_open_work_had_failed_returns_that_failure),
        in_world(work_that_was_undone_is_no_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
