#include "parse.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { FIELDS_FIRST = 64 };

void belayi_parse_begin(belayi_parse *p)
{
    p->count = p->lines = p->spare_size = 0;
    p->flawed = p->unfinished = p->open = p->no_memory = false;
    p->flaw_field = 0;
}

void belayi_parse_done(belayi_parse *p)
{
    free(p->fields);
    free(p->spare);
    p->fields = NULL;
    p->spare = NULL;
    p->capacity = p->spare_capacity = 0;
}

void belayi_parse_flaw(belayi_parse *p, size_t field, const char *format, ...)
{
    if (p->flawed) /* the first is told */
        return;
    va_list list;
    va_start(list, format);
    vsnprintf(p->flaw, sizeof p->flaw, format, list);
    va_end(list);
    p->flawed = true;
    p->flaw_field = field;
}

bool belayi_parse_grow(belayi_parse *p)
{
    if (p->capacity == BELAYI_FIELDS_MAX) {
        belayi_parse_flaw(p, 0, "more than %d fields", BELAYI_FIELDS_MAX);
        return false;
    }
    size_t capacity = p->capacity > 0 ? p->capacity * 2 : FIELDS_FIRST;
    belayi_field *more = realloc(p->fields, capacity * sizeof *more);
    if (!more) {
        p->no_memory = true;
        return false;
    }
    p->fields = more;
    p->capacity = capacity;
    return true;
}

bool belayi_parse_spare(belayi_parse *p, size_t size)
{
    if (size <= p->spare_capacity)
        return true;
    char *more = malloc(size);
    p->no_memory = !more;
    if (!more)
        return false;
    free(p->spare);
    p->spare = more;
    p->spare_capacity = size;
    return true;
}
