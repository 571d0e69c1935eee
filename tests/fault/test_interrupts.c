/*
 * test_interrupts.c - a storm of signals: every 300 microseconds one that is not restarted (no SA_RESTART), through
 * statements, commits, waits for locks and connections, and sleeps. All must pass, and no wait may be shorter than it
 * was asked to be. That none is longer is not asserted: a test can't know how busy the machine is.
 *
 * The linker puts the function below in the place of the library's own, to look at each of its sleeps, whose length is
 * drawn by lot. Link with -Wl,--wrap=belayi_clock_sleep_until and with the static library.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sqlite3.h>
#include <stdlib.h>

#include "clock.h"
#include "database.h"
#include "scenarios.h"
#include "storm.h"

/* ---- Sleeps, as the library takes them ----------------------------------------------------------- */

static int sleeps, sleeps_cut_short;
static int64_t slept_ns;

void __real_belayi_clock_sleep_until(int64_t moment_ns);
void __wrap_belayi_clock_sleep_until(int64_t moment_ns);

void __wrap_belayi_clock_sleep_until(int64_t moment_ns)
{
    int64_t start = belayi_clock_now();
    __real_belayi_clock_sleep_until(moment_ns);
    sleeps++;
    sleeps_cut_short += belayi_clock_now() < moment_ns;
    slept_ns += moment_ns > start ? moment_ns - start : 0;
}

/* ---- The storm ----------------------------------------------------------------------------------- */

static int open_notes(void **state)
{
    static database d;
    static const char *const tables[] = {"CREATE TABLE note (id INTEGER PRIMARY KEY, text VARCHAR(100))", NULL};
    database_open(&d, BELAY_DB_OPTIONS(.pool_size = 1, .pool_timeout_ms = 60));
    database_run(d.s, tables);
    *state = &d;
    storm_start();
    return 0;
}

static int close_notes(void **state)
{
    storm_stop();
    return database_close(*state) == BELAY_OK ? 0 : -1;
}

static int64_t since_ms(int64_t start_ns)
{
    return (belayi_clock_now() - start_ns) / BELAYI_NS_PER_MS;
}

/* ---- Work goes on ----------------------------------------------------------------------------------------------- */

static void units_commit_under_a_storm_of_signals(void **state)
{
    belay_session *s = ((database *)*state)->s;
    int wrong = 0;
    for (int i = 0; i < 300 || storm_signals < 100; i++) {
        BELAY_ATOMIC(s) {
            belay_exec(s, "INSERT INTO note (id, text) VALUES (?, 'outer')", 2 * i);
            BELAY_ATOMIC(s) {
                belay_exec(s, "INSERT INTO note (id, text) VALUES (?, 'inner')", 2 * i + 1);
            }
        }
        wrong += belay_status(s) != BELAY_OK;
        wrong += belay_int_of(s, "SELECT count(*) FROM note") != 2 * (i + 1);
    }
    assert_int_equal(wrong, 0);
    assert_true(storm_signals >= 100);
}

static void a_long_statement_runs_to_its_end_under_a_storm_of_signals(void **state)
{
    belay_session *s = ((database *)*state)->s;
    static const char *const count = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000)"
                                     " SELECT sum(i) FROM n";
    int64_t sum = 0;
    BELAY_READ(s) {
        sum = belay_int_of(s, count);
    }
    assert_status(s, BELAY_OK);
    assert_int_equal(sum, INT64_C(300000) * 300001 / 2);
    assert_true(storm_signals > 0);
}

static void run_scenario(database *d, const scenario *which)
{
    static scenario_notes notes;
    belay_db_options options = scenario_options(which, database_options(d, NULL));
    belay_db *db = belay_open(d->url, &options);
    belay_session *s = belay_session_open(db);
    notes = (scenario_notes){.db = db};
    assert_int_equal(scenario_setup(which, d->s), BELAY_OK);
    which->run(s, &notes);
    const char *broken = scenario_check(which, d->s, &notes);
    if (broken)
        fail_msg("%s: %s", which->name, broken);
    assert_int_equal(belay_session_close(s), BELAY_OK);
    belay_close(db);
}

static void scenarios_have_their_results_under_a_storm_of_signals(void **state)
{
    for (size_t i = 0; i < scenario_count; i++)
        run_scenario(*state, scenarios[i]);
}

static void opening_works_under_a_storm_of_signals(void **state)
{
    database *d = *state;
    for (int i = 0; i < 50; i++) {
        belay_db *db = belay_open(d->url, NULL);
        assert_int_equal(belay_db_error(db)->code, BELAY_OK);
        belay_close(db);
    }
}

/* ---- Waits keep their length ------------------------------------------------------------------------------------ */

static void a_sleep_is_not_cut_short_by_a_signal(void **state)
{
    (void)state;
    for (int ms = 1; ms <= 40; ms *= 2) {
        int64_t end = belayi_clock_now() + ms * BELAYI_NS_PER_MS;
        belayi_clock_sleep_until(end);
        assert_true(belayi_clock_now() >= end);
    }
    assert_true(storm_signals > 0);
}

static void a_wait_for_a_lock_is_not_cut_short_by_a_signal(void **state)
{
    database *d = *state;
    sqlite3 *raw = NULL;
    assert_int_equal(sqlite3_open(d->path, &raw), SQLITE_OK);
    assert_int_equal(sqlite3_exec(raw, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    int64_t start = belayi_clock_now();
    BELAY_ATOMIC_WITH(d->s, .lock_timeout_ms = 60) {
        belay_exec(d->s, "INSERT INTO note (id) VALUES (1)");
    }
    int64_t waited = since_ms(start);
    belay_code code = belay_status(d->s);
    sqlite3_close(raw);
    assert_int_equal(code, BELAY_LOCK_TIMEOUT);
    assert_true(waited >= 60);
}

static void a_wait_behind_another_session_is_not_cut_short_by_a_signal(void **state)
{
    database d;
    (void)state;
    database_open(&d, NULL);
    belay_session *other = belay_session_open(d.db);
    belay_begin(other, NULL);
    belay_exec(other, "CREATE TABLE note (id INTEGER PRIMARY KEY)");
    int64_t start = belayi_clock_now();
    BELAY_ATOMIC_WITH(d.s, .lock_timeout_ms = 60) {
        belay_exec(d.s, "CREATE TABLE other (id INTEGER PRIMARY KEY)");
    }
    int64_t waited = since_ms(start);
    belay_code code = belay_status(d.s);
    assert_int_equal(belay_rollback(other), BELAY_OK);
    assert_int_equal(belay_session_close(other), BELAY_OK);
    assert_int_equal(database_close(&d), BELAY_OK);
    assert_int_equal(code, BELAY_LOCK_TIMEOUT);
    assert_true(waited >= 60);
}

static void a_wait_for_a_connection_is_not_cut_short_by_a_signal(void **state)
{
    database *d = *state;
    belay_session *other = belay_session_open(d->db);
    belay_begin(other, NULL);
    belay_int_of(other, "SELECT count(*) FROM note");
    int64_t start = belayi_clock_now();
    assert_int_equal(belay_exec(d->s, "INSERT INTO note (id) VALUES (1)"), BELAY_TOO_MANY);
    int64_t waited = since_ms(start);
    assert_status(d->s, BELAY_TOO_MANY);
    assert_int_equal(belay_commit(other), BELAY_OK);
    assert_int_equal(belay_session_close(other), BELAY_OK);
    assert_true(waited >= 60);
}

/* Readers keep a commit from happening, where there is no log; it waits for them. */
static void a_commit_that_waits_for_a_reader_is_not_cut_short_by_a_signal(void **state)
{
    database d;
    sqlite3 *raw = NULL;
    (void)state;
    database_make(&d, "?journal=delete");
    d.db = belay_open(d.url, NULL);
    d.s = belay_session_open(d.db);
    belay_exec(d.s, "CREATE TABLE note (id INTEGER PRIMARY KEY)");
    assert_int_equal(sqlite3_open(d.path, &raw), SQLITE_OK);
    assert_int_equal(sqlite3_exec(raw, "BEGIN; SELECT * FROM note", NULL, NULL, NULL), SQLITE_OK);
    int64_t start = belayi_clock_now();
    BELAY_ATOMIC_WITH(d.s, .lock_timeout_ms = 60)
        belay_exec(d.s, "INSERT INTO note (id) VALUES (1)");
    int64_t waited = since_ms(start);
    belay_code code = belay_status(d.s);
    sqlite3_close(raw);
    assert_rows(d.s, "SELECT id FROM note", "");
    assert_int_equal(database_close(&d), BELAY_OK);
    assert_int_equal(code, BELAY_LOCK_TIMEOUT);
    assert_true(waited >= 60);
}

/* The scope's limit is the shorter one here: for a lock, in the queue behind a session, and for a connection. */
static void the_limit_of_a_scope_that_waits_is_not_cut_short_by_a_signal(void **state)
{
    static const struct {
        int pool_size;
        bool same_handle;
    } cases[] = {{2, false}, {2, true}, {1, true}};
    (void)state;
    for (int i = 0; i < 3; i++) {
        database d;
        database_open(&d, BELAY_DB_OPTIONS(.pool_size = cases[i].pool_size, .pool_timeout_ms = -1));
        belay_db *db = cases[i].same_handle ? d.db : belay_open(d.url, NULL);
        belay_session *other = belay_session_open(db);
        belay_begin(other, NULL);
        belay_exec(other, "CREATE TABLE note (id INTEGER PRIMARY KEY)");
        int64_t start = belayi_clock_now();
        BELAY_ATOMIC_WITH(d.s, .timeout_ms = 60, .lock_timeout_ms = -1)
            belay_exec(d.s, "CREATE TABLE other (id INTEGER PRIMARY KEY)");
        int64_t waited = since_ms(start);
        belay_code code = belay_status(d.s);
        assert_int_equal(belay_rollback(other), BELAY_OK);
        assert_int_equal(belay_session_close(other), BELAY_OK);
        if (!cases[i].same_handle)
            belay_close(db);
        assert_int_equal(database_close(&d), BELAY_OK);
        assert_int_equal(code, BELAY_TIMEOUT);
        assert_true(waited >= 60);
    }
}

static void no_wait_between_attempts_is_cut_short_by_a_signal(void **state)
{
    enum { RETRIES = 8 };
    belay_session *s = ((database *)*state)->s;
    int attempts = 0;
    sleeps = sleeps_cut_short = 0;
    slept_ns = 0;
    BELAY_ATOMIC_WITH(s, .retries = RETRIES, .backoff_ms = 20, .backoff_max_ms = 20) {
        attempts++;
        belay_exec(s, "INSERT INTO note (id) VALUES (?)", attempts);
        belay_fail(s, BELAY_SERIALIZATION, "made up");
    }
    assert_status(s, BELAY_SERIALIZATION);
    assert_int_equal(attempts, RETRIES + 1);
    assert_int_equal(sleeps, RETRIES);
    assert_int_equal(sleeps_cut_short, 0);
    assert_true(slept_ns <= RETRIES * 20 * INT64_C(1000000));
}

static void a_unit_with_backoff_runs_as_often_as_it_may_under_a_storm_of_signals(void **state)
{
    belay_session *s = ((database *)*state)->s;
    int attempts = 0;
    BELAY_ATOMIC_WITH(s, .retries = 6, .backoff_ms = 4, .backoff_max_ms = 20) {
        attempts++;
        belay_exec(s, "INSERT INTO note (id) VALUES (?)", attempts);
        belay_fail(s, BELAY_SERIALIZATION, "made up");
    }
    assert_status(s, BELAY_SERIALIZATION);
    assert_int_equal(attempts, 7);
    assert_rows(s, "SELECT id FROM note", "");
}

#define storm_test(test) cmocka_unit_test_setup_teardown(test, open_notes, close_notes)

int main(void)
{
    const struct CMUnitTest tests[] = {
        storm_test(units_commit_under_a_storm_of_signals),
        storm_test(a_long_statement_runs_to_its_end_under_a_storm_of_signals),
        storm_test(scenarios_have_their_results_under_a_storm_of_signals),
        storm_test(opening_works_under_a_storm_of_signals),
        storm_test(a_sleep_is_not_cut_short_by_a_signal),
        storm_test(a_wait_for_a_lock_is_not_cut_short_by_a_signal),
        storm_test(a_wait_behind_another_session_is_not_cut_short_by_a_signal),
        storm_test(a_wait_for_a_connection_is_not_cut_short_by_a_signal),
        storm_test(a_commit_that_waits_for_a_reader_is_not_cut_short_by_a_signal),
        storm_test(the_limit_of_a_scope_that_waits_is_not_cut_short_by_a_signal),
        storm_test(no_wait_between_attempts_is_cut_short_by_a_signal),
        storm_test(a_unit_with_backoff_runs_as_often_as_it_may_under_a_storm_of_signals),
    };
    unsetenv("BELAY_TEST_URL");
    return cmocka_run_group_tests_name("interrupts", tests, NULL, NULL);
}
