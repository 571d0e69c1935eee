#include "map.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "field.h"

enum { EMPTY, TAKEN_OUT, FIRST_HASH };
enum { FIRST_ROOM = 64, FIRST_PIECES = 8, LARGEST_PIECES = 1024 };

typedef struct belayi_slab {
    struct belayi_slab *next;
    size_t count, used; /* pieces */
    alignas(max_align_t) char bytes[];
} slab;

/* ---- Tables ------------------------------------------------------------------------------------------------------ */

static uint32_t mix(uint64_t number)
{
    number *= UINT64_C(0x9E3779B97F4A7C15);
    uint32_t hash = (uint32_t)(number >> 32);
    return hash < FIRST_HASH ? FIRST_HASH : hash;
}

static uint32_t hash_address(const void *object)
{
    return mix((uint64_t)(uintptr_t)object);
}

static uint32_t hash_text(uint32_t hash, belay_span text)
{
    const unsigned char *bytes = text.data;
    for (size_t i = 0; i < text.size; i++)
        hash = (hash ^ bytes[i]) * 16777619u;
    return mix(hash);
}

static uint32_t hash_key(const belayi_kind *kind, const void *object)
{
    uint32_t hash = kind->index * UINT32_C(0x9E3779B1);
    for (unsigned i = 0; i < kind->shape.keys; i++) {
        const belay_column_def *column = &kind->shape.model->columns[kind->shape.key[i]];
        if (column->kind >= BELAY_KIND_TEXT)
            hash = hash_text(hash, belayi_field_text(column, object));
        else
            hash = mix((uint64_t)hash << 1 ^ (uint64_t)belayi_field_number(column, object));
    }
    return hash;
}

/* The column whose number is the whole key; NULL where the key is something else. */
static const belay_column_def *number_key(const belayi_kind *kind)
{
    const belay_column_def *key = &kind->shape.model->columns[kind->shape.key[0]];
    return kind->shape.keys == 1 && key->kind < BELAY_KIND_TEXT ? key : NULL;
}

/* Rows mostly come with higher and higher keys: that such a one is not there is known without a look. */
static bool is_beyond_all(const belayi_kind *kind, const void *object)
{
    const belay_column_def *key = number_key(kind);
    return key && belayi_field_number(key, object) > kind->highest;
}

static void note_highest(belayi_kind *kind, const void *object)
{
    if (is_beyond_all(kind, object))
        kind->highest = belayi_field_number(number_key(kind), object);
}

static void put(belayi_slots *table, belayi_object *record, uint32_t hash)
{
    size_t at = hash & (table->room - 1);
    while (table->hashes[at] >= FIRST_HASH)
        at = (at + 1) & (table->room - 1);
    table->used += table->hashes[at] == EMPTY;
    table->hashes[at] = hash;
    table->records[at] = record;
    table->count++;
}

/* Makes the table twice what is in it, at least. Both arrays are one block. */
static bool grow(belayi_slots *table)
{
    belayi_slots grown = {.room = FIRST_ROOM};
    while (grown.room < 4 * table->count)
        grown.room *= 2;
    grown.records = calloc(grown.room, sizeof(belayi_object *) + sizeof(uint32_t));
    if (!grown.records)
        return false;
    grown.hashes = (uint32_t *)(void *)(grown.records + grown.room);
    for (size_t i = 0; i < table->room; i++)
        if (table->hashes[i] >= FIRST_HASH)
            put(&grown, table->records[i], table->hashes[i]);
    free(table->records);
    *table = grown;
    return true;
}

/* Room for one more, with at least one slot empty, so that every search ends. */
static bool make_room(belayi_slots *table)
{
    if (2 * (table->used + 1) <= table->room || grow(table))
        return true;
    return table->used + 2 <= table->room;
}

/* A place at the end of a run is empty again, and with it those before it in which nobody is. */
static void vacate(belayi_slots *table, size_t at)
{
    size_t last = table->room - 1;
    table->hashes[at] = TAKEN_OUT;
    table->count--;
    if (table->hashes[(at + 1) & last] != EMPTY)
        return;
    for (; table->hashes[at] == TAKEN_OUT; at = (at - 1) & last) {
        table->hashes[at] = EMPTY;
        table->used--;
    }
}

static void take_out(belayi_slots *table, const belayi_object *record, uint32_t hash)
{
    size_t last = table->room - 1;
    for (size_t at = hash & last; table->room > 0 && table->hashes[at] != EMPTY; at = (at + 1) & last)
        if (table->hashes[at] == hash && table->records[at] == record) {
            vacate(table, at);
            return;
        }
}

belayi_object *belayi_map_find(const belayi_map *map, const void *object)
{
    const belayi_slots *table = &map->by_address;
    if (table->room == 0)
        return NULL;
    uint32_t hash = hash_address(object);
    size_t last = table->room - 1;
    for (size_t at = hash & last; table->hashes[at] != EMPTY; at = (at + 1) & last)
        if (table->hashes[at] == hash && table->records[at]->object == object)
            return table->records[at];
    return NULL;
}

static bool same_key(const belayi_kind *kind, const void *a, const void *b)
{
    for (unsigned i = 0; i < kind->shape.keys; i++)
        if (!belayi_field_equal(&kind->shape.model->columns[kind->shape.key[i]], a, b))
            return false;
    return true;
}

belayi_object *belayi_map_find_key(const belayi_map *map, const belayi_kind *kind, const void *object)
{
    const belayi_slots *table = &map->by_key;
    if (table->room == 0 || is_beyond_all(kind, object))
        return NULL;
    uint32_t hash = hash_key(kind, object);
    size_t last = table->room - 1;
    for (size_t at = hash & last; table->hashes[at] != EMPTY; at = (at + 1) & last) {
        belayi_object *record = table->records[at];
        if (table->hashes[at] == hash && record->kind == kind && same_key(kind, record->image, object))
            return record;
    }
    return NULL;
}

bool belayi_map_reserve(belayi_map *map)
{
    return make_room(&map->by_key);
}

/* ---- Pieces of memory ------------------------------------------------------------------------------------------- */

static size_t align_up(size_t size)
{
    return (size + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t);
}

static belayi_object *piece_at(const belayi_kind *kind, slab *s, size_t i)
{
    return (belayi_object *)(void *)(s->bytes + i * kind->piece);
}

static bool add_slab(belayi_kind *kind)
{
    size_t count = kind->slabs ? 2 * kind->slabs->count : FIRST_PIECES;
    if (count > LARGEST_PIECES)
        count = LARGEST_PIECES;
    kind->piece = align_up(sizeof(belayi_object)) + 2 * align_up(kind->shape.model->object_size);
    slab *s = calloc(1, sizeof *s + count * kind->piece);
    if (!s)
        return false;
    s->next = kind->slabs;
    s->count = count;
    kind->slabs = s;
    return true;
}

/* A piece of zeros. */
static belayi_object *take_piece(belayi_kind *kind)
{
    belayi_object *piece = kind->free;
    if (piece) {
        kind->free = piece->next;
        memset(piece, 0, kind->piece);
        return piece;
    }
    bool full = !kind->slabs || kind->slabs->used == kind->slabs->count;
    if (full && !add_slab(kind))
        return NULL;
    return piece_at(kind, kind->slabs, kind->slabs->used++);
}

static belayi_object *new_record(belayi_map *map, belayi_kind *kind, void *object)
{
    belayi_object *record = make_room(&map->by_address) ? take_piece(kind) : NULL;
    if (!record)
        return NULL;
    record->kind = kind;
    record->raw = (char *)record + align_up(sizeof *record);
    record->image = (char *)record->raw + align_up(kind->shape.model->object_size);
    record->mine = !object;
    record->object = object ? object : record->raw;
    put(&map->by_address, record, hash_address(record->object));
    return record;
}

belayi_object *belayi_map_new(belayi_map *map, belayi_kind *kind)
{
    return new_record(map, kind, NULL);
}

belayi_object *belayi_map_adopt(belayi_map *map, belayi_kind *kind, void *object)
{
    return new_record(map, kind, object);
}

/* Frees what the record has beside its piece. */
static void empty_record(belayi_object *record)
{
    if (record->mine)
        belayi_image_free_owned(&record->kind->shape, record->object);
    if (record->texts && !record->texts->listed)
        free(record->texts);
    else if (record->texts)
        record->texts->current = false;
    record->texts = NULL;
}

static void free_record(belayi_object *record)
{
    belayi_kind *kind = record->kind;
    empty_record(record);
    record->kind = NULL;
    record->next = kind->free;
    kind->free = record;
}

void belayi_map_free_kind(belayi_kind *kind)
{
    while (kind->slabs) {
        slab *s = kind->slabs;
        for (size_t i = 0; i < s->used; i++)
            if (piece_at(kind, s, i)->kind)
                empty_record(piece_at(kind, s, i));
        kind->slabs = s->next;
        free(s);
    }
    kind->free = NULL;
}

void belayi_map_done(belayi_map *map)
{
    free(map->by_address.records);
    free(map->by_key.records);
    *map = (belayi_map){0};
}

/* ---- States ----------------------------------------------------------------------------------------------------- */

static bool is_inside(belay_state state)
{
    return state == BELAY_PENDING || state == BELAY_PERSISTENT || state == BELAY_DELETED;
}

static void join(belayi_map *map, belayi_object *record)
{
    record->older = map->newest;
    record->newer = NULL;
    *(map->newest ? &map->newest->newer : &map->oldest) = record;
    map->newest = record;
}

static void leave(belayi_map *map, belayi_object *record)
{
    *(record->newer ? &record->newer->older : &map->newest) = record->older;
    *(record->older ? &record->older->newer : &map->oldest) = record->newer;
    record->newer = record->older = NULL;
}

static void leave_key(belayi_map *map, belayi_object *record)
{
    if (record->by_key)
        take_out(&map->by_key, record, record->hash);
    record->by_key = false;
}

static void enter_key(belayi_map *map, belayi_object *record)
{
    make_room(&map->by_key);
    record->hash = hash_key(record->kind, record->image);
    note_highest(record->kind, record->image);
    put(&map->by_key, record, record->hash);
    record->by_key = true;
}

void belayi_map_set(belayi_map *map, belayi_object *record, belay_state state, bool to_delete)
{
    map->pending -= record->state == BELAY_PENDING;
    map->dying -= record->to_delete;
    if (is_inside(record->state) && !is_inside(state))
        leave(map, record);
    if (!is_inside(record->state) && is_inside(state))
        join(map, record);
    leave_key(map, record); /* its image may have another one now */
    record->state = state;
    record->to_delete = to_delete;
    if (state == BELAY_PERSISTENT)
        enter_key(map, record);
    map->pending += state == BELAY_PENDING;
    map->dying += to_delete;
}

/* ---- Images ----------------------------------------------------------------------------------------------------- */

bool belayi_map_take(belayi_object *record, belayi_texts **out_replaced)
{
    const belayi_shape *shape = &record->kind->shape;
    belayi_texts *texts;
    *out_replaced = NULL;
    if (!belayi_image_take(shape, record->object, record->image, record->texts, &texts))
        return false;
    if (texts != record->texts)
        *out_replaced = record->texts;
    record->texts = texts;
    if (record->mine)
        belayi_image_lend(shape, record->object, record->image);
    else
        memcpy(record->raw, record->object, shape->model->object_size);
    return true;
}

bool belayi_map_differs(belayi_object *record)
{
    const belayi_shape *shape = &record->kind->shape;
    if (belayi_image_changed(shape, record->object, record->image) ||
        belayi_image_moved(shape, record->object, record->image))
        return true;
    if (record->mine && shape->pointed &&
        memcmp((char *)record->object + shape->first, (char *)record->image + shape->first,
               shape->end - shape->first) != 0)
        belayi_image_lend(shape, record->object, record->image);
    return false;
}

bool belayi_map_restore(belayi_object *record)
{
    const belayi_shape *shape = &record->kind->shape;
    bool restored = belayi_image_restore(shape, record->object, record->image);
    if (!record->mine)
        belayi_image_lend(shape, record->object, record->raw);
    return restored;
}

/* ---- The end of a record ---------------------------------------------------------------------------------------- */

void belayi_map_remove(belayi_map *map, belayi_object *record)
{
    belayi_map_set(map, record, BELAY_TRANSIENT, false);
    take_out(&map->by_address, record, hash_address(record->object));
    record->gone = true;
    if (record->logged == 0) {
        free_record(record);
        return;
    }
    record->next = map->gone;
    map->gone = record;
}

void belayi_map_remove_all(belayi_map *map, belayi_kind *kind)
{
    for (slab *s = kind->slabs; s; s = s->next)
        for (size_t i = 0; i < s->used; i++)
            if (piece_at(kind, s, i)->kind && !piece_at(kind, s, i)->gone)
                belayi_map_remove(map, piece_at(kind, s, i));
}

void belayi_map_bury(belayi_map *map)
{
    while (map->gone) {
        belayi_object *record = map->gone;
        map->gone = record->next;
        free_record(record);
    }
}
