/*
 * scan.h - cuts SQL text into tokens.
 *
 * Every byte of the input belongs to exactly one token, so that the tokens
 * written one after the other give the input again. What a quote, a comment or
 * a dollar sign means is told by the rules; what a statement means is not known
 * here.
 */
#ifndef BELAYI_SQL_SCAN_H
#define BELAYI_SQL_SCAN_H

#include "lexer.h"
#include "word.h"

typedef enum belayi_token_type {
    BELAYI_TOKEN_END,
    BELAYI_TOKEN_BLANK,  /* white space, or one comment */
    BELAYI_TOKEN_MARK,   /* a byte order mark that counts as white space */
    BELAYI_TOKEN_WORD,   /* keyword or identifier */
    BELAYI_TOKEN_QUOTED, /* "x" `x` [x] */
    BELAYI_TOKEN_STRING, /* 'x' E'x' x'00' "x" $a$x$a$ */
    BELAYI_TOKEN_NUMBER,
    BELAYI_TOKEN_VARIABLE, /* @x, and a $x that is no placeholder */
    BELAYI_TOKEN_PLACEHOLDER,
    BELAYI_TOKEN_QUESTION, /* ?? */
    BELAYI_TOKEN_OPENER,   /* the start of an executable comment, with its version number */
    BELAYI_TOKEN_CLOSER,   /* and its end */
    BELAYI_TOKEN_SYMBOL,   /* any other byte, and :: and := */
    BELAYI_TOKEN_ERROR     /* `error` says what; it starts at `at` */
} belayi_token_type;

typedef enum belayi_style {
    BELAYI_STYLE_NONE,
    BELAYI_STYLE_QUESTION, /* ? */
    BELAYI_STYLE_NUMBER,   /* ?3 */
    BELAYI_STYLE_DOLLAR,   /* $3 */
    BELAYI_STYLE_NAME      /* :name */
} belayi_style;

typedef struct belayi_token {
    belayi_token_type type;
    size_t at; /* the offset of its first byte in the input */
    size_t size;
    belayi_word word;   /* of a WORD, and of what is inside a QUOTED */
    char symbol;        /* of a SYMBOL its last byte, so ':' for :: and '=' for := */
    belayi_style style; /* of a PLACEHOLDER */
    unsigned number;    /* of ?3 and $3; more than BELAYI_PARAMETERS_MAX for any that is too large */
    const char *error;  /* of an ERROR: a static sentence */
} belayi_token;

/* Where a reading of a text has come to. Only scan.c looks inside, but for `doubtful`. */
typedef struct belayi_scanner {
    const char *text;
    size_t size;
    size_t at;
    const belayi_sql_rules *rules;
    belayi_token_type before; /* the token before, white space and comments included; END at the start */
    bool after_value;         /* an expression can have ended before here, white space and comments aside */
    size_t opened_at;         /* the outermost executable comment that is open */
    size_t executable;        /* how many are open */
    size_t doubtful;          /* how many of them are open since, and with, one that the server may skip */
    unsigned char *brackets;  /* one byte for each ( and [ that is open; grows as they nest */
    size_t depth;
    size_t room;
} belayi_scanner;

void belayi_sql_scan(belayi_scanner *, const char *text, size_t size, const belayi_sql_rules *);

/*
 * Gives the next token. False when memory ran out; true else. After an END or
 * an ERROR it must not be called again.
 */
bool belayi_sql_next(belayi_scanner *, belayi_token *out);

void belayi_sql_scan_done(belayi_scanner *);

/* Whether a byte can be inside an identifier: letters, digits, _, $ and all beyond ASCII. */
bool belayi_sql_is_identifier(char);

/* Whether a byte is white space to any of the engines. */
bool belayi_sql_is_space(char);

#endif
