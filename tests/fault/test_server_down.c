/*
 * test_server_down.c - a server that is not there when the program starts, that goes while it is idle or in a unit,
 * and comes back; on MariaDB also one whose disk is full.
 *
 * The server must be this test's own: it is killed with SIGKILL and started again, by tools/servers.py on the folder in
 * BELAY_TEST_SERVERS. Under load, and many times: tests/crash/crash_servers.py.
 */
#include "server.h"

#include <stdio.h>
#include <stdlib.h>

static void tell_servers(const world *w, const char *what)
{
    char command[600];
    const char *folder = getenv("BELAY_TEST_SERVERS");
    assert_non_null(folder);
    snprintf(command, sizeof command, "%s %s %s %s", SERVERS_TOOL, what, folder,
             is_mariadb(w) ? "mariadb" : "postgresql");
    assert_int_equal(system(command), 0);
}

static belay_code try_unit(belay_session *s, int id, int retries, int *out_runs)
{
    int runs = 0;
    BELAY_ATOMIC_WITH(s, .retries = retries, .backoff_ms = 1, .backoff_max_ms = 10) {
        runs++;
        put(s, id);
    }
    if (out_runs)
        *out_runs = runs;
    return belay_status(s);
}

static void a_server_that_is_down_at_the_start_is_an_error_of_each_scope_until_it_is_up(void **state)
{
    world *w = *state;
    tell_servers(w, "kill");
    belay_db *db = open_again(w, NULL);
    belay_session *s = belay_session_open(db);
    belay_code at_open = belay_db_error(db)->code;
    belay_code first = try_unit(s, 1, 0, NULL);
    belay_error error = *belay_pending(s);
    belay_code second = try_unit(s, 1, 2, NULL);
    tell_servers(w, "revive");
    belay_code third = try_unit(s, 2, 0, NULL);
    belay_code in_the_end = belay_db_error(db)->code;
    belay_session_close(s);
    belay_close(db);
    assert_code(at_open, BELAY_CONNECTION);
    assert_code(first, BELAY_CONNECTION);
    assert_int_equal(error.outcome, BELAY_WORK_ROLLED_BACK);
    assert_true(belay_retryable(&error));
    assert_code(second, BELAY_CONNECTION);
    assert_code(third, BELAY_OK);
    assert_code(in_the_end, BELAY_OK);
    try_unit(w->s, 3, 3, NULL); /* their connections are dead */
    belay_ignore(w->other, BELAY_ANY);
    await_answer(w->other, "SELECT count(*) FROM item WHERE id > 1", 2);
}

/* As many connections as the pool has may be dead when it comes back: each costs one attempt at most. */
static void a_server_that_went_while_the_program_was_idle_is_found_again_without_a_restart(void **state)
{
    enum { POOL = 4 };
    world *w = *state;
    belay_db *db = open_again(w, BELAY_DB_OPTIONS(.pool_size = POOL));
    belay_session *s[POOL];
    int runs[POOL], sum = 0;
    for (int i = 0; i < POOL; i++) {
        s[i] = belay_session_open(db);
        belay_begin(s[i], NULL);
        put(s[i], i + 1);
    }
    for (int i = 0; i < POOL; i++)
        assert_code(belay_commit(s[i]), BELAY_OK);
    tell_servers(w, "kill");
    belay_code down = try_unit(s[0], 10, 0, NULL);
    tell_servers(w, "revive");
    for (int i = 0; i < POOL; i++) {
        assert_code(try_unit(s[i], 20 + i, POOL, &runs[i]), BELAY_OK);
        sum += runs[i] - 1;
        belay_session_close(s[i]);
    }
    belay_close(db);
    assert_code(down, BELAY_CONNECTION);
    assert_true(sum <= POOL);
    try_unit(w->s, 30, 3, NULL);
    await_answer(w->other, "SELECT count(*) FROM item", 2 * POOL + 1);
}

static int count(belay_session *s, void *n)
{
    (void)s;
    ++*(int *)n;
    return 0;
}

static void a_unit_whose_server_dies_and_comes_back_runs_again_and_is_there_once(void **state)
{
    world *w = *state;
    int runs = 0, committed = 0, rolled_back = 0;
    BELAY_ATOMIC_WITH(w->s, .retries = 3, .backoff_ms = 1) {
        belay_on_commit(w->s, count, &committed, NULL);
        belay_on_rollback(w->s, count, &rolled_back, NULL);
        put(w->s, 1);
        if (++runs == 1) {
            tell_servers(w, "kill");
            tell_servers(w, "revive");
        }
        BELAY_ATOMIC(w->s)
            put(w->s, 2);
    }
    assert_status(w->s, BELAY_OK);
    assert_int_equal(runs, 2);
    assert_int_equal(committed, 1);
    assert_int_equal(rolled_back, 1);
    await_answer(w->other, "SELECT count(*) FROM item", 2);
}

/* Its one data file may not grow: see the settings in tests/meson.build. */
static void a_full_disk_of_mariadb_is_told_and_an_inner_scope_can_catch_it(void **state)
{
    world *w = *state;
    bool caught = false;
    if (!is_mariadb(w))
        skip(); /* test_server_room.c */
    assert_code(belay_exec(w->s, "CREATE TABLE big (note TEXT)"), BELAY_OK);
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        BELAY_ATOMIC(w->s)
            belay_exec(w->s, "INSERT INTO big SELECT repeat('x', 4000) FROM seq_1_to_20000");
        caught = belay_catch(w->s, BELAY_DISK_FULL);
        put(w->s, 2);
    }
    assert_status(w->s, BELAY_OK);
    assert_true(caught);
    assert_stored(w, "1;2");
    assert_code(belay_exec(w->s, "DROP TABLE big"), BELAY_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        on_server(a_server_that_is_down_at_the_start_is_an_error_of_each_scope_until_it_is_up),
        on_server(a_server_that_went_while_the_program_was_idle_is_found_again_without_a_restart),
        on_server(a_unit_whose_server_dies_and_comes_back_runs_again_and_is_there_once),
        on_server(a_full_disk_of_mariadb_is_told_and_an_inner_scope_can_catch_it),
    };
    return cmocka_run_group_tests_name("server down", tests, NULL, NULL);
}
