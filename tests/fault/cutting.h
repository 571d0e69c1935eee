/*
 * cutting.h - SQLite's driver, whose next COMMIT is cut off from its answer.
 *
 * The engine has carried it out, or not, and the program is not told. What
 * others do between that and the finding out is a function of the test's; and
 * the connections that the finding out gets can be made to fail too.
 */
#ifndef BELAY_TESTS_FAULT_CUTTING_H
#define BELAY_TESTS_FAULT_CUTTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sqlite3.h>
#include <stdbool.h>

#include <belay/sys/driver.h>

#include "database.h"
#include "db.h"

typedef enum cut { CUT_NEVER, CUT_BEFORE, CUT_AFTER } cut;

typedef struct cutting {
    belay_driver driver;                /* first: a connection's driver is its cutting */
    cut next;                           /* how the next COMMIT is cut */
    cut then;                           /* and how the one after that: of the finding out, or of the next attempt */
    int lost_begins;                    /* so many BEGINs after that lose their connection; -1: all */
    int refused_opens;                  /* so many connections after that can't be had; -1: none can */
    void (*look)(void *arg, sqlite3 *); /* called in the transaction, before the cut */
    void (*meanwhile)(void *arg);       /* and after it */
    void *arg;
    belay_conn *lost;
} cutting;

/* A database with a cutting handle under test, and a plain one that looks on. */
typedef struct stand {
    database d;
    cutting cut;
    belay_db *db;
    belay_session *s; /* under test */
    belay_db *plain;
    belay_session *witness;     /* by a handle of its own */
    int committed, rolled_back; /* hooks that ran */
} stand;

int stand_open(void **state);
int stand_close(void **state);
#define on_stand(test) cmocka_unit_test_setup_teardown(test, stand_open, stand_close)

/* Opens the handle under test anew, with these options. */
void stand_reopen(stand *, const belay_db_options *);

/* A unit under a key: registers hooks that count, puts a row into item. Returns how often its body ran. */
int stand_put(stand *, const belay_scope_options *, int id);

#define stand_put_once(st, row, ...)                                                                                   \
    stand_put(st, BELAY_SCOPE_OPTIONS(.backoff_ms = 1, .backoff_max_ms = 1, __VA_ARGS__), row)

#define assert_items(st, ids) assert_rows((st)->witness, "SELECT id FROM item ORDER BY id", ids)
#define assert_keys(st, keys)                                                                                          \
    assert_rows((st)->witness, "SELECT once_key, state FROM belay_once ORDER BY once_key", keys)

/* How the session's last unit ended. */
#define assert_ended(st, code, its_outcome)                                                                            \
    do {                                                                                                               \
        assert_status((st)->s, code);                                                                                  \
        assert_int_equal(belay_pending((st)->s)->outcome, its_outcome);                                                \
    } while (0)

/* How many hooks ran since the last time: after a commit, after a rollback. */
void assert_hooks(stand *, int committed, int rolled_back);

#endif
