/*
 * Rehearsals: which runs are made, and that they find what is wrong with a unit and nothing else.
 */
#include "support.h"

#include <string.h>

#include <belay/testing.h>

enum { RUNS_AT_MOST = 2000 };

/* What the check of each test writes down. */
typedef struct notebook {
    belay_rehearsal run[RUNS_AT_MOST];
    int count;
    int hooks, rollback_hooks; /* that ran in this run */
    int wrong;                 /* runs in which one of the things below was not as it should be */
    bool all_seen_in_doubt, nothing_seen_in_doubt;
    const char *whole; /* the ids that the unit leaves when it is there */
} notebook;

static notebook book;

static int start_book(const char *whole)
{
    book = (notebook){.whole = whole};
    return 0;
}

/* What is left is what the outcome says; the table is emptied again. */
static int check_outcome(belay_session *s, const belay_rehearsal *run, void *arg)
{
    const char *left = rows_of(s, "SELECT id FROM item ORDER BY id");
    bool whole = strcmp(left, book.whole) == 0, none = !*left, right = false;
    (void)arg;
    switch (run->status.outcome) {
    case BELAY_WORK_COMMITTED:
        right = whole && book.hooks == 1 && book.rollback_hooks == 0;
        break;
    case BELAY_WORK_ROLLED_BACK:
        right = none && book.hooks == 0;
        break;
    case BELAY_WORK_UNKNOWN:
        right = (whole || none) && book.hooks == 0;
        book.all_seen_in_doubt |= whole;
        book.nothing_seen_in_doubt |= none;
        break;
    case BELAY_WORK_PARTLY:
    case BELAY_WORK_OPEN:
        break;
    }
    if (book.count < RUNS_AT_MOST)
        book.run[book.count++] = *run;
    book.wrong += !right;
    book.hooks = book.rollback_hooks = 0;
    belay_exec(s, "DELETE FROM item");
    return right ? 0 : 7;
}

static int count_commit(belay_session *s, void *arg)
{
    (void)s;
    (void)arg;
    book.hooks++;
    return 0;
}

static int count_rollback(belay_session *s, void *arg)
{
    (void)s;
    (void)arg;
    book.rollback_hooks++;
    return 0;
}

static void assert_held(const belay_rehearsal_report *report)
{
    if (report->error.code != BELAY_OK || report->refused > 0)
        print_error("%s: %s\n%s\n", belay_code_name(report->error.code), report->error.message, report->first);
    assert_code(report->error.code, BELAY_OK);
    assert_int_equal(report->refused, 0);
    assert_int_equal(book.wrong, 0);
}

/* ---- Units that keep their word --------------------------------------------------------------------------------- */

static int put_three(belay_session *s, void *arg)
{
    (void)arg;
    BELAY_ATOMIC(s) {
        belay_on_commit(s, count_commit, NULL, NULL);
        belay_on_rollback(s, count_rollback, NULL, NULL);
        put(s, 1);
        BELAY_ATOMIC(s)
            put(s, 2);
        put(s, 3);
    }
    return belay_status(s) == BELAY_OK ? 0 : 1;
}

static void a_unit_in_a_scope_passes(void **state)
{
    world *w = *state;
    start_book("1;2;3");
    belay_rehearsal_report report = belay_rehearse(w->d.db, put_three, check_outcome, NULL);
    assert_held(&report);
    assert_int_equal(report.runs, book.count);
    assert_string_equal(report.first, "");
    assert_true(book.all_seen_in_doubt && book.nothing_seen_in_doubt);
    assert_int_equal(w->d.log_lines, 0);
}

static int put_with_an_extra(belay_session *s, void *arg)
{
    (void)arg;
    BELAY_ATOMIC(s) {
        belay_on_commit(s, count_commit, NULL, NULL);
        put(s, 1);
        BELAY_ATOMIC(s) {
            belay_on_rollback(s, count_rollback, NULL, NULL);
            put(s, 2);
            put(s, 3);
        }
    }
    return 0;
}

static int check_extra(belay_session *s, const belay_rehearsal *run, void *arg)
{
    book.rollback_hooks = 0;
    return check_outcome(s, run, arg);
}

static int put_again_and_again(belay_session *s, void *arg)
{
    (void)arg;
    BELAY_ATOMIC_WITH(s, .retries = 2, .backoff_ms = 1, .backoff_max_ms = 1) {
        belay_on_commit(s, count_commit, NULL, NULL);
        put(s, 1);
        belay_try(s, "INSERT INTO taken VALUES (1)"); /* which fails always */
        put(s, 2);
        BELAY_EACH(row, s, "SELECT id FROM taken")
            belay_int(row, 0);
    }
    return 0;
}

static void units_with_inner_scopes_tries_reads_and_retries_pass(void **state)
{
    world *w = *state;
    start_book("1;2;3");
    belay_rehearsal_report report = belay_rehearse(w->d.db, put_with_an_extra, check_extra, NULL);
    assert_held(&report);
    start_book("1;2");
    report = belay_rehearse(w->d.db, put_again_and_again, check_extra, NULL);
    assert_held(&report);
    int attempts = 0;
    for (int i = 0; i < book.count; i++)
        attempts += book.run[i].call > 0 && book.run[i].status.outcome == BELAY_WORK_COMMITTED;
    assert_true(attempts > 10); /* some ran again and came through */
}

/* ---- Which runs ------------------------------------------------------------------------------------------------- */

/* Where the run is written down that made this call fail so; -1: there was none. */
static int find_run(unsigned call, belay_code code, bool onwards)
{
    for (int i = 0; i < book.count; i++)
        if (book.run[i].call == call && book.run[i].code == code && book.run[i].onwards == onwards)
            return i;
    return -1;
}

static unsigned last_call(void)
{
    unsigned last = 0;
    for (int i = 0; i < book.count; i++)
        last = book.run[i].call > last ? book.run[i].call : last;
    return last;
}

static void every_call_fails_in_every_way_alone_and_with_all_after_it(void **state)
{
    static const char *const kinds[] = {"connect",   "prepare", "begin",     "statement", "savepoint",
                                        "statement", "release", "statement", "commit"};
    world *w = *state;
    bool asks = !database_is_sqlite(&w->d) && !database_is_mariadb(&w->d); /* PostgreSQL tells, by the number */
    start_book("1;2;3");
    belay_rehearse(w->d.db, put_three, check_outcome, NULL);
    assert_int_equal(last_call(), sizeof kinds / sizeof kinds[0]);
    for (unsigned call = 1; call <= last_call(); call++) {
        bool starts = call <= 3; /* nothing is left to do after it */
        bool runs = strcmp(kinds[call - 1], "statement") == 0, commits = strcmp(kinds[call - 1], "commit") == 0;
        for (int code = BELAY_OK + 1; code < BELAY_ANY; code++) {
            bool any = code == BELAY_IO || code == BELAY_NO_MEMORY;
            bool loses = code == BELAY_CONNECTION || code == BELAY_IN_DOUBT;
            bool locks = code == BELAY_BUSY || code == BELAY_LOCK_TIMEOUT;
            bool ends = code == BELAY_SERIALIZATION || code == BELAY_DEADLOCK;
            bool wanted = any || loses || (locks && (runs || commits || call == 3)) || (ends && (runs || commits)) ||
                          (code == BELAY_UNIQUE && runs) || (code == BELAY_FOREIGN_KEY && commits);
            int alone = find_run(call, (belay_code)code, false);
            assert_int_equal(alone >= 0, wanted);
            if (wanted)
                assert_string_equal(book.run[alone].kind, kinds[call - 1]);
            /* after a loss, and where the engine rolled back, there is no call that could fail as well, but for the
               question what became of a commit */
            bool goes_on = !starts && !ends && (!loses || (asks && commits));
            assert_int_equal(find_run(call, (belay_code)code, true) >= 0, wanted && goes_on);
        }
    }
}

static void a_run_without_a_failure_comes_first_and_last(void **state)
{
    world *w = *state;
    start_book("1;2;3");
    belay_rehearse(w->d.db, put_three, check_outcome, NULL);
    for (int i = 0; i < book.count; i++) {
        bool at_an_end = i == 0 || i == book.count - 1;
        assert_int_equal(book.run[i].call == 0, at_an_end);
        if (!at_an_end)
            continue;
        assert_string_equal(book.run[i].kind, "");
        assert_code(book.run[i].code, BELAY_OK);
        assert_code(book.run[i].status.code, BELAY_OK);
        assert_false(book.run[i].onwards);
    }
}

static int do_nothing(belay_session *s, void *arg)
{
    (void)s;
    (void)arg;
    return 0;
}

static int count_runs(belay_session *s, const belay_rehearsal *run, void *arg)
{
    int *runs = arg;
    (void)s;
    (void)run;
    ++*runs;
    return 0;
}

static void a_unit_that_makes_no_call_has_none_that_fails(void **state)
{
    world *w = *state;
    int runs = 0;
    belay_rehearsal_report report = belay_rehearse(w->d.db, do_nothing, count_runs, &runs);
    assert_code(report.error.code, BELAY_OK);
    assert_int_equal(report.runs, 2);
    assert_int_equal(runs, 2);
}

static void nothing_fails_any_more_afterwards(void **state)
{
    world *w = *state;
    start_book("1;2;3");
    belay_rehearse(w->d.db, put_three, check_outcome, NULL);
    assert_code(put(w->s, 1), BELAY_OK);
    assert_stored(w, "1");
}

/* ---- Units that do not ------------------------------------------------------------------------------------------ */

static int put_two_without_a_scope(belay_session *s, void *arg)
{
    (void)arg;
    belay_on_commit(s, count_commit, NULL, NULL); /* at once */
    put(s, 1);
    put(s, 2);
    return belay_status(s) == BELAY_OK ? 0 : 1;
}

static void two_writes_without_a_scope_around_are_found(void **state)
{
    world *w = *state;
    start_book("1;2");
    belay_rehearsal_report report = belay_rehearse(w->d.db, put_two_without_a_scope, check_outcome, NULL);
    assert_code(report.error.code, BELAY_OK);
    assert_true(report.refused > 10);
    assert_int_equal(report.refused, book.wrong);
    assert_true(report.refused < report.runs); /* the undisturbed ones are as they should be */
}

static int put_and_swallow(belay_session *s, void *arg)
{
    (void)arg;
    bool second = false;
    BELAY_ATOMIC(s) {
        belay_on_commit(s, count_commit, NULL, NULL);
        put(s, 1);
        BELAY_ATOMIC(s)
            put(s, 2);
        second = !belay_catch(s, BELAY_ANY); /* and goes on as if nothing had been */
    }
    return second ? 0 : 1;
}

static void a_failure_that_is_swallowed_is_found_and_told(void **state)
{
    world *w = *state;
    start_book("1;2");
    belay_rehearsal_report report = belay_rehearse(w->d.db, put_and_swallow, check_outcome, NULL);
    assert_true(report.refused > 0);
    /* connect, prepare, begin, the first row, then the savepoint of the second */
    assert_string_equal(report.first, "call 5 (savepoint) failed with IO: the unit returned 1, its status is OK, its "
                                      "work committed; the check returned 7");
}

static void the_first_that_is_refused_is_told_in_words(void **state)
{
    world *w = *state;
    start_book("nothing like what is there");
    belay_rehearsal_report report = belay_rehearse(w->d.db, put_three, check_outcome, NULL);
    assert_string_equal(report.first, "no call failed: the unit returned 0, its status is OK, its work committed; the "
                                      "check returned 7");
    int refused = report.refused;
    assert_true(refused > 2 && refused < report.runs);
}

static int refuse_failures_onwards(belay_session *s, const belay_rehearsal *run, void *arg)
{
    (void)arg;
    belay_exec(s, "DELETE FROM item");
    return run->onwards ? -3 : 0;
}

static void a_failure_with_all_after_it_is_told_as_such_and_with_its_place(void **state)
{
    world *w = *state;
    belay_rehearsal_report report = belay_rehearse(w->d.db, put_three, refuse_failures_onwards, NULL);
    assert_contains(report.first, "call 4 (statement) and all after it failed with IO: the unit returned 1, its status "
                                  "is IO at ");
    assert_contains(report.first, "support.c:");
    assert_contains(report.first, "its work rolled back; the check returned -3");
}

static int begin_and_leave(belay_session *s, void *arg)
{
    (void)arg;
    belay_begin(s, NULL);
    put(s, 1);
    return 5;
}

static void a_scope_that_the_unit_left_open_is_rolled_back_before_the_check(void **state)
{
    world *w = *state;
    start_book("never");
    belay_rehearsal_report report = belay_rehearse(w->d.db, begin_and_leave, check_outcome, NULL);
    assert_held(&report);
    assert_code(book.run[0].status.code, BELAY_ABANDONED);
    assert_int_equal(book.run[0].result, 5);
}

/* ---- What can't be rehearsed ------------------------------------------------------------------------------------ */

static void a_database_in_memory_is_refused(void **state)
{
    (void)state;
    int runs = 0;
    belay_db *db = belay_open("sqlite::memory:", NULL);
    belay_rehearsal_report report = belay_rehearse(db, do_nothing, count_runs, &runs);
    assert_code(report.error.code, BELAY_UNSUPPORTED);
    assert_contains(report.error.hint, "sqlite:PATH");
    assert_int_equal(report.runs, 0);
    assert_int_equal(runs, 0);
    belay_close(db);
}

static void what_is_missing_is_misuse(void **state)
{
    world *w = *state;
    belay_db *bad = belay_open("nonsense:", NULL);
    assert_code(belay_rehearse(NULL, do_nothing, count_runs, NULL).error.code, BELAY_MISUSE);
    assert_code(belay_rehearse(bad, do_nothing, count_runs, NULL).error.code, BELAY_MISUSE);
    assert_code(belay_rehearse(w->d.db, NULL, count_runs, NULL).error.code, BELAY_MISUSE);
    assert_code(belay_rehearse(w->d.db, do_nothing, NULL, NULL).error.code, BELAY_MISUSE);
    belay_close(bad);
}

static int read_much(belay_session *s, void *arg)
{
    (void)arg;
    belay_rows_close(belay_query(s, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 110)"
                                    " SELECT a.i FROM n a CROSS JOIN n b"));
    return 0;
}

static int insist(belay_session *s, void *arg)
{
    (void)arg;
    while (put(s, 1) != BELAY_OK)
        continue;
    return 0;
}

static int tidy(belay_session *s, const belay_rehearsal *run, void *arg)
{
    (void)run;
    (void)arg;
    belay_exec(s, "DELETE FROM item");
    return 0;
}

static void a_unit_without_end_ends_the_rehearsal(void **state)
{
    world *w = *state;
    belay_rehearsal_report report = belay_rehearse(w->d.db, read_much, tidy, NULL);
    assert_code(report.error.code, BELAY_MISUSE);
    assert_contains(report.error.message, "at most 10000");
    assert_int_equal(report.runs, 0);
    if (!database_is_sqlite(&w->d))
        return; /* ten thousand connections to a server take minutes */
    report = belay_rehearse(w->d.db, insist, tidy, NULL);
    assert_code(report.error.code, BELAY_MISUSE);
    assert_contains(report.error.message, "while all of them failed");
    assert_true(report.runs > 0);
}

static int fail_in_silence(belay_session *s, const belay_rehearsal *run, void *arg)
{
    (void)arg;
    if (run->call == 2)
        belay_exec(s, "DELETE FROM items"); /* there is no such table */
    belay_exec(s, "DELETE FROM item");
    return 0;
}

static int leave_scope_open(belay_session *s, const belay_rehearsal *run, void *arg)
{
    (void)run;
    (void)arg;
    belay_begin(s, NULL);
    belay_exec(s, "DELETE FROM item");
    return 0;
}

static void a_failure_that_the_check_did_not_read_ends_the_rehearsal(void **state)
{
    world *w = *state;
    belay_rehearsal_report report = belay_rehearse(w->d.db, put_three, fail_in_silence, NULL);
    assert_code(report.error.code, BELAY_SCHEMA);
    assert_contains(report.error.message, "items");
    report = belay_rehearse(w->d.db, put_three, leave_scope_open, NULL);
    assert_code(report.error.code, BELAY_ABANDONED);
    assert_int_equal(report.runs, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(a_unit_in_a_scope_passes),
        in_world(units_with_inner_scopes_tries_reads_and_retries_pass),
        in_world(every_call_fails_in_every_way_alone_and_with_all_after_it),
        in_world(a_run_without_a_failure_comes_first_and_last),
        in_world(a_unit_that_makes_no_call_has_none_that_fails),
        in_world(nothing_fails_any_more_afterwards),
        in_world(two_writes_without_a_scope_around_are_found),
        in_world(a_failure_that_is_swallowed_is_found_and_told),
        in_world(the_first_that_is_refused_is_told_in_words),
        in_world(a_failure_with_all_after_it_is_told_as_such_and_with_its_place),
        in_world(a_scope_that_the_unit_left_open_is_rolled_back_before_the_check),
        cmocka_unit_test(a_database_in_memory_is_refused),
        in_world(what_is_missing_is_misuse),
        in_world(a_unit_without_end_ends_the_rehearsal),
        in_world(a_failure_that_the_check_did_not_read_ends_the_rehearsal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
