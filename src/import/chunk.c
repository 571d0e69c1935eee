#include "chunk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "report.h"

enum { COLUMNS_LEFT_OUT = 64 }; /* of the first so many, some may be left out */

size_t belayi_chunk_record_size(const belayi_plan *plan)
{
    const belayi_chunk *chunk = NULL;
    return sizeof *chunk->entries + sizeof *chunk->row_entries + plan->count * sizeof *chunk->values;
}

bool belayi_chunk_init(belayi_chunk *chunk, const belayi_plan *plan, size_t room)
{
    *chunk = (belayi_chunk){.plan = plan, .room = room};
    chunk->entries = malloc(room * sizeof *chunk->entries);
    chunk->row_entries = malloc(room * sizeof *chunk->row_entries);
    chunk->values = malloc(room * plan->count * sizeof *chunk->values);
    if (chunk->entries && chunk->row_entries && chunk->values)
        return true;
    belayi_chunk_done(chunk);
    return false;
}

void belayi_chunk_clear(belayi_chunk *chunk)
{
    belayi_arena_free(&chunk->memory);
    chunk->count = chunk->rows = chunk->bytes = 0;
}

void belayi_chunk_done(belayi_chunk *chunk)
{
    belayi_arena_free(&chunk->memory);
    free(chunk->entries);
    free(chunk->row_entries);
    free(chunk->values);
    *chunk = (belayi_chunk){0};
}

/* ---- The first gate --------------------------------------------------------------------------------------------- */

/* A record that is being added. */
typedef struct adding {
    belayi_chunk *chunk;
    const belayi_record *record;
    belayi_entry *entry;
    bool no_memory;
} adding;

static void *copy(adding *a, const void *bytes, size_t size)
{
    void *copied = belayi_arena_copy(&a->chunk->memory, bytes, size);
    a->no_memory |= !copied;
    return copied;
}

/* The entry's own copy of what the record lends: of its bytes as they are in the file, or another one. */
static const char *keep(adding *a, const char *text, size_t size)
{
    const belayi_record *record = a->record;
    if (text >= record->raw && text + size <= record->raw + record->raw_size)
        return a->entry->raw + (text - record->raw);
    return copy(a, text, size);
}

static void refuse(adding *a, const char *why, const belayi_column *column, const belayi_field *field)
{
    a->entry->why = copy(a, why, strlen(why));
    a->entry->column = column;
    if (!field || field->kind == BELAYI_FIELD_MISSING)
        return;
    a->entry->value = keep(a, field->text, field->size);
    a->entry->value_size = field->size;
}

static bool has_own_text(const belay_value *value)
{
    return value->type == BELAY_TYPE_TEXT || value->type == BELAY_TYPE_BLOB || value->type == BELAY_TYPE_DECIMAL;
}

/* One value; false when it is refused, or there is no memory. */
static bool add_value(adding *a, size_t i, belay_value *out)
{
    char why[BELAYI_WHY_ROOM];
    const belayi_plan_column *planned = &a->chunk->plan->columns[i];
    if (planned->field == BELAYI_NO_FIELD) {
        *out = planned->value;
        return true;
    }
    const belayi_field *field = &a->record->fields[planned->field];
    if (field->kind == BELAYI_FIELD_MISSING) {
        *out = belay_null();
        if (planned->column->has_default && i < COLUMNS_LEFT_OUT)
            a->entry->left_out |= UINT64_C(1) << i;
        return true;
    }
    if (!belayi_check_field(planned->column, field, &a->chunk->memory, out, why)) {
        refuse(a, why, planned->column, field);
        return false;
    }
    if (has_own_text(out) && out->as.data == field->text && out->size > 0)
        out->as.data = keep(a, out->as.data, out->size);
    return !a->no_memory;
}

/* Whether it has as many fields as are asked for. */
static bool has_fields(adding *a)
{
    char why[BELAYI_WHY_ROOM];
    const belayi_plan *plan = a->chunk->plan;
    size_t count = a->record->count;
    if (count == plan->fields || (count > plan->fields && plan->more_fields))
        return true;
    snprintf(why, sizeof why, "%zu field%s for %s%zu column%s", count, count == 1 ? "" : "s",
             plan->more_fields ? "at least " : "", plan->fields, plan->fields == 1 ? "" : "s");
    refuse(a, why, NULL, NULL);
    return false;
}

/* The column that gets that field, from 1. */
static const belayi_column *column_of_field(const belayi_plan *plan, size_t field)
{
    for (size_t i = 0; i < plan->count; i++)
        if (field > 0 && plan->columns[i].field == (long)field - 1)
            return plan->columns[i].column;
    return NULL;
}

static void add_row(adding *a)
{
    belayi_chunk *chunk = a->chunk;
    const belayi_record *record = a->record;
    belay_value *values = chunk->values + chunk->rows * chunk->plan->count;
    if (record->flaw) {
        refuse(a, record->flaw, column_of_field(chunk->plan, record->flaw_field), NULL);
        return;
    }
    if (!has_fields(a))
        return;
    for (size_t i = 0; i < chunk->plan->count; i++)
        if (!add_value(a, i, &values[i]))
            return;
    chunk->row_entries[chunk->rows++] = chunk->count;
}

bool belayi_chunk_add(belayi_chunk *chunk, const belayi_record *record)
{
    belayi_entry *entry = &chunk->entries[chunk->count];
    adding a = {.chunk = chunk, .record = record, .entry = entry};
    *entry = (belayi_entry){
        .number = record->number, .line = record->line, .offset = record->offset, .raw_size = record->raw_size};
    entry->raw = copy(&a, record->raw, record->raw_size);
    if (!a.no_memory)
        add_row(&a);
    chunk->bytes += record->raw_size;
    chunk->count++;
    return !a.no_memory;
}
