/*
 * main_job - a month-end job that survives bad data and failing steps.
 *
 * It imports a CSV file of expenses with malformed lines among them, moves money
 * between categories, merges two of them, and shows the same failing transfer
 * with and without a scope. At every step it tells what was kept, what was not
 * and why; in the end it adds everything up a second time, and says so and exits
 * with 1 when a sum does not agree.
 *
 *     main_job CSVFILE URL        or the path of an SQLite file instead of a URL
 *
 * A file is made when it is missing; the tables users, category, expense and
 * expense_line in the database are replaced.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <belay/belay.h>

#include "budget_rules.h"
#include "expense_file.h"

static const char *const users[] = {"Ana", "Bjørn", "Chloé", "Dmitri", "Łucja", "Zoë"};
static const char *const categories[] = {"Clothing", "Coffee",    "Dining", "Gifts",     "Groceries",
                                         "Health",   "Household", "Rent",   "Transport", "Travel"};

static int failures;

/* ---- Printing -------------------------------------------------------------------------------- */

static void heading(const char *text)
{
    static const char rule[] = "----------------------------------------------------------------------";

    printf("\n%s\n%.*s\n\n", text, (int)strlen(text), rule);
}

/* Cents as "-1,234.56", right-aligned in 12 columns. */
static const char *money(int64_t cents, char out[32])
{
    uint64_t rest = cents < 0 ? 0 - (uint64_t)cents : (uint64_t)cents;
    size_t at = 31;

    out[at] = '\0';
    for (int digits = 0; digits < 3 || rest > 0; digits++, rest /= 10) {
        if (digits == 2)
            out[--at] = '.';
        if (digits > 2 && (digits - 2) % 3 == 0)
            out[--at] = ',';
        out[--at] = (char)('0' + rest % 10);
    }
    if (cents < 0)
        out[--at] = '-';
    while (at > 19)
        out[--at] = ' ';
    return out + at;
}

/* A text padded to a width in characters, not bytes: UTF-8 continuation bytes take no room. */
static void print_padded(const char *text, int width)
{
    for (; *text; text++) {
        putchar((unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text);
        width -= ((unsigned char)*text & 0xc0) != 0x80;
    }
    printf("%*s", width > 0 ? width : 0, "");
}

/* A long line of text, broken between words. */
static void print_wrapped(const char *label, const char *text)
{
    int column = printf("  %s", label);

    while (*text) {
        int length = (int)strcspn(text, " ");

        if (column + 1 + length > 84)
            column = printf("\n   ") - 1;
        column += printf(" %.*s", length, text);
        text += length + (text[length] == ' ');
    }
    printf("\n");
}

/* What became of the last unit. */
static void print_outcome(belay_session *s)
{
    if (belay_status(s) == BELAY_OK)
        printf("  Committed.\n");
    else
        print_wrapped("Not committed:", belay_message(s));
}

static void print_total(const char *label, int64_t cents)
{
    char text[32];

    printf("  ");
    print_padded(label, 34);
    printf("%s\n", money(cents, text));
}

static void check(const char *what, bool holds)
{
    printf("  %s  %s\n", holds ? "agrees  " : "DIFFERS ", what);
    failures += !holds;
}

/* ---- Asking the tables ----------------------------------------------------------------------- */

static int64_t total(belay_session *s)
{
    return belay_int_of(s, "SELECT coalesce(sum(amount), 0) FROM expense");
}

static int64_t rows_from(belay_session *s, int64_t id)
{
    return belay_int_of(s, "SELECT count(*) FROM expense WHERE id >= ?", id);
}

static int64_t next_id(belay_session *s)
{
    return belay_int_of(s, "SELECT coalesce(max(id), 0) + 1 FROM expense");
}

/* ---- 1. The file ----------------------------------------------------------------------------- */

static bool set_up(belay_session *s)
{
    if (budget_create_tables(s) == BELAY_OK) {
        BELAY_ATOMIC(s) {
            for (size_t i = 0; i < sizeof users / sizeof *users; i++)
                budget_add_user(s, users[i]);
            for (size_t i = 0; i < sizeof categories / sizeof *categories; i++)
                budget_add_category(s, categories[i]);
        }
    }
    if (belay_status(s) != BELAY_OK)
        printf("The tables could not be made: %s\n", belay_message(s));
    return belay_status(s) == BELAY_OK;
}

static bool load(belay_session *s, const char *path, load_report *report)
{
    heading("1. Load the file");
    printf("belay_import stores each line exactly as it is written, or refuses it alone, with\n"
           "the reason. The good ones are booked and committed together: it is one unit.\n\n");
    if (expense_file_load(s, path, report) != BELAY_OK) {
        printf("  nothing was loaded: %s\n", belay_message(s));
        return false;
    }
    printf("  lines read     %6ld\n  kept           %6ld\n  refused        %6zu\n", report->read, report->kept,
           report->refused_count);
    load_report_print(report);
    return true;
}

/* ---- 2. Transfers ---------------------------------------------------------------------------- */

static void transfer_that_succeeds(belay_session *s)
{
    int64_t id = next_id(s);

    printf("Ana moves 25.00 from Groceries to Travel.\n");
    budget_move(s, &(budget_transfer){id, "Ana", "Groceries", "Travel", "2026-12-31", 2500});
    print_outcome(s);
    check("two rows are there", rows_from(s, id) == 2);
}

static void transfer_that_fails_half_way(belay_session *s)
{
    int64_t id = next_id(s);

    printf("\nZoë moves 40.00 from Gifts to Yachts, a category that isn't there. The first of the\n"
           "two rows can be written, the second can't.\n");
    budget_move(s, &(budget_transfer){id, "Zoë", "Gifts", "Yachts", "2026-12-31", 4000});
    print_outcome(s);
    check("no row is there, not even the first", rows_from(s, id) == 0);
}

static void transfer_that_is_caught(belay_session *s)
{
    int64_t id = next_id(s);

    printf("\nDmitri's three transfers are one unit. The second fails, the unit catches its error\n"
           "and goes on.\n");
    BELAY_ATOMIC(s) {
        budget_move(s, &(budget_transfer){id, "Dmitri", "Dining", "Coffee", "2026-12-31", 1000});
        budget_move(s, &(budget_transfer){id + 2, "Dmitri", "Dining", "Yachts", "2026-12-31", 2000});
        if (belay_catch(s, BELAY_NOT_FOUND))
            printf("  Caught, and left out: %s\n", belay_caught(s)->message);
        budget_move(s, &(budget_transfer){id + 4, "Dmitri", "Dining", "Health", "2026-12-31", 3000});
    }
    print_outcome(s);
    check("the first and the third are there, two rows each", rows_from(s, id) == 4);
}

static void transfers(belay_session *s)
{
    int64_t before = total(s);

    heading("2. Move money between categories");
    printf("A transfer is two rows, -X in one category and +X in another.\n\n");
    transfer_that_succeeds(s);
    transfer_that_fails_half_way(s);
    transfer_that_is_caught(s);
    check("the sum over all rows is what it was", total(s) == before);
}

/* ---- 3. Merge -------------------------------------------------------------------------------- */

static void merge(belay_session *s)
{
    int64_t before = total(s), rows = belay_int_of(s, "SELECT count(*) FROM expense WHERE category = 'Coffee'");
    int64_t all_moved = 0;
    bool deleted = false;

    heading("3. Merge Coffee into Dining");
    printf("Each user's rows are moved in a scope; all of them are one unit. Coffee itself goes\n"
           "when nobody's rows are left in it.\n\n");
    BELAY_ATOMIC(s) {
        for (size_t i = 0; i < sizeof users / sizeof *users && !deleted; i++) {
            int64_t moved;

            budget_merge(s, users[i], "Coffee", "Dining", &moved, &deleted);
            printf("  ");
            print_padded(users[i], 10);
            printf("%4" PRId64 " rows moved, Coffee is %s\n", moved, deleted ? "deleted" : "kept");
            all_moved += moved;
        }
    }
    print_outcome(s);
    check("all rows of Coffee were moved, and it is gone",
          all_moved == rows && belay_int_of(s, "SELECT count(*) FROM category WHERE name = 'Coffee'") == 0);
    check("the sum over all rows is what it was", total(s) == before);
}

/* ---- 4. Why scopes --------------------------------------------------------------------------- */

/* Two statements that belong together. The second fails: there is no category of that name. */
static void move_40_to_yachts(belay_session *s, int64_t id)
{
    static const char insert[] = "INSERT INTO expense (id, kind, user_name, category, day, description, amount)"
                                 " VALUES (?, 'transfer', 'Zoë', ?, '2026-12-31', 'by hand', ?)";

    belay_exec(s, insert, id, "Gifts", -4000);
    belay_exec(s, insert, id + 1, "Yachts", 4000);
    if (belay_status(s) != BELAY_OK)
        printf("    the second statement failed: %s\n", belay_pending(s)->message);
}

static void with_and_without(belay_session *s)
{
    int64_t before = total(s), id = next_id(s), rows;

    heading("4. The same failing transfer, without a scope and with one");
    printf("  Without: each statement is a transaction of its own.\n");
    move_40_to_yachts(s, id);
    rows = rows_from(s, id);
    printf("    rows left of the transfer: %" PRId64 "\n", rows);
    print_total("  all rows added up to", before);
    print_total("  and now add up to", total(s));
    check("40.00 have left Gifts and arrived nowhere", rows == 1 && total(s) == before - 4000);

    belay_exec(s, "DELETE FROM expense WHERE id = ?", id);
    printf("\n  That row is deleted by hand. Now with BELAY_ATOMIC(s) { ... } around the same two.\n");
    BELAY_ATOMIC(s)
        move_40_to_yachts(s, id);
    print_outcome(s);
    rows = rows_from(s, id);
    printf("    rows left of the transfer: %" PRId64 "\n", rows);
    print_total("  all rows add up to", total(s));
    check("nothing is left of the transfer", rows == 0 && total(s) == before);
}

/* ---- 5. The end ------------------------------------------------------------------------------ */

static void print_groups(belay_session *s, const char *title, const char *sql)
{
    char text[32];

    printf("  %-12s    rows          sum\n", title);
    BELAY_EACH(row, s, sql) {
        printf("  ");
        print_padded(belay_str(row, 0), 12);
        printf("%8s %s\n", belay_str(row, 1), money(belay_int(row, 2), text));
    }
}

static void print_balances(belay_session *s)
{
    heading("5. Balances");
    print_groups(s, "category", "SELECT category, count(*), sum(amount) FROM expense GROUP BY category ORDER BY 1");
    printf("\n");
    print_groups(s, "user", "SELECT user_name, count(*), sum(amount) FROM expense GROUP BY user_name ORDER BY 1");
}

static void print_summary(const load_report *report)
{
    heading("6. What was kept, and what was not");
    printf("  kept      %ld lines of the file\n", report->kept);
    printf("  not kept  %zu lines of the file: each for the reason given in part 1\n", report->refused_count);
    printf("  kept      Ana's transfer, and Dmitri's first and third\n"
           "  not kept  Zoë's transfer and Dmitri's second: there is no category Yachts\n"
           "  kept      all rows of Coffee, in Dining\n"
           "  not kept  the category Coffee: nobody had a row left in it\n\n");
}

static void verify(belay_session *s, const char *path, const load_report *report)
{
    long lines = 0;
    int64_t cents = 0;
    bool summed = expense_file_sum(path, report, &lines, &cents);

    print_total("good lines of the file, added up", cents);
    print_total("all rows of the table, added up", total(s));
    check("the two sums", summed && cents == total(s));
    check("every line read was kept or refused, and every kept one is a row",
          report->read == report->kept + (long)report->refused_count && lines == report->kept &&
              belay_int_of(s, "SELECT count(*) FROM expense WHERE kind = 'expense'") == report->kept);
    check("the transfers are six rows that add up to 0",
          belay_int_of(s, "SELECT count(*) FROM expense WHERE kind = 'transfer'") == 6 &&
              belay_int_of(s, "SELECT sum(amount) FROM expense WHERE kind = 'transfer'") == 0);
}

static void run(belay_session *s, const char *path)
{
    load_report report = {0};

    failures++; /* until the job has come to its end */
    if (set_up(s) && load(s, path, &report)) {
        transfers(s);
        merge(s);
        with_and_without(s);
        print_balances(s);
        print_summary(&report);
        verify(s, path, &report);
        failures--;
    }
    load_report_done(&report);
}

/* What is no URL is the path of a file: "sqlite:" and the path, with what means something in a URL percent-encoded. */
static char *make_url(const char *path)
{
    if (strncmp(path, "sqlite:", 7) == 0 || strstr(path, "://"))
        return strdup(path);
    char *url = malloc(sizeof "sqlite:" + 3 * strlen(path)), *to = url;

    if (!url)
        return NULL;
    to += sprintf(to, "sqlite:");
    for (; *path; path++)
        to += sprintf(to, strchr("%?#&", *path) ? "%%%02X" : "%c", (unsigned char)*path);
    return url;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: %s CSVFILE URL\n", argv[0]);
        return 2;
    }
    char *url = make_url(argv[2]);
    belay_db *db = belay_open(url, NULL);
    belay_session *s = belay_session_open(db);

    printf("Belay: a unit of work happens entirely, or not at all\n"
           "=====================================================\n");
    run(s, argv[1]);
    if (belay_session_close(s) != BELAY_OK)
        failures++; /* an error that nobody has looked at */
    belay_close(db);
    free(url);
    printf("\n%s\n", failures ? "NOT everything agrees." : "Everything agrees.");
    return failures ? 1 : 0;
}
