/*
 * test_server_storms.c - many sessions that are in each other's way: crosswise deadlocks, a storm of serialization
 * failures, and more threads than connections with limits and cancels among them.
 *
 * On the engine of BELAY_TEST_URL; on SQLite, where there is one writer, there are no deadlocks, and the last storm is
 * all. Sums are right, attempts bounded, nobody starves, and afterwards the engine holds nothing.
 */
#include "server.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREADS_MOST = 40 };

typedef struct storm storm;

typedef struct sailor {
    storm *storm;
    pthread_t thread;
    int number;
    int done, failed, attempts, most_attempts;
    int hooks; /* after a commit */
    belay_error last;
} sailor;

struct storm {
    world *w;
    belay_db *db;
    int threads, units;
    atomic_int ready; /* of a round */
    sailor sailors[THREADS_MOST];
};

static void fill_purses(storm *st, int count)
{
    make_purses(st->w, count);
    st->db = open_again(st->w, BELAY_DB_OPTIONS(.pool_size = 8));
}

static void sail(storm *st, int threads, void *(*run)(void *))
{
    st->threads = threads;
    for (int i = 0; i < threads; i++) {
        st->sailors[i] = (sailor){.storm = st, .number = i};
        assert_int_equal(pthread_create(&st->sailors[i].thread, NULL, run, &st->sailors[i]), 0);
    }
    for (int i = 0; i < threads; i++)
        pthread_join(st->sailors[i].thread, NULL);
    belay_close(st->db);
}

static int count_hook(belay_session *s, void *arg)
{
    (void)s;
    ++*(int *)arg;
    return 0;
}

static void note_end(sailor *a, belay_session *s)
{
    belay_error error = *belay_pending(s);
    a->done += error.code == BELAY_OK;
    a->failed += error.code != BELAY_OK;
    if (error.code != BELAY_OK)
        a->last = error;
}

static void note_attempt(sailor *a, belay_session *s)
{
    int attempt = belay_attempt(s);
    a->attempts++;
    a->most_attempts = attempt > a->most_attempts ? attempt : a->most_attempts;
}

/* ---- Crosswise -------------------------------------------------------------------------------------------------- */

/* In the first attempt each waits until all hold their own row, and then wants its neighbour's. */
static void meet(storm *st)
{
    atomic_fetch_add(&st->ready, 1);
    for (int i = 0; i < 2000 && atomic_load(&st->ready) < st->threads; i++)
        pause_ms(5);
}

static void *embrace(void *arg)
{
    sailor *a = arg;
    storm *st = a->storm;
    belay_session *s = belay_session_open(st->db);
    BELAY_ATOMIC_WITH(s, .retries = 50, .backoff_ms = 2, .backoff_max_ms = 50) {
        note_attempt(a, s);
        belay_on_commit(s, count_hook, &a->hooks, NULL);
        belay_exec(s, "UPDATE purse SET cents = cents + 1 WHERE id = ?", a->number + 1);
        if (belay_attempt(s) == 1)
            meet(st);
        belay_exec(s, "UPDATE purse SET cents = cents + 1 WHERE id = ?", (a->number + 1) % st->threads + 1);
    }
    note_end(a, s);
    belay_session_close(s);
    return NULL;
}

static void sessions_that_wait_for_each_other_in_a_circle_all_get_through(void **state)
{
    static const int circles[] = {2, 3, 5, 8};
    for (size_t c = 0; c < sizeof circles / sizeof circles[0]; c++) {
        storm st = {.w = *state};
        int attempts = 0;
        fill_purses(&st, circles[c]);
        sail(&st, circles[c], embrace);
        for (int i = 0; i < st.threads; i++) {
            attempts += st.sailors[i].attempts;
            assert_int_equal(st.sailors[i].done, 1);
            assert_int_equal(st.sailors[i].hooks, 1);
        }
        assert_true(attempts > st.threads); /* somebody was the victim */
        assert_rows(st.w->other, "SELECT DISTINCT cents FROM purse", "2");
        assert_code(belay_exec(st.w->other, "DROP TABLE purse"), BELAY_OK);
    }
}

/* ---- One row ---------------------------------------------------------------------------------------------------- */

static void *add_one(void *arg)
{
    sailor *a = arg;
    belay_session *s = belay_session_open(a->storm->db);
    for (int i = 0; i < a->storm->units; i++) {
        int64_t cents = 0;
        BELAY_ATOMIC_WITH(s, .isolation = BELAY_SERIALIZABLE, .retries = 500, .backoff_ms = 1, .backoff_max_ms = 20) {
            note_attempt(a, s);
            belay_on_commit(s, count_hook, &a->hooks, NULL);
            cents = belay_int_of(s, "SELECT cents FROM purse WHERE id = 1");
            belay_exec(s, "UPDATE purse SET cents = ? WHERE id = 1", cents + 1);
        }
        note_end(a, s);
    }
    belay_session_close(s);
    return NULL;
}

static void eight_threads_on_one_row_lose_no_update_and_none_starves(void **state)
{
    enum { THREADS = 8, UNITS = 25 };
    storm st = {.w = *state, .units = UNITS};
    char expected[16];
    fill_purses(&st, 1);
    sail(&st, THREADS, add_one);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(st.sailors[i].done, UNITS);
        assert_int_equal(st.sailors[i].hooks, UNITS);
        assert_true(st.sailors[i].most_attempts <= 200);
    }
    snprintf(expected, sizeof expected, "%d", THREADS * UNITS);
    assert_rows(st.w->other, "SELECT cents FROM purse", expected);
}

/* ---- More threads than connections ------------------------------------------------------------------------------ */

/* What a unit may be told here: all else is a fault. */
static bool may_be(belay_code code)
{
    return code == BELAY_OK || code == BELAY_TIMEOUT || code == BELAY_LOCK_TIMEOUT || code == BELAY_TOO_MANY ||
           code == BELAY_DEADLOCK || code == BELAY_SERIALIZATION || code == BELAY_CANCELLED || code == BELAY_BUSY ||
           code == BELAY_APPLICATION;
}

static void crowd_unit(sailor *a, belay_session *s, int i)
{
    int from = 1 + (a->number + i) % 5, to = 1 + (a->number + 3 * i + 1) % 5;
    BELAY_ATOMIC_WITH(s, .timeout_ms = i % 3 == 0 ? 15 + a->number : 10000, .lock_timeout_ms = i % 2 ? 10 : 5000,
                      .retries = i % 4, .backoff_ms = 1, .backoff_max_ms = 5) {
        belay_on_commit(s, count_hook, &a->hooks, NULL);
        belay_exec(s, "UPDATE purse SET cents = cents - 1 WHERE id = ?", from);
        BELAY_ATOMIC(s) {
            belay_exec(s, "UPDATE purse SET cents = cents + 1 WHERE id = ?", to);
            if (i % 7 == 0)
                belay_fail(s, BELAY_APPLICATION, "on purpose");
        }
        if (i % 5 == 0)
            pause_ms(3);
    }
}

static void *crowd(void *arg)
{
    sailor *a = arg;
    belay_session *s = belay_session_open(a->storm->db);
    for (int i = 0; i < a->storm->units; i++) {
        crowd_unit(a, s, i);
        belay_error error = *belay_pending(s);
        a->done += error.code == BELAY_OK;
        if (!may_be(error.code)) {
            a->failed++;
            a->last = error;
        }
    }
    belay_session_close(s);
    return NULL;
}

static void forty_threads_on_three_connections_with_limits_keep_the_sum(void **state)
{
    enum { UNITS = 20 };
    storm st = {.w = *state, .units = UNITS};
    int done = 0;
    make_purses(st.w, 5);
    st.db = open_again(st.w, BELAY_DB_OPTIONS(.pool_size = 3, .pool_timeout_ms = 200));
    sail(&st, THREADS_MOST, crowd);
    for (int i = 0; i < THREADS_MOST; i++) {
        if (st.sailors[i].failed)
            fail_msg("%s: %s", belay_code_name(st.sailors[i].last.code), st.sailors[i].last.message);
        assert_int_equal(st.sailors[i].hooks, st.sailors[i].done);
        done += st.sailors[i].done;
    }
    assert_true(done > 0);
    assert_rows(st.w->other, "SELECT sum(cents) FROM purse", "0");
}

/* The world on any engine: on a server it is looked at afterwards. */
static int any_open(void **state)
{
    return world_open(state);
}

static int any_close(void **state)
{
    world *w = *state;
    return database_is_sqlite(&w->d) ? world_close(state) : server_close(state);
}

int main(void)
{
    const struct CMUnitTest on_servers[] = {
        on_server(sessions_that_wait_for_each_other_in_a_circle_all_get_through),
        on_server(eight_threads_on_one_row_lose_no_update_and_none_starves),
    };
    const struct CMUnitTest anywhere[] = {
        cmocka_unit_test_setup_teardown(forty_threads_on_three_connections_with_limits_keep_the_sum, any_open,
                                        any_close),
    };
    const char *url = getenv("BELAY_TEST_URL");
    int failed = url && *url ? cmocka_run_group_tests_name("server storms", on_servers, NULL, NULL) : 0;
    return failed + cmocka_run_group_tests_name("crowds", anywhere, NULL, NULL);
}
