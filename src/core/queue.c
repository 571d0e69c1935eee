/*
 * queue.c - statements that the driver has queued: kept in their order, waited for, and failed.
 *
 * The driver knows what is to be sent; here is what the program must be told of
 * it: which statement an error belongs to, in which scope that stood, and which
 * savepoints were never set because they were queued behind it.
 * It must not know values, or how a driver queues.
 * Tests: tests/api/test_pipeline.c, tests/fault/test_faults.c.
 */
#include <stdlib.h>

#include "clock.h"
#include "cold.h"
#include "inside.h"
#include "report.h"

/* ---- Queueing --------------------------------------------------------------------------------------------------- */

BELAYI_COLD static bool grow_queue(belayi_queue *queue)
{
    unsigned room = queue->room ? 2 * queue->room : 16;
    belayi_queued *grown = realloc(queue->entries, room * sizeof *grown);
    if (!grown)
        return false;
    queue->entries = grown;
    queue->room = room;
    return true;
}

bool belayi_scope_can_queue(belayi_transaction *t)
{
    const belayi_frame *top = belayi_transaction_top(t);
    if (!top->pipeline || t->eager > 0 || t->lent || !t->conn->driver->queue)
        return false;
    return t->queue.count < t->queue.room || grow_queue(&t->queue);
}

belay_code belayi_scope_queue(belayi_transaction *t, belay_statement *statement, size_t n, const belay_value *values,
                              const belayi_queued *what, belay_effect *effect)
{
    belay_error *error = &t->scratch;
    belayi_queue *queue = &t->queue;
    if (queue->count == 0)
        t->conn->effect = *effect;
    if (t->conn->driver->queue(statement, n, values, error) != BELAY_OK) {
        BELAYI_REPORT_FIELD(error->statement, what->text);
        belayi_report_place(error, what->place);
        return belayi_scope_fail(t, error);
    }
    belayi_queued *entry = &queue->entries[queue->count++];
    *entry = *what;
    entry->depth = t->depth;
    entry->savepoints = t->savepoints;
    entry->part = t->part.number;
    queue->effect = effect;
    belayi_scope_worked(t);
    return t->conn->queue_is_full ? belayi_scope_drain(t) : BELAY_OK;
}

/* ---- Telling the trace ------------------------------------------------------------------------------------------ */

static belay_trace_event describe(const belayi_queued *entry, belay_code code)
{
    return (belay_trace_event){
        .kind = BELAY_TRACE_STATEMENT,
        .code = code,
        .start_ns = entry->since,
        .statement = entry->text,
        .file = entry->place.file,
        .function = entry->place.function,
        .line = entry->place.line,
    };
}

/* The first `done` were done: they are told as parts of the scopes that they stood in. */
static void tell_done(belayi_transaction *t, unsigned done)
{
    unsigned depth = t->depth;
    for (unsigned i = 0; i < done; i++) {
        belay_trace_event event = describe(&t->queue.entries[i], BELAY_OK);
        t->depth = t->queue.entries[i].depth;
        belayi_wire_tell(t, &event);
    }
    t->depth = depth;
}

/* The last that was done, or failed, has the trips of the flight; rows are known of that one only. */
static void tell_flight(belayi_transaction *t, unsigned last, belay_code code)
{
    unsigned depth = t->depth;
    const belayi_queued *entry = &t->queue.entries[last - 1];
    belay_trace_event event = describe(entry, code);
    tell_done(t, last - 1);
    event.rows = code == BELAY_OK ? t->conn->effect.changes : 0;
    t->depth = entry->depth;
    belayi_wire_tell_call(t, &event);
    t->depth = depth;
}

void belayi_queue_tell(belayi_transaction *t)
{
    tell_done(t, t->queue.count);
}

/* ---- After the wait --------------------------------------------------------------------------------------------- */

void belayi_queue_succeed(belayi_transaction *t)
{
    if (t->queue.count > 0)
        *t->queue.effect = t->conn->effect;
    t->queue.count = 0;
}

/* The scopes that were opened since it was queued began beneath its error, as it turns out. */
static void fail_scopes_above(belayi_transaction *t, const belayi_queued *failed)
{
    belayi_savepoint_lose_above(t, failed->savepoints);
    for (unsigned i = failed->depth; i < t->depth; i++)
        belayi_frame_step(&t->frames[i - 1], BELAYI_EVENT_ERROR);
}

static void blame(belayi_transaction *t, const belayi_queued *failed, belay_error *error)
{
    BELAYI_REPORT_FIELD(error->statement, failed->text);
    belayi_report_place(error, failed->place);
    for (unsigned i = failed->depth; i > 0 && !error->scope[0]; i--)
        BELAYI_REPORT_FIELD(error->scope, t->frames[i - 1].name);
}

belay_code belayi_queue_fail(belayi_transaction *t, belay_error *error)
{
    unsigned number = t->conn->failed <= t->queue.count ? t->conn->failed : t->queue.count;
    if (t->queue.count > 0)
        t->queue.effect->changes = 0;
    if (t->trace && number > 0)
        tell_flight(t, number, error->code);
    t->queue.count = 0;
    t->part.changed = true; /* what failed may be another part's */
    if (number > 0) {
        t->part.failed = t->queue.entries[number - 1].part;
        blame(t, &t->queue.entries[number - 1], error);
        fail_scopes_above(t, &t->queue.entries[number - 1]);
    }
    return belayi_scope_fail(t, error);
}

belay_code belayi_scope_drain_queue(belayi_transaction *t)
{
    belay_error error;
    t->conn->limits = belayi_transaction_top(t)->limits;
    if (t->trace)
        belayi_wire_listen(t);
    if (t->conn->driver->drain(t->conn, &error) != BELAY_OK)
        return belayi_queue_fail(t, &error);
    if (t->trace)
        tell_flight(t, t->queue.count, BELAY_OK);
    belayi_queue_succeed(t);
    return BELAY_OK;
}
