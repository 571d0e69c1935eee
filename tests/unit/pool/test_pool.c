/* Connections: lent, taken back, closed when in doubt; and their statements. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <belay/belay.h>

#include "clock.h"
#include "db.h"
#include "fake.h"
#include "sqlite.h"

static fake_driver fake;
static char path[64], url[96];

static belay_db *open_db(const belay_db_options *options)
{
    belay_db *db = belayi_db_open_with(&fake.driver, url, options);
    assert_int_equal(belay_db_error(db)->code, BELAY_OK);
    return db;
}

static int set_up(void **state)
{
    (void)state;
    strcpy(path, "/tmp/belay-pool-XXXXXX");
    int file = mkstemp(path);
    assert_true(file >= 0);
    close(file);
    snprintf(url, sizeof url, "sqlite:%s?synchronous=normal", path);
    fake_init(&fake, &belayi_driver_sqlite);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    char extra[80];
    unlink(path);
    snprintf(extra, sizeof extra, "%s-wal", path);
    unlink(extra);
    snprintf(extra, sizeof extra, "%s-shm", path);
    unlink(extra);
    assert_int_equal(fake.open_connections, 0);
    assert_int_equal(fake.open_statements, 0);
    return 0;
}

static belay_conn *lend(belay_db *db, belay_error *error)
{
    belay_conn *conn;
    belay_limits limits = {.lock_wait_ns = -1};
    belayi_db_lend(db, &limits, &conn, error);
    return conn;
}

/* ---- Lending ---------------------------------------------------------------------------------------------------- */

static void an_idle_connection_is_lent_again(void **state)
{
    (void)state;
    belay_error error;
    belay_db *db = open_db(NULL);
    belay_conn *first = lend(db, &error);
    belayi_pool_take_back(&db->pool, first, true);
    belay_conn *second = lend(db, &error);
    assert_ptr_equal(first, second);
    assert_int_equal(fake.open_connections, 1);
    belayi_pool_take_back(&db->pool, second, true);
    belay_close(db);
}

static void a_connection_that_is_not_sound_is_closed_and_not_kept(void **state)
{
    (void)state;
    belay_error error;
    belay_db *db = open_db(NULL);
    belay_conn *conn = lend(db, &error);
    belayi_pool_take_back(&db->pool, conn, false);
    assert_int_equal(fake.open_connections, 0);
    conn = lend(db, &error);
    assert_non_null(conn);
    belayi_pool_take_back(&db->pool, conn, true);
    belay_close(db);
}

static void a_full_pool_refuses_with_too_many_when_its_limit_has_passed(void **state)
{
    (void)state;
    belay_error error;
    belay_db *db = open_db(BELAY_DB_OPTIONS(.pool_size = 1, .pool_timeout_ms = 20));
    belay_conn *conn = lend(db, &error);
    int64_t begun = belayi_clock_now();
    assert_null(lend(db, &error));
    assert_true(belayi_clock_now() - begun >= 20 * BELAYI_NS_PER_MS);
    assert_int_equal(error.code, BELAY_TOO_MANY);
    belayi_pool_take_back(&db->pool, conn, true);
    conn = lend(db, &error);
    assert_non_null(conn);
    belayi_pool_take_back(&db->pool, conn, true);
    belay_close(db);
}

static void a_failed_attempt_to_connect_gives_its_place_back(void **state)
{
    (void)state;
    belay_error error;
    belay_db *db = open_db(BELAY_DB_OPTIONS(.pool_size = 1, .pool_timeout_ms = 20));
    belayi_pool_take_back(&db->pool, lend(db, &error), false);
    for (int i = 0; i < 3; i++) {
        fake_arm(&fake, 1, FAKE_ERROR, false);
        assert_null(lend(db, &error));
        assert_int_equal(error.code, BELAY_IO);
        assert_int_equal(belay_db_error(db)->code, BELAY_IO);
    }
    belay_conn *conn = lend(db, &error);
    assert_non_null(conn);
    assert_int_equal(belay_db_error(db)->code, BELAY_OK);
    belayi_pool_take_back(&db->pool, conn, true);
    belay_close(db);
}

static void a_connection_that_is_too_old_is_closed_when_it_comes_back(void **state)
{
    (void)state;
    belay_error error;
    belay_db *db = open_db(BELAY_DB_OPTIONS(.pool_max_age_ms = 1));
    belay_conn *conn = lend(db, &error);
    belayi_clock_sleep_until(belayi_clock_after(5));
    belayi_pool_take_back(&db->pool, conn, true);
    assert_int_equal(fake.open_connections, 0);
    belay_close(db);
}

static void a_connection_that_grew_too_old_while_it_was_idle_is_not_lent_again(void **state)
{
    (void)state;
    belay_error error;
    belay_db *db = open_db(BELAY_DB_OPTIONS(.pool_max_age_ms = 200));
    belayi_pool_take_back(&db->pool, lend(db, &error), true);
    assert_int_equal(fake.open_connections, 1);
    belayi_clock_sleep_until(belayi_clock_after(250));
    fake_arm(&fake, 0, FAKE_ERROR, false);
    belayi_pool_take_back(&db->pool, lend(db, &error), true);
    assert_string_equal(fake.log, "open ");
    assert_int_equal(fake.open_connections, 1);
    belay_close(db);
}

static int dead; /* so many idle connections are found to be */

static bool is_dead(belay_conn *conn)
{
    (void)conn;
    return dead > 0 && dead-- > 0;
}

static void connections_that_were_hung_up_while_idle_are_never_lent(void **state)
{
    (void)state;
    belay_error error;
    belay_db *db = open_db(BELAY_DB_OPTIONS(.pool_size = 4));
    belay_conn *conns[4];
    for (int i = 0; i < 4; i++)
        conns[i] = lend(db, &error);
    for (int i = 0; i < 4; i++)
        belayi_pool_take_back(&db->pool, conns[i], true);
    fake.driver.hung_up = is_dead;
    dead = 3;
    conns[0] = lend(db, &error); /* the fourth */
    assert_int_equal(fake.open_connections, 1);
    dead = 1;
    conns[1] = lend(db, &error); /* a new one is not asked */
    assert_int_equal(fake.open_connections, 2);
    assert_int_equal(dead, 1);
    belayi_pool_take_back(&db->pool, conns[0], true);
    belayi_pool_take_back(&db->pool, conns[1], true);
    conns[0] = lend(db, &error);
    assert_int_equal(fake.open_connections, 1);
    belayi_pool_take_back(&db->pool, conns[0], true);
    belay_close(db);
}

static void a_connection_that_comes_back_after_the_close_is_closed(void **state)
{
    (void)state;
    belay_db *db = open_db(NULL);
    belay_session *s = belay_session_open(db);
    belay_begin(s, NULL);
    belay_exec(s, "CREATE TABLE t (a)");
    assert_int_equal(fake.open_connections, 1);
    belay_close(db);
    assert_int_equal(fake.open_connections, 1);
    assert_int_equal(belay_exec(s, "SELECT 1"), BELAY_MISUSE);
    belay_session_close(s);
    assert_int_equal(fake.open_connections, 0);
}

static void a_rollback_that_fails_is_told_and_closes_the_connection_which_undoes_it(void **state)
{
    (void)state;
    belay_db *db = open_db(NULL);
    belay_session *s = belay_session_open(db);
    belay_begin(s, NULL);
    belay_exec(s, "CREATE TABLE t (a)");
    fake_arm(&fake, 1, FAKE_ERROR, false);
    assert_int_equal(belay_rollback(s), BELAY_IO);
    assert_int_equal(belay_pending(s)->outcome, BELAY_WORK_ROLLED_BACK);
    assert_int_equal(fake.open_connections, 0);
    assert_int_equal(belay_exec(s, "CREATE TABLE t (a)"), BELAY_OK);
    assert_int_equal(belay_session_close(s), BELAY_OK);
    belay_close(db);
}

static void closing_the_idle_ones_leaves_the_lent_one(void **state)
{
    (void)state;
    belay_error error;
    belay_db *db = open_db(NULL);
    belay_conn *one = lend(db, &error), *two = lend(db, &error), *three = lend(db, &error);
    belayi_pool_take_back(&db->pool, one, true);
    belayi_pool_take_back(&db->pool, three, true);
    belayi_pool_close_idle(&db->pool);
    assert_int_equal(fake.open_connections, 1);
    assert_int_equal(two->driver->status(two), BELAY_TRANSACTION_NONE);
    one = lend(db, &error); /* a fresh one */
    assert_int_equal(fake.open_connections, 2);
    belayi_pool_take_back(&db->pool, one, true);
    belayi_pool_take_back(&db->pool, two, true);
    belay_close(db);
}

static void a_driver_that_stands_in_gets_every_connection_idle_lent_and_to_come(void **state)
{
    (void)state;
    belay_error error;
    belay_db *db = open_db(BELAY_DB_OPTIONS(.pool_size = 4));
    belay_conn *conns[4];
    for (int i = 0; i < 3; i++)
        conns[i] = lend(db, &error);
    belayi_pool_take_back(&db->pool, conns[1], true);
    belayi_pool_take_back(&db->pool, conns[0], false); /* closed: it must be in no list any more */
    static belay_driver other;
    other = fake.driver; /* the fake finds itself by the driver: there is no call until it is put back */
    belayi_pool_use_driver(&db->pool, &other);
    assert_ptr_equal(conns[1]->driver, &other);
    assert_ptr_equal(conns[2]->driver, &other);
    belayi_pool_use_driver(&db->pool, &fake.driver);
    conns[0] = lend(db, &error);
    conns[3] = lend(db, &error);
    assert_ptr_equal(conns[3]->driver, &fake.driver);
    belayi_pool_take_back(&db->pool, conns[0], true);
    belayi_pool_take_back(&db->pool, conns[2], true);
    belayi_pool_take_back(&db->pool, conns[3], true);
    belay_close(db);
}

/* ---- The line --------------------------------------------------------------------------------------------------- */

typedef struct waiter {
    belay_db *db;
    atomic_int *order;
    int place;
} waiter;

static void *wait_for_connection(void *arg)
{
    waiter *w = arg;
    belay_error error;
    belay_conn *conn = lend(w->db, &error);
    w->place = atomic_fetch_add(w->order, 1);
    belayi_pool_take_back(&w->db->pool, conn, true);
    return NULL;
}

static unsigned count_waiters(belayi_turnstile *t)
{
    unsigned n = 0;
    pthread_mutex_lock(&t->mutex);
    for (struct belayi_waiter *w = t->first; w; w = *(struct belayi_waiter **)(void *)w) /* `next` comes first */
        n++;
    pthread_mutex_unlock(&t->mutex);
    return n;
}

static void borrowers_are_served_in_the_order_they_came(void **state)
{
    (void)state;
    enum { WAITERS = 8 };
    belay_error error;
    atomic_int order = 0;
    pthread_t threads[WAITERS];
    waiter waiters[WAITERS];
    belay_db *db = open_db(BELAY_DB_OPTIONS(.pool_size = 1));
    belay_conn *conn = lend(db, &error);
    for (int i = 0; i < WAITERS; i++) {
        waiters[i] = (waiter){.db = db, .order = &order};
        pthread_create(&threads[i], NULL, wait_for_connection, &waiters[i]);
        while (count_waiters(&db->pool.places) < (unsigned)i + 1)
            usleep(100);
    }
    belayi_pool_take_back(&db->pool, conn, true);
    for (int i = 0; i < WAITERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(waiters[i].place, i);
    }
    belay_close(db);
}

/* ---- Statements ------------------------------------------------------------------------------------------------- */

static belayi_cached *get(belayi_link *link, const char *text)
{
    belay_error error;
    belayi_cached *cached;
    assert_int_equal(belayi_link_get(link, text, &cached, &error), BELAY_OK);
    assert_int_equal(belayi_link_prepare(link, cached, &error), BELAY_OK);
    return cached;
}

static void a_statement_is_prepared_once(void **state)
{
    (void)state;
    belay_error error;
    belay_db *db = open_db(NULL);
    belay_conn *conn = lend(db, &error);
    belayi_link *link = belayi_link_of(conn);
    char copy[] = "SELECT 1";
    belayi_cached *first = get(link, "SELECT 1");
    belayi_link_put(link, first);
    belayi_cached *second = get(link, copy);
    assert_ptr_equal(first, second);
    belayi_link_put(link, second);
    belayi_pool_take_back(&db->pool, conn, true);
    belay_close(db);
}

static void two_texts_at_one_address_are_two_statements(void **state)
{
    (void)state;
    belay_error error;
    belay_db *db = open_db(NULL);
    belay_conn *conn = lend(db, &error);
    belayi_link *link = belayi_link_of(conn);
    char text[] = "SELECT 1";
    belayi_cached *first = get(link, text);
    belayi_link_put(link, first);
    text[7] = '2';
    belayi_cached *second = get(link, text);
    assert_ptr_not_equal(first, second);
    assert_string_equal(second->text, "SELECT 2");
    belayi_link_put(link, second);
    belayi_pool_take_back(&db->pool, conn, true);
    belay_close(db);
}

static void the_cache_is_bounded_and_the_least_recently_used_goes_first(void **state)
{
    (void)state;
    belay_error error;
    belay_db *db = open_db(BELAY_DB_OPTIONS(.statement_cache = 2));
    belay_conn *conn = lend(db, &error);
    belayi_link *link = belayi_link_of(conn);
    belayi_cached *one = get(link, "SELECT 1");
    belayi_link_put(link, one);
    belayi_link_put(link, get(link, "SELECT 2"));
    assert_ptr_equal(get(link, "SELECT 1"), one);
    belayi_link_put(link, one);
    belayi_link_put(link, get(link, "SELECT 3")); /* SELECT 2 goes */
    assert_int_equal(link->count, 2);
    assert_int_equal(fake.open_statements, 2);
    assert_ptr_equal(get(link, "SELECT 1"), one);
    belayi_link_put(link, one);
    belayi_pool_take_back(&db->pool, conn, true);
    belay_close(db);
}

static void a_statement_in_use_is_never_evicted(void **state)
{
    (void)state;
    belay_error error;
    belay_db *db = open_db(BELAY_DB_OPTIONS(.statement_cache = 1));
    belay_conn *conn = lend(db, &error);
    belayi_link *link = belayi_link_of(conn);
    belayi_cached *one = get(link, "SELECT 1");
    belayi_cached *two = get(link, "SELECT 2");
    assert_string_equal(one->text, "SELECT 1");
    assert_false(two->kept);
    belayi_link_put(link, two);
    belayi_link_put(link, one);
    belayi_pool_take_back(&db->pool, conn, true);
    belay_close(db);
}

static void without_a_cache_every_statement_is_prepared_and_freed(void **state)
{
    (void)state;
    belay_db *db = open_db(BELAY_DB_OPTIONS(.statement_cache = -1));
    belay_session *s = belay_session_open(db);
    for (int i = 0; i < 3; i++)
        assert_int_equal(belay_int_of(s, "SELECT ? + 1", i), i + 1);
    assert_int_equal(fake.open_statements, 0);
    assert_int_equal(belay_session_close(s), BELAY_OK);
    belay_close(db);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(an_idle_connection_is_lent_again),
        TEST(a_connection_that_is_not_sound_is_closed_and_not_kept),
        TEST(a_full_pool_refuses_with_too_many_when_its_limit_has_passed),
        TEST(a_failed_attempt_to_connect_gives_its_place_back),
        TEST(a_connection_that_is_too_old_is_closed_when_it_comes_back),
        TEST(a_connection_that_grew_too_old_while_it_was_idle_is_not_lent_again),
        TEST(connections_that_were_hung_up_while_idle_are_never_lent),
        TEST(a_connection_that_comes_back_after_the_close_is_closed),
        TEST(a_rollback_that_fails_is_told_and_closes_the_connection_which_undoes_it),
        TEST(closing_the_idle_ones_leaves_the_lent_one),
        TEST(a_driver_that_stands_in_gets_every_connection_idle_lent_and_to_come),
        TEST(borrowers_are_served_in_the_order_they_came),
        TEST(a_statement_is_prepared_once),
        TEST(two_texts_at_one_address_are_two_statements),
        TEST(the_cache_is_bounded_and_the_least_recently_used_goes_first),
        TEST(a_statement_in_use_is_never_evicted),
        TEST(without_a_cache_every_statement_is_prepared_and_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
