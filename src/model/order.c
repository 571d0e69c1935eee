#include "order.h"

#include <stdlib.h>
#include <string.h>

#include "field.h"
#include "report.h"

enum { UNSET = 1u << 30, VISITING };

static void *pointer_of(const belay_column_def *column, const void *object)
{
    void *pointer;
    memcpy(&pointer, (const char *)object + column->pointer, sizeof pointer);
    return pointer;
}

static void set_pointer_of(const belay_column_def *column, void *object, const void *pointer)
{
    memcpy((char *)object + column->pointer, &pointer, sizeof pointer);
}

/* ---- Parents ---------------------------------------------------------------------------------------------------- */

static const belay_column_def *key_of(const belayi_kind *kind)
{
    return &kind->shape.model->columns[kind->shape.key[0]];
}

/* Sets the key of a struct that is only looked with. False when it has no room for it: then there is none of that key.
 */
static bool set_probe(const belay_column_def *key, void *probe, const belay_column_def *column, const void *object)
{
    belay_span text = belayi_field_text(column, object);
    char *member = (char *)probe + key->offset;
    if (key->kind < BELAY_KIND_TEXT) {
        belayi_field_set_number(key, probe, belayi_field_number(column, object));
        return belayi_field_number(key, probe) == belayi_field_number(column, object);
    }
    if (key->kind != BELAY_KIND_TEXT_ARRAY) {
        memcpy(member, &text.data, sizeof text.data);
        return column->kind != BELAY_KIND_TEXT_ARRAY || text.size < column->room; /* there is a NUL behind it */
    }
    if (text.size >= key->room)
        return false;
    memset(member, 0, key->room);
    memcpy(member, text.data, text.size);
    return true;
}

belayi_object *belayi_order_parent(belayi_world *w, const belayi_kind *kind, const belay_column_def *column,
                                   const void *object)
{
    void *pointer = pointer_of(column, object);
    if (pointer)
        return belayi_map_find(&w->map, pointer);
    if (!belayi_field_has(column, object))
        return NULL;
    const belayi_kind *parent =
        column->parent == kind->shape.model ? kind : belayi_world_kind(w, (belay_place){0}, column->parent);
    if (!parent || !set_probe(key_of(parent), parent->probe, column, object))
        return NULL;
    return belayi_map_find_key(&w->map, parent, parent->probe);
}

static belay_code refuse_parent(belayi_world *w, belay_place place, const belayi_object *record,
                                const belay_column_def *column, const char *why)
{
    char format[192];
    belayi_report_format(format, sizeof format, "%%s: %s %s", column->member, why);
    return belayi_world_refuse(w, place, record, BELAY_MISUSE, format);
}

/* A text of the child's own with the bytes of the parent's key. */
static bool copy_text(belayi_world *w, belayi_object *child, const belay_column_def *column, belay_span text)
{
    char *member = (char *)child->object + column->offset, *old, *copy;
    if (column->kind == BELAY_KIND_TEXT_ARRAY) {
        if (text.size >= column->room)
            return false;
        memset(member, 0, column->room);
        memcpy(member, text.data, text.size);
        return true;
    }
    if (column->kind == BELAY_KIND_TEXT_OWNED) {
        copy = malloc(text.size + 1);
        if (copy) {
            memcpy(copy, text.data, text.size);
            copy[text.size] = '\0';
        }
        memcpy(&old, member, sizeof old);
        free(old);
    } else {
        copy = belayi_arena_copy(child->mine ? &w->keep : &w->kept, text.data, text.size);
    }
    memcpy(member, &copy, sizeof copy);
    return copy != NULL;
}

/* Whether the child's key is the parent's. */
static bool has_key_of(const belayi_object *child, const belay_column_def *column, const belayi_object *parent)
{
    const belay_column_def *key = key_of(parent->kind);
    if (key->kind < BELAY_KIND_TEXT)
        return belayi_field_number(column, child->object) == belayi_field_number(key, parent->object);
    belay_span a = belayi_field_text(column, child->object), b = belayi_field_text(key, parent->object);
    return a.data && b.data && a.size == b.size && memcmp(a.data, b.data, a.size) == 0;
}

static belay_code set_key(belayi_world *w, belay_place place, belayi_object *child, const belay_column_def *column,
                          const belayi_object *parent)
{
    const belay_column_def *key = key_of(parent->kind);
    if (has_key_of(child, column, parent))
        return BELAY_OK;
    if (key->kind >= BELAY_KIND_TEXT) {
        if (copy_text(w, child, column, belayi_field_text(key, parent->object)))
            return BELAY_OK;
        return column->kind == BELAY_KIND_TEXT_ARRAY
                   ? refuse_parent(w, place, child, column, "has no room for the key of its parent")
                   : belayi_world_no_memory(w, place);
    }
    int64_t number = belayi_field_number(key, parent->object);
    if (number == 0)
        return refuse_parent(w, place, child, column, "can't refer to a parent whose key is 0");
    belayi_field_set_number(column, child->object, number);
    return BELAY_OK;
}

static void clear_key(belayi_object *child, const belay_column_def *column)
{
    char *member = (char *)child->object + column->offset, *old;
    if (column->kind == BELAY_KIND_TEXT_OWNED) {
        memcpy(&old, member, sizeof old);
        free(old);
    }
    memset(member, 0, column->room);
}

/* The child points to a parent, and that is new. `key_set`: the program has set the key, too. */
static belay_code follow_pointer(belayi_world *w, belay_place place, belayi_object *child,
                                 const belay_column_def *column, const void *pointer, bool key_set)
{
    const belayi_object *parent = belayi_map_find(&w->map, pointer);
    if (!parent || (parent->state != BELAY_PERSISTENT && parent->state != BELAY_PENDING))
        return refuse_parent(w, place, child, column, "is to refer to an object that is not in the session");
    if (parent->to_delete)
        return refuse_parent(w, place, child, column, "is to refer to an object that is being deleted");
    if (parent->kind->shape.model != column->parent)
        return refuse_parent(w, place, child, column, "is to refer to an object of another type");
    if (key_set && !has_key_of(child, column, parent))
        return refuse_parent(w, place, child, column, "has another key than the object that is pointed to");
    return set_key(w, place, child, column, parent);
}

static belay_code settle_parent(belayi_world *w, belay_place place, belayi_object *child,
                                const belay_column_def *column)
{
    const void *pointer = pointer_of(column, child->object);
    bool is_new = child->state == BELAY_PENDING;
    bool moved = is_new ? pointer != NULL : pointer != pointer_of(column, child->image);
    bool key_set =
        is_new ? belayi_field_has(column, child->object) : !belayi_field_equal(column, child->object, child->image);
    if (moved && pointer)
        return follow_pointer(w, place, child, column, pointer, key_set);
    if (moved && !key_set)
        clear_key(child, column);
    if (key_set && !is_new) {
        set_pointer_of(column, child->object, NULL);
        const belayi_object *parent = belayi_order_parent(w, child->kind, column, child->object);
        set_pointer_of(column, child->object, parent ? parent->object : NULL);
    }
    return BELAY_OK;
}

belay_code belayi_order_settle_parents(belayi_world *w, belay_place place, belayi_object *child)
{
    const belayi_shape *shape = &child->kind->shape;
    belay_code code = BELAY_OK;
    for (unsigned i = 0; shape->parents && i < shape->count && code == BELAY_OK; i++)
        if (shape->parents & BELAYI_COLUMN_BIT(i))
            code = settle_parent(w, place, child, &shape->model->columns[i]);
    return code;
}

/* ---- Levels ----------------------------------------------------------------------------------------------------- */

/* Whether a record is among those that are ordered. */
typedef bool (*is_member)(const belayi_object *);

static bool is_pending(const belayi_object *record)
{
    return record->state == BELAY_PENDING;
}

static bool is_dying(const belayi_object *record)
{
    return record->to_delete;
}

/* A parent among them whose level is not known yet; else NULL, and *out_level is the record's. */
static belayi_object *next_parent(belayi_world *w, const belayi_object *record, is_member member, unsigned *out_level)
{
    const belayi_shape *shape = &record->kind->shape;
    *out_level = record->kind->level;
    for (unsigned i = 0; shape->parents && i < shape->count; i++) {
        const belay_column_def *column = &shape->model->columns[i];
        if (column->role != BELAY_ROLE_PARENT)
            continue;
        belayi_object *parent = belayi_order_parent(w, record->kind, column, record->object);
        if (!parent || !member(parent))
            continue;
        if (parent->level >= UNSET)
            return parent;
        if (*out_level <= parent->level)
            *out_level = parent->level + 1;
    }
    return NULL;
}

/* Finds the levels of a record and of all its parents; those that wait for theirs are a list by `next`. */
static belay_code find_level(belayi_world *w, belay_place place, belayi_object *record, is_member member)
{
    record->next = NULL;
    record->level = VISITING;
    while (record) {
        unsigned level;
        belayi_object *parent = next_parent(w, record, member, &level);
        if (parent && parent->level == VISITING)
            return belayi_world_refuse(w, place, record, BELAY_MISUSE,
                                       "%s is a parent of itself, or objects are parents of each other in a circle");
        if (parent) {
            parent->level = VISITING;
            parent->next = record;
            record = parent;
        } else {
            record->level = level;
            record = record->next;
        }
    }
    return BELAY_OK;
}

/* A record with what it is ordered by: so that ordering touches no records. */
typedef struct ordered {
    unsigned level, kind;
    uint64_t sequence;
    belayi_object *record;
} ordered;

static int compare_inserts(const void *a, const void *b)
{
    const ordered *x = a, *y = b;
    if (x->level != y->level)
        return x->level < y->level ? -1 : 1;
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    return (x->sequence > y->sequence) - (x->sequence < y->sequence);
}

static int compare_deletes(const void *a, const void *b)
{
    const ordered *x = a, *y = b;
    return x->level != y->level ? (x->level > y->level ? -1 : 1) : compare_inserts(a, b);
}

static bool sort_records(belayi_list *list, int (*compare)(const void *, const void *))
{
    if (list->count < 2)
        return true;
    ordered *entries = malloc(list->count * sizeof *entries);
    for (size_t i = 0; entries && i < list->count; i++) {
        belayi_object *record = list->records[i];
        entries[i] = (ordered){record->level, record->kind->index, record->sequence, record};
    }
    if (!entries)
        return false;
    qsort(entries, list->count, sizeof *entries, compare);
    for (size_t i = 0; i < list->count; i++)
        list->records[i] = entries[i].record;
    free(entries);
    return true;
}

static bool collect(belayi_world *w, is_member member, size_t count, belayi_list *out)
{
    *out = (belayi_list){.records = malloc(count * sizeof(belayi_object *))};
    for (belayi_object *record = w->map.oldest; out->records && record; record = record->newer)
        if (member(record)) {
            record->level = UNSET;
            out->records[out->count++] = record;
        }
    return out->records;
}

static belay_code order(belayi_world *w, belay_place place, is_member member, size_t count,
                        int (*compare)(const void *, const void *), belayi_list *out)
{
    if (!collect(w, member, count, out))
        return belayi_world_no_memory(w, place);
    for (size_t i = 0; i < out->count; i++) {
        belayi_object *record = out->records[i];
        belay_code code = record->level == UNSET ? find_level(w, place, record, member) : BELAY_OK;
        if (code != BELAY_OK)
            return code;
    }
    return sort_records(out, compare) ? BELAY_OK : belayi_world_no_memory(w, place);
}

belay_code belayi_order_inserts(belayi_world *w, belay_place place, belayi_list *out_list)
{
    return order(w, place, is_pending, w->map.pending, compare_inserts, out_list);
}

belay_code belayi_order_deletes(belayi_world *w, belay_place place, belayi_list *out_list)
{
    return order(w, place, is_dying, w->map.dying, compare_deletes, out_list);
}

/* ---- Updates ---------------------------------------------------------------------------------------------------- */

static int compare_key(const belayi_object *a, const belayi_object *b)
{
    const belayi_shape *shape = &a->kind->shape;
    for (unsigned i = 0; i < shape->keys; i++) {
        const belay_column_def *column = &shape->model->columns[shape->key[i]];
        belay_span x = belayi_field_text(column, a->image), y = belayi_field_text(column, b->image);
        if (x.data && y.data) {
            int order_of_text = memcmp(x.data, y.data, x.size < y.size ? x.size : y.size);
            if (order_of_text != 0 || x.size != y.size)
                return order_of_text != 0 ? order_of_text : (x.size > y.size) - (x.size < y.size);
            continue;
        }
        int64_t m = belayi_field_number(column, a->image), n = belayi_field_number(column, b->image);
        if (m != n)
            return m < n ? -1 : 1;
    }
    return 0;
}

static int compare_updates(const void *a, const void *b)
{
    const belayi_object *x = ((const belayi_update *)a)->record, *y = ((const belayi_update *)b)->record;
    int tables = x->kind == y->kind ? 0 : strcmp(x->kind->shape.model->table, y->kind->shape.model->table);
    return tables != 0 ? tables : x->kind == y->kind ? compare_key(x, y) : 0;
}

static belay_code check_change(belayi_world *w, belay_place place, const belayi_object *record, belayi_columns columns)
{
    const belayi_shape *shape = &record->kind->shape;
    if (columns & shape->key_set)
        return belayi_world_refuse(w, place, record, BELAY_MISUSE,
                                   "the key of %s was changed, which stands for its row");
    if (shape->version >= 0 && columns & BELAYI_COLUMN_BIT(shape->version))
        return belayi_world_refuse(w, place, record, BELAY_MISUSE, "the version of %s was changed by the program");
    return BELAY_OK;
}

static bool add_update(belayi_updates *updates, size_t *room, belayi_update update)
{
    if (updates->count == *room) {
        size_t wider = *room ? 2 * *room : 64;
        belayi_update *grown = realloc(updates->list, wider * sizeof *grown);
        if (!grown)
            return false;
        updates->list = grown;
        *room = wider;
    }
    updates->list[updates->count++] = update;
    return true;
}

/* An object that may have changed. One that has only been given another pointer to the same parent has no columns to be
   written, and one whose row was deleted has none any more: only its image is taken. */
static belay_code note_update(belayi_world *w, belay_place place, belayi_object *record, belayi_updates *updates,
                              size_t *room)
{
    const belayi_shape *shape = &record->kind->shape;
    bool moved = belayi_image_moved(shape, record->object, record->image);
    if (!moved && !belayi_image_changed(shape, record->object, record->image))
        return BELAY_OK;
    belay_code code = BELAY_OK;
    belayi_columns columns = 0;
    if (record->state == BELAY_PERSISTENT) {
        code = belayi_order_settle_parents(w, place, record);
        columns = belayi_image_changed(shape, record->object, record->image);
        if (code == BELAY_OK)
            code = check_change(w, place, record, columns);
    }
    if (code != BELAY_OK)
        return code;
    return add_update(updates, room, (belayi_update){record, columns}) ? BELAY_OK : belayi_world_no_memory(w, place);
}

belay_code belayi_order_updates(belayi_world *w, belay_place place, belayi_updates *out_updates)
{
    size_t room = 0;
    belay_code code = BELAY_OK;
    *out_updates = (belayi_updates){0};
    for (belayi_object *record = w->map.oldest; code == BELAY_OK && record; record = record->newer)
        if (record->state != BELAY_PENDING && !record->to_delete)
            code = note_update(w, place, record, out_updates, &room);
    if (out_updates->count > 1)
        qsort(out_updates->list, out_updates->count, sizeof *out_updates->list, compare_updates);
    return code;
}
