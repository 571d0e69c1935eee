/*
 * server_worker - moves money between accounts on a server, from more threads than the pool has connections.
 *
 *     server_worker URL make ACCOUNTS
 *     server_worker URL run JOURNAL NAME THREADS POOL [AGAIN]
 *
 * `make` makes the tables. `run` goes on until its standard input is closed, whatever becomes of the server meanwhile,
 * or until it is killed: see crash_servers.py. A unit is torn when one of its four rows is there without the others.
 * What it does and is told is noted in the journal, outside of the database, one write(2) a line:
 *
 *     try ID KIND SOURCE TARGET AMOUNT   before the unit begins; KIND is plain or once
 *     hook ID                            by its hook after the commit
 *     undone ID                          by its hook after a rollback: once an attempt
 *     ok ID                              Belay said that it was committed
 *     known ID                           Belay said that it had been committed before: only with a key
 *     no ID CODE                         Belay said that it was rolled back
 *     unknown ID CODE                    Belay said that nobody knows
 *
 * A unit with a key is run until it is done. AGAIN is a file of such units that another run has left, as `try` has
 * them, without that word: they are done first.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <belay/belay.h>

enum { LINE_ROOM = 160, ID_ROOM = 64, OPENING = 1000000 };

typedef struct unit {
    char id[ID_ROOM];
    bool once;
    int source, target, amount;
} unit;

typedef struct worker {
    belay_db *db;
    pthread_t thread;
    uint64_t dice;
    int accounts;
    int number;
    const char *name;
    FILE *again; /* of the first one; NULL: none */
} worker;

static int journal;
static atomic_bool stopping;

static void note(const char *word, const char *id, const char *rest)
{
    char line[LINE_ROOM];
    int size = snprintf(line, sizeof line, "%s %s%s%s\n", word, id, rest[0] ? " " : "", rest);
    if (write(journal, line, (size_t)size) != size) {
        perror("the journal can't be written");
        _exit(1); /* what is not noted can't be proved */
    }
}

/* ---- A unit ----------------------------------------------------------------------------------------------------- */

static int note_hook(belay_session *s, void *id)
{
    (void)s;
    note("hook", id, "");
    return 0;
}

static int note_undone(belay_session *s, void *id)
{
    (void)s;
    note("undone", id, "");
    return 0;
}

static int move(belay_session *s, void *arg)
{
    unit *u = arg;
    belay_on_commit(s, note_hook, u->id, NULL);
    belay_on_rollback(s, note_undone, u->id, NULL);
    belay_exec(s, "UPDATE account SET balance = balance - ? WHERE id = ?", u->amount, u->source);
    belay_exec(s, "INSERT INTO transfer (id, source, target, amount) VALUES (?, ?, ?, ?)", u->id, u->source, u->target,
               u->amount);
    BELAY_ATOMIC(s) {
        belay_exec(s, "UPDATE account SET balance = balance + ? WHERE id = ?", u->amount, u->target);
        belay_exec(s, "INSERT INTO mirror (id) VALUES (?)", u->id);
    }
    return 0;
}

/* Whether it is settled: committed, or rolled back for good. */
static bool run_unit(belay_session *s, unit *u, int retries)
{
    char rest[LINE_ROOM / 2];
    snprintf(rest, sizeof rest, "%s %d %d %d", u->once ? "once" : "plain", u->source, u->target, u->amount);
    note("try", u->id, rest);
    belay_atomic(s,
                 BELAY_SCOPE_OPTIONS(.name = "move", .once = u->once ? u->id : NULL, .retries = retries,
                                     .timeout_ms = 20000, .backoff_ms = 5, .backoff_max_ms = 50),
                 move, u);
    const belay_error *error = belay_pending(s);
    if (error->code == BELAY_OK)
        note(belay_already_done(s) ? "known" : "ok", u->id, "");
    else
        note(error->outcome == BELAY_WORK_UNKNOWN ? "unknown" : "no", u->id, belay_code_name(error->code));
    return error->code == BELAY_OK || !u->once;
}

/* ---- Threads ---------------------------------------------------------------------------------------------------- */

static void breathe(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
}

static int roll(worker *w, int sides)
{
    w->dice ^= w->dice << 13;
    w->dice ^= w->dice >> 7;
    w->dice ^= w->dice << 17;
    return (int)(w->dice % (uint64_t)sides);
}

static void settle(belay_session *s, unit *u, int retries)
{
    while (!run_unit(s, u, retries))
        breathe();
}

static void finish_others(worker *w, belay_session *s)
{
    unit u = {.once = true};
    while (w->again && fscanf(w->again, "%63s %d %d %d", u.id, &u.source, &u.target, &u.amount) == 4)
        settle(s, &u, 3);
}

static void *work(void *arg)
{
    worker *w = arg;
    belay_session *s = belay_session_open(w->db);
    finish_others(w, s);
    for (int i = 0; !atomic_load(&stopping); i++) {
        unit u = {.once = roll(w, 3) == 0, .source = 1 + roll(w, w->accounts), .amount = 1 + roll(w, 100)};
        u.target = 1 + (u.source + roll(w, w->accounts - 1)) % w->accounts;
        snprintf(u.id, sizeof u.id, "%s-%d-%d", w->name, w->number, i);
        settle(s, &u, roll(w, 2) * 3);
        if (belay_status(s) != BELAY_OK)
            breathe();
    }
    belay_session_close(s);
    return NULL;
}

static int run(const char *url, char **words)
{
    enum { MOST = 64 };
    static worker workers[MOST];
    char byte;
    int threads = atoi(words[2]);
    belay_db *db = belay_open(url, BELAY_DB_OPTIONS(.pool_size = atoi(words[3])));
    belay_session *s = belay_session_open(db);
    int accounts = (int)belay_int_of(s, "SELECT count(*) FROM account");
    belay_session_close(s);
    journal = open(words[0], O_WRONLY | O_CREAT | O_APPEND, 0644);
    if (journal < 0 || accounts < 2 || threads < 1 || threads > MOST)
        return 2;
    for (int i = 0; i < threads; i++) {
        FILE *again = i == 0 && words[4] ? fopen(words[4], "r") : NULL;
        workers[i] = (worker){.db = db, .accounts = accounts, .number = i, .name = words[1], .again = again};
        workers[i].dice = UINT64_C(88172645463325252) * (uint64_t)(i + 1) + (uint64_t)getpid();
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
            return 2;
    }
    while (read(STDIN_FILENO, &byte, 1) > 0)
        continue;
    atomic_store(&stopping, true);
    for (int i = 0; i < threads; i++)
        pthread_join(workers[i].thread, NULL);
    belay_close(db);
    return 0;
}

/* ---- The tables ------------------------------------------------------------------------------------------------- */

/* Nothing keeps a unit from being there twice but that it is run once. */
static const char *const tables[] = {
    "CREATE TABLE account (id INTEGER PRIMARY KEY, balance BIGINT NOT NULL)",
    ("CREATE TABLE transfer (id VARCHAR(64) NOT NULL, source INTEGER NOT NULL, target INTEGER NOT NULL,"
     " amount INTEGER NOT NULL)"),
    "CREATE TABLE mirror (id VARCHAR(64) NOT NULL)",
};

static int make(const char *url, int accounts)
{
    belay_db *db = belay_open(url, NULL);
    belay_session *s = belay_session_open(db);
    for (size_t i = 0; i < sizeof tables / sizeof tables[0] && belay_status(s) == BELAY_OK; i++)
        belay_exec(s, tables[i]);
    if (belay_status(s) == BELAY_OK)
        BELAY_ATOMIC(s) {
            for (int id = 1; id <= accounts; id++)
                belay_exec(s, "INSERT INTO account (id, balance) VALUES (?, ?)", id, OPENING);
        }
    belay_code code = belay_status(s);
    if (code != BELAY_OK)
        fprintf(stderr, "%s\n", belay_message(s));
    belay_session_close(s);
    belay_close(db);
    return code != BELAY_OK;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[2], "make") == 0)
        return make(argv[1], atoi(argv[3]));
    if (argc >= 7 && strcmp(argv[2], "run") == 0)
        return run(argv[1], argv + 3);
    return 2;
}
