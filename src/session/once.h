/*
 * once.h - units that are done at most once: .once and its table.
 *
 * The table has a row a key. A unit inserts its key first of all, inside its own
 * transaction: so the row is there exactly when the unit's work is. The row also
 * holds a random number of the attempt. When nobody can say whether a COMMIT was
 * carried out, the row tells: with the number of this attempt, it was; if there is
 * none, the key is committed as `void`, which the lost attempt can't get past any
 * more, and only then is the unit known to be undone. So it is too when the row
 * has another's number: two attempts can't both have claimed one key. The next
 * attempt takes a void key over, by an UPDATE inside itself.
 *
 * Tests: tests/api/test_once*.c, tests/fault/test_once*.c, tests/crash/crash_once.py.
 */
#ifndef BELAYI_SESSION_ONCE_H
#define BELAYI_SESSION_ONCE_H

#include "session.h"

/* What is wrong with the key of the options. */
belay_code belayi_once_check_key(const belay_scope_options *, belay_error *error);

/*
 * Claims the key of the unit whose outermost scope has just been opened. BELAY_OK:
 * the unit is to run. BELAY_ROLLED_BACK: it was done before, and the scope is to
 * be dropped. Else an error is pending in the scope.
 */
belay_code belayi_once_claim(belay_session *);

/* The unit has ended with an unknown outcome: asks the table, on another connection, what became of it. See doubt.h. */
belay_code belayi_once_ask(belay_session *, belay_conn *, belay_outcome *out_outcome, belay_error *error);

#endif
