/*
 * output.h - a file that is written in large pieces, and keeps its first failure.
 *
 * Must not know: what is written.
 * Tests: tests/import/test_import.c, test_resume.c, tests/cli/import.bats.
 */
#ifndef BELAYI_IMPORT_OUTPUT_H
#define BELAYI_IMPORT_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <belay/error.h>

typedef struct belayi_output {
    const char *path; /* borrowed */
    int file;
    int failure; /* errno of the first one; nothing is written behind it */
    uint64_t size;
    size_t held;
    char *buffer;
} belayi_output;

/* Opens the file, and cuts it to `size` bytes, which it must have. One that is the file `input` is refused. NULL on
   failure. What is not a regular file can't be continued. */
belayi_output *belayi_output_open(const char *path, const char *input, uint64_t size, belay_error *error);
void belayi_output_close(belayi_output *); /* writes what it holds, as far as it can; accepts NULL */

void belayi_output_put(belayi_output *, const char *bytes, size_t size);

/* What failed so far, as sync says it. */
belay_code belayi_output_check(const belayi_output *, belay_error *error);

/* All that was put is on the disk. BELAY_IO, BELAY_DISK_FULL. */
belay_code belayi_output_sync(belayi_output *, belay_error *error);

#endif
