/* What kind of statement a text is, and where the body of a trigger or routine ends. */
#include "lexer.h"

#include "check.h"

typedef struct kind_case {
    const char *input;
    belayi_sql_kind kind;
} kind_case;

static void check_everywhere(const kind_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (int e = 0; e < ENGINES; e++) {
            belayi_sql sql;
            belayi_lex_status status = read_text(cases[i].input, every_engine[e], &sql);
            if (status != BELAYI_LEX_OK || sql.kind != cases[i].kind)
                fail_msg("engine %d: %s: status %d, kind %d instead of %d", e, cases[i].input, (int)status,
                         (int)sql.kind, (int)cases[i].kind);
            belayi_sql_done(&sql);
        }
}

#define CHECK_EVERYWHERE(cases) check_everywhere(cases, sizeof(cases) / sizeof *(cases))

static void queries_are_selects(void **state)
{
    (void)state;
    static const kind_case cases[] = {
        {"SELECT 1", BELAYI_SQL_SELECT},
        {"select 1", BELAYI_SQL_SELECT},
        {"SeLeCt+1", BELAYI_SQL_SELECT},
        {"((SELECT 1) UNION (SELECT 2))", BELAYI_SQL_SELECT},
        {"VALUES (1)", BELAYI_SQL_SELECT},
        {"TABLE t", BELAYI_SQL_SELECT},
        {"SHOW TRANSACTION ISOLATION LEVEL", BELAYI_SQL_SELECT},
        {"EXPLAIN DELETE FROM t", BELAYI_SQL_SELECT},
        {"EXPLAIN ANALYZE UPDATE t SET a = 1", BELAYI_SQL_SELECT},
        {"EXPLAIN QUERY PLAN SELECT 1", BELAYI_SQL_SELECT},
        {"DESCRIBE t", BELAYI_SQL_SELECT},
        {"DESC t", BELAYI_SQL_SELECT},
        {"/* a */ -- b\n SELECT 1", BELAYI_SQL_SELECT},
        {"SELECT 'COMMIT', commit FROM begin", BELAYI_SQL_SELECT},
    };
    CHECK_EVERYWHERE(cases);
}

static void writes_are_told_apart(void **state)
{
    (void)state;
    static const kind_case cases[] = {
        {"INSERT INTO t VALUES (1)", BELAYI_SQL_INSERT},
        {"REPLACE INTO t VALUES (1)", BELAYI_SQL_INSERT},
        {"INSERT OR ROLLBACK INTO t SELECT 1", BELAYI_SQL_INSERT},
        {"UPDATE t SET a = 1", BELAYI_SQL_UPDATE},
        {"DELETE FROM t", BELAYI_SQL_DELETE},
    };
    CHECK_EVERYWHERE(cases);
}

static void with_takes_the_kind_of_the_verb_behind_its_queries(void **state)
{
    (void)state;
    static const kind_case cases[] = {
        {"WITH a AS (SELECT 1) SELECT * FROM a", BELAYI_SQL_SELECT},
        {"WITH RECURSIVE a (b, c) AS (SELECT 1), d AS (VALUES (2)) INSERT INTO t SELECT * FROM a", BELAYI_SQL_INSERT},
        {"WITH a AS NOT MATERIALIZED (DELETE FROM x) UPDATE t SET a = 1", BELAYI_SQL_UPDATE},
        {"WITH a AS (SELECT 1) DELETE FROM t", BELAYI_SQL_DELETE},
        {"WITH a AS (SELECT 1) REPLACE INTO t SELECT 1", BELAYI_SQL_INSERT},
        {"WITH a AS (SELECT 1) MERGE INTO t USING a ON true WHEN MATCHED THEN DELETE", BELAYI_SQL_OTHER},
        {"WITH replace AS (SELECT 1), update AS (SELECT 2) SELECT 1", BELAYI_SQL_SELECT},
        {"WITH a AS (SELECT 1) (SELECT * FROM a)", BELAYI_SQL_SELECT},
        {"(WITH a AS (SELECT 1) SELECT * FROM a)", BELAYI_SQL_SELECT},
        {"WITH a AS (SELECT 1) SEARCH DEPTH FIRST BY x SET y SELECT 1", BELAYI_SQL_SELECT},
    };
    CHECK_EVERYWHERE(cases);
}

static void a_write_inside_a_with_query_leaves_it_a_select(void **state)
{
    (void)state;
    assert_kind_everywhere("WITH a AS (DELETE FROM t RETURNING *) SELECT * FROM a", BELAYI_SQL_SELECT);
}

static void transaction_control_is_recognised(void **state)
{
    (void)state;
    static const kind_case cases[] = {
        {"BEGIN", BELAYI_SQL_BEGIN},
        {"BEGIN;", BELAYI_SQL_BEGIN},
        {"BEGIN IMMEDIATE", BELAYI_SQL_BEGIN},
        {"BEGIN WORK", BELAYI_SQL_BEGIN},
        {"BEGIN TRANSACTION ISOLATION LEVEL SERIALIZABLE", BELAYI_SQL_BEGIN},
        {"START TRANSACTION READ ONLY", BELAYI_SQL_BEGIN},
        {"XA START 'x'", BELAYI_SQL_BEGIN},
        {"XA BEGIN 'x'", BELAYI_SQL_BEGIN},
        {"COMMIT", BELAYI_SQL_COMMIT},
        {"commit work", BELAYI_SQL_COMMIT},
        {"COMMIT AND CHAIN", BELAYI_SQL_COMMIT},
        {"COMMIT PREPARED 'x'", BELAYI_SQL_COMMIT},
        {"END", BELAYI_SQL_COMMIT},
        {"END TRANSACTION", BELAYI_SQL_COMMIT},
        {"XA COMMIT 'x' ONE PHASE", BELAYI_SQL_COMMIT},
        {"ROLLBACK", BELAYI_SQL_ROLLBACK},
        {"ROLLBACK WORK AND CHAIN", BELAYI_SQL_ROLLBACK},
        {"ROLLBACK TRANSACTION", BELAYI_SQL_ROLLBACK},
        {"ROLLBACK PREPARED 'x'", BELAYI_SQL_ROLLBACK},
        {"ABORT", BELAYI_SQL_ROLLBACK},
        {"XA ROLLBACK 'x'", BELAYI_SQL_ROLLBACK},
        {"SAVEPOINT a", BELAYI_SQL_SAVEPOINT},
        {"RELEASE a", BELAYI_SQL_RELEASE},
        {"RELEASE SAVEPOINT a", BELAYI_SQL_RELEASE},
        {"ROLLBACK TO a", BELAYI_SQL_ROLLBACK_TO},
        {"ROLLBACK TO SAVEPOINT a", BELAYI_SQL_ROLLBACK_TO},
        {"ROLLBACK WORK TO a", BELAYI_SQL_ROLLBACK_TO},
        {"ROLLBACK TRANSACTION TO SAVEPOINT a", BELAYI_SQL_ROLLBACK_TO},
        {"PREPARE TRANSACTION 'x'", BELAYI_SQL_PREPARE},
        {"XA END 'x'", BELAYI_SQL_PREPARE},
        {"XA PREPARE 'x'", BELAYI_SQL_PREPARE},
        {"/* SELECT 1 */COMMIT", BELAYI_SQL_COMMIT},
        {"-- SELECT 1\nROLLBACK/**/TO/**/a", BELAYI_SQL_ROLLBACK_TO},
        {"((COMMIT", BELAYI_SQL_COMMIT},
    };
    CHECK_EVERYWHERE(cases);
}

static void what_only_looks_like_transaction_control_is_other(void **state)
{
    (void)state;
    static const kind_case cases[] = {
        {"PREPARE p AS SELECT 1", BELAYI_SQL_OTHER},
        {"PREPARE p FROM 'COMMIT'", BELAYI_SQL_OTHER},
        {"XA RECOVER", BELAYI_SQL_OTHER},
        {"\"COMMIT\"", BELAYI_SQL_OTHER},
        {"COMMITTED", BELAYI_SQL_OTHER},
        {"?", BELAYI_SQL_OTHER},
        {"'COMMIT'", BELAYI_SQL_OTHER},
        {"(", BELAYI_SQL_OTHER},
    };
    CHECK_EVERYWHERE(cases);
}

static void everything_else_is_other(void **state)
{
    (void)state;
    static const kind_case cases[] = {
        {"PRAGMA foreign_keys = 1", BELAYI_SQL_OTHER},
        {"CALL p()", BELAYI_SQL_OTHER},
        {"DO 1", BELAYI_SQL_OTHER},
        {"COPY t FROM STDIN", BELAYI_SQL_OTHER},
        {"LOAD DATA INFILE 'x' INTO TABLE t", BELAYI_SQL_OTHER},
        {"MERGE INTO t USING u ON true WHEN MATCHED THEN DELETE", BELAYI_SQL_OTHER},
        {"VACUUM", BELAYI_SQL_OTHER},
        {"SET NAMES utf8mb4", BELAYI_SQL_OTHER},
        {"USE db", BELAYI_SQL_OTHER},
        {"EXECUTE p", BELAYI_SQL_OTHER},
    };
    CHECK_EVERYWHERE(cases);
}

static void setting_what_steers_transactions_is_set_transaction(void **state)
{
    (void)state;
    static const kind_case cases[] = {
        {"SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", BELAYI_SQL_SET_TRANSACTION},
        {"SET SESSION TRANSACTION READ ONLY", BELAYI_SQL_SET_TRANSACTION},
        {"SET LOCAL TRANSACTION READ ONLY", BELAYI_SQL_SET_TRANSACTION},
        {"SET GLOBAL TRANSACTION READ ONLY", BELAYI_SQL_SET_TRANSACTION},
        {"SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", BELAYI_SQL_SET_TRANSACTION},
        {"SET autocommit=0", BELAYI_SQL_SET_TRANSACTION},
        {"set AutoCommit := 0", BELAYI_SQL_SET_TRANSACTION},
        {"SET @@autocommit=0", BELAYI_SQL_SET_TRANSACTION},
        {"SET @@session.autocommit=0", BELAYI_SQL_SET_TRANSACTION},
        {"SET @@global . autocommit=0", BELAYI_SQL_SET_TRANSACTION},
        {"SET SESSION autocommit=0", BELAYI_SQL_SET_TRANSACTION},
        {"SET LOCAL autocommit=0", BELAYI_SQL_SET_TRANSACTION},
        {"SET GLOBAL autocommit=0", BELAYI_SQL_SET_TRANSACTION},
        {"SET /**/ autocommit/**/=/**/0", BELAYI_SQL_SET_TRANSACTION},
        {"SET a = 1, b = (SELECT 1, 2), @c = f(1, 2), @@SESSION.autocommit = 0", BELAYI_SQL_SET_TRANSACTION},
        {"SET a = 1, GLOBAL tx_isolation = 'x'", BELAYI_SQL_SET_TRANSACTION},
        {"SET tx_read_only = 1", BELAYI_SQL_SET_TRANSACTION},
        {"SET transaction_isolation TO 'serializable'", BELAYI_SQL_SET_TRANSACTION},
        {"SET default_transaction_isolation TO 'serializable'", BELAYI_SQL_SET_TRANSACTION},
        {"SET default_transaction_read_only TO on", BELAYI_SQL_SET_TRANSACTION},
        {"SET default_transaction_deferrable TO on", BELAYI_SQL_SET_TRANSACTION},
        {"SET LOCAL transaction_read_only TO on", BELAYI_SQL_SET_TRANSACTION},
        {"SET transaction_deferrable TO on", BELAYI_SQL_SET_TRANSACTION},
        {"SET completion_type = CHAIN", BELAYI_SQL_SET_TRANSACTION},
    };
    CHECK_EVERYWHERE(cases);
    assert_kind(&mariadb_rules, "SET `autocommit` = 0", BELAYI_SQL_SET_TRANSACTION);
    assert_kind(&mariadb_rules, "SET @@`autocommit` = 0", BELAYI_SQL_SET_TRANSACTION);
    assert_kind(&postgresql_rules, "SET \"transaction_isolation\" TO 'serializable'", BELAYI_SQL_SET_TRANSACTION);
}

static void setting_anything_else_is_other(void **state)
{
    (void)state;
    static const kind_case cases[] = {
        {"SET @autocommit = 0", BELAYI_SQL_OTHER},          {"SET @a = 'autocommit', @b = 1", BELAYI_SQL_OTHER},
        {"SET a = autocommit", BELAYI_SQL_OTHER},           {"SET a = f(1, autocommit)", BELAYI_SQL_OTHER},
        {"SET CONSTRAINTS ALL DEFERRED", BELAYI_SQL_OTHER}, {"SET SESSION AUTHORIZATION x", BELAYI_SQL_OTHER},
        {"SET search_path TO a, b", BELAYI_SQL_OTHER},      {"SET", BELAYI_SQL_OTHER},
    };
    CHECK_EVERYWHERE(cases);
    assert_kind(&mariadb_rules, "SET @`autocommit` = 0", BELAYI_SQL_OTHER);
}

static void set_statement_is_the_statement_that_follows(void **state)
{
    (void)state;
    static const kind_case cases[] = {
        {"SET STATEMENT max_statement_time=1 FOR SELECT 1", BELAYI_SQL_SELECT},
        {"SET STATEMENT a=1, b=substring('x' FROM 1) FOR COMMIT", BELAYI_SQL_COMMIT},
        {"SET STATEMENT a=1 FOR ROLLBACK TO a", BELAYI_SQL_ROLLBACK_TO},
        {"SET STATEMENT a=1, autocommit=0 FOR SELECT 1", BELAYI_SQL_SET_TRANSACTION},
        {"SET STATEMENT tx_isolation='x' FOR SELECT 1", BELAYI_SQL_SET_TRANSACTION},
        {"SET STATEMENT a=1 FOR SET autocommit=0", BELAYI_SQL_SET_TRANSACTION},
        {"SET STATEMENT a=1", BELAYI_SQL_OTHER},
        {"SET STATEMENT a=1 FOR", BELAYI_SQL_OTHER},
    };
    CHECK_EVERYWHERE(cases);
}

static void ddl_commits_implicitly_under_its_rule_and_is_other_else(void **state)
{
    (void)state;
    static const char *const statements[] = {
        "CREATE TABLE t (a INT)",
        "CREATE OR REPLACE TABLE t (a INT)",
        "CREATE UNIQUE INDEX i ON t (a)",
        "CREATE USER u",
        "CREATE VIEW v AS SELECT 1",
        "CREATE DATABASE d",
        "CREATE TABLE temporary (a INT)",
        "ALTER TABLE t ADD b INT",
        "ALTER TEMPORARY TABLE t ADD b INT",
        "DROP TABLE t",
        "DROP DATABASE d",
        "DROP USER u",
        "RENAME TABLE t TO u",
        "TRUNCATE t",
        "TRUNCATE TABLE t",
        "LOCK TABLES t READ",
        "UNLOCK TABLES",
        "ANALYZE TABLE t",
        "ANALYZE LOCAL TABLE t",
        "CHECK TABLE t",
        "OPTIMIZE TABLE t",
        "REPAIR TABLE t",
        "CACHE INDEX t IN c",
        "LOAD INDEX INTO CACHE t",
        "FLUSH TABLES",
        "RESET MASTER",
        "GRANT SELECT ON t TO u",
        "REVOKE SELECT ON t FROM u",
        "SET PASSWORD = 'x'",
        "INSTALL PLUGIN p SONAME 'x'",
        "UNINSTALL PLUGIN p",
        "CHANGE MASTER TO MASTER_HOST='x'",
        "START SLAVE",
        "STOP REPLICA",
        "BACKUP STAGE START",
        "SHUTDOWN",
        "CREATE FUNCTION f() RETURNS INT RETURN 1",
        "/*!50003 CREATE*/ /*!50017 DEFINER=`a`@`b`*/ /*!50003 TRIGGER x BEFORE INSERT ON t BEGIN SET @a=1; END */",
    };
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++)
        assert_kind(&mariadb_rules, statements[i], BELAYI_SQL_IMPLICIT_COMMIT);
    for (size_t i = 0; i + 1 < sizeof statements / sizeof *statements; i++) {
        assert_kind(&sqlite_rules, statements[i], BELAYI_SQL_OTHER);
        assert_kind(&postgresql_rules, statements[i], BELAYI_SQL_OTHER);
    }
}

static void temporary_tables_do_not_commit(void **state)
{
    (void)state;
    static const kind_case cases[] = {
        {"CREATE TEMPORARY TABLE t (a INT)", BELAYI_SQL_OTHER},
        {"CREATE OR REPLACE TEMPORARY TABLE t (a INT)", BELAYI_SQL_OTHER},
        {"DROP TEMPORARY TABLE t", BELAYI_SQL_OTHER},
        {"DROP PREPARE p", BELAYI_SQL_OTHER},
    };
    CHECK_EVERYWHERE(cases);
}

static void mariadb_analyzes_a_statement_as_explain_does(void **state)
{
    (void)state;
    assert_kind(&mariadb_rules, "ANALYZE SELECT 1", BELAYI_SQL_SELECT);
    assert_kind(&mariadb_rules, "ANALYZE FORMAT=JSON SELECT 1", BELAYI_SQL_SELECT);
    assert_kind(&mariadb_rules, "ANALYZE UPDATE t SET a = 1", BELAYI_SQL_SELECT);
    assert_kind(&postgresql_rules, "ANALYZE t", BELAYI_SQL_OTHER);
}

static void semicolons_in_the_body_of_a_trigger_end_nothing(void **state)
{
    (void)state;
    static const char *const statements[] = {
        "CREATE TRIGGER a AFTER INSERT ON t BEGIN UPDATE t SET b = 1; DELETE FROM t; END",
        "CREATE TEMP TRIGGER a AFTER INSERT ON t BEGIN SELECT CASE WHEN 1 THEN RAISE(ABORT, 'x') END; END",
        "CREATE TRIGGER a WHEN CASE new.b WHEN 1 THEN 2 END BEGIN SELECT 1; END",
        "CREATE TRIGGER a WHEN new.begin < new.end BEGIN SELECT new.end; SELECT new.case; END",
        "CREATE CONSTRAINT TRIGGER a AFTER INSERT ON t EXECUTE FUNCTION f()",
        "CREATE OR REPLACE DEFINER=root@localhost TRIGGER a BEFORE INSERT ON t FOR EACH ROW BEGIN SET @a = 1; END",
    };
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++)
        for (int e = 0; e < ENGINES; e++) {
            char text[256];
            assert_unchanged(every_engine[e], statements[i]);
            assert_rewrites(every_engine[e], strcat(strcpy(text, statements[i]), " ; -- x"), statements[i]);
            assert_refused(every_engine[e], strcat(strcpy(text, statements[i]), ";COMMIT"), BELAYI_LEX_TWO,
                           strlen(statements[i]) + 1);
        }
}

static void semicolons_in_the_body_of_a_routine_end_nothing(void **state)
{
    (void)state;
    static const char *const statements[] = {
        "CREATE PROCEDURE p() BEGIN IF a THEN SELECT 1; ELSE BEGIN SELECT 2; END; END IF; SELECT 3; END",
        "CREATE FUNCTION f() BEGIN WHILE a DO SET a = 1; END WHILE; LOOP SET a = 2; END LOOP; RETURN 1; END",
        "CREATE PROCEDURE p() BEGIN CASE a WHEN 1 THEN SELECT 1; ELSE SELECT CASE WHEN 1 THEN 2 END; END CASE; END",
        "CREATE PROCEDURE p() BEGIN REPEAT SET a = 1; UNTIL CASE WHEN a THEN 1 END END REPEAT; END",
        "CREATE PROCEDURE p() l: BEGIN FOR i IN 1 .. 2 DO SELECT i; END FOR; END l",
        "CREATE PROCEDURE p() CASE a WHEN 1 THEN SELECT 1; END CASE",
        "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO BEGIN DELETE FROM t; END",
        "ALTER EVENT e DO BEGIN DELETE FROM t; END",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT 2; END",
        "CREATE RULE r AS ON INSERT TO t DO ALSO (DELETE FROM a; DELETE FROM b)",
        "BEGIN NOT ATOMIC SELECT 1; IF a THEN COMMIT; END IF; END",
    };
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++)
        for (int e = 0; e < ENGINES; e++) {
            char text[256];
            assert_unchanged(every_engine[e], statements[i]);
            assert_refused(every_engine[e], strcat(strcpy(text, statements[i]), "; COMMIT"), BELAYI_LEX_TWO,
                           strlen(statements[i]) + 2);
        }
    assert_kind_everywhere("BEGIN NOT ATOMIC SELECT 1; COMMIT; END", BELAYI_SQL_OTHER);
}

static void a_package_is_all_that_follows(void **state)
{
    (void)state;
    assert_unchanged(&mariadb_rules, "CREATE PACKAGE BODY p AS PROCEDURE a AS BEGIN NULL; END; "
                                     "PROCEDURE b AS BEGIN NULL; END; END");
}

static void other_statements_have_no_body(void **state)
{
    (void)state;
    assert_refused_everywhere("CREATE TABLE begin (a INT); COMMIT", BELAYI_LEX_TWO, 28);
    assert_refused_everywhere("SELECT CASE WHEN 1 THEN 2; COMMIT", BELAYI_LEX_TWO, 27);
    assert_refused_everywhere("BEGIN SELECT 1; END", BELAYI_LEX_TWO, 16);
    assert_refused_everywhere("SELECT (1; COMMIT", BELAYI_LEX_TWO, 11);
}

static void returning_is_seen_at_the_top_level_of_a_write(void **state)
{
    (void)state;
    for (int i = 0; i < ENGINES; i++) {
        assert_returning(every_engine[i], "INSERT INTO t VALUES (1) RETURNING id", true);
        assert_returning(every_engine[i], "UPDATE t SET a = 1 returning *", true);
        assert_returning(every_engine[i], "WITH a AS (SELECT 1) DELETE FROM t RETURNING id", true);
        assert_returning(every_engine[i], "INSERT INTO t (returning) VALUES (1)", false);
        assert_returning(every_engine[i], "INSERT INTO t VALUES ('RETURNING') /* RETURNING */", false);
        assert_returning(every_engine[i], "UPDATE t SET t.returning = 1", false);
        assert_returning(every_engine[i], "WITH a AS (DELETE FROM t RETURNING id) UPDATE u SET b = 1", false);
        assert_returning(every_engine[i], "SELECT a AS returning", false);
    }
}

static void transaction_control_names_the_call_to_use_instead(void **state)
{
    (void)state;
    const char *instead = "x";

    for (int kind = BELAYI_SQL_EMPTY; kind <= BELAYI_SQL_PREPARE; kind++) {
        bool controls = kind >= BELAYI_SQL_BEGIN;
        assert_int_equal(belayi_sql_controls_transaction((belayi_sql_kind)kind, &instead), controls);
        assert_int_equal(belayi_sql_controls_transaction((belayi_sql_kind)kind, NULL), controls);
        assert_int_equal(instead != NULL, controls);
    }
    belayi_sql_controls_transaction(BELAYI_SQL_BEGIN, &instead);
    assert_string_equal(instead, "belay_begin or BELAY_ATOMIC");
    belayi_sql_controls_transaction(BELAYI_SQL_PREPARE, &instead);
    assert_string_equal(instead, "belay_commit_two_phase");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(queries_are_selects),
        cmocka_unit_test(writes_are_told_apart),
        cmocka_unit_test(with_takes_the_kind_of_the_verb_behind_its_queries),
        cmocka_unit_test(a_write_inside_a_with_query_leaves_it_a_select),
        cmocka_unit_test(transaction_control_is_recognised),
        cmocka_unit_test(what_only_looks_like_transaction_control_is_other),
        cmocka_unit_test(everything_else_is_other),
        cmocka_unit_test(setting_what_steers_transactions_is_set_transaction),
        cmocka_unit_test(setting_anything_else_is_other),
        cmocka_unit_test(set_statement_is_the_statement_that_follows),
        cmocka_unit_test(ddl_commits_implicitly_under_its_rule_and_is_other_else),
        cmocka_unit_test(temporary_tables_do_not_commit),
        cmocka_unit_test(mariadb_analyzes_a_statement_as_explain_does),
        cmocka_unit_test(semicolons_in_the_body_of_a_trigger_end_nothing),
        cmocka_unit_test(semicolons_in_the_body_of_a_routine_end_nothing),
        cmocka_unit_test(a_package_is_all_that_follows),
        cmocka_unit_test(other_statements_have_no_body),
        cmocka_unit_test(returning_is_seen_at_the_top_level_of_a_write),
        cmocka_unit_test(transaction_control_names_the_call_to_use_instead),
    };
    return cmocka_run_group_tests_name("sql: kinds", tests, NULL, NULL);
}
