/*
 * Named marks, step by step as in the regression tests of PostgreSQL and SQLite. tests/semantics/map.txt tells which
 * case is proved where.
 */
#include "support.h"

/* A step: '+' puts row `id`; 's', 'b' and 'r' set, go back to and release the mark `name`. Then `seen` is what is
 * there. */
typedef struct step {
    char what;
    int id;
    const char *name;
    const char *seen; /* NULL: not looked at */
} step;

static belay_code take(belay_session *s, const step *one)
{
    switch (one->what) {
    case '+':
        return put(s, one->id);
    case 's':
        return belay_savepoint(s, one->name);
    case 'b':
        return belay_rollback_to(s, one->name);
    default:
        return belay_release(s, one->name);
    }
}

static void walk(belay_session *s, const step *steps, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (take(s, &steps[i]) != BELAY_OK)
            fail_msg("step %zu: %s", i, belay_message(s));
        if (steps[i].seen)
            assert_seen(s, steps[i].seen);
    }
}

#define walk_along(s, steps) walk(s, steps, sizeof(steps) / sizeof(steps)[0])

/* ---- What is kept ---------------------------------------------------------------------------------------------- */

static void the_end_of_the_scope_keeps_the_work_behind_all_marks_that_are_still_set(void **state)
{
    static const step steps[] = {{'+', 1, "", "1"},   {'s', 0, "a", NULL},         {'+', 2, "", NULL},
                                 {'s', 0, "b", NULL}, {'+', 3, "", NULL},          {'s', 0, "c", NULL},
                                 {'+', 4, "", NULL},  {'s', 0, "d", NULL},         {'+', 5, "", NULL},
                                 {'s', 0, "e", NULL}, {'+', 6, "", "1;2;3;4;5;6"}, {'b', 0, "e", "1;2;3;4;5"}};
    world *w = *state;
    belay_begin(w->s, NULL);
    walk_along(w->s, steps);
    assert_code(belay_commit(w->s), BELAY_OK);
    assert_stored(w, "1;2;3;4;5");
    assert_code(belay_commit(w->s), BELAY_MISUSE);
    assert_stored(w, "1;2;3;4;5");
}

static void a_rollback_takes_the_work_behind_marks_of_every_fate_with_it(void **state)
{
    static const step steps[] = {{'+', 2, "", NULL},           {'s', 0, "a", NULL}, {'+', 3, "", NULL},
                                 {'s', 0, "b", NULL},          {'+', 4, "", NULL},  {'r', 0, "b", NULL},
                                 {'+', 5, "", NULL},           {'s', 0, "c", NULL}, {'+', 6, "", NULL},
                                 {'b', 0, "c", NULL},          {'+', 7, "", NULL},  {'s', 0, "d", NULL},
                                 {'+', 8, "", "1;2;3;4;5;7;8"}};
    world *w = *state;
    put(w->s, 1);
    belay_begin(w->s, NULL);
    walk_along(w->s, steps);
    assert_code(belay_rollback(w->s), BELAY_OK);
    assert_stored(w, "1");
}

static void a_commit_after_an_error_behind_an_open_mark_keeps_nothing(void **state)
{
    world *w = *state;
    belay_begin(w->s, NULL);
    put(w->s, 4);
    belay_savepoint(w->s, "one");
    put(w->s, 5);
    assert_code(belay_exec(w->s, "SELECT no_such_column"), BELAY_SCHEMA);
    assert_code(belay_commit(w->s), BELAY_SCHEMA);
    assert_stored(w, "");
}

/* ---- Going back ------------------------------------------------------------------------------------------------ */

static void a_name_can_be_used_again_after_its_mark_was_gone_back_past(void **state)
{
    static const step steps[] = {{'+', 12, "", NULL},     {'s', 0, "one", NULL},       {'+', 13, "", NULL},
                                 {'s', 0, "two", NULL},   {'+', 14, "", NULL},         {'b', 0, "one", "12"},
                                 {'+', 15, "", NULL},     {'s', 0, "two", NULL},       {'+', 16, "", NULL},
                                 {'s', 0, "three", NULL}, {'+', 17, "", "12;15;16;17"}};
    world *w = *state;
    belay_begin(w->s, NULL);
    walk_along(w->s, steps);
    assert_code(belay_commit(w->s), BELAY_OK);
    assert_stored(w, "12;15;16;17");
}

static void two_marks_are_each_gone_back_to_twice_and_then_all_is_rolled_back(void **state)
{
    static const step steps[] = {
        {'+', 1, "", "1"},       {'s', 0, "one", NULL},  {'+', 2, "", "1;2"},     {'b', 0, "one", "1"},
        {'+', 4, "", "1;4"},     {'b', 0, "one", "1"},   {'+', 7, "", NULL},      {'s', 0, "two", NULL},
        {'+', 10, "", "1;7;10"}, {'b', 0, "two", "1;7"}, {'+', 10, "", "1;7;10"}, {'b', 0, "two", "1;7"},
        {'+', 11, "", "1;7;11"}, {'b', 0, "one", "1"},   {'+', 12, "", "1;12"},   {'b', 0, "one", "1"}};
    world *w = *state;
    belay_begin(w->s, NULL);
    walk_along(w->s, steps);
    assert_code(belay_rollback(w->s), BELAY_OK);
    assert_stored(w, "");
}

static void after_an_engine_that_rolled_back_on_its_own_the_next_unit_and_its_marks_work(void **state)
{
    static const step steps[] = {{'+', 5, "", NULL}, {'s', 0, "one", NULL}, {'+', 6, "", "5;6"}, {'b', 0, "one", "5"}};
    world *w = *state;
    only_on_sqlite(w);
    belay_begin(w->s, NULL);
    put(w->s, 1);
    belay_savepoint(w->s, "one");
    put(w->s, 2);
    belay_savepoint(w->s, "two");
    put(w->s, 3);
    assert_code(belay_exec(w->s, "INSERT OR ROLLBACK INTO taken VALUES (1)"), BELAY_UNIQUE);
    assert_code(belay_rollback_to(w->s, "one"), BELAY_UNIQUE);
    assert_code(put(w->s, 4), BELAY_UNIQUE);
    assert_code(belay_commit(w->s), BELAY_UNIQUE);
    assert_stored(w, "");
    belay_begin(w->s, NULL);
    walk_along(w->s, steps);
    assert_code(belay_commit(w->s), BELAY_OK);
    assert_stored(w, "5");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(the_end_of_the_scope_keeps_the_work_behind_all_marks_that_are_still_set),
        in_world(a_rollback_takes_the_work_behind_marks_of_every_fate_with_it),
        in_world(a_commit_after_an_error_behind_an_open_mark_keeps_nothing),
        in_world(a_name_can_be_used_again_after_its_mark_was_gone_back_past),
        in_world(two_marks_are_each_gone_back_to_twice_and_then_all_is_rolled_back),
        in_world(after_an_engine_that_rolled_back_on_its_own_the_next_unit_and_its_marks_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
