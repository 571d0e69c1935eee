/*
 * belay_import with .commit_every, and a call to the engine that fails: each in
 * turn, in each way. What is there is what the report says; who goes on comes to the
 * end that an import comes to which nothing has happened to.
 */
#include "rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <belay/testing.h>

enum { RECORDS = 24, EVERY = 6, MOST_CALLS = 2000 };

static const char table[] = "CREATE TABLE tx (id INTEGER PRIMARY KEY, name VARCHAR(20) NOT NULL)";

/* What an undisturbed import leaves. */
typedef struct result {
    char rows[256], rejects[1024], errors[4096], counts[64];
} result;

static result keep_result(rig *r)
{
    result kept;
    snprintf(kept.rows, sizeof kept.rows, "%s",
             rows_of(r->s, "SELECT count(*), sum(id), min(name), max(name) FROM tx"));
    snprintf(kept.rejects, sizeof kept.rejects, "%s", rig_read(r->rejects));
    snprintf(kept.errors, sizeof kept.errors, "%s", rig_read(r->errors));
    snprintf(kept.counts, sizeof kept.counts, "%s", rig_counts(&r->report.counts));
    return kept;
}

static void write_records(rig *r)
{
    char text[RECORDS * 32];
    size_t size = (size_t)sprintf(text, "id,name\n");
    for (int i = 1; i <= RECORDS; i++)
        size += (size_t)sprintf(text + size, i % 7 == 0 ? "%d,\"name\"x\n" : "%d,name\n", i % 11 == 0 ? 1 : i);
    rig_write(r, text);
}

static void empty(rig *r)
{
    rig_run(r, "DELETE FROM tx");
    rig_run(r, "DELETE FROM belay_imports");
}

/* A way in which calls fail, in an import of that kind. */
typedef struct way {
    belay_code how;
    belay_import_conflict conflict;
} way;

/* One run whose n-th call fails; false when it has not so many. What it says is true, and what was begun is ended. */
static bool survives(rig *r, unsigned n, way w, const result *undisturbed)
{
    char where[64], count[32];
    empty(r);
    belay_fail_nth(r->d.db, n, w.how, false);
    belay_code code = rig_import(r, BELAY_IMPORT_SPEC(.commit_every = EVERY, .on_conflict = w.conflict));
    bool failed = belay_calls_failed(r->d.db) > 0;
    belay_fail_nth(r->d.db, 0, w.how, false);
    snprintf(where, sizeof where, "call %u, %s", n, belay_code_name(w.how));
    snprintf(count, sizeof count, "%s", rows_of(r->s, "SELECT count(*) FROM tx"));
    unsigned long long there = strtoull(count, NULL, 10), told = r->report.counts.inserted;
    bool in_doubt = code != BELAY_OK && r->report.error.outcome == BELAY_WORK_UNKNOWN;
    if (there != told && !(in_doubt && there > told && there <= told + EVERY))
        fail_msg("%s: %llu rows are there, and %llu were told: %s", where, there, told, belay_message(r->s));
    if (code == BELAY_OK && !failed)
        return false;
    if (code != BELAY_OK &&
        rig_import(r, BELAY_IMPORT_SPEC(.commit_every = EVERY, .on_conflict = w.conflict, .resume = true)) != BELAY_OK)
        fail_msg("%s: it can't be gone on with: %s", where, belay_message(r->s));
    result now = keep_result(r);
    if (strcmp(now.rows, undisturbed->rows) != 0 || strcmp(now.rejects, undisturbed->rejects) != 0 ||
        strcmp(now.errors, undisturbed->errors) != 0 || strcmp(now.counts, undisturbed->counts) != 0)
        fail_msg("%s: %s %s\n%s%s", where, now.rows, now.counts, now.rejects, now.errors);
    return true;
}

static void whichever_call_fails_the_report_is_true_and_it_is_gone_on_with_to_the_same_end(void **state)
{
    static const way ways[] = {
        {BELAY_CONNECTION, BELAY_IMPORT_REJECT},   {BELAY_IN_DOUBT, BELAY_IMPORT_REJECT},
        {BELAY_DEADLOCK, BELAY_IMPORT_REJECT},     {BELAY_DISK_FULL, BELAY_IMPORT_REJECT},
        {BELAY_LOCK_TIMEOUT, BELAY_IMPORT_UPDATE}, {BELAY_IN_DOUBT, BELAY_IMPORT_SKIP},
    };
    rig *r = *state;
    rig_run(r, table);
    write_records(r);
    rig_imports(r, .commit_every = EVERY);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        way w = ways[i];
        unsigned n = 1;
        empty(r);
        rig_imports(r, .commit_every = EVERY, .on_conflict = w.conflict);
        result undisturbed = keep_result(r);
        while (n < MOST_CALLS && survives(r, n, w, &undisturbed))
            n++;
        assert_in_range(n, RECORDS / EVERY * 3, MOST_CALLS - 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_rig(whichever_call_fails_the_report_is_true_and_it_is_gone_on_with_to_the_same_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
