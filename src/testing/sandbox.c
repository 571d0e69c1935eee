/*
 * sandbox.c - a session inside one transaction that is never committed.
 *
 * The session is a usual one but for two things: where its connection comes
 * from, which is already in the sandbox's transaction, and where the hooks of
 * its commits go. That an outermost scope is a savepoint then is the core's
 * business: to it, the transaction is somebody else's.
 * Tests: tests/testing/test_sandbox.c.
 */
#include <belay/testing.h>

#include <stdlib.h>

#include "session.h"

typedef struct sandbox {
    belay_session *session;
    belay_conn *conn; /* in the transaction; NULL before the first statement, and after an error ended it */
    belayi_hooks captured;
} sandbox;

/* ---- The connection --------------------------------------------------------------------------------------------- */

static belay_code begin_sandbox(sandbox *box, const belay_limits *limits, belay_error *error)
{
    belay_db *db = box->session->db;
    belay_begin_options options = {0};
    belay_code code = belayi_db_lend(db, limits, &box->conn, error);
    if (code != BELAY_OK)
        return code;
    box->conn->limits = *limits;
    code = box->conn->driver->begin(box->conn, &options, error);
    if (code == BELAY_OK)
        return BELAY_OK;
    belayi_pool_take_back(&db->pool, box->conn, box->conn->driver->status(box->conn) == BELAY_TRANSACTION_NONE);
    box->conn = NULL;
    return code;
}

static belay_code lend_in_sandbox(void *arg, const belay_limits *limits, belay_conn **out_conn, belay_error *error)
{
    sandbox *box = arg;
    belay_code code = box->conn ? BELAY_OK : begin_sandbox(box, limits, error);
    *out_conn = box->conn;
    return code;
}

static void leave_sandbox(sandbox *box, bool sound)
{
    if (box->conn)
        belayi_pool_take_back(&box->session->db->pool, box->conn, sound);
    box->conn = NULL;
}

/* What isn't sound is no longer in the sandbox's transaction. */
static void take_in_sandbox(void *arg, belay_conn *conn, bool sound)
{
    (void)conn;
    if (!sound)
        leave_sandbox(arg, false);
}

static bool run_in_sandbox(void *arg, belay_hook hook, void *hook_arg, bool inside)
{
    sandbox *box = arg;
    return belayi_session_run_hook(box->session, hook, hook_arg, inside);
}

static const belayi_host sandbox_host = {
    .lend = lend_in_sandbox, .take_back = take_in_sandbox, .run_hook = run_in_sandbox};

/* ---- The session ------------------------------------------------------------------------------------------------ */

/* Keeps those for a commit. One that there is no memory for is lost, and says so by the count of hooks that failed. */
static void capture_hooks(void *arg, belayi_hooks hooks)
{
    sandbox *box = arg;
    for (size_t i = 0; i < hooks.count; i++) {
        belayi_hook_entry entry = hooks.entries[i];
        if (entry.kind != BELAYI_HOOK_COMMIT)
            continue;
        hooks.entries[i].free_arg = NULL; /* the captured entry frees it */
        if (!belayi_hooks_add(&box->captured, entry))
            box->session->hook_errors++;
    }
    belayi_hooks_done(&hooks);
}

static void close_sandbox(void *arg)
{
    sandbox *box = arg;
    belay_error error;
    if (box->conn) {
        bool undone = box->conn->driver->rollback(box->conn, &error) == BELAY_OK;
        leave_sandbox(box, undone && box->conn->driver->status(box->conn) == BELAY_TRANSACTION_NONE);
    }
    belayi_hooks_done(&box->captured);
    free(box);
}

static const belayi_session_kind sandbox_kind = {.capture = capture_hooks, .close = close_sandbox};

belay_session *belay_sandbox(belay_db *db)
{
    sandbox *box = calloc(1, sizeof *box);
    belay_session *s = box ? belay_session_open(db) : NULL;
    if (!s) {
        free(box);
        return NULL;
    }
    box->session = s;
    s->transaction.host = &sandbox_host;
    s->transaction.host_arg = box;
    s->kind = &sandbox_kind;
    s->kind_arg = box;
    return s;
}

/* ---- What was captured ------------------------------------------------------------------------------------------ */

static sandbox *sandbox_of(const belay_session *s)
{
    return s && s->kind == &sandbox_kind ? s->kind_arg : NULL;
}

int belay_captured(const belay_session *s)
{
    const sandbox *box = sandbox_of(s);
    return box ? (int)box->captured.count : 0;
}

belay_hook belay_captured_hook(const belay_session *s, int i, void **out_arg)
{
    const sandbox *box = sandbox_of(s);
    bool known = box && i >= 0 && (size_t)i < box->captured.count;
    if (out_arg)
        *out_arg = known ? box->captured.entries[i].arg : NULL;
    return known ? box->captured.entries[i].hook : NULL;
}

int belay_run_captured(belay_session *s)
{
    sandbox *box = sandbox_of(s);
    if (!box || !belayi_session_enter(s))
        return 0;
    int failed = 0;
    if (s->transaction.depth > 0) {
        belayi_session_misuse(s, (belay_place){0}, "belay_run_captured: a scope is open; hooks run after a commit");
    } else {
        s->hook_errors = 0;
        belayi_session_run_late_hooks(s, belayi_hooks_take(&box->captured), true, false);
        failed = s->hook_errors;
    }
    belayi_session_leave(s);
    return failed;
}

void belay_run_twice(belay_db *db, bool on)
{
    if (db)
        atomic_store(&db->run_twice, on);
}
