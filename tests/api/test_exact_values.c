/*
 * Decimals and timestamps as parameters, wrong numbers of values, and values
 * that are none.
 */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Decimals -------------------------------------------------------------------------------------------- */

static void a_decimal_arrives_with_every_digit(void **state)
{
    /* Where it is text, and where it is a number: every digit after the point is kept there too. */
    static const char *const good[][2] = {
        {"0", "0"},
        {"-12.30", "-12.30"},
        {"+1.5", "1.5"},
        {"00012.500", "12.500"},
        {"123456789012345678901234567890.123456789", "123456789012345678901234567890.123456789"},
        {"-0", "0"},
        {"0.1", "0.1"},
        {"99999999999999999999", "99999999999999999999"}};
    world *w = *state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        belay_exec(w->s, "DELETE FROM item");
        belay_exec(w->s, "INSERT INTO item VALUES (1, ?)", belay_decimal(good[i][0])); /* a TEXT column */
        assert_rows(w->s, "SELECT note FROM item", good[i][database_is_sqlite(&w->d) ? 0 : 1]);
    }
}

static void what_is_no_decimal_is_refused(void **state)
{
    static const char *const bad[] = {"",    "-",     "+",  ".",        "1.",   ".5",  "-.5", "1e5",
                                      "1E5", " 1",    "1 ", "1,5",      "0x10", "NaN", "inf", "--1",
                                      "+-1", "1.2.3", "1-", "\xD9\xA1", "1\n",  "12a"};
    world *w = *state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (belay_exec(w->s, "SELECT ?", belay_decimal(bad[i])) != BELAY_DATA)
            fail_msg("\"%s\" was not refused", bad[i]);
}

/* ---- Timestamps --------------------------------------------------------------------------------------------- */

static void a_timestamp_is_the_text_that_date_functions_read(void **state)
{
    static const struct {
        int64_t microseconds;
        const char *text;
    } moments[] = {
        {0, "1970-01-01 00:00:00.000000"},
        {-1, "1969-12-31 23:59:59.999999"},
        {951782400000000, "2000-02-29 00:00:00.000000"},
        {-2203891200000001, "1900-02-28 23:59:59.999999"},
        {1735689599123456, "2024-12-31 23:59:59.123456"},
        {INT64_C(-62167219200000000), "0000-01-01 00:00:00.000000"},
        {INT64_C(253402300799999999), "9999-12-31 23:59:59.999999"},
    };
    world *w = *state;
    only_on_sqlite(w);
    for (size_t i = 0; i < sizeof moments / sizeof moments[0]; i++)
        BELAY_EACH(row, w->s, "SELECT ?", belay_timestamp(moments[i].microseconds))
            assert_string_equal(belay_str(row, 0), moments[i].text);
    assert_int_equal(belay_int_of(w->s, "SELECT strftime('%s', ?)", belay_timestamp(951782400000000)), 951782400);
    assert_status(w->s, BELAY_OK);
}

static void a_timestamp_outside_the_years_0000_to_9999_is_refused(void **state)
{
    static const int64_t bad[] = {INT64_C(-62167219200000001), INT64_C(253402300800000000), INT64_MIN, INT64_MAX,
                                  INT64_MIN + 1};
    world *w = *state;
    only_on_sqlite(w);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_code(belay_exec(w->s, "SELECT ?", belay_timestamp(bad[i])), BELAY_DATA);
}

/* ---- How many ------------------------------------------------------------------------------------------------- */

static void the_wrong_number_of_values_is_misuse(void **state)
{
    world *w = *state;
    assert_code(belay_exec(w->s, "SELECT ?"), BELAY_MISUSE);
    assert_code(belay_exec(w->s, "SELECT ?, ?", 1), BELAY_MISUSE);
    assert_code(belay_exec(w->s, "SELECT 1", 1), BELAY_MISUSE);
    assert_code(belay_exec(w->s, "SELECT ?", 1, 2), BELAY_MISUSE);
    assert_code(belay_exec(w->s, "SELECT ?3", 1, 2), BELAY_MISUSE);
    assert_code(belay_exec(w->s, "SELECT :a, :a, :b", 1, 2, 3), BELAY_MISUSE);
    assert_null(belay_query(w->s, "SELECT ?"));
    assert_null(belay_stream(w->s, "SELECT ?"));
    assert_int_equal(belay_int_of(w->s, "SELECT ?"), 0);
    assert_status(w->s, BELAY_MISUSE);
    assert_contains(belay_message(w->s), "1 parameter");
}

static void a_statement_with_too_few_values_does_not_run(void **state)
{
    world *w = *state;
    assert_code(belay_exec(w->s, "INSERT INTO item(id, note) VALUES (1, ?)"), BELAY_MISUSE);
    assert_stored(w, "");
}

static void values_that_were_announced_and_not_given_are_misuse(void **state)
{
    world *w = *state;
    assert_code(belay_exec_values(w->s, "SELECT ?", 1, NULL), BELAY_MISUSE);
    assert_null(belay_query_values(w->s, "SELECT ?", 1, NULL));
    assert_null(belay_stream_values(w->s, "SELECT ?", 1, NULL));
    assert_int_equal(belay_int_of_values(w->s, "SELECT ?", 1, NULL), 0);
    assert_code(belay_try_values(w->s, "SELECT ?", 1, NULL), BELAY_MISUSE);
    assert_code(belay_exec_values(w->s, "SELECT 1", 0, NULL), BELAY_OK);
}

static void a_type_that_there_is_not_is_misuse(void **state)
{
    world *w = *state;
    belay_value value = belay_integer(1);
    value.type = (belay_type)77;
    assert_code(belay_exec_values(w->s, "SELECT ?", 1, &value), BELAY_MISUSE);
    value.type = (belay_type)-1;
    assert_code(belay_exec_values(w->s, "SELECT ?", 1, &value), BELAY_MISUSE);
}

static void from_no_to_thirty_two_values_by_the_macro(void **state)
{
    world *w = *state;
    assert_int_equal(belay_int_of(w->s, "SELECT 7"), 7);
    assert_int_equal(
        belay_int_of(w->s,
                     "SELECT ?1+?2+?3+?4+?5+?6+?7+?8+?9+?10+?11+?12+?13+?14+?15+?16+?17+?18+?19+?20+?21+?22+?23"
                     "+?24+?25+?26+?27+?28+?29+?30+?31+?32",
                     1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27,
                     28, 29, 30, 31, 32),
        528);
}

static void as_many_values_as_placeholders_may_have_numbers(void **state)
{
    enum { MOST = 65535 };
    world *w = *state;
    belay_value *values = malloc((MOST + 1) * sizeof *values);
    for (int i = 0; i <= MOST; i++)
        values[i] = belay_integer(i + 1);
    assert_int_equal(belay_int_of_values(w->s, "SELECT ?1 + ?65535", MOST, values), 1 + MOST);
    assert_status(w->s, BELAY_OK);
    assert_int_equal(belay_int_of_values(w->s, "SELECT ?1 + ?65536", MOST + 1, values), 0);
    assert_status(w->s, BELAY_MISUSE);
    assert_int_equal(belay_int_of_values(w->s, "SELECT ?1", MOST + 1, values), 0);
    assert_status(w->s, BELAY_MISUSE);
    free(values);
}

static void thousands_of_placeholders_in_one_statement(void **state)
{
    enum { MANY = 5000 };
    world *w = *state;
    char *sql = malloc(MANY * 4 + 80), *end = sql + sprintf(sql, "SELECT sum(a) FROM (SELECT 0 AS a UNION ALL VALUES ");
    belay_value *values = malloc(MANY * sizeof *values);
    for (int i = 0; i < MANY; i++) {
        end += sprintf(end, "%s(?)", i ? "," : "");
        values[i] = belay_integer(i + 1);
    }
    strcpy(end, ") AS v");
    assert_int_equal(belay_int_of_values(w->s, sql, MANY, values), MANY * (MANY + 1) / 2);
    assert_status(w->s, BELAY_OK);
    free(values);
    free(sql);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(a_decimal_arrives_with_every_digit),
        in_world(what_is_no_decimal_is_refused),
        in_world(a_timestamp_is_the_text_that_date_functions_read),
        in_world(a_timestamp_outside_the_years_0000_to_9999_is_refused),
        in_world(the_wrong_number_of_values_is_misuse),
        in_world(a_statement_with_too_few_values_does_not_run),
        in_world(values_that_were_announced_and_not_given_are_misuse),
        in_world(a_type_that_there_is_not_is_misuse),
        in_world(from_no_to_thirty_two_values_by_the_macro),
        in_world(as_many_values_as_placeholders_may_have_numbers),
        in_world(thousands_of_placeholders_in_one_statement),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
