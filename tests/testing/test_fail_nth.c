/*
 * Making the n-th call of a handle fail: that it does, how, and that everything else is done by the engine.
 */
#include "support.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <belay/testing.h>

enum { NONE = 0 };

/* Two rows in a scope: begin, execute, execute, commit, when the statement is prepared. */
static belay_code put_two(belay_session *s)
{
    BELAY_ATOMIC(s) {
        put(s, 1);
        put(s, 2);
    }
    return belay_status(s);
}

static void prepare_all(world *w)
{
    assert_code(put_two(w->s), BELAY_OK);
    assert_code(belay_exec(w->s, "DELETE FROM item"), BELAY_OK);
}

static void stop_failing(world *w)
{
    assert_code(belay_fail_nth(w->d.db, NONE, BELAY_OK, false), BELAY_OK);
}

/* ---- Which call -------------------------------------------------------------------------------------------------- */

static void nothing_is_counted_before_a_failure_was_asked_for(void **state)
{
    world *w = *state;
    prepare_all(w);
    assert_int_equal(belay_calls_made(w->d.db), 0);
    assert_int_equal(belay_calls_failed(w->d.db), 0);
    stop_failing(w);
    assert_code(put_two(w->s), BELAY_OK);
    assert_int_equal(belay_calls_made(w->d.db), 4);
    assert_int_equal(belay_calls_failed(w->d.db), 0);
}

static void the_nth_call_fails_and_no_other(void **state)
{
    static const unsigned made[] = {1, 3, 4, 5}; /* a rollback follows where a transaction is open */
    world *w = *state;
    prepare_all(w);
    for (unsigned n = 1; n <= 4; n++) {
        char number[16];
        assert_code(belay_fail_nth(w->d.db, n, BELAY_DISK_FULL, false), BELAY_OK);
        assert_code(put_two(w->s), BELAY_DISK_FULL);
        snprintf(number, sizeof number, "call %u (", n);
        assert_contains(belay_message(w->s), number);
        assert_int_equal(belay_pending(w->s)->outcome, BELAY_WORK_ROLLED_BACK);
        assert_int_equal(belay_calls_failed(w->d.db), 1);
        assert_int_equal(belay_calls_made(w->d.db), made[n - 1]);
        assert_stored(w, "");
    }
    assert_code(belay_fail_nth(w->d.db, 5, BELAY_DISK_FULL, false), BELAY_OK);
    assert_code(put_two(w->s), BELAY_OK);
    assert_int_equal(belay_calls_failed(w->d.db), 0);
    assert_stored(w, "1;2");
}

static void onwards_fails_all_calls_that_follow_until_it_is_stopped(void **state)
{
    world *w = *state;
    prepare_all(w);
    assert_code(belay_fail_nth(w->d.db, 2, BELAY_IO, true), BELAY_OK);
    assert_code(put_two(w->s), BELAY_IO);
    assert_int_equal(belay_calls_made(w->d.db), 3);
    assert_int_equal(belay_calls_failed(w->d.db), 2); /* the statement, and the rollback */
    for (int i = 0; i < 3; i++)
        assert_code(put_two(w->s), BELAY_IO);
    stop_failing(w);
    assert_int_equal(belay_calls_made(w->d.db), 0);
    assert_code(put_two(w->s), BELAY_OK);
    assert_stored(w, "1;2");
}

static void calls_of_all_connections_are_counted_together(void **state)
{
    world *w = *state;
    belay_session *second = belay_session_open(w->d.db);
    prepare_all(w);
    BELAY_READ(w->s) /* so that there are two connections */
        belay_int_of(second, "SELECT count(*) FROM item");
    stop_failing(w);
    BELAY_READ(w->s) {
        belay_int_of(w->s, "SELECT 1");
        belay_int_of(second, "SELECT count(*) FROM item");
    }
    unsigned made = belay_calls_made(w->d.db);
    belay_fail_nth(w->d.db, made, BELAY_IO, false); /* the last of them */
    BELAY_READ(w->s) {
        belay_int_of(w->s, "SELECT 1");
        belay_int_of(second, "SELECT count(*) FROM item");
    }
    assert_true(made >= 8);
    assert_status(w->s, BELAY_OK);
    belay_session_close(second);
}

static void a_connection_that_is_lent_already_is_under_it_too(void **state)
{
    world *w = *state;
    prepare_all(w);
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        belay_fail_nth(w->d.db, 1, BELAY_IO, false);
        put(w->s, 2);
    }
    assert_status(w->s, BELAY_IO);
    assert_stored(w, "");
}

static void connecting_is_a_call(void **state)
{
    world *w = *state;
    belay_session *second = belay_session_open(w->d.db);
    belay_code code = BELAY_OK;
    prepare_all(w);
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        belay_fail_nth(w->d.db, 1, BELAY_CONNECTION, false);
        belay_int_of(second, "SELECT 1");
        code = belay_status(second);
        put(w->s, 2);
    }
    assert_code(code, BELAY_CONNECTION);
    assert_status(w->s, BELAY_OK);
    assert_code(belay_db_error(w->d.db)->code, BELAY_CONNECTION);
    assert_int_equal(belay_int_of(second, "SELECT 7"), 7);
    assert_code(belay_db_error(w->d.db)->code, BELAY_OK);
    belay_session_close(second);
}

static void run_every_kind(belay_session *s)
{
    BELAY_ATOMIC(s) {
        put(s, 1);
        BELAY_ATOMIC(s)
            put(s, 2);
        BELAY_ATOMIC(s) {
            put(s, 3);
            belay_undo(s);
        }
        BELAY_EACH(row, s, "SELECT id FROM item")
            belay_int(row, 0);
    }
}

static void every_kind_of_call_can_be_the_one_that_fails(void **state)
{
    static const char *const kinds[] = {"(prepare)", "(begin)",       "(statement)", "(savepoint)",
                                        "(release)", "(rollback to)", "(row)",       "(commit)"};
    world *w = *state;
    char seen[4096] = "";
    bool failed = true;
    for (unsigned n = 1; failed && n < 100; n++) {
        belay_fail_nth(w->d.db, n, BELAY_IO, false);
        run_every_kind(w->s);
        failed = belay_calls_failed(w->d.db) > 0;
        assert_status(w->s, failed ? BELAY_IO : BELAY_OK);
        assert_stored(w, failed ? "" : "1;2");
        strcat(seen, belay_pending(w->s)->message);
    }
    assert_false(failed);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        assert_contains(seen, kinds[i]);
}

static void every_call_of_a_sandbox_can_fail_too(void **state)
{
    static const belay_code codes[] = {BELAY_IO, BELAY_IN_DOUBT, BELAY_DEADLOCK};
    world *w = *state;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        char seen[4096] = "";
        bool failed = true;
        for (unsigned n = 1; failed && n < 100; n++) {
            belay_session *s = belay_sandbox(w->d.db);
            belay_fail_nth(w->d.db, n, codes[i], false);
            BELAY_ATOMIC(s)
                put(s, 1);
            failed = belay_calls_failed(w->d.db) > 0;
            assert_int_equal(belay_status(s) == BELAY_OK, !failed);
            strcat(seen, belay_pending(s)->message);
            stop_failing(w);
            belay_session_close(s);
            assert_stored(w, "");
            assert_code(put(w->other, 1), BELAY_OK); /* the write lock is gone */
            belay_exec(w->other, "DELETE FROM item");
        }
        assert_false(failed);
        assert_contains(seen, "(check deferred)");
    }
}

/* ---- How --------------------------------------------------------------------------------------------------------- */

static void an_ordinary_failure_can_be_caught_and_leaves_the_transaction_open(void **state)
{
    static const belay_code codes[] = {BELAY_UNIQUE, BELAY_BUSY, BELAY_LOCK_TIMEOUT, BELAY_NO_MEMORY, BELAY_IO};
    world *w = *state;
    prepare_all(w);
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        bool caught = false;
        BELAY_ATOMIC(w->s) {
            put(w->s, 1);
            BELAY_ATOMIC(w->s) {
                put(w->s, 2);
                belay_fail_nth(w->d.db, 1, codes[i], false);
                put(w->s, 3);
            }
            caught = belay_catch(w->s, codes[i]);
            put(w->s, 4);
        }
        assert_true(caught);
        assert_status(w->s, BELAY_OK);
        assert_stored(w, "1;4");
        belay_exec(w->s, "DELETE FROM item");
    }
}

static void a_deadlock_has_rolled_the_whole_transaction_back(void **state)
{
    static const belay_code codes[] = {BELAY_DEADLOCK, BELAY_SERIALIZATION};
    world *w = *state;
    prepare_all(w);
    for (int i = 0; i < 2; i++) {
        bool caught = true;
        belay_code other = BELAY_IO;
        BELAY_ATOMIC(w->s) {
            put(w->s, 1);
            BELAY_ATOMIC(w->s) {
                put(w->s, 2);
                belay_fail_nth(w->d.db, 1, codes[i], false);
                put(w->s, 3);
            }
            caught = belay_catch(w->s, BELAY_ANY);
            other = put(w->other, 10 + i); /* its locks are gone */
        }
        assert_false(caught);
        assert_code(other, BELAY_OK);
        assert_status(w->s, codes[i]);
        assert_true(belay_retryable(belay_pending(w->s)));
    }
    assert_stored(w, "10;11");
}

static void a_connection_that_is_lost_has_lost_its_transaction(void **state)
{
    static const belay_code codes[] = {BELAY_CONNECTION, BELAY_IN_DOUBT};
    world *w = *state;
    prepare_all(w);
    for (int i = 0; i < 2; i++) {
        bool caught = true;
        belay_code other = BELAY_IO;
        BELAY_ATOMIC(w->s) {
            put(w->s, 1);
            BELAY_ATOMIC(w->s) {
                put(w->s, 2);
                belay_fail_nth(w->d.db, 1, codes[i], false);
                put(w->s, 3);
            }
            caught = belay_catch(w->s, BELAY_ANY);
            other = put(w->other, 10 + i);
        }
        assert_false(caught);
        assert_code(other, BELAY_OK);
        assert_status(w->s, BELAY_CONNECTION);
        assert_int_equal(belay_pending(w->s)->outcome, BELAY_WORK_ROLLED_BACK);
        assert_code(put(w->s, 20 + i), BELAY_OK); /* by a new connection */
    }
    assert_stored(w, "10;11;20;21");
}

static void a_connection_lost_at_commit_leaves_the_outcome_unknown_whether_the_engine_saw_it_or_not(void **state)
{
    static const struct {
        belay_code code, found_out;
        const char *stored;
    } ways[] = {{BELAY_CONNECTION, BELAY_CONNECTION, ""}, {BELAY_IN_DOUBT, BELAY_OK, "1;2"}};
    world *w = *state;
    bool asks = !database_is_sqlite(&w->d) && !database_is_mariadb(&w->d); /* PostgreSQL tells, by the number */
    for (int i = 0; i < 2; i++) {
        prepare_all(w);
        belay_fail_nth(w->d.db, 4, ways[i].code, false);
        assert_code(put_two(w->s), asks ? ways[i].found_out : BELAY_IN_DOUBT);
        if (!asks) {
            assert_int_equal(belay_pending(w->s)->outcome, BELAY_WORK_UNKNOWN);
            assert_false(belay_retryable(belay_pending(w->s)));
        }
        assert_stored(w, ways[i].stored);
    }
}

static void a_statement_that_is_its_own_commit_is_in_doubt_too(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    assert_code(belay_exec(w->s, "PRAGMA user_version = 1"), BELAY_OK);
    belay_fail_nth(w->d.db, 1, BELAY_IN_DOUBT, false);
    assert_code(belay_exec(w->s, "PRAGMA user_version = 1"), BELAY_IN_DOUBT);
    assert_int_equal(belay_pending(w->s)->outcome, BELAY_WORK_UNKNOWN);
}

static void a_commit_that_is_refused_is_rolled_back(void **state)
{
    static const belay_code codes[] = {BELAY_FOREIGN_KEY, BELAY_BUSY, BELAY_DISK_FULL, BELAY_SERIALIZATION};
    world *w = *state;
    prepare_all(w);
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        belay_fail_nth(w->d.db, 4, codes[i], false);
        assert_code(put_two(w->s), codes[i]);
        assert_int_equal(belay_pending(w->s)->outcome, BELAY_WORK_ROLLED_BACK);
        assert_stored(w, "");
    }
}

static void what_a_lost_statement_did_is_not_told(void **state)
{
    world *w = *state;
    prepare_all(w);
    put(w->s, 5);
    belay_fail_nth(w->d.db, 2, BELAY_IN_DOUBT, false);
    BELAY_ATOMIC(w->s)
        put(w->s, 6);
    assert_status(w->s, BELAY_CONNECTION);
    assert_int_equal(belay_changes(w->s), 0);
    if (database_is_sqlite(&w->d) || database_is_mariadb(&w->d)) /* PostgreSQL never knows */
        assert_int_equal(belay_last_id(w->s), 5);
}

/* ---- Rows -------------------------------------------------------------------------------------------------------- */

/* Reads a stream, and tells how many rows came. */
static int count_streamed(belay_session *s)
{
    int rows = 0;
    belay_rows *stream = belay_stream(s, "SELECT id FROM item ORDER BY id");
    while (belay_next(stream))
        rows++;
    belay_rows_close(stream);
    return rows;
}

static void a_row_that_fails_ends_the_stream_with_an_error(void **state)
{
    static const belay_code codes[] = {BELAY_IO, BELAY_CONNECTION, BELAY_IN_DOUBT, BELAY_SERIALIZATION};
    world *w = *state;
    for (int id = 1; id <= 5; id++)
        put(w->s, id);
    assert_int_equal(count_streamed(w->s), 5);
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        int rows = 0;
        put(w->s, 100 + (int)i); /* and there is a connection, on which the statement is not prepared always */
        count_streamed(w->s);
        belay_fail_nth(w->d.db, 3 + 2, codes[i], false); /* execute or begin; start; the third row */
        BELAY_READ(w->s)
            rows = count_streamed(w->s);
        assert_int_equal(rows, 2);
        assert_status(w->s, codes[i] == BELAY_IN_DOUBT ? BELAY_CONNECTION : codes[i]);
    }
}

static void reading_what_a_statement_returns_fails_like_any_row(void **state)
{
    world *w = *state;
    static const char insert[] = "INSERT INTO item (id) VALUES (?), (?) RETURNING id";
    belay_rows_close(belay_query(w->s, insert, 1, 2));
    for (unsigned n = 1; n <= 6; n++) { /* begin, start, three steps, commit */
        belay_fail_nth(w->d.db, n, BELAY_IO, false);
        assert_null(belay_query(w->s, insert, 3, 4));
        assert_status(w->s, BELAY_IO);
        assert_stored(w, "1;2");
    }
}

/* ---- With what Belay does about it ------------------------------------------------------------------------------ */

static void a_unit_with_retries_runs_again(void **state)
{
    static const belay_code codes[] = {BELAY_BUSY, BELAY_SERIALIZATION, BELAY_CONNECTION};
    world *w = *state;
    prepare_all(w);
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        int runs = 0;
        belay_fail_nth(w->d.db, 2, codes[i], false);
        BELAY_ATOMIC_WITH(w->s, .retries = 3, .backoff_ms = 1) {
            runs++;
            put(w->s, (int)i);
        }
        assert_int_equal(runs, 2);
        assert_status(w->s, BELAY_OK);
    }
    assert_stored(w, "0;1;2");
}

static void a_rollback_that_fails_closes_the_connection_and_still_rolls_back(void **state)
{
    world *w = *state;
    prepare_all(w);
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        belay_fail_nth(w->d.db, 1, BELAY_IO, true);
        put(w->s, 2);
    }
    assert_status(w->s, BELAY_IO);
    assert_int_equal(belay_calls_failed(w->d.db), 2);
    assert_code(put(w->other, 9), BELAY_OK);
    assert_stored(w, "9");
}

static void a_database_in_memory_is_gone_with_its_connection(void **state)
{
    (void)state;
    belay_db *db = belay_open("sqlite::memory:", NULL);
    belay_session *s = belay_session_open(db);
    assert_code(belay_exec(s, "CREATE TABLE t (a)"), BELAY_OK);
    belay_fail_nth(db, 1, BELAY_CONNECTION, false);
    belay_exec(s, "INSERT INTO t VALUES (1)");
    assert_status(s, BELAY_CONNECTION);
    belay_exec(s, "INSERT INTO t VALUES (1)");
    assert_status(s, BELAY_SCHEMA);
    assert_code(belay_session_close(s), BELAY_OK);
    belay_close(db);
}

/* ---- Threads ---------------------------------------------------------------------------------------------------- */

enum { THREADS = 4, UNITS = 30 };

typedef struct worker {
    belay_db *db;
    int number, committed;
    pthread_t thread;
} worker;

static void *work(void *arg)
{
    worker *self = arg;
    belay_session *s = belay_session_open(self->db);
    for (int i = 0; i < UNITS; i++) {
        int id = (self->number * UNITS + i) * 2;
        BELAY_ATOMIC(s) {
            put(s, id);
            put(s, id + 1);
        }
        belay_status(s);
        self->committed += belay_pending(s)->outcome == BELAY_WORK_COMMITTED;
    }
    belay_session_close(s);
    return NULL;
}

static void calls_may_come_from_many_threads(void **state)
{
    world *w = *state;
    worker workers[THREADS];
    int committed = 0;
    belay_fail_nth(w->d.db, 100, BELAY_CONNECTION, true);
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (worker){.db = w->d.db, .number = i};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        committed += workers[i].committed;
    }
    assert_true(committed > 0 && committed < THREADS * UNITS);
    assert_true(belay_calls_failed(w->d.db) == belay_calls_made(w->d.db) - 99);
    assert_int_equal(belay_int_of(w->other, "SELECT count(*) FROM item"), committed * 2);
    assert_int_equal(belay_int_of(w->other, "SELECT count(DISTINCT id - id % 2) FROM item"), committed);
}

/* ---- Misuse ----------------------------------------------------------------------------------------------------- */

static void what_is_no_error_can_not_be_failed_with(void **state)
{
    static const belay_code no_errors[] = {BELAY_OK, BELAY_ROLLED_BACK, BELAY_ANY, (belay_code)(BELAY_ANY + 1),
                                           (belay_code)-1};
    world *w = *state;
    for (size_t i = 0; i < sizeof no_errors / sizeof no_errors[0]; i++)
        assert_code(belay_fail_nth(w->d.db, 1, no_errors[i], false), BELAY_MISUSE);
    assert_code(put(w->s, 1), BELAY_OK);
    for (int code = BELAY_OK + 1; code < BELAY_ANY; code++)
        if (code != BELAY_ROLLED_BACK)
            assert_code(belay_fail_nth(w->d.db, 1000, (belay_code)code, false), BELAY_OK);
}

static int use_inherited(void *arg)
{
    const world *w = arg;
    return belay_fail_nth(w->d.db, 1, BELAY_IO, false) == BELAY_MISUSE && belay_calls_made(w->d.db) == 0 ? 0 : 1;
}

static void a_handle_that_can_not_be_used_is_misuse(void **state)
{
    world *w = *state;
    belay_db *bad = belay_open("nonsense:", NULL);
    assert_code(belay_fail_nth(NULL, 1, BELAY_IO, false), BELAY_MISUSE);
    assert_int_equal(belay_calls_made(NULL), 0);
    assert_int_equal(belay_calls_failed(NULL), 0);
    assert_code(belay_fail_nth(bad, 1, BELAY_IO, false), BELAY_MISUSE);
    belay_close(bad);
    assert_code(belay_fail_nth(w->d.db, 5, BELAY_IO, false), BELAY_OK);
    assert_int_equal(run_in_child(use_inherited, w), 0);
    belay_db *closed = open_again(w, NULL);
    belay_session *s = belay_session_open(closed);
    belay_close(closed); /* it lives on until its session is closed */
    assert_code(belay_fail_nth(closed, 1, BELAY_IO, false), BELAY_MISUSE);
    belay_session_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(nothing_is_counted_before_a_failure_was_asked_for),
        in_world(the_nth_call_fails_and_no_other),
        in_world(onwards_fails_all_calls_that_follow_until_it_is_stopped),
        in_world(calls_of_all_connections_are_counted_together),
        in_world(a_connection_that_is_lent_already_is_under_it_too),
        in_world(connecting_is_a_call),
        in_world(every_kind_of_call_can_be_the_one_that_fails),
        in_world(every_call_of_a_sandbox_can_fail_too),
        in_world(an_ordinary_failure_can_be_caught_and_leaves_the_transaction_open),
        in_world(a_deadlock_has_rolled_the_whole_transaction_back),
        in_world(a_connection_that_is_lost_has_lost_its_transaction),
        in_world(a_connection_lost_at_commit_leaves_the_outcome_unknown_whether_the_engine_saw_it_or_not),
        in_world(a_statement_that_is_its_own_commit_is_in_doubt_too),
        in_world(a_commit_that_is_refused_is_rolled_back),
        in_world(what_a_lost_statement_did_is_not_told),
        in_world(a_row_that_fails_ends_the_stream_with_an_error),
        in_world(reading_what_a_statement_returns_fails_like_any_row),
        in_world(a_unit_with_retries_runs_again),
        in_world(a_rollback_that_fails_closes_the_connection_and_still_rolls_back),
        cmocka_unit_test(a_database_in_memory_is_gone_with_its_connection),
        in_world(calls_may_come_from_many_threads),
        in_world(what_is_no_error_can_not_be_failed_with),
        in_world(a_handle_that_can_not_be_used_is_misuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
