/*
 * side_objects_belay.c - the work of objects with Belay: modes objects and gets, of objects.h.
 */
#include "objects.h"

#include <belay/belay.h>

typedef struct account {
    int64_t id;
    const char *owner;
    int64_t balance, version;
} account;

typedef struct purchase {
    int64_t id;
    const char *customer;
} purchase;

typedef struct line {
    int64_t id;
    purchase *of;
    int64_t order_id;
    const char *item;
    int64_t amount;
} line;

BELAY_MODEL(account, "account", BELAY_KEY(account, id), BELAY_COLUMN(account, owner), BELAY_COLUMN(account, balance),
            BELAY_VERSION_COLUMN(account, version))
BELAY_MODEL(purchase, "purchase", BELAY_KEY(purchase, id), BELAY_COLUMN(purchase, customer))
BELAY_MODEL(line, "line", BELAY_KEY(line, id), BELAY_PARENT(line, of, order_id, purchase), BELAY_COLUMN(line, item),
            BELAY_COLUMN(line, amount))

static void check(belay_session *s)
{
    if (belay_status(s) != BELAY_OK)
        bench_die("belay", belay_message(s));
}

static void add(belay_session *s, const bench_item *item)
{
    purchase *o = belay_new(s, purchase);
    line *l = belay_new(s, line);
    if (!o || !l)
        bench_die("belay", belay_message(s));
    o->customer = item->name;
    *l = (line){.of = o, .item = BENCH_LINE_ITEM, .amount = item->amount};
    belay_add(s, purchase, o);
    belay_add(s, line, l);
}

static void run_objects(bench_client *c, belay_session *s)
{
    bench_start(c);
    BELAY_ATOMIC(s) {
        account **all = belay_find(s, account, "");
        for (size_t i = 0; all && i < belay_found(all); i += BENCH_TENTH)
            all[i]->balance++;
        for (size_t i = 0; i < c->count; i++)
            add(s, &c->items[i]);
    }
    bench_stop(c);
    check(s);
}

static void run_gets(bench_client *c, belay_session *s)
{
    int64_t sum = 0;
    BELAY_ATOMIC(s) {
        belay_find(s, account, "");
        bench_start(c);
        for (int round = 0; round < BENCH_GETS; round++)
            for (size_t i = 1; i <= c->count; i++) {
                const account *a = belay_get(s, account, i);
                sum += a ? a->balance : 0;
            }
        bench_stop(c);
    }
    check(s);
    if (sum == 0)
        bench_die("belay", "there were no accounts");
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

static void run_client(bench_client *c)
{
    char url[4096];
    snprintf(url, sizeof url, "sqlite:%s?cache_kib=%d", c->run->database, c->run->cache_kib);
    belay_db *db = belay_open(url, NULL);
    belay_session *s = belay_session_open(db);
    if (bench_is(c->run, "objects"))
        run_objects(c, s);
    else if (bench_is(c->run, "gets"))
        run_gets(c, s);
    else
        bench_die("no such mode", c->run->mode);
    bench_report(c, "belay", answer, s);
    belay_session_close(s);
    belay_close(db);
}

int main(int argc, char **argv)
{
    return bench_main(argc, argv, run_client);
}
