#include "database.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- Where it lies ---------------------------------------------------------------------------------------------- */

/* Memory, where there is a file system in memory: the tests are about scopes, not about disks. */
static const char *find_room(void)
{
    const char *given = getenv("TMPDIR");
    if (given && *given)
        return given;
    return access("/dev/shm", W_OK | X_OK) == 0 ? "/dev/shm" : "/tmp";
}

/* ---- A server's: a database of the program's own, so that programs run side by side ----------------- */

static struct {
    pid_t program; /* which made it; a child after fork leaves it alone */
    char given[400], url[400], name[32];
} own;

static const char create_mariadb[] = "CREATE DATABASE %s CHARACTER SET utf8mb4";

static bool is_mariadb(const char *url)
{
    return strncmp(url, "mariadb:", 8) == 0 || strncmp(url, "mysql:", 6) == 0;
}

/* Runs a statement with the database's name in place of its %s, on a connection of its own. */
static bool run_on(const char *url, const char *format, const char *name)
{
    char sql[120];
    belay_db *db = belay_open(url, BELAY_DB_OPTIONS(.pool_size = 1, .lock_timeout_ms = 20000));
    belay_session *s = belay_session_open(db);
    snprintf(sql, sizeof sql, format, name);
    bool done = belay_exec(s, sql) == BELAY_OK;
    if (!done)
        print_error("%s: %s\n", sql, belay_message(s));
    belay_session_close(s);
    belay_close(db);
    return done;
}

static void drop_own(void)
{
    if (own.program == getpid())
        run_on(own.given, is_mariadb(own.given) ? "DROP DATABASE IF EXISTS %s" : "DROP DATABASE IF EXISTS %s (FORCE)",
               own.name);
}

/* The given URL with another name in it. */
static void write_own_url(void)
{
    const char *host = strstr(own.given, "://");
    const char *name = host ? strchr(host + 3, '/') : NULL;
    if (!name)
        fail_msg("the URL names no database");
    const char *end = name + strcspn(name, "?");
    snprintf(own.url, sizeof own.url, "%.*s/%s%s", (int)(name - own.given), own.given, own.name, end);
}

static const char *find_own(const char *given)
{
    if (own.program == getpid() && strcmp(own.given, given) == 0)
        return own.url;
    snprintf(own.given, sizeof own.given, "%s", given);
    snprintf(own.name, sizeof own.name, "belay_%ld", (long)getpid());
    write_own_url();
    if (!run_on(given, is_mariadb(given) ? create_mariadb : "CREATE DATABASE %s", own.name))
        fail_msg("the program can't have a database of its own");
    own.program = getpid();
    atexit(drop_own);
    return own.url;
}

/* As a new file would be. Another test's tables may refer to each other in ways that only they know: all goes. */
static void empty_own(void)
{
    bool done = is_mariadb(own.given)
                    ? run_on(own.given, "DROP DATABASE %s", own.name) && run_on(own.given, create_mariadb, own.name)
                    : run_on(own.url, "DROP SCHEMA public CASCADE", "") && run_on(own.url, "CREATE SCHEMA public", "");
    if (!done)
        fail_msg("the database can't be emptied");
}

/* How many are open: the first one of a test finds the server's database empty. */
static int open_databases;

void database_make(database *d, const char *parameters)
{
    const char *given = getenv("BELAY_TEST_URL");
    memset(d, 0, sizeof *d);
    pthread_mutex_init(&d->mutex, NULL);
    if (given && *given) {
        snprintf(d->url, sizeof d->url, "%s", find_own(given));
        if (open_databases++ == 0)
            empty_own();
        return;
    }
    snprintf(d->directory, sizeof d->directory, "%s/belay-test-XXXXXX", find_room());
    if (!mkdtemp(d->directory))
        fail_msg("no directory for the database: %s", d->directory);
    snprintf(d->path, sizeof d->path, "%s/test.db", d->directory);
    snprintf(d->url, sizeof d->url, "sqlite:%s%s", d->path, parameters);
}

static void remove_directory(const char *path)
{
    DIR *directory = opendir(path);
    for (struct dirent *entry; directory && (entry = readdir(directory)) != NULL;)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            unlinkat(dirfd(directory), entry->d_name, 0);
    if (directory)
        closedir(directory);
    rmdir(path);
}

bool database_is_sqlite(const database *d)
{
    return strncmp(d->url, "sqlite:", 7) == 0;
}

bool database_is_mariadb(const database *d)
{
    return is_mariadb(d->url);
}

const char *on_engine(const database *d, const char *sqlite, const char *postgresql, const char *mariadb)
{
    return database_is_sqlite(d) ? sqlite : database_is_mariadb(d) ? mariadb : postgresql;
}

/* ---- Opening and closing ---------------------------------------------------------------------------------------- */

static void collect_line(void *arg, belay_log_level level, const char *line)
{
    database *d = arg;
    (void)level;
    pthread_mutex_lock(&d->mutex);
    int size = snprintf(d->log + d->log_size, sizeof d->log - d->log_size, "%s\n", line);
    if (size > 0 && (size_t)size < sizeof d->log - d->log_size)
        d->log_size += (size_t)size;
    d->log_lines++;
    pthread_mutex_unlock(&d->mutex);
}

belay_db_options database_options(database *d, const belay_db_options *given)
{
    belay_db_options options = given ? *given : (belay_db_options){.size = sizeof options};
    options.log = collect_line;
    options.log_arg = d;
    return options;
}

void database_open(database *d, const belay_db_options *given)
{
    database_make(d, "");
    belay_db_options options = database_options(d, given);
    d->db = belay_open(d->url, &options);
    d->s = belay_session_open(d->db);
    const belay_error *error = belay_db_error(d->db);
    if (error->code != BELAY_OK || !d->s)
        fail_msg("the database can't be used: %s", error->message);
}

belay_code database_close(database *d)
{
    belay_code code = belay_session_close(d->s);
    belay_close(d->db);
    open_databases -= open_databases > 0;
    d->s = NULL;
    d->db = NULL;
    if (d->directory[0])
        remove_directory(d->directory);
    pthread_mutex_destroy(&d->mutex);
    return code;
}

const char *database_log(database *d)
{
    return d->log;
}

/* ---- Looking ---------------------------------------------------------------------------------------------------- */

void database_run(belay_session *s, const char *const *statements)
{
    for (; *statements; statements++)
        if (belay_exec(s, *statements) != BELAY_OK)
            fail_msg("%s: %s", *statements, belay_message(s));
}

enum { ROWS_ROOM = 32 * 1024, ROWS_AT_ONCE = 4 };

static void add_value(char *text, size_t *size, const char *before, const char *value)
{
    int added = snprintf(text + *size, ROWS_ROOM - *size, "%s%s", before, value ? value : "NULL");
    *size = added > 0 && (size_t)added < ROWS_ROOM - *size ? *size + (size_t)added : ROWS_ROOM - 1;
}

const char *rows_of(belay_session *s, const char *sql)
{
    static char texts[ROWS_AT_ONCE][ROWS_ROOM];
    static unsigned turn;
    char *text = texts[turn++ % ROWS_AT_ONCE];
    size_t size = 0;
    text[0] = '\0';
    belay_rows *rows = belay_query(s, sql);
    if (!rows)
        snprintf(text, ROWS_ROOM, "ERROR: %s", belay_message(s));
    while (belay_next(rows))
        for (int i = 0; i < belay_columns(rows); i++)
            add_value(text, &size, i > 0 ? "|" : size > 0 ? ";" : "", belay_str(rows, i));
    belay_rows_close(rows);
    return text;
}

void assert_status_at(belay_session *s, belay_code expected, const char *file, int line)
{
    belay_code code = belay_status(s);
    if (code == expected)
        return;
    print_error("the status is %s and not %s: %s\n", belay_code_name(code), belay_code_name(expected),
                belay_message(s));
    _fail(file, line);
}
