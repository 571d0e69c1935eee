/* What is text, and what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "utf8.h"

static bool valid(const char *text, size_t size)
{
    size_t bad_at = 0;
    return belayi_utf8_valid(text, size, &bad_at);
}

/* The straight way: decode, then judge. The size of the character, or 0. */
static size_t decode_plainly(const unsigned char *text, size_t size)
{
    static const uint32_t least[] = {0, 1, 0x80, 0x800, 0x10000};
    size_t length = text[0] < 0x80   ? 1
                    : text[0] < 0xC0 ? 0
                    : text[0] < 0xE0 ? 2
                    : text[0] < 0xF0 ? 3
                    : text[0] < 0xF8 ? 4
                                     : 0;
    if (length == 0 || length > size)
        return 0;
    uint32_t number = length == 1 ? text[0] : text[0] & (0xFFu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if (text[i] >> 6 != 2)
            return 0;
        number = number << 6 | (text[i] & 0x3F);
    }
    bool surrogate = number >= 0xD800 && number <= 0xDFFF;
    return number < least[length] || number > 0x10FFFF || surrogate ? 0 : length;
}

static bool valid_plainly(const unsigned char *text, size_t size, size_t *out_bad_at)
{
    for (size_t at = 0, length; at < size; at += length) {
        length = decode_plainly(text + at, size - at);
        if (length == 0) {
            *out_bad_at = at;
            return false;
        }
    }
    return true;
}

static void the_edges_of_unicode_are_text(void **state)
{
    static const char *const good[] = {"",
                                       "a",
                                       "\x7F",
                                       "\xC2\x80",
                                       "\xDF\xBF",
                                       "\xE0\xA0\x80",
                                       "\xED\x9F\xBF",
                                       "\xEE\x80\x80",
                                       "\xEF\xBF\xBF",
                                       "\xF0\x90\x80\x80",
                                       "\xF4\x8F\xBF\xBF"};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(valid(good[i], strlen(good[i])));
    assert_true(valid(NULL, 0));
}

static void overlong_forms_surrogates_and_cut_characters_are_not(void **state)
{
    static const char *const bad[] = {"\x80",
                                      "\xC0\x80",
                                      "\xC1\xBF",
                                      "\xE0\x9F\xBF",
                                      "\xED\xA0\x80",
                                      "\xF0\x8F\xBF\xBF",
                                      "\xF4\x90\x80\x80",
                                      "\xF5\x80\x80\x80",
                                      "\xFF",
                                      "\xFE",
                                      "\xC3",
                                      "\xE2\x82",
                                      "\xF0\x9F\x98",
                                      "\xC3(",
                                      "\xE2(\xA1",
                                      "\xE2\x82("};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(valid(bad[i], strlen(bad[i])));
    assert_false(valid("\0", 1));
}

static void every_sequence_of_up_to_three_bytes_is_judged_rightly(void **state)
{
    (void)state;
    for (uint32_t n = 0; n < 1u << 24; n++) {
        unsigned char text[3] = {(unsigned char)(n >> 16), (unsigned char)(n >> 8), (unsigned char)n};
        size_t bad_at = 9, plainly_bad_at = 9;
        bool plainly = valid_plainly(text, 3, &plainly_bad_at);
        if (belayi_utf8_valid((const char *)text, 3, &bad_at) != plainly || bad_at != plainly_bad_at)
            fail_msg("%06x", (unsigned)n);
    }
}

static void a_bad_byte_is_found_at_every_place_of_a_text_of_every_size(void **state)
{
    static const unsigned char odd[] = {0x00, 0x80, 0xFF, 0xC3};
    char text[40];
    (void)state;
    for (size_t size = 1; size <= sizeof text; size++)
        for (size_t at = 0; at < size; at++)
            for (size_t i = 0; i < sizeof odd; i++) {
                size_t bad_at = 99;
                memset(text, i % 2 ? 'a' : 0x7F, size);
                text[at] = (char)odd[i];
                assert_false(belayi_utf8_valid(text, size, &bad_at));
                assert_int_equal(bad_at, at);
            }
}

static void long_texts_with_characters_at_every_offset_are_text(void **state)
{
    char text[64];
    (void)state;
    for (size_t at = 0; at + 4 <= sizeof text; at++) {
        memset(text, 'a', sizeof text);
        memcpy(text + at, "\xF0\x9F\x98\x80", 4);
        assert_true(valid(text, sizeof text));
        assert_true(valid(text, at + 4));
        assert_false(valid(text, at + 3));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_edges_of_unicode_are_text),
        cmocka_unit_test(overlong_forms_surrogates_and_cut_characters_are_not),
        cmocka_unit_test(every_sequence_of_up_to_three_bytes_is_judged_rightly),
        cmocka_unit_test(a_bad_byte_is_found_at_every_place_of_a_text_of_every_size),
        cmocka_unit_test(long_texts_with_characters_at_every_offset_are_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
