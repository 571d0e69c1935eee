/*
 * prepare.c - what is looked at, and made ready, before the first record goes to the
 * database: the file, the table, which column gets what, where to go on.
 * Tests: tests/import.
 */
#include "job.h"

#include <string.h>

#include <belay/statement.h>
#include <belay/sys/driver.h>

#include "create.h"
#include "report.h"
#include "session.h"

/* Of a chunk's records, without their bytes. Where each chunk may cost a savepoint, and many of them cost everybody, it
   is as large as memory allows; else as processors like it. */
enum { CHUNK_RECORDS = 1 << 14, LARGE_CHUNK_RECORDS = 1 << 17, CHUNK_MEMORY = 24 << 20, PACE_FIRST = 1024 };

belay_code belayi_job_raise(belayi_job *job, belay_error *error)
{
    belayi_report_place(error, job->place);
    return belay_raise_at(job->session, job->place, error);
}

/* ---- The spec --------------------------------------------------------------------------------------------------- */

/* Why it can't be done so; NULL: it can. */
static const char *find_mistake(const belayi_job *job)
{
    const belay_import_spec *spec = &job->spec;
    if (!spec->table || !spec->table[0])
        return "an import needs a .table";
    if (!spec->path == !spec->source)
        return "an import reads a .path or a .source: one of them";
    if (spec->commit_every > 0 && job->is_nested)
        return "an import inside a scope is a part of it, and can't commit: .commit_every is for one outside";
    if (spec->resume && spec->commit_every == 0)
        return "there is nothing to resume of an import in one transaction: .resume goes with .commit_every";
    if (spec->resume && (spec->restart || spec->dry_run))
        return ".resume goes on where an import was stopped: it can't be with .restart or .dry_run";
    if (spec->resume && spec->source)
        return "an import of a .source can't be resumed: its bytes have no name";
    if (!(spec->max_rejects_percent >= 0 && spec->max_rejects_percent <= 100))
        return ".max_rejects_percent is a percentage: from 0 to 100";
    if (spec->no_header && spec->create)
        return "a table is made with the names of a header: .create can't be with .no_header";
    return NULL;
}

static void fill_defaults(belay_import_spec *spec)
{
    if (!spec->delimiter)
        spec->delimiter = spec->format == BELAY_IMPORT_TSV ? '\t' : ',';
    if (!spec->quote)
        spec->quote = '"';
    if (!spec->max_record)
        spec->max_record = (size_t)8 << 20;
}

static belay_code check_spec(belayi_job *job)
{
    belay_error error;
    const char *mistake = find_mistake(job);
    fill_defaults(&job->spec);
    if (!mistake)
        return BELAY_OK;
    belayi_report(&error, BELAY_MISUSE, "%s", mistake);
    return belayi_job_raise(job, &error);
}

/* ---- The file --------------------------------------------------------------------------------------------------- */

static belay_code open_file(belayi_job *job)
{
    belay_error error;
    const belay_import_spec *spec = &job->spec;
    belayi_reader_options options = {.format = spec->format,
                                     .delimiter = spec->delimiter,
                                     .quote = spec->quote,
                                     .null = spec->null,
                                     .encoding = spec->encoding,
                                     .header = !spec->no_header && spec->format != BELAY_IMPORT_JSONL,
                                     .max_record = spec->max_record};
    job->stream = belayi_stream_open(spec->path, spec->source, spec->source_arg, &error);
    if (job->stream && spec->on_progress)
        belayi_stream_ask(job->stream, belayi_job_goes_on, job);
    if (job->stream)
        job->reader = belayi_reader_open(job->stream, &options, &error);
    job->counts.size = job->stream ? belayi_stream_size(job->stream) : 0;
    return job->reader ? BELAY_OK : belayi_job_raise(job, &error);
}

/* ---- The table -------------------------------------------------------------------------------------------------- */

static belay_code make_plan(belayi_job *job)
{
    belay_error error;
    const char *const *names;
    size_t count = belayi_reader_names(job->reader, &names);
    bool is_json = job->spec.format == BELAY_IMPORT_JSONL;
    belay_code code = belayi_plan_make(&job->plan, &job->spec, &job->table, is_json ? 0 : count, names, &error);
    if (code == BELAY_OK && is_json)
        code =
            belayi_reader_select(job->reader, job->plan.fields, job->plan.names, job->plan.names_are_complete, &error);
    if (code == BELAY_OK && job->sample.members &&
        !belayi_sample_select(&job->sample, job->plan.fields, job->plan.names))
        code = belayi_report(&error, BELAY_NO_MEMORY, "no memory for the first records of an import");
    return code == BELAY_OK ? BELAY_OK : belayi_job_raise(job, &error);
}

/* Reads the table; *out_there: there is one. */
static belay_code look_up(belayi_job *job, bool *out_there)
{
    belay_error error;
    belay_code code = belayi_catalog_read(job->session, job->spec.table, &job->table, &error);
    *out_there = code == BELAY_OK;
    if (code == BELAY_OK)
        return belayi_constraints_read(job->session, &job->table, &job->constraints);
    if (belay_status(job->session) != BELAY_OK)
        return code;
    if (code == BELAY_SCHEMA && job->spec.create)
        return BELAY_OK;
    if (error.hint[0]) {
        char hint[sizeof error.hint];
        BELAYI_REPORT_FIELD(hint, error.hint);
        BELAYI_REPORT_FORMAT(error.hint, "%s; with .create it is made", hint);
    }
    return belayi_job_raise(job, &error);
}

static belay_code find_table(belayi_job *job)
{
    bool there;
    belay_error error;
    belay_code code = look_up(job, &there);
    if (code != BELAY_OK)
        return code;
    if (there)
        return make_plan(job);
    job->makes_table = true;
    code = belayi_sample_read(&job->sample, job->reader, job->spec.format == BELAY_IMPORT_JSONL, &error);
    return code == BELAY_OK ? BELAY_OK : belayi_job_raise(job, &error);
}

static belay_code make_table(belayi_job *job)
{
    bool there = false;
    belay_error error;
    char *sql = belayi_create_table(job->session, &job->spec, job->reader, &job->sample, &error);
    if (!sql)
        return belayi_job_raise(job, &error);
    belay_code code = belay_exec_at(job->session, job->place, sql, 0, NULL);
    free(sql);
    if (code == BELAY_OK)
        code = look_up(job, &there);
    return code == BELAY_OK && there ? make_plan(job) : code;
}

static bool can_make_inside(const belayi_job *job)
{
    return (job->session->db->driver->capabilities & BELAY_CAN_TRANSACT_DDL) != 0;
}

/* ---- Where to go on --------------------------------------------------------------------------------------------- */

/* How the file is read and stored. */
static uint64_t hash_plan(const belay_import_spec *spec)
{
    char signs[] = {(char)('0' + spec->format),
                    spec->no_header ? 'n' : 'h',
                    spec->delimiter,
                    spec->quote,
                    (char)('0' + spec->on_conflict),
                    '\0'};
    uint64_t hash = belayi_checkpoint_hash(0, signs);
    hash = belayi_checkpoint_hash(hash, spec->null);
    hash = belayi_checkpoint_hash(hash, spec->encoding);
    for (size_t i = 0; i < spec->map_count; i++)
        hash = belayi_checkpoint_hash(hash, spec->map[i]);
    hash = belayi_checkpoint_hash(hash, NULL);
    for (size_t i = 0; i < spec->set_count; i++)
        hash = belayi_checkpoint_hash(hash, spec->set[i]);
    hash = belayi_checkpoint_hash(hash, NULL);
    for (size_t i = 0; i < spec->key_count; i++)
        hash = belayi_checkpoint_hash(hash, spec->key[i]);
    return hash;
}

static belay_code not_the_same(belayi_job *job, const char *what)
{
    return belay_fail_at(job->session, job->place, BELAY_DATA,
                         "%s is not the file that was being imported: %s; .restart imports it from its beginning",
                         job->spec.path, what);
}

/* Brings the reader behind what was imported before. */
static belay_code go_on(belayi_job *job)
{
    belay_error error;
    const belayi_checkpoint *from = &job->checkpoint;
    if (from->plan != hash_plan(&job->spec))
        return belay_fail_at(
            job->session, job->place, BELAY_MISUSE,
            "the import was begun with other options: .resume needs the same columns, keys and format");
    uint64_t begun = belayi_stream_offset(job->stream), size = job->counts.size;
    job->counts = from->counts;
    job->counts.size = size;
    if (from->offset < begun)
        return not_the_same(job, "its header is longer");
    belay_code code = belayi_stream_skip(job->stream, from->offset - begun, &error);
    job->report->resumable = code == BELAY_CANCELLED;
    if (code == BELAY_DATA)
        return not_the_same(job, "it is shorter");
    if (code != BELAY_OK)
        return belayi_job_raise(job, &error);
    if (belayi_stream_hash(job->stream) != from->hash)
        return not_the_same(job, "what was imported reads otherwise now");
    belayi_reader_resume(job->reader, from->offset, from->line, from->counts.read);
    job->is_first = false;
    job->report->resumable = true;
    return BELAY_OK;
}

static belay_code find_checkpoint(belayi_job *job)
{
    const belay_import_spec *spec = &job->spec;
    belayi_checkpoint *found = &job->checkpoint;
    if (spec->source)
        return BELAY_OK;
    belayi_checkpoint_name(found, spec->table, spec->path);
    belay_code code = belayi_checkpoint_read(job->session, job->place, found);
    if (code != BELAY_OK)
        return code;
    if (!found->found || (found->is_done && !spec->resume) || spec->restart || (spec->truncate && !spec->resume)) {
        found->offset = 0;
        found->plan = hash_plan(spec);
        return BELAY_OK;
    }
    if (!spec->resume)
        return belay_fail_at(
            job->session, job->place, BELAY_MISUSE,
            "an import of %s was stopped behind %llu records: .resume goes on there, .restart begins anew", spec->path,
            (unsigned long long)found->counts.read);
    job->report->counts = job->report->attempted = found->counts;
    job->report->already_done = found->is_done;
    return found->is_done ? BELAY_OK : go_on(job);
}

/* ---- Both looks ------------------------------------------------------------------------------------------------- */

belay_code belayi_job_look(belayi_job *job)
{
    belay_code code = check_spec(job);
    job->is_first = true;
    if (code == BELAY_OK)
        code = open_file(job);
    if (code == BELAY_OK)
        code = find_table(job);
    if (code == BELAY_OK)
        code = find_checkpoint(job);
    if (code == BELAY_OK && job->makes_table && !can_make_inside(job) && (job->is_nested || job->spec.dry_run))
        code = belay_fail_at(job->session, job->place, BELAY_UNSUPPORTED,
                             "this engine commits when a table is made: make %s first", job->spec.table);
    job->has_checkpoints = job->spec.commit_every > 0 && !job->spec.dry_run && job->spec.path;
    if (job->spec.dry_run)
        job->spec.commit_every = 0;
    return code;
}

belay_code belayi_job_make(belayi_job *job)
{
    belay_code code = job->has_checkpoints ? belayi_checkpoint_make_table(job->session, job->place) : BELAY_OK;
    return code == BELAY_OK && job->makes_table && !can_make_inside(job) ? make_table(job) : code;
}

static belay_code open_rejects(belayi_job *job)
{
    belay_error error;
    size_t size;
    const belay_import_spec *spec = &job->spec;
    bool begins = job->checkpoint.offset == 0;
    const char *input = spec->path && strcmp(spec->path, "-") != 0 ? spec->path : NULL;
    belay_code code = belayi_rejects_open(&job->rejects, spec->rejects, spec->errors, input,
                                          begins ? (belayi_rejects_sizes){0} : job->checkpoint.sizes, &error);
    if (code != BELAY_OK)
        return belayi_job_raise(job, &error);
    const char *header = belayi_reader_header(job->reader, &size);
    if (begins)
        belayi_rejects_put(&job->rejects, header, size);
    return BELAY_OK;
}

static belay_code empty_table(belayi_job *job)
{
    char sql[640];
    belayi_report_format(sql, sizeof sql, "DELETE FROM %s", job->table.quoted);
    return belay_exec_at(job->session, job->place, sql, 0, NULL);
}

static size_t chunk_room(const belayi_job *job)
{
    size_t most = job->wants_large_chunks ? LARGE_CHUNK_RECORDS : CHUNK_RECORDS;
    size_t room = CHUNK_MEMORY / belayi_chunk_record_size(&job->plan);
    return room < most ? room : most;
}

static belay_code get_memory(belayi_job *job)
{
    job->store = (belayi_store){.session = job->session,
                                .plan = &job->plan,
                                .conflict = job->spec.on_conflict,
                                .place = job->place,
                                .refused = belayi_job_refused,
                                .arg = job};
    job->wants_large_chunks = job->session->db->driver->cheap_savepoints > 0;
    size_t room = chunk_room(job);
    job->pace = room < PACE_FIRST ? room : PACE_FIRST;
    if (belayi_chunk_init(&job->chunk, &job->plan, room) && belayi_store_init(&job->store))
        return BELAY_OK;
    return belay_fail_at(job->session, job->place, BELAY_NO_MEMORY, "no memory for an import");
}

belay_code belayi_job_begin(belayi_job *job)
{
    belay_code code = job->makes_table && can_make_inside(job) ? make_table(job) : BELAY_OK;
    if (code == BELAY_OK)
        code = get_memory(job);
    if (code == BELAY_OK)
        code = open_rejects(job);
    if (code == BELAY_OK)
        code = belayi_store_try_out(&job->store);
    return code == BELAY_OK && job->spec.truncate && job->checkpoint.offset == 0 ? empty_table(job) : code;
}
