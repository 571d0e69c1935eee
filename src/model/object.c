/*
 * object.c - the public calls on objects.
 *
 * Each takes the guard, looks whether it may go on, finds the record, and leaves
 * the work to the files beneath. Nothing here knows how a row is read or written.
 * Tests: tests/model_objects.
 */
#include <string.h>

#include "field.h"
#include "load.h"
#include "merge.h"
#include "report.h"
#include "world.h"

/* ---- Whether a call may go on --------------------------------------------------------------------------------------
 */

/* Nothing is pending, and there is a world. */
static belayi_world *enter_world(belay_session *s, belay_place place)
{
    if (s->transaction.depth > 0 && belayi_scope_refuse(&s->transaction) != BELAY_OK)
        return NULL;
    return belayi_world_of(s, place);
}

/* The same for a call that needs a scope. */
static belayi_world *enter_world_in_scope(belay_session *s, belay_place place, const char *call)
{
    if (s->transaction.depth > 0)
        return enter_world(s, place);
    belayi_session_misuse(s, place, "%s: objects are written inside a scope; none is open", call);
    return NULL;
}

/* The record of an object in the session. */
static belayi_object *find_record(belayi_world *w, belay_place place, const void *object, const char *call)
{
    belayi_object *record = object ? belayi_map_find(&w->map, object) : NULL;
    bool there = record && (record->state == BELAY_PENDING || record->state == BELAY_PERSISTENT ||
                            record->state == BELAY_DELETED);
    if (there)
        return record;
    belayi_session_misuse(w->session, place, "%s: %s", call,
                          object ? "the object is not in this session" : "there is no object");
    return NULL;
}

static belayi_object *find_persistent(belayi_world *w, belay_place place, const void *object, const char *call)
{
    belayi_object *record = find_record(w, place, object, call);
    char format[96];
    if (!record || record->state == BELAY_PERSISTENT)
        return record;
    belayi_report_format(format, sizeof format, "%s: %%s has no row to speak of: it is %s", call,
                         record->state == BELAY_PENDING ? "pending" : "deleted");
    belayi_world_refuse(w, place, record, BELAY_MISUSE, format);
    return NULL;
}

/* ---- Making and adding ---------------------------------------------------------------------------------------------
 */

void *belay_new_at(belay_session *s, belay_place place, const belay_model *model)
{
    if (!belayi_session_enter(s))
        return NULL;
    belayi_world *w = belayi_world_of(s, place);
    belayi_kind *kind = w ? belayi_world_kind(w, place, model) : NULL;
    belayi_object *record = kind ? belayi_map_new(&w->map, kind) : NULL;
    if (kind && !record)
        belayi_world_no_memory(w, place);
    belayi_session_leave(s);
    return record ? record->object : NULL;
}

static belay_code add_transient(belayi_world *w, belay_place place, belayi_object *record)
{
    if (!belayi_world_take(w, record) || !belayi_world_log(w, record))
        return belayi_world_no_memory(w, place);
    record->sequence = ++w->sequences;
    belayi_map_set(&w->map, record, BELAY_PENDING, false);
    return BELAY_OK;
}

/* One that the session knows. */
static belay_code add_known(belayi_world *w, belay_place place, belayi_object *record)
{
    if (record->state == BELAY_TRANSIENT)
        return add_transient(w, place, record);
    if (record->state == BELAY_DELETED || record->state == BELAY_DETACHED)
        return belayi_world_refuse(w, place, record, BELAY_MISUSE,
                                   "belay_add: %s was deleted; a copy of it is a new object");
    if (!record->to_delete)
        return BELAY_OK;
    if (!belayi_world_log(w, record))
        return belayi_world_no_memory(w, place);
    belayi_map_set(&w->map, record, record->state, false);
    return BELAY_OK;
}

belay_code belayi_object_add(belayi_world *w, belay_place place, belayi_kind *kind, void *object)
{
    belayi_object *record = belayi_map_find(&w->map, object);
    if (record && record->kind != kind)
        return belayi_session_misuse(w->session, place, "belay_add: the object is a %s in this session, and no %s",
                                     record->kind->shape.model->type, kind->shape.model->type);
    if (record)
        return add_known(w, place, record);
    record = belayi_world_expect_left(w) ? belayi_map_adopt(&w->map, kind, object) : NULL;
    if (!record)
        return belayi_world_no_memory(w, place);
    belay_code code = add_transient(w, place, record);
    if (code != BELAY_OK)
        belayi_map_remove(&w->map, record);
    return code;
}

belay_code belay_add_at(belay_session *s, belay_place place, const belay_model *model, void *object)
{
    if (!belayi_session_enter(s))
        return BELAY_MISUSE;
    belayi_world *w = enter_world_in_scope(s, place, "belay_add");
    belayi_kind *kind = w ? belayi_world_kind(w, place, model) : NULL;
    if (kind && !object)
        belayi_session_misuse(s, place, "belay_add: there is no object");
    else if (kind)
        belayi_object_add(w, place, kind, object);
    belay_code code = belayi_session_code(s);
    belayi_session_leave(s);
    return code;
}

/* ---- Reading -------------------------------------------------------------------------------------------------------
 */

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
    belayi_world *w = enter_world(s, place);
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
    belayi_world *w = enter_world(s, place);
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
    belayi_world *w = enter_world(s, place);
    belayi_object *record = w ? find_persistent(w, place, object, "belay_refresh") : NULL;
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
    belayi_world *w = enter_world_in_scope(s, place, "belay_lock");
    belayi_object *record = w ? find_persistent(w, place, object, "belay_lock") : NULL;
    bool locked = record && lock_record(w, place, record, wait);
    belayi_session_leave(s);
    return locked;
}

/* ---- Writing -------------------------------------------------------------------------------------------------------
 */

static void delete_record(belayi_world *w, belay_place place, belayi_object *record)
{
    if (record->state == BELAY_PENDING)
        belayi_world_refuse(w, place, record, BELAY_MISUSE,
                            "belay_delete: %s has no row yet; belay_expunge takes it out of the session");
    if (record->state != BELAY_PERSISTENT || record->to_delete)
        return;
    if (belayi_world_log(w, record))
        belayi_map_set(&w->map, record, BELAY_PERSISTENT, true);
    else
        belayi_world_no_memory(w, place);
}

belay_code belay_delete_at(belay_session *s, belay_place place, void *object)
{
    if (!belayi_session_enter(s))
        return BELAY_MISUSE;
    belayi_world *w = enter_world_in_scope(s, place, "belay_delete");
    belayi_object *record = w ? find_record(w, place, object, "belay_delete") : NULL;
    if (record)
        delete_record(w, place, record);
    belay_code code = belayi_session_code(s);
    belayi_session_leave(s);
    return code;
}

belay_code belay_flush_at(belay_session *s, belay_place place)
{
    if (!belayi_session_enter(s))
        return BELAY_MISUSE;
    belayi_world *w = enter_world_in_scope(s, place, "belay_flush");
    if (w)
        belayi_world_flush(w, place);
    belay_code code = belayi_session_code(s);
    belayi_session_leave(s);
    return code;
}

void *belay_merge_at(belay_session *s, belay_place place, const belay_model *model, const void *source)
{
    void *object = NULL;
    if (!belayi_session_enter(s))
        return NULL;
    belayi_world *w = enter_world_in_scope(s, place, "belay_merge");
    belayi_kind *kind = w ? belayi_world_kind(w, place, model) : NULL;
    if (kind && !source)
        belayi_session_misuse(s, place, "belay_merge: there is no object");
    else if (kind)
        object = belayi_merge(w, place, kind, source);
    belayi_session_leave(s);
    return object;
}

/* ---- Letting go ----------------------------------------------------------------------------------------------------
 */

static void expire_record(belayi_world *w, belay_place place, belayi_object *record)
{
    bool logged = w->session->transaction.depth == 0 || belayi_world_log(w, record);
    if (!logged || !belayi_map_restore(record))
        belayi_world_no_memory(w, place);
    else
        record->expired = true;
}

belay_code belay_expire_at(belay_session *s, belay_place place, void *object)
{
    if (!belayi_session_enter(s))
        return BELAY_MISUSE;
    belayi_world *w = enter_world(s, place);
    belayi_object *record = w ? find_persistent(w, place, object, "belay_expire") : NULL;
    if (record)
        expire_record(w, place, record);
    belay_code code = belayi_session_code(s);
    belayi_session_leave(s);
    return code;
}

belay_code belay_expire_all_at(belay_session *s, belay_place place)
{
    if (!belayi_session_enter(s))
        return BELAY_MISUSE;
    belayi_world *w = enter_world(s, place);
    for (belayi_object *record = w ? w->map.oldest : NULL; record; record = record->newer)
        if (record->state == BELAY_PERSISTENT)
            expire_record(w, place, record);
    belay_code code = belayi_session_code(s);
    belayi_session_leave(s);
    return code;
}

belay_code belay_expunge_at(belay_session *s, belay_place place, void *object)
{
    if (!belayi_session_enter(s))
        return BELAY_MISUSE;
    belay_code code = BELAY_OK;
    belayi_world *w = belayi_world_there(s);
    belayi_object *record = w && object ? belayi_map_find(&w->map, object) : NULL;
    if (record)
        belayi_world_expunge(w, record);
    else
        code = belayi_session_misuse(s, place, "belay_expunge: the object is not in this session");
    belayi_session_leave(s);
    return code;
}

belay_code belay_expunge_all_at(belay_session *s, belay_place place)
{
    (void)place;
    if (!belayi_session_enter(s))
        return BELAY_MISUSE;
    belayi_world *w = belayi_world_there(s);
    if (w)
        belayi_world_expunge_all(w);
    belayi_session_leave(s);
    return BELAY_OK;
}

/* ---- What is known --------------------------------------------------------------------------------------------------
 */

static belay_state state_of(const belayi_world *w, const void *object)
{
    const belayi_object *record = belayi_map_find(&w->map, object);
    if (record)
        return record->state;
    for (size_t i = 0; i < w->left_count; i++)
        if (w->left[i].object == object)
            return BELAY_DETACHED;
    return BELAY_TRANSIENT;
}

belay_state belay_state_of(belay_session *s, const void *object)
{
    if (!belayi_session_enter_to_ask(s))
        return BELAY_TRANSIENT;
    const belayi_world *w = belayi_world_there(s);
    belay_state state = w && object ? state_of(w, object) : BELAY_TRANSIENT;
    belayi_session_leave(s);
    return state;
}

const char *belay_keep_at(belay_session *s, belay_place place, const char *text)
{
    char *copy = NULL;
    if (!belayi_session_enter(s))
        return NULL;
    belayi_world *w = enter_world_in_scope(s, place, "belay_keep");
    if (w && text && !(copy = belayi_arena_copy(&w->keep, text, strlen(text))))
        belayi_world_no_memory(w, place);
    belayi_session_leave(s);
    return copy;
}
