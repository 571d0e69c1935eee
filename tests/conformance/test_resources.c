/*
 * test_resources.c - no room left, a file that can't be written: a typed error, nothing lost, and the next scope works
 * once there is room. SQLite only, on a file of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "database.h"

static const char *const note_tables[] = {
    "CREATE TABLE note (id INTEGER PRIMARY KEY, text VARCHAR(2000) NOT NULL)",
    "INSERT INTO note (id, text) VALUES (1, 'kept')",
    NULL,
};

static const char *const ids = "SELECT id FROM note ORDER BY id";

/* One connection, so that what is set on it is in force for all units. */
static int open_notes(void **state)
{
    static database d;
    database_open(&d, BELAY_DB_OPTIONS(.pool_size = 1));
    database_run(d.s, note_tables);
    *state = &d;
    return 0;
}

static int close_notes(void **state)
{
    return database_close(*state) == BELAY_OK ? 0 : -1;
}

/* A unit of `count` rows of two kilobytes; `first` is the id of its first. */
static belay_code write_notes(belay_session *s, int first, int count)
{
    char text[2000];
    memset(text, 'x', sizeof text);
    BELAY_ATOMIC_WITH(s, .name = "notes") {
        for (int i = 0; i < count; i++)
            belay_exec(s, "INSERT INTO note (id, text) VALUES (?, ?)", first + i, belay_text(text, sizeof text));
    }
    return belay_status(s);
}

static void check_integrity(belay_session *s)
{
    assert_rows(s, "PRAGMA integrity_check", "ok");
}

/* ---- No room ---------------------------------------------------------------------------------------------------- */

static void leave_pages(belay_session *s, int pages)
{
    char limit[64];
    snprintf(limit, sizeof limit, "PRAGMA max_page_count = %d", (int)belay_int_of(s, "PRAGMA page_count") + pages);
    assert_int_equal(belay_exec(s, limit), BELAY_OK);
}

static void a_full_database_is_told_and_nothing_of_the_unit_is_kept(void **state)
{
    database *d = *state;
    leave_pages(d->s, 10);
    assert_int_equal(write_notes(d->s, 100, 200), BELAY_DISK_FULL);
    assert_int_equal(belay_pending(d->s)->outcome, BELAY_WORK_ROLLED_BACK);
    assert_false(belay_retryable(belay_pending(d->s)));
    assert_rows(d->s, ids, "1");
    assert_int_equal(write_notes(d->s, 2, 1), BELAY_OK); /* a small one has room */
    assert_int_equal(belay_exec(d->s, "PRAGMA max_page_count = 100000"), BELAY_OK);
    assert_int_equal(write_notes(d->s, 100, 200), BELAY_OK);
    assert_int_equal(belay_int_of(d->s, "SELECT count(*) FROM note"), 202);
    check_integrity(d->s);
}

/* A statement of one row has nothing that SQLite could undo it with alone: it ends the transaction. */
static void a_full_database_that_ended_the_transaction_cant_be_caught_inside_it(void **state)
{
    database *d = *state;
    bool caught = true;
    belay_code after = BELAY_OK;
    leave_pages(d->s, 10);
    BELAY_ATOMIC(d->s) {
        belay_exec(d->s, "INSERT INTO note (id, text) VALUES (2, 'before')");
        write_notes(d->s, 100, 200);
        caught = belay_catch(d->s, BELAY_DISK_FULL);
        after = belay_exec(d->s, "INSERT INTO note (id, text) VALUES (3, 'after')"); /* would be a unit of its own */
    }
    assert_status(d->s, BELAY_DISK_FULL);
    assert_false(caught);
    assert_int_equal(after, BELAY_DISK_FULL);
    assert_rows(d->s, ids, "1");
    check_integrity(d->s);
}

/* One of many rows SQLite can undo, and the transaction is still there. */
static void a_full_database_that_left_the_transaction_is_caught_and_the_outer_scope_goes_on(void **state)
{
    static const char *const many = "WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < 300)"
                                    " INSERT INTO note (id, text) SELECT i, printf('%2000d', i) FROM n";
    database *d = *state;
    bool caught = false;
    leave_pages(d->s, 10);
    BELAY_ATOMIC(d->s) {
        belay_exec(d->s, "INSERT INTO note (id, text) VALUES (2, 'before')");
        BELAY_ATOMIC(d->s) {
            belay_exec(d->s, many);
        }
        caught = belay_catch(d->s, BELAY_DISK_FULL);
        belay_exec(d->s, "INSERT INTO note (id, text) VALUES (3, 'after')");
    }
    assert_status(d->s, BELAY_OK);
    assert_true(caught);
    assert_rows(d->s, ids, "1;2;3");
    check_integrity(d->s);
}

/* Fills the file system until only about `left` bytes are free. */
static void fill_room(const char *path, off_t left)
{
    static const char block[4096];
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    off_t size = 0;
    assert_true(file >= 0);
    for (ssize_t written; (written = write(file, block, sizeof block)) > 0;)
        size += written;
    assert_int_equal(ftruncate(file, size > left ? size - left : 0), 0);
    close(file);
}

static void a_full_file_system_is_told_and_the_next_scope_works_once_there_is_room(void **state)
{
    database d;
    char mount_point[512], url[600], filler[600];
    (void)state;
    database_make(&d, "");
    snprintf(mount_point, sizeof mount_point, "%s.small", d.directory);
    snprintf(filler, sizeof filler, "%s/filler", mount_point);
    snprintf(url, sizeof url, "sqlite:%s/test.db", mount_point);
    assert_int_equal(mkdir(mount_point, 0700), 0);
    if (mount("tmpfs", mount_point, "tmpfs", 0, "size=2m") != 0) {
        rmdir(mount_point);
        database_close(&d);
        skip(); /* only root can mount; the limit on file sizes is tested below */
    }
    belay_db *db = belay_open(url, NULL);
    belay_session *s = belay_session_open(db);
    database_run(s, note_tables);
    fill_room(filler, 64 * 1024);
    belay_code full = write_notes(s, 100, 300);
    belay_outcome outcome = belay_pending(s)->outcome;
    char shown[64];
    snprintf(shown, sizeof shown, "%s", rows_of(s, ids));
    unlink(filler);
    belay_code next = write_notes(s, 100, 20);
    int64_t count = belay_int_of(s, "SELECT count(*) FROM note");
    char integrity[64];
    snprintf(integrity, sizeof integrity, "%s", rows_of(s, "PRAGMA integrity_check"));
    belay_session_close(s);
    belay_close(db);
    umount(mount_point);
    rmdir(mount_point);
    database_close(&d);
    assert_int_equal(full, BELAY_DISK_FULL);
    assert_int_equal(outcome, BELAY_WORK_ROLLED_BACK);
    assert_string_equal(shown, "1");
    assert_int_equal(next, BELAY_OK);
    assert_int_equal(count, 21);
    assert_string_equal(integrity, "ok");
}

static void limit_file_size(rlim_t size)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = size == RLIM_INFINITY ? limit.rlim_max : size;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* The write fails while COMMIT is under way: that nobody can say what became of it may be the answer. */
static void a_file_that_may_not_grow_is_told_and_nothing_is_torn(void **state)
{
    database *d = *state;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    limit_file_size(128 * 1024);
    belay_code full = write_notes(d->s, 100, 300);
    belay_outcome outcome = belay_pending(d->s)->outcome;
    limit_file_size(RLIM_INFINITY);
    signal(SIGXFSZ, handler);
    assert_true(full == BELAY_DISK_FULL || full == BELAY_IO || full == BELAY_IN_DOUBT);
    assert_int_equal(outcome == BELAY_WORK_UNKNOWN, full == BELAY_IN_DOUBT);
    int64_t count = belay_int_of(d->s, "SELECT count(*) FROM note");
    assert_true(count == 1 || (count == 301 && outcome == BELAY_WORK_UNKNOWN));
    assert_int_equal(write_notes(d->s, 1000, 300), BELAY_OK);
    assert_int_equal(belay_int_of(d->s, "SELECT count(*) FROM note"), count + 300);
    check_integrity(d->s);
}

/* ---- A file that can't be written ------------------------------------------------------------------------------- */

/* Root may write anything: the test is done as nobody then. */
static void become(uid_t user)
{
    if (getuid() == 0)
        assert_int_equal(seteuid(user), 0);
}

static void a_read_only_file_is_told_and_the_next_scope_works_once_it_can_be_written(void **state)
{
    enum { NOBODY = 65534 };
    database d;
    (void)state;
    database_open(&d, NULL);
    database_run(d.s, note_tables);
    assert_int_equal(belay_session_close(d.s), BELAY_OK);
    belay_close(d.db);
    assert_int_equal(chmod(d.path, 0444), 0);
    assert_int_equal(chmod(d.directory, 0555), 0);
    become(NOBODY);
    d.db = belay_open(d.url, NULL);
    d.s = belay_session_open(d.db);
    belay_code at_open = belay_db_error(d.db)->code;
    belay_code refused = write_notes(d.s, 2, 1);
    become(0);
    assert_int_equal(at_open, BELAY_READ_ONLY);
    assert_int_equal(refused, BELAY_READ_ONLY);
    assert_int_equal(chmod(d.directory, 0700), 0);
    assert_int_equal(chmod(d.path, 0644), 0);
    assert_int_equal(write_notes(d.s, 2, 1), BELAY_OK);
    assert_int_equal(belay_db_error(d.db)->code, BELAY_OK);
    assert_rows(d.s, ids, "1;2");
    assert_int_equal(database_close(&d), BELAY_OK);
}

#define notes_test(test) cmocka_unit_test_setup_teardown(test, open_notes, close_notes)

int main(void)
{
    const struct CMUnitTest tests[] = {
        notes_test(a_full_database_is_told_and_nothing_of_the_unit_is_kept),
        notes_test(a_full_database_that_ended_the_transaction_cant_be_caught_inside_it),
        notes_test(a_full_database_that_left_the_transaction_is_caught_and_the_outer_scope_goes_on),
        cmocka_unit_test(a_full_file_system_is_told_and_the_next_scope_works_once_there_is_room),
        notes_test(a_file_that_may_not_grow_is_told_and_nothing_is_torn),
        cmocka_unit_test(a_read_only_file_is_told_and_the_next_scope_works_once_it_can_be_written),
    };
    unsetenv("BELAY_TEST_URL");
    return cmocka_run_group_tests_name("resources", tests, NULL, NULL);
}
