/*
 * dump_records.c - prints what the reader says of the standard input, a JSON object a line.
 *
 *     dump_records csv|tsv|jsonl [--delimiter C] [--quote C] [--null TEXT] [--encoding NAME] [--header]
 *                  [--max-record BYTES]
 *
 * Bytes are in hexadecimal, so that whatever they are it is JSON. The last line has the bytes that were looked at.
 * For tests/import/reader_oracle.py.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reader.h"

static void print_hex(const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        printf("%02x", (unsigned char)bytes[i]);
}

static int fail(const belay_error *error)
{
    printf("{\"failed\":\"%s\",\"message\":\"", belay_code_name(error->code));
    print_hex(error->message, strlen(error->message));
    printf("\"}\n");
    return 1;
}

static void print_names(const belayi_reader *reader)
{
    const char *const *names;
    size_t count = belayi_reader_names(reader, &names), size;
    const char *header = belayi_reader_header(reader, &size);
    printf("{\"header\":\"");
    print_hex(header, size);
    printf("\",\"names\":[");
    for (size_t i = 0; i < count; i++) {
        printf("%s\"", i > 0 ? "," : "");
        print_hex(names[i], strlen(names[i]));
        printf("\"");
    }
    printf("]}\n");
}

/* Bare, quoted, Number, bOolean, nEsted, nUll, Missing. */
static const char kinds[] = "bqnoeum";

static void print_fields(const belayi_reader *reader, const belayi_record *r, bool named)
{
    const char *const *names;
    belayi_reader_names(reader, &names);
    for (size_t i = 0; i < r->count; i++) {
        printf("%s[\"%c\",\"", i > 0 ? "," : "", kinds[r->fields[i].kind]);
        print_hex(r->fields[i].text, r->fields[i].size);
        printf("\"");
        if (named) {
            printf(",\"");
            print_hex(names[i], strlen(names[i]));
            printf("\"");
        }
        printf("]");
    }
}

static belay_code print_record(belayi_reader *reader, const belayi_record *r, bool named, belay_error *error)
{
    printf("{\"number\":%llu,\"line\":%llu,\"offset\":%llu,\"flaw_field\":%zu,\"flaw\":", (unsigned long long)r->number,
           (unsigned long long)r->line, (unsigned long long)r->offset, r->flaw_field);
    printf(r->flaw ? "\"" : "null");
    if (r->flaw)
        print_hex(r->flaw, strlen(r->flaw));
    printf(r->flaw ? "\",\"fields\":[" : ",\"fields\":[");
    print_fields(reader, r, named && !r->flaw);
    printf("],\"raw\":\"");
    print_hex(r->raw, r->raw_size);
    const char *bytes;
    size_t size;
    belay_code code;
    while ((code = belayi_reader_rest(reader, &bytes, &size, error)) == BELAY_OK && size > 0)
        print_hex(bytes, size);
    printf("\"}\n");
    return code;
}

static belayi_reader_options read_options(int argc, char **argv)
{
    belayi_reader_options o = {.delimiter = ',', .quote = '"', .max_record = 1 << 20};
    if (argc > 1 && strcmp(argv[1], "tsv") == 0)
        o.format = BELAY_IMPORT_TSV, o.delimiter = '\t';
    if (argc > 1 && strcmp(argv[1], "jsonl") == 0)
        o.format = BELAY_IMPORT_JSONL;
    for (int i = 2; i < argc; i++) {
        const char *next = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--header") == 0)
            o.header = true;
        else if (strcmp(argv[i], "--delimiter") == 0)
            o.delimiter = next[0];
        else if (strcmp(argv[i], "--quote") == 0)
            o.quote = next[0];
        else if (strcmp(argv[i], "--null") == 0)
            o.null = next;
        else if (strcmp(argv[i], "--encoding") == 0)
            o.encoding = next;
        else if (strcmp(argv[i], "--max-record") == 0)
            o.max_record = strtoul(next, NULL, 10);
    }
    return o;
}

int main(int argc, char **argv)
{
    belay_error error;
    belayi_reader_options options = read_options(argc, argv);
    belayi_stream *stream = belayi_stream_open("-", NULL, NULL, &error);
    belayi_reader *reader = stream ? belayi_reader_open(stream, &options, &error) : NULL;
    if (!reader)
        return fail(&error);
    print_names(reader);
    const belayi_record *record;
    belay_code code;
    while ((code = belayi_reader_next(reader, &record, &error)) == BELAY_OK && record)
        if ((code = print_record(reader, record, options.format == BELAY_IMPORT_JSONL, &error)) != BELAY_OK)
            break;
    if (code != BELAY_OK)
        return fail(&error);
    printf("{\"looked\":%llu}\n", (unsigned long long)belayi_reader_looked(reader));
    belayi_reader_close(reader);
    belayi_stream_close(stream);
    return 0;
}
