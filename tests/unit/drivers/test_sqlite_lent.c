/* A handle that the program has too: adopted connections, handles that are lent; and constraints that wait. */
#include "sqlite_rig.h"

#include <sqlite3.h>

static rig r;
static belay_conn *conn;

static int set_up(void **state)
{
    (void)state;
    rig_init(&r, "");
    conn = rig_connect(&r);
    rig_must(&r, conn, "CREATE TABLE plain(a INTEGER PRIMARY KEY, b)");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    rig_done(&r);
    return 0;
}

/* ---- Lent ------------------------------------------------------------------------------------------------------- */

static void nothing_is_contained_while_the_handle_is_lent(void **state)
{
    (void)state;
    belay_statement *statement = rig_prepare(&r, conn, "INSERT INTO plain VALUES (1, 2)", 0);
    rig_must_begin(&r, conn);
    assert_true(D->self_contained(statement));
    sqlite3 *lent = D->native(conn);
    assert_false(D->self_contained(statement));
    sqlite3_exec(lent, "CREATE TRIGGER keep AFTER INSERT ON plain BEGIN SELECT RAISE(FAIL, 'no'); END", 0, 0, 0);
    rig_must_commit(&r, conn);
    rig_must_begin(&r, conn);
    assert_false(D->self_contained(statement)); /* by the schema of now */
    sqlite3_exec(D->native(conn), "DROP TRIGGER keep", 0, 0, 0);
    rig_must_commit(&r, conn);
    rig_must_begin(&r, conn);
    assert_true(D->self_contained(statement));
    rig_must_rollback(&r, conn);
    D->finalize(statement);
}

static void a_savepoint_of_the_drivers_that_is_gone_is_misuse(void **state)
{
    (void)state;
    rig_must_begin(&r, conn);
    assert_int_equal(D->savepoint(conn, 1, &r.error), BELAY_OK);
    sqlite3_exec(D->native(conn), "RELEASE belay_1", 0, 0, 0);
    assert_int_equal(D->release(conn, 1, &r.error), BELAY_MISUSE);
    assert_non_null(strstr(r.error.hint, "handle"));
    assert_int_equal(D->rollback_to(conn, 1, &r.error), BELAY_MISUSE);
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_OPEN);
    rig_must_rollback(&r, conn);
}

static void a_savepoint_outside_a_transaction_is_misuse_and_begins_none(void **state)
{
    (void)state;
    assert_int_equal(D->savepoint(conn, 1, &r.error), BELAY_MISUSE);
    assert_int_equal(D->release(conn, 1, &r.error), BELAY_MISUSE);
    assert_int_equal(D->rollback_to(conn, 1, &r.error), BELAY_MISUSE);
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_NONE);
}

/* ---- Adopted ---------------------------------------------------------------------------------------------------- */

typedef struct adopted {
    sqlite3 *own;
    void *shared;
    belay_conn *conn;
} adopted;

static adopted adopt(sqlite3 *own)
{
    adopted a = {own, calloc(1, D->shared_size), calloc(1, D->conn_size)};
    assert_int_equal(D->shared_adopt(a.shared, own, &r.error), BELAY_OK);
    *a.conn = (belay_conn){.driver = D, .shared = a.shared, .limits = {.lock_wait_ns = 0}};
    assert_int_equal(D->open(a.conn, &r.error), BELAY_OK);
    return a;
}

static void give_up(adopted *a)
{
    D->close(a->conn);
    D->shared_done(a->shared);
    free(a->conn);
    free(a->shared);
}

static sqlite3 *open_own(void)
{
    char path[128];
    sqlite3 *own = NULL;
    rig_path(&r, "db", path);
    assert_int_equal(sqlite3_open(path, &own), SQLITE_OK);
    return own;
}

static void open_takes_an_adopted_connection_as_it_is_and_close_leaves_it_open(void **state)
{
    (void)state;
    sqlite3 *own = open_own();
    sqlite3_exec(own, "PRAGMA foreign_keys = OFF; BEGIN; CREATE TABLE fresh(a)", 0, 0, 0);
    adopted a = adopt(own);
    assert_int_equal(D->status(a.conn), BELAY_TRANSACTION_OPEN);
    assert_ptr_equal(D->native(a.conn), own);
    for (unsigned i = 1; i <= 100; i++) /* more than it keeps statements for */
        assert_int_equal(D->savepoint(a.conn, i, &r.error), BELAY_OK);
    assert_int_equal(D->rollback_to(a.conn, 50, &r.error), BELAY_OK);
    assert_int_equal(D->release(a.conn, 1, &r.error), BELAY_OK);
    give_up(&a);
    assert_false(sqlite3_get_autocommit(own)); /* its transaction is still open */
    assert_int_equal(sqlite3_exec(own, "INSERT INTO fresh VALUES (1)", 0, 0, 0), SQLITE_OK);
    assert_null(sqlite3_next_stmt(own, NULL));
    assert_int_equal(sqlite3_close(own), SQLITE_OK);
}

static void close_rolls_back_what_was_begun_on_an_adopted_connection_and_nothing_else(void **state)
{
    (void)state;
    sqlite3 *own = open_own();
    for (int read_only = 0; read_only < 2; read_only++) {
        adopted a = adopt(own);
        assert_int_equal(rig_begin(&r, a.conn, read_only), BELAY_OK);
        give_up(&a);
        assert_true(sqlite3_get_autocommit(own));
    }
    adopted a = adopt(own);
    assert_int_equal(rig_begin(&r, a.conn, false), BELAY_OK);
    rig_must_commit(&r, a.conn);
    sqlite3_exec(own, "BEGIN", 0, 0, 0); /* the program's */
    give_up(&a);
    assert_false(sqlite3_get_autocommit(own));
    assert_int_equal(sqlite3_close(own), SQLITE_OK);
}

static void nothing_is_contained_on_an_adopted_connection(void **state)
{
    (void)state;
    sqlite3 *own = open_own();
    adopted a = adopt(own);
    belay_statement *statement = rig_prepare(&r, a.conn, "INSERT INTO plain VALUES (1, 2)", 0);
    rig_must_begin(&r, a.conn);
    assert_false(D->self_contained(statement));
    rig_must_commit(&r, a.conn);
    D->finalize(statement);
    give_up(&a);
    assert_int_equal(sqlite3_close(own), SQLITE_OK);
}

/* ---- Constraints that wait -------------------------------------------------------------------------------------- */

static void constraints_that_are_checked_early_wait_again_afterwards(void **state)
{
    (void)state;
    rig_must(&r, conn, "CREATE TABLE child(a REFERENCES plain(a) DEFERRABLE INITIALLY DEFERRED)");
    rig_must_begin(&r, conn);
    assert_int_equal(D->check_deferred(conn, &r.error), BELAY_OK);
    rig_must(&r, conn, "INSERT INTO child VALUES (7)");
    assert_int_equal(D->check_deferred(conn, &r.error), BELAY_FOREIGN_KEY);
    assert_int_equal(r.error.native_code, SQLITE_CONSTRAINT_FOREIGNKEY);
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_OPEN);
    rig_must(&r, conn, "INSERT INTO child VALUES (8)"); /* still not refused */
    assert_int_equal(D->check_deferred(conn, &r.error), BELAY_FOREIGN_KEY);
    rig_must(&r, conn, "INSERT INTO plain VALUES (7, 0), (8, 0)");
    assert_int_equal(D->check_deferred(conn, &r.error), BELAY_OK);
    rig_must_commit(&r, conn);
}

static void going_back_to_a_savepoint_forgets_what_waits_since(void **state)
{
    (void)state;
    rig_must(&r, conn, "CREATE TABLE child(a REFERENCES plain(a) DEFERRABLE INITIALLY DEFERRED)");
    rig_must_begin(&r, conn);
    assert_int_equal(D->savepoint(conn, 1, &r.error), BELAY_OK);
    rig_must(&r, conn, "INSERT INTO child VALUES (7)");
    assert_int_equal(D->rollback_to(conn, 1, &r.error), BELAY_OK);
    assert_int_equal(D->check_deferred(conn, &r.error), BELAY_OK);
    rig_must_commit(&r, conn);
}

#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(nothing_is_contained_while_the_handle_is_lent),
        T(a_savepoint_of_the_drivers_that_is_gone_is_misuse),
        T(a_savepoint_outside_a_transaction_is_misuse_and_begins_none),
        T(open_takes_an_adopted_connection_as_it_is_and_close_leaves_it_open),
        T(close_rolls_back_what_was_begun_on_an_adopted_connection_and_nothing_else),
        T(nothing_is_contained_on_an_adopted_connection),
        T(constraints_that_are_checked_early_wait_again_afterwards),
        T(going_back_to_a_savepoint_forgets_what_waits_since),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
