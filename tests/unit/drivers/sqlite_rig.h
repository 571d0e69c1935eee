/*
 * sqlite_rig.h - drives the SQLite driver by its table, in tests.
 *
 * A rig is one database with up to four connections, in memory or in a
 * directory of its own that is removed with it.
 */
#ifndef BELAY_TEST_SQLITE_RIG_H
#define BELAY_TEST_SQLITE_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sqlite.h"

enum { RIG_CONNECTIONS = 4 };

typedef struct rig {
    char directory[64];
    void *shared;
    belay_conn *connections[RIG_CONNECTIONS];
    int count;
    belay_error error;   /* of the last call */
    belay_effect effect; /* of the last statement */
} rig;

#define D (&belayi_driver_sqlite)

/* `parameters` follow the path of a file: "?journal=delete", or are NULL for a database in memory. */
void rig_init(rig *, const char *parameters);
void rig_done(rig *);

/* A further connection, which may wait for locks for 5 s. */
belay_conn *rig_connect(rig *);
void rig_disconnect(rig *, belay_conn *);

/* The path of the database, or of something else in the rig's directory. */
void rig_path(const rig *, const char *name, char out[128]);

/* A database of which only the URL is known. Fails or gives the only connection of the rig. */
belay_code rig_open_url(rig *, const char *url);

/* Prepares, executes and finalizes. */
belay_code rig_run(rig *, belay_conn *, const char *sql);
belay_code rig_run_values(rig *, belay_conn *, const char *sql, size_t n, const belay_value *values);
void rig_must(rig *, belay_conn *, const char *sql);

/* The first column of the first row, which must be an integer. */
int64_t rig_ask(rig *, belay_conn *, const char *sql);

/* Reads the text as the library does, and prepares it; what the lexer refuses goes to the driver as it is. */
belay_code rig_try_prepare(belay_conn *, const char *sql, unsigned parameters, belay_statement **out,
                           belay_error *error);

belay_statement *rig_prepare(rig *, belay_conn *, const char *sql, unsigned parameters);
belay_code rig_begin(rig *, belay_conn *, bool read_only);
void rig_must_begin(rig *, belay_conn *);
void rig_must_commit(rig *, belay_conn *);
void rig_must_rollback(rig *, belay_conn *);

void rig_limit(belay_conn *, int64_t lock_wait_ms, int64_t deadline_ms);

#endif
