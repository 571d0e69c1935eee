/* Error records: filled from empty, cut between characters. */
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

#include "report.h"
#include "utf8.h"

#define ELLIPSIS "\xE2\x80\xA6"

static belay_error error;

static void a_report_empties_the_record_first(void **state)
{
    (void)state;
    memset(&error, 0xA5, sizeof error);
    assert_int_equal(belayi_report(&error, BELAY_BUSY, "lock %d of %s", 7, "t"), BELAY_BUSY);
    assert_int_equal(error.code, BELAY_BUSY);
    assert_string_equal(error.message, "lock 7 of t");
    assert_int_equal(error.outcome, BELAY_WORK_OPEN);
    assert_int_equal(error.native_code, 0);
    assert_string_equal(error.hint, "");
    assert_string_equal(error.table, "");
}

static void a_text_that_fits_is_whole_and_one_byte_more_is_cut(void **state)
{
    char out[9];
    (void)state;
    belayi_report_string(out, sizeof out, "12345678");
    assert_string_equal(out, "12345678");
    belayi_report_string(out, sizeof out, "123456789");
    assert_string_equal(out, "12345" ELLIPSIS);
    belayi_report_text(out, sizeof out, "123456789", 3);
    assert_string_equal(out, "123");
    belayi_report_string(out, sizeof out, NULL);
    assert_string_equal(out, "");
    belayi_report_text(out, sizeof out, NULL, 5);
    assert_string_equal(out, "");
}

static void no_character_is_ever_cut_in_two(void **state)
{
    static const char *const characters[] = {"a", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
    (void)state;
    for (size_t shift = 0; shift < 8; shift++)
        for (size_t c = 0; c < 4; c++)
            for (size_t room = 4; room < 40; room++) {
                char text[200] = "", cut[40], formatted[40];
                size_t bad_at;
                memset(text, 'x', shift);
                for (int i = 0; i < 20; i++)
                    strcat(text, characters[c]);
                belayi_report_string(cut, room, text);
                belayi_report_format(formatted, room, "%s", text);
                assert_true(strlen(cut) < room);
                assert_true(belayi_utf8_valid(cut, strlen(cut), &bad_at));
                assert_string_equal(cut, formatted);
                assert_true(strlen(text) < room || strstr(cut, ELLIPSIS));
            }
}

static void a_text_may_be_cut_in_place(void **state)
{
    char out[12] = "0123456789";
    (void)state;
    belayi_report_string(out, 8, out);
    assert_string_equal(out, "0123" ELLIPSIS);
}

static void a_long_message_is_cut_with_an_ellipsis(void **state)
{
    char longer[1000];
    (void)state;
    memset(longer, 'm', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    belayi_report(&error, BELAY_IO, "%s", longer);
    assert_int_equal(strlen(error.message), sizeof error.message - 1);
    assert_string_equal(error.message + sizeof error.message - 4, ELLIPSIS);
}

static void a_long_file_name_keeps_its_end(void **state)
{
    char path[300];
    (void)state;
    memset(path, 'd', sizeof path);
    strcpy(path + sizeof path - 8, "/main.c");
    belayi_report(&error, BELAY_IO, "x");
    belayi_report_place(&error, belayi_place(path, 42, "main"));
    assert_int_equal(error.line, 42);
    assert_string_equal(error.function, "main");
    assert_int_equal(strlen(error.file), sizeof error.file - 1);
    assert_string_equal(error.file + strlen(error.file) - 7, "/main.c");
    belay_error before = error;
    belayi_report_place(&error, belayi_place(NULL, 1, "f"));
    assert_memory_equal(&before, &error, sizeof error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_report_empties_the_record_first),
        cmocka_unit_test(a_text_that_fits_is_whole_and_one_byte_more_is_cut),
        cmocka_unit_test(no_character_is_ever_cut_in_two),
        cmocka_unit_test(a_text_may_be_cut_in_place),
        cmocka_unit_test(a_long_message_is_cut_with_an_ellipsis),
        cmocka_unit_test(a_long_file_name_keeps_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
