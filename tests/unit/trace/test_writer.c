/*
 * The writer and its file: whole events, whatever the system, threads, signals
 * and children do. Calls of write and realloc go through the test (by the linker's
 * --wrap), which can make them fail.
 */
#include "reading.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- The system, as it can be ----------------------------------------------------------------------------------- */

static struct {
    int writes;     /* so far */
    bool trickles;  /* every other write is interrupted, the others take 7 bytes */
    int fails_at;   /* the write of this number takes half of it, and the ones that follow fail; 0: none */
    int failure;    /* with this errno */
    bool cancels;   /* the thread is cancelled when it is in a write */
    bool no_memory; /* realloc and calloc fail */
} world;

ssize_t __real_write(int fd, const void *bytes, size_t size);
ssize_t __wrap_write(int fd, const void *bytes, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);

ssize_t __wrap_write(int fd, const void *bytes, size_t size)
{
    int number = ++world.writes;
    if (world.cancels)
        pthread_cancel(pthread_self());
    if (world.trickles && number % 2) {
        errno = EINTR;
        return -1;
    }
    if (world.fails_at && number > world.fails_at) {
        errno = world.failure;
        return -1;
    }
    if (number == world.fails_at)
        size /= 2;
    return __real_write(fd, bytes, world.trickles && size > 7 ? 7 : size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return world.no_memory ? NULL : __real_realloc(memory, size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return world.no_memory ? NULL : __real_calloc(n, size);
}

static int make_world(void **state)
{
    memset(&world, 0, sizeof world);
    return make_directory(state);
}

static belay_trace_writer *open_writer(const char *path)
{
    belay_error error;
    belay_trace_writer *w = belay_trace_open(path, BELAY_TRACE_BY_NAME, &error);
    if (!w)
        fail_msg("%s", error.message);
    return w;
}

static void write_statement(belay_trace_writer *w, const char *text)
{
    belay_trace_event event = statement_of(text);
    belay_trace_write(w, &event);
}

/* Statements "1", "2", ... up to n, which are the names of the slices too. */
static void write_numbers(belay_trace_writer *w, int from, int to)
{
    char text[16];
    for (int i = from; i <= to; i++) {
        snprintf(text, sizeof text, "%d", i);
        write_statement(w, text);
    }
}

#define ONE_TO(n) "[e.get('statement', e.get('name')) for e in events] == [str(i) for i in range(1, " #n " + 1)]"

/* ---- Opening ---------------------------------------------------------------------------------------------------- */

static void the_format_follows_the_name_unless_it_is_said(void **state)
{
    (void)state;
    char path[96];
    snprintf(path, sizeof path, "%s/a.jsonl.json", directory);
    const char *const paths[] = {lines_path, chrome_path, path};
    for (int i = 0; i < 9; i++) {
        belay_trace_format format = (belay_trace_format)(i / 3);
        belay_trace_writer *w = belay_trace_open(paths[i % 3], format, NULL);
        write_statement(w, "1");
        assert_int_equal(belay_trace_close(w), BELAY_OK);
        bool lines = format == BELAY_TRACE_JSON_LINES || (format == BELAY_TRACE_BY_NAME && i % 3 == 0);
        assert_trace(paths[i % 3], lines ? "text[0] == '{' and 'ph' not in events[0]" : "events[0]['ph'] == 'X'");
    }
}

static void a_file_that_is_there_is_emptied(void **state)
{
    (void)state;
    belay_trace_writer *w = open_writer(chrome_path);
    write_numbers(w, 1, 9);
    belay_trace_close(w);
    w = open_writer(chrome_path);
    write_numbers(w, 1, 2);
    assert_int_equal(belay_trace_close(w), BELAY_OK);
    assert_trace(chrome_path, ONE_TO(2));
}

static int count_descriptors(void)
{
    int n = 0;
    DIR *entries = opendir("/proc/self/fd");
    while (readdir(entries))
        n++;
    closedir(entries);
    return n;
}

static void assert_refused(const char *path, belay_trace_format format, belay_code code, const char *part)
{
    belay_error error;
    assert_null(belay_trace_open(path, format, &error));
    assert_string_equal(belay_code_name(error.code), belay_code_name(code));
    if (!strstr(error.message, part))
        fail_msg("\"%s\" is not in \"%s\"", part, error.message);
    assert_null(belay_trace_open(path, format, NULL));
}

static void a_file_that_can_not_be_made_is_an_error_that_says_why(void **state)
{
    (void)state;
    char missing[96];
    snprintf(missing, sizeof missing, "%s/no/trace.json", directory);
    int before = count_descriptors();
    assert_refused(missing, BELAY_TRACE_BY_NAME, BELAY_IO, missing);
    assert_refused(missing, BELAY_TRACE_BY_NAME, BELAY_IO, strerror(ENOENT));
    assert_refused(directory, BELAY_TRACE_BY_NAME, BELAY_IO, strerror(EISDIR));
    assert_refused("", BELAY_TRACE_BY_NAME, BELAY_MISUSE, "name");
    assert_refused(NULL, BELAY_TRACE_BY_NAME, BELAY_MISUSE, "name");
    assert_refused(chrome_path, (belay_trace_format)3, BELAY_MISUSE, "format");
    world.no_memory = true;
    assert_refused(chrome_path, BELAY_TRACE_BY_NAME, BELAY_NO_MEMORY, "memory");
    world.no_memory = false;
    assert_int_equal(access(chrome_path, F_OK), -1);
    assert_int_equal(count_descriptors(), before);
}

static void a_file_that_another_writer_has_is_refused_and_left_as_it_is(void **state)
{
    (void)state;
    char other_name[96];
    snprintf(other_name, sizeof other_name, "%s/link", directory);
    belay_trace_writer *w = open_writer(chrome_path);
    write_numbers(w, 1, 1);
    assert_int_equal(symlink(chrome_path, other_name), 0);
    int before = count_descriptors();
    assert_refused(chrome_path, BELAY_TRACE_BY_NAME, BELAY_BUSY, "another trace");
    assert_refused(other_name, BELAY_TRACE_BY_NAME, BELAY_BUSY, other_name);
    assert_int_equal(count_descriptors(), before);
    write_numbers(w, 2, 2);
    assert_int_equal(belay_trace_close(w), BELAY_OK);
    assert_trace(chrome_path, ONE_TO(2));
    assert_int_equal(belay_trace_close(open_writer(other_name)), BELAY_OK);
    assert_trace(chrome_path, "events == []");
}

static void null_is_accepted(void **state)
{
    (void)state;
    belay_trace_event event = event_of(BELAY_TRACE_BEGIN);
    belay_trace_write(NULL, &event);
    assert_int_equal(belay_trace_close(NULL), BELAY_OK);
    belay_trace_writer *w = open_writer(lines_path);
    belay_trace_write(w, NULL);
    assert_int_equal(belay_trace_close(w), BELAY_OK);
    assert_trace(lines_path, "events == []");
}

static int open_without_the_first_three(void *arg)
{
    (void)arg;
    for (int fd = 0; fd < 3; fd++)
        close(fd);
    belay_trace_writer *w = belay_trace_open(chrome_path, BELAY_TRACE_BY_NAME, NULL);
    int taken = 0;
    for (int fd = 0; fd < 3; fd++)
        taken += fcntl(fd, F_GETFD) >= 0;
    return w ? taken : 10;
}

static void the_file_is_never_the_standard_error_of_a_program_that_has_none(void **state)
{
    (void)state;
    assert_int_equal(run_apart(open_without_the_first_three, NULL), 0);
}

/* ---- Whole events ----------------------------------------------------------------------------------------------- */

static void each_event_is_one_write_and_readable_at_once(void **state)
{
    (void)state;
    belay_trace_writer *w = open_writer(chrome_path);
    world.writes = 0;
    write_numbers(w, 1, 1);
    assert_int_equal(world.writes, 1);
    assert_trace(chrome_path, "cut and " ONE_TO(1));
    write_numbers(w, 2, 5);
    assert_int_equal(world.writes, 5);
    assert_trace(chrome_path, "cut and " ONE_TO(5));
    assert_int_equal(belay_trace_close(w), BELAY_OK);
    assert_trace(chrome_path, ONE_TO(5));
}

static int be_killed_in_the_middle(void *path)
{
    belay_trace_writer *w = belay_trace_open(path, BELAY_TRACE_BY_NAME, NULL);
    write_numbers(w, 1, 20);
    raise(SIGKILL);
    return 0;
}

static void a_process_that_is_killed_leaves_every_event_that_it_told(void **state)
{
    (void)state;
    assert_int_equal(run_apart(be_killed_in_the_middle, lines_path), 100 + SIGKILL);
    assert_trace(lines_path, ONE_TO(20));
    assert_int_equal(run_apart(be_killed_in_the_middle, chrome_path), 100 + SIGKILL);
    assert_trace(chrome_path, "cut and " ONE_TO(20));
}

static void a_large_event_is_written_whole(void **state)
{
    (void)state;
    enum { SIZE = 3 << 20 };
    char *text = malloc(SIZE);
    assert_non_null(text);
    memset(text, '"', SIZE);
    text[SIZE - 1] = '\0';
    belay_trace_writer *w = open_writer(chrome_path);
    write_numbers(w, 1, 1);
    write_statement(w, text);
    write_numbers(w, 3, 3);
    free(text);
    assert_int_equal(belay_trace_close(w), BELAY_OK);
    assert_trace(chrome_path, "[len(e['args']['statement']) for e in events] == [1, (3 << 20) - 1, 1]");
}

static void writes_that_are_short_or_interrupted_are_gone_on_with(void **state)
{
    (void)state;
    world.trickles = true;
    belay_trace_writer *w = open_writer(chrome_path);
    write_numbers(w, 1, 50);
    assert_int_equal(belay_trace_close(w), BELAY_OK);
    assert_true(world.writes > 500);
    assert_trace(chrome_path, ONE_TO(50));
}

/* ---- Pipes ------------------------------------------------------------------------------------------------------ */

/* Opens a writer on a pipe and gives the end to read from. */
static belay_trace_writer *open_on_pipe(int *out_reader)
{
    int ends[2];
    char path[64];
    assert_int_equal(pipe(ends), 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", ends[1]);
    belay_trace_writer *w = belay_trace_open(path, BELAY_TRACE_CHROME, NULL);
    assert_non_null(w);
    close(ends[1]);
    *out_reader = ends[0];
    return w;
}

static void *copy_slowly(void *arg)
{
    const int *reader = arg;
    char bytes[700];
    int file = open(chrome_path, O_WRONLY | O_CREAT, 0600);
    for (ssize_t n; (n = read(*reader, bytes, sizeof bytes)) > 0;)
        if (__real_write(file, bytes, (size_t)n) != n)
            break;
    close(file);
    return NULL;
}

static void a_pipe_that_is_full_is_waited_for(void **state)
{
    (void)state;
    int reader;
    pthread_t thread;
    belay_trace_writer *w = open_on_pipe(&reader);
    fcntl(reader, F_SETPIPE_SZ, 4096);
    pthread_create(&thread, NULL, copy_slowly, &reader);
    write_numbers(w, 1, 500);
    assert_int_equal(belay_trace_close(w), BELAY_OK);
    pthread_join(thread, NULL);
    close(reader);
    assert_trace(chrome_path, ONE_TO(500));
}

static void a_pipe_that_nobody_reads_any_more_does_not_end_the_program(void **state)
{
    (void)state;
    int reader;
    sigset_t pending;
    belay_trace_writer *w = open_on_pipe(&reader);
    assert_true(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
    write_numbers(w, 1, 1);
    close(reader);
    write_numbers(w, 2, 3);
    assert_int_equal(belay_trace_close(w), BELAY_IO);
    sigpending(&pending);
    assert_false(sigismember(&pending, SIGPIPE));
    pthread_sigmask(SIG_BLOCK, NULL, &pending);
    assert_false(sigismember(&pending, SIGPIPE));
}

/* ---- Failures --------------------------------------------------------------------------------------------------- */

static void a_full_disk_is_told_by_close_and_disturbs_nothing_before(void **state)
{
    (void)state;
    belay_trace_writer *w = open_writer("/dev/full");
    write_numbers(w, 1, 100);
    assert_int_equal(belay_trace_close(w), BELAY_DISK_FULL);
    w = belay_trace_open("/dev/full", BELAY_TRACE_JSON_LINES, NULL);
    write_numbers(w, 1, 100);
    assert_int_equal(belay_trace_close(w), BELAY_DISK_FULL);
}

static void the_first_failure_is_kept_and_nothing_is_written_after_it(void **state)
{
    (void)state;
    belay_trace_writer *w = open_writer(lines_path);
    write_numbers(w, 1, 3);
    world.fails_at = world.writes + 1;
    world.failure = EIO;
    write_numbers(w, 4, 4); /* half of it is taken */
    world.failure = ENOSPC;
    write_numbers(w, 5, 5);
    world.fails_at = 0;
    write_numbers(w, 6, 6);
    assert_int_equal(belay_trace_close(w), BELAY_IO);
    assert_trace(lines_path, ONE_TO(3));
}

static void after_a_failure_the_file_holds_whole_events_and_is_ended(void **state)
{
    (void)state;
    belay_trace_writer *w = open_writer(chrome_path);
    write_numbers(w, 1, 3);
    world.fails_at = world.writes + 1;
    world.failure = ENOSPC;
    write_numbers(w, 4, 9);
    world.fails_at = 0;
    assert_int_equal(belay_trace_close(w), BELAY_DISK_FULL);
    assert_trace(chrome_path, ONE_TO(3));
}

static void a_failure_has_the_code_of_its_reason(void **state)
{
    (void)state;
    static const struct {
        int failure;
        belay_code code;
    } reasons[] = {{ENOSPC, BELAY_DISK_FULL},  {EDQUOT, BELAY_DISK_FULL}, {EFBIG, BELAY_DISK_FULL},
                   {EACCES, BELAY_PERMISSION}, {EPERM, BELAY_PERMISSION}, {EROFS, BELAY_READ_ONLY},
                   {ENOMEM, BELAY_NO_MEMORY},  {EIO, BELAY_IO},           {EBADF, BELAY_IO}};
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        belay_trace_writer *w = open_writer(lines_path);
        world.fails_at = world.writes + 1;
        world.failure = reasons[i].failure;
        write_numbers(w, 1, 1);
        assert_string_equal(belay_code_name(belay_trace_close(w)), belay_code_name(reasons[i].code));
        world.fails_at = 0;
    }
}

static void an_event_for_which_there_is_no_memory_is_left_out_and_told_by_close(void **state)
{
    (void)state;
    char text[8192];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    belay_trace_writer *w = open_writer(chrome_path);
    write_numbers(w, 1, 1);
    world.no_memory = true;
    write_statement(w, text);
    world.no_memory = false;
    write_numbers(w, 2, 2);
    assert_int_equal(belay_trace_close(w), BELAY_NO_MEMORY);
    assert_trace(chrome_path, ONE_TO(2));
}

/* ---- Threads ---------------------------------------------------------------------------------------------------- */

enum { THREADS = 8, EVENTS = 300 };

typedef struct writing_thread {
    pthread_t thread;
    belay_trace_writer *w;
    uint64_t number;
} writing_thread;

static void *write_many(void *arg)
{
    const writing_thread *t = arg;
    for (int i = 0; i < EVENTS; i++) {
        belay_trace_event event = statement_of("UPDATE t SET a = ?");
        event.session = event.thread = t->number;
        event.start_ns = i;
        belay_trace_write(t->w, &event);
    }
    return NULL;
}

static void events_of_many_threads_are_all_there_and_whole(void **state)
{
    (void)state;
    const char *const paths[] = {lines_path, chrome_path};
    static const char *const expressions[] = {
        "all([e['start_ns'] for e in events if e['thread'] == t] == list(range(300)) for t in range(8))",
        "all([e['ts'] * 1000 for e in events if e['tid'] == t] == list(range(300)) for t in range(8))"};
    for (int k = 0; k < 2; k++) {
        writing_thread threads[THREADS];
        belay_trace_writer *w = open_writer(paths[k]);
        for (uint64_t i = 0; i < THREADS; i++) {
            threads[i] = (writing_thread){.w = w, .number = i};
            pthread_create(&threads[i].thread, NULL, write_many, &threads[i]);
        }
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i].thread, NULL);
        assert_int_equal(belay_trace_close(w), BELAY_OK);
        assert_trace(paths[k], "len(events) == 2400");
        assert_trace(paths[k], expressions[k]);
    }
}

static void *be_cancelled_inside(void *arg)
{
    write_numbers(arg, 1, 1);
    pthread_testcancel();
    return NULL;
}

static void a_thread_that_is_cancelled_in_a_write_stops_nobody_else(void **state)
{
    (void)state;
    pthread_t thread;
    void *result = NULL;
    belay_trace_writer *w = open_writer(lines_path);
    world.cancels = true;
    pthread_create(&thread, NULL, be_cancelled_inside, w);
    pthread_join(thread, &result);
    world.cancels = false;
    assert_ptr_equal(result, PTHREAD_CANCELED);
    write_numbers(w, 2, 2);
    assert_int_equal(belay_trace_close(w), BELAY_OK);
    assert_trace(lines_path, ONE_TO(2));
}

/* ---- Fork ------------------------------------------------------------------------------------------------------- */

static int write_and_close(void *w)
{
    write_numbers(w, 7, 9);
    return (int)belay_trace_close(w);
}

static int write_and_exit(void *w)
{
    write_numbers(w, 7, 9);
    exit(0); /* with everything that is done at exit */
}

static void a_child_after_fork_writes_nothing(void **state)
{
    (void)state;
    const char *const paths[] = {lines_path, chrome_path};
    for (int i = 0; i < 2; i++) {
        belay_trace_writer *w = open_writer(paths[i]);
        write_numbers(w, 1, 2);
        assert_int_equal(run_apart(write_and_close, w), BELAY_OK);
        assert_int_equal(run_apart(write_and_exit, w), 0);
        write_numbers(w, 3, 4);
        assert_int_equal(belay_trace_close(w), BELAY_OK);
        assert_trace(paths[i], ONE_TO(4));
    }
}

static atomic_bool stop;

static void *write_until_stopped(void *w)
{
    while (!atomic_load(&stop))
        write_numbers(w, 1, 10);
    return NULL;
}

static void a_child_does_not_wait_for_a_thread_that_it_has_not(void **state)
{
    (void)state;
    pthread_t thread;
    belay_trace_writer *w = open_writer(lines_path);
    atomic_store(&stop, false);
    pthread_create(&thread, NULL, write_until_stopped, w);
    int wrong = 0;
    for (int i = 0; i < 50; i++)
        wrong += run_apart(write_and_close, w) != BELAY_OK;
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
    assert_int_equal(wrong, 0);
    assert_int_equal(belay_trace_close(w), BELAY_OK);
    assert_trace(lines_path, "all(e['statement'] == str(i % 10 + 1) for i, e in enumerate(events))");
}

static int wait_for_the_end_of(void *arg)
{
    char byte;
    const int *ends = arg;
    close(ends[1]);
    return (int)read(ends[0], &byte, 1);
}

/* The descriptor that a child inherits must not keep the lock when the parent has closed the file. */
static void a_file_that_was_closed_can_be_opened_again_while_a_child_lives(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    belay_trace_writer *w = open_writer(lines_path);
    pid_t child = fork();
    if (child == 0)
        _exit(wait_for_the_end_of(ends));
    assert_int_equal(belay_trace_close(w), BELAY_OK);
    w = belay_trace_open(lines_path, BELAY_TRACE_BY_NAME, NULL);
    close(ends[0]);
    close(ends[1]); /* the child ends */
    assert_non_null(w);
    assert_int_equal(belay_trace_close(w), BELAY_OK);
    assert_int_equal(run_apart(write_and_close, NULL), BELAY_OK);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_world, remove_directory)
    const struct CMUnitTest tests[] = {
        TEST(the_format_follows_the_name_unless_it_is_said),
        TEST(a_file_that_is_there_is_emptied),
        TEST(a_file_that_can_not_be_made_is_an_error_that_says_why),
        TEST(a_file_that_another_writer_has_is_refused_and_left_as_it_is),
        TEST(null_is_accepted),
        TEST(the_file_is_never_the_standard_error_of_a_program_that_has_none),
        TEST(each_event_is_one_write_and_readable_at_once),
        TEST(a_process_that_is_killed_leaves_every_event_that_it_told),
        TEST(a_large_event_is_written_whole),
        TEST(writes_that_are_short_or_interrupted_are_gone_on_with),
        TEST(a_pipe_that_is_full_is_waited_for),
        TEST(a_pipe_that_nobody_reads_any_more_does_not_end_the_program),
        TEST(a_full_disk_is_told_by_close_and_disturbs_nothing_before),
        TEST(the_first_failure_is_kept_and_nothing_is_written_after_it),
        TEST(after_a_failure_the_file_holds_whole_events_and_is_ended),
        TEST(a_failure_has_the_code_of_its_reason),
        TEST(an_event_for_which_there_is_no_memory_is_left_out_and_told_by_close),
        TEST(events_of_many_threads_are_all_there_and_whole),
        TEST(a_thread_that_is_cancelled_in_a_write_stops_nobody_else),
        TEST(a_child_after_fork_writes_nothing),
        TEST(a_child_does_not_wait_for_a_thread_that_it_has_not),
        TEST(a_file_that_was_closed_can_be_opened_again_while_a_child_lives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
