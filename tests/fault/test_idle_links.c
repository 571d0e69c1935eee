/*
 * Connections that a server closed while they lay in the pool. The engine is that
 * of BELAY_TEST_URL.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <belay/belay.h>

enum { POOL = 6 };

static bool on_mariadb;
static belay_db *db, *plain;
static belay_session *s, *killer;

static int set_up(void **state)
{
    (void)state;
    const char *url = getenv("BELAY_TEST_URL");
    if (!url || !*url)
        fail_msg("BELAY_TEST_URL must name a server: tools/servers.py starts one");
    on_mariadb = strncmp(url, "mariadb:", 8) == 0;
    db = belay_open(url, BELAY_DB_OPTIONS(.pool_size = POOL));
    plain = belay_open(url, NULL);
    s = belay_session_open(db);
    killer = belay_session_open(plain);
    belay_exec(killer, "DROP TABLE IF EXISTS idle_item");
    belay_exec(killer, "CREATE TABLE idle_item (id INTEGER PRIMARY KEY)");
    assert_int_equal(belay_status(killer), BELAY_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    belay_exec(killer, "DROP TABLE idle_item");
    belay_code closed = belay_session_close(s);
    belay_session_close(killer);
    belay_close(db);
    belay_close(plain);
    return closed != BELAY_OK;
}

static int64_t number_of(belay_session *which)
{
    return belay_int_of(which, on_mariadb ? "SELECT CONNECTION_ID()" : "SELECT pg_backend_pid()");
}

/* Ends the server's side, and waits until it is gone. */
static void end_connection(int64_t number)
{
    if (on_mariadb)
        belay_exec(killer, "KILL ?", number);
    else
        belay_int_of(killer, "SELECT pg_terminate_backend(?, 10000)::int", number);
    for (int64_t left = 1; on_mariadb && left > 0;)
        left = belay_int_of(killer, "SELECT count(*) FROM information_schema.processlist WHERE id = ?", number);
    assert_int_equal(belay_status(killer), BELAY_OK);
}

/* Fills the pool with connections, and gives their numbers. */
static void fill_pool(int64_t numbers[POOL])
{
    belay_session *all[POOL];
    for (int i = 0; i < POOL; i++) {
        all[i] = belay_session_open(db);
        belay_begin(all[i], NULL);
        numbers[i] = number_of(all[i]);
    }
    for (int i = 0; i < POOL; i++) {
        belay_commit(all[i]);
        belay_session_close(all[i]);
    }
}

static void put(int id)
{
    BELAY_ATOMIC(s)
        belay_exec(s, "INSERT INTO idle_item VALUES (?)", id);
    if (belay_status(s) != BELAY_OK)
        fail_msg("%d: %s", id, belay_message(s));
}

static void a_connection_that_was_ended_while_idle_costs_the_next_unit_nothing(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) {
        end_connection(number_of(s));
        put(i);
    }
    assert_int_equal(belay_int_of(s, "SELECT count(*) FROM idle_item"), 10);
}

static void a_statement_alone_gets_a_sound_one_too(void **state)
{
    (void)state;
    end_connection(number_of(s));
    assert_int_equal(belay_exec(s, "INSERT INTO idle_item VALUES (1)"), BELAY_OK);
    end_connection(number_of(s));
    assert_int_equal(belay_int_of(s, "SELECT count(*) FROM idle_item"), 1);
}

static void a_whole_pool_of_dead_connections_recovers_at_once(void **state)
{
    (void)state;
    int64_t numbers[POOL], again[POOL];
    fill_pool(numbers);
    for (int i = 0; i < POOL; i++)
        end_connection(numbers[i]);
    put(1);
    fill_pool(again);
    for (int i = 0; i < POOL; i++)
        for (int j = 0; j < POOL; j++)
            assert_int_not_equal(again[i], numbers[j]);
}

static void only_the_dead_ones_are_replaced(void **state)
{
    (void)state;
    int64_t numbers[POOL], again[POOL];
    int kept = 0;
    fill_pool(numbers);
    end_connection(numbers[1]);
    end_connection(numbers[POOL - 1]);
    fill_pool(again);
    for (int i = 0; i < POOL; i++)
        for (int j = 0; j < POOL; j++)
            kept += again[i] == numbers[j];
    assert_int_equal(kept, POOL - 2);
}

static void the_server_ends_what_is_idle_for_too_long(void **state)
{
    (void)state;
    belay_exec(s, on_mariadb ? "SET SESSION wait_timeout = 1" : "SET idle_session_timeout = 1000");
    int64_t number = number_of(s);
    usleep(1500 * 1000);
    put(1);
    assert_int_not_equal(number_of(s), number);
}

/* What a server says to an idle client need not be a farewell. */
static void a_connection_with_a_notification_is_kept(void **state)
{
    (void)state;
    if (on_mariadb)
        return; /* it has none */
    belay_exec(s, "LISTEN idle_item");
    int64_t number = number_of(s);
    for (int i = 0; i < 3; i++)
        belay_exec(killer, "NOTIFY idle_item, 'here'");
    usleep(50 * 1000);
    put(1);
    assert_int_equal(number_of(s), number);
}

#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_connection_that_was_ended_while_idle_costs_the_next_unit_nothing),
        T(a_statement_alone_gets_a_sound_one_too),
        T(a_whole_pool_of_dead_connections_recovers_at_once),
        T(only_the_dead_ones_are_replaced),
        T(the_server_ends_what_is_idle_for_too_long),
        T(a_connection_with_a_notification_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
