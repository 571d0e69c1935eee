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

/* ---- Members ---------------------------------------------------------------------------------------------------- */

/* Where a name is among others; `count` when it is not there. */
static size_t find_name(const char *const *names, size_t count, const char *name)
{
    size_t at = 0;
    while (at < count && strcmp(names[at], name) != 0)
        at++;
    return at;
}

/* The name in the list of all, which it joins. NULL: no memory. */
static const char *share_name(belayi_sample *sample, const char *name)
{
    size_t at = find_name(sample->names, sample->name_count, name);
    if (at < sample->name_count)
        return sample->names[at];
    if ((at & (at - 1)) == 0) { /* room for twice as many */
        const char **grown = belayi_arena_get(&sample->memory, (at ? 2 * at : 1) * sizeof *grown);
        if (!grown)
            return NULL;
        if (at > 0)
            memcpy(grown, sample->names, at * sizeof *grown);
        sample->names = grown;
    }
    sample->names[at] = belayi_arena_copy(&sample->memory, name, strlen(name));
    sample->name_count += sample->names[at] != NULL;
    return sample->names[at];
}

/* The names of the record that was kept last. */
static bool keep_names(belayi_sample *sample, const belayi_reader *reader)
{
    const char *const *names;
    const belayi_record *record = &sample->records[sample->count - 1];
    belayi_sampled *members = &sample->members[sample->count - 1];
    *members = (belayi_sampled){.fields = record->fields};
    if (record->flaw)
        return true;
    members->count = belayi_reader_names(reader, &names);
    members->names = belayi_arena_get(&sample->memory, members->count * sizeof *members->names);
    bool kept = members->names;
    for (size_t i = 0; i < members->count && kept; i++)
        kept = (members->names[i] = share_name(sample, names[i])) != NULL;
    return kept;
}

bool belayi_sample_select(belayi_sample *sample, size_t count, const char *const *names)
{
    static const belayi_field missing = {"", 0, BELAYI_FIELD_MISSING};
    for (size_t i = 0; i < sample->count; i++) {
        const belayi_sampled *members = &sample->members[i];
        belayi_field *fields = belayi_arena_get(&sample->memory, count * sizeof *fields);
        if (!fields)
            return false;
        for (size_t f = 0; f < count; f++) {
            size_t at = find_name(members->names, members->count, names[f]);
            fields[f] = at < members->count ? members->fields[at] : missing;
        }
        if (sample->records[i].flaw)
            continue;
        sample->records[i].fields = fields;
        sample->records[i].count = count;
    }
    return true;
}

/* ---- Records ---------------------------------------------------------------------------------------------------- */

static bool get_room(belayi_sample *sample, bool members)
{
    sample->records = belayi_arena_get(&sample->memory, RECORDS * sizeof *sample->records);
    if (members)
        sample->members = belayi_arena_get(&sample->memory, RECORDS * sizeof *sample->members);
    return sample->records && !members == !sample->members;
}

belay_code belayi_sample_read(belayi_sample *sample, belayi_reader *reader, bool members, belay_error *error)
{
    size_t bytes = 0;
    bool kept = get_room(sample, members), more = true;
    while (kept && more && sample->count < RECORDS && bytes < BYTES) {
        const belayi_record *record;
        belay_code code = belayi_reader_next(reader, &record, error);
        if (code != BELAY_OK)
            return code;
        if (!record)
            break;
        more = record->raw_rest == 0;
        bytes += record->raw_size;
        kept = keep(sample, record) && (!members || keep_names(sample, reader));
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
