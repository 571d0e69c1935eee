/*
 * bank - transfers between accounts, from many threads and processes at once.
 *
 *     bank [URL] [--threads N] [--processes N] [--seconds S] [--accounts N]
 *          [--journal FILE] [--quiet] [--init] [--run] [--check]
 *
 * Shows transfers with retries, and proves what they promise: whatever happens,
 * be it a conflict, a refused transfer or SIGKILL in the middle of one,
 *
 *     1. the sum over all accounts never changes,
 *     2. no account is below zero,
 *     3. every transfer that was reported as committed is there, once,
 *     4. the balances are the opening balances plus the transfers that are there,
 *     5. nothing is there that was not attempted, or was reported as rolled back.
 *
 * --init makes the tables anew (and empties the journal), --run lets the workers
 * transfer for some seconds, --check verifies. Without any of the three, all of
 * them are done. The URL's default is an SQLite file in the temporary directory,
 * removed in the end. Runs may follow each other on one database and journal.
 *
 * A crash test: --init once; then --run in the background, killed at any moment,
 * as often as one likes; then, when its processes are gone, --check. The workers
 * are in bank_run.c, the checks in bank_check.c.
 *
 * Exit status: 0 all is well, 1 a promise is broken or could not be checked,
 * 2 wrong arguments.
 */
#define _POSIX_C_SOURCE 200809L /* mkstemp, ftruncate */

#include "bank.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- The tables ------------------------------------------------------------------------------ */

static const char *const tables[] = {
    "DROP TABLE IF EXISTS transfer",
    "DROP TABLE IF EXISTS account",
    "CREATE TABLE account ("
    " id INTEGER PRIMARY KEY,"
    " opening BIGINT NOT NULL,"
    " balance BIGINT NOT NULL,"
    " CONSTRAINT balance_not_negative CHECK (balance >= 0))",
    "CREATE TABLE transfer ("
    " id VARCHAR(91) NOT NULL PRIMARY KEY,"
    " worker VARCHAR(67) NOT NULL,"
    " source INTEGER NOT NULL,"
    " target INTEGER NOT NULL,"
    " amount BIGINT NOT NULL,"
    " CONSTRAINT amount_is_positive CHECK (amount > 0),"
    " FOREIGN KEY (source) REFERENCES account (id),"
    " FOREIGN KEY (target) REFERENCES account (id))",
};

static belay_code make_tables(belay_session *s, int accounts)
{
    enum { OPENING = 100000 }; /* cents */

    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        if (belay_exec(s, tables[i]) != BELAY_OK)
            return belay_status(s);
    BELAY_ATOMIC(s) {
        for (int id = 1; id <= accounts; id++)
            belay_exec(s, "INSERT INTO account (id, opening, balance) VALUES (?, ?, ?)", id, OPENING, OPENING);
    }
    return belay_status(s);
}

static bool empty_journal(const char *path)
{
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

    if (file < 0)
        perror(path);
    return file >= 0 && close(file) == 0;
}

bool bank_init(const bank_options *o)
{
    belay_db *db = belay_open(o->url, NULL);
    belay_session *s = belay_session_open(db);
    bool made = make_tables(s, o->accounts) == BELAY_OK;

    if (!made)
        printf("The tables could not be made: %s\n", belay_message(s));
    else if (!o->quiet)
        printf("Made %d accounts with 1000.00 each.\n", o->accounts);
    belay_session_close(s);
    belay_close(db);
    return made && (!o->journal || empty_journal(o->journal));
}

/* ---- The arguments --------------------------------------------------------------------------- */

static int usage(const char *program, const char *problem, const char *argument)
{
    fprintf(stderr, "%s: %s%s\n", program, problem, argument);
    fprintf(stderr,
            "usage: %s [URL] [--threads N] [--processes N] [--seconds S] [--accounts N]\n"
            "       [--journal FILE] [--quiet] [--init] [--run] [--check]\n",
            program);
    return 2;
}

static bool read_number(const char *text, int least, int most, int *out)
{
    char *end;
    long number = text && *text >= '0' && *text <= '9' ? strtol(text, &end, 10) : -1;

    if (number < least || number > most || *end)
        return false;
    *out = (int)number;
    return true;
}

static bool read_flag(const char *name, bank_options *o)
{
    bool *flag = strcmp(name, "--quiet") == 0   ? &o->quiet
                 : strcmp(name, "--init") == 0  ? &o->init
                 : strcmp(name, "--run") == 0   ? &o->run
                 : strcmp(name, "--check") == 0 ? &o->check
                                                : NULL;
    if (flag)
        *flag = true;
    return flag != NULL;
}

static bool read_value(const char *name, const char *value, bank_options *o)
{
    if (strcmp(name, "--threads") == 0)
        return read_number(value, 1, 256, &o->threads);
    if (strcmp(name, "--processes") == 0)
        return read_number(value, 1, 256, &o->processes);
    if (strcmp(name, "--seconds") == 0)
        return read_number(value, 0, 1000000, &o->seconds);
    if (strcmp(name, "--accounts") == 0)
        return read_number(value, 2, 1000000, &o->accounts);
    if (strcmp(name, "--journal") == 0)
        o->journal = value;
    return value && o->journal == value;
}

/* 0, or the exit status for wrong arguments. */
static int read_arguments(int argc, char **argv, bank_options *o)
{
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] != '-' && !o->url)
            o->url = argv[i];
        else if (!read_flag(argv[i], o)) {
            if (!read_value(argv[i], argv[i + 1], o))
                return usage(argv[0], "this can't be understood: ", argv[i]);
            i++;
        }
    }
    if (o->url && strncmp(o->url, "sqlite::memory:", 15) == 0)
        return usage(argv[0], "a database in memory can't be shared by several connections", "");
    if (!o->url && (o->init || o->run || o->check))
        return usage(argv[0], "the steps need the URL of a database that stays", "");
    if (!o->init && !o->run && !o->check)
        o->init = o->run = o->check = true;
    return 0;
}

/* ---- Temporary files ------------------------------------------------------------------------- */

typedef struct temporary {
    char path[2][256]; /* the journal and the database; empty when they are not ours */
    char url[300];
} temporary;

static bool make_file(char *path, size_t size, const char *name)
{
    const char *directory = getenv("TMPDIR");
    int length = snprintf(path, size, "%s/%s-XXXXXX", directory ? directory : "/tmp", name);
    int file = length > 0 && (size_t)length < size ? mkstemp(path) : -1;

    if (file < 0) {
        perror("no temporary file");
        *path = '\0';
    }
    return file >= 0 && close(file) == 0;
}

static bool fill_in(bank_options *o, temporary *t)
{
    if (!o->url) {
        if (!make_file(t->path[1], sizeof t->path[1], "bank"))
            return false;
        snprintf(t->url, sizeof t->url, "sqlite:%s", t->path[1]);
        o->url = t->url;
    }
    if (!o->journal && o->init && o->run && o->check) {
        if (!make_file(t->path[0], sizeof t->path[0], "bank-journal"))
            return false;
        o->journal = t->path[0];
    }
    return true;
}

static void remove_files(const temporary *t)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    char path[300];

    for (size_t i = 0; i < 2; i++)
        for (size_t end = 0; *t->path[i] && end < (i == 1 ? 3 : 1); end++) {
            snprintf(path, sizeof path, "%s%s", t->path[i], ends[end]);
            unlink(path);
        }
}

int main(int argc, char **argv)
{
    bank_options o = {.threads = 4, .processes = 2, .seconds = 2, .accounts = 20};
    temporary t = {0};
    int wrong = read_arguments(argc, argv, &o);

    if (wrong)
        return wrong;
    bool right = fill_in(&o, &t);
    right = right && (!o.init || bank_init(&o));
    bool ran = right && (!o.run || bank_run(&o));
    right = right && (!o.check || bank_check(&o)) && ran; /* checked also when a worker was killed */
    remove_files(&t);
    if (!o.quiet || !right)
        printf("%s\n", right ? "All is well." : "NOT all is well.");
    return right ? 0 : 1;
}
