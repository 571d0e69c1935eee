/*
 * belay/db.h - a database: its URL, its connections, its defaults.
 */
#ifndef BELAY_DB_H
#define BELAY_DB_H

#include <stdbool.h>
#include <stddef.h>

#include <belay/error.h>
#include <belay/macros.h>
#include <belay/trace.h>

BELAYI_BEGIN_C

/* A database. May be used from any thread. */
typedef struct belay_db belay_db;

/* How much a log line matters. */
typedef enum belay_log_level { BELAY_LOG_WARNING, BELAY_LOG_ERROR } belay_log_level;

/*
 * Receives what the library has to say on its own: a failure that nobody read,
 * a hook that failed, work that was left open. The library itself never prints.
 * `line` is borrowed until the call returns. May be called from any thread that
 * uses the database; must not use the session that it is called for.
 */
typedef void (*belay_log)(void *arg, belay_log_level level, const char *line);

/*
 * Options of belay_open. Zero is the default of each field.
 */
typedef struct belay_db_options {
    size_t size;         /* of this struct, set by BELAY_DB_OPTIONS; 0 means the layout of the first release */
    int pool_size;       /* connections at most; default 8. In-memory databases have one, whatever is asked */
    int pool_timeout_ms; /* longest wait for a free connection, then BELAY_TOO_MANY; default 30,000; -1: no limit */
    int pool_max_age_ms; /* a connection older than this is closed when it comes back, or is not lent again; default: no
                            limit. Never that of a database in memory */
    int statement_cache; /* prepared statements kept for each connection; default 128; -1: none */
    bool require_scope;  /* a statement outside any scope is BELAY_MISUSE instead of its own transaction */
    int timeout_ms;      /* defaults of the scopes' time limits: see belay_scope_options; */
    int lock_timeout_ms; /* default 5,000 */
    int idle_timeout_ms;
    belay_log log; /* NULL: nothing is logged */
    void *log_arg;
    belay_trace trace; /* NULL: nothing is traced, unless BELAY_TRACE is set in the environment: see belay/trace.h */
    void *trace_arg;
    const char *once_table; /* where the keys of units with .once are kept; default "belay_once". Made when it is first
                               needed. Up to 63 letters, digits and _, the first no digit */
    int once_keep_days;     /* how long a key is kept, by the engine's clock; default 30; -1: for ever. Older ones are
                               deleted now and then, when a unit with .once begins */
    const char *decision_log; /* the URL of the database that holds the decisions of units over two databases; NULL:
                                 none. See belay/two_phase.h */
} belay_db_options;

#ifndef __cplusplus
/* Options in place: belay_open(url, BELAY_DB_OPTIONS(.pool_size = 4)). Lives until the end of the enclosing block. */
#define BELAY_DB_OPTIONS(...) (&(const belay_db_options){.size = sizeof(belay_db_options), __VA_ARGS__})
#endif

/*
 * Opens a database.
 *
 * URLs:
 *   sqlite:PATH              a file, made when it is missing; sqlite:/abs/path, sqlite:rel/path
 *   sqlite::memory:          a database in memory, gone with the handle; it has one connection,
 *                            for which sessions queue
 *   postgresql://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=verify-full
 *                            a server of PostgreSQL, where this build has its driver; postgres://
 *                            is the same. All that libpq's URLs take, host and user included;
 *                            ?host=/folder is a unix socket. Nothing is taken from ~/.pgpass;
 *                            connecting takes at most connect_timeout seconds (default 30)
 *   mariadb://USER:PASSWORD@HOST:PORT/DATABASE
 *                            a server of MariaDB, 10.5 or later, where this build has its driver;
 *                            mysql:// is the same. A URL without a user is refused; port 3306
 * docs/servers.md tells what differs on the two servers.
 *
 * Parameters of SQLite follow a question mark and are separated by &:
 *   mode=ro | rw | rwc       read only; must exist; made when missing (default rwc)
 *   journal=wal | delete | truncate | persist | memory
 *                            default wal; a file opened with mode=ro keeps its own. With memory, a
 *                            crash inside a unit leaves a damaged file: for data that can be made anew
 *   synchronous=full | extra | normal
 *                            default full: a committed unit survives a loss of power. normal gives
 *                            that up in WAL mode, not the file's soundness
 *   foreign_keys=on | off    default on
 *   cache_kib=N              page cache of each connection, in KiB
 * Parameters of MariaDB:
 *   socket=PATH              a unix socket; without it TCP is used, also for localhost
 *   connect_seconds=N        the longest wait for a connection (default 10)
 *   tls=off | on | verify    default off; verify checks the server's certificate
 *   tls_ca=PATH, tls_cert=PATH, tls_key=PATH
 * All parts of a URL are percent-decoded. An unknown, doubled or malformed
 * parameter is an error. Nothing is taken from the environment.
 *
 * Gives a handle unless memory is out. A bad URL, an engine that this build has
 * no support for, or a refused connection is in belay_db_error and is the error
 * of every scope on the handle: a bad URL for good, a refused connection until
 * a later attempt succeeds. One connection is tried at once.
 *
 * The options are copied. The caller owns the handle: belay_close.
 *
 * Errors: BELAY_MISUSE (URL or options), BELAY_UNSUPPORTED (no such engine in
 * this build), BELAY_CONNECTION, BELAY_PERMISSION, BELAY_READ_ONLY,
 * BELAY_CORRUPT (not a database), BELAY_IO, BELAY_NO_MEMORY.
 */
BELAY_API belay_db *belay_open(const char *url, const belay_db_options *options);

/*
 * Closes a database. Sessions that are still open become inert: every call on
 * them answers BELAY_MISUSE, what they have open is rolled back when they are
 * closed, and they must still be closed by belay_session_close. Accepts NULL. In
 * a child after fork it frees nothing of the parent's connections and never
 * touches the database.
 */
BELAY_API void belay_close(belay_db *);

/*
 * Why the handle can't be used at the moment; ->code is BELAY_OK when all is
 * well. Never NULL. Borrowed until the next call on the handle by any thread.
 */
BELAY_API const belay_error *belay_db_error(const belay_db *);

/* The engine's name: "sqlite". "" when the URL was no good. Never NULL. */
BELAY_API const char *belay_db_engine(const belay_db *);

BELAYI_END_C

#endif
