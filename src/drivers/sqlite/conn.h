/*
 * conn.h - what the files of the SQLite driver share: a database, a connection,
 * a statement, and the functions behind the slots of belay_driver.
 *
 * Invariants:
 *   - `queued` is true exactly while this connection holds the one place of its
 *     handle's write queue, and then a write transaction of Belay's is open or
 *     being begun. Whatever ended the transaction, notice_end gives it back.
 *   - nothing of SQLite's own state is mirrored where it can be asked:
 *     sqlite3_get_autocommit says whether a transaction is open.
 *   - the progress handler can stop a statement of the caller's only: never a
 *     BEGIN, COMMIT, ROLLBACK or savepoint, see `interrupt_at`.
 */
#ifndef BELAYI_SQLITE_CONN_H
#define BELAYI_SQLITE_CONN_H

#include <sqlite3.h>

#include <belay/sys/driver.h>

#include "turnstile.h"

/* ---- A database ------------------------------------------------------------------------------- */

typedef enum belayi_sqlite_mode { BELAYI_SQLITE_RO, BELAYI_SQLITE_RW, BELAYI_SQLITE_RWC } belayi_sqlite_mode;

typedef struct belayi_sqlite_shared {
    belayi_turnstile writers; /* one place: connections of this handle write in the order they came */
    char *path;               /* absolute, decoded; NULL: in memory */
    belayi_sqlite_mode mode;
    const char *journal_mode; /* static words of SQL */
    const char *synchronous;
    const char *foreign_keys;
    int64_t cache_kib; /* -1: SQLite's own */
    sqlite3 *adopted;  /* the program's own connection, which is the whole database then; else NULL */
} belayi_sqlite_shared;

belay_code belayi_sqlite_shared_init(void *shared, const char *url, int *out_max_connections, belay_error *error);
belay_code belayi_sqlite_shared_adopt(void *shared, void *native, belay_error *error);
void belayi_sqlite_shared_done(void *shared);

/* ---- A connection ------------------------------------------------------------------------------ */

typedef enum belayi_sqlite_control {
    BELAYI_SQLITE_BEGIN_READ,
    BELAYI_SQLITE_BEGIN_WRITE,
    BELAYI_SQLITE_COMMIT,
    BELAYI_SQLITE_ROLLBACK,
    BELAYI_SQLITE_GROUND,
    BELAYI_SQLITE_ROW,      /* the savepoint around one row of many */
    BELAYI_SQLITE_ROW_GOOD, /* its release */
    BELAYI_SQLITE_ROW_BAD,  /* back to it */
    BELAYI_SQLITE_CONTROLS
} belayi_sqlite_control;

typedef enum belayi_sqlite_mark {
    BELAYI_SQLITE_SET,
    BELAYI_SQLITE_RELEASE,
    BELAYI_SQLITE_BACK,
    BELAYI_SQLITE_MARKS
} belayi_sqlite_mark;

/* Savepoints up to this number keep their statements. */
enum { BELAYI_SQLITE_KEPT_MARKS = 64 };

/* The rows that a statement reads from memory: rows.c. */
typedef struct belayi_sqlite_rows {
    const belay_each *each; /* NULL: none are being read */
    size_t at, end;
} belayi_sqlite_rows;

typedef struct belayi_sqlite_conn {
    belay_conn base;
    sqlite3 *db; /* NULL: not open */

    /* Its place in the list of all connections: forks.c. */
    sqlite3 *listed; /* NULL: in none */
    unsigned long long generation;
    struct belayi_sqlite_conn *next, *previous;

    int64_t last_id; /* as it was before the running INSERT: what generates none must not seem to have lost it */
    unsigned firsts; /* how often savepoint 1 was set in this transaction */
    int ended_by;    /* the result code that ended the transaction in a call that could not say so; else 0 */
    bool adopted;    /* the program's: its settings, handlers and statements are left alone */
    bool lent;       /* in this transaction, to the program: it may have changed what it likes */
    bool queued;
    bool began;     /* the open transaction was begun here, not by the program */
    bool read_only; /* the transaction was begun so; a write is refused */
    bool broken;    /* a rollback failed */

    /* Waiting for locks, within one call. */
    bool gave_up;

    /* The deadline of the running statement. */
    bool interrupted; /* by the progress handler, */
    unsigned naps;
    bool watched;         /* which is installed */
    int64_t lock_since;   /* 0: not waited yet */
    int64_t interrupt_at; /* 0: nothing may be stopped */

    /* What `self_contained` knows. A statement's answer holds while the generation is the same. */
    uint64_t schema_generation;
    unsigned data_version; /* when it was checked last */
    int schema_renewals;   /* how often `schema_probe` had been prepared anew then */
    bool schema_touched;   /* in this transaction, by this connection: a rollback changes it again */
    bool schema_checked;   /* in this transaction, for changes of others */

    bool has_rows; /* the virtual table of rows was made known to this connection */
    int64_t pages; /* what cache_size was before it was widened for this transaction; 0: it was not */
    sqlite3_stmt *schema_probe;
    belayi_sqlite_rows rows;

    sqlite3_stmt *controls[BELAYI_SQLITE_CONTROLS];
    sqlite3_stmt *marks[BELAYI_SQLITE_KEPT_MARKS][BELAYI_SQLITE_MARKS];
} belayi_sqlite_conn;

static inline belayi_sqlite_shared *belayi_sqlite_shared_of(const belayi_sqlite_conn *conn)
{
    return conn->base.shared;
}

belay_code belayi_sqlite_open(belay_conn *conn, belay_error *error);
void belayi_sqlite_close(belay_conn *conn);
void belayi_sqlite_disown(belay_conn *conn);
void *belayi_sqlite_native(belay_conn *conn);
belay_transaction_status belayi_sqlite_status(belay_conn *conn);
belay_code belayi_sqlite_isolation(belay_conn *conn, belay_level *out_level, belay_error *error);

/* sqlite3_open_v2 and sqlite3_close_v2, known to the children of this process: forks.c. */
int belayi_sqlite_open_db(belayi_sqlite_conn *conn, const char *path, int flags);
void belayi_sqlite_adopt_db(belayi_sqlite_conn *conn, sqlite3 *db); /* it is left open in the end */
void belayi_sqlite_close_db(belayi_sqlite_conn *conn);

/* Prepares one of the driver's own texts. *out is NULL on failure. */
belay_code belayi_sqlite_prepare_own(belayi_sqlite_conn *conn, const char *text, sqlite3_stmt **out,
                                     belay_error *error);

/* ---- Limits: limits.c ---------------------------------------------------------------------------- */

/* What `conn` may wait for begins anew: at the start of every call. */
static inline void belayi_sqlite_limits_renew(belayi_sqlite_conn *conn)
{
    conn->lock_since = 0;
    conn->gave_up = false;
}

/* Puts the busy handler in place; again after a statement that may have replaced it. */
void belayi_sqlite_limits_install(belayi_sqlite_conn *conn);

/* BELAY_TIMEOUT when the deadline has passed. Sees to it that statements are stopped at it, or no longer. */
belay_code belayi_sqlite_limits_watch(belayi_sqlite_conn *conn, belay_error *error);

/* Sleeps a little before something is tried again that a lock stood in the way of; false when that was long enough. */
bool belayi_sqlite_limits_wait(belayi_sqlite_conn *conn);

/* The end of the longest wait for a lock that may begin now; 0: no limit. Counts from the first wait of this call. */
int64_t belayi_sqlite_limits_end(belayi_sqlite_conn *conn);

/* Whether it is the deadline, rather than the lock wait, that ends it. */
bool belayi_sqlite_limits_deadline_first(const belayi_sqlite_conn *conn);

/* ---- Transactions: transaction.c ------------------------------------------------------------------- */

belay_code belayi_sqlite_begin(belay_conn *conn, const belay_begin_options *options, belay_error *error);
belay_code belayi_sqlite_commit(belay_conn *conn, belay_error *error);
belay_code belayi_sqlite_check_deferred(belay_conn *conn, belay_error *error);
belay_code belayi_sqlite_rollback(belay_conn *conn, belay_error *error);
belay_code belayi_sqlite_savepoint(belay_conn *conn, unsigned number, belay_error *error);
belay_code belayi_sqlite_release(belay_conn *conn, unsigned number, belay_error *error);
belay_code belayi_sqlite_rollback_to(belay_conn *conn, unsigned number, belay_error *error);

/* A savepoint of its own around one row of many, above all others: ROW sets it, ROW_GOOD releases it, ROW_BAD goes back
   to it, and it stays. */
belay_code belayi_sqlite_mark_row(belayi_sqlite_conn *conn, belayi_sqlite_control which, belay_error *error);

/* To be called after everything that may have ended a transaction: gives back what belonged to it. */
void belayi_sqlite_notice_end(belayi_sqlite_conn *conn);

/* After a statement that is neither a query nor an INSERT, UPDATE or DELETE: forgets what was known of the schema. */
void belayi_sqlite_notice_schema(belayi_sqlite_conn *conn);

/* ---- Statements: statement.c ------------------------------------------------------------------------ */

typedef struct belayi_sqlite_statement {
    belay_statement base;
    sqlite3_stmt *native;
    unsigned parameters;
    bool is_dml;     /* INSERT, UPDATE or DELETE, also behind WITH */
    bool may_insert; /* INSERT or REPLACE, also behind WITH */
    bool is_other;   /* neither a query nor DML: DDL, PRAGMA, ATTACH, ... */
    int ahead;       /* what the next call of step answers without one: SQLITE_ROW, SQLITE_DONE; 0: it takes a step */
    belay_effect effect;
    uint64_t contained_generation; /* of the answer below; 0: not asked yet */
    bool contained;
    uint64_t together_generation; /* the same, of the statement below */
    sqlite3_stmt *together;       /* inserts rows from memory, as many as there are; NULL: not to be had for this one */
} belayi_sqlite_statement;

belay_code belayi_sqlite_prepare(belay_conn *conn, const struct belayi_sql *sql, belay_statement **out_statement,
                                 belay_error *error);
void belayi_sqlite_finalize(belay_statement *statement);
belay_code belayi_sqlite_execute(belay_statement *statement, size_t n, const belay_value *values, belay_effect *effect,
                                 belay_error *error);
belay_code belayi_sqlite_start(belay_statement *statement, size_t n, const belay_value *values, belay_error *error);
belay_step belayi_sqlite_step(belay_statement *statement, belay_value *cells, belay_effect *effect, belay_error *error);
void belayi_sqlite_finish(belay_statement *statement);
const char *belayi_sqlite_column_name(belay_statement *statement, int column);

belay_code belayi_sqlite_check_value(const belay_value *value, size_t number, belay_error *error);
belay_code belayi_sqlite_check_may_run(belayi_sqlite_statement *s, belay_error *error);
/* So that it can be seen whether an INSERT generates a key, and back to the one before when it did not. */
void belayi_sqlite_forget_last_id(belayi_sqlite_conn *conn);
void belayi_sqlite_restore_last_id(belayi_sqlite_conn *conn);

/* NULL data would be bound as NULL. */
static inline const void *belayi_sqlite_data_of(const belay_value *value)
{
    return value->as.data ? value->as.data : "";
}

/* contained.c */
bool belayi_sqlite_self_contained(belay_statement *statement);
/* After something that does not say what went wrong: it may have ended the transaction. */
void belayi_sqlite_notice_silent_end(belayi_sqlite_conn *conn);
/* Whether the statement, an INSERT OR FAIL ... SELECT, writes row by row, the last thing that it does for a row, so
   that one that fails leaves those before it and nothing else. Inside a transaction. */
bool belayi_sqlite_stops_clean(belayi_sqlite_conn *conn, const char *text);
/* Whether SQLite makes the same program of both texts. */
bool belayi_sqlite_is_same_program(belayi_sqlite_conn *conn, const char *one, const char *two);

/* ---- Many rows: each.c, rows.c ------------------------------------------------------------------------------ */

belay_code belayi_sqlite_execute_each(belay_statement *statement, const belay_each *each, belay_effect *effect,
                                      belay_error *error);

/* Whether the statement can write rows together; prepares what that takes. Inside a transaction, for a statement that
   is contained. */
bool belayi_sqlite_can_write_together(belayi_sqlite_statement *s, const belay_target *target, size_t columns);

/* Writes rows from *at on, and moves it to the first that was not written: behind the last, or to one that is to be run
   by itself, or, when it fails, to the one to blame. */
belay_code belayi_sqlite_write_together(belayi_sqlite_statement *s, const belay_each *each, size_t *at,
                                        belay_effect *effect, belay_error *error);

/* Lets the page cache grow for the rest of the transaction, unless the URL says how large it is to be, and back. */
void belayi_sqlite_widen_cache(belayi_sqlite_conn *conn);
void belayi_sqlite_narrow_cache(belayi_sqlite_conn *conn);

/* ---- Errors: errors.c ---------------------------------------------------------------------------------- */

/* When an error came: the same number and text can mean different things. */
typedef enum belayi_sqlite_phase {
    BELAYI_SQLITE_OPENING,
    BELAYI_SQLITE_PREPARING,
    BELAYI_SQLITE_RUNNING,
    BELAYI_SQLITE_COMMITTING
} belayi_sqlite_phase;

/* What to do about a foreign key that was found broken only at the end. */
extern const char belayi_sqlite_hint_at_commit[];

/* Fills *error from the connection's last error, and returns its code. To be called before the statement is reset. */
belay_code belayi_sqlite_fail(belayi_sqlite_conn *conn, int native_code, belayi_sqlite_phase phase, belay_error *error);

/* Fails when the transaction was ended in a call that could not say so: nothing may run then as if it were open. */
static inline belay_code belayi_sqlite_check_ended(belayi_sqlite_conn *conn, belay_error *error)
{
    return conn->ended_by == 0 ? BELAY_OK : belayi_sqlite_fail(conn, conn->ended_by, BELAYI_SQLITE_RUNNING, error);
}

/* An error of a wait in the queue that was not long enough: nothing came from SQLite. */
belay_code belayi_sqlite_fail_busy(belayi_sqlite_conn *conn, const char *message, belay_error *error);

#endif
