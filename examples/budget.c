/*
 * budget - a budget tracker whose rules hold, whatever goes wrong.
 *
 * The rules are in budget_rules.c, one scope each. Here each of them is shown,
 * once as it should go and once for each way that it can be refused, and after
 * every refusal the tables are compared with what they were before: nothing may
 * be left of it.
 *
 *     budget [URL]            the default is sqlite::memory:
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <belay/belay.h>

#include "budget_rules.h"

static int failures;

static void expect(const char *what, bool holds)
{
    printf("  %s  %s\n", holds ? "ok " : "NOT", what);
    failures += !holds;
}

/* A number that differs when the tables differ, for what this program does with them. */
static int64_t fingerprint(belay_session *s)
{
    int64_t print =
        belay_int_of(s, "SELECT count(*) FROM users") * 31 + belay_int_of(s, "SELECT count(*) FROM category") * 37;

    BELAY_EACH(row, s, "SELECT id, amount, user_name, category, day, description FROM expense ORDER BY id") {
        print = (print * 41 + belay_int(row, 0) * 43 + belay_int(row, 1)) % 1000000007;
        for (int column = 2; column < 6; column++)
            for (const char *c = belay_str(row, column); c && *c; c++)
                print = (print * 47 + (unsigned char)*c) % 1000000007;
    }
    return print;
}

/* A rule was refused with the code that is expected, and nothing is left of it. */
static void expect_refused(belay_session *s, const char *what, belay_code expected, int64_t before)
{
    belay_code code = belay_status(s);

    printf("       %s: %s\n", belay_code_name(code), belay_pending(s)->message);
    expect(what, code == expected && fingerprint(s) == before);
}

static int64_t total(belay_session *s, const char *category)
{
    return belay_int_of(s, "SELECT coalesce(sum(amount), 0) FROM expense WHERE category = ?", category);
}

static int64_t rows(belay_session *s)
{
    return belay_int_of(s, "SELECT count(*) FROM expense");
}

static void fill(belay_session *s)
{
    static const char *const users[] = {"Ana", "Bea"};
    static const char *const categories[] = {"Food", "Travel", "Coffee", "Gifts"};
    static const budget_expense expenses[] = {
        {1, "Ana", "Food", "2026-03-01", "bread", 450},        {2, "Ana", "Coffee", "2026-03-02", "espresso", 220},
        {3, "Ana", "Coffee", "2026-03-03", "cappuccino", 340}, {4, "Bea", "Coffee", "2026-03-03", "filter", 190},
        {5, "Bea", "Travel", "2026-03-04", "train", 4800},     {6, "Bea", "Gifts", "2026-03-05", "flowers", 1500},
    };

    budget_create_tables(s);
    BELAY_ATOMIC(s) {
        for (size_t i = 0; i < sizeof users / sizeof *users; i++)
            budget_add_user(s, users[i]);
        for (size_t i = 0; i < sizeof categories / sizeof *categories; i++)
            budget_add_category(s, categories[i]);
        for (size_t i = 0; i < sizeof expenses / sizeof *expenses; i++)
            budget_add_expense(s, &expenses[i]);
    }
    expect("two users, four categories and six expenses are there", belay_status(s) == BELAY_OK && rows(s) == 6);
}

static void show_add(belay_session *s)
{
    int64_t before = fingerprint(s);

    printf("\nAdd an expense\n");
    budget_add_expense(s, &(budget_expense){7, "Ana", "Pets", "2026-03-06", "cat food", 900});
    expect_refused(s, "a category that isn't there is refused by name", BELAY_NOT_FOUND, before);
    budget_add_expense(s, &(budget_expense){7, "Zed", "Food", "2026-03-06", "rice", 900});
    expect_refused(s, "so is a user", BELAY_NOT_FOUND, before);
    budget_add_expense(s, &(budget_expense){7, "Ana", "Food", "2026-03-06", "rice", -900});
    expect_refused(s, "a negative amount is refused by a CHECK", BELAY_CHECK, before);
    budget_add_expense(s, &(budget_expense){1, "Ana", "Food", "2026-03-06", "rice", 900});
    expect_refused(s, "an id that is taken is refused by the key", BELAY_UNIQUE, before);
    budget_add_expense(s, &(budget_expense){7, "Ana", "Food", "2026-03-06", NULL, 900});
    expect_refused(s, "a missing description is refused by NOT NULL", BELAY_NOT_NULL, before);
    budget_add_expense(s, &(budget_expense){7, "Ana", "Food", "2026-03-06", "rice", 900});
    expect("a good one is there", belay_status(s) == BELAY_OK && rows(s) == 7 && total(s, "Food") == 1350);
}

static void show_move(belay_session *s)
{
    int64_t before = fingerprint(s);

    printf("\nMove money between categories\n");
    budget_move(s, &(budget_transfer){20, "Ana", "Food", "Pets", "2026-03-07", 300});
    expect_refused(s, "the first row was written before the target was missed: it is gone too", BELAY_NOT_FOUND,
                   before);
    budget_move(s, &(budget_transfer){20, "Ana", "Food", "Food", "2026-03-07", 300});
    expect_refused(s, "the same category twice is refused", BELAY_APPLICATION, before);
    budget_move(s, &(budget_transfer){20, "Ana", "Food", "Travel", "2026-03-07", -300});
    expect_refused(s, "so is an amount that isn't positive", BELAY_CHECK, before);
    budget_move(s, &(budget_transfer){20, "Ana", "Food", "Travel", "2026-03-07", 300});
    expect("a good one is two rows that add up to 0",
           belay_status(s) == BELAY_OK && rows(s) == 9 && total(s, "Food") == 1050 && total(s, "Travel") == 5100);
}

static void show_update(belay_session *s)
{
    int64_t before = fingerprint(s);

    printf("\nUpdate an expense\n");
    budget_update_expense(s, &(budget_expense){99, NULL, "Food", "2026-03-08", "bread", 500});
    expect_refused(s, "an expense that isn't there is refused", BELAY_NOT_FOUND, before);
    budget_update_expense(s, &(budget_expense){1, NULL, "Pets", "2026-03-08", "bread", 500});
    expect_refused(s, "so is a category", BELAY_NOT_FOUND, before);
    budget_update_expense(s, &(budget_expense){1, NULL, "Food", "2026-03-08", "bread", 0});
    expect_refused(s, "an amount of nothing is refused by a CHECK", BELAY_CHECK, before);
    budget_update_expense(s, &(budget_expense){1, NULL, "Food", "2026-03-08", "two loaves", 500});
    expect("a good one is changed", belay_status(s) == BELAY_OK && total(s, "Food") == 1100);
}

static void show_split(belay_session *s)
{
    int64_t before = fingerprint(s);

    printf("\nSplit an expense over two categories\n");
    budget_split(s, 5, 30, "Pets", 1000);
    expect_refused(s, "a category that isn't there is refused", BELAY_NOT_FOUND, before);
    budget_split(s, 99, 30, "Gifts", 1000);
    expect_refused(s, "so is an expense", BELAY_NOT_FOUND, before);
    budget_split(s, 5, 30, "Gifts", 4800);
    expect_refused(s, "a part as large as the whole is refused by a CHECK", BELAY_CHECK, before);
    budget_split(s, 5, 30, "Gifts", -100);
    expect_refused(s, "so is a negative part, after the first row had grown", BELAY_CHECK, before);
    budget_split(s, 5, 6, "Gifts", 1000);
    expect_refused(s, "and a new id that is taken, by the key", BELAY_UNIQUE, before);
    budget_split(s, 5, 30, "Gifts", 1000);
    expect("a good one keeps the sum",
           belay_status(s) == BELAY_OK && total(s, "Travel") == 4100 && total(s, "Gifts") == 2500);
}

static void show_merge(belay_session *s)
{
    int64_t before = fingerprint(s), moved = -1;
    bool deleted = true;

    printf("\nMerge two categories\n");
    budget_merge(s, "Ana", "Coffee", "Coffee", &moved, &deleted);
    expect_refused(s, "the same category twice is refused", BELAY_APPLICATION, before);
    budget_merge(s, "Ana", "Tea", "Food", &moved, &deleted);
    expect_refused(s, "a source that isn't there is refused", BELAY_NOT_FOUND, before);
    budget_merge(s, "Ana", "Coffee", "Tea", &moved, &deleted);
    expect_refused(s, "so is a target", BELAY_NOT_FOUND, before);
    expect("a refused merge has moved and deleted nothing", moved == 0 && !deleted);

    budget_merge(s, "Ana", "Coffee", "Food", &moved, &deleted);
    printf("       Ana: %" PRId64 " rows moved, Coffee is %s\n", moved, deleted ? "deleted" : "kept");
    expect("Coffee is kept while Bea has a row in it",
           belay_status(s) == BELAY_OK && moved == 2 && !deleted && total(s, "Coffee") == 190);
    budget_merge(s, "Bea", "Coffee", "Food", &moved, &deleted);
    printf("       Bea: %" PRId64 " row moved, Coffee is %s\n", moved, deleted ? "deleted" : "kept");
    expect("and deleted when nobody's rows are left",
           belay_status(s) == BELAY_OK && moved == 1 && deleted && total(s, "Food") == 1850);
}

static void show_delete(belay_session *s)
{
    int64_t before = fingerprint(s), deleted = -1;

    printf("\nDelete a user with all expenses\n");
    budget_delete_user(s, "Zed", &deleted);
    expect_refused(s, "a user who isn't there is refused", BELAY_NOT_FOUND, before);
    BELAY_ATOMIC(s) {
        budget_delete_user(s, "Bea", &deleted);
        belay_fail(s, BELAY_APPLICATION, "Bea has changed her mind");
    }
    expect_refused(s, "as a part of a larger unit that fails, it is undone with it", BELAY_APPLICATION, before);
    budget_delete_user(s, "Bea", &deleted);
    expect("the user and the four rows are gone, the other user's are there",
           belay_status(s) == BELAY_OK && deleted == 4 && rows(s) == 6 &&
               belay_int_of(s, "SELECT count(*) FROM users") == 1);
}

int main(int argc, char **argv)
{
    belay_db *db = belay_open(argc > 1 ? argv[1] : "sqlite::memory:", NULL);
    belay_session *s = belay_session_open(db);

    printf("Start\n");
    fill(s);
    if (failures == 0) {
        show_add(s);
        show_move(s);
        show_update(s);
        show_split(s);
        show_merge(s);
        show_delete(s);
    } else {
        printf("  %s\n", belay_message(s));
    }
    printf("\n%s\n", failures ? "NOT as promised." : "Every rule holds, and a refused change leaves nothing.");
    belay_session_close(s);
    belay_close(db);
    return failures ? 1 : 0;
}
