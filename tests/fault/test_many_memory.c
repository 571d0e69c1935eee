/*
 * Memory runs out while many rows are stored on a server: at the first allocation, the second, and so on; once, and
 * from then on. The clients' libraries allocate with what they were linked to: theirs don't fail. The engine is that of
 * BELAY_TEST_URL.
 *
 * Rows of all kinds, so that every way of the driver is gone: by the target and without one, rows that are refused for
 * what is there, and for what they are. Either all is kept that was not rejected, or nothing is, and the next unit
 * works.
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
#include "many.h"
#include "scarce.h"

enum { ALLOCATIONS_AT_MOST = 1000, REPORTS_AT_MOST = 5, ROWS = 600 };

static const char insert_text[] = "INSERT INTO many_item (id, note, at) VALUES (?, ?, ?)";
static const char *const names[] = {"id", "note", "at"};
static const belay_target target = {"many_item", names};

static database d; /* its session looks from outside */
static belay_value values[ROWS * 3];

static int set_up(void **state)
{
    static const char *const tables[] = {
        "DROP TABLE IF EXISTS many_item",
        "CREATE TABLE many_item (id INTEGER PRIMARY KEY, note VARCHAR(20) NOT NULL, at TIMESTAMP NULL)", NULL};
    (void)state;
    database_open(&d, NULL);
    database_run(d.s, tables);
    for (int i = 0; i < ROWS; i++) {
        values[3 * i] = BELAY_V(i + 1);
        values[3 * i + 1] = BELAY_V("a note");
        values[3 * i + 2] = belay_timestamp(INT64_C(1700000000000000));
    }
    values[3 * 100] = BELAY_V(50);
    values[3 * 200 + 1] = belay_null();
    values[3 * 300 + 1] = BELAY_V("a note of more than twenty letters");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    database_run(d.s, (const char *const[]){"DROP TABLE many_item", NULL});
    return database_close(&d) != BELAY_OK;
}

/* A row may be rejected because there was no memory for it. */
static void count(belay_session *s, size_t row, const belay_error *error, void *arg)
{
    (void)s;
    (void)row;
    (void)error;
    ++*(int *)arg;
}

static belay_error run_unit(belay_session *s, int *out_rejected)
{
    *out_rejected = 0;
    BELAY_ATOMIC(s) {
        int64_t changes;
        belayi_insert insert = {.sql = insert_text,
                                .target = &target,
                                .rows = ROWS / 2 + 10,
                                .columns = 3,
                                .values = values,
                                .on_reject = count,
                                .arg = out_rejected};
        belayi_many_insert(s, &insert, &changes);
        belay_try_many(s, insert_text, ROWS / 2 - 10, 3, values + insert.rows * 3, count, out_rejected, NULL);
    }
    return *belay_pending(s);
}

/* Runs a handle's whole life with one allocation failing; true when one did. What is wrong is said. */
static bool run_point(unsigned fail_at, bool onwards, int *reports)
{
    const char *wrong = NULL;
    database_run(d.s, (const char *const[]){"DELETE FROM many_item", NULL});
    long before = scarce_blocks();
    scarce_arm(fail_at, onwards);
    belay_db *db = belay_open(d.url, NULL);
    belay_session *s = belay_session_open(db);
    int rejected, ignored;
    belay_error ended = run_unit(s, &rejected);
    scarce_disarm();
    bool met = scarce_failed() > 0;
    int64_t stored = belay_int_of(d.s, "SELECT count(*) FROM many_item");
    if (stored != (ended.code == BELAY_OK && s ? ROWS - rejected : 0))
        wrong = "what is there is not what was reported";
    else if (!met && ended.code != BELAY_OK)
        wrong = "it failed without a reason";
    database_run(d.s, (const char *const[]){"DELETE FROM many_item", NULL});
    if (!wrong && s && belay_db_engine(db)[0] && run_unit(s, &ignored).code != BELAY_OK)
        wrong = "the next unit failed";
    belay_session_close(s);
    belay_close(db);
    if (!wrong && scarce_blocks() != before)
        wrong = "memory was lost";
    if (wrong && ++*reports <= REPORTS_AT_MOST)
        print_error("allocation %u%s: %s: %s %s (%ld blocks, %ld rows)\n", fail_at, onwards ? " and all after it" : "",
                    wrong, belay_code_name(ended.code), ended.message, scarce_blocks() - before, (long)stored);
    return met;
}

static void memory_that_runs_out_keeps_all_good_rows_or_none(void **state)
{
    int reports = 0;
    (void)state;
    belay_int_of(d.s, "SELECT count(*) FROM many_item"); /* the session that looks on keeps its statements */
    database_run(d.s, (const char *const[]){"DELETE FROM many_item", NULL});
    for (int onwards = 0; onwards < 2; onwards++) {
        unsigned fail_at = 1;
        while (fail_at < ALLOCATIONS_AT_MOST && run_point(fail_at, onwards, &reports))
            fail_at++;
        assert_in_range(fail_at, 10, ALLOCATIONS_AT_MOST - 1);
    }
    assert_int_equal(reports, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(memory_that_runs_out_keeps_all_good_rows_or_none, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
