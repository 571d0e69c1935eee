/*
 * scenario_nesting.c - scopes in scopes, and marks.
 */
#include "scenarios.h"

static const belay_code unique_codes[] = {BELAY_UNIQUE, BELAY_OK};
static const belay_code check_codes[] = {BELAY_CHECK, BELAY_OK};

/* ---- 7: the second of three updates fails ----------------------------------------------------------------------- */

static const char *const updates_setup[] = {
    "DROP TABLE IF EXISTS counter",
    "CREATE TABLE counter (id INTEGER PRIMARY KEY, value INTEGER NOT NULL)",
    "INSERT INTO counter (id, value) VALUES (1, 0), (2, 0), (3, 0)",
    NULL,
};

static const scenario_table counter_tables[] = {
    {"counter", "SELECT id, value FROM counter ORDER BY id"},
    {NULL, NULL},
};

static void run_three_updates(belay_session *s, scenario_notes *notes)
{
    BELAY_ATOMIC(s) {
        belay_exec(s, "UPDATE counter SET value = 1 WHERE id = 1");
        BELAY_ATOMIC(s) {
            note_commit_hook(s, notes);
            note_rollback_hook(s, notes);
            belay_exec(s, "UPDATE counter SET value = 2 WHERE id = 2");
            belay_exec(s, "INSERT INTO counter (id, value) VALUES (2, 2)");
        }
        if (belay_catch(s, BELAY_UNIQUE))
            note_undone(notes, 0);
        belay_exec(s, "UPDATE counter SET value = 3 WHERE id = 3");
    }
    note_end(s, notes, 0);
}

static void expect_three_updates(const scenario_notes *notes, const bool *there, scenario_text *out)
{
    (void)notes;
    scenario_text_add(out, there[0] ? "counter[1|1;2|0;3|3]" : "counter[1|0;2|0;3|0]");
}

const scenario scenario_three_updates = {
    .name = "an_inner_failure_undoes_the_inner_scope_and_the_outer_one_goes_on",
    .setup = updates_setup,
    .tables = counter_tables,
    .run = run_three_updates,
    .expect = expect_three_updates,
    .own = unique_codes,
};

/* ---- 8: a mark before a risky step ------------------------------------------------------------------------------ */

static const char *const marks_setup[] = {
    "DROP TABLE IF EXISTS step_log",
    "DROP TABLE IF EXISTS step",
    "CREATE TABLE step (id INTEGER PRIMARY KEY)",
    "CREATE TABLE step_log (id INTEGER PRIMARY KEY)",
    "INSERT INTO step (id) VALUES (9)",
    NULL,
};

static const scenario_table marks_tables[] = {
    {"step", "SELECT id FROM step ORDER BY id"},
    {"log", "SELECT id FROM step_log ORDER BY id"},
    {NULL, NULL},
};

/* facts[unit]: whether the risky step was kept. Steps of unit n are 10 n + 1, 10 n + 2, ... */
static void take_steps(belay_session *s, scenario_notes *notes, unsigned unit, int last)
{
    int base = 10 * (int)unit;
    notes->unit = unit;
    BELAY_ATOMIC(s) {
        belay_exec(s, "INSERT INTO step (id) VALUES (?)", base + 1);
        belay_savepoint(s, "before the risky step; it's \"safe\"");
        unsigned hooks = notes->hook_count;
        note_commit_hook(s, notes);
        note_rollback_hook(s, notes);
        belay_exec(s, "INSERT INTO step (id) VALUES (?)", base + 2);
        belay_exec(s, "INSERT INTO step (id) VALUES (?)", last);
        notes->facts[unit] = belay_status(s) == BELAY_OK;
        if (notes->facts[unit])
            belay_release(s, "before the risky step; it's \"safe\"");
        else if (belay_rollback_to(s, "before the risky step; it's \"safe\"") == BELAY_OK)
            note_undone(notes, hooks);
        belay_exec(s, "INSERT INTO step_log (id) VALUES (?)", (int)unit);
    }
    note_end(s, notes, unit);
}

static void run_marks(belay_session *s, scenario_notes *notes)
{
    take_steps(s, notes, 0, 3); /* goes well */
    take_steps(s, notes, 1, 9); /* is there already */
}

static void expect_marks(const scenario_notes *notes, const bool *there, scenario_text *out)
{
    scenario_text_add(out, "step[%s%s9", there[0] ? "1;" : "", there[0] && notes->facts[0] ? "2;3;" : "");
    scenario_text_add(out, "%s%s] log[", there[1] ? ";11" : "", there[1] && notes->facts[1] ? ";12;9" : "");
    scenario_text_add(out, "%s%s%s]", there[0] ? "0" : "", there[0] && there[1] ? ";" : "", there[1] ? "1" : "");
}

const scenario scenario_marks = {
    .name = "what_came_after_a_mark_is_kept_or_undone_and_the_log_is_written_either_way",
    .setup = marks_setup,
    .tables = marks_tables,
    .run = run_marks,
    .expect = expect_marks,
    .own = unique_codes,
    .swallows = true,
};

/* ---- 11: nobody catches ----------------------------------------------------------------------------------------- */

static void run_escape(belay_session *s, scenario_notes *notes)
{
    BELAY_ATOMIC_WITH(s, .name = "outermost") {
        note_commit_hook(s, notes);
        note_rollback_hook(s, notes);
        belay_exec(s, "UPDATE counter SET value = 1 WHERE id = 1");
        BELAY_ATOMIC_WITH(s, .name = "middle") {
            belay_exec(s, "UPDATE counter SET value = 2 WHERE id = 2");
            BELAY_ATOMIC_WITH(s, .name = "innermost") {
                note_rollback_hook(s, notes);
                belay_exec(s, "UPDATE counter SET value = 3 WHERE id = 3");
                belay_exec(s, "INSERT INTO counter (id, value) VALUES (1, 1)");
                belay_exec(s, "INSERT INTO no_such_table (id) VALUES (1)");
            }
            belay_exec(s, "UPDATE counter SET value = 4 WHERE id = 2");
        }
        belay_exec(s, "UPDATE counter SET value = 5 WHERE id = 1");
    }
    note_end(s, notes, 0);
}

static void expect_escape(const scenario_notes *notes, const bool *there, scenario_text *out)
{
    (void)notes;
    scenario_text_add(out, there[0] ? "the impossible" : "counter[1|0;2|0;3|0]");
}

const scenario scenario_escape = {
    .name = "an_error_that_nobody_catches_undoes_everything_and_the_first_one_is_reported",
    .setup = updates_setup,
    .tables = counter_tables,
    .run = run_escape,
    .expect = expect_escape,
    .own = unique_codes,
};

/* ---- 21: an optional extra -------------------------------------------------------------------------------------- */

static const char *const extra_setup[] = {
    "DROP TABLE IF EXISTS reservation",
    "DROP TABLE IF EXISTS purchase",
    "DROP TABLE IF EXISTS payment",
    "DROP TABLE IF EXISTS stock",
    "CREATE TABLE stock (item INTEGER PRIMARY KEY, pieces INTEGER NOT NULL, CONSTRAINT in_stock CHECK (pieces >= 0))",
    "CREATE TABLE reservation (item INTEGER PRIMARY KEY)",
    "CREATE TABLE purchase (id INTEGER PRIMARY KEY)",
    "CREATE TABLE payment (id INTEGER PRIMARY KEY)",
    "INSERT INTO stock (item, pieces) VALUES (1, 1), (2, 0), (3, 1)",
    NULL,
};

static const scenario_table extra_tables[] = {
    {"stock", "SELECT item, pieces FROM stock ORDER BY item"},
    {"reservation", "SELECT item FROM reservation ORDER BY item"},
    {"purchase", "SELECT id FROM purchase"},
    {"payment", "SELECT id FROM payment"},
    {NULL, NULL},
};

enum { EXTRAS = 3 };

/* facts[item]: whether the extra was kept. */
static void run_optional_extra(belay_session *s, scenario_notes *notes)
{
    BELAY_ATOMIC_WITH(s, .name = "order") {
        note_commit_hook(s, notes);
        belay_exec(s, "INSERT INTO purchase (id) VALUES (1)");
        for (int item = 1; item <= EXTRAS; item++) {
            belay_savepoint(s, "extra");
            belay_exec(s, "INSERT INTO reservation (item) VALUES (?)", item);
            belay_exec(s, "UPDATE stock SET pieces = pieces - 1 WHERE item = ?", item);
            notes->facts[item] = belay_status(s) == BELAY_OK;
            if (!notes->facts[item])
                belay_rollback_to(s, "extra");
            belay_release(s, "extra");
        }
        belay_exec(s, "INSERT INTO payment (id) VALUES (1)");
    }
    note_end(s, notes, 0);
}

static void expect_optional_extra(const scenario_notes *notes, const bool *there, scenario_text *out)
{
    const char *before = "";
    int kept[EXTRAS + 1];
    for (int item = 1; item <= EXTRAS; item++)
        kept[item] = there[0] && notes->facts[item];
    scenario_text_add(out, "stock[1|%d;2|0;3|%d] reservation[", 1 - kept[1], 1 - kept[3]);
    for (int item = 1; item <= EXTRAS; item++)
        if (kept[item]) {
            scenario_text_add(out, "%s%d", before, item);
            before = ";";
        }
    scenario_text_add(out, there[0] ? "] purchase[1] payment[1]" : "] purchase[] payment[]");
}

const scenario scenario_optional_extra = {
    .name = "an_extra_that_is_out_of_stock_is_undone_and_the_order_is_kept",
    .setup = extra_setup,
    .tables = extra_tables,
    .run = run_optional_extra,
    .expect = expect_optional_extra,
    .own = check_codes,
    .swallows = true,
};

/* ---- 27: depth -------------------------------------------------------------------------------------------------- */

static const char *const depth_setup[] = {
    "DROP TABLE IF EXISTS level",
    "CREATE TABLE level (unit INTEGER NOT NULL, depth INTEGER NOT NULL, PRIMARY KEY (unit, depth))",
    NULL,
};

static const scenario_table depth_tables[] = {
    {"level", "SELECT unit, depth FROM level ORDER BY unit, depth"},
    {NULL, NULL},
};

enum { DEEPEST = 9, FAILS_AT = 6 };

/* facts[0]: the failure of level FAILS_AT was caught, so that what lies from there on was undone. */
static void descend_blocks(belay_session *s, scenario_notes *notes, int depth)
{
    BELAY_ATOMIC(s) {
        belay_exec(s, "INSERT INTO level (unit, depth) VALUES (0, ?)", depth);
        note_commit_hook(s, notes);
        unsigned hooks = notes->hook_count;
        if (depth < DEEPEST)
            descend_blocks(s, notes, depth + 1);
        if (depth == FAILS_AT)
            belay_fail(s, BELAY_APPLICATION, "level %d fails", depth);
        if (depth == FAILS_AT - 1 && belay_catch(s, BELAY_APPLICATION)) {
            notes->facts[0] = 1;
            note_undone(notes, hooks);
        }
    }
}

/* Only every third level writes, and the savepoints in between are owed together. */
static void descend_calls(belay_session *s)
{
    for (int depth = 1; depth <= DEEPEST; depth++) {
        belay_begin(s, NULL);
        if (depth % 3 == 0)
            belay_exec(s, "INSERT INTO level (unit, depth) VALUES (1, ?)", depth);
    }
    for (int depth = DEEPEST; depth >= 1; depth--)
        belay_commit(s);
}

static void run_depth(belay_session *s, scenario_notes *notes)
{
    descend_blocks(s, notes, 1);
    note_end(s, notes, 0);
    descend_calls(s);
    note_end(s, notes, 1);
}

static void expect_depth(const scenario_notes *notes, const bool *there, scenario_text *out)
{
    const char *before = "";
    int last = !there[0] ? 0 : notes->facts[0] ? FAILS_AT - 1 : DEEPEST;
    scenario_text_add(out, "level[");
    for (int depth = 1; depth <= last; depth++, before = ";")
        scenario_text_add(out, "%s0|%d", before, depth);
    for (int depth = 3; there[1] && depth <= DEEPEST; depth += 3, before = ";")
        scenario_text_add(out, "%s1|%d", before, depth);
    scenario_text_add(out, "]");
}

static const belay_code depth_codes[] = {BELAY_APPLICATION, BELAY_OK};

const scenario scenario_depth = {
    .name = "a_failure_deep_down_undoes_what_lies_inside_the_scope_that_catches_it",
    .setup = depth_setup,
    .tables = depth_tables,
    .run = run_depth,
    .expect = expect_depth,
    .own = depth_codes,
};
