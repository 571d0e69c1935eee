/*
 * Rows of a table by COPY: what ends it half-way, what it costs others, and that it is taken where it can be.
 */
#include "postgresql_rig.h"

#include <pthread.h>
#include <unistd.h>

enum { ROWS = 20000, COLUMNS = 4 };

static belay_value values[ROWS * COLUMNS];
static char texts[ROWS][80];

/* ---- Rows ------------------------------------------------------------------------------------------------------ */

static void make_table(void)
{
    rig_must(&r, conn, "DROP TABLE IF EXISTS tab, parent");
    rig_must(&r, conn, "CREATE TABLE parent (id int PRIMARY KEY)");
    rig_must(&r, conn, "INSERT INTO parent SELECT generate_series(0, 9)");
    rig_must(&r, conn,
             "CREATE TABLE tab (id int PRIMARY KEY, parent int REFERENCES parent, payee varchar(80) NOT NULL, amount "
             "numeric(12,2) NOT NULL CHECK (amount > 0) CHECK (sqrt(amount + 2000) < 70))");
}

/* One row in `every` is bad, in one of five ways. 0: none. */
static void make_rows(int every)
{
    for (int i = 0; i < ROWS; i++) {
        belay_value *row = values + (size_t)i * COLUMNS;
        int what = every > 0 && i % every == every - 1 ? 1 + i / every % 5 : 0;
        snprintf(texts[i], sizeof texts[i], "a payee with a name of some length, so that there is much to be sent %d",
                 i);
        row[0] = BELAY_V(what == 1 ? i - every + 1 : i);
        row[1] = BELAY_V(what == 2 ? 77 : i % 10);
        row[2] = what == 3 ? belay_null() : belay_string(texts[i]);
        row[3] = belay_decimal(what == 4 ? "-1.00" : what == 5 ? "9999.00" : "12.50");
    }
}

static size_t rejects, wrong;
static int64_t changes;
static int reject_every;

static bool note(void *arg, size_t row, belay_error *error)
{
    static const belay_code codes[] = {BELAY_OK,       BELAY_UNIQUE, BELAY_FOREIGN_KEY,
                                       BELAY_NOT_NULL, BELAY_CHECK,  BELAY_CHECK};
    (void)arg;
    rejects++;
    if (reject_every > 0)
        wrong += (int)row % reject_every != reject_every - 1 || error->code != codes[1 + (int)row / reject_every % 5];
    return true;
}

static belay_statement *prepare(void)
{
    return rig_prepare(&r, conn,
                       "INSERT INTO \"tab\" (\"id\", \"parent\", \"payee\", \"amount\") VALUES ($1, $2, $3, $4)", 4);
}

static belay_code store(belay_statement *statement, size_t from, size_t rows)
{
    static const char *const names[] = {"\"id\"", "\"parent\"", "\"payee\"", "\"amount\""};
    belay_target target = {"\"tab\"", names};
    belay_each each = {.rows = rows,
                       .columns = COLUMNS,
                       .values = values + from * COLUMNS,
                       .target = &target,
                       .changes = &changes,
                       .rejected = note};
    return D->execute_each(statement, &each, &r.effect, &r.error);
}

static void start(int every)
{
    make_table();
    make_rows(every);
    rejects = wrong = 0;
    changes = 0;
    reject_every = every;
}

/* ---- What it costs --------------------------------------------------------------------------------------------- */

/* Few subtransactions, which would slow down others, and few rows by their own INSERT. */
static void check_costs(int every)
{
    start(every);
    belay_statement *statement = prepare();
    rig_must_begin(&r, conn);
    int trips = conn->round_trips;
    assert_int_equal(store(statement, 0, ROWS), BELAY_OK);
    trips = conn->round_trips - trips;
    int64_t kept = rig_ask(&r, conn, "SELECT count(*) FROM tab");
    assert_int_equal(wrong, 0);
    assert_int_equal(rejects, every > 0 ? ROWS / every : 0);
    assert_int_equal(kept, ROWS - (int64_t)rejects);
    assert_int_equal(changes, kept);
    assert_in_range(trips, 1, 80);
    assert_in_range(rig_ask(&r, conn, "SELECT count(DISTINCT xmin::text) FROM tab"), 1, 12);
    assert_in_range(
        rig_ask(&r, conn, "SELECT pg_stat_get_xact_tuples_inserted('tab'::regclass) - (SELECT count(*) FROM tab)"), 0,
        every == 0 ? 0 : ROWS / 2);
    D->finalize(statement);
    rig_must_rollback(&r, conn);
}

static void many_rows_are_few_trips_and_few_subtransactions(void **state)
{
    (void)state;
    check_costs(0);
    check_costs(1000);
    check_costs(100);
    check_costs(10);
}

/* Keys that are in the table already are found by the server. */
static void rows_that_are_there_already_are_rejected_at_little_cost(void **state)
{
    (void)state;
    start(0);
    rig_must(&r, conn, "INSERT INTO tab SELECT n * 7, 1, 'x', 1 FROM generate_series(0, 1999) n");
    belay_statement *statement = prepare();
    rig_must_begin(&r, conn);
    assert_int_equal(store(statement, 0, ROWS), BELAY_OK);
    assert_int_equal(rejects, 2000);
    assert_int_equal(rig_ask(&r, conn, "SELECT count(*) FROM tab"), ROWS);
    assert_in_range(rig_ask(&r, conn, "SELECT count(DISTINCT xmin::text) FROM tab"), 1, 8);
    D->finalize(statement);
    rig_must_rollback(&r, conn);
}

/* ---- What ends it ---------------------------------------------------------------------------------------------- */

/* Another transaction holds the key of a row: the COPY waits for it. */
static void hold_key(int id)
{
    char sql[80];
    snprintf(sql, sizeof sql, "INSERT INTO tab VALUES (%d, 1, 'held', 1)", id);
    rig_must_begin(&r, other);
    rig_must(&r, other, sql);
}

static void assert_nothing_was_rejected(belay_code code, belay_code wanted)
{
    assert_int_equal(code, wanted);
    assert_int_equal(rejects, 0);
}

/* The connection is as good as new. */
static void assert_usable(void)
{
    rig_must_rollback(&r, conn);
    rig_limit(conn, -1, -1);
    assert_int_equal(rig_ask(&r, conn, "SELECT count(*) FROM tab"), 0);
    belay_statement *statement = prepare();
    rig_must_begin(&r, conn);
    assert_int_equal(store(statement, 0, ROWS), BELAY_OK);
    assert_int_equal(rejects, 0);
    assert_int_equal(rig_ask(&r, conn, "SELECT count(*) FROM tab"), ROWS);
    rig_must_rollback(&r, conn);
    D->finalize(statement);
}

static void check_limit(int held, int64_t lock_ms, int64_t deadline_ms, belay_code wanted)
{
    start(0);
    hold_key(held);
    belay_statement *statement = prepare();
    rig_must_begin(&r, conn);
    rig_limit(conn, lock_ms, deadline_ms);
    assert_nothing_was_rejected(store(statement, 0, ROWS), wanted);
    rig_must_rollback(&r, other);
    D->finalize(statement);
    assert_usable();
}

static void the_time_limit_ends_a_copy_and_rejects_nothing(void **state)
{
    (void)state;
    check_limit(2, -1, 300, BELAY_TIMEOUT);        /* while the rest is sent */
    check_limit(ROWS - 2, -1, 400, BELAY_TIMEOUT); /* when all was sent */
    check_limit(0, -1, 300, BELAY_TIMEOUT);
}

static void a_lock_limit_ends_a_copy_and_rejects_nothing(void **state)
{
    (void)state;
    check_limit(2, 100, -1, BELAY_LOCK_TIMEOUT);
    check_limit(ROWS - 2, 100, -1, BELAY_LOCK_TIMEOUT);
    check_limit(0, 100, -1, BELAY_LOCK_TIMEOUT);
}

typedef struct blow {
    belay_conn *by;
    const char *sql;
} blow;

static void *strike(void *arg)
{
    const blow *b = arg;
    usleep(400000);
    rig_run(&r, b->by, b->sql);
    return NULL;
}

static void check_blow(const char *function, int held, belay_code wanted, belay_transaction_status status)
{
    char sql[80];
    pthread_t thread;
    start(0);
    hold_key(held);
    belay_statement *statement = prepare();
    rig_must_begin(&r, conn);
    snprintf(sql, sizeof sql, "SELECT %s(%d)", function, (int)backend_of(conn));
    blow b = {rig_connect(&r), sql};
    assert_int_equal(pthread_create(&thread, NULL, strike, &b), 0);
    belay_code code = store(statement, 0, ROWS);
    pthread_join(thread, NULL);
    assert_nothing_was_rejected(code, wanted);
    assert_int_equal(D->status(conn), status);
    D->finalize(statement);
    rig_must_rollback(&r, other);
    if (status != BELAY_TRANSACTION_LOST)
        assert_usable();
    rig_disconnect(&r, b.by);
}

static void a_cancel_from_outside_ends_a_copy_and_rejects_nothing(void **state)
{
    (void)state;
    check_blow("pg_cancel_backend", 2, BELAY_CANCELLED, BELAY_TRANSACTION_FAILED);
    check_blow("pg_cancel_backend", ROWS - 2, BELAY_CANCELLED, BELAY_TRANSACTION_FAILED);
}

static void a_link_that_is_lost_in_a_copy_is_given_up(void **state)
{
    (void)state;
    check_blow("pg_terminate_backend", 2, BELAY_CONNECTION, BELAY_TRANSACTION_LOST);
}

static void a_link_that_is_lost_behind_a_copy_is_given_up(void **state)
{
    (void)state;
    check_blow("pg_terminate_backend", ROWS - 2, BELAY_CONNECTION, BELAY_TRANSACTION_LOST);
}

/* The other one commits: its row was there first. */
static void a_row_that_was_waited_for_is_rejected_when_the_other_commits(void **state)
{
    pthread_t thread;
    blow b = {other, "COMMIT"};
    (void)state;
    start(0);
    hold_key(500);
    belay_statement *statement = prepare();
    rig_must_begin(&r, conn);
    assert_int_equal(pthread_create(&thread, NULL, strike, &b), 0);
    belay_code code = store(statement, 0, ROWS);
    pthread_join(thread, NULL);
    assert_int_equal(code, BELAY_OK);
    assert_int_equal(rejects, 1);
    assert_int_equal(rig_ask(&r, conn, "SELECT count(*) FROM tab"), ROWS);
    D->finalize(statement);
    rig_must_rollback(&r, conn);
}

/* `rejected` calls it off. */
static bool refuse(void *arg, size_t row, belay_error *error)
{
    *(size_t *)arg = row;
    return error->code != BELAY_CHECK;
}

static void the_caller_can_give_up_at_a_row(void **state)
{
    static const char *const names[] = {"\"id\"", "\"parent\"", "\"payee\"", "\"amount\""};
    belay_target target = {"\"tab\"", names};
    size_t last = 0;
    (void)state;
    start(100);
    belay_statement *statement = prepare();
    belay_each each = {.rows = ROWS,
                       .columns = COLUMNS,
                       .values = values,
                       .target = &target,
                       .changes = &changes,
                       .rejected = refuse,
                       .arg = &last};
    rig_must_begin(&r, conn);
    assert_int_equal(D->execute_each(statement, &each, &r.effect, &r.error), BELAY_CHECK);
    assert_int_equal(last, 399);
    rig_must_rollback(&r, conn);
    D->finalize(statement);
    reject_every = 0;
    make_rows(0);
    assert_usable();
}

/* A user who may only insert, and only these columns, can't ask; the rows have the same fate. */
static void who_may_only_insert_can_store_rows(void **state)
{
    (void)state;
    start(100);
    rig_must(&r, conn, "DROP ROLE IF EXISTS belay_clerk");
    rig_must(&r, conn, "CREATE ROLE belay_clerk");
    rig_must(&r, conn, "GRANT USAGE ON SCHEMA public TO belay_clerk");
    rig_must(&r, conn, "GRANT INSERT (id, parent, payee, amount) ON tab TO belay_clerk");
    belay_statement *statement = prepare();
    rig_must_begin(&r, conn);
    rig_must(&r, conn, "SET LOCAL ROLE belay_clerk");
    assert_int_equal(store(statement, 0, ROWS), BELAY_OK);
    rig_must(&r, conn, "RESET ROLE");
    assert_int_equal(wrong, 0);
    assert_int_equal(rejects, ROWS / 100);
    assert_int_equal(rig_ask(&r, conn, "SELECT count(*) FROM tab"), ROWS - ROWS / 100);
    rig_must_rollback(&r, conn);
    D->finalize(statement);
    rig_must(&r, conn, "DROP OWNED BY belay_clerk");
    rig_must(&r, conn, "DROP ROLE belay_clerk");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(many_rows_are_few_trips_and_few_subtransactions),
        T(rows_that_are_there_already_are_rejected_at_little_cost),
        T(the_time_limit_ends_a_copy_and_rejects_nothing),
        T(a_lock_limit_ends_a_copy_and_rejects_nothing),
        T(a_cancel_from_outside_ends_a_copy_and_rejects_nothing),
        T(a_link_that_is_lost_in_a_copy_is_given_up),
        T(a_link_that_is_lost_behind_a_copy_is_given_up),
        T(a_row_that_was_waited_for_is_rejected_when_the_other_commits),
        T(the_caller_can_give_up_at_a_row),
        T(who_may_only_insert_can_store_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
