/* TSV: what COPY and mysqldump write, and what nobody writes. */
#include "reading.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void expect(const char *file, size_t size, const char *expected)
{
    belayi_reader_options options = bare_tsv();
    expect_records(file, size, &options, expected);
}

static void fields_are_what_is_between_tabs(void **state)
{
    (void)state;
    expect(FILE_OF("a\tb c\n\t\"d\"\t\n"), "1 1 0: a|b c\n2 2 6: |\"d\"|\n");
    expect(FILE_OF("a\r\n\nb\rc\t"), "1 1 0: a\n2 2 3: \n3 3 4: b\n4 4 6: c|\n");
}

static void escapes_of_copy_are_undone(void **state)
{
    (void)state;
    expect(FILE_OF("a\\tb\\nc\\rd\\\\e\\bf\\fg\\vh\ti\\\\\n"), "1 1 0: a\\x09b\\x0Ac\\x0Dd\\e\\x08f\\x0Cg\\x0Bh|i\\\n");
}

static void a_backslash_before_a_real_tab_or_line_end_makes_it_a_part_of_the_field(void **state)
{
    (void)state;
    expect(FILE_OF("a\\\tb\tc\\\nd\te\nf\n"), "1 1 0: a\\x09b|c\\x0Ad|e\n2 3 12: f\n");
    expect(FILE_OF("a\\\r\nb\\\rc\nd\n"), "1 1 0: a\\x0D\\x0Ab\\x0Dc\n2 4 9: d\n");
    expect(FILE_OF("a\\\\\nb\n"), "1 1 0: a\\\n2 2 4: b\n"); /* that backslash is one itself */
    expect(FILE_OF("a\\\n"), "1 1 0: a\\x0A\n");
}

static void null_is_written_as_backslash_n_alone(void **state)
{
    (void)state;
    expect(FILE_OF("\\N\t\\\\N\tN\n"), "1 1 0: ~|\\N|N\n");
    expect(FILE_OF("a\\N\n"), "1 1 0! 1: \\N is no escape of TSV\n");
    belayi_reader_options options = bare_tsv();
    options.null = "NULL";
    expect_records(FILE_OF("NULL\t\\\\N\n\\N\n"), &options, "1 1 0: ~|\\N\n2 2 9! 1: \\N is no escape of TSV\n");
}

static void escapes_that_nobody_writes_are_flaws(void **state)
{
    (void)state;
    expect(FILE_OF("a\tb\\q\nc\n"), "1 1 0! 2: \\q is no escape of TSV\n2 2 6: c\n");
    expect(FILE_OF("\\q\t\\z\n"), "1 1 0! 1: \\q is no escape of TSV\n"); /* the first is told */
    expect(FILE_OF("a\\x41\n"), "1 1 0! 1: \\x is no escape of TSV\n");
    expect(FILE_OF("\\.\nb\n"), "1 1 0! 1: \\. is no escape of TSV\n2 2 3: b\n");
    expect(FILE_OF("a\tb\\0c\n"), "1 1 0! 2: \\0 is a NUL character, which is no text\n");
    expect(FILE_OF("\\\xC3\xA4\n"), "1 1 0! 1: a backslash before the byte 0xC3 is no escape of TSV\n");
    expect(FILE_OF("a\tb\\"), "1 1 0! 2: a backslash at the end, and nothing behind it\n");
}

static void what_is_no_text_is_a_flaw(void **state)
{
    (void)state;
    expect(FILE_OF("a\tb\0\nc\n"), "1 1 0! 2: a NUL character, byte 4 of the record\n2 2 5: c\n");
    expect(FILE_OF("a\\\n\xFF\tb\n"), "1 1 0! 1: byte 4 of the record, 0xFF, is not text in UTF-8\n");
}

static void another_delimiter_is_escaped_by_a_backslash(void **state)
{
    (void)state;
    belayi_reader_options options = bare_tsv();
    options.delimiter = '|';
    expect_records(FILE_OF("a\\|b|c\\td\te\n"), &options, "1 1 0: a|b|c\\x09d\\x09e\n");
    static const char meant[] = "\\bfnrtvN0x.";
    for (const char *byte = meant; *byte; byte++) {
        options.delimiter = *byte;
        expect_refused(FILE_OF("a\n"), &options, BELAY_MISUSE, "");
    }
}

static void a_header_names_the_fields_of_tsv(void **state)
{
    (void)state;
    belayi_reader_options options = bare_tsv();
    options.header = true;
    kept_records kept;
    keep_records((piecewise){.bytes = "a\\tb\tc\n1\t2\n", .size = 11}, &options, NULL, &kept);
    assert_int_equal(kept.names_count, 2);
    assert_string_equal(kept.names[0], "a\tb");
    assert_string_equal(kept.names[1], "c");
    assert_int_equal(kept.count, 1);
    drop_records(&kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_what_is_between_tabs),
        cmocka_unit_test(escapes_of_copy_are_undone),
        cmocka_unit_test(a_backslash_before_a_real_tab_or_line_end_makes_it_a_part_of_the_field),
        cmocka_unit_test(null_is_written_as_backslash_n_alone),
        cmocka_unit_test(escapes_that_nobody_writes_are_flaws),
        cmocka_unit_test(what_is_no_text_is_a_flaw),
        cmocka_unit_test(another_delimiter_is_escaped_by_a_backslash),
        cmocka_unit_test(a_header_names_the_fields_of_tsv),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
