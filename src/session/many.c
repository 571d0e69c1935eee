/*
 * many.c - belay_try_many: one statement for many rows, each in a scope of its own.
 *
 * Row by row it is belay_try. Once a row was kept, so that the text and the number
 * of its parameters are known to be good, a driver that can do better gets the
 * rest. belayi_many_insert is the same for rows of a table (src/import), whose
 * statement is known to be good from the first on.
 * Tests: tests/api/test_many.c.
 */
#include "many.h"

#include "report.h"
#include "statement.h"

typedef struct many {
    belay_session *session;
    belayi_call call;           /* with the values of the row that is tried */
    const belay_target *target; /* or NULL: it is any statement */
    size_t rows, done, rejected;
    int64_t changes; /* by the rows that were kept */
    bool row_by_row; /* the driver has nothing better */
    bool strict;     /* only what may be a row's own fault rejects it */
    belay_rejected on_reject;
    void *arg;
} many;

/* ---- Rejecting ------------------------------------------------------------------------------------------------ */

/* What comes from elsewhere: another row would meet it too, and this one be taken another time. */
static bool is_no_rows_fault(belay_code code)
{
    static const belay_code others[] = {BELAY_BUSY,      BELAY_LOCK_TIMEOUT, BELAY_TIMEOUT, BELAY_CANCELLED,
                                        BELAY_READ_ONLY, BELAY_DISK_FULL,    BELAY_IO,      BELAY_NO_MEMORY};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (code == others[i])
            return true;
    return belayi_code_ends_transaction(code);
}

/* The row's error is the caught one. */
static void reject(many *m, size_t row)
{
    m->rejected++;
    belayi_session_reject(m->session, m->on_reject, row, m->arg);
}

/* ---- Row by row ------------------------------------------------------------------------------------------------ */

/* BELAY_OK when the next row was tried; *out_kept: and kept. */
static belay_code try_next(many *m, bool *out_kept)
{
    belay_session *s = m->session;
    belayi_transaction *t = &s->transaction;
    belay_code code = belayi_scope_enter(t); /* the limits are those of the scope around the rows */
    *out_kept = false;
    if (code != BELAY_OK)
        return code;
    code = belayi_statement_run(s, &m->call);
    if (code != BELAY_OK && belayi_session_code(s) != BELAY_OK)
        return code;
    if (code != BELAY_OK && m->strict && is_no_rows_fault(code)) {
        belay_error error = s->caught;
        return belayi_session_raise(s, m->call.place, &error);
    }
    *out_kept = code == BELAY_OK;
    if (code == BELAY_OK)
        m->changes += s->effect.changes;
    else
        reject(m, m->done);
    m->done++;
    m->call.values += m->call.n;
    return BELAY_OK;
}

/* ---- All that remain, by the driver ------------------------------------------------------------------------------ */

/* As belay_try would have left it in belay_caught. */
static void catch_row(many *m, const belay_error *error)
{
    belay_session *s = m->session;
    belayi_transaction *t = &s->transaction;
    s->caught = *error;
    s->caught.attempt = t->attempt;
    s->caught.outcome = BELAY_WORK_ROLLED_BACK;
    belayi_statement_blame(&m->call, &s->caught);
    for (unsigned i = t->depth; i > 0 && !s->caught.scope[0]; i--)
        BELAYI_REPORT_FIELD(s->caught.scope, t->frames[i - 1].name);
}

static bool rejected_by_driver(void *arg, size_t row, belay_error *error)
{
    many *m = arg;
    if (m->strict ? is_no_rows_fault(error->code) : belayi_code_ends_transaction(error->code))
        return false;
    catch_row(m, error);
    reject(m, m->done + row);
    return true;
}

static belay_code try_rest(many *m)
{
    belay_session *s = m->session;
    belayi_transaction *t = &s->transaction;
    belayi_running running;
    belayi_call call = m->call;
    call.use = BELAYI_USE_ROWS; /* no scope of its own, and no queue */
    belay_code code = belayi_statement_open(s, &call, &running);
    if (code != BELAY_OK)
        return code;
    belay_statement *statement = belayi_running_statement(&running);
    int64_t changes = 0;
    belay_each each = {.rows = m->rows - m->done,
                       .columns = call.n,
                       .values = call.values,
                       .target = m->target,
                       .changes = &changes,
                       .rejected = rejected_by_driver,
                       .arg = m};
    code = t->conn->driver->execute_each(statement, &each, &s->effect, &t->scratch);
    m->row_by_row = code == BELAY_UNSUPPORTED;
    code = belayi_statement_close(s, &running, &call, code == BELAY_OK || m->row_by_row ? NULL : &t->scratch);
    m->changes += changes;
    if (!m->row_by_row)
        m->done = m->rows;
    return code;
}

/* Whether the driver may have them: not where the program can look in between with the engine's own handle. */
static bool can_hand_over(const many *m)
{
    const belayi_transaction *t = &m->session->transaction;
    const belay_driver *driver = t->conn ? t->conn->driver : m->session->db->driver;
    return !m->row_by_row && t->eager == 0 && !t->lent && driver && driver->execute_each;
}

/* ---- All -------------------------------------------------------------------------------------------------------- */

static belay_code try_rows(many *m)
{
    belay_code code = BELAY_OK;
    bool is_good = m->target != NULL; /* the statement; a program's own is tried first */
    while (code == BELAY_OK && m->done < m->rows)
        code = is_good && can_hand_over(m) ? try_rest(m) : try_next(m, &is_good);
    return code;
}

static belay_code check_many(const many *m)
{
    belay_session *s = m->session;
    if (s->stream)
        return belayi_session_misuse(s, m->call.place, "a stream is open on this session: close it first");
    if (m->rows > 0 && m->call.n > 0 && !m->call.values)
        return belayi_session_misuse(s, m->call.place, "%zu rows were announced and none given", m->rows);
    return s->transaction.depth > 0 ? belayi_scope_refuse(&s->transaction) : BELAY_OK;
}

static belay_code run_many(many *m)
{
    belay_session *s = m->session;
    belay_code code = check_many(m);
    if (code != BELAY_OK || m->rows == 0)
        return code;
    bool own = s->transaction.depth == 0;
    if (own)
        code = belayi_statement_open_unit(s, &m->call);
    if (code == BELAY_OK)
        code = try_rows(m);
    if (own && s->transaction.depth > 0) {
        belayi_session_end_scope(s, BELAYI_END_COMMIT);
        code = belayi_session_code(s);
    }
    return code;
}

static belay_code run(many *m, belay_session *s)
{
    if (!belayi_session_enter(s))
        return BELAY_MISUSE;
    belay_code code = run_many(m);
    belayi_session_leave(s);
    return code;
}

belay_code belay_try_many_at(belay_session *s, belay_place place, const char *sql, size_t rows, size_t columns,
                             const belay_value *values, belay_rejected on_reject, void *arg, size_t *out_kept)
{
    many m = {.session = s,
              .call = {sql, columns, values, place, BELAYI_USE_TRY},
              .rows = rows,
              .on_reject = on_reject,
              .arg = arg};
    belay_code code = run(&m, s);
    if (out_kept)
        *out_kept = code == BELAY_OK ? rows - m.rejected : 0;
    return code;
}

belay_code belayi_many_insert(belay_session *s, const belayi_insert *insert, int64_t *out_changes)
{
    many m = {.session = s,
              .call = {insert->sql, insert->columns, insert->values, insert->place, BELAYI_USE_TRY},
              .target = insert->target,
              .strict = true,
              .rows = insert->rows,
              .on_reject = insert->on_reject,
              .arg = insert->arg};
    belay_code code = run(&m, s);
    *out_changes = m.changes;
    return code;
}
