/*
 * database.h - a fresh database for a test, and ways to look into it.
 *
 * The URL comes from BELAY_TEST_URL, so that another engine is tested by the
 * same programs; without it every test gets an SQLite file of its own, in a
 * directory that is gone afterwards. On a server each program has a database of
 * its own, belay_PID, beside the one that the URL names: it is made for the first
 * test, emptied for each, and dropped in the end.
 *
 * Nothing here may be called inside a BELAY_ATOMIC block but what says so: a
 * failing assertion jumps out of it.
 */
#ifndef BELAY_TESTS_DATABASE_H
#define BELAY_TESTS_DATABASE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include <belay/belay.h>

enum { DATABASE_LOG_ROOM = 8192 };

typedef struct database {
    char directory[256]; /* empty on a server */
    char path[300];      /* of the SQLite file; empty on a server */
    char url[400];
    belay_db *db;
    belay_session *s;
    pthread_mutex_t mutex; /* of what follows: lines come from any thread */
    char log[DATABASE_LOG_ROOM];
    size_t log_size;
    int log_lines;
} database;

/* Makes a directory and the URL of a file that is not there yet; `parameters` such as "?synchronous=normal", or "". */
void database_make(database *, const char *parameters);

/* Makes one, opens it with a log that collects lines, and a session on it. Fails the test when it can't be used. */
void database_open(database *, const belay_db_options *);

/* Closes session and handle, where they are open, and removes the files. Returns what the session's close returned. */
belay_code database_close(database *);

/* Options whose log collects lines in the database; `given` may be NULL. */
belay_db_options database_options(database *, const belay_db_options *given);

/* The lines that were logged, each ended by a newline. */
const char *database_log(database *);

bool database_is_sqlite(const database *);
bool database_is_mariadb(const database *);

/* What is right on the engine that the test runs on. */
const char *on_engine(const database *, const char *sqlite, const char *postgresql, const char *mariadb);

/* Runs the statements, each outside any scope, up to the NULL at their end. Fails the test when one fails. */
void database_run(belay_session *, const char *const *statements);

/*
 * What a query gives, as "1|ann;2|NULL": columns are separated by | and rows by
 * semicolons. "ERROR: ..." when it fails; that error is then pending in the scope,
 * or the status. May be called inside a block. Borrowed until the fourth call
 * after this one. By one thread of the test.
 */
const char *rows_of(belay_session *, const char *sql);

/* Fails the test unless the query gives these rows. */
#define assert_rows(s, sql, expected) assert_string_equal(rows_of(s, sql), expected)

/* Fails the test, with the message, unless the session's status is `code`. */
#define assert_status(s, code) assert_status_at(s, code, __FILE__, __LINE__)
void assert_status_at(belay_session *, belay_code expected, const char *file, int line);

#endif
