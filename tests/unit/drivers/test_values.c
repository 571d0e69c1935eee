/* What is true of a value on every engine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "values.h"

static belay_error error;

static void decimals_are_a_sign_digits_and_perhaps_a_point_with_digits(void **state)
{
    static const char *const good[] = {"0", "-12.30", "+1", "007", "123456789012345678901234567890.0001"};
    static const char *const bad[] = {"",    "-",  "+",  ".",   ".5",  "5.",  "1.2.3", "1e5",
                                      "--1", " 1", "1 ", "0x1", "NaN", "1,5", "-.5"};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(belayi_values_decimal(good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (belayi_values_decimal(bad[i], strlen(bad[i])))
            fail_msg("%s", bad[i]);
    assert_false(belayi_values_decimal("1\0", 2));
}

#define SECOND INT64_C(1000000)

static void moments_are_written_as_utc(void **state)
{
    static const struct {
        int64_t moment;
        const char *text;
    } known[] = {
        {0, "1970-01-01 00:00:00.000000"},
        {-1, "1969-12-31 23:59:59.999999"},
        {951782400 * SECOND, "2000-02-29 00:00:00.000000"},
        {INT64_C(1709251199) * SECOND + 5, "2024-02-29 23:59:59.000005"},
        {INT64_C(4107542400) * SECOND, "2100-03-01 00:00:00.000000"},
        {INT64_C(-2203891200) * SECOND, "1900-03-01 00:00:00.000000"},
        {INT64_C(-62167219200) * SECOND, "0000-01-01 00:00:00.000000"},
        {INT64_C(-62162035201) * SECOND, "0000-02-29 23:59:59.000000"},
        {INT64_C(253402300800) * SECOND - 1, "9999-12-31 23:59:59.999999"},
    };
    char text[BELAYI_TIMESTAMP_SIZE] = "same";
    (void)state;
    assert_false(belayi_values_timestamp(INT64_C(-62167219200) * SECOND - 1, text));
    assert_false(belayi_values_timestamp(INT64_C(253402300800) * SECOND, text));
    assert_false(belayi_values_timestamp(INT64_MIN, text));
    assert_false(belayi_values_timestamp(INT64_MAX, text));
    assert_string_equal(text, "same");
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        assert_true(belayi_values_timestamp(known[i].moment, text));
        assert_string_equal(text, known[i].text);
    }
}

static int days_in(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

static void every_day_of_ten_thousand_years_has_its_date(void **state)
{
    int64_t moment = INT64_C(-62167219200) * SECOND;
    char text[BELAYI_TIMESTAMP_SIZE];
    (void)state;
    for (int year = 0; year < 10000; year++)
        for (int month = 1; month <= 12; month++)
            for (int day = 1; day <= days_in(year, month); day++, moment += 86400 * SECOND) {
                assert_true(belayi_values_timestamp(moment, text));
                if (atoi(text) != year || atoi(text + 5) != month || atoi(text + 8) != day)
                    fail_msg("%04d-%02d-%02d is %s", year, month, day, text);
            }
    assert_int_equal(moment, INT64_C(253402300800) * SECOND);
}

static belay_code check(belay_value value)
{
    memset(&error, 0xA5, sizeof error);
    return belayi_values_check(&value, 3, &error);
}

static void a_value_that_fits_no_engine_is_refused_by_its_number(void **state)
{
    (void)state;
    assert_int_equal(check(belay_unsigned((uint64_t)INT64_MAX + 1)), BELAY_DATA);
    assert_int_equal(check(belay_text("a\0", 2)), BELAY_DATA);
    assert_non_null(strstr(error.message, "parameter 3 is no text: there is a NUL at byte 1"));
    assert_int_equal(check(belay_text("ab\xC0\x80", 4)), BELAY_DATA);
    assert_non_null(strstr(error.message, "byte 2"));
    assert_true(error.hint[0] != '\0');
    assert_int_equal(check(belay_decimal("x")), BELAY_DATA);
    assert_int_equal(check(belay_timestamp(INT64_MIN)), BELAY_DATA);
    assert_int_equal(check(belay_blob(NULL, 1)), BELAY_MISUSE);
    assert_int_equal(check(belay_text(NULL, 1)), BELAY_MISUSE);
    belay_value odd = {.type = (belay_type)-1};
    assert_int_equal(check(odd), BELAY_MISUSE);
}

static void a_value_that_fits_is_accepted_and_the_error_left_alone(void **state)
{
    (void)state;
    assert_int_equal(check(belay_null()), BELAY_OK);
    assert_int_equal((unsigned char)error.message[0], 0xA5);
    assert_int_equal(check(belay_bool(true)), BELAY_OK);
    assert_int_equal(check(belay_integer(INT64_MIN)), BELAY_OK);
    assert_int_equal(check(belay_unsigned(INT64_MAX)), BELAY_OK);
    assert_int_equal(check(belay_real(1)), BELAY_OK);
    assert_int_equal(check(belay_string("\xF4\x8F\xBF\xBF")), BELAY_OK);
    assert_int_equal(check(belay_blob("\0\xFF", 2)), BELAY_OK);
    assert_int_equal(check(belay_decimal("-1.0")), BELAY_OK);
    assert_int_equal(check(belay_timestamp(0)), BELAY_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decimals_are_a_sign_digits_and_perhaps_a_point_with_digits),
        cmocka_unit_test(moments_are_written_as_utc),
        cmocka_unit_test(every_day_of_ten_thousand_years_has_its_date),
        cmocka_unit_test(a_value_that_fits_no_engine_is_refused_by_its_number),
        cmocka_unit_test(a_value_that_fits_is_accepted_and_the_error_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
