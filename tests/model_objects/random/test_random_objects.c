/*
 * test_random_objects.c - random sequences of calls on objects against the plain model of plain.h.
 *
 *     test_random_objects [--sequences N] [--seed S] [--first I] [--differences N]
 *     test_random_objects --replay 'SCOPE 0 2 1; NEW 0 1 3; ADD 0 0 0; '
 *
 * On the database of BELAY_TEST_URL, or SQLite in memory. A sequence in which the two
 * differ, or that ends the process, is shrunk and printed with its seed and step by
 * step, in child processes. Exit status: 0 all agreed, 1 some differed, 2 it can't run.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "database.h"
#include "run.h"

enum { AGREED, DIFFERED, BROKEN, SECONDS_ALONE = 10, SECONDS = 600 };

typedef struct settings {
    uint64_t sequences, seed, first;
    int differences;
    const char *replay;
    char url[400];
} settings;

/* What a child tells: how far it came, and what differed. */
static struct {
    uint64_t index;
    char what[80];
} * shared;

typedef struct bench {
    belay_db *db;
    belay_session *other;
    run *t;
} bench;

static bool is_in_memory(const settings *set)
{
    return strncmp(set->url, "sqlite::memory:", 15) == 0;
}

static bool bench_open(bench *b, const settings *set)
{
    b->db = belay_open(set->url, BELAY_DB_OPTIONS(.pool_size = 2));
    b->other = belay_session_open(b->db);
    b->t = calloc(1, sizeof *b->t);
    if (b->t && (!is_in_memory(set) || kinds_make_tables(b->other, set->url)))
        return true;
    fprintf(stderr, "%s\n", belay_message(b->other));
    return false;
}

static void bench_close(bench *b)
{
    belay_session_close(b->other);
    belay_close(b->db);
    free(b->t);
}

static int run_one(bench *b, const sequence *p, bool tells)
{
    b->t->tells = tells;
    shared->what[0] = '\0';
    if (run_sequence(b->t, b->db, b->other, p))
        return AGREED;
    snprintf(shared->what, sizeof shared->what, "%s", b->t->wrong);
    return DIFFERED;
}

/* ---- In children, so that a crash or a hang is only a difference ------------------------------------------------ */

typedef int (*in_child)(const settings *, const void *arg);

static int do_in_child(const settings *set, in_child what, const void *arg, unsigned seconds)
{
    int status = 0;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        alarm(seconds);
        exit(what(set, arg));
    }
    return child > 0 && waitpid(child, &status, 0) == child ? status : BROKEN << 8;
}

static int run_alone(const settings *set, const void *arg, bool tells)
{
    bench b;
    if (!bench_open(&b, set))
        return BROKEN;
    int result = run_one(&b, arg, tells);
    bench_close(&b);
    return result;
}

static int run_silently(const settings *set, const void *arg)
{
    if (!freopen("/dev/null", "w", stderr))
        return BROKEN;
    return run_alone(set, arg, false);
}

static int run_telling(const settings *set, const void *arg)
{
    return run_alone(set, arg, true);
}

static int run_range(const settings *set, const void *arg)
{
    const uint64_t *end = arg;
    bench b;
    if (!bench_open(&b, set))
        return BROKEN;
    int result = AGREED;
    for (; shared->index < *end && result == AGREED; shared->index += result == AGREED) {
        sequence p;
        sequence_generate(&p, set->seed * 0x9E3779B97F4A7C15u ^ (shared->index + 1) * 0xC2B2AE3D27D4EB4Fu);
        result = run_one(&b, &p, false);
    }
    bench_close(&b);
    return result;
}

/* ---- A difference ----------------------------------------------------------------------------------------------- */

typedef struct symptom {
    const settings *set;
    int status;
    char what[80];
} symptom;

static bool shows(const sequence *p, void *arg)
{
    const symptom *s = arg;
    int status = do_in_child(s->set, run_silently, p, SECONDS_ALONE);
    return status == s->status && strcmp(shared->what, s->what) == 0;
}

static void explain(const settings *set, uint64_t index)
{
    sequence p;
    symptom s = {.set = set};
    sequence_generate(&p, set->seed * 0x9E3779B97F4A7C15u ^ (index + 1) * 0xC2B2AE3D27D4EB4Fu);
    printf("difference: --seed %" PRIu64 " --first %" PRIu64 " --sequences 1\n", set->seed, index);
    s.status = do_in_child(set, run_silently, &p, SECONDS_ALONE);
    snprintf(s.what, sizeof s.what, "%s", shared->what);
    if (s.status == 0)
        printf("  it does not show when the sequence runs alone\n");
    else
        sequence_shrink(&p, shows, &s);
    printf("  ");
    sequence_print(&p);
    int status = do_in_child(set, run_telling, &p, SECONDS_ALONE);
    if (WIFSIGNALED(status))
        printf("  ended by signal %d\n", WTERMSIG(status));
}

/* ---- The program ------------------------------------------------------------------------------------------------ */

static int run_all(const settings *set)
{
    uint64_t end = set->first + set->sequences;
    int differences = 0;
    shared->index = set->first;
    while (shared->index < end && differences < set->differences) {
        int status = do_in_child(set, run_range, &end, SECONDS);
        if (status == 0 || (WIFEXITED(status) && WEXITSTATUS(status) == BROKEN))
            return status == 0 && differences == 0 ? AGREED : status == 0 ? DIFFERED : BROKEN;
        differences++;
        uint64_t index = shared->index;
        explain(set, index);
        shared->index = index + 1;
    }
    return differences > 0 ? DIFFERED : AGREED;
}

static bool read_option(settings *set, const char *name, const char *value)
{
    if (strcmp(name, "--sequences") == 0)
        set->sequences = strtoull(value, NULL, 10);
    else if (strcmp(name, "--first") == 0)
        set->first = strtoull(value, NULL, 10);
    else if (strcmp(name, "--seed") == 0)
        set->seed = strtoull(value, NULL, 10);
    else if (strcmp(name, "--differences") == 0)
        set->differences = atoi(value);
    else if (strcmp(name, "--replay") == 0)
        set->replay = value;
    else
        return false;
    return true;
}

/* On a server, a database of the program's own, with the tables in it. */
static bool choose_database(settings *set)
{
    static database d;
    if (!getenv("BELAY_TEST_URL")) {
        snprintf(set->url, sizeof set->url, "sqlite::memory:");
        return true;
    }
    database_make(&d, "");
    snprintf(set->url, sizeof set->url, "%s", d.url);
    belay_db *db = belay_open(set->url, NULL);
    belay_session *s = belay_session_open(db);
    bool made = kinds_make_tables(s, set->url);
    if (!made)
        fprintf(stderr, "%s\n", belay_message(s));
    belay_session_close(s);
    belay_close(db);
    return made;
}

int main(int argc, char **argv)
{
    settings set = {.sequences = 4000, .seed = 1, .differences = 1};
    sequence p;
    for (int i = 1; i < argc; i += 2)
        if (i + 1 == argc || !read_option(&set, argv[i], argv[i + 1]))
            return BROKEN;
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED || !choose_database(&set))
        return BROKEN;
    kinds_engine(set.url);
    if (!set.replay) {
        int result = run_all(&set);
        printf("objects: %" PRIu64 " sequences, %s\n", set.sequences,
               result == AGREED ? "all agreed" : "NOT all agreed");
        return result;
    }
    if (!sequence_parse(&p, set.replay))
        return BROKEN;
    int status = do_in_child(&set, run_telling, &p, SECONDS);
    return WIFEXITED(status) ? WEXITSTATUS(status) : DIFFERED;
}
