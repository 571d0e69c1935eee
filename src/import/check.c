#include "check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "check_kinds.h"
#include "report.h"

bool belayi_check_refuse(const belayi_checked *c, const char *format, ...)
{
    enum { SHOWN = 48 }; /* of the value */
    char value[SHOWN];
    va_list list;
    belayi_report_text(value, sizeof value, c->text, c->size);
    belayi_report_format(c->why, BELAYI_WHY_ROOM, "\"%s\" ", value);
    size_t size = strlen(c->why);
    va_start(list, format);
    vsnprintf(c->why + size, BELAYI_WHY_ROOM - size, format, list);
    va_end(list);
    return false;
}

static bool check_value(const belayi_checked *c, belay_value *out_value)
{
    switch (c->type->kind) {
    case BELAYI_TYPE_INTEGER:
        return belayi_check_integer(c, out_value);
    case BELAYI_TYPE_DECIMAL:
        return belayi_check_decimal(c, out_value);
    case BELAYI_TYPE_REAL:
        return belayi_check_real(c, out_value);
    case BELAYI_TYPE_BOOLEAN:
        return belayi_check_boolean(c, out_value);
    case BELAYI_TYPE_TEXT:
        return belayi_check_text(c, out_value);
    case BELAYI_TYPE_BYTES:
        return belayi_check_bytes(c, out_value);
    case BELAYI_TYPE_DATE:
        return belayi_check_date(c, out_value);
    case BELAYI_TYPE_TIME:
        return belayi_check_time(c, out_value);
    case BELAYI_TYPE_TIMESTAMP:
        return belayi_check_timestamp(c, out_value);
    case BELAYI_TYPE_MOMENT:
        return belayi_check_moment(c, out_value);
    case BELAYI_TYPE_UUID:
        return belayi_check_uuid(c, out_value);
    case BELAYI_TYPE_JSON:
        return belayi_check_json(c, out_value);
    case BELAYI_TYPE_ENUM:
        return belayi_check_enum(c, out_value);
    case BELAYI_TYPE_YEAR:
        return belayi_check_year(c, out_value);
    case BELAYI_TYPE_BITS:
        return belayi_check_bits(c, out_value);
    case BELAYI_TYPE_OTHER:
        break;
    }
    return belayi_check_other(c, out_value);
}

bool belayi_check_field(const belayi_column *column, const belayi_field *field, struct belayi_arena *arena,
                        belay_value *out_value, char why[BELAYI_WHY_ROOM])
{
    if (field->kind == BELAYI_FIELD_NULL || field->kind == BELAYI_FIELD_MISSING) {
        *out_value = belay_null();
        return true;
    }
    const belayi_checked checked = {&column->type, field->text ? field->text : "", field->size, arena, why};
    return check_value(&checked, out_value);
}
