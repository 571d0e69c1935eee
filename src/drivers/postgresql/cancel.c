/*
 * cancel.c - stops the statement that is running, and no other.
 *
 * A cancel request goes over a connection of its own, and PQcancel() waits there
 * until the server has passed it on. From then on it can't hit a later statement:
 * a backend that waits for a command forgets a request that is there. But PQcancel
 * knows no time limit. So it runs in a thread of its own; when that takes too long
 * the caller must give up the connection, as the request may arrive at any time.
 *
 * PQcancel() does not encrypt what it sends: the number of a backend and the key
 * to cancel its statements, whatever the connection's sslmode. From libpq 17 on
 * there is a cancel that does as the connection does, and that is taken.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "clock.h"
#include "conn.h"
#include "standard.h"

#ifdef LIBPQ_HAS_ASYNC_CANCEL
typedef PGcancelConn cancel_request;

static cancel_request *new_request(PGconn *pg)
{
    return PQcancelCreate(pg);
}

static bool send_request(cancel_request *request)
{
    return PQcancelBlocking(request) == 1;
}

static void free_request(cancel_request *request)
{
    PQcancelFinish(request);
}
#else
typedef PGcancel cancel_request;

static cancel_request *new_request(PGconn *pg)
{
    return PQgetCancel(pg);
}

static bool send_request(cancel_request *request)
{
    char text[256];
    return PQcancel(request, text, sizeof text) == 1;
}

static void free_request(cancel_request *request)
{
    PQfreeCancel(request);
}
#endif

typedef struct cancel_job {
    cancel_request *request;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool done, sent;
    int users; /* the thread and who waits for it; the last one frees it */
} cancel_job;

static void drop_job(cancel_job *job, int shares)
{
    pthread_mutex_lock(&job->mutex);
    job->users -= shares;
    bool last = job->users == 0;
    pthread_mutex_unlock(&job->mutex);
    if (!last)
        return;
    free_request(job->request);
    pthread_cond_destroy(&job->changed);
    pthread_mutex_destroy(&job->mutex);
    free(job);
}

static void *run_job(void *arg)
{
    cancel_job *job = arg;
    bool sent = send_request(job->request);
    pthread_mutex_lock(&job->mutex);
    job->done = true;
    job->sent = sent;
    pthread_cond_signal(&job->changed);
    pthread_mutex_unlock(&job->mutex);
    drop_job(job, 1);
    return NULL;
}

static cancel_job *new_job(PGconn *pg)
{
    cancel_job *job = calloc(1, sizeof *job);
    cancel_request *request = job ? new_request(pg) : NULL;
    if (!request) {
        free(job);
        return NULL;
    }
    pthread_condattr_t clock;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    job->request = request;
    job->users = 2;
    pthread_mutex_init(&job->mutex, NULL);
    pthread_cond_init(&job->changed, &clock);
    pthread_condattr_destroy(&clock);
    return job;
}

/* Starts the thread, which must not take the program's signals. */
static bool start_job(cancel_job *job)
{
    pthread_t thread;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&thread, NULL, run_job, job) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (started)
        pthread_detach(thread);
    return started;
}

bool belayi_pg_cancel(PGconn *pg, int64_t gives_up_ns)
{
    enum { NS_PER_S = 1000 * BELAYI_NS_PER_MS };
    cancel_job *job = new_job(pg);
    if (!job)
        return false;
    belayi_standard_fill();
    struct timespec end = {.tv_sec = (time_t)(gives_up_ns / NS_PER_S), .tv_nsec = (long)(gives_up_ns % NS_PER_S)};
    bool started = start_job(job), in_time = started;
    pthread_mutex_lock(&job->mutex);
    while (in_time && !job->done)
        in_time = pthread_cond_timedwait(&job->changed, &job->mutex, &end) == 0;
    bool sent = job->done && job->sent;
    pthread_mutex_unlock(&job->mutex);
    drop_job(job, started ? 1 : 2); /* the thread's share too, when there is none */
    return sent;
}
