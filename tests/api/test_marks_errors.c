/*
 * Named marks while an error is pending, and after belay_undo.
 */
#include "support.h"

static void going_back_clears_an_ordinary_error_that_arose_after_the_mark(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        belay_savepoint(w->s, "a");
        put(w->s, 2);
        clash(w->s);
        assert_code(put(w->s, 3), BELAY_UNIQUE);
        assert_code(belay_rollback_to(w->s, "a"), BELAY_OK);
        assert_code(belay_status(w->s), BELAY_OK);
        BELAY_ATOMIC(w->s)
            clash(w->s);
        assert_code(belay_rollback_to(w->s, "a"), BELAY_OK); /* also one out of an inner scope */
        put(w->s, 4);
    }
    assert_status(w->s, BELAY_OK);
    assert_stored(w, "1;4");
}

static void going_back_never_clears_an_error_that_ended_the_transaction(void **state)
{
    world *w = *state;
    for (int own = 0; own < (database_is_sqlite(&w->d) ? 2 : 1); own++) {
        BELAY_ATOMIC(w->s) {
            put(w->s, 1);
            belay_savepoint(w->s, "a");
            belay_code code = own ? belay_exec(w->s, "INSERT OR ROLLBACK INTO taken VALUES (1)")
                                  : belay_fail(w->s, BELAY_DEADLOCK, "as if");
            assert_code(belay_rollback_to(w->s, "a"), code);
            assert_code(put(w->s, 2), code);
        }
        assert_stored(w, "");
    }
}

static void a_mark_set_while_an_error_is_pending_can_not_be_gone_back_to(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        belay_savepoint(w->s, "a");
        clash(w->s);
        assert_code(belay_savepoint(w->s, "a"), BELAY_UNIQUE);
        assert_code(belay_rollback_to(w->s, "a"), BELAY_UNIQUE); /* else the older mark would clear the error */
        assert_code(put(w->s, 2), BELAY_UNIQUE);
    }
    assert_status(w->s, BELAY_UNIQUE);
    assert_stored(w, "");
}

static void names_follow_the_text_while_an_error_is_pending(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        belay_savepoint(w->s, "a");
        clash(w->s);
        belay_savepoint(w->s, "a");
        assert_code(belay_release(w->s, "a"), BELAY_UNIQUE); /* uncovers the older one */
        assert_code(belay_rollback_to(w->s, "a"), BELAY_OK);
        put(w->s, 2);
    }
    assert_stored(w, "1;2");
    BELAY_ATOMIC(w->s) {
        belay_savepoint(w->s, "a");
        clash(w->s);
        belay_release(w->s, "a"); /* refused, and forgets the mark */
        assert_code(belay_rollback_to(w->s, "a"), BELAY_UNIQUE);
    }
    assert_status(w->s, BELAY_UNIQUE);
}

static void an_error_from_before_an_inner_mark_is_not_cleared_by_it(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        BELAY_ATOMIC(w->s)
            clash(w->s);
        belay_savepoint(w->s, "after");
        assert_code(belay_rollback_to(w->s, "after"), BELAY_UNIQUE);
    }
    assert_status(w->s, BELAY_UNIQUE);
}

static void marks_in_a_scope_that_was_undone_are_refused(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        belay_savepoint(w->s, "a");
        belay_undo(w->s);
        assert_code(belay_savepoint(w->s, "b"), BELAY_ROLLED_BACK);
        assert_code(belay_release(w->s, "b"), BELAY_ROLLED_BACK);
        assert_code(belay_release(w->s, "a"), BELAY_ROLLED_BACK);
    }
    assert_status(w->s, BELAY_ROLLED_BACK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(going_back_clears_an_ordinary_error_that_arose_after_the_mark),
        in_world(going_back_never_clears_an_error_that_ended_the_transaction),
        in_world(a_mark_set_while_an_error_is_pending_can_not_be_gone_back_to),
        in_world(names_follow_the_text_while_an_error_is_pending),
        in_world(an_error_from_before_an_inner_mark_is_not_cleared_by_it),
        in_world(marks_in_a_scope_that_was_undone_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
