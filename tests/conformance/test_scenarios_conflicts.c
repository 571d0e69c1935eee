/*
 * test_scenarios_conflicts.c - two transfers in opposite order: one of them is refused what the other holds, its whole
 * unit runs again, both are done, and of the attempts that failed nothing is there.
 *
 * On SQLite the second one is refused the one write lock, within its limit. On an engine that locks rows the two meet
 * in a deadlock. The threads wait for each other at most PATIENCE_S: a test that would hang fails.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <time.h>

#include "database.h"

enum { PATIENCE_S = 20, ROUNDS = 40, STORM_THREADS = 4 };

static int open_accounts(void **state)
{
    static database d;
    static const char *const tables[] = {
        "DROP TABLE IF EXISTS step",
        "DROP TABLE IF EXISTS account",
        "CREATE TABLE account (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL)",
        "CREATE TABLE step (mover INTEGER NOT NULL, round INTEGER NOT NULL, attempt INTEGER NOT NULL,"
        " number INTEGER NOT NULL)", /* no key: it would keep out what an attempt that failed left behind */
        "INSERT INTO account (id, balance) VALUES (1, 1000), (2, 1000)",
        NULL,
    };
    database_open(&d, NULL);
    database_run(d.s, tables);
    *state = &d;
    return 0;
}

static int close_accounts(void **state)
{
    return database_close(*state) == BELAY_OK ? 0 : -1;
}

/* ---- Meeting half-way ------------------------------------------------------------------------------------------- */

typedef struct meeting {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool first_has_begun, second_has_tried, in_vain;
} meeting;

static void reach(meeting *m, bool *point)
{
    pthread_mutex_lock(&m->mutex);
    *point = true;
    pthread_cond_broadcast(&m->changed);
    pthread_mutex_unlock(&m->mutex);
}

static void wait_for(meeting *m, const bool *point)
{
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += PATIENCE_S;
    pthread_mutex_lock(&m->mutex);
    while (!*point && !m->in_vain)
        m->in_vain = pthread_cond_timedwait(&m->changed, &m->mutex, &end) != 0;
    pthread_mutex_unlock(&m->mutex);
}

/* ---- Transfers -------------------------------------------------------------------------------------------------- */

typedef struct mover {
    belay_db *db;
    meeting *meeting; /* NULL: it does not wait for anybody */
    int number, source, target, amount, rounds, lock_timeout_ms;
    bool impatient; /* does not wait for locks at all */
    int runs, commits, rollbacks, units;
    belay_code first_error, refused; /* of the first attempt that failed; what a statement was told after that */
    belay_code unread;
    pthread_t thread;
} mover;

static int count_hook(belay_session *s, void *arg)
{
    (void)s;
    ++*(int *)arg;
    return 0;
}

static belay_code note_step(belay_session *s, const mover *m, int round, int number)
{
    return belay_exec(s, "INSERT INTO step (mover, round, attempt, number) VALUES (?, ?, ?, ?)", m->number, round,
                      belay_attempt(s), number);
}

static void meet_half_way(const mover *m)
{
    if (m->meeting && m->runs == 1) {
        reach(m->meeting, m->number == 1 ? &m->meeting->first_has_begun : &m->meeting->second_has_tried);
        wait_for(m->meeting, &m->meeting->second_has_tried);
    }
}

static void transfer(belay_session *s, mover *m, int round)
{
    BELAY_ATOMIC_WITH(s, .name = "transfer", .retries = 100000, .backoff_ms = 1, .backoff_max_ms = 4,
                      .timeout_ms = 1000 * PATIENCE_S, .lock_timeout_ms = m->lock_timeout_ms) {
        m->runs++;
        belay_on_commit(s, count_hook, &m->commits, NULL);
        belay_on_rollback(s, count_hook, &m->rollbacks, NULL);
        if (m->impatient)
            belay_int_of(s, "SELECT balance FROM account WHERE id = ? FOR UPDATE NOWAIT", m->source);
        note_step(s, m, round, 1);
        belay_exec(s, "UPDATE account SET balance = balance - ? WHERE id = ?", m->amount, m->source);
        sched_yield(); /* so that others meet the lock */
        meet_half_way(m);
        belay_exec(s, "UPDATE account SET balance = balance + ? WHERE id = ?", m->amount, m->target);
        if (m->first_error == BELAY_OK)
            m->first_error = belay_status(s);
        belay_code code = note_step(s, m, round, 2); /* where the engine has ended the transaction, this must not go */
        if (m->refused == BELAY_OK)
            m->refused = code;
    }
    m->units += belay_status(s) == BELAY_OK;
}

static void *move(void *arg)
{
    mover *m = arg;
    belay_session *s = belay_session_open(m->db);
    if (m->meeting && m->number == 2)
        wait_for(m->meeting, &m->meeting->first_has_begun);
    for (int round = 0; round < m->rounds; round++)
        transfer(s, m, round);
    m->unread = belay_session_close(s);
    return NULL;
}

static void run_movers(mover *movers, int count)
{
    for (int i = 0; i < count; i++)
        assert_int_equal(pthread_create(&movers[i].thread, NULL, move, &movers[i]), 0);
    for (int i = 0; i < count; i++)
        pthread_join(movers[i].thread, NULL);
}

/* Every unit is there once, with both its steps, by the attempt that committed; each other attempt was undone. */
static void check_mover(belay_session *s, const mover *m)
{
    assert_int_equal(m->units, m->rounds);
    assert_int_equal(m->unread, BELAY_OK);
    assert_int_equal(m->commits, m->rounds);
    assert_int_equal(m->rollbacks, m->runs - m->rounds);
    assert_int_equal(belay_int_of(s, "SELECT count(*) FROM step WHERE mover = ?", m->number), 2 * m->rounds);
    assert_int_equal(belay_int_of(s,
                                  "SELECT count(*) FROM step a JOIN step b ON b.mover = a.mover AND b.round ="
                                  " a.round AND b.attempt = a.attempt WHERE a.mover = ? AND a.number = 1"
                                  " AND b.number = 2",
                                  m->number),
                     m->rounds);
}

/* ---- 25: opposite order ----------------------------------------------------------------------------------------- */

static void check_opposite_order(database *d, belay_db *other)
{
    meeting met = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    int limit = database_is_sqlite(d) ? 20 : 1000 * PATIENCE_S; /* row locks: until the engine sees the deadlock */
    mover movers[] = {
        {.db = d->db, .number = 1, .source = 1, .target = 2, .amount = 30},
        {.db = other, .number = 2, .source = 2, .target = 1, .amount = 50},
    };
    for (int i = 0; i < 2; i++) {
        movers[i].meeting = &met;
        movers[i].rounds = 1;
        movers[i].lock_timeout_ms = limit;
    }
    run_movers(movers, 2);
    assert_false(met.in_vain);
    for (int i = 0; i < 2; i++) {
        check_mover(d->s, &movers[i]);
        assert_int_equal(movers[i].refused, movers[i].first_error);
        assert_int_equal(belay_int_of(d->s, "SELECT max(attempt) FROM step WHERE mover = ?", i + 1), movers[i].runs);
    }
    assert_true(movers[0].runs + movers[1].runs > 2);
    assert_rows(d->s, "SELECT id, balance FROM account ORDER BY id", "1|1020;2|980");
    if (database_is_sqlite(d)) {
        assert_int_equal(movers[0].runs, 1);
        assert_int_equal(movers[1].first_error, BELAY_LOCK_TIMEOUT);
    }
}

static void of_two_transfers_in_opposite_order_one_runs_again_and_both_are_done(void **state)
{
    database *d = *state;
    check_opposite_order(d, d->db);
}

static void transfers_in_opposite_order_through_two_handles_are_both_done_too(void **state)
{
    database *d = *state;
    belay_db_options options = database_options(d, NULL);
    belay_db *other = belay_open(d->url, &options);
    check_opposite_order(d, other);
    belay_close(other);
}

/* Nobody waits, so that many attempts are in vain. */
static void a_storm_of_crosswise_transfers_that_wait_for_nothing_leaves_each_once(void **state)
{
    database *d = *state;
    belay_db_options options = database_options(d, NULL);
    belay_db *other = belay_open(d->url, &options);
    mover movers[STORM_THREADS] = {{.db = NULL}};
    for (int i = 0; i < STORM_THREADS; i++)
        movers[i] = (mover){.db = i < 2 ? d->db : other,
                            .number = i + 1,
                            .source = 1 + i % 2,
                            .target = 2 - i % 2,
                            .amount = 1 + i,
                            .rounds = ROUNDS,
                            .lock_timeout_ms = 1,
                            .impatient = true};
    run_movers(movers, STORM_THREADS);
    belay_close(other);
    for (int i = 0; i < STORM_THREADS; i++)
        check_mover(d->s, &movers[i]);
    assert_rows(d->s, "SELECT id, balance FROM account ORDER BY id", "1|1080;2|920"); /* 40 * (-1 + 2 - 3 + 4) */
}

#define accounts_test(test) cmocka_unit_test_setup_teardown(test, open_accounts, close_accounts)

int main(void)
{
    const struct CMUnitTest tests[] = {
        accounts_test(of_two_transfers_in_opposite_order_one_runs_again_and_both_are_done),
        accounts_test(transfers_in_opposite_order_through_two_handles_are_both_done_too),
        accounts_test(a_storm_of_crosswise_transfers_that_wait_for_nothing_leaves_each_once),
    };
    return cmocka_run_group_tests_name("conflicts", tests, NULL, NULL);
}
