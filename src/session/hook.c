/*
 * hook.c - registering hooks, and running them when a scope's fate is known.
 *
 * The core keeps them in order and drops them with their scope; here they meet
 * the session that they run on.
 * Tests: tests/conformance.
 */
#include <belay/hook.h>

#include <string.h>

#include "adopt.h"
#include "report.h"
#include "session.h"

/* What a hook must not change for the program that goes on after it. */
typedef struct kept_state {
    belay_error status, caught;
    belay_effect effect;
    belayi_unit unit;
    char once_key[BELAYI_ONCE_KEY_ROOM];
    bool status_unread, unread_came_later, already_done;
    int hook_errors;
} kept_state;

static kept_state keep_state(const belay_session *s)
{
    kept_state kept = {.status = s->status,
                       .caught = s->caught,
                       .effect = s->effect,
                       .unit = s->unit,
                       .status_unread = s->status_unread,
                       .unread_came_later = s->unread_came_later,
                       .already_done = s->already_done,
                       .hook_errors = s->hook_errors};
    memcpy(kept.once_key, s->once_key, sizeof kept.once_key);
    return kept;
}

static void restore_state(belay_session *s, const kept_state *kept)
{
    s->status = kept->status;
    s->caught = kept->caught;
    s->effect = kept->effect;
    s->unit = kept->unit;
    memcpy(s->once_key, kept->once_key, sizeof s->once_key);
    s->status_unread = kept->status_unread;
    s->already_done = kept->already_done;
    s->hook_errors = kept->hook_errors;
}

/* Scopes that the hook left open are rolled back; true when there were any. */
static bool close_left_open(belay_session *s, unsigned depth)
{
    bool left = belayi_session_depth(s) > depth;
    while (belayi_session_depth(s) > depth)
        belayi_session_end_scope(s, BELAYI_END_DROP);
    return left;
}

static void log_failure(belay_session *s, const char *kind)
{
    char line[256];
    belayi_report_format(line, sizeof line, "a hook %s failed; what was committed or rolled back stays so", kind);
    belayi_db_log(s->db, BELAY_LOG_WARNING, line);
}

/* Inside a barred hook every call is looked at. */
static void bar_session(belay_session *s, bool barred)
{
    s->in_barred_hook = barred;
    s->usual_generation = barred || !s->db ? 0 : s->generation;
}

bool belayi_session_run_hook(void *session, belay_hook hook, void *arg, bool inside)
{
    belay_session *s = session;
    unsigned depth = belayi_session_depth(s);
    bool barred_around = s->in_barred_hook, called_around = s->barred_call;
    unsigned floor_around = s->hook_floor;
    s->hook_floor = depth;
    bar_session(s, inside);
    s->barred_call = false;
    atomic_store_explicit(&s->in_call, false, memory_order_release);
    s->inside++;
    bool worked = hook(s, arg) == 0;
    s->inside--;
    atomic_store_explicit(&s->in_call, true, memory_order_relaxed);
    worked &= !s->barred_call;
    bar_session(s, barred_around);
    s->barred_call = called_around;
    s->hook_floor = floor_around;
    worked &= !close_left_open(s, depth);
    if (inside && !worked)
        log_failure(s, "inside a transaction");
    return worked;
}

typedef struct rejection {
    belay_rejected on_reject;
    size_t number;
    void *arg;
} rejection;

static int tell_rejection(belay_session *s, void *arg)
{
    const rejection *r = arg;
    r->on_reject(s, r->number, &s->caught, r->arg);
    return 0;
}

void belayi_session_reject(belay_session *s, belay_rejected on_reject, size_t number, void *arg)
{
    rejection r = {on_reject, number, arg};
    if (on_reject)
        belayi_session_run_hook(s, tell_rejection, &r, true);
}

/* Runs one hook after its unit has ended, and leaves the session as the program left it. */
static void run_late_hook(belay_session *s, const belayi_hook_entry *entry, bool barred)
{
    kept_state kept = keep_state(s);
    bool none_before = s->unread.code == BELAY_OK;
    s->status.code = BELAY_OK;
    s->status_unread = false;
    belay_trace_event event = {.kind = BELAY_TRACE_HOOK, .detail = belayi_hook_kind_name(entry->kind)};
    event.start_ns = s->transaction.trace ? belayi_clock_now() : 0;
    bool worked = belayi_session_run_hook(s, entry->hook, entry->arg, barred);
    event.code = worked ? BELAY_OK : BELAY_APPLICATION;
    if (s->transaction.trace)
        belayi_wire_tell(&s->transaction, &event);
    belayi_session_begin_unit(s); /* a failure inside the hook that nobody read */
    bool came_later = kept.status_unread && (kept.unread_came_later || (none_before && s->unread.code != BELAY_OK));
    restore_state(s, &kept);
    s->unread_came_later = came_later;
    if (worked)
        return;
    s->hook_errors++;
    if (!barred)
        log_failure(s, entry->kind == BELAYI_HOOK_COMMIT ? "after a commit" : "after a rollback");
}

/* Runs those of one kind, in order. */
static void run_kind(belay_session *s, const belayi_hooks *hooks, belayi_hook_kind kind, bool barred)
{
    for (size_t i = 0; i < hooks->count; i++)
        if (hooks->entries[i].kind == kind)
            run_late_hook(s, &hooks->entries[i], barred);
}

void belayi_session_run_late_hooks(belay_session *s, belayi_hooks hooks, bool committed, bool barred)
{
    bool nested = s->in_late_hook;
    s->in_late_hook = true;
    run_kind(s, &hooks, committed ? BELAYI_HOOK_COMMIT : BELAYI_HOOK_ROLLBACK, barred);
    belayi_hooks_done(&hooks);
    s->in_late_hook = nested;
    while (!nested && s->late.count > 0) {
        belayi_hooks late = belayi_hooks_take(&s->late);
        s->in_late_hook = true;
        run_kind(s, &late, BELAYI_HOOK_COMMIT, false);
        s->in_late_hook = false;
        belayi_hooks_done(&late);
    }
}

/* ---- Registering ------------------------------------------------------------------------------------------------ */

static const belay_place nowhere = {0};

static void free_arg(belay_free release, void *arg)
{
    if (release)
        release(arg);
}

static belay_code add_hook(belay_session *s, belayi_hooks *hooks, belayi_hook_entry entry)
{
    if (belayi_hooks_add(hooks, entry))
        return BELAY_OK;
    belay_error error;
    belayi_report(&error, BELAY_NO_MEMORY, "no memory to register a hook");
    return belayi_session_raise(s, nowhere, &error);
}

static belay_code refuse_in_foreign(belay_session *s)
{
    belay_error error;
    belayi_report(&error, BELAY_UNSUPPORTED,
                  "belay_on_commit: the connection is inside a transaction of the program's, and only the program "
                  "commits it");
    return belayi_session_raise(s, nowhere, &error);
}

/* Registers a hook in the innermost scope. */
static belay_code register_inside(belay_session *s, belayi_hook_entry entry)
{
    belayi_transaction *t = &s->transaction;
    /* A rollback's hook may be registered while an error is pending: it is about to run. */
    belay_code code = entry.kind == BELAYI_HOOK_ROLLBACK ? BELAY_OK : belayi_scope_refuse(t);
    if (code == BELAY_OK && entry.kind == BELAYI_HOOK_COMMIT && belayi_adopt_in_foreign(s))
        code = refuse_in_foreign(s);
    if (code == BELAY_OK)
        return add_hook(s, &t->hooks, entry);
    free_arg(entry.free_arg, entry.arg);
    return code;
}

/* Whether with no scope open there is nothing to wait for: not so in a transaction of the program's, or when one that
   was ended by an error may be what the hook was meant for. */
static belay_code check_outside(belay_session *s)
{
    belay_error error = s->foreign_end;
    if (error.code != BELAY_OK)
        return belayi_session_raise(s, nowhere, &error);
    return belayi_adopt_in_foreign(s) ? refuse_in_foreign(s) : BELAY_OK;
}

/* With no scope open: at once, or, inside a hook, after it. */
static belay_code register_outside(belay_session *s, belayi_hook_entry entry)
{
    if (entry.kind != BELAYI_HOOK_COMMIT) {
        free_arg(entry.free_arg, entry.arg);
        return belayi_session_misuse(s, nowhere, "a hook for a scope's rollback or commit needs a scope; none is open");
    }
    belay_code code = check_outside(s);
    if (code != BELAY_OK) {
        free_arg(entry.free_arg, entry.arg);
        return code;
    }
    if (s->in_late_hook)
        return add_hook(s, &s->late, entry);
    belayi_hooks hooks = {0};
    code = add_hook(s, &hooks, entry);
    s->hook_errors = 0;
    if (code == BELAY_OK && s->kind)
        s->kind->capture(s->kind_arg, hooks);
    else if (code == BELAY_OK)
        belayi_session_run_late_hooks(s, hooks, true, false);
    return code;
}

static belay_code register_hook(belay_session *s, belayi_hook_entry entry)
{
    if (!belayi_session_enter_to_queue(s)) {
        free_arg(entry.free_arg, entry.arg);
        return BELAY_MISUSE;
    }
    belay_code code;
    if (!entry.hook) {
        free_arg(entry.free_arg, entry.arg);
        code = belayi_session_misuse(s, nowhere, "a hook was registered without a function");
    } else if (s->transaction.depth > 0) {
        code = register_inside(s, entry);
    } else {
        code = register_outside(s, entry);
    }
    belayi_session_leave(s);
    return code;
}

belay_code belay_on_commit(belay_session *s, belay_hook hook, void *arg, belay_free release)
{
    return register_hook(s, (belayi_hook_entry){BELAYI_HOOK_COMMIT, hook, arg, release});
}

belay_code belay_on_rollback(belay_session *s, belay_hook hook, void *arg, belay_free release)
{
    return register_hook(s, (belayi_hook_entry){BELAYI_HOOK_ROLLBACK, hook, arg, release});
}

belay_code belay_before_commit(belay_session *s, belay_hook hook, void *arg, belay_free release)
{
    return register_hook(s, (belayi_hook_entry){BELAYI_HOOK_BEFORE_COMMIT, hook, arg, release});
}

int belay_hook_errors(const belay_session *s)
{
    return s ? s->hook_errors : 0;
}

belay_code belay_require_no_transaction_at(belay_session *s, belay_place place)
{
    if (!belayi_session_enter(s))
        return BELAY_MISUSE;
    belay_code code = BELAY_OK;
    if (s->transaction.depth > 0) {
        const belay_place *began = &s->transaction.frames[0].place;
        code = belayi_session_misuse(s, place, "no scope may be open here; one was begun at %s:%d in %s()",
                                     began->file ? began->file : "?", began->line,
                                     began->function ? began->function : "?");
    }
    belayi_session_leave(s);
    return code;
}
