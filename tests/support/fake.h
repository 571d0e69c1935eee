/*
 * fake.h - a driver around a driver that fails its n-th call.
 *
 * It passes every call on to a real driver, counts those that can fail, writes
 * them down, and fails the one that it is told to, once or from then on, in one
 * of the ways in which the world fails. What it wraps does the work, so that
 * what is in the database afterwards is what the scopes promise, or not.
 */
#ifndef BELAY_TESTS_FAKE_H
#define BELAY_TESTS_FAKE_H

#include <stdbool.h>

#include <belay/sys/driver.h>

typedef enum fake_fault {
    FAKE_ERROR,       /* the call does nothing and gives an ordinary error */
    FAKE_NO_MEMORY,   /* the call does nothing: no memory */
    FAKE_LOST_BEFORE, /* the connection is lost before the engine sees the call */
    FAKE_LOST_AFTER,  /* the engine does it, and the connection is lost before its answer arrives */
    FAKE_FAULTS
} fake_fault;

enum { FAKE_LOG_ROOM = 8192 };

typedef struct fake_driver {
    belay_driver driver; /* first: a connection's driver is its fake */
    const belay_driver *inner;
    fake_fault fault;
    unsigned fail_at; /* 1: the next call that can fail; 0: none */
    bool onwards;     /* and all that follow */
    unsigned calls;   /* that could fail, since the last fake_arm */
    unsigned failed;  /* of them */
    unsigned doubts;  /* commits whose answer was lost */
    int open_connections, open_statements;
    char log[FAKE_LOG_ROOM]; /* such as "begin savepoint:1 execute release:1 commit " */
    size_t log_size;
} fake_driver;

/* Makes a driver that wraps `inner`. `fake` must outlive the handles opened with it. */
void fake_init(fake_driver *fake, const belay_driver *inner);

/* Counts from 0 again, empties the log, and fails call number `fail_at` from now. */
void fake_arm(fake_driver *fake, unsigned fail_at, fake_fault fault, bool onwards);

const char *fake_fault_name(fake_fault fault);

#endif
