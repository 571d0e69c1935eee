/*
 * command.c - commands of the driver's own, as texts.
 */
#include <string.h>

#include "conn.h"

belay_code belayi_mariadb_run(belayi_mariadb_conn *conn, const char *text, belay_error *error)
{
    if (belayi_mariadb_query(conn, text, strlen(text)) == 0)
        return BELAY_OK;
    return belayi_mariadb_fail(conn, BELAYI_MARIADB_RUNNING, error);
}

belay_code belayi_mariadb_ask(belayi_mariadb_conn *conn, const char *text, MYSQL_RES **out_rows, belay_error *error)
{
    *out_rows = NULL;
    belay_code code = belayi_mariadb_run(conn, text, error);
    if (code != BELAY_OK)
        return code;
    *out_rows = belayi_mariadb_store(conn);
    return *out_rows ? BELAY_OK : belayi_mariadb_fail(conn, BELAYI_MARIADB_RUNNING, error);
}
