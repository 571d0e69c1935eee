/* CSV: what is a record, where it is, and what a malformed one costs. */
#include "reading.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void expect(const char *file, size_t size, const char *expected)
{
    belayi_reader_options options = bare_csv();
    expect_records(file, size, &options, expected);
}

static void fields_are_what_is_between_delimiters(void **state)
{
    (void)state;
    expect(FILE_OF("a,b\n1, 2 \n"), "1 1 0: a|b\n2 2 4: 1| 2 \n");
    expect(FILE_OF("a,\n,b\n,\n"), "1 1 0: a|~\n2 2 3: ~|b\n3 3 6: ~|~\n");
    expect(FILE_OF("\xC3\xA4,\xF0\x9F\x98\x80\n"), "1 1 0: \\xC3\\xA4|\\xF0\\x9F\\x98\\x80\n");
}

static void fields_in_quotes_hold_delimiters_line_ends_and_quotes(void **state)
{
    (void)state;
    expect(FILE_OF("\"a,b\",\"\",\"\"\"\",\"x\"\"y\"\"\"\n"), "1 1 0: \"a,b\"|\"\"|\"\"\"|\"x\"y\"\"\n");
    expect(FILE_OF("\"a\nb\r\nc\rd\",e\nf\n"), "1 1 0: \"a\\x0Ab\\x0D\\x0Ac\\x0Dd\"|e\n2 5 13: f\n");
    expect(FILE_OF("\"\n\",\"\n\n\"\ng\n"), "1 1 0: \"\\x0A\"|\"\\x0A\\x0A\"\n2 5 9: g\n");
}

static void line_ends_of_all_kinds_may_be_mixed(void **state)
{
    (void)state;
    expect(FILE_OF("a\nb\r\nc\rd\n\re\r\r\nf"),
           "1 1 0: a\n2 2 2: b\n3 3 5: c\n4 4 7: d\n5 5 9: ~\n6 6 10: e\n7 7 12: ~\n"
           "8 8 14: f\n");
    expect(FILE_OF("\"a\"\r\"b\"\r\n\"c\"\n"), "1 1 0: \"a\"\n2 2 4: \"b\"\n3 3 9: \"c\"\n");
}

static void the_last_record_needs_no_line_end(void **state)
{
    (void)state;
    expect(FILE_OF("a,b"), "1 1 0: a|b\n");
    expect(FILE_OF("a,"), "1 1 0: a|~\n");
    expect(FILE_OF("a\n\"b\""), "1 1 0: a\n2 2 2: \"b\"\n");
    expect(FILE_OF("a\r"), "1 1 0: a\n");
    expect(FILE_OF("\"a\"\r"), "1 1 0: \"a\"\n");
}

static void an_empty_line_is_a_record_with_one_empty_field(void **state)
{
    (void)state;
    expect(FILE_OF("\n"), "1 1 0: ~\n");
    expect(FILE_OF("a\n\n\r\nb\n"), "1 1 0: a\n2 2 2: ~\n3 3 3: ~\n4 4 5: b\n");
    belayi_reader_options options = bare_csv();
    options.null = "NULL";
    expect_records(FILE_OF("\n\n"), &options, "1 1 0: \n2 2 1: \n");
}

static void an_empty_file_has_no_records(void **state)
{
    (void)state;
    expect("", 0, "");
}

static void the_text_of_null_counts_only_without_quotes(void **state)
{
    (void)state;
    expect(FILE_OF(",\"\"\n"), "1 1 0: ~|\"\"\n");
    belayi_reader_options options = bare_csv();
    options.null = "NULL";
    expect_records(FILE_OF("NULL,\"NULL\",,NULLS,null\n"), &options, "1 1 0: ~|\"NULL\"||NULLS|null\n");
}

static void delimiter_and_quote_are_any_ascii(void **state)
{
    (void)state;
    belayi_reader_options options = bare_csv();
    options.delimiter = ';';
    options.quote = '\'';
    expect_records(FILE_OF("a,b;'c;''d';\"\n"), &options, "1 1 0: a,b|\"c;'d\"|\"\n");
    options.delimiter = ' ';
    options.quote = 'q';
    expect_records(FILE_OF("a qb qqcq\n"), &options, "1 1 0: a|\"b qc\"\n");
    options.delimiter = '\x01';
    expect_records(FILE_OF("a\x01"
                           "b\n"),
                   &options, "1 1 0: a|b\n");
}

static void many_fields_and_long_fields_are_read(void **state)
{
    (void)state;
    enum { MANY = 3000 };
    char file[2 * MANY], expected[3 * MANY + 16] = "1 1 0: ";
    for (size_t i = 0; i < MANY; i++) {
        memcpy(file + 2 * i, "a,", 2);
        strcat(expected, "a|");
    }
    file[2 * MANY - 1] = '\n';
    expected[strlen(expected) - 1] = '\n';
    expect(file, sizeof file, expected);
}

static void more_fields_than_any_table_has_columns_are_a_flaw(void **state)
{
    (void)state;
    enum { MANY = 65536 };
    char *file = malloc(MANY + 4);
    memset(file, ',', MANY);
    memcpy(file + MANY, "\na\n", 4);
    expect(file, MANY + 3, "1 1 0! 0: more than 65536 fields\n2 2 65537: a\n");
    file[MANY - 1] = '\n'; /* one field less */
    kept_records kept;
    belayi_reader_options options = bare_csv();
    keep_records((piecewise){.bytes = file, .size = MANY}, &options, NULL, &kept);
    assert_int_equal(kept.count, 1);
    assert_null(kept.records[0].record.flaw);
    assert_int_equal(kept.records[0].record.count, MANY);
    drop_records(&kept);
    free(file);
}

/* ---- malformed ------------------------------------------------------------------------------------------------- */

static void a_quote_inside_a_bare_field_costs_its_line_only(void **state)
{
    (void)state;
    expect(FILE_OF("1,a\n2,b\"c,d\n3,e\n"),
           "1 1 0: 1|a\n2 2 4! 2: a quote inside a field that has none around it\n3 3 12: 3|e\n");
    expect(FILE_OF("x \"y\"\r\nz"), "1 1 0! 1: a quote inside a field that has none around it\n2 2 7: z\n");
}

static void text_behind_a_closing_quote_costs_its_line_only(void **state)
{
    (void)state;
    expect(FILE_OF("\"a\"b,c\nd\n"), "1 1 0! 1: text behind the closing quote\n2 2 7: d\n");
    expect(FILE_OF("1,\"a\" ,c\rd\n"), "1 1 0! 2: text behind the closing quote\n2 2 9: d\n");
    expect(FILE_OF("1,\"a\" \"\nd\n"), "1 1 0! 2: text behind the closing quote\n2 2 8: d\n");
    /* The quote that closes is lines behind: the first line is the record. */
    expect(FILE_OF("1,\"a\r\n2,b\n3,\"c\"\n4,d\n"),
           "1 1 0! 2: text behind the closing quote\n2 2 6: 2|b\n3 3 10: 3|\"c\"\n4 4 16: 4|d\n");
}

static void a_quote_that_is_never_closed_costs_its_line_only(void **state)
{
    (void)state;
    expect(FILE_OF("1,\"a\n2,b\n3,c\n"), "1 1 0! 2: a quoted field is never closed\n2 2 5: 2|b\n3 3 9: 3|c\n");
    expect(FILE_OF("1,\"a\r2,b"), "1 1 0! 2: a quoted field is never closed\n2 2 5: 2|b\n");
    expect(FILE_OF("1,\"a"), "1 1 0! 2: a quoted field is never closed\n");
    expect(FILE_OF("1,\"a\"\""), "1 1 0! 2: a quoted field is never closed\n");
    expect(FILE_OF("\""), "1 1 0! 1: a quoted field is never closed\n");
}

/* "Text behind the closing quote" would cost more: here the closing one opens again behind a delimiter. */
static void a_stray_quote_does_not_swallow_the_records_behind_it(void **state)
{
    (void)state;
    expect(FILE_OF("1,\"a\n2,\"b\"\n3,c\n"), "1 1 0! 2: text behind the closing quote\n2 2 5: 2|\"b\"\n3 3 11: 3|c\n");
}

static void well_formed_records_of_many_lines_are_one_record_with_any_number_of_fields(void **state)
{
    (void)state;
    expect(FILE_OF("a,b\n1,\"x\ny\",z,\"\n\"\n2\n"), "1 1 0: a|b\n2 2 4: 1|\"x\\x0Ay\"|z|\"\\x0A\"\n3 5 18: 2\n");
}

static void what_is_no_text_is_a_flaw_with_its_field_and_byte(void **state)
{
    (void)state;
    expect(FILE_OF("a,b\xFF\nc\n"), "1 1 0! 2: byte 4 of the record, 0xFF, is not text in UTF-8\n2 2 5: c\n");
    expect(FILE_OF("\"a\",\"\xC3\"\nc\n"), "1 1 0! 2: byte 6 of the record, 0xC3, is not text in UTF-8\n2 2 8: c\n");
    expect(FILE_OF("a,\0b\nc\n"), "1 1 0! 2: a NUL character, byte 3 of the record\n2 2 5: c\n");
    expect(FILE_OF("\xED\xA0\x80\n"), "1 1 0! 1: byte 1 of the record, 0xED, is not text in UTF-8\n");
    /* It is whole, with all its lines: the quotes are not at fault. */
    expect(FILE_OF("1,\"\n\xFE\n\",2\nc\n"), "1 1 0! 2: byte 5 of the record, 0xFE, is not text in UTF-8\n2 4 10: c\n");
}

static void a_byte_order_mark_is_taken_off_at_the_beginning_only(void **state)
{
    (void)state;
    expect(FILE_OF("\xEF\xBB\xBF\"a\"\n\xEF\xBB\xBF"
                   "b\n"),
           "1 1 3: \"a\"\n2 2 7: \\xEF\\xBB\\xBFb\n");
    expect(FILE_OF("\xEF\xBB\xBF"), "");
    expect(FILE_OF("\xEF\xBB"), "1 1 0! 1: byte 1 of the record, 0xEF, is not text in UTF-8\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_what_is_between_delimiters),
        cmocka_unit_test(fields_in_quotes_hold_delimiters_line_ends_and_quotes),
        cmocka_unit_test(line_ends_of_all_kinds_may_be_mixed),
        cmocka_unit_test(the_last_record_needs_no_line_end),
        cmocka_unit_test(an_empty_line_is_a_record_with_one_empty_field),
        cmocka_unit_test(an_empty_file_has_no_records),
        cmocka_unit_test(the_text_of_null_counts_only_without_quotes),
        cmocka_unit_test(delimiter_and_quote_are_any_ascii),
        cmocka_unit_test(many_fields_and_long_fields_are_read),
        cmocka_unit_test(more_fields_than_any_table_has_columns_are_a_flaw),
        cmocka_unit_test(a_quote_inside_a_bare_field_costs_its_line_only),
        cmocka_unit_test(text_behind_a_closing_quote_costs_its_line_only),
        cmocka_unit_test(a_quote_that_is_never_closed_costs_its_line_only),
        cmocka_unit_test(a_stray_quote_does_not_swallow_the_records_behind_it),
        cmocka_unit_test(well_formed_records_of_many_lines_are_one_record_with_any_number_of_fields),
        cmocka_unit_test(what_is_no_text_is_a_flaw_with_its_field_and_byte),
        cmocka_unit_test(a_byte_order_mark_is_taken_off_at_the_beginning_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
