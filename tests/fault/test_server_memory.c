/*
 * Memory runs out in a unit on a server: at the first allocation, the second, and
 * so on; once, and from then on. libpq and libmariadb allocate with what they were
 * linked to: theirs don't fail. The engine is that of BELAY_TEST_URL.
 *
 * What was reported is held against what is there; nothing is lost of what was
 * allocated; and the next unit on the same handle works.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <belay/belay.h>

#include "database.h"
#include "scarce.h"

enum { ALLOCATIONS_AT_MOST = 1000, REPORTS_AT_MOST = 5, DEPTH = 10 };

static database d; /* its session looks from outside */

static int set_up(void **state)
{
    static const char *const tables[] = {"CREATE TABLE item (id INTEGER PRIMARY KEY, note VARCHAR(2000))", NULL};
    (void)state;
    database_open(&d, NULL);
    database_run(d.s, tables);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return database_close(&d) != BELAY_OK;
}

/* Deep, with long and short values, and statements of each kind: each has memory of its own. */
static void work(belay_session *s, int depth, const char *note)
{
    belay_exec(s, "INSERT INTO item VALUES (?, ?)", depth, note);
    BELAY_ATOMIC(s) {
        belay_savepoint(s, "mark");
        BELAY_EACH(row, s, "SELECT id, note FROM item WHERE id <= ? ORDER BY id", depth)
            belay_str(row, 1);
        belay_try(s, "INSERT INTO item VALUES (?, 'again')", depth);
        if (depth < DEPTH)
            work(s, depth + 1, note);
    }
}

static belay_error run_unit(belay_session *s)
{
    char note[1500];
    memset(note, 'x', sizeof note);
    note[sizeof note - 1] = '\0';
    BELAY_ATOMIC(s)
        work(s, 1, note);
    return *belay_pending(s);
}

/* Runs a handle's whole life with one allocation failing; true when one did. What is wrong is said. */
static bool run_point(unsigned fail_at, bool onwards, int *reports)
{
    const char *wrong = NULL;
    database_run(d.s, (const char *const[]){"DELETE FROM item", NULL});
    long before = scarce_blocks();
    scarce_arm(fail_at, onwards);
    belay_db *db = belay_open(d.url, BELAY_DB_OPTIONS(.statement_cache = 3));
    belay_session *s = belay_session_open(db);
    belay_error ended = run_unit(s);
    scarce_disarm();
    bool met = scarce_failed() > 0;
    bool there = strcmp(rows_of(d.s, "SELECT count(*) FROM item"), "10") == 0;
    bool none = strcmp(rows_of(d.s, "SELECT count(*) FROM item"), "0") == 0;
    if (!there && !none)
        wrong = "the unit is torn";
    else if (s && (ended.code == BELAY_OK) != there)
        wrong = "what is there is not what was reported";
    else if (!met && ended.code != BELAY_OK)
        wrong = "it failed without a reason";
    database_run(d.s, (const char *const[]){"DELETE FROM item", NULL});
    if (!wrong && s && belay_db_engine(db)[0] && run_unit(s).code != BELAY_OK)
        wrong = "the next unit failed";
    belay_session_close(s);
    belay_close(db);
    if (!wrong && scarce_blocks() != before)
        wrong = "memory was lost";
    if (wrong && ++*reports <= REPORTS_AT_MOST)
        print_error("allocation %u%s: %s: %s %s (%ld blocks)\n", fail_at, onwards ? " and all after it" : "", wrong,
                    belay_code_name(ended.code), ended.message, scarce_blocks() - before);
    return met;
}

static void memory_that_runs_out_tears_and_loses_nothing(void **state)
{
    int reports = 0;
    (void)state;
    rows_of(d.s, "SELECT count(*) FROM item"); /* the session that looks on keeps its statements */
    database_run(d.s, (const char *const[]){"DELETE FROM item", NULL});
    for (int onwards = 0; onwards < 2; onwards++) {
        unsigned fail_at = 1;
        while (fail_at < ALLOCATIONS_AT_MOST && run_point(fail_at, onwards, &reports))
            fail_at++;
        assert_in_range(fail_at, 20, ALLOCATIONS_AT_MOST - 1);
    }
    assert_int_equal(reports, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(memory_that_runs_out_tears_and_loses_nothing, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
