#include "statement.h"

#include <string.h>

#include "options.h"
#include "report.h"
#include "retry.h"

void belayi_statement_blame(const belayi_call *call, belay_error *error)
{
    BELAYI_REPORT_FIELD(error->statement, call->sql);
    belayi_report_place(error, call->place);
}

/* An error before the engine was asked. */
static belay_code refuse_call(belay_session *s, const belayi_call *call, belay_error *error)
{
    if (!error->statement[0]) /* what ended the program's own transaction names its own */
        belayi_statement_blame(call, error);
    return belayi_session_raise(s, call->place, error);
}

/* ---- What is refused -------------------------------------------------------------------------------------------- */

static belay_code check_control(const belayi_sql *sql, bool read_only, bool alone, belay_error *error)
{
    const char *instead = NULL;
    if (belayi_sql_controls_transaction(sql->kind, &instead))
        return belayi_report(error, BELAY_MISUSE, "transaction control is not sent as SQL text: use %s", instead);
    if (sql->kind == BELAYI_SQL_IMPLICIT_COMMIT && read_only) /* as where it would not commit */
        return belayi_report(error, BELAY_READ_ONLY, "a change of the schema, or the like, in a read-only scope");
    if (sql->kind == BELAYI_SQL_IMPLICIT_COMMIT && !alone)
        return belayi_report(error, BELAY_MISUSE,
                             "this statement would commit the transaction that it stands in: run it outside");
    return BELAY_OK;
}

static belay_code check_locking(const belayi_sql *sql, bool read_only, bool alone, belay_error *error)
{
    if (sql->lock == BELAYI_LOCK_NONE)
        return BELAY_OK;
    if (read_only)
        return belayi_report(error, BELAY_READ_ONLY, "a locking read in a read-only scope");
    if (alone)
        return belayi_report(error, BELAY_MISUSE, "a locking read outside any scope: its locks would be gone at once");
    return BELAY_OK;
}

static belay_code check_parameters(const belayi_call *call, const belayi_sql *sql, belay_error *error)
{
    if (sql->parameters == call->n)
        return BELAY_OK;
    return belayi_report(error, BELAY_MISUSE, "the statement has %u parameter%s, and %zu value%s given",
                         sql->parameters, sql->parameters == 1 ? "" : "s", call->n, call->n == 1 ? " was" : "s were");
}

/* What the text alone tells. */
static belay_code check_text(belay_session *s, const belayi_call *call, const belayi_sql *sql, bool alone,
                             belay_error *error)
{
    const belayi_frame *top = belayi_transaction_top(&s->transaction);
    /* In somebody else's transaction even a statement outside any scope is not alone. */
    belay_code code = check_control(sql, top->read_only, alone && !s->transaction.foreign, error);
    if (code == BELAY_OK)
        code = check_locking(sql, top->read_only, alone, error);
    if (code == BELAY_OK)
        code = check_parameters(call, sql, error);
    return code;
}

/* What can be wrong before a connection is needed. */
static belay_code check_call(belay_session *s, const belayi_call *call)
{
    if (s->stream)
        return belayi_session_misuse(s, call->place, "a stream is open on this session: close it first");
    if (!call->sql)
        return belayi_session_misuse(s, call->place, "there is no SQL text");
    if (call->n > 0 && !call->values)
        return belayi_session_misuse(s, call->place, "%zu values were announced and none given", call->n);
    return BELAY_OK;
}

/* ---- Telling the trace ------------------------------------------------------------------------------------ */

void belayi_statement_tell(belay_session *s, const belayi_call *call, const belayi_running *running, belay_code code)
{
    belayi_transaction *t = &s->transaction;
    if (!t->trace)
        return;
    belay_trace_event event = {
        .kind = BELAY_TRACE_STATEMENT,
        .code = code,
        .start_ns = running->since,
        .rows = running->rows > 0 ? running->rows : s->effect.changes,
        .statement = call->sql,
        .file = call->place.file,
        .function = call->place.function,
        .line = call->place.line,
    };
    if (t->conn)
        t->conn->round_trips += running->prepare_trips;
    belayi_wire_tell_call(t, &event);
}

/* ---- On the way ------------------------------------------------------------------------------------------------- */

/* Prepares the statement. What can't be prepared is told, as nothing else will be of it. */
static belay_code prepare(belay_session *s, const belayi_call *call, belayi_running *running, belay_error *error)
{
    belayi_transaction *t = &s->transaction;
    running->since = t->trace ? belayi_wire_listen(t) : 0;
    belay_code code = belayi_link_prepare(running->link, running->cached, error);
    if (code != BELAY_OK)
        belayi_statement_tell(s, call, running, code);
    running->prepare_trips = t->trace ? t->conn->round_trips : 0;
    return code;
}

/* Finds and prepares the statement in the innermost scope. */
static belay_code find_statement(belay_session *s, const belayi_call *call, belayi_running *running, bool alone)
{
    belay_error *error = &s->transaction.scratch;
    belayi_transaction *t = &s->transaction;
    running->link = belayi_link_of(t->conn);
    running->link->hold = t->queue.count > 0;
    if (belayi_link_get(running->link, call->sql, &running->cached, error) != BELAY_OK)
        return refuse_call(s, call, error);
    const belayi_cached *cached = running->cached;
    bool good = cached->plain && cached->sql.parameters == call->n;
    if (!good && check_text(s, call, &cached->sql, alone, error) != BELAY_OK)
        return refuse_call(s, call, error);
    if (cached->statement || prepare(s, call, running, error) == BELAY_OK)
        return BELAY_OK;
    belayi_statement_blame(call, error);
    return belayi_scope_fail(t, error);
}

static belay_code check_read_only(belay_session *s, const belayi_call *call, const belayi_running *running)
{
    const belayi_frame *top = belayi_transaction_top(&s->transaction);
    if (!top->read_only || !running->cached->statement->writes)
        return BELAY_OK;
    belayi_report(&s->transaction.scratch, BELAY_READ_ONLY, "a write in a read-only scope");
    return refuse_call(s, call, &s->transaction.scratch);
}

/* Whether the engine undoes the statement by itself when it fails, as if it had a savepoint of its own. */
static bool undoes_itself(const belayi_running *running)
{
    belay_statement *statement = belayi_running_statement(running);
    const belay_driver *driver = statement->conn->driver;
    if (!(driver->capabilities & BELAY_CAN_ELIDE))
        return false;
    return !statement->writes || driver->self_contained(statement);
}

/* Locks on rows are kept as work is. */
static bool leaves_something(const belayi_running *running)
{
    return running->cached->statement->writes || running->cached->sql.lock != BELAYI_LOCK_NONE;
}

/* Sends the savepoints that are owed. What only reads leaves nothing to undo where the engine does so by itself. */
static belay_code set_savepoints(belayi_transaction *t, const belayi_call *call, const belayi_running *running)
{
    bool writes = running->cached->statement->writes;
    t->wrote |= writes;
    if (!writes && undoes_itself(running))
        return BELAY_OK;
    /* At the end of an outermost scope its work may be refused, and in somebody else's transaction no ROLLBACK undoes
     * it. */
    bool may_elide = call->use == BELAYI_USE_TRY && (t->depth > 1 || !t->foreign);
    return belayi_scope_mark(t, may_elide && undoes_itself(running));
}

/* Whether the statement is to run without a BEGIN. The last rows of a stream may fail when nobody reads them any more:
   then there must be a COMMIT that fails. And what a write returns may fail to be read, for want of memory, when it has
   been committed with the write: then nothing could be undone. */
static bool stands_alone(const belayi_call *call, const belayi_running *running)
{
    belayi_sql_kind kind = running->cached->sql.kind;
    if (kind == BELAYI_SQL_OTHER || kind == BELAYI_SQL_IMPLICIT_COMMIT)
        return true; /* many of these can't run inside a transaction */
    uint32_t capabilities = belayi_running_statement(running)->conn->driver->capabilities;
    bool returns = call->use == BELAYI_USE_ROWS && running->cached->statement->writes;
    return (capabilities & BELAY_CAN_STAND_ALONE) && call->use != BELAYI_USE_STREAM && !returns;
}

/* A unit of one statement need not be more than that statement needs. */
static void narrow_unit(belayi_transaction *t, const belayi_call *call, const belayi_running *running)
{
    bool one_writer = belayi_running_statement(running)->conn->driver->capabilities & BELAY_HAS_ONE_WRITER;
    /* A query may call a function that writes: elsewhere there is nothing to gain by forbidding it. */
    t->begin.read_only = one_writer && !running->cached->statement->writes;
    t->autocommit = !t->foreign && stands_alone(call, running);
}

/* Whether it goes into the queue: its text is needed until that is empty, and a lock that is not waited for is another
   limit than that of the statements around it. */
static bool may_queue(belayi_transaction *t, const belayi_call *call, const belayi_running *running)
{
    const belayi_cached *cached = running->cached;
    return call->use == BELAYI_USE_NOTHING && !running->own_scope && cached->kept &&
           cached->sql.lock != BELAYI_LOCK_NOWAIT && belayi_scope_can_queue(t);
}

static belay_code get_ready(belay_session *s, const belayi_call *call, belayi_running *running)
{
    belayi_transaction *t = &s->transaction;
    bool alone = running->own_scope && t->depth == 1;
    belay_code code = belayi_scope_enter(t);
    if (code == BELAY_OK)
        code = find_statement(s, call, running, alone);
    if (code == BELAY_OK)
        code = check_read_only(s, call, running);
    if (code != BELAY_OK)
        return code;
    if (alone)
        narrow_unit(t, call, running);
    running->queues = may_queue(t, call, running);
    if (!running->queues && belayi_scope_drain(t) != BELAY_OK)
        return t->pending.code;
    if (running->cached->sql.lock == BELAYI_LOCK_NOWAIT)
        t->conn->limits.lock_wait_ns = 0;
    code = belayi_scope_begin(t);
    running->changed = t->part.changed;
    if (code == BELAY_OK)
        code = set_savepoints(t, call, running);
    if (code == BELAY_OK && t->trace && leaves_something(running))
        belayi_scope_count_written(t, call->place);
    running->since = t->trace ? belayi_wire_listen(t) : 0;
    return code;
}

static void put_back(belayi_running *running)
{
    if (running->cached)
        belayi_link_put(running->link, running->cached);
    running->cached = NULL;
}

/* With no scope open, one statement is a unit. */
belay_code belayi_statement_open_unit(belay_session *s, const belayi_call *call)
{
    belay_error error;
    belayi_scope_spec spec;
    if (s->db && s->db->options.require_scope && !s->unscoped)
        return belayi_session_misuse(s, call->place,
                                     "a statement outside any scope, and the handle was opened with .require_scope");
    if (belayi_options_resolve(s, NULL, BELAYI_FORM_STATEMENT, &spec, &error) != BELAY_OK)
        return refuse_call(s, call, &error);
    belayi_session_begin_unit(s);
    belayi_retry_remember(s, &spec, NULL, BELAYI_FORM_STATEMENT, call->place);
    return belayi_scope_open(&s->transaction, &spec, BELAYI_FORM_STATEMENT, &call->place);
}

/* Opens the scope that the statement needs for itself, if it does. */
static belay_code open_own_scope(belay_session *s, const belayi_call *call, belayi_running *running)
{
    belayi_transaction *t = &s->transaction;
    if (t->depth == 0) {
        belay_code code = belayi_statement_open_unit(s, call);
        running->own_scope = t->depth > 0;
        return code;
    }
    belay_code refused = belayi_scope_refuse(t);
    if (refused != BELAY_OK || call->use != BELAYI_USE_TRY)
        return refused;
    running->own_scope = true;
    if (!belayi_scope_takes_another(t))
        return belayi_scope_open(t, NULL, BELAYI_FORM_STATEMENT, &call->place);
    belayi_scope_push(t, BELAYI_FORM_STATEMENT, &call->place);
    return BELAY_OK;
}

/* Whether a belay_try outside any scope may catch how it ended. */
static bool is_ordinary(const belay_session *s)
{
    return !belayi_code_ends_transaction(s->status.code) && s->status.outcome != BELAY_WORK_UNKNOWN &&
           s->status.outcome != BELAY_WORK_PARTLY && s->foreign_end.code == BELAY_OK;
}

/* Ends the scope of the statement's own, if it has one. What a belay_try's ended with is caught, where it can be. */
static belay_code end_own_scope(belay_session *s, const belayi_call *call, const belayi_running *running)
{
    belayi_transaction *t = &s->transaction;
    if (running->own_scope)
        belayi_session_end_scope(s, BELAYI_END_COMMIT);
    belay_code code = belayi_session_code(s);
    if (code == BELAY_OK)
        return code;
    s->effect.changes = 0;
    if (call->use != BELAYI_USE_TRY)
        return code;
    if (t->depth > 0) {
        belayi_scope_catch(t, BELAY_ANY, &s->caught);
    } else if (is_ordinary(s)) {
        s->caught = s->status;
        s->status.code = BELAY_OK;
        s->status_unread = false;
    }
    return code;
}

belay_code belayi_statement_open(belay_session *s, const belayi_call *call, belayi_running *out_running)
{
    *out_running = (belayi_running){0};
    belayi_scope_follow(&s->transaction);
    s->effect.changes = 0;
    belay_code code = open_own_scope(s, call, out_running);
    if (code != BELAY_OK && !out_running->own_scope)
        return code;
    if (code == BELAY_OK)
        code = check_call(s, call);
    if (code == BELAY_OK)
        code = get_ready(s, call, out_running);
    if (code == BELAY_OK)
        return BELAY_OK;
    put_back(out_running);
    return end_own_scope(s, call, out_running);
}

belay_code belayi_statement_close(belay_session *s, belayi_running *running, const belayi_call *call,
                                  belay_error *error)
{
    put_back(running);
    if (running->since)
        belayi_statement_tell(s, call, running, error ? error->code : BELAY_OK);
    if (!error) {
        belayi_scope_worked(&s->transaction);
    } else {
        belayi_scope_doubt(&s->transaction, error);
        belayi_statement_blame(call, error);
        belayi_scope_fail(&s->transaction, error);
    }
    return end_own_scope(s, call, running);
}

/* ---- belay_exec and belay_try ------------------------------------------------------------------------ */

static belay_code queue_exec(belay_session *s, const belayi_call *call, belayi_running *running)
{
    assert(running->cached);
    const belayi_queued what = {.text = running->cached->text, .place = call->place, .since = running->since};
    belay_code code = belayi_scope_queue(&s->transaction, belayi_running_statement(running), call->n, call->values,
                                         &what, &s->effect);
    put_back(running);
    return code;
}

belay_code belayi_statement_run(belay_session *s, const belayi_call *call)
{
    belayi_running running;
    belay_code code = belayi_statement_open(s, call, &running);
    if (code != BELAY_OK)
        return code;
    if (running.queues)
        return queue_exec(s, call, &running);
    belay_statement *statement = belayi_running_statement(&running);
    const belay_driver *driver = statement->conn->driver;
    bool failed = driver->execute(statement, call->n, call->values, &s->effect, &s->transaction.scratch) != BELAY_OK;
    if (failed && s->transaction.part.number > 0 && undoes_itself(&running))
        s->transaction.part.changed = running.changed;
    return belayi_statement_close(s, &running, call, failed ? &s->transaction.scratch : NULL);
}

belay_code belay_exec_at(belay_session *s, belay_place place, const char *sql, size_t n, const belay_value *values)
{
    if (!belayi_session_enter_to_queue(s))
        return BELAY_MISUSE;
    belay_code code = belayi_statement_run(s, &(belayi_call){sql, n, values, place, BELAYI_USE_NOTHING});
    belayi_session_leave(s);
    return code;
}

belay_code belay_exec_values(belay_session *s, const char *sql, size_t n, const belay_value *values)
{
    return belay_exec_at(s, (belay_place){0}, sql, n, values);
}

belay_code belay_try_at(belay_session *s, belay_place place, const char *sql, size_t n, const belay_value *values)
{
    if (!belayi_session_enter(s))
        return BELAY_MISUSE;
    belay_code code = belayi_statement_run(s, &(belayi_call){sql, n, values, place, BELAYI_USE_TRY});
    belayi_session_leave(s);
    return code;
}

belay_code belay_try_values(belay_session *s, const char *sql, size_t n, const belay_value *values)
{
    return belay_try_at(s, (belay_place){0}, sql, n, values);
}

/* ---- What it did ------------------------------------------------------------------------------------------------ */

int64_t belay_changes(belay_session *s)
{
    if (!belayi_session_enter(s))
        return 0;
    int64_t changes = s->effect.changes;
    belayi_session_leave(s);
    return changes;
}

int64_t belay_last_id_at(belay_session *s, belay_place place)
{
    if (!belayi_session_enter(s))
        return 0;
    int64_t id = s->effect.has_last_id ? s->effect.last_id : 0;
    if (!s->effect.has_last_id) {
        belay_error error;
        belayi_report(&error, BELAY_UNSUPPORTED, "the engine can't say which key the last INSERT generated");
        BELAYI_REPORT_FIELD(error.hint, "use INSERT ... RETURNING with belay_query or belay_int_of");
        belayi_session_raise(s, place, &error);
    }
    belayi_session_leave(s);
    return id;
}
