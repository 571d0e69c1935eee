/*
 * test_links_noise.c - links that deliver what was not said: rubbish in the place of an answer, an answer twice, and
 * everything one byte at a time.
 *
 * What a link garbles can't be told from what a server says, but where the wire's own framing is broken. So what is
 * asked for is a typed error, or success where nothing was lost by it, never a wrong answer, and a connection that
 * serves nobody again.
 *
 * On the server of BELAY_TEST_URL.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "cut_units.h"

enum { MESSAGES_MAX = 200 };

/* ---- Rubbish, and answers that come twice ------------------------------------------------------------------ */

/* Spoils one answer after the other, up to the last one of the unit or so many. */
static void spoil_answers(cut_rig *r, unit_form form, proxy_fault fault, unsigned at_most)
{
    for (fault.message = 1; fault.message <= at_most; fault.message++) {
        unit_run u = cut_unit(r, form, 1, &fault, 1);
        check_unit(r, &u, DOUBT_AT_COMMIT, proxy_describe(&fault));
        check_session(r, false, proxy_describe(&fault));
        resolve_doubt(r, &u, proxy_describe(&fault));
        if (u.struck == 0)
            return;
    }
}

/* Rubbish mostly says to MariaDB's client library that more is to come. Then its end is waited for until the limit, and
   some seconds more: so only some of its answers are spoilt. */
static unsigned most_answers(const cut_rig *r)
{
    return r->postgresql ? MESSAGES_MAX : 1;
}

static void spoil_units(cut_rig *r, proxy_act act)
{
    const proxy_fault first = {NULL, PROXY_TO_CLIENT, 1, PROXY_BEFORE, act};
    const proxy_fault of_commit = {"COMMIT", PROXY_TO_CLIENT, 1, PROXY_BEFORE, act};
    r->timeout_ms = 300;
    cut_rig_reopen(r, BELAY_DB_OPTIONS(.pool_size = 2));
    spoil_answers(r, UNIT_BLOCK, first, most_answers(r));
    spoil_answers(r, UNIT_BLOCK, of_commit, 1);
    spoil_answers(r, UNIT_KEY, of_commit, 1);
    check_all_units(r);
}

static void rubbish_instead_of_an_answer_is_an_error_and_its_connection_serves_nobody_again(void **state)
{
    spoil_units(*state, PROXY_GARBAGE);
}

static void an_answer_that_says_nothing_but_rubbish_is_an_error_and_its_connection_serves_nobody_again(void **state)
{
    spoil_units(*state, PROXY_SCRAMBLE);
}

static void an_answer_that_comes_twice_misleads_nobody(void **state)
{
    static const unit_form forms[] = {UNIT_BLOCK, UNIT_NESTED, UNIT_KEY, UNIT_LONE, UNIT_PIPELINE};
    cut_rig *r = *state;
    const proxy_fault first = {NULL, PROXY_TO_CLIENT, 1, PROXY_BEFORE, PROXY_DOUBLE};
    const proxy_fault of_commit = {"COMMIT", PROXY_TO_CLIENT, 1, PROXY_BEFORE, PROXY_DOUBLE};
    r->timeout_ms = 300;
    cut_rig_reopen(r, BELAY_DB_OPTIONS(.pool_size = 2));
    for (int i = 0; i < (r->postgresql ? 5 : 1); i++)
        spoil_answers(r, forms[i], first, MESSAGES_MAX);
    spoil_answers(r, UNIT_KEY, of_commit, 1);
    check_all_units(r);
}

/* What a scope was told. */
typedef struct told {
    belay_code code;
    int64_t added, seven, changed, count;
} told;

static told ask(cut_rig *r)
{
    told t = {.code = BELAY_OK};
    BELAY_ATOMIC_WITH(r->s, .timeout_ms = r->timeout_ms) {
        belay_exec(r->s, "INSERT INTO probe (n) VALUES (1), (2)");
        t.added = belay_changes(r->s);
        t.seven = belay_int_of(r->s, "SELECT 7");
        belay_exec(r->s, "UPDATE probe SET n = n + 1 WHERE n >= 0");
        t.changed = belay_changes(r->s);
        t.count = belay_int_of(r->s, "SELECT count(*) FROM probe");
    }
    t.code = belay_status(r->s);
    return t;
}

static void no_statement_takes_the_answer_to_another_for_its_own(void **state)
{
    cut_rig *r = *state;
    proxy_fault fault = {NULL, PROXY_TO_CLIENT, 1, PROXY_BEFORE, PROXY_DOUBLE};
    unsigned struck = 1;
    r->timeout_ms = 300;
    cut_rig_reopen(r, BELAY_DB_OPTIONS(.pool_size = 2));
    for (; struck > 0 && fault.message <= most_answers(r); fault.message++) {
        int64_t rows = belay_int_of(r->d.s, "SELECT count(*) FROM probe");
        proxy_plan(r->p, &fault, 1);
        told t = ask(r);
        struck = proxy_struck(r->p);
        proxy_plan(r->p, NULL, 0);
        bool right = t.added == 2 && t.seven == 7 && t.changed == rows + 2 && t.count == rows + 2;
        if (t.code == BELAY_OK ? !right : t.code != BELAY_CONNECTION)
            fail_msg("%s: %s; %d added, %d, %d changed of %d, %d counted", proxy_describe(&fault),
                     belay_code_name(t.code), (int)t.added, (int)t.seven, (int)t.changed, (int)rows + 2, (int)t.count);
        check_session(r, false, proxy_describe(&fault));
    }
    assert_true(fault.message > 1);
}

static void rubbish_while_connecting_is_an_error(void **state)
{
    cut_rig *r = *state;
    const proxy_fault fault = {NULL, PROXY_TO_CLIENT, 1, PROXY_BEFORE, PROXY_SCRAMBLE};
    r->timeout_ms = 300;
    cut_rig_reopen(r, BELAY_DB_OPTIONS(.pool_size = 1, .pool_max_age_ms = 1));
    spoil_answers(r, UNIT_BLOCK, fault, most_answers(r));
    check_all_units(r);
}

/* ---- One byte at a time ----------------------------------------------------------------------------------- */

static void all_works_when_all_comes_one_byte_at_a_time(void **state)
{
    cut_rig *r = *state;
    static char text[5001];
    memset(text, 'x', sizeof text - 1);
    proxy_trickle(r->p, true);
    cut_rig_reopen(r, BELAY_DB_OPTIONS(.pool_size = 2));
    for (int form = 0; form < UNIT_FORMS; form++)
        for (int i = 0; i < 3; i++) {
            unit_run u = cut_unit(r, (unit_form)form, 0, NULL, 0);
            check_unit(r, &u, DOUBT_NEVER, "one byte at a time");
            assert_int_equal(u.error.code, BELAY_OK);
        }
    belay_rows *rows = belay_query(r->s, "SELECT ?, unit FROM pair ORDER BY unit", text);
    bool same = belay_next(rows) && strcmp(belay_str(rows, 0), text) == 0;
    belay_rows_close(rows);
    assert_true(same);
    assert_int_equal(belay_exec(r->s, "INSERT INTO nowhere (id) VALUES (1)"), BELAY_SCHEMA);
    check_session(r, false, "one byte at a time");
    check_all_units(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rubbish_instead_of_an_answer_is_an_error_and_its_connection_serves_nobody_again,
                                        cut_rig_open, cut_rig_close),
        cmocka_unit_test_setup_teardown(
            an_answer_that_says_nothing_but_rubbish_is_an_error_and_its_connection_serves_nobody_again, cut_rig_open,
            cut_rig_close),
        cmocka_unit_test_setup_teardown(an_answer_that_comes_twice_misleads_nobody, cut_rig_open, cut_rig_close),
        cmocka_unit_test_setup_teardown(no_statement_takes_the_answer_to_another_for_its_own, cut_rig_open,
                                        cut_rig_close),
        cmocka_unit_test_setup_teardown(rubbish_while_connecting_is_an_error, cut_rig_open, cut_rig_close),
        cmocka_unit_test_setup_teardown(all_works_when_all_comes_one_byte_at_a_time, cut_rig_open, cut_rig_close),
    };
    alarm(300);
    return cmocka_run_group_tests_name("noise on links", tests, NULL, NULL);
}
