#include "doubt.h"

#include "clock.h"
#include "link.h"
#include "once.h"
#include "report.h"
#include "retry.h"

enum {
    TRIES = 5,           /* that fail, besides one for each connection of the pool, which may all be dead */
    UNDECIDED_MS = 30000 /* how long a commit that is still under way is waited for, where the unit sets no limit */
};

/* Asks once, on a connection that has been lent. */
typedef belay_code (*way_to_ask)(belay_session *, belay_conn *, belay_outcome *out, belay_error *error);

/* ---- Telling the trace ------------------------------------------------------------------------------------ */

int64_t belayi_doubt_note_start(belay_session *s)
{
    return s->transaction.trace ? belayi_wire_listen(&s->transaction) : 0;
}

void belayi_doubt_tell(belay_session *s, belay_trace_event event)
{
    event.scope = s->unit.spec.name;
    event.file = s->unit.place.file;
    event.function = s->unit.place.function;
    event.line = s->unit.place.line;
    if (s->transaction.trace)
        belayi_wire_tell_call(&s->transaction, &event);
}

/* ---- Asking ------------------------------------------------------------------------------------------------ */

static const char *outcome_name(belay_outcome outcome)
{
    return outcome == BELAY_WORK_COMMITTED ? "committed" : outcome == BELAY_WORK_ROLLED_BACK ? "rolled back" : "open";
}

/* By the transaction's name. */
static belay_code ask_by_name(belay_session *s, belay_conn *conn, belay_outcome *out, belay_error *error)
{
    belay_trace_event event = {.kind = BELAY_TRACE_OUTCOME, .start_ns = belayi_doubt_note_start(s)};
    conn->round_trips = 0;
    event.code = conn->driver->outcome(conn, &s->transaction.token, out, error);
    event.round_trips = conn->round_trips;
    event.detail = event.code == BELAY_OK ? outcome_name(*out) : NULL;
    belayi_doubt_tell(s, event);
    return event.code;
}

static belay_code ask(belay_session *s, way_to_ask way, int64_t end_ns, belay_outcome *out, belay_error *error)
{
    belay_conn *conn;
    belay_limits limits = {.deadline_ns = end_ns, .lock_wait_ns = s->unit.spec.lock_wait_ns};
    belay_code code = belayi_db_lend(s->db, &limits, &conn, error);
    if (code != BELAY_OK)
        return code;
    conn->limits = limits;
    code = way(s, conn, out, error);
    belayi_pool_take_back(&s->db->pool, conn, conn->driver->status(conn) == BELAY_TRANSACTION_NONE);
    return code;
}

/* A limit that has passed stays so; whether this very question arrived does not matter. */
static bool worth_asking_again(belay_error *error)
{
    error->outcome = BELAY_WORK_OPEN;
    return belay_retryable(error) && error->code != BELAY_LOCK_TIMEOUT && error->code != BELAY_TOO_MANY;
}

/* Asks until there is an answer. False, with the reason, when there is none to be had. */
static bool insist(belay_session *s, way_to_ask way, belay_outcome *out, belay_error *error)
{
    int failures = 0, bearable = (int)s->db->pool.size + TRIES;
    int64_t end_ns = s->unit.spec.deadline_ns;
    if (way == ask_by_name) /* who asks by key waits for a lock, which has a limit of its own */
        end_ns = belayi_clock_earlier(belayi_clock_after(UNDECIDED_MS), end_ns);
    for (int i = 1;; i++) {
        belay_code code = ask(s, way, end_ns, out, error);
        if (code == BELAY_OK && *out != BELAY_WORK_OPEN)
            return true;
        if (code != BELAY_OK && (++failures == bearable || !worth_asking_again(error)))
            return false;
        if (code == BELAY_OK)
            belayi_report(error, BELAY_TIMEOUT, "the server was still busy with it when the time for asking was over");
        if (!belayi_retry_sleep(s, i) || belayi_clock_passed(end_ns))
            return false;
    }
}

/* ---- The answer -------------------------------------------------------------------------------------------- */

static void tell_committed(belay_error *pending)
{
    pending->code = BELAY_OK;
    pending->outcome = BELAY_WORK_COMMITTED;
}

/* What the commit answered is the error again. */
static void tell_undone(const belay_session *s, belay_error *pending)
{
    belay_code code = s->transaction.doubted;
    pending->code = code == BELAY_IN_DOUBT ? BELAY_CONNECTION : code;
    pending->outcome = BELAY_WORK_ROLLED_BACK;
    BELAYI_REPORT_FORMAT(pending->message, "the commit failed, and by %s it was found out that nothing of it was kept",
                         s->unit.once ? "the key of the unit" : "the number of its transaction");
    BELAYI_REPORT_FIELD(pending->hint, "");
}

static void tell_doubt(const belay_session *s, belay_error *pending, const belay_error *why)
{
    BELAYI_REPORT_FORMAT(pending->message,
                         "the answer to the commit never came, and it can't be found out whether the unit is there: %s",
                         why->message);
    if (s->unit.once)
        BELAYI_REPORT_FIELD(pending->hint, "run it again under the same key: it is skipped if it was committed");
}

void belayi_doubt_find_out(belay_session *s)
{
    belay_error why, *pending = &s->transaction.pending;
    belay_outcome outcome = BELAY_WORK_OPEN;
    way_to_ask way = s->unit.once ? belayi_once_ask : s->transaction.named ? ask_by_name : NULL;
    if (!way)
        return;
    if (!insist(s, way, &outcome, &why))
        tell_doubt(s, pending, &why);
    else if (outcome == BELAY_WORK_COMMITTED)
        tell_committed(pending);
    else
        tell_undone(s, pending);
}
