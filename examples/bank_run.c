/*
 * bank_run - the workers of the bank: see bank.c.
 *
 * Each process opens the database for itself, and each of its threads has a
 * session. A worker notes in the journal what it is about to do, does it, and
 * notes what Belay said. Some transfers are made to fail.
 */
#define _POSIX_C_SOURCE 200809L /* fork, clock_gettime, nanosleep */

#include "bank.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* What was said about the transfers of a worker, a process or all of them. Small enough for one write to a pipe. */
typedef struct tally {
    long by_code[BELAY_ANY];
    long again;   /* attempts after the first */
    long unknown; /* of those in by_code */
    long wrong;   /* things that may not be */
} tally;

typedef struct worker {
    const bank_options *options;
    belay_db *db;
    int journal; /* -1: none */
    int64_t accounts;
    pid_t parent; /* stop when it is gone; 0: nobody's child */
    struct timespec end;
    uint64_t dice;
    long count;
    char name[BANK_NAME_SIZE];
    pthread_t thread;
    tally tally;
} worker;

typedef enum transfer_kind { PLAIN, TOO_MUCH, LOOK_FIRST, NOBODY } transfer_kind;

typedef struct transfer {
    char id[BANK_ID_SIZE];
    transfer_kind kind;
    int64_t source;
    int64_t target;
    int64_t amount;
} transfer;

static void add_tally(tally *sum, const tally *more)
{
    for (size_t i = 0; i < BELAY_ANY; i++)
        sum->by_code[i] += more->by_code[i];
    sum->again += more->again;
    sum->unknown += more->unknown;
    sum->wrong += more->wrong;
}

/* ---- One transfer ---------------------------------------------------------------------------- */

/* xorshift: every worker has its own, so that no lock is shared. */
static int64_t roll(worker *w, int64_t sides)
{
    w->dice ^= w->dice << 13;
    w->dice ^= w->dice >> 7;
    w->dice ^= w->dice << 17;
    return (int64_t)(w->dice % (uint64_t)sides);
}

static transfer pick(worker *w)
{
    int64_t chance = roll(w, 20);
    transfer t = {.kind = chance == 0 ? TOO_MUCH : chance == 1 ? LOOK_FIRST : chance == 2 ? NOBODY : PLAIN};

    snprintf(t.id, sizeof t.id, "%s-%ld", w->name, ++w->count);
    t.source = 1 + roll(w, w->accounts);
    t.target = 1 + (t.source + roll(w, w->accounts - 1)) % w->accounts; /* never the source */
    t.amount = 1 + roll(w, 20000);
    if (t.kind == TOO_MUCH || t.kind == LOOK_FIRST)
        t.amount += INT64_C(1000000000000);
    if (t.kind == NOBODY)
        t.target = w->accounts + 1;
    return t;
}

/* One line, one write. The journal is open for appending, so lines of other workers don't mix with it. */
static void note(worker *w, const char *line)
{
    size_t size = strlen(line);

    if (w->journal >= 0 && write(w->journal, line, size) != (ssize_t)size) {
        perror("the journal can't be written");
        exit(1); /* what is not noted can't be proved */
    }
}

static void note_result(worker *w, const transfer *t, const belay_error *error)
{
    char line[160];

    if (error->code == BELAY_OK)
        snprintf(line, sizeof line, "ok %s\n", t->id);
    else if (error->outcome == BELAY_WORK_UNKNOWN)
        snprintf(line, sizeof line, "unknown %s\n", t->id);
    else
        snprintf(line, sizeof line, "no %s %s\n", t->id, belay_code_name(error->code));
    note(w, line);
}

/* The unit: all of it is there, or nothing. What makes it fail comes after something that then must be undone. */
static belay_error do_transfer(belay_session *s, worker *w, const transfer *t)
{
    int attempts = 0;

    BELAY_ATOMIC_WITH(s, .name = "transfer", .retries = 50, .timeout_ms = 30000) {
        attempts++; /* counts the attempts, on purpose: a local keeps its value when the block runs again */
        if (t->kind == LOOK_FIRST &&
            belay_int_of(s, "SELECT balance FROM account WHERE id = ? FOR UPDATE", t->source) < t->amount)
            belay_fail(s, BELAY_APPLICATION, "insufficient funds");
        belay_exec(s, "UPDATE account SET balance = balance + ? WHERE id = ?", t->amount, t->target);
        belay_exec(s, "UPDATE account SET balance = balance - ? WHERE id = ?", t->amount, t->source);
        belay_exec(s, "INSERT INTO transfer (id, worker, source, target, amount) VALUES (?, ?, ?, ?, ?)", t->id,
                   w->name, t->source, t->target, t->amount);
    }
    w->tally.again += attempts > 1 ? attempts - 1 : 0;
    return *belay_pending(s);
}

/* Whether a transfer of its kind may end so. Any of them may find too little money left; the rest is made to fail. */
static bool may_be(const transfer *t, belay_code code)
{
    if (code == BELAY_OK)
        return t->kind == PLAIN;
    if (code == BELAY_APPLICATION)
        return t->kind == LOOK_FIRST;
    if (code == BELAY_FOREIGN_KEY)
        return t->kind == NOBODY;
    if (code == BELAY_CHECK)
        return t->kind != LOOK_FIRST;
    /* A conflict, a lost connection, a full disk are no fault of the program's, and prove nothing against it. */
    return code != BELAY_MISUSE && code != BELAY_SYNTAX && code != BELAY_SCHEMA && code != BELAY_UNIQUE;
}

static void work(worker *w, belay_session *s)
{
    char line[160];
    transfer t = pick(w);

    snprintf(line, sizeof line, "try %s %" PRId64 " %" PRId64 " %" PRId64 "\n", t.id, t.source, t.target, t.amount);
    note(w, line);
    belay_error error = do_transfer(s, w, &t);
    note_result(w, &t, &error);

    w->tally.by_code[error.code]++;
    w->tally.unknown += error.outcome == BELAY_WORK_UNKNOWN;
    if (!may_be(&t, error.code)) {
        printf("WRONG: transfer %s ended with %s: %s\n", t.id, belay_code_name(error.code), error.message);
        w->tally.wrong++;
    }
    if (error.code != BELAY_OK && belay_code_class(error.code) != BELAY_INTEGRITY && error.code != BELAY_APPLICATION)
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL); /* a database in trouble needs no hurry */
}

/* ---- Threads --------------------------------------------------------------------------------- */

static bool time_is_up(const worker *w)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec > w->end.tv_sec || (now.tv_sec == w->end.tv_sec && now.tv_nsec >= w->end.tv_nsec) ||
           (w->parent && getppid() != w->parent);
}

static void *run_worker(void *arg)
{
    worker *w = arg;
    belay_session *s = belay_session_open(w->db);

    while (!time_is_up(w) && w->tally.wrong < 10)
        work(w, s);
    if (belay_session_close(s) != BELAY_OK)
        w->tally.wrong++; /* every outcome was read, so there can be none that wasn't */
    return NULL;
}

/* Names are used once: by the process, the moment and the thread. */
static void prepare(worker *w, const worker *like, int number)
{
    struct timespec now;

    *w = *like;
    clock_gettime(CLOCK_REALTIME, &now);
    snprintf(w->name, sizeof w->name, "%ld-%llx%08lx-%d", (long)getpid(), (unsigned long long)now.tv_sec,
             (unsigned long)now.tv_nsec, number);
    w->dice = UINT64_C(88172645463325252);
    for (const char *c = w->name; *c; c++)
        w->dice = (w->dice ^ (unsigned char)*c) * UINT64_C(1099511628211);
    w->dice |= 1;
}

static int64_t count_accounts(belay_db *db)
{
    belay_session *s = belay_session_open(db);
    int64_t accounts = belay_int_of(s, "SELECT count(*) FROM account");

    if (accounts < 2)
        printf("No accounts to transfer between: %s\n", belay_message(s));
    belay_session_close(s);
    return accounts;
}

static tally run_threads(const bank_options *o, worker like)
{
    worker *workers = calloc((size_t)o->threads, sizeof *workers);
    tally sum = {0};
    int started = 0;

    like.db = belay_open(o->url, BELAY_DB_OPTIONS(.pool_size = o->threads));
    like.accounts = count_accounts(like.db);
    for (; workers && like.accounts >= 2 && started < o->threads; started++) {
        prepare(&workers[started], &like, started);
        if (pthread_create(&workers[started].thread, NULL, run_worker, &workers[started]) != 0)
            break;
    }
    for (int i = 0; i < started; i++) {
        pthread_join(workers[i].thread, NULL);
        add_tally(&sum, &workers[i].tally);
    }
    sum.wrong += started < o->threads;
    belay_close(like.db);
    free(workers);
    return sum;
}

/* ---- Processes ------------------------------------------------------------------------------- */

/* No database is open while the process forks: a connection can't be shared with a child. */
static int start_processes(const bank_options *o, worker like, int pipe_end)
{
    int started = 0;

    like.parent = getpid();
    fflush(stdout);
    for (; started < o->processes; started++) {
        pid_t child = fork();

        if (child < 0)
            break;
        if (child == 0) {
            tally t = run_threads(o, like);

            fflush(stdout);
            _exit(write(pipe_end, &t, sizeof t) == (ssize_t)sizeof t ? 0 : 1);
        }
    }
    return started;
}

static tally collect(int started, int pipe_end)
{
    tally sum = {0}, one;

    for (ssize_t got; (got = read(pipe_end, &one, sizeof one)) != 0;) {
        if (got == (ssize_t)sizeof one)
            add_tally(&sum, &one);
        else if (got > 0 || errno != EINTR)
            break;
    }
    for (int i = 0; i < started; i++) {
        int status = 0;

        if (wait(&status) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
            printf("A worker process did not end well%s.\n", WIFSIGNALED(status) ? ": it was killed" : "");
            sum.wrong++;
        }
    }
    return sum;
}

static tally run_processes(const bank_options *o, const worker *like)
{
    int ends[2];
    tally sum = {.wrong = 1};

    if (pipe(ends) != 0) {
        perror("no pipe");
        return sum;
    }
    int started = start_processes(o, *like, ends[1]);
    close(ends[1]);
    sum = collect(started, ends[0]);
    close(ends[0]);
    sum.wrong += started < o->processes;
    return sum;
}

static void print_tally(const bank_options *o, const tally *t)
{
    printf("Ran %d process%s with %d thread%s each for %d second%s.\n", o->processes, o->processes == 1 ? "" : "es",
           o->threads, o->threads == 1 ? "" : "s", o->seconds, o->seconds == 1 ? "" : "s");
    for (int code = 0; code < BELAY_ANY; code++)
        if (t->by_code[code])
            printf("  %-14s %8ld  %s\n", belay_code_name((belay_code)code), t->by_code[code],
                   code == BELAY_OK ? "committed" : belay_code_text((belay_code)code));
    printf("  %-14s %8ld  attempts that met a conflict and ran again\n", "retried", t->again);
    if (t->unknown)
        printf("  %-14s %8ld  of those above: nobody knows yet\n", "unknown", t->unknown);
}

bool bank_run(const bank_options *o)
{
    worker like = {.options = o, .journal = -1};

    if (o->journal && (like.journal = open(o->journal, O_WRONLY | O_CREAT | O_APPEND, 0644)) < 0) {
        perror(o->journal);
        return false;
    }
    clock_gettime(CLOCK_MONOTONIC, &like.end);
    like.end.tv_sec += o->seconds;

    tally t = o->processes == 1 ? run_threads(o, like) : run_processes(o, &like);
    if (like.journal >= 0)
        close(like.journal);
    if (!o->quiet)
        print_tally(o, &t);
    if (t.by_code[BELAY_OK] == 0)
        printf("Nothing was committed.\n");
    return t.wrong == 0 && t.by_code[BELAY_OK] > 0;
}
