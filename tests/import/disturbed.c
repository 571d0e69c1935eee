#include "disturbed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RECORDS = 24, EVERY = 6, MOST = 5000 };

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

/* One run that is disturbed at the n-th place; false when it has not so many. What it says is true, and what was begun
 * is ended. */
static bool survives(rig *r, unsigned n, const disturbance *d, const result *undisturbed)
{
    char where[64], count[32];
    empty(r);
    d->begin(r, d, n);
    belay_code code = rig_import(r, BELAY_IMPORT_SPEC(.commit_every = EVERY, .on_conflict = d->conflict));
    bool failed = d->end(r, d);
    snprintf(where, sizeof where, "%s, %u", d->name, n);
    snprintf(count, sizeof count, "%s", rows_of(r->s, "SELECT count(*) FROM tx"));
    unsigned long long there = strtoull(count, NULL, 10), told = r->report.counts.inserted;
    bool in_doubt = code != BELAY_OK && r->report.error.outcome == BELAY_WORK_UNKNOWN;
    if (there != told && !(in_doubt && there > told && there <= told + EVERY))
        fail_msg("%s: %llu rows are there, and %llu were told: %s", where, there, told, belay_message(r->s));
    if (in_doubt && !r->report.resumable)
        fail_msg("%s: it is not told that it can be gone on with", where);
    if (code == BELAY_OK && !failed)
        return false;
    if (code != BELAY_OK &&
        rig_import(r, BELAY_IMPORT_SPEC(.commit_every = EVERY, .on_conflict = d->conflict, .resume = true)) != BELAY_OK)
        fail_msg("%s: it can't be gone on with: %s", where, belay_message(r->s));
    result now = keep_result(r);
    if (strcmp(now.rows, undisturbed->rows) != 0 || strcmp(now.rejects, undisturbed->rejects) != 0 ||
        strcmp(now.errors, undisturbed->errors) != 0 || strcmp(now.counts, undisturbed->counts) != 0)
        fail_msg("%s: %s %s\n%s%s", where, now.rows, now.counts, now.rejects, now.errors);
    return true;
}

void disturbed_prepare(rig *r)
{
    rig_run(r, table);
    write_records(r);
    rig_imports(r, .commit_every = EVERY); /* makes the table of checkpoints */
}

void disturb(rig *r, const disturbance *d, unsigned least)
{
    unsigned n = 1;
    empty(r);
    rig_imports(r, .commit_every = EVERY, .on_conflict = d->conflict);
    result undisturbed = keep_result(r);
    while (n < MOST && survives(r, n, d, &undisturbed))
        n++;
    assert_in_range(n, least, MOST - 1);
}
