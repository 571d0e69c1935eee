/*
 * belay/session.h - one conversation with a database.
 *
 * A session holds the stack of open scopes, the pending error and the outcome
 * of the last unit. It takes a connection from the pool when the outermost
 * scope first needs one, and gives it back when that scope ends.
 *
 * One thread at a time. A call made while another thread is inside a call on
 * the same session is refused with BELAY_MISUSE and does nothing; the refusal
 * is also made pending in the owner's scope at its next call, since the refused
 * work is missing there. A thread must not be cancelled (pthread_cancel) while
 * it is in a call: SQLite's own waits are points of cancellation.
 */
#ifndef BELAY_SESSION_H
#define BELAY_SESSION_H

#include <belay/db.h>
#include <belay/error.h>
#include <belay/macros.h>

BELAYI_BEGIN_C

typedef struct belay_session belay_session;

/*
 * Opens a session. Takes no connection and sends nothing. NULL only when memory
 * is out; every function takes a NULL session and answers with an error. With
 * a NULL database, or one whose URL is no good, the session opens, and every
 * scope on it fails with the reason; with a refused connection, every scope that
 * runs a statement. The caller owns it: belay_session_close.
 */
BELAY_API belay_session *belay_session_open(belay_db *);

/*
 * Closes a session. Open scopes are rolled back; results still open become
 * inert and must still be closed. Returns the first failure that nobody read
 * (see belay_unread); BELAY_ABANDONED when work was open and nothing had failed;
 * else BELAY_OK. Accepts NULL. Called by a hook or callback of the session's own,
 * or while a call on it is being made, it closes nothing: BELAY_MISUSE. Inside a
 * block of the session it is undefined.
 */
BELAY_API belay_code belay_session_close(belay_session *);

/* ---- Where one stands -------------------------------------------------------------------------
 *
 * These, belay_caught, belay_unread and belay_hook_errors are for the thread that uses the session: they are not
 * guarded against another one.
 */

/* How many scopes are open; 0 outside all of them and for NULL. */
BELAY_API int belay_depth(const belay_session *);

/* Whether a scope is open, even one that has not sent its BEGIN yet. */
BELAY_API bool belay_in_transaction(const belay_session *);

/* Which attempt of the outermost scope this is, from 1; 0 outside all scopes. */
BELAY_API int belay_attempt(const belay_session *);

/* ---- Errors -----------------------------------------------------------------------------------
 *
 * A failed statement makes its error pending in the scope that it failed in.
 * While an error is pending, calls on the session return its code and send
 * nothing. When the scope ends it is rolled back, and the error becomes pending
 * in the scope outside it, as an exception would travel. The first error wins:
 * a later one never takes its place.
 *
 * A broken rule of this library is BELAY_MISUSE, an error like any other. With
 * BELAY_ABORT_ON_MISUSE set in the environment it ends the process with abort(),
 * at the call, for a debugger.
 */

/*
 * In a scope: the code of the pending error, BELAY_ROLLED_BACK after belay_undo,
 * or BELAY_OK. Outside all scopes: how the last outermost scope ended (a
 * statement outside any scope is an outermost scope of one statement). Reading
 * it counts as having read it. BELAY_MISUSE for NULL.
 */
BELAY_API belay_code belay_status(belay_session *);

/*
 * The same for a person, in one line: what, where, what became of the work, and
 * whether trying again may help. Never NULL. Borrowed until the next call on
 * the session.
 */
BELAY_API const char *belay_message(belay_session *);

/* The same as a record. Never NULL; ->code is BELAY_OK when there is no error. Borrowed until the next call. */
BELAY_API const belay_error *belay_pending(belay_session *);

/*
 * Catches an error. True when the pending error came out of an inner scope that
 * has ended and `which` (a code, a class, or BELAY_ANY) covers it: it is no longer
 * pending then, and belay_caught holds it. Outside all scopes it catches the
 * error that the last outermost scope ended with.
 *
 * Once any call in a scope has been refused because of an error, the error is
 * the scope's own and can never be caught there: otherwise a unit with a hole
 * in it could commit. An error that ended the whole transaction (deadlock,
 * serialization failure, lost connection, no connection, a failed BEGIN, a
 * damaged database, an engine that rolled back on its own, belay_fail with such
 * a code) is never caught inside the transaction. A lock timeout or busy can be caught.
 */
BELAY_API bool belay_catch(belay_session *, belay_code which);

/* belay_catch without wanting to know. */
BELAY_API void belay_ignore(belay_session *, belay_code which);

/* The error that was last caught. Never NULL. Borrowed until the next error is caught. */
BELAY_API const belay_error *belay_caught(const belay_session *);

/*
 * The first failed outcome of an outermost scope that nobody has read, by
 * belay_status, belay_message, belay_pending, belay_catch or a code returned by
 * belay_commit, belay_rollback or belay_atomic. Never NULL; ->code is BELAY_OK when there is
 * none. It is logged when the next outermost scope begins.
 */
BELAY_API const belay_error *belay_unread(const belay_session *);

/*
 * Raises an error of the program's own in the innermost scope. `code` is any
 * code but BELAY_OK, BELAY_ROLLED_BACK and BELAY_ANY, which are misuse. Returns
 * the code that is pending afterwards: an earlier error wins. Outside all scopes
 * it becomes the status.
 */
#define belay_fail(s, code, ...) belay_fail_at(s, BELAY_HERE, code, __VA_ARGS__)
BELAY_API belay_code belay_fail_at(belay_session *, belay_place, belay_code, const char *format, ...)
    BELAYI_PRINTF(4, 5);

/*
 * Raises an error again as it was, with its place and constraint: for one that
 * was caught and turns out to be none that the program can go on from. The same
 * rules as for belay_fail. The record is copied. Misuse for NULL.
 */
#define belay_raise(s, error) belay_raise_at(s, BELAY_HERE, error)
BELAY_API belay_code belay_raise_at(belay_session *, belay_place, const belay_error *);

BELAYI_END_C

#endif
