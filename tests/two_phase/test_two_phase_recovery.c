/*
 * belay_recover while others are at work: a log that is not given to it, and a program
 * that ends, or forgets, what is just being recovered.
 */
#include "rig.h"

#include <string.h>

#include "decisions.h"
#include "prepared.h"

/* ---- A log that is not there ------------------------------------------------------------------------------------ */

static void what_belongs_to_another_log_is_left_alone_and_told(void **state)
{
    rig r;
    belay_code code;
    (void)state;
    rig_open(&r, "postgresql mariadb");
    rig_leave_undecided(&r);
    belay_db *without[] = {r.looking[0], r.looking[1]};
    assert_code(belay_recover(without, 2, NULL, NULL), BELAY_IN_DOUBT);
    assert_int_equal(rig_recover(&r, &code), 2);
    assert_code(code, BELAY_OK);
    assert_int_equal(rig_recover(&r, &code), 0);
    rig_close(&r);
}

/* ---- A program that comes back while its units are being recovered ---- */

typedef struct comeback {
    rig *r;
    belay_db *log;
    int told;
    belay_outcome first;
} comeback;

/* The first of the two is told; now the program ends the other one, and has no more use for the decision. */
static void come_back(void *arg, const belay_recovery *one)
{
    comeback *c = arg;
    belay_error error;
    char name[BELAYI_PREPARED_ROOM], number[BELAYI_NUMBER_ROOM], unit[BELAYI_NUMBER_ROOM];
    if (c->told++ > 0)
        return;
    c->first = one->outcome;
    belayi_prepared_read_name(one->name, number, unit);
    belayi_prepared_name(name, number, unit, one->name[strlen(one->name) - 1] == '1' ? 2 : 1);
    belayi_prepared_end(c->r->looking[0], name, true, 1000, &error);
    belayi_decisions_forget(c->log, unit);
}

static void what_its_program_ends_meanwhile_is_never_told_as_rolled_back(void **state)
{
    rig r;
    (void)state;
    rig_open(&r, "postgresql postgresql");
    rig_leave_undecided(&r);
    comeback c = {.r = &r, .log = belay_open(r.log_url, NULL)};
    belay_db *all[] = {r.looking[0], c.log};
    assert_code(belay_recover(all, 2, come_back, &c), BELAY_OK);
    assert_int_equal(c.first, BELAY_WORK_COMMITTED);
    assert_int_equal(c.told, 1);
    rig_assert_balances(&r, "80;120");
    belay_close(c.log);
    rig_close(&r);
}

/* ---- A decision that is forgotten while it is asked for ---- */

typedef struct forgetting {
    belay_db *log;
    char unit[BELAYI_NUMBER_ROOM];
} forgetting;

static void forget_when_refused(void *arg, const belay_trace_event *event)
{
    const forgetting *f = arg;
    if (event->kind == BELAY_TRACE_SCOPE && event->code == BELAY_UNIQUE)
        belayi_decisions_forget(f->log, f->unit);
}

static void a_decision_that_is_forgotten_while_it_is_asked_for_was_to_commit(void **state)
{
    rig r;
    belay_error error;
    bool commit = false;
    char number[BELAYI_NUMBER_ROOM];
    (void)state;
    rig_open(&r, "postgresql mariadb");
    forgetting f = {.log = belay_open(r.log_url, NULL)};
    belay_db *asked = belay_open(r.log_url, BELAY_DB_OPTIONS(.trace = forget_when_refused, .trace_arg = &f));
    belay_session *s = belay_session_open(f.log);
    belayi_decisions_draw(f.unit);
    assert_code(belayi_decisions_open(f.log, number, &error), BELAY_OK);
    assert_code(belayi_decisions_put(s, f.unit), BELAY_OK);
    assert_code(belayi_decisions_settle(asked, f.unit, &commit, &error), BELAY_OK);
    assert_true(commit);
    assert_string_equal(rows_of(s, "SELECT decision FROM belay_decisions WHERE unit <> 'log'"), "");
    belay_session_close(s);
    belay_close(asked);
    belay_close(f.log);
    rig_close(&r);
}

/* ---- A recovery that comes between the first and the second ---- */

typedef struct overtaking {
    rig *r;
    int commits, ended;
    belay_code code;
} overtaking;

static void recover_after_first(void *arg, const belay_trace_event *event)
{
    overtaking *o = arg;
    if (event->kind == BELAY_TRACE_COMMIT && ++o->commits == 1)
        o->ended = rig_recover(o->r, &o->code);
}

static void a_recovery_that_tells_the_second_first_takes_nothing_from_the_unit(void **state)
{
    static const char *const kinds[] = {"mariadb postgresql", "postgresql postgresql"};
    (void)state;
    for (int i = 0; i < 2; i++) {
        rig r;
        rig_open(&r, kinds[i]);
        overtaking o = {.r = &r};
        r.trace = recover_after_first;
        r.trace_arg = &o;
        rig_reopen(&r, r.log_url);
        assert_code(belay_commit_two_phase(r.a, r.b, rig_move, &(int){10}), BELAY_OK);
        assert_int_equal(o.ended, 1);
        assert_code(o.code, BELAY_OK);
        assert_string_equal(r.log, "");
        rig_assert_balances(&r, "90;110");
        rig_assert_clean(&r);
        rig_close(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_belongs_to_another_log_is_left_alone_and_told),
        cmocka_unit_test(what_its_program_ends_meanwhile_is_never_told_as_rolled_back),
        cmocka_unit_test(a_decision_that_is_forgotten_while_it_is_asked_for_was_to_commit),
        cmocka_unit_test(a_recovery_that_tells_the_second_first_takes_nothing_from_the_unit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
