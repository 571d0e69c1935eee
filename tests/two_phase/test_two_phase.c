/*
 * belay_commit_two_phase: both or neither, on every pair of engines.
 */
#include "rig.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static int ten = 10;

/* ---- How it ends ------------------------------------------------------------------------------------------------ */

static void commits_both(rig *r)
{
    assert_code(belay_commit_two_phase(r->a, r->b, rig_move, &ten), BELAY_OK);
    assert_status(r->a, BELAY_OK);
    assert_status(r->b, BELAY_OK);
    assert_int_equal(belay_pending(r->a)->outcome, BELAY_WORK_COMMITTED);
    rig_assert_balances(r, "90;110");
    assert_string_equal(r->log, "");
    rig_assert_clean(r);
}

static void a_unit_over_two_databases_commits_both(void **state)
{
    (void)state;
    rig_on_each(commits_both);
}

static int refuse(belay_session *a, belay_session *b, void *arg)
{
    rig_move(a, b, arg);
    return 7;
}

static int fail_on_a(belay_session *a, belay_session *b, void *arg)
{
    rig_move(a, b, arg);
    belay_exec(a, "UPDATE account_a SET balance = -1 WHERE id = 1");
    return 0;
}

static int fail_on_b(belay_session *a, belay_session *b, void *arg)
{
    rig_move(a, b, arg);
    belay_exec(b, "UPDATE account_b SET balance = -1 WHERE id = 1");
    return 0;
}

static int undo_on_b(belay_session *a, belay_session *b, void *arg)
{
    rig_move(a, b, arg);
    belay_undo(b);
    return 0;
}

static int leave_a_scope_open(belay_session *a, belay_session *b, void *arg)
{
    rig_move(a, b, arg);
    belay_begin(b, NULL);
    return 0;
}

static void rolls_back_both(rig *r)
{
    static const struct {
        belay_two_phase_unit unit;
        belay_code code;
    } ways[] = {{refuse, BELAY_APPLICATION},
                {fail_on_a, BELAY_CHECK},
                {fail_on_b, BELAY_CHECK},
                {undo_on_b, BELAY_ROLLED_BACK},
                {leave_a_scope_open, BELAY_MISUSE}};
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        assert_code(belay_commit_two_phase(r->a, r->b, ways[i].unit, &ten), ways[i].code);
        assert_status(r->a, ways[i].code);
        assert_status(r->b, ways[i].code);
        assert_int_equal(belay_pending(r->a)->outcome, BELAY_WORK_ROLLED_BACK);
        assert_int_equal(belay_pending(r->b)->outcome, BELAY_WORK_ROLLED_BACK);
        rig_assert_balances(r, "100;100");
        rig_assert_clean(r);
    }
    commits_both(r); /* and the sessions are as good as new */
}

static void whatever_fails_in_one_rolls_back_both_and_is_the_error_of_both(void **state)
{
    (void)state;
    rig_on_each(rolls_back_both);
}

static int nest(belay_session *a, belay_session *b, void *arg)
{
    rig_move(a, b, arg);
    BELAY_ATOMIC(b) {
        belay_exec(b, "UPDATE account_b SET balance = 0 WHERE id = 1");
        belay_exec(b, "INSERT INTO account_b VALUES (1, 1)");
    }
    belay_ignore(b, BELAY_UNIQUE);
    belay_try(a, "INSERT INTO account_a VALUES (1, 1)");
    BELAY_ATOMIC(a)
        belay_exec(a, "UPDATE account_a SET balance = balance - 1 WHERE id = 1");
    return 0;
}

static void nests(rig *r)
{
    assert_code(belay_commit_two_phase(r->a, r->b, nest, &ten), BELAY_OK);
    rig_assert_balances(r, "89;110");
    rig_assert_clean(r);
}

static void scopes_nest_inside(void **state)
{
    (void)state;
    rig_on_each(nests);
}

/* ---- What did nothing ------------------------------------------------------------------------------------------- */

static int do_nothing(belay_session *a, belay_session *b, void *arg)
{
    (void)a;
    (void)b;
    (void)arg;
    return 0;
}

static int write_on_a(belay_session *a, belay_session *b, void *arg)
{
    (void)b;
    (void)arg;
    belay_exec(a, "UPDATE account_a SET balance = 1 WHERE id = 1");
    return 0;
}

static int write_on_b(belay_session *a, belay_session *b, void *arg)
{
    (void)a;
    (void)arg;
    belay_exec(b, "UPDATE account_b SET balance = 2 WHERE id = 1");
    return 0;
}

static int only_read(belay_session *a, belay_session *b, void *arg)
{
    (void)arg;
    belay_int_of(a, "SELECT count(*) FROM account_a");
    belay_int_of(b, "SELECT count(*) FROM account_b");
    return 0;
}

static void takes_what_comes(rig *r)
{
    static const struct {
        belay_two_phase_unit unit;
        const char *balances;
    } units[] = {{do_nothing, "100;100"}, {only_read, "100;100"}, {write_on_a, "1;100"}, {write_on_b, "1;2"}};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        assert_code(belay_commit_two_phase(r->a, r->b, units[i].unit, NULL), BELAY_OK);
        rig_assert_balances(r, units[i].balances);
        rig_assert_clean(r);
    }
}

static void a_unit_that_did_nothing_on_one_or_both_is_committed_too(void **state)
{
    (void)state;
    rig_on_each(takes_what_comes);
}

/* ---- Hooks ------------------------------------------------------------------------------------------------------ */

typedef struct hearing {
    rig *r;
    char said[64];
} hearing;

/* What others see at the moment that the hook runs. */
static int look(belay_session *s, void *arg)
{
    hearing *h = arg;
    size_t used = strlen(h->said);
    (void)s;
    snprintf(h->said + used, sizeof h->said - used, "%s,%s ", rows_of(h->r->sees[0], "SELECT balance FROM account_a"),
             rows_of(h->r->sees[1], "SELECT balance FROM account_b"));
    return 0;
}

static int say_no(belay_session *s, void *arg)
{
    (void)s;
    (void)arg;
    return 1;
}

static int note_rollback(belay_session *s, void *arg)
{
    hearing *h = arg;
    (void)s;
    strncat(h->said, "back ", sizeof h->said - strlen(h->said) - 1);
    return 0;
}

static int move_with_hooks(belay_session *a, belay_session *b, void *arg)
{
    rig_move(a, b, &ten);
    belay_on_commit(a, look, arg, NULL);
    belay_on_commit(b, look, arg, NULL);
    belay_on_rollback(a, note_rollback, arg, NULL);
    belay_on_rollback(b, note_rollback, arg, NULL);
    return 0;
}

static int move_and_refuse_late(belay_session *a, belay_session *b, void *arg)
{
    move_with_hooks(a, b, arg);
    belay_before_commit(b, say_no, NULL, NULL);
    return 0;
}

static void hooks_hear(rig *r)
{
    hearing h = {.r = r};
    assert_code(belay_commit_two_phase(r->a, r->b, move_and_refuse_late, &h), BELAY_APPLICATION);
    assert_string_equal(h.said, "back back ");
    rig_assert_balances(r, "100;100");
    h.said[0] = '\0';
    assert_code(belay_commit_two_phase(r->a, r->b, move_with_hooks, &h), BELAY_OK);
    assert_string_equal(h.said, "90,110 90,110 ");
    rig_assert_clean(r);
}

static void on_commit_hooks_never_run_before_both_are_committed(void **state)
{
    (void)state;
    rig_on_each(hooks_hear);
}

/* ---- Refused at the last moment --------------------------------------------------------------------------------- */

static int break_a_deferred_key(belay_session *a, belay_session *b, void *arg)
{
    rig_move(a, b, arg);
    belay_exec(a, "INSERT INTO child VALUES (77)");
    return 0;
}

static void a_constraint_that_fails_at_the_prepare_rolls_back_both(void **state)
{
    rig r;
    (void)state;
    rig_open(&r, "postgresql mariadb");
    belay_exec(r.sees[0], "DROP TABLE IF EXISTS child");
    belay_exec(r.sees[0], "CREATE TABLE child (id INTEGER REFERENCES account_a(id) DEFERRABLE INITIALLY DEFERRED)");
    assert_code(belay_commit_two_phase(r.a, r.b, break_a_deferred_key, &ten), BELAY_FOREIGN_KEY);
    assert_status(r.b, BELAY_FOREIGN_KEY);
    belay_exec(r.sees[0], "DROP TABLE child");
    rig_assert_balances(&r, "100;100");
    rig_assert_clean(&r);
    rig_close(&r);
}

/* ---- Connections go back to the pool
 * ---------------------------------------------------------------------------------
 */

typedef struct served {
    int64_t by[2];
    int result;
} served;

static int64_t ask_who_serves(belay_session *s, bool mariadb)
{
    return belay_int_of(s, mariadb ? "SELECT CONNECTION_ID()" : "SELECT pg_backend_pid()");
}

static int move_and_ask(belay_session *a, belay_session *b, void *arg)
{
    served *who = arg;
    rig_move(a, b, &ten);
    who->by[0] = ask_who_serves(a, false);
    who->by[1] = ask_who_serves(b, true);
    return who->result;
}

static void a_unit_that_is_rolled_back_gives_its_connections_back_unharmed(void **state)
{
    rig r;
    served first = {.result = 1}, second = {.result = 0};
    (void)state;
    rig_open(&r, "postgresql mariadb");
    assert_code(belay_commit_two_phase(r.a, r.b, move_and_ask, &first), BELAY_APPLICATION);
    assert_code(belay_commit_two_phase(r.a, r.b, move_and_ask, &second), BELAY_OK);
    assert_memory_equal(first.by, second.by, sizeof first.by);
    rig_assert_balances(&r, "90;110");
    rig_close(&r);
}

/* ---- Serializable
 * -----------------------------------------------------------------------------------------------------
 */

typedef struct skew {
    belay_session *other;
    belay_code code; /* of the other's unit */
    belay_trace_kind at;
    bool done;
} skew;

/* Each reads what the other writes: one of the two must not be there. */
static void skew_when_it_is_time(void *arg, const belay_trace_event *event)
{
    skew *k = arg;
    if (event->kind != k->at || k->done)
        return;
    k->done = true;
    BELAY_ATOMIC_WITH(k->other, .isolation = BELAY_SERIALIZABLE) {
        belay_int_of(k->other, "SELECT balance FROM account_a WHERE id = 1");
        belay_exec(k->other, "UPDATE account_a SET balance = 7 WHERE id = 2");
    }
    k->code = belay_status(k->other);
}

static int read_and_move(belay_session *a, belay_session *b, void *arg)
{
    (void)arg;
    belay_int_of(a, "SELECT balance FROM account_a WHERE id = 2");
    return rig_move(a, b, &ten);
}

static void assert_one_of_two(rig *r, belay_trace_kind at, belay_code own, belay_code others, const char *balances)
{
    skew k = {.other = r->sees[0], .at = at};
    r->trace = skew_when_it_is_time;
    r->trace_arg = &k;
    rig_reopen(r, r->log_url);
    assert_code(belay_commit_two_phase(r->a, r->b, read_and_move, NULL), own);
    assert_true(k.done);
    assert_code(k.code, others);
    rig_assert_balances(r, balances);
    rig_assert_clean(r);
}

static void serializable_units_stay_so_when_one_of_them_is_prepared(void **state)
{
    rig r;
    (void)state;
    rig_open(&r, "postgresql mariadb");
    strncat(r.urls[0], "?options=-c%20default_transaction_isolation%3Dserializable", sizeof r.urls[0] - 100);
    belay_exec(r.sees[0], "INSERT INTO account_a VALUES (2, 0)");
    assert_one_of_two(&r, BELAY_TRACE_STATEMENT, BELAY_SERIALIZATION, BELAY_OK, "100;100");
    assert_one_of_two(&r, BELAY_TRACE_PREPARE, BELAY_OK, BELAY_SERIALIZATION, "90;110");
    rig_close(&r);
}

/* ---- A deadlock ------------------------------------------------------------------------------------------------- */

typedef struct rival {
    belay_session *s;
    pthread_t thread;
    belay_code code;
} rival;

static void *close_the_circle(void *arg)
{
    rival *other = arg;
    other->code = belay_exec(other->s, "UPDATE account_b SET balance = balance + 1 WHERE id = 1");
    return NULL;
}

/* The rival has changed more rows: the unit is the one that is given up. */
static int meet_deadlock(belay_session *a, belay_session *b, void *arg)
{
    rival *other = arg;
    rig_move(a, b, &ten);
    belay_begin(other->s, NULL);
    for (int id = 2; id < 60; id++)
        belay_exec(other->s, "INSERT INTO account_b VALUES (?, 0)", id);
    pthread_create(&other->thread, NULL, close_the_circle, other);
    nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL);
    BELAY_ATOMIC(b)
        belay_exec(b, "UPDATE account_b SET balance = 7 WHERE id = 2");
    belay_ignore(b, BELAY_DEADLOCK); /* the transaction is gone: there is nothing to go on with */
    belay_exec(b, "UPDATE account_b SET balance = 8 WHERE id = 3");
    pthread_join(other->thread, NULL);
    return 0;
}

static void a_deadlock_on_mariadb_rolls_back_both_and_the_next_unit_works(void **state)
{
    static const char *const kinds[] = {"postgresql mariadb", "mariadb mariadb", "sqlite mariadb"};
    (void)state;
    for (int i = 0; i < 3; i++) {
        rig r;
        rig_open(&r, kinds[i]);
        rival other = {.s = r.sees[1]};
        belay_code code = belay_commit_two_phase(r.a, r.b, meet_deadlock, &other);
        assert_code(other.code, BELAY_OK);
        assert_code(belay_commit(other.s), BELAY_OK);
        assert_code(code, BELAY_DEADLOCK);
        assert_status(r.a, BELAY_DEADLOCK);
        rig_assert_balances(&r, "100;101");
        rig_assert_clean(&r);
        assert_code(belay_commit_two_phase(r.a, r.b, rig_move, &ten), BELAY_OK);
        rig_assert_balances(&r, "90;111");
        rig_close(&r);
    }
}

/* ---- Refused at once -------------------------------------------------------------------------------------------- */

static void commits_with_scopes_required(rig *r)
{
    r->require_scope = true;
    rig_reopen(r, r->log_url);
    commits_both(r);
    belay_db *log = belay_open(r->log_url, NULL), *all[] = {r->dbs[0], r->dbs[1], log};
    assert_code(belay_recover(all, 3, NULL, NULL), BELAY_OK);
    belay_close(log);
}

static void what_the_library_decides_by_is_not_bound_to_require_scope(void **state)
{
    (void)state;
    rig_on_each(commits_with_scopes_required);
}

static void it_is_misuse_inside_a_scope_and_with_one_session(void **state)
{
    rig r;
    (void)state;
    rig_open(&r, "postgresql mariadb");
    assert_code(belay_commit_two_phase(r.a, r.a, rig_move, &ten), BELAY_MISUSE);
    assert_code(belay_commit_two_phase(r.a, r.b, NULL, NULL), BELAY_MISUSE);
    assert_code(belay_commit_two_phase(NULL, r.b, rig_move, &ten), BELAY_MISUSE);
    assert_code(belay_commit_two_phase(r.a, NULL, rig_move, &ten), BELAY_MISUSE);
    belay_begin(r.b, NULL);
    assert_code(belay_commit_two_phase(r.a, r.b, rig_move, &ten), BELAY_MISUSE);
    assert_code(belay_rollback(r.b), BELAY_MISUSE);
    rig_assert_balances(&r, "100;100");
    commits_both(&r);
    rig_close(&r);
}

static int never_called(belay_session *a, belay_session *b, void *arg)
{
    (void)a;
    (void)b;
    *(bool *)arg = true;
    return 0;
}

static void two_that_cant_prepare_or_no_log_are_refused_before_the_unit_runs(void **state)
{
    rig r;
    bool called = false;
    (void)state;
    rig_open(&r, "sqlite sqlite");
    assert_code(belay_commit_two_phase(r.a, r.b, never_called, &called), BELAY_UNSUPPORTED);
    assert_non_null(strstr(belay_message(r.a), "neither of the two databases can prepare"));
    rig_close(&r);
    rig_open(&r, "postgresql mariadb");
    rig_reopen(&r, NULL);
    assert_code(belay_commit_two_phase(r.a, r.b, never_called, &called), BELAY_UNSUPPORTED);
    assert_non_null(strstr(belay_message(r.b), ".decision_log"));
    rig_reopen(&r, "sqlite:/nowhere/log.db");
    assert_code(belay_commit_two_phase(r.a, r.b, never_called, &called), BELAY_CONNECTION);
    rig_reopen(&r, "no url");
    assert_code(belay_commit_two_phase(r.a, r.b, never_called, &called), BELAY_MISUSE);
    assert_false(called);
    rig_assert_balances(&r, "100;100");
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_unit_over_two_databases_commits_both),
        cmocka_unit_test(whatever_fails_in_one_rolls_back_both_and_is_the_error_of_both),
        cmocka_unit_test(scopes_nest_inside),
        cmocka_unit_test(a_unit_that_did_nothing_on_one_or_both_is_committed_too),
        cmocka_unit_test(on_commit_hooks_never_run_before_both_are_committed),
        cmocka_unit_test(a_constraint_that_fails_at_the_prepare_rolls_back_both),
        cmocka_unit_test(a_unit_that_is_rolled_back_gives_its_connections_back_unharmed),
        cmocka_unit_test(serializable_units_stay_so_when_one_of_them_is_prepared),
        cmocka_unit_test(a_deadlock_on_mariadb_rolls_back_both_and_the_next_unit_works),
        cmocka_unit_test(what_the_library_decides_by_is_not_bound_to_require_scope),
        cmocka_unit_test(it_is_misuse_inside_a_scope_and_with_one_session),
        cmocka_unit_test(two_that_cant_prepare_or_no_log_are_refused_before_the_unit_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
