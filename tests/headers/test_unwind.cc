/*
 * Blocks, callbacks and rows that a C++ exception or the end of a thread passes
 * through.
 */
#include <belay/belay.h>

extern "C" {
#include "support.h"
}

#include <pthread.h>

#include <stdexcept>
#include <string>

/* ---- Exceptions --------------------------------------------------------------------------------------------- */

static void throw_inside(belay_session *s, int depth)
{
    BELAY_ATOMIC(s) {
        put(s, depth);
        if (depth == 1)
            throw std::runtime_error("from inside");
        throw_inside(s, depth - 1);
    }
}

static void an_exception_through_a_block_rolls_it_back(void **state)
{
    world *w = static_cast<world *>(*state);
    for (int depth = 1; depth <= 3; depth++) {
        std::string what;
        try {
            throw_inside(w->s, depth);
        } catch (const std::exception &e) {
            what = e.what();
        }
        assert_string_equal(what.c_str(), "from inside");
        assert_int_equal(belay_depth(w->s), 0);
        assert_code(belay_pending(w->s)->code, BELAY_ABANDONED);
        assert_string_equal(belay_pending(w->s)->function, "throw_inside");
        assert_stored(w, "");
    }
    assert_code(put(w->s, 9), BELAY_OK);
}

static void an_exception_caught_inside_the_outer_block_leaves_that_one_working(void **state)
{
    world *w = static_cast<world *>(*state);
    BELAY_ATOMIC(w->s) {
        put(w->s, 10);
        try {
            throw_inside(w->s, 2);
        } catch (const std::exception &) {
            assert_true(belay_catch(w->s, BELAY_ABANDONED));
        }
        put(w->s, 11);
    }
    assert_status(w->s, BELAY_OK);
    assert_stored(w, "10;11");
}

static void an_exception_caught_inside_the_block_does_not_concern_it(void **state)
{
    world *w = static_cast<world *>(*state);
    BELAY_ATOMIC(w->s) {
        try {
            put(w->s, 1);
            throw 5;
        } catch (int) {
            put(w->s, 2);
        }
    }
    assert_status(w->s, BELAY_OK);
    assert_stored(w, "1;2");
}

static void an_exception_through_rows_closes_them(void **state)
{
    world *w = static_cast<world *>(*state);
    for (int i = 0; i < 3; i++) {
        try {
            BELAY_EACH(row, w->s, "SELECT id FROM taken")
                throw belay_int(row, 0);
            fail();
        } catch (int64_t id) {
            assert_int_equal(id, 1);
        }
    }
    assert_status(w->s, BELAY_OK);
}

extern "C" {

static int throw_from_unit(belay_session *s, void *)
{
    put(s, 1);
    throw std::runtime_error("from the unit");
}

static int throw_from_hook(belay_session *, void *)
{
    throw std::runtime_error("from the hook");
}

static int do_nothing(belay_session *, void *)
{
    return 0;
}

static void count(void *arg)
{
    ++*static_cast<int *>(arg);
}
}

static void an_exception_through_a_callback_rolls_its_scope_back(void **state)
{
    world *w = static_cast<world *>(*state);
    bool caught = false;
    try {
        belay_atomic(w->s, nullptr, throw_from_unit, nullptr);
    } catch (const std::exception &) {
        caught = true;
    }
    assert_true(caught);
    assert_int_equal(belay_depth(w->s), 0);
    assert_code(belay_status(w->s), BELAY_ABANDONED);
    assert_stored(w, "");
    assert_code(put(w->s, 2), BELAY_OK);
}

static void an_exception_through_a_nested_callback_rolls_its_scope_back_only(void **state)
{
    world *w = static_cast<world *>(*state);
    BELAY_ATOMIC(w->s) {
        put(w->s, 5);
        try {
            belay_atomic(w->s, nullptr, throw_from_unit, nullptr);
        } catch (const std::exception &) {
            assert_true(belay_catch(w->s, BELAY_ABANDONED));
        }
        assert_int_equal(belay_depth(w->s), 1);
    }
    assert_status(w->s, BELAY_OK);
    assert_stored(w, "5");
}

/* Registers one hook that works, one that throws, one that works; all three arguments are counted when they are freed.
 */
static void register_three(belay_session *s, decltype(&belay_on_commit) add, int *freed)
{
    add(s, do_nothing, freed, count);
    add(s, throw_from_hook, freed, count);
    add(s, do_nothing, freed, count);
}

template <typename Function> static bool throws(Function function)
{
    try {
        function();
    } catch (const std::exception &) {
        return true;
    }
    return false;
}

static void an_exception_out_of_a_hook_after_the_commit_changes_nothing_of_it(void **state)
{
    world *w = static_cast<world *>(*state);
    int freed = 0;
    belay_begin(w->s, nullptr);
    put(w->s, 1);
    register_three(w->s, belay_on_commit, &freed);
    assert_true(throws([&] { belay_commit(w->s); }));
    assert_int_equal(belay_depth(w->s), 0);
    assert_status(w->s, BELAY_OK);
    assert_stored(w, "1");
    assert_code(put(w->s, 2), BELAY_OK);
    assert_int_equal(freed, 3); /* each argument exactly once */
    int at_once = 0;
    belay_on_commit(w->s, do_nothing, &at_once, count);
    assert_int_equal(at_once, 1);
}

static void an_exception_out_of_a_hook_after_a_rollback_does_not_hide_the_failure(void **state)
{
    world *w = static_cast<world *>(*state);
    int freed = 0;
    assert_true(throws([&] {
        BELAY_ATOMIC(w->s) {
            put(w->s, 1);
            register_three(w->s, belay_on_rollback, &freed);
            clash(w->s);
        }
    }));
    assert_int_equal(belay_depth(w->s), 0);
    assert_status(w->s, BELAY_UNIQUE);
    assert_stored(w, "");
    assert_code(put(w->s, 2), BELAY_OK);
    assert_int_equal(freed, 3);
}

extern "C" {

/* The number of the step that went wrong. */
static int throw_before_commit(void *url)
{
    int freed = 0;
    belay_db *db = belay_open(static_cast<const char *>(url), nullptr);
    belay_session *s = belay_session_open(db);
    bool thrown = throws([&] {
        BELAY_ATOMIC(s) {
            put(s, 1);
            register_three(s, belay_before_commit, &freed);
        }
    });
    if (!thrown || belay_depth(s) != 0 || belay_status(s) == BELAY_OK)
        return 1;
    if (freed != 3 || belay_int_of(s, "SELECT count(*) FROM item") != 0 || put(s, 2) != BELAY_OK)
        return 2;
    belay_session_close(s);
    belay_close(db);
    return freed == 3 ? 0 : 3;
}

static int throw_in_inner_scope(void *url)
{
    int freed = 0;
    belay_db *db = belay_open(static_cast<const char *>(url), nullptr);
    belay_session *s = belay_session_open(db);
    belay_begin(s, nullptr);
    put(s, 1);
    belay_begin(s, nullptr);
    put(s, 2);
    register_three(s, belay_on_rollback, &freed);
    if (!throws([&] { belay_rollback(s); }))
        return 1;
    for (int i = 0; i < 2 && belay_depth(s) > 0; i++)
        belay_rollback(s);
    if (belay_depth(s) != 0 || belay_int_of(s, "SELECT count(*) FROM item") != 0 || put(s, 3) != BELAY_OK)
        return 2;
    belay_session_close(s);
    belay_close(db);
    return freed == 3 ? 0 : 3;
}
}

static void an_exception_out_of_a_hook_before_the_commit_rolls_back(void **state)
{
    world *w = static_cast<world *>(*state);
    assert_int_equal(run_in_child(throw_before_commit, w->d.url), 0);
}

static void an_exception_out_of_a_hook_of_an_inner_scope_leaves_the_outer_one_to_be_ended(void **state)
{
    world *w = static_cast<world *>(*state);
    assert_int_equal(run_in_child(throw_in_inner_scope, w->d.url), 0);
}

/* ---- Threads ---------------------------------------------------------------------------------------------------- */

extern "C" {

static void *exit_inside(void *arg)
{
    belay_session *s = static_cast<belay_session *>(arg);
    BELAY_ATOMIC(s) {
        put(s, 1);
        BELAY_ATOMIC(s) {
            put(s, 2);
            pthread_exit(nullptr);
        }
    }
    return nullptr;
}

static int exit_from_unit(belay_session *s, void *)
{
    put(s, 1);
    pthread_exit(nullptr);
}

static void *exit_inside_unit(void *arg)
{
    belay_atomic(static_cast<belay_session *>(arg), nullptr, exit_from_unit, nullptr);
    return nullptr;
}
}

static void run_thread(void *(*function)(void *), belay_session *s)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, nullptr, function, s), 0);
    pthread_join(thread, nullptr);
}

static void pthread_exit_through_a_block_in_cpp_rolls_it_back(void **state)
{
    world *w = static_cast<world *>(*state);
    run_thread(exit_inside, w->s);
    assert_int_equal(belay_depth(w->s), 0);
    assert_status(w->s, BELAY_ABANDONED);
    assert_stored(w, "");
    assert_code(put(w->other, 3), BELAY_OK); /* the lock is free */
}

static void pthread_exit_through_a_callback_rolls_its_scope_back(void **state)
{
    world *w = static_cast<world *>(*state);
    run_thread(exit_inside_unit, w->s);
    assert_int_equal(belay_depth(w->s), 0);
    assert_status(w->s, BELAY_ABANDONED);
    assert_stored(w, "");
    assert_code(put(w->other, 3), BELAY_OK);
}

/* ---- Values --------------------------------------------------------------------------------------------------------
 */

static void overloads_stand_in_for_the_macros(void **state)
{
    world *w = static_cast<world *>(*state);
    assert_code(belay_exec(w->s, "INSERT INTO item VALUES (?, ?)", 1, "one"), BELAY_OK);
    assert_code(belay_exec(w->s, "INSERT INTO item VALUES (?, ?)", 2L, std::string("two").c_str()), BELAY_OK);
    assert_code(belay_exec(w->s, "INSERT INTO item VALUES (?, ?)", static_cast<char>(3), belay_null()), BELAY_OK);
    assert_code(belay_exec(w->s, "INSERT INTO item VALUES (?, ?)", 4ULL, 1.5), BELAY_OK);
    assert_code(belay_exec(w->s, "INSERT INTO item VALUES (?, ?)", 5), BELAY_MISUSE);
    assert_int_equal(belay_int_of(w->s, "SELECT count(*) FROM item WHERE id > ?", static_cast<short>(1)), 3);
    assert_rows(w->other, "SELECT id, note FROM item", "1|one;2|two;3|NULL;4|1.5");
    assert_int_equal(belay_int_of(w->s, "SELECT typeof(?) = 'integer'", true), 1);
}

int main()
{
    const struct CMUnitTest tests[] = {
        in_world(an_exception_through_a_block_rolls_it_back),
        in_world(an_exception_caught_inside_the_outer_block_leaves_that_one_working),
        in_world(an_exception_caught_inside_the_block_does_not_concern_it),
        in_world(an_exception_through_rows_closes_them),
        in_world(an_exception_through_a_callback_rolls_its_scope_back),
        in_world(an_exception_through_a_nested_callback_rolls_its_scope_back_only),
        in_world(an_exception_out_of_a_hook_after_the_commit_changes_nothing_of_it),
        in_world(an_exception_out_of_a_hook_after_a_rollback_does_not_hide_the_failure),
        in_world(an_exception_out_of_a_hook_before_the_commit_rolls_back),
        in_world(an_exception_out_of_a_hook_of_an_inner_scope_leaves_the_outer_one_to_be_ended),
        in_world(pthread_exit_through_a_block_in_cpp_rolls_it_back),
        in_world(pthread_exit_through_a_callback_rolls_its_scope_back),
        in_world(overloads_stand_in_for_the_macros),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
