#include "random.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
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
static uint64_t draw(uint64_t *state)
{
    uint64_t x = *state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * 0x2545F4914F6CDD1DULL;
}

/* What a test has given. It is written before `in_use` is, and only while nobody reads it. */
static struct {
    atomic_bool in_use;
    uint64_t (*next)(void *arg);
    void *arg;
} given_bits;

uint64_t belayi_random_up_to(uint64_t *state, uint64_t limit)
{
    __extension__ typedef unsigned __int128 wide;
    bool is_given = atomic_load_explicit(&given_bits.in_use, memory_order_acquire);
    uint64_t bits = is_given ? given_bits.next(given_bits.arg) : draw(state);
    /* Scaled and not cut: the smallest number gives the smallest, the largest the largest. */
    return (uint64_t)(((wide)bits * ((wide)limit + 1)) >> 64);
}

void belayi_random_replace(uint64_t (*next)(void *arg), void *arg)
{
    atomic_store(&given_bits.in_use, false);
    given_bits.next = next;
    given_bits.arg = arg;
    atomic_store(&given_bits.in_use, next != NULL);
}
