/*
 * time.c - time and chance of the test's own. What uses them is in src/base: clock.h, random.h.
 * Tests: tests/testing.
 */
#include <belay/testing.h>

#include "clock.h"
#include "random.h"

void belay_set_clock(const belay_clock *clock)
{
    belay_clock of_system = {0};
    const belay_clock *given = clock ? clock : &of_system;
    belayi_clock_replace(given->now_ns, given->sleep_until_ns, given->arg);
}

void belay_set_random(uint64_t (*next)(void *arg), void *arg)
{
    belayi_random_replace(next, arg);
}
