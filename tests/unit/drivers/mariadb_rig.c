#include "mariadb_rig.h"

static const char variable[] = "BELAY_TEST_MARIADB";

rig r;
belay_conn *conn, *other;

int set_up(void **state)
{
    (void)state;
    rig_init_server(&r, D, variable);
    conn = rig_connect(&r);
    other = rig_connect(&r);
    rig_must(&r, other, "DROP TABLE IF EXISTS t");
    rig_must(&r, other, "CREATE TABLE t (a INT PRIMARY KEY, b INT) ENGINE = InnoDB");
    rig_must(&r, other, "INSERT INTO t VALUES (1, 0), (2, 0)");
    return 0;
}

int tear_down(void **state)
{
    (void)state;
    rig_done_server(&r);
    return 0;
}

const char *rig_url(void)
{
    return getenv(variable);
}

belay_code rig_try_url(const char *url)
{
    rig tried = {.driver = D, .shared = calloc(1, D->shared_size)};
    belay_conn *ignored;
    int most;
    memset(&r.error, 0xA5, sizeof r.error);
    belay_code code = D->shared_init(tried.shared, url, &most, &r.error);
    if (code == BELAY_OK) {
        code = rig_try_connect(&tried, &ignored);
        r.error = tried.error;
    }
    rig_done_server(&tried);
    return code;
}

belayi_mariadb_conn *inner(void)
{
    return (belayi_mariadb_conn *)conn;
}
