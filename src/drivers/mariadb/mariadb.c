/*
 * mariadb.c - the driver's table, and what a URL of MariaDB says.
 *
 * Tests: tests/unit/drivers/test_mariadb_url.c.
 */
#include "mariadb.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "conn.h"
#include "report.h"
#include "url.h"

enum {
    ALL_LEVELS = 1 << BELAY_READ_UNCOMMITTED | 1 << BELAY_READ_COMMITTED | 1 << BELAY_REPEATABLE_READ |
                 1 << BELAY_SNAPSHOT | 1 << BELAY_SERIALIZABLE,
    PORT = 3306,
    CONNECT_SECONDS = 10
};

/* JSON is a name for a longtext with a constraint. information_schema compares names without regard to case, where the
   server does not. Each part of the query names its table by constants: else the server opens all the views that there
   are. */
#define OF_TABLE(alias, schema) alias "." schema " = COALESCE(?1, DATABASE()) AND " alias ".TABLE_NAME = ?2"
static const char describe_columns[] =
    "SELECT c.TABLE_SCHEMA, c.TABLE_NAME, c.COLUMN_NAME, CONCAT(IF(c.DATA_TYPE = 'longtext' AND EXISTS ("
    "SELECT 1 FROM information_schema.CHECK_CONSTRAINTS AS k WHERE " OF_TABLE(
        "k",
        "CONSTRAINT_SCHEMA") " AND k.CHECK_CLAUSE = CONCAT('json_valid(`', REPLACE(c.COLUMN_NAME, '`', '``'), '`)')), "
                             "'json', c.COLUMN_TYPE), "
                             "COALESCE(CONCAT(' character set ', c.CHARACTER_SET_NAME), '')), c.IS_NULLABLE = 'NO', "
                             "COALESCE(c.COLUMN_DEFAULT, 'NULL') <> 'NULL' OR c.EXTRA LIKE '%auto_increment%', "
                             "c.GENERATION_EXPRESSION IS NOT NULL OR EXISTS (SELECT 1 FROM information_schema.VIEWS AS "
                             "v "
                             "WHERE " OF_TABLE(
                                 "v",
                                 "TABLE_SCHEMA") " AND v.IS_UPDATABLE = 'NO'), "
                                                 "COALESCE((SELECT k.ORDINAL_POSITION FROM "
                                                 "information_schema.KEY_COLUMN_USAGE AS k "
                                                 "WHERE " OF_TABLE(
                                                     "k",
                                                     "TABLE_SCHEMA") " AND k.CONSTRAINT_NAME = 'PRIMARY' AND "
                                                                     "k.COLUMN_NAME = c.COLUMN_NAME), 0) "
                                                                     "FROM information_schema.COLUMNS AS c "
                                                                     "WHERE " OF_TABLE(
                                                                         "c",
                                                                         "TABLE_SCHEMA") " AND "
                                                                                         "(@@lower_case_table_names <> "
                                                                                         "0 OR BINARY c.TABLE_NAME = "
                                                                                         "?2) ORDER BY "
                                                                                         "c.ORDINAL_POSITION";

/* No BELAY_CAN_ELIDE: which engine a table has, and whether its statements are atomic, can change at any time. A
   snapshot that the server can't give is refused when a transaction begins: that is known when one has connected. */
/* A CHECK of a column is named by table and column. */
static const char describe_constraints[] =
    "SELECT INDEX_NAME, GROUP_CONCAT(COLUMN_NAME ORDER BY SEQ_IN_INDEX SEPARATOR ', '), NULL "
    "FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = COALESCE(?1, DATABASE()) AND TABLE_NAME = ?2 "
    "AND NON_UNIQUE = 0 GROUP BY INDEX_NAME "
    "UNION ALL SELECT CONSTRAINT_NAME, GROUP_CONCAT(COLUMN_NAME ORDER BY ORDINAL_POSITION SEPARATOR ', '), NULL "
    "FROM information_schema.KEY_COLUMN_USAGE WHERE TABLE_SCHEMA = COALESCE(?1, DATABASE()) AND TABLE_NAME = ?2 "
    "AND REFERENCED_TABLE_NAME IS NOT NULL GROUP BY CONSTRAINT_NAME "
    "UNION ALL SELECT IF(`LEVEL` = 'Column', CONCAT(TABLE_NAME, '.', CONSTRAINT_NAME), CONSTRAINT_NAME), NULL, "
    "CHECK_CLAUSE FROM information_schema.CHECK_CONSTRAINTS "
    "WHERE CONSTRAINT_SCHEMA = COALESCE(?1, DATABASE()) AND TABLE_NAME = ?2";

static const char describe_keys[] =
    "SELECT 'unique', GROUP_CONCAT(COLUMN_NAME ORDER BY SEQ_IN_INDEX SEPARATOR ', '), NULL, NULL, NULL "
    "FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = COALESCE(?1, DATABASE()) AND TABLE_NAME = ?2 "
    "AND NON_UNIQUE = 0 GROUP BY INDEX_NAME "
    "UNION ALL SELECT 'foreign', GROUP_CONCAT(COLUMN_NAME ORDER BY ORDINAL_POSITION SEPARATOR ', '), "
    "MAX(REFERENCED_TABLE_SCHEMA), MAX(REFERENCED_TABLE_NAME), "
    "GROUP_CONCAT(REFERENCED_COLUMN_NAME ORDER BY ORDINAL_POSITION SEPARATOR ', ') "
    "FROM information_schema.KEY_COLUMN_USAGE WHERE TABLE_SCHEMA = COALESCE(?1, DATABASE()) AND TABLE_NAME = ?2 "
    "AND REFERENCED_TABLE_NAME IS NOT NULL GROUP BY CONSTRAINT_NAME";

const belay_driver belayi_driver_mariadb = {
    .abi = BELAY_DRIVER_ABI,
    .name = "mariadb",
    .capabilities = BELAY_CAN_STAND_ALONE,
    .levels = ALL_LEVELS,
    .epoch_seconds = "UNIX_TIMESTAMP()",
    .insert_new = "INSERT IGNORE INTO",
    .insert_new_end = "",
    .key_type = "VARBINARY(255)", /* a text's collation may take two keys for one */
    .table_end = " ENGINE = InnoDB",
    .describe_columns = describe_columns,
    .describe_constraints = describe_constraints,
    .describe_keys = describe_keys,
    .type_flavour = BELAY_TYPES_DISPLAY,
    .name_quote = '`', /* also under ANSI_QUOTES */
    .timestamp_type = "DATETIME(6)",
    .text_type = "LONGTEXT",
    .bytes_type = "LONGBLOB",
    .moment_type = "DATETIME(6)",
    .decimal_type = "DECIMAL",
    .text_end = " CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin",
    .generated_key = "%s AUTO_INCREMENT",
    .shared_size = sizeof(belayi_mariadb_shared),
    .conn_size = sizeof(belayi_mariadb_conn),
    .shared_init = belayi_mariadb_shared_init,
    .shared_adopt = belayi_mariadb_shared_adopt,
    .shared_done = belayi_mariadb_shared_done,
    .open = belayi_mariadb_open,
    .close = belayi_mariadb_close,
    .disown = belayi_mariadb_disown,
    .native = belayi_mariadb_native,
    .status = belayi_mariadb_status,
    .hung_up = belayi_mariadb_hung_up_idle,
    .isolation = belayi_mariadb_isolation,
    .begin = belayi_mariadb_begin,
    .commit = belayi_mariadb_commit,
    .check_deferred = belayi_mariadb_check_deferred,
    .rollback = belayi_mariadb_rollback,
    .savepoint = belayi_mariadb_savepoint,
    .release = belayi_mariadb_release,
    .rollback_to = belayi_mariadb_rollback_to,
    .prepare = belayi_mariadb_prepare,
    .finalize = belayi_mariadb_finalize,
    .self_contained = belayi_mariadb_self_contained,
    .execute = belayi_mariadb_execute,
    .start = belayi_mariadb_start,
    .step = belayi_mariadb_step,
    .finish = belayi_mariadb_finish,
    .column_name = belayi_mariadb_column_name,
    .execute_each = belayi_mariadb_execute_each,
    .can_prepare = belayi_mariadb_can_prepare,
    .prepare_transaction = belayi_mariadb_prepare_transaction,
    .finish_prepared = belayi_mariadb_finish_prepared,
    .list_prepared = belayi_mariadb_list_prepared,
};

enum { KEY_SOCKET, KEY_CONNECT_SECONDS, KEY_TLS, KEY_CA, KEY_CERTIFICATE, KEY_KEY, KEYS };
enum { TLS_OFF, TLS_ON, TLS_VERIFY };

static const char *const tls_choices[] = {"off", "on", "verify", NULL};

static const belayi_url_key keys[KEYS] = {
    [KEY_SOCKET] = {.name = "socket"},
    [KEY_CONNECT_SECONDS] = {.name = "connect_seconds", .max = 3600},
    [KEY_TLS] = {.name = "tls", .choices = tls_choices},
    [KEY_CA] = {.name = "tls_ca"},
    [KEY_CERTIFICATE] = {.name = "tls_cert"},
    [KEY_KEY] = {.name = "tls_key"},
};

/* ---- //user:password@host:port/database --------------------------------------------------------------------- */

static belay_code read_port(belayi_mariadb_shared *shared, const char *text, belay_error *error)
{
    char *end;
    unsigned long port = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end || port == 0 || port > 65535)
        return belayi_report(error, BELAY_MISUSE, "the port in the URL is no number from 1 to 65535");
    shared->port = (unsigned)port;
    return BELAY_OK;
}

static belay_code read_host(belayi_mariadb_shared *shared, char *text, belay_error *error)
{
    char *port = strchr(text, ':');
    if (text[0] == '[') { /* [::1]:3306 */
        char *bracket = strchr(text, ']');
        if (!bracket || (bracket[1] && bracket[1] != ':'))
            return belayi_report(error, BELAY_MISUSE, "the host in the URL has a [ without its ]");
        port = bracket[1] ? bracket + 1 : NULL;
        *bracket = '\0';
        text++;
    }
    if (port)
        *port++ = '\0';
    belay_code code = port ? read_port(shared, port, error) : BELAY_OK;
    if (code == BELAY_OK)
        code = belayi_url_decode(text, "host", error);
    shared->host = *text ? text : "localhost";
    return code;
}

static belay_code read_user(belayi_mariadb_shared *shared, char *text, belay_error *error)
{
    char *password = strchr(text, ':');
    if (password)
        *password++ = '\0';
    belay_code code = belayi_url_decode(text, "user", error);
    if (code == BELAY_OK && password)
        code = belayi_url_decode(password, "password", error);
    shared->user = text;
    shared->password = password ? password : "";
    return code;
}

static belay_code read_address(belayi_mariadb_shared *shared, char *rest, belay_error *error)
{
    if (strncmp(rest, "//", 2) != 0)
        return belayi_report(error, BELAY_MISUSE, "the URL is not of the form mariadb://user@host/database");
    rest += 2;
    char *database = strchr(rest, '/');
    if (database)
        *database++ = '\0';
    char *at = strrchr(rest, '@');
    if (at)
        *at = '\0';
    /* The client library would ask the environment for a name. */
    if (!at || rest[0] == '\0' || rest[0] == ':')
        return belayi_report(error, BELAY_MISUSE, "the URL names no user: mariadb://user@host/database");
    belay_code code = read_user(shared, rest, error);
    if (code == BELAY_OK)
        code = read_host(shared, at + 1, error);
    if (code == BELAY_OK && database)
        code = belayi_url_decode(database, "database", error);
    shared->database = database && *database ? database : NULL;
    return code;
}

/* ---- The slots ------------------------------------------------------------------------------------------------ */

static pthread_once_t library_once = PTHREAD_ONCE_INIT;

static void begin_library(void)
{
    mysql_server_init(0, NULL, NULL);
}

belay_code belayi_mariadb_shared_init(void *state, const char *text, int *out_max_connections, belay_error *error)
{
    belayi_mariadb_shared *shared = state;
    belayi_url url;
    *out_max_connections = 0;
    pthread_once(&library_once, begin_library);
    belay_code code = belayi_url_read(text, keys, KEYS, &url, error);
    shared->memory = url.memory;
    shared->port = PORT;
    if (code == BELAY_OK)
        code = read_address(shared, url.rest, error);
    if (code != BELAY_OK)
        return code;
    int64_t seconds = url.values[KEY_CONNECT_SECONDS];
    shared->connect_ns = (seconds < 0 ? CONNECT_SECONDS : seconds) * 1000 * BELAYI_NS_PER_MS;
    shared->socket = url.texts[KEY_SOCKET];
    shared->tls_ca = url.texts[KEY_CA];
    shared->tls_certificate = url.texts[KEY_CERTIFICATE];
    shared->tls_key = url.texts[KEY_KEY];
    shared->tls = url.values[KEY_TLS] >= TLS_ON;
    shared->tls_verify = url.values[KEY_TLS] == TLS_VERIFY;
    if (!shared->tls && (shared->tls_ca || shared->tls_certificate || shared->tls_key))
        return belayi_report(error, BELAY_MISUSE,
                             "the URL's parameters tls_ca, tls_cert and tls_key need tls=on or "
                             "tls=verify");
    return BELAY_OK;
}

belay_code belayi_mariadb_shared_adopt(void *state, void *native, belay_error *error)
{
    belayi_mariadb_shared *shared = state;
    (void)error;
    pthread_once(&library_once, begin_library);
    shared->adopted = native;
    return BELAY_OK;
}

void belayi_mariadb_shared_done(void *state)
{
    belayi_mariadb_shared *shared = state;
    free(shared->memory);
    shared->memory = NULL;
}
