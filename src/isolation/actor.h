/*
 * actor.h - a session with a thread of its own, which does the steps it is given in their order.
 *
 * A step that waits for a lock keeps its thread; what is posted meanwhile stays
 * queued. A unit whose step fails is rolled back at once, as a block's end would,
 * and its other steps are left out, until a new unit is announced.
 * Tests: tests/isolation/test_isolation_check.c.
 */
#ifndef BELAYI_ISOLATION_ACTOR_H
#define BELAYI_ISOLATION_ACTOR_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <belay/belay.h>

#include "script.h"

enum { BELAYI_QUEUE = 2 * BELAYI_STEPS, BELAYI_TEXT = 256 };

/* What all actors of a check share. */
typedef struct belayi_scene {
    pthread_mutex_t mutex;
    pthread_cond_t changed; /* a step is done */
    const char *table;      /* of the cell that is played; changes only while all are idle */
    belay_scope_options unit;
} belayi_scene;

typedef struct belayi_actor {
    belayi_scene *scene;
    belay_db *db;
    belay_session *s;
    pthread_t thread;
    bool started;
    pthread_cond_t posted; /* a step, or the end */

    /* under the scene's mutex */
    belayi_step queue[BELAYI_QUEUE];
    int n_posted, n_done;
    bool quit;
    unsigned ends; /* of units, of which each may have let others go on */

    /* the thread's while there is something to do, else the director's */
    bool read_only;
    bool failed; /* the unit; `error` says why */
    belay_error error;
    belay_error race; /* what ended the race for it; BELAY_OK */
    int64_t read[BELAYI_READS];
    int told; /* how often the driver told of a wait for a lock */
} belayi_actor;

/* Opens a session by a handle of its own, and starts the thread. False: *error is filled; belayi_actor_stop all the
 * same. */
bool belayi_actor_start(belayi_actor *, belayi_scene *, const char *url, bool traced, belay_error *error);
/* Ends the thread when its queue is done, and closes. Accepts one that was never started. */
void belayi_actor_stop(belayi_actor *);

/* Under the scene's mutex. */
void belayi_actor_post(belayi_actor *, belayi_step);
bool belayi_actor_is_busy(const belayi_actor *);
/* Forgets what is queued, but not what is being done. */
void belayi_actor_drop(belayi_actor *);

/* While it is idle: a new unit. */
void belayi_actor_renew(belayi_actor *, bool read_only);

#endif
