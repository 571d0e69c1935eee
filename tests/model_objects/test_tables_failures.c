/*
 * test_tables_failures.c - every call to the engine fails in turn, and every allocation, while tables are made and
 * compared.
 *
 * Whatever fails: tables that were reported as made are there as their models; where DDL is part of a transaction and
 * it was rolled back, none is; a comparison that could not be finished says so, and tells no difference that is none.
 */
#include "objects.h"

#include <belay/testing.h>
#include <stdio.h>
#include <string.h>

#include "scarce.h"

enum { ALLOCATIONS_AT_MOST = 5000 };

typedef struct run {
    bool all_or_none;       /* DDL is part of a transaction */
    const char *drop_order; /* "order" is in quotes, and each engine has its own */
    belay_code made, checked;
    belay_outcome outcome;
    int told;
} run;

static void count_difference(void *arg, const belay_difference *d)
{
    int *count = arg;
    (void)d;
    ++*count;
}

static void drop_tables(belay_session *s, const run *r)
{
    belay_exec(s, "DROP TABLE IF EXISTS line");
    belay_exec(s, "DROP TABLE IF EXISTS part");
    belay_exec_values(s, r->drop_order, 0, NULL);
}

static void run_all(belay_session *s, run *r)
{
    *r = (run){.all_or_none = r->all_or_none, .drop_order = r->drop_order};
    r->made = belay_create_tables(s, line, part, order);
    r->outcome = belay_pending(s)->outcome;
    if (r->made == BELAY_OK)
        r->checked = belay_check_tables(s, count_difference, &r->told, line, part, order);
}

/* Whether what is there is what was told. */
static bool is_true(belay_session *s, const run *r)
{
    int missing = 0;
    bool there = belay_check_tables(s, count_difference, &missing, line, part, order) == BELAY_OK;
    belay_ignore(s, BELAY_ANY);
    if (r->made == BELAY_OK)
        return there && r->told == 0 && r->checked != BELAY_SCHEMA;
    return !r->all_or_none || r->outcome != BELAY_WORK_ROLLED_BACK || missing == 3;
}

static run begin(world *w)
{
    bool mariadb = database_is_mariadb(&w->d);
    return (run){.all_or_none = !mariadb,
                 .drop_order = mariadb ? "DROP TABLE IF EXISTS `order`" : "DROP TABLE IF EXISTS \"order\""};
}

/* ---- Every call ------------------------------------------------------------------------------------------------- */

static int rehearsed(belay_session *s, void *arg)
{
    run_all(s, arg);
    return 0;
}

static int check_rehearsal(belay_session *s, const belay_rehearsal *rehearsal, void *arg)
{
    const run *r = arg;
    bool good = is_true(s, r);
    if (!good)
        print_error("call %u (%s) failing with %s%s: made %s, checked %s, %d told\n", rehearsal->call, rehearsal->kind,
                    belay_code_name(rehearsal->code), rehearsal->onwards ? " onwards" : "", belay_code_name(r->made),
                    belay_code_name(r->checked), r->told);
    drop_tables(s, r);
    return !good;
}

static void whatever_call_fails_what_is_said_of_tables_is_true(void **state)
{
    world *w = *state;
    run r = begin(w);
    belay_rehearsal_report report = belay_rehearse(w->d.db, rehearsed, check_rehearsal, &r);
    assert_string_equal(report.error.message, "");
    assert_string_equal(report.first, "");
    assert_true(report.runs > 100);
}

/* ---- Every allocation ------------------------------------------------------------------------------------------- */

/* How many allocations failed: 0 when all that there are were tried. */
static unsigned run_scarce(world *w, run *r, unsigned fail_at, bool onwards)
{
    belay_session *s = belay_session_open(w->d.db);
    scarce_arm(fail_at, onwards);
    run_all(s, r);
    unsigned failed = scarce_failed();
    scarce_disarm();
    belay_session_close(s);
    assert_true(failed > 0 || r->made == BELAY_OK);
    assert_true(r->made != BELAY_SCHEMA && r->made != BELAY_MISUSE);
    assert_true(is_true(w->s, r));
    drop_tables(w->s, r);
    return failed;
}

/* Each allocation in turn, and then none. How many blocks are left. */
static long fail_each(world *w, run *r, bool onwards)
{
    unsigned n = 1;
    while (n < ALLOCATIONS_AT_MOST && run_scarce(w, r, n, onwards) > 0)
        n++;
    assert_true(n > 10 && n < ALLOCATIONS_AT_MOST);
    run_scarce(w, r, ALLOCATIONS_AT_MOST, false);
    return scarce_blocks();
}

static void whatever_allocation_fails_what_is_said_of_tables_is_true(void **state)
{
    world *w = *state;
    run r = begin(w);
    long blocks = fail_each(w, &r, false); /* the connections have their statements now */
    assert_int_equal(fail_each(w, &r, true), blocks);
    assert_int_equal(fail_each(w, &r, false), blocks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(whatever_call_fails_what_is_said_of_tables_is_true),
        in_world(whatever_allocation_fails_what_is_said_of_tables_is_true),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
