#include "image.h"

#include <stdlib.h>
#include <string.h>

#include "field.h"

static void *pointer_at(const void *object, size_t offset)
{
    void *pointer;
    memcpy(&pointer, (const char *)object + offset, sizeof pointer);
    return pointer;
}

static void set_pointer(void *object, size_t offset, const void *pointer)
{
    memcpy((char *)object + offset, &pointer, sizeof pointer);
}

/* ---- Taking ------------------------------------------------------------------------------------------------------ */

/* How many bytes the copies of these columns take, with a NUL behind each. */
static size_t size_of_texts(const belayi_shape *shape, belayi_columns columns, const void *object)
{
    size_t size = 0;
    for (unsigned i = 0; i < shape->count; i++)
        if (columns & BELAYI_COLUMN_BIT(i))
            size += belayi_field_text(&shape->model->columns[i], object).size + 1;
    return size;
}

/* Makes the text of one column of the struct point to other bytes. */
static void point_to(const belay_column_def *column, void *object, belay_span span)
{
    if (column->kind == BELAY_KIND_BYTES)
        memcpy((char *)object + column->offset, &span, sizeof span);
    else
        set_pointer(object, column->offset, span.data);
}

static char *copy_text(const belay_column_def *column, const void *from, void *image, char *room)
{
    belay_span span = belayi_field_text(column, from);
    if (!span.data)
        return room;
    if (span.size > 0)
        memcpy(room, span.data, span.size);
    room[span.size] = '\0';
    point_to(column, image, (belay_span){room, span.size});
    return room + span.size + 1;
}

/* The texts of the image stay; all else is taken. */
static void take_numbers(const belayi_shape *shape, const void *object, void *image)
{
    belayi_columns texts = shape->pointed | shape->owned;
    for (unsigned i = 0; i < shape->count; i++) {
        const belay_column_def *column = &shape->model->columns[i];
        if (!(texts & BELAYI_COLUMN_BIT(i)))
            memcpy((char *)image + column->offset, (const char *)object + column->offset, column->room);
        if (column->has > 0)
            memcpy((char *)image + column->has - 1, (const char *)object + column->has - 1, sizeof(bool));
        if (column->role == BELAY_ROLE_PARENT)
            set_pointer(image, column->pointer, pointer_at(object, column->pointer));
    }
}

/* A NULL in one and not in the other is another text, too. */
static bool texts_differ(const belayi_shape *shape, belayi_columns columns, const void *object, const void *image)
{
    for (unsigned i = 0; i < shape->count; i++)
        if (columns & BELAYI_COLUMN_BIT(i) && !belayi_field_equal(&shape->model->columns[i], object, image))
            return true;
    return false;
}

bool belayi_image_take(const belayi_shape *shape, const void *object, void *image, belayi_texts *texts,
                       belayi_texts **out_texts)
{
    belayi_columns columns = shape->pointed | shape->owned;
    *out_texts = texts;
    if (!columns) {
        memcpy((char *)image + shape->first, (const char *)object + shape->first, shape->end - shape->first);
        return true;
    }
    if (texts && !texts_differ(shape, columns, object, image)) {
        take_numbers(shape, object, image);
        return true;
    }
    belayi_texts *taken = malloc(sizeof *taken + size_of_texts(shape, columns, object));
    if (!taken)
        return false;
    *taken = (belayi_texts){.current = true};
    *out_texts = taken;
    memcpy((char *)image + shape->first, (const char *)object + shape->first, shape->end - shape->first);
    char *room = taken->bytes;
    for (unsigned i = 0; i < shape->count; i++)
        if (columns & BELAYI_COLUMN_BIT(i))
            room = copy_text(&shape->model->columns[i], object, image, room);
    return true;
}

/* ---- Comparing -------------------------------------------------------------------------------------------------- */

static bool same_bytes(const belayi_shape *shape, const void *object, const void *image)
{
    return !shape->owned && memcmp((const char *)object + shape->first, (const char *)image + shape->first,
                                   shape->end - shape->first) == 0;
}

belayi_columns belayi_image_changed(const belayi_shape *shape, const void *object, const void *image)
{
    belayi_columns changed = 0;
    if (same_bytes(shape, object, image))
        return 0;
    for (unsigned i = 0; i < shape->count; i++)
        if (!belayi_field_equal(&shape->model->columns[i], object, image))
            changed |= BELAYI_COLUMN_BIT(i);
    return changed;
}

belayi_columns belayi_image_moved(const belayi_shape *shape, const void *object, const void *image)
{
    belayi_columns moved = 0;
    for (unsigned i = 0; shape->parents && i < shape->count; i++) {
        const belay_column_def *column = &shape->model->columns[i];
        if (column->role == BELAY_ROLE_PARENT &&
            pointer_at(object, column->pointer) != pointer_at(image, column->pointer))
            moved |= BELAYI_COLUMN_BIT(i);
    }
    return moved;
}

/* ---- Putting back ----------------------------------------------------------------------------------------------- */

void belayi_image_lend(const belayi_shape *shape, void *object, const void *image)
{
    for (unsigned i = 0; shape->pointed && i < shape->count; i++)
        if (shape->pointed & BELAYI_COLUMN_BIT(i)) {
            const belay_column_def *column = &shape->model->columns[i];
            memcpy((char *)object + column->offset, (const char *)image + column->offset, column->room);
        }
}

/* The object's own copy of a text. */
static bool restore_owned(const belay_column_def *column, void *object, const void *image)
{
    if (belayi_field_equal(column, object, image))
        return true;
    const char *text = pointer_at(image, column->offset);
    char *copy = text ? strdup(text) : NULL;
    free(pointer_at(object, column->offset));
    set_pointer(object, column->offset, copy);
    return copy || !text;
}

bool belayi_image_restore(const belayi_shape *shape, void *object, const void *image)
{
    bool good = true;
    for (unsigned i = 0; i < shape->count; i++) {
        const belay_column_def *column = &shape->model->columns[i];
        if (shape->owned & BELAYI_COLUMN_BIT(i))
            good &= restore_owned(column, object, image);
        else
            memcpy((char *)object + column->offset, (const char *)image + column->offset, column->room);
        if (column->has > 0)
            memcpy((char *)object + column->has - 1, (const char *)image + column->has - 1, sizeof(bool));
        if (column->role == BELAY_ROLE_PARENT)
            set_pointer(object, column->pointer, pointer_at(image, column->pointer));
    }
    return good;
}

void belayi_image_free_owned(const belayi_shape *shape, void *object)
{
    for (unsigned i = 0; shape->owned && i < shape->count; i++)
        if (shape->owned & BELAYI_COLUMN_BIT(i)) {
            size_t offset = shape->model->columns[i].offset;
            free(pointer_at(object, offset));
            set_pointer(object, offset, NULL);
        }
}
