/*
 * Memory that runs out: the n-th allocation fails, for n from 1 until the whole
 * passes, once only the n-th and once all from the n-th on. Both the driver's
 * own (by the linker's --wrap) and SQLite's (by its own interface).
 */
#include "sqlite_rig.h"

#include <sqlite3.h>

static long countdown; /* to the failure; 0: none */
static bool for_good;

static bool fails_now(void)
{
    if (countdown == 0)
        return false;
    if (countdown > 1) {
        countdown--;
        return false;
    }
    if (!for_good)
        countdown = 0;
    return true;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);

void *__wrap_malloc(size_t size)
{
    return fails_now() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails_now() ? NULL : __real_calloc(n, size);
}

static sqlite3_mem_methods real_methods;

static void *sqlite_malloc(int size)
{
    return fails_now() ? NULL : real_methods.xMalloc(size);
}

static void *sqlite_realloc(void *memory, int size)
{
    return fails_now() ? NULL : real_methods.xRealloc(memory, size);
}

/* ---- A whole life of a connection ------------------------------------------------------------------------------ */

static rig r;
static int64_t expected; /* rows whose commit was reported */

static bool fail_on_reject(void *arg, size_t row, belay_error *error)
{
    (void)arg;
    (void)row;
    return error->code == BELAY_UNIQUE;
}

/* Enough that they are written together, with a larger page cache; the last is there already. */
static belay_code write_many(belay_conn *conn)
{
    enum { MANY = 1001 };
    static belay_value values[MANY];
    static const char *const names[] = {"a"};
    static const belay_target target = {"many", names};
    int64_t changes = 0;
    belay_statement *insert;
    for (int i = 0; i < MANY; i++)
        values[i] = belay_integer(i == MANY - 1 ? 1 : i + 1);
    const belay_each each = {.rows = MANY,
                             .columns = 1,
                             .values = values,
                             .target = &target,
                             .changes = &changes,
                             .rejected = fail_on_reject};
    belay_code code = rig_try_prepare(conn, "INSERT INTO many (a) VALUES (?1)", 1, &insert, &r.error);
    if (code == BELAY_OK)
        code = conn->driver->execute_each(insert, &each, &r.effect, &r.error);
    if (code == BELAY_OK)
        assert_int_equal(changes, MANY - 1);
    D->finalize(insert);
    return code;
}

static belay_code run_unit(belay_conn *conn)
{
    belay_statement *insert = NULL;
    belay_begin_options options = {.read_only = false};
    static const char sql[] = "INSERT INTO t (b) VALUES (?1)";
    belay_value value = belay_string("a text of some length, so that it needs memory");
    belay_code code = D->begin(conn, &options, &r.error);
    if (code != BELAY_OK)
        return code;
    code = rig_try_prepare(conn, sql, 1, &insert, &r.error);
    assert_true((insert != NULL) == (code == BELAY_OK));
    for (unsigned i = 1; i <= 3 && code == BELAY_OK; i++) {
        code = D->savepoint(conn, i, &r.error);
        if (code == BELAY_OK && D->status(conn) == BELAY_TRANSACTION_OPEN)
            (void)D->self_contained(insert);
        if (code == BELAY_OK)
            code = D->execute(insert, 1, &value, &r.effect, &r.error);
    }
    for (unsigned i = 3; i >= 1 && code == BELAY_OK; i--)
        code = i == 2 ? D->rollback_to(conn, i, &r.error) : D->release(conn, i, &r.error);
    if (code == BELAY_OK)
        code = D->savepoint(conn, 1, &r.error);
    if (code == BELAY_OK)
        code = write_many(conn);
    if (code == BELAY_OK)
        code = D->rollback_to(conn, 1, &r.error);
    if (code == BELAY_OK)
        code = D->commit(conn, &r.error);
    belay_error first = r.error;
    if (code == BELAY_OK)
        expected++; /* the second and third were gone back from */
    else if (D->rollback(conn, &r.error) == BELAY_OK)
        assert_int_equal(D->status(conn), BELAY_TRANSACTION_NONE);
    D->finalize(insert);
    r.error = first;
    return code;
}

static belay_code read_rows(belay_conn *conn)
{
    belay_value cells[2];
    belay_statement *select;
    belay_step step = BELAY_STEP_ERROR;
    static const char sql[] = "SELECT a, b || 'x' FROM t ORDER BY a DESC LIMIT 2";
    belay_code code = rig_try_prepare(conn, sql, 0, &select, &r.error);
    if (code == BELAY_OK)
        code = D->start(select, 0, NULL, &r.error);
    if (code == BELAY_OK) {
        while ((step = D->step(select, cells, &r.effect, &r.error)) == BELAY_STEP_ROW)
            assert_true(cells[1].size > 0 && ((const char *)cells[1].as.data)[cells[1].size] == '\0');
        D->finish(select);
        if (step == BELAY_STEP_ERROR)
            code = r.error.code;
    }
    D->finalize(select);
    return code;
}

/* Everything from the URL to the end. */
static belay_code live(const char *url)
{
    int most;
    memset(r.shared, 0, D->shared_size);
    belay_conn *conn = r.connections[0];
    memset(conn, 0xA5, D->conn_size);
    belay_code code = D->shared_init(r.shared, url, &most, &r.error);
    if (code == BELAY_OK) {
        conn->driver = D;
        conn->shared = r.shared;
        rig_limit(conn, 5000, -1);
        code = D->open(conn, &r.error);
        if (code == BELAY_OK)
            code = run_unit(conn);
        if (code == BELAY_OK)
            code = read_rows(conn);
        D->close(conn);
    }
    D->shared_done(r.shared);
    return code;
}

static int64_t count_rows(const char *url)
{
    rig one = {.count = 0};
    assert_int_equal(rig_open_url(&one, url), BELAY_OK);
    int64_t n = rig_ask(&one, one.connections[0], "SELECT count(*) FROM t");
    assert_int_equal(rig_ask(&one, one.connections[0], "SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);
    rig_disconnect(&one, one.connections[0]);
    D->shared_done(one.shared);
    free(one.shared);
    return n;
}

static void fail_each_allocation(const char *parameters)
{
    char url[256];
    rig made;
    rig_init(&made, parameters);
    rig_must(&made, rig_connect(&made), "CREATE TABLE t (a INTEGER PRIMARY KEY, b)");
    rig_must(&made, made.connections[0], "CREATE TABLE many (a INTEGER PRIMARY KEY)");
    rig_disconnect(&made, made.connections[0]);
    snprintf(url, sizeof url, "sqlite:%s/db%s", made.directory, parameters);
    r.shared = calloc(1, D->shared_size);
    r.connections[0] = calloc(1, D->conn_size);
    expected = 0;
    for (long n = 1, passed = 0; !passed; n++) {
        assert_true(n < 20000);
        countdown = n;
        belay_code code = live(url);
        passed = countdown > 0 && !(for_good && countdown == 1);
        countdown = 0;
        if (code != BELAY_OK && code != BELAY_NO_MEMORY)
            fail_msg("allocation %ld: %s %d %s", n, belay_code_name(code), r.error.native_code, r.error.message);
        if (passed)
            assert_int_equal(code, BELAY_OK);
        if (count_rows(url) != expected)
            fail_msg("allocation %ld: %lld rows, and %lld were reported", n, (long long)count_rows(url),
                     (long long)expected);
    }
    free(r.shared);
    free(r.connections[0]);
    rig_done(&made);
}

static void an_allocation_that_fails_once_tears_nothing(void **state)
{
    (void)state;
    for_good = false;
    fail_each_allocation("?journal=wal");
    fail_each_allocation("?journal=delete");
}

static void memory_that_is_gone_for_good_tears_nothing(void **state)
{
    (void)state;
    for_good = true;
    fail_each_allocation("?journal=wal");
    fail_each_allocation("?journal=delete");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_allocation_that_fails_once_tears_nothing),
        cmocka_unit_test(memory_that_is_gone_for_good_tears_nothing),
    };
    sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real_methods);
    sqlite3_mem_methods methods = real_methods;
    methods.xMalloc = sqlite_malloc;
    methods.xRealloc = sqlite_realloc;
    if (sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) != SQLITE_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
