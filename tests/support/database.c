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

/* ---- Where it lies ------------------------------------------------------------------------------------------------
 */

/* Memory, where there is a file system in memory: the tests are about scopes, not about disks. */
static const char *find_room(void)
{
    const char *given = getenv("TMPDIR");
    if (given && *given)
        return given;
    return access("/dev/shm", W_OK | X_OK) == 0 ? "/dev/shm" : "/tmp";
}

/* Another test's tables may refer to each other in ways that only they know: the whole database goes. */
static void empty_mariadb(const char *url)
{
    char sql[160];
    const char *host = strstr(url, "://");
    const char *name = host ? strchr(host + 3, '/') : NULL;
    if (!name)
        fail_msg("the URL names no database");
    int size = (int)strcspn(name + 1, "?");
    belay_db *db = belay_open(url, NULL);
    belay_session *s = belay_session_open(db);
    snprintf(sql, sizeof sql, "DROP DATABASE `%.*s`", size, name + 1);
    if (belay_exec(s, sql) == BELAY_OK) {
        snprintf(sql, sizeof sql, "CREATE DATABASE `%.*s` CHARACTER SET utf8mb4", size, name + 1);
        belay_exec(s, sql);
    }
    if (belay_status(s) != BELAY_OK)
        fail_msg("the database can't be emptied: %s", belay_message(s));
    belay_session_close(s);
    belay_close(db);
}

void database_make(database *d, const char *parameters)
{
    const char *given = getenv("BELAY_TEST_URL");
    memset(d, 0, sizeof *d);
    pthread_mutex_init(&d->mutex, NULL);
    if (given && *given) {
        snprintf(d->url, sizeof d->url, "%s", given);
        if (database_is_mariadb(d))
            empty_mariadb(given);
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
    return strncmp(d->url, "mariadb:", 8) == 0 || strncmp(d->url, "mysql:", 6) == 0;
}

/* ---- Opening and closing --------------------------------------------------------------------------------------------
 */

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

/* How many are open: the first one finds the server's database empty, as a new file would be. */
static int open_databases;

static void empty_server(database *d)
{
    static const char *const statements[] = {"DROP SCHEMA IF EXISTS public CASCADE", "CREATE SCHEMA public", NULL};
    if (strncmp(d->url, "postgres", 8) != 0)
        return;
    belay_db *db = belay_open(d->url, NULL);
    belay_session *s = belay_session_open(db);
    database_run(s, statements);
    belay_session_close(s);
    belay_close(db);
}

void database_open(database *d, const belay_db_options *given)
{
    database_make(d, "");
    if (open_databases++ == 0)
        empty_server(d);
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

/* ---- Looking --------------------------------------------------------------------------------------------------------
 */

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
