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

static void a_last_transaction_without_records_counts_none(void **state)
{
    rig *r = *state;
    rig_run(r, table);
    rig_write(r, "id,name\n1,a\n2,b\n3,\n4,d\n");
    rig_imports(r, .commit_every = 2);
    assert_string_equal(rig_counts(&r->report.counts), "4 3 0 0 1");
    rig_run(r, "DELETE FROM tx");
    rig_imports(r, .commit_every = 4);
    assert_string_equal(rig_counts(&r->report.counts), "4 3 0 0 1");
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

/* A pipe with these bytes, that is not at its end: what reads it, in `path`, and the end that is written to. */
static int stalled_pipe(const char *text, char path[32], int *out_reads)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], text, strlen(text)), strlen(text));
    snprintf(path, 32, "/dev/fd/%d", ends[0]);
    *out_reads = ends[0];
    return ends[1];
}

static void a_pipe_that_stalls_can_be_stopped_and_its_whole_records_are_kept(void **state)
{
    rig *r = *state;
    char path[32];
    int reads, writes = stalled_pipe("id,name\n1,a\n2,b\n3,never wri", path, &reads);
    rig_run(r, table);
    r->stops = true;
    belay_code code = rig_import(r, BELAY_IMPORT_SPEC(.path = path, .commit_every = EVERY));
    close(reads);
    close(writes);
    assert_code(code, BELAY_CANCELLED);
    assert_true(r->report.stopped);
    assert_true(r->report.resumable);
    assert_string_equal(rig_counts(&r->report.counts), "2 2 0 0 0");
    assert_rows(r->s, "SELECT id FROM tx ORDER BY id", "1;2");
}

static void a_pipe_that_stalls_before_its_header_can_be_stopped(void **state)
{
    rig *r = *state;
    char path[32];
    int reads, writes = stalled_pipe("id,na", path, &reads);
    rig_run(r, table);
    r->stops = true;
    belay_code code = rig_import(r, BELAY_IMPORT_SPEC(.path = path));
    close(reads);
    close(writes);
    assert_code(code, BELAY_CANCELLED);
    assert_true(r->report.stopped);
    assert_false(r->report.resumable);
}

static void progress_is_told_behind_the_first_thousand_records(void **state)
{
    rig *r = *state;
    enum { MANY = 20000 };
    char *text = malloc(MANY * 16);
    size_t size = (size_t)sprintf(text, "id,name\n");
    for (int i = 1; i <= MANY; i++)
        size += (size_t)sprintf(text + size, "%d,x\n", i);
    rig_run(r, table);
    rig_write(r, text);
    free(text);
    rig_imports(r, .table = "tx");
    assert_int_equal(r->report.counts.inserted, MANY);
    assert_in_range(r->first_progress, 1, 1024);
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

/* On SQLite the disk is full from here on; a server ends the session. */
static void break_database(rig *r)
{
    char sql[64] = "PRAGMA max_page_count = 1"; /* no more than there are */
    if (database_is_sqlite(&r->d)) {
        belay_exec(r->s, sql);
        return;
    }
    belay_session *other = belay_session_open(r->d.db);
    bool mariadb = database_is_mariadb(&r->d);
    int64_t id =
        belay_int_of(other, mariadb ? "SELECT max(id) FROM information_schema.processlist WHERE db = database() "
                                      "AND id <> connection_id()"
                                    : "SELECT max(pid) FROM pg_stat_activity WHERE datname = "
                                      "current_database() AND pid <> pg_backend_pid()");
    snprintf(sql, sizeof sql, mariadb ? "KILL %lld" : "SELECT pg_terminate_backend(%lld)", (long long)id);
    belay_exec(other, sql);
    belay_session_close(other);
}

static void an_error_that_ends_the_transaction_is_never_a_reject(void **state)
{
    rig *r = *state;
    enum { MANY = 30000 };
    bool sqlite = database_is_sqlite(&r->d);
    char *text = malloc(MANY * 32);
    size_t size = (size_t)sprintf(text, "id,name\n");
    for (int i = 1; i <= MANY; i++)
        size += (size_t)sprintf(text + size, "%d,name %d\n", i, i);
    rig_run(r, table);
    rig_write(r, text);
    r->meanwhile = break_database;
    belay_code code = rig_import(r, BELAY_IMPORT_SPEC(.table = "tx"));
    assert_code(code, sqlite ? BELAY_DISK_FULL : BELAY_CONNECTION);
    assert_code(r->report.error.code, code);
    assert_string_equal(r->told, "");
    assert_int_equal(r->report.attempted.rejected, 0);
    assert_string_equal(rig_counts(&r->report.counts), "0 0 0 0 0");
    assert_rows(r->s, "SELECT count(*) FROM tx", "0");
    free(text);
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

static void what_was_begun_anew_in_one_transaction_is_not_half_way_any_more(void **state)
{
    rig *r = with_file(state);
    r->stop_behind = 100;
    assert_code(rig_import(r, BELAY_IMPORT_SPEC(.commit_every = EVERY)), BELAY_CANCELLED);
    r->stop_behind = 0;
    rig_imports(r, .restart = true, .dry_run = true);
    assert_code(rig_import(r, BELAY_IMPORT_SPEC(.table = "tx")), BELAY_MISUSE);
    rig_imports(r, .truncate = true);
    rig_imports(r, .table = "tx");
    rig_run(r, "DELETE FROM tx");
    rig_imports(r, .commit_every = EVERY, .resume = true);
    assert_false(r->report.already_done);
    assert_true(r->report.counts.inserted > 0);
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
        in_rig(a_last_transaction_without_records_counts_none),
        in_rig(an_import_that_was_stopped_goes_on_as_if_it_had_not),
        in_rig(a_pipe_that_stalls_can_be_stopped_and_its_whole_records_are_kept),
        in_rig(a_pipe_that_stalls_before_its_header_can_be_stopped),
        in_rig(progress_is_told_behind_the_first_thousand_records),
        in_rig(a_transaction_that_failed_is_done_again_by_who_goes_on),
        in_rig(an_error_that_ends_the_transaction_is_never_a_reject),
        in_rig(what_is_done_is_not_done_again),
        in_rig(an_import_left_half_way_is_not_begun_anew_in_silence),
        in_rig(another_file_or_mapping_is_refused),
        in_rig(what_was_begun_anew_in_one_transaction_is_not_half_way_any_more),
        in_rig(files_of_rejects_that_are_not_the_same_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
