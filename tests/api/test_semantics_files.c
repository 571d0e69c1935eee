/*
 * Files beneath scopes, as the tests of SQLite ask for them: pages that come and go, attached databases, interrupts,
 * crashes, low descriptors. SQLite only. tests/semantics/map.txt tells which case is proved where.
 */
#include "support.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "urls.h"

enum { UNITS = 300 };

/* ---- Pages ----------------------------------------------------------------------------------------------------- */

static void grow_and_shrink(belay_session *s, int round)
{
    BELAY_ATOMIC(s) {
        for (int i = 0; i < 4; i++) {
            BELAY_ATOMIC(s) {
                belay_exec(
                    s, "INSERT INTO page(filling) VALUES (randomblob(5000)), (randomblob(900)), (randomblob(20000))");
                BELAY_ATOMIC(s) {
                    belay_exec(s, "DELETE FROM page WHERE id % 3 = ?", (round + i) % 3);
                    belay_exec(s, "UPDATE page SET filling = randomblob(3000) WHERE id % 2 = 0");
                    if (i % 2)
                        belay_undo(s);
                }
                if ((round + i) % 3 == 0)
                    belay_undo(s);
            }
        }
        if (round % 4 == 3)
            belay_undo(s);
    }
}

static void pages_that_come_and_go_in_scopes_of_every_fate_leave_the_file_sound(void **state)
{
    static const char *const journals[] = {"vacuum.db?cache_kib=16", "vacuum2.db?cache_kib=16&journal=delete"};
    world *w = *state;
    only_on_sqlite(w);
    for (int j = 0; j < 2; j++) {
        belay_db *db = belay_open(url_of(w, journals[j]), BELAY_DB_OPTIONS(.pool_size = 1));
        belay_session *s = belay_session_open(db);
        belay_exec(s, "PRAGMA auto_vacuum = FULL");
        belay_exec(s, "VACUUM"); /* so that it counts although the file is there already */
        belay_exec(s, "CREATE TABLE page(id INTEGER PRIMARY KEY, filling)");
        assert_rows(s, "PRAGMA auto_vacuum", "1");
        int64_t empty = belay_int_of(s, "PRAGMA page_count");
        for (int round = 0; round < 12; round++) {
            grow_and_shrink(s, round);
            assert_status(s, round % 4 == 3 ? BELAY_ROLLED_BACK : BELAY_OK);
            assert_rows(s, "PRAGMA integrity_check", "ok");
        }
        assert_true(belay_int_of(s, "PRAGMA page_count") > empty);
        belay_exec(s, "DELETE FROM page");
        assert_int_equal(belay_int_of(s, "PRAGMA page_count"), empty);
        belay_session_close(s);
        belay_close(db);
    }
}

/* ---- Several files --------------------------------------------------------------------------------------------- */

static const char both[] =
    "SELECT (SELECT group_concat(id) FROM main.item), (SELECT group_concat(id) FROM second.item)";

static belay_session *open_two_files(const world *w, const char *name, belay_db **out_db)
{
    char path[LONGEST_NAME];
    snprintf(path, sizeof path, "%.*s-second", (int)strcspn(path_of(w, name), "?"), path_of(w, name));
    *out_db = belay_open(url_of(w, name), BELAY_DB_OPTIONS(.pool_size = 1));
    belay_session *s = belay_session_open(*out_db);
    belay_exec(s, "ATTACH ? AS second", path);
    belay_exec(s, "CREATE TABLE IF NOT EXISTS main.item(id INTEGER PRIMARY KEY, filling)");
    belay_exec(s, "CREATE TABLE IF NOT EXISTS second.item(id INTEGER PRIMARY KEY, filling)");
    return s;
}

static void put_in_both(belay_session *s, int id)
{
    belay_exec(s, "INSERT INTO main.item(id, filling) VALUES (?, zeroblob(6000))", id);
    belay_exec(s, "INSERT INTO second.item(id, filling) VALUES (?, zeroblob(6000))", 10 * id);
}

static void scopes_over_attached_databases_keep_and_undo_all_files_together(void **state)
{
    world *w = *state;
    belay_db *db;
    only_on_sqlite(w);
    belay_session *s = open_two_files(w, "first.db", &db);
    assert_code(belay_status(s), BELAY_OK);
    BELAY_ATOMIC(s) {
        put_in_both(s, 1);
        BELAY_ATOMIC(s) {
            put_in_both(s, 2);
            belay_undo(s);
        }
        belay_savepoint(s, "mark");
        put_in_both(s, 3);
        belay_rollback_to(s, "mark");
        put_in_both(s, 4);
    }
    assert_code(belay_status(s), BELAY_OK);
    assert_rows(s, both, "1,4|10,40");
    BELAY_ATOMIC(s) {
        put_in_both(s, 5);
        belay_exec(s, "INSERT INTO second.item(id) VALUES (40)"); /* there already */
    }
    assert_code(belay_status(s), BELAY_UNIQUE);
    assert_rows(s, both, "1,4|10,40");
    belay_db *alone = belay_open(url_of(w, "first.db-second"), BELAY_DB_OPTIONS(.lock_timeout_ms = 1));
    belay_session *other = belay_session_open(alone);
    assert_code(put(other, 50), BELAY_OK); /* no lock is left */
    belay_session_close(other);
    belay_close(alone);
    assert_code(belay_exec(s, "DETACH second"), BELAY_OK);
    belay_session_close(s);
    belay_close(db);
}

/* ---- Something happens at the n-th write ----------------------------------------------------------------------- */

static long left; /* writes, syncs, truncations and deletions until it happens; 0: it doesn't */
static void (*happen)(void);
static sqlite3_vfs *real_vfs;
static sqlite3_io_methods real_methods, watched_methods[2];

static void count_down(void)
{
    if (left > 0 && --left == 0)
        happen();
}

static int write_counted(sqlite3_file *file, const void *data, int size, sqlite3_int64 at)
{
    if (left == 1) /* in the middle of it */
        real_methods.xWrite(file, data, size / 2, at);
    count_down();
    return real_methods.xWrite(file, data, size, at);
}

static int sync_counted(sqlite3_file *file, int flags)
{
    count_down();
    return real_methods.xSync(file, flags);
}

static int truncate_counted(sqlite3_file *file, sqlite3_int64 size)
{
    count_down();
    return real_methods.xTruncate(file, size);
}

static int open_counted(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
    (void)vfs;
    int rc = real_vfs->xOpen(real_vfs, name, file, flags, out_flags);
    if (rc == SQLITE_OK && file->pMethods) {
        sqlite3_io_methods *methods = &watched_methods[flags & SQLITE_OPEN_MAIN_DB ? 0 : 1];
        real_methods = *methods = *file->pMethods;
        methods->xWrite = write_counted;
        methods->xSync = sync_counted;
        methods->xTruncate = truncate_counted;
        file->pMethods = methods;
    }
    return rc;
}

static int delete_counted(sqlite3_vfs *vfs, const char *name, int sync)
{
    (void)vfs;
    count_down();
    return real_vfs->xDelete(real_vfs, name, sync);
}

static void install_vfs(void (*what)(void))
{
    static sqlite3_vfs watched;
    happen = what;
    real_vfs = sqlite3_vfs_find(NULL);
    watched = *real_vfs;
    watched.zName = "watched";
    watched.pNext = NULL;
    watched.xOpen = open_counted;
    watched.xDelete = delete_counted;
    sqlite3_vfs_register(&watched, 1);
}

/* ---- A crash at every write ------------------------------------------------------------------------------------ */

static void die(void)
{
    _exit(1);
}

typedef struct crash {
    const world *w;
    const char *name;
    long at;
} crash;

/* A child that does one unit over two files and dies on the way. 0: it came to the end; 1: it died; 2: it failed. */
static int work_and_die(void *arg)
{
    const crash *c = arg;
    belay_db *db;
    install_vfs(die);
    belay_session *s = open_two_files(c->w, c->name, &db);
    left = c->at;
    BELAY_ATOMIC(s) {
        BELAY_ATOMIC(s) {
            put_in_both(s, 1);
            BELAY_ATOMIC(s) {
                belay_exec(s, "UPDATE main.item SET filling = randomblob(9000)");
                belay_exec(s, "UPDATE second.item SET filling = randomblob(9000)");
                belay_undo(s);
            }
        }
    }
    left = 0;
    return belay_status(s) == BELAY_OK ? 0 : 2;
}

/* How many units are in the files, which are empty again then. Fails the test when one is in one of them only. */
static int64_t take_out_units(const world *w, const char *name)
{
    belay_db *db;
    belay_session *s = open_two_files(w, name, &db);
    assert_rows(s, "PRAGMA main.integrity_check", "ok");
    assert_rows(s, "PRAGMA second.integrity_check", "ok");
    assert_int_equal(belay_int_of(s, "SELECT count(*) FROM main.item WHERE filling <> zeroblob(6000)"), 0);
    int64_t units = belay_int_of(s, "SELECT count(*) FROM main.item");
    assert_int_equal(belay_int_of(s, "SELECT count(*) FROM second.item"), units);
    belay_exec(s, "DELETE FROM main.item");
    belay_exec(s, "DELETE FROM second.item");
    assert_code(belay_session_close(s), BELAY_OK);
    belay_close(db);
    return units;
}

static void a_crash_at_any_write_or_sync_leaves_all_files_of_a_unit_or_none(void **state)
{
    static const char *const names[] = {"crash.db?journal=delete&cache_kib=16", "crash2.db?journal=persist"};
    world *w = *state;
    only_on_sqlite(w);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        int died = 1, lost = 0, kept = 0;
        take_out_units(w, names[i]);
        for (long at = 1; died == 1 && at < 1000; at++) {
            crash c = {.w = w, .name = names[i], .at = at};
            died = run_in_child(work_and_die, &c);
            int64_t units = take_out_units(w, names[i]);
            assert_in_range(units, 0, 1);
            assert_true(died == 1 || units == 1); /* what was reported is there */
            lost += units == 0;
            kept += units == 1;
        }
        assert_int_equal(died, 0); /* no write was left to die at */
        assert_true(lost > 10 && kept > 0);
    }
}

/* ---- An interrupt at every write ------------------------------------------------------------------------------- */

static sqlite3 *newest; /* connection that was opened */

static int note_connection(sqlite3 *connection, char **message, const void *routines)
{
    (void)message;
    (void)routines;
    newest = connection;
    return SQLITE_OK;
}

static void interrupt(void)
{
    sqlite3_interrupt(newest);
}

/* A unit of twenty rows in two scopes, more than the cache holds. */
static belay_code put_twenty(belay_session *s, int unit)
{
    static const char ten[] = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 9) "
                              "INSERT INTO item(id, note) SELECT ? + i, hex(zeroblob(4000)) FROM n";
    BELAY_ATOMIC(s) {
        belay_exec(s, ten, 20 * unit);
        BELAY_ATOMIC(s)
            belay_exec(s, ten, 20 * unit + 10);
    }
    return belay_status(s);
}

/* A child that does units of which each is interrupted one write later. 0, or the number of what went wrong. */
static int work_under_interrupts(void *url)
{
    int committed = 0, cancelled = 0;
    install_vfs(interrupt);
    sqlite3_auto_extension((void (*)(void))note_connection);
    belay_db *db = belay_open(url, BELAY_DB_OPTIONS(.pool_size = 1));
    belay_session *s = belay_session_open(db);
    belay_exec(s, "CREATE TABLE item(id INTEGER PRIMARY KEY, note TEXT)");
    belay_exec(s, "PRAGMA wal_autocheckpoint = 1"); /* every commit makes one */
    for (int unit = 1; unit <= UNITS; unit++) {
        left = unit;
        belay_code code = put_twenty(s, unit);
        bool happened = left == 0;
        left = 0;
        committed += code == BELAY_OK;
        cancelled += code == BELAY_CANCELLED;
        if (code != BELAY_OK && !(code == BELAY_CANCELLED && happened))
            return 1;
    }
    if (committed == 0 || cancelled == 0)
        return 2;
    if (belay_int_of(s, "SELECT count(*) FROM item") != 20 * (int64_t)committed)
        return 3;
    belay_session_close(s);
    belay_close(db);
    return 0;
}

static void interrupts_at_any_write_or_checkpoint_lose_and_tear_nothing(void **state)
{
    world *w = *state;
    char url[LONGEST_NAME + 8];
    only_on_sqlite(w);
    snprintf(url, sizeof url, "%s", url_of(w, "child.db?cache_kib=16"));
    assert_int_equal(run_in_child(work_under_interrupts, url), 0);
    belay_db *db = belay_open(url, NULL);
    belay_session *s = belay_session_open(db);
    assert_rows(s, "SELECT id / 20 FROM item GROUP BY id / 20 HAVING count(*) <> 20", "");
    assert_rows(s, "PRAGMA integrity_check", "ok");
    assert_code(put(s, 1), BELAY_OK);
    belay_session_close(s);
    belay_close(db);
}

/* ---- Descriptors ----------------------------------------------------------------------------------------------- */

static int work_without_standard_streams(void *url)
{
    static const char noise[] = "what a program prints must not get into its database";
    for (int fd = 0; fd < 3; fd++)
        close(fd);
    belay_db *db = belay_open(url, NULL);
    belay_session *s = belay_session_open(db);
    belay_exec(s, "CREATE TABLE item(id INTEGER PRIMARY KEY)");
    bool worked = put(s, 1) == BELAY_OK;
    int written = 0;
    for (int fd = 0; fd < 3; fd++)
        written += write(fd, noise, sizeof noise) > 0;
    worked &= put(s, 2) == BELAY_OK;
    belay_session_close(s);
    belay_close(db);
    return worked ? written : 9;
}

static void a_database_is_never_opened_as_a_standard_stream_that_was_closed(void **state)
{
    world *w = *state;
    char url[LONGEST_NAME + 8];
    only_on_sqlite(w);
    snprintf(url, sizeof url, "%s", url_of(w, "low.db"));
    assert_int_equal(run_in_child(work_without_standard_streams, url), 0);
    belay_db *db = belay_open(url, NULL);
    belay_session *s = belay_session_open(db);
    assert_seen(s, "1;2");
    assert_rows(s, "PRAGMA integrity_check", "ok");
    belay_session_close(s);
    belay_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(pages_that_come_and_go_in_scopes_of_every_fate_leave_the_file_sound),
        in_world(scopes_over_attached_databases_keep_and_undo_all_files_together),
        in_world(interrupts_at_any_write_or_checkpoint_lose_and_tear_nothing),
        in_world(a_database_is_never_opened_as_a_standard_stream_that_was_closed),
        in_world(a_crash_at_any_write_or_sync_leaves_all_files_of_a_unit_or_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
