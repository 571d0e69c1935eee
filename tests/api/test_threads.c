/*
 * Two threads on one session, many sessions on a small pool, handles used from
 * any thread, threads that are cancelled. To be run under the thread sanitizer
 * as well.
 */
#include "support.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

/* ---- Two threads on one session ---------------------------------------------------------------------------- */

/* The log is called while the owner is inside a call: there the intruder makes its own. */
typedef struct intrusion {
    belay_session *s;
    atomic_bool done;
    belay_code exec, status, begin, fail, commit;
    bool next, caught, query;
} intrusion;

static void *intrude(void *arg)
{
    intrusion *i = arg;
    i->exec = put(i->s, 66);
    i->status = belay_status(i->s);
    i->begin = belay_begin(i->s, NULL);
    i->fail = belay_fail(i->s, BELAY_APPLICATION, "from outside");
    i->commit = belay_commit(i->s);
    i->caught = belay_catch(i->s, BELAY_ANY);
    i->query = belay_query(i->s, "SELECT 1") != NULL;
    return NULL;
}

static void let_intrude(void *arg, belay_log_level level, const char *line)
{
    intrusion *i = arg;
    pthread_t thread;
    (void)level;
    (void)line;
    if (atomic_exchange(&i->done, true))
        return;
    pthread_create(&thread, NULL, intrude, i);
    pthread_join(thread, NULL);
}

static void assert_refused(const intrusion *i)
{
    assert_true(atomic_load(&i->done));
    assert_code(i->exec, BELAY_MISUSE);
    assert_code(i->status, BELAY_MISUSE);
    assert_code(i->begin, BELAY_MISUSE);
    assert_code(i->fail, BELAY_MISUSE);
    assert_code(i->commit, BELAY_MISUSE);
    assert_false(i->caught);
    assert_false(i->query);
}

static void a_call_while_another_thread_is_in_one_is_refused_and_pending_for_the_owner(void **state)
{
    world *w = *state;
    intrusion i = {0};
    belay_db *db = belay_open(w->d.url, BELAY_DB_OPTIONS(.log = let_intrude, .log_arg = &i));
    i.s = belay_session_open(db);
    clash(i.s); /* nobody reads it: it is logged when the next scope begins */
    BELAY_ATOMIC(i.s) {
        assert_refused(&i);
        assert_code(put(i.s, 1), BELAY_MISUSE);
        assert_contains(belay_message(i.s), "thread");
    }
    assert_code(belay_status(i.s), BELAY_MISUSE);
    assert_stored(w, "");
    assert_code(put(i.s, 2), BELAY_OK); /* afterwards it works again */
    assert_stored(w, "2");
    belay_session_close(i.s);
    belay_close(db);
}

static void the_owners_scope_does_not_commit_when_another_threads_call_was_refused(void **state)
{
    world *w = *state;
    intrusion i = {0};
    belay_db *db = belay_open(w->d.url, BELAY_DB_OPTIONS(.log = let_intrude, .log_arg = &i));
    i.s = belay_session_open(db);
    clash(i.s);
    BELAY_ATOMIC(i.s) {
    } /* the end of the block is the owner's next call */
    assert_code(belay_status(i.s), BELAY_MISUSE);
    belay_session_close(i.s);
    belay_close(db);
}

static void use_session_from_log(void *arg, belay_log_level level, const char *line)
{
    intrusion *i = arg;
    (void)level;
    (void)line;
    if (!atomic_exchange(&i->done, true))
        intrude(i);
}

static void a_log_must_not_use_the_session_that_it_is_called_for_and_is_refused(void **state)
{
    world *w = *state;
    intrusion i = {0};
    belay_db *db = belay_open(w->d.url, BELAY_DB_OPTIONS(.log = use_session_from_log, .log_arg = &i));
    i.s = belay_session_open(db);
    clash(i.s);
    BELAY_ATOMIC(i.s) {
        assert_refused(&i);
        put(i.s, 1);
    }
    assert_code(belay_status(i.s), BELAY_MISUSE);
    assert_stored(w, "");
    belay_session_close(i.s);
    belay_close(db);
}

typedef struct worker {
    belay_session *s;
    belay_db *db;
    atomic_int *go;
    int from, done, refused;
} worker;

static void *hammer(void *arg)
{
    worker *me = arg;
    atomic_fetch_add(me->go, 1);
    while (atomic_load(me->go) < 2)
        continue;
    for (int i = 0; i < 300; i++) {
        belay_code code = put(me->s, me->from + i);
        me->done += code == BELAY_OK;
        me->refused += code == BELAY_MISUSE;
    }
    return NULL;
}

static void two_threads_on_one_session_lose_no_work_in_silence(void **state)
{
    world *w = *state;
    atomic_int go = 0;
    worker workers[2] = {{.s = w->s, .go = &go, .from = 1}, {.s = w->s, .go = &go, .from = 1001}};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, hammer, &workers[i]);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 2; i++)
        assert_int_equal(workers[i].done + workers[i].refused, 300);
    assert_int_equal(belay_int_of(w->other, "SELECT count(*) FROM item"), workers[0].done + workers[1].done);
}

static void *put_one(void *arg)
{
    worker *me = arg;
    me->done = put(me->s, me->from) == BELAY_OK;
    return NULL;
}

static void a_session_may_move_from_thread_to_thread(void **state)
{
    world *w = *state;
    pthread_t thread;
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        worker other = {.s = w->s, .from = 2};
        pthread_create(&thread, NULL, put_one, &other);
        pthread_join(thread, NULL);
        assert_int_equal(other.done, 1);
    }
    assert_status(w->s, BELAY_OK);
    assert_stored(w, "1;2");
}

/* ---- Many sessions ---------------------------------------------------------------------------------------------- */

enum { THREADS = 16, ROUNDS = 25 };

static void *transfer(void *arg)
{
    worker *me = arg;
    belay_session *s = belay_session_open(me->db);
    for (int i = 0; i < ROUNDS; i++) {
        BELAY_ATOMIC(s) {
            belay_exec(s, "UPDATE purse SET amount = amount - 1 WHERE id = ?", me->from);
            BELAY_ATOMIC(s)
                belay_exec(s, "UPDATE purse SET amount = amount + 1 WHERE id = ?", (me->from + 1) % THREADS);
            if (i % 5 == 4)
                belay_undo(s);
        }
        belay_code code = belay_status(s);
        me->done += code == BELAY_OK;
        me->refused += code != BELAY_OK && code != BELAY_ROLLED_BACK;
        BELAY_READ(s)
            if (belay_int_of(s, "SELECT sum(amount) FROM purse") != 0)
                me->refused += 1000;
    }
    me->refused += belay_session_close(s) != BELAY_OK;
    return NULL;
}

static void sixteen_threads_work_through_a_pool_of_three(void **state)
{
    world *w = *state;
    worker workers[THREADS];
    pthread_t threads[THREADS];
    belay_db *db = open_again(w, BELAY_DB_OPTIONS(.pool_size = 3, .lock_timeout_ms = -1, .pool_timeout_ms = -1));
    belay_exec(w->s, "CREATE TABLE purse(id INTEGER PRIMARY KEY, amount INTEGER)");
    for (int i = 0; i < THREADS; i++)
        belay_exec(w->s, "INSERT INTO purse VALUES (?, 0)", i);
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (worker){.db = db, .from = i};
        pthread_create(&threads[i], NULL, transfer, &workers[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(workers[i].done, ROUNDS / 5 * 4);
        assert_int_equal(workers[i].refused, 0);
    }
    belay_close(db);
    assert_rows(w->s, "SELECT count(*), sum(amount), min(amount), max(amount) FROM purse", "16|0|0|0");
}

static void *wait_in_vain(void *arg)
{
    worker *me = arg;
    belay_session *s = belay_session_open(me->db);
    me->refused = belay_exec(s, "SELECT 1") == BELAY_TOO_MANY;
    belay_session_close(s);
    return NULL;
}

static void threads_that_wait_in_vain_for_a_connection_all_get_too_many(void **state)
{
    world *w = *state;
    worker workers[8];
    pthread_t threads[8];
    belay_db *db = open_again(w, BELAY_DB_OPTIONS(.pool_size = 1, .pool_timeout_ms = 50));
    belay_session *s = belay_session_open(db);
    BELAY_ATOMIC(s) {
        put(s, 1);
        for (int i = 0; i < 8; i++) {
            workers[i] = (worker){.db = db};
            pthread_create(&threads[i], NULL, wait_in_vain, &workers[i]);
        }
        for (int i = 0; i < 8; i++) {
            pthread_join(threads[i], NULL);
            assert_int_equal(workers[i].refused, 1);
        }
    }
    assert_code(belay_session_close(s), BELAY_OK);
    belay_close(db);
    assert_stored(w, "1");
}

static void *ask_error(void *arg)
{
    worker *me = arg;
    for (int i = 0; i < 200; i++)
        me->done += belay_db_error(me->db) != NULL &&
                    belay_db_engine(me->db)[0] != 0; /* what it points to is another call's soon */
    return NULL;
}

static void a_handle_may_be_used_from_any_thread(void **state)
{
    world *w = *state;
    worker workers[4];
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        workers[i] = (worker){.db = w->d.db};
        pthread_create(&threads[i], NULL, ask_error, &workers[i]);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(workers[i].done, 200);
    }
}

/* ---- Threads that end inside a block ---------------------------------------------------------------------------- */

static void *end_inside(void *arg)
{
    worker *me = arg;
    BELAY_ATOMIC(me->s) {
        put(me->s, 1);
        BELAY_ATOMIC(me->s) {
            put(me->s, 2);
            pthread_exit(NULL);
        }
    }
    return NULL;
}

static void *wait_inside(void *arg)
{
    worker *me = arg;
    BELAY_ATOMIC(me->s) {
        put(me->s, 1);
        atomic_store(me->go, 1);
        for (;;)
            pause();
    }
    return NULL;
}

static void pthread_exit_through_a_block_rolls_it_back(void **state)
{
    world *w = *state;
    pthread_t thread;
    worker other = {.s = w->s};
    pthread_create(&thread, NULL, end_inside, &other);
    pthread_join(thread, NULL);
    assert_int_equal(belay_depth(w->s), 0);
    assert_status(w->s, BELAY_ABANDONED);
    assert_stored(w, "");
    assert_code(put(w->s, 3), BELAY_OK);
}

static void a_thread_that_is_cancelled_inside_a_block_rolls_it_back(void **state)
{
    world *w = *state;
    pthread_t thread;
    atomic_int go = 0;
    worker other = {.s = w->s, .go = &go};
    pthread_create(&thread, NULL, wait_inside, &other);
    while (!atomic_load(&go))
        pause_ms(1);
    pthread_cancel(thread);
    pthread_join(thread, NULL);
    assert_int_equal(belay_depth(w->s), 0);
    assert_status(w->s, BELAY_ABANDONED);
    assert_code(put(w->other, 3), BELAY_OK); /* the connection and the lock were given back */
    assert_stored(w, "3");
}

/* ---- On a small stack ------------------------------------------------------------------------------------------- */

static void *nest_deep(void *arg)
{
    worker *me = arg;
    for (int i = 0; i < 1000; i++)
        belay_begin(me->s, NULL);
    put(me->s, 1);
    for (int i = 0; i < 1000; i++)
        me->refused += belay_commit(me->s) != BELAY_OK;
    BELAY_ATOMIC_WITH(me->s, .retries = 1, .backoff_ms = 1, .name = "small")
        clash(me->s);
    me->done = belay_message(me->s) != NULL;
    return NULL;
}

static void a_stack_of_sixty_four_kilobytes_is_enough(void **state)
{
    world *w = *state;
    pthread_t thread;
    pthread_attr_t small;
    worker other = {.s = w->s};
    pthread_attr_init(&small);
    assert_int_equal(pthread_attr_setstacksize(&small, 64 * 1024), 0);
    assert_int_equal(pthread_create(&thread, &small, nest_deep, &other), 0);
    pthread_join(thread, NULL);
    pthread_attr_destroy(&small);
    assert_int_equal(other.refused, 0);
    assert_int_equal(other.done, 1);
    assert_stored(w, "1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(a_call_while_another_thread_is_in_one_is_refused_and_pending_for_the_owner),
        in_world(the_owners_scope_does_not_commit_when_another_threads_call_was_refused),
        in_world(a_log_must_not_use_the_session_that_it_is_called_for_and_is_refused),
        in_world(two_threads_on_one_session_lose_no_work_in_silence),
        in_world(a_session_may_move_from_thread_to_thread),
        in_world(sixteen_threads_work_through_a_pool_of_three),
        in_world(threads_that_wait_in_vain_for_a_connection_all_get_too_many),
        in_world(a_handle_may_be_used_from_any_thread),
        in_world(pthread_exit_through_a_block_rolls_it_back),
        in_world(a_thread_that_is_cancelled_inside_a_block_rolls_it_back),
        in_world(a_stack_of_sixty_four_kilobytes_is_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
