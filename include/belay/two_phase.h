/*
 * belay/two_phase.h - one unit over two databases.
 *
 * A transfer from an account in PostgreSQL to one in MariaDB is two transactions,
 * and committing one after the other loses money when the program dies between
 * them. Here both are *prepared* first: each server promises that it will be able
 * to commit, whatever comes. Then one row, committed in one place, decides for
 * both. What a crash leaves prepared is found and ended by belay_recover, as the
 * row says, or, where there is none, by rolling back (presumed abort; Mohan,
 * Lindsay, Obermarck, 1986).
 *
 * Which engines can prepare: PostgreSQL when its max_prepared_transactions is not
 * 0 (it is by default), MariaDB always (XA, on tables of InnoDB). SQLite can't. One
 * of the two databases may be one that can't; two that can't are BELAY_UNSUPPORTED.
 *
 * The decisions are in a table belay_decisions, made when it is first needed:
 *   - when one database can't prepare, in that one: its own commit is the decision;
 *   - else in the database of .decision_log, an option of belay_open, of the first
 *     session's handle or else of the second's: a URL, best of a SQLite file on a
 *     disk of the program's own. Whoever loses it loses the knowledge of what was
 *     decided: it belongs into the same backups as the databases.
 *
 * What it costs: a commit of each database, two more answers of each server, and
 * two commits of the log: of the decision, and of its deletion. Locks are held until
 * the last answer. A server keeps what is prepared, with its locks, through restarts,
 * until it is ended.
 */
#ifndef BELAY_TWO_PHASE_H
#define BELAY_TWO_PHASE_H

#include <belay/db.h>
#include <belay/error.h>
#include <belay/macros.h>
#include <belay/session.h>

BELAYI_BEGIN_C

/* A unit over two sessions. 0: commit; else both are rolled back (BELAY_APPLICATION, unless an error is pending). */
typedef int (*belay_two_phase_unit)(belay_session *a, belay_session *b, void *arg);

/*
 * Runs a unit over two sessions, and commits what it did on both, or on neither.
 *
 * Opens the outermost scope of each, as belay_atomic does with no options, runs
 * `unit`, and ends both. Inside, everything works as in any scope: nested blocks,
 * belay_try, hooks. An error pending in either session at the end rolls both back.
 * Both sessions are used by the calling thread only, and neither is in a scope. They
 * may be sessions of one handle, or of two.
 *
 * Returns how it ended, which is the status of both sessions as well:
 *   BELAY_OK         both are committed. A server that could not be told so in time
 *                    (it was killed, say) keeps its part prepared, with its locks,
 *                    until belay_recover tells it; that is logged as a warning
 *   an error         both are rolled back; the first error is in both sessions
 *   BELAY_IN_DOUBT   the decision's own commit was lost, and the log could not be
 *                    asked: belay_recover will find out, and do it on both
 *
 * It is not run again by itself: where belay_retryable says that it may help, call
 * it again. On-commit hooks of both run when both were told, or telling was given
 * up; they never run before it is decided.
 *
 * Between the two databases there is no isolation: a reader may see one committed
 * an instant before the other. A deadlock across both is seen by neither server:
 * the lock timeout ends it.
 *
 * Errors: all of the unit's; BELAY_MISUSE (a scope is open, the same session twice),
 * BELAY_UNSUPPORTED (neither can prepare; no .decision_log; an adopted connection
 * inside a transaction of the program's; a sandbox; a database in memory).
 */
#define belay_commit_two_phase(a, b, unit, arg) belay_commit_two_phase_at(a, b, BELAY_HERE, unit, arg)
BELAY_API belay_code belay_commit_two_phase_at(belay_session *a, belay_session *b, belay_place,
                                               belay_two_phase_unit unit, void *arg);

/* What belay_recover did with one prepared transaction. */
typedef struct belay_recovery {
    size_t size;              /* of this struct: a later release may append fields */
    size_t database;          /* where it was: the place of its handle among those given, from 0 */
    const char *name;         /* under which it was prepared */
    belay_outcome outcome;    /* BELAY_WORK_COMMITTED, BELAY_WORK_ROLLED_BACK; BELAY_WORK_UNKNOWN: it was left alone */
    const belay_error *error; /* why it was left alone; NULL when it wasn't */
} belay_recovery;

/* Borrowed until it returns. */
typedef void (*belay_recovered)(void *arg, const belay_recovery *);

/*
 * Ends what crashes have left prepared in these databases: commits each whose unit
 * was decided to be committed, and rolls back each that never will be.
 *
 * Among the handles there must be those of the databases that hold the decisions:
 * of the .decision_log, and of each that can't prepare. A prepared transaction whose
 * decisions are not at hand is left alone, and so is everything that Belay did not
 * prepare.
 *
 * May be run at any time and any number of times, also while programs are at work:
 * a unit that is just between its two phases is then rolled back, which its program
 * is told by BELAY_ABANDONED, and never half.
 *
 * `tell` is called once for each that it ended or left alone; it may be NULL. What
 * its own program ends meanwhile is not told. Returns BELAY_OK when nothing of
 * Belay's is left prepared; BELAY_IN_DOUBT when something had to be left alone; or
 * why a database could not be asked, or BELAY_NO_MEMORY.
 */
BELAY_API belay_code belay_recover(belay_db *const *dbs, size_t n, belay_recovered tell, void *arg);

BELAYI_END_C

#endif
