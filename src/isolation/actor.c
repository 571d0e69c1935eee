#include "actor.h"

#include <string.h>

#include "report.h"

/* ---- One step, on the actor's thread ----------------------------------------------------------------------------- */

/* Writes the table's name for each @. */
static const char *write_statement(char *out, const char *sql, const char *table)
{
    size_t used = 0;
    for (; *sql && used + strlen(table) + 1 < BELAYI_TEXT; sql++)
        if (*sql == '@') {
            memcpy(out + used, table, strlen(table));
            used += strlen(table);
        } else {
            out[used++] = *sql;
        }
    out[used] = '\0';
    return out;
}

/* A statement that failed ends the unit here, as the end of a block would. */
static void note_failure(belayi_actor *a)
{
    a->failed = true;
    a->error = *belay_pending(a->s);
    belay_rollback(a->s);
}

static void run_statement(belayi_actor *a, const belayi_step *step)
{
    char text[BELAYI_TEXT];
    const char *sql = write_statement(text, step->sql, a->scene->table);
    belay_scope_options unit = a->scene->unit;
    unit.read_only = a->read_only;
    if (belay_depth(a->s) == 0)
        belay_begin(a->s, &unit);
    if (step->act == BELAYI_READ)
        a->read[step->slot] = belay_int_of(a->s, sql);
    else if (step->slot)
        belay_exec(a->s, sql, a->read[step->slot] + 1);
    else
        belay_exec(a->s, sql);
    if (belay_status(a->s) != BELAY_OK)
        note_failure(a);
}

static void end_unit(belayi_actor *a, belayi_act act)
{
    if (belay_depth(a->s) == 0)
        return;
    if (act == BELAYI_ROLL_BACK) {
        belay_rollback(a->s);
    } else if (belay_commit(a->s) != BELAY_OK) {
        a->failed = true;
        a->error = *belay_pending(a->s);
    }
}

/* A lap of the race: what a counter is, to a program that reads, adds and writes. */
static int run_lap(belay_session *s, void *arg)
{
    char text[BELAYI_TEXT];
    belayi_actor *a = arg;
    int64_t y = belay_int_of(s, write_statement(text, "SELECT value FROM @ WHERE id = 2", a->scene->table));
    return belay_exec(s, write_statement(text, "UPDATE @ SET value = ? WHERE id = 2", a->scene->table), y + 1) !=
           BELAY_OK;
}

static void race(belayi_actor *a)
{
    belay_scope_options unit = a->scene->unit;
    unit.retries = 1000; /* within the time limit */
    for (int lap = 0; lap < BELAYI_LAPS && a->race.code == BELAY_OK; lap++)
        if (belay_atomic(a->s, &unit, run_lap, a) != BELAY_OK)
            a->race = *belay_pending(a->s);
}

static void perform(belayi_actor *a, const belayi_step *step)
{
    switch (step->act) {
    case BELAYI_IDENTIFY: /* the handle has one connection, which the unit that follows will have too */
        a->read[0] = belay_int_of(a->s, step->sql);
        if (belay_status(a->s) != BELAY_OK) {
            a->failed = true;
            a->error = *belay_pending(a->s);
        }
        break;
    case BELAYI_READ:
    case BELAYI_WRITE:
        if (!a->failed)
            run_statement(a, step);
        break;
    case BELAYI_COMMIT:
    case BELAYI_ROLL_BACK:
        end_unit(a, step->act);
        break;
    case BELAYI_RACE:
        race(a);
        break;
    case BELAYI_END_OF_SCRIPT:
        break;
    }
}

/* ---- The thread -------------------------------------------------------------------------------------------------- */

static void *act_on_and_on(void *arg)
{
    belayi_actor *a = arg;
    pthread_mutex_lock(&a->scene->mutex);
    for (;;) {
        while (a->n_done == a->n_posted && !a->quit)
            pthread_cond_wait(&a->posted, &a->scene->mutex);
        if (a->n_done == a->n_posted)
            break;
        belayi_step step = a->queue[a->n_done];
        pthread_mutex_unlock(&a->scene->mutex);
        bool was_open = belay_depth(a->s) > 0;
        perform(a, &step);
        bool ended = (was_open || a->failed) && belay_depth(a->s) == 0;
        pthread_mutex_lock(&a->scene->mutex);
        a->ends += ended;
        a->n_done++;
        pthread_cond_signal(&a->scene->changed);
    }
    pthread_mutex_unlock(&a->scene->mutex);
    return NULL;
}

static void hear(void *arg, const belay_trace_event *event)
{
    belayi_actor *a = arg;
    a->told += event->kind == BELAY_TRACE_WAIT && event->detail && strcmp(event->detail, "lock") == 0;
}

bool belayi_actor_start(belayi_actor *a, belayi_scene *scene, const char *url, bool traced, belay_error *error)
{
    *a = (belayi_actor){.scene = scene};
    pthread_cond_init(&a->posted, NULL);
    a->db = belay_open(url, BELAY_DB_OPTIONS(.pool_size = 1, .trace = traced ? hear : NULL, .trace_arg = a));
    a->s = belay_session_open(a->db);
    if (!a->db || !a->s) {
        belayi_report(error, BELAY_NO_MEMORY, "no memory for a session");
        return false;
    }
    if (belay_db_error(a->db)->code != BELAY_OK) {
        *error = *belay_db_error(a->db);
        return false;
    }
    a->started = pthread_create(&a->thread, NULL, act_on_and_on, a) == 0;
    if (!a->started)
        belayi_report(error, BELAY_NO_MEMORY, "a thread can't be started");
    return a->started;
}

void belayi_actor_stop(belayi_actor *a)
{
    if (!a->scene)
        return;
    if (a->started) {
        pthread_mutex_lock(&a->scene->mutex);
        a->quit = true;
        pthread_cond_signal(&a->posted);
        pthread_mutex_unlock(&a->scene->mutex);
        pthread_join(a->thread, NULL);
    }
    belay_session_close(a->s);
    belay_close(a->db);
    pthread_cond_destroy(&a->posted);
    *a = (belayi_actor){0};
}

/* ---- For the director -------------------------------------------------------------------------------------------- */

bool belayi_actor_is_busy(const belayi_actor *a)
{
    return a->n_done < a->n_posted;
}

void belayi_actor_post(belayi_actor *a, belayi_step step)
{
    if (!belayi_actor_is_busy(a))
        a->n_done = a->n_posted = 0;
    a->queue[a->n_posted++] = step;
    pthread_cond_signal(&a->posted);
}

void belayi_actor_drop(belayi_actor *a)
{
    if (belayi_actor_is_busy(a))
        a->n_posted = a->n_done + 1;
}

void belayi_actor_renew(belayi_actor *a, bool read_only)
{
    a->read_only = read_only;
    a->failed = false;
    a->error = a->race = (belay_error){.code = BELAY_OK};
}
