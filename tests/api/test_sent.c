/*
 * What is really sent to the engine: every statement that SQLite begins to run,
 * seen from beneath.
 */
#include "support.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

static char sent[16384];

static int note_statement(unsigned event, void *arg, void *statement, void *text)
{
    size_t used = strlen(sent);
    (void)event;
    (void)arg;
    (void)statement;
    if (strncmp(text, "--", 2) != 0) /* of a trigger */
        snprintf(sent + used, sizeof sent - used, "%s%.100s", used ? "; " : "", (const char *)text);
    return 0;
}

static int watch_connection(sqlite3 *db, char **message, const void *routines)
{
    (void)message;
    (void)routines;
    return sqlite3_trace_v2(db, SQLITE_TRACE_STMT, note_statement, NULL);
}

typedef void (*extension)(void);

/* A world whose sessions use connections that are watched. */
static int watched_open(void **state)
{
    sqlite3_auto_extension((extension)watch_connection);
    int result = world_open(state);
    sent[0] = '\0';
    return result;
}

static int watched_close(void **state)
{
    sqlite3_reset_auto_extension();
    return world_close(state);
}

#define watched(test) cmocka_unit_test_setup_teardown(test, watched_open, watched_close)

/* What was sent since the last time. */
static void assert_sent(const char *statements)
{
    assert_string_equal(sent, statements);
    sent[0] = '\0';
}

/* ---- Only what was asked for --------------------------------------------------------------------------------- */

static void a_scope_without_statements_sends_nothing(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    BELAY_ATOMIC(w->s) {
        BELAY_ATOMIC(w->s) {
        }
        belay_savepoint(w->s, "mark");
        belay_rollback_to(w->s, "mark");
        belay_undo(w->s);
    }
    assert_sent("");
}

static void transaction_control_that_was_not_asked_for_is_never_sent(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    BELAY_ATOMIC(w->s)
        put(w->s, 1);
    assert_sent("BEGIN IMMEDIATE; INSERT INTO item(id) VALUES (?); COMMIT");
    BELAY_READ(w->s)
        belay_exec(w->s, "SELECT 1");
    assert_sent("BEGIN; SELECT 1; COMMIT");
    BELAY_ATOMIC(w->s) {
        put(w->s, 2);
        belay_undo(w->s);
    }
    assert_sent("BEGIN IMMEDIATE; INSERT INTO item(id) VALUES (?); ROLLBACK");
}

static void a_nested_scope_sends_its_savepoint_with_its_first_write_and_releases_it(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    for (int fails = 0; fails < 2; fails++) {
        BELAY_ATOMIC(w->s) {
            put(w->s, 1 + fails);
            sent[0] = '\0';
            BELAY_ATOMIC(w->s) {
                assert_sent("");
                if (fails)
                    clash(w->s);
                else
                    put(w->s, 10);
            }
            belay_ignore(w->s, BELAY_ANY);
            assert_sent(fails ? "SAVEPOINT belay_1; INSERT INTO taken VALUES (1); ROLLBACK TO belay_1; RELEASE belay_1"
                              : "SAVEPOINT belay_1; INSERT INTO item(id) VALUES (?); RELEASE belay_1");
        }
    }
}

static void nothing_is_sent_while_an_error_is_pending(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    BELAY_ATOMIC(w->s) {
        clash(w->s);
        sent[0] = '\0';
        put(w->s, 1);
        belay_query(w->s, "SELECT 1");
        belay_try(w->s, "SELECT 2");
        belay_savepoint(w->s, "mark");
        belay_release(w->s, "mark");
        BELAY_ATOMIC(w->s)
            put(w->s, 3);
        assert_sent("");
    }
    assert_sent("ROLLBACK");
}

static void no_rollback_is_sent_where_there_is_nothing_left(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        BELAY_ATOMIC(w->s) {
            put(w->s, 2);
            belay_exec(w->s, "INSERT OR ROLLBACK INTO taken VALUES (1)");
            sent[0] = '\0';
        }
        belay_ignore(w->s, BELAY_ANY);
        put(w->s, 3); /* nothing in a scope is ever sent outside a transaction */
    }
    assert_sent("");
}

static void transaction_control_as_text_is_refused_before_it_reaches_the_engine_in_every_call(void **state)
{
    static const char *const controls[] = {"COMMIT", "/**/ROLLBACK", "SAVEPOINT x", "\xEF\xBB\xBF\nCOMMIT",
                                           "BEGIN",  "END"};
    world *w = *state;
    only_on_sqlite(w);
    for (size_t i = 0; i < sizeof controls / sizeof controls[0]; i++) {
        belay_exec(w->s, controls[i]);
        belay_query(w->s, controls[i]);
        belay_stream(w->s, controls[i]);
        belay_try(w->s, controls[i]);
        belay_int_of(w->s, controls[i]);
    }
    assert_sent("");
}

/* ---- Never in the text ------------------------------------------------------------------------------------------- */

static void names_of_marks_never_reach_the_engine(void **state)
{
    static const char *const names[] = {"secret_name", "x; DROP TABLE item", "'", "belay_1"};
    world *w = *state;
    only_on_sqlite(w);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        BELAY_ATOMIC(w->s) {
            put(w->s, (int)i);
            belay_savepoint(w->s, names[i]);
            put(w->s, 100 + (int)i);
            belay_rollback_to(w->s, names[i]);
            belay_release(w->s, names[i]);
        }
        assert_sent(
            "BEGIN IMMEDIATE; INSERT INTO item(id) VALUES (?); SAVEPOINT belay_1; INSERT INTO item(id) VALUES (?); "
            "ROLLBACK TO belay_1; RELEASE belay_1; COMMIT");
    }
}

static void values_never_reach_the_engine_as_text(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    BELAY_ATOMIC(w->s) {
        belay_exec(w->s, "INSERT INTO item(id, note) VALUES (?, ?)", 424242, "secret value");
        belay_exec(w->s, "UPDATE item SET note = :note WHERE id = :id", "other secret", 424242);
        belay_rows_close(belay_query(w->s, "SELECT note FROM item WHERE note = $1", "secret"));
    }
    assert_lacks(sent, "secret");
    assert_lacks(sent, "424242");
    assert_contains(sent, "INSERT INTO item(id, note) VALUES (?, ?)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        watched(a_scope_without_statements_sends_nothing),
        watched(transaction_control_that_was_not_asked_for_is_never_sent),
        watched(a_nested_scope_sends_its_savepoint_with_its_first_write_and_releases_it),
        watched(nothing_is_sent_while_an_error_is_pending),
        watched(no_rollback_is_sent_where_there_is_nothing_left),
        watched(transaction_control_as_text_is_refused_before_it_reaches_the_engine_in_every_call),
        watched(names_of_marks_never_reach_the_engine),
        watched(values_never_reach_the_engine_as_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
