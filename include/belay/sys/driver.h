/*
 * belay/sys/driver.h - for people who write a driver.
 *
 * A driver translates: SQL for transactions and savepoints, the engine's errors
 * to Belay's codes, values in both directions, and the true status of a
 * transaction. It holds no transaction policy: what is begun, marked, undone,
 * retried or given up is decided above it, and a driver never begins, ends or
 * undoes work that it was not asked to.
 *
 * A driver is one `const` belay_driver. Above it, code asks for a capability
 * bit, never for a driver's name. One connection is used by one thread at a
 * time, and not always by the same one.
 *
 * Rules for every slot that takes a belay_error:
 *   - it returns BELAY_OK and leaves *error untouched, or returns a code and has
 *     filled *error (which may be full of anything before): start with
 *     an assignment of zeros;
 *   - error->outcome stays BELAY_WORK_OPEN, but for commit, rollback and rollback_to: see there; it is
 *     BELAY_WORK_PARTLY where the transaction turns out to have been committed by a statement;
 *   - it obeys conn->limits, and gives BELAY_TIMEOUT or BELAY_LOCK_TIMEOUT when
 *     one has passed.
 */
#ifndef BELAY_SYS_DRIVER_H
#define BELAY_SYS_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <belay/error.h>
#include <belay/macros.h>
#include <belay/scope.h>
#include <belay/value.h>

BELAYI_BEGIN_C

enum { BELAY_DRIVER_ABI = 1 };

/* What an engine can do. */
enum {
    BELAY_CAN_TRANSACT_DDL = 1 << 0, /* DDL is part of a transaction and rolls back with it */
    BELAY_CAN_ELIDE = 1 << 1,        /* a failed statement is undone by itself: see `self_contained` */
    BELAY_HAS_ONE_WRITER = 1 << 2,   /* one writing transaction at a time for the whole database */
    BELAY_LOCKS_WHOLE = 1 << 3,      /* a scope that may write holds the only lock there is: FOR UPDATE is implied */
    BELAY_CAN_STAND_ALONE = 1 << 4,  /* a statement that is run where no transaction is open is one by itself, with the
                                        same meaning, and that saves a trip */
    BELAY_HAS_ON_CONFLICT = 1 << 5   /* INSERT ... ON CONFLICT (key) DO NOTHING */
};

/* How the declared types of an engine are read. */
enum {
    BELAY_TYPES_STANDARD, /* as the SQL standard writes them; an enum's labels as enum('a','b') */
    BELAY_TYPES_LOOSE,    /* a name that binds the engine to little: a column takes what looks like a number for one */
    BELAY_TYPES_DISPLAY   /* with display widths, unsigned and zerofill, and `character set x` behind a text's */
};

/* Limits on what a call may wait for; set by the caller before each call. */
typedef struct belay_limits {
    int64_t deadline_ns;  /* on the monotonic clock; 0: none */
    int64_t lock_wait_ns; /* for one lock; 0: refuse at once; negative: no limit */
    int64_t idle_ns; /* how long the transaction may be open between two calls; 0: no limit. The caller looks at it at
                        its next call; the driver may let the server end the transaction meanwhile, where that costs no
                        trip, and never sooner */
} belay_limits;

typedef struct belay_driver belay_driver;
struct belayi_sql_rules;
struct belayi_sql;

/* What a statement did. */
typedef struct belay_effect {
    int64_t changes;  /* rows matched by an INSERT, UPDATE or DELETE; else 0 */
    int64_t last_id;  /* the key that the last INSERT generated; these two change with an INSERT only */
    bool has_last_id; /* it can be told */
} belay_effect;

/* A connection. A driver's own connection struct begins with one. */
typedef struct belay_conn {
    const belay_driver *driver; /* whose slots the layers above call. Not for the driver itself: while a test makes
                                   calls fail, it is another's, which passes them on */
    void *shared;               /* the driver's state of this database, `shared_size` bytes */
    const struct belayi_sql_rules *rules; /* how SQL texts are read here; set by open, may change with the session */
    belay_limits limits;
    int64_t waited_ns; /* the driver adds the time that it waited for locks, where it knows; the caller sets it to 0 */
    int round_trips;   /* and how often it waited for an answer of a server */

    /* The queue: see `queue`. All are the driver's to set, but for `effect`, which the caller fills before the first
       statement is queued. */
    unsigned queued;     /* statements that are in it */
    unsigned failed;     /* which of them failed, from 1, when `drain` or `commit` did; 0: none of them */
    bool queue_is_full;  /* it is to be drained before more is queued */
    belay_effect effect; /* of the last queued statement that was done */
} belay_conn;

/* A prepared statement. A driver's own struct begins with one. Its memory is the driver's. */
typedef struct belay_statement {
    belay_conn *conn;
    bool writes; /* it may change the database */
    int columns; /* of the rows that it gives; 0: none. May change at `start`, when the schema did */
} belay_statement;

/* What a statement is, when it is nothing but INSERT INTO table (names) VALUES (?, ..., ?): a driver may then store the
   rows in any other way that gives each the same fate. */
typedef struct belay_target {
    const char *table;        /* as it stands in SQL, quoted, with its schema if one was named */
    const char *const *names; /* of the columns, quoted, as many as a row has values */
} belay_target;

/* A statement that is run once for each of many rows. */
typedef struct belay_each {
    size_t rows, columns;
    const belay_value *values;  /* row by row; borrowed for the call */
    const belay_target *target; /* or NULL: any statement */
    int64_t *changes;           /* gets what the rows that were kept have matched, all together */
    /* A row failed with *error, and nothing of it is left. False: to give up, and fail with that error. Called in the
       order of the rows, while others may be under way, and the connection is in use. */
    bool (*rejected)(void *arg, size_t row, belay_error *error);
    void *arg;
} belay_each;

/* How a transaction begins. */
typedef struct belay_begin_options {
    belay_level isolation; /* already checked to be one that `levels` names, or BELAY_ISOLATION_DEFAULT */
    bool read_only;
    bool deferrable;
    const char *gid; /* the name under which it is to be prepared: letters, digits and _, at most 60. NULL: never */
} belay_begin_options;

/* What the engine itself says of a connection. */
typedef enum belay_transaction_status {
    BELAY_TRANSACTION_NONE,   /* no transaction is open */
    BELAY_TRANSACTION_OPEN,   /* one is, and takes statements */
    BELAY_TRANSACTION_FAILED, /* one is, and only takes a rollback (PostgreSQL) */
    BELAY_TRANSACTION_LOST    /* the connection is of no use any more */
} belay_transaction_status;

/* Names one transaction for good. The words are the driver's own. */
typedef struct belay_token {
    uint64_t words[4];
} belay_token;

typedef enum belay_step { BELAY_STEP_ROW, BELAY_STEP_DONE, BELAY_STEP_ERROR } belay_step;

struct belay_driver {
    uint32_t abi;          /* BELAY_DRIVER_ABI */
    const char *name;      /* "sqlite" */
    uint32_t capabilities; /* BELAY_CAN_..., BELAY_HAS_... */
    uint32_t levels;       /* 1 << BELAY_SERIALIZABLE | ...: the levels that the engine gives at least */
    /* How many savepoints with work in them one transaction may have, released or not, before they cost everybody on
       the server: the trace warns of more. 0: any number. */
    unsigned cheap_savepoints;
    size_t shared_size; /* the caller allocates them, zeroed */
    size_t conn_size;

    /* An SQL expression: the engine's clock, as whole seconds since 1970. */
    const char *epoch_seconds;

    /* What stands before the table and after the row of an INSERT that does nothing where the key is there already:
       "INSERT INTO" and " ON CONFLICT (%s) DO NOTHING", the key's column being %s. */
    const char *insert_new, *insert_new_end;
    /* The type of a key of up to 255 bytes, of which each counts, and what follows the columns of a new table so that
       it knows transactions. */
    const char *key_type, *table_end;

    /* A query for a table's columns, in their order: its parameters are the schema's name or NULL, and the table's; its
       cells the schema's name or NULL, the table's name, the column's, its declared type, and as 0 or 1: not null, has
       a default (also one that the engine makes), can't be written; and which part of the primary key it is, or 0. No
       row: there is no such table. `type_flavour` tells src/catalog/type.h how to read the types. */
    const char *describe_columns;
    /* The same for its constraints and unique indexes: the name as errors have it, and its columns, joined by ", ", or
       NULL and the text of its condition. Where conditions are in no catalog: one row with NULL, NULL and the text of
       the table's definition. */
    const char *describe_constraints;
    unsigned type_flavour;      /* BELAY_TYPES_... */
    char name_quote;            /* what stands around a name, whatever a session is set to */
    const char *timestamp_type; /* of a column for a date and a time of day without zone, to the microsecond */
    const char *text_type;      /* and of one for texts of any length */

    /* -- a database ------------------------------------------------------------------------------ */

    /* Reads the URL (everything, with its scheme). Connects to nothing. When it fails the state is fit for
       shared_done. Sets *out_max_connections when the database can't have more (0: no bound). Blocks: never. */
    belay_code (*shared_init)(void *shared, const char *url, int *out_max_connections, belay_error *error);
    /* Instead, for a database that is one connection of the program's own: `native` is what the `native` slot gives.
       `open` takes it over as it is, `close` rolls back what `begin` began and leaves it open, and its settings are
       never changed. */
    belay_code (*shared_adopt)(void *shared, void *native, belay_error *error);
    void (*shared_done)(void *shared);

    /* -- a connection ---------------------------------------------------------------------------- */

    /* Connects. conn->driver, ->shared and ->limits are set. When it fails the connection is fit for close. */
    belay_code (*open)(belay_conn *conn, belay_error *error);

    /* Closes. What is open is rolled back. Accepts one whose open failed. All its statements were finalized before. */
    void (*close)(belay_conn *conn);

    /* In a child after fork, instead of close: gives up the connection without a word to the database. May leak. */
    void (*disown)(belay_conn *conn);

    /* The engine's own handle: sqlite3 *, PGconn *, MYSQL *. Nothing is queued in it then. */
    void *(*native)(belay_conn *conn);

    /* Asks the engine. Sends nothing where the client knows for sure. */
    belay_transaction_status (*status)(belay_conn *conn);

    /* Whether the other side has hung up while nothing was under way: looks, and waits for nothing. NULL: there is no
       other side. */
    bool (*hung_up)(belay_conn *conn);

    /* What isolation is in force. */
    belay_code (*isolation)(belay_conn *conn, belay_level *out_level, belay_error *error);

    /* -- transactions ---------------------------------------------------------------------------- */

    /* Begins. Called when status is NONE. After a failure status is NONE or LOST. */
    belay_code (*begin)(belay_conn *conn, const belay_begin_options *options, belay_error *error);

    /* Commits. A refusal that time may cure (busy) is tried again within the limits. After a failure `status`
       tells: OPEN or FAILED: nothing was committed, roll back; NONE: the engine rolled back on its own; where nobody
       can know, error->outcome is BELAY_WORK_UNKNOWN. What is queued is done before it; conn->failed tells when that
       failed, and then nothing was committed. The queue is empty afterwards. */
    belay_code (*commit)(belay_conn *conn, belay_error *error);

    /* Checks the constraints that wait for the commit, as the commit would; they wait again afterwards. A transaction
       is open. After a failure `status` tells. */
    belay_code (*check_deferred)(belay_conn *conn, belay_error *error);

    /* Rolls back. BELAY_OK when there is nothing left to roll back, and when the connection is lost, as the engine does
       it then. Never obeys a deadline. After a failure the connection is closed by the caller. With the outcome
       BELAY_WORK_PARTLY it was rolled back, but not all that was written is undone. */
    belay_code (*rollback)(belay_conn *conn, belay_error *error);

    /* What became of a commit whose outcome is unknown can be asked on another connection: these two, or NULL and NULL
       where the engine can't say. identify copies what names the transaction that commit has just left so; it sends
       nothing, and is false when that is not known. */
    bool (*identify)(belay_conn *conn, belay_token *out_token);
    /* BELAY_WORK_COMMITTED and BELAY_WORK_ROLLED_BACK are for good; BELAY_WORK_OPEN: it may still become either. Where
       nobody can say any more, or not here, it fails with BELAY_UNSUPPORTED, and the message says why. */
    belay_code (*outcome)(belay_conn *conn, const belay_token *token, belay_outcome *out_outcome, belay_error *error);

    /* Savepoints have numbers, from 1: the n-th that is set now. The driver makes names of them. */
    belay_code (*savepoint)(belay_conn *conn, unsigned number, belay_error *error);
    belay_code (*release)(belay_conn *conn, unsigned number, belay_error *error);
    /* Goes back to the savepoint and keeps it. Never obeys a deadline. BELAY_WORK_PARTLY as for rollback. */
    belay_code (*rollback_to)(belay_conn *conn, unsigned number, belay_error *error);

    /* -- statements ------------------------------------------------------------------------------ */

    /* Prepares what the lexer read and wrote for conn->rules. *out_statement is NULL on failure. */
    belay_code (*prepare)(belay_conn *conn, const struct belayi_sql *sql, belay_statement **out_statement,
                          belay_error *error);
    void (*finalize)(belay_statement *statement); /* accepts NULL */

    /* Whether a failure of this statement is undone by the engine itself, exactly as by a savepoint around it, at
       this moment, inside the open transaction. Never true when in doubt. Only called with BELAY_CAN_ELIDE. */
    bool (*self_contained)(belay_statement *statement);

    /* Runs to the end; rows are discarded. `values` are borrowed for the call. On failure the statement is reset. */
    belay_code (*execute)(belay_statement *statement, size_t n, const belay_value *values, belay_effect *effect,
                          belay_error *error);

    /* Runs with rows: start, step until it is not ROW, finish. start copies what it must keep of `values`. step fills
       `columns` cells, borrowed until the next step or finish. On DONE *effect is filled. finish is called after every
       start that succeeded, also half-way; it never fails, and does nothing when it is called again. */
    belay_code (*start)(belay_statement *statement, size_t n, const belay_value *values, belay_error *error);
    belay_step (*step)(belay_statement *statement, belay_value *cells, belay_effect *effect, belay_error *error);
    void (*finish)(belay_statement *statement);
    /* Borrowed until finish. Called between start and finish. */
    const char *(*column_name)(belay_statement *statement, int column);

    /* NULL: the caller runs row by row. Runs the statement for all rows, inside the open transaction, each row as if
       between a savepoint of its own and its release: a row that fails leaves nothing, and the others do not know of
       it. A row may be run more than once, in the same order with the same rows before it. *effect is that of the last
       row. On failure, which is no row's or one that `rejected` gave up with, what the rows did is still there in part,
       or not: the caller goes back to before the call.
       With a target, error and fate of each row are those of the statement, however it is stored; where the driver has
       no such way for this table, it runs the statement. BELAY_UNSUPPORTED, before it has done anything: the caller
       runs row by row. */
    belay_code (*execute_each)(belay_statement *statement, const belay_each *each, belay_effect *effect,
                               belay_error *error);

    /* -- the queue: both or neither; NULL where nothing is saved by it ---------------------------------- */

    /* Puts one run of the statement behind what is queued, instead of `execute`: rows are discarded, the values are
       copied. Inside a transaction. Waits for nothing. After a failure this run is not queued; what was before it is.
       While something is queued, the caller calls no other slot but `queue`, `savepoint` (which takes its place behind
       what is queued), `prepare`, `drain`, `commit` (which takes along what is queued), `status`, and `close` or
       `disown`: it drains first. */
    belay_code (*queue)(belay_statement *statement, size_t n, const belay_value *values, belay_error *error);

    /* Waits until all that is queued is done, or one of it has failed: then what was behind that, savepoints too, was
       not done, conn->failed tells which it was, and `status` how the transaction stands, as after `execute`. The queue
       is empty afterwards, whatever came. */
    belay_code (*drain)(belay_conn *conn, belay_error *error);

    /* -- two-phase commit: all four or none ------------------------------------------------------ */

    /* Whether a transaction can be prepared here, by the server's settings: BELAY_OK, or BELAY_UNSUPPORTED with what to
       change. Status is NONE. */
    belay_code (*can_prepare)(belay_conn *conn, belay_error *error);
    /* Prepares the open transaction, which began with that gid. Then only finish_prepared may be called on the
       connection, or close. After a failure `status` tells; with the outcome BELAY_WORK_UNKNOWN it may be prepared. */
    belay_code (*prepare_transaction)(belay_conn *conn, const char *gid, belay_error *error);
    /* Commits or rolls back what is prepared; never obeys a deadline. From another connection than the one that
       prepared, status is NONE. BELAY_NOT_FOUND: there is none of that name, or its own connection still has it. */
    belay_code (*finish_prepared)(belay_conn *conn, const char *gid, bool commit, belay_error *error);
    /* Tells the names of all that is prepared in this database. Status is NONE. */
    belay_code (*list_prepared)(belay_conn *conn, void (*tell)(void *arg, const char *gid), void *arg,
                                belay_error *error);
};

BELAYI_END_C

#endif
