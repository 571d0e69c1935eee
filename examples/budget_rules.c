/*
 * budget_rules - the rules of a small budget tracker: see budget_rules.h.
 *
 * The tables hold as many of the rules as they can; the functions add those that
 * no constraint can say, and turn a failed foreign key into the name of what is
 * missing.
 */
#include "budget_rules.h"

#include <stddef.h>
#include <string.h>

/* Where nothing is said, MariaDB takes 'coffee', 'Coffee' and 'Coffee ' for the same name. For other engines it is a
   comment. */
#define TEXTS_DIFFER " /*M! COLLATE utf8mb4_nopad_bin */"

belay_code budget_create_tables(belay_session *s)
{
    static const char *const statements[] = {
        "DROP TABLE IF EXISTS expense_line",
        "DROP TABLE IF EXISTS expense",
        "DROP TABLE IF EXISTS category",
        "DROP TABLE IF EXISTS users",
        "CREATE TABLE users (name VARCHAR(40) NOT NULL PRIMARY KEY)" TEXTS_DIFFER,
        "CREATE TABLE category (name VARCHAR(40) NOT NULL PRIMARY KEY)" TEXTS_DIFFER,
        "CREATE TABLE expense ("
        " id INTEGER PRIMARY KEY,"
        " kind VARCHAR(8) NOT NULL,"
        " user_name VARCHAR(40) NOT NULL,"
        " category VARCHAR(40) NOT NULL,"
        " day VARCHAR(10) NOT NULL,"
        " description VARCHAR(120) NOT NULL,"
        " amount BIGINT NOT NULL,"
        " CONSTRAINT kind_is_known CHECK (kind IN ('expense', 'transfer')),"
        " CONSTRAINT amount_is_positive CHECK (amount > 0 OR kind = 'transfer'),"
        " CONSTRAINT amount_is_plausible CHECK (amount BETWEEN -10000000 AND 10000000),"
        " FOREIGN KEY (user_name) REFERENCES users (name),"
        " FOREIGN KEY (category) REFERENCES category (name))" TEXTS_DIFFER,
        "CREATE TABLE expense_line ("
        " id INTEGER NOT NULL PRIMARY KEY,"
        " day DATE NOT NULL,"
        " user_name VARCHAR(40) NOT NULL,"
        " category VARCHAR(40) NOT NULL,"
        " description VARCHAR(120) NOT NULL,"
        " amount NUMERIC(12,2) NOT NULL,"
        " CONSTRAINT line_is_positive CHECK (amount > 0),"
        " CONSTRAINT line_is_plausible CHECK (amount <= 100000),"
        " FOREIGN KEY (user_name) REFERENCES users (name),"
        " FOREIGN KEY (category) REFERENCES category (name))" TEXTS_DIFFER,
    };
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++)
        if (belay_exec(s, statements[i]) != BELAY_OK)
            break;
    return belay_status(s);
}

belay_code budget_add_user(belay_session *s, const char *name)
{
    return belay_exec(s, "INSERT INTO users (name) VALUES (?)", name);
}

belay_code budget_add_category(belay_session *s, const char *name)
{
    return belay_exec(s, "INSERT INTO category (name) VALUES (?)", name);
}

/* The first error wins: when the query itself failed, belay_fail changes nothing. */
static void require_user(belay_session *s, const char *name)
{
    if (belay_int_of(s, "SELECT count(*) FROM users WHERE name = ?", name) == 0)
        belay_fail(s, BELAY_NOT_FOUND, "User not found: \"%s\"", name);
}

static void require_category(belay_session *s, const char *name)
{
    if (belay_int_of(s, "SELECT count(*) FROM category WHERE name = ?", name) == 0)
        belay_fail(s, BELAY_NOT_FOUND, "Category not found: \"%s\"", name);
}

/* Inserts a row. A foreign key's error does not say which key it was, so it is caught and looked up. */
static void insert_row(belay_session *s, const char *kind, const budget_expense *e)
{
    BELAY_ATOMIC(s) {
        belay_exec(s,
                   "INSERT INTO expense (id, kind, user_name, category, day, description, amount)"
                   " VALUES (?, ?, ?, ?, ?, ?, ?)",
                   e->id, kind, e->user, e->category, e->day, e->description, e->cents);
    }
    if (belay_catch(s, BELAY_FOREIGN_KEY)) {
        require_user(s, e->user);
        require_category(s, e->category);
        belay_raise(s, belay_caught(s)); /* somebody has just added it */
    }
}

belay_code budget_add_expense(belay_session *s, const budget_expense *expense)
{
    BELAY_ATOMIC(s)
        insert_row(s, "expense", expense);
    return belay_status(s);
}

belay_code budget_book_lines(belay_session *s)
{
    BELAY_ATOMIC(s) {
        belay_exec(s, "INSERT INTO expense (id, kind, user_name, category, day, description, amount)"
                      " SELECT id, 'expense', user_name, category, CAST(day AS CHAR(10)), description,"
                      " CAST(ROUND(amount * 100) AS INTEGER) FROM expense_line");
        belay_exec(s, "DELETE FROM expense_line");
    }
    return belay_status(s);
}

belay_code budget_update_expense(belay_session *s, const budget_expense *e)
{
    BELAY_ATOMIC(s) {
        require_category(s, e->category);
        belay_exec(s,
                   "UPDATE expense SET category = ?, day = ?, description = ?, amount = ?"
                   " WHERE id = ? AND kind = 'expense'",
                   e->category, e->day, e->description, e->cents, e->id);
        if (belay_changes(s) == 0)
            belay_fail(s, BELAY_NOT_FOUND, "Expense not found: %lld", (long long)e->id);
    }
    return belay_status(s);
}

static void require_two_categories(belay_session *s, const char *source, const char *target)
{
    if (strcmp(source, target) == 0)
        belay_fail(s, BELAY_APPLICATION, "Source and target are the same category: \"%s\"", source);
}

belay_code budget_move(belay_session *s, const budget_transfer *t)
{
    BELAY_ATOMIC(s) {
        int64_t cents = t->cents > 0 ? t->cents : 0;

        require_two_categories(s, t->source, t->target);
        if (cents == 0)
            belay_fail(s, BELAY_CHECK, "Only a positive amount can be moved");
        insert_row(s, "transfer", &(budget_expense){t->id, t->user, t->source, t->day, "moved out", -cents});
        insert_row(s, "transfer", &(budget_expense){t->id + 1, t->user, t->target, t->day, "moved in", cents});
    }
    return belay_status(s);
}

belay_code budget_merge(belay_session *s, const char *user, const char *source, const char *target, int64_t *out_moved,
                        bool *out_deleted)
{
    int64_t moved = 0, deleted = 0;

    BELAY_ATOMIC(s) {
        require_two_categories(s, source, target);
        require_category(s, source);
        require_category(s, target);
        require_user(s, user);
        belay_exec(s, "UPDATE expense SET category = ? WHERE category = ? AND user_name = ?", target, source, user);
        moved = belay_changes(s);
        belay_exec(s,
                   "DELETE FROM category WHERE name = ?"
                   " AND NOT EXISTS (SELECT 1 FROM expense WHERE expense.category = ?)",
                   source, source);
        deleted = belay_changes(s);
    }
    bool done = belay_status(s) == BELAY_OK;
    *out_moved = done ? moved : 0;
    *out_deleted = done && deleted > 0;
    return belay_status(s);
}

belay_code budget_split(belay_session *s, int64_t id, int64_t new_id, const char *category, int64_t cents)
{
    BELAY_ATOMIC(s) {
        require_category(s, category);
        belay_exec(s, "UPDATE expense SET amount = amount - ? WHERE id = ? AND kind = 'expense'", cents, id);
        if (belay_changes(s) == 0)
            belay_fail(s, BELAY_NOT_FOUND, "Expense not found: %lld", (long long)id);
        belay_exec(s,
                   "INSERT INTO expense (id, kind, user_name, category, day, description, amount)"
                   " SELECT ?, kind, user_name, ?, day, description, ? FROM expense WHERE id = ?",
                   new_id, category, cents, id);
    }
    return belay_status(s);
}

belay_code budget_delete_user(belay_session *s, const char *name, int64_t *out_rows)
{
    int64_t rows = 0;

    BELAY_ATOMIC(s) {
        belay_exec(s, "DELETE FROM expense WHERE user_name = ?", name);
        rows = belay_changes(s);
        belay_exec(s, "DELETE FROM users WHERE name = ?", name);
        if (belay_changes(s) == 0)
            belay_fail(s, BELAY_NOT_FOUND, "User not found: \"%s\"", name);
    }
    *out_rows = belay_status(s) == BELAY_OK ? rows : 0;
    return belay_status(s);
}
