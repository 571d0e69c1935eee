/*
 * The schema changes, or the session forgets what was prepared, between two uses of a statement on PostgreSQL: wherever
 * the statement stands, the unit gets through, by itself or when it is run again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include <belay/belay.h>

#include "database.h"

static database d;
static belay_db *plain;
static belay_session *other;

static const char select_all[] = "SELECT * FROM item ORDER BY id";

/* What makes the statements of the session stale. */
static void change_schema(void)
{
    static int columns;
    char sql[80];
    snprintf(sql, sizeof sql, "ALTER TABLE item ADD COLUMN more_%d INTEGER", ++columns);
    if (belay_exec(other, sql) != BELAY_OK)
        fail_msg("%s", belay_message(other));
}

static void forget_all(void)
{
    if (belay_exec(d.s, "DISCARD ALL") != BELAY_OK)
        fail_msg("%s", belay_message(d.s));
}

static void (*const makings[])(void) = {change_schema, forget_all};

static int set_up(void **state)
{
    (void)state;
    database_open(&d, BELAY_DB_OPTIONS(.pool_size = 1));
    plain = belay_open(d.url, NULL);
    other = belay_session_open(plain);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    belay_session_close(other);
    belay_close(plain);
    return database_close(&d) != BELAY_OK;
}

/* A new table of one row, and statements that were prepared on it. */
static void prepare(void)
{
    static const char *const tables[] = {"DROP TABLE IF EXISTS item", "CREATE TABLE item (id INTEGER PRIMARY KEY)",
                                         "INSERT INTO item VALUES (1)", NULL};
    database_run(d.s, tables);
    assert_string_equal(rows_of(d.s, select_all), "1");
    assert_int_equal(belay_exec(d.s, "INSERT INTO item (id) VALUES (?)", 2), BELAY_OK);
    assert_int_equal(belay_exec(d.s, "DELETE FROM item WHERE id = ?", 2), BELAY_OK);
}

static int64_t count_rows(void)
{
    int64_t rows = 0;
    BELAY_EACH(row, d.s, select_all)
        rows++;
    return rows;
}

static void outside_any_scope_nothing_is_noticed(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        prepare();
        makings[i]();
        assert_int_equal(count_rows(), 1);
        assert_status(d.s, BELAY_OK);
        makings[i == 1]();
        assert_int_equal(belay_exec(d.s, "INSERT INTO item (id) VALUES (?)", 2), BELAY_OK);
    }
}

static void as_the_first_statement_of_a_unit_nothing_is_noticed(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        int64_t rows = 0;
        prepare();
        makings[i]();
        BELAY_ATOMIC(d.s) {
            rows = count_rows();
            belay_exec(d.s, "INSERT INTO item (id) VALUES (?)", 2);
        }
        assert_status(d.s, BELAY_OK);
        assert_int_equal(rows, 1);
    }
}

static void as_the_first_statement_of_a_nested_scope_nothing_is_noticed(void **state)
{
    (void)state;
    int64_t rows = 0;
    prepare();
    BELAY_ATOMIC(d.s) {
        belay_exec(d.s, "SELECT 1"); /* locks nothing that the change of the schema would wait for */
        change_schema();
        BELAY_ATOMIC(d.s)
            rows = count_rows();
        belay_exec(d.s, "INSERT INTO item (id) VALUES (?)", 2);
    }
    assert_status(d.s, BELAY_OK);
    assert_int_equal(rows, 1);
}

static void in_a_try_nothing_is_noticed(void **state)
{
    (void)state;
    belay_code tried = BELAY_IO;
    prepare();
    static const char returning[] = "UPDATE item SET id = id RETURNING *";
    assert_int_equal(belay_try(d.s, returning), BELAY_OK);
    BELAY_ATOMIC(d.s) {
        belay_exec(d.s, "SELECT 1");
        change_schema();
        tried = belay_try(d.s, returning);
        belay_exec(d.s, "INSERT INTO item (id) VALUES (?)", 2);
    }
    assert_status(d.s, BELAY_OK);
    assert_int_equal(tried, BELAY_OK);
}

static void in_the_middle_of_a_unit_the_whole_is_run_again(void **state)
{
    (void)state;
    for (int retries = 0; retries < 2; retries++) {
        int runs = 0;
        prepare();
        BELAY_ATOMIC_WITH(d.s, .retries = retries, .backoff_ms = 1) {
            belay_exec(d.s, "SELECT 1");
            if (++runs == 1)
                change_schema();
            count_rows();
        }
        assert_int_equal(runs, 1 + retries);
        assert_status(d.s, retries ? BELAY_OK : BELAY_SERIALIZATION);
        assert_string_equal(rows_of(d.s, "SELECT id FROM item"), "1");
        int64_t rows = count_rows();
        if (rows != 1)
            fail_msg("%d: %s", (int)rows, belay_message(d.s)); /* it was prepared anew also without a retry */
        assert_status(d.s, BELAY_OK);
    }
}

#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(outside_any_scope_nothing_is_noticed),
        T(as_the_first_statement_of_a_unit_nothing_is_noticed),
        T(as_the_first_statement_of_a_nested_scope_nothing_is_noticed),
        T(in_a_try_nothing_is_noticed),
        T(in_the_middle_of_a_unit_the_whole_is_run_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
