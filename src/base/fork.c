#include "fork.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

static atomic_ullong generation = 1;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void count_fork(void)
{
    atomic_fetch_add_explicit(&generation, 1, memory_order_relaxed);
}

static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, count_fork);
}

unsigned long long belayi_fork_generation(void)
{
    static atomic_bool watching;
    if (!atomic_load_explicit(&watching, memory_order_acquire)) {
        pthread_once(&once, watch_forks);
        atomic_store_explicit(&watching, true, memory_order_release);
    }
    return atomic_load_explicit(&generation, memory_order_relaxed);
}
