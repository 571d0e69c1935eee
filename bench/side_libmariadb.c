/*
 * side_libmariadb.c - libmariadb itself, as a good engineer writes it.
 *
 * Inserts and updates are prepared once a connection, outside the measured time,
 * and their parameters are bound once. START TRANSACTION, COMMIT and savepoints
 * are texts, as the server parses them faster than it finds a prepared one.
 * Every result is looked at.
 *
 * Modes: savepoint  SAVEPOINT, INSERT, RELEASE a row, all in one transaction; a bad row is gone back from
 *        transfer   START TRANSACTION, two UPDATEs, COMMIT: each durable
 *        load       LOAD DATA LOCAL of the file, in a transaction
 *        import-savepoint  as savepoint, of the file's records, with texts for parameters
 */
#include "common.h"
#include "records.h"

#include <mysql.h>
#include <mysqld_error.h>
#include <string.h>

/* A connection, and the statements of its mode. */
typedef struct raw_link {
    MYSQL *my;
    MYSQL_STMT *insert, *take, *give, *record;
    unsigned long name_size; /* what is bound */
    long long numbers[2];
} raw_link;

static _Noreturn void die(raw_link *l)
{
    bench_die("libmariadb", mysql_error(l->my));
}

static _Noreturn void die_of(MYSQL_STMT *statement)
{
    bench_die("libmariadb", mysql_stmt_error(statement));
}

/* ---- Statements --------------------------------------------------------------------------------------------- */

static void execute(raw_link *l, const char *sql)
{
    if (mysql_real_query(l->my, sql, strlen(sql)) != 0)
        die(l);
}

static MYSQL_STMT *prepare(raw_link *l, const char *sql)
{
    MYSQL_STMT *statement = mysql_stmt_init(l->my);
    if (!statement)
        die(l);
    if (mysql_stmt_prepare(statement, sql, strlen(sql)) != 0)
        die_of(statement);
    return statement;
}

static MYSQL_BIND number(raw_link *l, int at)
{
    return (MYSQL_BIND){.buffer_type = MYSQL_TYPE_LONGLONG, .buffer = &l->numbers[at]};
}

static MYSQL_STMT *prepare_update(raw_link *l, const char *sql)
{
    MYSQL_STMT *statement = prepare(l, sql);
    MYSQL_BIND binds[] = {number(l, 0), number(l, 1)};
    if (mysql_stmt_bind_param(statement, binds))
        die_of(statement);
    return statement;
}

/* The text is read from where it lies: it is bound anew for each row. */
static void bind_insert(raw_link *l, const bench_item *item)
{
    l->name_size = strlen(item->name);
    l->numbers[1] = item->amount;
    MYSQL_BIND binds[] = {
        {.buffer_type = MYSQL_TYPE_STRING, .buffer = (void *)(uintptr_t)item->name, .length = &l->name_size},
        number(l, 1)};
    if (mysql_stmt_bind_param(l->insert, binds))
        die_of(l->insert);
}

static void update(raw_link *l, MYSQL_STMT *statement, int64_t amount, int64_t id)
{
    l->numbers[0] = amount;
    l->numbers[1] = id;
    if (mysql_stmt_execute(statement) != 0)
        die_of(statement);
    if (mysql_stmt_affected_rows(statement) != 1)
        bench_die("libmariadb", "no such account");
}

static void commit(raw_link *l)
{
    if (mysql_commit(l->my))
        die(l);
}

/* ---- The work ----------------------------------------------------------------------------------------------- */

static bool is_violation(unsigned code)
{
    return code == ER_DUP_ENTRY || code == ER_BAD_NULL_ERROR || code == ER_NO_REFERENCED_ROW_2 ||
           code == ER_CONSTRAINT_FAILED;
}

/* A bound INSERT in a savepoint of its own. */
static void execute_alone(bench_client *c, raw_link *l, MYSQL_STMT *insert)
{
    execute(l, "SAVEPOINT s");
    if (mysql_stmt_execute(insert) != 0) {
        if (!is_violation(mysql_stmt_errno(insert)))
            die_of(insert);
        execute(l, "ROLLBACK TO s");
        c->rejected++;
    }
    execute(l, "RELEASE SAVEPOINT s");
}

static void insert_alone(bench_client *c, raw_link *l, const bench_item *item)
{
    bind_insert(l, item);
    execute_alone(c, l, l->insert);
}

static void run_savepoint(bench_client *c, raw_link *l)
{
    bench_start(c);
    execute(l, "START TRANSACTION");
    for (size_t i = 0; i < c->count; i++)
        insert_alone(c, l, &c->items[i]);
    commit(l);
    bench_stop(c);
}

static void run_transfer(bench_client *c, raw_link *l)
{
    bench_start(c);
    for (size_t i = 0; i < c->count; i++) {
        const bench_transfer *t = &c->transfers[i];
        execute(l, "START TRANSACTION");
        update(l, l->take, t->amount, t->from);
        update(l, l->give, t->amount, t->to);
        commit(l);
    }
    bench_stop(c);
}

/* ---- Files -------------------------------------------------------------------------------------------------- */

static void bind_record(MYSQL_STMT *statement, records *r)
{
    MYSQL_BIND binds[RECORDS_COLUMNS];
    memset(binds, 0, sizeof binds);
    for (size_t i = 0; i < r->columns; i++) {
        binds[i].buffer_type = r->fields[i] ? MYSQL_TYPE_STRING : MYSQL_TYPE_NULL;
        binds[i].buffer = (void *)(uintptr_t)r->fields[i];
        binds[i].buffer_length = r->sizes[i];
    }
    if (mysql_stmt_bind_param(statement, binds))
        die_of(statement);
}

static void run_import_savepoint(bench_client *c, raw_link *l)
{
    char sql[512];
    records r;
    records_insert(c->run, '?', sql, sizeof sql);
    l->record = prepare(l, sql);
    bench_start(c);
    execute(l, "START TRANSACTION");
    records_open(&r, c->run);
    while (records_next(&r)) {
        bind_record(l->record, &r);
        execute_alone(c, l, l->record);
    }
    records_close(&r);
    commit(l);
    bench_stop(c);
}

static void run_load(bench_client *c, raw_link *l)
{
    char columns[256], sql[5000];
    records_columns(c->run, columns, sizeof columns);
    snprintf(sql, sizeof sql,
             "LOAD DATA LOCAL INFILE '%s' INTO TABLE %s CHARACTER SET utf8mb4 FIELDS TERMINATED BY ',' "
             "LINES TERMINATED BY '\n' IGNORE 1 LINES (%s)",
             c->run->file, c->run->table, columns);
    bench_start(c);
    execute(l, "START TRANSACTION");
    execute(l, sql);
    if (mysql_warning_count(l->my) > 0)
        bench_die("LOAD DATA", "it warns: something was not stored as it is written");
    commit(l);
    bench_stop(c);
}

/* ---- A client ----------------------------------------------------------------------------------------------- */

/* The two forms of URL that there are: mariadb://USER@localhost/DB?socket=PATH and mariadb://USER@HOST:PORT/DB. */
static void connect_database(raw_link *l, const char *url)
{
    char user[64], database[64], host[64] = "", socket[108] = "";
    unsigned port = 0, files = 1;
    if (sscanf(url, "mariadb://%63[^@]@localhost/%63[^?]?socket=%107s", user, database, socket) != 3 &&
        sscanf(url, "mariadb://%63[^@]@%63[^:]:%u/%63s", user, host, &port, database) != 4)
        bench_die("not a URL of the benchmark's", url);
    l->my = mysql_init(NULL);
    if (!l->my || mysql_options(l->my, MYSQL_SET_CHARSET_NAME, "utf8mb4") ||
        mysql_options(l->my, MYSQL_OPT_LOCAL_INFILE, &files) ||
        !mysql_real_connect(l->my, host[0] ? host : NULL, user, NULL, database, port, socket[0] ? socket : NULL, 0))
        die(l);
}

static void warm_up(bench_client *c, raw_link *l)
{
    execute(l, "START TRANSACTION");
    if (c->transfers) {
        l->take = prepare_update(l, BENCH_TAKE);
        l->give = prepare_update(l, BENCH_GIVE);
        update(l, l->take, c->transfers[0].amount, c->transfers[0].from);
        update(l, l->give, c->transfers[0].amount, c->transfers[0].to);
    } else if (c->items) {
        l->insert = prepare(l, BENCH_INSERT);
        bind_insert(l, &c->items[0]);
        if (mysql_stmt_execute(l->insert) != 0)
            die_of(l->insert);
    }
    execute(l, "ROLLBACK");
}

static void answer(void *connection, const char *sql, char *out, size_t room)
{
    raw_link *l = connection;
    execute(l, sql);
    MYSQL_RES *result = mysql_store_result(l->my);
    MYSQL_ROW row = result ? mysql_fetch_row(result) : NULL;
    if (row)
        snprintf(out, room, "%s", row[0]);
    mysql_free_result(result);
}

static void close_statement(MYSQL_STMT *statement)
{
    if (statement)
        mysql_stmt_close(statement);
}

static void run_client(bench_client *c)
{
    raw_link l = {0};
    connect_database(&l, c->run->database);
    warm_up(c, &l);
    if (bench_is(c->run, "savepoint"))
        run_savepoint(c, &l);
    else if (bench_is(c->run, "transfer"))
        run_transfer(c, &l);
    else if (bench_is(c->run, "load"))
        run_load(c, &l);
    else if (bench_is(c->run, "import-savepoint"))
        run_import_savepoint(c, &l);
    else
        bench_die("no such mode", c->run->mode);
    bench_report(c, "libmariadb", answer, &l);
    close_statement(l.insert);
    close_statement(l.take);
    close_statement(l.give);
    close_statement(l.record);
    mysql_close(l.my);
}

int main(int argc, char **argv)
{
    mysql_library_init(0, NULL, NULL); /* before there are threads */
    return bench_main(argc, argv, run_client);
}
