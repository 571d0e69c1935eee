/*
 * What a statement did: belay_changes, belay_last_id, RETURNING, DDL in scopes,
 * and statements that may fail.
 */
#include "support.h"

#include <string.h>

/* ---- Changes -------------------------------------------------------------------------------------------- */

static void changes_are_the_rows_that_the_last_statement_matched(void **state)
{
    world *w = *state;
    belay_exec(w->s, "INSERT INTO item VALUES (1, 'a'), (2, 'b'), (3, 'c')");
    assert_int_equal(belay_changes(w->s), 3);
    belay_exec(w->s, "UPDATE item SET note = 'x' WHERE id < 3");
    assert_int_equal(belay_changes(w->s), 2);
    belay_exec(w->s, "UPDATE item SET note = 'x' WHERE id < 3"); /* equal values count */
    assert_int_equal(belay_changes(w->s), 2);
    belay_exec(w->s, "UPDATE item SET note = 'x' WHERE id = 77");
    assert_int_equal(belay_changes(w->s), 0);
    belay_exec(w->s, "DELETE FROM item WHERE id = 1");
    assert_int_equal(belay_changes(w->s), 1);
    belay_exec(w->s, "DELETE FROM item");
    assert_int_equal(belay_changes(w->s), 2);
}

static void changes_are_zero_before_the_first_statement(void **state)
{
    world *w = *state;
    belay_session *s = belay_session_open(w->d.db);
    assert_int_equal(belay_changes(s), 0);
    belay_session_close(s);
}

static void changes_are_zero_after_what_changes_nothing_and_after_a_failure(void **state)
{
    world *w = *state;
    put(w->s, 1);
    assert_int_equal(belay_changes(w->s), 1);
    assert_int_equal(belay_int_of(w->s, "SELECT count(*) FROM item"), 1);
    assert_int_equal(belay_changes(w->s), 0);
    put(w->s, 2);
    belay_exec(w->s, "CREATE TABLE fresh(id INTEGER)");
    assert_int_equal(belay_changes(w->s), 0);
    put(w->s, 3);
    clash(w->s);
    assert_int_equal(belay_changes(w->s), 0);
    put(w->s, 4);
    belay_exec(w->s, "nonsense");
    assert_int_equal(belay_changes(w->s), 0);
    put(w->s, 5);
    belay_exec(w->s, NULL);
    assert_int_equal(belay_changes(w->s), 0);
}

static void the_end_of_a_scope_is_no_statement(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        BELAY_ATOMIC(w->s)
            belay_exec(w->s, "INSERT INTO item(id) VALUES (1), (2)");
        assert_int_equal(belay_changes(w->s), 2);
    }
    assert_int_equal(belay_changes(w->s), 2);
}

static void changes_of_queries_and_with_and_upserts(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    belay_rows_close(belay_query(w->s, "INSERT INTO item(id) VALUES (1), (2) RETURNING id"));
    assert_int_equal(belay_changes(w->s), 2);
    belay_exec(w->s, "WITH n(i) AS (VALUES (3), (4), (5)) INSERT INTO item(id) SELECT i FROM n");
    assert_int_equal(belay_changes(w->s), 3);
    belay_exec(w->s, "INSERT INTO item(id) VALUES (1) ON CONFLICT DO UPDATE SET note = 'again'");
    assert_int_equal(belay_changes(w->s), 1);
    belay_exec(w->s, "INSERT OR IGNORE INTO item(id) VALUES (1), (6)");
    assert_int_equal(belay_changes(w->s), 1);
    belay_exec(w->s, "REPLACE INTO item(id) VALUES (1)");
    assert_int_equal(belay_changes(w->s), 1);
    belay_exec(w->s, "WITH n(i) AS (VALUES (1)) SELECT i FROM n");
    assert_int_equal(belay_changes(w->s), 0);
}

/* ---- The last key ------------------------------------------------------------------------------------------ */

static void the_last_id_is_the_key_that_the_last_insert_generated(void **state)
{
    world *w = *state;
    only_on_sqlite(w); /* where a plain INTEGER PRIMARY KEY generates keys */
    belay_exec(w->s, "INSERT INTO item(note) VALUES ('a')");
    assert_int_equal(belay_last_id(w->s), 1);
    belay_exec(w->s, "INSERT INTO item(note) VALUES ('b'), ('c')");
    assert_int_equal(belay_last_id(w->s), 3);
    BELAY_ATOMIC(w->s) {
        belay_exec(w->s, "INSERT INTO item(note) VALUES ('d')");
        assert_int_equal(belay_last_id(w->s), 4);
    }
    assert_status(w->s, BELAY_OK);
    assert_int_equal(belay_last_id(w->s), 4);
}

static void the_last_id_stays_when_other_statements_follow_the_insert(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    belay_exec(w->s, "INSERT INTO item(id) VALUES (41)");
    belay_exec(w->s, "UPDATE item SET note = 'x'");
    assert_int_equal(belay_last_id(w->s), 41);
    assert_rows(w->s, "SELECT count(*) FROM item", "1");
    assert_int_equal(belay_last_id(w->s), 41);
    assert_status(w->s, BELAY_OK);
}

static void where_no_key_was_generated_last_id_raises_unsupported(void **state)
{
    world *w = *state;
    belay_session *s = belay_session_open(w->d.db);
    assert_int_equal(belay_last_id(s), 0); /* no INSERT has run */
    assert_code(belay_status(s), BELAY_UNSUPPORTED);
    belay_session_close(s);
    belay_exec(w->s, database_is_sqlite(&w->d) ? "CREATE TABLE named(name TEXT PRIMARY KEY) WITHOUT ROWID"
                                               : "CREATE TABLE named(name VARCHAR(20) PRIMARY KEY)");
    belay_exec(w->s, "INSERT INTO item(id) VALUES (5)");
    BELAY_ATOMIC(w->s) {
        belay_exec(w->s, "INSERT INTO named VALUES ('x')");
        assert_int_equal(belay_last_id(w->s), 0);
        assert_contains(belay_message(w->s), "RETURNING");
    }
    assert_status(w->s, BELAY_UNSUPPORTED);
    assert_rows(w->s, "SELECT count(*) FROM named", "0");
}

static void the_last_id_is_not_that_of_a_triggers_insert(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    belay_exec(w->s, "CREATE TABLE audit(id INTEGER PRIMARY KEY, what)");
    belay_exec(w->s, "INSERT INTO audit VALUES (500, 'before')");
    belay_exec(w->s, "CREATE TRIGGER log AFTER INSERT ON item BEGIN INSERT INTO audit(what) VALUES (new.id); END");
    belay_exec(w->s, "INSERT INTO item(note) VALUES ('a')");
    assert_int_equal(belay_last_id(w->s), 1);
    assert_int_equal(belay_changes(w->s), 1);
}

static void an_insert_of_another_session_is_not_the_last_one_here(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    belay_exec(w->s, "INSERT INTO item(id) VALUES (10)");
    belay_exec(w->other, "INSERT INTO item(id) VALUES (20)");
    assert_int_equal(belay_last_id(w->s), 10);
}

/* ---- RETURNING ------------------------------------------------------------------------------------------------- */

static void returning_gives_the_rows_and_the_statement_runs_to_its_end(void **state)
{
    world *w = *state;
    assert_rows(w->s, "INSERT INTO item VALUES (1, 'a'), (2, 'b') RETURNING id, note", "1|a;2|b");
    assert_int_equal(belay_int_of(w->s, "INSERT INTO item VALUES (3, 'c'), (4, 'd'), (5, 'e') RETURNING id"), 3);
    assert_stored(w, "1;2;3;4;5"); /* although only one row was read */
    assert_code(belay_exec(w->s, "DELETE FROM item WHERE id > 1 RETURNING id"), BELAY_OK);
    BELAY_ATOMIC(w->s)
        BELAY_EACH(row, w->s, "UPDATE item SET note = 'z' RETURNING note")
            assert_string_equal(belay_str(row, 0), "z");
    assert_status(w->s, database_is_mariadb(&w->d) ? BELAY_SYNTAX : BELAY_OK); /* MariaDB has no UPDATE ... RETURNING */
    assert_rows(w->other, "SELECT id, note FROM item", on_engine(&w->d, "1|z", "1|z", "1|a"));
}

/* ---- Schema changes in scopes ----------------------------------------------------------------------------------- */

static void schema_changes_in_a_scope_roll_back_with_it(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    BELAY_ATOMIC(w->s) {
        belay_exec(w->s, "CREATE TABLE fresh(a)");
        belay_exec(w->s, "DROP TABLE item");
        belay_exec(w->s, "ALTER TABLE taken ADD COLUMN more");
        belay_undo(w->s);
    }
    assert_stored(w, "");
    assert_rows(w->s, "SELECT name FROM sqlite_master WHERE name IN ('fresh', 'item') ORDER BY 1", "item");
    assert_rows(w->s, "SELECT * FROM taken", "1");
}

static void a_table_made_anew_after_a_rollback_is_the_new_one(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    BELAY_ATOMIC(w->s) {
        BELAY_ATOMIC(w->s) {
            belay_exec(w->s, "CREATE TABLE t(a)");
            belay_exec(w->s, "INSERT INTO t VALUES (1)");
            assert_rows(w->s, "SELECT * FROM t", "1");
            belay_undo(w->s);
        }
        assert_code(belay_try(w->s, "SELECT * FROM t"), BELAY_SCHEMA);
        belay_exec(w->s, "CREATE TABLE t(a, b)");
        belay_exec(w->s, "INSERT INTO t VALUES (1, 2)");
        assert_rows(w->s, "SELECT * FROM t", "1|2");
    }
    assert_rows(w->other, "SELECT * FROM t", "1|2");
}

static void tables_made_and_dropped_in_scopes_of_every_fate(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    belay_exec(w->s, "CREATE TABLE foo(a)");
    BELAY_ATOMIC(w->s) {
        BELAY_ATOMIC(w->s) {
            belay_exec(w->s, "DROP TABLE foo");
            belay_exec(w->s, "CREATE TABLE bar(a)");
            belay_undo(w->s);
        }
        BELAY_ATOMIC(w->s)
            belay_exec(w->s, "CREATE TABLE baz(a)");
    }
    assert_rows(w->other, "SELECT name FROM sqlite_master WHERE name IN ('foo', 'bar', 'baz') ORDER BY name",
                "baz;foo");
}

/* ---- belay_try -------------------------------------------------------------------------------------------------- */

static void a_statement_that_may_fail_is_undone_and_caught(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        assert_code(belay_try(w->s, "INSERT INTO taken VALUES (?)", 1), BELAY_UNIQUE);
        assert_code(belay_status(w->s), BELAY_OK);
        assert_code(belay_caught(w->s)->code, BELAY_UNIQUE);
        assert_string_equal(belay_caught(w->s)->function, __func__);
        assert_code(belay_try(w->s, "INSERT INTO item(id) VALUES (2)"), BELAY_OK);
        assert_int_equal(belay_changes(w->s), 1);
        assert_code(belay_try(w->s, "nonsense"), BELAY_SYNTAX);
        assert_code(belay_try(w->s, "SELECT * FROM nowhere"), BELAY_SCHEMA);
    }
    assert_status(w->s, BELAY_OK);
    assert_stored(w, "1;2");
}

static void a_statement_that_may_fail_leaves_nothing_of_itself(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    BELAY_ATOMIC(w->s) {
        put(w->s, 5);
        assert_code(belay_try(w->s, "INSERT INTO item(id) VALUES (3), (4), (5)"), BELAY_UNIQUE);
        assert_code(belay_try(w->s, "INSERT OR FAIL INTO item(id) VALUES (3), (4), (5)"), BELAY_UNIQUE);
        assert_code(belay_try(w->s, "UPDATE OR FAIL item SET id = 7"), BELAY_OK);
    }
    assert_stored(w, "7");
}

static void a_try_that_ended_the_transaction_stays_pending(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        assert_code(belay_try(w->s, "INSERT OR ROLLBACK INTO taken VALUES (1)"), BELAY_UNIQUE);
        assert_code(belay_status(w->s), BELAY_UNIQUE);
        assert_code(put(w->s, 2), BELAY_UNIQUE);
    }
    assert_status(w->s, BELAY_UNIQUE);
    assert_stored(w, "");
}

static void a_try_while_an_error_is_pending_is_refused(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        clash(w->s);
        assert_code(belay_try(w->s, "INSERT INTO item(id) VALUES (1)"), BELAY_UNIQUE);
        assert_code(belay_status(w->s), BELAY_UNIQUE);
    }
    assert_stored(w, "");
}

static void a_try_outside_any_scope_is_a_unit_of_its_own(void **state)
{
    world *w = *state;
    assert_code(belay_try(w->s, "INSERT INTO taken VALUES (1)"), BELAY_UNIQUE);
    assert_code(belay_caught(w->s)->code, BELAY_UNIQUE);
    assert_code(belay_unread(w->s)->code, BELAY_OK);
    assert_status(w->s, BELAY_OK);
    assert_code(belay_try(w->s, "INSERT INTO item(id) VALUES (1)"), BELAY_OK);
    assert_stored(w, "1");
}

/* Whether a query writes can't be told by its text: it may call a function that does. */
static void a_query_outside_any_scope_may_write(void **state)
{
    world *w = *state;
    if (strcmp(belay_db_engine(w->d.db), "postgresql") != 0)
        skip(); /* no other engine has such a function without being told that it writes */
    belay_exec(w->s, "CREATE SEQUENCE numbers");
    assert_int_equal(belay_int_of(w->s, "SELECT nextval('numbers')"), 1);
    assert_int_equal(belay_int_of(w->s, "SELECT nextval('numbers')"), 2);
    assert_status(w->s, BELAY_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(changes_are_the_rows_that_the_last_statement_matched),
        in_world(changes_are_zero_before_the_first_statement),
        in_world(changes_are_zero_after_what_changes_nothing_and_after_a_failure),
        in_world(the_end_of_a_scope_is_no_statement),
        in_world(changes_of_queries_and_with_and_upserts),
        in_world(the_last_id_is_the_key_that_the_last_insert_generated),
        in_world(the_last_id_stays_when_other_statements_follow_the_insert),
        in_world(where_no_key_was_generated_last_id_raises_unsupported),
        in_world(the_last_id_is_not_that_of_a_triggers_insert),
        in_world(an_insert_of_another_session_is_not_the_last_one_here),
        in_world(returning_gives_the_rows_and_the_statement_runs_to_its_end),
        in_world(schema_changes_in_a_scope_roll_back_with_it),
        in_world(a_table_made_anew_after_a_rollback_is_the_new_one),
        in_world(tables_made_and_dropped_in_scopes_of_every_fate),
        in_world(a_statement_that_may_fail_is_undone_and_caught),
        in_world(a_statement_that_may_fail_leaves_nothing_of_itself),
        in_world(a_try_that_ended_the_transaction_stays_pending),
        in_world(a_try_while_an_error_is_pending_is_refused),
        in_world(a_try_outside_any_scope_is_a_unit_of_its_own),
        in_world(a_query_outside_any_scope_may_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
