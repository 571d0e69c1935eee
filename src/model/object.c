/*
 * object.c - the public calls on objects.
 *
 * Each takes the guard, looks whether it may go on, finds the record, and leaves
 * the work to the files beneath. Nothing here knows how a row is read or written.
 * Tests: tests/model_objects.
 */
#include "object.h"

#include <string.h>

#include "merge.h"
#include "report.h"

/* ---- Whether a call may go on ----------------------------------------------------------------------------------- */

/* Nothing is pending, and there is a world. */
belayi_world *belayi_object_enter(belay_session *s, belay_place place)
{
    if (s->transaction.depth > 0 && belayi_scope_refuse(&s->transaction) != BELAY_OK)
        return NULL;
    return belayi_world_of(s, place);
}

/* The same for a call that needs a scope. */
belayi_world *belayi_object_enter_in_scope(belay_session *s, belay_place place, const char *call)
{
    if (s->transaction.depth > 0)
        return belayi_object_enter(s, place);
    belayi_session_misuse(s, place, "%s: objects are written inside a scope; none is open", call);
    return NULL;
}

/* The record of an object in the session. */
belayi_object *belayi_object_find(belayi_world *w, belay_place place, const void *object, const char *call)
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

belayi_object *belayi_object_find_persistent(belayi_world *w, belay_place place, const void *object, const char *call)
{
    belayi_object *record = belayi_object_find(w, place, object, call);
    char format[96];
    if (!record || record->state == BELAY_PERSISTENT)
        return record;
    belayi_report_format(format, sizeof format, "%s: %%s has no row to speak of: it is %s", call,
                         record->state == BELAY_PENDING ? "pending" : "deleted");
    belayi_world_refuse(w, place, record, BELAY_MISUSE, format);
    return NULL;
}

/* ---- Making and adding ------------------------------------------------------------------------------------------ */

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
    record = belayi_world_expect_left(w, object) ? belayi_map_adopt(&w->map, kind, object) : NULL;
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
    belayi_world *w = belayi_object_enter_in_scope(s, place, "belay_add");
    belayi_kind *kind = w ? belayi_world_kind(w, place, model) : NULL;
    if (kind && !object)
        belayi_session_misuse(s, place, "belay_add: there is no object");
    else if (kind)
        belayi_object_add(w, place, kind, object);
    belay_code code = belayi_session_code(s);
    belayi_session_leave(s);
    return code;
}

/* ---- Writing ---------------------------------------------------------------------------------------------------- */

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
    belayi_world *w = belayi_object_enter_in_scope(s, place, "belay_delete");
    belayi_object *record = w ? belayi_object_find(w, place, object, "belay_delete") : NULL;
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
    belayi_world *w = belayi_object_enter_in_scope(s, place, "belay_flush");
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
    belayi_world *w = belayi_object_enter_in_scope(s, place, "belay_merge");
    belayi_kind *kind = w ? belayi_world_kind(w, place, model) : NULL;
    if (kind && !source)
        belayi_session_misuse(s, place, "belay_merge: there is no object");
    else if (kind)
        object = belayi_merge(w, place, kind, source);
    belayi_session_leave(s);
    return object;
}

/* ---- Letting go ------------------------------------------------------------------------------------------------- */

/* Outside all scopes, too, where the session's code is that of the last unit. */
static belay_code expire_record(belayi_world *w, belay_place place, belayi_object *record)
{
    bool logged = w->session->transaction.depth == 0 || belayi_world_log(w, record);
    if (!logged || !belayi_map_restore(record))
        return belayi_world_no_memory(w, place);
    record->expired = true;
    return BELAY_OK;
}

belay_code belay_expire_at(belay_session *s, belay_place place, void *object)
{
    if (!belayi_session_enter(s))
        return BELAY_MISUSE;
    belayi_world *w = belayi_object_enter(s, place);
    belayi_object *record = w ? belayi_object_find_persistent(w, place, object, "belay_expire") : NULL;
    belay_code code = record ? expire_record(w, place, record) : belayi_session_code(s);
    belayi_session_leave(s);
    return code;
}

belay_code belay_expire_all_at(belay_session *s, belay_place place)
{
    if (!belayi_session_enter(s))
        return BELAY_MISUSE;
    belayi_world *w = belayi_object_enter(s, place);
    belay_code code = w ? BELAY_OK : belayi_session_code(s);
    for (belayi_object *record = w ? w->map.oldest : NULL; record && code == BELAY_OK; record = record->newer)
        if (record->state == BELAY_PERSISTENT)
            code = expire_record(w, place, record);
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

/* ---- What is known ---------------------------------------------------------------------------------------------- */

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
    belayi_world *w = belayi_object_enter_in_scope(s, place, "belay_keep");
    if (w && text && !(copy = belayi_arena_copy(&w->keep, text, strlen(text))))
        belayi_world_no_memory(w, place);
    belayi_session_leave(s);
    return copy;
}
