/*
 * suspend.c - a transaction inside a transaction: BELAY_REQUIRES_NEW.
 *
 * The one around is put aside with its scopes, its pending error and its
 * connection, and taken up again when the one inside has ended. Whether there
 * may be one at all is decided with the other options.
 * Tests: tests/api.
 */
#include <stdlib.h>

#include "session.h"

/* A transaction knows where its first frames are: they move with it. */
static void move_transaction(belayi_transaction *to, belayi_transaction *from)
{
    *to = *from;
    if (from->frames == from->first_frames)
        to->frames = to->first_frames;
}

bool belayi_session_suspend(belay_session *s)
{
    belayi_suspended *outer = malloc(sizeof *outer);
    if (!outer)
        return false;
    move_transaction(&outer->transaction, &s->transaction);
    outer->unit = s->unit;
    outer->outer = s->suspended;
    s->suspended = outer;
    belayi_transaction_init(&s->transaction, outer->transaction.host, outer->transaction.host_arg);
    s->transaction.serials = outer->transaction.serials; /* no two scopes of a session have one serial */
    s->transaction.session = outer->transaction.session;
    s->transaction.trace = outer->transaction.trace;
    s->transaction.depth_around = outer->transaction.depth_around + outer->transaction.depth;
    return true;
}

/* Its hooks run now, but the transaction around it is open: they can't use the session. Their failures count there. */
static void run_hooks_of_inner(belay_session *s, belayi_hooks hooks, belay_outcome outcome)
{
    int before = s->hook_errors;
    if (outcome == BELAY_WORK_UNKNOWN)
        belayi_hooks_done(&hooks);
    else
        belayi_session_run_late_hooks(s, hooks, outcome == BELAY_WORK_COMMITTED, true);
    s->transaction.hooks.failed += s->hook_errors - before;
    s->hook_errors = before; /* of the attempts before this one */
}

void belayi_session_resume(belay_session *s)
{
    belayi_suspended *outer = s->suspended;
    belay_error ended = s->transaction.pending;
    int failed = s->transaction.hooks.failed;
    belayi_hooks hooks = belayi_hooks_take(&s->transaction.hooks);
    uint64_t serials = s->transaction.serials;
    belayi_transaction_done(&s->transaction);

    move_transaction(&s->transaction, &outer->transaction);
    s->transaction.serials = serials;
    s->transaction.hooks.failed += failed;
    s->unit = outer->unit;
    s->suspended = outer->outer;
    free(outer);

    /* It was a transaction of its own: whatever ended it, the one around can catch it and go on. */
    if (ended.code != BELAY_OK && ended.code != BELAY_ROLLED_BACK)
        belayi_scope_refuse_inner(&s->transaction, &ended);
    run_hooks_of_inner(s, hooks, ended.outcome);
}

unsigned belayi_session_depth(const belay_session *s)
{
    unsigned depth = belayi_transaction_depth(&s->transaction);
    for (const belayi_suspended *outer = s->suspended; outer; outer = outer->outer)
        depth += belayi_transaction_depth(&outer->transaction);
    return depth;
}
