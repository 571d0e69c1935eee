/*
 * test_conflicting_levels.c - sixteen threads move money between a few accounts, at SERIALIZABLE, at SNAPSHOT, and with
 * locked rows: each unit is there once, the sums are right, and no thread is starved.
 *
 * A unit reads both balances, writes what it made of them, and leaves a row with its number, which is a key: a unit
 * that was done twice could not commit its second time, and one whose failed attempt was kept would have a row too many
 * in `attempt`, which has no key. Outside the database each unit counts its attempts and the hooks that ran. How long
 * anything takes is not asserted; that every thread ends its share within its retries is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>

#include "database.h"

enum { THREADS = 16, UNITS = 12, ACCOUNTS = 4, OPENING = 1000, RETRIES = 20000, PATIENCE_MS = 120000 };

static const char *const tables[] = {
    "DROP TABLE IF EXISTS attempt",
    "DROP TABLE IF EXISTS unit",
    "DROP TABLE IF EXISTS account",
    "CREATE TABLE account (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL)",
    "CREATE TABLE unit (number INTEGER PRIMARY KEY, source INTEGER NOT NULL, target INTEGER NOT NULL,"
    " amount INTEGER NOT NULL)",
    "CREATE TABLE attempt (number INTEGER NOT NULL, nth INTEGER NOT NULL)",
    "INSERT INTO account (id, balance) VALUES (1, 1000), (2, 1000), (3, 1000), (4, 1000)",
    NULL,
};

typedef struct tally {
    int attempts, commits, rollbacks;
    belay_code code;
} tally;

typedef struct worker {
    belay_db *db;
    int number;
    belay_level level;
    bool locks; /* the rows, in the order that it happens to want them */
    unsigned dice;
    tally units[UNITS];
    belay_code closed;
    pthread_t thread;
} worker;

typedef struct transfer {
    int number, source, target, amount;
} transfer;

static int roll(worker *w, int sides)
{
    w->dice = w->dice * 1664525U + 1013904223U;
    return (int)((w->dice >> 8) % (unsigned)sides);
}

static int count(belay_session *s, void *arg)
{
    (void)s;
    ++*(int *)arg;
    return 0;
}

static int64_t read_balance(belay_session *s, const worker *w, int account)
{
    return w->locks ? belay_int_of(s, "SELECT balance FROM account WHERE id = ? FOR UPDATE", account)
                    : belay_int_of(s, "SELECT balance FROM account WHERE id = ?", account);
}

static void attempt(belay_session *s, const worker *w, const transfer *t, tally *told)
{
    told->attempts++;
    belay_on_commit(s, count, &told->commits, NULL);
    belay_on_rollback(s, count, &told->rollbacks, NULL);
    belay_exec(s, "INSERT INTO attempt (number, nth) VALUES (?, ?)", t->number, belay_attempt(s));
    int64_t source = read_balance(s, w, t->source), target = read_balance(s, w, t->target);
    BELAY_ATOMIC(s) {
        belay_exec(s, "UPDATE account SET balance = ? WHERE id = ?", source - t->amount, t->source);
        belay_exec(s, "UPDATE account SET balance = ? WHERE id = ?", target + t->amount, t->target);
    }
    belay_exec(s, "INSERT INTO unit (number, source, target, amount) VALUES (?, ?, ?, ?)", t->number, t->source,
               t->target, t->amount);
}

static void *work(void *arg)
{
    worker *w = arg;
    belay_session *s = belay_session_open(w->db);
    for (int i = 0; i < UNITS; i++) {
        int source = roll(w, ACCOUNTS), target = (source + 1 + roll(w, ACCOUNTS - 1)) % ACCOUNTS;
        transfer t = {w->number * UNITS + i, source + 1, target + 1, 1 + roll(w, 9)};
        BELAY_ATOMIC_WITH(s, .name = "transfer", .isolation = w->level, .retries = RETRIES, .backoff_ms = 1,
                          .backoff_max_ms = 16, .timeout_ms = PATIENCE_MS)
            attempt(s, w, &t, &w->units[i]);
        w->units[i].code = belay_status(s);
    }
    w->closed = belay_session_close(s);
    return NULL;
}

/* ---- What must hold --------------------------------------------------------------------------------------------- */

/* Every thread has done its share, each unit was committed once, and its hooks say so. How many attempts it took. */
static int64_t check_reports(const worker *workers)
{
    int wrong = 0;
    int64_t attempts = 0;
    for (int i = 0; i < THREADS; i++) {
        wrong += workers[i].closed != BELAY_OK;
        for (int k = 0; k < UNITS; k++) {
            const tally *t = &workers[i].units[k];
            wrong += t->code != BELAY_OK || t->commits != 1 || t->rollbacks != t->attempts - 1;
            wrong += t->attempts < 1 || t->attempts > RETRIES + 1;
            attempts += t->attempts;
        }
    }
    assert_int_equal(wrong, 0);
    return attempts;
}

static void check_tables(belay_session *s)
{
    assert_int_equal(belay_int_of(s, "SELECT count(*) FROM unit"), THREADS * UNITS);
    assert_int_equal(belay_int_of(s, "SELECT count(*) FROM attempt"), THREADS * UNITS);
    assert_int_equal(belay_int_of(s, "SELECT count(DISTINCT number) FROM attempt"), THREADS * UNITS);
    assert_int_equal(belay_int_of(s, "SELECT sum(balance) FROM account"), ACCOUNTS * OPENING);
    assert_int_equal(belay_int_of(s, "SELECT count(*) FROM account a WHERE balance <> 1000"
                                     " + (SELECT coalesce(sum(amount), 0) FROM unit WHERE target = a.id)"
                                     " - (SELECT coalesce(sum(amount), 0) FROM unit WHERE source = a.id)"),
                     0);
    assert_status(s, BELAY_OK);
}

/* The attempts that the tables remember are those that committed: their numbers say how many came before. */
static void check_attempts(belay_session *s, const worker *workers)
{
    int wrong = 0;
    BELAY_EACH(row, s, "SELECT number, nth FROM attempt") {
        int64_t number = belay_int(row, 0);
        wrong += workers[number / UNITS].units[number % UNITS].attempts != belay_int(row, 1);
    }
    assert_int_equal(wrong, 0);
}

static int64_t run_and_check(belay_level level, bool locks, int pool_size)
{
    static worker workers[THREADS];
    database d;
    database_open(&d, BELAY_DB_OPTIONS(.pool_size = pool_size, .pool_timeout_ms = -1));
    database_run(d.s, tables);
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (worker){.db = d.db, .number = i, .level = level, .locks = locks, .dice = 31U + (unsigned)i};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(workers[i].thread, NULL);
    int64_t attempts = check_reports(workers);
    check_tables(d.s);
    check_attempts(d.s, workers);
    assert_int_equal(database_close(&d), BELAY_OK);
    print_message("%lld attempts for %d units\n", (long long)attempts, THREADS * UNITS);
    return attempts;
}

static bool has_one_writer(void)
{
    database d;
    database_open(&d, NULL);
    bool one = database_is_sqlite(&d);
    database_close(&d);
    return one;
}

/* Where rows are locked, sixteen threads on four rows can't but meet; where there is one writer they queue. */
static void check_met(int64_t attempts)
{
    if (has_one_writer())
        assert_int_equal(attempts, THREADS * UNITS);
    else
        assert_true(attempts > THREADS * UNITS);
}

static void at_serializable_every_unit_is_there_once_and_no_thread_is_starved(void **state)
{
    (void)state;
    check_met(run_and_check(BELAY_SERIALIZABLE, false, THREADS));
}

static void at_snapshot_every_unit_is_there_once_and_no_thread_is_starved(void **state)
{
    (void)state;
    check_met(run_and_check(BELAY_SNAPSHOT, false, THREADS));
}

static void with_locked_rows_every_unit_is_there_once_and_no_thread_is_starved(void **state)
{
    (void)state;
    check_met(run_and_check(BELAY_ISOLATION_DEFAULT, true, THREADS));
}

static void on_few_connections_every_unit_is_there_once_and_no_thread_is_starved(void **state)
{
    (void)state;
    run_and_check(BELAY_SERIALIZABLE, true, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_serializable_every_unit_is_there_once_and_no_thread_is_starved),
        cmocka_unit_test(at_snapshot_every_unit_is_there_once_and_no_thread_is_starved),
        cmocka_unit_test(with_locked_rows_every_unit_is_there_once_and_no_thread_is_starved),
        cmocka_unit_test(on_few_connections_every_unit_is_there_once_and_no_thread_is_starved),
    };
    return cmocka_run_group_tests_name("conflicting levels", tests, NULL, NULL);
}
