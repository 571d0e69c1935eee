/* Places that threads wait for in a line. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "clock.h"
#include "turnstile.h"

enum { THREADS = 6, AT_ONCE = 1 };

static belayi_turnstile turnstile;

typedef struct guest {
    pthread_t thread;
    int number;
    int64_t deadline;
    bool entered;
} guest;

static atomic_int served, order[THREADS];

static void *enter_and_leave(void *arg)
{
    guest *g = arg;
    g->entered = belayi_turnstile_enter(&turnstile, g->deadline);
    if (g->entered) {
        order[served++] = g->number;
        belayi_turnstile_leave(&turnstile);
    }
    return NULL;
}

static const void *last_in_line(void)
{
    pthread_mutex_lock(&turnstile.mutex);
    const void *last = turnstile.last;
    pthread_mutex_unlock(&turnstile.mutex);
    return last;
}

/* Starts a thread, and returns when it stands in the line. */
static void queue_up(guest *g, int number, int64_t deadline)
{
    const void *before = last_in_line();
    *g = (guest){.number = number, .deadline = deadline};
    assert_int_equal(pthread_create(&g->thread, NULL, enter_and_leave, g), 0);
    while (last_in_line() == before)
        belayi_clock_sleep_until(belayi_clock_after(1));
}

static void a_place_in_time_is_taken_and_a_deadline_in_the_past_waits_for_none(void **state)
{
    (void)state;
    belayi_turnstile_init(&turnstile, 2);
    assert_true(belayi_turnstile_enter(&turnstile, AT_ONCE));
    assert_true(belayi_turnstile_enter(&turnstile, 0));
    assert_false(belayi_turnstile_enter(&turnstile, AT_ONCE));
    int64_t start = belayi_clock_now();
    assert_false(belayi_turnstile_enter(&turnstile, belayi_clock_after(20)));
    assert_true(belayi_clock_now() - start >= 20 * INT64_C(1000000) - 1000);
    belayi_turnstile_leave(&turnstile);
    assert_true(belayi_turnstile_enter(&turnstile, AT_ONCE));
    belayi_turnstile_leave(&turnstile);
    belayi_turnstile_leave(&turnstile);
    belayi_turnstile_done(&turnstile);
}

static void first_come_is_first_served(void **state)
{
    guest guests[THREADS];
    (void)state;
    served = 0;
    belayi_turnstile_init(&turnstile, 1);
    assert_true(belayi_turnstile_enter(&turnstile, 0));
    for (int i = 0; i < THREADS; i++)
        queue_up(&guests[i], i, 0);
    assert_false(belayi_turnstile_enter(&turnstile, AT_ONCE)); /* nobody slips in */
    belayi_turnstile_leave(&turnstile);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(guests[i].thread, NULL);
        assert_int_equal(order[i], i);
    }
    assert_true(belayi_turnstile_enter(&turnstile, AT_ONCE));
    belayi_turnstile_done(&turnstile);
}

static void who_gives_up_leaves_the_line_in_order(void **state)
{
    guest guests[3];
    (void)state;
    served = 0;
    belayi_turnstile_init(&turnstile, 1);
    assert_true(belayi_turnstile_enter(&turnstile, 0));
    queue_up(&guests[0], 0, 0);
    queue_up(&guests[1], 1, belayi_clock_after(200));
    queue_up(&guests[2], 2, 0);
    pthread_join(guests[1].thread, NULL);
    assert_false(guests[1].entered);
    belayi_turnstile_leave(&turnstile);
    pthread_join(guests[0].thread, NULL);
    pthread_join(guests[2].thread, NULL);
    assert_int_equal(order[0], 0);
    assert_int_equal(order[1], 2);
    assert_int_equal(turnstile.free_places, 1);
    belayi_turnstile_done(&turnstile);
}

static atomic_int inside, most_inside, entries;

static void *come_and_go(void *arg)
{
    (void)arg;
    for (int i = 0; i < 300; i++) {
        if (!belayi_turnstile_enter(&turnstile, i % 3 ? 0 : belayi_clock_now() + 20000))
            continue;
        int now = ++inside, most = most_inside;
        while (now > most && !atomic_compare_exchange_weak(&most_inside, &most, now))
            continue;
        entries++;
        inside--;
        belayi_turnstile_leave(&turnstile);
    }
    return NULL;
}

static void there_are_never_more_inside_than_places_and_no_place_is_lost(void **state)
{
    pthread_t threads[THREADS];
    (void)state;
    belayi_turnstile_init(&turnstile, 2);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_in_range(most_inside, 1, 2);
    assert_true(entries >= THREADS * 200);
    assert_int_equal(turnstile.free_places, 2);
    assert_null(turnstile.first);
    belayi_turnstile_done(&turnstile);
}

static int64_t stand_still(void *arg)
{
    (void)arg;
    return 1000;
}

static void sleep_not(void *arg, int64_t moment_ns)
{
    (void)arg;
    (void)moment_ns;
}

static void by_another_clock_a_wait_takes_as_much_real_time_as_was_left(void **state)
{
    (void)state;
    belayi_turnstile_init(&turnstile, 1);
    assert_true(belayi_turnstile_enter(&turnstile, 0));
    int64_t start = belayi_clock_now();
    belayi_clock_replace(stand_still, sleep_not, NULL);
    bool entered = belayi_turnstile_enter(&turnstile, belayi_clock_after(20));
    bool entered_in_the_past = belayi_turnstile_enter(&turnstile, AT_ONCE);
    belayi_clock_replace(NULL, NULL, NULL);
    assert_false(entered);
    assert_false(entered_in_the_past);
    assert_true(belayi_clock_now() - start >= 20 * INT64_C(1000000) - 1000);
    belayi_turnstile_leave(&turnstile);
    belayi_turnstile_done(&turnstile);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_place_in_time_is_taken_and_a_deadline_in_the_past_waits_for_none),
        cmocka_unit_test(first_come_is_first_served),
        cmocka_unit_test(who_gives_up_leaves_the_line_in_order),
        cmocka_unit_test(by_another_clock_a_wait_takes_as_much_real_time_as_was_left),
        cmocka_unit_test(there_are_never_more_inside_than_places_and_no_place_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
