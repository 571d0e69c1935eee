/*
 * Hooks before the commit.
 */
#include "support.h"

#include "hooks.h"

static belay_code before_commit(belay_session *s, note *n)
{
    return belay_before_commit(s, write_note, n, free_note);
}

static int write_last_row(belay_session *s, void *arg)
{
    assert_int_equal(belay_depth(s), 1);
    put(s, 70);
    BELAY_ATOMIC(s)
        put(s, 71);
    return write_note(s, arg);
}

static void a_hook_before_the_commit_runs_inside_the_outermost_scope(void **state)
{
    world *w = *state;
    diary d = {0};
    NOTES(n, d);
    BELAY_ATOMIC(w->s) {
        BELAY_ATOMIC(w->s) {
            put(w->s, 1);
            assert_code(belay_before_commit(w->s, write_last_row, &n[0], free_note), BELAY_OK);
        }
        belay_on_commit(w->s, write_note, &n[1], free_note);
        assert_string_equal(d.ran, "");
    }
    assert_status(w->s, BELAY_OK);
    assert_string_equal(d.ran, "ab");
    assert_stored(w, "1;70;71");
}

static void a_hook_before_the_commit_may_fail_it(void **state)
{
    world *w = *state;
    diary d = {0};
    NOTES(n, d);
    n[0].result = 1;
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        before_commit(w->s, &n[0]);
        before_commit(w->s, &n[1]);
        belay_on_commit(w->s, write_note, &n[2], free_note);
    }
    assert_status(w->s, BELAY_APPLICATION);
    assert_lacks(d.ran, "c");
    assert_int_equal(strlen(d.freed), 3);
    assert_stored(w, "");
}

static int fail_by_statement(belay_session *s, void *arg)
{
    clash(s);
    return write_note(s, arg);
}

static void an_error_that_a_hook_before_the_commit_leaves_pending_fails_the_commit(void **state)
{
    world *w = *state;
    diary d = {0};
    NOTES(n, d);
    belay_begin(w->s, NULL);
    put(w->s, 1);
    belay_before_commit(w->s, fail_by_statement, &n[0], free_note);
    assert_code(belay_commit(w->s), BELAY_UNIQUE);
    assert_stored(w, "");
    n[1].result = 1;
    BELAY_ATOMIC(w->s)
        belay_before_commit(w->s, fail_by_statement, &n[1], free_note); /* non-zero as well */
    assert_status(w->s, BELAY_UNIQUE);
}

static void a_hook_before_the_commit_does_not_run_when_there_is_none(void **state)
{
    world *w = *state;
    diary d = {0};
    NOTES(n, d);
    BELAY_ATOMIC(w->s) {
        before_commit(w->s, &n[0]);
        clash(w->s);
    }
    BELAY_ATOMIC(w->s) {
        BELAY_ATOMIC(w->s) {
            before_commit(w->s, &n[1]);
            belay_undo(w->s);
        }
        belay_savepoint(w->s, "m");
        before_commit(w->s, &n[2]);
        belay_rollback_to(w->s, "m");
    }
    assert_string_equal(d.ran, "");
    assert_string_equal(d.freed, "abc");
}

static int register_more(belay_session *s, void *arg)
{
    note *n = arg;
    write_note(s, arg);
    belay_before_commit(s, write_note, n + 1, free_note);
    belay_on_commit(s, write_note, n + 2, free_note);
    return 0;
}

static void a_hook_before_the_commit_may_register_others(void **state)
{
    world *w = *state;
    diary d = {0};
    NOTES(n, d);
    BELAY_ATOMIC(w->s)
        belay_before_commit(w->s, register_more, &n[0], free_note);
    assert_string_equal(d.ran, "abc");
    assert_int_equal(strlen(d.freed), 3);
}

static int leave_open(belay_session *s, void *arg)
{
    belay_begin(s, NULL);
    put(s, 50);
    return write_note(s, arg);
}

static void a_scope_that_a_hook_before_the_commit_leaves_open_fails_the_commit(void **state)
{
    world *w = *state;
    diary d = {0};
    NOTES(n, d);
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        belay_before_commit(w->s, leave_open, &n[0], free_note);
    }
    assert_int_equal(belay_depth(w->s), 0);
    assert_true(belay_status(w->s) != BELAY_OK);
    assert_stored(w, "");
}

static int undo_or_go_back(belay_session *s, void *arg)
{
    note *n = arg;
    write_note(s, arg);
    if (n->letter == 'a')
        belay_undo(s);
    else
        belay_rollback_to(s, "before it was registered");
    return 0;
}

static void a_hook_before_the_commit_may_undo_the_scope_or_go_back_in_it(void **state)
{
    world *w = *state;
    diary d = {0};
    NOTES(n, d);
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        belay_before_commit(w->s, undo_or_go_back, &n[0], free_note);
    }
    assert_status(w->s, BELAY_ROLLED_BACK);
    assert_stored(w, "");
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        belay_savepoint(w->s, "before it was registered");
        put(w->s, 2);
        belay_before_commit(w->s, undo_or_go_back, &n[1], free_note);
    }
    assert_status(w->s, BELAY_OK);
    assert_string_equal(d.freed, "ab");
    assert_stored(w, "1");
}

static int go_back_and_register(belay_session *s, void *arg)
{
    note *n = arg;
    write_note(s, arg);
    belay_rollback_to(s, "mark");
    for (int i = 1; i <= 3; i++)
        before_commit(s, n + i);
    return 0;
}

static void a_hook_that_one_before_the_commit_registers_after_going_back_runs_too(void **state)
{
    world *w = *state;
    diary d = {0};
    NOTES(n, d);
    BELAY_ATOMIC(w->s) {
        before_commit(w->s, &n[0]);
        belay_savepoint(w->s, "mark");
        before_commit(w->s, &n[1]);
        belay_before_commit(w->s, go_back_and_register, &n[10], NULL);
    }
    assert_status(w->s, BELAY_OK);
    assert_string_equal(d.ran, "abklmn");
    assert_string_equal(d.freed, "balmn");
}

static int commit_around(belay_session *s, void *arg)
{
    *(belay_code *)arg = belay_commit(s);
    return 0;
}

static int roll_back_around(belay_session *s, void *arg)
{
    *(belay_code *)arg = belay_rollback(s);
    return 0;
}

/* Ends an explicit scope whose hook ends it too. The number of the step that went wrong. */
static int end_twice(const char *url, belay_hook hook)
{
    belay_code code = BELAY_OK;
    belay_db *db = belay_open(url, NULL);
    belay_session *s = belay_session_open(db);
    belay_exec(s, "CREATE TABLE IF NOT EXISTS item(id INTEGER)");
    belay_begin(s, NULL);
    put(s, 1);
    belay_before_commit(s, hook, &code, NULL);
    if (belay_commit(s) == BELAY_OK)
        return 1;
    if (code != BELAY_MISUSE || belay_depth(s) != 0 || belay_int_of(s, "SELECT count(*) FROM item") != 0)
        return 2;
    belay_session_close(s);
    belay_close(db);
    return 0;
}

static int commit_twice(void *url)
{
    return end_twice(url, commit_around);
}

static int roll_back_twice(void *url)
{
    return end_twice(url, roll_back_around);
}

static void a_hook_before_the_commit_can_not_commit_itself(void **state)
{
    world *w = *state;
    char url[600];
    url_for_child(w, url, sizeof url);
    assert_int_equal(run_in_child(commit_twice, url), 0);
}

static void a_hook_before_the_commit_can_not_roll_back_itself(void **state)
{
    world *w = *state;
    char url[600];
    url_for_child(w, url, sizeof url);
    assert_int_equal(run_in_child(roll_back_twice, url), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(a_hook_before_the_commit_runs_inside_the_outermost_scope),
        in_world(a_hook_before_the_commit_may_fail_it),
        in_world(an_error_that_a_hook_before_the_commit_leaves_pending_fails_the_commit),
        in_world(a_hook_before_the_commit_does_not_run_when_there_is_none),
        in_world(a_hook_before_the_commit_may_register_others),
        in_world(a_scope_that_a_hook_before_the_commit_leaves_open_fails_the_commit),
        in_world(a_hook_before_the_commit_may_undo_the_scope_or_go_back_in_it),
        in_world(a_hook_that_one_before_the_commit_registers_after_going_back_runs_too),
        in_world(a_hook_before_the_commit_can_not_commit_itself),
        in_world(a_hook_before_the_commit_can_not_roll_back_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
