/*
 * Blocks: what they do, and how they are left.
 */
#include "support.h"

/* ---- Finishing ------------------------------------------------------------------------------------ */

static void falling_off_the_end_of_a_block_commits(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        assert_stored(w, "");
    }
    assert_status(w->s, BELAY_OK);
    assert_stored(w, "1");
    assert_int_equal(belay_depth(w->s), 0);
}

static void continue_in_a_block_commits(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        if (put(w->s, 1) == BELAY_OK)
            continue;
        put(w->s, 2);
    }
    assert_status(w->s, BELAY_OK);
    assert_stored(w, "1");
}

static void a_block_may_be_a_single_statement(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s)
        put(w->s, 1);
    if (belay_status(w->s) == BELAY_OK)
        BELAY_ATOMIC(w->s)
            put(w->s, 2);
    assert_stored(w, "1;2");
}

static void blocks_in_a_row_each_commit_on_their_own(void **state)
{
    world *w = *state;
    for (int i = 1; i <= 3; i++)
        BELAY_ATOMIC(w->s) {
            put(w->s, i);
            if (i == 2)
                clash(w->s);
        }
    assert_stored(w, "1;3");
}

static void an_empty_block_does_nothing(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
    }
    assert_status(w->s, BELAY_OK);
}

static void statements_after_a_failed_one_are_not_sent(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        assert_code(put(w->s, 1), BELAY_OK);
        assert_code(clash(w->s), BELAY_UNIQUE);
        assert_code(put(w->s, 2), BELAY_UNIQUE);
        assert_code(belay_exec(w->s, "this is not even SQL"), BELAY_UNIQUE);
        assert_null(belay_query(w->s, "SELECT 1"));
        assert_int_equal(belay_int_of(w->s, "SELECT 1"), 0);
    }
    assert_status(w->s, BELAY_UNIQUE);
    assert_stored(w, "");
}

/* ---- Being left ------------------------------------------------------------------------------------ */

static void break_rolls_the_block_back_and_raises_abandoned(void **state)
{
    world *w = *state;
    int line = __LINE__ + 1;
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        break;
    }
    const belay_error *error = belay_pending(w->s);
    assert_code(error->code, BELAY_ABANDONED);
    assert_int_equal(error->line, line);
    assert_string_equal(error->function, __func__);
    assert_contains(error->file, "test_blocks.c");
    assert_int_equal(error->outcome, BELAY_WORK_ROLLED_BACK);
    assert_stored(w, "");
}

static int return_from_block(belay_session *s)
{
    BELAY_ATOMIC(s) {
        put(s, 1);
        return 7;
    }
    return 0;
}

static void return_rolls_the_block_back_and_raises_abandoned(void **state)
{
    world *w = *state;
    assert_int_equal(return_from_block(w->s), 7);
    assert_status(w->s, BELAY_ABANDONED);
    assert_string_equal(belay_pending(w->s)->function, "return_from_block");
    assert_stored(w, "");
}

static void goto_rolls_the_block_back_and_raises_abandoned(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        goto out;
    }
    fail();
out:
    assert_status(w->s, BELAY_ABANDONED);
    assert_stored(w, "");
}

static void work_is_never_lost_in_silence(void **state)
{
    world *w = *state;
    return_from_block(w->s);
    BELAY_ATOMIC(w->s)
        put(w->s, 2);
    assert_status(w->s, BELAY_OK);
    assert_code(belay_unread(w->s)->code, BELAY_ABANDONED);
    assert_contains(database_log(&w->d), "ABANDONED");
    assert_stored(w, "2");
}

static void an_inner_block_that_was_abandoned_can_be_caught_outside_it(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        BELAY_ATOMIC_WITH(w->s, .name = "inner") {
            put(w->s, 2);
            break;
        }
        assert_code(belay_status(w->s), BELAY_ABANDONED);
        assert_true(belay_catch(w->s, BELAY_ABANDONED));
        assert_string_equal(belay_caught(w->s)->scope, "inner");
        put(w->s, 3);
    }
    assert_status(w->s, BELAY_OK);
    assert_stored(w, "1;3");
}

static void leave_two_blocks(belay_session *s, bool by_goto)
{
    BELAY_ATOMIC(s) {
        put(s, 1);
        BELAY_ATOMIC_WITH(s, .name = "the inner one") {
            put(s, 2);
            if (by_goto)
                goto out;
            return;
        }
    }
out:
    return;
}

static void leaving_two_blocks_at_once_rolls_both_back(void **state)
{
    world *w = *state;
    for (int by_goto = 0; by_goto < 2; by_goto++) {
        leave_two_blocks(w->s, by_goto);
        assert_int_equal(belay_depth(w->s), 0);
        assert_status(w->s, BELAY_ABANDONED);
        assert_string_equal(belay_pending(w->s)->scope, "the inner one");
        assert_stored(w, "");
    }
}

static void leaving_a_read_only_block_raises_nothing(void **state)
{
    world *w = *state;
    BELAY_READ(w->s) {
        assert_seen(w->s, "");
        break;
    }
    assert_code(belay_unread(w->s)->code, BELAY_OK);
    assert_status(w->s, BELAY_OK);
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        BELAY_READ(w->s)
            break;
        assert_status(w->s, BELAY_OK);
    }
    assert_stored(w, "1");
}

static void leaving_a_block_after_undo_raises_nothing(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        belay_undo(w->s);
        break;
    }
    assert_status(w->s, BELAY_ROLLED_BACK);
    assert_stored(w, "");
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        BELAY_ATOMIC(w->s) {
            put(w->s, 2);
            belay_undo(w->s);
            break;
        }
        assert_status(w->s, BELAY_OK);
    }
    assert_stored(w, "1");
}

static void leaving_a_block_with_an_error_pending_keeps_that_error(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        clash(w->s);
        break;
    }
    assert_status(w->s, BELAY_UNIQUE);
    assert_string_equal(belay_pending(w->s)->table,
                        on_engine(&w->d, "taken", "taken", "")); /* MariaDB names the key only */
}

/* ---- Among the program's own loops ------------------------------------------------------------------- */

static void break_in_a_loop_inside_a_block_leaves_the_loop_only(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        for (int i = 1; i <= 5; i++) {
            if (i == 3)
                break;
            put(w->s, i);
        }
        switch (belay_depth(w->s)) {
        case 1:
            put(w->s, 9);
            break;
        default:
            break;
        }
    }
    assert_status(w->s, BELAY_OK);
    assert_stored(w, "1;2;9");
}

static void break_and_continue_in_a_block_inside_a_loop_leave_the_block_only(void **state)
{
    world *w = *state;
    int rounds = 0;
    for (int i = 1; i <= 4; i++) {
        rounds++;
        BELAY_ATOMIC(w->s) {
            put(w->s, i);
            if (i == 2)
                break;
            if (i == 3)
                continue;
            put(w->s, 10 * i);
        }
    }
    assert_int_equal(rounds, 4);
    assert_stored(w, "1;3;4;10;40");
}

/* ---- Where they stand ---------------------------------------------------------------------------------- */

static void a_block_tells_where_it_stands(void **state)
{
    world *w = *state;
    assert_false(belay_in_transaction(w->s));
    assert_int_equal(belay_attempt(w->s), 0);
    BELAY_ATOMIC(w->s) {
        assert_true(belay_in_transaction(w->s)); /* although nothing was sent */
        assert_int_equal(belay_depth(w->s), 1);
        assert_int_equal(belay_attempt(w->s), 1);
        BELAY_ATOMIC(w->s)
            assert_int_equal(belay_depth(w->s), 2);
        assert_int_equal(belay_depth(w->s), 1);
    }
    assert_false(belay_in_transaction(w->s));
    assert_int_equal(belay_attempt(w->s), 0);
}

static void a_transaction_of_one_session_is_none_of_another(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        assert_int_equal(belay_depth(w->other), 0);
        assert_false(belay_in_transaction(w->other));
        assert_stored(w, "");
    }
    assert_stored(w, "1");
}

static void a_pipelined_scope_does_what_it_does_without(void **state)
{
    world *w = *state;
    BELAY_ATOMIC_WITH(w->s, .pipeline = true) {
        put(w->s, 1);
        belay_try(w->s, "INSERT INTO taken VALUES (1)");
        put(w->s, 2);
    }
    assert_status(w->s, BELAY_OK);
    BELAY_ATOMIC_WITH(w->s, .pipeline = true) {
        put(w->s, 3);
        clash(w->s);
        put(w->s, 4);
    }
    assert_status(w->s, BELAY_UNIQUE);
    assert_stored(w, "1;2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(falling_off_the_end_of_a_block_commits),
        in_world(continue_in_a_block_commits),
        in_world(a_block_may_be_a_single_statement),
        in_world(blocks_in_a_row_each_commit_on_their_own),
        in_world(an_empty_block_does_nothing),
        in_world(statements_after_a_failed_one_are_not_sent),
        in_world(break_rolls_the_block_back_and_raises_abandoned),
        in_world(return_rolls_the_block_back_and_raises_abandoned),
        in_world(goto_rolls_the_block_back_and_raises_abandoned),
        in_world(work_is_never_lost_in_silence),
        in_world(an_inner_block_that_was_abandoned_can_be_caught_outside_it),
        in_world(leaving_two_blocks_at_once_rolls_both_back),
        in_world(leaving_a_read_only_block_raises_nothing),
        in_world(leaving_a_block_after_undo_raises_nothing),
        in_world(leaving_a_block_with_an_error_pending_keeps_that_error),
        in_world(break_in_a_loop_inside_a_block_leaves_the_loop_only),
        in_world(break_and_continue_in_a_block_inside_a_loop_leave_the_block_only),
        in_world(a_block_tells_where_it_stands),
        in_world(a_transaction_of_one_session_is_none_of_another),
        in_world(a_pipelined_scope_does_what_it_does_without),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
