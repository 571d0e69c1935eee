#include "session.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "cold.h"
#include "doubt.h"
#include "fork.h"
#include "random.h"
#include "report.h"
#include "rows.h"

/* ---- The host of the transaction -------------------------------------------------------------------------------- */

static belay_code lend_to_session(void *arg, const belay_limits *limits, belay_conn **out_conn, belay_error *error)
{
    belay_session *s = arg;
    return belayi_db_lend(s->db, limits, out_conn, error);
}

static void take_from_session(void *arg, belay_conn *conn, bool sound)
{
    belay_session *s = arg;
    belayi_pool_take_back(&s->db->pool, conn, sound);
}

static const belayi_host session_host = {
    .lend = lend_to_session, .take_back = take_from_session, .run_hook = belayi_session_run_hook};

/* ---- Opening and closing ---------------------------------------------------------------------------------------- */

static atomic_ullong sessions; /* opened so far: their numbers in a trace */

belay_session *belay_session_open(belay_db *db)
{
    belay_session *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    belayi_fork_watch();
    s->generation = db ? db->generation : belayi_fork_generation(); /* on an inherited handle it can't be used either */
    s->usual_generation = db ? s->generation : 0;
    s->db = db;
    s->random = belayi_random_seed();
    if (db)
        belayi_db_hold(db);
    belayi_transaction_init(&s->transaction, &session_host, s);
    s->transaction.session = atomic_fetch_add(&sessions, 1) + 1;
    s->transaction.trace = db && db->trace.write ? &db->trace : NULL;
    return s;
}

static void end_all(belay_session *s)
{
    while (belayi_session_depth(s) > 0) {
        s->transaction.closing = true;
        belayi_session_end_scope(s, BELAYI_END_ABANDON);
    }
}

static void free_session(belay_session *s)
{
    belayi_rows_orphan(s);
    belayi_hooks_done(&s->late);
    belayi_transaction_done(&s->transaction);
    if (s->db)
        belayi_db_let_go(s->db);
    free(s);
}

/* In a child after fork: the transaction is the parent's. Nothing is said to the database, and nothing is freed that
   the driver may still use. */
static void disown_session(belay_session *s)
{
    if (s->transaction.conn)
        belayi_link_disown(belayi_link_of(s->transaction.conn));
    belayi_rows_orphan(s);
}

/* Somebody is still going to use it: a hook or callback that it runs, the log or trace that it calls, another thread.
 */
static belay_code refuse_close(belay_session *s)
{
    if (!belayi_session_enter(s))
        return BELAY_MISUSE;
    belayi_session_misuse(s, (belay_place){0}, "belay_session_close was called by a hook or callback of the session");
    belayi_session_leave(s);
    return BELAY_MISUSE;
}

belay_code belay_session_close(belay_session *s)
{
    if (!s)
        return BELAY_OK;
    if (s->generation != belayi_fork_generation()) {
        disown_session(s);
        return BELAY_OK;
    }
    if (atomic_load(&s->in_call) || s->inside > 0)
        return refuse_close(s);
    end_all(s);
    if (s->kind)
        s->kind->close(s->kind_arg);
    belay_code code = belayi_session_first_unread(s)->code;
    if (s->status_unread)
        belayi_session_begin_unit(s); /* logs it */
    free_session(s);
    return code;
}

static const char closed_handle[] = "the database handle of this session is closed";

/* ---- The guard -------------------------------------------------------------------------------------------------- */

const belay_error *belayi_session_why_refused(const belay_session *s)
{
    static const belay_error none = {.code = BELAY_MISUSE,
                                     .message = "there is no session: memory was out, or it was never opened"};
    static const belay_error forked = {
        .code = BELAY_MISUSE,
        .message = "this session belongs to the parent process: open the database anew in the child"};
    static const belay_error closed = {.code = BELAY_MISUSE,
                                       .message = "the database handle of this session is closed"};
    static const belay_error overlap = {.code = BELAY_MISUSE, .message = "another thread is in a call on this session"};
    if (!s)
        return &none;
    if (s->generation != belayi_fork_generation())
        return &forked;
    return s->db && atomic_load_explicit(&s->db->closed, memory_order_relaxed) ? &closed : &overlap;
}

static bool refuse_use(belay_session *s)
{
    atomic_store_explicit(&s->in_call, false, memory_order_release);
    return false;
}

static void raise_overlap(belay_session *s)
{
    belay_error error;
    atomic_store(&s->overlapped, false);
    belayi_report(&error, BELAY_MISUSE,
                  "two threads used this session at once; the call of one was refused, and its work is missing");
    BELAYI_REPORT_FIELD(error.hint, "give each thread a session of its own");
    belayi_session_raise(s, (belay_place){0}, &error);
}

/* The guard is taken, but something is not as usual. */
bool belayi_session_enter_slowly(belay_session *s, bool only_asks)
{
    if (s->generation != belayi_fork_generation())
        return refuse_use(s);
    if (s->db && atomic_load_explicit(&s->db->closed, memory_order_relaxed))
        return refuse_use(s);
    if (s->in_barred_hook && !only_asks) {
        s->barred_call = true;
        return refuse_use(s);
    }
    if (atomic_load_explicit(&s->overlapped, memory_order_relaxed))
        raise_overlap(s);
    return true;
}

bool belayi_session_end_slowly(belay_session *s)
{
    if (s->generation != belayi_fork_generation())
        return false; /* the call that the parent was in never ends here */
    while (atomic_exchange_explicit(&s->in_call, true, memory_order_acquire)) {
        atomic_store(&s->overlapped, true);
        sched_yield();
    }
    if (atomic_load_explicit(&s->overlapped, memory_order_relaxed))
        raise_overlap(s);
    if (s->db && atomic_load_explicit(&s->db->closed, memory_order_relaxed))
        belayi_session_misuse(s, (belay_place){0}, "%s", closed_handle);
    return true;
}

/* ---- Errors ----------------------------------------------------------------------------------------------------- */

belay_code belayi_session_code(const belay_session *s)
{
    const belayi_transaction *t = &s->transaction;
    if (t->depth == 0)
        return s->status.code;
    return belayi_transaction_state(t) == BELAYI_SCOPE_UNDONE ? BELAY_ROLLED_BACK : t->pending.code;
}

belay_code belayi_session_raise(belay_session *s, belay_place place, belay_error *error)
{
    belayi_report_place(error, place);
    if (s->transaction.depth > 0)
        return belayi_scope_raise(&s->transaction, error);
    belayi_session_begin_unit(s);
    s->status = *error;
    s->status.outcome = BELAY_WORK_ROLLED_BACK;
    s->status_unread = true;
    return error->code;
}

belay_code belayi_session_misuse(belay_session *s, belay_place place, const char *format, ...)
{
    belay_error error;
    va_list list;
    va_start(list, format);
    belayi_report_list(&error, BELAY_MISUSE, format, list);
    va_end(list);
    return belayi_session_raise(s, place, &error);
}

/* ---- Units
 * --------------------------------------------------------------------------------------------------------------------
 */

static void log_unread(belay_session *s)
{
    char line[512];
    belayi_report_format(line, sizeof line, "a failure that nobody read: %s: %s (%s:%d, %s)",
                         belay_code_name(s->status.code), s->status.message, s->status.file, s->status.line,
                         s->status.function);
    belayi_db_log(s->db, BELAY_LOG_ERROR, line);
}

const belay_error *belayi_session_first_unread(const belay_session *s)
{
    bool is_status = s->status_unread && (s->unread.code == BELAY_OK || s->unread_came_later);
    return is_status ? &s->status : &s->unread;
}

void belayi_session_begin_unit(belay_session *s)
{
    if (s->status_unread) {
        log_unread(s);
        s->unread = *belayi_session_first_unread(s);
    }
    s->status_unread = s->unread_came_later = s->already_done = false;
}

/* Keeps how the unit ended. */
static void keep_outcome(belay_session *s)
{
    belayi_transaction *t = &s->transaction;
    if (t->pending.code == BELAY_OK)
        s->status.code = BELAY_OK;
    else
        s->status = t->pending;
    s->status.outcome = t->pending.outcome;
    s->status_unread = t->pending.code != BELAY_OK && t->pending.code != BELAY_ROLLED_BACK;
    if (t->foreign_failed)
        s->foreign_end = s->status;
    s->unit.refused = t->refused; /* hooks may use the session, and its transaction with it */
    belayi_transaction_clear(t);
}

BELAYI_COLD static void end_unit(belay_session *s)
{
    belayi_transaction *t = &s->transaction;
    belayi_scope_follow_end(t);
    keep_outcome(s);
    s->hook_errors = t->hooks.failed + (s->unit.attempt > 1 ? s->hook_errors : 0); /* of all its attempts */
    if (t->hooks.count == 0)
        return;
    belayi_hooks hooks = belayi_hooks_take(&t->hooks);
    bool decided = s->status.outcome != BELAY_WORK_UNKNOWN && s->status.outcome != BELAY_WORK_OPEN;
    bool inside = t->foreign && !t->sandboxed && !t->foreign_failed;
    if (!decided)
        belayi_hooks_done(&hooks);
    else if (s->kind && s->status.outcome == BELAY_WORK_COMMITTED)
        s->kind->capture(s->kind_arg, hooks);
    else
        belayi_session_run_late_hooks(s, hooks, s->status.outcome == BELAY_WORK_COMMITTED, inside);
}

/* A stream that is left open in a scope that ends is a mistake of the program's, and the scope is rolled back. */
BELAYI_COLD void belayi_session_end_stream(belay_session *s)
{
    const belayi_frame *top = belayi_transaction_top(&s->transaction);
    bool left = belayi_session_stop_stream(s, top->serial) && top->form != BELAYI_FORM_STATEMENT;
    if (left && !s->transaction.closing)
        belayi_session_misuse(s, top->place, "the scope has ended, but a stream that was opened in it was not closed");
}

belay_code belayi_session_end_scope(belay_session *s, belayi_end reason)
{
    if (s->stream)
        belayi_session_end_stream(s);
    belay_code code = belayi_scope_end(&s->transaction, reason);
    if (s->transaction.depth > 0)
        return code;
    if (s->transaction.pending.outcome == BELAY_WORK_UNKNOWN) {
        belayi_doubt_find_out(s);
        code = s->transaction.pending.code;
    }
    if (s->suspended)
        belayi_session_resume(s);
    else
        end_unit(s);
    return code;
}
