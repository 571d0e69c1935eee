/* Every state and every event: what follows, and what can't come up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "state.h"

typedef struct arrow {
    belayi_scope_state from;
    belayi_scope_event event;
    belayi_scope_state to;
} arrow;

#define W BELAYI_SCOPE_WORKING
#define H BELAYI_SCOPE_HURT
#define F BELAYI_SCOPE_FAILED
#define U BELAYI_SCOPE_UNDONE
#define D BELAYI_SCOPE_DOOMED
#define E BELAYI_SCOPE_ENDED

/* Written down from the design, not from the table that is tested. */
static const arrow arrows[] = {
    {W, BELAYI_EVENT_WORK, W},        {W, BELAYI_EVENT_ERROR, F},   {W, BELAYI_EVENT_FATAL, D},
    {W, BELAYI_EVENT_INNER_ERROR, H}, {W, BELAYI_EVENT_UNDO, U},    {W, BELAYI_EVENT_GO_BACK, W},
    {W, BELAYI_EVENT_END, E},         {H, BELAYI_EVENT_ERROR, F},   {H, BELAYI_EVENT_FATAL, D},
    {H, BELAYI_EVENT_INNER_ERROR, F}, {H, BELAYI_EVENT_REFUSE, F},  {H, BELAYI_EVENT_CATCH, W},
    {H, BELAYI_EVENT_UNDO, F},        {H, BELAYI_EVENT_GO_BACK, W}, {H, BELAYI_EVENT_END, E},
    {F, BELAYI_EVENT_ERROR, F},       {F, BELAYI_EVENT_FATAL, D},   {F, BELAYI_EVENT_INNER_ERROR, F},
    {F, BELAYI_EVENT_REFUSE, F},      {F, BELAYI_EVENT_UNDO, F},    {F, BELAYI_EVENT_GO_BACK, W},
    {F, BELAYI_EVENT_END, E},         {U, BELAYI_EVENT_ERROR, F},   {U, BELAYI_EVENT_FATAL, D},
    {U, BELAYI_EVENT_INNER_ERROR, F}, {U, BELAYI_EVENT_REFUSE, U},  {U, BELAYI_EVENT_UNDO, U},
    {U, BELAYI_EVENT_END, E},         {D, BELAYI_EVENT_ERROR, D},   {D, BELAYI_EVENT_FATAL, D},
    {D, BELAYI_EVENT_INNER_ERROR, D}, {D, BELAYI_EVENT_REFUSE, D},  {D, BELAYI_EVENT_UNDO, D},
    {D, BELAYI_EVENT_END, E},
};

static belayi_scope_state expected(belayi_scope_state from, belayi_scope_event event)
{
    for (size_t i = 0; i < sizeof arrows / sizeof arrows[0]; i++)
        if (arrows[i].from == from && arrows[i].event == event)
            return arrows[i].to;
    return BELAYI_SCOPE_NEVER;
}

static void every_state_and_event_pair_leads_where_the_design_says(void **state)
{
    (void)state;
    for (int from = 0; from < BELAYI_SCOPE_STATES; from++)
        for (int event = 0; event < BELAYI_SCOPE_EVENTS; event++) {
            belayi_scope_state to = belayi_state_next((belayi_scope_state)from, (belayi_scope_event)event);
            if (to != expected((belayi_scope_state)from, (belayi_scope_event)event))
                fail_msg("%s on %s gives %s", belayi_state_name((belayi_scope_state)from),
                         belayi_event_name((belayi_scope_event)event), belayi_state_name(to));
        }
}

static void an_error_is_pending_in_hurt_failed_and_doomed_scopes_only(void **state)
{
    (void)state;
    for (int s = 0; s < BELAYI_SCOPE_STATES; s++)
        assert_int_equal(belayi_state_has_error((belayi_scope_state)s), s == H || s == F || s == D);
}

static void a_doomed_scope_stays_doomed_until_it_ends(void **state)
{
    (void)state;
    for (int event = 0; event < BELAYI_SCOPE_EVENTS; event++) {
        belayi_scope_state to = belayi_state_next(D, (belayi_scope_event)event);
        assert_true(to == D || to == E || to == BELAYI_SCOPE_NEVER);
    }
}

static void only_a_hurt_scope_can_catch(void **state)
{
    (void)state;
    for (int s = 0; s < BELAYI_SCOPE_STATES; s++)
        assert_int_equal(belayi_state_next((belayi_scope_state)s, BELAYI_EVENT_CATCH) != BELAYI_SCOPE_NEVER, s == H);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_and_event_pair_leads_where_the_design_says),
        cmocka_unit_test(an_error_is_pending_in_hurt_failed_and_doomed_scopes_only),
        cmocka_unit_test(a_doomed_scope_stays_doomed_until_it_ends),
        cmocka_unit_test(only_a_hurt_scope_can_catch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
