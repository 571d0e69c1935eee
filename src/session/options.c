#include "options.h"

#include <string.h>

#include "adopt.h"
#include "clock.h"
#include "once.h"
#include "report.h"

belay_code belayi_options_read(belay_scope_options *out, const belay_scope_options *given, belay_error *error)
{
    *out = (belay_scope_options){.size = sizeof *out};
    if (!given)
        return BELAY_OK;
    size_t size = given->size ? given->size : sizeof *out;
    if (size > sizeof *out)
        return belayi_report(error, BELAY_MISUSE,
                             "the options are of a newer release of this library than the one that is linked in");
    memcpy(out, given, size);
    return BELAY_OK;
}

static const char *level_name(belay_level level)
{
    static const char *const names[] = {"default",         "read uncommitted", "read committed",
                                        "repeatable read", "snapshot",         "serializable"};
    return names[level];
}

/* ---- What is refused -------------------------------------------------------------------------------------------- */

static belay_code check_once(const belay_session *s, const belay_scope_options *o, belayi_form form, belay_error *error)
{
    if (form == BELAYI_FORM_CALL)
        return belayi_report(error, BELAY_MISUSE,
                             ".once needs a block or a callback: what follows belay_begin can't be skipped");
    if (s->transaction.depth > 0)
        return belayi_report(error, BELAY_MISUSE, ".once is for an outermost scope: only a commit can be told apart");
    if (o->read_only)
        return belayi_report(error, BELAY_MISUSE, ".once on a read-only scope: there is nothing to be done once");
    return belayi_once_check_key(o, error);
}

static belay_code check_numbers(const belay_session *s, const belay_scope_options *o, belayi_form form,
                                belay_error *error)
{
    if (o->retries < 0)
        return belayi_report(error, BELAY_MISUSE, ".retries is %d: it can't be negative", o->retries);
    if (o->retries > 0 && form == BELAYI_FORM_CALL)
        return belayi_report(error, BELAY_MISUSE,
                             ".retries needs a block or a callback: what follows belay_begin can't be run again");
    if (o->backoff_ms < 0 || o->backoff_max_ms < 0)
        return belayi_report(error, BELAY_MISUSE, ".backoff_ms and .backoff_max_ms can't be negative");
    if (o->once && check_once(s, o, form, error) != BELAY_OK)
        return error->code;
    if (o->timeout_ms < -1 || o->lock_timeout_ms < -1 || o->idle_timeout_ms < -1)
        return belayi_report(error, BELAY_MISUSE, "a time limit is in milliseconds, 0 for the default or -1 for none");
    return BELAY_OK;
}

static const char *describe(const belayi_frame *frame, char *out, size_t room)
{
    belayi_report_format(out, room, "%s%s%s:%d", frame->name ? frame->name : "", frame->name ? " at " : "",
                         frame->place.file ? frame->place.file : "?", frame->place.line);
    return out;
}

/* Whether a transaction inside the one that is open could only wait for it: for its write lock, or its connection. */
static belay_code check_requires_new(const belay_session *s, belay_error *error)
{
    char where[128];
    unsigned held = 0;
    const belayi_transaction *t = &s->transaction;
    const belayi_suspended *outer = s->suspended;
    for (; t && t->depth > 0; t = outer ? &outer->transaction : NULL, outer = outer ? outer->outer : NULL) {
        held++;
        if ((s->db->driver->capabilities & BELAY_HAS_ONE_WRITER) && !t->frames[0].read_only)
            return belayi_report(error, BELAY_MISUSE,
                                 "BELAY_REQUIRES_NEW would wait for the write lock of the scope that it is in (%s)",
                                 describe(&t->frames[0], where, sizeof where));
    }
    if (held > 0 && held >= s->db->pool.size)
        return belayi_report(
            error, BELAY_MISUSE,
            "BELAY_REQUIRES_NEW would wait for the connection of the scope that it is in (%s): the pool has %u",
            describe(&s->transaction.frames[0], where, sizeof where), s->db->pool.size);
    return BELAY_OK;
}

static belay_code check_propagation(const belay_session *s, const belay_scope_options *o, belay_error *error)
{
    unsigned depth = belayi_transaction_depth(&s->transaction);
    switch (o->propagation) {
    case BELAY_NESTED:
    case BELAY_REQUIRED:
        return BELAY_OK;
    case BELAY_REQUIRES_NEW:
        if (s->kind && depth > 0)
            return belayi_report(error, BELAY_UNSUPPORTED,
                                 "BELAY_REQUIRES_NEW in a sandbox: what it commits would stay");
        return check_requires_new(s, error);
    case BELAY_MANDATORY:
        return depth > 0 ? BELAY_OK : belayi_report(error, BELAY_MISUSE, "BELAY_MANDATORY: there is no scope to be in");
    case BELAY_OUTERMOST:
        return depth == 0 ? BELAY_OK
                          : belayi_report(error, BELAY_MISUSE,
                                          "BELAY_OUTERMOST: the scope would be inside another, so "
                                          "that its work would not be durable when it ends");
    }
    return belayi_report(error, BELAY_MISUSE, ".propagation is %d, which is none", (int)o->propagation);
}

belay_level belayi_options_level(belay_session *s)
{
    belayi_transaction *t = &s->transaction;
    belay_level level = BELAY_ISOLATION_DEFAULT;
    belay_error ignored;
    if (t->depth == 0)
        return BELAY_ISOLATION_DEFAULT;
    /* With an error pending nothing may be sent for it, and asking is no call that the scope would miss. */
    bool may_ask = belayi_transaction_state(t) == BELAYI_SCOPE_WORKING && belayi_scope_enter(t) == BELAY_OK;
    /* Before the transaction has begun an engine could only tell the session's level. Where beginning takes the write
       lock there is one level. */
    if (may_ask && !(t->conn->driver->capabilities & BELAY_HAS_ONE_WRITER))
        may_ask = belayi_scope_begin(t) == BELAY_OK;
    if (may_ask && t->conn->driver->isolation(t->conn, &level, &ignored) == BELAY_OK)
        return level;
    return t->begin.isolation;
}

static belay_code check_isolation(belay_session *s, const belay_scope_options *o, belay_error *error)
{
    if (o->isolation == BELAY_ISOLATION_DEFAULT)
        return BELAY_OK;
    if ((int)o->isolation < 0 || o->isolation > BELAY_SERIALIZABLE)
        return belayi_report(error, BELAY_MISUSE, ".isolation is %d, which is no level", (int)o->isolation);
    if (s->db && s->db->driver && !(s->db->driver->levels & 1U << o->isolation))
        return belayi_report(error, BELAY_UNSUPPORTED, "%s can't give the isolation level \"%s\"", s->db->driver->name,
                             level_name(o->isolation));
    if (s->transaction.depth == 0 || o->propagation == BELAY_REQUIRES_NEW)
        return BELAY_OK;
    belay_level has = belayi_options_level(s);
    if (has >= o->isolation)
        return BELAY_OK;
    return belayi_report(error, BELAY_UNSUPPORTED, "the transaction is \"%s\": a scope inside it can't be \"%s\"",
                         level_name(has), level_name(o->isolation));
}

/* A handle that can never work refuses every scope; one that can't connect now may later. */
static belay_code check_handle(const belay_session *s, belay_error *error)
{
    if (!s->db)
        return belayi_report(error, BELAY_MISUSE, "the session was opened on no database: belay_open gave NULL");
    if (!s->db->driver)
        *error = s->db->refusal;
    return s->db->driver ? BELAY_OK : s->db->refusal.code;
}

/* ---- What is inherited ------------------------------------------------------------------------------------------ */

static int64_t milliseconds(int64_t ms)
{
    return ms * BELAYI_NS_PER_MS;
}

/* The limits of the scope around, or the handle's where there is none. */
static void inherit(const belay_session *s, belayi_scope_spec *spec)
{
    const belayi_transaction *t = &s->transaction;
    if (t->depth > 0) {
        const belayi_frame *top = &t->frames[t->depth - 1];
        spec->lock_wait_ns = top->limits.lock_wait_ns;
        spec->idle_ns = top->idle_ns;
        return;
    }
    const belay_db_options *d = &s->db->options;
    spec->lock_wait_ns = milliseconds(d->lock_timeout_ms);
    spec->idle_ns = d->idle_timeout_ms > 0 ? milliseconds(d->idle_timeout_ms) : 0;
    spec->deadline_ns = d->timeout_ms > 0 ? belayi_clock_after(d->timeout_ms) : 0;
}

static void fill_spec(const belay_scope_options *o, belayi_scope_spec *spec)
{
    spec->name = o->name;
    spec->isolation = o->isolation;
    spec->read_only = o->read_only;
    spec->deferrable = o->deferrable;
    spec->pipeline = o->pipeline;
    spec->joined = o->propagation == BELAY_REQUIRED;
    spec->requires_new = o->propagation == BELAY_REQUIRES_NEW;
    if (o->timeout_ms != 0)
        spec->deadline_ns = belayi_clock_after(o->timeout_ms);
    if (o->lock_timeout_ms != 0)
        spec->lock_wait_ns = milliseconds(o->lock_timeout_ms);
    if (o->idle_timeout_ms != 0)
        spec->idle_ns = o->idle_timeout_ms > 0 ? milliseconds(o->idle_timeout_ms) : 0;
}

belay_code belayi_options_resolve(belay_session *s, const belay_scope_options *o, belayi_form form,
                                  belayi_scope_spec *out_spec, belay_error *error)
{
    *out_spec = (belayi_scope_spec){0};
    belay_code code = check_handle(s, error);
    if (code != BELAY_OK)
        return code;
    inherit(s, out_spec);
    if (!o)
        return belayi_adopt_resolve(s, NULL, form, out_spec, error);
    belay_scope_options options;
    code = belayi_options_read(&options, o, error);
    if (code == BELAY_OK)
        code = check_numbers(s, &options, form, error);
    if (code == BELAY_OK)
        code = check_propagation(s, &options, error);
    if (code == BELAY_OK)
        code = check_isolation(s, &options, error);
    if (code != BELAY_OK)
        return code;
    fill_spec(&options, out_spec);
    out_spec->requires_new &= s->transaction.depth > 0; /* outermost, it is a transaction of its own anyway */
    return belayi_adopt_resolve(s, &options, form, out_spec, error);
}
