/*
 * belay_undo everywhere, and scopes that join another.
 */
#include "support.h"

/* ---- Undo -------------------------------------------------------------------------------------------- */

static void undo_rolls_back_at_the_end_without_an_error(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        assert_code(belay_undo(w->s), BELAY_OK);
        assert_code(belay_status(w->s), BELAY_ROLLED_BACK);
    }
    assert_status(w->s, BELAY_ROLLED_BACK);
    assert_code(belay_unread(w->s)->code, BELAY_OK);
    assert_stored(w, "");
    BELAY_ATOMIC(w->s)
        put(w->s, 2);
    assert_int_equal(w->d.log_lines, 0);
}

static void statements_after_undo_are_refused_and_not_sent(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        belay_undo(w->s);
        assert_code(put(w->s, 1), BELAY_ROLLED_BACK);
        assert_code(belay_exec(w->s, "no SQL at all"), BELAY_ROLLED_BACK);
        assert_code(belay_try(w->s, "no SQL at all"), BELAY_ROLLED_BACK);
        assert_null(belay_query(w->s, "SELECT 1"));
        assert_null(belay_stream(w->s, "SELECT 1"));
        assert_int_equal(belay_int_of(w->s, "SELECT 1"), 0);
    }
    assert_status(w->s, BELAY_ROLLED_BACK);
}

static void undo_of_an_inner_scope_leaves_the_outer_one_as_it_was(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        BELAY_ATOMIC(w->s) {
            put(w->s, 2);
            belay_undo(w->s);
        }
        assert_code(belay_status(w->s), BELAY_OK);
        assert_seen(w->s, "1");
        assert_false(belay_catch(w->s, BELAY_ANY));
    }
    assert_status(w->s, BELAY_OK);
    assert_stored(w, "1");
}

static void undo_is_never_refused_itself(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        clash(w->s);
        assert_code(belay_undo(w->s), BELAY_UNIQUE); /* the pending code; it is marked all the same */
    }
    assert_status(w->s, BELAY_UNIQUE);
    BELAY_ATOMIC(w->s) {
        belay_undo(w->s);
        assert_code(belay_undo(w->s), BELAY_OK);
    }
    assert_status(w->s, BELAY_ROLLED_BACK);
}

static void an_error_that_is_pending_still_travels_after_undo(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        BELAY_ATOMIC(w->s) {
            clash(w->s);
            belay_undo(w->s);
        }
        assert_true(belay_catch(w->s, BELAY_UNIQUE));
        put(w->s, 1);
    }
    assert_stored(w, "1");
}

static void undo_after_an_inner_error_that_can_be_caught(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        BELAY_ATOMIC(w->s)
            clash(w->s);
        assert_code(belay_undo(w->s), BELAY_UNIQUE);
    }
    assert_status(w->s, BELAY_UNIQUE);
    assert_stored(w, "");
}

static void after_undo_an_error_can_not_be_caught_in_that_scope_any_more(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        BELAY_ATOMIC(w->s)
            clash(w->s);
        belay_undo(w->s);
        assert_false(belay_catch(w->s, BELAY_ANY));
        put(w->s, 2);
    }
    assert_status(w->s, BELAY_UNIQUE);
    assert_stored(w, "");
}

static int undo_and_fail(belay_session *s, void *arg)
{
    (void)arg;
    put(s, 1);
    belay_undo(s);
    return 1;
}

static void an_error_raised_after_undo_travels_as_any_other(void **state)
{
    world *w = *state;
    assert_code(belay_atomic(w->s, NULL, undo_and_fail, NULL), BELAY_APPLICATION);
    BELAY_ATOMIC(w->s) {
        BELAY_ATOMIC(w->s) {
            belay_undo(w->s);
            assert_code(belay_fail(w->s, BELAY_STALE, "after all"), BELAY_STALE);
        }
        assert_true(belay_catch(w->s, BELAY_STALE));
    }
    assert_status(w->s, BELAY_OK);
    assert_stored(w, "");
}

static void undo_in_an_explicit_scope(void **state)
{
    world *w = *state;
    belay_begin(w->s, NULL);
    put(w->s, 1);
    belay_undo(w->s);
    assert_code(belay_commit(w->s), BELAY_ROLLED_BACK);
    assert_status(w->s, BELAY_ROLLED_BACK);
    belay_begin(w->s, NULL);
    put(w->s, 1);
    belay_undo(w->s);
    assert_code(belay_rollback(w->s), BELAY_OK);
    assert_status(w->s, BELAY_ROLLED_BACK);
    assert_stored(w, "");
}

static void blocks_in_a_scope_that_was_undone_do_not_run(void **state)
{
    world *w = *state;
    int ran = 0;
    BELAY_ATOMIC(w->s) {
        belay_undo(w->s);
        BELAY_ATOMIC(w->s)
            ran++;
        belay_begin(w->s, NULL);
        assert_code(put(w->s, 1), BELAY_ROLLED_BACK);
        belay_commit(w->s);
    }
    assert_int_equal(ran, 0);
    assert_status(w->s, BELAY_ROLLED_BACK);
    assert_stored(w, "");
}

static void undo_with_no_scope_open_is_misuse(void **state)
{
    world *w = *state;
    assert_code(belay_undo(w->s), BELAY_MISUSE);
    assert_status(w->s, BELAY_MISUSE);
}

static void undo_of_a_scope_that_only_reads(void **state)
{
    world *w = *state;
    BELAY_READ(w->s) {
        assert_seen(w->s, "");
        belay_undo(w->s);
    }
    assert_status(w->s, BELAY_ROLLED_BACK);
}

static void a_mark_from_before_undo_can_not_be_gone_back_to(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        belay_savepoint(w->s, "before");
        put(w->s, 1);
        belay_undo(w->s);
        belay_rollback_to(w->s, "before");
        put(w->s, 2);
    }
    assert_status(w->s, BELAY_ROLLED_BACK);
    assert_stored(w, "");
}

/* ---- Joining --------------------------------------------------------------------------------------------- */

#define JOIN .propagation = BELAY_REQUIRED

static void a_joined_scope_that_succeeds_is_part_of_the_scope_around_it(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        BELAY_ATOMIC_WITH(w->s, JOIN)
            put(w->s, 2);
        assert_int_equal(belay_depth(w->s), 1);
        put(w->s, 3);
    }
    assert_stored(w, "1;2;3");
}

static void a_joined_scope_with_none_around_it_is_a_transaction(void **state)
{
    world *w = *state;
    BELAY_ATOMIC_WITH(w->s, JOIN)
        put(w->s, 1);
    assert_status(w->s, BELAY_OK);
    BELAY_ATOMIC_WITH(w->s, JOIN) {
        put(w->s, 2);
        clash(w->s);
    }
    assert_status(w->s, BELAY_UNIQUE);
    assert_stored(w, "1");
}

static void a_joined_failure_dooms_the_scope_it_joined(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        BELAY_ATOMIC_WITH(w->s, JOIN) {
            put(w->s, 2);
            clash(w->s);
        }
        assert_false(belay_catch(w->s, BELAY_ANY));
        assert_code(put(w->s, 3), BELAY_UNIQUE);
    }
    assert_status(w->s, BELAY_UNIQUE);
    assert_stored(w, "");
}

static void a_joined_failure_is_contained_by_the_next_real_scope(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        BELAY_ATOMIC(w->s) {
            put(w->s, 2);
            BELAY_ATOMIC_WITH(w->s, JOIN)
                BELAY_ATOMIC_WITH(w->s, JOIN) {
                    put(w->s, 3);
                    clash(w->s);
                }
            assert_false(belay_catch(w->s, BELAY_ANY));
        }
        assert_true(belay_catch(w->s, BELAY_UNIQUE));
        assert_seen(w->s, "1");
    }
    assert_stored(w, "1");
}

static void a_scope_inside_a_joined_one_has_its_own_fate(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        BELAY_ATOMIC_WITH(w->s, JOIN) {
            BELAY_ATOMIC(w->s) {
                put(w->s, 2);
                clash(w->s);
            }
            assert_true(belay_catch(w->s, BELAY_UNIQUE));
            put(w->s, 3);
        }
    }
    assert_stored(w, "1;3");
}

static void leave_joined(belay_session *s, int way)
{
    if (way == 0) {
        BELAY_ATOMIC_WITH(s, JOIN) {
            put(s, 2);
            belay_undo(s);
        }
    } else if (way == 1) {
        belay_begin(s, BELAY_SCOPE_OPTIONS(JOIN));
        put(s, 2);
        assert_code(belay_rollback(s), BELAY_ABANDONED);
    } else {
        BELAY_ATOMIC_WITH(s, JOIN) {
            put(s, 2);
            break;
        }
    }
}

static void undo_rollback_and_break_in_a_joined_scope_abandon_the_one_it_joined(void **state)
{
    world *w = *state;
    for (int way = 0; way < 3; way++) {
        BELAY_ATOMIC(w->s) {
            put(w->s, 1);
            leave_joined(w->s, way);
            assert_code(belay_status(w->s), BELAY_ABANDONED);
            assert_false(belay_catch(w->s, BELAY_ANY));
        }
        assert_status(w->s, BELAY_ABANDONED);
        assert_stored(w, "");
    }
}

/* ---- Where a scope may stand -------------------------------------------------------------------------------- */

static void mandatory_needs_a_scope_around_it(void **state)
{
    world *w = *state;
    BELAY_ATOMIC_WITH(w->s, .propagation = BELAY_MANDATORY)
        put(w->s, 1);
    assert_status(w->s, BELAY_MISUSE);
    BELAY_ATOMIC(w->s) {
        put(w->s, 2);
        BELAY_ATOMIC_WITH(w->s, .propagation = BELAY_MANDATORY) {
            put(w->s, 3);
            clash(w->s);
        }
        assert_true(belay_catch(w->s, BELAY_UNIQUE)); /* a savepoint of its own */
    }
    assert_stored(w, "2");
}

static void outermost_must_have_no_scope_around_it(void **state)
{
    world *w = *state;
    BELAY_ATOMIC_WITH(w->s, .propagation = BELAY_OUTERMOST) {
        put(w->s, 1);
        BELAY_ATOMIC(w->s)
            put(w->s, 2);
    }
    assert_status(w->s, BELAY_OK);
    BELAY_ATOMIC(w->s) {
        put(w->s, 3);
        BELAY_ATOMIC_WITH(w->s, .propagation = BELAY_OUTERMOST)
            put(w->s, 4);
    }
    assert_status(w->s, BELAY_MISUSE);
    assert_stored(w, "1;2");
}

static void a_propagation_that_there_is_not_is_misuse(void **state)
{
    world *w = *state;
    belay_scope_options options = {.size = sizeof options, .propagation = (belay_propagation)77};
    assert_code(belay_begin(w->s, &options), BELAY_MISUSE);
    belay_rollback(w->s);
    assert_int_equal(belay_depth(w->s), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(undo_rolls_back_at_the_end_without_an_error),
        in_world(statements_after_undo_are_refused_and_not_sent),
        in_world(undo_of_an_inner_scope_leaves_the_outer_one_as_it_was),
        in_world(undo_is_never_refused_itself),
        in_world(an_error_that_is_pending_still_travels_after_undo),
        in_world(undo_after_an_inner_error_that_can_be_caught),
        in_world(after_undo_an_error_can_not_be_caught_in_that_scope_any_more),
        in_world(an_error_raised_after_undo_travels_as_any_other),
        in_world(undo_in_an_explicit_scope),
        in_world(blocks_in_a_scope_that_was_undone_do_not_run),
        in_world(undo_with_no_scope_open_is_misuse),
        in_world(undo_of_a_scope_that_only_reads),
        in_world(a_mark_from_before_undo_can_not_be_gone_back_to),
        in_world(a_joined_scope_that_succeeds_is_part_of_the_scope_around_it),
        in_world(a_joined_scope_with_none_around_it_is_a_transaction),
        in_world(a_joined_failure_dooms_the_scope_it_joined),
        in_world(a_joined_failure_is_contained_by_the_next_real_scope),
        in_world(a_scope_inside_a_joined_one_has_its_own_fate),
        in_world(undo_rollback_and_break_in_a_joined_scope_abandon_the_one_it_joined),
        in_world(mandatory_needs_a_scope_around_it),
        in_world(outermost_must_have_no_scope_around_it),
        in_world(a_propagation_that_there_is_not_is_misuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
