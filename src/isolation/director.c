#include "director.h"

#include <string.h>
#include <time.h>

#include "clock.h"
#include "report.h"

enum {
    LOOK_MS = 3,      /* between two looks at who has come back */
    PATIENCE_MS = 40, /* where the engine can't be asked: a step that takes longer is taken to wait */
    NS_IN_SECOND = 1000000000
};

/* ---- Watching ---------------------------------------------------------------------------------------------------- */

bool belayi_director_is_stopped(belayi_director *d)
{
    if (!d->stopped && d->options->stop)
        d->stopped = d->options->stop(d->options->stop_arg);
    return d->stopped;
}

/* With the mutex held: until somebody has done a step, or it is time to look. */
static void wait_a_little(belayi_director *d)
{
    int64_t end = belayi_clock_to_system(belayi_clock_after(LOOK_MS));
    struct timespec until = {.tv_sec = (time_t)(end / NS_IN_SECOND), .tv_nsec = (long)(end % NS_IN_SECOND)};
    pthread_cond_timedwait(&d->scene.changed, &d->scene.mutex, &until);
}

/* Who has ended a unit may have let others go on: whether they still wait is not known any more. */
static void note_ends(belayi_director *d)
{
    unsigned ends = 0;
    for (int who = 0; who < BELAYI_SESSIONS; who++)
        ends += d->actors[who].ends;
    for (int who = 0; who < BELAYI_SESSIONS; who++)
        if (ends != d->ends || !belayi_actor_is_busy(&d->actors[who]))
            d->waiting[who] = false;
    d->ends = ends;
}

/* One that is busy and not known to wait; BELAYI_SESSIONS: there is none. */
static int find_restless(belayi_director *d)
{
    note_ends(d);
    for (int who = 0; who < BELAYI_SESSIONS; who++)
        if (belayi_actor_is_busy(&d->actors[who]) && !d->waiting[who])
            return who;
    return BELAYI_SESSIONS;
}

/* Asks whether it waits, without the mutex, as that takes time; what has come back meanwhile does not wait. */
static void ask(belayi_director *d, int who, int64_t since_ns)
{
    belayi_actor *a = &d->actors[who];
    int at = a->n_done;
    unsigned ends = d->ends;
    bool waits;
    if (d->dialect->waits) {
        pthread_mutex_unlock(&d->scene.mutex);
        waits = d->dialect->waits(&d->watch, a->read[0]);
        pthread_mutex_lock(&d->scene.mutex);
    } else {
        waits = belayi_clock_now() - since_ns > (int64_t)PATIENCE_MS * BELAYI_NS_PER_MS;
    }
    note_ends(d);
    if (!waits || !belayi_actor_is_busy(a) || a->n_done != at || d->ends != ends)
        return;
    d->waiting[who] = true;
    d->waits[who] += d->counted[who] != at;
    d->counted[who] = at;
}

/* With the mutex held. False when it takes too long, nobody can be asked, or the caller wants to stop. */
static bool settle(belayi_director *d)
{
    int64_t since = belayi_clock_now();
    for (int who; (who = find_restless(d)) < BELAYI_SESSIONS;) {
        unsigned ends = d->ends;
        wait_a_little(d);
        if (belayi_director_is_stopped(d) || belayi_clock_passed(d->give_up_ns) || d->watch.error.code != BELAY_OK)
            return false;
        if (find_restless(d) == who && d->ends == ends)
            ask(d, who, since);
        else
            since = belayi_clock_now();
    }
    return true;
}

/* The same until everybody is idle: those who wait will get what they wait for, or an error. */
static bool drain(belayi_director *d, int64_t give_up_ns, bool to_the_end)
{
    for (int who = 0; who < BELAYI_SESSIONS; who++)
        while (belayi_actor_is_busy(&d->actors[who])) {
            wait_a_little(d);
            if (!to_the_end && (belayi_director_is_stopped(d) || belayi_clock_passed(give_up_ns)))
                return false;
        }
    return true;
}

/* ---- Playing ----------------------------------------------------------------------------------------------------- */

static bool give(belayi_director *d, const belayi_step *step)
{
    belayi_actor *a = &d->actors[step->who];
    bool queued = belayi_actor_is_busy(a);
    belayi_actor_post(a, *step);
    if (queued || step->act == BELAYI_RACE) /* behind one that waits: nothing can have changed; or all are to run */
        return true;
    d->counted[step->who] = -1;
    return settle(d);
}

static bool give_all(belayi_director *d, const belayi_script *script)
{
    for (const belayi_step *step = script->steps; step->act != BELAYI_END_OF_SCRIPT; step++)
        if (!give(d, step))
            return false;
    return drain(d, d->give_up_ns, false);
}

/* Everybody's work is undone: first of those who don't wait, so that the others get what they wait for. Every call has
   its limit, so this ends. */
static void call_off(belayi_director *d)
{
    for (int who = 0; who < BELAYI_SESSIONS; who++) {
        belayi_actor_drop(&d->actors[who]);
        belayi_actor_post(&d->actors[who], (belayi_step){.act = BELAYI_ROLL_BACK, .who = who});
    }
    drain(d, 0, true);
}

/* Why it could not be played. */
static void explain(belayi_director *d, belayi_performance *out)
{
    int who = 0;
    while (who < BELAYI_SESSIONS - 1 && !belayi_actor_is_busy(&d->actors[who]))
        who++;
    if (d->stopped)
        belayi_report(&out->error, BELAY_CANCELLED, "stopped");
    else if (d->watch.error.code != BELAY_OK)
        out->error = d->watch.error;
    else
        belayi_report(&out->error, BELAY_TIMEOUT, "%c did not come back, and did not wait for a lock", 'A' + who);
}

static void renew_all(belayi_director *d, const belayi_script *script)
{
    memset(d->waits, 0, sizeof d->waits);
    memset(d->waiting, 0, sizeof d->waiting);
    d->watch.error = (belay_error){.code = BELAY_OK};
    for (int who = 0; who < BELAYI_SESSIONS; who++) {
        belayi_actor *a = &d->actors[who];
        belayi_actor_renew(a, strchr(script->readers, 'A' + who) != NULL);
        a->told = 0;
        if (d->dialect->identify)
            belayi_actor_post(a, (belayi_step){.act = BELAYI_IDENTIFY, .who = who, .sql = d->dialect->identify});
    }
}

/* What the connections are called at the server. */
static bool identify_all(belayi_director *d, belayi_performance *out)
{
    bool known = drain(d, d->give_up_ns, false);
    for (int who = 0; who < BELAYI_SESSIONS && known; who++) {
        known = !d->actors[who].failed;
        if (!known)
            out->error = d->actors[who].error;
    }
    return known;
}

/* Runs the failed unit once more, as a whole, while nobody else does anything. False: it failed again, or hung. */
static bool run_again(belayi_director *d, const belayi_script *script, int who)
{
    belayi_actor *a = &d->actors[who];
    belayi_actor_renew(a, a->read_only);
    for (const belayi_step *step = script->steps; step->act != BELAYI_END_OF_SCRIPT; step++)
        if (step->who == who && step->act != BELAYI_RACE)
            belayi_actor_post(a, *step);
    return drain(d, d->give_up_ns, false) && !a->failed;
}

/* Errors by which an engine keeps units apart. A lost connection is run again as well, but says nothing of the level.
 */
static bool is_of_isolation(const belay_error *error)
{
    return error->code == BELAY_SERIALIZATION || error->code == BELAY_DEADLOCK || error->code == BELAY_LOCK_TIMEOUT ||
           error->code == BELAY_BUSY;
}

/* What can be cured by running the unit again is; false when there is something that can't. */
static bool cure_all(belayi_director *d, const belayi_script *script, belayi_performance *out)
{
    for (int who = 0; who < BELAYI_SESSIONS; who++) {
        belayi_actor *a = &d->actors[who];
        if (a->race.code != BELAY_OK)
            out->error = a->race;
        if (!a->failed)
            continue;
        out->failures[who] = a->error;
        if (is_of_isolation(&a->error) && belay_retryable(&a->error) && run_again(d, script, who))
            continue;
        out->error = a->error;
        return false;
    }
    return out->error.code == BELAY_OK;
}

static void take_notes(belayi_director *d, belayi_performance *out)
{
    for (int who = 0; who < BELAYI_SESSIONS; who++) {
        out->waits[who] = d->waits[who];
        out->slow |= !d->dialect->waits && d->waits[who] > d->actors[who].told;
    }
}

/* Each read is of a slot of its own. */
static void collect_reads(const belayi_director *d, const belayi_script *script, belayi_history *out)
{
    for (const belayi_step *step = script->steps; step->act != BELAYI_END_OF_SCRIPT; step++)
        if (step->act == BELAYI_READ)
            out->read[step->slot] = d->actors[step->who].read[step->slot];
}

void belayi_director_play(belayi_director *d, const belayi_script *script, const char *table, belay_level level,
                          belayi_performance *out)
{
    *out = (belayi_performance){.error.code = BELAY_OK};
    pthread_mutex_lock(&d->scene.mutex);
    d->scene.table = table;
    d->scene.unit.isolation = level;
    d->give_up_ns = belayi_clock_after(2 * (int64_t)d->scene.unit.timeout_ms);
    renew_all(d, script);
    bool played = identify_all(d, out) && give_all(d, script);
    if (!played) {
        if (out->error.code == BELAY_OK)
            explain(d, out);
        call_off(d);
    }
    take_notes(d, out);
    if (played && !cure_all(d, script, out))
        call_off(d);
    collect_reads(d, script, &out->history);
    pthread_mutex_unlock(&d->scene.mutex);
}

/* ---- Opening ----------------------------------------------------------------------------------------------------- */

static void init_scene(belayi_scene *scene, int lock_timeout_ms)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&scene->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&scene->mutex, NULL);
    scene->unit = (belay_scope_options){.size = sizeof scene->unit,
                                        .name = "isolation check",
                                        .lock_timeout_ms = lock_timeout_ms,
                                        .timeout_ms = 2 * lock_timeout_ms + 4000,
                                        .idle_timeout_ms = -1};
}

bool belayi_director_open(belayi_director *d, const char *url, belay_session *s, const belay_isolation_options *options,
                          belay_error *error)
{
    *d = (belayi_director){.options = options, .watch.s = s};
    init_scene(&d->scene, options->lock_timeout_ms);
    for (int who = 0; who < BELAYI_SESSIONS; who++)
        if (!belayi_actor_start(&d->actors[who], &d->scene, url, true, error))
            return false;
    d->dialect = belayi_dialect_of(belay_db_engine(d->actors[0].db));
    if (!d->dialect)
        belayi_report(error, BELAY_UNSUPPORTED, "nothing is known of how to ask %s who waits",
                      belay_db_engine(d->actors[0].db));
    return d->dialect != NULL;
}

void belayi_director_close(belayi_director *d)
{
    for (int who = 0; who < BELAYI_SESSIONS; who++)
        belayi_actor_stop(&d->actors[who]);
    pthread_cond_destroy(&d->scene.changed);
    pthread_mutex_destroy(&d->scene.mutex);
}
