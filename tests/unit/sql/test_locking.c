/* Locking clauses: what they say of waiting, and that they are left out where the engine knows none. */
#include "lexer.h"

#include "check.h"

static void a_locking_clause_says_how_to_wait(void **state)
{
    (void)state;
    static const struct {
        const char *clause;
        belayi_lock_wait lock;
    } cases[] = {
        {"FOR UPDATE", BELAYI_LOCK_WAIT},
        {"for update", BELAYI_LOCK_WAIT},
        {"FOR NO KEY UPDATE", BELAYI_LOCK_WAIT},
        {"FOR SHARE", BELAYI_LOCK_WAIT},
        {"FOR KEY SHARE", BELAYI_LOCK_WAIT},
        {"LOCK IN SHARE MODE", BELAYI_LOCK_WAIT},
        {"FOR UPDATE WAIT 5", BELAYI_LOCK_WAIT},
        {"FOR UPDATE OF t", BELAYI_LOCK_WAIT},
        {"FOR UPDATE OF t, s.u, \"v\"", BELAYI_LOCK_WAIT},
        {"FOR UPDATE NOWAIT", BELAYI_LOCK_NOWAIT},
        {"FOR SHARE OF t, u NOWAIT", BELAYI_LOCK_NOWAIT},
        {"LOCK IN SHARE MODE NOWAIT", BELAYI_LOCK_NOWAIT},
        {"FOR UPDATE SKIP LOCKED", BELAYI_LOCK_SKIP},
        {"FOR UPDATE OF t SKIP LOCKED", BELAYI_LOCK_SKIP},
        {"FOR /* a */ UPDATE -- b\n SKIP /**/ LOCKED", BELAYI_LOCK_SKIP},
        {"FOR UPDATE OF t NOWAIT FOR SHARE OF u SKIP LOCKED", BELAYI_LOCK_SKIP},
        {"FOR UPDATE OF t NOWAIT FOR SHARE OF u", BELAYI_LOCK_NOWAIT},
        {"", BELAYI_LOCK_NONE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[128] = "SELECT * FROM t ";
        strcat(text, cases[i].clause);
        for (int e = 0; e < ENGINES; e++)
            if (!every_engine[e]->double_quoted_strings || strchr(text, '"') == NULL)
                assert_lock(every_engine[e], text, cases[i].lock);
        assert_rewrites(&sqlite_rules, text, "SELECT * FROM t");
        if (cases[i].lock != BELAYI_LOCK_NONE)
            assert_unchanged(&postgresql_rules, text);
    }
}

static void a_locking_clause_is_seen_in_every_statement_that_queries(void **state)
{
    (void)state;
    for (int i = 0; i < ENGINES; i++) {
        assert_lock(every_engine[i], "WITH a AS (SELECT 1) SELECT * FROM a FOR UPDATE", BELAYI_LOCK_WAIT);
        assert_lock(every_engine[i], "(SELECT 1 FOR UPDATE)", BELAYI_LOCK_WAIT);
        assert_lock(every_engine[i], "INSERT INTO t SELECT * FROM u FOR UPDATE NOWAIT", BELAYI_LOCK_NOWAIT);
        assert_lock(every_engine[i], "EXPLAIN SELECT 1 FOR UPDATE", BELAYI_LOCK_WAIT);
    }
}

static void nowait_and_skip_locked_clash(void **state)
{
    (void)state;
    assert_refused_everywhere("SELECT 1 FOR UPDATE NOWAIT SKIP LOCKED", BELAYI_LEX_LOCK_CLASH, 32);
    assert_refused_everywhere("SELECT 1 FOR SHARE SKIP LOCKED NOWAIT", BELAYI_LEX_LOCK_CLASH, 31);
}

static void what_only_looks_like_a_locking_clause_is_none(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "SELECT substring(a FROM 1 FOR 2)",
        "SELECT 'FOR UPDATE', \"FOR UPDATE\" /* FOR UPDATE */ -- FOR UPDATE",
        "SELECT * FROM t USE INDEX FOR JOIN (update)",
        "SELECT FOR FROM update",
        "CREATE POLICY p ON t FOR UPDATE USING (true)",
        "CREATE TABLE t AS SELECT 1 FOR UPDATE",
        "DECLARE c CURSOR FOR SELECT 1",
        "SELECT 1 LOCK IN SHARE",
        "SELECT 1 FOR NO UPDATE",
        "SELECT 1 FOR KEY UPDATE",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        for (int e = 0; e < ENGINES; e++) {
            assert_lock(every_engine[e], texts[i], BELAYI_LOCK_NONE);
            assert_unchanged(every_engine[e], texts[i]);
        }
}

static void only_the_top_level_counts_where_the_clause_is_kept(void **state)
{
    (void)state;
    static const char input[] = "SELECT * FROM (SELECT * FROM t FOR UPDATE SKIP LOCKED) AS a";
    assert_lock(&postgresql_rules, input, BELAYI_LOCK_NONE);
    assert_lock(&mariadb_rules, input, BELAYI_LOCK_NONE);
}

static void clauses_are_dropped_at_every_level(void **state)
{
    (void)state;
    static const char input[] = "UPDATE t SET a = 1 WHERE id IN (SELECT id FROM t FOR UPDATE SKIP LOCKED)";
    assert_lock(&sqlite_rules, input, BELAYI_LOCK_SKIP);
    assert_rewrites(&sqlite_rules, input, "UPDATE t SET a = 1 WHERE id IN (SELECT id FROM t )");
    assert_rewrites(&sqlite_rules, "SELECT * FROM (SELECT 1 FOR UPDATE) FOR SHARE NOWAIT", "SELECT * FROM (SELECT 1 )");
}

static void what_follows_a_dropped_clause_stays(void **state)
{
    (void)state;
    assert_rewrites(&sqlite_rules, "SELECT 1 FOR UPDATE LIMIT ?", "SELECT 1  LIMIT ?");
    assert_rewrites(&sqlite_rules, "SELECT 1 FOR UPDATE OF a, b.c LIMIT ?", "SELECT 1  LIMIT ?");
    assert_rewrites(&sqlite_rules, "SELECT [a]FOR UPDATE; -- x", "SELECT [a]");
    assert_rewrites(&sqlite_rules, "(SELECT [a]FOR UPDATE)", "(SELECT [a] )");
    assert_rewrites(&sqlite_rules, "SELECT 1 FOR UPDATE -- why", "SELECT 1  -- why");
    assert_rewrites(&sqlite_rules, "SELECT 1 -- why\nFOR UPDATE", "SELECT 1 -- why");
}

static void a_clause_that_is_not_whole_is_left_to_the_engine(void **state)
{
    (void)state;
    assert_rewrites(&sqlite_rules, "SELECT 1 FOR", "SELECT 1 FOR");
    assert_rewrites(&sqlite_rules, "SELECT 1 FOR UPDATE SKIP", "SELECT 1  SKIP");
    assert_rewrites(&sqlite_rules, "SELECT 1 FOR UPDATE OF a,", "SELECT 1 ,");
    assert_rewrites(&sqlite_rules, "SELECT 1 FOR UPDATE WAIT ?", "SELECT 1  WAIT ?");
}

static void an_executable_comment_may_hold_a_part_of_the_clause(void **state)
{
    (void)state;
    assert_lock(&mariadb_rules, "SELECT 1 FOR UPDATE /*!100600 SKIP LOCKED */", BELAYI_LOCK_SKIP);
    assert_lock(&mariadb_rules, "SELECT 1 /*! FOR */ UPDATE", BELAYI_LOCK_WAIT);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_locking_clause_says_how_to_wait),
        cmocka_unit_test(a_locking_clause_is_seen_in_every_statement_that_queries),
        cmocka_unit_test(nowait_and_skip_locked_clash),
        cmocka_unit_test(what_only_looks_like_a_locking_clause_is_none),
        cmocka_unit_test(only_the_top_level_counts_where_the_clause_is_kept),
        cmocka_unit_test(clauses_are_dropped_at_every_level),
        cmocka_unit_test(what_follows_a_dropped_clause_stays),
        cmocka_unit_test(a_clause_that_is_not_whole_is_left_to_the_engine),
        cmocka_unit_test(an_executable_comment_may_hold_a_part_of_the_clause),
    };
    return cmocka_run_group_tests_name("sql: locking clauses", tests, NULL, NULL);
}
