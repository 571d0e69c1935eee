/*
 * fake.h - a driver that fails its n-th call and writes down what it was asked.
 *
 * It is the stand-in of src/testing, with a log: every call is passed on to a real
 * driver but the one that is to fail, once or from then on, in one of the ways in
 * which the world fails. The real driver does the work, so that what is in the
 * database afterwards is what the scopes promise, or not.
 */
#ifndef BELAY_TESTS_FAKE_H
#define BELAY_TESTS_FAKE_H

#include <stdbool.h>
#include <stddef.h>

#include <belay/sys/driver.h>

#include "standin.h"

typedef enum fake_fault {
    FAKE_ERROR,       /* the call does nothing and gives an ordinary error */
    FAKE_NO_MEMORY,   /* the call does nothing: no memory */
    FAKE_LOST_BEFORE, /* the connection is lost before the engine sees the call */
    FAKE_LOST_AFTER,  /* the engine does it, and the connection is lost before its answer arrives */
    FAKE_DEADLOCK,    /* the engine has rolled the whole transaction back */
    FAKE_ENDED,       /* the same, and what it says does not tell: a full disk */
    FAKE_BUSY,        /* the call does nothing: a lock stands in the way; the transaction stays open */
    FAKE_FAULTS
} fake_fault;

enum { FAKE_LOG_ROOM = 8192 };

typedef struct fake_driver {
    union {
        belay_driver driver; /* to be opened with */
        belayi_standin standin;
    };
    int open_connections, open_statements;
    unsigned doubts;         /* commits whose answer was lost, since it was armed */
    char log[FAKE_LOG_ROOM]; /* such as "begin savepoint:1 execute release:1 commit " */
    size_t log_size;
} fake_driver;

/* Makes a driver that stands in for `real`. `fake` must outlive the handles opened with it. */
void fake_init(fake_driver *fake, const belay_driver *real);

/* Counts from 0 again, empties the log, and fails call number `fail_at` from now; 0: none. */
void fake_arm(fake_driver *fake, unsigned fail_at, fake_fault fault, bool onwards);

/* The same, and once more the call `after` calls later. */
void fake_arm_twice(fake_driver *fake, unsigned fail_at, fake_fault fault, unsigned after, fake_fault second);

/* Since it was armed: calls that could fail, and those that did because of the fault. */
unsigned fake_calls(const fake_driver *fake);
unsigned fake_failed(const fake_driver *fake);

/* The code that a call fails with; that of one where the connection is lost is BELAY_IN_DOUBT at a commit. */
belay_code fake_fault_code(fake_fault fault);
const char *fake_fault_name(fake_fault fault);

enum { FAKE_CALL_ROOM = 32 };

/* The name of call number `number`, from 1, of a log; "?" when it has none. Gives `out`. */
const char *fake_call_name(const char *log, unsigned number, char out[FAKE_CALL_ROOM]);

#endif
