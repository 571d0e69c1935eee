/*
 * test_type.c - declared types, read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <belay/sys/driver.h>

#include "type.h"

/* A type as one line: its kind, then what else is known of it. */
static const char *read(const char *declared, unsigned flavour)
{
    static const char *const names[] = {"OTHER", "INTEGER",   "DECIMAL", "REAL", "BOOLEAN", "TEXT", "BYTES", "DATE",
                                        "TIME",  "TIMESTAMP", "MOMENT",  "UUID", "JSON",    "ENUM", "YEAR",  "BITS"};
    static char text[300];
    belayi_type t;
    belayi_type_read(declared, flavour, &t);
    int size = snprintf(text, sizeof text, "%s", names[t.kind]);
#define SAY(when, ...)                                                                                                 \
    if (when)                                                                                                          \
    size += snprintf(text + size, sizeof text - (size_t)size, " " __VA_ARGS__)
    SAY(t.minimum != 0 || t.maximum != 0, "%lld..%llu", (long long)t.minimum, (unsigned long long)t.maximum);
    SAY(t.bits > 0, "bits %d", t.bits);
    SAY(t.precision != 0, "digits %d,%d", t.precision, t.scale);
    SAY(t.length >= 0, "length %lld", (long long)t.length);
    SAY(t.bytes >= 0, "bytes %lld", (long long)t.bytes);
    SAY(t.widest != 0x10FFFF, "to %X", t.widest);
    SAY(t.fraction != 0, "fraction %d", t.fraction);
    SAY(t.fixed, "fixed");
    SAY(t.trims, "trims");
    SAY(t.is_unsigned, "unsigned");
    SAY(t.has_infinity, "infinite");
    SAY(t.many, "many");
    SAY(t.makes_numbers, "numbers");
    return text;
}

typedef struct expected {
    const char *declared, *type;
} expected;

static void assert_read(const expected *all, size_t count, unsigned flavour)
{
    int wrong = 0;
    for (size_t i = 0; i < count; i++) {
        const char *got = read(all[i].declared, flavour);
        if (strcmp(got, all[i].type) == 0)
            continue;
        print_error("'%s' is read as '%s', not as '%s'\n", all[i].declared, got, all[i].type);
        wrong++;
    }
    assert_int_equal(wrong, 0);
}

static void standard_types_are_read_with_their_measures(void **state)
{
    static const expected all[] = {
        {"smallint", "INTEGER -32768..32767"},
        {"integer", "INTEGER -2147483648..2147483647"},
        {"bigint", "INTEGER -9223372036854775808..9223372036854775807"},
        {"oid", "INTEGER 0..4294967295"},
        {"numeric", "DECIMAL"},
        {"numeric(12,2)", "DECIMAL digits 12,2"},
        {"numeric(3,-1)", "DECIMAL digits 3,-1"},
        {"numeric(2,5)", "DECIMAL digits 2,5"},
        {"real", "REAL bits 24 infinite"},
        {"double precision", "REAL bits 53 infinite"},
        {"boolean", "BOOLEAN 0..1"},
        {"text", "TEXT"},
        {"character varying", "TEXT"},
        {"character varying(20)", "TEXT length 20"},
        {"character(5)", "TEXT length 5 fixed"},
        {"name", "TEXT bytes 63"},
        {"\"char\"", "TEXT bytes 1"},
        {"bytea", "BYTES"},
        {"date", "DATE"},
        {"time without time zone", "TIME 0..86399 fraction 6"},
        {"time(3) without time zone", "TIME 0..86399 fraction 3"},
        {"time(0) without time zone", "TIME 0..86399"},
        {"timestamp without time zone", "TIMESTAMP 0..86399 fraction 6"},
        {"timestamp(2) with time zone", "MOMENT 0..86399 fraction 2"},
        {"uuid", "UUID"},
        {"json", "JSON"},
        {"jsonb", "JSON"},
        {"bit(3)", "BITS length 3 fixed"},
        {"bit varying", "BITS"},
        {"bit varying(8)", "BITS length 8"},
        {"enum('a','b')", "ENUM"},
        {"time with time zone", "OTHER"},
        {"integer[]", "OTHER"},
        {"numeric(12,2)[]", "OTHER"},
        {"money", "OTHER"},
        {"interval day to second(3)", "OTHER"},
        {"other.text", "OTHER"},
        {"enum", "OTHER"},
        {"bpchar", "OTHER"},
    };
    (void)state;
    assert_read(all, sizeof all / sizeof *all, BELAY_TYPES_STANDARD);
}

static void loose_types_are_read_by_name_and_convert_by_the_parts_of_the_name(void **state)
{
    static const expected all[] = {
        {"", "OTHER"},
        {"INTEGER", "INTEGER -9223372036854775808..9223372036854775807 numbers"},
        {"TinyInt", "INTEGER -9223372036854775808..9223372036854775807 numbers"},
        {"UNSIGNED BIG INT", "INTEGER -9223372036854775808..9223372036854775807 numbers"},
        {"int(11)", "INTEGER -9223372036854775808..9223372036854775807 numbers"},
        {"NUMERIC(12,2)", "DECIMAL digits 12,2 numbers"},
        {"DECIMAL ( 10 , 5 )", "DECIMAL digits 10,5 numbers"},
        {"DECIMAL(7)", "DECIMAL digits 7,0 numbers"},
        {"numeric", "DECIMAL numbers"},
        {"FLOAT", "REAL bits 53 numbers"},
        {"double  precision", "REAL bits 53 numbers"},
        {"BOOLEAN", "BOOLEAN 0..1 numbers"},
        {"VARCHAR(20)", "TEXT length 20"},
        {"CHARACTER(20)", "TEXT length 20"},
        {"CHAR", "TEXT"},
        {"NATIVE CHARACTER(70)", "TEXT length 70"},
        {"BLOB", "BYTES"},
        {"BINARY(16)", "BYTES length 16 numbers"},
        {"DATE", "DATE numbers"},
        {"TIME", "TIME 0..86399 fraction -1 numbers"},
        {"DATETIME", "TIMESTAMP 0..86399 fraction -1 numbers"},
        {"TIMESTAMP(3)", "TIMESTAMP 0..86399 fraction 3 numbers"},
        {"TIMESTAMP WITH TIME ZONE", "MOMENT 0..86399 fraction -1 numbers"},
        {"UUID", "UUID numbers"},
        {"JSON", "JSON numbers"},
        {"STRING", "OTHER numbers"},
        {"ANY", "OTHER numbers"},
        {"POINT", "OTHER numbers"},
        {"CHARINT", "OTHER numbers"},
        {"STRING BLOB", "OTHER"},
        {"FANCY TEXT", "OTHER"},
        {"VARCHAR(20", "OTHER"},
        {"VARCHAR(MAX)", "OTHER"},
        {"NUMERIC(1,2,3)", "OTHER numbers"},
        {"VARCHAR(20) (3)", "OTHER"},
        {"A VERY LONG NAME OF A TYPE THAT NOBODY WOULD EVER DECLARE IN A TABLE", "OTHER numbers"},
        {"NUMERIC(-3,2)", "DECIMAL numbers"},
        {"NUMERIC(99999999999999999999,2)", "OTHER numbers"},
    };
    (void)state;
    assert_read(all, sizeof all / sizeof *all, BELAY_TYPES_LOOSE);
}

static void types_with_display_widths_are_read_with_their_measures(void **state)
{
    static const expected all[] = {
        {"tinyint(4)", "INTEGER -128..127"},
        {"tinyint(1)", "BOOLEAN -128..127"},
        {"tinyint(1) unsigned", "BOOLEAN 0..255"},
        {"tinyint(3) unsigned", "INTEGER 0..255"},
        {"mediumint(9)", "INTEGER -8388608..8388607"},
        {"int(10) unsigned zerofill", "INTEGER 0..4294967295"},
        {"bigint(20) unsigned", "INTEGER 0..18446744073709551615"},
        {"decimal(12,2)", "DECIMAL digits 12,2"},
        {"decimal(12,2) unsigned", "DECIMAL digits 12,2 unsigned"},
        {"float", "REAL bits 24"},
        {"float(7,4)", "REAL bits 24 digits 7,4"},
        {"double unsigned", "REAL bits 53 unsigned"},
        {"varchar(20) character set utf8mb4", "TEXT length 20"},
        {"varchar(20) character set utf8mb3", "TEXT length 20 to FFFF"},
        {"varchar(20) character set latin1", "TEXT length 20 to FFFF"},
        {"varchar(20) character set ascii", "TEXT length 20 to 7F"},
        {"char(5) character set utf8mb4", "TEXT length 5 trims"},
        {"tinytext character set utf8mb4", "TEXT bytes 255"},
        {"text character set utf8mb3", "TEXT bytes 65535 to FFFF"},
        {"text character set latin1", "TEXT length 65535 to FFFF"},
        {"longtext character set utf8mb4", "TEXT bytes 4294967295"},
        {"binary(3)", "BYTES length 3 fixed"},
        {"varbinary(9)", "BYTES length 9"},
        {"tinyblob", "BYTES length 255"},
        {"time", "TIME -3020399..3020399"},
        {"time(3)", "TIME -3020399..3020399 fraction 3"},
        {"datetime(6)", "TIMESTAMP -3020399..3020399 fraction 6"},
        {"timestamp", "MOMENT -3020399..3020399"},
        {"year(4)", "YEAR"},
        {"bit(1)", "BITS 0..1 length 1"},
        {"bit(64)", "BITS 0..18446744073709551615 length 64"},
        {"json character set utf8mb4", "JSON"},
        {"enum('a','b') character set utf8mb4", "ENUM"},
        {"set('a','b') character set utf8mb4", "ENUM many"},
        {"uuid", "UUID"},
        {"inet6", "OTHER"},
        {"geometry", "OTHER"},
        {"enum('a", "OTHER"},
    };
    (void)state;
    assert_read(all, sizeof all / sizeof *all, BELAY_TYPES_DISPLAY);
}

static bool has_word(const char *declared, unsigned flavour, const char *text)
{
    belayi_type t;
    belayi_type_read(declared, flavour, &t);
    return belayi_type_has_word(&t, text, strlen(text));
}

static void a_word_of_an_enum_is_one_to_the_byte(void **state)
{
    (void)state;
    static const char words[] = "enum('sad','it''s','','a,b','b\\x',' c')";
    static const char *const in[] = {"sad", "it's", "", "a,b", "b\\x", " c"};
    static const char *const out[] = {"Sad", "sad ", "sa", "sadd", "it''s", "a", "b", "'", "c", "1", "b\\\\x"};
    for (size_t i = 0; i < sizeof in / sizeof *in; i++)
        assert_true(has_word(words, BELAY_TYPES_STANDARD, in[i]));
    for (size_t i = 0; i < sizeof out / sizeof *out; i++)
        assert_false(has_word(words, BELAY_TYPES_STANDARD, out[i]));
}

static void where_words_are_listed_with_escapes_they_are_undone(void **state)
{
    (void)state;
    static const char words[] = "enum('b\\\\x','it''s','a\\nb','\\\\') character set utf8mb4";
    static const char *const in[] = {"b\\x", "it's", "a\nb", "\\"};
    for (size_t i = 0; i < sizeof in / sizeof *in; i++)
        assert_true(has_word(words, BELAY_TYPES_DISPLAY, in[i]));
    assert_false(has_word(words, BELAY_TYPES_DISPLAY, "b\\\\x"));
    assert_false(has_word(words, BELAY_TYPES_DISPLAY, "anb"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(standard_types_are_read_with_their_measures),
        cmocka_unit_test(loose_types_are_read_by_name_and_convert_by_the_parts_of_the_name),
        cmocka_unit_test(types_with_display_widths_are_read_with_their_measures),
        cmocka_unit_test(a_word_of_an_enum_is_one_to_the_byte),
        cmocka_unit_test(where_words_are_listed_with_escapes_they_are_undone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
