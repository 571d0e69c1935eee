/*
 * bank_check - proves the promises of the bank: see bank.c.
 *
 * No worker may run meanwhile: a transfer that began after the journal was read
 * would look like one that was never attempted.
 */
#define _POSIX_C_SOURCE 200809L /* strtok_r */

#include "bank.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum note_kind { TRY, OK, NO, UNKNOWN } note_kind;

typedef struct journal_note {
    const char *id; /* into the journal's text */
    note_kind kind;
    bool stored; /* of a TRY: the transfer is in the table */
    int64_t source, target, amount;
} journal_note;

typedef struct journal {
    char *text;
    journal_note *notes; /* by id, then kind */
    size_t count;
} journal;

typedef enum promise { SUM, FLOOR, KEPT, WHOLE, NOTHING_ELSE, PROMISES } promise; /* as numbered in bank.c */

typedef struct account {
    int64_t opening, balance, moved;
} account;

typedef struct audit {
    const bank_options *options;
    journal journal;
    account *accounts; /* that of id 1 is the first */
    int64_t count;
    int64_t transfers;
    long broken[PROMISES]; /* how many times */
} audit;

static const char *const promises[PROMISES] = {
    [SUM] = "the sum over all accounts is what it was",
    [FLOOR] = "no account is below zero",
    [KEPT] = "every transfer that was reported as committed is there, once",
    [WHOLE] = "the balances are the opening balances plus the transfers that are there",
    [NOTHING_ELSE] = "nothing is there that was not attempted, or was reported as rolled back",
};

__attribute__((format(printf, 3, 4))) static void broken(audit *a, promise p, const char *format, ...)
{
    va_list arguments;

    if (++a->broken[p] > 20)
        return; /* counted, but twenty of a kind will do */
    va_start(arguments, format);
    printf("  BROKEN  %d. ", (int)p + 1);
    vprintf(format, arguments);
    printf("\n");
    va_end(arguments);
}

static bool judge(const audit *a)
{
    long all = 0;

    for (int p = 0; p < PROMISES; p++) {
        bool needs_journal = p == KEPT || p == NOTHING_ELSE;

        all += a->broken[p];
        if (a->broken[p])
            printf("  BROKEN  %d. %s: %ld times not\n", p + 1, promises[p], a->broken[p]);
        else if (!a->options->quiet && (a->options->journal || !needs_journal))
            printf("  holds   %d. %s\n", p + 1, promises[p]);
        else if (!a->options->quiet)
            printf("  -       %d. can't be told without a journal\n", p + 1);
    }
    return all == 0;
}

/* ---- The journal ----------------------------------------------------------------------------- */

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    size_t size = 0, capacity = 1 << 16;
    char *text = file ? malloc(capacity + 1) : NULL;

    while (text) {
        size += fread(text + size, 1, capacity - size, file);
        if (size < capacity)
            break;
        char *grown = realloc(text, 2 * capacity + 1);
        if (!grown)
            free(text);
        text = grown;
        capacity *= 2;
    }
    if (text)
        text[size] = '\0';
    if (!text || ferror(file))
        perror(path);
    if (file)
        fclose(file);
    return text;
}

static bool parse_note(char *line, journal_note *out)
{
    static const char *const kinds[] = {[TRY] = "try", [OK] = "ok", [NO] = "no", [UNKNOWN] = "unknown"};
    char *rest = NULL, *kind = strtok_r(line, " ", &rest), *numbers;

    *out = (journal_note){.id = strtok_r(NULL, " ", &rest)};
    while (kind && out->kind <= UNKNOWN && strcmp(kinds[out->kind], kind) != 0)
        out->kind++;
    if (!kind || !out->id || out->kind > UNKNOWN)
        return false;
    numbers = rest;
    return out->kind != TRY ||
           sscanf(numbers, "%" SCNd64 " %" SCNd64 " %" SCNd64, &out->source, &out->target, &out->amount) == 3;
}

static int compare_notes(const void *a, const void *b)
{
    const journal_note *left = a, *right = b;
    int order = strcmp(left->id, right->id);

    return order ? order : (int)left->kind - (int)right->kind;
}

static bool read_journal(journal *j, const char *path)
{
    size_t lines = 0;
    char *rest = NULL;

    j->text = read_file(path);
    for (const char *c = j->text; c && *c; c++)
        lines += *c == '\n';
    j->notes = j->text ? calloc(lines + 1, sizeof *j->notes) : NULL;
    if (!j->notes)
        return false;
    for (char *line = strtok_r(j->text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        if (j->count > lines || !parse_note(line, &j->notes[j->count++])) {
            printf("  The journal %s has a line that is none of its own, after %zu others.\n", path, j->count - 1);
            return false;
        }
    qsort(j->notes, j->count, sizeof *j->notes, compare_notes);
    return true;
}

/* The first note of that id, which is its TRY; NULL when it was never attempted. */
static journal_note *find_try(const journal *j, const char *id)
{
    journal_note key = {.id = id, .kind = TRY};

    return bsearch(&key, j->notes, j->count, sizeof key, compare_notes);
}

/* ---- The tables ------------------------------------------------------------------------------ */

static void read_accounts(audit *a, belay_session *s)
{
    a->count = belay_int_of(s, "SELECT count(*) FROM account");
    free(a->accounts); /* a block may run again */
    a->accounts = calloc((size_t)a->count + 1, sizeof *a->accounts);
    if (a->count == 0)
        belay_fail(s, BELAY_NOT_FOUND, "there are no accounts");
    if (!a->accounts) {
        belay_fail(s, BELAY_NO_MEMORY, "no memory for %" PRId64 " accounts", a->count);
        return;
    }
    BELAY_EACH(row, s, "SELECT id, opening, balance FROM account") {
        int64_t id = belay_int(row, 0);

        if (id < 1 || id > a->count)
            belay_fail(s, BELAY_DATA, "there is an account %" PRId64 " that this program did not make", id);
        else
            a->accounts[id - 1] = (account){belay_int(row, 1), belay_int(row, 2), 0};
    }
}

/* A transfer that is in the table, and what the journal says about it. */
static void match(audit *a, const char *id, int64_t source, int64_t target, int64_t amount)
{
    const journal *j = &a->journal;
    journal_note *found = find_try(j, id);

    if (!found) {
        broken(a, NOTHING_ELSE, "transfer %s is there, but was never attempted", id);
        return;
    }
    if (found->stored)
        broken(a, KEPT, "transfer %s is there twice", id);
    found->stored = true;
    if (found->source != source || found->target != target || found->amount != amount)
        broken(a, NOTHING_ELSE, "transfer %s is there, but not as it was attempted", id);
    for (const journal_note *n = found; n < j->notes + j->count && strcmp(n->id, id) == 0; n++)
        if (n->kind == NO)
            broken(a, NOTHING_ELSE, "transfer %s is there, but was reported as rolled back", id);
}

static void read_transfers(audit *a, belay_session *s)
{
    belay_rows *row = belay_stream(s, "SELECT id, source, target, amount FROM transfer");

    for (; belay_next(row); a->transfers++) {
        int64_t source = belay_int(row, 1), target = belay_int(row, 2), amount = belay_int(row, 3);

        if (source < 1 || source > a->count || target < 1 || target > a->count) {
            broken(a, WHOLE, "transfer %s is between accounts that aren't there", belay_str(row, 0));
            continue;
        }
        a->accounts[source - 1].moved -= amount;
        a->accounts[target - 1].moved += amount;
        if (a->journal.notes)
            match(a, belay_str(row, 0), source, target, amount);
    }
    belay_rows_close(row);
}

/* Both tables as they are at one moment. */
static bool read_tables(audit *a, belay_session *s)
{
    BELAY_ATOMIC_WITH(s, .name = "check", .read_only = true, .isolation = BELAY_REPEATABLE_READ) {
        read_accounts(a, s);
        if (belay_status(s) == BELAY_OK)
            read_transfers(a, s);
    }
    if (belay_status(s) != BELAY_OK)
        printf("  The tables could not be read: %s\n", belay_message(s));
    return belay_status(s) == BELAY_OK;
}

/* ---- The promises ---------------------------------------------------------------------------- */

static void check_balances(audit *a)
{
    int64_t opening = 0, now = 0;

    for (int64_t i = 0; i < a->count; i++) {
        opening += a->accounts[i].opening;
        now += a->accounts[i].balance;
    }
    if (now != opening)
        broken(a, SUM, "the sum was %" PRId64 ", and is %" PRId64, opening, now);

    for (int64_t i = 0; i < a->count; i++)
        if (a->accounts[i].balance < 0)
            broken(a, FLOOR, "account %" PRId64 " has %" PRId64, i + 1, a->accounts[i].balance);

    for (int64_t i = 0; i < a->count; i++) {
        const account *one = &a->accounts[i];

        if (one->opening + one->moved != one->balance)
            broken(a, WHOLE, "account %" PRId64 " has %" PRId64 ", but its transfers make %" PRId64, i + 1,
                   one->balance, one->opening + one->moved);
    }
}

static void check_acknowledged(audit *a)
{
    const journal *j = &a->journal;
    size_t tried = 0, ok = 0, no = 0;

    for (size_t i = 0; i < j->count; i++) {
        const journal_note *n = &j->notes[i];
        const journal_note *found = n->kind == OK ? find_try(j, n->id) : NULL;

        tried += n->kind == TRY;
        ok += n->kind == OK;
        no += n->kind == NO;
        if (n->kind == OK && !(found && found->stored))
            broken(a, KEPT, "transfer %s was reported as committed, and is not there", n->id);
    }
    if (a->options->journal && !a->options->quiet)
        printf("  The journal has %zu attempts: %zu committed, %zu rolled back, %zu cut off or unknown.\n", tried, ok,
               no, tried - ok - no);
}

bool bank_check(const bank_options *o)
{
    audit a = {.options = o};
    belay_db *db = belay_open(o->url, NULL);
    belay_session *s = belay_session_open(db);

    if (!o->quiet)
        printf("Check:\n");
    bool right = (!o->journal || read_journal(&a.journal, o->journal)) && read_tables(&a, s);
    if (right) {
        check_balances(&a);
        check_acknowledged(&a);
        right = judge(&a);
        if (!o->quiet)
            printf("  The tables have %" PRId64 " accounts and %" PRId64 " transfers.\n", a.count, a.transfers);
    }
    belay_session_close(s);
    belay_close(db);
    free(a.accounts);
    free(a.journal.notes);
    free(a.journal.text);
    return right;
}
