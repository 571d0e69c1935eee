/*
 * test_links_process.c - what happens to a process that has links to a server: a storm of signals, a fork, descriptors
 * that are used up, and standard streams that are closed.
 *
 * On the server of BELAY_TEST_URL.
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
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "database.h"
#include "storm.h"

static int open_items(void **state)
{
    static database d;
    static const char *const tables[] = {"CREATE TABLE item (id INTEGER NOT NULL)", NULL};
    database_open(&d, BELAY_DB_OPTIONS(.pool_size = 3));
    database_run(d.s, tables);
    *state = &d;
    return 0;
}

static int close_items(void **state)
{
    return database_close(*state) == BELAY_OK ? 0 : -1;
}

static belay_code put(belay_session *s, int id)
{
    return belay_exec(s, "INSERT INTO item (id) VALUES (?)", id);
}

/* ---- A storm of signals ---------------------------------------------------------------------------------- */

static void stop_storm(void)
{
    storm_stop();
    alarm(240);
}

static void units_and_connects_pass_under_a_storm_of_signals(void **state)
{
    database *d = *state;
    enum { UNITS = 60 };
    int wrong = 0;
    storm_start();
    belay_db *db = belay_open(d->url, BELAY_DB_OPTIONS(.pool_size = 1, .pool_max_age_ms = 1)); /* always a new one */
    belay_session *s = belay_session_open(db);
    for (int i = 0; i < UNITS || (storm_signals < 200 && i < 2000); i++) {
        BELAY_ATOMIC(s) {
            put(s, i);
            BELAY_ATOMIC(s)
                put(s, -i);
        }
        wrong += belay_status(s) != BELAY_OK;
        wrong += belay_int_of(s, "SELECT count(*) FROM item WHERE id = ?", i) != 1 + (i == 0);
    }
    belay_error error = *belay_unread(s);
    belay_session_close(s);
    belay_close(db);
    stop_storm();
    if (wrong > 0)
        fail_msg("%d went wrong: %s", wrong, error.message);
    assert_true(storm_signals >= 200);
}

static void a_limit_passes_under_a_storm_of_signals(void **state)
{
    database *d = *state;
    const char *sleep = database_is_mariadb(d) ? "SELECT SLEEP(20)" : "SELECT count(pg_sleep(20))";
    storm_start();
    BELAY_ATOMIC_WITH(d->s, .timeout_ms = 50) {
        put(d->s, 1);
        belay_int_of(d->s, sleep);
    }
    belay_code code = belay_status(d->s);
    belay_code after = put(d->s, 2);
    stop_storm();
    assert_string_equal(belay_code_name(code), "TIMEOUT");
    assert_int_equal(after, BELAY_OK);
    assert_rows(d->s, "SELECT id FROM item", "2");
}

/* ---- Forks ------------------------------------------------------------------------------------------------- */

typedef int (*child_part)(database *);

static int leave_at_once(database *d)
{
    (void)d;
    return 0;
}

static int use_and_close(database *d)
{
    belay_session *s = belay_session_open(d->db);
    int wrong = put(d->s, 100) != BELAY_MISUSE;
    wrong += put(s, 101) != BELAY_MISUSE;
    belay_session_close(s);
    belay_session_close(d->s);
    belay_close(d->db);
    return wrong;
}

static int work_on_its_own(database *d)
{
    belay_db *db = belay_open(d->url, NULL);
    belay_session *s = belay_session_open(db);
    int wrong = put(s, 200) != BELAY_OK;
    wrong += belay_session_close(s) != BELAY_OK;
    belay_close(db);
    return wrong;
}

/* With idle connections, one in a transaction, and one with rows that are being read. */
static void fork_and(database *d, child_part part, const char *expected)
{
    int status = -1;
    belay_session *busy = belay_session_open(d->db), *reading = belay_session_open(d->db);
    belay_begin(busy, NULL);
    put(busy, 1);
    put(d->s, 2);
    belay_rows *rows = belay_query(reading, "SELECT id FROM item");
    pid_t child = fork();
    if (child == 0) {
        alarm(60);
        _exit(part(d));
    }
    pid_t ended = waitpid(child, &status, 0);
    put(busy, 3);
    belay_code committed = belay_commit(busy), idle = put(d->s, 4);
    bool read = belay_next(rows) && belay_int(rows, 0) == 2;
    belay_rows_close(rows);
    belay_code read_end = belay_session_close(reading), busy_end = belay_session_close(busy);
    assert_int_equal(ended, child);
    assert_int_equal(status, 0);
    assert_int_equal(committed, BELAY_OK);
    assert_int_equal(idle, BELAY_OK);
    assert_true(read);
    assert_int_equal(read_end, BELAY_OK);
    assert_int_equal(busy_end, BELAY_OK);
    assert_rows(d->s, "SELECT id FROM item ORDER BY id", expected);
}

static void a_child_that_exits_does_not_touch_the_parents_connections(void **state)
{
    fork_and(*state, leave_at_once, "1;2;3;4");
}

static void a_child_that_closes_all_does_not_touch_the_parents_connections(void **state)
{
    fork_and(*state, use_and_close, "1;2;3;4");
}

static void a_child_with_a_handle_of_its_own_works_beside_its_parent(void **state)
{
    fork_and(*state, work_on_its_own, "1;2;3;4;200");
}

/* ---- Descriptors used up ------------------------------------------------------------------------------------ */

static rlim_t usual_limit;

static void limit_descriptors(rlim_t most)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    if (usual_limit == 0)
        usual_limit = limit.rlim_cur;
    limit.rlim_cur = most;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* No more than `count` can be opened from now on. */
static void leave_descriptors(int count)
{
    int lowest_free = dup(STDOUT_FILENO);
    close(lowest_free);
    limit_descriptors((rlim_t)(lowest_free + count));
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

static void with_any_number_of_descriptors_left_a_unit_is_there_or_its_error_says_why(void **state)
{
    database *d = *state;
    int refused = 0, before = count_descriptors();
    for (int left = 0; left < 6; left++) {
        leave_descriptors(left);
        belay_db *db = belay_open(d->url, BELAY_DB_OPTIONS(.pool_size = 1));
        belay_session *s = belay_session_open(db);
        BELAY_ATOMIC(s)
            put(s, left);
        belay_error error = *belay_pending(s);
        limit_descriptors(usual_limit);
        belay_code later = put(s, 100 + left), closed = belay_session_close(s);
        belay_close(db);
        refused += error.code != BELAY_OK;
        if (error.code != BELAY_OK && (error.code != BELAY_CONNECTION || error.outcome != BELAY_WORK_ROLLED_BACK))
            fail_msg("with %d left: %s: %s", left, belay_code_name(error.code), error.message);
        assert_int_equal(later, BELAY_OK);
        assert_int_equal(closed, BELAY_OK);
        assert_int_equal(belay_int_of(d->s, "SELECT count(*) FROM item WHERE id = ?", left), error.code == BELAY_OK);
        assert_int_equal(count_descriptors(), before);
    }
    assert_in_range(refused, 1, 5);
}

static void a_limit_that_passes_without_a_descriptor_for_the_cancel_is_told(void **state)
{
    database *d = *state;
    const char *sleep = database_is_mariadb(d) ? "SELECT SLEEP(20)" : "SELECT count(pg_sleep(20))";
    BELAY_ATOMIC_WITH(d->s, .timeout_ms = 100) {
        put(d->s, 1);
        leave_descriptors(0);
        belay_int_of(d->s, sleep);
        limit_descriptors(usual_limit);
    }
    belay_error error = *belay_pending(d->s);
    belay_code after = put(d->s, 2);
    assert_string_equal(belay_code_name(error.code), "TIMEOUT");
    assert_int_equal(error.outcome, BELAY_WORK_ROLLED_BACK);
    assert_int_equal(after, BELAY_OK);
    assert_rows(d->s, "SELECT id FROM item", "2");
}

/* ---- Descriptors 0 to 2 --------------------------------------------------------------------------------------- */

static bool is_exposed(void)
{
    int type;
    socklen_t size = sizeof type;
    for (int i = 0; i <= 2; i++)
        if (getsockopt(i, SOL_SOCKET, SO_TYPE, &type, &size) == 0)
            return true;
    return false;
}

/* In a child whose descriptors `closed`, a bit each, are closed, and which writes to them, as programs do. */
static int work_without(const char *url, int closed)
{
    static const char noise[] = "this is no message of a client\n";
    int wrong = 0, nowhere = open("/dev/null", O_RDWR);
    for (int i = 0; i <= 2; i++) {
        dup2(nowhere, i); /* the noise is not for the test's own streams */
        if (closed >> i & 1)
            close(i);
    }
    belay_db *db = belay_open(url, BELAY_DB_OPTIONS(.pool_max_age_ms = 1));
    belay_session *s = belay_session_open(db);
    for (int i = 0; i < 5; i++) {
        BELAY_ATOMIC(s) {
            put(s, 100 * closed + i);
            wrong += is_exposed();
            for (int j = 0; j <= 2; j++)
                wrong += write(j, noise, sizeof noise) < 0 && (closed >> j & 1) == 0;
            put(s, 1000 + 100 * closed + i);
        }
        wrong += belay_status(s) != BELAY_OK;
    }
    wrong += belay_session_close(s) != BELAY_OK;
    belay_close(db);
    return wrong;
}

static void no_link_ever_has_the_descriptor_of_a_standard_stream(void **state)
{
    database *d = *state;
    for (int closed = 1; closed < 8; closed++) {
        int status = -1;
        pid_t child = fork();
        if (child == 0) {
            alarm(30);
            _exit(work_without(d->url, closed));
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        if (status != 0)
            fail_msg("with descriptors %d closed: %d", closed, status);
    }
    assert_int_equal(belay_int_of(d->s, "SELECT count(*) FROM item"), 7 * 5 * 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(units_and_connects_pass_under_a_storm_of_signals, open_items, close_items),
        cmocka_unit_test_setup_teardown(a_limit_passes_under_a_storm_of_signals, open_items, close_items),
        cmocka_unit_test_setup_teardown(a_child_that_exits_does_not_touch_the_parents_connections, open_items,
                                        close_items),
        cmocka_unit_test_setup_teardown(a_child_that_closes_all_does_not_touch_the_parents_connections, open_items,
                                        close_items),
        cmocka_unit_test_setup_teardown(a_child_with_a_handle_of_its_own_works_beside_its_parent, open_items,
                                        close_items),
        cmocka_unit_test_setup_teardown(with_any_number_of_descriptors_left_a_unit_is_there_or_its_error_says_why,
                                        open_items, close_items),
        cmocka_unit_test_setup_teardown(a_limit_that_passes_without_a_descriptor_for_the_cancel_is_told, open_items,
                                        close_items),
        cmocka_unit_test_setup_teardown(no_link_ever_has_the_descriptor_of_a_standard_stream, open_items, close_items),
    };
    alarm(240);
    return cmocka_run_group_tests_name("processes with links", tests, NULL, NULL);
}
