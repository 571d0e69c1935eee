/*
 * test_links_cancel.c - a limit that passes just when its statement ends: the cancel comes too late, and must not hit
 * what is sent next on the same connection.
 *
 * Statements take about as long as they may, hundreds of times; each is followed at once by one that must not be
 * cancelled, and whose answer would show it: a sleep that is cut short, or an error. In a scope of its own, and in the
 * same transaction behind a nested scope. Once over a link without delay, once over one that takes its time, which
 * makes cancels late.
 *
 * On the server of BELAY_TEST_URL.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "database.h"
#include "proxy.h"

enum { ROUNDS = 300, DELAY_US = 400 };

typedef struct rig {
    database d;
    proxy *p;
    belay_db *db;
    belay_session *s;
    const char *sleep; /* sleeps so many milliseconds; gives 0 when it was not cut short */
    double sleep_ms;
    int limit_ms;
    int cancelled, in_time, lost, wrong;
} rig;

static int open_rig_with(rig *r, unsigned delay_us)
{
    static const char *const tables[] = {"CREATE TABLE item (id INTEGER NOT NULL)", NULL};
    char target[100], url[400];
    memset(r, 0, sizeof *r);
    database_open(&r->d, NULL);
    database_run(r->d.s, tables);
    bool mariadb = database_is_mariadb(&r->d);
    const char *host = strstr(r->d.url, "@127.0.0.1:");
    if (!host)
        return -1;
    int size = (int)strcspn(host + 1, "/");
    snprintf(target, sizeof target, "%.*s", size, host + 1);
    r->p = proxy_open(mariadb ? PROXY_MARIADB : PROXY_POSTGRESQL, target, 0, delay_us);
    if (!r->p)
        return -1;
    snprintf(url, sizeof url, "%.*s@127.0.0.1:%u%s", (int)(host - r->d.url), r->d.url, proxy_port(r->p),
             host + 1 + size);
    /* MariaDB's SLEEP gives 1 when it was cut short, PostgreSQL's an error. */
    r->sleep = mariadb ? "SELECT SLEEP(? / 1000.0)" : "SELECT count(pg_sleep(? / 1000.0)) - 1";
    r->sleep_ms = 4;
    r->limit_ms = 6;
    r->db = belay_open(url, BELAY_DB_OPTIONS(.pool_size = 1));
    r->s = belay_session_open(r->db);
    return belay_db_error(r->db)->code == BELAY_OK ? 0 : -1;
}

static rig the;

static int open_rig(void **state)
{
    *state = &the;
    return open_rig_with(&the, 0);
}

static int open_slow_rig(void **state)
{
    *state = &the;
    return open_rig_with(&the, DELAY_US);
}

static int close_rig(void **state)
{
    rig *r = *state;
    print_message("%d statements came to their end, %d were cancelled, %d transactions lost by it\n", r->in_time,
                  r->cancelled, r->lost);
    belay_session_close(r->s);
    belay_close(r->db);
    proxy_close(r->p);
    return database_close(&r->d) == BELAY_OK ? 0 : -1;
}

/* Sleeps longer after a statement that came to its end, and shorter after one that was cancelled: so always about as
   long as the limit allows, however busy the machine is. */
static void note(rig *r, belay_code code)
{
    r->in_time += code == BELAY_OK;
    r->cancelled += code == BELAY_TIMEOUT;
    r->wrong += code != BELAY_OK && code != BELAY_TIMEOUT;
    r->sleep_ms += code == BELAY_OK ? 0.3 : -0.3;
    if (r->sleep_ms < 0) {
        r->sleep_ms = 0;
        r->limit_ms++;
    }
}

/* Statements that must not be cancelled. */
static void go_on(rig *r, int id)
{
    r->wrong += belay_int_of(r->s, r->sleep, 1.5) != 0;
    belay_exec(r->s, "INSERT INTO item (id) VALUES (?)", id);
}

static void check(rig *r, const char *what)
{
    if (r->wrong > 0 || belay_status(r->s) != BELAY_OK)
        fail_msg("%s was cancelled: %s", what, belay_message(r->s));
}

static void a_late_cancel_never_hits_the_next_unit(void **state)
{
    rig *r = *state;
    for (int i = 0; i < ROUNDS; i++) {
        BELAY_ATOMIC_WITH(r->s, .timeout_ms = r->limit_ms)
            belay_int_of(r->s, r->sleep, r->sleep_ms);
        note(r, belay_status(r->s));
        BELAY_ATOMIC(r->s)
            go_on(r, i);
        check(r, "the next unit");
    }
    assert_true(r->cancelled > 0 && r->in_time > 0);
    assert_int_equal(belay_int_of(r->d.s, "SELECT count(*) FROM item"), ROUNDS);
    assert_true(proxy_links_opened(r->p) > 0);
}

/* A cancel that hits the SAVEPOINT, which goes with the statement, leaves nothing to go back to: then the transaction
   is lost, and the error can't be caught in it. */
static void a_late_cancel_never_hits_the_next_statement_of_its_transaction(void **state)
{
    rig *r = *state;
    for (int i = 0; i < ROUNDS; i++) {
        bool lost = false;
        BELAY_ATOMIC(r->s) {
            BELAY_ATOMIC_WITH(r->s, .timeout_ms = r->limit_ms)
                belay_int_of(r->s, r->sleep, r->sleep_ms);
            note(r, belay_status(r->s));
            lost = belay_status(r->s) != BELAY_OK && !belay_catch(r->s, BELAY_TIMEOUT);
            if (!lost)
                go_on(r, i);
        }
        r->lost += lost;
        if (!lost)
            check(r, "the next statement");
    }
    assert_true(r->cancelled > 0 && r->in_time > 0);
    assert_int_equal(belay_int_of(r->d.s, "SELECT count(*) FROM item"), ROUNDS - r->lost);
}

/* As what a cancel that comes late does: the first row has come, and the statement fails behind it. */
static void a_failure_behind_the_row_that_was_asked_for_belongs_to_its_own_scope(void **state)
{
    rig *r = *state;
    bool caught = false;
    if (database_is_mariadb(&r->d))
        skip(); /* reads on to the end before it gives the row */
    BELAY_ATOMIC(r->s) {
        BELAY_ATOMIC(r->s) {
            belay_int_of(r->s, "SELECT 1 / (2 - i) FROM generate_series(1, 2) AS g (i)");
        }
        caught = belay_catch(r->s, BELAY_DATA);
        belay_exec(r->s, "INSERT INTO item (id) VALUES (3)");
    }
    assert_status(r->s, BELAY_OK);
    assert_true(caught);
    assert_rows(r->d.s, "SELECT id FROM item ORDER BY id", "3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_failure_behind_the_row_that_was_asked_for_belongs_to_its_own_scope, open_rig,
                                        close_rig),
        cmocka_unit_test_setup_teardown(a_late_cancel_never_hits_the_next_unit, open_rig, close_rig),
        cmocka_unit_test_setup_teardown(a_late_cancel_never_hits_the_next_unit, open_slow_rig, close_rig),
        cmocka_unit_test_setup_teardown(a_late_cancel_never_hits_the_next_statement_of_its_transaction, open_rig,
                                        close_rig),
        cmocka_unit_test_setup_teardown(a_late_cancel_never_hits_the_next_statement_of_its_transaction, open_slow_rig,
                                        close_rig),
    };
    alarm(240);
    return cmocka_run_group_tests_name("late cancels", tests, NULL, NULL);
}
