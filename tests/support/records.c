#include "records.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQUIRE_MEMORY(pointer)                                                                                        \
    do {                                                                                                               \
        if (!(pointer)) {                                                                                              \
            perror("records.c");                                                                                       \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

ptrdiff_t give_pieces(void *arg, void *buffer, size_t room)
{
    piecewise *p = arg;
    size_t end = p->fails > 0 && p->fails < p->size ? p->fails : p->size, size = end - p->given;
    if (size == 0 && p->fails > 0)
        return -1;
    size = size < room ? size : room;
    if (p->most > 0 && size > p->most)
        size = p->most;
    if (size > 0)
        memcpy(buffer, p->bytes + p->given, size);
    p->given += size;
    return (ptrdiff_t)size;
}

belayi_reader_options csv_options(void)
{
    return (belayi_reader_options){
        .format = BELAY_IMPORT_CSV, .delimiter = ',', .quote = '"', .header = true, .max_record = 1 << 20};
}

static void *copy(belayi_arena *memory, const void *bytes, size_t size)
{
    char *made = belayi_arena_copy(memory, bytes ? bytes : "", size);
    REQUIRE_MEMORY(made);
    return made;
}

static belay_code keep_rest(belayi_reader *reader, kept_record *kept, belayi_arena *memory, belay_error *error)
{
    belayi_record *r = &kept->record;
    char *raw = malloc(r->raw_size + 1);
    const char *bytes;
    size_t size = 0;
    belay_code code;
    REQUIRE_MEMORY(raw);
    memcpy(raw, r->raw, r->raw_size);
    while ((code = belayi_reader_rest(reader, &bytes, &size, error)) == BELAY_OK && size > 0) {
        raw = realloc(raw, r->raw_size + size);
        REQUIRE_MEMORY(raw);
        memcpy(raw + r->raw_size, bytes, size);
        r->raw_size += size;
    }
    r->raw = copy(memory, raw, r->raw_size);
    free(raw);
    return code;
}

static void keep_fields(belayi_record *r, belayi_arena *memory)
{
    belayi_field *fields = copy(memory, r->fields, r->count * sizeof *fields);
    for (size_t i = 0; i < r->count; i++)
        fields[i].text = fields[i].text ? copy(memory, fields[i].text, fields[i].size) : NULL;
    r->fields = fields;
}

static belay_code keep_record(kept_records *kept, belayi_reader *reader, const belayi_record *record)
{
    if ((kept->count & (kept->count - 1)) == 0) {
        kept->records = realloc(kept->records, (kept->count * 2 + 1) * sizeof *kept->records);
        REQUIRE_MEMORY(kept->records);
    }
    kept_record *one = &kept->records[kept->count++];
    *one = (kept_record){.record = *record, .first = record->raw_size};
    keep_fields(&one->record, &kept->memory);
    if (record->flaw)
        one->record.flaw = copy(&kept->memory, record->flaw, strlen(record->flaw));
    return keep_rest(reader, one, &kept->memory, &kept->error);
}

static void keep_header(kept_records *kept, const belayi_reader *reader)
{
    const char *const *names;
    const char *header = belayi_reader_header(reader, &kept->header_size);
    kept->header = copy(&kept->memory, header, kept->header_size);
    kept->names_count = belayi_reader_names(reader, &names);
    kept->names = copy(&kept->memory, names, kept->names_count * sizeof *names);
    for (size_t i = 0; i < kept->names_count; i++)
        kept->names[i] = copy(&kept->memory, names[i], strlen(names[i]));
}

static void keep_all(kept_records *kept, belayi_reader *reader)
{
    const belayi_record *record;
    do {
        kept->ended = belayi_reader_next(reader, &record, &kept->error);
        if (kept->ended == BELAY_OK && record)
            kept->ended = keep_record(kept, reader, record);
    } while (kept->ended == BELAY_OK && record);
    kept->offset = belayi_reader_offset(reader);
    kept->line = belayi_reader_line(reader);
    kept->looked = belayi_reader_looked(reader);
}

void keep_records(piecewise source, const belayi_reader_options *options, const selection *wanted,
                  kept_records *out_kept)
{
    *out_kept = (kept_records){.count = 0};
    belayi_stream *stream = belayi_stream_open(NULL, give_pieces, &source, &out_kept->error);
    REQUIRE_MEMORY(stream);
    belayi_reader *reader = belayi_reader_open(stream, options, &out_kept->error);
    out_kept->opened = reader ? BELAY_OK : out_kept->error.code;
    if (reader && wanted)
        out_kept->opened = belayi_reader_select(reader, wanted->count, wanted->names, wanted->strict, &out_kept->error);
    if (reader && out_kept->opened == BELAY_OK) {
        keep_header(out_kept, reader);
        keep_all(out_kept, reader);
    }
    out_kept->hash = belayi_stream_hash(stream);
    belayi_reader_close(reader);
    belayi_stream_close(stream);
}

void drop_records(kept_records *kept)
{
    free(kept->records);
    belayi_arena_free(&kept->memory);
}

static bool same_bytes(const char *a, size_t a_size, const char *b, size_t b_size)
{
    return a_size == b_size && (a_size == 0 || memcmp(a, b, a_size) == 0);
}

static const char *record_differs(const belayi_record *a, const belayi_record *b)
{
    if (a->number != b->number || a->line != b->line || a->offset != b->offset)
        return "a record's position";
    if (!same_bytes(a->raw, a->raw_size, b->raw, b->raw_size) || (a->raw_rest == 0) != (b->raw_rest == 0))
        return "a record's bytes";
    if (!a->flaw != !b->flaw || a->flaw_field != b->flaw_field || (a->flaw && strcmp(a->flaw, b->flaw) != 0))
        return "a record's flaw";
    if (a->count != b->count)
        return "a record's number of fields";
    for (size_t i = 0; i < a->count; i++) {
        const belayi_field *f = &a->fields[i], *g = &b->fields[i];
        if (f->kind != g->kind || !same_bytes(f->text, f->size, g->text, g->size))
            return "a field";
    }
    return NULL;
}

const char *records_differ(const kept_records *a, const kept_records *b)
{
    if (a->opened != b->opened || a->ended != b->ended || strcmp(a->error.message, b->error.message) != 0)
        return "how it ended";
    if (!same_bytes(a->header, a->header_size, b->header, b->header_size) || a->names_count != b->names_count)
        return "the header";
    for (size_t i = 0; i < a->names_count; i++)
        if (strcmp(a->names[i], b->names[i]) != 0)
            return "a name";
    if (a->count != b->count)
        return "the number of records";
    for (size_t i = 0; i < a->count; i++) {
        const char *what = record_differs(&a->records[i].record, &b->records[i].record);
        if (what)
            return what;
    }
    return a->offset != b->offset || a->line != b->line ? "the end" : a->hash != b->hash ? "the hash" : NULL;
}
