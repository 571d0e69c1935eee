#include "random.h"

#include <sys/random.h>

#include "clock.h"

uint64_t belayi_random_seed(void)
{
    uint64_t seed = 0;
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != (ssize_t)sizeof seed)
        seed = (uint64_t)belayi_clock_now();
    return seed ? seed : 1;
}

/* xorshift64* (Marsaglia 2003, Vigna 2016). */
uint64_t belayi_random_up_to(uint64_t *state, uint64_t limit)
{
    uint64_t x = *state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    x *= 0x2545F4914F6CDD1DULL;
    return limit == UINT64_MAX ? x : x % (limit + 1);
}
