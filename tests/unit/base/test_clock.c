/* Limits on the monotonic clock. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/time.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "clock.h"

static void now_is_positive_and_never_goes_back(void **state)
{
    (void)state;
    int64_t last = belayi_clock_now();
    assert_true(last > 0);
    for (int i = 0; i < 1000; i++) {
        int64_t now = belayi_clock_now();
        assert_true(now >= last);
        last = now;
    }
}

static void no_deadline_never_passes(void **state)
{
    (void)state;
    assert_false(belayi_clock_passed(0));
    assert_true(belayi_clock_passed(1));
    assert_true(belayi_clock_passed(belayi_clock_now()));
    assert_false(belayi_clock_passed(belayi_clock_after(60000)));
    assert_false(belayi_clock_passed(INT64_MAX));
}

static void a_limit_in_milliseconds_never_wraps(void **state)
{
    (void)state;
    assert_int_equal(belayi_clock_after(-1), 0);
    assert_int_equal(belayi_clock_after(INT64_MIN), 0);
    assert_int_equal(belayi_clock_after(INT64_MAX), INT64_MAX);
    int64_t now = belayi_clock_now(), soon = belayi_clock_after(5);
    assert_in_range(soon - now, 5 * BELAYI_NS_PER_MS, 500 * BELAYI_NS_PER_MS);
}

static void the_earlier_of_two_deadlines_counts_and_none_is_none(void **state)
{
    (void)state;
    assert_int_equal(belayi_clock_earlier(0, 0), 0);
    assert_int_equal(belayi_clock_earlier(7, 0), 7);
    assert_int_equal(belayi_clock_earlier(0, 7), 7);
    assert_int_equal(belayi_clock_earlier(7, 9), 7);
    assert_int_equal(belayi_clock_earlier(9, 7), 7);
}

static void ignore_signal(int number)
{
    (void)number;
}

static void a_sleep_keeps_its_length_under_a_storm_of_signals(void **state)
{
    struct sigaction action = {.sa_handler = ignore_signal};
    struct itimerval storm = {{0, 300}, {0, 300}}, calm = {{0, 0}, {0, 0}};
    (void)state;
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &storm, NULL);
    int64_t moment = belayi_clock_after(30);
    belayi_clock_sleep_until(moment);
    int64_t woken = belayi_clock_now();
    setitimer(ITIMER_REAL, &calm, NULL);
    assert_true(woken >= moment);
    belayi_clock_sleep_until(1); /* long past: returns at once */
}

/* ---- A clock that a test gives ---------------------------------------------------------------------------------- */

typedef struct hand {
    int64_t now, slept_until;
} hand;

static int64_t read_hand(void *arg)
{
    const hand *h = arg;
    return h->now;
}

static void move_hand(void *arg, int64_t moment_ns)
{
    hand *h = arg;
    h->slept_until = h->now = moment_ns;
}

static void all_time_is_that_of_the_clock_that_was_given(void **state)
{
    (void)state;
    hand h = {.now = 1000};
    belayi_clock_replace(read_hand, move_hand, &h);
    assert_int_equal(belayi_clock_now(), 1000);
    assert_int_equal(belayi_clock_after(2), 1000 + 2 * BELAYI_NS_PER_MS);
    assert_false(belayi_clock_passed(1001));
    belayi_clock_sleep_until(belayi_clock_after(3600000)); /* an hour that takes no time */
    assert_int_equal(h.slept_until, 1000 + 3600000 * (int64_t)BELAYI_NS_PER_MS);
    assert_true(belayi_clock_passed(1001));
    belayi_clock_replace(NULL, NULL, NULL);
    assert_int_not_equal(belayi_clock_now(), h.now);
}

static void a_clock_that_lacks_a_function_is_none(void **state)
{
    (void)state;
    hand h = {.now = 1000};
    int64_t before = belayi_clock_now();
    belayi_clock_replace(read_hand, NULL, &h);
    assert_true(belayi_clock_now() >= before);
    belayi_clock_replace(NULL, move_hand, &h);
    assert_true(belayi_clock_now() >= before);
    belayi_clock_sleep_until(1);
    assert_int_equal(h.slept_until, 0);
    belayi_clock_replace(NULL, NULL, NULL);
}

static void a_moment_is_as_far_ahead_on_the_systems_clock(void **state)
{
    (void)state;
    hand h = {.now = 1000};
    int64_t before = belayi_clock_now();
    assert_int_equal(belayi_clock_to_system(before), before); /* it is the clock in use */
    belayi_clock_replace(read_hand, move_hand, &h);
    assert_int_equal(belayi_clock_to_system(0), 0);
    assert_int_equal(belayi_clock_to_system(INT64_MAX), INT64_MAX);
    int64_t soon = belayi_clock_to_system(1000 + 5000), past = belayi_clock_to_system(1);
    belayi_clock_replace(NULL, NULL, NULL);
    int64_t after = belayi_clock_now();
    assert_true(soon >= before + 5000 && soon <= after + 5000);
    assert_true(past >= before && past <= after); /* over, but a deadline */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(now_is_positive_and_never_goes_back),
        cmocka_unit_test(no_deadline_never_passes),
        cmocka_unit_test(a_limit_in_milliseconds_never_wraps),
        cmocka_unit_test(the_earlier_of_two_deadlines_counts_and_none_is_none),
        cmocka_unit_test(all_time_is_that_of_the_clock_that_was_given),
        cmocka_unit_test(a_clock_that_lacks_a_function_is_none),
        cmocka_unit_test(a_moment_is_as_far_ahead_on_the_systems_clock),
        cmocka_unit_test(a_sleep_keeps_its_length_under_a_storm_of_signals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
