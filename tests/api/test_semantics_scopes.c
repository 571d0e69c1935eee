/*
 * Scopes inside scopes, as the tests of Django, SQLAlchemy, Sequel, psycopg and PostgreSQL ask for them: the cases that
 * the other files here leave open. tests/semantics/map.txt tells which case is proved where.
 */
#include "support.h"

#include <stdio.h>
#include <string.h>

#define JOIN .propagation = BELAY_REQUIRED

/* ---- One level deeper ------------------------------------------------------------------------------------------ */

static void commit(belay_session *s)
{
    BELAY_ATOMIC(s)
        put(s, 1);
}

static void fail_alone(belay_session *s)
{
    BELAY_ATOMIC(s) {
        put(s, 1);
        clash(s);
    }
}

static void commit_both(belay_session *s)
{
    BELAY_ATOMIC(s) {
        put(s, 1);
        BELAY_ATOMIC(s)
            put(s, 2);
    }
}

static void fail_inside(belay_session *s)
{
    BELAY_ATOMIC(s) {
        put(s, 1);
        BELAY_ATOMIC(s) {
            put(s, 2);
            clash(s);
        }
        belay_ignore(s, BELAY_ANY);
    }
}

static void fail_outside(belay_session *s)
{
    BELAY_ATOMIC(s) {
        put(s, 1);
        BELAY_ATOMIC(s)
            put(s, 2);
        clash(s);
    }
}

static void fail_both(belay_session *s)
{
    BELAY_ATOMIC(s) {
        put(s, 1);
        BELAY_ATOMIC(s) {
            put(s, 2);
            clash(s);
        }
        belay_ignore(s, BELAY_ANY);
        belay_fail(s, BELAY_APPLICATION, "and outside too");
    }
}

static void fail_joined(belay_session *s)
{
    BELAY_ATOMIC(s) {
        put(s, 1);
        BELAY_ATOMIC_WITH(s, JOIN) {
            put(s, 2);
            clash(s);
        }
        belay_ignore(s, BELAY_ANY);
    }
}

static void commit_joined(belay_session *s)
{
    BELAY_ATOMIC(s) {
        put(s, 1);
        BELAY_ATOMIC_WITH(s, JOIN)
            put(s, 2);
    }
}

static void call_off(belay_session *s)
{
    BELAY_ATOMIC(s) {
        put(s, 1);
        belay_undo(s);
    }
}

static int return_one(belay_session *s, void *arg)
{
    (void)arg;
    put(s, 1);
    return 1;
}

static void fail_callback(belay_session *s)
{
    belay_atomic(s, NULL, return_one, NULL);
}

typedef struct shape {
    void (*run)(belay_session *);
    belay_code code; /* that it ends with */
    const char *kept;
} shape;

static const shape shapes[] = {
    {commit, BELAY_OK, "1"},           {fail_alone, BELAY_UNIQUE, ""},
    {commit_both, BELAY_OK, "1;2"},    {fail_inside, BELAY_OK, "1"},
    {fail_outside, BELAY_UNIQUE, ""},  {fail_both, BELAY_APPLICATION, ""},
    {fail_joined, BELAY_UNIQUE, ""},   {commit_joined, BELAY_OK, "1;2"},
    {call_off, BELAY_ROLLED_BACK, ""}, {fail_callback, BELAY_APPLICATION, ""},
};

static void what_is_kept_outermost_is_kept_one_level_deeper_too(void **state)
{
    world *w = *state;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        shapes[i].run(w->s);
        assert_status(w->s, shapes[i].code);
        assert_stored(w, shapes[i].kept);
        belay_exec(w->s, "DELETE FROM item");

        belay_begin(w->s, NULL);
        shapes[i].run(w->s);
        belay_code inside = belay_status(w->s);
        belay_ignore(w->s, BELAY_ANY);
        assert_seen(w->s, shapes[i].kept);
        assert_stored(w, "");
        assert_code(belay_commit(w->s), BELAY_OK);
        assert_code(inside, shapes[i].code == BELAY_ROLLED_BACK ? BELAY_OK : shapes[i].code);
        assert_stored(w, shapes[i].kept);
        belay_exec(w->s, "DELETE FROM item");
    }
}

static void one_options_object_serves_an_outer_and_an_inner_scope_whatever_becomes_of_them(void **state)
{
    static const char *const kept[] = {"1;2", "1", "", ""}; /* none fails, the inner, the outer, both */
    world *w = *state;
    const belay_scope_options *options = BELAY_SCOPE_OPTIONS(.name = "shared");
    for (int i = 0; i < 4; i++) {
        belay_begin(w->s, options);
        put(w->s, 1);
        belay_begin(w->s, options);
        put(w->s, 2);
        if (i & 1)
            clash(w->s);
        assert_code(belay_commit(w->s), i & 1 ? BELAY_UNIQUE : BELAY_OK);
        belay_ignore(w->s, BELAY_UNIQUE);
        if (i & 2)
            clash(w->s);
        assert_code(belay_commit(w->s), i & 2 ? BELAY_UNIQUE : BELAY_OK);
        assert_stored(w, kept[i]);
        belay_exec(w->s, "DELETE FROM item");
    }
}

/* ---- Joined scopes --------------------------------------------------------------------------------------------- */

static void a_failure_in_a_joined_scope_is_told_and_not_one_that_came_after_it(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        BELAY_ATOMIC_WITH(w->s, JOIN) {
            put(w->s, 2);
            clash(w->s);
        }
        belay_ignore(w->s, BELAY_ANY);
        belay_fail(w->s, BELAY_APPLICATION, "later");
    }
    assert_status(w->s, BELAY_UNIQUE);
    assert_stored(w, "");
}

static void a_joined_failure_dooms_every_scope_up_to_the_next_real_one(void **state)
{
    world *w = *state;
    belay_begin(w->s, NULL);
    put(w->s, 1);
    belay_begin(w->s, BELAY_SCOPE_OPTIONS(JOIN));
    put(w->s, 2);
    belay_begin(w->s, BELAY_SCOPE_OPTIONS(JOIN));
    put(w->s, 3);
    clash(w->s);
    for (int level = 0; level < 2; level++) {
        assert_code(belay_commit(w->s), BELAY_UNIQUE);
        assert_false(belay_catch(w->s, BELAY_ANY));
        assert_code(belay_status(w->s), BELAY_UNIQUE);
        assert_code(put(w->s, 4), BELAY_UNIQUE);
    }
    assert_code(belay_commit(w->s), BELAY_UNIQUE);
    assert_stored(w, "");
    assert_code(put(w->s, 5), BELAY_OK); /* the next unit knows nothing of it */
}

static void a_mark_from_before_a_joined_failure_can_be_gone_back_to(void **state)
{
    world *w = *state;
    belay_begin(w->s, NULL);
    put(w->s, 1);
    belay_savepoint(w->s, "before");
    BELAY_ATOMIC_WITH(w->s, JOIN) {
        put(w->s, 2);
        clash(w->s);
    }
    assert_false(belay_catch(w->s, BELAY_ANY));
    assert_code(belay_rollback_to(w->s, "before"), BELAY_OK);
    assert_code(belay_commit(w->s), BELAY_OK);
    assert_stored(w, "1");
}

/* ---- Explicit calls -------------------------------------------------------------------------------------------- */

static void depth_and_transaction_are_told_rightly_at_every_point(void **state)
{
    world *w = *state;
    static const struct {
        char call;
        int depth;
    } points[] = {{'b', 1}, {'b', 2}, {'b', 3}, {'r', 2}, {'c', 1}, {'b', 2}, {'b', 3}, {'c', 2}, {'r', 1}, {'c', 0}};
    for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
        belay_code code = points[i].call == 'b'   ? belay_begin(w->s, NULL)
                          : points[i].call == 'c' ? belay_commit(w->s)
                                                  : belay_rollback(w->s);
        assert_code(code, BELAY_OK);
        assert_int_equal(belay_depth(w->s), points[i].depth);
        assert_int_equal(belay_in_transaction(w->s), points[i].depth > 0);
        assert_int_equal(belay_attempt(w->s), points[i].depth > 0);
        if (points[i].call == 'b')
            put(w->s, (int)i);
        assert_stored(w, points[i].depth > 0 ? "" : "0;1"); /* only the outermost end is an end of the transaction */
    }
}

static void a_second_rollback_ends_the_scope_around_the_first(void **state)
{
    world *w = *state;
    belay_begin(w->s, NULL);
    put(w->s, 1);
    belay_begin(w->s, NULL);
    put(w->s, 2);
    assert_code(belay_rollback(w->s), BELAY_OK);
    assert_int_equal(belay_depth(w->s), 1);
    assert_seen(w->s, "1");
    assert_code(belay_rollback(w->s), BELAY_OK); /* a scope has no handle: this is the outer one's */
    assert_int_equal(belay_depth(w->s), 0);
    assert_code(belay_rollback(w->s), BELAY_MISUSE);
    assert_stored(w, "");
}

static void after_an_error_and_a_rollback_the_next_query_works(void **state)
{
    world *w = *state;
    put(w->s, 1);
    belay_begin(w->s, NULL);
    assert_code(put(w->s, 1), BELAY_UNIQUE);
    assert_code(belay_rollback(w->s), BELAY_UNIQUE);
    assert_seen(w->s, "1");
    assert_status(w->s, BELAY_OK);
}

static void a_statement_is_its_own_transaction_before_and_after_a_scope_and_none_in_it(void **state)
{
    world *w = *state;
    put(w->s, 1);
    assert_stored(w, "1");
    belay_begin(w->s, NULL);
    put(w->s, 2);
    assert_stored(w, "1");
    belay_commit(w->s);
    put(w->s, 3);
    assert_stored(w, "1;2;3");
}

/* ---- Calls on a block's own scope ------------------------------------------------------------------------------ */

enum { ENDINGS = 3, CALLS = 8 };

static void end_early(belay_session *s, int way)
{
    if (way == 0)
        belay_commit(s);
    else if (way == 1)
        belay_rollback(s);
    else
        belay_undo(s);
}

/* True when the call did what it is for. */
static bool call_works(belay_session *s, int which)
{
    bool worked = false;
    switch (which) {
    case 0:
        return put(s, 2) == BELAY_OK;
    case 1:
        return belay_exec(s, "UPDATE item SET note = 'x'") == BELAY_OK;
    case 2:
        return belay_exec(s, "DELETE FROM item") == BELAY_OK;
    case 3:
        return belay_try(s, "INSERT INTO item(id) VALUES (3)") == BELAY_OK;
    case 4:
        return belay_int_of(s, "SELECT 1") == 1;
    case 5:
        return belay_savepoint(s, "mark") == BELAY_OK;
    case 6:
        worked = belay_begin(s, NULL) == BELAY_OK;
        belay_rollback(s);
        return worked;
    default:
        BELAY_ATOMIC(s)
            worked = true;
        return worked;
    }
}

static void after_a_commit_a_rollback_or_an_undo_in_a_block_every_call_is_refused_until_its_end(void **state)
{
    world *w = *state;
    for (int way = 0; way < ENDINGS; way++)
        for (int which = 0; which < CALLS; which++) {
            bool before = false, after = true;
            BELAY_ATOMIC(w->s) {
                put(w->s, 1);
                before = call_works(w->s, which);
                end_early(w->s, way);
                after = call_works(w->s, which);
            }
            if (!before || after)
                fail_msg("ending %d, call %d: %s", way, which, before ? "worked after it" : "didn't work before it");
            assert_status(w->s, way == 2 ? BELAY_ROLLED_BACK : BELAY_MISUSE);
            assert_stored(w, "");
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(what_is_kept_outermost_is_kept_one_level_deeper_too),
        in_world(one_options_object_serves_an_outer_and_an_inner_scope_whatever_becomes_of_them),
        in_world(a_failure_in_a_joined_scope_is_told_and_not_one_that_came_after_it),
        in_world(a_joined_failure_dooms_every_scope_up_to_the_next_real_one),
        in_world(a_mark_from_before_a_joined_failure_can_be_gone_back_to),
        in_world(depth_and_transaction_are_told_rightly_at_every_point),
        in_world(a_second_rollback_ends_the_scope_around_the_first),
        in_world(after_an_error_and_a_rollback_the_next_query_works),
        in_world(a_statement_is_its_own_transaction_before_and_after_a_scope_and_none_in_it),
        in_world(after_a_commit_a_rollback_or_an_undo_in_a_block_every_call_is_refused_until_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
