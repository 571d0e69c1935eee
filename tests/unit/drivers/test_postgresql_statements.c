/* Prepared statements, values in both directions, rows. */
#include "postgresql_rig.h"

#include <locale.h>

static belay_value cells[8];

/* Runs a query of one row, whose cells are kept until the next call. */
static belay_statement *current;

static void drop_row(void)
{
    if (current) {
        D->finish(current);
        D->finalize(current);
    }
    current = NULL;
}

static void get_row(const char *sql, size_t n, const belay_value *values)
{
    drop_row();
    current = rig_prepare(&r, conn, sql, (unsigned)n);
    if (D->start(current, n, values, &r.error) != BELAY_OK)
        fail_msg("%s: %s", sql, r.error.message);
    assert_int_equal(D->step(current, cells, &r.effect, &r.error), BELAY_STEP_ROW);
}

static void assert_cell(int column, belay_type type, const char *text)
{
    assert_int_equal(cells[column].type, type);
    assert_int_equal(cells[column].size, strlen(text));
    assert_memory_equal(cells[column].as.data, text, strlen(text) + 1);
}

/* ---- Values --------------------------------------------------------------------------------------------------- */

static void results_have_the_types_of_their_columns(void **state)
{
    (void)state;
    get_row("SELECT 1::smallint, -2, 9223372036854775807, 1.50::numeric(9,2), true, NULL::text, 'x'::char(2)", 0, NULL);
    assert_int_equal(current->columns, 7);
    assert_int_equal(cells[0].type, BELAY_TYPE_INT);
    assert_int_equal(cells[1].as.integer, -2);
    assert_true(cells[2].as.integer == INT64_MAX);
    assert_cell(3, BELAY_TYPE_DECIMAL, "1.50");
    assert_int_equal(cells[4].type, BELAY_TYPE_BOOL);
    assert_int_equal(cells[4].as.integer, 1);
    assert_int_equal(cells[5].type, BELAY_TYPE_NULL);
    assert_cell(6, BELAY_TYPE_TEXT, "x ");
    get_row("SELECT '\\x00ff10'::bytea, ''::bytea, 0.1::float8, 'NaN'::float8, '-Infinity'::float8, '{1,2}'::int[]", 0,
            NULL);
    assert_int_equal(cells[0].type, BELAY_TYPE_BLOB);
    assert_int_equal(cells[0].size, 3);
    assert_memory_equal(cells[0].as.data, "\x00\xff\x10", 3);
    assert_int_equal(cells[1].size, 0);
    assert_true(cells[2].as.real == 0.1);
    assert_true(cells[3].as.real != cells[3].as.real);
    assert_true(cells[4].as.real < -1e308);
    assert_cell(5, BELAY_TYPE_TEXT, "{1,2}");
    drop_row();
}

static void values_come_back_as_they_went(void **state)
{
    (void)state;
    rig_must(&r, conn,
             "CREATE TABLE v (i bigint, d float8, t text, b bytea, o boolean, n numeric, z timestamptz, s timestamp)");
    belay_value values[] = {belay_integer(INT64_MIN),
                            belay_real(1.0 / 3),
                            belay_text("a'\"\\ \xC3\xA4!", 7),
                            belay_blob("\0\x01\xFF'", 4),
                            belay_bool(true),
                            belay_decimal("-12345678901234567890.0123456789"),
                            belay_timestamp(INT64_C(1700000000123456)),
                            belay_timestamp(INT64_C(1700000000123456))};
    rig_must(&r, conn, "SET timezone = 'Asia/Tokyo'"); /* moments don't depend on it */
    assert_int_equal(rig_run_values(&r, conn, "INSERT INTO v VALUES ($1, $2, $3, $4, $5, $6, $7, $8)", 8, values),
                     BELAY_OK);
    assert_int_equal(r.effect.changes, 1);
    assert_false(r.effect.has_last_id);
    get_row("SELECT i, d, t, b, o, n, z AT TIME ZONE 'UTC', s FROM v", 0, NULL);
    assert_true(cells[0].as.integer == INT64_MIN);
    assert_true(cells[1].as.real == 1.0 / 3);
    assert_cell(2, BELAY_TYPE_TEXT, "a'\"\\ \xC3\xA4");
    assert_int_equal(cells[3].size, 4);
    assert_memory_equal(cells[3].as.data, "\0\x01\xFF'", 4);
    assert_int_equal(cells[4].as.integer, 1);
    assert_cell(5, BELAY_TYPE_DECIMAL, "-12345678901234567890.0123456789");
    assert_cell(6, BELAY_TYPE_TEXT, "2023-11-14 22:13:20.123456");
    assert_cell(7, BELAY_TYPE_TEXT, "2023-11-14 22:13:20.123456");
    drop_row();
}

static void the_earliest_and_latest_moments(void **state)
{
    (void)state;
    belay_value values[] = {belay_timestamp(INT64_C(-62167219200000000)), belay_timestamp(INT64_C(253402300799999999))};
    get_row("SELECT $1::timestamptz AT TIME ZONE 'UTC', $2::timestamptz AT TIME ZONE 'UTC'", 2, values);
    assert_cell(0, BELAY_TYPE_TEXT, "0001-01-01 00:00:00 BC"); /* the year 0 */
    assert_cell(1, BELAY_TYPE_TEXT, "9999-12-31 23:59:59.999999");
    drop_row();
}

/* The same statement, whose values have other types each time. */
static void a_statement_takes_values_of_changing_types(void **state)
{
    (void)state;
    belay_statement *insert = rig_prepare(&r, conn, "INSERT INTO t VALUES ($1, $2)", 2);
    const belay_value rows[][2] = {
        {belay_integer(10), belay_null()},     {belay_integer(11), belay_text("text", 4)},
        {belay_integer(12), belay_integer(5)}, {belay_decimal("13"), belay_integer(INT64_MAX)},
        {belay_integer(14), belay_real(0.5)},  {belay_text("15", 2), belay_bool(false)}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (D->execute(insert, 2, rows[i], &r.effect, &r.error) != BELAY_OK)
            fail_msg("row %zu: %s", i, r.error.message);
    const belay_value bytes[2] = {belay_integer(16), belay_blob("x", 1)}; /* the server writes them as text */
    assert_int_equal(D->execute(insert, 2, bytes, &r.effect, &r.error), BELAY_OK);
    assert_int_equal(D->execute(insert, 2, (belay_value[]){belay_integer(17), belay_null()}, &r.effect, &r.error),
                     BELAY_OK);
    assert_int_equal(D->execute(insert, 1, rows[0], &r.effect, &r.error), BELAY_MISUSE);
    D->finalize(insert);
    get_row("SELECT string_agg(coalesce(note, 'NULL'), ';' ORDER BY id) FROM t WHERE id >= 10", 0, NULL);
    assert_cell(0, BELAY_TYPE_TEXT, "NULL;text;5;9223372036854775807;0.5;false;\\x78;NULL");
    drop_row();
}

static void numbers_do_not_depend_on_the_programs_locale(void **state)
{
    (void)state;
    belay_value half = belay_real(0.5);
    if (!setlocale(LC_NUMERIC, "de_DE.UTF-8"))
        print_message("there is no locale with a comma here: only the plain one is tested\n");
    get_row("SELECT $1::float8 * 3", 1, &half);
    setlocale(LC_NUMERIC, "C");
    assert_true(cells[0].as.real == 1.5);
    drop_row();
}

/* ---- Prepared once ----------------------------------------------------------------------------------------------- */

static int64_t count_prepared(void)
{
    return rig_ask(&r, conn, "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%mark%'");
}

static void a_statement_is_prepared_once_and_forgotten_at_the_server_too(void **state)
{
    (void)state;
    belay_statement *select = rig_prepare(&r, conn, "SELECT id FROM t WHERE note <> 'mark'", 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(D->execute(select, 0, NULL, &r.effect, &r.error), BELAY_OK);
    assert_int_equal(rig_ask(&r, conn,
                             "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%mark%' AND "
                             "generic_plans + custom_plans = 5"),
                     1);
    D->finalize(select);
    rig_must(&r, conn, "SELECT 1");
    assert_int_equal(count_prepared(), 1); /* the one that asks */
}

static void what_is_forgotten_goes_ahead_of_a_statement_that_is_prepared(void **state)
{
    (void)state;
    belay_statement *kept = rig_prepare(&r, conn, "SELECT id FROM t", 0);
    assert_int_equal(D->execute(kept, 0, NULL, &r.effect, &r.error), BELAY_OK);
    rig_must(&r, conn, "SELECT 'mark'");
    assert_int_equal(D->execute(kept, 0, NULL, &r.effect, &r.error), BELAY_OK);
    assert_int_equal(count_prepared(), 1); /* the one that asks */
    D->finalize(kept);
}

static void statements_survive_a_change_of_the_schema_by_another(void **state)
{
    (void)state;
    belay_statement *all = rig_prepare(&r, conn, "SELECT * FROM t ORDER BY id", 0);
    for (int i = 0; i < 3; i++) {
        char sql[64];
        rig_must_begin(&r, conn);
        assert_int_equal(D->start(all, 0, NULL, &r.error), BELAY_OK); /* it begins the transaction: nothing is lost */
        assert_int_equal(all->columns, 2 + i);
        assert_int_equal(D->step(all, cells, &r.effect, &r.error), BELAY_STEP_ROW);
        D->finish(all);
        rig_must_commit(&r, conn);
        snprintf(sql, sizeof sql, "ALTER TABLE t ADD COLUMN more%d integer", i);
        rig_must(&r, other, sql);
    }
    D->finalize(all);
}

static void a_change_of_the_schema_in_the_middle_costs_the_unit_and_not_the_next_try(void **state)
{
    (void)state;
    belay_statement *all = rig_prepare(&r, conn, "SELECT * FROM t ORDER BY id", 0);
    assert_int_equal(D->execute(all, 0, NULL, &r.effect, &r.error), BELAY_OK);
    rig_must(&r, other, "ALTER TABLE t ADD COLUMN more integer");
    rig_must_begin(&r, conn);
    rig_must(&r, conn, "CREATE TABLE something (a integer)"); /* so that the transaction has begun before */
    ((belayi_pg_conn *)conn)->generation = ((belayi_pg_statement *)all)->name.generation; /* and nothing is known */
    assert_int_equal(D->execute(all, 0, NULL, &r.effect, &r.error), BELAY_SERIALIZATION);
    assert_string_equal(r.error.sqlstate, "0A000");
    rig_must_rollback(&r, conn);
    assert_int_equal(D->execute(all, 0, NULL, &r.effect, &r.error), BELAY_OK);
    D->finalize(all);
}

static void in_a_savepoint_of_its_own_it_is_run_again(void **state)
{
    (void)state;
    belay_statement *all = rig_prepare(&r, conn, "SELECT * FROM t ORDER BY id", 0);
    assert_int_equal(D->execute(all, 0, NULL, &r.effect, &r.error), BELAY_OK);
    rig_must(&r, other, "ALTER TABLE t ADD COLUMN more integer");
    rig_must_begin(&r, conn);
    rig_must(&r, conn, "INSERT INTO t (id) VALUES (3)");
    assert_int_equal(D->savepoint(conn, 1, &r.error), BELAY_OK);
    assert_int_equal(D->execute(all, 0, NULL, &r.effect, &r.error), BELAY_OK);
    assert_int_equal(D->rollback_to(conn, 1, &r.error), BELAY_OK);
    assert_int_equal(D->release(conn, 1, &r.error), BELAY_OK);
    rig_must_commit(&r, conn);
    assert_int_equal(rig_ask(&r, other, "SELECT count(*) FROM t"), 3);
    D->finalize(all);
}

static void statements_survive_being_forgotten_by_the_server(void **state)
{
    (void)state;
    belay_statement *all = rig_prepare(&r, conn, "SELECT id FROM t", 0);
    assert_int_equal(D->execute(all, 0, NULL, &r.effect, &r.error), BELAY_OK);
    rig_must(&r, conn, "DISCARD ALL");
    assert_int_equal(D->execute(all, 0, NULL, &r.effect, &r.error), BELAY_OK);
    PGresult *result = PQexec(((belayi_pg_conn *)conn)->pg, "DEALLOCATE ALL"); /* behind the driver's back */
    PQclear(result);
    assert_int_equal(D->execute(all, 0, NULL, &r.effect, &r.error), BELAY_OK);
    D->finalize(all);
}

/* ---- Rows ------------------------------------------------------------------------------------------------------- */

static void rows_are_read_one_by_one_and_may_be_left_half_way(void **state)
{
    (void)state;
    rig_must_begin(&r, conn);
    belay_statement *many = rig_prepare(&r, conn, "SELECT g, g * 2 AS twice FROM generate_series(1, 10000) g", 0);
    assert_int_equal(D->start(many, 0, NULL, &r.error), BELAY_OK);
    for (int i = 1; i <= 100; i++) {
        assert_int_equal(D->step(many, cells, &r.effect, &r.error), BELAY_STEP_ROW);
        assert_int_equal(cells[1].as.integer, 2 * i);
    }
    assert_string_equal(D->column_name(many, 1), "twice");
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_OPEN);
    D->finish(many);
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_OPEN);
    assert_int_equal(D->start(many, 0, NULL, &r.error), BELAY_OK);
    for (int i = 1; i <= 10000; i++)
        assert_int_equal(D->step(many, cells, &r.effect, &r.error), BELAY_STEP_ROW);
    assert_int_equal(D->step(many, cells, &r.effect, &r.error), BELAY_STEP_DONE);
    assert_int_equal(D->step(many, cells, &r.effect, &r.error), BELAY_STEP_DONE);
    D->finish(many);
    rig_must_commit(&r, conn);
    D->finalize(many);
}

/* Of a statement that is prepared already, with nothing but a setting of the session before it. */
static void rows_come_also_behind_what_goes_ahead(void **state)
{
    (void)state;
    belay_statement *query = rig_prepare(&r, conn, "SELECT id FROM t ORDER BY id", 0);
    for (int i = 0; i < 4; i++) {
        rig_limit(conn, 100 + i / 2, -1);
        assert_int_equal(D->start(query, 0, NULL, &r.error), BELAY_OK);
        for (int id = 1; id <= 2; id++) {
            assert_int_equal(D->step(query, cells, &r.effect, &r.error), BELAY_STEP_ROW);
            assert_int_equal(cells[0].as.integer, id);
        }
        assert_int_equal(D->step(query, cells, &r.effect, &r.error), BELAY_STEP_DONE);
        D->finish(query);
    }
    D->finalize(query);
}

static void a_failure_in_a_later_row_is_the_steps(void **state)
{
    (void)state;
    rig_must_begin(&r, conn);
    belay_statement *late = rig_prepare(&r, conn, "SELECT 1 / (50 - g) FROM generate_series(1, 100) g", 0);
    assert_int_equal(D->start(late, 0, NULL, &r.error), BELAY_OK);
    for (int i = 1; i < 50; i++)
        assert_int_equal(D->step(late, cells, &r.effect, &r.error), BELAY_STEP_ROW);
    assert_int_equal(D->step(late, cells, &r.effect, &r.error), BELAY_STEP_ERROR);
    assert_int_equal(r.error.code, BELAY_DATA);
    D->finish(late);
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_FAILED);
    rig_must_rollback(&r, conn);
    D->finalize(late);
}

/* What was read was good; that the rest was not is the first error, and not the 25P02 that comes of it. */
static void a_failure_in_a_row_that_was_not_read_is_told_by_the_next_call(void **state)
{
    (void)state;
    rig_must_begin(&r, conn);
    belay_statement *late = rig_prepare(&r, conn, "SELECT 1 / (50 - g) FROM generate_series(1, 100) g", 0);
    assert_int_equal(D->start(late, 0, NULL, &r.error), BELAY_OK);
    assert_int_equal(D->step(late, cells, &r.effect, &r.error), BELAY_STEP_ROW);
    D->finish(late);
    rig_assert_error(&r, conn, "SELECT 1", BELAY_DATA, "22012");
    rig_must_rollback(&r, conn);
    assert_int_equal(rig_ask(&r, conn, "SELECT 1"), 1);
    D->finalize(late);
}

static void changes_are_those_of_writes_only(void **state)
{
    (void)state;
    rig_must(&r, conn, "SELECT * FROM t");
    assert_int_equal(r.effect.changes, 0);
    rig_must(&r, conn, "UPDATE t SET note = note"); /* rows matched */
    assert_int_equal(r.effect.changes, 2);
    rig_must(&r, conn, "WITH n AS (SELECT 5 AS id) INSERT INTO t SELECT id, 'x' FROM n RETURNING id");
    assert_int_equal(r.effect.changes, 1);
    rig_must(&r, conn, "CREATE TABLE copy AS SELECT * FROM t");
    assert_int_equal(r.effect.changes, 0);
    rig_must(&r, conn, "DELETE FROM t");
    assert_int_equal(r.effect.changes, 3);
}

static void copy_is_refused_and_the_connection_given_up(void **state)
{
    (void)state;
    assert_int_equal(rig_run(&r, conn, "COPY t FROM STDIN"), BELAY_UNSUPPORTED);
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_LOST);
    assert_int_equal(rig_run(&r, other, "COPY t TO STDOUT"), BELAY_UNSUPPORTED);
    assert_int_equal(D->status(other), BELAY_TRANSACTION_LOST);
}

static void literals_follow_the_sessions_own_rules(void **state)
{
    (void)state;
    assert_false(conn->rules->backslash_escapes);
    rig_must(&r, conn, "SET standard_conforming_strings = off");
    assert_true(conn->rules->backslash_escapes);
    rig_must_begin(&r, conn);
    rig_must(&r, conn, "SET LOCAL standard_conforming_strings = on");
    assert_false(conn->rules->backslash_escapes);
    rig_must_rollback(&r, conn);
    assert_true(conn->rules->backslash_escapes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(results_have_the_types_of_their_columns),
        T(values_come_back_as_they_went),
        T(the_earliest_and_latest_moments),
        T(a_statement_takes_values_of_changing_types),
        T(numbers_do_not_depend_on_the_programs_locale),
        T(a_statement_is_prepared_once_and_forgotten_at_the_server_too),
        T(what_is_forgotten_goes_ahead_of_a_statement_that_is_prepared),
        T(statements_survive_a_change_of_the_schema_by_another),
        T(a_change_of_the_schema_in_the_middle_costs_the_unit_and_not_the_next_try),
        T(in_a_savepoint_of_its_own_it_is_run_again),
        T(statements_survive_being_forgotten_by_the_server),
        T(rows_are_read_one_by_one_and_may_be_left_half_way),
        T(rows_come_also_behind_what_goes_ahead),
        T(a_failure_in_a_later_row_is_the_steps),
        T(a_failure_in_a_row_that_was_not_read_is_told_by_the_next_call),
        T(changes_are_those_of_writes_only),
        T(copy_is_refused_and_the_connection_given_up),
        T(literals_follow_the_sessions_own_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
