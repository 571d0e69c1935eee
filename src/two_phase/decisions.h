/*
 * decisions.h - the table in which it is decided what becomes of a unit.
 *
 * It has a row a unit: 'commit' or 'abort', and whoever comes first has decided. A
 * row of its own holds the log's number, which is in the names of what is prepared.
 * It is used as a program would: by sessions and scopes of the public API.
 */
#ifndef BELAYI_TWO_PHASE_DECISIONS_H
#define BELAYI_TWO_PHASE_DECISIONS_H

#include <stdbool.h>

#include <belay/db.h>
#include <belay/session.h>

enum { BELAYI_NUMBER_ROOM = 17 }; /* 64 bits in hexadecimal digits */

/* 64 random bits. */
void belayi_decisions_draw(char out[BELAYI_NUMBER_ROOM]);

/* The log of a handle whose database does not hold its decisions itself: that of .decision_log, opened the first time.
   NULL where the handle names none, or memory is out. The handle's own. */
belay_db *belayi_decisions_log_of(belay_db *);

/* Makes the table where it is missing, and gives the log's number. */
belay_code belayi_decisions_open(belay_db *log, char out_number[BELAYI_NUMBER_ROOM], belay_error *error);

/* The log's number; BELAY_NOT_FOUND where the database has no such table. */
belay_code belayi_decisions_find(belay_db *log, char out_number[BELAYI_NUMBER_ROOM], belay_error *error);

/* Decides to commit, in the scope that is open on the session or in a unit of its own. BELAY_UNIQUE: it was decided
   otherwise. Else as belay_exec. */
belay_code belayi_decisions_put(belay_session *, const char *unit);

/* What was decided; where nothing was, it is to be rolled back from now on. */
belay_code belayi_decisions_settle(belay_db *log, const char *unit, bool *out_commit, belay_error *error);

/* Nobody will ask any more. */
void belayi_decisions_forget(belay_db *log, const char *unit);

#endif
