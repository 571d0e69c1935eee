#include "turnstile.h"

#include <errno.h>
#include <time.h>

#include "clock.h"

enum { NS_IN_SECOND = 1000000000 };

typedef struct belayi_waiter {
    struct belayi_waiter *next, *previous;
    pthread_cond_t turn;
    bool served;
} belayi_waiter;

void belayi_turnstile_init(belayi_turnstile *t, unsigned places)
{
    pthread_mutex_init(&t->mutex, NULL);
    t->free_places = places;
    t->first = t->last = NULL;
}

void belayi_turnstile_done(belayi_turnstile *t)
{
    pthread_mutex_destroy(&t->mutex);
}

static void join_line(belayi_turnstile *t, belayi_waiter *w)
{
    w->next = NULL;
    w->previous = t->last;
    *(t->last ? &t->last->next : &t->first) = w;
    t->last = w;
}

static void leave_line(belayi_turnstile *t, belayi_waiter *w)
{
    *(w->previous ? &w->previous->next : &t->first) = w->next;
    *(w->next ? &w->next->previous : &t->last) = w->previous;
}

/* Waits, with the mutex held, until the waiter is served or the deadline has passed. */
static void wait_in_line(belayi_turnstile *t, belayi_waiter *w, int64_t deadline_ns)
{
    int64_t end = belayi_clock_to_system(deadline_ns);
    struct timespec until = {.tv_sec = (time_t)(end / NS_IN_SECOND), .tv_nsec = (long)(end % NS_IN_SECOND)};
    int failed = 0, cancel;
    /* The waiter in the line is on this stack: pthread_cancel has to wait until it has left. */
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    while (!w->served && failed != ETIMEDOUT)
        failed =
            deadline_ns ? pthread_cond_timedwait(&w->turn, &t->mutex, &until) : pthread_cond_wait(&w->turn, &t->mutex);
    pthread_setcancelstate(cancel, NULL);
}

static void init_waiter(belayi_waiter *w)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&w->turn, &monotonic);
    pthread_condattr_destroy(&monotonic);
    w->served = false;
}

bool belayi_turnstile_enter(belayi_turnstile *t, int64_t deadline_ns)
{
    bool entered = true;
    pthread_mutex_lock(&t->mutex);
    if (t->free_places > 0) {
        t->free_places--;
    } else {
        belayi_waiter w;
        init_waiter(&w);
        join_line(t, &w);
        wait_in_line(t, &w, deadline_ns);
        entered = w.served;
        if (!entered)
            leave_line(t, &w);
        pthread_cond_destroy(&w.turn);
    }
    pthread_mutex_unlock(&t->mutex);
    return entered;
}

void belayi_turnstile_leave(belayi_turnstile *t)
{
    pthread_mutex_lock(&t->mutex);
    belayi_waiter *w = t->first;
    if (w) {
        leave_line(t, w);
        w->served = true;
        pthread_cond_signal(&w->turn);
    } else {
        t->free_places++;
    }
    pthread_mutex_unlock(&t->mutex);
}
