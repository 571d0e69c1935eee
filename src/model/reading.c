/*
 * reading.c - the public calls that read objects: by key, by a condition, again, locking.
 * Tests: tests/model_objects/test_identity.c.
 */
#include "object.h"

#include <string.h>

#include "field.h"
#include "load.h"
#include "report.h"

/* ---- Reading ---------------------------------------------------------------------------------------------------- */

typedef enum key_fate { KEY_GOOD, KEY_OF_NOBODY, KEY_WRONG, KEY_WITHOUT_MEMORY } key_fate;

static key_fate set_text_key(const belay_column_def *column, const belay_value *value, char *member)
{
    if (value->type != BELAY_TYPE_TEXT)
        return KEY_WRONG;
    if (memchr(value->as.data, '\0', value->size))
        return KEY_OF_NOBODY;
    if (column->kind != BELAY_KIND_TEXT_ARRAY) {
        memcpy(member, &value->as.data, sizeof value->as.data);
        return KEY_GOOD;
    }
    if (value->size >= column->room)
        return KEY_OF_NOBODY;
    memset(member, 0, column->room);
    memcpy(member, value->as.data, value->size);
    return KEY_GOOD;
}

static key_fate set_number_key(const belay_column_def *column, const belay_value *value, void *key)
{
    if (value->type != BELAY_TYPE_INT && value->type != BELAY_TYPE_UINT)
        return KEY_WRONG;
    if (value->type == BELAY_TYPE_UINT && value->as.unsigned_integer > INT64_MAX)
        return KEY_OF_NOBODY;
    belayi_field_set_number(column, key, value->as.integer);
    return belayi_field_number(column, key) == value->as.integer ? KEY_GOOD : KEY_OF_NOBODY;
}

/* Copies the texts, which may have no NUL behind them, into the world's buffer. False without memory. */
static bool hold_texts(belayi_world *w, unsigned n, belay_value *values)
{
    size_t size = 0;
    for (unsigned i = 0; i < n; i++)
        size += values[i].type == BELAY_TYPE_TEXT ? values[i].size + 1 : 0;
    char *room = size > 0 ? belayi_world_row(w, size) : NULL;
    for (unsigned i = 0; i < n && room; i++)
        if (values[i].type == BELAY_TYPE_TEXT) {
            memcpy(room, values[i].as.data, values[i].size);
            room[values[i].size] = '\0';
            values[i].as.data = room;
            room += values[i].size + 1;
        }
    return size == 0 || room;
}

/* Puts the values into the kind's struct for a key, where they stay until a row is read. */
static key_fate set_key(belayi_world *w, belayi_kind *kind, const belay_value *given)
{
    key_fate fate = KEY_GOOD;
    belay_value values[BELAYI_KEYS_MAX];
    memcpy(values, given, kind->shape.keys * sizeof *values);
    if (!hold_texts(w, kind->shape.keys, values))
        return KEY_WITHOUT_MEMORY;
    for (unsigned i = 0; i < kind->shape.keys && fate == KEY_GOOD; i++) {
        const belay_column_def *column = &kind->shape.model->columns[kind->shape.key[i]];
        belay_value value = values[i];
        if (value.type == BELAY_TYPE_NULL)
            return KEY_OF_NOBODY;
        fate = column->kind >= BELAY_KIND_TEXT ? set_text_key(column, &value, (char *)kind->key + column->offset)
                                               : set_number_key(column, &value, kind->key);
    }
    return fate;
}

/* The row was asked for and is not there: what the session had of it stands for nothing. */
static belay_code lose_row(belayi_world *w, belay_place place, belayi_object *record)
{
    if (w->session->transaction.depth > 0 && !belayi_world_log(w, record))
        return belayi_world_no_memory(w, place);
    belayi_map_set(&w->map, record, BELAY_DETACHED, false);
    return BELAY_OK;
}

/* Reads the row of a key. `known` has that key, and is expired; or NULL. */
static belayi_object *get_row(belayi_world *w, belay_place place, belayi_kind *kind, const belay_value *values,
                              belayi_object *known)
{
    belayi_object *record;
    if ((w->map.pending > 0 || w->map.dying > 0) && belayi_world_flush(w, place) != BELAY_OK)
        return NULL;
    if (belayi_load_key(w, place, kind, values, BELAYI_VERB_SELECT, false, &record) != BELAY_OK || record)
        return record;
    if (known && known->state == BELAY_PERSISTENT)
        lose_row(w, place, known);
    return NULL;
}

belayi_object *belayi_object_get(belayi_world *w, belay_place place, belayi_kind *kind, size_t n,
                                 const belay_value *values)
{
    if (n != kind->shape.keys) {
        belayi_session_misuse(w->session, place, "belay_get: the key of %s has %u part%s, and %zu were given",
                              kind->shape.model->type, kind->shape.keys, kind->shape.keys == 1 ? "" : "s", n);
        return NULL;
    }
    key_fate fate = set_key(w, kind, values);
    if (fate == KEY_WRONG)
        belayi_session_misuse(w->session, place, "belay_get: a part of the key of %s has another type",
                              kind->shape.model->type);
    if (fate == KEY_WITHOUT_MEMORY)
        belayi_world_no_memory(w, place);
    if (fate != KEY_GOOD)
        return NULL;
    belayi_object *record = belayi_map_find_key(&w->map, kind, kind->key);
    if (!record || record->expired)
        record = get_row(w, place, kind, values, record);
    return record && !record->to_delete ? record : NULL;
}

void *belay_get_at(belay_session *s, belay_place place, const belay_model *model, size_t n, const belay_value *key)
{
    if (!belayi_session_enter(s))
        return NULL;
    belayi_world *w = belayi_object_enter(s, place);
    belayi_kind *kind = w ? belayi_world_kind(w, place, model) : NULL;
    belayi_object *record = kind ? belayi_object_get(w, place, kind, n, key) : NULL;
    void *object = record ? record->object : NULL;
    belayi_session_leave(s);
    return object;
}

void *belay_find_at(belay_session *s, belay_place place, const belay_model *model, const char *rest, size_t n,
                    const belay_value *values)
{
    void *list = NULL;
    if (!belayi_session_enter(s))
        return NULL;
    belayi_world *w = belayi_object_enter(s, place);
    belayi_kind *kind = w ? belayi_world_kind(w, place, model) : NULL;
    if (kind && !rest)
        belayi_session_misuse(s, place, "belay_find: the rest of the statement is NULL; \"\" is none");
    else if (kind && (s->transaction.depth == 0 || belayi_world_flush(w, place) == BELAY_OK))
        list = belayi_load_find(w, place, kind, rest, n, values);
    belayi_session_leave(s);
    return list;
}

belay_code belay_refresh_at(belay_session *s, belay_place place, void *object)
{
    if (!belayi_session_enter(s))
        return BELAY_MISUSE;
    belayi_object *found;
    belayi_world *w = belayi_object_enter(s, place);
    belayi_object *record = w ? belayi_object_find_persistent(w, place, object, "belay_refresh") : NULL;
    if (record && belayi_load_again(w, place, record, BELAYI_VERB_SELECT, &found) == BELAY_OK && !found)
        belayi_world_refuse(w, place, record, BELAY_NOT_FOUND, "belay_refresh: the row of %s is not there any more");
    belay_code code = belayi_session_code(s);
    belayi_session_leave(s);
    return code;
}

static belayi_verb verb_of(belay_lock_wait wait)
{
    return wait == BELAY_LOCK_SKIP     ? BELAYI_VERB_LOCK_SKIP
           : wait == BELAY_LOCK_NOWAIT ? BELAYI_VERB_LOCK_NOWAIT
                                       : BELAYI_VERB_LOCK;
}

static bool lock_record(belayi_world *w, belay_place place, belayi_object *record, belay_lock_wait wait)
{
    belayi_object *found = NULL;
    if (belayi_world_flush(w, place) != BELAY_OK)
        return false;
    if (record->state != BELAY_PERSISTENT) { /* it was to be deleted */
        belayi_world_refuse(w, place, record, BELAY_NOT_FOUND, "belay_lock: %s was deleted");
        return false;
    }
    belay_code code = belayi_load_again(w, place, record, verb_of(wait), &found);
    if (code == BELAY_OK && !found && wait != BELAY_LOCK_SKIP)
        belayi_world_refuse(w, place, record, BELAY_NOT_FOUND, "belay_lock: the row of %s is not there any more");
    return found;
}

bool belay_lock_at(belay_session *s, belay_place place, void *object, belay_lock_wait wait)
{
    if (!belayi_session_enter(s))
        return false;
    belayi_world *w = belayi_object_enter_in_scope(s, place, "belay_lock");
    belayi_object *record = w ? belayi_object_find_persistent(w, place, object, "belay_lock") : NULL;
    bool locked = record && lock_record(w, place, record, wait);
    belayi_session_leave(s);
    return locked;
}
