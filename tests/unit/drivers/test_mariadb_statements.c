/* Values, rows, effects and settings of MariaDB; URLs. */
#include "mariadb_rig.h"

#include <math.h>

static int set_up_values(void **state)
{
    set_up(state);
    rig_must(&r, conn, "DROP TABLE IF EXISTS v");
    rig_must(&r, conn, "DROP PROCEDURE IF EXISTS two");
    rig_must(&r, conn,
             "CREATE TABLE v (id INT PRIMARY KEY AUTO_INCREMENT, i BIGINT, u BIGINT UNSIGNED, d DOUBLE, t LONGTEXT, "
             "b LONGBLOB, n DECIMAL(20,4), m DATETIME(6), s TIMESTAMP(6) NULL, k BIT(9), y BOOL)");
    return 0;
}

static void assert_bytes(const belay_value *cell, belay_type type, const char *text)
{
    assert_int_equal(cell->type, type);
    assert_int_equal(cell->size, strlen(text));
    assert_memory_equal(cell->as.data, text, cell->size);
}

static void every_type_arrives_and_comes_back(void **state)
{
    (void)state;
    belay_value cells[11], values[] = {belay_integer(INT64_MIN),
                                       belay_real(1.0 / 3),
                                       belay_string("gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80 'q\\"),
                                       belay_blob("\0\xff\0", 3),
                                       belay_decimal("-1234567890123456.7891"),
                                       belay_timestamp(INT64_C(1700000000123456)),
                                       belay_bool(true)};
    assert_code(rig_run_values(&r, conn,
                               "INSERT INTO v (i, u, d, t, b, n, m, s, k, y) VALUES (?1, 18446744073709551615, ?2, "
                               "?3, ?4, ?5, ?6, ?6, b'100000011', ?7)",
                               7, values),
                BELAY_OK);
    assert_int_equal(r.effect.changes, 1);
    assert_true(r.effect.has_last_id && r.effect.last_id == 1);
    belay_statement *s = rig_prepare(&r, conn, "SELECT * FROM v", 0);
    assert_code(D->start(s, 0, NULL, &r.error), BELAY_OK);
    assert_int_equal(D->step(s, cells, &r.effect, &r.error), BELAY_STEP_ROW);
    assert_true(cells[1].type == BELAY_TYPE_INT && cells[1].as.integer == INT64_MIN);
    assert_bytes(&cells[2], BELAY_TYPE_DECIMAL, "18446744073709551615");
    assert_true(cells[3].type == BELAY_TYPE_DOUBLE);
    assert_memory_equal(&cells[3].as.real, &values[1].as.real, sizeof(double));
    assert_bytes(&cells[4], BELAY_TYPE_TEXT, values[2].as.data);
    assert_true(cells[5].type == BELAY_TYPE_BLOB && cells[5].size == 3 && memcmp(cells[5].as.data, "\0\xff\0", 3) == 0);
    assert_bytes(&cells[6], BELAY_TYPE_DECIMAL, "-1234567890123456.7891");
    assert_bytes(&cells[7], BELAY_TYPE_TEXT, "2023-11-14 22:13:20.123456");
    assert_bytes(&cells[8], BELAY_TYPE_TEXT, "2023-11-14 22:13:20.123456");
    assert_true(cells[9].type == BELAY_TYPE_INT && cells[9].as.integer == 259);
    assert_true(cells[10].type == BELAY_TYPE_INT && cells[10].as.integer == 1);
    assert_int_equal(D->step(s, cells, &r.effect, &r.error), BELAY_STEP_DONE);
    D->finish(s);
    D->finalize(s);
    assert_int_equal(rig_ask(&r, conn, "SELECT UNIX_TIMESTAMP(s) DIV 1 FROM v"), 1700000000);
}

static void nulls_empty_texts_and_numbers_that_are_none(void **state)
{
    (void)state;
    belay_value cells[3], values[] = {belay_null(), belay_string(""), belay_blob("", 0)};
    belay_value odd = belay_real(NAN), endless = belay_real(INFINITY);
    assert_code(rig_run_values(&r, conn, "INSERT INTO v (i, t, b) VALUES (?, ?, ?)", 3, values), BELAY_OK);
    assert_code(rig_run_values(&r, conn, "INSERT INTO v (d) VALUES (?)", 1, &odd), BELAY_DATA);
    assert_code(rig_run_values(&r, conn, "INSERT INTO v (d) VALUES (?)", 1, &endless), BELAY_DATA);
    belay_statement *s = rig_prepare(&r, conn, "SELECT i, t, b FROM v", 0);
    assert_code(D->start(s, 0, NULL, &r.error), BELAY_OK);
    assert_int_equal(D->step(s, cells, &r.effect, &r.error), BELAY_STEP_ROW);
    assert_int_equal(cells[0].type, BELAY_TYPE_NULL);
    assert_bytes(&cells[1], BELAY_TYPE_TEXT, "");
    assert_bytes(&cells[2], BELAY_TYPE_BLOB, "");
    D->finish(s);
    D->finalize(s);
}

static void long_texts_come_whole_between_short_ones(void **state)
{
    (void)state;
    belay_value cell;
    static const size_t sizes[] = {3, 100000, 0, 64, 65, 300000, 1};
    belay_statement *s = rig_prepare(&r, conn, "SELECT REPEAT('x', ?)", 1);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        belay_value size = belay_integer((int64_t)sizes[i]);
        assert_code(D->start(s, 1, &size, &r.error), BELAY_OK);
        assert_int_equal(D->step(s, &cell, &r.effect, &r.error), BELAY_STEP_ROW);
        assert_int_equal(cell.size, sizes[i]);
        for (size_t at = 0; at < cell.size; at++)
            assert_int_equal(((const char *)cell.as.data)[at], 'x');
        D->finish(s);
    }
    D->finalize(s);
}

static void rows_that_were_matched_count_also_when_nothing_changed_in_them(void **state)
{
    (void)state;
    rig_must(&r, conn, "INSERT INTO v (i) VALUES (1), (2), (3)");
    assert_int_equal(r.effect.changes, 3);
    rig_must(&r, conn, "UPDATE v SET i = i");
    assert_int_equal(r.effect.changes, 3);
    rig_must(&r, conn, "SELECT * FROM v");
    assert_int_equal(r.effect.changes, 0);
    rig_must(&r, conn, "DELETE FROM v WHERE i > 1 RETURNING id");
    assert_int_equal(r.effect.changes, 2);
}

static void a_plan_that_the_schema_made_stale_is_renewed(void **state)
{
    (void)state;
    belay_value cells[12];
    belay_statement *s = rig_prepare(&r, conn, "SELECT * FROM v", 0);
    assert_int_equal(s->columns, 11);
    rig_must(&r, conn, "ALTER TABLE v ADD extra INT DEFAULT 8");
    rig_must(&r, conn, "INSERT INTO v (i) VALUES (1)");
    if (D->start(s, 0, NULL, &r.error) != BELAY_OK)
        fail_msg("%d %s", r.error.native_code, r.error.message);
    assert_int_equal(s->columns, 12);
    assert_int_equal(D->step(s, cells, &r.effect, &r.error), BELAY_STEP_ROW);
    assert_int_equal(cells[11].as.integer, 8);
    D->finish(s);
    D->finalize(s);
}

static void a_write_that_gives_rows_runs_once_also_when_its_columns_were_changed(void **state)
{
    (void)state;
    belay_statement *s = rig_prepare(&r, conn, "INSERT INTO v (i) VALUES (1) RETURNING v.*", 0);
    rig_must(&r, conn, "ALTER TABLE v ADD extra INT DEFAULT 8");
    assert_code(D->execute(s, 0, NULL, &r.effect, &r.error), BELAY_OK);
    assert_int_equal(rig_ask(&r, conn, "SELECT count(*) FROM v"), 1);
    D->finalize(s);
}

static void a_procedure_gives_its_first_result_and_the_others_are_thrown_away(void **state)
{
    (void)state;
    rig_must(&r, conn, "CREATE PROCEDURE two() BEGIN SELECT 1 AS a UNION SELECT 2; SELECT 3; END");
    assert_int_equal(rig_ask(&r, conn, "CALL two()"), 1);
    rig_must(&r, conn, "CALL two()");
    assert_int_equal(rig_ask(&r, conn, "SELECT 7"), 7);
}

static void rows_left_unread_leave_the_connection_fit(void **state)
{
    (void)state;
    belay_value cells[1];
    belay_statement *s = rig_prepare(&r, conn, "SELECT REPEAT('y', 1000) FROM seq_1_to_50000", 0);
    assert_code(D->start(s, 0, NULL, &r.error), BELAY_OK);
    assert_int_equal(D->step(s, cells, &r.effect, &r.error), BELAY_STEP_ROW);
    assert_code(rig_run(&r, conn, "DO 0"), BELAY_MISUSE); /* while rows are being read */
    D->finish(s);
    assert_int_equal(rig_ask(&r, conn, "SELECT 7"), 7);
    D->finalize(s);
}

/* ---- What a text is --------------------------------------------------------------------------------------------- */

static void the_sql_mode_decides_what_a_string_is(void **state)
{
    (void)state;
    assert_true(conn->rules->backslash_escapes && conn->rules->double_quoted_strings);
    rig_must(&r, conn, "SET sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'");
    assert_false(conn->rules->backslash_escapes || conn->rules->double_quoted_strings);
    rig_must(&r, conn, "SET SESSION sql_mode = ''");
    assert_true(conn->rules->backslash_escapes && conn->rules->double_quoted_strings);
}

static void an_implicit_commit_is_known_by_its_text(void **state)
{
    static const char *const texts[] = {"CREATE TABLE x (a INT)", "LOCK TABLES v WRITE", "/*!50000 TRUNCATE */ v",
                                        "RENAME TABLE v TO w"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        belayi_sql sql;
        assert_int_equal(belayi_sql_read(texts[i], strlen(texts[i]), conn->rules, &sql), BELAYI_LEX_OK);
        assert_int_equal(sql.kind, BELAYI_SQL_IMPLICIT_COMMIT);
        belayi_sql_done(&sql);
    }
}

static void own_connections_are_strict_in_utc_and_reconnect_never(void **state)
{
    (void)state;
    MYSQL *native = D->native(conn);
    my_bool reconnect = 1;
    mysql_get_option(native, MYSQL_OPT_RECONNECT, &reconnect);
    assert_false(reconnect);
    assert_int_equal(rig_ask(&r, conn, "SELECT @@autocommit"), 1);
    assert_int_equal(rig_ask(&r, conn, "SELECT @@time_zone = '+00:00'"), 1);
    assert_int_equal(rig_ask(&r, conn, "SELECT @@sql_mode LIKE '%STRICT_TRANS_TABLES%'"), 1);
    assert_int_equal(rig_ask(&r, conn, "SELECT @@character_set_client = 'utf8mb4'"), 1);
}

/* ---- URLs ------------------------------------------------------------------------------------------------------- */

static void a_url_that_is_no_good_says_why_and_never_shows_the_password(void **state)
{
    static const char *const urls[] = {
        "mariadb:x",
        "mariadb://hush@",
        "mariadb://host/d",
        "mariadb://:hush@host/d",
        "mariadb://u:hush@host:0/d",
        "mariadb://u:hush@host:port/d",
        "mariadb://u:hush@[::1/d",
        "mariadb://u:hush%zz@host/d",
        "mariadb://u:hush@host/d?unknown=1",
        "mariadb://u:hush@host/d?socket=",
        "mariadb://u:hush@host/d?tls=maybe",
        "mariadb://u:hush@host/d?tls_ca=/x",
        "mariadb://u:hush@host/d?socket=/a&socket=/b",
    };
    (void)state;
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        if (i == 1) /* a user, and the host that is the default: nobody lets it in */
            continue;
        assert_code(rig_try_url(urls[i]), BELAY_MISUSE);
        assert_null(strstr(r.error.message, "hush"));
        assert_null(strstr(r.error.hint, "hush"));
    }
}

static void who_is_not_let_in_is_told_so_without_the_password(void **state)
{
    char url[200];
    (void)state;
    const char *host = strchr(rig_url(), '@');
    snprintf(url, sizeof url, "mariadb://nobody:hush%s", host);
    assert_code(rig_try_url(url), BELAY_PERMISSION);
    assert_null(strstr(r.error.message, "hush"));
}

#define ON_VALUES(test) cmocka_unit_test_setup_teardown(test, set_up_values, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_VALUES(every_type_arrives_and_comes_back),
        ON_VALUES(nulls_empty_texts_and_numbers_that_are_none),
        ON_VALUES(long_texts_come_whole_between_short_ones),
        ON_VALUES(rows_that_were_matched_count_also_when_nothing_changed_in_them),
        ON_VALUES(a_plan_that_the_schema_made_stale_is_renewed),
        ON_VALUES(a_write_that_gives_rows_runs_once_also_when_its_columns_were_changed),
        ON_VALUES(a_procedure_gives_its_first_result_and_the_others_are_thrown_away),
        ON_VALUES(rows_left_unread_leave_the_connection_fit),
        ON_VALUES(the_sql_mode_decides_what_a_string_is),
        ON_VALUES(an_implicit_commit_is_known_by_its_text),
        ON_VALUES(own_connections_are_strict_in_utc_and_reconnect_never),
        ON_VALUES(a_url_that_is_no_good_says_why_and_never_shows_the_password),
        ON_VALUES(who_is_not_let_in_is_told_so_without_the_password),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
