/*
 * registry.c - which engines there are, and which of them this build has.
 *
 * The only file that names all the drivers.
 */
#include <belay/belay.h>

#include "db.h"
#include "sqlite.h"

const belayi_engine belayi_engines[] = {
    {"sqlite", &belayi_driver_sqlite, NULL},
    {NULL, NULL, NULL},
};

const char *belay_version(void)
{
    return BELAY_VERSION;
}
