/*
 * scenario_units.c - how units end: hooks, failed commits, no scope at all.
 */
#include "scenarios.h"

static const belay_code application_codes[] = {BELAY_APPLICATION, BELAY_ROLLED_BACK, BELAY_OK};

static const char *const post_setup[] = {
    "DROP TABLE IF EXISTS outbox",
    "DROP TABLE IF EXISTS post",
    "CREATE TABLE post (id INTEGER PRIMARY KEY, title VARCHAR(40) NOT NULL)",
    "CREATE TABLE outbox (id INTEGER PRIMARY KEY)",
    NULL,
};

static const scenario_table post_tables[] = {
    {"post", "SELECT id, title FROM post ORDER BY id"},
    {"outbox", "SELECT id FROM outbox ORDER BY id"},
    {NULL, NULL},
};

/* ---- 10: mail after the commit ---------------------------------------------------------------------------------- */

enum { SEND_UNIT = 4 }; /* the unit of the hook that writes */

static int send_mail(belay_session *s, void *arg)
{
    scenario_notes *notes = arg;
    BELAY_ATOMIC_WITH(s, .name = "send", .propagation = BELAY_OUTERMOST) {
        belay_exec(s, "INSERT INTO outbox (id) VALUES (1)");
    }
    note_end(s, notes, SEND_UNIT);
    return 0;
}

static void write_post(belay_session *s, scenario_notes *notes, unsigned unit, bool inner_fails, bool outer_fails)
{
    notes->unit = unit;
    BELAY_ATOMIC_WITH(s, .name = "post") {
        belay_exec(s, "INSERT INTO post (id, title) VALUES (?, 'outer')", 10 * (int)unit);
        note_commit_hook(s, notes);
        unsigned hooks = notes->hook_count;
        BELAY_ATOMIC_WITH(s, .name = "notify") {
            belay_exec(s, "INSERT INTO post (id, title) VALUES (?, 'inner')", 10 * (int)unit + 1);
            note_commit_hook(s, notes);
            note_rollback_hook(s, notes);
            if (unit == 0)
                belay_on_commit(s, send_mail, notes, NULL);
            if (inner_fails)
                belay_fail(s, BELAY_APPLICATION, "nobody to notify");
        }
        if (belay_catch(s, BELAY_APPLICATION))
            note_undone(notes, hooks);
        if (outer_fails)
            belay_undo(s);
    }
    note_end(s, notes, unit);
}

static void run_mail_hook(belay_session *s, scenario_notes *notes)
{
    write_post(s, notes, 0, false, false);
    write_post(s, notes, 1, true, false);
    write_post(s, notes, 2, false, true);
    write_post(s, notes, 3, false, false);
}

static void expect_mail_hook(const scenario_notes *notes, const bool *there, scenario_text *out)
{
    static const char *const rows[] = {"0|outer;1|inner", "10|outer", "20|outer;21|inner", "30|outer;31|inner"};
    (void)notes;
    scenario_text_add(out, "post[");
    scenario_add_rows(out, rows, there, 4);
    scenario_text_add(out, "] outbox[%s]", there[SEND_UNIT] ? "1" : "");
}

const scenario scenario_mail_hook = {
    .name = "a_hook_runs_once_after_the_outermost_commit_and_never_for_what_was_undone",
    .setup = post_setup,
    .tables = post_tables,
    .run = run_mail_hook,
    .expect = expect_mail_hook,
    .own = application_codes,
    .swallows = true, /* a unit inside a hook ends before the one that it belongs to */
};

/* ---- 15: a session whose commit failed -------------------------------------------------------------------------- */

static int refuse_commit(belay_session *s, void *arg)
{
    (void)s;
    (void)arg;
    return 1;
}

static void run_failed_session(belay_session *s, scenario_notes *notes)
{
    BELAY_ATOMIC(s) {
        note_commit_hook(s, notes);
        note_rollback_hook(s, notes);
        belay_exec(s, "INSERT INTO post (id, title) VALUES (0, 'refused')");
        belay_before_commit(s, refuse_commit, NULL, NULL);
    }
    note_end(s, notes, 0);
    notes->unit = 1;
    BELAY_ATOMIC(s) {
        note_commit_hook(s, notes);
        belay_exec(s, "INSERT INTO post (id, title) VALUES (1, 'next')");
    }
    note_end(s, notes, 1);
    BELAY_ATOMIC(s) {
        belay_exec(s, "INSERT INTO post (id, title) VALUES (2, 'half')");
        belay_code code = belay_fail(s, BELAY_APPLICATION, "called off");
        if (belay_exec(s, "INSERT INTO outbox (id) VALUES (2)") != code)
            note_broken(notes, "a statement was not refused with the error that was pending");
    }
    note_end(s, notes, 2);
    BELAY_ATOMIC(s) {
        belay_exec(s, "INSERT INTO post (id, title) VALUES (3, 'last')");
    }
    note_end(s, notes, 3);
}

static void expect_failed_session(const scenario_notes *notes, const bool *there, scenario_text *out)
{
    static const char *const rows[] = {"0|refused", "1|next", "2|half", "3|last"};
    (void)notes;
    scenario_text_add(out, "post[");
    scenario_add_rows(out, rows, there, 4);
    scenario_text_add(out, "] outbox[]");
}

const scenario scenario_failed_session = {
    .name = "a_session_whose_unit_failed_starts_the_next_one_clean",
    .setup = post_setup,
    .tables = post_tables,
    .run = run_failed_session,
    .expect = expect_failed_session,
    .own = application_codes,
};

/* ---- 17: no scope ----------------------------------------------------------------------------------------------- */

static const char *const alone_setup[] = {
    "DROP TABLE IF EXISTS extra",
    "DROP TABLE IF EXISTS post",
    "CREATE TABLE post (id INTEGER PRIMARY KEY, title VARCHAR(40) NOT NULL)",
    NULL,
};

static const scenario_table alone_tables[] = {
    {"post", "SELECT id, title FROM post ORDER BY id"},
    {"extra", "SELECT id FROM extra"},
    {NULL, NULL},
};

static void run_no_scope(belay_session *s, scenario_notes *notes)
{
    belay_exec(s, "INSERT INTO post (id, title) VALUES (1, 'alone')");
    note_end(s, notes, 0);
    belay_exec(s, "INSERT INTO post (id, title) VALUES (2, 'two'), (3, 'three'), (1, 'again')");
    note_end(s, notes, 1);
    belay_exec(s, "INSERT INTO post (id, title) VALUES (4, 'four'), (5, 'five')");
    note_end(s, notes, 2);
    belay_exec(s, "CREATE TABLE extra (id INTEGER PRIMARY KEY)");
    note_end(s, notes, 3);
    belay_int_of(s, "SELECT count(*) FROM post");
    note_end(s, notes, 4);
}

static void expect_no_scope(const scenario_notes *notes, const bool *there, scenario_text *out)
{
    static const char *const rows[] = {"1|alone", NULL, "4|four;5|five"};
    (void)notes;
    scenario_text_add(out, "post[");
    if (there[1]) /* only when the first was not there */
        scenario_text_add(out, "1|again;2|two;3|three%s", there[2] ? ";4|four;5|five" : "");
    else
        scenario_add_rows(out, rows, there, 3);
    scenario_text_add(out, there[3] ? "] extra[]" : "] extra[-]");
}

static const belay_code alone_codes[] = {BELAY_UNIQUE, BELAY_OK};

const scenario scenario_no_scope = {
    .name = "a_statement_outside_any_scope_is_a_transaction_of_its_own",
    .setup = alone_setup,
    .tables = alone_tables,
    .run = run_no_scope,
    .expect = expect_no_scope,
    .own = alone_codes,
};

/* ---- 18: post and mail in one unit ------------------------------------------------------------------------------ */

static void post_and_mail(belay_session *s, scenario_notes *notes, unsigned unit, bool mail_works)
{
    BELAY_ATOMIC(s) {
        belay_exec(s, "INSERT INTO post (id, title) VALUES (?, 'news')", (int)unit);
        belay_exec(s, "INSERT INTO outbox (id) VALUES (?)", (int)unit);
        if (!mail_works)
            belay_fail(s, BELAY_APPLICATION, "the mail server is down");
    }
    note_end(s, notes, unit);
}

static void run_post_and_mail(belay_session *s, scenario_notes *notes)
{
    post_and_mail(s, notes, 0, false);
    post_and_mail(s, notes, 1, true);
}

static void expect_post_and_mail(const scenario_notes *notes, const bool *there, scenario_text *out)
{
    (void)notes;
    scenario_text_add(out, "post[%s%s", there[0] ? "0|news;" : "", there[1] ? "1|news" : "");
    scenario_text_add(out, "] outbox[%s%s]", there[0] ? "0;" : "", there[1] ? "1" : "");
}

const scenario scenario_post_and_mail = {
    .name = "a_post_whose_mail_failed_is_not_there",
    .setup = post_setup,
    .tables = post_tables,
    .run = run_post_and_mail,
    .expect = expect_post_and_mail,
    .own = application_codes,
};

/* ---- Callbacks, calls, and scopes that join --------------------------------------------------------------------- */

static int insert_joined(belay_session *s, void *arg)
{
    belay_exec(s, "INSERT INTO post (id, title) VALUES (?, 'joined')", *(const int *)arg);
    return 0;
}

static int insert_post(belay_session *s, void *arg)
{
    scenario_notes *notes = arg;
    int id = 10 * (int)notes->unit, inner = id + 1;
    note_attempt(notes, notes->unit);
    note_commit_hook(s, notes);
    note_rollback_hook(s, notes);
    belay_exec(s, "INSERT INTO post (id, title) VALUES (?, 'unit')", id);
    belay_atomic(s, BELAY_SCOPE_OPTIONS(.propagation = BELAY_REQUIRED), insert_joined, &inner);
    return notes->unit == 1; /* the second one calls itself off */
}

static void run_callbacks(belay_session *s, scenario_notes *notes)
{
    for (unsigned unit = 0; unit < 2; unit++) {
        notes->unit = unit;
        belay_code code =
            belay_atomic(s, BELAY_SCOPE_OPTIONS(.name = "unit", .retries = 1, .backoff_ms = 1, .backoff_max_ms = 1),
                         insert_post, notes);
        note_end(s, notes, unit);
        if (s && code != notes->units[unit].error.code)
            note_broken(notes, "belay_atomic returned %s", belay_code_name(code));
    }
    belay_begin(s, NULL);
    belay_exec(s, "INSERT INTO post (id, title) VALUES (20, 'called off')");
    belay_rollback(s);
    note_end(s, notes, 2);
    belay_begin(s, NULL);
    belay_exec(s, "INSERT INTO post (id, title) VALUES (30, 'call')");
    belay_begin(s, NULL);
    belay_exec(s, "INSERT INTO outbox (id) VALUES (30)");
    belay_rollback(s); /* the inner one, on purpose */
    belay_code code = belay_commit(s);
    note_end(s, notes, 3);
    if (s && code != notes->units[3].error.code)
        note_broken(notes, "belay_commit returned %s", belay_code_name(code));
}

static void expect_callbacks(const scenario_notes *notes, const bool *there, scenario_text *out)
{
    static const char *const rows[] = {"0|unit;1|joined", "10|unit;11|joined", "20|called off", "30|call"};
    (void)notes;
    scenario_text_add(out, "post[");
    scenario_add_rows(out, rows, there, 4);
    scenario_text_add(out, "] outbox[]");
}

const scenario scenario_callbacks = {
    .name = "callbacks_and_calls_commit_and_roll_back_as_blocks_do",
    .setup = post_setup,
    .tables = post_tables,
    .run = run_callbacks,
    .expect = expect_callbacks,
    .own = application_codes,
};
