/*
 * scenario_hooks.c - hooks of all kinds: they use the session, open units, register hooks, fail, run between attempts.
 */
#include "scenarios.h"

static const char *const entry_setup[] = {
    "DROP TABLE IF EXISTS entry",
    "CREATE TABLE entry (id INTEGER PRIMARY KEY, note VARCHAR(20) NOT NULL)",
    NULL,
};

static const scenario_table entry_tables[] = {
    {"entry", "SELECT id, note FROM entry ORDER BY id"},
    {NULL, NULL},
};

static void enter(belay_session *s, int id, const char *note)
{
    belay_exec(s, "INSERT INTO entry (id, note) VALUES (?, ?)", id, note);
}

/* ---- Hooks that work -------------------------------------------------------------------------------------------- */

enum { MAIN, AFTER_COMMIT, AFTER_ROLLBACK, REFUSED, AFTER_REFUSED };

/* A unit of a hook's own, with a hook of its own, and another that runs after it. */
static int work_alone(belay_session *s, scenario_notes *notes, unsigned unit, const char *note)
{
    unsigned around = notes->unit;
    notes->unit = unit;
    BELAY_ATOMIC_WITH(s, .propagation = BELAY_OUTERMOST) {
        note_commit_hook(s, notes);
        note_rollback_hook(s, notes);
        enter(s, 10 * (int)unit, note);
    }
    note_end(s, notes, unit);
    note_hook(s, notes, HOOK_LATE, NULL);
    notes->unit = around;
    return 0;
}

static int work_after_commit(belay_session *s, void *notes)
{
    return work_alone(s, notes, AFTER_COMMIT, "after commit");
}

static int work_after_rollback(belay_session *s, void *notes)
{
    return work_alone(s, notes, AFTER_ROLLBACK, "after rollback");
}

static int work_after_refusal(belay_session *s, void *notes)
{
    return work_alone(s, notes, AFTER_REFUSED, "after refusal");
}

/* Inside the transaction, before its commit. */
static int work_before(belay_session *s, void *arg)
{
    scenario_notes *notes = arg;
    BELAY_ATOMIC(s) {
        enter(s, 1, "before");
        note_hook(s, notes, HOOK_BEFORE, NULL);
        note_commit_hook(s, notes);
    }
    return belay_status(s) != BELAY_OK;
}

/* Inside a transaction, after the rollback of a scope in it. */
static int try_to_work(belay_session *s, void *arg)
{
    if (belay_exec(s, "DELETE FROM entry") != BELAY_MISUSE)
        note_broken(arg, "a hook inside a transaction could use the session");
    return 0;
}

static int refuse(belay_session *s, void *notes)
{
    (void)s;
    (void)notes;
    return 1;
}

static void run_busy_unit(belay_session *s, scenario_notes *notes)
{
    BELAY_ATOMIC_WITH(s, .name = "main") {
        enter(s, 0, "main");
        note_hook(s, notes, HOOK_COMMIT, work_after_commit);
        note_hook(s, notes, HOOK_ROLLBACK, work_after_rollback);
        BELAY_ATOMIC(s)
            note_hook(s, notes, HOOK_BEFORE, work_before);
        unsigned hooks = notes->hook_count;
        BELAY_ATOMIC(s) {
            note_hook(s, notes, HOOK_ROLLBACK, try_to_work);
            note_hook(s, notes, HOOK_BEFORE, NULL);
            note_hook(s, notes, HOOK_COMMIT, NULL);
            enter(s, 0, "again");
        }
        if (belay_catch(s, BELAY_UNIQUE))
            note_undone(notes, hooks);
    }
    note_end(s, notes, MAIN);
}

static void run_busy_hooks(belay_session *s, scenario_notes *notes)
{
    run_busy_unit(s, notes);
    notes->unit = REFUSED;
    BELAY_ATOMIC_WITH(s, .name = "refused") {
        enter(s, 30, "refused");
        note_hook(s, notes, HOOK_BEFORE, refuse);
        note_hook(s, notes, HOOK_BEFORE, NULL);
        note_hook(s, notes, HOOK_ROLLBACK, work_after_refusal);
    }
    note_end(s, notes, REFUSED);
}

static void expect_busy_hooks(const scenario_notes *notes, const bool *there, scenario_text *out)
{
    static const char *const rows[] = {"0|main;1|before", "10|after commit", "20|after rollback", "30|refused",
                                       "40|after refusal"};
    (void)notes;
    scenario_text_add(out, "entry[");
    scenario_add_rows(out, rows, there, 5);
    scenario_text_add(out, "]");
}

static const belay_code busy_codes[] = {BELAY_UNIQUE, BELAY_APPLICATION, BELAY_OK};

const scenario scenario_busy_hooks = {
    .name = "hooks_of_every_kind_use_the_session_and_register_others",
    .setup = entry_setup,
    .tables = entry_tables,
    .run = run_busy_hooks,
    .expect = expect_busy_hooks,
    .own = busy_codes,
    .swallows = true, /* a unit inside a hook ends before the one that it belongs to */
    .log_lines = 1,
};

/* ---- Hooks of attempts ------------------------------------------------------------------------------------------ */

enum { RETRIES = 3, BY_BLOCK = 0, FIRST_LOG = 1, BY_CALLBACK = FIRST_LOG + RETRIES + 1 };

/* facts */
enum { LOGGED, ATTEMPTS };

/* Between attempts, and after the last one, a unit of its own says that one has failed. */
static int log_attempt(belay_session *s, void *arg)
{
    scenario_notes *notes = arg;
    int logged = notes->facts[LOGGED]++;
    if (logged > RETRIES) {
        note_broken(notes, "attempt %d was rolled back", logged + 1);
        return 1;
    }
    enter(s, 100 + logged, "rolled back");
    note_end(s, notes, FIRST_LOG + (unsigned)logged);
    return 0;
}

static int raise_deadlock(belay_session *s, void *arg)
{
    (void)arg;
    belay_fail(s, BELAY_DEADLOCK, "before the commit");
    return 0;
}

static int try_once(belay_session *s, void *arg)
{
    scenario_notes *notes = arg;
    int number = belay_attempt(s);
    note_attempt(notes, notes->unit);
    note_hook(s, notes, HOOK_ROLLBACK, notes->unit == BY_BLOCK ? log_attempt : NULL);
    note_hook(s, notes, HOOK_BEFORE, number == 2 ? raise_deadlock : NULL);
    note_hook(s, notes, HOOK_COMMIT, NULL);
    enter(s, (int)notes->unit, "done");
    if (number == 1)
        belay_fail(s, BELAY_SERIALIZATION, "attempt 1");
    BELAY_ATOMIC(s)
        if (number == 3)
            belay_fail(s, BELAY_LOCK_TIMEOUT, "attempt 3");
    if (number != ++notes->facts[ATTEMPTS] || number > RETRIES + 1)
        note_broken(notes, "attempt %d is number %d", notes->facts[ATTEMPTS], number);
    return 0;
}

static void run_attempts(belay_session *s, scenario_notes *notes)
{
    notes->unit = BY_BLOCK;
    BELAY_ATOMIC_WITH(s, .name = "block", .retries = RETRIES, .backoff_ms = 1, .backoff_max_ms = 1)
        try_once(s, notes);
    note_end(s, notes, BY_BLOCK);
    notes->unit = BY_CALLBACK;
    notes->facts[ATTEMPTS] = 0;
    belay_atomic(s, BELAY_SCOPE_OPTIONS(.name = "call", .retries = RETRIES, .backoff_ms = 1, .backoff_max_ms = 1),
                 try_once, notes);
    note_end(s, notes, BY_CALLBACK);
}

static void expect_attempts(const scenario_notes *notes, const bool *there, scenario_text *out)
{
    static const char *const rows[] = {
        "0|done",         NULL, NULL, NULL, NULL, "5|done", "100|rolled back", "101|rolled back", "102|rolled back",
        "103|rolled back"};
    bool shown[10] = {false};
    (void)notes;
    shown[0] = there[BY_BLOCK];
    shown[5] = there[BY_CALLBACK];
    for (int i = 0; i <= RETRIES; i++)
        shown[6 + i] = there[FIRST_LOG + i];
    scenario_text_add(out, "entry[");
    scenario_add_rows(out, rows, shown, 10);
    scenario_text_add(out, "]");
}

static const belay_code attempt_codes[] = {BELAY_SERIALIZATION, BELAY_DEADLOCK, BELAY_LOCK_TIMEOUT, BELAY_OK};

const scenario scenario_attempts = {
    .name = "a_unit_that_runs_again_has_the_hooks_of_its_last_attempt_and_the_rollbacks_of_the_others",
    .setup = entry_setup,
    .tables = entry_tables,
    .run = run_attempts,
    .expect = expect_attempts,
    .own = attempt_codes,
    .swallows = true,
};

/* ---- Hooks after marks ------------------------------------------------------------------------------------------ */

static void note_one_of_each(belay_session *s, scenario_notes *notes)
{
    note_hook(s, notes, HOOK_ROLLBACK, NULL);
    note_hook(s, notes, HOOK_BEFORE, NULL);
    note_hook(s, notes, HOOK_COMMIT, NULL);
}

/* Rows of unit n are 10 n + 1, ... */
static void go_back_or_on(belay_session *s, scenario_notes *notes, unsigned unit, bool back)
{
    int base = 10 * (int)unit;
    notes->unit = unit;
    BELAY_ATOMIC_WITH(s, .name = "marks") {
        note_one_of_each(s, notes);
        enter(s, base + 1, "before");
        belay_savepoint(s, "outer");
        unsigned hooks = notes->hook_count;
        note_one_of_each(s, notes);
        enter(s, base + 2, "after the mark");
        belay_savepoint(s, "inner");
        note_one_of_each(s, notes);
        enter(s, base + 3, "after both");
        if (!back)
            belay_release(s, "outer");
        else if (belay_rollback_to(s, "outer") == BELAY_OK)
            note_undone(notes, hooks);
        note_one_of_each(s, notes);
        enter(s, base + 4, "last");
    }
    note_end(s, notes, unit);
}

static void run_marked_hooks(belay_session *s, scenario_notes *notes)
{
    go_back_or_on(s, notes, 0, true);
    go_back_or_on(s, notes, 1, false);
}

static void expect_marked_hooks(const scenario_notes *notes, const bool *there, scenario_text *out)
{
    static const char *const rows[] = {"1|before;4|last", "11|before;12|after the mark;13|after both;14|last"};
    (void)notes;
    scenario_text_add(out, "entry[");
    scenario_add_rows(out, rows, there, 2);
    scenario_text_add(out, "]");
}

static const belay_code no_codes[] = {BELAY_OK};

const scenario scenario_marked_hooks = {
    .name = "hooks_registered_after_a_mark_share_the_fate_of_the_work_after_it",
    .setup = entry_setup,
    .tables = entry_tables,
    .run = run_marked_hooks,
    .expect = expect_marked_hooks,
    .own = no_codes,
    .swallows = true, /* going back clears what failed after the mark */
};
