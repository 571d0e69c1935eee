/*
 * common.c - arguments, data, clock and report of the C sides. See common.h.
 */
#include "common.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

const char *const bench_pragmas[] = {"journal_mode", "synchronous",        "foreign_keys", "page_size", "cache_size",
                                     "locking_mode", "wal_autocheckpoint", "temp_store",   "mmap_size", NULL};

_Noreturn void bench_die(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

static void *allocate(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size);
    if (!p)
        bench_die("calloc", "out of memory");
    return p;
}

static void make_items(bench *b)
{
    b->items = allocate(b->count, sizeof *b->items);
    for (size_t i = 0; i < b->count; i++) {
        snprintf(b->items[i].name, sizeof b->items[i].name, "item-%07zu", i);
        b->items[i].amount = (int64_t)(i * 7919 % 100003);
    }
}

static void make_transfers(bench *b)
{
    b->transfers = allocate(b->count, sizeof *b->transfers);
    for (size_t i = 0; i < b->count; i++) {
        size_t from = i * 17 % BENCH_ACCOUNTS, to = (i * 31 + 7) % BENCH_ACCOUNTS;
        if (to == from)
            to = (to + 1) % BENCH_ACCOUNTS;
        b->transfers[i] = (bench_transfer){(int64_t)from + 1, (int64_t)to + 1, (int64_t)(i % 9) + 1};
    }
}

static void usage(const char *program)
{
    fprintf(stderr, "usage: %s --mode MODE --database FILE --count N [--schema SQL] [--dump FILE] [--cache-kib N]\n",
            program);
    exit(2);
}

static void read_argument(bench *b, const char *name, const char *value, const char *program)
{
    if (!strcmp(name, "--mode"))
        b->mode = value;
    else if (!strcmp(name, "--database"))
        b->database = value;
    else if (!strcmp(name, "--schema"))
        b->schema = value;
    else if (!strcmp(name, "--dump"))
        b->dump = value;
    else if (!strcmp(name, "--count"))
        b->count = strtoul(value, NULL, 10);
    else if (!strcmp(name, "--cache-kib"))
        b->cache_kib = (int)strtol(value, NULL, 10);
    else
        usage(program);
}

void bench_init(bench *b, int argc, char **argv)
{
    *b = (bench){.cache_kib = 2000, .comma = ""};
    for (int i = 1; i + 1 < argc; i += 2)
        read_argument(b, argv[i], argv[i + 1], argv[0]);
    if (argc % 2 == 0 || !b->mode || !b->database || !b->count)
        usage(argv[0]);
    if (!strcmp(b->mode, "transfer"))
        make_transfers(b);
    else if (strcmp(b->mode, "empty") != 0)
        make_items(b);
}

void bench_done(bench *b)
{
    free(b->items);
    free(b->transfers);
}

static double seconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void bench_start(bench *b)
{
    b->cpu = -seconds(CLOCK_PROCESS_CPUTIME_ID);
    b->wall = -seconds(CLOCK_MONOTONIC);
}

void bench_stop(bench *b)
{
    b->wall += seconds(CLOCK_MONOTONIC);
    b->cpu += seconds(CLOCK_PROCESS_CPUTIME_ID);
}

void bench_report_begin(bench *b, const char *side)
{
    double n = (double)b->count;
    printf("{\"side\": \"%s\", \"mode\": \"%s\", \"count\": %zu, \"seconds_per_op\": %.12f, "
           "\"cpu_seconds_per_op\": %.12f, \"settings\": {",
           side, b->mode, b->count, b->wall / n, b->cpu / n);
}

void bench_report_setting(bench *b, const char *name, const char *value)
{
    if (value)
        printf("%s\"%s\": \"%s\"", b->comma, name, value);
    else
        printf("%s\"%s\": null", b->comma, name);
    b->comma = ", ";
}

void bench_report_end(bench *b)
{
    (void)b;
    printf("}}\n");
}

void bench_dump_item(FILE *file, int64_t id, const char *name, int64_t amount)
{
    fprintf(file, "%lld|%s|%lld\n", (long long)id, name, (long long)amount);
}

FILE *bench_dump_open(const bench *b)
{
    FILE *file = b->dump ? fopen(b->dump, "w") : NULL;
    if (b->dump && !file)
        bench_die("dump", "can't write the file");
    return file;
}
