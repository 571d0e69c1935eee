/*
 * The engine's own handle, and what the program may do with it that the library does not see.
 */
#include "beside.h"

#include <pthread.h>
#include <stdio.h>

/* ---- What the library can't see --------------------------------------------------------------------------------- */

#define MAKE_TRIGGER "CREATE TRIGGER keep AFTER INSERT ON item BEGIN SELECT RAISE(FAIL, 'no') WHERE new.id > 90; END"
#define TWO_ROWS     "INSERT INTO item(id) VALUES (?), (?)"

static void a_trigger_made_by_the_handle_does_not_tear_a_try(void **state)
{
    world *w = *state;
    int made = SQLITE_OK;
    BELAY_ATOMIC(w->s)
        belay_try(w->s, TWO_ROWS, 1, 2); /* what is known of it now is kept with it */
    BELAY_ATOMIC(w->s) {
        belay_try(w->s, TWO_ROWS, 3, 4);
        BELAY_ATOMIC(w->s)
            made = run_own(belay_native(w->s), MAKE_TRIGGER);
        belay_try(w->s, TWO_ROWS, 5, 91); /* after the scope that it was lent in */
    }
    assert_int_equal(made, SQLITE_OK);
    assert_code(belay_status(w->s), BELAY_OK);
    assert_stored(w, "1;2;3;4");
    BELAY_ATOMIC(w->s)
        belay_try(w->s, TWO_ROWS, 7, 92); /* and in later transactions */
    assert_stored(w, "1;2;3;4");
}

static void a_trigger_that_was_rolled_back_is_forgotten(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        run_own(belay_native(w->s), MAKE_TRIGGER);
        belay_savepoint(w->s, "mark");
        belay_try(w->s, TWO_ROWS, 1, 91);
        run_own(belay_native(w->s), "DROP TRIGGER keep");
        belay_try(w->s, TWO_ROWS, 2, 92);
        belay_rollback_to(w->s, "mark"); /* it is there again */
        belay_try(w->s, TWO_ROWS, 3, 93);
        belay_undo(w->s);
    }
    BELAY_ATOMIC(w->s)
        belay_try(w->s, TWO_ROWS, 4, 94);
    assert_stored(w, "4;94");
}

static void settings_that_the_handle_changed_do_not_outlive_the_transaction(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s)
        sqlite3_busy_handler(belay_native(w->s), NULL, NULL); /* it must not, and does */
    void *lock = hold_write_lock(w);
    BELAY_ATOMIC_WITH(w->s, .lock_timeout_ms = 30)
        put(w->s, 1);
    let_go(lock);
    assert_code(belay_status(w->s), BELAY_LOCK_TIMEOUT); /* it was waited for, and not refused at once */
}

static void a_transaction_ended_by_the_handle_is_misuse_and_nothing_commits_on_its_own(void **state)
{
    static const belay_propagation how[] = {BELAY_NESTED, BELAY_REQUIRED};
    world *w = *state;
    for (int i = 0; i < 4; i++) {
        belay_code next = BELAY_OK, outside = BELAY_OK;
        BELAY_ATOMIC(w->s) {
            put(w->s, 1);
            BELAY_ATOMIC_WITH(w->s, .propagation = how[i % 2]) {
                put(w->s, 2);
                run_own(belay_native(w->s), "ROLLBACK");
                next = i < 2 ? put(w->s, 3) : BELAY_MISUSE; /* or the end of the scope finds it first */
            }
            belay_ignore(w->s, BELAY_ANY);
            outside = put(w->s, 4);
        }
        assert_code(next, BELAY_MISUSE);
        assert_code(outside, BELAY_MISUSE);
        assert_code(belay_status(w->s), BELAY_MISUSE);
        assert_contains(belay_message(w->s), "handle");
        assert_stored(w, "");
    }
    assert_code(put(w->s, 5), BELAY_OK);
    assert_stored(w, "5");
}

static void a_writing_statement_left_half_way_is_misuse_at_once_and_everything_is_undone(void **state)
{
    world *w = *state;
    for (int nested = 0; nested < 2; nested++) {
        sqlite3_stmt *half = NULL;
        BELAY_ATOMIC_WITH(w->s, .lock_timeout_ms = -1) {
            put(w->s, 1);
            if (nested)
                belay_begin(w->s, NULL);
            sqlite3_prepare_v2(belay_native(w->s), "INSERT INTO item(id) VALUES (2), (3) RETURNING id", -1, &half,
                               NULL);
            sqlite3_step(half);
            if (nested)
                belay_commit(w->s);
        }
        assert_code(belay_status(w->s), BELAY_MISUSE);
        assert_contains(belay_message(w->s), "half-way");
        sqlite3_finalize(half);
        assert_stored(w, "");
    }
    assert_code(put(w->s, 4), BELAY_OK);
}

static void a_scope_can_not_begin_or_end_while_a_blob_is_written_and_can_afterwards(void **state)
{
    world *w = *state;
    sqlite3_blob *blob = NULL;
    char message[400] = "";
    belay_exec(w->s, "INSERT INTO item(id, note) VALUES (1, 'text')");
    BELAY_ATOMIC(w->s) {
        if (sqlite3_blob_open(belay_native(w->s), "main", "item", "note", 1, 1, &blob) == SQLITE_OK) {
            BELAY_ATOMIC(w->s)
                put(w->s, 2);
            snprintf(message, sizeof message, "%s", belay_message(w->s));
            belay_ignore(w->s, BELAY_ANY);
            sqlite3_blob_write(blob, "TEXT", 4, 0);
            sqlite3_blob_close(blob);
        }
        BELAY_ATOMIC(w->s)
            put(w->s, 3);
    }
    assert_non_null(blob);
    assert_contains(message, "half-way");
    assert_status(w->s, BELAY_OK);
    assert_rows(w->other, "SELECT id, note FROM item ORDER BY id", "1|TEXT;3|NULL");
}

static void a_reading_statement_left_half_way_does_not_harm_the_next_transaction(void **state)
{
    world *w = *state;
    sqlite3_stmt *half = NULL;
    put(w->s, 1);
    put(w->s, 2);
    for (int undo = 0; undo < 2; undo++) {
        BELAY_ATOMIC(w->s) {
            sqlite3_prepare_v2(belay_native(w->s), "SELECT id FROM item", -1, &half, NULL);
            sqlite3_step(half);
            if (undo)
                belay_undo(w->s);
        }
        assert_int_equal(belay_status(w->s), undo ? BELAY_ROLLED_BACK : BELAY_OK);
        put(w->other, 3 + undo);                    /* what it reads is no longer the newest */
        assert_code(put(w->s, 5 + undo), BELAY_OK); /* on the same connection */
        sqlite3_finalize(half);
    }
    assert_stored(w, "1;2;3;4;5;6");
}

/* ---- Threads
 * -------------------------------------------------------------------------------------------------------------------
 */

enum { THREADS = 4, UNITS = 25 };

typedef struct worker {
    belay_db *db;
    int first, failed;
} worker;

static void *work(void *arg)
{
    worker *me = arg;
    belay_session *s = belay_session_open(me->db);
    for (int i = 0; i < UNITS; i++) {
        BELAY_ATOMIC(s) {
            put_own(belay_native(s), me->first + i);
            BELAY_ATOMIC(s) {
                put_own(belay_native(s), me->first + i + UNITS);
                belay_undo(s);
            }
        }
        me->failed += belay_status(s) != BELAY_OK;
    }
    belay_session_close(s);
    return NULL;
}

static void sessions_of_many_threads_are_lent_handles_of_their_own(void **state)
{
    world *w = *state;
    pthread_t threads[THREADS];
    worker workers[THREADS];
    int failed = 0;
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (worker){.db = w->d.db, .first = 1000 * i};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        failed += workers[i].failed;
    }
    assert_int_equal(failed, 0);
    assert_rows(w->other, "SELECT count(*) FROM item", "100");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(a_trigger_made_by_the_handle_does_not_tear_a_try),
        in_world(a_trigger_that_was_rolled_back_is_forgotten),
        in_world(settings_that_the_handle_changed_do_not_outlive_the_transaction),
        in_world(a_transaction_ended_by_the_handle_is_misuse_and_nothing_commits_on_its_own),
        in_world(a_writing_statement_left_half_way_is_misuse_at_once_and_everything_is_undone),
        in_world(a_scope_can_not_begin_or_end_while_a_blob_is_written_and_can_afterwards),
        in_world(a_reading_statement_left_half_way_does_not_harm_the_next_transaction),
        in_world(sessions_of_many_threads_are_lent_handles_of_their_own),
    };
    return run_beside(tests);
}
