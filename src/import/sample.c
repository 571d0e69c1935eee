#include "sample.h"

#include <string.h>

#include "report.h"

enum { RECORDS = 1000, BYTES = 1 << 20 };

static void *copy(belayi_sample *sample, const void *bytes, size_t size, bool *failed)
{
    void *copied = belayi_arena_copy(&sample->memory, bytes, size);
    *failed |= !copied;
    return copied;
}

/* Everything that the record lends becomes the sample's own. */
static bool keep(belayi_sample *sample, const belayi_record *record)
{
    bool failed = false;
    belayi_record *own = &sample->records[sample->count];
    belayi_field *fields = belayi_arena_get(&sample->memory, record->count * sizeof *fields);
    if (!fields)
        return false;
    *own = *record;
    own->fields = fields;
    own->raw = copy(sample, record->raw, record->raw_size, &failed);
    if (record->flaw)
        own->flaw = copy(sample, record->flaw, strlen(record->flaw), &failed);
    for (size_t i = 0; !record->flaw && i < record->count; i++) {
        fields[i] = record->fields[i];
        fields[i].text = copy(sample, record->fields[i].text, record->fields[i].size, &failed);
    }
    sample->left = ++sample->count;
    return !failed;
}

belay_code belayi_sample_read(belayi_sample *sample, belayi_reader *reader, belay_error *error)
{
    size_t bytes = 0;
    bool kept = true, more = true;
    sample->records = belayi_arena_get(&sample->memory, RECORDS * sizeof *sample->records);
    kept = sample->records != NULL;
    while (kept && more && sample->count < RECORDS && bytes < BYTES) {
        const belayi_record *record;
        belay_code code = belayi_reader_next(reader, &record, error);
        if (code != BELAY_OK)
            return code;
        if (!record)
            break;
        more = record->raw_rest == 0;
        bytes += record->raw_size;
        kept = keep(sample, record);
    }
    return kept ? BELAY_OK : belayi_report(error, BELAY_NO_MEMORY, "no memory for the first records of an import");
}

bool belayi_sample_take(belayi_sample *sample, const belayi_record **out_record)
{
    if (sample->left == 0)
        return false;
    *out_record = &sample->records[sample->count - sample->left--];
    return true;
}

void belayi_sample_done(belayi_sample *sample)
{
    belayi_arena_free(&sample->memory);
    *sample = (belayi_sample){0};
}
