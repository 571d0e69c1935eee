#define HASH_NONFATAL_OOM 1
#include "link.h"

#include <assert.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "report.h"

/* ---- The connection --------------------------------------------------------------------------------------------- */

/* A link and its connection are one block of memory: the way back from the connection is a subtraction. */
enum { LINK_SIZE = (sizeof(belayi_link) + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t) };

belayi_link *belayi_link_of(belay_conn *conn)
{
    return (belayi_link *)(void *)((char *)conn - LINK_SIZE);
}

belay_code belayi_link_open(const belay_driver *driver, void *shared, const belay_limits *limits, unsigned statements,
                            belayi_link **out_link, belay_error *error)
{
    *out_link = NULL;
    belayi_link *link = calloc(1, LINK_SIZE + driver->conn_size);
    if (!link)
        return belayi_report(error, BELAY_NO_MEMORY, "no memory for a connection");
    link->conn = (belay_conn *)(void *)((char *)link + LINK_SIZE);
    link->limit = statements;
    link->opened_ns = belayi_clock_now();
    *link->conn = (belay_conn){.driver = driver, .shared = shared, .limits = *limits};
    belay_code code = driver->open(link->conn, error);
    if (code != BELAY_OK) {
        driver->close(link->conn);
        free(link);
        return code;
    }
    *out_link = link;
    return BELAY_OK;
}

static void forget(belayi_link *link, belayi_cached *cached);

void belayi_link_close(belayi_link *link)
{
    while (link->newest)
        forget(link, link->newest);
    link->conn->driver->close(link->conn);
    free(link);
}

void belayi_link_disown(belayi_link *link)
{
    link->conn->driver->disown(link->conn);
}

/* ---- Its statements --------------------------------------------------------------------------------------------- */

static belayi_cached **hint_for(belayi_link *link, const char *text)
{
    uintptr_t address = (uintptr_t)text;
    return &link->hints[(address ^ (address >> 6)) % BELAYI_CACHE_HINTS];
}

static void free_cached(belayi_link *link, belayi_cached *cached)
{
    if (cached->statement)
        link->conn->driver->finalize(cached->statement);
    belayi_sql_done(&cached->sql);
    free(cached->text);
    free(cached);
}

static void unlink_use(belayi_link *link, belayi_cached *cached)
{
    *(cached->newer ? &cached->newer->older : &link->newest) = cached->older;
    *(cached->older ? &cached->older->newer : &link->oldest) = cached->newer;
}

static void link_newest(belayi_link *link, belayi_cached *cached)
{
    cached->newer = NULL;
    cached->older = link->newest;
    *(link->newest ? &link->newest->newer : &link->oldest) = cached;
    link->newest = cached;
}

/* Takes it out of the cache and frees it. */
static void forget(belayi_link *link, belayi_cached *cached)
{
    HASH_DEL(link->statements, cached);
    unlink_use(link, cached);
    for (unsigned i = 0; i < BELAYI_CACHE_HINTS; i++)
        if (link->hints[i] == cached)
            link->hints[i] = NULL;
    link->count--;
    free_cached(link, cached);
}

/* Makes room for one more; false when all are in use. */
static bool make_room(belayi_link *link)
{
    if (link->hold)
        return link->count < link->limit;
    for (belayi_cached *c = link->oldest; link->count >= link->limit && c;) {
        belayi_cached *newer = c->newer;
        if (!c->in_use)
            forget(link, c);
        c = newer;
    }
    return link->count < link->limit;
}

static void keep(belayi_link *link, belayi_cached *cached)
{
    if (!make_room(link))
        return;
    HASH_ADD_KEYPTR(hh, link->statements, cached->text, cached->size, cached);
    if (!cached->hh.tbl)
        return; /* no memory for the table: it is used once */
    link_newest(link, cached);
    link->count++;
    cached->kept = true;
}

static belay_code refuse_text(belayi_lex_status status, const belayi_sql *sql, belay_error *error)
{
    if (status == BELAYI_LEX_NO_MEMORY)
        return belayi_report(error, BELAY_NO_MEMORY, "no memory to read the statement");
    /* A literal without an end is what the engine would call a syntax error. */
    belay_code code = status == BELAYI_LEX_UNTERMINATED ? BELAY_SYNTAX : BELAY_MISUSE;
    belayi_report(error, code, "the SQL text can't be used: %s (at byte %zu)", sql->error, sql->error_at);
    if (status == BELAYI_LEX_TWO)
        BELAYI_REPORT_FIELD(error->hint, "one statement a call: give each to a call of its own, inside one scope");
    return error->code;
}

static belay_code read_text(belayi_link *link, const char *text, size_t size, belayi_cached **out_cached,
                            belay_error *error)
{
    belayi_cached *cached = calloc(1, sizeof *cached);
    if (!cached)
        return belayi_report(error, BELAY_NO_MEMORY, "no memory for a statement");
    belayi_lex_status status = belayi_sql_read(text, size, link->conn->rules, &cached->sql);
    cached->text = status == BELAYI_LEX_OK ? strdup(text) : NULL;
    cached->size = size;
    if (status == BELAYI_LEX_OK && !cached->text)
        status = BELAYI_LEX_NO_MEMORY;
    if (status != BELAYI_LEX_OK) {
        refuse_text(status, &cached->sql, error);
        free_cached(link, cached);
        return error->code;
    }
    cached->plain = !belayi_sql_controls_transaction(cached->sql.kind, NULL) &&
                    cached->sql.kind != BELAYI_SQL_IMPLICIT_COMMIT && cached->sql.lock == BELAYI_LOCK_NONE;
    keep(link, cached);
    *out_cached = cached;
    return BELAY_OK;
}

/* A statement in use can't be used twice at once: the second gets one of its own. */
static belayi_cached *find_cached(belayi_link *link, const char *text, size_t *out_size)
{
    belayi_cached *cached = *hint_for(link, text);
    *out_size = 0;
    if (cached && !cached->in_use && strcmp(cached->text, text) == 0)
        return cached;
    *out_size = strlen(text);
    HASH_FIND(hh, link->statements, text, *out_size, cached);
    return cached && !cached->in_use ? cached : NULL;
}

belay_code belayi_link_get(belayi_link *link, const char *text, belayi_cached **out_cached, belay_error *error)
{
    size_t size;
    belayi_cached *cached = find_cached(link, text, &size);
    *out_cached = NULL;
    if (!cached) {
        belay_code code = read_text(link, text, size, &cached, error);
        if (code != BELAY_OK)
            return code;
    }
    assert(cached);
    if (cached->kept) {
        *hint_for(link, text) = cached;
        if (link->newest != cached) {
            unlink_use(link, cached);
            link_newest(link, cached);
        }
    }
    cached->in_use = true;
    *out_cached = cached;
    return BELAY_OK;
}

belay_code belayi_link_prepare(belayi_link *link, belayi_cached *cached, belay_error *error)
{
    if (cached->statement)
        return BELAY_OK;
    return link->conn->driver->prepare(link->conn, &cached->sql, &cached->statement, error);
}

void belayi_link_put(belayi_link *link, belayi_cached *cached)
{
    cached->in_use = false;
    if (!cached->kept)
        free_cached(link, cached);
    else if (!cached->statement)
        forget(link, cached); /* it could not be prepared: the next try reads it afresh */
}
