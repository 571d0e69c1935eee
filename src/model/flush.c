/*
 * flush.c - all that is to be written in a scope: inserts, updates, deletes, in this order.
 * Tests: tests/model_objects/test_flush.c.
 */
#include <stdlib.h>

#include "order.h"
#include "world.h"
#include "write.h"

/* ---- Flushing --------------------------------------------------------------------------------------------------- */

/* What was changed while it was expired would be lost, or overwrite what nobody has looked at. */
static belay_code refuse_expired(belayi_world *w, belay_place place, const belayi_object *record)
{
    return belayi_world_refuse(
        w, place, record, BELAY_MISUSE,
        "%s was changed while it was expired: read it again first, by belay_get or belay_refresh");
}

static belay_code write_updates(belayi_world *w, belay_place place)
{
    belayi_updates updates;
    belay_code code = belayi_order_updates(w, place, &updates);
    for (size_t i = 0; code == BELAY_OK && i < updates.count; i++)
        code = belayi_write_update(w, place, updates.list[i].record, updates.list[i].columns);
    free(updates.list);
    return code;
}

static belay_code write_inserts(belayi_world *w, belay_place place)
{
    belayi_list list;
    belay_code code = belayi_order_inserts(w, place, &list);
    if (code == BELAY_OK)
        code = belayi_write_inserts(w, place, &list);
    free(list.records);
    return code;
}

static belay_code write_deletes(belayi_world *w, belay_place place)
{
    belayi_list list;
    belay_code code = belayi_order_deletes(w, place, &list);
    for (size_t i = 0; code == BELAY_OK && i < list.count; i++)
        code = belayi_write_delete(w, place, list.records[i]);
    free(list.records);
    return code;
}

/* Whether an object differs from its image. Most flushes find none. */
static bool has_changes(belayi_world *w, const belayi_object **out_expired)
{
    bool changes = false;
    for (belayi_object *record = w->map.oldest; record; record = record->newer) {
        if (record->state == BELAY_PENDING || !belayi_map_differs(record))
            continue;
        changes = true;
        if (record->expired && !*out_expired)
            *out_expired = record;
    }
    return changes;
}

belay_code belayi_world_flush(belayi_world *w, belay_place place)
{
    const belayi_object *expired = NULL;
    if (w->busy > 0)
        return BELAY_OK;
    if (w->torn)
        return belayi_world_no_memory(w, place);
    bool changes = has_changes(w, &expired);
    if (expired)
        return refuse_expired(w, place, expired);
    w->busy++;
    belay_code code = w->map.pending > 0 ? write_inserts(w, place) : BELAY_OK;
    if (code == BELAY_OK && changes)
        code = write_updates(w, place);
    if (code == BELAY_OK && w->map.dying > 0)
        code = write_deletes(w, place);
    w->busy--;
    w->session->transaction.followed = w->undo.count;
    return code;
}
