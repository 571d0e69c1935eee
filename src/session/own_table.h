/*
 * own_table.h - tables of the library's own, which are made when they are first needed.
 * Tests: tests/api/test_once_races.c, tests/two_phase, tests/import/test_resume.c.
 */
#ifndef BELAYI_SESSION_OWN_TABLE_H
#define BELAYI_SESSION_OWN_TABLE_H

#include <stdbool.h>

#include <belay/error.h>
#include <belay/session.h>

/* Of several that make it at the same moment, PostgreSQL lets all but one clash in its own catalogue, with one of
   these: its unique index, or a type of that name. Made once more, it is there. */
static inline bool belayi_own_table_clashed(belay_code code)
{
    return code == BELAY_UNIQUE || code == BELAY_SCHEMA;
}

/* Runs a CREATE TABLE IF NOT EXISTS, with no scope open. The status. */
belay_code belayi_own_table_make(belay_session *, belay_place, const char *sql);

#endif
