/*
 * side_sqlite.c - the limit: sqlite3 itself, used as well as it can be.
 *
 * Every statement is prepared once, outside the measured time, with
 * SQLITE_PREPARE_PERSISTENT. The connection is opened with SQLITE_OPEN_NOMUTEX,
 * so that SQLite takes no lock of its own in a program with one thread. Result
 * codes are looked at, as a correct program must.
 *
 * Modes: bare       INSERT a row, all in one transaction
 *        savepoint  SAVEPOINT, INSERT, RELEASE a row, all in one transaction
 *        empty      SAVEPOINT, RELEASE
 *        transfer   BEGIN IMMEDIATE, two UPDATEs, COMMIT: each durable
 *        import     INSERT a record of the file, all in one transaction; a refused one is left out
 *        import-savepoint  the same with a savepoint a record
 */
#include "common.h"
#include "records.h"

#include <sqlite3.h>

static sqlite3 *db; /* one client: there is one writer at a time */

static _Noreturn void die(void)
{
    bench_die("sqlite3", sqlite3_errmsg(db));
}

static sqlite3_stmt *prepare(const char *sql)
{
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL) != SQLITE_OK)
        die();
    return statement;
}

/* One statement without rows. */
static void run(sqlite3_stmt *statement)
{
    if (sqlite3_step(statement) != SQLITE_DONE || sqlite3_reset(statement) != SQLITE_OK)
        die();
}

static void insert(sqlite3_stmt *statement, const bench_item *item)
{
    if (sqlite3_bind_text(statement, 1, item->name, -1, SQLITE_STATIC) != SQLITE_OK ||
        sqlite3_bind_int64(statement, 2, item->amount) != SQLITE_OK)
        die();
    run(statement);
}

static void update(sqlite3_stmt *statement, int64_t amount, int64_t id)
{
    if (sqlite3_bind_int64(statement, 1, amount) != SQLITE_OK || sqlite3_bind_int64(statement, 2, id) != SQLITE_OK)
        die();
    run(statement);
}

static void execute(const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        die();
}

static void open_database(const bench *b)
{
    char pragma[64];
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(b->database, &db, flags, NULL) != SQLITE_OK)
        die();
    execute("PRAGMA journal_mode = WAL");
    execute("PRAGMA synchronous = FULL");
    execute("PRAGMA foreign_keys = ON");
    snprintf(pragma, sizeof pragma, "PRAGMA cache_size = %d", -b->cache_kib);
    execute(pragma);
    if (b->schema)
        execute(b->schema);
}

static void run_bare(bench_client *c)
{
    sqlite3_stmt *begin = prepare("BEGIN IMMEDIATE"), *commit = prepare("COMMIT"), *row = prepare(BENCH_INSERT);
    bench_start(c);
    run(begin);
    for (size_t i = 0; i < c->count; i++)
        insert(row, &c->items[i]);
    run(commit);
    bench_stop(c);
    sqlite3_finalize(begin);
    sqlite3_finalize(commit);
    sqlite3_finalize(row);
}

static void run_savepoint(bench_client *c)
{
    sqlite3_stmt *begin = prepare("BEGIN IMMEDIATE"), *commit = prepare("COMMIT"), *row = prepare(BENCH_INSERT);
    sqlite3_stmt *savepoint = prepare("SAVEPOINT s"), *release = prepare("RELEASE s");
    bench_start(c);
    run(begin);
    for (size_t i = 0; i < c->count; i++) {
        run(savepoint);
        insert(row, &c->items[i]);
        run(release);
    }
    run(commit);
    bench_stop(c);
    sqlite3_finalize(begin);
    sqlite3_finalize(commit);
    sqlite3_finalize(row);
    sqlite3_finalize(savepoint);
    sqlite3_finalize(release);
}

static void run_empty(bench_client *c)
{
    sqlite3_stmt *savepoint = prepare("SAVEPOINT s"), *release = prepare("RELEASE s");
    execute("BEGIN IMMEDIATE");
    bench_start(c);
    for (size_t i = 0; i < c->count; i++) {
        run(savepoint);
        run(release);
    }
    bench_stop(c);
    execute("COMMIT");
    sqlite3_finalize(savepoint);
    sqlite3_finalize(release);
}

/* Texts, as they are in the file: the columns' types make numbers of them. Whether it was stored. */
static bool insert_record(sqlite3_stmt *statement, const records *r)
{
    for (size_t i = 0; i < r->columns; i++) {
        if (sqlite3_bind_text(statement, (int)i + 1, r->fields[i], (int)r->sizes[i], SQLITE_STATIC) != SQLITE_OK)
            die();
    }
    int code = sqlite3_step(statement);
    sqlite3_reset(statement);
    if (code != SQLITE_DONE && (code & 0xff) != SQLITE_CONSTRAINT)
        die();
    return code == SQLITE_DONE;
}

static void import_bare(bench_client *c, sqlite3_stmt *row)
{
    records r;
    records_open(&r, c->run);
    while (records_next(&r))
        c->rejected += !insert_record(row, &r);
    records_close(&r);
}

static void import_savepoints(bench_client *c, sqlite3_stmt *row)
{
    sqlite3_stmt *savepoint = prepare("SAVEPOINT s"), *release = prepare("RELEASE s"), *back = prepare("ROLLBACK TO s");
    records r;
    records_open(&r, c->run);
    while (records_next(&r)) {
        run(savepoint);
        if (!insert_record(row, &r)) {
            run(back);
            c->rejected++;
        }
        run(release);
    }
    records_close(&r);
    sqlite3_finalize(savepoint);
    sqlite3_finalize(release);
    sqlite3_finalize(back);
}

static void run_import(bench_client *c, void (*import)(bench_client *, sqlite3_stmt *))
{
    char sql[512];
    records_insert(c->run, '?', sql, sizeof sql);
    sqlite3_stmt *begin = prepare("BEGIN IMMEDIATE"), *commit = prepare("COMMIT"), *row = prepare(sql);
    bench_start(c);
    run(begin);
    import(c, row);
    run(commit);
    bench_stop(c);
    sqlite3_finalize(begin);
    sqlite3_finalize(commit);
    sqlite3_finalize(row);
}

static void run_transfer(bench_client *c)
{
    sqlite3_stmt *begin = prepare("BEGIN IMMEDIATE"), *commit = prepare("COMMIT");
    sqlite3_stmt *take = prepare(BENCH_TAKE), *give = prepare(BENCH_GIVE);
    bench_start(c);
    for (size_t i = 0; i < c->count; i++) {
        const bench_transfer *t = &c->transfers[i];
        run(begin);
        update(take, t->amount, t->from);
        update(give, t->amount, t->to);
        run(commit);
    }
    bench_stop(c);
    sqlite3_finalize(begin);
    sqlite3_finalize(commit);
    sqlite3_finalize(take);
    sqlite3_finalize(give);
}

static void answer(void *connection, const char *sql, char *out, size_t room)
{
    (void)connection;
    sqlite3_stmt *statement = prepare(sql);
    if (sqlite3_step(statement) == SQLITE_ROW)
        snprintf(out, room, "%s", (const char *)sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
}

static void dump(const bench *b)
{
    FILE *file = bench_dump_open(b);
    if (!file)
        return;
    sqlite3_stmt *rows = prepare(BENCH_ITEMS);
    while (sqlite3_step(rows) == SQLITE_ROW)
        bench_dump_item(file, sqlite3_column_int64(rows, 0), (const char *)sqlite3_column_text(rows, 1),
                        sqlite3_column_int64(rows, 2));
    sqlite3_finalize(rows);
    fclose(file);
}

static void run_client(bench_client *c)
{
    const bench *b = c->run;
    open_database(b);
    if (bench_is(b, "bare"))
        run_bare(c);
    else if (bench_is(b, "savepoint"))
        run_savepoint(c);
    else if (bench_is(b, "empty"))
        run_empty(c);
    else if (bench_is(b, "transfer"))
        run_transfer(c);
    else if (bench_is(b, "import"))
        run_import(c, import_bare);
    else if (bench_is(b, "import-savepoint"))
        run_import(c, import_savepoints);
    else
        bench_die("no such mode", b->mode);
    bench_report(c, "raw", answer, NULL);
    dump(b);
    sqlite3_close(db);
}

int main(int argc, char **argv)
{
    return bench_main(argc, argv, run_client);
}
