/*
 * A unit with a key on a disk that fails: what became of a COMMIT that the
 * operating system refused half-way is found out by the key.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include <belay/adopt.h>

#include "database.h"
#include "disk.h"

static const char key[] = "payment-1";

/* A handle under test, opened anew for each fault; what is there is looked at by others. */
typedef struct bench {
    database d;
    belay_db *db;
    belay_session *s;
} bench;

static void set_up(bench *b, const char *parameters)
{
    static const char *const tables[] = {"CREATE TABLE payment (id INTEGER PRIMARY KEY, filling BLOB)", NULL};
    disk.countdown = 0;
    database_make(&b->d, parameters);
    b->db = belay_open(b->d.url, NULL);
    b->s = belay_session_open(b->db);
    database_run(b->s, tables);
    BELAY_ATOMIC_WITH(b->s, .once = "to make the table")
        belay_undo(b->s);
}

static void tear_down(bench *b)
{
    belay_session_close(b->s);
    belay_close(b->db);
    disk.countdown = 0;
    database_close(&b->d);
}

static int pay(belay_session *s)
{
    int runs = 0;
    BELAY_ATOMIC_WITH(s, .once = key, .lock_timeout_ms = 200) {
        runs++;
        belay_exec(s, "INSERT INTO payment (filling) VALUES (zeroblob(20000))");
    }
    return runs;
}

/* As another process would, when the disk works again. */
static const char *look(bench *b, const char *sql)
{
    belay_db *db = belay_open(b->d.url, NULL);
    belay_session *s = belay_session_open(db);
    const char *rows = rows_of(s, sql);
    belay_session_close(s);
    belay_close(db);
    return rows;
}

static int pay_elsewhere(bench *b)
{
    belay_db *db = belay_open(b->d.url, NULL);
    belay_session *s = belay_session_open(db);
    int runs = pay(s);
    assert_status(s, BELAY_OK);
    belay_session_close(s);
    belay_close(db);
    return runs;
}

typedef struct tally {
    int committed, rolled_back, unknown, found_out;
} tally;

static void count_answer(const belay_error *status, bool there, tally *counts)
{
    switch (status->outcome) {
    case BELAY_WORK_COMMITTED:
        counts->committed++;
        assert_true(there);
        break;
    case BELAY_WORK_ROLLED_BACK:
        counts->rolled_back++;
        counts->found_out += strstr(status->message, "by the key") != NULL;
        assert_true(status->code == BELAY_IO || status->code == BELAY_DISK_FULL);
        assert_false(there);
        break;
    case BELAY_WORK_UNKNOWN:
        counts->unknown++;
        break;
    case BELAY_WORK_PARTLY:
    case BELAY_WORK_OPEN:
        fail_msg("the unit has no outcome");
    }
}

/* False when no write was left to fail. */
static bool fail_write(const char *parameters, long n, tally *counts)
{
    bench b;
    set_up(&b, parameters);
    disk.countdown = n;
    pay(b.s);
    bool met = disk.countdown == 0 || (disk.for_good && disk.countdown == 1);
    belay_error status = *belay_pending(b.s);
    belay_session_close(b.s); /* while the disk still fails, as a crash would be the only other way out */
    belay_close(b.db);
    b.s = NULL;
    b.db = NULL;
    disk.countdown = 0;
    const char *rows = look(&b, "SELECT (SELECT count(*) FROM payment), (SELECT group_concat(state) FROM belay_once)");
    bool there = strcmp(rows, "1|done") == 0;
    if (!there && strcmp(rows, "0|void") != 0)
        assert_string_equal(rows, "0|NULL");
    count_answer(&status, there, counts);
    assert_int_equal(pay_elsewhere(&b), !there);
    assert_string_equal(look(&b, "SELECT count(*) FROM payment"), "1");
    tear_down(&b);
    return met;
}

static tally fail_each_write(const char *parameters)
{
    tally counts = {0, 0, 0, 0};
    bool met = true;
    for (long n = 1; met; n++) {
        assert_true(n < 200);
        met = fail_write(parameters, n, &counts);
    }
    return counts;
}

static const char *const urls[] = {"?journal=wal", "?journal=delete", "?journal=truncate",
                                   "?journal=wal&synchronous=extra&cache_kib=16"};

static void one_write_that_fails_never_leaves_a_unit_with_a_key_in_doubt(void **state)
{
    static const int failures[] = {SQLITE_IOERR_WRITE, SQLITE_FULL};
    int found_out = 0;
    (void)state;
    disk.for_good = false;
    for (int i = 0; i < 8; i++) {
        disk.failure = failures[i % 2];
        tally counts = fail_each_write(urls[i / 2]);
        assert_true(counts.committed > 0);
        assert_true(counts.rolled_back > 0);
        assert_int_equal(counts.unknown, 0);
        found_out += counts.found_out;
    }
    assert_true(found_out > 0);
}

static void whatever_is_reported_is_true_when_the_disk_is_gone_for_good(void **state)
{
    int unknown = 0, rolled_back = 0;
    (void)state;
    disk.for_good = true;
    disk.failure = SQLITE_IOERR_WRITE;
    for (int i = 0; i < 4; i++) {
        tally counts = fail_each_write(urls[i]);
        assert_true(counts.committed > 0); /* when it was gone after the last write */
        rolled_back += counts.rolled_back;
        unknown += counts.unknown;
    }
    assert_true(rolled_back > 0);
    assert_true(unknown > 0);
}

/* The last write of the unit is the sync of its COMMIT. */
static long number_of_the_sync(void)
{
    enum { FAR = 1000 };
    bench b;
    set_up(&b, urls[0]);
    disk.for_good = false;
    disk.countdown = FAR;
    pay(b.s);
    long count = FAR - disk.countdown;
    assert_status(b.s, BELAY_OK);
    tear_down(&b);
    return count;
}

static void a_commit_whose_sync_failed_is_found_out_and_has_the_disks_error(void **state)
{
    bench b;
    long sync = number_of_the_sync();
    (void)state;
    set_up(&b, urls[0]);
    disk.countdown = sync;
    assert_int_equal(pay(b.s), 1);
    assert_int_equal(disk.countdown, 0);
    assert_status(b.s, BELAY_IO); /* and no connection was lost */
    assert_int_equal(belay_pending(b.s)->outcome, BELAY_WORK_ROLLED_BACK);
    assert_int_equal(belay_pending(b.s)->native_code, SQLITE_IOERR_FSYNC);
    assert_non_null(strstr(belay_message(b.s), "disk I/O error"));
    assert_rows(b.s, "SELECT state FROM belay_once", "void");
    assert_int_equal(pay(b.s), 1);
    assert_rows(b.s, "SELECT count(*), state FROM payment, belay_once", "1|done");
    tear_down(&b);
}

static void it_is_found_out_on_an_adopted_connection_too(void **state)
{
    bench b;
    sqlite3 *own = NULL;
    (void)state;
    long sync = number_of_the_sync();
    set_up(&b, urls[0]);
    belay_session_close(b.s);
    sqlite3_open(b.d.path, &own);
    b.s = belay_adopt_sqlite(own);
    disk.countdown = sync;
    int runs = pay(b.s);
    belay_error status = *belay_pending(b.s);
    runs += pay(b.s);
    belay_session_close(b.s);
    b.s = NULL;
    assert_int_equal(sqlite3_get_autocommit(own), 1);
    assert_int_equal(sqlite3_close(own), SQLITE_OK);
    assert_int_equal(disk.countdown, 0);
    assert_int_equal(status.code, BELAY_IO);
    assert_int_equal(status.outcome, BELAY_WORK_ROLLED_BACK);
    assert_int_equal(runs, 2);
    assert_string_equal(look(&b, "SELECT count(*), state FROM payment, belay_once"), "1|done");
    tear_down(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_write_that_fails_never_leaves_a_unit_with_a_key_in_doubt),
        cmocka_unit_test(whatever_is_reported_is_true_when_the_disk_is_gone_for_good),
        cmocka_unit_test(a_commit_whose_sync_failed_is_found_out_and_has_the_disks_error),
        cmocka_unit_test(it_is_found_out_on_an_adopted_connection_too),
    };
    unsetenv("BELAY_TEST_URL"); /* it is SQLite's disk that fails */
    disk_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
