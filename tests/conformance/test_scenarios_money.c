/*
 * test_scenarios_money.c - payments and transfers: what the program is told when one fails.
 * The tables after each are compared in test_scenarios.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "database.h"
#include "scenarios.h"

static int open_accounts(void **state)
{
    static database d;
    static const char *const tables[] = {
        "DROP TABLE IF EXISTS transfer",
        "DROP TABLE IF EXISTS payment_log",
        "DROP TABLE IF EXISTS account",
        "CREATE TABLE account (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL,"
        " CONSTRAINT funds CHECK (balance >= 0))",
        "CREATE TABLE payment_log (id INTEGER PRIMARY KEY, note VARCHAR(100) NOT NULL)",
        "CREATE TABLE transfer (id INTEGER PRIMARY KEY, target INTEGER NOT NULL,"
        " FOREIGN KEY (target) REFERENCES account (id))",
        "INSERT INTO account (id, balance) VALUES (1, 100), (2, 0)",
        NULL,
    };
    database_open(&d, NULL);
    database_run(d.s, tables);
    *state = &d;
    return 0;
}

static int close_accounts(void **state)
{
    return database_close(*state) == BELAY_OK ? 0 : -1;
}

/* ---- 2: a payment with a log ------------------------------------------------------------------------------------ */

static belay_code log_payment(belay_session *s, int amount)
{
    BELAY_ATOMIC_WITH(s, .name = "payment") {
        belay_exec(s, "INSERT INTO payment_log (id, note) VALUES (1, 'tried')");
        BELAY_ATOMIC_WITH(s, .name = "charge") {
            belay_exec(s, "UPDATE account SET balance = balance + ? WHERE id = 2", amount);
            belay_exec(s, "UPDATE account SET balance = balance - ? WHERE id = 1", amount);
        }
        if (belay_catch(s, BELAY_INTEGRITY))
            belay_exec(s, "UPDATE payment_log SET note = ? WHERE id = 1", belay_caught(s)->message);
    }
    return belay_status(s);
}

static void what_was_caught_names_constraint_statement_place_and_scope(void **state)
{
    belay_session *s = ((database *)*state)->s;
    assert_int_equal(log_payment(s, 101), BELAY_OK);
    const belay_error *caught = belay_caught(s);
    assert_int_equal(caught->code, BELAY_CHECK);
    assert_string_equal(caught->constraint, "funds");
    assert_string_equal(caught->statement, "UPDATE account SET balance = balance - ? WHERE id = 1");
    assert_string_equal(caught->scope, "charge");
    assert_string_equal(caught->function, "log_payment");
    assert_non_null(strstr(caught->file, "test_scenarios_money.c"));
    assert_true(caught->line > 0);
    assert_int_equal(caught->outcome, BELAY_WORK_ROLLED_BACK);
    assert_int_equal(caught->attempt, 1);
    assert_false(belay_retryable(caught));
}

static void the_reason_of_a_failed_payment_can_be_logged_in_the_outer_scope(void **state)
{
    belay_session *s = ((database *)*state)->s;
    assert_int_equal(log_payment(s, 101), BELAY_OK);
    assert_rows(s, "SELECT id, balance FROM account ORDER BY id", "1|100;2|0");
    assert_non_null(strstr(rows_of(s, "SELECT note FROM payment_log"), "funds"));
}

typedef struct heard {
    int calls, depth;
    belay_code exec, status;
} heard;

static int tell_support(belay_session *s, void *arg)
{
    heard *h = arg;
    h->calls++;
    h->depth = belay_depth(s);
    return 0;
}

static int use_session(belay_session *s, void *arg)
{
    heard *h = arg;
    h->calls++;
    h->exec = belay_exec(s, "INSERT INTO payment_log (id, note) VALUES (9, 'from a hook')");
    return 0;
}

static void support_is_told_once_after_the_rollback_of_the_inner_scope(void **state)
{
    belay_session *s = ((database *)*state)->s;
    heard h = {.calls = 0};
    int calls_inside = -1, calls_after = -1;
    BELAY_ATOMIC(s) {
        BELAY_ATOMIC(s) {
            belay_on_rollback(s, tell_support, &h, NULL);
            belay_exec(s, "UPDATE account SET balance = balance - 500 WHERE id = 1");
            calls_inside = h.calls;
        }
        calls_after = h.calls;
        belay_ignore(s, BELAY_CHECK);
        belay_exec(s, "INSERT INTO payment_log (id, note) VALUES (1, 'refused')");
    }
    assert_status(s, BELAY_OK);
    assert_int_equal(calls_inside, 0);
    assert_int_equal(calls_after, 1);
    assert_int_equal(h.calls, 1);
}

static void a_rollback_hook_cant_use_the_session_while_a_transaction_is_open(void **state)
{
    belay_session *s = ((database *)*state)->s;
    heard h = {.exec = BELAY_OK};
    BELAY_ATOMIC(s) {
        BELAY_ATOMIC(s) {
            belay_on_rollback(s, use_session, &h, NULL);
            belay_fail(s, BELAY_APPLICATION, "no");
        }
        belay_ignore(s, BELAY_APPLICATION);
        belay_exec(s, "INSERT INTO payment_log (id, note) VALUES (1, 'kept')");
    }
    assert_status(s, BELAY_OK);
    assert_int_equal(h.calls, 1);
    assert_int_equal(h.exec, BELAY_MISUSE);
    assert_int_equal(belay_hook_errors(s), 1);
    assert_rows(s, "SELECT note FROM payment_log", "kept");
}

static void a_rollback_hook_can_use_the_session_after_the_outermost_scope(void **state)
{
    belay_session *s = ((database *)*state)->s;
    heard h = {.exec = BELAY_MISUSE};
    BELAY_ATOMIC(s) {
        belay_on_rollback(s, use_session, &h, NULL);
        belay_exec(s, "UPDATE account SET balance = balance - 500 WHERE id = 1");
    }
    assert_status(s, BELAY_CHECK);
    assert_int_equal(h.exec, BELAY_OK);
    assert_rows(s, "SELECT note FROM payment_log", "from a hook");
}

/* ---- 3: three tries --------------------------------------------------------------------------------------------- */

static void three_failed_tries_end_with_the_error_that_the_unit_gives(void **state)
{
    static scenario_notes notes;
    belay_session *s = ((database *)*state)->s;
    notes = (scenario_notes){.unit = 0};
    assert_int_equal(scenario_setup(&scenario_flaky_failure, s), BELAY_OK);
    scenario_flaky_failure.run(s, &notes);
    assert_status(s, BELAY_APPLICATION);
    assert_string_equal(belay_pending(s)->message, "no payment after three tries");
    assert_string_equal(belay_pending(s)->scope, "purchase");
    assert_int_equal(belay_pending(s)->outcome, BELAY_WORK_ROLLED_BACK);
    assert_string_equal(belay_caught(s)->message, "the gateway did not answer, try 3");
}

typedef struct tries {
    int made, attempts[4], conflicts;
} tries;

/* Pays into account 2, and fails: with a conflict, as long as it is to meet one, else at a constraint. */
static int pay_in(belay_session *s, void *arg)
{
    tries *t = arg;
    t->attempts[t->made++ % 4] = belay_attempt(s);
    belay_exec(s, "UPDATE account SET balance = balance + 10 WHERE id = 2");
    if (t->conflicts > 0) {
        t->conflicts--;
        belay_fail(s, BELAY_SERIALIZATION, "as if another transaction had been faster");
    }
    if (belay_attempt(s) == 1)
        belay_exec(s, "INSERT INTO transfer (id, target) VALUES (?, 99)", t->made); /* no such account */
    return 0;
}

static belay_code try_three_times(belay_session *s, tries *t)
{
    BELAY_ATOMIC_WITH(s, .name = "tries") {
        for (int try = 1; belay_atomic(s, BELAY_SCOPE_OPTIONS(.name = "try"), pay_in, t) != BELAY_OK; try++) {
            if (!belay_catch(s, BELAY_ANY))
                break;
            if (try == 3) {
                belay_raise(s, belay_caught(s));
                break;
            }
        }
    }
    return belay_status(s);
}

static void the_error_of_the_last_try_is_raised_as_it_was_and_can_be_caught_outside(void **state)
{
    belay_session *s = ((database *)*state)->s;
    tries t = {.made = 0};
    belay_code code = BELAY_OK;
    bool caught = false;
    BELAY_ATOMIC_WITH(s, .name = "unit") {
        belay_exec(s, "UPDATE account SET balance = 70 WHERE id = 1");
        code = try_three_times(s, &t);
        caught = belay_catch(s, BELAY_FOREIGN_KEY);
        belay_exec(s, "INSERT INTO payment_log (id, note) VALUES (1, 'without')");
    }
    assert_status(s, BELAY_OK);
    assert_int_equal(code, BELAY_FOREIGN_KEY);
    assert_true(caught);
    assert_int_equal(t.made, 3);
    assert_string_equal(belay_caught(s)->statement, "INSERT INTO transfer (id, target) VALUES (?, 99)");
    assert_string_equal(belay_caught(s)->function, "pay_in");
    assert_string_equal(belay_caught(s)->scope, "try");
    assert_rows(s, "SELECT id, balance FROM account ORDER BY id", "1|70;2|0");
    assert_rows(s, "SELECT note FROM payment_log", "without");
}

static void a_conflict_is_not_tried_again_inside_the_unit_but_the_whole_unit_is(void **state)
{
    belay_session *s = ((database *)*state)->s;
    tries t = {.conflicts = 1};
    int runs = 0;
    BELAY_ATOMIC_WITH(s, .name = "unit", .retries = 5, .backoff_ms = 1) {
        runs++;
        belay_exec(s, "UPDATE account SET balance = balance - 10 WHERE id = 1");
        try_three_times(s, &t);
    }
    assert_status(s, BELAY_OK);
    assert_int_equal(runs, 2);
    assert_int_equal(t.made, 2);
    assert_int_equal(t.attempts[0], 1);
    assert_int_equal(t.attempts[1], 2);
    assert_rows(s, "SELECT id, balance FROM account ORDER BY id", "1|90;2|10");
}

/* ---- 12, 20, 23: half a transfer -------------------------------------------------------------------------------- */

static void a_failure_between_debit_and_credit_leaves_the_sum(void **state)
{
    belay_session *s = ((database *)*state)->s;
    BELAY_ATOMIC(s) {
        belay_exec(s, "UPDATE account SET balance = balance - 60 WHERE id = 1");
        belay_exec(s, "INSERT INTO transfer (id, target) VALUES (1, 3)"); /* no such account */
        belay_exec(s, "UPDATE account SET balance = balance + 60 WHERE id = 3");
    }
    assert_status(s, BELAY_FOREIGN_KEY);
    assert_int_equal(belay_pending(s)->outcome, BELAY_WORK_ROLLED_BACK);
    assert_rows(s, "SELECT id, balance FROM account ORDER BY id", "1|100;2|0");
    assert_rows(s, "SELECT id FROM transfer", "");
}

static void statements_after_the_failed_one_are_refused_with_its_code(void **state)
{
    belay_session *s = ((database *)*state)->s;
    belay_code codes[3];
    BELAY_ATOMIC(s) {
        codes[0] = belay_exec(s, "UPDATE account SET balance = balance - 1 WHERE id = 1");
        codes[1] = belay_exec(s, "UPDATE account SET balance = balance - 100 WHERE id = 1");
        codes[2] = belay_exec(s, "UPDATE account SET balance = balance + 100 WHERE id = 2");
    }
    assert_status(s, BELAY_CHECK);
    assert_int_equal(codes[0], BELAY_OK);
    assert_int_equal(codes[1], BELAY_CHECK);
    assert_int_equal(codes[2], BELAY_CHECK);
    assert_string_equal(belay_pending(s)->statement, "UPDATE account SET balance = balance - 100 WHERE id = 1");
    assert_rows(s, "SELECT id, balance FROM account ORDER BY id", "1|100;2|0");
}

static void the_message_says_that_nothing_was_kept(void **state)
{
    belay_session *s = ((database *)*state)->s;
    BELAY_ATOMIC(s) {
        belay_exec(s, "UPDATE account SET balance = balance - 101 WHERE id = 1");
    }
    const char *message = belay_message(s);
    assert_non_null(strstr(message, "CHECK"));
    assert_non_null(strstr(message, "nothing of the unit was kept"));
    assert_null(strchr(message, '\n'));
}

static void a_rollback_on_purpose_says_nothing_of_an_earlier_error(void **state)
{
    belay_session *s = ((database *)*state)->s;
    BELAY_ATOMIC(s) {
        belay_exec(s, "UPDATE account SET balance = balance - 101 WHERE id = 1");
    }
    assert_status(s, BELAY_CHECK);
    belay_begin(s, NULL);
    belay_exec(s, "UPDATE account SET balance = 7 WHERE id = 1");
    assert_int_equal(belay_rollback(s), BELAY_OK);
    assert_status(s, BELAY_ROLLED_BACK);
    assert_null(strstr(belay_message(s), "funds"));
    assert_string_equal(belay_pending(s)->constraint, "");
    assert_string_equal(belay_pending(s)->statement, "");
}

#define accounts_test(test) cmocka_unit_test_setup_teardown(test, open_accounts, close_accounts)

int main(void)
{
    const struct CMUnitTest tests[] = {
        accounts_test(what_was_caught_names_constraint_statement_place_and_scope),
        accounts_test(the_reason_of_a_failed_payment_can_be_logged_in_the_outer_scope),
        accounts_test(support_is_told_once_after_the_rollback_of_the_inner_scope),
        accounts_test(a_rollback_hook_cant_use_the_session_while_a_transaction_is_open),
        accounts_test(a_rollback_hook_can_use_the_session_after_the_outermost_scope),
        accounts_test(three_failed_tries_end_with_the_error_that_the_unit_gives),
        accounts_test(the_error_of_the_last_try_is_raised_as_it_was_and_can_be_caught_outside),
        accounts_test(a_conflict_is_not_tried_again_inside_the_unit_but_the_whole_unit_is),
        accounts_test(a_failure_between_debit_and_credit_leaves_the_sum),
        accounts_test(statements_after_the_failed_one_are_refused_with_its_code),
        accounts_test(the_message_says_that_nothing_was_kept),
        accounts_test(a_rollback_on_purpose_says_nothing_of_an_earlier_error),
    };
    return cmocka_run_group_tests_name("money", tests, NULL, NULL);
}
