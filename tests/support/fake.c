#include "fake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct fake_conn {
    belay_conn conn;
    belay_conn *inner;
    bool lost;
} fake_conn;

typedef struct fake_statement {
    belay_statement statement;
    belay_statement *inner;
} fake_statement;

static fake_conn *fake_of(belay_conn *conn)
{
    return (fake_conn *)(void *)conn;
}

static fake_driver *driver_of(belay_conn *conn)
{
    return (fake_driver *)(void *)(uintptr_t)conn->driver;
}

void fake_arm(fake_driver *fake, unsigned fail_at, fake_fault fault, bool onwards)
{
    fake->fail_at = fail_at;
    fake->fault = fault;
    fake->onwards = onwards;
    fake->calls = fake->failed = 0;
    fake->log_size = 0;
    fake->log[0] = '\0';
}

const char *fake_fault_name(fake_fault fault)
{
    static const char *const names[] = {"error", "no memory", "lost before", "lost after", "?"};
    return names[fault];
}

/* ---- Failing ------------------------------------------------------------------------------------------------- */

static void write_down(fake_driver *fake, const char *call)
{
    size_t room = sizeof fake->log - fake->log_size;
    int size = snprintf(fake->log + fake->log_size, room, "%s ", call);
    if (size > 0 && (size_t)size < room)
        fake->log_size += (size_t)size;
}

/* Counts a call; true when it is to fail. */
static bool is_due(belay_conn *conn, const char *call)
{
    fake_driver *fake = driver_of(conn);
    write_down(fake, call);
    fake->calls++;
    bool due = fake->fail_at > 0 && (fake->calls == fake->fail_at || (fake->onwards && fake->calls > fake->fail_at));
    fake->failed += due;
    fake_of(conn)->inner->limits = conn->limits;
    return due;
}

static belay_code lose(belay_conn *conn, belay_error *error)
{
    fake_conn *f = fake_of(conn);
    belay_error ignored;
    if (!f->lost)
        f->inner->driver->rollback(f->inner, &ignored);
    f->lost = true;
    memset(error, 0, sizeof *error);
    error->code = BELAY_CONNECTION;
    strcpy(error->message, "the connection was lost (fake)");
    return error->code;
}

/* Fails the call as it was told to; `did` is whether the inner driver has been called already. */
static belay_code fail(belay_conn *conn, belay_error *error)
{
    fake_driver *fake = driver_of(conn);
    if (fake->fault == FAKE_LOST_BEFORE || fake->fault == FAKE_LOST_AFTER)
        return lose(conn, error);
    memset(error, 0, sizeof *error);
    error->code = fake->fault == FAKE_NO_MEMORY ? BELAY_NO_MEMORY : BELAY_IO;
    snprintf(error->message, sizeof error->message, "call %u failed (fake)", fake->calls);
    return error->code;
}

/* What every slot does: count, and fail before or after the real call. `call` is an expression of the real driver. */
#define PASS(conn, name, call)                                                                                         \
    do {                                                                                                               \
        bool due = is_due(conn, name);                                                                                 \
        if (fake_of(conn)->lost)                                                                                       \
            return lose(conn, error);                                                                                  \
        if (!due)                                                                                                      \
            return (call);                                                                                             \
        if (driver_of(conn)->fault == FAKE_LOST_AFTER)                                                                 \
            (void)(call);                                                                                              \
        return fail(conn, error);                                                                                      \
    } while (0)

/* ---- Connections ------------------------------------------------------------------------------------------------ */

static belay_code open_fake(belay_conn *conn, belay_error *error)
{
    fake_conn *f = fake_of(conn);
    fake_driver *fake = driver_of(conn);
    f->inner = calloc(1, fake->inner->conn_size);
    if (!f->inner)
        abort();
    *f->inner = (belay_conn){.driver = fake->inner, .shared = conn->shared, .limits = conn->limits};
    bool due = is_due(conn, "open");
    belay_code code = fake->inner->open(f->inner, error);
    conn->rules = f->inner->rules;
    fake->open_connections++;
    return code == BELAY_OK && due ? fail(conn, error) : code;
}

static void close_fake(belay_conn *conn)
{
    fake_conn *f = fake_of(conn);
    driver_of(conn)->open_connections--;
    f->inner->driver->close(f->inner);
    free(f->inner);
}

static void disown_fake(belay_conn *conn)
{
    fake_conn *f = fake_of(conn);
    f->inner->driver->disown(f->inner);
}

static belay_transaction_status status_of_fake(belay_conn *conn)
{
    fake_conn *f = fake_of(conn);
    return f->lost ? BELAY_TRANSACTION_LOST : f->inner->driver->status(f->inner);
}

static belay_code isolation_of_fake(belay_conn *conn, belay_level *out, belay_error *error)
{
    PASS(conn, "isolation", fake_of(conn)->inner->driver->isolation(fake_of(conn)->inner, out, error));
}

static void *native_of_fake(belay_conn *conn)
{
    return fake_of(conn)->inner->driver->native(fake_of(conn)->inner);
}

/* ---- Transactions -------------------------------------------------------------------------------------------------
 */

static belay_code begin_fake(belay_conn *conn, const belay_begin_options *options, belay_error *error)
{
    PASS(conn, options->read_only ? "begin:read" : "begin",
         fake_of(conn)->inner->driver->begin(fake_of(conn)->inner, options, error));
}

/* Once COMMIT has left, a lost connection says nothing of its outcome. */
static belay_code commit_fake(belay_conn *conn, belay_error *error)
{
    fake_conn *f = fake_of(conn);
    fake_driver *fake = driver_of(conn);
    bool due = is_due(conn, "commit");
    if (f->lost)
        return lose(conn, error);
    if (!due)
        return f->inner->driver->commit(f->inner, error);
    if (fake->fault == FAKE_LOST_AFTER)
        f->inner->driver->commit(f->inner, error);
    fail(conn, error);
    if (fake->fault == FAKE_LOST_AFTER || fake->fault == FAKE_LOST_BEFORE)
        error->outcome = BELAY_WORK_UNKNOWN;
    return error->code;
}

static belay_code check_deferred_fake(belay_conn *conn, belay_error *error)
{
    PASS(conn, "check", fake_of(conn)->inner->driver->check_deferred(fake_of(conn)->inner, error));
}

static belay_code rollback_fake(belay_conn *conn, belay_error *error)
{
    PASS(conn, "rollback", fake_of(conn)->inner->driver->rollback(fake_of(conn)->inner, error));
}

static const char *with_number(char *out, size_t room, const char *name, unsigned number)
{
    snprintf(out, room, "%s:%u", name, number);
    return out;
}

static belay_code savepoint_fake(belay_conn *conn, unsigned number, belay_error *error)
{
    char name[32];
    PASS(conn, with_number(name, sizeof name, "savepoint", number),
         fake_of(conn)->inner->driver->savepoint(fake_of(conn)->inner, number, error));
}

static belay_code release_fake(belay_conn *conn, unsigned number, belay_error *error)
{
    char name[32];
    PASS(conn, with_number(name, sizeof name, "release", number),
         fake_of(conn)->inner->driver->release(fake_of(conn)->inner, number, error));
}

static belay_code rollback_to_fake(belay_conn *conn, unsigned number, belay_error *error)
{
    char name[32];
    PASS(conn, with_number(name, sizeof name, "rollback_to", number),
         fake_of(conn)->inner->driver->rollback_to(fake_of(conn)->inner, number, error));
}

/* ---- Statements
 * ------------------------------------------------------------------------------------------------------ */

static fake_statement *fake_statement_of(belay_statement *statement)
{
    return (fake_statement *)(void *)statement;
}

static belay_code wrap_statement(belay_conn *conn, belay_statement *inner, belay_statement **out)
{
    fake_statement *f = calloc(1, sizeof *f);
    if (!f)
        abort();
    f->statement = (belay_statement){.conn = conn, .writes = inner->writes, .columns = inner->columns};
    f->inner = inner;
    driver_of(conn)->open_statements++;
    *out = &f->statement;
    return BELAY_OK;
}

static belay_code prepare_fake(belay_conn *conn, const struct belayi_sql *sql, belay_statement **out,
                               belay_error *error)
{
    fake_conn *f = fake_of(conn);
    belay_statement *inner = NULL;
    *out = NULL;
    bool due = is_due(conn, "prepare");
    if (f->lost)
        return lose(conn, error);
    if (due)
        return fail(conn, error);
    belay_code code = f->inner->driver->prepare(f->inner, sql, &inner, error);
    return code == BELAY_OK ? wrap_statement(conn, inner, out) : code;
}

static void finalize_fake(belay_statement *statement)
{
    if (!statement)
        return;
    fake_statement *f = fake_statement_of(statement);
    driver_of(statement->conn)->open_statements--;
    f->inner->conn->driver->finalize(f->inner);
    free(f);
}

static bool self_contained_fake(belay_statement *statement)
{
    belay_statement *inner = fake_statement_of(statement)->inner;
    return inner->conn->driver->self_contained(inner);
}

static belay_code execute_fake(belay_statement *statement, size_t n, const belay_value *values, belay_effect *effect,
                               belay_error *error)
{
    belay_statement *inner = fake_statement_of(statement)->inner;
    PASS(statement->conn, "execute", inner->conn->driver->execute(inner, n, values, effect, error));
}

static belay_code start_fake(belay_statement *statement, size_t n, const belay_value *values, belay_error *error)
{
    belay_statement *inner = fake_statement_of(statement)->inner;
    fake_conn *f = fake_of(statement->conn);
    bool due = is_due(statement->conn, "start");
    if (f->lost)
        return lose(statement->conn, error);
    if (due)
        return fail(statement->conn, error);
    belay_code code = inner->conn->driver->start(inner, n, values, error);
    statement->columns = inner->columns;
    return code;
}

static belay_step step_fake(belay_statement *statement, belay_value *cells, belay_effect *effect, belay_error *error)
{
    belay_statement *inner = fake_statement_of(statement)->inner;
    bool due = is_due(statement->conn, "step");
    if (!due && !fake_of(statement->conn)->lost)
        return inner->conn->driver->step(inner, cells, effect, error);
    /* The statement under way has to be over before its connection can be lost. */
    inner->conn->driver->finish(inner);
    fail(statement->conn, error);
    return BELAY_STEP_ERROR;
}

static void finish_fake(belay_statement *statement)
{
    belay_statement *inner = fake_statement_of(statement)->inner;
    inner->conn->driver->finish(inner);
}

static const char *column_name_fake(belay_statement *statement, int column)
{
    belay_statement *inner = fake_statement_of(statement)->inner;
    return inner->conn->driver->column_name(inner, column);
}

void fake_init(fake_driver *fake, const belay_driver *inner)
{
    memset(fake, 0, sizeof *fake);
    fake->inner = inner;
    fake->driver = *inner; /* the database's state is the inner driver's, and so are the slots that keep it */
    fake->driver.name = "fake";
    fake->driver.conn_size = sizeof(fake_conn);
    fake->driver.open = open_fake;
    fake->driver.close = close_fake;
    fake->driver.disown = disown_fake;
    fake->driver.native = native_of_fake;
    fake->driver.status = status_of_fake;
    fake->driver.isolation = isolation_of_fake;
    fake->driver.begin = begin_fake;
    fake->driver.commit = commit_fake;
    fake->driver.check_deferred = check_deferred_fake;
    fake->driver.rollback = rollback_fake;
    fake->driver.savepoint = savepoint_fake;
    fake->driver.release = release_fake;
    fake->driver.rollback_to = rollback_to_fake;
    fake->driver.prepare = prepare_fake;
    fake->driver.finalize = finalize_fake;
    fake->driver.self_contained = self_contained_fake;
    fake->driver.execute = execute_fake;
    fake->driver.start = start_fake;
    fake->driver.step = step_fake;
    fake->driver.finish = finish_fake;
    fake->driver.column_name = column_name_fake;
}
