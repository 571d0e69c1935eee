/*
 * Which error can be caught, where, and until when.
 */
#include "support.h"

#include <stdlib.h>

/* Leaves an error pending that came out of an inner scope. */
static void hurt(belay_session *s)
{
    BELAY_ATOMIC(s) {
        put(s, 100);
        clash(s);
    }
}

/* ---- What can be caught --------------------------------------------------------------------------------- */

static void an_error_out_of_an_inner_scope_can_be_caught_once(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        hurt(w->s);
        assert_true(belay_catch(w->s, BELAY_UNIQUE));
        assert_code(belay_status(w->s), BELAY_OK);
        assert_false(belay_catch(w->s, BELAY_UNIQUE));
        assert_code(belay_caught(w->s)->code, BELAY_UNIQUE);
        put(w->s, 1);
    }
    assert_status(w->s, BELAY_OK);
    assert_stored(w, "1");
}

static void a_code_its_class_and_any_cover_an_error_and_others_do_not(void **state)
{
    static const belay_code covering[] = {BELAY_UNIQUE, BELAY_INTEGRITY, BELAY_ANY};
    static const belay_code others[] = {BELAY_CHECK,       BELAY_OK,          BELAY_ROLLED_BACK,
                                        BELAY_MISUSE,      BELAY_APPLICATION, BELAY_SYNTAX,
                                        BELAY_FOREIGN_KEY, (belay_code)-1,    (belay_code)9999};
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        for (size_t i = 0; i < sizeof covering / sizeof covering[0]; i++) {
            hurt(w->s);
            for (size_t j = 0; j < sizeof others / sizeof others[0]; j++)
                assert_false(belay_catch(w->s, others[j]));
            assert_code(belay_status(w->s), BELAY_UNIQUE); /* asking in vain changes nothing */
            assert_true(belay_catch(w->s, covering[i]));
        }
    }
    assert_status(w->s, BELAY_OK);
}

static void ignore_is_catch_without_wanting_to_know(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        hurt(w->s);
        belay_ignore(w->s, BELAY_CHECK);
        assert_code(belay_status(w->s), BELAY_UNIQUE);
        belay_ignore(w->s, BELAY_INTEGRITY);
        assert_code(belay_status(w->s), BELAY_OK);
        belay_ignore(w->s, BELAY_ANY);
    }
    assert_status(w->s, BELAY_OK);
}

static void caught_is_never_null_and_stays_until_the_next_error_is_caught(void **state)
{
    world *w = *state;
    assert_non_null(belay_caught(w->s));
    assert_code(belay_caught(w->s)->code, BELAY_OK);
    BELAY_ATOMIC(w->s) {
        hurt(w->s);
        belay_ignore(w->s, BELAY_ANY);
        put(w->s, 1);
    }
    BELAY_ATOMIC(w->s)
        put(w->s, 2);
    assert_code(belay_caught(w->s)->code, BELAY_UNIQUE);
    assert_int_equal(belay_caught(w->s)->outcome, BELAY_WORK_ROLLED_BACK);
    assert_string_equal(belay_caught(w->s)->table,
                        on_engine(&w->d, "taken", "taken", "")); /* MariaDB names the key only */
    BELAY_ATOMIC(w->s) {
        BELAY_ATOMIC(w->s)
            belay_fail(w->s, BELAY_STALE, "too old");
        belay_ignore(w->s, BELAY_ANY);
    }
    assert_code(belay_caught(w->s)->code, BELAY_STALE);
}

static void nothing_can_be_caught_where_nothing_failed(void **state)
{
    world *w = *state;
    assert_false(belay_catch(w->s, BELAY_ANY));
    BELAY_ATOMIC(w->s) {
        assert_false(belay_catch(w->s, BELAY_ANY));
        BELAY_ATOMIC(w->s)
            belay_undo(w->s);
        assert_false(belay_catch(w->s, BELAY_ANY));
        assert_false(belay_catch(w->s, BELAY_ROLLED_BACK));
    }
    assert_status(w->s, BELAY_OK);
}

static void an_error_in_the_scope_itself_can_not_be_caught_there(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        clash(w->s);
        assert_false(belay_catch(w->s, BELAY_ANY));
        assert_code(belay_status(w->s), BELAY_UNIQUE);
    }
    BELAY_ATOMIC(w->s) {
        belay_fail(w->s, BELAY_APPLICATION, "no");
        assert_false(belay_catch(w->s, BELAY_ANY));
    }
    assert_status(w->s, BELAY_APPLICATION);
    assert_stored(w, "");
}

/* ---- Until when ---------------------------------------------------------------------------------------------- */

static int do_nothing(belay_session *s, void *arg)
{
    (void)s;
    (void)arg;
    return 0;
}

enum { CALLS = 13 };

static void call(belay_session *s, int which)
{
    switch (which) {
    case 0:
        put(s, 1);
        break;
    case 1:
        belay_try(s, "INSERT INTO item(id) VALUES (1)");
        break;
    case 2:
        belay_rows_close(belay_query(s, "SELECT 1"));
        break;
    case 3:
        belay_rows_close(belay_stream(s, "SELECT 1"));
        break;
    case 4:
        belay_int_of(s, "SELECT 1");
        break;
    case 5:
        belay_savepoint(s, "mark");
        break;
    case 6:
        belay_release(s, "mark");
        break;
    case 7:
        belay_rollback_to(s, "no such mark");
        break;
    case 8:
        belay_on_commit(s, do_nothing, NULL, NULL);
        break;
    case 9:
        belay_before_commit(s, do_nothing, NULL, NULL);
        break;
    case 10:
        belay_atomic(s, NULL, do_nothing, NULL);
        break;
    case 11:
        BELAY_ATOMIC(s)
            put(s, 1);
        break;
    default:
        belay_begin(s, NULL);
        belay_commit(s);
        break;
    }
}

static void once_a_call_was_refused_the_error_can_never_be_caught_in_that_scope(void **state)
{
    world *w = *state;
    for (int i = 0; i < CALLS; i++) {
        BELAY_ATOMIC(w->s) {
            put(w->s, 50);
            hurt(w->s);
            call(w->s, i);
            assert_false(belay_catch(w->s, BELAY_ANY));
        }
        assert_status(w->s, BELAY_UNIQUE);
        assert_stored(w, "");
    }
}

static void asking_where_one_stands_does_not_make_an_error_the_scopes_own(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        hurt(w->s);
        assert_code(belay_status(w->s), BELAY_UNIQUE);
        assert_non_null(belay_message(w->s));
        assert_code(belay_pending(w->s)->code, BELAY_UNIQUE);
        assert_int_equal(belay_depth(w->s), 1);
        assert_int_equal(belay_attempt(w->s), 1);
        assert_true(belay_in_transaction(w->s));
        assert_non_null(belay_caught(w->s));
        assert_non_null(belay_unread(w->s));
        assert_int_equal(belay_changes(w->s), 0);
        assert_int_equal(belay_hook_errors(w->s), 0);
        belay_on_rollback(w->s, do_nothing, NULL, NULL);
        assert_true(belay_catch(w->s, BELAY_UNIQUE));
    }
    assert_status(w->s, BELAY_OK);
}

static void asking_for_the_isolation_does_not_make_an_error_the_scopes_own(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        hurt(w->s);
        belay_isolation(w->s);
        assert_true(belay_catch(w->s, BELAY_UNIQUE));
    }
    assert_status(w->s, BELAY_OK);
}

static void an_error_that_was_refused_in_an_inner_scope_can_still_be_caught_outside_it(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        BELAY_ATOMIC(w->s) {
            hurt(w->s);
            put(w->s, 2);
            assert_false(belay_catch(w->s, BELAY_ANY));
        }
        assert_true(belay_catch(w->s, BELAY_UNIQUE));
    }
    assert_stored(w, "1");
}

/* ---- What ends the transaction ---------------------------------------------------------------------------------- */

static void an_error_that_ended_the_transaction_is_never_caught_inside_it(void **state)
{
    static const belay_code codes[] = {BELAY_DEADLOCK, BELAY_SERIALIZATION, BELAY_CONNECTION,
                                       BELAY_TOO_MANY, BELAY_IN_DOUBT,      BELAY_CORRUPT};
    world *w = *state;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        BELAY_ATOMIC(w->s) {
            put(w->s, 1);
            BELAY_ATOMIC(w->s) {
                BELAY_ATOMIC(w->s)
                    belay_fail(w->s, codes[i], "as if the engine had said so");
                assert_false(belay_catch(w->s, BELAY_ANY));
            }
            assert_false(belay_catch(w->s, codes[i]));
            assert_code(put(w->s, 2), codes[i]);
        }
        assert_true(belay_catch(w->s, codes[i])); /* only after the outermost scope */
        assert_status(w->s, BELAY_OK);
        assert_stored(w, "");
    }
}

static void an_engine_that_rolled_back_on_its_own_is_never_caught_inside(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        BELAY_ATOMIC(w->s) {
            put(w->s, 2);
            assert_code(belay_exec(w->s, "INSERT OR ROLLBACK INTO taken VALUES (1)"), BELAY_UNIQUE);
        }
        assert_false(belay_catch(w->s, BELAY_ANY));
        assert_code(put(w->s, 3), BELAY_UNIQUE); /* would be outside any transaction */
    }
    assert_true(belay_catch(w->s, BELAY_UNIQUE));
    assert_stored(w, "");
}

static void a_begin_that_failed_is_never_caught_inside(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    void *lock = hold_write_lock(w);
    BELAY_ATOMIC_WITH(w->s, .lock_timeout_ms = 20) {
        BELAY_ATOMIC(w->s)
            put(w->s, 1);
        assert_false(belay_catch(w->s, BELAY_ANY));
    }
    let_go(lock);
    assert_true(belay_catch(w->s, BELAY_LOCK_TIMEOUT));
}

static void a_lock_timeout_or_busy_can_be_caught(void **state)
{
    static const belay_code codes[] = {BELAY_LOCK_TIMEOUT, BELAY_BUSY, BELAY_TIMEOUT, BELAY_CANCELLED, BELAY_MISUSE};
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
            BELAY_ATOMIC(w->s)
                belay_fail(w->s, codes[i], "no luck");
            assert_true(belay_catch(w->s, codes[i]));
        }
    }
    assert_status(w->s, BELAY_OK);
    assert_stored(w, "1");
}

/* ---- Outside all scopes ----------------------------------------------------------------------------------------- */

static void outside_all_scopes_the_error_of_the_last_one_is_caught(void **state)
{
    world *w = *state;
    hurt(w->s);
    assert_false(belay_catch(w->s, BELAY_CHECK));
    assert_true(belay_catch(w->s, BELAY_INTEGRITY));
    assert_status(w->s, BELAY_OK);
    assert_false(belay_catch(w->s, BELAY_ANY));
    clash(w->s); /* a scope of one statement */
    assert_true(belay_catch(w->s, BELAY_UNIQUE));
    belay_fail(w->s, BELAY_APPLICATION, "outside");
    assert_true(belay_catch(w->s, BELAY_ANY));
    belay_commit(w->s);
    assert_true(belay_catch(w->s, BELAY_MISUSE));
    assert_code(belay_unread(w->s)->code, BELAY_OK);
    assert_code(belay_session_close(w->s), BELAY_OK);
    w->s = w->d.s = NULL;
}

static void statements_work_again_after_a_failed_scope_without_catching(void **state)
{
    world *w = *state;
    hurt(w->s);
    assert_code(put(w->s, 1), BELAY_OK);
    assert_status(w->s, BELAY_OK);
    assert_stored(w, "1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(an_error_out_of_an_inner_scope_can_be_caught_once),
        in_world(a_code_its_class_and_any_cover_an_error_and_others_do_not),
        in_world(ignore_is_catch_without_wanting_to_know),
        in_world(caught_is_never_null_and_stays_until_the_next_error_is_caught),
        in_world(nothing_can_be_caught_where_nothing_failed),
        in_world(an_error_in_the_scope_itself_can_not_be_caught_there),
        in_world(once_a_call_was_refused_the_error_can_never_be_caught_in_that_scope),
        in_world(asking_where_one_stands_does_not_make_an_error_the_scopes_own),
        in_world(asking_for_the_isolation_does_not_make_an_error_the_scopes_own),
        in_world(an_error_that_was_refused_in_an_inner_scope_can_still_be_caught_outside_it),
        in_world(an_error_that_ended_the_transaction_is_never_caught_inside_it),
        in_world(an_engine_that_rolled_back_on_its_own_is_never_caught_inside),
        in_world(a_begin_that_failed_is_never_caught_inside),
        in_world(a_lock_timeout_or_busy_can_be_caught),
        in_world(outside_all_scopes_the_error_of_the_last_one_is_caught),
        in_world(statements_work_again_after_a_failed_scope_without_catching),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
