/* Long records, failing sources, resuming; and that time and memory are bounded, counted in bytes. */
#include "reading.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static size_t largest; /* that was asked of realloc */

void *__real_realloc(void *, size_t);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size)
{
    largest = size > largest ? size : largest;
    return __real_realloc(memory, size);
}

static void expect(const char *file, size_t size, const char *expected)
{
    belayi_reader_options options = bare_csv();
    options.max_record = 20;
    expect_records(file, size, &options, expected);
}

static void a_record_as_long_as_it_may_be_is_good_and_a_longer_one_is_cut(void **state)
{
    (void)state;
    expect(FILE_OF("1234567890,12345678\nb\n"), "1 1 0: 1234567890|12345678\n2 2 20: b\n");
    expect(FILE_OF("1234567890,123456789\nb\n"), "1 1 0! 0: the record is longer than 20 bytes\n2 2 21: b\n");
    expect(FILE_OF("1234567890,1234567\r\nb"), "1 1 0: 1234567890|1234567\n2 2 20: b\n");
    expect(FILE_OF("1234567890,12345678\r\nb"), "1 1 0! 0: the record is longer than 20 bytes\n2 2 21: b\n");
    expect(FILE_OF("1234567890,12345678\rb"), "1 1 0: 1234567890|12345678\n2 2 20: b\n");
    expect(FILE_OF("1234567890,123456789"), "1 1 0: 1234567890|123456789\n");
    expect(FILE_OF("1234567890,1234567890"), "1 1 0! 0: the record is longer than 20 bytes\n");
    expect(FILE_OF("1234567890,123456789012345678901234567890123\r\nb"),
           "1 1 0! 0: the record is longer than 20 bytes\n2 2 46: b\n");
}

static void a_quoted_field_that_is_not_closed_within_the_limit_costs_its_line_only(void **state)
{
    (void)state;
    expect(FILE_OF("1,\"a\n2,b\n3,c\n4,d\n5,e\"\n6,f\n"),
           "1 1 0! 2: a quoted field is not closed within 20 bytes\n2 2 5: 2|b\n3 3 9: 3|c\n4 4 13: 4|d\n"
           "5 5 17! 2: a quote inside a field that has none around it\n6 6 22: 6|f\n");
    expect(FILE_OF("\"a\nbcdefghijklmnop\"\nx"), "1 1 0: \"a\\x0Abcdefghijklmnop\"\n2 3 20: x\n");
    /* Its quotes are good, but it is too long: it ends with the line in which it becomes that. */
    expect(FILE_OF("\"a\nb\",cdefghijklmnopqrst\nx"), "1 1 0! 0: the record is longer than 20 bytes\n2 3 25: x\n");
}

static void long_records_of_other_formats_are_cut(void **state)
{
    (void)state;
    belayi_reader_options options = bare_tsv();
    options.max_record = 16;
    expect_records(FILE_OF("12345678\\\n90\\\n1234\\\n5\na\n"), &options,
                   "1 1 0! 0: the record is longer than 16 bytes\n2 4 20: 5\n3 5 22: a\n");
    options.encoding = "ISO-8859-1";
    expect_records(FILE_OF("1234\xE4"
                           "678\\\n90\\\n1234\\\n5\na\n"),
                   &options, "1 1 0! 0: the record is longer than 16 bytes\n2 4 20: 5\n3 5 22: a\n");
    options = json_lines();
    options.max_record = 16;
    expect_records(FILE_OF("{\"a\":1234567890}\n{\"a\":123456789}\n"), &options,
                   "1 1 0! 0: the record is longer than 16 bytes\n2 2 17: #123456789\n");
}

static void the_rest_of_a_long_record_may_be_left_out(void **state)
{
    const char file[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\nb\n";
    piecewise source = {.bytes = file, .size = sizeof file - 1, .most = 1};
    belayi_reader_options options = bare_csv();
    const belayi_record *record;
    belay_error error;
    (void)state;
    options.max_record = 16;
    belayi_stream *stream = belayi_stream_open(NULL, give_pieces, &source, &error);
    belayi_reader *reader = belayi_reader_open(stream, &options, &error);
    assert_int_equal(belayi_reader_next(reader, &record, &error), BELAY_OK);
    assert_int_equal(record->raw_size, 16);
    assert_true(record->raw_rest > 0);
    assert_int_equal(belayi_reader_next(reader, &record, &error), BELAY_OK);
    assert_int_equal(record->offset, 46);
    assert_int_equal(record->line, 2);
    assert_int_equal(belayi_reader_offset(reader), 48);
    assert_int_equal(belayi_stream_offset(stream), 48);
    belayi_reader_close(reader);
    belayi_stream_close(stream);
}

/* ---- sources that fail ------------------------------------------------------------------------------------------ */

/* Of each file: the bytes that must be there for its first record, and for its second. */
static void what_is_whole_before_a_failure_is_read_however_it_was_given(void **state)
{
    static const struct {
        belay_import_format format;
        const char *encoding, *file;
        size_t first, second;
    } files[] = {
        {BELAY_IMPORT_CSV, NULL, "a,b\r\n\"c\nd\",e\r\nf,g\r\n", 5, 14},
        {BELAY_IMPORT_CSV, "ISO-8859-1", "a,b\r\n\"c\nd\",e\r\nf,g\r\n", 5, 14},
        {BELAY_IMPORT_CSV, NULL, "\"a\"\"\"\r\"b\"\nc\n", 7, 10}, /* the byte behind a CR, a quote tells */
        {BELAY_IMPORT_TSV, NULL, "a\tb\r\nc\\\r\nd\r\nf\r\n", 5, 12},
        {BELAY_IMPORT_JSONL, NULL, "{\"a\":1}\r\n{}\n{}\n", 9, 12},
    };
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        for (size_t fails = 1, size = strlen(files[i].file); fails < size; fails++) {
            belayi_reader_options options = bare_csv();
            kept_records kept, same;
            options.format = files[i].format;
            options.encoding = files[i].encoding;
            options.delimiter = options.format == BELAY_IMPORT_TSV ? '\t' : ',';
            piecewise source = {.bytes = files[i].file, .size = size, .fails = fails};
            keep_records(source, &options, NULL, &kept);
            if (kept.opened == BELAY_OK)
                assert_int_equal(kept.ended, BELAY_IO);
            assert_int_equal(kept.count, (fails >= files[i].first) + (fails >= files[i].second));
            source.most = 1;
            keep_records(source, &options, NULL, &same);
            assert_null(records_differ(&kept, &same));
            drop_records(&kept);
            drop_records(&same);
        }
}

static void reading_goes_on_behind_what_was_read_before(void **state)
{
    const char file[] = "a,b\n1,\"2\n\"\n3,4\n5,6\n";
    (void)state;
    for (int encoded = 0; encoded < 2; encoded++) {
        piecewise source = {.bytes = file, .size = sizeof file - 1};
        belayi_reader_options options = csv_options();
        const belayi_record *record;
        belay_error error;
        options.encoding = encoded ? "ISO-8859-1" : NULL;
        belayi_stream *stream = belayi_stream_open(NULL, give_pieces, &source, &error);
        belayi_reader *reader = belayi_reader_open(stream, &options, &error);
        assert_int_equal(belayi_stream_offset(stream), 4);
        assert_int_equal(belayi_stream_skip(stream, 7, &error), BELAY_OK);
        belayi_reader_resume(reader, 11, 4, 1);
        assert_int_equal(belayi_reader_next(reader, &record, &error), BELAY_OK);
        assert_int_equal(record->number, 2);
        assert_int_equal(record->line, 4);
        assert_int_equal(record->offset, 11);
        assert_memory_equal(record->raw, "3,4\n", 4);
        assert_memory_equal(record->fields[1].text, "4", 1);
        assert_int_equal(belayi_reader_next(reader, &record, &error), BELAY_OK);
        assert_int_equal(belayi_reader_next(reader, &record, &error), BELAY_OK);
        assert_null(record);
        belayi_reader_close(reader);
        belayi_stream_close(stream);
    }
}

/* ---- bounds ----------------------------------------------------------------------------------------------------- */

/* A file without end but for its size: a text again and again. */
struct pattern {
    const char *first, *text; /* what it begins with, and then */
    uint64_t size, given;
};

static ptrdiff_t give_pattern(void *arg, void *buffer, size_t room)
{
    struct pattern *p = arg;
    size_t size = p->size - p->given < room ? (size_t)(p->size - p->given) : room;
    size_t first = p->given == 0 ? strlen(p->first) : 0, length = strlen(p->text);
    memcpy(buffer, p->first, first);
    char *out = buffer;
    size_t once = size - first < length ? size - first : length;
    for (size_t i = 0; i < once; i++)
        out[first + i] = p->text[(p->given + first + i - strlen(p->first)) % length];
    for (size_t at = first + once, more; at < size; at += more) {
        more = at - first < size - at ? at - first : size - at;
        memcpy(out + at, out + first, more);
    }
    p->given += size;
    return (ptrdiff_t)size;
}

struct bounds {
    uint64_t records, flaws, looked, lines;
};

static struct bounds read_pattern(const char *first, const char *text, uint64_t size, belayi_reader_options options)
{
    struct pattern pattern = {.first = first, .text = text, .size = size};
    struct bounds b = {0};
    const belayi_record *record;
    belay_error error;
    largest = 0;
    belayi_stream *stream = belayi_stream_open(NULL, give_pattern, &pattern, &error);
    belayi_reader *reader = belayi_reader_open(stream, &options, &error);
    while (belayi_reader_next(reader, &record, &error) == BELAY_OK && record) {
        b.records++;
        b.flaws += record->flaw != NULL;
    }
    b.looked = belayi_reader_looked(reader);
    b.lines = belayi_reader_line(reader) - 1;
    assert_int_equal(belayi_reader_offset(reader), size);
    belayi_reader_close(reader);
    belayi_stream_close(stream);
    return b;
}

enum { MEGA = 1 << 20, PIECES = 2 * 262144 };

static void a_line_of_a_gigabyte_is_one_flaw_and_takes_no_memory(void **state)
{
    (void)state;
    belayi_reader_options options = bare_csv();
    options.max_record = 100000;
    struct bounds b = read_pattern("", "abcdefg,", 1 << 30, options);
    assert_int_equal(b.records, 1);
    assert_int_equal(b.flaws, 1);
    assert_true(largest <= 100000 + PIECES);
    b = read_pattern("a\n\"", "abcdefg,", 100 * MEGA, options);
    assert_int_equal(b.records, 2);
    assert_true(largest <= 100000 + PIECES);
    options.encoding = "ISO-8859-1";
    b = read_pattern("", "abcdefg,", 100 * MEGA, options);
    assert_int_equal(b.records, 1);
    assert_true(largest <= 3 * 100000 + PIECES);
}

/* Twice each for lines outside and inside of quotes, twice again as windows grow; a block for each record. */
static void check_quotes(const char *first, const char *text, size_t size, size_t limit, const char *encoding)
{
    belayi_reader_options options = bare_csv();
    options.max_record = limit;
    options.encoding = encoding;
    struct bounds b = read_pattern(first, text, size, options);
    if (b.looked > 6 * size + 64 * b.records)
        fail_msg("%s%s.., limit %zu, %s: looked at %llu bytes for %llu records", first, text, limit,
                 encoding ? encoding : "UTF-8", (unsigned long long)b.looked, (unsigned long long)b.records);
    assert_true(largest <= 6 * limit + PIECES); /* text that was decoded, with room for twice as much */
}

/* Each of these files has lines that a field in quotes is looked for in, to the limit, in vain. */
static void quotes_that_never_close_are_looked_for_in_linear_time(void **state)
{
    static const struct {
        const char *first, *text;
    } files[] = {
        {"1,\"", "a,b\n"}, /* one quote at the beginning */
        {"", "1,\"a\n"},   /* one in each line */
        {"", "1,\"\"\"a\n"},   {"", "\"\n"},
        {"", ",\"\n"},         {"", ",\",\n"},
        {"", ",\",\",\",\n"},  {"\"", "\"\"\n"}, /* pairs, which don't close it */
        {"\"", "a,\"\"\n"},    {"\"a\"\"", "\"\",\"\"\n"},
        {"", "\"\"\"\n"},      {"", "\"a\r\"\"b\r\n\"\"\"\"c\r"},
        {"\"", "\n"},          {"\"", "\r"},
        {"", "\",\"\n\n\n\n"}, {"", "\"a\",\"b\n\"\"\n"},
    };
    static const char line[] = "a line that is not as short as those of the files above, for speed\n";
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        check_quotes(files[i].first, files[i].text, MEGA, 4096, NULL);
        check_quotes(files[i].first, files[i].text, 4 * MEGA, MEGA, NULL);
        check_quotes(files[i].first, files[i].text, MEGA / 2, 65536, "ISO-8859-1");
    }
    /* Windows that grew by a piece at a time would be looked through hundreds of times. */
    check_quotes(files[0].first, line, 32 * MEGA, 16 * MEGA, NULL);
    check_quotes(files[0].first, line, 10 * MEGA, 8 * MEGA, "ISO-8859-1");
}

static void backslashes_and_long_lines_are_read_in_linear_time(void **state)
{
    static const char *const texts[] = {"\\\n", "a\\\\\\\n", "\\", "\t", "\n", "\r", "ab\\\r\n"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        for (int format = BELAY_IMPORT_TSV; format <= BELAY_IMPORT_JSONL; format++) {
            belayi_reader_options options = bare_tsv();
            options.format = (belay_import_format)format;
            options.max_record = 65536;
            struct bounds b = read_pattern("", texts[i], 4 * MEGA, options);
            assert_true(b.looked <= 6 * 4 * MEGA + 64 * b.records);
            assert_true(largest <= 24 * 65536 + PIECES); /* fields of a record: 24 bytes each */
        }
}

static void records_that_straddle_what_is_read_at_once_are_whole(void **state)
{
    (void)state;
    belayi_reader_options options = bare_csv();
    for (size_t i = 0; i < 8; i++) {
        struct bounds b = read_pattern(&"xxxxxxx\n"[i], "1,\"a\"\"b\nc\",2\r\n", 14 * 100000 + 8 - i, options);
        assert_int_equal(b.records, 100001);
        assert_int_equal(b.flaws, 0);
        assert_int_equal(b.lines, 200001);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_as_long_as_it_may_be_is_good_and_a_longer_one_is_cut),
        cmocka_unit_test(a_quoted_field_that_is_not_closed_within_the_limit_costs_its_line_only),
        cmocka_unit_test(long_records_of_other_formats_are_cut),
        cmocka_unit_test(the_rest_of_a_long_record_may_be_left_out),
        cmocka_unit_test(what_is_whole_before_a_failure_is_read_however_it_was_given),
        cmocka_unit_test(reading_goes_on_behind_what_was_read_before),
        cmocka_unit_test(a_line_of_a_gigabyte_is_one_flaw_and_takes_no_memory),
        cmocka_unit_test(quotes_that_never_close_are_looked_for_in_linear_time),
        cmocka_unit_test(backslashes_and_long_lines_are_read_in_linear_time),
        cmocka_unit_test(records_that_straddle_what_is_read_at_once_are_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
