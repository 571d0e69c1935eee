/*
 * doubt.h - what became of a unit whose commit got no answer.
 *
 * Nobody can say it at first. It is asked on another connection: by the key of
 * the unit (once.c), or, where the engine keeps such a record and the driver knew
 * the transaction by name, by that. Only when neither gives an answer the unit
 * stays in doubt, and its error says why.
 *
 * Tests: tests/fault/test_doubt.c, tests/fault/test_outcome.c,
 * tests/fault/test_once*.c.
 */
#ifndef BELAYI_SESSION_DOUBT_H
#define BELAYI_SESSION_DOUBT_H

#include "session.h"

/* The outermost scope has ended with an unknown outcome, which is pending: finds it out, if it can be found out. */
void belayi_doubt_find_out(belay_session *);

/* ---- For what is asked and claimed between the program's own statements ---- */

/* When such a call begins; 0 while nobody listens. */
int64_t belayi_doubt_note_start(belay_session *);

/* Tells the trace of a call since then, as one of the unit's. */
void belayi_doubt_tell(belay_session *, belay_trace_event);

#endif
