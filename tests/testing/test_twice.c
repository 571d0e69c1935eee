/*
 * belay_run_twice: every unit that may be retried is run twice, so that code is found that can't be.
 */
#include "support.h"

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <belay/testing.h>

#include "hooks.h"

/* ---- What it finds ---------------------------------------------------------------------------------------------- */

static int add_up(world *w)
{
    int total = 0;
    BELAY_ATOMIC_WITH(w->s, .retries = 1)
        total += (int)belay_int_of(w->s, "SELECT id FROM taken");
    return total;
}

static void a_program_that_adds_up_across_attempts_is_found(void **state)
{
    world *w = *state;
    assert_int_equal(add_up(w), 1);
    belay_run_twice(w->d.db, true);
    assert_int_equal(add_up(w), 2);
    assert_code(belay_status(w->s), BELAY_OK);
    belay_run_twice(w->d.db, false);
    assert_int_equal(add_up(w), 1);
}

static void a_program_that_keeps_nothing_comes_to_the_same_result(void **state)
{
    world *w = *state;
    int runs = 0, last_attempt = 0;
    belay_run_twice(w->d.db, true);
    BELAY_ATOMIC_WITH(w->s, .retries = 1) {
        runs++;
        last_attempt = belay_attempt(w->s);
        put(w->s, 1);
    }
    assert_code(belay_status(w->s), BELAY_OK);
    assert_int_equal(belay_pending(w->s)->outcome, BELAY_WORK_COMMITTED);
    assert_int_equal(runs, 2);
    assert_int_equal(last_attempt, 2);
    assert_stored(w, "1"); /* the first was rolled back, or the key would be there already */
}

static int count_and_put(belay_session *s, void *arg)
{
    ++*(int *)arg;
    put(s, 1);
    return 0;
}

static void callbacks_run_twice_too(void **state)
{
    world *w = *state;
    int runs = 0;
    belay_run_twice(w->d.db, true);
    assert_code(belay_atomic(w->s, BELAY_SCOPE_OPTIONS(.retries = 1), count_and_put, &runs), BELAY_OK);
    assert_int_equal(runs, 2);
    assert_stored(w, "1");
}

static void a_unit_that_sends_nothing_runs_twice_too(void **state)
{
    world *w = *state;
    int runs = 0;
    belay_run_twice(w->d.db, true);
    BELAY_ATOMIC_WITH(w->s, .retries = 1)
        runs++;
    BELAY_ATOMIC_WITH(w->s, .retries = 1, .read_only = true)
        runs++;
    assert_int_equal(runs, 4);
    assert_code(belay_status(w->s), BELAY_OK);
}

/* ---- What it leaves alone --------------------------------------------------------------------------------------- */

static void what_is_never_retried_runs_once(void **state)
{
    world *w = *state;
    int plain = 0, nested = 0, outer = 0, explicit = 0;
    belay_run_twice(w->d.db, true);
    BELAY_ATOMIC(w->s) {
        plain++;
        BELAY_ATOMIC_WITH(w->s, .retries = 3) /* nested it has no effect */
            nested++;
    }
    assert_int_equal(plain, 1);
    assert_int_equal(nested, 1);
    BELAY_ATOMIC_WITH(w->s, .retries = 3) {
        outer++;
        nested = 0;
        BELAY_ATOMIC_WITH(w->s, .retries = 3)
            nested++;
    }
    assert_int_equal(outer, 2);
    assert_int_equal(nested, 1);
    belay_begin(w->s, NULL);
    explicit ++;
    put(w->s, 1);
    assert_code(belay_commit(w->s), BELAY_OK);
    assert_int_equal(explicit, 1);
    assert_code(put(w->s, 2), BELAY_OK);
    assert_int_equal(belay_atomic(w->s, NULL, count_and_put, &plain), BELAY_UNIQUE);
    assert_int_equal(plain, 2);
    assert_stored(w, "1;2");
}

static void a_transaction_of_its_own_inside_a_scope_runs_once(void **state)
{
    world *w = *state;
    int inner = 0;
    belay_code code = BELAY_OK;
    belay_run_twice(w->d.db, true);
    BELAY_READ(w->s) {
        rows_of(w->s, "SELECT 1");
        BELAY_ATOMIC_WITH(w->s, .propagation = BELAY_REQUIRES_NEW, .retries = 3) {
            inner++;
            put(w->s, 1);
        }
        code = belay_status(w->s);
    }
    assert_code(code, BELAY_OK);
    assert_int_equal(inner, 1);
    assert_stored(w, "1");
}

static void a_unit_that_does_not_commit_is_not_run_again(void **state)
{
    world *w = *state;
    int failed = 0, undone = 0, left = 0;
    belay_run_twice(w->d.db, true);
    BELAY_ATOMIC_WITH(w->s, .retries = 3) {
        failed++;
        clash(w->s);
    }
    assert_code(belay_status(w->s), BELAY_UNIQUE);
    BELAY_ATOMIC_WITH(w->s, .retries = 3) {
        undone++;
        belay_undo(w->s);
    }
    assert_code(belay_status(w->s), BELAY_ROLLED_BACK);
    BELAY_ATOMIC_WITH(w->s, .retries = 3) {
        left++;
        break;
    }
    assert_code(belay_status(w->s), BELAY_ABANDONED);
    assert_int_equal(failed + undone + left, 3);
}

static void other_handles_are_left_alone(void **state)
{
    world *w = *state;
    int runs = 0;
    belay_run_twice(w->d.db, true);
    belay_run_twice(NULL, true);
    BELAY_ATOMIC_WITH(w->other, .retries = 1)
        runs++;
    assert_int_equal(runs, 1);
}

/* ---- How it counts ---------------------------------------------------------------------------------------------- */

static void the_refused_attempt_does_not_count_against_retries(void **state)
{
    world *w = *state;
    int runs = 0;
    belay_run_twice(w->d.db, true);
    BELAY_ATOMIC_WITH(w->s, .retries = 2, .backoff_ms = 1) {
        if (++runs > 1) /* from the second run on it really fails */
            belay_fail(w->s, BELAY_BUSY, "again");
    }
    assert_code(belay_status(w->s), BELAY_BUSY);
    assert_int_equal(runs, 4); /* the one for nothing, and .retries + 1 */
}

static void only_an_attempt_that_is_the_first_is_refused(void **state)
{
    world *w = *state;
    int runs = 0;
    belay_run_twice(w->d.db, true);
    BELAY_ATOMIC_WITH(w->s, .retries = 1, .backoff_ms = 1) {
        if (++runs == 1)
            belay_fail(w->s, BELAY_BUSY, "again"); /* it runs a second time anyway */
        put(w->s, runs);
    }
    assert_code(belay_status(w->s), BELAY_OK);
    assert_int_equal(runs, 2);
    assert_stored(w, "2");
}

static void any_number_of_retries_may_be_asked_for(void **state)
{
    world *w = *state;
    int runs = 0;
    belay_run_twice(w->d.db, true);
    BELAY_ATOMIC_WITH(w->s, .retries = INT_MAX)
        runs++;
    assert_code(belay_status(w->s), BELAY_OK);
    assert_int_equal(runs, 2);
}

static void there_is_no_backoff_before_the_second_run(void **state)
{
    world *w = *state;
    int runs = 0;
    belay_run_twice(w->d.db, true);
    alarm(60); /* the wait would be drawn from nothing up to hours */
    BELAY_ATOMIC_WITH(w->s, .retries = 1, .backoff_ms = INT_MAX, .backoff_max_ms = INT_MAX)
        runs++;
    alarm(0);
    assert_int_equal(runs, 2);
}

/* ---- Hooks, keys, sandboxes ------------------------------------------------------------------------------------- */

static void hooks_on_commit_run_once_and_those_of_the_refused_attempt_are_dropped(void **state)
{
    world *w = *state;
    diary seen = {.other = NULL};
    NOTES(notes, seen);
    int runs = 0;
    belay_run_twice(w->d.db, true);
    BELAY_ATOMIC_WITH(w->s, .retries = 1) {
        belay_on_commit(w->s, write_note, &notes[3 * runs], free_note);
        belay_on_rollback(w->s, write_note, &notes[3 * runs + 1], free_note);
        belay_before_commit(w->s, write_note, &notes[3 * runs + 2], free_note);
        runs++;
    }
    assert_string_equal(seen.ran, "cbfd"); /* as when another transaction had been in the way */
    assert_string_equal(seen.freed, "abcdef");
    assert_int_equal(belay_hook_errors(w->s), 0);
}

static int use_session(belay_session *s, void *arg)
{
    ++*(int *)arg;
    BELAY_ATOMIC(s)
        rows_of(s, "SELECT 1");
    return belay_status(s) != BELAY_OK;
}

static void a_hook_that_uses_the_session_between_the_attempts_changes_nothing(void **state)
{
    world *w = *state;
    int runs = 0, hooks = 0;
    belay_run_twice(w->d.db, true);
    BELAY_ATOMIC_WITH(w->s, .retries = 1, .backoff_ms = 1) {
        belay_on_rollback(w->s, use_session, &hooks, NULL);
        runs++;
        put(w->s, 1);
    }
    assert_code(belay_status(w->s), BELAY_OK);
    assert_int_equal(runs, 2);
    assert_int_equal(hooks, 1);
    assert_stored(w, "1");
}

static int retry_inside(belay_session *s, void *arg)
{
    BELAY_ATOMIC_WITH(s, .retries = 1) {
        ++*(int *)arg;
        put(s, 7);
    }
    return belay_status(s) != BELAY_OK;
}

static void a_unit_of_a_hook_runs_twice_as_well(void **state)
{
    world *w = *state;
    int runs = 0, inside = 0;
    belay_run_twice(w->d.db, true);
    BELAY_ATOMIC_WITH(w->s, .retries = 1) {
        belay_on_commit(w->s, retry_inside, &inside, NULL);
        runs++;
    }
    assert_int_equal(runs, 2);
    assert_int_equal(inside, 2);
    assert_int_equal(belay_hook_errors(w->s), 0);
    assert_stored(w, "7");
}

static void a_unit_with_a_key_is_done_once_and_run_twice(void **state)
{
    world *w = *state;
    int runs = 0;
    belay_run_twice(w->d.db, true);
    for (int i = 0; i < 2; i++) {
        BELAY_ATOMIC_WITH(w->s, .retries = 1, .once = "key") {
            runs++;
            put(w->s, 1);
        }
        assert_code(belay_status(w->s), BELAY_OK);
        assert_int_equal(belay_already_done(w->s), i);
    }
    assert_int_equal(runs, 2);
    assert_stored(w, "1");
    belay_exec(w->s, "DROP TABLE belay_once");
}

static void it_works_in_a_sandbox(void **state)
{
    world *w = *state;
    diary seen = {.other = NULL};
    NOTES(notes, seen);
    int runs = 0;
    belay_session *s = belay_sandbox(w->d.db);
    belay_run_twice(w->d.db, true);
    put(s, 1);
    BELAY_ATOMIC_WITH(s, .retries = 1) {
        belay_on_commit(s, write_note, &notes[runs], free_note);
        put(s, 10 + runs++);
    }
    assert_code(belay_status(s), BELAY_OK);
    assert_int_equal(runs, 2);
    assert_seen(s, "1;11");
    assert_int_equal(belay_captured(s), 1);
    belay_session_close(s);
    assert_string_equal(seen.freed, "ab");
}

/* ---- From another thread ---------------------------------------------------------------------------------------- */

static void *switch_to_and_fro(void *db)
{
    for (int i = 0; i < 200; i++)
        belay_run_twice(db, i % 2 == 0);
    return NULL;
}

static void it_may_be_switched_while_units_run(void **state)
{
    world *w = *state;
    pthread_t thread;
    int wrong = 0;
    assert_int_equal(pthread_create(&thread, NULL, switch_to_and_fro, w->d.db), 0);
    for (int i = 0; i < 200; i++) {
        int runs = 0;
        BELAY_ATOMIC_WITH(w->s, .retries = 1)
            runs++;
        wrong += belay_status(w->s) != BELAY_OK || runs < 1 || runs > 2;
    }
    pthread_join(thread, NULL);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(a_program_that_adds_up_across_attempts_is_found),
        in_world(a_program_that_keeps_nothing_comes_to_the_same_result),
        in_world(callbacks_run_twice_too),
        in_world(a_unit_that_sends_nothing_runs_twice_too),
        in_world(what_is_never_retried_runs_once),
        in_world(a_transaction_of_its_own_inside_a_scope_runs_once),
        in_world(a_unit_that_does_not_commit_is_not_run_again),
        in_world(other_handles_are_left_alone),
        in_world(the_refused_attempt_does_not_count_against_retries),
        in_world(only_an_attempt_that_is_the_first_is_refused),
        in_world(any_number_of_retries_may_be_asked_for),
        in_world(there_is_no_backoff_before_the_second_run),
        in_world(hooks_on_commit_run_once_and_those_of_the_refused_attempt_are_dropped),
        in_world(a_hook_that_uses_the_session_between_the_attempts_changes_nothing),
        in_world(a_unit_of_a_hook_runs_twice_as_well),
        in_world(a_unit_with_a_key_is_done_once_and_run_twice),
        in_world(it_works_in_a_sandbox),
        in_world(it_may_be_switched_while_units_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
