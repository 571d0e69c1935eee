/*
 * link.h - a connection with its prepared statements.
 *
 * A statement is prepared once a connection. The cache is bounded: the least
 * recently used statement goes first, never one in use. What is found by its
 * text is compared by its text: two texts at one address are two statements.
 * Tests: tests/unit/pool.
 */
#ifndef BELAYI_POOL_LINK_H
#define BELAYI_POOL_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <belay/sys/driver.h>
#include <uthash.h>

#include "lexer.h"

typedef struct belayi_cached belayi_cached;

enum { BELAYI_CACHE_HINTS = 64 };

typedef struct belayi_link {
    belay_conn *conn;
    int64_t opened_ns;
    struct belayi_link *next;                 /* of the idle ones */
    struct belayi_link *newer, *older;        /* of all in the pool */
    belayi_cached *statements;                /* by their text */
    belayi_cached *newest, *oldest;           /* by their use */
    belayi_cached *hints[BELAYI_CACHE_HINTS]; /* by the address of their text: often right, always checked */
    unsigned count, limit;
    bool hold; /* no statement is forgotten meanwhile: what is queued refers to them */
} belayi_link;

/* A statement as it is kept: its text as given, what the lexer says of it, and the driver's prepared form. */
struct belayi_cached {
    char *text;
    size_t size;
    belayi_sql sql;
    belay_statement *statement; /* NULL until it is prepared */
    bool plain; /* no transaction control, no implicit commit, no locking clause: nothing to be refused for */
    bool in_use;
    bool kept; /* in the cache; else freed when it is put back */
    belayi_cached *newer, *older;
    UT_hash_handle hh; /* the hash table's own */
};

/* Connects. *out_link is NULL on failure. `statements` is the size of the cache, 0 for none. */
belay_code belayi_link_open(const belay_driver *, void *shared, const belay_limits *, unsigned statements,
                            belayi_link **out_link, belay_error *error);
void belayi_link_close(belayi_link *);

/* In a child after fork: frees what is ours and leaves the connection alone. */
void belayi_link_disown(belayi_link *);

/* The link that a connection belongs to. */
belayi_link *belayi_link_of(belay_conn *);

/*
 * Finds the statement, or reads the text and keeps it. *out_cached is NULL on
 * failure: BELAY_MISUSE (what the lexer refuses), BELAY_NO_MEMORY. Not prepared
 * yet when it is new. Borrowed until belayi_link_put.
 */
belay_code belayi_link_get(belayi_link *, const char *text, belayi_cached **out_cached, belay_error *error);

/* Prepares it, if it isn't. */
belay_code belayi_link_prepare(belayi_link *, belayi_cached *, belay_error *error);

/* Gives it back. */
void belayi_link_put(belayi_link *, belayi_cached *);

#endif
