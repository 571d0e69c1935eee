/*
 * test_descriptors.c - descriptors used up, and descriptors 0 to 2 closed.
 *
 * The limit on open files is set so low that only some more, or none, can be opened: by a handle, by a second
 * connection, in the midst of a unit that needs a journal or a temporary file. Each time there must be a typed error
 * or success, nothing lost and nothing torn, no descriptor left open, and all must work once the limit is raised.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "database.h"

static const char *const journals[] = {"?journal=wal", "?journal=delete", "?journal=delete&cache_kib=64"};
enum { WAL, DELETE, SMALL_CACHE, JOURNALS = SMALL_CACHE };

/* As many descriptors as SQLite can want at a time for one connection, and more. */
enum { ENOUGH = 7 };

/* ---- Limits ----------------------------------------------------------------------------------------------------- */

static rlim_t usual_limit;

static void limit_descriptors(rlim_t most)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = most;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        abort();
}

/* No more than `count` can be opened from now on. All beneath the lowest free one are in use. */
static void leave_descriptors(int count)
{
    int lowest_free = dup(STDOUT_FILENO);
    close(lowest_free);
    limit_descriptors((rlim_t)(lowest_free + count));
}

static void raise_limit(void)
{
    limit_descriptors(usual_limit);
}

static int count_descriptors(void)
{
    int count = 0;
    DIR *directory = opendir("/proc/self/fd");
    while (directory && readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

/* ---- The database ----------------------------------------------------------------------------------------------- */

static void open_handle(database *d, int pool_size)
{
    belay_db_options options = database_options(d, BELAY_DB_OPTIONS(.pool_size = pool_size));
    d->db = belay_open(d->url, &options);
    d->s = belay_session_open(d->db);
}

static void open_items(database *d, int journal)
{
    static const char *const tables[] = {"CREATE TABLE item (id INTEGER PRIMARY KEY, text TEXT)", NULL};
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    usual_limit = limit.rlim_cur;
    database_make(d, journals[journal]);
    open_handle(d, 2);
    database_run(d->s, tables);
}

static void close_handle(database *d)
{
    assert_int_equal(belay_session_close(d->s), BELAY_OK);
    belay_close(d->db);
}

static belay_code put(belay_session *s, int id)
{
    return belay_exec(s, "INSERT INTO item (id, text) VALUES (?, 'text')", id);
}

static void check_and_close(database *d, const char *ids)
{
    assert_rows(d->s, "SELECT id FROM item ORDER BY id", ids);
    assert_rows(d->s, "PRAGMA integrity_check", "ok");
    assert_int_equal(database_close(d), BELAY_OK);
}

/* ---- Descriptors used up ---------------------------------------------------------------------------------------- */

static void a_second_connection_that_cant_be_opened_is_told_and_the_first_goes_on(void **state)
{
    (void)state;
    for (int journal = 0; journal < JOURNALS; journal++) {
        database d;
        open_items(&d, journal);
        belay_session *second = belay_session_open(d.db);
        int before = count_descriptors();
        put(d.s, 1);
        BELAY_ATOMIC(d.s) {
            put(d.s, 2);
            leave_descriptors(0);
            belay_int_of(second, "SELECT count(*) FROM item");
            put(d.s, 3);
        }
        raise_limit();
        belay_error refused = *belay_pending(second), of_handle = *belay_db_error(d.db);
        assert_status(d.s, BELAY_OK);
        assert_int_equal(refused.code, BELAY_CONNECTION);
        assert_int_equal(refused.outcome, BELAY_WORK_ROLLED_BACK);
        assert_true(belay_retryable(&refused));
        assert_non_null(strstr(refused.message, "Too many open files"));
        assert_int_equal(of_handle.code, BELAY_CONNECTION);
        assert_int_equal(count_descriptors(), before);

        belay_begin(d.s, BELAY_SCOPE_OPTIONS(.read_only = true)); /* keeps the first connection */
        belay_int_of(d.s, "SELECT count(*) FROM item");
        assert_int_equal(belay_int_of(second, "SELECT count(*) FROM item"), 3);
        assert_int_equal(belay_db_error(d.db)->code, BELAY_OK);
        assert_int_equal(belay_commit(d.s), BELAY_OK);
        assert_int_equal(put(second, 4), BELAY_OK);
        assert_int_equal(belay_session_close(second), BELAY_OK);
        check_and_close(&d, "1;2;3;4");
    }
}

/* Opens a handle with so many descriptors left, and runs a unit. Whether the unit was reported as committed. */
static bool work_with(database *d, int descriptors, int id)
{
    leave_descriptors(descriptors);
    open_handle(d, 1);
    BELAY_ATOMIC(d->s) {
        put(d->s, id);
        put(d->s, id + 100);
    }
    raise_limit();
    belay_error error = *belay_pending(d->s);
    if (error.code != BELAY_OK && error.code != BELAY_CONNECTION && error.code != BELAY_IO)
        fail_msg("with %d descriptors left: %s", descriptors, belay_message(d->s));
    assert_int_equal(error.outcome, error.code == BELAY_OK ? BELAY_WORK_COMMITTED : BELAY_WORK_ROLLED_BACK);
    return error.code == BELAY_OK;
}

static void with_any_number_of_descriptors_left_a_unit_is_there_whole_or_not_at_all(void **state)
{
    (void)state;
    for (int journal = 0; journal < JOURNALS; journal++) {
        database d;
        int refused = 0;
        open_items(&d, journal);
        close_handle(&d);
        int before = count_descriptors();
        for (int left = 0; left < ENOUGH; left++) {
            bool kept = work_with(&d, left, 1);
            refused += !kept;
            assert_int_equal(belay_int_of(d.s, "SELECT count(*) FROM item"), kept ? 2 : 0);
            assert_int_equal(put(d.s, 50), BELAY_OK); /* by the same handle, with the limit raised */
            assert_int_equal(belay_exec(d.s, "DELETE FROM item"), BELAY_OK);
            close_handle(&d);
            assert_int_equal(count_descriptors(), before);
        }
        assert_in_range(refused, 1, ENOUGH - 1);
        open_handle(&d, 1);
        check_and_close(&d, "");
    }
}

/* What needs a descriptor in the midst of a unit: the first write a journal, where there is no log; much to sort, in a
   small cache, a temporary file. */
static const struct {
    const char *sql;
    int journal;
} hungry[] = {
    {"INSERT INTO item (id, text) VALUES (10, 'text')", DELETE},
    {"INSERT INTO item (id, text) WITH RECURSIVE n(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 20009)"
     " SELECT i, printf('%100d', i) FROM n ORDER BY 0 - i",
     SMALL_CACHE},
};
enum { HUNGRY = sizeof hungry / sizeof *hungry };

static void a_statement_without_a_descriptor_fails_its_unit_and_nothing_is_kept(void **state)
{
    (void)state;
    for (int i = 0; i < HUNGRY; i++) {
        database d;
        open_items(&d, hungry[i].journal);
        put(d.s, 1);
        int before = count_descriptors();
        BELAY_ATOMIC(d.s) {
            belay_int_of(d.s, "SELECT count(*) FROM item");
            if (i > 0) /* has its journal already */
                put(d.s, 2);
            leave_descriptors(0);
            belay_exec(d.s, hungry[i].sql);
            raise_limit();
        }
        assert_status(d.s, BELAY_IO);
        assert_int_equal(belay_pending(d.s)->outcome, BELAY_WORK_ROLLED_BACK);
        assert_non_null(strstr(belay_message(d.s), "Too many open files"));
        assert_int_equal(count_descriptors(), before);
        assert_rows(d.s, "SELECT id FROM item", "1");
        assert_int_equal(belay_exec(d.s, hungry[i].sql), BELAY_OK);
        assert_int_equal(belay_exec(d.s, "DELETE FROM item WHERE id >= 10"), BELAY_OK);
        check_and_close(&d, "1");
    }
}

static void a_nested_scope_without_a_descriptor_is_undone_alone(void **state)
{
    (void)state;
    for (int i = 0; i < HUNGRY; i++) {
        database d;
        bool caught = false;
        open_items(&d, hungry[i].journal);
        BELAY_ATOMIC(d.s) {
            if (i > 0)
                put(d.s, 1);
            leave_descriptors(0);
            BELAY_ATOMIC(d.s)
                belay_exec(d.s, hungry[i].sql);
            caught = belay_catch(d.s, BELAY_IO);
            raise_limit();
            put(d.s, 2);
        }
        assert_status(d.s, BELAY_OK);
        assert_true(caught);
        check_and_close(&d, i > 0 ? "1;2" : "2");
    }
}

/* ---- Descriptors 0 to 2 ----------------------------------------------------------------------------------------- */

/* Whether one of the three is a file of the database. */
static bool is_exposed(const char *path)
{
    char link[64], target[512];
    for (int i = 0; i <= 2; i++) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", i);
        ssize_t size = readlink(link, target, sizeof target - 1);
        target[size > 0 ? size : 0] = '\0';
        if (strncmp(target, path, strlen(path)) == 0)
            return true;
    }
    return false;
}

/* What programs without a terminal do: they write to descriptors that they believe to have. */
static void write_to_standard_streams(void)
{
    static const char noise[] = "this is no page of a database\n";
    for (int i = 0; i < 200; i++)
        fputs(noise, stderr);
    fflush(stderr);
    for (int i = 0; i <= 2; i++)
        if (write(i, noise, sizeof noise) < 0)
            continue;
}

/* In a child whose descriptors `closed`, a bit each, are closed. 0 when all went well. */
static int work_without(const char *url, const char *path, int closed)
{
    int wrong = 0, nowhere = open("/dev/null", O_RDWR);
    for (int i = 0; i <= 2; i++) {
        dup2(nowhere, i); /* the noise is not for the test's own streams */
        if (closed >> i & 1)
            close(i);
    }
    belay_db *db = belay_open(url, NULL);
    belay_session *s = belay_session_open(db);
    for (int i = 0; i < 20; i++) {
        BELAY_ATOMIC(s) {
            put(s, 100 * closed + i);
            write_to_standard_streams();
            wrong += is_exposed(path);
        }
        wrong += belay_status(s) != BELAY_OK;
    }
    wrong += belay_session_close(s) != BELAY_OK;
    belay_close(db);
    write_to_standard_streams();
    return wrong;
}

static void no_database_file_ever_has_the_descriptor_of_a_standard_stream(void **state)
{
    (void)state;
    for (int journal = 0; journal < JOURNALS; journal++) {
        database d;
        open_items(&d, journal);
        close_handle(&d);
        for (int closed = 1; closed < 8; closed++) {
            int status = -1;
            pid_t child = fork();
            if (child == 0) {
                alarm(30);
                _exit(work_without(d.url, d.path, closed));
            }
            assert_int_equal(waitpid(child, &status, 0), child);
            assert_int_equal(status, 0);
        }
        open_handle(&d, 1);
        assert_int_equal(belay_int_of(d.s, "SELECT count(*) FROM item"), 7 * 20);
        assert_int_equal(belay_exec(d.s, "DELETE FROM item"), BELAY_OK);
        check_and_close(&d, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_connection_that_cant_be_opened_is_told_and_the_first_goes_on),
        cmocka_unit_test(with_any_number_of_descriptors_left_a_unit_is_there_whole_or_not_at_all),
        cmocka_unit_test(a_statement_without_a_descriptor_fails_its_unit_and_nothing_is_kept),
        cmocka_unit_test(a_nested_scope_without_a_descriptor_is_undone_alone),
        cmocka_unit_test(no_database_file_ever_has_the_descriptor_of_a_standard_stream),
    };
    unsetenv("BELAY_TEST_URL");
    return cmocka_run_group_tests_name("descriptors", tests, NULL, NULL);
}
