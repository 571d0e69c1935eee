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

static int throw_in_item(belay_session *s, size_t i, void *)
{
    put(s, static_cast<int>(i) + 1);
    if (i == 2)
        throw std::runtime_error("from an item");
    return 0;
}

static void an_exception_through_a_batch_abandons_it_and_cannot_be_caught_as_one_items(void **state)
{
    world *w = static_cast<world *>(*state);
    bool caught = false;
    std::string what;
    BELAY_ATOMIC(w->s) {
        put(w->s, 10);
        try {
            belay_batch(w->s, 5, throw_in_item, nullptr, nullptr);
        } catch (const std::exception &e) {
            what = e.what();
            caught = belay_catch(w->s, BELAY_ABANDONED);
        }
    }
    assert_string_equal(what.c_str(), "from an item");
    assert_false(caught);
    assert_status(w->s, BELAY_ABANDONED);
    assert_stored(w, "");
    assert_int_equal(belay_depth(w->s), 0);
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
        in_world(an_exception_through_a_batch_abandons_it_and_cannot_be_caught_as_one_items),
        in_world(pthread_exit_through_a_block_in_cpp_rolls_it_back),
        in_world(pthread_exit_through_a_callback_rolls_its_scope_back),
        in_world(overloads_stand_in_for_the_macros),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
