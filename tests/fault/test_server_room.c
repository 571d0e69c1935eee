/*
 * test_server_room.c - a server that has no place left, for connections or for data, or that only takes readers: a
 * typed error, nothing lost, and the next unit works when there is place again.
 *
 * On the server of BELAY_TEST_URL. Its settings are changed and put back. PostgreSQL's disk is full for one backend
 * alone: by a limit on the size of its files, which gives a short write, as a full disk does (53100); the user that
 * runs the test must be the server's, or root. MariaDB's is in test_server_down.c.
 */
#include "server.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- Connections ------------------------------------------------------------------------------------------------ */

/* The URL for another user: its server, port and database stay. */
static void write_url(const world *w, const char *user, char *out, size_t room)
{
    const char *at = strchr(w->d.url, '@');
    assert_non_null(at);
    snprintf(out, room, "%s://%s%s", is_mariadb(w) ? "mariadb" : "postgresql", user, at);
}

/* A user who may have two connections. */
static void make_few(world *w)
{
    static const char *const postgresql[] = {"DROP ROLE IF EXISTS few", "CREATE ROLE few LOGIN CONNECTION LIMIT 2",
                                             NULL};
    static const char *const mariadb[] = {"DROP USER IF EXISTS few@'127.0.0.1'",
                                          "CREATE USER few@'127.0.0.1' WITH MAX_USER_CONNECTIONS 2",
                                          "GRANT SELECT ON *.* TO few@'127.0.0.1'", NULL};
    database_run(w->other, is_mariadb(w) ? mariadb : postgresql);
}

static void drop_few(world *w)
{
    static const char *const postgresql[] = {"DROP ROLE few", NULL};
    static const char *const mariadb[] = {"DROP USER few@'127.0.0.1'", NULL};
    database_run(w->other, is_mariadb(w) ? mariadb : postgresql);
}

static void a_server_without_a_place_for_one_more_connection_says_so_and_takes_it_later(void **state)
{
    world *w = *state;
    char url[400];
    make_few(w);
    write_url(w, "few", url, sizeof url);
    belay_db *db = belay_open(url, BELAY_DB_OPTIONS(.pool_size = 3));
    belay_session *s[3];
    for (int i = 0; i < 3; i++)
        s[i] = belay_session_open(db);
    for (int i = 0; i < 2; i++) {
        belay_begin(s[i], BELAY_SCOPE_OPTIONS(.read_only = true));
        assert_int_equal(belay_int_of(s[i], "SELECT 1"), 1);
    }
    BELAY_READ(s[2])
        belay_int_of(s[2], "SELECT 1");
    belay_error refused = *belay_pending(s[2]);
    assert_code(belay_commit(s[0]), BELAY_OK);
    int64_t later = belay_int_of(s[2], "SELECT 7");
    assert_code(belay_commit(s[1]), BELAY_OK);
    for (int i = 0; i < 3; i++)
        belay_session_close(s[i]);
    belay_close(db);
    assert_code(refused.code, BELAY_TOO_MANY);
    assert_true(belay_retryable(&refused));
    assert_int_equal(later, 7);
    drop_few(w);
}

/* All of MariaDB's places; PostgreSQL's can only be changed by a restart, and has the same SQLSTATE. */
static void a_server_all_of_whose_places_are_taken_says_so_too(void **state)
{
    enum { MOST = 16 };
    world *w = *state;
    char url[400];
    belay_db *dbs[MOST];
    int open = 0;
    if (!is_mariadb(w))
        skip();
    assert_code(belay_exec(w->other, "SET GLOBAL max_connections = 10"), BELAY_OK);
    make_few(w);
    assert_code(belay_exec(w->other, "ALTER USER few@'127.0.0.1' WITH MAX_USER_CONNECTIONS 0"), BELAY_OK);
    write_url(w, "few", url, sizeof url);
    belay_code code = BELAY_OK;
    while (open < MOST && code == BELAY_OK) {
        dbs[open] = belay_open(url, NULL); /* connects once */
        code = belay_db_error(dbs[open++])->code;
    }
    belay_close(dbs[0]);
    belay_session *s = belay_session_open(dbs[open - 1]);
    belay_begin(s, BELAY_SCOPE_OPTIONS(.read_only = true));
    belay_code later = BELAY_TOO_MANY;
    for (int i = 0; i < 100 && later == BELAY_TOO_MANY; i++) { /* the server may be slow to notice */
        belay_int_of(s, "SELECT 1");
        later = belay_status(s);
        belay_rollback(s);
        pause_ms(20);
        belay_begin(s, BELAY_SCOPE_OPTIONS(.read_only = true));
    }
    belay_rollback(s);
    belay_session_close(s);
    for (int i = 1; i < open; i++)
        belay_close(dbs[i]);
    assert_code(belay_exec(w->other, "SET GLOBAL max_connections = 120"), BELAY_OK);
    assert_code(code, BELAY_TOO_MANY);
    assert_code(later, BELAY_OK);
    drop_few(w);
}

/* ---- Data ------------------------------------------------------------------------------------------------------- */

enum { WAL_SEGMENT = 16 << 20, HALF_PAGE = 4096 };

/* Files of the process may not grow past the size. Only who has its user may say so. */
static int set_limit(int64_t pid, rlim_t size)
{
    char path[32];
    struct stat owner;
    struct rlimit limit;
    snprintf(path, sizeof path, "/proc/%lld", (long long)pid);
    if (stat(path, &owner) != 0 || setresgid(owner.st_gid, owner.st_gid, owner.st_gid) != 0 ||
        setresuid(owner.st_uid, owner.st_uid, owner.st_uid) != 0 ||
        prlimit((pid_t)pid, RLIMIT_FSIZE, NULL, &limit) != 0)
        return 1;
    limit.rlim_cur = size;
    return prlimit((pid_t)pid, RLIMIT_FSIZE, &limit, NULL) != 0;
}

static void limit_files(int64_t pid, rlim_t size)
{
    int status = 1;
    pid_t child = fork();
    if (child == 0)
        _exit(set_limit(pid, size));
    if (waitpid(child, &status, 0) != child || status != 0)
        fail_msg("the limits of the server's process can't be set: run this as its user, or as root");
}

static void a_full_disk_is_told_and_an_inner_scope_can_catch_it(void **state)
{
    world *w = *state;
    bool caught = false;
    if (is_mariadb(w))
        skip(); /* test_server_down.c, on a server of its own */
    assert_code(belay_exec(w->s, "CREATE TABLE big (note TEXT)"), BELAY_OK);
    int64_t number = number_of(w, w->s);
    limit_files(number, WAL_SEGMENT + HALF_PAGE); /* not less: WAL files are as large */
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        BELAY_ATOMIC(w->s)
            belay_exec(w->s, "INSERT INTO big SELECT repeat('x', 1900) FROM generate_series(1, 20000)");
        caught = belay_catch(w->s, BELAY_DISK_FULL);
        put(w->s, 2);
    }
    belay_code code = belay_status(w->s);
    int64_t after = number_of(w, w->s);
    limit_files(number, RLIM_INFINITY);
    assert_code(code, BELAY_OK);
    assert_true(caught);
    assert_int_equal(after, number);
    assert_stored(w, "1;2");
}

static void too_much_temporary_space_is_a_full_disk_and_no_lack_of_connections(void **state)
{
    world *w = *state;
    if (is_mariadb(w))
        skip(); /* it has no such limit */
    BELAY_ATOMIC(w->s) {
        belay_exec(w->s, "SET LOCAL temp_file_limit = 64");
        belay_exec(w->s, "SET LOCAL work_mem = 64");
        belay_int_of(w->s, "SELECT count(*) FROM (SELECT n FROM generate_series(1, 100000) n ORDER BY -n) x");
    }
    assert_status(w->s, BELAY_DISK_FULL);
}

/* ---- Readers only ----------------------------------------------------------------------------------------------- */

static void a_server_that_takes_readers_only_refuses_writes_and_goes_on(void **state)
{
    world *w = *state;
    char url[400];
    bool caught = false;
    int64_t rows = -1;
    make_few(w);
    assert_code(belay_exec(w->other, by_server(w, "ALTER ROLE few SET default_transaction_read_only = on",
                                               "SET GLOBAL read_only = ON")),
                BELAY_OK);
    assert_code(belay_exec(w->other,
                           by_server(w, "GRANT ALL ON item TO few", "GRANT SELECT, INSERT ON *.* TO few@'127.0.0.1'")),
                BELAY_OK);
    if (!is_mariadb(w))
        assert_code(belay_exec(w->other, "GRANT USAGE ON SCHEMA public TO few"), BELAY_OK);
    assert_code(put(w->other, 1), BELAY_OK); /* whoever may do all may write */
    write_url(w, "few", url, sizeof url);
    belay_db *db = belay_open(url, NULL);
    belay_session *s = belay_session_open(db);
    BELAY_ATOMIC(s) {
        BELAY_ATOMIC(s)
            put(s, 2);
        caught = belay_catch(s, BELAY_READ_ONLY);
        rows = belay_int_of(s, "SELECT count(*) FROM item");
    }
    belay_code code = belay_status(s);
    belay_code alone = put(s, 3);
    belay_session_close(s);
    belay_close(db);
    if (is_mariadb(w))
        belay_exec(w->other, "SET GLOBAL read_only = OFF");
    else
        belay_exec(w->other, "DROP OWNED BY few");
    drop_few(w);
    assert_true(caught);
    assert_int_equal(rows, 1);
    assert_code(code, BELAY_OK);
    assert_code(alone, BELAY_READ_ONLY);
    assert_stored(w, "1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        on_server(a_server_without_a_place_for_one_more_connection_says_so_and_takes_it_later),
        on_server(a_server_all_of_whose_places_are_taken_says_so_too),
        on_server(a_full_disk_is_told_and_an_inner_scope_can_catch_it),
        on_server(too_much_temporary_space_is_a_full_disk_and_no_lack_of_connections),
        on_server(a_server_that_takes_readers_only_refuses_writes_and_goes_on),
    };
    return cmocka_run_group_tests_name("server room", tests, NULL, NULL);
}
