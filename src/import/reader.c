#include "reader.h"

#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "header.h"
#include "members.h"
#include "parse.h"
#include "report.h"
#include "text.h"
#include "utf8.h"

enum { RECORD_LEAST = 16 };
static const size_t record_most = SIZE_MAX / 16; /* so that sizes can be doubled */

/* One a format. */
struct format {
    belayi_parse_record *find;
    belayi_parse_finish *finish;
};

static const struct format formats[] = {
    [BELAY_IMPORT_CSV] = {belayi_csv_find, belayi_csv_finish},
    [BELAY_IMPORT_TSV] = {belayi_tsv_find, belayi_tsv_finish},
    [BELAY_IMPORT_JSONL] = {belayi_jsonl_find, belayi_jsonl_finish},
};

struct belayi_reader {
    const struct format *format;
    belayi_reader_options options;
    belayi_text text;
    belayi_parse parse;
    belayi_record record;
    uint64_t records, line, offset; /* of the next record: its number is records + 1 */
    bool in_rest;                   /* the last record has bytes that were not read yet */
    belayi_header header;
    belayi_members members;
};

/* ---- a record ------------------------------------------------------------------------------------------------ */

/* Which field a byte of the text lies in, from 1. */
static size_t field_at(const belayi_parse *p, const char *where)
{
    size_t field = 0;
    while (field < p->count && p->fields[field].text <= where)
        field++;
    return field;
}

static void check_text(belayi_reader *r, const char *text)
{
    belayi_parse *p = &r->parse;
    size_t bad = belayi_utf8_ascii(text, p->size);
    if (bad == p->size || belayi_utf8_valid(text, p->size, &bad))
        return;
    size_t field = field_at(p, text + bad), raw_at = belayi_text_locate(&r->text, bad);
    if (text[bad] == '\0')
        belayi_parse_flaw(p, field, "a NUL character, byte %zu of the record", raw_at + 1);
    else
        belayi_parse_flaw(p, field, "byte %zu of the record, 0x%02X, is not text in %s", raw_at + 1,
                          (unsigned char)r->text.raw[raw_at], r->options.encoding ? r->options.encoding : "UTF-8");
}

/* Finds the record that the window begins with, and reads as far as that needs. *out_found is false at the end. */
static belay_code find_record(belayi_reader *r, bool *out_found, belay_error *error)
{
    belayi_text *t = &r->text;
    belay_code code = BELAY_OK;
    for (*out_found = false;;) {
        bool last = t->full || t->ended;
        r->parse.full = t->full;
        if (t->size > 0)
            *out_found = r->format->find(&r->parse, t->bytes, t->size, last);
        if (r->parse.no_memory)
            return belayi_report(error, BELAY_NO_MEMORY, "no memory for the fields of a record");
        if (*out_found || last)
            return BELAY_OK;
        if (code != BELAY_OK)
            return code;
        code = belayi_text_more(t, error);
    }
}

/* The record is longer than it may be: what is read of it now is as long as it may be. */
static void cut_record(belayi_reader *r)
{
    belayi_parse *p = &r->parse;
    belayi_parse_begin(p);
    belayi_parse_flaw(p, 0, "the record is longer than %zu bytes", r->text.limit);
    r->record.raw = r->text.raw;
    r->record.raw_size = belayi_text_cut(&r->text, &p->lines);
    r->record.raw_rest = 1;
    r->in_rest = true;
}

/* The record that was found: its size in the file, and what else there is to find fault with. */
static belay_code complete_record(belayi_reader *r, belay_error *error)
{
    belayi_parse *p = &r->parse;
    belayi_text *t = &r->text;
    size_t raw_size = belayi_text_measure(t, p->size, p->lines, p->open);
    if (raw_size > t->limit || (t->full && p->open)) {
        cut_record(r);
        return BELAY_OK;
    }
    r->record.raw = t->raw;
    r->record.raw_size = raw_size;
    r->record.raw_rest = 0;
    if (!p->flawed)
        check_text(r, t->bytes);
    if (!p->flawed && p->unfinished && !r->format->finish(p, t->bytes))
        return belayi_report(error, BELAY_NO_MEMORY, "no memory for the fields of a record");
    belayi_text_consume(t, p->size, raw_size);
    return BELAY_OK;
}

static void fill_record(belayi_reader *r)
{
    const belayi_parse *p = &r->parse;
    belayi_record *record = &r->record;
    record->number = r->records;
    record->line = r->line;
    record->offset = r->offset;
    record->count = p->flawed ? 0 : p->count;
    record->fields = p->flawed ? NULL : p->fields;
    record->flaw = p->flawed ? p->flaw : NULL;
    record->flaw_field = p->flaw_field;
    r->line += p->lines;
    r->offset += record->raw_size;
}

static belay_code skip_rest(belayi_reader *r, belay_error *error)
{
    belay_code code = BELAY_OK;
    while (r->in_rest && code == BELAY_OK) {
        const char *bytes;
        size_t size;
        code = belayi_reader_rest(r, &bytes, &size, error);
    }
    return code;
}

belay_code belayi_reader_next(belayi_reader *r, const belayi_record **out_record, belay_error *error)
{
    bool found;
    *out_record = NULL;
    belay_code code = skip_rest(r, error);
    if (code == BELAY_OK)
        code = find_record(r, &found, error);
    if (code != BELAY_OK || (!found && !r->text.full))
        return code;
    if (!found)
        cut_record(r);
    else if ((code = complete_record(r, error)) != BELAY_OK)
        return code;
    r->records++;
    fill_record(r);
    *out_record = &r->record;
    return BELAY_OK;
}

belay_code belayi_reader_rest(belayi_reader *r, const char **out_bytes, size_t *out_size, belay_error *error)
{
    bool last;
    size_t lines;
    *out_bytes = NULL;
    *out_size = 0;
    if (!r->in_rest)
        return BELAY_OK;
    belay_code code = belayi_text_rest(&r->text, out_bytes, out_size, &last, &lines, error);
    if (code != BELAY_OK)
        return code;
    r->in_rest = !last;
    r->line += lines;
    r->offset += *out_size;
    return BELAY_OK;
}

/* ---- opening ------------------------------------------------------------------------------------------------- */

static belay_code check_options(const belayi_reader_options *o, belay_error *error)
{
    const unsigned char bytes[] = {(unsigned char)o->delimiter, (unsigned char)o->quote};
    const char *names[] = {"delimiter", "quote"};
    for (size_t i = 0; i < (o->format == BELAY_IMPORT_CSV ? 2 : 1); i++)
        if (bytes[i] == '\0' || bytes[i] == '\n' || bytes[i] == '\r' || bytes[i] >= 0x80)
            return belayi_report(error, BELAY_MISUSE, "the %s must be an ASCII character and no line end", names[i]);
    if (o->format == BELAY_IMPORT_TSV && strchr("\\.0123456789Nabcdefghijklmnopqrstuvwxyz", o->delimiter))
        return belayi_report(error, BELAY_MISUSE,
                             "%c can't be the delimiter of TSV, as it has a meaning behind a backslash", o->delimiter);
    if (o->format == BELAY_IMPORT_CSV && o->delimiter == o->quote)
        return belayi_report(error, BELAY_MISUSE, "the delimiter and the quote are the same character");
    return BELAY_OK;
}

static belay_code read_header(belayi_reader *r, belay_error *error)
{
    const belayi_record *record;
    belay_code code = belayi_reader_next(r, &record, error);
    if (code != BELAY_OK || !record)
        return code;
    r->records = 0;
    if (!belayi_header_keep(&r->header, record->raw, record->raw_size))
        return belayi_report(error, BELAY_NO_MEMORY, "no memory for the header");
    return belayi_header_name(&r->header, record, error);
}

static belay_code begin(belayi_reader *r, belayi_stream *stream, belay_error *error)
{
    const belayi_reader_options *o = &r->options;
    const char *mark;
    size_t mark_size;
    belay_code code = o->format == BELAY_IMPORT_JSONL ? BELAY_OK : check_options(o, error);
    if (code == BELAY_OK)
        code = belayi_text_open(&r->text, stream, o->encoding, r->parse.limit, &mark, &mark_size, error);
    if (code != BELAY_OK)
        return code;
    r->offset = mark_size;
    if (!belayi_header_keep(&r->header, mark, mark_size))
        return belayi_report(error, BELAY_NO_MEMORY, "no memory for the header");
    return o->header && o->format != BELAY_IMPORT_JSONL ? read_header(r, error) : BELAY_OK;
}

belayi_reader *belayi_reader_open(belayi_stream *stream, const belayi_reader_options *options, belay_error *error)
{
    static const char *const nulls[] = {[BELAY_IMPORT_CSV] = "", [BELAY_IMPORT_TSV] = "\\N", [BELAY_IMPORT_JSONL] = ""};
    belayi_reader *r = calloc(1, sizeof *r);
    if (!r) {
        belayi_report(error, BELAY_NO_MEMORY, "no memory to read a file");
        return NULL;
    }
    r->options = *options;
    r->format = &formats[options->format];
    r->line = 1;
    size_t limit = options->max_record < record_most ? options->max_record : record_most;
    r->parse = (belayi_parse){.delimiter = options->delimiter, .quote = options->quote};
    r->parse.limit = limit > RECORD_LEAST ? limit : RECORD_LEAST;
    r->parse.null = options->null ? options->null : nulls[options->format];
    r->parse.null_size = strlen(r->parse.null);
    r->parse.members = &r->members;
    if (begin(r, stream, error) == BELAY_OK)
        return r;
    belayi_reader_close(r);
    return NULL;
}

void belayi_reader_close(belayi_reader *r)
{
    if (!r)
        return;
    belayi_text_done(&r->text);
    belayi_parse_done(&r->parse);
    belayi_header_done(&r->header);
    belayi_members_done(&r->members);
    free(r);
}

size_t belayi_reader_names(const belayi_reader *r, const char *const **out_names)
{
    bool found = r->options.format == BELAY_IMPORT_JSONL && !r->members.selected && !r->parse.flawed;
    *out_names = found ? r->members.names : r->header.names;
    return found ? r->members.count : r->header.count;
}

const char *belayi_reader_header(const belayi_reader *r, size_t *out_size)
{
    *out_size = r->header.raw_size;
    return r->header.raw;
}

belay_code belayi_reader_select(belayi_reader *r, size_t count, const char *const *names, bool strict,
                                belay_error *error)
{
    if (r->options.format != BELAY_IMPORT_JSONL)
        return belayi_report(error, BELAY_MISUSE, "only the fields of JSON lines are selected by name");
    if (count > BELAYI_FIELDS_MAX)
        return belayi_report(error, BELAY_MISUSE, "%zu members, which are more than %d", count, BELAYI_FIELDS_MAX);
    if (!belayi_members_select(&r->members, count, names, strict))
        return belayi_report(error, BELAY_NO_MEMORY, "no memory for the names of %zu members", count);
    return BELAY_OK;
}

void belayi_reader_resume(belayi_reader *r, uint64_t offset, uint64_t line, uint64_t records)
{
    r->offset = offset;
    r->line = line;
    r->records = records;
    r->in_rest = false;
    belayi_text_forget(&r->text);
}

uint64_t belayi_reader_offset(const belayi_reader *r)
{
    return r->offset;
}

uint64_t belayi_reader_line(const belayi_reader *r)
{
    return r->line;
}

uint64_t belayi_reader_looked(const belayi_reader *r)
{
    return r->parse.looked;
}
