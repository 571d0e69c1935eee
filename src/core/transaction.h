/*
 * transaction.h - one transaction: the stack of its scopes and what is owed.
 *
 * The room's README tells how it works and what it keeps. Every function here
 * is called by one thread at a time. Calls that return a belay_code return
 * BELAY_OK, or the code of the error that is pending afterwards
 * (BELAY_ROLLED_BACK in a scope that was called off, which is no error).
 *
 * Tests: tests/unit/core.
 */
#ifndef BELAYI_CORE_TRANSACTION_H
#define BELAYI_CORE_TRANSACTION_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <belay/error.h>
#include <belay/hook.h>
#include <belay/macros.h>
#include <belay/sys/driver.h>

#include "clock.h"
#include "follower.h"
#include "state.h"
#include "trace.h"

/* What the engine is doing. */
typedef enum belayi_phase {
    BELAYI_PHASE_IDLE, /* no scope is open */
    BELAYI_PHASE_OWED, /* a scope is open; BEGIN has not been sent */
    BELAYI_PHASE_OPEN, /* a transaction is open at the engine */
    BELAYI_PHASE_ENDED /* it was, or could not be had; scopes of it are still open */
} belayi_phase;

/* What opened a scope, which says who may end it. */
typedef enum belayi_form {
    BELAYI_FORM_CALL,     /* belay_begin: belay_commit, belay_rollback */
    BELAYI_FORM_BLOCK,    /* BELAY_ATOMIC: the end of its block */
    BELAYI_FORM_CALLBACK, /* belay_atomic: the return of its callback */
    BELAYI_FORM_STATEMENT /* the library, around one statement */
} belayi_form;

typedef enum belayi_end {
    BELAYI_END_COMMIT,   /* commit, or roll back when an error is pending */
    BELAYI_END_ROLLBACK, /* roll back, on purpose */
    BELAYI_END_ABANDON,  /* its block was left, or its session closed, before its end */
    BELAYI_END_DROP      /* roll back without a word: what it would say does not matter any more */
} belayi_end;

/* What the transaction needs of the world. */
typedef struct belayi_host {
    /* Lends a connection, waiting for it within the limits. */
    belay_code (*lend)(void *arg, const belay_limits *limits, belay_conn **out_conn, belay_error *error);
    /* Takes it back. `sound` is false when its state isn't proven clean: it must be closed. */
    void (*take_back)(void *arg, belay_conn *conn, bool sound);
    /* Runs a hook; `inside`: a transaction is still open around it. True when it did not fail. */
    bool (*run_hook)(void *arg, belay_hook hook, void *hook_arg, bool inside);
} belayi_host;

/* How a scope is to be. Limits are moments and lengths; a NULL spec is all defaults, inherited from the scope around.
 */
typedef struct belayi_scope_spec {
    const char *name;
    belay_level isolation;
    bool read_only, deferrable, joined;
    bool requires_new; /* a transaction of its own inside another: the caller's business */
    bool autocommit;   /* outermost, one statement: no BEGIN; the engine makes it a transaction of its own */
    bool foreign;      /* outermost, in a transaction of somebody else's: it is a savepoint there */
    bool sandboxed;    /* and ends as if that were its own transaction: constraints are checked, and it is committed */
    bool eager;        /* nothing is owed in it: the program may write where the library can't see it */
    bool pipeline;     /* statements in it, and in the scopes inside, may be queued */
    const char *gid;   /* outermost: the name under which it is to be prepared; NULL: it is not */
    bool twice;        /* outermost: where it would commit, it fails as if another transaction were in its way */
    int64_t deadline_ns;  /* 0: none */
    int64_t lock_wait_ns; /* negative: no limit */
    int64_t idle_ns;      /* 0: none */
} belayi_scope_spec;

typedef struct belayi_frame {
    belayi_scope_state state;
    belayi_form form;
    bool joined;
    bool read_only;
    bool pipeline;       /* its statements may be queued */
    bool undone;         /* belay_undo was called in it: it is never committed */
    unsigned savepoint;  /* the one that its beginning is marked by; 0: none, or owed */
    unsigned marks;      /* how many marks were set beneath it */
    size_t hooks;        /* how many hooks were registered beneath it */
    size_t followed;     /* where the follower stood when it began */
    uint64_t serial;     /* tells this scope from every other of the session */
    belay_limits limits; /* idle_ns: the loosest of the scopes that are open, which the server may enforce */
    int64_t idle_ns;     /* its own; 0: none */
    bool idles;          /* it has such a limit, or one around it: calls are timed */
    int64_t opened_ns;   /* kept while there is a trace */
    belay_place place;
    const char *name;
} belayi_frame;

typedef struct belayi_mark {
    char *name;
    unsigned savepoint; /* 0: owed */
    bool dead;          /* was set while it could not be: never gone back to */
    size_t hooks, followed;
} belayi_mark;

/* A savepoint that is set at the engine. */
typedef struct belayi_savepoint {
    unsigned holders; /* scopes and marks that hold it */
    unsigned written; /* how many savepoints hold work in here: itself, from its first write on, and those that were
                         released into it; only counted for the trace */
} belayi_savepoint;

/* A statement that is queued: what must be known when it fails. */
typedef struct belayi_queued {
    const char *text; /* stays until the queue is empty: the caller sees to it */
    belay_place place;
    int64_t since;       /* when it was queued; 0 without a trace */
    unsigned depth;      /* of its scope */
    unsigned savepoints; /* how many were set, or queued, before it */
    size_t part;         /* of the scope's work */
} belayi_queued;

typedef struct belayi_queue {
    belayi_queued *entries; /* in the order of the program */
    unsigned count, room;
    belay_effect *effect; /* where to tell what the last one did */
} belayi_queue;

typedef enum belayi_hook_kind { BELAYI_HOOK_COMMIT, BELAYI_HOOK_ROLLBACK, BELAYI_HOOK_BEFORE_COMMIT } belayi_hook_kind;

typedef struct belayi_hook_entry {
    belayi_hook_kind kind;
    belay_hook hook;
    void *arg;
    belay_free free_arg;
} belayi_hook_entry;

typedef struct belayi_hooks {
    belayi_hook_entry *entries;
    size_t count, room;
    size_t next; /* the one that is looked at next before the commit */
    int failed;  /* of the transaction so far */
} belayi_hooks;

/* One of several pieces of work that follow each other in one scope, each as if it had a scope of its own. */
typedef struct belayi_part {
    size_t number;   /* from 1; 0: the scope has no parts */
    size_t failed;   /* the part that a statement stood in which failed after it was queued; 0: none has */
    size_t hooks;    /* how many hooks were registered before it */
    size_t followed; /* where the follower stood */
    bool changed;    /* it has sent what may have to be undone */
} belayi_part;

enum { BELAYI_FRAMES_AT_FIRST = 8 };

typedef struct belayi_transaction {
    belayi_phase phase;
    belay_conn *conn; /* lent; NULL until one is needed */
    const belayi_host *host;
    void *host_arg;

    belayi_frame *frames, first_frames[BELAYI_FRAMES_AT_FIRST];
    unsigned depth, room;
    unsigned phantoms; /* scopes on top for which there was no memory: they hold the pending error and nothing else */

    belayi_mark *marks;
    unsigned mark_count, mark_room;

    belayi_savepoint *set; /* those that are set; the first is number 1 */
    unsigned savepoints, savepoint_room;
    unsigned written; /* of all, also of those released into the transaction itself; only counted for the trace */
    unsigned owed_frames, owed_marks; /* from these on, scopes and marks owe their savepoint */
    bool untouched;                   /* nothing has changed since the last savepoint was set or gone back to */

    belayi_queue queue;
    belayi_part part;
    belayi_hooks hooks;
    const belayi_follower *follower; /* NULL: nobody follows the scopes */
    void *follower_arg;
    size_t followed; /* where it stands: the follower's to set */
    belay_begin_options begin;
    bool autocommit;
    bool closing; /* every scope is being abandoned: none is undone alone */
    bool foreign; /* the engine's transaction is somebody else's: see belayi_scope_spec */
    bool sandboxed;
    bool lent;    /* the engine's own handle is, or was: nothing is queued any more */
    bool watched; /* the program could end it, and begin another, unseen: the outermost scope has a savepoint too */
    bool foreign_failed; /* it was open when a scope in it began, and is over, or holds what could not be undone */
    bool incomplete;     /* not all that was undone is undone at the engine */
    bool twice, refused; /* the commit is to be refused once; it was */
    bool reviewed;       /* what speaks against the commit was looked at */
    bool prepared;       /* and the engine was told by somebody else to keep the work, or will be */
    bool took_lock;      /* a write lock, with BEGIN */
    bool wrote;          /* a statement that writes was sent */
    bool told_costly;    /* that there are more savepoints with work in them than the engine keeps without cost */
    belay_code doubted;  /* what the commit answered, when its outcome is not known */
    bool named;          /* that transaction can be asked about: */
    belay_token token;
    unsigned eager; /* the depth of the outermost scope in which nothing is owed; 0: none */
    uint64_t serials;
    int64_t last_call_ns; /* when the last statement ended; only kept while a scope that is open has an idle limit */
    int attempt;

    const belayi_trace *trace; /* NULL: nobody listens */
    uint64_t session;          /* its number, for the trace */
    unsigned depth_around;     /* scopes of transactions around this one, for the trace */

    belay_error pending;
    belay_error scratch; /* of the call that is being made: a record is large, and a stack that reaches over less memory
                            is measurably faster */
} belayi_transaction;

void belayi_transaction_init(belayi_transaction *, const belayi_host *, void *host_arg);
/* Frees what the transaction holds, its follower too. No scope is open. */
void belayi_transaction_done(belayi_transaction *);

/* ---- Where it stands ------------------------------------------------------------------------------------------- */

static inline unsigned belayi_transaction_depth(const belayi_transaction *t)
{
    return t->depth + t->phantoms;
}

/* The innermost scope that has a frame; there is one when a scope is open. */
static inline belayi_frame *belayi_transaction_top(belayi_transaction *t)
{
    return &t->frames[t->depth - 1];
}

/* The state of the innermost scope. */
static inline belayi_scope_state belayi_transaction_state(const belayi_transaction *t)
{
    belayi_scope_state state = t->frames[t->depth - 1].state;
    return t->phantoms > 0 && state != BELAYI_SCOPE_DOOMED ? BELAYI_SCOPE_FAILED : state;
}

static inline bool belayi_transaction_has_error(const belayi_transaction *t)
{
    return t->depth > 0 && belayi_state_has_error(belayi_transaction_state(t));
}

/* Asserts the README's invariants. */
#ifdef NDEBUG
static inline void belayi_transaction_check(const belayi_transaction *t)
{
    (void)t;
}
#else
void belayi_transaction_check(const belayi_transaction *);
#endif

/* ---- Scopes ----------------------------------------------------------------------------------------------------- */

/*
 * Opens a scope. It is always opened; while an error is pending it begins with
 * that error, and in a scope that was called off it is called off too. Returns
 * what is pending in it.
 */
belay_code belayi_scope_open(belayi_transaction *, const belayi_scope_spec *, belayi_form, const belay_place *);

/*
 * Ends the innermost scope. Returns BELAY_OK when it was kept; when it was
 * rolled back, the code of the error that is pending in the scope outside it
 * now, or BELAY_ROLLED_BACK when it was so on purpose.
 *
 * When it was the outermost one, `pending` is how it ended: its code is BELAY_OK, BELAY_ROLLED_BACK or the error's,
 * and its outcome is set. The connection has been given back. The caller then takes the hooks with
 * belayi_hooks_take and calls belayi_transaction_clear.
 */
belay_code belayi_scope_end(belayi_transaction *, belayi_end reason);

/*
 * For an outermost scope that ends together with another's: whether anything of
 * its own speaks against its commit. Hooks before the commit run, limits are
 * looked at. BELAY_OK, or as belayi_scope_refuse.
 */
belay_code belayi_scope_review(belayi_transaction *);

/*
 * After that: prepares the transaction, if one has begun. What was prepared is
 * told its fate by the caller, here or on another connection; belayi_scope_end then
 * says nothing to the engine any more, and goes by whether an error is pending.
 */
belay_code belayi_scope_prepare(belayi_transaction *);
belay_code belayi_wire_finish_prepared(belayi_transaction *, bool commit, belay_error *error);

/* Forgets the pending error, and how the last transaction ended. */
void belayi_transaction_clear(belayi_transaction *);

/*
 * Called before a call that would send something. BELAY_OK when it may go on;
 * then a connection is lent. Else the call is refused: with the pending error,
 * which is the scope's own from now on, with a limit that has passed, or with
 * the failure to get a connection.
 */
static inline belay_code belayi_scope_enter(belayi_transaction *);

/* Refuses a call because of the pending error, or in a scope that was called off; BELAY_OK when there is neither. */
belay_code belayi_scope_refuse(belayi_transaction *);

/* Sends the BEGIN that is owed, if one is. */
static inline belay_code belayi_scope_begin(belayi_transaction *);

/*
 * Sends the savepoint that is owed before a statement that changes something.
 * With `elide_top`, the innermost scope holds only this statement, which the
 * engine undoes by itself when it fails: it needs no savepoint of its own.
 */
static inline belay_code belayi_scope_mark(belayi_transaction *, bool elide_top);

/* Lends a connection, and sends the BEGIN and the savepoints that are owed. */
belay_code belayi_scope_settle(belayi_transaction *);

/*
 * From now on, nothing is owed in the innermost scope and those inside it: BEGIN
 * and savepoints are sent when a scope or mark is made. What is owed is sent.
 */
belay_code belayi_scope_be_eager(belayi_transaction *);

/*
 * Called before a statement that may write, when its savepoints are set, and only
 * while there is a trace: counts the savepoints that hold work, and tells, once,
 * that they are more than the engine keeps without cost.
 */
void belayi_scope_count_written(belayi_transaction *, belay_place);

/* Called after a statement that was done, or a stream that was closed, whatever came meanwhile. */
static inline void belayi_scope_worked(belayi_transaction *);

/*
 * A statement failed with *error, which may be the transaction's own record.
 * Asks the engine what is left. The error is pending afterwards, in the
 * innermost scope or, when the transaction is over, in all of them.
 */
belay_code belayi_scope_fail(belayi_transaction *, const belay_error *error);

/*
 * Called before belayi_scope_fail for a statement that had been sent. Without a
 * BEGIN the statement was its own commit: when the connection is lost then,
 * nobody can say what became of it.
 */
void belayi_scope_doubt(belayi_transaction *, belay_error *error);

/*
 * Instead of executing: whether a statement of the innermost scope can be queued
 * now. belayi_scope_begin and belayi_scope_mark go before it, as before any other.
 * It fails as a statement does that was executed; what was queued before it fails
 * first. `what` has its text, place and moment; *effect is filled when it is known.
 */
bool belayi_scope_can_queue(belayi_transaction *);
belay_code belayi_scope_queue(belayi_transaction *, belay_statement *, size_t n, const belay_value *values,
                              const belayi_queued *what, belay_effect *effect);

/*
 * Waits for all that is queued. BELAY_OK when nothing was, or all of it was done;
 * else the error of the first that failed is pending. Everything waits so that
 * sends something else, looks at how things stand, or changes that.
 */
static inline belay_code belayi_scope_drain(belayi_transaction *);

/* Raises an error that is no statement's: of the program, or of the library's rules. An earlier one wins. */
belay_code belayi_scope_raise(belayi_transaction *, const belay_error *error);

/* An inner scope could not be opened at all, because of *error: as if it had been, and had ended with it. */
belay_code belayi_scope_refuse_inner(belayi_transaction *, const belay_error *error);

/* Catches the pending error into *caught, if it may be caught here and `which` covers it. */
bool belayi_scope_catch(belayi_transaction *, belay_code which, belay_error *caught);

/* Calls the innermost scope off. */
belay_code belayi_scope_undo(belayi_transaction *);

/* Whether an error of this code ends the whole transaction, whoever raises it. */
bool belayi_code_ends_transaction(belay_code);

/* ---- Who follows the scopes: follower.h ------------------------------------------------------------------------- */

/* Lets the follower send what belongs to the innermost scope, if that works. Before what is sent must have it, or see
 * it. */
static inline void belayi_scope_follow(belayi_transaction *);

/* The outermost scope has ended, and it is known how. */
void belayi_scope_follow_end(belayi_transaction *);

/* ---- Marks: the innermost scope's -------------------------------------------------------------------------------- */

/* NULL name, no scope: the caller's business. A name is copied. */
belay_code belayi_mark_set(belayi_transaction *, const char *name);

/* *out_known is false when the innermost scope has no such mark, and nothing was done. */
belay_code belayi_mark_go_back(belayi_transaction *, const char *name, bool *out_known);
belay_code belayi_mark_release(belayi_transaction *, const char *name, bool *out_known);

/* ---- Parts: for who runs several pieces of work in one scope and undoes them together -------------------------------
 *
 * A part begins and ends with the scope as the innermost one.
 */

/* Part `number` begins; nothing is pending. */
static inline void belayi_part_begin(belayi_transaction *, size_t number);

/* It has ended: its marks are forgotten. BELAY_OK when nothing speaks against it as far as is known: what is queued is
   not waited for. */
belay_code belayi_part_end(belayi_transaction *);

/*
 * A part has ended with an ordinary error before anything was done in it that would have to be undone: its hooks are
 * handed back, the error is in *caught and no longer pending, and the scope is as it was when the part began. False
 * when that is not so; then the scope still holds the error, and only its own end undoes the part.
 */
bool belayi_part_drop(belayi_transaction *, belay_error *caught);

/* ---- Hooks ------------------------------------------------------------------------------------------------------ */

const char *belayi_hook_kind_name(belayi_hook_kind);

/* Takes `arg`. False when memory is out; then arg is freed. */
bool belayi_hooks_add(belayi_hooks *, belayi_hook_entry);

/* Moves all hooks out, to be run or freed by the caller: belayi_hooks_done. */
belayi_hooks belayi_hooks_take(belayi_hooks *);

/* Frees the entries from `from` on without running them, and forgets them. */
void belayi_hooks_drop(belayi_hooks *, size_t from);
void belayi_hooks_done(belayi_hooks *);

/* ---- The trace: only called while there is one ------------------------------------------------------------------ */

/* A call of the engine begins. Returns the moment. */
int64_t belayi_wire_listen(belayi_transaction *);

/* Tells an event that began at event->start_ns and ends now; it belongs to the innermost scope. */
void belayi_wire_tell(belayi_transaction *, belay_trace_event *);

/* The same for a call of the engine, with what the driver counted meanwhile. */
void belayi_wire_tell_call(belayi_transaction *, belay_trace_event *);

/* ---- The usual case, in line ---------------------------------------------------------------------------------------
 *
 * A nested scope without options, and a statement in a scope without limits, are most of what a program does.
 */

belay_code belayi_scope_enter_slowly(belayi_transaction *);
belay_code belayi_scope_drain_queue(belayi_transaction *);
void belayi_wire_tell_scope(belayi_transaction *, belay_code);
belay_code belayi_scope_send_begin(belayi_transaction *);
belay_code belayi_scope_send_savepoint(belayi_transaction *, unsigned depth);
void belayi_scope_note_call(belayi_transaction *);

/* Whether a nested scope can be opened without more ado: the innermost scope works, there is room for one more, and
   nobody has work of his own for the one around it. */
static inline bool belayi_scope_takes_another(const belayi_transaction *t)
{
    return t->depth > 0 && t->depth < t->room && t->phantoms == 0 && t->eager == 0 && !t->follower &&
           t->frames[t->depth - 1].state == BELAYI_SCOPE_WORKING;
}

/* Pushes a nested scope that begins as the one around it is. There is room. */
static inline void belayi_scope_push(belayi_transaction *t, belayi_form form, const belay_place *place)
{
    const belayi_frame *outer = &t->frames[t->depth - 1];
    belayi_frame *frame = &t->frames[t->depth++];
    frame->state = outer->state;
    frame->form = form;
    frame->joined = frame->undone = false;
    frame->read_only = outer->read_only;
    frame->pipeline = outer->pipeline;
    frame->savepoint = 0;
    frame->marks = t->mark_count;
    frame->hooks = t->hooks.count;
    frame->followed = t->followed;
    frame->serial = ++t->serials;
    frame->limits = outer->limits;
    frame->idle_ns = outer->idle_ns;
    frame->idles = outer->idles;
    frame->opened_ns = t->trace ? belayi_clock_now() : 0;
    frame->place = *place;
    frame->name = NULL;
}

/* Whether the innermost scope is a nested one in which nothing was done: the engine does not know of it. */
static inline bool belayi_scope_is_untouched(const belayi_transaction *t)
{
    const belayi_frame *top = &t->frames[t->depth - 1];
    return t->depth > 1 && t->eager == 0 && t->phantoms == 0 && !t->follower && top->state == BELAYI_SCOPE_WORKING &&
           top->savepoint == 0 && t->mark_count == top->marks && (t->queue.count == 0 || !top->joined);
}

/* Takes the innermost scope off the stack; it has been told and has told all that there is. It ended with `code`. */
static inline void belayi_scope_pop(belayi_transaction *t, belay_code code)
{
    assert(belayi_state_next(t->frames[t->depth - 1].state, BELAYI_EVENT_END) == BELAYI_SCOPE_ENDED);
    if (t->trace)
        belayi_wire_tell_scope(t, code);
    t->frames[t->depth - 1].state = BELAYI_SCOPE_ENDED;
    t->depth--;
    if (t->owed_frames > t->depth)
        t->owed_frames = t->depth;
    if (t->eager > t->depth) {
        t->eager = 0;
        t->untouched = false; /* the program may have written since */
    }
}

static inline belay_code belayi_scope_drain(belayi_transaction *t)
{
    return t->queue.count > 0 ? belayi_scope_drain_queue(t) : BELAY_OK;
}

static inline belay_code belayi_scope_enter(belayi_transaction *t)
{
    const belayi_frame *top = &t->frames[t->depth - 1];
    bool usual = t->phantoms == 0 && top->state == BELAYI_SCOPE_WORKING && t->conn && top->idle_ns == 0 &&
                 top->limits.deadline_ns == 0 && t->eager == 0;
    if (!usual)
        return belayi_scope_enter_slowly(t);
    t->conn->limits = top->limits;
    return BELAY_OK;
}

static inline belay_code belayi_scope_begin(belayi_transaction *t)
{
    return t->phase == BELAYI_PHASE_OWED && !t->autocommit ? belayi_scope_send_begin(t) : BELAY_OK;
}

static inline belay_code belayi_scope_mark(belayi_transaction *t, bool elide_top)
{
    t->part.changed = true;
    unsigned depth = elide_top ? t->depth - 1 : t->depth;
    bool owes = t->owed_frames < depth || t->owed_marks < t->mark_count;
    if (owes && !t->autocommit)
        return belayi_scope_send_savepoint(t, depth);
    t->untouched = false;
    return BELAY_OK;
}

/* The library's own scope around one statement has nothing of the program's. */
static inline void belayi_scope_follow(belayi_transaction *t)
{
    if (t->follower && t->depth > 0 && t->phantoms == 0 && t->frames[t->depth - 1].state == BELAYI_SCOPE_WORKING &&
        t->frames[t->depth - 1].form != BELAYI_FORM_STATEMENT)
        t->follower->flush(t->follower_arg);
}

static inline void belayi_part_begin(belayi_transaction *t, size_t number)
{
    t->part = (belayi_part){.number = number, .hooks = t->hooks.count, .followed = t->followed};
}

static inline void belayi_scope_worked(belayi_transaction *t)
{
    if (t->frames[t->depth - 1].idles)
        belayi_scope_note_call(t);
}

#endif
