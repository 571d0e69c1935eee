/*
 * Named marks inside a scope.
 */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- What they do ---------------------------------------------------------------------------------- */

static void rollback_to_undoes_the_work_since_and_keeps_the_mark(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        assert_code(belay_savepoint(w->s, "here"), BELAY_OK);
        put(w->s, 2);
        assert_code(belay_rollback_to(w->s, "here"), BELAY_OK);
        assert_seen(w->s, "1");
        put(w->s, 3);
        assert_code(belay_rollback_to(w->s, "here"), BELAY_OK);
        put(w->s, 4);
    }
    assert_stored(w, "1;4");
}

static void release_forgets_the_mark_and_keeps_the_work(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        belay_savepoint(w->s, "a");
        put(w->s, 1);
        assert_code(belay_release(w->s, "a"), BELAY_OK);
        put(w->s, 2);
    }
    assert_stored(w, "1;2");
    BELAY_ATOMIC(w->s) {
        belay_savepoint(w->s, "a");
        belay_release(w->s, "a");
        assert_code(belay_rollback_to(w->s, "a"), BELAY_MISUSE);
    }
    assert_status(w->s, BELAY_MISUSE);
}

static void release_and_rollback_to_forget_the_marks_set_after(void **state)
{
    world *w = *state;
    for (int release = 0; release < 2; release++) {
        BELAY_ATOMIC(w->s) {
            belay_savepoint(w->s, "a");
            put(w->s, 1);
            belay_savepoint(w->s, "b");
            put(w->s, 2);
            assert_code(release ? belay_release(w->s, "a") : belay_rollback_to(w->s, "a"), BELAY_OK);
            assert_seen(w->s, release ? "1;2" : "");
            assert_code(belay_rollback_to(w->s, "b"), BELAY_MISUSE);
        }
        assert_status(w->s, BELAY_MISUSE);
        assert_stored(w, "");
    }
}

static void work_with_reused_names_and_marks_gone_back_to_twice(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        put(w->s, 18);
        belay_savepoint(w->s, "one");
        put(w->s, 19);
        belay_savepoint(w->s, "two");
        put(w->s, 20);
        belay_rollback_to(w->s, "one");
        put(w->s, 21);
        belay_rollback_to(w->s, "one");
        put(w->s, 22);
        belay_savepoint(w->s, "two");
        put(w->s, 23);
    }
    assert_stored(w, "18;22;23");
}

static void a_thousand_marks(void **state)
{
    world *w = *state;
    char name[16];
    BELAY_ATOMIC(w->s) {
        for (int i = 1; i <= 1000; i++) {
            snprintf(name, sizeof name, "m%d", i);
            belay_savepoint(w->s, name);
            put(w->s, i);
        }
        assert_code(belay_rollback_to(w->s, "m3"), BELAY_OK);
    }
    assert_stored(w, "1;2");
}

/* ---- Names --------------------------------------------------------------------------------------------- */

static void a_second_mark_of_a_name_hides_the_first_until_it_is_released(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        belay_savepoint(w->s, "a");
        put(w->s, 1);
        belay_savepoint(w->s, "a");
        put(w->s, 2);
        belay_rollback_to(w->s, "a");
        assert_seen(w->s, "1");
        belay_release(w->s, "a");
        belay_rollback_to(w->s, "a");
        assert_seen(w->s, "");
        put(w->s, 3);
    }
    assert_stored(w, "3");
}

static void releasing_a_name_leaves_older_marks_of_it_and_takes_those_above(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        belay_savepoint(w->s, "a");
        put(w->s, 1);
        belay_savepoint(w->s, "b");
        put(w->s, 2);
        belay_savepoint(w->s, "a");
        put(w->s, 3);
        belay_release(w->s, "a");
        assert_code(belay_rollback_to(w->s, "b"), BELAY_OK);
        assert_code(belay_rollback_to(w->s, "a"), BELAY_OK);
        put(w->s, 4);
    }
    assert_stored(w, "4");
}

static const char *const odd_names[] = {
    "",
    " ",
    "'",
    "\"",
    "`",
    "[",
    "]",
    "''",
    "\"\"",
    "a'b\"c`d[e]",
    "a;drop table item",
    "a\";drop table item;--",
    "--",
    "/*",
    "*/",
    "%s",
    "%n%n%n",
    "%d",
    "$1",
    "?",
    "?1",
    ":x",
    "@x",
    "a\nb",
    "\r",
    "\t",
    "\x01",
    "\x7f",
    "\xC3\xA9t\xC3\xA9",
    "\xE2\x98\x83",
    "\xF0\x9F\x98\x80",
    "\xFF\xFE",
    "\xC0\x80",
    "s1",
    "S1",
    "belay",
    "belay_1",
    "belay_s1",
    "sp1",
    "select",
    "COMMIT",
    "A",
    "a",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}; /* 63, 64 and 65 bytes */

enum { ODD_NAMES = sizeof odd_names / sizeof odd_names[0] };

static void any_name_works_and_never_reaches_the_engine(void **state)
{
    world *w = *state;
    for (int i = 0; i < ODD_NAMES; i++) {
        BELAY_ATOMIC(w->s) {
            put(w->s, 1);
            assert_code(belay_savepoint(w->s, odd_names[i]), BELAY_OK);
            put(w->s, 2);
            assert_code(belay_rollback_to(w->s, odd_names[i]), BELAY_OK);
            assert_seen(w->s, "1");
            assert_code(belay_release(w->s, odd_names[i]), BELAY_OK);
            belay_undo(w->s);
        }
        assert_status(w->s, BELAY_ROLLED_BACK);
    }
    assert_stored(w, "");
}

static void no_two_names_are_taken_for_each_other(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        for (int i = 0; i < ODD_NAMES; i++) {
            belay_savepoint(w->s, odd_names[i]);
            put(w->s, i);
        }
        for (int i = ODD_NAMES - 1; i >= 0; i--) {
            assert_code(belay_rollback_to(w->s, odd_names[i]), BELAY_OK);
            assert_int_equal(belay_int_of(w->s, "SELECT count(*) FROM item"), i);
        }
    }
    assert_status(w->s, BELAY_OK);
}

static void a_name_of_a_hundred_thousand_characters_works(void **state)
{
    enum { SIZE = 100000 };
    world *w = *state;
    char *name = malloc(SIZE + 1), *other = malloc(SIZE + 1);
    memset(name, 'n', SIZE);
    name[SIZE] = '\0';
    memcpy(other, name, SIZE + 1);
    other[SIZE - 1] = 'm';
    BELAY_ATOMIC(w->s) {
        belay_savepoint(w->s, name);
        put(w->s, 1);
        belay_savepoint(w->s, other);
        put(w->s, 2);
        assert_code(belay_rollback_to(w->s, other), BELAY_OK);
        assert_seen(w->s, "1");
        assert_code(belay_rollback_to(w->s, name), BELAY_OK);
        memset(name, 'x', SIZE); /* the name was copied */
    }
    free(name);
    free(other);
    assert_stored(w, "");
}

/* ---- Where they belong -------------------------------------------------------------------------------------- */

static void a_mark_belongs_to_the_scope_that_it_was_set_in(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        belay_savepoint(w->s, "outer");
        BELAY_ATOMIC(w->s) {
            put(w->s, 2);
            assert_code(belay_rollback_to(w->s, "outer"), BELAY_MISUSE);
        }
        assert_true(belay_catch(w->s, BELAY_MISUSE));
        BELAY_ATOMIC(w->s)
            assert_code(belay_release(w->s, "outer"), BELAY_MISUSE);
        assert_true(belay_catch(w->s, BELAY_MISUSE));
        BELAY_ATOMIC(w->s)
            belay_savepoint(w->s, "inner");
        assert_code(belay_rollback_to(w->s, "outer"), BELAY_OK); /* it is still there */
    }
    assert_stored(w, "1");
    BELAY_ATOMIC(w->s) {
        BELAY_ATOMIC(w->s)
            belay_savepoint(w->s, "gone");
        assert_code(belay_release(w->s, "gone"), BELAY_MISUSE);
    }
}

static void going_back_undoes_finished_inner_scopes_too(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        belay_savepoint(w->s, "a");
        BELAY_ATOMIC(w->s)
            put(w->s, 1);
        belay_rollback_to(w->s, "a");
        put(w->s, 2);
    }
    assert_stored(w, "2");
}

static void an_unknown_name_a_null_name_and_no_scope_are_misuse(void **state)
{
    world *w = *state;
    assert_code(belay_savepoint(w->s, "a"), BELAY_MISUSE);
    assert_code(belay_rollback_to(w->s, "a"), BELAY_MISUSE);
    assert_code(belay_release(w->s, "a"), BELAY_MISUSE);
    assert_status(w->s, BELAY_MISUSE);
    for (int i = 0; i < 5; i++) {
        BELAY_ATOMIC(w->s) {
            put(w->s, 1);
            belay_code code = i == 0   ? belay_savepoint(w->s, NULL)
                              : i == 1 ? belay_rollback_to(w->s, NULL)
                              : i == 2 ? belay_release(w->s, NULL)
                              : i == 3 ? belay_rollback_to(w->s, "unknown")
                                       : belay_release(w->s, "unknown");
            assert_code(code, BELAY_MISUSE);
        }
        assert_status(w->s, BELAY_MISUSE);
        assert_stored(w, "");
    }
}

static void marks_in_a_scope_that_joined_another(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        BELAY_ATOMIC_WITH(w->s, .propagation = BELAY_REQUIRED) {
            belay_savepoint(w->s, "a");
            put(w->s, 2);
            clash(w->s);
            assert_code(belay_rollback_to(w->s, "a"), BELAY_OK);
            put(w->s, 3);
        }
    }
    assert_stored(w, "1;3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(rollback_to_undoes_the_work_since_and_keeps_the_mark),
        in_world(release_forgets_the_mark_and_keeps_the_work),
        in_world(release_and_rollback_to_forget_the_marks_set_after),
        in_world(work_with_reused_names_and_marks_gone_back_to_twice),
        in_world(a_thousand_marks),
        in_world(a_second_mark_of_a_name_hides_the_first_until_it_is_released),
        in_world(releasing_a_name_leaves_older_marks_of_it_and_takes_those_above),
        in_world(any_name_works_and_never_reaches_the_engine),
        in_world(no_two_names_are_taken_for_each_other),
        in_world(a_name_of_a_hundred_thousand_characters_works),
        in_world(a_mark_belongs_to_the_scope_that_it_was_set_in),
        in_world(going_back_undoes_finished_inner_scopes_too),
        in_world(an_unknown_name_a_null_name_and_no_scope_are_misuse),
        in_world(marks_in_a_scope_that_joined_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
