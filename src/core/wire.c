/*
 * wire.c - every word to the engine, so that a trace hears it.
 *
 * It decides nothing. Without a trace, a call costs a look at one pointer.
 * Tests: tests/api/test_trace.c.
 */
#include <sys/syscall.h>
#include <unistd.h>

#include "clock.h"
#include "cold.h"
#include "inside.h"

/* ---- Telling ----------------------------------------------------------------------------------------------------- */

int64_t belayi_wire_listen(belayi_transaction *t)
{
    if (t->conn) {
        t->conn->round_trips = 0;
        t->conn->waited_ns = 0;
    }
    return belayi_clock_now();
}

/* The name of the scope, or of the nearest one around it that has one. */
static const char *find_name(const belayi_transaction *t)
{
    for (unsigned i = t->depth; i > 0; i--)
        if (t->frames[i - 1].name)
            return t->frames[i - 1].name;
    return NULL;
}

void belayi_wire_tell(belayi_transaction *t, belay_trace_event *event)
{
    event->size = sizeof *event;
    event->duration_ns = belayi_clock_now() - event->start_ns;
    event->session = t->session;
    event->thread = (uint64_t)syscall(SYS_gettid);
    event->attempt = t->attempt;
    if (t->depth > 0) {
        const belayi_frame *top = belayi_transaction_top(t);
        event->depth = (int)(t->depth_around + t->depth);
        event->scope_number = top->serial;
        event->scope = find_name(t);
        if (!event->file) {
            event->file = top->place.file;
            event->function = top->place.function;
            event->line = top->place.line;
        }
    }
    t->trace->write(t->trace->arg, event);
}

/* What the engine was waited for, within the call that has just ended. */
static void tell_lock_wait(belayi_transaction *t, const belay_trace_event *call)
{
    belay_trace_event event = *call;
    int64_t began = belayi_clock_now() - t->conn->waited_ns;
    event.kind = BELAY_TRACE_WAIT;
    event.detail = "lock";
    event.statement = NULL;
    event.number = 0;
    event.rows = 0;
    event.start_ns = began > call->start_ns ? began : call->start_ns;
    t->conn->waited_ns = 0;
    belayi_wire_tell(t, &event);
}

void belayi_wire_tell_call(belayi_transaction *t, belay_trace_event *event)
{
    if (t->conn && t->conn->waited_ns > 0)
        tell_lock_wait(t, event);
    if (t->conn)
        event->round_trips = t->conn->round_trips;
    belayi_wire_tell(t, event);
}

/* What somebody who looks for lost speed would like to know of a scope. */
static const char *remark(const belayi_transaction *t)
{
    return t->depth == 1 && t->took_lock && !t->wrote ? "took the write lock and wrote nothing" : NULL;
}

BELAYI_COLD void belayi_wire_tell_scope(belayi_transaction *t, belay_code code)
{
    const belayi_frame *top = belayi_transaction_top(t);
    if (top->form == BELAYI_FORM_STATEMENT && t->depth > 1)
        return; /* belay_try's: its statement tells it all */
    belay_trace_event event = {
        .kind = BELAY_TRACE_SCOPE, .start_ns = top->opened_ns, .code = code, .detail = remark(t)};
    belayi_wire_tell(t, &event);
}

BELAYI_COLD void belayi_wire_warn(belayi_transaction *t, belay_place place, const char *detail)
{
    belay_trace_event event = {.kind = BELAY_TRACE_WARNING,
                               .detail = detail,
                               .start_ns = belayi_clock_now(),
                               .file = place.file,
                               .function = place.function,
                               .line = place.line};
    belayi_wire_tell(t, &event);
}

/* ---- Calling ----------------------------------------------------------------------------------------------------- */

/* A call of the driver's, told when somebody listens. */
#define SAY(t, what, nth, call)                                                                                        \
    do {                                                                                                               \
        if (!(t)->trace)                                                                                               \
            return (call);                                                                                             \
        belay_trace_event event = {.kind = BELAY_TRACE_##what, .number = (nth), .start_ns = belayi_wire_listen(t)};    \
        event.code = (call);                                                                                           \
        belayi_wire_tell_call(t, &event);                                                                              \
        return event.code;                                                                                             \
    } while (0)

belay_code belayi_wire_begin(belayi_transaction *t, belay_error *error)
{
    SAY(t, BEGIN, 0, t->conn->driver->begin(t->conn, &t->begin, error));
}

belay_code belayi_wire_prepare(belayi_transaction *t, belay_error *error)
{
    SAY(t, PREPARE, 0, t->conn->driver->prepare_transaction(t->conn, t->begin.gid, error));
}

belay_code belayi_wire_finish_prepared(belayi_transaction *t, bool commit, belay_error *error)
{
    const char *gid = t->begin.gid;
    if (commit)
        SAY(t, COMMIT, 0, t->conn->driver->finish_prepared(t->conn, gid, true, error));
    SAY(t, ROLLBACK, 0, t->conn->driver->finish_prepared(t->conn, gid, false, error));
}

belay_code belayi_wire_commit(belayi_transaction *t, belay_error *error)
{
    if (!t->trace)
        return t->conn->driver->commit(t->conn, error);
    belay_trace_event event = {.kind = BELAY_TRACE_COMMIT, .start_ns = belayi_wire_listen(t)};
    event.code = t->conn->driver->commit(t->conn, error);
    if (t->conn->failed > 0)
        return event.code; /* a statement that left with it, which tells it */
    belayi_queue_tell(t);
    belayi_wire_tell_call(t, &event);
    return event.code;
}

belay_code belayi_wire_rollback(belayi_transaction *t, belay_error *error)
{
    SAY(t, ROLLBACK, 0, t->conn->driver->rollback(t->conn, error));
}

belay_code belayi_wire_savepoint(belayi_transaction *t, unsigned number, belay_error *error)
{
    SAY(t, SAVEPOINT, number, t->conn->driver->savepoint(t->conn, number, error));
}

belay_code belayi_wire_release(belayi_transaction *t, unsigned number, belay_error *error)
{
    SAY(t, RELEASE, number, t->conn->driver->release(t->conn, number, error));
}

belay_code belayi_wire_rollback_to(belayi_transaction *t, unsigned number, belay_error *error)
{
    SAY(t, ROLLBACK_TO, number, t->conn->driver->rollback_to(t->conn, number, error));
}

/* A connection that is there at once is no wait. */
belay_code belayi_wire_lend(belayi_transaction *t, const belay_limits *limits, belay_error *error)
{
    enum { WORTH_TELLING_NS = 20 * 1000 };
    int64_t since = t->trace ? belayi_clock_now() : 0;
    belay_code code = t->host->lend(t->host_arg, limits, &t->conn, error);
    if (t->trace && belayi_clock_now() - since > WORTH_TELLING_NS) {
        belay_trace_event event = {.kind = BELAY_TRACE_WAIT, .detail = "connection", .start_ns = since, .code = code};
        belayi_wire_tell(t, &event);
    }
    return code;
}
