/*
 * scenario_steps.c - a step of a unit that is tried again.
 */
#include "scenarios.h"

/* ---- 3: a step that is tried up to three times ------------------------------------------------------------------ */

static const char *const flaky_setup[] = {
    "DROP TABLE IF EXISTS payment",
    "DROP TABLE IF EXISTS purchase",
    "CREATE TABLE purchase (id INTEGER PRIMARY KEY)",
    "CREATE TABLE payment (id INTEGER PRIMARY KEY, try INTEGER NOT NULL)",
    NULL,
};

static const scenario_table flaky_tables[] = {
    {"purchase", "SELECT id FROM purchase ORDER BY id"},
    {"payment", "SELECT id, try FROM payment ORDER BY id"},
    {NULL, NULL},
};

/* True when the payment is there. */
static bool try_payment(belay_session *s, scenario_notes *notes, int try, int failures)
{
    unsigned hooks = notes->hook_count;
    BELAY_ATOMIC_WITH(s, .name = "payment") {
        note_commit_hook(s, notes);
        note_rollback_hook(s, notes);
        belay_exec(s, "INSERT INTO payment (id, try) VALUES (1, ?)", try);
        if (try <= failures)
            belay_fail(s, BELAY_APPLICATION, "the gateway did not answer, try %d", try);
    }
    bool paid = belay_status(s) == BELAY_OK;
    if (belay_catch(s, BELAY_APPLICATION))
        note_undone(notes, hooks);
    return paid;
}

static void buy(belay_session *s, scenario_notes *notes, int failures)
{
    BELAY_ATOMIC_WITH(s, .name = "purchase") {
        bool paid = false;
        belay_exec(s, "INSERT INTO purchase (id) VALUES (1)");
        for (int try = 1; try <= 3 && !paid; try++)
            paid = try_payment(s, notes, try, failures);
        if (!paid)
            belay_fail(s, BELAY_APPLICATION, "no payment after three tries");
    }
    note_end(s, notes, 0);
}

static void run_flaky_success(belay_session *s, scenario_notes *notes)
{
    buy(s, notes, 2);
}

static void run_flaky_failure(belay_session *s, scenario_notes *notes)
{
    buy(s, notes, 3);
}

static void expect_flaky(const scenario_notes *notes, const bool *there, scenario_text *out)
{
    (void)notes;
    scenario_text_add(out, there[0] ? "purchase[1] payment[1|3]" : "purchase[] payment[]");
}

static const belay_code flaky_codes[] = {BELAY_APPLICATION, BELAY_OK};

const scenario scenario_flaky_success = {
    .name = "a_step_that_succeeds_at_the_third_try_leaves_one_payment_and_no_traces",
    .setup = flaky_setup,
    .tables = flaky_tables,
    .run = run_flaky_success,
    .expect = expect_flaky,
    .own = flaky_codes,
};

const scenario scenario_flaky_failure = {
    .name = "a_step_that_fails_three_times_fails_the_unit",
    .setup = flaky_setup,
    .tables = flaky_tables,
    .run = run_flaky_failure,
    .expect = expect_flaky,
    .own = flaky_codes,
};

/* ---- 3: given up after three tries, and the unit goes on without ------------------------------------------------ */

static const char *const given_up_setup[] = {
    "DROP TABLE IF EXISTS payment",
    "DROP TABLE IF EXISTS purchase",
    "CREATE TABLE purchase (id INTEGER PRIMARY KEY)",
    "CREATE TABLE payment (id INTEGER PRIMARY KEY, try INTEGER NOT NULL)",
    "INSERT INTO payment (id, try) VALUES (9, 0)",
    NULL,
};

static int pay_nine(belay_session *s, void *arg)
{
    scenario_notes *notes = arg;
    note_commit_hook(s, notes);
    note_rollback_hook(s, notes);
    belay_exec(s, "INSERT INTO payment (id, try) VALUES (1, ?)", notes->facts[0]);
    belay_exec(s, "INSERT INTO payment (id, try) VALUES (9, ?)", notes->facts[0]); /* is there already */
    return 0;
}

/* facts[0]: how many tries were made. */
static void try_three_times(belay_session *s, scenario_notes *notes)
{
    BELAY_ATOMIC_WITH(s, .name = "tries") {
        for (notes->facts[0] = 1;; notes->facts[0]++) {
            unsigned hooks = notes->hook_count;
            if (belay_atomic(s, BELAY_SCOPE_OPTIONS(.name = "try"), pay_nine, notes) == BELAY_OK ||
                !belay_catch(s, BELAY_UNIQUE))
                break;
            note_undone(notes, hooks);
            if (notes->facts[0] == 3) {
                belay_raise(s, belay_caught(s));
                break;
            }
        }
    }
}

static void run_given_up(belay_session *s, scenario_notes *notes)
{
    BELAY_ATOMIC_WITH(s, .name = "purchase") {
        belay_exec(s, "INSERT INTO purchase (id) VALUES (1)");
        try_three_times(s, notes);
        if (belay_catch(s, BELAY_UNIQUE) && notes->facts[0] != 3)
            note_broken(notes, "given up after %d tries", notes->facts[0]);
        note_commit_hook(s, notes);
    }
    note_end(s, notes, 0);
}

static void expect_given_up(const scenario_notes *notes, const bool *there, scenario_text *out)
{
    (void)notes;
    scenario_text_add(out, "purchase[%s] payment[9|0]", there[0] ? "1" : "");
}

static const belay_code given_up_codes[] = {BELAY_UNIQUE, BELAY_OK};

const scenario scenario_flaky_given_up = {
    .name = "a_step_that_was_given_up_after_three_tries_leaves_no_traces_and_the_unit_can_go_on",
    .setup = given_up_setup,
    .tables = flaky_tables,
    .run = run_given_up,
    .expect = expect_given_up,
    .own = given_up_codes,
};
