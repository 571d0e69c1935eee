/*
 * side_libpqxx.cxx - libpqxx as its documentation recommends: pqxx::work, pqxx::subtransaction, prepared statements.
 *
 * In 6.4, exec_prepared does not send the SAVEPOINT that a subtransaction owes (jtv/libpqxx#512): a bad row would end
 * the whole transaction. The older prepared()(...).exec() does, so it is used for rows.
 *
 * Modes: savepoint  a subtransaction a row, all in one transaction; a bad row's exception is caught outside of it
 *        transfer   a transaction with two updates: each durable
 */
#include "common.h"

#include <exception>
#include <pqxx/pqxx>

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

static void insert(pqxx::transaction_base &in, const bench_item &item)
{
    in.prepared("insert")(item.name)(item.amount).exec();
}

static void run_savepoint(bench_client *c, pqxx::connection &connection)
{
    bench_start(c);
    pqxx::work work(connection);
    for (size_t i = 0; i < c->count; i++) {
        try {
            pqxx::subtransaction row(work);
            insert(row, c->items[i]);
            row.commit();
        } catch (const pqxx::unique_violation &) {
            c->rejected++;
        }
    }
    work.commit();
    bench_stop(c);
}

static void send_transfer(pqxx::work &work, const bench_transfer &t)
{
    work.exec_prepared0("take", t.amount, t.from);
    work.exec_prepared0("give", t.amount, t.to);
}

static void run_transfer(bench_client *c, pqxx::connection &connection)
{
    bench_start(c);
    for (size_t i = 0; i < c->count; i++) {
        pqxx::work work(connection);
        send_transfer(work, c->transfers[i]);
        work.commit();
    }
    bench_stop(c);
}

static void warm_up(bench_client *c, pqxx::connection &connection)
{
    connection.prepare("insert", BENCH_INSERT_DOLLAR);
    connection.prepare("take", BENCH_TAKE_DOLLAR);
    connection.prepare("give", BENCH_GIVE_DOLLAR);
    pqxx::work work(connection);
    if (c->transfers)
        send_transfer(work, c->transfers[0]);
    else
        insert(work, c->items[0]);
    work.abort();
}

static void answer(void *connection, const char *sql, char *out, size_t room)
{
    pqxx::work work(*static_cast<pqxx::connection *>(connection));
    snprintf(out, room, "%s", work.exec1(sql)[0].c_str());
}

static void run_connected(bench_client *c)
{
    pqxx::connection connection(c->run->database);
    warm_up(c, connection);
    if (bench_is(c->run, "savepoint"))
        run_savepoint(c, connection);
    else if (bench_is(c->run, "transfer"))
        run_transfer(c, connection);
    else
        bench_die("no such mode", c->run->mode);
    bench_report(c, "libpqxx " PQXX_VERSION, answer, &connection);
}

static void run_client(bench_client *c)
{
    try {
        run_connected(c);
    } catch (const std::exception &error) {
        bench_die("libpqxx", error.what());
    }
}

int main(int argc, char **argv)
{
    return bench_main(argc, argv, run_client);
}
