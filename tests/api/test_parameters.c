/*
 * Values as parameters: every type, its extremes, and what is refused.
 */
#include "support.h"

#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Numbers ------------------------------------------------------------------------------------------- */

static void integers_of_every_kind_arrive_whole(void **state)
{
    world *w = *state;
    char c = 'x';
    signed char sc = SCHAR_MIN;
    unsigned char uc = UCHAR_MAX;
    short s = SHRT_MIN;
    unsigned short us = USHRT_MAX;
    assert_int_equal(belay_int_of(w->s, "SELECT ?", c), 'x');
    assert_int_equal(belay_int_of(w->s, "SELECT ?", sc), SCHAR_MIN);
    assert_int_equal(belay_int_of(w->s, "SELECT ?", uc), UCHAR_MAX);
    assert_int_equal(belay_int_of(w->s, "SELECT ?", s), SHRT_MIN);
    assert_int_equal(belay_int_of(w->s, "SELECT ?", us), USHRT_MAX);
    assert_int_equal(belay_int_of(w->s, "SELECT ?", INT_MIN), INT_MIN);
    assert_int_equal(belay_int_of(w->s, "SELECT ?", UINT_MAX), UINT_MAX);
    assert_true(belay_int_of(w->s, "SELECT ?", LONG_MIN) == LONG_MIN);
    assert_true(belay_int_of(w->s, "SELECT ?", LLONG_MAX) == LLONG_MAX);
    assert_true(belay_int_of(w->s, "SELECT ?", INT64_MIN) == INT64_MIN);
    assert_true(belay_int_of(w->s, "SELECT ?", (uint64_t)INT64_MAX) == INT64_MAX);
    assert_status(w->s, BELAY_OK);
}

static void an_unsigned_value_over_int64_max_is_refused(void **state)
{
    world *w = *state;
    assert_code(belay_exec(w->s, "SELECT ?", (uint64_t)INT64_MAX + 1), BELAY_DATA);
    assert_code(belay_exec(w->s, "SELECT ?", ULONG_MAX), BELAY_DATA);
    assert_code(belay_exec(w->s, "SELECT ?", ULLONG_MAX), BELAY_DATA);
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        belay_exec(w->s, "INSERT INTO item(id) VALUES (?)", SIZE_MAX);
    }
    assert_status(w->s, BELAY_DATA);
    assert_stored(w, "");
}

static double echo(belay_session *s, double number)
{
    double back = NAN;
    BELAY_EACH(row, s, "SELECT ?", number)
        back = belay_double(row, 0);
    return back;
}

static void doubles_arrive_to_the_last_bit(void **state)
{
    static const double numbers[] = {0.0,  1.5,  0.1,  1.0 / 3, DBL_MAX,     -DBL_MAX,           DBL_MIN,  4.9e-324,
                                     1e15, 1e16, 1e17, -1e300,  DBL_EPSILON, 9007199254740993.0, INFINITY, -INFINITY};
    world *w = *state;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        double back = echo(w->s, numbers[i]);
        if (isinf(numbers[i]) && database_is_mariadb(&w->d)) { /* which has no value for it */
            assert_status(w->s, BELAY_DATA);
            continue;
        }
        assert_memory_equal(&back, &numbers[i], sizeof back);
    }
    assert_true(echo(w->s, -0.0) <= 0.0 && echo(w->s, -0.0) >= 0.0);
    float single = 0.1F;
    assert_true(fabs(echo(w->s, single) - 0.1) < 1e-7);
    assert_status(w->s, BELAY_OK);
}

static void a_nan_is_refused_where_the_engine_would_store_null(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    assert_code(belay_exec(w->s, "SELECT ?", (double)NAN), BELAY_DATA);
    assert_code(belay_exec(w->s, "SELECT ?", -NAN), BELAY_DATA);
    assert_status(w->s, BELAY_DATA);
}

static void a_truth_value_is_zero_or_one(void **state)
{
    world *w = *state;
    bool truth = true;
    assert_int_equal(belay_int_of(w->s, "SELECT ?", truth), 1);
    assert_int_equal(belay_int_of(w->s, "SELECT ?", belay_bool(false)), 0);
    assert_int_equal(belay_int_of(w->s, "SELECT ?", true), 1);
}

static void null_is_null_however_it_is_said(void **state)
{
    world *w = *state;
    const char *nothing = NULL;
    assert_int_equal(belay_int_of(w->s, "SELECT coalesce(?, 'none') = 'none'", belay_null()), 1);
    assert_int_equal(belay_int_of(w->s, "SELECT coalesce(?, 'none') = 'none'", nothing), 1);
    assert_int_equal(belay_int_of(w->s, "SELECT coalesce(?, 'none') = 'none'", belay_string(NULL)), 1);
    assert_int_equal(belay_int_of(w->s, "SELECT coalesce(?, 'none') = 'none'", belay_text(NULL, 0)), 1);
    assert_int_equal(belay_int_of(w->s, "SELECT coalesce(?, 'none') = 'none'", belay_blob(NULL, 0)), 1);
    assert_int_equal(belay_int_of(w->s, "SELECT coalesce(?, 'none') = 'none'", belay_decimal(NULL)), 1);
    assert_status(w->s, BELAY_OK);
}

/* ---- Text and bytes ------------------------------------------------------------------------------------------ */

static void a_null_pointer_with_a_length_is_misuse(void **state)
{
    world *w = *state;
    assert_code(belay_exec(w->s, "SELECT ?", belay_text(NULL, 3)), BELAY_MISUSE);
    assert_code(belay_exec(w->s, "SELECT ?", belay_blob(NULL, 1)), BELAY_MISUSE);
    assert_code(belay_exec(w->s, "SELECT ?", belay_blob(NULL, SIZE_MAX)), BELAY_MISUSE);
    belay_value decimal = {.type = BELAY_TYPE_DECIMAL, .size = 2};
    assert_code(belay_exec(w->s, "SELECT ?", decimal), BELAY_MISUSE);
}

static void empty_is_not_null(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    assert_rows(w->s, "SELECT typeof(''), typeof(x'')", "text|blob");
    BELAY_EACH(row, w->s, "SELECT typeof(?1), length(?1), typeof(?2), length(?2), typeof(?3)", "", belay_blob("", 0),
               belay_text("abc", 0)) {
        assert_string_equal(belay_str(row, 0), "text");
        assert_int_equal(belay_int(row, 1), 0);
        assert_string_equal(belay_str(row, 2), "blob");
        assert_int_equal(belay_int(row, 3), 0);
        assert_string_equal(belay_str(row, 4), "text");
    }
    assert_status(w->s, BELAY_OK);
}

static void text_with_a_nul_is_refused(void **state)
{
    world *w = *state;
    assert_code(belay_exec(w->s, "SELECT ?", belay_text("a\0b", 3)), BELAY_DATA);
    assert_code(belay_exec(w->s, "SELECT ?", belay_text("\0", 1)), BELAY_DATA);
    assert_code(belay_exec(w->s, "SELECT ?", belay_text("abc", 4)), BELAY_DATA);
    assert_int_equal(belay_int_of(w->s, "SELECT length(?)", belay_blob("a\0b", 3)), 3);
    assert_status(w->s, BELAY_OK);
}

static void text_that_is_no_utf8_is_refused(void **state)
{
    static const char *const bad[] = {"\x80",
                                      "\xBF",
                                      "a\x80", /* a continuation alone */
                                      "\xC3",
                                      "\xE2\x82",
                                      "\xF0\x9F\x98",
                                      "a\xC3z", /* cut short */
                                      "\xC0\x80",
                                      "\xC0\xAF",
                                      "\xC1\xBF", /* two bytes for what needs one */
                                      "\xE0\x80\xAF",
                                      "\xE0\x9F\xBF", /* three for two */
                                      "\xF0\x80\x80\xAF",
                                      "\xF0\x8F\xBF\xBF", /* four for three */
                                      "\xED\xA0\x80",
                                      "\xED\xBF\xBF",
                                      "\xED\xA0\x80\xED\xB0\x80", /* surrogates */
                                      "\xF4\x90\x80\x80",
                                      "\xF5\x80\x80\x80",
                                      "\xF7\xBF\xBF\xBF", /* beyond the last character */
                                      "\xF8\x88\x80\x80\x80",
                                      "\xFC\x84\x80\x80\x80\x80",
                                      "\xFE",
                                      "\xFF",
                                      "ok so far \xFF and on"};
    world *w = *state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (belay_exec(w->s, "SELECT ?", bad[i]) != BELAY_DATA)
            fail_msg("number %d was not refused", (int)i);
        for (size_t before = 1; before < 40; before++) { /* however far into a text it stands */
            char text[64];
            snprintf(text, sizeof text, "%.*s%s%s", (int)before, "0123456789012345678901234567890123456789", bad[i],
                     "tail");
            assert_code(belay_exec(w->s, "SELECT ?", text), BELAY_DATA);
        }
    }
}

static void the_first_and_last_characters_of_each_length_are_text(void **state)
{
    static const char *const good[] = {"\x01",
                                       "\x7F",
                                       "\xC2\x80",
                                       "\xDF\xBF",
                                       "\xE0\xA0\x80",
                                       "\xED\x9F\xBF",
                                       "\xEE\x80\x80",
                                       "\xEF\xBF\xBF",
                                       "\xEF\xBB\xBF",
                                       "\xF0\x90\x80\x80",
                                       "\xF4\x8F\xBF\xBF",
                                       "%s",
                                       "?",
                                       "'"};
    world *w = *state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        BELAY_EACH(row, w->s, "SELECT ?", good[i])
            assert_string_equal(belay_str(row, 0), good[i]);
    assert_status(w->s, BELAY_OK);
}

static void values_are_always_bound_and_never_pasted(void **state)
{
    static const char *const texts[] = {"'",  "''", "'; DROP TABLE item; --", "\\'", "?", ":x", "$1", "%s%n", "\"",
                                        "/*", "--"};
    world *w = *state;
    for (int i = 0; i < (int)(sizeof texts / sizeof texts[0]); i++) {
        belay_exec(w->s, "INSERT INTO item(id, note) VALUES (?, ?)", i, texts[i]);
        assert_int_equal(belay_int_of(w->s, "SELECT id FROM item WHERE note = ?", texts[i]), i);
    }
    assert_status(w->s, BELAY_OK);
}

/* ---- Size and lifetime ----------------------------------------------------------------------------------------- */

static char *letters(size_t size)
{
    char *text = malloc(size + 1);
    assert_non_null(text);
    memset(text, 'a', size);
    text[size] = '\0';
    return text;
}

static void a_text_of_a_megabyte_comes_back_and_one_of_a_hundred_arrives(void **state)
{
    world *w = *state;
    bool too_large = database_is_mariadb(&w->d); /* for its max_allowed_packet, 16 MB where nobody set it */
    char *text = letters(1 << 20);
    belay_exec(w->s, "INSERT INTO item VALUES (1, ?)", text);
    BELAY_EACH(row, w->s, "SELECT note FROM item") {
        assert_int_equal(belay_size(row, 0), 1 << 20);
        assert_string_equal(belay_str(row, 0), text);
    }
    free(text);
    text = letters(100 << 20);
    int64_t length = belay_int_of(w->s, "SELECT length(?)", belay_text(text, 100 << 20));
    free(text);
    assert_status(w->s, too_large ? BELAY_DATA : BELAY_OK);
    assert_int_equal(length, too_large ? 0 : 100 << 20);
    assert_int_equal(belay_int_of(w->s, "SELECT length(?)", "abc"), 3); /* the connection is as good as before */
}

static void a_blob_that_no_engine_takes_is_an_error_and_no_crash(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    assert_code(belay_exec(w->s, "SELECT ?", belay_blob("x", SIZE_MAX)), BELAY_DATA);
    assert_code(belay_exec(w->s, "SELECT ?", belay_blob("x", (size_t)1 << 32)), BELAY_DATA);
    assert_code(belay_exec(w->s, "SELECT ?", belay_blob("x", INT_MAX)), BELAY_DATA);
    assert_code(belay_exec(w->s, "SELECT ?", 1), BELAY_OK);
}

static void buffers_may_be_freed_right_after_the_call(void **state)
{
    world *w = *state;
    char *text = letters(10), *blob = letters(10), *digits = malloc(8);
    snprintf(digits, 8, "12.50");
    belay_exec(w->s, "INSERT INTO item VALUES (1, ?)", text);
    belay_rows *rows = belay_query(w->s, "SELECT ?, ?, ?", text, belay_blob(blob, 10), belay_decimal(digits));
    belay_rows *stream = belay_stream(w->other, "SELECT ?, ?", text, belay_blob(blob, 10));
    memset(text, 'z', 10);
    free(text);
    free(blob);
    free(digits);
    assert_true(belay_next(rows) && belay_next(stream));
    assert_string_equal(belay_str(rows, 0), "aaaaaaaaaa");
    assert_memory_equal(belay_bytes(rows, 1), "aaaaaaaaaa", 10);
    assert_string_equal(belay_str(rows, 2), "12.50");
    assert_string_equal(belay_str(stream, 0), "aaaaaaaaaa");
    assert_memory_equal(belay_bytes(stream, 1), "aaaaaaaaaa", 10);
    belay_rows_close(rows);
    belay_rows_close(stream);
    assert_rows(w->s, "SELECT note FROM item WHERE 1 = 1", "aaaaaaaaaa");
    assert_code(belay_exec(w->s, "SELECT ?, ?, ?", 1, 2, 3), BELAY_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(integers_of_every_kind_arrive_whole),
        in_world(an_unsigned_value_over_int64_max_is_refused),
        in_world(doubles_arrive_to_the_last_bit),
        in_world(a_nan_is_refused_where_the_engine_would_store_null),
        in_world(a_truth_value_is_zero_or_one),
        in_world(null_is_null_however_it_is_said),
        in_world(a_null_pointer_with_a_length_is_misuse),
        in_world(empty_is_not_null),
        in_world(text_with_a_nul_is_refused),
        in_world(text_that_is_no_utf8_is_refused),
        in_world(the_first_and_last_characters_of_each_length_are_text),
        in_world(values_are_always_bound_and_never_pasted),
        in_world(a_text_of_a_megabyte_comes_back_and_one_of_a_hundred_arrives),
        in_world(a_blob_that_no_engine_takes_is_an_error_and_no_crash),
        in_world(buffers_may_be_freed_right_after_the_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
