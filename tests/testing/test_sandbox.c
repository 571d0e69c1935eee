/*
 * The sandbox: nothing is left of it. What it is for the code under test is in test_sandbox_units.c, what becomes of
 * hooks in test_sandbox_hooks.c.
 */
#include "box.h"

#include "hooks.h"

/* ---- Nothing is left -------------------------------------------------------------------------------------------- */

static void what_units_did_is_rolled_back_when_it_is_closed(void **state)
{
    box *b = *state;
    BELAY_ATOMIC(b->s)
        put(b->s, 1);
    put(b->s, 2);
    belay_begin(b->s, NULL);
    put(b->s, 3);
    assert_code(belay_commit(b->s), BELAY_OK);
    assert_seen(b->s, "1;2;3");
    assert_nothing_stored(b);
    assert_code(belay_session_close(b->s), BELAY_OK);
    b->s = NULL;
    assert_nothing_stored(b);
}

static void a_scope_still_open_when_it_is_closed_leaves_nothing(void **state)
{
    box *b = *state;
    put(b->s, 1);
    belay_begin(b->s, NULL);
    put(b->s, 2);
    belay_begin(b->s, NULL);
    belay_savepoint(b->s, "mark");
    put(b->s, 3);
    assert_code(belay_session_close(b->s), BELAY_ABANDONED);
    b->s = NULL;
    assert_nothing_stored(b);
}

static void a_unit_that_failed_leaves_nothing_and_the_others_stay_until_the_end(void **state)
{
    box *b = *state;
    put(b->s, 1);
    BELAY_ATOMIC(b->s) {
        put(b->s, 2);
        clash(b->s);
    }
    assert_code(belay_status(b->s), BELAY_UNIQUE);
    assert_int_equal(belay_pending(b->s)->outcome, BELAY_WORK_ROLLED_BACK);
    assert_seen(b->s, "1");
    BELAY_ATOMIC(b->s) {
        put(b->s, 3);
        belay_undo(b->s);
    }
    assert_seen(b->s, "1");
    assert_code(belay_session_close(b->s), BELAY_OK);
    b->s = NULL;
    assert_nothing_stored(b);
}

static void ddl_leaves_nothing(void **state)
{
    box *b = *state;
    if (database_is_mariadb(&b->w->d))
        skip(); /* DDL is no part of a transaction there: see the next test */
    assert_code(belay_exec(b->s, "CREATE TABLE fresh(id INTEGER PRIMARY KEY)"), BELAY_OK);
    assert_code(belay_exec(b->s, "DROP TABLE taken"), BELAY_OK);
    assert_code(belay_exec(b->s, "ALTER TABLE item ADD COLUMN more INTEGER"), BELAY_OK);
    BELAY_ATOMIC(b->s) {
        belay_exec(b->s, "INSERT INTO fresh VALUES (1)");
        belay_exec(b->s, "CREATE INDEX named ON item(more)");
    }
    assert_rows(b->s, "SELECT id FROM fresh", "1");
    assert_code(belay_session_close(b->s), BELAY_OK);
    b->s = belay_session_open(b->w->d.db); /* on the same connection, whose statements saw another schema */
    assert_code(belay_exec(b->s, "INSERT INTO taken VALUES (1)"), BELAY_UNIQUE);
    assert_code(belay_exec(b->s, "INSERT INTO fresh VALUES (1)"), BELAY_SCHEMA);
}

static void ddl_that_would_commit_the_sandbox_is_refused_in_it(void **state)
{
    static const char *const texts[] = {"CREATE TABLE fresh(id INTEGER PRIMARY KEY)", "DROP TABLE taken",
                                        "ALTER TABLE item ADD COLUMN more INTEGER", "TRUNCATE TABLE taken"};
    box *b = *state;
    if (!database_is_mariadb(&b->w->d))
        skip(); /* it is a part of the transaction elsewhere: see the test before */
    put(b->s, 1);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_code(belay_exec(b->s, texts[i]), BELAY_MISUSE);
        assert_contains(belay_message(b->s), "would commit the transaction");
        assert_nothing_stored(b);
    }
    assert_seen(b->s, "1");
}

static void the_schema_of_a_sandbox_is_forgotten_with_it(void **state)
{
    box *b = *state;
    static const char sql[] = "INSERT INTO item(id) VALUES (?), (?)";
    if (database_is_mariadb(&b->w->d))
        skip(); /* it can't be changed in one */
    BELAY_ATOMIC(b->s)
        belay_try(b->s, sql, 1, 2);
    belay_exec(b->s, "DROP TABLE item");
    belay_exec(b->s, "CREATE TABLE item(id INTEGER)"); /* in which nothing can clash */
    BELAY_ATOMIC(b->s)
        belay_try(b->s, sql, 1, 2);
    belay_session_close(b->s);
    b->s = belay_session_open(b->w->d.db);
    BELAY_ATOMIC(b->s) {
        put(b->s, 2);
        belay_try(b->s, sql, 1, 2);
        belay_ignore(b->s, BELAY_ANY);
    }
    assert_stored(b->w, "2"); /* and nothing of the statement that failed at its second row */
    belay_exec(b->s, "DELETE FROM item");
}

static void a_sandbox_that_is_not_used_sends_nothing_and_holds_nothing(void **state)
{
    box *b = *state;
    BELAY_ATOMIC(b->s) {
    }
    assert_code(belay_status(b->s), BELAY_OK);
    assert_code(belay_exec(b->w->other, "DELETE FROM item"), BELAY_OK);
    assert_code(belay_session_close(b->s), BELAY_OK);
    b->s = NULL;
}

static void two_sandboxes_one_after_the_other_know_nothing_of_each_other(void **state)
{
    box *b = *state;
    for (int i = 0; i < 3; i++) {
        assert_code(put(b->s, 1), BELAY_OK);
        assert_seen(b->s, "1");
        belay_session_close(b->s);
        b->s = belay_sandbox(b->w->d.db);
    }
}

static void it_keeps_the_write_lock_from_its_first_statement_until_it_is_closed(void **state)
{
    box *b = *state;
    only_on_sqlite(b->w);
    rows_of(b->s, "SELECT count(*) FROM item"); /* one that reads */
    BELAY_ATOMIC_WITH(b->w->other, .lock_timeout_ms = 1)
        put(b->w->other, 1);
    assert_code(belay_status(b->w->other), BELAY_LOCK_TIMEOUT);
    belay_session_close(b->s);
    b->s = NULL;
    assert_code(belay_exec(b->w->other, "DELETE FROM item"), BELAY_OK);
}

static void a_unit_that_cannot_have_the_lock_fails_and_a_later_one_begins_it(void **state)
{
    box *b = *state;
    only_on_sqlite(b->w);
    void *lock = hold_write_lock(b->w);
    BELAY_ATOMIC_WITH(b->s, .lock_timeout_ms = 1)
        put(b->s, 1);
    assert_code(belay_status(b->s), BELAY_LOCK_TIMEOUT);
    let_go(lock);
    assert_code(put(b->s, 2), BELAY_OK);
    assert_seen(b->s, "2");
}

static void a_handle_that_is_closed_first_makes_it_inert_and_leaves_nothing(void **state)
{
    box *b = *state;
    belay_db *db = open_again(b->w, NULL);
    belay_session *s = belay_sandbox(db);
    put(s, 1);
    belay_begin(s, NULL);
    put(s, 2);
    diary seen = {.other = NULL};
    NOTES(notes, seen);
    belay_on_commit(s, write_note, &notes[0], free_note);
    belay_close(db);
    assert_code(put(s, 3), BELAY_MISUSE);
    assert_int_equal(belay_run_captured(s), 0);
    belay_session_close(s);
    assert_string_equal(seen.ran, "");
    assert_string_equal(seen.freed, "a");
    assert_nothing_stored(b);
}

static void a_null_handle_gives_a_sandbox_whose_every_scope_is_misuse(void **state)
{
    (void)state;
    belay_session *s = belay_sandbox(NULL);
    bool ran = false;
    assert_non_null(s);
    BELAY_ATOMIC(s)
        ran = true;
    assert_false(ran);
    assert_code(belay_status(s), BELAY_MISUSE);
    assert_code(put(s, 1), BELAY_MISUSE);
    assert_code(belay_status(s), BELAY_MISUSE);
    assert_int_equal(belay_captured(s), 0);
    assert_int_equal(belay_run_captured(s), 0);
    assert_code(belay_session_close(s), BELAY_OK);
    belay_db *bad = belay_open("nosuch:x", NULL);
    s = belay_sandbox(bad);
    assert_code(put(s, 1), BELAY_MISUSE);
    belay_session_close(s);
    belay_close(bad);
}

static int close_in_child(void *arg)
{
    box *b = arg;
    bool refused = put(b->s, 9) == BELAY_MISUSE && belay_run_captured(b->s) == 0;
    return belay_session_close(b->s) == BELAY_OK && refused ? 0 : 1;
}

static void a_child_after_fork_never_touches_it(void **state)
{
    box *b = *state;
    diary seen = {.other = NULL};
    NOTES(notes, seen);
    put(b->s, 1);
    belay_on_commit(b->s, write_note, &notes[0], free_note);
    assert_int_equal(run_in_child(close_in_child, b), 0);
    belay_begin(b->s, NULL);
    put(b->s, 2);
    assert_int_equal(run_in_child(close_in_child, b), 0);
    assert_code(belay_commit(b->s), BELAY_OK);
    assert_seen(b->s, "1;2");
    assert_int_equal(belay_captured(b->s), 1);
    belay_session_close(b->s);
    b->s = NULL;
    assert_string_equal(seen.freed, "a");
}

/* ---- Units done once -------------------------------------------------------------------------------------------- */

static bool done_before(belay_session *s, const char *key, int row)
{
    BELAY_ATOMIC_WITH(s, .once = key, .name = "unit")
        put(s, row);
    return belay_already_done(s);
}

static void a_unit_is_done_once_in_it_and_again_outside(void **state)
{
    box *b = *state;
    belay_session *s = belay_sandbox(b->w->d.db);
    assert_false(done_before(s, "key", 1));
    assert_code(belay_status(s), BELAY_OK);
    assert_true(done_before(s, "key", 2));
    assert_code(belay_status(s), BELAY_OK);
    BELAY_ATOMIC_WITH(s, .once = "failed", .name = "unit") {
        put(s, 3);
        belay_undo(s);
    }
    assert_false(done_before(s, "failed", 4));
    assert_seen(s, "1;4");
    belay_session_close(s);
    assert_nothing_stored(b);
    if (database_is_sqlite(&b->w->d))
        assert_rows(b->w->other, "SELECT name FROM sqlite_schema WHERE name = 'belay_once'", ""); /* nor its table */
    assert_false(done_before(b->w->s, "key", 5)); /* outside, it was never done, and the table is made */
    assert_code(belay_status(b->w->s), BELAY_OK);
    assert_true(done_before(b->w->s, "key", 6));
    assert_stored(b->w, "5");
    assert_true(done_before(b->s, "key", 7)); /* and what was done outside is done in here too */
    belay_session_close(b->s);
    b->s = NULL;
    belay_exec(b->w->s, "DROP TABLE belay_once");
    belay_exec(b->w->s, "DELETE FROM item");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_sandbox(what_units_did_is_rolled_back_when_it_is_closed),
        in_sandbox(a_scope_still_open_when_it_is_closed_leaves_nothing),
        in_sandbox(a_unit_that_failed_leaves_nothing_and_the_others_stay_until_the_end),
        in_sandbox(ddl_leaves_nothing),
        in_sandbox(ddl_that_would_commit_the_sandbox_is_refused_in_it),
        in_sandbox(the_schema_of_a_sandbox_is_forgotten_with_it),
        in_sandbox(a_sandbox_that_is_not_used_sends_nothing_and_holds_nothing),
        in_sandbox(two_sandboxes_one_after_the_other_know_nothing_of_each_other),
        in_sandbox(it_keeps_the_write_lock_from_its_first_statement_until_it_is_closed),
        in_sandbox(a_unit_that_cannot_have_the_lock_fails_and_a_later_one_begins_it),
        in_sandbox(a_handle_that_is_closed_first_makes_it_inert_and_leaves_nothing),
        in_sandbox(a_null_handle_gives_a_sandbox_whose_every_scope_is_misuse),
        in_sandbox(a_child_after_fork_never_touches_it),
        in_sandbox(a_unit_is_done_once_in_it_and_again_outside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
