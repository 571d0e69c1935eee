/*
 * What a key may be, where .once may stand, and to which unit a key belongs.
 */
#include "once.h"

#include <stdio.h>
#include <string.h>

#include <sqlite3.h>

#include <belay/testing.h>

/* ---- Where .once may stand --------------------------------------------------------------------------------------- */

static void a_key_on_a_nested_scope_is_misuse_and_can_be_caught(void **state)
{
    world *w = *state;
    static const belay_propagation kinds[] = {BELAY_NESTED, BELAY_REQUIRED, BELAY_REQUIRES_NEW, BELAY_MANDATORY};
    bool caught[4];
    int runs = 0;
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        for (int i = 0; i < 4; i++) {
            BELAY_ATOMIC_WITH(w->s, .once = "a", .propagation = kinds[i])
                runs++;
            caught[i] = belay_catch(w->s, BELAY_MISUSE);
        }
    }
    for (int i = 0; i < 4; i++)
        assert_true(caught[i]);
    assert_int_equal(runs, 0);
    assert_status(w->s, BELAY_OK);
    assert_contains(belay_caught(w->s)->message, ".once");
    assert_stored(w, "1");
}

static void a_key_inside_a_transaction_of_its_own_is_misuse_too(void **state)
{
    world *w = *state;
    int runs = 0;
    bool caught = false;
    BELAY_READ(w->s) {
        belay_int_of(w->s, "SELECT 1");
        BELAY_ATOMIC_WITH(w->s, .once = "a", .propagation = BELAY_REQUIRES_NEW)
            runs++;
        caught = belay_catch(w->s, BELAY_MISUSE);
    }
    assert_int_equal(runs, 0);
    assert_true(caught);
}

static int never(belay_session *s, void *arg)
{
    (void)s;
    ++*(int *)arg;
    return 0;
}

static void a_key_on_a_read_only_scope_is_misuse(void **state)
{
    world *w = *state;
    int runs = 0;
    BELAY_ATOMIC_WITH(w->s, .once = "a", .read_only = true)
        runs++;
    assert_status(w->s, BELAY_MISUSE);
    assert_code(belay_atomic(w->s, BELAY_SCOPE_OPTIONS(.once = "a", .read_only = true), never, &runs), BELAY_MISUSE);
    assert_int_equal(runs, 0);
    assert_false(belay_already_done(w->s));
}

static void a_key_with_belay_begin_is_misuse_in_a_scope_that_must_still_be_ended(void **state)
{
    world *w = *state;
    assert_code(belay_begin(w->s, BELAY_SCOPE_OPTIONS(.once = "a")), BELAY_MISUSE);
    assert_int_equal(belay_depth(w->s), 1);
    assert_code(put(w->s, 1), BELAY_MISUSE);
    assert_code(belay_commit(w->s), BELAY_MISUSE);
    assert_int_equal(belay_depth(w->s), 0);
    assert_stored(w, "");
}

static void what_is_refused_leaves_neither_table_nor_key(void **state)
{
    world *w = *state;
    put_once(w->s, "", 1);
    BELAY_ATOMIC_WITH(w->s, .once = "a", .read_only = true)
        put(w->s, 2);
    assert_status(w->s, BELAY_MISUSE);
    assert_contains(rows_of(w->other, "SELECT count(*) FROM belay_once"), "ERROR");
}

/* ---- What a key may be ------------------------------------------------------------------------------------------ */

static const char *fill(char *out, size_t size, char with)
{
    memset(out, with, size);
    out[size] = '\0';
    return out;
}

static void a_key_has_from_1_to_255_bytes(void **state)
{
    world *w = *state;
    char key[300];
    assert_int_equal(put_once(w->s, "", 1), 0);
    assert_status(w->s, BELAY_MISUSE);
    assert_int_equal(put_once(w->s, fill(key, 256, 'k'), 1), 0);
    assert_status(w->s, BELAY_MISUSE);
    assert_contains(belay_message(w->s), "256");
    assert_int_equal(put_once(w->s, fill(key, 299, 'k'), 1), 0);
    assert_status(w->s, BELAY_MISUSE);
    assert_int_equal(put_once(w->s, fill(key, 255, 'k'), 1), 1);
    assert_status(w->s, BELAY_OK);
    assert_int_equal(put_once(w->s, fill(key, 254, 'k'), 2), 1); /* another key */
    assert_int_equal(put_once(w->s, fill(key, 255, 'k'), 3), 0);
    assert_true(belay_already_done(w->s));
    assert_int_equal(put_once(w->s, "k", 3), 1);
    assert_stored(w, "1;2;3");
}

static void a_unit_with_a_key_has_a_name_of_at_most_255_bytes(void **state)
{
    world *w = *state;
    char name[300];
    for (int i = 0; i < 2; i++) {
        int runs = 0;
        fill(name, i ? 255 : 256, 'n');
        BELAY_ATOMIC_WITH(w->s, .once = "a", .name = name)
            runs++;
        assert_int_equal(runs, i);
        assert_status(w->s, i ? BELAY_OK : BELAY_MISUSE);
    }
    BELAY_ATOMIC_WITH(w->s, .once = "a", .name = name)
        put(w->s, 1);
    assert_true(belay_already_done(w->s));
    fill(name, 256, 'n');
    BELAY_ATOMIC_WITH(w->s, .name = name) /* without a key a name may be longer */
        put(w->s, 2);
    assert_status(w->s, BELAY_OK);
}

static void keys_are_told_apart_byte_by_byte(void **state)
{
    static const char *const keys[] = {"a",         "A",  " a",    "a ", "aa",  "\xC3\xA4",
                                       "a\xCC\x88", "?1", ":name", "'",  "\"",  "--",
                                       "%s",        "\n", "NULL",  "0",  "0.0", "'; DROP TABLE item; --",
                                       "1e0",       "\\"};
    enum { KEYS = sizeof keys / sizeof keys[0] };
    world *w = *state;
    char found[16];
    for (int i = 0; i < KEYS; i++) {
        assert_int_equal(put_once(w->s, keys[i], i), 1);
        assert_status(w->s, BELAY_OK);
    }
    for (int i = 0; i < KEYS; i++)
        assert_int_equal(put_once(w->s, keys[i], 100 + i), 0);
    snprintf(found, sizeof found, "%d", (int)KEYS);
    assert_rows(w->other, "SELECT count(*) FROM item WHERE id < 100", found);
    assert_rows(w->other, "SELECT count(*) FROM belay_once", found);
}

static void a_key_that_is_no_utf8_is_refused_and_nothing_is_done(void **state)
{
    world *w = *state;
    assert_int_equal(put_once(w->s, "\xFF\xFE", 1), 0);
    assert_status(w->s, BELAY_DATA);
    assert_stored(w, "");
    assert_keys(w, "");
}

/* ---- To which unit a key belongs -------------------------------------------------------------------------------- */

static int run_named(belay_session *s, const char *name)
{
    int runs = 0;
    BELAY_ATOMIC_WITH(s, .once = "a", .name = name)
        runs++;
    return runs;
}

static void a_key_belongs_to_the_name_of_its_unit(void **state)
{
    world *w = *state;
    static const char *const others[] = {"ship", "PAY", "pay ", NULL};
    assert_int_equal(run_named(w->s, "pay"), 1);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(run_named(w->s, others[i]), 0);
        assert_status(w->s, BELAY_MISUSE);
        assert_false(belay_already_done(w->s));
        assert_int_equal(belay_pending(w->s)->outcome, BELAY_WORK_ROLLED_BACK);
    }
    char name[] = "pay"; /* the same by its bytes, not by its address */
    assert_int_equal(run_named(w->s, name), 0);
    assert_true(belay_already_done(w->s));
    assert_keys(w, "a|done");
}

static void a_key_of_a_unit_without_a_name_belongs_to_those_without(void **state)
{
    world *w = *state;
    assert_int_equal(run_named(w->s, NULL), 1);
    assert_int_equal(run_named(w->s, NULL), 0);
    assert_true(belay_already_done(w->s));
    assert_int_equal(run_named(w->s, "pay"), 0);
    assert_status(w->s, BELAY_MISUSE);
}

static void the_misuse_names_the_key_and_the_unit_that_has_it(void **state)
{
    world *w = *state;
    char key[256], name[256];
    run_named(w->s, "pay");
    run_named(w->s, "ship");
    assert_contains(belay_pending(w->s)->message, "\"a\"");
    assert_contains(belay_pending(w->s)->detail, "\"pay\"");
    assert_contains(belay_pending(w->s)->scope, "ship");
    for (int i = 0; i < 127; i++) { /* too long for the record, and no character is cut in two */
        memcpy(key + 2 * i, "\xC3\xA4", 3);
        memcpy(name + 2 * i, "\xC3\xBC", 3);
    }
    BELAY_ATOMIC_WITH(w->s, .once = key, .name = name)
        put(w->s, 1);
    put_once(w->s, key, 2);
    assert_status(w->s, BELAY_MISUSE);
    assert_contains(belay_pending(w->s)->message, "\xC3\xA4\xC3\xA4\"");
    assert_contains(belay_pending(w->s)->detail, "\xC3\xBC\xE2\x80\xA6");
}

static void misuse_of_a_key_is_not_retried(void **state)
{
    world *w = *state;
    int runs = 0;
    run_named(w->s, "pay");
    BELAY_ATOMIC_WITH(w->s, .once = "a", .name = "ship", .retries = 9, .backoff_ms = 10000)
        runs++;
    assert_int_equal(runs, 0);
    assert_status(w->s, BELAY_MISUSE);
    assert_int_equal(belay_pending(w->s)->attempt, 1);
}

/* ---- Sessions that are not usual -------------------------------------------------------------------------------- */

static void a_sandbox_takes_keys_and_leaves_none(void **state)
{
    world *w = *state;
    belay_session *box = belay_sandbox(w->d.db);
    assert_int_equal(put_once(box, "a", 1), 1);
    assert_int_equal(put_once(box, "a", 2), 0);
    assert_true(belay_already_done(box));
    assert_int_equal(belay_pending(box)->outcome, BELAY_WORK_COMMITTED);
    BELAY_ATOMIC_WITH(box, .once = "b")
        clash(box);
    assert_status(box, BELAY_UNIQUE);
    assert_seen(box, "1");
    assert_rows(box, "SELECT once_key, state FROM belay_once", "a|done");
    belay_session_close(box);
    const char *left = rows_of(w->other, "SELECT count(*) FROM belay_once");
    if (database_is_mariadb(&w->d)) /* which can't make a table in a transaction: it was made outside */
        assert_string_equal(left, "0");
    else
        assert_contains(left, "ERROR");
    assert_int_equal(put_once(w->s, "a", 1), 1);
}

static void an_adopted_connection_takes_keys(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    sqlite3 *own = NULL;
    assert_int_equal(sqlite3_open(w->d.path, &own), SQLITE_OK);
    belay_session *s = belay_adopt_sqlite(own);
    int first = put_once(s, "a", 1), second = put_once(s, "a", 2);
    bool skipped = belay_already_done(s), open = !sqlite3_get_autocommit(own);
    belay_session_close(s);
    sqlite3_close(own);
    assert_int_equal(first, 1);
    assert_int_equal(second, 0);
    assert_true(skipped);
    assert_false(open);
    assert_stored(w, "1");
    assert_keys(w, "a|done");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(a_key_on_a_nested_scope_is_misuse_and_can_be_caught),
        in_world(a_key_inside_a_transaction_of_its_own_is_misuse_too),
        in_world(a_key_on_a_read_only_scope_is_misuse),
        in_world(a_key_with_belay_begin_is_misuse_in_a_scope_that_must_still_be_ended),
        in_world(what_is_refused_leaves_neither_table_nor_key),
        in_world(a_key_has_from_1_to_255_bytes),
        in_world(a_unit_with_a_key_has_a_name_of_at_most_255_bytes),
        in_world(keys_are_told_apart_byte_by_byte),
        in_world(a_key_that_is_no_utf8_is_refused_and_nothing_is_done),
        in_world(a_key_belongs_to_the_name_of_its_unit),
        in_world(a_key_of_a_unit_without_a_name_belongs_to_those_without),
        in_world(the_misuse_names_the_key_and_the_unit_that_has_it),
        in_world(misuse_of_a_key_is_not_retried),
        in_world(a_sandbox_takes_keys_and_leaves_none),
        in_world(an_adopted_connection_takes_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
