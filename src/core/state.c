#include "state.h"

#define W BELAYI_SCOPE_WORKING
#define H BELAYI_SCOPE_HURT
#define F BELAYI_SCOPE_FAILED
#define U BELAYI_SCOPE_UNDONE
#define D BELAYI_SCOPE_DOOMED
#define E BELAYI_SCOPE_ENDED
#define n BELAYI_SCOPE_NEVER

const belayi_scope_state belayi_state_table[BELAYI_SCOPE_STATES][BELAYI_SCOPE_EVENTS] = {
    /*          WORK ERROR FATAL INNER REFUSE CATCH UNDO GO_BACK END */
    /* WORKING */ {W, F, D, H, n, n, U, W, E},
    /* HURT    */ {n, F, D, F, F, W, F, W, E},
    /* FAILED  */ {n, F, D, F, F, n, F, W, E},
    /* UNDONE  */ {n, F, D, F, U, n, U, n, E},
    /* DOOMED  */ {n, D, D, D, D, n, D, n, E},
    /* ENDED   */ {n, n, n, n, n, n, n, n, n},
};

#undef W
#undef H
#undef F
#undef U
#undef D
#undef E
#undef n

bool belayi_state_has_error(belayi_scope_state state)
{
    return state == BELAYI_SCOPE_HURT || state == BELAYI_SCOPE_FAILED || state == BELAYI_SCOPE_DOOMED;
}

const char *belayi_state_name(belayi_scope_state state)
{
    static const char *const names[] = {"WORKING", "HURT", "FAILED", "UNDONE", "DOOMED", "ENDED", "NEVER"};
    return names[state];
}

const char *belayi_event_name(belayi_scope_event event)
{
    static const char *const names[] = {"WORK",  "ERROR", "FATAL",   "INNER_ERROR", "REFUSE",
                                        "CATCH", "UNDO",  "GO_BACK", "END"};
    return names[event];
}
