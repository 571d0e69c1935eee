/*
 * test_mariadb_each.c - many rows of one statement: each has the fate and the error of its own statement, however they
 * were run; and what ends all of them.
 */
#include "mariadb_rig.h"

#include <pthread.h>
#include <unistd.h>

enum { MOST = 9000, COLUMNS = 4, LOGGED = 600 };

static const char insert_text[] = "INSERT INTO each_t (id, day, payee, amount) VALUES (?, ?, ?, ?)";
static const char *const names[] = {"`id`", "day", "payee", "`amount`"};
static const belay_target target = {"each_t", names};

static belay_value values[MOST * COLUMNS];

/* What was told of rejected rows. */
static struct {
    size_t count, rows[LOGGED], stop_at;
    belay_error why[LOGGED];
    void (*meanwhile)(void); /* is called at the first one, once */
} told;

static int64_t changes;

static int make_table(void **state)
{
    if (set_up(state) != 0)
        return 1;
    memset(&told, 0, sizeof told);
    told.stop_at = SIZE_MAX;
    rig_must(&r, other, "DROP VIEW IF EXISTS each_t"); /* what a test left that failed */
    rig_must(&r, other, "DROP TABLE IF EXISTS each_t, each_u, each_log");
    rig_must(&r, other,
             "CREATE TABLE each_t (id INT PRIMARY KEY, day DATE NOT NULL, payee VARCHAR(10) NOT NULL, amount "
             "DECIMAL(12,2) CHECK (amount > 0), UNIQUE KEY by_payee (payee)) ENGINE = InnoDB");
    rig_must(&r, other, "CREATE TABLE each_log (id INT) ENGINE = InnoDB");
    return 0;
}

#define IN_TABLE(test) cmocka_unit_test_setup_teardown(test, make_table, tear_down)

/* ---- Rows ----------------------------------------------------------------------------------------------------- */

static belay_value text_value(const char *text)
{
    return (belay_value){.type = BELAY_TYPE_TEXT, .size = strlen(text), .as.data = text};
}

static void make_rows(size_t count)
{
    static char payees[MOST][10];
    assert_true(count <= MOST);
    for (size_t i = 0; i < count; i++) {
        belay_value *row = &values[i * COLUMNS];
        snprintf(payees[i], sizeof payees[i], "p%zu", i);
        row[0] = (belay_value){.type = BELAY_TYPE_INT, .as.integer = (int64_t)i + 1};
        row[1] = text_value("2026-01-01");
        row[2] = text_value(payees[i]);
        row[3] = (belay_value){.type = BELAY_TYPE_DECIMAL, .size = 4, .as.data = "1.25"};
    }
}

static belay_value *cell(size_t row, size_t column)
{
    return &values[row * COLUMNS + column];
}

/* Rows that are bad in each way there is, far apart. */
static void make_bad_rows(void)
{
    make_rows(5000);
    *cell(100, 0) = *cell(90, 0);
    *cell(200, 2) = *cell(90, 2);
    *cell(300, 3) = (belay_value){.type = BELAY_TYPE_DECIMAL, .size = 5, .as.data = "-1.25"};
    *cell(400, 2) = (belay_value){.type = BELAY_TYPE_NULL};
    *cell(500, 1) = text_value("2026-13-01");
    *cell(600, 2) = text_value("longer than ten");
    *cell(700, 3) = (belay_value){.type = BELAY_TYPE_DECIMAL, .size = 14, .as.data = "12345678901.25"};
    *cell(800, 2) = text_value("\xff");
    *cell(900, 0) = text_value("nine");
    *cell(1000, 1) = text_value("2026-13-01"); /* and a key that is taken: the value is looked at first */
    *cell(1000, 0) = *cell(90, 0);
    *cell(4999, 0) = *cell(4998, 0);
}

/* ---- Running -------------------------------------------------------------------------------------------------- */

static bool tell(void *arg, size_t row, belay_error *error)
{
    (void)arg;
    assert_true(told.count < LOGGED);
    told.rows[told.count] = row;
    told.why[told.count++] = *error;
    if (told.meanwhile) {
        void (*meanwhile)(void) = told.meanwhile;
        told.meanwhile = NULL;
        meanwhile();
    }
    return row != told.stop_at;
}

static belay_code run_each(belay_statement *statement, const belay_target *where, size_t rows)
{
    belay_each each = {
        .rows = rows, .columns = COLUMNS, .values = values, .target = where, .changes = &changes, .rejected = tell};
    conn->round_trips = 0;
    return D->execute_each(statement, &each, &r.effect, &r.error);
}

static belay_code try_row(belay_statement *statement, const belay_value *row, belay_error *error)
{
    belay_error ignored;
    assert_code(D->savepoint(conn, 2, &ignored), BELAY_OK);
    belay_code code = D->execute(statement, COLUMNS, row, &r.effect, error);
    if (code != BELAY_OK)
        assert_code(D->rollback_to(conn, 2, &ignored), BELAY_OK);
    assert_code(D->release(conn, 2, &ignored), BELAY_OK);
    return code;
}

/* In a transaction in which the table was written to, as the caller does. */
static belay_statement *begin_with(const char *text)
{
    rig_must_begin(&r, conn);
    belay_statement *statement = rig_prepare(&r, conn, text, COLUMNS);
    belay_value first[] = {{.type = BELAY_TYPE_INT, .as.integer = 1000000},
                           text_value("2026-01-01"),
                           text_value("first"),
                           {.type = BELAY_TYPE_NULL}};
    assert_code(D->execute(statement, COLUMNS, first, &r.effect, &r.error), BELAY_OK);
    return statement;
}

static void assert_same_error(const belay_error *a, const belay_error *b)
{
    assert_code(a->code, b->code);
    assert_int_equal(a->native_code, b->native_code);
    assert_string_equal(a->sqlstate, b->sqlstate);
    assert_string_equal(a->message, b->message);
    assert_string_equal(a->table, b->table);
    assert_string_equal(a->column, b->column);
    assert_string_equal(a->constraint, b->constraint);
}

/* Runs the rows one by one, and fails unless they have the fates that were told. */
static void assert_as_one_by_one(size_t rows)
{
    size_t at = 0;
    int64_t kept = 0;
    belay_error why;
    belay_statement *statement = begin_with(insert_text);
    for (size_t i = 0; i < rows; i++) {
        if (try_row(statement, cell(i, 0), &why) == BELAY_OK) {
            kept++;
            continue;
        }
        assert_true(at < told.count);
        assert_int_equal(told.rows[at], i);
        assert_same_error(&told.why[at], &why);
        at++;
    }
    assert_int_equal(at, told.count);
    assert_int_equal(kept, changes);
    D->finalize(statement);
    rig_must_rollback(&r, conn);
}

/* ---- Fates ---------------------------------------------------------------------------------------------------- */

static void rows_of_every_kind_have_the_fates_and_errors_of_their_own_statements(void **state)
{
    (void)state;
    make_bad_rows();
    belay_statement *statement = begin_with(insert_text);
    assert_code(run_each(statement, &target, 5000), BELAY_OK);
    assert_int_equal(changes, 5000 - 11);
    assert_int_equal(r.effect.changes, 0); /* the last one failed */
    assert_int_equal(rig_ask(&r, conn, "SELECT count(*) FROM each_t"), 5000 - 11 + 1);
    assert_int_equal(rig_ask(&r, conn, "SELECT count(*) FROM each_t WHERE day <> '2026-01-01' OR length(payee) > 9"),
                     0);
    D->finalize(statement);
    rig_must_rollback(&r, conn);
    assert_as_one_by_one(5000);
}

static void a_column_that_refuses_nulls_is_not_guessed_for_others(void **state)
{
    (void)state;
    make_rows(600);
    for (size_t i = 10; i < 600; i += 10)
        *cell(i, 2 + i / 10 % 2) = (belay_value){.type = BELAY_TYPE_NULL};
    belay_statement *statement = begin_with(insert_text);
    for (size_t i = 0; i < 600; i += 200) { /* what was learnt is kept */
        belay_each each = {.rows = 200,
                           .columns = COLUMNS,
                           .values = cell(i, 0),
                           .target = &target,
                           .changes = &changes,
                           .rejected = tell};
        assert_code(D->execute_each(statement, &each, &r.effect, &r.error), BELAY_OK);
    }
    assert_int_equal(told.count, 29);
    assert_int_equal(rig_ask(&r, conn, "SELECT count(*) FROM each_t"), 600 - 29 + 1);
    for (size_t i = 0; i < told.count; i++)
        assert_string_equal(told.why[i].message, "Column 'payee' cannot be null");
    D->finalize(statement);
    rig_must_rollback(&r, conn);
}

/* ---- Speed, by how often the server was waited for ------------------------------------------------------------- */

static void good_rows_and_bad_ones_go_in_few_trips(void **state)
{
    (void)state;
    make_rows(MOST);
    belay_statement *statement = begin_with(insert_text);
    assert_code(run_each(statement, &target, MOST), BELAY_OK);
    assert_int_equal(changes, MOST);
    assert_in_range(conn->round_trips, 1, 4 + 3 + 1); /* questions, preparing, the first row; chunks, and an odd row */
    rig_must(&r, conn, "DELETE FROM each_t");
    for (size_t i = 20; i < MOST; i += 20)
        *cell(i, 0) = *cell(i - 1, 0);
    assert_code(run_each(statement, &target, MOST), BELAY_OK);
    assert_int_equal(told.count, MOST / 20 - 1);
    assert_in_range(conn->round_trips, 1, 3 + 2 * 3 + 1);
    D->finalize(statement);
    rig_must_rollback(&r, conn);
}

/* ---- Tables that are not plain ---------------------------------------------------------------------------------- */

static void triggers_are_run_for_each_row(void **state)
{
    (void)state;
    rig_must(&r, other,
             "CREATE TRIGGER each_note AFTER INSERT ON each_t FOR EACH ROW INSERT INTO each_log VALUES (NEW.id)");
    make_rows(50);
    *cell(20, 0) = *cell(10, 0);
    belay_statement *statement = begin_with(insert_text);
    assert_code(run_each(statement, &target, 50), BELAY_OK);
    assert_int_equal(told.count, 1);
    assert_int_equal(rig_ask(&r, conn, "SELECT count(*) FROM each_log"), 50);
    assert_true(conn->round_trips > 50);
    D->finalize(statement);
    rig_must_rollback(&r, conn);
}

static void refuse(const char *change, const char *undo)
{
    rig_must(&r, other, change);
    make_rows(50);
    belay_statement *statement = begin_with(insert_text);
    assert_code(run_each(statement, &target, 50), BELAY_UNSUPPORTED);
    assert_int_equal(rig_ask(&r, conn, "SELECT count(*) FROM each_t"), 1);
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_OPEN);
    D->finalize(statement);
    D->rollback(conn, &r.error);
    rig_must(&r, other, undo);
}

static void another_engine_is_for_the_caller(void **state)
{
    (void)state;
    refuse("ALTER TABLE each_t ENGINE = MyISAM", "TRUNCATE each_t");
}

static void a_view_is_for_the_caller(void **state)
{
    (void)state;
    rig_must(&r, other, "RENAME TABLE each_t TO each_u");
    refuse("CREATE OR REPLACE VIEW each_t AS SELECT * FROM each_u", "DROP VIEW each_t");
    rig_must(&r, other, "DROP TABLE each_u");
}

static void values_that_the_mode_would_change_are_for_the_caller(void **state)
{
    (void)state;
    rig_must(&r, conn, "SET SESSION sql_mode = ''");
    refuse("DO 0", "DO 0");
}

/* ---- Generated keys --------------------------------------------------------------------------------------------- */

static void the_key_of_the_last_row_is_told(void **state)
{
    (void)state;
    rig_must(&r, other, "ALTER TABLE each_t MODIFY id INT NOT NULL AUTO_INCREMENT");
    make_rows(300);
    belay_statement *statement = begin_with(insert_text);
    assert_code(run_each(statement, &target, 300), BELAY_OK);
    assert_true(r.effect.has_last_id);
    assert_int_equal(r.effect.last_id, 300);
    rig_must(&r, conn, "DELETE FROM each_t");
    for (size_t i = 0; i < 300; i++)
        *cell(i, 0) = (belay_value){.type = BELAY_TYPE_NULL};
    assert_code(run_each(statement, &target, 300), BELAY_OK);
    assert_int_equal(changes, 300);
    assert_int_equal(r.effect.last_id, rig_ask(&r, conn, "SELECT id FROM each_t WHERE payee = 'p299'"));
    D->finalize(statement);
    rig_must_rollback(&r, conn);
}

/* ---- What ends all ---------------------------------------------------------------------------------------------- */

static void a_row_that_is_not_taken_stops_all(void **state)
{
    (void)state;
    make_bad_rows();
    told.stop_at = 300;
    belay_statement *statement = begin_with(insert_text);
    assert_code(run_each(statement, &target, 5000), BELAY_CHECK);
    assert_int_equal(told.count, 3);
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_OPEN);
    D->finalize(statement);
    rig_must_rollback(&r, conn);
}

static void hang_up(void)
{
    char text[64];
    snprintf(text, sizeof text, "KILL CONNECTION %lu", mysql_thread_id(inner()->db));
    rig_must(&r, other, text);
}

static void a_connection_that_is_lost_between_chunks_ends_all(void **state)
{
    (void)state;
    make_rows(MOST);
    *cell(100, 0) = *cell(99, 0);
    told.meanwhile = hang_up;
    belay_statement *statement = begin_with(insert_text);
    assert_code(run_each(statement, &target, MOST), BELAY_CONNECTION);
    assert_int_equal(told.count, 1);
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_LOST);
    D->finalize(statement);
    assert_int_equal(rig_ask(&r, other, "SELECT count(*) FROM each_t"), 0);
}

static void a_row_that_waits_for_a_lock_in_vain_fails_alone(void **state)
{
    (void)state;
    make_rows(200);
    rig_must_begin(&r, other);
    rig_must(&r, other, "INSERT INTO each_t VALUES (50, '2026-01-01', 'theirs', 1)");
    belay_statement *statement = begin_with(insert_text);
    rig_limit(conn, 0, -1);
    assert_code(run_each(statement, &target, 200), BELAY_OK);
    assert_int_equal(told.count, 1);
    assert_int_equal(told.rows[0], 49);
    assert_code(told.why[0].code, BELAY_BUSY);
    assert_int_equal(changes, 199);
    rig_must_rollback(&r, other);
    D->finalize(statement);
    rig_must_rollback(&r, conn);
}

static void the_time_limit_ends_all_and_no_row_is_told(void **state)
{
    (void)state;
    make_rows(200);
    rig_must_begin(&r, other);
    rig_must(&r, other, "INSERT INTO each_t VALUES (50, '2026-01-01', 'theirs', 1)");
    belay_statement *statement = begin_with(insert_text);
    rig_limit(conn, 20000, 300);
    assert_code(run_each(statement, &target, 200), BELAY_TIMEOUT);
    rig_limit(conn, 20000, -1);
    assert_int_equal(told.count, 0);
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_OPEN);
    rig_must_rollback(&r, other);
    D->finalize(statement);
    rig_must_rollback(&r, conn);
}

static void *kill_query(void *arg)
{
    char text[64];
    snprintf(text, sizeof text, "KILL QUERY %lu", mysql_thread_id(inner()->db));
    usleep(400000);
    *(int *)arg = mysql_query(((belayi_mariadb_conn *)r.connections[2])->db, text);
    return NULL;
}

static void a_cancel_ends_all_and_no_row_is_told(void **state)
{
    pthread_t thread;
    int failed = 1;
    (void)state;
    make_rows(200);
    rig_connect(&r);
    rig_must_begin(&r, other);
    rig_must(&r, other, "INSERT INTO each_t VALUES (50, '2026-01-01', 'theirs', 1)");
    belay_statement *statement = begin_with(insert_text);
    rig_limit(conn, 20000, -1);
    assert_int_equal(pthread_create(&thread, NULL, kill_query, &failed), 0);
    belay_code code = run_each(statement, &target, 200);
    pthread_join(thread, NULL);
    assert_int_equal(failed, 0);
    assert_code(code, BELAY_CANCELLED);
    assert_int_equal(told.count, 0);
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_OPEN);
    rig_must_rollback(&r, other);
    D->finalize(statement);
    rig_must_rollback(&r, conn);
}

/* ---- A deadlock ------------------------------------------------------------------------------------------------- */

static MYSQL *asking;
static int asked, answer;

/* The other transaction, which has done more than ours, waits for a row of ours. */
static void wait_for_ours(void)
{
    static const char text[] = "UPDATE each_t SET amount = 2 WHERE id = 1000000";
    asking = ((belayi_mariadb_conn *)other)->db;
    asked = mysql_real_query_start(&answer, asking, text, sizeof text - 1);
    for (int64_t waiting = 0, i = 0; waiting == 0 && i < 200; i++) {
        usleep(120000); /* the server renews its list when nobody has read it for 100 ms */
        waiting = rig_ask(&r, r.connections[2],
                          "SELECT count(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'");
    }
}

static void deadlock(bool in_flights)
{
    make_rows(400);
    if (in_flights)
        rig_must(&r, other, "ALTER TABLE each_t ADD COLUMN k INT NOT NULL AUTO_INCREMENT, ADD UNIQUE KEY (k)");
    rig_connect(&r);
    rig_must_begin(&r, other);
    rig_must(&r, other,
             "INSERT INTO each_t (id, day, payee) SELECT seq + 2000000, '2026-01-01', concat('x', seq) FROM "
             "seq_1_to_3000");
    *cell(10, 0) = *cell(9, 0);
    *cell(300, 0) = (belay_value){.type = BELAY_TYPE_INT, .as.integer = 2000007};
    for (size_t i = 200; i < 400; i++) /* another chunk: of another type */
        *cell(i, 3) = text_value("1.25");
    told.meanwhile = wait_for_ours;
    belay_statement *statement = begin_with(insert_text);
    assert_code(run_each(statement, &target, 400), BELAY_DEADLOCK);
    assert_int_equal(told.count, 1);
    assert_int_equal(D->status(conn), in_flights ? BELAY_TRANSACTION_LOST : BELAY_TRANSACTION_NONE);
    while (asked)
        asked = mysql_real_query_cont(&answer, asking, MYSQL_WAIT_READ);
    assert_int_equal(answer, 0);
    rig_must_rollback(&r, other);
    assert_code(D->rollback(conn, &r.error), BELAY_OK);
    D->finalize(statement);
    assert_int_equal(rig_ask(&r, other, "SELECT count(*) FROM each_t"), 0);
}

static void a_deadlock_in_a_chunk_ends_all(void **state)
{
    (void)state;
    deadlock(false);
}

static void a_deadlock_in_a_flight_ends_all_and_what_flew_behind_it_too(void **state)
{
    (void)state;
    deadlock(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_TABLE(rows_of_every_kind_have_the_fates_and_errors_of_their_own_statements),
        IN_TABLE(a_column_that_refuses_nulls_is_not_guessed_for_others),
        IN_TABLE(good_rows_and_bad_ones_go_in_few_trips),
        IN_TABLE(triggers_are_run_for_each_row),
        IN_TABLE(another_engine_is_for_the_caller),
        IN_TABLE(a_view_is_for_the_caller),
        IN_TABLE(values_that_the_mode_would_change_are_for_the_caller),
        IN_TABLE(the_key_of_the_last_row_is_told),
        IN_TABLE(a_row_that_is_not_taken_stops_all),
        IN_TABLE(a_connection_that_is_lost_between_chunks_ends_all),
        IN_TABLE(a_row_that_waits_for_a_lock_in_vain_fails_alone),
        IN_TABLE(the_time_limit_ends_all_and_no_row_is_told),
        IN_TABLE(a_cancel_ends_all_and_no_row_is_told),
        IN_TABLE(a_deadlock_in_a_chunk_ends_all),
        IN_TABLE(a_deadlock_in_a_flight_ends_all_and_what_flew_behind_it_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
