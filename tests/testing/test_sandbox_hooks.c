/*
 * The sandbox: on-commit hooks are captured instead of run, other hooks run as usual.
 */
#include "box.h"

#include "hooks.h"

/* ---- On-commit hooks -------------------------------------------------------------------------------------------- */

static void hooks_on_commit_are_captured_and_not_run(void **state)
{
    box *b = *state;
    diary seen = {.other = NULL};
    NOTES(notes, seen);
    void *arg = b;
    assert_int_equal(belay_captured(b->s), 0);
    BELAY_ATOMIC(b->s) {
        belay_on_commit(b->s, write_note, &notes[0], free_note);
        BELAY_ATOMIC(b->s)
            belay_on_commit(b->s, write_note, &notes[1], free_note);
        put(b->s, 1);
    }
    assert_int_equal(belay_captured(b->s), 2);
    BELAY_ATOMIC(b->s)
        belay_on_commit(b->s, write_note, &notes[2], NULL);
    belay_on_commit(b->s, write_note, &notes[3], free_note); /* with no scope open it would have run at once */
    assert_int_equal(belay_captured(b->s), 4);
    assert_string_equal(seen.ran, "");
    for (int i = 0; i < 4; i++) {
        assert_ptr_equal(belay_captured_hook(b->s, i, &arg), write_note);
        assert_ptr_equal(arg, &notes[i]);
    }
    assert_ptr_equal(belay_captured_hook(b->s, 0, NULL), write_note);
    assert_null(belay_captured_hook(b->s, 4, &arg));
    assert_null(arg);
    assert_null(belay_captured_hook(b->s, -1, NULL));
    assert_string_equal(seen.freed, "");
    belay_session_close(b->s);
    b->s = NULL;
    assert_string_equal(seen.ran, "");
    assert_string_equal(seen.freed, "abd"); /* once each, though they never ran */
}

static void hooks_of_what_was_rolled_back_are_not_captured(void **state)
{
    box *b = *state;
    diary seen = {.other = NULL};
    NOTES(notes, seen);
    BELAY_ATOMIC(b->s) {
        belay_on_commit(b->s, write_note, &notes[0], free_note);
        belay_undo(b->s);
    }
    BELAY_ATOMIC(b->s) {
        BELAY_ATOMIC(b->s) {
            belay_on_commit(b->s, write_note, &notes[1], free_note);
            clash(b->s);
        }
        belay_ignore(b->s, BELAY_ANY);
        belay_savepoint(b->s, "mark");
        belay_on_commit(b->s, write_note, &notes[2], free_note);
        belay_rollback_to(b->s, "mark");
        belay_on_commit(b->s, write_note, &notes[3], free_note);
    }
    int runs = 0;
    BELAY_ATOMIC_WITH(b->s, .retries = 2, .backoff_ms = 1) {
        belay_on_commit(b->s, write_note, &notes[4 + runs], free_note);
        if (runs++ == 0)
            belay_fail(b->s, BELAY_BUSY, "again");
    }
    assert_int_equal(belay_captured(b->s), 2);
    assert_string_equal(seen.freed, "abce");
    assert_int_equal(belay_run_captured(b->s), 0);
    assert_string_equal(seen.ran, "df");
    assert_string_equal(seen.freed, "abcedf");
}

static void captured_hooks_run_in_the_order_of_registration_and_are_forgotten(void **state)
{
    box *b = *state;
    diary seen = {.other = NULL};
    NOTES(notes, seen);
    notes[1].result = 1;
    for (int i = 0; i < 4; i += 2)
        BELAY_ATOMIC(b->s) {
            belay_on_commit(b->s, write_note, &notes[i], free_note);
            belay_on_commit(b->s, write_note, &notes[i + 1], free_note);
        }
    assert_int_equal(belay_run_captured(b->s), 1); /* one failed, and the others ran all the same */
    assert_string_equal(seen.ran, "abcd");
    assert_string_equal(seen.freed, "abcd");
    assert_int_equal(belay_captured(b->s), 0);
    assert_int_equal(belay_run_captured(b->s), 0);
    assert_string_equal(seen.ran, "abcd");
}

/* A hook that uses the session, and registers others. */
typedef struct busy_hook {
    note *notes;
    int status, depth;
} busy_hook;

static int be_busy(belay_session *s, void *arg)
{
    busy_hook *h = arg;
    h->depth = belay_depth(s);
    h->status = (int)belay_status(s);
    belay_on_commit(s, write_note, &h->notes[0], free_note); /* runs after this one */
    BELAY_ATOMIC(s) {
        put(s, 50);
        belay_on_commit(s, write_note, &h->notes[1], free_note); /* of a unit: captured */
    }
    return belay_status(s) != BELAY_OK;
}

static void a_captured_hook_may_use_the_session_and_register_others(void **state)
{
    box *b = *state;
    diary seen = {.other = NULL};
    NOTES(notes, seen);
    busy_hook hook = {notes, -1, -1};
    clash(b->s);
    BELAY_ATOMIC(b->s)
        belay_on_commit(b->s, be_busy, &hook, NULL);
    assert_code(clash(b->s), BELAY_UNIQUE);
    assert_int_equal(belay_run_captured(b->s), 0);
    assert_int_equal(hook.depth, 0);
    assert_int_equal(hook.status, BELAY_OK);
    assert_string_equal(seen.ran, "a");
    assert_code(belay_status(b->s), BELAY_UNIQUE); /* the session is left as it was */
    assert_seen(b->s, "50");
    assert_int_equal(belay_captured(b->s), 1);
    assert_int_equal(belay_run_captured(b->s), 0);
    assert_string_equal(seen.ran, "ab");
    assert_string_equal(seen.freed, "ab");
}

static int run_others(belay_session *s, void *arg)
{
    *(int *)arg = belay_run_captured(s);
    return 0;
}

static void captured_hooks_are_not_run_inside_a_scope(void **state)
{
    box *b = *state;
    diary seen = {.other = NULL};
    NOTES(notes, seen);
    int inside = -1, again = -1;
    BELAY_ATOMIC(b->s)
        belay_on_commit(b->s, write_note, &notes[0], free_note);
    BELAY_ATOMIC(b->s) {
        inside = belay_run_captured(b->s);
    }
    assert_int_equal(inside, 0);
    assert_code(belay_status(b->s), BELAY_MISUSE);
    assert_string_equal(seen.ran, "");
    assert_int_equal(belay_captured(b->s), 1);
    belay_on_commit(b->s, run_others, &again, NULL); /* and from a captured hook there are none left to run */
    assert_int_equal(belay_run_captured(b->s), 0);
    assert_int_equal(again, 0);
    assert_string_equal(seen.ran, "a");
}

static void other_hooks_run_as_usual(void **state)
{
    box *b = *state;
    diary seen = {.other = NULL};
    NOTES(notes, seen);
    BELAY_ATOMIC(b->s) {
        belay_before_commit(b->s, write_note, &notes[0], free_note);
        belay_on_rollback(b->s, write_note, &notes[1], free_note);
    }
    assert_string_equal(seen.ran, "a");
    assert_string_equal(seen.freed, "ab");
    notes[3].result = 1;
    BELAY_ATOMIC(b->s) {
        put(b->s, 1);
        belay_on_rollback(b->s, write_note, &notes[2], free_note);
        belay_before_commit(b->s, write_note, &notes[3], free_note);
    }
    assert_code(belay_status(b->s), BELAY_APPLICATION);
    assert_string_equal(seen.ran, "adc");
    assert_int_equal(belay_captured(b->s), 0);
    assert_seen(b->s, "");
}

static int write_row(belay_session *s, void *arg)
{
    return put(s, *(int *)arg) != BELAY_OK;
}

static void a_hook_on_rollback_may_use_the_session_as_after_any_unit(void **state)
{
    box *b = *state;
    int row = 60;
    BELAY_ATOMIC(b->s) {
        put(b->s, 1);
        belay_on_rollback(b->s, write_row, &row, NULL);
        belay_undo(b->s);
    }
    assert_int_equal(belay_hook_errors(b->s), 0);
    assert_seen(b->s, "60");
}

static void nothing_is_captured_on_any_other_session(void **state)
{
    box *b = *state;
    diary seen = {.other = NULL};
    NOTES(notes, seen);
    void *arg = b;
    belay_on_commit(b->w->s, write_note, &notes[0], free_note);
    assert_string_equal(seen.ran, "a");
    assert_int_equal(belay_captured(b->w->s), 0);
    assert_null(belay_captured_hook(b->w->s, 0, &arg));
    assert_null(arg);
    assert_int_equal(belay_run_captured(b->w->s), 0);
    assert_int_equal(belay_captured(NULL), 0);
    assert_null(belay_captured_hook(NULL, 0, NULL));
    assert_int_equal(belay_run_captured(NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_sandbox(hooks_on_commit_are_captured_and_not_run),
        in_sandbox(hooks_of_what_was_rolled_back_are_not_captured),
        in_sandbox(captured_hooks_run_in_the_order_of_registration_and_are_forgotten),
        in_sandbox(a_captured_hook_may_use_the_session_and_register_others),
        in_sandbox(captured_hooks_are_not_run_inside_a_scope),
        in_sandbox(other_hooks_run_as_usual),
        in_sandbox(a_hook_on_rollback_may_use_the_session_as_after_any_unit),
        in_sandbox(nothing_is_captured_on_any_other_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
