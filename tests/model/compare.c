/*
 * compare.c - the library against the model, aspect by aspect.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "runner_inner.h"

const char *aspect_text(aspect a)
{
    static const char *const texts[ASPECTS] = {"agreed",
                                               "returned",
                                               "belay_status",
                                               "belay_depth",
                                               "body",
                                               "belay_caught",
                                               "rows",
                                               "belay_changes",
                                               "belay_attempt",
                                               "hooks",
                                               "belay_hook_errors",
                                               "freed",
                                               "belay_session_close",
                                               "rows in the end"};
    return texts[a];
}

void differ(runner *r, aspect a, const char *expected, const char *actual, ...)
{
    va_list arguments;
    if (r->found.aspect != AGREED)
        return;
    r->found.aspect = a;
    r->found.at = r->at;
    snprintf(r->found.expected, sizeof r->found.expected, "%s", expected);
    va_start(arguments, actual);
    vsnprintf(r->found.actual, sizeof r->found.actual, actual, arguments);
    va_end(arguments);
}

void same_code(runner *r, aspect a, belay_code expected, belay_code actual)
{
    if (expected != actual)
        differ(r, a, program_code_name(expected), "%s", program_code_name(actual));
}

void same_number(runner *r, aspect a, long long expected, long long actual)
{
    char text[40];
    snprintf(text, sizeof text, "%lld", expected);
    if (expected != actual)
        differ(r, a, text, "%lld", actual);
}

static const char *rows_text(unsigned parents, unsigned children, char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, "t{");
    for (unsigned table = 0; table < 2; table++) {
        for (unsigned i = 0; i < MODEL_ROWS; i++)
            if (((table ? children : parents) >> i & 1u) && used + 4 < size)
                used += (size_t)snprintf(text + used, size - used, " %u", i);
        used += (size_t)snprintf(text + used, size - used, table ? " }" : " } c{");
    }
    return text;
}

void same_rows(runner *r, aspect a, belay_session *s, model_rows rows)
{
    char expected[120], actual[120];
    int64_t seen = belay_int_of(s, "SELECT (SELECT coalesce(sum(1 << id), 0) FROM t) + "
                                   "65536 * (SELECT coalesce(sum(1 << id), 0) FROM c)");
    if (seen != (int64_t)rows.parents + 65536 * (int64_t)rows.children || belay_status(s) != BELAY_OK)
        differ(r, a, rows_text(rows.parents, rows.children, expected, sizeof expected), "%s (%s)",
               rows_text((unsigned)(seen & 65535), (unsigned)(seen >> 16), actual, sizeof actual),
               program_code_name(belay_status(s)));
}

static const char *events_text(const model_event *events, int count, char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, "ran");
    for (int i = 0; i < count && used + 30 < size; i++)
        used += (size_t)snprintf(text + used, size - used, " #%d:%s", events[i].id, program_code_name(events[i].code));
    return text;
}

void same_hooks(runner *r)
{
    char expected[180], actual[180];
    bool same = r->event_count == r->m.event_count;
    for (int i = 0; same && i < r->event_count; i++)
        same = r->events[i].id == r->m.events[i].id && r->events[i].code == r->m.events[i].code;
    if (!same)
        differ(r, ASPECT_HOOKS, events_text(r->m.events, r->m.event_count, expected, sizeof expected), "%s",
               events_text(r->events, r->event_count, actual, sizeof actual));
}

void same_state(runner *r)
{
    model *m = &r->m;
    same_number(r, ASPECT_DEPTH, m->depth, belay_depth(r->s));
    same_number(r, ASPECT_DEPTH, m->depth > 0, belay_in_transaction(r->s));
    same_number(r, ASPECT_ATTEMPT, m->attempt, belay_attempt(r->s));
    if (!r->p->quiet || m->depth > 0) {
        model_read(m);
        same_code(r, ASPECT_STATUS, model_status(m), belay_status(r->s));
        same_code(r, ASPECT_STATUS, model_status(m), belay_pending(r->s)->code);
        if (r->p->looks && strpbrk(belay_message(r->s), "\n") != NULL) /* "in one line"; "Never NULL" */
            differ(r, ASPECT_STATUS, "a message in one line", "%s", belay_message(r->s));
    }
    same_code(r, ASPECT_CAUGHT, m->caught, belay_caught(r->s)->code);
    same_hooks(r);
    if (m->depth == 0)
        same_number(r, ASPECT_HOOK_ERRORS, m->hook_errors, belay_hook_errors(r->s));
    if (r->p->looks && model_usable(m)) {
        model_look(m);
        same_rows(r, ASPECT_ROWS, r->s, m->now);
    }
}
