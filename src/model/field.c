#include "field.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cell.h"
#include "moment.h"
#include "report.h"
#include "shape.h"

static const char *at(const void *object, size_t offset)
{
    return (const char *)object + offset;
}

/* ---- Numbers ---------------------------------------------------------------------------------------------------- */

static int64_t read_signed(const char *member, size_t room)
{
    int8_t one;
    int16_t two;
    int32_t four;
    int64_t eight;
    switch (room) {
    case sizeof one:
        memcpy(&one, member, sizeof one);
        return one;
    case sizeof two:
        memcpy(&two, member, sizeof two);
        return two;
    case sizeof four:
        memcpy(&four, member, sizeof four);
        return four;
    default:
        memcpy(&eight, member, sizeof eight);
        return eight;
    }
}

static uint64_t read_unsigned(const char *member, size_t room)
{
    int64_t number = read_signed(member, room);
    return room == sizeof number ? (uint64_t)number : (uint64_t)number & ((UINT64_C(1) << 8 * room) - 1);
}

static double read_real(const char *member, size_t room)
{
    float narrow;
    double wide;
    if (room == sizeof wide) {
        memcpy(&wide, member, sizeof wide);
        return wide;
    }
    memcpy(&narrow, member, sizeof narrow);
    return (double)narrow;
}

/* The lowest bytes of the number, which is known to fit. */
static void write_number(char *member, size_t room, int64_t number)
{
    int8_t one = (int8_t)number;
    int16_t two = (int16_t)number;
    int32_t four = (int32_t)number;
    const void *from = room == 1 ? (const void *)&one : room == 2 ? (const void *)&two : (const void *)&four;
    memcpy(member, room == sizeof number ? (const void *)&number : from, room);
}

int64_t belayi_field_number(const belay_column_def *column, const void *object)
{
    const char *member = at(object, column->offset);
    return column->kind == BELAY_KIND_UINT ? (int64_t)read_unsigned(member, column->room)
                                           : read_signed(member, column->room);
}

void belayi_field_set_number(const belay_column_def *column, void *object, int64_t number)
{
    write_number((char *)object + column->offset, column->room, number);
}

static bool fits(const belay_column_def *column, int64_t number)
{
    unsigned bits = 8 * (unsigned)column->room;
    if (column->kind == BELAY_KIND_UINT)
        return number >= 0 && (bits == 64 || (uint64_t)number >> bits == 0);
    return bits == 64 || (number >= -(INT64_C(1) << (bits - 1)) && number < INT64_C(1) << (bits - 1));
}

/* ---- Out of the struct ------------------------------------------------------------------------------------------- */

belay_span belayi_field_text(const belay_column_def *column, const void *object)
{
    const char *member = at(object, column->offset), *text = NULL;
    belay_span span = {NULL, 0};
    switch (column->kind) {
    case BELAY_KIND_TEXT:
    case BELAY_KIND_TEXT_OWNED:
        memcpy(&text, member, sizeof text);
        return text ? (belay_span){text, strlen(text)} : span;
    case BELAY_KIND_TEXT_ARRAY:
        return (belay_span){member, strnlen(member, column->room)};
    case BELAY_KIND_BYTES:
        memcpy(&span, member, sizeof span);
        return span;
    case BELAY_KIND_NONE:
    case BELAY_KIND_BOOL:
    case BELAY_KIND_INT:
    case BELAY_KIND_UINT:
    case BELAY_KIND_REAL:
        break;
    }
    return span;
}

static bool has_flag(const belay_column_def *column, const void *object)
{
    bool has;
    memcpy(&has, at(object, column->has - 1), sizeof has);
    return has;
}

bool belayi_field_has(const belay_column_def *column, const void *object)
{
    if (column->has > 0)
        return has_flag(column, object);
    switch (column->kind) {
    case BELAY_KIND_TEXT:
    case BELAY_KIND_TEXT_OWNED:
    case BELAY_KIND_BYTES:
        return belayi_field_text(column, object).data != NULL;
    case BELAY_KIND_TEXT_ARRAY:
        return column->role != BELAY_ROLE_PARENT || *at(object, column->offset) != '\0';
    case BELAY_KIND_INT:
    case BELAY_KIND_UINT:
        return column->role != BELAY_ROLE_PARENT || belayi_field_number(column, object) != 0;
    case BELAY_KIND_NONE:
    case BELAY_KIND_BOOL:
    case BELAY_KIND_REAL:
        break;
    }
    return true;
}

static belay_value number_value(const belay_column_def *column, const void *object)
{
    const char *member = at(object, column->offset);
    if (column->kind == BELAY_KIND_REAL)
        return belay_real(read_real(member, column->room));
    if (column->kind == BELAY_KIND_BOOL)
        return belay_bool(*member != 0);
    if (column->kind == BELAY_KIND_UINT)
        return belay_unsigned(read_unsigned(member, column->room));
    int64_t number = read_signed(member, column->room);
    return column->timestamp ? belay_timestamp(number) : belay_integer(number);
}

belay_value belayi_field_value(const belay_column_def *column, const void *object)
{
    if (!belayi_field_has(column, object))
        return belay_null();
    belay_span span = belayi_field_text(column, object);
    if (!span.data)
        return number_value(column, object);
    if (column->kind == BELAY_KIND_BYTES)
        return belay_blob(span.data, span.size);
    belay_value value = belay_text(span.data, span.size);
    if (column->precision > 0)
        value.type = BELAY_TYPE_DECIMAL;
    return value;
}

/* ---- Comparing -------------------------------------------------------------------------------------------------- */

/* A decimal without what makes no difference: a plus, zeros before it, zeros behind the point. */
typedef struct decimal {
    const char *digits;
    size_t size;
    bool negative;
} decimal;

static decimal trim_decimal(belay_span span)
{
    decimal d = {span.data, span.size, false};
    if (d.size > 0 && (*d.digits == '-' || *d.digits == '+')) {
        d.negative = *d.digits == '-';
        d.digits++;
        d.size--;
    }
    while (d.size > 0 && *d.digits == '0') {
        d.digits++;
        d.size--;
    }
    if (memchr(d.digits, '.', d.size)) {
        while (d.size > 0 && d.digits[d.size - 1] == '0')
            d.size--;
        if (d.size > 0 && d.digits[d.size - 1] == '.')
            d.size--;
    }
    d.negative &= d.size > 0;
    return d;
}

static bool same_decimal(belay_span a, belay_span b)
{
    decimal x = trim_decimal(a), y = trim_decimal(b);
    return x.negative == y.negative && x.size == y.size && memcmp(x.digits, y.digits, x.size) == 0;
}

static bool same_text(const belay_column_def *column, belay_span a, belay_span b)
{
    if (!a.data || !b.data)
        return a.data == b.data;
    if (column->precision > 0)
        return same_decimal(a, b);
    return a.size == b.size && (a.data == b.data || memcmp(a.data, b.data, a.size) == 0);
}

bool belayi_field_equal(const belay_column_def *column, const void *a, const void *b)
{
    if (column->has > 0) {
        bool has = has_flag(column, a);
        if (has != has_flag(column, b) || !has)
            return has == has_flag(column, b);
    }
    if (column->kind >= BELAY_KIND_TEXT)
        return same_text(column, belayi_field_text(column, a), belayi_field_text(column, b));
    return memcmp(at(a, column->offset), at(b, column->offset), column->room) == 0;
}

/* ---- Into the struct --------------------------------------------------------------------------------------------- */

static belay_code refuse_cell(const belay_model *model, const belay_column_def *column, const char *why,
                              belay_error *error)
{
    belayi_report(error, BELAY_DATA, "the model %s, column %s: what the database has %s", model->type, column->member,
                  why);
    BELAYI_REPORT_FIELD(error->table, model->table);
    BELAYI_REPORT_FIELD(error->column, belayi_shape_name(column));
    return BELAY_DATA;
}

static void set_flag(const belay_column_def *column, void *object, bool has)
{
    if (column->has > 0)
        memcpy((char *)object + column->has - 1, &has, sizeof has);
}

static belay_code read_null(const belay_model *model, const belay_column_def *column, void *object, belay_error *error)
{
    bool pointed =
        column->kind == BELAY_KIND_TEXT || column->kind == BELAY_KIND_TEXT_OWNED || column->kind == BELAY_KIND_BYTES;
    if (!pointed && column->has == 0 && column->role != BELAY_ROLE_PARENT)
        return refuse_cell(model, column, "is NULL, and the member must have a value", error);
    memset((char *)object + column->offset, 0, column->room);
    set_flag(column, object, false);
    return BELAY_OK;
}

static belay_code read_moment(const belay_model *model, const belay_column_def *column, const belay_value *cell,
                              int64_t *out, belay_error *error)
{
    if (cell->type == BELAY_TYPE_TIMESTAMP) {
        *out = cell->as.integer;
        return BELAY_OK;
    }
    if (cell->type == BELAY_TYPE_TEXT && belayi_moment_read(cell->as.data, cell->size, out))
        return BELAY_OK;
    return refuse_cell(model, column, "is no moment", error);
}

static belay_code read_integer(const belay_model *model, const belay_column_def *column, const belay_value *cell,
                               void *object, belay_error *error)
{
    int64_t number;
    if (column->timestamp) {
        belay_code code = read_moment(model, column, cell, &number, error);
        if (code != BELAY_OK)
            return code;
    } else if (!belayi_cell_to_integer(cell, &number, error)) {
        return refuse_cell(model, column, "is no integer of 64 bits", error);
    }
    bool is_bool = column->kind == BELAY_KIND_BOOL;
    if (is_bool ? number != 0 && number != 1 : !fits(column, number))
        return refuse_cell(model, column, "does not fit the member", error);
    write_number((char *)object + column->offset, column->room, number);
    return BELAY_OK;
}

static belay_code read_number(const belay_model *model, const belay_column_def *column, const belay_value *cell,
                              void *object, belay_error *error)
{
    double wide;
    if (!belayi_cell_to_real(cell, &wide, error))
        return refuse_cell(model, column, "is no number", error);
    float narrow = (float)wide;
    memcpy((char *)object + column->offset, column->room == sizeof wide ? (const void *)&wide : (const void *)&narrow,
           column->room);
    return BELAY_OK;
}

static belay_code read_text(const belay_model *model, const belay_column_def *column, const belay_value *cell,
                            void *object, belay_error *error)
{
    char *member = (char *)object + column->offset;
    if (column->kind == BELAY_KIND_BYTES) {
        belay_span span = {cell->as.data ? cell->as.data : "", cell->size};
        memcpy(member, &span, sizeof span);
        return BELAY_OK;
    }
    if (memchr(cell->as.data, '\0', cell->size))
        return refuse_cell(model, column, "has a NUL in it", error);
    if (column->kind != BELAY_KIND_TEXT_ARRAY) {
        memcpy(member, &cell->as.data, sizeof cell->as.data);
        return BELAY_OK;
    }
    if (cell->size >= column->room)
        return refuse_cell(model, column, "is longer than the array", error);
    memset(member, 0, column->room);
    memcpy(member, cell->as.data, cell->size);
    return BELAY_OK;
}

/* A number in a column whose member is a text: an exact number becomes one; a double only where it is a decimal's. */
static belay_code read_text_of_number(const belay_model *model, const belay_column_def *column, const belay_value *cell,
                                      void *object, belay_error *error)
{
    bool text = cell->type == BELAY_TYPE_TEXT || cell->type == BELAY_TYPE_DECIMAL || cell->type == BELAY_TYPE_BLOB;
    if (text)
        return read_text(model, column, cell, object, error);
    return refuse_cell(model, column, "is a number, and the member is a text", error);
}

belay_code belayi_field_read(const belay_model *model, const belay_column_def *column, const belay_value *cell,
                             void *object, belay_error *error)
{
    if (cell->type == BELAY_TYPE_NULL)
        return read_null(model, column, object, error);
    set_flag(column, object, true);
    if (column->kind >= BELAY_KIND_TEXT)
        return read_text_of_number(model, column, cell, object, error);
    if (column->kind == BELAY_KIND_REAL)
        return read_number(model, column, cell, object, error);
    return read_integer(model, column, cell, object, error);
}

/* ---- Naming an object -------------------------------------------------------------------------------------------- */

static size_t add_text(char *out, size_t room, size_t used, belay_span text)
{
    enum { LONGEST = 40 };
    int size = (int)(text.size < LONGEST ? text.size : LONGEST);
    int written = snprintf(out + used, room - used, "'%.*s%s'", size, text.data ? (const char *)text.data : "",
                           text.size > LONGEST ? "..." : "");
    return written < 0 ? used : used + (size_t)written;
}

static size_t add_number(char *out, size_t room, size_t used, const belay_column_def *column, const void *object)
{
    int written = snprintf(out + used, room - used, "%" PRId64, belayi_field_number(column, object));
    return written < 0 ? used : used + (size_t)written;
}

void belayi_field_name_object(const belay_model *model, const void *object, char *out, size_t room)
{
    const char *between = "(";
    size_t used = (size_t)snprintf(out, room, "%s", model->type);
    for (size_t i = 0; i < model->count && used + 3 < room; i++) {
        const belay_column_def *column = &model->columns[i];
        if (!belayi_shape_is_key(column))
            continue;
        used += (size_t)snprintf(out + used, room - used, "%s", between);
        between = ", ";
        used = column->kind >= BELAY_KIND_TEXT ? add_text(out, room, used, belayi_field_text(column, object))
                                               : add_number(out, room, used, column, object);
    }
    if (used + 1 < room)
        snprintf(out + used, room - used, ")");
}
