/*
 * test_deadlock_inside.c - an error that ends the whole transaction comes up inside nested scopes, and the program
 * tries to go on: whatever it does, nothing of the unit is ever stored, not even what comes after the error.
 *
 * On MariaDB the server has forgotten the transaction then, and would commit the next statement by itself; PostgreSQL
 * has gone back to the savepoint. A second connection looks in after the error, while the scopes are still open, and
 * at the end. Only on servers: SQLite has no deadlocks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "database.h"

enum { ROWS = 50 };

typedef struct world {
    database d;
    belay_session *s, *looking, *rival;
} world;

static int set_up(void **state)
{
    static world w;
    memset(&w, 0, sizeof w);
    database_open(&w.d, NULL);
    w.s = w.d.s;
    w.looking = belay_session_open(w.d.db);
    w.rival = belay_session_open(w.d.db);
    belay_exec(w.s, "CREATE TABLE account(id INTEGER PRIMARY KEY, cents INTEGER)");
    belay_exec(w.s, "CREATE TABLE journal(note VARCHAR(20))");
    BELAY_ATOMIC(w.s)
        for (int i = 1; i <= ROWS; i++)
            belay_exec(w.s, "INSERT INTO account VALUES (?, 100)", i);
    assert_status(w.s, BELAY_OK);
    *state = &w;
    return 0;
}

static int tear_down(void **state)
{
    world *w = *state;
    belay_session_close(w->rival);
    belay_session_close(w->looking);
    return database_close(&w->d) == BELAY_OK ? 0 : -1;
}

/* ---- The other side --------------------------------------------------------------------------------------------- */

/* MariaDB's view of transactions is renewed only when nobody has looked into it for 100 ms. */
static void pause_a_little(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 150 * 1000000L}, NULL);
}

/* Whether the rival waits for a lock. */
static bool rival_waits(world *w)
{
    const char *sql = database_is_mariadb(&w->d)
                          ? "SELECT count(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'"
                          : "SELECT count(*) FROM pg_locks WHERE NOT granted";
    return belay_int_of(w->looking, sql) > 0;
}

static void *update_crosswise(void *arg)
{
    world *w = arg;
    BELAY_ATOMIC(w->rival) { /* which has done more work: the server gives up the other one */
        belay_exec(w->rival, "UPDATE account SET cents = cents + 1 WHERE id > 1");
        belay_exec(w->rival, "UPDATE account SET cents = cents + 1 WHERE id = 1");
    }
    return NULL;
}

/* The rival has row 2 and waits for row 1, which the caller has. The one who comes last is the victim. */
static void start_rival(world *w, pthread_t *thread)
{
    pthread_create(thread, NULL, update_crosswise, w);
    for (int i = 0; i < 100 && !rival_waits(w); i++)
        pause_a_little();
    pause_a_little(); /* PostgreSQL looks for deadlocks once, after 100 ms of waiting */
    pause_a_little();
}

/* ---- What the program does -------------------------------------------------------------------------------------- */

static const char take_row_2[] = "UPDATE account SET cents = cents - 1 WHERE id = 2";

typedef struct attempt {
    bool caught, caught_outside;
    belay_code met, after_inner, after_outer;
    char during[64];
} attempt;

typedef enum shape { BY_EXEC, BY_TRY, BY_QUERY, IN_DEPTH, SHAPES } shape;

static belay_code meet(belay_session *s, shape how)
{
    if (how == BY_TRY)
        return belay_try(s, take_row_2);
    if (how == BY_QUERY)
        belay_rows_close(belay_query(s, "SELECT cents FROM account WHERE id = 2 FOR UPDATE"));
    else
        belay_exec(s, take_row_2);
    return belay_status(s);
}

/* Goes on after the error as a program might that thinks it was an ordinary one. */
static void go_on(world *w, shape how, attempt *a)
{
    belay_session *s = w->s;
    BELAY_ATOMIC(s) {
        belay_exec(s, "INSERT INTO journal VALUES ('inner')");
        if (how == IN_DEPTH) {
            BELAY_ATOMIC(s) {
                belay_exec(s, "INSERT INTO journal VALUES ('innermost')");
                a->met = meet(s, how);
            }
            a->caught |= belay_catch(s, BELAY_ANY);
        } else {
            a->met = meet(s, how);
        }
        belay_ignore(s, BELAY_ANY);
        a->after_inner = belay_exec(s, "INSERT INTO journal VALUES ('after, inside')");
    }
    a->caught |= belay_catch(s, BELAY_ANY);
    a->after_outer = belay_exec(s, "INSERT INTO journal VALUES ('after')");
    snprintf(a->during, sizeof a->during, "%s", rows_of(w->looking, "SELECT note FROM journal"));
}

static void assert_gone(world *w, const attempt *a, belay_code code)
{
    belay_error ended = *belay_pending(w->s);
    assert_string_equal(belay_code_name(a->met), belay_code_name(code));
    assert_false(a->caught);
    assert_int_equal(a->after_inner, code);
    assert_int_equal(a->after_outer, code);
    assert_string_equal(a->during, "");
    assert_string_equal(belay_code_name(ended.code), belay_code_name(code));
    assert_int_equal(ended.outcome, BELAY_WORK_ROLLED_BACK);
    assert_true(belay_retryable(&ended));
    assert_rows(w->looking, "SELECT note FROM journal", "");
    BELAY_ATOMIC(w->s)
        belay_exec(w->s, "INSERT INTO journal VALUES ('next')");
    assert_status(w->s, BELAY_OK);
    assert_rows(w->looking, "SELECT note FROM journal", "next");
    belay_exec(w->s, "DELETE FROM journal");
}

static void a_deadlock_inside_scopes_lets_nothing_be_stored(void **state)
{
    world *w = *state;
    for (int how = 0; how < SHAPES; how++) {
        attempt a = {0};
        pthread_t thread;
        BELAY_ATOMIC(w->s) {
            belay_exec(w->s, "INSERT INTO journal VALUES ('outer')");
            belay_exec(w->s, "UPDATE account SET cents = cents - 1 WHERE id = 1");
            start_rival(w, &thread);
            go_on(w, (shape)how, &a);
        }
        pthread_join(thread, NULL);
        assert_status(w->rival, BELAY_OK);
        assert_gone(w, &a, BELAY_DEADLOCK);
    }
    assert_rows(w->looking, "SELECT cents FROM account WHERE id < 3", "104;104");
}

static void a_serialization_failure_inside_scopes_lets_nothing_be_stored(void **state)
{
    world *w = *state;
    for (int how = 0; how < SHAPES; how++) {
        attempt a = {0};
        BELAY_ATOMIC_WITH(w->s, .isolation = BELAY_SNAPSHOT) {
            belay_exec(w->s, "INSERT INTO journal VALUES ('outer')");
            belay_int_of(w->s, "SELECT cents FROM account WHERE id = 2");
            belay_exec(w->rival, "UPDATE account SET cents = cents + 1 WHERE id = 2");
            go_on(w, (shape)how, &a);
        }
        assert_gone(w, &a, BELAY_SERIALIZATION);
    }
    assert_rows(w->looking, "SELECT cents FROM account WHERE id = 2", "104");
}

/* A server of MariaDB with innodb_rollback_on_timeout ends the transaction with it; all others undo the statement. */
static void a_lock_timeout_inside_scopes_costs_the_inner_one_or_all_of_it(void **state)
{
    world *w = *state;
    bool all = database_is_mariadb(&w->d) && belay_int_of(w->looking, "SELECT @@innodb_rollback_on_timeout") == 1;
    for (int how = 0; how < SHAPES; how++) {
        bool caught = false;
        belay_code met = BELAY_OK, after = BELAY_OK;
        belay_begin(w->rival, NULL);
        belay_exec(w->rival, "UPDATE account SET cents = 0 WHERE id = 2");
        BELAY_ATOMIC(w->s) {
            belay_exec(w->s, "INSERT INTO journal VALUES ('outer')");
            BELAY_ATOMIC_WITH(w->s, .lock_timeout_ms = 50) {
                belay_exec(w->s, "INSERT INTO journal VALUES ('inner')");
                met = meet(w->s, (shape)how);
                if (how == BY_TRY && !all)
                    belay_fail(w->s, BELAY_APPLICATION, "enough");
            }
            caught = belay_catch(w->s, BELAY_ANY);
            after = belay_exec(w->s, "INSERT INTO journal VALUES ('after')");
        }
        belay_code ended = belay_status(w->s);
        belay_rollback(w->rival);
        assert_string_equal(belay_code_name(met), "LOCK_TIMEOUT");
        assert_int_equal(caught, !all);
        assert_int_equal(after, all ? BELAY_LOCK_TIMEOUT : BELAY_OK);
        assert_int_equal(ended, after);
        assert_rows(w->looking, "SELECT note FROM journal", all ? "" : "outer;after");
        belay_exec(w->s, "DELETE FROM journal");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_deadlock_inside_scopes_lets_nothing_be_stored, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_serialization_failure_inside_scopes_lets_nothing_be_stored, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_lock_timeout_inside_scopes_costs_the_inner_one_or_all_of_it, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
