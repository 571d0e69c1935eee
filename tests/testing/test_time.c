/*
 * Time and chance of the test's own: backoffs and limits to the nanosecond, and in no time.
 */
#include "support.h"

#include <pthread.h>
#include <stdatomic.h>

#include <belay/testing.h>

#define MS INT64_C(1000000)

/* A clock that moves only when somebody sleeps on it, or when it is told to. */
enum { SLEEPS = 64 };

static struct {
    int64_t now, tick; /* each reading moves it on by `tick` */
    int64_t slept[SLEEPS];
    int sleeps;
    uint64_t bits;
} fixed;

static int64_t read_fixed(void *arg)
{
    (void)arg;
    return fixed.now += fixed.tick;
}

static void sleep_fixed(void *arg, int64_t moment_ns)
{
    (void)arg;
    if (fixed.sleeps < SLEEPS)
        fixed.slept[fixed.sleeps++] = moment_ns - fixed.now;
    fixed.now = moment_ns > fixed.now ? moment_ns : fixed.now;
}

static uint64_t give_bits(void *arg)
{
    (void)arg;
    return fixed.bits;
}

static int open_fixed(void **state)
{
    belay_clock clock = {.now_ns = read_fixed, .sleep_until_ns = sleep_fixed};
    fixed.now = 77;
    fixed.tick = fixed.sleeps = 0;
    fixed.bits = UINT64_MAX;
    belay_set_clock(&clock);
    clock = (belay_clock){0}; /* it was copied */
    belay_set_random(give_bits, NULL);
    return world_open(state);
}

static int close_fixed(void **state)
{
    int result = world_close(state);
    belay_set_clock(NULL);
    belay_set_random(NULL, NULL);
    return result;
}

#define by_fixed_clock(test) cmocka_unit_test_setup_teardown(test, open_fixed, close_fixed)

/* ---- Backoff ----------------------------------------------------------------------------------------------------- */

static int fail_always(belay_session *s, void *arg)
{
    int *runs = arg;
    ++*runs;
    belay_fail(s, BELAY_SERIALIZATION, "always");
    return 0;
}

/* Fails retries + 1 times; how often it ran. */
static int run_failing(belay_session *s, const belay_scope_options *options)
{
    int runs = 0;
    fixed.sleeps = 0;
    assert_code(belay_atomic(s, options, fail_always, &runs), BELAY_SERIALIZATION);
    return runs;
}

static void the_longest_waits_double_from_five_milliseconds_up_to_a_second(void **state)
{
    static const int waits[] = {5, 10, 20, 40, 80, 160, 320, 640, 1000, 1000, 1000};
    enum { WAITS = sizeof waits / sizeof waits[0] };
    world *w = *state;
    assert_int_equal(run_failing(w->s, BELAY_SCOPE_OPTIONS(.retries = WAITS)), WAITS + 1);
    assert_int_equal(fixed.sleeps, WAITS);
    for (int i = 0; i < WAITS; i++)
        assert_int_equal(fixed.slept[i], waits[i] * MS);
}

static void the_bounds_begin_at_backoff_ms_and_end_at_backoff_max_ms(void **state)
{
    static const int waits[] = {3, 6, 10, 10};
    world *w = *state;
    run_failing(w->s, BELAY_SCOPE_OPTIONS(.retries = 4, .backoff_ms = 3, .backoff_max_ms = 10));
    assert_int_equal(fixed.sleeps, 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(fixed.slept[i], waits[i] * MS);
    run_failing(w->s, BELAY_SCOPE_OPTIONS(.retries = 2, .backoff_ms = 50, .backoff_max_ms = 7));
    assert_int_equal(fixed.slept[0], 7 * MS);
    assert_int_equal(fixed.slept[1], 7 * MS);
}

static void chance_chooses_between_no_wait_and_the_bound(void **state)
{
    world *w = *state;
    fixed.bits = 0;
    run_failing(w->s, BELAY_SCOPE_OPTIONS(.retries = 3));
    for (int i = 0; i < 3; i++)
        assert_int_equal(fixed.slept[i], 0);
    fixed.bits = UINT64_C(1) << 63;
    run_failing(w->s, BELAY_SCOPE_OPTIONS(.retries = 3));
    for (int i = 0; i < 3; i++)
        assert_int_equal(fixed.slept[i], (5 << i) * MS / 2);
}

static void no_attempt_is_made_whose_wait_would_pass_the_time_limit(void **state)
{
    world *w = *state;
    /* waits of 5, 10, 20, 40 end 5, 15, 35, 75 ms after the beginning */
    assert_int_equal(run_failing(w->s, BELAY_SCOPE_OPTIONS(.retries = 9, .timeout_ms = 36)), 4);
    assert_int_equal(fixed.sleeps, 3);
    assert_int_equal(run_failing(w->s, BELAY_SCOPE_OPTIONS(.retries = 9, .timeout_ms = 35)), 3);
    assert_int_equal(fixed.sleeps, 2); /* and no wait for nothing */
    assert_int_equal(run_failing(w->s, BELAY_SCOPE_OPTIONS(.retries = 9, .timeout_ms = 5)), 1);
    assert_int_equal(fixed.sleeps, 0);
}

/* ---- Limits ------------------------------------------------------------------------------------------------------ */

static void the_total_limit_passes_by_the_clock_only(void **state)
{
    world *w = *state;
    BELAY_ATOMIC_WITH(w->s, .timeout_ms = 10) {
        put(w->s, 1);
        pause_ms(30); /* of real time, which does not count */
        fixed.now += 10 * MS - 1;
        put(w->s, 2);
    }
    assert_status(w->s, BELAY_OK);
    BELAY_ATOMIC_WITH(w->s, .timeout_ms = 10) {
        put(w->s, 3);
        fixed.now += 10 * MS;
        put(w->s, 4);
    }
    assert_status(w->s, BELAY_TIMEOUT);
    assert_stored(w, "1;2");
}

static void a_statement_is_stopped_by_the_clock(void **state)
{
    world *w = *state;
    fixed.tick = 1000 * MS; /* at each look */
    BELAY_ATOMIC_WITH(w->s, .timeout_ms = 60000)
        belay_int_of(w->s, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n");
    assert_status(w->s, BELAY_TIMEOUT);
}

static void the_idle_limit_passes_by_the_clock_only(void **state)
{
    world *w = *state;
    BELAY_ATOMIC_WITH(w->s, .idle_timeout_ms = 10) {
        put(w->s, 1);
        pause_ms(30);
        fixed.now += 10 * MS;
        put(w->s, 2);
        fixed.now += 10 * MS; /* anew after each call */
        put(w->s, 3);
    }
    assert_status(w->s, BELAY_OK);
    BELAY_ATOMIC_WITH(w->s, .idle_timeout_ms = 10) {
        put(w->s, 4);
        fixed.now += 10 * MS + 1;
        put(w->s, 5);
    }
    assert_status(w->s, BELAY_TIMEOUT);
    assert_stored(w, "1;2;3");
}

static void a_lock_of_another_program_is_waited_for_on_the_clock(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    void *lock = hold_write_lock(w);
    int64_t before = fixed.now;
    BELAY_ATOMIC(w->s)
        put(w->s, 1);
    assert_status(w->s, BELAY_LOCK_TIMEOUT);
    assert_int_equal(fixed.now - before, 5000 * MS); /* the handle's default, to the nanosecond */
    before = fixed.now;
    BELAY_ATOMIC_WITH(w->s, .lock_timeout_ms = 60000, .timeout_ms = 250)
        put(w->s, 1);
    let_go(lock);
    assert_status(w->s, BELAY_TIMEOUT);
    assert_int_equal(fixed.now - before, 250 * MS);
}

static void a_connection_ages_by_the_clock(void **state)
{
    world *w = *state;
    belay_db *db = open_again(w, BELAY_DB_OPTIONS(.pool_max_age_ms = 1000));
    belay_session *s = belay_session_open(db);
    unsigned made[4];
    for (int i = 0; i < 4; i++) {
        belay_fail_nth(db, 0, BELAY_OK, false);
        assert_code(put(s, i), BELAY_OK);
        made[i] = belay_calls_made(db);
        fixed.now += 500 * MS;
    }
    /* It is lent at 0, 500 and 1,000 ms, and is too old at 1,500. It was the first that was prepared on. */
    assert_int_equal(made[0], 4);
    assert_int_equal(made[1], 3);
    assert_int_equal(made[2], 3);
    assert_int_equal(made[3], 5); /* connect and prepare anew */
    belay_session_close(s);
    belay_close(db);
}

/* ---- What only the system can end ------------------------------------------------------------------------------- */

static void a_wait_for_a_thread_of_this_program_takes_the_real_time_that_was_left(void **state)
{
    static const struct {
        int pool, timeout, lock_timeout;
        belay_code code;
    } waits[] = {{1, 20, 0, BELAY_TIMEOUT}, {1, 0, 0, BELAY_TOO_MANY}, {2, 0, 20, BELAY_LOCK_TIMEOUT}};
    world *w = *state;
    only_on_sqlite(w);
    for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
        belay_db *db = open_again(w, BELAY_DB_OPTIONS(.pool_size = waits[i].pool, .pool_timeout_ms = 30));
        belay_session *holder = belay_session_open(db), *waiter = belay_session_open(db);
        belay_code code = BELAY_OK;
        int64_t before = fixed.now;
        BELAY_ATOMIC(holder) {
            put(holder, 1 + (int)i);
            BELAY_ATOMIC_WITH(waiter, .timeout_ms = waits[i].timeout, .lock_timeout_ms = waits[i].lock_timeout)
                put(waiter, 100);
            code = belay_status(waiter);
        }
        assert_code(code, waits[i].code);
        assert_code(belay_status(holder), BELAY_OK);
        assert_int_equal(fixed.now, before);
        belay_session_close(holder);
        belay_session_close(waiter);
        belay_close(db);
    }
    assert_stored(w, "1;2;3");
}

static void without_one_the_systems_clock_and_the_librarys_chance_count_again(void **state)
{
    world *w = *state;
    belay_set_clock(NULL);
    belay_set_random(NULL, NULL);
    fixed.bits = 0;
    int runs = run_failing(w->s, BELAY_SCOPE_OPTIONS(.retries = 3, .backoff_ms = 1));
    assert_int_equal(runs, 4);
    assert_int_equal(fixed.sleeps, 0);
    BELAY_ATOMIC_WITH(w->s, .timeout_ms = 10) {
        put(w->s, 1);
        pause_ms(30);
    }
    assert_status(w->s, BELAY_TIMEOUT);
}

/* ---- Threads ---------------------------------------------------------------------------------------------------- */

static atomic_llong shared_now = 1;
static atomic_uint drawn;

static int64_t read_shared(void *arg)
{
    (void)arg;
    return atomic_load(&shared_now);
}

static void sleep_shared(void *arg, int64_t moment_ns)
{
    long long now = atomic_load(&shared_now);
    (void)arg;
    while (now < moment_ns && !atomic_compare_exchange_weak(&shared_now, &now, moment_ns))
        continue;
}

static uint64_t draw_shared(void *arg)
{
    (void)arg;
    atomic_fetch_add(&drawn, 1);
    return UINT64_MAX;
}

static void *fail_a_lot(void *arg)
{
    const world *w = arg;
    belay_session *s = belay_session_open(w->d.db);
    for (int i = 0; i < 20; i++) {
        int runs = 0;
        belay_atomic(s, BELAY_SCOPE_OPTIONS(.retries = 3, .timeout_ms = -1), fail_always, &runs);
    }
    belay_session_close(s);
    return NULL;
}

static void clock_and_chance_are_asked_from_any_thread(void **state)
{
    enum { THREADS = 4 };
    const belay_clock clock = {.now_ns = read_shared, .sleep_until_ns = sleep_shared};
    world *w = *state;
    pthread_t threads[THREADS];
    belay_set_clock(&clock);
    belay_set_random(draw_shared, NULL);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, fail_a_lot, w), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(drawn, THREADS * 20 * 3);
    assert_true(shared_now >= 20 * 35 * MS); /* the waits of one thread come one after the other */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        by_fixed_clock(the_longest_waits_double_from_five_milliseconds_up_to_a_second),
        by_fixed_clock(the_bounds_begin_at_backoff_ms_and_end_at_backoff_max_ms),
        by_fixed_clock(chance_chooses_between_no_wait_and_the_bound),
        by_fixed_clock(no_attempt_is_made_whose_wait_would_pass_the_time_limit),
        by_fixed_clock(the_total_limit_passes_by_the_clock_only),
        by_fixed_clock(a_statement_is_stopped_by_the_clock),
        by_fixed_clock(the_idle_limit_passes_by_the_clock_only),
        by_fixed_clock(a_lock_of_another_program_is_waited_for_on_the_clock),
        by_fixed_clock(a_connection_ages_by_the_clock),
        by_fixed_clock(a_wait_for_a_thread_of_this_program_takes_the_real_time_that_was_left),
        by_fixed_clock(without_one_the_systems_clock_and_the_librarys_chance_count_again),
        by_fixed_clock(clock_and_chance_are_asked_from_any_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
