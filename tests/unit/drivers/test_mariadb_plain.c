/*
 * test_mariadb_plain.c - which statements do nothing but write to the one table that they name.
 */
#include "mariadb_rig.h"

static const char *table_of(belayi_sql_kind kind, const char *text)
{
    static char name[64];
    const char *table;
    size_t size;
    if (!belayi_mariadb_is_plain(kind, text, &table, &size))
        return "none";
    assert_true(size < sizeof name);
    memcpy(name, table, size);
    name[size] = '\0';
    return name;
}

static void a_statement_of_values_names_its_table(void **state)
{
    (void)state;
    assert_string_equal(table_of(BELAYI_SQL_INSERT, "INSERT INTO t (a, b) VALUES (?, ?)"), "t");
    assert_string_equal(table_of(BELAYI_SQL_INSERT, " insert t values(?, 'it''s (', \"\\\"\", COALESCE (?, -1))"), "t");
    assert_string_equal(table_of(BELAYI_SQL_INSERT, "INSERT INTO `d b`.`t``1` VALUES (?)"), "`d b`.`t``1`");
    assert_string_equal(table_of(BELAYI_SQL_UPDATE, "UPDATE d.t SET a = a + ? WHERE `b` IN (?, ?)"), "d.t");
    assert_string_equal(table_of(BELAYI_SQL_DELETE, "DELETE FROM t WHERE a = ? AND (b < ? OR b IS NULL)"), "t");
    assert_string_equal(table_of(BELAYI_SQL_DELETE, "DELETE FROM t"), "t");
}

static void what_may_do_more_is_not_plain(void **state)
{
    static const char *const inserts[] = {"REPLACE INTO t VALUES (?)",
                                          "INSERT IGNORE INTO t VALUES (?)",
                                          "INSERT INTO t VALUES (?) ON DUPLICATE KEY UPDATE a = 1",
                                          "INSERT INTO t SELECT * FROM u WHERE a = ?",
                                          "INSERT INTO t (a) SELECT ?",
                                          "INSERT INTO t VALUES ((SELECT max(a) FROM v), ?)",
                                          "INSERT INTO t VALUES (f(?))",
                                          "INSERT INTO t VALUES (d.COALESCE(?))",
                                          "INSERT INTO t VALUES (`f`(?))",
                                          "INSERT INTO t VALUES (@n := @n + ?)",
                                          "INSERT INTO t VALUES (?) /*! RETURNING a */",
                                          "INSERT INTO t VALUES (?) # x",
                                          "INSERT INTO t VALUES (?) -- x",
                                          "INSERT INTO t VALUES (NEXT VALUE FOR s, ?)",
                                          "INSERT INTO t VALUES ('?",
                                          "INSERT INTO t SET a = ?",
                                          "INSERT"};
    (void)state;
    for (size_t i = 0; i < sizeof inserts / sizeof *inserts; i++)
        assert_string_equal(table_of(BELAYI_SQL_INSERT, inserts[i]), "none");
    assert_string_equal(table_of(BELAYI_SQL_UPDATE, "UPDATE t, u SET t.a = ?"), "none");
    assert_string_equal(table_of(BELAYI_SQL_UPDATE, "UPDATE t JOIN u SET t.a = ?"), "none");
    assert_string_equal(table_of(BELAYI_SQL_UPDATE, "UPDATE t AS x SET a = ?"), "none");
    assert_string_equal(table_of(BELAYI_SQL_DELETE, "DELETE FROM t, u USING t JOIN u"), "none");
    assert_string_equal(table_of(BELAYI_SQL_DELETE, "DELETE t FROM t WHERE a = ?"), "none");
    assert_string_equal(table_of(BELAYI_SQL_OTHER, "CALL t(?)"), "none");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_statement_of_values_names_its_table),
                                       cmocka_unit_test(what_may_do_more_is_not_plain)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
