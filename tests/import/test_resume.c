/*
 * belay_import with .commit_every: checkpoints, stopping, going on.
 */
#include "rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RECORDS = 500, EVERY = 20 }; /* and what is behind the first line of a malformed one is one more */

static const char table[] = "CREATE TABLE tx (id INTEGER PRIMARY KEY, name VARCHAR(20) NOT NULL)";

/* Every seventh record is malformed, every eleventh a duplicate. */
static char *make_file(void)
{
    char *text = malloc(RECORDS * 32);
    size_t size = (size_t)sprintf(text, "id,name\n");
    for (int i = 1; i <= RECORDS; i++)
        if (i % 7 == 0)
            size += (size_t)sprintf(text + size, "%d,\"two\nlines\"x\n", i);
        else
            size += (size_t)sprintf(text + size, "%d,\"name\n%d\"\n", i % 11 == 0 ? 1 : i, i);
    return text;
}

static rig *with_file(void **state)
{
    rig *r = *state;
    char *text = make_file();
    rig_run(r, table);
    rig_write(r, text);
    free(text);
    return r;
}

/* What an import in one transaction leaves. */
typedef struct result {
    char *rows, *rejects, *errors, counts[64];
} result;

static result keep_result(rig *r)
{
    result kept = {strdup(rows_of(r->s, "SELECT count(*), sum(id), min(name), max(name) FROM tx")),
                   strdup(rig_read(r->rejects)), strdup(rig_read(r->errors)), ""};
    snprintf(kept.counts, sizeof kept.counts, "%s", rig_counts(&r->report.counts));
    return kept;
}

static void assert_same(rig *r, const result *undisturbed)
{
    result now = keep_result(r);
    assert_string_equal(now.rows, undisturbed->rows);
    assert_string_equal(now.rejects, undisturbed->rejects);
    assert_string_equal(now.errors, undisturbed->errors);
    assert_string_equal(now.counts, undisturbed->counts);
    free(now.rows);
    free(now.rejects);
    free(now.errors);
}

static void drop_result(result *kept)
{
    free(kept->rows);
    free(kept->rejects);
    free(kept->errors);
}

static result run_undisturbed(rig *r)
{
    rig_imports(r, .table = "tx");
    result kept = keep_result(r);
    rig_run(r, "DELETE FROM tx");
    return kept;
}

static void commits_in_parts_leave_what_one_transaction_leaves(void **state)
{
    rig *r = with_file(state);
    result undisturbed = run_undisturbed(r);
    rig_imports(r, .commit_every = EVERY);
    assert_same(r, &undisturbed);
    drop_result(&undisturbed);
}

static void an_import_that_was_stopped_goes_on_as_if_it_had_not(void **state)
{
    rig *r = with_file(state);
    result undisturbed = run_undisturbed(r);
    int stops = 0;
    for (uint64_t behind = 1;; behind += 37, stops++) {
        r->stop_behind = behind;
        if (rig_import(r, BELAY_IMPORT_SPEC(.commit_every = EVERY, .resume = true)) == BELAY_OK)
            break;
        assert_code(r->report.error.code, BELAY_CANCELLED);
        assert_true(r->report.stopped);
        assert_true(r->report.resumable);
        char committed[32];
        snprintf(committed, sizeof committed, "%llu", (unsigned long long)r->report.counts.inserted);
        assert_rows(r->s, "SELECT count(*) FROM tx", committed);
        assert_true(stops < 100);
    }
    assert_true(stops > 5);
    assert_same(r, &undisturbed);
    drop_result(&undisturbed);
}

static void a_transaction_that_failed_is_done_again_by_who_goes_on(void **state)
{
    rig *r = with_file(state);
    result undisturbed = run_undisturbed(r);
    /* of 80 records some 17 are rejected */
    assert_code(rig_import(r, BELAY_IMPORT_SPEC(.commit_every = EVERY, .limit_rejects = true, .max_rejects = 15)),
                BELAY_DATA);
    assert_true(r->report.counts.read > 0 && r->report.counts.read < RECORDS);
    assert_true(r->report.attempted.read > r->report.counts.read);
    rig_imports(r, .commit_every = EVERY, .resume = true);
    assert_same(r, &undisturbed);
    drop_result(&undisturbed);
}

static void what_is_done_is_not_done_again(void **state)
{
    rig *r = with_file(state);
    rig_imports(r, .commit_every = EVERY);
    char *rejects = strdup(rig_read(r->rejects));
    belay_import_counts counts = r->report.counts;
    rig_run(r, "DELETE FROM tx");
    rig_imports(r, .commit_every = EVERY, .resume = true);
    assert_true(r->report.already_done);
    assert_string_equal(rig_counts(&r->report.counts), rig_counts(&counts));
    assert_string_equal(rig_read(r->rejects), rejects);
    assert_rows(r->s, "SELECT count(*) FROM tx", "0");
    rig_imports(r, .commit_every = EVERY);
    assert_false(r->report.already_done);
    assert_string_equal(rig_counts(&r->report.counts), rig_counts(&counts));
    free(rejects);
}

static void an_import_left_half_way_is_not_begun_anew_in_silence(void **state)
{
    rig *r = with_file(state);
    r->stop_behind = 100;
    assert_code(rig_import(r, BELAY_IMPORT_SPEC(.commit_every = EVERY)), BELAY_CANCELLED);
    assert_code(rig_import(r, BELAY_IMPORT_SPEC(.commit_every = EVERY)), BELAY_MISUSE);
    assert_contains(belay_message(r->s), ".restart");
    assert_code(rig_import(r, BELAY_IMPORT_SPEC(.table = "tx")), BELAY_MISUSE);
    r->stop_behind = 0;
    rig_imports(r, .commit_every = EVERY, .truncate = true);
    assert_int_equal(r->report.counts.read, r->report.attempted.read);
    assert_true(r->report.counts.read > RECORDS);
    r->stop_behind = 100;
    assert_code(rig_import(r, BELAY_IMPORT_SPEC(.commit_every = EVERY, .truncate = true)), BELAY_CANCELLED);
    r->stop_behind = 0;
    rig_imports(r, .commit_every = EVERY, .restart = true);
    assert_int_equal(r->report.counts.read, r->report.attempted.read);
    assert_true(r->report.counts.read > RECORDS);
}

static void another_file_or_mapping_is_refused(void **state)
{
    rig *r = with_file(state);
    r->stop_behind = 100;
    assert_code(rig_import(r, BELAY_IMPORT_SPEC(.commit_every = EVERY)), BELAY_CANCELLED);
    r->stop_behind = 0;
    assert_code(rig_import(r, BELAY_IMPORT_SPEC(.commit_every = EVERY, .resume = true, .null = "x")), BELAY_MISUSE);
    char *text = make_file();
    strstr(text, "name\n5")[0] = 'N';
    rig_write(r, text);
    assert_code(rig_import(r, BELAY_IMPORT_SPEC(.commit_every = EVERY, .resume = true)), BELAY_DATA);
    assert_contains(belay_message(r->s), "is not the file");
    text[40] = '\0';
    rig_write(r, text);
    assert_code(rig_import(r, BELAY_IMPORT_SPEC(.commit_every = EVERY, .resume = true)), BELAY_DATA);
    free(text);
}

static void move_checkpoint(rig *r)
{
    belay_session *other = belay_session_open(r->d.db);
    BELAY_ATOMIC(other)
        belay_exec(other, "UPDATE belay_imports SET byte_offset = byte_offset + 10");
    assert_status(other, BELAY_OK);
    belay_session_close(other);
}

static void of_two_that_go_on_from_the_same_place_one_is_refused(void **state)
{
    rig *r = with_file(state);
    if (database_is_sqlite(&r->d))
        skip(); /* there, the second would wait for the first, which this program can't do */
    r->stop_behind = 100;
    assert_code(rig_import(r, BELAY_IMPORT_SPEC(.commit_every = EVERY)), BELAY_CANCELLED);
    char before[32];
    snprintf(before, sizeof before, "%s", rows_of(r->s, "SELECT count(*) FROM tx"));
    r->stop_behind = 0;
    r->meanwhile = move_checkpoint;
    assert_code(rig_import(r, BELAY_IMPORT_SPEC(.commit_every = EVERY, .resume = true)), BELAY_STALE);
    assert_contains(belay_message(r->s), "another program");
    assert_rows(r->s, "SELECT count(*) FROM tx", before);
}

static void files_of_rejects_that_are_not_the_same_are_refused(void **state)
{
    rig *r = with_file(state);
    r->stop_behind = 100;
    assert_code(rig_import(r, BELAY_IMPORT_SPEC(.commit_every = EVERY)), BELAY_CANCELLED);
    r->stop_behind = 0;
    assert_int_equal(truncate(r->rejects, 10), 0);
    assert_code(rig_import(r, BELAY_IMPORT_SPEC(.commit_every = EVERY, .resume = true)), BELAY_DATA);
    assert_contains(belay_message(r->s), "rejects");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_rig(commits_in_parts_leave_what_one_transaction_leaves),
        in_rig(an_import_that_was_stopped_goes_on_as_if_it_had_not),
        in_rig(a_transaction_that_failed_is_done_again_by_who_goes_on),
        in_rig(what_is_done_is_not_done_again),
        in_rig(an_import_left_half_way_is_not_begun_anew_in_silence),
        in_rig(another_file_or_mapping_is_refused),
        in_rig(of_two_that_go_on_from_the_same_place_one_is_refused),
        in_rig(files_of_rejects_that_are_not_the_same_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
