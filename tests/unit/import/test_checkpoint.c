/*
 * test_checkpoint.c - the row that an import is resumed from, and two programs that want it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "checkpoint.h"
#include "database.h"

typedef struct two {
    database d;
    belay_session *other;
    belayi_checkpoint mine, theirs;
} two;

static two the;

static int open_two(void **state)
{
    (void)state;
    the = (two){0};
    database_open(&the.d, NULL);
    the.other = belay_session_open(the.d.db);
    belayi_checkpoint_make_table(the.d.s, BELAY_HERE);
    belayi_checkpoint_name(&the.mine, "tx", "/no/file");
    the.theirs = the.mine;
    return 0;
}

static int close_two(void **state)
{
    (void)state;
    belay_session_close(the.other);
    database_close(&the.d);
    return 0;
}

static void look(belay_session *s, belayi_checkpoint *c)
{
    BELAY_ATOMIC(s)
        belayi_checkpoint_read(s, BELAY_HERE, c);
    assert_status(s, BELAY_OK);
}

/* A transaction of an import that comes to that offset. */
static belay_code advance(belay_session *s, belayi_checkpoint *c, bool anew, uint64_t offset)
{
    BELAY_ATOMIC(s)
        if (belayi_checkpoint_claim(s, BELAY_HERE, c, anew) == BELAY_OK) {
            c->offset = offset;
            c->hash = UINT64_MAX;
            belayi_checkpoint_write(s, BELAY_HERE, c);
        }
    return belay_status(s);
}

static void what_is_written_is_read_by_the_next(void **state)
{
    (void)state;
    look(the.d.s, &the.mine);
    assert_false(the.mine.found);
    assert_int_equal(advance(the.d.s, &the.mine, true, 10), BELAY_OK);
    look(the.other, &the.theirs);
    assert_true(the.theirs.found);
    assert_false(the.theirs.is_done);
    assert_int_equal(the.theirs.offset, 10);
    assert_true(the.theirs.hash == UINT64_MAX);
    assert_int_equal(advance(the.other, &the.theirs, false, 20), BELAY_OK);
    assert_rows(the.other, "SELECT state, byte_offset FROM belay_imports", "open|20");
}

static void who_found_no_row_does_not_take_that_of_another(void **state)
{
    (void)state;
    look(the.d.s, &the.mine);
    look(the.other, &the.theirs);
    assert_int_equal(advance(the.d.s, &the.mine, true, 10), BELAY_OK);
    assert_int_equal(advance(the.other, &the.theirs, true, 20), BELAY_STALE);
    assert_non_null(strstr(belay_message(the.other), "another program"));
    assert_rows(the.other, "SELECT state, byte_offset FROM belay_imports", "open|10");
    assert_int_equal(advance(the.d.s, &the.mine, false, 30), BELAY_OK);
}

static void who_goes_on_from_a_row_that_has_moved_on_is_refused(void **state)
{
    (void)state;
    look(the.d.s, &the.mine);
    assert_int_equal(advance(the.d.s, &the.mine, true, 10), BELAY_OK);
    look(the.other, &the.theirs);
    assert_int_equal(advance(the.d.s, &the.mine, false, 20), BELAY_OK);
    assert_int_equal(advance(the.other, &the.theirs, false, 30), BELAY_STALE);
    assert_rows(the.other, "SELECT state, byte_offset FROM belay_imports", "open|20");
    assert_int_equal(advance(the.d.s, &the.mine, false, 40), BELAY_OK);
}

static void who_begins_anew_replaces_only_the_row_that_was_found(void **state)
{
    (void)state;
    look(the.d.s, &the.mine);
    assert_int_equal(advance(the.d.s, &the.mine, true, 10), BELAY_OK);
    look(the.other, &the.theirs);
    assert_int_equal(advance(the.d.s, &the.mine, false, 20), BELAY_OK);
    assert_int_equal(advance(the.other, &the.theirs, true, 5), BELAY_STALE);
    look(the.other, &the.theirs);
    assert_int_equal(advance(the.other, &the.theirs, true, 5), BELAY_OK);
    assert_int_equal(advance(the.d.s, &the.mine, false, 30), BELAY_STALE);
    assert_rows(the.other, "SELECT state, byte_offset FROM belay_imports", "open|5");
}

static void a_claim_that_is_rolled_back_leaves_the_row_as_it_was(void **state)
{
    (void)state;
    look(the.d.s, &the.mine);
    assert_int_equal(advance(the.d.s, &the.mine, true, 10), BELAY_OK);
    BELAY_ATOMIC(the.d.s) {
        belayi_checkpoint_claim(the.d.s, BELAY_HERE, &the.mine, true);
        belay_rollback(the.d.s);
    }
    assert_rows(the.other, "SELECT state, byte_offset FROM belay_imports", "open|10");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_written_is_read_by_the_next, open_two, close_two),
        cmocka_unit_test_setup_teardown(who_found_no_row_does_not_take_that_of_another, open_two, close_two),
        cmocka_unit_test_setup_teardown(who_goes_on_from_a_row_that_has_moved_on_is_refused, open_two, close_two),
        cmocka_unit_test_setup_teardown(who_begins_anew_replaces_only_the_row_that_was_found, open_two, close_two),
        cmocka_unit_test_setup_teardown(a_claim_that_is_rolled_back_leaves_the_row_as_it_was, open_two, close_two),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
