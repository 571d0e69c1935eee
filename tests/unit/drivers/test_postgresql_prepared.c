/* Transactions that are prepared under a name on PostgreSQL. */
#include "postgresql_rig.h"

static const char name[] = "belay_test_prepared_1";

static void begin_named(void)
{
    belay_begin_options options = {.gid = name};
    assert_int_equal(D->begin(conn, &options, &r.error), BELAY_OK);
}

static void must_prepare(void)
{
    if (D->prepare_transaction(conn, name, &r.error) != BELAY_OK)
        fail_msg("%s", r.error.message);
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
    assert_int_equal(D->list_prepared(other, note_name, &n, &r.error), BELAY_OK);
    return n;
}

static void insert_and_prepare(void)
{
    begin_named();
    rig_must(&r, conn, "INSERT INTO t VALUES (3, 'x')");
    must_prepare();
    assert_int_equal(count_prepared(), 1);
}

static void a_server_that_has_room_for_them_can_prepare(void **state)
{
    (void)state;
    assert_int_equal(D->can_prepare(conn, &r.error), BELAY_OK);
}

static void whether_it_can_prepare_is_asked_once_a_connection(void **state)
{
    (void)state;
    assert_int_equal(D->can_prepare(conn, &r.error), BELAY_OK);
    conn->round_trips = 0;
    assert_int_equal(D->can_prepare(conn, &r.error), BELAY_OK);
    assert_int_equal(conn->round_trips, 0);
}

static void what_is_prepared_is_seen_by_nobody_until_it_is_committed_where_it_was_prepared(void **state)
{
    int64_t before = count();
    (void)state;
    insert_and_prepare();
    assert_int_equal(count(), before);
    assert_int_equal(D->finish_prepared(conn, name, true, &r.error), BELAY_OK);
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_NONE);
    assert_int_equal(count(), before + 1);
    assert_int_equal(count_prepared(), 0);
}

static void any_connection_ends_what_is_prepared(void **state)
{
    int64_t before = count();
    (void)state;
    insert_and_prepare();
    assert_int_equal(D->finish_prepared(other, name, false, &r.error), BELAY_OK);
    assert_int_equal(count(), before);
    assert_int_equal(count_prepared(), 0);
}

static void what_is_prepared_outlives_its_connection(void **state)
{
    int64_t before = count();
    (void)state;
    insert_and_prepare();
    kill_backend(backend_of(conn));
    assert_int_equal(count_prepared(), 1);
    assert_int_equal(D->finish_prepared(other, name, true, &r.error), BELAY_OK);
    assert_int_equal(count(), before + 1);
}

static void a_failed_transaction_is_not_prepared_though_the_server_says_success(void **state)
{
    int64_t before = count();
    (void)state;
    begin_named();
    rig_must(&r, conn, "INSERT INTO t VALUES (3, 'x')");
    assert_int_not_equal(rig_run(&r, conn, "INSERT INTO t VALUES (3, 'x')"), BELAY_OK);
    assert_int_not_equal(D->prepare_transaction(conn, name, &r.error), BELAY_OK);
    assert_int_not_equal(r.error.outcome, BELAY_WORK_UNKNOWN);
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_NONE);
    assert_int_equal(count_prepared(), 0);
    assert_int_equal(count(), before);
}

static void a_deferred_constraint_fails_at_the_prepare_and_nothing_is_prepared(void **state)
{
    (void)state;
    rig_must(&r, conn, "DROP TABLE IF EXISTS child");
    rig_must(&r, conn, "CREATE TABLE child (a INTEGER UNIQUE DEFERRABLE INITIALLY DEFERRED)");
    begin_named();
    rig_must(&r, conn, "INSERT INTO child VALUES (1), (1)");
    assert_int_equal(D->prepare_transaction(conn, name, &r.error), BELAY_UNIQUE);
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_NONE);
    assert_int_equal(count_prepared(), 0);
    rig_must(&r, conn, "DROP TABLE child");
}

static void a_transaction_that_used_a_temporary_table_is_refused_and_rolled_back(void **state)
{
    (void)state;
    rig_must(&r, conn, "CREATE TEMPORARY TABLE mine (a INTEGER)");
    begin_named();
    rig_must(&r, conn, "INSERT INTO mine VALUES (1)");
    assert_int_equal(D->prepare_transaction(conn, name, &r.error), BELAY_UNSUPPORTED);
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_NONE);
    assert_int_equal(count_prepared(), 0);
}

static void an_unknown_name_is_not_found(void **state)
{
    (void)state;
    assert_int_equal(D->finish_prepared(conn, name, true, &r.error), BELAY_NOT_FOUND);
    assert_int_equal(r.error.code, BELAY_NOT_FOUND);
    assert_int_equal(D->finish_prepared(conn, name, false, &r.error), BELAY_NOT_FOUND);
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_NONE);
}

static void a_deadline_that_has_passed_does_not_keep_from_ending_what_is_prepared(void **state)
{
    int64_t before = count();
    (void)state;
    insert_and_prepare();
    rig_limit(conn, 0, 0);
    assert_int_equal(D->finish_prepared(conn, name, true, &r.error), BELAY_OK);
    rig_limit(conn, -1, -1);
    assert_int_equal(count(), before + 1);
    assert_int_equal(count_prepared(), 0);
}

static void a_name_that_is_taken_is_refused_and_its_owner_stays(void **state)
{
    int64_t before = count();
    (void)state;
    insert_and_prepare();
    belay_begin_options options = {.gid = name};
    assert_int_equal(D->begin(other, &options, &r.error), BELAY_OK);
    rig_must(&r, other, "INSERT INTO t VALUES (4, 'x')");
    assert_int_equal(D->prepare_transaction(other, name, &r.error), BELAY_SCHEMA);
    assert_int_equal(D->status(other), BELAY_TRANSACTION_NONE);
    assert_int_equal(D->finish_prepared(conn, name, true, &r.error), BELAY_OK);
    assert_int_equal(count(), before + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_server_that_has_room_for_them_can_prepare),
        T(whether_it_can_prepare_is_asked_once_a_connection),
        T(what_is_prepared_is_seen_by_nobody_until_it_is_committed_where_it_was_prepared),
        T(any_connection_ends_what_is_prepared),
        T(what_is_prepared_outlives_its_connection),
        T(a_failed_transaction_is_not_prepared_though_the_server_says_success),
        T(a_deferred_constraint_fails_at_the_prepare_and_nothing_is_prepared),
        T(a_transaction_that_used_a_temporary_table_is_refused_and_rolled_back),
        T(an_unknown_name_is_not_found),
        T(a_deadline_that_has_passed_does_not_keep_from_ending_what_is_prepared),
        T(a_name_that_is_taken_is_refused_and_its_owner_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
