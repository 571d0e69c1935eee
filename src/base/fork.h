/*
 * fork.h - telling a child after fork from its parent.
 *
 * Asking for the process id costs a system call each time; a counter that fork
 * itself moves on costs a load.
 * Tests: tests/conformance.
 */
#ifndef BELAYI_BASE_FORK_H
#define BELAYI_BASE_FORK_H

#include <stdatomic.h>

extern atomic_ullong belayi_fork_count;

/* Begins to count forks. Called before the first fork that is to be noticed; again, it does nothing. */
void belayi_fork_watch(void);

/* Another number in each process of a line of forks. */
static inline unsigned long long belayi_fork_generation(void)
{
    return atomic_load_explicit(&belayi_fork_count, memory_order_relaxed);
}

#endif
