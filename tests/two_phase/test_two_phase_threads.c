/*
 * Units over two databases from many threads at once, with one log for all.
 */
#include "rig.h"

#include <pthread.h>
#include <stdatomic.h>

enum { THREADS = 8, UNITS = 25 };

static int one = 1;

typedef struct crew {
    rig *r;
    atomic_int committed, hooks;
} crew;

static int count_hook(belay_session *s, void *arg)
{
    crew *c = arg;
    (void)s;
    atomic_fetch_add(&c->hooks, 1);
    return 0;
}

static int move_and_tell(belay_session *a, belay_session *b, void *arg)
{
    rig_move(a, b, &one);
    belay_on_commit(b, count_hook, arg, NULL);
    return 0;
}

/* All take the same two rows, in the same order: they wait, and nobody deadlocks. */
static void *work(void *arg)
{
    crew *c = arg;
    belay_session *a = belay_session_open(c->r->dbs[0]), *b = belay_session_open(c->r->dbs[1]);
    for (int i = 0; i < UNITS;) {
        belay_code code = belay_commit_two_phase(a, b, move_and_tell, c);
        if (code == BELAY_OK)
            atomic_fetch_add(&c->committed, 1);
        else if (!belay_retryable(belay_pending(a)))
            break;
        i += code == BELAY_OK;
    }
    belay_session_close(a);
    belay_session_close(b);
    return NULL;
}

static void works_in_threads(rig *r)
{
    crew c = {.r = r};
    pthread_t threads[THREADS];
    for (int i = 0; i < 2; i++) {
        belay_exec(r->sees[i], i ? "UPDATE account_b SET balance = 1000" : "UPDATE account_a SET balance = 1000");
        assert_status(r->sees[i], BELAY_OK);
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, &c), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&c.committed), THREADS * UNITS);
    assert_int_equal(atomic_load(&c.hooks), THREADS * UNITS);
    rig_assert_balances(r, "800;1200");
    rig_assert_clean(r);
}

static void units_of_many_threads_with_one_log_are_all_committed_in_both(void **state)
{
    (void)state;
    rig_on_each(works_in_threads);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(units_of_many_threads_with_one_log_are_all_committed_in_both),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
