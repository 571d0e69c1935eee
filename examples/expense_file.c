/*
 * expense_file - loads a CSV file of expenses: see expense_file.h.
 *
 * Here only what text can be a number or a day is decided. Whether the id is
 * taken, the user and the category are known, a value is missing or the amount
 * makes sense is the tables' own business, and Belay's that a text is UTF-8.
 */
#include "expense_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "budget_rules.h"
#include "csv_lines.h"

static const char *const columns[] = {"id", "day", "user", "category", "description", "amount"};
enum { ID, DAY, USER, CATEGORY, DESCRIPTION, AMOUNT, COLUMNS };

/* ---- From text to values --------------------------------------------------------------------- */

/* A field for a message: printable ASCII as it is, any other character as a question mark, cut when it is long. */
static const char *shown(const char *text, char out[40])
{
    size_t size = 0;

    for (; *text && size < 36; text++)
        if (((unsigned char)*text & 0xc0) != 0x80) /* a character of UTF-8 is counted once, where it begins */
            out[size++] = *text >= ' ' && *text <= '~' ? *text : '?';
    memcpy(out + size, *text ? "..." : "", *text ? 4 : 1);
    return out;
}

/* Reads up to 12 digits. Returns where they end; NULL when there are none, or more. */
static const char *parse_digits(const char *text, int64_t *out)
{
    size_t count = strspn(text, "0123456789");

    *out = 0;
    if (count == 0 || count > 12)
        return NULL;
    for (size_t i = 0; i < count; i++)
        *out = *out * 10 + (text[i] - '0');
    return text + count;
}

static bool parse_id(const char *text, int64_t *out)
{
    const char *end = parse_digits(text, out);

    return end && *end == '\0';
}

/* "12", "12.5" or "12.50", with an optional minus sign, as cents. No float is involved: 0.10 is 10. */
static bool parse_cents(const char *text, int64_t *out)
{
    bool negative = *text == '-';
    int64_t whole = 0, part = 0;
    const char *end = parse_digits(negative ? text + 1 : text, &whole);

    if (end && *end == '.') {
        const char *point = end;
        end = parse_digits(point + 1, &part);
        if (!end || end - point > 3)
            return false;
        part *= end - point == 2 ? 10 : 1;
    }
    *out = negative ? -(whole * 100 + part) : whole * 100 + part;
    return end && *end == '\0';
}

static bool parse_day(const char *text)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    static const char digits[] = "0123456789";
    int64_t year = 0, month = 0, day = 0;

    if (strlen(text) != 10 || text[4] != '-' || text[7] != '-')
        return false;
    if (strspn(text, digits) != 4 || strspn(text + 5, digits) != 2 || strspn(text + 8, digits) != 2)
        return false;
    parse_digits(text, &year);
    parse_digits(text + 5, &month);
    parse_digits(text + 8, &day);
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month >= 1 && month <= 12 && day >= 1 && day <= days[month - 1] + (month == 2 && leap);
}

static const char *or_null(const char *text)
{
    return *text ? text : NULL;
}

/* ---- One line -------------------------------------------------------------------------------- */

static void require_shape(belay_session *s, const csv_line *line)
{
    if (line->problem)
        belay_fail(s, BELAY_DATA, "%s", line->problem);
    else if (line->count != COLUMNS)
        belay_fail(s, BELAY_DATA, "%d field%s instead of %d", line->count, line->count == 1 ? "" : "s", COLUMNS);
}

/* The table's own NOT NULL says so of the texts; of what is not bound as a text it has to be said here. */
static void require_value(belay_session *s, const csv_line *line, int column)
{
    if (!*line->field[column])
        belay_fail(s, BELAY_NOT_NULL, "the %s is missing", columns[column]);
}

/* Adds the expense on a line, or raises why it can't be one. Of several errors the first is kept. */
static void add_line(belay_session *s, const csv_line *line)
{
    char text[40];
    int64_t id = 0, cents = 0;

    require_shape(s, line);
    if (belay_status(s) != BELAY_OK)
        return;
    require_value(s, line, ID);
    if (!parse_id(line->field[ID], &id))
        belay_fail(s, BELAY_DATA, "the id \"%s\" is not a whole number", shown(line->field[ID], text));
    require_value(s, line, DAY);
    if (!parse_day(line->field[DAY]))
        belay_fail(s, BELAY_DATA, "the day \"%s\" is not in the calendar, as YYYY-MM-DD",
                   shown(line->field[DAY], text));
    require_value(s, line, AMOUNT);
    if (!parse_cents(line->field[AMOUNT], &cents))
        belay_fail(s, BELAY_DATA, "the amount \"%s\" is not a number such as 12.50", shown(line->field[AMOUNT], text));

    budget_add_expense(s, &(budget_expense){id, or_null(line->field[USER]), or_null(line->field[CATEGORY]),
                                            line->field[DAY], or_null(line->field[DESCRIPTION]), cents});
}

/* What a line can be blamed for. A full disk or a lost connection is no line's fault, and ends the whole unit. */
static bool catch_bad_line(belay_session *s)
{
    return belay_catch(s, BELAY_DATA) || belay_catch(s, BELAY_INTEGRITY) || belay_catch(s, BELAY_NOT_FOUND);
}

static void remember(belay_session *s, load_report *report, long number, const belay_error *error)
{
    if (report->refused_count == report->capacity) {
        size_t capacity = report->capacity ? report->capacity * 2 : 32;
        refused_line *grown = realloc(report->refused, capacity * sizeof *grown);

        if (!grown) {
            belay_fail(s, BELAY_NO_MEMORY, "no memory for the report");
            return;
        }
        report->refused = grown;
        report->capacity = capacity;
    }
    refused_line *refused = &report->refused[report->refused_count++];
    refused->number = number;
    refused->code = error->code;
    snprintf(refused->reason, sizeof refused->reason, "%s", error->message);
    for (char *c = refused->reason; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?'; /* a name from the file must not command the terminal */
}

static void load_line(belay_session *s, const csv_line *line, load_report *report)
{
    BELAY_ATOMIC(s)
        add_line(s, line);

    report->read++;
    if (belay_status(s) == BELAY_OK)
        report->kept++;
    else if (catch_bad_line(s))
        remember(s, report, line->number, belay_caught(s));
}

/* ---- The file -------------------------------------------------------------------------------- */

static void check_header(belay_session *s, const csv_line *header)
{
    bool right = header && !header->problem && header->count == COLUMNS;

    for (int i = 0; right && i < COLUMNS; i++)
        right = strcmp(header->field[i], columns[i]) == 0;
    if (!right)
        belay_fail(s, BELAY_DATA, "the first line is not id,day,user,category,description,amount");
}

belay_code expense_file_load(belay_session *s, const char *path, load_report *report)
{
    csv_file file;

    *report = (load_report){0};
    if (!csv_open(&file, path))
        return belay_fail(s, BELAY_IO, "the file can't be opened: %s", path);
    BELAY_ATOMIC(s) {
        const csv_line *line;

        check_header(s, csv_next(&file));
        while (belay_status(s) == BELAY_OK && (line = csv_next(&file)) != NULL)
            load_line(s, line, report);
        if (belay_status(s) == BELAY_OK && csv_failed(&file))
            belay_fail(s, BELAY_IO, "the file can't be read to its end: %s", path);
    }
    csv_close(&file);
    return belay_status(s);
}

bool expense_file_sum(const char *path, const load_report *report, long *out_lines, int64_t *out_cents)
{
    csv_file file;
    const csv_line *line;
    size_t next = 0;
    bool good = csv_open(&file, path) && csv_next(&file);

    *out_lines = 0;
    *out_cents = 0;
    while (good && (line = csv_next(&file)) != NULL) {
        int64_t cents = 0;

        if (next < report->refused_count && report->refused[next].number == line->number) {
            next++;
            continue;
        }
        good = !line->problem && line->count == COLUMNS && parse_cents(line->field[AMOUNT], &cents);
        *out_lines += 1;
        *out_cents += cents;
    }
    good = good && !csv_failed(&file) && next == report->refused_count;
    csv_close(&file);
    return good;
}

/* ---- The report ------------------------------------------------------------------------------ */

static void print_refused_with(const load_report *report, belay_code code)
{
    long count = 0;

    for (size_t i = 0; i < report->refused_count; i++)
        count += report->refused[i].code == code;
    printf("\n  %s: %s, %ld line%s\n", belay_code_name(code), belay_code_text(code), count, count == 1 ? "" : "s");
    for (size_t i = 0; i < report->refused_count; i++) {
        if (report->refused[i].code == code)
            printf("    line %5ld  %s\n", report->refused[i].number, report->refused[i].reason);
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
