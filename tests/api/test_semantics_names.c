/*
 * Scopes of one name, probes that may fail, several databases, threads that leave work open, and retries: cases of
 * psycopg, Sequel and SQLAlchemy that the other files here leave open. tests/semantics/map.txt tells which is proved
 * where.
 */
#include "support.h"

#include <pthread.h>
#include <stdio.h>

#include "hooks.h"

/* ---- Names ----------------------------------------------------------------------------------------------------- */

static void scopes_of_one_name_three_levels_deep_have_a_fate_each(void **state)
{
    static const char *const kept[] = {"1;2;3", "1;2", "1", ""}; /* how many of them are undone, from the innermost */
    world *w = *state;
    for (int undone = 0; undone <= 3; undone++) {
        for (int i = 1; i <= 3; i++) {
            belay_begin(w->s, BELAY_SCOPE_OPTIONS(.name = "same"));
            put(w->s, i);
        }
        for (int level = 3; level > 0; level--)
            assert_code(level > 3 - undone ? belay_rollback(w->s) : belay_commit(w->s), BELAY_OK);
        assert_stored(w, kept[undone]);
        belay_exec(w->s, "DELETE FROM item");
    }
}

static void marks_of_one_name_three_deep_are_gone_back_to_one_by_one(void **state)
{
    static const char *const kept[] = {"1;2;3", "1;2", "1", ""};
    world *w = *state;
    for (int back = 0; back <= 3; back++) {
        belay_begin(w->s, NULL);
        for (int i = 1; i <= 3; i++) {
            belay_savepoint(w->s, "same");
            put(w->s, i);
        }
        for (int i = 0; i < back; i++) {
            assert_code(belay_rollback_to(w->s, "same"), BELAY_OK);
            assert_code(belay_release(w->s, "same"), BELAY_OK);
        }
        assert_code(belay_commit(w->s), BELAY_OK);
        assert_stored(w, kept[back]);
        belay_exec(w->s, "DELETE FROM item");
    }
}

static void scopes_of_one_name_end_from_the_inside_only(void **state)
{
    world *w = *state;
    BELAY_ATOMIC_WITH(w->s, .name = "same") {
        put(w->s, 1);
        belay_begin(w->s, BELAY_SCOPE_OPTIONS(.name = "same"));
        put(w->s, 2);
    } /* the outer one ends first */
    assert_status(w->s, BELAY_MISUSE);
    assert_stored(w, "");
    belay_code inner = BELAY_OK;
    belay_begin(w->s, BELAY_SCOPE_OPTIONS(.name = "same"));
    put(w->s, 1);
    BELAY_ATOMIC_WITH(w->s, .name = "same") {
        put(w->s, 2);
        inner = belay_commit(w->s); /* meant for the outer one */
    }
    assert_code(inner, BELAY_MISUSE);
    assert_int_equal(belay_depth(w->s), 1);
    assert_code(belay_commit(w->s), BELAY_MISUSE);
    assert_stored(w, "");
}

/* ---- Probes ---------------------------------------------------------------------------------------------------- */

static void a_probe_that_fails_inside_a_nested_scope_dooms_neither(void **state)
{
    world *w = *state;
    belay_code probe = BELAY_OK;
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        BELAY_ATOMIC(w->s) {
            put(w->s, 2);
            probe = belay_try(w->s, "SELECT 1 FROM nowhere");
            put(w->s, 3);
        }
        put(w->s, 4);
    }
    assert_code(probe, BELAY_SCHEMA);
    assert_status(w->s, BELAY_OK);
    assert_stored(w, "1;2;3;4");
}

static void transaction_control_as_text_is_refused_and_the_scope_goes_on_once_it_is_caught(void **state)
{
    static const char *const texts[] = {"BEGIN",
                                        "COMMIT",
                                        "ROLLBACK",
                                        "SET autocommit = 1",
                                        "SET TRANSACTION ISOLATION LEVEL READ COMMITTED",
                                        "COMMIT AND CHAIN",
                                        "ROLLBACK AND CHAIN"};
    world *w = *state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_code(belay_exec(w->s, texts[i]), BELAY_MISUSE); /* outside any scope as well */
        belay_begin(w->s, NULL);
        put(w->s, (int)i);
        assert_code(belay_try(w->s, texts[i]), BELAY_MISUSE);
        assert_int_equal(belay_depth(w->s), 1);
        assert_stored(w, ""); /* nothing was committed */
        put(w->s, 100 + (int)i);
        assert_code(belay_commit(w->s), BELAY_OK);
        assert_int_equal(belay_int_of(w->other, "SELECT count(*) FROM item"), 2);
        belay_exec(w->s, "DELETE FROM item");
    }
}

/* ---- Several databases ----------------------------------------------------------------------------------------- */

enum { DATABASES = 3 };

static void blocks_over_three_databases_commit_from_the_inside_and_have_a_fate_each(void **state)
{
    world *w = *state;
    diary d = {0};
    NOTES(n, d);
    belay_db *db[DATABASES];
    belay_session *s[DATABASES];
    for (int i = 0; i < DATABASES; i++) {
        db[i] = belay_open("sqlite::memory:", NULL);
        s[i] = belay_session_open(db[i]);
        belay_exec(s[i], "CREATE TABLE item(id INTEGER PRIMARY KEY)");
    }
    for (int failing = 0; failing < 2; failing++)
        BELAY_ATOMIC(s[0])
            BELAY_ATOMIC(s[1])
                BELAY_ATOMIC(s[2])
                    for (int i = 0; i < DATABASES; i++) {
                        put(s[i], failing);
                        belay_on_commit(s[i], write_note, &n[3 * failing + i], NULL);
                        if (failing && i == 1)
                            belay_fail(s[1], BELAY_APPLICATION, "only this one");
                    }
    assert_string_equal(d.ran, "cbafd"); /* there is no unit over three: the second time, b's work is missing */
    for (int i = 0; i < DATABASES; i++) {
        assert_seen(s[i], i == 1 ? "0" : "0;1");
        belay_session_close(s[i]);
        belay_close(db[i]);
    }
    assert_int_equal(belay_depth(w->s), 0);
}

/* ---- Threads --------------------------------------------------------------------------------------------------- */

static void *leave_open(void *arg)
{
    belay_session *s = arg;
    belay_begin(s, NULL);
    put(s, 1);
    belay_begin(s, NULL);
    put(s, 2);
    return NULL;
}

static void what_a_thread_left_open_is_ended_by_whoever_closes_its_session(void **state)
{
    world *w = *state;
    pthread_t thread;
    belay_db *db = open_again(w, BELAY_DB_OPTIONS(.pool_size = 1, .pool_timeout_ms = 10));
    belay_session *left = belay_session_open(db), *next = belay_session_open(db);
    pthread_create(&thread, NULL, leave_open, left);
    pthread_join(thread, NULL);
    assert_code(put(next, 3), BELAY_TOO_MANY); /* the end of the thread gave nothing back */
    assert_code(belay_session_close(left), BELAY_ABANDONED);
    assert_code(put(next, 4), BELAY_OK);
    belay_session_close(next);
    belay_close(db);
    assert_stored(w, "4");
}

/* ---- Retries --------------------------------------------------------------------------------------------------- */

static void retries_without_end_stop_at_an_error_that_a_repetition_does_not_help(void **state)
{
    world *w = *state;
    int runs = 0;
    BELAY_ATOMIC_WITH(w->s, .retries = INT32_MAX, .backoff_ms = 1, .backoff_max_ms = 1) {
        put(w->s, ++runs);
        if (runs < 100)
            belay_fail(w->s, BELAY_SERIALIZATION, "not yet");
        clash(w->s);
    }
    assert_int_equal(runs, 100);
    assert_status(w->s, BELAY_UNIQUE);
    assert_int_equal(belay_pending(w->s)->attempt, 100);
    assert_stored(w, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(scopes_of_one_name_three_levels_deep_have_a_fate_each),
        in_world(marks_of_one_name_three_deep_are_gone_back_to_one_by_one),
        in_world(scopes_of_one_name_end_from_the_inside_only),
        in_world(a_probe_that_fails_inside_a_nested_scope_dooms_neither),
        in_world(transaction_control_as_text_is_refused_and_the_scope_goes_on_once_it_is_caught),
        in_world(blocks_over_three_databases_commit_from_the_inside_and_have_a_fate_each),
        in_world(what_a_thread_left_open_is_ended_by_whoever_closes_its_session),
        in_world(retries_without_end_stop_at_an_error_that_a_repetition_does_not_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
