/*
 * transaction.c - begin, commit, roll back, savepoints.
 *
 * BEGIN, SAVEPOINT and RELEASE are only noted: the next statement takes them
 * along, and what is undone before that was never sent. Not so on a connection
 * that the program uses too: what it does there must belong to the scope that it
 * is done in.
 * Tests: tests/unit/drivers/test_postgresql_transactions.c.
 */
#include <stdio.h>
#include <string.h>

#include "conn.h"
#include "report.h"

/* ---- Begin ---------------------------------------------------------------------------------------- */

#define ACCESSES(start) start, start " DEFERRABLE", start " READ ONLY", start " READ ONLY DEFERRABLE"

/* By level, and by 1 for deferrable and 2 for read only. */
static const char *const begin_texts[][4] = {
    [BELAY_ISOLATION_DEFAULT] = {ACCESSES("BEGIN")},
    [BELAY_READ_UNCOMMITTED] = {ACCESSES("BEGIN ISOLATION LEVEL READ UNCOMMITTED")},
    [BELAY_READ_COMMITTED] = {ACCESSES("BEGIN ISOLATION LEVEL READ COMMITTED")},
    [BELAY_REPEATABLE_READ] = {ACCESSES("BEGIN ISOLATION LEVEL REPEATABLE READ")},
    [BELAY_SNAPSHOT] = {ACCESSES("BEGIN ISOLATION LEVEL REPEATABLE READ")},
    [BELAY_SERIALIZABLE] = {ACCESSES("BEGIN ISOLATION LEVEL SERIALIZABLE")},
};

/* Sends what is owed at once where the program could come between. */
static belay_code settle_if_shared(belayi_pg_conn *conn, belay_error *error)
{
    return conn->adopted || conn->lent ? belayi_pg_settle(conn, error) : BELAY_OK;
}

belay_code belayi_pg_begin(belay_conn *base, const belay_begin_options *options, belay_error *error)
{
    belayi_pg_conn *conn = (belayi_pg_conn *)base;
    if (belayi_pg_status(base) == BELAY_TRANSACTION_LOST)
        return belayi_pg_fail_link(conn, error);
    belayi_pg_owe_nothing(conn);
    if (conn->lent)
        conn->identity.question.number = 0; /* the program may have deallocated it, or anything */
    conn->lent = false;
    conn->undone++;
    conn->identity.read_only = options->read_only;
    conn->owed.begin = begin_texts[options->isolation][2 * options->read_only + options->deferrable];
    belay_code code = settle_if_shared(conn, error);
    if (code != BELAY_OK)
        belayi_pg_owe_nothing(conn);
    return code;
}

/* ---- Commit and rollback --------------------------------------------------------------------------- */

static bool outcome_is_unknown(const belayi_pg_conn *conn, const belay_error *error)
{
    return conn->lost || strcmp(error->sqlstate, "40003") == 0 || strcmp(error->sqlstate, "08007") == 0;
}

/* The server answers a COMMIT of a transaction in which a statement has failed with success. */
belay_code belayi_pg_report_not_kept(const char *tag, belay_error *error)
{
    belayi_report(error, BELAY_MISUSE, "the server rolled back instead of committing: it answered %s", tag);
    BELAYI_REPORT_FIELD(error->hint, "a statement had failed in it that was sent on the engine's own handle");
    return error->code;
}

/* The server itself has said what failed; a link that breaks has no such word. */
static bool was_told(const belay_error *error)
{
    return error->sqlstate[0] != '\0' && strncmp(error->sqlstate, "08", 2) != 0;
}

/* COMMIT behind what is queued. When a statement before it failed, it was skipped. */
static belay_code commit_queue(belayi_pg_conn *conn, char tag[32], belay_error *error)
{
    if (conn->base.queued == 0)
        return belayi_pg_command(conn, "COMMIT", tag, error);
    belay_code code = belayi_pg_command_behind(conn, "COMMIT", tag, error);
    if (conn->base.failed > 0 && conn->lost && !was_told(error))
        conn->base.failed = 0; /* COMMIT may have been reached, and its answer is lost with that of this one */
    return code;
}

belay_code belayi_pg_commit(belay_conn *base, belay_error *error)
{
    belayi_pg_conn *conn = (belayi_pg_conn *)base;
    char tag[32];
    bool empty = conn->owed.begin != NULL;
    base->failed = 0;
    belayi_pg_owe_nothing(conn);
    if (empty)
        return BELAY_OK;
    /* When the server hung up before, COMMIT never leaves: then it is certain that nothing was committed. */
    if (belayi_pg_hung_up(base)) {
        base->queued = base->failed = 0;
        return belayi_pg_fail_link(conn, error);
    }
    int trips = base->round_trips;
    belay_code code = commit_queue(conn, tag, error);
    if (base->failed > 0)
        return code;
    if (strcmp(tag, "COMMIT") == 0)
        return BELAY_OK; /* whatever became of the connection then */
    if (code == BELAY_OK)
        return belayi_pg_report_not_kept(tag, error);
    if (base->round_trips > trips && outcome_is_unknown(conn, error) && !belayi_pg_keeps_nothing(conn))
        error->outcome = BELAY_WORK_UNKNOWN;
    return code;
}

/* A savepoint around it, so that they wait again afterwards, and what their triggers do is undone. */
belay_code belayi_pg_check_deferred(belay_conn *base, belay_error *error)
{
    static const char *const texts[] = {"SAVEPOINT belay_check", "SET CONSTRAINTS ALL IMMEDIATE",
                                        "ROLLBACK TO belay_check", "RELEASE belay_check"};
    belayi_pg_conn *conn = (belayi_pg_conn *)base;
    char ignored[32];
    belay_code code = belayi_pg_settle(conn, error);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0] && code == BELAY_OK; i++)
        code = belayi_pg_command(conn, texts[i], ignored, error);
    conn->lock_now = BELAYI_PG_UNKNOWN;
    return code;
}

belay_code belayi_pg_rollback(belay_conn *base, belay_error *error)
{
    belayi_pg_conn *conn = (belayi_pg_conn *)base;
    belayi_pg_owe_nothing(conn);
    belay_transaction_status status = belayi_pg_status(base);
    if (status == BELAY_TRANSACTION_NONE || status == BELAY_TRANSACTION_LOST)
        return BELAY_OK; /* the server rolls back what it loses sight of */
    return belayi_pg_command_back(conn, "ROLLBACK", error);
}

/* ---- Savepoints ------------------------------------------------------------------------------------- */

belay_code belayi_pg_savepoint(belay_conn *base, unsigned number, belay_error *error)
{
    belayi_pg_conn *conn = (belayi_pg_conn *)base;
    if (belayi_pg_status(base) == BELAY_TRANSACTION_NONE)
        return belayi_report(error, BELAY_MISUSE, "a savepoint where no transaction is open");
    if (conn->owed.count++ == 0)
        conn->owed.first = number;
    return settle_if_shared(conn, error);
}

belay_code belayi_pg_release(belay_conn *base, unsigned number, belay_error *error)
{
    belayi_pg_conn *conn = (belayi_pg_conn *)base;
    belayi_pg_owed *owed = &conn->owed;
    if (owed->count > 0 && number >= owed->first) {
        owed->count = number - owed->first;
        return BELAY_OK;
    }
    if (conn->late.code != BELAY_OK) { /* a statement was left half-way since: it is this scope's, not the next's */
        *error = conn->late;
        return error->code;
    }
    owed->count = 0;
    owed->release = number;
    return settle_if_shared(conn, error);
}

belay_code belayi_pg_rollback_to(belay_conn *base, unsigned number, belay_error *error)
{
    belayi_pg_conn *conn = (belayi_pg_conn *)base;
    belayi_pg_owed *owed = &conn->owed;
    char text[64];
    if (owed->count > 0 && number >= owed->first) {
        owed->count = number - owed->first + 1; /* nothing was done since it was to be set */
        return BELAY_OK;
    }
    conn->undone++;
    belayi_pg_owe_nothing(conn); /* savepoints above it, and the release of some, go with it */
    snprintf(text, sizeof text, "ROLLBACK TO belay_%u", number);
    belay_code code = belayi_pg_command_back(conn, text, error);
    belayi_pg_doubt_limits(conn);
    return code;
}
