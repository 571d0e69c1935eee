/* What is a string, a quoted identifier, a comment or a word under which rules: what hides a COMMIT. */
#include "scan.h"

#include "check.h"

static belayi_sql_rules with_backslashes(belayi_sql_rules rules, bool backslashes)
{
    rules.backslash_escapes = backslashes;
    return rules;
}

static void every_word_of_the_list_is_found_in_any_case(void **state)
{
    (void)state;
#define FIND(name)                                                                                                     \
    {                                                                                                                  \
        char lower[64];                                                                                                \
        size_t size = strlen(#name);                                                                                   \
        for (size_t i = 0; i < size; i++)                                                                              \
            lower[i] = #name[i] >= 'A' && #name[i] <= 'Z' ? (char)(#name[i] + 'a' - 'A') : #name[i];                   \
        assert_int_equal(belayi_sql_word(#name, size), BELAYI_WORD_##name);                                            \
        assert_int_equal(belayi_sql_word(lower, size), BELAYI_WORD_##name);                                            \
        assert_int_not_equal(belayi_sql_word(lower, size - 1), BELAYI_WORD_##name);                                    \
    }
    BELAYI_WORDS(FIND)
#undef FIND
    assert_int_equal(belayi_sql_word("", 0), BELAYI_WORD_NONE);
    assert_int_equal(belayi_sql_word("COMMITS", 7), BELAYI_WORD_NONE);
    assert_int_equal(belayi_sql_word("COMMIT\0", 7), BELAYI_WORD_NONE);
    assert_int_equal(belayi_sql_word("\xFF", 1), BELAYI_WORD_NONE);
}

static void the_tokens_together_are_the_input(void **state)
{
    (void)state;
    static const char input[] = "SELECT /*!50000 'a' */ :b::c, [d], `e` $f$g$f$ "
                                "-- h\n#i\xEF\xBB\xBF ?? ?1 := 1.5e-3x'00'";
    for (int e = 0; e < ENGINES; e++) {
        belayi_scanner scanner;
        belayi_token token;
        size_t at = 0;
        belayi_sql_scan(&scanner, input, strlen(input), every_engine[e]);
        for (assert_true(belayi_sql_next(&scanner, &token)); token.type != BELAYI_TOKEN_END;
             assert_true(belayi_sql_next(&scanner, &token))) {
            assert_int_not_equal(token.type, BELAYI_TOKEN_ERROR);
            assert_int_equal(token.at, at);
            assert_true(token.size > 0);
            at += token.size;
        }
        assert_int_equal(at, strlen(input));
        belayi_sql_scan_done(&scanner);
    }
}

static void what_has_no_end_is_refused_where_it_starts(void **state)
{
    (void)state;
    assert_refused_everywhere("SELECT 'a''", BELAYI_LEX_UNTERMINATED, 7);
    assert_refused_everywhere("SELECT \"a", BELAYI_LEX_UNTERMINATED, 7);
    assert_refused_everywhere("SELECT 1; /* a", BELAYI_LEX_UNTERMINATED, 10);
    assert_refused_everywhere("SELECT 1 /*/", BELAYI_LEX_UNTERMINATED, 9);
    assert_refused_everywhere("SELECT x'00", BELAYI_LEX_UNTERMINATED, 7);
    assert_refused(&sqlite_rules, "SELECT `a", BELAYI_LEX_UNTERMINATED, 7);
    assert_refused(&sqlite_rules, "SELECT [a", BELAYI_LEX_UNTERMINATED, 7);
    assert_refused(&mariadb_rules, "SELECT 'a\\'", BELAYI_LEX_UNTERMINATED, 7);
    assert_refused(&mariadb_rules, "SELECT /*! 1", BELAYI_LEX_UNTERMINATED, 7);
    assert_refused(&mariadb_rules, "SELECT /*! /*! 1 */", BELAYI_LEX_UNTERMINATED, 7);
    assert_refused(&postgresql_rules, "SELECT E'a\\'", BELAYI_LEX_UNTERMINATED, 7);
    assert_refused(&postgresql_rules, "SELECT $a$ $$", BELAYI_LEX_UNTERMINATED, 7);
    assert_refused(&postgresql_rules, "SELECT $$ $", BELAYI_LEX_UNTERMINATED, 7);
    assert_refused(&postgresql_rules, "SELECT /* /* */", BELAYI_LEX_UNTERMINATED, 7);
}

static void what_is_unterminated_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *input;
        const char *error;
    } cases[] = {
        {"SELECT 'a", "a string that starts here has no end"},
        {"SELECT \"a", "a quoted identifier that starts here has no end"},
        {"SELECT /*", "a comment that starts here has no end"},
        {"SELECT $$", "a dollar quote that starts here has no end"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        belayi_sql sql;
        assert_int_equal(read_text(cases[i].input, &postgresql_rules, &sql), BELAYI_LEX_UNTERMINATED);
        assert_string_equal(sql.error, cases[i].error);
    }
}

static void a_backslash_escapes_a_quote_only_under_its_rule(void **state)
{
    (void)state;
    belayi_sql_rules no_backslashes = with_backslashes(mariadb_rules, false);
    belayi_sql_rules old_postgresql = with_backslashes(postgresql_rules, true);

    assert_kind(&mariadb_rules, "SELECT '\\'; COMMIT -- '", BELAYI_SQL_SELECT);
    assert_refused(&no_backslashes, "SELECT '\\'; COMMIT -- '", BELAYI_LEX_TWO, 12);
    assert_kind(&old_postgresql, "SELECT '\\'; COMMIT -- '", BELAYI_SQL_SELECT);
    assert_refused(&postgresql_rules, "SELECT '\\'; COMMIT -- '", BELAYI_LEX_TWO, 12);
    assert_refused(&sqlite_rules, "SELECT '\\'; COMMIT -- '", BELAYI_LEX_TWO, 12);
    assert_kind(&mariadb_rules, "SELECT '\\\\'", BELAYI_SQL_SELECT);
    assert_refused(&mariadb_rules, "SELECT '\\\\'; COMMIT -- '", BELAYI_LEX_TWO, 13);
}

static void a_backslash_never_escapes_in_an_identifier(void **state)
{
    (void)state;
    belayi_sql_rules ansi_quotes = mariadb_rules;
    ansi_quotes.double_quoted_strings = false;

    assert_kind(&mariadb_rules, "SELECT \"\\\"; COMMIT -- \"", BELAYI_SQL_SELECT);
    assert_refused(&ansi_quotes, "SELECT \"\\\"; COMMIT -- \"", BELAYI_LEX_TWO, 12);
    assert_refused(&mariadb_rules, "SELECT `\\`; COMMIT -- `", BELAYI_LEX_TWO, 12);
}

static void a_backslash_escapes_in_an_escape_string(void **state)
{
    (void)state;
    assert_kind(&postgresql_rules, "SELECT E'\\'; COMMIT -- '", BELAYI_SQL_SELECT);
    assert_kind(&postgresql_rules, "SELECT e'\\'; COMMIT -- '", BELAYI_SQL_SELECT);
    assert_refused(&postgresql_rules, "SELECT ae'\\'; COMMIT -- '", BELAYI_LEX_TWO, 14);
    assert_refused(&postgresql_rules, "SELECT E '\\'; COMMIT -- '", BELAYI_LEX_TWO, 14);
    assert_refused(&sqlite_rules, "SELECT E'\\'; COMMIT -- '", BELAYI_LEX_TWO, 13);
}

static void a_backslash_never_escapes_in_a_hexadecimal_or_bit_string(void **state)
{
    (void)state;
    belayi_sql_rules old_postgresql = with_backslashes(postgresql_rules, true);
    assert_refused(&old_postgresql, "SELECT x'\\'; COMMIT -- '", BELAYI_LEX_TWO, 13);
    assert_refused(&mariadb_rules, "SELECT B'\\'; COMMIT -- '", BELAYI_LEX_TWO, 13);
}

static void a_hexadecimal_or_bit_string_ends_at_its_first_quote(void **state)
{
    (void)state;
    belayi_sql_rules old_postgresql = with_backslashes(postgresql_rules, true);
    assert_kind(&old_postgresql, "SELECT x'00''\\'; COMMIT -- '", BELAYI_SQL_SELECT);
    assert_refused(&old_postgresql, "SELECT b'01''a\\\\'; COMMIT -- '", BELAYI_LEX_TWO, 19);
    assert_kind(&mariadb_rules, "SELECT x'00''\\'; COMMIT -- '", BELAYI_SQL_SELECT);
    assert_refused(&old_postgresql, "SELECT x'00'\n'\\'; COMMIT -- '", BELAYI_LEX_TWO, 18);
}

static void the_end_of_a_name_is_no_prefix_of_a_string(void **state)
{
    (void)state;
    assert_kind(&mariadb_rules, "SELECT @@x'\\'; COMMIT -- '", BELAYI_SQL_SELECT);
    assert_kind(&mariadb_rules, "SELECT @x'\\'; COMMIT -- '", BELAYI_SQL_SELECT);
    assert_kind(&mariadb_rules, "SELECT a.b'\\'; COMMIT -- '", BELAYI_SQL_SELECT);
    assert_kind(&postgresql_rules, "SELECT @E'\\'; COMMIT -- '", BELAYI_SQL_SELECT);
    assert_kind(&postgresql_rules, "SELECT a @@E'\\'; COMMIT -- '", BELAYI_SQL_SELECT);
}

static void an_escape_string_goes_on_in_the_next_line(void **state)
{
    (void)state;
    assert_refused(&postgresql_rules, "SELECT E'a'\n'\\''; COMMIT -- '", BELAYI_LEX_TWO, 18);
    assert_refused(&postgresql_rules, "SELECT E'a' -- b\n  \r -- c\n '\\''; COMMIT -- '", BELAYI_LEX_TWO, 33);
    assert_kind(&postgresql_rules, "SELECT E'a' '\\''; COMMIT -- '", BELAYI_SQL_SELECT);
    assert_kind(&postgresql_rules, "SELECT E'a'\n/**/'\\''; COMMIT -- '", BELAYI_SQL_SELECT);
}

static void a_doubled_quote_is_one_quote(void **state)
{
    (void)state;
    for (int i = 0; i < ENGINES; i++)
        assert_unchanged(every_engine[i], "SELECT 'a''; COMMIT; ''', \"b\"\"; COMMIT; \"\"\"");
    assert_unchanged(&sqlite_rules, "SELECT `a``; COMMIT; ```");
    assert_refused(&sqlite_rules, "SELECT [a]]; COMMIT; ]", BELAYI_LEX_TWO, 13);
}

static void backticks_and_brackets_quote_only_under_their_rules(void **state)
{
    (void)state;
    assert_kind(&sqlite_rules, "SELECT [a; COMMIT]", BELAYI_SQL_SELECT);
    assert_refused(&postgresql_rules, "SELECT [a; COMMIT]", BELAYI_LEX_TWO, 11);
    assert_kind(&mariadb_rules, "SELECT `a; COMMIT`", BELAYI_SQL_SELECT);
    assert_refused(&postgresql_rules, "SELECT `a; COMMIT`", BELAYI_LEX_TWO, 11);
}

static void a_dollar_quote_ends_with_its_own_tag(void **state)
{
    (void)state;
    assert_unchanged(&postgresql_rules, "SELECT $$;COMMIT$$, $a$;$$;$b$;$a $ $a$, $\xC3\xA9$;$\xC3\xA9$");
    assert_unchanged(&postgresql_rules, "SELECT $a$ $$a$");
    assert_refused(&postgresql_rules, "SELECT a$$;COMMIT$$", BELAYI_LEX_TWO, 11);
    assert_refused(&postgresql_rules, "SELECT $1$;COMMIT$1$", BELAYI_LEX_TWO, 11);
    assert_refused(&mariadb_rules, "SELECT $$;COMMIT$$", BELAYI_LEX_TWO, 10);
    assert_kind(&postgresql_rules, "DO $$ BEGIN COMMIT; END $$", BELAYI_SQL_OTHER);
}

static void block_comments_nest_only_under_their_rule(void **state)
{
    (void)state;
    assert_kind(&postgresql_rules, "/* /* */ COMMIT */ SELECT 1", BELAYI_SQL_SELECT);
    assert_kind(&sqlite_rules, "/* /* */ COMMIT", BELAYI_SQL_COMMIT);
    assert_kind(&mariadb_rules, "/* /* */ COMMIT", BELAYI_SQL_COMMIT);
}

static void a_hash_starts_a_comment_only_under_its_rule(void **state)
{
    (void)state;
    assert_kind(&mariadb_rules, "# SELECT\nCOMMIT", BELAYI_SQL_COMMIT);
    assert_kind(&postgresql_rules, "SELECT 1 # 2", BELAYI_SQL_SELECT);
    assert_refused(&postgresql_rules, "SELECT 1 # 2; COMMIT", BELAYI_LEX_TWO, 14);
}

static void two_dashes_start_a_comment_in_mariadb_only_before_white_space(void **state)
{
    (void)state;
    assert_rewrites(&mariadb_rules, "SELECT 5--?", "SELECT 5--?");
    assert_refused(&mariadb_rules, "SELECT 5--1; COMMIT", BELAYI_LEX_TWO, 13);
    assert_kind(&sqlite_rules, "SELECT 5--1; COMMIT", BELAYI_SQL_SELECT);
    assert_kind(&mariadb_rules, "SELECT 5-- 1; COMMIT", BELAYI_SQL_SELECT);
    assert_kind(&mariadb_rules, "SELECT 5--\t1; COMMIT", BELAYI_SQL_SELECT);
    assert_kind(&mariadb_rules, "SELECT 5--\n; -- \n", BELAYI_SQL_SELECT);
    assert_kind(&mariadb_rules, "SELECT 5--", BELAYI_SQL_SELECT);
}

static void a_line_comment_ends_at_a_carriage_return_only_in_postgresql(void **state)
{
    (void)state;
    assert_kind(&postgresql_rules, "-- x\rCOMMIT", BELAYI_SQL_COMMIT);
    assert_kind(&sqlite_rules, "-- x\rSELECT 1\nCOMMIT", BELAYI_SQL_COMMIT);
    assert_kind(&mariadb_rules, "-- x\rSELECT 1\nCOMMIT", BELAYI_SQL_COMMIT);
}

static void an_executable_comment_is_read_as_sql(void **state)
{
    (void)state;
    assert_kind(&mariadb_rules, "/*! COMMIT */", BELAYI_SQL_COMMIT);
    assert_kind(&mariadb_rules, "/*!50000COMMIT*/", BELAYI_SQL_COMMIT);
    assert_kind(&mariadb_rules, "/*M! COMMIT */", BELAYI_SQL_COMMIT);
    assert_kind(&mariadb_rules, "/*M!100100 COMMIT */", BELAYI_SQL_COMMIT);
    assert_kind(&mariadb_rules, "/*!999999 COMMIT */", BELAYI_SQL_COMMIT);
    assert_kind(&mariadb_rules, "/*!SET*/ autocommit=0", BELAYI_SQL_SET_TRANSACTION);
    assert_kind(&mariadb_rules, "/*! /* SELECT */ COMMIT */", BELAYI_SQL_COMMIT);
    assert_kind(&postgresql_rules, "/*! COMMIT */ SELECT 1", BELAYI_SQL_SELECT);
    assert_unchanged(&mariadb_rules, "SELECT /*!50000 '*/' */ 1, /*+ hint */ 2");
}

static void an_executable_comment_that_the_server_may_skip_hides_nothing(void **state)
{
    (void)state;
    assert_kind(&mariadb_rules, "/*!80000 SELECT 1 */ COMMIT", BELAYI_SQL_COMMIT);
    assert_kind(&mariadb_rules, "/*M!120000 SELECT */ ALTER TABLE t ADD a INT", BELAYI_SQL_IMPLICIT_COMMIT);
    assert_kind(&mariadb_rules, "CREATE /*!80000 TEMPORARY */ TABLE t (a INT)", BELAYI_SQL_IMPLICIT_COMMIT);
    assert_kind(&mariadb_rules, "CREATE /*!32302 TEMPORARY */ TABLE t (a INT)", BELAYI_SQL_OTHER);
    assert_kind(&mariadb_rules, "SET /*!80000 x = 1, y = */ autocommit = 0", BELAYI_SQL_SET_TRANSACTION);
    assert_kind(&mariadb_rules, "SELECT 1 /*!80000 + 1 */", BELAYI_SQL_SELECT);
}

static void a_literal_that_hides_the_end_of_such_a_comment_is_refused(void **state)
{
    (void)state;
    assert_refused(&mariadb_rules, "/*!80000 SELECT '*/ COMMIT -- ' */", BELAYI_LEX_UNTERMINATED, 16);
    assert_refused(&mariadb_rules, "/*!80000 SELECT 1 -- */ COMMIT /*\n*/", BELAYI_LEX_UNTERMINATED, 18);
    assert_refused(&mariadb_rules, "/*!80000 SELECT `/*` */ 1 */ COMMIT", BELAYI_LEX_UNTERMINATED, 16);
    assert_kind(&mariadb_rules, "/*!80000 SELECT 'a' /* b */ */", BELAYI_SQL_SELECT);
}

static void the_frames_of_executable_comments_stay_paired(void **state)
{
    (void)state;
    assert_rewrites(&mariadb_rules, "SELECT 1 /*! ; */", "SELECT 1 /*! */");
    assert_rewrites(&mariadb_rules, "SELECT 1 /*! /; */", "SELECT 1 /*! / */");
    assert_rewrites(&mariadb_rules, "SELECT 1; /*!50000 */ -- x", "SELECT 1");
    assert_rewrites(&mariadb_rules, "SELECT 1 /*! ; /*! */ */", "SELECT 1 /*! */");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_word_of_the_list_is_found_in_any_case),
        cmocka_unit_test(the_tokens_together_are_the_input),
        cmocka_unit_test(what_has_no_end_is_refused_where_it_starts),
        cmocka_unit_test(what_is_unterminated_is_named),
        cmocka_unit_test(a_backslash_escapes_a_quote_only_under_its_rule),
        cmocka_unit_test(a_backslash_never_escapes_in_an_identifier),
        cmocka_unit_test(a_backslash_escapes_in_an_escape_string),
        cmocka_unit_test(a_backslash_never_escapes_in_a_hexadecimal_or_bit_string),
        cmocka_unit_test(a_hexadecimal_or_bit_string_ends_at_its_first_quote),
        cmocka_unit_test(the_end_of_a_name_is_no_prefix_of_a_string),
        cmocka_unit_test(an_escape_string_goes_on_in_the_next_line),
        cmocka_unit_test(a_doubled_quote_is_one_quote),
        cmocka_unit_test(backticks_and_brackets_quote_only_under_their_rules),
        cmocka_unit_test(a_dollar_quote_ends_with_its_own_tag),
        cmocka_unit_test(block_comments_nest_only_under_their_rule),
        cmocka_unit_test(a_hash_starts_a_comment_only_under_its_rule),
        cmocka_unit_test(two_dashes_start_a_comment_in_mariadb_only_before_white_space),
        cmocka_unit_test(a_line_comment_ends_at_a_carriage_return_only_in_postgresql),
        cmocka_unit_test(an_executable_comment_is_read_as_sql),
        cmocka_unit_test(an_executable_comment_that_the_server_may_skip_hides_nothing),
        cmocka_unit_test(a_literal_that_hides_the_end_of_such_a_comment_is_refused),
        cmocka_unit_test(the_frames_of_executable_comments_stay_paired),
    };
    return cmocka_run_group_tests_name("sql: tokens", tests, NULL, NULL);
}
