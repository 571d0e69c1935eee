/*
 * hooks.c - hooks, in the order in which they were registered.
 *
 * A scope and a mark remember how many there were when they began; what came
 * later belongs to them and shares their fate.
 * Tests: tests/unit/core, tests/conformance.
 */
#include <stdlib.h>

#include "inside.h"

static void free_entry(const belayi_hook_entry *entry)
{
    if (entry->free_arg)
        entry->free_arg(entry->arg);
}

bool belayi_hooks_add(belayi_hooks *hooks, belayi_hook_entry entry)
{
    if (hooks->count == hooks->room) {
        size_t room = hooks->room ? 2 * hooks->room : 8;
        belayi_hook_entry *grown = realloc(hooks->entries, room * sizeof *grown);
        if (!grown) {
            free_entry(&entry);
            return false;
        }
        hooks->entries = grown;
        hooks->room = room;
    }
    hooks->entries[hooks->count++] = entry;
    return true;
}

belayi_hooks belayi_hooks_take(belayi_hooks *hooks)
{
    belayi_hooks taken = *hooks;
    *hooks = (belayi_hooks){0};
    return taken;
}

void belayi_hooks_drop(belayi_hooks *hooks, size_t from)
{
    for (size_t i = from; i < hooks->count; i++)
        free_entry(&hooks->entries[i]);
    if (hooks->count > from)
        hooks->count = from;
    if (hooks->next > from) /* what a hook before the commit registers after going back is new */
        hooks->next = from;
}

void belayi_hooks_done(belayi_hooks *hooks)
{
    belayi_hooks_drop(hooks, 0);
    free(hooks->entries);
    *hooks = (belayi_hooks){0};
}

const char *belayi_hook_kind_name(belayi_hook_kind kind)
{
    static const char *const names[] = {"on commit", "on rollback", "before commit"}; /* as belayi_hook_kind */
    return names[kind];
}

bool belayi_hooks_run(belayi_transaction *t, const belayi_hook_entry *entry, bool inside)
{
    belay_trace_event event = {.kind = BELAY_TRACE_HOOK, .detail = belayi_hook_kind_name(entry->kind)};
    event.start_ns = t->trace ? belayi_clock_now() : 0;
    bool worked = t->host->run_hook(t->host_arg, entry->hook, entry->arg, inside);
    event.code = worked ? BELAY_OK : BELAY_APPLICATION;
    if (t->trace)
        belayi_wire_tell(t, &event);
    return worked;
}

void belayi_hooks_roll_back(belayi_transaction *t, size_t from, bool inside)
{
    for (size_t i = from; i < t->hooks.count; i++) {
        /* A copy: the hook may register others, and move the list. */
        belayi_hook_entry entry = t->hooks.entries[i];
        if (entry.kind == BELAYI_HOOK_ROLLBACK && !belayi_hooks_run(t, &entry, inside))
            t->hooks.failed++;
    }
    belayi_hooks_drop(&t->hooks, from);
}
