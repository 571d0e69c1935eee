/* The header, the byte order mark before it, and what can't be read at all. */
#include "reading.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void expect_header(const char *file, size_t size, const char *names, size_t header_size, size_t records)
{
    char joined[256] = "";
    belayi_reader_options options = csv_options();
    kept_records kept;
    keep_records((piecewise){.bytes = file, .size = size}, &options, NULL, &kept);
    assert_int_equal(kept.opened, BELAY_OK);
    for (size_t i = 0; i < kept.names_count; i++) {
        strcat(joined, kept.names[i]);
        strcat(joined, ";");
    }
    assert_string_equal(joined, names);
    assert_int_equal(kept.header_size, header_size);
    assert_memory_equal(kept.header, file, header_size);
    assert_int_equal(kept.count, records);
    drop_records(&kept);
}

static void the_first_record_has_the_names(void **state)
{
    (void)state;
    expect_header(FILE_OF("id,name\n1,x\n"), "id;name;", 8, 1);
    expect_header(FILE_OF("\"id\",\"na\"\"m,e\"\r\n1,x\r\n"), "id;na\"m,e;", 16, 1);
    expect_header(FILE_OF("\xC3\xA4, b \r1,x"), "\xC3\xA4; b ;", 7, 1);
}

static void the_first_record_counts_from_behind_the_header(void **state)
{
    (void)state;
    belayi_reader_options options = csv_options();
    expect_records(FILE_OF("a,\"b\nc\"\r\n1,2\n3,4\n"), &options, "1 3 9: 1|2\n2 4 13: 3|4\n");
}

static void a_byte_order_mark_belongs_to_the_header(void **state)
{
    (void)state;
    expect_header(FILE_OF("\xEF\xBB\xBF"
                          "a,b\n1,2\n"),
                  "a;b;", 7, 1);
    kept_records kept;
    belayi_reader_options options = bare_csv();
    keep_records((piecewise){.bytes = "\xEF\xBB\xBF"
                                      "a\n",
                             .size = 5},
                 &options, NULL, &kept);
    assert_int_equal(kept.header_size, 3);
    assert_int_equal(kept.names_count, 0);
    assert_int_equal(kept.count, 1);
    drop_records(&kept);
}

static void a_header_only_and_an_empty_file_have_no_records(void **state)
{
    (void)state;
    expect_header(FILE_OF("a,b\n"), "a;b;", 4, 0);
    expect_header(FILE_OF("a,b"), "a;b;", 3, 0);
    expect_header("", 0, "", 0, 0);
    expect_header(FILE_OF("\xEF\xBB\xBF"), "", 3, 0);
}

static void a_header_with_a_name_twice_or_without_a_name_is_refused(void **state)
{
    (void)state;
    belayi_reader_options options = csv_options();
    expect_refused(FILE_OF("a,b,c,b\n"), &options, BELAY_DATA, "the header, line 1, has the name b twice");
    expect_refused(FILE_OF("a,\"a\"\n"), &options, BELAY_DATA, "the header, line 1, has the name a twice");
    expect_refused(FILE_OF("a,,c\n"), &options, BELAY_DATA, "the header, line 1, has no name for field 2");
    expect_refused(FILE_OF("a,\"\"\n"), &options, BELAY_DATA, "the header, line 1, has no name for field 2");
    expect_refused(FILE_OF("\na,b\n"), &options, BELAY_DATA, "the header, line 1, has no name for field 1");
    expect_header(FILE_OF("a,A\n"), "a;A;", 4, 0);
}

static void a_malformed_header_is_refused_with_the_reason(void **state)
{
    (void)state;
    belayi_reader_options options = csv_options();
    expect_refused(FILE_OF("a,\"b\n1,2\n"), &options, BELAY_DATA,
                   "the header, line 1, is malformed: a quoted field is never closed");
    expect_refused(FILE_OF("a,\xFF\n"), &options, BELAY_DATA,
                   "the header, line 1, is malformed: byte 3 of the record, 0xFF, is not text in UTF-8");
    options.max_record = 16;
    expect_refused(FILE_OF("a,b,c,d,e,f,g,h,i\n"), &options, BELAY_DATA,
                   "the header, line 1, is malformed: the record is longer than 16 bytes");
}

static void delimiters_and_quotes_that_can_not_work_are_refused(void **state)
{
    static const char bad[] = {'\0', '\n', '\r', (char)0x80, (char)0xFF};
    (void)state;
    for (size_t i = 0; i < sizeof bad; i++) {
        belayi_reader_options options = csv_options();
        options.delimiter = bad[i];
        expect_refused(FILE_OF("a\n"), &options, BELAY_MISUSE,
                       "the delimiter must be an ASCII character and no line end");
        options = csv_options();
        options.quote = bad[i];
        expect_refused(FILE_OF("a\n"), &options, BELAY_MISUSE, "the quote must be an ASCII character and no line end");
    }
    belayi_reader_options same = csv_options();
    same.quote = same.delimiter;
    expect_refused(FILE_OF("a\n"), &same, BELAY_MISUSE, "the delimiter and the quote are the same character");
}

static void members_are_selected_in_json_lines_only(void **state)
{
    static const char *const names[] = {"a"};
    const selection wanted = {1, names, false};
    belayi_reader_options options = csv_options();
    kept_records kept;
    (void)state;
    keep_records((piecewise){.bytes = "a\n", .size = 2}, &options, &wanted, &kept);
    assert_int_equal(kept.opened, BELAY_MISUSE);
    drop_records(&kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_record_has_the_names),
        cmocka_unit_test(the_first_record_counts_from_behind_the_header),
        cmocka_unit_test(a_byte_order_mark_belongs_to_the_header),
        cmocka_unit_test(a_header_only_and_an_empty_file_have_no_records),
        cmocka_unit_test(a_header_with_a_name_twice_or_without_a_name_is_refused),
        cmocka_unit_test(a_malformed_header_is_refused_with_the_reason),
        cmocka_unit_test(delimiters_and_quotes_that_can_not_work_are_refused),
        cmocka_unit_test(members_are_selected_in_json_lines_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
