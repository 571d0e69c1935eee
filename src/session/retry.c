#include "retry.h"

#include "clock.h"
#include "random.h"

enum { BACKOFF_MS = 5, BACKOFF_MAX_MS = 1000 };

void belayi_retry_remember(belay_session *s, const belayi_scope_spec *spec, const belay_scope_options *options,
                           belayi_form form, belay_place place)
{
    belayi_unit *unit = &s->unit;
    *unit = (belayi_unit){.spec = *spec, .form = form, .place = place, .attempt = 1};
    unit->retries = options ? options->retries : 0;
    unit->backoff_ms = options && options->backoff_ms ? options->backoff_ms : BACKOFF_MS;
    unit->backoff_max_ms = options && options->backoff_max_ms ? options->backoff_max_ms : BACKOFF_MAX_MS;
    s->transaction.attempt = 1;
}

/* How long the wait before the next attempt is, in nanoseconds. */
static int64_t draw_wait(belay_session *s)
{
    const belayi_unit *unit = &s->unit;
    int64_t bound = unit->backoff_ms;
    for (int i = 1; i < unit->attempt && bound < unit->backoff_max_ms; i++)
        bound *= 2;
    if (bound > unit->backoff_max_ms)
        bound = unit->backoff_max_ms;
    return (int64_t)belayi_random_up_to(&s->random, (uint64_t)(bound * BELAYI_NS_PER_MS));
}

static bool worth_trying(const belay_session *s)
{
    return s->unit.attempt <= s->unit.retries && belay_retryable(&s->status);
}

bool belayi_retry_again(belay_session *s)
{
    if (!worth_trying(s))
        return false;
    int64_t again_at = belayi_clock_now() + draw_wait(s);
    int64_t deadline = s->unit.spec.deadline_ns;
    if (deadline != 0 && again_at >= deadline)
        return false; /* the last attempt's error stays */
    belayi_clock_sleep_until(again_at);
    s->status.code = BELAY_OK;
    s->status_unread = s->unread_came_later = false;
    s->transaction.attempt = ++s->unit.attempt;
    belayi_scope_open(&s->transaction, &s->unit.spec, s->unit.form, &s->unit.place);
    return true;
}
