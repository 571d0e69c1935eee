/*
 * test_cuts.c - the link to a server is cut, at every message of a unit, and in every way.
 *
 * Units commit pairs of rows by way of a proxy: as blocks, nested, with explicit calls, as lone statements, under a
 * key; with retries and without. The link is cut before a message leaves, in its middle, after it, before its answer
 * and in the middle of that; reset, closed, or so that the server does not hear of it. After each cut what was reported
 * is held against what is there: never a wrong answer, never a unit twice, never a half; hooks once for what is
 * committed and never for what is not; nothing left open at the server; and the session works on.
 *
 * On the server of BELAY_TEST_URL.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "cut_units.h"

enum { MESSAGES_MAX = 200, CUTS_MIN = 1000 };

/* Whether there must be a way to know what became of a COMMIT that left without an answer: a key, or the number of the
   transaction, which PostgreSQL can be asked about. A lone statement, or a unit of one flight, has not learned it. */
static bool finds_out(const cut_rig *r, const unit_run *u)
{
    return u->form == UNIT_KEY || (r->postgresql && u->form != UNIT_LONE && u->form != UNIT_PIPELINE);
}

/* Where it can't be found out, a COMMIT that left is never called rolled back, and never run again. Where it can, or
   COMMIT had not left, a unit with retries gets through. */
static void check_answer(const cut_rig *r, const unit_run *u, const proxy_fault *fault)
{
    bool again = u->retries > 0 && u->form != UNIT_EXPLICIT && u->form != UNIT_LONE;
    bool certain = finds_out(r, u) || !u->may_be_at_commit;
    belay_code code = u->error.code;
    if (code != BELAY_OK && code != BELAY_IN_DOUBT && code != BELAY_CONNECTION)
        fail_msg("%s: reported as %s: %s", proxy_describe(fault), belay_code_name(code), u->error.message);
    if (certain && again && code != BELAY_OK)
        fail_msg("%s: the unit was not run again: %s", proxy_describe(fault), u->error.message);
    if (!r->postgresql && !certain && u->saw_commit &&
        ((code != BELAY_OK && code != BELAY_IN_DOUBT) || u->attempts != 1))
        fail_msg("%s: a COMMIT that left is reported as %s after %d attempts: %s", proxy_describe(fault),
                 belay_code_name(code), u->attempts, u->error.message);
}

/* Cuts units at one message after the other until one is not struck. Returns how many were. */
static int cut_every_message(cut_rig *r, unit_form form, int retries, proxy_fault fault)
{
    for (fault.message = 1; fault.message < MESSAGES_MAX; fault.message++) {
        int cuts = r->cuts;
        unit_run u = cut_unit(r, form, retries, &fault, 1);
        check_unit(r, &u, finds_out(r, &u) ? DOUBT_NEVER : DOUBT_AT_COMMIT, proxy_describe(&fault));
        check_session(r, false, proxy_describe(&fault));
        if (r->cuts == cuts) {
            if (u.error.code != BELAY_OK)
                fail_msg("nothing was cut, and the unit failed: %s", u.error.message);
            return (int)fault.message - 1;
        }
        check_answer(r, &u, &fault);
    }
    fail_msg("%s: the unit never came to its end", proxy_describe(&fault));
    return 0;
}

/* ---- At COMMIT ------------------------------------------------------------------------------------------- */

static const proxy_act breaks[] = {PROXY_RESET, PROXY_CLOSE};

static void cut_commits(cut_rig *r, unit_form form, int retries)
{
    for (int act = 0; act < 2; act++)
        for (int way = 0; way < 2; way++)
            for (int place = 0; place < 3; place++) {
                proxy_fault fault = {"COMMIT", (proxy_way)way, 1, (proxy_place)place, breaks[act]};
                assert_true(cut_every_message(r, form, retries, fault) > 0);
            }
}

static void cut_commits_often(cut_rig *r, unit_form form, int at_least)
{
    cut_rig_reopen(r, BELAY_DB_OPTIONS(.pool_size = 2));
    for (int round = 0; r->cuts < at_least; round++)
        cut_commits(r, form, round % 2);
    check_all_units(r);
}

static void a_block_whose_commit_is_cut_is_reported_as_it_is(void **state)
{
    cut_commits_often(*state, UNIT_BLOCK, 200);
}

static void an_explicit_unit_whose_commit_is_cut_is_reported_as_it_is(void **state)
{
    cut_commits_often(*state, UNIT_EXPLICIT, 100);
}

static void a_unit_with_a_key_whose_commit_is_cut_is_found_out(void **state)
{
    cut_rig *r = *state;
    cut_commits_often(r, UNIT_KEY, 200);
    assert_int_equal(r->in_doubt, 0);
}

/* ---- At every message ------------------------------------------------------------------------------------ */

static void cut_units_everywhere(cut_rig *r, unit_form form, int retries)
{
    for (int way = 0; way < 2; way++)
        for (int place = 0; place < 3; place++) {
            proxy_fault fault = {NULL, (proxy_way)way, 1, (proxy_place)place, breaks[(way + place) % 2]};
            assert_true(cut_every_message(r, form, retries, fault) > 0);
        }
}

static void a_unit_that_is_cut_at_any_message_is_reported_as_it_is(void **state)
{
    cut_rig *r = *state;
    cut_rig_reopen(r, BELAY_DB_OPTIONS(.pool_size = 2));
    for (int form = 0; form < UNIT_FORMS; form++)
        cut_units_everywhere(r, (unit_form)form, 1);
    cut_units_everywhere(r, UNIT_BLOCK, 0);
    cut_units_everywhere(r, UNIT_KEY, 0);
    check_all_units(r);
}

static void a_unit_whose_connecting_is_cut_at_any_message_is_reported_as_it_is(void **state)
{
    cut_rig *r = *state;
    cut_rig_reopen(r,
                   BELAY_DB_OPTIONS(.pool_size = 2, .pool_max_age_ms = 1)); /* each unit has a connection of its own */
    cut_units_everywhere(r, UNIT_BLOCK, 1);
    if (!r->postgresql)
        cut_units_everywhere(r, UNIT_KEY, 1);
    check_all_units(r);
}

/* ---- Cuts of what finds out ------------------------------------------------------------------------------ */

/* Cuts a unit with a key at its COMMIT, and then at one message after the other of what follows, `count` cuts in all.
 */
static void cut_finding_out(cut_rig *r, proxy_way first, proxy_way then, size_t count)
{
    proxy_fault faults[PROXY_FAULTS_MAX] = {{"COMMIT", first, 1, PROXY_BEFORE, PROXY_CLOSE}};
    for (unsigned message = 1; message < MESSAGES_MAX; message += count == 2 ? 1 : 4) {
        for (size_t i = 1; i < count; i++)
            faults[i] = (proxy_fault){NULL, then, message, (proxy_place)(message % 3), PROXY_RESET};
        unit_run u = cut_unit(r, UNIT_KEY, 0, faults, count);
        check_unit(r, &u, DOUBT_AT_COMMIT, proxy_describe(&faults[1]));
        check_session(r, false, proxy_describe(&faults[1]));
        resolve_doubt(r, &u, proxy_describe(&faults[1]));
        if (u.struck < 2)
            return;
    }
    fail_msg("finding out never came to its end");
}

static void a_unit_whose_finding_out_is_cut_too_is_never_reported_wrongly(void **state)
{
    static const size_t counts[] = {2, PROXY_FAULTS_MAX}; /* the last is as often as it is tried */
    cut_rig *r = *state;
    cut_rig_reopen(r, BELAY_DB_OPTIONS(.pool_size = 2));
    for (int i = 0; i < 8; i++)
        cut_finding_out(r, (proxy_way)(i & 1), (proxy_way)(i >> 1 & 1), counts[i >> 2]);
    assert_true(r->in_doubt > 0); /* where every try was cut */
    check_all_units(r);
}

static void leave_commit(cut_rig *r, unit_form form, proxy_place place)
{
    unsigned struck = 1;
    for (unsigned message = 1; struck > 0 && message < MESSAGES_MAX; message++) {
        proxy_fault fault = {"COMMIT", PROXY_TO_SERVER, message, place, PROXY_LEAVE};
        unit_run u = cut_unit(r, form, 1, &fault, 1);
        check_unit(r, &u, DOUBT_AT_COMMIT, proxy_describe(&fault));
        check_session(r, false, proxy_describe(&fault));
        resolve_doubt(r, &u, proxy_describe(&fault));
        struck = u.struck;
    }
}

/* The server does not hear that the client is gone: the lost attempt is still open there, and holds its key. */
static void a_unit_that_the_server_still_holds_open_is_never_reported_wrongly(void **state)
{
    cut_rig *r = *state;
    cut_rig_reopen(r, BELAY_DB_OPTIONS(.pool_size = 2));
    r->lock_timeout_ms = 50;
    r->timeout_ms = 1500; /* that long PostgreSQL is asked whether the transaction has ended */
    for (int place = 0; place < 3; place++)
        leave_commit(r, UNIT_KEY, (proxy_place)place);
    leave_commit(r, UNIT_BLOCK, PROXY_BEFORE);
    check_all_units(r);
}

static void there_were_enough_cuts(void **state)
{
    (void)state;
    assert_true(cut_rig_count() >= CUTS_MIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_block_whose_commit_is_cut_is_reported_as_it_is, cut_rig_open, cut_rig_close),
        cmocka_unit_test_setup_teardown(an_explicit_unit_whose_commit_is_cut_is_reported_as_it_is, cut_rig_open,
                                        cut_rig_close),
        cmocka_unit_test_setup_teardown(a_unit_with_a_key_whose_commit_is_cut_is_found_out, cut_rig_open,
                                        cut_rig_close),
        cmocka_unit_test_setup_teardown(a_unit_that_is_cut_at_any_message_is_reported_as_it_is, cut_rig_open,
                                        cut_rig_close),
        cmocka_unit_test_setup_teardown(a_unit_whose_connecting_is_cut_at_any_message_is_reported_as_it_is,
                                        cut_rig_open, cut_rig_close),
        cmocka_unit_test_setup_teardown(a_unit_whose_finding_out_is_cut_too_is_never_reported_wrongly, cut_rig_open,
                                        cut_rig_close),
        cmocka_unit_test_setup_teardown(a_unit_that_the_server_still_holds_open_is_never_reported_wrongly, cut_rig_open,
                                        cut_rig_close),
        cmocka_unit_test(there_were_enough_cuts),
    };
    return cmocka_run_group_tests_name("cuts", tests, NULL, NULL);
}
