/*
 * rows.h - what a belay_rows is.
 *
 * A result in memory is one block of cells a row and a list of blocks for what
 * the cells point to; it needs nothing of its session but to report misuse. A
 * stream holds the statement instead.
 * Tests: tests/conformance.
 */
#ifndef BELAYI_SESSION_ROWS_H
#define BELAYI_SESSION_ROWS_H

#include <belay/rows.h>

#include "arena.h"
#include "cell.h"
#include "session.h"
#include "statement.h"

enum { BELAYI_NUMBER_ROOM = 32 };

struct belay_rows {
    belay_session *session;      /* NULL once that was closed */
    belay_rows *next, *previous; /* of the session's */
    int columns;
    char **names;
    belay_value *current;                /* the row that is read; NULL before the first and after the last */
    char (*numbers)[BELAYI_NUMBER_ROOM]; /* numbers of the current row, as text */

    belayi_arena arena; /* of names, cells and what they point to */
    belay_value **rows; /* a result in memory */
    size_t count, room, position;

    belayi_running running; /* a stream: its statement, while it is open */
    belayi_call call;
    char *sql;       /* the stream's own copy */
    uint64_t serial; /* of the scope that it was opened in */
};

/* The session is closed: its results can still be read, but have nobody to report to. */
void belayi_rows_orphan(belay_session *);

#endif
