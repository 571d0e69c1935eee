/*
 * Statements, results and settings inside scopes, as the tests of SQLite, PostgreSQL, libpqxx and Django ask for them.
 * tests/semantics/map.txt tells which case is proved where.
 */
#include "support.h"

#include <stdio.h>
#include <string.h>

#include "urls.h"

/* ---- Conflicts ------------------------------------------------------------------------------------------------- */

typedef struct conflict {
    const char *verb; /* INSERT OR ... */
    belay_code code;
    const char *inserted, *updated; /* the ids that are there afterwards */
} conflict;

/* Rows 1, 4 and 5 are there. 6, 5 and 7 are inserted, or 1 and 4 go up by one, so that 4 meets 5. */
static const conflict conflicts[] = {
    {"ABORT", BELAY_UNIQUE, "1;4;5", "1;4;5"},
    {"FAIL", BELAY_UNIQUE, "1;4;5", "1;4;5"}, /* SQLite alone would keep what it did until then */
    {"IGNORE", BELAY_OK, "1;4;5;6;7", "2;4;5"},
    {"REPLACE", BELAY_OK, "1;4;5;6;7", "2;5"},
    {"ROLLBACK", BELAY_UNIQUE, "", ""}, /* ends the transaction */
};

static belay_code run_conflict(belay_session *s, const conflict *c, bool update)
{
    char sql[100];
    snprintf(sql, sizeof sql,
             update ? "UPDATE OR %s item SET id = CASE id WHEN 5 THEN 5 ELSE id + 1 END"
                    : "INSERT OR %s INTO item(id) VALUES (6), (5), (7)",
             c->verb);
    return belay_try(s, sql);
}

static void which_rows_survive_a_conflict_is_what_the_statement_says_and_never_half_of_it(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    for (size_t i = 0; i < 2 * sizeof conflicts / sizeof conflicts[0]; i++) {
        const conflict *c = &conflicts[i / 2];
        bool update = i % 2, ends = strcmp(c->verb, "ROLLBACK") == 0;
        const char *kept = update ? c->updated : c->inserted;
        belay_begin(w->s, NULL);
        belay_exec(w->s, "INSERT INTO item(id) VALUES (1), (4), (5)");
        belay_code code = run_conflict(w->s, c, update);
        if (code != c->code)
            fail_msg("OR %s is %s", c->verb, belay_code_name(code));
        assert_code(belay_status(w->s), ends ? BELAY_UNIQUE : BELAY_OK);
        if (!ends)
            assert_seen(w->s, kept);
        assert_code(belay_commit(w->s), ends ? BELAY_UNIQUE : BELAY_OK);
        assert_stored(w, kept);
        belay_exec(w->s, "DELETE FROM item");
    }
}

/* ---- Results while scopes come and go -------------------------------------------------------------------------- */

enum { ROWS = 40 };

static void fill(belay_session *s)
{
    for (int i = 1; i <= ROWS; i++)
        put(s, i);
}

/* What happens at a row of the outer query. */
static void disturb(belay_session *s, int how, int id)
{
    BELAY_ATOMIC(s) {
        if (how == 0) {
            belay_exec(s, "UPDATE item SET note = 'seen' WHERE id = ?", id);
        } else if (how == 1) {
            belay_exec(s, "DELETE FROM item WHERE id > ?", id);
            belay_undo(s);
        } else {
            belay_exec(s, "CREATE TABLE more(a INTEGER)");
            belay_exec(s, "ALTER TABLE item ADD COLUMN extra INTEGER");
            belay_undo(s);
        }
    }
}

static void a_loop_over_rows_sees_them_all_whatever_nested_scopes_do_meanwhile(void **state)
{
    world *w = *state;
    fill(w->s);
    /* A change of the schema would commit a scope on MariaDB: it is refused there, see test_sql_text.c. */
    for (int how = 0; how < (database_is_mariadb(&w->d) ? 2 : 3); how++) {
        int rounds = 0, wrong = 0;
        BELAY_ATOMIC(w->s)
            BELAY_EACH(row, w->s, "SELECT id FROM item ORDER BY id") {
                wrong += belay_int(row, 0) != ++rounds;
                disturb(w->s, how, rounds);
            }
        assert_status(w->s, BELAY_OK);
        assert_int_equal(rounds, ROWS);
        assert_int_equal(wrong, 0);
        assert_int_equal(belay_int_of(w->s, "SELECT count(*) FROM item WHERE note = 'seen'"), ROWS);
    }
}

static void a_rollback_at_any_row_of_a_result_leaves_the_rest_of_it_readable(void **state)
{
    world *w = *state;
    fill(w->s);
    for (int at = 1; at <= ROWS; at++) {
        belay_begin(w->s, NULL);
        belay_exec(w->s, "UPDATE item SET note = 'new'");
        belay_rows *rows = belay_query(w->s, "SELECT id, note FROM item ORDER BY id");
        for (int i = 1; i <= ROWS; i++) {
            assert_true(belay_next(rows));
            if (i == at)
                assert_code(belay_rollback(w->s), BELAY_OK);
            assert_int_equal(belay_int(rows, 0), i);
            assert_string_equal(belay_str(rows, 1), "new"); /* as it was when it was asked for */
        }
        assert_false(belay_next(rows));
        belay_rows_close(rows);
        assert_int_equal(belay_int_of(w->other, "SELECT count(note) FROM item"), 0);
    }
}

static void a_commit_with_an_unfinished_stream_of_writes_keeps_nothing(void **state)
{
    world *w = *state;
    belay_begin(w->s, NULL);
    put(w->s, 1);
    belay_rows *rows = belay_stream(w->s, "INSERT INTO item(id) VALUES (2), (3), (4) RETURNING id");
    assert_true(belay_next(rows));
    assert_code(belay_commit(w->s), BELAY_MISUSE);
    assert_false(belay_next(rows));
    belay_rows_close(rows);
    assert_stored(w, "");
    assert_code(put(w->s, 5), BELAY_OK);
}

static void four_empty_strings_are_four_rows_of_nothing_that_is_not_null(void **state)
{
    world *w = *state;
    belay_exec(w->s, "INSERT INTO item VALUES (1, ?), (2, ?), (3, ?), (4, ?)", "", "", "", "");
    assert_rows(w->s, "SELECT count(*), count(note), max(length(note)) FROM item", "4|4|0");
}

/* ---- Schema ---------------------------------------------------------------------------------------------------- */

static const char schema[] = "SELECT type, name, sql FROM sqlite_master ORDER BY type, name";

static void tables_and_indexes_made_anew_under_their_old_names_are_undone(void **state)
{
    static const char *const changes[] = {"DROP INDEX by_note",         "DROP TABLE item",
                                          "CREATE TABLE item(another)", "CREATE INDEX by_note ON item(another)",
                                          "DROP TABLE taken",           "CREATE TABLE taken(id, more)",
                                          "DROP INDEX by_note",         "CREATE INDEX by_note ON taken(more)"};
    world *w = *state;
    char before[1000];
    only_on_sqlite(w);
    belay_exec(w->s, "CREATE INDEX by_note ON item(note)");
    put(w->s, 1);
    snprintf(before, sizeof before, "%s", rows_of(w->s, schema));
    for (int nested = 0; nested < 2; nested++) {
        belay_begin(w->s, NULL);
        if (nested)
            belay_begin(w->s, NULL);
        for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++)
            assert_code(belay_exec(w->s, changes[i]), BELAY_OK);
        assert_string_not_equal(rows_of(w->s, schema), before);
        assert_code(belay_rollback(w->s), BELAY_OK);
        assert_rows(w->s, schema, before);
        if (nested)
            assert_code(belay_commit(w->s), BELAY_OK);
        assert_rows(w->other, schema, before);
        assert_seen(w->s, "1");
    }
}

static void a_new_database_is_empty_again_after_its_first_scope_was_undone(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    belay_db *db = belay_open(url_of(w, "fresh.db"), NULL);
    belay_session *s = belay_session_open(db);
    for (int nested = 0; nested < 2; nested++) {
        belay_begin(s, NULL);
        if (nested)
            belay_begin(s, NULL);
        belay_exec(s, "CREATE TABLE item(id INTEGER PRIMARY KEY)");
        assert_code(put(s, 1), BELAY_OK);
        assert_code(belay_rollback(s), BELAY_OK);
        assert_rows(s, schema, "");
        if (nested)
            assert_code(belay_commit(s), BELAY_OK);
    }
    assert_code(belay_exec(s, "CREATE TABLE item(id INTEGER PRIMARY KEY)"), BELAY_OK);
    assert_code(put(s, 2), BELAY_OK);
    assert_seen(s, "2");
    belay_session_close(s);
    belay_close(db);
}

/* ---- Settings -------------------------------------------------------------------------------------------------- */

static void the_settings_of_the_url_survive_a_rollback(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    belay_db *db = belay_open(url_of(w, "test.db?synchronous=extra&foreign_keys=off&cache_kib=100"),
                              BELAY_DB_OPTIONS(.pool_size = 1));
    belay_session *s = belay_session_open(db);
    for (int i = 0; i < 3; i++) {
        assert_rows(s, "SELECT * FROM pragma_synchronous, pragma_foreign_keys, pragma_cache_size", "3|0|-100");
        belay_begin(s, NULL);
        put(s, 1);
        belay_rollback(s);
    }
    belay_session_close(s);
    belay_close(db);
}

static void what_is_read_only_about_a_nested_scope_ends_with_it(void **state)
{
    world *w = *state;
    for (int undone = 0; undone < 2; undone++) {
        belay_code inside = BELAY_OK;
        belay_begin(w->s, NULL);
        belay_begin(w->s, BELAY_SCOPE_OPTIONS(.read_only = true));
        assert_rows(w->s, "SELECT id FROM taken", "1");
        if (undone)
            inside = put(w->s, 1);
        assert_code(undone ? belay_rollback(w->s) : belay_commit(w->s), undone ? BELAY_READ_ONLY : BELAY_OK);
        belay_ignore(w->s, BELAY_READ_ONLY);
        assert_code(put(w->s, 2 + undone), BELAY_OK);
        assert_code(belay_commit(w->s), BELAY_OK);
        assert_code(inside, undone ? BELAY_READ_ONLY : BELAY_OK);
    }
    assert_stored(w, "2;3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(which_rows_survive_a_conflict_is_what_the_statement_says_and_never_half_of_it),
        in_world(a_loop_over_rows_sees_them_all_whatever_nested_scopes_do_meanwhile),
        in_world(a_rollback_at_any_row_of_a_result_leaves_the_rest_of_it_readable),
        in_world(a_commit_with_an_unfinished_stream_of_writes_keeps_nothing),
        in_world(four_empty_strings_are_four_rows_of_nothing_that_is_not_null),
        in_world(tables_and_indexes_made_anew_under_their_old_names_are_undone),
        in_world(a_new_database_is_empty_again_after_its_first_scope_was_undone),
        in_world(the_settings_of_the_url_survive_a_rollback),
        in_world(what_is_read_only_about_a_nested_scope_ends_with_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
