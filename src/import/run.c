/*
 * run.c - chunks go through, transactions begin and end.
 *
 * Each record is told once, in the order of the file: what the first gate refused
 * when the engine has dealt with all rows before it. Before a transaction ends, the
 * two files are synced and the checkpoint says how long they are.
 * Tests: tests/import.
 */
#include "job.h"

#include <stdio.h>
#include <string.h>

#include <belay/scope.h>
#include <belay/statement.h>

#include "clock.h"
#include "report.h"

enum { CHUNK_BYTES = 8 << 20, PERCENT_FROM = 100, PACE_LEAST = 256 };

static const int64_t often_ns = 100000000, seldom_ns = 400000000, very_seldom_ns = 2000000000;

/* ---- Rejects ---------------------------------------------------------------------------------------------------- */

static void tell_reject(belayi_job *job, const belayi_entry *entry, const char *column, const char *value,
                        size_t value_size, const belay_error *error)
{
    char shown[256];
    belay_import_reject reject = {.record = entry->number,
                                  .line = entry->line,
                                  .offset = entry->offset,
                                  .raw = entry->raw,
                                  .raw_size = entry->raw_size,
                                  .column = column,
                                  .error = error};
    if (value) {
        belayi_report_text(shown, sizeof shown, value, value_size);
        reject.value = shown;
    }
    job->counts.rejected++;
    belayi_rejects_write(&job->rejects, &reject);
    if (job->spec.on_reject)
        job->spec.on_reject(job->spec.arg, &reject);
}

/* The first gate has refused it. */
static void tell_refused(belayi_job *job, const belayi_entry *entry)
{
    belay_error error;
    const char *column = entry->column ? entry->column->name : "";
    belayi_report(&error, BELAY_DATA, "%s", entry->why);
    BELAYI_REPORT_FIELD(error.table, job->table.name);
    BELAYI_REPORT_FIELD(error.column, column);
    belayi_report_place(&error, job->place);
    error.outcome = BELAY_WORK_ROLLED_BACK;
    tell_reject(job, entry, column, entry->value, entry->value_size, &error);
}

/* All records before that one are done with. */
static void tell_until(belayi_job *job, size_t end)
{
    for (; job->told < end; job->told++)
        if (job->chunk.entries[job->told].why)
            tell_refused(job, &job->chunk.entries[job->told]);
}

/* What a row has for a column, as text; NULL: nothing, or no such column. */
static const char *find_value(const belayi_job *job, size_t row, const char *column, char room[32], size_t *out_size)
{
    const belayi_plan *plan = &job->plan;
    for (size_t i = 0; i < plan->count; i++) {
        const belay_value *value = &job->chunk.values[row * plan->count + i];
        if (strcmp(plan->columns[i].column->name, column) != 0)
            continue;
        if (value->type == BELAY_TYPE_TEXT || value->type == BELAY_TYPE_DECIMAL) {
            *out_size = value->size;
            return value->as.data;
        }
        if (value->type != BELAY_TYPE_INT)
            return NULL;
        *out_size = (size_t)snprintf(room, 32, "%lld", (long long)value->as.integer);
        return room;
    }
    return NULL;
}

void belayi_job_refused(void *arg, size_t row, const belay_error *error)
{
    belayi_job *job = arg;
    char room[32], columns[sizeof error->column];
    size_t size = 0, which = job->chunk.row_entries[row];
    tell_until(job, which);
    BELAYI_REPORT_FIELD(columns, error->column);
    if (!columns[0] && error->constraint[0])
        belayi_constraints_find(&job->constraints, error->constraint, columns, sizeof columns);
    const char *value = find_value(job, row, columns, room, &size);
    tell_reject(job, &job->chunk.entries[which], columns, value, size, error);
    job->told = which + 1;
}

/* ---- Whether to go on ------------------------------------------------------------------------------------------- */

/* What was stopped stays stopped. */
static bool ask(belayi_job *job)
{
    const belay_import_spec *spec = &job->spec;
    job->asked_ns = belayi_clock_now();
    job->was_stopped |= spec->on_progress && !spec->on_progress(spec->arg, &job->counts);
    return !job->was_stopped;
}

bool belayi_job_goes_on(void *arg)
{
    belayi_job *job = arg;
    if (job->asked_ns == 0)
        job->asked_ns = belayi_clock_now();
    return belayi_clock_now() - job->asked_ns < often_ns ? !job->was_stopped : ask(job);
}

/* What a chunk took says how many records the next one has. Where savepoints are costly, few chunks are better. */
static void set_pace(belayi_job *job, int64_t took_ns)
{
    int64_t long_ns = job->wants_large_chunks ? very_seldom_ns : seldom_ns;
    size_t more = job->pace * (job->wants_large_chunks ? 16 : 2);
    if (took_ns < often_ns && job->chunk.count == job->pace)
        job->pace = more < job->chunk.room ? more : job->chunk.room;
    else if (took_ns > long_ns && job->pace > PACE_LEAST)
        job->pace /= 2;
}

/* ---- Chunks ----------------------------------------------------------------------------------------------------- */

/* The next record; NULL at the end of the file, or where the program has stopped the reader. */
static belay_code next_record(belayi_job *job, const belayi_record **out_record)
{
    belay_error error;
    if (belayi_sample_take(&job->sample, out_record))
        return BELAY_OK;
    belay_code code = belayi_reader_next(job->reader, out_record, &error);
    if (code == BELAY_CANCELLED && job->was_stopped)
        return BELAY_OK;
    job->is_at_end = code == BELAY_OK && !*out_record;
    return code == BELAY_OK ? BELAY_OK : belayi_job_raise(job, &error);
}

static belay_code out_of_memory(belayi_job *job)
{
    return belay_fail_at(job->session, job->place, BELAY_NO_MEMORY, "no memory for the records of an import");
}

/* How many records the open transaction may still have: it does not end within the sample, as the reader is behind that
   already. */
static uint64_t room_in_unit(const belayi_job *job)
{
    uint64_t every = job->spec.commit_every ? job->spec.commit_every : UINT64_MAX;
    uint64_t left = job->in_unit < every ? every - job->in_unit : 0;
    return left > job->sample.left ? left : job->sample.left;
}

/* Reads records until the chunk or the transaction is full, or the file is at its end. *out_more: the last one has
   bytes that are still to be read. */
static belay_code fill_chunk(belayi_job *job, bool *out_more)
{
    belayi_chunk *chunk = &job->chunk;
    uint64_t left = room_in_unit(job);
    belayi_chunk_clear(chunk);
    job->told = 0;
    *out_more = false;
    while (chunk->count < job->pace && chunk->count < left && chunk->bytes < CHUNK_BYTES && !*out_more) {
        const belayi_record *record;
        belay_code code = next_record(job, &record);
        if (code != BELAY_OK)
            return code;
        if (!record)
            return BELAY_OK;
        if (!belayi_chunk_add(chunk, record))
            return out_of_memory(job);
        *out_more = record->raw_rest > 0;
    }
    return BELAY_OK;
}

/* The other bytes of a record that was too long, which was the chunk's last, go to the file of the rejects as well. */
static belay_code pass_on_rest(belayi_job *job)
{
    const char *bytes;
    size_t size;
    belay_error error;
    for (;;) {
        if (belayi_reader_rest(job->reader, &bytes, &size, &error) != BELAY_OK)
            return belayi_job_raise(job, &error);
        if (size == 0)
            return BELAY_OK;
        belayi_rejects_put(&job->rejects, bytes, size);
    }
}

static void count(belayi_job *job)
{
    belay_import_counts *counts = &job->counts;
    counts->inserted += job->store.stored.inserted;
    counts->updated += job->store.stored.updated;
    counts->skipped += job->store.stored.skipped;
    counts->read += job->chunk.count;
    counts->bytes = job->sample.left > 0 ? counts->bytes : belayi_reader_offset(job->reader);
    job->in_unit += job->chunk.count;
    job->report->attempted = *counts;
}

/* Not too many rejects, and they can be written. */
static belay_code check_rejects(belayi_job *job)
{
    belay_error error;
    const belay_import_spec *spec = &job->spec;
    uint64_t rejected = job->counts.rejected, read = job->counts.read;
    if (belayi_rejects_check(&job->rejects, &error) != BELAY_OK)
        return belayi_job_raise(job, &error);
    if (spec->max_rejects_percent > 0) {
        bool counts = job->is_at_end || read >= PERCENT_FROM;
        if (!counts || 100.0 * (double)rejected <= spec->max_rejects_percent * (double)read)
            return BELAY_OK;
    } else if (!spec->limit_rejects || rejected <= spec->max_rejects) {
        return BELAY_OK;
    }
    return belay_fail_at(job->session, job->place, BELAY_DATA, "%llu of %llu records were rejected: more than allowed",
                         (unsigned long long)rejected, (unsigned long long)read);
}

static belay_code run_chunk(belayi_job *job)
{
    bool more;
    int64_t began_ns = belayi_clock_now();
    belay_code code = fill_chunk(job, &more);
    if (code == BELAY_OK)
        code = belayi_store_chunk(&job->store, &job->chunk);
    if (code != BELAY_OK)
        return code;
    tell_until(job, job->chunk.count);
    if (more && (code = pass_on_rest(job)) != BELAY_OK)
        return code;
    count(job);
    if (!ask(job))
        job->was_stopped = !job->is_at_end;
    set_pace(job, belayi_clock_now() - began_ns);
    return check_rejects(job);
}

/* ---- Transactions ----------------------------------------------------------------------------------------------- */

/* What is to be true when the transaction is committed. */
static belay_code write_checkpoint(belayi_job *job, belayi_checkpoint *next)
{
    belay_error error;
    *next = job->checkpoint;
    if (belayi_rejects_sync(&job->rejects, &next->sizes, &error) != BELAY_OK)
        return belayi_job_raise(job, &error);
    if (!job->has_checkpoints)
        return BELAY_OK;
    next->found = true;
    next->is_done = job->is_at_end;
    next->offset = belayi_reader_offset(job->reader);
    next->line = belayi_reader_line(job->reader);
    next->hash = belayi_stream_hash(job->stream);
    next->counts = job->counts;
    return belayi_checkpoint_write(job->session, job->place, next);
}

/* No other program is at the same, or this one fails before it touches anything. */
static belay_code claim(belayi_job *job)
{
    belayi_checkpoint *checkpoint = &job->checkpoint;
    if (job->has_checkpoints)
        return belayi_checkpoint_claim(job->session, job->place, checkpoint, job->is_first);
    if (checkpoint->found && !checkpoint->is_done && !job->spec.dry_run && !job->has_begun)
        return belayi_checkpoint_forget(job->session, job->place, checkpoint);
    return BELAY_OK;
}

/* All of one transaction, in the scope that is open. */
static belay_code run_unit(belayi_job *job, belayi_checkpoint *next)
{
    belay_code code = claim(job);
    if (code == BELAY_OK && !job->has_begun)
        code = belayi_job_begin(job);
    job->has_begun = true;
    job->in_unit = 0;
    while (code == BELAY_OK && !job->is_at_end && !job->was_stopped && room_in_unit(job) > 0)
        code = run_chunk(job);
    if (code == BELAY_OK && job->was_stopped && !job->has_checkpoints)
        code = belay_fail_at(job->session, job->place, BELAY_CANCELLED, "the import was stopped");
    return code == BELAY_OK ? write_checkpoint(job, next) : code;
}

static belay_code end_unit(belayi_job *job, belay_code code)
{
    if (code != BELAY_OK)
        return belay_rollback_at(job->session, job->place);
    if (job->spec.dry_run) {
        belay_rollback_at(job->session, job->place);
        return BELAY_OK;
    }
    return belay_commit_at(job->session, job->place);
}

static belay_code run_one(belayi_job *job)
{
    belayi_checkpoint next;
    belay_begin_at(job->session, job->place, BELAY_SCOPE_OPTIONS(.name = "import"));
    belay_code code = end_unit(job, run_unit(job, &next));
    if (code != BELAY_OK)
        return code;
    job->checkpoint = next;
    job->is_first = false;
    job->report->counts = job->counts;
    job->report->resumable = job->has_checkpoints && !job->is_at_end;
    return BELAY_OK;
}

belay_code belayi_job_run(belayi_job *job)
{
    belay_code code = BELAY_OK;
    while (code == BELAY_OK && !job->is_at_end && !job->was_stopped)
        code = run_one(job);
    if (code != BELAY_OK || !job->was_stopped)
        return code;
    return belay_fail_at(job->session, job->place, BELAY_CANCELLED,
                         "the import was stopped behind %llu records: it can be resumed",
                         (unsigned long long)job->counts.read);
}
