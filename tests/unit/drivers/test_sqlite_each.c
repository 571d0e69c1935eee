/*
 * Many rows of one statement: which are written together, and what must be the same when they are.
 *
 * That it is the same as each by itself is shown by tests/import for random tables; here is when it is done at all, and
 * what those tables don't have.
 */
#include "sqlite_rig.h"

#include <sqlite3.h>
#include <time.h>

#include "conn.h"

enum { ROWS = 200, MOST = 400000 };

static rig r;
static belay_conn *conn;
static int64_t changes;
static size_t rejected[ROWS], rejected_count;
static belay_error rejection; /* the last one */

static int set_up(void **state)
{
    (void)state;
    rig_init(&r, "");
    conn = rig_connect(&r);
    changes = 0;
    rejected_count = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    rig_done(&r);
    return 0;
}

static bool note(void *arg, size_t row, belay_error *error)
{
    (void)arg;
    if (rejected_count < ROWS)
        rejected[rejected_count] = row;
    rejected_count++;
    rejection = *error;
    return true;
}

static const char *const names[] = {"a", "b"};
static const belay_target target = {"t", names};
static const char sql[] = "INSERT INTO t (a, b) VALUES (?, ?)";

/* a is 1, 2, 3, ...; b the same. */
static belay_value *make_rows(size_t rows)
{
    static belay_value values[2 * MOST];
    for (size_t i = 0; i < rows; i++)
        values[2 * i] = values[2 * i + 1] = belay_integer((int64_t)i + 1);
    return values;
}

static belay_code write_rows(belay_statement *statement, size_t rows, const belay_value *values)
{
    const belay_each each = {
        .rows = rows, .columns = 2, .values = values, .target = &target, .changes = &changes, .rejected = note};
    changes = 0;
    rejected_count = 0;
    return D->execute_each(statement, &each, &r.effect, &r.error);
}

/* Writes 200 rows into t inside the transaction, and tells whether it was together. */
static bool writes_together(void)
{
    belay_statement *statement = rig_prepare(&r, conn, sql, 2);
    assert_int_equal(write_rows(statement, ROWS, make_rows(ROWS)), BELAY_OK);
    bool together = ((belayi_sqlite_statement *)statement)->together != NULL;
    D->finalize(statement);
    return together;
}

/* The same with a table that is made by these statements. */
static bool would_be_together(const char *const *made)
{
    rig_must_begin(&r, conn);
    for (; *made; made++)
        rig_must(&r, conn, *made);
    bool together = writes_together();
    rig_must_rollback(&r, conn);
    return together;
}

/* ---- When ---------------------------------------------------------------------------------------------------- */

static void rows_of_usual_tables_are_written_together(void **state)
{
    static const char *const tables[][4] = {
        {"CREATE TABLE t (a, b)"},
        {"CREATE TABLE t (a INTEGER PRIMARY KEY, b NOT NULL CHECK (b > 0), c DEFAULT 7)"},
        {"CREATE TABLE t (a TEXT PRIMARY KEY, b UNIQUE, UNIQUE (a, b), CHECK (a <> b)) WITHOUT ROWID"},
        {"CREATE TABLE t (a INT, b INT) STRICT"},
        {"CREATE TABLE t (a, b)", "CREATE UNIQUE INDEX i ON t (a + b) WHERE b > 3"},
        {"CREATE TABLE p (id INTEGER PRIMARY KEY)",
         "CREATE TABLE t (a, b REFERENCES p (id) DEFERRABLE INITIALLY DEFERRED)"},
        {"CREATE TABLE t (a, b)", "CREATE TRIGGER after_update AFTER UPDATE ON t BEGIN SELECT 1; END"},
        {"CREATE TABLE t (a, b, c AS (a + b))"},
        {"CREATE TABLE t (a INTEGER PRIMARY KEY, b UNIQUE)",
         "CREATE TABLE child (x REFERENCES t (a), y REFERENCES t (b))"},
        {"CREATE TEMP TABLE t (a, b)"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        if (!would_be_together(tables[i]))
            fail_msg("%s: by themselves", tables[i][0]);
}

static void rows_are_written_by_themselves_where_together_is_not_the_same(void **state)
{
    static const char *const tables[][4] = {
        {"CREATE TABLE t (a, b)", "CREATE TRIGGER x BEFORE INSERT ON t BEGIN SELECT 1; END"},
        {"CREATE TABLE t (a, b)", "CREATE TEMP TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END"},
        {"CREATE TABLE p (id INTEGER PRIMARY KEY)", "CREATE TABLE t (a, b REFERENCES p (id))"},
        {"CREATE TABLE t (a INTEGER PRIMARY KEY, b REFERENCES t (a))"},
        {"CREATE TABLE t (a INTEGER PRIMARY KEY ON CONFLICT IGNORE, b)"},
        {"CREATE TABLE t (a UNIQUE ON CONFLICT REPLACE, b)"},
        {"CREATE TABLE t (a, b NOT NULL ON CONFLICT IGNORE)"},
        {"CREATE TABLE t (a, b, UNIQUE (b) ON CONFLICT FAIL)"},
        {"CREATE TABLE t (a, b UNIQUE ON CONFLICT ROLLBACK)"},
        {"CREATE TABLE t (i INTEGER PRIMARY KEY AUTOINCREMENT, a, b)"},
        {"CREATE TABLE t (a, b CHECK (length(b) < 20))"},
        {"CREATE TABLE u (a, b)", "CREATE VIEW t AS SELECT * FROM u",
         "CREATE TRIGGER x INSTEAD OF INSERT ON t BEGIN INSERT INTO u VALUES (NEW.a, NEW.b); END"},
        {"CREATE VIRTUAL TABLE t USING fts5 (a, b)"},
        {"CREATE TABLE t (a, b)", "CREATE TABLE belayi_rows (c0, c1)"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        if (would_be_together(tables[i]))
            fail_msg("%s; %s: together", tables[i][0], tables[i][1] ? tables[i][1] : "");
}

static void a_few_rows_are_not_worth_asking(void **state)
{
    (void)state;
    rig_must(&r, conn, "CREATE TABLE t (a, b)");
    rig_must_begin(&r, conn);
    belay_statement *statement = rig_prepare(&r, conn, sql, 2);
    assert_int_equal(write_rows(statement, 3, make_rows(3)), BELAY_OK);
    assert_null(((belayi_sqlite_statement *)statement)->together);
    assert_int_equal(changes, 3);
    D->finalize(statement);
    rig_must_commit(&r, conn);
}

static void the_answer_is_of_the_schema_as_it_is(void **state)
{
    static const char trigger[] = "CREATE TRIGGER x BEFORE INSERT ON t WHEN NEW.a = 3 BEGIN SELECT RAISE(ABORT, 'no'); "
                                  "END";
    (void)state;
    belay_conn *other = rig_connect(&r);
    rig_must(&r, conn, "CREATE TABLE t (a, b)");
    belay_statement *statement = rig_prepare(&r, conn, sql, 2);
    const bool wanted[] = {true, false, true, false};
    for (int i = 0; i < 4; i++) { /* as it was; another's trigger; dropped; and in this transaction */
        if (i == 1)
            rig_must(&r, other, trigger);
        if (i == 2)
            rig_must(&r, other, "DROP TRIGGER x");
        rig_must_begin(&r, conn);
        if (i == 3)
            rig_must(&r, conn, trigger);
        assert_int_equal(write_rows(statement, ROWS, make_rows(ROWS)), BELAY_OK);
        assert_int_equal(((belayi_sqlite_statement *)statement)->together != NULL, wanted[i]);
        assert_int_equal(rejected_count, wanted[i] ? 0 : 1);
        rig_must_rollback(&r, conn);
    }
    rig_must_begin(&r, conn); /* the trigger is gone with the transaction */
    assert_int_equal(write_rows(statement, ROWS, make_rows(ROWS)), BELAY_OK);
    assert_int_equal(rejected_count, 0);
    rig_must_commit(&r, conn);
    D->finalize(statement);
}

/* ---- What must be the same --------------------------------------------------------------------------------------- */

static void the_last_row_has_its_effect(void **state)
{
    (void)state;
    rig_must(&r, conn, "CREATE TABLE t (a UNIQUE, b)");
    rig_must_begin(&r, conn);
    belay_statement *statement = rig_prepare(&r, conn, sql, 2);
    belay_value *values = make_rows(ROWS);
    assert_int_equal(write_rows(statement, ROWS, values), BELAY_OK);
    assert_int_equal(changes, ROWS);
    assert_int_equal(r.effect.changes, 1);
    assert_true(r.effect.has_last_id && r.effect.last_id == ROWS);
    values[2 * 100] = belay_integer(1000); /* all others are there */
    assert_int_equal(write_rows(statement, ROWS, values), BELAY_OK);
    assert_int_equal(changes, 1);
    assert_int_equal(rejected_count, ROWS - 1);
    assert_int_equal(r.effect.changes, 0);
    assert_true(r.effect.has_last_id && r.effect.last_id == ROWS + 1);
    D->finalize(statement);
    rig_must_commit(&r, conn);
}

/* Column by column, as they are bound and as they are read from memory. */
static void assert_same_values(const char *encoding)
{
    static const char *const kinds[] = {"", "INTEGER", "TEXT", "BLOB", "REAL", "NUMERIC"};
    const belay_value all[] = {belay_null(),         belay_bool(true),          belay_integer(INT64_MIN),
                               belay_unsigned(7),    belay_real(7.0),           belay_real(1e300),
                               belay_text("12", 2),  belay_text("\xc3\xa9", 2), belay_text(NULL, 0),
                               belay_text("", 0),    belay_text(" 7 ", 3),      belay_blob("\0\xff", 2),
                               belay_blob("", 0),    belay_decimal("12.30"),    belay_decimal("123456789012345678.5"),
                               belay_timestamp(123), belay_text("1e3-cut", 3)};
    enum { KINDS = sizeof all / sizeof all[0] };
    belay_value *values = make_rows(ROWS);
    char text[120];
    rig_must(&r, conn, encoding);
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        rig_must(&r, conn, "DROP TABLE IF EXISTS t");
        snprintf(text, sizeof text, "CREATE TABLE t (a INTEGER PRIMARY KEY, b %s)", kinds[k]);
        rig_must(&r, conn, text);
        rig_must_begin(&r, conn);
        for (size_t i = 0; i < ROWS; i++)
            values[2 * i + 1] = all[i % KINDS];
        assert_true(writes_together());
        for (size_t i = 0; i < ROWS; i++) {
            values[2 * i] = belay_integer((int64_t)(i + 1001));
            assert_int_equal(rig_run_values(&r, conn, sql, 2, &values[2 * i]), BELAY_OK);
        }
        assert_int_equal(
            rig_ask(&r, conn,
                    "SELECT count(*) FROM t x JOIN t y ON y.a = x.a + 1000 WHERE x.b IS y.b AND typeof(x.b) "
                    "= typeof(y.b) AND hex(x.b) = hex(y.b)"),
            ROWS);
        rig_must_commit(&r, conn);
    }
}

static void values_are_stored_as_if_they_were_bound(void **state)
{
    (void)state;
    assert_same_values("PRAGMA encoding = 'UTF-8'");
}

static void values_are_stored_as_if_they_were_bound_in_other_encodings(void **state)
{
    (void)state;
    assert_same_values("PRAGMA encoding = 'UTF-16le'");
    assert_int_equal(rig_ask(&r, conn, "SELECT encoding = 'UTF-16le' FROM pragma_encoding"), 1);
}

static void a_value_that_is_too_long_is_refused_in_the_words_of_the_one_row(void **state)
{
    static char large[2002];
    (void)state;
    memset(large, 'x', sizeof large - 1);
    rig_must(&r, conn, "CREATE TABLE t (a, b)");
    rig_must_begin(&r, conn);
    sqlite3_limit(((belayi_sqlite_conn *)conn)->db, SQLITE_LIMIT_LENGTH, 2010);
    belay_statement *statement = rig_prepare(&r, conn, sql, 2);
    belay_value *values = make_rows(ROWS);
    values[2 * 70 + 1] = belay_text(large, 2000); /* of the row there is just too much */
    values[2 * 70] = belay_text(large, 100);
    values[2 * 80 + 1] = belay_text(large, 2001);
    values[2 * 80] = belay_text(large, 1);
    sqlite3_limit(((belayi_sqlite_conn *)conn)->db, SQLITE_LIMIT_LENGTH, 2000);
    assert_int_equal(write_rows(statement, ROWS, values), BELAY_OK);
    assert_int_equal(rejected_count, 2);
    assert_int_equal(rejected[0], 70);
    assert_int_equal(rejected[1], 80);
    assert_int_equal(rejection.code, BELAY_DATA);
    assert_string_equal(rejection.detail, "parameter 2 has 2001 bytes");
    assert_int_equal(rig_ask(&r, conn, "SELECT count(*) FROM t"), ROWS - 2);
    D->finalize(statement);
    rig_must_commit(&r, conn);
}

static void a_statement_that_leaves_something_is_undone_for_its_row_alone(void **state)
{
    (void)state;
    rig_must(&r, conn, "CREATE TABLE t (a UNIQUE, b)");
    rig_must_begin(&r, conn);
    belay_statement *statement = rig_prepare(&r, conn, "INSERT OR FAIL INTO t VALUES (?1, 1), (?2, 2)", 2);
    assert_false(D->self_contained(statement));
    belay_value *values = make_rows(ROWS);
    for (size_t i = 0; i < ROWS; i++) /* every third time the second row is the first one */
        values[2 * i + 1] = belay_integer(i % 3 == 0 ? (int64_t)i + 1 : 1000 + (int64_t)i);
    assert_int_equal(write_rows(statement, ROWS, values), BELAY_OK);
    assert_int_equal(rejected_count, (ROWS + 2) / 3);
    assert_int_equal(rig_ask(&r, conn, "SELECT count(*) FROM t"), 2 * (ROWS - (ROWS + 2) / 3));
    assert_int_equal(changes, 2 * (ROWS - (ROWS + 2) / 3));
    D->finalize(statement);
    rig_must_commit(&r, conn);
}

/* ---- What ends it ------------------------------------------------------------------------------------------------ */

static bool give_up(void *arg, size_t row, belay_error *error)
{
    rejected[0] = row;
    (void)arg;
    (void)error;
    return false;
}

static void a_caller_who_gives_up_gets_the_error_of_the_row(void **state)
{
    (void)state;
    rig_must(&r, conn, "CREATE TABLE t (a UNIQUE, b)");
    rig_must_begin(&r, conn);
    belay_statement *statement = rig_prepare(&r, conn, sql, 2);
    belay_value *values = make_rows(ROWS);
    values[2 * 90] = values[2 * 100] = belay_integer(5);
    const belay_each each = {
        .rows = ROWS, .columns = 2, .values = values, .target = &target, .changes = &changes, .rejected = give_up};
    assert_int_equal(D->execute_each(statement, &each, &r.effect, &r.error), BELAY_UNIQUE);
    assert_int_equal(r.error.code, BELAY_UNIQUE);
    assert_int_equal(rejected[0], 90);
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_OPEN);
    D->finalize(statement);
    rig_must_rollback(&r, conn);
}

static void a_deadline_that_passes_amid_the_rows_ends_the_transaction(void **state)
{
    (void)state;
    rig_must(&r, conn, "CREATE TABLE t (a, b)");
    belay_value *values = make_rows(MOST);
    belay_statement *statement = rig_prepare(&r, conn, sql, 2);
    rig_must_begin(&r, conn);
    assert_int_equal(write_rows(statement, ROWS, values), BELAY_OK);
    rig_limit(conn, 5000, 5);
    assert_int_equal(write_rows(statement, MOST, values), BELAY_TIMEOUT);
    rig_limit(conn, 5000, -1);
    assert_int_equal(rejected_count, 0);
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_NONE);
    assert_int_equal(rig_ask(&r, conn, "SELECT count(*) FROM t"), 0);
    assert_int_equal(D->rollback(conn, &r.error), BELAY_OK);
    rig_must_begin(&r, conn); /* and all goes on */
    assert_int_equal(write_rows(statement, ROWS, values), BELAY_OK);
    rig_must_commit(&r, conn);
    D->finalize(statement);
}

/* ---- Whose connection it is ------------------------------------------------------------------------------------- */

static void a_connection_that_the_program_has_too_is_left_alone(void **state)
{
    (void)state;
    rig_must(&r, conn, "CREATE TABLE t (a, b)");
    rig_must_begin(&r, conn);
    belay_statement *statement = rig_prepare(&r, conn, sql, 2);
    sqlite3 *db = D->native(conn);
    assert_int_equal(write_rows(statement, ROWS, make_rows(ROWS)), BELAY_UNSUPPORTED);
    assert_int_equal(sqlite3_exec(db, "SELECT * FROM belayi_rows", NULL, NULL, NULL), SQLITE_ERROR);
    assert_int_equal(rig_ask(&r, conn, "SELECT count(*) FROM t"), 0);
    D->finalize(statement);
    rig_must_rollback(&r, conn);
}

static void the_table_of_rows_is_empty_for_others_and_out_of_reach_of_the_schema(void **state)
{
    (void)state;
    rig_must(&r, conn, "CREATE TABLE t (a, b)");
    rig_must_begin(&r, conn);
    assert_true(writes_together());
    assert_int_equal(rig_ask(&r, conn, "SELECT count(*) FROM belayi_rows"), 0);
    rig_must(&r, conn, "CREATE VIEW v AS SELECT * FROM belayi_rows");
    assert_int_not_equal(rig_run(&r, conn, "INSERT INTO t SELECT c0, c1 FROM v"), BELAY_OK);
    rig_must_commit(&r, conn);
}

/* ---- The page cache --------------------------------------------------------------------------------------------- */

static int64_t cache_size(void)
{
    return rig_ask(&r, conn, "PRAGMA cache_size");
}

static void the_page_cache_is_wider_until_the_transaction_ends(void **state)
{
    (void)state;
    rig_must(&r, conn, "CREATE TABLE t (a, b)");
    int64_t before = cache_size();
    belay_statement *statement = rig_prepare(&r, conn, sql, 2);
    for (int commit = 0; commit < 2; commit++) {
        rig_must_begin(&r, conn);
        assert_int_equal(write_rows(statement, ROWS, make_rows(ROWS)), BELAY_OK);
        assert_int_equal(cache_size(), before);
        assert_int_equal(write_rows(statement, 2000, make_rows(2000)), BELAY_OK);
        assert_true(cache_size() < before); /* KiB, negative */
        if (commit)
            rig_must_commit(&r, conn);
        else
            rig_must_rollback(&r, conn);
        assert_int_equal(cache_size(), before);
    }
    D->finalize(statement);
}

static void a_page_cache_that_the_program_has_set_is_left_alone(void **state)
{
    static const char *const settings[] = {"PRAGMA cache_size = 50", "PRAGMA cache_size = -100000"};
    (void)state;
    rig_must(&r, conn, "CREATE TABLE t (a, b)");
    belay_statement *statement = rig_prepare(&r, conn, sql, 2);
    for (int i = 0; i < 2; i++) {
        rig_must(&r, conn, settings[i]);
        rig_must_begin(&r, conn);
        assert_int_equal(write_rows(statement, 2000, make_rows(2000)), BELAY_OK);
        assert_int_equal(cache_size(), i == 0 ? 50 : -100000);
        rig_must_commit(&r, conn);
    }
    D->finalize(statement);
}

#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(rows_of_usual_tables_are_written_together),
        T(rows_are_written_by_themselves_where_together_is_not_the_same),
        T(a_few_rows_are_not_worth_asking),
        T(the_answer_is_of_the_schema_as_it_is),
        T(the_last_row_has_its_effect),
        T(values_are_stored_as_if_they_were_bound),
        T(values_are_stored_as_if_they_were_bound_in_other_encodings),
        T(a_value_that_is_too_long_is_refused_in_the_words_of_the_one_row),
        T(a_statement_that_leaves_something_is_undone_for_its_row_alone),
        T(a_caller_who_gives_up_gets_the_error_of_the_row),
        T(a_deadline_that_passes_amid_the_rows_ends_the_transaction),
        T(a_connection_that_the_program_has_too_is_left_alone),
        T(the_table_of_rows_is_empty_for_others_and_out_of_reach_of_the_schema),
        T(the_page_cache_is_wider_until_the_transaction_ends),
        T(a_page_cache_that_the_program_has_set_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
