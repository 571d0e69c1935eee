/*
 * belay/testing.h - for the tests of programs that use Belay.
 *
 *   belay_sandbox      a session whose work is always rolled back in the end
 *   belay_fail_nth     makes the n-th call of the driver fail
 *   belay_rehearse     runs a unit once for each of its calls, with that call failing, in each way that it can fail
 *   belay_run_twice    runs every unit that may be retried twice, to find code that can't be
 *   belay_set_clock, belay_set_random   time and chance of the test's own
 *
 * <belay/belay.h> does not include it.
 */
#ifndef BELAY_TESTING_H
#define BELAY_TESTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <belay/belay.h>

BELAYI_BEGIN_C

/* ---- Faults --------------------------------------------------------------------------------------------------- */

/*
 * Makes the n-th call from now on that any connection of the handle makes to its
 * engine fail with `code`; n = 0: none any more. Calls are: connecting, asking for
 * the isolation level, begin, savepoint, release, rollback to, commit, rollback,
 * preparing a statement, running it, reading a row (finding the end is one more),
 * and in a sandbox the check of what is deferred. With `onwards`, all calls after
 * it fail too.
 *
 * How it fails is told by the code:
 *   BELAY_CONNECTION     the connection is lost before the engine sees the call
 *   BELAY_IN_DOUBT       the engine does it, and the connection is lost before its answer arrives. The error of the
 *                        call is BELAY_CONNECTION; but of a commit, with this code and the one above, the outcome is
 *                        unknown, and then it is BELAY_IN_DOUBT
 *   BELAY_DEADLOCK, BELAY_SERIALIZATION   the engine has rolled the whole transaction back
 *   any other            the call does nothing and fails with this code
 * When a connection is lost, its transaction is rolled back at once. A database in
 * memory is gone with its connection.
 *
 * What is not made to fail is done by the engine as ever. No other thread may be
 * using the handle while this is called. BELAY_OK, or BELAY_MISUSE: no handle, one
 * that can't be used, a code that is no error's; or BELAY_NO_MEMORY.
 */
BELAY_API belay_code belay_fail_nth(belay_db *, unsigned n, belay_code code, bool onwards);

/*
 * How many calls were made since the last belay_fail_nth, and how many of them
 * failed because of it: a call on a connection that it has lost is one of them.
 * 0 for NULL, and before the first belay_fail_nth on the handle.
 */
BELAY_API unsigned belay_calls_made(const belay_db *);
BELAY_API unsigned belay_calls_failed(const belay_db *);

/* ---- Rehearsal ------------------------------------------------------------------------------------------------- */

/* One run of a rehearsal. */
typedef struct belay_rehearsal {
    unsigned call;    /* which call was made to fail, from 1; 0: none, a run in which all goes well */
    const char *kind; /* what it was: "connect", "isolation", "begin", "savepoint", "release", "rollback to", "commit",
                         "rollback", "prepare", "statement", "row", "check deferred", "queue", "rows"; "" for none */
    belay_code code;  /* how: as for belay_fail_nth */
    bool onwards;     /* and all calls after it */
    int result;       /* what the unit returned */
    belay_error status; /* how the session's last outermost scope ended: see its outcome */
} belay_rehearsal;

/* Called after each run, with a session on which nothing fails. Non-zero: what was found is not as it should be. */
typedef int (*belay_rehearsal_check)(belay_session *, const belay_rehearsal *, void *arg);

/* What a rehearsal came to. */
typedef struct belay_rehearsal_report {
    int runs;
    int refused;       /* how many of them the check refused */
    char first[512];   /* the first that it refused, in words; "" when there was none */
    belay_error error; /* why the rehearsal could not be held or finished; BELAY_OK when it was */
} belay_rehearsal_report;

/*
 * Runs `unit` again and again, on a new session each time, outside any scope and
 * with the handle's idle connections closed: once with nothing failing; then for
 * each call that it makes to the engine, in each way in which that call can fail,
 * once with that call alone and, when calls came after it, once with all of them
 * failing too; and at the end with nothing failing again. After each run it calls
 * `check`, which looks at what is left, and puts the tables back to where the next
 * run is to begin.
 *
 * `unit` is a function of the program's that opens its own scopes. What a run
 * leaves must be all of the unit's work where status.outcome is
 * BELAY_WORK_COMMITTED, nothing of it where it is BELAY_WORK_ROLLED_BACK, and
 * all or nothing where it is BELAY_WORK_UNKNOWN. The work is really committed:
 * use a database of the test's own, in a file: one in memory is BELAY_UNSUPPORTED,
 * as it is gone with the first connection that is lost.
 *
 * The ways are: for every call BELAY_IO, BELAY_NO_MEMORY, BELAY_CONNECTION and
 * BELAY_IN_DOUBT; for begin, statement and commit BELAY_LOCK_TIMEOUT and BELAY_BUSY;
 * for statement and commit BELAY_SERIALIZATION and BELAY_DEADLOCK; BELAY_UNIQUE for
 * a statement that writes; BELAY_FOREIGN_KEY for commit, as of a deferred key.
 *
 * A unit with .retries waits between its attempts, unless belay_set_random or
 * belay_set_clock spares it. Calls of several threads come in no certain order:
 * rehearse the work of one.
 *
 * The report's error is BELAY_OK, or: BELAY_MISUSE (no handle, one that can't be
 * used, no unit, no check; a unit that makes more than 10,000 calls, or goes on
 * for as long while all fail), BELAY_UNSUPPORTED, BELAY_NO_MEMORY, or a failure on
 * the check's session that the check did not read. Nothing fails any more when it
 * returns.
 */
BELAY_API belay_rehearsal_report belay_rehearse(belay_db *, belay_unit unit, belay_rehearsal_check check, void *arg);

/* ---- Sandbox ---------------------------------------------------------------------------------------------------- */

/*
 * Opens a session inside one transaction that is never committed. The outermost
 * scopes of the session are savepoints in it; belay_session_close rolls
 * everything back, so that the test leaves nothing. For the code under test it
 * is a session like any other: a unit that ends well has status BELAY_OK and
 * outcome BELAY_WORK_COMMITTED, and later units see its work.
 *
 * Deferred constraints are checked when an outermost scope ends, as its commit
 * would. On-commit hooks are captured instead of run. BELAY_REQUIRES_NEW inside
 * a scope is BELAY_UNSUPPORTED: its work would stay. On SQLite the sandbox takes
 * the write lock with its first statement and keeps it until it is closed.
 *
 * When an error ends the sandbox's transaction, or a unit in it can't be undone,
 * what its earlier units did is gone, nothing is retried, and every later scope,
 * statement and belay_on_commit answers with that error until belay_catch.
 *
 * NULL only when memory is out. The caller owns it: belay_session_close.
 */
BELAY_API belay_session *belay_sandbox(belay_db *);

/* How many on-commit hooks of units that ended well were captured and have not run; 0 on any other session. */
BELAY_API int belay_captured(const belay_session *);

/* The i-th of them, from 0, and its argument, to be looked at; NULL when there is none. The argument stays its owner's.
 */
BELAY_API belay_hook belay_captured_hook(const belay_session *, int i, void **out_arg);

/*
 * Runs them in the order of registration, as after a commit, and forgets them. How many failed. Those of units that the
 * hooks themselves run are captured anew. Misuse with a scope open.
 */
BELAY_API int belay_run_captured(belay_session *);

/* ---- Twice ------------------------------------------------------------------------------------------------------ */

/*
 * With `on`, every outermost block or callback with .retries on this handle that
 * would commit at its first attempt is rolled back there, as by a serialization
 * failure, and runs again at once; that attempt does not count against .retries.
 * A program that comes to the same result with and without it keeps nothing
 * between attempts that it should not.
 */
BELAY_API void belay_run_twice(belay_db *, bool on);

/* ---- Time and chance -------------------------------------------------------------------------------------------- */

/* A monotonic clock, in nanoseconds. Both functions may be called from any thread. */
typedef struct belay_clock {
    int64_t (*now_ns)(void *arg);                         /* more than 0; does not go back */
    void (*sleep_until_ns)(void *arg, int64_t moment_ns); /* returns when now_ns is at `moment_ns` or later */
    void *arg;
} belay_clock;

/*
 * Makes all of this process's limits, backoffs and trace times count by `clock`;
 * NULL, or one that lacks a function: by the system's again. The struct is copied.
 * No call may be under way, and no scope with a limit open.
 *
 * A wait for another thread, in the queue for a connection or for SQLite's write
 * lock, still takes real time: as much as there was left on `clock` when it began.
 * A wait for a lock that another handle or program holds sleeps on `clock`.
 */
BELAY_API void belay_set_clock(const belay_clock *clock);

/*
 * Makes the backoff's random numbers come from `next`; NULL: from the library's
 * own generator again. It gives any 64 bits: 0 makes no wait, UINT64_MAX the
 * longest, which is the bound itself. May be called from any thread. No call may
 * be under way.
 */
BELAY_API void belay_set_random(uint64_t (*next)(void *arg), void *arg);

BELAYI_END_C

#endif
