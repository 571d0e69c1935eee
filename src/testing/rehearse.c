/*
 * rehearse.c - runs a unit once for each of its calls, with that call failing, in each way that it can fail.
 *
 * Every run begins with no connection open, so that the calls of one run are
 * those of the next up to the one that fails: connecting and preparing are among
 * them each time. A call that fails alone, with no call after it, would fail the
 * same way with all after it; that run is left out.
 * Tests: tests/testing/test_rehearse.c.
 */
#include <belay/testing.h>

#include <stdio.h>
#include <string.h>

#include "fault.h"
#include "report.h"
#include "session.h"

enum { CALLS_AT_MOST = 10000 };

typedef struct rehearsal {
    belay_db *db;
    belayi_standin *standin;
    belay_unit unit;
    belay_rehearsal_check check;
    void *arg;
    belay_rehearsal run;  /* the one that is being made */
    belayi_call_made hit; /* the call that was made to fail first in it */
    unsigned made;        /* calls in it */
    belay_rehearsal_report report;
} rehearsal;

/* ---- Ways of failing --------------------------------------------------------------------------------------------- */

/* Kinds of calls, as bits. */
enum {
    COMMITS = 1 << BELAYI_CALL_COMMIT,
    STATEMENTS = 1 << BELAYI_CALL_EXECUTE | 1 << BELAYI_CALL_START | 1 << BELAYI_CALL_QUEUE | 1 << BELAYI_CALL_EACH |
                 1 << BELAYI_CALL_DRAIN,
    CONFLICTING = COMMITS | STATEMENTS,
    LOCKING = 1 << BELAYI_CALL_BEGIN | CONFLICTING,
    EVERY_CALL = -1
};

typedef struct way {
    belay_code code;
    int kinds;        /* of the calls that can fail so */
    bool only_writes; /* of the statements, those that may write */
} way;

static const way ways[] = {
    {BELAY_IO, EVERY_CALL, false},             /* first: of what kind a call is, is known when it has failed so */
    {BELAY_NO_MEMORY, EVERY_CALL, false},      /* the same to the engine; not always to the program */
    {BELAY_CONNECTION, EVERY_CALL, false},     /* lost before the engine sees the call */
    {BELAY_IN_DOUBT, EVERY_CALL, false},       /* and after */
    {BELAY_LOCK_TIMEOUT, LOCKING, false},      /* may be tried again, and caught */
    {BELAY_BUSY, LOCKING, false},              /* likewise */
    {BELAY_SERIALIZATION, CONFLICTING, false}, /* the engine rolls back; may be tried again */
    {BELAY_DEADLOCK, CONFLICTING, false},      /* likewise */
    {BELAY_UNIQUE, STATEMENTS, true},          /* what programs catch */
    {BELAY_FOREIGN_KEY, COMMITS, false},       /* a deferred one: the transaction stays open */
};

static bool can_fail_so(const belayi_call_made *call, const way *w)
{
    return (w->kinds & 1 << call->kind) && (!w->only_writes || call->writes);
}

/* ---- One run ----------------------------------------------------------------------------------------------------- */

static bool give_up(rehearsal *r, belay_code code, const char *why)
{
    belayi_report(&r->report.error, code, "%s", why);
    return false;
}

/* How the last outermost scope ended; one that the unit has left open is rolled back first. */
static belay_error read_status(belay_session *s)
{
    if (belayi_session_enter_to_end(s)) {
        while (belay_depth(s) > 0)
            belayi_session_end_scope(s, BELAYI_END_ABANDON);
        belayi_session_leave(s);
    }
    return *belay_pending(s);
}

/* Runs the unit on a session of its own. False when the rehearsal can't go on. */
static bool run_unit(rehearsal *r, const belayi_fault *fault)
{
    belayi_pool_close_idle(&r->db->pool);
    belay_session *s = belay_session_open(r->db);
    if (!s)
        return give_up(r, BELAY_NO_MEMORY, "no memory for a session");
    belayi_standin_arm(r->standin, fault, NULL);
    r->run.result = r->unit(s, r->arg);
    bool met = belay_calls_failed(r->db) > 0;
    r->made = belay_calls_made(r->db);
    r->hit = r->standin->first_hit;
    belayi_standin_disarm(r->standin);
    r->run.status = read_status(s);
    belay_session_close(s);
    r->run.call = met ? fault->first : 0;
    r->run.kind = met ? belayi_call_name(r->hit.kind) : "";
    r->run.code = met ? fault->code : BELAY_OK;
    r->run.onwards = met && fault->last > fault->first;
    if (r->made <= CALLS_AT_MOST)
        return true;
    belayi_report(&r->report.error, BELAY_MISUSE, "the unit made %u calls%s: a rehearsal is for at most %d", r->made,
                  r->run.onwards ? ", while all of them failed" : "", CALLS_AT_MOST);
    return false;
}

static const char *name_outcome(belay_outcome outcome)
{
    static const char *const names[] = {"not decided", "committed", "rolled back", "unknown", "partly rolled back"};
    return names[outcome];
}

/* What the run was, and how it ended, for a person. */
static void describe(const rehearsal *r, int verdict, char *out, size_t room)
{
    const belay_rehearsal *run = &r->run;
    char what[80] = "no call failed", where[200] = "";
    if (run->call > 0)
        snprintf(what, sizeof what, "call %u (%s)%s failed with %s", run->call, run->kind,
                 run->onwards ? " and all after it" : "", belay_code_name(run->code));
    if (run->status.file[0])
        snprintf(where, sizeof where, " at %s:%d", run->status.file, run->status.line);
    belayi_report_format(out, room, "%s: the unit returned %d, its status is %s%s, its work %s; the check returned %d",
                         what, run->result, belay_code_name(run->status.code),
                         run->status.code != BELAY_OK ? where : "", name_outcome(run->status.outcome), verdict);
}

/* Lets the check look. False when the rehearsal can't go on. */
static bool run_check(rehearsal *r)
{
    belay_session *s = belay_session_open(r->db);
    if (!s)
        return give_up(r, BELAY_NO_MEMORY, "no memory for a session");
    int verdict = r->check(s, &r->run, r->arg);
    r->report.runs++;
    if (verdict != 0 && r->report.refused++ == 0)
        describe(r, verdict, r->report.first, sizeof r->report.first);
    belay_error unread = *belay_unread(s);
    belay_code code = belay_session_close(s);
    if (code == BELAY_OK)
        return true;
    r->report.error = unread;
    return code == unread.code ? false : give_up(r, code, "the check has left a scope open");
}

static bool run_once(rehearsal *r, belayi_fault fault)
{
    return run_unit(r, &fault) && run_check(r);
}

/* ---- All runs ---------------------------------------------------------------------------------------------------- */

/* One call fails in one way: alone, and then with all after it, where any came. *out_hit is the call, when there was
   such a one. */
static bool run_way(rehearsal *r, unsigned call, belay_code code, belayi_call_made *out_hit)
{
    bool goes_on = run_once(r, (belayi_fault){.first = call, .last = call, .code = code});
    *out_hit = r->hit;
    if (!goes_on || r->hit.number == 0 || r->made == call)
        return goes_on;
    return run_once(r, (belayi_fault){.first = call, .last = call + CALLS_AT_MOST, .code = code});
}

/* *out_met: whether there was such a call. */
static bool run_all_ways(rehearsal *r, unsigned call, bool *out_met)
{
    belayi_call_made hit, ignored;
    bool goes_on = run_way(r, call, ways[0].code, &hit);
    *out_met = hit.number > 0;
    for (size_t i = 1; goes_on && *out_met && i < sizeof ways / sizeof *ways; i++)
        if (can_fail_so(&hit, &ways[i]))
            goes_on = run_way(r, call, ways[i].code, &ignored);
    return goes_on;
}

static void run_all(rehearsal *r)
{
    bool goes_on = run_once(r, (belayi_fault){0}), met = true;
    for (unsigned call = 1; goes_on && met; call++)
        goes_on = run_all_ways(r, call, &met);
}

static belay_code refuse_rehearsal(const rehearsal *r, belay_error *error)
{
    if (belayi_fault_refuse(r->db, error) != BELAY_OK)
        return error->code;
    if (!r->unit || !r->check)
        return belayi_report(error, BELAY_MISUSE, "a rehearsal needs a unit and a check");
    if (!r->db->dies_with_connection)
        return BELAY_OK;
    belayi_report(error, BELAY_UNSUPPORTED, "a rehearsal loses connections, and this database is gone with its own");
    BELAYI_REPORT_FIELD(error->hint, "rehearse on a file of the test's own: sqlite:PATH");
    return error->code;
}

belay_rehearsal_report belay_rehearse(belay_db *db, belay_unit unit, belay_rehearsal_check check, void *arg)
{
    rehearsal r = {.db = db, .unit = unit, .check = check, .arg = arg};
    if (refuse_rehearsal(&r, &r.report.error) != BELAY_OK)
        return r.report;
    r.standin = belayi_fault_standin(db);
    if (r.standin)
        run_all(&r);
    else
        give_up(&r, BELAY_NO_MEMORY, "no memory for a rehearsal");
    return r.report;
}
