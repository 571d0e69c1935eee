/*
 * support.h - what the tests of the public API share.
 *
 * Each test gets a world: a fresh database (tests/support/database.h) with two
 * small tables, the session under test, and a second session that looks from
 * outside. A world that ends checks that no connection was left behind.
 *
 * A failed assertion inside a block jumps out of it, which programs must not do;
 * the end of the world rolls back what is open then.
 */
#ifndef BELAY_TESTS_API_SUPPORT_H
#define BELAY_TESTS_API_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>

#include <belay/belay.h>

#include "database.h"

typedef struct world {
    database d;
    belay_session *s;     /* under test: d.s */
    belay_session *other; /* looks from outside, by a handle of its own */
    belay_db *looking;
} world;

int world_open(void **state);
int world_close(void **state);

#define in_world(test) cmocka_unit_test_setup_teardown(test, world_open, world_close)

/* Opens the database once more; lines are logged to the world's log. */
belay_db *open_again(world *, const belay_db_options *);

/* Skips the test unless the database is an SQLite file of its own. */
void only_on_sqlite(const world *);

/* Runs the check in a child process, for what may crash or hang: what it returns, which is below 100; else 100 or more.
   Inherited handles are of no use in there. */
int run_in_child(int (*check)(void *arg), void *arg);

/* A database for the child that the parent has not open: SQLite can't open in both what was open at the fork. */
const char *url_for_child(const world *, char *out, size_t room);

/* Sleeps at least so long. */
void pause_ms(int ms);

/* ---- Short words for what most tests do: table item(id, note), and table taken(id), which holds row 1 ---- */

/* Inserts a row into item. */
belay_code put(belay_session *, int id);

/* A statement that fails with BELAY_UNIQUE. */
belay_code clash(belay_session *);

/* The ids in item, such as "1;2;5", as this session sees them, and as a session outside does: what is committed. */
#define assert_seen(s, ids)   assert_rows(s, "SELECT id FROM item ORDER BY id", ids)
#define assert_stored(w, ids) assert_rows((w)->other, "SELECT id FROM item ORDER BY id", ids)

/* By name, so that a failure can be read. */
#define assert_code(code, wanted)   assert_string_equal(belay_code_name(code), belay_code_name(wanted))
#define assert_contains(text, part) assert_contains_at(text, part, __FILE__, __LINE__)
#define assert_lacks(text, part)    assert_lacks_at(text, part, __FILE__, __LINE__)

void assert_contains_at(const char *text, const char *part, const char *file, int line);
void assert_lacks_at(const char *text, const char *part, const char *file, int line);

/* ---- SQLite only: another program that writes to the same database ---- */

/* Takes the write lock. */
void *hold_write_lock(const world *);
/* Gives it up. Accepts NULL. */
void let_go(void *lock);

/* Bytes that the engine has allocated in this process. */
long long engine_memory(void);

#endif
