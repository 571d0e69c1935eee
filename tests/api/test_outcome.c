/*
 * The status after every way to end, what became of the work, the first error,
 * and errors of the program's own.
 */
#include "support.h"

/* ---- The status ---------------------------------------------------------------------------------------- */

static void the_status_is_how_the_last_outermost_scope_ended(void **state)
{
    world *w = *state;
    assert_status(w->s, BELAY_OK); /* nothing has run */
    clash(w->s);
    assert_status(w->s, BELAY_UNIQUE);
    assert_status(w->s, BELAY_UNIQUE); /* reading it doesn't change it */
    put(w->s, 1);
    assert_status(w->s, BELAY_OK);
    BELAY_ATOMIC(w->s)
        belay_undo(w->s);
    assert_status(w->s, BELAY_ROLLED_BACK);
    BELAY_READ(w->s)
        belay_int_of(w->s, "SELECT 1");
    assert_status(w->s, BELAY_OK);
    belay_commit(w->s);
    assert_status(w->s, BELAY_MISUSE);
    BELAY_ATOMIC(w->s) {
    }
    assert_status(w->s, BELAY_OK);
}

static void in_a_scope_the_status_is_the_pending_error(void **state)
{
    world *w = *state;
    clash(w->s);
    BELAY_ATOMIC(w->s) {
        assert_code(belay_status(w->s), BELAY_OK); /* what was before is not pending here */
        clash(w->s);
        assert_code(belay_status(w->s), BELAY_UNIQUE);
        assert_code(belay_pending(w->s)->code, BELAY_UNIQUE);
    }
}

static void reading_the_status_in_a_scope_says_what_will_happen_not_what_happened(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        clash(w->s);
        assert_int_equal(belay_pending(w->s)->outcome, BELAY_WORK_OPEN);
    }
    assert_int_equal(belay_pending(w->s)->outcome, BELAY_WORK_ROLLED_BACK);
    BELAY_ATOMIC(w->s)
        put(w->s, 1);
    assert_int_equal(belay_pending(w->s)->outcome, BELAY_WORK_COMMITTED);
    BELAY_ATOMIC(w->s)
        belay_undo(w->s);
    assert_int_equal(belay_pending(w->s)->outcome, BELAY_WORK_ROLLED_BACK);
}

static void an_error_out_of_an_inner_scope_is_open_until_the_outermost_ends(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        BELAY_ATOMIC(w->s)
            clash(w->s);
        assert_int_equal(belay_pending(w->s)->outcome, BELAY_WORK_OPEN);
        belay_ignore(w->s, BELAY_ANY);
        assert_int_equal(belay_caught(w->s)->outcome, BELAY_WORK_ROLLED_BACK);
    }
    assert_int_equal(belay_pending(w->s)->outcome, BELAY_WORK_COMMITTED);
}

static void a_commit_that_the_engine_refuses_is_the_scopes_error(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    belay_exec(w->s, "CREATE TABLE child(id REFERENCES taken(id) DEFERRABLE INITIALLY DEFERRED)");
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        belay_exec(w->s, "INSERT INTO child VALUES (77)");
        assert_code(belay_status(w->s), BELAY_OK);
    }
    assert_status(w->s, BELAY_FOREIGN_KEY);
    assert_int_equal(belay_pending(w->s)->outcome, BELAY_WORK_ROLLED_BACK);
    assert_stored(w, "");
    belay_begin(w->s, NULL);
    belay_exec(w->s, "INSERT INTO child VALUES (77)");
    assert_code(belay_commit(w->s), BELAY_FOREIGN_KEY);
    assert_int_equal(belay_depth(w->s), 0);
    assert_code(put(w->s, 2), BELAY_OK);
}

/* ---- The first error ------------------------------------------------------------------------------------- */

static void the_first_error_wins_and_a_later_one_never_takes_its_place(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        clash(w->s);
        assert_code(belay_fail(w->s, BELAY_DEADLOCK, "second"), BELAY_UNIQUE);
        assert_code(belay_exec(w->s, NULL), BELAY_UNIQUE);
        assert_code(belay_commit(w->s), BELAY_UNIQUE); /* misuse of a block's scope, but the first error is returned */
        assert_code(belay_status(w->s), BELAY_UNIQUE);
        belay_begin(w->s, NULL); /* left open: misuse */
    }
    assert_status(w->s, BELAY_UNIQUE);
    BELAY_ATOMIC(w->s) {
        belay_fail(w->s, BELAY_STALE, "first");
        belay_fail(w->s, BELAY_STALE, "second");
        break;
    }
    assert_status(w->s, BELAY_STALE);
    assert_string_equal(belay_pending(w->s)->message, "first");
}

static void the_first_error_wins_over_what_the_engine_says_later(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        BELAY_ATOMIC(w->s) {
            belay_exec(w->s, "INSERT OR ROLLBACK INTO taken VALUES (1)");
            /* ROLLBACK TO would be "no such savepoint" and ROLLBACK "no transaction is active" */
        }
    }
    assert_status(w->s, BELAY_UNIQUE);
    assert_contains(belay_message(w->s), "taken.id");
}

/* ---- belay_fail ------------------------------------------------------------------------------------------- */

static void fail_raises_an_error_of_the_programs_own(void **state)
{
    world *w = *state;
    int line = 0;
    BELAY_ATOMIC_WITH(w->s, .name = "transfer") {
        put(w->s, 1);
        line = __LINE__ + 1;
        assert_code(belay_fail(w->s, BELAY_APPLICATION, "only %d of %s", 3, "ten"), BELAY_APPLICATION);
        assert_code(put(w->s, 2), BELAY_APPLICATION);
    }
    const belay_error *error = belay_pending(w->s);
    assert_string_equal(error->message, "only 3 of ten");
    assert_string_equal(error->scope, "transfer");
    assert_string_equal(error->function, __func__);
    assert_int_equal(error->line, line);
    assert_int_equal(error->attempt, 1);
    assert_stored(w, "");
}

static void fail_takes_every_code_of_an_error_and_any_is_never_one(void **state)
{
    world *w = *state;
    for (int code = BELAY_OK; code <= BELAY_ANY + 1; code++) {
        bool is_error = code != BELAY_OK && code != BELAY_ROLLED_BACK && code < BELAY_ANY;
        belay_code wanted = is_error ? (belay_code)code : BELAY_MISUSE;
        BELAY_ATOMIC(w->s) {
            put(w->s, 1);
            assert_code(belay_fail(w->s, (belay_code)code, "x"), wanted);
        }
        assert_status(w->s, wanted);
    }
    assert_stored(w, "");
}

static void fail_outside_all_scopes_becomes_the_status(void **state)
{
    world *w = *state;
    assert_code(belay_fail(w->s, BELAY_NOT_FOUND, "nobody there"), BELAY_NOT_FOUND);
    assert_status(w->s, BELAY_NOT_FOUND);
    assert_code(put(w->s, 1), BELAY_OK);
}

/* ---- belay_raise ------------------------------------------------------------------------------------------ */

static void raise_raises_an_error_again_as_it_was(void **state)
{
    world *w = *state;
    int line = 0;
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        BELAY_ATOMIC_WITH(w->s, .name = "inner") {
            line = __LINE__ + 1;
            belay_exec(w->s, "INSERT INTO taken VALUES (1)");
        }
        assert_true(belay_catch(w->s, BELAY_INTEGRITY));
        assert_code(belay_raise(w->s, belay_caught(w->s)), BELAY_UNIQUE);
        assert_false(belay_catch(w->s, BELAY_ANY)); /* it is this scope's own now */
    }
    const belay_error *error = belay_pending(w->s);
    assert_code(error->code, BELAY_UNIQUE);
    assert_int_equal(error->line, line);
    assert_string_equal(error->table, on_engine(&w->d, "taken", "taken", "")); /* MariaDB names the key only */
    assert_string_equal(error->scope, "inner");
    assert_int_equal(error->outcome, BELAY_WORK_ROLLED_BACK);
    assert_stored(w, "");
}

static void raise_follows_the_rules_of_fail(void **state)
{
    world *w = *state;
    belay_error error = {.code = BELAY_STALE, .message = "copied"};
    assert_code(belay_raise(w->s, &error), BELAY_STALE); /* outside all scopes: the status */
    assert_status(w->s, BELAY_STALE);
    BELAY_ATOMIC(w->s) {
        assert_code(belay_raise(w->s, &error), BELAY_STALE);
        error.message[0] = 'X';
        error.code = BELAY_DEADLOCK;
        assert_code(belay_raise(w->s, &error), BELAY_STALE); /* an earlier error wins */
        assert_string_equal(belay_pending(w->s)->message, "copied");
    }
    for (int code = BELAY_OK; code <= BELAY_ANY + 1; code++) {
        error.code = (belay_code)code;
        bool is_error = code != BELAY_OK && code != BELAY_ROLLED_BACK && code < BELAY_ANY;
        BELAY_ATOMIC(w->s)
            assert_code(belay_raise(w->s, &error), is_error ? (belay_code)code : BELAY_MISUSE);
    }
    assert_code(belay_raise(w->s, NULL), BELAY_MISUSE);
    assert_code(belay_raise(NULL, &error), BELAY_MISUSE);
}

static void an_error_that_ended_a_transaction_ends_the_one_it_is_raised_in(void **state)
{
    world *w = *state;
    int runs = 0;
    BELAY_ATOMIC(w->s)
        belay_fail(w->s, BELAY_SERIALIZATION, "first");
    belay_error error = *belay_pending(w->s);
    BELAY_ATOMIC_WITH(w->s, .retries = 1, .backoff_ms = 1) {
        runs++;
        BELAY_ATOMIC(w->s)
            belay_raise(w->s, &error);
        assert_false(belay_catch(w->s, BELAY_ANY));
    }
    assert_int_equal(runs, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(the_status_is_how_the_last_outermost_scope_ended),
        in_world(in_a_scope_the_status_is_the_pending_error),
        in_world(reading_the_status_in_a_scope_says_what_will_happen_not_what_happened),
        in_world(an_error_out_of_an_inner_scope_is_open_until_the_outermost_ends),
        in_world(a_commit_that_the_engine_refuses_is_the_scopes_error),
        in_world(the_first_error_wins_and_a_later_one_never_takes_its_place),
        in_world(the_first_error_wins_over_what_the_engine_says_later),
        in_world(fail_raises_an_error_of_the_programs_own),
        in_world(fail_takes_every_code_of_an_error_and_any_is_never_one),
        in_world(fail_outside_all_scopes_becomes_the_status),
        in_world(raise_raises_an_error_again_as_it_was),
        in_world(raise_follows_the_rules_of_fail),
        in_world(an_error_that_ended_a_transaction_ends_the_one_it_is_raised_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
