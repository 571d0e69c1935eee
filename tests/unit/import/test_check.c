/*
 * test_check.c - the first gate, without an engine: a declared type, a text, and what is bound or why not.
 *
 * The tables are the rules of docs/import.md, value by value. What an engine then
 * stores is looked at in tests/import/test_stored.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <belay/sys/driver.h>

#include "arena.h"
#include "catalog.h"
#include "check.h"

/* ---- A value as one text ------------------------------------------------------------------------------------ */

static const char *show(const belay_value *v)
{
    static char text[2000];
    const unsigned char *data = v->as.data;
    int size = (int)v->size;
    switch (v->type) {
    case BELAY_TYPE_NULL:
        return "NULL";
    case BELAY_TYPE_BOOL:
        return v->as.integer ? "true" : "false";
    case BELAY_TYPE_INT:
        snprintf(text, sizeof text, "int %lld", (long long)v->as.integer);
        return text;
    case BELAY_TYPE_UINT:
        return "unsigned"; /* never: not every engine takes it */
    case BELAY_TYPE_DOUBLE:
        snprintf(text, sizeof text, "real %.17g", v->as.real);
        return text;
    case BELAY_TYPE_TEXT:
        snprintf(text, sizeof text, "'%.*s'", size, (const char *)data);
        return text;
    case BELAY_TYPE_BLOB:
        snprintf(text, sizeof text, "x");
        for (size_t i = 0; i < v->size && i < 100; i++)
            snprintf(text + 1 + 2 * i, 3, "%02x", data[i]);
        return text;
    case BELAY_TYPE_DECIMAL:
        snprintf(text, sizeof text, "decimal %.*s", size, (const char *)data);
        return text;
    case BELAY_TYPE_TIMESTAMP:
        snprintf(text, sizeof text, "moment %lld", (long long)v->as.integer);
        return text;
    }
    return "?";
}

/* What the text is bound as in a column of that type, or "! " and why not. */
static const char *check_size(const char *declared, unsigned flavour, const char *text, size_t size,
                              belayi_field_kind kind)
{
    static char shown[2100];
    char why[BELAYI_WHY_ROOM] = "";
    belay_value value;
    belayi_arena arena = {0};
    belayi_column column = {.name = "c", .declared = declared};
    /* In memory of its own size, so that a byte read behind it is found by the sanitizers. */
    char *exact = size > 0 ? malloc(size) : NULL;
    if (exact)
        memcpy(exact, text, size);
    const belayi_field field = {exact, size, kind};
    belayi_type_read(declared, flavour, &column.type);
    if (belayi_check_field(&column, &field, &arena, &value, why))
        snprintf(shown, sizeof shown, "%s", show(&value));
    else
        snprintf(shown, sizeof shown, "! %s", why);
    free(exact);
    belayi_arena_free(&arena);
    return shown;
}

static const char *check(const char *declared, unsigned flavour, const char *text)
{
    return check_size(declared, flavour, text, strlen(text), BELAYI_FIELD_BARE);
}

typedef struct row {
    const char *declared, *text, *expected; /* "!": refused, whatever the words */
} row;

static void assert_rows_of(unsigned flavour, const row *rows, size_t count)
{
    int wrong = 0;
    for (size_t i = 0; i < count; i++) {
        const char *got = check(rows[i].declared, flavour, rows[i].text);
        bool good = strcmp(rows[i].expected, "!") == 0 ? got[0] == '!' : strcmp(got, rows[i].expected) == 0;
        if (good)
            continue;
        print_error("%s <- '%s': %s, and not %s\n", rows[i].declared, rows[i].text, got, rows[i].expected);
        wrong++;
    }
    assert_int_equal(wrong, 0);
}

#define ASSERT_ROWS(flavour, ...)                                                                                      \
    do {                                                                                                               \
        static const row rows[] = {__VA_ARGS__};                                                                       \
        assert_rows_of(flavour, rows, sizeof rows / sizeof *rows);                                                     \
    } while (0)

/* ---- Integers ----------------------------------------------------------------------------------------------- */

static void an_integer_is_a_sign_and_digits_within_the_range_of_its_column(void **state)
{
    (void)state;
    ASSERT_ROWS(BELAY_TYPES_STANDARD, {"integer", "0", "int 0"}, {"integer", "42", "int 42"},
                {"integer", "-42", "int -42"}, {"integer", "+42", "int 42"}, {"integer", "007", "int 7"},
                {"integer", "-0", "int 0"}, {"integer", "2147483647", "int 2147483647"},
                {"integer", "2147483648", "! \"2147483648\" is not from -2147483648 to 2147483647"},
                {"integer", "-2147483648", "int -2147483648"}, {"integer", "-2147483649", "!"},
                {"smallint", "32767", "int 32767"}, {"smallint", "32768", "!"}, {"smallint", "-32768", "int -32768"},
                {"smallint", "-32769", "!"}, {"bigint", "9223372036854775807", "int 9223372036854775807"},
                {"bigint", "9223372036854775808", "!"}, {"bigint", "-9223372036854775808", "int -9223372036854775808"},
                {"bigint", "-9223372036854775809", "!"}, {"bigint", "18446744073709551617", "!"},
                {"bigint", "99999999999999999999999999", "!"},
                {"bigint", "0000000000000000000000000000000005", "int 5"}, {"oid", "4294967295", "int 4294967295"},
                {"oid", "-1", "!"}, {"oid", "-0", "int 0"}, {"integer", "", "! \"\" is no integer"},
                {"integer", "twenty", "! \"twenty\" is no integer"}, {"integer", "1.0", "!"}, {"integer", "1e3", "!"},
                {"integer", " 1", "!"}, {"integer", "1 ", "!"}, {"integer", "+", "!"}, {"integer", "-", "!"},
                {"integer", "--1", "!"}, {"integer", "1,000", "!"}, {"integer", "0x10", "!"}, {"integer", "1_000", "!"},
                {"integer", "true", "!"}, {"integer", "\xD9\xA1", "!"});
    ASSERT_ROWS(BELAY_TYPES_DISPLAY, {"bigint(20) unsigned", "18446744073709551615", "decimal 18446744073709551615"},
                {"bigint(20) unsigned", "+0018446744073709551615", "decimal 18446744073709551615"},
                {"bigint(20) unsigned", "18446744073709551616", "!"}, {"bigint(20) unsigned", "-1", "!"},
                {"bigint(20) unsigned", "9223372036854775807", "int 9223372036854775807"},
                {"tinyint(4)", "-128", "int -128"}, {"tinyint(4)", "128", "!"},
                {"mediumint(9)", "8388607", "int 8388607"}, {"mediumint(9)", "8388608", "!"});
    ASSERT_ROWS(BELAY_TYPES_LOOSE, {"SMALLINT", "32768", "int 32768"}, {"INTEGER", "9223372036854775808", "!"});
}

/* ---- Decimals ----------------------------------------------------------------------------------------------- */

static void a_decimal_has_a_place_for_each_of_its_digits_or_is_refused(void **state)
{
    (void)state;
    ASSERT_ROWS(BELAY_TYPES_STANDARD, {"numeric(12,2)", "10.50", "decimal 10.50"},
                {"numeric(12,2)", "twenty", "! \"twenty\" is no decimal number"},
                {"numeric(12,2)", "1.005", "! \"1.005\" has no place in 12 digits, 2 of them behind the point"},
                {"numeric(12,2)", "1.500", "decimal 1.50"}, {"numeric(12,2)", "1.5", "decimal 1.5"},
                {"numeric(12,2)", "-5.00", "decimal -5.00"}, {"numeric(12,2)", "+5.00", "decimal 5.00"},
                {"numeric(12,2)", "005.00", "decimal 5.00"}, {"numeric(12,2)", "-005.00", "decimal -5.00"},
                {"numeric(12,2)", ".5", "decimal 0.5"}, {"numeric(12,2)", "-.5", "decimal -0.5"},
                {"numeric(12,2)", "-0.5", "decimal -0.5"}, {"numeric(12,2)", "00.5", "decimal 0.5"},
                {"numeric(12,2)", "0", "decimal 0"}, {"numeric(12,2)", "-0", "decimal 0"},
                {"numeric(12,2)", "-0.00", "decimal 0.00"}, {"numeric(12,2)", ".000", "decimal 0.00"},
                {"numeric(12,2)", "5.", "!"}, {"numeric(12,2)", ".", "!"}, {"numeric(12,2)", "", "!"},
                {"numeric(12,2)", "-", "!"}, {"numeric(12,2)", "1e3", "!"}, {"numeric(12,2)", "1,5", "!"},
                {"numeric(12,2)", " 1.5", "!"}, {"numeric(12,2)", "1.5 ", "!"}, {"numeric(12,2)", "1.2.3", "!"},
                {"numeric(12,2)", "NaN", "!"}, {"numeric(12,2)", "$5", "!"},
                {"numeric(12,2)", "9999999999.99", "decimal 9999999999.99"}, {"numeric(12,2)", "10000000000", "!"},
                {"numeric(12,2)", "0009999999999.990000", "decimal 9999999999.99"}, {"numeric(5)", "1.0", "decimal 1"},
                {"numeric(5)", "1.5", "!"}, {"numeric(5)", "99999", "decimal 99999"}, {"numeric(5)", "100000", "!"},
                {"numeric(3,-1)", "120", "decimal 120"}, {"numeric(3,-1)", "9990", "decimal 9990"},
                {"numeric(3,-1)", "10000", "!"}, {"numeric(3,-1)", "125", "!"}, {"numeric(3,-1)", "5", "!"},
                {"numeric(3,-1)", "0", "decimal 0"}, {"numeric(2,5)", "0.00012", "decimal 0.00012"},
                {"numeric(2,5)", "0.00099", "decimal 0.00099"}, {"numeric(2,5)", "0.001", "!"},
                {"numeric(2,5)", "0.000123", "!"}, {"numeric", "1.500", "decimal 1.500"},
                {"numeric", "123456789012345678901234567890.123", "decimal 123456789012345678901234567890.123"});
    ASSERT_ROWS(BELAY_TYPES_DISPLAY, {"decimal(5,2) unsigned", "-0.01", "! \"-0.01\" is below 0"},
                {"decimal(5,2) unsigned", "-0", "decimal 0"}, {"decimal(5,2) unsigned", "999.99", "decimal 999.99"});
}

static void where_a_decimal_becomes_a_binary_number_fifteen_digits_of_it_are_kept(void **state)
{
    (void)state;
    ASSERT_ROWS(BELAY_TYPES_LOOSE, {"NUMERIC(12,2)", "41.00", "int 41"}, {"NUMERIC(12,2)", "10.50", "real 10.5"},
                {"NUMERIC(12,2)", "1.005", "!"}, {"NUMERIC(12,2)", "twenty", "!"}, {"NUMERIC", "-7", "int -7"},
                {"NUMERIC", "0.1", "real 0.10000000000000001"}, {"NUMERIC", ".5", "real 0.5"},
                {"NUMERIC", "-0.00", "int 0"}, {"NUMERIC", "9223372036854775807.000", "int 9223372036854775807"},
                {"NUMERIC", "-9223372036854775808", "int -9223372036854775808"},
                {"NUMERIC", "9223372036854775808", "!"}, {"NUMERIC", "9300000000000000000", "real 9.3e+18"},
                {"NUMERIC", "123456789012345.6", "!"}, {"NUMERIC", "12345678901234.5", "real 12345678901234.5"},
                {"NUMERIC", "0.000000000000000000000000000123456789012345", "real 1.23456789012345e-28"},
                {"NUMERIC", "0.0000123456789012345", "real 1.23456789012345e-05"},
                {"NUMERIC", "0.1234567890123456", "!"}, {"DECIMAL TEXT", "x", "'x'"});
    char large[400] = "1", small[600] = "0.";
    memset(large + 1, '0', 350);
    memset(small + 2, '0', 400);
    strcpy(small + 402, "1");
    assert_int_equal(check("NUMERIC", BELAY_TYPES_LOOSE, large)[0], '!');
    assert_int_equal(check("NUMERIC", BELAY_TYPES_LOOSE, small)[0], '!');
    large[301] = '\0';
    assert_string_equal(check("NUMERIC", BELAY_TYPES_LOOSE, large), "real 1.0000000000000001e+300");
}

/* ---- Binary numbers ----------------------------------------------------------------------------------------- */

static void a_binary_number_is_the_nearest_one_to_what_is_written(void **state)
{
    (void)state;
    ASSERT_ROWS(BELAY_TYPES_STANDARD, {"double precision", "0.1", "real 0.10000000000000001"},
                {"double precision", "1e3", "real 1000"},
                {"double precision", "77325515754209534e-1", "real 7732551575420953"},
                {"real", "154243051520e-7", "real 15424.3046875"}, {"real", "8685084e11", "real 8.685084266683433e+17"},
                {"double precision", "343864416141312e23", "real 3.4386441614131201e+37"},
                {"double precision", "-1.5E-3", "real -0.0015"}, {"double precision", "+2", "real 2"},
                {"double precision", ".5", "real 0.5"}, {"double precision", "1e22", "real 1e+22"},
                {"double precision", "1e23", "real 9.9999999999999992e+22"},
                {"double precision", "123456789012345678", "real 1.2345678901234568e+17"},
                {"double precision", "9007199254740993", "real 9007199254740992"},
                {"double precision", "1.7976931348623157e308", "real 1.7976931348623157e+308"},
                {"double precision", "1.8e308", "! \"1.8e308\" is too large for the column"},
                {"double precision", "5e-324", "real 4.9406564584124654e-324"},
                {"double precision", "1e-400", "! \"1e-400\" is too small for the column"},
                {"double precision", "0e-400", "real 0"}, {"double precision", "1e99999999999999999999", "!"},
                {"double precision", "-0", "real -0"}, {"double precision", "NaN", "real nan"},
                {"double precision", "-Infinity", "real -inf"}, {"double precision", "inf", "real inf"},
                {"double precision", "-nan", "!"}, {"double precision", "5.", "!"}, {"double precision", "", "!"},
                {"double precision", "1e", "!"}, {"double precision", "e3", "!"}, {"double precision", "0x1p3", "!"},
                {"double precision", " 1", "!"}, {"double precision", "1,5", "!"}, {"double precision", "infinit", "!"},
                {"real", "0.1", "real 0.10000000149011612"}, {"real", "16777217", "real 16777216"},
                {"real", "3.4028235e38", "real 3.4028234663852886e+38"}, {"real", "3.5e38", "!"},
                {"real", "1e-50", "!"}, {"real", "1e-45", "real 1.4012984643248171e-45"},
                /* halfway between two floats but for the last digit: rounding twice would go the wrong way */
                {"real", "1.00000017881393432617187499", "real 1.0000001192092896"},
                {"real", "1.00000017881393432617187501", "real 1.0000002384185791"});
    ASSERT_ROWS(BELAY_TYPES_DISPLAY, {"double", "NaN", "!"}, {"double", "Infinity", "!"},
                {"double unsigned", "-1", "!"}, {"float(7,4)", "123.4567", "real 123.45670318603516"},
                {"float(7,4)", "123.45678", "!"}, {"float(7,4)", "1234", "!"}, {"float(7,4)", "1e2", "!"});
    ASSERT_ROWS(BELAY_TYPES_LOOSE, {"REAL", "0.1", "real 0.10000000000000001"}, {"REAL", "NaN", "!"},
                {"FLOAT", "twenty", "!"});
    char digits[400];
    memset(digits, '3', 300);
    strcpy(digits + 300, "e-300");
    assert_string_equal(check("double precision", BELAY_TYPES_STANDARD, digits), "real 0.33333333333333331");
}

/* ---- Booleans, bits, years ---------------------------------------------------------------------------------- */

static void a_boolean_is_one_of_ten_words_or_a_number_of_its_column(void **state)
{
    (void)state;
    ASSERT_ROWS(BELAY_TYPES_STANDARD, {"boolean", "true", "true"}, {"boolean", "FALSE", "false"},
                {"boolean", "t", "true"}, {"boolean", "F", "false"}, {"boolean", "yes", "true"},
                {"boolean", "No", "false"}, {"boolean", "y", "true"}, {"boolean", "n", "false"},
                {"boolean", "on", "true"}, {"boolean", "off", "false"}, {"boolean", "1", "true"},
                {"boolean", "0", "false"}, {"boolean", "2", "!"}, {"boolean", "-1", "!"}, {"boolean", "", "!"},
                {"boolean", "tru", "!"}, {"boolean", "truee", "!"}, {"boolean", " true", "!"}, {"boolean", "wahr", "!"},
                {"boolean", "1.0", "!"}, {"boolean", "T\x12UE", "!"});
    ASSERT_ROWS(BELAY_TYPES_DISPLAY, {"tinyint(1)", "true", "true"}, {"tinyint(1)", "0", "int 0"},
                {"tinyint(1)", "-128", "int -128"}, {"tinyint(1)", "127", "int 127"}, {"tinyint(1)", "128", "!"},
                {"tinyint(1)", "twenty", "!"});
    ASSERT_ROWS(BELAY_TYPES_LOOSE, {"BOOLEAN", "yes", "true"}, {"BOOLEAN", "5", "!"});
}

static void bits_are_zeros_and_ones_no_more_than_there_are(void **state)
{
    (void)state;
    ASSERT_ROWS(BELAY_TYPES_STANDARD, {"bit(3)", "101", "'101'"}, {"bit(3)", "01", "!"}, {"bit(3)", "0101", "!"},
                {"bit(3)", "102", "!"}, {"bit varying(3)", "01", "'01'"}, {"bit varying(3)", "", "''"},
                {"bit varying(3)", "0101", "!"}, {"bit varying", "010101", "'010101'"});
    ASSERT_ROWS(BELAY_TYPES_DISPLAY, {"bit(3)", "101", "int 5"}, {"bit(3)", "01", "int 1"}, {"bit(3)", "0101", "!"},
                {"bit(3)", "5", "!"}, {"bit(3)", "", "!"}, {"bit(1)", "1", "int 1"},
                {"bit(64)", "1000000000000000000000000000000000000000000000000000000000000001", "x8000000000000001"});
}

static void a_year_has_four_digits_and_is_one_that_can_be_stored(void **state)
{
    (void)state;
    ASSERT_ROWS(BELAY_TYPES_DISPLAY, {"year(4)", "2026", "int 2026"}, {"year(4)", "1901", "int 1901"},
                {"year(4)", "1900", "!"}, {"year(4)", "2155", "int 2155"}, {"year(4)", "2156", "!"},
                {"year(4)", "26", "!"}, {"year(4)", "0000", "!"}, {"year(4)", "20266", "!"}, {"year(4)", "20x6", "!"});
}

/* ---- Texts -------------------------------------------------------------------------------------------------- */

static void a_text_is_counted_in_characters_and_never_cut(void **state)
{
    (void)state;
    ASSERT_ROWS(
        BELAY_TYPES_STANDARD, {"character varying(3)", "abc", "'abc'"},
        {"character varying(3)", "abcd", "! \"abcd\" has 4 characters, and the column 3"},
        {"character varying(3)", "ab  ", "!"}, {"character varying(3)", "a  ", "'a  '"},
        {"character varying(3)", "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", "'\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80'"},
        {"character varying(3)", "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80x", "!"}, {"character varying(3)", "", "''"},
        {"text", "\xFF", "! \"\xFF\" is no UTF-8 text"}, {"text", "a\xC3", "!"}, {"text", " 1.0 ", "' 1.0 '"},
        {"name", "123456789012345678901234567890123456789012345678901234567890123",
         "'123456789012345678901234567890123456789012345678901234567890123'"},
        {"name", "1234567890123456789012345678901234567890123456789012345678901234", "!"}, {"\"char\"", "a", "'a'"},
        {"\"char\"", "ab", "!"});
    assert_string_equal(check_size("text", BELAY_TYPES_STANDARD, "a\0b", 3, BELAYI_FIELD_QUOTED), "! \"a\" has a NUL");
    ASSERT_ROWS(BELAY_TYPES_DISPLAY, {"varchar(3) character set utf8mb3", "\xE2\x82\xAC", "'\xE2\x82\xAC'"},
                {"varchar(3) character set utf8mb3", "\xF0\x9F\x98\x80", "!"},
                {"varchar(3) character set latin1", "\xF0\x9F\x98\x80", "!"},
                {"varchar(3) character set ascii", "\xC3\xA9", "!"},
                {"varchar(3) character set utf8mb4", "\xF0\x9F\x98\x80", "'\xF0\x9F\x98\x80'"});
    char text[300];
    memset(text, 'x', 256);
    text[256] = '\0';
    assert_int_equal(check("tinytext character set utf8mb4", BELAY_TYPES_DISPLAY, text)[0], '!');
    assert_int_equal(check("tinytext character set utf8mb4", BELAY_TYPES_DISPLAY, text + 1)[0], '\'');
    text[254] = '\xC3';
    text[255] = '\xA9';
    assert_int_equal(check("tinytext character set utf8mb4", BELAY_TYPES_DISPLAY, text)[0], '!');
    assert_int_equal(check("tinytext character set latin1", BELAY_TYPES_DISPLAY, text)[0], '\'');
}

static void spaces_at_the_end_of_a_char_are_refused_where_they_would_be_lost(void **state)
{
    (void)state;
    ASSERT_ROWS(BELAY_TYPES_STANDARD, {"character(5)", "ab", "'ab'"}, {"character(5)", "ab   ", "'ab   '"},
                {"character(5)", "ab ", "!"}, {"character(5)", " ab", "' ab'"}, {"character(5)", "ab    ", "!"},
                {"character(5)", "     ", "'     '"}, {"character(5)", " ", "!"}, {"character(5)", "", "''"});
    ASSERT_ROWS(BELAY_TYPES_DISPLAY, {"char(5) character set utf8mb4", "ab", "'ab'"},
                {"char(5) character set utf8mb4", "ab   ", "!"}, {"char(5) character set utf8mb4", "ab ", "!"},
                {"varchar(5) character set utf8mb4", "ab ", "'ab '"});
    ASSERT_ROWS(BELAY_TYPES_LOOSE, {"CHAR(5)", "ab ", "'ab '"}, {"CHAR(5)", "abcdef", "!"});
}

static void a_text_that_would_become_a_number_is_one_that_is_written_as_it_is_kept(void **state)
{
    (void)state;
    ASSERT_ROWS(BELAY_TYPES_LOOSE, {"STRING", "007", "! \"007\" would become a number that is written otherwise"},
                {"STRING", "7", "'7'"}, {"STRING", "-7", "'-7'"}, {"STRING", "+7", "!"}, {"STRING", "0", "'0'"},
                {"STRING", "-0", "!"}, {"STRING", "1.5", "'1.5'"}, {"STRING", "1.50", "!"}, {"STRING", "1.0", "!"},
                {"STRING", "5.", "!"}, {"STRING", ".5", "!"}, {"STRING", "0.5", "'0.5'"}, {"STRING", "00.5", "!"},
                {"STRING", "1e3", "!"}, {"STRING", "5.e3", "!"}, {"STRING", " 7", "!"}, {"STRING", "7\t", "!"},
                {"STRING", "9223372036854775807", "'9223372036854775807'"}, {"STRING", "9223372036854775808", "!"},
                {"STRING", "0.0001", "'0.0001'"}, {"STRING", "0.00001", "!"}, {"STRING", "123456789012345.6", "!"},
                {"STRING", "12345678901234.5", "'12345678901234.5'"}, {"STRING", "7a", "'7a'"}, {"STRING", "", "''"},
                {"STRING", ".", "'.'"}, {"STRING", "-", "'-'"}, {"STRING", "e3", "'e3'"}, {"STRING", "1e", "'1e'"},
                {"STRING", "www.example.com", "'www.example.com'"}, {"STRING", "1.2.3", "'1.2.3'"},
                {"STRING", "7 8", "'7 8'"}, {"STRING", "0x10", "'0x10'"}, {"STRING", "inf", "'inf'"},
                {"", "007", "'007'"}, {"VARCHAR(9)", "007", "'007'"}, {"TEXT", "1e3", "'1e3'"}, {"JSON", "1.50", "!"},
                {"JSON", "[1.50]", "'[1.50]'"}, {"JSON", "12", "'12'"});
}

static void bytes_are_hexadecimal_behind_a_backslash_and_x_or_the_text_itself(void **state)
{
    (void)state;
    ASSERT_ROWS(BELAY_TYPES_STANDARD, {"bytea", "\\x00ffAb", "x00ffab"}, {"bytea", "\\x", "x"}, {"bytea", "", "x"},
                {"bytea", "\\x0", "!"}, {"bytea", "\\x0g", "!"}, {"bytea", "\\000", "!"}, {"bytea", "\\", "!"},
                {"bytea", "hello", "x68656c6c6f"}, {"bytea", "a\\b", "x615c62"}, {"bytea", "\xC3\xA9", "xc3a9"},
                {"bytea", "0x41", "x30783431"});
    ASSERT_ROWS(BELAY_TYPES_DISPLAY, {"binary(3)", "\\x010203", "x010203"}, {"binary(3)", "\\x0102", "!"},
                {"binary(3)", "abc", "x616263"}, {"varbinary(3)", "ab", "x6162"}, {"varbinary(3)", "abcd", "!"});
}

static void a_uuid_has_its_dashes_where_they_belong(void **state)
{
    (void)state;
    ASSERT_ROWS(
        BELAY_TYPES_STANDARD,
        {"uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"},
        {"uuid", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'"},
        {"uuid", "a0eebc999c0b4ef8bb6d6bb9bd380a11", "!"}, {"uuid", "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}", "!"},
        {"uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1", "!"}, {"uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1g", "!"},
        {"uuid", "a0eebc9-99c0b-4ef8-bb6d-6bb9bd380a11", "!"}, {"uuid", "", "!"});
}

static void a_word_of_an_enum_is_exactly_one_of_its_list(void **state)
{
    (void)state;
    ASSERT_ROWS(BELAY_TYPES_STANDARD, {"enum('sad','it''s')", "sad", "'sad'"},
                {"enum('sad','it''s')", "it's", "'it's'"},
                {"enum('sad','it''s')", "Sad", "! \"Sad\" is none of the column's words"},
                {"enum('sad','it''s')", "", "!"}, {"enum('sad','it''s')", "sad,it's", "!"});
    ASSERT_ROWS(BELAY_TYPES_DISPLAY, {"set('a','b','c')", "a", "'a'"}, {"set('a','b','c')", "b,a", "'b,a'"},
                {"set('a','b','c')", "", "''"}, {"set('a','b','c')", "a,a", "!"}, {"set('a','b','c')", "b,a,b", "!"},
                {"set('a','b','c')", "a,", "!"}, {"set('a','b','c')", ",a", "!"}, {"set('a','b','c')", "a,d", "!"},
                {"set('a','b','c')", "a, b", "!"}, {"set('a','b','c')", "3", "!"}, {"enum('1','2')", "2", "'2'"},
                {"enum('1','2')", "3", "!"}, {"enum('a','b')", "1", "!"});
}

/* ---- Dates and times ---------------------------------------------------------------------------------------- */

static void a_date_is_a_day_of_the_calendar(void **state)
{
    (void)state;
    ASSERT_ROWS(
        BELAY_TYPES_STANDARD, {"date", "2026-01-01", "'2026-01-01'"},
        {"date", "2026-13-45", "! \"2026-13-45\" is no date of the form yyyy-mm-dd"}, {"date", "2026-00-10", "!"},
        {"date", "2026-01-00", "!"}, {"date", "2026-01-31", "'2026-01-31'"}, {"date", "2026-01-32", "!"},
        {"date", "2026-04-30", "'2026-04-30'"}, {"date", "2026-04-31", "!"}, {"date", "2026-02-29", "!"},
        {"date", "2024-02-29", "'2024-02-29'"}, {"date", "1900-02-29", "!"}, {"date", "2200-02-29", "!"},
        {"date", "1600-02-29", "'1600-02-29'"}, {"date", "2000-02-29", "'2000-02-29'"}, {"date", "0000-00-00", "!"},
        {"date", "0000-01-01", "!"}, {"date", "0001-01-01", "'0001-01-01'"}, {"date", "9999-12-31", "'9999-12-31'"},
        {"date", "10000-01-01", "!"}, {"date", "2026-1-1", "!"}, {"date", "26-01-01", "!"}, {"date", "01/02/2026", "!"},
        {"date", "20260101", "!"}, {"date", "2026-01-01 ", "!"}, {"date", " 2026-01-01", "!"},
        {"date", "2026-01-01 00:00:00", "!"}, {"date", "2026/01/01", "!"}, {"date", "-026-01-01", "!"},
        {"date", "today", "!"}, {"date", "infinity", "!"}, {"date", "", "!"}, {"date", "2026-01-0\xC2", "!"});
}

static void a_time_has_hours_and_minutes_and_no_digit_that_has_no_place(void **state)
{
    (void)state;
    ASSERT_ROWS(
        BELAY_TYPES_STANDARD, {"time without time zone", "10:20:30", "'10:20:30'"},
        {"time without time zone", "10:20", "'10:20'"}, {"time without time zone", "00:00:00", "'00:00:00'"},
        {"time without time zone", "23:59:59.999999", "'23:59:59.999999'"}, {"time without time zone", "24:00:00", "!"},
        {"time without time zone", "10:60:00", "!"}, {"time without time zone", "10:20:60", "!"},
        {"time without time zone", "1:20:30", "!"}, {"time without time zone", "10:20:30.", "!"},
        {"time without time zone", "10:20.5", "!"}, {"time without time zone", "10:20:", "!"},
        {"time without time zone", "10:2", "!"}, {"time without time zone", "102030", "!"},
        {"time without time zone", "10:20:30Z", "!"}, {"time without time zone", "-10:20:30", "!"},
        {"time without time zone", "", "!"}, {"time without time zone", "10:20:30.1234567", "!"},
        {"time without time zone", "10:20:30.1234560", "'10:20:30.123456'"},
        {"time(0) without time zone", "10:20:30.000", "'10:20:30'"}, {"time(0) without time zone", "10:20:30.5", "!"},
        {"time(3) without time zone", "10:20:30.5", "'10:20:30.5'"}, {"time without time zone", "10:20 PM", "!"});
    ASSERT_ROWS(BELAY_TYPES_DISPLAY, {"time", "-10:20:30", "'-10:20:30'"}, {"time", "838:59:59", "'838:59:59'"},
                {"time", "839:00:00", "!"}, {"time", "-838:59:59", "'-838:59:59'"}, {"time", "24:00:00", "'24:00:00'"},
                {"time", "1020:30", "!"}, {"time", "--10:20", "!"}, {"time(1)", "10:20:30.25", "!"});
    ASSERT_ROWS(BELAY_TYPES_LOOSE, {"TIME", "10:20:30.123456789", "'10:20:30.123456789'"}, {"TIME", "24:00", "!"});
}

static void a_timestamp_is_a_date_and_a_time_without_a_zone(void **state)
{
    (void)state;
    ASSERT_ROWS(BELAY_TYPES_STANDARD, {"timestamp without time zone", "2026-01-02 10:20:30", "'2026-01-02 10:20:30'"},
                {"timestamp without time zone", "2026-01-02T10:20:30", "'2026-01-02T10:20:30'"},
                {"timestamp without time zone", "2026-01-02 10:20", "'2026-01-02 10:20'"},
                {"timestamp without time zone", "2026-01-02 10:20:30.123456", "'2026-01-02 10:20:30.123456'"},
                {"timestamp without time zone", "2026-01-02 10:20:30.1234567", "!"},
                {"timestamp(0) without time zone", "2026-01-02 10:20:30.0", "'2026-01-02 10:20:30'"},
                {"timestamp without time zone", "2026-01-02", "!"}, {"timestamp without time zone", "2026-01-02 ", "!"},
                {"timestamp without time zone", "2026-02-30 10:20:30", "!"},
                {"timestamp without time zone", "2026-01-02 24:00:00", "!"},
                {"timestamp without time zone", "2026-01-02 23:59:60", "!"},
                {"timestamp without time zone", "2026-01-02 10:20:30Z",
                 "! \"2026-01-02 10:20:30Z\" has a zone, and the column has none"},
                {"timestamp without time zone", "2026-01-02 10:20:30+01:00", "!"},
                {"timestamp without time zone", "2026-01-02 10:20:30 PM", "!"},
                {"timestamp without time zone", "2026-01-02  10:20:30", "!"},
                {"timestamp without time zone", "2026-01-02t10:20:30", "!"},
                {"timestamp without time zone", "0000-00-00 00:00:00", "!"},
                {"timestamp without time zone", "now", "!"},
                {"timestamp without time zone", "2026-01-02 110:20:30", "!"});
}

static void a_moment_is_told_in_its_zone_and_without_one_in_utc(void **state)
{
    (void)state;
#define MOMENT "timestamp with time zone"
    ASSERT_ROWS(BELAY_TYPES_STANDARD, {MOMENT, "1970-01-01 00:00:00", "moment 0"},
                {MOMENT, "1970-01-01T00:00:00Z", "moment 0"}, {MOMENT, "1970-01-01 01:00:00+01", "moment 0"},
                {MOMENT, "1970-01-01 01:30:00+0130", "moment 0"}, {MOMENT, "1969-12-31 18:30:00-05:30", "moment 0"},
                {MOMENT, "1970-01-01 00:00+00", "moment 0"}, {MOMENT, "1970-01-01 00:00:00.000001", "moment 1"},
                {MOMENT, "1969-12-31 23:59:59.5", "moment -500000"},
                {MOMENT, "2000-03-01 00:00:00", "moment 951868800000000"},
                {MOMENT, "2024-02-29 12:00:00Z", "moment 1709208000000000"},
                {MOMENT, "0001-01-01 00:00:00", "moment -62135596800000000"},
                {MOMENT, "9999-12-31 23:59:59.999999", "moment 253402300799999999"},
                {MOMENT, "0001-01-01 00:00:00+01", "!"}, {MOMENT, "9999-12-31 23:59:59-01", "!"},
                {MOMENT, "2026-01-02 10:20:30 Z", "!"}, {MOMENT, "2026-01-02 10:20:30z", "!"},
                {MOMENT, "2026-01-02 10:20:30+1", "!"}, {MOMENT, "2026-01-02 10:20:30+16:00", "!"},
                {MOMENT, "2026-01-02 10:20:30+01:60", "!"}, {MOMENT, "2026-01-02 10:20:30+01:0", "!"},
                {MOMENT, "2026-01-02 10:20:30 UTC", "!"}, {MOMENT, "2026-01-02 10:20:30.1234567", "!"},
                {MOMENT, "2026-01-02", "!"}, {"timestamp(0) with time zone", "1970-01-01 00:00:00.5", "!"},
                {"timestamp(0) with time zone", "1970-01-01 00:00:00.0Z", "moment 0"});
    ASSERT_ROWS(BELAY_TYPES_DISPLAY, {"timestamp", "2026-01-02 10:20:30.5", "!"},
                {"timestamp", "1970-01-01 00:00:01", "moment 1000000"});
    ASSERT_ROWS(BELAY_TYPES_LOOSE, {"TIMESTAMPTZ", "1970-01-01 00:00:00.000001", "moment 1"},
                {"TIMESTAMPTZ", "1970-01-01 00:00:00.0000001", "!"});
}

/* ---- NULL, JSON, others ------------------------------------------------------------------------------------- */

static void null_is_null_in_any_column_and_an_empty_text_is_none(void **state)
{
    (void)state;
    assert_string_equal(check_size("integer", BELAY_TYPES_STANDARD, "", 0, BELAYI_FIELD_NULL), "NULL");
    assert_string_equal(check_size("date", BELAY_TYPES_STANDARD, "", 0, BELAYI_FIELD_MISSING), "NULL");
    assert_string_equal(check_size("text", BELAY_TYPES_STANDARD, "", 0, BELAYI_FIELD_QUOTED), "''");
    assert_string_equal(check_size("integer", BELAY_TYPES_STANDARD, "", 0, BELAYI_FIELD_QUOTED),
                        "! \"\" is no integer");
}

static void json_is_one_whole_value(void **state)
{
    (void)state;
    ASSERT_ROWS(
        BELAY_TYPES_STANDARD, {"jsonb", "{\"a\": [1, 2]}", "'{\"a\": [1, 2]}'"}, {"jsonb", "null", "'null'"},
        {"json", "\"text\"", "'\"text\"'"},
        {"json", "{\"a\": 1,}", "! \"{\"a\": 1,}\" is no JSON, from byte 9 on: a member's name in quotes is expected"},
        {"json", "", "!"}, {"json", "text", "!"},
        {"json", "1 2", "! \"1 2\" is no JSON, from byte 3 on: one value and no more is expected"},
        {"json", "{\n\t\"a\":\r\n1}\n", "'{\n\t\"a\":\r\n1}\n'"}, {"json", "\"\xFF\"", "!"});
}

static void the_value_in_a_reason_is_cut_when_it_is_long(void **state)
{
    (void)state;
    char text[200];
    memset(text, 'x', sizeof text);
    text[199] = '\0';
    assert_string_equal(check("integer", BELAY_TYPES_STANDARD, text),
                        "! \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\xE2\x80\xA6\" is no integer");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_integer_is_a_sign_and_digits_within_the_range_of_its_column),
        cmocka_unit_test(a_decimal_has_a_place_for_each_of_its_digits_or_is_refused),
        cmocka_unit_test(where_a_decimal_becomes_a_binary_number_fifteen_digits_of_it_are_kept),
        cmocka_unit_test(a_binary_number_is_the_nearest_one_to_what_is_written),
        cmocka_unit_test(a_boolean_is_one_of_ten_words_or_a_number_of_its_column),
        cmocka_unit_test(bits_are_zeros_and_ones_no_more_than_there_are),
        cmocka_unit_test(a_year_has_four_digits_and_is_one_that_can_be_stored),
        cmocka_unit_test(a_text_is_counted_in_characters_and_never_cut),
        cmocka_unit_test(spaces_at_the_end_of_a_char_are_refused_where_they_would_be_lost),
        cmocka_unit_test(a_text_that_would_become_a_number_is_one_that_is_written_as_it_is_kept),
        cmocka_unit_test(bytes_are_hexadecimal_behind_a_backslash_and_x_or_the_text_itself),
        cmocka_unit_test(a_uuid_has_its_dashes_where_they_belong),
        cmocka_unit_test(a_word_of_an_enum_is_exactly_one_of_its_list),
        cmocka_unit_test(a_date_is_a_day_of_the_calendar),
        cmocka_unit_test(a_time_has_hours_and_minutes_and_no_digit_that_has_no_place),
        cmocka_unit_test(a_timestamp_is_a_date_and_a_time_without_a_zone),
        cmocka_unit_test(a_moment_is_told_in_its_zone_and_without_one_in_utc),
        cmocka_unit_test(null_is_null_in_any_column_and_an_empty_text_is_none),
        cmocka_unit_test(json_is_one_whole_value),
        cmocka_unit_test(the_value_in_a_reason_is_cut_when_it_is_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
