/*
 * environment.h - the trace that BELAY_TRACE asks for: one file for all handles of the process.
 *
 * The file lives by the handles that are open: the first of the process empties
 * it, all share it, and when none is left it is complete. One that is opened
 * later goes on in the same file.
 * Tests: tests/unit/trace.
 */
#ifndef BELAYI_TRACE_ENVIRONMENT_H
#define BELAYI_TRACE_ENVIRONMENT_H

#include <belay/error.h>

#include "trace.h"

/*
 * *out listens for a handle, or nobody does: without BELAY_TRACE in the
 * environment, in a program that runs with more rights than its user has, and
 * after a failure, which is then in *error.
 */
belay_code belayi_trace_environment_open(belayi_trace *out, belay_error *error);

/* Once for each handle, whoever listened to it. A failure to write, with *error filled, when the file ends here. */
belay_code belayi_trace_environment_close(const belayi_trace *, belay_error *error);

#endif
