/*
 * dialect.h - what is asked of each engine in words of its own.
 *
 * The only file of this room that names engines.
 * Tests: tests/isolation/test_isolation_check.c, test_isolation_tables.c.
 */
#ifndef BELAYI_ISOLATION_DIALECT_H
#define BELAYI_ISOLATION_DIALECT_H

#include <stdbool.h>
#include <stdint.h>

#include <belay/belay.h>

/* Asks who waits, on a session that takes no part. */
typedef struct belayi_watch {
    belay_session *s;
    int64_t asked_ns;  /* when innodb_trx was last looked at */
    bool may_not_look; /* at it: the right PROCESS is missing */
    belay_error error; /* why nobody can be asked; BELAY_OK */
} belayi_watch;

typedef struct belayi_dialect {
    const char *engine;   /* as belay_db_engine */
    const char *version;  /* a query */
    const char *identify; /* a query: the server's number of the connection; NULL: an engine that can't be asked */
    const char *claim; /* a query with a name as parameter: 1 when nobody had the lock of this name, and it was taken */
    const char *let_go;    /* likewise: gives it back */
    const char *schemas;   /* a query: names of schemas that may be leftovers; NULL: a file of its own instead */
    const char *tables;    /* and of tables in the current schema */
    const char *drop;      /* what follows DROP SCHEMA and its name */
    const char *table_end; /* of CREATE TABLE */
    bool (*waits)(belayi_watch *, int64_t id); /* whether the connection waits for a lock now */
} belayi_dialect;

/* NULL: no engine of this name is known here. */
const belayi_dialect *belayi_dialect_of(const char *engine);

#endif
