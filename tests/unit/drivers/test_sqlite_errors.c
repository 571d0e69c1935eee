/* SQLite's errors as Belay's codes, with what their texts tell. */
#include "sqlite_rig.h"

#include <sqlite3.h>

#include "conn.h"

static rig r;
static belay_conn *conn;

static int set_up(void **state)
{
    (void)state;
    rig_init(&r, NULL);
    conn = rig_connect(&r);
    rig_must(&r, conn, "CREATE TABLE p (id INTEGER PRIMARY KEY, name UNIQUE)");
    rig_must(&r, conn,
             "CREATE TABLE t (a, b NOT NULL, c REFERENCES p (id), d CONSTRAINT positive CHECK (d > 0), UNIQUE (a, b))");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    rig_done(&r);
    return 0;
}

static void assert_error(const char *sql, belay_code code, int native_code)
{
    belay_code got = rig_run(&r, conn, sql);
    if (got != code || (native_code && r.error.native_code != native_code))
        fail_msg("%s: %s %d, wanted %s: %s", sql, belay_code_name(got), r.error.native_code, belay_code_name(code),
                 r.error.message);
    if (code != BELAY_OK) {
        assert_int_equal(r.error.code, code);
        assert_int_equal(r.error.outcome, BELAY_WORK_OPEN);
        assert_true(r.error.message[0] != '\0');
        assert_string_equal(r.error.sqlstate, "");
    }
}

static void a_unique_violation_names_table_and_columns(void **state)
{
    (void)state;
    rig_must(&r, conn, "INSERT INTO t VALUES (1, 2, NULL, NULL)");
    assert_error("INSERT INTO t VALUES (1, 2, NULL, NULL)", BELAY_UNIQUE, SQLITE_CONSTRAINT_UNIQUE);
    assert_string_equal(r.error.table, "t");
    assert_string_equal(r.error.column, "a, b");
    rig_must(&r, conn, "INSERT INTO p VALUES (1, 'x')");
    assert_error("INSERT INTO p VALUES (1, 'y')", BELAY_UNIQUE, SQLITE_CONSTRAINT_PRIMARYKEY);
    assert_string_equal(r.error.table, "p");
    assert_string_equal(r.error.column, "id");
    rig_must(&r, conn, "CREATE TABLE n (a)");
    rig_must(&r, conn, "INSERT INTO n (rowid) VALUES (5)");
    assert_error("INSERT INTO n (rowid) VALUES (5)", BELAY_UNIQUE, SQLITE_CONSTRAINT_ROWID);
}

static void an_index_on_an_expression_is_named(void **state)
{
    (void)state;
    rig_must(&r, conn, "CREATE UNIQUE INDEX lower_name ON p (lower(name))");
    rig_must(&r, conn, "INSERT INTO p VALUES (1, 'x')");
    assert_error("INSERT INTO p VALUES (2, 'X')", BELAY_UNIQUE, SQLITE_CONSTRAINT_UNIQUE);
    assert_string_equal(r.error.constraint, "lower_name");
    assert_string_equal(r.error.table, "");
}

static void the_other_constraints_have_their_codes_and_names(void **state)
{
    (void)state;
    assert_error("INSERT INTO t (a) VALUES (1)", BELAY_NOT_NULL, SQLITE_CONSTRAINT_NOTNULL);
    assert_string_equal(r.error.table, "t");
    assert_string_equal(r.error.column, "b");
    assert_error("INSERT INTO t VALUES (1, 2, NULL, -1)", BELAY_CHECK, SQLITE_CONSTRAINT_CHECK);
    assert_string_equal(r.error.constraint, "positive");
    assert_error("INSERT INTO t VALUES (1, 2, 99, NULL)", BELAY_FOREIGN_KEY, SQLITE_CONSTRAINT_FOREIGNKEY);
    assert_true(r.error.hint[0] != '\0');
    rig_must(&r, conn, "CREATE TRIGGER g BEFORE DELETE ON p BEGIN SELECT RAISE(ABORT, 'keep them'); END");
    rig_must(&r, conn, "INSERT INTO p VALUES (1, 'x')");
    assert_error("DELETE FROM p", BELAY_RAISED, SQLITE_CONSTRAINT_TRIGGER);
    assert_string_equal(r.error.message, "keep them");
}

static void values_that_do_not_fit_are_data_errors(void **state)
{
    (void)state;
    rig_must(&r, conn, "CREATE TABLE s (n INT) STRICT");
    assert_error("INSERT INTO s VALUES ('x')", BELAY_DATA, SQLITE_CONSTRAINT_DATATYPE);
    assert_string_equal(r.error.table, "s");
    assert_string_equal(r.error.column, "n");
    assert_error("INSERT INTO p VALUES ('x', 1)", BELAY_DATA, SQLITE_MISMATCH);
    assert_error("SELECT abs(-9223372036854775807 - 1)", BELAY_DATA, SQLITE_ERROR);
    assert_error("SELECT json('{')", BELAY_DATA, SQLITE_ERROR);
    assert_error("SELECT zeroblob(2000000000)", BELAY_DATA, SQLITE_TOOBIG);
}

static void what_is_not_there_is_a_schema_error(void **state)
{
    (void)state;
    assert_error("SELECT * FROM nowhere", BELAY_SCHEMA, SQLITE_ERROR);
    assert_string_equal(r.error.table, "nowhere");
    assert_error("SELECT nil FROM t", BELAY_SCHEMA, 0);
    assert_string_equal(r.error.column, "nil");
    assert_string_equal(r.error.detail, "at byte 7 of the statement");
    assert_error("INSERT INTO t (z) VALUES (1)", BELAY_SCHEMA, 0);
    assert_string_equal(r.error.table, "t");
    assert_string_equal(r.error.column, "z");
    assert_error("SELECT nofunction(1)", BELAY_SCHEMA, 0);
    assert_error("SELECT abs(1, 2)", BELAY_SCHEMA, 0);
    assert_error("CREATE TABLE t (a)", BELAY_SCHEMA, 0);
    assert_error("CREATE INDEX t ON p (name)", BELAY_SCHEMA, 0);
    assert_error("SELECT * FROM \"transaction\"", BELAY_SCHEMA, 0);
    assert_error("DROP INDEX nowhere", BELAY_SCHEMA, 0);
    rig_must(&r, conn, "CREATE VIEW v AS SELECT * FROM t");
    assert_error("INSERT INTO v VALUES (1, 2, 3, 4)", BELAY_SCHEMA, 0);
    assert_error("DELETE FROM sqlite_schema", BELAY_SCHEMA, 0);
}

static void bad_sql_is_a_syntax_error(void **state)
{
    (void)state;
    assert_error("SELEC 1", BELAY_SYNTAX, SQLITE_ERROR);
    assert_string_equal(r.error.detail, "at byte 0 of the statement");
    assert_error("SELECT (1", BELAY_SYNTAX, 0);
    assert_error("SELECT 'abc", BELAY_SYNTAX, 0);
    assert_error("INSERT INTO t VALUES (1)", BELAY_SYNTAX, 0);
    assert_error("SELECT transaction FROM", BELAY_SYNTAX, 0);
    assert_error("SELECT sum(sum(a)) FROM t", BELAY_SYNTAX, 0);
    assert_error("SELECT a FROM t, t AS u", BELAY_SYNTAX, 0);
}

static void control_at_the_wrong_time_is_misuse(void **state)
{
    (void)state;
    rig_must_begin(&r, conn);
    assert_error("BEGIN", BELAY_MISUSE, 0);
    assert_error("VACUUM", BELAY_MISUSE, 0);
    rig_must_rollback(&r, conn);
    assert_error("COMMIT", BELAY_MISUSE, 0);
}

static void a_table_in_use_is_busy(void **state)
{
    belay_value cells[2];
    (void)state;
    rig_must(&r, conn, "INSERT INTO p VALUES (1, 'x'), (2, 'y')");
    belay_statement *statement = rig_prepare(&r, conn, "SELECT * FROM p", 0);
    assert_int_equal(D->start(statement, 0, NULL, &r.error), BELAY_OK);
    assert_int_equal(D->step(statement, cells, &r.effect, &r.error), BELAY_STEP_ROW);
    assert_error("DROP TABLE p", BELAY_BUSY, SQLITE_LOCKED);
    D->finish(statement);
    D->finalize(statement);
}

static void a_statement_under_which_the_transaction_went_away_is_cancelled(void **state)
{
    belay_value cells[2];
    (void)state;
    rig_must(&r, conn, "INSERT INTO p VALUES (1, 'x'), (2, 'y')");
    rig_must_begin(&r, conn);
    rig_must(&r, conn, "CREATE TABLE more (a)");
    belay_statement *statement = rig_prepare(&r, conn, "SELECT * FROM p", 0);
    assert_int_equal(D->start(statement, 0, NULL, &r.error), BELAY_OK);
    assert_int_equal(D->step(statement, cells, &r.effect, &r.error), BELAY_STEP_ROW);
    rig_must_rollback(&r, conn);
    assert_int_equal(D->step(statement, cells, &r.effect, &r.error), BELAY_STEP_ERROR);
    assert_int_equal(r.error.code, BELAY_CANCELLED);
    assert_int_equal(r.error.native_code, SQLITE_ABORT_ROLLBACK);
    D->finish(statement);
    D->finalize(statement);
}

static void a_very_long_key_is_cut_with_an_ellipsis(void **state)
{
    char table[70], sql[1200] = "CREATE TABLE ";
    (void)state;
    memset(table, 'q', sizeof table - 1);
    table[sizeof table - 1] = '\0';
    strcat(sql, table);
    strcat(sql,
           " (first_quite_long_column, second_quite_long_column, third_quite_long_column, fourth_quite_long_column,"
           " fifth_quite_long_column, sixth_quite_long_column, UNIQUE (first_quite_long_column,"
           " second_quite_long_column, third_quite_long_column, fourth_quite_long_column, fifth_quite_long_column,"
           " sixth_quite_long_column))");
    rig_must(&r, conn, sql);
    snprintf(sql, sizeof sql, "INSERT INTO %s VALUES (1, 2, 3, 4, 5, 6), (1, 2, 3, 4, 5, 6)", table);
    assert_error(sql, BELAY_UNIQUE, 0);
    assert_non_null(strstr(r.error.table, "\xE2\x80\xA6"));
    assert_non_null(strstr(r.error.column, "first_quite_long_column, second_quite_long_column, third"));
    assert_non_null(strstr(r.error.column, "\xE2\x80\xA6"));
}

/* Codes that nothing here can bring about; by the numbers alone. */
static void every_result_code_has_a_meaning(void **state)
{
    static const struct {
        int native_code;
        belay_code code;
    } known[] = {
        {SQLITE_IOERR_FSYNC, BELAY_IO},
        {SQLITE_IOERR_NOMEM, BELAY_NO_MEMORY},
        {SQLITE_NOMEM, BELAY_NO_MEMORY},
        {SQLITE_CORRUPT_INDEX, BELAY_CORRUPT},
        {SQLITE_NOTADB, BELAY_CORRUPT},
        {SQLITE_FULL, BELAY_DISK_FULL},
        {SQLITE_READONLY_DBMOVED, BELAY_READ_ONLY},
        {SQLITE_PERM, BELAY_PERMISSION},
        {SQLITE_AUTH, BELAY_PERMISSION},
        {SQLITE_CANTOPEN_ISDIR, BELAY_IO},
        {SQLITE_BUSY, BELAY_BUSY},
        {SQLITE_BUSY_RECOVERY, BELAY_BUSY},
        {SQLITE_LOCKED_SHAREDCACHE, BELAY_BUSY},
        {SQLITE_PROTOCOL, BELAY_BUSY},
        {SQLITE_CONSTRAINT_VTAB, BELAY_INTEGRITY},
        {SQLITE_CONSTRAINT_COMMITHOOK, BELAY_INTEGRITY},
        {SQLITE_CONSTRAINT_FUNCTION, BELAY_INTEGRITY},
        {SQLITE_CONSTRAINT_PINNED, BELAY_INTEGRITY},
        {SQLITE_CONSTRAINT, BELAY_INTEGRITY},
        {SQLITE_RANGE, BELAY_MISUSE},
        {SQLITE_MISUSE, BELAY_MISUSE},
        {SQLITE_SCHEMA, BELAY_SCHEMA},
        {SQLITE_INTERNAL, BELAY_IO},
        {SQLITE_ABORT_ROLLBACK, BELAY_CANCELLED},
    };
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        belay_code code =
            belayi_sqlite_fail((belayi_sqlite_conn *)conn, known[i].native_code, BELAYI_SQLITE_RUNNING, &r.error);
        if (code != known[i].code)
            fail_msg("%d is %s", known[i].native_code, belay_code_name(code));
        assert_int_equal(r.error.native_code, known[i].native_code);
        assert_string_equal(r.error.message, sqlite3_errstr(known[i].native_code));
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_unique_violation_names_table_and_columns),
        T(an_index_on_an_expression_is_named),
        T(the_other_constraints_have_their_codes_and_names),
        T(values_that_do_not_fit_are_data_errors),
        T(what_is_not_there_is_a_schema_error),
        T(bad_sql_is_a_syntax_error),
        T(control_at_the_wrong_time_is_misuse),
        T(a_table_in_use_is_busy),
        T(a_statement_under_which_the_transaction_went_away_is_cancelled),
        T(a_very_long_key_is_cut_with_an_ellipsis),
        T(every_result_code_has_a_meaning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
