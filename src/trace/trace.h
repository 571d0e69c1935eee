/*
 * trace.h - who listens to a handle.
 */
#ifndef BELAYI_TRACE_TRACE_H
#define BELAYI_TRACE_TRACE_H

#include <belay/trace.h>

/* Where the events of a handle go; `write` is NULL when nobody listens. */
typedef struct belayi_trace {
    belay_trace write;
    void *arg;
} belayi_trace;

#endif
