/* What is sent to the engine, and what is not: BEGIN and savepoints come late, are shared, or are not needed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include <belay/belay.h>

#include "db.h"
#include "fake.h"
#include "sqlite.h"

#define CREATE "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER NOT NULL CHECK (n >= 0))"
#define INSERT "INSERT INTO t (id, n) VALUES (?, ?)"

typedef struct rig {
    fake_driver fake;
    belay_db *db;
    belay_session *s;
} rig;

static rig the;

static int set_up(void **state)
{
    (void)state;
    fake_init(&the.fake, &belayi_driver_sqlite);
    the.db = belayi_db_open_with(&the.fake.driver, "sqlite::memory:", NULL);
    the.s = belay_session_open(the.db);
    belay_exec(the.s, CREATE);
    assert_int_equal(belay_status(the.s), BELAY_OK);
    fake_arm(&the.fake, 0, FAKE_ERROR, false);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    assert_int_equal(belay_session_close(the.s), BELAY_OK);
    belay_close(the.db);
    assert_int_equal(the.fake.open_connections, 0);
    assert_int_equal(the.fake.open_statements, 0);
    return 0;
}

/* What was sent, without the preparing of statements, which a cache may spare. */
static const char *wire(void)
{
    static char out[FAKE_LOG_ROOM];
    char copy[FAKE_LOG_ROOM], *rest = copy;
    strcpy(copy, the.fake.log);
    out[0] = '\0';
    for (char *word; (word = strsep(&rest, " ")) != NULL;) {
        if (!*word || strcmp(word, "prepare") == 0)
            continue;
        if (*out)
            strcat(out, " ");
        strcat(out, word);
    }
    return out;
}

static void insert(int id)
{
    belay_exec(the.s, INSERT, id, 1);
}

static void an_empty_scope_sends_nothing(void **state)
{
    (void)state;
    BELAY_ATOMIC(the.s) {
        BELAY_ATOMIC(the.s) {
        }
        BELAY_ATOMIC(the.s) {
        }
    }
    assert_int_equal(belay_status(the.s), BELAY_OK);
    assert_string_equal(wire(), "");
}

static void begin_is_sent_with_the_first_statement(void **state)
{
    (void)state;
    BELAY_ATOMIC(the.s) {
        assert_string_equal(wire(), "");
        insert(1);
        assert_string_equal(wire(), "begin execute");
    }
    assert_string_equal(wire(), "begin execute commit");
}

static void a_nested_scope_sends_its_savepoint_with_its_first_statement(void **state)
{
    (void)state;
    BELAY_ATOMIC(the.s) {
        insert(1);
        BELAY_ATOMIC(the.s) {
            assert_string_equal(wire(), "begin execute");
            insert(2);
            insert(3);
        }
    }
    assert_string_equal(wire(), "begin execute savepoint:1 execute execute release:1 commit");
}

static void scopes_opened_one_inside_another_share_one_savepoint(void **state)
{
    (void)state;
    BELAY_ATOMIC(the.s) {
        BELAY_ATOMIC(the.s) {
            BELAY_ATOMIC(the.s) {
                BELAY_ATOMIC(the.s) {
                    insert(1);
                }
            }
        }
    }
    assert_string_equal(wire(), "begin savepoint:1 execute release:1 commit");
}

static void a_shared_savepoint_is_gone_back_to_and_kept_for_the_scope_outside(void **state)
{
    (void)state;
    BELAY_ATOMIC(the.s) {
        BELAY_ATOMIC(the.s) {
            BELAY_ATOMIC(the.s) {
                insert(1);
                belay_undo(the.s);
            }
            insert(2);
        }
    }
    assert_string_equal(wire(), "begin savepoint:1 execute rollback_to:1 execute release:1 commit");
    assert_int_equal(belay_int_of(the.s, "SELECT count(*) FROM t WHERE id = 2"), 1);
    assert_int_equal(belay_int_of(the.s, "SELECT count(*) FROM t"), 1);
}

static void a_nested_scope_that_only_reads_needs_no_savepoint(void **state)
{
    (void)state;
    BELAY_ATOMIC(the.s) {
        BELAY_ATOMIC(the.s) {
            belay_int_of(the.s, "SELECT count(*) FROM t");
        }
    }
    assert_string_equal(wire(), "begin start step commit");
}

static void a_read_only_scope_begins_without_the_write_lock(void **state)
{
    (void)state;
    BELAY_READ(the.s) {
        belay_int_of(the.s, "SELECT count(*) FROM t");
    }
    assert_string_equal(wire(), "begin:read start step commit");
}

static void a_try_that_the_engine_undoes_by_itself_needs_no_savepoint(void **state)
{
    (void)state;
    BELAY_ATOMIC(the.s) {
        assert_int_equal(belay_try(the.s, INSERT, 1, 1), BELAY_OK);
        assert_int_equal(belay_try(the.s, INSERT, 1, 1), BELAY_UNIQUE);
        assert_int_equal(belay_try(the.s, INSERT, 2, -1), BELAY_CHECK);
    }
    assert_int_equal(belay_status(the.s), BELAY_OK);
    assert_string_equal(wire(), "begin execute execute execute commit");
}

static void a_try_that_keeps_rows_when_it_fails_gets_a_savepoint(void **state)
{
    (void)state;
    BELAY_ATOMIC(the.s) {
        assert_int_equal(belay_try(the.s, "INSERT OR FAIL INTO t (id, n) VALUES (1, 1), (1, 1)"), BELAY_UNIQUE);
    }
    assert_string_equal(wire(), "begin savepoint:1 execute rollback_to:1 release:1 commit");
    assert_int_equal(belay_int_of(the.s, "SELECT count(*) FROM t"), 0);
}

static void a_try_pays_for_the_scopes_around_it(void **state)
{
    (void)state;
    BELAY_ATOMIC(the.s) {
        BELAY_ATOMIC(the.s) {
            assert_int_equal(belay_try(the.s, INSERT, 1, 1), BELAY_OK);
            belay_undo(the.s);
        }
    }
    assert_string_equal(wire(), "begin savepoint:1 execute rollback_to:1 release:1 commit");
    assert_int_equal(belay_int_of(the.s, "SELECT count(*) FROM t"), 0);
}

static void marks_set_at_one_place_share_one_savepoint(void **state)
{
    (void)state;
    BELAY_ATOMIC(the.s) {
        belay_savepoint(the.s, "a");
        belay_savepoint(the.s, "b");
        insert(1);
        belay_rollback_to(the.s, "b");
        insert(2);
        belay_rollback_to(the.s, "a");
    }
    assert_string_equal(wire(), "begin savepoint:1 execute rollback_to:1 execute rollback_to:1 commit");
}

static void nothing_is_sent_while_an_error_is_pending(void **state)
{
    (void)state;
    BELAY_ATOMIC(the.s) {
        insert(1);
        insert(1);
        insert(2);
        belay_savepoint(the.s, "m");
        BELAY_ATOMIC(the.s) {
            insert(3);
        }
    }
    assert_int_equal(belay_status(the.s), BELAY_UNIQUE);
    assert_string_equal(wire(), "begin execute execute rollback");
}

static void an_engine_that_rolled_back_on_its_own_is_sent_nothing_more(void **state)
{
    (void)state;
    BELAY_ATOMIC(the.s) {
        insert(1);
        BELAY_ATOMIC(the.s) {
            belay_exec(the.s, "INSERT OR ROLLBACK INTO t (id, n) VALUES (1, 1)");
        }
        assert_false(belay_catch(the.s, BELAY_ANY));
        insert(2);
    }
    assert_int_equal(belay_status(the.s), BELAY_UNIQUE);
    assert_string_equal(wire(), "begin execute savepoint:1 execute");
    assert_int_equal(belay_int_of(the.s, "SELECT count(*) FROM t"), 0);
}

static void a_refused_statement_sends_no_begin(void **state)
{
    (void)state;
    BELAY_ATOMIC(the.s) {
        belay_exec(the.s, "COMMIT");
    }
    assert_int_equal(belay_status(the.s), BELAY_MISUSE);
    assert_string_equal(wire(), "");
}

static void a_statement_outside_any_scope_is_a_transaction(void **state)
{
    (void)state;
    insert(1);
    assert_string_equal(wire(), "begin execute commit");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(an_empty_scope_sends_nothing),
        TEST(begin_is_sent_with_the_first_statement),
        TEST(a_nested_scope_sends_its_savepoint_with_its_first_statement),
        TEST(scopes_opened_one_inside_another_share_one_savepoint),
        TEST(a_shared_savepoint_is_gone_back_to_and_kept_for_the_scope_outside),
        TEST(a_nested_scope_that_only_reads_needs_no_savepoint),
        TEST(a_read_only_scope_begins_without_the_write_lock),
        TEST(a_try_that_the_engine_undoes_by_itself_needs_no_savepoint),
        TEST(a_try_that_keeps_rows_when_it_fails_gets_a_savepoint),
        TEST(a_try_pays_for_the_scopes_around_it),
        TEST(marks_set_at_one_place_share_one_savepoint),
        TEST(nothing_is_sent_while_an_error_is_pending),
        TEST(an_engine_that_rolled_back_on_its_own_is_sent_nothing_more),
        TEST(a_refused_statement_sends_no_begin),
        TEST(a_statement_outside_any_scope_is_a_transaction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
