/*
 * test_locks.c - a database that somebody else holds: a typed error, nothing lost, and the next scope works once the
 * lock is gone. SQLite only, on a file of its own; somebody else is a plain SQLite connection.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "database.h"

static const char *const note_tables[] = {
    "CREATE TABLE note (id INTEGER PRIMARY KEY, text VARCHAR(2000) NOT NULL)",
    "INSERT INTO note (id, text) VALUES (1, 'kept')",
    NULL,
};

static const char *const ids = "SELECT id FROM note ORDER BY id";

static int open_notes(void **state)
{
    static database d;
    database_open(&d, NULL);
    database_run(d.s, note_tables);
    *state = &d;
    return 0;
}

static int close_notes(void **state)
{
    return database_close(*state) == BELAY_OK ? 0 : -1;
}

static belay_code write_note(belay_session *s)
{
    BELAY_ATOMIC(s) {
        belay_exec(s, "INSERT INTO note (id, text) VALUES (2, 'ours')");
    }
    return belay_status(s);
}

static sqlite3 *lock_database(const database *d, const char *begin)
{
    sqlite3 *raw = NULL;
    assert_int_equal(sqlite3_open(d->path, &raw), SQLITE_OK);
    assert_int_equal(sqlite3_exec(raw, begin, NULL, NULL, NULL), SQLITE_OK);
    return raw;
}

static void a_lock_that_is_not_given_up_is_a_lock_timeout_and_the_next_scope_works(void **state)
{
    database *d = *state;
    sqlite3 *raw = lock_database(d, "BEGIN IMMEDIATE; INSERT INTO note VALUES (9, 'theirs')");
    BELAY_ATOMIC_WITH(d->s, .lock_timeout_ms = 20) {
        belay_exec(d->s, "INSERT INTO note (id, text) VALUES (2, 'ours')");
    }
    belay_code code = belay_status(d->s);
    belay_error error = *belay_pending(d->s);
    sqlite3_exec(raw, "COMMIT", NULL, NULL, NULL);
    sqlite3_close(raw);
    assert_int_equal(code, BELAY_LOCK_TIMEOUT);
    assert_int_equal(error.outcome, BELAY_WORK_ROLLED_BACK);
    assert_true(belay_retryable(&error));
    assert_int_equal(belay_depth(d->s), 0);
    BELAY_ATOMIC_WITH(d->s, .lock_timeout_ms = 20) {
        belay_exec(d->s, "INSERT INTO note (id, text) VALUES (2, 'ours')");
    }
    assert_status(d->s, BELAY_OK);
    assert_rows(d->s, ids, "1;2;9");
}

static void a_lock_that_another_session_of_the_handle_keeps_is_a_lock_timeout_too(void **state)
{
    database *d = *state;
    belay_session *other = belay_session_open(d->db);
    belay_begin(other, NULL);
    belay_exec(other, "INSERT INTO note (id, text) VALUES (9, 'theirs')");
    BELAY_ATOMIC_WITH(d->s, .lock_timeout_ms = 10) {
        belay_exec(d->s, "INSERT INTO note (id, text) VALUES (2, 'ours')");
    }
    belay_code code = belay_status(d->s);
    assert_int_equal(belay_commit(other), BELAY_OK);
    assert_int_equal(belay_session_close(other), BELAY_OK);
    assert_int_equal(code, BELAY_LOCK_TIMEOUT);
    assert_int_equal(write_note(d->s), BELAY_OK);
    assert_rows(d->s, ids, "1;2;9");
}

static void a_lock_that_is_not_waited_for_is_busy(void **state)
{
    database *d = *state;
    sqlite3 *raw = lock_database(d, "BEGIN IMMEDIATE");
    BELAY_ATOMIC(d->s) {
        belay_int_of(d->s, "SELECT id FROM note WHERE id = 1 FOR UPDATE NOWAIT");
    }
    belay_code code = belay_status(d->s);
    sqlite3_close(raw);
    assert_int_equal(code, BELAY_BUSY);
    assert_int_equal(write_note(d->s), BELAY_OK);
}

static void readers_are_not_stopped_by_somebody_elses_write_lock(void **state)
{
    database *d = *state;
    sqlite3 *raw = lock_database(d, "BEGIN IMMEDIATE; INSERT INTO note VALUES (9, 'theirs')");
    char shown[64] = "";
    BELAY_READ(d->s) {
        snprintf(shown, sizeof shown, "%s", rows_of(d->s, ids));
    }
    belay_code code = belay_status(d->s);
    sqlite3_close(raw);
    assert_int_equal(code, BELAY_OK);
    assert_string_equal(shown, "1");
}

typedef struct lock_holder {
    sqlite3 *raw;
    int rollbacks;
} lock_holder;

static int give_up_lock(belay_session *s, void *arg)
{
    lock_holder *holder = arg;
    (void)s;
    if (++holder->rollbacks == 2)
        sqlite3_exec(holder->raw, "COMMIT", NULL, NULL, NULL);
    return 0;
}

static void a_unit_with_retries_gets_through_once_the_lock_is_given_up(void **state)
{
    database *d = *state;
    lock_holder holder = {lock_database(d, "BEGIN IMMEDIATE; INSERT INTO note VALUES (9, 'theirs')"), 0};
    int attempts = 0;
    BELAY_ATOMIC_WITH(d->s, .lock_timeout_ms = 10, .retries = 5, .backoff_ms = 1) {
        attempts++;
        belay_on_rollback(d->s, give_up_lock, &holder, NULL);
        belay_exec(d->s, "INSERT INTO note (id, text) VALUES (?, 'ours')", 10 + belay_attempt(d->s));
    }
    sqlite3_close(holder.raw);
    assert_status(d->s, BELAY_OK);
    assert_int_equal(attempts, 3);
    assert_int_equal(holder.rollbacks, 2);
    assert_rows(d->s, ids, "1;9;13");
}

static void a_unit_runs_once_more_than_its_retries_and_keeps_the_last_error(void **state)
{
    database *d = *state;
    sqlite3 *raw = lock_database(d, "BEGIN IMMEDIATE");
    int attempts = 0;
    BELAY_ATOMIC_WITH(d->s, .lock_timeout_ms = 5, .retries = 3, .backoff_ms = 1, .backoff_max_ms = 2) {
        attempts++;
        belay_exec(d->s, "INSERT INTO note (id, text) VALUES (2, 'ours')");
    }
    belay_code code = belay_status(d->s);
    int attempt = belay_pending(d->s)->attempt;
    sqlite3_close(raw);
    assert_int_equal(code, BELAY_LOCK_TIMEOUT);
    assert_int_equal(attempts, 4);
    assert_int_equal(attempt, 4);
    assert_rows(d->s, ids, "1");
}

/* With a rollback journal a reader keeps a writer from committing. */
static void a_commit_that_a_reader_holds_up_is_undone_and_the_next_one_works(void **state)
{
    database d;
    sqlite3_stmt *reading = NULL;
    (void)state;
    database_make(&d, "?journal=delete");
    d.db = belay_open(d.url, NULL);
    d.s = belay_session_open(d.db);
    database_run(d.s, note_tables);
    sqlite3 *raw = lock_database(&d, "BEGIN");
    sqlite3_prepare_v2(raw, "SELECT * FROM note", -1, &reading, NULL);
    assert_int_equal(sqlite3_step(reading), SQLITE_ROW);
    BELAY_ATOMIC_WITH(d.s, .lock_timeout_ms = 20) {
        belay_exec(d.s, "INSERT INTO note (id, text) VALUES (2, 'ours')");
    }
    belay_error error = *belay_pending(d.s);
    sqlite3_finalize(reading);
    sqlite3_close(raw);
    assert_int_equal(error.code, BELAY_LOCK_TIMEOUT);
    assert_int_equal(error.outcome, BELAY_WORK_ROLLED_BACK);
    assert_rows(d.s, ids, "1");
    assert_int_equal(write_note(d.s), BELAY_OK);
    assert_rows(d.s, ids, "1;2");
    assert_int_equal(database_close(&d), BELAY_OK);
}

#define notes_test(test) cmocka_unit_test_setup_teardown(test, open_notes, close_notes)

int main(void)
{
    const struct CMUnitTest tests[] = {
        notes_test(a_lock_that_is_not_given_up_is_a_lock_timeout_and_the_next_scope_works),
        notes_test(a_lock_that_another_session_of_the_handle_keeps_is_a_lock_timeout_too),
        notes_test(a_lock_that_is_not_waited_for_is_busy),
        notes_test(readers_are_not_stopped_by_somebody_elses_write_lock),
        notes_test(a_unit_with_retries_gets_through_once_the_lock_is_given_up),
        notes_test(a_unit_runs_once_more_than_its_retries_and_keeps_the_last_error),
        cmocka_unit_test(a_commit_that_a_reader_holds_up_is_undone_and_the_next_one_works),
    };
    unsetenv("BELAY_TEST_URL");
    return cmocka_run_group_tests_name("locks", tests, NULL, NULL);
}
