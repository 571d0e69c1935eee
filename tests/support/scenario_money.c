/*
 * scenario_money.c - payments, transfers, stock: two rows or none.
 */
#include "scenarios.h"

/* ---- 2: a payment inside a unit that logs it -------------------------------------------------------------------- */

static const char *const payment_setup[] = {
    "DROP TABLE IF EXISTS payment_log",
    "DROP TABLE IF EXISTS payment",
    "DROP TABLE IF EXISTS wallet",
    "CREATE TABLE wallet (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL, CONSTRAINT funds CHECK (balance >= 0))",
    "CREATE TABLE payment (id INTEGER PRIMARY KEY, amount INTEGER NOT NULL)",
    "CREATE TABLE payment_log (id INTEGER PRIMARY KEY, amount INTEGER NOT NULL, result VARCHAR(20) NOT NULL)",
    "INSERT INTO wallet (id, balance) VALUES (1, 50)",
    NULL,
};

static const scenario_table payment_tables[] = {
    {"wallet", "SELECT id, balance FROM wallet ORDER BY id"},
    {"payment", "SELECT id, amount FROM payment ORDER BY id"},
    {"log", "SELECT id, amount, result FROM payment_log ORDER BY id"},
    {NULL, NULL},
};

static void pay(belay_session *s, scenario_notes *notes, unsigned unit, int amount)
{
    int id = (int)unit + 1;
    notes->unit = unit;
    BELAY_ATOMIC_WITH(s, .name = "pay") {
        belay_exec(s, "INSERT INTO payment_log (id, amount, result) VALUES (?, ?, 'paid')", id, amount);
        unsigned hooks = notes->hook_count;
        BELAY_ATOMIC_WITH(s, .name = "charge") {
            note_rollback_hook(s, notes); /* tells support */
            note_commit_hook(s, notes);   /* sends the receipt */
            belay_exec(s, "INSERT INTO payment (id, amount) VALUES (?, ?)", id, amount);
            belay_exec(s, "UPDATE wallet SET balance = balance - ? WHERE id = 1", amount);
        }
        if (belay_catch(s, BELAY_INTEGRITY)) {
            note_undone(notes, hooks);
            belay_exec(s, "UPDATE payment_log SET result = 'refused' WHERE id = ?", id);
        }
    }
    note_end(s, notes, unit);
}

static void run_payment_log(belay_session *s, scenario_notes *notes)
{
    pay(s, notes, 0, 30);
    pay(s, notes, 1, 80);
}

static void expect_payment_log(const scenario_notes *notes, const bool *there, scenario_text *out)
{
    (void)notes;
    scenario_text_add(out, "wallet[1|%d] payment[%s] log[%s%s%s]", there[0] ? 20 : 50, there[0] ? "1|30" : "",
                      there[0] ? "1|30|paid" : "", there[0] && there[1] ? ";" : "", there[1] ? "2|80|refused" : "");
}

static const belay_code payment_codes[] = {BELAY_CHECK, BELAY_OK};

const scenario scenario_payment_log = {
    .name = "a_failed_payment_is_undone_and_its_log_is_kept",
    .setup = payment_setup,
    .tables = payment_tables,
    .run = run_payment_log,
    .expect = expect_payment_log,
    .own = payment_codes,
};

/* ---- 12: transfers, retried ------------------------------------------------------------------------------------- */

static const char *const transfer_setup[] = {
    "DROP TABLE IF EXISTS transfer",
    "DROP TABLE IF EXISTS account",
    "CREATE TABLE account (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL, CONSTRAINT funds CHECK (balance >= 0))",
    "CREATE TABLE transfer (id INTEGER PRIMARY KEY, source INTEGER NOT NULL, target INTEGER NOT NULL,"
    " amount INTEGER NOT NULL)",
    "INSERT INTO account (id, balance) VALUES (1, 100), (2, 50), (3, 0)",
    NULL,
};

static const scenario_table transfer_tables[] = {
    {"account", "SELECT id, balance FROM account ORDER BY id"},
    {"transfer", "SELECT id FROM transfer ORDER BY id"},
    {NULL, NULL},
};

typedef struct planned {
    int source, target, amount;
} planned;

static const planned plan[] = {{1, 2, 30}, {2, 3, 500}, {2, 3, 80}};
enum { PLANNED = sizeof plan / sizeof *plan };

/* Credits first, so that what the CHECK refuses comes when half is done. */
static void transfer(belay_session *s, scenario_notes *notes, unsigned unit)
{
    const planned *p = &plan[unit];
    BELAY_ATOMIC_WITH(s, .name = "transfer", .retries = 2, .backoff_ms = 1, .backoff_max_ms = 1) {
        note_attempt(notes, unit);
        note_commit_hook(s, notes);
        note_rollback_hook(s, notes);
        belay_exec(s, "UPDATE account SET balance = balance + ? WHERE id = ?", p->amount, p->target);
        belay_exec(s, "UPDATE account SET balance = balance - ? WHERE id = ?", p->amount, p->source);
        belay_exec(s, "INSERT INTO transfer (id, source, target, amount) VALUES (?, ?, ?, ?)", (int)unit + 1, p->source,
                   p->target, p->amount);
    }
    note_end(s, notes, unit);
}

static void run_transfers(belay_session *s, scenario_notes *notes)
{
    for (unsigned unit = 0; unit < PLANNED; unit++)
        transfer(s, notes, unit);
}

static void expect_transfers(const scenario_notes *notes, const bool *there, scenario_text *out)
{
    int balances[] = {100, 50, 0};
    const char *before = "";
    (void)notes;
    for (unsigned i = 0; i < PLANNED; i++) {
        balances[plan[i].source - 1] -= there[i] ? plan[i].amount : 0;
        balances[plan[i].target - 1] += there[i] ? plan[i].amount : 0;
    }
    scenario_text_add(out, "account[1|%d;2|%d;3|%d] transfer[", balances[0], balances[1], balances[2]);
    for (unsigned i = 0; i < PLANNED; i++)
        if (there[i]) {
            scenario_text_add(out, "%s%u", before, i + 1);
            before = ";";
        }
    scenario_text_add(out, "]");
}

const scenario scenario_transfers = {
    .name = "a_transfer_is_debit_and_credit_or_neither",
    .setup = transfer_setup,
    .tables = transfer_tables,
    .run = run_transfers,
    .expect = expect_transfers,
    .own = payment_codes,
};

/* ---- 20: the same failure with and without a scope -------------------------------------------------------------- */

static const char *const proof_setup[] = {
    "DROP TABLE IF EXISTS entry",
    "DROP TABLE IF EXISTS account",
    "CREATE TABLE account (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL)",
    "CREATE TABLE entry (id INTEGER PRIMARY KEY, account INTEGER NOT NULL,"
    " FOREIGN KEY (account) REFERENCES account (id))",
    "INSERT INTO account (id, balance) VALUES (1, 100), (2, 100)",
    NULL,
};

static const scenario_table proof_tables[] = {
    {"account", "SELECT id, balance FROM account ORDER BY id"},
    {"entry", "SELECT id, account FROM entry ORDER BY id"},
    {NULL, NULL},
};

static void run_proof(belay_session *s, scenario_notes *notes)
{
    BELAY_ATOMIC(s) {
        belay_exec(s, "UPDATE account SET balance = balance - 10 WHERE id = 1");
        belay_exec(s, "INSERT INTO entry (id, account) VALUES (1, 99)"); /* no such account */
    }
    note_end(s, notes, 0);
    belay_exec(s, "UPDATE account SET balance = balance - 10 WHERE id = 2");
    note_end(s, notes, 1);
    belay_exec(s, "INSERT INTO entry (id, account) VALUES (2, 99)");
    note_end(s, notes, 2);
}

static void expect_proof(const scenario_notes *notes, const bool *there, scenario_text *out)
{
    (void)notes;
    scenario_text_add(out, "account[1|%d;2|%d] entry[]", there[0] ? 90 : 100, there[1] ? 90 : 100);
}

static const belay_code proof_codes[] = {BELAY_FOREIGN_KEY, BELAY_OK};

const scenario scenario_proof = {
    .name = "half_a_transfer_is_undone_in_a_scope_and_kept_without_one",
    .setup = proof_setup,
    .tables = proof_tables,
    .run = run_proof,
    .expect = expect_proof,
    .own = proof_codes,
};

/* ---- 23: stock below zero --------------------------------------------------------------------------------------- */

static const char *const stock_setup[] = {
    "DROP TABLE IF EXISTS shipment",
    "DROP TABLE IF EXISTS purchase",
    "DROP TABLE IF EXISTS stock",
    "CREATE TABLE stock (item INTEGER PRIMARY KEY, pieces INTEGER NOT NULL, CONSTRAINT in_stock CHECK (pieces >= 0))",
    "CREATE TABLE purchase (id INTEGER PRIMARY KEY)",
    "CREATE TABLE shipment (id INTEGER PRIMARY KEY)",
    "INSERT INTO stock (item, pieces) VALUES (1, 3)",
    NULL,
};

static const scenario_table stock_tables[] = {
    {"stock", "SELECT item, pieces FROM stock ORDER BY item"},
    {"purchase", "SELECT id FROM purchase ORDER BY id"},
    {"shipment", "SELECT id FROM shipment ORDER BY id"},
    {NULL, NULL},
};

static void order_pieces(belay_session *s, scenario_notes *notes, unsigned unit, int pieces)
{
    BELAY_ATOMIC(s) {
        belay_exec(s, "INSERT INTO purchase (id) VALUES (?)", (int)unit);
        belay_exec(s, "UPDATE stock SET pieces = pieces - ? WHERE item = 1", pieces);
        belay_exec(s, "INSERT INTO shipment (id) VALUES (?)", (int)unit);
    }
    note_end(s, notes, unit);
}

static void run_stock(belay_session *s, scenario_notes *notes)
{
    order_pieces(s, notes, 0, 5);
    order_pieces(s, notes, 1, 2);
}

static void expect_stock(const scenario_notes *notes, const bool *there, scenario_text *out)
{
    (void)notes;
    const char *rows = there[1] ? "1" : "";
    scenario_text_add(out, "stock[1|%d] purchase[%s] shipment[%s]", there[1] ? 1 : 3, rows, rows);
    if (there[0])
        scenario_text_add(out, " and five pieces of three");
}

const scenario scenario_stock = {
    .name = "an_order_for_more_than_is_in_stock_leaves_nothing",
    .setup = stock_setup,
    .tables = stock_tables,
    .run = run_stock,
    .expect = expect_stock,
    .own = payment_codes,
};
