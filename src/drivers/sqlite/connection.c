/*
 * connection.c - opens and closes a connection, and makes sure on the way that
 * there is a database that can be used as the URL asks.
 *
 * The file itself is never opened here: when a process closes any descriptor of
 * a file, all its POSIX locks on it are gone, those that SQLite holds too. So
 * the file is looked at by name before SQLite opens it.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conn.h"
#include "lexer.h"
#include "report.h"

static const belayi_sql_rules sqlite_rules = {
    .placeholders = BELAYI_PLACEHOLDERS_NUMBERED,
    .backtick_identifiers = true,
    .bracket_identifiers = true,
    .drop_locking = true,
};

/* ---- The file --------------------------------------------------------------------------------------- */

static const char *name_file_type(mode_t mode)
{
    return S_ISDIR(mode)                    ? "a directory"
           : S_ISFIFO(mode)                 ? "a FIFO"
           : S_ISSOCK(mode)                 ? "a socket"
           : S_ISCHR(mode) || S_ISBLK(mode) ? "a device"
                                            : "no regular file";
}

/* What the operating system has against a path. */
static belay_code report_errno(const char *path, int number, belay_error *error)
{
    belay_code code = number == EACCES || number == EPERM ? BELAY_PERMISSION
                      : number == EROFS                   ? BELAY_READ_ONLY
                                                          : BELAY_CONNECTION;
    return belayi_report(error, code, "can't open '%s': %s", path, strerror(number));
}

static bool may_access(const char *path, int how)
{
    return faccessat(AT_FDCWD, path, how, AT_EACCESS) == 0;
}

/* Whether files may be made beside `path`, which is absolute. */
static bool may_make_beside(const char *path)
{
    char directory[PATH_MAX];
    size_t size = (size_t)(strrchr(path, '/') - path) + 1;
    if (size >= sizeof directory) {
        errno = ENAMETOOLONG;
        return false;
    }
    memcpy(directory, path, size); /* with its slash: "/" is one too */
    directory[size] = '\0';
    return may_access(directory, W_OK | X_OK);
}

static belay_code report_unwritable(const char *path, const char *what, belay_error *error)
{
    belayi_report(error, BELAY_READ_ONLY, "can't open '%s' for writing: %s can't be written", path, what);
    BELAYI_REPORT_FIELD(error->hint, "to read it only, add ?mode=ro to the URL");
    return BELAY_READ_ONLY;
}

/* A journal is made beside the file, so that its directory must be writable too. */
static belay_code check_writable(const char *path, belay_error *error)
{
    char real[PATH_MAX];
    if (!may_access(path, W_OK))
        return report_unwritable(path, "the file", error);
    if (!realpath(path, real))
        return report_errno(path, errno, error);
    return may_make_beside(real) ? BELAY_OK : report_unwritable(path, "its directory", error);
}

static belay_code check_missing(const belayi_sqlite_shared *shared, belay_error *error)
{
    if (shared->mode == BELAYI_SQLITE_RWC)
        return may_make_beside(shared->path) ? BELAY_OK : report_errno(shared->path, errno, error);
    belayi_report(error, BELAY_CONNECTION, "there is no database '%s'", shared->path);
    BELAYI_REPORT_FIELD(error->hint, "without mode=ro or mode=rw in the URL it would be made");
    return BELAY_CONNECTION;
}

static belay_code check_file(const belayi_sqlite_shared *shared, belay_error *error)
{
    struct stat facts;
    const char *path = shared->path;
    if (!path)
        return BELAY_OK;
    if (stat(path, &facts) != 0)
        return errno == ENOENT ? check_missing(shared, error) : report_errno(path, errno, error);
    if (!S_ISREG(facts.st_mode))
        return belayi_report(error, BELAY_CONNECTION, "'%s' is %s", path, name_file_type(facts.st_mode));
    if (!may_access(path, R_OK))
        return report_errno(path, EACCES, error);
    return shared->mode == BELAYI_SQLITE_RO ? BELAY_OK : check_writable(path, error);
}

/* ---- Settings --------------------------------------------------------------------------------------- */

belay_code belayi_sqlite_prepare_own(belayi_sqlite_conn *conn, const char *text, sqlite3_stmt **out, belay_error *error)
{
    int rc = sqlite3_prepare_v3(conn->db, text, -1, SQLITE_PREPARE_PERSISTENT, out, NULL);
    return rc == SQLITE_OK ? BELAY_OK : belayi_sqlite_fail(conn, rc, BELAYI_SQLITE_RUNNING, error);
}

/* Runs a pragma; *out is the start of the word that it answers with. */
static belay_code run_pragma(belayi_sqlite_conn *conn, const char *text, char out[16], belay_error *error)
{
    sqlite3_stmt *native = NULL;
    out[0] = '\0';
    int rc = sqlite3_prepare_v2(conn->db, text, -1, &native, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(native);
    if (rc == SQLITE_ROW) {
        const char *word = (const char *)sqlite3_column_text(native, 0);
        snprintf(out, 16, "%s", word ? word : "");
        rc = sqlite3_step(native);
    }
    belay_code code = rc == SQLITE_DONE ? BELAY_OK : belayi_sqlite_fail(conn, rc, BELAYI_SQLITE_OPENING, error);
    sqlite3_finalize(native);
    return code;
}

/* The pragma takes an exclusive lock, without the busy handler, when another mode is in force. */
static belay_code set_journal_mode(belayi_sqlite_conn *conn, const char *mode, belay_error *error)
{
    char text[64], answer[16];
    belay_code code;
    snprintf(text, sizeof text, "PRAGMA journal_mode = %s", mode);
    do
        code = run_pragma(conn, text, answer, error);
    while (code == BELAY_BUSY && belayi_sqlite_limits_wait(conn));
    if (code == BELAY_BUSY && conn->gave_up)
        return belayi_sqlite_fail_busy(conn, "the journal mode can't be changed while others use the database", error);
    if (code == BELAY_OK && strcmp(answer, mode) != 0)
        return belayi_report(error, BELAY_UNSUPPORTED, "'%s' can't have journal=%s: it stays %s",
                             belayi_sqlite_shared_of(conn)->path, mode, answer);
    return code;
}

static belay_code configure(belayi_sqlite_conn *conn, belay_error *error)
{
    const belayi_sqlite_shared *shared = belayi_sqlite_shared_of(conn);
    char texts[3][64], ignored[16];
    snprintf(texts[0], sizeof texts[0], "PRAGMA synchronous = %s", shared->synchronous);
    snprintf(texts[1], sizeof texts[1], "PRAGMA foreign_keys = %s", shared->foreign_keys);
    snprintf(texts[2], sizeof texts[2], "PRAGMA cache_size = -%lld", (long long)shared->cache_kib);
    belay_code code = run_pragma(conn, "PRAGMA schema_version", ignored, error); /* is it a database? */
    if (code == BELAY_OK && shared->path && shared->mode != BELAYI_SQLITE_RO)
        code = set_journal_mode(conn, shared->journal_mode, error);
    for (int i = 0; code == BELAY_OK && i < (shared->cache_kib > 0 ? 3 : 2); i++)
        code = run_pragma(conn, texts[i], ignored, error);
    return code;
}

/* ---- The page cache of a large write ------------------------------------------------------------------ */

enum { WIDE_KIB = 32 * 1024 };

/* Keys that come in no order touch all pages of an index; those that don't fit are written and read again and again. */
void belayi_sqlite_widen_cache(belayi_sqlite_conn *conn)
{
    belay_error ignored;
    char answer[16], text[64];
    if (conn->pages != 0 || conn->adopted || conn->lent || belayi_sqlite_shared_of(conn)->cache_kib > 0)
        return;
    belay_code code = run_pragma(conn, "PRAGMA main.cache_size", answer, &ignored);
    int64_t pages = code == BELAY_OK ? strtoll(answer, NULL, 10)
                                     : 0; /* KiB when it is negative; what the program set in pages stays */
    snprintf(text, sizeof text, "PRAGMA main.cache_size = -%d", WIDE_KIB);
    if (pages < 0 && pages > -WIDE_KIB && run_pragma(conn, text, answer, &ignored) == BELAY_OK)
        conn->pages = pages;
    belayi_sqlite_notice_silent_end(conn);
}

void belayi_sqlite_narrow_cache(belayi_sqlite_conn *conn)
{
    belay_error ignored;
    char answer[16], text[64];
    if (conn->pages == 0)
        return;
    snprintf(text, sizeof text, "PRAGMA main.cache_size = %lld", (long long)conn->pages);
    if (run_pragma(conn, text, answer, &ignored) == BELAY_OK)
        conn->pages = 0;
}

/* ---- Open and close ---------------------------------------------------------------------------------- */

static belay_code open_native(belayi_sqlite_conn *conn, belay_error *error)
{
    static const int mode_flags[] = {
        [BELAYI_SQLITE_RO] = SQLITE_OPEN_READONLY,
        [BELAYI_SQLITE_RW] = SQLITE_OPEN_READWRITE,
        [BELAYI_SQLITE_RWC] = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
    };
    const belayi_sqlite_shared *shared = belayi_sqlite_shared_of(conn);
    const char *path = shared->path ? shared->path : ":memory:";
    int flags = (shared->path ? mode_flags[shared->mode] : mode_flags[BELAYI_SQLITE_RWC]) | SQLITE_OPEN_NOMUTEX;
    int rc = belayi_sqlite_open_db(conn, path, flags);
    if (!conn->db)
        return belayi_report(error, BELAY_NO_MEMORY, "no memory for a connection");
    sqlite3_extended_result_codes(conn->db, 1);
    if (rc == SQLITE_OK)
        return BELAY_OK;
    int number = sqlite3_system_errno(conn->db);
    belay_code code = belayi_sqlite_fail(conn, rc, BELAYI_SQLITE_OPENING, error);
    if (code != BELAY_CONNECTION)
        return code;
    code = report_errno(path, number == 0 ? ENAMETOOLONG : number, error);
    error->native_code = rc;
    return code;
}

belay_code belayi_sqlite_open(belay_conn *base, belay_error *error)
{
    belayi_sqlite_conn *conn = (belayi_sqlite_conn *)base;
    belay_conn given = *base;
    *conn = (belayi_sqlite_conn){.base = given, .schema_generation = 1};
    conn->base.rules = &sqlite_rules;
    if (belayi_sqlite_shared_of(conn)->adopted) {
        belayi_sqlite_adopt_db(conn, belayi_sqlite_shared_of(conn)->adopted);
        return BELAY_OK;
    }
    belay_code code = check_file(belayi_sqlite_shared_of(conn), error);
    if (code == BELAY_OK)
        code = open_native(conn, error);
    if (code != BELAY_OK)
        return code;
    belayi_sqlite_limits_install(conn);
    if (belayi_sqlite_shared_of(conn)->path && belayi_sqlite_shared_of(conn)->mode != BELAYI_SQLITE_RO &&
        sqlite3_db_readonly(conn->db, "main") == 1) /* SQLite then opens it for reading in silence */
        return report_unwritable(belayi_sqlite_shared_of(conn)->path, "the file", error);
    return configure(conn, error);
}

void belayi_sqlite_close(belay_conn *base)
{
    belayi_sqlite_conn *conn = (belayi_sqlite_conn *)base;
    for (int i = 0; i < BELAYI_SQLITE_CONTROLS; i++)
        sqlite3_finalize(conn->controls[i]);
    for (int i = 0; i < BELAYI_SQLITE_KEPT_MARKS; i++)
        for (int j = 0; j < BELAYI_SQLITE_MARKS; j++)
            sqlite3_finalize(conn->marks[i][j]);
    sqlite3_finalize(conn->schema_probe);
    if (conn->adopted && conn->began && !sqlite3_get_autocommit(conn->db))
        sqlite3_exec(conn->db, "ROLLBACK", NULL, NULL, NULL);
    belayi_sqlite_close_db(conn);
    if (conn->queued)
        belayi_turnstile_leave(&belayi_sqlite_shared_of(conn)->writers);
    conn->queued = false;
}

/* Closing would checkpoint or delete files that the parent uses. So everything leaks; see forks.c. */
void belayi_sqlite_disown(belay_conn *base)
{
    ((belayi_sqlite_conn *)base)->db = NULL;
}

void *belayi_sqlite_native(belay_conn *base)
{
    belayi_sqlite_conn *conn = (belayi_sqlite_conn *)base;
    conn->lent = true;
    return conn->db;
}

belay_transaction_status belayi_sqlite_status(belay_conn *base)
{
    belayi_sqlite_conn *conn = (belayi_sqlite_conn *)base;
    if (conn->broken)
        return BELAY_TRANSACTION_LOST;
    belayi_sqlite_notice_end(conn);
    return sqlite3_get_autocommit(conn->db) ? BELAY_TRANSACTION_NONE : BELAY_TRANSACTION_OPEN;
}

belay_code belayi_sqlite_isolation(belay_conn *conn, belay_level *out_level, belay_error *error)
{
    (void)conn;
    (void)error;
    *out_level = BELAY_SERIALIZABLE;
    return BELAY_OK;
}
