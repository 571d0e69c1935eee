/*
 * job.h - one import at work: what prepare.c makes, run.c runs, and import.c takes
 * apart.
 *
 * Must not know: what any of its parts does inside.
 */
#ifndef BELAYI_IMPORT_JOB_H
#define BELAYI_IMPORT_JOB_H

#include <belay/import.h>
#include <belay/session.h>

#include "checkpoint.h"
#include "chunk.h"
#include "constraints.h"
#include "plan.h"
#include "reader.h"
#include "rejects.h"
#include "sample.h"
#include "store.h"
#include "stream.h"

typedef struct belayi_job {
    belay_session *session;
    belay_place place;
    belay_import_spec spec; /* with its defaults */
    belay_import_report *report;

    belayi_stream *stream;
    belayi_reader *reader;
    belayi_sample sample; /* records that were read to find the types of a table that is made */
    belayi_table table;
    belayi_constraints constraints;
    belayi_plan plan;
    belayi_chunk chunk;
    belayi_store store;
    belayi_rejects rejects;

    belayi_checkpoint checkpoint; /* where the last transaction that was committed has ended */
    belay_import_counts counts;   /* with those that are not committed yet */
    bool has_checkpoints;         /* a transaction ends with one */
    bool is_nested;               /* in a scope of the program's */
    bool makes_table;
    bool has_begun;          /* what comes before the first record is done */
    bool is_first;           /* no transaction of this import has been committed, also before it was resumed */
    bool is_at_end;          /* of the file */
    bool was_stopped;        /* by the program */
    uint64_t in_unit;        /* records of the open transaction */
    size_t pace;             /* records of the next chunk, so that the program is asked several times a second */
    bool wants_large_chunks; /* as each one may cost a savepoint, and those are costly */
    int64_t asked_ns;        /* when it was asked last */
    size_t told;             /* records of the chunk of which is said what became of them */
} belayi_job;

/* Fails in the innermost scope. */
belay_code belayi_job_raise(belayi_job *, belay_error *error);

/* Looks at everything that can be looked at before the first record: in a scope that changes nothing. */
belay_code belayi_job_look(belayi_job *);

/* With no scope open, unless all is in one of the program's: what can't be made inside a transaction. */
belay_code belayi_job_make(belayi_job *);

/* In the first transaction, before the first record: the table is made or emptied, the files are opened. */
belay_code belayi_job_begin(belayi_job *);

/* The engine has refused a row of the chunk. */
void belayi_job_refused(void *job, size_t row, const belay_error *error);

/* Whether the program wants to go on, which is asked several times a second. */
bool belayi_job_goes_on(void *job);

/* Imports all records, in one scope that is open, or in transactions of commit_every records. */
belay_code belayi_job_run(belayi_job *);

#endif
