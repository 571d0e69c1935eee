/*
 * batch.c - belay_batch: many items, each kept or rejected alone, in few savepoints.
 *
 * Items run in chunks, each chunk the unit of one nested scope, and each item a
 * part of it (core's part.c). What is kept here:
 *
 *   1. An item is rejected only when it failed as the first of its chunk, or before
 *      it had done anything: so it ran in exactly the state that the items before
 *      it left, and nothing else is undone with it.
 *   2. When another item fails, the chunk is undone, the items before that one are
 *      the next chunk, and that one begins the chunk after: the next thing that
 *      fails is known to have failed alone, whatever the first run made of it.
 *   3. What an item's fate was told of never runs again.
 *
 * So which item failed a chunk is only a hint, which decides the cost, but for the
 * first of a chunk. Each chunk moves on, or is shorter than the one before.
 * It must not know what a connection or a savepoint is.
 * Tests: tests/api/test_batch*.c, tests/fault/test_batch_faults.c.
 */
#include <belay/batch.h>

#include "session.h"

enum {
    FIRST_CHUNK = 32,     /* items, while nothing is known */
    LONGEST_CHUNK = 1024, /* items */
    SHORTEST_RUN = 16,    /* items between two failures: with fewer, a savepoint an item costs least */
    CHUNK_COST = 1,       /* twice what a chunk costs beside its items, in items */
    FLIGHT_COST = 16      /* the same where chunks wait for the engine and items don't; more on a long link */
};

typedef struct batch {
    belay_session *session;
    belay_place place;
    size_t n;
    belay_item item;
    belay_rejected on_reject;
    void *arg;

    size_t next;     /* the items before it had their turn */
    size_t size;     /* of the chunk that begins there, */
    uint64_t serial; /* the serial of its scope, */
    size_t done;     /* and how far it came */
    bool stopped;    /* the item there has failed */
    bool dropped;    /* and left nothing to undo */
    size_t run;      /* how many items went well between chunks that were undone, on average; 0: none was undone yet */
    size_t good;     /* how many did since the last */
    size_t bound;    /* the item that a chunk was undone because of: the next chunk ends before it; 0: none */

    belayi_part around; /* what the batch itself is in, when it is in an item of another one */
    bool returned;      /* from its items, and not left */
    belay_code code;
    belay_effect effect; /* before the chunk, */
    belay_error caught;  /* and what was caught */
    belay_error error;
} batch;

/* ---- A chunk, in its scope --------------------------------------------------------------------------------------- */

/* The item has returned. True when the next one can run in the same scope. */
static bool settle_item(batch *b, int result)
{
    belay_session *s = b->session;
    belayi_transaction *t = &s->transaction;
    if (!belayi_session_take_result(s, b->serial, result, b->place))
        return false;
    if (s->stream)
        belayi_session_end_stream(s);
    b->stopped = belayi_part_end(t) != BELAY_OK;
    if (b->stopped) {
        b->dropped = belayi_part_drop(t, &b->error);
        return false;
    }
    b->done++;
    belayi_part_begin(t, b->done - b->next + 1);
    return t->eager == 0;
}

static bool begin_items(batch *b)
{
    belay_session *s = b->session;
    if (!belayi_session_enter_to_end(s))
        return false;
    b->serial = belayi_transaction_top(&s->transaction)->serial;
    belayi_part_begin(&s->transaction, 1);
    belayi_session_leave(s);
    return true;
}

/* The unit of a chunk's scope. In a child after fork it returns as soon as it is noticed. */
static int run_items(belay_session *s, void *arg)
{
    batch *b = arg;
    bool goes_on = begin_items(b);
    while (goes_on && b->done < b->next + b->size) {
        int result = b->item(s, b->done, b->arg);
        if (!belayi_session_enter_to_end(s))
            return 0;
        goes_on = settle_item(b, result);
        belayi_session_leave(s);
    }
    return 0;
}

/* ---- What became of it ------------------------------------------------------------------------------------------- */

/* The item that is next has had its turn, with the error that is in b->error. */
static void reject_next(batch *b)
{
    b->session->caught = b->error;
    belayi_session_reject(b->session, b->on_reject, b->next++, b->arg);
}

/* Which item failed the chunk. When nobody knows, half of it is tried. */
static size_t find_failed(const batch *b)
{
    size_t part = b->session->transaction.part.failed;
    if (part > 0)
        return b->next + part - 1;
    return b->stopped ? b->done : b->next + b->size / 2;
}

/* An item has failed, after so many that went well. */
static void note_failure(batch *b, size_t run)
{
    if (run == 0)
        run = 1;
    b->run = b->run > 0 ? (3 * b->run + run + 3) / 4 : run;
    b->good = 0;
}

static bool is_suspect(const batch *b)
{
    return b->bound > 0 && b->bound == b->next;
}

/* The item has failed alone, or was called off. */
static void fail_next(batch *b, bool called_off)
{
    if (is_suspect(b))
        b->good = 0; /* what went well before it was noted when it failed the first time */
    else
        note_failure(b, b->good);
    if (called_off)
        b->next++;
    else
        reject_next(b);
}

/* The chunk was undone because of the item: those before it run again, and then it, each as if nothing had been. */
static void split_chunk(batch *b, size_t failed)
{
    note_failure(b, b->good + failed - b->next);
    b->bound = failed;
    b->session->caught = b->caught;
    b->session->effect = b->effect;
}

/* Whether a limit of the scope around has passed: then it is not the items that fail. */
static belay_code check_around(const batch *b)
{
    belayi_transaction *t = &b->session->transaction;
    return t->conn ? belayi_scope_enter(t) : BELAY_OK;
}

static belay_code keep_chunk(batch *b)
{
    b->good += b->done - b->next;
    b->next = b->done;
    belay_code around = check_around(b);
    if (around == BELAY_OK && b->dropped)
        reject_next(b);
    return around;
}

/* The chunk's scope has ended with `code`, and the guard is held. */
static belay_code settle_chunk(batch *b, belay_code code)
{
    if (code == BELAY_OK)
        return keep_chunk(b);
    belay_error of_release; /* the item has its own */
    size_t failed = find_failed(b);
    if (code != BELAY_ROLLED_BACK &&
        !belayi_scope_catch(&b->session->transaction, BELAY_ANY, b->dropped ? &of_release : &b->error))
        return belayi_session_code(b->session);
    belay_code around = check_around(b);
    if (around != BELAY_OK)
        return around;
    if (failed != b->next)
        split_chunk(b, failed);
    else
        fail_next(b, code == BELAY_ROLLED_BACK);
    return BELAY_OK;
}

/* ---- Chunks ------------------------------------------------------------------------------------------------------ */

static size_t root(size_t square)
{
    size_t r = 1;
    while ((r + 1) * (r + 1) <= square)
        r++;
    return r;
}

/* How long a chunk should be. When one item fails in `run`, about half a chunk is run again for it, and a chunk costs
   as much as some items beside its own: together that is least at the root of twice this cost times `run`. */
static size_t choose_size(const batch *b)
{
    const belayi_transaction *t = &b->session->transaction;
    bool flights = t->frames[t->depth - 1].pipeline;
    size_t run = b->good > b->run ? b->good : b->run, size = run;
    if (!flights && b->run > 0 && run < SHORTEST_RUN)
        return 1;
    if (b->run > 0)
        size = root(run * (flights ? FLIGHT_COST : CHUNK_COST));
    else if (size < FIRST_CHUNK)
        size = FIRST_CHUNK;
    return size < LONGEST_CHUNK ? size : LONGEST_CHUNK;
}

static void begin_chunk(batch *b)
{
    size_t left = b->n - b->next, size = choose_size(b);
    b->size = size < left ? size : left;
    if (b->bound > b->next && b->size > b->bound - b->next)
        b->size = b->bound - b->next;
    else if (is_suspect(b))
        b->size = 1;
    b->done = b->next;
    b->stopped = b->dropped = false;
    b->session->transaction.part.failed = 0;
    b->effect = b->session->effect;
    b->caught = b->session->caught;
}

static belay_code run_chunk(batch *b)
{
    belay_session *s = b->session;
    if (!belayi_session_enter(s))
        return BELAY_MISUSE;
    begin_chunk(b);
    belayi_session_leave(s);
    belay_code code = belay_atomic_at(s, b->place, NULL, run_items, b);
    if (!belayi_session_enter_to_end(s))
        return BELAY_MISUSE;
    code = settle_chunk(b, code);
    belayi_session_leave(s);
    return code;
}

/* ---- The batch --------------------------------------------------------------------------------------------------- */

/* The batch is over. When an item was left by a C++ exception or pthread_exit, good ones before it were undone with it:
   nobody may go on as if only that one were. */
static void leave_batch(batch **left)
{
    batch *b = *left;
    belayi_transaction *t = &b->session->transaction;
    if (!belayi_session_enter_to_end(b->session))
        return;
    t->part = b->around;
    t->part.changed = true;
    if (!b->returned && t->depth > 0)
        belayi_scope_refuse(t);
    belayi_session_leave(b->session);
}

/* The unit around the items: their scope is open, and nothing is pending. */
static int run_batch(belay_session *s, void *arg)
{
    batch *b BELAYI_CLEANUP(leave_batch) = arg;
    (void)s;
    b->code = BELAY_OK;
    while (b->code == BELAY_OK && b->next < b->n)
        b->code = run_chunk(b);
    b->returned = true;
    return 0;
}

static belay_code check_batch(const batch *b)
{
    belay_session *s = b->session;
    if (s->stream)
        return belayi_session_misuse(s, b->place, "a stream is open on this session: close it first");
    if (!b->item)
        return belayi_session_misuse(s, b->place, "belay_batch was called without a function for its items");
    return s->transaction.depth > 0 ? belayi_scope_refuse(&s->transaction) : BELAY_OK;
}

belay_code belay_batch_at(belay_session *s, belay_place place, size_t n, belay_item item, void *arg,
                          belay_rejected on_reject)
{
    if (!belayi_session_enter(s))
        return BELAY_MISUSE;
    batch b = {.session = s, .place = place, .n = n, .item = item, .on_reject = on_reject, .arg = arg};
    belay_code code = check_batch(&b);
    bool own = s->transaction.depth == 0;
    b.around = s->transaction.part;
    belayi_session_leave(s);
    if (code != BELAY_OK || n == 0)
        return code;
    if (own)
        return belay_atomic_at(s, place, NULL, run_batch, &b);
    run_batch(s, &b);
    return b.code;
}
