/*
 * json_lines.c - the names of the kinds, and an event as one JSON object on a line.
 *
 * Texts that are not known are left out, and numbers that say nothing.
 */
#include "format.h"

static const char *const kind_names[] = {
#define BELAYI_X(kind, name) name,
    BELAY_TRACE_KINDS(BELAYI_X)
#undef BELAYI_X
};

const char *belay_trace_kind_name(belay_trace_kind kind)
{
    return (size_t)kind < sizeof kind_names / sizeof kind_names[0] ? kind_names[kind] : "?";
}

static void put_if_known(belayi_json *json, const char *name, int64_t number)
{
    if (number != 0)
        belayi_json_put_number(json, name, number);
}

void belayi_format_facts(belayi_json *json, const belay_trace_event *event)
{
    belayi_json_put_text(json, "code", belay_code_name(event->code));
    belayi_json_put_natural(json, "session", event->session);
    belayi_json_put_natural(json, "scope_number", event->scope_number);
    belayi_json_put_natural(json, "thread", event->thread);
    belayi_json_put_number(json, "depth", event->depth);
    put_if_known(json, "attempt", event->attempt);
    if (event->kind == BELAY_TRACE_STATEMENT)
        belayi_json_put_number(json, "rows", event->rows);
    put_if_known(json, "round_trips", event->round_trips);
    put_if_known(json, "number", event->number);
    belayi_json_put_text(json, "scope", event->scope);
    belayi_json_put_text(json, "file", event->file);
    belayi_json_put_text(json, "function", event->function);
    put_if_known(json, "line", event->line);
    belayi_json_put_text(json, "statement", event->statement);
    belayi_json_put_text(json, "detail", event->detail);
}

void belayi_format_line(belayi_json *json, const belay_trace_event *event, int64_t pid)
{
    belayi_json_put(json, "{");
    belayi_json_put_text(json, "kind", belay_trace_kind_name(event->kind));
    belayi_json_put_number(json, "start_ns", event->start_ns);
    belayi_json_put_number(json, "duration_ns", event->duration_ns);
    belayi_json_put_number(json, "pid", pid);
    belayi_format_facts(json, event);
    belayi_json_put(json, "}\n");
}
