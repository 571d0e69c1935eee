/* MariaDB's errors as Belay's codes, with the names that their texts hold. */
#include "mariadb_rig.h"

static int set_up_family(void **state)
{
    static const char *const statements[] = {
        "SET sql_mode = CONCAT(@@sql_mode, ',STRICT_TRANS_TABLES')",
        "DROP TABLE IF EXISTS child, parent, strict",
        "DROP PROCEDURE IF EXISTS raise",
        "CREATE TABLE parent (id INT PRIMARY KEY, name VARCHAR(4) NOT NULL, age INT, "
        "CONSTRAINT adult CHECK (age >= 18), UNIQUE KEY one_name (name))",
        "CREATE TABLE child (id INT PRIMARY KEY AUTO_INCREMENT, parent INT, "
        "CONSTRAINT of_parent FOREIGN KEY (parent) REFERENCES parent (id))",
        "CREATE PROCEDURE raise() SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'on purpose'",
        "INSERT INTO parent VALUES (1, 'ann', 20)",
        "INSERT INTO child VALUES (1, 1)"};
    set_up(state);
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++)
        rig_must(&r, conn, statements[i]);
    return 0;
}

typedef struct expectation {
    const char *sql;
    belay_code code;
    int number;
    const char *table, *column, *constraint;
} expectation;

static const expectation expectations[] = {
    {"INSERT INTO parent VALUES (1, 'bob', 20)", BELAY_UNIQUE, 1062, "", "", "PRIMARY"},
    {"INSERT INTO parent VALUES (2, 'ann', 20)", BELAY_UNIQUE, 1062, "", "", "one_name"},
    {"INSERT INTO child (parent) VALUES (7)", BELAY_FOREIGN_KEY, 1452, "child", "parent", "of_parent"},
    {"DELETE FROM parent", BELAY_FOREIGN_KEY, 1451, "child", "parent", "of_parent"},
    {"INSERT INTO parent VALUES (2, 'bob', 17)", BELAY_CHECK, 4025, "parent", "", "adult"},
    {"INSERT INTO parent VALUES (2, NULL, 20)", BELAY_NOT_NULL, 1048, "", "name", ""},
    {"INSERT INTO parent (id) VALUES (2)", BELAY_NOT_NULL, 1364, "", "name", ""},
    {"INSERT INTO parent VALUES (2, 'robert', 20)", BELAY_DATA, 1406, "", "name", ""},
    {"INSERT INTO parent VALUES (99999999999, 'bob', 20)", BELAY_DATA, 1264, "", "id", ""},
    {"INSERT INTO parent VALUES ('x', 'bob', 20)", BELAY_DATA, 1366, "parent", "id", ""},
    {"SELECT * FROM nowhere", BELAY_SCHEMA, 1146, "nowhere", "", ""},
    {"SELECT nothing FROM parent", BELAY_SCHEMA, 1054, "", "nothing", ""},
    {"SELEKT 1", BELAY_SYNTAX, 1064, "", "", ""},
    {"CALL raise()", BELAY_RAISED, 1644, "", "", ""},
    {"CALL nobody()", BELAY_SCHEMA, 1305, "", "", ""},
    {"SET SESSION max_statement_time = 0.05", BELAY_OK, 0, "", "", ""},
    {RIG_ENDLESS, BELAY_TIMEOUT, 1969, "", "", ""},
    {"SET SESSION max_statement_time = 0", BELAY_OK, 0, "", "", ""},
};

static void the_same_failure_has_the_same_code_and_its_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof expectations / sizeof *expectations; i++) {
        const expectation *e = &expectations[i];
        belay_code code = rig_run(&r, conn, e->sql);
        if (code != e->code)
            fail_msg("%s: %s %s", e->sql, belay_code_name(code), code == BELAY_OK ? "" : r.error.message);
        if (code == BELAY_OK)
            continue;
        assert_int_equal(r.error.native_code, e->number);
        assert_string_equal(r.error.table, e->table);
        assert_string_equal(r.error.column, e->column);
        assert_string_equal(r.error.constraint, e->constraint);
        assert_int_equal(r.error.outcome, BELAY_WORK_OPEN);
        assert_int_equal(strlen(r.error.sqlstate), 5);
    }
}

static void an_error_in_a_transaction_leaves_it_open_and_undoes_the_statement(void **state)
{
    (void)state;
    rig_must_begin(&r, conn);
    for (size_t i = 0; i < 14; i++) {
        assert_true(rig_run(&r, conn, expectations[i].sql) != BELAY_OK);
        assert_int_equal(D->status(conn), BELAY_TRANSACTION_OPEN);
    }
    assert_code(rig_run(&r, conn, "INSERT INTO parent VALUES (5, 'e', 20), (6, 'f', 20), (1, 'g', 20)"), BELAY_UNIQUE);
    rig_must_commit(&r, conn);
    assert_int_equal(rig_ask(&r, conn, "SELECT count(*) FROM parent"), 1);
}

/* Numbers that a healthy server does not give on demand. */
static void numbers_have_their_codes(void **state)
{
    static const struct {
        unsigned number;
        const char *state;
        belay_code code;
    } numbers[] = {
        {1213, "40001", BELAY_DEADLOCK},    {1020, "HY000", BELAY_SERIALIZATION}, {1205, "HY000", BELAY_LOCK_TIMEOUT},
        {3572, "HY000", BELAY_BUSY},        {1317, "70100", BELAY_CANCELLED},     {3024, "HY000", BELAY_TIMEOUT},
        {2006, "HY000", BELAY_CONNECTION},  {2013, "HY000", BELAY_CONNECTION},    {2055, "HY000", BELAY_CONNECTION},
        {1927, "70100", BELAY_CONNECTION},  {4031, "HY000", BELAY_CONNECTION},    {1290, "HY000", BELAY_READ_ONLY},
        {1021, "HY000", BELAY_DISK_FULL},   {1114, "HY000", BELAY_DISK_FULL},     {1194, "HY000", BELAY_CORRUPT},
        {1712, "HY000", BELAY_CORRUPT},     {1040, "08004", BELAY_TOO_MANY},      {1203, "42000", BELAY_TOO_MANY},
        {1045, "28000", BELAY_PERMISSION},  {1142, "42000", BELAY_PERMISSION},    {1216, "23000", BELAY_FOREIGN_KEY},
        {1217, "23000", BELAY_FOREIGN_KEY}, {1586, "23000", BELAY_UNIQUE},        {3819, "HY000", BELAY_CHECK},
        {1399, "XAE07", BELAY_MISUSE},      {1568, "25001", BELAY_MISUSE},        {7777, "23999", BELAY_INTEGRITY},
        {7777, "45001", BELAY_RAISED},
    };
    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        belay_code code = belayi_mariadb_describe(numbers[i].number, numbers[i].state, "text", &r.error);
        if (code != numbers[i].code)
            fail_msg("%u: %s", numbers[i].number, belay_code_name(code));
    }
    assert_code(belayi_mariadb_describe(1305, "42000", "SAVEPOINT x does not exist", &r.error), BELAY_MISUSE);
}

#define ON_FAMILY(test) cmocka_unit_test_setup_teardown(test, set_up_family, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_FAMILY(the_same_failure_has_the_same_code_and_its_names),
        ON_FAMILY(an_error_in_a_transaction_leaves_it_open_and_undoes_the_statement),
        ON_FAMILY(numbers_have_their_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
