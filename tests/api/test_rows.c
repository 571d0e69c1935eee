/*
 * Results held in memory: their columns, their values, and how long they live.
 */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static belay_rows *first_row(belay_session *s, const char *sql)
{
    belay_rows *rows = belay_query(s, sql);
    assert_true(belay_next(rows));
    return rows;
}

/* ---- Columns --------------------------------------------------------------------------------------------- */

static void columns_have_numbers_and_names(void **state)
{
    world *w = *state;
    bool nameless = database_is_sqlite(&w->d) || database_is_mariadb(&w->d); /* PostgreSQL has no empty names */
    belay_rows *rows = belay_query(w->s, nameless ? "SELECT 1 AS one, 2 AS \"Two Words\", 3 AS one, 4 AS \"\""
                                                  : "SELECT 1 AS one, 2 AS \"Two Words\", 3 AS one, 4 AS \" \"");
    assert_int_equal(belay_columns(rows), 4);
    assert_string_equal(belay_column_name(rows, 0), "one");
    assert_string_equal(belay_column_name(rows, 1), "Two Words");
    assert_string_equal(belay_column_name(rows, 3), nameless ? "" : " ");
    assert_int_equal(belay_column(rows, "one"), 0); /* the first of that name */
    assert_int_equal(belay_column(rows, "Two Words"), 1);
    assert_int_equal(belay_column(rows, "two words"), -1); /* as the engine spells it */
    assert_int_equal(belay_column(rows, "three"), -1);
    assert_int_equal(belay_column(rows, NULL), -1);
    assert_null(belay_column_name(rows, -1));
    assert_null(belay_column_name(rows, 4));
    belay_rows_close(rows);
    assert_status(w->s, BELAY_OK); /* asking for a column that is not there is no misuse */
}

static void a_result_may_have_no_rows_or_no_columns(void **state)
{
    world *w = *state;
    belay_rows *rows = belay_query(w->s, "SELECT id, note FROM item");
    assert_non_null(rows);
    assert_int_equal(belay_columns(rows), 2);
    assert_string_equal(belay_column_name(rows, 1), "note");
    assert_false(belay_next(rows));
    assert_false(belay_next(rows));
    belay_rows_close(rows);
    rows = belay_query(w->s, "INSERT INTO item(id) VALUES (1)");
    assert_non_null(rows);
    assert_int_equal(belay_columns(rows), 0);
    assert_false(belay_next(rows));
    belay_rows_close(rows);
    assert_status(w->s, BELAY_OK);
    assert_stored(w, "1");
}

static void many_columns(void **state)
{
    enum { COLUMNS = 1500 };
    world *w = *state;
    char *sql = malloc(COLUMNS * 8), *end = sql + sprintf(sql, "SELECT 0");
    for (int i = 1; i < COLUMNS; i++)
        end += sprintf(end, ",%d", i);
    belay_rows *rows = first_row(w->s, sql);
    assert_int_equal(belay_columns(rows), COLUMNS);
    for (int i = 0; i < COLUMNS; i++)
        assert_int_equal(belay_int(rows, i), i);
    belay_rows_close(rows);
    assert_int_equal(belay_int_of(w->s, sql), 0);
    free(sql);
    assert_status(w->s, BELAY_OK);
}

/* ---- Values ----------------------------------------------------------------------------------------------------- */

static void each_value_has_its_own_type(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    static const belay_type types[] = {BELAY_TYPE_NULL, BELAY_TYPE_INT, BELAY_TYPE_DOUBLE, BELAY_TYPE_TEXT,
                                       BELAY_TYPE_BLOB};
    belay_rows *rows = first_row(w->s, "SELECT NULL, 1, 1.5, 'a', x'00ff' UNION ALL SELECT x'01', 'b', 2, NULL, 2.5");
    for (int i = 0; i < 5; i++) {
        assert_int_equal(belay_type_of(rows, i), types[i]);
        assert_int_equal(belay_is_null(rows, i), i == 0);
    }
    assert_true(belay_next(rows));
    assert_int_equal(belay_type_of(rows, 0), BELAY_TYPE_BLOB);
    assert_int_equal(belay_type_of(rows, 2), BELAY_TYPE_INT);
    assert_true(belay_is_null(rows, 3));
    belay_rows_close(rows);
}

static void null_is_zero_or_null_and_no_error(void **state)
{
    world *w = *state;
    belay_rows *rows = first_row(w->s, "SELECT NULL");
    assert_int_equal(belay_int(rows, 0), 0);
    assert_true(belay_double(rows, 0) <= 0.0 && belay_double(rows, 0) >= 0.0);
    assert_null(belay_str(rows, 0));
    assert_null(belay_bytes(rows, 0));
    assert_int_equal(belay_size(rows, 0), 0);
    belay_rows_close(rows);
    assert_int_equal(belay_int_of(w->s, "SELECT NULL"), 0);
    assert_status(w->s, BELAY_OK);
}

static void what_is_a_whole_integer_is_read_as_one(void **state)
{
    static const struct {
        const char *sql;
        int64_t number;
    } good[] = {{"SELECT 7", 7},
                {"SELECT '42'", 42},
                {"SELECT '-42'", -42},
                {"SELECT '+7'", 7},
                {"SELECT '007'", 7},
                {"SELECT 9223372036854775807", INT64_MAX},
                {"SELECT -9223372036854775807 - 1", INT64_MIN},
                {"SELECT '9223372036854775807'", INT64_MAX},
                {"SELECT '-9223372036854775808'", INT64_MIN}};
    world *w = *state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        belay_rows *rows = first_row(w->s, good[i].sql);
        assert_true(belay_int(rows, 0) == good[i].number);
        belay_rows_close(rows);
        assert_true(belay_int_of(w->s, good[i].sql) == good[i].number);
    }
    assert_status(w->s, BELAY_OK);
}

static void any_other_value_that_is_no_integer_is_data_and_zero(void **state)
{
    static const char *const bad[] = {"SELECT 'abc'",
                                      "SELECT ''",
                                      "SELECT '4x'",
                                      "SELECT 'x4'",
                                      "SELECT ' 42'",
                                      "SELECT '42 '",
                                      "SELECT '4.2'",
                                      "SELECT '0x10'",
                                      "SELECT '1e3'",
                                      "SELECT '9223372036854775808'",
                                      "SELECT '-9223372036854775809'",
                                      "SELECT '99999999999999999999999'",
                                      "SELECT 1.5",
                                      "SELECT 1e300",
                                      "SELECT 9.3e18",
                                      "SELECT -1e19",
                                      "SELECT 9e999",
                                      "SELECT x'31'",
                                      "SELECT x''",
                                      "SELECT '-'",
                                      "SELECT '+'",
                                      "SELECT CAST(x'310032' AS TEXT)"};
    world *w = *state;
    only_on_sqlite(w);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        BELAY_ATOMIC(w->s) {
            put(w->s, 1);
            belay_rows *rows = first_row(w->s, bad[i]);
            assert_int_equal(belay_int(rows, 0), 0);
            belay_rows_close(rows);
        }
        if (belay_status(w->s) != BELAY_DATA)
            fail_msg("%s: %s", bad[i], belay_message(w->s));
        assert_stored(w, "");
        assert_int_equal(belay_int_of(w->s, bad[i]), 0);
        assert_status(w->s, BELAY_DATA);
    }
}

static void what_is_a_whole_number_is_read_as_a_double(void **state)
{
    static const struct {
        const char *sql;
        double number;
    } good[] = {{"SELECT 7", 7.0},
                {"SELECT 1.5", 1.5},
                {"SELECT '1.5'", 1.5},
                {"SELECT '-1.5e3'", -1500.0},
                {"SELECT '+3'", 3.0},
                {"SELECT '.5'", 0.5},
                {"SELECT 9007199254740993", 9007199254740992.0}};
    world *w = *state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        belay_rows *rows = first_row(w->s, good[i].sql);
        double number = belay_double(rows, 0);
        assert_memory_equal(&number, &good[i].number, sizeof number);
        belay_rows_close(rows);
    }
    assert_status(w->s, BELAY_OK);
}

static void any_other_value_that_is_no_number_is_data_and_zero(void **state)
{
    static const char *const bad[] = {"SELECT 'abc'", "SELECT ''",    "SELECT '1.5x'", "SELECT ' 1'",
                                      "SELECT '1 '",  "SELECT 'nan'", "SELECT 'inf'",  "SELECT '0x10'",
                                      "SELECT x'31'", "SELECT '-'",   "SELECT '.'",    "SELECT 'e5'",
                                      "SELECT '1e'",  "SELECT '1,5'", "SELECT '1.2.3'"};
    world *w = *state;
    only_on_sqlite(w);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        belay_rows *rows = first_row(w->s, bad[i]);
        double number = belay_double(rows, 0);
        assert_true(number <= 0.0 && number >= 0.0);
        belay_rows_close(rows);
        if (belay_status(w->s) != BELAY_DATA)
            fail_msg("%s: %s", bad[i], belay_message(w->s));
    }
}

static void a_bad_value_names_its_column(void **state)
{
    world *w = *state;
    belay_rows *rows = first_row(w->s, "SELECT 1 AS a, 'x' AS b");
    belay_int(rows, 1);
    belay_rows_close(rows);
    assert_string_equal(belay_pending(w->s)->column, "b");
}

static void numbers_are_written_as_the_engine_writes_them(void **state)
{
    static const char *const numbers[] = {"0",
                                          "-1",
                                          "9223372036854775807",
                                          "-9223372036854775808",
                                          "0.1",
                                          "1.0",
                                          "-1.0",
                                          "100.0",
                                          "1e15",
                                          "1e16",
                                          "1e100",
                                          "-1e100",
                                          "1e-5",
                                          "0.0001",
                                          "1.0/3",
                                          "2e10",
                                          "123456789012345.0",
                                          "123456789012345678.0",
                                          "1.7976931348623157e308",
                                          "4.9e-324",
                                          "2.5e-310",
                                          "0.0"};
    world *w = *state;
    char sql[128];
    only_on_sqlite(w);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        snprintf(sql, sizeof sql, "SELECT %s, CAST(%s AS TEXT)", numbers[i], numbers[i]);
        belay_rows *rows = first_row(w->s, sql);
        assert_string_equal(belay_str(rows, 0), belay_str(rows, 1));
        assert_int_equal(belay_size(rows, 0), strlen(belay_str(rows, 1)));
        assert_memory_equal(belay_bytes(rows, 0), belay_str(rows, 1), belay_size(rows, 1));
        belay_rows_close(rows);
    }
}

static void infinities_and_minus_zero_are_written_as_the_engine_writes_them(void **state)
{
    static const char *const numbers[] = {"9e999", "-9e999", "-0.0"};
    world *w = *state;
    char sql[128];
    only_on_sqlite(w);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        snprintf(sql, sizeof sql, "SELECT %s, CAST(%s AS TEXT)", numbers[i], numbers[i]);
        belay_rows *rows = first_row(w->s, sql);
        assert_string_equal(belay_str(rows, 0), belay_str(rows, 1));
        belay_rows_close(rows);
    }
}

static void bytes_of_texts_and_blobs_are_whole(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    belay_rows *rows = first_row(w->s, "SELECT x'610062', CAST(x'610062' AS TEXT), '', x''");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(belay_size(rows, i), 3);
        assert_memory_equal(belay_bytes(rows, i), "a\0b", 4); /* with the NUL at its end */
    }
    for (int i = 2; i < 4; i++) {
        assert_int_equal(belay_size(rows, i), 0);
        assert_non_null(belay_bytes(rows, i)); /* empty is not NULL */
        assert_non_null(belay_str(rows, i));
        assert_false(belay_is_null(rows, i));
    }
    belay_rows_close(rows);
}

/* ---- Misuse ----------------------------------------------------------------------------------------------------- */

static void read_column(const belay_rows *rows, int column, int how)
{
    switch (how) {
    case 0:
        assert_int_equal(belay_int(rows, column), 0);
        break;
    case 1:
        assert_true(belay_double(rows, column) <= 0.0);
        break;
    case 2:
        assert_null(belay_str(rows, column));
        break;
    case 3:
        assert_null(belay_bytes(rows, column));
        break;
    case 4:
        assert_int_equal(belay_size(rows, column), 0);
        break;
    case 5:
        belay_is_null(rows, column);
        break;
    default:
        assert_int_equal(belay_type_of(rows, column), BELAY_TYPE_NULL);
        break;
    }
}

static void a_column_that_does_not_exist_is_misuse(void **state)
{
    static const int columns[] = {-1, 2, 1000000, INT32_MIN, INT32_MAX};
    world *w = *state;
    for (int how = 0; how < 7; how++)
        for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
            BELAY_ATOMIC(w->s) {
                put(w->s, 1);
                BELAY_EACH(row, w->s, "SELECT 1, 2")
                    read_column(row, columns[i], how);
            }
            assert_status(w->s, BELAY_MISUSE);
            assert_stored(w, "");
        }
}

static void reading_before_the_first_row_or_after_the_last_is_misuse(void **state)
{
    world *w = *state;
    for (int how = 0; how < 7; how++) {
        belay_rows *rows = belay_query(w->s, "SELECT 1");
        read_column(rows, 0, how);
        assert_status(w->s, BELAY_MISUSE);
        put(w->s, how);
        assert_true(belay_next(rows));
        assert_false(belay_next(rows));
        read_column(rows, 0, how);
        assert_status(w->s, BELAY_MISUSE);
        belay_rows_close(rows);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(columns_have_numbers_and_names),
        in_world(a_result_may_have_no_rows_or_no_columns),
        in_world(many_columns),
        in_world(each_value_has_its_own_type),
        in_world(null_is_zero_or_null_and_no_error),
        in_world(what_is_a_whole_integer_is_read_as_one),
        in_world(any_other_value_that_is_no_integer_is_data_and_zero),
        in_world(what_is_a_whole_number_is_read_as_a_double),
        in_world(any_other_value_that_is_no_number_is_data_and_zero),
        in_world(a_bad_value_names_its_column),
        in_world(numbers_are_written_as_the_engine_writes_them),
        in_world(infinities_and_minus_zero_are_written_as_the_engine_writes_them),
        in_world(bytes_of_texts_and_blobs_are_whole),
        in_world(a_column_that_does_not_exist_is_misuse),
        in_world(reading_before_the_first_row_or_after_the_last_is_misuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
