/*
 * test_scenarios_servers.c - what only an engine that locks rows can show: deadlocks in a ring, locks that are skipped,
 * kept or refused, levels that are not carried on, and limits that end what runs on the server.
 *
 * Not run on SQLite, which has one lock. Where PostgreSQL and MariaDB differ, both results are stated.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>

#include "database.h"

enum { RING = 4, ATTEMPTS = 200 };

typedef struct pair {
    database d;
    belay_session *s, *other;
} pair;

static int open_pair(void **state)
{
    static pair p;
    static const char *const tables[] = {
        "DROP TABLE IF EXISTS item",
        "CREATE TABLE item (id INTEGER PRIMARY KEY, note INTEGER NOT NULL)",
        "INSERT INTO item (id, note) VALUES (1, 0), (2, 0), (3, 0), (4, 0)",
        "DROP TABLE IF EXISTS deposit",
        "CREATE TABLE deposit (day INTEGER NOT NULL)",
        NULL,
    };
    database_open(&p.d, NULL);
    database_run(p.d.s, tables);
    p.s = p.d.s;
    p.other = belay_session_open(p.d.db);
    *state = &p;
    return 0;
}

static int close_pair(void **state)
{
    pair *p = *state;
    belay_session_close(p->other);
    belay_session_close(p->d.s);
    p->d.s = NULL;
    return database_close(&p->d) == BELAY_OK ? 0 : -1;
}

static void only_on_postgresql(const pair *p)
{
    if (database_is_mariadb(&p->d))
        skip();
}

/* ---- 25: a ring of sessions ------------------------------------------------------------------------------------- */

typedef struct link_of_ring {
    belay_db *db;
    pthread_barrier_t *all_have_one;
    int number, deadlocks, other_errors, commits;
    pthread_t thread;
} link_of_ring;

static void *lock_two(void *arg)
{
    link_of_ring *l = arg;
    belay_session *s = belay_session_open(l->db);
    BELAY_ATOMIC_WITH(s, .lock_timeout_ms = 20000) {
        belay_exec(s, "UPDATE item SET note = note + 1 WHERE id = ?", 1 + l->number);
        pthread_barrier_wait(l->all_have_one);
        belay_exec(s, "UPDATE item SET note = note + 1 WHERE id = ?", 1 + (l->number + 1) % RING);
    }
    belay_code code = belay_status(s);
    l->commits += code == BELAY_OK;
    l->deadlocks += code == BELAY_DEADLOCK;
    l->other_errors += code != BELAY_OK && code != BELAY_DEADLOCK;
    belay_session_close(s);
    return NULL;
}

static void a_ring_of_locks_has_one_victim_and_all_others_finish(void **state)
{
    pair *p = *state;
    pthread_barrier_t barrier;
    link_of_ring ring[RING];
    int deadlocks = 0, commits = 0;
    pthread_barrier_init(&barrier, NULL, RING);
    for (int i = 0; i < RING; i++) {
        ring[i] = (link_of_ring){.db = p->d.db, .all_have_one = &barrier, .number = i};
        assert_int_equal(pthread_create(&ring[i].thread, NULL, lock_two, &ring[i]), 0);
    }
    for (int i = 0; i < RING; i++) {
        pthread_join(ring[i].thread, NULL);
        deadlocks += ring[i].deadlocks;
        commits += ring[i].commits;
        assert_int_equal(ring[i].other_errors, 0);
    }
    pthread_barrier_destroy(&barrier);
    assert_int_equal(deadlocks, 1);
    assert_int_equal(commits, RING - 1);
    assert_int_equal(belay_int_of(p->s, "SELECT sum(note) FROM item"), 2 * (RING - 1));
}

/* ---- 9, 29: rows that are locked -------------------------------------------------------------------------------- */

static void skip_locked_skips_exactly_the_locked_rows(void **state)
{
    pair *p = *state;
    char seen[64] = "";
    belay_begin(p->other, NULL);
    belay_int_of(p->other, "SELECT id FROM item WHERE id = 2 FOR UPDATE");
    BELAY_ATOMIC(p->s)
        snprintf(seen, sizeof seen, "%s", rows_of(p->s, "SELECT id FROM item ORDER BY id FOR UPDATE SKIP LOCKED"));
    assert_status(p->s, BELAY_OK);
    assert_int_equal(belay_commit(p->other), BELAY_OK);
    assert_string_equal(seen, "1;3;4");
}

/* The row that is locked is the last one that the statement comes to. */
static void nowait_fails_at_once_on_any_of_its_rows_and_the_next_unit_works(void **state)
{
    pair *p = *state;
    belay_begin(p->other, NULL);
    belay_exec(p->other, "UPDATE item SET note = 7 WHERE id = 4");
    BELAY_ATOMIC_WITH(p->s, .lock_timeout_ms = 20000)
        rows_of(p->s, "SELECT id FROM item ORDER BY id FOR UPDATE NOWAIT");
    belay_code code = belay_status(p->s);
    assert_int_equal(belay_commit(p->other), BELAY_OK);
    assert_int_equal(code, BELAY_BUSY);
    assert_int_equal(belay_exec(p->s, "UPDATE item SET note = note + 1"), BELAY_OK);
    assert_rows(p->s, "SELECT note FROM item WHERE id = 4", "8");
}

static void a_locked_row_is_waited_for_up_to_the_limit_and_a_retry_gets_it(void **state)
{
    pair *p = *state;
    int runs = 0;
    belay_begin(p->other, NULL);
    belay_exec(p->other, "UPDATE item SET note = 1 WHERE id = 1");
    BELAY_ATOMIC_WITH(p->s, .lock_timeout_ms = 20)
        belay_exec(p->s, "UPDATE item SET note = 2 WHERE id = 1");
    assert_status(p->s, BELAY_LOCK_TIMEOUT);
    assert_int_equal(belay_pending(p->s)->outcome, BELAY_WORK_ROLLED_BACK);
    BELAY_ATOMIC_WITH(p->s, .lock_timeout_ms = 20, .retries = 3, .backoff_ms = 1) {
        if (++runs == 2)
            belay_commit(p->other);
        belay_exec(p->s, "UPDATE item SET note = note + 10 WHERE id = 1");
    }
    assert_status(p->s, BELAY_OK);
    assert_int_equal(runs, 2);
    assert_rows(p->s, "SELECT note FROM item WHERE id = 1", "11");
}

static const char *share_lock(const pair *p)
{
    return database_is_mariadb(&p->d) ? "SELECT note FROM item WHERE id = 1 LOCK IN SHARE MODE"
                                      : "SELECT note FROM item WHERE id = 1 FOR KEY SHARE";
}

/* A stronger lock that was taken after the mark may go; the weaker one from before it must stay. */
static void a_lock_from_before_a_savepoint_is_kept_when_what_came_after_is_undone(void **state)
{
    pair *p = *state;
    static const char *const wanted = "SELECT id FROM item WHERE id = 1 FOR UPDATE";
    belay_begin(p->s, NULL);
    belay_int_of(p->s, share_lock(p));
    BELAY_ATOMIC(p->s) {
        belay_exec(p->s, "DELETE FROM item WHERE id = 1");
        belay_undo(p->s);
    }
    BELAY_ATOMIC_WITH(p->other, .lock_timeout_ms = 20)
        belay_int_of(p->other, wanted);
    belay_code before = belay_status(p->other), code = belay_commit(p->s);
    BELAY_ATOMIC_WITH(p->other, .lock_timeout_ms = 20)
        belay_int_of(p->other, wanted);
    assert_int_equal(code, BELAY_OK);
    assert_int_equal(before, BELAY_LOCK_TIMEOUT);
    assert_status(p->other, BELAY_OK);
}

/* ---- 13: levels ------------------------------------------------------------------------------------------------- */

static void a_nested_scope_that_asks_for_a_stronger_level_is_refused_and_the_level_stays(void **state)
{
    pair *p = *state;
    belay_level before = BELAY_ISOLATION_DEFAULT, after = BELAY_ISOLATION_DEFAULT;
    bool caught = false;
    BELAY_ATOMIC_WITH(p->s, .isolation = BELAY_READ_COMMITTED) {
        belay_exec(p->s, "UPDATE item SET note = 1 WHERE id = 1");
        before = belay_isolation(p->s);
        BELAY_ATOMIC_WITH(p->s, .isolation = BELAY_SERIALIZABLE)
            belay_exec(p->s, "UPDATE item SET note = 2 WHERE id = 2");
        caught = belay_catch(p->s, BELAY_ANY);
        after = belay_isolation(p->s);
    }
    assert_status(p->s, BELAY_OK);
    assert_true(caught);
    assert_int_equal(before, BELAY_READ_COMMITTED);
    assert_int_equal(after, before);
    assert_rows(p->s, "SELECT note FROM item WHERE id <= 2 ORDER BY id", "1;0");
}

/* Ends the session's connection at the server. */
static void kill_connection(pair *p, int64_t id)
{
    char sql[80];
    snprintf(sql, sizeof sql, database_is_mariadb(&p->d) ? "KILL %lld" : "SELECT pg_terminate_backend(%lld)",
             (long long)id);
    rows_of(p->other, sql);
}

static int64_t connection_of(const pair *p, belay_session *s)
{
    return belay_int_of(s, database_is_mariadb(&p->d) ? "SELECT connection_id()" : "SELECT pg_backend_pid()");
}

static void the_level_of_a_connection_that_was_lost_is_not_that_of_the_next_one(void **state)
{
    pair *p = *state;
    belay_level usual = BELAY_ISOLATION_DEFAULT, after = BELAY_ISOLATION_DEFAULT;
    BELAY_ATOMIC(p->s) {
        belay_int_of(p->s, "SELECT count(*) FROM item");
        usual = belay_isolation(p->s);
    }
    BELAY_ATOMIC_WITH(p->s, .isolation = BELAY_SERIALIZABLE) {
        kill_connection(p, connection_of(p, p->s));
        belay_exec(p->s, "UPDATE item SET note = 1");
    }
    assert_status(p->s, BELAY_CONNECTION);
    BELAY_ATOMIC_WITH(p->s, .retries = 3) {
        belay_int_of(p->s, "SELECT count(*) FROM item");
        after = belay_isolation(p->s);
    }
    assert_status(p->s, BELAY_OK);
    assert_true(usual < BELAY_SERIALIZABLE);
    assert_int_equal(after, usual);
}

/* Both want the key 9, and the first one gets it. What the second one is told depends on whether it had looked. */
static belay_code insert_beside(pair *p, bool looks)
{
    const belay_scope_options *serializable = BELAY_SCOPE_OPTIONS(.isolation = BELAY_SERIALIZABLE);
    belay_begin(p->s, serializable);
    belay_begin(p->other, serializable);
    belay_int_of(p->s, "SELECT count(*) FROM item WHERE id = 9");
    belay_int_of(p->other, looks ? "SELECT count(*) FROM item WHERE id = 9" : "SELECT 1");
    belay_exec(p->s, "INSERT INTO item (id, note) VALUES (9, 1)");
    assert_int_equal(belay_commit(p->s), BELAY_OK);
    belay_exec(p->other, "INSERT INTO item (id, note) VALUES (9, 2)");
    belay_code code = belay_commit(p->other);
    assert_rows(p->s, "SELECT note FROM item WHERE id = 9", "1");
    assert_int_equal(belay_exec(p->s, "DELETE FROM item WHERE id = 9"), BELAY_OK);
    return code;
}

static void who_loses_a_key_is_told_serialization_when_it_had_looked_and_unique_when_not(void **state)
{
    pair *p = *state;
    only_on_postgresql(p); /* MariaDB locks what was looked for, so that nobody gets it */
    assert_int_equal(insert_beside(p, true), BELAY_SERIALIZATION);
    assert_int_equal(insert_beside(p, false), BELAY_UNIQUE);
}

/* ---- 28: a report beside a deposit and the closing of its day --------------------------------------------------- */

/* Row 1 is the number of the day. A deposit began before the day was closed, and is written after the report on that
   day was made. What the depositor is told. */
static belay_code deposit_beside_report(pair *p, belay_level level, int *out_reported)
{
    const belay_scope_options *options = BELAY_SCOPE_OPTIONS(.isolation = level);
    belay_session *reporter = belay_session_open(p->d.db);
    belay_begin(p->s, options);
    int64_t day = belay_int_of(p->s, "SELECT note FROM item WHERE id = 1");
    BELAY_ATOMIC_WITH(p->other, .isolation = level)
        belay_exec(p->other, "UPDATE item SET note = note + 1 WHERE id = 1");
    assert_status(p->other, BELAY_OK);
    BELAY_ATOMIC_WITH(reporter, .isolation = level, .read_only = true) {
        int64_t today = belay_int_of(reporter, "SELECT note FROM item WHERE id = 1");
        *out_reported = (int)belay_int_of(reporter, "SELECT count(*) FROM deposit WHERE day < ?", today);
    }
    assert_status(reporter, BELAY_OK);
    belay_session_close(reporter);
    belay_exec(p->s, "INSERT INTO deposit (day) VALUES (?)", day);
    return belay_commit(p->s);
}

static void a_report_is_wrong_at_repeatable_read_and_costs_the_writer_an_attempt_at_serializable(void **state)
{
    pair *p = *state;
    int reported = -1;
    only_on_postgresql(p); /* MariaDB's SERIALIZABLE keeps the day from being closed meanwhile */
    assert_int_equal(deposit_beside_report(p, BELAY_REPEATABLE_READ, &reported), BELAY_OK);
    assert_int_equal(reported, 0); /* and the deposit is in a day that was reported without it */
    belay_exec(p->s, "DELETE FROM deposit");
    assert_int_equal(deposit_beside_report(p, BELAY_SERIALIZABLE, &reported), BELAY_SERIALIZATION);
    assert_int_equal(reported, 0);
    assert_int_equal(belay_int_of(p->s, "SELECT count(*) FROM deposit"), 0);
}

typedef struct report {
    belay_db *db;
    int64_t counted;
    belay_code code;
    pthread_t thread;
} report;

static void *make_report(void *arg)
{
    report *r = arg;
    belay_session *s = belay_session_open(r->db);
    BELAY_ATOMIC_WITH(s, .isolation = BELAY_SERIALIZABLE, .read_only = true, .deferrable = true, .timeout_ms = 20000)
        r->counted = belay_int_of(s, "SELECT count(*) FROM deposit WHERE day < (SELECT note FROM item WHERE id = 1)");
    r->code = belay_status(s);
    belay_session_close(s);
    return NULL;
}

static void a_deferrable_report_waits_and_costs_nobody_an_attempt(void **state)
{
    pair *p = *state;
    report r = {.db = p->d.db, .counted = -1};
    only_on_postgresql(p); /* elsewhere the word has no effect */
    belay_begin(p->s, BELAY_SCOPE_OPTIONS(.isolation = BELAY_SERIALIZABLE));
    int64_t day = belay_int_of(p->s, "SELECT note FROM item WHERE id = 1");
    BELAY_ATOMIC_WITH(p->other, .isolation = BELAY_SERIALIZABLE)
        belay_exec(p->other, "UPDATE item SET note = note + 1 WHERE id = 1");
    assert_int_equal(pthread_create(&r.thread, NULL, make_report, &r), 0);
    for (int i = 0; i < ATTEMPTS && belay_int_of(p->other, "SELECT count(*) FROM pg_stat_activity WHERE wait_event ="
                                                           " 'SafeSnapshot'") == 0;
         i++)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    int64_t waits = belay_int_of(p->other, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SafeSnapshot'");
    belay_exec(p->s, "INSERT INTO deposit (day) VALUES (?)", day);
    belay_code code = belay_commit(p->s);
    pthread_join(r.thread, NULL);
    assert_int_equal(waits, 1);
    assert_int_equal(code, BELAY_OK);
    assert_int_equal(r.code, BELAY_OK);
    assert_int_equal(r.counted, 1);
}

/* ---- 16: limits ------------------------------------------------------------------------------------------------- */

/* What other sessions of the server have running or open. */
static int64_t count_busy(pair *p)
{
    return belay_int_of(p->other, database_is_mariadb(&p->d)
                                      ? "SELECT (SELECT count(*) FROM information_schema.innodb_trx) + (SELECT count(*)"
                                        " FROM information_schema.processlist WHERE info LIKE '%sleep(20)%'"
                                        " AND id <> connection_id())"
                                      : "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
                                        " AND pid <> pg_backend_pid() AND state <> 'idle'");
}

static void a_statement_past_the_total_limit_is_ended_on_the_server_too(void **state)
{
    pair *p = *state;
    BELAY_ATOMIC_WITH(p->s, .timeout_ms = 200) {
        belay_exec(p->s, "UPDATE item SET note = 5 WHERE id = 1");
        belay_exec(p->s, database_is_mariadb(&p->d) ? "UPDATE item SET note = sleep(20) WHERE id = 2"
                                                    : "SELECT pg_sleep(20)");
    }
    assert_status(p->s, BELAY_TIMEOUT);
    for (int i = 0; i < ATTEMPTS && count_busy(p) > 0; i++) /* InnoDB's own view is renewed now and then */
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    assert_int_equal(count_busy(p), 0);
    BELAY_ATOMIC_WITH(p->other, .lock_timeout_ms = 20)
        belay_exec(p->other, "UPDATE item SET note = note + 1 WHERE id = 1");
    assert_status(p->other, BELAY_OK);
    assert_rows(p->s, "SELECT note FROM item WHERE id = 1", "1");
}

/* ---- Passwords and killed processes ----------------------------------------------------------------------------- */

/* The URL of the test with another user and password. */
static const char *url_of(const pair *p, const char *user, char out[500])
{
    const char *rest = strstr(p->d.url, "://") + 3, *at = strchr(rest, '@');
    snprintf(out, 500, "%.*s%s%s", (int)(rest - p->d.url), p->d.url, user, at);
    return out;
}

static belay_code connect_as(const pair *p, const char *user, char message[600])
{
    char url[500];
    belay_db *db = belay_open(url_of(p, user, url), NULL);
    belay_session *s = belay_session_open(db);
    belay_int_of(s, "SELECT 1");
    belay_code code = belay_status(s);
    snprintf(message, 600, "%s", belay_message(s));
    belay_session_close(s);
    belay_close(db);
    return code;
}

static void a_password_beyond_ascii_lets_in_or_is_refused_and_is_never_shown(void **state)
{
    pair *p = *state;
    char message[600];
    bool mariadb = database_is_mariadb(&p->d);
    belay_exec(p->s, "DROP USER IF EXISTS francois");
    belay_exec(p->s,
               mariadb ? "CREATE USER francois IDENTIFIED BY 'françois'" : "CREATE USER francois PASSWORD 'françois'");
    assert_status(p->s, BELAY_OK);
    if (mariadb) {
        belay_exec(p->s, "GRANT ALL ON *.* TO francois");
        assert_int_equal(connect_as(p, "francois:fran%C3%A7ais", message), BELAY_PERMISSION);
        assert_null(strstr(message, "ais"));
    }
    belay_code code = connect_as(p, "francois:fran%C3%A7ois", message);
    belay_exec(p->s, "DROP USER francois");
    assert_int_equal(code, BELAY_OK); /* PostgreSQL's test server asks for none, and takes it all the same */
}

/* The server takes down all sessions and recovers, since the process may have damaged what they share. */
static void a_killed_backend_costs_every_session_its_connection_and_no_committed_work(void **state)
{
    pair *p = *state;
    only_on_postgresql(p);
    assert_int_equal(belay_exec(p->s, "UPDATE item SET note = 3 WHERE id = 1"), BELAY_OK);
    belay_begin(p->other, NULL);
    belay_exec(p->other, "UPDATE item SET note = 4 WHERE id = 2");
    int64_t pid = connection_of(p, p->s);
    if (kill((pid_t)pid, SIGKILL) != 0)
        skip(); /* not a server of ours */
    for (int i = 0; i < ATTEMPTS && belay_status(p->other) == BELAY_OK; i++)
        belay_int_of(p->other, "SELECT pg_sleep(0.01) IS NULL");
    assert_int_equal(belay_rollback(p->other), BELAY_CONNECTION);
    for (int i = 0; i < ATTEMPTS && belay_int_of(p->s, "SELECT note FROM item WHERE id = 1") != 3; i++)
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    assert_rows(p->s, "SELECT note FROM item WHERE id <= 2 ORDER BY id", "3;0");
    assert_rows(p->other, "SELECT note FROM item WHERE id <= 2 ORDER BY id", "3;0");
}

#define on_pair(test) cmocka_unit_test_setup_teardown(test, open_pair, close_pair)

int main(void)
{
    const struct CMUnitTest tests[] = {
        on_pair(a_ring_of_locks_has_one_victim_and_all_others_finish),
        on_pair(skip_locked_skips_exactly_the_locked_rows),
        on_pair(nowait_fails_at_once_on_any_of_its_rows_and_the_next_unit_works),
        on_pair(a_locked_row_is_waited_for_up_to_the_limit_and_a_retry_gets_it),
        on_pair(a_lock_from_before_a_savepoint_is_kept_when_what_came_after_is_undone),
        on_pair(a_nested_scope_that_asks_for_a_stronger_level_is_refused_and_the_level_stays),
        on_pair(the_level_of_a_connection_that_was_lost_is_not_that_of_the_next_one),
        on_pair(who_loses_a_key_is_told_serialization_when_it_had_looked_and_unique_when_not),
        on_pair(a_report_is_wrong_at_repeatable_read_and_costs_the_writer_an_attempt_at_serializable),
        on_pair(a_deferrable_report_waits_and_costs_nobody_an_attempt),
        on_pair(a_statement_past_the_total_limit_is_ended_on_the_server_too),
        on_pair(a_password_beyond_ascii_lets_in_or_is_refused_and_is_never_shown),
        on_pair(a_killed_backend_costs_every_session_its_connection_and_no_committed_work),
    };
    return cmocka_run_group_tests_name("servers", tests, NULL, NULL);
}
