/*
 * pair.h - two sessions whose outermost scopes open, fail and end together.
 */
#ifndef BELAYI_TWO_PHASE_PAIR_H
#define BELAYI_TWO_PHASE_PAIR_H

#include <stdbool.h>
#include <stdint.h>

#include "decisions.h"
#include "prepared.h"
#include "session.h"

enum { BELAYI_SIDES = 2 };

typedef struct belayi_side {
    belay_session *s;
    uint64_t serial;                 /* of its outermost scope */
    char name[BELAYI_PREPARED_ROOM]; /* that it is prepared under; "": its engine can't */
    bool asked;                      /* to prepare: it may be prepared, whatever it answered */
    bool told;                       /* what became of it */
    belayi_hooks hooks;              /* to be run when all is over */
} belayi_side;

typedef struct belayi_pair {
    belayi_side sides[BELAYI_SIDES];
    belayi_side *last; /* the one that can't prepare: its commit decides; NULL: the log's does */
    belay_db *log;
    char unit[BELAYI_NUMBER_ROOM];
    belay_place place;
} belayi_pair;

static inline belayi_transaction *belayi_side_transaction(const belayi_side *one)
{
    return &one->s->transaction;
}

/* An error of both: pending where a scope is open, else the status. */
void belayi_pair_raise(belayi_pair *, const belay_error *);

/* Whatever stops one stops the other. True when both still work. */
bool belayi_pair_agree(belayi_pair *);

/* Finds out which part each takes and where it is decided, and opens both scopes. On failure the error is of both, and
   a side with a serial is open all the same. */
belay_code belayi_pair_open(belayi_pair *);

#endif
