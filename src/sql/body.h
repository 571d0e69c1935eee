/*
 * body.h - tells the semicolons in the body of a trigger or routine from the
 * one that ends the statement, by counting BEGIN, CASE and END.
 */
#ifndef BELAYI_SQL_BODY_H
#define BELAYI_SQL_BODY_H

#include "word.h"

#include <stdbool.h>

typedef enum belayi_body_type {
    BELAYI_BODY_NONE,
    BELAYI_BODY_BLOCK, /* from BEGIN to its END */
    BELAYI_BODY_RULE,  /* CREATE RULE ... DO (a; b) */
    BELAYI_BODY_REST   /* a package: all that follows */
} belayi_body_type;

typedef struct belayi_body {
    belayi_body_type type;
    bool ending;   /* the word before was END; the next one tells what it ends */
    size_t blocks; /* open BEGIN and CASE */
} belayi_body;

/* Takes the next token: its word, or BELAYI_WORD_NONE for any other. */
void belayi_sql_body_feed(belayi_body *, belayi_word);

/* Whether a semicolon here belongs to the body, inside that many open parentheses. */
bool belayi_sql_body_continues(belayi_body *, size_t parentheses);

#endif
