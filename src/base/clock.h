/*
 * clock.h - the monotonic clock and sleeping on it.
 *
 * All limits are moments on the monotonic clock in nanoseconds, so that nobody
 * who sets the wall clock can shorten or lengthen a wait. 0 is "no deadline".
 * A test can put a clock of its own in its place, for the whole process.
 * Tests: tests/unit/base.
 */
#ifndef BELAYI_BASE_CLOCK_H
#define BELAYI_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

enum { BELAYI_NS_PER_MS = 1000000 };

/* Now, in nanoseconds; always more than 0. */
int64_t belayi_clock_now(void);

/* Whether a deadline is set and has passed. */
bool belayi_clock_passed(int64_t deadline_ns);

/* The moment `ms` from now; 0 for a negative number. Never wraps. */
int64_t belayi_clock_after(int64_t ms);

/* The earlier of two deadlines, either of which may be 0. */
int64_t belayi_clock_earlier(int64_t a, int64_t b);

/* Sleeps until the moment, however many signals arrive meanwhile. */
void belayi_clock_sleep_until(int64_t moment_ns);

/* ---- Another clock ------------------------------------------------------------------------------------------ */

typedef int64_t (*belayi_clock_reading)(void *arg);
typedef void (*belayi_clock_sleeping)(void *arg, int64_t moment_ns);

/*
 * From now on `now` tells the time, and `sleep` waits; without one of them, the
 * system's does again. No other thread may be in this file meanwhile.
 */
void belayi_clock_replace(belayi_clock_reading now, belayi_clock_sleeping sleep, void *arg);

/*
 * A moment as the system's clock would have it: as far ahead on that one as it is
 * on the clock in use. For waits that only the system can end. 0 stays 0.
 */
int64_t belayi_clock_to_system(int64_t moment_ns);

#endif
