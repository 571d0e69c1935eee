/*
 * belay/scope.h - pieces of work that happen entirely or not at all.
 *
 * The outermost scope of a session is a database transaction; a scope inside
 * another is a savepoint. Code that opens a scope need not know which it will
 * be, so functions compose.
 *
 *     BELAY_ATOMIC(s) {
 *         belay_exec(s, "UPDATE account SET balance = balance - ? WHERE id = ?", 100, from);
 *         belay_exec(s, "UPDATE account SET balance = balance + ? WHERE id = ?", 100, to);
 *     }
 *     if (belay_status(s) != BELAY_OK)
 *         fprintf(stderr, "%s\n", belay_message(s));
 *
 * Warnings, before anything else:
 *
 *  1. A block is a `for` loop. `break` inside a loop or switch of your own
 *     leaves that one, not the block; `break` directly in the block leaves the
 *     block and rolls it back; `continue` directly in it commits it.
 *  2. `return belay_status(s);` inside a block is evaluated before the block is
 *     rolled back. Fall off its end, then return.
 *  3. Local variables keep their values when a block with .retries runs again:
 *     `total += x` in a block that runs twice doubles. Set them inside.
 *  4. longjmp out of a block is forbidden. C++ exceptions and pthread_exit are
 *     safe in code compiled with -fexceptions, as belay.pc asks for.
 */
#ifndef BELAY_SCOPE_H
#define BELAY_SCOPE_H

#include <stdbool.h>
#include <stddef.h>

#include <belay/error.h>
#include <belay/macros.h>
#include <belay/session.h>

BELAYI_BEGIN_C

/* ---- Options ---------------------------------------------------------------------------------- */

typedef enum belay_level {
    BELAY_ISOLATION_DEFAULT, /* the database's */
    BELAY_READ_UNCOMMITTED,
    BELAY_READ_COMMITTED,
    BELAY_REPEATABLE_READ,
    BELAY_SNAPSHOT,
    BELAY_SERIALIZABLE
} belay_level;

typedef enum belay_propagation {
    BELAY_NESTED,   /* a transaction outermost, a savepoint inside another scope */
    BELAY_REQUIRED, /* joins the scope it is in: no savepoint; its failure is that scope's own and can't be caught there
                     */
    BELAY_REQUIRES_NEW, /* a transaction of its own, on a connection of its own, whatever is around it: it commits or
                           rolls back alone, its error can always be caught outside, and its hooks can't use the
                           session. Misuse where it could only wait for its own outer scope: on SQLite inside every
                           scope that isn't read-only, and where the pool has no connection left for it */
    BELAY_MANDATORY,    /* like BELAY_NESTED, but misuse when there is no scope to be in */
    BELAY_OUTERMOST     /* misuse when there is a scope around it: what it did is durable when it ends */
} belay_propagation;

/* Options of a scope. Zero is the default of each field. They are copied. */
typedef struct belay_scope_options {
    size_t size;           /* of this struct, set by BELAY_SCOPE_OPTIONS; 0 means the layout of the first release */
    const char *name;      /* shown in errors; a literal or other text that outlives the scope */
    belay_level isolation; /* at least this: a level that the engine can't give is BELAY_UNSUPPORTED, never a weaker
                              one. SQLite gives BELAY_SERIALIZABLE always. On a nested scope: an error unless the
                              transaction's level is at least as strong */
    bool read_only;        /* writes are BELAY_READ_ONLY; on SQLite the scope takes no write lock. On a nested scope
                              statements that write are refused, but what a function writes that a query calls is not:
                              servers refuse that in a whole unit only */
    bool deferrable;       /* as in SQL; no effect on SQLite, where readers wait for nobody */
    int timeout_ms;        /* for the whole scope with all its attempts, then BELAY_TIMEOUT. Of all three limits: 0 is
                              that of the scope around, outermost the handle's default; -1 is none. A limit of a
                              nested scope never outlasts that of a scope around it */
    int lock_timeout_ms;   /* for one lock wait, then BELAY_LOCK_TIMEOUT */
    int idle_timeout_ms;   /* for the time between two calls while a transaction is open, then BELAY_TIMEOUT. On
                              SQLite it is checked at the next call; until then the write lock is held. Servers end
                              the transaction meanwhile, by the longest such limit of the scopes that were open at the
                              last statement */
    int retries;           /* an outermost block or callback runs at most retries + 1 times; no effect on a nested
                              one, also with BELAY_REQUIRES_NEW. Negative, or with belay_begin, it is misuse */
    int backoff_ms;        /* base of the full-jitter exponential backoff between attempts; default 5 */
    int backoff_max_ms;    /* and its cap; default 1,000 */
    belay_propagation propagation;
    bool pipeline;    /* statements are queued and sent together: see below */
    const char *once; /* a key, 1 to 255 bytes, under which the unit is done at most once: see below. NULL: none. The
                         text is copied */
} belay_scope_options;

#ifndef __cplusplus
/* Options in place: belay_begin(s, BELAY_SCOPE_OPTIONS(.read_only = true)). Lives until the end of the enclosing block.
 */
#define BELAY_SCOPE_OPTIONS(...) (&(const belay_scope_options){.size = sizeof(belay_scope_options), __VA_ARGS__})
#endif

/*
 * .pipeline: fewer round trips. Inside the scope, and scopes nested in it, what
 * belay_exec runs is queued, and leaves in as few flights as the engine allows: on
 * PostgreSQL a transfer of two updates is one round trip, with its BEGIN and its
 * COMMIT. belay_exec returns BELAY_OK for what was queued; a failure is told later,
 * as an error of the statement that caused it, with its text, file and line, and
 * what stands behind it was not done. Rows are discarded.
 *
 * All other calls wait for what is queued, so that they see and tell what they do
 * without: queries, belay_try, belay_status and belay_catch, belay_changes, marks,
 * hooks before the commit, belay_native, the end of a nested scope and the
 * beginning of one with options. A block nested without options begins without a
 * wait: its body may run though a statement before it turns out to have failed, and
 * is undone with it. Of a long queue a part is sent now and then by itself.
 *
 * On a nested scope, joined or not, inside a plain one it has effect until the end
 * of that scope. When the connection is lost while COMMIT is out the outcome is
 * unknown, as without; when a statement that left with it had failed, nothing was
 * committed. SQLite and MariaDB run each statement at once, and so does every
 * engine on a connection that was adopted or lent by belay_native.
 */

/* ---- Blocks ----------------------------------------------------------------------------------- */

/*
 * BELAY_ATOMIC(s) { ... }
 *
 * Falling off the end of the block, or `continue`, finishes it: commit when no
 * error is pending, else roll back. Leaving it by break, return or goto rolls
 * it back, and, when no error was pending, belay_undo was not called and the
 * scope is not read-only, raises BELAY_ABANDONED, with the block's place, in
 * the scope outside it (outermost: as the status): work is never lost in silence.
 * Explicit scopes that are still open inside when the block falls off its end
 * are BELAY_MISUSE, and the block is rolled back; when it is left in another way
 * they are abandoned with it. A read-only block may be left as one likes: its
 * status is BELAY_OK.
 *
 * A block begun while an error is pending, or whose beginning is refused, never
 * runs its body. A refusal of its own (of its options) counts as the error of an
 * inner scope that has ended, so it can be caught. An error that was pending
 * before can't be caught any more: this block's work is missing.
 */
#define BELAY_ATOMIC(s) BELAYI_BLOCK(BELAYI_UNIQUE(belayi_block_), s, NULL)

/*
 * BELAY_ATOMIC_WITH(s, .isolation = BELAY_SERIALIZABLE, .retries = 5) { ... }
 *
 * The same with options. An outermost block with .retries runs again from its
 * top, after a backoff, when it failed with a retryable error. In C++ it needs
 * designated initialisers: C++20, and -Wno-missing-field-initializers with g++.
 */
#define BELAY_ATOMIC_WITH(s, ...) BELAYI_BLOCK(BELAYI_UNIQUE(belayi_block_), s, BELAYI_OPTIONS(__VA_ARGS__))

/* BELAY_READ(s) { ... }: a read-only block. */
#define BELAY_READ(s) BELAYI_BLOCK(BELAYI_UNIQUE(belayi_block_), s, belayi_read_options())

#ifdef __cplusplus
#define BELAYI_OPTIONS(...) belayi_keep(belay_scope_options{.size = sizeof(belay_scope_options), __VA_ARGS__})
#else
#define BELAYI_OPTIONS(...) BELAY_SCOPE_OPTIONS(__VA_ARGS__)
#endif

/* For the macros only. */
typedef enum belayi_stage { BELAYI_STAGE_OVER, BELAYI_STAGE_OPEN, BELAYI_STAGE_RUNNING } belayi_stage;

typedef struct belayi_block {
    belay_session *session;
    unsigned long long serial; /* of the scope that the block opened */
    belayi_stage stage;
} belayi_block;

BELAY_API const belay_scope_options *belayi_read_options(void);
BELAY_API belayi_block belayi_block_open(belay_session *, const belay_scope_options *, const char *file, int line,
                                         const char *function);
BELAY_API bool belayi_block_finish(belayi_block *);
BELAY_API void belayi_block_abandon(belayi_block *);

static inline bool belayi_block_next(belayi_block *block)
{
    if (block->stage == BELAYI_STAGE_RUNNING)
        return belayi_block_finish(block);
    if (block->stage == BELAYI_STAGE_OVER)
        return false;
    block->stage = BELAYI_STAGE_RUNNING;
    return true;
}

static inline void belayi_block_leave(belayi_block *block)
{
    if (block->stage == BELAYI_STAGE_RUNNING)
        belayi_block_abandon(block);
}

#define BELAYI_BLOCK(block, s, options)                                                                                \
    for (belayi_block block BELAYI_CLEANUP(belayi_block_leave) =                                                       \
             belayi_block_open(s, options, __FILE__, __LINE__, __func__);                                              \
         belayi_block_next(&block);)

/* ---- Callbacks and explicit calls -------------------------------------------------------------- */

/* A unit of work: 0 commits, non-zero rolls back (with BELAY_APPLICATION unless an error is pending). */
typedef int (*belay_unit)(belay_session *, void *arg);

/*
 * The block as a function: runs `unit` in a scope, again where .retries says so.
 * Returns how the scope ended; that counts as reading it. The same function is
 * there for other languages and for C++. A C++ exception, or pthread_exit, that
 * leaves the unit rolls the scope back.
 */
#define belay_atomic(s, options, unit, arg) belay_atomic_at(s, BELAY_HERE, options, unit, arg)
BELAY_API belay_code belay_atomic_at(belay_session *, belay_place, const belay_scope_options *, belay_unit, void *arg);

/*
 * Opens a scope that ends with belay_commit or belay_rollback. Always opens one,
 * even when refused: the error is then pending in it, and it must be ended like
 * any other. Returns BELAY_OK or the pending code.
 */
#define belay_begin(s, options) belay_begin_at(s, BELAY_HERE, options)
BELAY_API belay_code belay_begin_at(belay_session *, belay_place, const belay_scope_options *);

/*
 * Ends the innermost scope: commits, or releases the savepoint, when no error is
 * pending; else it has rolled back before it returns. Returns how the scope
 * ended; outermost, that counts as reading it. Misuse with no scope open, and
 * on the scope of a block, which ends at the end of its block.
 */
#define belay_commit(s) belay_commit_at(s, BELAY_HERE)
BELAY_API belay_code belay_commit_at(belay_session *, belay_place);

/*
 * Ends the innermost scope and undoes what it did. With an error pending, the
 * error goes outward as from a block, and its code is returned; outermost, that
 * counts as reading it. Without one it returns BELAY_OK, and an outermost scope
 * has the status BELAY_ROLLED_BACK, which is no error. A joined scope can't be
 * undone alone: there it raises BELAY_ABANDONED in the scope that was joined,
 * and returns that. Misuse with no scope open and on the scope of a block.
 */
#define belay_rollback(s) belay_rollback_at(s, BELAY_HERE)
BELAY_API belay_code belay_rollback_at(belay_session *, belay_place);

/*
 * Marks the innermost scope to be rolled back at its end, on purpose and without
 * an error. Later statements in it are refused with BELAY_ROLLED_BACK and not
 * sent, blocks in it do not run, and no mark in it can be gone back to. Never
 * refused itself; an error that is pending still travels, and can't be caught
 * here any more. Returns BELAY_OK, or the pending code. In a joined scope it
 * raises BELAY_ABANDONED, at its end, in the scope that was joined. Misuse with
 * no scope open.
 */
#define belay_undo(s) belay_undo_at(s, BELAY_HERE)
BELAY_API belay_code belay_undo_at(belay_session *, belay_place);

/* ---- Units that are done at most once -------------------------------------------------------------
 *
 * A unit with .once = "key" claims the key first of all, inside its own
 * transaction: a row in the table belay_once (.once_table of belay_open), which is
 * made at first use. So the row is there exactly when the unit's work is.
 *
 *   - A unit whose key has committed is never run again, whoever runs it: its
 *     body is skipped, the status is BELAY_OK and belay_already_done is true.
 *   - When the connection is lost, or the disk fails, after COMMIT was sent, the
 *     key tells what became of it, and the outcome is committed or rolled back
 *     instead of in doubt. A unit is called rolled back only after its key was
 *     committed as void, which the lost attempt can't get past, or was found with
 *     what another attempt had done; a later attempt takes a void key over.
 *     BELAY_IN_DOUBT remains when that can't be found out: within the time limits,
 *     on any of the connections that are tried. Then the unit may be run again
 *     under its key, which skips it when it was committed.
 *   - Of two that run at the same time under one key, one waits for the other.
 *
 * The key belongs to the unit's .name, of at most 255 bytes: the same key with
 * another .name is misuse, and so is .once on a nested or read-only scope and with
 * belay_begin, and a key that is empty or has more than 255 bytes. Keys older than
 * .once_keep_days are deleted now and then; what has no key any more can be done
 * again.
 */

/*
 * When the answer to a COMMIT is lost and the unit has no key, PostgreSQL (from 15
 * on) is asked by the number of its transaction, on another connection, within the
 * time limit and for at most 30 s: a unit that committed has the status BELAY_OK,
 * one that was rolled back BELAY_CONNECTION, and may be run again by .retries.
 * BELAY_IN_DOUBT remains, with a message that says why, where another server
 * answers, or the same one after a crash or a failover, where none does, and for
 * what has no number that could be known before COMMIT left: one statement outside
 * any scope, a scope with .pipeline that sends it with its first statements, and
 * queries alone. A read-only unit is not in doubt: it has kept nothing.
 */

/* Whether the last outermost scope was skipped, as its key had committed before. False for NULL. */
BELAY_API bool belay_already_done(const belay_session *);

/* ---- Named marks -------------------------------------------------------------------------------
 *
 * Marks inside the scope that they are set in, as SQL's savepoints. Any name
 * works, of any length: names never reach the engine. A second mark of a name
 * hides the first until it is released. Names follow the program's text: a call
 * here that is refused because of an error still sets, forgets and uncovers
 * names, and a mark set so can't be gone back to.
 */

/* Sets a mark. BELAY_OK or the pending code. Misuse: no scope, NULL name. */
#define belay_savepoint(s, name) belay_savepoint_at(s, BELAY_HERE, name)
BELAY_API belay_code belay_savepoint_at(belay_session *, belay_place, const char *name);

/*
 * Undoes what was done in this scope since the mark, forgets the marks set after
 * it, and keeps the mark. Clears an ordinary error that arose after the mark;
 * never one that ended the transaction. Of the hooks registered since the mark,
 * those for a rollback run, and the others are dropped. Misuse: no such mark in
 * the innermost scope.
 */
#define belay_rollback_to(s, name) belay_rollback_to_at(s, BELAY_HERE, name)
BELAY_API belay_code belay_rollback_to_at(belay_session *, belay_place, const char *name);

/* Forgets the mark and those set after it; keeps the work. Misuse: no such mark in the innermost scope. */
#define belay_release(s, name) belay_release_at(s, BELAY_HERE, name)
BELAY_API belay_code belay_release_at(belay_session *, belay_place, const char *name);

/* ---- Isolation --------------------------------------------------------------------------------- */

/* The isolation level in force, as the engine gives it. BELAY_ISOLATION_DEFAULT when it can't be told. */
BELAY_API belay_level belay_isolation(belay_session *);

BELAYI_END_C

#ifdef __cplusplus
/* Options that live until the end of the full expression, which is long enough: they are copied. */
static inline const belay_scope_options *belayi_keep(const belay_scope_options &options)
{
    return &options;
}
#endif

#endif
