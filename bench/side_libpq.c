/*
 * side_libpq.c - libpq itself, as a good engineer writes it.
 *
 * Statements are prepared once a connection, outside the measured time, with
 * int8 parameters that go in binary: nothing is formatted. BEGIN, COMMIT and
 * savepoints are simple queries, which the server has nothing to plan of. Every
 * result is looked at, and COMMIT's tag.
 *
 * Modes: savepoint          SAVEPOINT, INSERT, RELEASE a row, all in one transaction; a bad row is gone back from
 *        transfer           BEGIN, two UPDATEs, COMMIT, each waited for: each durable
 *        transfer-flight    the same in libpq's pipeline mode, with one Sync: the limit
 *        copy               COPY of the file, in a transaction
 *        import-savepoint   as savepoint, of the file's records, with texts for parameters
 */
#include "common.h"
#include "records.h"

#include <endian.h>
#include <libpq-fe.h>
#include <string.h>

enum { OID_INT8 = 20, OID_TEXT = 25 };

static _Noreturn void die(PGconn *pg)
{
    bench_die("libpq", PQerrorMessage(pg));
}

/* ---- Statements --------------------------------------------------------------------------------------------- */

static void expect(PGconn *pg, PGresult *result, const char *tag)
{
    if (PQresultStatus(result) != PGRES_COMMAND_OK || (tag && strcmp(PQcmdStatus(result), tag) != 0))
        die(pg);
    PQclear(result);
}

static void execute(PGconn *pg, const char *sql)
{
    expect(pg, PQexec(pg, sql), NULL);
}

static void prepare(PGconn *pg, const char *name, const char *sql, Oid first)
{
    const Oid types[] = {first, OID_INT8};
    expect(pg, PQprepare(pg, name, sql, 2, types), NULL);
}

/* Two parameters of a prepared statement; a text is followed by a number. */
typedef struct parameters {
    const char *values[2];
    int lengths[2], formats[2];
    uint64_t numbers[2];
} parameters;

static void set_number(parameters *p, int at, int64_t number)
{
    p->numbers[at] = htobe64((uint64_t)number);
    p->values[at] = (const char *)&p->numbers[at];
    p->lengths[at] = sizeof p->numbers[at];
    p->formats[at] = 1;
}

static void set_update(parameters *p, int64_t amount, int64_t id)
{
    set_number(p, 0, amount);
    set_number(p, 1, id);
}

static PGresult *run(PGconn *pg, const char *name, const parameters *p)
{
    return PQexecPrepared(pg, name, 2, p->values, p->lengths, p->formats, 0);
}

/* ---- Rows --------------------------------------------------------------------------------------------------- */

static PGresult *insert(PGconn *pg, const bench_item *item)
{
    parameters p;
    p.values[0] = item->name;
    p.lengths[0] = p.formats[0] = 0;
    set_number(&p, 1, item->amount);
    return run(pg, "insert", &p);
}

static bool is_violation(const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    return state && strncmp(state, "23", 2) == 0;
}

/* The end of a row's savepoint, after its INSERT. */
static void keep_or_undo(bench_client *c, PGconn *pg, PGresult *result)
{
    if (is_violation(result)) {
        PQclear(result);
        execute(pg, "ROLLBACK TO s");
        c->rejected++;
    } else {
        expect(pg, result, "INSERT 0 1");
    }
    execute(pg, "RELEASE s");
}

static void insert_alone(bench_client *c, PGconn *pg, const bench_item *item)
{
    execute(pg, "SAVEPOINT s");
    keep_or_undo(c, pg, insert(pg, item));
}

static void run_savepoint(bench_client *c, PGconn *pg)
{
    bench_start(c);
    execute(pg, "BEGIN");
    for (size_t i = 0; i < c->count; i++)
        insert_alone(c, pg, &c->items[i]);
    expect(pg, PQexec(pg, "COMMIT"), "COMMIT");
    bench_stop(c);
}

/* ---- Files -------------------------------------------------------------------------------------------------- */

static void insert_record(bench_client *c, PGconn *pg, const records *r)
{
    execute(pg, "SAVEPOINT s");
    keep_or_undo(c, pg, PQexecPrepared(pg, "record", (int)r->columns, r->fields, NULL, NULL, 0));
}

static void run_import_savepoint(bench_client *c, PGconn *pg)
{
    char sql[512];
    records r;
    records_insert(c->run, '$', sql, sizeof sql);
    expect(pg, PQprepare(pg, "record", sql, 0, NULL), NULL);
    bench_start(c);
    execute(pg, "BEGIN");
    records_open(&r, c->run);
    while (records_next(&r))
        insert_record(c, pg, &r);
    records_close(&r);
    bench_hold(c);
    expect(pg, PQexec(pg, "COMMIT"), "COMMIT");
    bench_stop(c);
}

static void send_file(PGconn *pg, const char *path)
{
    char block[64 * 1024];
    FILE *file = fopen(path, "r");
    if (!file)
        bench_die(path, "can't be read");
    for (size_t n; (n = fread(block, 1, sizeof block, file)) > 0;) {
        if (PQputCopyData(pg, block, (int)n) != 1)
            die(pg);
    }
    fclose(file);
    if (PQputCopyEnd(pg, NULL) != 1)
        die(pg);
    expect(pg, PQgetResult(pg), NULL);
    while (PQgetResult(pg))
        ;
}

static void run_copy(bench_client *c, PGconn *pg)
{
    char columns[256], sql[512];
    records_columns(c->run, columns, sizeof columns);
    snprintf(sql, sizeof sql, "COPY %s(%s) FROM STDIN WITH (FORMAT csv, HEADER)", c->run->table, columns);
    bench_start(c);
    execute(pg, "BEGIN");
    PGresult *copy = PQexec(pg, sql);
    if (PQresultStatus(copy) != PGRES_COPY_IN)
        die(pg);
    PQclear(copy);
    send_file(pg, c->run->file);
    bench_hold(c);
    expect(pg, PQexec(pg, "COMMIT"), "COMMIT");
    bench_stop(c);
}

/* ---- Transfers ---------------------------------------------------------------------------------------------- */

static void update(PGconn *pg, const char *name, int64_t amount, int64_t id)
{
    parameters p;
    set_update(&p, amount, id);
    expect(pg, run(pg, name, &p), "UPDATE 1");
}

static void run_transfer(bench_client *c, PGconn *pg)
{
    bench_start(c);
    for (size_t i = 0; i < c->count; i++) {
        const bench_transfer *t = &c->transfers[i];
        execute(pg, "BEGIN");
        update(pg, "take", t->amount, t->from);
        update(pg, "give", t->amount, t->to);
        expect(pg, PQexec(pg, "COMMIT"), "COMMIT");
    }
    bench_stop(c);
}

static void send_statement(PGconn *pg, const char *name, int n, const parameters *p)
{
    if (!PQsendQueryPrepared(pg, name, n, p->values, p->lengths, p->formats, 0))
        die(pg);
}

/* In pipeline mode a NULL ends the results of each command, but not of the Sync. */
static void receive(PGconn *pg, const char *tag)
{
    expect(pg, PQgetResult(pg), tag);
    if (PQgetResult(pg))
        bench_die("libpq", "a result too many");
}

static void fly_transfer(PGconn *pg, const bench_transfer *t)
{
    parameters none = {0}, take, give;
    set_update(&take, t->amount, t->from);
    set_update(&give, t->amount, t->to);
    send_statement(pg, "begin", 0, &none);
    send_statement(pg, "take", 2, &take);
    send_statement(pg, "give", 2, &give);
    send_statement(pg, "commit", 0, &none);
    if (!PQpipelineSync(pg))
        die(pg);
    receive(pg, "BEGIN");
    receive(pg, "UPDATE 1");
    receive(pg, "UPDATE 1");
    receive(pg, "COMMIT");
    PGresult *sync = PQgetResult(pg);
    if (PQresultStatus(sync) != PGRES_PIPELINE_SYNC)
        die(pg);
    PQclear(sync);
}

static void run_flight(bench_client *c, PGconn *pg)
{
    expect(pg, PQprepare(pg, "begin", "BEGIN", 0, NULL), NULL);
    expect(pg, PQprepare(pg, "commit", "COMMIT", 0, NULL), NULL);
    if (!PQenterPipelineMode(pg))
        die(pg);
    bench_start(c);
    for (size_t i = 0; i < c->count; i++)
        fly_transfer(pg, &c->transfers[i]);
    bench_stop(c);
    if (!PQexitPipelineMode(pg))
        die(pg);
}

/* ---- A client ----------------------------------------------------------------------------------------------- */

static PGconn *connect_database(const bench *b)
{
    PGconn *pg = PQconnectdb(b->database);
    if (PQstatus(pg) != CONNECTION_OK)
        die(pg);
    return pg;
}

static void warm_up(bench_client *c, PGconn *pg)
{
    execute(pg, "BEGIN");
    if (c->transfers) {
        prepare(pg, "take", BENCH_TAKE_DOLLAR, OID_INT8);
        prepare(pg, "give", BENCH_GIVE_DOLLAR, OID_INT8);
        update(pg, "take", c->transfers[0].amount, c->transfers[0].from);
        update(pg, "give", c->transfers[0].amount, c->transfers[0].to);
    } else if (c->items) {
        prepare(pg, "insert", BENCH_INSERT_DOLLAR, OID_TEXT);
        expect(pg, insert(pg, &c->items[0]), "INSERT 0 1");
    }
    execute(pg, "ROLLBACK");
}

static void answer(void *connection, const char *sql, char *out, size_t room)
{
    PGconn *pg = connection;
    PGresult *result = PQexec(pg, sql);
    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        die(pg);
    if (PQntuples(result) > 0)
        snprintf(out, room, "%s", PQgetvalue(result, 0, 0));
    PQclear(result);
}

static void run_client(bench_client *c)
{
    PGconn *pg = connect_database(c->run);
    warm_up(c, pg);
    if (bench_is(c->run, "savepoint"))
        run_savepoint(c, pg);
    else if (bench_is(c->run, "transfer"))
        run_transfer(c, pg);
    else if (bench_is(c->run, "transfer-flight"))
        run_flight(c, pg);
    else if (bench_is(c->run, "copy"))
        run_copy(c, pg);
    else if (bench_is(c->run, "import-savepoint"))
        run_import_savepoint(c, pg);
    else
        bench_die("no such mode", c->run->mode);
    bench_report(c, "libpq", answer, pg);
    PQfinish(pg);
}

int main(int argc, char **argv)
{
    return bench_main(argc, argv, run_client);
}
