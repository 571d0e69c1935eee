/*
 * test_deep_nesting.c - 1, 64, 65, 1,000 and 10,000 scopes, with and without a write, however they end, also on a
 * small stack.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <limits.h>
#include <pthread.h>
#include <stdio.h>

#include "database.h"

static const int depths[] = {1, 64, 65, 1000, 10000};
enum { DEPTHS = sizeof depths / sizeof *depths, BLOCKS_AT_MOST = 1000 };

static int open_levels(void **state)
{
    static database d;
    static const char *const tables[] = {
        "DROP TABLE IF EXISTS level",
        "CREATE TABLE level (depth INTEGER PRIMARY KEY)",
        NULL,
    };
    database_open(&d, NULL);
    database_run(d.s, tables);
    *state = &d;
    return 0;
}

static int close_levels(void **state)
{
    return database_close(*state) == BELAY_OK ? 0 : -1;
}

/*
 * What is undone costs SQLite time in proportion to the savepoints that lie beneath it: where levels are undone one by
 * one, only some of the deepest ones write.
 */
static int spread(int depth)
{
    return depth > 1000 ? 50 : 1;
}

/* Opens `depth` scopes; every `every`-th writes a row, none with 0. What went wrong is in the status. */
static void descend(belay_session *s, int depth, int every)
{
    for (int i = 1; i <= depth; i++) {
        belay_begin(s, NULL);
        if (every > 0 && i % every == 0)
            belay_exec(s, "INSERT INTO level (depth) VALUES (?)", i);
    }
}

/* Ends them from the innermost on. The last code. */
static belay_code ascend(belay_session *s, int depth)
{
    belay_code code = BELAY_OK;
    for (int i = 0; i < depth; i++)
        code = belay_commit(s);
    return code;
}

static void expect_count(database *d, int64_t expected)
{
    assert_int_equal(belay_int_of(d->s, "SELECT count(*) FROM level"), expected);
    assert_int_equal(belay_exec(d->s, "DELETE FROM level"), BELAY_OK);
}

/* ---- Inside out ------------------------------------------------------------------------------------------------- */

static void scopes_without_a_statement_open_and_end_at_every_depth(void **state)
{
    database *d = *state;
    for (int i = 0; i < DEPTHS; i++) {
        descend(d->s, depths[i], 0);
        assert_int_equal(belay_depth(d->s), depths[i]);
        assert_int_equal(ascend(d->s, depths[i]), BELAY_OK);
        assert_int_equal(belay_depth(d->s), 0);
    }
    expect_count(d, 0);
}

static void every_level_keeps_its_write(void **state)
{
    database *d = *state;
    for (int i = 0; i < DEPTHS; i++) {
        descend(d->s, depths[i], 1);
        assert_int_equal(belay_depth(d->s), depths[i]);
        assert_status(d->s, BELAY_OK);
        assert_int_equal(ascend(d->s, depths[i]), BELAY_OK);
        expect_count(d, depths[i]);
    }
}

static void a_write_at_the_innermost_level_only_is_kept(void **state)
{
    database *d = *state;
    for (int i = 0; i < DEPTHS; i++) {
        descend(d->s, depths[i], depths[i]);
        assert_int_equal(ascend(d->s, depths[i]), BELAY_OK);
        expect_count(d, 1);
    }
}

static void each_level_can_be_undone_alone(void **state)
{
    database *d = *state;
    for (int i = 0; i < DEPTHS; i++) {
        int every = spread(depths[i]);
        descend(d->s, depths[i], every);
        for (int level = depths[i]; level > every; level--)
            assert_int_equal(belay_rollback(d->s), BELAY_OK);
        assert_int_equal(ascend(d->s, every), BELAY_OK);
        expect_count(d, 1);
    }
}

static void an_error_at_the_innermost_level_travels_to_the_outermost(void **state)
{
    database *d = *state;
    for (int i = 0; i < DEPTHS; i++) {
        descend(d->s, depths[i], spread(depths[i]));
        int taken = spread(depths[i]);
        assert_int_equal(belay_exec(d->s, "INSERT INTO level (depth) VALUES (?)", taken), BELAY_UNIQUE);
        for (int level = depths[i]; level > 0; level--)
            assert_int_equal(belay_commit(d->s), BELAY_UNIQUE);
        assert_int_equal(belay_depth(d->s), 0);
        assert_int_equal(belay_pending(d->s)->outcome, BELAY_WORK_ROLLED_BACK);
        expect_count(d, 0);
    }
}

/* ---- All at once ------------------------------------------------------------------------------------------------ */

static void closing_the_session_rolls_all_levels_back(void **state)
{
    database *d = *state;
    for (int i = 0; i < DEPTHS; i++)
        for (int writes = 0; writes <= 1; writes++) {
            belay_session *other = belay_session_open(d->db);
            descend(other, depths[i], writes * spread(depths[i]));
            assert_int_equal(belay_session_close(other), BELAY_ABANDONED);
            expect_count(d, 0);
        }
}

static void a_block_that_ends_around_open_scopes_is_rolled_back_as_misuse(void **state)
{
    database *d = *state;
    for (int i = 0; i < DEPTHS; i++) {
        BELAY_ATOMIC(d->s) {
            descend(d->s, depths[i], spread(depths[i]));
        }
        assert_status(d->s, BELAY_MISUSE);
        assert_int_equal(belay_depth(d->s), 0);
        expect_count(d, 0);
    }
}

static void leaving_a_block_around_open_scopes_rolls_all_back(void **state)
{
    database *d = *state;
    for (int i = 0; i < DEPTHS; i++) {
        BELAY_ATOMIC(d->s) {
            descend(d->s, depths[i], spread(depths[i]));
            break;
        }
        assert_status(d->s, BELAY_ABANDONED);
        assert_int_equal(belay_depth(d->s), 0);
        expect_count(d, 0);
    }
}

/* ---- Blocks ----------------------------------------------------------------------------------------------------- */

static void nest_blocks(belay_session *s, int depth, int deepest)
{
    BELAY_ATOMIC(s) {
        belay_exec(s, "INSERT INTO level (depth) VALUES (?)", depth);
        if (depth < deepest)
            nest_blocks(s, depth + 1, deepest);
    }
}

static void blocks_nest_as_deep_as_calls(void **state)
{
    database *d = *state;
    for (int i = 0; i < DEPTHS && depths[i] <= BLOCKS_AT_MOST; i++) {
        nest_blocks(d->s, 1, depths[i]);
        assert_status(d->s, BELAY_OK);
        expect_count(d, depths[i]);
    }
}

static void a_thousand_marks_can_be_gone_back_to_and_released(void **state)
{
    database *d = *state;
    char name[16];
    int wrong = 0;
    BELAY_ATOMIC(d->s) {
        for (int i = 1; i <= 1000; i++) {
            snprintf(name, sizeof name, "m%d", i);
            wrong += belay_savepoint(d->s, name) != BELAY_OK;
            wrong += belay_exec(d->s, "INSERT INTO level (depth) VALUES (?)", i) != BELAY_OK;
        }
        wrong += belay_rollback_to(d->s, "m501") != BELAY_OK;
        wrong += belay_release(d->s, "m1") != BELAY_OK;
    }
    assert_status(d->s, BELAY_OK);
    assert_int_equal(wrong, 0);
    expect_count(d, 500);
}

/* ---- On a small stack ------------------------------------------------------------------------------------------- */

typedef struct small_run {
    belay_db *db;
    belay_code codes[2 * DEPTHS];
    int64_t counts[2 * DEPTHS];
} small_run;

static void *run_on_small_stack(void *arg)
{
    small_run *run = arg;
    belay_session *s = belay_session_open(run->db);
    for (int i = 0; i < 2 * DEPTHS; i++) {
        descend(s, depths[i / 2], i % 2);
        run->codes[i] = ascend(s, depths[i / 2]);
        run->counts[i] = belay_int_of(s, "SELECT count(*) FROM level");
        belay_exec(s, "DELETE FROM level");
    }
    belay_session_close(s);
    return NULL;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SMALL_STACK = 256 * 1024 }; /* a sanitizer's own needs come on top */
#else
enum { SMALL_STACK = 64 * 1024 };
#endif

static void ten_thousand_scopes_need_no_more_than_a_small_stack(void **state)
{
    database *d = *state;
    small_run run = {.db = d->db};
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    assert_int_equal(pthread_attr_setstacksize(&attributes, SMALL_STACK), 0);
    assert_int_equal(pthread_create(&thread, &attributes, run_on_small_stack, &run), 0);
    pthread_attr_destroy(&attributes);
    assert_int_equal(pthread_join(thread, NULL), 0);
    for (int i = 0; i < 2 * DEPTHS; i++) {
        assert_int_equal(run.codes[i], BELAY_OK);
        assert_int_equal(run.counts[i], i % 2 ? depths[i / 2] : 0);
    }
}

#define levels_test(test) cmocka_unit_test_setup_teardown(test, open_levels, close_levels)

int main(void)
{
    const struct CMUnitTest tests[] = {
        levels_test(scopes_without_a_statement_open_and_end_at_every_depth),
        levels_test(every_level_keeps_its_write),
        levels_test(a_write_at_the_innermost_level_only_is_kept),
        levels_test(each_level_can_be_undone_alone),
        levels_test(an_error_at_the_innermost_level_travels_to_the_outermost),
        levels_test(closing_the_session_rolls_all_levels_back),
        levels_test(a_block_that_ends_around_open_scopes_is_rolled_back_as_misuse),
        levels_test(leaving_a_block_around_open_scopes_rolls_all_back),
        levels_test(blocks_nest_as_deep_as_calls),
        levels_test(a_thousand_marks_can_be_gone_back_to_and_released),
        levels_test(ten_thousand_scopes_need_no_more_than_a_small_stack),
    };
    return cmocka_run_group_tests_name("deep nesting", tests, NULL, NULL);
}
