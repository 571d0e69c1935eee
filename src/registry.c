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
#ifdef BELAY_HAVE_MARIADB
#include "mariadb.h"
#define MARIADB &belayi_driver_mariadb
#else
#define MARIADB NULL
#endif

static const char no_postgresql[] = "build the library with libpq (Debian: libpq-dev) and -Dpostgresql=enabled";
static const char no_mariadb[] = "build the library with libmariadb (Debian: libmariadb-dev) and -Dmariadb=enabled";

const belayi_engine belayi_engines[] = {
    {"sqlite", &belayi_driver_sqlite, NULL}, {"postgresql", POSTGRESQL, no_postgresql},
    {"postgres", POSTGRESQL, no_postgresql}, {"mariadb", MARIADB, no_mariadb},
    {"mysql", MARIADB, no_mariadb},          {NULL, NULL, NULL},
};

belay_session *belay_adopt_sqlite(struct sqlite3 *connection)
{
    return belayi_adopt(&belayi_driver_sqlite, connection);
}

/* A driver that this build doesn't have refuses by the handle that its URL would get. */
static belay_session *adopt_or_refuse(const belay_driver *driver, void *connection, const char *url)
{
    if (driver)
        return belayi_adopt(driver, connection);
    belay_db *db = belay_open(url, NULL);
    belay_session *s = belay_session_open(db);
    if (db)
        belayi_db_let_go(db);
    return s;
}

belay_session *belay_adopt_postgresql(struct pg_conn *connection)
{
    return adopt_or_refuse(POSTGRESQL, connection, "postgresql:");
}

belay_session *belay_adopt_mariadb(struct st_mysql *connection)
{
    return adopt_or_refuse(MARIADB, connection, "mariadb:");
}

const char *belay_version(void)
{
    return BELAY_VERSION;
}
