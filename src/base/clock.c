#include "clock.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

enum { NS_PER_S = 1000000000 };

/* The clock that a test has given. What is in it is written before `in_use` is, and only while nobody reads it. */
static struct {
    atomic_bool in_use;
    belayi_clock_reading now;
    belayi_clock_sleeping sleep;
    void *arg;
} given_clock;

static bool clock_is_given(void)
{
    return atomic_load_explicit(&given_clock.in_use, memory_order_acquire);
}

static int64_t system_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec + 1;
}

int64_t belayi_clock_now(void)
{
    return clock_is_given() ? given_clock.now(given_clock.arg) : system_now();
}

bool belayi_clock_passed(int64_t deadline_ns)
{
    return deadline_ns != 0 && belayi_clock_now() >= deadline_ns;
}

int64_t belayi_clock_after(int64_t ms)
{
    if (ms < 0)
        return 0;
    int64_t now = belayi_clock_now();
    return ms > (INT64_MAX - now) / BELAYI_NS_PER_MS ? INT64_MAX : now + ms * BELAYI_NS_PER_MS;
}

int64_t belayi_clock_earlier(int64_t a, int64_t b)
{
    if (a == 0 || b == 0)
        return a + b;
    return a < b ? a : b;
}

static void system_sleep_until(int64_t moment_ns)
{
    struct timespec moment = {.tv_sec = (time_t)(moment_ns / NS_PER_S), .tv_nsec = (long)(moment_ns % NS_PER_S)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &moment, NULL) == EINTR)
        continue;
}

void belayi_clock_sleep_until(int64_t moment_ns)
{
    int cancel;
    /* Who sleeps here may be inside a call of the engine's, which a cancelled thread must not leave. */
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    if (clock_is_given())
        given_clock.sleep(given_clock.arg, moment_ns);
    else
        system_sleep_until(moment_ns);
    pthread_setcancelstate(cancel, NULL);
}

/* ---- Another clock ------------------------------------------------------------------------------------------ */

void belayi_clock_replace(belayi_clock_reading now, belayi_clock_sleeping sleep, void *arg)
{
    atomic_store(&given_clock.in_use, false);
    given_clock.now = now;
    given_clock.sleep = sleep;
    given_clock.arg = arg;
    atomic_store(&given_clock.in_use, now && sleep);
}

int64_t belayi_clock_to_system(int64_t moment_ns)
{
    if (moment_ns == 0 || !clock_is_given())
        return moment_ns;
    int64_t left = moment_ns - belayi_clock_now(), now = system_now();
    if (left <= 0)
        return now;
    return left > INT64_MAX - now ? INT64_MAX : now + left;
}
