/* PostgreSQL's SQLSTATEs as Belay's codes, with the names that its errors tell. */
#include "postgresql_rig.h"

static void make_tables(void)
{
    rig_must(&r, conn, "CREATE TABLE p (id integer PRIMARY KEY, name text)");
    rig_must(&r, conn,
             "CREATE TABLE c (a integer, b integer CONSTRAINT b_there NOT NULL, p integer CONSTRAINT of_p REFERENCES p,"
             " d integer CONSTRAINT positive CHECK (d > 0), v varchar(3), e int4range,"
             " CONSTRAINT a_b UNIQUE (a, b), CONSTRAINT apart EXCLUDE USING gist (e WITH &&))");
}

static void assert_error(const char *sql, belay_code code, const char *sqlstate)
{
    rig_assert_error(&r, conn, sql, code, sqlstate);
}

static void constraints_are_told_with_their_table_columns_and_name(void **state)
{
    (void)state;
    make_tables();
    rig_must(&r, conn, "INSERT INTO c (a, b, e) VALUES (1, 2, '[1,5)')");
    assert_error("INSERT INTO c (a, b) VALUES (1, 2)", BELAY_UNIQUE, "23505");
    assert_string_equal(r.error.table, "c");
    assert_string_equal(r.error.column, "a, b");
    assert_string_equal(r.error.constraint, "a_b");
    assert_error("INSERT INTO c (b, p) VALUES (3, 9)", BELAY_FOREIGN_KEY, "23503");
    assert_string_equal(r.error.column, "p");
    assert_string_equal(r.error.constraint, "of_p");
    assert_error("INSERT INTO c (a) VALUES (1)", BELAY_NOT_NULL, "23502");
    assert_string_equal(r.error.table, "c");
    assert_string_equal(r.error.column, "b");
    assert_error("INSERT INTO c (b, d) VALUES (3, 0)", BELAY_CHECK, "23514");
    assert_string_equal(r.error.constraint, "positive");
    assert_error("INSERT INTO c (b, e) VALUES (3, '[4,6)')", BELAY_EXCLUSION, "23P01");
    assert_string_equal(r.error.constraint, "apart");
    rig_must(&r, conn, "INSERT INTO p VALUES (7, 'x')");
    rig_must(&r, conn, "INSERT INTO c (b, p) VALUES (8, 7)");
    assert_error("DELETE FROM p", BELAY_FOREIGN_KEY, "23503");
}

static void values_that_do_not_fit_are_data(void **state)
{
    (void)state;
    make_tables();
    assert_error("INSERT INTO c (b, v) VALUES (1, 'long')", BELAY_DATA, "22001");
    assert_error("SELECT 70000::smallint", BELAY_DATA, "22003");
    assert_error("SELECT 'abc'::integer", BELAY_DATA, "22P02");
    assert_error("SELECT 1 / (id - id) FROM t", BELAY_DATA, "22012");
    assert_error("SELECT '2024-02-30'::date", BELAY_DATA, "22008");
    assert_error("SELECT convert_from('\\xff'::bytea, 'UTF8')", BELAY_DATA, "22021");
    assert_error("INSERT INTO t VALUES (now(), 'x')", BELAY_DATA, "42804");
    assert_error("SELECT (SELECT id FROM t)", BELAY_DATA, "21000");
}

static void values_are_never_in_an_error(void **state)
{
    static const char *const statements[] = {"INSERT INTO c (b, v) VALUES (1, 'secret')",
                                             "SELECT 'secret'::integer",
                                             "SELECT 'secret'::date",
                                             "INSERT INTO p VALUES (1, 'secret'), (1, 'secret')",
                                             "INSERT INTO c (v, d, b) VALUES ('sec', 0, 1)",
                                             "SELECT '{\"secret\": secret}'::json"};
    (void)state;
    make_tables();
    for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++) {
        assert_int_not_equal(rig_run(&r, conn, statements[i]), BELAY_OK);
        assert_null(strstr(r.error.message, "sec"));
        assert_null(strstr(r.error.detail, "sec"));
        assert_null(strstr(r.error.hint, "sec"));
    }
}

static void schema_syntax_and_permission(void **state)
{
    (void)state;
    assert_error("SELECT * FROM nowhere", BELAY_SCHEMA, "42P01");
    assert_string_equal(r.error.table, "nowhere");
    assert_error("SELECT missing FROM t", BELAY_SCHEMA, "42703");
    assert_string_equal(r.error.column, "missing");
    assert_error("SELECT nothing(1)", BELAY_SCHEMA, "42883");
    assert_error("CREATE TABLE t (a integer)", BELAY_SCHEMA, "42P07");
    assert_error("SELEC 1", BELAY_SYNTAX, "42601");
    assert_string_equal(r.error.detail, "at character 1 of the statement");
    assert_error("SELECT id FROM t, t AS u", BELAY_SYNTAX, "42702");
    rig_must(&r, conn, "DROP ROLE IF EXISTS nobody");
    rig_must(&r, conn, "CREATE ROLE nobody");
    rig_must(&r, conn, "GRANT USAGE ON SCHEMA public TO nobody");
    rig_must(&r, conn, "SET ROLE nobody");
    assert_error("SELECT * FROM t", BELAY_PERMISSION, "42501");
    rig_must(&r, conn, "RESET ROLE");
    rig_must(&r, conn, "DROP OWNED BY nobody");
    rig_must(&r, conn, "DROP ROLE nobody");
}

static void what_triggers_and_procedures_raise(void **state)
{
    (void)state;
    assert_error("DO $$ BEGIN RAISE EXCEPTION 'too late'; END $$", BELAY_RAISED, "P0001");
    assert_string_equal(r.error.message, "too late");
    assert_error("DO $$ BEGIN RAISE EXCEPTION 'mine' USING ERRCODE = 'unique_violation'; END $$", BELAY_UNIQUE,
                 "23505");
    assert_error("DO $$ BEGIN RAISE EXCEPTION 'mine' USING ERRCODE = 'P0099', HINT = 'do this'; END $$", BELAY_RAISED,
                 "P0099");
    assert_string_equal(r.error.hint, "do this");
}

static void rarer_states_have_their_codes(void **state)
{
    static const struct {
        const char *state;
        belay_code code;
    } rare[] = {{"40001", BELAY_SERIALIZATION}, {"40P01", BELAY_DEADLOCK},     {"53100", BELAY_DISK_FULL},
                {"53200", BELAY_NO_MEMORY},     {"53300", BELAY_TOO_MANY},     {"58030", BELAY_IO},
                {"XX001", BELAY_CORRUPT},       {"XX002", BELAY_CORRUPT},      {"54001", BELAY_UNSUPPORTED},
                {"0A000", BELAY_UNSUPPORTED},   {"25001", BELAY_MISUSE},       {"3B001", BELAY_MISUSE},
                {"44000", BELAY_CHECK},         {"23001", BELAY_FOREIGN_KEY},  {"55006", BELAY_BUSY},
                {"28000", BELAY_PERMISSION},    {"08006", BELAY_CONNECTION},   {"57P01", BELAY_CONNECTION},
                {"25006", BELAY_READ_ONLY},     {"40003", BELAY_CONNECTION},   {"72000", BELAY_SERIALIZATION},
                {"57014", BELAY_CANCELLED},     {"26000", BELAY_SERIALIZATION}};
    (void)state;
    for (size_t i = 0; i < sizeof rare / sizeof rare[0]; i++) {
        char sql[128];
        snprintf(sql, sizeof sql, "DO $$ BEGIN RAISE EXCEPTION 'made up' USING ERRCODE = '%s'; END $$", rare[i].state);
        assert_error(sql, rare[i].code, rare[i].state);
    }
}

static void a_deadlock_is_told_to_its_victim_and_ends_at_the_savepoint(void **state)
{
    (void)state;
    rig_must(&r, conn, "SET deadlock_timeout = '10s'"); /* so that the other one is the victim */
    rig_must(&r, other, "SET deadlock_timeout = '10ms'");
    rig_must_begin(&r, conn);
    rig_must_begin(&r, other);
    rig_must(&r, other, "UPDATE t SET note = 'b' WHERE id = 2");
    rig_must(&r, conn, "UPDATE t SET note = 'a' WHERE id = 1");
    belay_statement *waits = rig_prepare(&r, conn, "UPDATE t SET note = 'a' WHERE id = 2", 0);
    rig_limit(conn, -1, -1);
    /* The first is on its way while the second closes the circle. */
    belayi_pg_conn *first = (belayi_pg_conn *)conn;
    assert_int_equal(PQsendQuery(first->pg, "UPDATE t SET note = 'a' WHERE id = 2"), 1);
    while (rig_ask(&r, other, "SELECT count(*) FROM pg_locks WHERE NOT granted") == 0)
        continue;
    rig_assert_error(&r, other, "UPDATE t SET note = 'b' WHERE id = 1", BELAY_DEADLOCK, "40P01");
    assert_int_equal(D->status(other), BELAY_TRANSACTION_FAILED);
    rig_must_rollback(&r, other);
    for (PGresult *result; (result = PQgetResult(first->pg)) != NULL; PQclear(result))
        assert_int_equal(PQresultStatus(result), PGRES_COMMAND_OK);
    rig_must_rollback(&r, conn);
    D->finalize(waits);
}

static void a_serialization_failure_is_told_also_at_the_commit(void **state)
{
    (void)state;
    belay_begin_options serializable = {.isolation = BELAY_SERIALIZABLE};
    assert_int_equal(D->begin(conn, &serializable, &r.error), BELAY_OK);
    assert_int_equal(D->begin(other, &serializable, &r.error), BELAY_OK);
    rig_ask(&r, conn, "SELECT count(*) FROM t");
    rig_ask(&r, other, "SELECT count(*) FROM t");
    rig_must(&r, conn, "INSERT INTO t VALUES (3, 'write')");
    rig_must(&r, other, "INSERT INTO t VALUES (4, 'skew')");
    rig_must_commit(&r, conn);
    assert_int_equal(D->commit(other, &r.error), BELAY_SERIALIZATION);
    assert_string_equal(r.error.sqlstate, "40001");
    assert_int_equal(r.error.outcome, BELAY_WORK_OPEN); /* certainly not committed */
    assert_int_equal(D->status(other), BELAY_TRANSACTION_NONE);
    assert_int_equal(rig_ask(&r, conn, "SELECT count(*) FROM t"), 3);
}

static void a_write_in_a_read_only_transaction_is_read_only(void **state)
{
    (void)state;
    assert_int_equal(rig_begin(&r, conn, true), BELAY_OK);
    assert_error("INSERT INTO t VALUES (3, 'x')", BELAY_READ_ONLY, "25006");
    rig_must_rollback(&r, conn);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(constraints_are_told_with_their_table_columns_and_name),
        T(values_that_do_not_fit_are_data),
        T(values_are_never_in_an_error),
        T(schema_syntax_and_permission),
        T(what_triggers_and_procedures_raise),
        T(rarer_states_have_their_codes),
        T(a_deadlock_is_told_to_its_victim_and_ends_at_the_savepoint),
        T(a_serialization_failure_is_told_also_at_the_commit),
        T(a_write_in_a_read_only_transaction_is_read_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
