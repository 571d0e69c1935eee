/*
 * The text of a statement: placeholders of every style, what is refused before
 * it reaches the engine, and texts that nobody should write.
 */
#include "support.h"

#include <stdlib.h>
#include <string.h>

/* ---- Placeholders ---------------------------------------------------------------------------------------- */

static void every_style_of_placeholder_works(void **state)
{
    world *w = *state;
    assert_int_equal(belay_int_of(w->s, "SELECT ? * 10 + ?", 1, 2), 12);
    assert_int_equal(belay_int_of(w->s, "SELECT ?2 * 10 + ?1", 1, 2), 21);
    assert_int_equal(belay_int_of(w->s, "SELECT $2 * 10 + $1", 1, 2), 21);
    assert_int_equal(belay_int_of(w->s, "SELECT :tens * 10 + :ones", 1, 2), 12);
    assert_status(w->s, BELAY_OK);
}

static void the_same_number_or_name_is_the_same_value(void **state)
{
    world *w = *state;
    assert_int_equal(belay_int_of(w->s, "SELECT ?1 + ?1 + ?2", 5, 1), 11);
    assert_int_equal(belay_int_of(w->s, "SELECT $1 + $1", 5), 10);
    assert_int_equal(belay_int_of(w->s, "SELECT :b * 100 + :a * 10 + :b", 1, 2),
                     121); /* in order of first appearance */
    assert_status(w->s, BELAY_OK);
}

static void two_styles_in_one_statement_are_misuse(void **state)
{
    static const char *const mixed[] = {"SELECT ? + ?1", "SELECT ? + $1", "SELECT ? + :a", "SELECT ?1 + :a",
                                        "SELECT $1 + ?1"};
    world *w = *state;
    for (size_t i = 0; i < sizeof mixed / sizeof mixed[0]; i++) {
        assert_code(belay_exec(w->s, mixed[i], 1, 2), BELAY_MISUSE);
        assert_code(belay_exec(w->s, mixed[i], 1), BELAY_MISUSE);
    }
}

static void numbers_that_are_no_parameters_are_misuse(void **state)
{
    static const char *const bad[] = {"SELECT ?0",    "SELECT $0",   "SELECT ?65536", "SELECT ?99999999999999999999",
                                      "SELECT $name", "SELECT @name"};
    world *w = *state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_code(belay_exec(w->s, bad[i], 1), BELAY_MISUSE);
}

static void placeholders_are_never_recognised_inside_literals_comments_or_quoted_identifiers(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    assert_rows(w->s,
                "SELECT '?', '?1 $1 :a', 'it''s ?', '?"
                "?'",
                "?|?1 $1 :a|it's ?|?"
                "?");
    assert_rows(w->s,
                "SELECT 1 /* ? :a $1 ?"
                "? */ + 1 -- ? :a $1\n + 1",
                "3");
    assert_rows(w->s, "SELECT 1 AS \"?\", 2 AS `:a`, 3 AS [$1 ?], 4 AS \"a\"\"?\"", "1|2|3|4");
    belay_rows *rows = belay_query(w->s, "SELECT ? AS \"?:a\", ':b' AS [?]", 5);
    assert_string_equal(belay_column_name(rows, 0), "?:a");
    assert_string_equal(belay_column_name(rows, 1), "?");
    assert_true(belay_next(rows));
    assert_int_equal(belay_int(rows, 0), 5);
    assert_string_equal(belay_str(rows, 1), ":b");
    belay_rows_close(rows);
    assert_status(w->s, BELAY_OK);
}

/* ---- One statement a call ------------------------------------------------------------------------------------ */

static void no_statement_is_misuse(void **state)
{
    static const char *const empty[] = {"",
                                        " ",
                                        "\n\t\r\f ",
                                        ";",
                                        " ; ; ",
                                        "-- only a comment",
                                        "/* only a comment */",
                                        "-- a\n-- b\n/* c */ ;",
                                        "/**/",
                                        "\xEF\xBB\xBF"};
    world *w = *state;
    assert_code(belay_exec(w->s, NULL), BELAY_MISUSE);
    for (size_t i = 0; i < sizeof empty / sizeof empty[0]; i++) {
        BELAY_ATOMIC(w->s) {
            put(w->s, 1);
            if (belay_exec(w->s, empty[i]) != BELAY_MISUSE)
                fail_msg("\"%s\" is %s", empty[i], belay_message(w->s));
        }
        assert_stored(w, "");
    }
    assert_null(belay_query(w->s, ""));
    assert_null(belay_stream(w->s, NULL));
    assert_int_equal(belay_int_of(w->s, NULL), 0);
    assert_code(belay_try(w->s, ""), BELAY_MISUSE);
}

static void two_statements_are_misuse_and_neither_runs(void **state)
{
    static const char *const two[] = {
        "INSERT INTO item(id) VALUES (1); INSERT INTO item(id) VALUES (2)",
        "INSERT INTO item(id) VALUES (1);;INSERT INTO item(id) VALUES (2);",
        "INSERT INTO item(id) VALUES (1); COMMIT",
        "INSERT INTO item(id) VALUES (1);\n-- and\nDROP TABLE item",
        "INSERT INTO item(id) VALUES (1)/**/;/**/SELECT 1",
        "INSERT INTO item(id) VALUES (1); x",
    };
    world *w = *state;
    for (size_t i = 0; i < sizeof two / sizeof two[0]; i++) {
        assert_code(belay_exec(w->s, two[i]), BELAY_MISUSE);
        assert_stored(w, "");
    }
    assert_code(belay_exec(w->s, "INSERT INTO item(id) VALUES (1); '"), BELAY_SYNTAX); /* what follows has no end */
    assert_stored(w, "");
}

static void a_semicolon_and_comments_around_one_statement_are_no_second_one(void **state)
{
    static const char *const one[] = {"SELECT 1;",
                                      "SELECT 1 ; ",
                                      ";SELECT 1",
                                      "SELECT 1;;",
                                      "SELECT 1; -- that's all",
                                      "/* ; */ SELECT 1",
                                      "SELECT 1 /* ; SELECT 2 */;",
                                      "SELECT ';'",
                                      "-- ;\nSELECT 1",
                                      "SELECT 1 -- no newline"};
    world *w = *state;
    for (size_t i = 0; i < sizeof one / sizeof one[0]; i++)
        if (belay_exec(w->s, one[i]) != BELAY_OK)
            fail_msg("%s: %s", one[i], belay_message(w->s));
}

static void the_semicolons_in_a_trigger_belong_to_it(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    belay_exec(w->s, "CREATE TRIGGER more AFTER INSERT ON item WHEN new.id < 3 BEGIN\n"
                     "  INSERT INTO item(id) VALUES (new.id * 10); -- ;\n"
                     "  UPDATE item SET note = CASE new.id WHEN 1 THEN 'a;b' ELSE 'c' END WHERE id = new.id;\n"
                     "END;");
    assert_status(w->s, BELAY_OK);
    put(w->s, 1);
    assert_rows(w->s, "SELECT id, note FROM item ORDER BY id", "1|a;b;10|NULL");
}

static void what_has_no_end_is_refused(void **state)
{
    static const char *const open[] = {"SELECT 'abc", "SELECT \"abc", "SELECT `abc",
                                       "SELECT [abc", "SELECT '",     "SELECT 'a''"};
    world *w = *state;
    only_on_sqlite(w);
    for (size_t i = 0; i < sizeof open / sizeof open[0]; i++) {
        belay_code code = belay_exec(w->s, open[i]);
        if (code != BELAY_MISUSE && code != BELAY_SYNTAX)
            fail_msg("%s: %s", open[i], belay_message(w->s));
    }
}

static void text_that_is_no_sql_is_an_error_of_syntax(void **state)
{
    static const char *const bad[] = {"nonsense",   "SELECT",    "SELECT FROM", "INSERT INTO", ")",
                                      "SELECT 1 +", "SELECT (1", "\xFF\xFE",    "\\"};
    world *w = *state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        bool postgresql = !database_is_sqlite(&w->d) && !database_is_mariadb(&w->d);
        bool empty_row = postgresql && strcmp(bad[i], "SELECT") == 0; /* PostgreSQL has such rows */
        if (belay_exec(w->s, bad[i]) != (empty_row ? BELAY_OK : BELAY_SYNTAX))
            fail_msg("%s: %s", bad[i], belay_message(w->s));
    }
    assert_code(belay_exec(w->s, "SELECT * FROM no_such_table"), BELAY_SCHEMA);
    assert_code(belay_exec(w->s, "SELECT no_such_column FROM item"), BELAY_SCHEMA);
    assert_code(belay_exec(w->s, "SELECT no_such_function()"), BELAY_SCHEMA);
}

/* ---- Transaction control ---------------------------------------------------------------------------------------- */

static const char *const controls[] = {"BEGIN",
                                       "begin",
                                       "BEGIN IMMEDIATE",
                                       "BEGIN EXCLUSIVE TRANSACTION",
                                       "COMMIT",
                                       "Commit;",
                                       "COMMIT TRANSACTION",
                                       "END",
                                       "END TRANSACTION",
                                       "ROLLBACK",
                                       "ROLLBACK TRANSACTION",
                                       "SAVEPOINT a",
                                       "RELEASE a",
                                       "RELEASE SAVEPOINT a",
                                       "ROLLBACK TO a",
                                       "ROLLBACK TRANSACTION TO SAVEPOINT a",
                                       "/* hidden */ COMMIT",
                                       "-- hidden\nCOMMIT",
                                       "/**/COMMIT/**/",
                                       "\n\t /* a */ -- b\n /* c */ROLLBACK",
                                       ";COMMIT",
                                       "; ; COMMIT ;",
                                       "\fCOMMIT",
                                       "\r\nCOMMIT",
                                       "\xEF\xBB\xBF"
                                       "COMMIT",
                                       "\xEF\xBB\xBF /* x */ ROLLBACK",
                                       "/* x */\xEF\xBB\xBF"
                                       "COMMIT",
                                       "/* /* */ COMMIT",
                                       "--\nCOMMIT",
                                       "/*/*/COMMIT",
                                       "-- x\r-- y\nCOMMIT",
                                       "COMMIT--",
                                       "COMMIT/* */;"};

static void transaction_control_is_refused_before_it_reaches_the_engine(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    for (size_t i = 0; i < sizeof controls / sizeof controls[0]; i++) {
        BELAY_ATOMIC(w->s) {
            put(w->s, 1);
            if (belay_exec(w->s, controls[i]) != BELAY_MISUSE)
                fail_msg("\"%s\" was not refused", controls[i]);
            assert_contains(belay_pending(w->s)->message, "belay_");
        }
        assert_status(w->s, BELAY_MISUSE);
        assert_code(belay_exec(w->s, controls[i]), BELAY_MISUSE);
        assert_null(belay_query(w->s, controls[i]));
        assert_null(belay_stream(w->s, controls[i]));
        assert_stored(w, "");
    }
    assert_code(put(w->s, 2), BELAY_OK);
    assert_stored(w, "2");
}

static void words_of_transaction_control_elsewhere_are_no_transaction_control(void **state)
{
    static const char *const harmless[] = {"SELECT 'COMMIT'",
                                           "SELECT 1 AS \"COMMIT\"",
                                           "/* COMMIT */ SELECT 1",
                                           "-- ROLLBACK\nSELECT 1",
                                           "SELECT CASE 1 WHEN 1 THEN 2 END",
                                           "EXPLAIN COMMIT",
                                           "SELECT 1 AS release",
                                           "INSERT OR ROLLBACK INTO item(id) VALUES (7)"};
    world *w = *state;
    only_on_sqlite(w);
    for (size_t i = 0; i < sizeof harmless / sizeof harmless[0]; i++)
        if (belay_exec(w->s, harmless[i]) != BELAY_OK)
            fail_msg("%s: %s", harmless[i], belay_message(w->s));
}

static void a_statement_outside_any_scope_is_misuse_under_require_scope(void **state)
{
    world *w = *state;
    belay_db *db = open_again(w, BELAY_DB_OPTIONS(.require_scope = true));
    belay_session *s = belay_session_open(db);
    assert_code(put(s, 1), BELAY_MISUSE);
    assert_null(belay_query(s, "SELECT 1"));
    assert_code(belay_try(s, "SELECT 1"), BELAY_MISUSE);
    BELAY_ATOMIC(s)
        put(s, 2);
    assert_code(belay_status(s), BELAY_OK);
    belay_session_close(s);
    belay_close(db);
    assert_stored(w, "2");
}

/* ---- Texts that nobody should write ----------------------------------------------------------------------------- */

static char *fill(const char *before, char what, size_t size, const char *after)
{
    char *text = malloc(strlen(before) + size + strlen(after) + 1), *end = text + strlen(before);
    strcpy(text, before);
    memset(end, what, size);
    strcpy(end + size, after);
    return text;
}

static void a_literal_of_seventeen_megabytes(void **state)
{
    enum { SIZE = 17 * 1000 * 1000 };
    world *w = *state;
    char *sql = fill("SELECT length('", 'x', SIZE, "')");
    bool too_large = database_is_mariadb(&w->d); /* for its max_allowed_packet, 16 MB where nobody set it */
    assert_int_equal(belay_int_of(w->s, sql), too_large ? 0 : SIZE);
    assert_status(w->s, too_large ? BELAY_DATA : BELAY_OK);
    free(sql);
    sql = fill("SELECT length('", 'x', SIZE, "");
    assert_int_equal(belay_int_of(w->s, sql), 0);
    assert_true(belay_status(w->s) == BELAY_MISUSE || belay_status(w->s) == BELAY_SYNTAX);
    free(sql);
}

static void a_thousand_and_one_nested_parentheses(void **state)
{
    world *w = *state;
    for (size_t n = 50; n < 200000; n = n * 20 + 1) {
        char *left = fill("SELECT ", '(', n, "1"), *sql = fill(left, ')', n, "");
        belay_code code = belay_exec(w->s, sql);
        assert_true(code == BELAY_OK || code == BELAY_SYNTAX || code == BELAY_DATA || code == BELAY_NO_MEMORY);
        free(sql);
        code = belay_exec(w->s, left);
        assert_true(code != BELAY_OK);
        free(left);
    }
    assert_code(put(w->s, 1), BELAY_OK);
}

static void a_byte_order_mark_before_a_statement(void **state)
{
    world *w = *state;
    belay_code code = belay_exec(w->s, "\xEF\xBB\xBF"
                                       "INSERT INTO item(id) VALUES (1)");
    assert_true(code == BELAY_OK || code == BELAY_SYNTAX);
    assert_stored(w, code == BELAY_OK ? "1" : "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(every_style_of_placeholder_works),
        in_world(the_same_number_or_name_is_the_same_value),
        in_world(two_styles_in_one_statement_are_misuse),
        in_world(numbers_that_are_no_parameters_are_misuse),
        in_world(placeholders_are_never_recognised_inside_literals_comments_or_quoted_identifiers),
        in_world(no_statement_is_misuse),
        in_world(two_statements_are_misuse_and_neither_runs),
        in_world(a_semicolon_and_comments_around_one_statement_are_no_second_one),
        in_world(the_semicolons_in_a_trigger_belong_to_it),
        in_world(what_has_no_end_is_refused),
        in_world(text_that_is_no_sql_is_an_error_of_syntax),
        in_world(transaction_control_is_refused_before_it_reaches_the_engine),
        in_world(words_of_transaction_control_elsewhere_are_no_transaction_control),
        in_world(a_statement_outside_any_scope_is_misuse_under_require_scope),
        in_world(a_literal_of_seventeen_megabytes),
        in_world(a_thousand_and_one_nested_parentheses),
        in_world(a_byte_order_mark_before_a_statement),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
