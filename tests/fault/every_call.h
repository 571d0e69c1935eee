/*
 * every_call.h - one piece of work, with every call to the engine failing in turn.
 */
#ifndef BELAY_TESTS_EVERY_CALL_H
#define BELAY_TESTS_EVERY_CALL_H

#include <stdbool.h>

#include "fake.h"

/* One run of it, in which call number `fail_at` fails. */
typedef struct fault_point {
    unsigned fail_at;
    fake_fault fault;
    bool onwards;
    char broken[512]; /* the first promise that was found broken, in words; "": none */
} fault_point;

void point_broken(fault_point *, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Does the work and looks whether the promises hold. True when the fault was met. */
typedef bool (*point_run)(void *arg, fault_point *);

/* Runs all points, in all ways in which a call can fail, once and from then on. How many had a promise broken. */
int every_call_fails(point_run, void *arg);

#endif
