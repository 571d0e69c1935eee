/*
 * storm.h - a storm of signals: every 300 microseconds one that is not restarted (no SA_RESTART).
 *
 * It takes SIGALRM and its handler, so that there is no alarm() meanwhile.
 */
#ifndef BELAY_TESTS_STORM_H
#define BELAY_TESTS_STORM_H

#include <signal.h>

/* How many have come since it was started. */
extern volatile sig_atomic_t storm_signals;

void storm_start(void);

/* SIGALRM ends the process again. */
void storm_stop(void);

#endif
