/* Memory that runs out, at each place where it is asked for: it is told, and nothing is lost or broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "reader.h"

static long left; /* until it runs out; 0: never */

static int runs_out(void)
{
    return left > 0 && --left == 0;
}

void *__real_malloc(size_t);
void *__wrap_malloc(size_t);
void *__wrap_malloc(size_t size)
{
    return runs_out() ? NULL : __real_malloc(size);
}

void *__real_calloc(size_t, size_t);
void *__wrap_calloc(size_t, size_t);
void *__wrap_calloc(size_t count, size_t size)
{
    return runs_out() ? NULL : __real_calloc(count, size);
}

void *__real_realloc(void *, size_t);
void *__wrap_realloc(void *, size_t);
void *__wrap_realloc(void *memory, size_t size)
{
    return runs_out() ? NULL : __real_realloc(memory, size);
}

static const char *file;
static size_t given;

static ptrdiff_t give_file(void *arg, void *buffer, size_t room)
{
    size_t size = strlen(file) - given;
    (void)arg;
    size = size < room ? size : room;
    memcpy(buffer, file + given, size);
    given += size;
    return (ptrdiff_t)size;
}

/* Reads all; how many records there were before it failed. */
static belay_code read_all(const belayi_reader_options *options, size_t *out_records)
{
    static const char *const names[] = {"b", "a"};
    const belayi_record *record = NULL;
    belay_error error = {.code = BELAY_OK};
    belay_code code = BELAY_OK;
    given = *out_records = 0;
    belayi_stream *stream = belayi_stream_open(NULL, give_file, NULL, &error);
    belayi_reader *reader = stream ? belayi_reader_open(stream, options, &error) : NULL;
    if (!reader)
        code = error.code;
    else if (options->format == BELAY_IMPORT_JSONL)
        code = belayi_reader_select(reader, 2, names, false, &error);
    while (code == BELAY_OK && (code = belayi_reader_next(reader, &record, &error)) == BELAY_OK && record) {
        assert_null(record->flaw);
        ++*out_records;
    }
    belayi_reader_close(reader);
    belayi_stream_close(stream);
    return code;
}

static void try_each(const belayi_reader_options *options, size_t records)
{
    bool ran_out = true;
    for (long n = 1; ran_out; n++) {
        size_t got;
        assert_true(n < 100);
        left = n;
        belay_code code = read_all(options, &got);
        ran_out = left == 0;
        left = 0;
        /* What was whole before is given first, and then it may go on: then there was memory again. */
        if (code == BELAY_OK)
            assert_int_equal(got, records);
        else
            assert_true(ran_out && code == BELAY_NO_MEMORY && got <= records);
    }
}

static void memory_that_runs_out_is_told_in_every_format(void **state)
{
    (void)state;
    char wide[1024] = "a,b\n";
    for (size_t i = 0; i < 200; i++)
        strcat(wide, "x,");
    strcat(wide, "\"y\"\"\"\n1,2\n");
    belayi_reader_options options = {.delimiter = ',', .quote = '"', .header = true, .max_record = 1 << 20};
    file = wide;
    try_each(&options, 2);
    options.encoding = "ISO-8859-1";
    try_each(&options, 2);
    options = (belayi_reader_options){.format = BELAY_IMPORT_TSV, .delimiter = '\t', .max_record = 1 << 20};
    file = "a\\tb\tc\n1\n";
    try_each(&options, 2);
    options.format = BELAY_IMPORT_JSONL;
    file = "{\"a\":\"\\n\",\"b\":1}\n{}\n";
    try_each(&options, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_that_runs_out_is_told_in_every_format),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
