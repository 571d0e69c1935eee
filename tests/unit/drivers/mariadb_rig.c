#include "mariadb_rig.h"

#include "clock.h"
#include "lexer.h"

const char *rig_url(void)
{
    const char *url = getenv("BELAY_TEST_MARIADB");
    if (!url || !*url)
        fail_msg("BELAY_TEST_MARIADB is not set: run this by tools/servers.py run --only mariadb -- COMMAND");
    return url;
}

void rig_init(rig *r)
{
    int most = -1;
    memset(r, 0, sizeof *r);
    r->shared = calloc(1, D->shared_size);
    if (D->shared_init(r->shared, rig_url(), &most, &r->error) != BELAY_OK)
        fail_msg("%s", r->error.message);
    assert_int_equal(most, 0);
}

void rig_done(rig *r)
{
    for (int i = 0; i < r->count; i++) {
        D->close(r->connections[i]);
        free(r->connections[i]);
    }
    D->shared_done(r->shared);
    free(r->shared);
}

static belay_conn *new_connection(void *shared)
{
    belay_conn *conn = malloc(D->conn_size);
    memset(conn, 0xA5, D->conn_size);
    *conn = (belay_conn){.driver = D, .shared = shared};
    rig_limit(conn, 5000, -1);
    return conn;
}

belay_conn *rig_connect(rig *r)
{
    assert_true(r->count < RIG_CONNECTIONS);
    belay_conn *conn = new_connection(r->shared);
    if (D->open(conn, &r->error) != BELAY_OK)
        fail_msg("%s", r->error.message);
    r->connections[r->count++] = conn;
    return conn;
}

belay_code rig_try_url(rig *r, const char *url)
{
    int most;
    void *shared = calloc(1, D->shared_size);
    memset(&r->error, 0xA5, sizeof r->error);
    belay_code code = D->shared_init(shared, url, &most, &r->error);
    if (code == BELAY_OK) {
        belay_conn *conn = new_connection(shared);
        code = D->open(conn, &r->error);
        D->close(conn);
        free(conn);
    }
    D->shared_done(shared);
    free(shared);
    return code;
}

static belay_code prepare(belay_conn *conn, const char *sql, belay_statement **out, belay_error *error)
{
    belayi_sql read = {0};
    assert_int_equal(belayi_sql_read(sql, strlen(sql), conn->rules, &read), BELAYI_LEX_OK);
    belay_code code = D->prepare(conn, &read, out, error);
    belayi_sql_done(&read);
    return code;
}

belay_statement *rig_prepare(rig *r, belay_conn *conn, const char *sql)
{
    belay_statement *statement;
    if (prepare(conn, sql, &statement, &r->error) != BELAY_OK)
        fail_msg("%s: %s", sql, r->error.message);
    return statement;
}

belay_code rig_run_values(rig *r, belay_conn *conn, const char *sql, size_t n, const belay_value *values)
{
    belay_statement *statement;
    memset(&r->error, 0xA5, sizeof r->error);
    belay_code code = prepare(conn, sql, &statement, &r->error);
    if (code == BELAY_OK)
        code = D->execute(statement, n, values, &r->effect, &r->error);
    D->finalize(statement);
    return code;
}

belay_code rig_run(rig *r, belay_conn *conn, const char *sql)
{
    return rig_run_values(r, conn, sql, 0, NULL);
}

void rig_must(rig *r, belay_conn *conn, const char *sql)
{
    if (rig_run(r, conn, sql) != BELAY_OK)
        fail_msg("%s: %s %s", sql, belay_code_name(r->error.code), r->error.message);
}

int64_t rig_ask(rig *r, belay_conn *conn, const char *sql)
{
    belay_value cells[8];
    belay_statement *statement = rig_prepare(r, conn, sql);
    if (D->start(statement, 0, NULL, &r->error) != BELAY_OK)
        fail_msg("%s: %s", sql, r->error.message);
    assert_in_range(statement->columns, 1, 8);
    assert_int_equal(D->step(statement, cells, &r->effect, &r->error), BELAY_STEP_ROW);
    assert_int_equal(cells[0].type, BELAY_TYPE_INT);
    int64_t number = cells[0].as.integer;
    D->finish(statement);
    D->finalize(statement);
    return number;
}

void rig_must_begin(rig *r, belay_conn *conn)
{
    belay_begin_options options = {0};
    if (D->begin(conn, &options, &r->error) != BELAY_OK)
        fail_msg("begin: %s", r->error.message);
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_OPEN);
}

void rig_must_commit(rig *r, belay_conn *conn)
{
    if (D->commit(conn, &r->error) != BELAY_OK)
        fail_msg("commit: %s", r->error.message);
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_NONE);
}

void rig_must_rollback(rig *r, belay_conn *conn)
{
    if (D->rollback(conn, &r->error) != BELAY_OK)
        fail_msg("rollback: %s", r->error.message);
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_NONE);
}

void rig_limit(belay_conn *conn, int64_t lock_wait_ms, int64_t deadline_ms)
{
    conn->limits.lock_wait_ns = lock_wait_ms < 0 ? -1 : lock_wait_ms * BELAYI_NS_PER_MS;
    conn->limits.deadline_ns = deadline_ms < 0 ? 0 : belayi_clock_after(deadline_ms);
}
