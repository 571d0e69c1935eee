/*
 * statement.h - one statement on its way to the engine.
 * Tests: tests/conformance.
 */
#ifndef BELAYI_SESSION_STATEMENT_H
#define BELAYI_SESSION_STATEMENT_H

#include <assert.h>

#include <belay/statement.h>

#include "link.h"
#include "session.h"

/* What is done with what a statement gives. */
typedef enum belayi_use {
    BELAYI_USE_ROWS,
    BELAYI_USE_STREAM,  /* its rows are read when the call has long returned */
    BELAYI_USE_NOTHING, /* it may be queued */
    BELAYI_USE_TRY      /* nothing; it is in a scope of its own, whose ordinary failure is caught */
} belayi_use;

/* A call as the caller made it. */
typedef struct belayi_call {
    const char *sql;
    size_t n;
    const belay_value *values;
    belay_place place;
    belayi_use use;
} belayi_call;

/* A statement that is under way. */
typedef struct belayi_running {
    belayi_cached *cached; /* in use; NULL before it was found and after it was put back */
    belayi_link *link;
    int64_t since;     /* when it was sent, and */
    int64_t rows;      /* how many rows it has given so far; */
    int prepare_trips; /* round trips that preparing it took: for the trace */
    bool own_scope;    /* a scope was opened for it: a unit of its own, or belay_try's */
    bool queues;       /* it is to be queued instead of being executed */
    bool changed;      /* belayi_part's, before it */
} belayi_running;

/* The driver's form of a statement that was opened. */
static inline belay_statement *belayi_running_statement(const belayi_running *running)
{
    assert(running->cached && running->cached->statement);
    return running->cached->statement;
}

/*
 * Finds the statement, checks it, and sends what is owed before it, so that it
 * can be executed; with no scope open it begins one of its own. The guard is
 * held. On failure the error is pending, and nothing needs to be closed.
 */
belay_code belayi_statement_open(belay_session *, const belayi_call *, belayi_running *out_running);

/* The statement was done, or failed with *error: tells the core, puts it back, and ends a scope of its own. */
belay_code belayi_statement_close(belay_session *, belayi_running *, const belayi_call *, belay_error *error_or_null);

/* With no scope open: begins a unit for one call. */
belay_code belayi_statement_open_unit(belay_session *, const belayi_call *);

/* Runs it to its end, or queues it. */
belay_code belayi_statement_run(belay_session *, const belayi_call *);

/* Tells the trace, if there is one, that the statement has ended. */
void belayi_statement_tell(belay_session *, const belayi_call *, const belayi_running *, belay_code);

/* Puts where and what into the error. */
void belayi_statement_blame(const belayi_call *, belay_error *error);

#endif
