/*
 * forks.c - opens and closes connections so that a child after fork can open
 * the same files as its parent.
 *
 * SQLite keeps a record of each file once a process: which POSIX locks the
 * process holds on it, and the memory that the users of its write-ahead log
 * share. A child inherits the records and not the locks. A connection that it
 * opened would join the record of a file that the parent had open, and believe
 * that it holds locks that only the parent has: measured, its readers are
 * overwritten, it waits for ever for a writer that is long gone, and what it has
 * committed is lost when the parent closes the file.
 *
 * So all connections are in a list, and before a process opens a file, the
 * files of the connections that it has inherited are closed beneath them. In
 * the child that drops no lock and writes nothing; the records go with the last
 * user. Nothing else is done with such a connection: it leaks.
 *
 * The list is locked while a file is opened or closed, and around fork, so that
 * no child finds a file that is half open. What other threads hold of SQLite's
 * own locks at the moment of the fork, a child can't have: a program forks best
 * while no other thread is inside a statement.
 * Tests: tests/fault/test_forks.c.
 */
#include <pthread.h>

#include "conn.h"
#include "fork.h"

static struct {
    pthread_mutex_t mutex;
    belayi_sqlite_conn *first;
} open_conns = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void lock_list(void)
{
    pthread_mutex_lock(&open_conns.mutex);
}

static void unlock_list(void)
{
    pthread_mutex_unlock(&open_conns.mutex);
}

static void guard_list(void)
{
    belayi_fork_watch();
    pthread_atfork(lock_list, unlock_list, unlock_list);
}

static void list_conn(belayi_sqlite_conn *conn)
{
    conn->generation = belayi_fork_generation();
    conn->listed = conn->db;
    conn->previous = NULL;
    conn->next = open_conns.first;
    if (conn->next)
        conn->next->previous = conn;
    open_conns.first = conn;
}

static void unlist_conn(belayi_sqlite_conn *conn)
{
    *(conn->previous ? &conn->previous->next : &open_conns.first) = conn->next;
    if (conn->next)
        conn->next->previous = conn->previous;
    conn->listed = NULL;
}

/* ---- Closing files beneath a connection ------------------------------------------------------------ */

/* Without the deletion of anything: the file, and the memory that goes with it. */
static void close_file(sqlite3 *db, const char *name)
{
    sqlite3_file *file = NULL;
    sqlite3_file_control(db, name, SQLITE_FCNTL_FILE_POINTER, &file);
    if (!file || !file->pMethods)
        return; /* in memory, or not open */
    if (file->pMethods->iVersion >= 2)
        file->pMethods->xShmUnmap(file, 0);
    file->pMethods->xClose(file);
}

static void close_files(sqlite3 *db)
{
#if SQLITE_VERSION_NUMBER >= 3039000
    const char *name;
    for (int i = 0; (name = sqlite3_db_name(db, i)) != NULL; i++)
        close_file(db, name);
#else
    close_file(db, "main"); /* files that were attached can't be told */
#endif
}

static void leave_inherited(void)
{
    belayi_sqlite_conn *next;
    for (belayi_sqlite_conn *conn = open_conns.first; conn; conn = next) {
        next = conn->next;
        if (conn->generation == belayi_fork_generation())
            continue;
        close_files(conn->listed);
        unlist_conn(conn);
    }
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

/* ---- Opening and closing ---------------------------------------------------------------------------- */

int belayi_sqlite_open_db(belayi_sqlite_conn *conn, const char *path, int flags)
{
    pthread_once(&once, guard_list);
    lock_list();
    leave_inherited();
    int rc = sqlite3_open_v2(path, &conn->db, flags, NULL);
    if (conn->db)
        list_conn(conn);
    unlock_list();
    return rc;
}

void belayi_sqlite_adopt_db(belayi_sqlite_conn *conn, sqlite3 *db)
{
    pthread_once(&once, guard_list);
    lock_list();
    conn->db = db;
    conn->adopted = true;
    list_conn(conn);
    unlock_list();
}

void belayi_sqlite_close_db(belayi_sqlite_conn *conn)
{
    lock_list();
    if (conn->listed)
        unlist_conn(conn);
    if (!conn->adopted)
        sqlite3_close_v2(conn->db); /* rolls back; accepts NULL */
    conn->db = NULL;
    unlock_list();
}
