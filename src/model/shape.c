#include "shape.h"

#include <string.h>

#include "report.h"

static belay_code refuse(belay_error *error, const belay_model *model, const belay_column_def *column, const char *why)
{
    return belayi_report(error, BELAY_MISUSE, "the model %s, column %s: %s", model->type, column->member, why);
}

static bool is_text(const belay_column_def *column)
{
    return column->kind == BELAY_KIND_TEXT || column->kind == BELAY_KIND_TEXT_OWNED ||
           column->kind == BELAY_KIND_TEXT_ARRAY;
}

static bool is_integer(const belay_column_def *column)
{
    return column->kind == BELAY_KIND_INT || column->kind == BELAY_KIND_UINT;
}

bool belayi_shape_may_be_null(const belay_column_def *column)
{
    if (column->not_null || belayi_shape_is_key(column) || column->role == BELAY_ROLE_VERSION)
        return false;
    return column->has > 0 || column->role == BELAY_ROLE_PARENT || column->kind == BELAY_KIND_TEXT ||
           column->kind == BELAY_KIND_TEXT_OWNED || column->kind == BELAY_KIND_BYTES;
}

/* ---- What is refused ------------------------------------------------------------------------------------------- */

static belay_code check_options(const belay_model *model, const belay_column_def *column, belay_error *error)
{
    if (column->precision > 0 && !is_text(column))
        return refuse(error, model, column, ".precision is for a decimal, whose member is a text");
    if (column->precision < 0 || column->scale < 0 || column->scale > column->precision)
        return refuse(error, model, column, "a decimal has .precision digits, .scale of them behind the point");
    if (column->timestamp && (column->kind != BELAY_KIND_INT || column->room != sizeof(int64_t)))
        return refuse(error, model, column, ".timestamp is for an int64_t");
    if (column->size < 0 || (column->size > 0 && !is_text(column)))
        return refuse(error, model, column, ".size is for a text, and more than 0");
    if (column->kind == BELAY_KIND_TEXT_ARRAY && column->size > 0 && (size_t)column->size >= column->room)
        return refuse(error, model, column, ".size is more than the array has room for");
    if (column->has > 0 && column->not_null)
        return refuse(error, model, column, "it is both BELAY_NULLABLE and .not_null");
    if (column->given && column->role != BELAY_ROLE_KEY)
        return refuse(error, model, column, ".given is for a BELAY_KEY");
    if (column->key && column->role != BELAY_ROLE_PARENT)
        return refuse(error, model, column, ".key is for a BELAY_PARENT");
    return BELAY_OK;
}

/* The key of a parent: one, of the same kind. */
static belay_code check_parent(const belay_model *model, const belay_column_def *column, belay_error *error)
{
    const belay_column_def *key = NULL;
    for (size_t i = 0; i < column->parent->count; i++)
        if (belayi_shape_is_key(&column->parent->columns[i])) {
            if (key)
                return refuse(error, model, column, "the key of its parent has several columns");
            key = &column->parent->columns[i];
        }
    if (!key)
        return refuse(error, model, column, "its parent has no key");
    if (is_text(key) != is_text(column))
        return refuse(error, model, column, "it and the key of its parent are not both integers or both texts");
    if (!is_text(key) && key->room > column->room)
        return refuse(error, model, column, "it is smaller than the key of its parent");
    return BELAY_OK;
}

static belay_code check_column(const belay_model *model, const belay_column_def *column, belay_error *error)
{
    if (strcmp(column->type, model->type) != 0)
        return belayi_report(error, BELAY_MISUSE, "the model %s, column %s: it is one of the struct %s", model->type,
                             column->member, column->type);
    if (column->kind == BELAY_KIND_NONE)
        return refuse(error, model, column, "a text that can't be changed is no column");
    if (belayi_shape_name(column)[0] == '\0')
        return refuse(error, model, column, "its name is empty");
    belay_code code = check_options(model, column, error);
    return code == BELAY_OK && column->role == BELAY_ROLE_PARENT ? check_parent(model, column, error) : code;
}

/* No column, and no member, is there twice. */
static belay_code check_twice(const belay_model *model, size_t at, belay_error *error)
{
    const belay_column_def *column = &model->columns[at];
    for (size_t i = 0; i < at; i++) {
        if (model->columns[i].offset == column->offset)
            return refuse(error, model, column, "the member is two columns");
        if (strcmp(belayi_shape_name(&model->columns[i]), belayi_shape_name(column)) == 0)
            return refuse(error, model, column, "another column has its name");
    }
    return BELAY_OK;
}

static belay_code check_model(const belay_model *model, belay_error *error)
{
    if (!model || !model->table || !model->table[0])
        return belayi_report(error, BELAY_MISUSE, "the model %s has no table", model ? model->type : "(none)");
    if (model->count > BELAYI_COLUMNS_MAX)
        return belayi_report(error, BELAY_MISUSE, "the model %s has %zu columns; there may be %d", model->type,
                             model->count, BELAYI_COLUMNS_MAX);
    for (size_t i = 0; i < model->count; i++) {
        belay_code code = check_column(model, &model->columns[i], error);
        if (code == BELAY_OK)
            code = check_twice(model, i, error);
        if (code != BELAY_OK)
            return code;
    }
    return BELAY_OK;
}

/* ---- What follows from it --------------------------------------------------------------------------------------- */

static void cover(belayi_shape *shape, size_t offset, size_t size)
{
    if (offset < shape->first)
        shape->first = offset;
    if (offset + size > shape->end)
        shape->end = offset + size;
}

static belay_code note_role(belayi_shape *shape, unsigned at, belay_error *error)
{
    const belay_column_def *column = &shape->model->columns[at];
    if (belayi_shape_is_key(column)) {
        if (shape->keys == BELAYI_KEYS_MAX)
            return refuse(error, shape->model, column, "there are too many parts of the key");
        shape->key[shape->keys++] = at;
        shape->key_set |= BELAYI_COLUMN_BIT(at);
    }
    if (column->role == BELAY_ROLE_VERSION) {
        if (shape->version >= 0)
            return refuse(error, shape->model, column, "there is another version column");
        shape->version = (int)at;
    } else if (column->role == BELAY_ROLE_PARENT) {
        shape->parents |= BELAYI_COLUMN_BIT(at);
        cover(shape, column->pointer, sizeof(void *));
    }
    return BELAY_OK;
}

static void note_kind(belayi_shape *shape, unsigned at)
{
    const belay_column_def *column = &shape->model->columns[at];
    belayi_columns bit = BELAYI_COLUMN_BIT(at);
    shape->all |= bit;
    if (column->kind == BELAY_KIND_TEXT || column->kind == BELAY_KIND_BYTES)
        shape->pointed |= bit;
    if (column->kind == BELAY_KIND_TEXT_OWNED)
        shape->owned |= bit;
    if (column->default_sql && belayi_shape_may_be_null(column))
        shape->defaults |= bit;
    cover(shape, column->offset, column->room);
    if (column->has > 0)
        cover(shape, column->has - 1, sizeof(bool));
}

belay_code belayi_shape_make(const belay_model *model, belayi_shape *out_plan, belay_error *error)
{
    belay_code code = check_model(model, error);
    if (code != BELAY_OK)
        return code;
    belayi_shape *shape = out_plan;
    *shape =
        (belayi_shape){.model = model, .count = (unsigned)model->count, .version = -1, .first = model->object_size};
    for (unsigned i = 0; i < shape->count && code == BELAY_OK; i++) {
        note_kind(shape, i);
        code = note_role(shape, i, error);
    }
    if (code != BELAY_OK)
        return code;
    if (shape->keys == 0)
        return belayi_report(error, BELAY_MISUSE, "the model %s has no BELAY_KEY", model->type);
    const belay_column_def *key = &model->columns[shape->key[0]];
    shape->generated = shape->keys == 1 && key->role == BELAY_ROLE_KEY && is_integer(key) && !key->given;
    return BELAY_OK;
}
