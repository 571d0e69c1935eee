/*
 * constraints.h - which columns a constraint of a table is about: what an engine's
 * error names is the constraint, and what a person looks for is the column.
 *
 * Must not know: any engine by name; errors.
 * Tests: tests/unit/catalog/test_constraints.c, on every engine.
 */
#ifndef BELAYI_CATALOG_CONSTRAINTS_H
#define BELAYI_CATALOG_CONSTRAINTS_H

#include "catalog.h"

typedef struct belayi_constraint {
    const char *name;    /* as errors name it; NULL: the clause is the table's whole definition */
    const char *columns; /* joined by ", "; NULL: those that the clause names */
    const char *clause;
} belayi_constraint;

typedef struct belayi_constraints {
    const belayi_table *table;
    belay_session *session;
    size_t count;
    belayi_constraint *list; /* memory of the table's */
} belayi_constraints;

/* Asks for the constraints of a table. BELAY_OK, or the pending code. */
belay_code belayi_constraints_read(belay_session *, const belayi_table *, belayi_constraints *out_constraints);

/* Writes the columns of the constraint, joined by ", "; "" when they are not known. In the transaction that the error
   came up in: its connection knows how a clause is read. */
void belayi_constraints_find(const belayi_constraints *, const char *name, char *out, size_t room);

#endif
