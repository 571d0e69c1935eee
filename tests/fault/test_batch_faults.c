/*
 * test_batch_faults.c - a batch with every call to the engine failing in turn, and every allocation.
 *
 * Whatever fails: either the unit around says so and nothing is there, or each item was told as rejected, once and in
 * order, or is there; and what the program keeps in memory, and the hooks, are of the items that are there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <belay/testing.h>

#include "database.h"
#include "scarce.h"

enum { ALLOCATIONS_AT_MOST = 400, REPORTS_AT_MOST = 5 };

/* What the items do: see do_item. */
static const char letters[] = ".n.x..mb..f.u...x.nr.f..";
enum { ITEMS = sizeof letters - 1 };

typedef struct program {
    bool pipeline, own_unit;
    size_t told[4 * ITEMS], count; /* items that were rejected, in the order in which that was told */
    int others;                    /* of those that clash, how many were told to have failed otherwise */
    belay_code code;               /* what the batch returned */
    int balance;                   /* in memory: one more for each item that is kept */
    int given, freed, committed;
} program;

/* ---- Items ------------------------------------------------------------------------------------------------------ */

static int take_back(belay_session *s, void *arg)
{
    (void)s;
    ((program *)arg)->balance--;
    return 0;
}

static int count_committed(belay_session *s, void *arg)
{
    (void)s;
    ((program *)arg)->committed++;
    return 0;
}

static void count_freed(void *arg)
{
    ((program *)arg)->freed++;
}

static void insert(belay_session *s, int id)
{
    belay_exec(s, "INSERT INTO kept VALUES (?)", id);
}

static void insert_beside_a_mark(belay_session *s, int id)
{
    belay_savepoint(s, "mark");
    insert(s, 1000 + id);
    belay_rollback_to(s, "mark");
    insert(s, id);
}

static int do_letter(belay_session *s, char letter, int id)
{
    switch (letter) {
    case 'n':
        BELAY_ATOMIC(s)
            insert(s, id);
        return 0;
    case 'm':
        insert_beside_a_mark(s, id);
        return 0;
    case 'b':
        belay_int_of(s, "SELECT count(*) FROM kept");
        insert(s, id);
        return 0;
    case 'f':
        insert(s, 0);
        return 0;
    case 'u':
        insert(s, id);
        belay_undo(s);
        return 0;
    default:
        insert(s, id);
        if (letter == 'x')
            insert(s, 0);
        return letter == 'r';
    }
}

/* Item i inserts row i + 1; row 0 is there. */
static int do_item(belay_session *s, size_t i, void *arg)
{
    program *p = arg;
    p->balance++;
    p->given++;
    if (belay_on_rollback(s, take_back, p, count_freed) != BELAY_OK)
        p->balance--; /* there was no memory to take it back later */
    p->given++;
    belay_on_commit(s, count_committed, p, count_freed);
    return do_letter(s, letters[i], (int)i + 1);
}

static void tell(belay_session *s, size_t i, const belay_error *error, void *arg)
{
    program *p = arg;
    (void)s;
    p->others += strchr("xf", letters[i]) && error->code != BELAY_UNIQUE;
    if (p->count < 4 * (size_t)ITEMS)
        p->told[p->count++] = i;
}

static int run_batch(belay_session *s, void *arg)
{
    program *p = arg;
    *p = (program){.pipeline = p->pipeline, .own_unit = p->own_unit};
    if (p->own_unit) {
        p->code = belay_batch(s, ITEMS, do_item, p, tell);
        return 0;
    }
    BELAY_ATOMIC_WITH(s, .pipeline = p->pipeline) {
        insert(s, 2000);
        p->code = belay_batch(s, ITEMS, do_item, p, tell);
    }
    return 0;
}

/* ---- Looking ---------------------------------------------------------------------------------------------------- */

/* Which items must be there, from what was told; NULL with a word about what is wrong with that. */
static const char *check_told(const program *p, bool *out_there)
{
    for (size_t i = 0; i < ITEMS; i++)
        out_there[i] = letters[i] != 'u';
    for (size_t k = 0; k < p->count; k++) {
        if (k > 0 && p->told[k] <= p->told[k - 1])
            return "a rejection was told twice, or not in order";
        out_there[p->told[k]] = false;
    }
    for (size_t i = 0; i < ITEMS; i++)
        if (strchr("xfr", letters[i]) && out_there[i])
            return "an item that can't be kept was not told as rejected";
    return NULL;
}

/* Whether the rows are those of the items that are there, and what stood before and around them. */
static bool has_rows(belay_session *looking, const program *p, const bool *there)
{
    int64_t count = 1 + !p->own_unit, sum = p->own_unit ? 0 : 2000;
    for (int i = 0; i < ITEMS; i++) {
        count += there[i];
        sum += there[i] ? i + 1 : 0;
    }
    return belay_int_of(looking, "SELECT count(*) FROM kept") == count &&
           belay_int_of(looking, "SELECT sum(id) FROM kept") == sum;
}

/* What is wrong after a unit that committed: NULL when nothing is. */
static const char *check_committed(belay_session *looking, const program *p)
{
    bool there[ITEMS];
    int kept = 0;
    const char *wrong = check_told(p, there);
    if (wrong)
        return wrong;
    for (size_t i = 0; i < ITEMS; i++)
        kept += there[i];
    if (p->code != BELAY_OK)
        return "the batch failed, and its unit committed";
    if (!has_rows(looking, p, there))
        return "the rows are not those of the items that were kept";
    if (p->balance != kept || p->committed != kept)
        return "hooks or memory are not of the items that were kept";
    return NULL;
}

static const char *check_nothing(belay_session *looking, const program *p)
{
    if (belay_int_of(looking, "SELECT count(*) FROM kept") != 1)
        return "rows are there of a unit that was rolled back";
    return p->balance != 0 || p->committed != 0 ? "a hook of a rolled back unit did not run, or ran" : NULL;
}

static const char *check_unknown(belay_session *looking, const program *p)
{
    bool there[ITEMS];
    if (belay_int_of(looking, "SELECT count(*) FROM kept") == 1)
        return NULL;
    const char *wrong = check_told(p, there);
    return wrong ? wrong : has_rows(looking, p, there) ? NULL : "half of a unit is there";
}

static const char *check_all(belay_session *looking, const program *p, const belay_error *status)
{
    if (p->given != p->freed)
        return "an argument was not freed once";
    if (status->outcome == BELAY_WORK_UNKNOWN)
        return check_unknown(looking, p);
    return status->outcome == BELAY_WORK_COMMITTED ? check_committed(looking, p) : check_nothing(looking, p);
}

static void reset(belay_session *s)
{
    belay_exec(s, "DELETE FROM kept WHERE id > 0");
}

/* ---- Calls ------------------------------------------------------------------------------------------------------ */

static int check_rehearsal(belay_session *s, const belay_rehearsal *run, void *arg)
{
    const program *p = arg;
    const char *wrong = check_all(s, p, &run->status);
    if (!wrong && strcmp(run->kind, "release") == 0 && p->others > 0)
        wrong = "an item was told to have failed by what came after it";
    if (wrong)
        print_error("call %u (%s) %s %s: %s\n", run->call, run->kind, belay_code_name(run->code),
                    run->onwards ? "and from then on" : "once", wrong);
    reset(s);
    return wrong != NULL;
}

static void rehearse(database *d, program p)
{
    belay_rehearsal_report report = belay_rehearse(d->db, run_batch, check_rehearsal, &p);
    assert_string_equal(report.error.message, "");
    assert_string_equal(report.first, "");
    assert_true(report.runs > 500);
}

static void a_batch_is_exact_or_ended_whatever_call_fails(void **state)
{
    rehearse(*state, (program){.pipeline = false});
}

static void a_batch_in_a_pipeline_is_exact_or_ended_whatever_call_fails(void **state)
{
    rehearse(*state, (program){.pipeline = true});
}

static void a_batch_outside_any_scope_is_exact_or_ended_whatever_call_fails(void **state)
{
    if (!database_is_sqlite(*state))
        skip(); /* nothing in it is a driver's */
    rehearse(*state, (program){.own_unit = true});
}

/* ---- Memory ----------------------------------------------------------------------------------------------------- */

/* True when memory ran out. */
static bool run_point(database *d, unsigned n, bool onwards, const char **out_wrong)
{
    program p = {.pipeline = n % 2};
    long before = scarce_blocks();
    belay_db *db = belay_open(d->url, NULL);
    belay_session *s = belay_session_open(db);
    scarce_arm(n, onwards);
    run_batch(s, &p);
    scarce_disarm();
    *out_wrong = check_all(d->s, &p, belay_pending(s));
    reset(d->s);
    belay_session_close(s);
    belay_close(db);
    if (scarce_blocks() != before)
        *out_wrong = "blocks were not freed";
    return scarce_failed() > 0;
}

static void a_batch_is_exact_or_ended_when_memory_runs_out(void **state)
{
    int failures = 0;
    const char *ignored;
    run_point(*state, 0, false, &ignored); /* what the looking itself keeps is there then */
    for (unsigned onwards = 0; onwards < 2; onwards++) {
        bool met = true;
        for (unsigned n = 1; met && n < ALLOCATIONS_AT_MOST; n++) {
            const char *wrong;
            met = run_point(*state, n, onwards, &wrong);
            if (wrong && ++failures <= REPORTS_AT_MOST)
                print_error("no memory at allocation %u, %u: %s\n", n, onwards, wrong);
        }
        assert_false(met);
    }
    assert_int_equal(failures, 0);
}

static int open_database(void **state)
{
    static database d;
    static const char *const statements[] = {"DROP TABLE IF EXISTS kept", "CREATE TABLE kept(id INTEGER PRIMARY KEY)",
                                             "INSERT INTO kept VALUES (0)", NULL};
    database_open(&d, NULL);
    database_run(d.s, statements);
    *state = &d;
    return 0;
}

static int close_database(void **state)
{
    database_close(*state);
    return 0;
}

#define in_database(test) cmocka_unit_test_setup_teardown(test, open_database, close_database)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_database(a_batch_is_exact_or_ended_whatever_call_fails),
        in_database(a_batch_in_a_pipeline_is_exact_or_ended_whatever_call_fails),
        in_database(a_batch_outside_any_scope_is_exact_or_ended_whatever_call_fails),
        in_database(a_batch_is_exact_or_ended_when_memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
