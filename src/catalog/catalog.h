/*
 * catalog.h - a table, as the database describes it.
 *
 * Must not know: any engine by name; what the columns are wanted for.
 * Tests: tests/unit/catalog, on every engine.
 */
#ifndef BELAYI_CATALOG_CATALOG_H
#define BELAYI_CATALOG_CATALOG_H

#include <stdbool.h>
#include <stddef.h>

#include <belay/error.h>
#include <belay/session.h>

#include "type.h"

typedef struct belayi_column {
    const char *name;     /* the catalog's spelling */
    const char *quoted;   /* the same, as it stands in SQL */
    const char *declared; /* its type, as the engine writes it */
    belayi_type type;
    bool not_null;
    bool has_default;  /* also one that is generated when it is left out: serial, identity, AUTO_INCREMENT, rowid */
    bool generated;    /* computed from others, or always by the engine: it can't be written */
    unsigned key_part; /* which part of the primary key, from 1; 0: none */
} belayi_column;

typedef struct belayi_table {
    const char *name;   /* the catalog's spelling */
    const char *schema; /* where it was found; NULL: the engine does not say */
    const char *quoted; /* with its schema, as it stands in SQL */
    size_t count;
    belayi_column *columns; /* in the table's order */
    struct belayi_arena *memory;
} belayi_table;

/*
 * Asks for a table: `name` or `schema.name`, without quotes; a plain name is looked
 * for where the engine would find it. Inside or outside a scope; a failure is the
 * session's, as of any statement. BELAY_SCHEMA, pending nowhere, when there is none: then *error says what there is.
 */
belay_code belayi_catalog_read(belay_session *, const char *name, belayi_table *out_table, belay_error *error);
void belayi_catalog_done(belayi_table *); /* accepts a zeroed one */

/* NULL when there is none: by the exact name, or, where exactly one differs by case only, that one. */
const belayi_column *belayi_catalog_find(const belayi_table *, const char *name);

/* Puts `name` into quotes as SQL of this session's engine. NULL without memory; the caller frees it. */
char *belayi_catalog_quote(belay_session *, const char *name);

#endif
