#include "run.h"

#include "report.h"

/* Steps through all rows; what is behind a row that was refused is not read. */
static belay_code read_rows(belay_session *s, belay_statement *statement, const belayi_run *run, belay_value *cells,
                            int64_t *out_rows, belay_error *error)
{
    const belay_driver *driver = statement->conn->driver;
    if (statement->columns != run->columns)
        return belayi_report(error, BELAY_SCHEMA, "the statement gives %d columns, not %d", statement->columns,
                             run->columns);
    for (;;) {
        belay_step step = driver->step(statement, cells, &s->effect, error);
        if (step != BELAY_STEP_ROW)
            return step == BELAY_STEP_DONE ? BELAY_OK : error->code;
        ++*out_rows;
        belay_code code = run->on_row(run->arg, cells, error);
        if (code != BELAY_OK)
            return code;
    }
}

static belay_code run_with_rows(belay_session *s, belay_statement *statement, const belayi_run *run,
                                belayi_running *running, belay_error *error)
{
    const belay_driver *driver = statement->conn->driver;
    belay_value cells[BELAYI_COLUMNS_MAX];
    belay_code code = driver->start(statement, run->n, run->values, error);
    if (code != BELAY_OK)
        return code;
    code = read_rows(s, statement, run, cells, &running->rows, error);
    driver->finish(statement);
    return code;
}

static belay_code run_statement(belay_session *s, const belayi_call *call, const belayi_run *run)
{
    belayi_running running;
    belay_error *error = &s->transaction.scratch;
    belay_code code = belayi_statement_open(s, call, &running);
    if (code != BELAY_OK)
        return code;
    belay_statement *statement = belayi_running_statement(&running);
    if (run->locks)
        *run->locks = running.cached->sql.lock != BELAYI_LOCK_NONE;
    if (run->on_row)
        code = run_with_rows(s, statement, run, &running, error);
    else
        code = statement->conn->driver->execute(statement, run->n, run->values, &s->effect, error);
    return belayi_statement_close(s, &running, call, code == BELAY_OK ? NULL : error);
}

belay_code belayi_model_run(belayi_world *w, belay_place place, const belayi_run *run)
{
    const belayi_call call = {run->sql, run->n, run->values, place, BELAYI_USE_ROWS};
    w->busy++;
    belay_code code = run_statement(w->session, &call, run);
    w->busy--;
    return code;
}
