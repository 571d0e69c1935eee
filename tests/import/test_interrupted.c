/*
 * belay_import with .commit_every, and a call to the engine that fails: each in
 * turn, in each way.
 */
#include "disturbed.h"

#include <belay/testing.h>

static void begin(rig *r, const disturbance *d, unsigned n)
{
    belay_fail_nth(r->d.db, n, d->how, false);
}

static bool end(rig *r, const disturbance *d)
{
    bool failed = belay_calls_failed(r->d.db) > 0;
    belay_fail_nth(r->d.db, 0, d->how, false);
    return failed;
}

static void whichever_call_fails_the_report_is_true_and_it_is_gone_on_with_to_the_same_end(void **state)
{
    static const disturbance ways[] = {
        {"connection", BELAY_IMPORT_REJECT, BELAY_CONNECTION, begin, end},
        {"in doubt", BELAY_IMPORT_REJECT, BELAY_IN_DOUBT, begin, end},
        {"deadlock", BELAY_IMPORT_REJECT, BELAY_DEADLOCK, begin, end},
        {"disk full", BELAY_IMPORT_REJECT, BELAY_DISK_FULL, begin, end},
        {"lock timeout, updates", BELAY_IMPORT_UPDATE, BELAY_LOCK_TIMEOUT, begin, end},
        {"in doubt, skips", BELAY_IMPORT_SKIP, BELAY_IN_DOUBT, begin, end},
    };
    disturbed_prepare(*state);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        disturb(*state, &ways[i], 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_rig(whichever_call_fails_the_report_is_true_and_it_is_gone_on_with_to_the_same_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
