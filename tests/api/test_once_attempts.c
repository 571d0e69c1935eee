/*
 * Units that are done at most once, in several attempts and under limits.
 */
#include "once.h"

#include <stdio.h>

#include <belay/testing.h>

/* ---- Attempts --------------------------------------------------------------------------------------------------- */

static void a_failed_attempt_leaves_no_key_and_the_next_claims_it_anew(void **state)
{
    world *w = *state;
    int runs = 0;
    char keys[3][100];
    put_once(w->s, "zero", 100);
    BELAY_ATOMIC_WITH(w->s, .once = "a", .retries = 5, .backoff_ms = 1) {
        snprintf(keys[runs], sizeof keys[0], "%s",
                 rows_of(w->s, "SELECT once_key, state FROM belay_once WHERE once_key = 'a'"));
        put(w->s, ++runs);
        if (runs < 3)
            belay_fail(w->s, BELAY_SERIALIZATION, "not yet");
    }
    assert_status(w->s, BELAY_OK);
    assert_int_equal(runs, 3);
    for (int i = 0; i < 3; i++)
        assert_string_equal(keys[i], "a|done");
    assert_stored(w, "3;100");
    assert_keys(w, "a|done;zero|done");
}

static void when_all_attempts_fail_there_is_no_key(void **state)
{
    world *w = *state;
    int runs = 0;
    BELAY_ATOMIC_WITH(w->s, .once = "a", .retries = 2, .backoff_ms = 1) {
        put(w->s, ++runs);
        belay_fail(w->s, BELAY_SERIALIZATION, "never");
    }
    assert_status(w->s, BELAY_SERIALIZATION);
    assert_int_equal(runs, 3);
    assert_false(belay_already_done(w->s));
    assert_keys(w, "");
}

/* Runs between two attempts. */
static int do_it_elsewhere(belay_session *s, void *other)
{
    (void)s;
    return put_once(other, "a", 7) != 1;
}

static int lose_the_race(belay_session *s, void *arg)
{
    world *w = arg;
    belay_on_rollback(s, do_it_elsewhere, w->other, NULL);
    return belay_fail(s, BELAY_SERIALIZATION, "again") == BELAY_OK;
}

static void what_another_session_did_between_two_attempts_is_not_done_again(void **state)
{
    world *w = *state;
    const belay_scope_options *options = BELAY_SCOPE_OPTIONS(.once = "a", .retries = 3, .backoff_ms = 1);
    assert_code(belay_atomic(w->s, options, lose_the_race, w), BELAY_OK);
    assert_true(belay_already_done(w->s));
    assert_status(w->s, BELAY_OK);
    assert_int_equal(belay_pending(w->s)->outcome, BELAY_WORK_COMMITTED);
    assert_stored(w, "7");
}

static void a_block_whose_key_was_taken_between_two_attempts_ends_as_done(void **state)
{
    world *w = *state;
    int runs = 0;
    BELAY_ATOMIC_WITH(w->s, .once = "a", .retries = 3, .backoff_ms = 1) {
        runs++;
        lose_the_race(w->s, w);
    }
    assert_int_equal(runs, 1);
    assert_status(w->s, BELAY_OK);
    assert_true(belay_already_done(w->s));
    assert_stored(w, "7");
}

static int use_once_in_hook(belay_session *s, void *arg)
{
    (void)arg;
    return put_once(s, "of the hook", 60) != 1;
}

static void a_hook_with_a_key_of_its_own_does_not_change_that_of_the_next_attempt(void **state)
{
    world *w = *state;
    int runs = 0;
    BELAY_ATOMIC_WITH(w->s, .once = "a", .retries = 1, .backoff_ms = 1) {
        if (++runs == 1) {
            belay_on_rollback(w->s, use_once_in_hook, NULL, NULL);
            belay_fail(w->s, BELAY_BUSY, "again");
        }
    }
    assert_int_equal(runs, 2);
    assert_int_equal(belay_hook_errors(w->s), 0);
    assert_keys(w, "a|done;of the hook|done");
}

static void run_twice_runs_a_unit_with_a_key_twice_and_keeps_it_once(void **state)
{
    world *w = *state;
    int runs = 0;
    belay_run_twice(w->d.db, true);
    for (int i = 0; i < 2; i++)
        BELAY_ATOMIC_WITH(w->s, .once = "a", .retries = 1) {
            runs++;
            put(w->s, 1);
        }
    belay_run_twice(w->d.db, false);
    assert_int_equal(runs, 2);
    assert_status(w->s, BELAY_OK);
    assert_true(belay_already_done(w->s));
    assert_stored(w, "1");
    assert_keys(w, "a|done");
}

/* ---- Limits ----------------------------------------------------------------------------------------------------- */

static void the_idle_limit_counts_from_the_claim_which_holds_the_lock(void **state)
{
    world *w = *state;
    BELAY_ATOMIC_WITH(w->s, .once = "a", .idle_timeout_ms = 20) {
        pause_ms(60);
        put(w->s, 1);
    }
    assert_status(w->s, BELAY_TIMEOUT);
    assert_contains(belay_message(w->s), "idle");
    assert_stored(w, "");
    assert_keys(w, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(a_failed_attempt_leaves_no_key_and_the_next_claims_it_anew),
        in_world(when_all_attempts_fail_there_is_no_key),
        in_world(what_another_session_did_between_two_attempts_is_not_done_again),
        in_world(a_block_whose_key_was_taken_between_two_attempts_ends_as_done),
        in_world(a_hook_with_a_key_of_its_own_does_not_change_that_of_the_next_attempt),
        in_world(run_twice_runs_a_unit_with_a_key_twice_and_keeps_it_once),
        in_world(the_idle_limit_counts_from_the_claim_which_holds_the_lock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
