/* URLs of SQLite, files of every kind, settings. */
#include "sqlite_rig.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "conn.h"

static rig r; /* gives the directory, and one database named db */

static int set_up(void **state)
{
    (void)state;
    rig_init(&r, "");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    rig_done(&r);
    return 0;
}

/* Opens and closes sqlite:DIRECTORY/NAME; the error stays in `last`. */
static belay_error last;

static belay_code try_url(const char *url)
{
    rig one = {.count = 0};
    belay_code code = rig_open_url(&one, url);
    last = one.error;
    if (code != BELAY_OK)
        assert_int_equal(last.code, code);
    while (one.count > 0)
        rig_disconnect(&one, one.connections[0]);
    D->shared_done(one.shared);
    free(one.shared);
    return code;
}

static belay_code try_name(const char *name)
{
    char url[256];
    snprintf(url, sizeof url, "sqlite:%s/%s", r.directory, name);
    return try_url(url);
}

static const char *path_of(const char *name)
{
    static char path[128];
    rig_path(&r, name, path);
    return path;
}

static void write_file(const char *name, const char *content)
{
    FILE *file = fopen(path_of(name), "w");
    assert_non_null(file);
    fputs(content, file);
    fclose(file);
}

static bool exists(const char *name)
{
    struct stat facts;
    return stat(path_of(name), &facts) == 0;
}

static void a_missing_file_is_made_only_with_rwc(void **state)
{
    (void)state;
    assert_int_equal(try_name("none?mode=ro"), BELAY_CONNECTION);
    assert_int_equal(try_name("none?mode=rw"), BELAY_CONNECTION);
    assert_non_null(strstr(last.message, "no database"));
    assert_false(exists("none"));
    assert_int_equal(try_name("none?mode=rwc"), BELAY_OK);
    assert_true(exists("none"));
    assert_int_equal(try_name("none?mode=rw"), BELAY_OK);
}

static void what_is_no_regular_file_is_refused_before_it_is_opened(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)state;
    assert_int_equal(mkdir(path_of("directory"), 0700), 0);
    assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%.90s", path_of("socket"));
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(try_name("directory"), BELAY_CONNECTION);
    assert_non_null(strstr(last.message, "is a directory"));
    assert_int_equal(try_name("fifo"), BELAY_CONNECTION);
    assert_non_null(strstr(last.message, "is a FIFO"));
    assert_int_equal(try_name("socket"), BELAY_CONNECTION);
    assert_int_equal(try_url("sqlite:/dev/zero"), BELAY_CONNECTION);
    assert_non_null(strstr(last.message, "is a device"));
    close(listener);
}

static void paths_that_lead_nowhere_are_refused(void **state)
{
    char url[1200] = "sqlite:/";
    (void)state;
    assert_int_equal(symlink("loop", path_of("loop")), 0);
    assert_int_equal(try_name("loop"), BELAY_CONNECTION);
    write_file("file", "");
    assert_int_equal(try_name("file/under"), BELAY_CONNECTION);
    assert_int_equal(try_name("no/such/directory"), BELAY_CONNECTION);
    assert_non_null(strstr(last.message, "No such file or directory"));
    memset(url + strlen(url), 'x', 1100);
    assert_int_equal(try_url(url), BELAY_CONNECTION);
    memset(url, 0, sizeof url);
    strcpy(url, "sqlite:");
    for (int i = 0; i < 300; i++)
        strcat(url, "/x");
    assert_int_equal(try_url(url), BELAY_CONNECTION);
}

static void what_is_not_a_database_is_corrupt(void **state)
{
    (void)state;
    write_file("text", "This is a letter, and not a database at all, however long it may become in the end.....\n");
    assert_int_equal(try_name("text"), BELAY_CORRUPT);
    assert_string_equal(last.message, "file is not a database");
    assert_int_equal(try_name("text?mode=ro"), BELAY_CORRUPT);
    write_file("empty", "");
    assert_int_equal(try_name("empty"), BELAY_OK);
}

/* As root every file can be read and written, so another user is put on for the call. */
static belay_code try_as_nobody(const char *name)
{
    bool root = geteuid() == 0;
    if (root)
        assert_int_equal(seteuid(65534), 0);
    belay_code code = try_name(name);
    if (root)
        assert_int_equal(seteuid(0), 0);
    return code;
}

static void files_without_permission_have_typed_errors(void **state)
{
    (void)state;
    rig_must(&r, rig_connect(&r), "PRAGMA journal_mode = delete");
    rig_disconnect(&r, r.connections[0]);
    assert_int_equal(chmod(r.directory, 0777), 0);
    assert_int_equal(chmod(path_of("db"), 0), 0);
    assert_int_equal(try_as_nobody("db"), BELAY_PERMISSION);
    assert_int_equal(chmod(path_of("db"), 0444), 0);
    assert_int_equal(try_as_nobody("db"), BELAY_READ_ONLY);
    assert_non_null(strstr(last.hint, "mode=ro"));
    assert_int_equal(try_as_nobody("db?mode=ro"), BELAY_OK);
    assert_int_equal(chmod(path_of("db"), 0666), 0);
    assert_int_equal(chmod(r.directory, 0555), 0);
    assert_int_equal(try_as_nobody("db"), BELAY_READ_ONLY);
    assert_non_null(strstr(last.message, "directory"));
    assert_int_equal(try_as_nobody("db?mode=ro"), BELAY_OK);
    assert_int_equal(try_as_nobody("new"), BELAY_PERMISSION);
    assert_int_equal(chmod(r.directory, 0), 0);
    assert_int_equal(try_as_nobody("db"), BELAY_PERMISSION);
    assert_int_equal(chmod(r.directory, 0700), 0);
}

static void a_database_opened_read_only_refuses_writes_and_keeps_its_journal_mode(void **state)
{
    char url[256];
    (void)state;
    belay_conn *writer = rig_connect(&r);
    rig_must(&r, writer, "CREATE TABLE t (a)");
    rig_must(&r, writer, "PRAGMA journal_mode = delete");
    rig one = {.count = 0};
    snprintf(url, sizeof url, "sqlite:%s/db?mode=ro", r.directory);
    assert_int_equal(rig_open_url(&one, url), BELAY_OK);
    belay_conn *reader = one.connections[0];
    rig_must_begin(&one, reader);
    assert_int_equal(rig_ask(&one, reader, "SELECT count(*) FROM t"), 0);
    assert_int_equal(rig_run(&one, reader, "INSERT INTO t VALUES (1)"), BELAY_READ_ONLY);
    rig_must_commit(&one, reader);
    assert_int_equal(rig_ask(&one, reader, "SELECT journal_mode = 'delete' FROM pragma_journal_mode"), 1);
    rig_disconnect(&one, reader);
    D->shared_done(one.shared);
    free(one.shared);
}

static int64_t ask_setting(const char *parameters, const char *sql)
{
    rig_done(&r);
    rig_init(&r, parameters);
    return rig_ask(&r, rig_connect(&r), sql);
}

static void the_settings_are_those_of_the_url(void **state)
{
    (void)state;
    assert_int_equal(ask_setting("", "SELECT journal_mode = 'wal' FROM pragma_journal_mode"), 1);
    assert_int_equal(ask_setting("", "PRAGMA synchronous"), 2);
    assert_int_equal(ask_setting("", "PRAGMA foreign_keys"), 1);
    assert_int_equal(ask_setting("?journal=persist", "SELECT journal_mode = 'persist' FROM pragma_journal_mode"), 1);
    assert_int_equal(ask_setting("?journal=memory", "SELECT journal_mode = 'memory' FROM pragma_journal_mode"), 1);
    assert_int_equal(ask_setting("?synchronous=extra", "PRAGMA synchronous"), 3);
    assert_int_equal(ask_setting("?synchronous=normal&foreign_keys=off", "PRAGMA synchronous"), 1);
    assert_int_equal(ask_setting("?synchronous=normal&foreign_keys=off", "PRAGMA foreign_keys"), 0);
    assert_int_equal(ask_setting("?cache_kib=5000", "PRAGMA cache_size"), -5000);
    assert_int_equal(ask_setting("?journal=%77al", "PRAGMA synchronous"), 2);
}

static void the_path_is_taken_literally(void **state)
{
    static const struct {
        const char *url, *file;
    } pairs[] = {{"sqlite:file:x", "file:x"},       {"sqlite:file:y%3Fmode=memory", "file:y?mode=memory"},
                 {"sqlite:./:memory:", ":memory:"}, {"sqlite:a%20b%25", "a b%"},
                 {"sqlite:plus+plus", "plus+plus"}, {"sqlite:caf\xC3\xA9#1", "caf\xC3\xA9#1"},
                 {"sqlite:?mode=rwc", NULL}};
    char *here = getcwd(NULL, 0);
    (void)state;
    assert_int_equal(chdir(r.directory), 0);
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        assert_int_equal(try_url(pairs[i].url), pairs[i].file ? BELAY_OK : BELAY_MISUSE);
        assert_true(!pairs[i].file || exists(pairs[i].file));
        if (pairs[i].file)
            unlink(path_of(pairs[i].file));
    }
    assert_int_equal(try_url("sqlite:%3Amemory%3A"), BELAY_OK);
    assert_true(exists(":memory:"));
    assert_int_equal(chdir(here), 0);
    free(here);
}

static void a_relative_path_counts_from_where_the_handle_was_opened(void **state)
{
    rig one = {.driver = D};
    int most;
    char *here = getcwd(NULL, 0);
    (void)state;
    assert_int_equal(chdir(r.directory), 0);
    one.shared = calloc(1, D->shared_size);
    assert_int_equal(D->shared_init(one.shared, "sqlite:relative", &most, &one.error), BELAY_OK);
    assert_int_equal(chdir("/"), 0);
    rig_connect(&one);
    assert_true(exists("relative"));
    rig_disconnect(&one, one.connections[0]);
    D->shared_done(one.shared);
    free(one.shared);
    assert_int_equal(chdir(here), 0);
    free(here);
}

static void bad_urls_are_misuse(void **state)
{
    static const char *const bad[] = {"sqlite:",
                                      "sqlite:?",
                                      "sqlite:x?mode=rx",
                                      "sqlite:x?mode=",
                                      "sqlite:x?nothing=1",
                                      "sqlite:x?mode=ro&mode=rw",
                                      "sqlite:x?mode",
                                      "sqlite:x?",
                                      "sqlite:x?mode=ro&",
                                      "sqlite:x%00",
                                      "sqlite:x%zz",
                                      "sqlite:x%4",
                                      "sqlite:x%",
                                      "sqlite:x?cache_kib=0",
                                      "sqlite:x?cache_kib=1k",
                                      "sqlite:x?cache_kib=99999999999999999999",
                                      "sqlite:x?journal=off",
                                      "sqlite:x?synchronous=off",
                                      "sqlite:///x",
                                      "sqlite://host/x",
                                      "sqlite::memory:?mode=ro",
                                      "sqlite::memory:?journal=wal",
                                      "sqlite:x?mode=r%00"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (try_url(bad[i]) != BELAY_MISUSE)
            fail_msg("%s", bad[i]);
    assert_int_equal(try_url("sqlite::memory:?foreign_keys=off&cache_kib=100&synchronous=normal"), BELAY_OK);
}

static void connections_that_open_a_new_file_at_once_all_get_in(void **state)
{
    (void)state;
    belay_conn *first = rig_connect(&r);
    for (int i = 0; i < 3; i++)
        rig_connect(&r);
    rig_must(&r, first, "CREATE TABLE t (a)");
    assert_int_equal(rig_ask(&r, r.connections[3], "SELECT count(*) FROM t"), 0);
}

static void a_journal_mode_that_others_stand_in_the_way_of_is_waited_for_within_the_limits(void **state)
{
    char url[256];
    int most;
    belay_value cells[1];
    (void)state;
    belay_conn *user = rig_connect(&r);
    rig_must(&r, user, "CREATE TABLE t (a)");
    belay_statement *statement = rig_prepare(&r, user, "SELECT name FROM sqlite_schema", 0);
    assert_int_equal(D->start(statement, 0, NULL, &r.error), BELAY_OK);
    assert_int_equal(D->step(statement, cells, &r.effect, &r.error), BELAY_STEP_ROW);
    rig one = {.count = 0};
    one.shared = calloc(1, D->shared_size);
    snprintf(url, sizeof url, "sqlite:%s/db?journal=delete", r.directory);
    assert_int_equal(D->shared_init(one.shared, url, &most, &one.error), BELAY_OK);
    belay_conn *conn = calloc(1, D->conn_size);
    conn->driver = D;
    conn->shared = one.shared;
    rig_limit(conn, 0, -1);
    assert_int_equal(D->open(conn, &one.error), BELAY_BUSY);
    D->close(conn);
    rig_limit(conn, 30, -1);
    assert_int_equal(D->open(conn, &one.error), BELAY_LOCK_TIMEOUT);
    D->close(conn);
    rig_limit(conn, 5000, 30);
    assert_int_equal(D->open(conn, &one.error), BELAY_TIMEOUT);
    D->close(conn);
    free(conn);
    D->shared_done(one.shared);
    free(one.shared);
    D->finish(statement);
    D->finalize(statement);
}

static void nothing_leaks_a_descriptor(void **state)
{
    (void)state;
    int before = dup(0);
    close(before);
    for (int i = 0; i < 5; i++) {
        rig_connect(&r);
        rig_disconnect(&r, r.connections[0]);
        try_name("missing?mode=rw");
        try_name("directory/x");
    }
    int after = dup(0);
    close(after);
    assert_int_equal(before, after);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_missing_file_is_made_only_with_rwc),
        T(what_is_no_regular_file_is_refused_before_it_is_opened),
        T(paths_that_lead_nowhere_are_refused),
        T(what_is_not_a_database_is_corrupt),
        T(files_without_permission_have_typed_errors),
        T(a_database_opened_read_only_refuses_writes_and_keeps_its_journal_mode),
        T(the_settings_are_those_of_the_url),
        T(the_path_is_taken_literally),
        T(a_relative_path_counts_from_where_the_handle_was_opened),
        T(bad_urls_are_misuse),
        T(connections_that_open_a_new_file_at_once_all_get_in),
        T(a_journal_mode_that_others_stand_in_the_way_of_is_waited_for_within_the_limits),
        T(nothing_leaks_a_descriptor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
