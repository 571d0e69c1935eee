/*
 * test_scenarios_slow_calls.c - a payment service is asked while a scope is open: belay_require_no_transaction says so
 * before the call, the limits end the unit after it. More on the limits: tests/api/test_limits.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "database.h"

static int open_payments(void **state)
{
    static database d;
    static const char *const tables[] = {
        "DROP TABLE IF EXISTS payment",
        "CREATE TABLE payment (id INTEGER PRIMARY KEY, state VARCHAR(20) NOT NULL)",
        NULL,
    };
    database_open(&d, NULL);
    database_run(d.s, tables);
    *state = &d;
    return 0;
}

static int close_payments(void **state)
{
    return database_close(*state) == BELAY_OK ? 0 : -1;
}

static const char *const payments = "SELECT id, state FROM payment ORDER BY id";

static belay_code put(belay_session *s, int id, const char *what)
{
    return belay_exec(s, "INSERT INTO payment (id, state) VALUES (?, ?)", id, what);
}

/* ---- Before the call -------------------------------------------------------------------------------------------- */

typedef struct service {
    int calls;
    belay_code told;
} service;

/* Asks the payment service, as a function of a program would: it can't know from where it is called. */
static bool ask_service(belay_session *s, service *out)
{
    out->told = belay_require_no_transaction(s);
    if (out->told != BELAY_OK)
        return false;
    out->calls++;
    return true;
}

static int ask_in_hook(belay_session *s, void *arg)
{
    return ask_service(s, arg) ? 0 : 1;
}

static void a_slow_call_inside_a_scope_is_refused_with_the_place_where_the_outermost_one_began(void **state)
{
    belay_session *s = ((database *)*state)->s;
    service asked = {0};
    char place[160];
    snprintf(place, sizeof place, "test_scenarios_slow_calls.c:%d in %s()", __LINE__ + 1, __func__);
    BELAY_ATOMIC_WITH(s, .name = "checkout") {
        put(s, 1, "begun");
        BELAY_ATOMIC_WITH(s, .name = "payment") {
            if (ask_service(s, &asked))
                put(s, 2, "paid");
        }
    }
    assert_status(s, BELAY_MISUSE);
    assert_int_equal(asked.calls, 0);
    assert_int_equal(asked.told, BELAY_MISUSE);
    assert_non_null(strstr(belay_pending(s)->message, place));
    assert_string_equal(belay_pending(s)->function, "ask_service");
    assert_string_equal(belay_pending(s)->scope, "payment");
    assert_int_equal(belay_pending(s)->outcome, BELAY_WORK_ROLLED_BACK);
    assert_rows(s, payments, "");
}

static void a_scope_that_has_done_nothing_yet_or_only_reads_counts_too(void **state)
{
    belay_session *s = ((database *)*state)->s;
    service asked = {0};
    BELAY_ATOMIC(s) {
        ask_service(s, &asked);
    }
    assert_status(s, BELAY_MISUSE);
    BELAY_READ(s) {
        belay_int_of(s, "SELECT count(*) FROM payment");
        ask_service(s, &asked);
    }
    assert_status(s, BELAY_MISUSE);
    belay_begin(s, NULL);
    ask_service(s, &asked);
    assert_int_equal(belay_rollback(s), BELAY_MISUSE);
    assert_int_equal(asked.calls, 0);
}

static void between_two_units_the_slow_call_is_made(void **state)
{
    belay_session *s = ((database *)*state)->s;
    service asked = {0};
    BELAY_ATOMIC(s) {
        put(s, 1, "asking");
    }
    bool answered = ask_service(s, &asked);
    BELAY_ATOMIC(s) {
        belay_exec(s, "UPDATE payment SET state = ? WHERE id = 1", answered ? "paid" : "refused");
    }
    assert_status(s, BELAY_OK);
    assert_int_equal(asked.calls, 1);
    assert_rows(s, payments, "1|paid");
}

static void a_hook_after_the_commit_may_make_a_slow_call_and_one_before_it_may_not(void **state)
{
    belay_session *s = ((database *)*state)->s;
    service after = {0}, before = {0};
    BELAY_ATOMIC(s) {
        BELAY_ATOMIC(s) {
            belay_on_commit(s, ask_in_hook, &after, NULL);
            put(s, 1, "after");
        }
    }
    assert_int_equal(belay_hook_errors(s), 0);
    assert_status(s, BELAY_OK);
    assert_int_equal(after.calls, 1);
    BELAY_ATOMIC(s) {
        belay_before_commit(s, ask_in_hook, &before, NULL);
        put(s, 2, "before");
    }
    assert_status(s, BELAY_MISUSE);
    assert_int_equal(before.calls, 0);
    assert_rows(s, payments, "1|after");
}

static void a_hook_on_the_rollback_of_an_inner_scope_may_not_make_a_slow_call(void **state)
{
    database *d = *state;
    service asked = {0};
    BELAY_ATOMIC(d->s) {
        BELAY_ATOMIC(d->s) {
            belay_on_rollback(d->s, ask_in_hook, &asked, NULL);
            put(d->s, 1, "undone");
            belay_undo(d->s);
        }
        put(d->s, 2, "kept");
    }
    assert_int_equal(belay_hook_errors(d->s), 1);
    assert_status(d->s, BELAY_OK);
    assert_int_equal(asked.calls, 0);
    assert_int_equal(asked.told, BELAY_MISUSE);
    assert_rows(d->s, payments, "2|kept");
}

/* ---- After the call --------------------------------------------------------------------------------------------- */

enum { LIMIT_MS = 10, SLOW_MS = 40 };

static void call_slowly(void)
{
    struct timespec left = {.tv_nsec = SLOW_MS * 1000000L};
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        continue;
}

static int count_hook(belay_session *s, void *arg)
{
    (void)s;
    ++*(int *)arg;
    return 0;
}

/* What a unit with a slow call in its midst was told, when one of its limits had passed. */
typedef struct told {
    int runs, commits, rollbacks;
    belay_code next, meanwhile;
    bool caught;
} told;

static void pay_slowly(belay_session *s, belay_session *other, told *t)
{
    belay_on_commit(s, count_hook, &t->commits, NULL);
    belay_on_rollback(s, count_hook, &t->rollbacks, NULL);
    t->runs++;
    put(s, 1, "asking");
    BELAY_ATOMIC(s) {
        put(s, 2, "inner");
        call_slowly();
        put(s, 3, "answered");
    }
    t->caught = belay_catch(s, BELAY_ANY);
    t->next = put(s, 4, "and on");
    if (other) /* nothing is locked any more */
        t->meanwhile = put(other, 9, "theirs");
}

static void check_told(const told *t)
{
    assert_int_equal(t->next, BELAY_TIMEOUT);
    assert_int_equal(t->runs, 1);
    assert_int_equal(t->commits, 0);
    assert_int_equal(t->rollbacks, 1);
}

static void a_slow_call_that_passes_the_idle_limit_ends_the_unit_and_its_locks_and_is_not_made_again(void **state)
{
    database *d = *state;
    belay_session *other = belay_session_open(d->db);
    told t = {.runs = 0};
    BELAY_ATOMIC_WITH(d->s, .name = "pay", .idle_timeout_ms = LIMIT_MS, .retries = 3) {
        pay_slowly(d->s, other, &t);
    }
    assert_status(d->s, BELAY_TIMEOUT);
    assert_int_equal(belay_pending(d->s)->outcome, BELAY_WORK_ROLLED_BACK);
    check_told(&t);
    assert_false(t.caught);
    assert_int_equal(t.meanwhile, BELAY_OK);
    assert_int_equal(belay_session_close(other), BELAY_OK);
    assert_rows(d->s, payments, "9|theirs");
}

static void a_slow_call_that_passes_the_total_limit_leaves_nothing_of_the_unit_and_is_not_made_again(void **state)
{
    database *d = *state;
    told t = {.runs = 0};
    BELAY_ATOMIC_WITH(d->s, .name = "pay", .timeout_ms = LIMIT_MS, .retries = 3) {
        pay_slowly(d->s, NULL, &t);
    }
    assert_status(d->s, BELAY_TIMEOUT);
    assert_int_equal(belay_pending(d->s)->outcome, BELAY_WORK_ROLLED_BACK);
    check_told(&t);
    assert_rows(d->s, payments, "");
}

#define payments_test(test) cmocka_unit_test_setup_teardown(test, open_payments, close_payments)

int main(void)
{
    const struct CMUnitTest tests[] = {
        payments_test(a_slow_call_inside_a_scope_is_refused_with_the_place_where_the_outermost_one_began),
        payments_test(a_scope_that_has_done_nothing_yet_or_only_reads_counts_too),
        payments_test(between_two_units_the_slow_call_is_made),
        payments_test(a_hook_after_the_commit_may_make_a_slow_call_and_one_before_it_may_not),
        payments_test(a_hook_on_the_rollback_of_an_inner_scope_may_not_make_a_slow_call),
        payments_test(a_slow_call_that_passes_the_idle_limit_ends_the_unit_and_its_locks_and_is_not_made_again),
        payments_test(a_slow_call_that_passes_the_total_limit_leaves_nothing_of_the_unit_and_is_not_made_again),
    };
    return cmocka_run_group_tests_name("slow calls", tests, NULL, NULL);
}
