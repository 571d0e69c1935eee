/*
 * registry.c - which engines there are, and which of them this build has.
 *
 * The only file that names all the drivers.
 */
#include <belay/belay.h>

#include "adopt.h"
#include "db.h"
#include "sqlite.h"
#ifdef BELAY_HAVE_POSTGRESQL
#include "postgresql.h"
#define POSTGRESQL &belayi_driver_postgresql
#else
#define POSTGRESQL NULL
#endif

static const char no_server[] = "this release has no driver for it: sqlite:PATH, postgresql://user@host/database";
static const char no_postgresql[] = "build the library with libpq (Debian: libpq-dev) and -Dpostgresql=enabled";

const belayi_engine belayi_engines[] = {
    {"sqlite", &belayi_driver_sqlite, NULL},
    {"postgresql", POSTGRESQL, no_postgresql},
    {"postgres", POSTGRESQL, no_postgresql},
    {"mariadb", NULL, no_server},
    {"mysql", NULL, no_server},
    {NULL, NULL, NULL},
};

belay_session *belay_adopt_sqlite(struct sqlite3 *connection)
{
    return belayi_adopt(&belayi_driver_sqlite, connection);
}

/* A driver that this build doesn't have refuses by the handle that its URL would get. */
belay_session *belay_adopt_postgresql(struct pg_conn *connection)
{
    const belay_driver *driver = POSTGRESQL;
    if (driver)
        return belayi_adopt(driver, connection);
    belay_db *db = belay_open("postgresql:", NULL);
    belay_session *s = belay_session_open(db);
    if (db)
        belayi_db_let_go(db);
    return s;
}

const char *belay_version(void)
{
    return BELAY_VERSION;
}
