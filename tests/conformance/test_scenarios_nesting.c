/*
 * test_scenarios_nesting.c - scopes in scopes and marks: who sees which error, and what is undone.
 * The tables of the scenarios themselves are compared in test_scenarios.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "database.h"

static int open_counters(void **state)
{
    static database d;
    static const char *const tables[] = {
        "DROP TABLE IF EXISTS counter",
        "CREATE TABLE counter (id INTEGER PRIMARY KEY, value INTEGER NOT NULL)",
        "INSERT INTO counter (id, value) VALUES (1, 0), (2, 0)",
        NULL,
    };
    database_open(&d, NULL);
    database_run(d.s, tables);
    *state = &d;
    return 0;
}

static int close_counters(void **state)
{
    return database_close(*state) == BELAY_OK ? 0 : -1;
}

static const char *const counters = "SELECT id, value FROM counter ORDER BY id";

/* ---- 7, 11: errors travel outward ------------------------------------------------------------------------------- */

static void a_statement_works_again_once_the_inner_error_is_caught(void **state)
{
    belay_session *s = ((database *)*state)->s;
    belay_code inside = BELAY_OK, before = BELAY_OK, after = BELAY_MISUSE;
    bool caught = false;
    BELAY_ATOMIC(s) {
        BELAY_ATOMIC(s) {
            belay_exec(s, "UPDATE counter SET value = 5 WHERE id = 2");
            inside = belay_exec(s, "INSERT INTO counter (id, value) VALUES (1, 1)");
        }
        before = belay_status(s);
        caught = belay_catch(s, BELAY_UNIQUE);
        after = belay_exec(s, "UPDATE counter SET value = 6 WHERE id = 1");
    }
    assert_status(s, BELAY_OK);
    assert_int_equal(inside, BELAY_UNIQUE);
    assert_int_equal(before, BELAY_UNIQUE);
    assert_true(caught);
    assert_int_equal(after, BELAY_OK);
    assert_rows(s, counters, "1|6;2|0");
}

static void an_error_is_not_caught_by_a_code_that_does_not_cover_it(void **state)
{
    belay_session *s = ((database *)*state)->s;
    bool caught = true;
    BELAY_ATOMIC(s) {
        BELAY_ATOMIC(s) {
            belay_exec(s, "INSERT INTO counter (id, value) VALUES (1, 1)");
        }
        caught = belay_catch(s, BELAY_CHECK);
    }
    assert_false(caught);
    assert_status(s, BELAY_UNIQUE);
}

static void an_error_cant_be_caught_after_a_call_was_refused_because_of_it(void **state)
{
    belay_session *s = ((database *)*state)->s;
    bool caught = true;
    BELAY_ATOMIC(s) {
        BELAY_ATOMIC(s) {
            belay_exec(s, "INSERT INTO counter (id, value) VALUES (1, 1)");
        }
        belay_exec(s, "UPDATE counter SET value = 6 WHERE id = 1");
        caught = belay_catch(s, BELAY_ANY);
    }
    assert_false(caught);
    assert_status(s, BELAY_UNIQUE);
    assert_rows(s, counters, "1|0;2|0");
}

static void an_error_of_the_scopes_own_cant_be_caught_in_it(void **state)
{
    belay_session *s = ((database *)*state)->s;
    bool caught = true;
    BELAY_ATOMIC(s) {
        belay_exec(s, "UPDATE counter SET value = 6 WHERE id = 1");
        belay_exec(s, "INSERT INTO counter (id, value) VALUES (1, 1)");
        caught = belay_catch(s, BELAY_ANY);
    }
    assert_false(caught);
    assert_status(s, BELAY_UNIQUE);
    assert_rows(s, counters, "1|0;2|0");
}

static void the_first_error_is_reported_at_every_level_and_not_what_followed(void **state)
{
    belay_session *s = ((database *)*state)->s;
    char first[sizeof belay_pending(s)->statement] = "";
    belay_code codes[4] = {BELAY_OK};
    BELAY_ATOMIC(s) {
        BELAY_ATOMIC(s) {
            BELAY_ATOMIC(s) {
                codes[0] = belay_exec(s, "INSERT INTO counter (id, value) VALUES (1, 11)");
                codes[1] = belay_exec(s, "INSERT INTO nowhere (id) VALUES (1)");
            }
            codes[2] = belay_exec(s, "INSERT INTO counter (id) VALUES (7)");
        }
        codes[3] = belay_fail(s, BELAY_APPLICATION, "too late");
        snprintf(first, sizeof first, "%s", belay_pending(s)->statement);
    }
    assert_status(s, BELAY_UNIQUE);
    for (int i = 0; i < 4; i++)
        assert_int_equal(codes[i], BELAY_UNIQUE);
    assert_string_equal(first, "INSERT INTO counter (id, value) VALUES (1, 11)");
    assert_string_equal(belay_pending(s)->statement, first);
    assert_rows(s, counters, "1|0;2|0");
}

static void a_block_begun_while_an_error_is_pending_does_not_run(void **state)
{
    belay_session *s = ((database *)*state)->s;
    bool ran = false;
    BELAY_ATOMIC(s) {
        belay_fail(s, BELAY_NOT_FOUND, "first");
        BELAY_ATOMIC(s) {
            ran = true;
        }
    }
    assert_false(ran);
    assert_status(s, BELAY_NOT_FOUND);
}

/* ---- 8, 21: marks ----------------------------------------------------------------------------------------------- */

static void check_mark_name(belay_session *s, const char *name, int value)
{
    belay_code codes[4] = {BELAY_MISUSE};
    BELAY_ATOMIC(s) {
        belay_exec(s, "UPDATE counter SET value = ? WHERE id = 1", value);
        codes[0] = belay_savepoint(s, name);
        belay_exec(s, "UPDATE counter SET value = -1 WHERE id = 1");
        codes[1] = belay_rollback_to(s, name);
        belay_exec(s, "UPDATE counter SET value = ? WHERE id = 2", value);
        codes[2] = belay_release(s, name);
    }
    codes[3] = belay_status(s);
    for (int i = 0; i < 4; i++)
        assert_int_equal(codes[i], BELAY_OK);
}

static void any_text_is_a_name_for_a_mark(void **state)
{
    static const char *const names[] = {
        "",
        " ",
        "a",
        "a;DROP TABLE counter",
        "it's",
        "\"",
        "`",
        "[x]",
        "--",
        "/*",
        "%s%n",
        "$1",
        "?",
        "new\nline",
        "s1",
        "belay_1",
        "\xc3\xa9\xe2\x82\xac",
        "\xff\xfe",
        "SELECT",
    };
    database *d = *state;
    int value = 0;
    char expected[64];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        check_mark_name(d->s, names[i], ++value);
    char *huge = malloc(100001);
    assert_non_null(huge);
    memset(huge, 'm', 100000);
    huge[100000] = '\0';
    check_mark_name(d->s, huge, ++value);
    free(huge);
    snprintf(expected, sizeof expected, "1|%d;2|%d", value, value);
    assert_rows(d->s, counters, expected);
}

static void names_that_differ_at_the_64th_byte_are_two_marks(void **state)
{
    belay_session *s = ((database *)*state)->s;
    char first[66], second[66];
    memset(first, 'x', 65);
    first[65] = '\0';
    memcpy(second, first, sizeof second);
    second[64] = 'y';
    BELAY_ATOMIC(s) {
        belay_savepoint(s, first);
        belay_exec(s, "UPDATE counter SET value = 1 WHERE id = 1");
        belay_savepoint(s, second);
        belay_exec(s, "UPDATE counter SET value = 2 WHERE id = 2");
        belay_rollback_to(s, first);
    }
    assert_status(s, BELAY_OK);
    assert_rows(s, counters, "1|0;2|0");
}

static void a_second_mark_of_a_name_hides_the_first_until_it_is_released(void **state)
{
    belay_session *s = ((database *)*state)->s;
    char shown[2][64];
    BELAY_ATOMIC(s) {
        belay_savepoint(s, "m");
        belay_exec(s, "UPDATE counter SET value = 1 WHERE id = 1");
        belay_savepoint(s, "m");
        belay_exec(s, "UPDATE counter SET value = 2 WHERE id = 1");
        belay_rollback_to(s, "m");
        snprintf(shown[0], sizeof shown[0], "%s", rows_of(s, counters));
        belay_release(s, "m");
        belay_rollback_to(s, "m");
        snprintf(shown[1], sizeof shown[1], "%s", rows_of(s, counters));
    }
    assert_status(s, BELAY_OK);
    assert_string_equal(shown[0], "1|1;2|0");
    assert_string_equal(shown[1], "1|0;2|0");
}

static void going_back_clears_an_error_that_arose_after_the_mark(void **state)
{
    belay_session *s = ((database *)*state)->s;
    belay_code failed = BELAY_OK, back = BELAY_MISUSE, status = BELAY_MISUSE;
    BELAY_ATOMIC(s) {
        belay_exec(s, "UPDATE counter SET value = 1 WHERE id = 1");
        belay_savepoint(s, "m");
        belay_exec(s, "UPDATE counter SET value = 2 WHERE id = 1");
        failed = belay_exec(s, "INSERT INTO counter (id, value) VALUES (2, 2)");
        back = belay_rollback_to(s, "m");
        status = belay_status(s);
        belay_exec(s, "UPDATE counter SET value = 3 WHERE id = 2");
    }
    assert_status(s, BELAY_OK);
    assert_int_equal(failed, BELAY_UNIQUE);
    assert_int_equal(back, BELAY_OK);
    assert_int_equal(status, BELAY_OK);
    assert_rows(s, counters, "1|1;2|3");
}

static void a_mark_that_was_set_while_an_error_was_pending_cant_be_gone_back_to(void **state)
{
    belay_session *s = ((database *)*state)->s;
    belay_code set = BELAY_OK, back = BELAY_OK;
    BELAY_ATOMIC(s) {
        belay_savepoint(s, "m");
        belay_exec(s, "UPDATE counter SET value = 1 WHERE id = 1");
        belay_exec(s, "INSERT INTO counter (id, value) VALUES (2, 2)");
        set = belay_savepoint(s, "m");
        back = belay_rollback_to(s, "m");
    }
    assert_status(s, BELAY_UNIQUE);
    assert_int_equal(set, BELAY_UNIQUE);
    assert_int_equal(back, BELAY_UNIQUE);
    assert_rows(s, counters, "1|0;2|0");
}

static void going_back_forgets_the_marks_set_after_it_and_keeps_the_mark(void **state)
{
    belay_session *s = ((database *)*state)->s;
    belay_code codes[3];
    BELAY_ATOMIC(s) {
        belay_savepoint(s, "first");
        belay_savepoint(s, "second");
        codes[0] = belay_rollback_to(s, "first");
        codes[1] = belay_rollback_to(s, "first");
        codes[2] = belay_rollback_to(s, "second");
    }
    assert_status(s, BELAY_MISUSE);
    assert_int_equal(codes[0], BELAY_OK);
    assert_int_equal(codes[1], BELAY_OK);
    assert_int_equal(codes[2], BELAY_MISUSE);
}

static void a_mark_belongs_to_the_scope_that_it_was_set_in(void **state)
{
    belay_session *s = ((database *)*state)->s;
    belay_code inside = BELAY_OK;
    BELAY_ATOMIC(s) {
        belay_savepoint(s, "outer");
        BELAY_ATOMIC(s) {
            inside = belay_rollback_to(s, "outer");
        }
    }
    assert_int_equal(inside, BELAY_MISUSE);
    assert_status(s, BELAY_MISUSE);
}

static void a_mark_outside_any_scope_is_misuse(void **state)
{
    belay_session *s = ((database *)*state)->s;
    assert_int_equal(belay_savepoint(s, "m"), BELAY_MISUSE);
    assert_status(s, BELAY_MISUSE);
    assert_int_equal(belay_rollback_to(s, "m"), BELAY_MISUSE);
    assert_status(s, BELAY_MISUSE);
    assert_int_equal(belay_release(s, "m"), BELAY_MISUSE);
    assert_status(s, BELAY_MISUSE);
}

static int count_call(belay_session *s, void *arg)
{
    (void)s;
    ++*(int *)arg;
    return 0;
}

static void hooks_registered_since_a_mark_are_dropped_by_going_back_to_it(void **state)
{
    belay_session *s = ((database *)*state)->s;
    int before = 0, after = 0;
    BELAY_ATOMIC(s) {
        belay_on_commit(s, count_call, &before, NULL);
        belay_savepoint(s, "m");
        belay_on_commit(s, count_call, &after, NULL);
        belay_rollback_to(s, "m");
    }
    assert_status(s, BELAY_OK);
    assert_int_equal(before, 1);
    assert_int_equal(after, 0);
}

#define counters_test(test) cmocka_unit_test_setup_teardown(test, open_counters, close_counters)

int main(void)
{
    const struct CMUnitTest tests[] = {
        counters_test(a_statement_works_again_once_the_inner_error_is_caught),
        counters_test(an_error_is_not_caught_by_a_code_that_does_not_cover_it),
        counters_test(an_error_cant_be_caught_after_a_call_was_refused_because_of_it),
        counters_test(an_error_of_the_scopes_own_cant_be_caught_in_it),
        counters_test(the_first_error_is_reported_at_every_level_and_not_what_followed),
        counters_test(a_block_begun_while_an_error_is_pending_does_not_run),
        counters_test(any_text_is_a_name_for_a_mark),
        counters_test(names_that_differ_at_the_64th_byte_are_two_marks),
        counters_test(a_second_mark_of_a_name_hides_the_first_until_it_is_released),
        counters_test(going_back_clears_an_error_that_arose_after_the_mark),
        counters_test(a_mark_that_was_set_while_an_error_was_pending_cant_be_gone_back_to),
        counters_test(going_back_forgets_the_marks_set_after_it_and_keeps_the_mark),
        counters_test(a_mark_belongs_to_the_scope_that_it_was_set_in),
        counters_test(a_mark_outside_any_scope_is_misuse),
        counters_test(hooks_registered_since_a_mark_are_dropped_by_going_back_to_it),
    };
    return cmocka_run_group_tests_name("nesting", tests, NULL, NULL);
}
