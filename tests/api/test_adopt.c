/*
 * A session over a connection that the program has already: the connection stays the program's. What its scopes do on
 * it is in test_adopt_scopes.c and test_adopt_ends.c, scopes inside a transaction of the program's are in
 * test_adopt_foreign.c.
 */
#include "beside.h"

#include <pthread.h>
#include <stdio.h>

/* ---- The connection stays the program's ------------------------------------------------------------------------ */

/* How often the program's own handlers were called. */
typedef struct calls {
    int progress, commit, rollback, update, busy;
} calls;

static int count_progress(void *arg)
{
    ((calls *)arg)->progress++;
    return 0;
}

static int count_commit(void *arg)
{
    ((calls *)arg)->commit++;
    return 0;
}

static void count_rollback(void *arg)
{
    ((calls *)arg)->rollback++;
}

static void count_update(void *arg, int what, const char *schema, const char *table, sqlite3_int64 id)
{
    (void)what, (void)schema, (void)table, (void)id;
    ((calls *)arg)->update++;
}

static int count_busy(void *arg, int count)
{
    (void)count;
    ((calls *)arg)->busy++;
    return 0;
}

static int pragma_of(sqlite3 *own, const char *name)
{
    char sql[64];
    sqlite3_stmt *query = NULL;
    snprintf(sql, sizeof sql, "PRAGMA %s", name);
    sqlite3_prepare_v2(own, sql, -1, &query, NULL);
    int value = sqlite3_step(query) == SQLITE_ROW ? sqlite3_column_int(query, 0) : -1;
    sqlite3_finalize(query);
    return value;
}

/* A bit of everything that a session does. */
static void work_a_while(belay_session *s)
{
    belay_exec(s, "CREATE TABLE fresh(id INTEGER PRIMARY KEY)");
    BELAY_ATOMIC_WITH(s, .timeout_ms = 60000) {
        put(s, 101);
        belay_try(s, "INSERT INTO taken VALUES (1)");
        BELAY_ATOMIC(s) {
            put(s, 102);
            clash(s);
        }
        belay_ignore(s, BELAY_ANY);
        belay_savepoint(s, "mark");
        put(s, 103);
        belay_rollback_to(s, "mark");
    }
    BELAY_ATOMIC(s) {
        put(s, 104);
        belay_undo(s);
    }
    BELAY_READ(s)
        rows_of(s, "SELECT count(*) FROM item");
    belay_exec(s, "DROP TABLE fresh");
}

static void settings_of_the_program_are_never_changed(void **state)
{
    static const char *const names[] = {"foreign_keys", "synchronous",         "cache_size",   "recursive_triggers",
                                        "temp_store",   "case_sensitive_like", "locking_mode", "busy_timeout"};
    enum { NAMES = sizeof names / sizeof names[0] };
    beside *b = *state;
    int before[NAMES];
    run_own(b->own, "PRAGMA foreign_keys = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = 77;"
                    "PRAGMA recursive_triggers = ON; PRAGMA temp_store = MEMORY");
    sqlite3_busy_timeout(b->own, 1234);
    sqlite3_extended_result_codes(b->own, 0);
    for (int i = 0; i < NAMES; i++)
        before[i] = pragma_of(b->own, names[i]);
    work_a_while(b->s);
    assert_stored(b->w, "101");
    for (int closed = 0; closed < 2; closed++) {
        for (int i = 0; i < NAMES; i++)
            assert_int_equal(pragma_of(b->own, names[i]), before[i]);
        assert_int_equal(pragma_of(b->own, "busy_timeout"), 1234);
        assert_int_equal(run_own(b->own, "INSERT INTO taken VALUES (1)"), SQLITE_CONSTRAINT); /* not the extended one */
        belay_session_close(b->s);
        b->s = NULL;
    }
}

static void codes_of_errors_are_exact_without_extended_result_codes(void **state)
{
    beside *b = *state;
    sqlite3_extended_result_codes(b->own, 0);
    assert_code(clash(b->s), BELAY_UNIQUE);
    belay_exec(b->s, "CREATE TABLE fresh(id INTEGER NOT NULL CHECK (id > 0))");
    assert_code(belay_exec(b->s, "INSERT INTO fresh VALUES (NULL)"), BELAY_NOT_NULL);
    assert_code(belay_exec(b->s, "INSERT INTO fresh VALUES (0)"), BELAY_CHECK);
    assert_int_equal(belay_pending(b->s)->native_code, SQLITE_CONSTRAINT_CHECK);
}

static void handlers_of_the_program_are_never_changed(void **state)
{
    beside *b = *state;
    calls seen = {0};
    sqlite3_progress_handler(b->own, 1, count_progress, &seen);
    sqlite3_commit_hook(b->own, count_commit, &seen);
    sqlite3_rollback_hook(b->own, count_rollback, &seen);
    sqlite3_update_hook(b->own, count_update, &seen);
    sqlite3_busy_handler(b->own, count_busy, &seen);
    work_a_while(b->s);
    assert_true(seen.progress > 0 && seen.commit >= 3 && seen.rollback >= 1 && seen.update >= 4);
    seen = (calls){0};
    put_own(b->own, 1);
    assert_true(seen.progress > 0 && seen.commit == 1 && seen.update == 1);
    void *lock = hold_write_lock(b->w);
    put_own(b->own, 2);
    let_go(lock);
    assert_int_equal(seen.busy, 1);
    sqlite3_progress_handler(b->own, 0, NULL, NULL);
    assert_ptr_equal(sqlite3_commit_hook(b->own, NULL, NULL), &seen);
    assert_ptr_equal(sqlite3_rollback_hook(b->own, NULL, NULL), &seen);
    assert_ptr_equal(sqlite3_update_hook(b->own, NULL, NULL), &seen);
}

static void open_statements_of_the_program_are_never_changed(void **state)
{
    beside *b = *state;
    sqlite3_stmt *half_read = NULL;
    belay_code inner = BELAY_OK;
    run_own(b->own, "INSERT INTO item(id) VALUES (1), (2), (3), (4), (5)");
    sqlite3_prepare_v2(b->own, "SELECT id FROM item WHERE id < 10 ORDER BY id", -1, &half_read, NULL);
    assert_int_equal(sqlite3_step(half_read), SQLITE_ROW);
    BELAY_ATOMIC(b->s) { /* through a commit */
        put(b->s, 11);
        BELAY_ATOMIC(b->s) { /* and the rollback of a nested scope */
            put(b->s, 12);
            inner = clash(b->s);
        }
        belay_ignore(b->s, BELAY_UNIQUE);
        assert_int_equal(sqlite3_step(half_read), SQLITE_ROW);
    }
    assert_code(inner, BELAY_UNIQUE);
    assert_code(belay_status(b->s), BELAY_OK);
    assert_int_equal(sqlite3_step(half_read), SQLITE_ROW);
    BELAY_ATOMIC(b->s) { /* and through a whole rollback */
        put(b->s, 13);
        belay_undo(b->s);
    }
    assert_int_equal(sqlite3_step(half_read), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(half_read, 0), 4);
    belay_session_close(b->s);
    b->s = NULL;
    assert_int_equal(sqlite3_step(half_read), SQLITE_ROW);
    assert_int_equal(sqlite3_step(half_read), SQLITE_DONE);
    sqlite3_finalize(half_read);
    assert_stored(b->w, "1;2;3;4;5;11");
}

static void closing_the_session_leaves_the_connection_open_and_nothing_on_it(void **state)
{
    beside *b = *state;
    work_a_while(b->s);
    assert_non_null(sqlite3_next_stmt(b->own, NULL)); /* statements are kept while the session is open */
    assert_code(belay_session_close(b->s), BELAY_OK);
    assert_null(sqlite3_next_stmt(b->own, NULL));
    assert_false(is_inside(b->own));
    assert_int_equal(put_own(b->own, 1), SQLITE_OK);
    b->s = belay_adopt_sqlite(b->own); /* and it can be adopted again */
    assert_code(put(b->s, 2), BELAY_OK);
    assert_stored(b->w, "1;2;101");
}

static void a_connection_must_outlive_its_session_and_is_not_closed_before(void **state)
{
    beside *b = *state;
    put(b->s, 1);
    assert_int_equal(sqlite3_close(b->own), SQLITE_BUSY); /* the session has statements on it */
    assert_code(put(b->s, 2), BELAY_OK);
    assert_stored(b->w, "1;2");
}

static void a_session_that_is_closed_with_scopes_open_rolls_them_back(void **state)
{
    beside *b = *state;
    put_own(b->own, 1);
    belay_begin(b->s, NULL);
    put(b->s, 2);
    belay_begin(b->s, NULL);
    put_own(b->own, 3);
    belay_savepoint(b->s, "mark");
    put(b->s, 4);
    assert_code(belay_session_close(b->s), BELAY_ABANDONED);
    b->s = NULL;
    assert_false(is_inside(b->own));
    assert_stored(b->w, "1");
}

static void a_null_connection_is_misuse_in_every_scope(void **state)
{
    beside *b = *state;
    (void)b;
    bool ran = false;
    belay_session *s = belay_adopt_sqlite(NULL);
    assert_non_null(s);
    BELAY_ATOMIC(s)
        ran = true;
    assert_false(ran);
    assert_code(belay_status(s), BELAY_MISUSE);
    assert_code(belay_exec(s, "SELECT 1"), BELAY_MISUSE);
    assert_contains(belay_message(s), "NULL");
    assert_null(belay_native(s));
    assert_code(belay_status(s), BELAY_MISUSE);
    assert_code(belay_begin(s, NULL), BELAY_MISUSE);
    assert_code(belay_commit(s), BELAY_MISUSE);
    assert_code(belay_session_close(s), BELAY_OK);
}

static void a_connection_to_memory_is_adopted_like_any_other(void **state)
{
    (void)state;
    sqlite3 *own = NULL;
    assert_int_equal(sqlite3_open(":memory:", &own), SQLITE_OK);
    run_own(own, "CREATE TABLE item(id INTEGER PRIMARY KEY)");
    belay_session *s = belay_adopt_sqlite(own);
    BELAY_ATOMIC(s) {
        put(s, 1);
        put_own(own, 2);
    }
    BELAY_ATOMIC(s) {
        put(s, 3);
        put_own(own, 4);
        belay_undo(s);
    }
    assert_code(belay_session_close(s), BELAY_OK);
    assert_string_equal(seen_own(own), "1;2"); /* and what is in it outlives the session */
    assert_int_equal(sqlite3_close(own), SQLITE_OK);
}

static void a_connection_opened_to_read_can_be_read_and_not_written(void **state)
{
    beside *b = *state;
    sqlite3 *own = NULL;
    put_own(b->own, 1);
    assert_int_equal(sqlite3_open_v2(b->w->d.path, &own, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    belay_session *s = belay_adopt_sqlite(own);
    assert_int_equal(belay_int_of(s, "SELECT count(*) FROM item"), 1);
    BELAY_ATOMIC(s)
        put(s, 2);
    assert_code(belay_status(s), BELAY_READ_ONLY);
    belay_session_close(s);
    assert_int_equal(sqlite3_close(own), SQLITE_OK);
}

/* ---- Threads and processes -------------------------------------------------------------------------------------- */

enum { THREADS = 4, UNITS = 25 };

typedef struct worker {
    const char *path;
    int first, failed;
} worker;

static void *work(void *arg)
{
    worker *me = arg;
    sqlite3 *own = NULL;
    sqlite3_open(me->path, &own);
    belay_session *s = belay_adopt_sqlite(own);
    for (int i = 0; i < UNITS; i++) {
        BELAY_ATOMIC_WITH(s, .lock_timeout_ms = 60000) {
            put(s, me->first + i);
            BELAY_ATOMIC(s) {
                put_own(own, me->first + i + UNITS);
                belay_undo(s);
            }
        }
        me->failed += belay_status(s) != BELAY_OK;
    }
    belay_session_close(s);
    me->failed += sqlite3_close(own) != SQLITE_OK;
    return NULL;
}

static void connections_of_many_threads_are_adopted_side_by_side(void **state)
{
    beside *b = *state;
    pthread_t threads[THREADS];
    worker workers[THREADS];
    int failed = 0;
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (worker){.path = b->w->d.path, .first = 1000 * i};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        failed += workers[i].failed;
    }
    assert_int_equal(failed, 0);
    assert_rows(b->w->other, "SELECT count(*) FROM item", "100");
}

static int use_in_child(void *arg)
{
    beside *b = arg;
    bool refused = put(b->s, 9) == BELAY_MISUSE && !belay_native(b->s) && belay_commit(b->s) == BELAY_MISUSE;
    return refused && belay_session_close(b->s) == BELAY_OK ? 0 : 1;
}

static void a_child_after_fork_never_touches_the_connection(void **state)
{
    beside *b = *state;
    put(b->s, 1);
    assert_int_equal(run_in_child(use_in_child, b), 0);
    belay_begin(b->s, NULL);
    put(b->s, 2);
    assert_int_equal(run_in_child(use_in_child, b), 0);
    assert_code(belay_commit(b->s), BELAY_OK);
    assert_stored(b->w, "1;2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        beside_own(settings_of_the_program_are_never_changed),
        beside_own(codes_of_errors_are_exact_without_extended_result_codes),
        beside_own(handlers_of_the_program_are_never_changed),
        beside_own(open_statements_of_the_program_are_never_changed),
        beside_own(closing_the_session_leaves_the_connection_open_and_nothing_on_it),
        beside_own(a_connection_must_outlive_its_session_and_is_not_closed_before),
        beside_own(a_session_that_is_closed_with_scopes_open_rolls_them_back),
        beside_own(a_null_connection_is_misuse_in_every_scope),
        beside_own(a_connection_to_memory_is_adopted_like_any_other),
        beside_own(a_connection_opened_to_read_can_be_read_and_not_written),
        beside_own(connections_of_many_threads_are_adopted_side_by_side),
        beside_own(a_child_after_fork_never_touches_the_connection),
    };
    return run_beside(tests);
}
