#include "dialect.h"

#include <string.h>

#include "clock.h"

#define LIKE_OURS   "LIKE 'belay!_isolation!_%' ESCAPE '!'"
#define OUR_SCHEMAS "SELECT schema_name FROM information_schema.schemata WHERE schema_name " LIKE_OURS
#define OUR_TABLES(schema)                                                                                             \
    "SELECT table_name FROM information_schema.tables WHERE table_schema = " schema " AND table_name " LIKE_OURS

/* ---- Who waits --------------------------------------------------------------------------------------------------- */

/* A question that fails: the script can't be played then, as nobody knows who waits. */
static int64_t answer(belayi_watch *w, int64_t found)
{
    if (belay_status(w->s) != BELAY_OK)
        w->error = *belay_pending(w->s);
    return found;
}

/* From the lock manager itself: a lock that was granted is not waited for, even if its process has not woken up yet. */
static bool waits_on_postgresql(belayi_watch *w, int64_t id)
{
    return answer(w, belay_int_of(w->s, "SELECT cardinality(pg_blocking_pids(CAST(? AS integer)))", id)) > 0;
}

static bool somebody_waits(belayi_watch *w)
{
    return answer(w, belay_int_of(w->s, "SELECT variable_value FROM information_schema.global_status "
                                        "WHERE variable_name = 'INNODB_ROW_LOCK_CURRENT_WAITS'")) > 0;
}

/*
 * innodb_trx is a copy that the server makes anew when nobody has looked for 100 ms; who looks more often sees the old
 * one for ever. So the number of waits in the whole server, which is always new, is looked at first: mostly it is 0.
 */
static bool waits_on_mariadb(belayi_watch *w, int64_t id)
{
    enum { COPY_MS = 110 };
    if (!somebody_waits(w))
        return false;
    belayi_clock_sleep_until((w->may_not_look ? belayi_clock_now() : w->asked_ns) +
                             (int64_t)COPY_MS * BELAYI_NS_PER_MS);
    if (w->may_not_look)
        return somebody_waits(w);
    int64_t found = belay_int_of(w->s,
                                 "SELECT count(*) FROM information_schema.innodb_trx "
                                 "WHERE trx_mysql_thread_id = ? AND trx_state = 'LOCK WAIT'",
                                 id);
    w->asked_ns = belayi_clock_now();
    w->may_not_look = belay_status(w->s) == BELAY_PERMISSION;
    return w->may_not_look ? false : answer(w, found) > 0;
}

/* ---- Engines ----------------------------------------------------------------------------------------------------- */

static const belayi_dialect dialects[] = {
    {
        .engine = "sqlite",
        .version = "SELECT 'SQLite ' || sqlite_version()",
        .table_end = "",
    },
    {
        .engine = "postgresql",
        .version = "SELECT 'PostgreSQL ' || split_part(current_setting('server_version'), ' ', 1)",
        .identify = "SELECT pg_backend_pid()",
        .claim = "SELECT CASE WHEN pg_try_advisory_lock(('x' || left(md5(?), 16))::bit(64)::bigint) THEN 1 ELSE 0 END",
        .let_go = "SELECT CASE WHEN pg_advisory_unlock(('x' || left(md5(?), 16))::bit(64)::bigint) THEN 1 ELSE 0 END",
        .schemas = OUR_SCHEMAS,
        .tables = OUR_TABLES("current_schema()"),
        .drop = " CASCADE",
        .table_end = "",
        .waits = waits_on_postgresql,
    },
    {
        .engine = "mariadb",
        .version = "SELECT concat('MariaDB ', substring_index(version(), '-', 1))",
        .identify = "SELECT connection_id()",
        .claim = "SELECT get_lock(?, 0)",
        .let_go = "SELECT release_lock(?)",
        .schemas = OUR_SCHEMAS,
        .tables = OUR_TABLES("database()"),
        .drop = "",
        .table_end = " ENGINE = InnoDB",
        .waits = waits_on_mariadb,
    },
};

const belayi_dialect *belayi_dialect_of(const char *engine)
{
    for (size_t i = 0; i < sizeof dialects / sizeof dialects[0]; i++)
        if (strcmp(dialects[i].engine, engine) == 0)
            return &dialects[i];
    return NULL;
}
