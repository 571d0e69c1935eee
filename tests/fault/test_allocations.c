/*
 * test_allocations.c - memory runs out, at the first allocation, the second, and so on: once, and from then on.
 *
 * The linker puts the functions below in the place of malloc, calloc, realloc, strdup and free, for the code of this
 * program and of the library that is linked into it. SQLite is a shared library with an allocator of its own: its
 * allocations don't fail here. Link with
 *
 *     -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=strdup,--wrap=free
 *
 * and with the static library. Blocks are counted, so that a leak is found in every build; the sanitizers find it too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "database.h"
#include "scarce.h"
#include "scenarios.h"

/* ---- A unit that needs much memory ------------------------------------------------------------------------------ */

static const char *const heavy_setup[] = {
    "DROP TABLE IF EXISTS copy",
    "DROP TABLE IF EXISTS source",
    "CREATE TABLE source (id INTEGER PRIMARY KEY, text VARCHAR(100) NOT NULL)",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)"
    " INSERT INTO source (id, text) SELECT i, printf('text %050d', i) FROM n",
    "CREATE TABLE copy (id INTEGER PRIMARY KEY, text VARCHAR(100))",
    NULL,
};

static const scenario_table heavy_tables[] = {
    {"copy", "SELECT count(*), coalesce(sum(id), 0), coalesce(sum(length(text)), 0) FROM copy"},
    {NULL, NULL},
};

/* Deep scopes, each with a mark, hooks and a row. */
static void dig(belay_session *s, scenario_notes *notes, int depth)
{
    char name[200];
    memset(name, 'n', sizeof name);
    snprintf(name + 180, 20, "%d", depth);
    BELAY_ATOMIC(s) {
        belay_savepoint(s, name);
        note_commit_hook(s, notes);
        note_rollback_hook(s, notes);
        belay_exec(s, "INSERT INTO copy (id, text) VALUES (?, ?)", 1000 + depth, name);
        if (depth < 20)
            dig(s, notes, depth + 1);
        belay_release(s, name);
    }
}

static void copy_rows(belay_session *s)
{
    BELAY_EACH(row, s, "SELECT id, text FROM source WHERE id > ?", 200)
        belay_exec(s, "INSERT INTO copy (id, text) VALUES (?, ?)", belay_int(row, 0), belay_str(row, 1));
    belay_rows *rows = belay_stream(s, "SELECT id, text FROM source");
    int64_t sum = 0;
    while (belay_next(rows))
        sum += (int64_t)belay_size(rows, 1);
    belay_rows_close(rows);
    belay_exec(s, "INSERT INTO copy (id, text) VALUES (?, NULL)", sum);
}

/* More statements than there is room for in the cache. */
static void run_statements(belay_session *s)
{
    char text[64];
    for (int i = 0; i < 8; i++) {
        snprintf(text, sizeof text, "UPDATE copy SET id = id WHERE id = %d", i);
        belay_exec(s, text);
    }
}

static void run_heavy(belay_session *s, scenario_notes *notes)
{
    BELAY_ATOMIC_WITH(s, .name = "heavy") {
        dig(s, notes, 1);
        copy_rows(s);
        run_statements(s);
    }
    note_end(s, notes, 0);
    belay_rows *rows = belay_query(s, "SELECT id, text FROM source");
    note_end(s, notes, 1);
    belay_rows_close(rows);
}

static void expect_heavy(const scenario_notes *notes, const bool *there, scenario_text *out)
{
    (void)notes;
    /* 20 levels, 100 rows, one sum of 300 texts of 55 bytes; names have 181 or 182 characters */
    scenario_text_add(out, there[0] ? "copy[121|%d|%d]" : "copy[0|0|0]", 20 * 1000 + 210 + 25050 + 16500,
                      9 * 181 + 11 * 182 + 100 * 55);
}

static const belay_code no_codes[] = {BELAY_OK};

static const scenario heavy = {
    .name = "deep_scopes_long_names_many_rows_and_many_statements",
    .setup = heavy_setup,
    .tables = heavy_tables,
    .run = run_heavy,
    .expect = expect_heavy,
    .own = no_codes,
};

/* ---- A unit that is done once, and asked for twice -------------------------------------------------------------- */

static const char *const once_setup[] = {
    "DROP TABLE IF EXISTS belay_once",
    "DROP TABLE IF EXISTS paid",
    "CREATE TABLE paid (id INTEGER)",
    NULL,
};

static const scenario_table once_tables[] = {{"paid", "SELECT count(*) FROM paid"}, {NULL, NULL}};

static void run_once(belay_session *s, scenario_notes *notes)
{
    for (unsigned unit = 0; unit < 2; unit++) {
        notes->unit = unit;
        BELAY_ATOMIC_WITH(s, .name = "pay", .once = "payment-1") {
            note_commit_hook(s, notes);
            note_rollback_hook(s, notes);
            belay_exec(s, "INSERT INTO paid (id) VALUES (1)");
        }
        note_end(s, notes, unit);
    }
}

static void expect_once(const scenario_notes *notes, const bool *there, scenario_text *out)
{
    (void)notes;
    scenario_text_add(out, "paid[%d]", there[0] || there[1]);
}

static const scenario once = {
    .name = "a_unit_is_done_once_however_often_it_is_asked_for",
    .setup = once_setup,
    .tables = once_tables,
    .run = run_once,
    .expect = expect_once,
    .own = no_codes,
};

static const scenario *const own_scenarios[] = {&heavy, &once};
enum { OWN_SCENARIOS = sizeof own_scenarios / sizeof *own_scenarios };

/* ---- What must hold --------------------------------------------------------------------------------------------- */

typedef struct stand {
    database d;
    belay_db *plain;
    belay_session *witness;
    long points;
} stand;

typedef struct job {
    stand *stand;
    const scenario *scenario;
} job;

static scenario_text wrong;

static bool is_own(const scenario *which, belay_code code)
{
    for (const belay_code *own = which->own; *own != BELAY_OK; own++)
        if (*own == code)
            return true;
    return false;
}

/* Without a handle or a session there is no memory to tell that memory is out: then it is misuse. */
static void check_codes(const scenario *which, const scenario_notes *notes, bool usable)
{
    for (unsigned i = 0; i < SCENARIO_UNITS; i++) {
        belay_code code = notes->units[i].error.code;
        if (code != BELAY_OK && code != BELAY_NO_MEMORY && !is_own(which, code) && (usable || code != BELAY_MISUSE))
            scenario_text_add(&wrong, "unit %u ended with %s: %s\n", i, belay_code_name(code),
                              notes->units[i].error.message);
        if (notes->units[i].fate == UNIT_UNKNOWN)
            scenario_text_add(&wrong, "unit %u is in doubt\n", i);
    }
}

static void check_next_scope(stand *st, belay_session *s)
{
    bool ran = false;
    BELAY_ATOMIC(s) {
        ran = belay_exec(s, "INSERT INTO aftermath (id) VALUES (1)") == BELAY_OK;
    }
    if (!ran || belay_status(s) != BELAY_OK)
        scenario_text_add(&wrong, "the next scope failed: %s\n", belay_message(s));
    if (belay_int_of(st->witness, "SELECT count(*) FROM aftermath") != 1)
        scenario_text_add(&wrong, "the next scope left nothing\n");
    belay_exec(st->witness, "DELETE FROM aftermath");
}

/* True when memory ran out on the way. */
static bool run_point(stand *st, const scenario *which, unsigned fail_at, bool onwards)
{
    static scenario_notes notes;
    notes = (scenario_notes){.unit = 0};
    if (scenario_setup(which, st->witness) != BELAY_OK)
        fail_msg("the tables can't be made: %s", belay_message(st->witness));
    belay_db_options options =
        scenario_options(which, database_options(&st->d, BELAY_DB_OPTIONS(.pool_size = 2, .statement_cache = 6)));
    long blocks = scarce_blocks();
    scarce_arm(fail_at, onwards);
    belay_db *db = belay_open(st->d.url, &options);
    belay_session *s = belay_session_open(db);
    notes.db = db;
    which->run(s, &notes);
    bool met = scarce_failed() > 0;
    scarce_disarm();

    bool usable = s && *belay_db_engine(db);
    const char *broken = scenario_check(which, st->witness, &notes);
    scenario_text_add(&wrong, "%s", broken ? broken : "");
    check_codes(which, &notes, s && db);
    if (usable)
        check_next_scope(st, s);
    belay_session_close(s);
    belay_close(db);
    if (scarce_blocks() != blocks)
        scenario_text_add(&wrong, "%ld blocks are still allocated\n", scarce_blocks() - blocks);
    st->points += met;
    return met;
}

static void promises_hold_when_memory_runs_out(void **state)
{
    const job *j = *state;
    int failures = 0;
    for (int onwards = 0; onwards < 2; onwards++)
        for (unsigned n = 1; n < 5000; n++) {
            wrong = (scenario_text){.size = 0};
            bool met = run_point(j->stand, j->scenario, n, onwards);
            if (wrong.size > 0 && ++failures <= 5)
                print_error("%s: allocation %u failed %s:\n%s\n", j->scenario->name, n,
                            onwards ? "and all that followed" : "once", wrong.bytes);
            if (!met)
                break;
        }
    assert_int_equal(failures, 0);
    assert_rows(j->stand->witness, "PRAGMA integrity_check", "ok");
}

/* The program's own close, with memory running out in it: it must succeed all the same. */
static void closing_needs_no_memory(void **state)
{
    const job *j = *state;
    long blocks = scarce_blocks();
    belay_db *db = belay_open(j->stand->d.url, NULL);
    belay_session *s = belay_session_open(db);
    belay_begin(s, NULL);
    belay_exec(s, "INSERT INTO aftermath (id) VALUES (5)");
    belay_begin(s, NULL);
    belay_savepoint(s, "m");
    belay_rows *rows = belay_query(s, "SELECT id FROM aftermath");
    scarce_arm(1, true);
    belay_code code = belay_session_close(s);
    belay_close(db);
    belay_rows_close(rows);
    scarce_disarm();
    assert_int_equal(code, BELAY_ABANDONED);
    assert_int_equal(scarce_blocks(), blocks);
    assert_int_equal(belay_int_of(j->stand->witness, "SELECT count(*) FROM aftermath"), 0);
}

int main(void)
{
    enum { TESTS_AT_MOST = 64 };
    static stand st;
    static job jobs[TESTS_AT_MOST];
    static struct CMUnitTest tests[TESTS_AT_MOST];
    size_t count = 0;
    unsetenv("BELAY_TEST_URL");
    for (; count < scenario_count + OWN_SCENARIOS; count++) {
        jobs[count] = (job){&st, count < scenario_count ? scenarios[count] : own_scenarios[count - scenario_count]};
        tests[count] = (struct CMUnitTest){.name = jobs[count].scenario->name,
                                           .test_func = promises_hold_when_memory_runs_out,
                                           .initial_state = &jobs[count]};
    }
    tests[count] = (struct CMUnitTest)cmocka_unit_test_prestate(closing_needs_no_memory, &jobs[0]);
    database_make(&st.d, "?synchronous=normal");
    st.plain = belay_open(st.d.url, BELAY_DB_OPTIONS(.statement_cache = -1)); /* keeps no blocks from call to call */
    st.witness = belay_session_open(st.plain);
    if (belay_exec(st.witness, "CREATE TABLE aftermath (id INTEGER PRIMARY KEY)") != BELAY_OK)
        return 1;
    int failed = _cmocka_run_group_tests("promises hold when memory runs out", tests, count + 1, NULL, NULL);
    belay_session_close(st.witness);
    belay_close(st.plain);
    database_close(&st.d);
    printf("allocations: %ld fault points\n", st.points);
    return failed;
}
