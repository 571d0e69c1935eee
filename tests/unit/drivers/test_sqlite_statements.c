/* Parameters in, rows and effects out. */
#include "sqlite_rig.h"

#include "lexer.h"

#include <limits.h>
#include <math.h>
#include <sqlite3.h>

#include "conn.h"
#include "lexer.h"

static rig r;
static belay_conn *conn;

static int set_up(void **state)
{
    (void)state;
    rig_init(&r, NULL);
    conn = rig_connect(&r);
    rig_must(&r, conn, "CREATE TABLE t (a INTEGER PRIMARY KEY, b)");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    rig_done(&r);
    return 0;
}

static belay_code insert_value(belay_value value)
{
    return rig_run_values(&r, conn, "INSERT INTO t (b) VALUES (?1)", 1, &value);
}

/* Stores a value, and gives what `expression` over b makes of the last row. */
static bool stored_as(belay_value value, const char *expression)
{
    char sql[200];
    if (insert_value(value) != BELAY_OK)
        fail_msg("%s", r.error.message);
    snprintf(sql, sizeof sql, "SELECT %s FROM t ORDER BY a DESC LIMIT 1", expression);
    return rig_ask(&r, conn, sql) == 1;
}

static void every_type_is_stored_as_what_it_is(void **state)
{
    (void)state;
    assert_true(stored_as(belay_null(), "b IS NULL"));
    assert_true(stored_as(belay_bool(true), "typeof(b) = 'integer' AND b = 1"));
    assert_true(stored_as(belay_bool(false), "typeof(b) = 'integer' AND b = 0"));
    assert_true(stored_as(belay_integer(INT64_MIN), "b = -9223372036854775807 - 1"));
    assert_true(stored_as(belay_integer(INT64_MAX), "b = 9223372036854775807"));
    assert_true(stored_as(belay_unsigned(INT64_MAX), "b = 9223372036854775807"));
    assert_true(stored_as(belay_real(1.5), "typeof(b) = 'real' AND b = 1.5"));
    assert_true(stored_as(belay_real((double)INFINITY), "b = 9e999"));
    assert_true(stored_as(belay_real(-9007199254740992.0), "b = -9007199254740992.0"));
    assert_true(stored_as(belay_string("h\xC3\xA9"), "typeof(b) = 'text' AND length(b) = 2"));
    assert_true(stored_as(belay_text("", 0), "typeof(b) = 'text' AND b = ''"));
    assert_true(stored_as(belay_blob("\0\1", 2), "hex(b) = '0001'"));
    assert_true(stored_as(belay_blob("", 0), "typeof(b) = 'blob' AND length(b) = 0"));
    assert_true(stored_as(belay_decimal("-12.30"), "typeof(b) = 'text' AND b = '-12.30'"));
    assert_true(stored_as(belay_timestamp(1), "b = '1970-01-01 00:00:00.000001'"));
    belay_value empty = {.type = BELAY_TYPE_BLOB};
    assert_true(stored_as(empty, "typeof(b) = 'blob' AND length(b) = 0"));
    empty.type = BELAY_TYPE_TEXT;
    assert_true(stored_as(empty, "b = ''"));
}

static void what_does_not_fit_is_refused_and_names_the_parameter(void **state)
{
    (void)state;
    assert_int_equal(insert_value(belay_unsigned((uint64_t)INT64_MAX + 1)), BELAY_DATA);
    assert_int_equal(insert_value(belay_real((double)NAN)), BELAY_DATA);
    assert_non_null(strstr(r.error.message, "parameter 1"));
    assert_int_equal(insert_value(belay_text("a\0b", 3)), BELAY_DATA);
    assert_int_equal(insert_value(belay_text("abc\xFF", 4)), BELAY_DATA);
    assert_non_null(strstr(r.error.message, "byte 3"));
    assert_int_equal(insert_value(belay_decimal("1e5")), BELAY_DATA);
    assert_int_equal(insert_value(belay_timestamp(INT64_MAX)), BELAY_DATA);
    assert_int_equal(insert_value(belay_text(NULL, 3)), BELAY_MISUSE);
    assert_int_equal(insert_value(belay_blob(NULL, 3)), BELAY_MISUSE);
    belay_value odd = {.type = (belay_type)77};
    assert_int_equal(insert_value(odd), BELAY_MISUSE);
    assert_int_equal(insert_value(belay_blob("x", (size_t)3 << 30)), BELAY_DATA);
    assert_int_equal(rig_ask(&r, conn, "SELECT count(*) FROM t"), 0);
}

static void buffers_may_be_freed_when_start_has_returned(void **state)
{
    belay_value cells[2];
    char text[] = "first", bytes[] = "bytes";
    (void)state;
    belay_value values[] = {belay_string(text), belay_blob(bytes, 5)};
    belay_statement *statement = rig_prepare(&r, conn, "VALUES (?1, ?2), (?1, ?2)", 2);
    assert_int_equal(D->start(statement, 2, values, &r.error), BELAY_OK);
    memset(text, 'x', sizeof text);
    memset(bytes, 'x', sizeof bytes);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(D->step(statement, cells, &r.effect, &r.error), BELAY_STEP_ROW);
        assert_string_equal(cells[0].as.data, "first");
        assert_memory_equal(cells[1].as.data, "bytes", 5);
    }
    assert_int_equal(D->step(statement, cells, &r.effect, &r.error), BELAY_STEP_DONE);
    D->finish(statement);
    D->finalize(statement);
}

static void rows_come_with_their_types_and_names(void **state)
{
    belay_value cells[6];
    (void)state;
    belay_statement *statement = rig_prepare(&r, conn, "SELECT 7 AS seven, 0.5, 'text' AS t, x'00ff', NULL, x''", 0);
    assert_false(statement->writes);
    assert_int_equal(statement->columns, 6);
    assert_int_equal(D->start(statement, 0, NULL, &r.error), BELAY_OK);
    assert_string_equal(D->column_name(statement, 0), "seven");
    assert_int_equal(D->step(statement, cells, &r.effect, &r.error), BELAY_STEP_ROW);
    assert_int_equal(cells[0].type, BELAY_TYPE_INT);
    assert_int_equal(cells[0].as.integer, 7);
    assert_int_equal(cells[1].type, BELAY_TYPE_DOUBLE);
    assert_true(cells[1].as.real > 0.49 && cells[1].as.real < 0.51);
    assert_int_equal(cells[2].type, BELAY_TYPE_TEXT);
    assert_int_equal(cells[2].size, 4);
    assert_string_equal(cells[2].as.data, "text");
    assert_int_equal(cells[3].type, BELAY_TYPE_BLOB);
    assert_memory_equal(cells[3].as.data, "\0\xFF", 2);
    assert_int_equal(cells[4].type, BELAY_TYPE_NULL);
    assert_int_equal(cells[5].type, BELAY_TYPE_BLOB);
    assert_non_null(cells[5].as.data);
    assert_int_equal(cells[5].size, 0);
    D->finish(statement);
    D->finalize(statement);
}

static void a_statement_runs_again_after_finish_half_way(void **state)
{
    belay_value cells[2];
    (void)state;
    rig_must(&r, conn, "INSERT INTO t VALUES (1, 1), (2, 2)");
    belay_statement *statement = rig_prepare(&r, conn, "SELECT a FROM t ORDER BY a", 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(D->start(statement, 0, NULL, &r.error), BELAY_OK);
        assert_int_equal(D->step(statement, cells, &r.effect, &r.error), BELAY_STEP_ROW);
        assert_int_equal(cells[0].as.integer, 1);
        D->finish(statement);
    }
    D->finalize(statement);
}

static void finish_does_nothing_when_it_is_called_again(void **state)
{
    belay_value cells[2];
    (void)state;
    rig_must(&r, conn, "INSERT INTO t VALUES (1, 1), (2, 2)");
    belay_statement *statement = rig_prepare(&r, conn, "SELECT a FROM t ORDER BY a", 0);
    assert_int_equal(D->begin(conn, &(belay_begin_options){.read_only = true}, &r.error), BELAY_OK);
    assert_int_equal(D->start(statement, 0, NULL, &r.error), BELAY_OK);
    assert_int_equal(D->step(statement, cells, &r.effect, &r.error), BELAY_STEP_ROW);
    D->finish(statement);
    assert_int_equal(D->rollback(conn, &r.error), BELAY_OK);
    D->finish(statement);
    assert_int_equal(D->start(statement, 0, NULL, &r.error), BELAY_OK);
    assert_int_equal(D->step(statement, cells, &r.effect, &r.error), BELAY_STEP_ROW);
    assert_int_equal(cells[0].as.integer, 1);
    D->finish(statement);
    D->finalize(statement);
}

static void a_step_after_the_last_runs_nothing_again(void **state)
{
    belay_value cells[2];
    (void)state;
    belay_statement *statement = rig_prepare(&r, conn, "INSERT INTO t (b) VALUES (1) RETURNING a", 0);
    assert_int_equal(D->start(statement, 0, NULL, &r.error), BELAY_OK);
    assert_int_equal(D->step(statement, cells, &r.effect, &r.error), BELAY_STEP_ROW);
    for (int i = 0; i < 3; i++)
        assert_int_equal(D->step(statement, cells, &r.effect, &r.error), BELAY_STEP_DONE);
    assert_int_equal(r.effect.changes, 1);
    assert_int_equal(r.effect.last_id, 1);
    D->finish(statement);
    D->finalize(statement);
    assert_int_equal(rig_ask(&r, conn, "SELECT count(*) FROM t"), 1);
}

static void the_columns_follow_a_changed_schema(void **state)
{
    (void)state;
    belay_statement *statement = rig_prepare(&r, conn, "SELECT * FROM t", 0);
    assert_int_equal(statement->columns, 2);
    rig_must(&r, conn, "ALTER TABLE t ADD COLUMN c");
    assert_int_equal(D->start(statement, 0, NULL, &r.error), BELAY_OK);
    assert_int_equal(statement->columns, 3);
    assert_string_equal(D->column_name(statement, 2), "c");
    D->finish(statement);
    rig_must(&r, conn, "DROP TABLE t");
    assert_int_equal(D->start(statement, 0, NULL, &r.error), BELAY_SCHEMA);
    D->finalize(statement);
}

/* ---- Effects -------------------------------------------------------------------------------------------------- */

static int64_t changes_of(const char *sql)
{
    r.effect.changes = -1;
    rig_must(&r, conn, sql);
    return r.effect.changes;
}

static void changes_are_the_rows_that_the_statement_itself_matched(void **state)
{
    (void)state;
    rig_must(&r, conn, "CREATE TABLE log (a)");
    rig_must(&r, conn, "CREATE TABLE c (a REFERENCES t (a) ON DELETE CASCADE)");
    rig_must(&r, conn, "CREATE TABLE w (k PRIMARY KEY, v) WITHOUT ROWID");
    rig_must(&r, conn, "CREATE VIEW v AS SELECT * FROM t");
    rig_must(&r, conn, "CREATE TRIGGER g AFTER INSERT ON t BEGIN INSERT INTO log VALUES (1), (2), (3); END");
    rig_must(&r, conn, "CREATE TRIGGER i INSTEAD OF INSERT ON v BEGIN INSERT INTO log VALUES (9); END");
    assert_int_equal(changes_of("INSERT INTO t VALUES (1, 1), (2, 1)"), 2);
    assert_int_equal(changes_of("UPDATE t SET b = 1"), 2);
    assert_int_equal(changes_of("UPDATE t SET b = 5 WHERE a = 99"), 0);
    assert_int_equal(changes_of("REPLACE INTO t VALUES (1, 7)"), 1);
    assert_int_equal(changes_of("INSERT OR IGNORE INTO t VALUES (1, 7)"), 0);
    assert_int_equal(changes_of("INSERT INTO t VALUES (1, 8) ON CONFLICT DO UPDATE SET b = 8"), 1);
    assert_int_equal(changes_of("INSERT INTO v VALUES (5, 5)"), 0);
    assert_int_equal(changes_of("INSERT INTO w VALUES (1, 1), (2, 2)"), 2);
    assert_int_equal(changes_of("INSERT INTO c VALUES (1), (1)"), 2);
    assert_int_equal(changes_of("/* why */ -- so\n WITH x(a) AS (SELECT 1) DELETE FROM t WHERE a IN x"), 1);
    assert_int_equal(changes_of("DELETE FROM t"), 1);
    assert_int_equal(changes_of("SELECT 1"), 0);
    assert_int_equal(changes_of("INSERT INTO t VALUES (4, 4)"), 1);
    assert_int_equal(changes_of("CREATE TABLE d AS SELECT * FROM log"), 0);
    assert_int_equal(changes_of("PRAGMA user_version = 3"), 0);
    assert_int_equal(changes_of("DROP TABLE d"), 0);
}

static bool has_id(const char *sql)
{
    r.effect.last_id = -5;
    rig_must(&r, conn, sql);
    if (!r.effect.has_last_id)
        assert_int_equal(r.effect.last_id, -5);
    return r.effect.has_last_id;
}

static void only_an_insert_that_added_a_row_generates_a_key(void **state)
{
    (void)state;
    rig_must(&r, conn, "CREATE TABLE w (k PRIMARY KEY, v) WITHOUT ROWID");
    assert_true(has_id("INSERT INTO t (b) VALUES (1)"));
    assert_int_equal(r.effect.last_id, 1);
    assert_true(has_id("INSERT INTO t VALUES (41, 1)"));
    assert_int_equal(r.effect.last_id, 41);
    assert_true(has_id("WITH x(b) AS (SELECT 2) INSERT INTO t (b) SELECT b FROM x"));
    assert_int_equal(r.effect.last_id, 42);
    assert_false(has_id("INSERT OR IGNORE INTO t VALUES (41, 1)"));
    assert_false(has_id("INSERT INTO t VALUES (41, 1) ON CONFLICT DO UPDATE SET b = 2"));
    assert_false(has_id("UPDATE t SET b = 3"));
    assert_false(has_id("WITH x(b) AS (SELECT 2) UPDATE t SET b = 4"));
    assert_false(has_id("INSERT INTO w VALUES (1, 1)"));
    assert_false(has_id("SELECT 1"));
    assert_true(has_id("REPLACE INTO t VALUES (41, 9)"));
}

/* ---- Prepare --------------------------------------------------------------------------------------------------- */

static belay_code prepare_text(const char *sql, size_t size, unsigned parameters)
{
    belay_statement *statement = (belay_statement *)(void *)&r;
    belay_code code = D->prepare(
        conn,
        &(belayi_sql){.text = (char *)(uintptr_t)sql, .size = size, .parameters = parameters, .kind = BELAYI_SQL_OTHER},
        &statement, &r.error);
    assert_true((statement != NULL) == (code == BELAY_OK));
    D->finalize(statement);
    return code;
}

static void parameters_that_are_not_belay_s_are_refused_by_name(void **state)
{
    (void)state;
    assert_int_equal(prepare_text("SELECT @x", 9, 0), BELAY_MISUSE);
    assert_non_null(strstr(r.error.message, "@x"));
    assert_int_equal(prepare_text("SELECT ?1, $y", 13, 1), BELAY_MISUSE);
    assert_non_null(strstr(r.error.message, "$y"));
    assert_int_equal(prepare_text("SELECT ?1", 9, 2), BELAY_MISUSE);
    assert_int_equal(prepare_text("SELECT ?2", 9, 2), BELAY_OK);
}

static void a_second_statement_that_hides_behind_a_trigger_is_refused(void **state)
{
    (void)state;
    rig_must(&r, conn, "CREATE TABLE hiding (a, begin)");
    assert_int_equal(rig_run(&r, conn,
                             "CREATE TRIGGER hides AFTER INSERT ON hiding BEGIN SELECT begin FROM hiding; END; "
                             "DROP TABLE hiding"),
                     BELAY_MISUSE);
    rig_must(&r, conn, "INSERT INTO hiding VALUES (1, 2)");
}

static void the_wrong_number_of_values_is_misuse(void **state)
{
    belay_value values[] = {belay_integer(1), belay_integer(2)};
    (void)state;
    belay_statement *statement = rig_prepare(&r, conn, "SELECT ?1, ?2", 2);
    assert_int_equal(D->execute(statement, 1, values, &r.effect, &r.error), BELAY_MISUSE);
    assert_int_equal(D->start(statement, 0, NULL, &r.error), BELAY_MISUSE);
    assert_int_equal(D->execute(statement, 2, values, &r.effect, &r.error), BELAY_OK);
    D->finalize(statement);
}

static void the_text_is_what_its_size_says(void **state)
{
    (void)state;
    assert_int_equal(prepare_text("SELECT 1garbage", 8, 0), BELAY_OK);
    assert_int_equal(prepare_text("SELECT 1\0; DROP TABLE t", 23, 0), BELAY_SYNTAX);
    assert_int_equal(prepare_text("", 0, 0), BELAY_MISUSE);
    assert_int_equal(prepare_text("-- nothing", 10, 0), BELAY_MISUSE);
    assert_int_equal(prepare_text("/**/", 4, 0), BELAY_MISUSE);
    assert_int_equal(prepare_text("/*", 2, 0), BELAY_SYNTAX);
    D->finalize(NULL);
}

static void it_is_known_which_statements_write(void **state)
{
    static const char *const writing[] = {"INSERT INTO t VALUES (1, 1)", "DROP TABLE t", "CREATE TABLE x (a)",
                                          "WITH x AS (SELECT 1) DELETE FROM t"};
    static const char *const reading[] = {"SELECT * FROM t", "VALUES (1)", "EXPLAIN DELETE FROM t"};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        belay_statement *statement = rig_prepare(&r, conn, writing[i], 0);
        assert_true(statement->writes);
        D->finalize(statement);
    }
    for (size_t i = 0; i < 3; i++) {
        belay_statement *statement = rig_prepare(&r, conn, reading[i], 0);
        assert_false(statement->writes);
        D->finalize(statement);
    }
}

static void the_rules_are_those_of_sqlite(void **state)
{
    (void)state;
    assert_int_equal(conn->rules->placeholders, BELAYI_PLACEHOLDERS_NUMBERED);
    assert_true(conn->rules->backtick_identifiers && conn->rules->bracket_identifiers && conn->rules->drop_locking);
    assert_false(conn->rules->backslash_escapes || conn->rules->double_quoted_strings || conn->rules->dollar_quotes);
    assert_false(conn->rules->nested_comments || conn->rules->hash_comments || conn->rules->executable_comments);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(every_type_is_stored_as_what_it_is),
        T(what_does_not_fit_is_refused_and_names_the_parameter),
        T(buffers_may_be_freed_when_start_has_returned),
        T(rows_come_with_their_types_and_names),
        T(a_statement_runs_again_after_finish_half_way),
        T(finish_does_nothing_when_it_is_called_again),
        T(a_step_after_the_last_runs_nothing_again),
        T(the_columns_follow_a_changed_schema),
        T(changes_are_the_rows_that_the_statement_itself_matched),
        T(only_an_insert_that_added_a_row_generates_a_key),
        T(parameters_that_are_not_belay_s_are_refused_by_name),
        T(a_second_statement_that_hides_behind_a_trigger_is_refused),
        T(the_wrong_number_of_values_is_misuse),
        T(the_text_is_what_its_size_says),
        T(it_is_known_which_statements_write),
        T(the_rules_are_those_of_sqlite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
