/*
 * Scopes inside scopes: which work is kept, how an error travels, and how
 * functions that open scopes compose.
 */
#include "support.h"

/* ---- What is kept ------------------------------------------------------------------------------------ */

static void nested_blocks_that_succeed_are_kept_together(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        BELAY_ATOMIC(w->s) {
            put(w->s, 2);
            BELAY_ATOMIC(w->s)
                put(w->s, 3);
        }
        assert_seen(w->s, "1;2;3");
        assert_stored(w, "");
    }
    assert_stored(w, "1;2;3");
}

static void a_nested_failure_leaves_the_outer_scope_intact(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        BELAY_ATOMIC(w->s) {
            put(w->s, 2);
            clash(w->s);
        }
        assert_true(belay_catch(w->s, BELAY_UNIQUE));
        assert_seen(w->s, "1");
        put(w->s, 3);
    }
    assert_status(w->s, BELAY_OK);
    assert_stored(w, "1;3");
}

static void an_outer_failure_takes_the_finished_inner_scopes_with_it(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        BELAY_ATOMIC(w->s)
            put(w->s, 2);
        clash(w->s);
    }
    assert_status(w->s, BELAY_UNIQUE);
    assert_stored(w, "");
}

static void a_failed_middle_scope_takes_its_finished_children_only(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        BELAY_ATOMIC(w->s) {
            put(w->s, 2);
            BELAY_ATOMIC(w->s)
                put(w->s, 3);
            clash(w->s);
        }
        belay_ignore(w->s, BELAY_ANY);
        put(w->s, 4);
    }
    assert_stored(w, "1;4");
}

static void siblings_share_no_fate(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        for (int i = 1; i <= 6; i++) {
            BELAY_ATOMIC(w->s) {
                put(w->s, i);
                if (i % 2 == 0)
                    clash(w->s);
            }
            belay_ignore(w->s, BELAY_INTEGRITY);
        }
    }
    assert_status(w->s, BELAY_OK);
    assert_stored(w, "1;3;5");
}

static void the_same_options_may_serve_several_scopes(void **state)
{
    world *w = *state;
    const belay_scope_options *options = BELAY_SCOPE_OPTIONS(.name = "shared");
    belay_begin(w->s, options);
    put(w->s, 1);
    belay_begin(w->s, options);
    put(w->s, 2);
    clash(w->s);
    belay_rollback(w->s);
    assert_true(belay_catch(w->s, BELAY_UNIQUE));
    assert_code(belay_commit(w->s), BELAY_OK);
    assert_stored(w, "1");
}

/* ---- The way of an error ------------------------------------------------------------------------------- */

static void an_error_travels_outward_until_it_is_caught(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        BELAY_ATOMIC(w->s) {
            put(w->s, 2);
            BELAY_ATOMIC(w->s) {
                put(w->s, 3);
                clash(w->s);
            }
            assert_code(belay_status(w->s), BELAY_UNIQUE);
        }
        assert_true(belay_catch(w->s, BELAY_UNIQUE));
        assert_seen(w->s, "1");
    }
    assert_stored(w, "1");
}

static void an_error_that_nobody_catches_is_the_status_in_the_end(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s)
        BELAY_ATOMIC(w->s)
            BELAY_ATOMIC(w->s) {
                put(w->s, 1);
                clash(w->s);
            }
    assert_status(w->s, BELAY_UNIQUE);
    assert_stored(w, "");
}

static void an_inner_savepoint_is_gone_after_it_was_rolled_back(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        for (int i = 1; i <= 200; i++) {
            BELAY_ATOMIC(w->s) {
                put(w->s, 1);
                clash(w->s);
            }
            belay_ignore(w->s, BELAY_UNIQUE);
        }
        assert_int_equal(belay_depth(w->s), 1);
        put(w->s, 2);
    }
    assert_stored(w, "2");
}

/* ---- Functions compose ------------------------------------------------------------------------------------ */

static belay_code transfer(belay_session *s, int from, int to)
{
    BELAY_ATOMIC(s) {
        put(s, from);
        put(s, to);
    }
    return belay_status(s);
}

static void a_function_need_not_know_whether_it_is_called_in_a_scope(void **state)
{
    world *w = *state;
    assert_code(transfer(w->s, 1, 2), BELAY_OK);
    assert_stored(w, "1;2");
    BELAY_ATOMIC(w->s) {
        assert_code(transfer(w->s, 3, 4), BELAY_OK);
        assert_code(transfer(w->s, 5, 1), BELAY_UNIQUE);
        assert_true(belay_catch(w->s, BELAY_UNIQUE));
        assert_code(transfer(w->s, 6, 7), BELAY_OK);
        assert_stored(w, "1;2");
    }
    assert_stored(w, "1;2;3;4;6;7");
    assert_code(transfer(w->s, 8, 1), BELAY_UNIQUE);
    assert_stored(w, "1;2;3;4;6;7");
}

static void nest(belay_session *s, int depth)
{
    if (depth == 0)
        return;
    BELAY_ATOMIC(s) {
        put(s, depth);
        nest(s, depth - 1);
    }
}

static void blocks_nest_a_thousand_deep(void **state)
{
    world *w = *state;
    nest(w->s, 1000);
    assert_status(w->s, BELAY_OK);
    assert_rows(w->other, "SELECT count(*), sum(id) FROM item", "1000|500500");
}

static void scopes_of_every_depth_end_inside_out_or_all_at_once(void **state)
{
    static const int depths[] = {1, 2, 63, 64, 65, 1000, 10000};
    world *w = *state;
    for (size_t i = 0; i < sizeof depths / sizeof depths[0]; i++) {
        for (int n = 0; n < depths[i]; n++)
            belay_begin(w->s, NULL);
        put(w->s, depths[i]);
        assert_int_equal(belay_depth(w->s), depths[i]);
        for (int n = 0; n < depths[i]; n++)
            assert_code(belay_commit(w->s), BELAY_OK);
    }
    assert_stored(w, "1;2;63;64;65;1000;10000");
    belay_session *s = belay_session_open(w->d.db);
    for (int n = 0; n < 10000; n++)
        belay_begin(s, NULL);
    put(s, 3);
    assert_code(belay_session_close(s), BELAY_ABANDONED);
    assert_stored(w, "1;2;63;64;65;1000;10000");
}

/* ---- Blocks that do not run ---------------------------------------------------------------------------------- */

static void a_block_begun_while_an_error_is_pending_never_runs_its_body(void **state)
{
    world *w = *state;
    int ran = 0;
    BELAY_ATOMIC(w->s) {
        clash(w->s);
        BELAY_ATOMIC(w->s)
            ran++;
        BELAY_READ(w->s)
            ran++;
        BELAY_ATOMIC_WITH(w->s, .name = "x")
            ran++;
        assert_int_equal(belay_depth(w->s), 1);
    }
    assert_int_equal(ran, 0);
    assert_status(w->s, BELAY_UNIQUE);
}

static void a_block_that_was_skipped_makes_the_error_the_scopes_own(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        BELAY_ATOMIC(w->s)
            clash(w->s);
        BELAY_ATOMIC(w->s)
            put(w->s, 1);
        assert_false(belay_catch(w->s, BELAY_ANY));
    }
    assert_status(w->s, BELAY_UNIQUE);
    assert_stored(w, "");
}

static void a_block_whose_beginning_is_refused_never_runs_and_can_be_caught(void **state)
{
    world *w = *state;
    int ran = 0;
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        BELAY_ATOMIC_WITH(w->s, .propagation = BELAY_OUTERMOST)
            ran++;
        assert_int_equal(belay_depth(w->s), 1);
        assert_code(belay_status(w->s), BELAY_MISUSE);
        assert_true(belay_catch(w->s, BELAY_MISUSE));
        BELAY_ATOMIC_WITH(w->s, .retries = -1)
            ran++;
        assert_true(belay_catch(w->s, BELAY_ANY));
        put(w->s, 2);
    }
    assert_int_equal(ran, 0);
    assert_status(w->s, BELAY_OK);
    assert_stored(w, "1;2");
}

static void an_outermost_block_whose_beginning_is_refused_sets_the_status(void **state)
{
    world *w = *state;
    int ran = 0;
    BELAY_ATOMIC_WITH(w->s, .retries = -1)
        ran++;
    assert_int_equal(ran, 0);
    assert_status(w->s, BELAY_MISUSE);
    BELAY_ATOMIC(NULL)
        ran++;
    assert_int_equal(ran, 0);
}

static void a_refused_beginning_names_its_place(void **state)
{
    world *w = *state;
    int line = __LINE__ + 1;
    BELAY_ATOMIC_WITH(w->s, .propagation = BELAY_MANDATORY)
        put(w->s, 1);
    assert_int_equal(belay_pending(w->s)->line, line);
    assert_string_equal(belay_pending(w->s)->function, __func__);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(nested_blocks_that_succeed_are_kept_together),
        in_world(a_nested_failure_leaves_the_outer_scope_intact),
        in_world(an_outer_failure_takes_the_finished_inner_scopes_with_it),
        in_world(a_failed_middle_scope_takes_its_finished_children_only),
        in_world(siblings_share_no_fate),
        in_world(the_same_options_may_serve_several_scopes),
        in_world(an_error_travels_outward_until_it_is_caught),
        in_world(an_error_that_nobody_catches_is_the_status_in_the_end),
        in_world(an_inner_savepoint_is_gone_after_it_was_rolled_back),
        in_world(a_function_need_not_know_whether_it_is_called_in_a_scope),
        in_world(blocks_nest_a_thousand_deep),
        in_world(scopes_of_every_depth_end_inside_out_or_all_at_once),
        in_world(a_block_begun_while_an_error_is_pending_never_runs_its_body),
        in_world(a_block_that_was_skipped_makes_the_error_the_scopes_own),
        in_world(a_block_whose_beginning_is_refused_never_runs_and_can_be_caught),
        in_world(an_outermost_block_whose_beginning_is_refused_sets_the_status),
        in_world(a_refused_beginning_names_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
