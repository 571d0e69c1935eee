/*
 * postgresql.h - the driver of PostgreSQL, by libpq 14 or later.
 */
#ifndef BELAYI_POSTGRESQL_H
#define BELAYI_POSTGRESQL_H

#include <belay/sys/driver.h>

extern const belay_driver belayi_driver_postgresql;

#endif
