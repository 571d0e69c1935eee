/*
 * Handles after the end of what they belong to; options of another size;
 * databases in memory; the pool's limits.
 */
#include "support.h"

#include <stdlib.h>
#include <string.h>

static int nothing_to_do(belay_session *s, void *arg)
{
    (void)s;
    (void)arg;
    return 0;
}

static void count(void *arg)
{
    ++*(int *)arg;
}

/* ---- After the handle was closed ------------------------------------------------------------------------------ */

static void every_call_on_a_session_whose_handle_was_closed_is_misuse(void **state)
{
    world *w = *state;
    int freed = 0, ran = 0;
    belay_db *db = open_again(w, NULL);
    belay_session *s = belay_session_open(db);
    put(s, 1);
    belay_close(db);
    assert_code(put(s, 2), BELAY_MISUSE);
    assert_code(belay_try(s, "SELECT 1"), BELAY_MISUSE);
    assert_null(belay_query(s, "SELECT 1"));
    assert_null(belay_stream(s, "SELECT 1"));
    assert_int_equal(belay_int_of(s, "SELECT 1"), 0);
    assert_code(belay_begin(s, NULL), BELAY_MISUSE);
    assert_code(belay_commit(s), BELAY_MISUSE);
    assert_code(belay_rollback(s), BELAY_MISUSE);
    assert_code(belay_undo(s), BELAY_MISUSE);
    assert_code(belay_atomic(s, NULL, nothing_to_do, NULL), BELAY_MISUSE);
    assert_code(belay_savepoint(s, "a"), BELAY_MISUSE);
    assert_code(belay_fail(s, BELAY_APPLICATION, "x"), BELAY_MISUSE);
    assert_code(belay_on_commit(s, nothing_to_do, &freed, count), BELAY_MISUSE);
    assert_code(belay_status(s), BELAY_MISUSE);
    assert_code(belay_pending(s)->code, BELAY_MISUSE);
    assert_false(belay_catch(s, BELAY_ANY));
    assert_non_null(belay_message(s));
    BELAY_ATOMIC(s)
        ran++;
    assert_int_equal(ran, 0);
    assert_int_equal(freed, 1);
    assert_int_equal(belay_depth(s), 0);
    belay_session_close(s);
    assert_stored(w, "1");
}

static void sessions_still_open_become_inert_and_must_still_be_closed(void **state)
{
    world *w = *state;
    belay_db *db = open_again(w, NULL);
    belay_session *in_scope = belay_session_open(db), *idle = belay_session_open(db), *reading = belay_session_open(db);
    belay_begin(in_scope, NULL);
    put(in_scope, 1);
    belay_rows *rows = belay_stream(reading, "SELECT 1");
    belay_close(db);
    assert_code(put(in_scope, 2), BELAY_MISUSE);
    belay_session_close(idle);
    belay_session_close(in_scope); /* rolls back */
    assert_false(belay_next(rows));
    belay_session_close(reading);
    belay_rows_close(rows);
    assert_code(put(w->s, 4), BELAY_OK);
}

static void a_block_whose_handle_was_closed_inside_is_rolled_back(void **state)
{
    world *w = *state;
    belay_db *db = open_again(w, NULL);
    belay_session *s = belay_session_open(db);
    BELAY_ATOMIC(s) {
        put(s, 1);
        BELAY_ATOMIC(s) {
            put(s, 2);
            belay_close(db);
        }
        put(s, 3);
    }
    assert_code(belay_status(s), BELAY_MISUSE);
    assert_stored(w, "");
    belay_session_close(s);
    assert_code(put(w->s, 4), BELAY_OK);
}

static void an_explicit_scope_whose_handle_was_closed_is_rolled_back_when_the_session_is(void **state)
{
    world *w = *state;
    belay_db *db = open_again(w, NULL);
    belay_session *s = belay_session_open(db);
    belay_begin(s, NULL);
    put(s, 1);
    belay_close(db);
    assert_code(belay_commit(s), BELAY_MISUSE);
    assert_stored(w, "");
    assert_true(belay_session_close(s) != BELAY_OK); /* work was lost: it says so */
    assert_stored(w, "");
    assert_code(put(w->s, 2), BELAY_OK);
}

static void hooks_of_a_scope_whose_handle_was_closed_are_freed_once(void **state)
{
    world *w = *state;
    int freed = 0;
    belay_db *db = open_again(w, NULL);
    belay_session *s = belay_session_open(db);
    belay_begin(s, NULL);
    put(s, 1);
    belay_on_commit(s, nothing_to_do, &freed, count);
    belay_on_rollback(s, nothing_to_do, &freed, count);
    belay_close(db);
    belay_session_close(s);
    assert_int_equal(freed, 2);
}

static void a_session_opened_on_a_bad_handle_outlives_it(void **state)
{
    (void)state;
    belay_db *db = belay_open("nonsense", NULL);
    belay_session *s = belay_session_open(db);
    assert_code(belay_exec(s, "SELECT 1"), BELAY_MISUSE);
    belay_close(db);
    assert_code(belay_exec(s, "SELECT 1"), BELAY_MISUSE);
    assert_non_null(belay_message(s));
    belay_session_close(s);
}

/* ---- Options of another size ------------------------------------------------------------------------------------ */

static void options_of_an_older_release_are_read_as_far_as_they_go(void **state)
{
    world *w = *state;
    belay_db_options options;
    memset(&options, 0x7F, sizeof options); /* what lies behind the size is not looked at */
    options.size = offsetof(belay_db_options, pool_timeout_ms);
    options.pool_size = 1;
    belay_db *db = belay_open(w->d.url, &options);
    assert_code(belay_db_error(db)->code, BELAY_OK);
    belay_session *s = belay_session_open(db);
    assert_code(put(s, 1), BELAY_OK); /* require_scope and log are not set */
    belay_scope_options scope;
    memset(&scope, 0x7F, sizeof scope);
    scope.size = offsetof(belay_scope_options, isolation);
    scope.name = "old";
    assert_code(belay_begin(s, &scope), BELAY_OK);
    put(s, 2);
    assert_code(clash(s), BELAY_UNIQUE);
    assert_string_equal(belay_pending(s)->scope, "old");
    belay_rollback(s);
    belay_session_close(s);
    belay_close(db);
    assert_stored(w, "1");
}

static void options_with_the_size_of_nothing_are_all_defaults(void **state)
{
    world *w = *state;
    for (size_t size = 1; size <= sizeof(size_t); size++) {
        belay_scope_options scope;
        memset(&scope, 0x7F, sizeof scope);
        scope.size = size;
        assert_code(belay_begin(w->s, &scope), BELAY_OK);
        put(w->s, (int)size);
        assert_code(belay_commit(w->s), BELAY_OK);
    }
}

static void options_without_a_size_have_the_layout_of_the_first_release(void **state)
{
    world *w = *state;
    const belay_scope_options scope = {.name = "plain", .read_only = true};
    belay_begin(w->s, &scope);
    assert_code(put(w->s, 1), BELAY_READ_ONLY);
    belay_rollback(w->s);
    const belay_db_options options = {.require_scope = true};
    belay_db *db = belay_open(w->d.url, &options);
    belay_session *s = belay_session_open(db);
    assert_code(put(s, 1), BELAY_MISUSE);
    belay_session_close(s);
    belay_close(db);
}

static void options_of_a_newer_release_are_misuse_and_no_crash(void **state)
{
    world *w = *state;
    struct {
        belay_scope_options known;
        char more[64];
    } scope = {.known = {.size = sizeof scope}, .more = "from the future"};
    assert_code(belay_begin(w->s, &scope.known), BELAY_MISUSE);
    belay_rollback(w->s);
    int ran = 0;
    scope.known.size = SIZE_MAX;
    assert_code(belay_atomic(w->s, &scope.known, nothing_to_do, &ran), BELAY_MISUSE);
    struct {
        belay_db_options known;
        char more[64];
    } options = {.known = {.size = sizeof options}, .more = "from the future"};
    belay_db *db = belay_open(w->d.url, &options.known);
    assert_code(belay_db_error(db)->code, BELAY_MISUSE);
    belay_close(db);
}

static void options_are_copied(void **state)
{
    world *w = *state;
    belay_db_options *options = malloc(sizeof *options);
    *options = (belay_db_options){.size = sizeof *options, .pool_size = 1, .pool_timeout_ms = 10};
    belay_db *db = open_again(w, options);
    memset(options, 0xFF, sizeof *options);
    free(options);
    belay_scope_options *scope = malloc(sizeof *scope);
    *scope = (belay_scope_options){.size = sizeof *scope, .retries = 1, .backoff_ms = 1};
    belay_session *s = belay_session_open(db);
    assert_code(belay_atomic(s, scope, nothing_to_do, NULL), BELAY_OK);
    free(scope);
    belay_session_close(s);
    belay_close(db);
}

static void a_pool_of_no_sensible_size_is_misuse(void **state)
{
    static const int sizes[] = {-1, INT32_MIN, INT32_MAX};
    world *w = *state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        belay_db *db = open_again(w, BELAY_DB_OPTIONS(.pool_size = sizes[i]));
        assert_code(belay_db_error(db)->code, BELAY_MISUSE);
        belay_close(db);
    }
}

/* ---- The pool --------------------------------------------------------------------------------------------------- */

static void a_pool_whose_connections_are_all_in_use_gives_too_many_after_its_limit(void **state)
{
    world *w = *state;
    belay_db *db = open_again(w, BELAY_DB_OPTIONS(.pool_size = 1, .pool_timeout_ms = 20));
    belay_session *a = belay_session_open(db), *b = belay_session_open(db);
    BELAY_ATOMIC(a) {
        put(a, 1);
        assert_code(put(b, 2), BELAY_TOO_MANY);
        assert_true(belay_retryable(belay_pending(b)));
        BELAY_ATOMIC(b) {
            BELAY_ATOMIC(b)
                put(b, 3);
            assert_false(belay_catch(b, BELAY_ANY)); /* a connection that could not be had */
        }
        assert_code(belay_status(b), BELAY_TOO_MANY);
        assert_code(belay_db_error(db)->code, BELAY_OK); /* the database is well */
    }
    assert_code(put(b, 4), BELAY_OK);
    belay_session_close(a);
    belay_session_close(b);
    belay_close(db);
    assert_stored(w, "1;4");
}

static void a_session_holds_no_connection_between_its_scopes(void **state)
{
    world *w = *state;
    belay_db *db = open_again(w, BELAY_DB_OPTIONS(.pool_size = 1, .pool_timeout_ms = 20));
    belay_session *sessions[20];
    for (int i = 0; i < 20; i++) {
        sessions[i] = belay_session_open(db);
        assert_code(put(sessions[i], i), BELAY_OK);
    }
    for (int i = 0; i < 20; i++) {
        assert_int_equal(belay_int_of(sessions[i], "SELECT count(*) FROM item"), 20);
        belay_session_close(sessions[i]);
    }
    belay_close(db);
}

static void a_connection_with_an_open_transaction_never_goes_back_to_the_pool(void **state)
{
    world *w = *state;
    belay_db *db = open_again(w, BELAY_DB_OPTIONS(.pool_size = 1, .pool_timeout_ms = 20));
    for (int i = 0; i < 5; i++) {
        belay_session *s = belay_session_open(db);
        belay_begin(s, NULL);
        put(s, 1);
        belay_begin(s, NULL);
        put(s, 2);
        if (i % 2)
            clash(s);
        belay_session_close(s);
        s = belay_session_open(db);
        assert_rows(s, "SELECT count(*) FROM item", "0");
        belay_session_close(s);
        assert_code(put(w->s, i), BELAY_OK); /* no lock is left */
        belay_exec(w->s, "DELETE FROM item");
    }
    belay_close(db);
}

static void an_old_connection_is_closed_when_it_comes_back(void **state)
{
    world *w = *state;
    belay_db *db = open_again(w, BELAY_DB_OPTIONS(.pool_max_age_ms = 1));
    belay_session *s = belay_session_open(db);
    for (int i = 0; i < 3; i++) {
        assert_code(put(s, i), BELAY_OK);
        pause_ms(3);
    }
    assert_rows(s, "SELECT count(*) FROM item", "3");
    belay_session_close(s);
    belay_close(db);
}

static void a_database_in_memory_has_one_connection_whatever_is_asked(void **state)
{
    (void)state;
    belay_db *db = belay_open("sqlite::memory:", BELAY_DB_OPTIONS(.pool_size = 8, .pool_timeout_ms = 20));
    belay_session *a = belay_session_open(db), *b = belay_session_open(db);
    belay_exec(a, "CREATE TABLE item(id)");
    assert_code(put(b, 1), BELAY_OK);
    BELAY_ATOMIC(a) {
        put(a, 2);
        assert_code(put(b, 3), BELAY_TOO_MANY);
    }
    assert_rows(b, "SELECT id FROM item ORDER BY id", "1;2");
    belay_session_close(a);
    belay_session_close(b);
    belay_close(db);
}

static void the_connection_of_a_database_in_memory_is_never_too_old(void **state)
{
    (void)state;
    belay_db *db = belay_open("sqlite::memory:", BELAY_DB_OPTIONS(.pool_max_age_ms = 1));
    belay_session *s = belay_session_open(db);
    belay_exec(s, "CREATE TABLE item(id)");
    for (int i = 1; i <= 3; i++) {
        assert_code(put(s, i), BELAY_OK);
        pause_ms(3);
    }
    assert_seen(s, "1;2;3");
    belay_session_close(s);
    belay_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(every_call_on_a_session_whose_handle_was_closed_is_misuse),
        in_world(sessions_still_open_become_inert_and_must_still_be_closed),
        in_world(a_block_whose_handle_was_closed_inside_is_rolled_back),
        in_world(an_explicit_scope_whose_handle_was_closed_is_rolled_back_when_the_session_is),
        in_world(hooks_of_a_scope_whose_handle_was_closed_are_freed_once),
        in_world(a_session_opened_on_a_bad_handle_outlives_it),
        in_world(options_of_an_older_release_are_read_as_far_as_they_go),
        in_world(options_with_the_size_of_nothing_are_all_defaults),
        in_world(options_without_a_size_have_the_layout_of_the_first_release),
        in_world(options_of_a_newer_release_are_misuse_and_no_crash),
        in_world(options_are_copied),
        in_world(a_pool_of_no_sensible_size_is_misuse),
        in_world(a_pool_whose_connections_are_all_in_use_gives_too_many_after_its_limit),
        in_world(a_session_holds_no_connection_between_its_scopes),
        in_world(a_connection_with_an_open_transaction_never_goes_back_to_the_pool),
        in_world(an_old_connection_is_closed_when_it_comes_back),
        in_world(a_database_in_memory_has_one_connection_whatever_is_asked),
        in_world(the_connection_of_a_database_in_memory_is_never_too_old),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
