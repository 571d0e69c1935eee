/*
 * scope_belay.c - Belay through its public API, as a program would be written.
 *
 * The session and the options are what belay_open gives by default. Only the
 * cache size is set, so that each side has the same one.
 *
 * Modes: exec      belay_exec a row, all in one scope: what a statement costs, without a scope of its own
 *        try       belay_try a row, all in one scope
 *        nested    a nested block with one belay_exec a row, all in one scope
 *        empty     a nested block with nothing in it
 *        transfer  a block with two belay_exec: each durable
 */
#include "common.h"

#include <belay/belay.h>

#include <stdlib.h>
#include <string.h>

static void check(belay_session *s)
{
    if (belay_status(s) != BELAY_OK)
        bench_die("belay", belay_message(s));
}

static belay_db *open_database(const bench *b)
{
    char url[4096];
    snprintf(url, sizeof url, "sqlite:%s?cache_kib=%d", b->database, b->cache_kib);
    belay_db *db = belay_open(url, NULL);
    if (belay_db_error(db)->code != BELAY_OK)
        bench_die("belay_open", belay_db_error(db)->message);
    return db;
}

static void run_exec(bench *b, belay_session *s)
{
    bench_start(b);
    BELAY_ATOMIC(s) {
        for (size_t i = 0; i < b->count; i++)
            belay_exec(s, BENCH_INSERT, b->items[i].name, b->items[i].amount);
    }
    bench_stop(b);
}

static void run_try(bench *b, belay_session *s)
{
    size_t failed = 0;
    bench_start(b);
    BELAY_ATOMIC(s) {
        for (size_t i = 0; i < b->count; i++) {
            if (belay_try(s, BENCH_INSERT, b->items[i].name, b->items[i].amount) != BELAY_OK)
                failed++;
        }
    }
    bench_stop(b);
    if (failed)
        bench_die("belay_try", belay_caught(s)->message);
}

static void run_nested(bench *b, belay_session *s)
{
    bench_start(b);
    BELAY_ATOMIC(s) {
        for (size_t i = 0; i < b->count; i++) {
            BELAY_ATOMIC(s) {
                belay_exec(s, BENCH_INSERT, b->items[i].name, b->items[i].amount);
            }
        }
    }
    bench_stop(b);
}

static void run_empty(bench *b, belay_session *s)
{
    size_t entered = 0;
    BELAY_ATOMIC(s) {
        belay_exec(s, "SELECT 1"); /* the transaction has begun, as it has for the raw side */
        bench_start(b);
        for (size_t i = 0; i < b->count; i++) {
            BELAY_ATOMIC(s) {
                entered++;
            }
        }
        bench_stop(b);
    }
    if (entered != b->count)
        bench_die("belay", "a block did not run");
}

static void run_transfer(bench *b, belay_session *s)
{
    bench_start(b);
    for (size_t i = 0; i < b->count; i++) {
        const bench_transfer *t = &b->transfers[i];
        BELAY_ATOMIC(s) {
            belay_exec(s, BENCH_TAKE, t->amount, t->from);
            belay_exec(s, BENCH_GIVE, t->amount, t->to);
        }
        if (belay_status(s) != BELAY_OK)
            bench_die("transfer", belay_message(s));
    }
    bench_stop(b);
}

static void report_setting(bench *b, belay_session *s, const char *name, const char *sql)
{
    belay_rows *rows = belay_query(s, sql);
    bench_report_setting(b, name, belay_next(rows) ? belay_str(rows, 0) : NULL);
    belay_rows_close(rows);
}

static void report(bench *b, belay_session *s)
{
    bench_report_begin(b, "belay");
    BELAY_ATOMIC(s) { /* not BELAY_READ: SQLite counts PRAGMA journal_mode as a write, even when it only asks */
        for (size_t i = 0; bench_pragmas[i]; i++) {
            char sql[64];
            snprintf(sql, sizeof sql, "PRAGMA %s", bench_pragmas[i]);
            report_setting(b, s, bench_pragmas[i], sql);
        }
        report_setting(b, s, "sqlite", "SELECT sqlite_version() || ' ' || sqlite_source_id()");
    }
    bench_report_end(b);
}

static void dump(const bench *b, belay_session *s)
{
    FILE *file = bench_dump_open(b);
    if (!file)
        return;
    BELAY_EACH(row, s, BENCH_ITEMS)
        bench_dump_item(file, belay_int(row, 0), belay_str(row, 1), belay_int(row, 2));
    fclose(file);
}

static void run(bench *b, belay_session *s)
{
    if (!strcmp(b->mode, "exec"))
        run_exec(b, s);
    else if (!strcmp(b->mode, "try"))
        run_try(b, s);
    else if (!strcmp(b->mode, "nested"))
        run_nested(b, s);
    else if (!strcmp(b->mode, "empty"))
        run_empty(b, s);
    else if (!strcmp(b->mode, "transfer"))
        run_transfer(b, s);
    else
        bench_die("no such mode", b->mode);
}

int main(int argc, char **argv)
{
    bench b;
    bench_init(&b, argc, argv);
    belay_db *db = open_database(&b);
    belay_session *s = belay_session_open(db);
    if (b.schema)
        belay_exec(s, b.schema);
    check(s);
    run(&b, s);
    check(s);
    report(&b, s);
    check(s);
    dump(&b, s);
    check(s);
    belay_session_close(s);
    belay_close(db);
    bench_done(&b);
    return 0;
}
