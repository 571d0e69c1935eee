/*
 * fuzz_reader.c - any bytes, read as a file of the dialect that the first two bytes
 * pick. What must hold for every file is checked with abort().
 *
 * Under libFuzzer: -fsanitize=fuzzer. As a plain test: with replay.c, which
 * reads the files of tests/fuzz/corpus/reader.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../support/records.h"
#include "utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                                             \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "fuzz_reader.c:%d: %s\n", __LINE__, #condition);                                           \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

/* With `unit` bytes to a character at least, and where in it a line end has its byte. */
struct dialect {
    belay_import_format format;
    char delimiter, quote;
    const char *null, *encoding;
    size_t unit, low;
};

static const struct dialect dialects[] = {
    {BELAY_IMPORT_CSV, ',', '"', NULL, NULL, 1, 0},
    {BELAY_IMPORT_CSV, ';', '\'', "NULL", NULL, 1, 0},
    {BELAY_IMPORT_CSV, '\t', '"', "\\N", NULL, 1, 0},
    {BELAY_IMPORT_CSV, ' ', 'a', "b", NULL, 1, 0},
    {BELAY_IMPORT_TSV, '\t', 0, NULL, NULL, 1, 0},
    {BELAY_IMPORT_TSV, ',', 0, "", NULL, 1, 0},
    {BELAY_IMPORT_JSONL, 0, 0, NULL, NULL, 1, 0},
    {BELAY_IMPORT_CSV, ',', '"', NULL, "ISO-8859-1", 1, 0},
    {BELAY_IMPORT_CSV, ',', '"', NULL, "CP1252", 1, 0},
    {BELAY_IMPORT_CSV, '|', '"', NULL, "SHIFT-JIS", 1, 0},
    {BELAY_IMPORT_TSV, '\t', 0, NULL, "GBK", 1, 0},
    {BELAY_IMPORT_CSV, ',', '"', NULL, "EUC-JP", 1, 0},
    {BELAY_IMPORT_CSV, ',', '"', NULL, "GB18030", 1, 0},
    {BELAY_IMPORT_CSV, ',', '"', NULL, "UTF-16LE", 2, 0},
    {BELAY_IMPORT_TSV, '\t', 0, NULL, "UTF-16BE", 2, 1},
    {BELAY_IMPORT_CSV, ',', '"', NULL, "UTF-32LE", 4, 0},
    {BELAY_IMPORT_JSONL, 0, 0, NULL, "UTF-32BE", 4, 3},
    {BELAY_IMPORT_JSONL, 0, 0, NULL, "CP1258", 1, 0},
    {BELAY_IMPORT_CSV, ',', '"', NULL, "ISO-2022-JP", 1, 0},
    {BELAY_IMPORT_CSV, ',', '"', NULL, "UTF-7", 1, 0},
};
enum { DIALECTS = sizeof dialects / sizeof dialects[0] };

static const size_t limits[] = {1 << 20, 16, 64, 300};

static belayi_reader_options pick_options(const struct dialect *d, unsigned bits)
{
    return (belayi_reader_options){
        .format = d->format,
        .delimiter = d->delimiter,
        .quote = d->quote,
        .null = d->null,
        .encoding = d->encoding,
        .header = bits & 1,
        .max_record = limits[bits >> 1 & 3],
    };
}

/* A character of the file that is a line end, in any order of its bytes. */
static char line_end_at(const struct dialect *d, const char *file, size_t size, size_t at)
{
    if (at + d->unit > size)
        return '\0';
    for (size_t i = 0; i < d->unit; i++)
        if (i != d->low && file[at + i] != '\0')
            return '\0';
    char byte = file[at + d->low];
    return byte == '\n' || byte == '\r' ? byte : '\0';
}

/* How many physical lines end in the bytes from `at` to `end`, which a CRLF does not straddle. */
static uint64_t count_lines(const struct dialect *d, const char *file, size_t size, size_t at, size_t end)
{
    uint64_t lines = 0;
    for (; at < end; at += d->unit) {
        char byte = line_end_at(d, file, size, at);
        lines += byte == '\n' || (byte == '\r' && line_end_at(d, file, size, at + d->unit) != '\n');
    }
    return lines;
}

/* The header and the records, one behind the other, are the file; their positions are where they are. */
static void check_places(const struct dialect *d, const char *file, size_t size, const kept_records *kept)
{
    size_t at = kept->header_size;
    REQUIRE(at <= size && (at == 0 || memcmp(file, kept->header, at) == 0));
    uint64_t line = 1 + count_lines(d, file, size, 0, at);
    for (size_t i = 0; i < kept->count; i++) {
        const belayi_record *r = &kept->records[i].record;
        REQUIRE(r->number == i + 1 && r->offset == at && r->line == line);
        REQUIRE(r->raw_size > 0 && r->raw_size <= size - at && memcmp(file + at, r->raw, r->raw_size) == 0);
        line += count_lines(d, file, size, at, at + r->raw_size);
        at += r->raw_size;
    }
    REQUIRE(at == size && kept->offset == size && kept->line == line);
}

static void check_fields(const belayi_record *r)
{
    size_t bad;
    for (size_t i = 0; i < r->count; i++)
        REQUIRE(belayi_utf8_valid(r->fields[i].text, r->fields[i].size, &bad));
}

/* A well-formed record of CSV can be written again from its fields. */
static void check_writing(const struct dialect *d, const belayi_record *r)
{
    char *again = malloc(r->raw_size + 2), *to = again;
    REQUIRE(again != NULL);
    for (size_t i = 0; i < r->count; i++) {
        const belayi_field *f = &r->fields[i];
        bool quoted = f->kind == BELAYI_FIELD_QUOTED;
        REQUIRE((size_t)(to - again) + f->size + 2u * quoted <= r->raw_size + 1);
        if (i > 0)
            *to++ = d->delimiter;
        if (quoted)
            *to++ = d->quote;
        for (size_t k = 0; k < f->size; k++) {
            if (f->text[k] == d->quote)
                *to++ = d->quote;
            *to++ = f->text[k];
            REQUIRE((size_t)(to - again) <= r->raw_size);
        }
        if (quoted)
            *to++ = d->quote;
    }
    size_t size = (size_t)(to - again);
    REQUIRE(size <= r->raw_size && memcmp(again, r->raw, size) == 0);
    REQUIRE(r->raw_size - size <= 2);
    for (; size < r->raw_size; size++)
        REQUIRE(r->raw[size] == '\n' || r->raw[size] == '\r');
    free(again);
}

static bool begins_with_mark(const belayi_record *r)
{
    return r->raw_size >= 2 && (memcmp(r->raw, "\xEF\xBB", 2) == 0 || memcmp(r->raw, "\xFF\xFE", 2) == 0 ||
                                memcmp(r->raw, "\xFE\xFF", 2) == 0 || memcmp(r->raw, "\0\0", 2) == 0);
}

/* A record's bytes alone are the same record: what was rejected can be fed again. */
static void check_alone(const belayi_reader_options *options, const selection *wanted, const belayi_record *r)
{
    belayi_reader_options alone = *options;
    kept_records kept;
    alone.header = false;
    keep_records((piecewise){.bytes = r->raw, .size = r->raw_size}, &alone, wanted, &kept);
    REQUIRE(kept.opened == BELAY_OK && kept.ended == BELAY_OK && kept.count == 1);
    const belayi_record *same = &kept.records[0].record;
    REQUIRE(same->raw_size == r->raw_size && !same->flaw == !r->flaw && same->count == r->count);
    for (size_t i = 0; i < r->count; i++) {
        const belayi_field *f = &r->fields[i], *g = &same->fields[i];
        REQUIRE(f->kind == g->kind && f->size == g->size);
        REQUIRE(f->size == 0 || memcmp(f->text, g->text, f->size) == 0);
    }
    drop_records(&kept);
}

static void check_records(const struct dialect *d, const belayi_reader_options *options, const selection *wanted,
                          const kept_records *kept)
{
    for (size_t i = 0; i < kept->count; i++) {
        const belayi_record *r = &kept->records[i].record;
        REQUIRE(kept->records[i].first <= options->max_record);
        REQUIRE(r->flaw || r->raw_size <= options->max_record);
        if (!r->flaw)
            check_fields(r);
        REQUIRE(r->flaw || r->count > 0 || d->format == BELAY_IMPORT_JSONL);
        if (!r->flaw && d->format == BELAY_IMPORT_CSV && !d->encoding)
            check_writing(d, r);
        if (!begins_with_mark(r))
            check_alone(options, wanted, r);
    }
}

static void check_pieces(const char *file, size_t size, const belayi_reader_options *options, const selection *wanted,
                         const kept_records *kept)
{
    static const size_t most[] = {1, 7};
    for (size_t i = 0; i < sizeof most / sizeof most[0]; i++) {
        kept_records same;
        keep_records((piecewise){.bytes = file, .size = size, .most = most[i]}, options, wanted, &same);
        REQUIRE(records_differ(kept, &same) == NULL);
        drop_records(&same);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || data[0] >= DIALECTS)
        return 0;
    const struct dialect *d = &dialects[data[0]];
    belayi_reader_options options = pick_options(d, data[1]);
    static const char *const names[] = {"b", "a"};
    const selection some = {2, names, data[1] & 1 << 4};
    const selection *wanted = d->format == BELAY_IMPORT_JSONL && data[1] & 1 << 3 ? &some : NULL;
    const char *file = (const char *)data + 2;
    kept_records kept;
    size -= 2;
    keep_records((piecewise){.bytes = file, .size = size}, &options, wanted, &kept);
    REQUIRE(kept.ended == BELAY_OK);
    if (kept.opened == BELAY_OK) {
        check_places(d, file, size, &kept);
        check_records(d, &options, wanted, &kept);
        /* Each look at a record costs a block more. */
        REQUIRE(kept.looked <= 8 * size + 64 * 4 * (kept.count + 1));
    }
    check_pieces(file, size, &options, wanted, &kept);
    drop_records(&kept);
    return 0;
}
