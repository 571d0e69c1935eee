/*
 * runner_inner.h - what the files of the runner share.
 */
#ifndef RUNNER_INNER_H
#define RUNNER_INNER_H

#include "runner.h"

typedef struct runner runner;

typedef struct hook_argument {
    runner *r;
    model_hook hook;
    int freed;
} hook_argument;

struct runner {
    belay_session *s;
    model m;
    const program *p;
    int at; /* the operation that is being run */
    difference found;
    hook_argument hooks[MODEL_HOOKS];
    model_event events[MODEL_EVENTS];
    int event_count;
};

/* ---- compare.c ---------------------------------------------------------------------------------- */

/* Notes the first difference. */
void differ(runner *r, aspect a, const char *expected, const char *actual, ...) __attribute__((format(printf, 4, 5)));

void same_code(runner *r, aspect a, belay_code expected, belay_code actual);
void same_number(runner *r, aspect a, long long expected, long long actual);
void same_rows(runner *r, aspect a, belay_session *s, model_rows rows);
void same_hooks(runner *r);

/* Everything that can be seen between two operations. */
void same_state(runner *r);

/* ---- calls.c ------------------------------------------------------------------------------------ */

/* The options of a scope, as the library takes them. */
belay_scope_options real_options(int form);

/* `alone`: by belay_try. */
belay_code run_statement(belay_session *s, const model_statement *statement, bool alone);

/* An operation that neither opens nor closes a block or callback. */
void do_call(runner *r, const op *o);

/* ---- hooks.c ------------------------------------------------------------------------------------ */

/* Registers a hook. */
void do_hook(runner *r, const op *o);

#endif
