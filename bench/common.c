/*
 * common.c - arguments, data, clients, clock and report of the C sides. See common.h.
 */
#include "common.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

_Noreturn void bench_die(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

bool bench_is(const bench *b, const char *mode)
{
    return strcmp(b->mode, mode) == 0;
}

/* ---- Data ------------------------------------------------------------------------------------------------ */

static void *allocate(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size);
    if (!p)
        bench_die("calloc", "out of memory");
    return p;
}

/* A bad row is the last of each `bad_every`, and has the name of the first of them. */
static void make_items(bench *b)
{
    b->items = allocate(b->count, sizeof *b->items);
    for (size_t i = 0; i < b->count; i++) {
        bool bad = b->bad_every > 0 && i % b->bad_every == b->bad_every - 1;
        snprintf(b->items[i].name, sizeof b->items[i].name, "item-%07zu", bad ? i - (b->bad_every - 1) : i);
        b->items[i].amount = (int64_t)(i * 7919 % 100003);
    }
}

/* The part of client number `client` begins here. */
static size_t part_begins(const bench *b, size_t client)
{
    return client * b->count / b->clients;
}

/* Each client has accounts of its own: none waits for the lock of another. */
static void make_transfers(bench *b)
{
    size_t accounts = BENCH_ACCOUNTS / b->clients;
    b->transfers = allocate(b->count, sizeof *b->transfers);
    for (size_t client = 0; client < b->clients; client++) {
        size_t begin = part_begins(b, client), end = part_begins(b, client + 1), base = client * accounts + 1;
        for (size_t i = 0; begin + i < end; i++) {
            size_t from = i * 17 % accounts, to = (i * 31 + 7) % accounts;
            if (to == from)
                to = (to + 1) % accounts;
            b->transfers[begin + i] =
                (bench_transfer){(int64_t)(base + from), (int64_t)(base + to), (int64_t)(i % 9) + 1};
        }
    }
}

/* ---- Arguments ------------------------------------------------------------------------------------------- */

static void usage(const char *program)
{
    fprintf(stderr,
            "usage: %s --mode MODE --database FILE|URL --count N [--clients N] [--bad-every N] [--ask NAME=SQL]...\n"
            "       [--trips 1] [--schema SQL] [--dump FILE] [--cache-kib N]\n"
            "       [--file FILE --table NAME [--watched running|held]]\n",
            program);
    exit(2);
}

static void add_ask(bench *b, char *ask)
{
    if (b->ask_count == BENCH_ASKS || !strchr(ask, '='))
        bench_die("--ask", "too many, or not of the form NAME=SQL");
    b->asks[b->ask_count++] = ask;
}

static void read_argument(bench *b, const char *name, char *value, const char *program)
{
    if (!strcmp(name, "--mode"))
        b->mode = value;
    else if (!strcmp(name, "--database"))
        b->database = value;
    else if (!strcmp(name, "--schema"))
        b->schema = value;
    else if (!strcmp(name, "--dump"))
        b->dump = value;
    else if (!strcmp(name, "--file"))
        b->file = value;
    else if (!strcmp(name, "--table"))
        b->table = value;
    else if (!strcmp(name, "--watched"))
        b->watched = value;
    else if (!strcmp(name, "--ask"))
        add_ask(b, value);
    else if (!strcmp(name, "--count"))
        b->count = strtoul(value, NULL, 10);
    else if (!strcmp(name, "--clients"))
        b->clients = strtoul(value, NULL, 10);
    else if (!strcmp(name, "--bad-every"))
        b->bad_every = strtoul(value, NULL, 10);
    else if (!strcmp(name, "--cache-kib"))
        b->cache_kib = (int)strtol(value, NULL, 10);
    else if (!strcmp(name, "--trips"))
        b->trips = strtol(value, NULL, 10) != 0;
    else
        usage(program);
}

void bench_init(bench *b, int argc, char **argv)
{
    *b = (bench){.cache_kib = 2000, .clients = 1};
    for (int i = 1; i + 1 < argc; i += 2)
        read_argument(b, argv[i], argv[i + 1], argv[0]);
    if (argc % 2 == 0 || !b->mode || !b->database || !b->clients || b->count < b->clients || b->clients > 100)
        usage(argv[0]);
    if (!strncmp(b->mode, "transfer", strlen("transfer")))
        make_transfers(b);
    else if (!b->file && strncmp(b->mode, "empty", strlen("empty")) != 0)
        make_items(b);
}

void bench_done(bench *b)
{
    free(b->items);
    free(b->transfers);
}

/* ---- Clients --------------------------------------------------------------------------------------------- */

typedef struct job {
    bench_client client;
    void (*run)(bench_client *);
    pthread_t thread;
} job;

static void *run_job(void *arg)
{
    job *j = arg;
    j->run(&j->client);
    return NULL;
}

void bench_run(bench *b, void (*client)(bench_client *))
{
    job *jobs = allocate(b->clients, sizeof *jobs);
    if (pthread_barrier_init(&b->barrier, NULL, (unsigned)b->clients) != 0)
        bench_die("pthread_barrier_init", "no barrier");
    for (size_t i = 0; i < b->clients; i++) {
        size_t begin = part_begins(b, i);
        jobs[i].run = client;
        jobs[i].client = (bench_client){.run = b,
                                        .items = b->items ? b->items + begin : NULL,
                                        .transfers = b->transfers ? b->transfers + begin : NULL,
                                        .count = part_begins(b, i + 1) - begin,
                                        .number = i};
        if (i > 0 && pthread_create(&jobs[i].thread, NULL, run_job, &jobs[i]) != 0)
            bench_die("pthread_create", "no thread");
    }
    client(&jobs[0].client);
    for (size_t i = 1; i < b->clients; i++)
        pthread_join(jobs[i].thread, NULL);
    pthread_barrier_destroy(&b->barrier);
    free(jobs);
}

int bench_main(int argc, char **argv, void (*client)(bench_client *))
{
    bench b;
    bench_init(&b, argc, argv);
    bench_run(&b, client);
    bench_done(&b);
    return 0;
}

void bench_meet(bench_client *c)
{
    if (c->run->clients > 1)
        pthread_barrier_wait(&c->run->barrier);
}

/* ---- Clock ----------------------------------------------------------------------------------------------- */

static double seconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* To the program that watches this one; nothing when there is none. */
static void tell(const bench *b, const char *what)
{
    if (b->watched) {
        printf("%s\n", what);
        fflush(stdout);
    }
}

void bench_start(bench_client *c)
{
    bench *b = c->run;
    tell(b, "begun");
    bench_meet(c);
    if (c->number == 0) {
        b->running = true;
        b->cpu = -seconds(CLOCK_PROCESS_CPUTIME_ID);
        b->wall = -seconds(CLOCK_MONOTONIC);
    }
    bench_meet(c);
}

void bench_stop(bench_client *c)
{
    bench *b = c->run;
    __atomic_fetch_add(&b->rejected, c->rejected, __ATOMIC_RELAXED);
    bench_meet(c);
    if (c->number == 0) {
        b->wall += seconds(CLOCK_MONOTONIC);
        b->cpu += seconds(CLOCK_PROCESS_CPUTIME_ID);
        b->running = false;
    }
    tell(b, "done");
    bench_meet(c);
}

void bench_hold(bench_client *c)
{
    char line[16];
    if (!c->run->watched || strcmp(c->run->watched, "held") != 0)
        return;
    tell(c->run, "held");
    if (!fgets(line, sizeof line, stdin))
        bench_die("held", "the program that watches is gone");
}

/* ---- Report ---------------------------------------------------------------------------------------------- */

/* In KiB. Not ru_maxrss: that counts what the process had been before it became this program. */
static long peak_memory(void)
{
    char line[128];
    long peak = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status)) {
        if (sscanf(line, "VmHWM: %ld kB", &peak) == 1)
            break;
    }
    if (status)
        fclose(status);
    return peak;
}

static void report_settings(bench *b, bench_answer answer, void *connection)
{
    for (size_t i = 0; i < b->ask_count; i++) {
        char text[512] = "", name[64];
        const char *sql = strchr(b->asks[i], '=') + 1;
        snprintf(name, sizeof name, "%.*s", (int)(sql - 1 - b->asks[i]), b->asks[i]);
        answer(connection, sql, text, sizeof text);
        printf("%s\"%s\": \"%s\"", i ? ", " : "", name, text);
    }
}

void bench_report(bench_client *c, const char *side, bench_answer answer, void *connection)
{
    bench *b = c->run;
    double n = (double)b->count;
    long peak = peak_memory();
    if (c->number > 0)
        return;
    printf("{\"side\": \"%s\", \"mode\": \"%s\", \"count\": %zu, \"rejected\": %zu, \"seconds_per_op\": %.12f, "
           "\"cpu_seconds_per_op\": %.12f, \"trips_per_op\": %.6f, \"peak_kib\": %ld, \"settings\": {",
           side, b->mode, b->count, b->rejected, b->wall / n, b->cpu / n, (double)b->trips_seen / n, peak);
    report_settings(b, answer, connection);
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
