/*
 * driver_rig.h - drives a driver by its table, in tests.
 *
 * A rig is one database with up to four connections. What is SQLite's own, a
 * database in a folder of the rig's, is in sqlite_rig.h.
 */
#ifndef BELAY_TEST_DRIVER_RIG_H
#define BELAY_TEST_DRIVER_RIG_H

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

#include <belay/sys/driver.h>

enum { RIG_CONNECTIONS = 4 };

typedef struct rig {
    const belay_driver *driver;
    char directory[64]; /* of SQLite's files */
    void *shared;
    belay_conn *connections[RIG_CONNECTIONS];
    int count;
    belay_error error;   /* of the last call */
    belay_effect effect; /* of the last statement */
} rig;

/* A server's database, whose URL an environment variable has. Fails the test when it isn't set. */
void rig_init_server(rig *, const belay_driver *, const char *variable);
void rig_done_server(rig *);

/* A further connection, which may wait for locks for 5 s. */
belay_conn *rig_connect(rig *);
belay_code rig_try_connect(rig *, belay_conn **out); /* counted also when it failed */
void rig_disconnect(rig *, belay_conn *);

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

/* Fails the test unless the statement fails so. */
void rig_assert_error(rig *, belay_conn *, const char *sql, belay_code code, const char *sqlstate);

#endif
