/*
 * belay_batch: each item is kept or rejected alone, whatever it does, and however often it runs. That all of it is as
 * in a unit for each item is proved at random in test_batch_random.c.
 */
#include "support.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <belay/testing.h>

/* ---- Items that follow orders ----------------------------------------------------------------------------------- */

enum { MOST = 2000 };

/* What an item does; those without an order put a row. */
typedef struct orders {
    const char *letters; /* by item: see do_item */
    int runs[MOST];
    int all_runs;
    char told[200]; /* rejections: item and code */
    int balance;    /* of what the program keeps in memory: one more for each item that is kept */
    int undone;     /* how many runs told that they were undone */
    int freed;
    belay_session *seen;
} orders;

static int take_back(belay_session *s, void *arg)
{
    orders *o = arg;
    (void)s;
    o->balance--;
    o->undone++;
    return 0;
}

static void count_freed(void *arg)
{
    ((orders *)arg)->freed++;
}

static int do_order(belay_session *s, char letter, int id, orders *o)
{
    switch (letter) {
    case 'x': /* fails when it has done something */
        put(s, id);
        clash(s);
        return 0;
    case 'f': /* fails before */
        clash(s);
        return 0;
    case 'r':
        put(s, id);
        return 7;
    case 'u':
        put(s, id);
        belay_undo(s);
        return 0;
    case 'o': /* a scope that is left open */
        belay_begin(s, NULL);
        put(s, id);
        return 0;
    case 'd': /* ends the transaction */
        belay_fail(s, BELAY_DEADLOCK, "a deadlock");
        return 0;
    default:
        put(s, id);
        o->balance++;
        belay_on_rollback(s, take_back, o, count_freed);
        return 0;
    }
}

/* Item i puts row i + 1. */
static int do_item(belay_session *s, size_t i, void *arg)
{
    orders *o = arg;
    char letter = o->letters && i < strlen(o->letters) ? o->letters[i] : '.';
    o->runs[i]++;
    o->all_runs++;
    return do_order(s, letter, (int)i + 1, o);
}

static void tell(belay_session *s, size_t i, const belay_error *error, void *arg)
{
    orders *o = arg;
    size_t size = strlen(o->told);
    (void)s;
    snprintf(o->told + size, sizeof o->told - size, "%zu %s;", i, belay_code_name(error->code));
}

static orders o; /* large; each test begins it anew */

static belay_code do_orders(belay_session *s, const char *letters)
{
    o = (orders){.letters = letters};
    return belay_batch(s, strlen(letters), do_item, &o, tell);
}

/* ---- Kept and rejected ------------------------------------------------------------------------------------------- */

static void each_item_is_kept_or_rejected_alone(void **state)
{
    world *w = *state;
    belay_code code = BELAY_IO;
    BELAY_ATOMIC(w->s) {
        code = do_orders(w->s, "..x..ffr...o.x");
        put(w->s, 99);
    }
    assert_code(code, BELAY_OK);
    assert_status(w->s, BELAY_OK);
    assert_string_equal(o.told, "2 UNIQUE;5 UNIQUE;6 UNIQUE;7 APPLICATION;11 MISUSE;13 UNIQUE;");
    assert_stored(w, "1;2;4;5;9;10;11;13;99");
    assert_code(belay_caught(w->s)->code, BELAY_UNIQUE);
}

static void items_outside_any_scope_are_one_transaction(void **state)
{
    world *w = *state;
    assert_code(do_orders(w->s, "..x."), BELAY_OK);
    assert_status(w->s, BELAY_OK);
    assert_stored(w, "1;2;4");
    assert_code(do_orders(w->s, "....d."), BELAY_DEADLOCK);
    assert_code(belay_pending(w->s)->code, BELAY_DEADLOCK);
    assert_stored(w, "1;2;4");
}

static void a_rejection_is_told_once_though_its_item_runs_twice(void **state)
{
    world *w = *state;
    assert_code(do_orders(w->s, ".....x...."), BELAY_OK);
    assert_string_equal(o.told, "5 UNIQUE;");
    assert_int_equal(o.runs[5], 2);
    assert_stored(w, "1;2;3;4;5;7;8;9;10");
}

static void nobody_need_be_told(void **state)
{
    world *w = *state;
    o = (orders){.letters = ".x."};
    assert_code(belay_batch(w->s, 3, do_item, &o, NULL), BELAY_OK);
    assert_stored(w, "1;3");
}

static void an_item_that_was_called_off_is_undone_and_is_no_rejection(void **state)
{
    world *w = *state;
    assert_code(do_orders(w->s, "u..u."), BELAY_OK);
    assert_string_equal(o.told, "");
    assert_stored(w, "2;3;5");
}

static int see_the_ones_before(belay_session *s, size_t i, void *arg)
{
    int64_t *seen = arg;
    seen[i] = belay_int_of(s, "SELECT count(*) FROM item");
    return do_order(s, i == 2 ? 'x' : '.', (int)i + 1, &o);
}

static void an_item_sees_what_those_before_it_did_and_nothing_of_a_rejected_one(void **state)
{
    world *w = *state;
    int64_t seen[5] = {0};
    assert_code(belay_batch(w->s, 5, see_the_ones_before, seen, NULL), BELAY_OK);
    for (int i = 0; i < 5; i++)
        assert_int_equal(seen[i], i < 3 ? i : i - 1);
}

/* ---- Runs -------------------------------------------------------------------------------------------------------- */

static void items_that_do_not_fail_run_once(void **state)
{
    world *w = *state;
    o = (orders){.letters = NULL};
    assert_code(belay_batch(w->s, MOST, do_item, &o, tell), BELAY_OK);
    assert_int_equal(o.all_runs, MOST);
    assert_int_equal(o.balance, MOST);
    assert_int_equal(o.freed, MOST);
    assert_int_equal(belay_int_of(w->other, "SELECT count(*) FROM item"), MOST);
}

static void items_that_fail_before_they_did_anything_make_nobody_run_again(void **state)
{
    world *w = *state;
    assert_code(do_orders(w->s, "..f.f.....f"), BELAY_OK);
    assert_int_equal(o.all_runs, database_is_sqlite(&w->d) ? 11 : o.all_runs); /* servers undo it by the savepoint */
    assert_stored(w, "1;2;4;6;7;8;9;10");
}

static void a_run_that_is_undone_takes_back_what_the_program_keeps_in_memory(void **state)
{
    world *w = *state;
    int kept = -1;
    BELAY_ATOMIC(w->s) {
        do_orders(w->s, "......x...");
        kept = o.balance;
    }
    assert_int_equal(kept, 9);
    assert_true(o.undone > 0); /* six ran before it, and again */
    assert_int_equal(o.all_runs, 10 + o.undone + 1);
    assert_int_equal(o.freed, o.undone + 9);
}

/* Of every hundred that fail, so many at most run more than three times: what is run again is bounded. */
static void many_failures_do_not_make_items_run_again_and_again(void **state)
{
    world *w = *state;
    static char letters[MOST + 1];
    for (int i = 0; i < MOST; i++)
        letters[i] = i % 3 == 2 ? 'x' : '.';
    letters[MOST] = '\0';
    o = (orders){.letters = letters};
    assert_code(belay_batch(w->s, MOST, do_item, &o, NULL), BELAY_OK);
    for (int i = 0; i < MOST; i++)
        assert_in_range(o.runs[i], 1, 8);
    assert_in_range(o.all_runs, MOST, MOST + MOST / 2);
}

/* ---- What ends a batch ------------------------------------------------------------------------------------------- */

static void an_error_that_ends_the_transaction_stops_the_batch_and_stays_pending(void **state)
{
    world *w = *state;
    belay_code code = BELAY_OK, status = BELAY_OK;
    bool caught = true;
    BELAY_ATOMIC(w->s) {
        code = do_orders(w->s, ".f..d....");
        caught = belay_catch(w->s, BELAY_ANY);
        status = belay_status(w->s);
    }
    assert_code(code, BELAY_DEADLOCK);
    assert_code(status, BELAY_DEADLOCK);
    assert_false(caught);
    assert_string_equal(o.told, "1 UNIQUE;");
    assert_int_equal(o.runs[5], 0);
    assert_status(w->s, BELAY_DEADLOCK);
    assert_stored(w, "");
}

static int run_late(belay_session *s, size_t i, void *arg)
{
    if (i == 3)
        pause_ms(60);
    return do_item(s, i, arg);
}

static void a_time_limit_of_the_scope_around_stops_the_batch(void **state)
{
    world *w = *state;
    belay_code code = BELAY_OK;
    o = (orders){.letters = "......"};
    BELAY_ATOMIC_WITH(w->s, .timeout_ms = 50) {
        code = belay_batch(w->s, 6, run_late, &o, tell);
    }
    assert_code(code, BELAY_TIMEOUT);
    assert_status(w->s, BELAY_TIMEOUT);
    assert_string_equal(o.told, "");
    assert_int_equal(o.runs[4], 0);
    assert_stored(w, "");
}

static int run_within_a_limit(belay_session *s, size_t i, void *arg)
{
    orders *all = arg;
    all->runs[i]++;
    put(s, (int)i + 1);
    BELAY_ATOMIC_WITH(s, .timeout_ms = 20) {
        if (i == 1)
            pause_ms(30);
        belay_exec(s, "UPDATE item SET note = 'here'");
    }
    return 0;
}

static void a_time_limit_of_an_items_own_rejects_that_item(void **state)
{
    world *w = *state;
    o = (orders){.letters = NULL};
    assert_code(belay_batch(w->s, 3, run_within_a_limit, &o, tell), BELAY_OK);
    assert_string_equal(o.told, "1 TIMEOUT;");
    assert_stored(w, "1;3");
}

/* The first attempt fails, in its last item, with an error that is worth another. */
static int fail_once(belay_session *s, size_t i, void *arg)
{
    if (i == 4 && belay_attempt(s) == 1)
        return belay_fail(s, BELAY_SERIALIZATION, "try again");
    return do_item(s, i, arg);
}

static void a_unit_that_runs_again_runs_the_whole_batch_again(void **state)
{
    world *w = *state;
    o = (orders){.letters = ".f..."};
    BELAY_ATOMIC_WITH(w->s, .retries = 2, .backoff_ms = 1) {
        belay_batch(w->s, 5, fail_once, &o, tell);
    }
    assert_status(w->s, BELAY_OK);
    assert_string_equal(o.told, "1 UNIQUE;1 UNIQUE;");
    assert_int_equal(o.balance, 4);
    assert_stored(w, "1;3;4;5");
}

/* ---- Misuse ------------------------------------------------------------------------------------------------------ */

static void a_batch_that_cannot_begin_runs_no_item(void **state)
{
    world *w = *state;
    belay_code refused = BELAY_OK;
    o = (orders){.letters = "..."};
    assert_code(belay_batch(NULL, 3, do_item, &o, tell), BELAY_MISUSE);
    assert_code(belay_batch(w->s, 3, NULL, &o, tell), BELAY_MISUSE);
    assert_status(w->s, BELAY_MISUSE);
    assert_code(belay_batch(w->s, 0, do_item, &o, tell), BELAY_OK);
    BELAY_ATOMIC(w->s) {
        clash(w->s);
        refused = belay_batch(w->s, 3, do_item, &o, tell);
    }
    assert_code(refused, BELAY_UNIQUE);
    assert_status(w->s, BELAY_UNIQUE);
    BELAY_ATOMIC(w->s) {
        belay_rows *rows = belay_stream(w->s, "SELECT id FROM taken");
        refused = belay_batch(w->s, 3, do_item, &o, tell);
        belay_rows_close(rows);
    }
    assert_code(refused, BELAY_MISUSE);
    assert_status(w->s, BELAY_MISUSE);
    assert_int_equal(o.all_runs, 0);
}

static void use_session(belay_session *s, size_t i, const belay_error *error, void *arg)
{
    (void)i;
    (void)error;
    (void)arg;
    o.balance = (int)put(s, 77);
}

static void the_session_cannot_be_used_while_a_rejection_is_told(void **state)
{
    world *w = *state;
    o = (orders){.letters = ".f."};
    assert_code(belay_batch(w->s, 3, do_item, &o, use_session), BELAY_OK);
    assert_stored(w, "1;3");
}

static void writes_in_a_read_only_scope_reject_their_items(void **state)
{
    world *w = *state;
    belay_code code = BELAY_IO;
    BELAY_READ(w->s) {
        code = do_orders(w->s, "..");
    }
    assert_code(code, BELAY_OK);
    assert_string_equal(o.told, "0 READ_ONLY;1 READ_ONLY;");
}

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
        in_world(each_item_is_kept_or_rejected_alone),
        in_world(items_outside_any_scope_are_one_transaction),
        in_world(a_rejection_is_told_once_though_its_item_runs_twice),
        in_world(nobody_need_be_told),
        in_world(an_item_that_was_called_off_is_undone_and_is_no_rejection),
        in_world(an_item_sees_what_those_before_it_did_and_nothing_of_a_rejected_one),
        in_world(items_that_do_not_fail_run_once),
        in_world(items_that_fail_before_they_did_anything_make_nobody_run_again),
        in_world(a_run_that_is_undone_takes_back_what_the_program_keeps_in_memory),
        in_world(many_failures_do_not_make_items_run_again_and_again),
        in_world(an_error_that_ends_the_transaction_stops_the_batch_and_stays_pending),
        in_world(a_time_limit_of_the_scope_around_stops_the_batch),
        in_world(a_time_limit_of_an_items_own_rejects_that_item),
        in_world(a_unit_that_runs_again_runs_the_whole_batch_again),
        in_world(a_batch_that_cannot_begin_runs_no_item),
        in_world(the_session_cannot_be_used_while_a_rejection_is_told),
        in_world(writes_in_a_read_only_scope_reject_their_items),
        in_world(a_batch_may_run_in_an_item_of_another),
        in_world(what_an_item_does_with_the_engines_handle_is_undone_with_it),
        in_world(a_handle_that_was_lent_before_the_batch_writes_into_the_item_too),
        in_world(a_sandbox_takes_a_batch_too),
        in_world(in_a_pipeline_many_items_leave_in_one_flight),
        in_world(in_a_pipeline_a_failure_is_blamed_on_the_item_that_queued_it),
        in_world(a_thread_that_ends_in_an_item_abandons_the_batch),
        in_world(a_child_that_an_item_forks_can_do_nothing_with_the_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
