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

#ifdef BELAYI_HAVE_MARIADB
#include "mariadb.h"
#define DRIVER_MARIADB &belayi_driver_mariadb
#else
#define DRIVER_MARIADB NULL
#endif
static const char no_mariadb[] = "build it with libmariadb: install libmariadb-dev, then meson setup -Dmariadb=enabled";

const belayi_engine belayi_engines[] = {
    {"sqlite", &belayi_driver_sqlite, NULL}, {"postgresql", NULL, no_server},       {"postgres", NULL, no_server},
    {"mariadb", DRIVER_MARIADB, no_mariadb}, {"mysql", DRIVER_MARIADB, no_mariadb}, {NULL, NULL, NULL},
};

belay_session *belay_adopt_sqlite(struct sqlite3 *connection)
{
    return belayi_adopt(&belayi_driver_sqlite, connection);
}

belay_session *belay_adopt_mariadb(struct st_mysql *connection)
{
    return belayi_adopt(DRIVER_MARIADB, connection);
}

const char *belay_version(void)
{
    return BELAY_VERSION;
}
