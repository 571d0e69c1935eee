/*
 * Scopes on an adopted connection that can't begin, or whose transaction is ended behind them.
 */
#include "beside.h"

/* ---- Beginning -------------------------------------------------------------------------------------------------- */

static int write_own_and_fail(belay_session *s, void *arg)
{
    (void)s;
    put_own(arg, 7);
    return 1;
}

static void a_scope_that_cannot_begin_does_not_run_its_body(void **state)
{
    beside *b = *state;
    bool ran = false;
    void *lock = hold_write_lock(b->w);
    BELAY_ATOMIC_WITH(b->s, .lock_timeout_ms = 1)
        ran = true;
    assert_code(belay_status(b->s), BELAY_LOCK_TIMEOUT);
    assert_int_equal(belay_pending(b->s)->outcome, BELAY_WORK_ROLLED_BACK);
    assert_code(belay_atomic(b->s, BELAY_SCOPE_OPTIONS(.lock_timeout_ms = 1), write_own_and_fail, b->own),
                BELAY_LOCK_TIMEOUT);
    assert_code(belay_begin(b->s, BELAY_SCOPE_OPTIONS(.lock_timeout_ms = 1)), BELAY_LOCK_TIMEOUT);
    assert_int_equal(belay_depth(b->s), 1); /* which always opens one */
    assert_code(put(b->s, 1), BELAY_LOCK_TIMEOUT);
    assert_code(belay_commit(b->s), BELAY_LOCK_TIMEOUT);
    assert_false(ran);
    assert_false(is_inside(b->own));
    let_go(lock);
    BELAY_ATOMIC(b->s)
        put(b->s, 2);
    assert_code(belay_status(b->s), BELAY_OK);
    assert_stored(b->w, "2");
}

/* Another program's lock, given up after it was in the way for some times. */
typedef struct stubborn {
    void *lock;
    int in_the_way;
} stubborn;

static int give_way(void *arg, int count)
{
    stubborn *other = arg;
    (void)count;
    if (--other->in_the_way == 0) {
        let_go(other->lock);
        other->lock = NULL;
    }
    return 0; /* the program's own handler does not wait */
}

static void with_retries_a_scope_that_cannot_begin_tries_again(void **state)
{
    beside *b = *state;
    stubborn other = {hold_write_lock(b->w), 2};
    int runs = 0, attempt = 0;
    sqlite3_busy_handler(b->own, give_way, &other);
    BELAY_ATOMIC_WITH(b->s, .lock_timeout_ms = 1, .retries = 5, .backoff_ms = 1) {
        runs++;
        attempt = belay_attempt(b->s);
        put_own(b->own, 1);
    }
    let_go(other.lock);
    assert_code(belay_status(b->s), BELAY_OK);
    assert_int_equal(runs, 1);
    assert_true(attempt >= 1);
    assert_int_equal(other.in_the_way, 0);
    assert_stored(b->w, "1");
}

static void a_beginning_waits_for_the_lock_also_where_the_programs_handler_does_not(void **state)
{
    beside *b = *state;
    stubborn other = {hold_write_lock(b->w), 3};
    sqlite3_busy_handler(b->own, give_way, &other);
    BELAY_ATOMIC_WITH(b->s, .lock_timeout_ms = 60000)
        put(b->s, 1);
    let_go(other.lock);
    assert_code(belay_status(b->s), BELAY_OK);
    assert_stored(b->w, "1");
}

static void a_snapshot_that_is_out_of_date_is_not_waited_for(void **state)
{
    beside *b = *state;
    sqlite3_stmt *half_read = NULL;
    run_own(b->own, "INSERT INTO item(id) VALUES (1), (2), (3)");
    sqlite3_prepare_v2(b->own, "SELECT id FROM item", -1, &half_read, NULL);
    sqlite3_step(half_read);
    put(b->w->other, 4); /* the program reads what is no longer the newest, and can't write from there */
    bool ran = false;
    BELAY_ATOMIC_WITH(b->s, .lock_timeout_ms = -1)
        ran = true;
    assert_code(belay_status(b->s), BELAY_SERIALIZATION);
    assert_false(ran);
    assert_int_equal(sqlite3_step(half_read), SQLITE_ROW);
    sqlite3_finalize(half_read);
}

static void a_read_only_scope_takes_no_write_lock_and_refuses_writes(void **state)
{
    beside *b = *state;
    bool inside = false;
    belay_code wrote = BELAY_OK;
    void *lock = hold_write_lock(b->w);
    BELAY_READ(b->s) {
        inside = is_inside(b->own);
        rows_of(b->s, "SELECT count(*) FROM item");
    }
    assert_code(belay_status(b->s), BELAY_OK);
    let_go(lock);
    BELAY_READ(b->s)
        wrote = put(b->s, 1);
    assert_true(inside);
    assert_code(wrote, BELAY_READ_ONLY);
    assert_stored(b->w, "");
}

static void a_read_only_scope_sees_one_state_also_by_the_programs_own_queries(void **state)
{
    beside *b = *state;
    const char *before = NULL, *after = NULL;
    BELAY_READ(b->s) {
        before = seen_own(b->own);
        put(b->w->other, 1);
        after = seen_own(b->own);
    }
    assert_string_equal(before, "");
    assert_string_equal(after, "");
    assert_string_equal(seen_own(b->own), "1");
}

static void time_limits_are_looked_at_between_two_calls(void **state)
{
    beside *b = *state;
    belay_code in_time = BELAY_OK, late = BELAY_OK;
    BELAY_ATOMIC_WITH(b->s, .timeout_ms = 500) {
        put_own(b->own, 1);
        in_time = belay_status(b->s);
        pause_ms(600);
        late = put(b->s, 2);
    }
    assert_code(in_time, BELAY_OK);
    assert_code(late, BELAY_TIMEOUT);
    assert_code(belay_status(b->s), BELAY_TIMEOUT);
    BELAY_ATOMIC_WITH(b->s, .idle_timeout_ms = 10) {
        put(b->s, 3);
        pause_ms(30);
        put(b->s, 4);
    }
    assert_code(belay_status(b->s), BELAY_TIMEOUT);
    assert_stored(b->w, "");
    assert_false(is_inside(b->own));
}

/* ---- A transaction that is ended behind a scope ----------------------------------------------------------------- */

static void a_transaction_that_the_program_ends_behind_a_scope_is_misuse_at_its_next_call(void **state)
{
    static const char *const ends[] = {"COMMIT", "ROLLBACK"};
    beside *b = *state;
    for (int i = 0; i < 2; i++) {
        belay_code first = BELAY_OK, second = BELAY_OK, mark = BELAY_OK, inner = BELAY_OK;
        bool ran = false;
        BELAY_ATOMIC(b->s) {
            put(b->s, 10 * i + 1);
            run_own(b->own, ends[i]);
            first = put(b->s, 10 * i + 2); /* would commit by itself */
            second = belay_try(b->s, "INSERT INTO item(id) VALUES (?)", 10 * i + 3);
            mark = belay_savepoint(b->s, "mark");
            BELAY_ATOMIC(b->s)
                ran = true;
            inner = belay_status(b->s);
        }
        assert_code(first, BELAY_MISUSE);
        assert_code(second, BELAY_MISUSE);
        assert_code(mark, BELAY_MISUSE);
        assert_code(inner, BELAY_MISUSE);
        assert_false(ran);
        assert_code(belay_status(b->s), BELAY_MISUSE);
        assert_stored(b->w, "1");
        assert_false(is_inside(b->own));
        assert_code(belay_exec(b->s, "DELETE FROM item WHERE id = 0"), BELAY_OK); /* and the next unit is as usual */
    }
}

static belay_code call_nested(beside *b)
{
    bool ran = false;
    BELAY_ATOMIC(b->s)
        ran = true;
    return ran ? BELAY_OK : belay_status(b->s);
}

static belay_code call_begin(beside *b)
{
    belay_code code = belay_begin(b->s, NULL);
    belay_rollback(b->s);
    return code;
}

static belay_code call_query(beside *b)
{
    belay_rows_close(belay_query(b->s, "SELECT 1"));
    return belay_status(b->s);
}

static belay_code call_stream(beside *b)
{
    belay_rows_close(belay_stream(b->s, "SELECT 1"));
    return belay_status(b->s);
}

static belay_code call_try(beside *b)
{
    return belay_try(b->s, "INSERT INTO item(id) VALUES (3)");
}

static belay_code call_mark(beside *b)
{
    return belay_savepoint(b->s, "new");
}

static belay_code call_back(beside *b)
{
    return belay_rollback_to(b->s, "mark");
}

static belay_code call_native(beside *b)
{
    return belay_native(b->s) ? BELAY_OK : belay_status(b->s);
}

static belay_code call_end(beside *b)
{
    (void)b;
    return BELAY_MISUSE; /* its end is the next call */
}

static void each_call_finds_the_transaction_ended_behind_it(void **state)
{
    typedef belay_code (*call)(beside *);
    static const call all[] = {call_nested, call_begin, call_query,  call_stream, call_try,
                               call_mark,   call_back,  call_native, call_end};
    beside *b = *state;
    for (size_t i = 0; i < 2 * sizeof all / sizeof all[0]; i++) {
        belay_code code = BELAY_OK, last = BELAY_OK;
        BELAY_ATOMIC(b->s) {
            if (i % 2 == 1)
                belay_savepoint(b->s, "mark");
            put(b->s, 1);
            if (i % 2 == 0)
                belay_savepoint(b->s, "mark");
            run_own(b->own, "ROLLBACK");
            code = all[i / 2](b);
            last = all[i / 2] == call_end ? BELAY_MISUSE : put(b->s, 2);
        }
        assert_code(code, BELAY_MISUSE);
        assert_code(last, BELAY_MISUSE);
        assert_code(belay_status(b->s), BELAY_MISUSE);
        assert_false(is_inside(b->own));
        assert_stored(b->w, "");
    }
}

static void ends_of_nested_scopes_find_the_transaction_ended_behind_them(void **state)
{
    static const belay_propagation how[] = {BELAY_NESTED, BELAY_REQUIRED};
    beside *b = *state;
    for (int i = 0; i < 2; i++) {
        belay_code after = BELAY_OK, at_end = BELAY_OK;
        BELAY_ATOMIC(b->s) {
            BELAY_ATOMIC_WITH(b->s, .propagation = how[i]) {
                put(b->s, 1);
                run_own(b->own, "ROLLBACK");
            }
            at_end = belay_status(b->s);
            belay_ignore(b->s, BELAY_ANY); /* is not caught: there is nothing to go on with */
            after = put(b->s, 2);
        }
        assert_code(at_end, BELAY_MISUSE);
        assert_code(after, BELAY_MISUSE);
        assert_code(belay_status(b->s), BELAY_MISUSE);
        assert_stored(b->w, "");
        assert_false(is_inside(b->own));
    }
}

static void a_transaction_that_the_program_begins_in_place_of_the_scopes_is_not_taken_for_it(void **state)
{
    static const char *const ends[] = {"COMMIT; BEGIN", "ROLLBACK; BEGIN IMMEDIATE"};
    beside *b = *state;
    for (int i = 0; i < 4; i++) {
        BELAY_ATOMIC(b->s) {
            put(b->s, 10 * i + 1);
            run_own(b->own, i == 0 ? ends[0] : ends[1]);
            put_own(b->own, 10 * i + 2);
            if (i == 2)
                belay_undo(b->s); /* not even that is what happened */
            if (i == 3)
                belay_savepoint(b->s, "mark");
        }
        assert_code(belay_status(b->s), BELAY_MISUSE);
        assert_stored(b->w, "1"); /* nothing of the second is committed by Belay */
        assert_false(is_inside(b->own));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        beside_own(a_scope_that_cannot_begin_does_not_run_its_body),
        beside_own(with_retries_a_scope_that_cannot_begin_tries_again),
        beside_own(a_beginning_waits_for_the_lock_also_where_the_programs_handler_does_not),
        beside_own(a_snapshot_that_is_out_of_date_is_not_waited_for),
        beside_own(a_read_only_scope_takes_no_write_lock_and_refuses_writes),
        beside_own(a_read_only_scope_sees_one_state_also_by_the_programs_own_queries),
        beside_own(time_limits_are_looked_at_between_two_calls),
        beside_own(a_transaction_that_the_program_ends_behind_a_scope_is_misuse_at_its_next_call),
        beside_own(each_call_finds_the_transaction_ended_behind_it),
        beside_own(ends_of_nested_scopes_find_the_transaction_ended_behind_them),
        beside_own(a_transaction_that_the_program_begins_in_place_of_the_scopes_is_not_taken_for_it),
    };
    return run_beside(tests);
}
