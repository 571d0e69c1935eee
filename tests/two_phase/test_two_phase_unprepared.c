/*
 * Units over two databases where PostgreSQL can't prepare: on a server of its own, whose max_prepared_transactions is
 * 0.
 */
#include "rig.h"

#include <string.h>

static int ten = 10;

static int move_and_fail(belay_session *a, belay_session *b, void *arg)
{
    (void)arg;
    rig_move(a, b, &ten);
    return 1;
}

static int never_called(belay_session *a, belay_session *b, void *arg)
{
    (void)a;
    (void)b;
    *(bool *)arg = true;
    return 0;
}

/* No log is needed: the commit of the one that can't prepare is the decision. */
static void a_server_that_cant_prepare_is_committed_last_and_is_the_log(void **state)
{
    static const char *const kinds[] = {"postgresql mariadb", "mariadb postgresql"};
    (void)state;
    for (int i = 0; i < 2; i++) {
        rig r;
        rig_open(&r, kinds[i]);
        rig_reopen(&r, NULL);
        assert_code(belay_commit_two_phase(r.a, r.b, rig_move, &ten), BELAY_OK);
        rig_assert_balances(&r, "90;110");
        assert_code(belay_commit_two_phase(r.a, r.b, move_and_fail, NULL), BELAY_APPLICATION);
        rig_assert_balances(&r, "90;110");
        assert_true(belay_int_of(r.sees[i], "SELECT count(*) FROM belay_decisions WHERE unit = 'log'") == 1);
        rig_assert_clean(&r);
        rig_close(&r);
    }
}

static void two_that_cant_prepare_are_refused_and_told_the_setting(void **state)
{
    static const char *const kinds[] = {"postgresql postgresql", "sqlite postgresql"};
    (void)state;
    for (int i = 0; i < 2; i++) {
        rig r;
        bool called = false;
        rig_open(&r, kinds[i]);
        assert_code(belay_commit_two_phase(r.a, r.b, never_called, &called), BELAY_UNSUPPORTED);
        assert_non_null(strstr(belay_pending(r.a)->hint, "max_prepared_transactions"));
        assert_false(called);
        rig_assert_balances(&r, "100;100");
        rig_close(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_that_cant_prepare_is_committed_last_and_is_the_log),
        cmocka_unit_test(two_that_cant_prepare_are_refused_and_told_the_setting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
