/* JSON lines: RFC 8259, strictly, an object a line. */
#include "reading.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void expect(const char *file, size_t size, const char *expected)
{
    belayi_reader_options options = json_lines();
    expect_records(file, size, &options, expected);
}

static void members_are_fields_as_they_are_written(void **state)
{
    (void)state;
    expect(FILE_OF("{\"a\":1,\"b\":\"x\"}\n"), "1 1 0: #1|\"x\"\n");
    expect(FILE_OF(" { \"a\" :\t-1.50e+07 , \"b\":true,\"c\":false ,\"d\": null } \r\n"),
           "1 1 0: #-1.50e+07|?true|?false|~\n");
    expect(FILE_OF("{\"a\":12345678901234567890.123456789012345678901234567890}"),
           "1 1 0: #12345678901234567890.123456789012345678901234567890\n");
    expect(FILE_OF("{\"a\":[1, {\"b\" : \"]\\\"\"}],\"c\":{}}\r{\"d\":\"\"}\n"),
           "1 1 0: &[1, {\"b\" : \"]\\\"\"}]|&{}\n2 2 32: \"\"\n");
    expect(FILE_OF("{}\n"), "1 1 0: \n");
}

static void escapes_of_strings_are_undone(void **state)
{
    (void)state;
    expect(FILE_OF("{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}\n"), "1 1 0: \"\"\\/\\x08\\x0C\\x0A\\x0D\\x09\"\n");
    expect(FILE_OF("{\"a\":\"\\u0041\\u00e4\\u20AC\\ud83d\\ude00\\uFFFF\"}\n"),
           "1 1 0: \"A\\xC3\\xA4\\xE2\\x82\\xAC\\xF0\\x9F\\x98\\x80\\xEF\\xBF\\xBF\"\n");
    expect(FILE_OF("{\"a\":\"\\uD800\\uDC00\\udbff\\udfff\"}\n"),
           "1 1 0: \"\\xF0\\x90\\x80\\x80\\xF4\\x8F\\xBF\\xBF\"\n");
    /* In a nested value they stay as they are. */
    expect(FILE_OF("{\"a\":[\"\\u0041\\ud800\"]}\n"), "1 1 0: &[\"\\u0041\\ud800\"]\n");
}

static void half_a_surrogate_pair_and_nul_are_no_text(void **state)
{
    (void)state;
    expect(FILE_OF("{\"a\":\"\\ud800\"}\n"), "1 1 0! 1: the first half of a surrogate pair without the second\n");
    expect(FILE_OF("{\"a\":\"\\ud800\\u0041\"}\n"),
           "1 1 0! 1: the first half of a surrogate pair without the second\n");
    expect(FILE_OF("{\"a\":\"\\ud83d\\ud83d\\ude00\"}\n"),
           "1 1 0! 1: the first half of a surrogate pair without the second\n");
    expect(FILE_OF("{\"b\":1,\"a\":\"\\ude00\"}\n"),
           "1 1 0! 2: the second half of a surrogate pair without the first\n");
    expect(FILE_OF("{\"a\":\"x\\u0000\"}\n"), "1 1 0! 1: \\u0000 is a NUL character, which is no text\n");
    expect(FILE_OF("{\"a\\udc00\":1}\n"), "1 1 0! 0: the second half of a surrogate pair without the first\n");
}

/* Each is a whole line, and a flaw; the record behind it is good. */
static void what_rfc_8259_does_not_allow_is_a_flaw(void **state)
{
    static const char *const lines[] = {"",
                                        " ",
                                        "1",
                                        "null",
                                        "[1]",
                                        "\"a\"",
                                        "{",
                                        "}",
                                        "{}}",
                                        "{} {}",
                                        "{},",
                                        "{\"a\"}",
                                        "{\"a\":}",
                                        "{a:1}",
                                        "{'a':1}",
                                        "{\"a\":1,}",
                                        "{,\"a\":1}",
                                        "{\"a\":1 \"b\":2}",
                                        "{\"a\" 1}",
                                        "{\"a\":01}",
                                        "{\"a\":-}",
                                        "{\"a\":+1}",
                                        "{\"a\":.5}",
                                        "{\"a\":1.}",
                                        "{\"a\":1e}",
                                        "{\"a\":1e+}",
                                        "{\"a\":0x1}",
                                        "{\"a\":NaN}",
                                        "{\"a\":Infinity}",
                                        "{\"a\":-Infinity}",
                                        "{\"a\":nul}",
                                        "{\"a\":nulls}",
                                        "{\"a\":True}",
                                        "{\"a\":\"x}",
                                        "{\"a\":\"\\x\"}",
                                        "{\"a\":\"\\u12\"}",
                                        "{\"a\":\"\\u12G4\"}",
                                        "{\"a\":\"\\",
                                        "{\"a\":\"\t\"}",
                                        "{\"a\":\"\x01\"}",
                                        "{\"a\":[}",
                                        "{\"a\":[1,]}",
                                        "{\"a\":[1 2]}",
                                        "{\"a\":{1:2}}",
                                        "{\"a\":{\"b\"}}",
                                        "{\"a\":{\"b\":1,}}",
                                        "{\"a\":[\"\\q\"]}",
                                        "{\"a\":]}",
                                        "/**/{}",
                                        "{\"a\":1}//",
                                        "\xC2\xA0{}",
                                        "{\"a\":1\f}",
                                        "{\"a\":--1}",
                                        "{\"a\":\"\xFF\"}",
                                        "{\"a\":tru}",
                                        "{\"a\":1.2.3}",
                                        "{\"\":1,\"\":2}"};
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        char file[128];
        belayi_reader_options options = json_lines();
        kept_records kept;
        size_t size = (size_t)snprintf(file, sizeof file, "%s\n{\"a\":1}\n", lines[i]);
        keep_records((piecewise){.bytes = file, .size = size}, &options, NULL, &kept);
        assert_int_equal(kept.count, 2);
        if (!kept.records[0].record.flaw || kept.records[1].record.flaw)
            fail_msg("%s", lines[i]);
        drop_records(&kept);
    }
}

static void a_flaw_says_where_and_what(void **state)
{
    (void)state;
    expect(FILE_OF("\n \r\n[]\n"),
           "1 1 0! 0: an empty line is no JSON object\n2 2 1! 0: an empty line is no JSON object\n"
           "3 3 4! 0: the line is no JSON object\n");
    expect(FILE_OF("{\"a\":1,\"b\":01}\n"), "1 1 0! 2: byte 14: a number must not begin with 0\n");
    expect(FILE_OF("{\"a\" 1}\n"), "1 1 0! 0: byte 6: a colon is expected\n");
    expect(FILE_OF("{\"a\":NaN}\n"), "1 1 0! 1: byte 6: this is no value of JSON\n");
    expect(FILE_OF("{\"a\":1}x\n"), "1 1 0! 0: byte 8: there is more behind the object\n");
    expect(FILE_OF("{\"a\":\"\xFF\"}\n"), "1 1 0! 0: byte 7 of the record, 0xFF, is not text in UTF-8\n");
    expect(FILE_OF("{\"a\":\"\0\"}\n"), "1 1 0! 0: a NUL character, byte 7 of the record\n");
}

static void a_member_that_is_there_twice_is_a_flaw(void **state)
{
    (void)state;
    expect(FILE_OF("{\"a\":1,\"b\":2,\"a\":1}\n"), "1 1 0! 0: the member \"a\" is there twice\n");
    expect(FILE_OF("{\"a\":1,\"\\u0061\":1}\n"), "1 1 0! 0: the member \"a\" is there twice\n");
    expect(FILE_OF("{\"a\":1,\"A\":1,\"\":2}\n"), "1 1 0: #1|#1|#2\n");
    char line[1024] = "{";
    for (unsigned i = 0; i < 60; i++) /* more than are looked through one by one */
        snprintf(line + strlen(line), sizeof line - strlen(line), "\"m%u\":1,", i);
    strcat(line, "\"m7\":1}");
    expect(line, strlen(line), "1 1 0! 0: the member \"m7\" is there twice\n");
    /* Also one that nothing takes. */
    static const char *const names[] = {"a"};
    const selection wanted = {1, names, false};
    belayi_reader_options options = json_lines();
    expect_selected(FILE_OF("{\"a\":1,\"b\":2,\"b\":2}\n"), &options, &wanted,
                    "1 1 0! 0: the member \"b\" is there twice\n");
}

static void selected_members_are_the_fields_in_their_order(void **state)
{
    (void)state;
    static const char *const names[] = {"z", "a", "\xC3\xA4"};
    selection wanted = {3, names, false};
    belayi_reader_options options = json_lines();
    const char file[] = "{\"a\":1,\"z\":2,\"\\u00e4\":3}\n{\"z\":\"x\"}\n{\"b\":[],\"a\":null}\n{}\n";
    expect_selected(FILE_OF(file), &options, &wanted,
                    "1 1 0: #2|#1|#3\n2 2 25: \"x\"|-|-\n3 3 35: -|~|-\n4 4 53: -|-|-\n");
    wanted.strict = true;
    expect_selected(FILE_OF(file), &options, &wanted,
                    "1 1 0: #2|#1|#3\n2 2 25: \"x\"|-|-\n3 3 35! 0: nothing takes the member \"b\"\n4 4 53: -|-|-\n");
    expect_selected(FILE_OF("{\"a\":1,\"z\":\"\\q\"}\n"), &options, &wanted,
                    "1 1 0! 1: byte 14: this is no escape of JSON\n");
}

static void nesting_has_a_limit(void **state)
{
    enum { DEEP = 256 };
    char file[4 * DEEP] = "{\"a\":", expected[4 * DEEP] = "1 1 0: &";
    (void)state;
    char *deep = file + strlen(file);
    memset(deep, '[', DEEP);
    memset(deep + DEEP, ']', DEEP);
    strncat(expected, deep, 2 * DEEP);
    strcat(expected, "\n");
    strcat(file, "}\n");
    expect(file, strlen(file), expected);
    memset(deep, '[', DEEP + 1);
    memset(deep + DEEP + 1, ']', DEEP + 1);
    strcpy(deep + 2 * DEEP + 2, "}\n{}\n");
    expect(file, strlen(file), "1 1 0! 1: byte 262: values are nested too deeply\n2 2 521: \n");
}

static void without_a_selection_the_names_of_the_last_record_are_told(void **state)
{
    const char file[] = "{\"a\":1,\"b\\u0041\":2}\n{\"c\":1}\n";
    piecewise source = {.bytes = file, .size = sizeof file - 1};
    belayi_reader_options options = json_lines();
    const belayi_record *record;
    const char *const *names;
    belay_error error;
    (void)state;
    belayi_stream *stream = belayi_stream_open(NULL, give_pieces, &source, &error);
    belayi_reader *reader = belayi_reader_open(stream, &options, &error);
    assert_int_equal(belayi_reader_names(reader, &names), 0);
    assert_int_equal(belayi_reader_next(reader, &record, &error), BELAY_OK);
    assert_int_equal(belayi_reader_names(reader, &names), 2);
    assert_string_equal(names[0], "a");
    assert_string_equal(names[1], "bA");
    assert_int_equal(belayi_reader_next(reader, &record, &error), BELAY_OK);
    assert_int_equal(belayi_reader_names(reader, &names), 1);
    assert_string_equal(names[0], "c");
    belayi_reader_close(reader);
    belayi_stream_close(stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_fields_as_they_are_written),
        cmocka_unit_test(escapes_of_strings_are_undone),
        cmocka_unit_test(half_a_surrogate_pair_and_nul_are_no_text),
        cmocka_unit_test(what_rfc_8259_does_not_allow_is_a_flaw),
        cmocka_unit_test(a_flaw_says_where_and_what),
        cmocka_unit_test(a_member_that_is_there_twice_is_a_flaw),
        cmocka_unit_test(selected_members_are_the_fields_in_their_order),
        cmocka_unit_test(nesting_has_a_limit),
        cmocka_unit_test(without_a_selection_the_names_of_the_last_record_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
