/*
 * Isolation levels, read-only scopes, and what sessions see of each other.
 */
#include "support.h"

#include <stdio.h>

/* ---- Levels ------------------------------------------------------------------------------------------------- */

static void sqlite_gives_serializable_always_whatever_is_asked(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    for (int level = BELAY_ISOLATION_DEFAULT; level <= BELAY_SERIALIZABLE; level++) {
        BELAY_ATOMIC_WITH(w->s, .isolation = (belay_level)level) {
            assert_int_equal(belay_isolation(w->s), BELAY_SERIALIZABLE);
            put(w->s, level);
            assert_int_equal(belay_isolation(w->s), BELAY_SERIALIZABLE);
        }
        assert_status(w->s, BELAY_OK);
        BELAY_ATOMIC_WITH(w->s, .isolation = (belay_level)level, .read_only = true)
            assert_int_equal(belay_isolation(w->s), BELAY_SERIALIZABLE);
        assert_status(w->s, BELAY_OK);
    }
}

static void the_level_is_at_least_the_one_that_was_asked_never_a_weaker_one(void **state)
{
    world *w = *state;
    for (int level = BELAY_READ_UNCOMMITTED; level <= BELAY_SERIALIZABLE; level++) {
        int ran = 0;
        BELAY_ATOMIC_WITH(w->s, .isolation = (belay_level)level) {
            ran++;
            assert_true((int)belay_isolation(w->s) >= level);
        }
        if (!ran)
            assert_status(w->s, BELAY_UNSUPPORTED);
    }
}

static void a_level_that_there_is_not_is_refused(void **state)
{
    static const int levels[] = {BELAY_SERIALIZABLE + 1, 77, -1, INT32_MAX, INT32_MIN};
    world *w = *state;
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        int ran = 0;
        BELAY_ATOMIC_WITH(w->s, .isolation = (belay_level)levels[i])
            ran++;
        assert_int_equal(ran, 0);
        assert_true(belay_status(w->s) == BELAY_MISUSE || belay_status(w->s) == BELAY_UNSUPPORTED);
    }
}

static void a_nested_scope_may_ask_for_what_the_transaction_has(void **state)
{
    world *w = *state;
    BELAY_ATOMIC_WITH(w->s, .isolation = BELAY_SERIALIZABLE) {
        put(w->s, 1);
        for (int level = BELAY_ISOLATION_DEFAULT; level <= BELAY_SERIALIZABLE; level++) {
            int ran = 0;
            BELAY_ATOMIC_WITH(w->s, .isolation = (belay_level)level) {
                ran++;
                assert_int_equal(belay_isolation(w->s), BELAY_SERIALIZABLE);
            }
            assert_int_equal(ran, 1);
        }
    }
    assert_status(w->s, BELAY_OK);
}

static void outside_a_scope_the_level_can_not_be_told(void **state)
{
    world *w = *state;
    assert_int_equal(belay_isolation(w->s), BELAY_ISOLATION_DEFAULT);
    assert_status(w->s, BELAY_OK); /* asking is no misuse */
}

/* ---- What is seen ---------------------------------------------------------------------------------------------- */

static void what_is_not_committed_is_seen_by_nobody_else(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        assert_seen(w->s, "1");
        assert_stored(w, "");
        BELAY_READ(w->other)
            assert_seen(w->other, "");
    }
    assert_stored(w, "1");
}

static void a_scope_that_reads_sees_one_state_from_its_first_statement_on(void **state)
{
    world *w = *state;
    put(w->s, 1);
    BELAY_ATOMIC_WITH(w->other, .read_only = true, .isolation = BELAY_SNAPSHOT) {
        assert_seen(w->other, "1");
        put(w->s, 2);
        belay_exec(w->s, "DELETE FROM item WHERE id = 1");
        assert_seen(w->other, "1");
        BELAY_ATOMIC(w->other)
            assert_seen(w->other, "1");
    }
    assert_stored(w, "2");
}

static void scopes_that_read_do_not_wait_for_one_that_writes(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        BELAY_ATOMIC_WITH(w->other, .read_only = true, .lock_timeout_ms = 1, .deferrable = true)
            assert_seen(w->other, "");
        assert_code(belay_status(w->other), BELAY_OK);
    }
    assert_status(w->s, BELAY_OK);
}

static void a_scope_that_may_write_can_not_lose_an_update(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    belay_exec(w->s, "INSERT INTO item VALUES (1, '10')");
    BELAY_ATOMIC(w->s) {
        int64_t amount = belay_int_of(w->s, "SELECT note FROM item WHERE id = 1");
        BELAY_ATOMIC_WITH(w->other, .lock_timeout_ms = 10) /* would read the same, and wait to write */
            belay_exec(w->other, "UPDATE item SET note = ?",
                       belay_int_of(w->other, "SELECT note FROM item WHERE id = 1") + 5);
        assert_code(belay_status(w->other), BELAY_LOCK_TIMEOUT);
        belay_exec(w->s, "UPDATE item SET note = ?", amount + 1);
    }
    assert_rows(w->s, "SELECT note FROM item", "11");
}

/* ---- Read only -------------------------------------------------------------------------------------------------- */

static void a_write_in_a_read_only_scope_is_refused(void **state)
{
    static const char *const writes[] = {"INSERT INTO item(id) VALUES (1)",
                                         "UPDATE taken SET id = 2",
                                         "DELETE FROM taken",
                                         "CREATE TABLE t(a)",
                                         "DROP TABLE item",
                                         "INSERT INTO item(id) VALUES (1) RETURNING id",
                                         "WITH n(i) AS (VALUES (1)) INSERT INTO item(id) SELECT i FROM n"};
    world *w = *state;
    only_on_sqlite(w);
    for (size_t i = 0; i < sizeof writes / sizeof writes[0]; i++) {
        BELAY_READ(w->s) {
            assert_rows(w->s, "SELECT id FROM taken", "1");
            assert_code(belay_exec(w->s, writes[i]), BELAY_READ_ONLY);
        }
        assert_status(w->s, BELAY_READ_ONLY);
        BELAY_READ(w->s)
            assert_null(belay_query(w->s, writes[i])); /* also as the first statement */
        assert_status(w->s, BELAY_READ_ONLY);
    }
    assert_rows(w->s, "SELECT id FROM taken", "1");
}

static void a_nested_read_only_scope_keeps_the_outer_one_able_to_write(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        BELAY_READ(w->s) {
            assert_seen(w->s, "1");
            put(w->s, 2);
        }
        assert_true(belay_catch(w->s, BELAY_READ_ONLY));
        put(w->s, 3);
    }
    assert_status(w->s, BELAY_OK);
    assert_stored(w, "1;3");
}

static void a_scope_inside_a_read_only_one_can_not_write(void **state)
{
    world *w = *state;
    BELAY_READ(w->s)
        BELAY_ATOMIC(w->s)
            put(w->s, 1);
    assert_status(w->s, BELAY_READ_ONLY);
    BELAY_READ(w->s)
        BELAY_ATOMIC_WITH(w->s, .propagation = BELAY_REQUIRED)
            put(w->s, 1);
    assert_status(w->s, BELAY_READ_ONLY);
    assert_stored(w, "");
}

static void a_read_only_scope_takes_no_write_lock(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    BELAY_READ(w->s) {
        assert_seen(w->s, "");
        assert_code(put(w->other, 1), BELAY_OK);
    }
    void *lock = hold_write_lock(w);
    BELAY_READ(w->s)
        assert_seen(w->s, "1");
    assert_status(w->s, BELAY_OK);
    assert_seen(w->s, "1"); /* nor does a statement of its own that only reads */
    let_go(lock);
}

static void foreign_keys_are_on_unless_the_url_says_otherwise(void **state)
{
    world *w = *state;
    char url[500];
    only_on_sqlite(w);
    belay_exec(w->s, "CREATE TABLE child(id REFERENCES taken(id))");
    assert_code(belay_exec(w->s, "INSERT INTO child VALUES (77)"), BELAY_FOREIGN_KEY);
    assert_rows(w->s, "PRAGMA journal_mode", "wal");
    assert_rows(w->s, "PRAGMA synchronous", "2");
    snprintf(url, sizeof url, "%s?foreign_keys=off&synchronous=normal&cache_kib=100", w->d.url);
    belay_db *db = belay_open(url, NULL);
    belay_session *s = belay_session_open(db);
    assert_code(belay_exec(s, "INSERT INTO child VALUES (77)"), BELAY_OK);
    assert_rows(s, "PRAGMA synchronous", "1");
    assert_rows(s, "PRAGMA cache_size", "-100");
    belay_session_close(s);
    belay_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(sqlite_gives_serializable_always_whatever_is_asked),
        in_world(the_level_is_at_least_the_one_that_was_asked_never_a_weaker_one),
        in_world(a_level_that_there_is_not_is_refused),
        in_world(a_nested_scope_may_ask_for_what_the_transaction_has),
        in_world(outside_a_scope_the_level_can_not_be_told),
        in_world(what_is_not_committed_is_seen_by_nobody_else),
        in_world(a_scope_that_reads_sees_one_state_from_its_first_statement_on),
        in_world(scopes_that_read_do_not_wait_for_one_that_writes),
        in_world(a_scope_that_may_write_can_not_lose_an_update),
        in_world(a_write_in_a_read_only_scope_is_refused),
        in_world(a_nested_read_only_scope_keeps_the_outer_one_able_to_write),
        in_world(a_scope_inside_a_read_only_one_can_not_write),
        in_world(a_read_only_scope_takes_no_write_lock),
        in_world(foreign_keys_are_on_unless_the_url_says_otherwise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
