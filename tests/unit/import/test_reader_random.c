/*
 * Random bytes, mostly those that mean something, in every dialect of fuzz_reader.c, which checks what must hold of any
 * file: that the raw bytes of all records are the file, that places are where they are, that it is the same in pieces,
 * and that each record alone is the same record.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { DIALECTS = 20, FLAGS = 32, LARGE = 700000 };

static uint64_t number = 20260105;

static unsigned draw(unsigned below)
{
    number = number * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(number >> 33) % below;
}

/* A file of about that size: bytes that mean something, in units of a UTF too, in the proportion of the day. */
static size_t make_file(uint8_t *out, size_t size)
{
    static const char meaning[] = ",,,\"\"\"\n\n\r\t\\\\N';| aab{}[]:,\"u0\xC3\xA4\xFF\x83\x5C\0";
    unsigned unit = 1u << draw(3), low = draw(2) * (unit - 1), strange = 1 + draw(60), plain = 1 + draw(10);
    size_t at = 0;
    while (at + unit <= size) {
        memset(out + at, 0, unit);
        uint8_t byte = draw(strange) == 0 ? (uint8_t)draw(256)
                       : draw(plain) == 0 ? (uint8_t)meaning[draw(sizeof meaning)]
                                          : 'x';
        out[at + (draw(200) == 0 ? draw(unit) : low)] = byte;
        at += unit;
    }
    return at;
}

static void what_must_hold_of_any_file_holds_of_random_ones(void **state)
{
    static uint8_t input[1200];
    (void)state;
    for (unsigned round = 0; round < 20000; round++) {
        input[0] = (uint8_t)draw(DIALECTS);
        input[1] = (uint8_t)draw(FLAGS);
        size_t size = 2 + make_file(input + 2, draw(4) == 0 ? draw(1100) : draw(60));
        LLVMFuzzerTestOneInput(input, size);
    }
}

static void what_must_hold_of_any_file_holds_of_large_ones(void **state)
{
    uint8_t *input = malloc(LARGE + 2);
    (void)state;
    for (unsigned round = 0; round < DIALECTS; round++) {
        input[0] = (uint8_t)round;
        input[1] = 0;
        size_t size = 2 + make_file(input + 2, LARGE);
        LLVMFuzzerTestOneInput(input, size);
    }
    free(input);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_must_hold_of_any_file_holds_of_random_ones),
        cmocka_unit_test(what_must_hold_of_any_file_holds_of_large_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
