/*
 * standard.h - the descriptors 0 to 2, which no link may have.
 *
 * Programs write to their standard streams, and libraries do, also where these
 * were closed. A socket that was opened then would get such a descriptor, and
 * the server what was written to it.
 * Tests: tests/fault/test_links_process.c.
 */
#ifndef BELAYI_BASE_STANDARD_H
#define BELAYI_BASE_STANDARD_H

/* Opens /dev/null in the place of those that are closed, for good, as SQLite does for its files. Best effort: without a
   descriptor to be had there is none for a socket either. */
void belayi_standard_fill(void);

#endif
