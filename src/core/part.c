/*
 * part.c - several pieces of work in one scope, one after the other, each as if it had a scope of its own.
 *
 * They have one savepoint, the scope's: what one of them did can be undone only
 * together with the others. But one that failed before it did anything leaves
 * nothing to undo. What makes up for the first, by running the others again, is
 * the caller's business.
 * Tests: tests/api/test_batch*.c.
 */
#include "inside.h"

/* The marks of a part end with it, as those of a scope do. */
static belay_code forget_marks(belayi_transaction *t, belay_error *error)
{
    unsigned beneath = belayi_transaction_top(t)->marks;
    if (t->mark_count == beneath)
        return BELAY_OK;
    belayi_mark_forget(t, beneath);
    return belayi_savepoint_trim(t, error);
}

belay_code belayi_part_end(belayi_transaction *t)
{
    belay_error error;
    belayi_scope_follow(t);
    bool has_marks = t->mark_count > belayi_transaction_top(t)->marks;
    if (has_marks && belayi_transaction_state(t) == BELAYI_SCOPE_WORKING && belayi_scope_drain(t) == BELAY_OK &&
        forget_marks(t, &error) != BELAY_OK)
        belayi_scope_fail(t, &error);
    return belayi_transaction_state(t) == BELAYI_SCOPE_UNDONE ? BELAY_ROLLED_BACK : t->pending.code;
}

bool belayi_part_drop(belayi_transaction *t, belay_error *caught)
{
    belay_error error;
    belayi_frame *top = belayi_transaction_top(t);
    bool ordinary = top->state == BELAYI_SCOPE_HURT || top->state == BELAYI_SCOPE_FAILED;
    /* With the engine's own handle the program may have done what nobody here saw. */
    if (!ordinary || t->part.changed || top->undone || t->phantoms > 0 || t->lent || t->eager > 0)
        return false;
    if (forget_marks(t, &error) != BELAY_OK)
        return false;
    if (t->follower)
        t->follower->go_back(t->follower_arg, t->part.followed);
    belayi_hooks_roll_back(t, t->part.hooks, true);
    belayi_scope_take_error(t, caught);
    belayi_frame_step(top, BELAYI_EVENT_GO_BACK);
    return true;
}
