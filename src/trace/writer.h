/*
 * writer.h - events into a file, from any thread: belay_trace_open and its kin, and what the rest of the room needs.
 *
 * Tests: tests/unit/trace.
 */
#ifndef BELAYI_TRACE_WRITER_H
#define BELAYI_TRACE_WRITER_H

#include <stdbool.h>

#include <belay/trace.h>

/* As belay_trace_open; with `keep`, the file goes on after what a writer of this format left in it. */
belay_trace_writer *belayi_trace_writer_open(const char *path, belay_trace_format, bool keep, belay_error *error);

/* As belay_trace_close, with the record of the failure. */
belay_code belayi_trace_writer_close(belay_trace_writer *, belay_error *error);

/* In a child after fork: gives up the descriptor. Events that are written afterwards are dropped, as before. */
void belayi_trace_writer_disown(belay_trace_writer *);

#endif
