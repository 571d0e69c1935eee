/*
 * Locks and waits, as the tests of Django, SQLAlchemy, PostgreSQL and SQLite ask for them. tests/semantics/map.txt
 * tells which case is proved where.
 */
#include "support.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "urls.h"

/* ---- Locking reads --------------------------------------------------------------------------------------------- */

typedef struct worker {
    belay_session *s;
    atomic_bool started;
    int64_t read;
    belay_code code;
} worker;

static void *read_and_add(void *arg)
{
    worker *me = arg;
    BELAY_ATOMIC_WITH(me->s, .lock_timeout_ms = -1) {
        atomic_store(&me->started, true);
        me->read = belay_int_of(me->s, "SELECT note FROM item WHERE id = 1 FOR UPDATE");
        belay_exec(me->s, "UPDATE item SET note = ? WHERE id = 1", me->read + 1);
    }
    me->code = belay_status(me->s);
    return NULL;
}

static void a_locking_read_waits_for_the_holder_and_sees_what_it_left(void **state)
{
    world *w = *state;
    pthread_t thread;
    worker waiter = {.s = belay_session_open(w->looking)};
    belay_exec(w->s, "INSERT INTO item VALUES (1, '10')");
    belay_begin(w->s, NULL);
    belay_exec(w->s, "UPDATE item SET note = '20' WHERE id = 1");
    pthread_create(&thread, NULL, read_and_add, &waiter);
    while (!atomic_load(&waiter.started))
        pause_ms(1);
    pause_ms(20);                                                       /* it is likely to wait by then */
    const char *meanwhile = rows_of(w->other, "SELECT note FROM item"); /* a plain read doesn't */
    belay_code code = belay_commit(w->s);
    pthread_join(thread, NULL);
    assert_code(code, BELAY_OK);
    assert_string_equal(meanwhile, "10");
    assert_int_equal(waiter.read, 20);
    assert_code(waiter.code, BELAY_OK);
    assert_rows(w->other, "SELECT note FROM item", "21");
    belay_session_close(waiter.s);
}

static void a_locking_read_keeps_its_order_and_its_limit(void **state)
{
    world *w = *state;
    belay_exec(w->s, "INSERT INTO item(id) VALUES (1), (2), (3)");
    belay_begin(w->s, NULL);
    assert_rows(w->s, "SELECT id FROM item ORDER BY id DESC LIMIT 1 OFFSET 1 FOR UPDATE", "2");
    belay_exec(w->s, "UPDATE item SET note = 'last' WHERE id IN (SELECT id FROM (SELECT id FROM item ORDER BY id DESC "
                     "LIMIT 1 FOR UPDATE) AS newest)");
    assert_rows(w->s, "SELECT id FROM item WHERE note = 'last'", "3");
    assert_code(belay_commit(w->s), BELAY_OK);
}

static void skip_locked_waits_for_the_one_lock_as_nothing_else_is_locked(void **state)
{
    static const char sql[] = "SELECT id FROM item FOR UPDATE SKIP LOCKED";
    world *w = *state;
    only_on_sqlite(w);
    put(w->s, 1);
    belay_begin(w->other, NULL);
    put(w->other, 2);
    BELAY_ATOMIC_WITH(w->s, .lock_timeout_ms = 20)
        belay_exec(w->s, sql);
    assert_status(w->s, BELAY_LOCK_TIMEOUT);
    assert_true(belay_retryable(belay_pending(w->s)));
    assert_code(belay_commit(w->other), BELAY_OK);
    belay_begin(w->s, NULL);
    assert_rows(w->s, sql, "1;2");
    assert_code(belay_commit(w->s), BELAY_OK);
}

/* ---- What holds a lock, and until when ------------------------------------------------------------------------- */

/* Whether another session gets the write lock. */
static bool is_free(belay_session *s)
{
    BELAY_ATOMIC_WITH(s, .lock_timeout_ms = 5) {
        belay_exec(s, "DELETE FROM item WHERE id = 4711");
    }
    return belay_status(s) == BELAY_OK;
}

static void going_back_keeps_the_write_lock_and_the_end_of_the_unit_gives_it_up(void **state)
{
    static const char *const journals[] = {"locks.db?journal=wal", "locks2.db?journal=delete"};
    world *w = *state;
    only_on_sqlite(w);
    for (int i = 0; i < 4; i++) {
        belay_db *db = belay_open(url_of(w, journals[i % 2]), NULL),
                 *foreign = belay_open(url_of(w, journals[i % 2]), NULL);
        belay_session *s = belay_session_open(db), *other = belay_session_open(foreign);
        belay_exec(s, "CREATE TABLE IF NOT EXISTS item(id INTEGER PRIMARY KEY)");
        belay_begin(s, NULL);
        belay_savepoint(s, "a");
        belay_begin(s, NULL);
        put(s, 1);
        assert_false(is_free(other));
        belay_rollback(s);
        assert_false(is_free(other));
        put(s, 2);
        assert_code(belay_rollback_to(s, "a"), BELAY_OK);
        assert_false(is_free(other));
        assert_code(belay_release(s, "a"), BELAY_OK);
        assert_false(is_free(other)); /* a mark is in a transaction, and its release not the end of it */
        assert_code(i < 2 ? belay_commit(s) : belay_rollback(s), BELAY_OK);
        assert_true(is_free(other));
        belay_session_close(s);
        belay_session_close(other);
        belay_close(db);
        belay_close(foreign);
    }
}

static void a_connection_that_was_given_back_holds_no_lock(void **state)
{
    world *w = *state;
    belay_session *s = belay_session_open(w->d.db);
    put(w->s, 1);
    belay_begin(s, NULL);
    assert_seen(s, "1");
    belay_rows *rows = belay_stream(s, "SELECT id FROM item");
    assert_true(belay_next(rows));
    assert_true(belay_session_close(s) != BELAY_OK);
    belay_db *db = open_again(w, BELAY_DB_OPTIONS(.lock_timeout_ms = 5));
    s = belay_session_open(db);
    assert_code(belay_exec(s, "DROP TABLE item"), BELAY_OK); /* outside any scope: MariaDB would commit it */
    belay_rows_close(rows);
    belay_session_close(s);
    belay_close(db);
}

static void a_hundred_nested_scopes_show_nothing_and_hold_others_off_until_the_commit(void **state)
{
    enum { DEPTH = 100 };
    world *w = *state;
    only_on_sqlite(w);
    for (int i = 1; i <= DEPTH; i++) {
        belay_begin(w->s, NULL);
        put(w->s, i);
    }
    for (int i = DEPTH; i > 0; i--) {
        assert_stored(w, "");
        assert_false(is_free(w->other));
        assert_code(i % 10 == 0 ? belay_rollback(w->s) : belay_commit(w->s), BELAY_OK);
    }
    assert_true(is_free(w->other));
    assert_rows(w->other, "SELECT count(*), max(id) FROM item", "9|9"); /* the tenth took all inside it with it */
}

/* Another program, and not a child as it is: that would take its parent's locks for its own. 1: the lock is free. */
static int ask_from_another_process(void *url)
{
    char path[LONGEST_NAME + 8];
    snprintf(path, sizeof path, "%.*s", (int)strcspn((char *)url + 7, "?"), (char *)url + 7);
    pid_t asking = fork();
    if (asking == 0) {
        int nowhere = open("/dev/null", O_WRONLY);
        dup2(nowhere, STDERR_FILENO);
        execlp("sqlite3", "sqlite3", path, "BEGIN IMMEDIATE; ROLLBACK", (char *)NULL);
        _exit(99);
    }
    int status = 0;
    if (waitpid(asking, &status, 0) != asking || !WIFEXITED(status) || WEXITSTATUS(status) == 99)
        return 50;
    return WEXITSTATUS(status) == 0;
}

/* Closing any descriptor of a file drops all locks of the process on it, if it is not SQLite that closes it. */
static void opening_and_closing_handles_of_a_file_drops_no_lock_on_it(void **state)
{
    static const char *const journals[] = {"fd.db", "fd2.db?journal=delete"};
    static const char *const again[] = {"fd.db",          "fd.db?mode=ro",         "fd.db?mode=rw",
                                        "fd.db?nosuch=1", "fd.db/below",           "fd2.db?journal=delete",
                                        "fd2.db?mode=ro", "fd2.db?journal=persist"};
    world *w = *state;
    char url[LONGEST_NAME + 8];
    only_on_sqlite(w);
    for (int i = 0; i < 2; i++) {
        snprintf(url, sizeof url, "%s", url_of(w, journals[i]));
        belay_db *db = belay_open(url, NULL);
        belay_session *s = belay_session_open(db);
        belay_exec(s, "CREATE TABLE item(id INTEGER PRIMARY KEY)");
        assert_int_equal(run_in_child(ask_from_another_process, url), 1);
        belay_begin(s, NULL);
        put(s, 1);
        for (size_t j = 0; j < sizeof again / sizeof again[0]; j++)
            belay_close(belay_open(url_of(w, again[j]), BELAY_DB_OPTIONS(.lock_timeout_ms = 1)));
        assert_int_equal(run_in_child(ask_from_another_process, url), 0);
        assert_code(belay_commit(s), BELAY_OK);
        assert_int_equal(run_in_child(ask_from_another_process, url), 1);
        belay_session_close(s);
        belay_close(db);
    }
}

/* ---- Many at once ---------------------------------------------------------------------------------------------- */

enum { WAITERS = 10, PLACES = 3, LIMIT_MS = 60 };

typedef struct waiter {
    belay_db *db;
    long long waited_ms;
    belay_code code;
} waiter;

static long long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static void *wait_in_vain(void *arg)
{
    waiter *me = arg;
    belay_session *s = belay_session_open(me->db);
    long long start = now_ms();
    me->code = belay_exec(s, "SELECT 1");
    me->waited_ms = now_ms() - start;
    belay_session_close(s);
    return NULL;
}

static void no_thread_that_waits_for_a_connection_gives_up_before_its_limit(void **state)
{
    world *w = *state;
    waiter waiters[WAITERS];
    pthread_t threads[WAITERS];
    belay_session *holders[PLACES];
    belay_db *db = open_again(w, BELAY_DB_OPTIONS(.pool_size = PLACES, .pool_timeout_ms = LIMIT_MS));
    for (int i = 0; i < PLACES; i++) {
        holders[i] = belay_session_open(db);
        belay_begin(holders[i], BELAY_SCOPE_OPTIONS(.read_only = true));
        assert_seen(holders[i], "");
    }
    for (int i = 0; i < WAITERS; i++) {
        waiters[i] = (waiter){.db = db};
        pthread_create(&threads[i], NULL, wait_in_vain, &waiters[i]);
    }
    for (int i = 0; i < WAITERS; i++) {
        pthread_join(threads[i], NULL);
        assert_code(waiters[i].code, BELAY_TOO_MANY);
        assert_true(waiters[i].waited_ms >= LIMIT_MS - 1); /* the clock's own step */
    }
    for (int i = 0; i < PLACES; i++)
        assert_code(belay_session_close(holders[i]), BELAY_OK);
    belay_close(db);
}

enum { WRITERS = 4, ROUNDS = 25 };

typedef struct writer {
    belay_db *db;
    int retries;
    void (*work)(belay_session *, int round);
    int failures;
} writer;

static void *write_on_and_on(void *arg)
{
    writer *me = arg;
    belay_session *s = belay_session_open(me->db);
    for (int i = 0; i < ROUNDS; i++) {
        BELAY_ATOMIC_WITH(s, .lock_timeout_ms = -1, .retries = me->retries, .backoff_ms = 1)
            me->work(s, i);
        me->failures += belay_status(s) != BELAY_OK;
    }
    belay_session_close(s);
    return NULL;
}

/* Runs `work` in units of several threads on two handles. How many of the units failed. */
static int write_from_many_threads(const world *w, int retries, void (*work)(belay_session *, int))
{
    writer writers[WRITERS];
    pthread_t threads[WRITERS];
    int failures = 0;
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (writer){.db = i % 2 ? w->d.db : w->looking, .retries = retries, .work = work};
        pthread_create(&threads[i], NULL, write_on_and_on, &writers[i]);
    }
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(threads[i], NULL);
        failures += writers[i].failures;
    }
    return failures;
}

static void upsert(belay_session *s, int round)
{
    (void)round;
    belay_exec(s, "INSERT INTO item(id) VALUES (1) ON CONFLICT DO NOTHING");
    belay_exec(s, "INSERT INTO item(id, note) VALUES (2, '1') ON CONFLICT (id) DO UPDATE "
                  "SET note = CAST(CAST(item.note AS INTEGER) + 1 AS TEXT)");
}

static void upsert_on_mariadb(belay_session *s, int round)
{
    (void)round;
    belay_exec(s, "INSERT IGNORE INTO item(id) VALUES (1)");
    belay_exec(s, "INSERT INTO item(id, note) VALUES (2, '1') ON DUPLICATE KEY UPDATE note = item.note + 1");
}

static void upserts_of_one_key_from_many_threads_make_one_row_and_no_error(void **state)
{
    world *w = *state;
    assert_int_equal(write_from_many_threads(w, 0, database_is_mariadb(&w->d) ? upsert_on_mariadb : upsert), 0);
    assert_rows(w->s, "SELECT id, note FROM item ORDER BY id", "1|NULL;2|100");
}

static void add_child(belay_session *s, int round)
{
    belay_exec(s, "INSERT INTO child(parent) VALUES (1)");
    BELAY_ATOMIC(s)
        belay_exec(s, "UPDATE child SET parent = 1 WHERE id % 7 = ?", round % 7);
}

static void children_of_one_parent_are_inserted_by_many_threads_without_an_error(void **state)
{
    world *w = *state;
    char sql[160];
    snprintf(sql, sizeof sql,
             "CREATE TABLE child(id INTEGER %s PRIMARY KEY, parent INTEGER NOT NULL REFERENCES taken(id))",
             on_engine(&w->d, "", "GENERATED BY DEFAULT AS IDENTITY", "AUTO_INCREMENT"));
    belay_exec(w->s, sql);
    /* MariaDB's UPDATE locks every row that it looks at, also those of units that look at this one's: a deadlock. */
    assert_int_equal(write_from_many_threads(w, database_is_mariadb(&w->d) ? 1000 : 0, add_child), 0);
    assert_rows(w->s, "SELECT count(*) FROM child", "100");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(a_locking_read_waits_for_the_holder_and_sees_what_it_left),
        in_world(a_locking_read_keeps_its_order_and_its_limit),
        in_world(skip_locked_waits_for_the_one_lock_as_nothing_else_is_locked),
        in_world(going_back_keeps_the_write_lock_and_the_end_of_the_unit_gives_it_up),
        in_world(a_connection_that_was_given_back_holds_no_lock),
        in_world(a_hundred_nested_scopes_show_nothing_and_hold_others_off_until_the_commit),
        in_world(opening_and_closing_handles_of_a_file_drops_no_lock_on_it),
        in_world(no_thread_that_waits_for_a_connection_gives_up_before_its_limit),
        in_world(children_of_one_parent_are_inserted_by_many_threads_without_an_error),
        in_world(upserts_of_one_key_from_many_threads_make_one_row_and_no_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
