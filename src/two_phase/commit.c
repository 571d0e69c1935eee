/*
 * commit.c - one unit over two sessions: belay_commit_two_phase.
 *
 * The README tells the protocol. The two guards are held, but while the program's
 * unit, or its hooks, run.
 * Tests: tests/two_phase.
 */
#include <belay/two_phase.h>

#include "db.h"
#include "pair.h"
#include "report.h"

enum { PATIENCE_MS = 10000 };

/* ---- The program's unit ----------------------------------------------------------------------------------------- */

/* It is under way, and may leave by a C++ exception or pthread_exit. */
typedef struct running {
    belayi_pair *p;
    bool returned;
} running;

static void leave_unit(running *r)
{
    for (int i = 0; i < BELAYI_SIDES; i++)
        r->p->sides[i].s->inside--;
    for (int i = 0; i < BELAYI_SIDES && !r->returned; i++) {
        belay_session *s = r->p->sides[i].s;
        if (!belayi_session_enter_to_end(s))
            continue;
        belayi_session_end_to(s, r->p->sides[i].serial, BELAYI_END_ABANDON);
        belayi_session_leave(s);
    }
}

static int call_unit(belayi_pair *p, belay_two_phase_unit unit, void *arg)
{
    running r BELAYI_CLEANUP(leave_unit) = {p, false};
    for (int i = 0; i < BELAYI_SIDES; i++) {
        p->sides[i].s->inside++;
        belayi_session_leave(p->sides[i].s);
    }
    int result = unit(p->sides[0].s, p->sides[1].s, arg);
    r.returned = true;
    return result;
}

/* False when the guards could not be taken again, as this is a child after fork now. */
static bool run_unit(belayi_pair *p, belay_two_phase_unit unit, void *arg)
{
    int result = call_unit(p, unit, arg);
    for (int i = 0; i < BELAYI_SIDES; i++)
        if (!belayi_session_enter_to_end(p->sides[i].s))
            return false;
    for (int i = 0; i < BELAYI_SIDES; i++)
        belayi_session_end_inside(p->sides[i].s, p->sides[i].serial, BELAYI_END_COMMIT);
    if (belayi_pair_agree(p) && result != 0) {
        belay_error error;
        belayi_report(&error, BELAY_APPLICATION, "the unit returned %d", result);
        belayi_pair_raise(p, &error);
    }
    return true;
}

/* ---- The first phase -------------------------------------------------------------------------------------------- */

static bool has_begun(const belayi_side *one)
{
    return belayi_side_transaction(one)->phase == BELAYI_PHASE_OPEN;
}

/* What speaks against a commit is heard before anything is prepared. */
static bool review(belayi_pair *p)
{
    for (int i = 0; i < BELAYI_SIDES && belayi_pair_agree(p); i++)
        belayi_scope_review(belayi_side_transaction(&p->sides[i]));
    return belayi_pair_agree(p);
}

static bool prepare_all(belayi_pair *p)
{
    for (int i = 0; i < BELAYI_SIDES && belayi_pair_agree(p); i++) {
        belayi_side *one = &p->sides[i];
        if (one == p->last || !has_begun(one))
            continue;
        one->asked = true;
        belayi_scope_prepare(belayi_side_transaction(one));
    }
    return belayi_pair_agree(p);
}

/* ---- The decision ----------------------------------------------------------------------------------------------- */

typedef enum decision { UNDECIDED, COMMIT, ABORT } decision;

static decision look_up(belayi_pair *p)
{
    bool commit;
    belay_error error;
    if (belayi_decisions_settle(p->log, p->unit, &commit, &error) != BELAY_OK)
        return UNDECIDED;
    return commit ? COMMIT : ABORT;
}

/* Somebody else decided first: only belay_recover does. */
static void tell_recovered(belay_error *error)
{
    belayi_report(error, BELAY_ABANDONED, "a recovery took the unit for abandoned, and rolled it back");
    BELAYI_REPORT_FIELD(error->hint, "it came between the two phases: run the unit again");
}

/* The row is committed in a unit of the log's own. */
static decision decide_in_log(belayi_pair *p, belay_error *error)
{
    belay_session *s = belay_session_open(p->log);
    belay_code code = s ? belayi_decisions_put(s, p->unit) : BELAY_NO_MEMORY;
    const belay_error *why = belay_pending(s);
    decision made = code == BELAY_OK ? COMMIT : why->outcome == BELAY_WORK_UNKNOWN ? UNDECIDED : ABORT;
    if (made != COMMIT)
        *error = *why;
    belay_session_close(s);
    if (code == BELAY_UNIQUE)
        tell_recovered(error);
    return made == UNDECIDED ? look_up(p) : made;
}

/* The row is put into the transaction that can't be prepared, whose commit is the decision. */
static bool put_into_last(const belayi_pair *p)
{
    belay_session *s = p->last->s;
    belayi_session_leave(s);
    belay_code code = belayi_decisions_put(s, p->unit);
    bool in_time = belayi_session_enter_to_end(s);
    if (code == BELAY_UNIQUE)
        tell_recovered(&belayi_side_transaction(p->last)->pending);
    return in_time && code == BELAY_OK;
}

static decision decide_by_last(belayi_pair *p, belay_error *error)
{
    belay_session *s = p->last->s;
    if (!put_into_last(p)) {
        *error = belayi_side_transaction(p->last)->pending;
        return ABORT;
    }
    p->last->hooks = belayi_hooks_take(&s->transaction.hooks);
    belayi_session_end_scope(s, BELAYI_END_COMMIT);
    decision made = s->status.outcome == BELAY_WORK_COMMITTED ? COMMIT
                    : s->status.outcome == BELAY_WORK_UNKNOWN ? look_up(p)
                                                              : ABORT;
    *error = s->status;
    if (made == COMMIT)
        s->status.code = BELAY_OK;
    if (made == ABORT && error->code == BELAY_IN_DOUBT)
        s->status.code = error->code = BELAY_CONNECTION;
    s->status.outcome = made == COMMIT  ? BELAY_WORK_COMMITTED
                        : made == ABORT ? BELAY_WORK_ROLLED_BACK
                                        : BELAY_WORK_UNKNOWN;
    return made;
}

static void tell_undecided(belay_error *error)
{
    BELAYI_REPORT_FORMAT(error->detail, "%s: %s", belay_code_name(error->code), error->message);
    BELAYI_REPORT_FIELD(error->message,
                        "nobody can say whether the decision to commit was kept, as its log can't be asked");
    BELAYI_REPORT_FIELD(error->hint, "both stay prepared: when the log can be reached, belay_recover ends both alike");
    error->code = BELAY_IN_DOUBT;
    error->outcome = BELAY_WORK_UNKNOWN;
}

/* ---- The second phase ------------------------------------------------------------------------------------------- */

/* On the connection that has prepared it, where that still lives. */
static void tell_side(belayi_side *one, bool commit)
{
    belay_error ignored; /* it is told again, by its name */
    belayi_transaction *t = belayi_side_transaction(one);
    if (t->prepared)
        one->told = belayi_wire_finish_prepared(t, commit, &ignored) == BELAY_OK;
}

static void warn(const belayi_side *one, bool commit, const belay_error *why)
{
    char line[512];
    belayi_report_format(line, sizeof line, "%s stays prepared, and is to be %s: %s: %s. belay_recover will do it",
                         one->name, commit ? "committed" : "rolled back", belay_code_name(why->code), why->message);
    belayi_db_log(one->s->db, BELAY_LOG_WARNING, line);
}

/* By its name, when its own connection is gone. */
static void tell_again(belayi_side *one, bool commit)
{
    belay_error error;
    if (!one->asked || one->told)
        return;
    belay_code code = belayi_prepared_end(one->s->db, one->name, commit, PATIENCE_MS, &error);
    one->told = code == BELAY_OK || code == BELAY_NOT_FOUND; /* it had been told, or was never prepared */
    if (!one->told)
        warn(one, commit, &error);
}

/* Ends a scope, if it is ours and open still, without running its hooks yet. */
static void close_side(belayi_side *one)
{
    belay_session *s = one->s;
    if (one->serial == 0 || s->transaction.depth == 0)
        return;
    one->hooks = belayi_hooks_take(&s->transaction.hooks);
    belayi_session_end_scope(s, BELAYI_END_COMMIT);
}

static void run_hooks(belayi_side *one)
{
    belay_outcome outcome = one->s->status.outcome;
    if (outcome == BELAY_WORK_UNKNOWN)
        belayi_hooks_done(&one->hooks);
    else if (one->hooks.count > 0)
        belayi_session_run_late_hooks(one->s, one->hooks, outcome == BELAY_WORK_COMMITTED, false);
}

static void finish(belayi_pair *p, decision made)
{
    bool all_told = true;
    for (int i = 0; i < BELAYI_SIDES && made != UNDECIDED; i++)
        tell_side(&p->sides[i], made == COMMIT);
    for (int i = 0; i < BELAYI_SIDES; i++)
        close_side(&p->sides[i]);
    for (int i = 0; i < BELAYI_SIDES && made != UNDECIDED; i++) {
        tell_again(&p->sides[i], made == COMMIT);
        all_told &= !p->sides[i].asked || p->sides[i].told;
    }
    if (made == COMMIT && all_told && p->sides[0].asked + p->sides[1].asked > 0)
        belayi_decisions_forget(p->log, p->unit);
    for (int i = 0; i < BELAYI_SIDES; i++)
        run_hooks(&p->sides[i]);
}

/* At most one has done anything: its own commit is all there is. */
static void commit_alone(belayi_pair *p)
{
    int first = has_begun(&p->sides[0]) ? 0 : 1;
    close_side(&p->sides[first]);
    const belay_error *ended = &p->sides[first].s->status;
    belayi_side *other = &p->sides[!first];
    if (ended->code != BELAY_OK && other->s->transaction.depth > 0) {
        belay_error copy = *ended;
        belayi_scope_raise(belayi_side_transaction(other), &copy);
    }
    finish(p, UNDECIDED);
}

static void commit_both(belayi_pair *p)
{
    belay_error error;
    if (!prepare_all(p)) {
        finish(p, ABORT);
        return;
    }
    decision made = p->last ? decide_by_last(p, &error) : decide_in_log(p, &error);
    if (made == UNDECIDED)
        tell_undecided(&error);
    for (int i = 0; i < BELAYI_SIDES && made != COMMIT; i++)
        if (p->sides[i].s->transaction.depth > 0)
            belayi_scope_raise(belayi_side_transaction(&p->sides[i]), &error);
    finish(p, made);
}

/* ---- The call --------------------------------------------------------------------------------------------------- */

static void conclude(belayi_pair *p)
{
    if (!review(p))
        finish(p, ABORT);
    else if (has_begun(&p->sides[0]) && has_begun(&p->sides[1]))
        commit_both(p);
    else
        commit_alone(p);
}

static belay_code run(belayi_pair *p, belay_two_phase_unit unit, void *arg)
{
    if (belayi_pair_open(p) != BELAY_OK)
        finish(p, UNDECIDED); /* one can't be left alone in its scope */
    else if (!run_unit(p, unit, arg))
        return BELAY_MISUSE;
    else
        conclude(p);
    for (int i = 0; i < BELAYI_SIDES; i++)
        if (p->sides[i].s->transaction.depth == 0)
            p->sides[i].s->status_unread = false;
    belay_code code = belayi_session_code(p->sides[0].s);
    return code != BELAY_OK ? code : belayi_session_code(p->sides[1].s);
}

/* With one session only. */
static void refuse_call(belay_session *a, belay_place place, const char *why)
{
    belayi_session_misuse(a, place, "belay_commit_two_phase: %s", why);
    if (a->transaction.depth == 0)
        a->status_unread = false;
    belayi_session_leave(a);
}

belay_code belay_commit_two_phase_at(belay_session *a, belay_session *b, belay_place place, belay_two_phase_unit unit,
                                     void *arg)
{
    belayi_pair p = {.sides = {{.s = a}, {.s = b}}, .place = place};
    if (!belayi_session_enter(a))
        return BELAY_MISUSE;
    if (!unit || a == b || !belayi_session_enter(b)) {
        refuse_call(a, place,
                    !unit    ? "there is no unit"
                    : a == b ? "the two sessions are one"
                             : belayi_session_why_refused(b)->message);
        return BELAY_MISUSE;
    }
    belay_code code = run(&p, unit, arg);
    belayi_session_leave(b);
    belayi_session_leave(a);
    return code;
}
