#include "db.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "environment.h"
#include "fork.h"
#include "report.h"

enum {
    POOL_SIZE = 8,
    POOL_WAIT_MS = 30000,
    STATEMENTS = 128,
    LOCK_WAIT_MS = 5000,
    POOL_SIZE_MAX = 10000,
    ONCE_KEEP_DAYS = 30
};

/* ---- Options ---------------------------------------------------------------------------------------------------- */

/* Reads the caller's struct by its own size, so that programs built against another release keep working. */
static belay_code read_options(belay_db_options *out, const belay_db_options *given, belay_error *error)
{
    *out = (belay_db_options){.size = sizeof *out};
    if (given) {
        size_t size = given->size ? given->size : sizeof *out;
        if (size > sizeof *out)
            return belayi_report(error, BELAY_MISUSE,
                                 "the options are of a newer release of this library than the one that is linked in");
        memcpy(out, given, size);
    }
    if (out->pool_size < 0 || out->pool_size > POOL_SIZE_MAX)
        return belayi_report(error, BELAY_MISUSE, "pool_size is %d: it must be from 1 to %d", out->pool_size,
                             POOL_SIZE_MAX);
    if (out->once_keep_days < -1)
        return belayi_report(error, BELAY_MISUSE,
                             "once_keep_days is a number of days, 0 for the default or -1 for ever");
    if (out->timeout_ms < -1 || out->lock_timeout_ms < -1 || out->idle_timeout_ms < -1 || out->pool_timeout_ms < -1)
        return belayi_report(error, BELAY_MISUSE, "a time limit is in milliseconds, 0 for the default or -1 for none");
    out->pool_size = out->pool_size ? out->pool_size : POOL_SIZE;
    out->pool_timeout_ms = out->pool_timeout_ms ? out->pool_timeout_ms : POOL_WAIT_MS;
    out->once_keep_days = out->once_keep_days ? out->once_keep_days : ONCE_KEEP_DAYS;
    out->statement_cache = out->statement_cache ? out->statement_cache : STATEMENTS;
    out->lock_timeout_ms = out->lock_timeout_ms ? out->lock_timeout_ms : LOCK_WAIT_MS;
    return BELAY_OK;
}

/* Keeps the name of the table of keys, which is put into SQL texts as it is. */
static belay_code keep_once_table(belay_db *db, belay_error *error)
{
    const char *name = db->options.once_table ? db->options.once_table : "belay_once";
    size_t size = strlen(name);
    bool plain = size > 0 && size < sizeof db->once_table && !(name[0] >= '0' && name[0] <= '9');
    for (size_t i = 0; i < size; i++)
        plain &= name[i] == '_' || (name[i] >= '0' && name[i] <= '9') || (name[i] >= 'a' && name[i] <= 'z') ||
                 (name[i] >= 'A' && name[i] <= 'Z');
    if (!plain)
        return belayi_report(error, BELAY_MISUSE,
                             "once_table is \"%.80s\": it must be of letters, digits and _, at most %zu of them", name,
                             sizeof db->once_table - 1);
    memcpy(db->once_table, name, size + 1);
    return BELAY_OK;
}

/* The URL is needed when the program's own text of it may be gone. */
static belay_code keep_decision_log(belay_db *db, belay_error *error)
{
    const char *url = db->options.decision_log;
    db->decision_log = url ? strdup(url) : NULL;
    return url && !db->decision_log ? belayi_report(error, BELAY_NO_MEMORY, "no memory for a database handle")
                                    : BELAY_OK;
}

/* ---- Opening ---------------------------------------------------------------------------------------------------- */

/* Makes the driver's state of the database: of the URL, or of a connection of the program's. */
static belay_code init_shared(belay_db *db, const belay_driver *driver, const char *url, void *native, int *out_bound)
{
    if (driver->abi != BELAY_DRIVER_ABI)
        return belayi_report(&db->refusal, BELAY_UNSUPPORTED, "the driver %s was built for another release",
                             driver->name);
    db->shared = calloc(1, driver->shared_size ? driver->shared_size : 1);
    if (!db->shared)
        return belayi_report(&db->refusal, BELAY_NO_MEMORY, "no memory for a database handle");
    *out_bound = 1;
    belay_code code = native ? driver->shared_adopt(db->shared, native, &db->refusal)
                             : driver->shared_init(db->shared, url, out_bound, &db->refusal);
    if (code != BELAY_OK)
        driver->shared_done(db->shared);
    return code;
}

static belay_code init_driver(belay_db *db, const belay_driver *driver, const char *url, void *native)
{
    int bound = 0;
    belay_code code = init_shared(db, driver, url, native, &bound);
    if (code != BELAY_OK)
        return code;
    if (bound > 0 && bound < db->options.pool_size)
        db->options.pool_size = bound;
    db->dies_with_connection = bound == 1;
    int age_ms = db->dies_with_connection ? 0 : db->options.pool_max_age_ms; /* it is never too old */
    int cache = db->options.statement_cache;
    belayi_pool_init(&db->pool, driver, db->shared, (unsigned)db->options.pool_size, db->options.pool_timeout_ms,
                     age_ms, cache > 0 ? (unsigned)cache : 0);
    db->driver = driver;
    return BELAY_OK;
}

/* Tries one connection, so that a refusal is known at once. */
static void try_connection(belay_db *db)
{
    belay_conn *conn;
    belay_error error;
    belay_limits limits = {.lock_wait_ns = (int64_t)db->options.lock_timeout_ms * BELAYI_NS_PER_MS};
    if (belayi_db_lend(db, &limits, &conn, &error) == BELAY_OK)
        belayi_pool_take_back(&db->pool, conn, true);
}

/* The program's trace, or that of the environment. A file that can't be written is no reason to do without a handle. */
static void find_trace(belay_db *db)
{
    belay_error error;
    db->trace = (belayi_trace){.write = db->options.trace, .arg = db->options.trace_arg};
    if (!db->trace.write && belayi_trace_environment_open(&db->trace, &error) != BELAY_OK)
        belayi_db_log(db, BELAY_LOG_WARNING, error.message);
}

static belay_db *new_db(const belay_db_options *options)
{
    belay_db *db = calloc(1, sizeof *db);
    if (!db)
        return NULL;
    pthread_mutex_init(&db->mutex, NULL);
    atomic_init(&db->users, 1);
    belayi_fork_watch();
    db->generation = belayi_fork_generation();
    if (read_options(&db->options, options, &db->refusal) == BELAY_OK)
        keep_once_table(db, &db->refusal);
    if (db->refusal.code == BELAY_OK)
        keep_decision_log(db, &db->refusal);
    find_trace(db);
    return db;
}

belay_db *belayi_db_open_with(const belay_driver *driver, const char *url, const belay_db_options *options)
{
    belay_db *db = new_db(options);
    if (db && db->refusal.code == BELAY_OK && init_driver(db, driver, url, NULL) == BELAY_OK)
        try_connection(db);
    return db;
}

belay_db *belayi_db_adopt(const belay_driver *driver, void *native)
{
    belay_db *db = new_db(NULL);
    if (db && !native)
        belayi_report(&db->refusal, BELAY_MISUSE, "there is no connection to adopt: it is NULL");
    else if (db && !driver)
        belayi_report(&db->refusal, BELAY_UNSUPPORTED, "this build has no support for connections of this engine");
    else if (db)
        init_driver(db, driver, NULL, native);
    return db;
}

static const belayi_engine *find_engine(const char *url)
{
    for (const belayi_engine *engine = belayi_engines; engine->scheme; engine++) {
        size_t size = strlen(engine->scheme);
        if (strncmp(url, engine->scheme, size) == 0 && url[size] == ':')
            return engine;
    }
    return NULL;
}

static belay_db *refuse_url(const belay_db_options *options, const belayi_engine *engine, const char *url)
{
    belay_db *db = new_db(options);
    if (!db || db->refusal.code != BELAY_OK)
        return db;
    if (engine) {
        belayi_report(&db->refusal, BELAY_UNSUPPORTED, "this build has no support for %s", engine->scheme);
        BELAYI_REPORT_FIELD(db->refusal.hint, engine->how_to_get);
    } else {
        /* Of the URL only the scheme is shown: what follows may hold a password. */
        size_t scheme = url ? strcspn(url, ":/?#@ ") : 0;
        belayi_report(&db->refusal, BELAY_MISUSE,
                      url && *url ? "the URL has no scheme that is known: \"%.*s\"" : "the URL is empty%.*s",
                      (int)(scheme > 40 ? 40 : scheme), url ? url : "");
        BELAYI_REPORT_FIELD(
            db->refusal.hint,
            "a URL is sqlite:PATH, sqlite::memory:, postgresql://user@host/database or mariadb://user@host/database");
    }
    return db;
}

belay_db *belay_open(const char *url, const belay_db_options *options)
{
    const belayi_engine *engine = url ? find_engine(url) : NULL;
    if (!engine || !engine->driver)
        return refuse_url(options, engine, url);
    return belayi_db_open_with(engine->driver, url, options);
}

/* ---- Closing ---------------------------------------------------------------------------------------------------- */

bool belayi_db_is_ours(const belay_db *db)
{
    return db->generation == belayi_fork_generation();
}

static void leave_trace(belay_db *db)
{
    belay_error error;
    if (belayi_trace_environment_close(&db->trace, &error) != BELAY_OK)
        belayi_db_log(db, BELAY_LOG_WARNING, error.message);
}

static void free_db(belay_db *db)
{
    if (db->driver) {
        belayi_pool_close(&db->pool); /* one that was adopted has no belay_close */
        belayi_pool_done(&db->pool);
        db->driver->shared_done(db->shared);
    }
    free(db->shared);
    free(db->stand_in);
    free(db->decision_log);
    belay_close(db->decisions);
    leave_trace(db);
    pthread_mutex_destroy(&db->mutex);
    free(db);
}

void belayi_db_hold(belay_db *db)
{
    atomic_fetch_add_explicit(&db->users, 1, memory_order_relaxed);
}

void belayi_db_let_go(belay_db *db)
{
    if (atomic_fetch_sub_explicit(&db->users, 1, memory_order_acq_rel) == 1)
        free_db(db);
}

void belay_close(belay_db *db)
{
    if (!db)
        return;
    if (!belayi_db_is_ours(db)) {
        /* A lock may have been held by a thread that this process has not: only what needs none is done. */
        if (db->driver)
            belayi_pool_disown(&db->pool);
        return;
    }
    atomic_store(&db->closed, true);
    if (db->driver)
        belayi_pool_close(&db->pool);
    belayi_db_let_go(db);
}

/* ---- Using ------------------------------------------------------------------------------------------------------ */

static void remember_trouble(belay_db *db, const belay_error *error)
{
    pthread_mutex_lock(&db->mutex);
    if (error)
        db->trouble = *error;
    else
        db->trouble.code = BELAY_OK;
    pthread_mutex_unlock(&db->mutex);
    atomic_store(&db->troubled, error != NULL);
}

belay_code belayi_db_lend(belay_db *db, const belay_limits *limits, belay_conn **out_conn, belay_error *error)
{
    *out_conn = NULL;
    if (!db->driver) {
        *error = db->refusal;
        return error->code;
    }
    belay_code code = belayi_pool_lend(&db->pool, limits, out_conn, error);
    /* In the pool's line, that is: a server that has no place left says so with a SQLSTATE. */
    bool in_line = code == BELAY_TOO_MANY && !error->sqlstate[0];
    bool waited_in_vain = in_line || code == BELAY_TIMEOUT || code == BELAY_MISUSE;
    if (code != BELAY_OK && !waited_in_vain)
        remember_trouble(db, error);
    else if (code == BELAY_OK && atomic_load_explicit(&db->troubled, memory_order_relaxed))
        remember_trouble(db, NULL);
    return code;
}

const belay_error *belay_db_error(const belay_db *const_db)
{
    static const belay_error no_handle = {
        .code = BELAY_NO_MEMORY, .message = "there is no database handle: memory was out, or it was never opened"};
    if (!const_db)
        return &no_handle;
    static const belay_error inherited = {
        .code = BELAY_MISUSE,
        .message = "this database handle was opened by the parent process: open one in the child"};
    if (!belayi_db_is_ours(const_db))
        return &inherited;
    belay_db *db = (belay_db *)const_db;
    if (!db->driver)
        return &db->refusal;
    pthread_mutex_lock(&db->mutex);
    db->shown = db->trouble;
    pthread_mutex_unlock(&db->mutex);
    return &db->shown;
}

const char *belay_db_engine(const belay_db *db)
{
    return db && db->driver ? db->driver->name : "";
}

void belayi_db_log(const belay_db *db, belay_log_level level, const char *line)
{
    if (db && db->options.log)
        db->options.log(db->options.log_arg, level, line);
}
