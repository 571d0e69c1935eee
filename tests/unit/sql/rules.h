/*
 * rules.h - the rules of the three engines as their servers come, and checks
 * that the tests of src/sql share.
 */
#ifndef BELAYI_TEST_SQL_RULES_H
#define BELAYI_TEST_SQL_RULES_H

#include "lexer.h"

static const belayi_sql_rules sqlite_rules = {
    .placeholders = BELAYI_PLACEHOLDERS_NUMBERED,
    .backtick_identifiers = true,
    .bracket_identifiers = true,
    .drop_locking = true,
};

static const belayi_sql_rules postgresql_rules = {
    .placeholders = BELAYI_PLACEHOLDERS_DOLLAR,
    .escape_strings = true,
    .dollar_quotes = true,
    .nested_comments = true,
};

static const belayi_sql_rules mariadb_rules = {
    .placeholders = BELAYI_PLACEHOLDERS_PLAIN,
    .backslash_escapes = true,
    .double_quoted_strings = true,
    .hash_comments = true,
    .dash_needs_space = true,
    .executable_comments = true,
    .backtick_identifiers = true,
    .ddl_commits = true,
};

static const belayi_sql_rules *const every_engine[] = {&sqlite_rules, &postgresql_rules, &mariadb_rules};

enum { ENGINES = 3 };

#endif
