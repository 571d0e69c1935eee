/*
 * Units that are done at most once: the key and the work, and what a program
 * sees of a unit that is skipped.
 */
#include "once.h"

#include <stdio.h>
#include <string.h>

#include "hooks.h"

/* ---- The key and the work --------------------------------------------------------------------------------------- */

static void a_unit_whose_key_has_committed_is_never_run_again(void **state)
{
    world *w = *state;
    assert_int_equal(put_once(w->s, "a", 1), 1);
    assert_status(w->s, BELAY_OK);
    assert_false(belay_already_done(w->s));
    assert_int_equal(belay_pending(w->s)->outcome, BELAY_WORK_COMMITTED);
    for (int i = 2; i < 5; i++) {
        assert_int_equal(put_once(w->s, "a", i), 0);
        assert_status(w->s, BELAY_OK);
        assert_true(belay_already_done(w->s));
        assert_int_equal(belay_pending(w->s)->outcome, BELAY_WORK_COMMITTED);
        assert_int_equal(belay_depth(w->s), 0);
    }
    assert_int_equal(put_once(w->s, "b", 9), 1);
    assert_false(belay_already_done(w->s));
    assert_stored(w, "1;9");
    assert_keys(w, "a|done;b|done");
    assert_int_equal(w->d.log_lines, 0);
}

/* Ends a unit in one of the ways in which it is rolled back. */
static void lose_unit(belay_session *s, const char *key, int way)
{
    BELAY_ATOMIC_WITH(s, .once = key) {
        put(s, 1);
        if (way == 0)
            clash(s);
        if (way == 1)
            belay_fail(s, BELAY_APPLICATION, "not today");
        if (way == 2)
            belay_undo(s);
        if (way == 3)
            break;
        if (way == 4)
            belay_begin(s, NULL); /* left open */
    }
    belay_status(s);
}

static void the_key_is_there_exactly_when_the_work_is(void **state)
{
    world *w = *state;
    put_once(w->s, "other", 100);
    for (int way = 0; way < 5; way++) {
        lose_unit(w->s, "a", way);
        assert_false(belay_already_done(w->s));
        assert_int_equal(belay_pending(w->s)->outcome, BELAY_WORK_ROLLED_BACK);
        assert_stored(w, "100");
        assert_keys(w, "other|done");
    }
    assert_int_equal(put_once(w->s, "a", 1), 1);
    assert_stored(w, "1;100");
    assert_keys(w, "a|done;other|done");
}

static void a_unit_is_not_seen_before_it_commits_and_neither_is_its_key(void **state)
{
    world *w = *state;
    char keys[100] = "", rows[100] = "";
    put_once(w->s, "first", 1);
    BELAY_ATOMIC_WITH(w->s, .once = "second") {
        put(w->s, 2);
        snprintf(keys, sizeof keys, "%s", rows_of(w->other, "SELECT once_key FROM belay_once"));
        snprintf(rows, sizeof rows, "%s", rows_of(w->other, "SELECT id FROM item"));
    }
    assert_string_equal(keys, "first");
    assert_string_equal(rows, "1");
    assert_keys(w, "first|done;second|done");
}

static void a_unit_without_statements_takes_its_key_all_the_same(void **state)
{
    world *w = *state;
    int runs = 0;
    for (int i = 0; i < 2; i++)
        BELAY_ATOMIC_WITH(w->s, .once = "nothing")
            runs++;
    assert_int_equal(runs, 1);
    assert_true(belay_already_done(w->s));
}

static void a_nested_scope_that_is_rolled_back_leaves_the_key(void **state)
{
    world *w = *state;
    BELAY_ATOMIC_WITH(w->s, .once = "a") {
        put(w->s, 1);
        BELAY_ATOMIC(w->s) {
            put(w->s, 2);
            clash(w->s);
        }
        belay_ignore(w->s, BELAY_UNIQUE);
        belay_savepoint(w->s, "here");
        put(w->s, 3);
        belay_rollback_to(w->s, "here");
    }
    assert_status(w->s, BELAY_OK);
    assert_stored(w, "1");
    assert_keys(w, "a|done");
}

/* A mark can be set first of all: going back to it must not undo the claim. */
static void going_back_to_a_mark_at_the_very_beginning_leaves_the_key(void **state)
{
    world *w = *state;
    BELAY_ATOMIC_WITH(w->s, .once = "a") {
        belay_savepoint(w->s, "start");
        put(w->s, 1);
        belay_rollback_to(w->s, "start");
    }
    assert_status(w->s, BELAY_OK);
    assert_stored(w, "");
    assert_keys(w, "a|done");
}

static void the_key_is_copied_and_may_change_under_the_unit(void **state)
{
    world *w = *state;
    char key[8] = "mine";
    int runs = 0;
    BELAY_ATOMIC_WITH(w->s, .once = key, .retries = 1, .backoff_ms = 1) {
        runs++;
        strcpy(key, "other");
        if (runs == 1)
            belay_fail(w->s, BELAY_BUSY, "again");
    }
    assert_int_equal(runs, 2);
    assert_keys(w, "mine|done");
}

/* ---- What is skipped -------------------------------------------------------------------------------------------- */

static int count_run(belay_session *s, void *arg)
{
    ++*(int *)arg;
    return put(s, 1) != BELAY_OK;
}

static void a_callback_that_is_skipped_is_not_called_and_gives_ok(void **state)
{
    world *w = *state;
    int runs = 0;
    const belay_scope_options *options = BELAY_SCOPE_OPTIONS(.once = "a", .name = "count");
    assert_code(belay_atomic(w->s, options, count_run, &runs), BELAY_OK);
    assert_false(belay_already_done(w->s));
    assert_code(belay_atomic(w->s, options, count_run, &runs), BELAY_OK);
    assert_true(belay_already_done(w->s));
    assert_int_equal(runs, 1);
    assert_status(w->s, BELAY_OK);
    assert_stored(w, "1");
}

static int refuse_run(belay_session *s, void *arg)
{
    count_run(s, arg);
    return 1;
}

static void a_callback_that_fails_leaves_no_key(void **state)
{
    world *w = *state;
    int runs = 0;
    const belay_scope_options *options = BELAY_SCOPE_OPTIONS(.once = "a");
    assert_code(belay_atomic(w->s, options, refuse_run, &runs), BELAY_APPLICATION);
    assert_keys(w, "");
    assert_code(belay_atomic(w->s, options, count_run, &runs), BELAY_OK);
    assert_int_equal(runs, 2);
    assert_keys(w, "a|done");
}

static void hooks_run_once_for_the_run_that_committed_and_never_for_one_that_is_skipped(void **state)
{
    world *w = *state;
    diary d = {.other = w->other};
    NOTES(n, d);
    for (int i = 0; i < 4; i++) {
        BELAY_ATOMIC_WITH(w->s, .once = "a") {
            belay_on_commit(w->s, write_note, &n['c' - 'a'], free_note);
            belay_on_rollback(w->s, write_note, &n['r' - 'a'], free_note);
            belay_before_commit(w->s, write_note, &n['b' - 'a'], free_note);
            if (i == 0)
                belay_undo(w->s);
        }
        assert_int_equal(belay_hook_errors(w->s), 0);
    }
    assert_string_equal(d.ran, "rbc");
    assert_int_equal(strlen(d.freed), 6);
    assert_true(belay_already_done(w->s));
}

/* ---- belay_already_done ----------------------------------------------------------------------------------------- */

static bool skip_unit(belay_session *s)
{
    put_once(s, "known", 50);
    put_once(s, "known", 50);
    return belay_already_done(s);
}

static void already_done_is_about_the_last_outermost_scope_only(void **state)
{
    world *w = *state;
    bool inside = true;
    assert_false(belay_already_done(NULL));
    assert_false(belay_already_done(w->s));
    assert_true(skip_unit(w->s));
    BELAY_ATOMIC(w->s)
        inside = belay_already_done(w->s);
    assert_false(inside);
    assert_false(belay_already_done(w->s));
    assert_true(skip_unit(w->s));
    put(w->s, 1); /* one statement is a unit too */
    assert_false(belay_already_done(w->s));
    assert_true(skip_unit(w->s));
    assert_int_equal(put_once(w->s, "", 2), 0); /* refused: the key is empty */
    assert_false(belay_already_done(w->s));
    assert_status(w->s, BELAY_MISUSE);
}

static int run_skipped_unit(belay_session *s, void *arg)
{
    (void)arg;
    return !skip_unit(s);
}

static void a_unit_skipped_in_a_hook_is_not_the_programs(void **state)
{
    world *w = *state;
    BELAY_ATOMIC_WITH(w->s, .once = "a")
        belay_on_commit(w->s, run_skipped_unit, NULL, NULL);
    assert_int_equal(belay_hook_errors(w->s), 0);
    assert_false(belay_already_done(w->s));
}

static int run_other_unit(belay_session *s, void *arg)
{
    (void)arg;
    return put_once(s, "other", 51) != 1;
}

static void a_hook_that_runs_outside_of_scopes_leaves_it_as_it_was(void **state)
{
    world *w = *state;
    assert_true(skip_unit(w->s));
    assert_code(belay_on_commit(w->s, run_other_unit, NULL, NULL), BELAY_OK); /* it runs at once */
    assert_int_equal(belay_hook_errors(w->s), 0);
    assert_true(belay_already_done(w->s));
    assert_stored(w, "50;51");
}

static int call_off_with_hook(belay_session *s, void *arg)
{
    (void)arg;
    belay_on_rollback(s, run_skipped_unit, NULL, NULL);
    belay_undo(s);
    return 0;
}

static void a_unit_that_was_called_off_says_so_whatever_its_hooks_skip(void **state)
{
    world *w = *state;
    belay_code without = belay_atomic(w->s, BELAY_SCOPE_OPTIONS(.once = "a"), call_off_with_hook, NULL);
    assert_code(without, BELAY_ROLLED_BACK);
    assert_false(belay_already_done(w->s));
    assert_keys(w, "known|done");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(a_unit_whose_key_has_committed_is_never_run_again),
        in_world(the_key_is_there_exactly_when_the_work_is),
        in_world(a_unit_is_not_seen_before_it_commits_and_neither_is_its_key),
        in_world(a_unit_without_statements_takes_its_key_all_the_same),
        in_world(a_nested_scope_that_is_rolled_back_leaves_the_key),
        in_world(going_back_to_a_mark_at_the_very_beginning_leaves_the_key),
        in_world(the_key_is_copied_and_may_change_under_the_unit),
        in_world(a_callback_that_is_skipped_is_not_called_and_gives_ok),
        in_world(a_callback_that_fails_leaves_no_key),
        in_world(hooks_run_once_for_the_run_that_committed_and_never_for_one_that_is_skipped),
        in_world(already_done_is_about_the_last_outermost_scope_only),
        in_world(a_unit_skipped_in_a_hook_is_not_the_programs),
        in_world(a_hook_that_runs_outside_of_scopes_leaves_it_as_it_was),
        in_world(a_unit_that_was_called_off_says_so_whatever_its_hooks_skip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
