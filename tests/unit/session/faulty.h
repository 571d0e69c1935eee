/*
 * faulty.h - a rig for tests of a session on an engine that fails at a chosen call.
 *
 * The engine is SQLite on a file, behind the fake of tests/support. A witness looks into the same file and has no part
 * in it. Row 1 of the table item is there when a test begins.
 */
#ifndef BELAY_TESTS_FAULTY_H
#define BELAY_TESTS_FAULTY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "database.h"
#include "db.h"
#include "fake.h"
#include "sqlite.h"

static struct {
    database d;
    belay_db *plain; /* the same file, without the fake */
    belay_session *witness;
    fake_driver fake;
    belay_db *db;
    belay_session *s;
} the;

static inline int set_up(void **state)
{
    static const char *const tables[] = {
        "CREATE TABLE item (id INTEGER PRIMARY KEY)", "CREATE TABLE parent (id INTEGER PRIMARY KEY)",
        "CREATE TABLE child (id REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)", NULL};
    (void)state;
    memset(&the, 0, sizeof the);
    database_make(&the.d, "?synchronous=normal");
    the.plain = belay_open(the.d.url, NULL);
    the.witness = belay_session_open(the.plain);
    database_run(the.witness, tables);
    fake_init(&the.fake, &belayi_driver_sqlite);
    the.db = belayi_db_open_with(&the.fake.driver, the.d.url, NULL);
    the.s = belay_session_open(the.db);
    belay_exec(the.s, "INSERT INTO item VALUES (?)", 1); /* prepared from now on */
    fake_arm(&the.fake, 0, FAKE_ERROR, false);
    return belay_status(the.s) == BELAY_OK ? 0 : -1;
}

/* A connection or statement that is left open fails the test. */
static inline int tear_down(void **state)
{
    (void)state;
    belay_session_close(the.s);
    belay_close(the.db);
    belay_session_close(the.witness);
    belay_close(the.plain);
    database_close(&the.d);
    return the.fake.open_connections == 0 && the.fake.open_statements == 0 ? 0 : -1;
}

#define on_faulty(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static inline belay_code put(int id)
{
    return belay_exec(the.s, "INSERT INTO item VALUES (?)", id);
}

/* Nothing fails any more, and what is sent is counted from here. */
static inline void watch(void)
{
    fake_arm(&the.fake, 0, FAKE_ERROR, false);
}

/* The next call to the engine fails, and what is sent is counted from here. */
static inline void fail_next(fake_fault fault)
{
    fake_arm(&the.fake, 1, fault, false);
}

/* How often a call was made since then. */
static inline int times(const char *call)
{
    int n = 0;
    size_t size = strlen(call);
    for (const char *at = the.fake.log; (at = strstr(at, call)) != NULL; at += size)
        n += (at == the.fake.log || at[-1] == ' ') && at[size] == ' ';
    return n;
}

#define assert_sent(calls)        assert_string_equal(the.fake.log, calls)
#define assert_stored(ids)        assert_rows(the.witness, "SELECT id FROM item ORDER BY id", ids)
#define assert_code(code, wanted) assert_string_equal(belay_code_name(code), belay_code_name(wanted))

/* In a file that still has row 1 only. */
static inline void assert_next_unit_works(void)
{
    belay_begin(the.s, NULL);
    put(9);
    assert_code(belay_commit(the.s), BELAY_OK);
    assert_stored("1;9");
}

#endif
