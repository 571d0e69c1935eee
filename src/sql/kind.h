/*
 * kind.h - says what kind of statement a row of tokens is.
 *
 * A reader is fed the tokens one by one, white space and comments left out, and
 * knows at every moment what the statement is so far. It keeps no tokens.
 */
#ifndef BELAYI_SQL_KIND_H
#define BELAYI_SQL_KIND_H

#include "body.h"
#include "scan.h"

typedef enum belayi_kind_state {
    BELAYI_KIND_VERB,      /* the verb comes next, perhaps behind parentheses */
    BELAYI_KIND_WITH,      /* in the list of a WITH; the verb comes behind it */
    BELAYI_KIND_SECOND,    /* a word that follows the verb may tell more */
    BELAYI_KIND_OBJECT,    /* CREATE or ALTER: what, comes after any number of other words */
    BELAYI_KIND_SET_NAME,  /* in a SET, where a variable is named */
    BELAYI_KIND_SET_VALUE, /* in a SET, behind that */
    BELAYI_KIND_SETTLED
} belayi_kind_state;

typedef struct belayi_kind_reader {
    belayi_sql_kind kind;
    belayi_kind_state state;
    bool ddl_commits;
    bool returning;     /* a RETURNING at the level of the verb */
    bool temporary;     /* CREATE TEMPORARY */
    bool set_statement; /* SET STATEMENT ... FOR statement */
    unsigned ats;       /* the @ before a name of a SET */
    belayi_word verb;
    belayi_word before; /* the token before, when it was a word */
    char before_symbol; /* and when it was a symbol */
    size_t depth;       /* of parentheses, now */
    size_t level;       /* of parentheses, where the verb was */
    belayi_body body;
} belayi_kind_reader;

void belayi_sql_kind_start(belayi_kind_reader *, bool ddl_commits);
void belayi_sql_kind_feed(belayi_kind_reader *, const belayi_token *);

/* Whether a semicolon here is inside the statement: in the body of a trigger or routine. */
bool belayi_sql_kind_continues(belayi_kind_reader *);

#endif
