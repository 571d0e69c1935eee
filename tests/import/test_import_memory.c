/*
 * belay_import with .commit_every, and memory that runs out: at the first
 * allocation, the second, and so on, once and from then on. On SQLite.
 */
#include "disturbed.h"

#include "scarce.h"

static void begin_once(rig *r, const disturbance *d, unsigned n)
{
    (void)r;
    (void)d;
    scarce_arm(n, false);
}

static void begin_for_good(rig *r, const disturbance *d, unsigned n)
{
    (void)r;
    (void)d;
    scarce_arm(n, true);
}

static bool end(rig *r, const disturbance *d)
{
    unsigned failed = scarce_failed();
    (void)d;
    scarce_disarm();
    if (failed > 0 && r->report.error.code != BELAY_OK)
        assert_code(r->report.error.code, BELAY_NO_MEMORY);
    return failed > 0;
}

static void whenever_memory_runs_out_the_report_is_true_and_it_is_gone_on_with_to_the_same_end(void **state)
{
    static const disturbance ways[] = {
        {"once", BELAY_IMPORT_REJECT, BELAY_NO_MEMORY, begin_once, end},
        {"for good", BELAY_IMPORT_REJECT, BELAY_NO_MEMORY, begin_for_good, end},
        {"for good, updates", BELAY_IMPORT_UPDATE, BELAY_NO_MEMORY, begin_for_good, end},
    };
    disturbed_prepare(*state);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        disturb(*state, &ways[i], 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_rig(whenever_memory_runs_out_the_report_is_true_and_it_is_gone_on_with_to_the_same_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
