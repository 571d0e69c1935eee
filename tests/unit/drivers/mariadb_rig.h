/*
 * mariadb_rig.h - drives the MariaDB driver by its table, on the database of BELAY_TEST_MARIADB.
 *
 * Nothing else may use that database meanwhile. Without the URL the tests fail:
 * tools/servers.py run --only mariadb -- COMMAND gives it.
 */
#ifndef BELAY_TEST_MARIADB_RIG_H
#define BELAY_TEST_MARIADB_RIG_H

#include "driver_rig.h"

#include "conn.h"
#include "mariadb.h"

#define D (&belayi_driver_mariadb)

/* One rig a program, with two connections and the table t (a, b), which has the rows (1, 0) and (2, 0). `other` made
   it: nothing was done on `conn` yet. */
extern rig r;
extern belay_conn *conn, *other;

int set_up(void **state);
int tear_down(void **state);

#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

const char *rig_url(void);

/* Tries to connect with another URL. The error is in the rig. */
belay_code rig_try_url(const char *url);

/* What the driver knows of `conn`. */
belayi_mariadb_conn *inner(void);

/* By name, so that a failure can be read. */
#define assert_code(code, wanted) assert_string_equal(belay_code_name(code), belay_code_name(wanted))

/* A query without end, which a KILL QUERY hits; SLEEP and BENCHMARK swallow it. */
#define RIG_ENDLESS "SELECT count(*) FROM seq_1_to_1000000 a, seq_1_to_1000000 b WHERE a.seq + b.seq < 0"

#endif
