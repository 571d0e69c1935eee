/*
 * director.h - plays a script: gives the actors their steps in order, and sees who waits.
 *
 * The next step is given only when everybody is idle or is known to wait for a
 * lock; so the order of what happens is the script's, and not chance.
 * Tests: tests/isolation/test_isolation_check.c.
 */
#ifndef BELAYI_ISOLATION_DIRECTOR_H
#define BELAYI_ISOLATION_DIRECTOR_H

#include "actor.h"
#include "dialect.h"

typedef struct belayi_director {
    belayi_scene scene;
    belayi_actor actors[BELAYI_SESSIONS];
    const belayi_dialect *dialect;
    belayi_watch watch;
    const belay_isolation_options *options;
    bool stopped; /* the caller wants the end */

    /* of the script that is played */
    bool waiting[BELAYI_SESSIONS]; /* known to wait, with its step under way */
    int waits[BELAYI_SESSIONS];    /* steps that did */
    int counted[BELAYI_SESSIONS];  /* the last of them */
    unsigned ends;                 /* of units, when `waiting` was made sure of */
    int64_t give_up_ns;
} belayi_director;

/* What came of a script. */
typedef struct belayi_performance {
    belayi_history history; /* x and y are for the caller to fill */
    int waits[BELAYI_SESSIONS];
    belay_error failures[BELAYI_SESSIONS]; /* the first of each session, which a rerun cured */
    belay_error error;                     /* what a rerun did not cure, or why it could not be played; BELAY_OK */
    bool slow;                             /* a step was taken to wait, and the driver knows nothing of it */
} belayi_performance;

/* `s` is the session that looks on; all are borrowed. False: *error is filled; belayi_director_close all the same. */
bool belayi_director_open(belayi_director *, const char *url, belay_session *s, const belay_isolation_options *,
                          belay_error *error);
void belayi_director_close(belayi_director *);

/* Plays it on the table. Every actor is idle afterwards, outside any scope. */
void belayi_director_play(belayi_director *, const belayi_script *, const char *table, belay_level,
                          belayi_performance *);

/* Whether the caller wants to stop. */
bool belayi_director_is_stopped(belayi_director *);

#endif
