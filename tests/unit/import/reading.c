#include "reading.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

belayi_reader_options bare_csv(void)
{
    belayi_reader_options options = csv_options();
    options.header = false;
    return options;
}

belayi_reader_options bare_tsv(void)
{
    return (belayi_reader_options){.format = BELAY_IMPORT_TSV, .delimiter = '\t', .max_record = 1 << 20};
}

belayi_reader_options json_lines(void)
{
    return (belayi_reader_options){.format = BELAY_IMPORT_JSONL, .max_record = 1 << 20};
}

static void write_text(FILE *out, const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (text[i] >= ' ' && text[i] < 0x7F)
            fputc(text[i], out);
        else
            fprintf(out, "\\x%02X", (unsigned char)text[i]);
}

static void write_field(FILE *out, const belayi_field *f)
{
    static const char *const marks[] = {"", "\"", "#", "?", "&", "~", "-"};
    fputs(marks[f->kind], out);
    if (f->kind != BELAYI_FIELD_NULL && f->kind != BELAYI_FIELD_MISSING)
        write_text(out, f->text, f->size);
    if (f->kind == BELAYI_FIELD_QUOTED)
        fputc('"', out);
}

static char *write_records(const kept_records *kept)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    for (size_t i = 0; i < kept->count; i++) {
        const belayi_record *r = &kept->records[i].record;
        fprintf(out, "%d %d %d", (int)r->number, (int)r->line, (int)r->offset);
        if (r->flaw)
            fprintf(out, "! %zu: %s", r->flaw_field, r->flaw);
        else
            fputs(": ", out);
        for (size_t k = 0; k < r->count; k++) {
            fputs(k > 0 ? "|" : "", out);
            write_field(out, &r->fields[k]);
        }
        fputc('\n', out);
    }
    fclose(out);
    return text;
}

static void check_raw(const char *file, size_t size, const kept_records *kept)
{
    size_t at = kept->header_size;
    assert_true(at <= size);
    assert_memory_equal(file, kept->header, at);
    for (size_t i = 0; i < kept->count; i++) {
        const belayi_record *r = &kept->records[i].record;
        assert_int_equal(r->offset, at);
        assert_true(r->raw_size <= size - at);
        assert_memory_equal(file + at, r->raw, r->raw_size);
        at += r->raw_size;
    }
    assert_int_equal(at, size);
    assert_int_equal(kept->offset, size);
}

static void check_pieces(const char *file, size_t size, const belayi_reader_options *options, const selection *wanted,
                         const kept_records *kept)
{
    static const size_t most[] = {1, 2, 3, 7, 64};
    for (size_t i = 0; i < sizeof most / sizeof most[0]; i++) {
        kept_records same;
        keep_records((piecewise){.bytes = file, .size = size, .most = most[i]}, options, wanted, &same);
        const char *differs = records_differ(kept, &same);
        drop_records(&same);
        if (differs)
            fail_msg("in pieces of %zu bytes %s is another", most[i], differs);
    }
}

void expect_selected(const char *file, size_t size, const belayi_reader_options *options, const selection *wanted,
                     const char *expected)
{
    kept_records kept;
    keep_records((piecewise){.bytes = file, .size = size}, options, wanted, &kept);
    if (kept.opened != BELAY_OK || kept.ended != BELAY_OK)
        fail_msg("%s", kept.error.message);
    char *actual = write_records(&kept);
    assert_string_equal(actual, expected);
    free(actual);
    check_raw(file, size, &kept);
    check_pieces(file, size, options, wanted, &kept);
    drop_records(&kept);
}

void expect_records(const char *file, size_t size, const belayi_reader_options *options, const char *expected)
{
    expect_selected(file, size, options, NULL, expected);
}

void expect_refused(const char *file, size_t size, const belayi_reader_options *options, belay_code code,
                    const char *message)
{
    kept_records kept;
    keep_records((piecewise){.bytes = file, .size = size}, options, NULL, &kept);
    assert_int_equal(kept.opened, code);
    kept.error.message[strlen(message) < sizeof kept.error.message ? strlen(message) : 0] = '\0';
    assert_string_equal(kept.error.message, message);
    drop_records(&kept);
}
