/*
 * session.h - what a belay_session is.
 * Tests: tests/unit/session, tests/conformance.
 */
#ifndef BELAYI_SESSION_SESSION_H
#define BELAYI_SESSION_SESSION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <belay/scope.h>
#include <belay/session.h>
#include <belay/statement.h>

#include "db.h"
#include "fork.h"
#include "transaction.h"

enum { BELAYI_MESSAGE_ROOM = 1536, BELAYI_ONCE_KEY_ROOM = 256 };

/* How the outermost scope is to be run again. */
typedef struct belayi_unit {
    belayi_scope_spec spec;
    belayi_form form;
    belay_place place;
    int retries, attempt, uncounted; /* attempts that don't count against .retries: belay_run_twice */
    bool refused;                    /* the last attempt was one of them */
    const char *once;                /* its key, the session's copy; NULL: none */
    int64_t once_attempt;            /* tells the claim of this attempt from every other */
    int64_t backoff_ms, backoff_max_ms;
} belayi_unit;

/* A transaction that waits while one with a connection of its own runs inside it: BELAY_REQUIRES_NEW. */
typedef struct belayi_suspended {
    struct belayi_suspended *outer;
    belayi_transaction transaction;
    belayi_unit unit;
} belayi_suspended;

/* What a session does otherwise than a usual one: see src/testing/sandbox.c. */
typedef struct belayi_session_kind {
    void (*capture)(void *arg, belayi_hooks); /* takes the hooks of a unit that ended well, instead of running them */
    void (*close)(void *arg);                 /* after everything was rolled back */
} belayi_session_kind;

struct belay_session {
    atomic_bool in_call;                 /* a call is being made */
    atomic_bool overlapped;              /* another thread's call was refused meanwhile */
    unsigned long long generation;       /* of the process that opened it */
    unsigned long long usual_generation; /* the same; 0, which none has, without a database and inside a barred hook */
    belay_db *db;                        /* held; may be NULL */
    const belayi_session_kind *kind;     /* NULL: a usual session */
    void *kind_arg;
    bool adopted;  /* the connection is the program's own */
    bool unscoped; /* the session is the library's own: .require_scope is for the program's */
    belayi_transaction transaction;
    belayi_unit unit;
    belayi_suspended *suspended; /* the transaction around this one, if it isn't the outermost */
    belay_effect effect;         /* of the last statement */
    struct belay_rows *rows;     /* all results that are open */
    struct belay_rows *stream;   /* the one that is being read from the engine */
    uint64_t random;
    int hook_errors;         /* of the last outermost scope */
    unsigned hook_floor;     /* scopes up to this depth are not the running hook's to end */
    bool in_barred_hook;     /* inside a hook that can't use the session */
    bool barred_call;        /* it was tried all the same */
    unsigned inside;         /* how many hooks and callbacks are running: it can't be closed meanwhile */
    bool in_late_hook;       /* inside a hook after the end of a unit */
    bool status_unread;      /* the status is a failure that nobody has read */
    bool already_done;       /* the last unit had been done before, under the same key */
    belay_error foreign_end; /* why the transaction of somebody else's that the session was in is over; until caught */
    belay_error status;      /* how the last outermost scope ended */
    belay_error unread;      /* the first failure that nobody read before the next unit began */
    bool unread_came_later;  /* it is a hook's, and the status, unread as well, came before it */
    belay_error caught;
    belayi_hooks late; /* hooks that run after the ones that are running */
    char message[BELAYI_MESSAGE_ROOM];
    char once_key[BELAYI_ONCE_KEY_ROOM]; /* of the unit that has one */
};

/* Whether nothing has come up since the session was opened that a call would have to look at. */
static inline bool belayi_session_is_usual(const belay_session *s)
{
    return s->usual_generation == belayi_fork_generation() &&
           !atomic_load_explicit(&s->db->closed, memory_order_relaxed) &&
           !atomic_load_explicit(&s->overlapped, memory_order_relaxed);
}

bool belayi_session_enter_slowly(belay_session *, bool only_asks);
bool belayi_session_end_slowly(belay_session *);

/*
 * Begins a call. False when it is refused: no session, another thread is in a
 * call, a child after fork, a closed database, a hook that may not. Then the
 * call returns BELAY_MISUSE, nothing may be done and nothing left. A call of
 * another thread's that was refused is made pending here. What is queued stays
 * so: for calls that may be queued, or to which it makes no difference.
 */
static inline bool belayi_session_enter_to_queue(belay_session *s)
{
    if (!s)
        return false;
    if (atomic_exchange_explicit(&s->in_call, true, memory_order_acquire)) {
        atomic_store(&s->overlapped, true);
        return false;
    }
    return belayi_session_is_usual(s) || belayi_session_enter_slowly(s, false);
}

/* The same for all other calls: what is queued is done then, or has failed. */
static inline bool belayi_session_enter(belay_session *s)
{
    if (!belayi_session_enter_to_queue(s))
        return false;
    belayi_scope_drain(&s->transaction);
    return true;
}

/* The same for a call that only asks how things stand: a hook may do so everywhere. */
static inline bool belayi_session_enter_to_ask(belay_session *s)
{
    if (!s)
        return false;
    if (atomic_exchange_explicit(&s->in_call, true, memory_order_acquire)) {
        atomic_store(&s->overlapped, true);
        return false;
    }
    if (!belayi_session_is_usual(s) && !belayi_session_enter_slowly(s, true))
        return false;
    belayi_scope_drain(&s->transaction);
    return true;
}

/* Why a call was refused. */
const belay_error *belayi_session_why_refused(const belay_session *);

/* The same for what can't be refused: the end of a block. Waits for the other thread's call to end. False in a child.
 */
static inline bool belayi_session_enter_to_end(belay_session *s)
{
    if (atomic_exchange_explicit(&s->in_call, true, memory_order_acquire))
        return belayi_session_end_slowly(s);
    if (belayi_session_is_usual(s))
        return true;
    atomic_store_explicit(&s->in_call, false, memory_order_release);
    return belayi_session_end_slowly(s);
}

static inline void belayi_session_leave(belay_session *s)
{
    belayi_transaction_check(&s->transaction);
    atomic_store_explicit(&s->in_call, false, memory_order_release);
}

/* What is pending, or how the last unit ended. */
belay_code belayi_session_code(const belay_session *);

/* Makes *error pending in the innermost scope, or the status outside all scopes. Returns the code pending then. */
belay_code belayi_session_raise(belay_session *, belay_place, belay_error *error);
belay_code belayi_session_misuse(belay_session *, belay_place, const char *format, ...) BELAYI_PRINTF(3, 4);

/* A unit begins: an unread failure is logged and kept. */
void belayi_session_begin_unit(belay_session *);

/* The first failure that nobody has read. */
const belay_error *belayi_session_first_unread(const belay_session *);

/* Ends the innermost scope; keeps how a unit ended, and runs its hooks. Returns as belayi_scope_end. */
belay_code belayi_session_end_scope(belay_session *, belayi_end reason);

/* Ends what is open inside the scope of that serial; kept or not, it is misuse unless all is abandoned. */
void belayi_session_end_inside(belay_session *, uint64_t serial, belayi_end reason);
/* The same, and the scope itself. */
belay_code belayi_session_end_to(belay_session *, uint64_t serial, belayi_end reason);

/* Puts the open transaction aside, so that another can begin. False without memory. */
bool belayi_session_suspend(belay_session *);

/* The transaction inside has ended: goes on with the one around it, and tells it how. */
void belayi_session_resume(belay_session *);

/* How many scopes are open, in all transactions. */
unsigned belayi_session_depth(const belay_session *);

/* Runs what is to run after the unit; hook.c. `barred`: the hooks can't use the session. */
void belayi_session_run_late_hooks(belay_session *, belayi_hooks hooks, bool committed, bool barred);
bool belayi_session_run_hook(void *session, belay_hook, void *arg, bool inside);

/* Tells the program that a row or item was rejected with the error that is the caught one. NULL: it need not know. */
void belayi_session_reject(belay_session *, belay_rejected, size_t number, void *arg);

/* The callback of that scope has returned: what is open inside is ended, and what it returned is told. False when the
   scope is open no more. */
bool belayi_session_take_result(belay_session *, uint64_t serial, int result, belay_place);

/* The innermost scope ends, or a part of it, while a stream is open: that is misuse, if it was opened in it. */
void belayi_session_end_stream(belay_session *);

/* Ends the stream, if there is one that was opened in the innermost scope; true when there was. */
bool belayi_session_stop_stream(belay_session *, uint64_t serial);

#endif
