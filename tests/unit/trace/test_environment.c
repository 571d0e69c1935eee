/*
 * BELAY_TRACE: one file for all handles of the process, complete when none is
 * open. What secure_getenv answers goes through the test (by the linker's --wrap).
 */
#include "reading.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "db.h"
#include "environment.h"

static bool has_more_rights_than_its_user;
static char said[2048]; /* what was logged */

char *__real_secure_getenv(const char *name);
char *__wrap_secure_getenv(const char *name);

char *__wrap_secure_getenv(const char *name)
{
    return has_more_rights_than_its_user ? NULL : __real_secure_getenv(name);
}

/* A directory of its own for each test: a process goes on in the file of a name that it had before. */
static int set_up(void **state)
{
    said[0] = '\0';
    unsetenv("BELAY_TRACE");
    return make_directory(state);
}

static void note_line(void *arg, belay_log_level level, const char *line)
{
    (void)arg;
    size_t size = strlen(said);
    snprintf(said + size, sizeof said - size, "%s%s\n", level == BELAY_LOG_WARNING ? "warning: " : "", line);
}

static belay_db *open_handle(void)
{
    belay_db *db = belay_open("sqlite::memory:", BELAY_DB_OPTIONS(.log = note_line));
    assert_int_equal(belay_db_error(db)->code, BELAY_OK);
    return db;
}

/* An event of this handle's. Those that the library tells on its own are not looked at here. */
static void tell(const belay_db *db, const char *text)
{
    belay_trace_event event = statement_of(text);
    assert_non_null(db->trace.write);
    db->trace.write(db->trace.arg, &event);
}

#define TOLD(list)                                                                                                     \
    "[t for t in (e.get('statement', e.get('args', {}).get('statement', '')) for e in events) if 'told' in t] "        \
    "== " list

static void assert_said(const char *part)
{
    if (part ? !strstr(said, part) : said[0] != '\0')
        fail_msg("logged was \"%s\", and not \"%s\"", said, part ? part : "");
}

/* ---- Whether there is one --------------------------------------------------------------------------------------- */

static void without_the_variable_nothing_is_traced(void **state)
{
    (void)state;
    belay_db *db = open_handle();
    assert_null(db->trace.write);
    belay_close(db);
    setenv("BELAY_TRACE", "", 1);
    db = open_handle();
    assert_null(db->trace.write);
    belay_close(db);
    assert_said(NULL);
}

static void a_program_with_more_rights_than_its_user_is_not_traced(void **state)
{
    (void)state;
    setenv("BELAY_TRACE", chrome_path, 1);
    has_more_rights_than_its_user = true;
    belay_db *db = open_handle();
    has_more_rights_than_its_user = false;
    assert_null(db->trace.write);
    belay_close(db);
    assert_int_equal(access(chrome_path, F_OK), -1);
}

static int events_of_the_program;

static void count_event(void *arg, const belay_trace_event *event)
{
    (void)event;
    ++*(int *)arg;
}

static void a_trace_of_the_program_s_own_comes_first(void **state)
{
    (void)state;
    setenv("BELAY_TRACE", chrome_path, 1);
    belay_db *db =
        belay_open("sqlite::memory:", BELAY_DB_OPTIONS(.trace = count_event, .trace_arg = &events_of_the_program));
    int before = events_of_the_program;
    tell(db, "told");
    assert_int_equal(events_of_the_program, before + 1);
    belay_close(db);
    assert_int_equal(access(chrome_path, F_OK), -1);
}

static void a_handle_whose_url_is_no_good_lets_go_of_the_file_too(void **state)
{
    (void)state;
    setenv("BELAY_TRACE", chrome_path, 1);
    belay_close(belay_open("nonsense:", NULL));
    assert_trace(chrome_path, TOLD("[]"));
}

/* ---- The life of the file --------------------------------------------------------------------------------------- */

static void the_first_handle_empties_the_file_and_the_last_one_ends_it(void **state)
{
    (void)state;
    const char *const paths[] = {lines_path, chrome_path};
    for (int i = 0; i < 2; i++) {
        FILE *file = fopen(paths[i], "w");
        fputs("of an earlier run]", file);
        fclose(file);
        setenv("BELAY_TRACE", paths[i], 1);
        belay_db *first = open_handle(), *second = open_handle();
        tell(first, "told 1");
        tell(second, "told 2");
        belay_close(first);
        tell(second, "told 3");
        belay_close(second);
        assert_trace(paths[i], TOLD("['told 1', 'told 2', 'told 3']"));
    }
    assert_said(NULL);
}

static void a_handle_that_is_opened_later_goes_on_in_the_file(void **state)
{
    (void)state;
    const char *const paths[] = {lines_path, chrome_path};
    for (int i = 0; i < 2; i++) {
        setenv("BELAY_TRACE", paths[i], 1);
        belay_close(open_handle());
        assert_trace(paths[i], TOLD("[]"));
        belay_db *db = open_handle();
        tell(db, "told 1");
        belay_close(db);
        assert_trace(paths[i], TOLD("['told 1']"));
        db = open_handle();
        tell(db, "told 2");
        belay_close(db);
        assert_trace(paths[i], TOLD("['told 1', 'told 2']"));
    }
}

static void another_name_is_another_file(void **state)
{
    (void)state;
    setenv("BELAY_TRACE", lines_path, 1);
    belay_db *db = open_handle();
    setenv("BELAY_TRACE", chrome_path, 1); /* while one is open there is one file */
    belay_db *other = open_handle();
    tell(other, "told 1");
    belay_close(other);
    belay_close(db);
    assert_trace(lines_path, TOLD("['told 1']"));
    assert_int_equal(access(chrome_path, F_OK), -1);
    belay_close(open_handle());
    assert_trace(chrome_path, TOLD("[]"));
}

static void a_file_that_was_moved_away_is_made_anew(void **state)
{
    (void)state;
    char moved[96];
    snprintf(moved, sizeof moved, "%s/moved.json", directory);
    setenv("BELAY_TRACE", chrome_path, 1);
    belay_close(open_handle());
    assert_int_equal(rename(chrome_path, moved), 0);
    belay_db *db = open_handle();
    tell(db, "told 1");
    belay_close(db);
    assert_trace(chrome_path, TOLD("['told 1']"));
}

static void a_name_without_a_directory_stays_where_the_first_handle_was_opened(void **state)
{
    (void)state;
    char before[512];
    assert_non_null(getcwd(before, sizeof before));
    setenv("BELAY_TRACE", "trace.json", 1);
    assert_int_equal(chdir(directory), 0);
    belay_close(open_handle());
    assert_int_equal(chdir(before), 0);
    belay_db *db = open_handle();
    tell(db, "told 1");
    belay_close(db);
    assert_trace(chrome_path, TOLD("['told 1']"));
}

static void the_file_is_open_until_the_last_session_of_its_last_handle_is_closed(void **state)
{
    (void)state;
    setenv("BELAY_TRACE", chrome_path, 1);
    belay_db *db = open_handle();
    belay_session *s = belay_session_open(db);
    belay_close(db);
    tell(db, "told 1"); /* the session still holds it */
    belay_session_close(s);
    assert_trace(chrome_path, TOLD("['told 1']"));
}

/* ---- Failures --------------------------------------------------------------------------------------------------- */

static void a_file_that_can_not_be_made_is_logged_and_the_handle_works(void **state)
{
    (void)state;
    char path[96];
    snprintf(path, sizeof path, "%s/no/trace.json", directory);
    setenv("BELAY_TRACE", path, 1);
    belay_db *db = open_handle();
    belay_session *s = belay_session_open(db);
    assert_int_equal(belay_int_of(s, "SELECT 7"), 7);
    belay_session_close(s);
    belay_close(db);
    assert_said("warning: ");
    assert_said("No such file or directory");
    assert_said(path);
}

static void a_file_that_could_not_be_made_at_first_is_emptied_when_it_can(void **state)
{
    (void)state;
    FILE *file = fopen(chrome_path, "w");
    fputs("of an earlier run]", file);
    fclose(file);
    setenv("BELAY_TRACE", chrome_path, 1);
    belay_trace_writer *w = belay_trace_open(chrome_path, BELAY_TRACE_BY_NAME, NULL);
    belay_db *refused = open_handle();
    assert_null(refused->trace.write);
    assert_said("another trace");
    belay_trace_close(w);
    file = fopen(chrome_path, "w");
    fputs("not ours]", file);
    fclose(file);
    belay_db *db = open_handle();
    tell(db, "told 1");
    belay_close(refused);
    tell(db, "told 2"); /* the refused one did not count */
    belay_close(db);
    assert_trace(chrome_path, TOLD("['told 1', 'told 2']"));
}

static void a_full_disk_is_logged_when_the_file_ends(void **state)
{
    (void)state;
    setenv("BELAY_TRACE", "/dev/full", 1);
    belay_db *db = open_handle();
    tell(db, "told 1");
    assert_said(NULL);
    belay_close(db);
    assert_said("warning: the trace is not complete (No space left on device): /dev/full");
}

/* ---- Threads and children --------------------------------------------------------------------------------------- */

enum { THREADS = 8, HANDLES = 20 };

static void *open_and_close(void *arg)
{
    (void)arg;
    for (int i = 0; i < HANDLES; i++) {
        belay_db *db = open_handle();
        tell(db, "told");
        belay_close(db);
    }
    return NULL;
}

static void handles_of_many_threads_come_and_go(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    setenv("BELAY_TRACE", chrome_path, 1);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, open_and_close, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_trace(chrome_path, TOLD("['told'] * 160"));
}

static int use_own_handle(void *expected_words)
{
    belay_db *db = open_handle();
    bool traced = db->trace.write != NULL;
    if (traced)
        tell(db, "told by the child");
    belay_close(db);
    return expected_words ? (!traced && strstr(said, expected_words) ? 0 : 1) : (traced ? 0 : 2);
}

static void a_child_after_fork_does_not_touch_the_file_that_its_parent_writes(void **state)
{
    (void)state;
    setenv("BELAY_TRACE", chrome_path, 1);
    belay_db *db = open_handle();
    tell(db, "told 1");
    assert_int_equal(run_apart(use_own_handle, "another trace is being written to it"), 0);
    tell(db, "told 2");
    belay_close(db);
    assert_trace(chrome_path, TOLD("['told 1', 'told 2']"));
}

static int close_inherited(void *db)
{
    belay_close(db);
    return 0;
}

static void closing_an_inherited_handle_does_not_end_the_file(void **state)
{
    (void)state;
    setenv("BELAY_TRACE", chrome_path, 1);
    belay_db *db = open_handle();
    assert_int_equal(run_apart(close_inherited, db), 0);
    tell(db, "told 1");
    belay_close(db);
    assert_trace(chrome_path, TOLD("['told 1']"));
}

/* Such as a program that checks its database, and then becomes a daemon. */
static void a_child_goes_on_in_the_file_when_its_parent_has_closed_it(void **state)
{
    (void)state;
    setenv("BELAY_TRACE", chrome_path, 1);
    belay_db *db = open_handle();
    tell(db, "told 1");
    belay_close(db);
    assert_int_equal(run_apart(use_own_handle, NULL), 0);
    assert_trace(chrome_path, TOLD("['told 1', 'told by the child']"));
}

/* Children that begin when they are told to: at the end of what is in a pipe. */
static int gate[2];

static void wait_at_gate(void)
{
    char byte;
    close(gate[1]);
    if (read(gate[0], &byte, 1) != 0)
        _exit(9);
}

static void a_child_of_a_parent_that_writes_goes_on_when_that_has_closed_the_file(void **state)
{
    (void)state;
    int status = -1;
    setenv("BELAY_TRACE", chrome_path, 1);
    assert_int_equal(pipe(gate), 0);
    belay_db *db = open_handle();
    tell(db, "told 1");
    pid_t child = fork();
    if (child == 0) {
        wait_at_gate();
        _exit(use_own_handle(NULL));
    }
    belay_close(db);
    close(gate[0]);
    close(gate[1]);
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    assert_trace(chrome_path, TOLD("['told 1', 'told by the child']"));
}

static atomic_bool stop;

static void *open_until_stopped(void *arg)
{
    belay_error error;
    belayi_trace trace;
    while (!atomic_load(&stop))
        if (belayi_trace_environment_open(&trace, &error) == BELAY_OK)
            belayi_trace_environment_close(&trace, &error);
    return arg;
}

static int open_once(void *arg)
{
    belay_error error;
    belayi_trace trace;
    belay_code code = belayi_trace_environment_open(&trace, &error);
    if (code == BELAY_OK)
        code = belayi_trace_environment_close(&trace, &error);
    return code == BELAY_OK || code == BELAY_BUSY ? 0 : arg ? 1 : 2;
}

/* Not by whole handles: an engine may not be so careful. */
static void a_child_forked_while_another_thread_opens_a_handle_does_not_wait_for_it(void **state)
{
    (void)state;
    pthread_t thread;
    int wrong = 0;
    setenv("BELAY_TRACE", chrome_path, 1);
    atomic_store(&stop, false);
    pthread_create(&thread, NULL, open_until_stopped, NULL);
    for (int i = 0; i < 100; i++)
        wrong += run_apart(open_once, NULL) != 0;
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
    assert_int_equal(wrong, 0);
}

static int leave_a_child_behind(void *arg)
{
    belay_db *db = open_handle();
    int begun[2];
    char byte = 0;
    tell(db, "told");
    if (pipe(begun) != 0)
        return 1;
    if (fork() == 0) {
        if (write(begun[1], &byte, 1) == 1)
            wait_at_gate();
        _exit(0);
    }
    /* Before the fork is over in the child, the file is the child's too. */
    return read(begun[0], &byte, 1) == 1 && !arg ? 0 : 1; /* dies with the file open */
}

static void a_child_that_outlives_its_parent_does_not_keep_the_file(void **state)
{
    (void)state;
    setenv("BELAY_TRACE", chrome_path, 1);
    assert_int_equal(pipe(gate), 0);
    assert_int_equal(run_apart(leave_a_child_behind, NULL), 0);
    belay_db *db = open_handle();
    close(gate[0]);
    close(gate[1]);
    assert_said(NULL);
    tell(db, "told by another");
    belay_close(db);
    assert_trace(chrome_path, TOLD("['told by another']"));
}

static int fork_again(void *arg)
{
    belay_db *db = open_handle();
    tell(db, "told by the child");
    int result = run_apart(use_own_handle, "another trace is being written to it");
    belay_close(db);
    return arg ? 3 : result;
}

static void a_grandchild_leaves_the_file_to_its_parent_too(void **state)
{
    (void)state;
    setenv("BELAY_TRACE", chrome_path, 1);
    belay_close(open_handle());
    assert_int_equal(run_apart(fork_again, NULL), 0);
    assert_trace(chrome_path, TOLD("['told by the child']"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, remove_directory)
    const struct CMUnitTest tests[] = {
        TEST(without_the_variable_nothing_is_traced),
        TEST(a_program_with_more_rights_than_its_user_is_not_traced),
        TEST(a_trace_of_the_program_s_own_comes_first),
        TEST(a_handle_whose_url_is_no_good_lets_go_of_the_file_too),
        TEST(the_first_handle_empties_the_file_and_the_last_one_ends_it),
        TEST(a_handle_that_is_opened_later_goes_on_in_the_file),
        TEST(another_name_is_another_file),
        TEST(a_file_that_was_moved_away_is_made_anew),
        TEST(a_name_without_a_directory_stays_where_the_first_handle_was_opened),
        TEST(the_file_is_open_until_the_last_session_of_its_last_handle_is_closed),
        TEST(a_file_that_can_not_be_made_is_logged_and_the_handle_works),
        TEST(a_file_that_could_not_be_made_at_first_is_emptied_when_it_can),
        TEST(a_full_disk_is_logged_when_the_file_ends),
        TEST(handles_of_many_threads_come_and_go),
        TEST(a_child_after_fork_does_not_touch_the_file_that_its_parent_writes),
        TEST(closing_an_inherited_handle_does_not_end_the_file),
        TEST(a_child_goes_on_in_the_file_when_its_parent_has_closed_it),
        TEST(a_child_of_a_parent_that_writes_goes_on_when_that_has_closed_the_file),
        TEST(a_child_forked_while_another_thread_opens_a_handle_does_not_wait_for_it),
        TEST(a_child_that_outlives_its_parent_does_not_keep_the_file),
        TEST(a_grandchild_leaves_the_file_to_its_parent_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
