/*
 * The engine's own handle, lent inside a scope: what the program does with it belongs to the scope it does it in.
 */
#include "beside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- What is sent, as the trace hears it ------------------------------------------------------------------------ */

static char sent[1024];

static void note_event(void *arg, const belay_trace_event *event)
{
    static const char letters[] = ".Bsxrt CR"; /* begin, savepoint, statement, release, rollback to; COMMIT, ROLLBACK */
    size_t used = strlen(sent);
    (void)arg;
    if (event->kind >= BELAY_TRACE_BEGIN && event->kind <= BELAY_TRACE_COMMIT + 1)
        snprintf(sent + used, sizeof sent - used, "%c", letters[event->kind + (event->kind >= BELAY_TRACE_COMMIT)]);
}

/* A world with a session whose every word to the engine is heard. */
typedef struct heard {
    world *w;
    belay_db *db;
    belay_session *s;
} heard;

static int heard_open(void **state)
{
    void *w = NULL;
    heard *h = calloc(1, sizeof *h);
    if (!h || world_open(&w) != 0)
        return -1;
    h->w = w;
    h->db = open_again(h->w, BELAY_DB_OPTIONS(.trace = note_event));
    h->s = belay_session_open(h->db);
    *state = h;
    sent[0] = '\0';
    return h->s ? 0 : -1;
}

static int heard_close(void **state)
{
    heard *h = *state;
    belay_session_close(h->s);
    belay_close(h->db);
    void *w = h->w;
    free(h);
    return world_close(&w);
}

#define in_hearing(test) cmocka_unit_test_setup_teardown(test, heard_open, heard_close)

/* What was sent since the last time. Borrowed until the next call. */
static const char *take_sent(void)
{
    static char taken[sizeof sent];
    memcpy(taken, sent, sizeof sent);
    sent[0] = '\0';
    return taken;
}

/* ---- Lending ---------------------------------------------------------------------------------------------------- */

static void the_handle_is_that_of_the_scopes_own_transaction(void **state)
{
    heard *h = *state;
    sqlite3 *outer = NULL, *inner = NULL;
    const char *seen = NULL;
    BELAY_ATOMIC(h->s) {
        put(h->s, 1);
        outer = belay_native(h->s);
        seen = seen_own(outer);
        BELAY_ATOMIC(h->s)
            inner = belay_native(h->s);
    }
    assert_non_null(outer);
    assert_ptr_equal(outer, inner);
    assert_string_equal(seen, "1");
    assert_code(belay_status(h->s), BELAY_OK);
}

static void the_handle_is_that_of_the_innermost_transaction(void **state)
{
    heard *h = *state;
    sqlite3 *outer = NULL, *inner = NULL, *again = NULL;
    bool refused = false;
    BELAY_READ(h->s) {
        outer = belay_native(h->s);
        BELAY_ATOMIC_WITH(h->s, .propagation = BELAY_REQUIRES_NEW) {
            inner = belay_native(h->s);
            refused = put_own(inner, 1) != SQLITE_OK;
        }
        again = belay_native(h->s);
    }
    assert_code(belay_status(h->s), BELAY_OK);
    assert_ptr_not_equal(outer, inner);
    assert_ptr_equal(outer, again);
    assert_false(refused);
    assert_stored(h->w, "1");
}

static void what_is_owed_is_sent_before_it_is_lent(void **state)
{
    heard *h = *state;
    bool inside = false;
    char first[16] = "", nested[16] = "";
    BELAY_ATOMIC(h->s) {
        inside = is_inside(belay_native(h->s));
        strcpy(first, take_sent());
    }
    assert_true(inside);
    assert_string_equal(first, "B");
    assert_string_equal(take_sent(), "C");
    BELAY_ATOMIC(h->s) {
        BELAY_ATOMIC(h->s) {
            BELAY_ATOMIC(h->s) {
                belay_native(h->s);
                strcpy(nested, take_sent());
            }
        }
    }
    assert_string_equal(nested, "Bs"); /* one savepoint for both: nothing was done between them */
}

static void nothing_is_left_out_afterwards_in_the_scope_and_those_inside_it(void **state)
{
    heard *h = *state;
    char empty[16] = "", tried[16] = "", read[16] = "", marks[16] = "", back[16] = "";
    BELAY_ATOMIC(h->s) {
        belay_try(h->s, "INSERT INTO item(id) VALUES (1)");
        belay_native(h->s);
        take_sent();
        BELAY_ATOMIC(h->s) {
        }
        strcpy(empty, take_sent());
        belay_try(h->s, "INSERT INTO item(id) VALUES (2)");
        strcpy(tried, take_sent());
        BELAY_ATOMIC(h->s)
            rows_of(h->s, "SELECT 1");
        strcpy(read, take_sent());
        belay_savepoint(h->s, "first");
        belay_savepoint(h->s, "second");
        strcpy(marks, take_sent());
        belay_rollback_to(h->s, "second");
        belay_savepoint(h->s, "third");
        strcpy(back, take_sent());
    }
    assert_string_equal(empty, "sr");
    assert_string_equal(tried, "sxr");
    assert_string_equal(read, "sxr");
    assert_string_equal(marks, "ss");
    assert_string_equal(back, "ts");
}

static void what_is_owed_comes_late_again_when_the_scope_has_ended(void **state)
{
    heard *h = *state;
    char empty[16] = "", marks[16] = "", next[16] = "";
    BELAY_ATOMIC(h->s) {
        BELAY_ATOMIC(h->s)
            belay_native(h->s);
        take_sent();
        BELAY_ATOMIC(h->s) {
        }
        strcpy(empty, take_sent());
        belay_savepoint(h->s, "first");
        belay_savepoint(h->s, "second");
        put(h->s, 1);
        strcpy(marks, take_sent());
    }
    take_sent();
    BELAY_ATOMIC(h->s) {
    }
    strcpy(next, take_sent());
    assert_string_equal(empty, "");
    assert_string_equal(marks, "sx");
    assert_string_equal(next, "");
}

static void a_mark_set_after_the_scope_does_not_share_a_savepoint_from_before_it(void **state)
{
    heard *h = *state;
    BELAY_ATOMIC(h->s) {
        belay_savepoint(h->s, "before");
        BELAY_ATOMIC(h->s)
            put_own(belay_native(h->s), 1); /* unseen: for all that is known, nothing was done since the mark */
        belay_savepoint(h->s, "after");
        put(h->s, 2);
        belay_rollback_to(h->s, "after");
    }
    assert_code(belay_status(h->s), BELAY_OK);
    assert_stored(h->w, "1");
}

static void a_mark_set_after_the_scope_does_not_share_a_savepoint_that_was_gone_back_to_in_it(void **state)
{
    heard *h = *state;
    BELAY_ATOMIC(h->s) {
        belay_savepoint(h->s, "before");
        BELAY_ATOMIC(h->s) {
            belay_savepoint(h->s, "inner"); /* at the same place as the one before */
            sqlite3 *lent = belay_native(h->s);
            put_own(lent, 1);
            belay_rollback_to(h->s, "inner");
            put_own(lent, 2);
        }
        belay_savepoint(h->s, "after");
        put(h->s, 3);
        belay_rollback_to(h->s, "after");
    }
    assert_code(belay_status(h->s), BELAY_OK);
    assert_stored(h->w, "2");
}

static void what_was_written_by_the_handle_is_undone_with_its_scope(void **state)
{
    heard *h = *state;
    BELAY_ATOMIC(h->s) {
        put_own(belay_native(h->s), 1);
        BELAY_ATOMIC(h->s) {
            put_own(belay_native(h->s), 2);
            belay_undo(h->s);
        }
        BELAY_ATOMIC(h->s) {
            put_own(belay_native(h->s), 3);
            BELAY_ATOMIC(h->s) {
                put_own(belay_native(h->s), 4);
                clash(h->s);
            }
            belay_ignore(h->s, BELAY_UNIQUE);
        }
        BELAY_ATOMIC_WITH(h->s, .propagation = BELAY_REQUIRED)
            put_own(belay_native(h->s), 5);
    }
    assert_code(belay_status(h->s), BELAY_OK);
    assert_stored(h->w, "1;3;5");
    BELAY_ATOMIC(h->s) {
        put_own(belay_native(h->s), 6);
        clash(h->s);
    }
    assert_stored(h->w, "1;3;5");
}

static void what_was_written_by_the_handle_is_undone_by_going_back_to_marks_from_before(void **state)
{
    heard *h = *state;
    BELAY_ATOMIC(h->s) {
        put(h->s, 1);
        belay_savepoint(h->s, "first");
        belay_savepoint(h->s, "second"); /* they share one */
        put_own(belay_native(h->s), 2);
        belay_rollback_to(h->s, "second");
        put_own(belay_native(h->s), 3);
        belay_savepoint(h->s, "third");
        put_own(belay_native(h->s), 4);
        belay_rollback_to(h->s, "third");
        put_own(belay_native(h->s), 5);
        belay_release(h->s, "third");
        BELAY_ATOMIC(h->s) {
            belay_savepoint(h->s, "inner");
            put_own(belay_native(h->s), 6);
            belay_rollback_to(h->s, "inner");
            put_own(belay_native(h->s), 7);
        }
    }
    assert_stored(h->w, "1;3;5;7");
    BELAY_ATOMIC(h->s) {
        belay_savepoint(h->s, "first");
        put_own(belay_native(h->s), 8);
        belay_savepoint(h->s, "second");
        put_own(belay_native(h->s), 9);
        belay_rollback_to(h->s, "first");
        put(h->s, 10);
    }
    assert_stored(h->w, "1;3;5;7;10");
}

static int write_by_handle(belay_session *s, void *arg)
{
    return put_own(belay_native(s), *(int *)arg) == SQLITE_OK ? 0 : 1;
}

static void callbacks_explicit_scopes_and_hooks_before_the_commit_may_have_it(void **state)
{
    heard *h = *state;
    int ids[] = {1, 2};
    assert_code(belay_atomic(h->s, NULL, write_by_handle, &ids[0]), BELAY_OK);
    BELAY_ATOMIC(h->s)
        belay_before_commit(h->s, write_by_handle, &ids[1], NULL);
    assert_code(belay_status(h->s), BELAY_OK);
    belay_begin(h->s, NULL);
    put_own(belay_native(h->s), 3);
    assert_code(belay_commit(h->s), BELAY_OK);
    belay_begin(h->s, NULL);
    put_own(belay_native(h->s), 4);
    belay_rollback(h->s);
    belay_begin(h->s, NULL);
    put_own(belay_native(h->s), 5);
    belay_session_close(h->s);
    h->s = NULL;
    assert_stored(h->w, "1;2;3");
}

static void a_unit_that_runs_again_has_nothing_of_the_attempt_before(void **state)
{
    heard *h = *state;
    int runs = 0;
    BELAY_ATOMIC_WITH(h->s, .retries = 2, .backoff_ms = 1) {
        put_own(belay_native(h->s), 1);
        if (runs++ == 0)
            belay_fail(h->s, BELAY_SERIALIZATION, "again");
    }
    assert_code(belay_status(h->s), BELAY_OK);
    assert_int_equal(runs, 2);
    assert_stored(h->w, "1");
}

/* ---- Refusing --------------------------------------------------------------------------------------------------- */

static void outside_all_scopes_it_is_misuse(void **state)
{
    heard *h = *state;
    assert_null(belay_native(h->s));
    assert_code(belay_status(h->s), BELAY_MISUSE);
    put(h->s, 1);
    assert_null(belay_native(h->s));
    assert_code(belay_status(h->s), BELAY_MISUSE);
    assert_null(belay_native(NULL));
}

static void an_adopted_connection_is_lent_outside_scopes_too(void **state)
{
    heard *h = *state;
    sqlite3 *own = NULL;
    void *inside = NULL;
    assert_int_equal(sqlite3_open(h->w->d.path, &own), SQLITE_OK);
    belay_session *s = belay_adopt_sqlite(own);
    assert_ptr_equal(belay_native(s), own);
    assert_code(belay_status(s), BELAY_OK);
    assert_false(is_inside(own));
    BELAY_ATOMIC(s)
        inside = belay_native(s);
    assert_ptr_equal(inside, own);
    assert_code(belay_session_close(s), BELAY_OK);
    assert_int_equal(sqlite3_close(own), SQLITE_OK);
}

static void with_an_error_pending_nothing_is_lent(void **state)
{
    heard *h = *state;
    void *failed = h, *undone = h, *hurt = h;
    belay_code code = BELAY_OK;
    BELAY_ATOMIC(h->s) {
        clash(h->s);
        failed = belay_native(h->s);
        code = belay_status(h->s);
    }
    assert_null(failed);
    assert_code(code, BELAY_UNIQUE); /* the first error stays */
    BELAY_ATOMIC(h->s) {
        belay_undo(h->s);
        undone = belay_native(h->s);
    }
    assert_null(undone);
    assert_code(belay_status(h->s), BELAY_ROLLED_BACK);
    BELAY_ATOMIC(h->s) {
        BELAY_ATOMIC(h->s)
            clash(h->s);
        hurt = belay_native(h->s);
        belay_ignore(h->s, BELAY_ANY); /* can't be any more: what the handle was for is missing */
    }
    assert_null(hurt);
    assert_code(belay_status(h->s), BELAY_UNIQUE);
}

static void while_a_stream_is_open_nothing_is_lent(void **state)
{
    heard *h = *state;
    void *lent = h;
    BELAY_ATOMIC(h->s) {
        belay_rows *stream = belay_stream(h->s, "SELECT 1 UNION SELECT 2");
        belay_next(stream);
        lent = belay_native(h->s);
        belay_rows_close(stream);
    }
    assert_null(lent);
    assert_code(belay_status(h->s), BELAY_MISUSE);
}

static void when_the_transaction_cannot_begin_nothing_is_lent(void **state)
{
    heard *h = *state;
    void *lent = h, *lock = hold_write_lock(h->w);
    BELAY_ATOMIC_WITH(h->s, .lock_timeout_ms = 1)
        lent = belay_native(h->s);
    let_go(lock);
    assert_null(lent);
    assert_code(belay_status(h->s), BELAY_LOCK_TIMEOUT);
}

static int ask_for_it(belay_session *s, void *arg)
{
    *(void **)arg = belay_native(s);
    return 0;
}

static void hooks_outside_a_transaction_or_while_one_is_undone_do_not_get_it(void **state)
{
    heard *h = *state;
    void *late = h, *inside = h;
    BELAY_ATOMIC(h->s)
        belay_on_commit(h->s, ask_for_it, &late, NULL);
    assert_null(late);
    BELAY_ATOMIC(h->s) {
        BELAY_ATOMIC(h->s) {
            belay_on_rollback(h->s, ask_for_it, &inside, NULL);
            belay_undo(h->s);
        }
    }
    assert_null(inside);
    assert_code(belay_status(h->s), BELAY_OK);
    assert_int_equal(belay_hook_errors(h->s), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_hearing(the_handle_is_that_of_the_scopes_own_transaction),
        in_hearing(the_handle_is_that_of_the_innermost_transaction),
        in_hearing(what_is_owed_is_sent_before_it_is_lent),
        in_hearing(nothing_is_left_out_afterwards_in_the_scope_and_those_inside_it),
        in_hearing(what_is_owed_comes_late_again_when_the_scope_has_ended),
        in_hearing(a_mark_set_after_the_scope_does_not_share_a_savepoint_from_before_it),
        in_hearing(a_mark_set_after_the_scope_does_not_share_a_savepoint_that_was_gone_back_to_in_it),
        in_hearing(what_was_written_by_the_handle_is_undone_with_its_scope),
        in_hearing(what_was_written_by_the_handle_is_undone_by_going_back_to_marks_from_before),
        in_hearing(callbacks_explicit_scopes_and_hooks_before_the_commit_may_have_it),
        in_hearing(a_unit_that_runs_again_has_nothing_of_the_attempt_before),
        in_hearing(outside_all_scopes_it_is_misuse),
        in_hearing(an_adopted_connection_is_lent_outside_scopes_too),
        in_hearing(with_an_error_pending_nothing_is_lent),
        in_hearing(while_a_stream_is_open_nothing_is_lent),
        in_hearing(when_the_transaction_cannot_begin_nothing_is_lent),
        in_hearing(hooks_outside_a_transaction_or_while_one_is_undone_do_not_get_it),
    };
    return run_beside(tests);
}
