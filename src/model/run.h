/*
 * run.h - a statement of the model's own.
 *
 * As one of the program's (src/session/statement.h), but that it does not flush,
 * and that its rows are read as they come.
 * Tests: tests/model_objects.
 */
#ifndef BELAYI_MODEL_RUN_H
#define BELAYI_MODEL_RUN_H

#include "statement.h"
#include "world.h"

/* One row; the cells are the driver's until it returns. Not BELAY_OK: *error is filled, and the statement fails with
 * it. */
typedef belay_code (*belayi_on_row)(void *arg, belay_value *cells, belay_error *error);

typedef struct belayi_run {
    const char *sql;
    size_t n;
    const belay_value *values;
    belayi_on_row on_row; /* NULL: it gives none */
    void *arg;
    int columns; /* that the rows must have; what the database has may have changed */
    bool *locks; /* whether it locks what it reads; NULL: that is known */
} belayi_run;

/* BELAY_OK, or the pending code. session->effect tells what it did. */
belay_code belayi_model_run(belayi_world *, belay_place, const belayi_run *);

#endif
