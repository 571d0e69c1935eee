/*
 * The n-th allocation fails, for every n. To be linked with --wrap for malloc,
 * calloc, realloc and strdup, and best run under the address sanitizer.
 */
#include "lexer.h"

#include <stdio.h>
#include <stdlib.h>

#include "check.h"

void *__real_malloc(size_t);
void *__real_calloc(size_t, size_t);
void *__real_realloc(void *, size_t);
void *__wrap_malloc(size_t);
void *__wrap_calloc(size_t, size_t);
void *__wrap_realloc(void *, size_t);
char *__wrap_strdup(const char *);
void __real_free(void *);
void __wrap_free(void *);

static bool counting;
static size_t calls;
static size_t failing;
static long balance;

static bool fails_now(void)
{
    return counting && ++calls == failing;
}

static void *count_block(void *block)
{
    balance += counting && block != NULL;
    return block;
}

void *__wrap_malloc(size_t size)
{
    return fails_now() ? NULL : count_block(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails_now() ? NULL : count_block(__real_calloc(count, size));
}

void *__wrap_realloc(void *old, size_t size)
{
    if (fails_now())
        return NULL;
    return old == NULL ? count_block(__real_realloc(old, size)) : __real_realloc(old, size);
}

char *__wrap_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = __wrap_malloc(size);
    return copy == NULL ? NULL : memcpy(copy, text, size);
}

void __wrap_free(void *block)
{
    balance -= counting && block != NULL;
    __real_free(block);
}

/* Reads once with the n-th allocation failing. Returns false when there was no n-th. */
static bool read_with_failure(const char *input, size_t size, const belayi_sql_rules *rules, size_t nth)
{
    belayi_sql sql;

    calls = 0;
    failing = nth;
    balance = 0;
    counting = true;
    belayi_lex_status status = belayi_sql_read(input, size, rules, &sql);
    if (status == BELAYI_LEX_OK) {
        belayi_sql_done(&sql);
    } else {
        assert_int_equal(status, BELAYI_LEX_NO_MEMORY);
        assert_null(sql.text);
        assert_null(sql.order);
        assert_non_null(sql.error);
    }
    counting = false;
    assert_int_equal(balance, 0);
    assert_int_equal(status == BELAYI_LEX_OK, calls < nth);
    return calls >= nth;
}

static void check_each_failure(const char *input, size_t size)
{
    for (int e = 0; e < ENGINES; e++) {
        size_t nth = 1;
        while (read_with_failure(input, size, every_engine[e], nth))
            nth++;
        assert_true(nth > 1);
    }
}

static void running_out_of_memory_is_reported_and_leaks_nothing(void **state)
{
    (void)state;
    static const char *const inputs[] = {
        "SELECT 1",
        "SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?",
        "SELECT :a, :b, :a, :c",
        "SELECT ARRAY[([1, (?1), ?2])]",
        "SELECT 'a long literal that is copied' FROM t FOR UPDATE OF t SKIP LOCKED; -- x",
    };
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++)
        check_each_failure(inputs[i], strlen(inputs[i]));
}

static void running_out_of_memory_while_the_table_of_names_grows_leaks_nothing(void **state)
{
    (void)state;
    enum { NAMES = 800 };
    static char input[16 + NAMES * 8];
    size_t size = (size_t)sprintf(input, "SELECT 0");

    for (int i = 0; i < NAMES; i++)
        size += (size_t)sprintf(input + size, ",:n%d", i);
    check_each_failure(input, size);
}

static void running_out_of_memory_deep_in_brackets_leaks_nothing(void **state)
{
    (void)state;
    enum { DEPTH = 1000 };
    static char input[16 + DEPTH];
    size_t size = (size_t)sprintf(input, "SELECT ");

    memset(input + size, '[', DEPTH);
    memcpy(input + size + DEPTH, "1]", 2);
    check_each_failure(input, size + DEPTH + 2);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(running_out_of_memory_is_reported_and_leaks_nothing),
        cmocka_unit_test(running_out_of_memory_while_the_table_of_names_grows_leaks_nothing),
        cmocka_unit_test(running_out_of_memory_deep_in_brackets_leaks_nothing),
    };
    return cmocka_run_group_tests_name("sql: out of memory", tests, NULL, NULL);
}
