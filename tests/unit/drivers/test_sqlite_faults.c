/*
 * A disk that fails: the n-th write, sync, truncation or deletion, for n from 1
 * until the unit passes, once only the n-th and once all from the n-th on.
 *
 * After each fault the database is opened again, by a disk that works, and what
 * was reported must be true: committed is there whole, rolled back is not there
 * at all, and only where the outcome was said to be unknown may it be either.
 */
#include "sqlite_rig.h"

#include <sqlite3.h>

#include "disk.h"

/* ---- Units ------------------------------------------------------------------------------------------------------ */

static rig r;

typedef struct tally {
    int committed, rolled_back, unknown;
} tally;

/* One unit of two rows that must stay together, large enough for the cache to spill. */
static belay_code run_pair(belay_conn *conn, int64_t key)
{
    belay_value values[] = {belay_integer(key)};
    belay_code code = rig_begin(&r, conn, false);
    if (code != BELAY_OK)
        return code;
    code = rig_run_values(&r, conn, "INSERT INTO t SELECT ?1, 1, zeroblob(20000)", 1, values);
    if (code == BELAY_OK && D->status(conn) == BELAY_TRANSACTION_OPEN)
        code = D->savepoint(conn, 1, &r.error);
    if (code == BELAY_OK)
        code = rig_run_values(&r, conn, "INSERT INTO t SELECT ?1, 2, randomblob(20000)", 1, values);
    if (code == BELAY_OK)
        code = D->release(conn, 1, &r.error);
    if (code == BELAY_OK)
        code = D->commit(conn, &r.error);
    belay_error first = r.error;
    if (code != BELAY_OK) {
        assert_true(first.outcome == BELAY_WORK_OPEN || D->status(conn) == BELAY_TRANSACTION_NONE);
        if (D->rollback(conn, &r.error) == BELAY_OK)
            assert_int_equal(D->status(conn), BELAY_TRANSACTION_NONE);
        else
            assert_int_equal(D->status(conn), BELAY_TRANSACTION_LOST);
    }
    r.error = first;
    return code;
}

static void check_pair(int64_t key, belay_code code, tally *counts)
{
    char sql[100];
    belay_conn *conn = rig_connect(&r);
    assert_int_equal(rig_ask(&r, conn, "SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);
    snprintf(sql, sizeof sql, "SELECT count(*) FROM t WHERE k = %lld", (long long)key);
    int64_t rows = rig_ask(&r, conn, sql);
    rig_disconnect(&r, conn);
    assert_true(rows == 0 || rows == 2);
    if (code == BELAY_OK)
        counts->committed++;
    else if (r.error.outcome == BELAY_WORK_UNKNOWN)
        counts->unknown++;
    else
        counts->rolled_back++;
    if (code == BELAY_OK && rows != 2)
        fail_msg("a committed pair is lost");
    if (code != BELAY_OK && r.error.outcome != BELAY_WORK_UNKNOWN && rows != 0)
        fail_msg("a pair is there although it was reported otherwise: %s", r.error.message);
}

static tally fail_each_write(const char *parameters)
{
    tally counts = {0, 0, 0};
    rig_init(&r, parameters);
    rig_must(&r, rig_connect(&r), "CREATE TABLE t (k, half, filling)");
    rig_disconnect(&r, r.connections[0]);
    bool passed = false;
    for (long n = 1; !passed; n++) {
        assert_true(n < 5000);
        belay_conn *conn = rig_connect(&r);
        disk.countdown = n;
        belay_code code = run_pair(conn, n);
        belay_error first = r.error;
        passed = disk.countdown > 0 && !(disk.for_good && disk.countdown == 1);
        if (code != BELAY_OK && code != BELAY_IO && code != BELAY_DISK_FULL)
            fail_msg("write %ld: %s %s", n, belay_code_name(code), r.error.message);
        rig_disconnect(&r, conn); /* while the disk still fails, as a crash would be the only other way out */
        disk.countdown = 0;
        r.error = first;
        check_pair(n, code, &counts);
    }
    rig_done(&r);
    return counts;
}

static void whatever_was_reported_is_true_when_one_write_fails(void **state)
{
    (void)state;
    disk.for_good = false;
    for (int i = 0; i < 2; i++) {
        disk.failure = i ? SQLITE_FULL : SQLITE_IOERR_WRITE;
        for (int j = 0; j < 4; j++) {
            static const char *const urls[] = {"?journal=wal", "?journal=delete&cache_kib=16", "?journal=truncate",
                                               "?journal=wal&cache_kib=16&synchronous=extra"};
            tally counts = fail_each_write(urls[j]);
            assert_true(counts.committed > 0 && counts.rolled_back + counts.unknown > 0);
        }
    }
}

static void whatever_was_reported_is_true_when_the_disk_is_gone_for_good(void **state)
{
    (void)state;
    disk.for_good = true;
    for (int i = 0; i < 2; i++) {
        disk.failure = i ? SQLITE_FULL : SQLITE_IOERR_WRITE;
        for (int j = 0; j < 3; j++) {
            static const char *const urls[] = {"?journal=wal", "?journal=delete&cache_kib=16", "?journal=persist"};
            tally counts = fail_each_write(urls[j]);
            assert_true(counts.committed > 0 && counts.rolled_back + counts.unknown > 0);
        }
    }
}

static void a_commit_whose_sync_failed_has_an_unknown_outcome(void **state)
{
    (void)state;
    disk.for_good = false;
    disk.failure = SQLITE_IOERR_WRITE;
    tally counts = fail_each_write("?journal=wal");
    assert_true(counts.unknown > 0);
}

static void a_full_disk_ends_the_whole_transaction(void **state)
{
    (void)state;
    rig_init(&r, "?journal=wal&cache_kib=16");
    belay_conn *conn = rig_connect(&r);
    rig_must(&r, conn, "CREATE TABLE t (k, half, filling)");
    rig_must_begin(&r, conn);
    rig_must(&r, conn, "INSERT INTO t VALUES (1, 1, 1)");
    disk.failure = SQLITE_FULL;
    disk.for_good = true;
    disk.countdown = 1;
    assert_int_equal(rig_run(&r, conn, "INSERT INTO t SELECT 1, 2, zeroblob(500000)"), BELAY_DISK_FULL);
    disk.countdown = 0;
    assert_int_equal(D->status(conn), BELAY_TRANSACTION_NONE);
    assert_int_equal(D->rollback(conn, &r.error), BELAY_OK);
    assert_int_equal(rig_ask(&r, conn, "SELECT count(*) FROM t"), 0);
    rig_must_begin(&r, conn);
    rig_must(&r, conn, "INSERT INTO t VALUES (1, 1, 1)");
    rig_must_commit(&r, conn);
    rig_done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_was_reported_is_true_when_one_write_fails),
        cmocka_unit_test(whatever_was_reported_is_true_when_the_disk_is_gone_for_good),
        cmocka_unit_test(a_commit_whose_sync_failed_has_an_unknown_outcome),
        cmocka_unit_test(a_full_disk_ends_the_whole_transaction),
    };
    if (!disk_install())
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
