/*
 * sqlite.h - the driver of SQLite, 3.38 or later.
 */
#ifndef BELAYI_SQLITE_H
#define BELAYI_SQLITE_H

#include <belay/sys/driver.h>

extern const belay_driver belayi_driver_sqlite;

#endif
