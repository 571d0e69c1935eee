/*
 * test_guess.c - the type of a column, from texts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "guess.h"

static const belay_driver driver = {.timestamp_type = "MOMENTS", .text_type = "TEXTS"};

static void feed(belayi_guess *g, const char *text, belayi_field_kind kind)
{
    const belayi_field field = {text, strlen(text), kind};
    belayi_guess_feed(g, &field);
}

static const char *written(const belayi_guess *g, bool key)
{
    static char type[64];
    belayi_guess_write(g, &driver, key, type, sizeof type);
    return type;
}

/* Of texts with | between them. */
static const char *guess(const char *texts)
{
    char text[400];
    belayi_guess g;
    belayi_guess_init(&g);
    for (const char *at = texts; at; at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL) {
        snprintf(text, sizeof text, "%.*s", (int)strcspn(at, "|"), at);
        feed(&g, text, BELAYI_FIELD_BARE);
    }
    return written(&g, false);
}

static void whole_numbers_as_they_come_back_are_integers(void **state)
{
    (void)state;
    assert_string_equal(guess("1|-20|0|9223372036854775807"), "BIGINT");
    assert_string_equal(guess("1|9223372036854775808"), "NUMERIC(38,0)");
    assert_string_equal(guess("1|007"), "VARCHAR(255)");
    assert_string_equal(guess("1|+7"), "VARCHAR(255)");
    assert_string_equal(guess("0|-0"), "VARCHAR(255)");
    assert_string_equal(guess("1|00"), "VARCHAR(255)");
    assert_string_equal(guess("1| 2"), "VARCHAR(255)");
    assert_string_equal(guess("1|x"), "VARCHAR(255)");
    assert_string_equal(guess("x|1"), "VARCHAR(255)");
    assert_string_equal(guess("1|"), "VARCHAR(255)");
}

static void decimals_have_the_most_digits_behind_the_point_and_room_before_it(void **state)
{
    (void)state;
    assert_string_equal(guess("1.50|-20|0.5"), "NUMERIC(18,2)");
    assert_string_equal(guess("1.5|20.125|0"), "NUMERIC(18,3)");
    assert_string_equal(guess("123456789012345678.5"), "NUMERIC(38,1)");
    assert_string_equal(guess("1.5|00.5"), "VARCHAR(255)");
    assert_string_equal(guess("1.5|.5"), "VARCHAR(255)");
    assert_string_equal(guess("1.5|5."), "VARCHAR(255)");
    assert_string_equal(guess("0.1234567|12.5"), "DOUBLE PRECISION");
    assert_string_equal(guess("0.1234567890123456789"), "NUMERIC(38,19)");
    assert_string_equal(guess("1234567890123456789012345678901234567890.5"), "VARCHAR(255)");
}

static void an_exponent_makes_binary_numbers(void **state)
{
    (void)state;
    assert_string_equal(guess("1e3|2.5|7"), "DOUBLE PRECISION");
    assert_string_equal(guess("2.5|1E-3"), "DOUBLE PRECISION");
    assert_string_equal(guess("1e"), "VARCHAR(255)");
}

static void only_true_and_false_are_booleans(void **state)
{
    (void)state;
    assert_string_equal(guess("true|FALSE"), "BOOLEAN");
    assert_string_equal(guess("true|1"), "VARCHAR(255)");
    assert_string_equal(guess("yes|no"), "VARCHAR(255)");
    assert_string_equal(guess("0|1"), "BIGINT");
}

static void dates_and_timestamps_are_kept_apart(void **state)
{
    (void)state;
    assert_string_equal(guess("2026-01-01|2024-02-29"), "DATE");
    assert_string_equal(guess("2026-01-01|2026-02-29"), "VARCHAR(255)");
    assert_string_equal(guess("2026-01-01 10:00:00|2026-01-01T10:00:00.123456"), "MOMENTS");
    assert_string_equal(guess("2026-01-01 10:00:00.1234567"), "VARCHAR(255)");
    assert_string_equal(guess("2026-01-01 10:00:00Z"), "VARCHAR(255)");
    assert_string_equal(guess("2026-01-01|2026-01-01 10:00:00"), "VARCHAR(255)");
    assert_string_equal(guess("01/02/2026"), "VARCHAR(255)");
}

static void a_text_that_is_not_short_has_no_bound_but_in_a_key(void **state)
{
    (void)state;
    char text[60];
    belayi_guess g;
    memset(text, 'x', sizeof text);
    text[50] = '\0';
    assert_string_equal(guess(text), "VARCHAR(255)");
    text[50] = 'x';
    text[51] = '\0';
    assert_string_equal(guess(text), "TEXTS");
    for (int i = 0; i < 50; i += 2)
        memcpy(text + i, "\xC3\xA9", 2); /* characters are counted */
    assert_string_equal(guess(text), "VARCHAR(255)");
    belayi_guess_init(&g);
    memset(text, 'x', sizeof text - 1);
    text[59] = '\0';
    feed(&g, text, BELAYI_FIELD_BARE);
    assert_string_equal(written(&g, true), "VARCHAR(255)");
}

static void null_says_nothing_of_the_type(void **state)
{
    (void)state;
    belayi_guess g;
    belayi_guess_init(&g);
    feed(&g, "", BELAYI_FIELD_NULL);
    assert_string_equal(written(&g, false), "TEXTS");
    feed(&g, "12", BELAYI_FIELD_QUOTED);
    feed(&g, "", BELAYI_FIELD_MISSING);
    assert_string_equal(written(&g, false), "BIGINT");
    feed(&g, "[1]", BELAYI_FIELD_NESTED);
    assert_string_equal(written(&g, false), "VARCHAR(255)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_numbers_as_they_come_back_are_integers),
        cmocka_unit_test(decimals_have_the_most_digits_behind_the_point_and_room_before_it),
        cmocka_unit_test(an_exponent_makes_binary_numbers),
        cmocka_unit_test(only_true_and_false_are_booleans),
        cmocka_unit_test(dates_and_timestamps_are_kept_apart),
        cmocka_unit_test(a_text_that_is_not_short_has_no_bound_but_in_a_key),
        cmocka_unit_test(null_says_nothing_of_the_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
