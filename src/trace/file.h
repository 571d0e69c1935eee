/*
 * file.h - a file that takes whole pieces, and keeps its first failure.
 *
 * A piece is handed to the system at once: when the process dies, what was put
 * is there. After a failure nothing more is put; a regular file is cut to its
 * last whole piece. Nothing here ends, delays or signals the program: a pipe
 * that nobody reads any more is a failure like a full disk. A regular file is
 * locked against other writers of traces.
 *
 * It knows nothing of what is in the pieces. By one thread at a time.
 * Tests: tests/unit/trace.
 */
#ifndef BELAYI_TRACE_FILE_H
#define BELAYI_TRACE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct belayi_trace_file {
    int fd;
    bool regular;
    bool pipe;    /* writing to it can raise SIGPIPE */
    int64_t size; /* of a regular file: up to the end of its last whole piece */
    int failure;  /* errno of the first failure, or 0 */
} belayi_trace_file;

/* Makes the file, or opens and empties it; with `keep`, leaves what is in it. 0, or errno: EWOULDBLOCK when another
   writer has it. */
int belayi_trace_file_open(belayi_trace_file *, const char *path, bool keep);

void belayi_trace_file_put(belayi_trace_file *, const char *piece, size_t size);

/* Takes `end` off, if that is what a regular file that was kept ends with. */
void belayi_trace_file_take_off(belayi_trace_file *, const char *end);

/* Ends it with `end`, also after a failure, if it can; closes it. Returns the first failure. */
int belayi_trace_file_close(belayi_trace_file *, const char *end);

/* In a child after fork: closes it and leaves it to the parent. */
void belayi_trace_file_disown(belayi_trace_file *);

#endif
