/*
 * budget_objects - the budget tracker of budget.c, with objects instead of SQL.
 *
 * Users, categories and expenses are structs that point to each other. Each rule
 * is one scope: what it does happens entirely or not at all, in the tables and in
 * the structs. After each refusal the tables are compared with what they were.
 *
 *     budget_objects [URL]    the default is sqlite::memory:
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <belay/belay.h>

typedef struct person {
    const char *name;
} person;

typedef struct category {
    int64_t id;
    const char *name;
} category;

/* Money is in cents. A transfer between two categories is two rows that add up to 0. */
typedef struct expense {
    int64_t id;
    person *by;
    const char *person_name;
    category *in;
    int64_t category_id;
    bool transfer;
    const char *text;
    int64_t cents;
    int64_t version;
} expense;

BELAY_MODEL(person, "budget_person", BELAY_KEY(person, name, .size = 40))

BELAY_MODEL(category, "budget_category", BELAY_KEY(category, id),
            BELAY_COLUMN(category, name, .size = 40, .not_null = true, .unique = true))

BELAY_MODEL(expense, "budget_expense", BELAY_KEY(expense, id),
            BELAY_PARENT(expense, by, person_name, person, .not_null = true),
            BELAY_PARENT(expense, in, category_id, category, .not_null = true), BELAY_COLUMN(expense, transfer),
            BELAY_COLUMN(expense, text, .size = 80, .not_null = true),
            BELAY_COLUMN(expense, cents, .check = "cents > 0 OR transfer"), BELAY_VERSION_COLUMN(expense, version))

/* ---- Looking things up: NULL with the error pending when it is not there ------------------------- */

static person *find_person(belay_session *s, const char *name)
{
    person *found = belay_get(s, person, name);

    if (!found)
        belay_fail(s, BELAY_NOT_FOUND, "User not found: \"%s\"", name); /* an earlier error wins */
    return found;
}

static category *find_category(belay_session *s, const char *name)
{
    category **found = belay_find(s, category, "WHERE name = ?", name);

    if (found && *found)
        return *found;
    belay_fail(s, BELAY_NOT_FOUND, "Category not found: \"%s\"", name);
    return NULL;
}

static expense *find_expense(belay_session *s, int64_t id)
{
    expense *found = belay_get(s, expense, id);

    if (!found || found->transfer) {
        belay_fail(s, BELAY_NOT_FOUND, "Expense not found: %" PRId64, id);
        return NULL;
    }
    return found;
}

/* ---- The rules -------------------------------------------------------------------------------------- */

static void add_row(belay_session *s, person *by, category *in, bool transfer, const char *text, int64_t cents)
{
    expense *e = belay_new(s, expense);

    if (!e || !by || !in)
        return; /* an error is pending */
    *e = (expense){.by = by, .in = in, .transfer = transfer, .text = text, .cents = cents};
    belay_add(s, expense, e);
}

static belay_code add_expense(belay_session *s, const char *name, const char *where, const char *text, int64_t cents)
{
    BELAY_ATOMIC(s)
        add_row(s, find_person(s, name), find_category(s, where), false, text, cents);
    return belay_status(s);
}

static belay_code update_expense(belay_session *s, int64_t id, const char *where, const char *text, int64_t cents)
{
    BELAY_ATOMIC(s) {
        expense *e = find_expense(s, id);
        category *in = find_category(s, where);
        if (e && in) {
            e->in = in;
            e->text = text;
            e->cents = cents;
        }
    }
    return belay_status(s);
}

/* Moves money from one category to another: two rows, or none. */
static belay_code move(belay_session *s, const char *name, const char *source, const char *target, int64_t cents)
{
    BELAY_ATOMIC(s) {
        person *by = find_person(s, name);
        add_row(s, by, find_category(s, source), true, "moved out", -cents);
        add_row(s, by, find_category(s, target), true, "moved in", cents);
    }
    return belay_status(s);
}

/* Takes some cents out of an expense, and books them in another category. Both stay positive: the CHECK sees to it. */
static belay_code split(belay_session *s, int64_t id, const char *where, int64_t cents)
{
    BELAY_ATOMIC(s) {
        expense *e = find_expense(s, id);
        if (e) {
            e->cents -= cents;
            add_row(s, e->by, find_category(s, where), false, e->text, cents);
        }
    }
    return belay_status(s);
}

/* Moves one user's rows. The source is deleted only when nobody's rows are left in it. */
static belay_code merge(belay_session *s, const char *name, const char *source, const char *target, int *out_moved)
{
    int moved = 0;

    BELAY_ATOMIC(s) {
        category *from = find_category(s, source), *to = find_category(s, target);
        if (from && from == to)
            belay_fail(s, BELAY_APPLICATION, "Source and target are the same category: \"%s\"", source);
        if (find_person(s, name) && from && to)
            BELAY_EACH_OBJECT(expense, e, s, "WHERE category_id = ? AND person_name = ?", from->id, name)
            {
                e->in = to;
                moved++;
            }
        expense **left = from ? belay_find(s, expense, "WHERE category_id = ? LIMIT 1", from->id) : NULL;
        if (left && !*left)
            belay_delete(s, from);
    }
    *out_moved = belay_status(s) == BELAY_OK ? moved : 0;
    return belay_status(s);
}

static belay_code delete_person(belay_session *s, const char *name, int *out_rows)
{
    int rows = 0;

    BELAY_ATOMIC(s) {
        person *by = find_person(s, name);
        if (by) {
            BELAY_EACH_OBJECT(expense, e, s, "WHERE person_name = ?", name)
            {
                belay_delete(s, e);
                rows++;
            }
            belay_delete(s, by); /* after the rows: children go first, in whatever order they are given */
        }
    }
    *out_rows = belay_status(s) == BELAY_OK ? rows : 0;
    return belay_status(s);
}

/* ---- What is shown ------------------------------------------------------------------------------------ */

static int failures;

static void expect(const char *what, bool holds)
{
    printf("  %s  %s\n", holds ? "ok " : "NOT", what);
    failures += !holds;
}

/* A number that differs when the tables do. */
static int64_t fingerprint(belay_session *s)
{
    int64_t print = belay_int_of(s, "SELECT count(*) FROM budget_person") * 31 +
                    belay_int_of(s, "SELECT count(*) FROM budget_category") * 37;

    BELAY_EACH(row, s, "SELECT id, cents, category_id, version FROM budget_expense ORDER BY id")
        for (int column = 0; column < 4; column++)
            print = (print * 41 + belay_int(row, column)) % 1000000007;
    return print;
}

static void expect_refused(belay_session *s, const char *what, belay_code code, int64_t before)
{
    bool refused = belay_status(s) == code;

    printf("       %s\n", belay_pending(s)->message);
    expect(what, refused && fingerprint(s) == before);
}

/* What is in a category, in cents. */
static int64_t total(belay_session *s, const char *name)
{
    int64_t sum = 0;

    BELAY_READ(s)
        BELAY_EACH_OBJECT(expense, e, s, "WHERE category_id = (SELECT id FROM budget_category WHERE name = ?)", name)
    sum += e->cents;
    return sum;
}

static bool begin(belay_session *s)
{
    static const char *const people[] = {"Ana", "Bea"}, *const names[] = {"Food", "Coffee", "Travel", "Gifts"};

    belay_exec(s, "DROP TABLE IF EXISTS budget_expense");
    belay_exec(s, "DROP TABLE IF EXISTS budget_category");
    belay_exec(s, "DROP TABLE IF EXISTS budget_person");
    belay_create_tables(s, person, category, expense);
    BELAY_ATOMIC(s) {
        for (int i = 0; i < 2; i++)
            belay_merge(s, person, &(person){people[i]});
        for (int i = 0; i < 4; i++)
            belay_merge(s, category, (&(category){0, names[i]}));
    }
    add_expense(s, "Ana", "Food", "bread", 600);
    add_expense(s, "Ana", "Coffee", "espresso", 250);
    add_expense(s, "Ana", "Travel", "train", 4800);
    add_expense(s, "Bea", "Coffee", "filter", 190);
    return belay_status(s) == BELAY_OK;
}

static void show_expenses(belay_session *s)
{
    int64_t before = fingerprint(s);

    printf("Add and change expenses\n");
    add_expense(s, "Ana", "Pets", "food", 500);
    expect_refused(s, "a category that isn't there is refused", BELAY_NOT_FOUND, before);
    add_expense(s, "Ana", "Food", "nothing", 0);
    expect_refused(s, "an amount of nothing is refused by a CHECK", BELAY_CHECK, before);
    update_expense(s, 99, "Food", "?", 5);
    expect_refused(s, "an expense that isn't there is refused", BELAY_NOT_FOUND, before);
    update_expense(s, 1, "Food", "bread", 600);
    expect("one that is what it was is not written", belay_status(s) == BELAY_OK && fingerprint(s) == before);
    update_expense(s, 1, "Food", "two loaves", 700);
    expect("a good one is changed", belay_status(s) == BELAY_OK && total(s, "Food") == 700);
}

static void show_moves(belay_session *s)
{
    int64_t before = fingerprint(s);

    printf("\nMove money, and split an expense\n");
    move(s, "Ana", "Travel", "Pets", 300);
    expect_refused(s, "to a category that isn't there nothing is moved, nor taken", BELAY_NOT_FOUND, before);
    move(s, "Ana", "Travel", "Food", 300);
    expect("a good one is two rows",
           belay_status(s) == BELAY_OK && total(s, "Travel") == 4500 && total(s, "Food") == 1000);
    before = fingerprint(s);
    split(s, 3, "Gifts", 4800);
    expect_refused(s, "a part as large as the whole is refused by a CHECK", BELAY_CHECK, before);
    split(s, 3, "Gifts", 1000);
    expect("a good split keeps the sum",
           belay_status(s) == BELAY_OK && total(s, "Travel") == 3500 && total(s, "Gifts") == 1000);
}

static void show_merge(belay_session *s)
{
    int64_t before = fingerprint(s);
    int moved;

    printf("\nMerge two categories\n");
    merge(s, "Ana", "Coffee", "Coffee", &moved);
    expect_refused(s, "the same category twice is refused", BELAY_APPLICATION, before);
    merge(s, "Ana", "Tea", "Food", &moved);
    expect_refused(s, "a source that isn't there is refused", BELAY_NOT_FOUND, before);
    merge(s, "Ana", "Coffee", "Tea", &moved);
    expect_refused(s, "so is a target", BELAY_NOT_FOUND, before);
    merge(s, "Ana", "Coffee", "Food", &moved);
    expect("Coffee is kept while Bea has a row in it",
           belay_status(s) == BELAY_OK && moved == 1 && total(s, "Coffee") == 190 && total(s, "Food") == 1250);
    merge(s, "Bea", "Coffee", "Food", &moved);
    expect("and deleted when nobody's rows are left", belay_status(s) == BELAY_OK && moved == 1 &&
                                                          total(s, "Food") == 1440 &&
                                                          belay_int_of(s, "SELECT count(*) FROM budget_category") == 3);
}

static void show_delete(belay_session *s)
{
    int64_t before = fingerprint(s);
    int rows = 0;

    printf("\nDelete a user with all expenses\n");
    delete_person(s, "Zed", &rows);
    expect_refused(s, "a user who isn't there is refused", BELAY_NOT_FOUND, before);
    BELAY_ATOMIC(s) {
        delete_person(s, "Ana", &rows);
        belay_fail(s, BELAY_APPLICATION, "Ana has changed her mind");
    }
    expect_refused(s, "as a part of a larger unit that fails, it is undone with it", BELAY_APPLICATION, before);
    delete_person(s, "Ana", &rows);
    expect("the user and the six rows are gone, the other user's is there",
           belay_status(s) == BELAY_OK && rows == 6 && belay_int_of(s, "SELECT count(*) FROM budget_expense") == 1);
}

int main(int argc, char **argv)
{
    belay_db *db = belay_open(argc > 1 ? argv[1] : "sqlite::memory:", NULL);
    belay_session *s = belay_session_open(db);

    if (begin(s)) {
        show_expenses(s);
        show_moves(s);
        show_merge(s);
        show_delete(s);
    } else {
        printf("no tables: %s\n", belay_message(s));
        failures++;
    }
    printf("\n%s\n", failures ? "NOT as promised." : "All rules held.");
    belay_session_close(s);
    belay_close(db);
    return failures ? 1 : 0;
}
