/*
 * conn.h - what the files of the PostgreSQL driver share: a database, a
 * connection, a statement, and the functions behind the slots of belay_driver.
 *
 * All that is sent goes as a flight: some commands in libpq's pipeline mode, one
 * Sync behind them, one wait. BEGIN, SAVEPOINT and RELEASE are owed until a
 * statement flies and takes them along; what is undone before that is never sent.
 *
 * Invariants:
 *   - between two calls libpq is not in pipeline mode and nothing is under way,
 *     but for a statement between start and finish, and while statements are queued.
 *   - owed are, in this order: BEGIN; the release of savepoint `release` and all
 *     above it; the savepoints from `first` on, `count` of them. Where something
 *     is owed, no statement has failed since.
 *   - `lost` is for good: the connection broke, or an answer is still out that
 *     nobody will wait for.
 *   - a cancel is only sent while its statement is out, and nothing is sent before
 *     the server has dealt with it; else the connection is lost.
 */
#ifndef BELAYI_POSTGRESQL_CONN_H
#define BELAYI_POSTGRESQL_CONN_H

#include <libpq-fe.h>

#include <belay/sys/driver.h>

#include "lexer.h"

/* ---- A database ------------------------------------------------------------------------------- */

enum { BELAYI_PG_OPTIONS_MAX = 64 };

typedef struct belayi_pg_shared {
    char *names[BELAYI_PG_OPTIONS_MAX + 1]; /* libpq's connection options, ended by NULL */
    char *values[BELAYI_PG_OPTIONS_MAX + 1];
    int options;
    int connect_s;   /* how long connecting may take */
    PGconn *adopted; /* the program's own connection, which is the whole database then; else NULL */
} belayi_pg_shared;

belay_code belayi_pg_shared_init(void *shared, const char *url, int *out_max_connections, belay_error *error);
belay_code belayi_pg_shared_adopt(void *shared, void *native, belay_error *error);
void belayi_pg_shared_done(void *shared);

/* ---- A connection ------------------------------------------------------------------------------ */

/* What is owed to the server. */
typedef struct belayi_pg_owed {
    const char *begin;     /* the text of BEGIN; NULL: none */
    unsigned release;      /* the lowest savepoint to be released; 0: none */
    unsigned first, count; /* savepoints to be set */
} belayi_pg_owed;

enum { BELAYI_PG_UNKNOWN = -1, BELAYI_PG_QUEUE_MOST = 1024, BELAYI_PG_QUEUE_BYTES = 1 << 20 };

/* Which server answers: its system, its timeline, and since when it has not crashed. Zeros: not known. */
typedef struct belayi_pg_server {
    uint64_t system, timeline, since_us;
} belayi_pg_server;

/* A statement that the server has prepared: see names.c. */
typedef struct belayi_pg_name {
    unsigned number;     /* 0: none */
    unsigned generation; /* in which it was prepared */
    char text[20];       /* belay_1, ... */
} belayi_pg_name;

/* What names the open transaction, and what is needed to learn it: see outcome.c. */
typedef struct belayi_pg_identity {
    belayi_pg_server server;
    uint64_t number;         /* of the open transaction; 0: not known */
    bool wrote_nothing;      /* it has none: behind its last statement the server said so */
    bool read_only;          /* it began so */
    bool server_asked;       /* once a connection */
    belayi_pg_name question; /* for the number, prepared */
} belayi_pg_identity;

typedef struct belayi_pg_conn {
    belay_conn base;
    PGconn *pg; /* NULL: not open */
    belayi_sql_rules rules;
    bool adopted; /* the program's: its settings are left alone */
    bool lent;    /* in this transaction, to the program: nothing is owed any more */
    bool lost;
    bool listening; /* nothing is out: what comes now answers nothing */
    belayi_pg_owed owed;

    /* The flight that is out. */
    bool flying;
    int ahead;           /* commands before the one that matters, whose results are still to be read */
    int harmless;        /* so many of them may fail: they have a Sync of their own */
    int syncs;           /* Syncs still to be read */
    int64_t left_ns;     /* when its last part left */
    int64_t gives_up_ns; /* after a cancel: when the answer isn't waited for any longer; else 0 */
    bool cancelled;      /* at the deadline */
    bool unbounded;      /* never ended by the caller's deadline: going back */
    bool was_blocking;   /* what libpq is to go back to */
    bool in_transaction; /* it runs inside one */

    /* The queue: what is known of its statements. */
    unsigned short queue_ahead[BELAYI_PG_QUEUE_MOST]; /* commands before the n-th, since the one before it */
    size_t queue_bytes;                               /* of their values */
    unsigned queue_names;                             /* `names`, when it took off */

    /* Many rows: see each.c. */
    int64_t trip_ns;        /* the shortest trip that was measured; 0: none */
    belayi_pg_name each[3]; /* its commands, prepared */
    unsigned undone;        /* how often a transaction has begun, or work was undone */

    /* Lock waits, in milliseconds as lock_timeout has them. */
    int lock_session; /* of the session; BELAYI_PG_UNKNOWN */
    int lock_now;     /* in force */
    /* How long the transaction may idle, in milliseconds; 0: as the session has it; BELAYI_PG_UNKNOWN. */
    int idle_now;
    bool idle_set; /* in this transaction */

    /* Prepared statements. */
    unsigned names;      /* given so far: belay_1, belay_2, ... */
    unsigned generation; /* of the schema, as far as it is known: older statements are prepared again */
    unsigned *garbage;   /* names that nobody uses any more */
    size_t garbage_count, garbage_room;

    belayi_pg_identity identity;

    /* Whether the server prepares transactions, once it was asked. */
    bool prepares_known, prepares;

    belay_error late; /* of a statement that was left half-way: the next call tells it */

    char *scratch; /* for parameters */
    size_t scratch_room;
} belayi_pg_conn;

/* Whether no transaction is open, as libpq saw it last. */
static inline bool belayi_pg_is_idle(const belayi_pg_conn *conn)
{
    return PQtransactionStatus(conn->pg) == PQTRANS_IDLE;
}

static inline belayi_pg_shared *belayi_pg_shared_of(const belayi_pg_conn *conn)
{
    return conn->base.shared;
}

belay_code belayi_pg_open(belay_conn *conn, belay_error *error);
void belayi_pg_close(belay_conn *conn);
void belayi_pg_disown(belay_conn *conn);
void *belayi_pg_native(belay_conn *conn);
belay_transaction_status belayi_pg_status(belay_conn *conn);
bool belayi_pg_hung_up(belay_conn *conn);
belay_code belayi_pg_isolation(belay_conn *conn, belay_level *out_level, belay_error *error);

/* At least `size` bytes, until the next call of this. NULL without memory. */
char *belayi_pg_scratch(belayi_pg_conn *conn, size_t size);

/* ---- Flights: flight.c, landing.c ----------------------------------------------------------------------------- */

/* Begins a flight, and sends what is to go before a statement: garbage, limits, and what is owed. */
belay_code belayi_pg_take_off(belayi_pg_conn *conn, belay_error *error);

/* Notes that one more command was queued before the one that matters, or that it could not be. */
belay_code belayi_pg_note_ahead(belayi_pg_conn *conn, int queued, belay_error *error);

/* The same for the command that matters. */
belay_code belayi_pg_note_queued(belayi_pg_conn *conn, int queued, belay_error *error);

/* Sends what is owed, in a flight that has taken off before. */
belay_code belayi_pg_add_owed(belayi_pg_conn *conn, belay_error *error);

/* Queues a command of the driver's own; what libpq said of that. */
int belayi_pg_queue_text(belayi_pg_conn *conn, const char *text);

/* Ends a part of the flight: what fails before it does not fail what is behind. */
belay_code belayi_pg_add_sync(belayi_pg_conn *conn, belay_error *error);

/* The next result, waited for, which the caller clears; NULL between commands. False when there can't be any more. */
bool belayi_pg_next_result(belayi_pg_conn *conn, PGresult **out_result);

/* Ends the flight with its Sync, after the command that matters was queued, with what libpq said of that. */
belay_code belayi_pg_launch(belayi_pg_conn *conn, int queued, belay_error *error);

/* Reads the results of the commands before the one that matters. On failure the flight has landed. */
belay_code belayi_pg_read_ahead(belayi_pg_conn *conn, belay_error *error);

/* The next result of the command that matters, which the caller clears; NULL behind the last one. On failure the flight
   has landed. */
belay_code belayi_pg_receive(belayi_pg_conn *conn, PGresult **out_result, belay_error *error);

/* Reads to the end of the flight. Fails where something failed that was not read yet; and when there are more answers
   than questions, because then those that were read may have been another's. */
belay_code belayi_pg_land(belayi_pg_conn *conn, belay_error *error);

/* The same where answers were left unread: they are dropped. */
belay_code belayi_pg_land_early(belayi_pg_conn *conn, belay_error *error);

/* Sends texts, with a semicolon between two, without pipeline mode: for COPY. The caller reads all results and leaves.
 */
belay_code belayi_pg_send_plain(belayi_pg_conn *conn, const char *text, belay_error *error);

/* Ends the use of the connection, when all results were read, or it is lost. */
void belayi_pg_leave(belayi_pg_conn *conn);

/* Flies one command and nothing else. `tag` gets the server's word on what it did, also when the landing fails. */
belay_code belayi_pg_command(belayi_pg_conn *conn, const char *text, char tag[32], belay_error *error);

/* The same without a time limit of the caller's: for what goes back. */
belay_code belayi_pg_command_back(belayi_pg_conn *conn, const char *text, belay_error *error);

/* The same behind what is queued, and for that too. */
belay_code belayi_pg_command_behind(belayi_pg_conn *conn, const char *text, char tag[32], belay_error *error);

/* Flies one query with what is owed, and gives the result that has its rows, which the caller clears. */
belay_code belayi_pg_query(belayi_pg_conn *conn, const char *text, PGresult **out_result, belay_error *error);

/* The same, with parameters as text. */
belay_code belayi_pg_query_with(belayi_pg_conn *conn, const char *text, int n, const char *const *parameters,
                                PGresult **out_result, belay_error *error);

/* Sends what is owed, now. */
belay_code belayi_pg_settle(belayi_pg_conn *conn, belay_error *error);

/* Forgets all that is owed. */
static inline void belayi_pg_owe_nothing(belayi_pg_conn *conn)
{
    conn->owed = (belayi_pg_owed){0};
}

/* What was set in the transaction may have been undone, or not been set. */
static inline void belayi_pg_doubt_limits(belayi_pg_conn *conn)
{
    if (conn->lock_now != conn->lock_session)
        conn->lock_now = BELAYI_PG_UNKNOWN;
    if (conn->idle_set)
        conn->idle_now = BELAYI_PG_UNKNOWN;
}

/* ---- Prepared statements: names.c ----------------------------------------------------------------------- */

/* Whether the server has it, as far as is known. */
bool belayi_pg_has_prepared(const belayi_pg_conn *conn, const belayi_pg_name *name);

/* Queues the preparing ahead, in a flight that has taken off, under a new name. */
belay_code belayi_pg_add_prepare(belayi_pg_conn *conn, belayi_pg_name *name, const char *text, size_t n,
                                 const Oid *types, belay_error *error);

/* The server is to forget it too. */
void belayi_pg_forget_name(belayi_pg_conn *conn, belayi_pg_name *name);

/* ---- Waiting: wait.c -------------------------------------------------------------------------------- */

/* Waits until a result can be read without waiting. At the deadline the statement is cancelled and its answer waited
   for; false when the connection is lost. */
bool belayi_pg_wait(belayi_pg_conn *conn);

/* Waits until all is sent that was queued, or the server has something to say (*out_heard). When the deadline passes
   the statement is cancelled, and it returns; false when the connection is lost. */
bool belayi_pg_wait_sent(belayi_pg_conn *conn, bool *out_heard);

/* Waits for the socket; false when `deadline_ns` has passed. */
bool belayi_pg_wait_socket(PGconn *pg, bool to_read, bool to_write, int64_t deadline_ns);

/* Takes in what has arrived while nothing is out. An answer then, or the server's farewell, means that the connection
   is lost. */
void belayi_pg_listen(belayi_pg_conn *conn);

/* Whether the server has said something already. */
bool belayi_pg_heard(PGconn *pg);

/* ---- Cancelling: cancel.c --------------------------------------------------------------------------- */

/* Asks the server to stop the statement that is out, and waits until it has done so or until the moment. False when it
   is not known whether the request arrived: then it may still arrive. */
bool belayi_pg_cancel(PGconn *pg, int64_t gives_up_ns);

/* ---- Transactions: transaction.c ------------------------------------------------------------------- */

belay_code belayi_pg_begin(belay_conn *conn, const belay_begin_options *options, belay_error *error);
belay_code belayi_pg_commit(belay_conn *conn, belay_error *error);
belay_code belayi_pg_check_deferred(belay_conn *conn, belay_error *error);
belay_code belayi_pg_rollback(belay_conn *conn, belay_error *error);
belay_code belayi_pg_savepoint(belay_conn *conn, unsigned number, belay_error *error);
belay_code belayi_pg_release(belay_conn *conn, unsigned number, belay_error *error);
belay_code belayi_pg_rollback_to(belay_conn *conn, unsigned number, belay_error *error);

/* ---- What became of a commit: outcome.c ------------------------------------------------------------- */

/* A flight takes off between transactions: forgets the last one's number, and asks along, once a connection, what is
   needed to learn the next one's. */
belay_code belayi_pg_identity_prepare(belayi_pg_conn *conn, belay_error *error);

/* Asks along for the number of the transaction, behind what may have written, when it isn't known. What libpq said of
   queueing that. `may_deallocate`: that may have made the server forget what was prepared. */
int belayi_pg_identity_ask(belayi_pg_conn *conn, bool may_deallocate);

/* A result was read that nobody else takes: whether it is an answer to these. */
bool belayi_pg_identity_note(belayi_pg_conn *conn, const PGresult *result);

/* Whether it is certain, whatever COMMIT came to, that there is nothing to be kept. */
bool belayi_pg_keeps_nothing(const belayi_pg_conn *conn);

bool belayi_pg_identify(belay_conn *conn, belay_token *out_token);
belay_code belayi_pg_outcome(belay_conn *conn, const belay_token *token, belay_outcome *out_outcome,
                             belay_error *error);

/* The server has answered with `tag` where it should have kept the work, which means that it did not. */
belay_code belayi_pg_report_not_kept(const char *tag, belay_error *error);

/* ---- Prepared transactions: prepared.c --------------------------------------------------------------- */

belay_code belayi_pg_can_prepare(belay_conn *conn, belay_error *error);
belay_code belayi_pg_prepare_transaction(belay_conn *conn, const char *gid, belay_error *error);
belay_code belayi_pg_finish_prepared(belay_conn *conn, const char *gid, bool commit, belay_error *error);
belay_code belayi_pg_list_prepared(belay_conn *conn, void (*tell)(void *arg, const char *gid), void *arg,
                                   belay_error *error);

/* ---- Statements: statement.c ------------------------------------------------------------------------ */

typedef struct belayi_pg_parameters belayi_pg_parameters;

/* Keys of rows that were stored: see keys.h. */
typedef struct belayi_pg_keys {
    uint64_t *slots; /* 0: empty */
    size_t room, count;
    unsigned since; /* `undone` of the connection, when they were stored */
} belayi_pg_keys;

typedef struct belayi_pg_statement {
    belay_statement base;
    char *text;
    unsigned parameters;
    bool is_other; /* no SELECT, INSERT, UPDATE or DELETE: it may do anything */
    belayi_pg_name name;
    Oid *types;             /* that it was prepared with; 0: the server's guess */
    PGresult *first;        /* what `start` got: a row, or all there is. Kept for the names of the columns */
    PGresult *row;          /* a later row */
    bool waiting;           /* the row in `first` was not read yet */
    bool ended;             /* all was read, and `effect` is known */
    belay_effect effect;    /* has_last_id: it is of no INSERT */
    belayi_pg_keys keys;    /* rows of a table: of those before */
    belayi_pg_keys parents; /* rows of other tables that were there: see parents.c */
    uint64_t asked;         /* the server is asked of these rules beforehand: see asks.c */
} belayi_pg_statement;

belay_code belayi_pg_prepare(belay_conn *conn, const struct belayi_sql *sql, belay_statement **out_statement,
                             belay_error *error);
void belayi_pg_finalize(belay_statement *statement);
belay_code belayi_pg_execute(belay_statement *statement, size_t n, const belay_value *values, belay_effect *effect,
                             belay_error *error);
belay_code belayi_pg_start(belay_statement *statement, size_t n, const belay_value *values, belay_error *error);
belay_step belayi_pg_step(belay_statement *statement, belay_value *cells, belay_effect *effect, belay_error *error);
void belayi_pg_finish(belay_statement *statement);
const char *belayi_pg_column_name(belay_statement *statement, int column);

/* Looks at the values of a run and writes them as libpq takes them. */
belay_code belayi_pg_check_run(belayi_pg_statement *, size_t n, const belay_value *values, belayi_pg_parameters *out,
                               belay_error *error);

/* Queues a run, and before it the preparing where that is needed, in a flight that has taken off. */
belay_code belayi_pg_add_run(belayi_pg_statement *, size_t n, const belay_value *values, const belayi_pg_parameters *,
                             belay_error *error);

/* Whether what the server has can be used for these values. */
bool belayi_pg_is_prepared(const belayi_pg_statement *, size_t n, const belay_value *values);

/* Reads what a statement did from its result. */
void belayi_pg_note_effect(belayi_pg_conn *conn, PGresult *result, belay_effect *effect);

/* ---- The queue: queue.c ----------------------------------------------------------------------------------- */

belay_code belayi_pg_queue(belay_statement *statement, size_t n, const belay_value *values, belay_error *error);
belay_code belayi_pg_drain(belay_conn *conn, belay_error *error);

/* Reads the results of the `count` statements that were queued, up to the first failure. On failure the flight has
 * landed. */
belay_code belayi_pg_read_queue(belayi_pg_conn *conn, unsigned count, belay_error *error);

/* ---- Many rows: each.c ------------------------------------------------------------------------------------ */

belay_code belayi_pg_execute_each(belay_statement *statement, const belay_each *each, belay_effect *effect,
                                  belay_error *error);

/* ---- Values: values.c ------------------------------------------------------------------------------------- */

/* The parameters of one run, as libpq takes them; in the scratch of the connection. */
struct belayi_pg_parameters {
    const char **texts;
    int *lengths;
    int *formats;
};

/* BELAY_DATA, BELAY_MISUSE, BELAY_NO_MEMORY. */
belay_code belayi_pg_write_parameters(belayi_pg_conn *conn, size_t n, const belay_value *values,
                                      belayi_pg_parameters *out, belay_error *error);

enum { BELAYI_PG_NUMBER_ROOM = 40 };

/* Whether the value is bytes that are written as they are; a BLOB only as a parameter. */
bool belayi_pg_is_bytes(const belay_value *value);
/* Writes any other value, but NULL, with a NUL behind it. */
void belayi_pg_write_number(const belay_value *value, char out[BELAYI_PG_NUMBER_ROOM]);

/* The type that the value asks for, as a literal of it would have; 0: as the server sees fit. */
Oid belayi_pg_value_type(const belay_value *value);
/* Whether a parameter of that type takes the value. */
bool belayi_pg_type_takes(Oid type, const belay_value *value);

/* Reads the cells of the first row, once; borrowed until the result is cleared. */
belay_code belayi_pg_read_row(PGresult *result, belay_value *cells, belay_error *error);

/* ---- Errors: errors.c ---------------------------------------------------------------------------------- */

/* Fills *error from a failed result, and returns its code. */
belay_code belayi_pg_fail(belayi_pg_conn *conn, const PGresult *result, belay_error *error);

/* The same where there is no result: the connection is lost, or memory is out. */
belay_code belayi_pg_fail_link(belayi_pg_conn *conn, belay_error *error);

/* Whether it is an error that a row can be to blame for: no limit, no lock, no conflict with others, no want of room.
 */
bool belayi_pg_is_of_row(const belay_error *error);

/* From a failure to connect, whose text has the SQLSTATE in it. */
belay_code belayi_pg_fail_connect(PGconn *pg, belay_error *error);

/* Whether the failure says that a prepared statement is not what it was. */
bool belayi_pg_is_stale(const belay_error *error);

#endif
