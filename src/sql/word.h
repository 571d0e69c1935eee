/*
 * word.h - the words that tell statements apart.
 *
 * Only words that decide something are here: verbs, the words that follow
 * them, the words of a locking clause, those that open and close blocks, and
 * the names of variables that steer transactions. Every other word is
 * BELAYI_WORD_NONE. The list is in alphabetical order, as it is searched.
 */
#ifndef BELAYI_SQL_WORD_H
#define BELAYI_SQL_WORD_H

#include <stddef.h>

/* clang-format off */
#define BELAYI_WORDS(X) \
    X(ABORT) X(ALTER) X(ANALYZE) X(AUTOCOMMIT) \
    X(BACKUP) X(BEGIN) \
    X(CACHE) X(CASE) X(CHANGE) X(CHARACTERISTICS) X(CHECK) X(COMMIT) X(COMPLETION_TYPE) X(CREATE) \
    X(DATABASE) X(DEFAULT_TRANSACTION_DEFERRABLE) X(DEFAULT_TRANSACTION_ISOLATION) \
    X(DEFAULT_TRANSACTION_READ_ONLY) X(DELETE) X(DESC) X(DESCRIBE) X(DROP) \
    X(END) X(EVENT) X(EXPLAIN) \
    X(FLUSH) X(FOR) X(FORMAT) X(FUNCTION) \
    X(GLOBAL) X(GRANT) \
    X(IF) X(IN) X(INDEX) X(INSERT) X(INSTALL) \
    X(KEY) \
    X(LOAD) X(LOCAL) X(LOCK) X(LOCKED) X(LOOP) \
    X(MERGE) X(MODE) \
    X(NO) X(NOT) X(NOWAIT) X(NO_WRITE_TO_BINLOG) \
    X(OF) X(OPTIMIZE) \
    X(PACKAGE) X(PASSWORD) X(PREPARE) X(PROCEDURE) \
    X(RECURSIVE) X(RELEASE) X(RENAME) X(REPAIR) X(REPEAT) X(REPLACE) X(RESET) X(RETURNING) X(REVOKE) X(ROLE) \
    X(ROLLBACK) X(RULE) \
    X(SAVEPOINT) X(SCHEMA) X(SELECT) X(SEQUENCE) X(SESSION) X(SET) X(SHARE) X(SHOW) X(SHUTDOWN) X(SKIP) X(START) \
    X(STATEMENT) X(STOP) \
    X(TABLE) X(TEMPORARY) X(TO) X(TRANSACTION) X(TRANSACTION_DEFERRABLE) X(TRANSACTION_ISOLATION) \
    X(TRANSACTION_READ_ONLY) X(TRIGGER) X(TRUNCATE) X(TX_ISOLATION) X(TX_READ_ONLY) \
    X(UNINSTALL) X(UNLOCK) X(UPDATE) X(USER) \
    X(VALUES) X(VIEW) \
    X(WAIT) X(WHILE) X(WITH) X(WORK) \
    X(XA)
/* clang-format on */

typedef enum belayi_word {
    BELAYI_WORD_NONE,
#define BELAYI_WORD_ID(name) BELAYI_WORD_##name,
    BELAYI_WORDS(BELAYI_WORD_ID)
#undef BELAYI_WORD_ID
        BELAYI_WORD_COUNT
} belayi_word;

/* Which word the `size` bytes at `text` are, without regard to case. */
belayi_word belayi_sql_word(const char *text, size_t size);

#endif
