/*
 * The table of the keys: when it is made, its name, what becomes of old keys,
 * and a table that is not as it should be.
 */
#include "once.h"

#include <stdio.h>
#include <string.h>

enum { A_DAY = 86400 };

/* Opens the handle under test anew, with these options. */
static void reopen(world *w, const belay_db_options *options)
{
    belay_session_close(w->s);
    belay_close(w->d.db);
    w->d.db = open_again(w, options);
    w->s = w->d.s = belay_session_open(w->d.db);
}

/* Whether there is such a table, as another handle sees it. */
static bool has_table(world *w, const char *name)
{
    char sql[128];
    char quote = database_is_mariadb(&w->d) ? '`' : '"';
    snprintf(sql, sizeof sql, "SELECT count(*) FROM %c%s%c", quote, name, quote);
    return strncmp(rows_of(w->other, sql), "ERROR", 5) != 0;
}

/* ---- When it is made -------------------------------------------------------------------------------------------- */

static void the_table_is_made_at_first_use_and_outside_the_unit(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s)
        put(w->s, 1);
    assert_false(has_table(w, "belay_once"));
    BELAY_ATOMIC_WITH(w->s, .once = "a") {
        put(w->s, 2);
        belay_undo(w->s);
    }
    assert_true(has_table(w, "belay_once")); /* it is not undone with the unit */
    assert_keys(w, "");
    assert_stored(w, "1");
}

typedef struct counts {
    int creates, statements;
} counts;

static void count_creates(void *arg, const belay_trace_event *event)
{
    counts *c = arg;
    if (event->kind != BELAY_TRACE_STATEMENT)
        return;
    c->statements++;
    c->creates += strncmp(event->statement, "CREATE TABLE", 12) == 0;
}

static void a_handle_asks_for_the_table_once(void **state)
{
    world *w = *state;
    counts c = {0, 0};
    reopen(w, BELAY_DB_OPTIONS(.trace = count_creates, .trace_arg = &c));
    char key[8];
    for (int i = 0; i < 10; i++) {
        snprintf(key, sizeof key, "%d", i);
        put_once(w->s, key, i);
    }
    assert_int_equal(c.creates, 1);
    assert_int_equal(c.statements, 2 + 10 * 2); /* one more statement for each unit: the claim */
    reopen(w, NULL);
}

static void the_table_has_a_row_a_key_with_unit_state_attempt_and_time(void **state)
{
    world *w = *state;
    BELAY_ATOMIC_WITH(w->s, .once = "a", .name = "pay")
        put(w->s, 1);
    put_once(w->s, "b", 2);
    assert_rows(w->other, "SELECT once_key, unit, state FROM belay_once ORDER BY once_key", "a|pay|done;b||done");
    assert_rows(w->other, "SELECT count(DISTINCT attempt) FROM belay_once", "2");
    only_on_sqlite(w);
    assert_rows(w->other, "SELECT DISTINCT abs(since - strftime('%s', 'now')) < 100 FROM belay_once", "1");
}

/* ---- Its name
 * --------------------------------------------------------------------------------------------------------
 */

static void each_table_name_has_keys_of_its_own(void **state)
{
    static const char *const names[] = {"my_keys",
                                        "_",
                                        "K9",
                                        "order",
                                        "select",
                                        "table",
                                        "a123456789012345678901234567890123456789012345678901234567890ab"};
    world *w = *state;
    for (int i = 0; i < 7; i++) {
        reopen(w, BELAY_DB_OPTIONS(.once_table = names[i]));
        assert_code(belay_db_error(w->d.db)->code, BELAY_OK);
        assert_int_equal(put_once(w->s, "a", i), 1);
        assert_status(w->s, BELAY_OK);
        assert_int_equal(put_once(w->s, "a", i), 0);
        assert_true(has_table(w, names[i]));
    }
    assert_stored(w, "0;1;2;3;4;5;6");
    assert_false(has_table(w, "belay_once"));
}

static void the_name_of_the_table_is_copied(void **state)
{
    world *w = *state;
    char name[8] = "mine";
    reopen(w, BELAY_DB_OPTIONS(.once_table = name));
    strcpy(name, "yours");
    put_once(w->s, "a", 1);
    assert_true(has_table(w, "mine"));
    assert_false(has_table(w, "yours"));
}

static void a_name_that_is_not_plain_is_refused_when_the_handle_is_opened(void **state)
{
    static const char *const names[] = {"",
                                        "1a",
                                        "a b",
                                        "a-b",
                                        "a.b",
                                        "a\"b",
                                        "a;b",
                                        "\xC3\xA4",
                                        "a'",
                                        "belay_once ",
                                        "a1234567890123456789012345678901234567890123456789012345678901234567890"};
    world *w = *state;
    for (int i = 0; i < 11; i++) {
        reopen(w, BELAY_DB_OPTIONS(.once_table = names[i]));
        assert_code(belay_db_error(w->d.db)->code, BELAY_MISUSE);
        assert_contains(belay_db_error(w->d.db)->message, "once_table");
        assert_code(put(w->s, 1), BELAY_MISUSE);
    }
    reopen(w, NULL);
    assert_code(put(w->s, 1), BELAY_OK);
}

/* ---- Old keys
 * ----------------------------------------------------------------------------------------------------------
 */

/* Puts a key of that age, in days, into the table; and one that is a minute younger. */
static void plant(world *w, int days)
{
    static const char sql[] = "INSERT INTO belay_once (once_key, unit, state, attempt, since) "
                              "VALUES (?, '', ?, 1, strftime('%s', 'now') - ?)";
    assert_code(belay_exec(w->other, sql, "old", "done", days * A_DAY + 60), BELAY_OK);
    assert_code(belay_exec(w->other, sql, "young", "done", days * A_DAY - 60), BELAY_OK);
    assert_code(belay_exec(w->other, sql, "void", "void", days * A_DAY + 60), BELAY_OK);
}

static void assert_pruned_after(world *w, int once_keep_days, int days)
{
    put_once(w->s, "first", 1);
    plant(w, days);
    reopen(w, BELAY_DB_OPTIONS(.once_keep_days = once_keep_days));
    put_once(w->s, "second", 2);
    assert_status(w->s, BELAY_OK);
    assert_keys(w, "first|done;second|done;young|done");
    assert_int_equal(put_once(w->s, "old", 3), 1); /* what has no key any more can be done again */
    assert_int_equal(put_once(w->s, "young", 4), 0);
    assert_int_equal(w->d.log_lines, 0);
}

static void keys_are_kept_for_thirty_days(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    assert_pruned_after(w, 0, 30);
}

static void keys_are_kept_as_long_as_the_handle_says(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    assert_pruned_after(w, 1, 1);
}

static void keys_are_kept_for_ever_when_asked_to(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    put_once(w->s, "first", 1);
    plant(w, 20000);
    reopen(w, BELAY_DB_OPTIONS(.once_keep_days = -1));
    put_once(w->s, "second", 2);
    assert_keys(w, "first|done;old|done;second|done;void|void;young|done");
    assert_int_equal(put_once(w->s, "old", 3), 0);
}

static void days_that_are_no_number_of_days_are_refused(void **state)
{
    world *w = *state;
    for (int days = -3; days < -1; days++) {
        reopen(w, BELAY_DB_OPTIONS(.once_keep_days = days));
        assert_code(belay_db_error(w->d.db)->code, BELAY_MISUSE);
    }
    reopen(w, BELAY_DB_OPTIONS(.once_keep_days = INT32_MAX));
    assert_int_equal(put_once(w->s, "a", 1), 1);
    assert_int_equal(put_once(w->s, "a", 1), 0);
}

static void what_can_not_be_pruned_is_only_logged(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    put_once(w->s, "first", 1);
    plant(w, 30);
    belay_exec(w->other, "CREATE TRIGGER no_pruning BEFORE DELETE ON belay_once "
                         "BEGIN SELECT RAISE(ABORT, 'keys are sacred'); END");
    reopen(w, NULL);
    assert_int_equal(put_once(w->s, "second", 2), 1);
    assert_status(w->s, BELAY_OK);
    assert_int_equal(w->d.log_lines, 1);
    assert_contains(database_log(&w->d), "keys are sacred");
    assert_keys(w, "first|done;old|done;second|done;void|void;young|done");
    put_once(w->s, "third", 3);
    assert_int_equal(w->d.log_lines, 1); /* now and then, not each time */
}

/* ---- Not as it should be
 * -----------------------------------------------------------------------------------------------
 */

static void a_table_dropped_meanwhile_fails_one_unit_and_is_made_again_for_the_next(void **state)
{
    world *w = *state;
    put_once(w->s, "a", 1);
    belay_exec(w->other, "DROP TABLE belay_once");
    assert_int_equal(put_once(w->s, "b", 2), 0);
    assert_status(w->s, BELAY_SCHEMA);
    assert_contains(belay_message(w->s), "belay_once");
    assert_stored(w, "1");
    assert_int_equal(put_once(w->s, "b", 2), 1);
    assert_status(w->s, BELAY_OK);
    assert_stored(w, "1;2");
    assert_keys(w, "b|done");
}

static void a_table_of_that_name_that_is_another_is_a_clear_error_and_nothing_is_done(void **state)
{
    static const char *const others[] = {
        "CREATE TABLE belay_once (id INTEGER PRIMARY KEY)",
        "CREATE TABLE belay_once (once_key TEXT, unit TEXT, state TEXT, attempt INTEGER, since INTEGER)",
        "CREATE VIEW belay_once AS SELECT 'a' AS once_key, '' AS unit, 'done' AS state, 1 AS attempt, 1 AS since",
    };
    world *w = *state;
    only_on_sqlite(w); /* elsewhere the columns have other types */
    for (int i = 0; i < 3; i++) {
        assert_code(belay_exec(w->other, others[i]), BELAY_OK);
        for (int j = 0; j < 2; j++) {
            assert_int_equal(put_once(w->s, "a", 1), 0);
            assert_true(belay_status(w->s) == BELAY_SCHEMA || belay_status(w->s) == BELAY_SYNTAX);
            assert_false(belay_already_done(w->s));
            assert_int_equal(belay_pending(w->s)->outcome, BELAY_WORK_ROLLED_BACK);
            assert_contains(belay_pending(w->s)->hint, ".once_table");
        }
        belay_exec(w->other, i < 2 ? "DROP TABLE belay_once" : "DROP VIEW belay_once");
    }
    assert_stored(w, "");
    assert_int_equal(put_once(w->s, "a", 1), 1);
}

/* ---- Databases of other kinds
 * ---------------------------------------------------------------------------------------------
 */

static void a_database_that_is_only_read_refuses_every_unit_with_a_key(void **state)
{
    world *w = *state;
    char url[450];
    only_on_sqlite(w);
    snprintf(url, sizeof url, "%s?mode=ro", w->d.url);
    for (int there = 0; there < 2; there++) {
        if (there)
            put_once(w->s, "a", 1);
        belay_db *db = belay_open(url, NULL);
        belay_session *s = belay_session_open(db);
        assert_int_equal(put_once(s, "b", 2), 0);
        assert_status(s, BELAY_READ_ONLY);
        belay_session_close(s);
        belay_close(db);
    }
    assert_stored(w, "1");
}

static void a_database_in_memory_keeps_keys_on_its_one_connection(void **state)
{
    (void)state;
    belay_db *db = belay_open("sqlite::memory:", BELAY_DB_OPTIONS(.require_scope = true, .statement_cache = -1));
    belay_session *s = belay_session_open(db), *other = belay_session_open(db);
    int runs = 0;
    for (int i = 0; i < 4; i++)
        BELAY_ATOMIC_WITH(i % 2 ? s : other, .once = "a")
            runs++;
    assert_int_equal(runs, 1);
    assert_true(belay_already_done(s));
    assert_true(belay_already_done(other));
    belay_session_close(other);
    belay_session_close(s);
    belay_close(db);
}

static void a_pool_of_one_connection_is_enough(void **state)
{
    world *w = *state;
    reopen(w, BELAY_DB_OPTIONS(.pool_size = 1, .pool_timeout_ms = 1, .require_scope = true));
    assert_int_equal(put_once(w->s, "a", 1), 1);
    assert_int_equal(put_once(w->s, "a", 1), 0);
    assert_status(w->s, BELAY_OK);
    reopen(w, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(the_table_is_made_at_first_use_and_outside_the_unit),
        in_world(a_handle_asks_for_the_table_once),
        in_world(the_table_has_a_row_a_key_with_unit_state_attempt_and_time),
        in_world(each_table_name_has_keys_of_its_own),
        in_world(the_name_of_the_table_is_copied),
        in_world(a_name_that_is_not_plain_is_refused_when_the_handle_is_opened),
        in_world(keys_are_kept_for_thirty_days),
        in_world(keys_are_kept_as_long_as_the_handle_says),
        in_world(keys_are_kept_for_ever_when_asked_to),
        in_world(days_that_are_no_number_of_days_are_refused),
        in_world(what_can_not_be_pruned_is_only_logged),
        in_world(a_table_dropped_meanwhile_fails_one_unit_and_is_made_again_for_the_next),
        in_world(a_table_of_that_name_that_is_another_is_a_clear_error_and_nothing_is_done),
        in_world(a_database_that_is_only_read_refuses_every_unit_with_a_key),
        cmocka_unit_test(a_database_in_memory_keeps_keys_on_its_one_connection),
        in_world(a_pool_of_one_connection_is_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
