/*
 * Failures that nobody read: kept, logged, and returned when the session is
 * closed.
 */
#include "support.h"

static void read_it(belay_session *s, int way)
{
    switch (way) {
    case 0:
        belay_status(s);
        break;
    case 1:
        belay_message(s);
        break;
    case 2:
        belay_pending(s);
        break;
    case 3:
        belay_catch(s, BELAY_CHECK);
        break;
    default:
        belay_ignore(s, BELAY_ANY);
        break;
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

static void a_code_returned_by_commit_rollback_or_atomic_counts_as_read(void **state)
{
    world *w = *state;
    for (int commit = 0; commit < 2; commit++) {
        belay_begin(w->s, NULL);
        clash(w->s);
        assert_code(commit ? belay_commit(w->s) : belay_rollback(w->s), BELAY_UNIQUE);
        assert_code(belay_unread(w->s)->code, BELAY_OK);
    }
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
        in_world(a_failed_outcome_is_unread_until_it_was_read),
        in_world(a_code_returned_by_commit_rollback_or_atomic_counts_as_read),
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
