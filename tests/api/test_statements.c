/*
 * Locking reads, prepared statements under schema changes, and the cache of
 * statements.
 */
#include "support.h"

#include <stdio.h>

/* ---- Locking reads ------------------------------------------------------------------------------------------ */

static const char *const locking[] = {
    "SELECT id FROM item FOR UPDATE",
    "SELECT id FROM item FOR UPDATE;",
    "SELECT id FROM item WHERE id > 0 ORDER BY id LIMIT 5 FOR UPDATE",
    "SELECT id FROM item FOR UPDATE NOWAIT",
    "SELECT id FROM item FOR UPDATE SKIP LOCKED",
    "SELECT id FROM item FOR NO KEY UPDATE",
    "SELECT id FROM item FOR SHARE",
    "SELECT id FROM item FOR KEY SHARE SKIP LOCKED",
    "SELECT id FROM item FOR UPDATE OF item",
    "SELECT id FROM item FOR UPDATE OF item NOWAIT",
    "SELECT id FROM item FOR SHARE OF item FOR UPDATE OF item",
    "select id from item for update nowait",
    "SELECT id FROM item /* a */ FOR /* b */ UPDATE -- c\n",
};

enum { LOCKING = sizeof locking / sizeof locking[0] };

static void a_locking_read_works_in_a_scope(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    put(w->s, 1);
    for (int i = 0; i < LOCKING; i++) {
        BELAY_ATOMIC(w->s)
            assert_rows(w->s, locking[i], "1");
        assert_status(w->s, BELAY_OK);
    }
}

static void a_locking_read_in_a_read_only_scope_is_refused(void **state)
{
    world *w = *state;
    for (int i = 0; i < LOCKING; i++) {
        BELAY_READ(w->s)
            assert_null(belay_query(w->s, locking[i]));
        assert_status(w->s, BELAY_READ_ONLY);
    }
}

static void a_locking_read_outside_any_scope_is_misuse(void **state)
{
    world *w = *state;
    for (int i = 0; i < LOCKING; i++) {
        assert_null(belay_query(w->s, locking[i]));
        assert_status(w->s, BELAY_MISUSE);
    }
}

static void a_locking_read_takes_the_write_lock(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    BELAY_ATOMIC(w->s) {
        assert_rows(w->s, "SELECT id FROM item FOR UPDATE", "");
        BELAY_ATOMIC_WITH(w->other, .lock_timeout_ms = 10)
            put(w->other, 1);
        assert_code(belay_status(w->other), BELAY_LOCK_TIMEOUT);
        put(w->s, 2);
    }
    assert_stored(w, "2");
}

static void nowait_means_that_the_lock_is_not_waited_for(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    void *lock = hold_write_lock(w);
    BELAY_ATOMIC_WITH(w->s, .lock_timeout_ms = -1)
        assert_null(belay_query(w->s, "SELECT id FROM item FOR UPDATE NOWAIT"));
    let_go(lock);
    assert_status(w->s, BELAY_BUSY);
    assert_true(belay_retryable(belay_pending(w->s)));
    belay_begin(w->other, NULL); /* the same when it is held by this program */
    put(w->other, 1);
    BELAY_ATOMIC_WITH(w->s, .lock_timeout_ms = -1)
        assert_null(belay_query(w->s, "SELECT id FROM item FOR UPDATE NOWAIT"));
    belay_rollback(w->other);
    assert_status(w->s, BELAY_BUSY);
}

static void nowait_is_for_its_own_statement_only(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    BELAY_ATOMIC(w->s)
        assert_rows(w->s, "SELECT id FROM item FOR UPDATE NOWAIT", "");
    void *lock = hold_write_lock(w);
    BELAY_ATOMIC_WITH(w->s, .lock_timeout_ms = 20)
        put(w->s, 1);
    let_go(lock);
    assert_status(w->s, BELAY_LOCK_TIMEOUT); /* it was waited for */
}

static void nowait_together_with_skip_locked_is_misuse(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s)
        assert_null(belay_query(w->s, "SELECT id FROM item FOR UPDATE NOWAIT SKIP LOCKED"));
    assert_status(w->s, BELAY_MISUSE);
}

static void the_words_of_a_locking_clause_elsewhere_are_left_alone(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    assert_rows(w->s, "SELECT 'FOR UPDATE', 1 -- FOR UPDATE", "FOR UPDATE|1");
    assert_rows(w->s, "SELECT 1 AS \"FOR UPDATE\"", "1");
    assert_rows(w->s, "SELECT 'x FOR UPDATE NOWAIT' /* FOR SHARE */", "x FOR UPDATE NOWAIT");
}

/* ---- Prepared statements --------------------------------------------------------------------------------------- */

static void prepared_statements_survive_a_change_of_the_schema(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    static const char all[] = "SELECT * FROM item ORDER BY id", add[] = "INSERT INTO item(id, note) VALUES (?, 'n')";
    belay_exec(w->s, add, 1);
    assert_rows(w->s, all, "1|n");
    belay_exec(w->other, "ALTER TABLE item ADD COLUMN more DEFAULT 'm'");
    assert_rows(w->s, all, "1|n|m");
    belay_exec(w->s, add, 2);
    belay_exec(w->other, "DROP TABLE item");
    assert_code(belay_exec(w->s, add, 3), BELAY_SCHEMA);
    assert_null(belay_query(w->s, all));
    belay_exec(w->other, "CREATE TABLE item(note, id)");
    assert_code(belay_exec(w->s, add, 4), BELAY_OK);
    assert_rows(w->s, all, "n|4");
}

static void prepared_statements_survive_a_change_of_the_schema_in_their_own_scope(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    static const char all[] = "SELECT * FROM item";
    put(w->s, 1);
    BELAY_ATOMIC(w->s) {
        assert_rows(w->s, all, "1|NULL");
        belay_savepoint(w->s, "before");
        belay_exec(w->s, "ALTER TABLE item DROP COLUMN note");
        assert_rows(w->s, all, "1");
        belay_rollback_to(w->s, "before");
        assert_rows(w->s, all, "1|NULL");
    }
    assert_status(w->s, BELAY_OK);
}

static void the_same_text_may_be_read_twice_at_once(void **state)
{
    world *w = *state;
    static const char sql[] = "SELECT id FROM item WHERE id > ? ORDER BY id";
    for (int i = 1; i <= 4; i++)
        put(w->s, i);
    int pairs = 0;
    BELAY_EACH(a, w->s, sql, 0)
        BELAY_EACH(b, w->s, sql, (int)belay_int(a, 0))
            pairs++;
    assert_int_equal(pairs, 6);
    belay_rows *stream = belay_stream(w->s, sql, 0), *other = belay_stream(w->other, sql, 2);
    assert_true(belay_next(stream) && belay_next(other));
    assert_int_equal(belay_int(stream, 0), 1);
    assert_int_equal(belay_int(other, 0), 3);
    belay_rows_close(stream);
    belay_rows_close(other);
}

static void what_can_not_run_in_a_transaction_runs_outside_any_scope(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    put(w->s, 1);
    assert_code(belay_exec(w->s, "VACUUM"), BELAY_OK);
    assert_rows(w->s, "PRAGMA integrity_check", "ok");
    BELAY_ATOMIC(w->s)
        assert_true(belay_exec(w->s, "VACUUM") != BELAY_OK);
    assert_true(belay_status(w->s) != BELAY_OK);
    assert_stored(w, "1");
}

/* ---- The cache -------------------------------------------------------------------------------------------------- */

static void run_different(belay_session *s, int from, int to)
{
    char sql[64];
    for (int i = from; i < to; i++) {
        snprintf(sql, sizeof sql, "SELECT %d + id FROM taken", i);
        assert_int_equal(belay_int_of(s, sql), i + 1);
    }
}

static void the_cache_of_statements_is_bounded(void **state)
{
    static const int bounds[] = {0, 1, 2, 50, -1};
    world *w = *state;
    only_on_sqlite(w);
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        belay_db *db = open_again(w, BELAY_DB_OPTIONS(.statement_cache = bounds[i]));
        belay_session *s = belay_session_open(db);
        run_different(s, 0, 400);
        long long before = engine_memory();
        run_different(s, 1000, 4000);
        assert_true(engine_memory() < before + 20000); /* a statement takes more than 1,000 */
        run_different(s, 0, 3);
        assert_code(belay_session_close(s), BELAY_OK);
        belay_close(db);
    }
}

static void a_statement_in_use_is_not_thrown_out_of_the_cache(void **state)
{
    world *w = *state;
    belay_db *db = open_again(w, BELAY_DB_OPTIONS(.statement_cache = 1));
    belay_session *s = belay_session_open(db);
    put(w->s, 1);
    put(w->s, 2);
    belay_rows *stream = belay_stream(s, "SELECT id FROM item");
    assert_true(belay_next(stream));
    assert_code(belay_exec(s, "SELECT 99"), BELAY_MISUSE); /* a stream is open */
    assert_true(belay_next(stream));
    assert_int_equal(belay_int(stream, 0), 2);
    belay_rows_close(stream);
    belay_session_close(s);
    belay_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(a_locking_read_works_in_a_scope),
        in_world(a_locking_read_in_a_read_only_scope_is_refused),
        in_world(a_locking_read_outside_any_scope_is_misuse),
        in_world(a_locking_read_takes_the_write_lock),
        in_world(nowait_means_that_the_lock_is_not_waited_for),
        in_world(nowait_is_for_its_own_statement_only),
        in_world(nowait_together_with_skip_locked_is_misuse),
        in_world(the_words_of_a_locking_clause_elsewhere_are_left_alone),
        in_world(prepared_statements_survive_a_change_of_the_schema),
        in_world(prepared_statements_survive_a_change_of_the_schema_in_their_own_scope),
        in_world(the_same_text_may_be_read_twice_at_once),
        in_world(what_can_not_run_in_a_transaction_runs_outside_any_scope),
        in_world(the_cache_of_statements_is_bounded),
        in_world(a_statement_in_use_is_not_thrown_out_of_the_cache),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
