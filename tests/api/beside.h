/*
 * beside.h - a program that has a connection of its own, and a session over it.
 *
 * The tables are those of a world (support.h), whose `other` looks from outside:
 * at what is committed. What has no assert in its name may be used inside blocks.
 */
#ifndef BELAY_TESTS_API_BESIDE_H
#define BELAY_TESTS_API_BESIDE_H

#include "support.h"

#include <sqlite3.h>
#include <stdlib.h>

typedef struct beside {
    world *w;
    sqlite3 *own;     /* the program's connection */
    belay_session *s; /* over it */
} beside;

int beside_open(void **state);

/* Fails when the session left something on the connection, so that it can't be closed. */
int beside_close(void **state);

#define beside_own(test) cmocka_unit_test_setup_teardown(test, beside_open, beside_close)

/* The same with a transaction that the program has begun, and row 1 in it. */
int foreign_open(void **state);
int foreign_close(void **state);

#define in_foreign(test) cmocka_unit_test_setup_teardown(test, foreign_open, foreign_close)

/* Until now nothing is stored; the program commits, and this is there then. */
void assert_committed(beside *, const char *ids);

/* These tests know of no engine but SQLite. Returns what main returns; skips all on another. */
#define run_beside(tests) (getenv("BELAY_TEST_URL") ? 77 : cmocka_run_group_tests(tests, NULL, NULL))

/* Runs SQL on the engine's own handle; the result code. */
int run_own(sqlite3 *, const char *sql);

/* INSERT INTO item, without Belay. */
int put_own(sqlite3 *, int id);

/* The ids in item, as this connection sees them, such as "1;2". Borrowed until the fourth call after this. */
const char *seen_own(sqlite3 *);

/* Inside a transaction. */
bool is_inside(sqlite3 *);

#endif
