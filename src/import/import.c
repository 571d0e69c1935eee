/*
 * import.c - belay_import: looks, makes what is missing, runs, and says what came of
 * it. src/import/README.md walks through it.
 */
#include <string.h>

#include <belay/scope.h>

#include "job.h"

#include "report.h"

static void done(belayi_job *job)
{
    belayi_rejects_close(&job->rejects);
    belayi_store_done(&job->store);
    belayi_chunk_done(&job->chunk);
    belayi_plan_done(&job->plan);
    belayi_catalog_done(&job->table);
    belayi_sample_done(&job->sample);
    belayi_reader_close(job->reader);
    belayi_stream_close(job->stream);
}

/* In a scope of its own, which ends as all do. */
static belay_code look(belayi_job *job)
{
    belay_begin_at(job->session, job->place, BELAY_SCOPE_OPTIONS(.name = "import", .read_only = !job->is_nested));
    belay_code code = belay_status(job->session) == BELAY_OK ? belayi_job_look(job) : belay_status(job->session);
    return code == BELAY_OK ? belay_commit_at(job->session, job->place) : belay_rollback_at(job->session, job->place);
}

static belay_code import(belayi_job *job)
{
    belay_code code = look(job);
    if (code == BELAY_OK && !job->report->already_done)
        code = belayi_job_make(job);
    return code == BELAY_OK && !job->report->already_done ? belayi_job_run(job) : code;
}

/* A spec of another release may be shorter; NULL is one without a table. */
static void copy_spec(belay_import_spec *out, const belay_import_spec *given)
{
    *out = (belay_import_spec){.size = sizeof *out};
    if (!given)
        return;
    size_t size = given->size && given->size < sizeof *out ? given->size : sizeof *out;
    memcpy(out, given, size);
}

belay_code belay_import_at(belay_session *s, belay_place place, const belay_import_spec *spec,
                           belay_import_report *out_report)
{
    belay_import_report unwanted;
    belayi_job job = {.session = s, .place = place, .report = out_report ? out_report : &unwanted};
    *job.report = (belay_import_report){0};
    copy_spec(&job.spec, spec);
    job.is_nested = belay_depth(s) > 0;
    belay_code code = s ? import(&job) : BELAY_MISUSE;
    job.report->stopped = job.was_stopped;
    if (code != BELAY_OK)
        job.report->error = s ? *belay_pending(s) : (belay_error){.code = BELAY_MISUSE};
    job.report->resumable |= job.has_checkpoints && job.report->error.outcome == BELAY_WORK_UNKNOWN;
    done(&job);
    return code;
}
