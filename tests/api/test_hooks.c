/*
 * Hooks after a commit: when they run, and when they are dropped.
 */
#include "support.h"

#include "hooks.h"

static belay_code on_commit(belay_session *s, note *n)
{
    return belay_on_commit(s, write_note, n, free_note);
}

/* ---- When ---------------------------------------------------------------------------------------------------- */

static void hooks_run_once_after_the_outermost_commit_in_the_order_of_registration(void **state)
{
    world *w = *state;
    diary d = {0};
    NOTES(n, d);
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        assert_code(on_commit(w->s, &n[0]), BELAY_OK);
        BELAY_ATOMIC(w->s)
            on_commit(w->s, &n[1]);
        assert_string_equal(d.ran, ""); /* not at the release of a savepoint */
        BELAY_ATOMIC_WITH(w->s, .propagation = BELAY_REQUIRED)
            on_commit(w->s, &n[2]);
        on_commit(w->s, &n[3]);
        assert_string_equal(d.ran, "");
    }
    assert_string_equal(d.ran, "abcd");
    assert_string_equal(d.freed, "abcd");
    put(w->s, 2);
    assert_string_equal(d.ran, "abcd");
}

static int look_from_outside(belay_session *s, void *arg)
{
    note *n = arg;
    assert_int_equal(belay_depth(s), 0);
    assert_false(belay_in_transaction(s));
    assert_int_equal(belay_int_of(n->diary->other, "SELECT count(*) FROM item"), 1);
    return write_note(s, arg);
}

static void hooks_run_after_a_durable_commit_outside_any_transaction(void **state)
{
    world *w = *state;
    diary d = {.other = w->other};
    NOTES(n, d);
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        belay_on_commit(w->s, look_from_outside, &n[0], free_note);
    }
    assert_string_equal(d.ran, "a");
}

static void a_hook_never_runs_when_its_scope_or_one_around_it_was_rolled_back(void **state)
{
    world *w = *state;
    diary d = {0};
    NOTES(n, d);
    BELAY_ATOMIC(w->s) {
        on_commit(w->s, &n[0]);
        BELAY_ATOMIC(w->s) {
            put(w->s, 1);
            on_commit(w->s, &n[1]);
            BELAY_ATOMIC(w->s)
                on_commit(w->s, &n[2]); /* kept, and dropped with the scope around it */
            clash(w->s);
        }
        assert_string_equal(d.freed, "bc"); /* at once */
        belay_ignore(w->s, BELAY_ANY);
        BELAY_ATOMIC(w->s)
            on_commit(w->s, &n[3]);
    }
    assert_string_equal(d.ran, "ad");
    BELAY_ATOMIC(w->s) {
        on_commit(w->s, &n[4]);
        belay_undo(w->s);
    }
    BELAY_ATOMIC(w->s) {
        BELAY_ATOMIC(w->s)
            on_commit(w->s, &n[5]);
        clash(w->s);
    }
    put(w->s, 9); /* nor with the next transaction */
    assert_string_equal(d.ran, "ad");
    assert_string_equal(d.freed, "bcadef");
}

static void a_failed_commit_runs_no_hooks(void **state)
{
    world *w = *state;
    diary d = {0};
    NOTES(n, d);
    only_on_sqlite(w);
    belay_exec(w->s, "CREATE TABLE child(id REFERENCES taken(id) DEFERRABLE INITIALLY DEFERRED)");
    BELAY_ATOMIC(w->s) {
        on_commit(w->s, &n[0]);
        belay_exec(w->s, "INSERT INTO child VALUES (77)");
    }
    assert_status(w->s, BELAY_FOREIGN_KEY);
    assert_string_equal(d.ran, "");
    assert_string_equal(d.freed, "a");
}

static void going_back_to_a_mark_drops_the_hooks_registered_since(void **state)
{
    world *w = *state;
    diary d = {0};
    NOTES(n, d);
    BELAY_ATOMIC(w->s) {
        on_commit(w->s, &n[0]);
        belay_savepoint(w->s, "here");
        on_commit(w->s, &n[1]);
        BELAY_ATOMIC(w->s)
            on_commit(w->s, &n[2]);
        belay_rollback_to(w->s, "here");
        assert_string_equal(d.freed, "bc");
        on_commit(w->s, &n[3]);
        belay_release(w->s, "here");
    }
    assert_string_equal(d.ran, "ad");
    assert_string_equal(d.freed, "bcad");
}

static void hooks_of_a_scope_that_did_no_work_run_too(void **state)
{
    world *w = *state;
    diary d = {0};
    NOTES(n, d);
    BELAY_ATOMIC(w->s)
        on_commit(w->s, &n[0]);
    BELAY_READ(w->s)
        on_commit(w->s, &n[1]);
    assert_string_equal(d.ran, "ab");
}

static void hooks_that_a_joined_failure_dooms_are_dropped(void **state)
{
    world *w = *state;
    diary d = {0};
    NOTES(n, d);
    BELAY_ATOMIC(w->s) {
        BELAY_ATOMIC(w->s) {
            on_commit(w->s, &n[0]);
            BELAY_ATOMIC_WITH(w->s, .propagation = BELAY_REQUIRED)
                clash(w->s);
        }
        belay_ignore(w->s, BELAY_ANY);
        on_commit(w->s, &n[1]);
    }
    assert_string_equal(d.ran, "b");
    assert_string_equal(d.freed, "ab");
}

static void with_no_scope_open_a_hook_runs_at_once(void **state)
{
    world *w = *state;
    diary d = {0};
    NOTES(n, d);
    assert_code(on_commit(w->s, &n[0]), BELAY_OK);
    assert_string_equal(d.ran, "a");
    assert_string_equal(d.freed, "a");
    n[1].result = 1;
    assert_code(on_commit(w->s, &n[1]), BELAY_OK); /* its failure is logged and no error */
    assert_int_equal(belay_hook_errors(w->s), 1);
    assert_int_equal(w->d.log_lines, 1);
    assert_status(w->s, BELAY_OK);
}

static void a_hook_that_is_refused_is_dropped_and_its_argument_freed(void **state)
{
    world *w = *state;
    diary d = {0};
    NOTES(n, d);
    BELAY_ATOMIC(w->s) {
        clash(w->s);
        assert_code(on_commit(w->s, &n[0]), BELAY_UNIQUE);
        assert_string_equal(d.freed, "a");
    }
    BELAY_ATOMIC(w->s) {
        belay_undo(w->s);
        assert_code(on_commit(w->s, &n[1]), BELAY_ROLLED_BACK);
        assert_string_equal(d.freed, "ab");
    }
    assert_string_equal(d.ran, "");
    assert_string_equal(d.freed, "ab");
}

static void a_session_that_is_closed_drops_the_hooks_of_its_open_scopes(void **state)
{
    world *w = *state;
    diary d = {0};
    NOTES(n, d);
    belay_begin(w->s, NULL);
    on_commit(w->s, &n[0]);
    belay_session_close(w->s);
    w->s = w->d.s = NULL;
    assert_string_equal(d.ran, "");
    assert_string_equal(d.freed, "a");
}

/* ---- Failures --------------------------------------------------------------------------------------------------- */

static void a_hooks_failure_never_changes_the_fate_of_what_committed(void **state)
{
    world *w = *state;
    diary d = {0};
    NOTES(n, d);
    n[0].result = n[2].result = 1;
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        for (int i = 0; i < 4; i++)
            on_commit(w->s, &n[i]);
    }
    assert_status(w->s, BELAY_OK);
    assert_string_equal(d.ran, "abcd"); /* the others still run */
    assert_int_equal(belay_hook_errors(w->s), 2);
    assert_int_equal(w->d.log_lines, 2);
    assert_stored(w, "1");
    BELAY_ATOMIC(w->s)
        put(w->s, 2);
    assert_int_equal(belay_hook_errors(w->s), 0); /* of the last outermost scope */
}

/* ---- Outside ---------------------------------------------------------------------------------------------------- */

static void require_no_transaction_names_where_the_open_scope_began(void **state)
{
    world *w = *state;
    char place[64];
    assert_code(belay_require_no_transaction(w->s), BELAY_OK);
    snprintf(place, sizeof place, "test_hooks.c:%d", __LINE__ + 1);
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        BELAY_ATOMIC(w->s) {
            assert_code(belay_require_no_transaction(w->s), BELAY_MISUSE);
            assert_contains(belay_pending(w->s)->message, place);
        }
    }
    assert_status(w->s, BELAY_MISUSE);
    assert_stored(w, "");
    assert_code(belay_require_no_transaction(w->s), BELAY_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(hooks_run_once_after_the_outermost_commit_in_the_order_of_registration),
        in_world(hooks_run_after_a_durable_commit_outside_any_transaction),
        in_world(a_hook_never_runs_when_its_scope_or_one_around_it_was_rolled_back),
        in_world(a_failed_commit_runs_no_hooks),
        in_world(going_back_to_a_mark_drops_the_hooks_registered_since),
        in_world(hooks_of_a_scope_that_did_no_work_run_too),
        in_world(hooks_that_a_joined_failure_dooms_are_dropped),
        in_world(with_no_scope_open_a_hook_runs_at_once),
        in_world(a_hook_that_is_refused_is_dropped_and_its_argument_freed),
        in_world(a_session_that_is_closed_drops_the_hooks_of_its_open_scopes),
        in_world(a_hooks_failure_never_changes_the_fate_of_what_committed),
        in_world(require_no_transaction_names_where_the_open_scope_began),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
