/*
 * disk.h - a disk that fails: SQLite's n-th write, sync, truncation or deletion.
 *
 * A VFS over the default one, which becomes the default. For one thread.
 */
#ifndef BELAY_TESTS_DISK_H
#define BELAY_TESTS_DISK_H

#include <stdbool.h>

/* Set before the calls that are to fail. */
extern struct disk {
    long countdown; /* to the failure; 0: none */
    bool for_good;  /* all from then on fail too, until the countdown is set to 0 */
    int failure;    /* what is answered then, for a write */
} disk;

/* Before anything is opened. */
void disk_install(void);

#endif
