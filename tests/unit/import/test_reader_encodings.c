/* Other encodings: decoded before anything is split, with the places of the original bytes. */
#include "reading.h"

#include <iconv.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void expect(const char *encoding, const char *file, size_t size, const char *expected)
{
    belayi_reader_options options = bare_csv();
    options.encoding = encoding;
    expect_records(file, size, &options, expected);
}

static void fields_of_any_encoding_are_utf8(void **state)
{
    (void)state;
    expect("ISO-8859-1", FILE_OF("\xE4,\"\xA0\"\nb"), "1 1 0: \\xC3\\xA4|\"\\xC2\\xA0\"\n2 2 6: b\n");
    expect("CP1252", FILE_OF("\x80\r\nb\n"), "1 1 0: \\xE2\\x82\\xAC\n2 2 3: b\n");
    expect("EUC-JP", FILE_OF("\xB8\xEC,x\nb\n"), "1 1 0: \\xE8\\xAA\\x9E|x\n2 2 5: b\n");
    expect("UTF-8", FILE_OF("\xC3\xA4\n"), "1 1 0: \\xC3\\xA4\n");
    expect("utf8", FILE_OF("\xC3\xA4\n"), "1 1 0: \\xC3\\xA4\n");
}

/* 0x7C and 0x5C, a bar and a backslash, are the second bytes of characters here. */
static void bytes_of_a_character_are_never_taken_for_delimiters_or_escapes(void **state)
{
    (void)state;
    belayi_reader_options options = bare_csv();
    options.encoding = "SHIFT-JIS";
    options.delimiter = '|';
    expect_records(FILE_OF("\x83\x7C|\x83\x5C\nb\n"), &options, "1 1 0: \\xE3\\x83\\x9D|\\xE3\\x82\\xBD\n2 2 6: b\n");
    options = bare_tsv();
    options.encoding = "GBK";
    expect_records(FILE_OF("\x81\x5C\tb\\n\n"), &options, "1 1 0: \\xE4\\xB9\\x97|b\\x0A\n");
    options.encoding = "BIG5";
    expect_records(FILE_OF("\xA5\x5C\nb\n"), &options, "1 1 0: \\xE5\\x8A\\x9F\n2 2 3: b\n");
    options = bare_csv();
    options.encoding = "ISO-2022-JP";
    expect_records(FILE_OF("\x1B$B!\"0,\x1B(B,b\n\x1B$B0,\x1B(B"), &options,
                   "1 1 0: \\xE3\\x80\\x81\\xE7\\xA9\\x90|b\n2 2 13: \\xE7\\xA9\\x90\n");
}

static void bytes_that_are_no_text_in_the_encoding_are_a_flaw(void **state)
{
    (void)state;
    expect("ASCII", FILE_OF("a,b\xE4,c\nd\n"),
           "1 1 0! 2: byte 4 of the record, 0xE4, is not text in ASCII\n2 2 7: d\n");
    expect("CP1252", FILE_OF("\xE4,\x81\nd\n"),
           "1 1 0! 2: byte 3 of the record, 0x81, is not text in CP1252\n2 2 4: d\n");
    expect("SHIFT-JIS", FILE_OF("a\n\x83\nd\n"),
           "1 1 0: a\n2 2 2! 1: byte 1 of the record, 0x83, is not text in SHIFT-JIS\n"
           "3 3 4: d\n");
    expect("ISO-8859-1", FILE_OF("\xE4\xE4,\0\n"), "1 1 0! 2: a NUL character, byte 4 of the record\n");
    expect("CP1252", FILE_OF("\"\xE4\n\xE4\x90\",b\n"),
           "1 1 0! 1: byte 5 of the record, 0x90, is not text in CP1252\n");
}

static void utf16_and_utf32_are_read_in_both_orders(void **state)
{
    (void)state;
    expect("UTF-16LE", FILE_OF("a\0,\0\xE4\0\n\0\x3D\xD8\x00\xDE"),
           "1 1 0: a|\\xC3\\xA4\n2 2 8: \\xF0\\x9F\\x98\\x80\n");
    expect("UTF-16BE", FILE_OF("\0a\0,\0\xE4\0\r\0\n\xD8\x3D\xDE\x00"),
           "1 1 0: a|\\xC3\\xA4\n2 2 10: \\xF0\\x9F\\x98\\x80\n");
    expect("UTF-32LE", FILE_OF("a\0\0\0\r\0\0\0\x00\xF6\x01\0"), "1 1 0: a\n2 2 8: \\xF0\\x9F\\x98\\x80\n");
    expect("UTF-32BE", FILE_OF("\0\0\0a\0\0\0\n\0\x01\xF6\x00"), "1 1 0: a\n2 2 8: \\xF0\\x9F\\x98\\x80\n");
    /* Characters with a line end's, comma's or quote's byte in them. */
    expect("UTF-16LE", FILE_OF("\x0A\x0A\x0D\x0A\x0A\x0D\x2C\x22\x22\x2C\n\0"),
           "1 1 0: \\xE0\\xA8\\x8A\\xE0\\xA8\\x8D\\xE0\\xB4\\x8A\\xE2\\x88\\xAC\\xE2\\xB0\\xA2\n");
}

static void a_byte_order_mark_is_taken_off_and_tells_the_order(void **state)
{
    (void)state;
    expect("UTF-16LE",
           FILE_OF("\xFF\xFE"
                   "a\0"),
           "1 1 2: a\n");
    expect("UTF-16",
           FILE_OF("\xFF\xFE"
                   "a\0\n\0b\0"),
           "1 1 2: a\n2 2 6: b\n");
    expect("UTF-16", FILE_OF("\xFE\xFF\0a\0\n\0b"), "1 1 2: a\n2 2 6: b\n");
    expect("UTF-32", FILE_OF("\0\0\xFE\xFF\0\0\0a"), "1 1 4: a\n");
    expect("UTF-32", FILE_OF("\xFF\xFE\0\0a\0\0\0"), "1 1 4: a\n");
    expect("UTF-16", "", 0, "");
    belayi_reader_options options = bare_csv();
    options.encoding = "UTF-16";
    expect_refused(FILE_OF("a\0\n\0"), &options, BELAY_DATA,
                   "the file has no byte order mark: its encoding is UTF-16LE or UTF-16BE");
    options.encoding = "UTF-16BE";
    expect_refused(FILE_OF("\xFF\xFE"
                           "a\0"),
                   &options, BELAY_DATA, "the file's byte order mark is not that of UTF-16BE");
}

static void broken_utf16_and_utf32_are_flaws(void **state)
{
    (void)state;
    expect("UTF-16LE", FILE_OF("a\0,\0\x3D\xD8\n\0b\0\n\0"),
           "1 1 0! 2: byte 5 of the record, 0x3D, is not text in UTF-16LE\n2 2 8: b\n");
    expect("UTF-16LE", FILE_OF("\x00\xDE\n\0b\0"),
           "1 1 0! 1: byte 1 of the record, 0x00, is not text in UTF-16LE\n2 2 4: b\n");
    expect("UTF-16LE", FILE_OF("a\0\n\0b\0c"),
           "1 1 0: a\n2 2 4! 1: byte 3 of the record, 0x63, is not text in UTF-16LE\n");
    expect("UTF-16LE", FILE_OF("a\0\n"), "1 1 0! 1: byte 3 of the record, 0x0A, is not text in UTF-16LE\n");
    expect("UTF-32BE", FILE_OF("\0\x11\0\0\0\0\0\nb"),
           "1 1 0! 1: byte 1 of the record, 0x00, is not text in UTF-32BE\n"
           "2 2 8! 1: byte 1 of the record, 0x62, is not text in UTF-32BE\n");
    expect("UTF-16BE", FILE_OF("\0a\0\0\0\n\0b"), "1 1 0! 1: a NUL character, byte 3 of the record\n2 2 6: b\n");
}

static void a_broken_character_does_not_hide_the_quotes_behind_it(void **state)
{
    (void)state;
    expect("UTF-16LE", FILE_OF("\x3D\xD8,\0\"\0a\0\n\0b\0\"\0\n\0c\0"),
           "1 1 0! 1: byte 1 of the record, 0x3D, is not text in UTF-16LE\n2 3 16: c\n");
}

static void the_byte_that_is_no_text_is_found_in_a_long_line_too(void **state)
{
    enum { LONG = 1000 };
    char file[LONG + 1];
    (void)state;
    memset(file, '\xE4', LONG);
    file[LONG] = '\x81';
    expect("CP1252", file, sizeof file, "1 1 0! 1: byte 1001 of the record, 0x81, is not text in CP1252\n");
}

static void quotes_and_their_recovery_are_the_same_in_any_encoding(void **state)
{
    (void)state;
    expect("UTF-16LE", FILE_OF("\"\0a\0\n\0b\0\"\0\n\0c\0\"\0\r\0d\0"),
           "1 1 0: \"a\\x0Ab\"\n2 3 12! 1: a quote inside a field that has none around it\n3 4 18: d\n");
    expect("ISO-8859-1", FILE_OF("\"\xE4\n\xE4\xE4\n"),
           "1 1 0! 1: a quoted field is never closed\n2 2 3: \\xC3\\xA4\\xC3\\xA4\n");
}

static void records_that_are_too_long_are_cut_in_any_encoding(void **state)
{
    (void)state;
    belayi_reader_options options = bare_csv();
    options.max_record = 17;
    options.encoding = "UTF-16LE";
    expect_records(FILE_OF("a\0b\0c\0d\0e\0f\0g\0\n\0a\0b\0c\0d\0e\0f\0g\0h\0\n\0x\0"), &options,
                   "1 1 0: abcdefg\n2 2 16! 0: the record is longer than 17 bytes\n3 3 34: x\n");
    expect_records(FILE_OF("a\0b\0c\0d\0e\0f\0g\0\r\0\n\0x\0\n\0"), &options,
                   "1 1 0! 0: the record is longer than 17 bytes\n2 2 18: x\n");
    options.encoding = "ISO-8859-1";
    expect_records(FILE_OF("\"\xE4\n\xE4\xE4\xE4\xE4\xE4\xE4\xE4\xE4\xE4\xE4\xE4\xE4\xE4\xE4\xE4\xE4\"\nb\n"), &options,
                   "1 1 0! 1: a quoted field is not closed within 17 bytes\n"
                   "2 2 3! 0: the record is longer than 17 bytes\n3 3 21: b\n");
}

static void encodings_that_can_not_be_read_are_refused(void **state)
{
    (void)state;
    belayi_reader_options options = bare_csv();
    static const char *const unknown[] = {"no-such-encoding", "", "CP1252//IGNORE", "LATIN1//TRANSLIT"};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        options.encoding = unknown[i];
        expect_refused(FILE_OF("a\n"), &options, BELAY_MISUSE, "the encoding ");
    }
    options.encoding = "IBM037";
    expect_refused(FILE_OF("a\n"), &options, BELAY_MISUSE, "the encoding IBM037 has other line ends than ASCII");
}

/* UTF-7 can write a line end with other bytes: no line of the file ends there. */
static void a_line_end_that_is_decoded_from_other_bytes_is_no_line_end(void **state)
{
    (void)state;
    expect("UTF-7", FILE_OF("a+AAo-b\nc\n"), "1 1 0! 1: byte 1 of the record, 0x61, is not text in UTF-7\n2 2 8: c\n");
}

/* Why lines can be cut before they are decoded. */
static void no_character_of_these_encodings_has_a_line_ends_byte_in_it(void **state)
{
    static const char *const names[] = {
        "SHIFT-JIS",  "CP932", "EUC-JISX0213", "SHIFT_JISX0213", "GBK",    "GB18030", "BIG5",
        "BIG5-HKSCS", "CP949", "JOHAB",        "EUC-JP",         "EUC-KR", "EUC-TW",  "EUC-CN",
        "CP1258",     "TCVN",  "TSCII",        "ISO-8859-1",     "KOI8-R", "CP1255",  "MACINTOSH"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        iconv_t way = iconv_open("UTF-8", names[i]);
        assert_true(way != (iconv_t)-1);
        for (unsigned pair = 0; pair < 256 * 2; pair++) {
            char bytes[3] = {(char)(pair / 2), pair % 2 ? '\r' : '\n', 'x'}, out[32], *from = bytes, *to = out;
            size_t left = sizeof bytes, room = sizeof out;
            iconv(way, NULL, NULL, NULL, NULL);
            if (iconv(way, &from, &left, &to, &room) == (size_t)-1)
                continue; /* it is no text */
            iconv(way, NULL, NULL, &to, &room);
            if (!memchr(out, bytes[1], (size_t)(to - out)))
                fail_msg("%s: 0x%02X", names[i], pair / 2);
        }
        iconv_close(way);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_of_any_encoding_are_utf8),
        cmocka_unit_test(bytes_of_a_character_are_never_taken_for_delimiters_or_escapes),
        cmocka_unit_test(bytes_that_are_no_text_in_the_encoding_are_a_flaw),
        cmocka_unit_test(utf16_and_utf32_are_read_in_both_orders),
        cmocka_unit_test(a_byte_order_mark_is_taken_off_and_tells_the_order),
        cmocka_unit_test(broken_utf16_and_utf32_are_flaws),
        cmocka_unit_test(a_broken_character_does_not_hide_the_quotes_behind_it),
        cmocka_unit_test(the_byte_that_is_no_text_is_found_in_a_long_line_too),
        cmocka_unit_test(quotes_and_their_recovery_are_the_same_in_any_encoding),
        cmocka_unit_test(records_that_are_too_long_are_cut_in_any_encoding),
        cmocka_unit_test(encodings_that_can_not_be_read_are_refused),
        cmocka_unit_test(a_line_end_that_is_decoded_from_other_bytes_is_no_line_end),
        cmocka_unit_test(no_character_of_these_encodings_has_a_line_ends_byte_in_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
