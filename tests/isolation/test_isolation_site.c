/*
 * The schema, tables or file that a check works in: what killed checks leave is found, and nothing else is removed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <belay/isolation.h>

#include "database.h"

enum { NAME_ROOM = 320, FOUND_AT_MOST = 8 };

typedef struct found {
    char names[FOUND_AT_MOST][NAME_ROOM];
    int count, removed;
} found;

static belay_isolation_report report;

static const unsigned one_level = 1u << BELAY_READ_COMMITTED;

static void note(void *arg, const char *name, bool removed)
{
    found *f = arg;
    if (f->count < FOUND_AT_MOST)
        snprintf(f->names[f->count], NAME_ROOM, "%s", name);
    f->count++;
    f->removed += removed;
}

static found look(const char *url, bool remove)
{
    found f = {.count = 0};
    belay_error error;
    belay_code code = belay_isolation_leftovers(url, remove, note, &f, &error);
    if (code != BELAY_OK)
        fail_msg("%s: %s", belay_code_name(code), error.message);
    return f;
}

/* ---- A check that is killed -------------------------------------------------------------------------------------- */

typedef struct doom {
    bool near;
    int asked;
} doom;

static void come_near(void *arg, belay_level level, belay_anomaly anomaly, const belay_isolation_cell *cell)
{
    doom *d = arg;
    (void)level;
    (void)cell;
    d->near = anomaly == BELAY_CIRCULAR_FLOW;
}

/* The first question comes before the next cell, the others in the midst of it. */
static bool die(void *arg)
{
    doom *d = arg;
    if (d->near && ++d->asked == 3)
        kill(getpid(), SIGKILL);
    return false;
}

/* In a child of its own, that dies in mid-check. */
static void kill_a_check(const char *url)
{
    pid_t child = fork();
    assert_int_not_equal(child, -1);
    if (child == 0) {
        doom d = {.near = false};
        belay_isolation_check(url,
                              BELAY_ISOLATION_OPTIONS(.levels = one_level, .progress = come_near, .progress_arg = &d,
                                                      .stop = die, .stop_arg = &d),
                              &report);
        _exit(1);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* A server takes a moment to see that its client is gone. */
static found look_until_found(const char *url)
{
    found f = look(url, false);
    for (int i = 0; i < 200 && f.count == 0; i++) {
        usleep(10000);
        f = look(url, false);
    }
    return f;
}

static void what_a_killed_check_left_is_named_and_removed_only_when_asked_to(void **state)
{
    (void)state;
    database d;
    database_make(&d, "?synchronous=normal");
    assert_int_equal(look(d.url, false).count, 0);
    kill_a_check(d.url);
    found left = look_until_found(d.url), again = look(d.url, false);
    assert_int_equal(left.count, 1);
    assert_int_equal(left.removed, 0);
    assert_int_equal(again.count, 1); /* looking has removed nothing */
    assert_non_null(strstr(left.names[0], database_is_sqlite(&d) ? "-isolation-" : "belay_isolation_"));
    found removed = look(d.url, true);
    assert_int_equal(removed.count, 1);
    assert_int_equal(removed.removed, 1);
    assert_string_equal(removed.names[0], left.names[0]);
    assert_int_equal(look(d.url, true).count, 0);
    if (database_is_sqlite(&d))
        assert_int_equal(rmdir(d.directory), 0); /* nor -wal and -shm are left */
    database_close(&d);
}

/* ---- A check that runs ------------------------------------------------------------------------------------------- */

typedef struct beside {
    const char *url;
    int found;
} beside;

static void clean_beside(void *arg, belay_level level, belay_anomaly anomaly, const belay_isolation_cell *cell)
{
    beside *b = arg;
    (void)level;
    (void)cell;
    if (anomaly == BELAY_CIRCULAR_FLOW)
        b->found += look(b->url, true).count;
}

static void a_check_that_runs_is_never_cleaned_away(void **state)
{
    (void)state;
    database d;
    database_make(&d, "");
    beside b = {.url = d.url};
    belay_code code = belay_isolation_check(
        d.url, BELAY_ISOLATION_OPTIONS(.levels = one_level, .progress = clean_beside, .progress_arg = &b), &report);
    database_close(&d);
    assert_int_equal(code, BELAY_OK);
    assert_int_equal(report.undecided, 0);
    assert_int_equal(b.found, 0);
}

/* ---- Names that look like ours ----------------------------------------------------------------------------------- */

static void files_with_a_name_that_is_not_exactly_of_the_form_are_never_removed(void **state)
{
    static const char *const names[] = {
        "-isolation-",           "-isolation-99999999-0123abcdx",       "-isolation-x-0123abcd",
        "-isolation-1-0123abc",  "-isolation-99999999-0123ABCD",        "-isolation",
        "-isolation--0123abcd",  "x-isolation-99999999-0123abcd",       "-wal",
        "-isolation-0123abcd-5", "-isolation-9999999999999999-0123abcd"};
    (void)state;
    if (getenv("BELAY_TEST_URL"))
        skip();
    database d;
    char path[400];
    database_make(&d, "");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s%s", d.path, names[i]);
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fclose(file);
    }
    int count = look(d.url, true).count, missing = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s%s", d.path, names[i]);
        missing += access(path, F_OK) != 0;
    }
    database_close(&d);
    assert_int_equal(count, 0);
    assert_int_equal(missing, 0);
}

static void schemas_and_tables_with_a_name_that_is_not_exactly_of_the_form_are_never_removed(void **state)
{
    static const char *const names[] = {"belay_isolation_012abcde_t", "belay_isolation_012abcd_t1",
                                        "belay_isolation_012abcde_t1x", "belay_isolation_", "belay_isolation_results"};
    (void)state;
    if (!getenv("BELAY_TEST_URL"))
        skip();
    database d;
    char text[160];
    database_open(&d, NULL);
    belay_exec(d.s, "CREATE SCHEMA belay_isolation_shop");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(text, sizeof text, "CREATE TABLE %s (id INTEGER PRIMARY KEY)", names[i]);
        belay_exec(d.s, text);
    }
    int count = look(d.url, true).count, missing = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(text, sizeof text, "DROP TABLE %s", names[i]);
        missing += belay_exec(d.s, text) != BELAY_OK;
    }
    missing += belay_exec(d.s, "DROP SCHEMA belay_isolation_shop") != BELAY_OK;
    database_close(&d);
    assert_int_equal(count, 0);
    assert_int_equal(missing, 0);
}

/* ---- A user with few rights -------------------------------------------------------------------------------------- */

static const char *const rights_postgresql[] = {"DROP ROLE IF EXISTS belay_few", "CREATE ROLE belay_few LOGIN",
                                                "GRANT CREATE, USAGE ON SCHEMA public TO belay_few", NULL};
static const char *const no_rights_postgresql[] = {"DROP OWNED BY belay_few", "DROP ROLE belay_few", NULL};

/* A user is one for each way to come in; a grant names the database. */
static void run_for_each_host(belay_session *s, const char *format)
{
    static const char *const hosts[] = {"'%'", "localhost", "'127.0.0.1'"};
    char text[200];
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        snprintf(text, sizeof text, format, hosts[i]);
        const char *const statements[] = {text, NULL};
        database_run(s, statements);
    }
}

static void make_few(belay_session *s, bool mariadb)
{
    char grant[200];
    if (!mariadb) {
        database_run(s, rights_postgresql);
        return;
    }
    run_for_each_host(s, "CREATE OR REPLACE USER belay_few@%s");
    snprintf(grant, sizeof grant, "GRANT ALL ON `%s`.* TO belay_few@%%s", rows_of(s, "SELECT database()"));
    run_for_each_host(s, grant);
}

static void remove_few(belay_session *s, bool mariadb)
{
    if (mariadb)
        run_for_each_host(s, "DROP USER belay_few@%s");
    else
        database_run(s, no_rights_postgresql);
}

/* The same database, by the user with few rights. */
static void name_few(const char *url, char *out, size_t room)
{
    const char *user = strstr(url, "//belay@");
    assert_non_null(user);
    snprintf(out, room, "%.*s//belay_few@%s", (int)(user - url), url, user + 8);
}

static void a_user_who_may_not_make_a_schema_gets_tables_with_names_of_their_own(void **state)
{
    (void)state;
    database d;
    char url[400];
    if (!getenv("BELAY_TEST_URL"))
        skip();
    database_open(&d, NULL);
    bool mariadb = database_is_mariadb(&d);
    name_few(d.url, url, sizeof url);
    make_few(d.s, mariadb);
    belay_code code = belay_isolation_check(url, BELAY_ISOLATION_OPTIONS(.levels = one_level), &report);
    kill_a_check(url);
    found left = look_until_found(url), removed = look(url, true);
    remove_few(d.s, mariadb);
    database_close(&d);
    if (code != BELAY_OK)
        print_error("%s: %s\n", belay_code_name(code), report.error.message);
    assert_int_equal(code, BELAY_OK);
    assert_non_null(strstr(report.place, "_*"));
    assert_int_equal(report.undecided, 0);
    assert_int_equal(report.cells[BELAY_READ_COMMITTED][BELAY_LOST_UPDATE].verdict, BELAY_ALLOWED);
    assert_int_equal(report.cells[BELAY_READ_COMMITTED][BELAY_DIRTY_WRITE].verdict, BELAY_PREVENTED_BY_WAITING);
    assert_int_equal(left.count, 1);
    assert_non_null(strstr(left.names[0], "_t"));
    assert_int_equal(removed.removed, 1);
}

static void a_leftover_that_cant_be_removed_is_an_error(void **state)
{
    static const char *const make[] = {
        "CREATE TABLE belay_isolation_012abcde_t1 (id INTEGER PRIMARY KEY)",
        "CREATE TABLE needs_it (id INTEGER, FOREIGN KEY (id) REFERENCES belay_isolation_012abcde_t1 (id))", NULL};
    static const char *const drop[] = {"DROP TABLE needs_it", "DROP TABLE belay_isolation_012abcde_t1", NULL};
    (void)state;
    if (!getenv("BELAY_TEST_URL"))
        skip();
    database d;
    found f = {.count = 0};
    belay_error error;
    database_open(&d, NULL);
    database_run(d.s, make);
    belay_code code = belay_isolation_leftovers(d.url, true, note, &f, &error);
    database_run(d.s, drop);
    database_close(&d);
    assert_int_equal(f.count, 1);
    assert_int_equal(f.removed, 0);
    assert_int_not_equal(code, BELAY_OK);
    assert_int_equal(error.code, code);
    assert_non_null(strstr(error.message, database_is_mariadb(&d) ? "foreign key" : "other objects depend on it"));
}

static void looking_for_leftovers_tells_what_went_wrong(void **state)
{
    (void)state;
    belay_error error;
    assert_int_equal(belay_isolation_leftovers(NULL, false, NULL, NULL, &error), BELAY_MISUSE);
    assert_int_equal(belay_isolation_leftovers("nonsense", false, NULL, NULL, &error), BELAY_MISUSE);
    assert_int_equal(error.code, BELAY_MISUSE);
    assert_int_equal(belay_isolation_leftovers("sqlite:/no/such/folder/x.db", true, NULL, NULL, NULL), BELAY_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_killed_check_left_is_named_and_removed_only_when_asked_to),
        cmocka_unit_test(a_check_that_runs_is_never_cleaned_away),
        cmocka_unit_test(files_with_a_name_that_is_not_exactly_of_the_form_are_never_removed),
        cmocka_unit_test(schemas_and_tables_with_a_name_that_is_not_exactly_of_the_form_are_never_removed),
        cmocka_unit_test(a_user_who_may_not_make_a_schema_gets_tables_with_names_of_their_own),
        cmocka_unit_test(a_leftover_that_cant_be_removed_is_an_error),
        cmocka_unit_test(looking_for_leftovers_tells_what_went_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
