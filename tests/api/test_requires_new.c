/* A transaction of its own inside another: BELAY_REQUIRES_NEW. */
#include "support.h"

#include <string.h>

#define NEW .propagation = BELAY_REQUIRES_NEW

static void a_new_transaction_commits_alone_inside_a_read_only_one(void **state)
{
    world *w = *state;
    BELAY_READ(w->s) {
        assert_seen(w->s, "");
        BELAY_ATOMIC_WITH(w->s, NEW) {
            put(w->s, 1);
            assert_int_equal(belay_depth(w->s), 2);
        }
        assert_stored(w, "1");
        assert_int_equal(belay_depth(w->s), 1);
        assert_seen(w->s, ""); /* the snapshot of the one around */
        belay_fail(w->s, BELAY_APPLICATION, "the one around fails");
    }
    assert_code(belay_status(w->s), BELAY_APPLICATION);
    assert_stored(w, "1");
}

static void its_error_can_be_caught_outside_whatever_it_is(void **state)
{
    world *w = *state;
    BELAY_READ(w->s) {
        BELAY_ATOMIC_WITH(w->s, NEW) {
            put(w->s, 1);
            belay_fail(w->s, BELAY_DEADLOCK, "it was the victim");
        }
        assert_code(belay_status(w->s), BELAY_DEADLOCK);
        assert_true(belay_catch(w->s, BELAY_DEADLOCK));
        assert_int_equal(belay_caught(w->s)->outcome, BELAY_WORK_ROLLED_BACK);
        assert_seen(w->s, "");
    }
    assert_code(belay_status(w->s), BELAY_OK);
    assert_stored(w, "");
}

static void inside_a_scope_that_may_write_it_is_misuse_that_names_the_scope(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    bool ran = false;
    BELAY_ATOMIC_WITH(w->s, .name = "around") {
        put(w->s, 1);
        BELAY_ATOMIC_WITH(w->s, NEW) {
            ran = true;
        }
        assert_true(belay_catch(w->s, BELAY_MISUSE));
        assert_non_null(strstr(belay_caught(w->s)->message, "around"));
        put(w->s, 2);
    }
    assert_false(ran);
    assert_code(belay_status(w->s), BELAY_OK);
    assert_stored(w, "1;2");
}

static void a_pool_without_a_connection_left_refuses_it_at_once(void **state)
{
    world *w = *state;
    belay_db *db = open_again(w, BELAY_DB_OPTIONS(.pool_size = 1));
    belay_session *s = belay_session_open(db);
    bool ran = false;
    BELAY_READ(s) {
        BELAY_ATOMIC_WITH(s, NEW) {
            ran = true;
        }
        assert_true(belay_catch(s, BELAY_MISUSE));
        assert_non_null(strstr(belay_caught(s)->message, "the pool has 1"));
    }
    assert_false(ran);
    assert_code(belay_session_close(s), BELAY_OK);
    belay_close(db);
}

static void outermost_it_is_an_ordinary_transaction(void **state)
{
    world *w = *state;
    BELAY_ATOMIC_WITH(w->s, NEW) {
        put(w->s, 1);
        BELAY_ATOMIC(w->s) {
            put(w->s, 2);
        }
    }
    assert_code(belay_status(w->s), BELAY_OK);
    assert_stored(w, "1;2");
}

typedef struct heard {
    int runs;
    belay_code exec;
} heard;

static int use_session(belay_session *s, void *arg)
{
    heard *h = arg;
    h->runs++;
    h->exec = put(s, 7);
    return 0;
}

static void its_hooks_run_at_its_end_and_cannot_use_the_session(void **state)
{
    world *w = *state;
    heard h = {0};
    BELAY_READ(w->s) {
        BELAY_ATOMIC_WITH(w->s, NEW) {
            put(w->s, 1);
            belay_on_commit(w->s, use_session, &h, NULL);
        }
        assert_int_equal(h.runs, 1);
        assert_code(h.exec, BELAY_MISUSE);
        assert_code(belay_status(w->s), BELAY_OK);
    }
    assert_int_equal(belay_hook_errors(w->s), 1);
    assert_stored(w, "1");
}

static void one_left_by_break_is_abandoned_and_the_scope_around_is_told(void **state)
{
    world *w = *state;
    BELAY_READ(w->s) {
        BELAY_ATOMIC_WITH(w->s, NEW) {
            put(w->s, 1);
            break;
        }
        assert_true(belay_catch(w->s, BELAY_ABANDONED));
    }
    assert_code(belay_status(w->s), BELAY_OK);
    assert_stored(w, "");
}

static void one_left_open_is_rolled_back_with_the_block_around_it(void **state)
{
    world *w = *state;
    BELAY_READ(w->s) {
        belay_begin(w->s, BELAY_SCOPE_OPTIONS(NEW));
        put(w->s, 1);
    }
    assert_code(belay_status(w->s), BELAY_MISUSE);
    assert_int_equal(belay_depth(w->s), 0);
    assert_stored(w, "");
}

static void explicit_calls_end_the_new_transaction_and_then_the_one_around(void **state)
{
    world *w = *state;
    belay_begin(w->s, BELAY_SCOPE_OPTIONS(.read_only = true));
    belay_begin(w->s, BELAY_SCOPE_OPTIONS(NEW));
    belay_begin(w->s, NULL);
    put(w->s, 1);
    assert_code(belay_commit(w->s), BELAY_OK);
    assert_code(belay_commit(w->s), BELAY_OK);
    assert_stored(w, "1");
    assert_code(put(w->s, 2), BELAY_READ_ONLY);
    assert_code(belay_commit(w->s), BELAY_READ_ONLY);
    assert_stored(w, "1");
}

static void closing_the_session_rolls_back_both(void **state)
{
    world *w = *state;
    belay_session *s = belay_session_open(w->d.db);
    belay_begin(s, BELAY_SCOPE_OPTIONS(.read_only = true));
    belay_begin(s, BELAY_SCOPE_OPTIONS(NEW));
    put(s, 1);
    assert_code(belay_session_close(s), BELAY_ABANDONED);
    assert_stored(w, "");
}

static void while_an_error_is_pending_belay_begin_opens_a_scope_that_holds_it_and_no_transaction(void **state)
{
    world *w = *state;
    belay_begin(w->s, BELAY_SCOPE_OPTIONS(.read_only = true));
    assert_code(put(w->s, 1), BELAY_READ_ONLY);
    assert_code(belay_begin(w->s, BELAY_SCOPE_OPTIONS(NEW)), BELAY_READ_ONLY);
    assert_int_equal(belay_depth(w->s), 2);
    assert_code(put(w->s, 2), BELAY_READ_ONLY);
    assert_code(belay_commit(w->s), BELAY_READ_ONLY);
    assert_code(belay_commit(w->s), BELAY_READ_ONLY);
    belay_begin(w->s, BELAY_SCOPE_OPTIONS(.read_only = true));
    belay_undo(w->s);
    assert_code(belay_begin(w->s, BELAY_SCOPE_OPTIONS(NEW)), BELAY_ROLLED_BACK);
    assert_code(put(w->s, 3), BELAY_ROLLED_BACK);
    belay_rollback(w->s);
    belay_rollback(w->s);
    assert_stored(w, "");
}

static int fail_hook(belay_session *s, void *arg)
{
    (void)s;
    (void)arg;
    return 1;
}

static void a_failed_hook_of_it_is_counted_once_in_every_attempt_of_the_unit_around(void **state)
{
    world *w = *state;
    int attempts = 0;
    BELAY_ATOMIC_WITH(w->s, .read_only = true, .retries = 2, .backoff_ms = 1) {
        attempts++;
        BELAY_ATOMIC_WITH(w->s, NEW)
            belay_on_commit(w->s, fail_hook, NULL, NULL);
        if (attempts < 3)
            belay_fail(w->s, BELAY_BUSY, "not yet");
    }
    assert_int_equal(attempts, 3);
    assert_code(belay_status(w->s), BELAY_OK);
    assert_int_equal(belay_hook_errors(w->s), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(a_new_transaction_commits_alone_inside_a_read_only_one),
        in_world(its_error_can_be_caught_outside_whatever_it_is),
        in_world(inside_a_scope_that_may_write_it_is_misuse_that_names_the_scope),
        in_world(a_pool_without_a_connection_left_refuses_it_at_once),
        in_world(outermost_it_is_an_ordinary_transaction),
        in_world(its_hooks_run_at_its_end_and_cannot_use_the_session),
        in_world(one_left_by_break_is_abandoned_and_the_scope_around_is_told),
        in_world(one_left_open_is_rolled_back_with_the_block_around_it),
        in_world(explicit_calls_end_the_new_transaction_and_then_the_one_around),
        in_world(closing_the_session_rolls_back_both),
        in_world(while_an_error_is_pending_belay_begin_opens_a_scope_that_holds_it_and_no_transaction),
        in_world(a_failed_hook_of_it_is_counted_once_in_every_attempt_of_the_unit_around),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
