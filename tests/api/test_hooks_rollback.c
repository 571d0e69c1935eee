/*
 * Hooks after a rollback.
 */
#include "support.h"

#include "hooks.h"

static belay_code on_rollback(belay_session *s, note *n)
{
    return belay_on_rollback(s, write_note, n, free_note);
}

static belay_code before_commit(belay_session *s, note *n)
{
    return belay_before_commit(s, write_note, n, free_note);
}

/* ---- After a rollback --------------------------------------------------------------------------------------- */

static void a_rollback_hook_runs_when_its_scope_is_undone(void **state)
{
    world *w = *state;
    diary d = {0};
    NOTES(n, d);
    BELAY_ATOMIC(w->s) {
        on_rollback(w->s, &n[0]);
        BELAY_ATOMIC(w->s) {
            put(w->s, 1);
            on_rollback(w->s, &n[1]);
            on_rollback(w->s, &n[2]);
            clash(w->s);
            assert_string_equal(d.ran, "");
        }
        assert_string_equal(d.ran, "bc"); /* in the order of registration */
        assert_string_equal(d.freed, "bc");
        belay_ignore(w->s, BELAY_ANY);
    }
    assert_string_equal(d.ran, "bc"); /* the outer scope was kept */
    assert_string_equal(d.freed, "bca");
}

static void a_rollback_hook_of_a_kept_scope_runs_when_one_around_it_is_undone(void **state)
{
    world *w = *state;
    diary d = {0};
    NOTES(n, d);
    BELAY_ATOMIC(w->s) {
        BELAY_ATOMIC(w->s)
            on_rollback(w->s, &n[0]);
        put(w->s, 1);
        clash(w->s);
    }
    assert_string_equal(d.ran, "a");
    assert_string_equal(d.freed, "a");
}

static void leave(belay_session *s, note *n, int way)
{
    if (way == 4) {
        belay_begin(s, NULL);
        on_rollback(s, n);
        belay_rollback(s);
        return;
    }
    BELAY_ATOMIC(s) {
        put(s, 1);
        on_rollback(s, n);
        if (way == 0)
            clash(s);
        if (way == 1)
            belay_undo(s);
        if (way == 2)
            break;
        if (way == 3)
            return;
    }
}

static void a_rollback_hook_runs_once_however_the_scope_was_undone(void **state)
{
    world *w = *state;
    for (int nested = 0; nested < 2; nested++)
        for (int way = 0; way < 5; way++) {
            diary d = {0};
            NOTES(n, d);
            if (nested)
                belay_begin(w->s, NULL);
            leave(w->s, &n[0], way);
            if (nested)
                belay_rollback(w->s);
            assert_string_equal(d.ran, "a");
            assert_string_equal(d.freed, "a");
        }
    belay_begin(w->s, NULL);
    diary d = {0};
    NOTES(n, d);
    on_rollback(w->s, &n[0]);
    belay_session_close(w->s);
    w->s = w->d.s = NULL;
    assert_string_equal(d.ran, "a");
    assert_string_equal(d.freed, "a");
}

static void a_rollback_hook_may_be_registered_while_an_error_is_pending(void **state)
{
    world *w = *state;
    diary d = {0};
    NOTES(n, d);
    BELAY_ATOMIC(w->s) {
        clash(w->s);
        assert_code(on_rollback(w->s, &n[0]), BELAY_OK);
    }
    assert_string_equal(d.ran, "a");
}

static void a_rollback_hook_does_not_run_after_a_commit(void **state)
{
    world *w = *state;
    diary d = {0};
    NOTES(n, d);
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        on_rollback(w->s, &n[0]);
    }
    assert_string_equal(d.ran, "");
    assert_string_equal(d.freed, "a");
}

static int use_session(belay_session *s, void *arg)
{
    note *n = arg;
    n->result = (int)put(s, 60);
    write_note(s, arg);
    return 0;
}

static void inside_a_transaction_a_rollback_hook_can_not_use_the_session(void **state)
{
    world *w = *state;
    diary d = {0};
    NOTES(n, d);
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        BELAY_ATOMIC(w->s) {
            belay_on_rollback(w->s, use_session, &n[0], free_note);
            belay_undo(w->s);
        }
        assert_int_equal(n[0].result, BELAY_MISUSE);
        put(w->s, 2); /* the scope outside is not hurt by it */
    }
    assert_status(w->s, BELAY_OK);
    assert_stored(w, "1;2");
    assert_int_equal(belay_hook_errors(w->s), 1);
}

static void after_the_outermost_scope_a_rollback_hook_may_use_the_session(void **state)
{
    world *w = *state;
    diary d = {0};
    NOTES(n, d);
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        belay_on_rollback(w->s, use_session, &n[0], free_note);
        clash(w->s);
    }
    assert_int_equal(n[0].result, BELAY_OK);
    assert_status(w->s, BELAY_UNIQUE); /* how the scope ended, not the hook */
    assert_stored(w, "60");
}

static void a_rollback_hook_that_fails_is_counted_and_the_others_run(void **state)
{
    world *w = *state;
    diary d = {0};
    NOTES(n, d);
    n[0].result = n[1].result = 1;
    BELAY_ATOMIC(w->s) {
        for (int i = 0; i < 3; i++)
            on_rollback(w->s, &n[i]);
        clash(w->s);
    }
    assert_string_equal(d.ran, "abc");
    assert_int_equal(belay_hook_errors(w->s), 2);
    assert_int_equal(w->d.log_lines, 2);
    assert_status(w->s, BELAY_UNIQUE);
}

static void a_rollback_hook_of_an_inner_scope_that_fails_is_counted_and_logged_too(void **state)
{
    world *w = *state;
    diary d = {0};
    NOTES(n, d);
    n[0].result = 1;
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        BELAY_ATOMIC(w->s) {
            on_rollback(w->s, &n[0]);
            belay_undo(w->s);
        }
    }
    assert_status(w->s, BELAY_OK);
    assert_int_equal(belay_hook_errors(w->s), 1);
    assert_int_equal(w->d.log_lines, 1);
    assert_stored(w, "1");
}

static void going_back_to_a_mark_runs_the_rollback_hooks_registered_since(void **state)
{
    world *w = *state;
    diary d = {0};
    NOTES(n, d);
    BELAY_ATOMIC(w->s) {
        belay_savepoint(w->s, "here");
        on_rollback(w->s, &n[0]);
        belay_rollback_to(w->s, "here");
        assert_string_equal(d.freed, "a");
        put(w->s, 1);
    }
    assert_string_equal(d.ran, "a");
    assert_string_equal(d.freed, "a");
}

static void hooks_for_a_scopes_end_with_no_scope_open_are_misuse_and_freed(void **state)
{
    world *w = *state;
    diary d = {0};
    NOTES(n, d);
    assert_code(on_rollback(w->s, &n[0]), BELAY_MISUSE);
    assert_code(before_commit(w->s, &n[1]), BELAY_MISUSE);
    assert_string_equal(d.ran, "");
    assert_string_equal(d.freed, "ab");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(a_rollback_hook_runs_when_its_scope_is_undone),
        in_world(a_rollback_hook_of_a_kept_scope_runs_when_one_around_it_is_undone),
        in_world(a_rollback_hook_runs_once_however_the_scope_was_undone),
        in_world(a_rollback_hook_may_be_registered_while_an_error_is_pending),
        in_world(a_rollback_hook_does_not_run_after_a_commit),
        in_world(inside_a_transaction_a_rollback_hook_can_not_use_the_session),
        in_world(after_the_outermost_scope_a_rollback_hook_may_use_the_session),
        in_world(a_rollback_hook_that_fails_is_counted_and_the_others_run),
        in_world(a_rollback_hook_of_an_inner_scope_that_fails_is_counted_and_logged_too),
        in_world(going_back_to_a_mark_runs_the_rollback_hooks_registered_since),
        in_world(hooks_for_a_scopes_end_with_no_scope_open_are_misuse_and_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
