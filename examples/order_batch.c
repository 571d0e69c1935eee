/*
 * order_batch - a table of orders, worked off by two processes at once.
 *
 * A worker claims a few orders a unit, with SELECT ... FOR UPDATE SKIP LOCKED,
 * and does each in a scope of its own: it is shipped, or it is undone and its row
 * says why. The claim and what came of it are one unit. So no order is done
 * twice, and what a worker had claimed when it died is there for another one.
 *
 * The program is the same on every engine. On a server the workers pass each
 * other by: what one has locked, the others skip. SQLite has one lock for the
 * whole database, and a scope that claims takes it: the unit of the other worker
 * waits for it, and then sees what is left.
 *
 *     order_batch [URL]       the default is an SQLite file in the temporary
 *                             directory, removed in the end
 */
#define _POSIX_C_SOURCE 200809L /* fork, mkstemp, nanosleep */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <belay/belay.h>

enum { WORKERS = 2, ORDERS = 40, CLAIMED_AT_ONCE = 3 };

/* Of the orders below: 6 of 10 clocks can be had, and nobody sells unicorns. */
enum { LAMPS = 1000, CLOCKS = 6, TO_FAIL = 4 + 3 };

/* ---- The tables ------------------------------------------------------------------------------ */

static const char *const tables[] = {
    "DROP TABLE IF EXISTS shipment",
    "DROP TABLE IF EXISTS purchase",
    "DROP TABLE IF EXISTS stock",
    "CREATE TABLE stock (item VARCHAR(20) PRIMARY KEY, opening INTEGER NOT NULL, pieces INTEGER NOT NULL,"
    " CONSTRAINT stock_not_negative CHECK (pieces >= 0))",
    "CREATE TABLE purchase (id INTEGER PRIMARY KEY, item VARCHAR(20) NOT NULL, pieces INTEGER NOT NULL,"
    " state VARCHAR(10) NOT NULL, reason VARCHAR(400), worker INTEGER, times_done INTEGER NOT NULL)",
    /* no key: it would hide that an order was done twice */
    "CREATE TABLE shipment (purchase_id INTEGER NOT NULL, item VARCHAR(20) NOT NULL, pieces INTEGER NOT NULL)",
};

static const char *item_of(int order)
{
    return order % 13 == 0 ? "unicorn" : order % 4 == 0 ? "clock" : "lamp";
}

static bool make_tables(belay_session *s)
{
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        if (belay_exec(s, tables[i]) != BELAY_OK)
            return false;
    BELAY_ATOMIC(s) {
        belay_exec(s, "INSERT INTO stock (item, opening, pieces) VALUES ('lamp', ?1, ?1), ('clock', ?2, ?2)", LAMPS,
                   CLOCKS);
        for (int id = 1; id <= ORDERS; id++)
            belay_exec(s, "INSERT INTO purchase (id, item, pieces, state, times_done) VALUES (?, ?, ?, 'new', 0)", id,
                       item_of(id), id % 4 == 0 ? 1 : 1 + id % 3);
    }
    return belay_status(s) == BELAY_OK;
}

/* ---- A worker -------------------------------------------------------------------------------- */

/*
 * One order, all of it or nothing. Caught is only what is this order's own fault. A conflict is not: it goes on to the
 * unit, which runs again.
 */
static void do_order(belay_session *s, int worker, int64_t id, const char *item, int64_t pieces)
{
    BELAY_ATOMIC_WITH(s, .name = "order") {
        belay_exec(s, "INSERT INTO shipment (purchase_id, item, pieces) VALUES (?, ?, ?)", id, item, pieces);
        belay_exec(s, "UPDATE stock SET pieces = pieces - ? WHERE item = ?", pieces, item);
        if (belay_changes(s) == 0)
            belay_fail(s, BELAY_NOT_FOUND, "there is no item '%s'", item); /* unless an error is pending: that wins */
        belay_exec(s, "UPDATE purchase SET state = 'done', times_done = times_done + 1, worker = ? WHERE id = ?",
                   worker, id);
    }
    if (belay_catch(s, BELAY_INTEGRITY) || belay_catch(s, BELAY_NOT_FOUND))
        belay_exec(s,
                   "UPDATE purchase SET state = 'failed', times_done = times_done + 1, worker = ?, reason = ?"
                   " WHERE id = ?",
                   worker, belay_caught(s)->message, id);
}

/* One unit. How many orders it has done; 0 when there are none to claim, -1 when it failed. */
static int do_some(belay_session *s, int worker)
{
    int done = 0;

    BELAY_ATOMIC_WITH(s, .name = "claim", .retries = 5) {
        done = 0; /* the unit may run again */
        BELAY_EACH(row, s,
                   "SELECT id, item, pieces FROM purchase WHERE state = 'new' ORDER BY id LIMIT ?"
                   " FOR UPDATE SKIP LOCKED",
                   CLAIMED_AT_ONCE) {
            do_order(s, worker, belay_int(row, 0), belay_str(row, 1), belay_int(row, 2));
            done++;
        }
    }
    return belay_status(s) == BELAY_OK ? done : -1;
}

/* The exit status of the process. A worker has handles of its own: those of a parent are of no use after fork. */
static int work(const char *url, int worker)
{
    belay_db *db = belay_open(url, NULL);
    belay_session *s = belay_session_open(db);
    int done;

    while ((done = do_some(s, worker)) > 0)
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL); /* with no lock held: the others get their turn */
    if (done < 0)
        fprintf(stderr, "worker %d: %s\n", worker, belay_message(s));
    belay_session_close(s);
    belay_close(db);
    return done < 0 ? 1 : 0;
}

/* No database is open while the process forks: a connection can't be shared with a child. */
static bool run_workers(const char *url)
{
    int running = 0;
    bool well = true;

    fflush(stdout);
    for (int worker = 1; worker <= WORKERS; worker++) {
        pid_t child = fork();

        if (child == 0)
            _exit(work(url, worker));
        if (child > 0)
            running++;
        else
            well = false;
    }
    for (; running > 0; running--) {
        int status = 0;

        well = wait(&status) > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0 && well;
    }
    return well;
}

/* ---- What came of it ------------------------------------------------------------------------- */

static void print_results(belay_session *s)
{
    for (int worker = 1; worker <= WORKERS; worker++) {
        printf("Worker %d has shipped:", worker);
        BELAY_EACH(row, s, "SELECT id FROM purchase WHERE state = 'done' AND worker = ? ORDER BY id", worker)
            printf(" %s", belay_str(row, 0));
        printf("\n");
    }
    printf("Failed:\n");
    BELAY_EACH(row, s, "SELECT id, reason FROM purchase WHERE state = 'failed' ORDER BY id")
        printf("    order %s: %s\n", belay_str(row, 0), belay_str(row, 1));
}

static bool expect(const char *what, bool holds)
{
    printf("  %s  %s\n", holds ? "holds " : "BROKEN", what);
    return holds;
}

static bool verify(belay_session *s)
{
    bool once = belay_int_of(s, "SELECT count(*) FROM purchase WHERE times_done <> 1") == 0;
    bool failed = belay_int_of(s, "SELECT count(*) FROM purchase WHERE state = 'failed'") == TO_FAIL;
    bool shipped = belay_int_of(s, "SELECT count(*) FROM shipment") == ORDERS - TO_FAIL &&
                   belay_int_of(s, "SELECT count(DISTINCT p.id) FROM purchase p JOIN shipment f ON f.purchase_id = p.id"
                                   " WHERE p.state = 'done' AND p.pieces = f.pieces") == ORDERS - TO_FAIL;
    bool adds_up = belay_int_of(s, "SELECT count(*) FROM stock WHERE pieces = opening - (SELECT coalesce(sum(f.pieces),"
                                   " 0) FROM shipment f WHERE f.item = stock.item)") == 2;

    once = expect("each order was done once", once);
    failed = expect("those that can't be had have failed, with a reason, and no other", failed);
    shipped = expect("each of the others was shipped, once", shipped);
    adds_up = expect("the stock is what it was, less what was shipped", adds_up);
    return once && failed && shipped && adds_up && belay_status(s) == BELAY_OK;
}

static bool with_session(const char *url, bool (*use)(belay_session *))
{
    belay_db *db = belay_open(url, NULL);
    belay_session *s = belay_session_open(db);
    bool right = use(s);

    if (belay_status(s) != BELAY_OK)
        printf("%s\n", belay_message(s));
    belay_session_close(s);
    belay_close(db);
    return right;
}

static bool show_results(belay_session *s)
{
    print_results(s);
    return verify(s);
}

/* ---- The file -------------------------------------------------------------------------------- */

static bool make_file(char *url, size_t size)
{
    const char *directory = getenv("TMPDIR");
    int length = snprintf(url, size, "sqlite:%s/orders-XXXXXX", directory && *directory ? directory : "/tmp");
    int file = length > 0 && (size_t)length < size ? mkstemp(strchr(url, ':') + 1) : -1;

    if (file < 0)
        perror("no temporary file");
    return file >= 0 && close(file) == 0;
}

static void remove_file(const char *url)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    char path[320];

    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        snprintf(path, sizeof path, "%s%s", strchr(url, ':') + 1, ends[i]);
        unlink(path);
    }
}

int main(int argc, char **argv)
{
    char own[300];

    if (argc > 1 && strncmp(argv[1], "sqlite::memory:", 15) == 0) {
        fprintf(stderr, "a database in memory can't be shared by several processes\n");
        return 2;
    }
    if (argc < 2 && !make_file(own, sizeof own))
        return 1;
    const char *url = argc > 1 ? argv[1] : own;
    bool right = with_session(url, make_tables) && run_workers(url) && with_session(url, show_results);
    if (argc < 2)
        remove_file(own);
    printf("\n%s\n", right ? "Every order was done by one worker, once: as promised." : "NOT as promised.");
    return right ? 0 : 1;
}
