/*
 * scarce.h - memory that runs out, at the n-th allocation.
 *
 * The linker puts functions of scarce.c in the place of malloc and its kin, for the code of the test and of the library
 * that is linked into it: -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=strdup,--wrap=free, and the static
 * library. SQLite is a shared library with an allocator of its own: its allocations don't fail.
 */
#ifndef BELAY_TESTS_SCARCE_H
#define BELAY_TESTS_SCARCE_H

#include <stdbool.h>

/* Counts from 0 again, and fails allocation number `fail_at` from now, and with `onwards` all that follow. */
void scarce_arm(unsigned fail_at, bool onwards);

/* There is enough again. */
void scarce_disarm(void);

/* How many failed since it was armed. */
unsigned scarce_failed(void);

/* Blocks that are allocated now. */
long scarce_blocks(void);

#endif
