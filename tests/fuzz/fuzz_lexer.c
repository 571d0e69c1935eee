/*
 * fuzz_lexer.c - any bytes, read under the rules of each engine and under rules
 * that the first two bytes pick. What must hold for every input is checked with
 * abort(), so that it holds in builds without assertions too.
 *
 * Under libFuzzer: -fsanitize=fuzzer. As a plain test: with replay.c, which
 * reads the files of tests/fuzz/corpus/lexer.
 */
#include "lexer.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/sql/rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                                             \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "fuzz_lexer.c:%d: %s\n", __LINE__, #condition);                                            \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

/* Rules that no engine has, which must be as safe. */
static belayi_sql_rules pick_rules(unsigned bits)
{
    return (belayi_sql_rules){
        .placeholders = (belayi_placeholders)(bits % 3),
        .backslash_escapes = bits & 1 << 2,
        .escape_strings = bits & 1 << 3,
        .double_quoted_strings = bits & 1 << 4,
        .dollar_quotes = bits & 1 << 5,
        .nested_comments = bits & 1 << 6,
        .hash_comments = bits & 1 << 7,
        .dash_needs_space = bits & 1 << 8,
        .executable_comments = bits & 1 << 9,
        .backtick_identifiers = bits & 1 << 10,
        .bracket_identifiers = bits & 1 << 11,
        .ddl_commits = bits & 1 << 12,
        .drop_locking = bits & 1 << 13,
    };
}

static void check_failure(const belayi_sql *sql, size_t size)
{
    REQUIRE(sql->text == NULL);
    REQUIRE(sql->order == NULL);
    REQUIRE(sql->error != NULL);
    REQUIRE(sql->error_at <= size);
}

static void check_success(const belayi_sql *sql, size_t size)
{
    REQUIRE(sql->error == NULL);
    REQUIRE(sql->text != NULL);
    REQUIRE(sql->text[sql->size] == '\0');
    REQUIRE(sql->size > 0);
    REQUIRE(sql->size <= size + 8 * (size_t)sql->places + 1);
    REQUIRE(sql->kind > BELAYI_SQL_EMPTY && sql->kind <= BELAYI_SQL_PREPARE);
    REQUIRE(sql->parameters <= BELAYI_PARAMETERS_MAX);
    REQUIRE((sql->order == NULL) == (sql->places == 0));
    for (unsigned i = 0; i < sql->places; i++)
        REQUIRE(sql->order[i] < sql->parameters);
}

/*
 * What was written once for an engine is written the same again, but where a
 * semicolon went away: a byte order mark can now be at the start, and the two
 * minus signs of MariaDB's 5--; are now a comment, as they are at the end.
 */
static void check_reading_again(const belayi_sql *sql, const belayi_sql_rules *rules)
{
    belayi_sql again;

    if (sql->size >= 3 && memcmp(sql->text, "\xEF\xBB\xBF", 3) == 0)
        return;
    if (rules->dash_needs_space && sql->size >= 2 && memcmp(sql->text + sql->size - 2, "--", 2) == 0)
        return;
    REQUIRE(belayi_sql_read(sql->text, sql->size, rules, &again) == BELAYI_LEX_OK);
    REQUIRE(again.kind == sql->kind);
    REQUIRE(again.returning == sql->returning);
    REQUIRE(again.lock == sql->lock);
    REQUIRE(again.size == sql->size);
    REQUIRE(memcmp(again.text, sql->text, sql->size) == 0);
    REQUIRE(again.parameters == sql->parameters);
    REQUIRE(again.places == sql->places);
    REQUIRE(sql->places == 0 || memcmp(again.order, sql->order, sql->places * sizeof *sql->order) == 0);
    belayi_sql_done(&again);
}

/* A comment before a statement changes nothing, nor do three spaces for a byte order mark. */
static void check_behind_comment(const char *input, size_t size, const belayi_sql_rules *rules,
                                 belayi_lex_status status, const belayi_sql *sql)
{
    static const char comment[] = "/* ' */ ";
    size_t before = sizeof comment - 1;
    char *behind = malloc(before + size);
    belayi_sql same;

    REQUIRE(behind != NULL);
    memcpy(behind, comment, before);
    if (size > 0)
        memcpy(behind + before, input, size);
    for (size_t at = 0; size - at >= 3 && memcmp(input + at, "\xEF\xBB\xBF", 3) == 0; at += 3)
        memset(behind + before + at, ' ', 3);
    REQUIRE(belayi_sql_read(behind, before + size, rules, &same) == status);
    REQUIRE(same.kind == sql->kind);
    REQUIRE(same.parameters == sql->parameters);
    REQUIRE(status == BELAYI_LEX_OK || same.error_at == sql->error_at + before);
    belayi_sql_done(&same);
    free(behind);
}

static void check_rules(const char *input, size_t size, const belayi_sql_rules *rules)
{
    belayi_sql sql;
    belayi_lex_status status = belayi_sql_read(input, size, rules, &sql);
    bool clause_dropped = rules->drop_locking && sql.lock != BELAYI_LOCK_NONE;
    bool question_marks =
        rules->placeholders == BELAYI_PLACEHOLDERS_PLAIN || (size > 0 && memmem(input, size, "??", 2) != NULL);

    REQUIRE(status != BELAYI_LEX_NO_MEMORY);
    if (status == BELAYI_LEX_OK)
        check_success(&sql, size);
    else
        check_failure(&sql, size);
    if (status == BELAYI_LEX_OK && !clause_dropped && !question_marks)
        check_reading_again(&sql, rules);
    check_behind_comment(input, size, rules, status, &sql);
    belayi_sql_done(&sql);
}

static void check_quoting(const char *name, size_t size)
{
    char small[16];
    size_t needed = belayi_sql_quote(NULL, 0, name, size, '"');

    REQUIRE(needed == 0 || (needed >= size + 2 && needed <= 2 * size + 2));
    REQUIRE(belayi_sql_quote(small, sizeof small, name, size, '"') == needed);
    REQUIRE(strlen(small) == (needed < sizeof small ? needed : sizeof small - 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* A copy without the NUL behind it, in which a byte too many is found. */
    char *input = size > 0 ? malloc(size) : NULL;
    REQUIRE(size == 0 || input != NULL);
    if (size > 0)
        memcpy(input, data, size);
    for (int i = 0; i < ENGINES; i++)
        check_rules(input, size, every_engine[i]);
    if (size >= 2) {
        belayi_sql_rules picked = pick_rules((unsigned)data[0] << 8 | data[1]);
        check_rules(input, size, &picked);
    }
    if (size > 0)
        check_quoting(input, size);
    free(input);
    return 0;
}
