/*
 * belay/adopt.h - Belay beside code that talks to the engine itself.
 *
 * A program that has a connection already can have scopes on it, and a program
 * that needs one of the engine's own functions can have the handle for it.
 */
#ifndef BELAY_ADOPT_H
#define BELAY_ADOPT_H

#include <belay/macros.h>
#include <belay/session.h>

BELAYI_BEGIN_C

struct sqlite3;
struct pg_conn;  /* PGconn */
struct st_mysql; /* MYSQL */

/*
 * Opens a session over a connection that the program has. The connection stays
 * the program's: its settings, handlers and open statements are never changed,
 * and belay_session_close leaves it open. It must outlive the session, and no
 * other thread may use it during a call on the session.
 *
 * The program may go on using the connection itself, also inside a scope: BEGIN
 * and savepoints are sent when a scope begins, not with its first statement. It
 * must leave the scopes' own savepoints (belay_1, belay_2, ...) alone, and no
 * writing statement may stand half-way when a scope begins or ends. A scope whose
 * transaction was ended behind it, by the program's own COMMIT or ROLLBACK, fails
 * with BELAY_MISUSE at its next call; at its end, when the program has begun
 * another one in its place, of which nothing is committed then.
 *
 * When the connection is already inside a transaction, an outermost scope is a
 * savepoint in it, and is never committed by Belay: its outcome is
 * BELAY_WORK_OPEN. There, belay_on_commit, .retries, .once, BELAY_OUTERMOST and
 * BELAY_REQUIRES_NEW are BELAY_UNSUPPORTED. A scope that can't be undone, as its
 * savepoint is gone, has the outcome BELAY_WORK_OPEN too: what it did is in the
 * program's transaction still.
 *
 * When an error ended the program's transaction, or a scope in it could not be
 * undone, every later scope, statement and belay_on_commit of the session answers
 * with that error until belay_catch covers it outside all scopes: what follows
 * must not commit on its own.
 *
 * On SQLite a lock is waited for as the connection's own busy handler says, but
 * for the beginning and the commit of a transaction, which are tried again until
 * the lock's time limit. The other limits are looked at between two calls; they
 * can't stop a statement that runs.
 *
 * NULL only when memory is out. For a NULL connection, every scope on the session
 * fails with BELAY_MISUSE. The caller owns the session: belay_session_close.
 */
BELAY_API belay_session *belay_adopt_sqlite(struct sqlite3 *connection);

/*
 * The same for a PGconn * of libpq, whose client_encoding must be UTF8
 * (BELAY_UNSUPPORTED). A lock is waited for as the connection's own lock_timeout
 * says. A connection with a result that was not read yet, or in pipeline mode, is
 * BELAY_MISUSE. In a build without PostgreSQL every scope on the session fails
 * with BELAY_UNSUPPORTED.
 */
BELAY_API belay_session *belay_adopt_postgresql(struct pg_conn *connection);

/*
 * The same over a MYSQL * of libmariadb. Its time limits are looked at between
 * two calls; how long a lock is waited for is the connection's own setting. With
 * autocommit off, the connection is inside a transaction of the program's. Rows of
 * a result that the program has not read to the end keep every call from working,
 * with BELAY_MISUSE. In a build without the driver every scope fails with
 * BELAY_UNSUPPORTED.
 */
BELAY_API belay_session *belay_adopt_mariadb(struct st_mysql *connection);

/*
 * Lends the engine's own handle of the innermost scope's transaction: a
 * sqlite3 *, a PGconn *. What is still owed, the BEGIN and the savepoints, is sent first, and
 * from then on nothing is owed or left out in this scope and those inside it: so
 * that what the program does with the handle belongs to the scope it does it in.
 *
 * Borrowed until the scope ends. It must not be used to begin or end
 * transactions, to release or go back to savepoints that are not its own, or to
 * change settings; statements made with it must be finalized before the scope
 * ends. NULL on error, and then the error is pending: misuse outside all scopes,
 * but for an adopted connection.
 */
#define belay_native(s) belay_native_at(s, BELAY_HERE)
BELAY_API void *belay_native_at(belay_session *, belay_place);

BELAYI_END_C

#endif
