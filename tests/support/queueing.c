#include "queueing.h"

#include <stdlib.h>
#include <string.h>

#include "report.h"
#include "sqlite.h"

enum { FULL = 40 }; /* few, so that tests reach it */

typedef struct step {
    belay_statement *statement; /* NULL: a savepoint */
    unsigned savepoint;
    size_t n;
    belay_value *values; /* copies, with their bytes behind them */
} step;

/* What stands behind SQLite's own connection. */
typedef struct queue {
    step steps[FULL * 8];
    size_t count;
} queue;

static queue *queue_of(belay_conn *conn)
{
    size_t beneath = (belayi_driver_sqlite.conn_size + 15) / 16 * 16;
    return (queue *)(void *)((char *)conn + beneath);
}

static void forget(belay_conn *conn)
{
    queue *q = queue_of(conn);
    for (size_t i = 0; i < q->count; i++)
        free(q->steps[i].values);
    q->count = 0;
    conn->queued = 0;
    conn->queue_is_full = false;
}

/* ---- Queueing ----------------------------------------------------------------------------------------------- */

static bool has_bytes(const belay_value *value)
{
    return value->type == BELAY_TYPE_TEXT || value->type == BELAY_TYPE_BLOB || value->type == BELAY_TYPE_DECIMAL;
}

static belay_value *copy_values(size_t n, const belay_value *values)
{
    size_t size = (n + 1) * sizeof *values;
    for (size_t i = 0; i < n; i++)
        size += has_bytes(&values[i]) ? values[i].size + 1 : 0;
    belay_value *copy = malloc(size);
    char *bytes = (char *)(copy + n + 1);
    for (size_t i = 0; copy && i < n; i++) {
        copy[i] = values[i];
        if (!has_bytes(&values[i]) || !values[i].as.data)
            continue;
        memcpy(bytes, values[i].as.data, values[i].size);
        bytes[values[i].size] = '\0';
        copy[i].as.data = bytes;
        bytes += values[i].size + 1;
    }
    return copy;
}

static belay_code put_in_queue(belay_statement *statement, size_t n, const belay_value *values, belay_error *error)
{
    queue *q = queue_of(statement->conn);
    belay_value *copy = copy_values(n, values);
    if (!copy)
        return belayi_report(error, BELAY_NO_MEMORY, "no memory for a queued statement");
    q->steps[q->count++] = (step){.statement = statement, .n = n, .values = copy};
    statement->conn->queued++;
    statement->conn->queue_is_full = q->count >= FULL;
    return BELAY_OK;
}

static belay_code set_savepoint(belay_conn *conn, unsigned number, belay_error *error)
{
    queue *q = queue_of(conn);
    if (conn->queued == 0)
        return belayi_driver_sqlite.savepoint(conn, number, error);
    if (q->count == sizeof q->steps / sizeof *q->steps)
        return belayi_report(error, BELAY_NO_MEMORY, "too many savepoints for this queue");
    q->steps[q->count++] = (step){.savepoint = number};
    return BELAY_OK;
}

/* ---- Waiting ------------------------------------------------------------------------------------------------ */

static belay_code run_step(belay_conn *conn, const step *s, belay_error *error)
{
    if (!s->statement)
        return belayi_driver_sqlite.savepoint(conn, s->savepoint, error);
    return belayi_driver_sqlite.execute(s->statement, s->n, s->values, &conn->effect, error);
}

static belay_code drain(belay_conn *conn, belay_error *error)
{
    queue *q = queue_of(conn);
    belay_code code = BELAY_OK;
    conn->failed = 0;
    for (size_t i = 0; i < q->count && code == BELAY_OK; i++) {
        conn->failed += q->steps[i].statement != NULL;
        code = run_step(conn, &q->steps[i], error);
    }
    if (code == BELAY_OK)
        conn->failed = 0;
    forget(conn);
    return code;
}

static belay_code commit(belay_conn *conn, belay_error *error)
{
    belay_code code = drain(conn, error);
    return code == BELAY_OK ? belayi_driver_sqlite.commit(conn, error) : code;
}

/* Row by row: the caller must not see the difference. */
static belay_code run_each(belay_statement *statement, const belay_each *each, belay_effect *effect, belay_error *error)
{
    enum { OWN = 900 }; /* above all that scenarios set */
    belay_conn *conn = statement->conn;
    const belay_driver *real = &belayi_driver_sqlite;
    belay_code code = BELAY_OK;
    for (size_t row = 0; row < each->rows && code == BELAY_OK; row++) {
        belay_error why;
        code = real->savepoint(conn, OWN, error);
        if (code != BELAY_OK)
            break;
        bool failed = real->execute(statement, each->columns, each->values + row * each->columns, effect, &why);
        if (failed)
            code = real->rollback_to(conn, OWN, error);
        if (code == BELAY_OK)
            code = real->release(conn, OWN, error);
        if (code == BELAY_OK && failed && !each->rejected(each->arg, row, &why)) {
            *error = why;
            code = why.code;
        }
    }
    return code;
}

static void close_with_queue(belay_conn *conn)
{
    forget(conn);
    belayi_driver_sqlite.close(conn);
}

const belay_driver *queueing_driver(void)
{
    static belay_driver driver;
    driver = belayi_driver_sqlite;
    driver.conn_size = (driver.conn_size + 15) / 16 * 16 + sizeof(queue);
    driver.capabilities &= ~(uint32_t)BELAY_CAN_ELIDE; /* what a server can't do either */
    driver.close = close_with_queue;
    driver.savepoint = set_savepoint;
    driver.commit = commit;
    driver.execute_each = run_each;
    driver.queue = put_in_queue;
    driver.drain = drain;
    return &driver;
}
