/*
 * belay_begin, belay_commit and belay_rollback; belay_atomic; misuse of them.
 */
#include "support.h"

/* ---- Explicit scopes ------------------------------------------------------------------------------- */

static void commit_returns_how_the_scope_ended(void **state)
{
    world *w = *state;
    assert_code(belay_begin(w->s, NULL), BELAY_OK);
    put(w->s, 1);
    assert_code(belay_commit(w->s), BELAY_OK);
    belay_begin(w->s, NULL);
    put(w->s, 2);
    clash(w->s);
    assert_code(belay_commit(w->s), BELAY_UNIQUE);
    assert_status(w->s, BELAY_UNIQUE);
    assert_stored(w, "1");
}

static void a_commit_that_can_not_commit_has_rolled_back_before_it_returns(void **state)
{
    world *w = *state;
    belay_begin(w->s, NULL);
    put(w->s, 1);
    clash(w->s);
    assert_code(belay_commit(w->s), BELAY_UNIQUE);
    assert_int_equal(belay_depth(w->s), 0);
    assert_stored(w, "");
    assert_code(put(w->other, 5), BELAY_OK); /* no lock is left */
}

static void explicit_scopes_nest_as_blocks_do(void **state)
{
    world *w = *state;
    belay_begin(w->s, NULL);
    put(w->s, 1);
    belay_begin(w->s, NULL);
    put(w->s, 2);
    assert_code(belay_rollback(w->s), BELAY_OK);
    assert_status(w->s, BELAY_OK);
    belay_begin(w->s, NULL);
    put(w->s, 3);
    clash(w->s);
    assert_code(belay_commit(w->s), BELAY_UNIQUE);
    assert_true(belay_catch(w->s, BELAY_UNIQUE));
    belay_begin(w->s, NULL);
    put(w->s, 4);
    assert_code(belay_commit(w->s), BELAY_OK);
    assert_code(belay_commit(w->s), BELAY_OK);
    assert_stored(w, "1;4");
}

static void rollback_without_an_error_is_no_error(void **state)
{
    world *w = *state;
    belay_begin(w->s, NULL);
    put(w->s, 1);
    assert_code(belay_rollback(w->s), BELAY_OK);
    assert_status(w->s, BELAY_ROLLED_BACK);
    assert_code(belay_unread(w->s)->code, BELAY_OK);
    assert_stored(w, "");
}

static void rollback_with_an_error_pending_carries_it_outward(void **state)
{
    world *w = *state;
    belay_begin(w->s, NULL);
    put(w->s, 1);
    belay_begin(w->s, NULL);
    clash(w->s);
    assert_code(belay_rollback(w->s), BELAY_UNIQUE);
    assert_code(belay_status(w->s), BELAY_UNIQUE);
    assert_code(belay_rollback(w->s), BELAY_UNIQUE);
    assert_status(w->s, BELAY_UNIQUE);
}

static void begin_always_opens_a_scope_even_when_refused(void **state)
{
    world *w = *state;
    assert_code(belay_begin(w->s, BELAY_SCOPE_OPTIONS(.propagation = BELAY_MANDATORY)), BELAY_MISUSE);
    assert_int_equal(belay_depth(w->s), 1);
    assert_code(put(w->s, 1), BELAY_MISUSE);
    assert_code(belay_commit(w->s), BELAY_MISUSE);
    assert_int_equal(belay_depth(w->s), 0);

    belay_begin(w->s, NULL);
    put(w->s, 1);
    assert_code(belay_begin(w->s, BELAY_SCOPE_OPTIONS(.propagation = BELAY_OUTERMOST)), BELAY_MISUSE);
    assert_int_equal(belay_depth(w->s), 2);
    assert_code(belay_rollback(w->s), BELAY_MISUSE);
    assert_true(belay_catch(w->s, BELAY_MISUSE));
    assert_code(belay_commit(w->s), BELAY_OK);
    assert_stored(w, "1");
}

static void begin_while_an_error_is_pending_opens_a_scope_that_must_be_ended(void **state)
{
    world *w = *state;
    belay_begin(w->s, NULL);
    clash(w->s);
    assert_code(belay_begin(w->s, NULL), BELAY_UNIQUE);
    assert_int_equal(belay_depth(w->s), 2);
    assert_code(put(w->s, 1), BELAY_UNIQUE);
    assert_code(belay_commit(w->s), BELAY_UNIQUE);
    assert_int_equal(belay_depth(w->s), 1);
    assert_false(belay_catch(w->s, BELAY_ANY)); /* it is this scope's own */
    assert_code(belay_commit(w->s), BELAY_UNIQUE);
}

/* ---- Misuse ------------------------------------------------------------------------------------------- */

static void ending_a_scope_twice_is_misuse(void **state)
{
    world *w = *state;
    belay_begin(w->s, NULL);
    put(w->s, 1);
    assert_code(belay_commit(w->s), BELAY_OK);
    assert_code(belay_commit(w->s), BELAY_MISUSE);
    assert_status(w->s, BELAY_MISUSE);
    assert_code(belay_rollback(w->s), BELAY_MISUSE);
    assert_status(w->s, BELAY_MISUSE);
    assert_stored(w, "1");
    belay_begin(w->s, NULL);
    put(w->s, 2);
    belay_rollback(w->s);
    assert_code(belay_rollback(w->s), BELAY_MISUSE);
    belay_begin(w->s, NULL);
    put(w->s, 3);
    assert_code(belay_commit(w->s), BELAY_OK);
    assert_stored(w, "1;3");
}

static void ending_the_scope_of_a_block_by_a_call_is_misuse(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        assert_code(belay_commit(w->s), BELAY_MISUSE);
        assert_int_equal(belay_depth(w->s), 1);
    }
    assert_status(w->s, BELAY_MISUSE);
    assert_stored(w, "");
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        assert_code(belay_rollback(w->s), BELAY_MISUSE);
    }
    assert_status(w->s, BELAY_MISUSE);
    assert_stored(w, "");
}

static void explicit_scopes_inside_a_block_end_by_their_own_calls(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        belay_begin(w->s, NULL);
        put(w->s, 1);
        assert_code(belay_commit(w->s), BELAY_OK);
        belay_begin(w->s, NULL);
        put(w->s, 2);
        assert_code(belay_rollback(w->s), BELAY_OK);
    }
    assert_status(w->s, BELAY_OK);
    assert_stored(w, "1");
}

static void explicit_scopes_that_a_block_leaves_open_are_misuse_and_roll_it_back(void **state)
{
    world *w = *state;
    int line = 0;
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        line = __LINE__ + 1;
        belay_begin(w->s, NULL);
        put(w->s, 2);
    }
    assert_int_equal(belay_depth(w->s), 0);
    assert_code(belay_pending(w->s)->code, BELAY_MISUSE);
    assert_int_equal(belay_pending(w->s)->line, line);
    assert_stored(w, "");
}

static void explicit_scopes_inside_a_block_that_was_left_are_abandoned_with_it(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        belay_begin(w->s, NULL);
        put(w->s, 2);
        break;
    }
    assert_int_equal(belay_depth(w->s), 0);
    assert_status(w->s, BELAY_ABANDONED);
    assert_stored(w, "");
}

static int leave_open(belay_session *s, void *arg)
{
    put(s, 1);
    belay_begin(s, NULL);
    put(s, 2);
    return *(int *)arg;
}

static void explicit_scopes_that_a_callback_leaves_open_are_misuse(void **state)
{
    world *w = *state;
    int result = 0;
    assert_code(belay_atomic(w->s, NULL, leave_open, &result), BELAY_MISUSE);
    assert_int_equal(belay_depth(w->s), 0);
    assert_stored(w, "");
}

/* ---- Callbacks ------------------------------------------------------------------------------------------- */

static int work(belay_session *s, void *arg)
{
    const int *result = arg;
    put(s, 1);
    if (*result == 2)
        clash(s);
    if (*result == 3)
        belay_undo(s);
    return *result == 1;
}

static void atomic_returns_how_the_scope_ended(void **state)
{
    world *w = *state;
    static const belay_code codes[] = {BELAY_APPLICATION, BELAY_UNIQUE, BELAY_ROLLED_BACK};
    for (int i = 1; i <= 3; i++) {
        assert_code(belay_atomic(w->s, NULL, work, &i), codes[i - 1]);
        assert_stored(w, "");
        assert_code(belay_unread(w->s)->code, BELAY_OK); /* the code that was returned counts as read */
        assert_status(w->s, codes[i - 1]);
    }
    int good = 0;
    assert_code(belay_atomic(w->s, NULL, work, &good), BELAY_OK);
    assert_stored(w, "1");
}

static void a_nested_callback_that_fails_can_be_caught(void **state)
{
    world *w = *state;
    static const belay_code codes[] = {BELAY_APPLICATION, BELAY_UNIQUE};
    for (int i = 1; i <= 2; i++) {
        BELAY_ATOMIC(w->s) {
            put(w->s, 10 + i);
            assert_code(belay_atomic(w->s, NULL, work, &i), codes[i - 1]);
            assert_true(belay_catch(w->s, codes[i - 1]));
        }
        assert_status(w->s, BELAY_OK);
    }
    assert_stored(w, "11;12");
}

static int fail_both_ways(belay_session *s, void *arg)
{
    (void)arg;
    clash(s);
    return 1;
}

static int look_around(belay_session *s, void *arg)
{
    int *depth = arg;
    *depth = belay_depth(s);
    return 0;
}

static void the_error_that_is_pending_wins_over_the_callbacks_result(void **state)
{
    world *w = *state;
    int depth = 0;
    assert_code(belay_atomic(w->s, NULL, fail_both_ways, NULL), BELAY_UNIQUE);
    assert_code(belay_atomic(w->s, NULL, look_around, &depth), BELAY_OK);
    assert_int_equal(depth, 1);
}

static void a_callback_is_not_run_while_an_error_is_pending(void **state)
{
    world *w = *state;
    int depth = 0;
    BELAY_ATOMIC(w->s) {
        clash(w->s);
        assert_code(belay_atomic(w->s, NULL, look_around, &depth), BELAY_UNIQUE);
    }
    assert_code(belay_atomic(w->s, BELAY_SCOPE_OPTIONS(.retries = -1), look_around, &depth), BELAY_MISUSE);
    assert_int_equal(depth, 0);
}

static void atomic_without_a_unit_is_misuse(void **state)
{
    world *w = *state;
    assert_code(belay_atomic(w->s, NULL, NULL, NULL), BELAY_MISUSE);
    BELAY_ATOMIC(w->s)
        assert_code(belay_atomic(w->s, NULL, NULL, NULL), BELAY_MISUSE);
    assert_status(w->s, BELAY_MISUSE);
}

static int end_it(belay_session *s, void *arg)
{
    (void)arg;
    put(s, 1);
    return belay_commit(s) == BELAY_MISUSE ? 0 : 9;
}

static void ending_the_scope_of_a_callback_by_a_call_is_misuse(void **state)
{
    world *w = *state;
    assert_code(belay_atomic(w->s, NULL, end_it, NULL), BELAY_MISUSE);
    assert_stored(w, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(commit_returns_how_the_scope_ended),
        in_world(a_commit_that_can_not_commit_has_rolled_back_before_it_returns),
        in_world(explicit_scopes_nest_as_blocks_do),
        in_world(rollback_without_an_error_is_no_error),
        in_world(rollback_with_an_error_pending_carries_it_outward),
        in_world(begin_always_opens_a_scope_even_when_refused),
        in_world(begin_while_an_error_is_pending_opens_a_scope_that_must_be_ended),
        in_world(ending_a_scope_twice_is_misuse),
        in_world(ending_the_scope_of_a_block_by_a_call_is_misuse),
        in_world(explicit_scopes_inside_a_block_end_by_their_own_calls),
        in_world(explicit_scopes_that_a_block_leaves_open_are_misuse_and_roll_it_back),
        in_world(explicit_scopes_inside_a_block_that_was_left_are_abandoned_with_it),
        in_world(explicit_scopes_that_a_callback_leaves_open_are_misuse),
        in_world(atomic_returns_how_the_scope_ended),
        in_world(a_nested_callback_that_fails_can_be_caught),
        in_world(the_error_that_is_pending_wins_over_the_callbacks_result),
        in_world(a_callback_is_not_run_while_an_error_is_pending),
        in_world(atomic_without_a_unit_is_misuse),
        in_world(ending_the_scope_of_a_callback_by_a_call_is_misuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
