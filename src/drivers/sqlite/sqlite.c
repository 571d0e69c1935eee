/*
 * sqlite.c - the driver's table, and what a URL of SQLite says.
 *
 * Tests: tests/unit/drivers.
 */
#include "sqlite.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conn.h"
#include "report.h"
#include "url.h"

enum {
    ALL_LEVELS = 1 << BELAY_READ_UNCOMMITTED | 1 << BELAY_READ_COMMITTED | 1 << BELAY_REPEATABLE_READ |
                 1 << BELAY_SNAPSHOT | 1 << BELAY_SERIALIZABLE
};

/* Where a schema is not named, what SQLite itself finds: the temporary tables, then main, then in the order of ATTACH.
   ANY converts nothing in a STRICT table, and elsewhere is a number's type. An alias of the rowid is a key that has no
   index of its own. A view takes rows by a trigger only; those of attached databases are not looked at here. */
static const char describe_columns[] =
    "SELECT t.schema, t.name, c.name, CASE WHEN t.strict AND upper(c.type) = 'ANY' THEN '' ELSE c.type END, "
    "c.\"notnull\", c.dflt_value IS NOT NULL OR (c.pk = 1 AND upper(c.type) = 'INTEGER' AND NOT t.wr "
    "AND t.type = 'table' "
    "AND NOT EXISTS (SELECT 1 FROM pragma_index_list(t.name, t.schema) AS i WHERE i.origin = 'pk') "
    "AND NOT EXISTS (SELECT 1 FROM pragma_table_xinfo(t.name, t.schema) AS o WHERE o.pk > 1)), "
    "c.hidden > 0 OR (t.type = 'view' AND t.schema IN ('main', 'temp') "
    "AND NOT EXISTS (SELECT 1 FROM (SELECT type, tbl_name, sql FROM main.sqlite_master "
    "UNION ALL SELECT type, tbl_name, sql FROM temp.sqlite_temp_master) AS g WHERE g.type = 'trigger' "
    "AND g.tbl_name = t.name COLLATE NOCASE AND g.sql LIKE '%INSTEAD%OF%INSERT%')), c.pk "
    "FROM (SELECT l.schema, l.name, l.type, l.wr, l.strict FROM pragma_table_list(?2) AS l "
    "JOIN pragma_database_list AS d ON d.name = l.schema WHERE ?1 IS NULL OR l.schema = ?1 COLLATE NOCASE "
    "ORDER BY l.schema <> 'temp', d.seq LIMIT 1) AS t, pragma_table_xinfo(t.name, t.schema) AS c ORDER BY c.cid";

/* What errors name besides CHECK has its columns in the error. */
static const char describe_constraints[] =
    "SELECT NULL, NULL, sql FROM (SELECT 'main' AS schema, tbl_name, type, sql FROM main.sqlite_master "
    "UNION ALL SELECT 'temp', tbl_name, type, sql FROM temp.sqlite_temp_master) "
    "WHERE type = 'table' AND schema = coalesce(?1, 'main') COLLATE NOCASE AND tbl_name = ?2 COLLATE NOCASE";

const belay_driver belayi_driver_sqlite = {
    .abi = BELAY_DRIVER_ABI,
    .name = "sqlite",
    .capabilities =
        BELAY_CAN_TRANSACT_DDL | BELAY_CAN_ELIDE | BELAY_HAS_ONE_WRITER | BELAY_LOCKS_WHOLE | BELAY_HAS_ON_CONFLICT,
    .levels = ALL_LEVELS,
    .epoch_seconds = "CAST(strftime('%s', 'now') AS INTEGER)",
    .insert_new = "INSERT INTO",
    .insert_new_end = " ON CONFLICT (%s) DO NOTHING",
    .key_type = "VARCHAR(255)",
    .table_end = "",
    .describe_columns = describe_columns,
    .describe_constraints = describe_constraints,
    .type_flavour = BELAY_TYPES_LOOSE,
    .name_quote = '"',
    .timestamp_type = "TIMESTAMP",
    .text_type = "TEXT",
    .shared_size = sizeof(belayi_sqlite_shared),
    .conn_size = sizeof(belayi_sqlite_conn),
    .shared_init = belayi_sqlite_shared_init,
    .shared_adopt = belayi_sqlite_shared_adopt,
    .shared_done = belayi_sqlite_shared_done,
    .open = belayi_sqlite_open,
    .close = belayi_sqlite_close,
    .disown = belayi_sqlite_disown,
    .native = belayi_sqlite_native,
    .status = belayi_sqlite_status,
    .isolation = belayi_sqlite_isolation,
    .begin = belayi_sqlite_begin,
    .commit = belayi_sqlite_commit,
    .check_deferred = belayi_sqlite_check_deferred,
    .rollback = belayi_sqlite_rollback,
    .savepoint = belayi_sqlite_savepoint,
    .release = belayi_sqlite_release,
    .rollback_to = belayi_sqlite_rollback_to,
    .prepare = belayi_sqlite_prepare,
    .finalize = belayi_sqlite_finalize,
    .self_contained = belayi_sqlite_self_contained,
    .execute = belayi_sqlite_execute,
    .start = belayi_sqlite_start,
    .step = belayi_sqlite_step,
    .finish = belayi_sqlite_finish,
    .column_name = belayi_sqlite_column_name,
    .execute_each = belayi_sqlite_execute_each,
};

enum { KEY_MODE, KEY_JOURNAL, KEY_SYNCHRONOUS, KEY_FOREIGN_KEYS, KEY_CACHE, KEYS };

static const char *const modes[] = {"ro", "rw", "rwc", NULL}; /* as belayi_sqlite_mode */
static const char *const journals[] = {"wal", "delete", "truncate", "persist", "memory", NULL};
static const char *const synchronouses[] = {"full", "extra", "normal", NULL};
static const char *const switches[] = {"on", "off", NULL};

static const belayi_url_key keys[KEYS] = {
    [KEY_MODE] = {"mode", modes, 0},
    [KEY_JOURNAL] = {"journal", journals, 0},
    [KEY_SYNCHRONOUS] = {"synchronous", synchronouses, 0},
    [KEY_FOREIGN_KEYS] = {"foreign_keys", switches, 0},
    [KEY_CACHE] = {"cache_kib", NULL, INT_MAX},
};

/* Makes the path absolute: connections are opened later, perhaps in another working directory. It is also what keeps
   SQLite, which may be built so, from reading `file:x` as a URI and `:memory:` as no file. */
static belay_code make_absolute(const char *path, char **out_path, belay_error *error)
{
    char here[PATH_MAX] = "";
    if (path[0] != '/' && !getcwd(here, sizeof here))
        return belayi_report(error, BELAY_CONNECTION, "the working directory, from which '%s' counts, is gone: %s",
                             path, strerror(errno));
    size_t room = strlen(here) + strlen(path) + 2;
    char *whole = malloc(room);
    if (!whole)
        return belayi_report(error, BELAY_NO_MEMORY, "no memory for a path");
    snprintf(whole, room, "%s%s%s", here, path[0] == '/' ? "" : "/", path);
    *out_path = whole;
    return BELAY_OK;
}

static belay_code read_path(belayi_sqlite_shared *shared, belayi_url *url, int *out_max_connections, belay_error *error)
{
    if (strcmp(url->rest, ":memory:") == 0) {
        if (url->values[KEY_MODE] >= 0 || url->values[KEY_JOURNAL] >= 0)
            return belayi_report(error, BELAY_MISUSE, "mode and journal have no meaning for a database in memory");
        *out_max_connections = 1;
        return BELAY_OK;
    }
    if (strncmp(url->rest, "//", 2) == 0) {
        belayi_report(error, BELAY_MISUSE, "a URL of SQLite has no host, and so no //");
        BELAYI_REPORT_FIELD(error->hint, "write sqlite:/absolute/path or sqlite:relative/path");
        return BELAY_MISUSE;
    }
    belay_code code = belayi_url_decode(url->rest, "path", error);
    if (code != BELAY_OK)
        return code;
    if (url->rest[0] == '\0')
        return belayi_report(error, BELAY_MISUSE, "the URL has no path (sqlite::memory: is a database in memory)");
    return make_absolute(url->rest, &shared->path, error);
}

/* The choice that was made, or the first one. */
static const char *choose(const belayi_url *url, int key)
{
    return keys[key].choices[url->values[key] < 0 ? 0 : url->values[key]];
}

belay_code belayi_sqlite_shared_init(void *state, const char *url_text, int *out_max_connections, belay_error *error)
{
    belayi_sqlite_shared *shared = state;
    belayi_turnstile_init(&shared->writers, 1);
    *out_max_connections = 0;
    belayi_url url;
    belay_code code = belayi_url_read(url_text, keys, KEYS, &url, error);
    if (code == BELAY_OK)
        code = read_path(shared, &url, out_max_connections, error);
    if (code == BELAY_OK) {
        shared->mode = url.values[KEY_MODE] < 0 ? BELAYI_SQLITE_RWC : (belayi_sqlite_mode)url.values[KEY_MODE];
        shared->journal_mode = choose(&url, KEY_JOURNAL);
        shared->synchronous = choose(&url, KEY_SYNCHRONOUS);
        shared->foreign_keys = choose(&url, KEY_FOREIGN_KEYS);
        shared->cache_kib = url.values[KEY_CACHE];
    }
    belayi_url_done(&url);
    return code;
}

belay_code belayi_sqlite_shared_adopt(void *state, void *native, belay_error *error)
{
    (void)error;
    belayi_sqlite_shared *shared = state;
    belayi_turnstile_init(&shared->writers, 1);
    shared->adopted = native;
    return BELAY_OK;
}

void belayi_sqlite_shared_done(void *state)
{
    belayi_sqlite_shared *shared = state;
    free(shared->path);
    shared->path = NULL;
    belayi_turnstile_done(&shared->writers);
}
