/*
 * scenario_around.c - more than one thing at a time: transactions inside one another, streams, sessions on one pool.
 */
#include "scenarios.h"

static const char *const entry_setup[] = {
    "DROP TABLE IF EXISTS entry",
    "DROP TABLE IF EXISTS source",
    "CREATE TABLE entry (id INTEGER PRIMARY KEY, value INTEGER NOT NULL)",
    "CREATE TABLE source (value INTEGER PRIMARY KEY)",
    "INSERT INTO source (value) VALUES (1), (2), (3)",
    NULL,
};

static const scenario_table entry_tables[] = {
    {"entry", "SELECT id, value FROM entry ORDER BY id"},
    {NULL, NULL},
};

static belay_code enter(belay_session *s, int id, int64_t value)
{
    return belay_exec(s, "INSERT INTO entry (id, value) VALUES (?, ?)", id, value);
}

static void expect_rows(const char *const *rows, const bool *there, size_t count, scenario_text *out)
{
    scenario_text_add(out, "entry[");
    scenario_add_rows(out, rows, there, count);
    scenario_text_add(out, "]");
}

/* ---- Propagation ------------------------------------------------------------------------------------------------ */

enum { READER, OWN, OWN_FAILED, OWN_READER, OWN_IN_OWN, HOMELESS, OUTERMOST, LEFT, OWN_IN_LEFT };

/* A hook of a transaction that has another around it. */
static int try_to_work(belay_session *s, void *arg)
{
    if (enter(s, 99, 0) != BELAY_MISUSE)
        note_broken(arg, "a hook of a transaction inside another could use the session");
    return 0;
}

/* One before the commit runs inside its transaction. */
static int work_before(belay_session *s, void *arg)
{
    const scenario_notes *notes = arg;
    return enter(s, 10 * (int)notes->unit + 3, 0) != BELAY_OK;
}

static void note_own_hooks(belay_session *s, scenario_notes *notes)
{
    note_hook(s, notes, HOOK_COMMIT, try_to_work);
    note_hook(s, notes, HOOK_ROLLBACK, try_to_work);
    note_hook(s, notes, HOOK_BEFORE, work_before);
}

static void run_own(belay_session *s, scenario_notes *notes)
{
    bool ran = false;
    notes->unit = OWN;
    BELAY_ATOMIC_WITH(s, .name = "own", .propagation = BELAY_REQUIRES_NEW) {
        ran = true;
        note_own_hooks(s, notes);
        enter(s, 10, 0);
        BELAY_ATOMIC_WITH(s, .propagation = BELAY_MANDATORY)
            enter(s, 11, 0);
        BELAY_ATOMIC_WITH(s, .propagation = BELAY_REQUIRED)
            enter(s, 12, 0);
    }
    if (ran)
        note_inner(s, notes, OWN);
}

static int fail_alone(belay_session *s, void *notes)
{
    note_own_hooks(s, notes);
    enter(s, 20, 0);
    enter(s, 20, 0); /* is there */
    return 0;
}

static void run_own_failed(belay_session *s, scenario_notes *notes)
{
    unsigned hooks = notes->hook_count;
    notes->unit = OWN_FAILED;
    belay_atomic(s, BELAY_SCOPE_OPTIONS(.name = "failed", .propagation = BELAY_REQUIRES_NEW), fail_alone, notes);
    if (notes->hook_count > hooks)
        note_inner(s, notes, OWN_FAILED);
}

static void run_own_in_own(belay_session *s, scenario_notes *notes)
{
    bool ran = false, ran_inside = false;
    BELAY_ATOMIC_WITH(s, .read_only = true, .propagation = BELAY_REQUIRES_NEW) {
        ran = true;
        notes->unit = OWN_IN_OWN;
        BELAY_ATOMIC_WITH(s, .name = "inmost", .propagation = BELAY_REQUIRES_NEW) {
            ran_inside = true;
            note_own_hooks(s, notes);
            enter(s, 40, 0);
        }
        if (ran_inside)
            note_inner(s, notes, OWN_IN_OWN);
        belay_int_of(s, "SELECT count(*) FROM entry");
    }
    if (ran)
        note_inner(s, notes, OWN_READER);
}

static void run_inside_reader(belay_session *s, scenario_notes *notes)
{
    int64_t before = belay_int_of(s, "SELECT count(*) FROM entry");
    run_own(s, notes);
    run_own_failed(s, notes);
    BELAY_ATOMIC_WITH(s, .propagation = BELAY_OUTERMOST)
        note_broken(notes, "an outermost scope began inside another");
    belay_ignore(s, BELAY_MISUSE);
    run_own_in_own(s, notes);
    int64_t after = belay_int_of(s, "SELECT count(*) FROM entry");
    if (belay_status(s) == BELAY_OK && (before != 0 || after != 0))
        note_broken(notes, "the reader saw %lld rows, and then %lld", (long long)before, (long long)after);
}

/* belay_begin opens a scope whatever happens; when there is no memory for a transaction, it holds the error. */
static void run_own_by_calls(belay_session *s, scenario_notes *notes)
{
    belay_code begun = belay_begin(s, BELAY_SCOPE_OPTIONS(.propagation = BELAY_REQUIRES_NEW));
    belay_code entered = enter(s, 80, 0), ended = belay_commit(s);
    if (begun != BELAY_OK && (entered != begun || ended != begun))
        note_broken(notes, "begun with %s, and ended with %s", belay_code_name(begun), belay_code_name(ended));
    note_inner(s, notes, OWN_IN_LEFT);
}

/* A reader is left: it was rolled back, and its hooks say so, whatever became of the transaction inside. */
static void leave_reader(belay_session *s, scenario_notes *notes)
{
    notes->unit = LEFT;
    BELAY_READ(s) {
        note_hook(s, notes, HOOK_ROLLBACK, NULL);
        belay_int_of(s, "SELECT count(*) FROM entry");
        if (belay_status(s) == BELAY_OK)
            run_own_by_calls(s, notes);
        break;
    }
    if (belay_status(s) == BELAY_OK)
        notes->units[LEFT].fate = UNIT_ROLLED_BACK;
    else
        note_end(s, notes, LEFT);
}

static void run_propagation(belay_session *s, scenario_notes *notes)
{
    BELAY_ATOMIC_WITH(s, .read_only = true, .isolation = BELAY_REPEATABLE_READ)
        run_inside_reader(s, notes);
    note_end(s, notes, READER);
    BELAY_ATOMIC_WITH(s, .propagation = BELAY_MANDATORY)
        enter(s, 50, 0);
    note_end(s, notes, HOMELESS);
    notes->unit = OUTERMOST;
    BELAY_ATOMIC_WITH(s, .propagation = BELAY_OUTERMOST) {
        note_hook(s, notes, HOOK_COMMIT, NULL);
        note_hook(s, notes, HOOK_BEFORE, work_before);
        enter(s, 60, 0);
    }
    note_end(s, notes, OUTERMOST);
    leave_reader(s, notes);
}

static void expect_propagation(const scenario_notes *notes, const bool *there, scenario_text *out)
{
    static const char *const rows[] = {NULL,   "10|0;11|0;12|0;13|0", "20|0", NULL,  "40|0;43|0",
                                       "50|0", "60|0;63|0",           NULL,   "80|0"};
    (void)notes;
    expect_rows(rows, there, 9, out);
}

static const belay_code propagation_codes[] = {BELAY_UNIQUE, BELAY_MISUSE, BELAY_OK};

const scenario scenario_propagation = {
    .name = "transactions_inside_a_reader_commit_and_fail_alone",
    .setup = entry_setup,
    .tables = entry_tables,
    .run = run_propagation,
    .expect = expect_propagation,
    .own = propagation_codes,
    .swallows = true,
    .pool_size = 3,
    .log_lines = 3,
};

/* ---- Streams ---------------------------------------------------------------------------------------------------- */

static const char *const numbers = "SELECT value FROM source ORDER BY value";

static int64_t add_stream(belay_session *s, int rows_at_most)
{
    int64_t sum = 0;
    belay_rows *rows = belay_stream(s, numbers);
    for (int i = 0; i < rows_at_most && belay_next(rows); i++)
        sum += belay_int(rows, 0);
    belay_rows_close(rows);
    return sum;
}

static void run_streams(belay_session *s, scenario_notes *notes)
{
    BELAY_ATOMIC(s) {
        enter(s, 1, add_stream(s, 100));
        BELAY_ATOMIC(s)
            enter(s, 2, add_stream(s, 2)); /* closed half-way */
    }
    note_end(s, notes, 0);
    int64_t sum = add_stream(s, 100);
    note_end(s, notes, 1);
    if (notes->units[1].fate == UNIT_COMMITTED && sum != 6)
        note_broken(notes, "a stream outside any scope gave %lld and no error", (long long)sum);
    belay_rows *left = NULL;
    BELAY_ATOMIC(s) {
        enter(s, 20, 0);
        left = belay_stream(s, numbers);
        belay_next(left);
    } /* which is a mistake */
    note_end(s, notes, 2);
    belay_rows_close(left);
    BELAY_ATOMIC(s) {
        left = belay_stream(s, numbers);
        belay_next(left);
        enter(s, 30, 0); /* and so is this */
        belay_rows_close(left);
    }
    note_end(s, notes, 3);
}

static void expect_streams(const scenario_notes *notes, const bool *there, scenario_text *out)
{
    static const char *const rows[] = {"1|6;2|3", NULL, "20|0", "30|0"};
    (void)notes;
    expect_rows(rows, there, 4, out);
}

static const belay_code misuse_codes[] = {BELAY_MISUSE, BELAY_OK};

const scenario scenario_streams = {
    .name = "what_was_streamed_is_whole_and_a_stream_left_open_fails_its_unit",
    .setup = entry_setup,
    .tables = entry_tables,
    .run = run_streams,
    .expect = expect_streams,
    .own = misuse_codes,
};

/* ---- Sessions on a small pool ----------------------------------------------------------------------------------- */

/* Takes a lock that every unit takes, also where writers don't exclude one another. */
static void take_turn(belay_session *s)
{
    belay_exec(s, "UPDATE source SET value = value WHERE value = 1");
}

/* `again` is a row that it enters besides; 0: none. */
static void run_unit(belay_session *s, scenario_notes *notes, unsigned unit, int again)
{
    notes->unit = unit;
    BELAY_ATOMIC_WITH(s, .lock_timeout_ms = 1) {
        note_commit_hook(s, notes);
        note_rollback_hook(s, notes);
        take_turn(s);
        enter(s, 10 * (int)unit, 0);
        if (again > 0)
            enter(s, again, 0);
    }
    note_end(s, notes, unit);
}

/* Two sessions by turns. The second one's unit 1 waits in vain for what the first has: a connection, or a lock. */
static void take_turns(belay_session *first, belay_session *second, scenario_notes *notes)
{
    BELAY_ATOMIC(first) {
        take_turn(first);
        enter(first, 0, 0);
        run_unit(second, notes, 1, 0);
        notes->unit = 0;
        note_commit_hook(first, notes);
        note_rollback_hook(first, notes);
        enter(first, 1, 0);
    }
    note_end(first, notes, 0);
    run_unit(second, notes, 2, 0);
    run_unit(first, notes, 3, 30); /* is there */
    BELAY_READ(second) {
        if (belay_int_of(second, "SELECT count(*) FROM entry WHERE id = 30") != 0)
            note_broken(notes, "a row that was rolled back is there");
        belay_session *third = belay_session_open(notes->db);
        belay_int_of(third, "SELECT count(*) FROM entry"); /* has no connection where there is one only */
        if (third)
            note_end(third, notes, 5);
        belay_session_close(third);
    }
    note_end(second, notes, 4);
    run_unit(second, notes, 6, 0);
    run_unit(first, notes, 7, 0);
}

static void run_turns(belay_session *s, scenario_notes *notes)
{
    belay_session *second = belay_session_open(notes->db);
    if (second)
        take_turns(s, second, notes);
    belay_code code = belay_session_close(second);
    if (code != BELAY_OK)
        note_broken(notes, "the second session's close returned %s", belay_code_name(code));
}

static void expect_turns(const scenario_notes *notes, const bool *there, scenario_text *out)
{
    static const char *const rows[] = {"0|0;1|0", "10|0", "20|0", "30|0", NULL, NULL, "60|0", "70|0"};
    (void)notes;
    expect_rows(rows, there, 8, out);
}

static const belay_code turn_codes[] = {BELAY_TOO_MANY, BELAY_LOCK_TIMEOUT, BELAY_UNIQUE, BELAY_OK};

const scenario scenario_one_connection = {
    .name = "sessions_take_turns_on_one_connection",
    .setup = entry_setup,
    .tables = entry_tables,
    .run = run_turns,
    .expect = expect_turns,
    .own = turn_codes,
    .swallows = true,
    .pool_size = 1,
};

const scenario scenario_two_connections = {
    .name = "sessions_take_turns_on_two_connections",
    .setup = entry_setup,
    .tables = entry_tables,
    .run = run_turns,
    .expect = expect_turns,
    .own = turn_codes,
    .swallows = true,
    .pool_size = 2,
};
