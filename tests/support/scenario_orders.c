/*
 * scenario_orders.c - a table of orders that is worked off, a few a unit.
 */
#include "scenarios.h"

#include <string.h>

/* ---- 9: a batch of orders --------------------------------------------------------------------------------------- */

static const char *const orders_setup[] = {
    "DROP TABLE IF EXISTS shipment",
    "DROP TABLE IF EXISTS purchase",
    "DROP TABLE IF EXISTS stock",
    "CREATE TABLE stock (item VARCHAR(20) PRIMARY KEY, pieces INTEGER NOT NULL,"
    " CONSTRAINT in_stock CHECK (pieces >= 0))",
    "CREATE TABLE purchase (id INTEGER PRIMARY KEY, item VARCHAR(20) NOT NULL, state VARCHAR(10) NOT NULL,"
    " reason VARCHAR(20))",
    "CREATE TABLE shipment (purchase_id INTEGER NOT NULL)", /* no key: it would hide an order that is done twice */
    "INSERT INTO stock (item, pieces) VALUES ('clock', 0), ('lamp', 10)",
    "INSERT INTO purchase (id, item, state) VALUES (1, 'lamp', 'new'), (2, 'clock', 'new'), (3, 'lamp', 'new'),"
    " (4, 'unicorn', 'new'), (5, 'lamp', 'new')",
    NULL,
};

static const scenario_table orders_tables[] = {
    {"stock", "SELECT item, pieces FROM stock ORDER BY item"},
    {"purchase", "SELECT id, state, reason FROM purchase ORDER BY id"},
    {"shipment", "SELECT purchase_id FROM shipment ORDER BY purchase_id"},
    {NULL, NULL},
};

enum { ORDERS = 5, CLAIMED = 2, CLAIMS = 3 };

/* facts[unit * CLAIMED + i]: the i-th order that the unit claimed, in its last attempt; 0: there was none. */
static int *claims_of(scenario_notes *notes, unsigned unit)
{
    return &notes->facts[unit * CLAIMED];
}

static void do_order(belay_session *s, scenario_notes *notes, int id, const char *item)
{
    unsigned hooks = notes->hook_count;
    BELAY_ATOMIC_WITH(s, .name = "order") {
        note_commit_hook(s, notes);
        note_rollback_hook(s, notes);
        belay_exec(s, "INSERT INTO shipment (purchase_id) VALUES (?)", id);
        belay_exec(s, "UPDATE stock SET pieces = pieces - 1 WHERE item = ?", item);
        if (belay_changes(s) == 0)
            belay_fail(s, BELAY_NOT_FOUND, "there is no %s", item);
        belay_exec(s, "UPDATE purchase SET state = 'done' WHERE id = ?", id);
    }
    if (belay_catch(s, BELAY_CHECK) || belay_catch(s, BELAY_NOT_FOUND)) {
        note_undone(notes, hooks);
        belay_exec(s, "UPDATE purchase SET state = 'failed', reason = ? WHERE id = ?",
                   belay_code_name(belay_caught(s)->code), id);
    }
}

static void claim_orders(belay_session *s, scenario_notes *notes, unsigned unit)
{
    BELAY_ATOMIC_WITH(s, .name = "claim", .retries = 2, .backoff_ms = 1, .backoff_max_ms = 1) {
        int *claimed = claims_of(notes, unit);
        note_attempt(notes, unit);
        memset(claimed, 0, CLAIMED * sizeof *claimed);
        BELAY_EACH(row, s,
                   "SELECT id, item FROM purchase WHERE state = 'new' ORDER BY id LIMIT 2"
                   " FOR UPDATE SKIP LOCKED") {
            *claimed = (int)belay_int(row, 0);
            do_order(s, notes, *claimed++, belay_str(row, 1));
        }
    }
    note_end(s, notes, unit);
}

static void run_orders(belay_session *s, scenario_notes *notes)
{
    for (unsigned unit = 0; unit < CLAIMS; unit++)
        claim_orders(s, notes, unit);
}

/* In how many of the units that are there the order was done. */
static int times_done(const scenario_notes *notes, const bool *there, int order)
{
    int times = 0;
    for (int i = 0; i < CLAIMS * CLAIMED; i++)
        times += there[i / CLAIMED] && notes->facts[i] == order;
    return times;
}

static void expect_orders(const scenario_notes *notes, const bool *there, scenario_text *out)
{
    static const char *const done[] = {
        "", "1|done|NULL", "2|failed|CHECK", "3|done|NULL", "4|failed|NOT_FOUND", "5|done|NULL"};
    static const char *const waiting[] = {"", "1|new|NULL", "2|new|NULL", "3|new|NULL", "4|new|NULL", "5|new|NULL"};
    scenario_text shipped = {.size = 0};
    int lamps = 10;
    for (int order = 1; order <= ORDERS; order += 2) {
        int times = times_done(notes, there, order);
        lamps -= times;
        while (times-- > 0)
            scenario_text_add(&shipped, "%s%d", shipped.size > 0 ? ";" : "", order);
    }
    scenario_text_add(out, "stock[clock|0;lamp|%d] purchase[", lamps);
    for (int order = 1; order <= ORDERS; order++)
        scenario_text_add(out, "%s%s", order > 1 ? ";" : "",
                          times_done(notes, there, order) > 0 ? done[order] : waiting[order]);
    scenario_text_add(out, "] shipment[%s]", shipped.bytes);
    for (int order = 1; order <= ORDERS; order++)
        if (times_done(notes, there, order) > 1)
            scenario_text_add(out, " and order %d not %d times", order, times_done(notes, there, order));
}

static const belay_code orders_codes[] = {BELAY_CHECK, BELAY_NOT_FOUND, BELAY_OK};

const scenario scenario_orders = {
    .name = "each_order_of_a_batch_is_done_once_or_undone_alone_with_its_reason",
    .setup = orders_setup,
    .tables = orders_tables,
    .run = run_orders,
    .expect = expect_orders,
    .own = orders_codes,
};
