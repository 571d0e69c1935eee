/*
 * check.h - assertions of the tests of src/sql. Each reads one statement and
 * compares one side of what came out; they are macros so that a failure names
 * the line of the test.
 */
#ifndef BELAYI_TEST_SQL_CHECK_H
#define BELAYI_TEST_SQL_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rules.h"

static inline belayi_lex_status read_text(const char *input, const belayi_sql_rules *rules, belayi_sql *sql)
{
    return belayi_sql_read(input, strlen(input), rules, sql);
}

/* The text as the engine gets it. */
#define assert_rewrites(rules, input, expected)                                                                        \
    do {                                                                                                               \
        belayi_sql sql_;                                                                                               \
        assert_int_equal(read_text(input, rules, &sql_), BELAYI_LEX_OK);                                               \
        assert_string_equal(sql_.text, expected);                                                                      \
        assert_int_equal(sql_.size, strlen(expected));                                                                 \
        belayi_sql_done(&sql_);                                                                                        \
    } while (0)

/* The text as it was, with no placeholder found in it. */
#define assert_unchanged(rules, input)                                                                                 \
    do {                                                                                                               \
        belayi_sql sql_;                                                                                               \
        assert_int_equal(read_text(input, rules, &sql_), BELAYI_LEX_OK);                                               \
        assert_string_equal(sql_.text, input);                                                                         \
        assert_int_equal(sql_.places, 0);                                                                              \
        assert_int_equal(sql_.parameters, 0);                                                                          \
        assert_null(sql_.order);                                                                                       \
        belayi_sql_done(&sql_);                                                                                        \
    } while (0)

#define assert_kind(rules, input, expected)                                                                            \
    do {                                                                                                               \
        belayi_sql sql_;                                                                                               \
        assert_int_equal(read_text(input, rules, &sql_), BELAYI_LEX_OK);                                               \
        assert_int_equal(sql_.kind, expected);                                                                         \
        belayi_sql_done(&sql_);                                                                                        \
    } while (0)

#define assert_kind_everywhere(input, expected)                                                                        \
    do {                                                                                                               \
        for (int engine_ = 0; engine_ < ENGINES; engine_++)                                                            \
            assert_kind(every_engine[engine_], input, expected);                                                       \
    } while (0)

#define assert_refused(rules, input, status, at)                                                                       \
    do {                                                                                                               \
        belayi_sql sql_;                                                                                               \
        assert_int_equal(read_text(input, rules, &sql_), status);                                                      \
        assert_int_equal(sql_.error_at, at);                                                                           \
        assert_non_null(sql_.error);                                                                                   \
        assert_null(sql_.text);                                                                                        \
        assert_null(sql_.order);                                                                                       \
        belayi_sql_done(&sql_);                                                                                        \
    } while (0)

#define assert_refused_everywhere(input, status, at)                                                                   \
    do {                                                                                                               \
        for (int engine_ = 0; engine_ < ENGINES; engine_++)                                                            \
            assert_refused(every_engine[engine_], input, status, at);                                                  \
    } while (0)

#define assert_lock(rules, input, expected)                                                                            \
    do {                                                                                                               \
        belayi_sql sql_;                                                                                               \
        assert_int_equal(read_text(input, rules, &sql_), BELAYI_LEX_OK);                                               \
        assert_int_equal(sql_.lock, expected);                                                                         \
        belayi_sql_done(&sql_);                                                                                        \
    } while (0)

#define assert_returning(rules, input, expected)                                                                       \
    do {                                                                                                               \
        belayi_sql sql_;                                                                                               \
        assert_int_equal(read_text(input, rules, &sql_), BELAYI_LEX_OK);                                               \
        assert_int_equal(sql_.returning, expected);                                                                    \
        belayi_sql_done(&sql_);                                                                                        \
    } while (0)

#endif
