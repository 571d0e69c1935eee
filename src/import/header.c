#include "header.h"

#include <stdlib.h>
#include <string.h>

#include "report.h"

bool belayi_header_keep(belayi_header *h, const char *raw, size_t size)
{
    char *more = realloc(h->raw, h->raw_size + size + 1);
    if (!more)
        return false;
    memcpy(more + h->raw_size, raw, size);
    h->raw = more;
    h->raw_size += size;
    return true;
}

static int compare_names(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* A name that is there twice, or NULL; `room` is for as many names. */
static const char *find_twin(const belayi_header *h, const char **room)
{
    memcpy(room, h->names, h->count * sizeof *room);
    qsort(room, h->count, sizeof *room, compare_names);
    for (size_t i = 1; i < h->count; i++)
        if (strcmp(room[i - 1], room[i]) == 0)
            return room[i];
    return NULL;
}

belay_code belayi_header_name(belayi_header *h, const belayi_record *record, belay_error *error)
{
    const unsigned long long line = record->line;
    if (record->flaw)
        return belayi_report(error, BELAY_DATA, "the header, line %llu, is malformed: %s", line, record->flaw);
    const char **names = belayi_arena_get(&h->memory, record->count * 2 * sizeof *names);
    if (!names)
        return belayi_report(error, BELAY_NO_MEMORY, "no memory for the header");
    for (size_t i = 0; i < record->count; i++) {
        const belayi_field *f = &record->fields[i];
        if (f->size == 0)
            return belayi_report(error, BELAY_DATA, "the header, line %llu, has no name for field %zu", line, i + 1);
        names[i] = belayi_arena_copy(&h->memory, f->text, f->size);
        if (!names[i])
            return belayi_report(error, BELAY_NO_MEMORY, "no memory for the header");
    }
    h->names = names;
    h->count = record->count;
    const char *twin = find_twin(h, names + h->count);
    if (twin)
        return belayi_report(error, BELAY_DATA, "the header, line %llu, has the name %s twice", line, twin);
    return BELAY_OK;
}

void belayi_header_done(belayi_header *h)
{
    belayi_arena_free(&h->memory);
    free(h->raw);
    *h = (belayi_header){.raw = NULL};
}
