/*
 * Hooks as Django's tests ask for them: which of them run after which shapes of scopes, and in which order.
 * tests/semantics/map.txt tells which case is proved where.
 */
#include "support.h"

#include "hooks.h"

static belay_code on_commit(belay_session *s, note *n)
{
    return belay_on_commit(s, write_note, n, NULL);
}

static void hooks_of_the_savepoints_that_survive_run_in_order(void **state)
{
    world *w = *state;
    diary d = {0};
    NOTES(n, d);
    BELAY_ATOMIC(w->s)
        for (int i = 0; i < 3; i++) {
            BELAY_ATOMIC(w->s) {
                put(w->s, i + 1);
                on_commit(w->s, &n[i]);
                if (i == 1)
                    clash(w->s);
            }
            belay_ignore(w->s, BELAY_UNIQUE);
        }
    assert_string_equal(d.ran, "ac");
    assert_stored(w, "1;3");
}

static void a_failed_middle_scope_drops_the_hooks_of_its_finished_children(void **state)
{
    world *w = *state;
    diary d = {0};
    NOTES(n, d);
    BELAY_ATOMIC(w->s) {
        BELAY_ATOMIC(w->s) {
            BELAY_ATOMIC(w->s) {
                put(w->s, 1);
                on_commit(w->s, &n[0]);
            }
            belay_fail(w->s, BELAY_APPLICATION, "in the middle");
        }
        belay_ignore(w->s, BELAY_APPLICATION);
        on_commit(w->s, &n[1]);
    }
    assert_status(w->s, BELAY_OK);
    assert_string_equal(d.ran, "b");
    assert_stored(w, "");
}

static void a_scope_that_fails_inside_drops_no_hook_that_was_registered_before_it(void **state)
{
    world *w = *state;
    diary d = {0};
    NOTES(n, d);
    BELAY_ATOMIC(w->s)
        BELAY_ATOMIC(w->s) {
            put(w->s, 1);
            on_commit(w->s, &n[0]);
            BELAY_ATOMIC(w->s) {
                put(w->s, 2);
                clash(w->s);
            }
            belay_ignore(w->s, BELAY_UNIQUE);
        }
    assert_string_equal(d.ran, "a");
    assert_stored(w, "1");
}

static void a_joined_failure_drops_the_hooks_and_the_work_of_the_scope_it_dooms(void **state)
{
    world *w = *state;
    diary d = {0};
    NOTES(n, d);
    BELAY_ATOMIC(w->s)
        BELAY_ATOMIC(w->s) {
            put(w->s, 1);
            on_commit(w->s, &n[0]);
            BELAY_ATOMIC_WITH(w->s, .propagation = BELAY_REQUIRED) {
                put(w->s, 2);
                clash(w->s);
            }
            belay_ignore(w->s, BELAY_UNIQUE); /* in vain */
        }
    assert_status(w->s, BELAY_UNIQUE);
    assert_string_equal(d.ran, "");
    assert_stored(w, "");
}

static void hooks_of_a_unit_that_was_rolled_back_do_not_run_with_the_next(void **state)
{
    world *w = *state;
    diary d = {0};
    NOTES(n, d);
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        on_commit(w->s, &n[0]);
        clash(w->s);
    }
    BELAY_ATOMIC(w->s) {
        put(w->s, 2);
        on_commit(w->s, &n[1]);
    }
    assert_string_equal(d.ran, "b");
    assert_stored(w, "2");
}

static void hooks_of_a_session_that_was_closed_in_its_scope_do_not_run_with_those_of_another(void **state)
{
    world *w = *state;
    diary d = {0};
    NOTES(n, d);
    belay_begin(w->s, NULL);
    put(w->s, 1);
    on_commit(w->s, &n[0]);
    belay_session_close(w->s);
    w->s = w->d.s = belay_session_open(w->d.db);
    BELAY_ATOMIC(w->s)
        on_commit(w->s, &n[1]);
    assert_string_equal(d.ran, "b");
}

/* Registers a hook in a transaction of its own: b for a, d for c. */
static int register_in_a_scope(belay_session *s, void *arg)
{
    note *n = arg;
    write_note(s, n);
    BELAY_ATOMIC(s) {
        put(s, n->letter);
        on_commit(s, n + 1);
    }
    return 0;
}

/* Registers it with no scope open. */
static int register_outside(belay_session *s, void *arg)
{
    note *n = arg;
    on_commit(s, n + 1);
    return write_note(s, n);
}

static void hooks_of_a_hooks_own_unit_run_right_after_that_unit_before_the_next_in_line(void **state)
{
    world *w = *state;
    diary d = {0};
    NOTES(n, d);
    BELAY_ATOMIC(w->s) {
        belay_on_commit(w->s, register_in_a_scope, &n[0], NULL);
        belay_on_commit(w->s, register_in_a_scope, &n[2], NULL);
    }
    assert_string_equal(d.ran, "abcd");
    assert_int_equal(belay_int_of(w->other, "SELECT count(*) FROM item"), 2);
}

static void hooks_that_a_hook_registers_with_no_scope_open_run_after_all_those_in_line(void **state)
{
    world *w = *state;
    diary d = {0};
    NOTES(n, d);
    BELAY_ATOMIC(w->s) {
        belay_on_commit(w->s, register_outside, &n[0], NULL);
        belay_on_commit(w->s, register_outside, &n[2], NULL);
    }
    assert_string_equal(d.ran, "acbd");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(hooks_of_the_savepoints_that_survive_run_in_order),
        in_world(a_failed_middle_scope_drops_the_hooks_of_its_finished_children),
        in_world(a_scope_that_fails_inside_drops_no_hook_that_was_registered_before_it),
        in_world(a_joined_failure_drops_the_hooks_and_the_work_of_the_scope_it_dooms),
        in_world(hooks_of_a_unit_that_was_rolled_back_do_not_run_with_the_next),
        in_world(hooks_of_a_session_that_was_closed_in_its_scope_do_not_run_with_those_of_another),
        in_world(hooks_of_a_hooks_own_unit_run_right_after_that_unit_before_the_next_in_line),
        in_world(hooks_that_a_hook_registers_with_no_scope_open_run_after_all_those_in_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
