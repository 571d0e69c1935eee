/*
 * registry.c - which engines there are, and which of them this build has.
 *
 * The only file that names all the drivers.
 */
#include <belay/belay.h>

#include "adopt.h"
#include "db.h"
#include "sqlite.h"

static const char no_server[] = "this release has a driver for SQLite only: sqlite:PATH or sqlite::memory:";

const belayi_engine belayi_engines[] = {
    {"sqlite", &belayi_driver_sqlite, NULL},
    {"postgresql", NULL, no_server},
    {"postgres", NULL, no_server},
    {"mariadb", NULL, no_server},
    {"mysql", NULL, no_server},
    {NULL, NULL, NULL},
};

belay_session *belay_adopt_sqlite(struct sqlite3 *connection)
{
    return belayi_adopt(&belayi_driver_sqlite, connection);
}

const char *belay_version(void)
{
    return BELAY_VERSION;
}
