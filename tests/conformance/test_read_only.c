/*
 * test_read_only.c - long reports: a read-only scope refuses writes, takes no write lock, and sees one moment.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "database.h"

static int open_items(void **state)
{
    static database d;
    static const char *const tables[] = {
        "DROP TABLE IF EXISTS item",
        "CREATE TABLE item (id INTEGER PRIMARY KEY, price INTEGER NOT NULL)",
        "INSERT INTO item (id, price) VALUES (1, 10), (2, 20)",
        NULL,
    };
    database_open(&d, NULL);
    database_run(d.s, tables);
    *state = &d;
    return 0;
}

static int close_items(void **state)
{
    return database_close(*state) == BELAY_OK ? 0 : -1;
}

static const char *const items = "SELECT id, price FROM item ORDER BY id";

/* ---- No lock ---------------------------------------------------------------------------------------------------- */

static void another_session_writes_while_a_report_is_open(void **state)
{
    database *d = *state;
    belay_session *writer = belay_session_open(d->db);
    belay_code code = BELAY_MISUSE;
    int64_t before = 0, after = 0;
    BELAY_READ(d->s) {
        before = belay_int_of(d->s, "SELECT sum(price) FROM item");
        BELAY_ATOMIC_WITH(writer, .lock_timeout_ms = 1) {
            belay_exec(writer, "INSERT INTO item (id, price) VALUES (3, 30)");
        }
        code = belay_status(writer);
        after = belay_int_of(d->s, "SELECT count(*) FROM item");
    }
    assert_status(d->s, BELAY_OK);
    assert_int_equal(code, BELAY_OK);
    assert_int_equal(before, 30);
    assert_true(after >= 2);
    assert_int_equal(belay_session_close(writer), BELAY_OK);
    assert_rows(d->s, items, "1|10;2|20;3|30");
}

static void a_report_sees_one_moment_whatever_is_written_meanwhile(void **state)
{
    database *d = *state;
    belay_session *writer = belay_session_open(d->db);
    char shown[2][64] = {"", ""};
    BELAY_ATOMIC_WITH(d->s, .read_only = true, .isolation = BELAY_REPEATABLE_READ) {
        snprintf(shown[0], sizeof shown[0], "%s", rows_of(d->s, items));
        belay_exec(writer, "UPDATE item SET price = 99");
        belay_exec(writer, "INSERT INTO item (id, price) VALUES (3, 30)");
        snprintf(shown[1], sizeof shown[1], "%s", rows_of(d->s, items));
    }
    assert_status(d->s, BELAY_OK);
    assert_string_equal(shown[0], "1|10;2|20");
    assert_string_equal(shown[1], shown[0]);
    assert_rows(d->s, items, "1|99;2|99;3|30");
    assert_int_equal(belay_session_close(writer), BELAY_OK);
}

static void another_program_gets_the_write_lock_while_a_report_is_open(void **state)
{
    database *d = *state;
    sqlite3 *raw = NULL;
    int begun = -1, written = -1;
    if (!d->path[0])
        skip();
    assert_int_equal(sqlite3_open(d->path, &raw), SQLITE_OK);
    BELAY_READ(d->s) {
        belay_int_of(d->s, "SELECT sum(price) FROM item");
        begun = sqlite3_exec(raw, "BEGIN IMMEDIATE", NULL, NULL, NULL);
        written = sqlite3_exec(raw, "INSERT INTO item VALUES (3, 30); COMMIT", NULL, NULL, NULL);
    }
    sqlite3_close(raw);
    assert_status(d->s, BELAY_OK);
    assert_int_equal(begun, SQLITE_OK);
    assert_int_equal(written, SQLITE_OK);
}

static void a_report_runs_while_another_session_is_writing(void **state)
{
    database *d = *state;
    belay_session *writer = belay_session_open(d->db);
    char shown[64] = "";
    BELAY_ATOMIC(writer) {
        belay_exec(writer, "UPDATE item SET price = 0");
        BELAY_READ(d->s) {
            snprintf(shown, sizeof shown, "%s", rows_of(d->s, items));
        }
    }
    assert_status(d->s, BELAY_OK);
    assert_status(writer, BELAY_OK);
    assert_string_equal(shown, "1|10;2|20");
    assert_int_equal(belay_session_close(writer), BELAY_OK);
}

/* ---- No writes -------------------------------------------------------------------------------------------------- */

static void every_kind_of_write_is_refused_in_a_read_only_scope(void **state)
{
    database *d = *state;
    static const char *const writes[] = {
        "INSERT INTO item (id, price) VALUES (3, 30)",
        "UPDATE item SET price = 0",
        "DELETE FROM item",
        "CREATE TABLE other (id INTEGER)",
        "DROP TABLE item",
        "INSERT INTO item (id, price) SELECT id + 10, price FROM item",
        "UPDATE item SET price = 0 WHERE id = 99",
    };
    for (size_t i = 0; i < sizeof writes / sizeof *writes; i++) {
        belay_code code = BELAY_OK;
        BELAY_READ(d->s) {
            code = belay_exec(d->s, writes[i]);
        }
        assert_int_equal(code, BELAY_READ_ONLY);
        assert_status(d->s, BELAY_READ_ONLY);
        assert_string_equal(belay_pending(d->s)->statement, writes[i]);
    }
    assert_rows(d->s, items, "1|10;2|20");
}

static void a_write_that_gives_rows_is_refused_in_a_read_only_scope(void **state)
{
    database *d = *state;
    belay_rows *rows = NULL, *stream = NULL;
    BELAY_READ(d->s) {
        rows = belay_query(d->s, "INSERT INTO item (id, price) VALUES (3, 30) RETURNING id");
    }
    assert_status(d->s, BELAY_READ_ONLY);
    BELAY_READ(d->s) {
        stream = belay_stream(d->s, "DELETE FROM item RETURNING id");
    }
    assert_status(d->s, BELAY_READ_ONLY);
    assert_null(rows);
    assert_null(stream);
    assert_rows(d->s, items, "1|10;2|20");
}

static void a_write_of_a_setting_of_the_file_is_refused_in_a_read_only_scope(void **state)
{
    database *d = *state;
    if (!database_is_sqlite(d))
        skip();
    BELAY_READ(d->s) {
        belay_exec(d->s, "PRAGMA user_version = 7");
    }
    assert_status(d->s, BELAY_READ_ONLY);
    assert_int_equal(belay_int_of(d->s, "PRAGMA user_version"), 0);
}

static void a_locking_read_is_refused_in_a_read_only_scope(void **state)
{
    database *d = *state;
    BELAY_READ(d->s) {
        belay_int_of(d->s, "SELECT price FROM item WHERE id = 1 FOR UPDATE");
    }
    assert_status(d->s, BELAY_READ_ONLY);
}

static void a_scope_inside_a_read_only_one_cant_write(void **state)
{
    database *d = *state;
    belay_code code = BELAY_OK;
    int64_t count = 0;
    BELAY_READ(d->s) {
        BELAY_ATOMIC(d->s) {
            code = belay_exec(d->s, "DELETE FROM item");
        }
        belay_ignore(d->s, BELAY_READ_ONLY);
        count = belay_int_of(d->s, "SELECT count(*) FROM item");
    }
    assert_status(d->s, BELAY_OK);
    assert_int_equal(code, BELAY_READ_ONLY);
    assert_int_equal(count, 2);
}

static void a_read_only_scope_inside_a_writing_one_refuses_writes_and_the_outer_goes_on(void **state)
{
    database *d = *state;
    belay_code code = BELAY_OK;
    BELAY_ATOMIC(d->s) {
        belay_exec(d->s, "UPDATE item SET price = 11 WHERE id = 1");
        BELAY_READ(d->s) {
            belay_int_of(d->s, "SELECT count(*) FROM item");
            code = belay_exec(d->s, "DELETE FROM item");
        }
        belay_ignore(d->s, BELAY_READ_ONLY);
        belay_exec(d->s, "UPDATE item SET price = 22 WHERE id = 2");
    }
    assert_status(d->s, BELAY_OK);
    assert_int_equal(code, BELAY_READ_ONLY);
    assert_rows(d->s, items, "1|11;2|22");
}

/* A query may call a function that writes. The server refuses that where the whole transaction is read-only. */
static void what_a_function_writes_is_refused_in_a_read_only_unit_and_not_in_a_nested_read_only_scope(void **state)
{
    database *d = *state;
    belay_code alone = BELAY_OK;
    if (database_is_sqlite(d))
        skip(); /* where functions of SQL can't write */
    belay_exec(d->s, "DROP FUNCTION IF EXISTS raise_price");
    belay_exec(d->s, strncmp(d->url, "postgres", 8) == 0
                         ? "CREATE FUNCTION raise_price() RETURNS integer LANGUAGE sql AS "
                           "'UPDATE item SET price = price + 1 WHERE id = 1 RETURNING 1'"
                         : "CREATE FUNCTION raise_price() RETURNS INTEGER MODIFIES SQL DATA BEGIN "
                           "UPDATE item SET price = price + 1 WHERE id = 1; RETURN 1; END");
    BELAY_READ(d->s)
        belay_int_of(d->s, "SELECT raise_price()");
    alone = belay_status(d->s);
    BELAY_ATOMIC(d->s) {
        belay_exec(d->s, "UPDATE item SET price = 22 WHERE id = 2");
        BELAY_READ(d->s)
            belay_int_of(d->s, "SELECT raise_price()");
    }
    assert_status(d->s, BELAY_OK);
    assert_int_equal(alone, BELAY_READ_ONLY);
    assert_rows(d->s, items, "1|11;2|22");
}

static void leaving_a_read_only_block_loses_nothing_and_is_no_error(void **state)
{
    database *d = *state;
    BELAY_READ(d->s) {
        belay_int_of(d->s, "SELECT count(*) FROM item");
        break;
    }
    assert_status(d->s, BELAY_OK);
    assert_int_equal(belay_depth(d->s), 0);
}

static void a_write_scope_follows_a_read_only_one_on_the_same_session(void **state)
{
    database *d = *state;
    for (int i = 0; i < 3; i++) {
        BELAY_READ(d->s) {
            belay_int_of(d->s, "SELECT count(*) FROM item");
        }
        assert_status(d->s, BELAY_OK);
        BELAY_ATOMIC(d->s) {
            belay_exec(d->s, "UPDATE item SET price = price + 1");
        }
        assert_status(d->s, BELAY_OK);
    }
    assert_rows(d->s, items, "1|13;2|23");
}

static void a_handle_opened_for_reading_reads_and_refuses_writes(void **state)
{
    database *d = *state;
    char url[512];
    if (!d->path[0])
        skip();
    snprintf(url, sizeof url, "%s?mode=ro", d->url);
    belay_db *db = belay_open(url, NULL);
    belay_session *s = belay_session_open(db);
    assert_int_equal(belay_db_error(db)->code, BELAY_OK);
    assert_rows(s, items, "1|10;2|20");
    BELAY_ATOMIC(s) {
        belay_exec(s, "DELETE FROM item");
    }
    assert_status(s, BELAY_READ_ONLY);
    assert_rows(s, items, "1|10;2|20");
    belay_session_close(s);
    belay_close(db);
}

#define items_test(test) cmocka_unit_test_setup_teardown(test, open_items, close_items)

int main(void)
{
    const struct CMUnitTest tests[] = {
        items_test(another_session_writes_while_a_report_is_open),
        items_test(a_report_sees_one_moment_whatever_is_written_meanwhile),
        items_test(another_program_gets_the_write_lock_while_a_report_is_open),
        items_test(a_report_runs_while_another_session_is_writing),
        items_test(every_kind_of_write_is_refused_in_a_read_only_scope),
        items_test(a_write_that_gives_rows_is_refused_in_a_read_only_scope),
        items_test(a_write_of_a_setting_of_the_file_is_refused_in_a_read_only_scope),
        items_test(a_locking_read_is_refused_in_a_read_only_scope),
        items_test(a_scope_inside_a_read_only_one_cant_write),
        items_test(a_read_only_scope_inside_a_writing_one_refuses_writes_and_the_outer_goes_on),
        items_test(what_a_function_writes_is_refused_in_a_read_only_unit_and_not_in_a_nested_read_only_scope),
        items_test(leaving_a_read_only_block_loses_nothing_and_is_no_error),
        items_test(a_write_scope_follows_a_read_only_one_on_the_same_session),
        items_test(a_handle_opened_for_reading_reads_and_refuses_writes),
    };
    return cmocka_run_group_tests_name("read-only", tests, NULL, NULL);
}
