/*
 * Scopes inside a transaction of the program's own: savepoints in it, never committed by Belay.
 */
#include "beside.h"

#include "hooks.h"

/* ---- A part of it ----------------------------------------------------------------------------------------------- */

static void an_outermost_scope_is_a_savepoint_and_never_committed(void **state)
{
    beside *b = *state;
    BELAY_ATOMIC(b->s)
        put(b->s, 2);
    assert_code(belay_status(b->s), BELAY_OK);
    assert_int_equal(belay_pending(b->s)->outcome, BELAY_WORK_OPEN);
    assert_code(belay_atomic(b->s, NULL, write_note, &(note){.diary = &(diary){.other = NULL}}), BELAY_OK);
    assert_int_equal(belay_pending(b->s)->outcome, BELAY_WORK_OPEN);
    belay_begin(b->s, NULL);
    put_own(b->own, 3);
    assert_code(belay_commit(b->s), BELAY_OK);
    assert_int_equal(belay_pending(b->s)->outcome, BELAY_WORK_OPEN);
    assert_true(is_inside(b->own));
    assert_committed(b, "1;2;3");
}

static void a_session_that_is_closed_never_commits_nor_ends_it(void **state)
{
    beside *b = *state;
    belay_begin(b->s, NULL);
    put(b->s, 2);
    belay_begin(b->s, NULL);
    put(b->s, 3);
    belay_savepoint(b->s, "mark");
    put_own(b->own, 4);
    assert_code(belay_session_close(b->s), BELAY_ABANDONED);
    b->s = NULL;
    assert_true(is_inside(b->own));
    assert_string_equal(seen_own(b->own), "1");
    assert_committed(b, "1");
}

static void what_the_program_rolls_back_takes_the_scopes_with_it(void **state)
{
    beside *b = *state;
    BELAY_ATOMIC(b->s)
        put(b->s, 2);
    run_own(b->own, "ROLLBACK");
    assert_stored(b->w, "");
    assert_code(put(b->s, 3), BELAY_OK); /* now a transaction of its own */
    assert_int_equal(belay_pending(b->s)->outcome, BELAY_WORK_COMMITTED);
    assert_stored(b->w, "3");
}

static void a_rollback_undoes_the_scope_alone(void **state)
{
    beside *b = *state;
    BELAY_ATOMIC(b->s) {
        put(b->s, 2);
        put_own(b->own, 3);
        clash(b->s);
    }
    assert_code(belay_status(b->s), BELAY_UNIQUE);
    assert_int_equal(belay_pending(b->s)->outcome, BELAY_WORK_ROLLED_BACK);
    BELAY_ATOMIC(b->s) {
        put_own(b->own, 4);
        belay_undo(b->s);
    }
    assert_code(belay_status(b->s), BELAY_ROLLED_BACK);
    belay_begin(b->s, NULL);
    put_own(b->own, 5);
    belay_rollback(b->s);
    for (int once = 0; once < 1; once++)
        BELAY_ATOMIC(b->s) {
            put(b->s, 6);
            break;
        }
    assert_code(belay_status(b->s), BELAY_ABANDONED);
    assert_string_equal(seen_own(b->own), "1");
    assert_true(is_inside(b->own));
    assert_committed(b, "1");
}

static void an_error_that_would_end_a_transaction_of_its_own_undoes_the_scope_alone(void **state)
{
    static const belay_code codes[] = {BELAY_DEADLOCK, BELAY_SERIALIZATION, BELAY_CONNECTION, BELAY_CORRUPT};
    beside *b = *state;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        BELAY_ATOMIC(b->s) {
            put(b->s, 2);
            BELAY_ATOMIC(b->s) {
                put(b->s, 3);
                belay_fail(b->s, codes[i], "by the program");
            }
            belay_ignore(b->s, BELAY_ANY); /* can't be */
        }
        assert_code(belay_status(b->s), codes[i]);
        assert_int_equal(belay_pending(b->s)->outcome, BELAY_WORK_ROLLED_BACK);
        assert_string_equal(seen_own(b->own), "1");
        assert_code(put(b->s, 9), BELAY_OK); /* nothing of the program's was ended */
        run_own(b->own, "DELETE FROM item WHERE id = 9");
    }
    assert_committed(b, "1");
}

static void nested_scopes_and_marks_work_as_in_a_transaction_of_its_own(void **state)
{
    beside *b = *state;
    BELAY_ATOMIC(b->s) {
        put(b->s, 2);
        BELAY_ATOMIC(b->s) {
            put_own(b->own, 3);
            clash(b->s);
        }
        belay_ignore(b->s, BELAY_UNIQUE);
        belay_savepoint(b->s, "mark");
        put_own(b->own, 4);
        belay_rollback_to(b->s, "mark");
        BELAY_ATOMIC_WITH(b->s, .propagation = BELAY_REQUIRED)
            put_own(b->own, 5);
        BELAY_ATOMIC(b->s) {
            put_own(b->own, 6);
        }
        belay_try(b->s, "INSERT INTO item(id) VALUES (7), (1)");
    }
    assert_code(belay_status(b->s), BELAY_OK);
    assert_committed(b, "1;2;5;6");
}

static void a_statement_outside_any_scope_is_a_part_of_it(void **state)
{
    beside *b = *state;
    assert_code(put(b->s, 2), BELAY_OK);
    assert_int_equal(belay_pending(b->s)->outcome, BELAY_WORK_OPEN);
    assert_code(belay_exec(b->s, "INSERT INTO item(id) VALUES (3), (1)"), BELAY_UNIQUE);
    assert_int_equal(belay_pending(b->s)->outcome, BELAY_WORK_ROLLED_BACK);
    assert_code(belay_try(b->s, "INSERT INTO item(id) VALUES (4), (1)"), BELAY_UNIQUE);
    assert_int_equal(belay_int_of(b->s, "INSERT INTO item(id) VALUES (5) RETURNING id"), 5);
    assert_rows(b->s, "SELECT id FROM item", "1;2;5");
    assert_true(is_inside(b->own));
    assert_committed(b, "1;2;5");
}

static void ddl_is_a_part_of_it(void **state)
{
    beside *b = *state;
    assert_code(belay_exec(b->s, "CREATE TABLE fresh(id)"), BELAY_OK);
    BELAY_ATOMIC(b->s) {
        belay_exec(b->s, "CREATE TABLE more(id)");
        belay_exec(b->s, "INSERT INTO more VALUES (1)");
        belay_undo(b->s);
    }
    assert_code(belay_exec(b->s, "INSERT INTO fresh VALUES (1)"), BELAY_OK);
    assert_int_equal(run_own(b->own, "INSERT INTO more VALUES (1)"), SQLITE_ERROR);
    assert_true(is_inside(b->own));
    run_own(b->own, "ROLLBACK");
    assert_code(belay_exec(b->s, "INSERT INTO fresh VALUES (1)"), BELAY_SCHEMA);
}

static void a_statement_that_cannot_stand_in_a_transaction_says_so(void **state)
{
    beside *b = *state;
    assert_code(belay_exec(b->s, "VACUUM"), BELAY_MISUSE);
    assert_true(is_inside(b->own));
    assert_committed(b, "1");
}

static void a_stream_outside_any_scope_reads_in_it(void **state)
{
    beside *b = *state;
    int rows = 0;
    belay_rows *stream = belay_stream(b->s, "SELECT id FROM item");
    while (belay_next(stream))
        rows++;
    belay_rows_close(stream);
    assert_int_equal(rows, 1);
    stream = belay_stream(b->s, "INSERT INTO item(id) VALUES (2), (3) RETURNING id");
    belay_next(stream);
    belay_rows_close(stream);
    assert_code(belay_status(b->s), BELAY_OK);
    assert_committed(b, "1;2;3");
}

static void a_read_only_scope_refuses_writes_and_leaves_what_was_written_before(void **state)
{
    beside *b = *state;
    const char *rows = NULL;
    BELAY_READ(b->s)
        rows = rows_of(b->s, "SELECT id FROM item");
    assert_string_equal(rows, "1");
    BELAY_READ(b->s)
        put(b->s, 2);
    assert_code(belay_status(b->s), BELAY_READ_ONLY);
    assert_committed(b, "1");
}

static void a_transaction_of_its_own_inside_a_scope_is_refused(void **state)
{
    beside *b = *state;
    bool inner = false, outer = false;
    BELAY_ATOMIC(b->s) {
        BELAY_ATOMIC_WITH(b->s, .propagation = BELAY_REQUIRES_NEW)
            inner = true;
    }
    assert_code(belay_status(b->s), BELAY_MISUSE);
    BELAY_ATOMIC_WITH(b->s, .propagation = BELAY_REQUIRES_NEW)
        outer = true;
    assert_false(inner);
    assert_false(outer); /* what is to be a transaction of its own can't be a part of another */
    assert_code(belay_status(b->s), BELAY_UNSUPPORTED);
    assert_committed(b, "1");
}

static void a_scope_that_is_to_be_durable_at_its_end_is_refused(void **state)
{
    beside *b = *state;
    bool ran = false;
    BELAY_ATOMIC_WITH(b->s, .propagation = BELAY_OUTERMOST)
        ran = true;
    assert_false(ran);
    assert_code(belay_status(b->s), BELAY_UNSUPPORTED);
    assert_committed(b, "1");
}

static void savepoints_of_the_program_may_have_any_name_also_ours(void **state)
{
    static const char *const begins[] = {"SAVEPOINT belay_1", "SAVEPOINT belay_0", "SAVEPOINT \"x; DROP\""};
    static const char *const backs[] = {"ROLLBACK TO belay_1", "ROLLBACK TO belay_0", "ROLLBACK TO \"x; DROP\""};
    beside *b = *state;
    for (int i = 0; i < 3; i++) {
        run_own(b->own, begins[i]);
        put_own(b->own, 10);
        BELAY_ATOMIC(b->s) {
            put(b->s, 11);
            BELAY_ATOMIC(b->s) {
                put(b->s, 12);
                belay_undo(b->s);
            }
        }
        BELAY_ATOMIC(b->s) {
            put(b->s, 13);
            belay_undo(b->s);
        }
        assert_string_equal(seen_own(b->own), "1;10;11");
        assert_int_equal(run_own(b->own, backs[i]), SQLITE_OK); /* it is still there, and goes back to its place */
        assert_string_equal(seen_own(b->own), "1");
    }
    assert_committed(b, "1");
}

static void a_transaction_that_is_only_a_savepoint_is_one_too(void **state)
{
    beside *b = *state;
    run_own(b->own, "ROLLBACK");
    run_own(b->own, "SAVEPOINT mine");
    BELAY_ATOMIC(b->s)
        put(b->s, 2);
    assert_int_equal(belay_pending(b->s)->outcome, BELAY_WORK_OPEN);
    assert_stored(b->w, "");
    run_own(b->own, "RELEASE mine");
    assert_stored(b->w, "2");
}

static void a_half_read_statement_of_the_programs_stays_usable(void **state)
{
    beside *b = *state;
    sqlite3_stmt *half_read = NULL;
    int steps = 0;
    run_own(b->own, "INSERT INTO item(id) VALUES (2), (3), (4)");
    sqlite3_prepare_v2(b->own, "SELECT id FROM item WHERE id < 5", -1, &half_read, NULL);
    steps += sqlite3_step(half_read) == SQLITE_ROW;
    BELAY_ATOMIC(b->s) {
        put(b->s, 11);
        steps += sqlite3_step(half_read) == SQLITE_ROW;
    }
    steps += sqlite3_step(half_read) == SQLITE_ROW;
    BELAY_ATOMIC(b->s) {
        put(b->s, 12);
        clash(b->s);
    }
    steps += sqlite3_step(half_read) == SQLITE_ROW;
    assert_int_equal(steps, 4);
    assert_int_equal(sqlite3_step(half_read), SQLITE_DONE);
    sqlite3_finalize(half_read);
    assert_committed(b, "1;2;3;4;11");
}

static void a_deferred_constraint_waits_for_the_programs_commit(void **state)
{
    beside *b = *state;
    run_own(b->own, "ROLLBACK; PRAGMA foreign_keys = ON; BEGIN;"
                    "CREATE TABLE child(item REFERENCES item DEFERRABLE INITIALLY DEFERRED)");
    BELAY_ATOMIC(b->s)
        belay_exec(b->s, "INSERT INTO child VALUES (7)");
    assert_code(belay_status(b->s), BELAY_OK);
    assert_int_equal(run_own(b->own, "COMMIT"), SQLITE_CONSTRAINT);
    BELAY_ATOMIC(b->s)
        put(b->s, 7);
    assert_int_equal(run_own(b->own, "COMMIT"), SQLITE_OK);
    assert_stored(b->w, "7");
}

static void deep_nesting_works(void **state)
{
    enum { DEPTH = 200 };
    beside *b = *state;
    for (int i = 0; i < DEPTH; i++) {
        belay_begin(b->s, NULL);
        put_own(b->own, 10 + i);
    }
    for (int i = DEPTH; i > 2; i--)
        assert_code(i % 3 ? belay_rollback(b->s) : belay_commit(b->s), BELAY_OK);
    assert_code(belay_commit(b->s), BELAY_OK);
    assert_code(belay_commit(b->s), BELAY_OK);
    assert_committed(b, "1;10;11;12");
}

static void limits_that_pass_never_end_the_programs_transaction(void **state)
{
    beside *b = *state;
    belay_code later = BELAY_OK;
    BELAY_ATOMIC_WITH(b->s, .idle_timeout_ms = 10) {
        BELAY_ATOMIC(b->s) {
            put(b->s, 2);
            pause_ms(30);
            put(b->s, 3);
        }
        belay_ignore(b->s, BELAY_ANY);
        later = put(b->s, 4);
    }
    assert_code(later, BELAY_TIMEOUT); /* as in a transaction of its own, it can't be caught inside */
    assert_code(belay_status(b->s), BELAY_TIMEOUT);
    assert_true(is_inside(b->own));
    BELAY_ATOMIC_WITH(b->s, .timeout_ms = 10) {
        put(b->s, 2);
        pause_ms(30);
    }
    assert_code(belay_status(b->s), BELAY_TIMEOUT);
    BELAY_ATOMIC(b->s)
        put(b->s, 5);
    assert_code(belay_status(b->s), BELAY_OK);
    assert_committed(b, "1;5");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_foreign(an_outermost_scope_is_a_savepoint_and_never_committed),
        in_foreign(a_session_that_is_closed_never_commits_nor_ends_it),
        in_foreign(what_the_program_rolls_back_takes_the_scopes_with_it),
        in_foreign(a_rollback_undoes_the_scope_alone),
        in_foreign(an_error_that_would_end_a_transaction_of_its_own_undoes_the_scope_alone),
        in_foreign(nested_scopes_and_marks_work_as_in_a_transaction_of_its_own),
        in_foreign(a_statement_outside_any_scope_is_a_part_of_it),
        in_foreign(ddl_is_a_part_of_it),
        in_foreign(a_statement_that_cannot_stand_in_a_transaction_says_so),
        in_foreign(a_stream_outside_any_scope_reads_in_it),
        in_foreign(a_read_only_scope_refuses_writes_and_leaves_what_was_written_before),
        in_foreign(a_transaction_of_its_own_inside_a_scope_is_refused),
        in_foreign(a_scope_that_is_to_be_durable_at_its_end_is_refused),
        in_foreign(savepoints_of_the_program_may_have_any_name_also_ours),
        in_foreign(a_transaction_that_is_only_a_savepoint_is_one_too),
        in_foreign(a_half_read_statement_of_the_programs_stays_usable),
        in_foreign(a_deferred_constraint_waits_for_the_programs_commit),
        in_foreign(deep_nesting_works),
        in_foreign(limits_that_pass_never_end_the_programs_transaction),
    };
    return run_beside(tests);
}
