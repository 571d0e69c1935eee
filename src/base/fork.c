#include "fork.h"

#include <pthread.h>

atomic_ullong belayi_fork_count = 1;

static void count_fork(void)
{
    atomic_fetch_add_explicit(&belayi_fork_count, 1, memory_order_relaxed);
}

static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, count_fork);
}

void belayi_fork_watch(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_forks);
}
