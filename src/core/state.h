/*
 * state.h - the states of a scope, and what follows what.
 *
 *                    INNER_ERROR
 *        +--------+ ------------> +------+
 *   ---> |WORKING |               | HURT |
 *        +--------+ <------------ +------+
 *          |  |  ^   CATCH, GO_BACK   | REFUSE, UNDO, ERROR
 *     UNDO |  |  | GO_BACK            v
 *          |  |  +--------------- +------+
 *          |  +-----------------> |FAILED|
 *          v        ERROR         +------+
 *        +------+  ERROR, INNER_ERROR  ^
 *        |UNDONE| ---------------------+
 *        +------+
 *
 *   from every state:  FATAL -> DOOMED,  END -> ENDED
 *
 * from -> to            [function that does it]
 * (new) -> WORKING      belayi_scope_open
 * (new) -> FAILED, UNDONE, DOOMED  belayi_scope_open, beneath an error or an undone scope
 * WORKING -> FAILED     belayi_scope_raise (a statement or the program failed), end of a joined scope
 * WORKING -> HURT       belayi_scope_end of an inner scope, belayi_scope_refuse_inner
 * WORKING -> UNDONE     belayi_scope_undo
 * HURT -> WORKING       belayi_scope_catch, belayi_mark_go_back, belayi_part_drop
 * HURT -> FAILED        belayi_scope_refuse (a call was refused), belayi_scope_undo
 * FAILED -> WORKING     belayi_mark_go_back, belayi_part_drop
 * UNDONE -> FAILED      belayi_scope_raise
 * any -> DOOMED         belayi_scope_raise, when the error ends the transaction
 * any -> ENDED          belayi_scope_pop, for belayi_scope_end and for the end of a block in which nothing was done
 *
 * WORKING  Statements are sent. No error is pending.
 * HURT     An inner scope has ended with an error, which is pending here. It can be caught, as nothing of this scope's
 *          own is missing yet.
 * FAILED   The pending error is this scope's own: a statement of it failed, or a call was refused because of the error,
 *          so that work is missing. It can't be caught here. Only belay_rollback_to to a mark from before it clears it.
 * UNDONE   The program has called the scope off. Statements are refused without an error.
 * DOOMED   The transaction is over, whatever the scopes do. Nothing is sent; nothing is caught.
 * ENDED    The scope is no longer on the stack.
 */
#ifndef BELAYI_CORE_STATE_H
#define BELAYI_CORE_STATE_H

#include <stdbool.h>

typedef enum belayi_scope_state {
    BELAYI_SCOPE_WORKING,
    BELAYI_SCOPE_HURT,
    BELAYI_SCOPE_FAILED,
    BELAYI_SCOPE_UNDONE,
    BELAYI_SCOPE_DOOMED,
    BELAYI_SCOPE_ENDED,
    BELAYI_SCOPE_NEVER /* the pair can't come up */
} belayi_scope_state;

enum { BELAYI_SCOPE_STATES = BELAYI_SCOPE_NEVER };

typedef enum belayi_scope_event {
    BELAYI_EVENT_WORK,        /* a statement was done */
    BELAYI_EVENT_ERROR,       /* an error of the scope's own */
    BELAYI_EVENT_FATAL,       /* an error that ends the whole transaction */
    BELAYI_EVENT_INNER_ERROR, /* an inner scope ended with an error */
    BELAYI_EVENT_REFUSE,      /* a call was refused because of the pending error */
    BELAYI_EVENT_CATCH,       /* the program caught the pending error */
    BELAYI_EVENT_UNDO,        /* the program called the scope off */
    BELAYI_EVENT_GO_BACK,     /* the work went back to a mark from before the error */
    BELAYI_EVENT_END
} belayi_scope_event;

enum { BELAYI_SCOPE_EVENTS = BELAYI_EVENT_END + 1 };

extern const belayi_scope_state belayi_state_table[BELAYI_SCOPE_STATES][BELAYI_SCOPE_EVENTS];

/* What follows; BELAYI_SCOPE_NEVER for a pair that can't come up. */
static inline belayi_scope_state belayi_state_next(belayi_scope_state state, belayi_scope_event event)
{
    return belayi_state_table[state][event];
}

/* Whether an error is pending in a scope of this state. */
bool belayi_state_has_error(belayi_scope_state);

const char *belayi_state_name(belayi_scope_state);
const char *belayi_event_name(belayi_scope_event);

#endif
