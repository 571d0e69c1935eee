/*
 * test_scenarios_rows.c - rows from outside, keys that are taken, statements without a scope.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "database.h"

static const char *const person_tables[] = {
    "DROP TABLE IF EXISTS audit",
    "DROP TABLE IF EXISTS person",
    "CREATE TABLE person (id INTEGER PRIMARY KEY, mail VARCHAR(40) NOT NULL, age INTEGER NOT NULL,"
    " CONSTRAINT person_mail UNIQUE (mail), CONSTRAINT grown_up CHECK (age >= 18))",
    "CREATE TABLE audit (id INTEGER PRIMARY KEY, note VARCHAR(40) NOT NULL)",
    NULL,
};

static int open_persons(void **state)
{
    static database d;
    database_open(&d, NULL);
    database_run(d.s, person_tables);
    *state = &d;
    return 0;
}

static int close_persons(void **state)
{
    return database_close(*state) == BELAY_OK ? 0 : -1;
}

/* ---- 4: a thousand rows, malformed ones among them -------------------------------------------------------------- */

enum { ROWS = 1000 };

/* What is wrong with row i: every tenth is bad, in turn in one of four ways. */
static belay_code fault_of(int i)
{
    static const belay_code faults[] = {BELAY_NOT_NULL, BELAY_CHECK, BELAY_UNIQUE, BELAY_DATA};
    return i % 10 == 7 ? faults[i / 10 % 4] : BELAY_OK;
}

static void insert_row(belay_session *s, int i)
{
    char mail[40];
    belay_code fault = fault_of(i);
    snprintf(mail, sizeof mail, fault == BELAY_DATA ? "p%d\xff@example.org" : "p%d@example.org",
             fault == BELAY_UNIQUE ? i - 1 : i);
    BELAY_ATOMIC_WITH(s, .name = "row") {
        belay_exec(s, "INSERT INTO audit (id, note) VALUES (?, 'read')", i);
        belay_exec(s, "INSERT INTO person (id, mail, age) VALUES (?, ?, ?)", i, fault == BELAY_NOT_NULL ? NULL : mail,
                   fault == BELAY_CHECK ? 12 : 40);
    }
}

static void a_thousand_rows_are_saved_but_for_the_bad_ones_and_each_of_those_has_its_reason(void **state)
{
    belay_session *s = ((database *)*state)->s;
    int wrong = 0, bad = 0, unnamed = 0;
    BELAY_ATOMIC_WITH(s, .name = "load") {
        for (int i = 0; i < ROWS; i++) {
            insert_row(s, i);
            belay_code code = belay_status(s);
            wrong += code != fault_of(i);
            bad += belay_catch(s, BELAY_ANY);
            unnamed += code != BELAY_OK && (!belay_caught(s)->message[0] || belay_caught(s)->code != code);
        }
    }
    assert_status(s, BELAY_OK);
    assert_int_equal(wrong, 0);
    assert_int_equal(bad, ROWS / 10);
    assert_int_equal(unnamed, 0);
    assert_int_equal(belay_int_of(s, "SELECT count(*) FROM person"), ROWS - ROWS / 10);
    assert_int_equal(belay_int_of(s, "SELECT count(*) FROM audit"), ROWS - ROWS / 10);
    assert_int_equal(belay_int_of(s, "SELECT count(*) FROM person JOIN audit ON person.id = audit.id"),
                     ROWS - ROWS / 10);
}

static void the_rows_are_one_transaction(void **state)
{
    database *d = *state;
    belay_session *other = belay_session_open(d->db);
    int64_t seen = -1;
    BELAY_ATOMIC(d->s) {
        for (int i = 0; i < 20; i++) {
            insert_row(d->s, i);
            belay_ignore(d->s, BELAY_ANY);
        }
        seen = belay_int_of(other, "SELECT count(*) FROM person");
        belay_fail(d->s, BELAY_APPLICATION, "the file is cut off");
    }
    assert_status(d->s, BELAY_APPLICATION);
    assert_int_equal(seen, 0);
    assert_int_equal(belay_int_of(other, "SELECT count(*) FROM person"), 0);
    assert_int_equal(belay_session_close(other), BELAY_OK);
}

/* ---- 22: a mail address that is taken --------------------------------------------------------------------------- */

static void a_taken_address_is_told_with_table_and_column(void **state)
{
    database *d = *state;
    belay_session *s = d->s;
    belay_exec(s, "INSERT INTO person (id, mail, age) VALUES (1, 'ann@example.org', 30)");
    BELAY_ATOMIC_WITH(s, .name = "sign up") {
        belay_exec(s, "INSERT INTO audit (id, note) VALUES (2, 'new')");
        belay_exec(s, "INSERT INTO person (id, mail, age) VALUES (2, ?, 30)", "ann@example.org");
        belay_exec(s, "UPDATE person SET age = age + 1");
    }
    assert_status(s, BELAY_UNIQUE);
    const belay_error *error = belay_pending(s);
    assert_int_equal(belay_code_class(error->code), BELAY_INTEGRITY);
    assert_string_equal(error->scope, "sign up");
    assert_null(strstr(error->statement, "ann@example.org"));
    if (database_is_sqlite(d)) {
        assert_string_equal(error->table, "person");
        assert_string_equal(error->column, "mail");
        assert_int_equal(error->native_code, 2067);
    }
    assert_rows(s, "SELECT id, mail, age FROM person", "1|ann@example.org|30");
    assert_rows(s, "SELECT id FROM audit", "");
}

static void a_key_of_several_columns_is_told_with_all_of_them(void **state)
{
    database *d = *state;
    static const char *const tables[] = {
        "DROP TABLE IF EXISTS seat",
        "CREATE TABLE seat (hall INTEGER NOT NULL, number INTEGER NOT NULL, CONSTRAINT one_seat UNIQUE (hall, number))",
        "INSERT INTO seat (hall, number) VALUES (1, 1)",
        NULL,
    };
    database_run(d->s, tables);
    belay_exec(d->s, "INSERT INTO seat (hall, number) VALUES (1, 1)");
    assert_status(d->s, BELAY_UNIQUE);
    if (database_is_sqlite(d))
        assert_string_equal(belay_pending(d->s)->column, "hall, number");
}

/* ---- 17: statements outside any scope --------------------------------------------------------------------------- */

static void a_statement_outside_any_scope_is_there_for_others_at_once(void **state)
{
    database *d = *state;
    belay_session *other = belay_session_open(d->db);
    assert_int_equal(belay_exec(d->s, "INSERT INTO audit (id, note) VALUES (1, 'alone')"), BELAY_OK);
    assert_false(belay_in_transaction(d->s));
    assert_rows(other, "SELECT id, note FROM audit", "1|alone");
    assert_int_equal(belay_session_close(other), BELAY_OK);
}

static void a_statement_outside_any_scope_is_all_or_nothing(void **state)
{
    belay_session *s = ((database *)*state)->s;
    assert_int_equal(belay_exec(s, "INSERT INTO audit (id, note) VALUES (1, 'a'), (2, 'b'), (1, 'c')"), BELAY_UNIQUE);
    assert_status(s, BELAY_UNIQUE);
    assert_int_equal(belay_pending(s)->outcome, BELAY_WORK_ROLLED_BACK);
    assert_rows(s, "SELECT id FROM audit", "");
}

static void two_statements_outside_any_scope_are_two_transactions(void **state)
{
    belay_session *s = ((database *)*state)->s;
    belay_exec(s, "INSERT INTO audit (id, note) VALUES (1, 'first')");
    belay_exec(s, "INSERT INTO audit (id, note) VALUES (1, 'second')");
    assert_status(s, BELAY_UNIQUE);
    assert_rows(s, "SELECT id, note FROM audit", "1|first");
}

static void a_statement_outside_any_scope_is_misuse_where_a_scope_is_required(void **state)
{
    database d;
    (void)state;
    database_open(&d, BELAY_DB_OPTIONS(.require_scope = true));
    belay_session *s = d.s;
    assert_int_equal(belay_exec(s, "SELECT 1"), BELAY_MISUSE);
    assert_status(s, BELAY_MISUSE);
    assert_null(belay_query(s, "SELECT 1"));
    assert_status(s, BELAY_MISUSE);
    assert_int_equal(belay_int_of(s, "SELECT 1"), 0);
    assert_status(s, BELAY_MISUSE);
    BELAY_ATOMIC(s) {
        belay_exec(s, "SELECT 1");
    }
    assert_status(s, BELAY_OK);
    assert_int_equal(database_close(&d), BELAY_OK);
}

static void a_failure_outside_any_scope_that_nobody_reads_is_logged_and_kept(void **state)
{
    database d;
    (void)state;
    database_open(&d, NULL);
    database_run(d.s, person_tables);
    belay_exec(d.s, "INSERT INTO audit (id, note) VALUES (1, ?)", belay_null());
    assert_int_equal(d.log_lines, 0);
    belay_exec(d.s, "INSERT INTO audit (id, note) VALUES (2, 'next')");
    assert_int_equal(d.log_lines, 1);
    assert_non_null(strstr(database_log(&d), "NOT_NULL"));
    assert_int_equal(belay_unread(d.s)->code, BELAY_NOT_NULL);
    assert_int_equal(database_close(&d), BELAY_NOT_NULL);
}

#define persons_test(test) cmocka_unit_test_setup_teardown(test, open_persons, close_persons)

int main(void)
{
    const struct CMUnitTest tests[] = {
        persons_test(a_thousand_rows_are_saved_but_for_the_bad_ones_and_each_of_those_has_its_reason),
        persons_test(the_rows_are_one_transaction),
        persons_test(a_taken_address_is_told_with_table_and_column),
        persons_test(a_key_of_several_columns_is_told_with_all_of_them),
        persons_test(a_statement_outside_any_scope_is_there_for_others_at_once),
        persons_test(a_statement_outside_any_scope_is_all_or_nothing),
        persons_test(two_statements_outside_any_scope_are_two_transactions),
        cmocka_unit_test(a_statement_outside_any_scope_is_misuse_where_a_scope_is_required),
        cmocka_unit_test(a_failure_outside_any_scope_that_nobody_reads_is_logged_and_kept),
    };
    return cmocka_run_group_tests_name("rows", tests, NULL, NULL);
}
