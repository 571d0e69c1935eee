#include "undo.h"

#include <stdlib.h>
#include <string.h>

static bool make_room(belayi_undo *undo)
{
    if (undo->count < undo->room)
        return true;
    size_t room = undo->room ? 2 * undo->room : 64;
    belayi_undo_entry *grown = realloc(undo->entries, room * sizeof *grown);
    if (!grown)
        return false;
    undo->entries = grown;
    undo->room = room;
    return true;
}

static void push(belayi_undo *undo, belayi_object *record, void *image)
{
    undo->entries[undo->count++] = (belayi_undo_entry){
        .record = record,
        .logged = record->logged,
        .image = image,
        .texts = record->texts,
        .state = record->state,
        .expired = record->expired,
        .to_delete = record->to_delete,
    };
    record->logged = undo->count;
}

static size_t size_of(const belayi_object *record)
{
    return record->kind->shape.model->object_size;
}

bool belayi_undo_log(belayi_undo *undo, belayi_object *record, size_t boundary)
{
    if (record->logged > boundary && undo->entries[record->logged - 1].image)
        return true;
    size_t size = size_of(record);
    char *image = make_room(undo) ? belayi_arena_get(&undo->images, record->mine ? size : 2 * size) : NULL;
    if (!image)
        return false;
    memcpy(image, record->image, size);
    if (!record->mine)
        memcpy(image + size, record->raw, size);
    push(undo, record, image);
    return true;
}

bool belayi_undo_log_read(belayi_undo *undo, belayi_object *record)
{
    if (!make_room(undo))
        return false;
    push(undo, record, NULL);
    return true;
}

void belayi_undo_keep(belayi_undo *undo, belayi_texts *texts)
{
    if (!texts)
        return;
    texts->current = false;
    if (texts->listed)
        return;
    texts->listed = true;
    texts->next = undo->replaced;
    undo->replaced = texts;
}

/* ---- Going back ------------------------------------------------------------------------------------------------- */

static void put_back(belayi_undo *undo, belayi_object *record, const belayi_undo_entry *entry)
{
    size_t size = size_of(record);
    if (record->texts != entry->texts) {
        belayi_undo_keep(undo, record->texts);
        record->texts = entry->texts;
        if (record->texts)
            record->texts->current = true;
    }
    memcpy(record->image, entry->image, size);
    if (!record->mine)
        memcpy(record->raw, (const char *)entry->image + size, size);
}

/* *clash: two stand for one row now; one of them came while the other was deleted. */
static bool undo_entry(belayi_undo *undo, belayi_map *map, const belayi_undo_entry *entry, bool *clash)
{
    belayi_object *record = entry->record;
    bool good = true;
    if (!record->gone && !entry->image) {
        record->expired = true;
    } else if (!record->gone) {
        put_back(undo, record, entry);
        record->expired = entry->expired;
        const belayi_object *other = belayi_map_find_key(map, record->kind, record->image);
        *clash |= entry->state == BELAY_PERSISTENT && other && other != record;
        belayi_map_set(map, record, entry->state, entry->to_delete);
        good = belayi_map_restore(record);
    }
    record->logged = entry->logged;
    if (record->state == BELAY_TRANSIENT && !record->mine && !record->gone)
        belayi_map_remove(map, record); /* the program's again */
    return good;
}

/* Of two for one row the one stays that came first. */
static void settle_clashes(belayi_map *map)
{
    for (belayi_object *record = map->oldest, *newer; record; record = newer) {
        newer = record->newer;
        belayi_object *other = record->by_key ? belayi_map_find_key(map, record->kind, record->image) : record;
        if (other == record)
            continue;
        belayi_map_set(map, record->sequence > other->sequence ? record : other, BELAY_DETACHED, false);
        newer = map->oldest;
    }
}

bool belayi_undo_go_back(belayi_undo *undo, belayi_map *map, size_t position)
{
    bool good = true, clash = false;
    while (undo->count > position)
        good &= undo_entry(undo, map, &undo->entries[--undo->count], &clash);
    /* What the program has changed since and nobody has written. */
    for (belayi_object *record = map->oldest; record; record = record->newer)
        if (belayi_map_differs(record))
            good &= belayi_map_restore(record);
    if (clash)
        settle_clashes(map);
    return good;
}

void belayi_undo_empty(belayi_undo *undo, belayi_map *map)
{
    for (size_t i = 0; i < undo->count; i++)
        undo->entries[i].record->logged = 0;
    undo->count = 0;
    belayi_map_bury(map);
    while (undo->replaced) {
        belayi_texts *texts = undo->replaced;
        undo->replaced = texts->next;
        texts->listed = false;
        if (!texts->current)
            free(texts);
    }
    belayi_arena_free(&undo->images);
}
