/*
 * test_killed_clients.c - processes move money, and are killed in the middle of it, again and again: the sum is what it
 * was, no account is below zero, and of what was told as committed nothing is missing.
 *
 * A process tells its parent through a pipe, after each unit, how it ended. It dies by SIGKILL at any moment, between
 * debit and credit too; what it had told is in the pipe all the same. No handle is open in the parent while it forks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "database.h"

enum { ROUNDS = 6, PROCESSES = 3, THREADS = 2, ACCOUNTS = 6, OPENING = 500, TOLD_AT_MOST = 400, PATIENCE_S = 60 };

static const char *const tables[] = {
    "DROP TABLE IF EXISTS transfer",
    "DROP TABLE IF EXISTS account",
    "CREATE TABLE account (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL, CHECK (balance >= 0))",
    "CREATE TABLE transfer (id INTEGER PRIMARY KEY, source INTEGER NOT NULL, target INTEGER NOT NULL,"
    " amount INTEGER NOT NULL)",
    "INSERT INTO account (id, balance) VALUES (1, 500), (2, 500), (3, 500), (4, 500), (5, 500), (6, 500)",
    NULL,
};

/* ---- A process that will be killed ------------------------------------------------------------------------------ */

typedef struct mover {
    belay_db *db;
    int pipe, number;
    unsigned dice;
    pthread_t thread;
} mover;

/* What it tells: the number of the unit, and whether it was committed. Less than a pipe takes at once. */
typedef struct telling {
    int id;
    bool committed;
} telling;

static int roll(mover *m, int sides)
{
    m->dice = m->dice * 1664525U + 1013904223U;
    return (int)((m->dice >> 8) % (unsigned)sides);
}

static void *move(void *arg)
{
    mover *m = arg;
    belay_session *s = belay_session_open(m->db);
    for (int i = 0; i < TOLD_AT_MOST; i++) {
        int id = m->number * TOLD_AT_MOST + i, amount = 1 + roll(m, 40);
        int source = roll(m, ACCOUNTS), target = (source + 1 + roll(m, ACCOUNTS - 1)) % ACCOUNTS;
        BELAY_ATOMIC_WITH(s, .name = "transfer", .retries = 1000, .backoff_max_ms = 10) {
            belay_exec(s, "UPDATE account SET balance = balance - ? WHERE id = ?", amount, source + 1);
            belay_exec(s, "UPDATE account SET balance = balance + ? WHERE id = ?", amount, target + 1);
            BELAY_ATOMIC(s)
                belay_exec(s, "INSERT INTO transfer (id, source, target, amount) VALUES (?, ?, ?, ?)", id, source + 1,
                           target + 1, amount);
        }
        belay_code code = belay_status(s);
        telling t = {id, code == BELAY_OK};
        if ((code != BELAY_OK && code != BELAY_CHECK) || write(m->pipe, &t, sizeof t) != (ssize_t)sizeof t)
            _exit(3);
    }
    belay_session_close(s);
    return NULL;
}

static void run_process(const char *url, int pipe, int number)
{
    mover movers[THREADS];
    alarm(PATIENCE_S); /* whatever happens, it ends */
    belay_db *db = belay_open(url, NULL);
    for (int i = 0; i < THREADS; i++) {
        movers[i] = (mover){db, pipe, number * THREADS + i, 7U + 13U * (unsigned)(number * THREADS + i), 0};
        if (pthread_create(&movers[i].thread, NULL, move, &movers[i]) != 0)
            _exit(4);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(movers[i].thread, NULL);
    pause(); /* a quick one waits for its end */
}

/* ---- Its parent ------------------------------------------------------------------------------------------------- */

typedef struct witness {
    bool told[ROUNDS * PROCESSES * THREADS * TOLD_AT_MOST], committed[ROUNDS * PROCESSES * THREADS * TOLD_AT_MOST];
    int units, kills, wrong;
} witness;

/* Reads what was told until the pipe has nothing for the moment, or its end. */
static void listen_to(int pipe, witness *w)
{
    telling t;
    struct pollfd ready = {.fd = pipe, .events = POLLIN};
    while (poll(&ready, 1, 0) == 1 && read(pipe, &t, sizeof t) == (ssize_t)sizeof t) {
        w->told[t.id] = true;
        w->committed[t.id] = t.committed;
        w->units++;
    }
}

static void sleep_ms(int ms)
{
    struct timespec left = {.tv_nsec = ms * 1000000L};
    while (nanosleep(&left, &left) != 0)
        continue;
}

/* Some processes at once. Each has told something before all are killed, at a moment that differs from round to round.
 */
static void run_round(const char *url, int round, witness *w)
{
    pid_t children[PROCESSES];
    int ends[PROCESSES][2];
    for (int i = 0; i < PROCESSES; i++) {
        assert_int_equal(pipe(ends[i]), 0);
        children[i] = fork();
        if (children[i] == 0) {
            close(ends[i][0]);
            run_process(url, ends[i][1], round * PROCESSES + i);
            _exit(0);
        }
        close(ends[i][1]);
    }
    for (int i = 0; i < PROCESSES; i++) {
        struct pollfd first = {.fd = ends[i][0], .events = POLLIN};
        w->wrong += poll(&first, 1, 1000 * PATIENCE_S) != 1;
    }
    sleep_ms(5 + 23 * round % 40);
    for (int i = 0; i < PROCESSES; i++) {
        int status = 0;
        kill(children[i], SIGKILL);
        w->wrong += waitpid(children[i], &status, 0) != children[i];
        w->kills += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
        listen_to(ends[i][0], w);
        close(ends[i][0]);
    }
}

static void check_tables(belay_session *s)
{
    BELAY_READ(s) {
        int64_t sum = belay_int_of(s, "SELECT sum(balance) FROM account");
        int64_t below = belay_int_of(s, "SELECT count(*) FROM account WHERE balance < 0");
        int64_t torn = belay_int_of(s, "SELECT count(*) FROM account a WHERE balance <> 500"
                                       " + (SELECT coalesce(sum(amount), 0) FROM transfer WHERE target = a.id)"
                                       " - (SELECT coalesce(sum(amount), 0) FROM transfer WHERE source = a.id)");
        if (belay_status(s) == BELAY_OK && (sum != ACCOUNTS * OPENING || below != 0 || torn != 0))
            belay_fail(s, BELAY_APPLICATION, "sum %d, %d below zero, %d torn", (int)sum, (int)below, (int)torn);
    }
    assert_status(s, BELAY_OK);
}

/* What was told as committed is there, what was told as rolled back is not; of the rest both may be. */
static void check_told(belay_session *s, const witness *w)
{
    int missing = 0, unwanted = 0;
    static bool stored[sizeof w->told];
    BELAY_EACH(row, s, "SELECT id FROM transfer")
        stored[belay_int(row, 0)] = true;
    assert_status(s, BELAY_OK);
    for (size_t i = 0; i < sizeof w->told; i++) {
        missing += w->told[i] && w->committed[i] && !stored[i];
        unwanted += w->told[i] && !w->committed[i] && stored[i];
    }
    assert_int_equal(missing, 0);
    assert_int_equal(unwanted, 0);
}

static void killed_processes_leave_whole_transfers_and_nothing_else(void **state)
{
    static witness w;
    database d;
    (void)state;
    database_open(&d, NULL);
    database_run(d.s, tables);
    for (int round = 0; round < ROUNDS; round++) {
        assert_int_equal(belay_session_close(d.s), BELAY_OK);
        belay_close(d.db);
        run_round(d.url, round, &w);
        d.db = belay_open(d.url, NULL);
        d.s = belay_session_open(d.db);
        check_tables(d.s);
    }
    assert_int_equal(w.wrong, 0);
    assert_int_equal(w.kills, ROUNDS * PROCESSES);
    assert_true(w.units >= ROUNDS * PROCESSES);
    check_told(d.s, &w);
    assert_int_equal(belay_exec(d.s, "UPDATE account SET balance = balance + 0"), BELAY_OK); /* no lock was left */
    assert_int_equal(database_close(&d), BELAY_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_processes_leave_whole_transfers_and_nothing_else),
    };
    return cmocka_run_group_tests_name("killed clients", tests, NULL, NULL);
}
