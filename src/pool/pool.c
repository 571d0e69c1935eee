#include "pool.h"

#include <stddef.h>

#include "clock.h"
#include "report.h"

void belayi_pool_init(belayi_pool *pool, const belay_driver *driver, void *shared, unsigned size, int64_t wait_ms,
                      int64_t age_ms, unsigned statements)
{
    *pool = (belayi_pool){.driver = driver, .shared = shared, .size = size, .statements = statements};
    pool->wait_ms = wait_ms;
    pool->age_ns = age_ms > 0 ? age_ms * BELAYI_NS_PER_MS : 0;
    belayi_turnstile_init(&pool->places, size);
    pthread_mutex_init(&pool->mutex, NULL);
}

void belayi_pool_done(belayi_pool *pool)
{
    pthread_mutex_destroy(&pool->mutex);
    belayi_turnstile_done(&pool->places);
}

/* ---- All links -------------------------------------------------------------------------------------------------- */

static void list_link(belayi_pool *pool, belayi_link *link)
{
    pthread_mutex_lock(&pool->mutex);
    link->older = pool->newest;
    if (link->older)
        link->older->newer = link;
    pool->newest = link;
    pthread_mutex_unlock(&pool->mutex);
}

static void close_link(belayi_pool *pool, belayi_link *link)
{
    pthread_mutex_lock(&pool->mutex);
    *(link->newer ? &link->newer->older : &pool->newest) = link->older;
    if (link->older)
        link->older->newer = link->newer;
    pthread_mutex_unlock(&pool->mutex);
    belayi_link_close(link);
}

void belayi_pool_use_driver(belayi_pool *pool, const belay_driver *driver)
{
    pthread_mutex_lock(&pool->mutex);
    pool->driver = driver;
    for (belayi_link *link = pool->newest; link; link = link->older)
        link->conn->driver = driver;
    pthread_mutex_unlock(&pool->mutex);
}

/* ---- Idle ones --------------------------------------------------------------------------------------------------- */

/* The idle connection used last, if there is one. */
static belayi_link *pop_idle(belayi_pool *pool, bool *out_closed)
{
    pthread_mutex_lock(&pool->mutex);
    belayi_link *link = pool->idle;
    if (link)
        pool->idle = link->next;
    *out_closed = pool->closed;
    pthread_mutex_unlock(&pool->mutex);
    return link;
}

void belayi_pool_close_idle(belayi_pool *pool)
{
    bool closed;
    for (belayi_link *link; (link = pop_idle(pool, &closed)) != NULL;)
        close_link(pool, link);
}

void belayi_pool_close(belayi_pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    pool->closed = true;
    pthread_mutex_unlock(&pool->mutex);
    belayi_pool_close_idle(pool);
}

/* ---- Lending ----------------------------------------------------------------------------------------------------- */

static belay_code wait_for_place(belayi_pool *pool, const belay_limits *limits, belay_error *error)
{
    int64_t line_ends = pool->wait_ms < 0 ? 0 : belayi_clock_after(pool->wait_ms);
    int64_t end = belayi_clock_earlier(line_ends, limits->deadline_ns);
    if (belayi_turnstile_enter(&pool->places, end))
        return BELAY_OK;
    if (end == limits->deadline_ns || belayi_clock_passed(limits->deadline_ns))
        return belayi_report(error, BELAY_TIMEOUT,
                             "the time limit of the scope has passed while it waited for a connection");
    belayi_report(error, BELAY_TOO_MANY, "all %u connections of the pool are in use, and none came back in %lld ms",
                  pool->size, (long long)pool->wait_ms);
    BELAYI_REPORT_FIELD(error->hint, pool->size > 1 ? "end scopes sooner, or open the database with a larger pool_size"
                                                    : "end scopes sooner: this database has one connection");
    return error->code;
}

static bool too_old(const belayi_pool *pool, const belayi_link *link)
{
    return pool->age_ns > 0 && belayi_clock_now() - link->opened_ns > pool->age_ns;
}

/* It may have grown old while it was idle, or the other side have closed it. */
static bool still_good(const belayi_pool *pool, const belayi_link *link)
{
    const belay_driver *driver = link->conn->driver;
    return !too_old(pool, link) && !(driver->hung_up && driver->hung_up(link->conn));
}

static belay_code get_link(belayi_pool *pool, const belay_limits *limits, belayi_link **out_link, belay_error *error)
{
    bool closed;
    while ((*out_link = pop_idle(pool, &closed)) != NULL) {
        if (still_good(pool, *out_link))
            return BELAY_OK;
        close_link(pool, *out_link);
    }
    if (closed)
        return belayi_report(error, BELAY_MISUSE, "the database handle is closed");
    belay_code code = belayi_link_open(pool->driver, pool->shared, limits, pool->statements, out_link, error);
    if (code == BELAY_OK)
        list_link(pool, *out_link);
    return code;
}

belay_code belayi_pool_lend(belayi_pool *pool, const belay_limits *limits, belay_conn **out_conn, belay_error *error)
{
    *out_conn = NULL;
    belay_code code = wait_for_place(pool, limits, error);
    if (code != BELAY_OK)
        return code;
    belayi_link *link;
    code = get_link(pool, limits, &link, error);
    if (code != BELAY_OK) {
        belayi_turnstile_leave(&pool->places);
        return code;
    }
    *out_conn = link->conn;
    return BELAY_OK;
}

/* Puts it on top of the idle ones; false when the pool is closed. */
static bool push_idle(belayi_pool *pool, belayi_link *link)
{
    pthread_mutex_lock(&pool->mutex);
    bool kept = !pool->closed;
    if (kept) {
        link->next = pool->idle;
        pool->idle = link;
    }
    pthread_mutex_unlock(&pool->mutex);
    return kept;
}

void belayi_pool_take_back(belayi_pool *pool, belay_conn *conn, bool sound)
{
    belayi_link *link = belayi_link_of(conn);
    if (!sound || too_old(pool, link) || !push_idle(pool, link))
        close_link(pool, link);
    belayi_turnstile_leave(&pool->places);
}

void belayi_pool_disown(belayi_pool *pool)
{
    for (belayi_link *link = pool->idle; link; link = link->next)
        belayi_link_disown(link);
    pool->idle = NULL;
}
