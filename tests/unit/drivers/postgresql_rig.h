/*
 * postgresql_rig.h - drives the PostgreSQL driver by its table, on the server of BELAY_TEST_POSTGRESQL.
 */
#ifndef BELAY_TEST_POSTGRESQL_RIG_H
#define BELAY_TEST_POSTGRESQL_RIG_H

#include "driver_rig.h"

#include "postgresql.h"

#include "drivers/postgresql/conn.h"

#define D (&belayi_driver_postgresql)

/* One rig a program, with two connections on an empty database. */
extern rig r;
extern belay_conn *conn, *other;

int set_up(void **state);
int tear_down(void **state);

#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

/* The backend that serves the connection. */
int64_t backend_of(belay_conn *);
/* Ends it, and waits until it is gone. */
void kill_backend(int64_t pid);

#endif
