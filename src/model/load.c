#include "load.h"

#include <stdlib.h>
#include <string.h>

#include "cell.h"
#include "field.h"
#include "order.h"
#include "report.h"
#include "run.h"

enum { NUMBER_ROOM = 40 };

static belay_code no_memory(belay_error *error)
{
    return belayi_report(error, BELAY_NO_MEMORY, "no memory for an object");
}

/* ---- Cells ------------------------------------------------------------------------------------------------------ */

static bool is_number(const belay_value *cell)
{
    return cell->type == BELAY_TYPE_INT || cell->type == BELAY_TYPE_DOUBLE;
}

/* A text is copied, with a NUL behind it; a decimal that the engine has as a number is written. */
static bool is_held(const belay_column_def *column, const belay_value *cell)
{
    if (cell->type == BELAY_TYPE_NULL || column->kind < BELAY_KIND_TEXT)
        return false;
    return !is_number(cell) || column->precision > 0;
}

static char *hold(belay_value *cell, char *room)
{
    size_t size = cell->size;
    if (is_number(cell))
        size = belayi_cell_write(cell, room, NUMBER_ROOM);
    else if (size > 0)
        memcpy(room, cell->as.data, size);
    room[size] = '\0';
    *cell = belay_text(room, size);
    return room + size + 1;
}

/* Moves the texts of a row into the world's own buffer, where they stay until the next row. */
static bool hold_texts(belayi_world *w, const belayi_shape *shape, belayi_columns columns, belay_value *cells)
{
    size_t size = 0, at = 0;
    for (unsigned i = 0; i < shape->count; i++)
        if (columns & BELAYI_COLUMN_BIT(i)) {
            const belay_value *cell = &cells[at++];
            if (is_held(&shape->model->columns[i], cell))
                size += is_number(cell) ? NUMBER_ROOM : cell->size + 1;
        }
    char *room = belayi_world_row(w, size);
    if (!room)
        return false;
    at = 0;
    for (unsigned i = 0; size > 0 && i < shape->count; i++)
        if (columns & BELAYI_COLUMN_BIT(i)) {
            belay_value *cell = &cells[at++];
            if (is_held(&shape->model->columns[i], cell))
                room = hold(cell, room);
        }
    return true;
}

/* ---- Some columns, into the object ------------------------------------------------------------------------------ */

/* The member is the object's own text, or one that lives as long as the session lets the program have it. */
static bool own_text(belayi_world *w, const belayi_object *record, const belay_column_def *column, char *old)
{
    char *member = (char *)record->object + column->offset, *text;
    belay_span span = belayi_field_text(column, record->object);
    if (column->kind == BELAY_KIND_TEXT_OWNED) {
        text = span.data ? strdup(span.data) : NULL;
        free(old);
    } else {
        text = span.data ? belayi_arena_copy(&w->kept, span.data, span.size) : NULL;
    }
    memcpy(member, &text, sizeof text); /* of a belay_span, too: it begins with its pointer */
    return text || !span.data;
}

belay_code belayi_load_columns(belayi_world *w, belayi_object *record, belayi_columns columns, belay_value *cells,
                               belay_error *error)
{
    const belayi_shape *shape = &record->kind->shape;
    belay_code code = hold_texts(w, shape, columns, cells) ? BELAY_OK : no_memory(error);
    for (unsigned i = 0; i < shape->count && code == BELAY_OK; i++) {
        const belay_column_def *column = &shape->model->columns[i];
        belayi_columns bit = BELAYI_COLUMN_BIT(i);
        char *old = NULL;
        if (!(columns & bit))
            continue;
        if (shape->owned & bit)
            memcpy(&old, (char *)record->object + column->offset, sizeof old);
        code = belayi_field_read(shape->model, column, cells++, record->object, error);
        bool owns = shape->owned & bit || (shape->pointed & bit && !record->mine);
        if (code == BELAY_OK && owns && !own_text(w, record, column, old))
            code = no_memory(error);
    }
    return code;
}

/* ---- A row ------------------------------------------------------------------------------------------------------ */

/* What is done with the rows of a statement. */
typedef struct loading {
    belayi_world *world;
    belayi_kind *kind;
    bool again;              /* what is in the session, and not expired, is read again, too */
    belayi_object **records; /* those that the rows are of */
    size_t count, room;
} loading;

static belay_code read_row(belayi_world *w, belayi_kind *kind, belay_value *cells, belay_error *error)
{
    const belayi_shape *shape = &kind->shape;
    belay_code code = hold_texts(w, shape, shape->all, cells) ? BELAY_OK : no_memory(error);
    memset(kind->row, 0, shape->model->object_size);
    for (unsigned i = 0; i < shape->count && code == BELAY_OK; i++)
        code = belayi_field_read(shape->model, &shape->model->columns[i], &cells[i], kind->row, error);
    return code;
}

/* The pointers to parents that are in the session. */
static void find_parents(belayi_world *w, belayi_kind *kind)
{
    const belayi_shape *shape = &kind->shape;
    for (unsigned i = 0; shape->parents && i < shape->count; i++)
        if (shape->parents & BELAYI_COLUMN_BIT(i)) {
            const belay_column_def *column = &shape->model->columns[i];
            const belayi_object *parent = belayi_order_parent(w, kind, column, kind->row);
            if (parent)
                memcpy((char *)kind->row + column->pointer, &parent->object, sizeof parent->object);
        }
}

/* In an object of the program's own, texts are the session's for good. */
static bool fill_raw(belayi_world *w, belayi_object *record)
{
    const belayi_shape *shape = &record->kind->shape;
    memcpy(record->raw, record->image, shape->model->object_size);
    for (unsigned i = 0; shape->pointed && i < shape->count; i++) {
        const belay_column_def *column = &shape->model->columns[i];
        belay_span span = belayi_field_text(column, record->image);
        if (!(shape->pointed & BELAYI_COLUMN_BIT(i)) || !span.data)
            continue;
        char *copy = belayi_arena_copy(&w->kept, span.data, span.size);
        if (!copy)
            return false;
        memcpy((char *)record->raw + column->offset, &copy, sizeof copy);
    }
    return true;
}

/* The record becomes what the row is. */
static bool fill_record(belayi_world *w, belayi_object *record)
{
    const belayi_shape *shape = &record->kind->shape;
    belayi_texts *texts;
    if (!belayi_image_take(shape, record->kind->row, record->image, record->texts, &texts))
        return false;
    if (texts != record->texts)
        belayi_undo_keep(&w->undo, record->texts);
    record->texts = texts;
    if (!record->mine && !fill_raw(w, record))
        return false;
    return belayi_map_restore(record);
}

static belayi_object *add_record(belayi_world *w, belayi_kind *kind, belay_error *error)
{
    belayi_object *record = belayi_map_new(&w->map, kind);
    if (record && fill_record(w, record) && belayi_world_log_read(w, record) && belayi_world_be_persistent(w, record)) {
        record->sequence = ++w->sequences;
        return record;
    }
    if (record)
        belayi_map_remove(&w->map, record);
    no_memory(error);
    return NULL;
}

/* What was changed meanwhile is lost by reading again, unless that was asked for. */
static belay_code check_unchanged(const belayi_object *record, belay_error *error)
{
    char name[128];
    const belayi_shape *shape = &record->kind->shape;
    if (!belayi_image_changed(shape, record->object, record->image))
        return BELAY_OK;
    belayi_field_name_object(shape->model, record->image, name, sizeof name);
    return belayi_report(error, BELAY_MISUSE,
                         "%s was changed while it was expired: read it again first, by belay_get or belay_refresh",
                         name);
}

static belay_code read_again(loading *l, belayi_object *record, belay_error *error)
{
    belayi_world *w = l->world;
    if (!record->expired && !l->again)
        return BELAY_OK;
    belay_code code = record->expired && !l->again ? check_unchanged(record, error) : BELAY_OK;
    if (code != BELAY_OK)
        return code;
    if (!belayi_world_log(w, record) || !fill_record(w, record) || !belayi_world_be_persistent(w, record))
        return no_memory(error);
    return BELAY_OK;
}

static bool note_record(loading *l, belayi_object *record)
{
    if (l->count == l->room) {
        size_t room = l->room ? 2 * l->room : 16;
        belayi_object **grown = realloc(l->records, room * sizeof(belayi_object *));
        if (!grown)
            return false;
        l->records = grown;
        l->room = room;
    }
    l->records[l->count++] = record;
    return true;
}

static belay_code load_row(void *arg, belay_value *cells, belay_error *error)
{
    loading *l = arg;
    belay_code code = read_row(l->world, l->kind, cells, error);
    if (code != BELAY_OK)
        return code;
    find_parents(l->world, l->kind);
    belayi_object *record = belayi_map_find_key(&l->world->map, l->kind, l->kind->row);
    if (record)
        code = read_again(l, record, error);
    else if (!(record = add_record(l->world, l->kind, error)))
        code = error->code;
    if (code == BELAY_OK && !note_record(l, record))
        code = no_memory(error);
    return code;
}

/* ---- By key ----------------------------------------------------------------------------------------------------- */

belay_code belayi_load_key(belayi_world *w, belay_place place, belayi_kind *kind, const belay_value *key,
                           belayi_verb verb, bool again, belayi_object **out_record)
{
    belayi_sql_text wanted = {.verb = verb};
    loading l = {.world = w, .kind = kind, .again = again};
    *out_record = NULL;
    const char *sql = belayi_texts_get(&kind->statements, &kind->shape, w->quote, &wanted);
    if (!sql)
        return belayi_world_no_memory(w, place);
    belay_code code = belayi_model_run(w, place,
                                       &(belayi_run){.sql = sql,
                                                     .n = kind->shape.keys,
                                                     .values = key,
                                                     .on_row = load_row,
                                                     .arg = &l,
                                                     .columns = (int)kind->shape.count});
    if (code == BELAY_OK && l.count > 0)
        *out_record = l.records[0];
    free(l.records);
    return code;
}

belay_code belayi_load_again(belayi_world *w, belay_place place, belayi_object *record, belayi_verb verb,
                             belayi_object **out_record)
{
    belay_value key[BELAYI_KEYS_MAX];
    const belayi_shape *shape = &record->kind->shape;
    for (unsigned i = 0; i < shape->keys; i++)
        key[i] = belayi_field_value(&shape->model->columns[shape->key[i]], record->image);
    return belayi_load_key(w, place, record->kind, key, verb, true, out_record);
}

/* ---- By a condition --------------------------------------------------------------------------------------------- */

/* A list is told from its beginning: how many there are stands before it. */
typedef union list_head {
    size_t count;
    void *alignment;
} list_head;

static void *make_list(belayi_world *w, const loading *l)
{
    list_head *head = belayi_arena_get(&w->keep, sizeof *head + (l->count + 1) * sizeof(void *));
    if (!head)
        return NULL;
    head->count = l->count;
    void **list = (void **)(void *)(head + 1);
    for (size_t i = 0; i < l->count; i++)
        list[i] = l->records[i]->object;
    list[l->count] = NULL;
    return list;
}

size_t belay_found(const void *list)
{
    return list ? ((const list_head *)list)[-1].count : 0;
}

void *belayi_load_find(belayi_world *w, belay_place place, belayi_kind *kind, const char *rest, size_t n,
                       const belay_value *values)
{
    loading l = {.world = w, .kind = kind};
    char *sql = belayi_texts_find(&kind->shape, w->quote, rest);
    void *list = NULL;
    belay_code code = sql ? belayi_model_run(w, place,
                                             &(belayi_run){.sql = sql,
                                                           .n = n,
                                                           .values = values,
                                                           .on_row = load_row,
                                                           .arg = &l,
                                                           .columns = (int)kind->shape.count,
                                                           .locks = &l.again})
                          : belayi_world_no_memory(w, place);
    if (code == BELAY_OK && !(list = make_list(w, &l)))
        belayi_world_no_memory(w, place);
    free(l.records);
    free(sql);
    return list;
}
