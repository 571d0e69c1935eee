/*
 * mariadb.h - the driver of MariaDB, 10.5 or later.
 */
#ifndef BELAYI_MARIADB_H
#define BELAYI_MARIADB_H

#include <belay/sys/driver.h>

extern const belay_driver belayi_driver_mariadb;

#endif
