/*
 * opening.c - how scopes open: outermost, nested, and where there is no memory for one.
 *
 * Every scope opens through belayi_scope_open(), but for the usual nested one,
 * which transaction.h has in line.
 * Tests: tests/unit/core, tests/model.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "cold.h"
#include "inside.h"
#include "report.h"

BELAYI_COLD static bool grow_frames(belayi_transaction *t)
{
    bool first = t->frames == t->first_frames;
    belayi_frame *grown = realloc(first ? NULL : t->frames, 2 * (size_t)t->room * sizeof *grown);
    if (!grown)
        return false;
    if (first)
        memcpy(grown, t->first_frames, sizeof t->first_frames);
    t->frames = grown;
    t->room *= 2;
    return true;
}

/* A scope for which there is no memory: it holds the error and nothing else. */
BELAYI_COLD static belay_code open_phantom(belayi_transaction *t)
{
    belayi_scope_drain(t);
    if (!belayi_transaction_has_error(t)) {
        belay_error error;
        belayi_report(&error, BELAY_NO_MEMORY, "no memory for a nested scope");
        belayi_scope_record(t, &error);
        belayi_frame_step(belayi_transaction_top(t), BELAYI_EVENT_INNER_ERROR);
    } else if (t->phantoms == 0) {
        belayi_scope_refuse(t);
    }
    t->phantoms++;
    return t->pending.code;
}

BELAYI_COLD static void open_outermost(belayi_transaction *t, const belayi_scope_spec *spec, belayi_form form,
                                       const belay_place *place)
{
    assert(spec); /* only a nested scope can do without */
    t->frames[0] = (belayi_frame){
        .state = BELAYI_SCOPE_WORKING,
        .form = form,
        .read_only = spec->read_only,
        .pipeline = spec->pipeline,
        .serial = ++t->serials,
        .limits = {.deadline_ns = spec->deadline_ns, .lock_wait_ns = spec->lock_wait_ns},
        .idle_ns = spec->idle_ns,
        .idles = spec->idle_ns > 0,
        .opened_ns = t->trace ? belayi_clock_now() : 0,
        .place = *place,
        .name = spec->name,
    };
    if (!spec->foreign) /* which goes on, with limits of its own, when this scope has ended */
        t->frames[0].limits.idle_ns = spec->idle_ns;
    t->depth = 1;
    t->phase = BELAYI_PHASE_OWED;
    t->autocommit = spec->autocommit;
    t->foreign = spec->foreign;
    t->sandboxed = spec->sandboxed;
    t->twice = spec->twice;
    t->watched = spec->eager;
    t->lent = t->foreign_failed = t->refused = t->closing = t->took_lock = t->wrote = false;
    t->told_costly = t->named = t->reviewed = t->prepared = t->incomplete = false;
    t->written = 0;
    t->eager = spec->eager ? 1 : 0;
    t->begin = (belay_begin_options){
        .isolation = spec->isolation, .read_only = spec->read_only, .deferrable = spec->deferrable, .gid = spec->gid};
    t->owed_frames = t->owed_marks = 0;
    t->hooks.failed = 0;
}

/* What a nested scope has of its own. Its limits never outlast those of the scope around it. */
static void apply_spec(belayi_frame *frame, const belayi_scope_spec *spec)
{
    frame->name = spec->name;
    frame->read_only |= spec->read_only;
    frame->pipeline |= spec->pipeline;
    frame->joined = spec->joined;
    frame->limits.deadline_ns = belayi_clock_earlier(frame->limits.deadline_ns, spec->deadline_ns);
    frame->limits.lock_wait_ns = spec->lock_wait_ns;
    frame->idle_ns = spec->idle_ns;
    if (spec->idle_ns == 0 || (frame->limits.idle_ns > 0 && spec->idle_ns > frame->limits.idle_ns))
        frame->limits.idle_ns = spec->idle_ns;
}

/* The first of the open scopes to have an idle limit: until now nobody has timed the calls. */
static void begin_timing(belayi_transaction *t, belayi_frame *frame)
{
    if (frame->idle_ns == 0 || frame->idles)
        return;
    frame->idles = true;
    belayi_scope_note_call(t);
}

belay_code belayi_scope_open(belayi_transaction *t, const belayi_scope_spec *spec, belayi_form form,
                             const belay_place *place)
{
    if (t->phantoms > 0 || (t->depth == t->room && !grow_frames(t)))
        return open_phantom(t);
    if (t->depth == 0) {
        open_outermost(t, spec, form, place);
        return t->eager > 0 ? belayi_scope_settle(t) : BELAY_OK;
    }
    belayi_scope_follow(t);
    if (spec) /* its limits are for what is done in it */
        belayi_scope_drain(t);
    /* The scope around decides how it begins: with the pending error, called off, or working. */
    belayi_scope_refuse(t);
    belayi_scope_push(t, form, place);
    belayi_frame *frame = belayi_transaction_top(t);
    if (spec) {
        apply_spec(frame, spec);
        begin_timing(t, frame);
    }
    if (t->eager > 0 && frame->state == BELAYI_SCOPE_WORKING)
        return belayi_scope_settle(t);
    return frame->state == BELAYI_SCOPE_UNDONE ? BELAY_ROLLED_BACK : t->pending.code;
}
