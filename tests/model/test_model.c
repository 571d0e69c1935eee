/*
 * test_model.c - random programs of nested scopes, run through Belay on SQLite and through the reference model.
 *
 * The work is done in child processes, so that a crash or an endless wait is found, named and shrunk like any
 * other difference. README.md has the options.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runner.h"

typedef struct settings {
    uint64_t seed;
    bool seed_given;
    uint64_t first;
    uint64_t sequences;
    int differences; /* stop after so many */
    generator_options generator;
    const char *replay;
} settings;

/* What a worker tells its parent. */
typedef struct report {
    uint64_t index; /* the sequence that it is at */
    difference found;
} report;

enum { EXIT_SAME, EXIT_DIFFERENT, EXIT_BROKEN, LONGEST_SECONDS = 30 };

static const uint64_t default_seeds[] = {1, 2, 3, 4};

static report *shared;
static char directory[64], path[80]; /* of the database in a file */

static uint64_t seed_of(uint64_t seed, uint64_t index)
{
    return (seed * 0x9E3779B97F4A7C15u) ^ (index * 0xD1B54A32D192ED03u);
}

/* ---- The file ----------------------------------------------------------------------------------- */

/* In memory, where there is a file system in memory. */
static bool make_directory(void)
{
    const char *room = access("/dev/shm", W_OK | X_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(directory, sizeof directory, "%s/belay-model-XXXXXX", room);
    bool made = mkdtemp(directory) != NULL;
    snprintf(path, sizeof path, "%s/test.db", directory);
    if (!made)
        perror("model: a directory for the database");
    return made;
}

/* A worker that crashed leaves what the next one would take for its own. */
static void remove_files(void)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    char name[100];
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        unlink(name);
    }
}

static void remove_directory(void)
{
    remove_files();
    rmdir(directory);
}

/* ---- Workers ------------------------------------------------------------------------------------ */

static int work_one(const program *p)
{
    databases on;
    if (!runner_open(&on, path))
        return EXIT_BROKEN;
    alarm(LONGEST_SECONDS);
    shared->found = runner_run(&on, p);
    runner_close(&on);
    return shared->found.aspect == AGREED ? EXIT_SAME : EXIT_DIFFERENT;
}

static int work_range(const settings *set, uint64_t seed, uint64_t first, uint64_t end)
{
    static program p;
    databases on;
    if (!runner_open(&on, path))
        return EXIT_BROKEN;
    for (uint64_t i = first; i < end; i++) {
        shared->index = i;
        if (i % 64 == 0)
            alarm(LONGEST_SECONDS);
        program_generate(&p, seed_of(seed, i), &set->generator);
        shared->found = runner_run(&on, &p);
        if (shared->found.aspect != AGREED)
            break;
    }
    runner_close(&on);
    return shared->found.aspect == AGREED ? EXIT_SAME : EXIT_DIFFERENT;
}

/* The child's status, as waitpid gives it. */
static int wait_for(pid_t child)
{
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) {
        perror("model: fork");
        exit(EXIT_BROKEN);
    }
    return status;
}

static int in_child(const program *p)
{
    fflush(stdout);
    memset(&shared->found, 0, sizeof shared->found);
    remove_files();
    pid_t child = fork();
    if (child == 0)
        exit(work_one(p));
    return wait_for(child);
}

static int range_in_child(const settings *set, uint64_t seed, uint64_t first, uint64_t end)
{
    fflush(stdout);
    memset(&shared->found, 0, sizeof shared->found);
    remove_files();
    pid_t child = fork();
    if (child == 0)
        exit(work_range(set, seed, first, end));
    return wait_for(child);
}

/* ---- Reporting ---------------------------------------------------------------------------------- */

typedef struct symptom {
    int status;
    aspect aspect;
} symptom;

static bool shows(const program *p, void *arg)
{
    const symptom *s = arg;
    return in_child(p) == s->status && shared->found.aspect == s->aspect;
}

static void describe(const program *p, int status)
{
    const difference *d = &shared->found;
    program_print(p, d->aspect == AGREED ? -1 : d->at);
    if (WIFSIGNALED(status))
        printf("  ended by signal %d (%s)\n", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else if (d->aspect == AGREED)
        printf("  all agreed, but the process ended with %d (a leak?)\n", WEXITSTATUS(status));
    else
        printf("  %s: expected %s, actual %s\n", aspect_text(d->aspect), d->expected, d->actual);
}

static void explain(const program *whole)
{
    program p = *whole;
    symptom s = {.status = in_child(&p)};
    s.aspect = shared->found.aspect;
    if (s.status == 0) {
        printf("  it does not show when the sequence runs alone:\n");
        program_print(&p, -1);
        return;
    }
    printf("  %d operations; shrinking\n", p.count);
    program_shrink(&p, shows, &s);
    describe(&p, in_child(&p));
}

/* ---- Running ------------------------------------------------------------------------------------ */

/* Runs the sequences of one seed. Returns how many differed. */
static int run_seed(const settings *set, uint64_t seed, uint64_t sequences, int allowed)
{
    uint64_t next = set->first, end = set->first + sequences;
    int differences = 0;
    while (next < end && differences < allowed) {
        program p;
        int status = range_in_child(set, seed, next, end);
        if (status == 0)
            break;
        if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_BROKEN)
            exit(EXIT_BROKEN);
        differences++;
        next = shared->index + 1;
        printf("difference: --seed %" PRIu64 " --first %" PRIu64 " --sequences 1\n", seed, shared->index);
        program_generate(&p, seed_of(seed, shared->index), &set->generator);
        explain(&p);
    }
    return differences;
}

static int run_all(const settings *set)
{
    size_t seeds = set->seed_given ? 1 : sizeof default_seeds / sizeof *default_seeds;
    int differences = 0;
    for (size_t i = 0; i < seeds && differences < set->differences; i++) {
        uint64_t share = set->sequences / seeds + (i < set->sequences % seeds);
        differences +=
            run_seed(set, set->seed_given ? set->seed : default_seeds[i], share, set->differences - differences);
    }
    printf("model: %" PRIu64 " sequences, %d difference%s\n", set->sequences, differences, differences == 1 ? "" : "s");
    return differences ? EXIT_DIFFERENT : EXIT_SAME;
}

static int replay(const char *text)
{
    program p;
    if (!program_parse(&p, text))
        return EXIT_BROKEN;
    int status = in_child(&p);
    if (status == 0) {
        program_print(&p, -1);
        printf("model: agreed\n");
        return EXIT_SAME;
    }
    describe(&p, status);
    return EXIT_DIFFERENT;
}

static int usage(void)
{
    fprintf(stderr, "usage: test_model [--sequences N] [--seed S] [--first I] [--differences N] [--no-hooks] "
                    "[--no-retries] [--no-own] [--replay 'text']\n");
    return EXIT_BROKEN;
}

static bool read_option(settings *set, const char *name, const char *value)
{
    if (strcmp(name, "--sequences") == 0)
        set->sequences = strtoull(value, NULL, 10);
    else if (strcmp(name, "--first") == 0)
        set->first = strtoull(value, NULL, 10);
    else if (strcmp(name, "--differences") == 0)
        set->differences = atoi(value);
    else if (strcmp(name, "--replay") == 0)
        set->replay = value;
    else if (strcmp(name, "--seed") == 0)
        set->seed = strtoull(value, NULL, 10);
    else
        return false;
    set->seed_given = set->seed_given || strcmp(name, "--seed") == 0;
    return true;
}

int main(int argc, char **argv)
{
    settings set = {.sequences = 200000, .differences = 1, .generator = {.hooks = true, .retries = true, .own = true}};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--no-hooks") == 0)
            set.generator.hooks = false;
        else if (strcmp(argv[i], "--no-retries") == 0)
            set.generator.retries = false;
        else if (strcmp(argv[i], "--no-own") == 0)
            set.generator.own = false;
        else if (i + 1 < argc && read_option(&set, argv[i], argv[i + 1]))
            i++;
        else
            return usage();
    }
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED || !make_directory())
        return EXIT_BROKEN;
    int result = set.replay ? replay(set.replay) : run_all(&set);
    remove_directory();
    return result;
}
