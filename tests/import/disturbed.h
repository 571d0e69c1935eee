/*
 * disturbed.h - an import that something happens to: at each place in turn. What is
 * there afterwards is what the report says; who goes on comes to the end that an
 * import comes to which nothing has happened to.
 */
#ifndef BELAY_TESTS_IMPORT_DISTURBED_H
#define BELAY_TESTS_IMPORT_DISTURBED_H

#include "rig.h"

typedef struct disturbance {
    const char *name;
    belay_import_conflict conflict;
    belay_code how;                                               /* for the two functions */
    void (*begin)(rig *, const struct disturbance *, unsigned n); /* it happens at the n-th place */
    bool (*end)(rig *, const struct disturbance *);               /* whether it has */
} disturbance;

/* At each place. Fails the test when something is not as it should be, or there are fewer places. */
void disturb(rig *, const disturbance *, unsigned least);

/* Makes the table and the file, once a rig. */
void disturbed_prepare(rig *);

#endif
