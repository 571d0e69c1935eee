/*
 * The ways of failing, told by the code:
 *   BELAY_CONNECTION   the connection is lost, and the real driver never sees the call
 *   BELAY_IN_DOUBT     the real driver does it, then the connection is lost
 *   BELAY_DEADLOCK, BELAY_SERIALIZATION   the real transaction is rolled back
 *   any other          the call does nothing; the transaction is rolled back where the fault says so
 *
 * What is queued in the real driver can't be taken back: it is done before the
 * transaction is rolled back, or when waiting for it is to fail, which is told then
 * as the failure of the last statement in it.
 *
 * A loss rolls the real transaction back at once, as a server does that misses its
 * client. The real connection is closed when the pool closes it.
 */
#include "standin.h"

#include <stddef.h>
#include <string.h>

#include "report.h"

const char *belayi_call_name(belayi_call_kind kind)
{
    static const char *const names[] = {
#define BELAYI_X(kind, name) name,
        BELAYI_CALLS(BELAYI_X)
#undef BELAYI_X
            "finalize",
        "close"};
    return names[kind];
}

/* ---- One call ---------------------------------------------------------------------------------------------------- */

typedef struct passage {
    belayi_standin *standin;
    belay_conn *conn;
    belayi_call_made call;
    belay_code fault; /* BELAY_OK: none */
    bool rolls_back;
    bool lost; /* the connection was, before the call */
} passage;

static const belayi_standin_face *face_of(const belay_conn *conn)
{
    return (const belayi_standin_face *)(const void *)conn->driver;
}

static const belay_driver *real_of(const belay_conn *conn)
{
    return face_of(conn)->standin->real;
}

static const belayi_fault *find_fault(const belayi_standin *standin, unsigned number)
{
    static const belayi_fault none = {.code = BELAY_OK};
    for (int i = 0; i < BELAYI_FAULTS; i++) {
        const belayi_fault *fault = &standin->faults[i];
        if (fault->first > 0 && number >= fault->first && number <= fault->last)
            return fault;
    }
    return &none;
}

/* A call comes: it is counted, and its fate decided. */
static passage arrive(belay_conn *conn, belayi_call_kind kind)
{
    belayi_standin *standin = face_of(conn)->standin;
    passage p = {.standin = standin, .conn = conn, .call = {.kind = kind}, .lost = face_of(conn)->lost};
    p.call.number = atomic_fetch_add_explicit(&standin->made, 1, memory_order_relaxed) + 1;
    const belayi_fault *fault = find_fault(standin, p.call.number);
    p.fault = fault->code;
    p.rolls_back = fault->rolls_back || p.fault == BELAY_DEADLOCK || p.fault == BELAY_SERIALIZATION;
    return p;
}

/* Whether the real driver is to be called. */
static bool goes_through(const passage *p)
{
    return !p->lost && (p->fault == BELAY_OK || p->fault == BELAY_IN_DOUBT);
}

static bool is_loss(const passage *p)
{
    return p->fault == BELAY_CONNECTION || p->fault == BELAY_IN_DOUBT;
}

/* Whether the real transaction goes with the call. What is prepared stays so when its client is lost. */
static bool ends_transaction(const passage *p)
{
    bool prepared = p->call.kind == BELAYI_CALL_FINISH_PREPARED ||
                    (p->call.kind == BELAYI_CALL_PREPARE_TRANSACTION && p->fault == BELAY_IN_DOUBT);
    return !prepared && !p->lost && p->fault != BELAY_OK && (is_loss(p) || p->rolls_back);
}

static belay_code tell(const passage *p, belay_error *error)
{
    const char *name = belayi_call_name(p->call.kind);
    if (p->lost)
        return belayi_report(error, BELAY_CONNECTION, "the connection had been lost before call %u (%s)",
                             p->call.number, name);
    if (is_loss(p))
        return belayi_report(error, BELAY_CONNECTION, "the connection was lost at call %u (%s), as a test asked for",
                             p->call.number, name);
    return belayi_report(error, p->fault, "call %u (%s) failed, as a test asked for", p->call.number, name);
}

static void finish_queue(belay_conn *conn)
{
    belay_error ignored;
    if (conn->queued > 0)
        real_of(conn)->drain(conn, &ignored);
}

/* The call is over; `code` is what the real driver said, if it was asked. Gives what the caller is told. */
static belay_code leave(const passage *p, belay_code code, belay_error *error)
{
    belayi_standin *standin = p->standin;
    if (p->lost || p->fault != BELAY_OK) {
        if (p->call.number == standin->faults[0].first)
            standin->first_hit = p->call;
        atomic_fetch_add_explicit(&standin->failed, 1, memory_order_relaxed);
        belay_error ignored;
        if (ends_transaction(p)) {
            finish_queue(p->conn);
            standin->real->rollback(p->conn, &ignored);
        }
        if (is_loss(p))
            p->conn->driver = &standin->lost.driver;
        code = tell(p, error);
    }
    if (standin->note)
        standin->note(standin->note_arg, &p->call, code);
    return code;
}

/* What can't fail, and is not counted. */
static void note_end(const belay_conn *conn, belayi_call_kind kind)
{
    const belayi_standin *standin = face_of(conn)->standin;
    belayi_call_made call = {.kind = kind};
    if (standin->note)
        standin->note(standin->note_arg, &call, BELAY_OK);
}

/* ---- Connections ------------------------------------------------------------------------------------------------- */

/* Whatever is to fail, the real connection is opened: the caller closes one whose opening failed. */
static belay_code stand_in_open(belay_conn *conn, belay_error *error)
{
    passage p = arrive(conn, BELAYI_CALL_CONNECT);
    belay_code code = p.standin->real->open(conn, error);
    if (code != BELAY_OK)
        p.fault = BELAY_OK;
    return leave(&p, code, error);
}

static void stand_in_close(belay_conn *conn)
{
    note_end(conn, BELAYI_CALL_CLOSE);
    real_of(conn)->close(conn);
}

static belay_transaction_status stand_in_status(belay_conn *conn)
{
    return face_of(conn)->lost ? BELAY_TRANSACTION_LOST : real_of(conn)->status(conn);
}

static bool stand_in_hung_up(belay_conn *conn)
{
    return face_of(conn)->lost || real_of(conn)->hung_up(conn);
}

static belay_code stand_in_isolation(belay_conn *conn, belay_level *out_level, belay_error *error)
{
    passage p = arrive(conn, BELAYI_CALL_ISOLATION);
    belay_code code = goes_through(&p) ? p.standin->real->isolation(conn, out_level, error) : BELAY_OK;
    return leave(&p, code, error);
}

/* ---- Transactions ------------------------------------------------------------------------------------------------ */

static belay_code stand_in_begin(belay_conn *conn, const belay_begin_options *options, belay_error *error)
{
    passage p = arrive(conn, BELAYI_CALL_BEGIN);
    p.call.writes = !options->read_only;
    belay_code code = goes_through(&p) ? p.standin->real->begin(conn, options, error) : BELAY_OK;
    return leave(&p, code, error);
}

/* Once COMMIT has left, a lost connection says nothing of its outcome. */
static belay_code stand_in_commit(belay_conn *conn, belay_error *error)
{
    passage p = arrive(conn, BELAYI_CALL_COMMIT);
    belay_code code = goes_through(&p) ? p.standin->real->commit(conn, error) : BELAY_OK;
    if (p.lost || p.fault != BELAY_OK) {
        finish_queue(conn);
        conn->failed = 0;
    }
    code = leave(&p, code, error);
    if (is_loss(&p) && !p.lost)
        error->outcome = BELAY_WORK_UNKNOWN;
    return code;
}

/* Nor is it then known whether the transaction was prepared. */
static belay_code stand_in_prepare_transaction(belay_conn *conn, const char *gid, belay_error *error)
{
    passage p = arrive(conn, BELAYI_CALL_PREPARE_TRANSACTION);
    belay_code code = goes_through(&p) ? p.standin->real->prepare_transaction(conn, gid, error) : BELAY_OK;
    code = leave(&p, code, error);
    if (is_loss(&p) && !p.lost)
        error->outcome = BELAY_WORK_UNKNOWN;
    return code;
}

static belay_code stand_in_finish_prepared(belay_conn *conn, const char *gid, bool commit, belay_error *error)
{
    passage p = arrive(conn, BELAYI_CALL_FINISH_PREPARED);
    belay_code code = goes_through(&p) ? p.standin->real->finish_prepared(conn, gid, commit, error) : BELAY_OK;
    return leave(&p, code, error);
}

static belay_code stand_in_check_deferred(belay_conn *conn, belay_error *error)
{
    passage p = arrive(conn, BELAYI_CALL_CHECK_DEFERRED);
    belay_code code = goes_through(&p) ? p.standin->real->check_deferred(conn, error) : BELAY_OK;
    return leave(&p, code, error);
}

static belay_code stand_in_rollback(belay_conn *conn, belay_error *error)
{
    passage p = arrive(conn, BELAYI_CALL_ROLLBACK);
    belay_code code = goes_through(&p) ? p.standin->real->rollback(conn, error) : BELAY_OK;
    return leave(&p, code, error);
}

static belay_code stand_in_outcome(belay_conn *conn, const belay_token *token, belay_outcome *out_outcome,
                                   belay_error *error)
{
    passage p = arrive(conn, BELAYI_CALL_OUTCOME);
    belay_code code = goes_through(&p) ? p.standin->real->outcome(conn, token, out_outcome, error) : BELAY_OK;
    return leave(&p, code, error);
}

typedef belay_code (*savepoint_slot)(belay_conn *, unsigned number, belay_error *);

static belay_code pass_savepoint(belay_conn *conn, belayi_call_kind kind, savepoint_slot real, unsigned number,
                                 belay_error *error)
{
    passage p = arrive(conn, kind);
    p.call.savepoint = number;
    belay_code code = goes_through(&p) ? real(conn, number, error) : BELAY_OK;
    return leave(&p, code, error);
}

static belay_code stand_in_savepoint(belay_conn *conn, unsigned number, belay_error *error)
{
    return pass_savepoint(conn, BELAYI_CALL_SAVEPOINT, real_of(conn)->savepoint, number, error);
}

static belay_code stand_in_release(belay_conn *conn, unsigned number, belay_error *error)
{
    return pass_savepoint(conn, BELAYI_CALL_RELEASE, real_of(conn)->release, number, error);
}

static belay_code stand_in_rollback_to(belay_conn *conn, unsigned number, belay_error *error)
{
    return pass_savepoint(conn, BELAYI_CALL_ROLLBACK_TO, real_of(conn)->rollback_to, number, error);
}

/* ---- Statements -------------------------------------------------------------------------------------------------- */

static belay_code stand_in_prepare(belay_conn *conn, const struct belayi_sql *sql, belay_statement **out_statement,
                                   belay_error *error)
{
    passage p = arrive(conn, BELAYI_CALL_PREPARE);
    *out_statement = NULL;
    belay_code code = goes_through(&p) ? p.standin->real->prepare(conn, sql, out_statement, error) : BELAY_OK;
    if (p.fault != BELAY_OK) {
        p.standin->real->finalize(*out_statement);
        *out_statement = NULL;
    }
    return leave(&p, code, error);
}

static void stand_in_finalize(belay_statement *statement)
{
    if (!statement)
        return;
    note_end(statement->conn, BELAYI_CALL_FINALIZE);
    real_of(statement->conn)->finalize(statement);
}

static belay_code stand_in_execute(belay_statement *statement, size_t n, const belay_value *values,
                                   belay_effect *effect, belay_error *error)
{
    passage p = arrive(statement->conn, BELAYI_CALL_EXECUTE);
    belay_effect untold = *effect;
    belay_code code = BELAY_OK;
    p.call.writes = statement->writes;
    if (goes_through(&p))
        code = p.standin->real->execute(statement, n, values, p.fault == BELAY_OK ? effect : &untold, error);
    return leave(&p, code, error);
}

static belay_code stand_in_start(belay_statement *statement, size_t n, const belay_value *values, belay_error *error)
{
    passage p = arrive(statement->conn, BELAYI_CALL_START);
    belay_code code = BELAY_OK;
    p.call.writes = statement->writes;
    if (goes_through(&p))
        code = p.standin->real->start(statement, n, values, error);
    if (goes_through(&p) && code == BELAY_OK && p.fault != BELAY_OK)
        p.standin->real->finish(statement);
    return leave(&p, code, error);
}

static belay_step stand_in_step(belay_statement *statement, belay_value *cells, belay_effect *effect,
                                belay_error *error)
{
    passage p = arrive(statement->conn, BELAYI_CALL_STEP);
    belay_effect untold = *effect;
    belay_step step = BELAY_STEP_ERROR;
    p.call.writes = statement->writes;
    if (goes_through(&p))
        step = p.standin->real->step(statement, cells, p.fault == BELAY_OK ? effect : &untold, error);
    if (ends_transaction(&p)) /* which can't be done under a statement that is under way */
        p.standin->real->finish(statement);
    belay_code code = p.fault == BELAY_OK && !p.lost && step == BELAY_STEP_ERROR ? error->code : BELAY_OK;
    return leave(&p, code, error) == BELAY_OK ? step : BELAY_STEP_ERROR;
}

/* The statements of a lost connection were finished when it was lost. */
static void stand_in_finish(belay_statement *statement)
{
    if (!face_of(statement->conn)->lost)
        real_of(statement->conn)->finish(statement);
}

/* A fault comes behind the first of the rows. */
static belay_code stand_in_execute_each(belay_statement *statement, const belay_each *each, belay_effect *effect,
                                        belay_error *error)
{
    passage p = arrive(statement->conn, BELAYI_CALL_EACH);
    belay_each part = *each;
    belay_code code = BELAY_OK;
    p.call.writes = statement->writes;
    part.rows = p.fault == BELAY_OK ? each->rows : 1;
    if (!p.lost)
        code = p.standin->real->execute_each(statement, &part, effect, error);
    return leave(&p, code, error);
}

/* ---- The queue --------------------------------------------------------------------------------------------------- */

static belay_code stand_in_queue(belay_statement *statement, size_t n, const belay_value *values, belay_error *error)
{
    passage p = arrive(statement->conn, BELAYI_CALL_QUEUE);
    p.call.writes = statement->writes;
    belay_code code = goes_through(&p) ? p.standin->real->queue(statement, n, values, error) : BELAY_OK;
    return leave(&p, code, error);
}

static belay_code stand_in_drain(belay_conn *conn, belay_error *error)
{
    passage p = arrive(conn, BELAYI_CALL_DRAIN);
    unsigned queued = conn->queued;
    p.call.writes = true;
    belay_code code = p.lost ? BELAY_OK : p.standin->real->drain(conn, error);
    if (p.lost || p.fault != BELAY_OK)
        conn->failed = queued;
    return leave(&p, code, error);
}

/* ---- The stand-in ------------------------------------------------------------------------------------------------ */

/* The slots that are not replaced are the real driver's: it finds its own state where it always does. */
static void replace_slots(belay_driver *driver)
{
    driver->open = stand_in_open;
    driver->close = stand_in_close;
    driver->status = stand_in_status;
    driver->isolation = stand_in_isolation;
    driver->begin = stand_in_begin;
    driver->check_deferred = stand_in_check_deferred;
    driver->commit = stand_in_commit;
    driver->rollback = stand_in_rollback;
    if (driver->outcome)
        driver->outcome = stand_in_outcome;
    if (driver->hung_up)
        driver->hung_up = stand_in_hung_up;
    driver->savepoint = stand_in_savepoint;
    driver->release = stand_in_release;
    driver->rollback_to = stand_in_rollback_to;
    if (driver->prepare_transaction) {
        driver->prepare_transaction = stand_in_prepare_transaction;
        driver->finish_prepared = stand_in_finish_prepared;
    }
    driver->prepare = stand_in_prepare;
    driver->finalize = stand_in_finalize;
    driver->execute = stand_in_execute;
    driver->start = stand_in_start;
    driver->step = stand_in_step;
    driver->finish = stand_in_finish;
    if (driver->execute_each)
        driver->execute_each = stand_in_execute_each;
    if (driver->queue) {
        driver->queue = stand_in_queue;
        driver->drain = stand_in_drain;
    }
}

void belayi_standin_init(belayi_standin *standin, const belay_driver *real)
{
    memset(standin, 0, sizeof *standin);
    standin->real = real;
    standin->sound = (belayi_standin_face){.driver = *real, .standin = standin};
    replace_slots(&standin->sound.driver);
    standin->lost = standin->sound;
    standin->lost.lost = true;
}

void belayi_standin_arm(belayi_standin *standin, const belayi_fault *first, const belayi_fault *second)
{
    const belayi_fault none = {0};
    standin->faults[0] = first ? *first : none;
    standin->faults[1] = second ? *second : none;
    standin->first_hit = (belayi_call_made){0};
    atomic_store(&standin->made, 0);
    atomic_store(&standin->failed, 0);
}

void belayi_standin_disarm(belayi_standin *standin)
{
    belayi_standin_arm(standin, NULL, NULL);
}
