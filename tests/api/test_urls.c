/*
 * URLs: what they say, and what is refused.
 */
#include "support.h"

#include <stdio.h>
#include <string.h>

#include "urls.h"

/* ---- The text ---------------------------------------------------------------------------------------------- */

static void a_url_that_makes_no_sense_is_misuse(void **state)
{
    static const char *const bad[] = {"",
                                      " ",
                                      ":",
                                      "::",
                                      "sqlite",
                                      "sqlite:",
                                      "SQLITE:x",
                                      "sqlite3:x",
                                      "nosuch:x",
                                      "x",
                                      "x.db",
                                      "/abs/x.db",
                                      "http://example.org/",
                                      "file:x.db",
                                      "sqlite://x.db",
                                      "sqlite:///x.db",
                                      "sqlite:?mode=ro",
                                      " sqlite:x"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (refusal_of(bad[i]).code != BELAY_MISUSE)
            fail_msg("\"%s\" is %s", bad[i], belay_code_name(refusal_of(bad[i]).code));
    assert_code(refusal_of(NULL).code, BELAY_MISUSE);
}

static void an_engine_that_this_build_lacks_is_unsupported(void **state)
{
    static const char *const others[] = {"postgresql://u@h/db", "mariadb://u@h/db", "mysql://u@h/db"};
    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        belay_code code = refusal_of(others[i]).code;
        if (code != BELAY_UNSUPPORTED && code != BELAY_CONNECTION) /* a build that has the engine finds no server */
            fail_msg("%s is %s", others[i], belay_code_name(code));
    }
}

static void a_password_is_never_put_into_an_error(void **state)
{
    static const char *const urls[] = {"postgresql://user:hunter2@host/db",
                                       "nosuch://user:hunter2@host/db",
                                       "mariadb://user:hunter2@host:99999/db",
                                       "nosuch:hunter2",
                                       "hunter2:x@y",
                                       "mysql://user:hunter2@h/db?nonsense=1",
                                       "sqlite:user:hunter2@h?x=1",
                                       "postgresql://u:p!\"#$%&'()*+,-./hunter2;<=>?@[\\]^_`{|}~@h/db"};
    (void)state;
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        belay_error error = refusal_of(urls[i]);
        assert_true(error.code != BELAY_OK);
        if (i == 4) /* there it is the scheme */
            continue;
        assert_lacks(error.message, "hunter2");
        assert_lacks(error.detail, "hunter2");
        assert_lacks(error.hint, "hunter2");
    }
}

static void unknown_doubled_and_malformed_parameters_are_misuse(void **state)
{
    static const char *const bad[] = {"?nosuch=1",
                                      "?Mode=ro",
                                      "?mode=ro&nosuch=1",
                                      "?mode=ro&mode=ro",
                                      "?mode=ro&mode=rw",
                                      "?cache_kib=1&cache_kib=1",
                                      "?mode",
                                      "?mode=",
                                      "?=ro",
                                      "?mode=bogus",
                                      "?mode=RO",
                                      "?journal=off",
                                      "?journal=",
                                      "?synchronous=off",
                                      "?foreign_keys=1",
                                      "?foreign_keys=true",
                                      "?cache_kib=0",
                                      "?cache_kib=-5",
                                      "?cache_kib=abc",
                                      "?cache_kib=99999999999999999999",
                                      "?cache_kib=1x",
                                      "?cache_kib= 1",
                                      "?mode=ro&",
                                      "?&mode=ro",
                                      "?",
                                      "?mode=ro?journal=wal",
                                      "?mode=ro;journal=wal",
                                      "?mode=%72o%",
                                      "?mode=%zz",
                                      "?mode=r%00o",
                                      "?mo%64e=ro"};
    world *w = *state;
    char name[200];
    only_on_sqlite(w);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(name, sizeof name, "never%s", bad[i]);
        belay_error error = refusal_of(url_of(w, name));
        if (error.code != BELAY_MISUSE)
            fail_msg("%s is %s: %s", bad[i], belay_code_name(error.code), error.message);
        assert_false(is_there(path_of(w, "never")));
    }
}

static void broken_percent_signs_are_misuse(void **state)
{
    static const char *const bad[] = {"a%", "a%z", "a%zz", "a%0", "a%0g", "a%00b", "%00", "%%", "a%2"};
    world *w = *state;
    only_on_sqlite(w);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_code(refusal_of(url_of(w, bad[i])).code, BELAY_MISUSE);
}

static void paths_and_values_are_percent_decoded(void **state)
{
    static const char *const names[][2] = {
        {"a%20b", "a b"}, {"a%3Fmode=ro", "a?mode=ro"}, {"100%25", "100%"},   {"%C3%A9", "\xC3\xA9"},
        {"a+b", "a+b"},   {"a;b'c\"", "a;b'c\""},       {"%2e%2E%2e", "..."}, {"a#b", "a#b"}};
    world *w = *state;
    only_on_sqlite(w);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_code(refusal_of(url_of(w, names[i][0])).code, BELAY_OK);
        assert_true(is_there(path_of(w, names[i][1])));
    }
    assert_code(refusal_of(url_of(w, "a%20b?mode=%72w")).code, BELAY_OK);
}

static void a_bad_url_is_the_error_for_good(void **state)
{
    (void)state;
    belay_db *db = belay_open("sqlite:x?nosuch=1", NULL);
    belay_session *s = belay_session_open(db);
    for (int i = 0; i < 3; i++) {
        BELAY_ATOMIC(s)
            fail();
        assert_code(belay_status(s), BELAY_MISUSE);
        assert_contains(belay_message(s), "nosuch");
    }
    assert_string_equal(belay_db_engine(db), "");
    belay_session_close(s);
    belay_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(a_url_that_makes_no_sense_is_misuse),   in_world(an_engine_that_this_build_lacks_is_unsupported),
        in_world(a_password_is_never_put_into_an_error), in_world(unknown_doubled_and_malformed_parameters_are_misuse),
        in_world(broken_percent_signs_are_misuse),       in_world(paths_and_values_are_percent_decoded),
        in_world(a_bad_url_is_the_error_for_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
