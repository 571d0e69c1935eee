/*
 * adopt.h - sessions over a connection, or in a transaction, that is not their own.
 * Tests: tests/api/test_adopt.c.
 */
#ifndef BELAYI_SESSION_ADOPT_H
#define BELAYI_SESSION_ADOPT_H

#include <belay/adopt.h>

#include "session.h"

/* A session over `native`, which the driver's `native` slot would give. NULL only without memory. */
belay_session *belayi_adopt(const belay_driver *, void *native);

/*
 * What an outermost scope must know of the transaction that it may stand in, or
 * why it can't begin. Changes nothing for a usual session, or a nested scope.
 */
belay_code belayi_adopt_resolve(belay_session *, const belay_scope_options *options_or_null, belayi_form form,
                                belayi_scope_spec *spec, belay_error *error);

/* Whether a commit of the session's is none, as its connection is inside a transaction of the program's. */
bool belayi_adopt_in_foreign(belay_session *);

#endif
