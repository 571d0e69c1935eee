/*
 * Which statements SQLite undoes by itself when they fail.
 *
 * The claim is checked by what happens: a statement that is said to be contained
 * is made to fail, and the database must then be as it was before it.
 */
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
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    rig_done(&r);
    return 0;
}

/* Whether the statement is said to be contained, inside a transaction. */
static bool contained(const char *sql)
{
    bool open = D->status(conn) == BELAY_TRANSACTION_OPEN;
    if (!open)
        rig_must_begin(&r, conn);
    unsigned parameters = 0;
    for (const char *c = sql; *c; c++)
        parameters += *c == '?';
    belay_statement *statement = rig_prepare(&r, conn, sql, parameters);
    bool answer = D->self_contained(statement);
    assert_int_equal(D->self_contained(statement), answer);
    D->finalize(statement);
    if (!open)
        rig_must_rollback(&r, conn);
    return answer;
}

static void make_tables(void)
{
    rig_must(&r, conn, "CREATE TABLE plain (a, b)");
    rig_must(&r, conn, "CREATE TABLE keyed (id INTEGER PRIMARY KEY, a UNIQUE, b NOT NULL, c CHECK (c > 0))");
    rig_must(&r, conn, "CREATE TABLE counted (id INTEGER PRIMARY KEY AUTOINCREMENT, a)");
    rig_must(&r, conn, "CREATE TABLE bare (k PRIMARY KEY, v) WITHOUT ROWID");
    rig_must(&r, conn, "CREATE TABLE strict_one (n INT) STRICT");
}

static void the_usual_statements_are_contained(void **state)
{
    static const char *const usual[] = {
        "INSERT INTO plain VALUES (?1, ?2)",
        "INSERT INTO keyed (a, b, c) VALUES (?1, ?2, ?3)",
        "INSERT INTO keyed VALUES (?1, ?2, ?3, ?4)",
        "INSERT OR IGNORE INTO keyed (a, b) VALUES (?1, ?2)",
        "INSERT INTO keyed (a, b) VALUES (1, 2), (3, 4)",
        "INSERT INTO keyed (a, b) SELECT a, b FROM plain",
        "INSERT INTO counted (a) VALUES (?1)",
        "INSERT INTO bare VALUES (?1, ?2)",
        "INSERT INTO bare VALUES (?1, ?2) ON CONFLICT (k) DO NOTHING",
        "INSERT INTO plain VALUES ((SELECT max(b) FROM keyed), abs(?1))",
        "UPDATE keyed SET a = a + 1",
        "UPDATE keyed SET c = ?1 WHERE id = ?2",
        "UPDATE plain SET a = ?1 WHERE rowid = ?2",
        "UPDATE bare SET v = ?1 WHERE k = ?2",
        "DELETE FROM keyed",
        "DELETE FROM keyed WHERE id = ?1",
        "DELETE FROM plain WHERE a = ?1",
        "WITH x(a) AS (SELECT 1) INSERT INTO keyed (a, b) SELECT a, a FROM x",
    };
    (void)state;
    make_tables();
    for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++)
        if (!contained(usual[i]))
            fail_msg("not contained: %s", usual[i]);
}

static void statements_that_keep_what_they_did_are_not_contained(void **state)
{
    (void)state;
    make_tables();
    rig_must(&r, conn, "CREATE TABLE failing (a UNIQUE ON CONFLICT FAIL)");
    rig_must(&r, conn, "CREATE TABLE ending (a UNIQUE ON CONFLICT ROLLBACK)");
    rig_must(&r, conn, "CREATE TABLE raising (a)");
    rig_must(&r, conn, "CREATE TABLE rolling (a)");
    rig_must(&r, conn, "CREATE TABLE aborting (a)");
    rig_must(&r, conn, "CREATE TRIGGER t1 AFTER INSERT ON raising WHEN new.a = 3 BEGIN SELECT RAISE(FAIL, 'no'); END");
    rig_must(&r, conn,
             "CREATE TRIGGER t2 AFTER INSERT ON rolling WHEN new.a = 3 BEGIN SELECT RAISE(ROLLBACK, 'no'); END");
    rig_must(&r, conn,
             "CREATE TRIGGER t3 AFTER INSERT ON aborting WHEN new.a = 3 BEGIN SELECT RAISE(ABORT, 'no'); END");
    assert_false(contained("INSERT OR FAIL INTO keyed (a, b) VALUES (1, 2), (1, 2)"));
    assert_false(contained("INSERT OR ROLLBACK INTO keyed (a, b) VALUES (1, 2)"));
    assert_false(contained("UPDATE OR FAIL keyed SET a = 1"));
    assert_false(contained("INSERT INTO failing SELECT a FROM plain"));
    assert_false(contained("INSERT INTO ending VALUES (1)"));
    assert_false(contained("INSERT INTO raising VALUES (1), (3)"));
    assert_false(contained("INSERT INTO rolling VALUES (1)"));
    assert_true(contained("INSERT INTO aborting VALUES (1), (3)"));
}

/* The rows that stay behind are SQLite's doing, and why reading FAIL and ROLLBACK off the program is not enough. */
static void failures_that_sqlite_has_no_journal_for_are_not_contained(void **state)
{
    (void)state;
    make_tables();
    rig_must(&r, conn, "CREATE TABLE replaced (a UNIQUE ON CONFLICT REPLACE, b)");
    assert_false(contained("INSERT INTO strict_one VALUES (1), (2), ('x')"));
    assert_false(contained("INSERT INTO plain SELECT a || b, b FROM keyed"));
    assert_false(contained("UPDATE plain SET a = a || a"));
    assert_false(contained("INSERT INTO replaced VALUES (?1, ?2)"));
    rig_must_begin(&r, conn);
    assert_int_equal(rig_run(&r, conn, "INSERT INTO strict_one VALUES (1), (2), ('x')"), BELAY_DATA);
    assert_int_equal(rig_ask(&r, conn, "SELECT count(*) FROM strict_one"), 2);
    rig_must_rollback(&r, conn);
    assert_true(contained("INSERT INTO strict_one VALUES (?1)"));
}

static void a_strict_table_with_a_constraint_undoes_all_rows(void **state)
{
    (void)state;
    rig_must(&r, conn, "CREATE TABLE t (n INT UNIQUE) STRICT");
    const char *sql = "INSERT INTO t VALUES (1), (2), ('x')";
    assert_true(contained(sql));
    rig_must_begin(&r, conn);
    assert_int_equal(rig_run(&r, conn, sql), BELAY_DATA);
    assert_int_equal(rig_ask(&r, conn, "SELECT count(*) FROM t"), 0);
}

static void queries_ddl_pragmas_and_virtual_tables_are_not_contained(void **state)
{
    (void)state;
    make_tables();
    rig_must(&r, conn, "CREATE VIRTUAL TABLE words USING fts5(w)");
    assert_false(contained("SELECT * FROM plain"));
    assert_false(contained("CREATE TABLE more (a)"));
    assert_false(contained("DROP TABLE plain"));
    assert_false(contained("CREATE TABLE more AS SELECT * FROM plain"));
    assert_false(contained("PRAGMA user_version = 5"));
    assert_false(contained("EXPLAIN INSERT INTO plain VALUES (1, 2)"));
    assert_false(contained("INSERT INTO words VALUES ('a')"));
}

static void nothing_is_contained_outside_a_transaction(void **state)
{
    (void)state;
    make_tables();
    belay_statement *statement = rig_prepare(&r, conn, "INSERT INTO plain VALUES (1, 2)", 0);
    assert_false(D->self_contained(statement));
    rig_must_begin(&r, conn);
    assert_true(D->self_contained(statement));
    D->finalize(statement);
}

static void an_attached_database_is_never_contained(void **state)
{
    (void)state;
    make_tables();
    rig_must(&r, conn, "ATTACH ':memory:' AS other");
    rig_must(&r, conn, "CREATE TABLE other.t (a)");
    assert_false(contained("INSERT INTO other.t VALUES (1)"));
    assert_true(contained("INSERT INTO plain VALUES (1, 2)"));
}

static void the_answer_follows_this_connection_s_schema(void **state)
{
    (void)state;
    make_tables();
    rig_must_begin(&r, conn);
    belay_statement *insert = rig_prepare(&r, conn, "INSERT INTO plain VALUES (1, 2)", 0);
    assert_true(D->self_contained(insert));
    assert_int_equal(D->savepoint(conn, 1, &r.error), BELAY_OK);
    rig_must(&r, conn, "CREATE TRIGGER t AFTER INSERT ON plain BEGIN SELECT RAISE(FAIL, 'no'); END");
    assert_false(D->self_contained(insert));
    assert_int_equal(D->rollback_to(conn, 1, &r.error), BELAY_OK);
    assert_true(D->self_contained(insert));
    rig_must(&r, conn, "CREATE TEMP TRIGGER t AFTER INSERT ON plain BEGIN SELECT RAISE(FAIL, 'no'); END");
    assert_false(D->self_contained(insert));
    rig_must_rollback(&r, conn);
    rig_must_begin(&r, conn);
    assert_true(D->self_contained(insert));
    rig_must(&r, conn, "DROP TABLE plain");
    assert_false(D->self_contained(insert));
    D->finalize(insert);
}

static void the_answer_follows_another_connection_s_schema(void **state)
{
    (void)state;
    rig_done(&r);
    rig_init(&r, "");
    conn = rig_connect(&r);
    belay_conn *other = rig_connect(&r);
    rig_must(&r, conn, "CREATE TABLE plain (a)");
    rig_must_begin(&r, conn);
    belay_statement *insert = rig_prepare(&r, conn, "INSERT INTO plain VALUES (1)", 0);
    assert_true(D->self_contained(insert));
    rig_must_commit(&r, conn);
    rig_must(&r, other, "CREATE TRIGGER t AFTER INSERT ON plain BEGIN SELECT RAISE(FAIL, 'no'); END");
    rig_must_begin(&r, conn);
    assert_false(D->self_contained(insert));
    assert_int_equal(D->execute(insert, 0, NULL, &r.effect, &r.error), BELAY_RAISED);
    assert_int_equal(rig_ask(&r, conn, "SELECT count(*) FROM plain"), 1);
    rig_must_rollback(&r, conn);
    rig_must(&r, other, "DROP TRIGGER t");
    rig_must(&r, conn, "SELECT * FROM plain"); /* has read the new schema already */
    rig_must_begin(&r, conn);
    assert_true(D->self_contained(insert));
    D->finalize(insert);
}

/* ---- The claim itself, at random -------------------------------------------------------------------------- */

static uint64_t seed;

static unsigned roll(unsigned sides)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(seed >> 33) % sides;
}

#define PICK(list) ((list)[roll(sizeof(list) / sizeof((list)[0]))])

static const char *random_value(void)
{
    static const char *const values[] = {"1",
                                         "2",
                                         "3",
                                         "4",
                                         "5",
                                         "'x'",
                                         "NULL",
                                         "-1",
                                         "2.5",
                                         "'4'",
                                         "zeroblob(200)",
                                         "zeroblob(150)||zeroblob(150)",
                                         "abs(-9223372036854775807-1)",
                                         "abs(-3)",
                                         "(SELECT max(a) FROM t0)",
                                         "(SELECT a FROM t1 LIMIT 1)",
                                         "zeroblob(248)"};
    return PICK(values);
}

static void make_random_table(int number)
{
    static const char *const keys[] = {"INTEGER PRIMARY KEY",
                                       "INT UNIQUE",
                                       "INT",
                                       "INTEGER PRIMARY KEY AUTOINCREMENT",
                                       "INT PRIMARY KEY NOT NULL",
                                       "INT UNIQUE ON CONFLICT REPLACE",
                                       "INT UNIQUE ON CONFLICT FAIL"};
    static const char *const columns[] = {"",
                                          "NOT NULL",
                                          "CHECK (b > 0)",
                                          "UNIQUE",
                                          "REFERENCES t0 (k)",
                                          "REFERENCES t0 (k) ON DELETE CASCADE",
                                          "NOT NULL ON CONFLICT IGNORE",
                                          "REFERENCES t0 (k) DEFERRABLE INITIALLY DEFERRED",
                                          "UNIQUE ON CONFLICT REPLACE"};
    char sql[512];
    const char *key = number == 0 && roll(2) ? "INTEGER PRIMARY KEY" : PICK(keys);
    snprintf(sql, sizeof sql, "CREATE TABLE t%d (k %s, a %s, b %s)%s", number, key, roll(2) ? "INT" : "INT UNIQUE",
             roll(2) ? "INT" : "INT", roll(3) ? "" : " STRICT");
    if (roll(3)) {
        const char *constraint = PICK(columns);
        snprintf(sql, sizeof sql, "CREATE TABLE t%d (k %s, a INT, b INT %s)%s", number, key, constraint,
                 roll(3) ? "" : " STRICT");
    }
    rig_must(&r, conn, sql);
}

static void make_random_trigger(int number)
{
    static const char *const bodies[] = {"INSERT INTO t0 (a, b) VALUES (new.a, new.b)",
                                         "UPDATE t1 SET b = b || b || b",
                                         "DELETE FROM t1 WHERE a = new.a",
                                         "SELECT RAISE(ABORT, 'no') WHERE new.a = 3",
                                         "SELECT RAISE(FAIL, 'no') WHERE new.a = 3",
                                         "INSERT INTO log VALUES (new.a); UPDATE t0 SET b = new.b"};
    char sql[300];
    snprintf(sql, sizeof sql, "CREATE TRIGGER g%d %s %s ON t2 BEGIN INSERT INTO log VALUES (1); %s; END", number,
             roll(2) ? "BEFORE" : "AFTER", roll(2) ? "INSERT" : "UPDATE", PICK(bodies));
    rig_must(&r, conn, sql);
}

static void make_random_statement(char *sql, size_t room)
{
    static const char *const ors[] = {"", "", "", "OR REPLACE", "OR IGNORE", "OR ABORT", "OR FAIL"};
    static const char *const wheres[] = {"",
                                         "WHERE k = 2",
                                         "WHERE a > 1",
                                         "WHERE a = 3 OR b = 2",
                                         "WHERE rowid = 1",
                                         "WHERE a || a || b || b = 3",
                                         "WHERE k IN (SELECT a FROM t1)"};
    unsigned table = roll(3);
    switch (roll(6)) {
    case 0:
        snprintf(sql, room, "INSERT %s INTO t%u (k, a, b) VALUES (%s, %s, %s)", PICK(ors), table, random_value(),
                 random_value(), random_value());
        return;
    case 1:
        snprintf(sql, room, "INSERT %s INTO t%u (a, b) VALUES (%s, %s), (%s, %s), (%s, %s)", PICK(ors), table,
                 random_value(), random_value(), random_value(), random_value(), random_value(), random_value());
        return;
    case 2:
        snprintf(sql, room, "INSERT %s INTO t%u (k, a, b) SELECT k + %u, a%s, b FROM t%u", PICK(ors), table, roll(3),
                 roll(2) ? "" : "||a||b", roll(3));
        return;
    case 3:
        snprintf(sql, room, "UPDATE %s t%u SET %s = %s %s", PICK(ors), table, roll(2) ? "a" : "b", random_value(),
                 PICK(wheres));
        return;
    case 4:
        snprintf(sql, room, "UPDATE %s t%u SET k = k + 1, b = b || %s %s", PICK(ors), table, random_value(),
                 PICK(wheres));
        return;
    default:
        snprintf(sql, room, "DELETE FROM t%u %s", table, PICK(wheres));
    }
}

/* All that a savepoint would have brought back. */
static void take_picture(char *out, size_t room)
{
    static const char *const tables[] = {"t0", "t1", "t2", "log", "sqlite_sequence"};
    size_t used = 0;
    int current, highest;
    belay_error error;
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        char sql[64];
        belay_statement *statement;
        belay_value cells[4];
        snprintf(sql, sizeof sql, i < 3 ? "SELECT rowid, k, a, b FROM %s" : "SELECT * FROM %s", tables[i]);
        if (rig_try_prepare(conn, sql, 0, &statement, &error) != BELAY_OK)
            continue;
        assert_int_equal(D->start(statement, 0, NULL, &error), BELAY_OK);
        while (D->step(statement, cells, &r.effect, &error) == BELAY_STEP_ROW)
            for (int c = 0; c < statement->columns; c++) {
                const char *bytes = cells[c].size ? cells[c].as.data : "";
                used += (size_t)snprintf(out + used, room - used, "%d:%lld:%zu:%.*s ", (int)cells[c].type,
                                         cells[c].size ? 0 : (long long)cells[c].as.integer, cells[c].size,
                                         (int)cells[c].size, bytes);
                assert_true(used < room);
            }
        D->finish(statement);
        D->finalize(statement);
        used += (size_t)snprintf(out + used, room - used, "|");
    }
    sqlite3_db_status(((belayi_sqlite_conn *)conn)->db, SQLITE_DBSTATUS_DEFERRED_FKS, &current, &highest, 0);
    snprintf(out + used, room - used, "%d", current);
}

static void try_random_statement(unsigned *contained_failures)
{
    static char before[1 << 18], after[1 << 18];
    char sql[400];
    belay_statement *statement;
    make_random_statement(sql, sizeof sql);
    take_picture(before, sizeof before);
    if (rig_try_prepare(conn, sql, 0, &statement, &r.error) != BELAY_OK)
        return;
    bool claimed = D->self_contained(statement);
    belay_code code = D->execute(statement, 0, NULL, &r.effect, &r.error);
    D->finalize(statement);
    if (code == BELAY_OK || !claimed)
        return;
    take_picture(after, sizeof after);
    ++*contained_failures;
    if (strcmp(before, after) != 0)
        fail_msg("seed %llu: said to be contained, but left something behind: %s (%s)", (unsigned long long)seed, sql,
                 r.error.message);
}

static void no_contained_statement_leaves_anything_behind(void **state)
{
    const char *wanted = getenv("BELAY_TEST_ROUNDS");
    int rounds = wanted ? atoi(wanted) : 150;
    unsigned contained_failures = 0;
    (void)state;
    for (int round = 0; round < rounds; round++) {
        seed = (uint64_t)round + 1;
        set_up(NULL);
        sqlite3_limit(((belayi_sqlite_conn *)conn)->db, SQLITE_LIMIT_LENGTH, 1000);
        sqlite3_limit(((belayi_sqlite_conn *)conn)->db, SQLITE_LIMIT_TRIGGER_DEPTH, 10);
        rig_must(&r, conn, "CREATE TABLE log (a)");
        for (int i = 0; i < 3; i++)
            make_random_table(i);
        for (int i = 0; i < (int)roll(3); i++)
            make_random_trigger(i);
        sqlite3_limit(((belayi_sqlite_conn *)conn)->db, SQLITE_LIMIT_LENGTH, 250);
        rig_must_begin(&r, conn);
        for (int i = 0; i < 40 && D->status(conn) == BELAY_TRANSACTION_OPEN; i++)
            try_random_statement(&contained_failures);
        tear_down(NULL);
    }
    assert_true(contained_failures > (unsigned)rounds);
    set_up(NULL);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_usual_statements_are_contained),
        T(statements_that_keep_what_they_did_are_not_contained),
        T(failures_that_sqlite_has_no_journal_for_are_not_contained),
        T(a_strict_table_with_a_constraint_undoes_all_rows),
        T(queries_ddl_pragmas_and_virtual_tables_are_not_contained),
        T(nothing_is_contained_outside_a_transaction),
        T(an_attached_database_is_never_contained),
        T(the_answer_follows_this_connection_s_schema),
        T(the_answer_follows_another_connection_s_schema),
        cmocka_unit_test_setup_teardown(no_contained_statement_leaves_anything_behind, NULL, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
