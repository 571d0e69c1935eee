/*
 * belay/isolation.h - what an isolation level of a database really prevents, observed and not assumed.
 *
 *     belay_isolation_report report;
 *     if (belay_isolation_check("postgresql://app@localhost/shop", NULL, &report) == BELAY_OK)
 *         puts(belay_verdict_word(report.cells[BELAY_REPEATABLE_READ][BELAY_WRITE_SKEW].verdict));
 *
 * Levels of the same name differ between engines. So the check has two or three
 * sessions do, step by step, what leads to an anomaly, at each level, and looks at
 * what the engine did: whether a step waited for a lock, whether a unit got an error
 * and was cured by running it again, or whether the anomaly was there in the end.
 * docs/isolation.md explains every anomaly with an example, and has the tables of the
 * engines. The command `belay isolation URL` prints the table of a server.
 *
 * <belay/belay.h> does not include this header.
 */
#ifndef BELAY_ISOLATION_H
#define BELAY_ISOLATION_H

#include <stdbool.h>
#include <stddef.h>

#include <belay/error.h>
#include <belay/macros.h>
#include <belay/scope.h>

BELAYI_BEGIN_C

/* ---- Anomalies --------------------------------------------------------------------------------------------------- */

/*
 * X(name, sign, title, advice): the sign is the one of the literature (Adya 1999; Bailis and others 2013), the advice
 * what to do at a level that allows it.
 */
#define BELAY_ANOMALIES(X)                                                                                             \
    X(DIRTY_WRITE, "G0", "dirty write", "no level that allows this is of use for writing")                             \
    X(ABORTED_READ, "G1a", "aborted read", "use READ COMMITTED or higher for all that is acted on")                    \
    X(INTERMEDIATE_READ, "G1b", "intermediate read", "use READ COMMITTED or higher for all that is acted on")          \
    X(CIRCULAR_FLOW, "G1c", "circular information flow", "use READ COMMITTED or higher for all that is acted on")      \
    X(PARTIAL_VIEW, "MAV", "half of a transaction seen", "use READ COMMITTED or higher for all that is acted on")      \
    X(VANISHING, "OTV", "observed transaction vanishes", "use READ COMMITTED or higher for all that is acted on")      \
    X(PHANTOM_READ, "PMP", "rows appear between two reads", "read once, or read at REPEATABLE READ or higher")         \
    X(PHANTOM_WRITE, "PMP-write", "a write hits other rows than were read",                                            \
      "SELECT ... FOR UPDATE first, or write by key; or BELAY_SNAPSHOT and .retries")                                  \
    X(LOST_UPDATE, "P4", "lost update", "SELECT ... FOR UPDATE, or SET n = n - ?; or BELAY_SNAPSHOT and .retries")     \
    X(COUNTER_RACE, "counter", "a counter of three sessions counts short",                                             \
      "SET n = n + 1 in one statement; or BELAY_SNAPSHOT and .retries")                                                \
    X(READ_SKEW, "G-single", "read skew: two rows of two moments", "read at REPEATABLE READ or higher")                \
    X(PREDICATE_SKEW, "G-single-predicate", "read skew: two searches of two moments",                                  \
      "read at REPEATABLE READ or higher, or all in one statement")                                                    \
    X(WRITE_ON_SKEW, "G-single-write", "read skew: a write acts on what was not read",                                 \
      "SELECT ... FOR UPDATE first; or BELAY_SNAPSHOT and .retries")                                                   \
    X(WRITE_SKEW, "G2-item", "write skew: two rows under one rule",                                                    \
      "FOR UPDATE on all rows of the rule; or BELAY_SERIALIZABLE and .retries")                                        \
    X(PREDICATE_WRITE_SKEW, "G2", "write skew: rows that were not there yet",                                          \
      "lock a row that stands for the rule; or BELAY_SERIALIZABLE and .retries")

typedef enum belay_anomaly {
#define BELAYI_X(name, sign, title, advice) BELAY_##name,
    BELAY_ANOMALIES(BELAYI_X)
#undef BELAYI_X
        BELAY_ANOMALY_COUNT /* how many there are */
} belay_anomaly;

/* The sign, such as "G2-item"; "?" for a number that is none. Never NULL. */
BELAY_API const char *belay_anomaly_name(belay_anomaly);

/* A few words on what it is. Never NULL. */
BELAY_API const char *belay_anomaly_title(belay_anomaly);

/* One line on what to do at a level that allows it. Never NULL. */
BELAY_API const char *belay_anomaly_advice(belay_anomaly);

/* ---- Verdicts ---------------------------------------------------------------------------------------------------- */

/* X(name, word, text) */
#define BELAY_VERDICTS(X)                                                                                              \
    X(UNDECIDED, "undecided", "it could not be found out")                                                             \
    X(ALLOWED, "allowed", "it happened")                                                                               \
    X(PREVENTED, "prevented", "nobody waited and nobody failed: only what is committed was read")                      \
    X(PREVENTED_BY_WAITING, "waits", "a session waited for another one's end: keep units short")                       \
    X(PREVENTED_BY_ERROR, "error", "a unit got an error, and succeeded when run again: give it .retries")              \
    X(LEVEL_REFUSED, "refused", "the engine does not offer the level, and Belay gives no weaker one")

typedef enum belay_verdict {
#define BELAYI_X(name, word, text) BELAY_##name,
    BELAY_VERDICTS(BELAYI_X)
#undef BELAYI_X
} belay_verdict;

/* The word, such as "waits"; "?" for a number that is none. Never NULL. */
BELAY_API const char *belay_verdict_word(belay_verdict);

/* What it means and asks for, in one line. Never NULL. */
BELAY_API const char *belay_verdict_text(belay_verdict);

/* A level's name as in SQL, such as "repeatable read"; "default"; "?" for a number that is none. Never NULL. */
BELAY_API const char *belay_level_name(belay_level);

/* ---- The check --------------------------------------------------------------------------------------------------- */

/* What was observed of one anomaly at one level. */
typedef struct belay_isolation_cell {
    belay_verdict verdict;
    belay_code code; /* PREVENTED_BY_ERROR: the error that a retry cured. UNDECIDED, LEVEL_REFUSED: why, if it was an
                        error. Else BELAY_OK */
    int waits;       /* steps of any session that waited for a lock */
    int reruns;      /* units of any session that got an error and were run again, by which they succeeded */
    char seen[192];  /* what each session read, who waited, who failed, and what was left; or why it is undecided */
} belay_isolation_cell;

enum { BELAY_LEVEL_COUNT = BELAY_SERIALIZABLE + 1 };

typedef struct belay_isolation_report {
    belay_error error; /* why there is no table, or BELAY_OK */
    char engine[16];   /* as belay_db_engine */
    char version[96];  /* of the engine, as it says itself */
    char place[320];   /* the schema, database or file that the check made, and has removed; "NAME_*": tables with
                          this prefix, where the user may not make a schema */
    belay_level in_force[BELAY_LEVEL_COUNT]; /* which level the engine says it gives when this one is asked for;
                                                [BELAY_ISOLATION_DEFAULT]: the database's own */
    int undecided;                           /* cells of the levels asked for that could not be decided */
    belay_isolation_cell cells[BELAY_LEVEL_COUNT][BELAY_ANOMALY_COUNT]; /* by level, from BELAY_READ_UNCOMMITTED, and
                                                                           anomaly */
} belay_isolation_report;

typedef struct belay_isolation_options {
    size_t size;         /* of this struct, set by BELAY_ISOLATION_OPTIONS; 0 means the layout of the first release */
    unsigned levels;     /* 1u << level of those to be tested; 0: all */
    int lock_timeout_ms; /* the longest wait for one lock; default 3,000. Where an engine does not find deadlocks, each
                            takes as long */
    bool (*stop)(void *arg); /* asked several times a second, on the calling thread; true ends the check early with
                                BELAY_CANCELLED, cleaned up. NULL: nobody is asked */
    void *stop_arg;
    void (*progress)(void *arg, belay_level, belay_anomaly, const belay_isolation_cell *); /* told each cell; or NULL */
    void *progress_arg;
} belay_isolation_options;

#ifndef __cplusplus
/* Options in place: BELAY_ISOLATION_OPTIONS(.levels = 1u << BELAY_SNAPSHOT). Lives until the end of the block. */
#define BELAY_ISOLATION_OPTIONS(...)                                                                                   \
    (&(const belay_isolation_options){.size = sizeof(belay_isolation_options), __VA_ARGS__})
#endif

/*
 * Runs the anomalies at each level against the database of the URL (belay/db.h) and
 * fills the report. Takes a few seconds, four connections, and three threads, which
 * are gone when it returns. Every wait has a limit.
 *
 * It never touches what is there: on a server it works in a schema (on MariaDB a
 * database) of its own, belay_isolation_ and eight digits, or, where the user may
 * not make one, in tables whose names begin so, in the current schema. On SQLite
 * it makes a file of its own beside the one of the URL, PATH-isolation-PID-DIGITS,
 * with the URL's parameters, and shows what the locking on that file system gives;
 * the file of the URL is not even opened. Where the name is taken it is
 * refused. All is removed again, also after an error and when `stop` says so; what
 * a killed process leaves, belay_isolation_leftovers finds.
 *
 * Each cell is what happened in this run. A cell is BELAY_UNDECIDED, and says
 * why, when a unit got an error that running it again does not cure, when a session
 * hung, or when a step was slow and nobody can say whether it waited.
 *
 * Whether a step waits for a lock, the server is asked: pg_blocking_pids on
 * PostgreSQL, information_schema.innodb_trx on MariaDB. That needs the right
 * PROCESS there; without it the server's number of waits for rows is asked, which
 * counts those of others too. SQLite can't be asked: a step that has not come back
 * in time is taken to wait, and the cell only counts when the driver then tells
 * that it did.
 *
 * Returns the report's error: BELAY_OK also when cells are undecided; else what
 * belay_open or making the tables failed with; BELAY_UNSUPPORTED (sqlite::memory:, where
 * sessions take turns on one connection), BELAY_MISUSE (no URL, no report, levels
 * that there are not, a file that may not be made as the URL has mode=ro or rw),
 * BELAY_UNIQUE (the name is taken), BELAY_CANCELLED, BELAY_NO_MEMORY. When what was
 * made can't be removed, the error says so, and `place` names it.
 */
BELAY_API belay_code belay_isolation_check(const char *url, const belay_isolation_options *options,
                                           belay_isolation_report *report);

/* Told each leftover: its name, and whether it was removed. The name is borrowed until the call returns. */
typedef void (*belay_isolation_leftover)(void *arg, const char *name, bool removed);

/*
 * Finds what checks on the same URL left that were killed: schemas, tables and files
 * with such a name, whose check is not running any more; and removes them when
 * `remove` says so. A name that is not exactly of that form is never removed, nor
 * one whose check still runs: on a server it holds an advisory lock; on SQLite the
 * number of its process is in the name. `each` may be NULL. BELAY_OK, or what went wrong, in *error too when it isn't
 * NULL.
 */
BELAY_API belay_code belay_isolation_leftovers(const char *url, bool remove, belay_isolation_leftover each, void *arg,
                                               belay_error *error);

BELAYI_END_C

#endif
