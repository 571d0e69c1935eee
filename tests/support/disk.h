/*
 * disk.h - a disk that fails: a VFS of SQLite's around the usual one, that fails
 * the n-th write, sync, truncation or deletion, once or from then on.
 */
#ifndef BELAY_TESTS_DISK_H
#define BELAY_TESTS_DISK_H

#include <stdbool.h>

typedef struct disk_fault {
    long countdown; /* to the failure: 1 is the next call; 0: none */
    bool for_good;  /* and all calls that follow */
    int failure;    /* what SQLite gets from a write then: SQLITE_IOERR_WRITE, SQLITE_FULL */
} disk_fault;

extern disk_fault disk;

/* Puts it under every database that is opened afterwards. False when SQLite refuses it. */
bool disk_install(void);

#endif
