/*
 * commit.c - one unit over two sessions: belay_commit_two_phase.
 *
 * The README tells the protocol. The two guards are held, but while the program's
 * unit, or its hooks, run.
 * Tests: tests/two_phase, tests/unit/two_phase.
 */
#include <belay/two_phase.h>

#include <stdio.h>
#include <string.h>

#include "db.h"
#include "decisions.h"
#include "options.h"
#include "prepared.h"
#include "report.h"
#include "retry.h"
#include "session.h"

enum { SIDES = 2, PATIENCE_MS = 10000 };

typedef struct side {
    belay_session *s;
    uint64_t serial;                 /* of its outermost scope */
    char name[BELAYI_PREPARED_ROOM]; /* that it is prepared under; "": its engine can't */
    bool asked;                      /* to prepare: it may be prepared, whatever it answered */
    bool told;                       /* what became of it */
    belayi_hooks hooks;              /* to be run when all is over */
} side;

typedef struct pair {
    side sides[SIDES];
    side *last; /* the one that can't prepare: its commit decides; NULL: the log's does */
    belay_db *log;
    char unit[BELAYI_NUMBER_ROOM];
    belay_place place;
} pair;

static belayi_transaction *transaction_of(const side *one)
{
    return &one->s->transaction;
}

/* ---- Errors of one are errors of both ------------------------------------------------------------------------------
 */

static void raise_on_both(pair *p, const belay_error *error)
{
    for (int i = 0; i < SIDES; i++) {
        belay_error copy = *error;
        belayi_session_raise(p->sides[i].s, p->place, &copy);
    }
}

static belay_code refuse(pair *p, belay_code code, const char *message, const char *hint)
{
    belay_error error;
    belayi_report(&error, code, "%s", message);
    BELAYI_REPORT_FIELD(error.hint, hint);
    raise_on_both(p, &error);
    return code;
}

/* Whatever stops one stops the other. True when both still work. */
static bool agree(pair *p)
{
    for (int i = 0; i < SIDES; i++) {
        belayi_transaction *t = transaction_of(&p->sides[i]), *other = transaction_of(&p->sides[!i]);
        if (belayi_transaction_has_error(t) && !belayi_transaction_has_error(other)) {
            belay_error copy = t->pending;
            belayi_scope_raise(other, &copy);
        } else if (belayi_transaction_state(t) == BELAYI_SCOPE_UNDONE &&
                   belayi_transaction_state(other) == BELAYI_SCOPE_WORKING) {
            belayi_scope_undo(other);
        }
    }
    return belayi_transaction_state(transaction_of(&p->sides[0])) == BELAYI_SCOPE_WORKING;
}

/* ---- Before --------------------------------------------------------------------------------------------------------
 */

static belay_code check_side(pair *p, const side *one)
{
    const belay_session *s = one->s;
    if (s->transaction.depth > 0)
        return refuse(p, BELAY_MISUSE, "belay_commit_two_phase was called inside a scope of one of its sessions",
                      "it begins, and ends, the outermost scope of each");
    if (s->kind)
        return refuse(p, BELAY_UNSUPPORTED, "belay_commit_two_phase in a sandbox: what it commits would stay", "");
    if (!s->db)
        return refuse(p, BELAY_MISUSE, "the session was opened on no database: belay_open gave NULL", "");
    return BELAY_OK;
}

/* Whether it can be prepared decides which part it takes. */
static belay_code find_part(pair *p, side *one)
{
    belay_error error;
    belay_db *db = one->s->db;
    belay_code code = belayi_prepared_can(db, &error);
    if (code == BELAY_OK)
        return code;
    if (code == BELAY_UNSUPPORTED && db->driver && p->last) {
        belayi_report(&error, code, "neither of the two databases can prepare a transaction");
        BELAYI_REPORT_FIELD(error.hint,
                            "one must be MariaDB, or PostgreSQL with max_prepared_transactions above 0; two "
                            "SQLite files can be one unit by ATTACH");
    } else if (code == BELAY_UNSUPPORTED && db->driver && db->dies_with_connection) {
        belayi_report(&error, code, "a database in memory can't hold the decision: it dies with the program");
    } else if (code == BELAY_UNSUPPORTED && db->driver) {
        p->last = one;
        return BELAY_OK;
    }
    raise_on_both(p, &error);
    return error.code;
}

static belay_code find_log(pair *p)
{
    belay_error error;
    char number[BELAYI_NUMBER_ROOM];
    for (int i = 0; i < SIDES && !p->last && !p->log; i++)
        p->log = belayi_decisions_log_of(p->sides[i].s->db);
    if (p->last)
        p->log = p->last->s->db;
    if (!p->log)
        return refuse(p, BELAY_UNSUPPORTED, "there is no place for the decision: no handle has a .decision_log",
                      "open one of them with .decision_log = \"sqlite:decisions.db\"");
    if (belayi_decisions_open(p->log, number, &error) != BELAY_OK) {
        raise_on_both(p, &error);
        return error.code;
    }
    belayi_decisions_draw(p->unit);
    for (int i = 0; i < SIDES; i++)
        if (&p->sides[i] != p->last)
            belayi_prepared_name(p->sides[i].name, number, p->unit, i + 1);
    return BELAY_OK;
}

static belay_code open_side(pair *p, side *one)
{
    belay_error error;
    belayi_scope_spec spec;
    belay_session *s = one->s;
    belay_code code = belayi_options_resolve(s, NULL, BELAYI_FORM_CALLBACK, &spec, &error);
    if (code == BELAY_OK && spec.foreign)
        code = belayi_report(&error, BELAY_UNSUPPORTED,
                             "the connection is inside a transaction of the program's, which can't be prepared for it");
    if (code != BELAY_OK) {
        raise_on_both(p, &error);
        return code;
    }
    spec.gid = one->name[0] ? one->name : NULL;
    belayi_session_begin_unit(s);
    belayi_retry_remember(s, &spec, NULL, BELAYI_FORM_CALLBACK, p->place);
    belayi_scope_open(&s->transaction, &spec, BELAYI_FORM_CALLBACK, &p->place);
    one->serial = belayi_transaction_top(&s->transaction)->serial;
    return BELAY_OK;
}

static belay_code open_both(pair *p)
{
    belay_code code = BELAY_OK;
    for (int i = 0; i < SIDES && code == BELAY_OK; i++)
        code = check_side(p, &p->sides[i]);
    for (int i = 0; i < SIDES && code == BELAY_OK; i++)
        code = find_part(p, &p->sides[i]);
    if (code == BELAY_OK)
        code = find_log(p);
    for (int i = 0; i < SIDES && code == BELAY_OK; i++)
        code = open_side(p, &p->sides[i]);
    return code;
}

/* ---- The program's unit --------------------------------------------------------------------------------------------
 */

/* It is under way, and may leave by a C++ exception or pthread_exit. */
typedef struct running {
    pair *p;
    bool returned;
} running;

static void leave_unit(running *r)
{
    for (int i = 0; i < SIDES; i++)
        r->p->sides[i].s->inside--;
    for (int i = 0; i < SIDES && !r->returned; i++) {
        belay_session *s = r->p->sides[i].s;
        if (!belayi_session_enter_to_end(s))
            continue;
        belayi_session_end_to(s, r->p->sides[i].serial, BELAYI_END_ABANDON);
        belayi_session_leave(s);
    }
}

static int call_unit(pair *p, belay_two_phase_unit unit, void *arg)
{
    running r BELAYI_CLEANUP(leave_unit) = {p, false};
    for (int i = 0; i < SIDES; i++) {
        p->sides[i].s->inside++;
        belayi_session_leave(p->sides[i].s);
    }
    int result = unit(p->sides[0].s, p->sides[1].s, arg);
    r.returned = true;
    return result;
}

/* False when the guards could not be taken again, as this is a child after fork now. */
static bool run_unit(pair *p, belay_two_phase_unit unit, void *arg)
{
    int result = call_unit(p, unit, arg);
    for (int i = 0; i < SIDES; i++)
        if (!belayi_session_enter_to_end(p->sides[i].s))
            return false;
    for (int i = 0; i < SIDES; i++)
        belayi_session_end_inside(p->sides[i].s, p->sides[i].serial, BELAYI_END_COMMIT);
    if (agree(p) && result != 0) {
        belay_error error;
        belayi_report(&error, BELAY_APPLICATION, "the unit returned %d", result);
        raise_on_both(p, &error);
    }
    return true;
}

/* ---- The first phase -----------------------------------------------------------------------------------------------
 */

static bool has_begun(const side *one)
{
    return transaction_of(one)->phase == BELAYI_PHASE_OPEN;
}

/* What speaks against a commit is heard before anything is prepared. */
static bool review(pair *p)
{
    for (int i = 0; i < SIDES && agree(p); i++)
        belayi_scope_review(transaction_of(&p->sides[i]));
    return agree(p);
}

static bool prepare_all(pair *p)
{
    for (int i = 0; i < SIDES && agree(p); i++) {
        side *one = &p->sides[i];
        if (one == p->last || !has_begun(one))
            continue;
        one->asked = true;
        belayi_scope_prepare(transaction_of(one));
    }
    return agree(p);
}

/* ---- The decision --------------------------------------------------------------------------------------------------
 */

typedef enum decision { UNDECIDED, COMMIT, ABORT } decision;

static decision look_up(pair *p)
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
static decision decide_in_log(pair *p, belay_error *error)
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
static bool put_into_last(const pair *p)
{
    belay_session *s = p->last->s;
    belayi_session_leave(s);
    belay_code code = belayi_decisions_put(s, p->unit);
    bool in_time = belayi_session_enter_to_end(s);
    if (code == BELAY_UNIQUE)
        tell_recovered(&transaction_of(p->last)->pending);
    return in_time && code == BELAY_OK;
}

static decision decide_by_last(pair *p, belay_error *error)
{
    belay_session *s = p->last->s;
    if (!put_into_last(p)) {
        *error = transaction_of(p->last)->pending;
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

/* ---- The second phase ----------------------------------------------------------------------------------------------
 */

/* On the connection that has prepared it, where that still lives. */
static void tell_side(side *one, bool commit)
{
    belay_error ignored; /* it is told again, by its name */
    belayi_transaction *t = transaction_of(one);
    if (t->prepared)
        one->told = belayi_wire_finish_prepared(t, commit, &ignored) == BELAY_OK;
}

static void warn(const side *one, bool commit, const belay_error *why)
{
    char line[512];
    belayi_report_format(line, sizeof line, "%s stays prepared, and is to be %s: %s: %s. belay_recover will do it",
                         one->name, commit ? "committed" : "rolled back", belay_code_name(why->code), why->message);
    belayi_db_log(one->s->db, BELAY_LOG_WARNING, line);
}

/* By its name, when its own connection is gone. */
static void tell_again(side *one, bool commit)
{
    belay_error error;
    if (!one->asked || one->told)
        return;
    one->told = belayi_prepared_end(one->s->db, one->name, commit, PATIENCE_MS, &error) == BELAY_OK;
    if (!one->told)
        warn(one, commit, &error);
}

/* Ends a scope without running its hooks yet. */
static void close_side(side *one)
{
    belay_session *s = one->s;
    if (s->transaction.depth == 0)
        return;
    one->hooks = belayi_hooks_take(&s->transaction.hooks);
    belayi_session_end_scope(s, BELAYI_END_COMMIT);
}

static void run_hooks(side *one)
{
    belay_outcome outcome = one->s->status.outcome;
    if (outcome == BELAY_WORK_UNKNOWN)
        belayi_hooks_done(&one->hooks);
    else if (one->hooks.count > 0)
        belayi_session_run_late_hooks(one->s, one->hooks, outcome == BELAY_WORK_COMMITTED, false);
}

static void finish(pair *p, decision made)
{
    bool all_told = true;
    for (int i = 0; i < SIDES && made != UNDECIDED; i++)
        tell_side(&p->sides[i], made == COMMIT);
    for (int i = 0; i < SIDES; i++)
        close_side(&p->sides[i]);
    for (int i = 0; i < SIDES && made != UNDECIDED; i++) {
        tell_again(&p->sides[i], made == COMMIT);
        all_told &= !p->sides[i].asked || p->sides[i].told;
    }
    if (made == COMMIT && all_told && p->sides[0].asked + p->sides[1].asked > 0)
        belayi_decisions_forget(p->log, p->unit);
    for (int i = 0; i < SIDES; i++)
        run_hooks(&p->sides[i]);
}

/* At most one has done anything: its own commit is all there is. */
static void commit_alone(pair *p)
{
    int first = has_begun(&p->sides[0]) ? 0 : 1;
    close_side(&p->sides[first]);
    const belay_error *ended = &p->sides[first].s->status;
    side *other = &p->sides[!first];
    if (ended->code != BELAY_OK && other->s->transaction.depth > 0) {
        belay_error copy = *ended;
        belayi_scope_raise(transaction_of(other), &copy);
    }
    finish(p, UNDECIDED);
}

static void commit_both(pair *p)
{
    belay_error error;
    if (!prepare_all(p)) {
        finish(p, ABORT);
        return;
    }
    decision made = p->last ? decide_by_last(p, &error) : decide_in_log(p, &error);
    if (made == UNDECIDED)
        tell_undecided(&error);
    for (int i = 0; i < SIDES && made != COMMIT; i++)
        if (p->sides[i].s->transaction.depth > 0)
            belayi_scope_raise(transaction_of(&p->sides[i]), &error);
    finish(p, made);
}

/* ---- The call ------------------------------------------------------------------------------------------------------
 */

static void conclude(pair *p)
{
    if (!agree(p) || !review(p))
        finish(p, ABORT);
    else if (has_begun(&p->sides[0]) && has_begun(&p->sides[1]))
        commit_both(p);
    else
        commit_alone(p);
}

/* One can't be left alone in its scope. */
static void close_unopened(pair *p)
{
    for (int i = 0; i < SIDES; i++)
        if (p->sides[i].serial > 0)
            close_side(&p->sides[i]);
    for (int i = 0; i < SIDES; i++)
        if (p->sides[i].serial > 0)
            run_hooks(&p->sides[i]);
}

static belay_code run(pair *p, belay_two_phase_unit unit, void *arg)
{
    if (open_both(p) != BELAY_OK)
        close_unopened(p);
    else if (!run_unit(p, unit, arg))
        return BELAY_MISUSE;
    else
        conclude(p);
    for (int i = 0; i < SIDES; i++)
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
    pair p = {.sides = {{.s = a}, {.s = b}}, .place = place};
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
