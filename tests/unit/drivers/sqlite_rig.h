/*
 * sqlite_rig.h - drives the SQLite driver by its table, in tests.
 *
 * The database is in memory or in a directory of its own that is removed with it.
 */
#ifndef BELAY_TEST_SQLITE_RIG_H
#define BELAY_TEST_SQLITE_RIG_H

#include "driver_rig.h"

#include "sqlite.h"

#define D (&belayi_driver_sqlite)

/* `parameters` follow the path of a file: "?journal=delete", or are NULL for a database in memory. */
void rig_init(rig *, const char *parameters);
void rig_done(rig *);

/* The path of the database, or of something else in the rig's directory. */
void rig_path(const rig *, const char *name, char out[128]);

/* A database of which only the URL is known. Fails or gives the only connection of the rig. */
belay_code rig_open_url(rig *, const char *url);

#endif
