/*
 * belay/trace.h - what Belay says to the engine, when, for which scope, and how long it took.
 *
 * A trace is a stream of events. Either the program receives them, by .trace in
 * the options of belay_open, or the library writes them to a file: with
 * BELAY_TRACE=FILE in the environment, every handle that is opened without a
 * .trace of its own is traced into that file, as JSON lines when the name ends
 * in ".jsonl", else in the format of Chrome's and Perfetto's trace viewers. The
 * first handle of the process empties the file, all share it, and it is complete
 * when none of them is open. That it can't be written is logged. A program that
 * runs with more rights than its user has (set-user-id) ignores BELAY_TRACE.
 *
 * A handle without a trace pays nothing for it. Values that were bound are never
 * part of an event: only the text of a statement, with its placeholders.
 */
#ifndef BELAY_TRACE_H
#define BELAY_TRACE_H

#include <stddef.h>
#include <stdint.h>

#include <belay/error.h>
#include <belay/macros.h>

BELAYI_BEGIN_C

/* X(kind, name): what an event is about. */
#define BELAY_TRACE_KINDS(X)                                                                                           \
    X(SCOPE, "scope")             /* a scope, from its beginning to its end; a unit when its depth is 1 */             \
    X(BEGIN, "begin")             /* BEGIN was sent */                                                                 \
    X(SAVEPOINT, "savepoint")     /* a savepoint was set; .number is which */                                          \
    X(STATEMENT, "statement")     /* a statement of the program's, until its last row was read */                      \
    X(RELEASE, "release")         /* savepoints from .number on were released */                                       \
    X(ROLLBACK_TO, "rollback to") /* the work went back to savepoint .number */                                        \
    X(COMMIT, "commit")           /* COMMIT was sent */                                                                \
    X(PREPARE, "prepare")         /* the transaction was prepared: belay_commit_two_phase */                           \
    X(ROLLBACK, "rollback")       /* ROLLBACK was sent */                                                              \
    X(RETRY, "retry")             /* the wait between two attempts; .code is why there is another */                   \
    X(WAIT, "wait")               /* a wait: .detail is "connection" (of the pool), or "lock" */                       \
    X(HOOK, "hook")               /* a hook; .detail is "before commit", "on commit" or "on rollback" */               \
    X(WARNING, "warning")         /* nothing was called: .detail says what is worth knowing */                         \
    X(OUTCOME, "outcome")         /* a server was asked what became of a commit whose answer was lost; .detail is */   \
                                  /* "committed", "rolled back", "open" (not decided yet), or not known */

typedef enum belay_trace_kind {
#define BELAYI_X(kind, name) BELAY_TRACE_##kind,
    BELAY_TRACE_KINDS(BELAYI_X)
#undef BELAYI_X
} belay_trace_kind;

/*
 * One event. It is told when it has ended, so that a scope comes after all that
 * happened inside it. The texts are borrowed until the callback returns; one that
 * is not known is NULL.
 */
typedef struct belay_trace_event {
    size_t size; /* of this struct: a later release may append fields */
    belay_trace_kind kind;
    belay_code code;  /* how it ended. Of a scope: BELAY_OK kept, BELAY_ROLLED_BACK undone on purpose, else why it
                         was undone */
    int64_t start_ns; /* on the monotonic clock */
    int64_t duration_ns;
    uint64_t session;      /* a number that tells the sessions of the process apart */
    uint64_t scope_number; /* tells the scopes of a session apart */
    uint64_t thread;       /* the operating system's number of the calling thread */
    int depth;             /* of the scope that the event belongs to; 1 is the outermost */
    int attempt;           /* of the outermost scope, from 1 */
    int64_t rows;          /* STATEMENT: rows that it gave, or else changed */
    int round_trips;       /* to a server; 0 on an embedded engine */
    unsigned number;       /* SAVEPOINT, RELEASE, ROLLBACK_TO */
    const char *scope;     /* .name of the scope, or of the nearest one around that has a name */
    const char *file;      /* where in the program: the statement, or the scope */
    const char *function;
    int line;
    const char *statement; /* STATEMENT: its text as the program gave it */
    const char *detail;    /* WAIT, HOOK: which; WARNING: what; SCOPE: something worth knowing, such as "took the write
                              lock and wrote nothing" */
} belay_trace_event;

/*
 * Receives events. Called on the thread that uses the session, in the middle of
 * its call: the session must not be used in it, and any call that is made on it
 * all the same is refused with BELAY_MISUSE. May be called by several threads at
 * once.
 */
typedef void (*belay_trace)(void *arg, const belay_trace_event *);

/* The kind's name, such as "rollback to"; "?" for a number that is none. Never NULL. */
BELAY_API const char *belay_trace_kind_name(belay_trace_kind);

/* ---- Writing a trace to a file ------------------------------------------------------------------------------- */

typedef enum belay_trace_format {
    BELAY_TRACE_BY_NAME,    /* JSON_LINES when the path ends in ".jsonl", else CHROME */
    BELAY_TRACE_JSON_LINES, /* one JSON object a line */
    BELAY_TRACE_CHROME /* Chrome's trace event format, which Perfetto reads too: a row a session, scopes as slices */
} belay_trace_format;

typedef struct belay_trace_writer belay_trace_writer;

/*
 * Makes the file, or empties it, and writes events into it: give belay_trace_write
 * as .trace and the writer as .trace_arg. NULL on failure, with *error filled when
 * it isn't NULL. May be used from any thread, and by several handles. Each event is
 * handed to the system at once: a process that dies leaves all that it told. A child
 * after fork writes nothing: the file is its parent's.
 *
 * Errors: BELAY_MISUSE (no path, no such format), BELAY_BUSY (another writer, of this
 * process or another, has the file), BELAY_PERMISSION, BELAY_READ_ONLY,
 * BELAY_DISK_FULL, BELAY_IO, BELAY_NO_MEMORY.
 */
BELAY_API belay_trace_writer *belay_trace_open(const char *path, belay_trace_format, belay_error *error);
BELAY_API void belay_trace_write(void *writer, const belay_trace_event *);

/*
 * Ends the file, after the handles that write to it were closed. BELAY_OK, or the
 * first failure to write; after that nothing more was written, and what is in the
 * file is whole. Accepts NULL.
 */
BELAY_API belay_code belay_trace_close(belay_trace_writer *);

BELAYI_END_C

#endif
