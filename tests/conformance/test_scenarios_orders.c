/*
 * test_scenarios_orders.c - orders claimed with SELECT ... FOR UPDATE SKIP LOCKED, by sessions and by processes: no
 * order is done twice, and none is lost. What one worker alone makes of a batch is compared in test_scenarios.c.
 *
 * On SQLite a scope that claims holds the one write lock, and the next worker is told that at once; elsewhere it claims
 * other orders. No handle is open in this process while it forks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "database.h"

enum { ORDERS = 30, CLAIMED = 3, CLOCKS = 4, PATIENCE_S = 30 };

/* ---- Orders ----------------------------------------------------------------------------------------------------- */

static const char *const order_tables[] = {
    "DROP TABLE IF EXISTS shipment",
    "DROP TABLE IF EXISTS purchase",
    "DROP TABLE IF EXISTS stock",
    "CREATE TABLE stock (item VARCHAR(20) PRIMARY KEY, pieces INTEGER NOT NULL,"
    " CONSTRAINT in_stock CHECK (pieces >= 0))",
    "CREATE TABLE purchase (id INTEGER PRIMARY KEY, item VARCHAR(20) NOT NULL, state VARCHAR(10) NOT NULL,"
    " reason VARCHAR(400), worker INTEGER, times_done INTEGER NOT NULL)",
    "CREATE TABLE shipment (purchase_id INTEGER NOT NULL)", /* no key: it would hide an order that is done twice */
    NULL,
};

/* Every third order is for a clock, of which there are too few. */
static void make_orders(belay_session *s)
{
    database_run(s, order_tables);
    BELAY_ATOMIC(s) {
        belay_exec(s, "INSERT INTO stock (item, pieces) VALUES ('lamp', 100), ('clock', ?)", CLOCKS);
        for (int id = 1; id <= ORDERS; id++)
            belay_exec(s, "INSERT INTO purchase (id, item, state, times_done) VALUES (?, ?, 'new', 0)", id,
                       id % 3 == 0 ? "clock" : "lamp");
    }
    assert_status(s, BELAY_OK);
}

static void do_order(belay_session *s, int worker, int64_t id, const char *item)
{
    BELAY_ATOMIC(s) {
        belay_exec(s, "INSERT INTO shipment (purchase_id) VALUES (?)", id);
        belay_exec(s, "UPDATE stock SET pieces = pieces - 1 WHERE item = ?", item);
        belay_exec(s, "UPDATE purchase SET state = 'done', times_done = times_done + 1, worker = ? WHERE id = ?",
                   worker, id);
    }
    if (belay_catch(s, BELAY_INTEGRITY))
        belay_exec(s,
                   "UPDATE purchase SET state = 'failed', times_done = times_done + 1, worker = ?, reason = ?"
                   " WHERE id = ?",
                   worker, belay_caught(s)->message, id);
}

/* Claims in the scope that is open, and does what it has claimed. Adds to `seen` how often each order was. */
static int claim_orders(belay_session *s, int worker, int *seen)
{
    int claimed = 0;
    BELAY_EACH(row, s, "SELECT id, item FROM purchase WHERE state = 'new' ORDER BY id LIMIT ? FOR UPDATE SKIP LOCKED",
               CLAIMED) {
        do_order(s, worker, belay_int(row, 0), belay_str(row, 1));
        if (seen)
            seen[belay_int(row, 0)]++;
        claimed++;
    }
    return claimed;
}

/* One unit. How many orders it did; 0 when there are none, -1 when it failed. */
static int do_some(belay_session *s, int worker)
{
    int done = 0;
    BELAY_ATOMIC_WITH(s, .name = "claim", .retries = 100000, .backoff_max_ms = 10, .timeout_ms = 1000 * PATIENCE_S) {
        done = claim_orders(s, worker, NULL);
    }
    return belay_status(s) == BELAY_OK ? done : -1;
}

static void check_orders(belay_session *s)
{
    assert_int_equal(belay_int_of(s, "SELECT count(*) FROM purchase"), ORDERS);
    assert_int_equal(belay_int_of(s, "SELECT count(*) FROM purchase WHERE times_done = 1"), ORDERS);
    assert_int_equal(belay_int_of(s, "SELECT count(*) FROM purchase WHERE state = 'failed'"), ORDERS / 3 - CLOCKS);
    assert_int_equal(belay_int_of(s, "SELECT count(*) FROM purchase WHERE reason LIKE '%in_stock%'"),
                     ORDERS / 3 - CLOCKS);
    assert_int_equal(belay_int_of(s, "SELECT count(*) FROM purchase p WHERE state = 'done' AND 1 = (SELECT count(*)"
                                     " FROM shipment WHERE purchase_id = p.id)"),
                     ORDERS * 2 / 3 + CLOCKS);
    assert_int_equal(belay_int_of(s, "SELECT count(*) FROM shipment"), ORDERS * 2 / 3 + CLOCKS);
    assert_rows(s, "SELECT item, pieces FROM stock ORDER BY item", "clock|0;lamp|80");
    assert_status(s, BELAY_OK);
}

/* ---- Two sessions ----------------------------------------------------------------------------------------------- */

static int open_orders(void **state)
{
    static database d;
    database_open(&d, NULL);
    make_orders(d.s);
    *state = &d;
    return 0;
}

static int close_orders(void **state)
{
    return database_close(*state) == BELAY_OK ? 0 : -1;
}

/* How many orders another session could claim now, none of them among those that were seen. */
static int find_others(belay_session *s, const int *seen)
{
    int found = 0, again = 0;
    BELAY_EACH(row, s, "SELECT id FROM purchase WHERE state = 'new' ORDER BY id LIMIT ? FOR UPDATE SKIP LOCKED",
               CLAIMED) {
        again += seen[belay_int(row, 0)];
        found++;
    }
    return again > 0 ? -1 : found;
}

static void two_sessions_never_claim_the_same_order(void **state)
{
    database *d = *state;
    belay_session *second = belay_session_open(d->db);
    int seen[ORDERS + 1] = {0};
    belay_begin(d->s, NULL);
    int first_claimed = claim_orders(d->s, 1, seen);
    belay_begin(second, BELAY_SCOPE_OPTIONS(.lock_timeout_ms = 20)); /* SQLite's one lock is waited for */
    int second_claimed = find_others(second, seen);
    belay_code second_code = belay_commit(second);
    belay_code first_code = belay_commit(d->s);
    for (int claimed = 1; claimed > 0;) {
        belay_begin(second, NULL);
        claimed = claim_orders(second, 2, seen);
        assert_int_equal(belay_commit(second), BELAY_OK);
    }
    assert_int_equal(belay_session_close(second), BELAY_OK);
    assert_int_equal(first_claimed, CLAIMED);
    assert_int_equal(first_code, BELAY_OK);
    assert_int_equal(second_claimed, database_is_sqlite(d) ? 0 : CLAIMED);
    assert_int_equal(second_code, database_is_sqlite(d) ? BELAY_LOCK_TIMEOUT : BELAY_OK);
    for (int id = 1; id <= ORDERS; id++)
        assert_int_equal(seen[id], 1);
    check_orders(d->s);
}

static void what_a_unit_that_was_undone_had_claimed_is_there_for_another(void **state)
{
    database *d = *state;
    belay_session *second = belay_session_open(d->db);
    int seen[ORDERS + 1] = {0};
    BELAY_ATOMIC(d->s) {
        claim_orders(d->s, 1, seen);
        belay_fail(d->s, BELAY_APPLICATION, "this worker gives up");
    }
    assert_status(d->s, BELAY_APPLICATION);
    assert_rows(second, "SELECT count(*) FROM shipment", "0");
    while (do_some(second, 2) > 0)
        continue;
    assert_int_equal(belay_int_of(second, "SELECT count(*) FROM purchase WHERE worker = 2"), ORDERS);
    check_orders(second);
    assert_int_equal(belay_session_close(second), BELAY_OK);
    assert_int_equal(seen[1] + seen[2] + seen[3], CLAIMED);
}

/* ---- Two processes ---------------------------------------------------------------------------------------------- */

/* Makes the orders, and leaves no handle open. */
static void make_orders_and_close(database *d)
{
    database_open(d, NULL);
    make_orders(d->s);
    assert_int_equal(belay_session_close(d->s), BELAY_OK);
    belay_close(d->db);
    d->s = NULL;
    d->db = NULL;
}

static void open_again(database *d)
{
    belay_db_options options = database_options(d, NULL);
    d->db = belay_open(d->url, &options);
    d->s = belay_session_open(d->db);
}

typedef struct worker {
    const char *url;
    int number;
    int tell, hear; /* ends of pipes to and from the other one */
} worker;

/* Waits once for the other worker, so that both have done a unit before either goes on. */
static bool meet(const worker *w)
{
    char byte = 'x';
    return write(w->tell, &byte, 1) == 1 && read(w->hear, &byte, 1) == 1;
}

static int do_all(const worker *w)
{
    belay_db *db = belay_open(w->url, NULL);
    belay_session *s = belay_session_open(db);
    bool met = false;
    int done = 1;
    for (int unit = 0; done > 0 && unit <= ORDERS; unit++) {
        done = do_some(s, w->number);
        met = met || meet(w);
    }
    belay_code unread = belay_session_close(s);
    belay_close(db);
    return done == 0 && met && unread == BELAY_OK ? 0 : 1;
}

/* Does a unit that never ends. */
static int claim_and_hang(const worker *w)
{
    belay_db *db = belay_open(w->url, NULL);
    belay_session *s = belay_session_open(db);
    char byte = 'x';
    BELAY_ATOMIC(s) {
        if (claim_orders(s, w->number, NULL) == CLAIMED && write(w->tell, &byte, 1) == 1)
            pause();
    }
    return 1;
}

static pid_t start(int (*run)(const worker *), const worker *w)
{
    pid_t child = fork();
    if (child == 0) {
        alarm(PATIENCE_S); /* whatever happens, it ends */
        _exit(run(w));
    }
    return child;
}

static bool ended_well(pid_t child)
{
    int status = 0;
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void two_processes_do_every_order_once(void **state)
{
    database d;
    int there[2], back[2];
    (void)state;
    make_orders_and_close(&d);
    assert_int_equal(pipe(there) + pipe(back), 0);
    const worker first = {d.url, 1, there[1], back[0]}, second = {d.url, 2, back[1], there[0]};
    pid_t children[] = {start(do_all, &first), start(do_all, &second)};
    bool first_well = ended_well(children[0]), second_well = ended_well(children[1]);
    for (int i = 0; i < 2; i++)
        close(there[i]), close(back[i]);
    assert_true(first_well);
    assert_true(second_well);
    open_again(&d);
    check_orders(d.s);
    assert_true(belay_int_of(d.s, "SELECT count(*) FROM purchase WHERE worker = 1") >= CLAIMED);
    assert_true(belay_int_of(d.s, "SELECT count(*) FROM purchase WHERE worker = 2") >= CLAIMED);
    assert_int_equal(database_close(&d), BELAY_OK);
}

static void what_a_worker_that_was_killed_had_claimed_is_done_by_another(void **state)
{
    database d;
    int ends[2];
    char byte;
    (void)state;
    make_orders_and_close(&d);
    assert_int_equal(pipe(ends), 0);
    const worker victim = {d.url, 1, ends[1], -1};
    pid_t child = start(claim_and_hang, &victim);
    assert_true(child > 0);
    close(ends[1]);
    bool claimed = read(ends[0], &byte, 1) == 1; /* or the child has ended, at the latest by its alarm */
    close(ends[0]);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_true(claimed);
    open_again(&d);
    while (do_some(d.s, 2) > 0)
        continue;
    check_orders(d.s);
    assert_int_equal(belay_int_of(d.s, "SELECT count(*) FROM purchase WHERE worker = 2"), ORDERS);
    assert_int_equal(database_close(&d), BELAY_OK);
}

#define orders_test(test) cmocka_unit_test_setup_teardown(test, open_orders, close_orders)

int main(void)
{
    const struct CMUnitTest tests[] = {
        orders_test(two_sessions_never_claim_the_same_order),
        orders_test(what_a_unit_that_was_undone_had_claimed_is_there_for_another),
        cmocka_unit_test(two_processes_do_every_order_once),
        cmocka_unit_test(what_a_worker_that_was_killed_had_claimed_is_done_by_another),
    };
    return cmocka_run_group_tests_name("orders", tests, NULL, NULL);
}
