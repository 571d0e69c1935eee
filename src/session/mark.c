/*
 * mark.c - named marks, as the caller writes them.
 * Tests: tests/conformance, tests/model.
 */
#include <belay/scope.h>

#include "session.h"

/* What can be wrong with a call on a mark before it is looked at. */
static belay_code check_mark_call(belay_session *s, belay_place place, const char *call, const char *name)
{
    if (s->transaction.depth == 0)
        return belayi_session_misuse(s, place, "%s: there is no scope to set a mark in", call);
    if (!name)
        return belayi_session_misuse(s, place, "%s: the mark has no name", call);
    if (s->stream)
        return belayi_session_misuse(s, place, "%s: a stream is open; close it first", call);
    return BELAY_OK;
}

belay_code belay_savepoint_at(belay_session *s, belay_place place, const char *name)
{
    if (!belayi_session_enter(s))
        return BELAY_MISUSE;
    belay_code code = check_mark_call(s, place, "belay_savepoint", name);
    if (code == BELAY_OK)
        code = belayi_mark_set(&s->transaction, name);
    belayi_session_leave(s);
    return code;
}

typedef belay_code (*mark_call)(belayi_transaction *, const char *, bool *);

static belay_code use_mark(belay_session *s, belay_place place, const char *call, const char *name, mark_call use)
{
    if (!belayi_session_enter(s))
        return BELAY_MISUSE;
    bool known = true;
    belay_code code = check_mark_call(s, place, call, name);
    if (code == BELAY_OK)
        code = use(&s->transaction, name, &known);
    if (!known && code == BELAY_OK)
        code = belayi_session_misuse(s, place, "%s: the innermost scope has no mark of the name \"%s\"", call, name);
    belayi_session_leave(s);
    return code;
}

belay_code belay_rollback_to_at(belay_session *s, belay_place place, const char *name)
{
    return use_mark(s, place, "belay_rollback_to", name, belayi_mark_go_back);
}

belay_code belay_release_at(belay_session *s, belay_place place, const char *name)
{
    return use_mark(s, place, "belay_release", name, belayi_mark_release);
}
