/*
 * Units that run again.
 */
#include "support.h"

#include "hooks.h"

/* ---- How often --------------------------------------------------------------------------------------------- */

static void a_block_with_retries_runs_at_most_once_more_than_they_say(void **state)
{
    world *w = *state;
    for (int retries = 0; retries <= 4; retries++) {
        int runs = 0;
        BELAY_ATOMIC_WITH(w->s, .retries = retries, .backoff_ms = 1) {
            runs++;
            assert_int_equal(belay_attempt(w->s), runs);
            put(w->s, runs);
            belay_fail(w->s, BELAY_SERIALIZATION, "attempt %d", runs);
        }
        assert_int_equal(runs, retries + 1);
        assert_status(w->s, BELAY_SERIALIZATION);
        assert_int_equal(belay_pending(w->s)->attempt, retries + 1);
        assert_stored(w, "");
    }
    assert_int_equal(belay_attempt(w->s), 0);
}

static void an_attempt_that_succeeds_is_the_last(void **state)
{
    world *w = *state;
    int runs = 0;
    BELAY_ATOMIC_WITH(w->s, .retries = 9, .backoff_ms = 1) {
        put(w->s, ++runs);
        if (runs < 3)
            belay_fail(w->s, BELAY_DEADLOCK, "not yet");
    }
    assert_int_equal(runs, 3);
    assert_status(w->s, BELAY_OK);
    assert_code(belay_unread(w->s)->code, BELAY_OK);
    assert_stored(w, "3"); /* nothing of the failed attempts */
    assert_int_equal(w->d.log_lines, 0);
}

static void only_errors_that_a_repetition_may_help_are_retried(void **state)
{
    world *w = *state;
    for (int code = BELAY_OK + 1; code < BELAY_ANY; code++) {
        if (code == BELAY_ROLLED_BACK)
            continue;
        int runs = 0;
        const belay_error error = {.code = (belay_code)code};
        BELAY_ATOMIC_WITH(w->s, .retries = 1, .backoff_ms = 1) {
            runs++;
            belay_fail(w->s, (belay_code)code, "always");
        }
        assert_int_equal(runs, belay_retryable(&error) ? 2 : 1);
        assert_status(w->s, (belay_code)code);
    }
}

static void without_retries_nothing_is_retried(void **state)
{
    world *w = *state;
    int runs = 0;
    BELAY_ATOMIC(w->s) {
        runs++;
        belay_fail(w->s, BELAY_SERIALIZATION, "once");
    }
    assert_int_equal(runs, 1);
}

static int count_runs(belay_session *s, void *arg)
{
    int *runs = arg;
    put(s, ++*runs);
    if (*runs < 3)
        belay_fail(s, BELAY_BUSY, "not yet");
    return 0;
}

static void a_callback_is_retried_as_a_block_is(void **state)
{
    world *w = *state;
    int runs = 0;
    assert_code(belay_atomic(w->s, BELAY_SCOPE_OPTIONS(.retries = 5, .backoff_ms = 1), count_runs, &runs), BELAY_OK);
    assert_int_equal(runs, 3);
    assert_stored(w, "3");
    runs = 0;
    assert_code(belay_atomic(w->s, BELAY_SCOPE_OPTIONS(.retries = 1, .backoff_ms = 1), count_runs, &runs), BELAY_BUSY);
    assert_int_equal(runs, 2);
}

/* ---- Whole units only ------------------------------------------------------------------------------------------- */

static void a_nested_block_is_not_retried_but_the_whole_unit_is(void **state)
{
    world *w = *state;
    int outer = 0, inner = 0;
    BELAY_ATOMIC_WITH(w->s, .retries = 2, .backoff_ms = 1) {
        put(w->s, ++outer);
        BELAY_ATOMIC_WITH(w->s, .retries = 7) {
            inner++;
            if (outer < 2)
                belay_fail(w->s, BELAY_SERIALIZATION, "not yet");
        }
    }
    assert_status(w->s, BELAY_OK);
    assert_int_equal(outer, 2);
    assert_int_equal(inner, 2);
    assert_stored(w, "2");
    BELAY_ATOMIC(w->s) {
        inner = 0;
        BELAY_ATOMIC_WITH(w->s, .retries = 7) {
            inner++;
            belay_fail(w->s, BELAY_LOCK_TIMEOUT, "no");
        }
        belay_ignore(w->s, BELAY_ANY);
    }
    assert_int_equal(inner, 1);
}

static void a_lock_timeout_or_busy_is_retried_when_nobody_caught_it(void **state)
{
    static const belay_code codes[] = {BELAY_LOCK_TIMEOUT, BELAY_BUSY};
    world *w = *state;
    for (int i = 0; i < 4; i++) {
        int runs = 0;
        BELAY_ATOMIC_WITH(w->s, .retries = 2, .backoff_ms = 1) {
            runs++;
            BELAY_ATOMIC(w->s)
                belay_fail(w->s, codes[i % 2], "no luck");
            if (i < 2)
                belay_ignore(w->s, BELAY_ANY);
        }
        assert_int_equal(runs, i < 2 ? 1 : 3);
    }
}

static void a_unit_that_was_left_or_undone_is_not_retried(void **state)
{
    world *w = *state;
    int runs = 0;
    BELAY_ATOMIC_WITH(w->s, .retries = 3) {
        runs++;
        belay_fail(w->s, BELAY_SERIALIZATION, "and out");
        break;
    }
    assert_int_equal(runs, 1);
    assert_status(w->s, BELAY_SERIALIZATION);
    BELAY_ATOMIC_WITH(w->s, .retries = 3) {
        runs++;
        belay_undo(w->s);
    }
    BELAY_ATOMIC_WITH(w->s, .retries = 3) {
        runs++;
        break;
    }
    assert_int_equal(runs, 3);
}

static void a_unit_whose_outcome_is_in_doubt_is_never_retried(void **state)
{
    world *w = *state;
    int runs = 0;
    BELAY_ATOMIC_WITH(w->s, .retries = 3) {
        runs++;
        belay_fail(w->s, BELAY_IN_DOUBT, "who knows");
    }
    assert_int_equal(runs, 1);
    assert_status(w->s, BELAY_IN_DOUBT);
}

static void a_unit_of_one_statement_is_not_retried(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    belay_db *db = open_again(w, BELAY_DB_OPTIONS(.lock_timeout_ms = 10));
    belay_session *s = belay_session_open(db);
    BELAY_ATOMIC_WITH(s, .retries = 5)
        put(s, 1);
    void *lock = hold_write_lock(w);
    assert_code(put(s, 2), BELAY_LOCK_TIMEOUT); /* nothing is left of the options of the scope before */
    let_go(lock);
    assert_int_equal(belay_pending(s)->attempt, 1);
    belay_session_close(s);
    belay_close(db);
}

/* ---- Between attempts ------------------------------------------------------------------------------------------- */

static void hooks_between_attempts(void **state)
{
    world *w = *state;
    diary d = {0};
    NOTES(n, d);
    int runs = 0;
    BELAY_ATOMIC_WITH(w->s, .retries = 5, .backoff_ms = 1) {
        belay_on_commit(w->s, write_note, &n[runs], free_note);          /* a, b, c */
        belay_on_rollback(w->s, write_note, &n[10 + runs], free_note);   /* k, l, m */
        belay_before_commit(w->s, write_note, &n[20 + runs], free_note); /* u, v, w */
        if (runs > 0)
            assert_string_equal(d.ran, runs == 1 ? "k" : "kl");
        if (++runs < 3)
            belay_fail(w->s, BELAY_SERIALIZATION, "not yet");
    }
    assert_string_equal(d.ran, "klwc");
    assert_int_equal(strlen(d.freed), 9);
    for (const char *letter = "abcklmuvw"; *letter; letter++)
        assert_non_null(strchr(d.freed, *letter));
}

static int let_lock_go(belay_session *s, void *arg)
{
    void **lock = arg;
    (void)s;
    let_go(*lock);
    *lock = NULL;
    return 0;
}

static void a_lock_timeout_of_the_engine_is_retried(void **state)
{
    world *w = *state;
    int runs = 0;
    only_on_sqlite(w);
    void *lock = hold_write_lock(w);
    BELAY_ATOMIC_WITH(w->s, .retries = 3, .lock_timeout_ms = 20, .backoff_ms = 1) {
        runs++;
        belay_on_rollback(w->s, let_lock_go, &lock, NULL);
        put(w->s, runs);
    }
    let_go(lock);
    assert_status(w->s, BELAY_OK);
    assert_int_equal(runs, 2);
    assert_stored(w, "2");
}

static void each_attempt_begins_anew_with_the_options_of_the_scope(void **state)
{
    world *w = *state;
    int runs = 0;
    BELAY_ATOMIC_WITH(w->s, .retries = 2, .backoff_ms = 1, .read_only = true, .name = "again") {
        runs++;
        assert_code(belay_status(w->s), BELAY_OK);
        assert_int_equal(belay_depth(w->s), 1);
        assert_code(belay_try(w->s, "INSERT INTO item(id) VALUES (1)"), BELAY_READ_ONLY);
        if (runs == 1)
            belay_savepoint(w->s, "mark");
        else
            assert_code(belay_release(w->s, "mark"), BELAY_MISUSE); /* marks of the last attempt are gone */
        belay_fail(w->s, BELAY_SERIALIZATION, "again");
    }
    assert_int_equal(runs, 2); /* then the misuse came first */
    assert_status(w->s, BELAY_MISUSE);
    assert_string_equal(belay_pending(w->s)->scope, "again");
}

static void locals_keep_their_values_between_attempts(void **state)
{
    world *w = *state;
    int total = 0, inside = 0;
    BELAY_ATOMIC_WITH(w->s, .retries = 1, .backoff_ms = 1) {
        inside = 0;
        total += 5;
        inside += 5;
        if (belay_attempt(w->s) == 1)
            belay_fail(w->s, BELAY_SERIALIZATION, "again");
    }
    assert_int_equal(total, 10);
    assert_int_equal(inside, 5);
}

static void the_time_limit_is_for_all_attempts_and_the_last_error_stays(void **state)
{
    world *w = *state;
    int runs = 0;
    BELAY_ATOMIC_WITH(w->s, .retries = 1000000, .timeout_ms = 60, .backoff_ms = 10, .backoff_max_ms = 20) {
        runs++;
        belay_fail(w->s, BELAY_SERIALIZATION, "for ever");
    }
    assert_true(runs >= 1 && runs < 1000000);
    assert_status(w->s, BELAY_SERIALIZATION);
}

static void a_time_limit_that_has_passed_is_not_retried(void **state)
{
    world *w = *state;
    int runs = 0;
    BELAY_ATOMIC_WITH(w->s, .retries = 5, .timeout_ms = 10) {
        runs++;
        put(w->s, 1);
        pause_ms(30);
    }
    assert_int_equal(runs, 1);
    assert_status(w->s, BELAY_TIMEOUT);
}

/* ---- Misuse ----------------------------------------------------------------------------------------------------- */

static void negative_retries_and_retries_with_begin_are_misuse(void **state)
{
    world *w = *state;
    int runs = 0;
    BELAY_ATOMIC_WITH(w->s, .retries = -1)
        runs++;
    assert_status(w->s, BELAY_MISUSE);
    assert_code(belay_atomic(w->s, BELAY_SCOPE_OPTIONS(.retries = INT32_MIN), count_runs, &runs), BELAY_MISUSE);
    assert_int_equal(runs, 0);
    assert_code(belay_begin(w->s, BELAY_SCOPE_OPTIONS(.retries = 1)), BELAY_MISUSE);
    assert_code(belay_commit(w->s), BELAY_MISUSE);
    assert_code(belay_begin(w->s, BELAY_SCOPE_OPTIONS(.retries = 0)), BELAY_OK);
    belay_rollback(w->s);
}

static void retries_of_every_size_are_no_crash(void **state)
{
    world *w = *state;
    int runs = 0;
    BELAY_ATOMIC_WITH(w->s, .retries = INT32_MAX, .backoff_ms = 1, .backoff_max_ms = 1) {
        if (++runs < 20)
            belay_fail(w->s, BELAY_BUSY, "busy");
    }
    assert_int_equal(runs, 20);
    BELAY_ATOMIC_WITH(w->s, .retries = 1, .backoff_ms = INT32_MAX, .backoff_max_ms = 1)
        belay_fail(w->s, BELAY_BUSY, "busy");
    assert_status(w->s, BELAY_BUSY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(a_block_with_retries_runs_at_most_once_more_than_they_say),
        in_world(an_attempt_that_succeeds_is_the_last),
        in_world(only_errors_that_a_repetition_may_help_are_retried),
        in_world(without_retries_nothing_is_retried),
        in_world(a_callback_is_retried_as_a_block_is),
        in_world(a_nested_block_is_not_retried_but_the_whole_unit_is),
        in_world(a_lock_timeout_or_busy_is_retried_when_nobody_caught_it),
        in_world(a_unit_that_was_left_or_undone_is_not_retried),
        in_world(a_unit_whose_outcome_is_in_doubt_is_never_retried),
        in_world(a_unit_of_one_statement_is_not_retried),
        in_world(hooks_between_attempts),
        in_world(a_lock_timeout_of_the_engine_is_retried),
        in_world(each_attempt_begins_anew_with_the_options_of_the_scope),
        in_world(locals_keep_their_values_between_attempts),
        in_world(the_time_limit_is_for_all_attempts_and_the_last_error_stays),
        in_world(a_time_limit_that_has_passed_is_not_retried),
        in_world(negative_retries_and_retries_with_begin_are_misuse),
        in_world(retries_of_every_size_are_no_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
