/*
 * test_conflicting_units.c - sixteen threads run units that want the same few rows, with small limits and retries.
 *
 * Every unit reads, writes what it read, writes in a nested scope that fails now and then and is caught, and has
 * hooks in both scopes. Errors are made up besides those that the limits lead to: at the end of an attempt, and before
 * its commit. Each unit counts, outside the database, its attempts and the hooks that ran; the ledger in the database
 * has a row a unit. Afterwards every unit must be there once, the sums must be right, no update lost, and each hook
 * must have run as often as its scope was committed, or rolled back. How long anything takes is not asserted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "database.h"

enum { THREADS = 16, UNITS = 150, ROWS = 3, RETRIES = 10000 };

static const char *const tables[] = {
    "DROP TABLE IF EXISTS extra",
    "DROP TABLE IF EXISTS ledger",
    "DROP TABLE IF EXISTS counter",
    "CREATE TABLE counter (id INTEGER PRIMARY KEY, value INTEGER NOT NULL)",
    "CREATE TABLE ledger (worker INTEGER NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (worker, number))",
    "CREATE TABLE extra (id INTEGER PRIMARY KEY)",
    "INSERT INTO counter (id, value) VALUES (0, 0), (1, 0), (2, 0), (3, 0)",
    "INSERT INTO extra (id) VALUES (-1)",
    NULL,
};

/* What a unit went through, all its attempts together. */
typedef struct tally {
    int attempts, made_up;  /* errors */
    int commits, rollbacks; /* hooks that ran */
    int inner;              /* nested scopes that were begun; each registers two hooks */
    int inner_commits, inner_rollbacks;
    bool inner_kept; /* in the last attempt */
    belay_code code;
} tally;

typedef struct worker {
    belay_db *db;
    int number;
    int lock_timeout_ms;
    pthread_barrier_t *start;
    tally units[UNITS];
    belay_code closed;
    pthread_t thread;
} worker;

/* In memory that processes share. */
typedef struct crowd {
    pthread_barrier_t start; /* all begin at once */
    worker workers[THREADS];
} crowd;

/* ---- A unit ----------------------------------------------------------------------------------------------------- */

static int count(belay_session *s, void *arg)
{
    (void)s;
    ++*(int *)arg;
    return 0;
}

static int refuse_as_busy(belay_session *s, void *arg)
{
    count(s, arg);
    belay_fail(s, BELAY_BUSY, "made up, before the commit");
    return 0;
}

/* It fails in every third unit, in which it wants a row that is there. */
static void write_nested(belay_session *s, int id, bool fails, tally *t)
{
    BELAY_ATOMIC(s) {
        t->inner++;
        belay_on_commit(s, count, &t->inner_commits, NULL);
        belay_on_rollback(s, count, &t->inner_rollbacks, NULL);
        belay_exec(s, "UPDATE counter SET value = value + 1 WHERE id = 0");
        belay_exec(s, "INSERT INTO extra (id) VALUES (?)", fails ? -1 : id);
    }
    t->inner_kept = belay_status(s) == BELAY_OK;
    belay_ignore(s, BELAY_UNIQUE);
}

/* Longer than the others' limits, where these are small. */
static void hold_locks(void)
{
    const struct timespec two_ms = {.tv_nsec = 2000000};
    nanosleep(&two_ms, NULL);
}

static void attempt(belay_session *s, const worker *w, int number, tally *t)
{
    int row = 1 + (w->number + number) % ROWS;
    t->attempts++;
    belay_on_commit(s, count, &t->commits, NULL);
    belay_on_rollback(s, count, &t->rollbacks, NULL);
    int64_t value = belay_int_of(s, "SELECT value FROM counter WHERE id = ? FOR UPDATE", row);
    write_nested(s, UNITS * w->number + number, number % 3 == 0, t);
    belay_exec(s, "UPDATE counter SET value = ? WHERE id = ?", value + 1, row);
    belay_exec(s, "INSERT INTO ledger (worker, number) VALUES (?, ?)", w->number, number);
    if (number % 15 == 0)
        hold_locks();
    if (belay_status(s) != BELAY_OK)
        return;
    if (number % 5 == 0 && t->made_up < 1) {
        t->made_up++;
        belay_fail(s, BELAY_SERIALIZATION, "made up");
    }
    if (number % 7 == 0 && t->made_up < 3)
        belay_before_commit(s, refuse_as_busy, &t->made_up, NULL);
}

static void *work(void *arg)
{
    worker *w = arg;
    belay_session *s = belay_session_open(w->db);
    pthread_barrier_wait(w->start);
    for (int i = 0; i < UNITS; i++) {
        BELAY_ATOMIC_WITH(s, .name = "conflicting", .retries = RETRIES, .lock_timeout_ms = w->lock_timeout_ms,
                          .backoff_ms = 1, .backoff_max_ms = 8)
            attempt(s, w, i, &w->units[i]);
        w->units[i].code = belay_status(s);
    }
    w->closed = belay_session_close(s);
    return NULL;
}

/* Nobody but the tests' own processes knows of it. Freed with munmap. */
static crowd *make_crowd(void)
{
    pthread_barrierattr_t shared;
    crowd *c = mmap(NULL, sizeof *c, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(c != MAP_FAILED);
    pthread_barrierattr_init(&shared);
    pthread_barrierattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
    pthread_barrier_init(&c->start, &shared, THREADS);
    pthread_barrierattr_destroy(&shared);
    return c;
}

/* Runs workers number `from` and on, each on one of the handles by turns. */
static void run_workers(crowd *c, int from, int to, belay_db *const *handles, int handle_count, int lock_ms)
{
    for (int i = from; i < to; i++) {
        worker *w = &c->workers[i];
        *w = (worker){.db = handles[i % handle_count], .number = i, .lock_timeout_ms = lock_ms, .start = &c->start};
        if (pthread_create(&w->thread, NULL, work, w) != 0)
            abort();
    }
    for (int i = from; i < to; i++)
        pthread_join(c->workers[i].thread, NULL);
}

/* ---- What must hold --------------------------------------------------------------------------------------------- */

/* The number of things that are wrong with the unit. */
static int judge(const tally *t)
{
    int wrong = t->code != BELAY_OK;
    wrong += t->attempts < 1 + t->made_up || t->attempts > RETRIES + 1;
    wrong += t->commits != 1 || t->rollbacks != t->attempts - 1;
    wrong += t->inner_commits != t->inner_kept;
    wrong += t->inner_commits + t->inner_rollbacks != t->inner;
    return wrong;
}

static void check(database *d, const crowd *c)
{
    int wrong = 0, kept = 0, unfinished = 0;
    for (int i = 0; i < THREADS; i++) {
        unfinished += c->workers[i].closed != BELAY_OK;
        for (int k = 0; k < UNITS; k++) {
            const tally *unit = &c->workers[i].units[k];
            int faults = judge(unit);
            if (faults > 0)
                print_error("unit %d of worker %d: %s after %d attempts, %d commits, %d rollbacks\n", k, i,
                            belay_code_name(unit->code), unit->attempts, unit->commits, unit->rollbacks);
            wrong += faults;
            kept += c->workers[i].units[k].inner_kept;
        }
    }
    assert_int_equal(wrong, 0);
    assert_int_equal(unfinished, 0);
    assert_int_equal(kept, THREADS * UNITS * 2 / 3);
    assert_int_equal(belay_int_of(d->s, "SELECT count(*) FROM ledger"), THREADS * UNITS);
    assert_int_equal(belay_int_of(d->s, "SELECT count(*) FROM extra WHERE id >= 0"), kept);
    assert_int_equal(belay_int_of(d->s, "SELECT value FROM counter WHERE id = 0"), kept);
    assert_int_equal(belay_int_of(d->s, "SELECT sum(value) FROM counter WHERE id > 0"), THREADS * UNITS);
    if (database_is_sqlite(d))
        assert_rows(d->s, "PRAGMA integrity_check", "ok");
}

/* Attempts beyond the first of each unit that the test made up no error for. */
static int count_conflicts(const crowd *c)
{
    int conflicts = 0;
    for (int i = 0; i < THREADS; i++)
        for (int k = 0; k < UNITS; k++)
            conflicts += c->workers[i].units[k].attempts - 1 - c->workers[i].units[k].made_up;
    return conflicts;
}

/* ---- Who competes ----------------------------------------------------------------------------------------------- */

/* In a child: nothing of what the parent has opened can be used here. */
static void work_in_child(const char *url, crowd *c, int from)
{
    alarm(120); /* the other process may have died, and everybody waits for all to begin */
    belay_db *db = belay_open(url, BELAY_DB_OPTIONS(.pool_size = 4, .pool_timeout_ms = -1));
    run_workers(c, from, from + THREADS / 2, &db, 1, 5);
    belay_close(db);
    _exit(0);
}

static void two_processes_run_every_unit_once(void **state)
{
    database d;
    pid_t children[2];
    crowd *c = make_crowd();
    (void)state;
    database_open(&d, NULL);
    database_run(d.s, tables);
    assert_int_equal(belay_session_close(d.s), BELAY_OK);
    belay_close(d.db);
    for (int i = 0; i < 2; i++) {
        children[i] = fork();
        if (children[i] == 0)
            work_in_child(d.url, c, i * THREADS / 2);
    }
    for (int i = 0; i < 2; i++) {
        int status = -1;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    d.db = belay_open(d.url, NULL);
    d.s = belay_session_open(d.db);
    check(&d, c);
    munmap(c, sizeof *c);
    assert_int_equal(database_close(&d), BELAY_OK);
}

/* Who waits without a limit is served: every attempt beyond the first is one that the test made up an error for. */
static void without_limits_no_unit_is_run_again_but_for_its_own_errors(void **state)
{
    database d;
    crowd *c = make_crowd();
    (void)state;
    database_open(&d, BELAY_DB_OPTIONS(.pool_size = 5, .pool_timeout_ms = -1));
    database_run(d.s, tables);
    run_workers(c, 0, THREADS, &d.db, 1, -1);
    check(&d, c);
    if (database_is_sqlite(&d)) /* where a second writer waits at its first statement */
        assert_int_equal(count_conflicts(c), 0);
    munmap(c, sizeof *c);
    assert_int_equal(database_close(&d), BELAY_OK);
}

/* A connection and a lock are each waited for at most a millisecond. */
static void with_small_limits_every_unit_is_run_until_it_is_there_once(void **state)
{
    database d;
    crowd *c = make_crowd();
    (void)state;
    database_open(&d, BELAY_DB_OPTIONS(.pool_size = 5, .pool_timeout_ms = 1));
    database_run(d.s, tables);
    run_workers(c, 0, THREADS, &d.db, 1, 1);
    check(&d, c);
    assert_true(count_conflicts(c) > 0);
    munmap(c, sizeof *c);
    assert_int_equal(database_close(&d), BELAY_OK);
}

static void two_handles_run_every_unit_once(void **state)
{
    database d;
    crowd *c = make_crowd();
    (void)state;
    database_open(&d, BELAY_DB_OPTIONS(.pool_timeout_ms = -1));
    belay_db *const handles[] = {d.db, belay_open(d.url, BELAY_DB_OPTIONS(.pool_timeout_ms = -1))};
    database_run(d.s, tables);
    run_workers(c, 0, THREADS, handles, 2, 5);
    check(&d, c);
    belay_close(handles[1]);
    munmap(c, sizeof *c);
    assert_int_equal(database_close(&d), BELAY_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_processes_run_every_unit_once), /* first: no thread has run in this process yet */
        cmocka_unit_test(without_limits_no_unit_is_run_again_but_for_its_own_errors),
        cmocka_unit_test(with_small_limits_every_unit_is_run_until_it_is_there_once),
        cmocka_unit_test(two_handles_run_every_unit_once),
    };
    return cmocka_run_group_tests_name("conflicting units", tests, NULL, NULL);
}
