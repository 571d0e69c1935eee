#include "server.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { POLLS = 4000, POLL_MS = 5, ANSWERS = 150 };
/* MariaDB gives innodb_trx from a copy, and makes a new one only for who has not asked for 100 ms. */
enum { ANSWER_MS = 130 };

/* ---- Looking ---------------------------------------------------------------------------------------------------- */

bool is_mariadb(const world *w)
{
    return database_is_mariadb(&w->d);
}

const char *by_server(const world *w, const char *postgresql, const char *mariadb)
{
    return is_mariadb(w) ? mariadb : postgresql;
}

int64_t number_of(const world *w, belay_session *s)
{
    return belay_int_of(s, by_server(w, "SELECT pg_backend_pid()", "SELECT connection_id()"));
}

void await_answer(belay_session *s, const char *sql, int64_t wanted)
{
    int64_t answer = -1;
    for (int i = 0; i < ANSWERS; i++) {
        answer = belay_int_of(s, sql);
        if (answer == wanted && belay_status(s) == BELAY_OK)
            return;
        pause_ms(i < 3 && !strstr(sql, "innodb_trx") ? POLL_MS : ANSWER_MS);
    }
    fail_msg("%s: it is %lld and not %lld: %s", sql, (long long)answer, (long long)wanted, belay_message(s));
}

const char *endless(const world *w)
{
    return by_server(w, "SELECT count(*) FROM pg_sleep(600)",
                     "SELECT count(*) FROM seq_1_to_1000000 a, seq_1_to_1000000 b WHERE a.seq + b.seq < 0");
}

/* ---- Striking --------------------------------------------------------------------------------------------------- */

static belay_code send_blow(const striker *k)
{
    belay_session *s = k->w->other;
    char sql[64];
    if (!is_mariadb(k->w))
        return belay_int_of(s,
                            k->how == CANCEL_QUERY ? "SELECT pg_cancel_backend(?::integer)::integer"
                                                   : "SELECT pg_terminate_backend(?::integer)::integer",
                            k->number) == 1
                   ? BELAY_OK
                   : BELAY_NOT_FOUND;
    snprintf(sql, sizeof sql, "KILL %s %lld", k->how == CANCEL_QUERY ? "QUERY" : "CONNECTION", (long long)k->number);
    return belay_exec(s, sql);
}

static int64_t ask_sessions(const striker *k)
{
    return belay_int_of(k->w->other,
                        by_server(k->w, "SELECT count(*) FROM pg_stat_activity WHERE pid = ?",
                                  "SELECT count(*) FROM information_schema.processlist WHERE id = ?"),
                        k->number);
}

/* PostgreSQL forgets a cancel that comes while the statement is still being read and planned: it must sleep already. */
static bool is_at_it(const striker *k)
{
    if (!k->pattern)
        return true;
    return belay_int_of(k->w->other,
                        by_server(k->w,
                                  "SELECT count(*) FROM pg_stat_activity WHERE pid = ? AND wait_event = 'PgSleep'"
                                  " AND query LIKE ?",
                                  "SELECT count(*) FROM information_schema.processlist WHERE id = ?"
                                  " AND command <> 'Sleep' AND info LIKE ?"),
                        k->number, k->pattern) == 1;
}

void strike(world *w, blow how, int64_t number)
{
    striker k = {.w = w, .how = how, .number = number};
    assert_code(send_blow(&k), BELAY_OK);
    for (int i = 0; how == KILL_CONNECTION && ask_sessions(&k) > 0; i++) {
        if (i == POLLS)
            fail_msg("the connection is still there");
        pause_ms(POLL_MS);
    }
}

static void *lie_in_wait(void *arg)
{
    enum { A_LITTLE_MS = 30 }; /* so that the statement does not only begin */
    striker *k = arg;
    for (int i = 0; i < POLLS && !k->struck; i++) {
        pause_ms(POLL_MS);
        if (!is_at_it(k))
            continue;
        pause_ms(A_LITTLE_MS);
        k->struck = send_blow(k) == BELAY_OK;
    }
    return NULL;
}

void striker_start(striker *k, world *w, blow how, int64_t number, const char *pattern)
{
    *k = (striker){.w = w, .how = how, .number = number, .pattern = pattern};
    assert_int_equal(pthread_create(&k->thread, NULL, lie_in_wait, k), 0);
}

void striker_join(striker *k)
{
    pthread_join(k->thread, NULL);
    if (!k->struck)
        fail_msg("nothing was met to strike at: %s", belay_message(k->w->other));
}

/* ---- The world -------------------------------------------------------------------------------------------------- */

void assert_next_works(belay_session *s)
{
    int64_t before = belay_int_of(s, "SELECT count(*) FROM item WHERE id = 999"), after;
    BELAY_ATOMIC(s) {
        belay_exec(s, "DELETE FROM item WHERE id = 999");
        belay_exec(s, "INSERT INTO item(id) VALUES (999)");
    }
    assert_status(s, BELAY_OK);
    after = belay_int_of(s, "SELECT count(*) FROM item WHERE id = 999");
    assert_true(before <= after && after == 1);
    assert_code(belay_exec(s, "DELETE FROM item WHERE id = 999"), BELAY_OK);
}

void assert_no_locks(world *w)
{
    if (is_mariadb(w)) {
        await_answer(w->other, "SELECT count(*) FROM information_schema.innodb_trx", 0);
        return;
    }
    await_answer(w->other,
                 "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)"
                 " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'",
                 0);
}

static void assert_no_sessions(world *w)
{
    await_answer(w->other,
                 by_server(w,
                           "SELECT count(*) FROM pg_stat_activity"
                           " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
                           "SELECT count(*) FROM information_schema.processlist"
                           " WHERE user = 'belay' AND id <> connection_id()"),
                 0);
}

int server_open(void **state)
{
    int result = world_open(state);
    world *w = *state;
    if (result == 0 && database_is_sqlite(&w->d))
        fail_msg("BELAY_TEST_URL must be a server's");
    return result;
}

int server_close(void **state)
{
    world *w = *state;
    if (w->d.db) { /* the test has not closed it itself */
        assert_int_equal(belay_depth(w->s), 0);
        assert_next_works(w->s);
    }
    assert_no_locks(w);
    belay_session_close(w->d.s);
    belay_close(w->d.db);
    w->d.s = NULL;
    w->d.db = NULL;
    assert_no_sessions(w);
    return world_close(state);
}

void make_purses(world *w, int count)
{
    assert_code(belay_exec(w->other, "CREATE TABLE purse (id INTEGER PRIMARY KEY, cents INTEGER NOT NULL)"), BELAY_OK);
    for (int id = 1; id <= count; id++)
        assert_code(belay_exec(w->other, "INSERT INTO purse(id, cents) VALUES (?, 0)", id), BELAY_OK);
}
