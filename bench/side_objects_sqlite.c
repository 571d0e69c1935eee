/*
 * side_objects_sqlite.c - the work of objects by hand: sqlite3, prepared statements, structs.
 *
 * The rows are read into structs with copies of their texts, as a program would that goes on to use them. Modes:
 * objects, of objects.h.
 */
#include "objects.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

typedef struct account {
    int64_t id;
    char *owner;
    int64_t balance, version;
} account;

static sqlite3 *db;

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

static void run(sqlite3_stmt *statement)
{
    if (sqlite3_step(statement) != SQLITE_DONE || sqlite3_reset(statement) != SQLITE_OK)
        die();
}

static void execute(const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        die();
}

static void open_database(const bench *b)
{
    char pragma[64];
    if (sqlite3_open_v2(b->database, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
        die();
    execute("PRAGMA journal_mode = WAL");
    execute("PRAGMA synchronous = FULL");
    execute("PRAGMA foreign_keys = ON");
    snprintf(pragma, sizeof pragma, "PRAGMA cache_size = %d", -b->cache_kib);
    execute(pragma);
}

static account *load(sqlite3_stmt *select, size_t count)
{
    account *all = calloc(count, sizeof *all);
    for (size_t i = 0; all && i < count; i++) {
        if (sqlite3_step(select) != SQLITE_ROW)
            die();
        all[i] = (account){.id = sqlite3_column_int64(select, 0),
                           .owner = strdup((const char *)sqlite3_column_text(select, 1)),
                           .balance = sqlite3_column_int64(select, 2),
                           .version = sqlite3_column_int64(select, 3)};
    }
    if (!all || sqlite3_step(select) != SQLITE_DONE || sqlite3_reset(select) != SQLITE_OK)
        die();
    return all;
}

static void change(sqlite3_stmt *update, account *a)
{
    a->balance++;
    sqlite3_bind_int64(update, 1, a->balance);
    sqlite3_bind_int64(update, 2, a->version + 1);
    sqlite3_bind_int64(update, 3, a->id);
    sqlite3_bind_int64(update, 4, a->version);
    run(update);
    if (sqlite3_changes(db) != 1)
        bench_die("sqlite3", "the account was changed by somebody else");
    a->version++;
}

static void add(sqlite3_stmt *order, sqlite3_stmt *line, const bench_item *item)
{
    sqlite3_bind_text(order, 1, item->name, -1, SQLITE_STATIC);
    run(order);
    sqlite3_bind_int64(line, 1, sqlite3_last_insert_rowid(db));
    sqlite3_bind_text(line, 2, BENCH_LINE_ITEM, -1, SQLITE_STATIC);
    sqlite3_bind_int64(line, 3, item->amount);
    run(line);
}

static void run_objects(bench_client *c)
{
    sqlite3_stmt *select = prepare("SELECT id, owner, balance, version FROM account");
    sqlite3_stmt *update = prepare("UPDATE account SET balance = ?, version = ? WHERE id = ? AND version = ?");
    sqlite3_stmt *order = prepare("INSERT INTO purchase(customer) VALUES (?)");
    sqlite3_stmt *line = prepare("INSERT INTO line(order_id, item, amount) VALUES (?, ?, ?)");
    bench_start(c);
    execute("BEGIN IMMEDIATE");
    account *all = load(select, c->count);
    for (size_t i = 0; i < c->count; i += BENCH_TENTH)
        change(update, &all[i]);
    for (size_t i = 0; i < c->count; i++)
        add(order, line, &c->items[i]);
    execute("COMMIT");
    bench_stop(c);
    for (size_t i = 0; i < c->count; i++)
        free(all[i].owner);
    free(all);
    sqlite3_finalize(select);
    sqlite3_finalize(update);
    sqlite3_finalize(order);
    sqlite3_finalize(line);
}

static void answer(void *connection, const char *sql, char *out, size_t room)
{
    (void)connection;
    sqlite3_stmt *statement = prepare(sql);
    if (sqlite3_step(statement) == SQLITE_ROW)
        snprintf(out, room, "%s", (const char *)sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
}

static void run_client(bench_client *c)
{
    open_database(c->run);
    if (!bench_is(c->run, "objects"))
        bench_die("no such mode", c->run->mode);
    run_objects(c);
    bench_report(c, "raw", answer, NULL);
    sqlite3_close(db);
}

int main(int argc, char **argv)
{
    return bench_main(argc, argv, run_client);
}
