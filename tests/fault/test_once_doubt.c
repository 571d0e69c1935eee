/*
 * The answer to a COMMIT never comes, and the unit has a key: what became of it
 * is found out. Each test cuts one COMMIT, and some cut more.
 */
#include "cutting.h"

#include <stdio.h>
#include <string.h>

/* What a trace was told. */
typedef struct scribble {
    char text[1000];
} scribble;

/* ---- Found out ------------------------------------------------------------------------------------------------- */

static void a_commit_that_the_engine_never_saw_is_found_out_as_rolled_back(void **state)
{
    stand *st = *state;
    st->cut.next = CUT_BEFORE;
    assert_int_equal(stand_put_once(st, 1, .once = "a", .name = "put"), 1);
    assert_ended(st, BELAY_CONNECTION, BELAY_WORK_ROLLED_BACK);
    assert_true(belay_retryable(belay_pending(st->s)));
    assert_false(belay_already_done(st->s));
    assert_hooks(st, 0, 1);
    assert_items(st, "");
    assert_keys(st, "a|void;first|done"); /* so that the lost attempt can't be carried out any more */
    assert_int_equal(stand_put_once(st, 2, .once = "a", .name = "put"), 1);
    assert_ended(st, BELAY_OK, BELAY_WORK_COMMITTED);
    assert_hooks(st, 1, 0);
    assert_items(st, "2");
    assert_keys(st, "a|done;first|done");
}

static void a_commit_that_was_carried_out_is_found_out_as_committed(void **state)
{
    stand *st = *state;
    st->cut.next = CUT_AFTER;
    assert_int_equal(stand_put_once(st, 1, .once = "a", .retries = 5), 1);
    assert_ended(st, BELAY_OK, BELAY_WORK_COMMITTED);
    assert_false(belay_already_done(st->s)); /* it was done by this very run */
    assert_string_equal(belay_message(st->s), "no error");
    assert_hooks(st, 1, 0);
    assert_items(st, "1");
    assert_int_equal(stand_put_once(st, 2, .once = "a"), 0);
    assert_true(belay_already_done(st->s));
    assert_items(st, "1");
    assert_int_equal(st->d.log_lines, 0);
}

static void without_a_key_it_remains_in_doubt(void **state)
{
    stand *st = *state;
    st->cut.next = CUT_AFTER;
    assert_int_equal(stand_put_once(st, 1, .retries = 5), 1);
    assert_ended(st, BELAY_IN_DOUBT, BELAY_WORK_UNKNOWN);
    assert_hooks(st, 0, 0);
}

static void a_unit_of_before_with_a_key_says_nothing_of_one_without(void **state)
{
    stand *st = *state;
    stand_put_once(st, 1, .once = "a");
    st->cut.next = CUT_AFTER;
    stand_put_once(st, 2, .retries = 0);
    assert_ended(st, BELAY_IN_DOUBT, BELAY_WORK_UNKNOWN);
    assert_keys(st, "a|done;first|done");
}

static void a_block_is_found_out_as_a_callback_is(void **state)
{
    stand *st = *state;
    static const cut cuts[] = {CUT_BEFORE, CUT_AFTER};
    for (int i = 0; i < 2; i++) {
        int runs = 0;
        st->cut.next = cuts[i];
        BELAY_ATOMIC_WITH(st->s, .once = i ? "b" : "a", .retries = 1, .backoff_ms = 1) {
            runs++;
            belay_exec(st->s, "INSERT INTO item(id) VALUES (?)", i);
        }
        assert_int_equal(runs, i ? 1 : 2);
        assert_ended(st, BELAY_OK, BELAY_WORK_COMMITTED);
    }
    assert_items(st, "0;1");
}

static void the_key_that_is_asked_for_is_the_one_that_was_claimed(void **state)
{
    stand *st = *state;
    char key[8] = "mine";
    st->cut.next = CUT_AFTER;
    BELAY_ATOMIC_WITH(st->s, .once = key)
        strcpy(key, "other");
    assert_ended(st, BELAY_OK, BELAY_WORK_COMMITTED);
    assert_keys(st, "first|done;mine|done");
}

/* ---- Running again --------------------------------------------------------------------------------------------- */

static void a_retry_takes_the_void_key_over_and_commits(void **state)
{
    stand *st = *state;
    st->cut.next = CUT_BEFORE;
    assert_int_equal(stand_put_once(st, 1, .once = "a", .retries = 1), 2);
    assert_ended(st, BELAY_OK, BELAY_WORK_COMMITTED);
    assert_hooks(st, 1, 1);
    assert_items(st, "1");
    assert_keys(st, "a|done;first|done");
}

static void every_attempt_can_be_cut_off(void **state)
{
    stand *st = *state;
    static const cut last[] = {CUT_BEFORE, CUT_AFTER};
    for (int i = 0; i < 2; i++) {
        st->cut.next = CUT_BEFORE;
        int runs = stand_put_once(st, i, .once = i ? "b" : "a"); /* leaves a void key */
        st->cut.next = last[i];
        runs += stand_put_once(st, i, .once = i ? "b" : "a", .retries = 1);
        assert_int_equal(runs, i ? 2 : 3);
        assert_ended(st, BELAY_OK, BELAY_WORK_COMMITTED);
        assert_hooks(st, 1, i ? 1 : 2);
    }
    assert_items(st, "0;1");
    assert_keys(st, "a|done;b|done;first|done");
}

static void an_attempt_that_fails_leaves_the_key_void(void **state)
{
    stand *st = *state;
    st->cut.next = CUT_BEFORE;
    stand_put_once(st, 1, .once = "a");
    BELAY_ATOMIC_WITH(st->s, .once = "a")
        belay_undo(st->s);
    assert_keys(st, "a|void;first|done");
    assert_false(belay_already_done(st->s));
    assert_int_equal(stand_put_once(st, 1, .once = "a"), 1);
    assert_items(st, "1");
}

static void whoever_comes_next_takes_a_void_key_over(void **state)
{
    stand *st = *state;
    int runs = 0;
    st->cut.next = CUT_BEFORE;
    stand_put_once(st, 1, .once = "a", .name = "put");
    BELAY_ATOMIC_WITH(st->witness, .once = "a", .name = "put") /* as another process would */
        runs++;
    assert_int_equal(runs, 1);
    assert_false(belay_already_done(st->witness));
    assert_keys(st, "a|done;first|done");
    assert_int_equal(stand_put_once(st, 1, .once = "a", .name = "put"), 0);
    assert_true(belay_already_done(st->s));
}

static void a_void_key_belongs_to_its_unit_as_well(void **state)
{
    stand *st = *state;
    st->cut.next = CUT_BEFORE;
    stand_put_once(st, 1, .once = "a", .name = "put");
    assert_int_equal(stand_put_once(st, 1, .once = "a", .name = "take"), 0);
    assert_ended(st, BELAY_MISUSE, BELAY_WORK_ROLLED_BACK);
    assert_keys(st, "a|void;first|done");
}

/* ---- Others ----------------------------------------------------------------------------------------------------- */

static void do_it_meanwhile(void *arg)
{
    stand *st = arg;
    BELAY_ATOMIC_WITH(st->witness, .once = "a")
        belay_exec(st->witness, "INSERT INTO item(id) VALUES (99)");
}

static void what_another_did_under_the_key_is_not_taken_for_the_lost_attempts(void **state)
{
    stand *st = *state;
    st->cut.next = CUT_BEFORE;
    st->cut.meanwhile = do_it_meanwhile;
    st->cut.arg = st;
    assert_int_equal(stand_put_once(st, 1, .once = "a"), 1);
    assert_ended(st, BELAY_CONNECTION, BELAY_WORK_ROLLED_BACK);
    assert_hooks(st, 0, 1); /* the work of this run is not there, and the other had hooks of its own */
    assert_items(st, "99");
    assert_keys(st, "a|done;first|done");
}

static void a_retry_finds_done_what_another_did_meanwhile(void **state)
{
    stand *st = *state;
    st->cut.next = CUT_BEFORE;
    st->cut.meanwhile = do_it_meanwhile;
    st->cut.arg = st;
    assert_int_equal(stand_put_once(st, 1, .once = "a", .retries = 3), 1);
    assert_ended(st, BELAY_OK, BELAY_WORK_COMMITTED);
    assert_true(belay_already_done(st->s));
    assert_hooks(st, 0, 1);
    assert_items(st, "99");
}

/* ---- More is lost while it is found out ------------------------------------------------------------------------- */

static void a_connection_lost_again_while_finding_out_is_replaced(void **state)
{
    stand *st = *state;
    static const cut cuts[] = {CUT_BEFORE, CUT_AFTER};
    for (int i = 0; i < 4; i++) {
        char key[8];
        snprintf(key, sizeof key, "%d", i);
        st->cut.next = cuts[i % 2];
        if (i < 2)
            st->cut.lost_begins = 3;
        else
            st->cut.refused_opens = 3;
        assert_int_equal(stand_put_once(st, i, .once = key), 1);
        if (i % 2)
            assert_ended(st, BELAY_OK, BELAY_WORK_COMMITTED);
        else
            assert_ended(st, BELAY_CONNECTION, BELAY_WORK_ROLLED_BACK);
        assert_hooks(st, i % 2, !(i % 2));
    }
    assert_items(st, "1;3");
}

/* As after the restart of a server: every connection that lies idle is dead, and a new one would work. */
static void dead_connections_in_the_pool_do_not_keep_it_from_being_found_out(void **state)
{
    enum { SESSIONS = 6 };
    stand *st = *state;
    belay_session *sessions[SESSIONS];
    for (int i = 0; i < SESSIONS; i++) {
        sessions[i] = belay_session_open(st->db);
        belay_begin(sessions[i], BELAY_SCOPE_OPTIONS(.read_only = true));
        belay_int_of(sessions[i], "SELECT 1");
    }
    for (int i = 0; i < SESSIONS; i++) {
        belay_commit(sessions[i]);
        belay_session_close(sessions[i]);
    }
    st->cut.next = CUT_AFTER;
    st->cut.lost_begins = SESSIONS;
    stand_put_once(st, 1, .once = "a");
    assert_ended(st, BELAY_OK, BELAY_WORK_COMMITTED);
    assert_int_equal(st->cut.lost_begins, 0);
}

static void the_commit_of_the_finding_out_can_be_cut_off_too(void **state)
{
    stand *st = *state;
    static const cut cuts[] = {CUT_BEFORE, CUT_AFTER};
    for (int i = 0; i < 4; i++) {
        char key[8];
        snprintf(key, sizeof key, "%d", i);
        st->cut.next = cuts[i % 2];
        st->cut.then = cuts[i / 2];
        assert_int_equal(stand_put_once(st, i, .once = key), 1);
        if (i % 2)
            assert_ended(st, BELAY_OK, BELAY_WORK_COMMITTED);
        else
            assert_ended(st, BELAY_CONNECTION, BELAY_WORK_ROLLED_BACK);
    }
    assert_items(st, "1;3");
    assert_keys(st, "0|void;1|done;2|void;3|done;first|done");
}

static void what_can_not_be_found_out_is_in_doubt_and_a_later_run_is_right_about_it(void **state)
{
    stand *st = *state;
    static const cut cuts[] = {CUT_BEFORE, CUT_AFTER};
    for (int i = 0; i < 4; i++) {
        char key[8];
        snprintf(key, sizeof key, "%d", i);
        st->cut.next = cuts[i % 2];
        *(i < 2 ? &st->cut.lost_begins : &st->cut.refused_opens) = -1;
        assert_int_equal(stand_put_once(st, i, .once = key, .retries = 5), 1);
        assert_ended(st, BELAY_IN_DOUBT, BELAY_WORK_UNKNOWN);
        assert_hooks(st, 0, 0);
        st->cut.lost_begins = st->cut.refused_opens = 0;
        assert_int_equal(stand_put_once(st, i, .once = key), i % 2 ? 0 : 1);
        assert_ended(st, BELAY_OK, BELAY_WORK_COMMITTED);
        assert_hooks(st, !(i % 2), 0);
    }
    assert_items(st, "0;1;2;3");
}

static void the_time_limit_ends_the_finding_out(void **state)
{
    stand *st = *state;
    st->cut.next = CUT_AFTER;
    st->cut.lost_begins = -1;
    BELAY_ATOMIC_WITH(st->s, .once = "a", .timeout_ms = 200, .backoff_ms = 60000, .backoff_max_ms = 60000)
        belay_exec(st->s, "INSERT INTO item(id) VALUES (1)");
    assert_ended(st, BELAY_IN_DOUBT, BELAY_WORK_UNKNOWN); /* and the test ends */
}

static void let_the_limit_pass(void *arg)
{
    (void)arg;
    sqlite3_sleep(60);
}

static void a_time_limit_that_has_passed_already_leaves_it_in_doubt(void **state)
{
    stand *st = *state;
    st->cut.next = CUT_AFTER;
    st->cut.meanwhile = let_the_limit_pass;
    stand_put_once(st, 1, .once = "a", .timeout_ms = 50, .retries = 3);
    assert_ended(st, BELAY_IN_DOUBT, BELAY_WORK_UNKNOWN);
    assert_hooks(st, 0, 0);
    assert_items(st, "1");
}

/* ---- The trace ---------------------------------------------------------------------------------------------- */

static void write_kind(void *arg, const belay_trace_event *event)
{
    static const char *const names[] = {
        [BELAY_TRACE_BEGIN] = "begin", [BELAY_TRACE_STATEMENT] = "statement", [BELAY_TRACE_COMMIT] = "commit"};
    scribble *said = arg;
    if (event->kind > BELAY_TRACE_COMMIT || !names[event->kind])
        return;
    size_t size = strlen(said->text);
    snprintf(said->text + size, sizeof said->text - size, "%s:%s; ", names[event->kind],
             event->code == BELAY_OK ? (event->scope ? event->scope : "?") : belay_code_name(event->code));
}

static void what_is_said_to_find_out_is_in_the_trace(void **state)
{
    stand *st = *state;
    scribble said = {.text = ""};
    stand_reopen(st, BELAY_DB_OPTIONS(.trace = write_kind, .trace_arg = &said));
    stand_put_once(st, 1, .once = "a", .name = "put");
    said.text[0] = '\0';
    st->cut.next = CUT_BEFORE;
    stand_put_once(st, 2, .once = "b", .name = "put");
    stand_reopen(st, NULL);
    assert_string_equal(said.text, "begin:put; statement:put; statement:put; commit:CONNECTION; "
                                   "begin:put; statement:put; commit:put; ");
}

/* ---- Handles ---------------------------------------------------------------------------------------------------- */

static void a_pool_of_one_connection_can_find_out(void **state)
{
    stand *st = *state;
    stand_reopen(st, BELAY_DB_OPTIONS(.pool_size = 1, .statement_cache = -1, .require_scope = true));
    st->cut.next = CUT_BEFORE;
    assert_int_equal(stand_put_once(st, 1, .once = "a", .retries = 1), 2);
    assert_ended(st, BELAY_OK, BELAY_WORK_COMMITTED);
    st->cut.next = CUT_AFTER;
    assert_int_equal(stand_put_once(st, 2, .once = "b", .retries = 1), 1);
    assert_ended(st, BELAY_OK, BELAY_WORK_COMMITTED);
    assert_items(st, "1;2");
}

static void it_is_found_out_in_the_table_of_the_handle(void **state)
{
    stand *st = *state;
    stand_reopen(st, BELAY_DB_OPTIONS(.once_table = "my_keys"));
    st->cut.next = CUT_AFTER;
    stand_put_once(st, 1, .once = "a");
    assert_ended(st, BELAY_OK, BELAY_WORK_COMMITTED);
    st->cut.next = CUT_BEFORE;
    stand_put_once(st, 2, .once = "b");
    assert_ended(st, BELAY_CONNECTION, BELAY_WORK_ROLLED_BACK);
    assert_rows(st->witness, "SELECT once_key, state FROM my_keys ORDER BY once_key", "a|done;b|void");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        on_stand(a_commit_that_the_engine_never_saw_is_found_out_as_rolled_back),
        on_stand(a_commit_that_was_carried_out_is_found_out_as_committed),
        on_stand(without_a_key_it_remains_in_doubt),
        on_stand(a_unit_of_before_with_a_key_says_nothing_of_one_without),
        on_stand(a_block_is_found_out_as_a_callback_is),
        on_stand(the_key_that_is_asked_for_is_the_one_that_was_claimed),
        on_stand(a_retry_takes_the_void_key_over_and_commits),
        on_stand(every_attempt_can_be_cut_off),
        on_stand(an_attempt_that_fails_leaves_the_key_void),
        on_stand(whoever_comes_next_takes_a_void_key_over),
        on_stand(a_void_key_belongs_to_its_unit_as_well),
        on_stand(what_another_did_under_the_key_is_not_taken_for_the_lost_attempts),
        on_stand(a_retry_finds_done_what_another_did_meanwhile),
        on_stand(a_connection_lost_again_while_finding_out_is_replaced),
        on_stand(dead_connections_in_the_pool_do_not_keep_it_from_being_found_out),
        on_stand(the_commit_of_the_finding_out_can_be_cut_off_too),
        on_stand(what_can_not_be_found_out_is_in_doubt_and_a_later_run_is_right_about_it),
        on_stand(the_time_limit_ends_the_finding_out),
        on_stand(a_time_limit_that_has_passed_already_leaves_it_in_doubt),
        on_stand(what_is_said_to_find_out_is_in_the_trace),
        on_stand(a_pool_of_one_connection_can_find_out),
        on_stand(it_is_found_out_in_the_table_of_the_handle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
