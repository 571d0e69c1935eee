/*
 * transaction.c - begin, commit, roll back, savepoints, and the write queue.
 *
 * A transaction that may write begins IMMEDIATE, so that no later statement can
 * be refused the write lock. SQLite gives that lock to whoever happens to ask at
 * the right moment; so the connections of one handle queue for it in front of
 * SQLite, first come, first served, and the busy handler deals with other
 * processes and handles only.
 *
 * The statements are prepared once a connection. Savepoints are a hot path: no
 * allocation, no clock.
 */
#include <stdio.h>

#include "clock.h"
#include "conn.h"
#include "report.h"

/* Resets statements that were left half-way: a writing one keeps COMMIT from happening, a reading one the connection at
   a state from which it can't write any more. */
static void reset_busy_statements(belayi_sqlite_conn *conn)
{
    for (sqlite3_stmt *native = sqlite3_next_stmt(conn->db, NULL); native; native = sqlite3_next_stmt(conn->db, native))
        if (sqlite3_stmt_busy(native))
            sqlite3_reset(native);
}

void belayi_sqlite_notice_end(belayi_sqlite_conn *conn)
{
    if (!sqlite3_get_autocommit(conn->db))
        return;
    conn->read_only = conn->began = false;
    conn->schema_checked = false;
    belayi_sqlite_narrow_cache(conn);
    if (conn->lent && !conn->adopted) {
        conn->lent = false;
        reset_busy_statements(conn);
        belayi_sqlite_notice_schema(conn);
    }
    if (conn->queued) {
        conn->queued = false;
        belayi_turnstile_leave(&belayi_sqlite_shared_of(conn)->writers);
    }
}

/* BEGIN IMMEDIATE locks the databases that were attached when it was prepared, and ATTACH does not renew it. */
static void forget_begin(belayi_sqlite_conn *conn)
{
    sqlite3_finalize(conn->controls[BELAYI_SQLITE_BEGIN_WRITE]);
    conn->controls[BELAYI_SQLITE_BEGIN_WRITE] = NULL;
}

void belayi_sqlite_notice_schema(belayi_sqlite_conn *conn)
{
    conn->schema_generation++;
    conn->schema_touched = true;
    forget_begin(conn);
    if (!conn->adopted)
        belayi_sqlite_limits_install(conn); /* PRAGMA busy_timeout replaces it */
}

/* Work was undone, and perhaps a change of the schema with it. */
static void notice_undo(belayi_sqlite_conn *conn)
{
    if (conn->schema_touched)
        conn->schema_generation++;
}

static const char *const control_texts[BELAYI_SQLITE_CONTROLS] = {
    [BELAYI_SQLITE_BEGIN_READ] = "BEGIN",
    [BELAYI_SQLITE_BEGIN_WRITE] = "BEGIN IMMEDIATE",
    [BELAYI_SQLITE_COMMIT] = "COMMIT",
    [BELAYI_SQLITE_ROLLBACK] = "ROLLBACK",
    [BELAYI_SQLITE_GROUND] = "SAVEPOINT belay_0",
    [BELAYI_SQLITE_ROW] = "SAVEPOINT belay_row",
    [BELAYI_SQLITE_ROW_GOOD] = "RELEASE belay_row",
    [BELAYI_SQLITE_ROW_BAD] = "ROLLBACK TO belay_row",
};

static belay_code get_control(belayi_sqlite_conn *conn, belayi_sqlite_control which, belay_error *error)
{
    if (conn->controls[which])
        return BELAY_OK;
    return belayi_sqlite_prepare_own(conn, control_texts[which], &conn->controls[which], error);
}

static bool is_busy(int rc)
{
    return (rc & 0xFF) == SQLITE_BUSY;
}

/* Whether a writing statement other than `own` stands half-way, which is the program's: it stays there, however long it
   is waited for. */
static bool is_held_up(belayi_sqlite_conn *conn, const sqlite3_stmt *own)
{
    for (sqlite3_stmt *native = sqlite3_next_stmt(conn->db, NULL); native; native = sqlite3_next_stmt(conn->db, native))
        if (native != own && sqlite3_stmt_busy(native) && !sqlite3_stmt_readonly(native))
            return true;
    return false;
}

static belay_code fail_control(belayi_sqlite_conn *conn, const sqlite3_stmt *native, int rc, belayi_sqlite_phase phase,
                               belay_error *error)
{
    if (!is_busy(rc) || !is_held_up(conn, native)) {
        belay_code code = belayi_sqlite_fail(conn, rc, phase, error);
        if (code == BELAY_MISUSE)
            BELAYI_REPORT_FIELD(error->hint, "transactions, and the savepoints of scopes, are not to be begun or ended "
                                             "on the engine's own handle while a scope is open");
        return code;
    }
    belayi_report(error, BELAY_MISUSE, "a statement that writes was left half-way on the engine's own handle");
    error->native_code = rc;
    BELAYI_REPORT_FIELD(error->hint, "step it to its end, reset or finalize it before a scope begins or ends");
    return BELAY_MISUSE;
}

static belay_code end_control(belayi_sqlite_conn *conn, sqlite3_stmt *native, int rc, belayi_sqlite_phase phase,
                              belay_error *error)
{
    belay_code code = rc == SQLITE_DONE ? BELAY_OK : fail_control(conn, native, rc, phase, error);
    sqlite3_reset(native);
    return code;
}

/* Runs one of the driver's own statements; it must not be stopped by the progress handler. */
static belay_code run_control(belayi_sqlite_conn *conn, sqlite3_stmt *native, belayi_sqlite_phase phase,
                              belay_error *error)
{
    return end_control(conn, native, sqlite3_step(native), phase, error);
}

/* Whether a BEGIN of an adopted connection, whose busy handler is the program's and may not wait at all, should be
   tried again. From a state that is no longer the newest nothing can be written, however long it is waited for. */
static bool cure_busy_begin(belayi_sqlite_conn *conn, const sqlite3_stmt *native)
{
    return conn->adopted && sqlite3_extended_errcode(conn->db) != SQLITE_BUSY_SNAPSHOT && !is_held_up(conn, native) &&
           belayi_sqlite_limits_wait(conn);
}

static belay_code run_begin(belayi_sqlite_conn *conn, sqlite3_stmt *native, belay_error *error)
{
    int rc = sqlite3_step(native);
    while (is_busy(rc) && cure_busy_begin(conn, native)) {
        sqlite3_reset(native);
        rc = sqlite3_step(native);
    }
    return end_control(conn, native, rc, BELAYI_SQLITE_RUNNING, error);
}

/* ---- Begin ---------------------------------------------------------------------------------------- */

static belay_code enter_queue(belayi_sqlite_conn *conn, belay_error *error)
{
    enum { AT_ONCE = 1 }; /* a moment long past */
    belayi_turnstile *writers = &belayi_sqlite_shared_of(conn)->writers;
    conn->queued = belayi_turnstile_enter(writers, AT_ONCE);
    if (!conn->queued && conn->base.limits.lock_wait_ns != 0) {
        int64_t end = belayi_sqlite_limits_end(conn), since = belayi_clock_now();
        conn->queued = belayi_turnstile_enter(writers, end);
        conn->gave_up = !conn->queued;
        conn->base.waited_ns += belayi_clock_now() - since;
    }
    return conn->queued ? BELAY_OK : belayi_sqlite_fail_busy(conn, "another scope of this program is writing", error);
}

belay_code belayi_sqlite_begin(belay_conn *base, const belay_begin_options *options, belay_error *error)
{
    belayi_sqlite_conn *conn = (belayi_sqlite_conn *)base;
    belayi_sqlite_limits_renew(conn);
    if (belayi_clock_passed(base->limits.deadline_ns))
        return belayi_report(error, BELAY_TIMEOUT, "the time limit had passed before the transaction could begin");
    /* What can't write begins as a reader, so that its first write is refused for the right reason. */
    bool writes = !options->read_only && sqlite3_db_readonly(conn->db, "main") == 0;
    belayi_sqlite_control which = writes ? BELAYI_SQLITE_BEGIN_WRITE : BELAYI_SQLITE_BEGIN_READ;
    if (conn->adopted)
        forget_begin(conn); /* the program may have attached a database, unseen */
    belay_code code = get_control(conn, which, error);
    if (code == BELAY_OK && writes)
        code = enter_queue(conn, error);
    if (code == BELAY_OK)
        code = run_begin(conn, conn->controls[which], error);
    conn->schema_touched = false;
    conn->schema_checked = false;
    conn->ended_by = 0;
    conn->firsts = 0;
    conn->began = code == BELAY_OK;
    conn->read_only = code == BELAY_OK && options->read_only;
    if (code != BELAY_OK)
        belayi_sqlite_notice_end(conn);
    return code;
}

/* ---- Commit and rollback --------------------------------------------------------------------------- */

/* Whether a COMMIT that was refused as busy should be tried again. */
static bool cure_busy_commit(belayi_sqlite_conn *conn, bool first)
{
    if (first && !conn->adopted && !conn->lent)
        reset_busy_statements(conn);
    if (is_held_up(conn, conn->controls[BELAYI_SQLITE_COMMIT]))
        return false;
    return first || (!conn->gave_up && belayi_sqlite_limits_wait(conn));
}

static bool is_io_error(int native_code)
{
    return (native_code & 0xFF) == SQLITE_IOERR;
}

belay_code belayi_sqlite_commit(belay_conn *base, belay_error *error)
{
    belayi_sqlite_conn *conn = (belayi_sqlite_conn *)base;
    belayi_sqlite_limits_renew(conn);
    if (belayi_clock_passed(base->limits.deadline_ns))
        return belayi_report(error, BELAY_TIMEOUT,
                             "the time limit had passed before the transaction could be committed");
    belay_code code = belayi_sqlite_check_ended(conn, error);
    if (code == BELAY_OK)
        code = get_control(conn, BELAYI_SQLITE_COMMIT, error);
    if (code != BELAY_OK)
        return code;
    sqlite3_stmt *native = conn->controls[BELAYI_SQLITE_COMMIT];
    int rc = sqlite3_step(native);
    for (bool first = true; is_busy(rc) && cure_busy_commit(conn, first); first = false) {
        sqlite3_reset(native);
        rc = sqlite3_step(native);
    }
    if (rc != SQLITE_DONE) {
        code = fail_control(conn, native, rc, BELAYI_SQLITE_COMMITTING, error);
        /* Still open: nothing was committed. Ended: what is on the disk now is not known before it is recovered. */
        if (is_io_error(rc) && sqlite3_get_autocommit(conn->db))
            error->outcome = BELAY_WORK_UNKNOWN;
        notice_undo(conn);
    }
    sqlite3_reset(native);
    belayi_sqlite_notice_end(conn);
    return code;
}

/* What COMMIT looks at, and RELEASE of an inner savepoint does not. */
belay_code belayi_sqlite_check_deferred(belay_conn *base, belay_error *error)
{
    belayi_sqlite_conn *conn = (belayi_sqlite_conn *)base;
    int violations = 0, highest = 0;
    sqlite3_db_status(conn->db, SQLITE_DBSTATUS_DEFERRED_FKS, &violations, &highest, 0);
    if (violations == 0)
        return BELAY_OK;
    belayi_report(error, BELAY_FOREIGN_KEY, "FOREIGN KEY constraint failed");
    error->native_code = SQLITE_CONSTRAINT_FOREIGNKEY;
    BELAYI_REPORT_FIELD(error->hint, belayi_sqlite_hint_at_commit);
    return BELAY_FOREIGN_KEY;
}

belay_code belayi_sqlite_rollback(belay_conn *base, belay_error *error)
{
    belayi_sqlite_conn *conn = (belayi_sqlite_conn *)base;
    belayi_sqlite_limits_renew(conn);
    belay_error why;
    belay_code code = BELAY_OK;
    if (!sqlite3_get_autocommit(conn->db)) {
        code = get_control(conn, BELAYI_SQLITE_ROLLBACK, &why);
        if (code == BELAY_OK)
            code = run_control(conn, conn->controls[BELAYI_SQLITE_ROLLBACK], BELAYI_SQLITE_RUNNING, &why);
    }
    notice_undo(conn);
    conn->ended_by = 0;
    conn->broken = !sqlite3_get_autocommit(conn->db);
    belayi_sqlite_notice_end(conn);
    if (!conn->broken)
        return BELAY_OK;
    *error = why;
    return code;
}

/* ---- Savepoints ------------------------------------------------------------------------------------- */

static const char *const mark_verbs[BELAYI_SQLITE_MARKS] = {
    [BELAYI_SQLITE_SET] = "SAVEPOINT",
    [BELAYI_SQLITE_RELEASE] = "RELEASE",
    [BELAYI_SQLITE_BACK] = "ROLLBACK TO",
};

static belay_code run_new_mark(belayi_sqlite_conn *conn, belayi_sqlite_mark which, unsigned number, belay_error *error)
{
    char text[32];
    sqlite3_stmt *native;
    snprintf(text, sizeof text, "%s belay_%u", mark_verbs[which], number);
    belay_code code = belayi_sqlite_prepare_own(conn, text, &native, error);
    if (code != BELAY_OK)
        return code;
    code = run_control(conn, native, BELAYI_SQLITE_RUNNING, error);
    if (number <= BELAYI_SQLITE_KEPT_MARKS)
        conn->marks[number - 1][which] = native;
    else
        sqlite3_finalize(native);
    return code;
}

static belay_code run_mark(belay_conn *base, belayi_sqlite_mark which, unsigned number, belay_error *error)
{
    belayi_sqlite_conn *conn = (belayi_sqlite_conn *)base;
    belay_code code = belayi_sqlite_check_ended(conn, error);
    if (code != BELAY_OK)
        return code;
    /* Outside a transaction SAVEPOINT would begin one, and its RELEASE commit it. */
    if (sqlite3_get_autocommit(conn->db))
        return belayi_report(error, BELAY_MISUSE, "a savepoint where no transaction is open");
    sqlite3_stmt *native = number <= BELAYI_SQLITE_KEPT_MARKS ? conn->marks[number - 1][which] : NULL;
    if (!native)
        return run_new_mark(conn, which, number, error);
    return run_control(conn, native, BELAYI_SQLITE_RUNNING, error);
}

/*
 * Each time the last savepoint is released, SQLite frees the memory in which it
 * keeps pages as they were, and the next savepoint gets it anew. From the second
 * on, one more is set beneath them and kept to the end of the transaction, so
 * that the memory stays: measured, a savepoint with one insert takes 4 % less.
 */
static belay_code lay_ground(belayi_sqlite_conn *conn, belay_error *error)
{
    sqlite3_stmt **ground = &conn->controls[BELAYI_SQLITE_GROUND];
    if (conn->adopted || ++conn->firsts != 2) /* nothing of ours stays in a transaction of the program's */
        return BELAY_OK;
    belay_code code = get_control(conn, BELAYI_SQLITE_GROUND, error);
    return code == BELAY_OK ? run_control(conn, *ground, BELAYI_SQLITE_RUNNING, error) : code;
}

belay_code belayi_sqlite_savepoint(belay_conn *base, unsigned number, belay_error *error)
{
    belayi_sqlite_conn *conn = (belayi_sqlite_conn *)base;
    if (number == 1 && !sqlite3_get_autocommit(conn->db) && lay_ground(conn, error) != BELAY_OK)
        return error->code;
    return run_mark(base, BELAYI_SQLITE_SET, number, error);
}

belay_code belayi_sqlite_release(belay_conn *conn, unsigned number, belay_error *error)
{
    return run_mark(conn, BELAYI_SQLITE_RELEASE, number, error);
}

belay_code belayi_sqlite_rollback_to(belay_conn *conn, unsigned number, belay_error *error)
{
    belay_code code = run_mark(conn, BELAYI_SQLITE_BACK, number, error);
    notice_undo((belayi_sqlite_conn *)conn);
    return code;
}

belay_code belayi_sqlite_mark_row(belayi_sqlite_conn *conn, belayi_sqlite_control which, belay_error *error)
{
    if (which == BELAYI_SQLITE_ROW && conn->firsts < 2) {
        conn->firsts = 1;
        if (lay_ground(conn, error) != BELAY_OK)
            return error->code;
    }
    belay_code code = get_control(conn, which, error);
    return code == BELAY_OK ? run_control(conn, conn->controls[which], BELAYI_SQLITE_RUNNING, error) : code;
}
