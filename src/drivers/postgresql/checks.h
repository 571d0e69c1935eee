/*
 * checks.h - simple CHECKs, read from their text, so that rows can be looked at
 * without the server. A guess: rows that look bad are run by their own INSERT.
 * Tests: tests/unit/drivers/test_postgresql_copy.c.
 */
#ifndef BELAYI_POSTGRESQL_CHECKS_H
#define BELAYI_POSTGRESQL_CHECKS_H

#include "table.h"

/* Reads the comparisons of numbers that the expression consists of. NULL when it is anything else, or without memory.
 */
struct belayi_pg_check *belayi_pg_check_read(belayi_pg_table *table, const char *text);

/* Whether the row looks as if the check refused it. */
bool belayi_pg_check_fails(const struct belayi_pg_check *check, const belay_value *row);

#endif
