#include "clock.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

enum { NS_PER_S = 1000000000 };

int64_t belayi_clock_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec + 1;
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

void belayi_clock_sleep_until(int64_t moment_ns)
{
    struct timespec moment = {.tv_sec = (time_t)(moment_ns / NS_PER_S), .tv_nsec = (long)(moment_ns % NS_PER_S)};
    int cancel;
    /* Who sleeps here may be inside a call of the engine's, which a cancelled thread must not leave. */
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &moment, NULL) == EINTR)
        continue;
    pthread_setcancelstate(cancel, NULL);
}
