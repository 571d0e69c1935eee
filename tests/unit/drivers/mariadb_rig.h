/*
 * mariadb_rig.h - drives the MariaDB driver by its table, in tests.
 *
 * A rig is the database of BELAY_TEST_MARIADB, which nothing else may use
 * meanwhile, with up to four connections. Without that URL the tests fail:
 * tools/servers.py run --only mariadb -- COMMAND gives it.
 */
#ifndef BELAY_TEST_MARIADB_RIG_H
#define BELAY_TEST_MARIADB_RIG_H

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

#include "conn.h"
#include "mariadb.h"

enum { RIG_CONNECTIONS = 4 };

typedef struct rig {
    void *shared;
    belay_conn *connections[RIG_CONNECTIONS];
    int count;
    belay_error error;   /* of the last call */
    belay_effect effect; /* of the last statement */
} rig;

#define D (&belayi_driver_mariadb)

const char *rig_url(void);
void rig_init(rig *);
void rig_done(rig *);

/* A further connection, which may wait for locks for 5 s. */
belay_conn *rig_connect(rig *);

/* Tries to connect with another URL. The error is in the rig. */
belay_code rig_try_url(rig *, const char *url);

/* Prepares, executes and finalizes. */
belay_code rig_run(rig *, belay_conn *, const char *sql);
belay_code rig_run_values(rig *, belay_conn *, const char *sql, size_t n, const belay_value *values);
void rig_must(rig *, belay_conn *, const char *sql);
belay_statement *rig_prepare(rig *, belay_conn *, const char *sql);

/* The first column of the first row, which must be a whole number. */
int64_t rig_ask(rig *, belay_conn *, const char *sql);

void rig_must_begin(rig *, belay_conn *);
void rig_must_commit(rig *, belay_conn *);
void rig_must_rollback(rig *, belay_conn *);

/* Negative: no limit. */
void rig_limit(belay_conn *, int64_t lock_wait_ms, int64_t deadline_ms);

/* By name, so that a failure can be read. */
#define assert_code(code, wanted) assert_string_equal(belay_code_name(code), belay_code_name(wanted))

/* A query without end, which a KILL QUERY hits; SLEEP and BENCHMARK swallow it. */
#define RIG_ENDLESS "SELECT count(*) FROM seq_1_to_1000000 a, seq_1_to_1000000 b WHERE a.seq + b.seq < 0"

#endif
