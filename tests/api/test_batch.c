/*
 * belay_batch: each item is kept or rejected alone, whatever it does, and however often it runs. That all of it is as
 * in a unit for each item is proved at random in test_batch_random.c.
 */
#include "batch_orders.h"

/* ---- Kept and rejected ------------------------------------------------------------------------------------------- */

static void each_item_is_kept_or_rejected_alone(void **state)
{
    world *w = *state;
    belay_code code = BELAY_IO;
    BELAY_ATOMIC(w->s) {
        code = do_orders(w->s, "..x..ffr...o.x");
        put(w->s, 99);
    }
    assert_code(code, BELAY_OK);
    assert_status(w->s, BELAY_OK);
    assert_string_equal(o.told, "2 UNIQUE;5 UNIQUE;6 UNIQUE;7 APPLICATION;11 MISUSE;13 UNIQUE;");
    assert_stored(w, "1;2;4;5;9;10;11;13;99");
    assert_code(belay_caught(w->s)->code, BELAY_UNIQUE);
}

static void items_outside_any_scope_are_one_transaction(void **state)
{
    world *w = *state;
    assert_code(do_orders(w->s, "..x."), BELAY_OK);
    assert_status(w->s, BELAY_OK);
    assert_stored(w, "1;2;4");
    assert_code(do_orders(w->s, "....d."), BELAY_DEADLOCK);
    assert_code(belay_pending(w->s)->code, BELAY_DEADLOCK);
    assert_stored(w, "1;2;4");
}

static void a_rejection_is_told_once_though_its_item_runs_twice(void **state)
{
    world *w = *state;
    assert_code(do_orders(w->s, ".....x...."), BELAY_OK);
    assert_string_equal(o.told, "5 UNIQUE;");
    assert_int_equal(o.runs[5], 2);
    assert_stored(w, "1;2;3;4;5;7;8;9;10");
}

static void nobody_need_be_told(void **state)
{
    world *w = *state;
    o = (orders){.letters = ".x."};
    assert_code(belay_batch(w->s, 3, do_item, &o, NULL), BELAY_OK);
    assert_stored(w, "1;3");
}

static void an_item_that_was_called_off_is_undone_and_is_no_rejection(void **state)
{
    world *w = *state;
    assert_code(do_orders(w->s, "u..u."), BELAY_OK);
    assert_string_equal(o.told, "");
    assert_stored(w, "2;3;5");
}

static int see_the_ones_before(belay_session *s, size_t i, void *arg)
{
    int64_t *seen = arg;
    seen[i] = belay_int_of(s, "SELECT count(*) FROM item");
    return do_order(s, i == 2 ? 'x' : '.', (int)i + 1, &o);
}

static void an_item_sees_what_those_before_it_did_and_nothing_of_a_rejected_one(void **state)
{
    world *w = *state;
    int64_t seen[5] = {0};
    assert_code(belay_batch(w->s, 5, see_the_ones_before, seen, NULL), BELAY_OK);
    for (int i = 0; i < 5; i++)
        assert_int_equal(seen[i], i < 3 ? i : i - 1);
}

/* ---- Runs -------------------------------------------------------------------------------------------------------- */

static void items_that_do_not_fail_run_once(void **state)
{
    world *w = *state;
    o = (orders){.letters = NULL};
    assert_code(belay_batch(w->s, MOST, do_item, &o, tell), BELAY_OK);
    assert_int_equal(o.all_runs, MOST);
    assert_int_equal(o.balance, MOST);
    assert_int_equal(o.freed, MOST);
    assert_int_equal(belay_int_of(w->other, "SELECT count(*) FROM item"), MOST);
}

static void items_that_fail_before_they_did_anything_make_nobody_run_again(void **state)
{
    world *w = *state;
    assert_code(do_orders(w->s, "..f.f.....f"), BELAY_OK);
    assert_int_equal(o.all_runs, database_is_sqlite(&w->d) ? 11 : o.all_runs); /* servers undo it by the savepoint */
    assert_stored(w, "1;2;4;6;7;8;9;10");
}

static void a_run_that_is_undone_takes_back_what_the_program_keeps_in_memory(void **state)
{
    world *w = *state;
    int kept = -1;
    BELAY_ATOMIC(w->s) {
        do_orders(w->s, "......x...");
        kept = o.balance;
    }
    assert_int_equal(kept, 9);
    assert_true(o.undone > 0); /* six ran before it, and again */
    assert_int_equal(o.all_runs, 10 + o.undone + 1);
    assert_int_equal(o.freed, o.undone + 9);
}

/* The fourth fails in its first run only, as when another session has changed something meanwhile. */
static int fail_at_first(belay_session *s, size_t i, void *arg)
{
    int result = do_item(s, i, arg);
    return i == 3 && ((orders *)arg)->runs[i] == 1 ? 5 : result;
}

static void the_last_run_of_an_item_decides(void **state)
{
    world *w = *state;
    o = (orders){.letters = NULL};
    assert_code(belay_batch(w->s, 6, fail_at_first, &o, tell), BELAY_OK);
    assert_string_equal(o.told, "");
    assert_int_equal(o.runs[3], 2);
    assert_int_equal(o.balance, 6);
    assert_stored(w, "1;2;3;4;5;6");
}

/* What is run again is bounded, though every third fails. */
static void many_failures_do_not_make_items_run_again_and_again(void **state)
{
    world *w = *state;
    static char letters[MOST + 1];
    for (int i = 0; i < MOST; i++)
        letters[i] = i % 3 == 2 ? 'x' : '.';
    letters[MOST] = '\0';
    o = (orders){.letters = letters};
    assert_code(belay_batch(w->s, MOST, do_item, &o, NULL), BELAY_OK);
    for (int i = 0; i < MOST; i++)
        assert_in_range(o.runs[i], 1, 8);
    assert_in_range(o.all_runs, MOST, MOST + MOST / 2);
}

/* ---- What ends a batch ------------------------------------------------------------------------------------------- */

static void an_error_that_ends_the_transaction_stops_the_batch_and_stays_pending(void **state)
{
    world *w = *state;
    belay_code code = BELAY_OK, status = BELAY_OK;
    bool caught = true;
    BELAY_ATOMIC(w->s) {
        code = do_orders(w->s, ".f..d....");
        caught = belay_catch(w->s, BELAY_ANY);
        status = belay_status(w->s);
    }
    assert_code(code, BELAY_DEADLOCK);
    assert_code(status, BELAY_DEADLOCK);
    assert_false(caught);
    assert_string_equal(o.told, "1 UNIQUE;");
    assert_int_equal(o.runs[5], 0);
    assert_status(w->s, BELAY_DEADLOCK);
    assert_stored(w, "");
}

static int run_late(belay_session *s, size_t i, void *arg)
{
    if (i == 3)
        pause_ms(60);
    return do_item(s, i, arg);
}

static void a_time_limit_of_the_scope_around_stops_the_batch(void **state)
{
    world *w = *state;
    belay_code code = BELAY_OK;
    o = (orders){.letters = "......"};
    BELAY_ATOMIC_WITH(w->s, .timeout_ms = 50) {
        code = belay_batch(w->s, 6, run_late, &o, tell);
    }
    assert_code(code, BELAY_TIMEOUT);
    assert_status(w->s, BELAY_TIMEOUT);
    assert_string_equal(o.told, "");
    assert_int_equal(o.runs[4], 0);
    assert_stored(w, "");
}

static int run_within_a_limit(belay_session *s, size_t i, void *arg)
{
    orders *all = arg;
    all->runs[i]++;
    put(s, (int)i + 1);
    BELAY_ATOMIC_WITH(s, .timeout_ms = 20) {
        if (i == 1)
            pause_ms(30);
        belay_exec(s, "UPDATE item SET note = 'here'");
    }
    return 0;
}

static void a_time_limit_of_an_items_own_rejects_that_item(void **state)
{
    world *w = *state;
    o = (orders){.letters = NULL};
    assert_code(belay_batch(w->s, 3, run_within_a_limit, &o, tell), BELAY_OK);
    assert_string_equal(o.told, "1 TIMEOUT;");
    assert_stored(w, "1;3");
}

/* The first attempt fails, in its last item, with an error that is worth another. */
static int fail_once(belay_session *s, size_t i, void *arg)
{
    if (i == 4 && belay_attempt(s) == 1)
        return belay_fail(s, BELAY_SERIALIZATION, "try again") != BELAY_OK;
    return do_item(s, i, arg);
}

static void a_unit_that_runs_again_runs_the_whole_batch_again(void **state)
{
    world *w = *state;
    o = (orders){.letters = ".f..."};
    BELAY_ATOMIC_WITH(w->s, .retries = 2, .backoff_ms = 1) {
        belay_batch(w->s, 5, fail_once, &o, tell);
    }
    assert_status(w->s, BELAY_OK);
    assert_string_equal(o.told, "1 UNIQUE;1 UNIQUE;");
    assert_int_equal(o.balance, 4);
    assert_stored(w, "1;3;4;5");
}

/* ---- Misuse ------------------------------------------------------------------------------------------------------ */

static void a_batch_that_cannot_begin_runs_no_item(void **state)
{
    world *w = *state;
    belay_code refused = BELAY_OK;
    o = (orders){.letters = "..."};
    assert_code(belay_batch(NULL, 3, do_item, &o, tell), BELAY_MISUSE);
    assert_code(belay_batch(w->s, 3, NULL, &o, tell), BELAY_MISUSE);
    assert_status(w->s, BELAY_MISUSE);
    assert_code(belay_batch(w->s, 0, do_item, &o, tell), BELAY_OK);
    BELAY_ATOMIC(w->s) {
        clash(w->s);
        refused = belay_batch(w->s, 3, do_item, &o, tell);
    }
    assert_code(refused, BELAY_UNIQUE);
    assert_status(w->s, BELAY_UNIQUE);
    BELAY_ATOMIC(w->s) {
        belay_rows *rows = belay_stream(w->s, "SELECT id FROM taken");
        refused = belay_batch(w->s, 3, do_item, &o, tell);
        belay_rows_close(rows);
    }
    assert_code(refused, BELAY_MISUSE);
    assert_status(w->s, BELAY_MISUSE);
    assert_int_equal(o.all_runs, 0);
}

static void use_session(belay_session *s, size_t i, const belay_error *error, void *arg)
{
    (void)i;
    (void)error;
    (void)arg;
    o.balance = (int)put(s, 77);
}

static void the_session_cannot_be_used_while_a_rejection_is_told(void **state)
{
    world *w = *state;
    o = (orders){.letters = ".f."};
    assert_code(belay_batch(w->s, 3, do_item, &o, use_session), BELAY_OK);
    assert_stored(w, "1;3");
}

static void writes_in_a_read_only_scope_reject_their_items(void **state)
{
    world *w = *state;
    belay_code code = BELAY_IO;
    BELAY_READ(w->s) {
        code = do_orders(w->s, "..");
    }
    assert_code(code, BELAY_OK);
    assert_string_equal(o.told, "0 READ_ONLY;1 READ_ONLY;");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(each_item_is_kept_or_rejected_alone),
        in_world(items_outside_any_scope_are_one_transaction),
        in_world(a_rejection_is_told_once_though_its_item_runs_twice),
        in_world(nobody_need_be_told),
        in_world(an_item_that_was_called_off_is_undone_and_is_no_rejection),
        in_world(an_item_sees_what_those_before_it_did_and_nothing_of_a_rejected_one),
        in_world(items_that_do_not_fail_run_once),
        in_world(items_that_fail_before_they_did_anything_make_nobody_run_again),
        in_world(a_run_that_is_undone_takes_back_what_the_program_keeps_in_memory),
        in_world(the_last_run_of_an_item_decides),
        in_world(many_failures_do_not_make_items_run_again_and_again),
        in_world(an_error_that_ends_the_transaction_stops_the_batch_and_stays_pending),
        in_world(a_time_limit_of_the_scope_around_stops_the_batch),
        in_world(a_time_limit_of_an_items_own_rejects_that_item),
        in_world(a_unit_that_runs_again_runs_the_whole_batch_again),
        in_world(a_batch_that_cannot_begin_runs_no_item),
        in_world(the_session_cannot_be_used_while_a_rejection_is_told),
        in_world(writes_in_a_read_only_scope_reject_their_items),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
