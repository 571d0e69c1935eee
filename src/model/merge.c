#include "merge.h"

#include <stdlib.h>
#include <string.h>

#include "field.h"
#include "object.h"

static bool copy_text(belayi_world *w, const belayi_object *to, const belay_column_def *column, const void *source)
{
    char *member = (char *)to->object + column->offset, *old, *copy;
    belay_span text = belayi_field_text(column, source);
    memcpy(&old, member, sizeof old);
    if (column->kind == BELAY_KIND_TEXT_OWNED)
        copy = text.data ? strdup(text.data) : NULL;
    else
        copy = text.data ? belayi_arena_copy(to->mine ? &w->keep : &w->kept, text.data, text.size) : NULL;
    if (text.data && !copy)
        return false;
    if (column->kind == BELAY_KIND_TEXT_OWNED)
        free(old);
    memcpy(member, &copy, sizeof copy);
    if (column->kind == BELAY_KIND_BYTES)
        memcpy(member + offsetof(belay_span, size), &text.size, sizeof text.size);
    return true;
}

static bool copy_column(belayi_world *w, const belayi_object *to, const belay_column_def *column, const void *source)
{
    if (belayi_field_equal(column, to->object, source))
        return true;
    if (column->has > 0)
        memcpy((char *)to->object + column->has - 1, (const char *)source + column->has - 1, sizeof(bool));
    if (column->kind == BELAY_KIND_TEXT || column->kind == BELAY_KIND_TEXT_OWNED || column->kind == BELAY_KIND_BYTES)
        return copy_text(w, to, column, source);
    memcpy((char *)to->object + column->offset, (const char *)source + column->offset, column->room);
    return true;
}

/* The pointer, where it leads to an object of the session; then a key that is not set follows from it. */
static bool copy_parent(belayi_world *w, const belayi_object *to, const belay_column_def *column, const void *source)
{
    void *pointer, *none = NULL;
    memcpy(&pointer, (const char *)source + column->pointer, sizeof pointer);
    const belayi_object *parent = pointer ? belayi_map_find(&w->map, pointer) : NULL;
    bool inside = parent && (parent->state == BELAY_PENDING || parent->state == BELAY_PERSISTENT);
    if (inside)
        memcpy((char *)to->object + column->pointer, &pointer, sizeof pointer);
    else if (!belayi_field_equal(column, to->object, source))
        memcpy((char *)to->object + column->pointer, &none, sizeof none);
    return (inside && !belayi_field_has(column, source)) || copy_column(w, to, column, source);
}

static bool copy_all(belayi_world *w, const belayi_object *to, bool with_key, const void *source)
{
    const belayi_shape *shape = &to->kind->shape;
    bool good = true;
    for (unsigned i = 0; i < shape->count && good; i++) {
        const belay_column_def *column = &shape->model->columns[i];
        if ((belayi_shape_is_key(column) && !with_key) || column->role == BELAY_ROLE_VERSION)
            continue;
        good =
            column->role == BELAY_ROLE_PARENT ? copy_parent(w, to, column, source) : copy_column(w, to, column, source);
    }
    return good;
}

/* Whether the source was read from another version of the row. */
static bool is_stale(const belayi_object *record, const void *source)
{
    const belayi_shape *shape = &record->kind->shape;
    if (shape->version < 0)
        return false;
    const belay_column_def *version = &shape->model->columns[shape->version];
    int64_t number = belayi_field_number(version, source);
    return number != 0 && number != belayi_field_number(version, record->object);
}

static void *merge_new(belayi_world *w, belay_place place, belayi_kind *kind, const void *source)
{
    belayi_object *record = belayi_map_new(&w->map, kind);
    if (!record || !copy_all(w, record, true, source)) {
        if (record)
            belayi_map_remove(&w->map, record);
        belayi_world_no_memory(w, place);
        return NULL;
    }
    return belayi_object_add(w, place, kind, record->object) == BELAY_OK ? record->object : NULL;
}

static void *merge_into(belayi_world *w, belay_place place, belayi_object *record, const void *source)
{
    if (is_stale(record, source)) {
        belayi_world_refuse(w, place, record, BELAY_STALE,
                            "belay_merge: the row of %s has another version than what is to be merged into it");
        return NULL;
    }
    if (record->object != source && !copy_all(w, record, false, source)) {
        belayi_world_no_memory(w, place);
        return NULL;
    }
    return record->object;
}

void *belayi_merge(belayi_world *w, belay_place place, belayi_kind *kind, const void *source)
{
    const belayi_shape *shape = &kind->shape;
    belay_value key[BELAYI_KEYS_MAX];
    for (unsigned i = 0; i < shape->keys; i++)
        key[i] = belayi_field_value(&shape->model->columns[shape->key[i]], source);
    bool unknown = shape->generated && belayi_field_number(&shape->model->columns[shape->key[0]], source) == 0;
    belayi_object *record = unknown ? NULL : belayi_object_get(w, place, kind, shape->keys, key);
    if (record)
        return merge_into(w, place, record, source);
    if (belayi_transaction_has_error(&w->session->transaction))
        return NULL;
    return merge_new(w, place, kind, source);
}
