/*
 * runner.c - a program interpreted by recursion through real blocks, callbacks and calls.
 *
 * The model takes each step first and says what must come of it; then the library takes it; then both are
 * compared. The macros are used as a program uses them: bodies are left by falling off, continue, break, goto and
 * return. What runs when is decided by the library: a body that runs or is skipped against the model's word is
 * a difference.
 */
#include "runner.h"

#include <stdio.h>
#include <string.h>

#include "runner_inner.h"

/* How a list of operations was left. */
typedef enum flow { FLOW_END, FLOW_CONTINUE, FLOW_BREAK, FLOW_RETURN, FLOW_STOP } flow;

/* A block or callback being run. */
typedef struct body {
    runner *r;
    int at;
    extent extent;
    int level;       /* its depth */
    bool expected;   /* the body is to run now */
    belay_code code; /* how its scope ended */
} body;

static flow run_list(runner *r, int from, int to, bool outermost);

/* ---- Blocks ------------------------------------------------------------------------------------- */

/* The library runs the body: was it to? */
static bool entered(body *b)
{
    if (!b->expected)
        differ(b->r, ASPECT_BODY, "the body is skipped", "it runs");
    b->expected = false;
    same_state(b->r);
    return b->r->found.aspect == AGREED;
}

/* The body ends (a callback returns `result`), and its scope with it as soon as control has left the block. */
static void leave(body *b, flow f, int result)
{
    b->r->at = program_closer(b->r->p, b->at);
    model_leave how = f == FLOW_BREAK || f == FLOW_RETURN ? MODEL_JUMP_OUT : MODEL_FALL_OFF;
    b->expected = model_exit(&b->r->m, b->level, how, result, &b->code);
}

static flow run_body(body *b)
{
    if (!entered(b))
        return FLOW_STOP;
    flow f = run_list(b->r, b->at + 1, b->extent.body_end, false);
    if (f != FLOW_STOP)
        leave(b, f, 0);
    return f;
}

static body prepare(runner *r, int at, model_kind kind)
{
    model_options options = program_options(r->p->ops[at].a);
    body b = {r, at, program_extent(r->p, at), 0, false, BELAY_OK};
    b.expected = model_enter(&r->m, kind, &options, &b.code);
    b.level = r->m.depth;
    return b;
}

/* The block is over. */
static void passed(const body *b)
{
    if (b->expected)
        differ(b->r, ASPECT_BODY, "the body runs", "it is skipped");
}

static flow plain_block(body *b)
{
    BELAY_ATOMIC(b->r->s) {
        flow f = run_body(b);
        if (f == FLOW_BREAK)
            break;
        if (f == FLOW_CONTINUE)
            continue;
        if (f != FLOW_END)
            return f;
    }
    return FLOW_END;
}

static flow read_block(body *b)
{
    BELAY_READ(b->r->s) {
        flow f = run_body(b);
        if (f == FLOW_BREAK)
            break;
        if (f == FLOW_CONTINUE)
            continue;
        if (f != FLOW_END)
            return f;
    }
    return FLOW_END;
}

static flow block_with_options(body *b)
{
    model_options options = program_options(b->r->p->ops[b->at].a);
    flow f = FLOW_END;
    BELAY_ATOMIC_WITH(b->r->s, .name = "with options", .propagation = options.propagation,
                      .read_only = options.read_only, .retries = options.retries, .backoff_ms = 1,
                      .backoff_max_ms = 1) {
        f = run_body(b);
        if (f == FLOW_BREAK)
            goto out;
        if (f == FLOW_CONTINUE)
            continue;
        if (f != FLOW_END)
            return f;
    }
out:
    return FLOW_END;
}

/* A block directly in a block, in one function: `return` leaves two of them at once. */
static flow two_blocks(body *outer)
{
    runner *r = outer->r;
    BELAY_ATOMIC(r->s) {
        if (!entered(outer))
            return FLOW_STOP;
        body inner = prepare(r, outer->at + 1, MODEL_BLOCK);
        BELAY_ATOMIC(r->s) {
            flow f = run_body(&inner);
            if (f == FLOW_BREAK)
                break;
            if (f == FLOW_CONTINUE)
                continue;
            if (f == FLOW_RETURN)
                leave(outer, f, 0);
            if (f != FLOW_END)
                return f;
        }
        passed(&inner);
        same_state(r);
        if (r->found.aspect != AGREED)
            return FLOW_STOP;
        leave(outer, FLOW_END, 0);
    }
    return FLOW_END;
}

static bool is_two_blocks(const program *p, int at, extent e)
{
    return at + 1 < p->count && p->ops[at].a == FORM_PLAIN && p->ops[at + 1].kind == OP_BLOCK &&
           p->ops[at + 1].a == FORM_PLAIN && program_extent(p, at + 1).next == e.body_end;
}

static flow do_block(runner *r, int at)
{
    body b = prepare(r, at, MODEL_BLOCK);
    flow f;
    if (is_two_blocks(r->p, at, b.extent))
        f = two_blocks(&b);
    else if (r->p->ops[at].a == FORM_PLAIN)
        f = plain_block(&b);
    else if (r->p->ops[at].a == FORM_READ)
        f = read_block(&b);
    else
        f = block_with_options(&b);
    if (f != FLOW_STOP)
        passed(&b);
    return f;
}

/* ---- Callbacks ---------------------------------------------------------------------------------- */

static int run_callback(belay_session *s, void *arg)
{
    body *b = arg;
    int result = b->r->p->ops[b->at].b;
    if (s != b->r->s || !entered(b) || run_list(b->r, b->at + 1, b->extent.body_end, false) == FLOW_STOP)
        return 1;
    leave(b, FLOW_END, result);
    return result;
}

static void do_callback(runner *r, int at)
{
    belay_scope_options options = real_options(r->p->ops[at].a);
    body b = prepare(r, at, MODEL_CALLBACK);
    belay_code actual = belay_atomic(r->s, &options, run_callback, &b);
    if (r->found.aspect != AGREED)
        return;
    passed(&b);
    model_read(&r->m); /* "A code returned by belay_commit or belay_atomic counts as read." */
    same_code(r, ASPECT_RETURN, b.code, actual);
}

/* ---- The interpreter ---------------------------------------------------------------------------- */

static flow do_op(runner *r, int at)
{
    op_kind kind = r->p->ops[at].kind;
    if (kind == OP_BLOCK)
        return do_block(r, at);
    if (kind == OP_CONTINUE)
        return FLOW_CONTINUE;
    if (kind == OP_BREAK)
        return FLOW_BREAK;
    if (kind == OP_RETURN)
        return FLOW_RETURN;
    if (kind == OP_CALLBACK)
        do_callback(r, at);
    else if (kind != OP_END)
        do_call(r, &r->p->ops[at]);
    return FLOW_END;
}

/* Closing operations are the last of a block's list; in the outermost list they close nothing. */
static flow run_list(runner *r, int from, int to, bool outermost)
{
    for (int at = from; at < to;) {
        const op *o = &r->p->ops[at];
        bool nested = o->kind == OP_BLOCK || o->kind == OP_CALLBACK;
        r->at = at;
        flow f = do_op(r, at);
        if (nested || f == FLOW_END)
            same_state(r);
        if (r->found.aspect != AGREED)
            return FLOW_STOP;
        if (f != FLOW_END && !outermost)
            return f;
        at = nested ? program_extent(r->p, at).next : at + 1;
    }
    return FLOW_END;
}

static void finish(runner *r, belay_db *db)
{
    r->at = r->p->count;
    same_code(r, ASPECT_CLOSE, model_unread(&r->m), belay_unread(r->s)->code);
    belay_code expected = model_close(&r->m);
    same_code(r, ASPECT_CLOSE, expected, belay_session_close(r->s));
    same_hooks(r);
    for (int id = 0; r->hooks[id].r; id++)
        if (r->hooks[id].freed != 1)
            differ(r, ASPECT_FREED, "every argument freed once", "hook #%d: %d times", id, r->hooks[id].freed);
    belay_session *other = belay_session_open(db);
    same_rows(r, ASPECT_COMMITTED, other, r->m.committed);
    BELAY_ATOMIC(other) {
        belay_exec(other, "DELETE FROM c");
        belay_exec(other, "DELETE FROM t");
    }
    same_code(r, ASPECT_COMMITTED, BELAY_OK, belay_status(other));
    belay_session_close(other);
}

difference runner_run(const databases *on, const program *p)
{
    static runner r;
    bool wide = program_is_wide(p);
    belay_db *db = wide ? on->file : on->memory;
    memset(&r, 0, sizeof r);
    r.p = p;
    r.s = belay_session_open(db);
    model_init(&r.m, (model_rows){0, 0}, wide ? MODEL_CONNECTIONS : 1);
    run_list(&r, 0, p->count, true);
    if (r.found.aspect == AGREED)
        finish(&r, db);
    else
        belay_session_close(r.s);
    return r.found;
}

/* ---- Databases ---------------------------------------------------------------------------------- */

static bool make_tables(belay_db *db)
{
    belay_session *s = belay_session_open(db);
    BELAY_ATOMIC(s) {
        belay_exec(s, "DROP TABLE IF EXISTS c");
        belay_exec(s, "DROP TABLE IF EXISTS t");
        belay_exec(s, "CREATE TABLE t(id INTEGER PRIMARY KEY, v INTEGER NOT NULL CHECK (v > 0))");
        belay_exec(s, "CREATE TABLE c(id INTEGER PRIMARY KEY REFERENCES t(id) DEFERRABLE INITIALLY DEFERRED)");
    }
    bool good = belay_status(s) == BELAY_OK;
    if (!good)
        fprintf(stderr, "model: %s\n", belay_message(s));
    belay_session_close(s);
    return good;
}

bool runner_open(databases *on, const char *path)
{
    char url[300];
    const belay_db_options options = {.size = sizeof options, .pool_size = MODEL_CONNECTIONS};
    snprintf(url, sizeof url, "sqlite:%s?synchronous=normal", path);
    on->memory = belay_open("sqlite::memory:", NULL);
    on->file = belay_open(url, &options);
    return make_tables(on->memory) && make_tables(on->file);
}

void runner_close(databases *on)
{
    belay_close(on->memory);
    belay_close(on->file);
}
