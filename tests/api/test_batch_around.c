/*
 * belay_batch: where a batch may be, in a pipeline, beside the engine's own handle, and when an item does not return.
 */
#include "batch_orders.h"

#include <pthread.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <belay/testing.h>

/* ---- Where a batch may be ---------------------------------------------------------------------------------------- */

static int batch_in_item(belay_session *s, size_t i, void *arg)
{
    static const char *const inside[] = {".f.", "..x", "x..", "..."};
    orders *all = arg;
    all->letters = inside[i];
    put(s, 100 + (int)i);
    belay_exec(s, "DELETE FROM item WHERE id < 10");
    belay_batch(s, 3, do_item, all, tell);
    return i == 1 ? 5 : 0;
}

static void a_batch_may_run_in_an_item_of_another(void **state)
{
    world *w = *state;
    o = (orders){.letters = NULL};
    assert_code(belay_batch(w->s, 3, batch_in_item, &o, NULL), BELAY_OK);
    assert_stored(w, "2;3;100;102");
    assert_int_equal(o.balance, 2 + 2); /* those of the first, whose rows the third has deleted, are kept */
}

static int write_by_handle(belay_session *s, size_t i, void *arg)
{
    char sql[80];
    (void)arg;
    snprintf(sql, sizeof sql, "INSERT INTO item(id) VALUES (%zu)", i + 1);
    sqlite3_exec(belay_native(s), sql, NULL, NULL, NULL);
    return i == 2;
}

static void what_an_item_does_with_the_engines_handle_is_undone_with_it(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    assert_code(belay_batch(w->s, 5, write_by_handle, NULL, NULL), BELAY_OK);
    assert_stored(w, "1;2;4;5");
    BELAY_ATOMIC(w->s) {
        belay_exec(w->s, "DELETE FROM item");
        belay_native(w->s);
        belay_batch(w->s, 5, write_by_handle, NULL, NULL);
    }
    assert_stored(w, "1;2;4;5");
}

static int write_by_lent_handle(belay_session *s, size_t i, void *arg)
{
    char sql[80];
    (void)s;
    snprintf(sql, sizeof sql, "INSERT INTO item(id) VALUES (%zu)", i + 1);
    sqlite3_exec(arg, sql, NULL, NULL, NULL);
    return i == 2;
}

static void a_handle_that_was_lent_before_the_batch_writes_into_the_item_too(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    BELAY_ATOMIC(w->s) {
        belay_batch(w->s, 5, write_by_lent_handle, belay_native(w->s), NULL);
    }
    assert_status(w->s, BELAY_OK);
    assert_stored(w, "1;2;4;5");
}

static int end_by_handle(belay_session *s, size_t i, void *arg)
{
    sqlite3 **handle = arg;
    if (i == 0 && !*handle)
        *handle = belay_native(s);
    return sqlite3_exec(*handle, i == 0 ? "COMMIT" : "INSERT INTO item(id) VALUES (7)", NULL, NULL, NULL);
}

static void a_transaction_that_an_item_ends_by_the_handle_ends_the_batch(void **state)
{
    world *w = *state;
    sqlite3 *handle = NULL;
    only_on_sqlite(w);
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        belay_batch(w->s, 5, end_by_handle, &handle, NULL);
    }
    assert_status(w->s, BELAY_MISUSE);
    BELAY_ATOMIC(w->s) {
        put(w->s, 2);
        handle = belay_native(w->s);
        belay_batch(w->s, 5, end_by_handle, &handle, NULL);
    }
    assert_status(w->s, BELAY_MISUSE);
    assert_stored(w, "1;2"); /* which the program has committed: and nothing came after it */
}

static void a_sandbox_takes_a_batch_too(void **state)
{
    world *w = *state;
    belay_session *box = belay_sandbox(w->d.db);
    assert_code(do_orders(box, "..x.d"), BELAY_DEADLOCK);
    assert_code(do_orders(box, "..x.f"), BELAY_OK);
    const char *seen = rows_of(box, "SELECT id FROM item ORDER BY id");
    assert_string_equal(seen, "1;2;4");
    belay_session_close(box);
    assert_stored(w, "");
}

static void in_a_transaction_of_the_programs_a_batch_works_as_anywhere(void **state)
{
    world *w = *state;
    sqlite3 *own = NULL;
    only_on_sqlite(w);
    assert_int_equal(sqlite3_open(w->d.path, &own), SQLITE_OK);
    sqlite3_exec(own, "BEGIN; INSERT INTO item(id) VALUES (50)", NULL, NULL, NULL);
    belay_session *s = belay_adopt_sqlite(own);
    belay_code code = do_orders(s, "..x.f.");
    belay_session_close(s);
    int committed = sqlite3_exec(own, "COMMIT", NULL, NULL, NULL);
    sqlite3_close(own);
    assert_code(code, BELAY_OK);
    assert_int_equal(committed, SQLITE_OK);
    assert_string_equal(o.told, "2 UNIQUE;4 UNIQUE;");
    assert_stored(w, "1;2;4;6;50");
}

/* ---- A pipeline -------------------------------------------------------------------------------------------------- */

static int trips;

static void count_trips(void *arg, const belay_trace_event *event)
{
    (void)arg;
    trips += event->round_trips;
}

static void in_a_pipeline_many_items_leave_in_one_flight(void **state)
{
    world *w = *state;
    belay_db *db = open_again(w, BELAY_DB_OPTIONS(.trace = count_trips));
    belay_session *s = belay_session_open(db);
    int needed = 0;
    o = (orders){.letters = NULL};
    BELAY_ATOMIC_WITH(s, .pipeline = true) {
        put(s, 3000);
        belay_status(s);
        trips = 0;
        belay_batch(s, 1000, do_item, &o, tell);
        needed = trips;
    }
    belay_code code = belay_status(s);
    belay_session_close(s);
    belay_close(db);
    assert_code(code, BELAY_OK);
    assert_int_equal(o.all_runs, 1000);
    if (!database_is_sqlite(&w->d) && !database_is_mariadb(&w->d))
        assert_in_range(needed, 1, 40);
}

static void in_a_pipeline_a_failure_is_blamed_on_the_item_that_queued_it(void **state)
{
    world *w = *state;
    belay_code code = BELAY_IO;
    BELAY_ATOMIC_WITH(w->s, .pipeline = true) {
        code = do_orders(w->s, "....f......x..");
    }
    assert_code(code, BELAY_OK);
    assert_status(w->s, BELAY_OK);
    assert_string_equal(o.told, "4 UNIQUE;11 UNIQUE;");
    assert_int_equal(o.balance, 12);
    assert_stored(w, "1;2;3;4;6;7;8;9;10;11;13;14");
}

static void in_a_pipeline_only_what_stood_before_a_failure_runs_again(void **state)
{
    world *w = *state;
    static char far[1001];
    memset(far, '.', 1000);
    far[700] = 'x';
    BELAY_ATOMIC_WITH(w->s, .pipeline = true)
        do_orders(w->s, far);
    assert_status(w->s, BELAY_OK);
    assert_string_equal(o.told, "700 UNIQUE;");
    assert_in_range(o.all_runs, 1000, 1520); /* a chunk of 512, and what was before it in there */
}

/* ---- Items that do not return ------------------------------------------------------------------------------------ */

static int leave_the_thread(belay_session *s, size_t i, void *arg)
{
    if (i == 3)
        pthread_exit(NULL);
    return do_item(s, i, arg);
}

static void *run_in_thread(void *arg)
{
    o = (orders){.letters = "......"};
    BELAY_ATOMIC((belay_session *)arg)
        belay_batch((belay_session *)arg, 6, leave_the_thread, &o, NULL);
    return NULL;
}

static void a_thread_that_ends_in_an_item_abandons_the_batch(void **state)
{
    world *w = *state;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, run_in_thread, w->s), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(belay_depth(w->s), 0);
    assert_status(w->s, BELAY_ABANDONED);
    assert_int_equal(o.balance, 0);
    assert_int_equal(o.freed, 3);
    assert_stored(w, "");
}

static int fork_in_item(belay_session *s, size_t i, void *arg)
{
    if (i == 1)
        *(pid_t *)arg = fork();
    return put(s, (int)i + 1) != BELAY_OK;
}

static void a_child_that_an_item_forks_can_do_nothing_with_the_batch(void **state)
{
    world *w = *state;
    pid_t child = -1;
    int result = -1;
    belay_code code = belay_batch(w->s, 3, fork_in_item, &child, NULL);
    if (child == 0)
        _exit(code == BELAY_MISUSE ? 0 : 1);
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_int_equal(result, 0);
    assert_code(code, BELAY_OK);
    assert_stored(w, "1;2;3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(a_batch_may_run_in_an_item_of_another),
        in_world(what_an_item_does_with_the_engines_handle_is_undone_with_it),
        in_world(a_handle_that_was_lent_before_the_batch_writes_into_the_item_too),
        in_world(a_transaction_that_an_item_ends_by_the_handle_ends_the_batch),
        in_world(a_sandbox_takes_a_batch_too),
        in_world(in_a_transaction_of_the_programs_a_batch_works_as_anywhere),
        in_world(in_a_pipeline_many_items_leave_in_one_flight),
        in_world(in_a_pipeline_a_failure_is_blamed_on_the_item_that_queued_it),
        in_world(in_a_pipeline_only_what_stood_before_a_failure_runs_again),
        in_world(a_thread_that_ends_in_an_item_abandons_the_batch),
        in_world(a_child_that_an_item_forks_can_do_nothing_with_the_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
