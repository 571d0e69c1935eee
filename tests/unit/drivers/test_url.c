/* What the drivers' URLs have in common. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "url.h"

static const char *const colours[] = {"red", "green", "blue", NULL};
static const belayi_url_key keys[] = {{"colour", colours, 0}, {"size", NULL, 100}};
static belay_error error;

static belay_code read_text(const char *text, belayi_url *url)
{
    memset(&error, 0xA5, sizeof error);
    return belayi_url_read(text, keys, 2, url, &error);
}

static void assert_refused(const char *text, const char *part)
{
    belayi_url url;
    assert_int_equal(read_text(text, &url), BELAY_MISUSE);
    assert_int_equal(error.code, BELAY_MISUSE);
    if (!strstr(error.message, part))
        fail_msg("%s: %s", text, error.message);
    belayi_url_done(&url);
    belayi_url_done(&url);
}

static void a_url_is_split_and_its_rest_left_alone(void **state)
{
    belayi_url url;
    (void)state;
    assert_int_equal(read_text("any:the/re%73t:x#y", &url), BELAY_OK);
    assert_string_equal(url.rest, "the/re%73t:x#y");
    assert_int_equal(url.values[0], -1);
    assert_int_equal(url.values[1], -1);
    belayi_url_done(&url);
    assert_int_equal(read_text("any:r?size=100&colour=%62lue", &url), BELAY_OK);
    assert_string_equal(url.rest, "r");
    assert_int_equal(url.values[0], 2);
    assert_int_equal(url.values[1], 100);
    belayi_url_done(&url);
}

static void bad_parameters_are_refused_with_what_is_allowed(void **state)
{
    (void)state;
    assert_refused("a:r?colour=pink", "red, green or blue");
    assert_refused("a:r?size=0", "1 to 100");
    assert_refused("a:r?size=101", "1 to 100");
    assert_refused("a:r?size=", "1 to 100");
    assert_refused("a:r?size=-1", "1 to 100");
    assert_refused("a:r?size=5x", "1 to 100");
    assert_refused("a:r?weight=5", "'weight' at its byte 4");
    assert_string_equal(error.hint, "known are colour or size");
    assert_refused("a:r?size=5&size=5", "twice, again at byte 11");
    assert_refused("a:r?size", "byte 4 is not of the form name=value");
    assert_refused("a:r?", "name=value");
    assert_refused("a:r?size=1&", "name=value");
    assert_refused("a:r?&size=1", "name=value");
    assert_refused("a:r?colour=%", "hexadecimal");
    assert_refused("a:r?colour=red%00", "NUL");
    assert_refused("a:r?=1", "unknown parameter");
}

static void text_is_percent_decoded(void **state)
{
    char text[] = "%2Fa+b%25%c3%A9";
    (void)state;
    assert_int_equal(belayi_url_decode(text, "path", &error), BELAY_OK);
    assert_string_equal(text, "/a+b%\xC3\xA9");
}

static void broken_escapes_are_refused_with_their_place(void **state)
{
    static const char *const broken[] = {"ab%", "ab%4", "ab%zz", "ab%4z", "ab%z4", "ab%%41", "ab%00"};
    (void)state;
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        char text[16];
        strcpy(text, broken[i]);
        assert_int_equal(belayi_url_decode(text, "path", &error), BELAY_MISUSE);
        assert_non_null(strstr(error.message, "byte 2"));
    }
}

static void a_password_is_never_in_a_message(void **state)
{
    static const char *const urls[] = {
        "a://user:secret%zz@host/db?colour=pink",
        "a://user:secret?more=secret@host/db",
        "a://user:x?secret@host",
        "a://user:x?secret=1&secret=2@host",
        "a://user:p?colour=secret@host",
        "a://user:p?size=secret",
        "a:r?sec%ret=1",
        "a:r?colour=secret%zz",
    };
    (void)state;
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        belayi_url url;
        assert_int_equal(read_text(urls[i], &url), BELAY_MISUSE);
        belayi_url_done(&url);
        assert_null(strstr(error.message, "secret"));
        assert_null(strstr(error.hint, "secret"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_url_is_split_and_its_rest_left_alone),
        cmocka_unit_test(bad_parameters_are_refused_with_what_is_allowed),
        cmocka_unit_test(text_is_percent_decoded),
        cmocka_unit_test(broken_escapes_are_refused_with_their_place),
        cmocka_unit_test(a_password_is_never_in_a_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
