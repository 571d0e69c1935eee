/*
 * test_links.c - links to a server that answer nothing, that are gone, and that come back.
 *
 * Where nothing answers, every wait has an end: of a statement, a cancel, a COMMIT, a ROLLBACK, a connection. These
 * take seconds, and so all run at once, each in a thread with a proxy of its own. How long they take is not asserted:
 * that they end at all is.
 *
 * On the server of BELAY_TEST_URL.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "database.h"
#include "proxy.h"

enum { POOL = 4 };

typedef struct rig {
    database d; /* has a link of its own */
    proxy *p;
    char url[400];
    belay_db *db;
    belay_session *s;
} rig;

static const char *const tables[] = {"CREATE TABLE item (id INTEGER NOT NULL)", NULL};

static int open_rig(void **state)
{
    static rig r;
    memset(&r, 0, sizeof r);
    database_open(&r.d, NULL);
    database_run(r.d.s, tables);
    r.p = proxy_before(r.d.url, r.url, sizeof r.url);
    r.db = belay_open(r.url, BELAY_DB_OPTIONS(.pool_size = POOL));
    r.s = belay_session_open(r.db);
    *state = &r;
    return belay_db_error(r.db)->code == BELAY_OK ? 0 : -1;
}

static int close_rig(void **state)
{
    rig *r = *state;
    belay_session_close(r->s);
    belay_close(r->db);
    proxy_close(r->p);
    return database_close(&r->d) == BELAY_OK ? 0 : -1;
}

static belay_code put(belay_session *s, int id)
{
    return belay_exec(s, "INSERT INTO item (id) VALUES (?)", id);
}

static belay_code put_with_retries(belay_session *s, int id, int retries)
{
    BELAY_ATOMIC_WITH(s, .retries = retries, .backoff_ms = 1)
        put(s, id);
    return belay_status(s);
}

/* ---- Nothing answers -------------------------------------------------------------------------------------- */

/* What a thread does over a link that falls silent: fills in how it ended. */
typedef struct silence silence;
struct silence {
    const char *name;
    void (*work)(silence *);
    belay_code code, code_or; /* that it must end with, one of them */
    const char *url;          /* the server's own */

    proxy *p;
    char proxied[400];
    belay_db *db;
    belay_session *s;
    belay_error error, after; /* of the work, and of a unit that is tried when the link is let go */
    pthread_t thread;
};

static const proxy_fault at_statement = {"silent", PROXY_TO_SERVER, 1, PROXY_AFTER, PROXY_STALL};
static const proxy_fault at_commit = {"COMMIT", PROXY_TO_CLIENT, 1, PROXY_BEFORE, PROXY_STALL};
static const proxy_fault at_rollback = {"ROLLBACK", PROXY_TO_CLIENT, 1, PROXY_BEFORE, PROXY_STALL};
static const proxy_fault at_connect = {NULL, PROXY_TO_CLIENT, 1, PROXY_BEFORE, PROXY_STALL};

static void run_silent_statement(silence *w)
{
    BELAY_ATOMIC_WITH(w->s, .timeout_ms = 200) {
        put(w->s, 1);
        belay_exec(w->s, "INSERT INTO item (id) SELECT 2 AS silent");
    }
}

static void statement(silence *w)
{
    proxy_plan(w->p, &at_statement, 1);
    run_silent_statement(w);
}

static void statement_and_its_cancel(silence *w)
{
    proxy_plan(w->p, (const proxy_fault[]){at_statement, at_connect}, 2);
    run_silent_statement(w);
}

static void nested_statement(silence *w)
{
    proxy_plan(w->p, &at_statement, 1);
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        BELAY_ATOMIC_WITH(w->s, .timeout_ms = 200)
            belay_exec(w->s, "INSERT INTO item (id) SELECT 2 AS silent");
        put(w->s, 3);
    }
}

static void commit(silence *w)
{
    proxy_plan(w->p, &at_commit, 1);
    BELAY_ATOMIC_WITH(w->s, .timeout_ms = 200)
        put(w->s, 1);
}

static void rollback(silence *w)
{
    proxy_plan(w->p, &at_rollback, 1);
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        belay_fail(w->s, BELAY_APPLICATION, "no");
    }
}

static void rollback_behind_a_limit(silence *w)
{
    proxy_plan(w->p, &at_rollback, 1);
    BELAY_ATOMIC_WITH(w->s, .timeout_ms = 1000) {
        put(w->s, 1);
        belay_fail(w->s, BELAY_APPLICATION, "no");
    }
}

static void lookup_of_a_key(silence *w)
{
    proxy_fault close = at_commit;
    close.act = PROXY_CLOSE;
    proxy_plan(w->p, (const proxy_fault[]){close, at_connect}, 2);
    BELAY_ATOMIC_WITH(w->s, .once = "silence", .timeout_ms = 1000)
        put(w->s, 1);
}

static void reconnect(silence *w)
{
    proxy_drop(w->p);
    put_with_retries(w->s, 0, POOL); /* no connection is idle and sound now but one */
    proxy_drop(w->p);
    proxy_plan(w->p, &at_connect, 1);
    BELAY_ATOMIC_WITH(w->s, .timeout_ms = 500, .retries = 1)
        put(w->s, 1);
}

static void reconnect_within_its_own_limit(silence *w)
{
    belay_session_close(w->s);
    belay_close(w->db);
    proxy_plan(w->p, &at_connect, 1);
    char url[500];
    bool postgresql = strncmp(w->url, "postgres", 8) == 0;
    snprintf(url, sizeof url, "%s?%s=2", w->proxied, postgresql ? "connect_timeout" : "connect_seconds");
    w->db = belay_open(url, NULL);
    w->s = belay_session_open(w->db);
    w->error = *belay_db_error(w->db);
}

static void *keep_silent(void *arg)
{
    silence *w = arg;
    w->p = proxy_before(w->url, w->proxied, sizeof w->proxied);
    w->db = belay_open(w->proxied, BELAY_DB_OPTIONS(.pool_size = 2));
    w->s = belay_session_open(w->db);
    w->work(w);
    if (w->error.code == BELAY_OK)
        w->error = *belay_pending(w->s);
    proxy_plan(w->p, NULL, 0);
    BELAY_ATOMIC_WITH(w->s, .retries = 5, .timeout_ms = 60000)
        put(w->s, 100);
    w->after = *belay_pending(w->s);
    belay_session_close(w->s);
    belay_close(w->db);
    proxy_close(w->p);
    return NULL;
}

static void every_wait_on_a_link_that_answers_nothing_ends(void **state)
{
    rig *r = *state;
    silence all[] = {
        {"a statement", statement, BELAY_TIMEOUT, BELAY_TIMEOUT, .url = r->d.url},
        {"a statement and its cancel", statement_and_its_cancel, BELAY_TIMEOUT, BELAY_TIMEOUT, .url = r->d.url},
        {"a statement of a nested scope", nested_statement, BELAY_TIMEOUT, BELAY_TIMEOUT, .url = r->d.url},
        {"a commit", commit, BELAY_IN_DOUBT, BELAY_IN_DOUBT, .url = r->d.url},
        {"a rollback", rollback, BELAY_APPLICATION, BELAY_APPLICATION, .url = r->d.url},
        {"a rollback behind a limit", rollback_behind_a_limit, BELAY_APPLICATION, BELAY_APPLICATION, .url = r->d.url},
        {"the lookup of a key", lookup_of_a_key, BELAY_IN_DOUBT, BELAY_OK, .url = r->d.url},
        {"a connection in the place of one that is gone", reconnect, BELAY_TIMEOUT, BELAY_CONNECTION, .url = r->d.url},
        {"the first connection", reconnect_within_its_own_limit, BELAY_CONNECTION, BELAY_TIMEOUT, .url = r->d.url},
    };
    enum { COUNT = sizeof all / sizeof *all };
    int wrong = 0;
    for (int i = 0; i < COUNT; i++)
        pthread_create(&all[i].thread, NULL, keep_silent, &all[i]);
    for (int i = 0; i < COUNT; i++)
        pthread_join(all[i].thread, NULL);
    for (int i = 0; i < COUNT; i++) {
        const silence *w = &all[i];
        bool right = (w->error.code == w->code || w->error.code == w->code_or) && w->after.code == BELAY_OK;
        wrong += !right;
        if (!right)
            print_error("%s: %s: %s; then %s: %s\n", w->name, belay_code_name(w->error.code), w->error.message,
                        belay_code_name(w->after.code), w->after.message);
    }
    assert_int_equal(wrong, 0);
    assert_rows(r->d.s, "SELECT count(*) FROM item WHERE id IN (2, 3)", "0");
    assert_true(belay_int_of(r->d.s, "SELECT count(*) FROM item WHERE id = 100") == COUNT);
}

/* ---- Gone while idle --------------------------------------------------------------------------------------- */

/* Has so many connections in the pool, all idle. */
static void fill_pool(rig *r, int count)
{
    belay_session *all[POOL];
    for (int i = 0; i < count; i++) {
        all[i] = belay_session_open(r->db);
        belay_begin(all[i], NULL);
        put(all[i], 0);
    }
    for (int i = 0; i < count; i++) {
        belay_rollback(all[i]);
        belay_session_close(all[i]);
    }
}

static void a_pool_whose_links_are_all_gone_serves_a_unit_with_retries(void **state)
{
    rig *r = *state;
    for (int i = 1; i <= 10; i++) {
        fill_pool(r, POOL);
        assert_int_equal(proxy_links(r->p), POOL);
        proxy_drop(r->p);
        assert_int_equal(put_with_retries(r->s, i, POOL), BELAY_OK);
    }
    assert_rows(r->d.s, "SELECT count(*), count(DISTINCT id) FROM item", "10|10");
}

/* MariaDB says nothing to one that is not asking; there the link itself must have ended. */
static void a_farewell_that_arrives_before_the_link_ends_keeps_the_commit_from_leaving(void **state)
{
    rig *r = *state;
    const proxy_fault after_farewell = {NULL, PROXY_TO_CLIENT, 1, PROXY_AFTER, PROXY_STALL};
    if (strncmp(r->d.url, "postgres", 8) != 0)
        return;
    belay_begin(r->s, BELAY_SCOPE_OPTIONS(.timeout_ms = 2000));
    put(r->s, 1);
    int64_t number = belay_int_of(r->s, "SELECT pg_backend_pid()");
    proxy_plan(r->p, &after_farewell, 1);
    belay_int_of(r->d.s, "SELECT pg_terminate_backend(?)::int", number);
    for (int i = 0; i < 10000 && proxy_struck(r->p) == 0; i++)
        usleep(1000);
    assert_int_equal(proxy_struck(r->p), 1);
    proxy_watch(r->p, "COMMIT");
    belay_commit(r->s);
    belay_error error = *belay_pending(r->s);
    bool saw = proxy_saw(r->p);
    proxy_plan(r->p, NULL, 0);
    proxy_let_go(r->p);
    assert_false(saw);
    assert_int_equal(error.code, BELAY_CONNECTION);
    assert_int_equal(error.outcome, BELAY_WORK_ROLLED_BACK);
    assert_int_equal(belay_int_of(r->d.s, "SELECT count(*) FROM item"), 0);
}

static void a_unit_on_a_link_that_is_gone_says_so_and_a_later_one_works(void **state)
{
    rig *r = *state;
    for (int i = 1; i <= 10; i++) {
        fill_pool(r, 1);
        proxy_drop(r->p);
        BELAY_ATOMIC(r->s)
            put(r->s, i);
        belay_error error = *belay_pending(r->s);
        if (error.code == BELAY_OK)
            continue;
        assert_int_equal(error.code, BELAY_CONNECTION);
        assert_int_equal(error.outcome, BELAY_WORK_ROLLED_BACK);
        assert_true(belay_retryable(&error));
        BELAY_ATOMIC(r->s)
            put(r->s, i);
        assert_status(r->s, BELAY_OK);
    }
    assert_rows(r->d.s, "SELECT count(*), count(DISTINCT id) FROM item", "10|10");
}

/* The server itself ends all sessions of this database but the one that asks. */
static void end_sessions(rig *r)
{
    char sql[64];
    if (!database_is_mariadb(&r->d)) {
        belay_int_of(r->d.s, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = "
                             "current_database() AND pid <> pg_backend_pid()");
        return;
    }
    BELAY_EACH(row, r->d.s,
               "SELECT id FROM information_schema.processlist WHERE db = database() AND id <> "
               "connection_id()") {
        snprintf(sql, sizeof sql, "KILL %lld", (long long)belay_int(row, 0));
        belay_exec(r->d.s, sql);
    }
}

static void connections_that_the_server_ends_while_they_are_idle_serve_nobody(void **state)
{
    rig *r = *state;
    for (int i = 1; i <= 5; i++) {
        fill_pool(r, POOL);
        end_sessions(r);
        assert_int_equal(put_with_retries(r->s, i, POOL), BELAY_OK);
    }
    assert_rows(r->d.s, "SELECT count(*), count(DISTINCT id) FROM item", "5|5");
}

/* ---- Refused, and back later -------------------------------------------------------------------------------- */

static void a_handle_recovers_by_itself_when_the_server_is_back(void **state)
{
    rig *r = *state;
    for (int i = 1; i <= 5; i++) {
        fill_pool(r, POOL);
        proxy_refuse(r->p, true);
        proxy_drop(r->p);
        belay_code down = put_with_retries(r->s, -1, POOL + 1);
        belay_error error = *belay_pending(r->s), of_handle = *belay_db_error(r->db);
        proxy_refuse(r->p, false);
        assert_int_equal(down, BELAY_CONNECTION);
        assert_int_equal(error.outcome, BELAY_WORK_ROLLED_BACK);
        assert_int_equal(of_handle.code, BELAY_CONNECTION);
        assert_int_equal(put_with_retries(r->s, i, 0), BELAY_OK);
        assert_int_equal(belay_db_error(r->db)->code, BELAY_OK);
    }
    assert_rows(r->d.s, "SELECT count(*), min(id) FROM item", "5|1");
}

static void a_handle_that_was_opened_while_the_server_was_down_works_when_it_is_up(void **state)
{
    rig *r = *state;
    proxy_refuse(r->p, true);
    belay_db *db = belay_open(r->url, NULL);
    belay_session *s = belay_session_open(db);
    belay_code of_handle = belay_db_error(db)->code, down = put(s, 1);
    belay_outcome outcome = belay_pending(s)->outcome;
    proxy_refuse(r->p, false);
    belay_code up = put(s, 2), later = belay_db_error(db)->code;
    belay_session_close(s);
    belay_close(db);
    assert_int_equal(of_handle, BELAY_CONNECTION);
    assert_int_equal(down, BELAY_CONNECTION);
    assert_int_equal(outcome, BELAY_WORK_ROLLED_BACK);
    assert_int_equal(up, BELAY_OK);
    assert_int_equal(later, BELAY_OK);
    assert_rows(r->d.s, "SELECT id FROM item", "2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_wait_on_a_link_that_answers_nothing_ends, open_rig, close_rig),
        cmocka_unit_test_setup_teardown(a_pool_whose_links_are_all_gone_serves_a_unit_with_retries, open_rig,
                                        close_rig),
        cmocka_unit_test_setup_teardown(a_farewell_that_arrives_before_the_link_ends_keeps_the_commit_from_leaving,
                                        open_rig, close_rig),
        cmocka_unit_test_setup_teardown(a_unit_on_a_link_that_is_gone_says_so_and_a_later_one_works, open_rig,
                                        close_rig),
        cmocka_unit_test_setup_teardown(connections_that_the_server_ends_while_they_are_idle_serve_nobody, open_rig,
                                        close_rig),
        cmocka_unit_test_setup_teardown(a_handle_recovers_by_itself_when_the_server_is_back, open_rig, close_rig),
        cmocka_unit_test_setup_teardown(a_handle_that_was_opened_while_the_server_was_down_works_when_it_is_up,
                                        open_rig, close_rig),
    };
    alarm(240); /* a wait without an end ends here */
    return cmocka_run_group_tests_name("links", tests, NULL, NULL);
}
