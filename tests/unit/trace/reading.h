/*
 * reading.h - files of traces in tests: a place for them, and what is in them.
 *
 * They are read by Python's json module, in read_trace.py: what it can't read is
 * no JSON, whatever this library thinks of it.
 */
#ifndef BELAY_TESTS_TRACE_READING_H
#define BELAY_TESTS_TRACE_READING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <belay/belay.h>

extern char directory[64], lines_path[96], chrome_path[96]; /* of files that are not there yet */

/* Of each test: a directory of its own. */
int make_directory(void **state);
int remove_directory(void **state);

#define in_directory(test) cmocka_unit_test_setup_teardown(test, make_directory, remove_directory)

/* An event of which nothing is known but its kind. */
belay_trace_event event_of(belay_trace_kind);

/* A statement with this text. */
belay_trace_event statement_of(const char *text);

/* Fails the test unless the file is valid and the Python expression is true of its `events`: see read_trace.py. */
#define assert_trace(path, expression) assert_trace_at(path, expression, __FILE__, __LINE__)
void assert_trace_at(const char *path, const char *expression, const char *file, int line);

/* Runs it in a child process; returns its exit status, or 100 and more. */
int run_apart(int (*check)(void *arg), void *arg);

#endif
