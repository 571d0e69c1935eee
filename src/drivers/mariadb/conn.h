/*
 * conn.h - what the files of the MariaDB driver share: a database, a connection,
 * a statement, and the functions behind the slots of belay_driver.
 *
 * Invariants:
 *   - whether a transaction is open is the server's to say. The status flag of
 *     its last answer says it, but an error carries no flag: after one that may
 *     have ended the transaction `doubt` is set, and nothing is sent in the
 *     belief that the transaction is open before the server was asked.
 *   - a KILL QUERY was answered before the next command is sent, and if it may
 *     have come too late for its statement, an empty one is sent to take it.
 *   - `lost` is set once and for good; nothing is sent then.
 */
#ifndef BELAYI_MARIADB_CONN_H
#define BELAYI_MARIADB_CONN_H

#include <mysql.h>

#include <belay/sys/driver.h>

#include "lexer.h"

/* ---- A database ------------------------------------------------------------------------------- */

typedef struct belayi_mariadb_shared {
    char *memory; /* of the texts beneath */
    const char *host;
    const char *user;
    const char *password;
    const char *database; /* NULL: none */
    const char *socket;   /* NULL: TCP */
    const char *tls_ca, *tls_certificate, *tls_key;
    bool tls, tls_verify;
    unsigned port;
    int64_t connect_ns; /* the longest wait for a connection */
    MYSQL *adopted;     /* the program's own connection, which is the whole database then; else NULL */
} belayi_mariadb_shared;

belay_code belayi_mariadb_shared_init(void *shared, const char *url, int *out_max_connections, belay_error *error);
belay_code belayi_mariadb_shared_adopt(void *shared, void *native, belay_error *error);
void belayi_mariadb_shared_done(void *shared);

struct belayi_mariadb_bulk;

/* ---- A connection ------------------------------------------------------------------------------ */

enum { BELAYI_MARIADB_LEVEL_UNKNOWN = 99, BELAYI_MARIADB_NAME_ROOM = 32, BELAYI_MARIADB_SETTING_ROOM = 128 };

/* What the next statement takes along: see ahead.c. */
typedef struct belayi_mariadb_owed {
    bool begin, read_only;
    belay_level level;     /* of the transaction that is to begin */
    unsigned release;      /* from this savepoint on; 0: none */
    unsigned first, count; /* savepoints that are to be set */
    bool guard;            /* a savepoint around a statement that may end the transaction: see call.c */
    bool each;             /* a savepoint before rows of execute_each: see each.c */
} belayi_mariadb_owed;

typedef struct belayi_mariadb_ahead {
    struct st_mariadb_methods methods;    /* the connection's: */
    const struct st_mariadb_methods *own; /* the library's, but for those that read answers */
    unsigned waiting;                     /* commands that were sent, and whose answers were not read yet */
    unsigned number;                      /* of the first error among them; 0: none failed */
    bool only_sends;                      /* a statement's answer is read later */
    char sqlstate[6], text[320];
} belayi_mariadb_ahead;

/* What is known of the table that a statement writes to: see table.c. It holds as long as no other statement is run,
   and the transaction, which has the table's metadata lock, is open. */
typedef struct belayi_mariadb_vetted {
    const belay_statement *statement; /* NULL: nothing is known */
    bool timeout_ends;                /* a lock timeout ends the transaction: innodb_rollback_on_timeout */
    bool plain;                       /* its rows can be run in other ways than one by one */
    bool has_generated_key;           /* an AUTO_INCREMENT column, named */
    char generated_key[64 * 4 + 1];
    long triggers; /* that were run in the session, before a row was kept; -1: one was, and it ran none */
} belayi_mariadb_vetted;

typedef struct belayi_mariadb_conn {
    belay_conn base;
    MYSQL *db; /* NULL: not open */
    belayi_sql_rules rules;

    bool adopted;                             /* the program's: its settings are left alone, and calls on it block */
    bool lent;                                /* to the program: it may have changed what it likes */
    bool began;                               /* a transaction that this driver began, or owes, as far as it was told */
    const char *xa;                           /* the name of the XA transaction that is open; NULL: none is */
    bool prepared;                            /* it was prepared here */
    bool doubt;                               /* an error may have ended the transaction: the server must be asked */
    bool ended;                               /* a statement has ended it, and what is open now is another one */
    bool lost;                                /* of no use any more */
    unsigned ended_by;                        /* the server's error that put the transaction in doubt; 0: none */
    struct belayi_mariadb_statement *reading; /* whose rows are not all read yet */

    belayi_mariadb_owed owed;
    belayi_mariadb_ahead ahead;
    belayi_mariadb_vetted vetted;

    /* Of the command that is being waited for. */
    int64_t cancel_at;  /* 0: it is not cancelled */
    int64_t hang_up_at; /* 0: it is waited for without a limit */
    bool cancelled;     /* KILL QUERY was sent, and answered */
    bool given_up;      /* no answer came in time, and the connection was given up */
    bool late_cancel;   /* it may hit the next command */

    /* Settings of the session, as they were sent last. */
    int64_t lock_wait_s; /* -1: not known */
    int64_t idle_s;      /* of a transaction, in seconds; 0: as the session had it; -1: not known */
    unsigned level;      /* a belay_level; DEFAULT: that of the database; BELAYI_MARIADB_LEVEL_UNKNOWN */
    bool has_snapshot;   /* innodb_snapshot_isolation is there */
    bool snapshot_on;    /* as the database has it */
    uint64_t max_packet; /* the server closes a connection on which more comes at once; 0: not known */
    char default_level[BELAYI_MARIADB_NAME_ROOM];
    char level_variable[BELAYI_MARIADB_NAME_ROOM]; /* tx_isolation, transaction_isolation */
    belay_level own_level;                         /* of an adopted connection's transaction that we began */
} belayi_mariadb_conn;

static inline const belayi_mariadb_shared *belayi_mariadb_shared_of(const belayi_mariadb_conn *conn)
{
    return conn->base.shared;
}

belay_code belayi_mariadb_open(belay_conn *conn, belay_error *error);
void belayi_mariadb_close(belay_conn *conn);
void belayi_mariadb_disown(belay_conn *conn);
void *belayi_mariadb_native(belay_conn *conn);
belay_transaction_status belayi_mariadb_status(belay_conn *conn);
belay_code belayi_mariadb_isolation(belay_conn *conn, belay_level *out_level, belay_error *error);

/* Reads again what the session's settings make of a text. */
belay_code belayi_mariadb_renew_rules(belayi_mariadb_conn *conn, belay_error *error);

/* Writes what puts the limit for one lock in force. False when it is. */
bool belayi_mariadb_write_lock_limit(belayi_mariadb_conn *conn, char text[BELAYI_MARIADB_SETTING_ROOM]);
/* The same for how long a transaction may idle: at the limit the server hangs up. */
bool belayi_mariadb_write_idle_limit(belayi_mariadb_conn *conn, char text[BELAYI_MARIADB_SETTING_ROOM]);
/* The same for the level of what comes next. */
bool belayi_mariadb_write_level(belayi_mariadb_conn *conn, belay_level level, char text[BELAYI_MARIADB_SETTING_ROOM]);

/* Whether the server can give it. */
belay_code belayi_mariadb_check_level(const belayi_mariadb_conn *conn, belay_level level, belay_error *error);
/* On a connection of the program's, where the session's level stays. */
belay_code belayi_mariadb_set_next_level(belayi_mariadb_conn *conn, belay_level level, belay_error *error);

/* They may be other than they were told to be. */
void belayi_mariadb_forget_settings(belayi_mariadb_conn *conn);

/* ---- Waiting: wait.c ------------------------------------------------------------------------------ */

/* What the deadline means for a command. */
typedef enum belayi_mariadb_patience {
    BELAYI_MARIADB_STATEMENT, /* the statement is cancelled at the deadline */
    BELAYI_MARIADB_CONTROL,   /* it is never cancelled, and given up with its connection long after the deadline */
    BELAYI_MARIADB_BACK       /* the same, and given up some time also where there is no deadline */
} belayi_mariadb_patience;

/* Makes ready for a command: its limits begin anew. Fails when the connection was lost or is in use. */
belay_code belayi_mariadb_ready(belayi_mariadb_conn *conn, belayi_mariadb_patience patience, belay_error *error);

/* After a statement was answered: a cancel that came too late is taken from the line. */
void belayi_mariadb_settle(belayi_mariadb_conn *conn);

/* Gives up the connection, and has the server stop what was sent on it. */
void belayi_mariadb_break_off(belayi_mariadb_conn *conn);

/* The calls of the client library that wait, each 0 or the library's failure. */
int belayi_mariadb_query(belayi_mariadb_conn *conn, const char *text, size_t size);
/* Only sends: the answer is read by whatever reads one next. */
int belayi_mariadb_send(belayi_mariadb_conn *conn, const char *text, size_t size);
MYSQL_RES *belayi_mariadb_store(belayi_mariadb_conn *conn);
/* Reads the answer to what was only sent. */
int belayi_mariadb_read_answer(belayi_mariadb_conn *conn);
int belayi_mariadb_next_result(belayi_mariadb_conn *conn);
int belayi_mariadb_stmt_send(belayi_mariadb_conn *conn, MYSQL_STMT *stmt);
int belayi_mariadb_stmt_prepare(belayi_mariadb_conn *conn, MYSQL_STMT *stmt, const char *text, size_t size);
int belayi_mariadb_stmt_execute(belayi_mariadb_conn *conn, MYSQL_STMT *stmt);
int belayi_mariadb_stmt_fetch(belayi_mariadb_conn *conn, MYSQL_STMT *stmt);
int belayi_mariadb_stmt_free_result(belayi_mariadb_conn *conn, MYSQL_STMT *stmt);
int belayi_mariadb_stmt_next_result(belayi_mariadb_conn *conn, MYSQL_STMT *stmt);

/* Connects within `end_ns`, 0 being no limit. False on failure; then *out_mysql, unless NULL, tells why. */
bool belayi_mariadb_connect(const belayi_mariadb_shared *shared, int64_t end_ns, MYSQL **out_mysql);

/* Whether the server has closed its end, or said something that nobody asked for, which it does before closing. */
bool belayi_mariadb_hung_up(const belayi_mariadb_conn *conn);
/* The same of a connection that is idle; never of the program's own, on which a result of its own may lie. */
bool belayi_mariadb_hung_up_idle(belay_conn *conn);

/* ---- Commands: command.c ---------------------------------------------------------------------------- */

/* Runs a command without rows. */
belay_code belayi_mariadb_run(belayi_mariadb_conn *conn, const char *text, belay_error *error);

/* Runs a query; the caller frees *out_rows. */
belay_code belayi_mariadb_ask(belayi_mariadb_conn *conn, const char *text, MYSQL_RES **out_rows, belay_error *error);

/* An answer to one of several commands. */
typedef struct belayi_mariadb_reply {
    MYSQL_RES *rows; /* NULL: it gave none */
    unsigned warnings;
} belayi_mariadb_reply;

/* Only sends: false when it could not. All answers are read by the other, the first error being that of all. */
bool belayi_mariadb_send_all(belayi_mariadb_conn *conn, size_t n, const char *const *texts);
belay_code belayi_mariadb_read_replies(belayi_mariadb_conn *conn, size_t n, belayi_mariadb_reply *replies,
                                       belay_error *error);

/* Runs what is owed and then the commands, and waits once. The first error is that of all, but all are run. The caller
   frees the rows: belayi_mariadb_free_replies. */
belay_code belayi_mariadb_ask_all(belayi_mariadb_conn *conn, size_t n, const char *const *texts,
                                  belayi_mariadb_reply *replies, belay_error *error);
void belayi_mariadb_free_replies(size_t n, belayi_mariadb_reply *replies);

/* Whether the server's last answer says that a transaction is open. */
static inline bool belayi_mariadb_flag(const belayi_mariadb_conn *conn)
{
    return conn->db->server_status & SERVER_STATUS_IN_TRANS;
}

static inline bool belayi_mariadb_is_autocommit(const belayi_mariadb_conn *conn)
{
    return conn->db->server_status & SERVER_STATUS_AUTOCOMMIT;
}

/* ---- What goes ahead of the next command: ahead.c --------------------------------------------------------------- */

/* Makes a new connection fit for it. */
void belayi_mariadb_prepare_ahead(belayi_mariadb_conn *conn);

/* Sends what is owed, and the settings that a statement needs. The statement is sent right after. */
belay_code belayi_mariadb_send_ahead(belayi_mariadb_conn *conn, bool waits_for_locks, belay_error *error);

/* After the statement: fails when one of those ahead of it had failed. `answered`: and it did not itself. */
belay_code belayi_mariadb_check_ahead(belayi_mariadb_conn *conn, bool answered, belay_error *error);

/* Sends what is owed, and waits for it. */
belay_code belayi_mariadb_pay(belayi_mariadb_conn *conn, belay_error *error);

void belayi_mariadb_owe_nothing(belayi_mariadb_conn *conn);

/* ---- Transactions: transaction.c ------------------------------------------------------------------- */

belay_code belayi_mariadb_begin(belay_conn *conn, const belay_begin_options *options, belay_error *error);
belay_code belayi_mariadb_commit(belay_conn *conn, belay_error *error);
belay_code belayi_mariadb_check_deferred(belay_conn *conn, belay_error *error);
belay_code belayi_mariadb_rollback(belay_conn *conn, belay_error *error);
belay_code belayi_mariadb_savepoint(belay_conn *conn, unsigned number, belay_error *error);
belay_code belayi_mariadb_release(belay_conn *conn, unsigned number, belay_error *error);
belay_code belayi_mariadb_rollback_to(belay_conn *conn, unsigned number, belay_error *error);

/* Goes back by a text of that, and fails when not all was undone by it. */
belay_code belayi_mariadb_go_back(belayi_mariadb_conn *conn, const char *text, belay_error *error);

/* Before the handle is lent: sends what is owed, and sets a savepoint by which it is known at the commit whether the
   program has ended the transaction meanwhile. */
belay_code belayi_mariadb_lend(belayi_mariadb_conn *conn, belay_error *error);

/* Fails when the transaction that was begun is not open any more: nothing may run then as if it were. */
belay_code belayi_mariadb_check_open(belayi_mariadb_conn *conn, belay_error *error);

/* No transaction is open any more. */
void belayi_mariadb_note_end(belayi_mariadb_conn *conn);

/* Fails when the connection is of no use, before anything is sent that would be lost. */
belay_code belayi_mariadb_check_there(belayi_mariadb_conn *conn, belay_error *error);

/* ---- Prepared transactions: prepared.c -------------------------------------------------------------- */

/* A transaction that is to be prepared is another kind from its beginning to its end. */
belay_code belayi_mariadb_begin_xa(belayi_mariadb_conn *conn, const char *gid, belay_error *error);
belay_code belayi_mariadb_commit_xa(belayi_mariadb_conn *conn, const char *gid, belay_error *error);
belay_code belayi_mariadb_rollback_xa(belayi_mariadb_conn *conn, const char *gid, belay_error *error);

belay_code belayi_mariadb_can_prepare(belay_conn *conn, belay_error *error);
belay_code belayi_mariadb_prepare_transaction(belay_conn *conn, const char *gid, belay_error *error);
belay_code belayi_mariadb_finish_prepared(belay_conn *conn, const char *gid, bool commit, belay_error *error);
belay_code belayi_mariadb_list_prepared(belay_conn *conn, void (*tell)(void *arg, const char *gid), void *arg,
                                        belay_error *error);

/* ---- Statements: statement.c ------------------------------------------------------------------------ */

typedef struct belayi_mariadb_column {
    union {
        long long integer;
        double real;
    } number;
    char digits[24]; /* of an integer that is too large for the caller's */
    char *data;      /* of a text or bytes */
    unsigned long room, size;
    my_bool is_null, is_cut;
} belayi_mariadb_column;

typedef struct belayi_mariadb_statement {
    belay_statement base;
    MYSQL_STMT *native;
    char *text;
    size_t size;
    unsigned parameters, places;
    unsigned *order; /* for each place, which value */
    MYSQL_BIND *bound;
    char (*moments)[32]; /* texts of timestamps, one a place */
    belayi_sql_kind kind;
    bool nowait;         /* it says itself that it waits for no lock */
    bool may_steer;      /* it may change settings of the session */
    bool may_end_unseen; /* it may run a procedure, which commits and begins again */
    bool guarded;        /* a savepoint was set ahead of it, to find that out */
    bool has_result;     /* of the last run, not freed yet */
    bool outdated;       /* it must be prepared anew */
    bool done;           /* the run that `start` began has come to its end */
    int64_t rows;        /* that it gave */

    struct belayi_mariadb_bulk *bulk; /* bulk.c: the same for many rows at once; NULL: not yet */

    int room; /* for so many columns */
    belayi_mariadb_column *columns;
    MYSQL_BIND *cells;
} belayi_mariadb_statement;

belay_code belayi_mariadb_prepare(belay_conn *conn, const struct belayi_sql *sql, belay_statement **out_statement,
                                  belay_error *error);
void belayi_mariadb_finalize(belay_statement *statement);
bool belayi_mariadb_self_contained(belay_statement *statement);
belay_code belayi_mariadb_execute(belay_statement *statement, size_t n, const belay_value *values, belay_effect *effect,
                                  belay_error *error);
belay_code belayi_mariadb_start(belay_statement *statement, size_t n, const belay_value *values, belay_error *error);
belay_step belayi_mariadb_step(belay_statement *statement, belay_value *cells, belay_effect *effect,
                               belay_error *error);
void belayi_mariadb_finish(belay_statement *statement);
const char *belayi_mariadb_column_name(belay_statement *statement, int column);

belay_code belayi_mariadb_execute_each(belay_statement *statement, const belay_each *each, belay_effect *effect,
                                       belay_error *error);
void belayi_mariadb_free_bulk(struct belayi_mariadb_bulk *);

/* A statement is done that the server has cancelled without failing: that is a timeout. */
belay_code belayi_mariadb_check_cancel(const belayi_mariadb_conn *conn, belay_error *error);

/* Refuses what the server would not take, and close the connection for. */
belay_code belayi_mariadb_check_packet(const belayi_mariadb_conn *conn, size_t size, belay_error *error);

/* call.c: whether a statement may end the transaction unseen. */
bool belayi_mariadb_may_end_unseen(const belayi_sql *sql, const char *text);
/* Before it is sent: its savepoint is owed. */
void belayi_mariadb_guard(belayi_mariadb_statement *s);
/* After it was done: fails when it has ended the transaction. */
belay_code belayi_mariadb_check_guard(belayi_mariadb_statement *s, belay_error *error);
/* After it failed with *error: adds to that what else it did. */
void belayi_mariadb_judge_guard(belayi_mariadb_statement *s, belay_error *error);

/* plain.c: whether all that a statement does is to write to one table, which *out_table then is, as it stands there. */
bool belayi_mariadb_is_plain(belayi_sql_kind kind, const char *text, const char **out_table, size_t *out_size);

/* values.c: binds the parameters, where they lie; makes room for the columns; reads a row into cells. */
belay_code belayi_mariadb_check_value(const belay_value *value, size_t number, belay_error *error);
enum enum_field_types belayi_mariadb_type_of(belay_type type); /* as it is sent */
belay_code belayi_mariadb_bind(belayi_mariadb_statement *s, size_t n, const belay_value *values, belay_error *error);
bool belayi_mariadb_make_columns(belayi_mariadb_statement *s);
bool belayi_mariadb_read_row(belayi_mariadb_statement *s, belay_value *cells);
void belayi_mariadb_free_columns(belayi_mariadb_statement *s);

/* ---- Errors: errors.c ---------------------------------------------------------------------------------- */

/* When an error came. */
typedef enum belayi_mariadb_phase {
    BELAYI_MARIADB_OPENING,
    BELAYI_MARIADB_RUNNING,
    BELAYI_MARIADB_COMMITTING
} belayi_mariadb_phase;

/* Fills *error from the connection's, or the statement's, last error, notes what it does to the connection, and
   returns its code. */
belay_code belayi_mariadb_fail(belayi_mariadb_conn *conn, belayi_mariadb_phase phase, belay_error *error);
belay_code belayi_mariadb_fail_statement(belayi_mariadb_statement *s, belay_error *error);

/* Fills *error and returns its code; the connection's state is not touched. */
belay_code belayi_mariadb_describe(unsigned number, const char *sqlstate, const char *text, belay_error *error);

/* Whether it says that the connection is gone. */
bool belayi_mariadb_is_loss(unsigned number);

#endif
