/* The contract of belayi_sql_read as a whole: the text, one statement, failures, large inputs, and quoting. */
#include "lexer.h"

#include <stdio.h>
#include <stdlib.h>

#include "check.h"

static void a_statement_without_placeholders_stays_as_it_is(void **state)
{
    (void)state;
    for (int i = 0; i < ENGINES; i++) {
        assert_unchanged(every_engine[i], "SELECT a, b FROM t WHERE c = 'x' -- why\n AND d > 1.5e-3 /* and */");
        assert_unchanged(every_engine[i], "\n\t select 1");
        assert_unchanged(every_engine[i], "UPDATE \xC3\xA9t\xC3\xA9 SET a$1 = @x, b = @@y, c = 0x1F::int");
    }
}

static void the_final_semicolon_and_what_follows_it_are_left_out(void **state)
{
    (void)state;
    for (int i = 0; i < ENGINES; i++) {
        assert_rewrites(every_engine[i], "SELECT 1;", "SELECT 1");
        assert_rewrites(every_engine[i], "SELECT 1 ; ;; -- done\n /* really */ ;", "SELECT 1");
    }
}

static void white_space_at_the_end_is_left_out(void **state)
{
    (void)state;
    assert_rewrites(&sqlite_rules, "SELECT 1 \r\n\t\f\v", "SELECT 1");
    assert_rewrites(&sqlite_rules, "SELECT ' ' ", "SELECT ' '");
}

static void semicolons_before_the_statement_are_left_out(void **state)
{
    (void)state;
    assert_rewrites(&postgresql_rules, ";; SELECT 1", " SELECT 1");
}

static void a_text_without_a_statement_is_empty(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        " ",
                                        "\n\t",
                                        ";",
                                        " ; ;; ",
                                        "-- only a comment",
                                        "/* SELECT 1 */",
                                        "/**/;--\n",
                                        "\xEF\xBB\xBF",
                                        "\xEF\xBB\xBF ;"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        belayi_sql sql;
        for (int e = 0; e < ENGINES; e++) {
            assert_int_equal(read_text(texts[i], every_engine[e], &sql), BELAYI_LEX_EMPTY);
            assert_int_equal(sql.kind, BELAYI_SQL_EMPTY);
            assert_null(sql.text);
            assert_non_null(sql.error);
        }
    }
    assert_refused(&mariadb_rules, "# only a comment", BELAYI_LEX_EMPTY, 16);
    assert_refused(&mariadb_rules, "/*! */", BELAYI_LEX_EMPTY, 6);
}

static void nothing_at_all_is_empty_even_without_a_pointer(void **state)
{
    (void)state;
    belayi_sql sql;
    assert_int_equal(belayi_sql_read(NULL, 0, &sqlite_rules, &sql), BELAYI_LEX_EMPTY);
}

static void a_second_statement_is_refused_where_it_starts(void **state)
{
    (void)state;
    assert_refused_everywhere("SELECT 1; SELECT 2", BELAYI_LEX_TWO, 10);
    assert_refused_everywhere("SELECT 1;/**/;'x'", BELAYI_LEX_TWO, 14);
    assert_refused(&mariadb_rules, "SELECT 1; /*!50000 COMMIT */", BELAYI_LEX_TWO, 19);
    assert_refused(&mariadb_rules, "SELECT 1 /*! ; COMMIT */", BELAYI_LEX_TWO, 15);
}

static void a_semicolon_inside_a_literal_or_comment_ends_nothing(void **state)
{
    (void)state;
    for (int i = 0; i < ENGINES; i++)
        assert_unchanged(every_engine[i], "SELECT ';', \"a;b\" /* ; COMMIT */ -- ; COMMIT");
}

static void a_byte_order_mark_at_the_start_is_skipped(void **state)
{
    (void)state;
    for (int i = 0; i < ENGINES; i++) {
        assert_rewrites(every_engine[i], "\xEF\xBB\xBFSELECT 1", "SELECT 1");
        assert_kind(every_engine[i],
                    "\xEF\xBB\xBF"
                    "COMMIT",
                    BELAYI_SQL_COMMIT);
    }
}

static void a_byte_order_mark_elsewhere_is_white_space_to_sqlite_alone(void **state)
{
    (void)state;
    assert_kind(&sqlite_rules,
                "/**/\xEF\xBB\xBF"
                "COMMIT",
                BELAYI_SQL_COMMIT);
    assert_kind(&postgresql_rules,
                "/**/\xEF\xBB\xBF"
                "COMMIT",
                BELAYI_SQL_OTHER);
    assert_refused(&postgresql_rules,
                   "SELECT \xEF\xBB\xBF"
                   "E'\\'; COMMIT -- '",
                   BELAYI_LEX_TWO, 16);
    assert_unchanged(&sqlite_rules, "SELECT \xEF\xBB\xBF 1");
}

static void an_error_is_placed_by_its_offset_in_the_input(void **state)
{
    (void)state;
    assert_refused_everywhere("\xEF\xBB\xBF; SELECT ?, ?0", BELAYI_LEX_MIXED_STYLES, 15);
}

static void a_nul_byte_ends_nothing(void **state)
{
    (void)state;
    static const char input[] = "SELECT '\0', \0 ?; --\0";
    static const char expected[] = "SELECT '\0', \0 ?";
    belayi_sql sql;

    assert_int_equal(belayi_sql_read(input, sizeof input - 1, &sqlite_rules, &sql), BELAYI_LEX_OK);
    assert_int_equal(sql.size, sizeof expected - 1);
    assert_memory_equal(sql.text, expected, sizeof expected);
    assert_int_equal(sql.places, 1);
    belayi_sql_done(&sql);
    assert_int_equal(belayi_sql_read("SELECT 1;\0COMMIT", 16, &sqlite_rules, &sql), BELAYI_LEX_TWO);
    assert_int_equal(sql.error_at, 9);
}

static void the_input_need_not_end_in_a_nul_byte(void **state)
{
    (void)state;
    static const char *const ends[] = {
        "SELECT a -",        "SELECT a /", "SELECT a ?",  "SELECT a $",  "SELECT a :", "SELECT a @",
        "SELECT 0x",         "SELECT 1e",  "SELECT 1.",   "SELECT x",    "SELECT E",   "SELECT a --",
        "SELECT a \xEF\xBB", "SELECT $a",  "SELECT a ?1", "SELECT a :b", "SELECT a #"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        for (int e = 0; e < ENGINES; e++) {
            size_t size = strlen(ends[i]);
            char *exact = malloc(size);
            belayi_sql sql;
            memcpy(exact, ends[i], size);
            assert_int_equal(belayi_sql_read(exact, size, every_engine[e], &sql), BELAYI_LEX_OK);
            belayi_sql_done(&sql);
            free(exact);
        }
}

static void what_was_read_can_be_freed_twice_and_when_all_zeros(void **state)
{
    (void)state;
    belayi_sql sql = {.kind = BELAYI_SQL_EMPTY};
    belayi_sql_done(&sql);
    assert_int_equal(read_text("SELECT ?", &sqlite_rules, &sql), BELAYI_LEX_OK);
    belayi_sql_done(&sql);
    belayi_sql_done(&sql);
    assert_null(sql.text);
    assert_null(sql.order);
}

/* Reads prefix, `times` times `piece`, suffix; the caller frees *sql. */
static belayi_lex_status read_repeated(const char *prefix, const char *piece, size_t times, const char *suffix,
                                       const belayi_sql_rules *rules, belayi_sql *sql)
{
    size_t before = strlen(prefix), size = strlen(piece), behind = strlen(suffix);
    char *input = malloc(before + size * times + behind);
    assert_non_null(input);
    memcpy(input, prefix, before);
    for (size_t i = 0; i < times; i++)
        memcpy(input + before + i * size, piece, size);
    memcpy(input + before + size * times, suffix, behind);
    belayi_lex_status status = belayi_sql_read(input, before + size * times + behind, rules, sql);
    free(input);
    return status;
}

static void a_literal_of_17_megabytes_is_read(void **state)
{
    (void)state;
    for (int e = 0; e < ENGINES; e++) {
        belayi_sql sql;
        assert_int_equal(read_repeated("SELECT '", "?", 17 << 20, "', ?", every_engine[e], &sql), BELAYI_LEX_OK);
        assert_int_equal(sql.places, 1);
        assert_true(sql.size > (17 << 20));
        belayi_sql_done(&sql);
    }
}

static void nested_parentheses_of_any_depth_are_read(void **state)
{
    (void)state;
    for (int e = 0; e < ENGINES; e++) {
        belayi_sql sql;
        assert_int_equal(read_repeated("", "(", 1001, "SELECT 1", every_engine[e], &sql), BELAYI_LEX_OK);
        assert_int_equal(sql.kind, BELAYI_SQL_SELECT);
        belayi_sql_done(&sql);
        assert_int_equal(read_repeated("SELECT ", "(", 1000000, "1", every_engine[e], &sql), BELAYI_LEX_OK);
        belayi_sql_done(&sql);
    }
    belayi_sql sql;
    assert_int_equal(read_repeated("SELECT ", "[(", 1000000, "1", &postgresql_rules, &sql), BELAYI_LEX_OK);
    belayi_sql_done(&sql);
}

/* A quadratic reader would take minutes for each of these, and the run would be ended by its time limit. */
static void four_megabytes_of_anything_are_read_in_one_go(void **state)
{
    (void)state;
    static const char *const pieces[] = {"$a",
                                         "$a$",
                                         "''",
                                         "'",
                                         "E'a' \n--x\n",
                                         "(",
                                         "[",
                                         "/*",
                                         "*/",
                                         "--",
                                         "?",
                                         "?? ",
                                         "$1 ",
                                         ":a ",
                                         "FOR UPDATE ",
                                         "FOR ",
                                         "FOR UPDATE OF a ",
                                         "END ",
                                         "; ",
                                         "/*! ",
                                         "/*!99999 a*/",
                                         "\\'",
                                         "\"",
                                         "`",
                                         "a.",
                                         "@",
                                         "\xEF\xBB\xBF"};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++)
        for (int e = 0; e < ENGINES; e++) {
            belayi_sql sql;
            read_repeated("SELECT ", pieces[i], (4 << 20) / strlen(pieces[i]), "", every_engine[e], &sql);
            belayi_sql_done(&sql);
        }
}

static void an_identifier_is_quoted_and_its_quotes_are_doubled(void **state)
{
    (void)state;
    char out[64];

    assert_int_equal(belayi_sql_quote(out, sizeof out, "name", 4, '"'), 6);
    assert_string_equal(out, "\"name\"");
    assert_int_equal(belayi_sql_quote(out, sizeof out, "na\"me`", 6, '"'), 9);
    assert_string_equal(out, "\"na\"\"me`\"");
    assert_int_equal(belayi_sql_quote(out, sizeof out, "`na`me", 6, '`'), 10);
    assert_string_equal(out, "```na``me`");
    assert_int_equal(belayi_sql_quote(out, sizeof out, "a;b--%s\n$1", 10, '"'), 12);
    assert_string_equal(out, "\"a;b--%s\n$1\"");
}

static void a_quoted_identifier_is_cut_to_the_room_and_always_ends_in_nul(void **state)
{
    (void)state;
    char out[8];

    for (size_t room = 0; room < sizeof out; room++) {
        memset(out, 'z', sizeof out);
        assert_int_equal(belayi_sql_quote(out, room, "a\"b", 3, '"'), 6);
        for (size_t i = 0; i + 1 < room && i < 6; i++)
            assert_int_equal(out[i], "\"a\"\"b\""[i]);
        if (room > 0)
            assert_int_equal(out[room - 1 < 6 ? room - 1 : 6], '\0');
        assert_int_equal(out[room], 'z');
    }
    assert_int_equal(belayi_sql_quote(NULL, 0, "a", 1, '"'), 3);
}

static void no_identifier_is_empty_or_has_a_nul_byte(void **state)
{
    (void)state;
    char out[8] = "before";

    assert_int_equal(belayi_sql_quote(out, sizeof out, "", 0, '"'), 0);
    assert_string_equal(out, "");
    assert_int_equal(belayi_sql_quote(out, sizeof out, "a\0b", 3, '"'), 0);
    assert_string_equal(out, "");
}

static void a_quoted_identifier_is_read_as_one_token(void **state)
{
    (void)state;
    static const char *const names[] = {"a",  "\"", "`",  "'", "?",  ":x", "a;drop table t",
                                        "--", "/*", "$1", "]", "\\", "\n"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (int e = 0; e < ENGINES; e++) {
            char text[64] = "SAVEPOINT ";
            char quote = every_engine[e]->double_quoted_strings ? '`' : '"';
            belayi_sql_quote(text + 10, sizeof text - 10, names[i], strlen(names[i]), quote);
            assert_unchanged(every_engine[e], text);
            assert_kind(every_engine[e], text, BELAYI_SQL_SAVEPOINT);
        }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_statement_without_placeholders_stays_as_it_is),
        cmocka_unit_test(the_final_semicolon_and_what_follows_it_are_left_out),
        cmocka_unit_test(white_space_at_the_end_is_left_out),
        cmocka_unit_test(semicolons_before_the_statement_are_left_out),
        cmocka_unit_test(a_text_without_a_statement_is_empty),
        cmocka_unit_test(nothing_at_all_is_empty_even_without_a_pointer),
        cmocka_unit_test(a_second_statement_is_refused_where_it_starts),
        cmocka_unit_test(a_semicolon_inside_a_literal_or_comment_ends_nothing),
        cmocka_unit_test(a_byte_order_mark_at_the_start_is_skipped),
        cmocka_unit_test(a_byte_order_mark_elsewhere_is_white_space_to_sqlite_alone),
        cmocka_unit_test(an_error_is_placed_by_its_offset_in_the_input),
        cmocka_unit_test(a_nul_byte_ends_nothing),
        cmocka_unit_test(the_input_need_not_end_in_a_nul_byte),
        cmocka_unit_test(what_was_read_can_be_freed_twice_and_when_all_zeros),
        cmocka_unit_test(a_literal_of_17_megabytes_is_read),
        cmocka_unit_test(nested_parentheses_of_any_depth_are_read),
        cmocka_unit_test(four_megabytes_of_anything_are_read_in_one_go),
        cmocka_unit_test(an_identifier_is_quoted_and_its_quotes_are_doubled),
        cmocka_unit_test(a_quoted_identifier_is_cut_to_the_room_and_always_ends_in_nul),
        cmocka_unit_test(no_identifier_is_empty_or_has_a_nul_byte),
        cmocka_unit_test(a_quoted_identifier_is_read_as_one_token),
    };
    return cmocka_run_group_tests_name("sql: a statement", tests, NULL, NULL);
}
