/*
 * belay/hook.h - what runs when a scope's fate is known.
 */
#ifndef BELAY_HOOK_H
#define BELAY_HOOK_H

#include <belay/macros.h>
#include <belay/session.h>

BELAYI_BEGIN_C

/*
 * Non-zero: the hook failed. A hook returns: what a C++ exception, longjmp or
 * pthread_exit out of it leaves behind is undefined.
 */
typedef int (*belay_hook)(belay_session *, void *arg);

/* Frees a hook's argument. Called exactly once for each registration, also a refused one. NULL: nothing to free. */
typedef void (*belay_free)(void *arg);

/*
 * Runs `hook` once after the outermost scope has durably committed, outside any
 * transaction, in the order of registration. Hooks may use the session; a hook
 * registered by a hook runs after it. Never runs when the scope that it was
 * registered in, or one around it, was rolled back, when belay_rollback_to went
 * back past the registration, or while the outcome is unknown. A hook's failure
 * never changes the fate of what committed: the others still run, and it is
 * counted in belay_hook_errors and logged. With no scope open the hook runs at
 * once. Takes `arg`. Returns BELAY_OK or the pending code (then the hook is
 * dropped).
 */
BELAY_API belay_code belay_on_commit(belay_session *, belay_hook, void *arg, belay_free);

/*
 * Runs `hook` once when the scope that it is registered in is undone, or, when
 * that scope was kept, one around it, or when belay_rollback_to goes back past
 * the registration; also between attempts. In the order of registration. May be
 * registered while an error is pending. While a transaction is still open around
 * it, the hook can't use the session: any call there but one that asks how
 * things stand is misuse, and counts as the hook's failure. Misuse with no scope
 * open.
 */
BELAY_API belay_code belay_on_rollback(belay_session *, belay_hook, void *arg, belay_free);

/*
 * Runs `hook` inside the outermost scope, before its commit. It may use the
 * session, and fail the commit by returning non-zero (BELAY_APPLICATION unless
 * an error is pending). Misuse with no scope open.
 */
BELAY_API belay_code belay_before_commit(belay_session *, belay_hook, void *arg, belay_free);

/* How many hooks of the last outermost scope failed. */
BELAY_API int belay_hook_errors(const belay_session *);

/*
 * For the line before a slow call to the outside world: BELAY_OK when no scope is
 * open; else raises BELAY_MISUSE, naming where the open scope began.
 */
#define belay_require_no_transaction(s) belay_require_no_transaction_at(s, BELAY_HERE)
BELAY_API belay_code belay_require_no_transaction_at(belay_session *, belay_place);

BELAYI_END_C

#endif
