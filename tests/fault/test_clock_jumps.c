/*
 * test_clock_jumps.c - the wall clock jumps by decades, forward and back, at every look; limits, waits between
 * attempts and the age of connections don't care.
 *
 * The linker puts the functions below in the place of those that tell the wall clock's time or wait for it, for the
 * code of this program and of the library that is linked into it. Link with
 *
 *     -Wl,--wrap=clock_gettime,--wrap=time,--wrap=gettimeofday,--wrap=clock_nanosleep,--wrap=pthread_cond_init
 *
 * and with the static library. A wait may not be shorter than it was asked to be; that none is longer is not asserted,
 * but one until another decade would be ended by the alarm.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "database.h"
#include "db.h"
#include "fake.h"
#include "sqlite.h"

/* ---- A wall clock that jumps ------------------------------------------------------------------------------------ */

int __real_clock_gettime(clockid_t, struct timespec *);
int __real_clock_nanosleep(clockid_t, int, const struct timespec *, struct timespec *);
int __real_pthread_cond_init(pthread_cond_t *, const pthread_condattr_t *);
int __wrap_clock_gettime(clockid_t, struct timespec *);
int __wrap_clock_nanosleep(clockid_t, int, const struct timespec *, struct timespec *);
int __wrap_pthread_cond_init(pthread_cond_t *, const pthread_condattr_t *);
time_t __wrap_time(time_t *);
int __wrap_gettimeofday(struct timeval *, void *);

static unsigned looks;
static int waits_for_the_wall_clock;

static time_t jump(time_t now)
{
    static const int years[] = {0, 30, -30, 68, -40};
    return now + (time_t)years[looks++ % 5] * 365 * 24 * 3600;
}

static bool is_wall_clock(clockid_t clock)
{
    return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_TAI;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *out)
{
    int result = __real_clock_gettime(clock, out);
    if (result == 0 && is_wall_clock(clock))
        out->tv_sec = jump(out->tv_sec);
    return result;
}

time_t __wrap_time(time_t *out)
{
    struct timespec now;
    __wrap_clock_gettime(CLOCK_REALTIME, &now);
    if (out)
        *out = now.tv_sec;
    return now.tv_sec;
}

int __wrap_gettimeofday(struct timeval *out, void *zone)
{
    (void)zone;
    *out = (struct timeval){.tv_sec = __wrap_time(NULL)};
    return 0;
}

/* Until a moment of the wall clock nobody can sleep: it may never come, or have passed. */
int __wrap_clock_nanosleep(clockid_t clock, int flags, const struct timespec *length, struct timespec *left)
{
    waits_for_the_wall_clock += is_wall_clock(clock) && (flags & TIMER_ABSTIME);
    return __real_clock_nanosleep(clock, flags, length, left);
}

int __wrap_pthread_cond_init(pthread_cond_t *condition, const pthread_condattr_t *attributes)
{
    clockid_t clock = CLOCK_REALTIME;
    if (attributes)
        pthread_condattr_getclock(attributes, &clock);
    waits_for_the_wall_clock += is_wall_clock(clock);
    return __real_pthread_cond_init(condition, attributes);
}

/* ---- What the tests share --------------------------------------------------------------------------------------- */

enum { LIMIT_MS = 40, LONG_MS = 3600 * 1000 };

static int64_t now_ms(void)
{
    struct timespec now;
    __real_clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void pause_ms(int ms)
{
    const struct timespec length = {.tv_nsec = ms * 1000000L};
    nanosleep(&length, NULL);
}

static int open_notes(void **state)
{
    static database d;
    static const char *const tables[] = {"CREATE TABLE note (id INTEGER PRIMARY KEY)", NULL};
    database_open(&d, BELAY_DB_OPTIONS(.pool_size = 2, .pool_timeout_ms = LIMIT_MS));
    database_run(d.s, tables);
    *state = &d;
    return 0;
}

static int close_notes(void **state)
{
    return database_close(*state) == BELAY_OK && waits_for_the_wall_clock == 0 ? 0 : -1;
}

static belay_code put(belay_session *s, int id)
{
    return belay_exec(s, "INSERT INTO note (id) VALUES (?)", id);
}

static const char endless[] = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

/* ---- The tests -------------------------------------------------------------------------------------------------- */

static void the_wall_clock_of_these_tests_jumps_by_decades(void **state)
{
    (void)state;
    enum { TEN_YEARS = 10 * 365 * 24 * 3600 };
    for (int i = 0; i < 10; i++) {
        time_t first = time(NULL), second = time(NULL);
        assert_true(labs(second - first) > TEN_YEARS);
    }
}

static void limits_that_are_far_away_end_nothing(void **state)
{
    belay_session *s = ((database *)*state)->s;
    for (int i = 0; i < 20; i++) {
        BELAY_ATOMIC_WITH(s, .timeout_ms = LONG_MS, .lock_timeout_ms = LONG_MS, .idle_timeout_ms = LONG_MS) {
            put(s, 2 * i);
            pause_ms(1);
            BELAY_ATOMIC_WITH(s, .timeout_ms = LONG_MS)
                put(s, 2 * i + 1);
        }
        assert_status(s, BELAY_OK);
    }
    assert_int_equal(belay_int_of(s, "SELECT count(*) FROM note"), 40);
}

static void a_scope_is_ended_when_its_limit_has_passed_and_not_before(void **state)
{
    belay_session *s = ((database *)*state)->s;
    int64_t start = now_ms();
    BELAY_ATOMIC_WITH(s, .timeout_ms = LIMIT_MS)
        belay_int_of(s, endless);
    assert_true(now_ms() - start >= LIMIT_MS);
    assert_status(s, BELAY_TIMEOUT);
}

static void a_transaction_is_ended_when_it_has_idled_past_its_limit(void **state)
{
    belay_session *s = ((database *)*state)->s;
    BELAY_ATOMIC_WITH(s, .idle_timeout_ms = LIMIT_MS) {
        put(s, 1);
        pause_ms(2 * LIMIT_MS);
        put(s, 2);
    }
    assert_status(s, BELAY_TIMEOUT);
    assert_rows(s, "SELECT id FROM note", "");
}

static void a_lock_is_waited_for_as_long_as_the_limit_says(void **state)
{
    database *d = *state;
    sqlite3 *raw = NULL;
    assert_int_equal(sqlite3_open(d->path, &raw), SQLITE_OK);
    assert_int_equal(sqlite3_exec(raw, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    int64_t start = now_ms();
    BELAY_ATOMIC_WITH(d->s, .lock_timeout_ms = LIMIT_MS)
        put(d->s, 1);
    int64_t waited = now_ms() - start;
    sqlite3_close(raw);
    assert_status(d->s, BELAY_LOCK_TIMEOUT);
    assert_true(waited >= LIMIT_MS);
}

static void the_write_queue_is_waited_in_as_long_as_the_limit_says(void **state)
{
    database *d = *state;
    belay_session *other = belay_session_open(d->db);
    belay_begin(other, NULL);
    put(other, 1);
    int64_t start = now_ms();
    BELAY_ATOMIC_WITH(d->s, .lock_timeout_ms = LIMIT_MS)
        put(d->s, 2);
    int64_t waited = now_ms() - start;
    assert_int_equal(belay_commit(other), BELAY_OK);
    assert_int_equal(belay_session_close(other), BELAY_OK);
    assert_status(d->s, BELAY_LOCK_TIMEOUT);
    assert_true(waited >= LIMIT_MS);
}

static void a_connection_is_waited_for_as_long_as_the_pools_limit_says(void **state)
{
    database *d = *state;
    belay_session *others[2];
    for (int i = 0; i < 2; i++) {
        others[i] = belay_session_open(d->db);
        belay_begin(others[i], BELAY_SCOPE_OPTIONS(.read_only = true));
        belay_int_of(others[i], "SELECT count(*) FROM note");
    }
    int64_t start = now_ms();
    assert_int_equal(put(d->s, 1), BELAY_TOO_MANY);
    int64_t waited = now_ms() - start;
    assert_status(d->s, BELAY_TOO_MANY);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(belay_commit(others[i]), BELAY_OK);
        assert_int_equal(belay_session_close(others[i]), BELAY_OK);
    }
    assert_true(waited >= LIMIT_MS);
}

static void a_unit_is_run_again_as_often_as_it_may_be(void **state)
{
    belay_session *s = ((database *)*state)->s;
    int attempts = 0;
    BELAY_ATOMIC_WITH(s, .retries = 20, .backoff_ms = 1, .backoff_max_ms = 4, .timeout_ms = LONG_MS) {
        put(s, ++attempts);
        belay_fail(s, BELAY_BUSY, "made up");
    }
    assert_status(s, BELAY_BUSY);
    assert_int_equal(attempts, 21);
}

/* How often a connection was opened for `units` units, one after the other. */
static unsigned count_openings(const char *url, int max_age_ms, int units)
{
    static fake_driver fake;
    unsigned openings = 0;
    fake_init(&fake, &belayi_driver_sqlite);
    belay_db *db = belayi_db_open_with(&fake.driver, url, BELAY_DB_OPTIONS(.pool_max_age_ms = max_age_ms));
    belay_session *s = belay_session_open(db);
    for (int i = 0; i < units; i++) {
        belay_int_of(s, "SELECT count(*) FROM note");
        pause_ms(3);
    }
    for (const char *call = fake.log; (call = strstr(call, "open ")) != NULL; call++)
        openings++;
    assert_int_equal(belay_session_close(s), BELAY_OK);
    belay_close(db);
    return openings;
}

static void a_connection_is_as_old_as_it_is(void **state)
{
    database *d = *state;
    assert_int_equal(count_openings(d->url, LONG_MS, 20), 1);
    assert_true(count_openings(d->url, 2, 20) > 5);
}

#define notes_test(test) cmocka_unit_test_setup_teardown(test, open_notes, close_notes)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_wall_clock_of_these_tests_jumps_by_decades),
        notes_test(limits_that_are_far_away_end_nothing),
        notes_test(a_scope_is_ended_when_its_limit_has_passed_and_not_before),
        notes_test(a_transaction_is_ended_when_it_has_idled_past_its_limit),
        notes_test(a_lock_is_waited_for_as_long_as_the_limit_says),
        notes_test(the_write_queue_is_waited_in_as_long_as_the_limit_says),
        notes_test(a_connection_is_waited_for_as_long_as_the_pools_limit_says),
        notes_test(a_unit_is_run_again_as_often_as_it_may_be),
        notes_test(a_connection_is_as_old_as_it_is),
    };
    unsetenv("BELAY_TEST_URL");
    alarm(120);
    return cmocka_run_group_tests_name("clock jumps", tests, NULL, NULL);
}
