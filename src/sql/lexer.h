/*
 * lexer.h - reads one SQL statement as far as a transaction layer must.
 *
 * Job: find the placeholders and rewrite them for an engine, say what kind of
 * statement a text is, find a locking clause at its end, and quote identifiers.
 * It reads text under rules that it is told (they come from the connection, as
 * sql_mode and standard_conforming_strings change what a string is) and knows
 * no engine by name, no connection and no transaction.
 *
 * It is a lexer, not a parser: it never looks inside a literal, a comment, a
 * quoted identifier or a dollar quote, except for MariaDB's executable
 * comments, whose content is SQL.
 *
 * Tests: tests/unit/sql, tests/fuzz.
 */
#ifndef BELAYI_SQL_LEXER_H
#define BELAYI_SQL_LEXER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How the engine wants its placeholders. */
typedef enum belayi_placeholders {
    BELAYI_PLACEHOLDERS_NUMBERED, /* ?1 ?2 ?1        SQLite; where all are ?, they stay so */
    BELAYI_PLACEHOLDERS_DOLLAR,   /* $1 $2 $1        PostgreSQL */
    BELAYI_PLACEHOLDERS_PLAIN     /* ? ? ?           MariaDB; `order` tells which argument each one is */
} belayi_placeholders;

/* What the connection's own settings make of a text. */
typedef struct belayi_sql_rules {
    belayi_placeholders placeholders;
    bool backslash_escapes;     /* '\'' is one quote (MariaDB without NO_BACKSLASH_ESCAPES; PostgreSQL
                                   with standard_conforming_strings off) */
    bool escape_strings;        /* E'\'' (PostgreSQL) */
    bool double_quoted_strings; /* "x" is a string (MariaDB without ANSI_QUOTES), else an identifier */
    bool dollar_quotes;         /* $tag$ ... $tag$ (PostgreSQL) */
    bool nested_comments;       /* block comments nest, and a line comment ends at CR as it does at LF (PostgreSQL) */
    bool hash_comments;         /* # to the end of the line (MariaDB) */
    bool dash_needs_space;      /* -- starts a comment only before white space or the end (MariaDB) */
    bool executable_comments;  /* the text in an exclamation-mark comment, plain or M, with or without a version number,
                                  is SQL (MariaDB) */
    bool backtick_identifiers; /* `x` (SQLite, MariaDB) */
    bool bracket_identifiers;  /* [x], and a byte order mark is white space anywhere, not only at the start (SQLite) */
    bool ddl_commits;          /* DDL, LOCK TABLES and the like commit implicitly (MariaDB) */
    bool drop_locking;         /* leave a final FOR UPDATE/SHARE clause out of the text (SQLite) */
} belayi_sql_rules;

typedef enum belayi_sql_kind {
    BELAYI_SQL_EMPTY,  /* nothing but white space, comments and semicolons */
    BELAYI_SQL_SELECT, /* SELECT, VALUES, TABLE, WITH ... SELECT, SHOW, EXPLAIN, DESCRIBE */
    BELAYI_SQL_INSERT, /* INSERT, REPLACE, and WITH ... INSERT */
    BELAYI_SQL_UPDATE,
    BELAYI_SQL_DELETE,
    BELAYI_SQL_OTHER,           /* DDL where it is transactional, PRAGMA, SET, CALL, DO, COPY, MERGE, ... */
    BELAYI_SQL_IMPLICIT_COMMIT, /* would commit behind the scope's back, under `ddl_commits` */
    BELAYI_SQL_BEGIN,           /* BEGIN, START TRANSACTION, XA START, XA BEGIN */
    BELAYI_SQL_COMMIT,          /* COMMIT, END (as a statement), XA COMMIT, COMMIT PREPARED */
    BELAYI_SQL_ROLLBACK,        /* ROLLBACK, ABORT, ROLLBACK PREPARED, XA ROLLBACK */
    BELAYI_SQL_SAVEPOINT,
    BELAYI_SQL_RELEASE,
    BELAYI_SQL_ROLLBACK_TO,
    BELAYI_SQL_SET_TRANSACTION, /* SET [SESSION|LOCAL|GLOBAL] TRANSACTION, SET SESSION CHARACTERISTICS,
                                   SET autocommit, SET @@autocommit and its spellings, anywhere in the
                                   list of a SET; isolation level variables (tx_isolation,
                                   transaction_isolation, default_transaction_*, transaction_read_only,
                                   tx_read_only, transaction_deferrable) and completion_type, which makes a
                                   COMMIT chain or disconnect */
    BELAYI_SQL_PREPARE          /* PREPARE TRANSACTION, XA END, XA PREPARE */
} belayi_sql_kind;

typedef enum belayi_lock_wait {
    BELAYI_LOCK_NONE,
    BELAYI_LOCK_WAIT, /* FOR UPDATE, also with WAIT n, which is for the engine */
    BELAYI_LOCK_NOWAIT,
    BELAYI_LOCK_SKIP /* SKIP LOCKED */
} belayi_lock_wait;

typedef enum belayi_lex_status {
    BELAYI_LEX_OK,
    BELAYI_LEX_EMPTY,        /* no statement in it */
    BELAYI_LEX_TWO,          /* a second statement follows the first */
    BELAYI_LEX_UNTERMINATED, /* a string, quoted identifier, comment or dollar quote has no end */
    BELAYI_LEX_MIXED_STYLES, /* two placeholder styles in one statement */
    BELAYI_LEX_BAD_NUMBER,   /* ?0, $0, or a number over BELAYI_PARAMETERS_MAX */
    BELAYI_LEX_LOCK_CLASH,   /* NOWAIT together with SKIP LOCKED */
    BELAYI_LEX_NO_MEMORY
} belayi_lex_status;

enum { BELAYI_PARAMETERS_MAX = 65535 };

/* What is known of a statement. `text` and `order` are owned by it: belayi_sql_done. */
typedef struct belayi_sql {
    belayi_sql_kind kind;
    belayi_lock_wait lock; /* of the locking clause at the end of the statement, under `drop_locking` of those in
                              parentheses too: the last in the order of the enum when there are several */
    bool returning;        /* a RETURNING clause at the top level of an INSERT, UPDATE or DELETE */
    char *text;            /* the statement as the engine wants it, NUL-terminated, without semicolons around it
                              and white space at its end */
    size_t size;           /* bytes of it, without the NUL */
    unsigned parameters;   /* how many values the caller must give (the highest number, or the count) */
    unsigned places;       /* how many placeholders are in `text` */
    unsigned *order;       /* for each placeholder in `text`: which value, from 0; NULL when places is 0 */
    size_t error_at;       /* when not OK: the byte offset in the input */
    const char *error;     /* when not OK: a static sentence, such as "a string that starts here has no end" */
} belayi_sql;

/*
 * Reads `size` bytes of `input`.
 *
 * Placeholders are ?  ?3  $3  and :name (bound in order of first appearance;
 * the same name is the same value), one style a statement. ?? is one question
 * mark. Never placeholders: what is inside a literal, comment, quoted
 * identifier or dollar quote; ::  casts; := ; array slices such as a[1:n],
 * a[x:y]; a $ or : inside an identifier; a $name or @name. Directly inside [ ],
 * where those are not identifiers, :name is a placeholder only behind [ ( , or
 * an operator. A NUL byte ends nothing: it is passed on as any other byte.
 * Byte order marks at the start are skipped. Keywords are matched without
 * regard to case. Leading parentheses are looked through: (SELECT 1) is a
 * SELECT. Semicolons in the body of a trigger or routine end nothing.
 *
 * On success fills *out_sql, which the caller frees with belayi_sql_done. On
 * failure out_sql->text and ->order are NULL, and ->error and ->error_at say
 * what and where. Takes time and memory linear in the size of the input, and
 * does not recurse.
 */
belayi_lex_status belayi_sql_read(const char *input, size_t size, const belayi_sql_rules *rules, belayi_sql *out_sql);

/* Frees what belayi_sql_read gave. Accepts one that is all zeros, and being called twice. */
void belayi_sql_done(belayi_sql *);

/*
 * Whether the kind is transaction control; then *out_instead (if not NULL) is
 * the name of Belay's own call for it, such as "belay_begin or BELAY_ATOMIC".
 */
bool belayi_sql_controls_transaction(belayi_sql_kind, const char **out_instead);

/*
 * Writes `name` as a quoted identifier: "na""me", or `na``me` when quote is a
 * backtick. Always NUL-terminates within `room`. Returns the bytes needed
 * without the NUL, as snprintf does; 0 when the name has a NUL byte in it or
 * is empty, as no engine has such identifiers.
 */
size_t belayi_sql_quote(char *out, size_t room, const char *name, size_t size, char quote);

#endif
