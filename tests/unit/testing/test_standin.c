/* What the real driver is asked when a call is made to fail in front of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "report.h"
#include "standin.h"

/* ---- A driver that only writes down ----------------------------------------------------------------------------- */

static char asked[256];
static belay_code opening = BELAY_OK;
static belay_statement the_statement;

static belay_code write_down(const char *call)
{
    strcat(asked, *asked ? " " : "");
    strcat(asked, call);
    return BELAY_OK;
}

static belay_code open_real(belay_conn *conn, belay_error *error)
{
    (void)conn;
    write_down("open");
    return opening == BELAY_OK ? BELAY_OK : belayi_report(error, opening, "refused");
}

static void close_real(belay_conn *conn)
{
    (void)conn;
    write_down("close");
}

static belay_transaction_status status_of_real(belay_conn *conn)
{
    (void)conn;
    return BELAY_TRANSACTION_OPEN;
}

static belay_code isolation_of_real(belay_conn *conn, belay_level *out_level, belay_error *error)
{
    (void)conn;
    (void)error;
    *out_level = BELAY_SNAPSHOT;
    return write_down("isolation");
}

static belay_code begin_real(belay_conn *conn, const belay_begin_options *options, belay_error *error)
{
    (void)conn;
    (void)options;
    (void)error;
    return write_down("begin");
}

static belay_code commit_real(belay_conn *conn, belay_error *error)
{
    (void)conn;
    (void)error;
    return write_down("commit");
}

static belay_code rollback_real(belay_conn *conn, belay_error *error)
{
    (void)conn;
    (void)error;
    return write_down("rollback");
}

static belay_code savepoint_real(belay_conn *conn, unsigned number, belay_error *error)
{
    (void)conn;
    (void)number;
    (void)error;
    return write_down("savepoint");
}

static belay_code prepare_real(belay_conn *conn, const struct belayi_sql *sql, belay_statement **out,
                               belay_error *error)
{
    (void)sql;
    (void)error;
    the_statement = (belay_statement){.conn = conn, .writes = true};
    *out = &the_statement;
    return write_down("prepare");
}

static void finalize_real(belay_statement *statement)
{
    if (statement)
        write_down("finalize");
}

static belay_code execute_real(belay_statement *statement, size_t n, const belay_value *values, belay_effect *effect,
                               belay_error *error)
{
    (void)statement;
    (void)n;
    (void)values;
    (void)error;
    effect->changes = 3;
    return write_down("execute");
}

static belay_code start_real(belay_statement *statement, size_t n, const belay_value *values, belay_error *error)
{
    (void)statement;
    (void)n;
    (void)values;
    (void)error;
    return write_down("start");
}

static belay_step step_real(belay_statement *statement, belay_value *cells, belay_effect *effect, belay_error *error)
{
    (void)statement;
    (void)cells;
    (void)error;
    effect->changes = 3;
    write_down("step");
    return BELAY_STEP_ROW;
}

static void finish_real(belay_statement *statement)
{
    (void)statement;
    write_down("finish");
}

static const belay_driver real = {
    .name = "real",
    .open = open_real,
    .close = close_real,
    .status = status_of_real,
    .isolation = isolation_of_real,
    .begin = begin_real,
    .commit = commit_real,
    .rollback = rollback_real,
    .savepoint = savepoint_real,
    .release = savepoint_real,
    .rollback_to = savepoint_real,
    .prepare = prepare_real,
    .finalize = finalize_real,
    .execute = execute_real,
    .start = start_real,
    .step = step_real,
    .finish = finish_real,
};

/* ---- A connection that fails ------------------------------------------------------------------------------------ */

static belayi_standin standin;
static belay_conn conn;
static belay_error error;

static int set_up(void **state)
{
    (void)state;
    belayi_standin_init(&standin, &real);
    conn = (belay_conn){.driver = &standin.sound.driver};
    the_statement = (belay_statement){.conn = &conn, .writes = true};
    memset(&error, 0, sizeof error);
    opening = BELAY_OK;
    asked[0] = '\0';
    return 0;
}

static void fail_next(belay_code code)
{
    belayi_standin_arm(&standin, &(belayi_fault){.first = 1, .last = 1, .code = code}, NULL);
    asked[0] = '\0';
}

static const belay_begin_options plain;

static void what_does_not_fail_is_the_real_drivers(void **state)
{
    (void)state;
    belay_level level = BELAY_ISOLATION_DEFAULT;
    assert_int_equal(conn.driver->open(&conn, &error), BELAY_OK);
    assert_int_equal(conn.driver->isolation(&conn, &level, &error), BELAY_OK);
    assert_int_equal(level, BELAY_SNAPSHOT);
    assert_int_equal(conn.driver->begin(&conn, &plain, &error), BELAY_OK);
    assert_int_equal(conn.driver->commit(&conn, &error), BELAY_OK);
    assert_int_equal(conn.driver->status(&conn), BELAY_TRANSACTION_OPEN);
    conn.driver->close(&conn);
    assert_string_equal(asked, "open isolation begin commit close");
    assert_int_equal(error.code, BELAY_OK);
    assert_string_equal(conn.driver->name, "real");
}

static void a_call_that_fails_alone_never_gets_to_the_real_driver(void **state)
{
    (void)state;
    fail_next(BELAY_IO);
    assert_int_equal(conn.driver->begin(&conn, &plain, &error), BELAY_IO);
    fail_next(BELAY_UNIQUE);
    assert_int_equal(conn.driver->execute(&the_statement, 0, NULL, &(belay_effect){0}, &error), BELAY_UNIQUE);
    assert_string_equal(asked, "");
    assert_int_equal(conn.driver->status(&conn), BELAY_TRANSACTION_OPEN);
}

static void a_deadlock_rolls_back_instead(void **state)
{
    (void)state;
    fail_next(BELAY_DEADLOCK);
    assert_int_equal(conn.driver->execute(&the_statement, 0, NULL, &(belay_effect){0}, &error), BELAY_DEADLOCK);
    assert_string_equal(asked, "rollback");
    belayi_standin_arm(&standin, &(belayi_fault){.first = 1, .last = 1, .code = BELAY_IO, .rolls_back = true}, NULL);
    assert_int_equal(conn.driver->commit(&conn, &error), BELAY_IO);
    assert_string_equal(asked, "rollback rollback");
    assert_int_equal(error.outcome, BELAY_WORK_OPEN);
}

static void a_lost_connection_is_rolled_back_once_and_asked_nothing_more_but_to_close(void **state)
{
    (void)state;
    belay_level level;
    belay_statement *statement;
    fail_next(BELAY_CONNECTION);
    assert_int_equal(conn.driver->savepoint(&conn, 1, &error), BELAY_CONNECTION);
    assert_string_equal(asked, "rollback");
    assert_int_equal(conn.driver->status(&conn), BELAY_TRANSACTION_LOST);
    assert_int_equal(conn.driver->isolation(&conn, &level, &error), BELAY_CONNECTION);
    assert_int_equal(conn.driver->begin(&conn, &plain, &error), BELAY_CONNECTION);
    assert_int_equal(conn.driver->savepoint(&conn, 1, &error), BELAY_CONNECTION);
    assert_int_equal(conn.driver->release(&conn, 1, &error), BELAY_CONNECTION);
    assert_int_equal(conn.driver->rollback_to(&conn, 1, &error), BELAY_CONNECTION);
    assert_int_equal(conn.driver->prepare(&conn, NULL, &statement, &error), BELAY_CONNECTION);
    assert_null(statement);
    assert_int_equal(conn.driver->execute(&the_statement, 0, NULL, &(belay_effect){0}, &error), BELAY_CONNECTION);
    assert_int_equal(conn.driver->start(&the_statement, 0, NULL, &error), BELAY_CONNECTION);
    assert_int_equal(conn.driver->step(&the_statement, NULL, &(belay_effect){0}, &error), BELAY_STEP_ERROR);
    assert_int_equal(conn.driver->rollback(&conn, &error), BELAY_CONNECTION);
    assert_int_equal(conn.driver->commit(&conn, &error), BELAY_CONNECTION);
    assert_int_equal(error.outcome, BELAY_WORK_OPEN); /* it was lost long before the commit */
    conn.driver->finish(&the_statement);
    assert_string_equal(asked, "rollback");
    assert_int_equal(standin.failed, 12);
    conn.driver->finalize(&the_statement);
    conn.driver->close(&conn);
    assert_string_equal(asked, "rollback finalize close");
}

static void what_is_lost_afterwards_was_done(void **state)
{
    (void)state;
    belay_effect effect = {.changes = 7};
    fail_next(BELAY_IN_DOUBT);
    assert_int_equal(conn.driver->execute(&the_statement, 0, NULL, &effect, &error), BELAY_CONNECTION);
    assert_string_equal(asked, "execute rollback");
    assert_int_equal(effect.changes, 7);
    set_up(state);
    fail_next(BELAY_IN_DOUBT);
    assert_int_equal(conn.driver->commit(&conn, &error), BELAY_CONNECTION);
    assert_int_equal(error.outcome, BELAY_WORK_UNKNOWN);
    assert_string_equal(asked, "commit rollback");
}

static void a_statement_under_way_is_finished_before_its_transaction_is_ended(void **state)
{
    static const belay_code codes[] = {BELAY_CONNECTION, BELAY_IN_DOUBT, BELAY_SERIALIZATION};
    static const char *const wanted[] = {"finish rollback", "step finish rollback", "finish rollback"};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        belay_effect effect = {.changes = 7};
        set_up(state);
        fail_next(codes[i]);
        assert_int_equal(conn.driver->step(&the_statement, NULL, &effect, &error), BELAY_STEP_ERROR);
        assert_string_equal(asked, wanted[i]);
        assert_int_equal(effect.changes, 7);
    }
    set_up(state);
    fail_next(BELAY_IN_DOUBT);
    assert_int_equal(conn.driver->start(&the_statement, 0, NULL, &error), BELAY_CONNECTION);
    assert_string_equal(asked, "start finish rollback");
}

static void a_statement_whose_preparing_was_lost_is_finalized(void **state)
{
    (void)state;
    belay_statement *statement;
    fail_next(BELAY_IN_DOUBT);
    assert_int_equal(conn.driver->prepare(&conn, NULL, &statement, &error), BELAY_CONNECTION);
    assert_null(statement);
    assert_string_equal(asked, "prepare finalize rollback");
}

static void a_connection_whose_opening_is_to_fail_is_open_for_its_close(void **state)
{
    (void)state;
    fail_next(BELAY_CONNECTION);
    assert_int_equal(conn.driver->open(&conn, &error), BELAY_CONNECTION);
    conn.driver->close(&conn);
    assert_string_equal(asked, "open rollback close");
    set_up(state);
    opening = BELAY_PERMISSION;
    fail_next(BELAY_CONNECTION); /* the engine's own refusal comes first, and leaves nothing to roll back */
    assert_int_equal(conn.driver->open(&conn, &error), BELAY_PERMISSION);
    assert_string_equal(asked, "open");
    assert_int_equal(standin.failed, 0);
}

static void a_second_fault_meets_what_follows_the_first(void **state)
{
    (void)state;
    belayi_standin_arm(&standin, &(belayi_fault){2, 2, BELAY_IO, false}, &(belayi_fault){4, 5, BELAY_BUSY, false});
    static const belay_code wanted[] = {BELAY_OK, BELAY_IO, BELAY_OK, BELAY_BUSY, BELAY_BUSY, BELAY_OK};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        assert_int_equal(conn.driver->savepoint(&conn, 1, &error), wanted[i]);
    assert_int_equal(standin.made, 6);
    assert_int_equal(standin.failed, 3);
    assert_int_equal(standin.first_hit.number, 2);
    assert_int_equal(standin.first_hit.kind, BELAYI_CALL_SAVEPOINT);
    belayi_standin_disarm(&standin);
    assert_int_equal(standin.made, 0);
    for (int i = 0; i < 6; i++)
        assert_int_equal(conn.driver->release(&conn, 1, &error), BELAY_OK);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, set_up)
    const struct CMUnitTest tests[] = {
        TEST(what_does_not_fail_is_the_real_drivers),
        TEST(a_call_that_fails_alone_never_gets_to_the_real_driver),
        TEST(a_deadlock_rolls_back_instead),
        TEST(a_lost_connection_is_rolled_back_once_and_asked_nothing_more_but_to_close),
        TEST(what_is_lost_afterwards_was_done),
        TEST(a_statement_under_way_is_finished_before_its_transaction_is_ended),
        TEST(a_statement_whose_preparing_was_lost_is_finalized),
        TEST(a_connection_whose_opening_is_to_fail_is_open_for_its_close),
        TEST(a_second_fault_meets_what_follows_the_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
