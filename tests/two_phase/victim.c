/*
 * two_phase_victim - a program with units over two databases, which dies between two of its steps.
 *
 *     two_phase_victim make URL URL              makes the accounts: account_a and account_b
 *     two_phase_victim URL URL LOG NUMBER        kills itself after that step; 0: never, and does unit after unit
 *     two_phase_victim URL URL LOG STEP [stop]   after "prepare of the second" or the like, of the second phase; with
 *                                                `stop` it only stops, and goes on when it is told to
 *
 * Each unit moves 1 from account 1 of the first to account 1 of the second; with `stop` 130, each in a scope inside the
 * one before, which are more savepoints than PostgreSQL keeps in memory. It says on its standard output after which
 * step it dies, and how each unit has ended. Steps are what a trace tells; the log's are told as well.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <belay/belay.h>

#include "db.h"
#include "decisions.h"

enum { DEPTH = 130 };

typedef struct victim {
    int at, seen;     /* after which event it dies; 0: after none */
    const char *step; /* or after which step of the second phase; NULL: none */
    bool prepared;    /* something is */
    int by;           /* which signal */
} victim;

typedef struct source {
    victim *self;
    const char *name;
} source;

static void say(const char *text)
{
    if (write(STDOUT_FILENO, text, strlen(text)) < 0)
        _exit(1);
}

static void die_there(void *arg, const belay_trace_event *event)
{
    char step[64], line[80];
    source *from = arg;
    victim *self = from->self;
    self->prepared |= event->kind == BELAY_TRACE_PREPARE;
    snprintf(step, sizeof step, "%s of the %s", belay_trace_kind_name(event->kind), from->name);
    if (self->step ? !self->prepared || strcmp(step, self->step) != 0 : ++self->seen != self->at)
        return;
    self->step = self->step ? "" : NULL; /* once */
    snprintf(line, sizeof line, "after %s\n", step);
    say(line);
    kill(getpid(), self->by);
}

static int take(belay_session *a, void *arg)
{
    int *left = arg;
    belay_exec(a, "UPDATE account_a SET balance = balance - 1 WHERE id = 1");
    return --*left > 0 ? belay_atomic(a, NULL, take, arg) != BELAY_OK : 0;
}

static int move(belay_session *a, belay_session *b, void *arg)
{
    int amount = *(int *)arg, left = amount;
    take(a, &left);
    belay_exec(b, "UPDATE account_b SET balance = balance + ? WHERE id = 1", amount);
    return 0;
}

/* One unit when it dies by itself, else for ever. */
static bool work(belay_db *dbs[2], int amount, bool for_ever)
{
    char line[64];
    belay_session *a = belay_session_open(dbs[0]), *b = belay_session_open(dbs[1]);
    belay_code code = BELAY_OK;
    do {
        code = belay_commit_two_phase(a, b, move, &amount);
        snprintf(line, sizeof line, "%s\n", code == BELAY_OK ? "committed" : belay_code_name(code));
        say(line);
    } while (code == BELAY_OK && for_ever);
    belay_session_close(a);
    belay_session_close(b);
    return code == BELAY_OK;
}

static int run(char **words)
{
    char *end;
    belay_db *dbs[2];
    victim self = {.at = (int)strtol(words[3], &end, 10), .by = words[4] ? SIGSTOP : SIGKILL};
    source from[] = {{&self, "first"}, {&self, "second"}, {&self, "log"}};
    if (*end)
        self.step = words[3];
    for (int i = 0; i < 2; i++)
        dbs[i] =
            belay_open(words[i], BELAY_DB_OPTIONS(.decision_log = words[2], .trace = die_there, .trace_arg = &from[i]));
    belay_db *log = belayi_decisions_log_of(dbs[0]);
    log->trace = (belayi_trace){.write = die_there, .arg = &from[2]};
    bool committed = work(dbs, words[4] ? DEPTH : 1, !self.step && self.at == 0);
    belay_close(dbs[0]);
    belay_close(dbs[1]);
    return !committed;
}

static const char *const tables[][3] = {
    {"DROP TABLE IF EXISTS account_a", "CREATE TABLE account_a (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL)",
     "INSERT INTO account_a (id, balance) VALUES (1, 100000)"},
    {"DROP TABLE IF EXISTS account_b", "CREATE TABLE account_b (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL)",
     "INSERT INTO account_b (id, balance) VALUES (1, 1000)"},
};

static int make(char **urls)
{
    belay_code code = BELAY_OK;
    for (int i = 0; i < 2 && code == BELAY_OK; i++) {
        belay_db *db = belay_open(urls[i], NULL);
        belay_session *s = belay_session_open(db);
        for (int n = 0; n < 3 && code == BELAY_OK; n++)
            code = belay_exec(s, tables[i][n]);
        if (code != BELAY_OK)
            fprintf(stderr, "%s\n", belay_message(s));
        belay_session_close(s);
        belay_close(db);
    }
    return code != BELAY_OK;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "make") == 0)
        return make(argv + 2);
    return argc == 5 || argc == 6 ? run(argv + 1) : 2;
}
