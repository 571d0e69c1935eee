#include "retry.h"

#include "clock.h"
#include "options.h"
#include "random.h"
#include "report.h"

enum { BACKOFF_MS = 5, BACKOFF_MAX_MS = 1000 };

/* The key is needed after the program's own may be gone. It was found to fit. */
static const char *keep_key(belay_session *s, const char *key)
{
    if (!key)
        return NULL;
    belayi_report_string(s->once_key, sizeof s->once_key, key);
    return s->once_key;
}

void belayi_retry_remember(belay_session *s, const belayi_scope_spec *spec, const belay_scope_options *given,
                           belayi_form form, belay_place place)
{
    belay_error ignored; /* the options were found good */
    belay_scope_options o;
    belayi_options_read(&o, given, &ignored);
    s->unit = (belayi_unit){
        .spec = *spec,
        .form = form,
        .place = place,
        .attempt = 1,
        .retries = o.retries,
        .once = keep_key(s, o.once),
        .backoff_ms = o.backoff_ms ? o.backoff_ms : BACKOFF_MS,
        .backoff_max_ms = o.backoff_max_ms ? o.backoff_max_ms : BACKOFF_MAX_MS,
    };
    s->unit.spec.twice = o.retries > 0 && !s->suspended && /* inside another transaction it is never run again */
                         atomic_load_explicit(&s->db->run_twice, memory_order_relaxed);
    s->transaction.attempt = 1;
}

/* How long the wait after so many attempts is, in nanoseconds. */
static int64_t draw_wait(belay_session *s, int attempts)
{
    const belayi_unit *unit = &s->unit;
    int64_t bound = unit->backoff_ms;
    for (int i = 1; i < attempts && bound < unit->backoff_max_ms; i++)
        bound *= 2;
    if (bound > unit->backoff_max_ms)
        bound = unit->backoff_max_ms;
    return (int64_t)belayi_random_up_to(&s->random, (uint64_t)(bound * BELAYI_NS_PER_MS));
}

static bool worth_trying(const belay_session *s)
{
    int counted = s->unit.attempt - s->unit.uncounted;
    return counted <= s->unit.retries && s->foreign_end.code == BELAY_OK && belay_retryable(&s->status);
}

/* False when the time limit would pass meanwhile. */
static bool sleep_after(belay_session *s, int64_t since, int attempts)
{
    int64_t again_at = since + draw_wait(s, attempts), deadline = s->unit.spec.deadline_ns;
    if (deadline != 0 && again_at >= deadline)
        return false;
    belayi_clock_sleep_until(again_at);
    return true;
}

bool belayi_retry_sleep(belay_session *s, int attempts)
{
    return sleep_after(s, belayi_clock_now(), attempts);
}

/* Waits before the next attempt; false when the time limit would pass meanwhile: then the last error stays. */
static bool wait_for_next(belay_session *s)
{
    belayi_transaction *t = &s->transaction;
    belay_trace_event event = {.kind = BELAY_TRACE_RETRY, .code = s->status.code, .start_ns = belayi_clock_now()};
    if (!sleep_after(s, event.start_ns, s->unit.attempt - s->unit.uncounted))
        return false;
    event.file = s->unit.place.file;
    event.function = s->unit.place.function;
    event.line = s->unit.place.line;
    event.scope = s->unit.spec.name;
    if (t->trace)
        belayi_wire_tell(t, &event);
    return true;
}

bool belayi_retry_again(belay_session *s)
{
    if (!s->unit.refused && (!worth_trying(s) || !wait_for_next(s)))
        return false;
    s->unit.uncounted += s->unit.refused;
    s->unit.refused = false;
    s->unit.spec.twice = false; /* whatever came, it runs a second time */
    s->status.code = BELAY_OK;
    s->status_unread = s->unread_came_later = false;
    s->transaction.attempt = ++s->unit.attempt;
    belayi_scope_open(&s->transaction, &s->unit.spec, s->unit.form, &s->unit.place);
    return true;
}
