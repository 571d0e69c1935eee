#include "sqlite_rig.h"

#include "lexer.h"

#include <dirent.h>
#include <unistd.h>

#include "clock.h"

static void make_directory(rig *r)
{
    const char *where = getenv("TMPDIR");
    snprintf(r->directory, sizeof r->directory, "%s/belay-XXXXXX", where && strlen(where) < 40 ? where : "/tmp");
    assert_non_null(mkdtemp(r->directory));
}

static void remove_directory(rig *r)
{
    char path[sizeof r->directory + 260];
    DIR *directory = opendir(r->directory);
    for (struct dirent *entry; directory && (entry = readdir(directory));) {
        snprintf(path, sizeof path, "%s/%s", r->directory, entry->d_name);
        unlink(path);
        rmdir(path);
    }
    if (directory)
        closedir(directory);
    rmdir(r->directory);
}

void rig_path(const rig *r, const char *name, char out[128])
{
    snprintf(out, 128, "%s/%s", r->directory, name);
}

void rig_init(rig *r, const char *parameters)
{
    char url[256] = "sqlite::memory:";
    int most = -1;
    memset(r, 0, sizeof *r);
    make_directory(r);
    if (parameters)
        snprintf(url, sizeof url, "sqlite:%s/db%s", r->directory, parameters);
    r->shared = calloc(1, D->shared_size);
    assert_int_equal(D->shared_init(r->shared, url, &most, &r->error), BELAY_OK);
    assert_int_equal(most, parameters ? 0 : 1);
}

void rig_done(rig *r)
{
    while (r->count > 0)
        rig_disconnect(r, r->connections[0]);
    if (r->shared)
        D->shared_done(r->shared);
    free(r->shared);
    remove_directory(r);
}

static belay_code connect_once(rig *r, belay_conn **out)
{
    assert_true(r->count < RIG_CONNECTIONS);
    belay_conn *conn = malloc(D->conn_size);
    memset(conn, 0xA5, D->conn_size);
    conn->driver = D;
    conn->shared = r->shared;
    rig_limit(conn, 5000, -1);
    belay_code code = D->open(conn, &r->error);
    r->connections[r->count++] = conn;
    *out = conn;
    return code;
}

belay_conn *rig_connect(rig *r)
{
    belay_conn *conn;
    if (connect_once(r, &conn) != BELAY_OK)
        fail_msg("%s", r->error.message);
    return conn;
}

void rig_disconnect(rig *r, belay_conn *conn)
{
    int i = 0;
    while (r->connections[i] != conn)
        i++;
    r->connections[i] = r->connections[--r->count];
    D->close(conn);
    free(conn);
}

belay_code rig_open_url(rig *r, const char *url)
{
    belay_conn *conn;
    int most;
    memset(&r->error, 0xA5, sizeof r->error);
    r->shared = calloc(1, D->shared_size);
    r->count = 0;
    belay_code code = D->shared_init(r->shared, url, &most, &r->error);
    return code == BELAY_OK ? connect_once(r, &conn) : code;
}

belay_code rig_try_prepare(belay_conn *conn, const char *sql, unsigned parameters, belay_statement **out,
                           belay_error *error)
{
    belayi_sql read = {0};
    char *copy = strdup(sql);
    if (belayi_sql_read(sql, strlen(sql), conn->rules, &read) != BELAYI_LEX_OK)
        read = (belayi_sql){.kind = BELAYI_SQL_OTHER, .text = copy, .size = strlen(sql)};
    read.parameters = parameters;
    belay_code code = D->prepare(conn, &read, out, error);
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
    belay_statement *statement = rig_prepare(r, conn, sql, 0);
    if (D->start(statement, 0, NULL, &r->error) != BELAY_OK)
        fail_msg("%s: %s", sql, r->error.message);
    assert_true(statement->columns < 8);
    assert_int_equal(D->step(statement, cells, &r->effect, &r->error), BELAY_STEP_ROW);
    assert_int_equal(cells[0].type, BELAY_TYPE_INT);
    int64_t number = cells[0].as.integer;
    D->finish(statement);
    D->finalize(statement);
    return number;
}

belay_code rig_begin(rig *r, belay_conn *conn, bool read_only)
{
    belay_begin_options options = {.read_only = read_only};
    memset(&r->error, 0xA5, sizeof r->error);
    return D->begin(conn, &options, &r->error);
}

void rig_must_begin(rig *r, belay_conn *conn)
{
    if (rig_begin(r, conn, false) != BELAY_OK)
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
