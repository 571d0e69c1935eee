/* The stream: files, pipes and sources, and what they do wrong. */
#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../support/records.h"

/* Reads of a file as the test wants them: so many bytes at most, interrupted before each, and failing from some byte
 * on. */
static struct {
    size_t most, fails;
    bool interrupted, interrupts;
} reads;

ssize_t __real_read(int, void *, size_t);
ssize_t __wrap_read(int file, void *buffer, size_t size);
ssize_t __wrap_read(int file, void *buffer, size_t size)
{
    reads.interrupted = reads.interrupts && !reads.interrupted;
    if (reads.interrupted || (reads.fails > 0 && --reads.fails == 0)) {
        errno = reads.interrupted ? EINTR : EIO;
        return -1;
    }
    return __real_read(file, buffer, reads.most > 0 && reads.most < size ? reads.most : size);
}

static int reset(void **state)
{
    (void)state;
    memset(&reads, 0, sizeof reads);
    return 0;
}

static char path[64];

static void write_file(const void *bytes, size_t size)
{
    strcpy(path, "/tmp/belay-stream-XXXXXX");
    int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(write(file, bytes, size), size);
    close(file);
}

static int remove_file(void **state)
{
    (void)state;
    if (path[0] != '\0')
        unlink(path);
    path[0] = '\0';
    return 0;
}

/* All that a stream gives, `at_once` bytes wanted each time; all of it consumed. */
static size_t drain(belayi_stream *s, size_t at_once, char *out, belay_code *out_code)
{
    size_t all = 0, size;
    const char *bytes;
    belay_error error;
    while ((*out_code = belayi_stream_fill(s, at_once, &bytes, &size, &error)) == BELAY_OK && size > 0) {
        size = size < at_once ? size : at_once;
        memcpy(out + all, bytes, size);
        all += size;
        belayi_stream_consume(s, size);
    }
    assert_int_equal(belayi_stream_offset(s), all);
    return all;
}

enum { LARGE = 1000003 };

static void fill_with_anything(char *bytes, size_t size)
{
    uint64_t number = 88172645463325252u;
    for (size_t i = 0; i < size; i++) {
        number = number * 6364136223846793005u + 1442695040888963407u;
        bytes[i] = (char)(number >> 56);
    }
}

static void all_bytes_are_given_in_pieces_of_any_size(void **state)
{
    (void)state;
    char *in = malloc(LARGE), *out = malloc(LARGE);
    uint64_t hash = 0;
    fill_with_anything(in, LARGE);
    static const size_t sizes[][2] = {{0, 1 << 20},     {0, 7},         {13, 1000},
                                      {100000, 300000}, {1 << 20, 999}, {4099, 1 << 21}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        piecewise source = {.bytes = in, .size = LARGE, .most = sizes[i][0]};
        belay_error error;
        belay_code code;
        belayi_stream *s = belayi_stream_open(NULL, give_pieces, &source, &error);
        assert_int_equal(drain(s, sizes[i][1], out, &code), LARGE);
        assert_int_equal(code, BELAY_OK);
        assert_memory_equal(in, out, LARGE);
        hash = i == 0 ? belayi_stream_hash(s) : hash;
        assert_true(belayi_stream_hash(s) == hash);
        assert_int_equal(belayi_stream_size(s), 0);
        belayi_stream_close(s);
    }
    free(in);
    free(out);
}

static uint64_t hash_of(const char *bytes, size_t size)
{
    piecewise source = {.bytes = bytes, .size = size};
    belay_error error;
    belayi_stream *s = belayi_stream_open(NULL, give_pieces, &source, &error);
    assert_int_equal(belayi_stream_skip(s, size, &error), BELAY_OK);
    uint64_t hash = belayi_stream_hash(s);
    belayi_stream_close(s);
    return hash;
}

static void the_hash_is_of_what_was_consumed_and_tells_any_byte(void **state)
{
    (void)state;
    char bytes[41];
    fill_with_anything(bytes, sizeof bytes);
    uint64_t seen[sizeof bytes + 1];
    for (size_t size = 0; size <= sizeof bytes; size++) {
        seen[size] = hash_of(bytes, size);
        for (size_t i = 0; i < size; i++) {
            assert_true(seen[i] != seen[size]);
            bytes[i] ^= 1;
            assert_true(hash_of(bytes, size) != seen[size]);
            bytes[i] ^= 1;
        }
    }
    char zeros[64] = {0};
    assert_true(hash_of(zeros, 8) != hash_of(zeros, 9));
    /* Byte by byte, with the hash asked for each time. */
    piecewise source = {.bytes = bytes, .size = sizeof bytes};
    belay_error error;
    belayi_stream *s = belayi_stream_open(NULL, give_pieces, &source, &error);
    for (size_t size = 0; size < sizeof bytes; size++) {
        assert_true(belayi_stream_hash(s) == seen[size]);
        assert_int_equal(belayi_stream_skip(s, 1, &error), BELAY_OK);
    }
    belayi_stream_close(s);
}

static void a_file_is_read_to_its_end_and_its_size_is_known(void **state)
{
    (void)state;
    char *in = malloc(LARGE), *out = malloc(LARGE);
    fill_with_anything(in, LARGE);
    write_file(in, LARGE);
    belay_error error;
    belay_code code;
    for (size_t most = 0; most < 5000; most += 4999) {
        reads.most = most;
        reads.interrupts = most > 0;
        belayi_stream *s = belayi_stream_open(path, NULL, NULL, &error);
        assert_non_null(s);
        assert_int_equal(belayi_stream_size(s), LARGE);
        assert_int_equal(drain(s, 70000, out, &code), LARGE);
        assert_memory_equal(in, out, LARGE);
        assert_true(belayi_stream_hash(s) == hash_of(in, LARGE));
        belayi_stream_close(s);
    }
    free(in);
    free(out);
}

static void what_was_read_before_a_failure_is_given_first(void **state)
{
    (void)state;
    char out[16];
    const char *bytes;
    size_t size;
    belay_error error;
    write_file("abcdefghij", 10);
    reads.most = 3;
    reads.fails = 3;
    belayi_stream *s = belayi_stream_open(path, NULL, NULL, &error);
    assert_int_equal(belayi_stream_fill(s, 8, &bytes, &size, &error), BELAY_IO);
    assert_string_equal(error.message, "reading failed at byte 6: Input/output error");
    assert_int_equal(belayi_stream_fill(s, 0, &bytes, &size, &error), BELAY_OK);
    assert_int_equal(size, 6);
    assert_memory_equal(bytes, "abcdef", 6);
    belay_code code;
    assert_int_equal(drain(s, 4, out, &code), 4);
    assert_int_equal(code, BELAY_IO); /* two are left, and it fails for good: the next read would have succeeded */
    assert_int_equal(belayi_stream_fill(s, 3, &bytes, &size, &error), BELAY_IO);
    belayi_stream_close(s);
}

static ptrdiff_t give_too_much(void *arg, void *buffer, size_t room)
{
    (void)arg;
    (void)buffer;
    return (ptrdiff_t)room + 1;
}

static void a_source_that_fails_or_gives_too_much_is_told(void **state)
{
    (void)state;
    const char *bytes;
    size_t size;
    belay_error error;
    piecewise source = {.bytes = "abcdef", .size = 6, .fails = 4};
    belayi_stream *s = belayi_stream_open(NULL, give_pieces, &source, &error);
    assert_int_equal(belayi_stream_fill(s, 5, &bytes, &size, &error), BELAY_IO);
    assert_string_equal(error.message, "reading failed at byte 4: the program's source said so");
    belayi_stream_close(s);
    s = belayi_stream_open(NULL, give_too_much, NULL, &error);
    assert_int_equal(belayi_stream_fill(s, 1, &bytes, &size, &error), BELAY_IO);
    belayi_stream_close(s);
}

static void what_can_not_be_opened_is_told_with_the_reason(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        belay_code code;
    } bad[] = {{"/no/such/file", BELAY_NOT_FOUND},
               {"/etc/passwd/x", BELAY_NOT_FOUND},
               {"/tmp", BELAY_IO},
               {"", BELAY_NOT_FOUND}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        belay_error error;
        assert_null(belayi_stream_open(bad[i].path, NULL, NULL, &error));
        assert_int_equal(error.code, bad[i].code);
        assert_non_null(strstr(error.message, bad[i].path));
    }
}

static void skipping_past_the_end_is_bad_data(void **state)
{
    (void)state;
    belay_error error;
    write_file("abcdef", 6);
    belayi_stream *s = belayi_stream_open(path, NULL, NULL, &error);
    assert_int_equal(belayi_stream_skip(s, 4, &error), BELAY_OK);
    assert_int_equal(belayi_stream_offset(s), 4);
    assert_int_equal(belayi_stream_skip(s, 3, &error), BELAY_DATA);
    belayi_stream_close(s);
}

static void a_pipe_is_read_as_it_comes(void **state)
{
    int ends[2], input = dup(STDIN_FILENO);
    char out[16];
    belay_error error;
    belay_code code;
    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "hello", 5), 5);
    close(ends[1]);
    dup2(ends[0], STDIN_FILENO);
    close(ends[0]);
    reads.most = 2;
    reads.interrupts = true;
    belayi_stream *s = belayi_stream_open("-", NULL, NULL, &error);
    assert_int_equal(belayi_stream_size(s), 0);
    assert_int_equal(drain(s, 16, out, &code), 5);
    assert_memory_equal(out, "hello", 5);
    belayi_stream_close(s);
    assert_true(fcntl(STDIN_FILENO, F_GETFD) >= 0); /* the standard input is the program's, and stays open */
    if (input >= 0)
        dup2(input, STDIN_FILENO), close(input);
}

static void *write_slowly(void *end)
{
    for (const char *text = "slow"; *text; text++) {
        poll(NULL, 0, 5);
        if (write(*(int *)end, text, 1) != 1)
            return end;
    }
    close(*(int *)end);
    return NULL;
}

static void a_pipe_that_does_not_wait_is_waited_for(void **state)
{
    int ends[2], input = dup(STDIN_FILENO);
    char out[16];
    belay_error error;
    belay_code code;
    pthread_t writer;
    void *failed;
    (void)state;
    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    dup2(ends[0], STDIN_FILENO);
    close(ends[0]);
    assert_int_equal(pthread_create(&writer, NULL, write_slowly, &ends[1]), 0);
    belayi_stream *s = belayi_stream_open("-", NULL, NULL, &error);
    assert_int_equal(drain(s, 16, out, &code), 4);
    assert_int_equal(code, BELAY_OK);
    assert_memory_equal(out, "slow", 4);
    belayi_stream_close(s);
    pthread_join(writer, &failed);
    assert_null(failed);
    if (input >= 0)
        dup2(input, STDIN_FILENO), close(input);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_bytes_are_given_in_pieces_of_any_size),
        cmocka_unit_test(the_hash_is_of_what_was_consumed_and_tells_any_byte),
        cmocka_unit_test_setup_teardown(a_file_is_read_to_its_end_and_its_size_is_known, reset, remove_file),
        cmocka_unit_test_setup_teardown(what_was_read_before_a_failure_is_given_first, reset, remove_file),
        cmocka_unit_test(a_source_that_fails_or_gives_too_much_is_told),
        cmocka_unit_test(what_can_not_be_opened_is_told_with_the_reason),
        cmocka_unit_test_setup_teardown(skipping_past_the_end_is_bad_data, reset, remove_file),
        cmocka_unit_test_setup_teardown(a_pipe_is_read_as_it_comes, reset, reset),
        cmocka_unit_test_setup(a_pipe_that_does_not_wait_is_waited_for, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
