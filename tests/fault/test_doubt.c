/*
 * The answer to a COMMIT never comes, and the engine can be asked about the
 * transaction by its name: each answer, and none. The engine is SQLite, with the
 * two slots of one that can be asked.
 */
#include "cutting.h"

#include <stdio.h>
#include <string.h>

#include <belay/testing.h>

/* What is answered: all that is open first, unless it is so for ever, and then the same again and again. */
static struct {
    bool nameless, for_ever;
    const belay_outcome *answers; /* BELAY_WORK_UNKNOWN is a failure with `failure` */
    belay_code failure;
    int asked;
    uint64_t asked_for, named;
} script;

static bool name_it(belay_conn *conn, belay_token *out_token)
{
    (void)conn;
    *out_token = (belay_token){{1, 2, 3, ++script.named}};
    return !script.nameless;
}

static belay_code answer_it(belay_conn *conn, const belay_token *token, belay_outcome *out_outcome, belay_error *error)
{
    belay_outcome answer = script.answers[0];
    assert_int_equal(conn->driver->status(conn), BELAY_TRANSACTION_NONE);
    script.asked++;
    script.asked_for = token->words[3];
    if (answer == BELAY_WORK_OPEN && !script.for_ever)
        script.answers++;
    *out_outcome = answer;
    if (answer != BELAY_WORK_UNKNOWN)
        return BELAY_OK;
    *error = (belay_error){.code = script.failure, .message = "the oracle is silent"};
    return error->code;
}

static stand *prepare(void **state, cut how, const belay_outcome *answers)
{
    stand *st = *state;
    memset(&script, 0, sizeof script);
    script.answers = answers;
    script.failure = BELAY_UNSUPPORTED;
    st->cut.driver.identify = name_it;
    st->cut.driver.outcome = answer_it;
    st->cut.next = how;
    return st;
}

/* ---- Answers ----------------------------------------------------------------------------------------------------- */

static const belay_outcome committed[] = {BELAY_WORK_COMMITTED}, rolled_back[] = {BELAY_WORK_ROLLED_BACK},
                           nobody_knows[] = {BELAY_WORK_UNKNOWN};
static const belay_outcome open_then_committed[] = {BELAY_WORK_OPEN, BELAY_WORK_OPEN, BELAY_WORK_COMMITTED};
static const belay_outcome always_open[] = {BELAY_WORK_OPEN};

static void a_unit_that_committed_is_reported_so_and_its_hooks_run(void **state)
{
    stand *st = prepare(state, CUT_AFTER, committed);
    assert_int_equal(stand_put_once(st, 1, .retries = 5), 1);
    assert_ended(st, BELAY_OK, BELAY_WORK_COMMITTED);
    assert_string_equal(belay_message(st->s), "no error");
    assert_hooks(st, 1, 0);
    assert_items(st, "1");
    assert_int_equal(script.asked, 1);
    assert_int_equal(script.asked_for, 1);
    assert_int_equal(st->d.log_lines, 0);
}

static void a_unit_that_was_rolled_back_is_worth_another_try(void **state)
{
    stand *st = prepare(state, CUT_BEFORE, rolled_back);
    assert_int_equal(stand_put_once(st, 1, .retries = 0), 1);
    assert_ended(st, BELAY_CONNECTION, BELAY_WORK_ROLLED_BACK);
    assert_true(belay_retryable(belay_pending(st->s)));
    assert_string_equal(belay_pending(st->s)->hint, "");
    assert_hooks(st, 0, 1);
    assert_items(st, "");
}

/* What belay_commit returns. */
static belay_code commit_one(stand *st)
{
    belay_begin(st->s, NULL);
    belay_exec(st->s, "INSERT INTO item (id) VALUES (1)");
    return belay_commit(st->s);
}

static void the_commit_of_a_scope_returns_what_was_found_out(void **state)
{
    stand *st = prepare(state, CUT_AFTER, committed);
    assert_int_equal(commit_one(st), BELAY_OK);
    assert_ended(st, BELAY_OK, BELAY_WORK_COMMITTED);
    assert_items(st, "1");
}

static void the_commit_of_a_scope_returns_that_it_was_undone(void **state)
{
    stand *st = prepare(state, CUT_BEFORE, rolled_back);
    assert_int_equal(commit_one(st), BELAY_CONNECTION);
    assert_ended(st, BELAY_CONNECTION, BELAY_WORK_ROLLED_BACK);
    assert_items(st, "");
}

static void with_retries_it_is_run_again(void **state)
{
    stand *st = prepare(state, CUT_BEFORE, rolled_back);
    assert_int_equal(stand_put_once(st, 1, .retries = 1), 2);
    assert_ended(st, BELAY_OK, BELAY_WORK_COMMITTED);
    assert_hooks(st, 1, 1);
    assert_items(st, "1");
    assert_int_equal(script.asked, 1);
}

static void what_is_not_decided_is_asked_again(void **state)
{
    stand *st = prepare(state, CUT_AFTER, open_then_committed);
    stand_put_once(st, 1, .retries = 5);
    assert_ended(st, BELAY_OK, BELAY_WORK_COMMITTED);
    assert_int_equal(script.asked, 3);
    assert_hooks(st, 1, 0);
}

static void where_nobody_can_say_it_stays_in_doubt_and_the_message_says_why(void **state)
{
    stand *st = prepare(state, CUT_AFTER, nobody_knows);
    assert_int_equal(stand_put_once(st, 1, .retries = 5), 1);
    assert_ended(st, BELAY_IN_DOUBT, BELAY_WORK_UNKNOWN);
    assert_non_null(strstr(belay_pending(st->s)->message, "the oracle is silent"));
    assert_non_null(strstr(belay_pending(st->s)->detail, "the link was cut"));
    assert_hooks(st, 0, 0);
    assert_int_equal(script.asked, 1);
}

static void a_question_that_is_lost_is_put_again_a_few_times(void **state)
{
    stand *st = prepare(state, CUT_AFTER, nobody_knows);
    stand_reopen(st, BELAY_DB_OPTIONS(.pool_size = 3));
    script.failure = BELAY_CONNECTION;
    stand_put_once(st, 1, .retries = 5);
    assert_ended(st, BELAY_IN_DOUBT, BELAY_WORK_UNKNOWN);
    assert_int_equal(script.asked, 3 + 5); /* each connection of the pool may be dead */
}

static void a_unit_without_a_name_stays_in_doubt_and_nobody_is_asked(void **state)
{
    stand *st = prepare(state, CUT_AFTER, committed);
    script.nameless = true;
    stand_put_once(st, 1, .retries = 5);
    assert_ended(st, BELAY_IN_DOUBT, BELAY_WORK_UNKNOWN);
    assert_int_equal(script.asked, 0);
    script.nameless = false;
    st->cut.next = CUT_AFTER;
    stand_put_once(st, 2, .retries = 5);
    assert_ended(st, BELAY_OK, BELAY_WORK_COMMITTED);
    script.nameless = true; /* and has not the name of the one before */
    st->cut.next = CUT_AFTER;
    stand_put_once(st, 3, .retries = 5);
    assert_ended(st, BELAY_IN_DOUBT, BELAY_WORK_UNKNOWN);
}

static void a_unit_with_a_key_is_asked_for_by_the_key(void **state)
{
    stand *st = prepare(state, CUT_BEFORE, committed);
    stand_put_once(st, 1, .once = "a");
    assert_ended(st, BELAY_CONNECTION, BELAY_WORK_ROLLED_BACK);
    assert_int_equal(script.asked, 0);
    assert_keys(st, "a|void;first|done");
}

/* ---- Limits ------------------------------------------------------------------------------------------------------ */

static _Atomic int64_t moment;

static int64_t read_moment(void *arg)
{
    (void)arg;
    return moment;
}

static void pass_to(void *arg, int64_t to)
{
    (void)arg;
    moment = to > moment ? to : moment;
}

static void use_own_clock(void)
{
    belay_clock clock = {.now_ns = read_moment, .sleep_until_ns = pass_to};
    moment = INT64_C(1000000000);
    belay_set_clock(&clock);
}

static void without_a_limit_the_open_one_is_waited_for_half_a_minute(void **state)
{
    stand *st = prepare(state, CUT_AFTER, always_open);
    script.for_ever = true;
    use_own_clock();
    stand_reopen(st, NULL);
    int64_t began = moment;
    stand_put(st, BELAY_SCOPE_OPTIONS(.retries = 5), 1);
    int64_t took_ms = (moment - began) / 1000000;
    belay_set_clock(NULL);
    assert_ended(st, BELAY_IN_DOUBT, BELAY_WORK_UNKNOWN);
    assert_non_null(strstr(belay_pending(st->s)->message, "still busy"));
    assert_in_range(took_ms, 30000, 31000);
}

static void the_units_own_limit_ends_the_wait(void **state)
{
    stand *st = prepare(state, CUT_AFTER, always_open);
    script.for_ever = true;
    use_own_clock();
    stand_reopen(st, NULL);
    int64_t began = moment;
    stand_put(st, BELAY_SCOPE_OPTIONS(.timeout_ms = 2000), 1);
    int64_t took_ms = (moment - began) / 1000000;
    belay_set_clock(NULL);
    assert_ended(st, BELAY_IN_DOUBT, BELAY_WORK_UNKNOWN);
    assert_in_range(took_ms, 500, 2000);
}

/* ---- The trace --------------------------------------------------------------------------------------------------- */

static void write_outcome(void *arg, const belay_trace_event *event)
{
    char *said = arg;
    if (event->kind == BELAY_TRACE_OUTCOME)
        sprintf(said + strlen(said), "%s:%s:%s; ", event->scope ? event->scope : "?", belay_code_name(event->code),
                event->detail ? event->detail : "");
}

static void each_question_is_in_the_trace(void **state)
{
    char said[1000] = "";
    stand *st = prepare(state, CUT_AFTER, open_then_committed);
    stand_reopen(st, BELAY_DB_OPTIONS(.trace = write_outcome, .trace_arg = said));
    stand_put_once(st, 1, .name = "put");
    st->cut.next = CUT_AFTER;
    script.answers = nobody_knows;
    stand_put_once(st, 2, .name = "again");
    stand_reopen(st, NULL);
    assert_string_equal(said, "put:OK:open; put:OK:open; put:OK:committed; again:UNSUPPORTED:; ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        on_stand(a_unit_that_committed_is_reported_so_and_its_hooks_run),
        on_stand(a_unit_that_was_rolled_back_is_worth_another_try),
        on_stand(the_commit_of_a_scope_returns_what_was_found_out),
        on_stand(the_commit_of_a_scope_returns_that_it_was_undone),
        on_stand(with_retries_it_is_run_again),
        on_stand(what_is_not_decided_is_asked_again),
        on_stand(where_nobody_can_say_it_stays_in_doubt_and_the_message_says_why),
        on_stand(a_question_that_is_lost_is_put_again_a_few_times),
        on_stand(a_unit_without_a_name_stays_in_doubt_and_nobody_is_asked),
        on_stand(a_unit_with_a_key_is_asked_for_by_the_key),
        on_stand(without_a_limit_the_open_one_is_waited_for_half_a_minute),
        on_stand(the_units_own_limit_ends_the_wait),
        on_stand(each_question_is_in_the_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
