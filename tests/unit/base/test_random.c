/* Random numbers within a bound, and ones that a test gives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "random.h"

static void every_number_up_to_the_limit_comes_and_none_above_it(void **state)
{
    enum { LIMIT = 6, DRAWS = 7000 };
    int seen[LIMIT + 1] = {0};
    uint64_t generator = 20261121;
    (void)state;
    for (int i = 0; i < DRAWS; i++) {
        uint64_t number = belayi_random_up_to(&generator, LIMIT);
        assert_true(number <= LIMIT);
        seen[number]++;
    }
    for (int i = 0; i <= LIMIT; i++)
        assert_in_range(seen[i], 800, 1200);
}

static void the_only_number_up_to_zero_is_zero(void **state)
{
    uint64_t generator = 1;
    (void)state;
    for (int i = 0; i < 100; i++)
        assert_int_equal(belayi_random_up_to(&generator, 0), 0);
}

static void a_seed_is_never_zero_and_two_seeds_differ(void **state)
{
    (void)state;
    uint64_t one = belayi_random_seed(), other = belayi_random_seed();
    assert_true(one != 0 && other != 0);
    assert_true(one != other);
}

static uint64_t give(void *arg)
{
    const uint64_t *bits = arg;
    return *bits;
}

static void given_bits_are_scaled_so_that_the_smallest_and_the_largest_reach_the_ends(void **state)
{
    static const uint64_t limits[] = {0, 1, 2, 999, 5000000, UINT64_MAX / 2, UINT64_MAX - 1, UINT64_MAX};
    uint64_t bits = 0, generator = 7;
    (void)state;
    belayi_random_replace(give, &bits);
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        bits = 0;
        assert_int_equal(belayi_random_up_to(&generator, limits[i]), 0);
        bits = UINT64_MAX;
        assert_int_equal(belayi_random_up_to(&generator, limits[i]), limits[i]);
        bits = UINT64_C(1) << 63;
        assert_int_equal(belayi_random_up_to(&generator, limits[i]), limits[i] / 2 + limits[i] % 2);
    }
    assert_int_equal(generator, 7); /* the generator's own state was left alone */
    belayi_random_replace(NULL, NULL);
    bits = 0;
    uint64_t sum = 0;
    for (int i = 0; i < 4; i++)
        sum |= belayi_random_up_to(&generator, UINT64_MAX);
    assert_true(sum != 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_number_up_to_the_limit_comes_and_none_above_it),
        cmocka_unit_test(the_only_number_up_to_zero_is_zero),
        cmocka_unit_test(a_seed_is_never_zero_and_two_seeds_differ),
        cmocka_unit_test(given_bits_are_scaled_so_that_the_smallest_and_the_largest_reach_the_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
