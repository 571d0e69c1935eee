#include "column_type.h"

#include <stdio.h>
#include <string.h>

#include "report.h"
#include "shape.h"

enum { PARENTS_MAX = 64, KEY_TEXT_SIZE = 255 };

/* ---- What a member needs ---------------------------------------------------------------------------------------- */

static const belay_column_def *key_of(const belay_model *model)
{
    for (size_t i = 0; i < model->count; i++)
        if (belayi_shape_is_key(&model->columns[i]))
            return &model->columns[i];
    return NULL;
}

const belay_column_def *belayi_column_type_source(const belay_column_def *column)
{
    const belay_column_def *source = column;
    for (int i = 0; source && source->role == BELAY_ROLE_PARENT && i < PARENTS_MAX; i++)
        source = key_of(source->parent);
    return source && source->role != BELAY_ROLE_PARENT ? source : column;
}

static bool is_key(const belay_column_def *column)
{
    return belayi_shape_is_key(column) || column->role == BELAY_ROLE_PARENT;
}

/* Characters that a text must have room for; 0: no number was given. */
static size_t size_of(const belay_column_def *column)
{
    if (column->size > 0)
        return (size_t)column->size;
    return column->kind == BELAY_KIND_TEXT_ARRAY ? column->room - 1 : 0;
}

/* ---- The type that it gets -------------------------------------------------------------------------------------- */

static const char *integer_type(const belay_column_def *column)
{
    size_t room = column->kind == BELAY_KIND_UINT ? 2 * column->room : column->room;
    return room <= sizeof(int16_t) ? "SMALLINT" : room == sizeof(int32_t) ? "INTEGER" : "BIGINT";
}

static void add_text(belayi_draft *draft, const belay_driver *driver, const belay_column_def *column)
{
    char words[64];
    size_t size = size_of(column);
    if (size == 0 && is_key(column))
        size = KEY_TEXT_SIZE;
    if (column->precision > 0 && driver->decimal_type) {
        snprintf(words, sizeof words, "(%d, %d)", column->precision, column->scale);
        belayi_draft_add(draft, driver->decimal_type);
        belayi_draft_add(draft, words);
        return;
    }
    snprintf(words, sizeof words, "VARCHAR(%zu)", size);
    belayi_draft_add(draft, size > 0 && column->precision == 0 ? words : driver->text_type);
    belayi_draft_add(draft, driver->text_end);
}

static void add_generated(belayi_draft *draft, const belay_driver *driver, const belay_column_def *column)
{
    char text[128];
    const char *words = driver->generated_key, *mark = strstr(words, "%s");
    if (mark)
        snprintf(text, sizeof text, "%.*s%s%s", (int)(mark - words), words, integer_type(column), mark + 2);
    belayi_draft_add(draft, mark ? text : words);
}

void belayi_column_type_add(belayi_draft *draft, const belay_driver *driver, const belay_column_def *column,
                            bool generated)
{
    const belay_column_def *source = belayi_column_type_source(column);
    switch (source->kind) {
    case BELAY_KIND_BOOL:
        belayi_draft_add(draft, "BOOLEAN");
        return;
    case BELAY_KIND_INT:
    case BELAY_KIND_UINT:
        if (generated)
            add_generated(draft, driver, source);
        else
            belayi_draft_add(draft, source->timestamp ? driver->moment_type : integer_type(source));
        return;
    case BELAY_KIND_REAL:
        belayi_draft_add(draft, "DOUBLE PRECISION");
        return;
    case BELAY_KIND_BYTES:
        belayi_draft_add(draft, driver->bytes_type);
        return;
    case BELAY_KIND_NONE:
    case BELAY_KIND_TEXT:
    case BELAY_KIND_TEXT_OWNED:
    case BELAY_KIND_TEXT_ARRAY:
        add_text(draft, driver, source);
        return;
    }
}

/* ---- Whether a type can hold it -------------------------------------------------------------------------------------
 *
 * Each function is NULL when it can, or says what it can't hold.
 */

static const char *check_integer(const belay_column_def *column, const belayi_type *t, bool loose)
{
    bool is_unsigned = column->kind == BELAY_KIND_UINT;
    unsigned bits = 8 * (unsigned)column->room - (is_unsigned && column->room < sizeof(int64_t) ? 0 : 1);
    uint64_t maximum = (UINT64_C(1) << bits) - 1;
    int64_t minimum = is_unsigned ? 0 : -(int64_t)maximum - 1;
    if (t->kind == BELAYI_TYPE_DECIMAL && !loose) /* 19 digits, and none behind the point, hold any */
        return t->scale == 0 && !t->is_unsigned && (t->precision == 0 || t->precision > 18) ? NULL : "all its numbers";
    if (t->kind == BELAYI_TYPE_OTHER && loose)
        return NULL;
    if (t->kind != BELAYI_TYPE_INTEGER && t->kind != BELAYI_TYPE_BOOLEAN)
        return "an integer";
    if (t->kind == BELAYI_TYPE_BOOLEAN && t->maximum <= 1)
        return "more than true and false";
    return t->minimum <= minimum && t->maximum >= maximum ? NULL : "all its numbers";
}

static const char *check_bool(const belayi_type *t, bool loose)
{
    if (t->kind == BELAYI_TYPE_BOOLEAN || (loose && (t->kind == BELAYI_TYPE_INTEGER || t->kind == BELAYI_TYPE_OTHER)))
        return NULL;
    return "a bool";
}

static const char *check_real(const belay_column_def *column, const belayi_type *t, bool loose)
{
    if (loose) /* the engine keeps it as it is, but where it makes a text of it */
        return t->makes_numbers || t->kind == BELAYI_TYPE_OTHER ? NULL : "a floating-point number";
    if (t->kind != BELAYI_TYPE_REAL)
        return "a floating-point number";
    bool wide = column->room == sizeof(double);
    return !t->is_unsigned && t->precision == 0 && (t->bits > 24 || !wide) ? NULL : "all its numbers";
}

static const char *check_moment(const belayi_type *t, bool loose, const belay_driver *driver)
{
    belayi_type wanted;
    belayi_type_read(driver->moment_type, driver->type_flavour, &wanted);
    if (loose && !t->makes_numbers && (t->kind == BELAYI_TYPE_TEXT || t->kind == BELAYI_TYPE_OTHER))
        return NULL;
    bool moment = t->kind == BELAYI_TYPE_MOMENT || t->kind == BELAYI_TYPE_TIMESTAMP;
    /* What is with zone may be a narrower type than what is without, where that is what the engine has for moments. */
    if (!moment || (!loose && t->kind == BELAYI_TYPE_MOMENT && wanted.kind != BELAYI_TYPE_MOMENT))
        return "any moment";
    return t->fraction == 6 || t->fraction == BELAYI_FRACTION_ANY ? NULL : "microseconds";
}

static const char *check_decimal(const belay_column_def *column, const belayi_type *t, const belay_driver *driver)
{
    if (!driver->decimal_type)
        return (t->kind == BELAYI_TYPE_TEXT || t->kind == BELAYI_TYPE_OTHER) && !t->makes_numbers
                   ? NULL
                   : "a decimal exactly: a text can";
    if (t->kind != BELAYI_TYPE_DECIMAL || t->is_unsigned)
        return "any decimal";
    if (t->precision == 0)
        return NULL;
    int whole = column->precision - column->scale;
    return t->scale >= column->scale && t->precision - t->scale >= whole ? NULL : "all its digits";
}

static bool is_number(const belayi_type *t)
{
    return t->kind == BELAYI_TYPE_INTEGER || t->kind == BELAYI_TYPE_REAL || t->kind == BELAYI_TYPE_DECIMAL ||
           t->kind == BELAYI_TYPE_BOOLEAN || t->kind == BELAYI_TYPE_YEAR;
}

/* A type of its own words (dates, enums, uuid ...) takes texts that are such words, and refuses others. */
static const char *check_text(const belay_column_def *column, const belayi_type *t)
{
    enum { LAST_CHARACTER = 0x10FFFF };
    int64_t size = (int64_t)size_of(column);
    if (is_number(t) || t->makes_numbers)
        return "a text: it makes a number of what looks like one";
    if (t->kind == BELAYI_TYPE_BYTES || t->kind == BELAYI_TYPE_BITS)
        return "a text";
    if (t->kind != BELAYI_TYPE_TEXT)
        return NULL;
    if (t->fixed || t->trims)
        return "spaces at the end of a text as they are";
    if (t->widest < LAST_CHARACTER)
        return "every character";
    bool room = (t->length < 0 || t->length >= size) && (t->bytes < 0 || t->bytes >= size);
    return room ? NULL : "so long a text";
}

static const char *check_bytes(const belayi_type *t, bool loose)
{
    if (t->kind == BELAYI_TYPE_OTHER && loose)
        return NULL;
    if (t->kind != BELAYI_TYPE_BYTES)
        return "bytes";
    return t->fixed ? "fewer bytes as they are" : NULL;
}

static const char *check(const belay_driver *driver, const belay_column_def *column, const belayi_type *t)
{
    bool loose = driver->type_flavour == BELAY_TYPES_LOOSE;
    switch (column->kind) {
    case BELAY_KIND_BOOL:
        return check_bool(t, loose);
    case BELAY_KIND_INT:
    case BELAY_KIND_UINT:
        return column->timestamp ? check_moment(t, loose, driver) : check_integer(column, t, loose);
    case BELAY_KIND_REAL:
        return check_real(column, t, loose);
    case BELAY_KIND_BYTES:
        return check_bytes(t, loose);
    case BELAY_KIND_NONE:
    case BELAY_KIND_TEXT:
    case BELAY_KIND_TEXT_OWNED:
    case BELAY_KIND_TEXT_ARRAY:
        break;
    }
    return column->precision > 0 ? check_decimal(column, t, driver) : check_text(column, t);
}

bool belayi_column_type_holds(const belay_driver *driver, const belay_column_def *column, const belayi_column *there,
                              char *out, size_t room)
{
    const char *lacks = check(driver, belayi_column_type_source(column), &there->type);
    if (lacks)
        belayi_report_format(out, room, "the type is %s, which can't hold %s",
                             there->declared[0] ? there->declared : "not given", lacks);
    return !lacks;
}
