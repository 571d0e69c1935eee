/*
 * expense_file - loads a CSV file of expenses: see expense_file.h.
 *
 * Nothing is decided here: what counts as written as a number or a day is Belay's
 * business, and the tables' whether an id is taken, a user known, a value missing,
 * an amount likely.
 */
#define _POSIX_C_SOURCE 200809L /* getline */

#include "expense_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include <belay/import.h>

#include "budget_rules.h"

/* ---- Refused lines --------------------------------------------------------------------------- */

/* For a terminal: a character that is not printable ASCII becomes a question mark, and a line end the end. */
static void copy_plain(char *out, size_t room, const char *text, size_t size)
{
    size_t count = 0;

    for (size_t i = 0; i < size && text[i] != '\r' && text[i] != '\n' && count + 1 < room; i++)
        if (((unsigned char)text[i] & 0xc0) != 0x80) /* a character of UTF-8 is counted once, where it begins */
            out[count++] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
    out[count] = '\0';
}

static bool make_room(load_report *report)
{
    if (report->refused_count < report->capacity)
        return true;
    size_t capacity = report->capacity ? report->capacity * 2 : 32;
    refused_line *grown = realloc(report->refused, capacity * sizeof *grown);

    report->no_memory |= !grown;
    if (!grown)
        return false;
    report->refused = grown;
    report->capacity = capacity;
    return true;
}

/* belay_import tells each refused line, in the order of the file. */
static void remember(void *arg, const belay_import_reject *reject)
{
    load_report *report = arg;

    if (!make_room(report))
        return;
    refused_line *refused = &report->refused[report->refused_count++];
    refused->number = (long)reject->line;
    refused->code = reject->error->code;
    copy_plain(refused->reason, sizeof refused->reason, reject->error->message, strlen(reject->error->message));
    copy_plain(refused->record, sizeof refused->record, reject->raw, reject->raw_size);
}

/* ---- The file -------------------------------------------------------------------------------- */

belay_code expense_file_load(belay_session *s, const char *path, load_report *report)
{
    static const char *const map[] = {
        "id=id", "day=day", "user_name=user", "category=category", "description=description", "amount=amount"};
    belay_import_report imported = {0};

    *report = (load_report){0};
    BELAY_ATOMIC(s) {
        belay_import(s,
                     &BELAY_IMPORT_SPEC(.path = path, .table = "expense_line", .map = map,
                                        .map_count = sizeof map / sizeof *map, .on_reject = remember, .arg = report),
                     &imported);
        if (report->no_memory)
            belay_fail(s, BELAY_NO_MEMORY, "no memory for the report");
        budget_book_lines(s);
    }
    report->read = (long)imported.counts.read;
    report->kept = (long)imported.counts.inserted;
    return belay_status(s);
}

/* The amount at the end of a good line, in cents. */
static bool read_cents(const char *line, int64_t *out)
{
    const char *comma = strrchr(line, ',');
    char *end = NULL;
    double amount = comma ? strtod(comma + 1, &end) : 0;

    *out = (int64_t)(amount * 100 + 0.5);
    return comma && end != comma + 1 && (*end == '\0' || *end == '\r' || *end == '\n');
}

/* A good line is a record: none has a line end in quotes. */
static bool sum_lines(FILE *file, const load_report *report, long *out_lines, int64_t *out_cents)
{
    char *line = NULL;
    size_t room = 0, next = 0;
    bool good = true;

    for (long number = 1; good && getline(&line, &room, file) >= 0; number++) {
        int64_t cents = 0;
        bool refused = next < report->refused_count && report->refused[next].number == number;

        next += refused;
        if (refused || number == 1) /* the header */
            continue;
        good = read_cents(line, &cents);
        *out_lines += 1;
        *out_cents += cents;
    }
    free(line);
    return good && !ferror(file) && next == report->refused_count;
}

bool expense_file_sum(const char *path, const load_report *report, long *out_lines, int64_t *out_cents)
{
    FILE *file = fopen(path, "rb");
    *out_lines = 0;
    *out_cents = 0;
    bool good = file && sum_lines(file, report, out_lines, out_cents);

    if (file)
        fclose(file);
    return good;
}

/* ---- The report ------------------------------------------------------------------------------ */

/* A foreign key's error does not say on every engine which name is not known. */
static void print_refused(const refused_line *line)
{
    printf("    line %5ld  %s\n", line->number, line->reason);
    if (line->code == BELAY_FOREIGN_KEY)
        printf("                in %s\n", line->record);
}

static void print_refused_with(const load_report *report, belay_code code)
{
    long count = 0;

    for (size_t i = 0; i < report->refused_count; i++)
        count += report->refused[i].code == code;
    printf("\n  %s: %s, %ld line%s\n", belay_code_name(code), belay_code_text(code), count, count == 1 ? "" : "s");
    for (size_t i = 0; i < report->refused_count; i++) {
        if (report->refused[i].code == code)
            print_refused(&report->refused[i]);
    }
}

void load_report_print(const load_report *report)
{
    bool printed[BELAY_ANY] = {false};

    for (size_t i = 0; i < report->refused_count; i++) {
        belay_code code = report->refused[i].code;

        if (!printed[code])
            print_refused_with(report, code);
        printed[code] = true;
    }
}

void load_report_done(load_report *report)
{
    free(report->refused);
    *report = (load_report){0};
}
