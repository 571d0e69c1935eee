/*
 * model_effects.c - statements of the reference model. The rest, and the CHOICEs: model.c.
 */
#include <string.h>

#include "model.h"
#include "model_inner.h"

/* ---- Statements --------------------------------------------------------------------------------- */

static belay_code add(unsigned *table, int row)
{
    unsigned bit = 1u << (unsigned)row;
    if (*table & bit)
        return BELAY_UNIQUE;
    *table |= bit;
    return BELAY_OK;
}

/* What the engine makes of a statement. An error may leave a part of the work: its scope is undone. */
static belay_code run(model *m, const model_statement *statement)
{
    int row = statement->row;
    belay_code code;
    /* refused "before it reaches the server" */
    if (statement->kind == MODEL_CONTROL || statement->kind == MODEL_PARAMETERS)
        return BELAY_MISUSE;
    if (statement->kind == MODEL_SCHEMA)
        return BELAY_SCHEMA;
    if (model_top(m)->read_only) /* "writes are BELAY_READ_ONLY" */
        return BELAY_READ_ONLY;
    switch (statement->kind) {
    case MODEL_INSERT:
        return add(&m->now.parents, row);
    case MODEL_CHILD:
        return add(&m->now.children, row);
    case MODEL_DELETE:
        m->now.parents &= ~(1u << (unsigned)row);
        return BELAY_OK;
    case MODEL_CHECK:
        return BELAY_CHECK;
    case MODEL_NOT_NULL:
        return BELAY_NOT_NULL;
    case MODEL_OR_ROLLBACK: /* "an engine that rolled back on its own" */
        code = add(&m->now.parents, row);
        if (code != BELAY_OK)
            model_end_transaction(m);
        return code;
    case MODEL_OR_FAIL:
        code = add(&m->now.parents, row);
        return code != BELAY_OK ? code : add(&m->now.parents, (row + 1) % MODEL_ROWS);
    case MODEL_SCHEMA:
    case MODEL_CONTROL:
    case MODEL_PARAMETERS:
    case MODEL_STATEMENTS:
        break;
    }
    return BELAY_MISUSE;
}

static const model_options no_options;

/* "a statement outside any scope is an outermost scope of one statement" */
static belay_code run_alone(model *m, const model_statement *statement)
{
    model_begin(m, &no_options);
    belay_code code = run(m, statement);
    if (code != BELAY_OK)
        model_raise(m, code);
    return model_finish(m);
}

belay_code model_exec(model *m, const model_statement *statement)
{
    if (m->depth == 0)
        return run_alone(m, statement);
    belay_code code = model_refusal(m);
    if (code != BELAY_OK)
        return code;
    code = run(m, statement);
    return code == BELAY_OK ? code : model_raise(m, code);
}

/* "a scope for one statement that may fail. Returns its code. An ordinary failure is already undone and caught:
   belay_caught holds it, nothing is pending. One that ends the transaction stays pending. While an error is pending it
   is refused like any other call." */
belay_code model_try(model *m, const model_statement *statement)
{
    if (m->depth == 0) {
        belay_code code = run_alone(m, statement);
        model_catch(m, BELAY_ANY); /* CHOICE try outside */
        return code;
    }
    belay_code code = model_refusal(m);
    if (code != BELAY_OK)
        return code;
    model_rows before = m->now;
    code = run(m, statement);
    if (m->ended)
        return model_raise(m, code);
    if (code != BELAY_OK) {
        m->now = before;
        m->caught = code;
    }
    return code;
}

belay_code model_count(model *m, int *count)
{
    belay_code code = BELAY_OK;
    *count = 0; /* "0 is returned on every error" */
    if (m->depth > 0)
        code = model_refusal(m);
    else
        code = (model_begin(m, &no_options), model_finish(m));
    if (code == BELAY_OK)
        model_look(m);
    if (code == BELAY_OK)
        for (int row = 0; row < MODEL_ROWS; row++)
            *count += (m->now.parents >> (unsigned)row) & 1u ? 1 : 0;
    return code;
}
