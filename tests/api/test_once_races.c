/*
 * Several at once under one key: threads on one handle, handles, processes, and
 * somebody who holds the lock. To be run under the thread sanitizer as well.
 */
#include "once.h"

#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum { KEYS = 6 };

/* ---- One worker ------------------------------------------------------------------------------------------------- */

typedef struct worker {
    belay_db *db;
    int first;     /* which key it begins with */
    int row;       /* its rows begin here: no two workers have the same */
    int ran, done; /* keys that it did itself, and that it found done */
    int wrong;     /* units that ended in another way */
    int bodies;    /* how often a body ran */
} worker;

/* Does every key, beginning with one of its own. */
static void work(worker *w)
{
    char key[32];
    belay_session *s = belay_session_open(w->db);
    for (int i = 0; i < KEYS; i++) {
        int number = (w->first + i) % KEYS;
        snprintf(key, sizeof key, "payment-%d", number);
        BELAY_ATOMIC_WITH(s, .once = key, .name = "pay", .retries = 100, .backoff_ms = 1, .lock_timeout_ms = 20000) {
            w->bodies++;
            belay_exec(s, "INSERT INTO item(id, note) VALUES (?, ?)", w->row + number, key);
        }
        if (belay_status(s) != BELAY_OK)
            w->wrong++;
        else if (belay_already_done(s))
            w->done++;
        else
            w->ran++;
    }
    belay_session_close(s);
}

static void *run_worker(void *arg)
{
    work(arg);
    return NULL;
}

static const char each_key_once[] = "payment-0|1;payment-1|1;payment-2|1;payment-3|1;payment-4|1;payment-5|1";

static void assert_each_key_done_once(const world *w)
{
    assert_rows(w->other, "SELECT note, count(*) FROM item GROUP BY note ORDER BY note", each_key_once);
    assert_rows(w->other, "SELECT once_key, count(*) FROM belay_once GROUP BY once_key ORDER BY once_key",
                each_key_once);
}

/* All at once, on a fresh database: they also make the table at once. Each has `db`, or opens one of its own. */
static void run_threads(world *w, int count, belay_db *db)
{
    worker workers[16];
    pthread_t threads[16];
    int ran = 0;
    for (int i = 0; i < count; i++) {
        workers[i] = (worker){.db = db ? db : open_again(w, NULL), .first = i % KEYS, .row = i * KEYS};
        pthread_create(&threads[i], NULL, run_worker, &workers[i]);
    }
    for (int i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
        if (!db)
            belay_close(workers[i].db);
        assert_int_equal(workers[i].wrong, 0);
        assert_int_equal(workers[i].ran + workers[i].done, KEYS);
        assert_int_equal(workers[i].bodies, workers[i].ran);
        ran += workers[i].ran;
    }
    assert_int_equal(ran, KEYS);
    assert_each_key_done_once(w);
}

/* ---- Threads
 * ------------------------------------------------------------------------------------------------------------
 */

static void of_two_threads_with_the_same_keys_exactly_one_does_each(void **state)
{
    world *w = *state;
    run_threads(w, 2, w->d.db);
}

static void sixteen_threads_of_one_handle_do_each_key_once(void **state)
{
    world *w = *state;
    belay_db *db = open_again(w, BELAY_DB_OPTIONS(.pool_size = 3));
    run_threads(w, 16, db);
    belay_close(db);
}

static void handles_that_share_no_queue_do_each_key_once(void **state)
{
    world *w = *state;
    run_threads(w, 4, NULL);
}

/* ---- Processes
 * ------------------------------------------------------------------------------------------------------------
 */

extern char **environ;

/* This program, run as a worker: its exit status is how many keys it did itself; 100 when anything went wrong. */
static int run_as_worker(const char *url, int first)
{
    worker w = {.db = belay_open(url, NULL), .first = first, .row = first * KEYS};
    work(&w);
    belay_close(w.db);
    return w.wrong > 0 || w.bodies != w.ran || w.ran + w.done != KEYS ? 100 : w.ran;
}

static void processes_with_the_same_keys_do_each_once(void **state)
{
    enum { PROCESSES = 4 };
    world *w = *state;
    pid_t pids[PROCESSES];
    int ran = 0;
    for (int i = 0; i < PROCESSES; i++) {
        char first[8];
        snprintf(first, sizeof first, "%d", i);
        char *const command[] = {"/proc/self/exe", "--worker", w->d.url, first, NULL};
        assert_int_equal(posix_spawn(&pids[i], command[0], NULL, NULL, command, environ), 0);
    }
    for (int i = 0; i < PROCESSES; i++) {
        int status = 0;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_true(WIFEXITED(status));
        assert_in_range(WEXITSTATUS(status), 0, KEYS);
        ran += WEXITSTATUS(status);
    }
    assert_int_equal(ran, KEYS);
    assert_each_key_done_once(w);
}

/* ---- One waits for the other
 * -----------------------------------------------------------------------------------------------
 */

typedef struct pair {
    world *w;
    bool undo; /* the first one */
    int second_runs;
    bool second_skipped;
    belay_code second_code;
    pthread_t thread;
} pair;

static void *be_second(void *arg)
{
    pair *p = arg;
    belay_session *s = belay_session_open(p->w->d.db);
    p->second_runs = put_once(s, "a", 2);
    p->second_skipped = belay_already_done(s);
    p->second_code = belay_status(s);
    belay_session_close(s);
    return NULL;
}

static void run_pair(pair *p)
{
    put_once(p->w->s, "before", 10); /* the table is there */
    BELAY_ATOMIC_WITH(p->w->s, .once = "a") {
        put(p->w->s, 1);
        pthread_create(&p->thread, NULL, be_second, p);
        pause_ms(50); /* it comes now */
        if (p->undo)
            belay_undo(p->w->s);
    }
    pthread_join(p->thread, NULL);
    assert_code(p->second_code, BELAY_OK);
}

static void the_second_waits_for_the_first_and_is_skipped_when_that_commits(void **state)
{
    pair p = {.w = *state};
    run_pair(&p);
    assert_int_equal(p.second_runs, 0);
    assert_true(p.second_skipped);
    assert_stored(p.w, "1;10");
}

static void the_second_runs_when_the_first_is_rolled_back(void **state)
{
    pair p = {.w = *state, .undo = true};
    run_pair(&p);
    assert_int_equal(p.second_runs, 1);
    assert_false(p.second_skipped);
    assert_stored(p.w, "2;10");
}

/* ---- Somebody else holds the lock
 * ---------------------------------------------------------------------------------------------
 */

static void a_lock_held_elsewhere_fails_the_unit_before_its_body(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    for (int there = 0; there < 2; there++) { /* the table */
        int runs = 0;
        void *lock = hold_write_lock(w);
        BELAY_ATOMIC_WITH(w->s, .once = "a", .lock_timeout_ms = 20, .retries = 2, .backoff_ms = 1)
            runs++;
        belay_code code = belay_status(w->s);
        int attempt = belay_pending(w->s)->attempt;
        let_go(lock);
        assert_code(code, BELAY_LOCK_TIMEOUT);
        assert_int_equal(attempt, 3);
        assert_int_equal(runs, 0);
        assert_false(belay_already_done(w->s));
        put_once(w->s, "other", 9);
        assert_keys(w, "other|done");
    }
}

static void let_go_at_retry(void *arg, const belay_trace_event *event)
{
    void **lock = arg;
    if (event->kind != BELAY_TRACE_RETRY)
        return;
    let_go(*lock);
    *lock = NULL;
}

static void a_unit_that_could_not_take_its_key_is_retried(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    for (int there = 0; there < 2; there++) {
        char key[8];
        int runs = 0;
        void *lock = hold_write_lock(w);
        belay_db *db = open_again(w, BELAY_DB_OPTIONS(.trace = let_go_at_retry, .trace_arg = &lock));
        belay_session *s = belay_session_open(db);
        snprintf(key, sizeof key, "%d", there);
        BELAY_ATOMIC_WITH(s, .once = key, .lock_timeout_ms = 20, .retries = 2, .backoff_ms = 1) {
            runs++;
            put(s, there);
        }
        belay_code code = belay_status(s);
        belay_session_close(s);
        belay_close(db);
        assert_code(code, BELAY_OK);
        assert_int_equal(runs, 1);
    }
    assert_stored(w, "0;1");
    assert_keys(w, "0|done;1|done");
}

/* Somebody has done something to the table: here a trigger that drops every key in silence. */
static void a_key_that_is_neither_taken_nor_there_is_never_taken_for_one_that_is_done(void **state)
{
    world *w = *state;
    int bodies = 0;
    only_on_sqlite(w);
    BELAY_ATOMIC_WITH(w->s, .once = "first")
        put(w->s, 1);
    belay_exec(w->s, "CREATE TRIGGER drops BEFORE INSERT ON belay_once BEGIN SELECT RAISE(IGNORE); END");
    BELAY_ATOMIC_WITH(w->s, .once = "second") {
        bodies++;
        put(w->s, 2);
    }
    assert_status(w->s, BELAY_SERIALIZATION);
    assert_contains(belay_message(w->s), "the key \"second\" of .once was neither taken nor is it there");
    assert_int_equal(belay_pending(w->s)->outcome, BELAY_WORK_ROLLED_BACK);
    assert_false(belay_already_done(w->s));
    assert_int_equal(bodies, 0);
    assert_stored(w, "1");
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "--worker") == 0)
        return run_as_worker(argv[2], atoi(argv[3]));
    const struct CMUnitTest tests[] = {
        in_world(of_two_threads_with_the_same_keys_exactly_one_does_each),
        in_world(sixteen_threads_of_one_handle_do_each_key_once),
        in_world(handles_that_share_no_queue_do_each_key_once),
        in_world(processes_with_the_same_keys_do_each_once),
        in_world(the_second_waits_for_the_first_and_is_skipped_when_that_commits),
        in_world(the_second_runs_when_the_first_is_rolled_back),
        in_world(a_lock_held_elsewhere_fails_the_unit_before_its_body),
        in_world(a_unit_that_could_not_take_its_key_is_retried),
        in_world(a_key_that_is_neither_taken_nor_there_is_never_taken_for_one_that_is_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
