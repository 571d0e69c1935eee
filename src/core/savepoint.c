/*
 * savepoint.c - savepoints that are owed, set, shared and released; named marks.
 *
 * A scope or mark that was opened since the last statement owes its savepoint.
 * All that owe one stand at the same place in the work, so that one savepoint
 * serves them all; and when the newest savepoint that is set still marks that
 * place, it serves them too.
 * Tests: tests/unit/core.
 */
#include "inside.h"

#include <stdlib.h>
#include <string.h>

#include "report.h"

/* ---- Savepoints -------------------------------------------------------------------------------------------------- */

/* The outermost scope has a transaction to itself and needs none, unless that is somebody else's, or could become so.
 */
static bool has_savepoint(const belayi_transaction *t, unsigned scope)
{
    return (scope > 0 || t->foreign || t->watched) && !t->frames[scope].joined;
}

/* Everything that owes a savepoint holds the newest one from now on. */
static void settle(belayi_transaction *t, unsigned depth)
{
    for (unsigned i = t->owed_frames; i < depth; i++)
        if (has_savepoint(t, i)) {
            t->frames[i].savepoint = t->savepoints;
            t->set[t->savepoints - 1].holders++;
        }
    for (unsigned i = t->owed_marks; i < t->mark_count; i++)
        if (!t->marks[i].dead) {
            t->marks[i].savepoint = t->savepoints;
            t->set[t->savepoints - 1].holders++;
        }
}

/* Whether among those that owe a savepoint there is one that needs it. */
static bool needs_savepoint(const belayi_transaction *t, unsigned depth)
{
    for (unsigned i = t->owed_frames; i < depth; i++)
        if (has_savepoint(t, i))
            return true;
    for (unsigned i = t->owed_marks; i < t->mark_count; i++)
        if (!t->marks[i].dead)
            return true;
    return false;
}

static belay_code set_savepoint(belayi_transaction *t, belay_error *error)
{
    if (t->savepoints == t->savepoint_room) {
        unsigned room = t->savepoint_room ? 2 * t->savepoint_room : 8;
        belayi_savepoint *grown = realloc(t->set, room * sizeof *grown);
        if (!grown)
            return belayi_report(error, BELAY_NO_MEMORY, "no memory for a savepoint");
        t->set = grown;
        t->savepoint_room = room;
    }
    belay_code code = belayi_wire_savepoint(t, t->savepoints + 1, error);
    if (code == BELAY_OK)
        t->set[t->savepoints++] = (belayi_savepoint){0};
    return code;
}

belay_code belayi_savepoint_pay(belayi_transaction *t, unsigned depth, belay_error *error)
{
    if (needs_savepoint(t, depth)) {
        bool reuse = t->untouched && t->savepoints > 0 && t->eager == 0;
        belay_code code = reuse ? BELAY_OK : set_savepoint(t, error);
        if (code != BELAY_OK)
            return code;
        settle(t, depth);
        t->untouched = true;
    }
    t->owed_frames = depth;
    t->owed_marks = t->mark_count;
    return BELAY_OK;
}

void belayi_savepoint_let_go(belayi_transaction *t, unsigned number)
{
    if (number > 0 && number <= t->savepoints)
        t->set[number - 1].holders--;
}

/* How many savepoints hold work from number `from` + 1 on. */
static unsigned count_written(const belayi_transaction *t, unsigned from)
{
    unsigned count = 0;
    for (unsigned i = from; i < t->savepoints; i++)
        count += t->set[i].written;
    return count;
}

void belayi_scope_count_written(belayi_transaction *t, belay_place place)
{
    unsigned cheap = t->conn->driver->cheap_savepoints;
    if (cheap == 0 || t->told_costly)
        return;
    for (unsigned i = t->savepoints; i > 0 && t->set[i - 1].written == 0; i--) {
        t->set[i - 1].written = 1; /* beneath one that holds work, all do */
        t->written++;
    }
    if (t->written <= cheap)
        return;
    t->told_costly = true;
    belayi_wire_warn(t, place, "more savepoints with work in them than the server keeps without cost");
}

belay_code belayi_savepoint_trim(belayi_transaction *t, belay_error *error)
{
    unsigned kept = t->savepoints;
    while (kept > 0 && t->set[kept - 1].holders == 0)
        kept--;
    if (kept == t->savepoints)
        return BELAY_OK;
    belay_code code = belayi_wire_release(t, kept + 1, error);
    if (code == BELAY_OK) {
        unsigned written = count_written(t, kept);
        t->savepoints = kept;
        if (kept > 0)
            t->set[kept - 1].written += written;
    }
    t->untouched = false;
    return code;
}

belay_code belayi_savepoint_go_back(belayi_transaction *t, unsigned number, belay_error *error)
{
    if (number == 0)
        return BELAY_OK;
    belay_code code = belayi_wire_rollback_to(t, number, error);
    if (code != BELAY_OK)
        return code;
    t->written -= count_written(t, number - 1);
    t->set[number - 1].written = 0;
    t->savepoints = number;
    t->untouched = true;
    return BELAY_OK;
}

void belayi_savepoint_lose_above(belayi_transaction *t, unsigned kept)
{
    for (unsigned i = 0; i < t->depth; i++)
        if (t->frames[i].savepoint > kept)
            t->frames[i].savepoint = 0;
    for (unsigned i = 0; i < t->mark_count; i++)
        if (t->marks[i].savepoint > kept) {
            t->marks[i].savepoint = 0;
            t->marks[i].dead = true;
        }
    t->written -= count_written(t, kept);
    t->savepoints = kept;
    t->untouched = false;
}

void belayi_savepoint_lose_all(belayi_transaction *t)
{
    belayi_savepoint_lose_above(t, 0);
    for (unsigned i = 0; i < t->mark_count; i++) /* those that owe theirs too */
        t->marks[i].dead = true;
}

/* ---- Marks ------------------------------------------------------------------------------------------------------ */

void belayi_mark_forget(belayi_transaction *t, unsigned count)
{
    while (t->mark_count > count) {
        belayi_mark *mark = &t->marks[--t->mark_count];
        belayi_savepoint_let_go(t, mark->savepoint);
        free(mark->name);
    }
    if (t->owed_marks > t->mark_count)
        t->owed_marks = t->mark_count;
}

void belayi_mark_kill(belayi_transaction *t)
{
    for (unsigned i = belayi_transaction_top(t)->marks; i < t->mark_count; i++)
        t->marks[i].dead = true;
}

static bool grow_marks(belayi_transaction *t)
{
    if (t->mark_count < t->mark_room)
        return true;
    unsigned room = t->mark_room ? 2 * t->mark_room : 4;
    belayi_mark *grown = realloc(t->marks, room * sizeof *grown);
    if (!grown)
        return false;
    t->marks = grown;
    t->mark_room = room;
    return true;
}

/* Pushes a mark; false when memory is out. Older marks of the name are dead then: one of them must not answer for it.
 */
static bool push_mark(belayi_transaction *t, const char *name, bool dead)
{
    char *copy = grow_marks(t) ? strdup(name) : NULL;
    if (!copy) {
        for (unsigned i = belayi_transaction_top(t)->marks; i < t->mark_count; i++)
            if (strcmp(t->marks[i].name, name) == 0)
                t->marks[i].dead = true;
        return false;
    }
    t->marks[t->mark_count++] =
        (belayi_mark){.name = copy, .dead = dead, .hooks = t->hooks.count, .followed = t->followed};
    return true;
}

/* Sets the savepoint of the newest mark at once. A mark that could not be set can't be gone back to. */
static belay_code pay_for_mark(belayi_transaction *t)
{
    belay_code code = belayi_scope_settle(t);
    if (code != BELAY_OK)
        t->marks[t->mark_count - 1].dead = true;
    return code;
}

belay_code belayi_mark_set(belayi_transaction *t, const char *name)
{
    belayi_scope_drain(t);
    if (t->phantoms > 0)
        return belayi_scope_refuse(t);
    belayi_scope_follow(t);
    belay_code refused = belayi_scope_refuse(t);
    bool pushed = push_mark(t, name, refused != BELAY_OK);
    if (refused != BELAY_OK)
        return refused;
    if (pushed)
        return t->eager > 0 ? pay_for_mark(t) : BELAY_OK;
    belay_error error;
    belayi_report(&error, BELAY_NO_MEMORY, "no memory for a mark");
    return belayi_scope_raise(t, &error);
}

/* The newest mark of the name in the innermost scope, as one more than its index; 0: none. */
static unsigned find_mark(belayi_transaction *t, const char *name)
{
    unsigned beneath = belayi_transaction_top(t)->marks;
    for (unsigned i = t->mark_count; t->phantoms == 0 && i > beneath; i--)
        if (strcmp(t->marks[i - 1].name, name) == 0)
            return i;
    return 0;
}

/* Goes back to the mark, which the caller found to be alive. */
static belay_code go_back_to(belayi_transaction *t, belayi_mark *mark)
{
    belay_error error;
    if (belayi_savepoint_go_back(t, mark->savepoint, &error) != BELAY_OK)
        return belayi_scope_lose(t, &error);
    if (t->follower)
        t->follower->go_back(t->follower_arg, mark->followed);
    belayi_hooks_roll_back(t, mark->hooks, true);
    belayi_frame *top = belayi_transaction_top(t);
    top->state = belayi_state_next(top->state, BELAYI_EVENT_GO_BACK);
    belayi_transaction_clear(t);
    return BELAY_OK;
}

/* A mark that was never set at the engine: memory was out, or the call that should have set it was refused. */
static belay_code refuse_dead(belayi_transaction *t)
{
    belay_code refused = belayi_scope_refuse(t);
    if (refused != BELAY_OK)
        return refused;
    belay_error error;
    belayi_report(&error, BELAY_NO_MEMORY, "there was no memory to set this mark: it can't be gone back to");
    return belayi_scope_raise(t, &error);
}

belay_code belayi_mark_go_back(belayi_transaction *t, const char *name, bool *out_known)
{
    unsigned found = find_mark(t, name);
    *out_known = found > 0;
    belayi_scope_drain(t);
    if (!found)
        return belayi_scope_refuse(t);
    belayi_mark_forget(t, found);
    belayi_mark *mark = &t->marks[found - 1];
    if (mark->dead || belayi_transaction_state(t) == BELAYI_SCOPE_DOOMED)
        return refuse_dead(t);
    return go_back_to(t, mark);
}

belay_code belayi_mark_release(belayi_transaction *t, const char *name, bool *out_known)
{
    unsigned found = find_mark(t, name);
    *out_known = found > 0;
    belayi_scope_drain(t);
    belay_code refused = belayi_scope_refuse(t);
    if (!found)
        return refused;
    belayi_mark_forget(t, found - 1);
    if (refused != BELAY_OK)
        return refused;
    belay_error error;
    return belayi_savepoint_trim(t, &error) == BELAY_OK ? BELAY_OK : belayi_scope_fail(t, &error);
}
