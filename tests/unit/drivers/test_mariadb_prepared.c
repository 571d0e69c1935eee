/* Transactions that are prepared under a name on MariaDB: XA. */
#include "mariadb_rig.h"

#include <pthread.h>
#include <time.h>

static const char name[] = "belay_test_prepared_1";

static void begin_named(belay_conn *which)
{
    belay_begin_options options = {.gid = name};
    assert_code(D->begin(which, &options, &r.error), BELAY_OK);
}

static int64_t count(void)
{
    return rig_ask(&r, other, "SELECT count(*) FROM t");
}

static void note_name(void *arg, const char *found)
{
    *(int *)arg += strcmp(found, name) == 0;
}

static int count_prepared(void)
{
    int n = 0;
    assert_code(D->list_prepared(other, note_name, &n, &r.error), BELAY_OK);
    return n;
}

static void prepare_after(const char *sql)
{
    begin_named(conn);
    rig_must(&r, conn, sql);
    if (D->prepare_transaction(conn, name, &r.error) != BELAY_OK)
        fail_msg("%s", r.error.message);
    assert_int_equal(count_prepared(), 1);
}

/* The first connection, and the server has noticed it. */
static void lose_connection(void)
{
    rig_disconnect(&r, conn);
    for (int i = 0; i < 1000 && rig_ask(&r, other,
                                        "SELECT count(*) FROM information_schema.processlist "
                                        "WHERE user = 'belay'") > 1;
         i++)
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
}

static belay_code end_from_other(bool commit)
{
    belay_code code = BELAY_NOT_FOUND;
    for (int i = 0; i < 200 && code == BELAY_NOT_FOUND; i++) {
        code = D->finish_prepared(other, name, commit, &r.error);
        if (code == BELAY_NOT_FOUND)
            nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    return code;
}

static void every_server_can_prepare(void **state)
{
    (void)state;
    assert_code(D->can_prepare(conn, &r.error), BELAY_OK);
}

static void what_is_prepared_is_seen_by_nobody_until_it_is_committed_where_it_was_prepared(void **state)
{
    (void)state;
    prepare_after("INSERT INTO t VALUES (3, 0)");
    assert_int_equal(count(), 2);
    assert_code(D->finish_prepared(conn, name, true, &r.error), BELAY_OK);
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_NONE);
    assert_int_equal(count(), 3);
    assert_int_equal(count_prepared(), 0);
    rig_must_begin(&r, conn); /* and the connection is as before */
    rig_must(&r, conn, "INSERT INTO t VALUES (4, 0)");
    rig_must_commit(&r, conn);
    assert_int_equal(count(), 4);
}

static void what_is_prepared_is_rolled_back_where_it_was_prepared(void **state)
{
    (void)state;
    prepare_after("INSERT INTO t VALUES (3, 0)");
    assert_code(D->finish_prepared(conn, name, false, &r.error), BELAY_OK);
    assert_int_equal(count(), 2);
    assert_int_equal(count_prepared(), 0);
}

static void while_its_connection_lives_no_other_ends_it(void **state)
{
    (void)state;
    prepare_after("INSERT INTO t VALUES (3, 0)");
    assert_code(D->finish_prepared(other, name, true, &r.error), BELAY_NOT_FOUND);
    assert_int_equal(count_prepared(), 1);
    lose_connection();
    assert_code(end_from_other(true), BELAY_OK);
    assert_int_equal(count(), 3);
    assert_int_equal(count_prepared(), 0);
}

static void what_wrote_nothing_is_committed_from_another_connection_too(void **state)
{
    (void)state;
    prepare_after("SELECT count(*) FROM t");
    lose_connection();
    assert_code(end_from_other(true), BELAY_OK);
    assert_int_equal(count_prepared(), 0);
}

static void an_unknown_name_is_not_found(void **state)
{
    (void)state;
    assert_code(D->finish_prepared(conn, name, true, &r.error), BELAY_NOT_FOUND);
    assert_code(r.error.code, BELAY_NOT_FOUND);
    assert_code(D->finish_prepared(conn, name, false, &r.error), BELAY_NOT_FOUND);
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_NONE);
}

static void what_was_not_prepared_ends_as_any_other(void **state)
{
    (void)state;
    begin_named(conn);
    rig_must(&r, conn, "INSERT INTO t VALUES (3, 0)");
    rig_must_commit(&r, conn);
    assert_int_equal(count(), 3);
    begin_named(conn);
    rig_must(&r, conn, "INSERT INTO t VALUES (4, 0)");
    rig_must_rollback(&r, conn);
    assert_int_equal(count(), 3);
}

/* ---- A deadlock ------------------------------------------------------------------------------------------------- */

static void *lock_crosswise(void *arg)
{
    rig *own = arg;
    rig_must(own, other, "UPDATE t SET b = b + 1 WHERE a = 1");
    return NULL;
}

static void a_deadlock_is_never_prepared_and_the_way_back_is_open(void **state)
{
    rig own = r;
    pthread_t thread;
    (void)state;
    begin_named(conn);
    rig_must(&r, conn, "UPDATE t SET b = 10 WHERE a = 1");
    rig_must_begin(&r, other);
    rig_must(&r, other, "UPDATE t SET b = b + 1 WHERE a = 2");
    for (int i = 10; i < 60; i++) { /* the one that has changed less is given up */
        char text[64];
        snprintf(text, sizeof text, "INSERT INTO t VALUES (%d, 0)", i);
        rig_must(&r, other, text);
    }
    assert_int_equal(pthread_create(&thread, NULL, lock_crosswise, &own), 0);
    nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL);
    assert_code(rig_run(&r, conn, "UPDATE t SET b = 20 WHERE a = 2"), BELAY_DEADLOCK);
    pthread_join(thread, NULL);
    rig_must_commit(&r, other);
    assert_int_not_equal(D->prepare_transaction(conn, name, &r.error), BELAY_OK);
    D->rollback(conn, &r.error);
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_NONE);
    assert_int_equal(count_prepared(), 0);
    assert_int_equal(rig_ask(&r, conn, "SELECT CAST(sum(b) AS SIGNED) FROM t WHERE a < 3"), 2);
    prepare_after("UPDATE t SET b = 5 WHERE a = 1");
    assert_code(D->finish_prepared(conn, name, true, &r.error), BELAY_OK);
}

static void a_deadline_that_has_passed_does_not_keep_from_ending_what_is_prepared(void **state)
{
    (void)state;
    prepare_after("INSERT INTO t VALUES (3, 0)");
    rig_limit(conn, 0, 0);
    assert_code(D->finish_prepared(conn, name, true, &r.error), BELAY_OK);
    rig_limit(conn, -1, -1);
    assert_int_equal(count(), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(every_server_can_prepare),
        T(what_is_prepared_is_seen_by_nobody_until_it_is_committed_where_it_was_prepared),
        T(what_is_prepared_is_rolled_back_where_it_was_prepared),
        T(while_its_connection_lives_no_other_ends_it),
        T(what_wrote_nothing_is_committed_from_another_connection_too),
        T(an_unknown_name_is_not_found),
        T(what_was_not_prepared_ends_as_any_other),
        T(a_deadlock_is_never_prepared_and_the_way_back_is_open),
        T(a_deadline_that_has_passed_does_not_keep_from_ending_what_is_prepared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
