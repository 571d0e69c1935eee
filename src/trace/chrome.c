/*
 * chrome.c - events for the trace viewers of Chrome and Perfetto.
 *
 * The file is an array of "complete" events, and of metadata that names the
 * program and the rows. A row (`tid`) is a session, not a thread: complete events
 * on one row must nest, as the scopes, statements and waits of a session do. Those
 * of a thread need not: it may use two sessions in turns, and a session may move
 * from one thread to another. The thread is among the event's arguments.
 */
#include "format.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "report.h"

enum { NAME_ROOM = 64 };

/* A member of `args`, in an event that the viewers read as "this is the name of that". */
static void put_metadata(belayi_json *json, const char *what, int64_t pid, uint64_t row, const char *name)
{
    belayi_json_put(json, "{");
    belayi_json_put_text(json, "name", what);
    belayi_json_put_text(json, "ph", "M");
    belayi_json_put_number(json, "pid", pid);
    belayi_json_put_natural(json, "tid", row);
    belayi_json_put_name(json, "args");
    belayi_json_put(json, "{");
    belayi_json_put_text(json, "name", name);
    belayi_json_put(json, "}}");
}

void belayi_format_chrome_begin(belayi_json *json, int64_t pid)
{
    belayi_json_put(json, "[\n");
    put_metadata(json, "process_name", pid, 0, program_invocation_short_name);
}

void belayi_format_chrome_row(belayi_json *json, uint64_t session, int64_t pid)
{
    char name[NAME_ROOM];
    belayi_report_format(name, sizeof name, "session %llu", (unsigned long long)session);
    belayi_json_put(json, ",\n");
    put_metadata(json, "thread_name", pid, session, name);
}

/* ---- The name of a slice ---------------------------------------------------------------------------------------- */

static void take_first_words(char *out, size_t room, const char *sql)
{
    char words[2 * NAME_ROOM];
    size_t size = 0;
    for (; *sql && size < sizeof words; sql++) {
        bool blank = isspace((unsigned char)*sql) != 0;
        if (!blank)
            words[size++] = *sql;
        else if (size > 0 && words[size - 1] != ' ')
            words[size++] = ' ';
    }
    if (size > 0 && words[size - 1] == ' ')
        size--;
    belayi_report_text(out, room, words, size);
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* The name may be that of a scope around it, so the place is always there, where it is known. */
static void name_scope(char *out, size_t room, const belay_trace_event *event)
{
    if (event->scope && event->file)
        belayi_report_format(out, room, "%s (%s:%d)", event->scope, last_part(event->file), event->line);
    else if (event->file)
        belayi_report_format(out, room, "%s:%d", last_part(event->file), event->line);
    else
        belayi_report_string(out, room, event->scope ? event->scope : "scope");
}

static void name_event(char *out, size_t room, const belay_trace_event *event)
{
    const char *kind = belay_trace_kind_name(event->kind);
    if (event->kind == BELAY_TRACE_SCOPE)
        name_scope(out, room, event);
    else if (event->kind == BELAY_TRACE_STATEMENT && event->statement)
        take_first_words(out, room, event->statement);
    else if (event->number > 0)
        belayi_report_format(out, room, "%s %u", kind, event->number);
    else if (event->detail)
        belayi_report_format(out, room, "%s: %s", kind, event->detail);
    else
        belayi_report_string(out, room, kind);
}

void belayi_format_chrome(belayi_json *json, const belay_trace_event *event, int64_t pid)
{
    char name[NAME_ROOM];
    name_event(name, sizeof name, event);
    belayi_json_put(json, ",\n{");
    belayi_json_put_text(json, "name", name);
    belayi_json_put_text(json, "cat", belay_trace_kind_name(event->kind));
    belayi_json_put_text(json, "ph", "X");
    belayi_json_put_name(json, "ts");
    belayi_json_put_microseconds(json, event->start_ns);
    belayi_json_put_name(json, "dur");
    belayi_json_put_microseconds(json, event->duration_ns);
    belayi_json_put_number(json, "pid", pid);
    belayi_json_put_natural(json, "tid", event->session);
    belayi_json_put_name(json, "args");
    belayi_json_put(json, "{");
    belayi_format_facts(json, event);
    belayi_json_put(json, "}}");
}
