#include "write.h"

#include <stdlib.h>
#include <string.h>

#include "field.h"
#include "load.h"
#include "report.h"
#include "run.h"

enum { VALUES_MAX = BELAYI_COLUMNS_MAX + BELAYI_KEYS_MAX + 1, ROWS_MANY = 64, ROWS_FEW = 8 };

/* The SQL text for a kind; NULL with the error pending. */
static const char *text_for(belayi_world *w, belay_place place, belayi_kind *kind, belayi_sql_text wanted)
{
    const char *text = belayi_texts_get(&kind->statements, &kind->shape, w->quote, &wanted);
    if (!text)
        belayi_world_no_memory(w, place);
    return text;
}

static size_t add_values(const belayi_shape *shape, belayi_columns columns, const void *object, belay_value *values)
{
    size_t n = 0;
    for (unsigned i = 0; i < shape->count; i++)
        if (columns & BELAYI_COLUMN_BIT(i))
            values[n++] = belayi_field_value(&shape->model->columns[i], object);
    return n;
}

/* The key, and the version that was read: what UPDATE and DELETE look for. */
static size_t add_where(const belayi_shape *shape, const void *image, belay_value *values)
{
    size_t n = 0;
    for (unsigned i = 0; i < shape->keys; i++)
        values[n++] = belayi_field_value(&shape->model->columns[shape->key[i]], image);
    if (shape->version >= 0)
        values[n++] = belayi_field_value(&shape->model->columns[shape->version], image);
    return n;
}

static const belay_column_def *version_of(const belayi_shape *shape)
{
    return shape->version >= 0 ? &shape->model->columns[shape->version] : NULL;
}

/* ---- UPDATE and DELETE ------------------------------------------------------------------------------------------ */

static belay_code run_on_row(belayi_world *w, belay_place place, belayi_object *record, belayi_sql_text wanted,
                             const belay_value *values, size_t n)
{
    const char *sql = text_for(w, place, record->kind, wanted);
    if (!sql)
        return w->session->transaction.pending.code;
    belay_code code = belayi_model_run(w, place, &(belayi_run){.sql = sql, .n = n, .values = values});
    if (code != BELAY_OK || w->session->effect.changes > 0)
        return code;
    return belayi_world_refuse(w, place, record, BELAY_STALE,
                               record->kind->shape.version >= 0
                                   ? "%s was changed or deleted by somebody else since it was read"
                                   : "%s is not there any more: somebody else has deleted it");
}

static belay_code send_update(belayi_world *w, belay_place place, belayi_object *record, belayi_columns columns)
{
    const belayi_shape *shape = &record->kind->shape;
    belay_value values[VALUES_MAX];
    const belay_column_def *version = version_of(shape);
    if (version) {
        columns |= BELAYI_COLUMN_BIT(shape->version);
        belayi_field_set_number(version, record->object, belayi_field_number(version, record->image) + 1);
    }
    size_t n = add_values(shape, columns, record->object, values);
    n += add_where(shape, record->image, values + n);
    return run_on_row(w, place, record, (belayi_sql_text){.verb = BELAYI_VERB_UPDATE, .columns = columns}, values, n);
}

belay_code belayi_write_update(belayi_world *w, belay_place place, belayi_object *record, belayi_columns columns)
{
    if (!belayi_world_log(w, record))
        return belayi_world_no_memory(w, place);
    belay_code code = columns ? send_update(w, place, record, columns) : BELAY_OK;
    if (code == BELAY_OK && !belayi_world_take(w, record))
        return belayi_world_no_memory(w, place);
    return code;
}

belay_code belayi_write_delete(belayi_world *w, belay_place place, belayi_object *record)
{
    belay_value values[VALUES_MAX];
    if (!belayi_world_log(w, record))
        return belayi_world_no_memory(w, place);
    size_t n = add_where(&record->kind->shape, record->image, values);
    belay_code code = run_on_row(w, place, record, (belayi_sql_text){.verb = BELAYI_VERB_DELETE}, values, n);
    if (code != BELAY_OK)
        return code;
    belayi_map_set(&w->map, record, BELAY_DELETED, false);
    return belayi_world_take(w, record) ? BELAY_OK : belayi_world_no_memory(w, place); /* what was changed in it, too */
}

/* ---- INSERT ----------------------------------------------------------------------------------------------------- */

/* Objects of one kind that are inserted by one statement. */
typedef struct run_of {
    belayi_world *world;
    belayi_object **records;
    size_t count, returned;
    belayi_columns columns, returning;
} run_of;

/* Columns that the database is to make: a key that is 0, and what is NULL and has a default. */
static belayi_columns made_by_database(const belayi_object *record)
{
    const belayi_shape *shape = &record->kind->shape;
    belayi_columns made = 0;
    if (shape->generated && belayi_field_number(&shape->model->columns[shape->key[0]], record->object) == 0)
        made |= shape->key_set;
    for (unsigned i = 0; shape->defaults && i < shape->count; i++)
        if (shape->defaults & BELAYI_COLUMN_BIT(i) && !belayi_field_has(&shape->model->columns[i], record->object))
            made |= BELAYI_COLUMN_BIT(i);
    return made;
}

/* A key that is NULL stands for nothing, though SQLite would take it. */
static belay_code check_key(belayi_world *w, belay_place place, const belayi_object *record)
{
    const belayi_shape *shape = &record->kind->shape;
    for (unsigned i = 0; i < shape->keys; i++)
        if (!belayi_field_has(&shape->model->columns[shape->key[i]], record->object))
            return belayi_world_refuse(w, place, record, BELAY_NOT_NULL, "the key of %s has a part that is NULL");
    return BELAY_OK;
}

/* Makes a record ready: the keys of its parents, which are all there, and its first version. */
static belay_code prepare_insert(belayi_world *w, belay_place place, belayi_object *record)
{
    const belay_column_def *version = version_of(&record->kind->shape);
    if (version && belayi_field_number(version, record->object) == 0)
        belayi_field_set_number(version, record->object, 1);
    if (!belayi_world_log(w, record))
        return belayi_world_no_memory(w, place);
    belay_code code = belayi_order_settle_parents(w, place, record);
    return code == BELAY_OK ? check_key(w, place, record) : code;
}

/* The row is there: the record stands for it. */
static bool finish_insert(belayi_world *w, belayi_object *record)
{
    return belayi_world_take(w, record) && belayi_world_be_persistent(w, record);
}

/* Whether no trip is saved by doing more at once. */
static bool is_near(const belayi_world *w)
{
    return !(w->session->db->driver->capabilities & BELAY_CAN_STAND_ALONE);
}

/* Whether the key can be asked of the connection: RETURNING costs SQLite five times the row. Only for what the database
   makes of nothing but the key, and when it has been seen that the two are the same in this table. */
static bool is_told_by_last_id(const run_of *run)
{
    const belayi_kind *kind = run->records[0]->kind;
    return kind->last_id_tells && run->returning == kind->shape.key_set;
}

/* The first key of a kind that was returned: whether the connection says the same. */
static void compare_last_id(const run_of *run)
{
    belayi_kind *kind = run->records[0]->kind;
    const belay_effect *effect = &run->world->session->effect;
    if (is_near(run->world) && run->returning & kind->shape.key_set && effect->has_last_id)
        kind->last_id_tells = effect->last_id == belayi_field_number(&kind->shape.model->columns[kind->shape.key[0]],
                                                                     run->records[0]->object);
}

static bool take_last_id(run_of *run)
{
    const belay_effect *effect = &run->world->session->effect;
    const belayi_shape *shape = &run->records[0]->kind->shape;
    const belay_column_def *key = &shape->model->columns[shape->key[0]];
    belayi_field_set_number(key, run->records[0]->object, effect->last_id);
    return effect->has_last_id && belayi_field_number(key, run->records[0]->object) == effect->last_id;
}

static belay_code read_returned(void *arg, belay_value *cells, belay_error *error)
{
    run_of *run = arg;
    if (run->returned == run->count)
        return belayi_report(error, BELAY_SCHEMA, "the INSERT has returned more rows than it has inserted");
    belayi_object *record = run->records[run->returned++];
    belay_code code = belayi_load_columns(run->world, record, run->returning, cells, error);
    if (code == BELAY_OK && !finish_insert(run->world, record))
        return belayi_report(error, BELAY_NO_MEMORY, "no memory for an object");
    return code;
}

static int count_columns(belayi_columns columns)
{
    int count = 0;
    for (; columns; columns &= columns - 1)
        count++;
    return count;
}

/* Nothing was returned, or not all: a trigger, or a rule, has seen to that. */
static belay_code finish_run(run_of *run, belay_place place, bool by_last_id)
{
    belayi_world *w = run->world;
    if (by_last_id ? !take_last_id(run) : run->returning && run->returned < run->count)
        return belayi_world_refuse(w, place, run->records[run->returned], BELAY_SCHEMA,
                                   "the INSERT of %s has returned no row, so that its key is not known");
    for (size_t i = run->returned; i < run->count; i++)
        if (!finish_insert(w, run->records[i]))
            return belayi_world_no_memory(w, place);
    return BELAY_OK;
}

static belay_code send_insert(run_of *run, belay_place place, belay_value *values)
{
    belayi_kind *kind = run->records[0]->kind;
    bool by_last_id = is_told_by_last_id(run);
    belayi_columns returning = by_last_id ? 0 : run->returning;
    const char *sql = text_for(
        run->world, place, kind,
        (belayi_sql_text){
            .verb = BELAYI_VERB_INSERT, .rows = (unsigned)run->count, .columns = run->columns, .returning = returning});
    if (!sql)
        return run->world->session->transaction.pending.code;
    size_t n = 0;
    for (size_t i = 0; i < run->count; i++)
        n += add_values(&kind->shape, run->columns, run->records[i]->object, values + n);
    belay_code code = belayi_model_run(run->world, place,
                                       &(belayi_run){.sql = sql,
                                                     .n = n,
                                                     .values = values,
                                                     .on_row = returning ? read_returned : NULL,
                                                     .arg = run,
                                                     .columns = count_columns(returning)});
    if (code != BELAY_OK)
        return code;
    if (returning && run->returned > 0)
        compare_last_id(run);
    return finish_run(run, place, by_last_id);
}

/* How many of `count` rows one statement takes: few numbers, so that there are few texts. Where no trip is saved, one.
 */
static size_t rows_at_once(const belayi_world *w, size_t count, belayi_columns columns)
{
    if (is_near(w) || !columns)
        return 1;
    return count >= ROWS_MANY ? ROWS_MANY : count >= ROWS_FEW ? ROWS_FEW : 1;
}

static belay_code send_all(run_of run, belay_place place, belay_value *values)
{
    size_t left = run.count;
    belay_code code = BELAY_OK;
    while (code == BELAY_OK && left > 0) {
        run.count = rows_at_once(run.world, left, run.columns);
        run.returned = 0;
        code = send_insert(&run, place, values);
        run.records += run.count;
        left -= run.count;
    }
    return code;
}

/* How many from here on are of one kind and level and have the same columns; they are made ready on the way. */
static belay_code find_run(belayi_world *w, belay_place place, const belayi_list *list, size_t from, run_of *out)
{
    const belayi_object *first = list->records[from];
    *out = (run_of){.world = w, .records = list->records + from};
    for (size_t i = from; i < list->count; i++) {
        belayi_object *record = list->records[i];
        if (record->kind != first->kind || record->level != first->level)
            break;
        belay_code code = prepare_insert(w, place, record);
        if (code != BELAY_OK)
            return code;
        belayi_columns made = made_by_database(record);
        if (i > from && made != out->returning)
            break;
        out->returning = made;
        out->count++;
    }
    out->columns = first->kind->shape.all & ~out->returning;
    return BELAY_OK;
}

belay_code belayi_write_inserts(belayi_world *w, belay_place place, const belayi_list *list)
{
    belay_value *values = malloc((size_t)ROWS_MANY * BELAYI_COLUMNS_MAX * sizeof *values);
    if (!values)
        return belayi_world_no_memory(w, place);
    belay_code code = BELAY_OK;
    for (size_t i = 0; code == BELAY_OK && i < list->count;) {
        run_of run;
        code = find_run(w, place, list, i, &run);
        i += run.count;
        if (code == BELAY_OK)
            code = send_all(run, place, values);
    }
    free(values);
    return code;
}
