/*
 * keys.h - the unique and foreign keys of a table.
 *
 * Must not know: any engine by name; what they are wanted for.
 * Tests: tests/model_objects/test_differences.c, on every engine.
 */
#ifndef BELAYI_CATALOG_KEYS_H
#define BELAYI_CATALOG_KEYS_H

#include "catalog.h"

typedef struct belayi_key {
    bool foreign;        /* else unique; the primary key is, too, but where it is a table's rowid */
    const char *columns; /* joined by ", "; NULL: it is not of columns only */
    /* Of a foreign key; NULL where the engine does not say, which means the schema of the table, and the primary key.
     */
    const char *schema, *table, *references;
} belayi_key;

typedef struct belayi_keys {
    size_t count;
    belayi_key *list; /* memory of the table's */
} belayi_keys;

/* Asks for the keys of a table. BELAY_OK, the pending code, or BELAY_NO_MEMORY, pending nowhere. */
belay_code belayi_keys_read(belay_session *, const belayi_table *, belayi_keys *out_keys);

#endif
