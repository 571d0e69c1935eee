/*
 * Databases that can't be opened, or not at the moment, or only to read.
 */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "urls.h"

/* ---- What is there ---------------------------------------------------------------------------------------------- */

static void a_directory_a_fifo_and_a_device_are_no_databases(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    assert_code(refusal_of(url_of(w, "")).code, BELAY_CONNECTION);
    assert_int_equal(mkdir(path_of(w, "directory"), 0700), 0);
    assert_code(refusal_of(url_of(w, "directory")).code, BELAY_CONNECTION);
    assert_code(refusal_of(url_of(w, "directory?mode=ro")).code, BELAY_CONNECTION);
    rmdir(path_of(w, "directory"));
    assert_int_equal(mkfifo(path_of(w, "fifo"), 0600), 0);
    assert_code(refusal_of(url_of(w, "fifo")).code, BELAY_CONNECTION); /* and does not wait for a writer */
    assert_code(refusal_of(url_of(w, "fifo?mode=ro")).code, BELAY_CONNECTION);
    assert_code(refusal_of("sqlite:/dev/null").code, BELAY_CONNECTION);
}

static void reading_a_url_never_blocks(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    void *lock = hold_write_lock(w);
    assert_int_equal(mkfifo(path_of(w, "fifo"), 0600), 0);
    assert_code(refusal_of(url_of(w, "fifo?nosuch=1")).code, BELAY_MISUSE); /* nobody will ever write to it */
    assert_code(refusal_of(url_of(w, "test.db?nosuch=1")).code, BELAY_MISUSE);
    let_go(lock);
}

static void a_file_that_is_no_database_is_corrupt(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    FILE *file = fopen(path_of(w, "text"), "w");
    for (int i = 0; i < 1000; i++)
        fputs("this is no database, but a text that is long enough\n", file);
    fclose(file);
    assert_code(refusal_of(url_of(w, "text")).code, BELAY_CORRUPT);
    assert_code(refusal_of(url_of(w, "text?mode=ro")).code, BELAY_CORRUPT);
    file = fopen(path_of(w, "empty"), "w");
    fclose(file);
    assert_code(refusal_of(url_of(w, "empty")).code, BELAY_OK); /* an empty file is an empty database */
}

static void what_must_exist_and_does_not_is_refused_and_not_made(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    assert_code(refusal_of(url_of(w, "missing?mode=ro")).code, BELAY_CONNECTION);
    assert_code(refusal_of(url_of(w, "missing?mode=rw")).code, BELAY_CONNECTION);
    assert_false(is_there(path_of(w, "missing")));
    assert_code(refusal_of(url_of(w, "no/such/directory/x.db")).code, BELAY_CONNECTION);
    assert_code(refusal_of(url_of(w, "test.db/x.db")).code, BELAY_CONNECTION); /* a file is no directory */
}

static void a_symlink_loop_and_a_path_without_end_are_refused(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    assert_int_equal(symlink("b", path_of(w, "a")), 0);
    assert_int_equal(symlink("a", path_of(w, "b")), 0);
    assert_code(refusal_of(url_of(w, "a")).code, BELAY_CONNECTION);
    assert_code(refusal_of(url_of(w, "a?mode=ro")).code, BELAY_CONNECTION);
    char *url = malloc(100000);
    memset(url, 'x', 99999);
    memcpy(url, "sqlite:/", 8);
    url[99999] = '\0';
    assert_true(refusal_of(url).code != BELAY_OK);
    url[5000] = '\0';
    assert_true(refusal_of(url).code != BELAY_OK);
    free(url);
}

static void a_symlink_to_a_database_is_that_database(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    put(w->s, 1);
    assert_int_equal(symlink("test.db", path_of(w, "link")), 0);
    belay_db *db = belay_open(url_of(w, "link"), NULL);
    belay_session *s = belay_session_open(db);
    assert_seen(s, "1");
    belay_session_close(s);
    belay_close(db);
}

static belay_code code_at_opening(const char *url)
{
    belay_db *db = belay_open(url, NULL);
    belay_code code = belay_db_error(db)->code;
    belay_close(db);
    return code;
}

enum { NOBODY = 65534, CAN_NOT_BE_HAD = 99 };

/* Root may do everything, and so becomes somebody else first. The number of the step that went wrong. */
static int check_permissions(void *arg)
{
    const world *w = arg;
    if (geteuid() == 0 && (chown(w->d.directory, NOBODY, NOBODY) != 0 || setuid(NOBODY) != 0))
        return CAN_NOT_BE_HAD;
    if (code_at_opening(url_of(w, "closed")) != BELAY_OK)
        return 1;
    chmod(path_of(w, "closed"), 0000);
    if (code_at_opening(url_of(w, "closed")) != BELAY_PERMISSION ||
        code_at_opening(url_of(w, "closed?mode=ro")) != BELAY_PERMISSION)
        return 2;
    chmod(path_of(w, "closed"), 0400);
    if (code_at_opening(url_of(w, "closed")) != BELAY_READ_ONLY)
        return 3;
    if (code_at_opening(url_of(w, "closed?mode=ro")) != BELAY_OK)
        return 4;
    chmod(path_of(w, "closed"), 0600);
    chmod(w->d.directory, 0500);
    if (code_at_opening(url_of(w, "closed")) != BELAY_READ_ONLY) /* the log is made beside the file */
        return 5;
    belay_code fresh = code_at_opening(url_of(w, "not-there-yet"));
    chmod(w->d.directory, 0000);
    belay_code hidden = code_at_opening(url_of(w, "closed"));
    chmod(w->d.directory, 0700);
    if (fresh != BELAY_PERMISSION && fresh != BELAY_CONNECTION && fresh != BELAY_READ_ONLY)
        return 6;
    return hidden == BELAY_PERMISSION ? 0 : 7;
}

static void what_the_user_may_not_read_or_write_is_refused(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    int wrong = run_in_child(check_permissions, w);
    if (wrong == CAN_NOT_BE_HAD)
        skip();
    assert_int_equal(wrong, 0);
}

/* ---- Read only -------------------------------------------------------------------------------------------------- */

static void a_database_opened_to_read_refuses_every_write(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    put(w->s, 1);
    belay_db *db = belay_open(url_of(w, "test.db?mode=ro"), NULL);
    belay_session *s = belay_session_open(db);
    assert_code(belay_db_error(db)->code, BELAY_OK);
    assert_seen(s, "1");
    assert_code(put(s, 2), BELAY_READ_ONLY);
    BELAY_ATOMIC(s) {
        assert_seen(s, "1");
        put(s, 3);
    }
    assert_code(belay_status(s), BELAY_READ_ONLY);
    belay_session_close(s);
    belay_close(db);
    assert_stored(w, "1");
}

/* ---- For good, or for the moment -------------------------------------------------------------------------------- */

static void a_refused_connection_is_the_error_until_a_later_attempt_succeeds(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    belay_db *db = belay_open(url_of(w, "later/x.db"), NULL);
    belay_session *s = belay_session_open(db);
    assert_code(belay_db_error(db)->code, BELAY_CONNECTION);
    assert_string_equal(belay_db_engine(db), "sqlite");
    assert_code(belay_exec(s, "SELECT 1"), BELAY_CONNECTION);
    mkdir(path_of(w, "later"), 0700);
    assert_int_equal(belay_int_of(s, "SELECT 7"), 7);
    assert_code(belay_status(s), BELAY_OK);
    assert_code(belay_db_error(db)->code, BELAY_OK);
    belay_session_close(s);
    belay_close(db);
    unlink(path_of(w, "later/x.db"));
    rmdir(path_of(w, "later"));
}

static void a_relative_path_stays_where_it_was_when_the_directory_changes(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    char *home = getcwd(NULL, 0);
    assert_int_equal(chdir(w->d.directory), 0);
    belay_db *db = belay_open("sqlite:relative.db", BELAY_DB_OPTIONS(.pool_size = 2));
    assert_int_equal(chdir(home), 0);
    free(home);
    belay_session *a = belay_session_open(db), *b = belay_session_open(db);
    BELAY_ATOMIC(a) {
        belay_exec(a, "CREATE TABLE t(a)");
        assert_int_equal(belay_int_of(b, "SELECT 1"), 1); /* a second connection */
    }
    assert_code(belay_exec(b, "INSERT INTO t VALUES (1)"), BELAY_OK);
    belay_session_close(a);
    belay_session_close(b);
    belay_close(db);
    assert_true(is_there(path_of(w, "relative.db")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(a_directory_a_fifo_and_a_device_are_no_databases),
        in_world(reading_a_url_never_blocks),
        in_world(a_file_that_is_no_database_is_corrupt),
        in_world(what_must_exist_and_does_not_is_refused_and_not_made),
        in_world(a_symlink_loop_and_a_path_without_end_are_refused),
        in_world(a_symlink_to_a_database_is_that_database),
        in_world(what_the_user_may_not_read_or_write_is_refused),
        in_world(a_database_opened_to_read_refuses_every_write),
        in_world(a_refused_connection_is_the_error_until_a_later_attempt_succeeds),
        in_world(a_relative_path_stays_where_it_was_when_the_directory_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
