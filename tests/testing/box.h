/*
 * box.h - a world (tests/api/support.h) with a sandbox on its handle.
 */
#ifndef BELAY_TESTS_BOX_H
#define BELAY_TESTS_BOX_H

#include "support.h"

#include <belay/testing.h>

typedef struct box {
    world *w;
    belay_session *s; /* the sandbox */
} box;

int box_open(void **state);

/* Fails when anything of what a test did is there afterwards. */
int box_close(void **state);

#define in_sandbox(test) cmocka_unit_test_setup_teardown(test, box_open, box_close)

void assert_nothing_stored(box *);

#endif
