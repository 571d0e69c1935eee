/*
 * connection.c - opens and closes a connection, its settings, and what the server
 * says of it.
 *
 * What a session is set to is asked and told in one statement each when it
 * connects, and later sent only when it changes.
 * Tests: tests/unit/drivers/test_mariadb_open.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "conn.h"
#include "report.h"

static const belayi_sql_rules mariadb_rules = {
    .placeholders = BELAYI_PLACEHOLDERS_PLAIN,
    .backslash_escapes = true,
    .double_quoted_strings = true,
    .hash_comments = true,
    .dash_needs_space = true,
    .executable_comments = true,
    .backtick_identifiers = true,
    .ddl_commits = true,
};

/* ---- Settings --------------------------------------------------------------------------------------------------- */

static void read_sql_mode(belayi_mariadb_conn *conn, const char *mode)
{
    conn->rules.backslash_escapes = !strstr(mode, "NO_BACKSLASH_ESCAPES");
    conn->rules.double_quoted_strings = !strstr(mode, "ANSI_QUOTES");
}

belay_code belayi_mariadb_renew_rules(belayi_mariadb_conn *conn, belay_error *error)
{
    MYSQL_RES *rows;
    belay_code code = belayi_mariadb_ask(conn, "SELECT @@sql_mode", &rows, error);
    if (code != BELAY_OK)
        return code;
    MYSQL_ROW row = mysql_fetch_row(rows);
    read_sql_mode(conn, row && row[0] ? row[0] : "");
    mysql_free_result(rows);
    return BELAY_OK;
}

static void note_variable(belayi_mariadb_conn *conn, const char *name, const char *value)
{
    if (strcmp(name, "sql_mode") == 0)
        read_sql_mode(conn, value);
    if (strcmp(name, "tx_isolation") == 0 || strcmp(name, "transaction_isolation") == 0) {
        snprintf(conn->level_variable, sizeof conn->level_variable, "%s", name);
        snprintf(conn->default_level, sizeof conn->default_level, "%s", value);
    }
    if (strcmp(name, "max_allowed_packet") == 0)
        conn->max_packet = strtoull(value, NULL, 10);
    if (strcmp(name, "innodb_snapshot_isolation") == 0) {
        conn->has_snapshot = true;
        conn->snapshot_on = strcmp(value, "ON") == 0;
    }
}

static belay_code read_variables(belayi_mariadb_conn *conn, belay_error *error)
{
    static const char text[] = "SHOW SESSION VARIABLES WHERE Variable_name IN "
                               "('sql_mode', 'tx_isolation', 'transaction_isolation', 'innodb_snapshot_isolation', "
                               "'max_allowed_packet')";
    MYSQL_RES *rows;
    belay_code code = belayi_mariadb_ask(conn, text, &rows, error);
    if (code != BELAY_OK)
        return code;
    for (MYSQL_ROW row; (row = mysql_fetch_row(rows)) != NULL;)
        if (row[0] && row[1])
            note_variable(conn, row[0], row[1]);
    mysql_free_result(rows);
    return BELAY_OK;
}

/* In whole seconds, as the server has it: rounded up. */
static int64_t lock_seconds(const belayi_mariadb_conn *conn)
{
    enum { FOR_EVER = 31536000 }; /* the longest that lock_wait_timeout can be: a year */
    const int64_t second = INT64_C(1000) * BELAYI_NS_PER_MS;
    int64_t ns = conn->base.limits.lock_wait_ns;
    if (ns < 0 || ns / second >= FOR_EVER)
        return FOR_EVER;
    return (ns + second - 1) / second;
}

bool belayi_mariadb_write_lock_limit(belayi_mariadb_conn *conn, char text[BELAYI_MARIADB_SETTING_ROOM])
{
    int64_t seconds = lock_seconds(conn);
    if (conn->adopted || conn->lock_wait_s == seconds)
        return false;
    snprintf(text, BELAYI_MARIADB_SETTING_ROOM, "SET SESSION innodb_lock_wait_timeout = %lld, lock_wait_timeout = %lld",
             (long long)seconds, (long long)seconds);
    conn->lock_wait_s = seconds;
    return true;
}

void belayi_mariadb_forget_settings(belayi_mariadb_conn *conn)
{
    conn->lock_wait_s = -1;
    if (conn->idle_s != 0) /* where none of ours is in force, the program's own stays */
        conn->idle_s = -1;
    conn->level = BELAYI_MARIADB_LEVEL_UNKNOWN;
}

bool belayi_mariadb_write_idle_limit(belayi_mariadb_conn *conn, char text[BELAYI_MARIADB_SETTING_ROOM])
{
    enum { LONGEST = 31536000 };
    const int64_t second = INT64_C(1000) * BELAYI_NS_PER_MS;
    int64_t ns = conn->base.limits.idle_ns, seconds = ns / second + (ns % second > 0);
    if (seconds > LONGEST)
        seconds = LONGEST;
    if (conn->adopted || conn->idle_s == seconds)
        return false;
    if (seconds > 0)
        snprintf(text, BELAYI_MARIADB_SETTING_ROOM, "SET SESSION idle_transaction_timeout = %lld", (long long)seconds);
    else
        snprintf(text, BELAYI_MARIADB_SETTING_ROOM, "SET SESSION idle_transaction_timeout = DEFAULT");
    conn->idle_s = seconds;
    return true;
}

/* Moments are in UTC, values that don't fit are refused, a key of 0 is stored as it is, messages can be read, COMMIT
 * does nothing else, and nothing is committed that was not told to be: see ahead.c. */
static belay_code configure(belayi_mariadb_conn *conn, belay_error *error)
{
    char text[320];
    conn->lock_wait_s = lock_seconds(conn);
    snprintf(
        text, sizeof text,
        "SET SESSION autocommit = 0, completion_type = 0, time_zone = '+00:00', lc_messages = 'en_US', "
        "sql_mode = CONCAT(@@sql_mode, ',STRICT_TRANS_TABLES,NO_AUTO_VALUE_ON_ZERO'), innodb_lock_wait_timeout = %lld, "
        "lock_wait_timeout = %lld",
        (long long)conn->lock_wait_s, (long long)conn->lock_wait_s);
    return belayi_mariadb_run(conn, text, error);
}

/* ---- Open and close --------------------------------------------------------------------------------------------- */

static belay_code check_server(const belayi_mariadb_conn *conn, belay_error *error)
{
    enum { OLDEST = 100500 };
    if (!mariadb_connection(conn->db) || mysql_get_server_version(conn->db) < OLDEST)
        return belayi_report(error, BELAY_UNSUPPORTED, "the server is %s: MariaDB 10.5 or later is needed",
                             mysql_get_server_info(conn->db));
    return BELAY_OK;
}

static belay_code connect_anew(belayi_mariadb_conn *conn, belay_error *error)
{
    const belayi_mariadb_shared *shared = belayi_mariadb_shared_of(conn);
    int64_t deadline = conn->base.limits.deadline_ns;
    int64_t end_ns = belayi_clock_earlier(deadline, belayi_clock_now() + shared->connect_ns);
    if (belayi_clock_passed(deadline))
        return belayi_report(error, BELAY_TIMEOUT, "the time limit had passed before a connection was there");
    conn->base.round_trips++;
    if (belayi_mariadb_connect(shared, end_ns, &conn->db)) {
        belayi_mariadb_prepare_ahead(conn);
        return BELAY_OK;
    }
    if (!conn->db)
        return belayi_report(error, BELAY_NO_MEMORY, "no memory for a connection");
    if (belayi_clock_passed(end_ns))
        return belayi_report(error, end_ns == deadline ? BELAY_TIMEOUT : BELAY_CONNECTION,
                             "the server did not answer in time");
    belay_code code = belayi_mariadb_fail(conn, BELAYI_MARIADB_OPENING, error);
    if (code == BELAY_SCHEMA) /* no such database */
        error->code = BELAY_CONNECTION;
    return error->code;
}

belay_code belayi_mariadb_open(belay_conn *base, belay_error *error)
{
    belayi_mariadb_conn *conn = (belayi_mariadb_conn *)base;
    belay_conn given = *base;
    *conn = (belayi_mariadb_conn){.base = given, .rules = mariadb_rules, .lock_wait_s = -1};
    conn->base.rules = &conn->rules;
    conn->adopted = belayi_mariadb_shared_of(conn)->adopted != NULL;
    conn->db = belayi_mariadb_shared_of(conn)->adopted;
    belay_code code = conn->adopted ? BELAY_OK : connect_anew(conn, error);
    if (code == BELAY_OK)
        code = check_server(conn, error);
    if (code == BELAY_OK)
        code = belayi_mariadb_ready(conn, BELAYI_MARIADB_CONTROL, error);
    if (code == BELAY_OK && !conn->adopted)
        code = configure(conn, error);
    if (code == BELAY_OK)
        code = read_variables(conn, error);
    conn->doubt = false;
    return code;
}

void belayi_mariadb_close(belay_conn *base)
{
    belayi_mariadb_conn *conn = (belayi_mariadb_conn *)base;
    if (conn->db && !conn->adopted)
        mysql_close(conn->db);
    conn->db = NULL;
}

/* Anything that was said would be said in the parent's name. So the descriptor is closed, and the rest leaks. */
void belayi_mariadb_disown(belay_conn *base)
{
    belayi_mariadb_conn *conn = (belayi_mariadb_conn *)base;
    if (conn->db && !conn->adopted)
        close(mysql_get_socket(conn->db));
    conn->db = NULL;
}

void *belayi_mariadb_native(belay_conn *base)
{
    belayi_mariadb_conn *conn = (belayi_mariadb_conn *)base;
    belay_error ignored;
    if (!conn->adopted && !conn->lent && conn->began && belayi_mariadb_lend(conn, &ignored) != BELAY_OK)
        return NULL;
    conn->lent = true;
    conn->vetted.statement = NULL;
    belayi_mariadb_forget_settings(conn);
    return conn->db;
}

/* ---- What the server says --------------------------------------------------------------------------------------- */

/* With autocommit off on a program's own connection, every statement is in a transaction. */
static bool ask_status(belayi_mariadb_conn *conn, bool *out_open)
{
    const char *text = conn->adopted ? "SELECT @@in_transaction OR NOT @@autocommit, @@sql_mode"
                                     : "SELECT @@in_transaction, @@sql_mode";
    belay_error ignored;
    MYSQL_RES *rows;
    if (belayi_mariadb_ready(conn, BELAYI_MARIADB_BACK, &ignored) != BELAY_OK ||
        belayi_mariadb_ask(conn, text, &rows, &ignored) != BELAY_OK)
        return false;
    MYSQL_ROW row = mysql_fetch_row(rows);
    *out_open = row && row[0] && row[0][0] == '1';
    if (row && row[1])
        read_sql_mode(conn, row[1]);
    mysql_free_result(rows);
    return row != NULL;
}

/* A deadlock has rolled an XA transaction back, and the server takes nothing until it is told to do so. */
static bool let_go_of_xa(belayi_mariadb_conn *conn)
{
    belay_error error;
    if (belayi_mariadb_ready(conn, BELAYI_MARIADB_BACK, &error) == BELAY_OK &&
        belayi_mariadb_rollback_xa(conn, conn->xa, &error) == BELAY_OK)
        conn->xa = NULL;
    return !conn->xa;
}

belay_transaction_status belayi_mariadb_status(belay_conn *base)
{
    belayi_mariadb_conn *conn = (belayi_mariadb_conn *)base;
    if (conn->lost || !conn->db)
        return BELAY_TRANSACTION_LOST;
    if (conn->prepared)
        return BELAY_TRANSACTION_OPEN; /* until it is told its fate, there is nothing else that it takes */
    bool open = conn->owed.begin || belayi_mariadb_flag(conn);
    if ((conn->doubt || conn->lent || conn->adopted) && !conn->reading) {
        bool told = ask_status(conn, &open);
        if (!told) /* somebody else's KILL QUERY may have hit the question */
            told = ask_status(conn, &open);
        if (!told) {
            conn->lost = !conn->adopted;
            return BELAY_TRANSACTION_LOST;
        }
        conn->doubt = false;
    }
    if (open)
        return BELAY_TRANSACTION_OPEN;
    if (conn->xa && conn->began && !conn->reading && !let_go_of_xa(conn)) {
        conn->lost = true;
        return BELAY_TRANSACTION_LOST;
    }
    conn->began = conn->lent = false;
    conn->own_level = BELAY_ISOLATION_DEFAULT;
    return BELAY_TRANSACTION_NONE;
}

/* ---- Isolation -------------------------------------------------------------------------------------------------- */

static const char *const level_words[] = {
    [BELAY_READ_UNCOMMITTED] = "READ-UNCOMMITTED", [BELAY_READ_COMMITTED] = "READ-COMMITTED",
    [BELAY_REPEATABLE_READ] = "REPEATABLE-READ",   [BELAY_SNAPSHOT] = "REPEATABLE-READ",
    [BELAY_SERIALIZABLE] = "SERIALIZABLE",
};

static belay_level read_level(const char *word, bool snapshot)
{
    if (strcmp(word, "READ-UNCOMMITTED") == 0)
        return BELAY_READ_UNCOMMITTED;
    if (strcmp(word, "READ-COMMITTED") == 0)
        return BELAY_READ_COMMITTED;
    if (strcmp(word, "SERIALIZABLE") == 0)
        return BELAY_SERIALIZABLE;
    return snapshot ? BELAY_SNAPSHOT : BELAY_REPEATABLE_READ;
}

belay_code belayi_mariadb_isolation(belay_conn *base, belay_level *out_level, belay_error *error)
{
    belayi_mariadb_conn *conn = (belayi_mariadb_conn *)base;
    char text[96];
    MYSQL_RES *rows;
    *out_level = conn->own_level;
    if (conn->own_level != BELAY_ISOLATION_DEFAULT)
        return BELAY_OK;
    snprintf(text, sizeof text, "SELECT @@%s, %s", conn->level_variable,
             conn->has_snapshot ? "@@innodb_snapshot_isolation" : "0");
    belay_code code = belayi_mariadb_ready(conn, BELAYI_MARIADB_CONTROL, error);
    if (code == BELAY_OK)
        code = belayi_mariadb_pay(conn, error);
    if (code == BELAY_OK)
        code = belayi_mariadb_ask(conn, text, &rows, error);
    if (code != BELAY_OK)
        return code;
    MYSQL_ROW row = mysql_fetch_row(rows);
    if (row && row[0] && row[1])
        *out_level = read_level(row[0], row[1][0] == '1');
    mysql_free_result(rows);
    return BELAY_OK;
}

/* On a connection of the program's the session's level stays: only the next transaction has another. */
belay_code belayi_mariadb_set_next_level(belayi_mariadb_conn *conn, belay_level level, belay_error *error)
{
    char text[80];
    conn->own_level = level;
    if (level == BELAY_ISOLATION_DEFAULT)
        return BELAY_OK;
    int size = snprintf(text, sizeof text, "SET TRANSACTION ISOLATION LEVEL %s", level_words[level]);
    for (int i = 0; i < size; i++)
        if (text[i] == '-')
            text[i] = ' ';
    return belayi_mariadb_run(conn, text, error);
}

belay_code belayi_mariadb_check_level(const belayi_mariadb_conn *conn, belay_level level, belay_error *error)
{
    if (level != BELAY_SNAPSHOT || (conn->has_snapshot && (!conn->adopted || conn->snapshot_on)))
        return BELAY_OK;
    return belayi_report(error, BELAY_UNSUPPORTED,
                         conn->adopted ? "innodb_snapshot_isolation is off on the program's own connection"
                                       : "this server can't give snapshots: it has no innodb_snapshot_isolation");
}

bool belayi_mariadb_write_level(belayi_mariadb_conn *conn, belay_level level, char text[BELAYI_MARIADB_SETTING_ROOM])
{
    bool snapshot = level == BELAY_SNAPSHOT || conn->snapshot_on;
    if (conn->level == level)
        return false;
    int size = snprintf(text, BELAYI_MARIADB_SETTING_ROOM, "SET SESSION %s = '%s'", conn->level_variable,
                        level == BELAY_ISOLATION_DEFAULT ? conn->default_level : level_words[level]);
    if (conn->has_snapshot)
        snprintf(text + size, BELAYI_MARIADB_SETTING_ROOM - (size_t)size, ", innodb_snapshot_isolation = %d", snapshot);
    conn->level = level;
    return true;
}
