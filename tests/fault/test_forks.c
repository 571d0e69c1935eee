/*
 * test_forks.c - a child after fork that opens a handle of its own on a file that its parent has open, and a fork
 * beside threads that wait.
 *
 * SQLite keeps its records of locks and of shared memory once a process, and a child inherits them without the locks.
 * What a child does by a handle of its own must be as if it had never had a parent: it waits for the parent's locks
 * and for no others, its readers hold theirs, and what it has committed is there. Parent and child go on by turns.
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
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "conn.h"
#include "database.h"
#include "db.h"

/* ---- By turns --------------------------------------------------------------------------------------------------- */

typedef struct turns {
    int mine, other; /* what this process reads, and writes */
    pid_t child;
} turns;

static void pass_turn(const turns *t)
{
    if (write(t->other, "", 1) != 1)
        abort();
}

/* The other process may have ended: then there is nothing to wait for. */
static void await_turn(const turns *t)
{
    char byte;
    while (read(t->mine, &byte, 1) < 0)
        continue;
}

typedef int (*child_part)(const turns *, const char *url);

/* Runs the child's part in a child; what it returns is its exit status. */
static turns start_child(child_part part, const char *url)
{
    int down[2], up[2];
    assert_int_equal(pipe(down) + pipe(up), 0);
    turns t = {.child = fork()};
    bool is_child = t.child == 0;
    t.mine = is_child ? down[0] : up[0];
    t.other = is_child ? up[1] : down[1];
    close(is_child ? down[1] : down[0]);
    close(is_child ? up[0] : up[1]);
    if (!is_child)
        return t;
    signal(SIGALRM, SIG_DFL);
    alarm(30);
    _exit(part(&t, url));
}

static int end_child(turns *t)
{
    int status = -1;
    waitpid(t->child, &status, 0);
    close(t->mine);
    close(t->other);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 100 + WTERMSIG(status);
}

/* ---- The database ----------------------------------------------------------------------------------------------- */

enum { ITEMS = 2000 };

static const char *const journals[] = {"?journal=wal", "?journal=delete"};
enum { WAL, DELETE, JOURNALS };

/* Rows on several hundred pages. */
static void open_items(database *d, int journal)
{
    static const char *const tables[] = {
        "CREATE TABLE item (id INTEGER PRIMARY KEY, value INTEGER NOT NULL, filler TEXT)",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)"
        " INSERT INTO item (id, value, filler) SELECT i, 0, printf('%400d', i) FROM n",
        NULL,
    };
    database_make(d, journals[journal]);
    belay_db_options options = database_options(d, NULL);
    d->db = belay_open(d->url, &options);
    d->s = belay_session_open(d->db);
    database_run(d->s, tables);
}

static belay_code put(belay_session *s, int id, int lock_timeout_ms)
{
    BELAY_ATOMIC_WITH(s, .lock_timeout_ms = lock_timeout_ms)
        belay_exec(s, "INSERT INTO item (id, value) VALUES (?, 0)", id);
    return belay_status(s);
}

static void check_rows(database *d, const char *ids)
{
    if (!d->db)
        d->db = belay_open(d->url, NULL);
    if (!d->s)
        d->s = belay_session_open(d->db);
    assert_rows(d->s, "SELECT id FROM item WHERE id > 2000 ORDER BY id", ids);
    assert_rows(d->s, "PRAGMA integrity_check", "ok");
    assert_int_equal(database_close(d), BELAY_OK);
}

static void close_handle(database *d)
{
    assert_int_equal(belay_session_close(d->s), BELAY_OK);
    belay_close(d->db);
    d->s = NULL;
    d->db = NULL;
}

/* ---- A handle of the child's own -------------------------------------------------------------------------------- */

static int open_and_write(const turns *t, const char *url)
{
    belay_db *db = belay_open(url, NULL);
    belay_session *s = belay_session_open(db);
    bool read = belay_int_of(s, "SELECT count(*) FROM item") == ITEMS;
    pass_turn(t);
    await_turn(t); /* the parent closes */
    bool written = put(s, 3000, 2000) == BELAY_OK;
    belay_session_close(s);
    belay_close(db);
    return read && written ? 0 : 1;
}

static void what_a_child_commits_is_there_though_the_parent_closes_the_file_meanwhile(void **state)
{
    (void)state;
    for (int journal = 0; journal < JOURNALS; journal++) {
        database d;
        open_items(&d, journal);
        turns t = start_child(open_and_write, d.url);
        await_turn(&t);
        close_handle(&d);
        pass_turn(&t);
        assert_int_equal(end_child(&t), 0);
        check_rows(&d, "3000");
    }
}

static int open_the_attached(const turns *t, const char *url)
{
    char own[500];
    snprintf(own, sizeof own, "%.*s.attached", (int)strcspn(url, "?"), url);
    return open_and_write(t, own);
}

static void a_file_that_the_parent_has_attached_is_no_different(void **state)
{
    char path[400];
    database d;
    (void)state;
    open_items(&d, WAL);
    snprintf(path, sizeof path, "%s.attached", d.path);
    belay_exec(d.s, "VACUUM INTO ?", path);
    belay_exec(d.s, "ATTACH ? AS other", path);
    belay_rows_close(belay_query(d.s, "PRAGMA other.journal_mode = wal"));
    assert_int_equal(belay_int_of(d.s, "SELECT count(*) FROM other.item"), ITEMS);
    turns t = start_child(open_the_attached, d.url);
    await_turn(&t);
    close_handle(&d);
    pass_turn(&t);
    assert_int_equal(end_child(&t), 0);
    d.db = belay_open(d.url, NULL);
    d.s = belay_session_open(d.db);
    belay_exec(d.s, "ATTACH ? AS other", path);
    assert_rows(d.s, "SELECT id FROM other.item WHERE id > 2000", "3000");
    check_rows(&d, "");
}

static int write_while_locked_and_then(const turns *t, const char *url)
{
    belay_db *db = belay_open(url, NULL);
    belay_session *s = belay_session_open(db);
    belay_code locked = put(s, 3000, 20);
    pass_turn(t);
    await_turn(t); /* the parent commits */
    belay_code free = put(s, 3001, 2000);
    belay_session_close(s);
    belay_close(db);
    return locked != BELAY_LOCK_TIMEOUT ? 1 : free != BELAY_OK ? 2 : 0;
}

static void a_child_of_a_parent_that_writes_waits_for_its_lock_and_no_longer(void **state)
{
    (void)state;
    for (int journal = 0; journal < JOURNALS; journal++) {
        database d;
        open_items(&d, journal);
        belay_begin(d.s, NULL);
        belay_exec(d.s, "INSERT INTO item (id, value) VALUES (2999, 0)");
        turns t = start_child(write_while_locked_and_then, d.url);
        await_turn(&t);
        assert_int_equal(belay_commit(d.s), BELAY_OK);
        pass_turn(&t);
        assert_int_equal(end_child(&t), 0);
        check_rows(&d, "2999;3001");
    }
}

static int read_twice(const turns *t, const char *url)
{
    int64_t first = 0, changed = 0;
    belay_db *db = belay_open(url, NULL);
    belay_session *s = belay_session_open(db);
    BELAY_READ(s) {
        first = belay_int_of(s, "SELECT value FROM item WHERE id = 1");
        pass_turn(t);
        await_turn(t); /* the parent writes what it can */
        changed = belay_int_of(s, "SELECT count(*) FROM item WHERE value <> 0");
    }
    belay_code code = belay_status(s);
    belay_session_close(s);
    belay_close(db);
    return code != BELAY_OK ? 1 : first != 0 || changed != 0 ? 2 : 0;
}

/* A checkpoint overwrites in the file what no reader needs any more. */
static int write_and_checkpoint(belay_session *s)
{
    int written = 0;
    for (int i = 0; i < 4; i++) {
        BELAY_ATOMIC_WITH(s, .lock_timeout_ms = 20)
            belay_exec(s, "UPDATE item SET value = value + 1");
        written += belay_status(s) == BELAY_OK;
        belay_rows_close(belay_query(s, "PRAGMA wal_checkpoint(PASSIVE)"));
    }
    return written;
}

static void a_child_of_a_parent_that_reads_holds_the_locks_of_its_own_reader(void **state)
{
    (void)state;
    for (int journal = 0; journal < JOURNALS; journal++) {
        database d;
        open_items(&d, journal);
        belay_begin(d.s, BELAY_SCOPE_OPTIONS(.read_only = true));
        belay_int_of(d.s, "SELECT value FROM item WHERE id = 1");
        turns t = start_child(read_twice, d.url);
        await_turn(&t);
        assert_int_equal(belay_commit(d.s), BELAY_OK);
        int written = write_and_checkpoint(d.s);
        pass_turn(&t);
        assert_int_equal(end_child(&t), 0);
        assert_int_equal(written, journal == WAL ? 4 : 0); /* without a log, writers wait for readers */
        check_rows(&d, "");
    }
}

/* The child's handle is open when it forks in its turn. */
static int fork_again(const turns *t, const char *url)
{
    (void)t;
    belay_db *db = belay_open(url, NULL);
    belay_session *s = belay_session_open(db);
    belay_begin(s, NULL);
    belay_exec(s, "INSERT INTO item (id, value) VALUES (2999, 0)");
    turns below = start_child(write_while_locked_and_then, url);
    await_turn(&below);
    belay_code code = belay_commit(s);
    pass_turn(&below);
    int result = end_child(&below);
    belay_session_close(s);
    belay_close(db);
    return code == BELAY_OK ? result : 10;
}

static void a_child_of_a_child_is_no_different(void **state)
{
    (void)state;
    for (int journal = 0; journal < JOURNALS; journal++) {
        database d;
        open_items(&d, journal);
        turns t = start_child(fork_again, d.url);
        assert_int_equal(end_child(&t), 0);
        check_rows(&d, "2999;3001");
    }
}

/* ---- Beside threads that wait ----------------------------------------------------------------------------------- */

enum { WAITERS = 4 };

typedef struct waiter {
    belay_session *s;
    belay_rows *rows; /* a result that was read before */
    int id;
    belay_code code;
    pthread_t thread;
} waiter;

static struct {
    database d;
    waiter waiters[WAITERS];
} the;

static void *wait_and_put(void *arg)
{
    waiter *w = arg;
    w->code = put(w->s, w->id, -1);
    return NULL;
}

static bool has_line(belayi_turnstile *t, bool several)
{
    pthread_mutex_lock(&t->mutex);
    bool waits = t->first && (!several || t->first != t->last);
    pthread_mutex_unlock(&t->mutex);
    return waits;
}

/* The first thread waits in the write queue, with the second connection of two; the others for a connection. */
static void start_waiters(belay_db *db)
{
    const belayi_sqlite_shared *shared = db->shared;
    for (int i = 0; i < WAITERS; i++) {
        waiter *w = &the.waiters[i];
        assert_int_equal(pthread_create(&w->thread, NULL, wait_and_put, w), 0);
        belayi_turnstile *line = i == 0 ? (belayi_turnstile *)(uintptr_t)&shared->writers : &db->pool.places;
        while (!has_line(line, i > 1))
            belayi_clock_sleep_until(belayi_clock_after(1));
    }
}

static int just_exit(const turns *t, const char *url)
{
    (void)t;
    (void)url;
    return 0;
}

static int use_and_close_all(const turns *t, const char *url)
{
    int wrong = 0;
    (void)t;
    (void)url;
    for (int i = 0; i < WAITERS; i++) {
        wrong += belay_exec(the.waiters[i].s, "SELECT 1") != BELAY_MISUSE;
        belay_rows_close(the.waiters[i].rows);
        belay_session_close(the.waiters[i].s);
    }
    belay_session_close(the.d.s);
    belay_close(the.d.db);
    return wrong;
}

static int work_on_its_own(const turns *t, const char *url)
{
    (void)t;
    belay_db *db = belay_open(url, NULL);
    belay_session *s = belay_session_open(db);
    bool read = belay_int_of(s, "SELECT count(*) FROM item") == ITEMS;
    belay_code locked = put(s, 4000, 20);
    belay_session_close(s);
    belay_close(db);
    return !read ? 1 : locked != BELAY_LOCK_TIMEOUT ? 2 : 0;
}

static void fork_beside_waiters(child_part part)
{
    database_make(&the.d, "");
    belay_db_options options = database_options(&the.d, BELAY_DB_OPTIONS(.pool_size = 2, .pool_timeout_ms = -1));
    the.d.db = belay_open(the.d.url, &options);
    the.d.s = belay_session_open(the.d.db);
    assert_int_equal(belay_exec(the.d.s, "CREATE TABLE item AS WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL"
                                         " SELECT id + 1 FROM n WHERE id < 2000) SELECT id, 0 AS value FROM n"),
                     BELAY_OK);
    for (int i = 0; i < WAITERS; i++) {
        belay_session *s = belay_session_open(the.d.db);
        the.waiters[i] = (waiter){.s = s, .id = 3000 + i, .rows = belay_query(s, "SELECT 1")};
    }
    belay_begin(the.d.s, NULL);
    belay_exec(the.d.s, "INSERT INTO item (id, value) VALUES (2999, 0)");
    start_waiters(the.d.db);
    turns t = start_child(part, the.d.url);
    int result = end_child(&t);
    belay_code committed = belay_commit(the.d.s);
    int failed = 0;
    for (int i = 0; i < WAITERS; i++) {
        pthread_join(the.waiters[i].thread, NULL);
        belay_rows_close(the.waiters[i].rows);
        failed += the.waiters[i].code != BELAY_OK || belay_session_close(the.waiters[i].s) != BELAY_OK;
    }
    assert_int_equal(result, 0);
    assert_int_equal(committed, BELAY_OK);
    assert_int_equal(failed, 0);
    check_rows(&the.d, "2999;3000;3001;3002;3003");
}

static void a_child_that_exits_beside_waiting_threads_harms_nobody(void **state)
{
    (void)state;
    fork_beside_waiters(just_exit);
}

static void a_child_that_closes_what_it_inherited_beside_waiting_threads_harms_nobody(void **state)
{
    (void)state;
    fork_beside_waiters(use_and_close_all);
}

static void a_child_with_a_handle_of_its_own_beside_waiting_threads_works(void **state)
{
    (void)state;
    fork_beside_waiters(work_on_its_own);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_child_commits_is_there_though_the_parent_closes_the_file_meanwhile),
        cmocka_unit_test(a_file_that_the_parent_has_attached_is_no_different),
        cmocka_unit_test(a_child_of_a_parent_that_writes_waits_for_its_lock_and_no_longer),
        cmocka_unit_test(a_child_of_a_parent_that_reads_holds_the_locks_of_its_own_reader),
        cmocka_unit_test(a_child_of_a_child_is_no_different),
        cmocka_unit_test(a_child_that_exits_beside_waiting_threads_harms_nobody),
        cmocka_unit_test(a_child_that_closes_what_it_inherited_beside_waiting_threads_harms_nobody),
        cmocka_unit_test(a_child_with_a_handle_of_its_own_beside_waiting_threads_works),
    };
    unsetenv("BELAY_TEST_URL");
    return cmocka_run_group_tests_name("forks", tests, NULL, NULL);
}
