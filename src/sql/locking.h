/*
 * locking.h - finds the locking clauses of a query:
 *
 *     FOR UPDATE | NO KEY UPDATE | SHARE | KEY SHARE [OF a, b.c] [NOWAIT | SKIP LOCKED | WAIT n]
 *     LOCK IN SHARE MODE [the same]
 */
#ifndef BELAYI_SQL_LOCKING_H
#define BELAYI_SQL_LOCKING_H

#include "scan.h"

typedef enum belayi_lock_state {
    BELAYI_LOCKING_NONE,
    BELAYI_LOCKING_FOR,
    BELAYI_LOCKING_NO,
    BELAYI_LOCKING_NO_KEY,
    BELAYI_LOCKING_KEY,
    BELAYI_LOCKING_LOCK,
    BELAYI_LOCKING_IN,
    BELAYI_LOCKING_IN_SHARE,
    BELAYI_LOCKING_CLAUSE, /* a whole clause was read; more may follow */
    BELAYI_LOCKING_OF,
    BELAYI_LOCKING_TABLE,
    BELAYI_LOCKING_WAIT,
    BELAYI_LOCKING_SKIP
} belayi_lock_state;

typedef enum belayi_lock_event {
    BELAYI_LOCK_NOTHING,
    BELAYI_LOCK_STARTS, /* a clause may start with this token */
    BELAYI_LOCK_TAKES,  /* all from there to this token is a clause */
    BELAYI_LOCK_CLASHES /* NOWAIT and SKIP LOCKED in one clause */
} belayi_lock_event;

typedef struct belayi_lock_reader {
    belayi_lock_state state;
    belayi_lock_wait clause; /* of the clause that is being read */
    belayi_lock_wait lock;   /* of all clauses: SKIP over NOWAIT over WAIT */
} belayi_lock_reader;

/* Takes the next token, white space and comments left out. The reader starts as all zeros. */
belayi_lock_event belayi_sql_lock_feed(belayi_lock_reader *, const belayi_token *);

#endif
