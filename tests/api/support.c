#include "support.h"

#include <errno.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- The world ----------------------------------------------------------------------------------- */

belay_db *open_again(world *w, const belay_db_options *options)
{
    belay_db_options given = database_options(&w->d, options);
    return belay_open(w->d.url, &given);
}

/* What the tests of a former run left in a database that is not fresh. */
static void drop_tables(belay_session *s)
{
    static const char *const tables[] = {"child", "item", "taken", "fresh", "named",     "audit",
                                         "purse", "t",    "foo",   "baz",   "belay_once"};
    char sql[64];
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        snprintf(sql, sizeof sql, "DROP TABLE IF EXISTS %s", tables[i]);
        belay_exec(s, sql);
    }
}

/* Keys are generated when none is given, which is what INTEGER PRIMARY KEY means to SQLite. */
static void make_tables(belay_session *s, bool mariadb)
{
    const char *const statements[] = {mariadb ? "CREATE TABLE item(id INTEGER PRIMARY KEY AUTO_INCREMENT, note TEXT)"
                                              : "CREATE TABLE item(id INTEGER PRIMARY KEY, note TEXT)",
                                      "CREATE TABLE taken(id INTEGER PRIMARY KEY)", "INSERT INTO taken VALUES (1)",
                                      NULL};
    database_run(s, statements);
}

int world_open(void **state)
{
    world *w = calloc(1, sizeof *w);
    if (!w)
        return -1;
    *state = w;
    database_open(&w->d, NULL);
    w->s = w->d.s;
    w->looking = belay_open(w->d.url, NULL);
    w->other = belay_session_open(w->looking);
    if (!w->d.path[0])
        drop_tables(w->s);
    make_tables(w->s, database_is_mariadb(&w->d));
    return 0;
}

/* The last connection that SQLite closes takes the write-ahead log with it. */
static int check_all_closed(const world *w)
{
    char name[320];
    snprintf(name, sizeof name, "%s-wal", w->d.path);
    if (!w->d.path[0] || access(name, F_OK) != 0)
        return 0;
    print_error("a connection was left open\n");
    return -1;
}

int world_close(void **state)
{
    world *w = *state;
    belay_session_close(w->other);
    belay_close(w->looking);
    belay_session_close(w->d.s);
    belay_close(w->d.db);
    w->d.s = NULL;
    w->d.db = NULL;
    int result = check_all_closed(w);
    database_close(&w->d);
    free(w);
    return result;
}

void only_on_sqlite(const world *w)
{
    if (!w->d.path[0])
        skip();
}

int run_in_child(int (*check)(void *arg), void *arg)
{
    enum { CRASHED = 100 };
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE,
                                      SIGSYS}; /* a failed test in the parent's eyes only */
        for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
            signal(signals[i], SIG_DFL);
        alarm(20);
        _exit(check(arg));
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        return CRASHED;
    return WIFEXITED(status) ? WEXITSTATUS(status) : CRASHED + WTERMSIG(status);
}

const char *url_for_child(const world *w, char *out, size_t room)
{
    snprintf(out, room, "%s%s", w->d.url, database_is_sqlite(&w->d) ? ".child" : "");
    return out;
}

void pause_ms(int ms)
{
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        continue;
}

/* ---- Statements ------------------------------------------------------------------------------------ */

belay_code put(belay_session *s, int id)
{
    return belay_exec(s, "INSERT INTO item(id) VALUES (?)", id);
}

belay_code clash(belay_session *s)
{
    return belay_exec(s, "INSERT INTO taken VALUES (1)");
}

/* ---- Assertions ------------------------------------------------------------------------------------- */

void assert_contains_at(const char *text, const char *part, const char *file, int line)
{
    if (text && strstr(text, part))
        return;
    print_error("\"%s\" is not in \"%s\"\n", part, text ? text : "(NULL)");
    _fail(file, line);
}

void assert_lacks_at(const char *text, const char *part, const char *file, int line)
{
    if (!text || !strstr(text, part))
        return;
    print_error("\"%s\" is in \"%s\"\n", part, text);
    _fail(file, line);
}

/* ---- The engine beneath ------------------------------------------------------------------------------ */

void *hold_write_lock(const world *w)
{
    sqlite3 *other = NULL;
    assert_int_equal(sqlite3_open_v2(w->d.path, &other, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    return other;
}

void let_go(void *lock)
{
    if (!lock)
        return;
    sqlite3_exec(lock, "ROLLBACK", NULL, NULL, NULL);
    sqlite3_close(lock);
}

long long engine_memory(void)
{
    return sqlite3_memory_used();
}
