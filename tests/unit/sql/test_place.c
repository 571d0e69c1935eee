/* Which ? $ and : are placeholders, how they are written for each engine, and which value each one is. */
#include "lexer.h"

#include <stdio.h>
#include <stdlib.h>

#include "check.h"

static void assert_order(const belayi_sql_rules *rules, const char *input, unsigned parameters, unsigned places,
                         const unsigned *order)
{
    belayi_sql sql;
    assert_int_equal(read_text(input, rules, &sql), BELAYI_LEX_OK);
    assert_int_equal(sql.parameters, parameters);
    assert_int_equal(sql.places, places);
    for (unsigned i = 0; i < places; i++)
        assert_int_equal(sql.order[i], order[i]);
    belayi_sql_done(&sql);
}

static void a_question_mark_is_the_next_value(void **state)
{
    (void)state;
    static const char input[] = "SELECT ?, f(?) WHERE a=?";
    assert_rewrites(&sqlite_rules, input, input); /* numbered the same, and prepared in linear time */
    assert_rewrites(&postgresql_rules, input, "SELECT $1, f($2) WHERE a=$3");
    assert_rewrites(&mariadb_rules, input, "SELECT ?, f(?) WHERE a=?");
    for (int i = 0; i < ENGINES; i++)
        assert_order(every_engine[i], input, 3, 3, (unsigned[]){0, 1, 2});
}

static void a_question_mark_with_a_number_is_that_value(void **state)
{
    (void)state;
    static const char input[] = "SELECT ?2, ?1, ?2, ?0004";
    assert_rewrites(&sqlite_rules, input, "SELECT ?2, ?1, ?2, ?4");
    assert_rewrites(&postgresql_rules, input, "SELECT $2, $1, $2, $4");
    assert_rewrites(&mariadb_rules, input, "SELECT ?, ?, ?, ?");
    for (int i = 0; i < ENGINES; i++)
        assert_order(every_engine[i], input, 4, 4, (unsigned[]){1, 0, 1, 3});
}

static void a_dollar_with_a_number_is_that_value(void **state)
{
    (void)state;
    static const char input[] = "SELECT $2, $1::int, $2";
    assert_rewrites(&sqlite_rules, input, "SELECT ?2, ?1::int, ?2");
    assert_rewrites(&postgresql_rules, input, "SELECT $2, $1::int, $2");
    assert_rewrites(&mariadb_rules, input, "SELECT ?, ?::int, ?");
    for (int i = 0; i < ENGINES; i++)
        assert_order(every_engine[i], input, 2, 3, (unsigned[]){1, 0, 1});
}

static void the_same_name_is_the_same_value_in_order_of_first_appearance(void **state)
{
    (void)state;
    static const char input[] = "SELECT :b, :a, :b, :B, :\xC3\xA9_$1";
    assert_rewrites(&sqlite_rules, input, "SELECT ?1, ?2, ?1, ?3, ?4");
    assert_rewrites(&postgresql_rules, input, "SELECT $1, $2, $1, $3, $4");
    assert_rewrites(&mariadb_rules, input, "SELECT ?, ?, ?, ?, ?");
    for (int i = 0; i < ENGINES; i++)
        assert_order(every_engine[i], input, 4, 5, (unsigned[]){0, 1, 0, 2, 3});
}

static void a_name_that_starts_another_is_a_name_of_its_own(void **state)
{
    (void)state;
    assert_order(&sqlite_rules, "SELECT :ab, :a, :abc, :a", 3, 4, (unsigned[]){0, 1, 2, 1});
}

static void two_question_marks_are_one(void **state)
{
    (void)state;
    for (int i = 0; i < ENGINES; i++) {
        assert_rewrites(every_engine[i], "SELECT a??b", "SELECT a?b");
        assert_rewrites(every_engine[i], "SELECT a ??| b, c ??& d", "SELECT a ?| b, c ?& d");
        assert_rewrites(every_engine[i], "SELECT a ????", "SELECT a ??");
    }
    assert_rewrites(&postgresql_rules, "SELECT data ?? ?", "SELECT data ? $1");
    assert_rewrites(&postgresql_rules, "SELECT data ???", "SELECT data ?$1");
}

static void one_statement_has_one_style(void **state)
{
    (void)state;
    assert_refused_everywhere("SELECT ?, ?1", BELAYI_LEX_MIXED_STYLES, 10);
    assert_refused_everywhere("SELECT ?1, ?", BELAYI_LEX_MIXED_STYLES, 11);
    assert_refused_everywhere("SELECT $1, ?", BELAYI_LEX_MIXED_STYLES, 11);
    assert_refused_everywhere("SELECT :a, $1", BELAYI_LEX_MIXED_STYLES, 11);
    assert_refused_everywhere("SELECT ?1, :a", BELAYI_LEX_MIXED_STYLES, 11);
}

static void numbers_start_at_one(void **state)
{
    (void)state;
    assert_refused_everywhere("SELECT ?0", BELAYI_LEX_BAD_NUMBER, 7);
    assert_refused_everywhere("SELECT $0", BELAYI_LEX_BAD_NUMBER, 7);
    assert_refused_everywhere("SELECT $000", BELAYI_LEX_BAD_NUMBER, 7);
}

static void numbers_end_at_65535(void **state)
{
    (void)state;
    assert_order(&postgresql_rules, "SELECT ?65535", 65535, 1, (unsigned[]){65534});
    assert_refused_everywhere("SELECT ?65536", BELAYI_LEX_BAD_NUMBER, 7);
    assert_refused_everywhere("SELECT $4294967297", BELAYI_LEX_BAD_NUMBER, 7);
    assert_refused_everywhere("SELECT ?99999999999999999999999999999", BELAYI_LEX_BAD_NUMBER, 7);
}

/* `count` question marks, or names when `named`. */
static belayi_lex_status read_many(size_t count, bool named, const belayi_sql_rules *rules, belayi_sql *sql)
{
    char *input = malloc(16 + count * 9);
    size_t size = (size_t)sprintf(input, "SELECT 0");
    for (size_t i = 0; i < count; i++)
        size += (size_t)sprintf(input + size, named ? ", :n%zu" : ",?", i);
    belayi_lex_status status = belayi_sql_read(input, size, rules, sql);
    free(input);
    return status;
}

static void as_many_as_65535_parameters_are_read_and_not_one_more(void **state)
{
    (void)state;
    for (int e = 0; e < ENGINES; e++)
        for (int named = 0; named < 2; named++) {
            belayi_sql sql;
            assert_int_equal(read_many(65535, named, every_engine[e], &sql), BELAYI_LEX_OK);
            assert_int_equal(sql.parameters, 65535);
            assert_int_equal(sql.places, 65535);
            for (unsigned i = 0; i < sql.places; i++)
                assert_int_equal(sql.order[i], i);
            belayi_sql_done(&sql);
            assert_int_equal(read_many(65536, named, every_engine[e], &sql), BELAYI_LEX_BAD_NUMBER);
            assert_null(sql.text);
        }
}

static void one_value_can_stand_in_more_than_65535_places(void **state)
{
    (void)state;
    enum { PLACES = 70000 };
    char *input = malloc(16 + PLACES * 4);
    size_t size = (size_t)sprintf(input, "SELECT 0");
    belayi_sql sql;

    for (int i = 0; i < PLACES; i++)
        size += (size_t)sprintf(input + size, ",?1");
    assert_int_equal(belayi_sql_read(input, size, &postgresql_rules, &sql), BELAYI_LEX_OK);
    assert_int_equal(sql.parameters, 1);
    assert_int_equal(sql.places, PLACES);
    belayi_sql_done(&sql);
    free(input);
}

static void a_placeholder_inside_a_literal_is_text(void **state)
{
    (void)state;
    for (int i = 0; i < ENGINES; i++) {
        assert_unchanged(every_engine[i], "SELECT '? ?1 $1 :a', 'it''s ?', x'3F', \"?\", \"a\"\":b\"");
        assert_unchanged(every_engine[i], "SELECT 'a?' 'b?'");
    }
    assert_unchanged(&mariadb_rules, "SELECT 'it\\'s ?', \"a\\\"?\", `?`, `a``?`");
    assert_unchanged(&sqlite_rules, "SELECT [?], [a:b], `?`, \"?\"");
    assert_unchanged(&postgresql_rules, "SELECT E'it\\'s ?', $$?$$, $a$ ? $$ $b$ :x $a$");
}

static void a_placeholder_inside_a_comment_is_text(void **state)
{
    (void)state;
    for (int i = 0; i < ENGINES; i++) {
        assert_unchanged(every_engine[i], "SELECT 1 /* ? :a */ -- $1 ?");
        assert_unchanged(every_engine[i], "/* ? */ SELECT -- ?2\n 1");
    }
    assert_unchanged(&mariadb_rules, "SELECT 1 # ?\n + 2");
    assert_unchanged(&postgresql_rules, "SELECT /* /* ? */ ? */ 1");
}

static void a_placeholder_inside_an_executable_comment_is_one(void **state)
{
    (void)state;
    assert_rewrites(&mariadb_rules, "SELECT /*!50000 :a, */ :b", "SELECT /*!50000 ?, */ ?");
    assert_rewrites(&mariadb_rules, "SELECT /*M!100100 ?1*/", "SELECT /*M!100100 ?*/");
    assert_order(&mariadb_rules, "SELECT /*!50000 :a, */ :b, /*! :a */", 2, 3, (unsigned[]){0, 1, 0});
    assert_unchanged(&postgresql_rules, "SELECT /*!50000 :a, */ 1");
}

static void casts_and_assignments_are_no_placeholders(void **state)
{
    (void)state;
    for (int i = 0; i < ENGINES; i++) {
        assert_unchanged(every_engine[i], "SELECT a::int, '1'::text, b :: c, f(x := 1), @a:=b");
        assert_unchanged(every_engine[i], "SELECT a:b, 12:30, @v:x, : a, :1, a:");
    }
    assert_rewrites(&postgresql_rules, "SELECT :a::int, f(x := :a), (:a)::b", "SELECT $1::int, f(x := $1), ($1)::b");
}

static void array_slices_are_no_placeholders(void **state)
{
    (void)state;
    assert_unchanged(&postgresql_rules, "SELECT a[1:n], a[x:y], a[x :y], a[f(x):y], a[b[1]:c], a['1' :y], a[1 :n]");
    assert_unchanged(&postgresql_rules, "SELECT a[(1):n], a[1:2][3 :m], a[lower(x) /* y */ :z], a[\"b\":c]");
}

static void a_name_at_the_start_of_a_subscript_is_a_placeholder(void **state)
{
    (void)state;
    assert_rewrites(&postgresql_rules, "SELECT a[:n], a[1 + :n], ARRAY[:n, :m]",
                    "SELECT a[$1], a[1 + $1], ARRAY[$1, $2]");
    assert_rewrites(&postgresql_rules, "SELECT a[:n:m]", "SELECT a[$1:m]");
    assert_rewrites(&postgresql_rules, "SELECT a[1: :n]", "SELECT a[1: $1]");
    assert_rewrites(&postgresql_rules, "SELECT a[x AND (:n)], a[(SELECT b LIMIT :n)]",
                    "SELECT a[x AND ($1)], a[(SELECT b LIMIT $1)]");
    assert_rewrites(&postgresql_rules, "SELECT a[1] :n, (a[1:(2)]) :n", "SELECT a[1] $1, (a[1:(2)]) $1");
    assert_rewrites(&sqlite_rules, "SELECT [a] :n", "SELECT [a] ?1");
}

static void a_dollar_or_colon_inside_an_identifier_is_text(void **state)
{
    (void)state;
    for (int i = 0; i < ENGINES; i++)
        assert_unchanged(every_engine[i], "SELECT a$1, _$2, \xC3\xA9$3, a:b");
}

static void variables_of_the_engines_pass_through(void **state)
{
    (void)state;
    for (int i = 0; i < ENGINES; i++)
        assert_unchanged(every_engine[i], "SELECT @a, @@b, @@session.c, $d, $end");
}

static void a_number_ends_before_what_is_no_digit(void **state)
{
    (void)state;
    assert_rewrites(&sqlite_rules, "SELECT ?1.5, ?2+?1", "SELECT ?1.5, ?2+?1");
    assert_rewrites(&sqlite_rules, "SELECT ?1abc", "SELECT ?1 abc");
}

static void a_placeholder_that_touches_an_identifier_gets_a_space_between(void **state)
{
    (void)state;
    assert_rewrites(&postgresql_rules, "SELECT 1 LIMIT?", "SELECT 1 LIMIT $1");
    assert_rewrites(&postgresql_rules, "SELECT ?and?", "SELECT $1 and $2");
    assert_rewrites(&mariadb_rules, "SELECT ?and?", "SELECT ? and ?");
    assert_rewrites(&sqlite_rules, "SELECT ?and?", "SELECT ? and ?");
    assert_rewrites(&postgresql_rules, "SELECT ?$$x$$, $?", "SELECT $1 $$x$$, $ $2");
    assert_rewrites(&postgresql_rules, "SELECT -?-?", "SELECT -$1-$2");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_question_mark_is_the_next_value),
        cmocka_unit_test(a_question_mark_with_a_number_is_that_value),
        cmocka_unit_test(a_dollar_with_a_number_is_that_value),
        cmocka_unit_test(the_same_name_is_the_same_value_in_order_of_first_appearance),
        cmocka_unit_test(a_name_that_starts_another_is_a_name_of_its_own),
        cmocka_unit_test(two_question_marks_are_one),
        cmocka_unit_test(one_statement_has_one_style),
        cmocka_unit_test(numbers_start_at_one),
        cmocka_unit_test(numbers_end_at_65535),
        cmocka_unit_test(as_many_as_65535_parameters_are_read_and_not_one_more),
        cmocka_unit_test(one_value_can_stand_in_more_than_65535_places),
        cmocka_unit_test(a_placeholder_inside_a_literal_is_text),
        cmocka_unit_test(a_placeholder_inside_a_comment_is_text),
        cmocka_unit_test(a_placeholder_inside_an_executable_comment_is_one),
        cmocka_unit_test(casts_and_assignments_are_no_placeholders),
        cmocka_unit_test(array_slices_are_no_placeholders),
        cmocka_unit_test(a_name_at_the_start_of_a_subscript_is_a_placeholder),
        cmocka_unit_test(a_dollar_or_colon_inside_an_identifier_is_text),
        cmocka_unit_test(variables_of_the_engines_pass_through),
        cmocka_unit_test(a_number_ends_before_what_is_no_digit),
        cmocka_unit_test(a_placeholder_that_touches_an_identifier_gets_a_space_between),
    };
    return cmocka_run_group_tests_name("sql: placeholders", tests, NULL, NULL);
}
