/*
 * test_lost_commits.c - what a program is told when the connection is lost, or the disk fails, before its commit, at
 * it, and after it: rolled back and worth another try, or in doubt and never run again.
 *
 * The connection is lost by the fake driver, at each of its calls in turn; the disk fails beneath SQLite itself. What
 * is there is looked at by a handle that has no part in it. The same for every scenario and fault: test_faults.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "database.h"
#include "db.h"
#include "disk.h"
#include "fake.h"
#include "sqlite.h"

enum { CALLS_AT_MOST = 100 };

typedef struct rig {
    database d; /* its handle has the fake driver */
    fake_driver fake;
    belay_db *plain;
    belay_session *witness;
} rig;

static int open_rig(void **state)
{
    static rig r;
    static const char *const tables[] = {
        "CREATE TABLE purchase (id INTEGER PRIMARY KEY, attempt INTEGER NOT NULL)",
        "CREATE TABLE line (purchase_id INTEGER NOT NULL)", /* no key: it would keep a second attempt out */
        NULL,
    };
    memset(&r, 0, sizeof r);
    database_make(&r.d, "");
    r.plain = belay_open(r.d.url, NULL);
    r.witness = belay_session_open(r.plain);
    database_run(r.witness, tables);
    fake_init(&r.fake, &belayi_driver_sqlite);
    belay_db_options options =
        database_options(&r.d, BELAY_DB_OPTIONS(.statement_cache = -1)); /* always the same calls */
    r.d.db = belayi_db_open_with(&r.fake.driver, r.d.url, &options);
    r.d.s = belay_session_open(r.d.db);
    *state = &r;
    return 0;
}

static int close_rig(void **state)
{
    rig *r = *state;
    disk.countdown = 0;
    bool read = belay_session_close(r->witness) == BELAY_OK;
    belay_close(r->plain);
    read &= database_close(&r->d) == BELAY_OK;
    return read && r->fake.open_connections == 0 && r->fake.open_statements == 0 ? 0 : -1;
}

/* ---- A unit, and what was said of it ---------------------------------------------------------------------------- */

typedef struct hook_count {
    int ran, freed;
} hook_count;

typedef struct told {
    int runs;
    bool caught; /* inside the unit */
    hook_count commits, rollbacks;
    belay_error error;
} told;

static int count_run(belay_session *s, void *arg)
{
    (void)s;
    ((hook_count *)arg)->ran++;
    return 0;
}

static void count_free(void *arg)
{
    ((hook_count *)arg)->freed++;
}

static void place_order(belay_session *s, told *t)
{
    t->runs++;
    belay_on_rollback(s, count_run, &t->rollbacks, count_free);
    belay_exec(s, "INSERT INTO purchase (id, attempt) VALUES (1, ?)", belay_attempt(s));
    BELAY_ATOMIC(s) {
        belay_on_commit(s, count_run, &t->commits, count_free);
        belay_exec(s, "INSERT INTO line (purchase_id) VALUES (1)");
    }
    t->caught |= belay_catch(s, BELAY_ANY);
}

static told run_unit(belay_session *s, int retries)
{
    told t = {.runs = 0};
    BELAY_ATOMIC_WITH(s, .name = "order", .retries = retries, .backoff_ms = 1, .backoff_max_ms = 1) {
        place_order(s, &t);
    }
    t.error = *belay_pending(s);
    return t;
}

static int64_t count(const rig *r, const char *sql)
{
    return belay_int_of(r->witness, sql);
}

/* The unit is there once, or nothing of it. */
static bool is_there(const rig *r)
{
    int64_t purchases = count(r, "SELECT count(*) FROM purchase"), lines = count(r, "SELECT count(*) FROM line");
    assert_int_equal(purchases, lines);
    assert_in_range(purchases, 0, 1);
    return purchases == 1;
}

/* Empties the tables by the session that met the fault, which has to work again. */
static void start_anew(rig *r)
{
    fake_arm(&r->fake, 0, FAKE_ERROR, false);
    BELAY_ATOMIC(r->d.s) {
        belay_exec(r->d.s, "DELETE FROM line");
        belay_exec(r->d.s, "DELETE FROM purchase");
    }
    assert_status(r->d.s, BELAY_OK);
    assert_false(is_there(r));
}

/* ---- The connection is lost before the commit ------------------------------------------------------------------- */

static const fake_fault losses[] = {FAKE_LOST_BEFORE, FAKE_LOST_AFTER};

/* Runs the unit with the connection lost at call `number`. False when that was its commit, or it made fewer calls. */
static bool lose_before_commit(rig *r, unsigned number, fake_fault loss, int retries, told *out)
{
    char call[FAKE_CALL_ROOM];
    fake_arm(&r->fake, number, loss, false);
    *out = run_unit(r->d.s, retries);
    return fake_failed(&r->fake) == 1 && strcmp(fake_call_name(r->fake.log, number, call), "commit") != 0;
}

static void a_connection_lost_before_the_commit_leaves_nothing_and_the_unit_may_run_again(void **state)
{
    rig *r = *state;
    char call[FAKE_CALL_ROOM];
    told t;
    for (int i = 0; i < 2; i++) {
        unsigned number = 1;
        for (; number < CALLS_AT_MOST && lose_before_commit(r, number, losses[i], 0, &t); number++) {
            assert_int_equal(t.error.code, BELAY_CONNECTION);
            assert_int_equal(t.error.outcome, BELAY_WORK_ROLLED_BACK);
            assert_true(belay_retryable(&t.error));
            assert_false(t.caught);
            assert_int_equal(t.commits.ran, 0);
            assert_int_equal(t.rollbacks.ran, 1);
            assert_int_equal(t.rollbacks.freed, 1);
            assert_false(is_there(r));
            start_anew(r);
        }
        assert_string_equal(fake_call_name(r->fake.log, number, call), "commit"); /* and so all before it */
        start_anew(r);
    }
}

static void a_unit_that_lost_its_connection_before_the_commit_runs_again_and_is_there_once(void **state)
{
    rig *r = *state;
    char call[FAKE_CALL_ROOM];
    told t;
    for (int i = 0; i < 2; i++) {
        unsigned number = 1;
        for (; number < CALLS_AT_MOST && lose_before_commit(r, number, losses[i], 3, &t); number++) {
            assert_int_equal(t.error.code, BELAY_OK);
            assert_int_equal(t.runs, 2);
            assert_int_equal(t.commits.ran, 1);
            assert_int_equal(t.rollbacks.ran, 1);
            assert_int_equal(t.rollbacks.freed, 2);
            assert_true(is_there(r));
            assert_int_equal(count(r, "SELECT attempt FROM purchase"), 2);
            start_anew(r);
        }
        assert_string_equal(fake_call_name(r->fake.log, number, call), "commit"); /* and so all before it */
        start_anew(r);
    }
}

/* ---- The connection is lost at the commit ----------------------------------------------------------------------- */

/* The number of the call that commits the unit. */
static unsigned find_commit(rig *r)
{
    char call[FAKE_CALL_ROOM];
    fake_arm(&r->fake, 0, FAKE_ERROR, false);
    run_unit(r->d.s, 0);
    unsigned commit = fake_calls(&r->fake);
    assert_string_equal(fake_call_name(r->fake.log, commit, call), "commit");
    start_anew(r);
    return commit;
}

static void check_doubt(const told *t)
{
    assert_int_equal(t->error.code, BELAY_IN_DOUBT);
    assert_int_equal(t->error.outcome, BELAY_WORK_UNKNOWN);
    assert_false(belay_retryable(&t->error));
    assert_int_equal(t->runs, 1);
    assert_int_equal(t->commits.ran, 0);
    assert_int_equal(t->rollbacks.ran, 0);
    assert_int_equal(t->commits.freed, 1);
    assert_int_equal(t->rollbacks.freed, 1);
}

static void a_connection_lost_once_commit_was_sent_is_in_doubt_and_the_unit_is_never_run_again(void **state)
{
    rig *r = *state;
    unsigned commit = find_commit(r);
    for (int i = 0; i < 2; i++) {
        fake_arm(&r->fake, commit, losses[i], false);
        told t = run_unit(r->d.s, 5);
        check_doubt(&t);
        assert_non_null(strstr(belay_message(r->d.s), "IN_DOUBT"));
        assert_int_equal(is_there(r), losses[i] == FAKE_LOST_AFTER);
        start_anew(r);
    }
}

static void the_calls_that_commit_say_so_too(void **state)
{
    rig *r = *state;
    unsigned commit = find_commit(r);
    for (int i = 0; i < 2; i++) {
        told t = {.runs = 0};
        fake_arm(&r->fake, commit, losses[i], false);
        belay_begin(r->d.s, NULL);
        place_order(r->d.s, &t);
        assert_int_equal(belay_commit(r->d.s), BELAY_IN_DOUBT);
        assert_int_equal(belay_depth(r->d.s), 0);
        t.error = *belay_pending(r->d.s);
        check_doubt(&t);
        start_anew(r);
    }
}

/* As docs/retries-and-limits.md advises: look for the key, and do it again only when it is not there. */
static void a_unit_in_doubt_whose_key_is_looked_for_first_is_done_exactly_once(void **state)
{
    rig *r = *state;
    unsigned commit = find_commit(r);
    for (int i = 0; i < 2; i++) {
        fake_arm(&r->fake, commit, losses[i], false);
        assert_int_equal(run_unit(r->d.s, 5).error.code, BELAY_IN_DOUBT);
        if (belay_int_of(r->d.s, "SELECT count(*) FROM purchase WHERE id = 1") == 0)
            assert_int_equal(run_unit(r->d.s, 5).error.code, BELAY_OK);
        assert_true(is_there(r));
        start_anew(r);
    }
}

static void an_error_at_the_commit_that_is_known_to_have_undone_the_unit_is_no_doubt(void **state)
{
    rig *r = *state;
    fake_arm(&r->fake, find_commit(r), FAKE_ERROR, false);
    told t = run_unit(r->d.s, 5);
    assert_int_equal(t.error.code, BELAY_IO);
    assert_int_equal(t.error.outcome, BELAY_WORK_ROLLED_BACK);
    assert_int_equal(t.runs, 1); /* as the code says */
    assert_int_equal(t.commits.ran, 0);
    assert_int_equal(t.rollbacks.ran, 1);
    assert_false(is_there(r));
    start_anew(r);
}

/* ---- The disk fails at the commit ------------------------------------------------------------------------------- */

static int arm_disk(belay_session *s, void *arg)
{
    (void)s;
    disk.countdown = *(const long *)arg;
    return 0;
}

/* Fails the n-th call to the disk from the moment on at which the unit is about to commit. */
static told fail_disk_at_commit(belay_session *s, long number)
{
    told t = {.runs = 0};
    BELAY_ATOMIC_WITH(s, .name = "order", .retries = 5, .backoff_ms = 1, .backoff_max_ms = 1) {
        place_order(s, &t);
        belay_before_commit(s, arm_disk, &number, NULL);
    }
    t.error = *belay_pending(s);
    return t;
}

static void check_disk_told(const rig *r, const told *t, int *doubts)
{
    bool there = is_there(r);
    assert_int_equal(t->runs, 1);
    if (t->error.code == BELAY_IN_DOUBT) {
        check_doubt(t);
        ++*doubts;
    } else if (t->error.code == BELAY_OK) {
        assert_true(there);
        assert_int_equal(t->commits.ran, 1);
    } else {
        assert_int_equal(t->error.code, BELAY_IO);
        assert_int_equal(t->error.outcome, BELAY_WORK_ROLLED_BACK);
        assert_int_equal(t->rollbacks.ran, 1);
        assert_false(there);
    }
}

static void a_disk_that_fails_at_the_commit_leaves_the_unit_in_doubt_and_it_is_never_run_again(void **state)
{
    rig *r = *state;
    belay_db *db = belay_open(r->d.url, NULL);
    belay_session *s = belay_session_open(db);
    int doubts = 0;
    bool met = true;
    disk.failure = SQLITE_IOERR_WRITE;
    for (long number = 1; met && number < CALLS_AT_MOST; number++) {
        told t = fail_disk_at_commit(s, number);
        met = disk.countdown == 0;
        disk.countdown = 0;
        check_disk_told(r, &t, &doubts);
        start_anew(r);
    }
    assert_false(met);
    assert_true(doubts > 0);
    assert_int_equal(belay_session_close(s), BELAY_OK);
    belay_close(db);
}

#define rig_test(test) cmocka_unit_test_setup_teardown(test, open_rig, close_rig)

int main(void)
{
    const struct CMUnitTest tests[] = {
        rig_test(a_connection_lost_before_the_commit_leaves_nothing_and_the_unit_may_run_again),
        rig_test(a_unit_that_lost_its_connection_before_the_commit_runs_again_and_is_there_once),
        rig_test(a_connection_lost_once_commit_was_sent_is_in_doubt_and_the_unit_is_never_run_again),
        rig_test(the_calls_that_commit_say_so_too),
        rig_test(a_unit_in_doubt_whose_key_is_looked_for_first_is_done_exactly_once),
        rig_test(an_error_at_the_commit_that_is_known_to_have_undone_the_unit_is_no_doubt),
        rig_test(a_disk_that_fails_at_the_commit_leaves_the_unit_in_doubt_and_it_is_never_run_again),
    };
    unsetenv("BELAY_TEST_URL"); /* the fake wraps SQLite */
    if (!disk_install())
        return 1;
    return cmocka_run_group_tests_name("lost commits", tests, NULL, NULL);
}
