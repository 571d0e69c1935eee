/*
 * What hooks after a commit may do: use the session, open scopes, register
 * hooks; and what they can't spoil.
 */
#include "support.h"

#include "hooks.h"

static int write_row(belay_session *s, void *arg)
{
    assert_int_equal(belay_int_of(s, "SELECT count(*) FROM item WHERE id = 1"), 1);
    belay_exec(s, "INSERT INTO item(id) VALUES (10), (11)");
    BELAY_ATOMIC(s) {
        put(s, 12);
        BELAY_ATOMIC(s)
            clash(s);
        belay_ignore(s, BELAY_ANY);
    }
    return write_note(s, arg);
}

static void hooks_may_use_the_session_and_open_scopes(void **state)
{
    world *w = *state;
    diary d = {0};
    NOTES(n, d);
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        belay_on_commit(w->s, write_row, &n[0], free_note);
    }
    assert_status(w->s, BELAY_OK);
    assert_int_equal(belay_hook_errors(w->s), 0);
    assert_stored(w, "1;10;11;12");
}

static int spoil_state(belay_session *s, void *arg)
{
    belay_code seen_status = belay_status(s);
    clash(s);
    belay_status(s); /* read, as what follows may be an error of its own */
    belay_last_id(s);
    belay_catch(s, BELAY_ANY);
    belay_status(s);
    belay_fail(s, BELAY_STALE, "in the hook");
    assert_code(seen_status, BELAY_OK);
    return write_note(s, arg);
}

static void the_state_is_saved_around_hooks(void **state)
{
    world *w = *state;
    diary d = {0};
    NOTES(n, d);
    BELAY_ATOMIC(w->s) {
        BELAY_ATOMIC(w->s)
            belay_fail(w->s, BELAY_CHECK, "caught before");
        belay_ignore(w->s, BELAY_CHECK);
        belay_on_commit(w->s, spoil_state, &n[0], free_note);
        belay_exec(w->s, "INSERT INTO item(id) VALUES (40), (41)");
    }
    assert_int_equal(belay_changes(w->s), 2);
    if (database_is_sqlite(&w->d)) /* elsewhere no key was generated */
        assert_int_equal(belay_last_id(w->s), 41);
    assert_code(belay_caught(w->s)->code, BELAY_CHECK);
    assert_status(w->s, BELAY_OK);
    assert_stored(w, "40;41");
    assert_code(belay_unread(w->s)->code, BELAY_STALE); /* the hook's own failure, which nobody read, is not lost */
}

static int register_another(belay_session *s, void *arg)
{
    note *n = arg;
    belay_on_commit(s, write_note, n + 10, free_note);
    write_note(s, arg);
    BELAY_ATOMIC(s)
        belay_on_commit(s, write_note, n + 20, free_note);
    return 0;
}

static void a_hook_registered_by_a_hook_runs_after_it(void **state)
{
    world *w = *state;
    diary d = {0};
    NOTES(n, d);
    BELAY_ATOMIC(w->s) {
        belay_on_commit(w->s, register_another, &n[0], free_note);
        belay_on_commit(w->s, write_note, &n[1], free_note);
    }
    assert_int_equal(strlen(d.ran), 4);
    assert_int_equal(strlen(d.freed), 4);
    assert_true(d.ran[0] == 'a');
    assert_non_null(strchr(d.ran, 'b'));
    assert_non_null(strchr(d.ran, 'k')); /* registered with no scope open: after the hook */
    assert_non_null(strchr(d.ran, 'u')); /* registered in a scope of the hook's own */
}

static int register_for_ever(belay_session *s, void *arg)
{
    note *n = arg;
    write_note(s, arg);
    if (strlen(n->diary->ran) < 50)
        belay_on_commit(s, register_for_ever, n, NULL);
    return 0;
}

static void hooks_that_register_hooks_run_one_after_the_other(void **state)
{
    world *w = *state;
    diary d = {0};
    NOTES(n, d);
    belay_on_commit(w->s, register_for_ever, &n[0], NULL);
    assert_int_equal(strlen(d.ran), 50);
}

static int leave_open(belay_session *s, void *arg)
{
    belay_begin(s, NULL);
    put(s, 50);
    belay_begin(s, NULL);
    return write_note(s, arg);
}

static void a_scope_that_a_hook_leaves_open_is_rolled_back_and_counts_as_its_failure(void **state)
{
    world *w = *state;
    diary d = {0};
    NOTES(n, d);
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        belay_on_commit(w->s, leave_open, &n[0], free_note);
        belay_on_commit(w->s, write_note, &n[1], free_note);
    }
    assert_int_equal(belay_depth(w->s), 0);
    assert_status(w->s, BELAY_OK);
    assert_int_equal(belay_hook_errors(w->s), 1);
    assert_string_equal(d.ran, "ab");
    assert_stored(w, "1");
}

static void an_argument_may_be_null_and_need_no_freeing(void **state)
{
    world *w = *state;
    diary d = {0};
    NOTES(n, d);
    BELAY_ATOMIC(w->s)
        belay_on_commit(w->s, write_note, &n[0], NULL);
    assert_string_equal(d.ran, "a");
    assert_string_equal(d.freed, "");
}

static void hooks_are_never_run_while_the_outcome_is_in_doubt(void **state)
{
    world *w = *state;
    diary d = {0};
    NOTES(n, d);
    BELAY_ATOMIC(w->s) {
        belay_on_commit(w->s, write_note, &n[0], free_note);
        belay_fail(w->s, BELAY_IN_DOUBT, "as if the answer had not come");
    }
    assert_string_equal(d.ran, "");
    assert_string_equal(d.freed, "a");
}

static int close_own(belay_session *s, void *arg)
{
    *(belay_code *)arg = belay_session_close(s);
    return 0;
}

static void a_hook_or_callback_can_not_close_the_session_that_runs_it(void **state)
{
    world *w = *state;
    belay_code in_hook = BELAY_OK, in_rollback = BELAY_OK, in_unit = BELAY_OK;
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        belay_on_commit(w->s, close_own, &in_hook, NULL);
    }
    assert_code(in_hook, BELAY_MISUSE);
    BELAY_ATOMIC(w->s) {
        BELAY_ATOMIC(w->s) {
            belay_on_rollback(w->s, close_own, &in_rollback, NULL);
            belay_undo(w->s);
        }
        put(w->s, 2);
    }
    assert_code(in_rollback, BELAY_MISUSE);
    assert_code(belay_atomic(w->s, NULL, close_own, &in_unit), BELAY_MISUSE);
    assert_code(in_unit, BELAY_MISUSE);
    put(w->s, 3);
    assert_stored(w, "1;2;3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(hooks_may_use_the_session_and_open_scopes),
        in_world(the_state_is_saved_around_hooks),
        in_world(a_hook_registered_by_a_hook_runs_after_it),
        in_world(hooks_that_register_hooks_run_one_after_the_other),
        in_world(a_scope_that_a_hook_leaves_open_is_rolled_back_and_counts_as_its_failure),
        in_world(an_argument_may_be_null_and_need_no_freeing),
        in_world(hooks_are_never_run_while_the_outcome_is_in_doubt),
        in_world(a_hook_or_callback_can_not_close_the_session_that_runs_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
