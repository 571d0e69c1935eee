/*
 * test_server_resources.c - a server whose disk is full, or that takes no writes: a typed error, nothing of the unit,
 * and the next one works once there is room. What test_resources.c shows for a file of SQLite's.
 *
 * The disk is a file system in memory, for one table: it takes root to mount it, and a server of this machine.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "database.h"

enum { BLOCKS = 30, FILLER_MB = 12 }; /* 30 blocks of 100 rows are 6 MB; the disk has 16 */

typedef struct disk {
    database d;
    char mount_point[64], filler[80];
} disk;

/* ---- A small disk ----------------------------------------------------------------------------------------------- */

/* The server's own user: whom its data belongs to. */
static bool give_to_server(const database *d, const char *path)
{
    struct stat data;
    char folder[300];
    snprintf(folder, sizeof folder, "%s",
             rows_of(d->s, database_is_mariadb(d) ? "SELECT @@datadir" : "SELECT current_setting('data_directory')"));
    return stat(folder, &data) == 0 && chown(path, data.st_uid, data.st_gid) == 0;
}

static bool mount_disk(disk *k)
{
    strcpy(k->mount_point, "/tmp/belay-small-XXXXXX");
    if (!mkdtemp(k->mount_point))
        return false;
    if (mount("tmpfs", k->mount_point, "tmpfs", 0, "size=16m") == 0) {
        snprintf(k->filler, sizeof k->filler, "%s/filler", k->mount_point);
        if (chmod(k->mount_point, 0755) == 0 && give_to_server(&k->d, k->mount_point))
            return true;
        umount(k->mount_point);
    }
    rmdir(k->mount_point);
    return false;
}

static void fill_disk(const disk *k)
{
    static const char megabyte[1 << 20];
    int file = open(k->filler, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    for (int i = 0; i < FILLER_MB; i++)
        if (write(file, megabyte, sizeof megabyte) != (ssize_t)sizeof megabyte)
            print_error("the disk is smaller than the filler\n");
    close(file);
}

static belay_code make_table(disk *k)
{
    char sql[300];
    if (database_is_mariadb(&k->d)) {
        snprintf(sql, sizeof sql,
                 "CREATE TABLE note (id INTEGER NOT NULL, text VARCHAR(2000) NOT NULL)"
                 " DATA DIRECTORY = '%s'",
                 k->mount_point);
    } else {
        snprintf(sql, sizeof sql, "CREATE TABLESPACE small LOCATION '%s'", k->mount_point);
        belay_exec(k->d.s, sql);
        snprintf(sql, sizeof sql,
                 "CREATE TABLE note (id INTEGER NOT NULL, text VARCHAR(2000) NOT NULL) TABLESPACE small");
    }
    return belay_exec(k->d.s, sql);
}

static void drop_table(disk *k)
{
    belay_exec(k->d.s, "DROP TABLE IF EXISTS note");
    if (!database_is_mariadb(&k->d))
        belay_exec(k->d.s, "DROP TABLESPACE IF EXISTS small");
    umount(k->mount_point);
    rmdir(k->mount_point);
}

static belay_code write_blocks(belay_session *s, int id)
{
    char text[1900];
    memset(text, 'x', sizeof text);
    BELAY_ATOMIC_WITH(s, .name = "blocks") {
        for (int i = 0; i < BLOCKS; i++)
            belay_exec(
                s,
                "INSERT INTO note (id, text) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE"
                " i < 100) SELECT ?, ? FROM n",
                id, belay_text(text, sizeof text));
    }
    return belay_status(s);
}

static void a_full_disk_is_told_and_the_next_scope_works_once_there_is_room(void **state)
{
    static disk k;
    int64_t after_failure = -1, after_success = -1;
    belay_code full = BELAY_OK, next = BELAY_MISUSE;
    belay_outcome outcome = BELAY_WORK_OPEN;
    (void)state;
    database_open(&k.d, NULL);
    if (!mount_disk(&k)) {
        database_close(&k.d);
        skip(); /* only root can mount, and only for a server of this machine */
    }
    belay_code made = make_table(&k);
    if (made == BELAY_OK) {
        fill_disk(&k);
        full = write_blocks(k.d.s, 1);
        outcome = belay_pending(k.d.s)->outcome;
        after_failure = belay_int_of(k.d.s, "SELECT count(*) FROM note");
        unlink(k.filler);
        next = write_blocks(k.d.s, 2);
        after_success = belay_int_of(k.d.s, "SELECT count(*) FROM note WHERE id = 2");
    } else {
        print_error("%s\n", belay_message(k.d.s));
    }
    drop_table(&k);
    database_close(&k.d);
    assert_int_equal(made, BELAY_OK);
    assert_int_equal(full, BELAY_DISK_FULL);
    assert_int_equal(outcome, BELAY_WORK_ROLLED_BACK);
    assert_int_equal(after_failure, 0);
    assert_int_equal(next, BELAY_OK);
    assert_int_equal(after_success, 100 * BLOCKS);
}

/* ---- A server that takes no writes ------------------------------------------------------------------------------ */

/* The URL of the test, for a user who must obey. */
static void url_of_reader(const database *d, char out[500])
{
    const char *rest = strstr(d->url, "://") + 3;
    snprintf(out, 500, "%.*sreader%s", (int)(rest - d->url), d->url, strchr(rest, '@'));
}

static void switch_writes(database *d, bool on)
{
    belay_exec(d->s, database_is_mariadb(d) ? on ? "SET GLOBAL read_only = 0" : "SET GLOBAL read_only = 1"
                     : on                   ? "ALTER ROLE reader RESET default_transaction_read_only"
                                            : "ALTER ROLE reader SET default_transaction_read_only = on");
}

/* What a new handle is told; its reads work in any case. */
static belay_code insert_as_reader(const database *d, int id, int64_t *out_seen)
{
    char url[500];
    url_of_reader(d, url);
    belay_db *db = belay_open(url, NULL);
    belay_session *s = belay_session_open(db);
    *out_seen = belay_int_of(s, "SELECT count(*) FROM item");
    BELAY_ATOMIC(s)
        belay_exec(s, "INSERT INTO item (id) VALUES (?)", id);
    belay_code code = belay_status(s);
    belay_session_close(s);
    belay_close(db);
    return code;
}

static void a_server_that_takes_no_writes_says_so_and_the_next_scope_works_when_it_does(void **state)
{
    static const char *const mariadb[] = {"CREATE TABLE item (id INTEGER PRIMARY KEY)", "DROP USER IF EXISTS reader",
                                          "CREATE USER reader", "GRANT SELECT, INSERT ON *.* TO reader", NULL};
    static const char *const postgresql[] = {"CREATE TABLE item (id INTEGER PRIMARY KEY)",
                                             "DROP ROLE IF EXISTS reader",
                                             "CREATE ROLE reader LOGIN",
                                             "GRANT USAGE ON SCHEMA public TO reader",
                                             "GRANT SELECT, INSERT ON item TO reader",
                                             NULL};
    database d;
    int64_t seen[2] = {-1, -1};
    (void)state;
    database_open(&d, NULL);
    database_run(d.s, database_is_mariadb(&d) ? mariadb : postgresql);
    switch_writes(&d, false);
    belay_code refused = insert_as_reader(&d, 1, &seen[0]);
    switch_writes(&d, true);
    belay_code taken = insert_as_reader(&d, 2, &seen[1]);
    char ids[32];
    snprintf(ids, sizeof ids, "%s", rows_of(d.s, "SELECT id FROM item"));
    belay_exec(d.s, "DROP TABLE item");
    if (!database_is_mariadb(&d))
        belay_exec(d.s, "DROP OWNED BY reader");
    belay_exec(d.s, "DROP USER reader");
    assert_int_equal(database_close(&d), BELAY_OK);
    assert_int_equal(refused, BELAY_READ_ONLY);
    assert_int_equal(taken, BELAY_OK);
    assert_int_equal(seen[0] + seen[1], 0);
    assert_string_equal(ids, "2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_disk_is_told_and_the_next_scope_works_once_there_is_room),
        cmocka_unit_test(a_server_that_takes_no_writes_says_so_and_the_next_scope_works_when_it_does),
    };
    return cmocka_run_group_tests_name("server resources", tests, NULL, NULL);
}
