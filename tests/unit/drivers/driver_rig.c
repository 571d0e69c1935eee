#include "driver_rig.h"

#include <time.h>

#include "clock.h"
#include "lexer.h"

void rig_init_server(rig *r, const belay_driver *driver, const char *variable)
{
    int most = -1;
    const char *url = getenv(variable);
    memset(r, 0, sizeof *r);
    r->driver = driver;
    if (!url || !*url)
        fail_msg("%s is not set: tools/servers.py run -- COMMAND starts a server and sets it", variable);
    r->shared = calloc(1, driver->shared_size);
    if (driver->shared_init(r->shared, url, &most, &r->error) != BELAY_OK)
        fail_msg("%s: %s", variable, r->error.message);
    assert_int_equal(most, 0);
}

void rig_done_server(rig *r)
{
    while (r->count > 0)
        rig_disconnect(r, r->connections[0]);
    if (r->shared)
        r->driver->shared_done(r->shared);
    free(r->shared);
    r->shared = NULL;
}

belay_code rig_try_connect(rig *r, belay_conn **out)
{
    assert_true(r->count < RIG_CONNECTIONS);
    belay_conn *conn = malloc(r->driver->conn_size);
    memset(conn, 0xA5, r->driver->conn_size);
    conn->driver = r->driver;
    conn->shared = r->shared;
    conn->limits = (belay_limits){0};
    rig_limit(conn, 5000, -1);
    belay_code code = conn->driver->open(conn, &r->error);
    r->connections[r->count++] = conn;
    *out = conn;
    return code;
}

belay_conn *rig_connect(rig *r)
{
    belay_conn *conn;
    if (rig_try_connect(r, &conn) != BELAY_OK)
        fail_msg("%s", r->error.message);
    return conn;
}

void rig_disconnect(rig *r, belay_conn *conn)
{
    int i = 0;
    while (r->connections[i] != conn)
        i++;
    r->connections[i] = r->connections[--r->count];
    conn->driver->close(conn);
    free(conn);
}

belay_code rig_try_prepare(belay_conn *conn, const char *sql, unsigned parameters, belay_statement **out,
                           belay_error *error)
{
    belayi_sql read = {0};
    char *copy = strdup(sql);
    if (belayi_sql_read(sql, strlen(sql), conn->rules, &read) != BELAYI_LEX_OK)
        read = (belayi_sql){.kind = BELAYI_SQL_OTHER, .text = copy, .size = strlen(sql)};
    read.parameters = parameters;
    belay_code code = conn->driver->prepare(conn, &read, out, error);
    if (read.text != copy)
        belayi_sql_done(&read);
    free(copy);
    return code;
}

belay_statement *rig_prepare(rig *r, belay_conn *conn, const char *sql, unsigned parameters)
{
    belay_statement *statement;
    if (rig_try_prepare(conn, sql, parameters, &statement, &r->error) != BELAY_OK)
        fail_msg("%s: %s", sql, r->error.message);
    return statement;
}

belay_code rig_run_values(rig *r, belay_conn *conn, const char *sql, size_t n, const belay_value *values)
{
    belay_statement *statement;
    memset(&r->error, 0xA5, sizeof r->error);
    belay_code code = rig_try_prepare(conn, sql, (unsigned)n, &statement, &r->error);
    if (code == BELAY_OK)
        code = conn->driver->execute(statement, n, values, &r->effect, &r->error);
    conn->driver->finalize(statement);
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
    belay_statement *statement = rig_prepare(r, conn, sql, 0);
    if (conn->driver->start(statement, 0, NULL, &r->error) != BELAY_OK)
        fail_msg("%s: %s", sql, r->error.message);
    assert_true(statement->columns < 8);
    assert_int_equal(conn->driver->step(statement, cells, &r->effect, &r->error), BELAY_STEP_ROW);
    assert_int_equal(cells[0].type, BELAY_TYPE_INT);
    int64_t number = cells[0].as.integer;
    conn->driver->finish(statement);
    conn->driver->finalize(statement);
    return number;
}

belay_code rig_begin(rig *r, belay_conn *conn, bool read_only)
{
    belay_begin_options options = {.read_only = read_only};
    memset(&r->error, 0xA5, sizeof r->error);
    return conn->driver->begin(conn, &options, &r->error);
}

void rig_must_begin(rig *r, belay_conn *conn)
{
    if (rig_begin(r, conn, false) != BELAY_OK)
        fail_msg("begin: %s", r->error.message);
    assert_int_equal(conn->driver->status(conn), BELAY_TRANSACTION_OPEN);
}

void rig_must_commit(rig *r, belay_conn *conn)
{
    if (conn->driver->commit(conn, &r->error) != BELAY_OK)
        fail_msg("commit: %s", r->error.message);
    assert_int_equal(conn->driver->status(conn), BELAY_TRANSACTION_NONE);
}

void rig_must_rollback(rig *r, belay_conn *conn)
{
    if (conn->driver->rollback(conn, &r->error) != BELAY_OK)
        fail_msg("rollback: %s", r->error.message);
    assert_int_equal(conn->driver->status(conn), BELAY_TRANSACTION_NONE);
}

void rig_limit(belay_conn *conn, int64_t lock_wait_ms, int64_t deadline_ms)
{
    conn->limits.lock_wait_ns = lock_wait_ms < 0 ? -1 : lock_wait_ms * BELAYI_NS_PER_MS;
    conn->limits.deadline_ns = deadline_ms < 0 ? 0 : belayi_clock_after(deadline_ms);
}

void rig_assert_error(rig *r, belay_conn *conn, const char *sql, belay_code code, const char *sqlstate)
{
    belay_code got = rig_run(r, conn, sql);
    if (got != code || strcmp(r->error.sqlstate, sqlstate) != 0)
        fail_msg("%s: %s %s, wanted %s %s: %s", sql, belay_code_name(got), r->error.sqlstate, belay_code_name(code),
                 sqlstate, r->error.message);
    assert_int_equal(r->error.code, code);
    assert_int_equal(r->error.outcome, BELAY_WORK_OPEN);
    assert_true(r->error.message[0] != '\0');
}
