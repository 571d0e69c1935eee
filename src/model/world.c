#include "world.h"

#include <stdlib.h>
#include <string.h>

#include "field.h"
#include "image.h"
#include "report.h"

/* ---- Errors ----------------------------------------------------------------------------------------------------- */

belay_code belayi_world_no_memory(belayi_world *w, belay_place place)
{
    belay_error error;
    belayi_report(&error, BELAY_NO_MEMORY, "no memory for an object");
    return belayi_session_raise(w->session, place, &error);
}

belay_code belayi_world_refuse(belayi_world *w, belay_place place, const belayi_object *record, belay_code code,
                               const char *format)
{
    belay_error error;
    char name[128];
    const belay_model *model = record->kind->shape.model;
    const void *keys =
        record->state == BELAY_PENDING || record->state == BELAY_TRANSIENT ? record->object : record->image;
    belayi_field_name_object(model, keys, name, sizeof name);
    belayi_report(&error, code, format, name);
    BELAYI_REPORT_FIELD(error.table, model->table);
    return belayi_session_raise(w->session, place, &error);
}

/* ---- Kinds ------------------------------------------------------------------------------------------------------ */

static belayi_kind *find_kind(const belayi_world *w, const belay_model *model)
{
    for (unsigned i = 0; i < w->kind_count; i++)
        if (w->kinds[i]->shape.model == model)
            return w->kinds[i];
    return NULL;
}

static belayi_kind *add_kind(belayi_world *w, belay_place place, const belayi_shape *shape)
{
    if (w->kind_count == w->kind_room) {
        unsigned room = w->kind_room ? 2 * w->kind_room : 8;
        belayi_kind **grown = realloc(w->kinds, room * sizeof(belayi_kind *));
        if (grown) {
            w->kinds = grown;
            w->kind_room = room;
        }
    }
    belayi_kind *kind = w->kind_count < w->kind_room ? calloc(1, sizeof *kind) : NULL;
    if (!kind) {
        belayi_world_no_memory(w, place);
        return NULL;
    }
    kind->shape = *shape;
    kind->highest = INT64_MIN;
    kind->row = calloc(3, shape->model->object_size);
    if (!kind->row) {
        free(kind);
        belayi_world_no_memory(w, place);
        return NULL;
    }
    kind->probe = (char *)kind->row + shape->model->object_size;
    kind->key = (char *)kind->probe + shape->model->object_size;
    kind->index = w->kind_count;
    w->kinds[w->kind_count++] = kind;
    return kind;
}

/* Makes the kinds of its parents; how far the farthest is decides on the level. In a circle of models it ends here. */
static bool add_parents(belayi_world *w, belay_place place, belayi_kind *kind)
{
    for (unsigned i = 0; i < kind->shape.count; i++) {
        const belay_column_def *column = &kind->shape.model->columns[i];
        if (column->role != BELAY_ROLE_PARENT || column->parent == kind->shape.model)
            continue;
        const belayi_kind *parent = belayi_world_kind(w, place, column->parent);
        if (!parent)
            return false;
        if (kind->level <= parent->level)
            kind->level = parent->level + 1;
    }
    return true;
}

belayi_kind *belayi_world_kind(belayi_world *w, belay_place place, const belay_model *model)
{
    belay_error error;
    belayi_shape shape;
    belayi_kind *kind = find_kind(w, model);
    if (kind)
        return kind;
    if (belayi_shape_make(model, &shape, &error) != BELAY_OK) {
        belayi_session_raise(w->session, place, &error);
        return NULL;
    }
    kind = add_kind(w, place, &shape);
    if (!kind || add_parents(w, place, kind))
        return kind;
    kind->shape.model = NULL; /* never found; the next use is refused again */
    return NULL;
}

static void free_kinds(belayi_world *w)
{
    for (unsigned i = 0; i < w->kind_count; i++) {
        belayi_map_free_kind(w->kinds[i]);
        belayi_texts_done(&w->kinds[i]->statements);
        free(w->kinds[i]->row);
        free(w->kinds[i]);
    }
    free(w->kinds);
}

/* ---- What happens to records ------------------------------------------------------------------------------------ */

static void note_position(belayi_world *w)
{
    w->session->transaction.followed = w->undo.count;
}

/* How long the log was when the innermost scope began, or the newest mark, or the newest item of a batch. */
static size_t boundary_of(const belayi_world *w)
{
    const belayi_transaction *t = &w->session->transaction;
    size_t scope = t->depth > 0 ? t->frames[t->depth - 1].followed : 0;
    size_t mark = t->mark_count > 0 ? t->marks[t->mark_count - 1].followed : 0;
    size_t within = mark > scope ? mark : scope;
    return t->part.followed > within ? t->part.followed : within;
}

bool belayi_world_log(belayi_world *w, belayi_object *record)
{
    bool logged = belayi_undo_log(&w->undo, record, boundary_of(w));
    note_position(w);
    return logged;
}

bool belayi_world_log_read(belayi_world *w, belayi_object *record)
{
    bool logged = belayi_undo_log_read(&w->undo, record);
    note_position(w);
    return logged;
}

bool belayi_world_take(belayi_world *w, belayi_object *record)
{
    belayi_texts *replaced;
    bool taken = belayi_map_take(record, &replaced);
    belayi_undo_keep(&w->undo, replaced);
    return taken;
}

/* The database has another row of that key now: what the session knew is gone. */
static bool displace(belayi_world *w, const belayi_object *by)
{
    belayi_object *other = belayi_map_find_key(&w->map, by->kind, by->image);
    if (!other || other == by)
        return true;
    bool logged = belayi_world_log(w, other);
    if (logged)
        belayi_map_set(&w->map, other, BELAY_DETACHED, false);
    return logged;
}

bool belayi_world_be_persistent(belayi_world *w, belayi_object *record)
{
    if (!belayi_map_reserve(&w->map) || !displace(w, record))
        return false;
    record->expired = false;
    belayi_map_set(&w->map, record, BELAY_PERSISTENT, record->to_delete);
    return true;
}

/* One struct of a kind does not point to an object any more. */
static void forget_in(const belayi_shape *shape, char *child, const void *parent)
{
    void *none = NULL;
    for (unsigned i = 0; shape->parents && i < shape->count; i++) {
        const belay_column_def *column = &shape->model->columns[i];
        if (column->role == BELAY_ROLE_PARENT && memcmp(child + column->pointer, &parent, sizeof parent) == 0)
            memcpy(child + column->pointer, &none, sizeof none);
    }
}

/* No child points to an object any more, nor will after a rollback. */
static void forget_parent(belayi_world *w, const void *parent)
{
    for (belayi_object *child = w->map.oldest; child; child = child->newer) {
        const belayi_shape *shape = &child->kind->shape;
        forget_in(shape, child->object, parent);
        forget_in(shape, child->image, parent);
        forget_in(shape, child->raw, parent);
    }
    for (size_t i = 0; i < w->undo.count; i++) {
        const belayi_undo_entry *entry = &w->undo.entries[i];
        if (entry->image)
            forget_in(&entry->record->kind->shape, entry->image, parent);
    }
}

char *belayi_world_row(belayi_world *w, size_t size)
{
    if (size > w->row_room || !w->row) {
        char *grown = realloc(w->row, 2 * size + 1);
        if (!grown)
            return NULL;
        w->row = grown;
        w->row_room = 2 * size + 1;
    }
    return w->row;
}

bool belayi_world_expect_left(belayi_world *w, const void *object)
{
    for (size_t i = w->left_count; i > 0; i--)
        if (w->left[i - 1].object == object) /* it is here again */
            w->left[i - 1] = w->left[--w->left_count];
    size_t needed = w->left_count + w->guests + 1;
    if (needed > w->left_room) {
        size_t room = 2 * needed;
        belayi_left *grown = realloc(w->left, room * sizeof *grown);
        if (!grown)
            return false;
        w->left = grown;
        w->left_room = room;
    }
    w->guests++;
    return true;
}

/* Takes the record out, without a look at its children. */
static void let_go(belayi_world *w, belayi_object *record)
{
    if (!record->mine && record->state != BELAY_PENDING)
        w->left[w->left_count++] = (belayi_left){record->object};
    belayi_map_remove(&w->map, record);
}

void belayi_world_expunge(belayi_world *w, belayi_object *record)
{
    const void *object = record->object;
    let_go(w, record);
    forget_parent(w, object);
}

void belayi_world_expunge_all(belayi_world *w)
{
    while (w->map.oldest)
        let_go(w, w->map.oldest);
    for (unsigned i = 0; i < w->kind_count; i++)
        belayi_map_remove_all(&w->map, w->kinds[i]);
    if (w->undo.count == 0)
        belayi_map_bury(&w->map);
}

/* ---- Following the scopes --------------------------------------------------------------------------------------- */

static void flush_scope(void *arg)
{
    belayi_world_flush(arg, (belay_place){0});
}

static void go_back(void *arg, size_t position)
{
    belayi_world *w = arg;
    w->torn |= !belayi_undo_go_back(&w->undo, &w->map, position);
    note_position(w);
}

/* Nobody points to a parent that has left. */
static void forget_parents_that_left(belayi_world *w)
{
    void *parent, *none = NULL;
    for (belayi_object *child = w->map.oldest; child; child = child->newer) {
        const belayi_shape *shape = &child->kind->shape;
        for (unsigned i = 0; shape->parents && i < shape->count; i++) {
            const belay_column_def *column = &shape->model->columns[i];
            if (column->role != BELAY_ROLE_PARENT)
                continue;
            memcpy(&parent, (char *)child->object + column->pointer, sizeof parent);
            if (!parent || belayi_map_find(&w->map, parent))
                continue;
            memcpy((char *)child->object + column->pointer, &none, sizeof none);
            memcpy((char *)child->image + column->pointer, &none, sizeof none);
        }
    }
}

/* A record after the outermost scope. */
static void end_record(belayi_world *w, belayi_object *record)
{
    if (!record->mine)
        let_go(w, record);
    else if (record->state == BELAY_DELETED)
        belayi_map_set(&w->map, record, BELAY_DETACHED, false);
    else
        record->expired = true;
}

/* The program's own whose rows have gone in this unit: nothing holds them any more. */
static void let_go_of_detached(belayi_world *w)
{
    for (size_t i = 0; i < w->undo.count; i++) {
        belayi_object *record = w->undo.entries[i].record;
        if (!record->mine && !record->gone && record->state == BELAY_DETACHED)
            belayi_map_remove(&w->map, record);
    }
}

static void end_unit(void *arg, bool kept)
{
    belayi_world *w = arg;
    bool touched = w->undo.count > 0, /* else all are expired still */
        had_guests = w->guests > 0;
    if (!kept)
        belayi_undo_go_back(&w->undo, &w->map, 0);
    w->left_count = w->guests = 0;
    w->torn = false; /* it is expired now: what differs from its image is never written */
    for (belayi_object *record = w->map.oldest, *newer; touched && record; record = newer) {
        newer = record->newer;
        end_record(w, record);
    }
    let_go_of_detached(w);
    if (had_guests)
        forget_parents_that_left(w);
    belayi_undo_empty(&w->undo, &w->map);
    belayi_arena_free(&w->keep);
}

static void end_world(void *arg)
{
    belayi_world *w = arg;
    belayi_undo_empty(&w->undo, &w->map);
    free_kinds(w);
    belayi_map_done(&w->map);
    free(w->undo.entries);
    belayi_arena_free(&w->keep);
    belayi_arena_free(&w->kept);
    free(w->left);
    free(w->row);
    free(w);
}

static const belayi_follower world_follows = {
    .flush = flush_scope, .go_back = go_back, .ended = end_unit, .done = end_world};

belayi_world *belayi_world_there(const belay_session *s)
{
    return s->transaction.follower == &world_follows ? s->transaction.follower_arg : NULL;
}

belayi_world *belayi_world_of(belay_session *s, belay_place place)
{
    belayi_world *w = belayi_world_there(s);
    if (w)
        return w;
    w = calloc(1, sizeof *w);
    if (!w) {
        belay_error error;
        belayi_report(&error, BELAY_NO_MEMORY, "no memory for objects");
        belayi_session_raise(s, place, &error);
        return NULL;
    }
    w->session = s;
    w->quote = s->db && s->db->driver ? s->db->driver->name_quote : '"';
    s->transaction.follower = &world_follows;
    s->transaction.follower_arg = w;
    return w;
}
