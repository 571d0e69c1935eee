/*
 * Memory runs out in belay_recover: at the first allocation, the second, and so on.
 * When it says that nothing is left, nothing is.
 */
#include "rig.h"

#include "scarce.h"

enum { ALLOCATIONS_AT_MOST = 1000 };

static bool is_anything_left(rig *r)
{
    return belay_int_of(r->sees[0], "SELECT count(*) FROM pg_prepared_xacts") > 0;
}

/* One recovery with one allocation failing; true when one did. */
static bool recover_with_little(rig *r, belay_db *log, unsigned fail_at)
{
    belay_db *all[] = {r->looking[0], log};
    if (!is_anything_left(r)) {
        belay_exec(r->sees[0], "UPDATE account_a SET balance = 100");
        rig_leave_undecided(r);
    }
    scarce_arm(fail_at, false);
    belay_code code = belay_recover(all, 2, NULL, NULL);
    scarce_disarm();
    if (code == BELAY_OK && is_anything_left(r))
        fail_msg("allocation %u failed, and so something was left that nobody heard of", fail_at);
    return scarce_failed() > 0;
}

static void a_recovery_without_memory_never_says_that_nothing_is_left(void **state)
{
    rig r;
    unsigned fail_at = 1;
    (void)state;
    rig_open(&r, "postgresql postgresql");
    belay_db *log = belay_open(r.log_url, NULL);
    recover_with_little(&r, log, 0); /* from now on the connections and their statements are there */
    while (fail_at < ALLOCATIONS_AT_MOST && recover_with_little(&r, log, fail_at))
        fail_at++;
    assert_in_range(fail_at, 5, ALLOCATIONS_AT_MOST - 1);
    belay_close(log);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_recovery_without_memory_never_says_that_nothing_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
