/*
 * test_transfers.c - transfers from many threads at once: the sum never changes, and what was reported is there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>

#include "database.h"

enum { ACCOUNTS = 8, THREADS = 6, TRANSFERS = 100, OPENING = 500 };

static void make_accounts(belay_session *s)
{
    static const char *const tables[] = {
        "DROP TABLE IF EXISTS transfer",
        "DROP TABLE IF EXISTS account",
        "CREATE TABLE account (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL,"
        " CONSTRAINT funds CHECK (balance >= 0))",
        "CREATE TABLE transfer (worker INTEGER NOT NULL, number INTEGER NOT NULL, source INTEGER NOT NULL,"
        " target INTEGER NOT NULL, amount INTEGER NOT NULL, PRIMARY KEY (worker, number))",
        NULL,
    };
    database_run(s, tables);
    BELAY_ATOMIC(s) {
        for (int id = 1; id <= ACCOUNTS; id++)
            belay_exec(s, "INSERT INTO account (id, balance) VALUES (?, ?)", id, OPENING);
    }
    assert_status(s, BELAY_OK);
}

typedef struct worker {
    belay_db *db;
    int number;
    unsigned dice;
    bool reported[TRANSFERS];
    int committed, refused, other, hooks;
    belay_code unread;
    pthread_t thread;
} worker;

static int count_commit(belay_session *s, void *arg)
{
    (void)s;
    ((worker *)arg)->hooks++;
    return 0;
}

static int roll(worker *w, int sides)
{
    w->dice = w->dice * 1664525U + 1013904223U;
    return (int)((w->dice >> 8) % (unsigned)sides);
}

/* Credits first, so that what the CHECK refuses comes when half is done. */
static void transfer(worker *w, belay_session *s, int number)
{
    int source = 1 + roll(w, ACCOUNTS), target = 1 + (source + roll(w, ACCOUNTS - 1)) % ACCOUNTS;
    int amount = 1 + roll(w, OPENING);
    BELAY_ATOMIC_WITH(s, .name = "transfer", .retries = 100) {
        belay_on_commit(s, count_commit, w, NULL);
        belay_exec(s, "UPDATE account SET balance = balance + ? WHERE id = ?", amount, target);
        BELAY_ATOMIC(s) {
            belay_exec(s, "UPDATE account SET balance = balance - ? WHERE id = ?", amount, source);
        }
        belay_exec(s, "INSERT INTO transfer (worker, number, source, target, amount) VALUES (?, ?, ?, ?, ?)", w->number,
                   number, source, target, amount);
    }
    belay_code code = belay_status(s);
    w->reported[number] = code == BELAY_OK;
    w->committed += code == BELAY_OK;
    w->refused += code == BELAY_CHECK;
    w->other += code != BELAY_OK && code != BELAY_CHECK;
}

static void *work(void *arg)
{
    worker *w = arg;
    belay_session *s = belay_session_open(w->db);
    for (int i = 0; i < TRANSFERS; i++)
        transfer(w, s, i);
    w->unread = belay_session_close(s);
    return NULL;
}

static void run_workers(worker *workers, belay_db *const *handles, int handle_count)
{
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (worker){.db = handles[i % handle_count], .number = i, .dice = 77U + (unsigned)i};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(workers[i].thread, NULL);
}

static void check_tables(belay_session *s)
{
    assert_int_equal(belay_int_of(s, "SELECT sum(balance) FROM account"), ACCOUNTS * OPENING);
    assert_int_equal(belay_int_of(s, "SELECT count(*) FROM account WHERE balance < 0"), 0);
    assert_int_equal(belay_int_of(s, "SELECT count(*) FROM account a WHERE balance <> 500"
                                     " + (SELECT coalesce(sum(amount), 0) FROM transfer WHERE target = a.id)"
                                     " - (SELECT coalesce(sum(amount), 0) FROM transfer WHERE source = a.id)"),
                     0);
}

/* Every transfer that was reported is there, and no other. */
static void check_reports(belay_session *s, const worker *workers)
{
    int64_t committed = 0;
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(workers[i].other, 0);
        assert_int_equal(workers[i].unread, BELAY_OK);
        assert_int_equal(workers[i].committed + workers[i].refused, TRANSFERS);
        assert_int_equal(workers[i].hooks, workers[i].committed);
        committed += workers[i].committed;
        BELAY_EACH(row, s, "SELECT number FROM transfer WHERE worker = ?", i)
            assert_true(workers[i].reported[belay_int(row, 0)]);
    }
    assert_int_equal(belay_int_of(s, "SELECT count(*) FROM transfer"), committed);
    assert_true(committed > 0);
}

static void threads_on_one_handle_never_change_the_sum(void **state)
{
    static worker workers[THREADS];
    database d;
    (void)state;
    database_open(&d, BELAY_DB_OPTIONS(.pool_size = 3));
    make_accounts(d.s);
    run_workers(workers, &d.db, 1);
    check_tables(d.s);
    check_reports(d.s, workers);
    assert_int_equal(database_close(&d), BELAY_OK);
}

static void threads_on_two_handles_never_change_the_sum(void **state)
{
    static worker workers[THREADS];
    database d;
    (void)state;
    database_open(&d, NULL);
    belay_db *second = belay_open(d.url, NULL);
    belay_db *const handles[] = {d.db, second};
    make_accounts(d.s);
    run_workers(workers, handles, 2);
    check_tables(d.s);
    check_reports(d.s, workers);
    belay_close(second);
    assert_int_equal(database_close(&d), BELAY_OK);
}

/* ---- Readers beside writers ------------------------------------------------------------------------------------- */

typedef struct auditor {
    belay_db *db;
    int wrong, looks;
    pthread_t thread;
} auditor;

static void *audit(void *arg)
{
    auditor *a = arg;
    belay_session *s = belay_session_open(a->db);
    for (int i = 0; i < 50; i++) {
        int64_t sum = 0, below = 0;
        BELAY_ATOMIC_WITH(s, .read_only = true, .isolation = BELAY_REPEATABLE_READ, .retries = 100) {
            sum = belay_int_of(s, "SELECT sum(balance) FROM account");
            below = belay_int_of(s, "SELECT count(*) FROM account WHERE balance < 0");
        }
        a->looks += belay_status(s) == BELAY_OK;
        a->wrong += belay_status(s) == BELAY_OK && (sum != ACCOUNTS * OPENING || below != 0);
    }
    belay_session_close(s);
    return NULL;
}

static void a_reader_sees_the_same_sum_at_every_moment(void **state)
{
    static worker workers[THREADS];
    database d;
    (void)state;
    database_open(&d, NULL);
    make_accounts(d.s);
    auditor a = {.db = d.db};
    assert_int_equal(pthread_create(&a.thread, NULL, audit, &a), 0);
    run_workers(workers, &d.db, 1);
    pthread_join(a.thread, NULL);
    assert_int_equal(a.wrong, 0);
    assert_int_equal(a.looks, 50);
    check_tables(d.s);
    assert_int_equal(database_close(&d), BELAY_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_on_one_handle_never_change_the_sum),
        cmocka_unit_test(threads_on_two_handles_never_change_the_sum),
        cmocka_unit_test(a_reader_sees_the_same_sum_at_every_moment),
    };
    return cmocka_run_group_tests_name("transfers", tests, NULL, NULL);
}
