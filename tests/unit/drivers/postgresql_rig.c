#include "postgresql_rig.h"

#include "clock.h"

rig r;
belay_conn *conn, *other;

int set_up(void **state)
{
    (void)state;
    rig_init_server(&r, D, "BELAY_TEST_POSTGRESQL");
    conn = rig_connect(&r);
    other = rig_connect(&r);
    rig_must(&r, conn, "DROP SCHEMA public CASCADE");
    rig_must(&r, conn, "CREATE SCHEMA public");
    rig_must(&r, conn, "CREATE TABLE t (id integer PRIMARY KEY, note text)");
    rig_must(&r, conn, "INSERT INTO t VALUES (1, 'one'), (2, 'two')");
    return 0;
}

int tear_down(void **state)
{
    (void)state;
    rig_done_server(&r);
    return 0;
}

int64_t backend_of(belay_conn *which)
{
    return rig_ask(&r, which, "SELECT pg_backend_pid()");
}

void kill_backend(int64_t pid)
{
    char sql[128];
    belay_conn *killer = rig_connect(&r);
    snprintf(sql, sizeof sql, "SELECT pg_terminate_backend(%d, 10000)::int", (int)pid);
    assert_int_equal(rig_ask(&r, killer, sql), 1);
    rig_disconnect(&r, killer);
}
