/*
 * format.h - how an event looks in a file: as a JSON line, and for Chrome's and Perfetto's viewers.
 *
 * Pure: an event goes in, text comes out.
 * Tests: tests/unit/trace.
 */
#ifndef BELAYI_TRACE_FORMAT_H
#define BELAYI_TRACE_FORMAT_H

#include <stdint.h>

#include <belay/trace.h>

#include "json.h"

/* Members of the object that is open: all that is known of the event, but for its kind and its times. */
void belayi_format_facts(belayi_json *, const belay_trace_event *);

/* A whole line. */
void belayi_format_line(belayi_json *, const belay_trace_event *, int64_t pid);

/* Chrome's array: its beginning, which names the program; the name of a session's row; an event; its end. */
#define BELAYI_CHROME_END "\n]\n"
void belayi_format_chrome_begin(belayi_json *, int64_t pid);
void belayi_format_chrome_row(belayi_json *, uint64_t session, int64_t pid);
void belayi_format_chrome(belayi_json *, const belay_trace_event *, int64_t pid);

#endif
