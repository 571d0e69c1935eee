/*
 * Scopes on an adopted connection, which are transactions of their own: what the program does by the connection inside
 * of one is part of it.
 */
#include "beside.h"

#include <stdio.h>

#include "hooks.h"

/* ---- The program goes on using it ------------------------------------------------------------------------------- */

static void what_the_program_writes_inside_a_scope_is_part_of_it(void **state)
{
    beside *b = *state;
    const char *before = NULL;
    bool inside = false;
    BELAY_ATOMIC(b->s) {
        inside = is_inside(b->own); /* with nothing done yet */
        put_own(b->own, 1);
        before = rows_of(b->w->other, "SELECT count(*) FROM item");
    }
    assert_true(inside);
    assert_string_equal(before, "0");
    assert_stored(b->w, "1");
    BELAY_ATOMIC(b->s) {
        put_own(b->own, 2);
        clash(b->s);
    }
    assert_code(belay_status(b->s), BELAY_UNIQUE);
    BELAY_ATOMIC(b->s) {
        put_own(b->own, 3);
        belay_undo(b->s);
    }
    belay_begin(b->s, NULL);
    put_own(b->own, 4);
    belay_rollback(b->s);
    assert_stored(b->w, "1");
    assert_string_equal(seen_own(b->own), "1");
}

static int write_own_and_fail(belay_session *s, void *arg)
{
    (void)s;
    put_own(arg, 7);
    return 1;
}

static void what_the_program_writes_inside_a_callback_is_part_of_it(void **state)
{
    beside *b = *state;
    assert_code(belay_atomic(b->s, NULL, write_own_and_fail, b->own), BELAY_APPLICATION);
    assert_stored(b->w, "");
    assert_false(is_inside(b->own));
}

static void what_the_program_writes_inside_a_nested_scope_is_undone_with_it(void **state)
{
    beside *b = *state;
    BELAY_ATOMIC(b->s) {
        put_own(b->own, 1);
        BELAY_ATOMIC(b->s) {
            put_own(b->own, 2);
            BELAY_ATOMIC(b->s) {
                put_own(b->own, 3);
            }
            belay_undo(b->s);
        }
        put_own(b->own, 4);
        BELAY_ATOMIC(b->s) {
            BELAY_ATOMIC(b->s) {
                put_own(b->own, 5);
                belay_fail(b->s, BELAY_STALE, "no");
            }
            belay_ignore(b->s, BELAY_STALE);
            put_own(b->own, 6);
        }
        belay_try(b->s, "INSERT INTO taken VALUES (1)");
        put_own(b->own, 7);
    }
    assert_code(belay_status(b->s), BELAY_OK);
    assert_stored(b->w, "1;4;6;7");
}

static void what_the_program_writes_after_a_mark_is_undone_by_going_back(void **state)
{
    beside *b = *state;
    BELAY_ATOMIC(b->s) {
        put_own(b->own, 1);
        belay_savepoint(b->s, "first");
        belay_savepoint(b->s, "second"); /* at the same place in the work, for all that Belay knows */
        put_own(b->own, 2);
        belay_savepoint(b->s, "third");
        put_own(b->own, 3);
        belay_rollback_to(b->s, "third");
        put_own(b->own, 4);
        belay_rollback_to(b->s, "third");
        put_own(b->own, 5);
        belay_savepoint(b->s, "fourth");
        put_own(b->own, 6);
        belay_rollback_to(b->s, "fourth");
        belay_release(b->s, "fourth");
        BELAY_ATOMIC(b->s) {
            put_own(b->own, 7);
            belay_undo(b->s);
        }
    }
    assert_stored(b->w, "1;2;5");
    BELAY_ATOMIC(b->s) {
        belay_savepoint(b->s, "first");
        put_own(b->own, 8);
        belay_savepoint(b->s, "second");
        put_own(b->own, 9);
        belay_rollback_to(b->s, "second");
        put_own(b->own, 10);
        belay_rollback_to(b->s, "first");
        put_own(b->own, 11);
    }
    assert_stored(b->w, "1;2;5;11");
}

static void the_program_uses_the_connection_between_scopes_as_before(void **state)
{
    beside *b = *state;
    for (int i = 0; i < 3; i++) {
        put(b->s, 10 * i);
        assert_int_equal(run_own(b->own, "BEGIN"), SQLITE_OK);
        put_own(b->own, 10 * i + 1);
        assert_int_equal(run_own(b->own, "COMMIT"), SQLITE_OK);
        BELAY_ATOMIC(b->s)
            put(b->s, 10 * i + 2);
        assert_int_equal(run_own(b->own, "BEGIN IMMEDIATE"), SQLITE_OK);
        put_own(b->own, 10 * i + 3);
        assert_int_equal(run_own(b->own, "ROLLBACK"), SQLITE_OK);
        run_own(b->own, "CREATE TABLE fresh(id)");
        assert_code(belay_exec(b->s, "INSERT INTO fresh VALUES (1)"), BELAY_OK);
        run_own(b->own, "DROP TABLE fresh");
        assert_code(belay_exec(b->s, "INSERT INTO fresh VALUES (1)"), BELAY_SCHEMA);
        belay_ignore(b->s, BELAY_ANY);
    }
    assert_stored(b->w, "0;1;2;10;11;12;20;21;22");
}

static void the_key_that_the_program_generated_last_stays_where_belay_generates_none(void **state)
{
    beside *b = *state;
    belay_exec(b->s, "CREATE TABLE fresh(id TEXT PRIMARY KEY) WITHOUT ROWID");
    put_own(b->own, 7);
    belay_exec(b->s, "INSERT INTO fresh VALUES ('a')");
    assert_int_equal(sqlite3_last_insert_rowid(b->own), 7);
    assert_int_equal(belay_last_id(b->s), 0);
    assert_code(belay_status(b->s), BELAY_UNSUPPORTED);
    belay_exec(b->s, "INSERT OR IGNORE INTO item(id) VALUES (7)");
    assert_int_equal(sqlite3_last_insert_rowid(b->own), 7);
    clash(b->s);
    assert_int_equal(sqlite3_last_insert_rowid(b->own), 7);
    rows_of(b->s, "INSERT INTO fresh VALUES ('b') RETURNING id");
    assert_int_equal(sqlite3_last_insert_rowid(b->own), 7);
    belay_rows_close(belay_stream(b->s, "INSERT INTO fresh VALUES ('c'), ('d') RETURNING id"));
    assert_int_equal(sqlite3_last_insert_rowid(b->own), 7);
    put(b->s, 9);
    assert_int_equal(sqlite3_last_insert_rowid(b->own), 9);
    assert_int_equal(belay_last_id(b->s), 9);
}

static void a_statement_outside_any_scope_is_a_transaction_of_its_own(void **state)
{
    beside *b = *state;
    assert_code(put(b->s, 1), BELAY_OK);
    assert_false(is_inside(b->own));
    assert_int_equal(belay_pending(b->s)->outcome, BELAY_WORK_COMMITTED);
    assert_code(belay_exec(b->s, "CREATE TABLE fresh(id)"), BELAY_OK);
    assert_code(belay_exec(b->s, "VACUUM"), BELAY_OK);
    assert_code(belay_try(b->s, "INSERT INTO item(id) VALUES (2), (3), (1)"), BELAY_UNIQUE);
    assert_stored(b->w, "1");
}

static void a_trigger_that_the_program_makes_unseen_does_not_tear_a_try(void **state)
{
    beside *b = *state;
    BELAY_ATOMIC(b->s) {
        belay_try(b->s, "INSERT INTO item(id) VALUES (1)");
        run_own(b->own,
                "CREATE TRIGGER keep AFTER INSERT ON item BEGIN SELECT RAISE(FAIL, 'no') WHERE new.id > 8; END");
        belay_try(b->s, "INSERT INTO item(id) VALUES (?), (?)", 2, 9);
        put_own(b->own, 3);
    }
    assert_code(belay_status(b->s), BELAY_OK);
    assert_stored(b->w, "1;3");
}

static void a_database_that_the_program_attaches_is_locked_by_later_scopes_too(void **state)
{
    beside *b = *state;
    char sql[400];
    sqlite3 *other = NULL;
    snprintf(sql, sizeof sql, "%s-second", b->w->d.path);
    assert_int_equal(sqlite3_open(sql, &other), SQLITE_OK);
    run_own(other, "CREATE TABLE second(id)");
    put(b->s, 1); /* BEGIN was sent before there was anything attached */
    snprintf(sql, sizeof sql, "ATTACH '%s-second' AS more", b->w->d.path);
    assert_int_equal(run_own(b->own, sql), SQLITE_OK);
    int wrote = SQLITE_OK;
    BELAY_ATOMIC(b->s) {
        wrote = run_own(other, "INSERT INTO second VALUES (1)");
        belay_exec(b->s, "INSERT INTO second VALUES (2)");
    }
    assert_code(belay_status(b->s), BELAY_OK);
    assert_int_equal(wrote & 0xFF, SQLITE_BUSY);
    assert_int_equal(sqlite3_close(other), SQLITE_OK);
    run_own(b->own, "DETACH more");
}

/* ---- Ending ----------------------------------------------------------------------------------------------------- */

static void hooks_and_retries_work_in_a_transaction_of_its_own(void **state)
{
    beside *b = *state;
    diary seen = {.other = b->w->other};
    NOTES(notes, seen);
    int runs = 0;
    BELAY_ATOMIC_WITH(b->s, .retries = 3, .backoff_ms = 1) {
        belay_on_commit(b->s, write_note, &notes[0], free_note);
        belay_on_rollback(b->s, write_note, &notes[1], free_note);
        put_own(b->own, 1);
        if (++runs < 3)
            belay_fail(b->s, BELAY_SERIALIZATION, "again");
    }
    assert_code(belay_status(b->s), BELAY_OK);
    assert_int_equal(belay_pending(b->s)->outcome, BELAY_WORK_COMMITTED);
    assert_int_equal(runs, 3);
    assert_string_equal(seen.ran, "bba");
    assert_stored(b->w, "1");
}

static int refuse_commit(void *arg)
{
    (void)arg;
    return 1;
}

static void a_commit_that_the_programs_hook_refuses_is_a_rollback(void **state)
{
    beside *b = *state;
    sqlite3_commit_hook(b->own, refuse_commit, NULL);
    BELAY_ATOMIC(b->s)
        put(b->s, 1);
    assert_code(belay_status(b->s), BELAY_INTEGRITY);
    assert_int_equal(belay_pending(b->s)->outcome, BELAY_WORK_ROLLED_BACK);
    assert_false(is_inside(b->own));
    sqlite3_commit_hook(b->own, NULL, NULL);
    assert_stored(b->w, "");
}

static void a_writing_statement_of_the_programs_left_half_way_is_told_at_once(void **state)
{
    beside *b = *state;
    sqlite3_stmt *half = NULL;
    BELAY_ATOMIC_WITH(b->s, .lock_timeout_ms = -1) {
        sqlite3_prepare_v2(b->own, "INSERT INTO item(id) VALUES (1), (2) RETURNING id", -1, &half, NULL);
        sqlite3_step(half);
    }
    assert_code(belay_status(b->s), BELAY_MISUSE);
    sqlite3_finalize(half);
    assert_false(is_inside(b->own));
    assert_stored(b->w, "");
}

static void deep_nesting_works(void **state)
{
    enum { DEPTH = 300 };
    beside *b = *state;
    for (int i = 0; i < DEPTH; i++) {
        belay_begin(b->s, NULL);
        put_own(b->own, i);
    }
    assert_int_equal(belay_depth(b->s), DEPTH);
    for (int i = DEPTH - 1; i > 0; i--)
        assert_code(i % 2 == 0 || i > 5 ? belay_rollback(b->s) : belay_commit(b->s), BELAY_OK);
    assert_code(belay_commit(b->s), BELAY_OK);
    assert_stored(b->w, "0;1");
}

static void a_transaction_of_its_own_inside_a_scope_is_refused(void **state)
{
    beside *b = *state;
    bool ran = false;
    for (int read_only = 0; read_only < 2; read_only++) {
        BELAY_ATOMIC_WITH(b->s, .read_only = read_only) {
            BELAY_ATOMIC_WITH(b->s, .propagation = BELAY_REQUIRES_NEW)
                ran = true;
        }
        assert_code(belay_status(b->s), BELAY_MISUSE);
    }
    assert_false(ran);
}

static void two_sessions_over_one_connection_are_parts_of_one_another(void **state)
{
    beside *b = *state;
    belay_outcome outcome = BELAY_WORK_COMMITTED;
    belay_session *second = belay_adopt_sqlite(b->own);
    BELAY_ATOMIC(b->s) {
        put(b->s, 1);
        BELAY_ATOMIC(second) {
            put(second, 2);
            belay_undo(second);
        }
        BELAY_ATOMIC(second)
            put(second, 3);
        outcome = belay_pending(second)->outcome;
    }
    assert_int_equal(outcome, BELAY_WORK_OPEN);
    assert_stored(b->w, "1;3");
    belay_session_close(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        beside_own(what_the_program_writes_inside_a_scope_is_part_of_it),
        beside_own(what_the_program_writes_inside_a_callback_is_part_of_it),
        beside_own(what_the_program_writes_inside_a_nested_scope_is_undone_with_it),
        beside_own(what_the_program_writes_after_a_mark_is_undone_by_going_back),
        beside_own(the_program_uses_the_connection_between_scopes_as_before),
        beside_own(the_key_that_the_program_generated_last_stays_where_belay_generates_none),
        beside_own(a_statement_outside_any_scope_is_a_transaction_of_its_own),
        beside_own(a_trigger_that_the_program_makes_unseen_does_not_tear_a_try),
        beside_own(a_database_that_the_program_attaches_is_locked_by_later_scopes_too),
        beside_own(hooks_and_retries_work_in_a_transaction_of_its_own),
        beside_own(a_commit_that_the_programs_hook_refuses_is_a_rollback),
        beside_own(a_writing_statement_of_the_programs_left_half_way_is_told_at_once),
        beside_own(deep_nesting_works),
        beside_own(a_transaction_of_its_own_inside_a_scope_is_refused),
        beside_own(two_sessions_over_one_connection_are_parts_of_one_another),
    };
    return run_beside(tests);
}
