/*
 * side_belay.c - Belay through its public headers, as a program would use it: the same code on every engine.
 *
 * The URL says the engine; its one parameter beyond is the size of SQLite's page
 * cache. With several clients there is one handle, and a thread and a session
 * for each.
 *
 * Modes: exec               one belay_exec a row, all in one scope
 *        try                one belay_try a row, all in one scope
 *        many               all rows by one belay_try_many, in one scope
 *        nested             a nested block with one belay_exec a row, all in one scope
 *        empty              a nested block with nothing in it
 *        empty-outer        an outermost block with nothing in it
 *        transfer           a block with two belay_exec: each durable
 *        transfer-pipeline  the same block with .pipeline
 *        import             belay_import of the file; held in a scope around it when it is watched so
 */
#include "common.h"

#include <belay/belay.h>
#include <belay/import.h>

#include <stdlib.h>
#include <string.h>

static belay_db *db;

static void check(belay_session *s)
{
    if (belay_status(s) != BELAY_OK)
        bench_die("belay", belay_message(s));
}

/* ---- Rows --------------------------------------------------------------------------------------------------- */

static void run_exec(bench_client *c, belay_session *s)
{
    bench_start(c);
    BELAY_ATOMIC(s) {
        for (size_t i = 0; i < c->count; i++)
            belay_exec(s, BENCH_INSERT, c->items[i].name, c->items[i].amount);
    }
    bench_stop(c);
}

static void run_try(bench_client *c, belay_session *s)
{
    bench_start(c);
    BELAY_ATOMIC(s) {
        for (size_t i = 0; i < c->count; i++) {
            if (belay_try(s, BENCH_INSERT, c->items[i].name, c->items[i].amount) != BELAY_OK)
                c->rejected++;
        }
    }
    bench_stop(c);
}

static void count_rejected(belay_session *s, size_t row, const belay_error *error, void *client)
{
    (void)s, (void)row, (void)error;
    ((bench_client *)client)->rejected++;
}

/* Gathering the values is part of the work. */
static void run_many(bench_client *c, belay_session *s)
{
    enum { COLUMNS = 2 };
    bench_start(c);
    belay_value *values = calloc(c->count, COLUMNS * sizeof *values);
    if (!values)
        bench_die("calloc", "out of memory");
    for (size_t i = 0; i < c->count; i++) {
        values[COLUMNS * i] = BELAY_V(c->items[i].name);
        values[COLUMNS * i + 1] = BELAY_V(c->items[i].amount);
    }
    BELAY_ATOMIC(s)
        belay_try_many(s, BENCH_INSERT, c->count, COLUMNS, values, count_rejected, c, NULL);
    free(values);
    bench_stop(c);
}

static void run_nested(bench_client *c, belay_session *s)
{
    bench_start(c);
    BELAY_ATOMIC(s) {
        for (size_t i = 0; i < c->count; i++) {
            BELAY_ATOMIC(s) {
                belay_exec(s, BENCH_INSERT, c->items[i].name, c->items[i].amount);
            }
            if (c->run->bad_every > 0 && belay_catch(s, BELAY_INTEGRITY))
                c->rejected++;
        }
    }
    bench_stop(c);
}

/* ---- Empty scopes ------------------------------------------------------------------------------------------- */

static void run_empty_outer(bench_client *c, belay_session *s)
{
    size_t entered = 0;
    bench_start(c);
    for (size_t i = 0; i < c->count; i++) {
        BELAY_ATOMIC(s) {
            entered++;
        }
    }
    bench_stop(c);
    if (entered != c->count)
        bench_die("belay", "a block did not run");
}

static void run_empty(bench_client *c, belay_session *s)
{
    BELAY_ATOMIC(s) {
        belay_exec(s, "SELECT 1"); /* the transaction has begun, as it has for the raw side */
        run_empty_outer(c, s);
    }
}

/* ---- Transfers ---------------------------------------------------------------------------------------------- */

static void send_transfer(belay_session *s, const bench_transfer *t)
{
    belay_exec(s, BENCH_TAKE, t->amount, t->from);
    belay_exec(s, BENCH_GIVE, t->amount, t->to);
}

static void run_transfer(bench_client *c, belay_session *s)
{
    bench_start(c);
    for (size_t i = 0; i < c->count; i++) {
        BELAY_ATOMIC(s)
            send_transfer(s, &c->transfers[i]);
        check(s);
    }
    bench_stop(c);
}

static void run_transfer_pipeline(bench_client *c, belay_session *s)
{
    bench_start(c);
    for (size_t i = 0; i < c->count; i++) {
        BELAY_ATOMIC_WITH(s, .pipeline = true)
            send_transfer(s, &c->transfers[i]);
        check(s);
    }
    bench_stop(c);
}

/* ---- Import ------------------------------------------------------------------------------------------------- */

static void import_file(bench_client *c, belay_session *s)
{
    belay_import_spec spec = BELAY_IMPORT_SPEC(.path = c->run->file, .table = c->run->table);
    belay_import_report report;
    if (belay_import(s, &spec, &report) != BELAY_OK)
        bench_die("belay_import", report.error.message);
    c->rejected = (size_t)report.counts.rejected;
}

static void run_import(bench_client *c, belay_session *s)
{
    bench_start(c);
    if (c->run->watched) {
        BELAY_ATOMIC(s) {
            import_file(c, s);
            bench_hold(c);
        }
    } else {
        import_file(c, s);
    }
    bench_stop(c);
}

/* ---- A client ----------------------------------------------------------------------------------------------- */

/* Prepares the statements on as many connections as there are clients: all are lent when the clients meet. */
static void warm_up(bench_client *c, belay_session *s)
{
    BELAY_ATOMIC(s) {
        if (c->transfers)
            send_transfer(s, &c->transfers[0]);
        else if (c->items)
            belay_exec(s, BENCH_INSERT, c->items[0].name, c->items[0].amount);
        else if (c->run->file)
            belay_exec(s,
                       "SELECT 1"); /* an import is not tried first: it prepares what it needs in the measured time */
        bench_meet(c);
        if (belay_status(s) == BELAY_OK)
            belay_undo(s);
    }
    if (belay_status(s) != BELAY_ROLLED_BACK)
        bench_die("warming up", belay_message(s));
}

static void run_mode(bench_client *c, belay_session *s)
{
    static const struct {
        const char *name;
        void (*run)(bench_client *, belay_session *);
    } modes[] = {{"exec", run_exec},         {"try", run_try},
                 {"many", run_many},         {"nested", run_nested},
                 {"empty", run_empty},       {"empty-outer", run_empty_outer},
                 {"transfer", run_transfer}, {"transfer-pipeline", run_transfer_pipeline},
                 {"import", run_import}};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if (bench_is(c->run, modes[i].name)) {
            modes[i].run(c, s);
            check(s);
            return;
        }
    }
    bench_die("no such mode", c->run->mode);
}

static void answer(void *session, const char *sql, char *out, size_t room)
{
    belay_session *s = session;
    BELAY_ATOMIC(s) { /* not BELAY_READ: SQLite counts PRAGMA journal_mode as a write, even when it only asks */
        BELAY_EACH(row, s, sql)
            snprintf(out, room, "%s", belay_str(row, 0));
    }
    check(s);
}

static void dump(const bench *b, belay_session *s)
{
    FILE *file = bench_dump_open(b);
    if (!file)
        return;
    BELAY_EACH(row, s, BENCH_ITEMS)
        bench_dump_item(file, belay_int(row, 0), belay_str(row, 1), belay_int(row, 2));
    fclose(file);
    check(s);
}

static void run_client(bench_client *c)
{
    belay_session *s = belay_session_open(db);
    if (c->run->schema)
        belay_exec(s, c->run->schema);
    check(s);
    warm_up(c, s);
    run_mode(c, s);
    bench_report(c, "belay", answer, s);
    dump(c->run, s);
    belay_session_close(s);
}

/* ---- The handle --------------------------------------------------------------------------------------------- */

static void count_trips(void *arg, const belay_trace_event *event)
{
    bench *b = arg;
    if (b->running)
        __atomic_fetch_add(&b->trips_seen, event->round_trips, __ATOMIC_RELAXED);
}

static void open_database(bench *b)
{
    char url[4096];
    enum { DEFAULT_POOL = 8 };
    belay_db_options options = {.size = sizeof options};
    if (b->clients > DEFAULT_POOL)
        options.pool_size = (int)b->clients;
    if (b->trips) {
        options.trace = count_trips;
        options.trace_arg = b;
    }
    if (strstr(b->database, "://"))
        snprintf(url, sizeof url, "%s", b->database);
    else
        snprintf(url, sizeof url, "sqlite:%s?cache_kib=%d", b->database, b->cache_kib);
    db = belay_open(url, &options);
    if (belay_db_error(db)->code != BELAY_OK)
        bench_die("belay_open", belay_db_error(db)->message);
}

int main(int argc, char **argv)
{
    bench b;
    bench_init(&b, argc, argv);
    open_database(&b);
    bench_run(&b, run_client);
    belay_close(db);
    bench_done(&b);
    return 0;
}
