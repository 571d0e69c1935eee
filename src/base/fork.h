/*
 * fork.h - telling a child after fork from its parent.
 *
 * Asking for the process id costs a system call each time; a counter that fork
 * itself moves on costs a load.
 * Tests: tests/conformance.
 */
#ifndef BELAYI_BASE_FORK_H
#define BELAYI_BASE_FORK_H

/* Another number in each process of a line of forks. The first call must come before the fork that is to be noticed. */
unsigned long long belayi_fork_generation(void);

#endif
