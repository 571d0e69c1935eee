/*
 * What a scope inside a transaction of the program's can't do, and what follows when that transaction is ended.
 */
#include "beside.h"

#include "hooks.h"

/* ---- Options and hooks ------------------------------------------------------------------------------------------ */

static void retries_and_once_are_unsupported(void **state)
{
    beside *b = *state;
    int ran = 0;
    BELAY_ATOMIC_WITH(b->s, .retries = 1)
        ran++;
    assert_code(belay_status(b->s), BELAY_UNSUPPORTED);
    BELAY_ATOMIC_WITH(b->s, .once = "key")
        ran++;
    assert_code(belay_status(b->s), BELAY_UNSUPPORTED);
    assert_code(belay_atomic(b->s, BELAY_SCOPE_OPTIONS(.retries = 3), write_note, &ran), BELAY_UNSUPPORTED);
    assert_int_equal(ran, 0);
    assert_true(is_inside(b->own));
    BELAY_ATOMIC(b->s) { /* on a nested scope .retries have no effect, as everywhere */
        BELAY_ATOMIC_WITH(b->s, .retries = 1)
            put(b->s, 2);
    }
    assert_code(belay_status(b->s), BELAY_OK);
    assert_committed(b, "1;2");
    BELAY_ATOMIC_WITH(b->s, .retries = 1)
        put(b->s, 3); /* and after the program's commit they are there again */
    assert_stored(b->w, "1;2;3");
}

static void a_hook_on_commit_is_unsupported_and_its_argument_freed(void **state)
{
    beside *b = *state;
    diary seen = {.other = NULL};
    NOTES(notes, seen);
    belay_code inside = BELAY_OK, nested = BELAY_OK, still = BELAY_OK;
    BELAY_ATOMIC(b->s) {
        put(b->s, 2);
        inside = belay_on_commit(b->s, write_note, &notes[0], free_note);
        still = belay_status(b->s);
    }
    assert_code(inside, BELAY_UNSUPPORTED);
    assert_code(still, BELAY_UNSUPPORTED); /* work that was promised to follow would be missing */
    assert_code(belay_status(b->s), BELAY_UNSUPPORTED);
    BELAY_ATOMIC(b->s) {
        BELAY_ATOMIC(b->s)
            nested = belay_on_commit(b->s, write_note, &notes[1], free_note);
        belay_ignore(b->s, BELAY_UNSUPPORTED);
    }
    assert_code(nested, BELAY_UNSUPPORTED);
    assert_code(belay_status(b->s), BELAY_OK);
    assert_code(belay_on_commit(b->s, write_note, &notes[2], free_note), BELAY_UNSUPPORTED); /* with no scope open */
    assert_string_equal(seen.ran, "");
    assert_string_equal(seen.freed, "abc");
    assert_committed(b, "1");
    assert_code(belay_on_commit(b->s, write_note, &notes[3], free_note), BELAY_OK);
    assert_string_equal(seen.ran, "d");
}

static void hooks_on_rollback_run_when_the_scope_is_undone(void **state)
{
    beside *b = *state;
    diary seen = {.other = NULL};
    NOTES(notes, seen);
    BELAY_ATOMIC(b->s) {
        belay_on_rollback(b->s, write_note, &notes[0], free_note);
        BELAY_ATOMIC(b->s) {
            belay_on_rollback(b->s, write_note, &notes[1], free_note);
            clash(b->s);
        }
        belay_ignore(b->s, BELAY_UNIQUE);
    }
    assert_string_equal(seen.ran, "b");
    assert_string_equal(seen.freed, "ba"); /* the scope was kept; of what the program does later nothing is known */
    BELAY_ATOMIC(b->s) {
        belay_on_rollback(b->s, write_note, &notes[2], free_note);
        belay_on_rollback(b->s, write_note, &notes[3], free_note);
        belay_undo(b->s);
    }
    assert_string_equal(seen.ran, "bcd");
    assert_string_equal(seen.freed, "bacd");
    run_own(b->own, "ROLLBACK");
    assert_string_equal(seen.ran, "bcd");
}

static int use_session(belay_session *s, void *arg)
{
    *(belay_code *)arg = put(s, 99);
    return 0;
}

static void a_hook_on_rollback_cannot_use_the_session_while_the_programs_transaction_is_open(void **state)
{
    beside *b = *state;
    belay_code code = BELAY_OK;
    BELAY_ATOMIC(b->s) {
        belay_on_rollback(b->s, use_session, &code, NULL);
        put(b->s, 2);
        belay_undo(b->s);
    }
    assert_code(code, BELAY_MISUSE);
    assert_int_equal(belay_hook_errors(b->s), 1);
    assert_committed(b, "1");
}

static void hooks_before_the_commit_run_inside_at_the_scopes_end(void **state)
{
    beside *b = *state;
    diary seen = {.other = NULL};
    NOTES(notes, seen);
    belay_code code = BELAY_OK;
    BELAY_ATOMIC(b->s) {
        belay_before_commit(b->s, write_note, &notes[0], free_note);
        belay_before_commit(b->s, use_session, &code, NULL);
    }
    assert_code(belay_status(b->s), BELAY_OK);
    notes[1].result = 1;
    BELAY_ATOMIC(b->s) {
        put(b->s, 3);
        belay_before_commit(b->s, write_note, &notes[1], free_note);
    }
    assert_code(belay_status(b->s), BELAY_APPLICATION);
    assert_string_equal(seen.ran, "ab");
    assert_committed(b, "1;99");
}

/* ---- The program ends it behind a scope ------------------------------------------------------------------------- */

static void the_programs_own_end_behind_a_scope_is_misuse_and_nothing_commits_on_its_own(void **state)
{
    static const char *const ends[] = {"COMMIT", "ROLLBACK"};
    beside *b = *state;
    belay_code first = BELAY_OK, mark = BELAY_OK;
    for (int i = 0; i < 2; i++) {
        BELAY_ATOMIC(b->s) {
            put(b->s, 10 * i + 2);
            run_own(b->own, ends[i]);
            mark = belay_savepoint(b->s, "mark");
            first = put(b->s, 10 * i + 3);
        }
        assert_code(mark, BELAY_MISUSE);
        assert_code(first, BELAY_MISUSE);
        assert_code(belay_status(b->s), BELAY_MISUSE);
        assert_stored(b->w, "1;2");
        assert_code(put(b->s, 4), BELAY_MISUSE); /* until it is caught: it may have been meant for that transaction */
        assert_true(belay_catch(b->s, BELAY_MISUSE));
        run_own(b->own, "BEGIN");
    }
    assert_stored(b->w, "1;2");
}

static void the_programs_own_end_between_scopes_is_its_own_affair(void **state)
{
    beside *b = *state;
    put(b->s, 2);
    run_own(b->own, "COMMIT; BEGIN");
    put(b->s, 3);
    run_own(b->own, "COMMIT");
    assert_code(put(b->s, 4), BELAY_OK);
    assert_stored(b->w, "1;2;3;4");
}

static void a_scope_whose_savepoint_is_gone_is_misuse_and_does_not_claim_to_be_undone(void **state)
{
    static const char *const ends[] = {"COMMIT; BEGIN", "RELEASE belay_1"};
    beside *b = *state;
    for (int i = 0; i < 2; i++) {
        BELAY_ATOMIC(b->s) {
            put(b->s, 10 * i + 2);
            run_own(b->own, ends[i]);
            put_own(b->own, 10 * i + 3);
        }
        assert_code(belay_status(b->s), BELAY_MISUSE);
        assert_int_equal(belay_pending(b->s)->outcome, BELAY_WORK_OPEN); /* it is still in the program's transaction */
        assert_contains(belay_message(b->s), "program's transaction");
        assert_true(is_inside(b->own));
        assert_code(put(b->s, 90), BELAY_MISUSE);
        assert_true(belay_catch(b->s, BELAY_MISUSE));
    }
    assert_stored(b->w, "1;2");
    run_own(b->own, "ROLLBACK");
    assert_stored(b->w, "1;2");
}

/* ---- An error ends it ------------------------------------------------------------------------------------------- */

static belay_code end_it(belay_session *s)
{
    return belay_exec(s, "INSERT OR ROLLBACK INTO taken VALUES (1)");
}

/* Everything that could commit something answers with the error. */
static void assert_all_refused(beside *b)
{
    bool ran = false;
    BELAY_ATOMIC(b->s)
        ran = true;
    assert_code(belay_status(b->s), BELAY_UNIQUE);
    assert_contains(belay_message(b->s), "OR ROLLBACK");
    BELAY_READ(b->s)
        ran = true;
    BELAY_ATOMIC_WITH(b->s, .retries = 3)
        ran = true;
    assert_code(belay_status(b->s), BELAY_UNIQUE);
    assert_code(belay_atomic(b->s, NULL, write_note, NULL), BELAY_UNIQUE);
    assert_code(belay_begin(b->s, NULL), BELAY_UNIQUE);
    assert_code(put(b->s, 8), BELAY_UNIQUE);
    assert_code(belay_commit(b->s), BELAY_UNIQUE);
    assert_code(put(b->s, 8), BELAY_UNIQUE);
    assert_code(belay_try(b->s, "INSERT INTO item(id) VALUES (8)"), BELAY_UNIQUE);
    assert_null(belay_query(b->s, "INSERT INTO item(id) VALUES (8) RETURNING id"));
    assert_null(belay_stream(b->s, "INSERT INTO item(id) VALUES (8) RETURNING id"));
    assert_int_equal(belay_int_of(b->s, "INSERT INTO item(id) VALUES (8) RETURNING id"), 0);
    assert_false(ran);
    assert_stored(b->w, "");
}

static void an_error_that_ended_it_is_the_answer_to_everything_until_it_is_caught(void **state)
{
    beside *b = *state;
    belay_code next = BELAY_OK, inner = BELAY_OK;
    BELAY_ATOMIC(b->s) {
        put(b->s, 2);
        BELAY_ATOMIC(b->s)
            inner = end_it(b->s);
        belay_ignore(b->s, BELAY_ANY); /* can't be: there is nothing to go on with */
        next = put(b->s, 3);
    }
    assert_code(inner, BELAY_UNIQUE);
    assert_code(next, BELAY_UNIQUE);
    assert_code(belay_status(b->s), BELAY_UNIQUE);
    assert_int_equal(belay_pending(b->s)->outcome, BELAY_WORK_ROLLED_BACK);
    assert_false(is_inside(b->own));
    assert_all_refused(b);
    assert_true(belay_catch(b->s, BELAY_UNIQUE));
    BELAY_ATOMIC(b->s)
        put(b->s, 5);
    assert_int_equal(belay_pending(b->s)->outcome, BELAY_WORK_COMMITTED);
    assert_stored(b->w, "5");
}

static void a_statement_outside_any_scope_may_end_it_too(void **state)
{
    beside *b = *state;
    assert_code(end_it(b->s), BELAY_UNIQUE);
    assert_all_refused(b);
    belay_ignore(b->s, BELAY_INTEGRITY);
    assert_code(put(b->s, 5), BELAY_OK);
    assert_stored(b->w, "5");
}

static void a_try_does_not_catch_what_ended_it(void **state)
{
    beside *b = *state;
    assert_code(belay_try(b->s, "INSERT OR ROLLBACK INTO taken VALUES (1)"), BELAY_UNIQUE);
    assert_code(belay_status(b->s), BELAY_UNIQUE);
    assert_all_refused(b);
    assert_true(belay_catch(b->s, BELAY_UNIQUE));
    assert_code(put(b->s, 5), BELAY_OK);
}

static void only_catching_the_error_itself_ends_its_reign(void **state)
{
    beside *b = *state;
    end_it(b->s);
    assert_false(belay_catch(b->s, BELAY_FOREIGN_KEY));
    assert_code(put(b->s, 8), BELAY_UNIQUE);
    belay_fail(b->s, BELAY_STALE, "something else"); /* the status is another error now */
    assert_true(belay_catch(b->s, BELAY_STALE));
    assert_code(put(b->s, 8), BELAY_UNIQUE);
    belay_undo(b->s); /* misuse, outside all scopes */
    assert_code(belay_status(b->s), BELAY_MISUSE);
    assert_true(belay_catch(b->s, BELAY_ANY));
    assert_code(put(b->s, 5), BELAY_OK);
    assert_stored(b->w, "5");
}

static void a_hook_on_commit_is_refused_too_after_an_error_ended_it(void **state)
{
    beside *b = *state;
    diary seen = {.other = NULL};
    NOTES(notes, seen);
    end_it(b->s);
    assert_code(belay_on_commit(b->s, write_note, &notes[0], free_note), BELAY_UNIQUE);
    assert_string_equal(seen.ran, "");
    assert_string_equal(seen.freed, "a");
}

static void after_an_error_ended_it_a_new_transaction_of_the_programs_is_refused_too(void **state)
{
    beside *b = *state;
    end_it(b->s);
    run_own(b->own, "BEGIN");
    put_own(b->own, 7);
    assert_code(put(b->s, 8), BELAY_UNIQUE);
    belay_ignore(b->s, BELAY_ANY);
    assert_code(put(b->s, 9), BELAY_OK);
    assert_committed(b, "7;9");
}

static void a_hook_on_rollback_runs_when_an_error_ended_it(void **state)
{
    beside *b = *state;
    diary seen = {.other = NULL};
    NOTES(notes, seen);
    BELAY_ATOMIC(b->s) {
        belay_on_rollback(b->s, write_note, &notes[0], free_note);
        end_it(b->s);
    }
    assert_string_equal(seen.ran, "a");
    assert_string_equal(seen.freed, "a");
}

static void a_session_may_be_closed_after_an_error_ended_it(void **state)
{
    beside *b = *state;
    BELAY_ATOMIC(b->s)
        end_it(b->s);
    assert_code(belay_session_close(b->s), BELAY_UNIQUE);
    b->s = belay_adopt_sqlite(b->own);
    assert_code(put(b->s, 5), BELAY_OK); /* another session knows nothing of it */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_foreign(retries_and_once_are_unsupported),
        in_foreign(a_hook_on_commit_is_unsupported_and_its_argument_freed),
        in_foreign(hooks_on_rollback_run_when_the_scope_is_undone),
        in_foreign(a_hook_on_rollback_cannot_use_the_session_while_the_programs_transaction_is_open),
        in_foreign(hooks_before_the_commit_run_inside_at_the_scopes_end),
        in_foreign(the_programs_own_end_behind_a_scope_is_misuse_and_nothing_commits_on_its_own),
        in_foreign(the_programs_own_end_between_scopes_is_its_own_affair),
        in_foreign(a_scope_whose_savepoint_is_gone_is_misuse_and_does_not_claim_to_be_undone),
        in_foreign(an_error_that_ended_it_is_the_answer_to_everything_until_it_is_caught),
        in_foreign(a_statement_outside_any_scope_may_end_it_too),
        in_foreign(a_try_does_not_catch_what_ended_it),
        in_foreign(only_catching_the_error_itself_ends_its_reign),
        in_foreign(a_hook_on_commit_is_refused_too_after_an_error_ended_it),
        in_foreign(after_an_error_ended_it_a_new_transaction_of_the_programs_is_refused_too),
        in_foreign(a_hook_on_rollback_runs_when_an_error_ended_it),
        in_foreign(a_session_may_be_closed_after_an_error_ended_it),
    };
    return run_beside(tests);
}
