/*
 * clock.h - the monotonic clock and sleeping on it.
 *
 * All limits are moments on the monotonic clock in nanoseconds, so that nobody
 * who sets the wall clock can shorten or lengthen a wait. 0 is "no deadline".
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

#endif
