/* calls.h - what calls.c and reads.c share. */
#ifndef BELAY_TESTS_RANDOM_CALLS_H
#define BELAY_TESTS_RANDOM_CALLS_H

#include "run.h"

bool call_is_refused(run *, belay_code real);
belay_code call_code(run *);
/* A statement outside all scopes, which is a unit, has ended. */
void call_end_lone(run *, bool kept);
/* statements.c */
void call_statement(run *, const op *);
/* reads.c */
void call_get(run *, const op *);
void call_find(run *, const op *);
void call_refresh(run *, const op *);
void call_lock(run *, const op *);
void call_merge(run *, const op *);

#endif
